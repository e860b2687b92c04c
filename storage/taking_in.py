"""Takes checked changes of others into the vault: the log first, then the projections, all in one transaction."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence

from leadworker import change
from leadworker.change import Content
from leadworker.clock import LATEST_MS
from leadworker.crypto.envelope import BookKey
from leadworker.crypto.opening import opened
from leadworker.desk import Bell
from leadworker.errors import HubMistrusted
from leadworker.postbox import Receipt, Received, Statement
from storage import log
from storage.engine import Connection, scalar
from storage.projection import Unfit
from storage.rebuilding import refold, seen_by
from storage.vault import Transaction, Vault

RECEIVED = "last received"
SENT = "last sent"

_PUT_ASIDE = "INSERT INTO put_aside (book_no, n, change_no, sealed, device, why, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"


def keep_statements(transaction: Transaction, book: bytes, statements: tuple[Statement, ...], receipt: bytes) -> None:
    """Append checked statements to the control lane of a book that has no content (the directory)."""
    intake = _Intake(transaction, book)
    intake.append(statements)
    intake.finish()
    advance(transaction.connection, intake.book_no, intake.n)
    if statements:
        intake.keep_receipt(statements[-1].n, receipt)


def take(
    vault: Vault, transaction: Transaction, book: bytes, since: int, received: tuple[Received, ...],
    keys: dict[int, bytes], digest: bytes, receipt: bytes = b"", before: bytes = b"",
) -> Bell:  # fmt: skip
    """Keep a page that follows number `since`, and the digest `before` where one is given; raise `HubMistrusted` when an author
    was shown another history.
    """
    intake = _Intake(transaction, book)
    if intake.n != since or not hmac.compare_digest(before or intake.digest, intake.digest):
        return Bell(frozenset(), frozenset())  # another pull was first; this one has nothing to add
    intake.keep_keys(keys)
    topics: set[str] = set()
    ids: set[str] = set()
    newest, sent_ms = b"", 0
    late: set[tuple[str, str]] = set()
    for no, item in intake.waiting_for(book, keys):
        touched = _accept(vault, intake, no, change.unpack(item.header), item, topics)
        ids.update(touched)
        said = item.content
        if said is not None and (touched or vault.projector.is_of(book.hex(), said.topic, said.record)):
            late.add((said.topic, said.record))
    if late:
        intake.keep_aside(refold(intake.connection, vault.projector, intake.book_no, late))
    begun: set[tuple[str, str]] = set()
    appended = intake.append([item for item in received if not item.own])
    for item in received:
        if item.own:
            intake.confirm(change.unpack(item.header), item)
            sent_ms = told_ms(item.received_ms)
            topics.add("receipt")
            continue
        no, header = next(appended)
        if header.lane == change.CONTROL_LANE:
            topics.add("reader")
        if item.why:
            intake.put_aside(no, header, item, item.why)
        elif item.content is not None:
            touched = _accept(vault, intake, no, header, item, topics)
            ids.update(touched)
            if touched and intake.begins_unsent(vault, item.content):
                begun.add((item.content.topic, item.content.record))
            newest = told_ms(item.received_ms).to_bytes(8, "big") + header.device
    if intake.settle_subject():
        vault.projector.forget_subjects()
        intake.keep_aside(refold(intake.connection, vault.projector, intake.book_no))
    elif begun:  # numbered changes come before what was not sent (D.2), also where that began the record here
        refold(intake.connection, vault.projector, intake.book_no, begun)
    vault.hybrid.saw(intake.latest_stamp)
    if newest:
        vault.set_fact(RECEIVED, newest)
    if sent_ms > last_sent(vault):  # its receipt was not heard, or went another way
        vault.set_fact(SENT, sent_ms.to_bytes(8, "big"))
    intake.finish(last_n=received[-1].n if received else since, digest=digest)
    if received:
        intake.keep_receipt(received[-1].n, receipt)
    return Bell(frozenset(topics), frozenset(ids))


def _accept(vault: Vault, intake: _Intake, no: int, header: change.Header, item: Received, topics: set[str]) -> tuple[str, ...]:
    """Fold an opened change in, after its author's history was compared with ours; return the ids that it touched."""
    content = item.content
    if content is None:
        return ()
    intake.compare_histories(item, content)
    intake.latest_stamp = max(intake.latest_stamp, content.stamp)
    touched = _fold(vault, intake, no, header, item, content)
    topics.add(content.topic)
    if touched and content.topic == "person":  # not one that was put aside: a casebook is never led astray
        intake.name_subject(content.record)
    return touched


