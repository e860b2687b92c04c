"""Pairs of operations, run back to back in random order, and what comes of them."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One line of the table. `bar` is what the design asks for; `holds` is None where there is no bar for this machine."""

    measure: str
    ours: str
    twin: str
    ratio: float | None
    bar: str
    holds: bool | None
    detail: dict[str, float] = {}


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that one run takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(
    ours: Callable[[], object], twin: Callable[[], object], times: int, between: Callable[[int], None] | None = None
) -> tuple[list[float], list[float]]:
    """Run both `times` times, in random order within each pair; return both lists of seconds."""
    mine: list[float] = []
    theirs: list[float] = []
    for turn in range(times):
        for work, into in random.sample([(ours, mine), (twin, theirs)], 2):
            into.append(timed(work))
        if between is not None:
            between(turn)
    return mine, theirs


def of_pairs(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the per-pair ratios."""
    return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


def p50(seconds: Sequence[float]) -> float:
    return statistics.median(seconds)


def p99(seconds: Sequence[float]) -> float:
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]


def processor_s(process: int) -> float:
    """Return the seconds that a process has had a processor for; 0 where the system does not tell so of another's."""
    told = Path(f"/proc/{process}/stat")
    if not told.exists():
        return 0.0
    user, system = told.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def ms(seconds: float) -> str:
    """Return milliseconds to read."""
    value = seconds * 1000
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"
