"""Where the product touches the world: randomness, threads and the disk's marks, put under one seed and on one thread.

Nothing of the product is altered; for as long as `one_world` lasts, what it would ask the system it asks the seed. The
vault's storage thread, its anchor's thread and the store's threads run inline, so one step follows another in one order.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

from leadworker import record
from leadworker.crypto import identity
from storage import anchor, handing_in, log, outgoing, returning, vault
from sync import sending
from sync.hub import rules, sqlite_store, workers
from tests.simulator.sealing import SeededSuite

T = TypeVar("T")

BEFORE_MARK, BEFORE_COMMIT, COMMITTED = "before the mark", "before the commit", "after the commit"


class Died(BaseException):
    """A laptop lost its power at a place inside a save."""


class StoreDied(BaseException):
    """The central store was killed at a place inside a transaction."""


class Edge:
    """What a world answers: random bytes, the time in ids, and who loses their power when.

    `disk` is told of each stage of a save and of whose folder it is; `hub` of each transaction of the store, before and after
    its commit. Either may raise. `few` is how many changes travel together, 0 for as many as the product sends: what takes
    years of work to fill takes an afternoon here, so that pages and batches follow one another while other things happen.
    """

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.now_ms: Callable[[], int] = lambda: 0
        self.disk: Callable[[Path, str], None] = lambda folder, stage: None
        self.hub: Callable[[str], None] = lambda stage: None
        self.few = 0


_edge = Edge("nobody's")


class InlineClerk:
    """The storage thread, without the thread: work is done when it is asked for."""

    def __init__(self, when_idle: Callable[[], bool]) -> None:
        self.when_idle = when_idle
        self.is_untidy = False
        self._closed = False

    def submit(self, work: Callable[[], T]) -> Future[T]:
        if self._closed:
            raise RuntimeError("the vault is closed")
        future: Future[T] = Future()
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever asked, as the thread does
            future.set_exception(error)
        return future

    def untidy(self) -> None:
        self.is_untidy = True

    def close(self, last: Callable[[], None]) -> None:
        if not self._closed:
            last()
            self._closed = True


class InlineWriter:
    """The anchor's thread, without the thread."""

    def __init__(self, path: Path) -> None: ...

    def begin(self, file: int, slot: bytes, at: int) -> None:
        anchor._write_at(file, slot, at)

    def end(self) -> None:
        return None

    def stop(self) -> None:
        return None


class InlineWorkers(workers.Workers):
    """The store's threads, without the threads: each deed is a transaction of its own, by the same code."""

    def __init__(self, name: str, count: int, connect: Callable[[], workers.Connection], most: int = 0) -> None:
        super().__init__(name, 0, connect, most)
        self._connection: workers.Connection | None = None
        self._writes = most > 0

    def submit(self, deed: Callable[[Any], T], books: Any = (), weight: int = 1) -> Future[T]:
        job = workers._Job(self._watched(deed) if self._writes else deed, books, weight)
        self._connection = self._serve([job], self._connection)
        if self._writes and not job.future.exception():
            try:
                _edge.hub(COMMITTED)
            except StoreDied as died:
                job = workers._Job(deed, books, weight)
                job.future.set_exception(died)
        return job.future

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @staticmethod
    def _watched(deed: Callable[[Any], T]) -> Callable[[Any], T]:
        def done(session: Any) -> T:
            answer = deed(session)
            _edge.hub(BEFORE_COMMIT)
            return answer

        return done


def _watched_anchor(real: type[anchor.Anchor]) -> type[anchor.Anchor]:
    class WatchedAnchor(real):  # type: ignore[misc, valid-type]
        def announce(self, mark: anchor.Mark) -> None:
            _edge.disk(self._path.parent, BEFORE_MARK)
            super().announce(mark)
            _edge.disk(self._path.parent, BEFORE_COMMIT)

        def confirm(self) -> None:
            _edge.disk(self._path.parent, COMMITTED)
            super().confirm()

    return WatchedAnchor


async def _inline(work: Callable[..., T], *given: Any, **named: Any) -> T:
    return work(*given, **named)


@contextlib.contextmanager
def one_world(edge: Edge) -> Iterator[None]:
    """Let everything of the product ask this edge, on one thread."""
    global _edge  # noqa: PLW0603 - one world at a time, and the product's seams are its modules'
    before, _edge = _edge, edge
    from storage import mending, opening

    anchors = _watched_anchor(anchor.Anchor)
    with contextlib.ExitStack() as patched:

        def put(owner: object, name: str, value: object) -> None:
            patched.enter_context(mock.patch.object(owner, name, value))

        put(secrets, "token_bytes", lambda count=32: edge.random.randbytes(count))
        put(secrets, "token_hex", lambda count=32: edge.random.randbytes(count).hex())
        put(secrets, "choice", edge.random.choice)
        put(record, "time", SimpleNamespace(time_ns=lambda: edge.now_ms() * 1_000_000))
        put(identity, "_SUITE", SeededSuite(identity._SUITE, edge.random.randbytes))
        put(vault, "Clerk", InlineClerk)
        # What every laptop holds is compared at the end, also on one that was taken out (tests/test_closing.py shuts those).
        put(vault.Vault, "is_closing_for_good", lambda self: False)
        put(anchor, "_Writer", InlineWriter)
        put(opening, "Anchor", anchors)
        put(mending, "Anchor", anchors)
        put(sqlite_store, "Workers", InlineWorkers)
        put(asyncio, "to_thread", _inline)
        if edge.few:
            page_end = rules.page_end
            put(rules, "page_end", lambda marks, most, largest: page_end(marks, min(most, edge.few), largest))
            for owner, name in ((sending, "BATCH"), (log, "MOST_UNSIGNED"), (outgoing, "MOST_UNSIGNED")):
                put(owner, name, edge.few)
            put(handing_in, "MOST", edge.few)
            put(returning, "MOST_CHANGES", edge.few)
        try:
            yield
        finally:
            _edge = before
