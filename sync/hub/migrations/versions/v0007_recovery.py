"""What a store that was restored from a backup remembers of its recovery.

Where each book stood and has to come to, what each laptop says that it holds, and who gave what back. And an index by which
the readers of a book are found: they are asked for at each commit, to be told of it.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables and the index."""
    postgres = op.get_bind().dialect.name == "postgresql"
    number, some, text = ("bigint", "bytea", "text") if postgres else ("INTEGER", "BLOB", "TEXT")
    op.execute("CREATE INDEX IF NOT EXISTS members_by_book ON members (book)")
    op.execute(f"CREATE TABLE recovery_books (book {some} PRIMARY KEY, began_n {number} NOT NULL, goal_n {number} NOT NULL)")
    op.execute(
        f"CREATE TABLE recovery_reports (device {some} NOT NULL, book {some} NOT NULL, n {number} NOT NULL, state {text} NOT NULL, "
        f"at_ms {number} NOT NULL, PRIMARY KEY (device, book))"
    )
    op.execute(
        f"CREATE TABLE recovery_returns (book {some} NOT NULL, first_n {number} NOT NULL, last_n {number} NOT NULL, "
        f"device {some} NOT NULL, at_ms {number} NOT NULL, PRIMARY KEY (book, first_n))"
    )
