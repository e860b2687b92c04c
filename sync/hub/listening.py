"""How the store listens: on which address, over what, and until which signal."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sync.hub.app import build_app
from sync.hub.hub import Hub
from sync.hub.store import HubTrouble

_UNREAD_MS: Final = 60_000
"""How long the system holds what the other side does not take in, before it cuts the line."""

GRACE_S: Final = 10
"""Seconds that what is under way has left when the store is told to stop."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What a process of the store serves, and where. Without a certificate it speaks plain HTTP; port 0 is any free one.

    `metrics_port` is the first process's own listener for figures; 0 for none.
    """

    database: str
    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0

    def url(self, listener: socket.socket) -> str:
        """Return the address of a listener."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{listener.getsockname()[1]}"


def config(hub: Hub, certificate: Path | None, key: Path | None) -> uvicorn.Config:
    """Return how uvicorn serves a hub."""
    silence_uvicorn()
    return uvicorn.Config(
        build_app(hub),
        http=type("Patient", (Patient,), {"hub": hub}),
        access_log=False,
        log_config=None,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=75,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


class Patient(H11Protocol):
    """A line on which a request's head must arrive in time, and which ends with its answer once the store is told to stop.

    Uvicorn by itself would wait for ever for the rest of a head, or of a body that is answered already. It would also go on
    serving a line that came at the very moment at which it stops, for as long as its grace lasts, and then cut a request off.
    """

    hub: Hub
    _waits: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.hub.stopping:
            transport.close()
        else:
            self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE or self.conn.our_state is h11.DONE:
            self._wait()
        else:
            self._wait_no_more()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.hub.stopping:
            self.transport.close()
        elif self.conn.their_state is h11.SEND_BODY or (self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]):
            self._wait()  # of the next head something has come already, or of a body that was refused more may come

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._waits is None:
            self._waits = self.loop.call_later(self.hub.limits.body_seconds, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None


def silence_uvicorn() -> None:
    """Let uvicorn write nothing by itself."""
    # Uvicorn's own loggers would print addresses and tracebacks; the store's log says what may be said.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)


def check_transport(host: str, certificate: Path | None, key: Path | None, behind_proxy: bool) -> None:
    """Raise `HubTrouble` where what is sealed would travel without TLS, or TLS cannot be spoken."""
    if (certificate is None) != (key is None):
        raise HubTrouble("A certificate needs its key and a key its certificate. Nothing was started. Give both.")
    if certificate is not None and key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_passphrase)
        except (OSError, ssl.SSLError) as error:
            raise HubTrouble(
                "The certificate and its key cannot be read, or do not belong together. Nothing was started. Give two PEM files."
            ) from error
    elif not behind_proxy and not _is_loopback(host):
        raise HubTrouble(
            f"Without TLS the central store listens on this machine only, and {host} is reachable from outside. "
            "Nothing was started. Give a certificate and its key, or say that a proxy in front of it speaks TLS."
        )


def _no_passphrase() -> str:
    """Refuse a key that is sealed: asked for nowhere else, its passphrase would be asked for on the terminal."""
    raise HubTrouble(
        "The key of the certificate is sealed with a passphrase, which nobody is there to type when the store starts by itself; "
        "nothing was started: give a key without a passphrase, in a file that the store's account alone may read."
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that listens; `shared` with the other processes of this store. Raises `HubTrouble`."""
    listener = bind(host, port, shared=shared)
    listener.listen(2048)
    return listener


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that has its address and does not listen yet. Raises `HubTrouble`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # lines have it from the listener: what nobody takes in is not kept for ever
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        # Answers are small and follow one another; waiting to fill a packet would only delay them.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise HubTrouble(
            f"The central store cannot listen on {host}, port {port}: {reason}. Nothing was started. "
            "Another program may be using it; choose another port."
        ) from error
    return listener


class CalmServer(uvicorn.Server):
    """Serves until `should_exit`; what its event loop stumbles over is a line of the store's log and not a text of Python's.

    Above all a line that cannot be taken because this process has too many open, which the loop finds thousands of times a
    second for as long as that lasts.
    """

    def __init__(self, hub: Hub, serving: uvicorn.Config) -> None:
        super().__init__(serving)
        self._hub = hub
        self._quiet_until = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take lines."""
        if self.config.ssl is not None:
            self.config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3  # every laptop speaks it (security B, 5)
        asyncio.get_running_loop().set_exception_handler(self._stumbled)
        await super().startup(sockets)

    def _stumbled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if loop.time() >= self._quiet_until:  # even to look at each of them would take the time that others need
            self._quiet_until = loop.time() + 1
            self._hub.log.fault(context.get("exception") or RuntimeError())


class Server(CalmServer):
    """Serves a hub until `should_exit`. It hangs up on who listens first: their requests would not end by themselves."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up, finish what is under way, and end."""
        self._hub.stopping = True
        self._hub.live.close()
        await super().shutdown(sockets)


@contextlib.contextmanager
def ended_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the server and then come back here, so that the database is closed in order."""

    def end(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
