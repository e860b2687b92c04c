"""Founding a book at the central store: who may read it, and its first key sealed to each of them and to escrow (C.5, C.6)."""

from __future__ import annotations

from leadworker import change, proof
from leadworker.change import CONTROL_LANE, Header, Kind
from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import seal_to
from leadworker.membership import (
    BookMembers,
    BookStatement,
    Directory,
    DirectoryStatement,
    Enrol,
    Grant,
    Member,
    Membership,
    Role,
    Rotation,
    write_statement,
)
from leadworker.postbox import Joined
from sync import wire
from sync.client import Sign

ESCROW = b"escrow"

_KINDS = {Membership: Kind.MEMBERSHIP, Rotation: Kind.ROTATION, Grant: Kind.GRANT}


def control_change(
    statement: BookStatement | DirectoryStatement, book: bytes, signer: bytes, seq: int, prev: bytes, sign: Sign
) -> wire.OpenChange:
    """Return a signed statement for the control lane of a book, after `prev`."""
    body = write_statement(statement)
    kind = _KINDS.get(type(statement), Kind.DIRECTORY)
    header = Header(kind, book, signer, CONTROL_LANE, seq, prev, len(body), change.commitment(body)).pack()
    return wire.OpenChange(header, body, sign(proof.HEAD, change.change_id(header)))


def first_members(directory: Directory, me: Joined) -> tuple[Member, ...]:
    """Return who reads a new casebook: the key worker's devices and the team's supervisors', from the signed directory."""
    mine = [(device, e, Role.KEY_WORKER) for device, e in directory.devices_of(me.person)]
    theirs = [(device, e, Role.SUPERVISOR) for device, e in directory.supervisors(me.team) if e.person != me.person]
    return tuple(Member(device, enrolled.person, role) for device, enrolled, role in [*mine, *theirs])


def found_book(
    book: bytes, secret: bytes, directory: Directory, me: Joined, device: bytes, sign: Sign
) -> tuple[wire.OpenChange, wire.OpenChange]:
    """Return the two statements that found a book: its members, and its first key."""
    if directory.founding is None:
        raise ValueError("a book is founded in an organisation")
    members = first_members(directory, me)
    membership = Membership((directory.seq, directory.head), members, (), me.person)
    first = control_change(membership, book, device, 1, change.FIRST, sign)
    key = BookKey(book, 1, secret)
    seals = {m.device: seal_key(key, m.device, _enrolled(directory, m.device)) for m in members}
    escrow = seal_to(directory.founding.escrow, secret, key_info(book, 1, ESCROW))
    rotation = Rotation(1, key.commitment(), seals, escrow, b"")
    second = control_change(rotation, book, device, 2, change.change_id(first.header), sign)
    return first, second


def add_members(
    book: bytes, key: BookKey, present: BookMembers, new: tuple[Member, ...], directory: Directory, device: bytes, sign: Sign
) -> tuple[wire.OpenChange, wire.OpenChange]:
    """Return the two statements that let devices into a book with its history: members, and their copies of its key."""
    membership = Membership((directory.seq, directory.head), new, (), present.lead)
    first = control_change(membership, book, device, present.seq + 1, present.head, sign)
    grant = Grant(key.epoch, {m.device: seal_key(key, m.device, _enrolled(directory, m.device)) for m in new})
    second = control_change(grant, book, device, present.seq + 2, change.change_id(first.header), sign)
    return first, second


def seal_key(key: BookKey, device: bytes, enrolled: Enrol) -> bytes:
    """Return a book's key sealed to one device of the directory."""
    return seal_to(enrolled.unsealing, key.secret, key_info(key.book, key.epoch, device))


def _enrolled(directory: Directory, device: bytes) -> Enrol:
    enrolled = directory.active(device)
    if enrolled is None:
        raise ValueError("a member is in the directory")
    return enrolled
