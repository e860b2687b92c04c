"""The tables of a vault: the log of changes and what goes with it by hand, the projections from the declarations.

The log is never rewritten. Projections can be thrown away and made again from it at any time (``check --rebuild``).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from leadworker.record import Record, asked_fields, kept_fields, table_of, topics
from storage.engine import Connection

LOG_TABLES: Final = """
CREATE TABLE fact (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), commits INTEGER NOT NULL);
CREATE TABLE book (
    no INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, subject TEXT NOT NULL DEFAULT '', n INTEGER NOT NULL DEFAULT 0,
    digest BLOB NOT NULL, founded INTEGER NOT NULL DEFAULT 0, trouble TEXT NOT NULL DEFAULT ''
);
CREATE INDEX book_subject ON book (subject);
CREATE TABLE lane (
    no INTEGER PRIMARY KEY, book_no INTEGER NOT NULL REFERENCES book, device BLOB NOT NULL, lane INTEGER NOT NULL,
    acked INTEGER NOT NULL DEFAULT 0, mine INTEGER NOT NULL, UNIQUE (book_no, device, lane)
);
CREATE TABLE change (
    no INTEGER PRIMARY KEY, book_no INTEGER NOT NULL, lane_no INTEGER NOT NULL, seq INTEGER NOT NULL,
    header BLOB NOT NULL, body BLOB, signature BLOB NOT NULL, chain BLOB NOT NULL, n INTEGER, digest BLOB,
    sent_ms INTEGER NOT NULL DEFAULT 0, received_ms INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX change_lane ON change (lane_no, seq);
CREATE UNIQUE INDEX change_n ON change (book_no, n) WHERE n IS NOT NULL;
CREATE TABLE book_key (book_no INTEGER NOT NULL, epoch INTEGER NOT NULL, secret BLOB NOT NULL, PRIMARY KEY (book_no, epoch));
CREATE TABLE put_aside (
    no INTEGER PRIMARY KEY, book_no INTEGER NOT NULL, n INTEGER NOT NULL, change_no INTEGER NOT NULL, sealed BLOB NOT NULL,
    device TEXT NOT NULL, why TEXT NOT NULL, at_ms INTEGER NOT NULL
);
CREATE TABLE writer (device TEXT PRIMARY KEY, name TEXT NOT NULL, mine INTEGER NOT NULL, person TEXT NOT NULL DEFAULT '');
CREATE TABLE drawer (drawer TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (drawer, key));
"""

READER_TABLES: Final = """
ALTER TABLE book ADD COLUMN lead TEXT NOT NULL DEFAULT '';
ALTER TABLE book ADD COLUMN writable INTEGER NOT NULL DEFAULT 1;
CREATE TABLE colleague (
    device TEXT PRIMARY KEY, person TEXT NOT NULL, name TEXT NOT NULL, role INTEGER NOT NULL, admin INTEGER NOT NULL,
    my_team INTEGER NOT NULL, me INTEGER NOT NULL, active INTEGER NOT NULL, check_words TEXT NOT NULL
);
CREATE INDEX colleague_person ON colleague (person);
CREATE TABLE reader (
    book TEXT NOT NULL, device TEXT NOT NULL, person TEXT NOT NULL, role INTEGER NOT NULL, since_ms INTEGER NOT NULL,
    PRIMARY KEY (book, device)
) WITHOUT ROWID;
CREATE TABLE access (
    book TEXT NOT NULL, seq INTEGER NOT NULL, line INTEGER NOT NULL, at_ms INTEGER NOT NULL, by_person TEXT NOT NULL,
    what TEXT NOT NULL, person TEXT NOT NULL, role INTEGER NOT NULL, PRIMARY KEY (book, seq, line)
) WITHOUT ROWID;
"""
"""Who reads which casebook, drawn from the statements in the log (`storage.readers`)."""

FTS_PAGE: Final = 3900
"""FTS5's own leaf size does not fit SQLCipher's usable page and would spill every leaf (docs/decisions/0005)."""

FTS_HASH: Final = 8 * 1024 * 1024
"""Bytes of new words that FTS5 gathers before it writes them out: many notes that come at once make one piece of an index,
where 1 MiB, its own measure, made many that had to be joined again (docs/decisions/0024).
"""


def find_table(topic: str) -> str:
    """Return the name of a topic's full-text index."""
    return f"{topic}_find"


def find_fields(kind: type[Record]) -> tuple[str, ...]:
    """Return the fields of a record type that are searched."""
    return tuple(name for name, kept in kept_fields(kind).items() if kept.find)


@lru_cache(maxsize=1)
def projection_ddl() -> tuple[str, ...]:
    """Return the statements that make every projection table, its indexes and its full-text index."""
    sqlite = dialect()
    statements: list[str] = []
    for topic, kind in sorted(topics().items()):
        table = table_of(kind)
        statements.append(str(CreateTable(table).compile(dialect=sqlite)).strip())
        statements += [str(CreateIndex(i).compile(dialect=sqlite)) for i in sorted(table.indexes, key=lambda i: str(i.name))]
        if asked_fields(kind):  # the few that people wrote apart are found without reading the others
            statements.append(f"CREATE INDEX {topic}_contested ON {topic} (no) WHERE contested != ''")
        if fields := find_fields(kind):
            index = find_table(topic)
            statements.append(
                f"CREATE VIRTUAL TABLE {index} USING fts5({', '.join(fields)}, content='{topic}', content_rowid='no', "
                "tokenize='porter unicode61 remove_diacritics 2')"
            )
            statements.append(f"INSERT INTO {index}({index}, rank) VALUES ('pgsz', {FTS_PAGE})")
            statements.append(f"INSERT INTO {index}({index}, rank) VALUES ('hashsize', {FTS_HASH})")
            statements.append(f"INSERT INTO {index}({index}, rank) VALUES ('automerge', 0)")
    return tuple(statements)


def declared() -> str:
    """Return a fingerprint of all declarations: when it changes, projections are made again from the log."""
    rules = (f"{topic} {kept_fields(kind)}" for topic, kind in sorted(topics().items()))
    return hashlib.sha256("\n".join((*projection_ddl(), *rules)).encode()).hexdigest()


def create_log(connection: Connection) -> None:
    """Make the tables of the log, inside the caller's transaction."""
    _run(connection, LOG_TABLES)


def create_readers(connection: Connection) -> None:
    """Make the tables of who reads which casebook, inside the caller's transaction."""
    _run(connection, READER_TABLES)


def _run(connection: Connection, statements: str) -> None:
    for statement in statements.split(";"):
        if statement.strip():
            connection.execute(statement)


def keep_what_the_store_signed(connection: Connection) -> None:
    """Keep the receipt with each change for which one was given, so that a store that was restored from a backup can be given
    back what it had, with its own proof (C.8).
    """
    connection.execute("ALTER TABLE change ADD COLUMN receipt BLOB")


def create_projections(connection: Connection) -> None:
    """Make the projection tables, inside the caller's transaction, and note which declarations they follow."""
    for statement in projection_ddl():
        connection.execute(statement)
    connection.execute("INSERT OR REPLACE INTO fact VALUES ('declared', ?)", (declared(),))


def drop_projections(connection: Connection) -> None:
    """Throw every projection away, also those of topics that are no longer declared."""
    log = {"fact", "state", "book", "lane", "change", "book_key", "put_aside", "writer", "drawer", "colleague", "reader", "access"}
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    tables = rows.fetchall()
    virtual = [name for name, sql in tables if sql.startswith("CREATE VIRTUAL")]
    shadows = {f"{name}_{part}" for name in virtual for part in ("data", "idx", "docsize", "config", "content")}
    for name in virtual + [name for name, _ in tables if name not in log | shadows and name not in virtual]:
        connection.execute(f'DROP TABLE "{name}"')
