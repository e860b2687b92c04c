"""A relay on the loopback that counts the bytes of what passes, HTTP's own included. Whoever is timed does not go through it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import msgspec


class Passed(msgspec.Struct):
    """Bytes that have passed, to the store and back."""

    up: int = 0
    down: int = 0


@contextlib.asynccontextmanager
async def counting(url: str) -> AsyncIterator[tuple[str, Passed]]:
    """Give an address that leads to a store, and the count of what goes that way."""
    address, passed = urlsplit(url), Passed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store_reader, store_writer = await asyncio.open_connection(address.hostname, address.port)

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str) -> None:
            while part := await source.read(65536):
                setattr(passed, way, getattr(passed, way) + len(part))
                target.write(part)
                await target.drain()
            target.close()

        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(pass_on(reader, store_writer, "up"), pass_on(store_reader, writer, "down"))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}", passed
    finally:
        server.close()
