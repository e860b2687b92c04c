"""Who can read a casebook, who leads it, and what people decide about it (security C.6).

What is so comes from the signed statements of the casebook; this laptop only knows as much as it has been sent. What
somebody decides here is kept in the vault and carried out at the central store by the next sync, first come first
served: until then it is *not yet in force*, and when somebody else was first it is told, not forced through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import bindparam, func, select

from leadworker.domain import colleagues
from leadworker.domain.colleagues import Colleague, Laptop
from leadworker.errors import Refused
from leadworker.record import access, books, new_id, readers
from leadworker.record import colleagues as _colleague
from leadworker.shelf import Shelf, UpTo
from leadworker.statements import Role

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, ScalarSelect

DRAWER: Final = "decision"
SEEN: Final = "access seen"

FIRST, LET_IN, TAKEN_OUT, LOST = "first", "let in", "taken out", "lost"
ROLE, LAPTOP, LEADS, KEY = "role", "laptop", "leads", "key"
UNOPENED = "unopened"
_DECIDED = frozenset({LET_IN, TAKEN_OUT, ROLE, LEADS, KEY})
"""What somebody does by a decision; the rest comes about by itself."""

_NOT_ONESELF: Final = (
    "Nobody takes themselves out: the new key that follows has to be made by somebody who stays. Hand the casebook over, "
    "and ask the new lead or a supervisor to take you out. Nothing was changed."
)

ESCROW: Final = "Escrow can open it too: two of three officers together, for one case."

NOBODY_DECIDES: Final = (
    "Nobody who decides about this casebook has a laptop any more: nobody can be let in, and nobody made its lead. Who reads it goes "
    "on as before. A new key worker gets it through escrow, in a casebook of their own: the drill “nobody is left to decide”."
)


def compare(upto: UpTo) -> str:
    """Say which words two people compare aloud, so that a store cannot show them two histories (C.8)."""
    if not upto.words:
        return f"Of change {upto.n} of this casebook the central store has told this laptop nothing."
    return f"Up to change {upto.n}, to compare with a colleague: {' '.join(upto.words)}."


OVERDUE_MS: Final = 15 * 60 * 1000
"""How long taking somebody out may wait for the central store before it is an alarm (C.6)."""


class Reader(msgspec.Struct, frozen=True):
    """Somebody who can read a casebook: in which role, since when (UTC ms), and through which laptops."""

    person: str
    name: str
    role: int
    leads: bool
    me: bool
    since_ms: int
    laptops: tuple[Laptop, ...]
    lost: bool = False
    """True for a lead all of whose laptops were taken out of the organisation: nobody else leads meanwhile."""

    @property
    def role_words(self) -> str:
        return Role(self.role).words if self.role in set(Role) else "a role of a later version"

    @property
    def decides(self) -> bool:
        """Whether they may say who reads it, and have a laptop to say it with."""
        decider = self.leads or self.role in (Role.SUPERVISOR, Role.MANAGER)
        return decider and any(laptop.active for laptop in self.laptops)


class Happened(msgspec.Struct, frozen=True):
    """One thing that happened to who reads a casebook, in a sentence, and when the central store took it (UTC ms).

    `mine`: I decided it.
    """

    seq: int
    at_ms: int
    sentence: str
    mine: bool = False


class Decision(msgspec.Struct, frozen=True):
    """What somebody decided here about who reads a casebook. Ids are hexadecimal digits; `made_ms` is UTC.

    `kind` is `LET_IN`, `TAKEN_OUT`, `ROLE`, `LEADS` or `KEY`; `role` is the colleague's (for `LEADS`, what the lead before
    becomes, 0 for nothing). `was` is what they saw when they decided: the role, or who led. `said` is why it did not come
    about; empty while it waits.
    """

    id: str
    book: str
    subject: str
    kind: str
    colleague: str
    name: str
    role: int
    was: str
    made_ms: int
    said: str = ""

    def sentence(self) -> str:
        """Say what was decided, as a wish that is not yet in force."""
        role = Role(self.role).words if self.role else ""
        return {
            LET_IN: f"let {self.name} in as {role}",
            TAKEN_OUT: f"take {self.name} out",
            ROLE: f"make {self.name} {role}",
            LEADS: f"make {self.name} the lead",
            KEY: "give the casebook a new key",
        }[self.kind]


class _Book(msgspec.Struct, frozen=True):
    lead: str
    writable: bool


class _Line(msgspec.Struct, frozen=True):
    seq: int
    at_ms: int
    by: str
    by_me: bool
    what: str
    person: str
    whom: str
    of_themselves: bool
    role: int


class _Lost(msgspec.Struct, frozen=True):
    subject: str
    role: int


class _Place(msgspec.Struct, frozen=True):
    device: str
    person: str
    role: int
    since_ms: int


_BOOK = select(books.c.lead, books.c.writable).where(books.c.subject == bindparam("person_id"))
_PLACES = select(readers.c.device, readers.c.person, readers.c.role, readers.c.since_ms).where(readers.c.book == bindparam("book"))


def _of_colleague(fact: str, person: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Return a select of what the directory says of a person, for a row that names them: never of everybody for a few."""
    one = _colleague.alias()
    return select(one.c[fact]).where(one.c.person == person).limit(1).scalar_subquery()


