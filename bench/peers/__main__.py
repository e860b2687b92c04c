"""Runs the comparison and prints its table."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.load import Writer, settle
from bench.syncing import first_sync_of
from bench.timing import Row, of_pairs, processor_s
from leadworker.clock import Moment, SystemClock
from leadworker.record import new_id

HERE = Path(__file__).parent
COUNT = 10_000
ROUNDS = 5
BAR = 1 / 3
"""At most a third of PouchDB's time for a first sync (DESIGN.md, section 8)."""

Taken = tuple[float, float, float]
"""Seconds for push and for pull, and the processor's seconds for both, on the laptops and in the store."""

Round = tuple[Taken, Taken]
"""Ours, theirs."""


def main() -> int:
    """Measure, print, and return 0; without Node say so and return 0 as well."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        print("Node is not installed here, so there is no peer to run beside. Nothing was measured.", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="leadworker-peers-") as name:
        where = Path(name)
        for part in ("package.json", "pouch.js"):
            shutil.copy(HERE / part, where)
        (where / "notes.json").write_bytes(msgspec.json.encode(_documents()))
        print("Installing PouchDB and express-pouchdb …", file=sys.stderr)
        subprocess.run([npm, "install", "--no-audit", "--no-fund", "--silent"], cwd=where, check=True, stdout=sys.stderr)
        rounds = [_round(node, where, turn) for turn in range(ROUNDS)]
    _show(rounds)
    return 0


def _round(node: str, where: Path, turn: int) -> Round:
    """Measure both, one after the other; whoever began last time comes second, since machines tire and disks fill."""
    print(f"Round {turn + 1} of {ROUNDS} …", file=sys.stderr)
    folder = where / f"round {turn}"
    folder.mkdir()
    theirs = _pouch(node, where, folder) if turn % 2 else None
    ours = asyncio.run(first_sync_of(folder / "ours", COUNT))
    return ours, theirs or _pouch(node, where, folder)


def _documents() -> list[dict[str, str | int]]:
    """Return the notes that our laptop sends, as PouchDB keeps them: the same fields with the same words."""
    writer, now = Writer(3), Moment.of(SystemClock().now())
    writer.words(2)  # the person's name
    notes = (writer.entry("keira", now) for _ in range(COUNT))
    return [
        {
            "_id": f"{at:08}", "person": new_id(), "kind": note.kind, "happened": now.ms, "minutes": note.minutes or 0,
            "place": note.place, "title": note.title, "seen": note.seen, "said": note.said, "noticed": note.noticed,
            "think": note.think,
        }
        for at, note in enumerate(notes)
    ]  # fmt: skip


def _pouch(node: str, where: Path, folder: Path) -> Taken:
    settle()
    with _server(node, where, folder) as (url, server):
        busy = processor_s(server)
        (folder / "laptops").mkdir()
        command = [node, "pouch.js", "run", url, str(folder / "laptops"), "notes.json"]
        told = json.loads(subprocess.run(command, cwd=where, check=True, stdout=subprocess.PIPE, text=True).stdout)
        busy = told["busy"] + processor_s(server) - busy
    return told["push"], told["pull"], busy


@contextlib.contextmanager
def _server(node: str, where: Path, folder: Path) -> Iterator[tuple[str, int]]:
    (folder / "server").mkdir()
    command = [node, "pouch.js", "server", str(folder / "server")]
    server = subprocess.Popen(command, cwd=where, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}", server.pid
    finally:
        server.kill()
        server.wait()


def _show(rounds: list[Round]) -> None:
    rows = [
        _row(f"first sync, push of {COUNT:,}", [(ours[0], theirs[0]) for ours, theirs in rounds]),
        _row(f"first sync, pull of {COUNT:,}", [(ours[1], theirs[1]) for ours, theirs in rounds]),
        _row(f"first sync of {COUNT:,}, both ways", [(sum(ours[:2]), sum(theirs[:2])) for ours, theirs in rounds], BAR),
        _row("the same, in seconds of a processor", [(ours[2], theirs[2]) for ours, theirs in rounds]),
    ]
    from bench.__main__ import show

    show(rows)
    each = ", ".join(f"{sum(ours[:2]) / sum(theirs[:2]):.2f}" for ours, theirs in rounds)
    print(f"\nRatio of each round: {each}.", file=sys.stderr)
    if hasattr(os, "getloadavg"):
        busy, count = os.getloadavg()[1], os.cpu_count()
        print(f"In the last five minutes {busy:.1f} programs at a time wanted one of {count} processors.", file=sys.stderr)


def _row(measure: str, pairs: list[tuple[float, float]], bar: float | None = None) -> Row:
    mine, other = [a for a, _ in pairs], [b for _, b in pairs]
    ratio = of_pairs(mine, other)
    holds = None if bar is None else ratio <= bar
    return Row(measure, _seconds(mine), _seconds(other), ratio, "" if bar is None else "≤ a third", holds)


def _seconds(taken: list[float]) -> str:
    return f"{statistics.median(taken):.2f} s ({min(taken):.2f} to {max(taken):.2f})"


if __name__ == "__main__":
    sys.exit(main())
