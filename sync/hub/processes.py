"""Several hub processes behind one address, over one PostgreSQL: started, watched, started again, and stopped in order.

The system shares connections out among them (SO_REUSEPORT). What they must know of one another is in the database: the
rows of books that are held, the heads, and which requests were seen.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Final

import uvicorn

from sync.hub.databases import open_store
from sync.hub.figures import FiguresListener
from sync.hub.hub import Hub, Limits
from sync.hub.listening import GRACE_S, Server, Serving, bind, config, ended_by_signals, listen
from sync.hub.log import Log
from sync.hub.store import HubTrouble

MOST: Final = 64
_START_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.2
_TOO_SOON_S: Final = 10.0
_MOST_IN_A_ROW: Final = 3
"""Processes that may end by themselves soon after their start, one after the other, before the whole store gives up."""


def check(count: int, postgres: bool) -> None:
    """Raise `HubTrouble` where so many processes cannot serve one store."""
    if not 1 <= count <= MOST:
        raise HubTrouble(f"A store has 1 to {MOST} processes on one machine. Nothing was started.")
    if not postgres:
        raise HubTrouble(
            "Several processes need PostgreSQL; one SQLite file is written by one process. Nothing was started. "
            "Name a postgresql:// database, or leave --processes out."
        )
    if not hasattr(socket, "SO_REUSEPORT"):
        raise HubTrouble(
            "This system cannot share one port among several processes. Nothing was started. "
            "Run several stores on ports of their own behind a proxy."
        )


@dataclass
class _Worker:
    number: int
    process: SpawnProcess
    line: Connection
    started: float


def run(serving: Serving, count: int, log: Log, ready: Callable[[str], None]) -> None:
    """Run `count` processes until SIGTERM or Ctrl-C; `ready` is told the address once all of them serve."""
    with bind(serving.host, serving.port, shared=True) as held:  # keeps the port for this store, and never listens
        serving = replace(serving, port=held.getsockname()[1])
        with _told_to_stop() as stop:
            workers: list[_Worker] = []
            try:
                workers += [_start(serving, number) for number in range(count)]
                for worker in workers:
                    _wait_until_it_serves(worker)
                log.note("started", processes=count)
                ready(serving.url(held))
                _watch(serving, workers, log, stop)
            finally:
                _end(workers, log)
            log.note("stopped")


def _watch(serving: Serving, workers: list[_Worker], log: Log, stop: threading.Event) -> None:
    """Start again what ended by itself, until told to stop; give up in words when that does not help."""
    too_soon = 0
    while not stop.is_set():
        connection.wait([worker.process.sentinel for worker in workers], _LOOK_EVERY_S)
        for place, worker in enumerate(workers):
            if worker.process.is_alive() or stop.is_set():
                continue
            worker.line.close()
            log.note("process_ended", number=worker.number, code=worker.process.exitcode or 0)
            too_soon = too_soon + 1 if time.monotonic() - worker.started < _TOO_SOON_S else 0
            if too_soon >= _MOST_IN_A_ROW:
                raise HubTrouble(
                    "The central store's processes end soon after they start, so it gave up. Nothing that it acknowledged is "
                    "lost. Look at its log, and whether its database answers."
                )
            workers[place] = _start(serving, worker.number)


def _start(serving: Serving, number: int) -> _Worker:
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit threads' locks
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_work, args=(serving, number, theirs), name=f"hub-{number}", daemon=False)
    process.start()
    theirs.close()
    return _Worker(number, process, ours, time.monotonic())


def _wait_until_it_serves(worker: _Worker) -> None:
    trouble = "A process of the central store did not start. Nothing is served. Look at its log."
    with contextlib.suppress(EOFError, OSError):
        if worker.line.poll(_START_S):
            trouble = worker.line.recv()
    if trouble:
        raise HubTrouble(trouble)


def _end(workers: list[_Worker], log: Log) -> None:
    """Tell every process to finish what is under way, and end those that do not."""
    for worker in workers:
        worker.process.terminate()
    until = time.monotonic() + GRACE_S + 5
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
        if worker.process.is_alive():
            log.note("process_killed", number=worker.number)
            worker.process.kill()
            worker.process.join()
        worker.line.close()


@contextlib.contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _work(serving: Serving, number: int, line: Connection) -> None:
    """Serve in a process of its own. `line` hears an empty string when it serves, or what is wrong; its end means stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the first process tells us in order
    try:
        hub = Hub(open_store(serving.database), log=sys.stderr, limits=Limits(behind_proxy=serving.behind_proxy))
    except HubTrouble as trouble:
        line.send(trouble.sentence)
        raise SystemExit(1) from None
    try:
        _serve(hub, serving, number, line)
    finally:
        hub.close()


def _serve(hub: Hub, serving: Serving, number: int, line: Connection) -> None:
    server = Server(hub, config(hub, serving.certificate, serving.key))
    own_port = serving.metrics_port + number if serving.metrics_port else 0
    try:
        figures = FiguresListener(hub, serving.metrics_host, own_port)
        listener = listen(serving.host, serving.port, shared=True)
    except HubTrouble as trouble:
        line.send(trouble.sentence)
        raise SystemExit(1) from None
    with figures, ended_by_signals(server), listener:
        threading.Thread(target=_end_with_parent, args=(line, server), name="hub-line", daemon=True).start()
        line.send("")
        server.run(sockets=[listener])


def _end_with_parent(line: Connection, server: uvicorn.Server) -> None:
    """Stop in order when the process that started this one is gone, in whatever way."""
    with contextlib.suppress(EOFError, OSError):
        line.recv()
    server.should_exit = True
