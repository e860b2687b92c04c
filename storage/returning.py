"""What a laptop can give back to a central store that was restored from a backup: what it had numbered, and its receipts.

A change of a colleague is kept opened. Sealed again with the key of its epoch it is the same bytes (docs/sealed-format.md 4).
"""

from __future__ import annotations

import bisect
from typing import Any

from leadworker.change import CONTROL_LANE, Kind, change_id, padded_size
from leadworker.postbox import Held, Kept, Tail
from storage.engine import Connection

MOST_CHANGES = 2000
MOST_BYTES = 4 * 1024 * 1024


def holdings(connection: Connection) -> tuple[Held, ...]:
    """Return how far each book is held here, by the last receipt, in the order in which the books came to this vault."""
    sql = """SELECT b.id, c.n, c.digest, c.header, c.received_ms, c.receipt FROM book b
             JOIN change c ON c.book_no = b.no AND c.n = (SELECT max(n) FROM change r WHERE r.book_no = b.no AND r.receipt IS NOT NULL)
             WHERE c.digest IS NOT NULL ORDER BY b.no"""
    return tuple(
        Held(bytes(book), n, bytes(digest), change_id(header), received_ms, bytes(receipt))
        for book, n, digest, header, received_ms, receipt in connection.execute(sql)
    )


def digest_at(connection: Connection, book: bytes, n: int) -> bytes:
    """Return a book's running digest at a number as it was shown to this laptop, empty where that is not known."""
    sql = "SELECT c.digest FROM change c JOIN book b ON b.no = c.book_no WHERE b.id = ? AND c.n = ?"
    row = connection.execute(sql, (book, n)).fetchone()
    return b"" if row is None or row[0] is None else bytes(row[0])


def tail(connection: Connection, book: bytes, after: int) -> Tail | None:
    """Return the changes from `after` + 1 on without a gap, as far as one request carries and a receipt vouches for.

    None where the next number, or a receipt at or after it, is not here.
    """
    sql = f"""SELECT c.n, c.header, c.body, p.sealed, c.signature, c.received_ms, c.receipt FROM change c
              JOIN book b ON b.no = c.book_no LEFT JOIN put_aside p ON p.change_no = c.no AND length(p.sealed) > 0
              WHERE b.id = ? AND c.n > ? ORDER BY c.n LIMIT {2 * MOST_CHANGES}"""
    secrets = "SELECT epoch, secret FROM book_key JOIN book ON book.no = book_no WHERE id = ?"
    keys = {epoch: bytes(secret) for epoch, secret in connection.execute(secrets, (book,))}
    rotations = _rotations(connection, book)
    taken: list[Kept] = []
    whole, receipt, size = 0, b"", 0
    for row in connection.execute(sql, (book, after)).fetchall():
        kept = _kept(row, rotations)
        if kept.n != after + 1 + len(taken) or not (kept.sealed or (kept.body and (not kept.epoch or kept.epoch in keys))):
            break
        size += len(kept.header) + padded_size(len(kept.body)) + len(kept.sealed) + 128
        if whole and (len(taken) >= MOST_CHANGES or size > MOST_BYTES):
            break
        taken.append(kept)
        if row[-1] is not None:
            whole, receipt = len(taken), bytes(row[-1])
    return Tail(tuple(taken[:whole]), receipt, keys) if whole else None


def _rotations(connection: Connection, book: bytes) -> list[int]:
    """Return the numbers at which the book's keys began. A change is taken only under the newest key before its number."""
    sql = """SELECT c.n FROM change c JOIN lane l ON l.no = c.lane_no JOIN book b ON b.no = c.book_no
             WHERE b.id = ? AND l.lane = ? AND c.n IS NOT NULL AND substr(c.header, 4, 1) = ? ORDER BY c.n"""
    return [n for (n,) in connection.execute(sql, (book, CONTROL_LANE, bytes([Kind.ROTATION])))]


def _kept(row: tuple[Any, ...], rotations: list[int]) -> Kept:
    n, header, body, sealed, signature, received_ms, _ = row
    epoch = 0 if Kind(header[3]).is_open else bisect.bisect_left(rotations, n)
    return Kept(n, bytes(header), bytes(body or b""), bytes(sealed or b""), bytes(signature), received_ms, epoch)
