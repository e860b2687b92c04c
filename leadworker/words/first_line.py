"""Reads the first line of a note as it is typed: `visit @Keira home yesterday 4pm 50 min`.

What was understood is given back in words, to be shown under the line; what could not be read becomes a
question. Nothing is refused and nothing is guessed silently. The caller keeps the line itself as the
original jotting (REC-04).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time

import msgspec

from leadworker.words.almanac import shift
from leadworker.words.days import DayFound, find_days
from leadworker.words.kinds import EntryKind, KindFound, find_kind
from leadworker.words.lengths import LengthFound, find_length
from leadworker.words.lines import Chip, Line, Span, chip
from leadworker.words.people import (
    Known,
    Mention,
    People,
    ambiguous_names,
    find_mentions,
    people_among,
    person_chips,
    unknown_names,
)
from leadworker.words.places import PlaceFound, find_place
from leadworker.words.saying import say_day, say_length
from leadworker.words.times import TimeFound, find_time

__all__ = ["Chip", "FirstLine", "Known", "Span", "read_first_line"]


class FirstLine(msgspec.Struct, frozen=True):
    """What a first line says.

    `day` is None when no day was said (the entry is then about now) or when it could not be read (a chip asks).
    `part_of_day` is morning, afternoon, evening, night or nothing; `about` says that the time is approximate.
    `when_certain` is False when a chip asks about the day or the time: what is kept is then not exact.
    `minutes` is how long it took. `place` is in the line's words. `rest` is what was not understood, fit for a
    title. `ambiguous` holds each name that fits several people, with their ids. `spans` lie in the line as typed.
    """

    kind: EntryKind | None = None
    person_ids: tuple[str, ...] = ()
    unknown_names: tuple[str, ...] = ()
    ambiguous: tuple[tuple[str, tuple[str, ...]], ...] = ()
    day: date | None = None
    at: time | None = None
    minutes: int | None = None
    place: str = ""
    rest: str = ""
    chips: tuple[Chip, ...] = ()
    spans: tuple[Span, ...] = ()
    part_of_day: str = ""
    about: bool = False
    when_certain: bool = True


class _When(msgspec.Struct):
    """The day and time while they are put together."""

    day: date | None = None
    at: time | None = None
    part: str = ""
    about: bool = False
    certain: bool = True
    unread_day: bool = False
    unread_time: bool = False
    minutes: int = 0


class _What(msgspec.Struct, frozen=True):
    """What it was, how long it took and where."""

    kind: KindFound | None
    length: LengthFound | None
    place: PlaceFound | None

    def where(self) -> str:
        """Return the place, if need be the one that the kind says by itself: a home visit."""
        return self.place.place if self.place else self.kind.place if self.kind else ""


_TALK = re.compile(r"\b(?:about(?!\s+(?:\d|an?\s+hour|half))|re|regarding|because|that|who|which|said|says|told|asked)\b|[:;](?!\d)")
"""Where a line stops saying what it is and goes on to what it was about."""

_PEOPLE_JOINT = re.compile(r"(?:^|\x00)\s*((?:,|&|\+|w/|(?:with|and|to|w)\b)\s*)\Z")
_DISTANT_KINDS = frozenset({EntryKind.phone, EntryKind.text_message, EntryKind.email, EntryKind.letter, EntryKind.video})


def read_first_line(line: str, now: datetime, people: Sequence[Known], default_person: str = "") -> FirstLine:
    """Read `line` as it stands at `now` (the writer's own clock); any text at all is read, none is refused.

    `people` are those whom an `@Name` may mean; `default_person` is the id of the person the note is about when
    the line names nobody known. Only the first 400 characters are read for meaning; the rest stays as words.
    """
    known = people_among(people)
    reading = Line(line)
    mentions = _read_people(reading, known)
    when = _read_when(reading, now)
    what = _read_what(reading)
    _say_people(reading, mentions)
    ids = tuple(dict.fromkeys(mention.ids[0] for mention in mentions if len(mention.ids) == 1))
    ids = ids or ((default_person,) if default_person else ())
    when_chips = _when_chips(when, now)
    minutes = what.length.minutes if what.length else when.minutes or None
    return FirstLine(
        kind=what.kind.kind if what.kind else None,
        person_ids=ids,
        unknown_names=unknown_names(mentions),
        ambiguous=ambiguous_names(mentions),
        day=when.day,
        at=when.at,
        minutes=minutes,
        place=what.where(),
        rest=reading.left_over(),
        chips=(*_kind_chips(what), *when_chips, *_what_chips(what, minutes), *person_chips(ids, mentions, known)),
        spans=reading.spans(),
        part_of_day=when.part,
        about=when.about,
        when_certain=all(chip.certain for chip in when_chips),
    )


def _read_people(reading: Line, known: People) -> list[Mention]:
    mentions = find_mentions(reading.typed, reading.open, known)
    for mention in mentions:
        reading.understand(mention.start, mention.end, "person" if len(mention.ids) == 1 else "what?")
    return mentions


def _read_what(reading: Line) -> _What:
    """Read the kind, the length and the place, and note them in the line; the place needs the others as neighbours."""
    length = find_length(reading.open)
    if length:
        reading.understand(length.start, length.end, "length" if length.minutes else "what?")
    talk = _TALK.search(reading.open)
    boundary = talk.start() if talk else len(reading.open)
    kind = find_kind(reading, boundary)
    if kind:
        reading.take(kind.start, kind.end, "kind", kind.keep)
    distant = kind is not None and kind.kind in _DISTANT_KINDS  # rang school says who was rung, not where
    place = None if distant else find_place(reading, boundary)
    if place:
        reading.take(place.start, place.end, "place", place.keep)
    if length and length.minutes and (reading.leads(length.start) or reading.ends(length.end)):
        reading.say_instead(length.start, length.end, " ")
    return _What(kind, length, place)


def _kind_chips(what: _What) -> list[Chip]:
    return [chip(what.kind.kind.said, what.kind.certain, "kind")] if what.kind else []


def _what_chips(what: _What, minutes: int | None) -> list[Chip]:
    chips = []
    if minutes is not None:
        chips.append(chip(say_length(minutes), True, "length"))
    elif what.length:
        chips.append(chip("how long?", False, "what?"))
    if what.where():
        chips.append(chip(what.where(), what.place is None or what.place.certain, "place"))
    return chips


def _read_when(reading: Line, now: datetime) -> _When:
    """Read the day and the time of day, and note both in the line."""
    days = find_days(reading.open, now.date(), back=True)
    chosen = _choose_day(days)
    talk = _TALK.search(reading.open)
    when = _When()
    if chosen:
        told_of = bool(talk and chosen.start > talk.start() and not chosen.firm)
        rivals = {day.day for day in days if day.day and (day.firm or not chosen.firm)} - {chosen.day}
        when.day, when.part = chosen.day, chosen.part
        when.certain = chosen.certain and not told_of and not rivals
        when.unread_day = chosen.day is None
        reading.take(chosen.start, chosen.end, "when" if chosen.day else "what?", keep=not when.certain)
    found = find_time(reading.open, now, when.part)
    if found:
        beside = chosen is not None and abs(found.start - chosen.end) <= 4
        if talk and found.start > talk.start() and not beside and not found.day:
            found = msgspec.structs.replace(found, certain=False)
        _add_time(when, found, now)
        reading.take(found.start, found.end, "when" if found.at else "what?", keep=not found.certain)
    return when


def _choose_day(days: Sequence[DayFound]) -> DayFound | None:
    """Return the day that the line is most likely about: a date or `yesterday` before a bare weekday, then the first."""
    return min(days, key=lambda day: (day.day is None, not day.firm, day.start), default=None)


def _add_time(when: _When, found: TimeFound, now: datetime) -> None:
    when.about = found.about
    when.minutes = found.minutes
    if found.at is None:
        when.unread_time = True
        return
    when.at = found.at
    when.certain = when.certain and found.certain
    if found.day is not None and when.day is None:
        when.day, when.unread_day = found.day, False
    elif when.day is None and not when.unread_day:
        if (found.at.hour, found.at.minute) <= (now.hour, now.minute):
            when.day = now.date()  # nobody says today for what they have just done
        else:
            when.unread_day = True
    elif when.day is not None and when.part == "night" and found.at.hour < 5:
        when.day, when.certain = shift(when.day, 1), False  # one in the morning, last night


def _when_chips(when: _When, now: datetime) -> list[Chip]:
    chips: list[Chip] = []
    words = _say_when(when, now)
    if words:
        chips.append(chip(words, when.certain, "when"))
    if when.unread_day:
        chips.append(chip("what day?", False, "what?"))
    if when.unread_time:
        chips.append(chip("what time?", False, "what?"))
    if when.day is not None:
        ahead = when.at is not None and (when.at.hour, when.at.minute) > (now.hour, now.minute)
        if when.day > now.date() or (when.day == now.date() and ahead):
            chips.append(chip("in the future?", False, "what?"))
    return chips


def _say_when(when: _When, now: datetime) -> str:
    clock = f"{'about ' if when.about else ''}{when.at.hour:02}:{when.at.minute:02}" if when.at else ""
    if when.day is None:
        return clock
    day = say_day(when.day, now.date())
    if clock or not when.part:
        return f"{day} {clock}".strip()
    if day == "today":
        return "this evening" if when.part == "night" else f"this {when.part}"
    return "last night" if (day, when.part) == ("yesterday", "night") else f"{day} {when.part}"


def _say_people(reading: Line, mentions: Sequence[Mention]) -> None:
    """Leave a name out of the rest of the line unless a sentence needs it: `talked to @Sam about court`."""
    for mention in mentions:
        joint = _PEOPLE_JOINT.search(reading.open, max(0, mention.start - 12), mention.start)
        known = len(mention.ids) == 1
        if known and (reading.leads(mention.start) or joint):
            start = joint.start(1) if joint else mention.start
            reading.say_instead(start, mention.end, " ")
        else:
            reading.say_instead(mention.start, mention.start + 1, "")