def _fold(vault: Vault, intake: _Intake, no: int, header: change.Header, item: Received, content: Content) -> tuple[str, ...]:
    if not vault.projector.knows(content.topic):
        intake.put_aside(no, header, item, "it is of a kind that this leadworker does not know; update to see it")
        return ()
    try:
        sees = seen_by(intake.connection, header, content)
        return vault.projector.apply(content, header.book.hex(), header.device.hex(), no, sees)
    except Unfit as error:
        intake.put_aside(no, header, item, str(error))
        return ()


def told_ms(received_ms: int) -> int:
    """Return what is kept of the time that the central store names: it is only shown, and the store may say anything."""
    return min(max(received_ms, 0), LATEST_MS)


def last_received(vault: Vault) -> tuple[int, str]:
    """Return when the central store took the newest change that this laptop received of others, and its writer's device."""
    raw = vault.fact(RECEIVED)
    return (0, "") if raw is None else (int.from_bytes(raw[:8], "big"), raw[8:].hex())


def last_sent(vault: Vault) -> int:
    """Return when the central store took the newest change of this laptop that it confirmed (UTC ms), 0 for never."""
    return int.from_bytes(vault.fact(SENT) or b"", "big")


def advance(connection: Connection, book_no: int, n: int) -> None:
    """Move a book's confirmed number on over changes that are known here and numbered without a gap."""
    (digest,) = connection.execute("SELECT digest FROM book WHERE no = ?", (book_no,)).fetchone()
    running = bytes(digest)
    digests: list[tuple[bytes, int]] = []
    sql = "SELECT no, n, header, digest FROM change WHERE book_no = ? AND n > ? ORDER BY n"
    for no, number, header, promised in connection.execute(sql, (book_no, n)).fetchall():
        if number != n + 1:
            break
        n, running = number, change.next_digest(running, change.change_id(header), number)
        if promised is not None and not hmac.compare_digest(bytes(promised), running):
            raise _not_as_receipted()
        digests.append((running, no))
    connection.executemany("UPDATE change SET digest = ? WHERE no = ?", digests)
    connection.execute("UPDATE book SET n = ?, digest = ? WHERE no = ?", (n, running, book_no))


def refuse_other_numbers(connection: Connection, book_no: int, lane_no: int, receipt: Receipt) -> None:
    """Raise `HubMistrusted` when a receipt gives a change another number than it has, or a number that is taken."""
    of_run = "SELECT seq, n, digest FROM change WHERE lane_no = ? AND seq BETWEEN ? AND ?"
    found = connection.execute(of_run, (lane_no, receipt.first_seq, receipt.first_seq + len(receipt.ns) - 1))
    here = {seq: (n, digest) for seq, n, digest in found}
    of_numbers = "SELECT n, lane_no, seq FROM change WHERE book_no = ? AND n BETWEEN ? AND ?"
    given = {n: (lane, seq) for n, lane, seq in connection.execute(of_numbers, (book_no, receipt.ns[0], receipt.ns[-1]))}
    for seq, number in enumerate(receipt.ns, start=receipt.first_seq):
        n, digest = here[seq]
        fits = n in (None, number) and (number != receipt.last_n or digest in (None, receipt.digest))
        if not fits or given.get(number, (lane_no, seq)) != (lane_no, seq):
            raise _not_as_receipted()


def _not_as_receipted() -> HubMistrusted:
    return HubMistrusted(
        "The central store's receipts do not fit one another or what it has sent. Nothing more is taken from it; everything is "
        "still here. Tell your administrator."
    )


