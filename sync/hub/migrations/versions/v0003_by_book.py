"""PostgreSQL keeps the changes in 16 parts by their book (docs/decisions/0015). SQLite stays as it is.

A program from before Alembic looks for its own version number; it is told one that it does not know, and refuses in words.
"""

from __future__ import annotations

from typing import Final

from alembic import op

from sync.hub.store import HubTrouble

revision = "0003"
down_revision = "0002"

PARTS: Final = 16


def upgrade() -> None:
    """Make the parts and move what is there into them; as much room again is needed on the disk meanwhile."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE changes RENAME TO changes_in_one")
        op.execute("ALTER INDEX changes_pkey RENAME TO changes_in_one_pkey")
        op.execute("ALTER INDEX changes_by_lane RENAME TO changes_in_one_by_lane")
        op.execute(
            "CREATE TABLE changes (book bytea NOT NULL, n bigint NOT NULL, device bytea NOT NULL, lane bigint NOT NULL, "
            "seq bigint NOT NULL, header bytea NOT NULL, body bytea NOT NULL, signature bytea NOT NULL, "
            "received_ms bigint NOT NULL, digest bytea NOT NULL, PRIMARY KEY (book, n)) PARTITION BY HASH (book)"
        )
        op.execute("ALTER TABLE changes ALTER COLUMN body SET STORAGE EXTERNAL")  # the parts take it over
        op.execute("CREATE UNIQUE INDEX changes_by_lane ON changes (book, device, lane, seq)")
        for part in range(PARTS):
            op.execute(f"CREATE TABLE changes_{part:02} PARTITION OF changes FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})")
        op.execute("INSERT INTO changes SELECT * FROM changes_in_one")
        moved = op.get_bind().exec_driver_sql("SELECT (SELECT count(*) FROM changes) = (SELECT count(*) FROM changes_in_one)")
        if not moved.scalar_one():
            raise HubTrouble("Not every change could be moved into its part. The database was left as it was. Look at PostgreSQL's log.")
        op.execute("DROP TABLE changes_in_one")
    mark = "'\\x33'::bytea" if op.get_bind().dialect.name == "postgresql" else "x'33'"
    op.execute(
        f"INSERT INTO hub_settings (name, value) VALUES ('schema_version', {mark}) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
