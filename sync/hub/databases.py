"""Which database a central store stands on: a ``postgresql://`` URL, or a path for SQLite. Opening it, keeping it in order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from sync.hub import allowance, sqlite_schema
from sync.hub.allowance import Allowance
from sync.hub.sqlite_store import SqliteStore
from sync.hub.store import HubTrouble, Session, Store


def is_postgres(database: str) -> bool:
    """Return whether a name is a PostgreSQL database's; raise `HubTrouble` for an address of another kind."""
    if database.startswith(("postgresql://", "postgres://")):
        return True
    if "://" in database:  # as the name of a file it would be shown, with the password that stands in it
        raise HubTrouble(
            "A central store stands on a postgresql:// address or on one SQLite file, and this is another kind of address. Nothing was "
            "changed."
        )
    return False


def open_store(database: str, *, make: bool = True) -> Store:
    """Open a store's database, making its tables where it is empty, or not unless `make`; raise `HubTrouble` in words."""
    if is_postgres(database):
        from sync.hub.postgres_store import PostgresStore  # a small hub does not need the driver installed

        return PostgresStore(database, make=make)
    return SqliteStore(Path(database), make=make)


def upgrade(database: str) -> tuple[str, str]:
    """Bring a store's database up to this program's version, all or nothing; return the versions before and after."""
    if is_postgres(database):
        from sync.hub import postgres_schema

        return postgres_schema.prepare(database, upgrade=True)
    return sqlite_schema.prepare(Path(database), upgrade=True)


def change_allowance(database: str, **wanted: float | int) -> Allowance:
    """Change figures of what a store allows, by the fields of `Allowance`; return all as they are then.

    A store that serves takes them over within seconds. Raises `HubTrouble` for figures with which none could work.
    """
    store = open_store(database, make=False)
    try:
        return store.write(lambda session: _changed(session, wanted)).result()
    finally:
        store.close()


def _changed(session: Session, wanted: Mapping[str, float | int]) -> Allowance:
    kept = session.setting(allowance.SETTING)
    if not wanted:
        return allowance.read(kept)
    allowed = allowance.check(msgspec.structs.replace(allowance.read(kept), **wanted))
    value = msgspec.json.encode(allowed)
    if kept is None:
        session.keep_setting(allowance.SETTING, value)
    else:
        session.replace_setting(allowance.SETTING, value)
    return allowed
