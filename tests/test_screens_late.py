"""A laptop that is busy with something else: messages and answers come late, and not in the order of every other day.

Whatever is under way when a page goes, the program goes on. Each seed is another order; one that failed once stays.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from textual.message_pump import MessagePump

from leadworker.desk import Desk
from leadworker.domain import caseload
from screens import tidying
from screens.app import LeadworkerApp
from screens.find import FindDialog
from screens.people import PeoplePage
from screens.today import TodayPage
from screens.vlist import VList
from tests.screen_world import burst, opened, settle, type_in

pytest_plugins = ["tests.screen_fixtures"]

WALKS = (1, 2, 3, 4, 678, 751)
STEPS = 100
MOST_TURNS = 25
"""Turns of the event loop by which something comes late."""

KEYS = (
    ("n",), ("a",), ("v",), ("slash",), ("slash", "kei"), ("slash", ">conn"), ("1",), ("2",), ("6",), ("tab",), ("enter",),
    ("escape",), ("escape", "escape"), ("down",), ("up",), ("f1",), ("question_mark",), ("ctrl+s",), ("e",), ("t",), ("u",),
    ("s",), ("ctrl+l", "enter"), ("visit @keira home", "tab", "on the step"), ("f12", "enter"),
)  # fmt: skip
"""What people press, also what means nothing where they are."""


async def a_turn() -> None:
    """Let everything else have one turn of the event loop."""
    await asyncio.sleep(0)


@pytest.fixture
def comes_late(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return how to make every message and every answer of the vault come late by chance, each seed another way."""

    def begin(seed: int) -> None:
        chance = random.Random(seed)

        async def wait() -> None:
            if chance.random() < 0.2:
                for _ in range(chance.randrange(MOST_TURNS)):
                    await a_turn()

        dispatch, ask, do = MessagePump._dispatch_message, Desk.ask, Desk.do

        async def late_message(pump: MessagePump, message: Any) -> None:
            await wait()
            await dispatch(pump, message)

        async def late_answer(desk: Desk, *args: Any, **kwargs: Any) -> Any:
            await wait()
            answer = await ask(desk, *args, **kwargs)
            await wait()
            return answer

        async def late_deed(desk: Desk, *args: Any, **kwargs: Any) -> Any:
            await wait()
            answer = await do(desk, *args, **kwargs)
            await wait()
            return answer

        monkeypatch.setattr(MessagePump, "_dispatch_message", late_message)
        monkeypatch.setattr(Desk, "ask", late_answer)
        monkeypatch.setattr(Desk, "do", late_deed)

    return begin


@pytest.mark.parametrize("seed", WALKS)
async def test_whatever_comes_late_the_program_goes_on(app: LeadworkerApp, comes_late: Callable[[int], None], seed: int) -> None:
    steps = random.Random(seed)
    async with opened(app) as pilot:
        comes_late(seed)
        for _ in range(STEPS):
            burst(app, *steps.choice(KEYS))
            for _ in range(steps.randrange(40)):
                await a_turn()
        for _ in range(3):  # a key that hides may still have been on its way
            await settle(pilot)
            while app._hidden:
                await pilot.press("enter")
        await settle(pilot)
        await type_in(pilot, *["escape"] * 20, "1")
        assert isinstance(app.screen, TodayPage)


async def test_going_down_where_find_lists_nothing_stays_in_the_line(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "slash", "down", "up", "kei", "down", "down", "down", "down", "down", "down", "down", "down")
        assert isinstance(app.screen, FindDialog) and app.screen.query_one("#found", VList).selected is not None


async def test_a_panel_that_was_closed_asks_for_nothing_any_more(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "slash", "kei")
        find = app.screen
        assert isinstance(find, FindDialog)
        app.pop_screen()
        late = find._look()  # as for a letter that was still on its way
        await settle(pilot)
        assert late.is_cancelled


async def test_an_answer_that_comes_when_find_is_closing_shows_itself_nowhere(app: LeadworkerApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(app) as pilot:
        ask, asked = app.desk.ask, asyncio.Event()

        async def slow(question: Any, *args: Any, **kwargs: Any) -> Any:
            found = await ask(question, *args, **kwargs)
            find = app.screen
            if question is caseload.others and isinstance(find, FindDialog):
                asked.set()
                while find.children:  # its widgets go before it does, and only then is what it asked for given up
                    await a_turn()
            return found

        monkeypatch.setattr(app.desk, "ask", slow)
        await pilot.press("slash")
        await asked.wait()
        assert isinstance(app.screen, FindDialog)
        await pilot.press("escape")
        await type_in(pilot, "2")
        assert isinstance(app.screen, PeoplePage)


async def test_what_a_closed_page_leaves_is_cleared_away_a_moment_later(app: LeadworkerApp, monkeypatch: pytest.MonkeyPatch) -> None:
    cleared: list[str] = []
    monkeypatch.setattr(tidying.gc, "collect", lambda: cleared.append("once"))
    async with opened(app) as pilot:
        app.open_person((await app.desk.ask(caseload.resolve, "Keira")).id)
        await settle(pilot)
        await pilot.pause(3 * tidying.SOON_S)
        cleared.clear()
        await pilot.press("escape")
        await settle(pilot)
        await pilot.pause(3 * tidying.SOON_S)
        assert cleared == ["once"]
