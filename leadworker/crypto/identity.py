"""A device's own keys: they sign what it writes and open what is sealed to it, and never leave it (C.3)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leadworker import change, proof
from leadworker.crypto import words
from leadworker.errors import VaultClosed

_SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


class CannotOpen(Exception):
    """Something sealed is not for this key, or was altered."""


class Identity:
    """The private keys of one device (or of an organisation's root, which only signs)."""

    def __init__(self, signing: bytes, unsealing: bytes) -> None:
        self._signing = Ed25519PrivateKey.from_private_bytes(signing)
        self._unsealing = X25519PrivateKey.from_private_bytes(unsealing)
        self.signing_public = self._signing.public_key().public_bytes_raw()
        self.unsealing_public = self._unsealing.public_key().public_bytes_raw()
        self.device = change.device_id(self.signing_public, self.unsealing_public)

    @classmethod
    def new(cls) -> Identity:
        """Make a device's keys from the system's randomness."""
        return cls(secrets.token_bytes(32), secrets.token_bytes(32))

    def private_bytes(self) -> tuple[bytes, bytes]:
        """Return the two private keys, for the inside of the vault and nowhere else."""
        return self._signing.private_bytes_raw(), self._unsealing.private_bytes_raw()

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Return a signature over ``domain ‖ message``; `domain` is one of `leadworker.proof`."""
        return self._signing.sign(domain + message)

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        """Open what was sealed to this device for exactly this purpose; raise `CannotOpen`."""
        try:
            return _SUITE.decrypt(sealed, self._unsealing, info)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("sealed for another device or purpose, or altered") from error

    def check_words(self) -> tuple[str, ...]:
        """Return the eight words by which two people can tell that they speak of the same device (C.4)."""
        return words.check_words(self.signing_public + self.unsealing_public)


class SpentIdentity(Identity):
    """A device whose private keys are gone: what it wrote can still be checked, and it signs and opens nothing more."""

    def __init__(self, signing_public: bytes, unsealing_public: bytes) -> None:
        self.signing_public = signing_public
        self.unsealing_public = unsealing_public
        self.device = change.device_id(signing_public, unsealing_public)

    def private_bytes(self) -> tuple[bytes, bytes]:
        return b"", b""

    def sign(self, domain: bytes, message: bytes) -> bytes:
        raise VaultClosed("This vault was closed for good. It can be read, and nothing can be written or sent from it any more.")

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        raise CannotOpen("this device has no keys any more")


def seal_to(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal to an X25519 public key (RFC 9180 base mode); `info` names purpose, book, epoch and recipient."""
    if not proof.is_sound_sealing_key(public):
        raise ValueError("not a sound sealing key")
    return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public), info)


def organisation_key_info(organisation: bytes, device: bytes) -> bytes:
    """Return the HPKE purpose under which the organisation's name key is sealed to a device."""
    return b"lw/org-key/v1\0" + organisation + device


def seal_name(organisation_key: bytes, person: bytes, name: str) -> bytes:
    """Return a person's name for the directory, which the central store carries and cannot read."""
    nonce = secrets.token_bytes(12)
    padded = name.encode().ljust(64, b"\0")
    return nonce + ChaCha20Poly1305(organisation_key).encrypt(nonce, padded, b"lw/name/v1\0" + person)


def open_name(organisation_key: bytes, person: bytes, sealed: bytes) -> str:
    """Read a name of the directory; raise `CannotOpen`."""
    try:
        padded = ChaCha20Poly1305(organisation_key).decrypt(sealed[:12], sealed[12:], b"lw/name/v1\0" + person)
        return padded.rstrip(b"\0").decode()
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("a name of the directory cannot be read") from error


def team_code(organisation_key: bytes, team: str) -> bytes:
    """Return the 8 bytes by which members know a team and the central store does not."""
    return hmac.digest(organisation_key, b"lw/team/v1\0" + " ".join(team.casefold().split()).encode(), "sha256")[:8]


class InviteSecret(msgspec.Struct, frozen=True):
    """What an invite carries beside the central store's address: the root's fingerprint and 16 random bytes (C.4)."""

    root: bytes
    secret: bytes

    @classmethod
    def new(cls, root: bytes) -> InviteSecret:
        return cls(root, secrets.token_bytes(16))

    def words(self) -> tuple[str, ...]:
        """Return the 24 words to read out over a telephone."""
        return words.to_words(self.root + self.secret)

    @classmethod
    def from_words(cls, text: str) -> InviteSecret:
        """Read 24 words; raises `NotUnderstood`."""
        raw = words.from_words(text, 24)
        return cls(raw[:16], raw[16:])

    def invite_id(self) -> bytes:
        """Return the 16 bytes by which the central store knows the invite; they tell nothing of the secret."""
        return hashlib.sha256(b"lw/invite-id/v1\0" + self._key()).digest()[:16]

    def prove(self, signing: bytes, unsealing: bytes) -> bytes:
        """Return the proof that these public keys belong to the holder of the invite."""
        return hmac.digest(self._key(), b"lw/join/v1\0" + signing + unsealing + self.root, "sha256")

    def is_proof(self, signing: bytes, unsealing: bytes, given: bytes) -> bool:
        """Check a proof in constant time."""
        return hmac.compare_digest(self.prove(signing, unsealing), given)

    def _key(self) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=b"lw/invite/v1").derive(self.secret)
