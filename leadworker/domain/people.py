"""People: anyone the work is about or with. What they are called, how to reach them, and whether we work with them.

A person's title is always a name, never an identifier (docs/refusals.md).
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
from sqlalchemy import BindParameter, ColumnElement, bindparam, case, func, select

from leadworker.errors import NotUnderstood
from leadworker.record import Record, Rule, colleagues, kept, new_id, readers, table_of
from leadworker.shelf import Shelf
from leadworker.statements import Role
from leadworker.text import clean, one_line, skeleton
from leadworker.words.dates import read_born

CONTACT_KINDS = ("phone", "mobile", "email", "address", "web", "other")


class Person(Record, table=True):
    """One person. `born_on` is an ISO date that may stop early (``2011``, ``2011-05``)."""

    __tablename__: ClassVar[str] = "person"

    name: str = kept(find=True, words="name", along=("sorted_as",))
    sorted_as: str = kept(index=True)
    pronouns: str = kept(words="pronouns")
    born_on: str = kept(words="date of birth", along=("age_about", "age_said_on"), says="born")
    age_about: int = kept(0, words="age, about", along=("born_on", "age_said_on"))
    age_said_on: str = kept(words="when that age was said", says="day")
    lives_at: str = kept(rule=Rule.ASK, words="where they live", both=True)
    talking: str = kept(words="how to talk with them", both=True)


class KnownAs(Record, table=True):
    """Another name that a person goes by."""

    __tablename__: ClassVar[str] = "known_as"
    titled_by: ClassVar[str] = "name"

    person_id: str = kept(rule=Rule.SET, index=True)
    name: str = kept(rule=Rule.SET, find=True, words="also known as")


class ContactPoint(Record, table=True):
    """One way to reach a person. `label` says whose or when: "mum's", "after school"."""

    __tablename__: ClassVar[str] = "contact_point"
    titled_by: ClassVar[str] = "value"

    person_id: str = kept(rule=Rule.SET, index=True)
    kind: str = kept("phone", rule=Rule.SET)
    value: str = kept(find=True, words="contact")
    label: str = kept(words="contact label")


class Identifier(Record, table=True):
    """A number that another agency gives a person. It is looked up, never shown as who they are."""

    __tablename__: ClassVar[str] = "identifier"
    titled_by: ClassVar[str] = "value"

    person_id: str = kept(rule=Rule.SET, index=True)
    scheme: str = kept(rule=Rule.SET, words="whose number")
    value: str = kept(rule=Rule.SET, words="number")


class Involvement(Record, table=True):
    """An open period in which we work with a person. Their casebook is shared from the first one on."""

    __tablename__: ClassVar[str] = "involvement"
    frozen: ClassVar[bool] = True

    person_id: str = kept(rule=Rule.APPEND, index=True)
    opened_on: str = kept(rule=Rule.APPEND)
    reason: str = kept(rule=Rule.APPEND)


class ImportedCard(Record, table=True):
    """Which card of which contact file a person came from, so that an import can be run twice."""

    __tablename__: ClassVar[str] = "imported_card"
    frozen: ClassVar[bool] = True

    person_id: str = kept(rule=Rule.APPEND, index=True)
    fingerprint: str = kept(rule=Rule.APPEND, index=True)
    source: str = kept(rule=Rule.APPEND)


class ContactRow(msgspec.Struct, frozen=True):
    """One way to reach a person, in a list."""

    id: str
    kind: str
    value: str
    label: str


class NameRow(msgspec.Struct, frozen=True):
    """Another name of a person, in a list."""

    id: str
    name: str


class IdentifierRow(msgspec.Struct, frozen=True):
    """Another agency's number for a person, in a list."""

    id: str
    scheme: str
    value: str


class PersonFacts(msgspec.Struct, frozen=True):
    """The header of a person's page, and their contacts. `book` is the casebook's id; `marks` say what was shown (`Shelf.as_shown`).

    `on_caseload`: the work with them is mine; `my_role` is a `statements.Role`, 0 where nobody gave me one.
    """

    id: str
    book: str
    name: str
    pronouns: str
    born_on: str
    age_about: int
    age_said_on: str
    lives_at: str
    talking: str
    on_caseload: bool
    my_role: int
    contested: str
    marks: bytes = b""
    known_as: tuple[NameRow, ...] = ()
    contacts: tuple[ContactRow, ...] = ()
    identifiers: tuple[IdentifierRow, ...] = ()


