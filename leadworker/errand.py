"""Leave that a laptop without a network gives a colleague's laptop: to send and to fetch for it (docs/decisions/0025).

Whoever goes on an errand carries what stays sealed. It gives them no key, and lets them say nothing in the other's name:
each change is signed by the laptop that wrote it, and an errand opens only the requests that send and fetch.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable
from typing import Final

import msgspec

from leadworker import proof

LIFE_MS: Final = 14 * 24 * 3600 * 1000
"""For how long an errand holds after it was given; a stick may lie in a drawer over a holiday."""

EARLY_MS: Final = 24 * 3600 * 1000
"""How far the clock of who gave it may be ahead: it stood in a house without a network, where nothing sets it right."""

_FORM: Final = struct.Struct(">16sQ16s64s")
BYTES: Final = _FORM.size
"""How many bytes an errand has as it travels."""


class Errand(msgspec.Struct, frozen=True):
    """An errand for the laptop `device`, given at `made_ms` (UTC) by its own clock; each one has another `nonce`."""

    device: bytes
    made_ms: int
    nonce: bytes
    signature: bytes

    def __bytes__(self) -> bytes:
        """Return it as it travels: 104 bytes."""
        return _FORM.pack(self.device, self.made_ms, self.nonce, self.signature)

    def is_given(self, signing: bytes, hub: bytes) -> bool:
        """Return whether the laptop with this signing key gave it, for this central store."""
        return proof.is_signed(signing, proof.ERRAND, _message(hub, self.device, self.made_ms, self.nonce), self.signature)

    def holds(self, now_ms: int) -> bool:
        """Return whether it is neither too old nor from too far ahead."""
        return -EARLY_MS <= now_ms - self.made_ms <= LIFE_MS


def give(device: bytes, now_ms: int, hub: bytes, sign: Callable[[bytes, bytes], bytes]) -> Errand:
    """Return a fresh errand for one's own laptop. `hub` is the central store's public key."""
    nonce = secrets.token_bytes(16)
    return Errand(device, now_ms, nonce, sign(proof.ERRAND, _message(hub, device, now_ms, nonce)))


def read(raw: bytes) -> Errand:
    """Read an errand; raise `ValueError` for anything of another length."""
    if len(raw) != BYTES:
        raise ValueError("not an errand")
    return Errand(*_FORM.unpack(raw))


def target(asked: str, errand: bytes) -> str:
    """Return what a request's signature names as its target: with the errand, where it is asked on one."""
    return f"{asked}#{errand.hex()}" if errand else asked


def _message(hub: bytes, device: bytes, made_ms: int, nonce: bytes) -> bytes:
    return hub + device + made_ms.to_bytes(8, "big") + nonce
