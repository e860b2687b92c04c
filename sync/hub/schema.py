"""The central store's tables, numbered: each version is a list of statements that leads from the one before.

Nothing here holds a word of anybody's record: ids, role codes, public keys, seals and numbers.
"""

from __future__ import annotations

from typing import Final

from sync.hub.store import HubTrouble

_TABLES: Final = """
CREATE TABLE hub_settings (
    name {text} PRIMARY KEY,
    value {bytes} NOT NULL
);
CREATE TABLE books (
    book {bytes} PRIMARY KEY,
    n {number} NOT NULL,
    digest {bytes} NOT NULL,
    epoch {number} NOT NULL,
    control_seq {number} NOT NULL,
    control_head {bytes} NOT NULL
);
CREATE TABLE changes (
    book {bytes} NOT NULL,
    n {number} NOT NULL,
    device {bytes} NOT NULL,
    lane {number} NOT NULL,
    seq {number} NOT NULL,
    header {bytes} NOT NULL,
    body {bytes} NOT NULL,
    signature {bytes} NOT NULL,
    received_ms {number} NOT NULL,
    digest {bytes} NOT NULL,
    PRIMARY KEY (book, n)
);
CREATE UNIQUE INDEX changes_by_lane ON changes (book, device, lane, seq);
CREATE TABLE lanes (
    book {bytes} NOT NULL,
    device {bytes} NOT NULL,
    lane {number} NOT NULL,
    seq {number} NOT NULL,
    head {bytes} NOT NULL,
    PRIMARY KEY (book, device, lane)
);
CREATE TABLE members (
    device {bytes} NOT NULL,
    book {bytes} NOT NULL,
    role {number} NOT NULL,
    PRIMARY KEY (device, book)
);
CREATE TABLE devices (
    device {bytes} PRIMARY KEY,
    signing {bytes} NOT NULL,
    admin {number} NOT NULL,
    active {number} NOT NULL
);
CREATE TABLE invites (
    invite {bytes} PRIMARY KEY,
    expires_ms {number} NOT NULL,
    signing {bytes} NOT NULL,
    unsealing {bytes} NOT NULL,
    proof {bytes} NOT NULL,
    device {bytes} NOT NULL
);
CREATE TABLE alarms (
    code {text} NOT NULL,
    book {bytes} NOT NULL,
    device {bytes} NOT NULL,
    times {number} NOT NULL,
    last_ms {number} NOT NULL,
    PRIMARY KEY (code, book, device)
);
"""

# Who reads a book: asked at each commit, to tell them of it.
_READERS: Final = "CREATE INDEX members_by_book ON members (book)"

# What a store that was restored from a backup remembers of its recovery: where each book stood and has to come to, what
# each laptop says that it holds, and who gave what back.
_RECOVERY: Final = """
CREATE TABLE recovery_books (
    book {bytes} PRIMARY KEY,
    began_n {number} NOT NULL,
    goal_n {number} NOT NULL
);
CREATE TABLE recovery_reports (
    device {bytes} NOT NULL,
    book {bytes} NOT NULL,
    n {number} NOT NULL,
    state {text} NOT NULL,
    at_ms {number} NOT NULL,
    PRIMARY KEY (device, book)
);
CREATE TABLE recovery_returns (
    book {bytes} NOT NULL,
    first_n {number} NOT NULL,
    last_n {number} NOT NULL,
    device {bytes} NOT NULL,
    at_ms {number} NOT NULL,
    PRIMARY KEY (book, first_n)
);
"""

VERSION_NAME: Final = "schema_version"


def _statements(tables: str, **types: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in tables.format(**types).split(";") if part.strip())


SQLITE: Final[tuple[tuple[str, ...], ...]] = (
    _statements(_TABLES, bytes="BLOB", number="INTEGER", text="TEXT"),
    (_READERS, *_statements(_RECOVERY, bytes="BLOB", number="INTEGER", text="TEXT")),
)
"""Statements by version for SQLite; the first makes an empty file into version 1."""

POSTGRES: Final[tuple[tuple[str, ...], ...]] = (
    (
        *_statements(_TABLES, bytes="bytea", number="bigint", text="text"),
        # Seals do not compress; trying costs time on every write.
        "ALTER TABLE changes ALTER COLUMN body SET STORAGE EXTERNAL",
    ),
    (_READERS, *_statements(_RECOVERY, bytes="bytea", number="bigint", text="text")),
)
"""The same for PostgreSQL."""


def read_version(kept: bytes) -> int:
    """Return the version that a database says it has; raise `HubTrouble` when it says nothing sensible."""
    if not kept.isdigit():
        raise HubTrouble(
            "This database looks like a central store's but does not say its version. It was left as it was. "
            "Restore it from a backup."
        )
    return int(kept)


def refuse_newer(have: int, known: int) -> None:
    """Raise `HubTrouble` when a newer leadworker made the database: an older one could harm what it does not know."""
    if have > known:
        raise HubTrouble(
            f"A newer leadworker made this central store's database (version {have}; this one knows {known}). "
            "It was left as it was. Update leadworker on this machine and start again."
        )
