"""A new master key for a vault, when somebody may hold a copy of its key file and know what opened it (security C.2).

Another passphrase alone does not help then: the copy still opens with the old one, to a master key that never changed.
Re-keying is begun by one durable change of the key file and carried out by the next opening, however often that is
broken off: until the end the new master key keeps the one before in a slot of its own.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from leadworker.crypto import keys, words
from leadworker.errors import DiskTrouble, VaultDamaged
from storage import log, migrations, vault_file
from storage.anchor import Anchor, Mark
from storage.comparing import compare_with_anchor, in_words
from storage.engine import Connection, DatabaseError, check_pages, looking, rekey, take_log_over
from storage.vault import ANCHOR_NAME, DATABASE_NAME, Vault
from storage.vault_file import VaultFile


def begin(vault: Vault, passphrase: str, show: Callable[[tuple[str, ...]], None], *, memory_kib: int | None = None) -> None:
    """Let `passphrase` and fresh recovery words open the vault, to a new master key.

    They count only once `show` has shown the words. The caller closes the vault and opens it again.
    Raises `VaultDamaged` for one that is not whole, which could not be read again under any key, and `DiskTrouble`.
    """
    if not vault.submit(lambda: _is_whole(vault.connection)).result():
        raise VaultDamaged("A page of the database is damaged. The key was not changed. Restore a backup first.")
    _refuse_a_full_disk(vault.folder)
    master, recovery = secrets.token_bytes(keys.KEY_BYTES), words.new_recovery_secret()
    slots = (
        keys.passphrase_slot(master, passphrase, vault.vault_id, memory_kib or keys.calibrate()),
        keys.recovery_slot(master, recovery, vault.vault_id),
        keys.before_slot(master, vault.master, vault.vault_id),
    )
    show(words.to_words(recovery))
    _write(vault.folder, VaultFile(vault_file.FORMAT, vault.vault_id, slots), master)


def _is_whole(connection: Connection) -> bool:
    try:
        return not check_pages(connection)
    except DatabaseError:
        return False


def is_begun(file: VaultFile) -> bool:
    """Return whether a vault is being re-keyed."""
    return any(slot.kind == "before" for slot in file.slots)


def finish(folder: Path, file: VaultFile, master: bytes) -> VaultFile:
    """Carry a re-keying out and return the key file after it. The caller holds the vault's lock.

    Raises `VaultDamaged` for a vault that is not as it was left, and `DiskTrouble`: it keeps its key until then.
    """
    before = _before(file, master)
    known = [Anchor(folder / ANCHOR_NAME, keys.derive(key, keys.ANCHOR), file.vault_id) for key in (before, master)]
    used = key_in_use(folder, file, master)
    if used != master or known[1].read().mark is None:
        with in_words(), looking(folder / DATABASE_NAME, keys.derive(used, keys.DATABASE)) as connection:
            migrations.refuse_unknown(connection)
            compare_with_anchor(connection, known[0].read())
            mark = log.mark_of(connection)
        _encrypt(folder, used, master)
        try:
            known[1].rewrite(mark)
        finally:
            known[1].close()
    return _end(folder, file, master)


def finish_unmarked(folder: Path, file: VaultFile, master: bytes) -> tuple[VaultFile, Mark | None]:
    """The same for a vault whose safety mark does not fit, and whose pages and chain the caller has looked through.

    Returns the key file and how far the vault had come by the mark under the key before; the caller makes a new mark.
    """
    known = Anchor(folder / ANCHOR_NAME, keys.derive(_before(file, master), keys.ANCHOR), file.vault_id).read().mark
    _encrypt(folder, key_in_use(folder, file, master), master)
    return _end(folder, file, master), known


def key_in_use(folder: Path, file: VaultFile, master: bytes) -> bytes:
    """Return the master key that the database is under: the new one, or until it was re-keyed the one before."""
    return master if _opens(folder / DATABASE_NAME, keys.derive(master, keys.DATABASE)) else _before(file, master)


def _before(file: VaultFile, master: bytes) -> bytes:
    before = keys.open_before(file.slots, master, file.vault_id)
    if before is None:
        raise VaultDamaged("The vault's key file was altered. Nothing was opened. Put back vault.json from a backup.")
    return before


def _encrypt(folder: Path, used: bytes, master: bytes) -> None:
    """Encrypt every page under the new key. SQLCipher does not say when that fails, so it is looked at afterwards."""
    if used == master:
        return
    old, new = (keys.derive(key, keys.DATABASE) for key in (used, master))
    rekey(folder / DATABASE_NAME, old, new)
    if not _opens(folder / DATABASE_NAME, new):
        raise DiskTrouble(
            "The disk did not take the vault under its new key: that needs as much room again as the vault is large. Everything "
            "is as it was. Free some space, then open it again with the new passphrase."
        )


def _end(folder: Path, file: VaultFile, master: bytes) -> VaultFile:
    take_log_over(folder / DATABASE_NAME, keys.derive(master, keys.DATABASE))
    slots = tuple(slot for slot in file.slots if slot.kind != "before")
    return _write(folder, msgspec.structs.replace(file, slots=slots), master)


def _refuse_a_full_disk(folder: Path) -> None:
    needed = 2 * (folder / DATABASE_NAME).stat().st_size
    if shutil.disk_usage(folder).free < needed:
        raise DiskTrouble(
            f"Changing the key needs {needed // 2**20 + 1:,} MB of free space for a while. The key was not changed. Free some "
            "space, then try again."
        )


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
