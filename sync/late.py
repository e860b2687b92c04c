"""Hands in what cannot be sent any more, and receives what was handed in to this laptop (C.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable
from typing import Final

import msgspec

from leadworker import change
from leadworker.crypto.identity import CannotOpen
from leadworker.crypto.late import late_key_info, open_late, seal_late
from leadworker.directory import Directory
from leadworker.domain.late import Submission
from leadworker.postbox import BookState, LaneHead, Postbox
from sync import wire
from sync.client import HubClient

_NOT_WHOLE: Final = (
    "Something that was handed in late for a casebook is not what its writer signed: {why}. It was not taken in; everything here is "
    "safe. Tell your administrator, and ask {name} to hand it in again (“leadworker hand-in --again”)."
)


_NOT_YET: Final = (
    "Something that {name} handed in late cannot be taken in yet: {why}. It stays at the central store, and the next sync tries again; "
    "everything here is safe. If it does not come right, update leadworker, and tell your administrator."
)

_NOBODY: Final = (
    "Nobody who decides about the casebook is in the organisation any more, as far as this laptop knows, so nothing was handed in. "
    "It is still here. Ask your administrator."
)


class _Handed(msgspec.Struct, frozen=True, array_like=True):
    """The inside of a late submission: runs as they were signed, with their bodies."""

    runs: tuple[tuple[tuple[tuple[bytes, bytes], ...], bytes], ...]


class NotWhole(Exception):
    """A late submission does not hold; the words say why."""


class NotYetWhole(NotWhole):
    """A late submission does not hold as far as is known here; more news, or a newer leadworker, may tell."""


async def hand_in(box: Postbox, client: HubClient, directory: Directory) -> tuple[int, tuple[str, ...]]:
    """Hand in what somebody decided to; return of how many casebooks, and sentences about what could not be."""
    count, troubles = 0, list[str]()
    for item in await box.to_hand_in():
        state = await box.book_state(item.book)
        recipients = _recipients(state, directory, box.device)
        if not recipients:
            troubles.append(_NOBODY)
            continue
        plain = msgspec.msgpack.encode(_Handed(tuple((run.changes, run.signature) for run in item.runs)))
        seals, sealed = seal_late(plain, item.book, box.device, recipients)
        await client.hand_in(wire.Late(item.book, seals, sealed))
        await box.handed_in(item, frozenset(recipients))
        count += 1
    return count, tuple(troubles)


def _recipients(state: BookState, directory: Directory, me: bytes) -> dict[bytes, bytes]:
    """Return the laptops of the lead, of supervisors and of managers, as far as they are known here, with their keys.

    A further laptop of one's own is among them, where only this one was taken out.
    """
    found = {}
    for device in state.members.members:
        enrolled = directory.active(device)
        if enrolled is not None and device != me and state.members.may_decide(device):
            found[device] = enrolled.unsealing
    return found


async def receive(
    box: Postbox, client: HubClient, directory: Directory, stopped: Container[bytes] = frozenset()
) -> tuple[int, tuple[str, ...]]:
    """Fetch what was handed in to this laptop into the vault; return how much, and sentences about what does not hold.

    What more news may make whole stays at the store: of a book that is `stopped` in this sync, or further than this laptop.
    A store that makes items up, or gives the same ones for ever, is listened to for one page that brings nothing.
    """
    taken, troubles, known = 0, dict[str, None](), set[str]()
    items, brought = (await client.late()).items, True
    while items and brought:
        brought, done = False, []
        for item in items:
            if item.book in stopped:
                continue
            name = await box.name_of(item.sender)
            try:
                submission = _checked(item, await box.book_state(item.book), directory, box, name)
            except NotYetWhole as error:
                troubles[_NOT_YET.format(why=error, name=name)] = None
                continue
            except NotWhole as error:
                troubles[_NOT_WHOLE.format(why=error, name=name)] = None
            else:
                if submission.id not in known:
                    await box.keep_late(submission)
                    known.add(submission.id)
                    brought, taken = True, taken + 1
            done.append(item.late)
        if not done:
            break
        items = (await client.late_taken(tuple(done))).items
    return taken, tuple(troubles)


def _checked(item: wire.LateItem, state: BookState, directory: Directory, box: Postbox, name: str) -> Submission:
    """Open a late submission and check every change of it against its writer's key and lane; raise `NotWhole`."""
    enrolled = directory.devices.get(item.sender)
    if enrolled is None:
        raise NotYetWhole("the directory does not name the laptop")
    if item.sender not in state.members.ever:
        raise NotYetWhole("the laptop never read this casebook")
    try:
        key = box.unseal(item.seal, late_key_info(item.book, item.sender, box.device))
        plain = open_late(key, item.sealed, item.book, item.sender)
        handed = msgspec.msgpack.decode(plain, type=_Handed)
    except (CannotOpen, msgspec.DecodeError, RecursionError) as error:
        raise NotWhole("it cannot be opened") from error
    bodies: list[bytes] = []
    ends: list[bytes] = []
    for changes, signature in handed.runs:
        bodies += _run(changes, signature, item, state, enrolled.statement.signing)
        ends.append(change.change_id(changes[-1][0]))
    identity = hashlib.sha256(item.book + item.sender + b"".join(ends)).hexdigest()[:32]
    return Submission(identity, item.book.hex(), "", item.sender.hex(), name, item.received_ms, tuple(bodies))


def _run(
    changes: tuple[tuple[bytes, bytes], ...], signature: bytes, item: wire.LateItem, state: BookState, signing: bytes
) -> Iterable[bytes]:
    """Give the bodies of a run that the record does not hold, checked like any other run of its lane."""
    if not changes:
        raise NotWhole("a part of it is empty")
    known: LaneHead | None = None
    place = 0
    for raw, body in changes:
        try:
            header = change.unpack(raw)
        except change.BadHeader as error:
            raise NotYetWhole("a change of it cannot be read") from error
        if known is None:
            lane = header.lane
            known = state.lanes.get((item.sender, lane), LaneHead(0, change.FIRST, False))
            if header.seq > known.seq + 1:  # the first part of much was handed in before
                known = LaneHead(header.seq - 1, header.prev, False)
        if (header.book, header.device, header.lane) != (item.book, item.sender, lane) or lane == change.CONTROL_LANE:
            raise NotWhole("it is of another casebook or laptop")
        if header.seq <= place:
            raise NotWhole("two changes of it stand at one place")
        place = header.seq
        if header.commitment != change.commitment(body):
            raise NotWhole("words were altered")
        if header.seq > known.seq:
            if (header.seq, header.prev) != (known.seq + 1, known.head):
                raise NotYetWhole("a part of it is missing")
            known = LaneHead(header.seq, change.change_id(raw), False)
            yield body
    if not wire.is_signed(signing, wire.HEAD, change.change_id(changes[-1][0]), signature):
        raise NotWhole("the signature is not its writer's")
