"""``make bench``: builds the reference load, measures, prints a table, and keeps the figures as JSON in bench/results.

Each part runs in a process of its own, so that none is measured in the memory that another has left.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from pathlib import Path

import msgspec

import leadworker
from bench import day, journal, lists, live, load, starting, syncing
from bench.stores import both
from bench.timing import Row
from bench.twin import plain_copy

RESULTS = Path(__file__).with_name("results")


def main() -> int:
    """Measure everything that exists; return 0 whether or not every bar holds: a machine may simply be slow."""
    where = load.folder()
    rows: list[Row] = []
    started = time.monotonic()
    try:
        for part in PARTS:
            command = [sys.executable, "-m", "bench", part, str(where)]
            told = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=RESULTS.parent.parent)
            rows += msgspec.json.decode(told.stdout, type=list[Row])
    finally:
        load.throw_away(where)
    show(rows)
    keep(rows, time.monotonic() - started)
    return 0


def part(name: str, where: Path) -> None:
    """Measure one part and write its rows to standard output as JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(PARTS[name](where)))


def _journal(where: Path) -> list[Row]:
    load.on_stderr(f"Building the reference load: {load.REFERENCE.entries:,} entries, {load.REFERENCE.people:,} people …\n")
    vault, _, caseload = load.build(where / "reference", load.REFERENCE, load.on_stderr)
    small, _, few = load.build(where / "small", load.THOUSAND)
    plain = plain_copy(vault, where / "plain.db")
    load.quieten(where)
    rows = journal.saving(vault, plain, caseload[0])
    rows += journal.searching(vault, plain)
    rows += journal.timelines(vault, plain, caseload[1], small, few[1])
    rows += journal.briefs(vault, plain, caseload[1], small, few[1])
    plain.close()
    small.close()
    vault.close()
    return rows


def _starting(where: Path) -> list[Row]:
    reference = where / "reference"
    return starting.cold_start(reference) + starting.unlocking(reference) + starting.memory(reference)


def _lists(where: Path) -> list[Row]:
    return lists.key_to_paint()


def _syncing(where: Path) -> list[Row]:
    with both(where) as databases:
        return syncing.first_sync(where, databases) + day.days_work(where, databases) + syncing.nothing_new(where, databases)


def _live(where: Path) -> list[Row]:
    return live.saved_to_seen(where)


PARTS = {"journal": _journal, "starting": _starting, "lists": _lists, "syncing": _syncing, "live": _live}


def show(rows: list[Row]) -> None:
    head = ("measure", "leadworker", "plain twin", "ratio", "bar", "")
    table = [head] + [
        (row.measure, row.ours, row.twin, "" if row.ratio is None else f"{row.ratio:.2f}", row.bar, _verdict(row.holds)) for row in rows
    ]
    widths = [max(len(line[at]) for line in table) for at in range(len(head))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _verdict(holds: bool | None) -> str:
    return "" if holds is None else ("holds" if holds else "NOT MET")


def keep(rows: list[Row], seconds: float) -> None:
    RESULTS.mkdir(exist_ok=True)
    about = {
        "version": leadworker.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "load": msgspec.to_builtins(load.REFERENCE),
        "seconds": round(seconds),
        "rows": msgspec.to_builtins(rows),
    }
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(about)))
    print(f"\nKept as {path.name} in bench/results.", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        part(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main())
