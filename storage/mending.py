"""The way back when the safety mark and the database do not fit: look through everything, keep what is whole, go on.

What was lost here and had been sent comes back from the central store. This device goes on in a new lane, so that it can
never write a second change under a number that others have already seen (security C.8).
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from leadworker.clock import Clock, SystemClock
from leadworker.crypto import keys, words
from leadworker.errors import VaultDamaged
from storage import checking, migrations, rebuilding, vault_file
from storage.anchor import Anchor
from storage.engine import Connection, DatabaseError, connect, explain
from storage.holder import Hold
from storage.vault import ANCHOR_NAME, DATABASE_NAME, Vault

RESTORED = "vault.restored"
"""A file that a restore leaves, so that the first opening mends without being asked."""


class Mended(msgspec.Struct, frozen=True):
    """What mending found: how many changes are here, and how many at least are missing."""

    changes: int
    missing: int


def mend(
    folder: Path, secret: str, *, with_words: bool = False, clock: Clock | None = None, purpose: str = "leadworker check"
) -> tuple[Vault, Mended]:
    """Open a vault whose safety mark does not fit, after looking through all of it; raise `VaultDamaged` if it is not whole."""
    file, _ = vault_file.read(folder)
    hold = Hold(folder, purpose)
    hold.take()
    try:
        if with_words:
            recovery = words.from_words(secret, words.RECOVERY_WORDS)
            master = keys.open_with_recovery(file.slots, recovery, file.vault_id)
        else:
            master = keys.open_with_passphrase(file.slots, secret, file.vault_id)
        return mend_opened(folder, master, file.vault_id, clock or SystemClock(), hold)
    except BaseException:
        hold.release()
        raise


def mend_opened(folder: Path, master: bytes, vault_id: str, clock: Clock, hold: Hold) -> tuple[Vault, Mended]:
    """The same for a vault whose master key is known and whose lock is held."""
    anchor = Anchor(folder / ANCHOR_NAME, keys.derive(master, keys.ANCHOR), vault_id)
    before = anchor.read().mark
    connection = connect(folder / DATABASE_NAME, keys.derive(master, keys.DATABASE))
    try:
        migrations.migrate(connection)
        _refuse_what_is_not_whole(connection)
        with_new_lane(connection)
        rebuilding.remake(connection)
        vault = Vault(folder, connection, master, vault_id, clock, hold, anchor)
    except DatabaseError as error:
        connection.close()
        raise explain(error) from error
    except BaseException:
        connection.close()
        raise
    anchor.rewrite(vault.mark)
    (folder / RESTORED).unlink(missing_ok=True)
    missing = max(0, before.changes - vault.mark.changes) if before else 0
    return vault, Mended(vault.mark.changes, missing)


def with_new_lane(connection: Connection) -> None:
    """Let this device write in a lane that it has never written in."""
    connection.execute("BEGIN IMMEDIATE")
    (highest,) = connection.execute("SELECT coalesce(max(lane), 1) FROM lane WHERE mine = 1").fetchone()
    row = connection.execute("SELECT value FROM fact WHERE key = 'lane'").fetchone()
    present = int.from_bytes(row[0], "big") if row else 1
    # A random step: the vault may be an old copy that does not know of lanes it has opened since.
    fresh = max(highest, present) + 1 + secrets.randbelow(256)
    connection.execute("INSERT OR REPLACE INTO fact VALUES ('lane', ?)", (fresh.to_bytes(2, "big"),))
    connection.execute("UPDATE state SET commits = commits + 1")
    connection.execute("COMMIT")


def _refuse_what_is_not_whole(connection: Connection) -> None:
    for finding in (checking.pages(connection), checking.chain(connection)):
        if not finding.whole:
            raise VaultDamaged(finding.sentence)
