"""Runs the comparison and prints its table."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.syncing import first_sync_of
from bench.timing import Row

HERE = Path(__file__).parent
COUNT = 10_000
ROUNDS = 3
BAR = 1 / 3
"""At most a third of PouchDB's time for a first sync (DESIGN.md, section 8)."""


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
        print("Installing PouchDB and express-pouchdb …", file=sys.stderr)
        subprocess.run([npm, "install", "--no-audit", "--no-fund", "--silent"], cwd=where, check=True, stdout=sys.stderr)
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for turn in range(ROUNDS):
            print(f"Round {turn + 1} of {ROUNDS} …", file=sys.stderr)
            folder = where / f"round {turn}"
            folder.mkdir()
            ours.append(asyncio.run(first_sync_of(folder / "ours", COUNT)))
            theirs.append(_pouch(node, where, folder))
    _show(ours, theirs)
    return 0


def _pouch(node: str, where: Path, folder: Path) -> tuple[float, float]:
    with _server(node, where, folder) as url:
        (folder / "laptops").mkdir()
        command = [node, "pouch.js", "run", url, str(folder / "laptops"), str(COUNT)]
        told = json.loads(subprocess.run(command, cwd=where, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return told["push"], told["pull"]


@contextlib.contextmanager
def _server(node: str, where: Path, folder: Path) -> Iterator[str]:
    (folder / "server").mkdir()
    command = [node, "pouch.js", "server", str(folder / "server")]
    server = subprocess.Popen(command, cwd=where, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()


def _show(ours: list[tuple[float, float]], theirs: list[tuple[float, float]]) -> None:
    rows = []
    for at, way in enumerate(("push", "pull")):
        mine, other = (statistics.median(run[at] for run in runs) for runs in (ours, theirs))
        rows.append(Row(f"first sync, {way} of {COUNT:,}", f"{mine:.2f} s", f"{other:.2f} s", mine / other, "", None))
    mine, other = (statistics.median(sum(run) for run in runs) for runs in (ours, theirs))
    ratio = mine / other
    rows.append(Row(f"first sync of {COUNT:,}, both ways", f"{mine:.2f} s", f"{other:.2f} s", ratio, "≤ a third", ratio <= BAR))
    from bench.__main__ import show

    show(rows)


if __name__ == "__main__":
    sys.exit(main())
