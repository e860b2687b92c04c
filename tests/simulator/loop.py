"""An event loop whose time is invented: where nothing is ready, the clock goes on to the next thing that is due."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Leap(selectors.SelectSelector):
    """Waits for no socket: there is none. A wait is a leap of the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing is under way in this world, and nothing ever will be")
        if timeout > 0:
            self.now += timeout
        return []


class InventedLoop(asyncio.SelectorEventLoop):
    """One thread, one order, and seconds that cost nothing."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        return self._leap.now

    def call_soon_threadsafe(self, callback: Any, *given: Any, context: Any = None) -> asyncio.Handle:
        return self.call_soon(callback, *given, context=context)  # there is one thread


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a world to its end."""
    loop = InventedLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()
