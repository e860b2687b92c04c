"""Connects to a store's PostgreSQL database, makes its tables, or brings them up to date."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sync.hub import schema
from sync.hub.store import HubTrouble

_ALIVE: Final[dict[str, Any]] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""When a database machine that went without a word, by a power cut or a move to its standby, is taken for gone: after a minute. The
system by itself would wait for two hours, and every request with it. An address may say otherwise."""

_SCHEMA_LOCK: Final = 0x6C77687562
"""Held while tables are made, so that two hub processes that start at once do not make them twice."""


def connect(url: str) -> psycopg.Connection[Any]:
    """Return a connection that commits each statement by itself unless told otherwise; raises `psycopg.Error`."""
    address = make_conninfo(url, **(_ALIVE | conninfo_to_dict(url)))
    database = psycopg.connect(address, autocommit=True, connect_timeout=10)
    # An acknowledgement must not outrun the disk, whatever the server's own default is.
    database.execute("SET synchronous_commit = on")
    database.execute("SET default_transaction_isolation = 'read committed'")
    # A plan made anew for every question costs more than the question where a table is in parts (docs/decisions/0015).
    database.execute("SET plan_cache_mode = force_generic_plan")
    return database


def prepare(url: str, *, upgrade: bool = False, make: bool = True) -> tuple[str, str]:
    """Make the tables where there are none, and with `upgrade` bring older ones up to date; return both versions.

    Raises `HubTrouble` for a database that cannot be used, is another program's, newer, or older and not to be upgraded;
    unless `make`, also where there is no store.
    """
    place = where(url)
    try:
        with connect(url) as database:
            have, _ = _version(database)
            if schema.needs_work(have, upgrade, make):
                have = _work(database, upgrade)
    except psycopg.Error as error:
        raise HubTrouble(
            f"The central store cannot use the PostgreSQL database at {place}: {_reason(error)}. "
            "Nothing was changed. Check that the server runs, and the address, name and rights in the URL."
        ) from error
    return have, schema.versions()[-1]


def where(url: str) -> str:
    """Return the server and database of a URL, without the password that may stand in it.

    Raises `HubTrouble` for one that PostgreSQL would not read as it was meant: what it says of such a one quotes the password.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = {"host": "@"}
    host, name = str(parts.get("host") or "this machine"), str(parts.get("dbname") or "")
    if "@" in host + name or not str(parts.get("port") or "0").replace(",", "").isdigit():
        raise HubTrouble(
            "The address of the PostgreSQL database cannot be read. It is not shown here, since its password stands in it. Nothing "
            "was changed. It is written postgresql://NAME:PASSWORD@HOST/DATABASE; in a password, @ : / ? # % and [ ] are written "
            "%40 %3A %2F %3F %23 %25 and %5B %5D."
        )
    return f"{host}/{name}" if name else host


def _work(database: psycopg.Connection[Any], upgrade: bool) -> str:
    """Take the steps in one transaction, unless another process has meanwhile; return the version before."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    database.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: database, poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            database.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            have, noted = _version(database)
            if schema.needs_work(have, upgrade):
                schema.bring_up_to_date(connection, have, noted=noted)
    except DBAPIError as error:
        raise psycopg.OperationalError(str(error.orig)) from error
    return have


def _version(database: psycopg.Connection[Any]) -> tuple[str, bool]:
    """Return the version of the tables, empty for none, and whether Alembic noted it."""
    found = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").fetchall()
    names = {row[0] for row in found}
    if not schema.is_ours(names, shared=True):
        return schema.EMPTY, False
    noted = schema.VERSION_TABLE in names
    kept = database.execute(f"SELECT version_num FROM {schema.VERSION_TABLE}").fetchall() if noted else []
    before = database.execute(f"SELECT value FROM {schema.SETTINGS_TABLE} WHERE name = %s", (schema.BEFORE_ALEMBIC,)).fetchall()
    return schema.judge(kept[0][0] if kept else None, bytes(before[0][0]) if before and not noted else None), noted


def _reason(error: psycopg.Error) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
