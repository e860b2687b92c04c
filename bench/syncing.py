"""The post: a first sync both ways through a central store in a process of its own, and a sync with nothing new."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.load import SMALL, Writer
from bench.timing import Row, ms, p50
from leadworker.clock import Moment, SystemClock
from leadworker.crypto import keys
from leadworker.desk import Desk
from leadworker.domain import journal, people
from leadworker.membership import Role
from leadworker.shelf import Shelf
from storage import opening
from storage.postbox import VaultPostbox
from storage.vault import Vault
from sync import joining
from sync.client import HubClient
from sync.exchange import Exchange, Result

FEW, MANY, FIRST = (200, 2_000, 2_000) if SMALL else (1_000, 100_000, 10_000)
CLOCK = SystemClock()


class _Laptop:
    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.vault: Vault
        self.vault, _ = opening.create(folder, name, "a b c d e f", memory_kib=keys.FLOOR_KIB, purpose="bench")
        self.desk = Desk(self.vault, name)
        self.box = VaultPostbox(self.vault)
        self.client = HubClient(url, self.box.device, self.box.sign, CLOCK)
        self.person = ""

    async def sync(self) -> Result:
        return await Exchange(self.box, self.client, CLOCK, lambda bell: None, lambda progress: None).run()


def first_sync(folder: Path) -> list[Row]:
    """Push 10,000 changes from one laptop and pull them on another: changes a second, each way."""
    return asyncio.run(_with_hub(folder, "first", _first_sync))


def nothing_new(folder: Path) -> list[Row]:
    """A sync with nothing to send and nothing to receive, beside one with a hundredth of the history."""
    return asyncio.run(_with_hub(folder, "many", _nothing_new))


async def _first_sync(ruth: _Laptop, alex: _Laptop) -> list[Row]:
    _write(alex, FIRST)
    started = time.perf_counter()
    pushed = await alex.sync()
    push = pushed.sent / (time.perf_counter() - started)
    started = time.perf_counter()
    pulled = await ruth.sync()
    pull = pulled.received / (time.perf_counter() - started)
    return [
        Row(f"first sync, push of {FIRST:,} changes", f"{push:,.0f} a second", "", None, "≥ 8,000 a second", push >= 8000),
        Row(f"first sync, pull of {FIRST:,} changes", f"{pull:,.0f} a second", "", None, "≥ 8,000 a second", pull >= 8000),
    ]


async def _nothing_new(ruth: _Laptop, alex: _Laptop) -> list[Row]:
    _write(alex, FEW)
    await alex.sync()
    few = [await _seconds(alex) for _ in range(30)]
    _write(alex, MANY - FEW)
    await alex.sync()
    many = [await _seconds(alex) for _ in range(30)]
    ratio = p50(many) / p50(few)
    return [Row(f"nothing-new sync, {MANY:,} changes over {FEW:,}", ms(p50(many)), ms(p50(few)), ratio, "≤ 1.1", ratio <= 1.1)]


async def _seconds(laptop: _Laptop) -> float:
    started = time.perf_counter()
    await laptop.sync()
    return time.perf_counter() - started


def _write(laptop: _Laptop, count: int) -> None:
    writer = Writer(3)
    now = Moment.of(CLOCK.now())
    person = laptop.person or laptop.desk.do_now(people.add, writer.words(2))
    laptop.person = person
    while count > 0:
        some = min(count, 10_000)
        laptop.desk.do_now(_some, writer, now, person, some)
        count -= some


def _some(shelf: Shelf, writer: Writer, now: Moment, person: str, count: int) -> None:
    for _ in range(count):
        journal.write(shelf, writer.entry(person, now))


async def _with_hub(folder: Path, name: str, work: Callable[[_Laptop, _Laptop], Awaitable[list[Row]]]) -> list[Row]:
    database = folder / f"{name}-hub.db"
    code = (
        "import sys\nimport leadworker\nfrom sync.hub.serve import EmbeddedHub\n"
        "with EmbeddedHub(sys.argv[1]) as hub:\n    print(hub.url, hub.setup_code, flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-P", "-c", code, str(database)]
    hub = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert hub.stdout is not None
        url, setup_code = hub.stdout.readline().split()
        ruth, alex = _Laptop(folder / f"{name}-ruth", "Ruth", url), _Laptop(folder / f"{name}-alex", "Alex", url)
        await joining.set_up(ruth.box, ruth.client, setup_code, "Bench", "Ruth", role=Role.SUPERVISOR, team="T")
        invite = await joining.invite(ruth.box, ruth.client, CLOCK, "Alex", role=Role.KEY_WORKER, team="T")
        await joining.ask_to_join(alex.box, alex.client, " ".join(invite.words))
        await ruth.sync()
        await alex.sync()
        rows = await work(ruth, alex)
        for laptop in (ruth, alex):
            await laptop.client.close()
            laptop.vault.close()
        return rows
    finally:
        hub.kill()
        hub.wait()

