"""The vault's side of late submissions: what cannot be sent any more and may be handed in, and what was handed in here (C.6)."""

from __future__ import annotations

import msgspec

from leadworker.domain.late import DRAWER, HANDED_IN, TO_HAND_IN, HandedIn, Submission
from leadworker.postbox import HandingIn, UnsentRun
from storage.engine import Connection, scalar
from storage.log import SHARED
from storage.vault import Transaction

MOST_BYTES = 2 * 1024 * 1024
"""Bytes of words in one late submission; what is more goes into the next."""

MOST = 2000


def count(connection: Connection, *, revoked: bool) -> int:
    """Return how many unsent changes stand in casebooks that this laptop may write in no more and were not handed in."""
    books = f"SELECT DISTINCT b.no, b.id FROM lane l JOIN book b ON b.no = l.book_no WHERE {SHARED} AND (b.writable = 0 OR ?)"
    unsent = """SELECT count(*) FROM lane l JOIN change c ON c.lane_no = l.no AND c.seq > l.acked AND c.n IS NULL
                WHERE l.book_no = ? AND l.mine = 1 AND l.lane > 0 AND c.no > ?"""
    found = connection.execute(books, (int(revoked),)).fetchall()
    return sum(int(scalar(connection, unsent, no, _upto(connection, book))) for no, book in found)


def to_hand_in(connection: Connection) -> tuple[HandingIn, ...]:
    """Return what somebody decided to hand in, as much of each book as one submission holds."""
    found = []
    for (book,) in connection.execute("SELECT key FROM drawer WHERE drawer = ? ORDER BY key", (TO_HAND_IN,)).fetchall():
        item = _handing_in(connection, bytes.fromhex(book))
        if item.runs:
            found.append(item)
    return tuple(found)


def _handing_in(connection: Connection, book: bytes) -> HandingIn:
    lanes = "SELECT l.no, l.lane, l.acked FROM lane l JOIN book b ON b.no = l.book_no WHERE b.id = ? AND l.mine = 1 AND l.lane > 0"
    changes = """SELECT no, header, body, signature FROM change
                 WHERE lane_no = ? AND seq > ? AND n IS NULL AND no > ? ORDER BY seq LIMIT ?"""
    after, runs, upto, room = _upto(connection, book), list[UnsentRun](), 0, MOST_BYTES
    for lane_no, lane, acked in connection.execute(lanes, (book,)).fetchall():
        rows = connection.execute(changes, (lane_no, acked, after, MOST)).fetchall()
        whole = 0
        for at, (_, header, body, signature) in enumerate(rows, start=1):
            room -= len(header) + len(body)
            if room < 0:
                break
            if signature:
                whole = at
        if whole:
            taken = rows[:whole]
            upto = max(upto, taken[-1][0])
            runs.append(UnsentRun(book, lane, tuple((bytes(h), bytes(b)) for _, h, b, _ in taken), bytes(taken[-1][3]), b"", 0))
    return HandingIn(book, tuple(runs), upto)


def handed_in(transaction: Transaction, item: HandingIn, to: frozenset[bytes], at_ms: int) -> None:
    """Note that a submission is kept for these devices; what is more of it goes with the next sync."""
    connection, key = transaction.connection, item.book.hex()
    names = sorted({name_of(connection, device) for device in to})
    transaction.shelf.keep(HANDED_IN, key, msgspec.msgpack.encode(HandedIn(item.upto, tuple(names), at_ms)))
    if not _handing_in(connection, item.book).runs:
        transaction.shelf.throw_away(TO_HAND_IN, key)


def keep(transaction: Transaction, submission: Submission) -> None:
    """Keep a submission until somebody takes it in; the same one again is the same."""
    subject = scalar(transaction.connection, "SELECT subject FROM book WHERE id = ?", bytes.fromhex(submission.book)) or ""
    whole = msgspec.structs.replace(submission, subject=subject)
    transaction.shelf.keep(DRAWER, submission.id, msgspec.msgpack.encode(whole))


def name_of(connection: Connection, device: bytes) -> str:
    """Return whose a device is, as far as it is known here."""
    return str(scalar(connection, "SELECT name FROM writer WHERE device = ?", device.hex()) or "a colleague")


def _upto(connection: Connection, book: bytes) -> int:
    raw = scalar(connection, "SELECT value FROM drawer WHERE drawer = ? AND key = ?", HANDED_IN, book.hex())
    return 0 if raw is None else msgspec.msgpack.decode(raw, type=HandedIn).upto

