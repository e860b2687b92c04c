"""The journal: what was seen, said, noticed and thought, with two clocks, frozen once it is saved (REC-05, REC-07)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from sqlalchemy import BindParameter, Index, bindparam, func, select

from leadworker.clock import Moment
from leadworker.domain import attachments, people
from leadworker.domain.actions import ActionRow, NewAction, actions_of_entry
from leadworker.domain.actions import add as add_action
from leadworker.domain.attachments import AttachmentView
from leadworker.errors import NotFound, NotUnderstood
from leadworker.record import Record, Rule, kept, receipts, table_of, writers
from leadworker.shelf import Hit, Shelf, whereabouts
from leadworker.text import clean, one_line

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, ScalarSelect

LONGEST_ENTRY = 40_000
"""Bytes of words in one entry; a longer note goes on in the next one, so that each can be sealed and sent."""


LONGEST_TITLE = 300
"""Characters of a first line; a longer one is kept whole among what was noticed."""


CONTINUED = "continued"
"""What the further parts of a long note are called wherever they are listed."""


class JournalEntry(Record, table=True):
    """One recorded contact, event or thought. Never amended: what is added later is a record of its own.

    `happened_ms` and `happened_offset` are when it took place, as the writer says; `made_at` is when it was written.
    `jotting` is the first line as it was typed (REC-04). `child_seen` and `think` keep fact and opinion apart (REC-02).
    `taken_in_from` names who wrote it, and `taken_in_ms` when, where it was handed in late and taken in by the signer.
    """

    __tablename__: ClassVar[str] = "journal_entry"
    __table_args__ = (Index("journal_entry_of_person", "person_id", "happened_ms"),)
    frozen: ClassVar[bool] = True

    person_id: str = kept(rule=Rule.APPEND)
    kind: str = kept("note", rule=Rule.APPEND, words="kind")
    happened_ms: int = kept(0, rule=Rule.APPEND)
    happened_offset: int = kept(0, rule=Rule.APPEND)
    precision: str = kept("exact", rule=Rule.APPEND)
    minutes: int = kept(0, rule=Rule.APPEND, words="minutes")
    place: str = kept(rule=Rule.APPEND, find=True, words="place")
    title: str = kept(rule=Rule.APPEND, find=True, words="about")
    jotting: str = kept(rule=Rule.APPEND)
    seen: str = kept(rule=Rule.APPEND, find=True, words="seen")
    said: str = kept(rule=Rule.APPEND, find=True, words="said")
    noticed: str = kept(rule=Rule.APPEND, find=True, words="noticed")
    think: str = kept(rule=Rule.APPEND, find=True, words="I think")
    next_steps: str = kept(rule=Rule.APPEND, find=True, words="next")
    continues: str = kept(rule=Rule.APPEND)
    clock_doubt: str = kept(rule=Rule.APPEND)
    taken_in_from: str = kept(rule=Rule.APPEND, words="written by")
    taken_in_ms: int = kept(0, rule=Rule.APPEND)
    taken_in_offset: int = kept(0, rule=Rule.APPEND)


class NewEntry(msgspec.Struct, frozen=True):
    """What a worker has written and wants to keep. Only the words are asked for; everything may be empty but all of it."""

    person_id: str
    kind: str = "note"
    happened: Moment | None = None
    precision: str = "exact"
    minutes: int = 0
    place: str = ""
    title: str = ""
    jotting: str = ""
    seen: str = ""
    said: str = ""
    noticed: str = ""
    think: str = ""
    next_steps: str = ""
    actions: tuple[NewAction, ...] = ()


class Saved(msgspec.Struct, frozen=True):
    """What saving an entry made. `parts` are the ids of the entry and of its continuations."""

    entry_id: str
    parts: tuple[str, ...]
    action_ids: tuple[str, ...]


class EntryView(msgspec.Struct, frozen=True):
    """An entry as it is read. `where` tells which part of its way it has gone: see `whereabouts`."""

    id: str
    person_id: str
    person_name: str
    kind: str
    happened_ms: int
    happened_offset: int
    precision: str
    minutes: int
    place: str
    title: str
    seen: str
    said: str
    noticed: str
    think: str
    next_steps: str
    continues: str
    clock_doubt: str
    made_at: int
    made_offset: int
    written_by: str
    by_me: bool
    n: int
    sent_ms: int
    received_ms: int
    taken_in_from: str = ""
    taken_in_ms: int = 0
    taken_in_offset: int = 0
    actions: tuple[ActionRow, ...] = ()
    files: tuple[AttachmentView, ...] = ()

    def happened(self) -> Moment:
        """Return when it took place."""
        return Moment(self.happened_ms, self.happened_offset)

    def recorded(self) -> Moment:
        """Return when it was written down, by the writer's clock."""
        return Moment(self.made_at, self.made_offset)

    def whereabouts(self) -> str:
        """Return ``here``, ``on its way`` or ``on the central store``."""
        return whereabouts(self.n, self.sent_ms)


