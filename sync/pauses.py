"""Gives the central store the pauses that it asks for, where giving up would lose what was done so far."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

from leadworker.errors import Refused

LONGEST_PAUSE_S: Final = 60.0
MOST_PAUSES: Final = 5

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


def in_its_time(
    ask: Callable[Asked, Awaitable[Answer]], waits: Callable[[], None] = lambda: None
) -> Callable[Asked, Awaitable[Answer]]:  # fmt: skip
    """Return a request that is asked again after each pause that the store asks for; `waits` is told of each.

    It raises what the request raises: also the refusal that asks for too long a pause, or for one too often in a row.
    """

    async def patient(*args: Asked.args, **named: Asked.kwargs) -> Answer:
        for _ in range(MOST_PAUSES):
            try:
                return await ask(*args, **named)
            except Refused as refusal:
                if not 0 < refusal.retry_after_s <= LONGEST_PAUSE_S:
                    raise
                waits()
                await asyncio.sleep(refusal.retry_after_s)
        return await ask(*args, **named)

    return patient
