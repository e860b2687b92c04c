"""What leaves this vault: changes that the central store lacks, in runs of whole saves, and books that it does not know yet."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from leadworker.change import padded_size
from leadworker.postbox import ToFound, UnsentRun
from storage.engine import Connection
from storage.log import MOST_UNSIGNED
from storage.readers import EPOCH

MOST_BYTES: Final = 3 * 1024 * 1024
"""Bytes of one batch as it travels; the central store takes at most 4 MiB."""

TO_FOUND: Final = """SELECT b.no, b.id, k.secret FROM book b LEFT JOIN book_key k ON k.book_no = b.no AND k.epoch = 1
    WHERE b.founded = 0 AND EXISTS (SELECT 1 FROM involvement i WHERE i.person_id = b.subject) ORDER BY b.no"""

_LANES: Final = """SELECT l.no, b.no, b.id, l.lane, l.acked FROM lane l JOIN book b ON b.no = l.book_no
    WHERE l.mine = 1 AND l.lane > 0 AND b.founded = 1 AND b.writable = 1
    AND (SELECT max(seq) FROM change c WHERE c.lane_no = l.no) > l.acked ORDER BY l.no"""

_LANES_TO_CARRY: Final = """SELECT l.no, b.no, b.id, l.lane, max(l.acked, CASE WHEN l.no = ? THEN ? ELSE 0 END)
    FROM lane l JOIN book b ON b.no = l.book_no
    WHERE l.no >= ? AND l.mine = 1 AND l.lane > 0 AND b.writable = 1
    AND (b.founded = 1 OR EXISTS (SELECT 1 FROM involvement i WHERE i.person_id = b.subject)) ORDER BY l.no"""


def to_found(connection: Connection) -> tuple[ToFound, ...]:
    """Return the books to be founded. A first key is kept before anybody is told of the book: a crash cannot lose it."""
    found = []
    for no, book, secret in connection.execute(TO_FOUND).fetchall():
        if secret is None:
            secret = secrets.token_bytes(32)
            connection.execute("INSERT INTO book_key VALUES (?, 1, ?)", (no, secret))
        found.append(ToFound(bytes(book), bytes(secret)))
    return tuple(found)


def unsent(
    connection: Connection, most: int, stopped: frozenset[bytes], begun: Mapping[tuple[bytes, int], int], now_ms: int
) -> tuple[UnsentRun, ...]:
    """Return the next changes to send, and mark them as on their way. `begun` is how far each lane is on its way already."""
    lanes = [
        (lane_no, book_no, book, lane, max(acked, begun.get((bytes(book), lane), 0)))
        for lane_no, book_no, book, lane, acked in connection.execute(_LANES).fetchall()
        if bytes(book) not in stopped
    ]
    runs = []
    for lane_no, after, run in _runs(connection, lanes, most):
        sql = "UPDATE change SET sent_ms = ? WHERE lane_no = ? AND seq > ? AND seq <= ?"
        connection.execute(sql, (now_ms, lane_no, after, after + len(run.changes)))
        runs.append(run)
    return tuple(runs)


def to_carry(connection: Connection, most: int, place: tuple[int, int]) -> tuple[tuple[UnsentRun, ...], tuple[int, int]]:
    """Return the changes that wait after a place, also of books that are still to be founded, and the place after them.

    `place` is a lane's number here and a place in it; (0, 0) is the beginning, and no runs are the end. Nothing is marked:
    whether they arrive is known only once an answer comes back.
    """
    runs = []
    for lane_no, after, run in _runs(connection, connection.execute(_LANES_TO_CARRY, (*place, place[0])).fetchall(), most):
        runs.append(run)
        place = (lane_no, after + len(run.changes))
    return tuple(runs), place


def _runs(connection: Connection, lanes: Iterable[tuple[Any, ...]], most: int) -> Iterator[tuple[int, int, UnsentRun]]:
    """Give runs for as much as one batch holds: the number of the lane, the place before the run, and the run."""
    key_sql = f"""SELECT k.epoch, k.secret FROM book_key k JOIN book b ON b.no = k.book_no
                  WHERE b.no = ? AND k.epoch >= ({EPOCH}) ORDER BY k.epoch DESC LIMIT 1"""
    rows_sql = "SELECT header, body, signature FROM change WHERE lane_no = ? AND seq > ? ORDER BY seq LIMIT ?"
    room, bytes_left = most, MOST_BYTES
    for lane_no, book_no, book, lane, after in lanes:
        rows = connection.execute(rows_sql, (lane_no, after, room)).fetchall()
        if not rows:
            continue
        rows = rows[: _whole_saves(rows, bytes_left)]
        if not rows:
            return
        found = connection.execute(key_sql, (book_no,)).fetchone()
        if found is None:  # a member who was not given the present key
            continue
        epoch, key = found
        changes = tuple((bytes(header), bytes(body)) for header, body, _ in rows)
        yield lane_no, after, UnsentRun(bytes(book), lane, changes, bytes(rows[-1][2]), bytes(key), epoch)
        room -= len(changes)
        bytes_left -= sum(_size(row) for row in rows)
        if room < MOST_UNSIGNED:
            return


def _whole_saves(rows: list[tuple[bytes, bytes, bytes]], bytes_left: int) -> int:
    """Return how many of the rows fit and end with a signature, so that a run is never cut inside a save."""
    fits = 0
    for at, row in enumerate(rows, start=1):
        bytes_left -= _size(row)
        if bytes_left < 0:
            break
        if row[2]:
            fits = at
    return fits


def _size(row: tuple[bytes, bytes, bytes]) -> int:
    return len(row[0]) + padded_size(len(row[1])) + 64
