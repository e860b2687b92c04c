"""Up to which number somebody who left may read, which books owe a new key, and who made an invite.

Exactly as version 2 of the store made them before there was Alembic.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables and the column."""
    postgres = op.get_bind().dialect.name == "postgresql"
    number, some, nothing = ("bigint", "bytea", "''::bytea") if postgres else ("INTEGER", "BLOB", "X''")
    op.execute(
        f"CREATE TABLE former_members (device {some} NOT NULL, book {some} NOT NULL, n {number} NOT NULL, PRIMARY KEY (device, book))"
    )
    op.execute(f"CREATE TABLE keys_owed (book {some} PRIMARY KEY)")
    op.execute(f"ALTER TABLE invites ADD COLUMN made_by {some} NOT NULL DEFAULT {nothing}")
