"""The main job, walked aloud with no terminal: each step is done for real, then said in one line.

Ends with exit code 0, or with a plain sentence and 1 at the first thing that did not happen.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from leadworker.clock import Moment
from leadworker.demo.clock import StoryClock
from leadworker.demo.stage import ALEX, PRIYA, RUTH, Laptop, Stage
from leadworker.demo.town import tell
from leadworker.demo.writer import HALF_WRITTEN, NOTICED, SAID, THINK
from leadworker.domain import drafts, journal
from leadworker.errors import LeadworkerError
from leadworker.wiring import signing_keys
from storage import checking, rebuilding

PATIENCE_S = 60


class NotAsPromised(Exception):
    """A step did not do what it promises; the words say which."""


def walk() -> int:
    """Walk the main job; return the exit code."""
    started = time.monotonic()
    try:
        with Stage() as stage:
            _walk(stage)
    except NotAsPromised as error:
        print(f"The demo stopped: {error}", file=sys.stderr, flush=True)
        return 1
    except LeadworkerError as error:
        print(f"The demo stopped: {error.sentence}", file=sys.stderr, flush=True)
        return 1
    _say(f"Done in {time.monotonic() - started:.0f} seconds. Everything was thrown away again.")
    return 0


def _walk(stage: Stage) -> None:
    words = _prepare(stage)
    entry_id = _write_offline_and_die(stage)
    alex = _reopen(stage, entry_id)
    try:
        _send(stage, alex, entry_id)
        _supervisor_reads(stage, entry_id)
        _search_store(stage, words)
        _check(stage, alex)
    finally:
        alex.close()


def _prepare(stage: Stage) -> frozenset[str]:
    story = StoryClock()
    alex, ruth, priya = stage.laptop(ALEX, story), stage.laptop(RUTH), stage.laptop(PRIYA)
    try:
        told = tell(alex.desk, story, datetime.now().astimezone())
        _say(f"An invented town: {told.people} people on {ALEX}'s caseload, {told.entries} entries in three months.")
        stage.set_up(ruth, alex, priya)
        _say(f"{RUTH} set up an organisation at a central store on this machine; {ALEX} and {PRIYA} joined by invite.")
        result = asyncio.run(alex.sync())
        waiting = asyncio.run(alex.box.counts()).waiting
        _require(not result.alarms and not waiting, "the caseload did not reach the central store")
        _say("The caseload is on the central store, sealed; every change has its receipt.")
    finally:
        for laptop in (alex, ruth, priya):
            laptop.close()
    return frozenset(told.words)


def _write_offline_and_die(stage: Stage) -> str:
    stage.network_gone()
    folder = stage.folder / ALEX.split()[0].lower()
    command = [sys.executable, "-P", "-m", "leadworker.demo.writer", str(folder), "Tobi"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        said = [child.stdout.readline().split() if child.stdout else [] for _ in range(2)]
        _require([line[:1] for line in said] == [["kept"], ["saved"]], "the visit was not saved offline")
        _say("The network is gone. A visit was written and saved on the laptop; another note is half written.")
    finally:
        child.kill()
        child.wait(PATIENCE_S)
    _say("Lid closed: the program was killed (SIGKILL) in the middle of it.")
    return said[1][1]


def _reopen(stage: Stage, entry_id: str) -> Laptop:
    alex = stage.laptop(ALEX)
    entry = alex.desk.ask_now(journal.entry, entry_id)
    whole = (entry.said, entry.noticed, entry.think) == (SAID, NOTICED, THINK) and len(entry.actions) == 1
    half = any(draft.first_line == HALF_WRITTEN for draft in alex.desk.ask_now(drafts.unfinished))
    _require(whole and half, "something that was written is missing after the kill")
    _require(entry.whereabouts() == "here", "an entry claims to be sent that is not")
    _say(f"Reopened: nothing lost. The visit is whole and marked “{entry.whereabouts()}”; the half-written note is a draft.")
    return alex


def _send(stage: Stage, alex: Laptop, entry_id: str) -> None:
    stage.network_back()
    result = asyncio.run(alex.sync())
    entry = alex.desk.ask_now(journal.entry, entry_id)
    _require(entry.n > 0 and not result.alarms, "the central store gave no receipt for the visit")
    at = Moment(entry.received_ms, Moment.of(datetime.now()).offset).local()
    _say(f"The network is back: sealed, sent, receipt number {entry.n} of this casebook, on the central store {at:%H:%M}.")


def _supervisor_reads(stage: Stage, entry_id: str) -> None:
    ruth = stage.laptop(RUTH)
    try:
        result = asyncio.run(ruth.sync())
        entry = ruth.desk.ask_now(journal.entry, entry_id)
        _require(entry.said == SAID and entry.written_by == ALEX, "the supervisor's laptop reads something else")
        _say(f"{RUTH}'s laptop received {result.received} changes and opens the visit: “{entry.said}”")
    finally:
        ruth.close()


def _search_store(stage: Stage, words: Iterable[str]) -> None:
    stage.network_gone()
    wanted = {word for word in words if len(word) >= 6} | {SAID, NOTICED, THINK}
    empty = _empty_store(stage.folder)
    kept = b"".join(path.read_bytes() for path in sorted(stage.folder.glob(stage.store.name + "*")))
    found = [word for word in wanted if any(form in kept and form not in empty for form in _forms(word))]
    _require(not found, f"the central store holds {len(found)} of the words in clear")
    _say(f"The central store's {len(kept) // 1024} KB were searched for {len(wanted)} written words and sentences: none found.")
    stage.network_back()


def _empty_store(folder: Path) -> bytes:
    """What an empty store's file holds: the names of its own tables are not anybody's words."""
    from sync.hub.serve import EmbeddedHub

    with EmbeddedHub(str(folder / "empty-store.db")):
        pass
    return b"".join(path.read_bytes() for path in sorted(folder.glob("empty-store.db*")))


def _forms(word: str) -> tuple[bytes, ...]:
    return word.encode(), word.lower().encode(), word.encode("utf-16-le")


def _check(stage: Stage, alex: Laptop) -> None:
    ruth = stage.laptop(RUTH)
    try:
        asyncio.run(alex.sync())
        asyncio.run(ruth.sync())
        reports = [_report(laptop) for laptop in (alex, ruth)]
        ours, theirs = _books(alex), _books(ruth)
    finally:
        ruth.close()
    for report in reports:
        trouble = next((finding.sentence for finding in report.findings if not finding.whole), "")
        _require(not trouble, trouble)
    _require(bool(theirs) and theirs.items() <= ours.items(), "the two laptops do not hold the same record")
    _say(
        f"Both laptops checked: {reports[0].changes} changes here; chain, signatures and pages whole; made again from the log, "
        f"the same. All {len(theirs)} shared casebooks are the same on both, to the byte."
    )


def _report(laptop: Laptop) -> checking.Report:
    directory = asyncio.run(laptop.box.directory())
    vault = laptop.vault
    return vault.submit(
        lambda: checking.check(
            vault.connection, vault.anchor.read(), vault.identity.signing_public, keys_of=signing_keys(directory), rebuild=True
        )
    ).result()


def _books(laptop: Laptop) -> dict[str, str]:
    return laptop.vault.submit(lambda: rebuilding.book_digests(laptop.vault.connection)).result()


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotAsPromised(otherwise)


def _say(line: str) -> None:
    print(line, flush=True)
