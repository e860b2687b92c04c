"""Everything that was ever written about one record: each value with who wrote it, when, and whether it still stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from leadworker import change
from leadworker.change import Content, Kind
from leadworker.record import Record, kept_fields, table_of
from leadworker.shelf import Said
from leadworker.text import clean
from storage.engine import Connection
from storage.rebuilding import seen_by

_ABOUT = """SELECT c.no, c.header, c.body, coalesce(c.n, 0), c.sent_ms, c.received_ms, w.name, coalesce(w.mine, 0)
            FROM change c JOIN book b ON b.no = c.book_no JOIN lane l ON l.no = c.lane_no
            LEFT JOIN writer w ON w.device = lower(hex(l.device))
            WHERE b.id = ? AND c.body IS NOT NULL AND instr(c.body, CAST(? AS BLOB)) > 0
            AND NOT EXISTS (SELECT 1 FROM put_aside p WHERE p.change_no = c.no)
            ORDER BY c.n IS NULL, c.n, c.no"""
"""Changes that name a record somewhere in their body, in the order in which they count (D.2)."""


class _Write(NamedTuple):
    no: int
    header: bytes
    content: Content
    n: int
    sent_ms: int
    received_ms: int
    name: str
    mine: bool


class _Value(NamedTuple):
    """What a change wrote in a field, and in the place of which values."""

    no: int
    said: str
    over: tuple[_Value, ...]


def history(connection: Connection, kind: type[Record], record_id: str, book: str) -> tuple[Said, ...]:
    """Return what was written about a record, field by field, the oldest first."""
    topic, fields = str(table_of(kind).name), {name: field for name, field in kept_fields(kind).items() if not field.secret}
    writes: list[tuple[_Write, str, int]] = []
    standing: dict[str, list[_Value]] = {}
    for row in connection.execute(_ABOUT, (bytes.fromhex(book), record_id)).fetchall():
        write = _read(row)
        if write is None or (write.content.topic, write.content.record) != (topic, record_id):
            continue
        head = change.unpack(write.header)
        sees = seen_by(connection, head, write.content)
        for name in (name for name in fields if name in write.content.values):
            live = standing.get(name, [])
            over = _shown_to(sees, live)
            standing[name] = [one for one in live if not sees(one.no)] + [_Value(write.no, repr(write.content.values[name]), over)]
            writes.append((write, name, len({one.said for one in over})))
    stand = {name: {one.no for one in values} for name, values in standing.items()}
    return tuple(_said(write, name, fields[name].along, over, write.no in stand[name]) for write, name, over in writes)


def _shown_to(sees: Callable[[int], bool], live: Iterable[_Value]) -> tuple[_Value, ...]:
    """Return the values that stood where somebody wrote who had seen so much: also those of which another chose meanwhile."""
    found: dict[int, _Value] = {}
    unseen, known = list(live), set[int]()
    while unseen:
        one = unseen.pop()
        if one.no in known:
            continue
        known.add(one.no)
        if sees(one.no):
            found[one.no] = one
        else:
            unseen += one.over
    return tuple(found.values())


def _read(row: tuple[Any, ...]) -> _Write | None:
    no, header, body, n, sent_ms, received_ms, name, mine = row
    try:
        if change.unpack(header).kind != Kind.CONTENT:
            return None
        content = change.read_content(body)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    return _Write(no, bytes(header), content, n, sent_ms, received_ms, name or "", bool(mine))


def _said(write: _Write, name: str, along: tuple[str, ...], over: int, stands: bool) -> Said:
    content = write.content
    values = {field: clean(value) if isinstance(value, str) else value for field, value in content.values.items()}
    return Said(
        change.change_id(write.header).hex(), name, values[name], {field: values[field] for field in along if field in values},
        write.name, write.mine, content.wrote_at, content.offset, content.stamp, change.unpack(write.header).device.hex(),
        write.n, write.sent_ms, write.received_ms, stands, over,
    )  # fmt: skip
