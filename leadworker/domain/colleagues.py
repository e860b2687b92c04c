"""Colleagues: the people of the organisation's directory and the laptops through which they speak (C.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import bindparam, func, or_, select

from leadworker.errors import Ambiguous, NotFound, NotUnderstood
from leadworker.record import books, readers
from leadworker.record import colleagues as _table
from leadworker.shelf import Shelf
from leadworker.statements import Role
from leadworker.text import begins, one_line, skeleton
from leadworker.words.people import Known

BESIDE_THE_LEAD: Final = ", ".join(role.words for role in Role if role is not Role.KEY_WORKER)
"""The roles that any number of colleagues may have in a casebook, in words."""


def role_named(words: str) -> Role:
    """Return the role that somebody names; raise `NotUnderstood`."""
    for role in Role:
        if skeleton(words) == skeleton(role.words):
            return role
    named = ", ".join(role.words for role in Role)
    raise NotUnderstood(f"“{one_line(words)[:40]}” is no role. The roles are: {named}. Nothing was changed.")


class Laptop(msgspec.Struct, frozen=True):
    """A laptop of the organisation. `device` and `person` are ids in hexadecimal digits; `role` is a `statements.Role`."""

    device: str
    person: str
    name: str
    role: int
    admin: bool
    my_team: bool
    me: bool
    active: bool
    check_words: str


class Colleague(msgspec.Struct, frozen=True):
    """Somebody of the organisation, with their laptops; `here` says whether any of them may speak now."""

    person: str
    name: str
    role: int
    admin: bool
    my_team: bool
    me: bool
    laptops: tuple[Laptop, ...]

    @property
    def here(self) -> bool:
        return any(laptop.active for laptop in self.laptops)

    @property
    def role_words(self) -> str:
        return Role(self.role).words if self.role in set(Role) else "a role of a later version"


_c = _table.c
_ALL = select(
    _c.device, _c.person, _c.name, _c.role, _c.admin, _c.my_team, _c.me, _c.active, _c.check_words
).order_by(_c.name, _c.person, _c.device)  # fmt: skip


_READERS = _ALL.where(
    or_(
        _c.person.in_(select(readers.c.person).where(readers.c.book == bindparam("book"))),
        _c.person.in_(select(books.c.lead).where(func.lower(func.hex(books.c.id)) == bindparam("book"))),
    )
)


def everybody(shelf: Shelf) -> tuple[Colleague, ...]:
    """Return everybody who was ever enrolled, by name; also those who have left."""
    return _grouped(shelf.rows(_ALL, Laptop))


def owners(shelf: Shelf, known: Iterable[Known]) -> tuple[Known, ...]:
    """Return everybody who may own an action: the people written down, and the colleagues who are in the organisation now.

    My own entry has my name for its id, as `read_next_lines` wants it. A colleague who is written down stands there once.
    """
    people = tuple(known)
    names = {skeleton(person.name) for person in people}
    found = [one for one in everybody(shelf) if one.here and skeleton(one.name) not in names]
    mine = (Known(shelf.me, shelf.me, colleague=True),)
    return (*people, *mine, *(Known(one.person, one.name, colleague=True) for one in found if not one.me))


def of_casebook(shelf: Shelf, book: str) -> tuple[Colleague, ...]:
    """Return the people who read a casebook or lead it, by name; `book` is its id."""
    return _grouped(shelf.rows(_READERS, Laptop, book=book))


def _grouped(laptops: Iterable[Laptop]) -> tuple[Colleague, ...]:
    grouped: dict[str, list[Laptop]] = {}
    for laptop in laptops:
        grouped.setdefault(laptop.person, []).append(laptop)
    return tuple(_colleague(theirs) for theirs in grouped.values())


def resolve(shelf: Shelf, called: str, *, gone: bool = False) -> Colleague:
    """Return the one colleague who is called so, as `caseload.resolve` does for people; with `gone`, also who has left.

    A check word of a laptop of theirs after the name tells two of one name apart. Raises `NotFound` and `Ambiguous`, naming who fits.
    """
    known = [one for one in everybody(shelf) if one.here or gone]
    fits = [one for one in known if one.person == called] or _called(known, called) or _called_with_words(known, called)
    if len(fits) == 1:
        return fits[0]
    shown = one_line(called)[:40]
    if fits:
        names = ", ".join(f"{one.name} ({one.role_words}, {one.laptops[0].check_words.split(' ')[0]})" for one in fits[:8])
        one = next((one for one in fits if one.here), fits[0])
        example = f"{one.name} {one.laptops[0].check_words.split(' ')[0]}"
        raise Ambiguous(
            f"“{shown}” could be several colleagues: {names}. Write more of the name, or the first check word of a laptop of theirs "
            f"after it: “{example}”. “leadworker devices” shows all of them. Nothing was changed."
        )
    raise NotFound(f"No colleague is called “{shown}”, as far as this laptop knows. “leadworker devices” lists them.")


def _called(known: Iterable[Colleague], called: str) -> list[Colleague]:
    wanted = skeleton(called)
    exact = [one for one in known if skeleton(one.name) == wanted]
    return exact or [one for one in known if wanted and begins(skeleton(one.name).split(), wanted.split())]


def _called_with_words(known: Iterable[Colleague], called: str) -> list[Colleague]:
    """Return whom a name means that is followed by the first check words of one of their laptops."""
    said = called.split()
    for count in range(1, len(said)):
        words = " ".join(said[-count:]).casefold() + " "
        theirs = [one for one in known if any(f"{laptop.check_words} ".startswith(words) for laptop in one.laptops)]
        if fits := _called(theirs, " ".join(said[:-count])):
            return fits
    return []


def _colleague(laptops: list[Laptop]) -> Colleague:
    last = laptops[-1]
    return Colleague(last.person, last.name, last.role, last.admin, last.my_team, last.me, tuple(laptops))
