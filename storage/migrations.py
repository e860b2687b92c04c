"""Numbered steps that bring an older vault to this version's tables. The log itself is never rewritten.

Projections need no steps: when the declarations have changed they are made again from the log.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

from leadworker.errors import VaultDamaged, VaultTooNew
from storage import readers, schema
from storage.engine import Connection, DatabaseError, scalar

Step = Callable[[Connection], None]


def _know_readers(connection: Connection) -> None:
    schema.create_readers(connection)
    readers.retell_everything(connection)


STEPS: Final[tuple[Step, ...]] = (schema.create_log, _know_readers, schema.keep_what_the_store_signed)
"""Step *n* brings version *n* to *n + 1*. Only ever add at the end; each runs in one transaction."""

VERSION: Final = len(STEPS)


def version(connection: Connection) -> int:
    """Return the version of a vault's tables, 0 for a file that has none yet."""
    return int(scalar(connection, "PRAGMA user_version"))


def refuse_unknown(connection: Connection) -> None:
    """Raise `VaultTooNew` for the tables of a later version, `VaultDamaged` for a file that has none."""
    found = version(connection)
    if found > VERSION:
        raise VaultTooNew(
            "This vault was last used by a newer leadworker. Nothing was opened or changed. Install that version or a later one."
        )
    if found < 1:
        raise VaultDamaged(
            "The database has no tables: nothing of what was saved is in it, or the file that holds the last changes, "
            "journal.db-wal, is damaged or was left behind. Nothing was changed. Put the right files together again, or "
            "restore a backup."
        )


def migrate(connection: Connection) -> int:
    """Bring the tables to this version, each step whole or not at all; return how many steps were taken."""
    found = version(connection)
    for number in range(found, VERSION):
        connection.execute("BEGIN IMMEDIATE")
        try:
            STEPS[number](connection)
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:  # raised again: only undone here, also when told to stop
            with contextlib.suppress(DatabaseError):  # a failed commit may have rolled back by itself
                connection.execute("ROLLBACK")
            raise
    return VERSION - found
