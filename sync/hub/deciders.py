"""Finds casebooks that nobody decides about any more, for whoever runs the store: escrow is the way on for those (C.10)."""

from __future__ import annotations

from typing import NamedTuple

from sync import wire
from sync.hub.databases import open_store
from sync.hub.statements import DIRECTORY_SETTING
from sync.hub.store import Session

DECIDES = (wire.Role.KEY_WORKER, wire.Role.SUPERVISOR, wire.Role.MANAGER)
"""Roles that say who reads a casebook: the lead is its key worker."""


class LeftAlone(NamedTuple):
    """A book none of whose deciders has a laptop in the directory, and how many laptops may still read it."""

    book: bytes
    readers: int


def left_alone(database: str) -> list[LeftAlone]:
    """Return the casebooks that nobody decides about any more, by id. Raises `HubTrouble` in words."""
    store = open_store(database, make=False)
    try:
        return store.read(_left_alone).result()
    finally:
        store.close()


def _left_alone(session: Session) -> list[LeftAlone]:
    directory = session.setting(DIRECTORY_SETTING) or b""
    return [LeftAlone(book, readers) for book, readers in session.undecided([int(role) for role in DECIDES]) if book != directory]
