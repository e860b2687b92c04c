"""An open vault: the encrypted file, its anchor, and the transactions on them. Made, opened and closed here.

A commit is durable when SQLCipher says so; then the anchor is moved on and made durable too; only then does a deed
return. A crash between the two leaves the database ahead of the anchor, which is how opening expects to find it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import msgspec

from leadworker.clock import Clock, HybridClock, Moment
from leadworker.crypto.identity import Identity
from leadworker.desk import Bell
from leadworker.domain import every_topic
from leadworker.errors import SavedUnmarked
from leadworker.record import topics
from leadworker.shelf import Shelf
from storage import finding, log, schema, vault_file
from storage.anchor import Anchor, Mark
from storage.clerk import Clerk
from storage.engine import Connection, DatabaseError, explain, scalar
from storage.holder import Hold
from storage.log import Writing
from storage.projection import Projector
from storage.shelf import VaultShelf

T = TypeVar("T")

DATABASE_NAME = vault_file.DATABASE_NAME
ANCHOR_NAME = "vault.anchor"
FUTURE_MS = 180 * 86_400_000
PAST_MS = 10 * 60_000

assert every_topic  # its import declares every record type


class Facts(msgspec.Struct, frozen=True):
    """What a vault knows of itself, kept inside the encrypted file. Keys are the device's private ones."""

    name: str
    signing: bytes
    unsealing: bytes
    made_ms: int


class Transaction:
    """One transaction of the storage thread: the shelf over it, and what it has touched. A question's can only read."""

    def __init__(self, vault: Vault, *, question: bool = False) -> None:
        self._vault = vault
        self._question = question
        self._writing: Writing | None = None
        self.connection = vault.connection
        self.dirty = False
        self.shelf = VaultShelf(
            vault.connection, vault.projector, vault.clock, vault.name, vault.identity.device.hex(), vault.clock_doubt,
            self.writing,
        )  # fmt: skip

    def writing(self) -> Writing:
        """Return the changes of this transaction, begun at the first that is asked for."""
        if self._question:  # outside a transaction it would stand in a table and in no change, until the next rebuild
            raise TypeError("a question writes nothing: what writes is done as a deed")
        self.dirty = True
        if self._writing is None:
            v = self._vault
            self._writing = Writing(v.connection, v.identity, v.hybrid, v.lane, v.mark.changes, v.mark.chain)
        return self._writing

    def finish(self) -> Mark:
        """Sign and insert what was written; return the mark that the commit reaches."""
        before = self._vault.mark
        if self._writing is not None:
            self._writing.finish()
            if self._writing.last > before.changes:  # the change itself says that something was committed
                return Mark(before.commits, self._writing.last, self._writing.chain)
        self.connection.execute("UPDATE state SET commits = ?", (before.commits + 1,))
        return Mark(before.commits + 1, before.changes, before.chain)

    def extend(self, last: int, chain: bytes) -> None:
        """Take note that received changes were inserted up to number `last`."""
        writing = self.writing()
        writing.last, writing.chain = last, chain