_LINES = (
    select(
        access.c.seq,
        access.c.at_ms,
        func.coalesce(_of_colleague("name", access.c.by_person), "a colleague"),
        func.coalesce(_of_colleague("me", access.c.by_person), 0),
        access.c.what,
        access.c.person,
        func.coalesce(_of_colleague("name", access.c.person), "a colleague"),
        access.c.by_person == access.c.person,
        access.c.role,
    )
    .where(access.c.book == bindparam("book"), access.c.seq > bindparam("after"))
    .order_by(access.c.seq, access.c.line)
)


_later = access.alias()
_LOST = (
    select(books.c.subject, access.c.role)
    .select_from(access.join(books, func.lower(func.hex(books.c.id)) == access.c.book))
    .where(
        access.c.person == bindparam("person"),
        access.c.what == LOST,
        books.c.subject != "",
        ~select(_later.c.seq)
        .where(_later.c.book == access.c.book, _later.c.person == access.c.person, _later.c.seq > access.c.seq)
        .exists(),
        ~select(readers.c.device).where(readers.c.book == access.c.book, readers.c.person == access.c.person).exists(),
    )
    .order_by(books.c.subject)
)


def of(shelf: Shelf, person_id: str) -> tuple[Reader, ...]:
    """Return who can read a person's casebook, the lead first; nothing while it is on this laptop only."""
    book = shelf.casebook_of(person_id)
    known = {one.person: one for one in colleagues.of_casebook(shelf, book)}
    places: dict[str, list[_Place]] = {}
    for place in shelf.rows(_PLACES, _Place, book=book):
        places.setdefault(place.person, []).append(place)
    lead = _book(shelf, person_id).lead
    found = [_reader(person, them, known, lead) for person, them in places.items()]
    if lead and lead not in places:
        name = known[lead].name if lead in known else "a colleague"
        found.append(Reader(lead, name, Role.KEY_WORKER, True, lead in known and known[lead].me, 0, (), lost=True))
    return tuple(sorted(found, key=lambda one: (not one.leads, one.name, one.person)))


def history(shelf: Shelf, person_id: str, *, after: int = 0) -> tuple[Happened, ...]:
    """Return what happened to who reads a casebook, the oldest first, after place `after` of its control lane."""
    lines = _lines(shelf, person_id, after)
    return tuple(Happened(line.seq, line.at_ms, _told(line), line.by_me and line.what in _DECIDED) for line in lines)


def news(shelf: Shelf, person_id: str) -> tuple[Happened, ...]:
    """Return what happened since `looked`, to be shown once, unmissably (C.4). One's own deeds are no news."""
    lines = _lines(shelf, person_id, int.from_bytes(shelf.kept(SEEN).get(person_id, b""), "big"))
    return tuple(Happened(line.seq, line.at_ms, _told(line)) for line in lines if not line.by_me and line.what != KEY)


def _lines(shelf: Shelf, person_id: str, after: int) -> tuple[_Line, ...]:
    return shelf.rows(_LINES, _Line, book=shelf.casebook_of(person_id), after=after)


def looked(shelf: Shelf, person_id: str, upto: int) -> None:
    """Take note that somebody was shown what happened up to place `upto`."""
    shelf.keep(SEEN, person_id, upto.to_bytes(8, "big"))


