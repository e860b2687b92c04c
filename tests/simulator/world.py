"""What a world has of its own: its seed's chances, its time, and the trace of everything that happened in it."""

from __future__ import annotations

import asyncio
import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.simulator.edge import Edge

BEGIN: Final = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
YEAR_S: Final = 366 * 86_400.0


class World:
    """One seed's world. Streams of chance are apart, so that one more draw of the weather does not change the story."""

    def __init__(self, seed: int | str, folder: Path) -> None:
        self.seed = seed
        self.folder = folder
        self.edge = Edge(f"{seed}/keys")
        self.edge.now_ms = self.now_ms
        self.story = random.Random(f"{seed}/story")
        self.weather = random.Random(f"{seed}/weather")
        self.stick = random.Random(f"{seed}/stick")
        self.trace: list[str] = []
        self._hash = hashlib.sha256()

    def seconds(self) -> float:
        """Return how many seconds this world has been going."""
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        """Return the true time of this world."""
        return BEGIN + timedelta(seconds=self.seconds())

    def now_ms(self) -> int:
        """Return it in milliseconds since 1970 UTC."""
        return int(self.now().timestamp() * 1000)

    def note(self, who: str, what: str) -> None:
        """Write one line into the trace."""
        line = f"{self.seconds():10.3f} {who}: {what}"
        self.trace.append(line)
        self._hash.update(line.encode() + b"\n")

    def hash(self) -> str:
        """Return SHA-256 over the trace so far."""
        return self._hash.hexdigest()


class WorldClock:
    """A laptop's clock, which may be wrong by any number of seconds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wrong_by = 0.0

    def now(self) -> datetime:
        return self.world.now() + timedelta(seconds=self.wrong_by)

    def steady(self) -> float:
        return self.world.seconds()
