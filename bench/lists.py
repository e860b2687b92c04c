"""A key in a list until the screen is drawn again: 100,000 rows beside 100, in one app, a few presses each in turn."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from textual.pilot import Pilot

from bench.timing import Row, ms, of_pairs, p50

if TYPE_CHECKING:
    from bench.list_app import ListApp

FEW, MANY = 100, 100_000
TURNS = 20
PRESSES = 30


def key_to_paint() -> list[Row]:
    """Press the down key in the house list and wait until the screen is drawn."""
    few, many = asyncio.run(_measure())
    ratio = of_pairs(many, few)
    return [Row(f"key to paint, {MANY:,} rows over {FEW}", ms(p50(many)), ms(p50(few)), ratio, "≤ 1.2", ratio <= 1.2)]


async def _measure() -> tuple[list[float], list[float]]:
    """Return the seconds of one key with few rows and with many, a median of each turn."""
    from bench.list_app import ListApp

    app = ListApp()
    few: list[float] = []
    many: list[float] = []
    async with app.run_test(size=(100, 30)) as pilot:
        for _ in range(TURNS):
            for rows, into in random.sample([(FEW, few), (MANY, many)], 2):
                app.list.show(range(rows))
                app.list.action_first()
                await pilot.pause()
                into.append(p50([await _press(app, pilot) for _ in range(PRESSES)]))
    return few, many


async def _press(app: ListApp, pilot: Pilot[Any]) -> float:
    started = time.perf_counter()
    app.list.action_step(1)
    app.screen._compositor.render_strips()
    seconds = time.perf_counter() - started
    await pilot.pause()
    return seconds
