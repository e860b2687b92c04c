"""The command that brings contacts in from a file: what it would do, what it did, and every question and line that is left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leadworker.contacts import LARGEST_FILE, ContactCard, Unread, read_contacts
from leadworker.domain import caseload, importing
from leadworker.domain.importing import CardPlan, CardStanding, Imported, ImportPlan, ImportReport
from leadworker.errors import NotUnderstood
from leadworker.plain import output, sentences
from leadworker.plain.command import argument, command, flag, option
from leadworker.plain.place import Open, Place
from leadworker.words.people import Known
from leadworker.words.saying import say_count


class CardNamed(msgspec.Struct, frozen=True):
    """A card that is, or would be, written. `person_id` is empty in a dry run for somebody new."""

    number: int
    line: int
    name: str
    person_id: str


class LooksLike(msgspec.Struct, frozen=True):
    """Whom a card may be: somebody here, or an earlier card of the file."""

    person_id: str
    name: str
    card: int
    why: str


class Question(msgspec.Struct, frozen=True):
    """A card that was not written because it looks like somebody."""

    number: int
    line: int
    name: str
    looks_like: tuple[LooksLike, ...]


class LeftOut(msgspec.Struct, frozen=True):
    """What the file says about somebody and the record does not hold."""

    number: int
    name: str
    remarks: tuple[str, ...]


class UnreadLine(msgspec.Struct, frozen=True):
    """A line, row or card that could not be read."""

    line: int
    reason: str
    excerpt: str


class ImportDone(msgspec.Struct, frozen=True):
    """What an import did, or in a dry run would do. `known` cards were here already, unchanged."""

    file: str
    format: str
    dry_run: bool
    added: tuple[CardNamed, ...]
    joined: tuple[CardNamed, ...]
    known: int
    questions: tuple[Question, ...]
    left_out: tuple[LeftOut, ...]
    unread: tuple[UnreadLine, ...]


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, "import")(import_file)


def import_file(
    place: Place,
    file: Annotated[Path, argument("FILE", "A vCard file, or a CSV as Outlook, Google or a spreadsheet writes it.")],
    dry_run: Annotated[bool, flag("--dry-run", "Only say what it would do.")] = False,
    caseload_too: Annotated[bool, flag("--caseload", "Take everybody who is new on to your caseload.")] = False,
    add_anyway: Annotated[bool, flag("--add-anyway", "Add cards that look like somebody as new people too.")] = False,
    same_person: Annotated[
        list[str] | None,
        option("--same-person", "CARD=PERSON", "The card of this number is this person; may be given several times."),
    ] = None,
) -> None:
    """Bring contacts in from a vCard or CSV file. Nothing is merged silently: a card that looks like somebody here is left as a question.

    An import can be run again: what was written before is known and not doubled. Use --dry-run first.
    """
    data = _bytes_of(file)
    reading = read_contacts(data, file.name)
    with place.opened() as opened:
        same = {number: opened.ask(caseload.resolve, name) for number, name in _answers(same_person or []).items()}
        plan = opened.ask(importing.plan_import, reading, importing.source_of(file.name, data))
        plan = importing.decide(plan, add_anyway=add_anyway, same=same)
        report = _would_do(plan) if dry_run else _carry_out(opened, plan, caseload_too, silent=place.as_json)
    place.tell(_document(file.name, plan, report, dry_run), _lines(file.name, plan, report, dry_run, same))


def _bytes_of(file: Path) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise NotUnderstood(f"The file {file} cannot be read: {error.strerror}. Nothing was imported.") from error


def _answers(given: list[str]) -> dict[int, str]:
    """Return the answers ``3=Keira`` by the number of the card."""
    answers = {}
    for answer in given:
        match = re.fullmatch(r"\s*(\d{1,7})\s*=\s*(.+)", answer, re.DOTALL)
        if match is None:
            raise NotUnderstood("Write --same-person as the card's number and the person: --same-person 3=Keira. Nothing was imported.")
        answers[int(match[1])] = match[2]
    return answers


def _carry_out(opened: Open, plan: ImportPlan, on_caseload: bool, *, silent: bool) -> ImportReport:
    progress = output.Progress("Imported", silent=silent)
    report, done = ImportReport(), 0
    for part in importing.batches(plan):
        report = report.and_then(opened.do(importing.carry_out, part, on_caseload=on_caseload))
        done += len(part.cards)
        progress.at(done, len(plan.cards))
    return report


def _would_do(plan: ImportPlan) -> ImportReport:
    written = plan.standing(CardStanding.NEW, CardStanding.SAME)
    known = len(plan.standing(CardStanding.HERE, CardStanding.TWICE))
    imported = tuple(Imported(c.number, c.card.name, c.same, c.standing is CardStanding.NEW) for c in written)
    return ImportReport(imported, known, plan.standing(CardStanding.ALIKE))


def _document(name: str, plan: ImportPlan, report: ImportReport, dry_run: bool) -> ImportDone:
    cards = {card.number: card.card for card in plan.cards}
    named = [(CardNamed(d.number, cards[d.number].line, d.name, d.person_id), d.added) for d in report.imported]
    questions = tuple(
        Question(q.number, q.card.line, q.card.name, tuple(LooksLike(a.person_id, a.name, a.card, a.why) for a in q.alike))
        for q in report.questions
    )
    left_out = tuple(LeftOut(d.number, d.name, cards[d.number].left_out) for d in report.imported if cards[d.number].left_out)
    unread = tuple(UnreadLine(one.line, one.reason, one.excerpt) for one in plan.unread)
    added = tuple(card for card, is_new in named if is_new)
    joined = tuple(card for card, is_new in named if not is_new)
    return ImportDone(name, plan.format, dry_run, added, joined, report.known, questions, left_out, unread)


def _lines(name: str, plan: ImportPlan, report: ImportReport, dry_run: bool, same: Mapping[int, Known]) -> Iterator[str]:
    cards = {card.number: card.card for card in plan.cards}
    yield f"{name}: {plan.format}, {say_count(len(plan.cards), 'card', 'cards')}."
    if dry_run:
        yield "This is a dry run: nothing is written."
    added = [done for done in report.imported if done.added]
    yield f"{'Would add' if dry_run else 'Added'} {say_count(len(added), 'person', 'people')}{':' if added and dry_run else '.'}"
    for done in added if dry_run else ():
        yield f"  Card {done.number}, line {cards[done.number].line}: {_summary(cards[done.number])}"
    for done in report.imported:
        if not done.added:
            yield f"{'Would add' if dry_run else 'Added'} what card {done.number}, {done.name}, says to {same[done.number].name}."
    if report.known:
        yield f"{say_count(report.known, 'card was', 'cards were')} here already, unchanged."
    yield from _questions(report.questions)
    yield from _left_out(report, cards)
    yield from _unread(plan.unread)


def _summary(card: ContactCard) -> str:
    points = [f"{point.value}{f' ({point.label})' if point.label else ''}" for point in card.points]
    return sentences.sentence(card.name, *points, card.organisation, card.role, "with a note" if card.note else "")


def _questions(questions: tuple[CardPlan, ...]) -> Iterator[str]:
    if not questions:
        return
    looks = say_count(len(questions), "card looks", "cards look")
    yield f"{looks} like somebody, so nothing was done with {'it' if len(questions) == 1 else 'them'}:"
    for question in questions:
        yield f"  Card {question.number}, line {question.card.line}, {question.card.name}:"
        for alike in question.alike:
            who = f"{alike.name} here" if alike.person_id else f"Card {alike.card}, {alike.name},"
            yield f"    {who} {alike.why}."
    first = questions[0]
    yield f"If it is the same person, run it again with --same-person {first.number}=NAME; if not, with --add-anyway."


def _left_out(report: ImportReport, cards: dict[int, ContactCard]) -> Iterator[str]:
    spoken = [done for done in report.imported if cards[done.number].left_out]
    if spoken:
        yield "The record has no place for this, so it stays in the file:"
    for done in spoken:
        for remark in cards[done.number].left_out:
            yield f"  Card {done.number}, {done.name}: {remark}"


def _unread(unread: tuple[Unread, ...]) -> Iterator[str]:
    if unread:
        yield f"{say_count(len(unread), 'place', 'places')} in the file could not be read:"
    for one in unread:
        yield f"  Line {one.line}: {one.reason}{f' “{one.excerpt}”' if one.excerpt else ''}"
