"""How much one laptop and one address may ask of the store, and how much it keeps for a laptop and for a book (C.8).

The figures are data in the store's settings, so that whoever runs it can change them while it serves. How often somebody
asked is counted by each hub process for itself; bytes are counted in the database, exactly.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from sync.hub.rules import Refusal
from sync.hub.store import HubTrouble

SETTING: Final = "allowance"
READ_EVERY_S: Final = 10.0
_MOST_KEPT: Final = 100_000
_GIB: Final = 1024**3


class Allowance(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """The figures: requests a second that go on for ever, requests at once after a pause, and bytes kept.

    A laptop's first sync of 200 casebooks asks about 600 times; an office of 500 laptops comes from one address, and what
    is asked without a signature (which organisation, joining, health) is asked by that address.
    """

    device_per_second: float = 20.0
    device_at_once: int = 3000
    address_per_second: float = 20.0
    address_at_once: int = 1500
    device_bytes: int = 10 * _GIB
    book_bytes: int = 10 * _GIB


def read(kept: bytes | None) -> Allowance:
    """Return the figures as they are kept; the usual ones for what is missing, or when what is kept makes no sense."""
    try:
        return Allowance() if kept is None else check(msgspec.json.decode(kept, type=Allowance))
    except (msgspec.DecodeError, HubTrouble):
        return Allowance()


def check(wanted: Allowance) -> Allowance:
    """Return figures with which a store can work; raise `HubTrouble` for others."""
    if not all(0 < value < 2**53 for value in msgspec.structs.astuple(wanted)):
        raise HubTrouble("Each of these figures is a number above zero. Nothing was changed.")
    return wanted


class Buckets:
    """How much is left for each key: a bucket that holds `at_once` and refills with `per_second`. Threads may share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[bytes, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: bytes, per_second: float, at_once: int) -> float:
        """Take one; return 0, or the seconds after which there is one again."""
        with self._lock:
            now = self._clock()
            left, since = self._left.pop(key, (float(at_once), now))
            left = min(float(at_once), left + (now - since) * per_second)
            wait = 0.0 if left >= 1 else (1 - left) / per_second
            self._left[key] = (left - 1 if left >= 1 else left, now)  # the latest stand at the end
            if len(self._left) > _MOST_KEPT:
                del self._left[next(iter(self._left))]
            return wait


def address_key(host: str) -> bytes:
    """Return what counts as one address: an IPv4 address, or an IPv6 network of the size that one household is given."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.encode("utf-8", "replace")[:64]
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped.packed if address.ipv4_mapped else address.packed[:8]
    return address.packed


def too_often(wait_s: float) -> Refusal:
    """Return the refusal of somebody who asks too often, with the seconds after which they may ask again.

    The wait is made a little longer than it must be: whoever comes back after it gets some way before the next one.
    """
    seconds = max(5, round(wait_s) + 1)
    return Refusal(
        "too_often",
        f"The central store was asked more often than it allows, so it asks for a pause of {seconds} seconds. Nothing of this "
        "request was taken, and what is written is safe. It goes on by itself.",
        429,
        retry_after_s=seconds,
    )


def check_room(allowed: Allowance, device_size: int, book_size: int, new: int) -> None:
    """Raise `Refusal` when `new` bytes find no room. Sizes are of what is kept already, in bytes."""
    if device_size + new > allowed.device_bytes:
        raise Refusal(
            "device_full",
            f"This laptop has written as much as the central store keeps of one laptop ({_size(allowed.device_bytes)}), so it did "
            "not take more. Everything is safe on the laptop. Ask whoever runs the central store to make more room.",
            413,
        )
    if book_size + new > allowed.book_bytes:
        raise Refusal(
            "book_full",
            f"This casebook holds as much as the central store keeps of one casebook ({_size(allowed.book_bytes)}), so it did not "
            "take more. Everything is safe on the laptop. Ask whoever runs the central store to make more room.",
            413,
        )


def _size(count: int) -> str:
    for unit, size in (("GiB", _GIB), ("MiB", 1024**2), ("KiB", 1024)):
        if count >= size:
            return f"{count / size:,.4g} {unit}"
    return f"{count} bytes"
