"""From a draft to an entry: what its first line and its next lines say, whom it is about, and when it happened."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, time

import msgspec

from leadworker.clock import Moment
from leadworker.domain.actions import NewAction
from leadworker.domain.drafts import Draft
from leadworker.domain.journal import NewEntry
from leadworker.errors import NotUnderstood
from leadworker.words.days import find_days
from leadworker.words.first_line import FirstLine, read_first_line
from leadworker.words.lines import Line as DayLine
from leadworker.words.next_lines import NextAction, read_next_lines
from leadworker.words.people import Known

_PARTS = {"morning": time(9), "afternoon": time(14), "evening": time(18), "night": time(22)}


class Reading(msgspec.Struct, frozen=True):
    """A draft as it is understood at this moment. `about` is the id of whom it is filed under, empty for nobody yet."""

    first: FirstLine
    actions: tuple[NextAction, ...]
    about: str


def read(draft: Draft, now: datetime, people: Sequence[Known], caseload: Collection[str], me: str, owners: Sequence[Known] = ()) -> Reading:
    """Read a draft's first line and next lines. `caseload` holds the ids of the people we work with.

    `owners` are those whom a next line may name, where these are more than `people`: colleagues too.
    """
    first = read_first_line(draft.first_line, now, people, draft.person_id)
    return Reading(first, read_next_lines(draft.next_steps, now, owners or people, me), about(first, draft.person_id, caseload))


def about(first: FirstLine, default: str, caseload: Collection[str]) -> str:
    """Return whom a note is about: the first one named that we work with, else whoever was in view, else the first named."""
    named = next((person for person in first.person_ids if person in caseload), "")
    return named or default or next(iter(first.person_ids), "")


def entry_of(draft: Draft, reading: Reading, now: datetime, me: str) -> NewEntry:
    """Return the entry that a draft becomes; raise `NotUnderstood` when it is about nobody."""
    if not reading.about:
        raise NotUnderstood("Who is this about? Write @ and a name in the first line. What you typed is kept as a draft.")
    first = reading.first
    happened, precision = when(first, now)
    return NewEntry(
        person_id=reading.about,
        kind=first.kind.value if first.kind else "note",
        happened=Moment.of(happened),
        precision=precision,
        minutes=first.minutes or 0,
        place=first.place,
        title=first.rest,
        jotting=draft.first_line,
        seen=draft.seen,
        said=draft.said,
        noticed=draft.noticed,
        think=draft.think,
        next_steps=draft.next_steps,
        actions=tuple(new_action(action, me) for action in reading.actions),
    )


def when(first: FirstLine, now: datetime) -> tuple[datetime, str]:
    """Return when it happened and how exactly that is known: ``exact``, ``about`` or ``day``."""
    if first.day is None and first.at is None:
        return now, "exact"
    day = first.day or now.date()
    if first.at is not None:
        return _on_the_clock(day, first.at, now), "exact" if first.when_certain and not first.about else "about"
    return _on_the_clock(day, _PARTS.get(first.part_of_day, time(12)), now), "day"


def starts(words: str, now: datetime) -> datetime:
    """Return when a visit starts. Looks forward; day and time are both needed, a time alone means the next such time today.

    Raises `NotUnderstood` when one of them is missing or cannot be read: nothing is guessed.
    """
    clock = read_first_line(words, now, ()).at
    if clock is None:
        raise NotUnderstood("At what time? Write it as 3.30pm or 15:30, after the day. Nothing was saved.")
    days = find_days(DayLine(words).open, now.date(), back=False)
    day = next((found.day for found in days if found.day), None)
    if not days and clock > time(now.hour, now.minute):
        day = now.date()
    if day is None:
        raise NotUnderstood("On which day? Write it as today, tomorrow, Thu, or 20 Nov. Nothing was saved.")
    return _on_the_clock(day, clock, now)


def _on_the_clock(day: date, clock: time, now: datetime) -> datetime:
    """Return a moment as this laptop's clock shows it on that day, which may be on the other side of a clock change."""
    said = datetime.combine(day, clock)
    if now.utcoffset() != now.astimezone().utcoffset():  # `now` is told by another clock than this computer's
        return said.replace(tzinfo=now.tzinfo)
    try:
        return said.astimezone()
    except OSError:  # Windows knows no clock changes before 1970
        return said.replace(tzinfo=now.tzinfo)


def new_action(action: NextAction, me: str) -> NewAction:
    """Return an action as it is written down: with exactly one named owner."""
    due = action.due_on.isoformat() if action.due_on else ""
    return NewAction(action.text, me if action.owner_is_me else action.owner, action.owner_id, action.owner_is_me, due)
