"""The central store's tables and their versions: made and brought up to date by Alembic (`sync.hub.migrations`).

A store that is up to date never loads Alembic. One of an earlier version is refused until somebody has made a backup and
said so (docs/decisions/0015); one of a later version is refused always.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sync.hub.store import HubTrouble

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATIONS: Final = Path(__file__).with_name("migrations")
VERSION_TABLE: Final = "hub_version"
"""Alembic's own name for it could be another program's in the same database."""
SETTINGS_TABLE: Final = "hub_settings"
BEFORE_ALEMBIC: Final = "schema_version"
"""The setting in which a store from before Alembic says its version."""
_BEFORE: Final = {b"1": "0001", b"2": "0002"}

_OURS: Final = frozenset({"books", "changes", "devices", "members"})
EMPTY: Final = ""
_one_at_a_time = threading.Lock()
"""Alembic keeps what it works on in a place that all threads share."""


def none_here(where: str) -> HubTrouble:
    """Return the trouble of somebody who asks for a store where there is none: what they wanted would be said of another."""
    return HubTrouble(
        f"There is no central store in {where}. Nothing was made or changed. Name the database of the store that serves, with "
        "--database or in LEADWORKER_HUB_DATABASE; a service has its own in the file with its settings."
    )


@functools.cache
def versions() -> tuple[str, ...]:
    """Return every version that this program knows, the present one last."""
    return tuple(sorted(path.name[1:5] for path in (MIGRATIONS / "versions").glob("v[0-9][0-9][0-9][0-9]_*.py")))


def is_ours(tables: Collection[str], *, shared: bool) -> bool:
    """Return whether a database holds a store, or False when it is empty; raise `HubTrouble` for another program's.

    `shared` says that other programs may have tables of other names beside ours.
    """
    if SETTINGS_TABLE in tables:
        return True
    if (_OURS & set(tables)) if shared else tables:
        raise HubTrouble("This database is another program's. It was left as it was. Name another one for the central store.")
    return False


def judge(kept: str | None, before: bytes | None) -> str:
    """Return the version of a store; raise `HubTrouble` when it says none that makes sense, or a newer one.

    `kept` is what Alembic noted, or None; `before` is what a store from before Alembic says, or None.
    """
    if kept is None and before in _BEFORE:
        return _BEFORE[before]
    have = kept if kept is not None else (before or b"").decode("ascii", "replace")
    if not have.isdigit():
        raise HubTrouble(
            "This database looks like a central store's but does not say its version. It was left as it was. Restore it from a backup."
        )
    if have not in versions():
        raise HubTrouble(
            f"A newer leadworker made this central store's database (version {int(have)}; this one knows {int(versions()[-1])}). "
            "It was left as it was. Update leadworker on this machine and start again."
        )
    return have


def needs_work(have: str, upgrade: bool, make: bool = True) -> bool:
    """Return whether a database of this version must be worked on; raise `HubTrouble` where somebody has to say so first.

    `make` says that an empty one becomes a store.
    """
    if have == versions()[-1]:
        return False
    if have == EMPTY and not make:
        raise none_here("that database")
    if have != EMPTY and not upgrade:
        raise HubTrouble(
            f"An earlier leadworker made this central store's database (version {int(have)}; this one needs {int(versions()[-1])}). "
            "Nothing was changed. Make a backup, stop every process of the store, and bring it up to date with "
            "“leadworker hub upgrade”."
        )
    return True


def bring_up_to_date(connection: Connection, have: str, *, noted: bool) -> None:
    """Take every step from a version to the present one, in the caller's transaction. `noted` says that Alembic knows the version."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        if have != EMPTY and not noted:
            command.stamp(config, have)
        command.upgrade(config, "head")