def why_not(shelf: Shelf, person_id: str) -> str:
    """Return in a sentence why I may not decide who reads a casebook, or nothing when I may."""
    here = of(shelf, person_id)
    me = next((one for one in here if one.me), None)
    if not here:
        return "This casebook is on this laptop only: nobody else can read it until it was sent to the central store once."
    if me is None:
        return "You do not read this casebook at the central store any more, so you cannot decide who does."
    if not any(one.decides for one in here):
        return NOBODY_DECIDES
    if not me.leads and me.role not in (Role.SUPERVISOR, Role.MANAGER):
        lead = next(one.name for one in here if one.leads)
        return f"Only its lead, {lead}, or a supervisor or manager decides who reads this casebook. Ask one of them."
    return ""


def nobody_decides(shelf: Shelf, person_id: str) -> str:
    """Return in a sentence that a casebook has nobody left to decide about it, or nothing (C.6, C.10)."""
    here = of(shelf, person_id)
    return NOBODY_DECIDES if here and not any(one.decides for one in here) else ""


def let_in(shelf: Shelf, person_id: str, colleague: Colleague, role: Role) -> Decision:
    """Decide that a colleague shall read a casebook with its whole history, or read it in another role."""
    present = _present(shelf, person_id, colleague)
    if present is not None and present.lost:  # they lead all the time; with a new laptop they read again
        role, present = Role.KEY_WORKER, None
    elif role is Role.KEY_WORKER:
        return hand_over(shelf, person_id, colleague)
    if present is not None and present.leads:
        raise Refused(f"{colleague.name} leads this casebook. Make somebody else the lead first; nothing was changed.")
    if present is not None and present.role == role:
        raise Refused(f"{colleague.name} reads this casebook as {role.words} already. Nothing was changed.")
    if not colleague.here:
        raise Refused(f"{colleague.name} has no laptop in the organisation now. Invite one first; nothing was changed.")
    kind = LET_IN if present is None else ROLE
    return _decide(shelf, person_id, kind, colleague, role, str(present.role) if present else "")


def take_out(shelf: Shelf, person_id: str, colleague: Colleague) -> Decision:
    """Decide that a colleague shall read a casebook no more; what is written from then on has a new key."""
    present = _present(shelf, person_id, colleague)
    if present is None:
        raise Refused(f"{colleague.name} does not read this casebook. Nothing was changed.")
    if present.leads:
        raise Refused(f"{colleague.name} leads this casebook. Make somebody else the lead first; nothing was changed.")
    if present.me:
        raise Refused(_NOT_ONESELF)
    return _decide(shelf, person_id, TAKEN_OUT, colleague, Role(present.role), str(present.role))


def hand_over(shelf: Shelf, person_id: str, colleague: Colleague, then: Role | None = Role.CO_WORKER) -> Decision:
    """Decide that a colleague shall lead a casebook; who led it goes on in the role `then`, or not at all."""
    present = _present(shelf, person_id, colleague)
    if then is None and any(one.leads and one.me for one in of(shelf, person_id)):
        raise Refused(_NOT_ONESELF)
    if present is not None and present.leads:
        raise Refused(f"{colleague.name} leads this casebook already. Nothing was changed.")
    if not colleague.here:
        raise Refused(f"{colleague.name} has no laptop in the organisation now. Invite one first; nothing was changed.")
    return _decide(shelf, person_id, LEADS, colleague, then or 0, _book(shelf, person_id).lead)


def readmit(shelf: Shelf, colleague: Colleague) -> tuple[Decision, ...]:
    """Decide that a colleague whose laptop was lost reads again, on their new one, what they read before.

    Every casebook of which I decide and that they have not been let into since; each in the role that they had.
    """
    decided = []
    for lost in shelf.rows(_LOST, _Lost, person=colleague.person):
        if not why_not(shelf, lost.subject):
            decided.append(let_in(shelf, lost.subject, colleague, Role(lost.role)))
    return tuple(decided)


