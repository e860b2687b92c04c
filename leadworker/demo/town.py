"""The demo's caseload: reads the invented town from `town.toml` and tells its three months through the domain's verbs.

Everything is written at the time at which it would have been: the clock stands shortly after each event, the verbs do
the rest. Nothing is put into the vault by any other way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from importlib.resources import files
from itertools import groupby
from zlib import crc32

import msgspec

from leadworker.clock import Moment
from leadworker.demo.clock import StoryClock
from leadworker.desk import Desk
from leadworker.domain import actions, alerts, drafts, journal, people, visits
from leadworker.shelf import Shelf
from leadworker.words.kinds import EntryKind
from leadworker.words.saying import WEEKDAYS

SHORTEST_SEARCHED = 6
"""Letters of a word, or bytes of a name, from which on a chance find among sealed bytes is out of the question."""

LONGEST_DELAY = 200
"""Minutes between an event and its being written down, at most, on an ordinary day."""

_WEEKDAY = re.compile(r"\{([+-]?\d+)\}")
_WORD = re.compile(rf"[^\W\d_]{{{SHORTEST_SEARCHED},}}")
_AS_TYPED = {EntryKind.text_message: "text", EntryKind.direct_work: "session"}
"""Kinds of which a first line says the name by another word."""

_FIRST_THING, _NOON, _END_OF_DAY = time(8, 40), time(12, 10), time(16, 40)
_DIARY_IS_NEAR = (time(8, 45), time(17, 45))
"""Between these hours today's visits lie about now; at other hours of the clock, at their own working hours."""


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to reach somebody, or (kind ``other``) what they are to the people here."""

    kind: str
    value: str
    label: str = ""


class Number(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another agency's number for a person."""

    scheme: str
    value: str


class Warned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An alert. `ago` 0: it was written down together with the person."""

    text: str
    ago: int = 0


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An action. `due` and `done` are working days after the entry; `by` is its owner's key, empty for the writer."""

    do: str
    due: int
    done: int | None = None
    by: str = ""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A journal entry, `ago` working days before today at the wall clock's `at`; written `late` working days later."""

    ago: int
    at: str
    kind: EntryKind
    title: str
    minutes: int = 0
    place: str = ""
    seen: str = ""
    said: str = ""
    noticed: str = ""
    think: str = ""
    next: tuple[Step, ...] = ()
    late: int = 0
    late_words: str = ""


class PlannedVisit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A visit in the diary, `day` working days from today, put there `planned` working days ago.

    Today's begin `from_now` minutes after the present (before it, when negative) where that is a decent hour.
    """

    day: int
    at: str
    place: str
    minutes: int
    planned: int
    note: str = ""
    from_now: int = 0


class Unfinished(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A note that was begun today and not finished."""

    first_line: str
    minutes_ago: int
    said: str = ""
    noticed: str = ""


class Someone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person. `age` is today's, with `birthday_in` days to the next birthday; else `about` says it, or nobody knows."""

    key: str
    name: str
    pronouns: str
    known_as: tuple[str, ...] = ()
    age: int | None = None
    birthday_in: int = 1
    about: str = ""
    lives_at: str = ""
    talking: str = ""
    reason: str = ""
    since: int = 66
    contacts: tuple[Point, ...] = ()
    numbers: tuple[Number, ...] = ()
    alerts: tuple[Warned, ...] = ()
    access: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    visits: tuple[PlannedVisit, ...] = ()
    draft: Unfinished | None = None


