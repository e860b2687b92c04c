"""HPKE, base mode, with an ephemeral key that somebody else chooses (RFC 9180): X25519, HKDF-SHA256, ChaCha20-Poly1305.

The library takes its own randomness and can be given none. Only sealing is done here; the product opens what comes of it
with the library, so a mistake in this file opens nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_KEM: Final = b"KEM" + (0x20).to_bytes(2, "big")
_WHOLE: Final = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x20, 1, 3))


class SeededSuite:
    """Stands in the place of the library's suite: seals with chosen randomness, opens with the library's own."""

    def __init__(self, real: object, random_bytes: Callable[[int], bytes]) -> None:
        self._real = real
        self._random_bytes = random_bytes

    def decrypt(self, sealed: bytes, key: X25519PrivateKey, info: bytes) -> bytes:
        return self._real.decrypt(sealed, key, info)  # type: ignore[attr-defined, no-any-return]

    def encrypt(self, plaintext: bytes, key: X25519PublicKey, info: bytes) -> bytes:
        ephemeral = X25519PrivateKey.from_private_bytes(self._random_bytes(32))
        begins = ephemeral.public_key().public_bytes_raw()
        prk = _extract(_KEM, b"", b"eae_prk", ephemeral.exchange(key))
        shared = _expand(_KEM, prk, b"shared_secret", begins + key.public_bytes_raw(), 32)
        context = b"\0" + _extract(_WHOLE, b"", b"psk_id_hash", b"") + _extract(_WHOLE, b"", b"info_hash", info)
        secret = _extract(_WHOLE, shared, b"secret", b"")
        nonce = _expand(_WHOLE, secret, b"base_nonce", context, 12)
        return begins + ChaCha20Poly1305(_expand(_WHOLE, secret, b"key", context, 32)).encrypt(nonce, plaintext, b"")


def _extract(suite: bytes, salt: bytes, label: bytes, given: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + given, "sha256")


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """One block is enough for everything that is asked here."""
    return hmac.digest(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\1", "sha256")[:length]
