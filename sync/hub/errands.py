"""Whether a laptop may send and fetch for another, which gave it leave while it had no network (docs/decisions/0025)."""

from __future__ import annotations

from sync import wire
from sync.hub.rules import Refusal
from sync.hub.store import Device

_SAFE = "Nothing was taken or handed out, and what is in the file and on both laptops is as it was."


def check(raw: bytes, giver: Device | None, hub: bytes, now_ms: int) -> Device:
    """Return for whom an errand lets somebody ask; raise `Refusal` unless an active laptop gave it, for this store, not long ago.

    `giver` is the laptop that it names, as the directory knows it.
    """
    errand = wire.read_errand(raw)
    if giver is None or not errand.is_given(giver.signing, hub):
        raise Refusal("errand_wrong", f"The laptop that this file names did not sign it for this central store. {_SAFE}", 403)
    if not giver.active:
        raise Refusal("errand_revoked", f"The laptop that wrote this file was taken out of the organisation. {_SAFE}", 403)
    if not errand.holds(now_ms):
        raise Refusal(
            "errand_old",
            f"This file was written more than two weeks ago, or by a clock that is wrong. {_SAFE} Set that laptop's clock right, and "
            "have it write the file again.",
            403,
        )
    return giver


def not_for_this() -> Refusal:
    """Return the refusal of a request that nobody may make for another."""
    return Refusal("errand_not_for_this", f"For another laptop one can only send and fetch. {_SAFE}", 403)
