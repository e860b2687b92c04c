"""The central store's schema, step by step, for Alembic. `sync.hub.schema` decides when a step is taken."""
