"""Makes the tables of a store in one SQLite file, or brings them up to date."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from sync.hub import schema
from sync.hub.store import HubTrouble


def prepare(path: Path, *, upgrade: bool = False, make: bool = True) -> tuple[str, str]:
    """Make the tables where the file is empty, and with `upgrade` bring older ones up to date; return both versions.

    Raises `HubTrouble` for a file that cannot be used, is another program's, newer, or older and not to be upgraded; unless
    `make`, also where there is no store.
    """
    if not make and not path.exists():
        raise schema.none_here(str(path))
    try:
        # Made before SQLite opens it, so that nobody else on the machine may read even the sealed changes.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(path, timeout=30, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise _unopened(path, error) from error
    with contextlib.closing(database):
        try:
            have, _ = version(database)
        except sqlite3.Error as error:
            raise _unopened(path, error) from error
        try:
            if schema.needs_work(have, upgrade, make):
                have = _work(database, upgrade)
        except sqlite3.Error as error:
            raise HubTrouble(
                f"The file {path} cannot be used as the central store's database: {_reason(error)}. It was left as it was."
            ) from error
    return have, schema.versions()[-1]


def _work(database: sqlite3.Connection, upgrade: bool) -> str:
    """Take the steps in one transaction, unless another process has meanwhile; return the version before."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    engine = create_engine("sqlite://", creator=lambda: database, poolclass=StaticPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            have, noted = version(database)
            if schema.needs_work(have, upgrade):
                schema.bring_up_to_date(connection, have, noted=noted)
            connection.commit()
    except DBAPIError as error:
        raise sqlite3.OperationalError(str(error.orig)) from error
    return have


def version(database: sqlite3.Connection) -> tuple[str, bool]:
    """Return the version of the tables, empty for none, and whether Alembic noted it."""
    names = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not schema.is_ours(names, shared=False):
        return schema.EMPTY, False
    noted = schema.VERSION_TABLE in names
    kept = database.execute(f"SELECT version_num FROM {schema.VERSION_TABLE}").fetchall() if noted else []
    before = database.execute(f"SELECT value FROM {schema.SETTINGS_TABLE} WHERE name = ?", (schema.BEFORE_ALEMBIC,)).fetchall()
    return schema.judge(kept[0][0] if kept else None, bytes(before[0][0]) if before and not noted else None), noted


def _unopened(path: Path, error: Exception) -> HubTrouble:
    return HubTrouble(
        f"The central store cannot open its database {path}: {_reason(error)}. Nothing was changed. "
        "Check the path, and that this account may write there."
    )


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
