"""Reads the *next* lines of a note: one action a line, with its one owner and the day it is due.

`text @Sam thu` becomes "Text Sam", the writer's, due next Thursday. What could not be read becomes a question;
nothing is refused and nothing is guessed silently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from leadworker.text import one_line
from leadworker.words.days import DayFound, find_days
from leadworker.words.lines import LONGEST_READ, Chip, Line, Span, chip
from leadworker.words.owners import OwnerFound, find_owner
from leadworker.words.people import Known, Mention, People, find_mentions, people_among, person_chips
from leadworker.words.saying import say_day

__all__ = ["Chip", "Known", "NextAction", "Span", "read_next_lines"]

MOST_LINES = 200
"""Lines that are read as actions; what follows stays in the field as words."""


class NextAction(msgspec.Struct, frozen=True):
    """One action as a line says it.

    `owner` is a name and never a team; `owner_id` is empty for a colleague, and when the writer's id is not among the known people.
    `owner_certain` is False when the line named, or may have named, an owner who was not accepted: the writer is
    the owner and a chip asks. `person_ids` are the people whom the action mentions. `line` counts from 0, blank
    lines too, and `spans` lie in that line.
    """

    text: str
    owner: str
    owner_id: str
    owner_is_me: bool
    owner_certain: bool
    due_on: date | None
    chips: tuple[Chip, ...]
    line: int
    person_ids: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


_BULLET = re.compile(r"\s*(?:(?:[-*•–—→]\s+|\d{1,2}[.)]\s+|\[[ x]?\]\s*|☐\s*)(?=\S))+")


def read_next_lines(text: str, now: datetime, people: Sequence[Known], me: str) -> tuple[NextAction, ...]:
    """Read every line of `text` that is not blank as an action, as of `now`; any text at all is read.

    `people` are those whom a name may mean; `me` is the writer's id among them, or the writer's name.
    Of a line the first 400 characters are read for meaning, the others stay as words.
    """
    known = people_among(people)
    lines = text.split("\n", MOST_LINES)[:MOST_LINES]
    return tuple(_read_action(line, number, now.date(), known, me) for number, line in enumerate(lines) if line.strip())


def _read_action(line: str, number: int, today: date, known: People, me: str) -> NextAction:
    reading = Line(line)
    bullet = _BULLET.match(reading.open)
    if bullet:
        reading.hide(*bullet.span())
        reading.say_instead(*bullet.span(), "")
    owner = find_owner(reading, known)
    if owner:
        _note_owner(reading, owner)
    mentions = find_mentions(reading.typed, reading.open, known)
    for mention in mentions:
        _keep_name(reading, mention)
    due, due_certain = _read_due(reading, today)
    words = reading.left_over()
    owner_id = owner.person_id if owner and owner.person_id else me
    chips = [chip("you" if owner_id == me else known.name(owner_id), True, "person")]
    chips += [chip(owner.question, False, "what?")] if owner and owner.question else []
    chips += _due_chips(due, due_certain, today)
    chips += person_chips((), mentions, known)
    chips += [] if words else [chip("what?", False, "what?")]
    return NextAction(
        text=_capital(words or one_line(line[:LONGEST_READ])),
        owner=known.name(owner_id) or owner_id,
        owner_id=owner_id if known.name(owner_id) and not known.is_colleague(owner_id) else "",
        owner_is_me=owner_id == me,
        owner_certain=owner is None or not owner.question,
        due_on=due.day if due else None,
        chips=tuple(chips),
        line=number,
        person_ids=tuple(dict.fromkeys(mention.ids[0] for mention in mentions if len(mention.ids) == 1)),
        spans=reading.spans(),
    )


def _note_owner(reading: Line, owner: OwnerFound) -> None:
    """Note where the owner is named; the words stay when the owner was not accepted, all but the sign."""
    reading.take(owner.start, owner.end, "what?" if owner.question else "person", keep=bool(owner.question))
    sign = reading.typed.find("@", max(0, owner.start - 1), owner.end) if owner.question else -1
    if sign >= 0:
        reading.say_instead(sign, sign + 1, "")


def _keep_name(reading: Line, mention: Mention) -> None:
    """Note whom the action is with; the name stays in its words, without the sign and with its capitals."""
    reading.understand(mention.start, mention.end, "person" if len(mention.ids) == 1 else "what?")
    typed = reading.typed[mention.start + 1 : mention.end]
    name = typed.title().replace("'S", "'s").replace("’S", "’s") if typed.islower() else typed
    reading.say_instead(mention.start, mention.end, name)


def _read_due(reading: Line, today: date) -> tuple[DayFound | None, bool]:
    """Return the day that the line is due and whether that is certain; the last one said, the surest first."""
    days = find_days(reading.open, today, back=False)
    due = max(days, key=lambda day: (day.day is not None, day.certain, day.start), default=None)
    if due is None:
        return None, True
    rivals = {day.day for day in days if day.day and day.certain} - {due.day}
    certain = due.certain and not rivals
    reading.take(due.start, due.end, "when" if due.day else "what?", keep=due.keep or not certain)
    return due, certain


def _due_chips(due: DayFound | None, certain: bool, today: date) -> list[Chip]:
    if due is None:
        return []
    if due.day is None:
        return [chip("what day?", False, "what?")]
    chips = [chip(f"due {say_day(due.day, today)}", certain, "when")]
    return [*chips, chip("in the past?", False, "what?")] if due.day < today else chips


def _capital(words: str) -> str:
    """Return the words with a capital first letter; a letter that would grow stays as it is."""
    first = words[:1].upper()
    return first + words[1:] if len(first) == 1 else words
