"""Keeps who reads each casebook in step with the directory, and carries out what people decided (security C.4 to C.6).

Only with the central store, by compare-and-swap: where somebody else was first, the book is fetched again and looked at anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from leadworker.crypto.envelope import BookKey
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

GRANTS_AT_ONCE: Final = 50
"""Keys that are handed on in one request, which may be 4 MiB and 200 statements: a rogue can leave any number behind."""

NO_KEY: Final = (
    "This laptop was not given this casebook's key, so it cannot hand it to others, and nothing was changed. Ask a colleague who "
    "writes in the casebook to do it, or to give it a new key (“leadworker new-key”) first."
)
AGAIN: Final = "Others change who reads this casebook at the same moment. Nothing was changed; it is tried again."
NOT_SHOWN: Final = (
    "The central store says that it took a change of who reads a casebook, and does not show it. It is not in force; it is tried again "
    "at each sync. If that takes longer than a quarter of an hour, tell your administrator."
)

Receive = Callable[[bytes, Directory], Awaitable[None]]
"""Fetches what is new in one book."""

Wanted = Callable[[BookMembers], tuple[tuple[Member, ...], bytes]]
"""Says of a book as it is who shall read it and who shall lead it."""


class NotTaken(Exception):
    """The central store did not take a change of members; the words are its own."""


class _NotYet(NotTaken):
    """It did not come about in this sync, for no reason of its own: the next one tries again."""


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

        It leads past the key that does not open. Once only: a laptop that cannot open what it sealed to itself, of whatever
        epoch, says so and waits. Two such laptops would else answer each other with keys for ever.
        """
        for _ in range(TRIES):
            state = await self._box.book_state(book)
            said = handed_out(await self._box.statements(book))
            signed_by = signers(said, self._box.device, {state.members.epoch})
            lacked = set(range(1, state.members.epoch + 1)) - state.keys.keys()
            key = newest_key(state)
            if present_key(state) is not None or key is None or not state.members.may_write(self._box.device):
                return False
            if not signed_by or self._box.device in signers(said, self._box.device, lacked):
                return False
            self.directory = await self._newest(state.members)
            if await self._said(book, new_key(state.members, key, self._speaker())):
                return True
        raise _NotYet(AGAIN)

    async def _hand_on(self, book: bytes) -> None:
        """Hand members the keys that are held here and that the present one does not lead to: they may lack them."""
        for _ in range(TRIES):
            state = await self._box.book_state(book)
            keys = left_behind(state) if state.members.may_write(self._box.device) else ()
            if not keys:
                return
            self.directory = await self._newest(state.members)
            said = handed_out(await self._box.statements(book))
            wanted = {key: still_without(key.epoch, said, state.members, self.directory, self._box.device) for key in keys}
            if await self._handed_on(book, [(key, devices) for key, devices in wanted.items() if devices]):
                return
        raise _NotYet(AGAIN)

    async def _handed_on(self, book: bytes, wanted: Sequence[tuple[BookKey, Sequence[bytes]]]) -> bool:
        """Hand keys on, some at a time: one request holds only so many. Return whether all of them were."""
        for at in range(0, len(wanted), GRANTS_AT_ONCE):
            members = (await self._box.book_state(book)).members
            some = dict(wanted[at : at + GRANTS_AT_ONCE])
            if not members.members.keys() >= {device for devices in some.values() for device in devices}:
                return False
            if not await self._said(book, hand_on(members, some, self._speaker())):
                return False
        return True

    async def settle(self, book: bytes, wanted: Wanted) -> bool:
        """Bring a book's members to what `wanted` says of them; return False where this laptop cannot. Raises `NotTaken`."""
        for _ in range(TRIES):
            state = await self._box.book_state(book)
            self.directory = await self._newest(state.members)
            key = present_key(state)
            if key is None or self._box.device not in state.members.members:
                return False
            statements = change_members(state.members, *wanted(state.members), key, self._speaker())
            if not statements or await self._said(book, statements):
                return True
        raise _NotYet(AGAIN)

    async def carry_out(self, decision: Decision) -> str:
        """Do at the central store what somebody decided; return why it did not come about, or nothing.

        Raises `NotTaken` where it is to be tried again: a decision is let go of only when it is seen to be in force.
        """
        book = bytes.fromhex(decision.book)
        state = await self._box.book_state(book)
        if self._box.device not in state.members.members:
            return "You do not read this casebook any more, so you cannot decide who does."
        try:
            if decision.kind == KEY:
                return await self._give_new_key(book)
            if present_key(state) is None:
                return NO_KEY
            if not await self.settle(book, lambda present: _wanted(decision, present, self.directory)):
                raise _NotYet(AGAIN)  # taken out, or given a key that does not open, at this very moment
        except _NotYet:
            raise
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
            self.directory = await self._newest(state.members)
            if await self._said(book, new_key(state.members, key, self._speaker())):
                return ""
        raise _NotYet(AGAIN)

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
            self.directory = await self._newest(present)
            if await self._said(book, new_key(present, key, self._speaker())):
                return
        raise _NotYet(AGAIN)

    async def _said(self, book: bytes, statements: tuple[wire.OpenChange, ...]) -> bool:
        """Send statements and fetch the book again; return whether they stand. Raises `NotTaken`.

        That they stand is seen in the casebook and not believed: a store may delay a removal, and cannot hide that it does (C.6).
        """
        outcome = await self._client.control(statements)
        if outcome.code not in ("", "head_moved"):
            raise NotTaken(one_line(outcome.sentence)[:400])
        await self._receive(book, self.directory)
        if not outcome.code and statements[-1].header not in [one.header for one in await self._box.statements(book)]:
            raise _NotYet(NOT_SHOWN)
        return not outcome.code

    async def _newest(self, present: BookMembers) -> Directory:
        """Return a directory that is no older than what the last ones to say who reads a book, or to give it a key, had seen."""
        known = self.directory
        return known if known.seq >= max(present.upon, present.keyed_upon) else await self._box.directory() or known

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