_person = table_of(Person).c
_known = table_of(KnownAs).c
_contact = table_of(ContactPoint).c
_identifier = table_of(Identifier).c
_involved = table_of(Involvement).c
_who: BindParameter[str] = bindparam("person_id")


def my_role_in(book: ColumnElement[str]) -> ColumnElement[int]:
    """Return, for a select, as what this vault's owner reads a casebook (`statements.Role`); 0 for not at all, or for one that is
    on this laptop only.
    """
    mine = readers.join(colleagues, colleagues.c.device == readers.c.device)
    role = select(func.min(readers.c.role)).select_from(mine).where(readers.c.book == book, colleagues.c.me == 1)
    return func.coalesce(role.correlate(table_of(Person)).scalar_subquery(), 0)


def is_mine(person: ColumnElement[str], book: ColumnElement[str]) -> ColumnElement[int]:
    """Return, for a select, whether the work with a person is mine: somebody works with them, and I as lead or co-worker.

    A casebook that nobody else reads is mine; one that I only supervise, only read or was taken out of is not.
    """
    involved = select(_involved.id).where(_involved.person_id == person).correlate(table_of(Person)).exists()
    read_by_any = select(readers.c.book).where(readers.c.book == book).correlate(table_of(Person)).exists()
    worker = my_role_in(book).between(Role.KEY_WORKER.value, Role.CO_WORKER.value)
    return case((~involved, 0), (~read_by_any, 1), (worker, 1), else_=0)


_FACTS = select(
    _person.id,
    _person.book,
    _person.name,
    _person.pronouns,
    _person.born_on,
    _person.age_about,
    _person.age_said_on,
    _person.lives_at,
    _person.talking,
    is_mine(_person.id, _person.book),
    my_role_in(_person.book),
    _person.contested,
    _person.marks,
).where(_person.id == _who, _person.gone == 0)
_KNOWN_AS = select(_known.id, _known.name).where(_known.person_id == _who, _known.gone == 0).order_by(_known.no)
_CONTACTS = (
    select(_contact.id, _contact.kind, _contact.value, _contact.label)
    .where(_contact.person_id == _who, _contact.gone == 0)
    .order_by(_contact.no)
)
_IDENTIFIERS = (
    select(_identifier.id, _identifier.scheme, _identifier.value)
    .where(_identifier.person_id == _who, _identifier.gone == 0)
    .order_by(_identifier.no)
)
_INVOLVED = select(func.count()).where(_involved.person_id == _who)


def add(
    shelf: Shelf, name: str, *, on_caseload: bool = True, reason: str = "", pronouns: str = "", born: str = "",
    lives_at: str = "", talking: str = "",
) -> str:  # fmt: skip
    """Write down a new person and begin their casebook; return the person's id.

    `born` is any date that `read_born` reads, or an age such as "about 14".
    """
    called = _name(name, "Nothing was saved.")
    person_id = new_id()
    shelf.start_casebook(person_id)
    facts = _facts(shelf, pronouns, born, lives_at, talking)
    shelf.add(Person, person_id, record_id=person_id, name=called, sorted_as=skeleton(called), **facts)
    if on_caseload:
        begin_work_with(shelf, person_id, reason)
    return person_id


def describe(
    shelf: Shelf, person_id: str, *, name: str | None = None, pronouns: str | None = None, born: str | None = None,
    lives_at: str | None = None, talking: str | None = None,
) -> None:  # fmt: skip
    """Change what is written about a person; None leaves a fact as it is."""
    values = _facts(shelf, pronouns, born, lives_at, talking)
    if name is not None:
        called = _name(name, "The old one was kept.")
        values |= {"name": called, "sorted_as": skeleton(called)}
    shelf.amend(Person, person_id, **values)


