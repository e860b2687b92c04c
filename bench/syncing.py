"""The post: a first sync both ways through a central store in a process of its own, and a sync with nothing new."""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from bench.load import SMALL, Writer
from bench.timing import Row, ms, of_pairs, p50
from leadworker.clock import Moment, SystemClock
from leadworker.crypto import keys
from leadworker.desk import Desk
from leadworker.domain import journal, people
from leadworker.shelf import Shelf
from leadworker.statements import Role
from storage import opening
from storage.postbox import VaultPostbox
from storage.vault import Vault
from sync import inviting, joining
from sync.client import HubClient
from sync.exchange import Exchange, Result

FEW, MANY, FIRST = (200, 2_000, 2_000) if SMALL else (1_000, 100_000, 10_000)
ROUNDS = 3
QUIET_SYNCS = 600
CLOCK = SystemClock()
PASSPHRASE = "a b c d e f"


class Laptop:
    """A vault with its post, whose syncs are asked for one by one."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.vault: Vault
        self.vault, _ = opening.create(folder, name, PASSPHRASE, memory_kib=keys.FLOOR_KIB, purpose="bench")
        self.desk = Desk(self.vault, name)
        self.box = VaultPostbox(self.vault)
        self.client = HubClient(url, self.box.device, self.box.sign, CLOCK)
        self.person = ""

    async def sync(self) -> Result:
        return await Exchange(self.box, self.client, CLOCK, lambda bell: None, lambda progress: None).run()


class Office(msgspec.Struct):
    """A central store with a supervisor's laptop and a key worker's, both of whom it knows."""

    ruth: Laptop
    alex: Laptop


def first_sync(folder: Path) -> list[Row]:
    """Push 10,000 changes from one laptop and pull them on another: changes a second each way, the median of three runs."""
    runs = [asyncio.run(_first_sync(_made(folder / f"first {turn}"))) for turn in range(ROUNDS)]
    rows = []
    for at, way in enumerate(("push", "pull")):
        speed = statistics.median(run[at] for run in runs)
        measure = f"first sync, {way} of {FIRST:,} changes"
        rows.append(Row(measure, f"{speed:,.0f} a second", "", None, "≥ 8,000 a second", speed >= 8000))
    return rows


async def first_sync_of(folder: Path, count: int, database: str = "") -> tuple[float, float]:
    """Return the seconds that the push of so many changes took, and their pull on another laptop."""
    async with working(_made(folder), database) as office:
        _write(office.alex, count)
        started = time.perf_counter()
        pushed = await office.alex.sync()
        between = time.perf_counter()
        pulled = await office.ruth.sync()
        ended = time.perf_counter()
    assert pushed.sent >= count, "not everything was sent"
    assert pulled.received >= count, "not everything came"
    return between - started, ended - between


def nothing_new(folder: Path) -> list[Row]:
    """A sync with nothing to send and nothing to receive, beside one with a hundredth of the history, in pairs."""
    few, many = asyncio.run(_nothing_new(_made(folder / "few"), _made(folder / "many")))
    ratio = of_pairs(many, few)
    return [Row(f"nothing-new sync, {MANY:,} changes over {FEW:,}", ms(p50(many)), ms(p50(few)), ratio, "≤ 1.1", ratio <= 1.1)]


async def _first_sync(folder: Path) -> tuple[float, float]:
    async with working(folder) as office:
        _write(office.alex, FIRST)
        started = time.perf_counter()
        pushed = await office.alex.sync()
        between = time.perf_counter()
        pulled = await office.ruth.sync()
        ended = time.perf_counter()
    return pushed.sent / (between - started), pulled.received / (ended - between)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _nothing_new(few_folder: Path, many_folder: Path) -> tuple[list[float], list[float]]:
    """Two offices, each with a store of its own, so that neither the laptop's history nor the store's may count."""
    async with working(few_folder) as small, working(many_folder) as large:
        for office, count in ((small, FEW), (large, MANY)):
            _write(office.alex, count)
            await office.alex.sync()
            await office.alex.sync()
        few: list[float] = []
        many: list[float] = []
        for _ in range(QUIET_SYNCS):
            for office, into in random.sample([(small, few), (large, many)], 2):
                started = time.perf_counter()
                await office.alex.sync()
                into.append(time.perf_counter() - started)
    return few, many


def _write(laptop: Laptop, count: int) -> None:
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


@contextlib.asynccontextmanager
async def working(folder: Path, database: str = "") -> AsyncIterator[Office]:
    """Run a store in a process of its own, on a fresh file unless a database is named, and let two laptops join."""
    code = (
        "import sys\nimport leadworker\nfrom sync.hub.serve import EmbeddedHub\n"
        "with EmbeddedHub(sys.argv[1]) as hub:\n    print(hub.url, hub.setup_code, flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-P", "-c", code, database or str(folder / "hub.db")]
    hub = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert hub.stdout is not None
        url, setup_code = hub.stdout.readline().split()
        ruth, alex = Laptop(folder / "ruth", "Ruth", url), Laptop(folder / "alex", "Alex", url)
        await joining.set_up(ruth.box, ruth.client, setup_code, "Bench", "Ruth", role=Role.SUPERVISOR, team="T")
        invite = await inviting.invite(ruth.box, ruth.client, CLOCK, "Alex", role=Role.KEY_WORKER, team="T")
        await joining.ask_to_join(alex.box, alex.client, " ".join(invite.words))
        await ruth.sync()
        await alex.sync()
        yield Office(ruth, alex)
        for laptop in (ruth, alex):
            await laptop.client.close()
            laptop.vault.close()
    finally:
        hub.kill()
        hub.wait()
