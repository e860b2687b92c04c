"""Keeps who reads each casebook in step with the directory, and carries out what people decided (security C.4 to C.6).

Only with the central store, by compare-and-swap: where somebody else was first, the book is fetched again and looked at anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from leadworker.directory import Directory
from leadworker.domain.readers import KEY, LEADS, TAKEN_OUT, Decision
from leadworker.membership import BookMembers
from leadworker.postbox import Joined, Postbox
from leadworker.statements import Member, Role
from leadworker.text import one_line
from sync import wire
from sync.client import HubClient
from sync.founding import Speaker, change_members, first_members, hand_on, members_of, new_key
from sync.ladders import left_behind, newest_key, present_key
from sync.unopened import handed_out, signers, still_without

TRIES: Final = 4
"""How often a book is looked at anew when others change its members at the same moment."""

NO_KEY: Final = (
    "This laptop was not given this casebook's key, so it cannot hand it to others, and nothing was changed. Ask a colleague who "
    "writes in the casebook to do it, or to give it a new key (“leadworker new-key”) first."
)
_AGAIN: Final = "Others change who reads this casebook at the same moment. Nothing was changed; it is tried again."

Receive = Callable[[bytes, Directory], Awaitable[None]]
"""Fetches what is new in one book."""

Wanted = Callable[[BookMembers], "tuple[tuple[Member, ...], bytes] | None"]
"""Says of a book as it is who shall read it and who shall lead it, or None for leaving it alone."""


class NotTaken(Exception):
    """The central store did not take a change of members; the words are its own."""


class _ChangedMeanwhile(Exception):
    """Somebody else was first; the words say what is so now."""


class Readers:
    """Changes who reads casebooks, for one sync."""

    def __init__(self, box: Postbox, client: HubClient, me: Joined, directory: Directory, receive: Receive) -> None:
        self._box = box
        self._client = client
        self._me = me
        self.directory = directory
        self._receive = receive

    async def keep_up(self, book: bytes) -> None:
        """Take laptops out that were revoked, and let in one's own and, as the lead, the team's supervisors'.

        A revoked laptop costs the book a new key before anything more is written (C.5), whoever is first to see it.
        """
        await self.settle(book, self._in_step)
        await self._follow_escrow(book)
        await self._hand_on(book)

    async def mend(self, book: bytes) -> bool:
        """Give a book another key where its present one does not open here as it was signed; return whether that was done.

        It leads past the key that does not open. Once only: a laptop that cannot open what it sealed to itself says so and waits.
        """
        for _ in range(TRIES):
            state = await self._box.book_state(book)
            signed_by = signers(handed_out(await self._box.statements(book)), self._box.device, {state.members.epoch})
            key = newest_key(state)
            if present_key(state) is not None or key is None or not state.members.may_write(self._box.device):
                return False
            if not signed_by or self._box.device in signed_by:
                return False
            self.directory = await self._newest(max(state.members.upon, state.members.keyed_upon))
            if await self._said(book, new_key(state.members, key, self._speaker())):
                return True
        raise NotTaken(_AGAIN)

    async def _hand_on(self, book: bytes) -> None:
        """Hand members the keys that are held here and that the present one does not lead to: they may lack them."""
        for _ in range(TRIES):
            state = await self._box.book_state(book)
            keys = left_behind(state) if state.members.may_write(self._box.device) else ()
            if not keys:
                return
            self.directory = await self._newest(state.members.upon)
            said = handed_out(await self._box.statements(book))
            wanted = {key: still_without(key.epoch, said, state.members, self.directory, self._box.device) for key in keys}
            statements = hand_on(state.members, {key: devices for key, devices in wanted.items() if devices}, self._speaker())
            if not statements or await self._said(book, statements):
                return
        raise NotTaken(_AGAIN)

    async def settle(self, book: bytes, wanted: Wanted) -> None:
        """Bring a book's members to what `wanted` says of them; raise `NotTaken`."""
        for _ in range(TRIES):
            state = await self._box.book_state(book)
            self.directory = await self._newest(state.members.upon)
            answer = wanted(state.members) if self._box.device in state.members.members else None
            key = present_key(state)
            if answer is None or key is None:
                return
            statements = change_members(state.members, *answer, key, self._speaker())
            if not statements or await self._said(book, statements):
                return
        raise NotTaken(_AGAIN)

    async def carry_out(self, decision: Decision) -> str:
        """Do at the central store what somebody decided; return why it did not come about, or nothing."""
        book = bytes.fromhex(decision.book)
        state = await self._box.book_state(book)
        if self._box.device not in state.members.members:
            return "You do not read this casebook any more, so you cannot decide who does."
        try:
            if decision.kind == KEY:
                return await self._give_new_key(book)
            if present_key(state) is None:
                return NO_KEY
            await self.settle(book, lambda present: _wanted(decision, present, self.directory))
        except (NotTaken, _ChangedMeanwhile) as error:
            return str(error)
        return ""

    async def renew_key(self, book: bytes, now_ms: int) -> None:
        """Give a book a new key because of its age (C.5).

        It is noted: a store that lies about the time, and takes the new key, is followed once a year and no more.
        """
        if not await self._give_new_key(book):
            await self._box.renewed_key(book, now_ms)

    async def _give_new_key(self, book: bytes) -> str:
        for _ in range(TRIES):
            state = await self._box.book_state(book)
            key = newest_key(state)
            if key is None:
                return NO_KEY
            if not state.members.may_write(self._box.device):
                return "You may not write in this casebook any more, so it was given no new key."
            if await self._said(book, new_key(state.members, key, self._speaker())):
                return ""
        raise NotTaken(_AGAIN)

    def _in_step(self, present: BookMembers) -> tuple[tuple[Member, ...], bytes]:
        device, directory = self._box.device, self.directory
        me = present.members[device]
        members = present.members
        if Role(me.role).may_write:
            members = {one: member for one, member in members.items() if directory.active(one) is not None}
        wanted = list(members_of(directory, me.person, Role(me.role)))
        if present.lead == self._me.person:
            wanted += first_members(directory, self._me)
        return (*members.values(), *(one for one in wanted if one.device not in present.ever)), present.lead

    async def _follow_escrow(self, book: bytes) -> None:
        """Give a book a new key when the organisation has named another escrow key since (C.10)."""
        for _ in range(TRIES):
            state = await self._box.book_state(book)
            present, key = state.members, present_key(state)
            if not present.may_write(self._box.device) or key is None or self._me.person not in _who_follows(present, self.directory):
                return
            if self.directory.escrow_at(present.keyed_upon) == self.directory.escrow:
                return
            self.directory = await self._newest(max(present.upon, present.keyed_upon))
            if await self._said(book, new_key(present, key, self._speaker())):
                return
        raise NotTaken(_AGAIN)

    async def _said(self, book: bytes, statements: tuple[wire.OpenChange, ...]) -> bool:
        """Send statements and fetch the book again; return whether they stand. Raises `NotTaken`."""
        outcome = await self._client.control(statements)
        if outcome.code not in ("", "head_moved"):
            raise NotTaken(one_line(outcome.sentence)[:400])
        await self._receive(book, self.directory)
        return not outcome.code

    async def _newest(self, upon: int) -> Directory:
        """Return a directory that is no older than what the last one to speak of a book had seen."""
        known = self.directory
        return known if known.seq >= upon else await self._box.directory() or known

    def _speaker(self) -> Speaker:
        return Speaker(self._box.device, self._box.sign, self.directory)


