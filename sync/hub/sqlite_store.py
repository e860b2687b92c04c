"""The central store's database for a small team and for the demo: one SQLite file, one writer with group commit."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from sync.hub import sqlite_schema
from sync.hub.sql_session import SqlSession
from sync.hub.store import Again, Figures, Session, StoreAway
from sync.hub.workers import Trips, Workers, figures

Answer = TypeVar("Answer")

_READERS: Final = 2
_MOST_IN_TRANSACTION: Final = 2000


class SqliteStore:
    """A store in one file. Raises `HubTrouble` when the file is not, or is no longer, one that this version reads."""

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self._path = path
        sqlite_schema.prepare(path, make=make)
        self._trips = Trips()
        self._writers = Workers("writer", 1, lambda: _SqliteConnection(path, True, self._trips), _MOST_IN_TRANSACTION)
        self._readers = Workers("reader", _READERS, lambda: _SqliteConnection(path, False, self._trips))

    def read(self, question: Callable[[Session], Answer]) -> Future[Answer]:
        return self._readers.submit(question)

    def write(self, deed: Callable[[Session], Answer], books: Collection[bytes] = (), weight: int = 1) -> Future[Answer]:
        return self._writers.submit(deed, books, weight)

    def listen(self, heard: Callable[[str], None]) -> Callable[[], None]:
        return lambda: None  # one process serves one file

    def first_use(self, device: bytes, nonce: bytes, time_ms: int) -> Future[bool]:
        answer: Future[bool] = Future()
        answer.set_result(True)  # one file has one process, which remembers by itself
        return answer

    def figures(self) -> Figures:
        return figures(self._readers, self._writers, self._trips)

    def close(self) -> None:
        self._writers.close()
        self._readers.close()
        # Of two connections that close at one moment, each may leave the log to the other. Somebody who copies the file of a
        # stopped store would then copy it without its last changes.
        if Path(f"{self._path}-wal").exists():
            with contextlib.suppress(sqlite3.Error):
                _open(self._path).close()


class _SqliteSession(SqlSession):
    def __init__(self, database: sqlite3.Connection, trips: Trips) -> None:
        self._trips = trips
        self._database = database

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        self._trips.one()
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _trouble(error) from error

    def _run(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._trips.one()
        try:
            self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise _trouble(error) from error

    def _run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._trips.one()
        try:
            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise _trouble(error) from error


class _SqliteConnection:
    """One thread's connection. The writer takes the file's one write lock at once, so nothing can come between."""

    def __init__(self, path: Path, writes: bool, trips: Trips) -> None:
        self._writes = writes
        self._trips = trips
        try:
            self._database = _open(path)
        except sqlite3.Error as error:
            raise StoreAway from error
        self.session: Session = _SqliteSession(self._database, trips)

    def begin(self, books: Collection[bytes]) -> None:
        if self._writes:
            self._execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        if self._writes:
            self._execute("COMMIT")

    def rollback(self) -> None:
        if self._database.in_transaction:
            self._execute("ROLLBACK")

    def close(self) -> None:
        self._database.close()

    def _execute(self, statement: str) -> None:
        self._trips.one()
        try:
            self._database.execute(statement)
        except sqlite3.Error as error:
            raise StoreAway from error


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA cache_size = -16000")
    return database


def _trouble(error: sqlite3.Error) -> Exception:
    return Again() if isinstance(error, sqlite3.IntegrityError) else StoreAway()
