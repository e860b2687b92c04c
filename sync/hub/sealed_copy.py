"""Writes one book out of the store's database as a file, with its files, sealed as it all is: for the officers of escrow (C.10)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sync import sealed_layout, wire
from sync.hub.databases import open_store
from sync.hub.hub import system_now_ms
from sync.hub.statements import DIRECTORY_SETTING
from sync.hub.store import FileRow, HubTrouble, Session

_BINARY = getattr(os, "O_BINARY", 0)


class Copied(NamedTuple):
    """What a sealed copy holds, and how many files it does not: `begun` are here in part only, `damaged` not as they came."""

    bytes: int
    changes: int
    files: int
    begun: int
    damaged: int


def write_copy(database: str, book: bytes, file: Path) -> Copied:
    """Write a book into a file that is not there yet, for its owner alone; say what it holds. Raises `HubTrouble` in words."""
    store = open_store(database, make=False)
    try:
        sealed = store.read(lambda session: sealed_book(session, book)).result()
        return _written(file, lambda into: store.read(lambda session: _write(session, sealed, into)).result())
    except OSError as error:
        raise HubTrouble(
            f"The casebook could not be written to {file}: {error.strerror}. Look at the place; nothing else was changed."
        ) from error
    finally:
        store.close()


def _written(file: Path, write: Callable[[BinaryIO], Copied]) -> Copied:
    opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    try:
        with os.fdopen(opened, "wb") as into:
            return write(into)
    except BaseException:  # raised again: half a copy would be taken for one
        file.unlink(missing_ok=True)
        raise


def sealed_book(session: Session, book: bytes) -> wire.SealedBook:
    """Return the directory and a book, each whole, as they stand. Raises `HubTrouble`."""
    directory = session.setting(DIRECTORY_SETTING)
    if directory is None or book == directory or book not in session.heads([book]):
        raise HubTrouble("There is no such casebook in this central store. Nothing was written. Check its id.")
    ((_, body, _),) = session.control(directory, 0, 1)
    founding = wire.read_directory_statement(body)
    assert isinstance(founding, wire.Founding), "a directory begins with its founding"
    return wire.SealedBook(founding.hub, directory, _page(session, directory), book, _page(session, book))


def _page(session: Session, book: bytes) -> wire.Page:
    head = session.heads([book])[book]
    changes = tuple(wire.Numbered(*row) for row in session.changes(book, 0, head.n))
    return wire.Page(changes, head.n, head.digest, False, system_now_ms())


def _write(session: Session, sealed: wire.SealedBook, into: BinaryIO) -> Copied:
    """Write the book and every file of it that is whole, part by part. Two laptops may have brought the same file."""
    writer = sealed_layout.Writer(into, sealed)
    rows = session.files_in(sealed.book)
    whole = {row.digest: row for row in rows if row.received_ms}
    fitting = sum(writer.put(row.digest, row.size, _parts(session, row)) for row in whole.values())
    writer.close()
    into.flush()
    os.fsync(into.fileno())
    begun = len({row.digest for row in rows} - whole.keys())
    return Copied(into.tell(), sealed_layout.written_in(sealed), fitting, begun, len(whole) - fitting)


def _parts(session: Session, row: FileRow) -> Iterator[bytes]:
    for part in range(row.parts):
        try:
            yield session.file_part(row.upload, part)
        except IndexError:  # a database that lost the row: what is missing is told, and the rest is written
            return
