"""The statements that found a book at the central store and change who may read it, with its keys (C.5, C.6)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

import msgspec

from leadworker import change, proof
from leadworker.change import CONTROL_LANE, Header, Kind
from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import seal_to
from leadworker.directory import Directory
from leadworker.membership import BookMembers
from leadworker.postbox import Joined
from leadworker.statements import (
    BookStatement,
    DirectoryStatement,
    Enrol,
    Grant,
    Member,
    Membership,
    Role,
    Rotation,
    write_statement,
)
from sync import wire
from sync.client import Sign

ESCROW = b"escrow"

_KINDS = {Membership: Kind.MEMBERSHIP, Rotation: Kind.ROTATION, Grant: Kind.GRANT}


class Speaker(msgspec.Struct, frozen=True):
    """Who signs statements, and the directory that they have seen."""

    device: bytes
    sign: Sign
    directory: Directory


def control_change(
    statement: BookStatement | DirectoryStatement, book: bytes, signer: bytes, seq: int, prev: bytes, sign: Sign
) -> wire.OpenChange:
    """Return a signed statement for the control lane of a book, after `prev`."""
    body = write_statement(statement)
    kind = _KINDS.get(type(statement), Kind.DIRECTORY)
    header = Header(kind, book, signer, CONTROL_LANE, seq, prev, len(body), change.commitment(body)).pack()
    return wire.OpenChange(header, body, sign(proof.HEAD, change.change_id(header)))


def chained(
    said: Iterable[BookStatement | DirectoryStatement], book: bytes, seq: int, head: bytes, signer: bytes, sign: Sign
) -> tuple[wire.OpenChange, ...]:
    """Return signed statements for the control lane of a book, one after another, after place `seq` with id `head`."""
    changes: list[wire.OpenChange] = []
    for place, statement in enumerate(said, start=seq + 1):
        changes.append(control_change(statement, book, signer, place, head, sign))
        head = change.change_id(changes[-1].header)
    return tuple(changes)


def members_of(directory: Directory, person: bytes, role: Role) -> tuple[Member, ...]:
    """Return a person's laptops, as the directory has them now, as members in one role."""
    return tuple(Member(device, person, role) for device, _ in directory.devices_of(person))


def first_members(directory: Directory, me: Joined) -> tuple[Member, ...]:
    """Return who reads a new casebook: the key worker's devices and the team's supervisors', from the signed directory."""
    mine = members_of(directory, me.person, Role.KEY_WORKER)
    theirs = [(device, e) for device, e in directory.supervisors(me.team) if e.person != me.person]
    return (*mine, *(Member(device, enrolled.person, Role.SUPERVISOR) for device, enrolled in theirs))


def found_book(book: bytes, secret: bytes, me: Joined, speaker: Speaker) -> tuple[wire.OpenChange, ...]:
    """Return the two statements that found a book: its members, and its first key."""
    members = first_members(speaker.directory, me)
    membership = Membership(speaker.directory.seen, members, (), me.person)
    rotation = _rotation(BookKey(book, 1, secret), None, (m.device for m in members), speaker.directory)
    return chained((membership, rotation), book, 0, change.FIRST, speaker.device, speaker.sign)


def change_members(
    present: BookMembers, wanted: Iterable[Member], lead: bytes, key: BookKey, speaker: Speaker
) -> tuple[wire.OpenChange, ...]:
    """Return the statements that make `wanted` the members of a book and `lead` its lead; none where they are already.

    Who joins is given the present key and with it the history. When anybody leaves, a new key follows at once, so that
    what is written from then on is not for them (C.5).
    """
    now = {member.device: member for member in wanted}
    add = tuple(member for member in now.values() if present.members.get(member.device) != member)
    remove = tuple(device for device in present.members if device not in now)
    if not add and not remove and lead == present.lead:
        return ()
    said: list[BookStatement] = [Membership(speaker.directory.seen, add, remove, lead)]
    new = [member.device for member in add if member.device not in present.members]
    if remove:
        said.append(_rotation(BookKey(present.book, key.epoch + 1, secrets.token_bytes(32)), key, now, speaker.directory))
    elif new:
        said.append(Grant(key.epoch, {device: seal_key(key, device, _enrolled(speaker.directory, device)) for device in new}))
    return chained(said, present.book, present.seq, present.head, speaker.device, speaker.sign)


def new_key(present: BookMembers, key: BookKey, speaker: Speaker) -> tuple[wire.OpenChange, ...]:
    """Return the statement that gives a book a new key for the same members: on suspicion, yearly, for another escrow.

    `key` is the newest that is held here: the present one, or one before where that does not open here.
    """
    said = _rotation(BookKey(present.book, present.epoch + 1, secrets.token_bytes(32)), key, present.members, speaker.directory)
    return chained((said,), present.book, present.seq, present.head, speaker.device, speaker.sign)


def hand_on(present: BookMembers, keys: Mapping[BookKey, Iterable[bytes]], speaker: Speaker) -> tuple[wire.OpenChange, ...]:
    """Return the statements that hand older keys, which the present one does not lead to, to members' devices."""
    said = [
        Grant(key.epoch, {device: seal_key(key, device, _enrolled(speaker.directory, device)) for device in devices})
        for key, devices in keys.items()
    ]
    return chained(said, present.book, present.seq, present.head, speaker.device, speaker.sign)


def seal_key(key: BookKey, device: bytes, enrolled: Enrol) -> bytes:
    """Return a book's key sealed to one device of the directory."""
    return seal_to(enrolled.unsealing, key.secret, key_info(key.book, key.epoch, device))


def _rotation(key: BookKey, older: BookKey | None, devices: Iterable[bytes], directory: Directory) -> Rotation:
    seals = {device: seal_key(key, device, _enrolled(directory, device)) for device in devices}
    escrow = seal_to(directory.escrow, key.secret, key_info(key.book, key.epoch, ESCROW))
    ladder = key.ladder(older) if older is not None else b""
    return Rotation(key.epoch, key.commitment(), seals, escrow, ladder, directory.seen)


def _enrolled(directory: Directory, device: bytes) -> Enrol:
    enrolled = directory.devices.get(device)
    if enrolled is None:
        raise ValueError("a member is in the directory")
    return enrolled.statement
