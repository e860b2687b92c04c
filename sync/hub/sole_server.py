"""Keeps a second server off one SQLite file: which requests were seen, and who listens, each would know of its own alone (C.8).

The system lets go of the lock however the process ends. It is on a file of its own: to close a further descriptor of the
database file would take SQLite's own locks away.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sync.hub.databases import is_postgres
from sync.hub.store import HubTrouble

ENDING: Final = "-serving"
"""What the name of the lock file has after the database's. It is there while a store serves, and after one was killed."""


@contextlib.contextmanager
def sole_server(database: str) -> Iterator[None]:
    """Be the one server of a database, on PostgreSQL one of several; raise `HubTrouble` where one file has its server already.

    Commands beside a store that serves ask nobody: what they do is in the database, which both read.
    """
    if is_postgres(database):
        yield
        return
    path = Path(os.path.realpath(database) + ENDING)  # two names of one file are one file
    try:
        held = _take(path)
    except OSError as error:
        raise HubTrouble(
            f"The central store cannot open its database {database}: {error.strerror or error}, at {path.name} beside it. "
            "Nothing was changed. Check the path, and that this account may write there."
        ) from error
    if held is None:
        raise HubTrouble(
            f"A central store serves {database} already, and one file has one server. Nothing was started, and that store goes on. "
            "Stop it first, or name another database."
        )
    try:
        yield
    finally:
        _let_go(path, held)


def _take(path: Path) -> int | None:
    """Return a descriptor that holds the lock, or None where another process has it."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        mine = False
        try:
            if not _lock(file):
                return None
            _hand_over(path, file)
            mine = _is_there(path, file)  # or its server took it away as it stopped, and a lock on it would keep nobody off
            if mine:
                return file
        finally:
            if not mine:
                os.close(file)


def _is_there(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> bool:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _hand_over(path: Path, file: int) -> None:
        """Nobody is root here."""

    def _let_go(path: Path, file: int) -> None:
        os.close(file)
        with contextlib.suppress(OSError):  # the next server has it open already
            path.unlink()

else:
    import fcntl

    def _lock(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _hand_over(path: Path, file: int) -> None:
        """Give root's lock to the owner of the database, as SQLite does with its files: left after a kill it would shut them out."""
        if os.geteuid() == 0:
            with contextlib.suppress(OSError):  # there is no database yet, and it will be root's own
                owner = os.stat(str(path).removesuffix(ENDING))
                os.fchown(file, owner.st_uid, owner.st_gid)

    def _let_go(path: Path, file: int) -> None:
        with contextlib.suppress(OSError):  # it does no harm where it lies
            path.unlink()
        os.close(file)
