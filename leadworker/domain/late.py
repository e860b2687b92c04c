"""Late submissions: what somebody had written in a casebook when they lost it, handed in to those who decide about it (C.6).

Nothing of it is in the record until one of them takes it in: then it is theirs, and says whose words it was and when
they were written.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, func, select

from leadworker import change
from leadworker.change import DROP, Content
from leadworker.clock import Moment
from leadworker.domain.journal import JournalEntry
from leadworker.domain.people import Person
from leadworker.errors import NotFound, Refused
from leadworker.record import LARGEST_NUMBER, RECORD_ID, Record, Rule, books, kept_fields, lanes, receipts, table_of, topics
from leadworker.shelf import Shelf
from leadworker.text import clean, one_line
from leadworker.words.saying import say_count

TO_HAND_IN: Final = "hand in"
HANDED_IN: Final = "handed in"
DRAWER: Final = "late"

_NOTHING: Final = (
    "There is nothing to hand in for this casebook: what you wrote in it goes to the central store by itself, or was handed in "
    "already. Nothing was changed."
)


class HandedIn(msgspec.Struct, frozen=True):
    """How far a casebook's unsent changes were handed in, by number of this vault, to whom, and when (UTC ms)."""

    upto: int
    to: tuple[str, ...]
    at_ms: int


class Submission(msgspec.Struct, frozen=True):
    """What was handed in, checked: signed by the device in its lane, in the order in which it was written.

    `subject` is the person whose casebook it is; `bodies` are the changes as they were signed.
    """

    id: str
    book: str
    subject: str
    device: str
    name: str
    received_ms: int
    bodies: tuple[bytes, ...]


class Late(msgspec.Struct, frozen=True):
    """A late submission in a list: from whom, about whom, when it came, and the first lines of its entries."""

    id: str
    name: str
    person_id: str
    person: str
    received_ms: int
    entries: tuple[str, ...]
    others: int


class TakenIn(msgspec.Struct, frozen=True):
    """What taking a submission in made: so many entries and other changes, and how many could not be read here.

    `there` are entries that stood in the record already: another colleague took them in, or their writer sent them since.
    """

    entries: int
    others: int
    unread: int
    there: int = 0

    def rest(self) -> str:
        """Return what else is to be said of it, in sentences that begin with a space; empty when nothing is."""
        verb = "stands" if self.there == 1 else "stand"
        there = f" {say_count(self.there, 'entry', 'entries')} {verb} in the record already; nothing was written twice."
        return (there if self.there else "") + (f" {self.unread} could not be read here." if self.unread else "")


class _Name(msgspec.Struct, frozen=True):
    name: str


class _Writable(msgspec.Struct, frozen=True):
    writable: bool


_NAME = select(table_of(Person).c.name).where(table_of(Person).c.id == bindparam("person_id"))
_UNSENT = (
    select(func.count())
    .select_from(receipts.join(lanes, lanes.c.no == receipts.c.lane_no).join(books, books.c.no == lanes.c.book_no))
    .where(books.c.subject == bindparam("person_id"), lanes.c.mine == 1, lanes.c.lane > 0, receipts.c.no > bindparam("after"))
    .where(receipts.c.n.is_(None))
)
_WRITABLE = select(books.c.writable).where(books.c.subject == bindparam("person_id"))
_entries = table_of(JournalEntry).c
_STANDS = (
    select(func.count())
    .where(_entries.person_id == bindparam("person_id"), _entries.taken_in_from == bindparam("name"))
    .where(_entries.taken_in_ms == bindparam("wrote_ms"))
)
_WORDS: Final = ("title", "jotting", "seen", "said", "noticed", "think", "next_steps")
for _part in _WORDS:
    _STANDS = _STANDS.where(_entries[_part] == bindparam(_part))


def hand_in(shelf: Shelf, person_id: str, *, again: bool = False) -> None:
    """Decide to hand in what was written about somebody and cannot be sent any more; the next sync does it. Raises `Refused`.

    With `again`, also what was handed in before: whoever was to have it could not take it in. The same twice is there once.
    """
    if again:
        shelf.throw_away(HANDED_IN, shelf.casebook_of(person_id))
    if not may_hand_in(shelf, person_id):
        raise Refused(_NOTHING)
    shelf.keep(TO_HAND_IN, shelf.casebook_of(person_id), b"")


def may_hand_in(shelf: Shelf, person_id: str) -> bool:
    """Return whether something stands in a casebook that can only be handed in: it may not be written in any more."""
    found = shelf.rows(_WRITABLE, _Writable, person_id=person_id)
    if not found or found[0].writable:
        return False
    done = handed_in(shelf, person_id)
    after = done.upto if done else 0
    return bool(shelf.number(_UNSENT, person_id=person_id, after=after))


def handed_in(shelf: Shelf, person_id: str) -> HandedIn | None:
    """Return what was handed in of a person's casebook, or None."""
    kept = shelf.kept(HANDED_IN).get(shelf.casebook_of(person_id))
    return None if kept is None else msgspec.msgpack.decode(kept, type=HandedIn)


