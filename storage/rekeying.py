"""A new master key for a vault, when somebody may hold a copy of its key file and know what opened it (security C.2).

Another passphrase alone does not help then: the copy still opens with the old one, to a master key that never changed.
Re-keying is begun by one durable change of the key file and carried out by the next opening, however often that is
broken off: until the end the new master key keeps the one before in a slot of its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from leadworker.crypto import keys, words
from leadworker.errors import DiskTrouble, VaultDamaged
from storage import log, migrations, vault_file
from storage.anchor import Anchor
from storage.comparing import compare_with_anchor, in_words
from storage.engine import looking, rekey, take_log_over
from storage.vault import ANCHOR_NAME, DATABASE_NAME, Vault
from storage.vault_file import VaultFile


def begin(
    vault: Vault, passphrase: str, show: Callable[[tuple[str, ...]], None], *, memory_kib: int | None = None
) -> None:
    """Let `passphrase` and fresh recovery words open the vault, to a new master key.

    They count only once `show` has shown the words. The caller closes the vault and opens it again.
    """
    master, recovery = secrets.token_bytes(keys.KEY_BYTES), words.new_recovery_secret()
    slots = (
        keys.passphrase_slot(master, passphrase, vault.vault_id, memory_kib or keys.calibrate()),
        keys.recovery_slot(master, recovery, vault.vault_id),
        keys.before_slot(master, vault.master, vault.vault_id),
    )
    show(words.to_words(recovery))
    _write(vault.folder, VaultFile(vault_file.FORMAT, vault.vault_id, slots), master)


def is_begun(file: VaultFile) -> bool:
    """Return whether a vault is being re-keyed."""
    return any(slot.kind == "before" for slot in file.slots)


def finish(folder: Path, file: VaultFile, master: bytes, *, mend: bool = False) -> VaultFile:
    """Carry a re-keying out and return the key file after it. The caller holds the vault's lock.

    Raises `VaultDamaged` for a vault that is not as it was left, which keeps its key until it is whole; with `mend` its
    safety mark is left to whoever mends it.
    """
    before = keys.open_before(file.slots, master, file.vault_id)
    if before is None:
        raise VaultDamaged("The vault's key file was altered. Nothing was opened. Put back vault.json from a backup.")
    old, new = (keys.derive(key, keys.DATABASE) for key in (before, master))
    known = [Anchor(folder / ANCHOR_NAME, keys.derive(key, keys.ANCHOR), file.vault_id) for key in (before, master)]
    database = folder / DATABASE_NAME
    done = _opens(database, new)
    if mend:
        if not done:
            rekey(database, old, new)
    elif not done or known[1].read().mark is None:
        with in_words(), looking(database, new if done else old) as connection:
            migrations.refuse_unknown(connection)
            compare_with_anchor(connection, known[0].read())
            mark = log.mark_of(connection)
        if not done:
            rekey(database, old, new)
        known[1].rewrite(mark)
        known[1].close()
    take_log_over(database, new)
    slots = tuple(slot for slot in file.slots if slot.kind != "before")
    return _write(folder, msgspec.structs.replace(file, slots=slots), master)


def _opens(database: Path, key: bytes) -> bool:
    try:
        with looking(database, key):
            return True
    except VaultDamaged:
        return False


def _write(folder: Path, file: VaultFile, master: bytes) -> VaultFile:
    sealed = vault_file.sealed(file, master)
    try:
        vault_file.write(folder, sealed)
    except OSError as error:
        raise DiskTrouble(
            f"The vault's key file could not be written: {error.strerror}. What opened the vault before may still do; nothing is lost."
        ) from error
    return sealed

