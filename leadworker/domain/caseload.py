"""The caseload: people in lists, and finding somebody by what they are called."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, func, literal, select

from leadworker.domain.actions import open_actions_of
from leadworker.domain.journal import last_contact_of
from leadworker.domain.people import Involvement, KnownAs, Person, PersonFacts, is_mine, my_role_in
from leadworker.errors import Ambiguous, NotFound
from leadworker.record import table_of
from leadworker.shelf import Shelf
from leadworker.statements import Role
from leadworker.text import begins, one_line, skeleton
from leadworker.words.people import Known


class PersonRow(msgspec.Struct, frozen=True):
    """A person in a list. `last_ms` is when the last entry about them happened (UTC ms, 0 for none).

    `on_caseload`: the work with them is mine; `my_role` is a `statements.Role`, 0 where nobody gave me one.
    """

    id: str
    name: str
    known_as: str
    born_on: str
    age_about: int
    age_said_on: str
    lives_at: str
    on_caseload: bool
    my_role: int
    last_ms: int
    last_offset: int
    open_actions: int
    contested: str


class _KnownRow(msgspec.Struct, frozen=True):
    id: str
    name: str
    known_as: str
    worked_with: bool


class _IdRow(msgspec.Struct, frozen=True):
    id: str


_person = table_of(Person).c
_known = table_of(KnownAs).c
_involved = table_of(Involvement).c
_worked_with = func.coalesce(
    select(literal(1)).where(_involved.person_id == _person.id).limit(1).correlate(table_of(Person)).scalar_subquery(), 0
)
_on_caseload, _my_role = is_mine(_person.id, _person.book), my_role_in(_person.book)
_names = func.coalesce(
    select(func.group_concat(_known.name, "\n"))
    .where(_known.person_id == _person.id, _known.gone == 0)
    .correlate(table_of(Person))
    .scalar_subquery(),
    "",
)
_last_ms, _last_offset = last_contact_of(_person.id)
_ROWS = select(
    _person.id, _person.name, _names, _person.born_on, _person.age_about, _person.age_said_on, _person.lives_at,
    _on_caseload, _my_role, func.coalesce(_last_ms, 0), func.coalesce(_last_offset, 0), open_actions_of(_person.id),
    _person.contested,
).where(_person.gone == 0)  # fmt: skip
_MINE = _ROWS.where(_on_caseload == 1).order_by(_person.sorted_as)
_OTHERS = _ROWS.where(_on_caseload == 0).order_by(_my_role == 0, _person.sorted_as).limit(bindparam("limit"))
_ONE = _ROWS.where(_person.id == bindparam("person_id"))
_KNOWN = select(_person.id, _person.name, _names, _worked_with.label("c")).where(_person.gone == 0).order_by(_person.sorted_as)
_WORKED_WITH = select(_person.id).where(_person.gone == 0, _worked_with == 1)
_COUNT = select(func.count()).select_from(table_of(Person)).where(_person.gone == 0)


def mine(shelf: Shelf) -> tuple[PersonRow, ...]:
    """Return the people I work with as lead or co-worker, by name."""
    return shelf.rows(_MINE, PersonRow)


def others(shelf: Shelf, *, limit: int = 5000) -> tuple[PersonRow, ...]:
    """Return people who are written down but not on my caseload, by name; first those whose casebook I may read all the same."""
    return shelf.rows(_OTHERS, PersonRow, limit=limit)


def worked_with(shelf: Shelf) -> frozenset[str]:
    """Return the ids of the people with whom anybody works, as far as this vault may read."""
    return frozenset(row.id for row in shelf.rows(_WORKED_WITH, _IdRow))


def is_supervised(person: PersonRow | PersonFacts) -> bool:
    """Return whether I supervise the work with somebody."""
    return not person.on_caseload and person.my_role in (Role.SUPERVISOR, Role.MANAGER)


def is_only_read(person: PersonRow | PersonFacts) -> bool:
    """Return whether I may read about somebody with whom I neither work nor supervise the work."""
    return not person.on_caseload and bool(person.my_role) and not is_supervised(person)


def my_part(person: PersonRow | PersonFacts) -> str:
    """Return what a person is to me, as a phrase: on my caseload, supervised, readable, or none of these."""
    if person.on_caseload:
        return "on your caseload"
    if is_supervised(person):
        return "supervised by you"
    return "you can read this, not on your caseload" if is_only_read(person) else "not on your caseload"


def row(shelf: Shelf, person_id: str) -> PersonRow:
    """Return one person as a list shows them; raise `NotFound`."""
    found = shelf.rows(_ONE, PersonRow, person_id=person_id)
    if not found:
        raise NotFound("That person is not in this vault.")
    return found[0]


def count(shelf: Shelf) -> int:
    """Return how many people are written down."""
    return shelf.number(_COUNT)


def known_people(shelf: Shelf) -> tuple[Known, ...]:
    """Return everybody with the names they go by, those somebody works with first: for reading ``@Keira`` in a line."""
    rows = shelf.rows(_KNOWN, _KnownRow)
    ordered = sorted(rows, key=lambda r: not r.worked_with)
    return tuple(Known(r.id, r.name, tuple(filter(None, r.known_as.split("\n")))) for r in ordered)


def resolve(shelf: Shelf, called: str) -> Known:
    """Return the one person who is called so: a whole name, the beginning of one that fits nobody else, or an id or its end.

    Raises `NotFound` naming who comes near, and `Ambiguous` naming all who fit.
    """
    wanted = skeleton(called)
    everybody = known_people(shelf)
    for person in everybody:
        if person.id == called:
            return person
    exact = [p for p in everybody if wanted in _skeletons(p)]
    fits = exact or [p for p in everybody if wanted and any(begins(s.split(), wanted.split()) for s in _skeletons(p))]
    fits = fits or [p for p in everybody if len(called) >= 8 and p.id.endswith(called.casefold())]
    if len(fits) == 1:
        return fits[0]
    shown = one_line(called)[:40]
    if fits:
        alike = len({skeleton(p.name) for p in fits}) < len(fits)
        names = ", ".join(f"{p.name} (id {p.id[-8:]})" if alike else p.name for p in fits[:8])
        raise Ambiguous(f"“{shown}” could be several people: {names}. Write more of the name{', or the id instead' if alike else ''}.")
    near = near_names(everybody, called)
    hint = f" Near: {', '.join(p.name for p in near)}." if near else ""
    raise NotFound(f"Nobody here is called “{shown}”.{hint}")


def near_names(everybody: Sequence[Known], called: str, *, limit: int = 3) -> tuple[Known, ...]:
    """Return people whose names are close to a misspelt one."""
    from rapidfuzz import fuzz, process  # only for a name that fits nobody: it costs 30 ms to import

    choices = {at: f"{p.name} {' '.join(p.known_as)}" for at, p in enumerate(everybody)}
    scored = process.extract(skeleton(called), choices, scorer=fuzz.WRatio, processor=skeleton, limit=limit, score_cutoff=72)
    return tuple(everybody[at] for _name, _score, at in scored)


def _skeletons(person: Known) -> tuple[str, ...]:
    return tuple(skeleton(name) for name in (person.name, *person.known_as))