def give_new_key(shelf: Shelf, person_id: str) -> Decision:
    """Decide that a casebook gets a new key, because somebody may have the one it has (C.5)."""
    me = next((one for one in of(shelf, person_id) if one.me), None)
    if me is None or not Role(me.role).may_write:
        raise Refused("Only who writes in a casebook gives it a new key. Nothing was changed; ask its lead.")
    decision = Decision(new_id(), shelf.casebook_of(person_id), person_id, KEY, "", "", 0, "", shelf.now().ms)
    return _keep(shelf, decision)


def decisions(shelf: Shelf, person_id: str = "") -> tuple[Decision, ...]:
    """Return what was decided here and is not in force, the oldest first; of one person's casebook, or of all."""
    kept = (msgspec.msgpack.decode(value, type=Decision) for value in shelf.kept(DRAWER).values())
    return tuple(one for one in kept if person_id in ("", one.subject))


def take_back(shelf: Shelf, decision_id: str) -> None:
    """Forget a decision that is not in force; raise `Refused` for one that is."""
    if decision_id not in shelf.kept(DRAWER):
        raise Refused("It is in force already, so it cannot be taken back. Decide anew: who can read shows what is so.")
    shelf.throw_away(DRAWER, decision_id)


def overdue(decision: Decision, now_ms: int) -> str:
    """Return the alarm about somebody who was to be taken out and still reads, or nothing (C.6)."""
    if decision.kind != TAKEN_OUT:
        return ""
    if decision.said:  # it was answered: no sync brings it about any more
        return (
            f"Taking {decision.name} out of a casebook did not come about. {decision.said} What is written there may still reach them. "
            "See who can read it; then decide anew, or take your decision back."
        )
    if now_ms - decision.made_ms < OVERDUE_MS:
        return ""
    return (
        f"Taking {decision.name} out of a casebook is not yet in force: the central store has not confirmed it for a quarter of an "
        "hour. What you write there may still reach them. Sync, and see who can read it."
    )


def _present(shelf: Shelf, person_id: str, colleague: Colleague) -> Reader | None:
    if why := why_not(shelf, person_id):
        raise Refused(f"{why} Nothing was changed.")
    return next((one for one in of(shelf, person_id) if one.person == colleague.person), None)


def _decide(shelf: Shelf, person_id: str, kind: str, colleague: Colleague, role: int, was: str) -> Decision:
    book = shelf.casebook_of(person_id)
    for earlier in decisions(shelf, person_id):
        if earlier.colleague == colleague.person:
            take_back(shelf, earlier.id)  # the last word counts
    return _keep(shelf, Decision(new_id(), book, person_id, kind, colleague.person, colleague.name, int(role), was, shelf.now().ms))


def _keep(shelf: Shelf, decision: Decision) -> Decision:
    shelf.keep(DRAWER, decision.id, msgspec.msgpack.encode(decision))
    return decision


def _book(shelf: Shelf, person_id: str) -> _Book:
    found = shelf.rows(_BOOK, _Book, person_id=person_id)
    return found[0] if found else _Book("", True)


def _reader(person: str, places: list[_Place], known: dict[str, Colleague], lead: str) -> Reader:
    colleague = known.get(person)
    devices = {place.device for place in places}
    laptops = tuple(one for one in colleague.laptops if one.device in devices) if colleague else ()
    name, me = (colleague.name, colleague.me) if colleague else ("a colleague", False)
    return Reader(person, name, places[0].role, person == lead, me, min(place.since_ms for place in places), laptops)


def _told(line: _Line) -> str:
    by, whom = line.by, line.whom
    role = Role(line.role).words if line.role in set(Role) else ""
    return {
        FIRST: f"{whom} reads it from its beginning, as {role}.",
        LET_IN: f"{by} let {whom} in as {role}.",
        TAKEN_OUT: f"{by} took {whom} out.",
        LOST: f"{whom}'s laptop was taken out of the organisation; {by}'s laptop gave the casebook a new key.",
        ROLE: f"{whom} goes on as {role}." if line.of_themselves else f"{by} made {whom} {role}.",
        LAPTOP: f"{whom} reads it on another laptop.",
        LEADS: f"{whom} leads it from then on." if line.of_themselves else f"{by} made {whom} the lead.",
        KEY: f"{by} gave it a new key.",
        UNOPENED: f"{by} signed a key of it that does not open on this laptop.",
    }.get(line.what, "Something happened that a newer leadworker can tell.")
