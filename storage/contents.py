"""A book's words in the order of their numbers, as they were signed: for a bundle or a person's copy."""

from __future__ import annotations

import msgspec

from leadworker import change
from leadworker.change import Content, Kind
from storage.engine import Connection


class Written(msgspec.Struct, frozen=True):
    """One content change: its number at the central store (0 for none yet), its header, and what it says."""

    n: int
    header: bytes
    content: Content
    received_ms: int


def contents(connection: Connection, book: bytes) -> tuple[tuple[Written, ...], int]:
    """Return what can be read of a book, numbered first, and how many changes cannot."""
    sql = """SELECT coalesce(c.n, 0), c.header, c.body, c.received_ms FROM change c JOIN book b ON b.no = c.book_no
             WHERE b.id = ? ORDER BY c.n IS NULL, c.n, c.no"""
    found: list[Written] = []
    unread = 0
    for n, header, body, received_ms in connection.execute(sql, (book,)):
        if header[3] != Kind.CONTENT:
            continue
        try:
            found.append(Written(n, bytes(header), change.read_content(body or b""), received_ms))
        except msgspec.DecodeError:
            unread += 1
    return tuple(found), unread


def names(connection: Connection) -> dict[str, str]:
    """Return whose each device is, by its id in hexadecimal digits."""
    return dict(connection.execute("SELECT device, name FROM writer").fetchall())


def standing(connection: Connection, book: bytes) -> tuple[int, bytes]:
    """Return how far a book is confirmed here, and the running digest there."""
    n, digest = connection.execute("SELECT n, digest FROM book WHERE id = ?", (book,)).fetchone()
    return n, bytes(digest)
