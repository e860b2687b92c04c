"""A vault's master key in the hands of escrow, once the vault was closed for good: sealed to the escrow key, and to nobody else.

The seal stands in ``vault.json`` as a slot of its own (sealed-format.md 12.2).
"""

from __future__ import annotations

from leadworker.crypto.identity import CannotOpen, Identity, seal_to
from leadworker.crypto.keys import Slot
from leadworker.errors import VaultError

KIND = "escrow"


def escrow_slot(master: bytes, escrow: bytes, vault_id: str) -> Slot:
    """Return a slot that the escrow key opens; `escrow` is its 32-byte public part from the organisation's directory."""
    return Slot(KIND, "", "", seal_to(escrow, master, _info(vault_id)).hex())


def is_escrowed(slots: tuple[Slot, ...]) -> bool:
    """Return whether a vault is in the hands of escrow."""
    return any(slot.kind == KIND for slot in slots)


def open_with_escrow(slots: tuple[Slot, ...], escrow: Identity, vault_id: str) -> bytes:
    """Return the master key; raise `VaultError` for another escrow key, or a vault that is not in its hands."""
    for slot in slots:
        if slot.kind == KIND:
            try:
                return escrow.unseal(bytes.fromhex(slot.wrapped), _info(vault_id))
            except (CannotOpen, ValueError) as error:
                raise VaultError(
                    "This escrow key does not open the vault: it was closed for another one, or altered. Nothing was changed."
                ) from error
    raise VaultError("This vault was not closed for good, so escrow does not open it. Nothing was changed.")


def _info(vault_id: str) -> bytes:
    return b"lw/vault-escrow/v1\0" + vault_id.encode("ascii")
