"""Keys that come faster than they can be drawn: each does its work before the next one is looked at."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.message import Message
from textual.message_pump import MessagePump

from leadworker.domain import caseload, drafts, journal
from screens.app import LeadworkerApp
from screens.fields import LineField
from screens.note import NotePage
from screens.text_field import TextField
from screens.today import TodayPage
from tests.screen_world import PASSPHRASE, WorldDoor, burst, opened, settle, type_in

pytest_plugins = ["tests.screen_fixtures"]


async def test_what_is_typed_after_a_tab_is_in_the_next_field(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        burst(app, "n", "visit yesterday 4pm 50 min home", "tab", "On the step", "tab", "I slept.", "tab", "tab", "ok")
        await type_in(pilot)
        assert isinstance(app.screen, NotePage)
        parts = {name: app.screen.query_one(f"#{name}", TextField).text for name in ("seen", "said", "noticed", "think")}
        assert app.screen.query_one("#what", LineField).value == "visit yesterday 4pm 50 min home"
        assert parts == {"seen": "On the step", "said": "I slept.", "noticed": "", "think": "ok"}


async def test_a_name_is_chosen_from_the_list_also_in_a_burst(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        burst(app, "n", "visit @yus", "enter", "home", "tab", "him")
        await type_in(pilot)
        assert app.screen.query_one("#what", LineField).value == "visit @Yusuf Demir home"
        assert app.screen.query_one("#seen", TextField).text == "him"


async def test_a_whole_note_and_the_way_on_in_one_burst(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        burst(app, "n", "@keira call 5 min", "tab", "Mum", "ctrl+s", "n", "another one", "escape", "2")
        await type_in(pilot)
        who = (await app.desk.ask(caseload.resolve, "Keira")).id
        assert (await app.desk.ask(journal.timeline, who))[0].seen == "Mum"
        assert "another one" in [draft.first_line for draft in await app.desk.ask(drafts.unfinished)]
        assert type(app.screen).__name__ == "PeoplePage"


async def test_letters_typed_while_a_note_is_being_left_are_kept_with_it(app: LeadworkerApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "one")
        page = app.screen
        assert isinstance(page, NotePage)
        what, real = page.query_one("#what", LineField), app.desk.do

        async def slow(deed: Any, *args: Any, **kwargs: Any) -> Any:
            result = await real(deed, *args, **kwargs)
            if "two" not in what.value:
                what.value += " two"  # somebody types on while the disk works
            return result

        monkeypatch.setattr(app.desk, "do", slow)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        assert "one two" in [draft.first_line for draft in await app.desk.ask(drafts.unfinished)]


async def test_hiding_never_waits_its_turn(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        app._rounds_left = 1  # as while something is being saved
        burst(app, "ctrl+l")
        await pilot.pause()
        assert type(app.screen).__name__ == "HideScreen"
        app._rounds_left = 0


async def test_what_was_typed_before_hiding_is_in_the_note_after_coming_back(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n")
        burst(app, "visit", "tab", "on the step", "ctrl+l")
        await type_in(pilot)
        assert type(app.screen).__name__ == "HideScreen"
        await type_in(pilot, "enter")
        assert app.screen.query_one("#what", LineField).value == "visit"
        assert app.screen.query_one("#seen", TextField).text == "on the step"


async def test_on_a_busy_machine_nothing_is_saved_before_what_was_typed_is_there(
    app: LeadworkerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch = MessagePump._dispatch_message

    async def slowly(pump: MessagePump, message: Message) -> None:
        if isinstance(pump, TextField):
            await asyncio.sleep(0.06)
        await dispatch(pump, message)

    async with opened(app) as pilot:
        monkeypatch.setattr(MessagePump, "_dispatch_message", slowly)
        await type_in(pilot, "n", "@yusuf call", "tab", "Mum rang", "ctrl+s")
        monkeypatch.undo()
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        (entry,) = await app.desk.ask(journal.recent, limit=1)
        assert entry.seen == "Mum rang"


async def test_a_turn_that_is_lost_with_its_widget_does_not_stop_the_keyboard(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        app._rounds_left, app._turn_number = 2, 7  # a turn is out
        app._back(7)  # … and given up
        await type_in(pilot)
        await pilot.press("2")
        await type_in(pilot)
        assert type(app.screen).__name__ == "PeoplePage"


@pytest.mark.skipif("sys.platform == 'win32'", reason="needs a pseudo-terminal")
def test_in_a_real_terminal_a_burst_reaches_the_fields_it_was_meant_for(door: WorldDoor) -> None:
    from tests.terminal import KEYS, Terminal

    with Terminal(["-m", "leadworker", "--vault", str(door.folder)], environment={"TZ": "Europe/London"}) as terminal:
        terminal.until("Passphrase")
        terminal.type(PASSPHRASE + KEYS["enter"])
        terminal.until("1 Today", "find")
        terminal.type(f"nvisit yesterday 4pm 50 min home{KEYS['tab']}On the step{KEYS['tab']}I slept.")
        shown = terminal.until("New note", "I slept.")
        rows = {line.split("▌")[0].strip(): line.split("▌")[1].strip() for line in shown.splitlines() if line.count("▌") == 1}
        assert rows["What"] == "visit yesterday 4pm 50 min home" and rows["Seen"] == "On the step" and rows["Said"] == "I slept."
        terminal.press("ctrl+q")
        assert terminal.ended() == 0


def test_nothing_that_writes_can_be_cancelled_by_the_next_one_or_by_its_page_going_away() -> None:
    """An exclusive worker is cancelled by the next one, a page's worker with its page: both only ever read or keep."""
    wrong = []
    for path in sorted((Path(__file__).parent.parent / "screens").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.AsyncFunctionDef):
                continue
            work = [ast.unparse(each) for each in node.decorator_list if ast.unparse(each).startswith("work")]
            writes = any(isinstance(n, ast.Attribute) and n.attr == "do" for n in ast.walk(node))
            if work and writes:
                wrong.append(f"{path.name}:{node.lineno} {node.name}")
    assert not wrong, "what writes goes through Shell.write"
