"""Full-text search inside the encrypted file: one FTS5 index for each record type that declares searched fields.

Indexes keep no text of their own. While somebody types, the newest finds come first and fast; asked for with Enter,
the best come first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from leadworker.record import Record, table_of
from leadworker.shelf import Hit
from leadworker.text import clean
from storage.engine import Connection
from storage.schema import find_fields, find_table

BEFORE, AFTER = "\x02", "\x03"
MOST_WORDS: Final = 24
_WORD = re.compile(r"\"[^\"]*\"|[\w'’\-]+")


class Index:
    """The full-text index of one topic."""

    def __init__(self, topic: str, fields: tuple[str, ...]) -> None:
        self.fields = fields
        name = find_table(topic)
        columns = ", ".join(("rowid", *fields))
        marks = ", ".join("?" * (len(fields) + 1))
        self._add = f"INSERT INTO {name} ({columns}) VALUES ({marks})"
        self._remove = f"INSERT INTO {name} ({name}, {columns}) VALUES ('delete', {marks})"

    def add(self, connection: Connection, no: int, row: dict[str, Any]) -> None:
        """Index a new row."""
        if self.fields:
            connection.execute(self._add, (no, *(row[f] for f in self.fields)))

    def remove(self, connection: Connection, no: int, row: dict[str, Any]) -> None:
        """Take a row out."""
        if self.fields:
            connection.execute(self._remove, (no, *(row[f] for f in self.fields)))

    def replace(self, connection: Connection, no: int, old: dict[str, Any], new: dict[str, Any]) -> None:
        """Index a row again whose words have changed."""
        connection.execute(self._remove, (no, *(old[f] for f in self.fields)))
        connection.execute(self._add, (no, *(new[f] for f in self.fields)))


def expression(words: str) -> str:
    """Return the FTS5 expression for what somebody typed: all words, "phrases" in quotes, the last word as a beginning.

    Nothing that is typed can be an operator. Empty when there is no word of at least two letters.
    """
    found = _WORD.findall(clean(words).replace("\n", " "))[:MOST_WORDS]
    terms = [term.strip("\"'’-") for term in found]
    phrases = [f'"{term}"' for term in terms if term]
    if not phrases or len(max(terms, key=len)) < 2:
        return ""
    open_ended = not clean(words).endswith((" ", '"')) and len(terms[-1]) >= 2
    return " ".join(phrases[:-1] + [phrases[-1] + ("*" if open_ended else "")])


def search(
    connection: Connection, kinds: Sequence[type[Record]], words: str, *, limit: int, newest: bool
) -> tuple[Hit, ...]:
    """Return where the words occur in records that are not gone."""
    query = expression(words)
    if not query:
        return ()
    hits: list[Hit] = []
    for kind in kinds:
        topic = str(table_of(kind).name)
        if not find_fields(kind):
            continue
        index = find_table(topic)
        order = "rowid DESC" if newest else "rank"
        snippet = f"snippet({index}, -1, '{BEFORE}', '{AFTER}', '…', 12)"
        inner = f"SELECT rowid AS no, {snippet} AS words FROM {index} WHERE {index} MATCH ? ORDER BY {order} LIMIT ?"
        sql = f"SELECT t.id, f.words FROM ({inner}) f JOIN {topic} t ON t.no = f.no WHERE t.gone = 0"
        rows = connection.execute(sql, (query, limit)).fetchall()
        hits += [Hit(topic, record_id, found) for record_id, found in rows]
    return tuple(hits[:limit])


def tidy(connection: Connection, topics: Sequence[str]) -> None:
    """Do in an idle moment what would otherwise make one save in fifty slow: merge the indexes' segments."""
    for topic in topics:
        index = find_table(topic)
        connection.execute(f"INSERT INTO {index}({index}, rank) VALUES ('merge', 200)")


def rebuild(connection: Connection, topics: Sequence[str]) -> None:
    """Make the indexes again from the tables."""
    for topic in topics:
        index = find_table(topic)
        connection.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
