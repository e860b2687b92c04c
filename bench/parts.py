"""``python -m bench.parts``: what it costs that PostgreSQL keeps the changes in parts by their book, beside one table.

The same writes and reads run against both, turn and turn about, with the store's own statements.
"""

from __future__ import annotations

import random
import secrets
import statistics
import time
from collections.abc import Callable, Iterator

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from sync.hub.postgres_store import _PostgresConnection
from sync.hub.schema import MIGRATIONS
from sync.hub.store import Row, Session
from tests.postgres import PrivatePostgres, find_programs

BOOKS, ROUNDS = 400, 30
SHAPES = {"one table": "0002", "16 parts": "0003"}


def main() -> None:
    programs = find_programs()
    if programs is None:
        print("There is no PostgreSQL on this machine.")
        return
    cluster = PrivatePostgres(programs, durable=True)
    try:
        _print({name: _connection(cluster, version) for name, version in SHAPES.items()})
    finally:
        cluster.remove()


def _connection(cluster: PrivatePostgres, version: str) -> _PostgresConnection:
    url = cluster.new_database()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url)).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    return _PostgresConnection(url, writes=True)


def _print(shapes: dict[str, _PostgresConnection]) -> None:
    books = [secrets.token_bytes(16) for _ in range(BOOKS)]
    took: dict[str, dict[str, list[float]]] = {name: {} for name in shapes}
    ends = dict.fromkeys(books, 0)
    for turn in range(ROUNDS):
        steps = list(_steps(books, ends, turn))
        for name in random.sample(list(shapes), len(shapes)):
            connection = shapes[name]
            for what, work in steps:
                started = time.perf_counter()
                connection.begin(())
                work(connection.session)
                connection.commit()
                took[name].setdefault(what, []).append(time.perf_counter() - started)
    print(f"{'median of ' + str(ROUNDS):34}" + "".join(f"{name:>14}" for name in shapes))
    for what in took["one table"]:
        medians = [statistics.median(took[name][what]) * 1000 for name in shapes]
        print(f"{what:34}" + "".join(f"{ms:11.2f} ms" for ms in medians))


def _steps(books: list[bytes], ends: dict[bytes, int], turn: int) -> Iterator[tuple[str, Callable[[Session], object]]]:
    """Yield the steps of one round with what they do; every shape gets the same."""
    device, mine = secrets.token_bytes(16), random.sample(books, 40)
    single = [_rows(book, device, ends, 1) for book in mine]
    bulk = [row for book in mine for row in _rows(book, device, ends, 25)]
    yield "40 pushes of one change", lambda session: _add_each(session, single)
    yield "one push of 1,000 in 40 books", lambda session: session.add_changes(bulk)
    yield "40 retries recognised", lambda session: [session.known(book, device, 1, 1, 1) for book in mine]
    yield "40 pages", lambda session: [(session.marks(b, 0, ends[b], 500), session.changes(b, 0, ends[b])) for b in mine]
    yield "40 control lanes", lambda session: [session.control(book, 0) for book in mine]


def _add_each(session: Session, pushes: list[list[Row]]) -> None:
    for rows in pushes:
        session.add_changes(rows)


def _rows(book: bytes, device: bytes, ends: dict[bytes, int], count: int) -> list[Row]:
    first = ends[book]
    ends[book] += count
    fill = secrets.token_bytes
    return [
        Row(book, n, device, 1, n, fill(114), fill(544), fill(64), 1_800_000_000_000, fill(32)) for n in range(first + 1, first + count + 1)
    ]


if __name__ == "__main__":
    main()
