"""Folds changes into tables by the merge rules that the records declare (security D.1, D.2).

A table row is a function of the changes and their numbers alone, whatever order they came in: the same for a change that
was written here, received, or replayed by a rebuild.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

import msgspec

from leadworker.change import DROP, PUT, Content, unreadable
from leadworker.clock import Moment
from leadworker.record import LARGEST_NUMBER, RECORD_ID, Kept, Record, Rule, kept_fields, table_of, topics
from leadworker.text import clean
from storage import finding
from storage.engine import Connection

GONE: Final = "gone"
"""The name under which a record's being in its set or out of it is a value like any other."""

_MEMBERSHIP: Final = Kept(Rule.SET, False, "", "")


class Unfit(Exception):
    """A change that says what no record may say; the words say which rule it breaks. It is put aside, not applied."""


class Live(msgspec.Struct, array_like=True, gc=False):
    """A value of one field that no later write has seen: the change that wrote it, its stamp, its device, the value."""

    change_no: int
    stamp: int
    device: str
    value: Any


Marks = dict[str, list[Live]]
Sees = Callable[[int], bool]
"""Tells whether the change being applied was written by somebody who had seen the change with that number."""

_marks_encoder = msgspec.msgpack.Encoder()
_marks_decoder = msgspec.msgpack.Decoder(Marks)


