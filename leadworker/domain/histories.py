"""What was ever written about one record, in words: every version, who wrote it and when, and which of them stand."""

from __future__ import annotations

import msgspec

from leadworker.record import kept_fields, topics
from leadworker.shelf import Shelf, whereabouts
from leadworker.words.values import say_value


class HistoryLine(msgspec.Struct, frozen=True):
    """One value of one field. `stands`: nobody who had seen it wrote another. `settled`: of so many versions it was chosen.

    `apart`: others stand beside it, written by somebody who had not seen this one.
    """

    change: str
    what: str
    words: str
    written_by: str
    by_me: bool
    wrote_ms: int
    wrote_offset: int
    n: int
    sent_ms: int
    received_ms: int
    stands: bool
    apart: bool
    settled: int

    def whereabouts(self) -> str:
        """Return ``here``, ``on its way`` or ``on the central store``."""
        return whereabouts(self.n, self.sent_ms)


class History(msgspec.Struct, frozen=True):
    """Everything about one record, field by field as it declares them, the latest first. `title` is empty for a person."""

    topic: str
    record_id: str
    title: str
    lines: tuple[HistoryLine, ...]


def history(shelf: Shelf, topic: str, record_id: str) -> History:
    """Return what was ever written about a record in the fields that have a name; raise `NotFound`."""
    kind = topics()[topic]
    fields, now = kept_fields(kind), shelf.now().local()
    record = shelf.get(kind, record_id)
    said = shelf.history(kind, record_id)
    lines = []
    for name, declared in fields.items():
        of_field = [one for one in said if one.field == name] if declared.words else []
        apart = len({repr(one.value) for one in of_field if one.stands}) > 1
        for one in reversed(of_field):
            words = say_value(declared.says, one.value, one.beside, now)
            lines.append(
                HistoryLine(
                    one.change, declared.words, words, one.written_by or "A colleague", one.by_me, one.wrote_ms, one.wrote_offset,
                    one.n, one.sent_ms, one.received_ms, one.stands, apart and one.stands, one.over if one.over > 1 else 0,
                )
            )  # fmt: skip
    titled = fields[kind.titled_by] if kind.titled_by else None
    title = "" if titled is None else say_value(titled.says, getattr(record, kind.titled_by), {}, now)
    return History(topic, record_id, title, tuple(lines))
