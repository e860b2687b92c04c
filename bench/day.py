"""A day's work: a laptop sends the 40 notes of its day and receives the 200 that its colleagues wrote, in one sync."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from bench.load import SMALL
from bench.relay import Passed, counting
from bench.stores import Databases
from bench.syncing import CLOCK, Laptop, Office, made, working, write
from bench.timing import Row, ms, p50
from sync.client import HubClient

SENT, RECEIVED = 40, 200
HISTORY = 200 if SMALL else 2_000
DAYS = 3 if SMALL else 15
WORDS = 783
"""Characters that a note of `bench.load` has on average, the bare words of it."""


def days_work(where: Path, databases: Databases) -> list[Row]:
    """Rows for each kind of store: the time of that sync, and the bytes of each change on the line, both ways."""
    rows = []
    for store, new in databases.items():
        taken, passed, quiet = asyncio.run(_days(made(where / f"day {store}"), new("day")))
        up, down = passed.up / SENT, passed.down / RECEIVED
        detail = {"fastest_ms": min(taken) * 1000, "slowest_ms": max(taken) * 1000}
        rows.append(Row(f"day's work, {SENT} sent and {RECEIVED} received, {store}", ms(p50(taken)), "", None, "", None, detail))
        rows.append(Row("  on the line, a change sent", f"{up:,.0f} bytes", f"{WORDS} of words", up / WORDS, "", None))
        rows.append(Row("  on the line, a change received", f"{down:,.0f} bytes", f"{WORDS} of words", down / WORDS, "", None))
        rows.append(Row("  on the line, a sync with nothing new", f"{quiet.up + quiet.down:,} bytes", "", None, "", None))
    return rows


async def _days(folder: Path, database: str) -> tuple[list[float], Passed, Passed]:
    """Return the seconds of each day's sync, and what passed on the last day and in a sync with nothing new."""
    async with working(folder, database) as office:
        write(office.alex, HISTORY)
        await office.alex.sync()
        await office.ruth.sync()
        taken = [await _day(office) for _ in range(DAYS)]
        async with counting(office.alex.client.url) as (url, passed):
            async with _by(office.alex, url):
                await _day(office)
                worked = Passed(passed.up, passed.down)
                await office.alex.sync()
            return taken, worked, Passed(passed.up - worked.up, passed.down - worked.down)


async def _day(office: Office) -> float:
    """Let Ruth write and send what Alex is to receive, and Alex what he sends; return how long his sync takes."""
    write(office.ruth, RECEIVED, at_once=1, about=office.alex.person)
    await office.ruth.sync()
    write(office.alex, SENT, at_once=1)
    seconds, result = await office.alex.timed_sync()
    assert (result.sent, result.received) == (SENT, RECEIVED), "not the day's work"
    return seconds


@contextlib.asynccontextmanager
async def _by(laptop: Laptop, url: str) -> AsyncIterator[None]:
    straight, laptop.client = laptop.client, HubClient(url, laptop.box.device, laptop.box.sign, CLOCK)
    try:
        yield
    finally:
        await laptop.client.close()
        laptop.client = straight
