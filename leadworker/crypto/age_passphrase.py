"""Seals a stream with a passphrase as an age file, chunk by chunk (age-encryption.org/v1, c2sp.org/age).

pyrage seals a stream to a recipient, but with a passphrase only what is in memory whole: a casebook with its files may be
larger than that. What is written here opens with every age program; the tests open it with pyrage, which is another one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

WORK: Final = 18
"""The binary logarithm of scrypt's cost, as the age program itself takes it: 256 MiB and about a second for each guess."""

CHUNK: Final = 64 * 1024
_VERSION: Final = b"age-encryption.org/v1\n"
_SALT_LABEL: Final = b"age-encryption.org/v1/scrypt"
_SALT_BYTES: Final = 16
_FILE_KEY_BYTES: Final = 16


def seal(passphrase: str, plain: Iterable[bytes], work: int) -> Iterator[bytes]:
    """Give the bytes of an age file that holds what `plain` gives, one chunk at a time. `work` is `WORK` but in tests."""
    file_key, nonce = secrets.token_bytes(_FILE_KEY_BYTES), secrets.token_bytes(16)
    yield _header(passphrase, file_key, work) + nonce
    aead = ChaCha20Poly1305(_derived(file_key, nonce, b"payload"))
    for number, (chunk, last) in enumerate(_chunks(plain)):
        yield aead.encrypt(number.to_bytes(11, "big") + bytes([last]), chunk, None)


def _header(passphrase: str, file_key: bytes, work: int) -> bytes:
    salt = secrets.token_bytes(_SALT_BYTES)
    key = Scrypt(salt=_SALT_LABEL + salt, length=32, n=1 << work, r=8, p=1).derive(passphrase.encode())
    wrapped = ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)  # the key is used once: its salt is new each time
    header = _VERSION + b"-> scrypt %s %d\n%s\n---" % (_base64(salt), work, _base64(wrapped))
    mac = hmac.new(_derived(file_key, b"", b"header"), header, hashlib.sha256).digest()
    return header + b" " + _base64(mac) + b"\n"


def _derived(file_key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(file_key)


def _base64(raw: bytes) -> bytes:
    return base64.b64encode(raw).rstrip(b"=")


def _chunks(plain: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut a stream into chunks that are full but for the last; only a stream of nothing has an empty one."""
    waiting = b""
    for part in plain:
        joined = memoryview(waiting + part)
        while len(joined) > CHUNK:
            yield bytes(joined[:CHUNK]), False
            joined = joined[CHUNK:]
        waiting = bytes(joined)
    yield waiting, True
