"""The log of changes: what is written here is chained, signed and kept before anything else is told (security C.7).

A `Writing` gathers the changes of one transaction. Each goes into its book's lane; when the transaction ends, the head
of every lane that grew is signed, and the vault's own chain over all changes grows with it.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from leadworker import change, proof
from leadworker.change import Content, Header, Kind
from leadworker.clock import HybridClock, Moment
from leadworker.crypto.identity import Identity
from leadworker.errors import NotUnderstood
from leadworker.shelf import Waiting
from storage.anchor import Mark
from storage.engine import Connection, scalar

NO_CHAIN = hashlib.sha256(b"lw/chain/v1").digest()
"""The head of an empty vault's chain."""

MOST_UNSIGNED = 250
MOST_UNSIGNED_BYTES = 512 * 1024
"""A run on the wire is taken whole, so no run may grow beyond what one request carries."""

FIRST_LANE = 1
LAST_LANE = 2**16 - 1

LARGEST_CONTENT = change.LARGEST_BODY - 1024


class Lane(msgspec.Struct):
    """Where this device's lane in one book stands. `book_no` and `no` are row numbers of the vault.

    `unread`: the book holds changes of others that were numbered and that nobody here has seen, because they were put aside.
    """

    no: int
    book_no: int
    book: bytes
    lane: int
    seq: int
    head: bytes
    n: int
    digest: bytes
    unread: bool


class Written(msgspec.Struct, frozen=True, gc=False):
    """A change that this transaction has written and not yet inserted."""

    no: int
    lane: Lane
    seq: int
    header: bytes
    body: bytes
    chain: bytes


def link(chain: bytes, change_id: bytes) -> bytes:
    """Return the vault's chain with one more change."""
    return hashlib.sha256(chain + change_id).digest()


