"""Saved here until seen on a colleague's open screen: two laptops with their posts running, and a store, each in a process of its own.

``python -m bench.live [ways]`` prints the figures alone; with ``ways`` it also measures how else a laptop could come to know
(docs/decisions/0017).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import load
from bench.stores import both
from bench.syncing import PASSPHRASE, made, working
from bench.timing import Row, ms, p50, p99
from leadworker.domain import journal, people
from sync.live import Hearing
from sync.runner import Pace

if TYPE_CHECKING:
    from textual.pilot import Pilot

TIMES = 50 if load.SMALL else 200
BAR_S = 0.1
ON_A_PAGE = 5
"""Notes that fit on a page at once: a page that is longer than the screen stays where its reader is."""

STREAM = Hearing()
WAITING = Hearing(hello_s=0)
"""A stream that is not waited for: the request that waits takes its place."""

EVERY_SECOND = Pace(every_s=1)


def saved_to_seen(where: Path) -> list[Row]:
    """The rows of ``make bench``: server-sent events, over either store."""
    rows = []
    with both(where) as databases:
        for store, new in databases.items():
            taken = asyncio.run(_measure(where / f"live {store}", new("live"), STREAM, Pace()))
            rows.append(_row(f"saved to seen on a colleague's screen, {store}", taken))
    return rows


def _row(measure: str, taken: list[float]) -> Row:
    held = p99(taken) < BAR_S
    detail = {"p50_ms": p50(taken) * 1000, "p99_ms": p99(taken) * 1000, "times": float(len(taken))}
    return Row(measure, f"p50 {ms(p50(taken))}, p99 {ms(p99(taken))}", "", None, "p99 < 100 ms", held, detail)


async def _measure(folder: Path, database: str, hearing: Hearing | None, pace: Pace, times: int = TIMES) -> list[float]:
    """Return the seconds from a save on Alex's laptop until Ruth's open page of that person has painted it."""
    async with working(made(folder), database) as office:
        persons = [office.alex.desk.do_now(people.add, f"Somebody Invented {at}") for at in range(-(-times // ON_A_PAGE))]
        await office.alex.sync()
        await office.ruth.sync()
        office.alex.vault.close()
        office.ruth.vault.close()
        taken: list[float] = []
        with _writer(folder / "alex") as pen:
            async with _open_screen(folder / "ruth", hearing, pace) as (app, pilot):
                if hearing is not None:
                    await _until(lambda: bool(app.desk.post.state.notices))
                for person in persons:
                    app.open_person(person)
                    await pilot.pause()
                    taken += [await _once(pen, app, person, f"note{number}") for number in range(ON_A_PAGE)]
                    await app.pop_screen()
    return taken


async def _once(pen: subprocess.Popen[str], app: Any, person: str, title: str) -> float:
    await asyncio.sleep(0.2 + random.random() / 10)
    assert pen.stdin is not None
    assert pen.stdout is not None
    pen.stdin.write(f"{person} {title}\n")
    pen.stdin.flush()
    await _until(lambda: title in {getattr(entry, "title", "") for entry in app.page.entries.items})
    await _until(lambda: title in _painted(app))
    return time.perf_counter() - float(pen.stdout.readline())


@contextlib.contextmanager
def _writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the writing laptop in a process of its own. The clock that both read is the machine's."""
    command = [sys.executable, "-m", "bench.live", "write", str(folder)]
    pen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert pen.stdout is not None
    pen.stdout.readline()  # its post is up
    try:
        yield pen
    finally:
        assert pen.stdin is not None
        pen.stdin.close()
        pen.wait()


async def _write(folder: Path) -> None:
    """Save what standard input asks for, a person and a title a line, and say when each was saved."""
    from leadworker import wiring

    desk = await wiring.VaultDoor(folder).open(PASSPHRASE)
    await _until(lambda: bool(desk.post.state.notices))
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        person, title = line.split()
        await desk.do(journal.write, journal.NewEntry(person, title=title))
        print(time.perf_counter(), flush=True)
    await desk.close()


def _painted(app: Any) -> str:
    return "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)


async def _until(true: Any) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is painted rings no bell
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def _open_screen(folder: Path, hearing: Hearing | None, pace: Pace) -> AsyncIterator[tuple[Any, Pilot[Any]]]:
    """Open a vault's screens without a terminal, on Today, with the post running as it always does."""
    from leadworker import wiring
    from screens.app import LeadworkerApp

    door = wiring.VaultDoor(folder)
    app = LeadworkerApp(door, theme="dusk")
    async with app.run_test(size=(100, 30)) as pilot:
        desk = await door.open(PASSPHRASE)
        runner: Any = desk.post
        runner._pace, runner._hearing = pace, hearing
        await app.enter(desk)
        await pilot.pause()
        yield app, pilot
        await pilot.pause(0.2)
    await desk.close()


def _ways(where: Path) -> list[Row]:
    rows = []
    with both(where) as databases:
        for store, new in databases.items():
            for name, hearing, pace, times in (
                ("server-sent events", STREAM, Pace(), TIMES), ("a request that waits", WAITING, Pace(), TIMES),
                ("asking every second", None, EVERY_SECOND, 60),
            ):  # fmt: skip
                taken = asyncio.run(_measure(where / f"{store} {name}", new(name), hearing, pace, times))
                rows.append(_row(f"{name}, {store}", taken))
    return rows


if __name__ == "__main__" and sys.argv[1:2] == ["write"]:
    asyncio.run(_write(Path(sys.argv[2])))
elif __name__ == "__main__":
    place = load.folder()
    try:
        for row in (_ways if sys.argv[1:] == ["ways"] else saved_to_seen)(place):
            print(f"{row.measure:55} {row.ours}")
    finally:
        load.throw_away(place)
