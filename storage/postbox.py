"""The vault's side of the post: implements `leadworker.postbox.Postbox`, each method one step on the storage thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from leadworker.change import change_id, first_digest
from leadworker.clock import Moment
from leadworker.crypto.identity import Identity
from leadworker.desk import Bell
from leadworker.directory import Directory
from leadworker.domain import carrying, conflicts
from leadworker.domain.carrying import WrittenParcel
from leadworker.domain.late import DRAWER as LATE
from leadworker.domain.late import Submission
from leadworker.domain.readers import DRAWER as DECISIONS
from leadworker.domain.readers import Decision, overdue
from leadworker.membership import BookMembers
from leadworker.postbox import (
    BookState,
    Confirmed,
    Counts,
    HandingIn,
    Held,
    Joined,
    Lacking,
    LaneHead,
    PendingInvite,
    PutAside,
    Receipt,
    Received,
    Statement,
    Tail,
    TakenOut,
    ToFound,
    UnsentRun,
)
from storage import closing, handing_in, late, log, outgoing, readers, returning, taking_in
from storage.attachment_post import FilePost
from storage.engine import Connection, scalar
from storage.vault import Transaction, Vault

T = TypeVar("T")

NOTHING: Mapping[tuple[bytes, int], int] = MappingProxyType({})

INVITES = "invite"


class VaultPostbox:
    """What the post may do with a vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._connection = vault.connection
        self._identity: Identity = vault.identity
        self._directory: Directory | None = None
        self._members: dict[bytes, BookMembers] = {}
        self.device = self._identity.device
        self.signing_public = self._identity.signing_public
        self.unsealing_public = self._identity.unsealing_public
        self.files = FilePost(vault)

    def sign(self, domain: bytes, message: bytes) -> bytes:
        return self._identity.sign(domain, message)

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        return self._identity.unseal(sealed, info)

    async def joined(self) -> Joined | None:
        return await self._read(lambda c: joined(self._vault))

    async def set_joined(self, joined: Joined) -> None:
        await self._write(lambda t: self._vault.set_fact(readers.JOINED, msgspec.msgpack.encode(joined)))

    async def directory(self) -> Directory | None:
        def read(connection: Connection) -> Directory | None:
            directory = self._load_directory()
            return None if directory is None else directory.copy()

        return await self._read(read)

    async def statements(self, book: bytes) -> tuple[Statement, ...]:
        return await self._read(lambda c: readers.control_lane(c, book))

    async def take_directory(self, statements: tuple[Statement, ...], names: dict[bytes, str], receipt: bytes = b"") -> Bell:
        def take(transaction: Transaction) -> Bell:
            known = joined(self._vault)
            assert known is not None
            taking_in.keep_statements(transaction, known.organisation, statements, receipt)
            for device, name in names.items():
                mine = int(device == self.device)
                sql = "INSERT INTO writer (device, name, mine) VALUES (?, ?, ?) ON CONFLICT (device) DO UPDATE SET name = excluded.name"
                transaction.connection.execute(sql, (device.hex(), name, mine))
            self._directory = None
            directory = self._load_directory()
            assert directory is not None
            readers.retell_colleagues(transaction.connection, directory)
            return Bell(frozenset({"writer", "colleague"}), frozenset())

        return await self._write(take)

    async def confirmed(self) -> dict[bytes, Confirmed]:
        sql = "SELECT id, n, digest, trouble FROM book"
        return await self._read(lambda c: {bytes(book): Confirmed(n, bytes(d), trouble) for book, n, d, trouble in c.execute(sql)})

    async def book_state(self, book: bytes) -> BookState:
        return await self._read(lambda c: self._book_state(c, book))

    async def take(
        self, book: bytes, since: int, received: tuple[Received, ...], keys: dict[int, bytes], digest: bytes, receipt: bytes = b"",
        before: bytes = b"",
    ) -> Bell:  # fmt: skip
        def take(transaction: Transaction) -> Bell:
            bell = taking_in.take(self._vault, transaction, book, since, received, keys, digest, receipt, before)
            directory = self._load_directory()
            if directory is not None and "reader" in bell.topics:
                self._members.pop(book, None)
                transaction.shelf.keep(readers.SPOKEN_OF, book.hex(), b"")
                readers.retell_readers(transaction.connection, book, directory)
            return bell

        return await self._write(take)

    async def trouble(self, book: bytes, sentence: str) -> None:
        sql = "UPDATE book SET trouble = ? WHERE id = ?"
        await self._write(lambda t: t.connection.execute(sql, (sentence, book)))

    async def to_found(self) -> tuple[ToFound, ...]:
        if not await self._read(lambda c: c.execute(outgoing.TO_FOUND).fetchone()):
            return ()
        return await self._write(lambda t: outgoing.to_found(t.connection))

    async def unsent(self, most: int, stopped: frozenset[bytes], after: Mapping[tuple[bytes, int], int] = NOTHING) -> tuple[UnsentRun, ...]:
        now = self._vault.clock.now().timestamp()
        return await self._write(lambda t: outgoing.unsent(t.connection, most, stopped, after, int(now * 1000)))

    async def to_carry(self, most: int, place: tuple[int, int]) -> tuple[tuple[UnsentRun, ...], tuple[int, int]]:
        return await self._read(lambda c: outgoing.to_carry(c, most, place))

    async def wrote_parcel(self, parcel: WrittenParcel) -> tuple[str, ...]:
        return await self._write(lambda t: carrying.keep(t.shelf, parcel))

    async def parcels(self) -> tuple[WrittenParcel, ...]:
        return await self._read(lambda c: carrying.written(Transaction(self._vault, question=True).shelf))

    async def parcel_gone(self, parcel_id: str) -> Bell:
        await self._write(lambda t: carrying.gone(t.shelf, parcel_id))
        return Bell(frozenset({carrying.DRAWER}), frozenset())

    async def parcel_answered(self, parcel_id: str) -> Bell:
        await self._write(lambda t: carrying.answered(t.shelf, parcel_id))
        return Bell(frozenset({carrying.DRAWER}), frozenset())

    async def not_on_its_way(self) -> Bell:
        which = """SELECT c.no FROM lane l JOIN change c ON c.lane_no = l.no AND c.seq > l.acked
                   WHERE l.mine = 1 AND c.sent_ms > 0 AND c.n IS NULL"""
        if not await self._read(lambda c: c.execute(f"{which} LIMIT 1").fetchone()):
            return Bell(frozenset(), frozenset())
        await self._write(lambda t: t.connection.execute(f"UPDATE change SET sent_ms = 0 WHERE no IN ({which})"))
        return Bell(frozenset({"journal_entry", "receipt"}), frozenset())

    async def acknowledge(self, receipts: tuple[Receipt, ...]) -> tuple[Bell, tuple[Receipt, ...]]:
        return await self._write(lambda t: _acknowledge(self._vault, t.connection, receipts))

    async def holdings(self) -> tuple[Held, ...]:
        return await self._read(returning.holdings)

    async def digest_at(self, book: bytes, n: int) -> bytes:
        return await self._read(lambda c: returning.digest_at(c, book, n))

    async def tail(self, book: bytes, after: int) -> Tail | None:
        return await self._read(lambda c: returning.tail(c, book, after))

    async def lacking(self) -> tuple[Lacking, ...]:
        return await self._read(readers.lacking)

    async def told_of_keys(self, book: bytes, epochs: frozenset[int]) -> None:
        await self._write(lambda t: t.shelf.keep(readers.TOLD, book.hex(), msgspec.msgpack.encode(sorted(epochs))))

    async def put_aside(self) -> tuple[PutAside, ...]:
        sql = """SELECT b.id, coalesce(s.name, ''), p.n, coalesce(w.name, 'a colleague'), p.why, p.at_ms FROM put_aside p
                 JOIN book b ON b.no = p.book_no LEFT JOIN person s ON s.id = b.subject
                 LEFT JOIN writer w ON w.device = p.device ORDER BY p.no DESC"""
        return await self._read(lambda c: tuple(PutAside(*row) for row in c.execute(sql)))

    async def invites(self) -> tuple[PendingInvite, ...]:
        def read(connection: Connection) -> tuple[PendingInvite, ...]:
            rows = connection.execute("SELECT value FROM drawer WHERE drawer = ? ORDER BY key", (INVITES,))
            return tuple(msgspec.msgpack.decode(row[0], type=PendingInvite) for row in rows)

        return await self._read(read)

    async def set_invite(self, invite: PendingInvite) -> None:
        value = msgspec.msgpack.encode(invite)
        await self._write(lambda t: t.shelf.keep(INVITES, invite.invite.hex(), value))

    async def drop_invite(self, invite: bytes) -> None:
        await self._write(lambda t: t.shelf.throw_away(INVITES, invite.hex()))

    async def spoken_of(self) -> frozenset[bytes]:
        sql = "SELECT key FROM drawer WHERE drawer = ?"
        return await self._read(lambda c: frozenset(bytes.fromhex(key) for (key,) in c.execute(sql, (readers.SPOKEN_OF,))))

    async def in_step(self, books: frozenset[bytes]) -> None:
        def note(transaction: Transaction) -> None:
            for book in books:
                transaction.shelf.throw_away(readers.SPOKEN_OF, book.hex())

        if books:
            await self._write(note)

    async def old_keys(self, before_ms: int, latest_ms: int) -> tuple[bytes, ...]:
        return await self._read(lambda c: readers.old_keys(c, before_ms, latest_ms))

    async def renewed_key(self, book: bytes, now_ms: int) -> None:
        await self._write(lambda t: t.shelf.keep(readers.RENEWED, book.hex(), b"%d" % now_ms))

    async def decisions(self) -> tuple[Decision, ...]:
        return await self._read(_decisions)

    async def decided(self, decision: Decision, said: str) -> Bell:
        def note(transaction: Transaction) -> None:
            if said:
                kept = msgspec.structs.replace(decision, said=said)
                transaction.shelf.keep(DECISIONS, decision.id, msgspec.msgpack.encode(kept))
            else:
                transaction.shelf.throw_away(DECISIONS, decision.id)

        await self._write(note)
        return Bell(frozenset({"reader", DECISIONS}), frozenset())

    async def to_hand_in(self) -> tuple[HandingIn, ...]:
        return await self._read(handing_in.to_hand_in)

    async def handed_in(self, item: HandingIn, to: frozenset[bytes]) -> Bell:
        now_ms = Moment.of(self._vault.clock.now()).ms
        await self._write(lambda t: late.handed_in(t, item, to, now_ms))
        return Bell(frozenset({"receipt", "late"}), frozenset())

    async def keep_late(self, submission: Submission) -> Bell:
        await self._write(lambda t: late.keep(t, submission))
        return Bell(frozenset({"late"}), frozenset())

    async def name_of(self, device: bytes) -> str:
        return await self._read(lambda c: late.name_of(c, device))

    async def taken_out(self, proof: TakenOut) -> int:
        await self._write(lambda t: closing.note(t.connection, proof))
        return await self._read(closing.nowhere_else)

    async def was_revoked(self, revoked: bool) -> None:
        def note(transaction: Transaction) -> None:  # both or neither: casebooks would stay read-only for good
            known = joined(self._vault)
            if known is not None:
                self._vault.set_fact(readers.JOINED, msgspec.msgpack.encode(msgspec.structs.replace(known, revoked=revoked)))
                readers.retell_revoked(transaction.connection, revoked=revoked)

        known = await self.joined()
        if known is not None and known.revoked != revoked:
            await self._write(note)

    async def counts(self) -> Counts:
        return await self._read(lambda c: counts(self._vault, c))

    async def clock_is(self, doubt: str) -> None:
        await self._read(lambda c: setattr(self._vault, "clock_doubt", doubt))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._vault.submit(lambda: work(self._connection)))

    async def _write(self, work: Callable[[Transaction], T]) -> T:
        def run() -> T:
            try:
                with self._vault.transaction() as transaction:
                    transaction.dirty = True
                    return work(transaction)
            except BaseException:  # raised again: what was read in a transaction that is undone is not so
                self._directory = None
                self._members.clear()
                raise

        return await asyncio.wrap_future(self._vault.submit(run))

    def _load_directory(self) -> Directory | None:
        known = joined(self._vault)
        if known is None or not known.organisation:
            return None
        if self._directory is None or self._directory.book != known.organisation:
            directory = Directory(known.organisation)
            for statement in readers.control_lane(self._connection, known.organisation):
                directory.apply(statement.header, statement.body, statement.signature)
            self._directory = directory
        return self._directory

    def _load_members(self, book: bytes) -> BookMembers:
        if book not in self._members:
            members = BookMembers(book)
            directory = self._load_directory()
            if directory is not None:
                for statement in readers.control_lane(self._connection, book):
                    members.apply(statement.header, statement.body, statement.signature, directory)
            self._members[book] = members
        return self._members[book]

    def _book_state(self, connection: Connection, book: bytes) -> BookState:
        row = connection.execute("SELECT no, n, digest FROM book WHERE id = ?", (book,)).fetchone()
        if row is None:
            return BookState(book, 0, first_digest(book), {}, {}, BookMembers(book), {})
        book_no, n, digest = row
        lanes = {
            (bytes(device), lane): LaneHead(*log.lane_head(connection, no), bool(mine))
            for no, device, lane, mine in connection.execute(
                "SELECT no, device, lane, mine FROM lane WHERE book_no = ?", (book_no,)
            ).fetchall()
        }
        own_sql = """SELECT l.lane, c.seq, c.header FROM change c JOIN lane l ON l.no = c.lane_no
                     WHERE c.book_no = ? AND l.mine = 1 AND c.n IS NULL"""
        own = {(lane, seq): change_id(header) for lane, seq, header in connection.execute(own_sql, (book_no,)).fetchall()}
        keys = dict(connection.execute("SELECT epoch, secret FROM book_key WHERE book_no = ?", (book_no,)).fetchall())
        return BookState(book, n, bytes(digest), lanes, own, self._load_members(book), keys)


