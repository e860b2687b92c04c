"""Commands about what was written apart: what it is, choosing one of the versions, and everything that was ever written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Annotated

import msgspec
import typer

from leadworker.clock import Moment
from leadworker.domain import caseload, conflicts, histories
from leadworker.domain.conflicts import Choice, Conflict
from leadworker.domain.histories import History, HistoryLine
from leadworker.domain.people import Person
from leadworker.errors import Ambiguous, NotFound, NotUnderstood
from leadworker.plain import documents, naming, sentences, when
from leadworker.plain.command import argument, command, flag, option
from leadworker.plain.place import Place
from leadworker.record import Record, table_of
from leadworker.text import one_line, skeleton
from leadworker.words.saying import say_count, say_time

NONE = "Nobody wrote anything apart."


class Conflicts(msgspec.Struct, frozen=True):
    """Everything that was written apart and is not settled."""

    conflicts: tuple[documents.WrittenApart, ...]


class Settled(msgspec.Struct, frozen=True):
    """A choice that was written down. `open` is true when somebody wrote another version meanwhile."""

    id: str
    field: str
    words: str
    open: bool
    sentence: str


class Said(msgspec.Struct, frozen=True):
    """One value of one field, as somebody wrote it. `settled`: it was chosen from so many versions, 0 for written as it is."""

    id: str
    what: str
    words: str
    written_by: str
    by_me: bool
    written: str
    where: str
    n: int
    received: str
    stands: bool
    apart: bool
    settled: int


class Histories(msgspec.Struct, frozen=True):
    """What was ever written about one record, field by field, the latest first."""

    id: str
    topic: str
    title: str
    person: str
    said: tuple[Said, ...]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "conflicts")(list_conflicts)
    command(app, "settle")(settle)
    command(app, "history")(history)


def list_conflicts(place: Place, person: Annotated[str, option("--person", "PERSON", "Only what is about one person.")] = "") -> None:
    """List what two people wrote differently without having seen one another, each version with who wrote it and when."""
    with place.opened() as opened:
        now = opened.now()
        whom = opened.ask(caseload.resolve, person).id if person else ""
        found = opened.ask(conflicts.open_conflicts, person_id=whom)
    place.tell(Conflicts(tuple(documents.apart(one) for one in found)), _listed(found, now))


def settle(
    place: Place,
    record: Annotated[str, argument("ID", "The id of what was written apart, or the end of it.")],
    field: Annotated[str, option("--what", "WORDS", "Which, where two things of one record were written apart.")] = "",
    keep: Annotated[str, option("--keep", "VERSION", "Keep the version with this id, or the end of it.")] = "",
    yours: Annotated[bool, flag("--yours", "Keep what you wrote.")] = False,
    theirs: Annotated[bool, flag("--theirs", "Keep what the other one wrote.")] = False,
    both: Annotated[bool, flag("--both", "Keep both texts, with who said which.")] = False,
    instead: Annotated[str, option("--instead", "WORDS", "Write this instead of all versions.")] = "",
) -> None:
    """Choose between what was written apart. The versions stay in the history, with your name at the choice."""
    if sum(map(bool, (keep, yours, theirs, both, instead))) != 1:
        raise NotUnderstood("Say one of --yours, --theirs, --both, --keep VERSION or --instead WORDS. Nothing was changed.")
    with place.opened() as opened:
        now = opened.now()
        shown = _find(opened.ask(conflicts.open_conflicts), record, field)
        choice = _choice(shown, keep, yours=yours, theirs=theirs, both=both, instead=instead, now=now)
        is_settled = opened.do(conflicts.settle, shown, choice)
    words = _chosen_words(shown, choice, now)
    said = f"Settled: {shown.person_name}, {shown.what}, is now: {words}. The other versions stay in the history."
    if not is_settled:
        said = "Saved. Somebody wrote another version meanwhile: “leadworker conflicts” shows it."
    place.tell(Settled(shown.record_id, shown.field, words, not is_settled, said), [said])


def history(
    place: Place,
    called: Annotated[list[str], argument("PERSON", "What the person is called, or the beginning of it.")],
    record: Annotated[str, option("--of", "ID", "Of an alert, a visit, an action or a contact of theirs, by its id.")] = "",
) -> None:
    """Say everything that was ever written about a person, or about one thing of theirs: every version, by whom and when."""
    with place.opened() as opened:
        now = opened.now()
        whom = opened.ask(caseload.resolve, " ".join(called))
        kind: type[Record] = Person
        found = whom.id
        if record:
            kind, found = opened.ask(naming.find, naming.NAMED, record, "alert, visit, action or contact")
        told = opened.ask(histories.history, str(table_of(kind).name), found)
    document = Histories(found, told.topic, told.title, whom.name, tuple(_said(line) for line in told.lines))
    place.tell(document, _history(told, whom.name, now))


def _said(line: HistoryLine) -> Said:
    return Said(
        line.change, line.what, line.words, line.written_by, line.by_me, documents.moment(line.wrote_ms, line.wrote_offset),
        line.whereabouts(), line.n, documents.moment(line.received_ms, line.wrote_offset), line.stands, line.apart, line.settled,
    )  # fmt: skip


def _listed(found: tuple[Conflict, ...], now: datetime) -> Iterator[str]:
    if not found:
        yield NONE
        return
    yield f"{say_count(len(found), 'thing was', 'things were')} written apart. Nothing is lost: every version stays in the history."
    for shown in found:
        yield from sentences.written_apart(shown, now)


def _find(found: tuple[Conflict, ...], given: str, field: str) -> Conflict:
    digits = naming.digits_of(given, "thing that was written apart")
    fits = [one for one in found if one.record_id.endswith(digits) or one.record_id.startswith(digits)]
    if field:
        fits = [one for one in fits if skeleton(field) in (skeleton(one.what), skeleton(one.field))]
    if not fits:
        raise NotFound("Nothing that is written apart has that id. “leadworker conflicts” lists what there is. Nothing was changed.")
    if len(fits) > 1:
        named = "; ".join(f"--what “{one.what}”" for one in fits)
        raise Ambiguous(f"More than one thing was written apart there. Say which: {named}. Nothing was changed.")
    return fits[0]


def _choice(shown: Conflict, keep: str, *, yours: bool, theirs: bool, both: bool, instead: str, now: datetime) -> Choice:
    if both:
        return Choice(both=True)
    if instead:
        if shown.says == "time":
            return conflicts.at_time(shown, Moment.of(when.starts(instead, now)))
        if not shown.by_hand:
            raise NotUnderstood(f"It is one or the other: {shown.what}. Keep one of the versions. Nothing was changed.")
        return Choice(value=instead)
    versions = shown.mine() if yours else shown.theirs() if theirs else shown.versions
    if keep:
        digits = naming.digits_of(keep, "version")
        versions = tuple(one for one in versions if one.change.endswith(digits) or one.change.startswith(digits))
    if len({one.words for one in versions}) != 1:
        raise Ambiguous(
            f"{len(versions)} of the versions fit that. --keep names one by its id, as “leadworker conflicts” shows it. "
            "Nothing was changed."
        )
    return Choice(version=versions[0].change)


def _chosen_words(shown: Conflict, choice: Choice, now: datetime) -> str:
    if choice.version:
        return next(one.words for one in shown.versions if one.change == choice.version)
    if choice.both:
        return "; ".join(conflicts.joined(shown.versions).split("\n"))
    if shown.says == "time" and isinstance(choice.value, int):
        return say_time(Moment(choice.value, int(next(iter(choice.beside.values())))).local(), now)
    return one_line(str(choice.value))


def _history(told: History, name: str, now: datetime) -> Iterator[str]:
    yield sentences.sentence(name, one_line(told.title))
    for what, lines in groupby(told.lines, key=lambda line: line.what):
        yield f"{what[:1].upper()}{what[1:]}:"
        for line in lines:
            who = "you" if line.by_me else line.written_by
            chosen = f", chosen from {line.settled} versions" if line.settled else ""
            state = ", one of the versions that stand" if line.apart else ", as it is now" if line.stands else ""
            at = say_time(Moment(line.wrote_ms, line.wrote_offset).local(), now)
            yield from sentences.labelled(f"{at}, {who}{chosen}{state}, {sentences.place(line, now)}", line.words)
