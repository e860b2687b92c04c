"""One casebook with everything needed to check it, still sealed, in a file: for escrow and for keeping (C.10).

The file holds what the central store hands out: the directory and the casebook, each whole, as pages, and then the sealed
files of the casebook (`sync.sealed_layout`). Whoever has it can read no more of it than the store can.
"""

from __future__ import annotations

import io
from typing import BinaryIO

import msgspec

from leadworker import change
from leadworker.change import CONTROL_LANE
from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import CannotOpen, Identity
from leadworker.directory import Directory
from leadworker.errors import HubMistrusted, NotUnderstood
from leadworker.membership import BookMembers
from leadworker.postbox import BookState, Received
from leadworker.statements import NotAllowed, Rotation, root_id
from sync import sealed_layout, wire
from sync.checking import PageCheck, numbered
from sync.client import HubClient
from sync.founding import ESCROW
from sync.ladders import climbed, is_promised
from sync.pauses import in_its_time


class Opened(msgspec.Struct, frozen=True):
    """A book that was opened: every change in order, who may read it now, and the organisation as far as its directory says."""

    received: tuple[Received, ...]
    members: BookMembers
    directory: Directory


async def fetch(client: HubClient, hub: bytes, organisation: bytes, book: bytes) -> wire.SealedBook:
    """Fetch a book and the directory, whole and sealed, as somebody who may read them."""
    return wire.SealedBook(hub, organisation, await _whole(client, organisation), book, await _whole(client, book))


async def _whole(client: HubClient, book: bytes) -> wire.Page:
    ask = in_its_time(client.changes)
    page = await ask(book, 0)
    items = list(page.changes)
    while page.more:
        page = await ask(book, items[-1].n)
        items += page.changes
    return msgspec.structs.replace(page, changes=tuple(items), more=False)


async def fetch_file(client: HubClient, writer: sealed_layout.Writer, book: bytes, digest: bytes, size: int) -> bool:
    """Fetch a sealed file of `size` bytes straight into a copy; say whether it is the one that `digest` names.

    Raises what every request raises. Unless the answer is yes nothing of it is in the copy.
    """
    writer.begin(digest, size)
    try:
        for number in range(wire.parts_of(size)):
            # A casebook may have more files than the store gives at once.
            part = await in_its_time(client.file_part)(book, digest, number)
            if (part.size, part.part, len(part.content)) != (size, number, wire.part_size(size, number)):
                break
            writer.add(part.content)
    finally:
        fits = writer.end()
    return fits


def write(sealed: wire.SealedBook) -> bytes:
    """Return the bytes of a copy without files."""
    into = io.BytesIO()
    sealed_layout.Writer(into, sealed).close()
    return into.getvalue()


def read(raw: bytes) -> wire.SealedBook:
    """Read the book of a copy; raise `NotUnderstood`."""
    return begin(io.BytesIO(raw))[0]


def begin(source: BinaryIO) -> tuple[wire.SealedBook, sealed_layout.Reader]:
    """Read the book of a copy in an open file, and find its sealed files; raise `NotUnderstood`."""
    try:
        reader = sealed_layout.Reader(source)
        return msgspec.msgpack.decode(reader.book(), type=wire.SealedBook), reader
    except sealed_layout.NotACopy:
        raise NotUnderstood("This is no sealed casebook of leadworker, or of a newer one. Nothing was opened.") from None
    except (sealed_layout.CutOff, msgspec.DecodeError, RecursionError) as error:
        raise NotUnderstood("This sealed casebook is cut off or damaged. Nothing was opened. Have it written again.") from error


def open_with_escrow(sealed: wire.SealedBook, escrow: Identity, fingerprint: bytes) -> Opened:
    """Check a sealed book down from the root and open it with the escrow key; raise `HubMistrusted` or `NotUnderstood`.

    `fingerprint` is the root's, as it stands on the officers' papers.
    """
    directory = _directory(sealed, fingerprint)
    keys = _keys(sealed, escrow, directory)
    state = BookState(sealed.book, 0, change.first_digest(sealed.book), {}, {}, BookMembers(sealed.book), keys)
    checked = PageCheck(state, directory, bytes(16), escrow.unseal).check(sealed.changes)
    return Opened(checked.received, checked.after.members, directory)


def _directory(sealed: wire.SealedBook, fingerprint: bytes) -> Directory:
    directory = Directory(sealed.organisation)
    try:
        for item, _, _ in numbered(sealed.organisation, 0, change.first_digest(sealed.organisation), sealed.directory):
            directory.apply(item.header, item.body, item.signature)
    except NotAllowed as error:
        raise HubMistrusted(f"The directory in this file is not signed as it must be: {error}. Nothing was opened.") from error
    if directory.founding is None or root_id(directory.founding.root) != fingerprint:
        raise HubMistrusted(
            "This casebook is of another organisation than the officers' key: the fingerprints of the roots differ. Nothing was opened."
        )
    return directory


def _keys(sealed: wire.SealedBook, escrow: Identity, directory: Directory) -> dict[int, bytes]:
    """Return every key of the book that the escrow key leads to, checked against what was promised to everybody."""
    members = BookMembers(sealed.book)
    sealed_to_escrow = []
    try:
        for item in sealed.changes.changes:
            if change.unpack(item.header).lane == CONTROL_LANE:
                said = members.apply(item.header, item.body, item.signature, directory)
                if isinstance(said, Rotation):
                    sealed_to_escrow.append(_unsealed(sealed.book, said, escrow, members))
    except (NotAllowed, change.BadHeader) as error:
        raise HubMistrusted(f"The statements about who reads this casebook do not hold: {error}. Nothing was opened.") from error
    opened = [key for key in sealed_to_escrow if key is not None]
    if not opened:
        raise NotUnderstood(
            "This escrow key opens no key of this casebook: it was sealed to another one. Look for the officers' files of that time. "
            "Nothing was opened."
        )
    # A seal to escrow or a ladder may not hold, so each of them is a way in.
    return {key.epoch: key.secret for top in opened for key in (top, *climbed(top, members))}


def _unsealed(book: bytes, said: Rotation, escrow: Identity, members: BookMembers) -> BookKey | None:
    try:
        key = BookKey(book, said.epoch, escrow.unseal(said.escrow, key_info(book, said.epoch, ESCROW)))
    except CannotOpen:
        return None  # sealed to the escrow key of another time
    return key if is_promised(key, members) else None
