"""The first tables, exactly as version 1 of the store made them before there was Alembic.

Nothing here holds a word of anybody's record: ids, role codes, public keys, seals and numbers.
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0001"
down_revision = None

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


def upgrade() -> None:
    """Make the tables in an empty database."""
    postgres = op.get_bind().dialect.name == "postgresql"
    types = {"bytes": "bytea", "number": "bigint", "text": "text"} if postgres else {"bytes": "BLOB", "number": "INTEGER", "text": "TEXT"}
    for statement in _TABLES.format(**types).split(";"):
        if statement.strip():
            op.execute(statement)
    if postgres:
        # Seals do not compress; trying costs time on every write.
        op.execute("ALTER TABLE changes ALTER COLUMN body SET STORAGE EXTERNAL")
