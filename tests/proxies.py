"""What may stand between a laptop and its central store: lines that go silent, proxies that keep an answer back until it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self
from urllib.parse import urlsplit

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Between:
    """A TCP proxy to one address on the loopback, on the running event loop.

    `silent`: nothing is passed on any more, and nobody is told. `keeps_back`: what the store says is passed on only once
    it has said nothing for a moment *and* the answer has an end; an answer without an end never comes.
    """

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname or "", urlsplit(url).port or 0
        self.silent = False
        self.keeps_back = False
        self.lines = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Cut every line that is up."""
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines += 1
        try:
            there = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, there[1]}
        try:
            await asyncio.gather(self._pass(reader, there[1], False), self._pass(there[0], writer, self.keeps_back))
        finally:
            self._writers -= {writer, there[1]}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keeps_back: bool) -> None:
        kept = b""
        with contextlib.suppress(OSError):
            while part := await reader.read(65536):
                while self.silent:  # noqa: ASYNC110 - a test turns it on and off
                    await asyncio.sleep(0.02)
                kept += part
                if keeps_back and b"transfer-encoding: chunked" in kept and not kept.endswith(b"0\r\n\r\n"):
                    continue
                writer.write(kept)
                await writer.drain()
                kept = b""
        with contextlib.suppress(OSError):
            writer.close()


@contextlib.asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[str]:
    """Give the address of something that answers connections as a test likes."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