class Town(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everybody: the caseload (`person`) and the people `around` it."""

    person: tuple[Someone, ...]
    around: tuple[Someone, ...]


class Told(msgspec.Struct, frozen=True):
    """What was told: people on the caseload, entries, and the words to look for where no word should be.

    `words` are every distinct word of six or more letters, and every name of six or more bytes, as they were written.
    """

    people: int
    entries: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that is written down at a time."""

    when: datetime
    deed: Callable[[Shelf], None]


class Days:
    """The working days around today, on this computer's calendar. Number 0 is today, whatever day it is."""

    def __init__(self, now: datetime) -> None:
        self.now = now.astimezone()
        self.today = self.now.date()

    def day(self, number: int) -> date:
        """Return the day that lies that many working days after (or before) today."""
        step, left, day = timedelta(days=1 if number > 0 else -1), abs(number), self.today
        while left:
            day += step
            left -= day.weekday() < 5
        return day

    def at(self, number: int, clock: time) -> datetime:
        """Return the moment when that day's wall clock shows `clock`, aware."""
        return datetime.combine(self.day(number), clock).astimezone()

    def words(self, text: str, number: int = 0) -> str:
        """Return words as they are written on that day: lines unfolded, ``{+2}`` as the name of a weekday."""
        unfolded = "\n".join(" ".join(block.split()) for block in text.split("\n\n"))
        return _WEEKDAY.sub(lambda found: WEEKDAYS[self.day(number + int(found[1])).weekday()], unfolded)


def load() -> Town:
    """Return the town as it is written in `town.toml`."""
    return msgspec.toml.decode((files("leadworker.demo") / "town.toml").read_bytes(), type=Town)


def tell(desk: Desk, clock: StoryClock, now: datetime, progress: Callable[[int, int], None] | None = None) -> Told:
    """Write three months of the town into the vault behind `desk`, as they look at `now`; then let the clock go on.

    The vault must read the time from `clock`. Each day of the story is one transaction; after each, `progress` hears
    how many days are told, and of how many. Raises what the verbs raise; the days before stay.
    """
    story = Story(load(), now)
    days = [list(day) for _, day in groupby(story.happenings(), key=lambda happening: happening.when.date())]
    try:
        for number, day in enumerate(days, 1):
            desk.do_now(_tell_day, clock, day)
            if progress is not None:
                progress(number, len(days))
    finally:
        clock.go_on()
    return Told(len(story.town.person), story.entries, tuple(sorted(story.written)))


def _tell_day(shelf: Shelf, clock: StoryClock, day: list[Happening]) -> None:
    for happening in day:
        clock.set(happening.when)
        happening.deed(shelf)


class Story:
    """The town at one present moment: who and what happens when. `written` gathers the words as they are told."""

    def __init__(self, town: Town, now: datetime) -> None:
        self.town = town
        self.days = Days(now)
        self.entries = 0
        self.written: set[str] = set()
        self._everybody = {someone.key: someone for someone in (*town.person, *town.around)}
        self._ids: dict[str, str] = {}
        self._action_ids: dict[tuple[str, int, int], str] = {}

    def happenings(self) -> list[Happening]:
        """Return everything that is written down, in the order in which it was."""
        found = [happening for someone in self._everybody.values() for happening in self._of(someone)]
        return sorted(found, key=lambda happening: happening.when)

    def starts(self, visit: PlannedVisit) -> datetime:
        """Return when a visit of the diary begins; today's on the next five minutes of the clock."""
        if visit.from_now and _DIARY_IS_NEAR[0] <= self.days.now.time() <= _DIARY_IS_NEAR[1]:
            begins = self.days.now + timedelta(minutes=visit.from_now)
            return begins.replace(second=0, microsecond=0) + timedelta(minutes=-begins.minute % 5)
        return self.days.at(visit.day, time.fromisoformat(visit.at))

    def recorded(self, entry: Entry) -> datetime:
        """Return when an entry was written down: soon after, and never twice the same while; or some days later."""
        some = crc32(entry.title.encode()) % 60
        if entry.late:
            return self.days.at(entry.late - entry.ago, _NOON) + timedelta(minutes=some)
        delay = min(entry.minutes + 10 + some, LONGEST_DELAY)
        return self.days.at(-entry.ago, time.fromisoformat(entry.at)) + timedelta(minutes=delay)

    def born(self, someone: Someone) -> str:
        """Return a date of birth that gives the age today, or “about 38”, or nothing."""
        if someone.age is None:
            return someone.about
        birthday = self.days.today + timedelta(days=someone.birthday_in)
        if (birthday.month, birthday.day) == (2, 29):
            birthday -= timedelta(days=1)
        return birthday.replace(year=birthday.year - someone.age - 1).isoformat()

    def _of(self, someone: Someone) -> Iterator[Happening]:
        yield Happening(self.days.at(-someone.since, _FIRST_THING), partial(self._meet, someone))
        for warned in someone.alerts:
            when = self.days.at(-(warned.ago or someone.since), _END_OF_DAY if warned.ago else _FIRST_THING)
            yield Happening(when, partial(self._warn, someone, warned))
        for at, entry in enumerate(someone.entries):
            yield Happening(self.recorded(entry), partial(self._write, someone, at))
            for number, step in enumerate(entry.next):
                if step.done is not None:
                    finished = self.days.at(step.done - entry.ago, _END_OF_DAY) + timedelta(minutes=3 * number)
                    soonest = self.recorded(entry) + timedelta(minutes=5)
                    yield Happening(max(finished, soonest), partial(self._finish, (someone.key, at, number)))
        for visit in someone.visits:
            yield Happening(self.days.at(-visit.planned, _FIRST_THING), partial(self._plan, someone, visit))
        if someone.draft is not None:
            midnight = self.days.at(0, time())
            begun = self.days.now - timedelta(minutes=someone.draft.minutes_ago)
            yield Happening(max(begun, midnight), partial(self._begin, someone, someone.draft))

    # what is written, each through its verb

    def _meet(self, someone: Someone, shelf: Shelf) -> None:
        self._note(someone.name, someone.lives_at, someone.talking, someone.reason)
        self._name(someone.name, *someone.known_as)
        person_id = self._ids[someone.key] = people.add(
            shelf, someone.name, on_caseload=someone in self.town.person, reason=someone.reason, pronouns=someone.pronouns,
            born=self.born(someone), lives_at=someone.lives_at, talking=someone.talking,
        )  # fmt: skip
        for name in someone.known_as:
            people.also_known_as(shelf, person_id, name)
        for point in someone.contacts:
            self._note(point.value, point.label)
            people.add_contact(shelf, person_id, point.kind, point.value, point.label)
        for number in someone.numbers:
            self._note(number.scheme, number.value)
            people.add_identifier(shelf, person_id, number.scheme, number.value)
        for text in someone.access:
            self._note(text)
            alerts.add_access_note(shelf, person_id, text)

    def _warn(self, someone: Someone, warned: Warned, shelf: Shelf) -> None:
        self._note(warned.text)
        alerts.raise_alert(shelf, self._ids[someone.key], warned.text)

    def _write(self, someone: Someone, at: int, shelf: Shelf) -> None:
        entry = self.new_entry(someone, at, shelf.me)
        self._note(entry.title, entry.place, entry.seen, entry.said, entry.noticed, entry.think, entry.next_steps, entry.jotting)
        saved = journal.write(shelf, entry)
        self.entries += 1
        for number, action_id in enumerate(saved.action_ids):
            self._action_ids[someone.key, at, number] = action_id

    def new_entry(self, someone: Someone, at: int, me: str) -> journal.NewEntry:
        """Return one entry as its writer `me` would have given it; people it names must have been met."""
        entry = someone.entries[at]
        happened = self.days.at(-entry.ago, time.fromisoformat(entry.at))
        told = partial(self.days.words, number=-entry.ago)
        steps = [(step, told(step.do)) for step in entry.next]
        next_steps = (f"{self._everybody[step.by].name}: {do}" if step.by else do for step, do in steps)
        noticed = "\n".join(filter(None, (told(entry.noticed), told(entry.late_words))))
        return journal.NewEntry(
            self._ids.get(someone.key, ""), kind=entry.kind.value, happened=Moment.of(happened), minutes=entry.minutes,
            place=entry.place, title=told(entry.title), jotting=told(_first_line(someone, entry)),
            seen=told(entry.seen), said=told(entry.said), noticed=noticed, think=told(entry.think),
            next_steps="\n".join(next_steps), actions=tuple(self._action(entry, step, do, me) for step, do in steps),
        )  # fmt: skip

    def _action(self, entry: Entry, step: Step, do: str, me: str) -> actions.NewAction:
        due = self.days.day(step.due - entry.ago).isoformat()
        if not step.by:
            return actions.NewAction(do, me, mine=True, due_on=due)
        return actions.NewAction(do, self._everybody[step.by].name, self._ids.get(step.by, ""), due_on=due)

    def _finish(self, which: tuple[str, int, int], shelf: Shelf) -> None:
        actions.finish(shelf, self._action_ids[which])

    def _plan(self, someone: Someone, visit: PlannedVisit, shelf: Shelf) -> None:
        note, starts = self.days.words(visit.note, visit.day), Moment.of(self.starts(visit))
        self._note(visit.place, note)
        visits.plan(shelf, self._ids[someone.key], starts, minutes=visit.minutes, place=visit.place, note=note)

    def _begin(self, someone: Someone, draft: Unfinished, shelf: Shelf) -> None:
        self._note(draft.first_line, draft.said, draft.noticed)
        begun = drafts.begin(shelf, self._ids[someone.key], someone.name)
        typed = msgspec.structs.replace(begun, first_line=draft.first_line, said=draft.said, noticed=draft.noticed)
        drafts.keep(shelf, typed)

    def _note(self, *texts: str) -> None:
        for text in texts:
            self.written.update(_WORD.findall(text))

    def _name(self, *names: str) -> None:
        self.written.update(name for name in names if len(name.encode()) >= SHORTEST_SEARCHED)


def _first_line(someone: Someone, entry: Entry) -> str:
    """Return the line that its writer would have typed first: `visit @Cerys home 16:00 50 min, …`."""
    kind = _AS_TYPED.get(entry.kind, entry.kind.value)
    place = f"at {entry.place}," if entry.place not in ("", "home") else entry.place
    minutes = f"{entry.minutes} min" if entry.minutes else ""
    facts = " ".join(filter(None, (kind, f"@{someone.name.split()[0]}", place, entry.at, minutes)))
    return f"{facts}, {entry.title}"
