"""Opens a vault that was closed for good, for the officers of escrow: a fresh passphrase opens a copy of it (C.10)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from leadworker.crypto import keys
from leadworker.crypto.escrowed import KIND, open_with_escrow
from leadworker.crypto.identity import Identity
from leadworker.errors import DiskTrouble
from storage import vault_file
from storage.holder import Hold


def open_for_officers(folder: Path, escrow: Identity, passphrase: str, *, memory_kib: int | None = None) -> None:
    """Let `passphrase` open the closed vault in a folder. It can be read then; its device's private keys are gone.

    Raises `VaultError` for another escrow key and for a vault that is not closed.
    """
    hold = Hold(folder, "the officers of escrow")
    hold.take()
    try:
        file, _ = vault_file.read(folder)
        master = open_with_escrow(file.slots, escrow, file.vault_id)
        vault_file.refuse_altered(file, master)
        fresh = keys.passphrase_slot(master, passphrase, file.vault_id, memory_kib or keys.calibrate())
        slots = (*(slot for slot in file.slots if slot.kind == KIND), fresh)
        vault_file.write(folder, vault_file.sealed(msgspec.structs.replace(file, slots=slots), master))
    except OSError as error:
        raise DiskTrouble(f"The vault's key file could not be written: {error.strerror}. The vault is as it was.") from error
    finally:
        hold.release()
