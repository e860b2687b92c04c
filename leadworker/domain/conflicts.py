"""What was written apart: two people wrote different things in the same place, neither having seen the other (security D.1).

Nothing is lost by it. Every version is kept with who wrote it and when; meanwhile the safer one is shown. A person chooses,
by name, and what they choose takes the place of exactly the versions that they were shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Select, func, select

from leadworker.clock import Moment
from leadworker.domain.people import Person
from leadworker.errors import LeadworkerError, NotUnderstood
from leadworker.record import Record, Rule, asked_fields, kept_fields, table_of, topics
from leadworker.shelf import Said, Shelf, whereabouts
from leadworker.text import clean
from leadworker.words.values import say_value

T = TypeVar("T")
Value = str | int | bool

_SAFER = {
    "on": "While it is open, it counts as holding.",
    "earliest": "While it is open, the earlier one is shown.",
    "longest": "While it is open, the longer one is shown.",
    "default": "While it is open, it counts as it began.",
}


class Version(msgspec.Struct, frozen=True):
    """One of several values that were written apart. `words` is how it reads; `change` is what wrote it, by its id."""

    change: str
    value: Value
    beside: dict[str, Value]
    words: str
    written_by: str
    by_me: bool
    wrote_ms: int
    wrote_offset: int
    n: int
    sent_ms: int
    received_ms: int

    def whereabouts(self) -> str:
        """Return ``here``, ``on its way`` or ``on the central store``."""
        return whereabouts(self.n, self.sent_ms)


class Conflict(msgspec.Struct, frozen=True):
    """A field of which several versions stand. The latest written stands first.

    `what` is the field in people's words and `title` which record it is of, empty where the person's name says it.
    `meanwhile` says which one is shown until somebody chooses. `both`: they can stand one beneath the other.
    `by_hand`: another value can be written instead. `marks` are the record's as they were when this was looked up.
    """

    topic: str
    record_id: str
    field: str
    person_id: str
    person_name: str
    what: str
    title: str
    meanwhile: str
    says: str
    both: bool
    by_hand: bool
    versions: tuple[Version, ...]
    marks: bytes

    @property
    def key(self) -> str:
        """Return what tells this from every other open conflict."""
        return f"{self.record_id}.{self.field}"

    def mine(self) -> tuple[Version, ...]:
        """Return the versions that this vault's owner wrote."""
        return tuple(one for one in self.versions if one.by_me)

    def theirs(self) -> tuple[Version, ...]:
        """Return the versions of others."""
        return tuple(one for one in self.versions if not one.by_me)


class Choice(msgspec.Struct, frozen=True):
    """What somebody chose: one version by its change, both one beneath the other, or a value of their own.

    `beside` are the values of the fields that go along with a value of one's own.
    """

    version: str = ""
    both: bool = False
    value: Value | None = None
    beside: dict[str, Value] = {}


class ChangedMeanwhile(LeadworkerError):
    """Somebody wrote other things in the places that are being written to, after they were shown. Nothing was saved."""

    code = "changed_meanwhile"

    def __init__(self, meanwhile: tuple[Meanwhile, ...], marks: bytes) -> None:
        named = ", ".join(dict.fromkeys(one.written_by for one in meanwhile))
        super().__init__(f"{named} changed this meanwhile. Nothing was saved; what you typed is still here.")
        self.meanwhile = meanwhile
        self.marks = marks
        """The record's marks as they are now."""


class Meanwhile(msgspec.Struct, frozen=True):
    """What a field says now, written after it was shown to whoever is about to write in it."""

    field: str
    what: str
    value: Value
    words: str
    written_by: str
    by_me: bool
    wrote_ms: int
    wrote_offset: int
    both: bool


class _Row(msgspec.Struct, frozen=True):
    id: str
    person_id: str
    person_name: str
    title: str | int
    contested: str
    marks: bytes


@cache
def _open(topic: str) -> Select[Any]:
    """Return the select of a topic's contested records, built once."""
    kind = topics()[topic]
    record, person = table_of(kind).c, table_of(Person).alias().c
    about = record.id if kind is Person else record.person_id
    title = record[kind.titled_by] if kind.titled_by else func.coalesce("", "")
    view = select(record.id, about, func.coalesce(person.name, ""), title, record.contested, record.marks)
    joined = view.select_from(table_of(kind)).outerjoin(person.id.table, person.id == about)
    return joined.where(record.contested != "", record.gone == 0).order_by(record.no)


