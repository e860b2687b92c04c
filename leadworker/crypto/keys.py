"""From a passphrase or recovery words to the vault's master key, and from that to one key per purpose (C.1, C.2).

The master key is 32 random bytes that never change with the passphrase. Each slot wraps it under one secret; the
slot's own parameters are bound to the wrapping, so that nobody can weaken them unseen.
"""

from __future__ import annotations

import secrets
import time
import unicodedata
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leadworker.errors import VaultDamaged, WrongPassphrase

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
FLOOR_KIB: Final = 64 * 1024
CEILING_KIB: Final = 1024 * 1024
PREFERRED_KIB: Final = 256 * 1024
ITERATIONS: Final = 3
LANES: Final = 4
MOST_ITERATIONS: Final = 64
MOST_LANES: Final = 64
SLOWEST_S: Final = 1.0

DATABASE: Final = b"lw/db/v1"
ANCHOR: Final = b"lw/anchor/v1"
VAULT_FILE: Final = b"lw/vault-file/v1"
BEFORE: Final = b"lw/before/v1"


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to the master key, as it stands in ``vault.json``. Byte values are lower-case hexadecimal text."""

    kind: str
    salt: str
    nonce: str
    wrapped: str
    memory_kib: int = 0
    iterations: int = 0
    lanes: int = 0


def derive(master: bytes, purpose: bytes) -> bytes:
    """Return the 32-byte key for one purpose."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(master)


def calibrate() -> int:
    """Return the Argon2id memory in KiB for this computer: 256 MiB, less where that takes over a second."""
    memory = PREFERRED_KIB
    while memory > FLOOR_KIB:
        started = time.perf_counter()
        _argon2(b"calibrate", bytes(16), memory, ITERATIONS, LANES)
        if time.perf_counter() - started <= SLOWEST_S:
            break
        memory //= 2
    return memory


def passphrase_slot(master: bytes, passphrase: str, vault_id: str, memory_kib: int) -> Slot:
    """Return a slot that a passphrase opens; `memory_kib` comes from `calibrate`."""
    if not FLOOR_KIB <= memory_kib <= CEILING_KIB:
        raise ValueError("Argon2id memory outside the floor and the ceiling")
    salt = secrets.token_bytes(SALT_BYTES)
    key = _argon2(_normal(passphrase), salt, memory_kib, ITERATIONS, LANES)
    return _wrap(Slot("passphrase", salt.hex(), "", "", memory_kib, ITERATIONS, LANES), key, master, vault_id)


def recovery_slot(master: bytes, secret: bytes, vault_id: str) -> Slot:
    """Return a slot that recovery words open. Their 168 random bits need no slow derivation."""
    salt = secrets.token_bytes(SALT_BYTES)
    return _wrap(Slot("recovery", salt.hex(), "", ""), _recovery_key(secret, salt), master, vault_id)


def open_with_passphrase(slots: tuple[Slot, ...], passphrase: str, vault_id: str) -> bytes:
    """Return the master key; raise `WrongPassphrase`. Parameters below the floor are refused, not honoured."""
    for slot in slots:
        if slot.kind != "passphrase":
            continue
        if slot.memory_kib < FLOOR_KIB or slot.iterations < ITERATIONS or slot.lanes < 1:
            raise _altered("asks for a weaker protection than leadworker ever uses")
        if slot.memory_kib > CEILING_KIB or slot.iterations > MOST_ITERATIONS or slot.lanes > MOST_LANES:
            raise _altered("asks for more memory than leadworker ever uses")
        salt = _unhex(slot.salt, SALT_BYTES)
        key = _argon2(_normal(passphrase), salt, slot.memory_kib, slot.iterations, slot.lanes)
        master = _unwrap(slot, key, vault_id)
        if master is not None:
            return master
    raise WrongPassphrase("That was not the passphrase.")


def open_with_recovery(slots: tuple[Slot, ...], secret: bytes, vault_id: str) -> bytes:
    """Return the master key; raise `WrongPassphrase`."""
    for slot in slots:
        if slot.kind == "recovery":
            master = _unwrap(slot, _recovery_key(secret, _unhex(slot.salt, SALT_BYTES)), vault_id)
            if master is not None:
                return master
    raise WrongPassphrase("Those are not the recovery words of this vault.")


def before_slot(master: bytes, before: bytes, vault_id: str) -> Slot:
    """Return a slot in which a new master key keeps the one before, while the vault is being re-keyed."""
    return _wrap(Slot("before", "", "", ""), derive(master, BEFORE), before, vault_id)


def open_before(slots: tuple[Slot, ...], master: bytes, vault_id: str) -> bytes | None:
    """Return the master key before this one while a vault is being re-keyed, else None."""
    for slot in slots:
        if slot.kind == "before":
            return _unwrap(slot, derive(master, BEFORE), vault_id)
    return None


def _normal(passphrase: str) -> bytes:
    """Typed with two spaces or a line break between its words, or é in two parts as macOS pastes it, it is the same one."""
    return unicodedata.normalize("NFC", " ".join(passphrase.split())).encode("utf-8", "surrogatepass")


def _argon2(secret: bytes, salt: bytes, memory_kib: int, iterations: int, lanes: int) -> bytes:
    return Argon2id(salt=salt, length=KEY_BYTES, iterations=iterations, lanes=lanes, memory_cost=memory_kib, ad=b"lw/vault/v1").derive(
        secret
    )


def _recovery_key(secret: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=salt, info=b"lw/recovery/v1").derive(secret)


def _slot_context(slot: Slot, vault_id: str) -> bytes:
    named = (slot.kind, slot.salt, slot.memory_kib, slot.iterations, slot.lanes, vault_id)
    return b"lw/slot/v1\0" + msgspec.json.encode(named)


def _wrap(slot: Slot, key: bytes, master: bytes, vault_id: str) -> Slot:
    nonce = secrets.token_bytes(NONCE_BYTES)
    wrapped = ChaCha20Poly1305(key).encrypt(nonce, master, _slot_context(slot, vault_id))
    return msgspec.structs.replace(slot, nonce=nonce.hex(), wrapped=wrapped.hex())


def _unwrap(slot: Slot, key: bytes, vault_id: str) -> bytes | None:
    nonce, wrapped = _unhex(slot.nonce, NONCE_BYTES), _unhex(slot.wrapped, KEY_BYTES + TAG_BYTES)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, wrapped, _slot_context(slot, vault_id))
    except InvalidTag:
        return None


def _unhex(text: str, length: int) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != length or raw.hex() != text:
        raise _altered("holds something that leadworker never writes")
    return raw


def _altered(how: str) -> VaultDamaged:
    return VaultDamaged(
        f"The vault's key file {how}, so it was altered. Nothing was opened. Put back the copy of vault.json from a backup."
    )
