"""How many bytes each book and each lane holds, and the requests of the last minutes, which several processes share.

The requests are not logged for recovery: after a crash they are forgotten, which a laptop does not notice
(docs/decisions/0016). One SQLite file has one process, which remembers them by itself.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

_BYTES = "length(header) + length(body) + length(signature)"


def upgrade() -> None:
    """Add the columns and count what is there."""
    postgres = op.get_bind().dialect.name == "postgresql"
    number = "bigint" if postgres else "INTEGER"
    for table in ("books", "lanes"):
        op.execute(f"ALTER TABLE {table} ADD COLUMN size {number} NOT NULL DEFAULT 0")
    op.execute(
        f"UPDATE books SET size = counted.size FROM (SELECT book, sum({_BYTES}) AS size FROM changes GROUP BY book) AS counted "
        "WHERE counted.book = books.book"
    )
    op.execute(
        f"UPDATE lanes SET size = counted.size FROM (SELECT book, device, lane, sum({_BYTES}) AS size FROM changes "
        "GROUP BY book, device, lane) AS counted "
        "WHERE counted.book = lanes.book AND counted.device = lanes.device AND counted.lane = lanes.lane"
    )
    op.execute("CREATE INDEX lanes_by_device ON lanes (device)")
    if postgres:
        op.execute(
            "CREATE UNLOGGED TABLE nonces (device bytea NOT NULL, nonce bytea NOT NULL, time_ms bigint NOT NULL, "
            "PRIMARY KEY (device, nonce))"
        )
