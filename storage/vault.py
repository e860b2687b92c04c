"""An open vault: the encrypted file, its anchor, and the transactions on them. Made, opened and closed here.

A commit and the anchor's mark of it are made durable side by side; a deed returns when both are. A crash leaves one
of them ahead of the other by at most that one commit, which is how opening expects to find them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import msgspec

from leadworker.clock import Clock, HybridClock, Moment
from leadworker.crypto.identity import Identity, SpentIdentity
from leadworker.desk import Bell
from leadworker.domain import every_topic
from leadworker.errors import LeadworkerError, SavedUnmarked
from leadworker.record import topics
from leadworker.shelf import Shelf
from storage import closing, finding, log, schema, vault_file
from storage.anchor import Anchor, Mark
from storage.attachment_files import AttachmentFiles
from storage.clerk import Clerk
from storage.engine import Connection, DatabaseError, explain, scalar
from storage.holder import Hold
from storage.log import Lane, Writing
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
    public: tuple[bytes, bytes] = (b"", b"")
    """The device's public keys, once its private ones are gone: the vault was closed for good."""


class Transaction:
    """One transaction of the storage thread: the shelf over it, and what it has touched. A question's can only read."""

    def __init__(self, vault: Vault, *, question: bool = False) -> None:
        self._vault = vault
        self._question = question
        self._writing: Writing | None = None
        self.connection = vault.connection
        self.mark = vault.mark
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
            self._writing = Writing(v.connection, v.identity, v.hybrid, v.lane, v.mark.changes, v.mark.chain, v.lanes)
        return self._writing

    def finish(self) -> Mark:
        """Sign and insert what was written; return the mark that the commit reaches."""
        before = self._vault.mark
        if self._writing is not None:
            self._writing.finish()
        if self._writing is not None and self._writing.last > before.changes:  # the change itself says that it was committed
            self.mark = Mark(before.commits, self._writing.last, self._writing.chain)
        else:
            self.connection.execute("UPDATE state SET commits = ?", (before.commits + 1,))
            self.mark = Mark(before.commits + 1, before.changes, before.chain)
        return self.mark

    @property
    def lanes(self) -> dict[bytes, Lane]:
        """Where those of our lanes stand that this transaction has written in."""
        return {} if self._writing is None else self._writing.lanes

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
        self.files = AttachmentFiles(folder)
        self.notices: list[str] = []
        self._hold = hold
        facts = msgspec.msgpack.decode(self.fact("vault") or b"", type=Facts)
        self.name = facts.name
        self.identity = Identity(facts.signing, facts.unsealing) if facts.signing else SpentIdentity(*facts.public)
        self.lane = int.from_bytes(self.fact("lane") or b"\1", "big")
        self.mark = log.mark_of(connection)
        stamp, wall_ms = log.last_times(connection, self.identity.device)
        self.hybrid = HybridClock(clock, stamp)
        self.clock_doubt = _doubt(clock, wall_ms or facts.made_ms)
        self.lanes: dict[bytes, Lane] = {}
        self._unmarked: OSError | None = None
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
    def transaction(self, *, deed: bool = False) -> Iterator[Transaction]:
        """Run a block on the storage thread as one transaction: everything it did becomes durable, or nothing.

        A `deed` writes through the shelf alone, so that what is known of our lanes goes on from it.
        """
        stamp = self.hybrid.last
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(self)
            try:
                yield transaction
                if transaction.dirty:
                    self._announce(transaction.finish())
                self.connection.execute("COMMIT")
            except BaseException:  # raised again: only undone here, also when told to stop
                self.hybrid.last = stamp
                with contextlib.suppress(DatabaseError):  # a failed commit may have rolled back by itself
                    self.connection.execute("ROLLBACK")
                self._withdraw_mark()
                raise
        except DatabaseError as error:
            raise explain(error) from error
        finally:
            if not deed:
                self.projector.forget_subjects()
        if deed:
            self.lanes.update(transaction.lanes)  # in place: there is a lane for every casebook
        else:
            self.lanes.clear()
        if transaction.dirty:
            self._committed(transaction.mark)

    def _read(self, work: Callable[[Shelf], T]) -> T:
        try:
            return work(Transaction(self, question=True).shelf)
        except DatabaseError as error:
            raise explain(error) from error

    def _write(self, work: Callable[[Shelf], T]) -> tuple[T, Bell]:
        try:
            with self.transaction(deed=True) as transaction:
                shelf = transaction.shelf
                result = work(shelf)
        except SavedUnmarked as error:
            error.outcome = result, Bell(frozenset(shelf.touched_topics), frozenset(shelf.touched_ids))
            raise
        return result, Bell(frozenset(shelf.touched_topics), frozenset(shelf.touched_ids))

    def _announce(self, mark: Mark) -> None:
        """Begin to mark a commit that is about to be made. Should that fail, the commit is made and its author told."""
        self._unmarked = None
        try:
            if self.anchor.announced:  # the mark of the last commit did not go: this one needs it before it
                self.anchor.write(self.mark)
            self.anchor.announce(mark)
        except OSError as error:
            self._unmarked = error

    def _committed(self, mark: Mark) -> None:
        self.mark = mark
        self._clerk.untidy()
        try:
            if self._unmarked is not None:
                raise self._unmarked
            self.anchor.settle()
            self.anchor.confirm()
        except OSError as error:
            raise SavedUnmarked(
                "What you wrote is saved, but the disk did not take the vault's safety mark. Leave leadworker, check the disk, "
                "and open it again."
            ) from error

    def _withdraw_mark(self) -> None:
        """Take back the mark of a commit that was not made."""
        with contextlib.suppress(OSError):  # then the mark stays announced, and opening says that a save was cut off
            if self.anchor.announced:
                self.anchor.settle()
                self.anchor.write(self.mark)

    def look_for_untidiness(self) -> None:
        """Let the next idle moment do what the last closing left; on the storage thread."""
        with contextlib.suppress(DatabaseError):  # who needs what cannot be read is told so then
            if finding.is_behind(self.connection, self._find_topics):
                self._clerk.untidy()
            self.files.sweep(frozenset(row[0] for row in self.connection.execute("SELECT digest FROM attachment")))

    def _tidy(self) -> bool:
        """Do the work of an idle moment; return whether there is more of it for the next."""
        with contextlib.suppress(OSError):  # the mark is durable; its confirmation is made so by the next idle moment
            self.anchor.sync()
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            more = finding.tidy(self.connection, self._find_topics)
            self.connection.execute("COMMIT")
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            return more
        except DatabaseError:  # it is only an idle moment's work: the next one tries again, and no save may find it half done
            with contextlib.suppress(DatabaseError):
                self.connection.execute("ROLLBACK")
            return False

    def is_closing_for_good(self) -> bool:
        """Return whether shutting this vault closes it for good; on the storage thread."""
        try:
            return closing.is_due(self.connection, self.folder)
        except (DatabaseError, LeadworkerError):  # then it is what it was, and the next shutting looks again
            return False

    def _close_for_good(self) -> None:
        """Take the device's private keys out of the vault, then hand its master key to escrow."""
        facts = msgspec.msgpack.decode(self.fact("vault") or b"", type=Facts)
        public = (self.identity.signing_public, self.identity.unsealing_public)
        with self.transaction() as transaction:
            transaction.dirty = True
            self.set_fact("vault", msgspec.msgpack.encode(msgspec.structs.replace(facts, signing=b"", unsealing=b"", public=public)))
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        closing.hand_to_escrow(self.connection, self.folder, self.master)

    def _close(self) -> None:
        if self.is_closing_for_good():
            with contextlib.suppress(DatabaseError, LeadworkerError, OSError):  # the next shutting does what is left of it
                self._close_for_good()
        with contextlib.suppress(DatabaseError):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.connection.close()
        with contextlib.suppress(OSError):  # then the next opening confirms the mark itself
            self.anchor.sync()
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
