"""The clock of a laptop whose three months are being told: set for the telling, then this computer's own again."""

from __future__ import annotations

from datetime import datetime

from leadworker.clock import Clock, SystemClock


class StoryClock:
    """Implements `leadworker.clock.Clock`. It shows the real time until it is `set`, and again after `go_on`."""

    def __init__(self, real: Clock | None = None) -> None:
        self._real: Clock = real or SystemClock()
        self._told: datetime | None = None

    def set(self, when: datetime) -> None:
        """Stand still at `when`; a naive one is taken as local time."""
        self._told = when.astimezone() if when.tzinfo is None else when

    def go_on(self) -> None:
        """Follow the real clock again."""
        self._told = None

    def now(self) -> datetime:
        """Return the moment of the story, or the real one; aware."""
        return self._told or self._real.now()

    def steady(self) -> float:
        """Return the real clock's seconds, also while the story is told: waits are real."""
        return self._real.steady()
