"""An invented caseload in a real vault, a clock that stands still, and the terminal program on them, for tests of screens.

Everybody and every place in it is made up.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from textual import events
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from leadworker.clock import Moment
from leadworker.crypto.keys import FLOOR_KIB
from leadworker.desk import Carried, Desk, PostState
from leadworker.domain import actions, alerts, journal, people, visits
from leadworker.domain.actions import NewAction
from leadworker.domain.drafts import Draft, keep
from leadworker.domain.journal import NewEntry
from leadworker.record import new_id
from leadworker.shelf import Shelf
from storage import opening

PASSPHRASE = "copper lantern quiet harbour seven"
ME = "Alex Morgan"


def set_zone() -> None:
    """Live in one time zone, so that pictures are the same on every machine."""
    os.environ["TZ"] = "Europe/London"
    if hasattr(time, "tzset"):
        time.tzset()


set_zone()


class StillClock:
    """A clock that moves only when it is told to."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2025, 11, 18, 14, 32).astimezone()
        self._steady = 1000.0

    def now(self) -> datetime:
        return self._now

    def steady(self) -> float:
        return self._steady

    def go(self, moment: Moment) -> None:
        """Stand at another moment."""
        self._now = moment.local().astimezone()

    def wait(self, seconds: float) -> None:
        """Let time pass while the laptop is awake."""
        self._now += timedelta(seconds=seconds)
        self._steady += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass while the laptop is asleep."""
        self._now += timedelta(seconds=seconds)

    def at(self, day: int, hour: int, minute: int = 0, month: int = 11) -> Moment:
        """Return a moment of this year."""
        return Moment.of(datetime(2025, month, day, hour, minute).astimezone())


class StillPost:
    """A post whose state is what the test says."""

    def __init__(self, state: PostState) -> None:
        self.state = state
        self.synced = 0
        self.visited: list[Path] = []
        self._listeners: list[Callable[[PostState], None]] = []

    def listen(self, callback: Callable[[PostState], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def become(self, state: PostState) -> None:
        """Change the state and tell everybody."""
        self.state = state
        for listener in tuple(self._listeners):
            listener(state)

    async def sync_now(self) -> PostState:
        self.synced += 1
        return self.state

    async def visit_stick(self, folder: Path) -> Carried:
        self.visited.append(folder)
        return Carried(written=2)

    async def stop(self) -> None:
        return None


def offline(clock: StillClock) -> PostState:
    """Return the state of a laptop that was last in the office yesterday."""
    yesterday = clock.at(17, 17, 2).ms
    return PostState(
        word="offline", sentence="Offline since yesterday 17:02. Everything is saved here.", waiting=4,
        last_sent_ms=yesterday, last_received_ms=yesterday, last_received="11 changes from Ruth, Jordan, Priya",
        last_backup_ms=clock.at(16, 9).ms, organisation="Fenland Family Team", hub="https://store.fenland.example",
    )  # fmt: skip


class WorldDoor:
    """A door to a vault in `folder`, with the checks of passphrases that matter to a screen."""

    def __init__(self, folder: Path, clock: StillClock, post: Callable[[StillClock], PostState] | None = offline) -> None:
        self.folder, self.clock = folder, clock
        self._post = post
        self.wrong = 0
        self.reports: list[str] = []
        self.desk: Desk | None = None
        self.wait = 0.0

    def vault_exists(self) -> bool:
        return opening.exists(self.folder)

    def where(self) -> str:
        return "/home/alex/leadworker"

    async def open(self, passphrase: str) -> Desk:
        from leadworker.errors import WrongPassphrase

        try:
            return self._desk(opening.open_with_passphrase(self.folder, passphrase, clock=self.clock))
        except WrongPassphrase:
            self.wrong += 1
            raise

    async def open_with_words(self, words: str) -> Desk:
        return self._desk(opening.open_with_words(self.folder, words, clock=self.clock))

    def tries_left(self) -> int:
        return max(1, 5 - self.wrong)

    def wait_before_next_try(self) -> float:
        return self.wait or (60.0 if self.wrong >= 5 else 0.0)

    def suggest_passphrase(self) -> str:
        return PASSPHRASE

    async def judge_passphrase(self, passphrase: str) -> str:
        return "" if len(passphrase) > 13 else "That is too short: at least 14 characters."

    async def create(self, name: str, passphrase: str) -> Any:
        from leadworker.desk import Created

        vault, words = opening.create(self.folder, name, passphrase, clock=self.clock, memory_kib=FLOOR_KIB, read_back=False)
        return Created(self._desk(vault), words)

    def report_crash(self, report: str) -> None:
        self.reports.append(report)

    def _desk(self, vault: Any) -> Desk:
        post = StillPost(self._post(self.clock)) if self._post else None
        self.desk = Desk(vault, vault.name, post)
        self.desk.notices = tuple(vault.notices)
        return self.desk


def caseload(shelf: Shelf, clock: StillClock) -> None:
    """Write down an invented caseload: four young people, what to know at their doors, what was promised."""
    today = Moment.of(clock.now())
    keira = people.add(shelf, "Keira Okafor-Lane", pronouns="she/her", born="3 May 2010", lives_at="14 Fen Court, with mum")
    people.describe(shelf, keira, talking="Dyslexia: short texts, no letters. Give her time to answer.")
    for name in ("Kay", "KK"):
        people.also_known_as(shelf, keira, name)
    people.add_contact(shelf, keira, "mobile", "07700 900118", "hers")
    people.add_contact(shelf, keira, "mobile", "07700 900220", "mum's")
    people.add_identifier(shelf, keira, "School", "KOL-2217")
    alerts.raise_alert(shelf, keira, "Dog in the hall. Ring first.")
    alerts.raise_alert(shelf, keira, "Craig may be home. Leave no messages with him.")
    alerts.add_access_note(shelf, keira, "Side gate. Buzzer broken, text when outside.")
    yusuf = people.add(shelf, "Yusuf Demir", born="about 16", lives_at="Harbour House, room 9")
    alerts.add_access_note(shelf, yusuf, "Office visit only. Interpreter booked (Turkish).")
    leah = people.add(shelf, "Leah Brandt", born="2009")
    noah = people.add(shelf, "Noah Pryce", born="12 January 2012")
    people.add(shelf, "Sam Reyes", on_caseload=False, lives_at="boxing club, Mill Road")
    people.add(shelf, "Ruth Adeyemi", on_caseload=False)
    visits.plan(shelf, keira, clock.at(18, 15, 30), place="home, 14 Fen Court")
    visits.plan(shelf, yusuf, clock.at(18, 17), place="office, Room 2")
    visits.plan(shelf, leah, clock.at(14, 10), place="home")
    visits.plan(shelf, keira, clock.at(21, 10), place="school, for the review")
    _entries(shelf, clock, keira)
    clock.go(today)
    for who, text, due in (
        (keira, "Bus pass form to school", "2025-11-17"),
        (yusuf, "Write up call with housing", "2025-11-18"),
        (leah, "Send panel report", "2025-11-18"),
        (keira, "Prepare case conference", "2025-11-21"),
        (noah, "Check school transport", "2025-11-24"),
    ):
        actions.add(shelf, who, NewAction(text, ME, mine=True, due_on=due))
    started = clock.at(18, 10, 12)
    draft = Draft(new_id(), keira, "Keira Okafor-Lane", "Call with Tyler", noticed="He rang by himself.",
                  started_ms=started.ms, started_offset=started.offset)  # fmt: skip
    keep(shelf, draft)


def _entries(shelf: Shelf, clock: StillClock, keira: str) -> None:
    mine, ruth = (ME, True), ("Ruth Adeyemi", False)

    def promised(text: str, owner: tuple[str, bool], due: str) -> NewAction:
        return NewAction(text, owner[0], mine=owner[1], due_on=due)

    written = [
        NewEntry(
            keira, "meeting", clock.at(4, 13), minutes=60, place="town hall", seen="Monthly case conference",
            noticed="All six agencies came. Agreed one plan, CAMHS to bring the wait down.",
            next_steps="ring CAMHS about the wait", actions=(promised("Ring CAMHS about the wait", mine, "2025-11-15"),),
        ),
        NewEntry(
            keira, "visit", clock.at(7, 17), minutes=40, place="boxing club", seen="Keira with Sam",
            said="Nobody shouts here. Sam just waits.",
            noticed="Held pads for a younger girl. Laughing. First time I have seen her lead something.",
            think="Sam is the adult she trusts most outside family.",
        ),
        NewEntry(
            keira, "phone", clock.at(12, 9, 20), minutes=12, place="school", seen="Ms Bhatt",
            noticed="Four days out of five this week, best since June. One late mark. Sat with Mia at lunch.",
            think="The later start is working. Keep it until Christmas.",
        ),
        NewEntry(
            keira, "visit", clock.at(13, 11), minutes=35, place="home", seen="Keira and Mum, with Ruth",
            said="I don't mind you two coming together.",
            noticed="Mum asked who else would see the notes. Ruth showed her the page.",
        ),
        NewEntry(
            keira, "visit", clock.at(14, 14), minutes=50, place="home", seen="Keira on her own, then with Mum",
            said="It's calmer when Craig's on nights. I actually slept.",
            noticed="Kitchen tidy, food in. Keira showed me three drawings and kept eye contact. Quiet when Mum came in.",
            think="Home feels safer in the weeks Craig works nights. Ask about the other weeks before we step down.",
            next_steps="text Sam thu\nask Mum about Craig's December rota",
            actions=(
                promised("Text Sam about Thursday sessions", mine, "2025-11-20"),
                promised("Ask Mum about Craig's December rota", ruth, "2025-11-24"),
            ),
        ),
    ]  # fmt: skip
    for entry in written:
        assert entry.happened is not None
        clock.go(Moment(entry.happened.ms + 3_600_000 * 2, entry.happened.offset))
        journal.write(shelf, entry)


def _partly_synced(connection: Any, clock: StillClock) -> None:
    """Let older entries be on the central store, one be on its way, and one be Ruth's, as after a day in the office."""
    ruths, mine = clock.at(13, 11), clock.at(14, 14)
    connection.execute("INSERT INTO writer (device, name, mine) VALUES ('ruths-laptop', 'Ruth Adeyemi', 0)")
    connection.execute("UPDATE journal_entry SET made_by = 'ruths-laptop' WHERE happened_ms = ?", (ruths.ms,))
    entries = connection.execute("SELECT change_no, happened_ms FROM journal_entry ORDER BY happened_ms").fetchall()
    for change, happened_ms in entries:
        on_its_way, here = happened_ms == clock.at(12, 9, 20).ms, happened_ms >= mine.ms
        received = 0 if on_its_way or here else clock.at(17, 17, 2).ms if happened_ms == ruths.ms else happened_ms + 7_200_000
        connection.execute(
            "UPDATE change SET n = ?, sent_ms = ?, received_ms = ? WHERE no = ?",
            (change if received else None, 0 if here else clock.at(17, 17).ms, received, change),
        )


