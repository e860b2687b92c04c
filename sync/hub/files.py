"""Takes the sealed bytes of attached files in parts, and hands them out to the members of their book (docs/sync-protocol.md).

A file is named by the SHA-256 of its bytes, so the store can tell that it has the whole of it and nothing else. It goes in
part by part, in order; whoever was cut off asks how far it has come and goes on there.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple

from sync import wire
from sync.hub import allowance, rules
from sync.hub.allowance import Allowance
from sync.hub.rules import Refusal
from sync.hub.store import FileRow, Session

MOST_BEGUN: Final = 20
"""Files of one device that the store keeps unfinished; with one more, it lets go of the one begun first."""

_SAFE: Final = "Nothing was taken; the file is safe on the laptop."

Sign = Callable[[bytes], bytes]


class Named(NamedTuple):
    """Which file of which book is meant."""

    book: bytes
    digest: bytes


class Read(NamedTuple):
    """What was found when a last part was compared with the file's name: of which upload, and whether they fit."""

    upload: bytes
    fits: bool


def check_part(sent: wire.FilePart) -> None:
    """Raise `Refusal` unless a part is of the size that its place asks for."""
    if not 0 < sent.size <= wire.LARGEST_FILE:
        raise Refusal("too_large", f"A sealed file has 1 to {wire.LARGEST_FILE} bytes. {_SAFE}", 413)
    if not 0 <= sent.part < wire.parts_of(sent.size) or len(sent.content) != wire.part_size(sent.size, sent.part):
        raise Refusal("wrong_size", f"A part of a file is not of its size. {_SAFE}")


def look(session: Session, device: bytes, named: Named, sent: wire.FilePart) -> Read:
    """Say whether the parts that a device has sent, with this last one, are the file that is named. It reads one at a time."""
    row = session.file_of(named.book, named.digest, device)
    if row is None or row.parts != sent.part:
        return Read(b"", False)
    digest = hashlib.sha256()
    for part in range(row.parts):
        digest.update(session.file_part(row.upload, part))
    digest.update(sent.content)
    return Read(row.upload, digest.digest() == named.digest)


def put(
    session: Session, device: bytes, named: Named, sent: wire.FilePart, found: Read | None, now_ms: int, allowed: Allowance, sign: Sign
) -> wire.FileState:
    """Keep a part if it is the next one, and say how far the file has come; raise `Refusal`. `found` is for a last part."""
    _check_writer(session, device, named.book)
    if whole := session.file(named.book, named.digest):
        return _state(whole, sign)
    row = session.file_of(named.book, named.digest, device)
    if row is not None and row.size != sent.size:
        session.drop_file(row)
        row = None
    if row is None:
        row = _begin(session, device, named, sent.size, now_ms, allowed)
    if sent.part != row.parts:
        return _state(row, sign)
    last = sent.part == wire.parts_of(sent.size) - 1
    if last and sent.part == 0:  # one part alone: nothing was there to be compared with before
        found = Read(row.upload, hashlib.sha256(sent.content).digest() == named.digest)
    if last and (found is None or found.upload != row.upload):  # another request of this device came between
        return _state(row, sign)
    if last and found is not None and not found.fits:
        session.drop_file(row)
        raise Refusal("wrong_digest", f"What was sent is not the file that was named, so the central store threw it away. {_SAFE}")
    session.add_file_part(row.upload, sent.part, sent.content)
    row = row._replace(parts=row.parts + 1, received_ms=now_ms if last else 0)
    session.put_file(row)
    return _state(row, sign)


def state(session: Session, device: bytes, named: Named, sign: Sign) -> wire.FileState:
    """Say how far a file has come: whole, or as much as the asking device has sent."""
    _check_reader(session, device, named.book)
    row = session.file(named.book, named.digest) or session.file_of(named.book, named.digest, device)
    return wire.FileState(0, 0, 0, b"") if row is None else _state(row, sign)


def part(session: Session, device: bytes, named: Named, number: int) -> wire.FilePart:
    """Return a part of a whole file to a member of its book; raise `Refusal`."""
    _check_reader(session, device, named.book)
    row = session.file(named.book, named.digest)
    if row is None or number >= row.parts:
        raise Refusal(
            "no_such_file",
            "The central store does not have this file, or not the whole of it. It may still be on the laptop of whoever attached it.",
            404,
        )
    return wire.FilePart(row.size, number, session.file_part(row.upload, number))


def _begin(session: Session, device: bytes, named: Named, size: int, now_ms: int, allowed: Allowance) -> FileRow:
    """Keep room for a whole file, so that none is taken by halves for want of it."""
    begun = session.files_begun(device)
    for old in begun[: max(0, len(begun) - MOST_BEGUN + 1)]:
        session.drop_file(old)
    kept = session.heads([named.book])[named.book].size + session.files_size(named.book)
    allowance.check_room(allowed, session.device_size(device), kept, size)
    upload = now_ms.to_bytes(8, "big") + secrets.token_bytes(8)  # in the order in which they were begun
    row = FileRow(named.book, named.digest, device, upload, size, 0, 0)
    session.put_file(row)
    return row


def _state(row: FileRow, sign: Sign) -> wire.FileState:
    if not row.received_ms:
        return wire.FileState(row.size, row.parts, 0, b"")
    receipt = sign(wire.FILE_RECEIPT + wire.file_receipt_message(row.book, row.digest, row.size, row.received_ms))
    return wire.FileState(row.size, row.parts, row.received_ms, receipt)


def _check_reader(session: Session, device: bytes, book: bytes) -> wire.Role:
    role = session.roles(device, [book]).get(book)
    if role is None:
        raise Refusal(
            "not_a_member",
            "This laptop is not a member of this casebook, so the central store did not speak of its files. "
            "Ask the lead or a supervisor to be added.",
            403,
        )
    return wire.Role(role)


def _check_writer(session: Session, device: bytes, book: bytes) -> None:
    asker = session.device(device)
    if asker is None or not asker.active:
        raise rules.revoked()
    if not _check_reader(session, device, book).may_write:
        raise Refusal(
            "read_only",
            "This laptop may read this casebook but not write in it, so the central store did not take the file. "
            "It is safe on the laptop. Ask the lead or a supervisor.",
            403,
        )
