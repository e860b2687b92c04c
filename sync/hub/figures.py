"""A listener of its own, in a thread of its own, that shows a process's figures: it answers even when the store is busy."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sync.hub.hub import Hub
from sync.hub.listening import CalmServer, listen, silence_uvicorn
from sync.hub.metrics import MEDIA_TYPE
from sync.hub.store import StoreAway

_PATIENCE_S: Final = 5.0


class FiguresListener:
    """Serves ``/metrics`` (Prometheus' text) and ``/health`` (200 when the database answers, else 503) while it is entered.

    Port 0 serves nothing. Raises `HubTrouble` when the port cannot be had.
    """

    def __init__(self, hub: Hub, host: str, port: int) -> None:
        self._hub = hub
        self._listener = listen(host, port) if port else None
        silence_uvicorn()
        plain = uvicorn.Config(
            self._app, interface="asgi3", access_log=False, log_config=None, lifespan="off", ws="none", proxy_headers=False,
            server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = CalmServer(hub, plain)
        self._thread = threading.Thread(target=self._run, name="hub-figures", daemon=True)

    def __enter__(self) -> Self:
        if self._listener is not None:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._listener is not None:
            self._server.should_exit = True
            self._thread.join()
            self._listener.close()

    def _run(self) -> None:
        assert self._listener is not None
        self._server.run(sockets=[self._listener])

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await (await self._answer(scope["path"]))(scope, receive, send)

    async def _answer(self, path: str) -> Response:
        if path == "/metrics":
            return Response(self._hub.figures(), media_type=MEDIA_TYPE)
        if path == "/health":
            return Response(status_code=200 if await self._is_well() else 503)
        return Response(status_code=404)

    async def _is_well(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._hub.check_up()
        except (StoreAway, TimeoutError):
            return False
        return True