def joined(vault: Vault) -> Joined | None:
    """Return what a vault knows of its organisation; on the storage thread."""
    raw = vault.fact(readers.JOINED)
    return None if raw is None else msgspec.msgpack.decode(raw, type=Joined)


def _decisions(connection: Connection) -> tuple[Decision, ...]:
    rows = connection.execute("SELECT value FROM drawer WHERE drawer = ? ORDER BY key", (DECISIONS,))
    return tuple(msgspec.msgpack.decode(row[0], type=Decision) for row in rows)


def _troubled(vault: Vault, connection: Connection) -> tuple[str, ...]:
    """Return what is wrong with casebooks, in sentences: those that are not synced, and decisions that are not in force."""
    now_ms = Moment.of(vault.clock.now()).ms
    late = (overdue(decision, now_ms) for decision in _decisions(connection))
    books = (row[0] for row in connection.execute("SELECT DISTINCT trouble FROM book WHERE trouble != ''"))
    return tuple(dict.fromkeys(filter(None, (*books, *late))))


def counts(vault: Vault, connection: Connection) -> Counts:
    """Return the figures that screens show about the post; on the storage thread."""
    received_ms, device = taking_in.last_received(vault)
    known = joined(vault)
    revoked = known is not None and known.revoked
    name = scalar(connection, "SELECT name FROM writer WHERE device = ?", device)
    to_hand_in, handed_in = handing_in.count(connection, revoked=revoked)
    return Counts(
        waiting=0 if revoked else log.unsent(connection),
        late=to_hand_in,
        handed_in=handed_in,
        to_take_in=int(scalar(connection, "SELECT count(*) FROM drawer WHERE drawer = ?", LATE)),
        put_aside=int(scalar(connection, "SELECT count(*) FROM put_aside")),
        apart=conflicts.count(Transaction(vault, question=True).shelf),
        troubled=_troubled(vault, connection),
        last_sent_ms=taking_in.last_sent(vault),
        last_received_ms=received_ms,
        last_received=name or "",
        last_backup_ms=int.from_bytes(vault.fact("backup") or b"", "big"),
    )