def waiting(shelf: Shelf) -> tuple[Late, ...]:
    """Return what was handed in to me and nobody here has taken in, the oldest first."""
    return tuple(_late(shelf, one) for one in _kept(shelf))


def take_in(shelf: Shelf, late_id: str) -> TakenIn:
    """Write what was handed in into the casebook, as mine, saying whose words it was. Raises `NotFound`, `Refused`.

    What this version cannot read stays waiting. It was handed in to everybody who decides, so an entry that stands in the
    record already, because another of them was first or its writer could send it since, is not written a second time.
    """
    submission = next((one for one in _kept(shelf) if one.id == late_id), None)
    if submission is None:
        raise NotFound("This was taken in already, or is not in this vault.")
    found = shelf.rows(_WRITABLE, _Writable, person_id=submission.subject)
    if not found or not found[0].writable:
        raise Refused("You may not write in this casebook any more, so nothing was taken in. Ask its lead to sync.")
    became = [(_write(shelf, submission, _content(body)), body) for body in submission.bodies]
    counts = Counter(what for what, _ in became)
    newer = tuple(body for what, body in became if what == "newer")
    if newer:  # a newer leadworker can read them; until then they wait here
        shelf.keep(DRAWER, late_id, msgspec.msgpack.encode(msgspec.structs.replace(submission, bodies=newer)))
    else:
        shelf.throw_away(DRAWER, late_id)
    return TakenIn(counts["entries"], counts["others"], counts["newer"] + counts["unfit"], counts["there"])


def _kept(shelf: Shelf) -> list[Submission]:
    found = (msgspec.msgpack.decode(value, type=Submission) for value in shelf.kept(DRAWER).values())
    return sorted(found, key=lambda one: one.received_ms)  # an id is a hash: what goes on from an earlier part comes after it


def _late(shelf: Shelf, submission: Submission) -> Late:
    contents = [content for content in map(_content, submission.bodies) if content is not None]
    entries = [content for content in contents if content.topic == "journal_entry"]
    titles = tuple(_first_words(entry.values) for entry in entries)
    names = shelf.rows(_NAME, _Name, person_id=submission.subject)
    name = names[0].name if names else ""
    return Late(
        submission.id, submission.name, submission.subject, name, submission.received_ms, titles,
        len(submission.bodies) - len(entries),
    )  # fmt: skip


def _first_words(values: dict[str, Any]) -> str:
    """Return what an entry begins with, whichever part of it was written: most notes are one line without a title."""
    parts = ("title", "seen", "said", "noticed", "think", "next_steps", "jotting")
    return next((words for part in parts if (words := one_line(str(values.get(part) or "")))), "")


def _content(body: bytes) -> Content | None:
    try:
        content = change.read_content(body)
    except msgspec.DecodeError:
        return None
    return content if content.schema <= change.SCHEMA else None


def _write(shelf: Shelf, submission: Submission, content: Content | None) -> str:
    """Write one change anew; return what became of it: ``entries``, ``others``, ``there``, ``newer``, or ``unfit`` for what no leadworker
    writes. Who handed it in says what it is about, and is not believed: it never reaches into another casebook.
    """
    kind = topics().get(content.topic) if content is not None else None
    if content is None or kind is None:
        return "newer"
    if not RECORD_ID.match(content.record) or not Moment(content.wrote_at, content.offset).is_on_calendar():
        return "unfit"
    values = _sound(kind, content.values)
    if "person_id" in kept_fields(kind):
        values["person_id"] = submission.subject
    if kind is JournalEntry:
        if _stands(shelf, submission, content, values):
            return "there"
        told = {"taken_in_from": submission.name, "taken_in_ms": content.wrote_at, "taken_in_offset": content.offset}
        shelf.add(JournalEntry, submission.subject, **values | told)
        return "entries"
    try:
        known = shelf.get(kind, content.record)
    except NotFound:
        if content.verb != DROP:
            shelf.add(kind, submission.subject, record_id=content.record, **values)
        return "others"
    if known.book != submission.book:
        return "unfit"
    if content.verb == DROP:
        shelf.drop(kind, content.record)
    elif not kind.frozen:
        changeable = {n: v for n, v in values.items() if kept_fields(kind)[n].rule is not Rule.APPEND}
        shelf.amend(kind, content.record, **changeable)
    return "others"


def _stands(shelf: Shelf, submission: Submission, content: Content, values: dict[str, Any]) -> bool:
    """Return whether an entry that was handed in is in the record: as its writer's own, or taken in by a colleague."""
    try:
        shelf.require(JournalEntry, content.record)
    except NotFound:
        words = {part: clean(values.get(part, "")) for part in _WORDS}
        who = {"person_id": submission.subject, "name": submission.name, "wrote_ms": content.wrote_at}
        return bool(shelf.number(_STANDS, **who, **words))
    return True


def _sound(kind: type[Record], values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that this record type has, each of its declared type; what a rogue laptop made up is left out."""
    fields = kept_fields(kind)
    typed = {n: v for n, v in values.items() if n in fields and type(v) is (kind.model_fields[n].annotation or str)}
    return {n: v for n, v in typed.items() if isinstance(v, str) or abs(v) <= LARGEST_NUMBER}
