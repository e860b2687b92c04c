"""The plain twin: the same build of SQLite with no key, the same tables and settings, the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlcipher3 import dbapi2 as sqlcipher

from storage import schema
from storage.engine import Connection
from storage.vault import Vault

_SETTINGS = (
    "journal_mode=WAL", "synchronous=FULL", "fullfsync=ON", "checkpoint_fullfsync=ON", "foreign_keys=ON",
    "temp_store=MEMORY", "cache_size=-32000", "wal_autocheckpoint=1000",
)  # fmt: skip


def plain_copy(vault: Vault, where: Path) -> Connection:
    """Return a connection to a plain database with the same tables and rows as a vault."""

    def copy() -> None:
        vault.connection.execute("ATTACH DATABASE ? AS plain KEY ''", (str(where),))
        vault.connection.execute("SELECT sqlcipher_export('plain')").fetchall()
        vault.connection.execute("DETACH DATABASE plain")

    vault.submit(copy).result()
    connection: Connection = sqlcipher.connect(str(where), isolation_level=None, check_same_thread=False, cached_statements=256)
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}").fetchall()
    for topic in ("journal_entry",):
        index = schema.find_table(topic)
        connection.execute(f"INSERT INTO {index}({index}, rank) VALUES ('automerge', 0)")
    return connection


class PlainSave:
    """Saves the rows of one entry by hand: change, entry and search index, in one durable transaction."""

    def __init__(self, connection: Connection, model: dict[str, Any]) -> None:
        self._connection = connection
        self._entry = model
        self._fields = schema.find_fields(_kind())
        self._columns = [name for name in model if name != "no"]
        (self._no,) = connection.execute("SELECT max(no) FROM change").fetchone()
        lane = connection.execute("SELECT book_no, lane_no, header, chain FROM change WHERE no = ?", (self._no,)).fetchone()
        self._book_no, self._lane_no, self._header, self._chain = lane
        (self._seq,) = connection.execute("SELECT max(seq) FROM change WHERE lane_no = ?", (self._lane_no,)).fetchone()

    def save(self, record_id: str, body: bytes, words: dict[str, str]) -> None:
        """Write one entry durably."""
        self._no, self._seq = self._no + 1, self._seq + 1
        c = self._connection
        row = self._entry | words | {"id": record_id, "change_no": self._no}
        marks = ", ".join("?" * len(self._columns))
        c.execute("BEGIN IMMEDIATE")
        names = ", ".join(f'"{name}"' for name in self._columns)
        cursor = c.execute(f"INSERT INTO journal_entry ({names}) VALUES ({marks})", [row[n] for n in self._columns])
        fields = ", ".join(self._fields)
        found = ", ".join("?" * (len(self._fields) + 1))
        c.execute(f"INSERT INTO journal_entry_find (rowid, {fields}) VALUES ({found})", [cursor.lastrowid, *(row[f] for f in self._fields)])
        c.execute(
            "INSERT INTO change (no, book_no, lane_no, seq, header, body, signature, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._no, self._book_no, self._lane_no, self._seq, self._header, body, bytes(64), self._chain),
        )
        c.execute("COMMIT")


def _kind() -> Any:
    from leadworker.domain.journal import JournalEntry

    return JournalEntry
