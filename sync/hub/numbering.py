"""Gives changes their numbers in a book, and signs for them: gapless `n`, running digest, receipt (C.8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sync import wire
from sync.hub.rules import Refusal
from sync.hub.store import Head, Known, Row

Sign = Callable[[bytes], bytes]
"""Signs a message with the central store's own key."""

Entry = tuple[bytes, bytes, bytes, bytes]
"""Header, id, body and signature of a change that is to be numbered."""


def number(head: Head, device: bytes, lane: int, first: int, entries: Sequence[Entry], received_ms: int) -> tuple[list[Row], Head]:
    """Return the rows of new changes after `head`, and the book's head after them."""
    rows: list[Row] = []
    n, digest = head.n, head.digest
    for seq, (header, change, body, signature) in enumerate(entries, start=first):
        n += 1
        digest = wire.next_digest(digest, change, n)
        rows.append(Row(head.book, n, device, lane, seq, header, body, signature, received_ms, digest))
    size = head.size + sum(row.size for row in rows)
    return rows, head._replace(n=n, digest=digest, size=size, grew_ms=received_ms if lane else head.grew_ms)


def taken(book: bytes, last: bytes, known: Sequence[Known], rows: Sequence[Row], sign: Sign) -> wire.Outcome:
    """Return the outcome of changes that are kept: first those that were known, then the new `rows`.

    `last` is the id of the last of them. A retry gets the numbers, the time and the receipt that it got first.
    """
    end: Row | Known = rows[-1] if rows else known[-1]
    receipt = sign(wire.RECEIPT + wire.receipt_message(book, last, end.n, end.digest, end.received_ms))
    ns = (*(row.n for row in known), *(row.n for row in rows))
    return wire.Outcome(book=book, ns=ns, last_n=end.n, digest=end.digest, received_ms=end.received_ms, receipt=receipt)


def refused(book: bytes, refusal: Refusal) -> wire.Outcome:
    """Return the outcome of changes that were not taken."""
    ns = () if refusal.held is None else (refusal.held,)
    return wire.Outcome(book=book, code=refusal.code, sentence=refusal.sentence, ns=ns)
