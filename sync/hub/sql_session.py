"""What the two databases share: the central store's questions in SQL that both understand, rows and not objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sync.hub.recovery_rows import RecoveryRows
from sync.hub.store import Alarm, Device, FileRow, Former, Head, InviteRow, Known, Lane, LateRow, Mark, Row

_HEAD = "book, n, digest, epoch, control_seq, control_head, size, grew_ms"
_INVITE = "invite, expires_ms, signing, unsealing, proof, device, made_by"
MODE_SETTING = "recovery"
"""The setting that is not empty while the store is in recovery mode."""

_FILE = "book, digest, device, upload, size, parts, received_ms"

_ALL = 2**62

ADD_CHANGES = (
    "INSERT INTO changes (book, n, device, lane, seq, header, body, signature, received_ms, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqlSession(RecoveryRows, ABC):
    """A session over one connection. Statements are written with ``?``; a database translates what it must."""

    lock_suffix = ""
    """What a select says to hold the rows that it finds, where a transaction does not hold everything anyway."""

    @abstractmethod
    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return every row that a select finds."""

    @abstractmethod
    def _run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""

    @abstractmethod
    def _run_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for each of many rows."""

    def setting(self, name: str) -> bytes | None:
        rows = self._all("SELECT value FROM hub_settings WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def keep_setting(self, name: str, value: bytes) -> None:
        self._run("INSERT INTO hub_settings (name, value) VALUES (?, ?)", (name, value))

    def replace_setting(self, name: str, value: bytes) -> None:
        self._run("UPDATE hub_settings SET value = ? WHERE name = ?", (value, name))

    def hold(self, books: Collection[bytes]) -> None:
        """Hold the rows of these books until the transaction ends, in id order so that no two wait on each other."""
        if self.lock_suffix and books:
            ordered = sorted(books)
            self._all(f"SELECT n FROM books WHERE book IN ({_places(ordered)}) ORDER BY book{self.lock_suffix}", ordered)

    def heads(self, books: Collection[bytes]) -> dict[bytes, Head]:
        if not books:
            return {}
        found = self._all(f"SELECT {_HEAD} FROM books WHERE book IN ({_places(books)})", list(books))
        return {row[0]: Head(*row) for row in found}

    def add_book(self, head: Head) -> None:
        self._run(f"INSERT INTO books ({_HEAD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", head)

    def put_head(self, head: Head) -> None:
        self._run(
            "UPDATE books SET n = ?, digest = ?, epoch = ?, control_seq = ?, control_head = ?, size = ?, grew_ms = ? WHERE book = ?",
            (*head[1:], head.book),
        )

    def roles(self, device: bytes, books: Collection[bytes]) -> dict[bytes, int]:
        if not books:
            return {}
        found = self._all(f"SELECT book, role FROM members WHERE device = ? AND book IN ({_places(books)})", (device, *books))
        return {row[0]: row[1] for row in found}

    def lanes(self, device: bytes, books: Collection[bytes]) -> dict[tuple[bytes, int], Lane]:
        if not books:
            return {}
        found = self._all(
            f"SELECT book, lane, seq, head, size FROM lanes WHERE book IN ({_places(books)}) AND device = ?",
            (*books, device),
        )
        return {(row[0], row[1]): Lane(row[2], row[3], row[4]) for row in found}

    def device_size(self, device: bytes) -> int:
        found = self._all(
            "SELECT (SELECT coalesce(sum(size), 0) FROM lanes WHERE device = ?) + "
            "(SELECT coalesce(sum(size), 0) FROM files WHERE device = ?)",
            (device, device),
        )
        return int(found[0][0])

    def put_lanes(self, device: bytes, lanes: Iterable[tuple[bytes, int, Lane]]) -> None:
        self._run_many(
            "INSERT INTO lanes (book, device, lane, seq, head, size) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (book, device, lane) DO UPDATE SET seq = excluded.seq, head = excluded.head, size = excluded.size",
            [(book, device, lane, last.seq, last.head, last.size) for book, lane, last in lanes],
        )

    def known(self, book: bytes, device: bytes, lane: int, first: int, last: int) -> list[Known]:
        found = self._all(
            "SELECT seq, header, n, received_ms, digest FROM changes "
            "WHERE book = ? AND device = ? AND lane = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            (book, device, lane, first, last),
        )
        return [Known(*row) for row in found]

    def add_changes(self, rows: Sequence[Row]) -> None:
        self._run_many(ADD_CHANGES, rows)

    def control(self, book: bytes, after: int, most: int = _ALL) -> list[tuple[bytes, bytes, bytes]]:
        return self._all(
            "SELECT header, body, signature FROM changes WHERE book = ? AND device = ? AND lane = 0 AND seq > ? ORDER BY seq LIMIT ?",
            (book, b"", after, most),
        )

    def marks(self, book: bytes, after: int, upto: int, most: int) -> list[Mark]:
        found = self._all(
            "SELECT n, length(header) + length(body), length(signature) FROM changes "
            "WHERE book = ? AND n > ? AND n <= ? ORDER BY n LIMIT ?",
            (book, after, upto, most),
        )
        return [Mark(n, size, bool(signed)) for n, size, signed in found]

    def run_end(self, book: bytes, n: int) -> int:
        rows = self._all("SELECT n FROM changes WHERE book = ? AND n >= ? AND length(signature) > 0 ORDER BY n LIMIT 1", (book, n))
        return int(rows[0][0])

    def changes(self, book: bytes, after: int, upto: int) -> list[tuple[int, bytes, bytes, bytes, int]]:
        return self._all(
            "SELECT n, header, body, signature, received_ms FROM changes WHERE book = ? AND n > ? AND n <= ? ORDER BY n",
            (book, after, upto),
        )

    def digest_at(self, book: bytes, n: int) -> bytes:
        return bytes(self._all("SELECT digest FROM changes WHERE book = ? AND n = ?", (book, n))[0][0])

    def news(self, device: bytes, directory: bytes) -> list[tuple[bytes, int, bytes, int]]:
        found = self._all(
            "SELECT 0, book, n, digest, grew_ms FROM books WHERE book = ? UNION ALL "
            "SELECT 1, b.book, b.n, b.digest, b.grew_ms FROM members m JOIN books b ON b.book = m.book WHERE m.device = ? UNION ALL "
            "SELECT 1, f.book, f.n, c.digest, c.received_ms FROM former_members f JOIN changes c ON c.book = f.book AND c.n = f.n "
            "WHERE f.device = ? ORDER BY 1, 2",
            (directory, device, device),
        )
        return [(book, n, digest, grew_ms) for _, book, n, digest, grew_ms in found]

    def readers(self, books: Collection[bytes], directory: bytes) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        if directory in books:
            found += [(directory, row[0]) for row in self._all("SELECT device FROM devices WHERE active = 1")]
        cases = [book for book in books if book != directory]
        if cases:
            found += self._all(
                "SELECT m.book, m.device FROM members m JOIN devices d ON d.device = m.device "
                f"WHERE m.book IN ({_places(cases)}) AND d.active = 1",
                cases,
            )
        return found

    def tell_others(self, words: Sequence[str]) -> None:
        return None  # where one process serves one database

    def set_members(self, book: bytes, gone: Iterable[tuple[bytes, int]], present: Iterable[tuple[bytes, int]]) -> None:
        left, here = list(gone), list(present)
        self._run_many("DELETE FROM members WHERE device = ? AND book = ?", [(device, book) for device, _ in left])
        self._run_many(
            "INSERT INTO former_members (device, book, n) VALUES (?, ?, ?) ON CONFLICT (device, book) DO UPDATE SET n = excluded.n",
            [(device, book, n) for device, n in left],
        )
        self._run_many(
            "INSERT INTO members (device, book, role) VALUES (?, ?, ?) ON CONFLICT (device, book) DO UPDATE SET role = excluded.role",
            [(device, book, role) for device, role in here],
        )
        self._run_many("DELETE FROM former_members WHERE device = ? AND book = ?", [(device, book) for device, _ in here])

    def former(self, device: bytes, book: bytes) -> Former | None:
        rows = self._all(
            "SELECT f.n, c.digest FROM former_members f JOIN changes c ON c.book = f.book AND c.n = f.n WHERE f.device = ? AND f.book = ?",
            (device, book),
        )
        return Former(*rows[0]) if rows else None

    def undecided(self, deciding: Collection[int]) -> list[tuple[bytes, int]]:
        mine = "SELECT count(*) FROM members m JOIN devices d ON d.device = m.device WHERE m.book = b.book AND d.active = 1"
        found = self._all(
            f"SELECT b.book, ({mine}) FROM books b WHERE ({mine} AND m.role IN ({_places(deciding)})) = 0 ORDER BY b.book", list(deciding)
        )
        return [(book, readers) for book, readers in found]

    def owe_keys(self, device: bytes) -> None:
        self._run("INSERT INTO keys_owed (book) SELECT book FROM members WHERE device = ? ON CONFLICT (book) DO NOTHING", (device,))

    def owing(self, books: Collection[bytes]) -> frozenset[bytes]:
        if not books:
            return frozenset()
        found = self._all(f"SELECT book FROM keys_owed WHERE book IN ({_places(books)})", list(books))
        return frozenset(row[0] for row in found)

    def key_given(self, book: bytes) -> None:
        self._run("DELETE FROM keys_owed WHERE book = ?", (book,))

    def device(self, device: bytes) -> Device | None:
        rows = self._all(
            "SELECT device, signing, admin, active, (SELECT length(value) FROM hub_settings WHERE name = ?) FROM devices WHERE device = ?",
            (MODE_SETTING, device),
        )
        if not rows:
            return None
        found, signing, admin, active, mode = rows[0]
        return Device(found, signing, bool(admin), bool(active), bool(mode))

    def put_device(self, device: Device) -> None:
        self._run(
            "INSERT INTO devices (device, signing, admin, active) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (device) DO UPDATE SET admin = excluded.admin, active = excluded.active",
            (device.device, device.signing, int(device.admin), int(device.active)),
        )

    def invite(self, invite: bytes, lock: bool = False) -> InviteRow | None:
        suffix = self.lock_suffix if lock else ""
        rows = self._all(f"SELECT {_INVITE} FROM invites WHERE invite = ?{suffix}", (invite,))
        return InviteRow(*rows[0]) if rows else None

    def put_invite(self, row: InviteRow) -> None:
        self._run(
            f"INSERT INTO invites ({_INVITE}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (invite) DO UPDATE SET "
            "signing = excluded.signing, unsealing = excluded.unsealing, proof = excluded.proof, "
            "device = excluded.device",
            row,
        )

    def waiting(self, now_ms: int, most: int, made_by: bytes = b"") -> list[InviteRow]:
        whose, values = (" AND made_by = ?", (now_ms, made_by, most)) if made_by else ("", (now_ms, most))
        found = self._all(
            f"SELECT {_INVITE} FROM invites WHERE expires_ms > ? AND length(signing) > 0 AND length(device) = 0{whose} "
            "ORDER BY expires_ms, invite LIMIT ?",
            values,
        )
        return [InviteRow(*row) for row in found]

    def late_count(self, recipient: bytes) -> int:
        return int(self._all("SELECT count(*) FROM late_seals WHERE recipient = ?", (recipient,))[0][0])

    def late_of(self, sender: bytes) -> int:
        return int(self._all("SELECT count(*) FROM late_submissions WHERE sender = ?", (sender,))[0][0])

    def add_late(self, row: LateRow, seals: Sequence[tuple[bytes, bytes]]) -> None:
        self._run(
            "INSERT INTO late_submissions (late, book, sender, sealed, received_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT (late) DO NOTHING",
            (row.late, row.book, row.sender, row.sealed, row.received_ms),
        )
        self._run_many(
            "INSERT INTO late_seals (recipient, late, seal) VALUES (?, ?, ?) ON CONFLICT (recipient, late) DO NOTHING",
            [(recipient, row.late, seal) for recipient, seal in seals],
        )

    def late_for(self, recipient: bytes, most: int) -> list[LateRow]:
        found = self._all(
            "SELECT l.late, l.book, l.sender, s.seal, l.sealed, l.received_ms FROM late_seals s "
            "JOIN late_submissions l ON l.late = s.late WHERE s.recipient = ? ORDER BY l.received_ms, l.late LIMIT ?",
            (recipient, most),
        )
        return [LateRow(*row) for row in found]

    def late_taken(self, recipient: bytes, late: Collection[bytes]) -> None:
        self._run_many("DELETE FROM late_seals WHERE recipient = ? AND late = ?", [(recipient, one) for one in late])
        self._run_many(
            "DELETE FROM late_submissions WHERE late = ? AND NOT EXISTS (SELECT 1 FROM late_seals s WHERE s.late = ?)",
            [(one, one) for one in late],
        )

    def file(self, book: bytes, digest: bytes) -> FileRow | None:
        found = self._all(f"SELECT {_FILE} FROM files WHERE book = ? AND digest = ? AND received_ms > 0 LIMIT 1", (book, digest))
        return FileRow(*found[0]) if found else None

    def file_of(self, book: bytes, digest: bytes, device: bytes) -> FileRow | None:
        found = self._all(f"SELECT {_FILE} FROM files WHERE book = ? AND digest = ? AND device = ?", (book, digest, device))
        return FileRow(*found[0]) if found else None

    def files_size(self, book: bytes) -> int:
        return int(self._all("SELECT coalesce(sum(size), 0) FROM files WHERE book = ?", (book,))[0][0])

    def files_begun(self, device: bytes) -> list[FileRow]:
        found = self._all(f"SELECT {_FILE} FROM files WHERE device = ? AND received_ms = 0 ORDER BY upload", (device,))
        return [FileRow(*row) for row in found]

    def files_in(self, book: bytes) -> list[FileRow]:
        return [FileRow(*row) for row in self._all(f"SELECT {_FILE} FROM files WHERE book = ? ORDER BY upload", (book,))]

    def put_file(self, row: FileRow) -> None:
        self._run(
            f"INSERT INTO files ({_FILE}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (book, digest, device) DO UPDATE SET "
            "upload = excluded.upload, size = excluded.size, parts = excluded.parts, received_ms = excluded.received_ms",
            row,
        )

    def add_file_part(self, upload: bytes, part: int, content: bytes) -> None:
        self._run("INSERT INTO file_parts (upload, part, bytes) VALUES (?, ?, ?)", (upload, part, content))

    def file_part(self, upload: bytes, part: int) -> bytes:
        return bytes(self._all("SELECT bytes FROM file_parts WHERE upload = ? AND part = ?", (upload, part))[0][0])

    def drop_file(self, row: FileRow) -> None:
        self._run("DELETE FROM file_parts WHERE upload = ?", (row.upload,))
        self._run("DELETE FROM files WHERE book = ? AND digest = ? AND device = ?", (row.book, row.digest, row.device))

    def count_alarm(self, code: str, book: bytes, device: bytes, now_ms: int) -> None:
        self._run(
            "INSERT INTO alarms (code, book, device, times, last_ms) VALUES (?, ?, ?, 1, ?) "
            "ON CONFLICT (code, book, device) DO UPDATE SET times = alarms.times + 1, last_ms = excluded.last_ms",
            (code, book, device, now_ms),
        )

    def alarms(self) -> list[Alarm]:
        return [Alarm(*row) for row in self._all("SELECT code, book, device, times, last_ms FROM alarms")]


def _places(values: Collection[object]) -> str:
    return ",".join("?" * len(values))
