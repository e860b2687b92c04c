"""Changing what opens a vault: another passphrase, fresh recovery words. The journal itself is not touched (C.2)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from leadworker.crypto import keys, words
from leadworker.errors import DiskTrouble
from storage import vault_file
from storage.vault import Vault


def change_passphrase(vault: Vault, passphrase: str, *, memory_kib: int | None = None) -> None:
    """Let `passphrase` open the vault instead of the one before. A copy of the old key file still opens with the old one."""
    fresh = keys.passphrase_slot(vault.master, passphrase, vault.vault_id, memory_kib or keys.calibrate())
    _replace(vault, fresh)


def new_recovery_words(vault: Vault, show: Callable[[tuple[str, ...]], None]) -> None:
    """Make fresh recovery words; those before open nothing any more. They count only once `show` has shown them."""
    secret = words.new_recovery_secret()
    show(words.to_words(secret))
    _replace(vault, keys.recovery_slot(vault.master, secret, vault.vault_id))


def _replace(vault: Vault, fresh: keys.Slot) -> None:
    file, _ = vault_file.read(vault.folder)
    slots = tuple(slot for slot in file.slots if slot.kind != fresh.kind) + (fresh,)
    changed = vault_file.sealed(msgspec.structs.replace(file, slots=slots), vault.master)
    try:
        vault_file.write(vault.folder, changed)
    except OSError as error:
        raise DiskTrouble(
            f"The vault's key file could not be written: {error.strerror}. What opened the vault before still does."
        ) from error
