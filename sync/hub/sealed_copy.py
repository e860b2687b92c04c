"""Writes one book out of the store's database as a file, sealed as it is: for the officers of escrow (C.10)."""

from __future__ import annotations

import os
from pathlib import Path

from sync import wire
from sync.hub.databases import open_store
from sync.hub.hub import system_now_ms
from sync.hub.statements import DIRECTORY_SETTING
from sync.hub.store import HubTrouble, Session


def write_copy(database: str, book: bytes, file: Path) -> int:
    """Write a book into a file that is not there yet, for its owner alone; return its size. Raises `HubTrouble` in words."""
    store = open_store(database)
    try:
        raw = store.read(lambda session: sealed_copy(session, book)).result()
    finally:
        store.close()
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as into:
            into.write(raw)
            into.flush()
            os.fsync(into.fileno())
    except OSError as error:
        raise HubTrouble(
            f"The casebook could not be written to {file}: {error.strerror}. Look at the place; nothing else was changed."
        ) from error
    return len(raw)


def sealed_copy(session: Session, book: bytes) -> bytes:
    """Return a `wire.SealedBook` as it stands in a file: the directory and the book, each whole. Raises `HubTrouble`."""
    directory = session.setting(DIRECTORY_SETTING)
    if directory is None or book == directory or book not in session.heads([book]):
        raise HubTrouble("There is no such casebook in this central store. Nothing was written. Check its id.")
    ((_, body, _),) = session.control(directory, 0, 1)
    founding = wire.read_directory_statement(body)
    assert isinstance(founding, wire.Founding), "a directory begins with its founding"
    pages = _page(session, directory), _page(session, book)
    return wire.SEALED_BOOK + wire.write(wire.SealedBook(founding.hub, directory, pages[0], book, pages[1]))


def _page(session: Session, book: bytes) -> wire.Page:
    head = session.heads([book])[book]
    changes = tuple(wire.Numbered(*row) for row in session.changes(book, 0, head.n))
    return wire.Page(changes, head.n, head.digest, False, system_now_ms())