class Writing:
    """The changes of one transaction, in order."""

    def __init__(
        self, connection: Connection, identity: Identity, clock: HybridClock, lane: int, last: int, chain: bytes,
        known: Mapping[bytes, Lane],
    ) -> None:  # fmt: skip
        self._connection = connection
        self._identity = identity
        self._clock = clock
        self._lane_number = lane
        self._known = known
        self.lanes: dict[bytes, Lane] = {}
        self._written: list[Written] = []
        self._before = last
        self.last = last
        self.chain = chain

    def start_book(self, book: bytes, subject: str) -> None:
        """Begin a new book whose subject is one person."""
        self._connection.execute("INSERT INTO book (id, subject, digest) VALUES (?, ?, ?)", (book, subject, change.first_digest(book)))

    def write(
        self, book: bytes, topic: str, record: str, verb: str, values: dict[str, Any], now: Moment, replaced: Iterable[int] = (),
        *, exactly: bool = False,
    ) -> tuple[int, Content]:  # fmt: skip
        """Write one change; return its number in this vault and its content. Raises `NotUnderstood` when it is too long.

        `replaced` are the numbers of the changes whose values this one takes the place of; `exactly` those, whatever else
        this laptop holds by now.
        """
        lane = self.lanes.get(book) or self._take_up(book)
        content = Content(
            change.SCHEMA, topic, record, verb, values, self._clock.stamp(now.ms), (lane.n, lane.digest), now.ms, now.offset,
            self._named(lane, replaced, exactly),
        )  # fmt: skip
        body = change.write_content(content, secrets.token_bytes(change.SALT_BYTES))
        if len(body) > LARGEST_CONTENT:
            raise NotUnderstood("This is too long to be kept in one piece. Nothing was saved; what you typed is still here.")
        size = change.padded_size(len(body))
        header = Header(Kind.CONTENT, book, self._identity.device, lane.lane, lane.seq + 1, lane.head, size, change.commitment(body)).pack()
        lane.seq, lane.head = lane.seq + 1, change.change_id(header)
        self.last += 1
        self.chain = link(self.chain, lane.head)
        self._written.append(Written(self.last, lane, lane.seq, header, body, self.chain))
        return self.last, content

    def _named(self, lane: Lane, replaced: Iterable[int], exactly: bool) -> tuple[bytes, ...]:
        """Return the ids of the replaced changes, where a reader could not tell from what this laptop had seen.

        That is when its person had not seen all of it, when some of it could not be opened here, and when some were written
        here in an older lane, before the vault was mended, and the central store has not numbered them.
        """
        exactly = exactly or lane.unread
        if lane.lane == FIRST_LANE and not exactly:
            return ()
        sql = "SELECT lane_no, n, header FROM change WHERE no = ?"
        rows = [self._connection.execute(sql, (no,)).fetchone() for no in sorted(replaced) if no <= self._before]
        if exactly or any(lane_no != lane.no and (n is None or n > lane.n) for lane_no, n, _ in rows):
            return tuple(change.change_id(header) for _, _, header in rows)
        return ()

    def is_in_lane(self, book: bytes, no: int) -> bool:
        """Return whether the change with this number stands in the lane that this transaction writes to in a book."""
        if no > self._before:
            return True
        return bool(scalar(self._connection, "SELECT lane_no FROM change WHERE no = ?", no) == self.lanes[book].no)

    def finish(self) -> None:
        """Sign the head of each lane that grew and insert everything; the caller commits."""
        rows = [
            (w.no, w.lane.book_no, w.lane.no, w.seq, w.header, w.body, signature, w.chain)
            for w, signature in zip(self._written, self._signatures(), strict=True)
        ]
        self._connection.executemany(
            "INSERT INTO change (no, book_no, lane_no, seq, header, body, signature, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

    def _signatures(self) -> list[bytes]:
        """Sign the last change of each lane, and on the way in a large transaction, so that it can be sent in parts."""
        if len(self._written) == 1:
            return [self._identity.sign(proof.HEAD, self._written[0].lane.head)]
        signatures = [b""] * len(self._written)
        since: dict[int, tuple[int, int]] = {}
        last_of = {written.lane.no: at for at, written in enumerate(self._written)}
        for at, written in enumerate(self._written):
            count, size = since.get(written.lane.no, (0, 0))
            count, size = count + 1, size + len(written.body)
            if last_of[written.lane.no] == at or count >= MOST_UNSIGNED or size >= MOST_UNSIGNED_BYTES:
                signatures[at] = self._identity.sign(proof.HEAD, change.change_id(written.header))
                count, size = 0, 0
            since[written.lane.no] = (count, size)
        return signatures

    def _take_up(self, book: bytes) -> Lane:
        """Return where our lane in a book stands, as this transaction's own: what it writes there may yet be undone."""
        known = self._known.get(book)
        lane = self.lanes[book] = copy.copy(known) if known else self._find_lane(book)
        return lane

    def _find_lane(self, book: bytes) -> Lane:
        sql = """SELECT b.no, b.n, b.digest, l.no, EXISTS (SELECT 1 FROM put_aside p WHERE p.book_no = b.no) FROM book b
                 LEFT JOIN lane l ON l.book_no = b.no AND l.device = ? AND l.lane = ? WHERE b.id = ?"""
        device, number = self._identity.device, self._lane_number
        book_no, n, digest, no, unread = self._connection.execute(sql, (device, number, book)).fetchone()
        if no is None:
            insert = "INSERT INTO lane (book_no, device, lane, mine) VALUES (?, ?, ?, 1)"
            no = self._connection.execute(insert, (book_no, device, number)).lastrowid
        seq, head = lane_head(self._connection, no)
        return Lane(no, book_no, book, number, seq, head, n, digest, bool(unread))


def chain_head(connection: Connection) -> tuple[int, bytes]:
    """Return how many changes the vault holds and the head of its chain."""
    row = connection.execute("SELECT no, chain FROM change ORDER BY no DESC LIMIT 1").fetchone()
    return (0, NO_CHAIN) if row is None else (row[0], row[1])


def behind(connection: Connection, mark: Mark) -> bool:
    """Return whether the vault holds less than it did when the mark was made."""
    return int(scalar(connection, "SELECT commits FROM state")) < mark.commits or chain_head(connection)[0] < mark.changes


def leads_through(connection: Connection, mark: Mark) -> bool:
    """Return whether the vault's chain went through the mark, so that its history is the one that was marked."""
    if not mark.changes:
        return hmac.compare_digest(NO_CHAIN, mark.chain)
    chain = scalar(connection, "SELECT chain FROM change WHERE no = ?", mark.changes)
    return chain is not None and hmac.compare_digest(bytes(chain), mark.chain)


def mark_of(connection: Connection) -> Mark:
    """Return where the vault stands."""
    return Mark(int(scalar(connection, "SELECT commits FROM state")), *chain_head(connection))


def last_times(connection: Connection, device: bytes) -> tuple[int, int]:
    """Return the hybrid stamp and the wall clock (UTC ms) of the newest change that this device wrote, 0 for none.

    A received stamp that pulled our clock ahead is not looked for: it is at most five minutes, and only breaks ties.
    """
    sql = """SELECT body FROM change WHERE no = (
        SELECT max(c.no) FROM lane l JOIN change c
        ON c.lane_no = l.no AND c.seq = (SELECT max(seq) FROM change WHERE lane_no = l.no)
        WHERE l.device = ? AND l.lane > 0) AND body IS NOT NULL"""
    row = connection.execute(sql, (device,)).fetchone()
    if row is None:
        return 0, 0
    content = change.read_content(row[0])
    return content.stamp, content.wrote_at


def lane_head(connection: Connection, lane_no: int) -> tuple[int, bytes]:
    """Return the number and the id of the last change of a lane; where it stands is not kept twice."""
    sql = "SELECT seq, header FROM change WHERE lane_no = ? ORDER BY seq DESC LIMIT 1"
    row = connection.execute(sql, (lane_no,)).fetchone()
    return (0, change.FIRST) if row is None else (row[0], change.change_id(row[1]))


SHARED: Final = "l.mine = 1 AND EXISTS (SELECT 1 FROM involvement i WHERE i.person_id = b.subject)"
"""Of a lane `l` and its book `b`: this laptop's own, of somebody whom it works with."""


def unsent(connection: Connection) -> int:
    """Return how many changes the central store does not have yet, of shared casebooks in which this laptop may write."""
    sql = f"""SELECT coalesce(sum(coalesce((SELECT max(seq) FROM change c WHERE c.lane_no = l.no), 0) - l.acked), 0)
              FROM lane l JOIN book b ON b.no = l.book_no WHERE {SHARED} AND b.writable = 1"""
    return int(scalar(connection, sql))


def waiting(connection: Connection, limit: int) -> tuple[Waiting, ...]:
    """Return about which records of shared casebooks something waits to be sent, the newest first."""
    sql = f"""SELECT c.no, b.subject, c.sent_ms FROM lane l JOIN book b ON b.no = l.book_no
              JOIN change c ON c.lane_no = l.no AND c.seq > l.acked AND c.n IS NULL
              WHERE l.lane > 0 AND {SHARED} ORDER BY c.no DESC"""
    found: dict[tuple[str, str], Waiting] = {}
    for no, person_id, sent_ms in connection.execute(sql):
        content = change.read_content(scalar(connection, "SELECT body FROM change WHERE no = ?", no))
        key = (content.topic, content.record)
        if key not in found and len(found) == limit:
            break
        known = found.get(key) or Waiting(*key, person_id, (), sent_ms, content.wrote_at, content.offset)
        found[key] = msgspec.structs.replace(known, fields=tuple(dict.fromkeys((*known.fields, *content.values))))
    return tuple(found.values())


def unsent_records(connection: Connection, topic: str, limit: int) -> tuple[str, ...]:
    """Return the ids of a topic's records among those changes, the newest first. It reads no more changes than it needs."""
    sql = f"""SELECT c.no FROM lane l JOIN book b ON b.no = l.book_no
              JOIN change c ON c.lane_no = l.no AND c.seq > l.acked AND c.n IS NULL
              WHERE l.lane > 0 AND {SHARED} ORDER BY c.no DESC"""
    found: dict[str, None] = {}
    for (no,) in connection.execute(sql):
        content = change.read_content(scalar(connection, "SELECT body FROM change WHERE no = ?", no))
        if content.topic == topic:
            found[content.record] = None
        if len(found) == limit:
            break
    return tuple(found)
