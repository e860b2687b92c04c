"""Whether a database reaches what its anchor remembers, and what is wrong with it in words: asked before anything is shown (C.2)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec

from leadworker.errors import VaultDamaged, VaultError
from storage import log
from storage.anchor import AnchorRead
from storage.engine import Connection, DatabaseError, explain

CUT_OFF: Final = (
    "leadworker was stopped in the middle of a save, so the very last thing may not be here. A note that you were writing is "
    "still among your drafts."
)


def compare_with_anchor(connection: Connection, found: AnchorRead) -> bool:
    """Raise `VaultDamaged` when the database does not reach what the anchor remembers, or is another one.

    Returns whether it stands just before a commit that was announced and of which nobody was told that it was made.
    """
    if found.before is not None and log.mark_of(connection) == found.before:
        return True
    mark = found.mark
    if mark is None:
        raise VaultDamaged(
            "The vault's safety mark, vault.anchor, is missing or damaged, so it cannot be told whether records are missing. "
            "Nothing was opened. “leadworker check --mend” looks through everything and makes a new mark."
        )
    if log.behind(connection, mark):
        missing = max(mark.changes - log.chain_head(connection)[0], 0)
        said = f"At least {missing} saved changes are" if missing else "The last thing that was saved is"
        raise VaultDamaged(
            f"{said} missing: the database is older or shorter than it was when this vault was last closed. "
            "Nothing was opened. If an older copy was put back, restore the newest backup; otherwise “leadworker check --mend” "
            "keeps what is here and asks the central store for the rest."
        )
    if not log.leads_through(connection, mark):
        raise VaultDamaged(
            "The database is not the one that was last used with this vault: its history is another one. Nothing was opened. "
            "Put the right files together again, or restore a backup."
        )
    return False


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Say in a sentence what a database that is not as it should be answers while a vault is opened."""
    try:
        yield
    except DatabaseError as error:
        raise explain(error) from error
    except VaultError:
        raise
    except (msgspec.DecodeError, ValueError, TypeError) as error:
        raise VaultDamaged(
            "The vault's own facts cannot be read. Nothing was changed. “leadworker restore” brings back a backup."
        ) from error