_entry = table_of(JournalEntry).c
_person = table_of(people.Person).c
_VIEW = (
    select(
        _entry.id, _entry.person_id, func.coalesce(_person.name, ""), _entry.kind, _entry.happened_ms,
        _entry.happened_offset, _entry.precision, _entry.minutes, _entry.place, _entry.title, _entry.seen, _entry.said,
        _entry.noticed, _entry.think, _entry.next_steps, _entry.continues, _entry.clock_doubt, _entry.made_at,
        _entry.made_offset, func.coalesce(writers.c.name, ""), func.coalesce(writers.c.mine, 0),
        func.coalesce(receipts.c.n, 0), func.coalesce(receipts.c.sent_ms, 0), func.coalesce(receipts.c.received_ms, 0),
        _entry.taken_in_from, _entry.taken_in_ms, _entry.taken_in_offset,
    )
    .select_from(table_of(JournalEntry))
    .outerjoin(table_of(people.Person), _person.id == _entry.person_id)
    .outerjoin(receipts, receipts.c.no == _entry.change_no)
    .outerjoin(writers, writers.c.device == _entry.made_by)
)  # fmt: skip
_order = (_entry.happened_ms.desc(), _entry.no.desc())
_limit: BindParameter[int] = bindparam("limit")
_TIMELINE = (
    _VIEW.where(_entry.person_id == bindparam("person_id"), _entry.happened_ms <= bindparam("before"))
    .order_by(*_order).limit(_limit).offset(bindparam("skip"))
)  # fmt: skip
_ONE = _VIEW.where(_entry.id == bindparam("entry_id"))
_RECENT = _VIEW.order_by(_entry.no.desc()).limit(_limit)
_COUNT = select(func.count()).select_from(table_of(JournalEntry)).where(_entry.person_id == bindparam("person_id"))

END_OF_TIME = 2**53


def last_contact_of(person_id: ColumnElement[Any]) -> tuple[ScalarSelect[Any], ScalarSelect[Any]]:
    """Return two scalar selects for a list of people: when the last entry about each happened, and its offset."""
    entry = table_of(JournalEntry).alias()
    latest = select(entry.c.happened_ms).where(entry.c.person_id == person_id)
    offset = select(entry.c.happened_offset).where(entry.c.person_id == person_id)
    order = entry.c.happened_ms.desc()
    return latest.order_by(order).limit(1).scalar_subquery(), offset.order_by(order).limit(1).scalar_subquery()


def write(shelf: Shelf, new: NewEntry) -> Saved:
    """Keep an entry and the actions that its *next* lines name; take the person on to the caseload if they were not.

    A note too long for one entry goes on in further ones that name it; how long it took stands in the first alone.
    Raises `NotUnderstood` when there are no words.
    """
    told = {name: clean(getattr(new, name)).strip() for name in ("seen", "said", "noticed", "think", "next_steps")}
    title, jotting = one_line(new.title), clean(new.jotting).strip()
    if len(title) > LONGEST_TITLE or len(jotting) > LONGEST_TITLE:  # a whole story on the first line: it is kept as one
        whole = jotting if len(jotting) >= len(title) else title
        told["noticed"] = f"{whole}\n{told['noticed']}".strip()
        title, jotting = title[:LONGEST_TITLE], jotting[:LONGEST_TITLE]
    if not any(told.values()) and not title and not jotting:
        raise NotUnderstood("There are no words in this note yet. Nothing was saved; what you typed is still a draft.")
    people.begin_work_with(shelf, new.person_id)
    now = shelf.now()
    happened = new.happened or now
    parts: list[str] = []
    for number, words in enumerate(_pages(told)):
        part = shelf.add(
            JournalEntry, new.person_id, person_id=new.person_id, kind=one_line(new.kind) or "note", happened_ms=happened.ms,
            happened_offset=happened.offset, precision=new.precision, minutes=0 if number else max(0, new.minutes),
            place=one_line(new.place), title=f"{title} ({CONTINUED})" if number and title else title,
            jotting=jotting if not number else "", continues=parts[0] if parts else "",
            clock_doubt=shelf.clock_doubt, **words,
        )  # fmt: skip
        parts.append(part)
    actions = tuple(add_action(shelf, new.person_id, action, entry_id=parts[0]) for action in new.actions)
    return Saved(parts[0], tuple(parts), actions)


