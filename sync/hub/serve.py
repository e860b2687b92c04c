"""Runs the central store: blocking for whoever runs it for an organisation, or in a thread for the demo and tests."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

from sync.hub import processes
from sync.hub.databases import is_postgres, open_store
from sync.hub.figures import FiguresListener
from sync.hub.hub import Hub, Limits, system_now_ms
from sync.hub.listening import Server, Serving, check_transport, config, ended_by_signals, listen
from sync.hub.sole_server import sole_server
from sync.hub.store import Alarm, HubTrouble

USUAL_PORT: Final = 8470


def serve(
    database: str,
    host: str = "127.0.0.1",
    port: int = USUAL_PORT,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    behind_proxy: bool = False,
    new_setup_code: bool = False,
    count: int = 1,
    metrics_host: str = "127.0.0.1",
    metrics_port: int = 0,
    console: TextIO | None = None,
    log: TextIO | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, finish what is under way, and return. Raises `HubTrouble` in words.

    `database` is a path (SQLite) or a ``postgresql://`` URL. Without `certificate` and `key` (PEM files) the store
    listens on this machine only, unless `behind_proxy` says that a proxy on the way speaks TLS. `count` processes share
    the address, on PostgreSQL. With `metrics_port` each process shows its figures on a port of its own, from there on up.
    `console` gets what a person must read (standard output), `log` one JSON line an event (standard error).
    """
    check_transport(host, certificate, key, behind_proxy)
    serving = Serving(database, host, port, certificate, key, behind_proxy, metrics_host, metrics_port)
    console, log = console or sys.stdout, log or sys.stderr
    if count != 1:
        processes.check(count, is_postgres(database))
    with sole_server(database):
        hub = Hub(open_store(database), log=log, limits=Limits(behind_proxy=behind_proxy), new_setup_code=new_setup_code)
        sayer = _Sayer(console, hub.setup_code, hub.was_founded)
        try:
            try:
                if count == 1:
                    _serve_here(hub, serving, sayer)
                    return
            finally:
                hub.close()
            processes.run(serving, count, hub.log, sayer.say)
        except HubTrouble:
            sayer.say_code()  # only its hash is kept: one that nobody saw would lock everybody out of an empty store
            raise


def _serve_here(hub: Hub, serving: Serving, sayer: _Sayer) -> None:
    with listen(serving.host, serving.port) as listener, FiguresListener(hub, serving.metrics_host, serving.metrics_port):
        sayer.say(serving.url(listener))
        server = Server(hub, config(hub, serving.certificate, serving.key))
        hub.log.note("started")
        with ended_by_signals(server):
            server.run(sockets=[listener])
        hub.log.note("stopped")


class EmbeddedHub:
    """A central store in a thread of this process, on the loopback: for the demo, for tests, for a look round.

    It keeps no second one off its file, which is in a folder that only whoever made it knows.

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
            self._listener = listen("127.0.0.1", port)
        except HubTrouble:
            self._hub.close()
            raise
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server = Server(self._hub, config(self._hub, None, None))
        # The socket listens already, so a first request simply waits until the thread serves it.
        self._thread = threading.Thread(target=self._run, name="embedded-hub", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way and let go of the database. Stopping twice is harmless."""
        self._server.should_exit = True
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


class _Sayer:
    """Tells whoever started the store where it is, and once the code that founds its organisation."""

    def __init__(self, console: TextIO, setup_code: str, was_founded: bool) -> None:
        self._console = console
        self._setup_code = setup_code
        self._was_founded = was_founded

    def say(self, url: str) -> None:
        """Tell where the store listens, and what founds its organisation."""
        print(f"The central store listens on {url}", file=self._console)
        if not self._setup_code and not self._was_founded:
            print(
                "No organisation yet: it is set up with the code that was shown once. "
                "“leadworker hub serve --new-setup-code” shows another.",
                file=self._console,
            )
        self.say_code()

    def say_code(self) -> None:
        """Show the set-up code, if one was made now and nobody has seen it yet."""
        if self._setup_code:
            print(f"Set-up code, shown this once: {self._setup_code}", file=self._console)
            self._setup_code = ""
        self._console.flush()