@cache
def _count(topic: str) -> Select[Any]:
    """Return the select of how many records of a topic are contested; of each the fields are counted by its commas."""
    record = table_of(topics()[topic]).c
    commas = func.length(record.contested) - func.length(func.replace(record.contested, ",", ""))
    return select(func.coalesce(func.sum(commas + 1), 0)).where(record.contested != "", record.gone == 0)


def open_conflicts(shelf: Shelf, *, person_id: str = "") -> tuple[Conflict, ...]:
    """Return everything that was written apart and that nobody has settled, by person; of one person if one is named."""
    found = []
    for topic, kind in sorted(topics().items()):
        if asked_fields(kind):
            rows = shelf.rows(_open(topic), _Row)
            found += [one for row in rows if person_id in ("", row.person_id) for one in _of_record(shelf, kind, row)]
    return tuple(sorted(found, key=lambda one: one.person_name))


def count(shelf: Shelf) -> int:
    """Return how many things were written apart and are not settled."""
    return sum(shelf.number(_count(topic)) for topic, kind in topics().items() if asked_fields(kind))


def conflict(shelf: Shelf, topic: str, record_id: str, field: str) -> Conflict | None:
    """Return one open conflict, None when it is settled."""
    rows = shelf.rows(_open(topic), _Row)
    found = (one for row in rows if row.id == record_id for one in _of_record(shelf, topics()[topic], row))
    return next((one for one in found if one.field == field), None)


def settle(shelf: Shelf, shown: Conflict, choice: Choice) -> bool:
    """Settle a conflict as it was shown; return False when it is open still, because somebody wrote another version meanwhile.

    Raises `NotUnderstood` when somebody else settled it meanwhile, or when the choice is none.
    """
    kind = topics()[shown.topic]
    if not _is_open(shelf, kind, shown):
        raise NotUnderstood(f"{_settler(shelf, shown)} settled this meanwhile. Nothing was changed; the history shows how.")
    value, beside = _chosen(shown, choice)
    with shelf.as_shown(shown.record_id, shown.marks):
        shelf.amend(kind, shown.record_id, **{shown.field: value}, **beside)
    return not _is_open(shelf, kind, shown)


def choose_again(shelf: Shelf, settled: Conflict, choice: Choice) -> None:
    """Choose anew between versions of which one was chosen: one more version, which takes the place of that choice.

    What somebody chose is written and stays in the history; nothing makes a colleague's version stand again but choosing it.
    `settled.marks` are the record's as they were right after the first choice. Raises `NotUnderstood` when somebody wrote another
    version since.
    """
    kind = topics()[settled.topic]
    if settled.field in shelf.changed_since(kind, settled.record_id, settled.marks):
        raise NotUnderstood(f"{_settler(shelf, settled)} wrote another version meanwhile. Nothing was changed; the history shows how.")
    value, beside = _chosen(settled, choice)
    with shelf.as_shown(settled.record_id, settled.marks):
        shelf.amend(kind, settled.record_id, **{settled.field: value}, **beside)


def as_it_is_now(shelf: Shelf, shown: Conflict) -> Conflict:
    """Return a conflict with the marks that its record has now."""
    return msgspec.structs.replace(shown, marks=shelf.get(topics()[shown.topic], shown.record_id).marks)


def at_time(shown: Conflict, moment: Moment) -> Choice:
    """Return the choice of another time than those that were written apart."""
    along = kept_fields(topics()[shown.topic])[shown.field].along
    return Choice(value=moment.ms, beside={along[0]: moment.offset})


def joined(versions: tuple[Version, ...]) -> str:
    """Return texts that were written apart one beneath the other, each with who said it; the same on every laptop."""
    said = {clean(str(one.value)).strip(): one.written_by for one in reversed(versions)}
    return "\n".join(f"{name}: {text}" for text, name in said.items() if text)


