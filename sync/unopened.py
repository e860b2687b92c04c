"""Keys that a colleague signed and that do not open here: who signed them, who lacks which, and what a person is told.

A seal can be tried by nobody but the laptop that it is for. So one that does not open counts as no key given: members and
numbers go on, and what was written under that key waits until it comes another way (docs/decisions/0027).
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

import msgspec

from leadworker import change
from leadworker.directory import Directory
from leadworker.membership import BookMembers
from leadworker.postbox import Lacking, Postbox, Statement
from leadworker.statements import Grant, Rotation, read_book_statement

SHUT: Final = (
    "The present key of {whose} does not open on this laptop as {names} signed it: what is written there since cannot be read here, "
    "and yours there is not sent. Nothing is lost; it goes out by itself once the casebook has a good key. Tell your supervisor or "
    "administrator, and name {names}. Anybody who may write in the casebook can give it a new key (“leadworker new-key”)."
)
PASSED: Final = (
    "A key of {whose} did not open on this laptop as {names} signed it. The casebook has another key since, and your work goes on. "
    "{waiting} Tell your supervisor or administrator, and name {names}."
)
NOT_HANDED: Final = (
    "A part of the history of {whose} waits for a key that nobody has handed to this laptop yet. {waiting} If that takes longer than "
    "a few days, tell your supervisor or administrator."
)
_NOTHING_WAITS: Final = "Nothing that was written under it waits here."
_WAITING: Final = "{count} written under it, kept here sealed, and opened by itself when a laptop that has the key has synced."


class HandedOut(msgspec.Struct, frozen=True):
    """A statement that handed out a key: of which epoch, by whose device, to which, and whether it made the key."""

    epoch: int
    signer: bytes
    to: frozenset[bytes]
    made: bool


def handed_out(statements: Iterable[Statement]) -> tuple[HandedOut, ...]:
    """Return who handed out which key of a book to whom, in the order of its control lane."""
    found = []
    for one in statements:
        said = read_book_statement(one.body)
        if isinstance(said, Rotation | Grant):
            signer = change.unpack(one.header).device
            found.append(HandedOut(said.epoch, signer, frozenset(said.seals), isinstance(said, Rotation)))
    return tuple(found)


def signers(said: Iterable[HandedOut], device: bytes, epochs: Container[int]) -> tuple[bytes, ...]:
    """Return the devices that signed a key of some epochs for a device."""
    return tuple(dict.fromkeys(one.signer for one in said if one.epoch in epochs and device in one.to))


def still_without(epoch: int, said: Iterable[HandedOut], members: BookMembers, directory: Directory, me: bytes) -> tuple[bytes, ...]:
    """Return the members' devices to which a key left behind is still to be handed.

    What I handed out counts, and what another member did; but not what was handed out by who made this key or the one
    that does not lead to it: one of the two signed something that does not open. Who made it may lack it as well, where
    their laptop could not open what it had sealed to itself.
    """

    def person(device: bytes) -> bytes:
        return directory.devices[device].statement.person

    doubted = {person(one.signer) for one in said if one.made and one.epoch in (epoch, epoch + 1)}
    trusted = {member.person for member in members.members.values()} - doubted | {person(me)}
    grants = [one for one in said if one.epoch == epoch and not one.made and person(one.signer) in trusted]
    has = {me}.union(*(one.to | {one.signer} for one in grants))
    return tuple(device for device in members.members if device not in has and directory.active(device) is not None)


class Told(msgspec.Struct, frozen=True):
    """What a person is to be told about keys of a book; `shut` where nothing of theirs is sent there until it has a good key.

    `once`: the keys that it is said of this one time only.
    """

    book: bytes
    sentence: str
    shut: bool
    once: frozenset[int] = frozenset()


async def to_tell(box: Postbox, since: Container[bytes] = ()) -> tuple[Told, ...]:
    """Return what a person is to be told about keys that this laptop lacks: of the present one as long as it lacks it.

    Of one before that once (see `was_told`): when something waits for it, or when the book was given another just now
    (`since`). It stands under *who can read* from then on, and what waits is counted as put aside.
    """
    found = []
    for lacking in await box.lacking():
        said = handed_out(await box.statements(lacking.book))
        shut = signers(said, box.device, {lacking.present} & lacking.epochs)
        if shut:
            found.append(Told(lacking.book, SHUT.format(whose=_whose(lacking), names=await _names(box, shut)), True))
        elif lacking.epochs - lacking.told and (lacking.waiting or lacking.book in since):
            found.append(Told(lacking.book, await _passed(box, lacking, said), False, lacking.epochs))
    return tuple(found)


async def was_told(box: Postbox, told: Iterable[Told]) -> None:
    """Note what is said once, when it is handed to the person and nothing can come between any more."""
    for one in told:
        if one.once:
            await box.told_of_keys(one.book, one.once)


async def _passed(box: Postbox, lacking: Lacking, said: Iterable[HandedOut]) -> str:
    waiting = _WAITING.format(count=_changes(lacking.waiting)) if lacking.waiting else _NOTHING_WAITS
    before = signers(said, box.device, lacking.epochs)
    if before:
        return PASSED.format(whose=_whose(lacking), names=await _names(box, before), waiting=waiting)
    return NOT_HANDED.format(whose=_whose(lacking), waiting=waiting)


def _whose(lacking: Lacking) -> str:
    return f"{lacking.about}'s casebook" if lacking.about else "a casebook"


async def _names(box: Postbox, devices: Iterable[bytes]) -> str:
    return " and ".join(dict.fromkeys([await box.name_of(device) for device in devices]))


def _changes(count: int) -> str:
    return "1 change was" if count == 1 else f"{count:,} changes were"