def _acknowledge(vault: Vault, connection: Connection, receipts: tuple[Receipt, ...]) -> tuple[Bell, tuple[Receipt, ...]]:
    topics: set[str] = set()
    ahead: list[Receipt] = []
    for receipt in receipts:
        sql = """SELECT l.no, b.no, b.n FROM lane l JOIN book b ON b.no = l.book_no
                 WHERE b.id = ? AND l.device = ? AND l.lane = ?"""
        lane_no, book_no, n = connection.execute(sql, (receipt.book, vault.identity.device, receipt.lane)).fetchone()
        taking_in.refuse_other_numbers(connection, book_no, lane_no, receipt)
        if sum(number > n for number in receipt.ns) < receipt.last_n - n:
            ahead.append(receipt)
            continue
        told_ms = taking_in.told_ms(receipt.received_ms)
        numbered = [(number, told_ms, lane_no, seq) for seq, number in enumerate(receipt.ns, start=receipt.first_seq)]
        connection.executemany("UPDATE change SET n = ?, received_ms = ? WHERE lane_no = ? AND seq = ? AND n IS NULL", numbered)
        last = receipt.first_seq + len(receipt.ns) - 1
        kept = (receipt.digest, receipt.receipt or None, lane_no, last)
        connection.execute("UPDATE change SET digest = ?, receipt = coalesce(?, receipt) WHERE lane_no = ? AND seq = ?", kept)
        connection.execute("UPDATE lane SET acked = max(acked, ?) WHERE no = ?", (last, lane_no))
        taking_in.advance(connection, book_no, n)
        if told_ms > taking_in.last_sent(vault):
            vault.set_fact(taking_in.SENT, told_ms.to_bytes(8, "big"))
        topics.add("journal_entry")
    return Bell(frozenset(topics | {"receipt"}), frozenset()), tuple(ahead)
