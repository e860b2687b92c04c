"""The second reader's side of the sync protocol: what is signed on the way to the central store and back.

Written from docs/sync-protocol.md alone; like tests/second_reader.py it imports nothing of the program.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests import second_reader as second


def is_signed(public: bytes, said: bytes, signature: bytes) -> bool:
    """Say whether a signature is over these very bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, said)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it does not vouch
        return False
    return True


def body_digest(body: bytes) -> str:
    """Return what a request with a body carries besides, so that the store knows whose it is before it takes it (section 2)."""
    return "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"


def request(method: str, target: str, time_ms: int, nonce: bytes, body: bytes, errand: bytes = b"") -> bytes:
    """Return what makes a request somebody's own, also on an errand (section 2)."""
    named = target + ("#" + errand.hex() if errand else "")
    parts = (method.encode(), named.encode(), str(time_ms).encode(), nonce.hex().encode(), second.sha256(body))
    return b"lw/request/v1\0" + b"\0".join(parts)


def receipt(book: bytes, last: bytes, n: int, digest: bytes, received_ms: int) -> bytes:
    """Return what the store signs for the change with id `last` at number `n` (section 7)."""
    return b"lw/receipt/v1\0" + book + last + second.u(n, 64) + digest + second.u(received_ms, 64)


def file_receipt(book: bytes, digest: bytes, size: int, received_ms: int) -> bytes:
    """Return what the store signs for a whole file (section 8)."""
    return b"lw/file-receipt/v1\0" + book + digest + second.u(size, 64) + second.u(received_ms, 64)


def mark(news: list[tuple[bytes, int, bytes]]) -> bytes:
    """Return the mark of a device's news: book, number and digest of each (section 13)."""
    return second.sha256(b"".join(book + second.u(n, 64) + digest for book, n, digest in news))[:16]


def read_errand(raw: bytes) -> tuple[bytes, int, bytes, bytes]:
    """Return device, time, nonce and signature of an errand (section 15)."""
    if len(raw) != 104:
        raise ValueError("not an errand")
    return raw[:16], int.from_bytes(raw[16:24], "big"), raw[24:40], raw[40:]


def errand(hub: bytes, device: bytes, time_ms: int, nonce: bytes) -> bytes:
    """Return what a device signs that sends another one on an errand to this store (section 15)."""
    return b"lw/errand/v1\0" + hub + device + second.u(time_ms, 64) + nonce
