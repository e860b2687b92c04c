"""When each book was last written in, so that a fresh laptop can fetch the liveliest casebooks first (D.4)."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column and look up what is there."""
    number = "bigint" if op.get_bind().dialect.name == "postgresql" else "INTEGER"
    op.execute(f"ALTER TABLE books ADD COLUMN grew_ms {number} NOT NULL DEFAULT 0")
    op.execute(
        "UPDATE books SET grew_ms = coalesce((SELECT max(c.received_ms) FROM changes c WHERE c.book = books.book AND c.lane > 0), 0)"
    )
