"""Bringing contacts in: what each card of a contact file would become, and then the writing. Nothing is merged silently.

A card that looks like somebody who is here stays a question until a person answers it. What was written once is known by
its fingerprint, so an import can be cut off and run again without doubling anyone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec
from sqlalchemy import bindparam, func, select

from leadworker.contacts.card import ContactCard, Reading, Unread, excerpt
from leadworker.domain import caseload, people
from leadworker.domain.people import ContactPoint, ImportedCard
from leadworker.errors import NotUnderstood
from leadworker.record import table_of
from leadworker.shelf import Shelf
from leadworker.text import one_line, skeleton
from leadworker.words.dates import read_born, say_born
from leadworker.words.people import Known
from leadworker.words.saying import MONTHS

BATCH = 200
"""Cards that are written as one step: an import that is cut off keeps all of a step or nothing of it."""

LONGEST_PIECE = 12_000
"""Characters of a note that stand in one record; a longer one goes on in the next."""

_UID = "uid:"
_LAST_DIGITS = 9
_FEWEST_DIGITS = 6


class CardStanding(StrEnum):
    """How a card stands to what is here."""

    NEW = "new"
    HERE = "here already"
    TWICE = "twice in this file"
    ALIKE = "looks like somebody"
    SAME = "same person"


class Alike(msgspec.Struct, frozen=True):
    """Why a card is not simply written. `person_id` is empty when it is another card of the file, number `card`."""

    why: str
    person_id: str
    name: str
    card: int = 0


class CardPlan(msgspec.Struct, frozen=True):
    """One card and what would become of it. `number` counts the cards of the file from 1; `same` is whom it is."""

    number: int
    card: ContactCard
    standing: CardStanding
    alike: tuple[Alike, ...] = ()
    same: str = ""


class ImportPlan(msgspec.Struct, frozen=True):
    """What an import would do, before it does it. `source` names the file as `source_of` does."""

    source: str
    format: str
    cards: tuple[CardPlan, ...]
    unread: tuple[Unread, ...]

    def standing(self, *wanted: CardStanding) -> tuple[CardPlan, ...]:
        """Return the cards that stand so."""
        return tuple(card for card in self.cards if card.standing in wanted)


class Imported(msgspec.Struct, frozen=True):
    """What was written for one card. `added` is False where it went to somebody who was here."""

    number: int
    name: str
    person_id: str
    added: bool


class ImportReport(msgspec.Struct, frozen=True):
    """What an import did: whom it wrote, whom it knew already, and the questions that stay."""

    imported: tuple[Imported, ...] = ()
    known: int = 0
    questions: tuple[CardPlan, ...] = ()

    def and_then(self, later: ImportReport) -> ImportReport:
        """Return both reports as one."""
        return ImportReport(self.imported + later.imported, self.known + later.known, self.questions + later.questions)


class _CardRow(msgspec.Struct, frozen=True):
    person_id: str
    fingerprint: str
    source: str


class _PointRow(msgspec.Struct, frozen=True):
    person_id: str
    kind: str
    value: str


_card = table_of(ImportedCard).c
_point = table_of(ContactPoint).c
_CARDS = select(_card.person_id, _card.fingerprint, _card.source).where(_card.gone == 0)
_POINTS = select(_point.person_id, _point.kind, _point.value).where(
    _point.gone == 0, (_point.kind == "phone") | (_point.kind == "mobile") | (_point.kind == "email")
)
_IS_HERE = select(func.count()).select_from(table_of(ImportedCard)).where(_card.fingerprint == bindparam("fingerprint"))


def source_of(name: str, data: bytes) -> str:
    """Return how a file is named in the record: its name and the beginning of its SHA-256."""
    return f"{one_line(name)} {hashlib.sha256(data).hexdigest()[:16]}".strip()


def plan_import(shelf: Shelf, reading: Reading, source: str = "") -> ImportPlan:
    """Return what would become of each card of a file; nothing is written.

    A card is a question when somebody here is called the same, has the same number or e-mail address, or came from
    a card with the same id that has changed since. People who came from this very file (`source`) stood beside the
    card as people of their own, so a number that they share with it asks nothing.
    """
    here = _Here(shelf, source)
    plans: list[CardPlan] = []
    unread = list(reading.unread)
    for card in reading.cards:
        number = len(plans) + 1
        if not skeleton(card.name):
            unread.append(Unread(card.line, "There are no letters or figures in this card's name.", excerpt(card.name)))
            continue
        plans.append(here.judge(number, card))
    return ImportPlan(source, reading.format, tuple(plans), tuple(sorted(unread, key=lambda one: one.line)))


def decide(plan: ImportPlan, *, add_anyway: bool = False, same: Mapping[int, Known] | None = None) -> ImportPlan:
    """Return the plan with a person's answers: whom a card is the same as, by its number, and whether to add the others.

    Raises `NotUnderstood` for a number that the file does not have.
    """
    answers = dict(same or {})
    decided = []
    for card in plan.cards:
        person = answers.pop(card.number, None)
        if person is not None and card.standing in (CardStanding.NEW, CardStanding.ALIKE):
            card = msgspec.structs.replace(card, standing=CardStanding.SAME, same=person.id)
        elif add_anyway and card.standing is CardStanding.ALIKE:
            card = msgspec.structs.replace(card, standing=CardStanding.NEW)
        decided.append(card)
    if answers:
        raise NotUnderstood(f"There is no card {min(answers)} in this file; it has {len(plan.cards)}. Nothing was imported.")
    return msgspec.structs.replace(plan, cards=tuple(decided))


def batches(plan: ImportPlan, size: int = BATCH) -> Iterator[ImportPlan]:
    """Return the plan in parts, each to be carried out as one step."""
    for at in range(0, len(plan.cards), size):
        yield msgspec.structs.replace(plan, cards=plan.cards[at : at + size])


def carry_out(shelf: Shelf, plan: ImportPlan, *, on_caseload: bool = False) -> ImportReport:
    """Write the new people of a plan, and what the answered cards add to people who are here.

    A card whose fingerprint was written meanwhile is passed over, so the same plan may be carried out twice.
    """
    done: list[Imported] = []
    known = 0
    questions = []
    for item in plan.cards:
        if item.standing is CardStanding.ALIKE:
            questions.append(item)
        elif item.standing in (CardStanding.HERE, CardStanding.TWICE) or shelf.number(_IS_HERE, fingerprint=item.card.fingerprint()):
            known += 1
        elif item.standing is CardStanding.SAME:
            _add_to(shelf, item.same, item.card)
            done.append(_imported(shelf, plan, item, item.same, added=False))
        else:
            person_id = _write_new(shelf, item.card, on_caseload)
            done.append(_imported(shelf, plan, item, person_id, added=True))
    return ImportReport(tuple(done), known, tuple(questions))


class _Here:
    """Who is here already, by everything that a card may be known by."""

    def __init__(self, shelf: Shelf, source: str) -> None:
        everybody = caseload.known_people(shelf)
        self._names = {person.id: person.name for person in everybody}
        self._called: dict[str, list[str]] = {}
        self._also: dict[str, list[str]] = {}
        for person in everybody:
            self._called.setdefault(skeleton(person.name), []).append(person.id)
            for name in person.known_as:
                self._also.setdefault(skeleton(name), []).append(person.id)
        rows = shelf.rows(_CARDS, _CardRow)
        self._prints = {row.fingerprint: row.person_id for row in rows}
        beside = {row.person_id for row in rows if source and row.source == source}
        self._points: dict[tuple[str, str], list[str]] = {}
        for point in shelf.rows(_POINTS, _PointRow):
            key = _reach(point.kind, point.value)
            if key and point.person_id not in beside:
                self._points.setdefault(key, []).append(point.person_id)
        self._in_file: dict[str, tuple[int, str]] = {}

    def judge(self, number: int, card: ContactCard) -> CardPlan:
        """Return what becomes of the next card of the file."""
        fingerprint, uid = card.fingerprint(), _uid(card)
        if fingerprint in self._prints:
            return CardPlan(number, card, CardStanding.HERE)
        if fingerprint in self._in_file:
            return CardPlan(number, card, CardStanding.TWICE)
        alike = [*self._here(card, uid), *self._beside(card, uid)]
        for key in filter(None, (fingerprint, uid, f"name:{skeleton(card.name)}")):
            self._in_file.setdefault(key, (number, card.name))
        return CardPlan(number, card, CardStanding.ALIKE if alike else CardStanding.NEW, tuple(alike))

    def _here(self, card: ContactCard, uid: str) -> Iterator[Alike]:
        whom: dict[str, str] = {}
        if uid in self._prints:
            whom[self._prints[uid]] = "came from this card, which has changed since"
        called = skeleton(card.name)
        for person_id in (*self._called.get(called, ()), *self._also.get(called, ())):
            whom.setdefault(person_id, "is called the same")
        for name in card.known_as:
            for person_id in self._called.get(skeleton(name), ()):
                whom.setdefault(person_id, f"is called {name}, as this card says too")
        for point in card.points:
            key = _reach(point.kind, point.value)
            for person_id in self._points.get(key, ()) if key else ():
                what = "e-mail address" if point.kind == "email" else "number"
                whom.setdefault(person_id, f"has the same {what}, {point.value}")
        for person_id, why in whom.items():
            yield Alike(why, person_id, self._names.get(person_id, "somebody"))

    def _beside(self, card: ContactCard, uid: str) -> Iterator[Alike]:
        for key, why in ((uid, "has the same id in this file"), (f"name:{skeleton(card.name)}", "is called the same in this file")):
            if key in self._in_file:
                other, name = self._in_file[key]
                yield Alike(why, "", name, other)
                return


def _uid(card: ContactCard) -> str:
    return _UID + hashlib.sha256(card.uid.encode()).hexdigest() if card.uid else ""


def _reach(kind: str, value: str) -> tuple[str, str] | None:
    """Return a number or address as it is compared: +44 7700 900118 and 07700 900118 are one number."""
    if kind == "email":
        return "email", value.casefold()
    if kind not in ("phone", "mobile"):
        return None
    digits = re.sub(r"\D", "", value)
    return ("number", digits[-_LAST_DIGITS:]) if len(digits) >= _FEWEST_DIGITS else None


def _imported(shelf: Shelf, plan: ImportPlan, item: CardPlan, person_id: str, *, added: bool) -> Imported:
    for fingerprint in filter(None, (item.card.fingerprint(), _uid(item.card))):
        if not shelf.number(_IS_HERE, fingerprint=fingerprint):
            shelf.add(ImportedCard, person_id, person_id=person_id, fingerprint=fingerprint, source=plan.source)
    return Imported(item.number, item.card.name, person_id, added)


def _write_new(shelf: Shelf, card: ContactCard, on_caseload: bool) -> str:
    told = {"pronouns": card.pronouns} if card.pronouns else {}
    if _can_be_kept(shelf, card.born_on):
        told["born"] = card.born_on
    person_id = people.add(shelf, card.name, on_caseload=on_caseload, reason="", **told)
    for name in card.known_as:
        if skeleton(name):
            people.also_known_as(shelf, person_id, name)
    for point in card.points:
        people.add_contact(shelf, person_id, point.kind, point.value, point.label)
    _keep_the_rest(shelf, person_id, card, () if "born" in told else (card.born_on,))
    return person_id


def _add_to(shelf: Shelf, person_id: str, card: ContactCard) -> None:
    """Add what a card says to somebody who is here. What they say differently is kept beside, never written over."""
    facts = people.facts(shelf, person_id)
    for name in (card.name, *card.known_as):
        if skeleton(name) and skeleton(name) not in {skeleton(facts.name), *(skeleton(k.name) for k in facts.known_as)}:
            people.also_known_as(shelf, person_id, name)
    reached = {_reach(c.kind, c.value) or (c.kind, c.value) for c in facts.contacts}
    for point in card.points:
        if (_reach(point.kind, point.value) or (point.kind, point.value)) not in reached:
            people.add_contact(shelf, person_id, point.kind, point.value, point.label)
    if card.pronouns and not facts.pronouns:
        people.describe(shelf, person_id, pronouns=card.pronouns)
    elif card.pronouns != facts.pronouns:
        _keep(shelf, person_id, "pronouns from import", card.pronouns)
    unknown = not facts.born_on and not facts.age_about
    if unknown and _can_be_kept(shelf, card.born_on):
        people.describe(shelf, person_id, born=card.born_on)
        born: tuple[str, ...] = ()
    else:
        born = (card.born_on,) if card.born_on != facts.born_on else ()
    _keep_the_rest(shelf, person_id, card, born)


def _keep_the_rest(shelf: Shelf, person_id: str, card: ContactCard, born: tuple[str, ...]) -> None:
    """Keep what the record has no field for as contacts of the kind *other*, each labelled with what it is."""
    _keep(shelf, person_id, "organisation", card.organisation)
    _keep(shelf, person_id, "role", card.role)
    for date in born:
        _keep(shelf, person_id, "birthday from import", _said_birthday(date))
    for at in range(0, len(card.note), LONGEST_PIECE):
        label = "note from import" if not at else f"note from import, part {at // LONGEST_PIECE + 1}"
        _keep(shelf, person_id, label, card.note[at : at + LONGEST_PIECE])


def _keep(shelf: Shelf, person_id: str, label: str, words: str) -> None:
    if words.strip():
        people.add_contact(shelf, person_id, "other", words, label)


def _can_be_kept(shelf: Shelf, born_on: str) -> bool:
    return bool(born_on) and read_born(born_on, shelf.now().day()) is not None


def _said_birthday(date: str) -> str:
    """Return a birthday as words: ``--05-03`` is 3 May, of a year that the file does not say."""
    match = re.fullmatch(r"--(\d{2})-(\d{2})", date)
    if match:
        return f"{int(match[2])} {MONTHS[int(match[1]) - 1]}, year not known"
    return say_born(date) or date
