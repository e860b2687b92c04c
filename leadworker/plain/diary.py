"""Commands about the day: today, visits in the diary, and actions that were promised."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from leadworker.clock import Moment
from leadworker.domain import actions as deeds
from leadworker.domain import caseload
from leadworker.domain import today as day
from leadworker.domain import visits as diary
from leadworker.domain.actions import Action
from leadworker.domain.visits import Visit, VisitRow
from leadworker.errors import NotUnderstood
from leadworker.plain import documents, naming, sentences, when
from leadworker.plain.command import argument, command, flag, group, option
from leadworker.plain.place import Open, Place
from leadworker.shelf import Shelf
from leadworker.words.first_line import read_first_line
from leadworker.words.saying import say_length, say_time


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "today")(today)
    command(app, "visit")(visit)
    listed = group(app, "visits", "Visits in the diary.")
    command(listed)(visits)
    command(listed, "move")(move)
    command(listed, "cancel")(cancel)
    command(app, "actions")(actions)
    command(app, "done")(done)
    command(app, "reopen")(reopen)


def today(place: Place) -> None:
    """What needs you today.

    Visits with what to know at the door, what is unfinished, what is due, what is new.
    """
    with place.opened() as opened:
        found, now = opened.ask(day.today), opened.now()
    document = documents.Today(
        now.date().isoformat(),
        tuple(documents.visit(row) for row in found.visits),
        tuple(documents.visit(row) for row in found.not_written_up),
        tuple(documents.draft(kept) for kept in found.drafts),
        tuple(documents.action(row) for row in found.todo),
        tuple(documents.news(row) for row in found.news),
        tuple(documents.apart(one) for one in found.apart),
    )
    place.tell(document, _today(found, now))


def _today(found: day.Today, now: datetime) -> Iterator[str]:
    yield f"{sentences.long_day(now.date())}."
    yield "Visits today:" if found.visits else "No visits today."
    for row in found.visits:
        yield from sentences.visit(row, now, day=False)
    if found.apart:
        yield f"Written apart: {len(found.apart)}. “leadworker settle” chooses."
        for one in found.apart:
            yield from sentences.written_apart(one, now)
    if found.drafts or found.not_written_up:
        yield "Not finished:"
        for kept in found.drafts:
            yield f"Draft {sentences.draft(kept, now)}"
        for row in found.not_written_up:
            yield from sentences.visit(row, now)
    yield "To do:" if found.todo else "Nothing is due."
    for action in found.todo:
        yield sentences.action(action, now)
    if found.news:
        yield "New from others:"
        for news in found.news:
            yield sentences.news(news, now)


def visit(
    place: Place,
    person: Annotated[str, argument("PERSON", "Whom to visit.")],
    starts: Annotated[list[str], argument("WHEN...", "When: tomorrow 3.30pm, Thu 20 Nov 15:30, or 2025-11-20T15:30.")],
    minutes: Annotated[str, option("--minutes", "LENGTH", "How long: 45, or 1 h 30.")] = "",
    where: Annotated[str, option("--place", "WHERE", "Where.")] = "",
    note: Annotated[str, option("--note", "TEXT", "What to take, what to ask.")] = "",
) -> None:
    """Put a visit into the diary."""
    with place.opened() as opened:
        now = opened.now()
        whom = opened.ask(caseload.resolve, person)
        begins = when.starts(" ".join(starts), now)
        length = read_minutes(minutes, now) if minutes else 60
        made = opened.do(diary.plan, whom.id, Moment.of(begins), minutes=length, place=where, note=note)
    said = f"{whom.name}, {say_time(begins, now)}, {say_length(length)}: in the diary. Id {sentences.short(made)}."
    place.tell(documents.Written(made, said), [said])


def read_minutes(words: str, now: datetime) -> int:
    """Return a length in minutes, given as a number of them or in words; raise `NotUnderstood`."""
    text = words.strip()
    if text.isascii() and text.isdigit() and len(text) <= 5:
        return int(text)
    read = read_first_line(text, now, ()).minutes
    if read is None:
        raise NotUnderstood("How long? Write minutes as a number, or 1 h 30. Nothing was saved.")
    return read


def visits(
    place: Place,
    person: Annotated[str, option("--person", "PERSON", "All visits of one person, also past and cancelled ones.")] = "",
) -> None:
    """List the visits ahead, with their ids.

    First those of the last days that nobody has written up.
    """
    with place.opened() as opened:
        now = opened.now()
        rows = _of_person(opened, person) if person else opened.ask(_ahead)
    nothing = "There are no visits in the diary."
    place.tell(documents.Visits(tuple(documents.visit(row) for row in rows)), _lines(rows, now, nothing))


def _of_person(opened: Open, person: str) -> tuple[VisitRow, ...]:
    return opened.ask(diary.of_person, opened.ask(caseload.resolve, person).id)


def _ahead(shelf: Shelf) -> tuple[VisitRow, ...]:
    """Return what nobody has written up, then everything planned from today on, in order."""
    start = shelf.now().day()
    found: dict[str, VisitRow] = {row.id: row for row in diary.not_written_up(shelf)}
    ahead: list[VisitRow] = []
    for person in caseload.known_people(shelf):
        for row in diary.of_person(shelf, person.id):
            if row.state == diary.PLANNED and not row.entry_id and row.starts().local().date() >= start:
                ahead.append(row)
    found |= {row.id: row for row in sorted(ahead, key=lambda row: row.starts_ms)}
    return tuple(found.values())


def _lines(rows: tuple[VisitRow, ...], now: datetime, nothing: str) -> Iterator[str]:
    for row in rows:
        yield from sentences.visit(row, now)
    if not rows:
        yield nothing


def move(
    place: Place,
    visit: Annotated[str, argument("VISIT", "The visit's id, or the end of it.")],
    starts: Annotated[list[str], argument("WHEN...", "When: tomorrow 3.30pm, Thu 20 Nov 15:30, or 2025-11-20T15:30.")],
) -> None:
    """Give a visit another time."""
    with place.opened() as opened:
        found = opened.ask(naming.find_one, Visit, visit, "visit")
        now = opened.now()
        begins = when.starts(" ".join(starts), now)
        opened.do(diary.move, found, Moment.of(begins))
    said = f"The visit is now {say_time(begins, now)}."
    place.tell(documents.Written(found, said), [said])


def cancel(place: Place, visit: Annotated[str, argument("VISIT", "The visit's id, or the end of it.")]) -> None:
    """Say that a visit will not take place; it stays in the record."""
    with place.opened() as opened:
        found = opened.ask(naming.find_one, Visit, visit, "visit")
        opened.do(diary.cancel, found)
    said = "The visit is cancelled. It stays in the record."
    place.tell(documents.Written(found, said), [said])


def actions(
    place: Place,
    person: Annotated[str, option("--person", "PERSON", "All actions about one person, whoever owns them.")] = "",
    also_done: Annotated[bool, flag("--done", "With --person: also those that are done.")] = False,
) -> None:
    """List your open actions, the longest due first."""
    with place.opened() as opened:
        now = opened.now()
        if person:
            rows = opened.ask(deeds.of_person, opened.ask(caseload.resolve, person).id)
            rows = rows if also_done else tuple(row for row in rows if not row.done_on)
        else:
            rows = opened.ask(deeds.todo)
    lines = [sentences.action(row, now) for row in rows] or ["Nothing is open."]
    place.tell(documents.Actions(tuple(documents.action(row) for row in rows)), lines)


def done(place: Place, action: Annotated[str, argument("ACTION", "The action's id, or the end of it.")]) -> None:
    """Tick an action: done, today, by you."""
    with place.opened() as opened:
        row = _tick(opened, action, undo=False)
    said = f"Done: {row.text}. “leadworker reopen {sentences.short(row.id)}” takes the tick away."
    place.tell(documents.Written(row.id, said), [said])


def reopen(place: Place, action: Annotated[str, argument("ACTION", "The action's id, or the end of it.")]) -> None:
    """Take the tick from an action."""
    with place.opened() as opened:
        row = _tick(opened, action, undo=True)
    said = f"Open again: {row.text}."
    place.tell(documents.Written(row.id, said), [said])


def _tick(opened: Open, given: str, *, undo: bool) -> Action:
    found = opened.ask(naming.find_one, Action, given, "action")
    opened.do(deeds.reopen if undo else deeds.finish, found)
    return opened.ask(_action, found)


def _action(shelf: Shelf, action_id: str) -> Action:
    return shelf.get(Action, action_id)
