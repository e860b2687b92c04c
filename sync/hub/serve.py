"""Runs the central store: blocking for whoever runs it for an organisation, or in a thread for the demo and tests."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self, TextIO

import uvicorn

from sync.hub.app import build_app
from sync.hub.hub import Hub, Limits, open_store, system_now_ms
from sync.hub.store import Alarm, HubTrouble

USUAL_PORT: Final = 8470
_GRACE_S: Final = 10


def serve(
    database: str,
    host: str = "127.0.0.1",
    port: int = USUAL_PORT,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    behind_proxy: bool = False,
    new_setup_code: bool = False,
    console: TextIO | None = None,
    log: TextIO | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, finish what is under way, and return. Raises `HubTrouble` in words.

    `database` is a path (SQLite) or a ``postgresql://`` URL. Without `certificate` and `key` (PEM files) the store
    listens on this machine only, unless `behind_proxy` says that a proxy on the way speaks TLS. `console` gets what a
    person must read (standard output), `log` one JSON line an event (standard error).
    """
    _check_transport(host, certificate, key, behind_proxy)
    console = console or sys.stdout
    hub = Hub(open_store(database), log=log or sys.stderr, new_setup_code=new_setup_code)
    try:
        listener = _listen(host, port)
        scheme = "https" if certificate else "http"
        _say(console, hub, f"{scheme}://{_shown(host)}:{listener.getsockname()[1]}")
        server = uvicorn.Server(_config(hub, certificate, key))
        hub.log.note("started")
        with _ended_by_signals(server, hub), listener:
            server.run(sockets=[listener])
        hub.log.note("stopped")
    finally:
        hub.close()


class EmbeddedHub:
    """A central store in a thread of this process, on the loopback: for the demo, for tests, for a look round.

    `url` is where it listens, `setup_code` founds its organisation. It prints nothing.
    """

    def __init__(
        self,
        database: str,
        port: int = 0,
        *,
        now_ms: Callable[[], int] = system_now_ms,
        log: TextIO | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._hub = Hub(open_store(database), now_ms=now_ms, log=log, limits=limits)
        self.setup_code = self._hub.setup_code
        self.public_key = self._hub.public_key
        try:
            self._listener = _listen("127.0.0.1", port)
        except HubTrouble:
            self._hub.close()
            raise
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server = uvicorn.Server(_config(self._hub, None, None))
        # The socket listens already, so a first request simply waits until the thread serves it.
        self._thread = threading.Thread(target=self._run, name="embedded-hub", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way and let go of the database. Stopping twice is harmless."""
        self._server.should_exit = True
        self._hub.live.close()
        self._thread.join()
        self._listener.close()
        self._hub.close()

    def alarms(self) -> list[Alarm]:
        """Return what honest laptops never do, as counted so far."""
        return self._hub.alarms()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


def _config(hub: Hub, certificate: Path | None, key: Path | None) -> uvicorn.Config:
    # Uvicorn's own loggers would print addresses and tracebacks; the store's log says what may be said.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    return uvicorn.Config(
        build_app(hub),
        access_log=False,
        log_config=None,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=75,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )


def _check_transport(host: str, certificate: Path | None, key: Path | None, behind_proxy: bool) -> None:
    if (certificate is None) != (key is None):
        raise HubTrouble("A certificate needs its key and a key its certificate. Nothing was started. Give both.")
    if certificate is not None and key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise HubTrouble(
                "The certificate and its key cannot be read, or do not belong together. Nothing was started. Give two PEM files."
            ) from error
    elif not behind_proxy and not _is_loopback(host):
        raise HubTrouble(
            f"Without TLS the central store listens on this machine only, and {host} is reachable from outside. "
            "Nothing was started. Give a certificate and its key, or say that a proxy in front of it speaks TLS."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise HubTrouble(
            f"The central store cannot listen on {host}, port {port}: {reason}. Nothing was started. "
            "Another program may be using it; choose another port."
        ) from error
    # Answers are small and follow one another; waiting to fill a packet would only delay them.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _say(console: TextIO, hub: Hub, url: str) -> None:
    """Tell whoever started the store where it is, and once the code that founds its organisation."""
    print(f"The central store listens on {url}", file=console)
    if hub.setup_code:
        print(f"Set-up code, shown this once: {hub.setup_code}", file=console)
    elif not hub.was_founded:
        print("No organisation yet: it is set up with the code that was shown at the first start.", file=console)
    console.flush()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextlib.contextmanager
def _ended_by_signals(server: uvicorn.Server, hub: Hub) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the server and then come back here, so that the database is closed in order."""

    def end(number: int, frame: FrameType | None) -> None:
        server.should_exit = True
        hub.live.close()  # a listener's request would not end by itself

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
