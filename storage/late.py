"""The vault's side of late submissions: what was handed in from here, and what was handed in to here (C.6)."""

from __future__ import annotations

import msgspec

from leadworker.domain.late import DRAWER, HANDED_IN, TO_HAND_IN, HandedIn, Submission
from leadworker.postbox import HandingIn
from storage import handing_in
from storage.engine import Connection, scalar
from storage.vault import Transaction


def handed_in(transaction: Transaction, item: HandingIn, to: frozenset[bytes], at_ms: int) -> None:
    """Note that a submission is kept for these devices; what is more of it goes with the next sync."""
    connection, key = transaction.connection, item.book.hex()
    names = sorted({name_of(connection, device) for device in to})
    transaction.shelf.keep(HANDED_IN, key, msgspec.msgpack.encode(HandedIn(item.upto, tuple(names), at_ms)))
    if not handing_in.of_book(connection, item.book).runs:
        transaction.shelf.throw_away(TO_HAND_IN, key)


def keep(transaction: Transaction, submission: Submission) -> None:
    """Keep a submission until somebody takes it in; the same one again is the same."""
    subject = scalar(transaction.connection, "SELECT subject FROM book WHERE id = ?", bytes.fromhex(submission.book)) or ""
    whole = msgspec.structs.replace(submission, subject=subject)
    transaction.shelf.keep(DRAWER, submission.id, msgspec.msgpack.encode(whole))


def name_of(connection: Connection, device: bytes) -> str:
    """Return whose a device is, as far as it is known here."""
    return str(scalar(connection, "SELECT name FROM writer WHERE device = ?", device.hex()) or "a colleague")
