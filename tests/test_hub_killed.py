"""The central store killed, or its database's plug pulled, in the middle of pushes of real laptops: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest

from leadworker.errors import LeadworkerError
from sync.client import OFFLINE
from tests.hub_world import STORES
from tests.laptops import Drawer, Laptop, Office, agree, gapless, new_team, set_up
from tests.postgres import own_postgres
from tests.restored_store import rows

pytest_plugins = ["tests.laptop_fixtures"]

POINTS = 25
"""On each of both databases; 50 in all."""

NOT_NOW = ("The central store cannot reach its own database just now.", "No way through to the central store just now.")


class Store:
    """A store that runs as a process of its own, behind a proxy that counts requests and can kill it at any of them.

    `stage` says at which moment of the push that `at` counts: before it is through, once it is, so many milliseconds after,
    or when the first byte of its answer comes, which is then not passed on.
    """

    def __init__(self, database: str, log: Path) -> None:
        self._database = database
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._there = ("", 0)
        self._server: asyncio.Server | None = None
        self.url = ""
        self.stage, self.at, self.after_ms = "", 0, 0.0
        self.pushes = 0
        self.killed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.kill()

    async def start(self, stage: str, at: int, after_ms: float) -> None:
        """Start the store, to be killed at a moment."""
        self.stage, self.at, self.after_ms, self.pushes = stage, at, after_ms, 0
        self.killed.clear()
        where = urlsplit(await asyncio.to_thread(self._started))
        self._there = (where.hostname or "", where.port or 0)

    def _started(self) -> str:
        """Start the process and return the address that it tells."""
        code = f"import leadworker; from sync.hub.serve import serve; serve({self._database!r}, port=0)"
        with self._log.open("a") as errors:
            self._process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()[-1]

    def kill(self) -> None:
        """End the store as a crash does."""
        self.killed.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self._process.wait(20)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on, and its answer back."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length")), 0)
            body = await reader.readexactly(length)
            there, to = await asyncio.open_connection(*self._there)
            chosen = self._counts(head)
            to.write(head.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
            if chosen and self.stage == "half of it is through":
                to.write(body[: length // 2])
                await to.drain()
                self.kill()
            to.write(body)
            await to.drain()
            if chosen and self.stage == "a while after":
                asyncio.get_running_loop().call_later(self.after_ms / 1000, self.kill)
            answer = await there.read(1)
            if chosen and self.stage == "as it answers":
                self.kill()
            else:
                writer.write(answer + await there.read())
                await writer.drain()
            to.close()
        writer.close()

    def _counts(self, head: bytes) -> bool:
        if not head.startswith(b"POST /v1/push "):
            return False
        self.pushes += 1
        return self.pushes == self.at


def moments() -> list[tuple[str, int, float]]:
    """Return where the store is killed, spread over pushes, stages and milliseconds."""
    spread = []
    for point in range(POINTS):
        stage = ("half of it is through", "as it answers", "a while after", "a while after", "a while after")[point % 5]
        spread.append((stage, 1 + point % 3, 0.4 * point))
    return spread


async def works(laptop: Laptop, person: str, titles: list[str], killed: asyncio.Event) -> None:
    """Write and sync until the store is gone; what is said then is said in words."""
    while not killed.is_set():
        new = [f"{laptop.name} {len(titles) + number}" for number in range(7)]
        titles += new
        laptop.write(person, *new)
        try:
            await laptop.sync_somehow()
        except LeadworkerError as error:
            assert error.sentence.startswith(NOT_NOW), error.sentence
            return


@pytest.mark.parametrize("kind", STORES)
async def test_what_laptops_were_told_is_there_is_there_after_the_store_was_killed(templates: Drawer, tmp_path: Path, kind: str) -> None:
    team = await new_team(templates, kind, tmp_path)
    alex, ruth, office = team.alex, team.ruth, team.office
    keira = alex.add()
    await alex.sync()
    await ruth.sync()
    office.stop_store()
    titles: dict[str, list[str]] = {alex.name: [], ruth.name: []}
    async with Store(office.database, tmp_path / "log") as store:
        for laptop in (alex, ruth):
            await laptop.client.close()
            laptop.client = laptop.new_client(url=store.url)
        for moment in moments():
            await store.start(*moment)
            async with asyncio.timeout(60):
                await asyncio.gather(*(works(one, keira, titles[one.name], store.killed) for one in (alex, ruth)))
            store.kill()
            for laptop in (alex, ruth):
                assert receipted(laptop, keira) <= held(office), "acknowledged, so it is there"
    office.start_store()
    for laptop in (alex, ruth):
        await laptop.client.close()
        laptop.client = laptop.new_client()
    for laptop in (alex, ruth, alex):
        await laptop.sync()
    for laptop in (alex, ruth):
        assert gapless(laptop, keira)
        for name, written in titles.items():
            assert [title for title in laptop.titles(keira) if title.startswith(name)] == written, "each once, in its order"
    assert office.hub.alarms() == [], "no fork"
    await agree(alex, ruth)
    await office.close()


def receipted(laptop: Laptop, person: str) -> set[tuple[bytes, int, bytes]]:
    """Return book, number and header of what a laptop knows to be on the store."""
    book = laptop.book(person)
    sql = "SELECT c.n, c.header FROM change c JOIN book b ON b.no = c.book_no WHERE b.id = ? AND c.n IS NOT NULL"
    return {(book, int(str(n)), bytes(header)) for n, header in laptop.sql(sql, book)}  # type: ignore[arg-type]


def held(office: Office) -> set[tuple[bytes, int, bytes]]:
    """Return the same of what the store has."""
    return {(book, n, row[3]) for (book, n), row in rows(office).items()}


async def test_what_laptops_were_told_is_there_is_there_after_postgresql_lost_its_power(templates: Drawer, tmp_path: Path) -> None:
    """Five times in the middle of pushes; the store itself runs on and finds its database again."""
    with own_postgres() as cluster:
        office = Office(templates, cluster.new_database(), tmp_path)
        ruth, alex = await set_up(office)
        keira = alex.add()
        await alex.sync()
        await ruth.sync()
        titles: dict[str, list[str]] = {alex.name: [], ruth.name: []}
        for turn in range(5):
            pulled = asyncio.Event()
            working = [asyncio.create_task(works(one, keira, titles[one.name], pulled)) for one in (alex, ruth)]
            await asyncio.sleep(0.05 + 0.03 * turn)
            await asyncio.to_thread(cluster.stop, "immediate")
            pulled.set()
            await asyncio.gather(*working)
            with pytest.raises(LeadworkerError) as told:
                await alex.sync_somehow()
            assert told.value.sentence.startswith(NOT_NOW)
            assert told.value.sentence != OFFLINE, "the store answers, and says what it lacks"
            await asyncio.to_thread(cluster.start)
            for laptop in (alex, ruth):
                assert receipted(laptop, keira) <= held(office), "acknowledged, so it is there"
        for laptop in (alex, ruth, alex):
            await laptop.sync()
        for laptop in (alex, ruth):
            assert gapless(laptop, keira)
            for name, written in titles.items():
                assert [title for title in laptop.titles(keira) if title.startswith(name)] == written
        assert office.hub.alarms() == []
        await agree(alex, ruth)
        await office.close()
