"""A key in a list until the screen is drawn again: 100,000 rows beside 100."""

from __future__ import annotations

import asyncio
import statistics
import time

from bench.timing import Row, ms

PRESSES = 30


def key_to_paint() -> list[Row]:
    """Press the down key in the house list and wait until the screen is drawn."""
    few, many = asyncio.run(_measure(100)), asyncio.run(_measure(100_000))
    ratio = many / few
    return [Row("key to paint, 100,000 rows over 100", ms(many), ms(few), ratio, "≤ 1.2", ratio <= 1.2)]


async def _measure(rows: int) -> float:
    from bench.list_app import ListApp

    app = ListApp(rows)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        seconds = []
        for _ in range(PRESSES):
            started = time.perf_counter()
            app.list.action_step(1)
            app.screen._compositor.render_strips()
            seconds.append(time.perf_counter() - started)
            await pilot.pause()
        return statistics.median(seconds)