class Vault:
    """Implements `leadworker.desk.Keeper` over one folder. Made by `storage.opening`, closed by `close`."""

    def __init__(
        self, folder: Path, connection: Connection, master: bytes, vault_id: str, clock: Clock, hold: Hold, anchor: Anchor
    ) -> None:
        self.folder = folder
        self.vault_id = vault_id
        self.connection = connection
        self.master = master
        self.clock = clock
        self.anchor = anchor
        self.notices: list[str] = []
        self._hold = hold
        facts = msgspec.msgpack.decode(self.fact("vault") or b"", type=Facts)
        self.name = facts.name
        self.identity = Identity(facts.signing, facts.unsealing)
        self.lane = int.from_bytes(self.fact("lane") or b"\1", "big")
        self.mark = Mark(scalar(connection, "SELECT commits FROM state"), *log.chain_head(connection))
        stamp, wall_ms = log.last_times(connection, self.identity.device)
        self.hybrid = HybridClock(clock, stamp)
        self.clock_doubt = _doubt(clock, wall_ms or facts.made_ms)
        self.projector = Projector(connection)
        self._clerk = Clerk(self._tidy)
        self._find_topics = tuple(t for t, kind in topics().items() if schema.find_fields(kind))

    def fact(self, key: str) -> bytes | None:
        """Return one thing that the vault knows of itself."""
        value = scalar(self.connection, "SELECT value FROM fact WHERE key = ?", key)
        return None if value is None else bytes(value)

    def set_fact(self, key: str, value: bytes) -> None:
        """Write one thing that the vault knows of itself, inside a transaction."""
        self.connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (key, value))

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run something on the storage thread."""
        return self._clerk.submit(work)

    def read(self, work: Callable[[Shelf], T]) -> Future[T]:
        """Answer a question on the storage thread."""
        return self._clerk.submit(lambda: self._read(work))

    def write(self, work: Callable[[Shelf], T]) -> Future[tuple[T, Bell]]:
        """Do a deed on the storage thread; the future is done when it is durable."""
        return self._clerk.submit(lambda: self._write(work))

    def close(self) -> None:
        """Finish, tidy the write-ahead log away, and let go of the vault."""
        self._clerk.close(self._close)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Run a block on the storage thread as one transaction: everything it did becomes durable, or nothing."""
        stamp = self.hybrid.last
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(self)
            try:
                yield transaction
                if transaction.dirty:
                    mark = transaction.finish()
                self.connection.execute("COMMIT")
            except BaseException:
                self.hybrid.last = stamp
                with contextlib.suppress(DatabaseError):  # a failed commit may have rolled back by itself
                    self.connection.execute("ROLLBACK")
                raise
        except DatabaseError as error:
            raise explain(error) from error
        if transaction.dirty:
            self._move_anchor(mark)
            self._clerk.untidy()

    def _read(self, work: Callable[[Shelf], T]) -> T:
        try:
            return work(Transaction(self, question=True).shelf)
        except DatabaseError as error:
            raise explain(error) from error

    def _write(self, work: Callable[[Shelf], T]) -> tuple[T, Bell]:
        try:
            with self.transaction() as transaction:
                shelf = transaction.shelf
                result = work(shelf)
        except SavedUnmarked as error:
            error.outcome = result, Bell(frozenset(shelf.touched_topics), frozenset(shelf.touched_ids))
            raise
        return result, Bell(frozenset(shelf.touched_topics), frozenset(shelf.touched_ids))

    def _move_anchor(self, mark: Mark) -> None:
        self.mark = mark
        try:
            self.anchor.write(mark)
        except OSError as error:
            raise SavedUnmarked(
                "What you wrote is saved, but the disk did not take the vault's safety mark. Leave leadworker, check the disk, "
                "and open it again."
            ) from error

    def _tidy(self) -> None:
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            finding.tidy(self.connection, self._find_topics)
            self.connection.execute("COMMIT")
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except DatabaseError:  # it is only an idle moment's work: the next one tries again, and no save may find it half done
            with contextlib.suppress(DatabaseError):
                self.connection.execute("ROLLBACK")

    def _close(self) -> None:
        with contextlib.suppress(DatabaseError):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.connection.close()
        self.anchor.close()
        self._hold.release()
        self.master = b""


def _doubt(clock: Clock, wall_ms: int) -> str:
    """Say what is doubtful about the clock, judged by when the vault was last written to (D.3)."""
    now = Moment.of(clock.now())
    if not wall_ms:
        return ""
    last = Moment(wall_ms, now.offset).local()
    if now.ms < wall_ms - PAST_MS:
        return f"this laptop's clock is behind: the vault was last used on {last:%d %b %Y at %H:%M} by the same clock"
    if now.ms > wall_ms + FUTURE_MS:
        return f"this laptop's clock may be ahead: the vault was last used on {last:%d %b %Y}"
    return ""

