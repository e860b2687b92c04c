"""The only reader of time, and the hybrid clock that breaks ties between changes (security D.3).

Times of events are kept as `Moment`: milliseconds since 1970 UTC plus the writer's offset in minutes,
so that they sort exactly and still read as the clock on the writer's wall.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Protocol

EARLIEST_MS = -62_135_424_000_000
"""The first moment that can be shown, two days into the year 1, so that no time zone leads out of the calendar."""

LATEST_MS = 253_402_128_000_000
"""The last moment that can be shown, two days before the end of the year 9999."""

MOST_OFFSET = 24 * 60 - 1
"""Minutes that a clock may be east or west of UTC."""

MOST_DRIFT_MS = 5 * 60 * 1000
"""How far a received clock may pull ours ahead (D.3): a wrong laptop cannot drag the others."""


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A point in time as somebody's clock showed it. `ms` is UTC; `offset` is minutes east of UTC."""

    ms: int
    offset: int = 0

    @classmethod
    def of(cls, when: datetime) -> Moment:
        """Make one from an aware datetime; a naive one is taken as local time."""
        aware = when.astimezone() if when.tzinfo is None else when
        shift = aware.utcoffset() or timedelta()
        return cls(round(aware.timestamp() * 1000), int(shift.total_seconds() // 60))

    def local(self) -> datetime:
        """Return the aware datetime that the writer's clock showed; what no calendar holds reads as its first or last day."""
        zone = timezone(timedelta(minutes=min(max(self.offset, -MOST_OFFSET), MOST_OFFSET)))
        ms = min(max(self.ms, EARLIEST_MS), LATEST_MS)
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).astimezone(zone)

    def is_on_calendar(self) -> bool:
        """Return whether this is a moment that a clock can have shown."""
        return EARLIEST_MS <= self.ms <= LATEST_MS and abs(self.offset) <= MOST_OFFSET

    def day(self) -> date:
        """Return the day on the writer's calendar."""
        return self.local().date()


class Clock(Protocol):
    """What the product asks of time. Tests give a fixed or a lying one."""

    def now(self) -> datetime:
        """Return the present moment, aware, in local time."""

    def steady(self) -> float:
        """Return seconds that only ever grow, unmoved by anyone setting the clock."""


class SystemClock:
    """This computer's clock."""

    def now(self) -> datetime:
        return datetime.now().astimezone()

    def steady(self) -> float:
        return time.monotonic()


class HybridClock:
    """Stamps changes so that later-in-knowledge sorts later even when wall clocks disagree (D.3).

    A stamp is 48 bits of milliseconds and 16 bits of counter. It never goes back, also not across a
    restart when started with the `last` stamp that was kept. It breaks ties; it never decides over
    somebody who had seen the other's change.
    """

    def __init__(self, clock: Clock, last: int = 0) -> None:
        self._clock = clock
        self.last = last

    def stamp(self, now_ms: int) -> int:
        """Return the next stamp for a change that is written here, now (UTC milliseconds by our own clock)."""
        self.last = max(self.last + 1, now_ms << 16)
        return self.last

    def saw(self, received: int) -> None:
        """Take note of a received stamp, at most five minutes ahead of our own clock."""
        limit = (int(self._clock.now().timestamp() * 1000) + MOST_DRIFT_MS) << 16
        self.last = max(self.last, min(received, limit))
