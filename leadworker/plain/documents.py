"""What ``--json`` prints: one document a command, with field names that stay as they are.

Times are ISO 8601 with the writer's own offset, days are ISO dates; empty means that it is not known or has not happened.
"""

from __future__ import annotations

import msgspec

from leadworker.clock import Moment
from leadworker.domain.actions import ActionRow
from leadworker.domain.alerts import DoorLine
from leadworker.domain.caseload import PersonRow
from leadworker.domain.conflicts import Conflict, Version
from leadworker.domain.drafts import Draft
from leadworker.domain.journal import EntryView
from leadworker.domain.people import PersonFacts
from leadworker.domain.today import NewsRow
from leadworker.domain.visits import VisitRow
from leadworker.plain import attached
from leadworker.plain.attached import AttachedFile
from leadworker.statements import Role


class Written(msgspec.Struct, frozen=True):
    """What a command wrote down or changed."""

    id: str
    sentence: str


class Door(msgspec.Struct, frozen=True):
    """An alert or an access note. `kind` is ``alert`` or ``access``; `where` is where its last change is, as of an entry."""

    id: str
    kind: str
    text: str
    contested: bool
    where: str
    n: int
    received: str


class Visit(msgspec.Struct, frozen=True):
    """A visit in the diary. `contested` names the fields of which several versions stand: ``starts_ms``, ``state``."""

    id: str
    person_id: str
    person: str
    starts: str
    minutes: int
    place: str
    note: str
    state: str
    entry_id: str
    door: tuple[Door, ...]
    contested: tuple[str, ...]
    where: str
    n: int
    received: str


class Action(msgspec.Struct, frozen=True):
    """An action. `mine` says that this vault's owner owns it; `where` is where its last change is, as of an entry."""

    id: str
    person_id: str
    person: str
    entry_id: str
    text: str
    owner: str
    mine: bool
    due_on: str
    done_on: str
    done_by: str
    where: str
    n: int
    received: str


class DraftNote(msgspec.Struct, frozen=True):
    """An unfinished note, exactly as typed."""

    id: str
    person_id: str
    person: str
    first_line: str
    seen: str
    said: str
    noticed: str
    think: str
    next: str
    visit_id: str
    started: str
    kept: str


class Entry(msgspec.Struct, frozen=True):
    """A journal entry. `where` is ``here``, ``on its way`` or ``on the central store``, there as number `n` of its casebook.

    `why` says in a sentence why it is not there, and is empty once it is.
    `taken_in_from` names whose words they were, where they came too late and somebody took them in.
    """

    id: str
    person_id: str
    person: str
    kind: str
    happened: str
    precision: str
    minutes: int
    place: str
    title: str
    seen: str
    said: str
    noticed: str
    think: str
    next: str
    continues: str
    clock_doubt: str
    recorded: str
    written_by: str
    by_me: bool
    where: str
    n: int
    received: str
    actions: tuple[Action, ...]
    why: str = ""
    taken_in_from: str = ""
    taken_in_written: str = ""
    files: tuple[AttachedFile, ...] = ()


class News(msgspec.Struct, frozen=True):
    """An entry that a colleague wrote."""

    entry_id: str
    person_id: str
    person: str
    kind: str
    written_by: str
    happened: str
    received: str


class VersionOf(msgspec.Struct, frozen=True):
    """One of several values that were written apart; `id` names it in “leadworker settle”. `where` as of an entry."""

    id: str
    value: str | int | bool
    words: str
    written_by: str
    by_me: bool
    written: str
    where: str
    n: int
    received: str


class WrittenApart(msgspec.Struct, frozen=True):
    """A field of a record of which several versions stand. `meanwhile` says which one is shown until somebody chooses."""

    id: str
    topic: str
    field: str
    what: str
    title: str
    person_id: str
    person: str
    meanwhile: str
    can_be_both: bool
    versions: tuple[VersionOf, ...]


