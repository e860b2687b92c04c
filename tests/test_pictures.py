"""A picture of each screen at two sizes, with invented people and a clock that stands still.

A deliberate change is taken over with ``pytest tests/test_pictures.py --snapshot-update``; look at the pictures first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot

import storage.shelf
from leadworker.desk import Created, Desk
from leadworker.domain import alerts, caseload, people, visits
from leadworker.statements import Role
from screens.app import LeadworkerApp
from screens.fields import LineField, SecretField
from screens.note import NotePage
from screens.text_field import TextField
from storage.vault import Vault
from tests.colleague import Colleague
from tests.screen_world import PASSPHRASE, StillClock, WorldDoor, settle
from tests.shared_casebook import RUTH, handed_in, shared

pytest_plugins = ["tests.screen_fixtures"]

SIZES = [(80, 24), (120, 32)]
WORDS = tuple("apple river stone cloud tiger paper green house music light water bread chair glass night sugar".split())

Compare = Callable[..., bool]
Before = Callable[[Pilot[Any]], Awaitable[None]]


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Both sizes that every picture is taken at."""
    return (int(request.param[0]), int(request.param[1]))


@pytest.fixture
def open_app(door: WorldDoor, clock: StillClock) -> Iterator[Callable[..., LeadworkerApp]]:
    """Make the program on the open vault; the vault is closed afterwards."""

    async def opening() -> Desk:
        return await door.open(PASSPHRASE)

    def make(theme: str = "dusk", ascii_only: bool = False) -> LeadworkerApp:
        return LeadworkerApp(door, clock=clock, theme=theme, ascii_only=ascii_only, opening=opening)

    yield make
    if door.desk is not None:
        door.desk.close_now()


def typing(*steps: tuple[str, ...]) -> Before:
    """Return what presses keys step by step, each done and drawn before the next."""

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for step in steps:
            await pilot.press(*step)
            await settle(pilot)
        pilot.app.clear_notifications()
        await settle(pilot)

    return before


PARTS = {
    "what": "visit @Keira Okafor-Lane home today 2pm 50 min",
    "seen": "Keira alone first, then with Mum",
    "said": "I slept. It's quiet when he's on nights.\nCan Sam come to the meeting?",
    "noticed": "Drawings up on the wall again. Ate while we talked.",
    "think": "She is asking for Sam to be there. Trust is moving to adults she picks.",
    "next_steps": "text @Sam Reyes thu\nask ruth about december rota fri",
}


async def written(pilot: Pilot[Any]) -> None:
    """Write a whole note."""
    await typing(("n",))(pilot)
    for name, words in PARTS.items():
        field = pilot.app.screen.query_one(f"#{name}")
        if isinstance(field, TextField):
            field.load_text(words)
        elif isinstance(field, LineField):
            field.value = words
    page = pilot.app.screen
    assert isinstance(page, NotePage)
    await page.keep()
    page.set_focus(page.query_one("#next_steps", TextField))
    page.query_one("#next_steps", TextField).move_cursor((1, 33))
    await settle(pilot)


async def begun(pilot: Pilot[Any]) -> None:
    """Begin a note, as far as the list of people; kept by hand, so that it does not matter whether two seconds went by."""
    await typing(("n",), tuple("visit @"))(pilot)
    page = pilot.app.screen
    assert isinstance(page, NotePage)
    await page.keep()
    await settle(pilot)


async def written_apart(pilot: Pilot[Any]) -> None:
    """Let Alex and Ruth write apart where Keira lives, when her next visit is, and whether an alert still holds."""
    await settle(pilot)
    app = cast(LeadworkerApp, pilot.app)
    desk, clock = app.desk, cast(StillClock, app.clock)
    ruth = Colleague(cast(Vault, desk._keeper), "Ruth Adeyemi")
    keira = (await desk.ask(caseload.resolve, "Keira")).id
    dog = (await desk.ask(alerts.at_the_door, keira))[0]
    visit = next(row for row in await desk.ask(visits.of_person, keira) if row.starts_ms == clock.at(21, 10).ms)
    await desk.do(people.describe, keira, lives_at="14 Fen Court, with mum and Craig")
    await desk.do(visits.move, visit.id, clock.at(21, 11))
    await desk.do(alerts.end_alert, dog.id, "the dog moved out")
    moved = {"starts_ms": clock.at(20, 9).ms, "starts_offset": 0, "state": "planned"}
    for topic, record, values in (
        ("person", keira, {"lives_at": "with her nan, 3 Mill Lane"}), ("visit", visit.id, moved),
        ("alert", dog.id, {"text": "Dog in the hall. It bites.", "on": True}),
    ):  # fmt: skip
        desk.ring(ruth.writes(keira, topic, record, values, clock.at(18, 12, 5)))
    await settle(pilot)


def apart(*steps: tuple[str, ...]) -> Before:
    """Return what lets two people write apart, then presses keys step by step."""

    async def before(pilot: Pilot[Any]) -> None:
        await written_apart(pilot)
        await typing(*steps)(pilot)

    return before


async def changed_meanwhile(pilot: Pilot[Any]) -> None:
    """Let Ruth change where Keira lives while a form about it is open, and save the form."""
    await typing(("2",), ("enter",), ("e",))(pilot)
    desk = cast(LeadworkerApp, pilot.app).desk
    pilot.app.screen.query_one("#field-lives_at", TextField).load_text("in a hostel, since Monday")
    ruth = Colleague(cast(Vault, desk._keeper), "Ruth Adeyemi")
    keira = (await desk.ask(caseload.resolve, "Keira")).id
    clock = cast(StillClock, cast(LeadworkerApp, pilot.app).clock)
    desk.ring(ruth.writes(keira, "person", keira, {"lives_at": "with her nan, 3 Mill Lane"}, clock.at(18, 12, 5)))
    await typing(("ctrl+s",))(pilot)


