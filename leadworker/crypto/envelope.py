"""Seals a change's body with its book's key and opens it again (docs/sealed-format.md).

One change is one AEAD with the whole header bound to it: nothing can be moved to another book, lane, place or
epoch. The nonce is derived from the header under a key of its own; a header names its place once and commits to
the plaintext, so the same nonce can only ever meet the same plaintext, and sealing again gives the same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leadworker import change
from leadworker.crypto.identity import CannotOpen

_EPOCH = struct.Struct(">I")
_LENGTH = struct.Struct(">I")
_CONTEXT: Final = b"lw/seal/v1\0"


class BookKey:
    """The key of one book in one epoch (C.5)."""

    def __init__(self, book: bytes, epoch: int, secret: bytes) -> None:
        self.book = book
        self.epoch = epoch
        self.secret = secret
        self._aead = ChaCha20Poly1305(_derive(secret, b"lw/content/v1", book, epoch))
        self._nonces = _derive(secret, b"lw/nonce/v1", book, epoch)
        self._prefix = _EPOCH.pack(epoch)

    def commitment(self) -> bytes:
        """Return the 16 bytes that the signed rotation says of this key, so that everyone is given the same one."""
        return commitment_to(self.book, self.epoch, self.secret)

    def seal(self, header: bytes, body: bytes) -> bytes:
        """Return ``epoch ‖ nonce ‖ ciphertext`` of a body, padded to the size that its header names."""
        size = change.padded_size(len(body))
        padded = (_LENGTH.pack(len(body)) + body).ljust(size, b"\0")
        nonce = hmac.digest(self._nonces, header, "sha256")[:12]
        return self._prefix + nonce + self._aead.encrypt(nonce, padded, _CONTEXT + header + self._prefix)

    def open(self, header: bytes, sealed: bytes) -> bytes:
        """Return the body, checked against the header's commitment; raise `CannotOpen`."""
        if sealed[:4] != self._prefix:
            raise CannotOpen("sealed with the key of another epoch")
        try:
            padded = self._aead.decrypt(sealed[4:16], sealed[16:], _CONTEXT + header + self._prefix)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("altered, or sealed with another key") from error
        length = int.from_bytes(padded[: _LENGTH.size], "big")
        body = padded[_LENGTH.size : _LENGTH.size + length]
        if len(body) != length or change.padded_size(length) != len(padded):
            raise CannotOpen("a body that does not fit its padding")
        if change.commitment(body) != header[-32:]:
            raise CannotOpen("a body other than the one that was signed")
        return body

    def ladder(self, older: BookKey) -> bytes:
        """Return the key before this one, sealed with this one: who holds the newest can read back to the first."""
        nonce = hmac.digest(self._nonces, b"ladder", "sha256")[:12]
        return nonce + self._aead.encrypt(nonce, older.secret, b"lw/ladder/v1\0" + self.book + self._prefix)

    def climb_down(self, ladder: bytes) -> bytes:
        """Return the secret that a ladder carries, of an epoch before; raise `CannotOpen`."""
        try:
            return self._aead.decrypt(ladder[:12], ladder[12:], b"lw/ladder/v1\0" + self.book + self._prefix)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("the ladder of this epoch does not hold") from error


def commitment_to(book: bytes, epoch: int, secret: bytes) -> bytes:
    """Return what the signed rotation of an epoch says of its key: for trying a secret without making a key of it."""
    return hashlib.sha256(b"lw/kc/v1\0" + book + _EPOCH.pack(epoch) + secret).digest()[:16]


def sealed_epoch(sealed: bytes) -> int:
    """Return the epoch whose key opens a seal; raise `CannotOpen` where it is cut off before that."""
    if len(sealed) < _EPOCH.size:
        raise CannotOpen("cut off before its epoch")
    (epoch,) = _EPOCH.unpack_from(sealed)
    return int(epoch)


def key_info(book: bytes, epoch: int, recipient: bytes) -> bytes:
    """Return the HPKE purpose under which a book's key is sealed to a device, or to escrow (``b"escrow"``)."""
    return b"lw/seal-key/v1\0" + book + _EPOCH.pack(epoch) + recipient


def _derive(secret: bytes, purpose: bytes, book: bytes, epoch: int) -> bytes:
    return HKDF(SHA256(), 32, salt=book, info=purpose + _EPOCH.pack(epoch)).derive(secret)