def begin_work_with(shelf: Shelf, person_id: str, reason: str = "") -> None:
    """Begin to work with a person, unless somebody does: from now on their casebook is shared."""
    if not is_worked_with(shelf, person_id):
        opened = shelf.now().day().isoformat()
        shelf.add(Involvement, person_id, person_id=person_id, opened_on=opened, reason=clean(reason))


def is_worked_with(shelf: Shelf, person_id: str) -> bool:
    """Return whether anybody works with this person."""
    return shelf.number(_INVOLVED, person_id=person_id) > 0


def also_known_as(shelf: Shelf, person_id: str, name: str) -> str:
    """Write down another name of a person; return its id. A name that is there already is not written twice."""
    called = one_line(name)
    if not skeleton(called):
        raise NotUnderstood("There was no name to add. Nothing was changed.")
    for known in shelf.rows(_KNOWN_AS, NameRow, person_id=person_id):
        if known.name == called:
            return known.id
    return shelf.add(KnownAs, person_id, person_id=person_id, name=called)


def add_contact(shelf: Shelf, person_id: str, kind: str, value: str, label: str = "") -> str:
    """Write down one way to reach a person; return its id. `kind` is one of `CONTACT_KINDS`."""
    if kind not in CONTACT_KINDS:
        raise NotUnderstood(f"A contact is one of: {', '.join(CONTACT_KINDS)}. Nothing was saved.")
    written = clean(value).strip()
    if not written:
        raise NotUnderstood("There was nothing to write down for this contact. Nothing was saved.")
    for contact in shelf.rows(_CONTACTS, ContactRow, person_id=person_id):
        if (contact.kind, contact.value) == (kind, written):
            return contact.id
    return shelf.add(ContactPoint, person_id, person_id=person_id, kind=kind, value=written, label=one_line(label))


def add_identifier(shelf: Shelf, person_id: str, scheme: str, value: str) -> str:
    """Write down another agency's number for a person; return its id."""
    named, written = one_line(scheme), one_line(value)
    if not named or not written:
        raise NotUnderstood("A number needs whose it is and what it is, such as “NHS 943 476 5919”. Nothing was saved.")
    return shelf.add(Identifier, person_id, person_id=person_id, scheme=named, value=written)


def facts(shelf: Shelf, person_id: str) -> PersonFacts:
    """Return what is written about a person; raise `NotFound`."""
    found = shelf.rows(_FACTS, PersonFacts, person_id=person_id)
    if not found:
        shelf.require(Person, person_id)
    return msgspec.structs.replace(
        found[0],
        known_as=shelf.rows(_KNOWN_AS, NameRow, person_id=person_id),
        contacts=shelf.rows(_CONTACTS, ContactRow, person_id=person_id),
        identifiers=shelf.rows(_IDENTIFIERS, IdentifierRow, person_id=person_id),
    )


def _name(name: str, safe: str) -> str:
    called = one_line(name)
    if not skeleton(called):
        raise NotUnderstood(f"A person needs a name, or what they are called. {safe}")
    if not any(letter.isalpha() for letter in called):
        raise NotUnderstood(f"“{called[:40]}” is a number, and nobody is called by one. Write what they are called. {safe}")
    return called


def _facts(shelf: Shelf, pronouns: str | None, born: str | None, lives_at: str | None, talking: str | None) -> dict[str, str | int]:
    values: dict[str, str | int] = {}
    if pronouns is not None:
        values["pronouns"] = one_line(pronouns)
    if lives_at is not None:
        values["lives_at"] = clean(lives_at).strip()
    if talking is not None:
        values["talking"] = clean(talking).strip()
    if born is not None:
        values |= _born(shelf, born)
    return values


def _born(shelf: Shelf, text: str) -> dict[str, str | int]:
    if not text.strip():
        return {"born_on": "", "age_about": 0, "age_said_on": ""}
    today = shelf.now().day()
    born = read_born(text, today)
    if born is None:
        raise NotUnderstood(
            f"“{one_line(text)[:40]}” is no date of birth or age that leadworker can read. "
            "Write it as 3 May 2011, May 2011, 2011 or about 14. Nothing was changed."
        )
    said_on = today.isoformat() if born.age_about else ""
    return {"born_on": born.born_on, "age_about": born.age_about or 0, "age_said_on": said_on}
