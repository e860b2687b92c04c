"""Who is asking: every request but the open ones is signed by a device of the directory, fresh, and used once (C.8)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
from collections.abc import Mapping
from typing import Final, NamedTuple

from sync import wire
from sync.hub import rules
from sync.hub.rules import Refusal
from sync.hub.store import Device

NONCES_PER_DEVICE: Final = 4096
_SWEEP_EVERY: Final = 4096
_HEX: Final = re.compile(r"[0-9a-f]+\Z")
_SHA_256: Final = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):\Z")


class Claim(NamedTuple):
    """What a request says of itself, before anything of it is believed."""

    device: bytes
    time_ms: int
    nonce: bytes
    signature: bytes
    errand: bytes = b""
    digest: bytes = wire.NO_BODY


def read_claim(headers: Mapping[str, str]) -> Claim:
    """Read the headers of a signed request; raise `Refusal` when one is missing or malformed."""
    time_text = headers.get(wire.TIME_HEADER, "")
    if not (time_text.isascii() and time_text.isdigit() and len(time_text) <= 15):
        raise _not_signed()
    return Claim(
        _bytes(headers, wire.DEVICE_HEADER, 16),
        int(time_text),
        _bytes(headers, wire.NONCE_HEADER, wire.NONCE_BYTES),
        _bytes(headers, wire.SIGNATURE_HEADER, rules.SIGNATURE_BYTES),
        _bytes(headers, wire.ERRAND_HEADER, wire.ERRAND_BYTES) if wire.ERRAND_HEADER in headers else b"",
        _digest(headers[wire.BODY_HEADER]) if wire.BODY_HEADER in headers else wire.NO_BODY,
    )


def check_signature(claim: Claim, signing: bytes, method: str, target: str) -> None:
    """Raise `Refusal` unless a key signed this request, with a body of the digest that it names."""
    message = wire.request_message(method, wire.errand_target(target, claim.errand), claim.time_ms, claim.nonce, claim.digest)
    if not wire.is_signed(signing, wire.REQUEST, message, claim.signature):
        raise _signature_wrong()


def check_claim(claim: Claim, device: Device | None, method: str, target: str, body: bytes, checked: bytes = b"") -> Device:
    """Return the asking device; raise `Refusal` unless it is enrolled, active, and signed exactly this request.

    `checked`: the key against which the signature was checked already, before the body was taken.
    """
    if device is None:
        raise device_unknown()
    if device.signing != checked:
        check_signature(claim, device.signing, method, target)
    if not hmac.compare_digest(hashlib.sha256(body).digest(), claim.digest):
        raise _signature_wrong()
    if not device.active:
        raise rules.revoked()
    return device


class Nonces:
    """Remembers which requests were seen, in bounded memory, so that a recorded one cannot be played again.

    A request is fresh for as long as the clock tolerance, so older ones need not be remembered. A device that asks
    very often has its oldest ones forgotten sooner, and from then on requests as old as those are refused too.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, dict[bytes, int]] = {}
        self._floors: dict[bytes, int] = {}
        self._lock = threading.Lock()
        self._until_sweep = _SWEEP_EVERY

    def use(self, claim: Claim, now_ms: int) -> None:
        """Note a request as seen; raise `Refusal` when it was before, or may have been."""
        with self._lock:
            self._until_sweep -= 1
            if self._until_sweep <= 0:
                self._sweep(now_ms)
            seen = self._seen.setdefault(claim.device, {})
            if claim.nonce in seen or claim.time_ms <= self._floors.get(claim.device, 0):
                raise replayed()
            seen[claim.nonce] = claim.time_ms
            if len(seen) > NONCES_PER_DEVICE:
                self._forget_half(claim.device, seen)

    def _forget_half(self, device: bytes, seen: dict[bytes, int]) -> None:
        middle = sorted(seen.values())[len(seen) // 2]
        self._floors[device] = middle
        self._seen[device] = {nonce: time for nonce, time in seen.items() if time > middle}

    def _sweep(self, now_ms: int) -> None:
        """Forget what is too old to be fresh again."""
        oldest = now_ms - wire.CLOCK_TOLERANCE_MS
        for device, seen in list(self._seen.items()):
            kept = {nonce: time for nonce, time in seen.items() if time >= oldest}
            if kept:
                self._seen[device] = kept
            else:
                del self._seen[device]
        self._floors = {device: floor for device, floor in self._floors.items() if floor >= oldest}
        self._until_sweep = _SWEEP_EVERY + sum(map(len, self._seen.values()))


def device_unknown() -> Refusal:
    """Return the refusal of a request that names a device which the directory does not."""
    return Refusal(
        "device_unknown",
        "The central store does not know this laptop. Nothing was sent, and what is written is safe. Join with an invite first.",
        401,
    )


def replayed() -> Refusal:
    """Return the refusal of a request that was seen before."""
    return Refusal(
        "replayed",
        "The central store has seen this very request before, so it did not act on it again. What is written is safe. Try again.",
        401,
    )


def _bytes(headers: Mapping[str, str], name: str, length: int) -> bytes:
    text = headers.get(name, "")
    if len(text) != 2 * length or not _HEX.match(text):
        raise _not_signed()
    return bytes.fromhex(text)


def _digest(text: str) -> bytes:
    found = _SHA_256.match(text)
    if found is None:
        raise _not_signed()
    return base64.b64decode(found[1])


def _signature_wrong() -> Refusal:
    return Refusal(
        "signature_wrong",
        "The signature of this request does not fit it, so the central store did not act on it. "
        "What is written is safe. Something between the laptop and the store may have altered it; try again.",
        401,
    )


def _not_signed() -> Refusal:
    return Refusal(
        "not_signed",
        "The central store answers only requests that a laptop of the organisation signed. Nothing was sent. "
        "Check the address, and that this leadworker is up to date.",
        401,
    )
