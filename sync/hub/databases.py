"""Which database a central store stands on: a ``postgresql://`` URL, or a path for SQLite. Opening it, bringing it up to date."""

from __future__ import annotations

from pathlib import Path

from sync.hub import sqlite_schema
from sync.hub.sqlite_store import SqliteStore
from sync.hub.store import Store


def is_postgres(database: str) -> bool:
    """Return whether a name is a PostgreSQL database's."""
    return database.startswith(("postgresql://", "postgres://"))


def open_store(database: str) -> Store:
    """Open a store's database, making its tables where it is empty; raise `HubTrouble` in words."""
    if is_postgres(database):
        from sync.hub.postgres_store import PostgresStore  # a small hub does not need the driver installed

        return PostgresStore(database)
    return SqliteStore(Path(database))


def upgrade(database: str) -> tuple[str, str]:
    """Bring a store's database up to this program's version, all or nothing; return the versions before and after."""
    if is_postgres(database):
        from sync.hub import postgres_schema

        return postgres_schema.prepare(database, upgrade=True)
    return sqlite_schema.prepare(Path(database), upgrade=True)
