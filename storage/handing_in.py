"""What cannot be sent any more and may be handed in: how much there is of it, and the runs of it as they were signed (C.6)."""

from __future__ import annotations

import msgspec

from leadworker.domain.late import HANDED_IN, TO_HAND_IN, HandedIn
from leadworker.postbox import HandingIn, UnsentRun
from storage.engine import Connection, scalar
from storage.log import SHARED

MOST_BYTES = 2 * 1024 * 1024
"""Bytes of words in one late submission; what is more goes into the next."""

MOST = 2000


def count(connection: Connection, *, revoked: bool) -> tuple[int, int]:
    """Return of the unsent changes in casebooks that this laptop may write in no more how many were not handed in, and were."""
    books = f"SELECT DISTINCT b.no, b.id FROM lane l JOIN book b ON b.no = l.book_no WHERE {SHARED} AND (b.writable = 0 OR ?)"
    unsent = """SELECT coalesce(sum(c.no > ?), 0), count(*) FROM lane l JOIN change c ON c.lane_no = l.no AND c.seq > l.acked
                WHERE l.book_no = ? AND l.mine = 1 AND l.lane > 0"""
    left = every = 0
    for no, book in connection.execute(books, (int(revoked),)).fetchall():
        of_book, all_of_book = connection.execute(unsent, (_upto(connection, book), no)).fetchone()
        left, every = left + int(of_book), every + int(all_of_book)
    return left, every - left


def books_to_hand_in(connection: Connection) -> tuple[bytes, ...]:
    """Return every book in which something unsent stands that was not handed in, for a laptop that can send nothing any more."""
    found = connection.execute(f"SELECT DISTINCT b.id FROM lane l JOIN book b ON b.no = l.book_no WHERE {SHARED}").fetchall()
    return tuple(bytes(book) for (book,) in found if of_book(connection, bytes(book)).runs)


def to_hand_in(connection: Connection) -> tuple[HandingIn, ...]:
    """Return what somebody decided to hand in, as much of each book as one submission holds."""
    found = []
    for (book,) in connection.execute("SELECT key FROM drawer WHERE drawer = ? ORDER BY key", (TO_HAND_IN,)).fetchall():
        item = of_book(connection, bytes.fromhex(book))
        if item.runs:
            found.append(item)
    return tuple(found)


def of_book(connection: Connection, book: bytes) -> HandingIn:
    """Return what of a book was not handed in, as much as one submission holds."""
    lanes = """SELECT l.no, l.lane, l.acked FROM lane l JOIN book b ON b.no = l.book_no
               WHERE b.id = ? AND l.mine = 1 AND l.lane > 0 ORDER BY l.no"""
    changes = """SELECT no, header, body, signature FROM change
                 WHERE lane_no = ? AND seq > ? AND no > ? ORDER BY seq LIMIT ?"""
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
        if whole < len(rows) or len(rows) == MOST:  # more of this lane: `upto` may not go past it to a later one
            break
    return HandingIn(book, tuple(runs), upto)


def _upto(connection: Connection, book: bytes) -> int:
    raw = scalar(connection, "SELECT value FROM drawer WHERE drawer = ? AND key = ?", HANDED_IN, book.hex())
    return 0 if raw is None else msgspec.msgpack.decode(raw, type=HandedIn).upto
