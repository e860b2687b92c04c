"""The central store's database for a small team and for the demo: one SQLite file, one writer with group commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from sync.hub import sqlite_schema
from sync.hub.sql_session import SqlSession
from sync.hub.store import Again, Session, StoreAway
from sync.hub.workers import Workers

Answer = TypeVar("Answer")

_READERS: Final = 2
_MOST_IN_TRANSACTION: Final = 2000


class SqliteStore:
    """A store in one file. Raises `HubTrouble` when the file is not, or is no longer, one that this version reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        sqlite_schema.prepare(path)
        self._writers = Workers("writer", 1, lambda: _SqliteConnection(path, writes=True), _MOST_IN_TRANSACTION)
        self._readers = Workers("reader", _READERS, lambda: _SqliteConnection(path, writes=False))

    def read(self, question: Callable[[Session], Answer]) -> Future[Answer]:
        return self._readers.submit(question)

    def write(self, deed: Callable[[Session], Answer], books: Collection[bytes] = (), weight: int = 1) -> Future[Answer]:
        return self._writers.submit(deed, books, weight)

    def close(self) -> None:
        self._writers.close()
        self._readers.close()


class _SqliteSession(SqlSession):
    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _trouble(error) from error

    def _run(self, statement: str, values: Sequence[Any] = ()) -> None:
        try:
            self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise _trouble(error) from error

    def _run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        try:
            self._database.executemany(statement, rows)
        except sqlite3.Error as error:
            raise _trouble(error) from error


class _SqliteConnection:
    """One thread's connection. The writer takes the file's one write lock at once, so nothing can come between."""

    def __init__(self, path: Path, writes: bool) -> None:
        self._writes = writes
        try:
            self._database = _open(path)
        except sqlite3.Error as error:
            raise StoreAway from error
        self.session: Session = _SqliteSession(self._database)

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
