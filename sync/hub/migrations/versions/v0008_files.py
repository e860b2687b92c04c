"""The sealed bytes of attached files, in parts, so that a backup of the database holds everything.

A file belongs to a book and is named by the SHA-256 of its bytes; each device brings its own until one is whole.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the tables."""
    postgres = op.get_bind().dialect.name == "postgresql"
    number, some = ("bigint", "bytea") if postgres else ("INTEGER", "BLOB")
    op.execute(
        f"CREATE TABLE files (book {some} NOT NULL, digest {some} NOT NULL, device {some} NOT NULL, upload {some} NOT NULL, "
        f"size {number} NOT NULL, parts {number} NOT NULL, received_ms {number} NOT NULL, PRIMARY KEY (book, digest, device))"
    )
    op.execute("CREATE INDEX files_by_device ON files (device)")
    op.execute(
        f"CREATE TABLE file_parts (upload {some} NOT NULL, part {number} NOT NULL, bytes {some} NOT NULL, PRIMARY KEY (upload, part))"
    )
    if postgres:
        # Seals do not compress; trying costs time on every write.
        op.execute("ALTER TABLE file_parts ALTER COLUMN bytes SET STORAGE EXTERNAL")
