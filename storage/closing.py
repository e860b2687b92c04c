"""Closes a vault for good whose laptop was taken out of the organisation (threat model, row 7; docs/decisions/0023).

Nothing is destroyed. The passphrase and the recovery words open nothing any more; the master key is sealed to escrow, and
the device's private keys are gone, so that escrow can read and never sign. Before anything here is nowhere else, it waits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from leadworker.crypto.escrowed import escrow_slot, is_escrowed
from leadworker.domain.late import TO_HAND_IN
from leadworker.errors import VaultClosed
from leadworker.postbox import TakenOut
from storage import handing_in, vault_file
from storage.engine import Connection, scalar

FACT: Final = "taken out"
"""The fact under which a vault keeps the proof that its laptop was taken out."""

_CLOSED: Final = (
    "This laptop was taken out of the organisation, so this vault was closed for good. Neither a passphrase nor recovery words open "
    "it. Nothing in it is destroyed: two officers of escrow can open it. To work again, ask your administrator for an invite and make "
    "a new vault in another folder: “leadworker --vault DIR init”."
)


def proof(connection: Connection) -> TakenOut | None:
    """Return the proof that this laptop was taken out of the organisation, or None."""
    raw = scalar(connection, "SELECT value FROM fact WHERE key = ?", FACT)
    return None if raw is None else msgspec.msgpack.decode(raw, type=TakenOut)


def note(connection: Connection, taken_out: TakenOut) -> None:
    """Keep the proof, and let the next sync hand in whatever is nowhere else; inside the caller's transaction."""
    connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (FACT, msgspec.msgpack.encode(taken_out)))
    for book in handing_in.books_to_hand_in(connection):
        connection.execute("INSERT OR IGNORE INTO drawer VALUES (?, ?, x'')", (TO_HAND_IN, book.hex()))


def nowhere_else(connection: Connection) -> int:
    """Return how many changes of the caseload are on this laptop only, and were not handed in."""
    return handing_in.count(connection, revoked=True)[0]


def is_due(connection: Connection, folder: Path) -> bool:
    """Return whether a vault is to be closed for good now: proven, everything handed in, and not done yet."""
    if proof(connection) is None or nowhere_else(connection):
        return False
    file, _ = vault_file.read(folder)
    return not is_escrowed(file.slots)


def hand_to_escrow(connection: Connection, folder: Path, master: bytes) -> None:
    """Let escrow alone open a vault. The caller has taken the device's private keys out of it before."""
    known = proof(connection)
    assert known is not None, "only a vault whose laptop was taken out is handed to escrow"
    file, _ = vault_file.read(folder)
    slots = (escrow_slot(master, known.escrow, file.vault_id),)
    vault_file.write(folder, vault_file.sealed(msgspec.structs.replace(file, slots=slots), master))


def refuse_closed(file: vault_file.VaultFile) -> None:
    """Raise `VaultClosed` for a vault that escrow alone opens."""
    if file.slots and all(is_escrowed((slot,)) for slot in file.slots):
        raise closed()


def closed() -> VaultClosed:
    """Return what is said of a vault that was closed for good."""
    return VaultClosed(_CLOSED)