class _Topic:
    """One record type, with the statements that its projection needs, made once."""

    def __init__(self, name: str, kind: type[Record]) -> None:
        self.name = name
        self.kind = kind
        self.fields: dict[str, Kept] = kept_fields(kind)
        self.types: dict[str, Any] = {f: kind.model_fields[f].annotation or str for f in self.fields}
        self.defaults: dict[str, Any] = {f: kind.model_fields[f].default for f in self.fields}
        self.find = finding.Index(kind)
        given = ("id", "book", "made_by", "made_at", "made_offset", "change_no", "gone", "contested", "marks", "written_no")
        names = (*given, *self.fields)
        self.insert = f"INSERT INTO {name} ({quoted(names)}) VALUES ({', '.join('?' * len(names))}) ON CONFLICT (id) DO NOTHING"
        stored = ("no", "book", "gone", "contested", "marks", "written_no", *self.fields)
        self.select = f"SELECT {quoted(stored)} FROM {name} WHERE id = ?"
        self.stored = stored
        self.truths = (GONE, *(f for f, wanted in self.types.items() if wanted is bool))
        self.values_of = _picker(tuple(self.fields))
        self.followed = {f: one.along for f, one in self.fields.items() if one.along}

    def rule_of(self, name: str) -> Kept:
        """Return how a field, or being in the set, is declared."""
        return _MEMBERSHIP if name == GONE else self.fields[name]

    def checked(self, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values of known fields, each of its declared type and cleaned; raise `Unfit`.

        A field that this version does not know is left out here and stays in the log for the version that does.
        """
        sound: dict[str, Any] = {}
        for name, value in values.items():
            wanted = self.types.get(name)
            if wanted is None:
                continue
            if type(value) is not wanted:
                raise Unfit(f"{self.name}.{name} holds something else than it may")
            if isinstance(value, str):
                sound[name] = clean(value)
            elif -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
                sound[name] = value
            else:
                raise Unfit(f"{self.name}.{name} is too large a number")
        return sound


class Projector:
    """Applies changes to the projection tables of one connection."""

    def __init__(self, connection: Connection, *, index: bool = True) -> None:
        self._connection = connection
        self._topics = {name: _Topic(name, kind) for name, kind in topics().items()}
        self._index = index
        self._mine: frozenset[str] | None = None
        self._subjects: dict[str, str] = {}

    def defaults(self, kind: type[Record]) -> dict[str, Any]:
        """Return the fields of a record type with what stands in them until something is written."""
        return self._topics[str(table_of(kind).name)].defaults

    def knows(self, topic: str) -> bool:
        """Return whether this version can show records of a topic."""
        return topic in self._topics

    def apply(self, content: Content, book: str, device: str, change_no: int, sees: Sees | None = None) -> tuple[str, ...]:
        """Fold one change in and return the ids it touched: the record's and its person's.

        `sees` is None for a change that has seen everything there is, as every change written here has.
        Raises `Unfit` and leaves the tables as they were.
        """
        topic = self._topics.get(content.topic)
        if topic is None:
            return ()
        _refuse_unfit(content)
        values = topic.checked(content.values)
        self._refuse_elsewhere(values, book)
        if topic.kind.frozen:
            return self._append(topic, content, values, book, device, change_no)
        return self._merge(topic, content, values, book, device, change_no, sees)

    def _refuse_elsewhere(self, values: dict[str, Any], book: str) -> None:
        """Everything about a person is in their casebook (REC-01): who writes in one puts nothing on the pages of another."""
        about = values.get("person_id")
        if about is None:
            return
        if book not in self._subjects:
            row = self._connection.execute("SELECT subject FROM book WHERE id = ?", (bytes.fromhex(book),)).fetchone()
            if row is None or not row[0]:
                raise Unfit("nobody here knows yet whose casebook it is in")
            self._subjects[book] = row[0]
        if about != self._subjects[book]:
            raise Unfit("it is about another person than the one whose casebook it is in")

    def forget_subjects(self) -> None:
        """Look up again whose a casebook is, after that may have been named, or named in vain."""
        self._subjects.clear()

    def forget(self, book: str, topic_name: str, record_id: str) -> None:
        """Take a record of a book out of its table, so that it can be folded again from its first change."""
        topic = self._topics.get(topic_name)
        found = topic and self._connection.execute(topic.select, (record_id,)).fetchone()
        if topic is None or not found:
            return
        row = dict(zip(topic.stored, found, strict=True))
        if row["book"] != book:  # who claims the id of a record elsewhere takes nothing away there
            return
        if self._index:
            topic.find.remove(self._connection, row["no"], row)
        self._connection.execute(f"DELETE FROM {topic.name} WHERE no = ?", (row["no"],))

    def is_of(self, book: str, topic_name: str, record_id: str) -> bool:
        """Return whether a record is there, and in this book."""
        sql = f"SELECT 1 FROM {self._topics[topic_name].name} WHERE id = ? AND book = ?" if self.knows(topic_name) else ""
        return bool(sql) and self._connection.execute(sql, (record_id, book)).fetchone() is not None

    def begun_by_unsent(self, topic_name: str, record_id: str) -> bool:
        """Return whether a record was begun by a change that has no number yet."""
        sql = f"SELECT 1 FROM {self._topics[topic_name].name} r JOIN change c ON c.no = r.change_no WHERE r.id = ? AND c.n IS NULL"
        return self._connection.execute(sql, (record_id,)).fetchone() is not None

    def _append(self, topic: _Topic, content: Content, values: dict[str, Any], book: str, device: str, change_no: int) -> tuple[str, ...]:
        if content.verb != PUT:
            raise Unfit("what was saved is never taken away")
        row = topic.defaults | values
        written_no = self._written_no(device, change_no)
        made = (content.record, book, device, content.wrote_at, content.offset, change_no, False, "", b"", written_no)
        cursor = self._connection.execute(topic.insert, made + topic.values_of(row))
        if cursor.rowcount == 0:
            raise Unfit("what was saved is never written over")
        self._add_to_index(topic, cursor.lastrowid, row)
        return _touched(content.record, row)

    def _merge(
        self, topic: _Topic, content: Content, values: dict[str, Any], book: str, device: str, change_no: int,
        sees: Sees | None,
    ) -> tuple[str, ...]:  # fmt: skip
        written = {GONE: content.verb == DROP, **values}
        found = self._connection.execute(topic.select, (content.record,)).fetchone()
        if found is None:
            return self._begin(topic, content, written, book, device, change_no)
        old = dict(zip(topic.stored, found, strict=True))
        old |= {name: bool(old[name]) for name in topic.truths}  # compared with yes and no, 1 and 0 would be another opinion
        if old["book"] != book:
            raise Unfit("a record of another person's book")
        marks = _marks_decoder.decode(old["marks"])
        new = {name: old[name] for name in (*topic.fields, GONE)}
        contested = set(filter(None, old["contested"].split(",")))
        for name, value in written.items():
            live = _after(_live(marks, name, new), Live(change_no, content.stamp, device, value), sees)
            kept = topic.rule_of(name)
            new[name] = _shown(kept, topic.defaults.get(name), live).value
            marks[name] = _slim(live)
            differ = len({repr(one.value) for one in live}) > 1
            (contested.add if differ and kept.rule is Rule.ASK else contested.discard)(name)
        new |= _of_the_same_hand(topic, written.keys(), marks, new)
        new_no = max(old["written_no"], self._written_no(device, change_no))
        self._update(topic, old, new, ",".join(sorted(contested)), marks, new_no)
        return _touched(content.record, new)

    def _begin(self, topic: _Topic, content: Content, written: dict[str, Any], book: str, device: str, change_no: int) -> tuple[str, ...]:
        row = topic.defaults | written
        marks = {name: [Live(change_no, content.stamp, device, None)] for name in written}
        made = (content.record, book, device, content.wrote_at, content.offset, change_no)
        state = (row[GONE], "", _marks_encoder.encode(marks), self._written_no(device, change_no))
        cursor = self._connection.execute(topic.insert, made + state + topic.values_of(row))
        self._add_to_index(topic, cursor.lastrowid, row)
        return _touched(content.record, row)

    def _update(self, topic: _Topic, old: dict[str, Any], new: dict[str, Any], contested: str, marks: Marks, written_no: int) -> None:
        moved = [name for name in new if new[name] != old[name]]
        columns = [*moved, "contested", "marks", "written_no"]
        values = [*(new[name] for name in moved), contested, _marks_encoder.encode(marks), written_no, old["no"]]
        statement = f"UPDATE {topic.name} SET {quoted(columns, ' = ?')} WHERE no = ?"
        self._connection.execute(statement, values)
        if self._index and any(name in topic.find.fields for name in moved):
            topic.find.replace(self._connection, old["no"], old, new)

    def _written_no(self, device: str, change_no: int) -> int:
        """Return the number of a change that this laptop wrote, 0 for one of somebody else's."""
        if self._mine is None:
            found = self._connection.execute("SELECT device FROM writer WHERE mine = 1").fetchall()
            self._mine = frozenset(row[0] for row in found)
        return change_no if device in self._mine else 0

    def _add_to_index(self, topic: _Topic, no: int | None, row: dict[str, Any]) -> None:
        if self._index and no is not None:
            topic.find.add(self._connection, no, row)


def live_changes(marks: bytes, names: Iterable[str]) -> set[int]:
    """Return the numbers of the changes whose values stand in these fields of a record, from the row's marks."""
    return {no for changes in standing(marks, names).values() for no in changes}


def standing(marks: bytes, names: Iterable[str]) -> dict[str, frozenset[int]]:
    """Return, for each of these fields, the numbers of the changes whose values stand in it; none for one never written."""
    written = _marks_decoder.decode(marks) if marks else {}
    return {name: frozenset(one.change_no for one in written.get(name, [])) for name in names}


def _refuse_unfit(content: Content) -> None:
    """Raise `Unfit` for what no leadworker writes; the same here for a change that is taken in and for one that is replayed."""
    why = unreadable(content)
    if why:
        raise Unfit(why)
    if content.verb not in (PUT, DROP) or not RECORD_ID.match(content.record):
        raise Unfit("neither a writing nor a taking away of a record")
    if not Moment(content.wrote_at, content.offset).is_on_calendar():
        raise Unfit("it was written at a time that no clock shows")


def _picker(names: tuple[str, ...]) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    """Return what takes these values out of a row, in their order."""
    return operator.itemgetter(*names) if len(names) > 1 else lambda row: tuple(row[name] for name in names)


def quoted(names: Iterable[str], after: str = "") -> str:
    """Return column names for a statement; some, such as ``on``, are words of SQL as well."""
    return ", ".join(f'"{name}"{after}' for name in names)


def _live(marks: Marks, name: str, row: dict[str, Any]) -> list[Live]:
    """Return a field's live values; a single one stands in the row itself."""
    live = marks.get(name, [])
    if len(live) == 1 and live[0].value is None:
        return [Live(live[0].change_no, live[0].stamp, live[0].device, row[name])]
    return live


def _after(live: list[Live], write: Live, sees: Sees | None) -> list[Live]:
    """Return a field's live values after one more write: those that it had seen are over (D.2)."""
    if sees is None:
        return [write]
    return [one for one in live if not sees(one.change_no)] + [write]


def _shown(kept: Kept, default: Any, live: list[Live]) -> Live:
    """Return whose value a row shows while several are live: the safer one, adding over removal, else the latest."""
    if len(live) == 1:
        return live[0]
    latest_first = sorted(live, key=lambda one: (one.stamp, one.device), reverse=True)
    if kept.rule is Rule.SET and all(isinstance(one.value, bool) for one in live):
        return next((one for one in latest_first if not one.value), latest_first[0])  # gone only if everybody took it away
    match kept.safer:
        case "on":
            return next((one for one in latest_first if one.value), latest_first[0])
        case "default":
            return next((one for one in latest_first if one.value == default), latest_first[0])
        case "earliest":
            return min(latest_first, key=lambda one: one.value)
        case "longest":
            return max(latest_first, key=lambda one: len(one.value))
    return latest_first[0]


def _of_the_same_hand(topic: _Topic, written: Collection[str], marks: Marks, row: dict[str, Any]) -> dict[str, Any]:
    """Return the quiet values that were written with a shown one: half of one opinion and half of another is nobody's."""
    values: dict[str, Any] = {}
    for name, along in topic.followed.items():
        live = _live(marks, name, row)
        if not live or not any(one in written for one in (name, *along)):
            continue
        hand = _shown(topic.rule_of(name), topic.defaults[name], live).change_no
        for beside in (one for one in along if topic.fields[one].rule is Rule.QUIET):
            others = _live(marks, beside, row)
            own = [one for one in others if one.change_no == hand]
            if others:
                values[beside] = _shown(topic.rule_of(beside), topic.defaults[beside], own or others).value
    return values


def _slim(live: list[Live]) -> list[Live]:
    """A single live value stands in the row itself and need not be kept twice."""
    if len(live) == 1:
        return [Live(live[0].change_no, live[0].stamp, live[0].device, None)]
    return live


def _touched(record: str, row: dict[str, Any]) -> tuple[str, ...]:
    person = row.get("person_id")
    return (record, person) if person else (record,)