class _Intake:
    """Appends to the log for one book."""

    def __init__(self, transaction: Transaction, book: bytes) -> None:
        self.connection = transaction.connection
        self._transaction = transaction
        self._writing = transaction.writing()
        self._last, self._chain = self._writing.last, self._writing.chain
        self._lanes: dict[tuple[bytes, int], int] = {}
        self._received_up_to: dict[int, int] = {}
        self._same_history = (0, b"")
        self.latest_stamp = 0
        self._unsent: bool | None = None
        self._own = bytes.fromhex(transaction.shelf.device)
        self._book, self._persons_came = book, False
        row = self.connection.execute("SELECT no, n, digest, subject FROM book WHERE id = ?", (book,)).fetchone()
        if row is None:
            insert, first = "INSERT INTO book (id, digest, founded) VALUES (?, ?, 1)", change.first_digest(book)
            row = (self.connection.execute(insert, (book, first)).lastrowid, 0, first, "")
        self.book_no, self.n, self.digest, self._subject = row[0], row[1], bytes(row[2]), row[3]

    def append(self, received: Sequence[Received | Statement]) -> Iterator[tuple[int, change.Header]]:
        """Insert received changes, all at once; return each one's number in this vault and its header."""
        rows, appended = [], []
        for item in received:
            header = change.unpack(item.header)
            lane = self._lane(header)
            self._last += 1
            self._chain = log.link(self._chain, change.change_id(item.header))
            digest = item.digest if isinstance(item, Received) else None
            rows.append((
                self._last, self.book_no, lane, header.seq, item.header, item.body, item.signature, self._chain, item.n or None,
                digest, told_ms(item.received_ms),
            ))  # fmt: skip
            appended.append((self._last, header))
            self._received_up_to[lane] = header.seq
        self.connection.executemany(
            """INSERT INTO change (no, book_no, lane_no, seq, header, body, signature, chain, n, digest, received_ms)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            rows,
        )
        return iter(appended)

    def confirm(self, header: change.Header, item: Received) -> None:
        """Note the number and the digest of a change that was written here."""
        self.connection.execute(
            "UPDATE change SET n = ?, digest = ?, received_ms = ? WHERE lane_no = ? AND seq = ?",
            (item.n, item.digest, told_ms(item.received_ms), self._lane(header), header.seq),
        )
        self.connection.execute("UPDATE lane SET acked = max(acked, ?) WHERE no = ?", (header.seq, self._lane(header)))

    def keep_receipt(self, n: int, receipt: bytes) -> None:
        """Keep what the central store signed for the change with a number."""
        if receipt:
            self.connection.execute("UPDATE change SET receipt = ? WHERE book_no = ? AND n = ?", (receipt, self.book_no, n))

    def compare_histories(self, item: Received, content: Content) -> None:
        """The author says what they had been shown; it must be what this laptop was shown (SUNDR, C.8)."""
        seen_n, seen_digest = content.seen
        if seen_n >= item.n:
            raise HubMistrusted(
                "The central store numbered a change before one that its author had already seen. This casebook is not synced "
                "any further; everything here is safe. Tell your administrator."
            )
        if seen_n == 0 or content.seen == self._same_history:  # what somebody writes offline has all seen the same
            return
        sql = "SELECT digest FROM change WHERE book_no = ? AND n = ?"
        known = scalar(self.connection, sql, self.book_no, seen_n)
        if known is not None and not hmac.compare_digest(bytes(known), seen_digest):
            raise HubMistrusted(
                "The central store has shown two laptops two different histories of the same casebook. It is not synced any "
                "further; everything here is safe. Tell your administrator, and compare the check words with your colleague."
            )
        if known is not None:
            self._same_history = content.seen

    def put_aside(self, no: int, header: change.Header, item: Received, why: str) -> None:
        """Keep what could not be opened or applied, with its author, for a person to look at."""
        self.connection.execute(_PUT_ASIDE, (self.book_no, item.n, no, item.sealed, header.device.hex(), why, told_ms(item.received_ms)))

    def keep_aside(self, fits: dict[int, str]) -> None:
        """Put changes aside that do not fit now that those before them are here, and take back those that do."""
        here = "SELECT n, device, received_ms FROM change c JOIN lane l ON l.no = c.lane_no WHERE c.no = ?"
        for no, why in fits.items():
            if not why:
                self.connection.execute("DELETE FROM put_aside WHERE change_no = ?", (no,))
            elif self.connection.execute("UPDATE put_aside SET why = ? WHERE change_no = ?", (why, no)).rowcount == 0:
                n, device, received_ms = self.connection.execute(here, (no,)).fetchone()
                row = (self.book_no, n or 0, no, b"", bytes(device).hex(), why, received_ms)
                self.connection.execute(_PUT_ASIDE, row)

    def keep_keys(self, keys: dict[int, bytes]) -> None:
        self.connection.executemany(
            "INSERT OR IGNORE INTO book_key VALUES (?, ?, ?)", [(self.book_no, epoch, key) for epoch, key in keys.items()]
        )

    def waiting_for(self, book: bytes, keys: dict[int, bytes]) -> Iterator[tuple[int, Received]]:
        """Give what had been put aside until these keys came, opened, in the order of its numbers, and put it aside no longer.

        What opens and cannot be read stays aside, as it would be had the key been here from the first.
        """
        if not keys:
            return
        at_hand = {epoch: BookKey(book, epoch, secret) for epoch, secret in keys.items()}
        sql = """SELECT p.no, c.no, c.n, c.header, p.sealed, c.signature, c.digest, c.received_ms FROM put_aside p
                 JOIN change c ON c.no = p.change_no WHERE p.book_no = ? AND c.body IS NULL AND length(p.sealed) >= 4 ORDER BY c.n"""
        for aside, no, n, header, sealed, signature, digest, received_ms in self.connection.execute(sql, (self.book_no,)).fetchall():
            if int.from_bytes(sealed[:4], "big") not in at_hand:
                continue
            found = opened(header, change.unpack(header), sealed, at_hand.__getitem__)
            if found.body is not None:
                self.connection.execute("UPDATE change SET body = ? WHERE no = ?", (found.body, no))
            if found.why:
                self.connection.execute("UPDATE put_aside SET why = ? WHERE no = ?", (found.why, aside))
                continue
            self.connection.execute("DELETE FROM put_aside WHERE no = ?", (aside,))
            if found.content is not None:
                yield no, Received(n, header, found.body, signature, digest, received_ms, found.content)

    def begins_unsent(self, vault: Vault, content: Content) -> bool:
        """Return whether a record that a received change speaks of was begun here, in a change that was never sent.

        Only what was taken in from a late submission is begun twice: by who wrote it, and by who took it in.
        """
        if self._unsent is None:
            sql = "SELECT 1 FROM change WHERE book_no = ? AND n IS NULL LIMIT 1"
            self._unsent = scalar(self.connection, sql, self.book_no) is not None
        return self._unsent and vault.projector.begun_by_unsent(content.topic, content.record)

    def name_subject(self, person_id: str) -> None:
        """The first person of a casebook is whose it is (REC-01)."""
        self._persons_came = True
        sql = "UPDATE book SET subject = ? WHERE no = ? AND subject = ''"
        self.connection.execute(sql, (person_id, self.book_no))

    def settle_subject(self) -> bool:
        """Name the person with the lowest number, in whatever order they came to be read here. Return whether something was
        read as if the casebook were somebody else's, or nobody's.
        """
        if not self._persons_came:
            return False
        first = "SELECT p.id FROM person p JOIN change c ON c.no = p.change_no WHERE p.book = ? ORDER BY c.n IS NULL, c.n LIMIT 1"
        person_id = scalar(self.connection, first, self._book.hex()) or self._subject
        if self._subject == person_id:
            return False
        self.connection.execute("UPDATE book SET subject = ? WHERE no = ?", (person_id, self.book_no))
        aside = "SELECT 1 FROM put_aside p JOIN change c ON c.no = p.change_no WHERE p.book_no = ? AND c.body IS NOT NULL LIMIT 1"
        return bool(self._subject) or scalar(self.connection, aside, self.book_no) is not None

    def finish(self, last_n: int | None = None, digest: bytes | None = None) -> None:
        self.connection.executemany(
            "UPDATE lane SET acked = max(acked, ?) WHERE no = ? AND mine = 1",
            [(seq, lane) for lane, seq in self._received_up_to.items()],
        )
        if last_n is not None:
            self.connection.execute(
                "UPDATE book SET n = ?, digest = ?, founded = 1, trouble = '' WHERE no = ?", (last_n, digest, self.book_no)
            )
        self._transaction.extend(self._last, self._chain)

    def _lane(self, header: change.Header) -> int:
        key = (header.device, header.lane) if header.lane else (b"", 0)
        if key not in self._lanes:
            sql = "SELECT no FROM lane WHERE book_no = ? AND device = ? AND lane = ?"
            no = scalar(self.connection, sql, self.book_no, *key)
            if no is None:
                insert = "INSERT INTO lane (book_no, device, lane, mine) VALUES (?, ?, ?, ?)"
                mine = int(header.device == self._own and header.lane > 0)
                no = self.connection.execute(insert, (self.book_no, *key, mine)).lastrowid
            self._lanes[key] = int(no)
        return self._lanes[key]
