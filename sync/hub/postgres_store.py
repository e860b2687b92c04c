"""The central store's real database: PostgreSQL, in which several hub processes may serve one organisation.

A book's row is its counter. It is held, in id order, until the commit, so numbers have no gap and a reader that pages
by number misses nothing; deeds that touch different books go on side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import psycopg
from psycopg import errors

from sync.hub import postgres_schema
from sync.hub.postgres_channel import CHANNEL, listen
from sync.hub.shared_nonces import SharedNonces
from sync.hub.sql_session import ADD_CHANGES, SqlSession
from sync.hub.store import Again, Figures, Session, StoreAway
from sync.hub.workers import Trips, Workers, figures

Answer = TypeVar("Answer")

_READERS: Final = 4
_WRITERS: Final = 4
_MOST_IN_TRANSACTION: Final = 2000
_MODE_LOCK: Final = 0x6C776D6F6465

_COPY_FROM: Final = 8
"""From so many rows on, COPY is quicker than an insert."""

_MEET: Final = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)


class PostgresStore:
    """A store in a PostgreSQL database, named by a ``postgresql://`` URL. Raises `HubTrouble` when it cannot be used."""

    def __init__(self, url: str, *, make: bool = True) -> None:
        self._url = url
        postgres_schema.prepare(url, make=make)
        self._trips = Trips()
        self._writers = Workers("writer", _WRITERS, lambda: _PostgresConnection(url, True, self._trips), _MOST_IN_TRANSACTION)
        self._readers = Workers("reader", _READERS, lambda: _PostgresConnection(url, False, self._trips))
        self._nonces = SharedNonces(lambda: postgres_schema.connect(url))

    def read(self, question: Callable[[Session], Answer]) -> Future[Answer]:
        return self._readers.submit(question)

    def write(self, deed: Callable[[Session], Answer], books: Collection[bytes] = (), weight: int = 1) -> Future[Answer]:
        return self._writers.submit(deed, books, weight)

    def listen(self, heard: Callable[[str], None]) -> Callable[[], None]:
        return listen(self._url, heard)

    def first_use(self, device: bytes, nonce: bytes, time_ms: int) -> Future[bool]:
        return self._nonces.use(device, nonce, time_ms)

    def figures(self) -> Figures:
        return figures(self._readers, self._writers, self._trips)

    def close(self) -> None:
        self._writers.close()
        self._readers.close()
        self._nonces.close()


class _PostgresSession(SqlSession):
    lock_suffix = " FOR UPDATE"

    def __init__(self, cursor: psycopg.Cursor[Any], trips: Trips) -> None:
        self._trips = trips
        self._cursor = cursor

    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        self._trips.one()
        try:
            return self._cursor.execute(_translated(statement), values).fetchall()
        except psycopg.Error as error:
            raise _trouble(error) from error

    def _run(self, statement: str, values: Sequence[Any] = ()) -> None:
        self._trips.one()
        try:
            self._cursor.execute(_translated(statement), values)
        except psycopg.Error as error:
            raise _trouble(error) from error

    def _run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self._trips.one()
        try:
            if statement is ADD_CHANGES and len(rows) >= _COPY_FROM:
                self._copy(rows)
            elif len(rows) == 1:
                self._cursor.execute(_translated(statement), rows[0])
            elif rows:
                self._cursor.executemany(_translated(statement), rows)
        except psycopg.Error as error:
            raise _trouble(error) from error

    def hold_mode(self) -> None:
        self._all("SELECT pg_advisory_xact_lock(?)", (_MODE_LOCK,))

    def tell_others(self, words: Sequence[str]) -> None:
        for said in words:
            self._run("SELECT pg_notify(?, ?)", (CHANNEL, said))

    def _copy(self, rows: Sequence[Sequence[Any]]) -> None:
        with self._cursor.copy(
            "COPY changes (book, n, device, lane, seq, header, body, signature, received_ms, digest) FROM STDIN (FORMAT BINARY)"
        ) as copy:
            copy.set_types(["bytea", "int8", "bytea", "int8", "int8", "bytea", "bytea", "bytea", "int8", "bytea"])
            for row in rows:
                copy.write_row(row)


class _PostgresConnection:
    """One thread's connection. A reader commits each statement by itself: what it reads never changes afterwards."""

    def __init__(self, url: str, writes: bool, trips: Trips | None = None) -> None:
        self._writes = writes
        self._trips = trips or Trips()
        try:
            self._database = postgres_schema.connect(url)
            cursor = self._database.cursor(binary=True)
        except psycopg.Error as error:
            raise StoreAway from error
        self._session = _PostgresSession(cursor, self._trips)
        self.session: Session = self._session

    def begin(self, books: Collection[bytes]) -> None:
        if self._writes:
            # Held shared by every transaction that writes, and alone by the one that changes the mode (see `recovery`).
            self._execute(f"BEGIN; SELECT pg_advisory_xact_lock_shared({_MODE_LOCK})")
            self._session.hold(books)
        elif self._database.closed or self._database.broken:
            raise StoreAway

    def commit(self) -> None:
        if self._writes:
            self._execute("COMMIT")

    def rollback(self) -> None:
        if self._writes:
            self._execute("ROLLBACK")

    def close(self) -> None:
        self._database.close()

    def _execute(self, statement: str) -> None:
        self._trips.one()
        try:
            self._database.execute(statement)
        except psycopg.Error as error:
            raise _trouble(error) from error


def _translated(statement: str) -> str:
    return statement.replace("?", "%s")


def _trouble(error: psycopg.Error) -> Exception:
    return Again() if isinstance(error, _MEET) else StoreAway()