class Today(msgspec.Struct, frozen=True):
    """What needs me today."""

    day: str
    visits: tuple[Visit, ...]
    not_written_up: tuple[Visit, ...]
    drafts: tuple[DraftNote, ...]
    todo: tuple[Action, ...]
    news: tuple[News, ...]
    apart: tuple[WrittenApart, ...]


class PersonInList(msgspec.Struct, frozen=True):
    """A person in a list. `born_on` may stop early; `age_about` is 0 unless only an age was said, on `age_said_on`.

    `on_caseload`: the work with them is yours. `my_role` is as what you read their casebook: ``key worker``, ``co-worker``,
    ``supervisor``, ``manager``, ``read-only``, or empty while nobody but you reads it or where you have no part in it.
    """

    id: str
    name: str
    known_as: tuple[str, ...]
    born_on: str
    age_about: int
    age_said_on: str
    lives_at: str
    on_caseload: bool
    my_role: str
    last_entry: str
    contested: tuple[str, ...]


class People(msgspec.Struct, frozen=True):
    """People by name."""

    people: tuple[PersonInList, ...]


class Contact(msgspec.Struct, frozen=True):
    """One way to reach a person."""

    id: str
    kind: str
    value: str
    label: str


class Name(msgspec.Struct, frozen=True):
    """Another name that a person goes by."""

    id: str
    name: str


class Identifier(msgspec.Struct, frozen=True):
    """A number that another agency gives a person."""

    id: str
    scheme: str
    value: str


class Person(msgspec.Struct, frozen=True):
    """What is written about a person. `contested` names the fields of which several versions stand: ``lives_at``."""

    id: str
    name: str
    pronouns: str
    born_on: str
    age_about: int
    age_said_on: str
    lives_at: str
    talking: str
    on_caseload: bool
    my_role: str
    known_as: tuple[Name, ...]
    contacts: tuple[Contact, ...]
    identifiers: tuple[Identifier, ...]
    contested: tuple[str, ...]


class Brief(msgspec.Struct, frozen=True):
    """What to know at the door. `access_news`: what happened about who can read it since *who can read* was last looked at."""

    person: Person
    age: str
    door: tuple[Door, ...]
    next_visit: Visit | None
    open_actions: tuple[Action, ...]
    last_entries: tuple[Entry, ...]
    access_news: tuple[str, ...]


class Visits(msgspec.Struct, frozen=True):
    """Visits in the diary."""

    visits: tuple[Visit, ...]


class Actions(msgspec.Struct, frozen=True):
    """Actions, the longest due first."""

    actions: tuple[Action, ...]


class Drafts(msgspec.Struct, frozen=True):
    """Unfinished notes, oldest first."""

    drafts: tuple[DraftNote, ...]


class SavedNote(msgspec.Struct, frozen=True):
    """A note that was saved. `parts` are the ids of the entry and of what it goes on in; `questions` were not understood."""

    id: str
    parts: tuple[str, ...]
    action_ids: tuple[str, ...]
    person_id: str
    person: str
    kind: str
    happened: str
    precision: str
    minutes: int
    place: str
    questions: tuple[str, ...]


class Timeline(msgspec.Struct, frozen=True):
    """A person's entries, newest first."""

    person_id: str
    person: str
    entries: tuple[Entry, ...]


class Find(msgspec.Struct, frozen=True):
    """An entry in which the words occur, and the words around them."""

    words: str
    entry: Entry


class Found(msgspec.Struct, frozen=True):
    """What a search found: people by name, then entries."""

    people: tuple[PersonInList, ...]
    entries: tuple[Find, ...]


def moment(ms: int, offset: int = 0) -> str:
    """Return UTC milliseconds and an offset in minutes as ISO 8601; an empty text for 0."""
    return Moment(ms, offset).local().isoformat(timespec="seconds") if ms else ""


def door(line: DoorLine) -> Door:
    """Return an alert or access note as a document."""
    return Door(line.id, line.kind, line.text, bool(line.contested), line.whereabouts(), line.n, moment(line.received_ms))


