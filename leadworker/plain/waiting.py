"""What waits to be sent, and why it has not gone: what “leadworker sync --why” says, without asking the network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import msgspec

from leadworker.domain import sending
from leadworker.domain.sending import WaitingRow
from leadworker.plain import documents, sentences
from leadworker.plain.place import Place
from leadworker.text import one_line
from leadworker.words.saying import say_count

MOST = 10_000


class WaitingChange(msgspec.Struct, frozen=True):
    """A record about which something waits to be sent. `where` is ``here`` or ``on its way``; `why` is a sentence."""

    id: str
    topic: str
    person_id: str
    person: str
    what: str
    title: str
    written: str
    where: str
    why: str


class WaitingChanges(msgspec.Struct, frozen=True):
    """Everything that waits to be sent, what was written last first."""

    waiting: tuple[WaitingChange, ...]


def tell(place: Place) -> None:
    """Print what waits in a vault, and why."""
    with place.opened() as opened:
        rows = opened.ask(sending.waiting, limit=MOST)
    document = WaitingChanges(tuple(_document(row) for row in rows))
    place.tell(document, _lines(rows))


def _document(row: WaitingRow) -> WaitingChange:
    return WaitingChange(
        row.record_id, row.topic, row.person_id, row.person_name, row.what, row.title,
        documents.moment(row.wrote_ms, row.wrote_offset), row.whereabouts(), row.why,
    )  # fmt: skip


def _lines(rows: tuple[WaitingRow, ...]) -> Iterator[str]:
    if not rows:
        yield "Nothing waits: everything that is to be sent is on the central store."
        return
    yield f"{say_count(len(rows), 'thing is', 'things are')} not on the central store yet."
    for why, group in groupby(sorted(rows, key=lambda row: row.why), key=lambda row: row.why):
        yield why
        for row in group:
            facts = sentences.sentence(row.person_name or "Somebody", row.what, one_line(row.title))
            yield f"  {facts} Id {sentences.short(row.record_id)}."
