"""Which devices the store found in force lately, and their keys: a request is checked before its body is taken (C.8)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

GOOD_FOR_S: Final = 120.0
"""A laptop asks for news once a minute, so that one which is used is not looked up for this at all."""

_MOST_KEPT: Final = 100_000


class RecentDevices:
    """The signing keys of devices that were active a moment ago. A device never has another key; whether it is still in force is
    looked up for each request, once its body is here. Threads may share it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[bytes, tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def note(self, device: bytes, signing: bytes) -> None:
        """Note a device that was active when it was looked up just now, and its key."""
        with self._lock:
            self._kept.pop(device, None)
            self._kept[device] = self._clock() + GOOD_FOR_S, signing  # the latest stand at the end
            if len(self._kept) > _MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def signing_of(self, device: bytes) -> bytes:
        """Return the signing key of a device that was noted lately, empty for another one."""
        until, signing = self._kept.get(device, (0.0, b""))
        return signing if until > self._clock() else b""