def since(shelf: Shelf, kind: type[Record], record_id: str, marks: bytes, watched: tuple[str, ...]) -> None:
    """Raise `ChangedMeanwhile` when one of the watched fields was written after somebody was shown the record.

    `marks` are the record's as it was shown. What is written under `Shelf.as_shown` then takes no newer value's place.
    """
    changed = [name for name in shelf.changed_since(kind, record_id, marks) if name in watched]
    if not changed:
        return
    record, fields = shelf.get(kind, record_id), kept_fields(kind)
    standing = [said for said in shelf.history(kind, record_id) if said.stands]
    latest = {said.field: said for said in sorted(standing, key=lambda said: (not said.by_me, said.stamp))}
    meanwhile = []
    for name in changed:
        said, declared = latest[name], fields[name]
        value = getattr(record, name)
        words = say_value(declared.says, value, said.beside, shelf.now().local())
        meanwhile.append(
            Meanwhile(
                name, declared.words or name, value, words, said.written_by or "A colleague", said.by_me, said.wrote_ms,
                said.wrote_offset, declared.both,
            )
        )  # fmt: skip
    raise ChangedMeanwhile(tuple(meanwhile), record.marks)


def write_upon(shelf: Shelf, kind: type[Record], record_id: str, marks: bytes, watched: tuple[str, ...], deed: Callable[[Shelf], T]) -> T:
    """Do a deed for somebody who was shown a record when it had these marks; raise `ChangedMeanwhile` as `since` does."""
    since(shelf, kind, record_id, marks, watched)
    with shelf.as_shown(record_id, marks):
        return deed(shelf)


def _of_record(shelf: Shelf, kind: type[Record], row: _Row) -> list[Conflict]:
    fields, history = kept_fields(kind), shelf.history(kind, row.id)
    titled = fields[kind.titled_by] if kind.titled_by else None
    now = shelf.now().local()
    found = []
    for name in row.contested.split(","):
        standing = [said for said in history if said.field == name and said.stands]
        standing.sort(key=lambda said: (said.stamp, said.device), reverse=True)
        declared = fields[name]
        title = "" if titled is None or kind.titled_by == name else say_value(titled.says, row.title, {}, now)
        found.append(
            Conflict(
                str(table_of(kind).name), row.id, name, row.person_id, row.person_name, declared.words or name, title,
                _SAFER.get(declared.safer, "While it is open, the one written last is shown."), declared.says, declared.both,
                declared.both or declared.says == "time", tuple(_version(said, declared.says, shelf) for said in standing),
                row.marks,
            )
        )  # fmt: skip
    return found


def _version(said: Said, says: str, shelf: Shelf) -> Version:
    return Version(
        said.change, said.value, said.beside, say_value(says, said.value, said.beside, shelf.now().local()),
        said.written_by or "A colleague", said.by_me, said.wrote_ms, said.wrote_offset, said.n, said.sent_ms, said.received_ms,
    )  # fmt: skip


def _chosen(shown: Conflict, choice: Choice) -> tuple[Value, dict[str, Value]]:
    if choice.version:
        version = next((one for one in shown.versions if one.change == choice.version), None)
        if version is None:
            raise NotUnderstood("That version is none of those that were shown. Nothing was changed.")
        declared = kept_fields(topics()[shown.topic])
        quiet = {name: value for name, value in version.beside.items() if declared[name].rule is Rule.QUIET}
        return version.value, quiet
    if choice.both:
        if not shown.both:
            raise NotUnderstood(f"Both cannot hold at once: {shown.what}. Choose one, or write another. Nothing was changed.")
        return joined(shown.versions), {}
    if choice.value is None or (isinstance(choice.value, str) and not clean(choice.value).strip()):
        raise NotUnderstood("There is nothing in it yet. Nothing was changed.")
    return (clean(choice.value).strip() if isinstance(choice.value, str) else choice.value), dict(choice.beside)


def _is_open(shelf: Shelf, kind: type[Record], shown: Conflict) -> bool:
    return shown.field in shelf.get(kind, shown.record_id).contested.split(",")


def _settler(shelf: Shelf, shown: Conflict) -> str:
    history = shelf.history(topics()[shown.topic], shown.record_id)
    last = next((said for said in reversed(history) if said.field == shown.field and said.stands), None)
    return "Somebody" if last is None or not last.written_by else last.written_by
