"""Figures about the store for whoever runs it, in Prometheus' text form: counts and durations, and nothing that names anybody.

A label is the path of a route as it is declared (``/v1/books/{book}/changes``), a method, a status or one of the store's own
codes; never a part of a request.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

CODE: Final = "leadworker.code"
"""Where a request's scope says with which code it was turned away."""

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "POST"})

_Labels = tuple[tuple[str, str], ...]

_HELP: Final = {
    "leadworker_hub_requests_total": ("counter", "Requests answered, by route, method, status and the store's code."),
    "leadworker_hub_request_bytes_total": ("counter", "Bytes of request bodies, by route."),
    "leadworker_hub_response_bytes_total": ("counter", "Bytes of answers' bodies, by route."),
    "leadworker_hub_request_seconds": ("histogram", "Seconds from a request's head to the end of its answer, by route."),
    "leadworker_hub_changes_taken_total": ("counter", "Changes numbered and kept, retries included."),
    "leadworker_hub_refused_total": ("counter", "Runs and statements not taken, by the store's code."),
    "leadworker_hub_started_seconds": ("gauge", "When this process started, in seconds since 1970."),
    "leadworker_hub_requests_under_way": ("gauge", "Requests that are being answered now."),
    "leadworker_hub_held_bytes": ("gauge", "Bytes of request bodies in memory now."),
    "leadworker_hub_answered_bytes": ("gauge", "Bytes of answers that their askers have yet to take in."),
    "leadworker_hub_readers_waiting": ("gauge", "Questions that wait for a database connection."),
    "leadworker_hub_writers_waiting": ("gauge", "Deeds that wait for a database connection."),
    "leadworker_hub_deeds_total": ("counter", "Questions and deeds done at the database."),
    "leadworker_hub_transactions_total": ("counter", "Transactions at the database; several deeds share one."),
    "leadworker_hub_round_trips_total": ("counter", "Statements sent to the database."),
}


class Metrics:
    """What one hub process has counted since it started. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, _Labels]] = Counter()
        self._took: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._started = time.time()
        self._under_way = 0

    def begin(self) -> None:
        """Note that a request has come."""
        with self._lock:
            self._under_way += 1

    def end(self, route: str, method: str, status: int, code: str, seconds: float, received: int, sent: int) -> None:
        """Note how a request ended. `received` and `sent` are bytes of bodies."""
        labels = (("route", route), ("method", method), ("status", str(status)), ("code", code))
        with self._lock:
            self._under_way -= 1
            self._counts["leadworker_hub_requests_total", labels] += 1
            self._counts["leadworker_hub_request_bytes_total", (("route", route),)] += received
            self._counts["leadworker_hub_response_bytes_total", (("route", route),)] += sent
            self._took.setdefault(route, [0] * (len(_BOUNDS) + 1))[bisect_left(_BOUNDS, seconds)] += 1
            self._seconds[route] = self._seconds.get(route, 0.0) + seconds

    def taken(self, count: int) -> None:
        """Note changes that were kept."""
        with self._lock:
            self._counts["leadworker_hub_changes_taken_total", ()] += count

    def refused(self, code: str) -> None:
        """Note a run or a statement that was not taken."""
        with self._lock:
            self._counts["leadworker_hub_refused_total", (("code", code),)] += 1

    def text(self, others: Mapping[str, int]) -> str:
        """Return everything in Prometheus' text form; `others` are figures that are asked for only now, by their short names."""
        with self._lock:
            values = {name: dict[_Labels, float]() for name in _HELP}
            for (name, labels), count in self._counts.items():
                values[name][labels] = count
            values["leadworker_hub_started_seconds"][()] = round(self._started, 3)
            values["leadworker_hub_requests_under_way"][()] = self._under_way
            histograms = [(route, list(counts), self._seconds[route]) for route, counts in sorted(self._took.items())]
        for name, value in others.items():
            values[f"leadworker_hub_{name}"][()] = value
        return "\n".join(_lines(values, histograms)) + "\n"


class Measured:
    """Measures every request on its way through, whatever becomes of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics: Metrics = scope["app"].state.hub.metrics
        received, sent, status = 0, 0, 499  # the asker went away before an answer began

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal sent, status
            status = message.get("status", status)
            sent += len(message.get("body", b""))
            await send(message)

        metrics.begin()
        started = time.perf_counter()
        try:
            await self._app(scope, receiving, sending)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            took = time.perf_counter() - started
            metrics.end(route, method, status, scope.get(CODE, ""), took, received, sent)


def _lines(values: Mapping[str, Mapping[_Labels, float]], histograms: list[tuple[str, list[int], float]]) -> Iterator[str]:
    for name, (kind, words) in _HELP.items():
        yield f"# HELP {name} {words}"
        yield f"# TYPE {name} {kind}"
        for labels, value in sorted(values[name].items()):
            yield f"{name}{_shown(labels)} {value}"
        if kind == "histogram":
            for route, counts, seconds in histograms:
                yield from _histogram(name, route, counts, seconds)


def _histogram(name: str, route: str, counts: list[int], seconds: float) -> Iterator[str]:
    total = 0
    for bound, count in zip((*map(str, _BOUNDS), "+Inf"), counts, strict=True):
        total += count
        yield f"{name}_bucket{_shown((('route', route), ('le', bound)))} {total}"
    yield f"{name}_sum{_shown((('route', route),))} {seconds:.6f}"
    yield f"{name}_count{_shown((('route', route),))} {total}"


def _shown(labels: _Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" if labels else ""
