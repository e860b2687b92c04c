"""How people, entries, actions and visits read line by line, for an ear as well as an eye: no signs, no columns, no colour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

from leadworker.clock import Moment
from leadworker.domain import caseload
from leadworker.domain.actions import ActionRow
from leadworker.domain.alerts import DoorLine
from leadworker.domain.caseload import PersonRow
from leadworker.domain.conflicts import Conflict, Version
from leadworker.domain.drafts import Draft
from leadworker.domain.histories import HistoryLine
from leadworker.domain.journal import CONTINUED, EntryView
from leadworker.domain.people import PersonFacts
from leadworker.domain.today import NewsRow
from leadworker.domain.visits import CANCELLED, VisitRow
from leadworker.plain import attached
from leadworker.text import one_line
from leadworker.words.dates import age_words, say_born
from leadworker.words.kinds import EntryKind
from leadworker.words.saying import MONTHS, WEEKDAYS, say_clock, say_date, say_day, say_due, say_length, say_time, say_visit

SHORT_ID = attached.SHORT_ID
"""Digits of an id that are shown. The last ones, because ids begin with the time and so begin alike."""

_KINDS = frozenset(kind.value for kind in EntryKind)


def short(record_id: str) -> str:
    """Return the end of an id, by which it may be named in a command."""
    return record_id[-SHORT_ID:]


def sentence(*parts: str) -> str:
    """Return the parts that hold words, with commas between and one full stop after."""
    words = ", ".join(part for part in parts if part)
    return words if words.endswith((".", "?", "!", ".”")) else f"{words}."


def long_day(day: date) -> str:
    """Return ``Tuesday 18 November 2025``."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


def kind_words(kind: str, continues: str = "") -> str:
    """Return a kind of entry as people say it: ``Phone call``; of a further part of a long note ``Phone call, continued``."""
    said = EntryKind(kind).said if kind in _KINDS else kind[:1].upper() + kind[1:]
    return f"{said}, {CONTINUED}" if continues else said


