"""What anybody can check without holding a secret: signatures, and keys that must never be accepted.

Every signature is made over a domain name, a zero byte and the message, so that one made for one purpose
can never serve another (Matrix 2022 was broken by the lack of it).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HEAD: Final = b"lw/head/v1\0"
"""Over the 32-byte id of a change: vouches for it and for all before it in its lane."""

REQUEST: Final = b"lw/request/v1\0"
"""Over a request to the central store: method, path, time, nonce and the body's hash."""

RECEIPT: Final = b"lw/receipt/v1\0"
"""By the central store, over what it took and the numbers it gave."""

BUNDLE: Final = b"lw/bundle/v1\0"
"""Over the SHA-256 of the manifest of a bundle that a device made for an outsider."""

FILE_RECEIPT: Final = b"lw/file-receipt/v1\0"
"""By the central store, over the whole of a sealed file that it keeps."""

ERRAND: Final = b"lw/errand/v1\0"
"""By a laptop without a network, over leave for a colleague's laptop to send and fetch for it (`leadworker.errand`)."""

SUCCESSION: Final = b"lw/new-root/v1\0"
"""By a second administrator, over a root key that replaces a lost one (`statements.succession_message`)."""

_P: Final = 2**255 - 19

# The canonical encodings of the eight points of small order: under them a signature can be forged for any
# message, and the library accepts them as keys (security C.1).
_SMALL_ORDER: Final = frozenset(
    bytes.fromhex(key)
    for key in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    )
)


def is_sound_signing_key(public: bytes) -> bool:
    """Return whether 32 bytes may be enrolled as an Ed25519 key: canonical, on the curve, not of small order."""
    if len(public) != 32:
        return False
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    if y >= _P:
        return False  # a second spelling of another key
    without_sign = public[:31] + bytes([public[31] & 0x7F])
    if public in _SMALL_ORDER or without_sign in _SMALL_ORDER:
        return False
    return _is_on_curve(y)


def is_sound_sealing_key(public: bytes) -> bool:
    """Return whether 32 bytes may be enrolled as an X25519 key: canonical and not of small order."""
    if len(public) != 32:
        return False
    u = int.from_bytes(public, "little")
    return u < _P and u not in _SMALL_ORDER_U


_SMALL_ORDER_U: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)


def is_signed(public: bytes, domain: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` over ``domain ‖ message`` was made with the private half of `public`."""
    try:
        _loaded(public).verify(signature, domain + message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4096)
def _loaded(public: bytes) -> Ed25519PublicKey:
    if not is_sound_signing_key(public):
        raise ValueError("not a sound signing key")
    return Ed25519PublicKey.from_public_bytes(public)


def _is_on_curve(y: int) -> bool:
    d = -121665 * pow(121666, _P - 2, _P) % _P
    x_squared = (y * y - 1) * pow(d * y * y + 1, _P - 2, _P) % _P
    return x_squared == 0 or pow(x_squared, (_P - 1) // 2, _P) == 1