def make_vault(folder: Path, fill: Callable[[Shelf, StillClock], object] = caseload) -> None:
    """Make a vault with the invented caseload in it, and close it."""
    clock = StillClock()
    vault, _words = opening.create(folder, ME, PASSPHRASE, clock=clock, memory_kib=FLOOR_KIB)
    try:
        vault.write(lambda shelf: fill(shelf, clock)).result()
        if fill is caseload:
            vault.submit(lambda: _partly_synced(vault.connection, clock)).result()
    finally:
        vault.close()


def copy_vault(template: Path, folder: Path) -> Path:
    """Copy a closed vault."""
    shutil.copytree(template, folder)
    return folder


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until everything that was begun is done and drawn: workers first, then messages.

    While the screen is hidden, what waits for it to be shown again is not waited for.
    """
    app: Any = pilot.app
    for _ in range(3):
        waiting = {"shown", "go", "leave"} if app._hidden else set()
        begun = [worker for worker in app.workers if worker.group not in waiting]
        with suppress(WorkerCancelled):  # a read that a newer one overtook
            if begun:
                await app.workers.wait_for_complete(begun)
        await pilot.pause()


_KEYS = {
    "tab": "\t", "enter": "\r", "escape": "\x1b", "space": " ", "backspace": "\x7f", "up": None, "down": None, "end": None,
    "f1": None, "f12": None, "slash": "/", "question_mark": "?",
}  # fmt: skip
_LETTERS = {
    " ": "space", "@": "at", "?": "question_mark", ".": "full_stop", ",": "comma", "/": "slash", ">": "greater_than_sign",
    "!": "exclamation_mark", "'": "apostrophe", "-": "minus",
}  # fmt: skip


def burst(app: Any, *parts: str) -> None:
    """Give the program a whole burst of keys at once: names of keys, or words to type."""
    for part in parts:
        if part in _KEYS or part.startswith("ctrl+"):
            app.post_message(events.Key(part, _KEYS.get(part)))
        else:
            for letter in part:
                app.post_message(events.Key(_LETTERS.get(letter, letter), letter))


async def type_in(pilot: Pilot[Any], *parts: str) -> None:
    """Type a burst of keys, and wait until every one of them has done its work."""
    burst(pilot.app, *parts)
    app: Any = pilot.app
    for _ in range(400):
        await settle(pilot)
        if not app._held_keys and not app._rounds_left:
            return
    raise AssertionError("some keys were never taken")


@asynccontextmanager
async def opened(app: Any, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[Any]]:
    """Run the program on an open vault, on Today."""
    async with app.run_test(size=size, notifications=True) as pilot:
        desk = await app.door.open(PASSPHRASE)
        await app.enter(desk)
        await settle(pilot)
        try:
            yield pilot
        finally:
            if app.open_desk is not None:
                await app.open_desk.close()
                app.open_desk = None


def seen(app: Any) -> str:
    """Return the words on the screen, as a person sees them."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())
