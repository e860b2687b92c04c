"""What was handed in late, sealed, until those whom it is for have it.

Some stores of version 2 had these tables already; they are the same.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables where they are not there."""
    postgres = op.get_bind().dialect.name == "postgresql"
    number, some = ("bigint", "bytea") if postgres else ("INTEGER", "BLOB")
    op.execute(
        f"CREATE TABLE IF NOT EXISTS late_submissions (late {some} PRIMARY KEY, book {some} NOT NULL, sender {some} NOT NULL, "
        f"sealed {some} NOT NULL, received_ms {number} NOT NULL)"
    )
    op.execute("CREATE INDEX IF NOT EXISTS late_by_sender ON late_submissions (sender)")
    op.execute(
        f"CREATE TABLE IF NOT EXISTS late_seals (recipient {some} NOT NULL, late {some} NOT NULL, seal {some} NOT NULL, "
        "PRIMARY KEY (recipient, late))"
    )
    op.execute("CREATE INDEX IF NOT EXISTS late_seals_by_late ON late_seals (late)")
