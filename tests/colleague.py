"""A colleague whose changes come into a vault as the post would bring them: with keys and a lane of their own, numbered, signed."""

from __future__ import annotations

from typing import Any

from leadworker import change, proof
from leadworker.change import Content
from leadworker.clock import Moment
from leadworker.crypto.identity import Identity
from leadworker.desk import Bell
from leadworker.postbox import Received
from leadworker.record import new_id
from storage import taking_in
from storage.vault import Vault


class Colleague:
    """Somebody who works on the same casebooks from another laptop, and has seen what was sent when they last looked."""

    def __init__(self, vault: Vault, name: str) -> None:
        self.vault, self.name = vault, name
        self._identity = Identity.new()
        self._lanes: dict[bytes, tuple[int, bytes]] = {}
        self._seen: dict[bytes, tuple[int, bytes]] = {}
        self._stamp = 1 << 58
        sql = "INSERT INTO writer (device, name, mine) VALUES (?, ?, 0)"
        vault.submit(lambda: vault.connection.execute(sql, (self._identity.device.hex(), name))).result()
        self.looks()

    def looks(self) -> None:
        """Send everything that waits here, and let them receive it all."""
        self.vault.submit(self._number_all).result()

    def _number_all(self) -> None:
        connection = self.vault.connection
        for no, book in connection.execute("SELECT no, id FROM book").fetchall():
            rows = connection.execute("SELECT no, header FROM change WHERE book_no = ? ORDER BY no", (no,)).fetchall()
            connection.execute("UPDATE change SET n = NULL WHERE book_no = ?", (no,))
            digest = change.first_digest(book)
            for n, (change_no, header) in enumerate(rows, start=1):
                digest = change.next_digest(digest, change.change_id(header), n)
                sql = "UPDATE change SET n = ?, digest = ?, received_ms = CASE received_ms WHEN 0 THEN ? ELSE received_ms END WHERE no = ?"
                connection.execute(sql, (n, digest, Moment.of(self.vault.clock.now()).ms, change_no))
            connection.execute("UPDATE book SET n = ?, digest = ? WHERE no = ?", (len(rows), digest, no))
            self._seen[book] = (len(rows), digest)
        connection.execute("UPDATE lane SET acked = (SELECT coalesce(max(seq), 0) FROM change WHERE lane_no = lane.no)")
        self.vault.lanes.clear()

    def writes(self, person_id: str, topic: str, record: str, values: dict[str, Any], wrote: Moment) -> Bell:
        """Let a change of theirs come in."""
        return self.vault.submit(lambda: self._take(person_id, topic, record or new_id(), values, wrote)).result()

    def _take(self, person_id: str, topic: str, record: str, values: dict[str, Any], wrote: Moment) -> Bell:
        vault = self.vault
        find = "SELECT id, n, digest FROM book WHERE subject = ?"
        book, n, digest = vault.connection.execute(find, (person_id,)).fetchone()
        seq, head = self._lanes.get(book, (0, change.FIRST))
        self._stamp += 1
        content = Content(change.SCHEMA, topic, record, change.PUT, values, self._stamp, self._seen[book], wrote.ms, wrote.offset)
        body = change.write_content(content, bytes(16))
        header = change.Header(
            change.Kind.CONTENT, book, self._identity.device, 1, seq + 1, head, change.padded_size(len(body)), change.commitment(body)
        ).pack()
        head = change.change_id(header)
        self._lanes[book] = (seq + 1, head)
        numbered = change.next_digest(digest, head, n + 1)
        signature = self._identity.sign(proof.HEAD, head)
        received = Received(n + 1, header, body, signature, numbered, wrote.ms + 60_000, content)
        with vault.transaction() as transaction:
            transaction.dirty = True
            return taking_in.take(vault, transaction, book, n, (received,), {}, numbered, b"")