def _who_follows(present: BookMembers, directory: Directory) -> frozenset[bytes]:
    """Return who gives a book a key for a new escrow: its lead, so that a team does not give five, or who decides where the lead
    has no laptop, or whoever else may write.
    """
    here = [one for one in present.members.values() if directory.active(one.device) and present.may_write(one.device)]
    lead = [one.person for one in here if one.person == present.lead]
    deciders = [one.person for one in here if one.role in (Role.SUPERVISOR, Role.MANAGER)]
    return frozenset(lead or deciders or [one.person for one in here])


def _wanted(decision: Decision, present: BookMembers, directory: Directory) -> tuple[tuple[Member, ...], bytes]:
    """Return who shall read a book, and who leads it, after a decision; raise `_ChangedMeanwhile`."""
    person = bytes.fromhex(decision.colleague)
    others = tuple(member for member in present.members.values() if member.person != person)
    role = next((member.role for member in present.members.values() if member.person == person), 0)
    if decision.kind == LEADS:
        return _new_lead(decision, present, directory)
    if decision.kind == TAKEN_OUT:
        if person == present.lead:
            raise _ChangedMeanwhile(f"{decision.name} leads the casebook now, so they were not taken out. Look again, and decide again.")
        return others, present.lead
    if role not in (int(decision.was or 0), decision.role):
        raise _ChangedMeanwhile(f"Somebody else has decided about {decision.name} meanwhile. Look again, and decide again.")
    return (*others, *members_of(directory, person, Role(decision.role))), present.lead


def _new_lead(decision: Decision, present: BookMembers, directory: Directory) -> tuple[tuple[Member, ...], bytes]:
    lead, before = bytes.fromhex(decision.colleague), bytes.fromhex(decision.was)
    if present.lead == lead:
        return tuple(present.members.values()), lead
    if present.lead != before:
        raise _ChangedMeanwhile("Somebody else has changed who leads this casebook meanwhile. Look again, and decide again.")
    theirs = members_of(directory, lead, Role.KEY_WORKER)
    if not theirs:
        raise _ChangedMeanwhile(f"{decision.name} has no laptop in the organisation any more, so the lead was not changed.")
    rest = [member for member in present.members.values() if member.person not in (lead, before)]
    if decision.role:
        rest += [Member(member.device, before, decision.role) for member in present.members.values() if member.person == before]
    return (*rest, *theirs), lead
