"""Which requests were seen in the last minutes, shared by every hub process over one PostgreSQL (C.8).

Requests that come at the same moment are noted with one statement, so that the note costs a fraction of a round trip.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, NamedTuple

import psycopg

from sync import wire
from sync.hub.store import StoreAway

_MOST_AT_ONCE: Final = 1000
_SWEEP_EVERY_S: Final = 60.0
_NOTE: Final = (
    "INSERT INTO nonces (device, nonce, time_ms) SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::bigint[]) "
    "ON CONFLICT DO NOTHING RETURNING device, nonce"
)
# Twice as long as a request can be fresh: the processes' own clocks may differ.
_SWEEP: Final = "DELETE FROM nonces WHERE time_ms < %s"


class _Use(NamedTuple):
    device: bytes
    nonce: bytes
    time_ms: int
    answer: Future[bool]


class SharedNonces:
    """One thread with a connection of its own. `connect` raises `psycopg.Error` when the database is away."""

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._connect = connect
        self._queue: queue.SimpleQueue[_Use | None] = queue.SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._database: psycopg.Connection[Any] | None = None
        self._sweep_at = time.monotonic() + _SWEEP_EVERY_S
        self._thread = threading.Thread(target=self._work, name="hub-nonces", daemon=True)
        self._thread.start()

    def use(self, device: bytes, nonce: bytes, time_ms: int) -> Future[bool]:
        """Note a request; the future says whether nobody has noted it before, or fails with `StoreAway`."""
        use = _Use(device, nonce, time_ms, Future())
        with self._gate:
            if self._closed:
                use.answer.set_exception(StoreAway())
            else:
                self._queue.put(use)
        return use.answer

    def waiting(self) -> int:
        """Return about how many requests wait to be noted."""
        return self._queue.qsize()

    def close(self) -> None:
        """Note what is queued and end the thread."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        more = True
        while more:
            uses, more = self._gather()
            if uses:
                self._answer(uses)
        self._let_go()

    def _gather(self) -> tuple[list[_Use], bool]:
        use = self._queue.get()
        uses: list[_Use] = []
        while use is not None:
            uses.append(use)
            if len(uses) == _MOST_AT_ONCE:
                return uses, True
            try:
                use = self._queue.get_nowait()
            except queue.Empty:
                return uses, True
        return uses, False

    def _answer(self, uses: list[_Use]) -> None:
        try:
            new = self._note(uses)
        except psycopg.Error:
            for use in uses:
                use.answer.set_exception(StoreAway())
            return
        for use in uses:
            key = (use.device, use.nonce)
            use.answer.set_result(key in new)
            new.discard(key)  # the same request twice in one statement: the first one counts

    def _note(self, uses: list[_Use]) -> set[tuple[bytes, bytes]]:
        """Note requests and return those that are new. A connection that was cut is made anew once.

        A statement whose answer was lost may have been kept; the laptop is then told `replayed` and asks again.
        """
        values = ([use.device for use in uses], [use.nonce for use in uses], [use.time_ms for use in uses])
        fresh = self._database is None
        try:
            return self._run(values, uses)
        except psycopg.OperationalError:
            self._let_go()
            if fresh:
                raise
            return self._run(values, uses)

    def _run(self, values: tuple[list[bytes], list[bytes], list[int]], uses: list[_Use]) -> set[tuple[bytes, bytes]]:
        if self._database is None:
            self._database = self._connect()
            self._database.execute("SET synchronous_commit = off")  # what a crash forgets here harms nobody
        found = self._database.execute(_NOTE, values).fetchall()
        if time.monotonic() >= self._sweep_at:
            self._sweep_at = time.monotonic() + _SWEEP_EVERY_S
            self._database.execute(_SWEEP, (max(use.time_ms for use in uses) - 3 * wire.CLOCK_TOLERANCE_MS,))
        return {(bytes(device), bytes(nonce)) for device, nonce in found}

    def _let_go(self) -> None:
        if self._database is not None:
            with contextlib.suppress(psycopg.Error):
                self._database.close()
            self._database = None
