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

from bench.load import SMALL, Writer, settle
from bench.stores import Databases
from bench.timing import Row, ms, of_pairs, p50, processor_s
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

    async def timed_sync(self) -> tuple[float, Result]:
        """Sync once; return the seconds that it took, and what it did."""
        started = time.perf_counter()
        result = await self.sync()
        return time.perf_counter() - started, result


class Office(msgspec.Struct):
    """A central store with a supervisor's laptop and a key worker's, both of whom it knows."""

    ruth: Laptop
    alex: Laptop
    hub: int
    """The store's process."""


def first_sync(where: Path, databases: Databases) -> list[Row]:
    """Push 10,000 changes from one laptop and pull them on another, over each kind of store: changes a second, medians."""
    runs: dict[str, list[tuple[float, float, float]]] = {store: [] for store in databases}
    for turn in range(ROUNDS):
        for store, new in databases.items():
            runs[store].append(asyncio.run(first_sync_of(where / f"first {store} {turn}", FIRST, new(f"first {turn}"))))
    return [_speed(way, store, [FIRST / run[at] for run in runs[store]]) for store in runs for at, way in enumerate(("push", "pull"))]


def _speed(way: str, store: str, speeds: list[float]) -> Row:
    speed = statistics.median(speeds)
    detail = {"slowest": min(speeds), "fastest": max(speeds)}
    measure = f"first sync, {way} of {FIRST:,} changes, {store}"
    return Row(measure, f"{speed:,.0f} a second", "", None, "≥ 8,000 a second", speed >= 8000, detail)


async def first_sync_of(folder: Path, count: int, database: str = "") -> tuple[float, float, float]:
    """Return the seconds that the push of so many changes took, and their pull on another laptop, and the processor's for both."""
    async with working(made(folder), database) as office:
        write(office.alex, count)
        settle()
        busy = time.process_time() + processor_s(office.hub)
        pushing, pushed = await office.alex.timed_sync()
        pulling, pulled = await office.ruth.timed_sync()
        busy = time.process_time() + processor_s(office.hub) - busy
    assert pushed.sent >= count, "not everything was sent"
    assert pulled.received >= count, "not everything came"
    return pushing, pulling, busy


def nothing_new(where: Path, databases: Databases) -> list[Row]:
    """A sync with nothing to send and nothing to receive, beside one with a hundredth of the history, in pairs."""
    rows = []
    for store, new in databases.items():
        few, many = asyncio.run(_nothing_new(made(where / f"quiet {store}"), new("few"), new("many")))
        ratio = of_pairs(many, few)
        measure = f"nothing-new sync, {MANY:,} changes over {FEW:,}, {store}"
        rows.append(Row(measure, ms(p50(many)), ms(p50(few)), ratio, "≤ 1.1", ratio <= 1.1))
    return rows


def made(folder: Path) -> Path:
    """Return a folder that was not there before."""
    folder.mkdir()
    return folder


async def _nothing_new(folder: Path, few_changes: str, many_changes: str) -> tuple[list[float], list[float]]:
    """Two offices, each with a store of its own, so that neither the laptop's history nor the store's may count."""
    async with working(made(folder / "few"), few_changes) as small, working(made(folder / "many"), many_changes) as large:
        for office, count in ((small, FEW), (large, MANY)):
            write(office.alex, count)
            await office.alex.sync()
            await office.alex.sync()
        few: list[float] = []
        many: list[float] = []
        for _ in range(QUIET_SYNCS):
            for office, into in random.sample([(small, few), (large, many)], 2):
                into.append((await office.alex.timed_sync())[0])
    return few, many


def write(laptop: Laptop, count: int, *, at_once: int = 10_000, about: str = "") -> None:
    """Write so many notes on a laptop, about the one person that it knows or about another's, so many in each save."""
    writer = Writer(3)
    now = Moment.of(CLOCK.now())
    person = about or laptop.person or laptop.desk.do_now(people.add, writer.words(2))
    laptop.person = person
    while count > 0:
        some = min(count, at_once)
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
        yield Office(ruth, alex, hub.pid)
        for laptop in (ruth, alex):
            await laptop.client.close()
            laptop.vault.close()
    finally:
        hub.kill()
        hub.wait()
