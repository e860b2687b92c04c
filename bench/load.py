"""The reference load: 100,000 entries, 5,000 people, 200 casebooks (the ties come with their issue), from a fixed seed."""

from __future__ import annotations

import gc
import itertools
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.timing import timed
from leadworker.clock import Moment, SystemClock
from leadworker.crypto import keys
from leadworker.desk import Desk
from leadworker.domain import actions, journal, people
from leadworker.shelf import Shelf
from storage import opening
from storage.vault import Vault

PASSPHRASE = "a passphrase for measuring only"
PATIENCE_S = 60
WRITES_IN_A_ROW = 300
UNEVEN = 4
"""A disk is quiet when the longest of so many small writes takes less than so many times the middle one."""

SMALL = bool(os.environ.get("LEADWORKER_BENCH_SMALL"))


class Size(msgspec.Struct, frozen=True):
    """How much a vault holds."""

    entries: int
    people: int
    casebooks: int


REFERENCE = Size(5_000, 500, 50) if SMALL else Size(100_000, 5_000, 200)
THOUSAND = Size(1_000, 50, 10)

_EVERYDAY = (
    "the and to a of he she was in his her that it with on for they i had at not but is be we him them my as this have so about "
    "from when there would been then up out if were what"
).split()
_COMMON = (
    "home school mum dad nan brother sister visit call text said asked wanted talked walked waited morning evening week "
    "kitchen bedroom garden club boxing football drawing music homework teacher friend bus money food sleep tired happy quiet "
    "angry worried better worse again always never sometimes together alone later early late door phone letter meeting plan"
).split()


class Writer:
    """Makes notes whose words are as common and as rare as words are: by Zipf's law, with Mandelbrot's correction.

    "The" stands in nearly every note, "kitchen" in about a fifth of them, and most of the 20,000 words in hardly any.
    """

    def __init__(self, seed: int = 7) -> None:
        self.random = random.Random(seed)
        rare = ["".join(self.random.choices("abcdefghijklmnoprstuvw", k=7)) for _ in range(20_000)]
        self._words = [*_EVERYDAY, *_COMMON, *rare]
        self._weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(1, len(self._words) + 1)))

    def words(self, count: int) -> str:
        chosen = self.random.choices(self._words, cum_weights=self._weights, k=count)
        return " ".join(chosen).capitalize() + "."

    def entry(self, person_id: str, when: Moment) -> journal.NewEntry:
        pick = self.random
        return journal.NewEntry(
            person_id, kind=pick.choice(("visit", "phone", "text_message", "school", "meeting")), happened=when, minutes=40,
            place="home", title=self.words(6), seen=self.words(8), said=self.words(20), noticed=self.words(60),
            think=self.words(25),
        )  # fmt: skip


def folder() -> Path:
    """Return a fresh folder that the caller throws away."""
    return Path(tempfile.mkdtemp(prefix="leadworker-bench-"))


def build(where: Path, size: Size, tell: Callable[[str], None] = lambda line: None) -> tuple[Vault, Desk, list[str]]:
    """Make a vault of a size; return it, its desk, and the ids of the people on the caseload."""
    vault, _ = opening.create(where, "Alex Morgan", PASSPHRASE, memory_kib=keys.FLOOR_KIB, purpose="bench")
    desk = Desk(vault, vault.name)
    writer = Writer()

    def add_people(shelf: Shelf) -> list[str]:
        ids = []
        for at in range(size.people):
            name = f"{writer.words(1).strip('.')} {writer.words(1).strip('.')}"
            ids.append(people.add(shelf, name, on_caseload=at < size.casebooks, born="2011"))
        return ids[: size.casebooks]

    caseload = desk.do_now(add_people)
    now = Moment.of(SystemClock().now())
    step = 2 * 365 * 86_400_000 // size.entries
    for start in range(0, size.entries, 2_000):

        def add_entries(shelf: Shelf, start: int = start) -> None:
            for at in range(start, min(start + 2_000, size.entries)):
                when = Moment(now.ms - (size.entries - at) * step, now.offset)
                saved = journal.write(shelf, writer.entry(caseload[at % len(caseload)], when))
                if at % 25 == 0:
                    todo = actions.NewAction(writer.words(5), "Alex Morgan", mine=True, due_on="2026-11-01")
                    action = actions.add(shelf, caseload[at % len(caseload)], todo, entry_id=saved.entry_id)
                    if at < size.entries - 1000:
                        actions.finish(shelf, action)

        desk.do_now(add_entries)
        tell(f"\r  {min(start + 2_000, size.entries):,} of {size.entries:,} entries")
    tell("\n")
    while vault.submit(vault._tidy).result():  # what the idle moments of two years have done
        pass
    vault.submit(lambda: vault.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()).result()
    return vault, desk, caseload


def settle() -> None:
    """Let the disk finish what building has left, or the first measurements would share it."""
    if hasattr(os, "sync"):
        os.sync()


def quieten(where: Path) -> None:
    """Let disk and memory come to rest, for measuring how even single saves are.

    A disk goes on for seconds after it was told to finish: it is waited for until small writes take as long as one another.
    """
    settle()
    gc.collect()
    gc.freeze()  # what building left is nobody's save
    probe = where / "is the disk quiet"
    patience = time.monotonic() + PATIENCE_S
    while time.monotonic() < patience:
        taken = [timed(lambda: _write_durably(probe)) for _ in range(WRITES_IN_A_ROW)]
        if max(taken) < UNEVEN * statistics.median(taken):
            break
    else:
        on_stderr(f"The disk did not come to rest within {PATIENCE_S:.0f} s; how even saves are says more about it than about us.\n")
    probe.unlink()


def _write_durably(path: Path) -> None:
    with open(path, "wb") as file:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())


def throw_away(where: Path) -> None:
    shutil.rmtree(where, ignore_errors=True)


def on_stderr(line: str) -> None:
    """Show progress where it does not mix with the table."""
    print(line, end="", file=sys.stderr, flush=True)