def read_by_others(*steps: tuple[str, ...], **given: Any) -> Before:
    """Return what lets colleagues read Keira's casebook, then opens who can read it and presses keys step by step."""

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        app = cast(LeadworkerApp, pilot.app)
        app.open_person(await shared(app, **given))
        await settle(pilot)
        await typing(("w",), *steps)(pilot)

    return before


async def handed_in_late(pilot: Pilot[Any]) -> None:
    """Let Bea hand in late what she wrote, and Alex decide to take her out."""
    await settle(pilot)
    app = cast(LeadworkerApp, pilot.app)
    keira = await shared(app)
    clock = cast(StillClock, app.clock)
    await app.desk.do(lambda shelf: handed_in(shelf, keira, "What Bea still wrote", clock.at(18, 12).ms))
    app.who_reads(keira)
    await typing(("down", "x"), ("x",))(pilot)


async def supervised(pilot: Pilot[Any]) -> None:
    """Let Alex supervise the work with Keira, which Ruth leads."""
    await settle(pilot)
    await shared(cast(LeadworkerApp, pilot.app), lead=RUTH, mine=Role.SUPERVISOR)
    await typing(("2",))(pilot)


SCREENS: dict[str, Before] = {
    "today": typing(),
    "people": typing(("2",)),
    "people_supervised": supervised,
    "people_narrowed": typing(("2",), ("f", *"y d")),
    "person_journal": typing(("2",), ("enter",)),
    "person_actions": typing(("2",), ("enter",), ("tab",)),
    "person_contact": typing(("2",), ("enter",), ("tab",), ("tab",)),
    "person_new": typing(("2",), ("down", "down"), ("enter",)),
    "entry": typing(("2",), ("enter",), ("down",), ("enter",)),
    "person_form": typing(("2",), ("enter",), ("e",)),
    "visit_form": typing(("2",), ("enter",), ("v",)),
    "note_begun": begun,
    "note": written,
    "find": typing(("2",), ("enter",), ("slash", *"kei")),
    "find_commands": typing(("slash", *">co")),
    "sync": typing(("6",)),
    "today_apart": apart(),
    "apart": apart(("c",)),
    "apart_versions": apart(("c",), ("enter",)),
    "history": apart(("c",), ("h",)),
    "changed_meanwhile": changed_meanwhile,
    "readers": read_by_others(),
    "readers_of_another_lead": read_by_others(lead=RUTH, writable=0),
    "readers_handed_in_late": handed_in_late,
    "readers_let_in": read_by_others(("a",), tuple("sam")),
    "help": typing(("f1",)),
    "hidden": typing(("ctrl+l",)),
}


@pytest.mark.parametrize("name", SCREENS)
def test_picture_of(name: str, open_app: Callable[..., LeadworkerApp], snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(open_app(), terminal_size=size, run_before=SCREENS[name])


def test_picture_of_the_words_to_compare(
    open_app: Callable[..., LeadworkerApp], snap_compare: Compare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words follow from the casebook's id, which is made at random."""
    monkeypatch.setattr(storage.shelf, "check_words", lambda raw, count: WORDS[:count])
    assert snap_compare(open_app(), terminal_size=size, run_before=read_by_others(n=214))


@pytest.mark.parametrize("theme", ["paper", "contrast", "wall"])
def test_picture_in_other_colours(theme: str, open_app: Callable[..., LeadworkerApp], snap_compare: Compare) -> None:
    assert snap_compare(open_app(theme), terminal_size=(80, 24), run_before=SCREENS["person_journal"])


def test_picture_in_ascii(open_app: Callable[..., LeadworkerApp], snap_compare: Compare) -> None:
    assert snap_compare(open_app(ascii_only=True), terminal_size=(80, 24), run_before=SCREENS["today"])


def test_picture_in_a_wide_window(open_app: Callable[..., LeadworkerApp], snap_compare: Compare) -> None:
    assert snap_compare(open_app(), terminal_size=(160, 44), run_before=SCREENS["person_journal"])


def test_picture_of_the_unlock_screen(door: WorldDoor, clock: StillClock, snap_compare: Compare, size: tuple[int, int]) -> None:
    app = LeadworkerApp(door, clock=clock, theme="dusk", ascii_only=False)
    assert snap_compare(app, terminal_size=size, run_before=typing())


def test_picture_of_the_unlock_screen_after_a_lock(door: WorldDoor, clock: StillClock, snap_compare: Compare) -> None:
    greeting = "Locked after 5 minutes without a key. Your note is kept."
    app = LeadworkerApp(door, clock=clock, theme="dusk", ascii_only=False, greeting=greeting)
    assert snap_compare(app, terminal_size=(80, 24), run_before=typing())


@pytest.mark.parametrize("step", ["name", "passphrase", "again", "words"])
def test_picture_of_the_first_run(
    step: str, tmp_path: Path, clock: StillClock, snap_compare: Compare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = WorldDoor(tmp_path / "none", clock)

    async def create(_name: str, _passphrase: str) -> Created:
        return Created(None, WORDS)

    monkeypatch.setattr(door, "create", create)

    async def before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        if step == "name":
            return
        await pilot.press(*"Alex Morgan", "enter")
        await settle(pilot)
        for name in ("passphrase", "again"):
            if step == name:
                return
            pilot.app.screen.query_one(f"#{name}", SecretField).value = PASSPHRASE
            await pilot.press("enter")
            await settle(pilot)

    app = LeadworkerApp(door, clock=clock, theme="dusk", ascii_only=False)
    assert snap_compare(app, terminal_size=size, run_before=before)
