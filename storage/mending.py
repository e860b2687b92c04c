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
from leadworker.errors import DiskTrouble, VaultDamaged
from storage import checking, migrations, rebuilding, rekeying, vault_file
from storage.anchor import Anchor, Mark
from storage.comparing import in_words
from storage.engine import Connection, connect, looking
from storage.holder import Hold
from storage.log import FIRST_LANE, LAST_LANE
from storage.vault import ANCHOR_NAME, DATABASE_NAME, Vault
from storage.vault_file import RESTORED, VaultFile


class Mended(msgspec.Struct, frozen=True):
    """What mending found: how many changes are here, and how many at least are missing."""

    changes: int
    missing: int


def mend(
    folder: Path, secret: str, *, with_words: bool = False, clock: Clock | None = None, purpose: str = "leadworker check"
) -> tuple[Vault, Mended]:
    """Open a vault whose safety mark does not fit, after looking through all of it; raise `VaultDamaged` if it is not whole."""
    vault_file.read(folder)
    hold = Hold(folder, purpose)
    hold.take()
    try:
        recovery = words.from_words(secret, words.RECOVERY_WORDS) if with_words else b""

        def attempt(file: VaultFile, notice: str) -> tuple[Vault, Mended]:
            if with_words:
                master = keys.open_with_recovery(file.slots, recovery, file.vault_id)
            else:
                master = keys.open_with_passphrase(file.slots, secret, file.vault_id)
            return _mend_with(folder, file, notice, master, clock or SystemClock(), hold)

        return vault_file.with_either_copy(folder, attempt)
    except OSError as error:
        hold.release()
        raise DiskTrouble(f"The vault could not be mended: {error.strerror}. What was whole before it still is.") from error
    except BaseException:  # raised again: only let go of what was taken
        hold.release()
        raise


def _mend_with(folder: Path, file: VaultFile, notice: str, master: bytes, clock: Clock, hold: Hold) -> tuple[Vault, Mended]:
    """Mend with one copy of the key file; the other is written over only once this one has opened everything."""
    vault_file.refuse_altered(file, master)
    known = None
    if rekeying.is_begun(file):
        key = keys.derive(rekeying.key_in_use(folder, file, master), keys.DATABASE)
        with in_words(), looking(folder / DATABASE_NAME, key) as connection:
            _refuse_what_is_not_whole(connection)
        file, known = rekeying.finish_unmarked(folder, file, master)
    vault, mended = mend_opened(folder, master, file.vault_id, clock, hold, known)
    if notice:
        try:
            vault_file.write(folder, file)
        except OSError:
            vault.close()
            raise
        vault.notices.append(notice)
    return vault, mended


def mend_opened(folder: Path, master: bytes, vault_id: str, clock: Clock, hold: Hold, known: Mark | None = None) -> tuple[Vault, Mended]:
    """The same for a vault whose master key is known and whose lock is held; `known` is how far it is known to have come."""
    anchor = Anchor(folder / ANCHOR_NAME, keys.derive(master, keys.ANCHOR), vault_id)
    before = anchor.read().mark or known
    key = keys.derive(master, keys.DATABASE)
    with in_words(), looking(folder / DATABASE_NAME, key) as connection:
        migrations.refuse_unknown(connection)
        _refuse_what_is_not_whole(connection)
    connection = connect(folder / DATABASE_NAME, key)
    try:
        with in_words():
            migrations.migrate(connection)
            with_new_lane(connection)
            rebuilding.remake(connection)
            vault = Vault(folder, connection, master, vault_id, clock, hold, anchor)
    except BaseException:  # raised again: only let go of what was taken
        connection.close()
        raise
    try:
        anchor.rewrite(vault.mark)
        (folder / RESTORED).unlink(missing_ok=True)
    except OSError:
        vault.close()
        raise
    missing = max(0, before.changes - vault.mark.changes) if before else 0
    return vault, Mended(vault.mark.changes, missing)


def with_new_lane(connection: Connection) -> None:
    """Let this device write in a lane that it has never written in."""
    connection.execute("BEGIN IMMEDIATE")
    used = {lane for (lane,) in connection.execute("SELECT lane FROM lane WHERE mine = 1")}
    row = connection.execute("SELECT value FROM fact WHERE key = 'lane'").fetchone()
    used.add(int.from_bytes(row[0], "big") if row else FIRST_LANE)
    # Any of 65,534: the vault may be an old copy that does not know of lanes it has opened since.
    fresh = secrets.choice([lane for lane in range(FIRST_LANE + 1, LAST_LANE + 1) if lane not in used])
    connection.execute("INSERT OR REPLACE INTO fact VALUES ('lane', ?)", (fresh.to_bytes(2, "big"),))
    connection.execute("UPDATE state SET commits = commits + 1")
    connection.execute("COMMIT")


def _refuse_what_is_not_whole(connection: Connection) -> None:
    for finding in (checking.pages(connection), checking.chain(connection)):
        if not finding.whole:
            raise VaultDamaged(finding.sentence)
