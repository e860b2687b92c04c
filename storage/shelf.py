"""The shelf over a real vault: what a domain verb asks for becomes changes, rows and frozen views."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import Select
from sqlalchemy.dialects.sqlite import dialect

from leadworker.change import DROP, PUT, read_content
from leadworker.clock import Clock, Moment
from leadworker.crypto.words import check_words
from leadworker.errors import NotFound
from leadworker.postbox import Joined
from leadworker.record import BASE_COLUMNS, Record, Rule, kept_fields, new_id, table_of
from leadworker.shelf import Hit, Kind, Said, Standing, UpTo, View, Waiting
from storage import finding, histories, log
from storage.engine import Connection, scalar
from storage.log import Writing
from storage.projection import GONE, Projector, Sees, live_changes, quoted, standing

WORDS: Final = 6

_SQLITE = dialect(paramstyle="named")
_prepared: dict[int, tuple[Select[Any], str, dict[str, Any]]] = {}


class VaultShelf:
    """Implements `leadworker.shelf.Shelf` inside one transaction of the storage thread."""

    def __init__(
        self, connection: Connection, projector: Projector, clock: Clock, me: str, device: str, clock_doubt: str,
        begin_writing: Callable[[], Writing],
    ) -> None:  # fmt: skip
        self._connection = connection
        self._projector = projector
        self._clock = clock
        self._begin_writing = begin_writing
        self.me = me
        self.device = device
        self.clock_doubt = clock_doubt
        self.touched_topics: set[str] = set()
        self.touched_ids: set[str] = set()
        self._shown: dict[str, bytes] = {}

    def now(self) -> Moment:
        return Moment.of(self._clock.now())

    def start_casebook(self, person_id: str) -> str:
        book = secrets.token_bytes(16)
        self._begin_writing().start_book(book, person_id)
        return book.hex()

    def casebook_of(self, person_id: str) -> str:
        book = scalar(self._connection, "SELECT id FROM book WHERE subject = ?", person_id)
        if book is None:
            raise NotFound("That person is not in this vault.")
        return bytes(book).hex()

    def add(self, kind: type[Record], about: str, /, *, record_id: str = "", **values: str | int | bool) -> str:
        book = self.casebook_of(about)
        defaults = self._projector.defaults(kind)
        if not defaults.keys() >= values.keys():
            raise TypeError(f"{kind.__name__} has no such field")
        record_id = record_id or new_id()
        said = {name: value for name, value in values.items() if value != defaults[name]}
        self._write(kind, book, record_id, PUT, said)
        return record_id

    def require(self, kind: type[Record], record_id: str) -> None:
        if scalar(self._connection, f"SELECT 1 FROM {table_of(kind).name} WHERE id = ?", record_id) is None:
            raise _not_found(kind)

    def amend(self, kind: type[Kind], record_id: str, /, **values: str | int | bool) -> None:
        fields = kept_fields(kind)
        if kind.frozen or not fields.keys() >= values.keys():
            raise TypeError(f"{kind.__name__} has no such field to amend")
        fixed = [name for name in values if fields[name].rule is Rule.APPEND]
        if fixed:
            raise TypeError(f"{kind.__name__}.{fixed[0]} is written once")
        old = self._row(kind, record_id)
        contested = old["contested"].split(",")  # choosing what is shown already settles it, too
        moved = {name for name, value in values.items() if old[name] != value or name in contested}
        moved |= {beside for name in moved for beside in fields[name].along if beside in values}
        new = {name: value for name, value in values.items() if name in moved}
        if new:
            self._write(kind, old["book"], record_id, PUT, new, old["marks"])

    def drop(self, kind: type[Kind], record_id: str) -> None:
        old = self._row(kind, record_id)
        if kind.frozen:
            raise TypeError(f"{kind.__name__} is never taken away")
        if not old["gone"]:
            self._write(kind, old["book"], record_id, DROP, {}, old["marks"])

    def restore(self, kind: type[Kind], record_id: str) -> None:
        old = self._row(kind, record_id)
        if old["gone"]:
            self._write(kind, old["book"], record_id, PUT, {}, old["marks"])

    def get(self, kind: type[Kind], record_id: str) -> Kind:
        return kind(**self._row(kind, record_id))

    def rows(self, query: Select[Any], into: type[View], **values: Any) -> tuple[View, ...]:
        sql, given = _prepare(query)
        yes_no = _truths(into)
        found = self._connection.execute(sql, given | values)
        if not yes_no:
            return tuple([into(*row) for row in found])
        return tuple([into(*_with_truth(row, yes_no)) for row in found])

    def number(self, query: Select[Any], **values: Any) -> int:
        sql, given = _prepare(query)
        row = self._connection.execute(sql, given | values).fetchone()
        return 0 if row is None or row[0] is None else int(row[0])

    def search(self, kinds: Sequence[type[Record]], words: str, *, limit: int = 50, newest: bool = False) -> tuple[Hit, ...]:
        return finding.search(self._connection, kinds, words, limit=limit, newest=newest)

    def unsent(self, kind: type[Record], limit: int) -> tuple[str, ...]:
        return log.unsent_records(self._connection, str(table_of(kind).name), limit)

    def standing(self, person_id: str) -> Standing:
        sql = """SELECT b.founded, b.trouble, EXISTS (SELECT 1 FROM involvement i WHERE i.person_id = b.subject),
                 EXISTS (SELECT 1 FROM book_key k WHERE k.book_no = b.no), b.writable FROM book b WHERE b.subject = ?"""
        row = self._connection.execute(sql, (person_id,)).fetchone()
        if row is None:
            raise NotFound("That person is not in this vault.")
        founded, trouble, shared, has_key, writable = row
        raw = scalar(self._connection, "SELECT value FROM fact WHERE key = 'joined'")
        joined = None if raw is None else msgspec.msgpack.decode(raw, type=Joined)
        admitted = joined is not None and joined.admitted
        return Standing(joined is not None, admitted, bool(shared), bool(founded), bool(has_key), trouble, bool(writable))

    def upto(self, person_id: str, n: int = 0) -> UpTo:
        row = self._connection.execute("SELECT no, id, n, digest FROM book WHERE subject = ?", (person_id,)).fetchone()
        if row is None:
            raise NotFound("That person is not in this vault.")
        no, book, newest, digest = row
        if n and n != newest:
            digest = scalar(self._connection, "SELECT digest FROM change WHERE book_no = ? AND n = ? AND n < ?", no, n, newest)
        at = n or newest
        return UpTo(at, check_words(bytes(book) + at.to_bytes(8, "big") + bytes(digest), WORDS) if at and digest else ())

    def waiting(self, limit: int) -> tuple[Waiting, ...]:
        return log.waiting(self._connection, limit)

    def keep(self, drawer: str, key: str, value: bytes) -> None:
        self._begin_writing()
        self._connection.execute(
            "INSERT INTO drawer VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (drawer, key, value)
        )
        self._touch(drawer, (key,))

    def kept(self, drawer: str) -> dict[str, bytes]:
        return dict(self._connection.execute("SELECT key, value FROM drawer WHERE drawer = ? ORDER BY key", (drawer,)))

    def throw_away(self, drawer: str, key: str) -> None:
        self._begin_writing()
        self._connection.execute("DELETE FROM drawer WHERE drawer = ? AND key = ?", (drawer, key))
        self._touch(drawer, (key,))

    @contextlib.contextmanager
    def as_shown(self, record_id: str, marks: bytes) -> Iterator[None]:
        before = self._shown
        self._shown = {**before, record_id: marks} if marks else before
        try:
            yield
        finally:
            self._shown = before

    def changed_since(self, kind: type[Record], record_id: str, marks: bytes) -> tuple[str, ...]:
        names = tuple(kept_fields(kind))
        before, now = standing(marks, names), standing(self._row(kind, record_id)["marks"], names)
        moved = (name for name in names if now[name] != before[name])
        return tuple(name for name in moved if self._said(kind, name, now[name]) != self._said(kind, name, before[name]))

    def _said(self, kind: type[Record], name: str, changes: frozenset[int]) -> set[Any]:
        """Return the values that these changes wrote into a field; what it began with where none did."""
        bodies = (scalar(self._connection, "SELECT body FROM change WHERE no = ?", no) for no in changes)
        said = {read_content(body).values.get(name) for body in bodies}
        return said or {self._projector.defaults(kind)[name]}

    def history(self, kind: type[Record], record_id: str) -> tuple[Said, ...]:
        return histories.history(self._connection, kind, record_id, self._row(kind, record_id)["book"])

    def _write(self, kind: type[Record], book: str, record_id: str, verb: str, values: dict[str, Any], marks: bytes = b"") -> None:
        topic, book_id = str(table_of(kind).name), bytes.fromhex(book)
        shown = self._shown.get(record_id)
        replaced = live_changes(marks if shown is None else shown, (GONE, *values))
        writing = self._begin_writing()
        no, content = writing.write(book_id, topic, record_id, verb, values, self.now(), replaced, exactly=shown is not None)
        sees: Sees | None = None
        if shown is not None:
            sees = lambda earlier: earlier in replaced or writing.is_in_lane(book_id, earlier)  # noqa: E731
        self._touch(topic, self._projector.apply(content, book, self.device, no, sees))

    def _touch(self, topic: str, ids: Sequence[str]) -> None:
        self.touched_topics.add(topic)
        self.touched_ids.update(ids)

    def _row(self, kind: type[Record], record_id: str) -> dict[str, Any]:
        names = [*BASE_COLUMNS, *kept_fields(kind)]
        sql = f"SELECT {quoted(names)} FROM {table_of(kind).name} WHERE id = ?"
        row = self._connection.execute(sql, (record_id,)).fetchone()
        if row is None:
            raise _not_found(kind)
        return dict(zip(names, row, strict=True))


def _not_found(kind: type[Record]) -> NotFound:
    return NotFound(f"That {table_of(kind).name.replace('_', ' ')} is not in this vault.")


def _prepare(query: Select[Any]) -> tuple[str, dict[str, Any]]:
    """Compile a select once and keep it: asking through SQLAlchemy each time would double the cost of a short list."""
    known = _prepared.get(id(query))
    if known is None or known[0] is not query:
        compiled = query.compile(dialect=_SQLITE)
        known = _prepared[id(query)] = (query, str(compiled), dict(compiled.params))
    return known[1], known[2]


@lru_cache(maxsize=256)
def _truths(view: type[msgspec.Struct]) -> tuple[int, ...]:
    """Return which fields of a view are yes/no: SQLite gives them as 1 and 0."""
    return tuple(at for at, field in enumerate(msgspec.structs.fields(view)) if field.type is bool)


def _with_truth(row: tuple[Any, ...], yes_no: tuple[int, ...]) -> list[Any]:
    values = list(row)
    for at in yes_no:
        values[at] = bool(values[at])
    return values
