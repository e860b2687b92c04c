"""Which devices the store found in force lately: room for a body is given before its signature can be checked (C.8)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

GOOD_FOR_S: Final = 120.0
"""A laptop asks for news once a minute, so that one which is used is not looked up for this at all."""

_MOST_KEPT: Final = 100_000


class RecentDevices:
    """Devices that were active a moment ago. It decides about room and about nothing else: each request is checked in full.

    Threads may share it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def note(self, device: bytes) -> None:
        """Note a device that was active when it was looked up just now."""
        with self._lock:
            self._until.pop(device, None)
            self._until[device] = self._clock() + GOOD_FOR_S  # the latest stand at the end
            if len(self._until) > _MOST_KEPT:
                del self._until[next(iter(self._until))]

    def __contains__(self, device: bytes) -> bool:
        return self._until.get(device, 0.0) > self._clock()
