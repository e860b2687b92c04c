"""Simulated laptops at a real central store: keys and signatures as they are, seals of random bytes, one connection each."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from sync import wire
from tests.hub_world import Keys, Lane, Laptop, run

NOTE_BYTES = 512
"""Padded bytes of a typical note's change (docs/sealed-format.md pads in steps of 256)."""


class Refused(Exception):
    """The store did not do what an honest laptop asked."""


class Line:
    """One HTTP/1.1 connection that is kept, as a laptop's is: hardly any work on this side, so that the store is measured."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), address.port or 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        """Send a request and return the answer's body; raise `Refused` for anything but 200."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"{method} {target} HTTP/1.1\r\nhost: hub\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body)
        told = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(told.partition("content-length:")[2].partition("\r\n")[0])
        answer = await reader.readexactly(size)
        if " 200 " not in told.partition("\r\n")[0]:
            raise Refused(answer)
        return answer

    def hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()


class Worker:
    """One key worker's laptop in one shared casebook, with everything that the morning took in seconds."""

    def __init__(self, url: str, laptop: Laptop, book: bytes) -> None:
        self.keys: Keys = laptop.keys
        self.pushes: list[float] = []
        self.pulls: list[float] = []
        self.held = 0
        self.sent = 0
        self._laptop = laptop
        self._lane = Lane(book, laptop.device)
        self._line = Line(url)

    @property
    def received(self) -> int:
        """Return how many changes were pulled that are not this worker's own: colleagues' notes and statements."""
        return self.held - self.sent

    async def push(self, count: int) -> None:
        """Send new changes as one run, and hold their receipt."""
        body = wire.write(wire.Push((run(self.keys, self._lane.write(count, size=NOTE_BYTES)),)))
        started = time.perf_counter()
        (outcome,) = wire.read(wire.Pushed, await self._ask("POST", "/v1/push", body)).outcomes
        self.pushes.append(time.perf_counter() - started)
        if outcome.code or len(outcome.ns) != count:
            raise Refused(outcome)
        self.sent += count

    async def pull(self) -> None:
        """Ask for the news, and for whatever is new in the casebook, in order and without a gap."""
        started = time.perf_counter()
        news = wire.read(wire.News, await self._ask("GET", "/v1/news", b""))
        (head,) = [item.n for item in news.books if item.book == self._lane.book]
        while self.held < head:
            target = f"/v1/books/{self._lane.book.hex()}/changes?after={self.held}&limit=1000"
            page = wire.read(wire.Page, await self._ask("GET", target, b""))
            if [item.n for item in page.changes] != list(range(self.held + 1, self.held + 1 + len(page.changes))):
                raise Refused("a gap")
            self.held += len(page.changes)
        self.pulls.append(time.perf_counter() - started)

    async def _ask(self, method: str, target: str, body: bytes) -> bytes:
        return await self._line.ask(method, target, self._laptop.headers(method, target, body), body)

    def hang_up(self) -> None:
        self._line.hang_up()
