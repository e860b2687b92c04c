"""Hiding, locking, leaving and breaking: nothing typed is lost, and nothing is left on the screen."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from leadworker.desk import Bell, Carried
from leadworker.domain import caseload, drafts
from leadworker.domain.drafts import Draft
from leadworker.errors import DiskTrouble
from leadworker.shelf import Shelf
from screens import crash, form
from screens.app import IDLE_MINUTES, LeadworkerApp
from screens.base import BOTTOM, How
from screens.fields import LineField
from screens.form import Form
from screens.frame import TopLine
from screens.hide import HideScreen
from screens.note import NotePage
from screens.people import PeoplePage
from screens.person import PersonPage
from screens.stick import StickForm
from screens.today import TodayPage
from storage import opening
from tests.screen_world import PASSPHRASE, StillClock, StillPost, WorldDoor, burst, opened, seen, settle, type_in

pytest_plugins = ["tests.screen_fixtures"]


def kept_drafts(door: WorldDoor, clock: StillClock) -> list[Draft]:
    """Open the closed vault again and return the drafts in it."""
    vault = opening.open_with_passphrase(door.folder, PASSPHRASE, clock=clock)
    try:
        return list(vault.read(drafts.unfinished).result())
    finally:
        vault.close()


@pytest.mark.parametrize("key", ["ctrl+l", "f12"])
async def test_one_key_hides_everything_but_the_time(app: LeadworkerApp, key: str) -> None:
    async with opened(app) as pilot:
        await pilot.press(key)
        await settle(pilot)
        assert seen(app).split() == ["14:32"]


async def test_hiding_twice_never_shows_anything_and_only_enter_comes_back(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("ctrl+l", "ctrl+l", "f12", "escape", "1", "2", "n", "slash", "f1", "space", "tab", "u", "question_mark")
        await settle(pilot)
        assert isinstance(app.screen, HideScreen) and seen(app).split() == ["14:32"]
        await pilot.press("enter")
        await settle(pilot)
        assert "Keira Okafor-Lane" in seen(app)


async def test_hiding_works_inside_a_field_and_inside_a_dialog(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "slash", "keira")
        await settle(pilot)
        await pilot.press("ctrl+l")
        await settle(pilot)
        assert seen(app).split() == ["14:32"]
        await type_in(pilot, "enter", "escape", "n", "visit")
        await pilot.press("f12")
        await settle(pilot)
        assert seen(app).split() == ["14:32"]
        await pilot.press("enter")
        await settle(pilot)
        assert "visit" in seen(app)


async def test_a_click_on_the_clock_hides(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.click(app.screen.query_one(TopLine), offset=(76, 0))
        await settle(pilot)
        assert isinstance(app.screen, HideScreen)


async def test_what_was_said_before_and_while_it_is_hidden_is_not_on_the_hidden_screen(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        app.say("Done: ring Keira.")
        await settle(pilot)
        assert "ring Keira" in seen(app)
        await pilot.press("ctrl+l")
        await settle(pilot)
        app.say("Ruth wrote about Keira.")
        await settle(pilot)
        assert seen(app).split() == ["14:32"]
        await pilot.press("enter")
        await settle(pilot)
        assert "Ruth wrote about Keira." in seen(app)


async def test_the_hidden_clock_goes_on(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        await pilot.press("ctrl+l")
        clock.wait(60)
        app.tick()
        await settle(pilot)
        assert seen(app).split() == ["14:33"]


async def test_five_minutes_without_a_key_lock_and_the_note_is_kept(app: LeadworkerApp, door: WorldDoor, clock: StillClock) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "visit, she slept")
        clock.wait(IDLE_MINUTES * 60 - 1)
        app.tick()
        await settle(pilot)
        assert app.open_desk is not None
        await pilot.press("!")
        clock.wait(IDLE_MINUTES * 60 - 1)
        app.tick()
        await settle(pilot)
        assert app.open_desk is not None, "it locked although somebody was typing"
        clock.wait(2)
        app.tick()
        await settle(pilot)
    assert app.return_value is not None and app.return_value.how is How.LOCKED
    assert "Your note is kept." in app.return_value.greeting
    assert [draft.first_line for draft in kept_drafts(door, clock)][-1] == "visit, she slept!"


async def test_the_idle_lock_runs_while_the_screen_is_hidden(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        await pilot.press("ctrl+l")
        clock.wait(IDLE_MINUTES * 60 + 1)
        await pilot.press("x", "tab")
        app.tick()
        await settle(pilot)
    assert app.return_value is not None and app.return_value.how is How.LOCKED


async def test_a_laptop_that_slept_is_locked(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        clock.sleep(600)
        app.tick()
        await settle(pilot)
    assert app.return_value is not None and app.return_value.how is How.LOCKED
    assert "asleep" in app.return_value.greeting


async def test_leaving_keeps_the_note_closes_the_vault_and_shows_a_blank_screen(
    app: LeadworkerApp, door: WorldDoor, clock: StillClock
) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "half a sentence", "ctrl+q")
        await settle(pilot)
        assert "half a sentence" not in seen(app) and "Keira" not in seen(app)
    assert app.return_value is not None and app.return_value.how is How.LEFT
    assert "half a sentence" in [draft.first_line for draft in kept_drafts(door, clock)]


async def test_going_to_another_place_with_the_mouse_keeps_the_note(app: LeadworkerApp, door: WorldDoor) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "typed a second ago")
        await pilot.click(app.screen.query_one(TopLine), offset=(14, 0))
        await settle(pilot)
        assert "on your caseload" in seen(app)
        await pilot.press("1")
        await settle(pilot)
        assert "typed a second ago" in seen(app)


async def test_when_the_disk_is_full_the_note_stays_and_leaving_waits(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "words that fit nowhere")
        full = full_disk(app)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, NotePage) and "words that fit nowhere" in seen(app)
        assert "The disk is full" in seen(app)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, NotePage), "it left although nothing could be kept"
        await pilot.press("ctrl+q")
        await settle(pilot)
        assert app.open_desk is not None and "words that fit nowhere" in seen(app)
        clock.wait(IDLE_MINUTES * 60 + 1)
        app.tick()
        await settle(pilot)
        assert isinstance(app.screen, HideScreen), "the words stood open on an unattended screen"
        full.undo()
        app.tick()
        await settle(pilot)
    assert app.return_value is not None and app.return_value.how is How.LOCKED


class full_disk:  # noqa: N801  # reads as what it does
    """Make every deed fail as on a full disk, until `undo`."""

    def __init__(self, app: LeadworkerApp) -> None:
        self._desk = app.desk
        self._real = self._desk.do
        self._desk.do = self._fail  # type: ignore[method-assign, assignment]

    async def _fail(self, deed: object, *args: object, **kwargs: object) -> None:
        raise DiskTrouble("The disk is full. Your note is still on screen. Free some space, then press Ctrl+S again.")

    def undo(self) -> None:
        self._desk.do = self._real  # type: ignore[method-assign]


async def test_a_note_is_in_the_vault_two_seconds_after_the_last_letter(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "autosaved")
        page = app.screen
        assert isinstance(page, NotePage)
        page.keep_quietly()  # what the timer calls every two seconds
        await settle(pilot)
        assert "autosaved" in [draft.first_line for draft in await app.desk.ask(drafts.unfinished)]
        assert "draft kept on this laptop 14:32" in seen(app)


async def test_a_crash_prints_one_calm_line_and_keeps_what_was_typed(app: LeadworkerApp, door: WorldDoor, clock: StillClock) -> None:
    printed = io.StringIO()

    def break_it(_bell: Bell) -> None:
        secret = "Keira told me this"  # noqa: F841  # a local variable, as a traceback would print it
        raise ZeroDivisionError("Keira")

    with redirect_stderr(printed), pytest.raises(ZeroDivisionError):
        app.error_console.file = printed
        async with opened(app) as pilot:
            await type_in(pilot, "n", "not lost")
            for _ in range(2):  # one fault often brings another
                app.call_later(break_it, Bell(frozenset(), frozenset()))
            await pilot.pause()
            for _ in range(50):
                await asyncio.sleep(0)
            await settle(pilot)
    assert "Leadworker has to stop. What you typed is kept. Reference" in printed.getvalue()
    assert "Keira" not in printed.getvalue() and "Traceback" not in printed.getvalue()
    (report,) = door.reports
    assert printed.getvalue().count("Reference") == 1 and f"Reference {report[:4]}" in printed.getvalue()
    assert "break_it" in report and "told me this" not in report
    assert "not lost" in [draft.first_line for draft in kept_drafts(door, clock)]


def test_a_crash_in_a_thread_or_outside_the_loop_prints_no_stack(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    kept: list[str] = []
    crash.CrashNotice(kept.append).install()

    def fail() -> None:
        raise ValueError("Keira's words")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    shown = capfd.readouterr()
    assert "Keira" not in shown.out + shown.err and "Traceback" not in shown.err
    assert "Leadworker has to stop." in shown.err
    assert len(kept) == 2 and all("ValueError" in report for report in kept)


async def test_a_change_from_a_colleague_reaches_the_open_page_without_moving_the_cursor(app: LeadworkerApp) -> None:
    def received(shelf: Shelf) -> None:
        from leadworker.domain import actions
        from leadworker.domain.actions import NewAction
        from leadworker.domain.caseload import mine

        actions.add(shelf, mine(shelf)[0].id, NewAction("Something older", "Alex Morgan", mine=True, due_on="2025-11-01"))

    async with opened(app) as pilot:
        page = app.screen
        assert isinstance(page, TodayPage)
        todo = page.query_one("#todo")
        todo.focus()
        await pilot.press("down", "down")
        before = todo.selected_key  # type: ignore[attr-defined]
        await app.desk.do(received)
        await settle(pilot)
        assert todo.selected_key == before  # type: ignore[attr-defined]
        assert "Something older" in [action.text for action in todo.items]  # type: ignore[attr-defined]


@contextlib.contextmanager
def a_slow_disk(app: LeadworkerApp) -> Iterator[None]:
    """Let nothing be read or written until the block ends."""
    assert app.open_desk is not None
    ready = threading.Event()
    app.open_desk._keeper.read(lambda shelf: ready.wait(20))
    try:
        yield
    finally:
        ready.set()


async def hidden_while(app: LeadworkerApp, pilot: Pilot[Any], begin: Callable[[], None]) -> None:
    """Begin something and hide before the disk has done its part; fail if anything shows before Enter comes back."""
    with a_slow_disk(app):
        begin()
        await pilot.pause()
        burst(app, "ctrl+l")
        await pilot.pause()
    await settle(pilot)
    assert isinstance(app.screen, HideScreen) and seen(app).split() == ["14:32"]
    await pilot.press("enter")
    await settle(pilot)


async def test_a_note_that_is_saved_while_the_screen_is_hidden_shows_nothing_and_is_gone_afterwards(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await app.desk.ask(caseload.resolve, "Keira")
        app.open_person(keira.id)
        await settle(pilot)
        await type_in(pilot, "n", "call @keira 9am", "enter", "She was asleep.")
        await hidden_while(app, pilot, lambda: burst(app, "ctrl+s"))
        assert isinstance(app.screen, PersonPage) and "She was asleep." in seen(app)
        assert [draft.first_line for draft in await app.desk.ask(drafts.unfinished) if "9am" in draft.first_line] == []


async def test_a_form_that_is_saved_while_the_screen_is_hidden_shows_nothing_and_is_gone_afterwards(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        app.add_person()
        await settle(pilot)
        await type_in(pilot, "Tia Walsh")
        await hidden_while(app, pilot, lambda: burst(app, "ctrl+s"))
        assert not isinstance(app.screen, Form) and "Tia Walsh" in seen(app)
        assert (await app.desk.ask(caseload.resolve, "Tia")).name == "Tia Walsh"


@pytest.mark.parametrize("how", ["escape", "places"])
async def test_leaving_a_note_that_is_still_being_kept_shows_nothing_while_the_screen_is_hidden(app: LeadworkerApp, how: str) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "half a sentence")
        await hidden_while(app, pilot, lambda: burst(app, "escape") if how == "escape" else app.go_to("people"))
        assert isinstance(app.screen, TodayPage if how == "escape" else PeoplePage)
        assert "half a sentence" in {draft.first_line for draft in await app.desk.ask(drafts.unfinished)}


@pytest.mark.parametrize("first", [("enter",), ("n",), ("slash",), ("v",), ("slash", "keira", "enter"), ("f1", "escape"), ("2", "enter")])
async def test_whatever_key_came_just_before_it_hiding_hides_and_only_a_later_enter_comes_back(
    app: LeadworkerApp, first: tuple[str, ...]
) -> None:
    async with opened(app) as pilot:
        for turns in (0, 1, 2, 3, 5, 8, 13, 40):
            burst(app, *first)
            for _ in range(turns):
                await asyncio.sleep(0)
            burst(app, "ctrl+l")
            await settle(pilot)
            await pilot.pause(0.02)
            assert isinstance(app.screen, HideScreen) and seen(app).split() == ["14:32"], (first, turns)
            await pilot.press("enter")
            await settle(pilot)
            assert not app._hidden and not isinstance(app.screen, HideScreen), (first, turns)
            await settle(pilot)
            while len(app.screen_stack) > BOTTOM:
                await app.pop_screen()
            app.go_to("today")
            await settle(pilot)


async def test_what_is_typed_while_a_place_is_being_left_is_kept_as_well(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "visit first")
        with a_slow_disk(app):
            app.go_to("people")
            await pilot.pause()
            app.screen.query_one("#what", LineField).insert_text_at_cursor(" second")
            await pilot.pause()
        await settle(pilot)
        assert isinstance(app.screen, PeoplePage)
        assert "visit first second" in {draft.first_line for draft in await app.desk.ask(drafts.unfinished)}


async def test_what_was_typed_just_before_hiding_is_in_the_note_that_the_lock_keeps(
    app: LeadworkerApp, door: WorldDoor, clock: StillClock
) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "visit first")
        burst(app, "tab", "She slept", "ctrl+l")
        await settle(pilot)
        app.lock("Locked.")
        await settle(pilot)
    assert any(draft.seen == "She slept" for draft in kept_drafts(door, clock))


async def test_a_form_whose_leftovers_could_not_be_cleared_away_is_not_saved_twice(
    app: LeadworkerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(app) as pilot:
        app.add_person()
        await settle(pilot)
        await type_in(pilot, "Tia Walsh")

        def failing(shelf: Shelf, key: str, values: dict[str, str]) -> None:
            if not values:
                raise DiskTrouble("The disk is full.")

        monkeypatch.setattr(form, "keep_form", failing)
        burst(app, "ctrl+s")
        await settle(pilot)
        burst(app, "ctrl+s")
        await settle(pilot)
        named = [person.name for person in await app.desk.ask(caseload.known_people)]
        assert named.count("Tia Walsh") == 1


async def test_a_sentence_that_comes_again_and_again_while_hidden_is_said_once(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("ctrl+l")
        for _ in range(20):
            app.say("The disk is full.", "error", 30)
        app.tick()
        await pilot.press("enter")
        await settle(pilot)
        assert seen(app).count("The disk is full.") == 1


async def test_a_visit_to_a_stick_holds_no_lock_up(app: LeadworkerApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never_ends(post: StillPost, folder: Path) -> Carried:
        await asyncio.sleep(3600)
        return Carried()

    monkeypatch.setattr(StillPost, "visit_stick", never_ends)
    async with opened(app) as pilot:
        await pilot.press("6")
        await settle(pilot)
        app.push_screen(StickForm(str(tmp_path)))
        await settle(pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
        app.lock("Locked.")
        await pilot.pause(1.0)
        assert isinstance(app.screen, HideScreen)
    assert app.return_value is not None
    assert app.return_value.how is How.LOCKED
