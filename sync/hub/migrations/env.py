"""What Alembic runs around the steps: they share the connection and the transaction of `sync.hub.schema`, all or none."""

from __future__ import annotations

from alembic import context

from sync.hub.schema import VERSION_TABLE

# SQLite can undo a change of tables as well; Alembic only does not trust it to by itself.
context.configure(connection=context.config.attributes["connection"], transactional_ddl=True, version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
