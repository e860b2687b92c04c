"""Both kinds of database that a central store runs on, each as durable as it is in earnest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.postgres import PrivatePostgres, find_programs

Databases = dict[str, Callable[[str], str]]
"""By the name of a kind: what makes a fresh database, given a name for it."""


@contextlib.contextmanager
def both(where: Path) -> Iterator[Databases]:
    """Give both kinds, as far as this machine has them. The PostgreSQL is a cluster of its own, which waits for the disk."""
    kinds: Databases = {"SQLite": lambda name: str(where / f"{name}.db")}
    programs = find_programs()
    cluster = None if programs is None else PrivatePostgres(programs, durable=True)
    if cluster is not None:
        kinds["PostgreSQL"] = lambda name: cluster.new_database()
    try:
        yield kinds
    finally:
        if cluster is not None:
            cluster.remove()
