"""Threads that hold database connections and run deeds on them, several deeds to a transaction (group commit).

Requests queue, a free thread takes what waits, and one durable commit serves them all: that is where the speed of
one writer comes from. A deed is answered after its commit and never before.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar, cast

from sync.hub.store import Again, Figures, Session, StoreAway

Answer = TypeVar("Answer")

_MOST_TRIES: Final = 20
"""How often one deed is run again when hub processes meet at a row; each time somebody else got further."""


class Connection(Protocol):
    """One thread's place at the database."""

    @property
    def session(self) -> Session: ...

    def begin(self, books: Collection[bytes]) -> None:
        """Begin a transaction that holds these books."""

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class _Job:
    deed: Callable[[Session], Any]
    books: Collection[bytes]
    weight: int
    future: Future[Any] = field(default_factory=Future)


class Trips:
    """Counts statements sent to a database. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def one(self) -> None:
        """Count one."""
        with self._lock:
            self.count += 1


class Workers:
    """`count` threads, each with its own connection, that share one queue.

    `most` is the weight (changes, about) that one transaction takes on; zero means one deed at a time.
    """

    def __init__(self, name: str, count: int, connect: Callable[[], Connection], most: int = 0) -> None:
        self._connect = connect
        self._most = most
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._counting = threading.Lock()
        self.deeds = 0
        self.transactions = 0
        self._threads = [threading.Thread(target=self._work, name=f"hub-{name}-{number}", daemon=True) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, deed: Callable[[Session], Answer], books: Collection[bytes] = (), weight: int = 1) -> Future[Answer]:
        """Queue a deed. Its future is answered after the commit."""
        job = _Job(deed, books, weight)
        with self._gate:
            if self._closed:
                job.future.set_exception(StoreAway())
            else:
                self._queue.put(job)
        return cast("Future[Answer]", job.future)

    def waiting(self) -> int:
        """Return about how many deeds wait for a thread."""
        return self._queue.qsize()

    def close(self) -> None:
        """Finish what is queued and end the threads."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            for _ in self._threads:
                self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        connection: Connection | None = None
        while True:
            jobs, last = self._gather()
            if jobs:
                connection = self._serve(jobs, connection)
            if last:
                break
        if connection is not None:
            connection.close()

    def _gather(self) -> tuple[list[_Job], bool]:
        """Wait for one deed and take what else is there; the flag says that the queue has ended for this thread."""
        job = self._queue.get()
        jobs: list[_Job] = []
        weight = 0
        while job is not None:
            if job.future.set_running_or_notify_cancel():
                jobs.append(job)
                weight += job.weight
            if weight >= self._most:
                return jobs, False
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _serve(self, jobs: list[_Job], connection: Connection | None) -> Connection | None:
        """Run deeds together; where one of them fails, run each by itself so that it harms nobody else's.

        A connection that was good before may have been cut since (the database was restarted), so the first failure
        on it is tried once more on a fresh one: a deed that was kept after all is recognised by its rules.
        """
        fresh = connection is None
        try:
            connection = connection or self._connect()
            self._keep(jobs, connection)
        except StoreAway as trouble:
            if connection is not None:
                with contextlib.suppress(Exception):  # it is away already; its answer is given below
                    connection.close()
            if not fresh:
                return self._serve(jobs, None)
            _fail(jobs, trouble)
            return None
        except BaseException as trouble:  # noqa: BLE001 - whatever it is, the future must be answered
            if len(jobs) == 1:
                _fail(jobs, trouble)
                return connection
            for job in jobs:
                connection = self._serve([job], connection)
        return connection

    def _keep(self, jobs: list[_Job], connection: Connection) -> None:
        books = {book for job in jobs for book in job.books}
        for attempt in range(_MOST_TRIES):
            try:
                connection.begin(books)
                answers = [job.deed(connection.session) for job in jobs]
                connection.commit()
            except Again:
                connection.rollback()
                if attempt == _MOST_TRIES - 1:
                    raise StoreAway from None
            except StoreAway:
                raise
            except BaseException:  # raised again: only undone here
                connection.rollback()
                raise
            else:
                with self._counting:
                    self.deeds += len(jobs)
                    self.transactions += 1
                for job, answer in zip(jobs, answers, strict=True):
                    job.future.set_result(answer)
                return


def figures(readers: Workers, writers: Workers, trips: Trips) -> Figures:
    """Say how busy a database with these threads is."""
    deeds, transactions = readers.deeds + writers.deeds, readers.transactions + writers.transactions
    return Figures(readers.waiting(), writers.waiting(), deeds, transactions, trips.count)


def _fail(jobs: list[_Job], trouble: BaseException) -> None:
    for job in jobs:
        job.future.set_exception(trouble)
