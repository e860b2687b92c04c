"""The central store's database for a small team and for the demo: one SQLite file, one writer with group commit."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from sync.hub import schema
from sync.hub.sql_session import SqlSession
from sync.hub.store import Again, HubTrouble, Session, StoreAway
from sync.hub.workers import Workers

Answer = TypeVar("Answer")

_READERS: Final = 2
_MOST_IN_TRANSACTION: Final = 2000


class SqliteStore:
    """A store in one file. Raises `HubTrouble` when the file is not, or is no longer, one that this version reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        _prepare(path)
        self._writers = Workers("writer", 1, lambda: _SqliteConnection(path, writes=True), _MOST_IN_TRANSACTION)
        self._readers = Workers("reader", _READERS, lambda: _SqliteConnection(path, writes=False))

    def read(self, question: Callable[[Session], Answer]) -> Future[Answer]:
        return self._readers.submit(question)

    def write(self, deed: Callable[[Session], Answer], books: Collection[bytes] = (), weight: int = 1) -> Future[Answer]:
        return self._writers.submit(deed, books, weight)

    def listen(self, heard: Callable[[str], None]) -> Callable[[], None]:
        return lambda: None  # one process serves one file

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


def _prepare(path: Path) -> None:
    """Make the tables, or bring them up to this version; refuse what is newer or something else."""
    try:
        # Made before SQLite opens it, so that nobody else on the machine may read even the sealed changes.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        with contextlib.closing(sqlite3.connect(path)) as unopened:
            _version(unopened)  # before anything is written, WAL mode included
        database = _open(path)
    except (OSError, sqlite3.Error) as error:
        raise HubTrouble(
            f"The central store cannot open its database {path}: {_reason(error)}. Nothing was changed. "
            "Check the path, and that this account may write there."
        ) from error
    try:
        database.execute("BEGIN IMMEDIATE")
        have = _version(database)
        for number, statements in enumerate(schema.SQLITE[have:], start=have + 1):
            for statement in statements:
                database.execute(statement)
            database.execute(
                "INSERT INTO hub_settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (schema.VERSION_NAME, b"%d" % number),
            )
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise HubTrouble(
            f"The file {path} cannot be used as the central store's database: {_reason(error)}. It was left as it was."
        ) from error
    finally:
        database.close()


def _version(database: sqlite3.Connection) -> int:
    """Return the version of the tables, zero for an empty file."""
    names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not names:
        return 0
    if "hub_settings" not in names:
        raise HubTrouble("This file is another program's database. It was left as it was. Name another path.")
    found = database.execute("SELECT value FROM hub_settings WHERE name = ?", (schema.VERSION_NAME,)).fetchall()
    have = schema.read_version(found[0][0] if found else b"")
    schema.refuse_newer(have, len(schema.SQLITE))
    return have


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _trouble(error: sqlite3.Error) -> Exception:
    return Again() if isinstance(error, sqlite3.IntegrityError) else StoreAway()