def timeline(shelf: Shelf, person_id: str, *, limit: int = 50, skip: int = 0, before: int = END_OF_TIME) -> tuple[EntryView, ...]:
    """Return a person's entries, newest first by when they happened, with the actions born from each."""
    found = shelf.rows(_TIMELINE, EntryView, person_id=person_id, limit=limit, skip=skip, before=before)
    return _with_files(shelf, person_id, _with_actions(shelf, found))


def recent(shelf: Shelf, *, limit: int = 50) -> tuple[EntryView, ...]:
    """Return the entries about anyone that were written or received last."""
    return shelf.rows(_RECENT, EntryView, limit=limit)


def unsent(shelf: Shelf, *, limit: int = 50) -> tuple[EntryView, ...]:
    """Return the entries that the central store does not have yet, those written last first, however long ago that was."""
    return tuple(one for each in shelf.unsent(JournalEntry, limit) for one in shelf.rows(_ONE, EntryView, entry_id=each))


def entry(shelf: Shelf, entry_id: str) -> EntryView:
    """Return one entry; raise `NotFound`."""
    found = shelf.rows(_ONE, EntryView, entry_id=entry_id)
    if not found:
        raise NotFound("That entry is not in this vault.")
    return _with_files(shelf, found[0].person_id, _with_actions(shelf, found))[0]


def count(shelf: Shelf, person_id: str) -> int:
    """Return how many entries there are about a person."""
    return shelf.number(_COUNT, person_id=person_id)


def find(shelf: Shelf, words: str, *, limit: int = 50, newest: bool = False) -> tuple[tuple[Hit, EntryView], ...]:
    """Return the entries in which the words occur, each with the words around them."""
    hits = shelf.search((JournalEntry,), words, limit=limit, newest=newest)
    return tuple((hit, entry(shelf, hit.record_id)) for hit in hits)


def _with_actions(shelf: Shelf, entries: tuple[EntryView, ...]) -> tuple[EntryView, ...]:
    return tuple(msgspec.structs.replace(e, actions=actions_of_entry(shelf, e.id, e.person_id)) if e.next_steps else e for e in entries)


def _with_files(shelf: Shelf, person_id: str, entries: tuple[EntryView, ...]) -> tuple[EntryView, ...]:
    files: dict[str, list[AttachmentView]] = {}
    for file in reversed(attachments.of_person(shelf, person_id)):
        files.setdefault(file.entry_id, []).append(file)
    return tuple(msgspec.structs.replace(e, files=tuple(files[e.id])) if e.id in files else e for e in entries)


def _pages(told: dict[str, str]) -> list[dict[str, str]]:
    """Cut words that are too long for one entry into several, between paragraphs, lines or words where there are any."""
    pages: list[dict[str, str]] = [{}]
    room = LONGEST_ENTRY
    for name, text in told.items():
        rest = text
        while rest:
            piece = _cut(rest, room)
            if piece:
                pages[-1][name] = piece.strip("\n")
                room -= len(piece.encode())
                rest = rest[len(piece) :]
            if rest:
                pages.append({})
                room = LONGEST_ENTRY
    return pages


def _cut(text: str, room: int) -> str:
    if len(text.encode()) <= room:
        return text
    piece = text.encode()[:room].decode(errors="ignore")
    for mark in ("\n\n", "\n", " "):
        at = piece.rfind(mark)
        if at > room // 2:
            return piece[: at + len(mark)]
    at = max(piece.rfind("\n"), piece.rfind(" "))  # what stands behind it is one long word, and begins the next entry
    if at > 0:
        return piece[: at + 1]
    return piece if room == LONGEST_ENTRY else ""
