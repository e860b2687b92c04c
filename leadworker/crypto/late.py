"""Seals what somebody had written when they lost a casebook to those who decide about it (C.6)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from leadworker.crypto.identity import CannotOpen, seal_to

_NONCE = 12


def late_key_info(book: bytes, sender: bytes, recipient: bytes) -> bytes:
    """Return the HPKE purpose under which the key of a late submission is sealed to one device."""
    return b"lw/late-key/v1\0" + book + sender + recipient


def seal_late(
    plaintext: bytes, book: bytes, sender: bytes, recipients: Mapping[bytes, bytes]
) -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    """Seal to `recipients` (device: its unsealing key); return the sealed keys and ``nonce ‖ AEAD``."""
    key, nonce = secrets.token_bytes(32), secrets.token_bytes(_NONCE)
    seals = tuple((device, seal_to(public, key, late_key_info(book, sender, device))) for device, public in recipients.items())
    return seals, nonce + ChaCha20Poly1305(key).encrypt(nonce, plaintext, _context(book, sender))


def open_late(key: bytes, sealed: bytes, book: bytes, sender: bytes) -> bytes:
    """Open a late submission with its unsealed key; raise `CannotOpen`."""
    try:
        return ChaCha20Poly1305(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _context(book, sender))
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("altered, or sealed for another casebook") from error


def _context(book: bytes, sender: bytes) -> bytes:
    return b"lw/late/v1\0" + book + sender