def visit(row: VisitRow) -> Visit:
    """Return a visit as a document."""
    return Visit(
        row.id, row.person_id, row.person_name, moment(row.starts_ms, row.starts_offset), row.minutes, row.place, row.note,
        row.state, row.entry_id, tuple(door(line) for line in row.door), _names(row.contested),
        row.whereabouts(), row.n, moment(row.received_ms, row.starts_offset),
    )  # fmt: skip


def action(row: ActionRow) -> Action:
    """Return an action as a document."""
    return Action(
        row.id, row.person_id, row.person_name, row.entry_id, row.text, row.owner, row.mine, row.due_on, row.done_on, row.done_by,
        row.whereabouts(), row.n, moment(row.received_ms),
    )  # fmt: skip


def draft(kept: Draft) -> DraftNote:
    """Return a draft as a document."""
    return DraftNote(
        kept.id, kept.person_id, kept.person_name, kept.first_line, kept.seen, kept.said, kept.noticed, kept.think,
        kept.next_steps, kept.visit_id, moment(kept.started_ms, kept.started_offset), moment(kept.kept_ms, kept.kept_offset),
    )  # fmt: skip


def entry(view: EntryView, why: str = "") -> Entry:
    """Return an entry as a document, with the reason why it is not on the central store."""
    return Entry(
        view.id, view.person_id, view.person_name, view.kind, moment(view.happened_ms, view.happened_offset), view.precision,
        view.minutes, view.place, view.title, view.seen, view.said, view.noticed, view.think, view.next_steps, view.continues,
        view.clock_doubt, moment(view.made_at, view.made_offset), view.written_by, view.by_me, view.whereabouts(), view.n,
        moment(view.received_ms, view.made_offset), tuple(action(row) for row in view.actions), "" if view.n else why,
        view.taken_in_from, moment(view.taken_in_ms, view.taken_in_offset), tuple(attached.document(file) for file in view.files),
    )  # fmt: skip


def news(row: NewsRow) -> News:
    """Return a colleague's entry as a document."""
    return News(
        row.entry_id, row.person_id, row.person_name, row.kind, row.written_by, moment(row.happened_ms, row.happened_offset),
        moment(row.received_ms, row.happened_offset),
    )  # fmt: skip


def apart(shown: Conflict) -> WrittenApart:
    """Return an open conflict as a document."""
    return WrittenApart(
        shown.record_id, shown.topic, shown.field, shown.what, shown.title, shown.person_id, shown.person_name, shown.meanwhile,
        shown.both, tuple(_version(one) for one in shown.versions),
    )  # fmt: skip


def _version(one: Version) -> VersionOf:
    return VersionOf(
        one.change, one.value, one.words, one.written_by, one.by_me, moment(one.wrote_ms, one.wrote_offset), one.whereabouts(),
        one.n, moment(one.received_ms, one.wrote_offset),
    )  # fmt: skip


def _role(role: int) -> str:
    return Role(role).words if role in set(Role) else ""


def _names(contested: str) -> tuple[str, ...]:
    return tuple(filter(None, contested.split(",")))


def person_in_list(row: PersonRow) -> PersonInList:
    """Return a person of a list as a document."""
    return PersonInList(
        row.id, row.name, tuple(filter(None, row.known_as.split("\n"))), row.born_on, row.age_about, row.age_said_on,
        row.lives_at, row.on_caseload, _role(row.my_role), moment(row.last_ms, row.last_offset), _names(row.contested),
    )  # fmt: skip


def person(facts: PersonFacts) -> Person:
    """Return what is written about a person as a document."""
    return Person(
        facts.id, facts.name, facts.pronouns, facts.born_on, facts.age_about, facts.age_said_on, facts.lives_at, facts.talking,
        facts.on_caseload, _role(facts.my_role), tuple(Name(n.id, n.name) for n in facts.known_as),
        tuple(Contact(c.id, c.kind, c.value, c.label) for c in facts.contacts),
        tuple(Identifier(i.id, i.scheme, i.value) for i in facts.identifiers), _names(facts.contested),
    )  # fmt: skip
