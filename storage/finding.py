"""Full-text search inside the encrypted file: one FTS5 index for each record type that declares searched fields.

Indexes keep no text of their own. While somebody types, the newest finds come first and fast; asked for with Enter,
the best come first.

Records that are frozen once they are written go into their index **before the next search, or in the next idle moment**,
many at a time (docs/decisions/0013): that takes the larger half of the pages out of a save. What the index has is known from
the index itself, so nothing can come to be forgotten, also when the program is killed. Records that can change are
indexed as they are written, since an index must know the words that it is told to forget.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlcipher3.dbapi2 import DatabaseError

from leadworker.record import Record, table_of, topics
from leadworker.shelf import Hit
from leadworker.text import clean
from storage.engine import Connection, scalar
from storage.schema import find_fields, find_table

BEFORE, AFTER = "\x02", "\x03"
MOST_WORDS: Final = 24
MOST_BEHIND: Final = 2500
"""With each row whose number this divides, all that wait are indexed, whether or not there was an idle moment between."""

_WORD = re.compile(r"\"[^\"]*\"|[\w'’\-]+")


class Index:
    """The full-text index of one topic."""

    def __init__(self, kind: type[Record]) -> None:
        self.fields = find_fields(kind)
        self._topic, self._frozen = str(table_of(kind).name), kind.frozen
        name = find_table(self._topic)
        columns = ", ".join(("rowid", *self.fields))
        marks = ", ".join("?" * (len(self.fields) + 1))
        self._add = f"INSERT INTO {name} ({columns}) VALUES ({marks})"
        self._remove = f"INSERT INTO {name} ({name}, {columns}) VALUES ('delete', {marks})"

    def add(self, connection: Connection, no: int, row: dict[str, Any]) -> None:
        """Index a new row: now, or with those that come after it."""
        if not self.fields:
            return
        if not self._frozen:
            connection.execute(self._add, (no, *(row[f] for f in self.fields)))
            return
        if no % MOST_BEHIND == 0:
            catch_up(connection, (self._topic,))

    def remove(self, connection: Connection, no: int, row: dict[str, Any]) -> None:
        """Take a row out."""
        if self.fields:
            if self._frozen:
                catch_up(connection, (self._topic,))
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


def search(connection: Connection, kinds: Sequence[type[Record]], words: str, *, limit: int, newest: bool) -> tuple[Hit, ...]:
    """Return where the words occur in records that are not gone."""
    query = expression(words)
    names = [str(table_of(kind).name) for kind in kinds if find_fields(kind)]
    if not query:
        return ()
    with _everything_indexed(connection, names):
        return _search(connection, names, query, limit, newest)


def _search(connection: Connection, names: Sequence[str], query: str, limit: int, newest: bool) -> tuple[Hit, ...]:
    hits: list[Hit] = []
    for topic in names:
        index = find_table(topic)
        order = "rowid DESC" if newest else "rank"
        snippet = f"snippet({index}, -1, '{BEFORE}', '{AFTER}', '…', 12)"
        inner = f"SELECT rowid AS no, {snippet} AS words FROM {index} WHERE {index} MATCH ? ORDER BY {order} LIMIT ?"
        sql = f"SELECT t.id, f.words FROM ({inner}) f JOIN {topic} t ON t.no = f.no WHERE t.gone = 0"
        rows = connection.execute(sql, (query, limit)).fetchall()
        hits += [Hit(topic, record_id, found) for record_id, found in rows]
    return tuple(hits[:limit])


def catch_up(connection: Connection, names: Sequence[str]) -> None:
    """Index the rows of these topics that came after the last one that the index has: rows are numbered as they come in."""
    for topic in names:
        if is_behind(connection, (topic,)):
            index, fields = find_table(topic), ", ".join(find_fields(topics()[topic]))
            connection.execute(
                f"INSERT INTO {index} (rowid, {fields}) SELECT no, {fields} FROM {topic} "
                f"WHERE no > (SELECT coalesce(max(id), 0) FROM {index}_docsize) ORDER BY no"
            )


def is_behind(connection: Connection, names: Sequence[str]) -> bool:
    """Return whether one of these topics has rows whose words are not in its index yet."""
    for topic in names:
        last = scalar(connection, f"SELECT max(no) FROM {topic}") or 0
        if last > (scalar(connection, f"SELECT max(id) FROM {find_table(topic)}_docsize") or 0):
            return True
    return False


@contextlib.contextmanager
def _everything_indexed(connection: Connection, names: Sequence[str]) -> Iterator[None]:
    """Let a search see what was written since the last idle moment. On a full disk it does as well; only the index is not kept."""
    if connection.in_transaction:
        catch_up(connection, names)
        yield
    elif not is_behind(connection, names):
        yield
    else:
        connection.execute("BEGIN IMMEDIATE")
        try:
            catch_up(connection, names)
            yield
            with contextlib.suppress(DatabaseError):  # the next idle moment, or the next search, tries again
                connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def tidy(connection: Connection, names: Sequence[str]) -> bool:
    """Do in an idle moment what would otherwise make one save in fifty slow: index what is new, merge the indexes' segments.

    Return whether anything was indexed or merged, so that there may be more: after an import it takes several moments.
    """
    catch_up(connection, names)
    before = connection.total_changes
    for topic in names:
        index = find_table(topic)
        connection.execute(f"INSERT INTO {index}({index}, rank) VALUES ('merge', 200)")
    return connection.total_changes - before > len(names)  # one change each is the asking itself


def rebuild(connection: Connection, names: Sequence[str]) -> None:
    """Make the indexes again from the tables."""
    for topic in names:
        index = find_table(topic)
        connection.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")