def here(ms: int, now: datetime) -> datetime:
    """Return UTC milliseconds on the clock of this laptop."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(now.tzinfo)


def since(ms: int, now: datetime) -> str:
    """Return ``14:03``, ``yesterday 17:02``, or ``never`` for 0."""
    return say_time(here(ms, now), now) if ms else "never"


def indented(text: str, by: str = "  ") -> Iterator[str]:
    """Return the lines of a text, each moved in."""
    for line in text.split("\n"):
        yield f"{by}{line}" if line.strip() else ""


def labelled(label: str, text: str) -> Iterator[str]:
    """Return a text after its label; further lines stand beneath."""
    first, *rest = text.split("\n")
    yield f"  {label}: {first}"
    for line in rest:
        yield from indented(line, "    ")


def door(line: DoorLine) -> str:
    """Return an alert or access note, whole."""
    label = "Alert" if line.kind == "alert" else "Access"
    ended = "One person ended this, another did not; it counts as holding until somebody settles it."
    differs = "Two people wrote this differently; the longer one is shown."
    names = line.contested.split(",") if line.contested else []
    versions = "".join(f" {ended if name == 'on' else differs}" for name in names)
    return f"{label}: {line.text}{versions} Id {short(line.id)}."


def doors(lines: Iterable[DoorLine]) -> Iterator[str]:
    """Return alerts and access notes, moved in."""
    for line in lines:
        yield from indented(door(line))


def action(row: ActionRow, now: datetime, *, named: bool = True) -> str:
    """Return an action: what, who, until when, and about whom when `named`."""
    owner = "you" if row.mine else row.owner
    if row.done_on:
        by = f" by {row.done_by}" if row.done_by else ""
        due = f"done {say_day(date.fromisoformat(row.done_on), now.date())}{by}"
    else:
        due = _due(row.due_on, now.date())
    return f"{sentence(row.text, row.person_name if named else '', owner, due)} Id {short(row.id)}."


def _due(due_on: str, today: date) -> str:
    if not due_on:
        return "no day named"
    due = date.fromisoformat(due_on)
    return say_due(due, today) if due < today else f"due {say_due(due, today)}"


def visit(row: VisitRow, now: datetime, *, day: bool = True) -> Iterator[str]:
    """Return a visit with what to know at the door. `day`: say the day too."""
    starts = row.starts().local()
    said = say_time(starts, now) if day or starts.date() != now.date() else say_clock(starts)
    when = said[:1].upper() + said[1:]
    state = "cancelled" if row.state == CANCELLED else say_visit(starts, row.ends().local(), now, bool(row.entry_id))
    state = "" if state == said else state
    yield f"{sentence(when, row.person_name or 'someone', row.place, say_length(row.minutes), state)} Id {short(row.id)}."
    if row.contested:
        yield f"  Written apart by two people: {_apart_in_visit(row.contested)}. “leadworker conflicts” shows both versions."
    yield from doors(row.door)
    if row.note:
        yield from labelled("Note", row.note)


def _apart_in_visit(contested: str) -> str:
    said = {"starts_ms": "the time, and the earlier one is shown", "state": "whether it takes place, and it is shown as planned"}
    return "; ".join(said.get(name, name) for name in contested.split(","))


def draft(kept: Draft, now: datetime) -> str:
    """Return an unfinished note in one line."""
    words = (kept.first_line, kept.seen, kept.said, kept.noticed, kept.think, kept.next_steps)
    first = one_line(next((text for text in words if text.strip()), ""))
    shown = first if len(first) <= 80 else f"{first[:79]}…"
    return f"{sentence(f'“{shown}”', kept.person_name, f'kept {since(kept.kept_ms, now)}')} Id {short(kept.id)}."


def news(row: NewsRow, now: datetime) -> str:
    """Return what a colleague wrote, in one line."""
    what = f"{kind_words(row.kind, row.continues)}, {row.person_name or 'someone'}"
    return sentence(f"{row.written_by or 'A colleague'} wrote: {what}", since(row.received_ms, now))


def entry(view: EntryView, now: datetime, *, named: bool = False) -> Iterator[str]:
    """Return an entry, whole: its facts in one line, then each kind of statement after its label."""
    happened = view.happened().local()
    clock = {"exact": f" {say_clock(happened)}", "about": f" about {say_clock(happened)}"}.get(view.precision, "")
    kind = kind_words(view.kind, view.continues)
    who = "written by you" if view.by_me else f"written by {view.written_by or 'somebody'}"
    if view.taken_in_from:
        who = f"written by {view.taken_in_from}, taken in by {'you' if view.by_me else view.written_by or 'somebody'}"
    recorded = view.recorded().local()
    late = f"on {say_date(recorded.date(), now.date())}" if recorded.date() != happened.date() else ""
    length = say_length(view.minutes) if view.minutes else ""
    when = f"{say_date(happened.date(), now.date())}{clock}"
    name = view.person_name if named else ""
    facts = sentence(when, name, kind, view.place, length, " ".join(filter(None, (who, late))), where(view, now))
    yield f"{facts} Id {short(view.id)}."
    if view.title:
        yield from indented(view.title)
    for label, text in (("Seen", view.seen), ("Said", view.said), ("Noticed", view.noticed), ("I think", view.think)):
        if text:
            yield from labelled(label, text)
    for row in view.actions:
        yield f"  Next: {action(row, now, named=False)}"
    if view.next_steps and not view.actions:
        yield from labelled("Next", view.next_steps)
    for file in view.files:
        yield f"  File: {file.name}, {attached.facts(file)}. Id {short(file.id)}."
    if view.clock_doubt:
        yield f"  Written while {view.clock_doubt}."


def where(view: EntryView, now: datetime) -> str:
    """Return where an entry is."""
    match view.whereabouts():
        case "here":
            return "here only"
        case "on its way":
            return "on its way to the central store"
    return f"on the central store{f' {since(view.received_ms, now)}' if view.received_ms else ''}"


def written_apart(shown: Conflict, now: datetime) -> Iterator[str]:
    """Return an open conflict, whole."""
    yield f"{sentence(shown.person_name or 'Somebody', shown.what, one_line(shown.title))} Id {short(shown.record_id)}."
    for version in shown.versions:
        who = "You wrote" if version.by_me else f"{version.written_by} wrote"
        facts = f"{who}, {say_time(Moment(version.wrote_ms, version.wrote_offset).local(), now)}, {place(version, now)}"
        yield from labelled(f"{facts}, version {short(version.change)}", version.words)
    yield f"  {shown.meanwhile}"


def place(line: Version | HistoryLine, now: datetime) -> str:
    """Return where a version is."""
    match line.whereabouts():
        case "here":
            return "here only"
        case "on its way":
            return "on its way to the central store"
    return f"on the central store{f' {since(line.received_ms, now)}' if line.received_ms else ''}"


def in_list(row: PersonRow, now: datetime) -> str:
    """Return a person of a list in one line."""
    known = row.known_as.replace("\n", ", ")
    age = age_words(row.born_on, row.age_about, row.age_said_on, now.date())
    apart = "two versions of where they live" if row.contested else ""
    last = f"last entry {say_day(here(row.last_ms, now).date(), now.date())}" if row.last_ms else ""
    return sentence(row.name, f"also {known}" if known else "", age, "; ".join(map(one_line, row.lives_at.split("\n"))), apart, last)


def header(facts: PersonFacts, now: datetime) -> Iterator[str]:
    """Return who somebody is and how to talk with them."""
    known = ", ".join(name.name for name in facts.known_as)
    yield sentence(
        facts.name, age_words(facts.born_on, facts.age_about, facts.age_said_on, now.date()), f"also {known}" if known else "",
        facts.pronouns,
    )  # fmt: skip
    if facts.lives_at:
        yield from labelled("Lives", facts.lives_at)
    if facts.talking:
        yield from labelled("Talking", facts.talking)
    if facts.contested:
        yield "  Two people wrote where they live differently; the one written last is shown. “leadworker conflicts” shows both."


def reach(facts: PersonFacts, *, ids: bool = False) -> Iterator[str]:
    """Return how to reach somebody."""
    for contact in facts.contacts:
        label = f" ({contact.label})" if contact.label else ""
        yield from labelled(contact.kind.capitalize(), f"{contact.value}{label}{f', id {short(contact.id)}' if ids else ''}")


def about(facts: PersonFacts, now: datetime) -> Iterator[str]:
    """Return everything that is written about somebody, with the ids of what can be taken away."""
    yield from header(facts, now)
    born = say_born(facts.born_on) or (f"about {facts.age_about} on {facts.age_said_on}" if facts.age_about else "")
    if born:
        yield f"  Born: {born}"
    for name in facts.known_as:
        yield f"  Also known as: {name.name}, id {short(name.id)}"
    yield from reach(facts, ids=True)
    for number in facts.identifiers:
        yield f"  Number: {number.scheme} {number.value}, id {short(number.id)}"
    part = caseload.my_part(facts)
    yield f"  {part[:1].upper()}{part[1:]}."
