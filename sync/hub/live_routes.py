"""How a laptop listens: a stream of server-sent events, or an answer that waits until there is something to tell.

Both are signed like every request. The stream is the usual way; the waiting answer is for networks whose proxies keep a
stream back until it ends (docs/decisions/0017).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sync import wire
from sync.hub import bodies
from sync.hub.hub import Asked, Hub
from sync.hub.live import Listener, Live

HEARTBEAT_S: Final = 15.0
"""After so many seconds without a notice the line says that it still stands."""

SLOW_S: Final = 10.0
"""How long a listener may take to take in what it is told. Whoever takes longer is let go, and pulls."""

LONGEST_WAIT_S: Final = 60
_HEADERS: Final = {
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",  # asks a proxy of the kind that buffers not to
}

Wait = Annotated[int, Query(ge=0, le=LONGEST_WAIT_S, description="seconds that the asker is ready to wait")]
Mark = Annotated[str, Query(pattern="^([0-9a-f]{32})?$", description="the mark of the last answer, or nothing")]

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_SIGNED: Final = [
    {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
    for name in (wire.DEVICE_HEADER, wire.TIME_HEADER, wire.NONCE_HEADER, wire.SIGNATURE_HEADER)
]

routes = APIRouter(prefix="/v1")


def _described(what: str, media: str) -> dict[str, Any]:
    return {
        "response_class": Response,
        "response_model": None,
        "openapi_extra": {
            "parameters": _SIGNED,
            "responses": {
                "200": {"description": what, "content": {media: _BINARY}},
                "default": {"description": "a Trouble", "content": {wire.MEDIA_TYPE: _BINARY}},
            },
        },
    }


@routes.get("/live", **_described("events without an end", wire.EVENTS_TYPE))
async def live(request: Request) -> Response:
    """Tell the asking device of every book that it may read, as soon as it has news."""
    hub = bodies.hub_of(request)
    device = (await hub.asker(bodies.signed(request))).device
    return Stream(hub.live, hub.live.join(device))


@routes.get("/live/next", **_described("a Mark", wire.MEDIA_TYPE))
async def next_news(request: Request, mark: Mark = "", wait: Wait = 25) -> Response:
    """Answer once the news are others than those of a mark, or after so many seconds."""
    hub = bodies.hub_of(request)
    asked = bodies.signed(request)
    device = (await hub.asker(asked)).device
    line = hub.live.join(device)
    gone = asyncio.create_task(_until_gone(request.receive, line))
    try:
        now = await _mark(hub, asked)
        if now == bytes.fromhex(mark):
            await line.wait(wait)
            now = await _mark(hub, asked)
    finally:
        hub.live.leave(line)
        gone.cancel()
    return bodies.answer(wire.Mark(now, hub.now_ms()))


class Stream(Response):
    """The events of one line, until either side hangs up."""

    media_type = wire.EVENTS_TYPE

    def __init__(self, live: Live, line: Listener) -> None:
        super().__init__(headers=_HEADERS)
        self._live = live
        self._line = line
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events as they come. A listener that does not take them in is let go without an end of the answer."""
        gone = asyncio.create_task(_until_gone(receive, self._line))
        try:
            with contextlib.suppress(TimeoutError):
                await _in_time(send({"type": "http.response.start", "status": 200, "headers": self.raw_headers}))
                await self._tell(send)
                await _in_time(send({"type": "http.response.body", "body": b"", "more_body": False}))
        finally:
            self._live.leave(self._line)
            gone.cancel()

    async def _tell(self, send: Send) -> None:
        words = wire.event(wire.HELLO, b"")
        while not self._line.ended:
            await _in_time(send({"type": "http.response.body", "body": words, "more_body": True}))
            books = await self._line.wait(HEARTBEAT_S)
            words = b"".join(wire.event(wire.NEWS, book) for book in books) or wire.HEARTBEAT


async def _in_time(sending: Any) -> None:
    async with asyncio.timeout(SLOW_S):
        await sending


async def _until_gone(receive: Receive, line: Listener) -> None:
    """Hang up when the other side has."""
    while (await receive())["type"] != "http.disconnect":
        pass
    line.end()


async def _mark(hub: Hub, asked: Asked) -> bytes:
    """Return a mark of the news that a device may have: it is another one as soon as any of its books has moved."""
    heads = await hub.heads_of(asked.claim.device)
    return hashlib.sha256(b"".join(book + n.to_bytes(8, "big") + digest for book, n, digest in heads)).digest()[:16]
