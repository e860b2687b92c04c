"""The clerk: the one thread that touches the database, one thing at a time, in the order asked.

So there are no locks and never "database is locked"; and the connection is closed by the thread that uses it, because
closing it under another one's query brings the whole process down.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

IDLE_AFTER_S = 0.4


class Clerk:
    """A thread that works off what it is given. After work that asked for it, `when_idle` runs once, and again while it says so."""

    def __init__(self, when_idle: Callable[[], bool]) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._when_idle = when_idle
        self._untidy = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="storage", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Ask for `work` to be done on the storage thread."""
        future: Future[T] = Future()
        if self._closed:
            raise RuntimeError("the vault is closed")
        self._work.put((work, future))
        return future

    def untidy(self) -> None:
        """Say, from the storage thread, that there is tidying to do in the next idle moment."""
        self._untidy = True

    def close(self, last: Callable[[], None]) -> None:
        """Finish what was asked for, run `last` on the storage thread, and end it."""
        if self._closed:
            return
        future = self.submit(last)
        self._closed = True
        self._work.put(None)
        self._thread.join()
        future.result()

    def _run(self) -> None:
        while True:
            try:
                item = self._work.get(timeout=IDLE_AFTER_S if self._untidy else None)
            except queue.Empty:
                self._untidy = False  # before it, so that it is not tried for ever should it fail
                self._untidy = self._when_idle()
                continue
            if item is None:
                return
            work, future = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - handed to whoever asked, whatever it is
                future.set_exception(error)
            else:
                future.set_result(result)
            del item, work, future  # keep no record's words alive while waiting
