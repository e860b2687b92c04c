"""Opening the journal and making one: what a person meets before anything is open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from textual.widgets import Input

from leadworker.desk import Created, Desk
from leadworker.domain import recovery
from leadworker.errors import DiskTrouble, VaultBusy, VaultDamaged
from screens.app import LeadworkerApp
from screens.base import How
from screens.fields import LineField, SecretField
from screens.first_run import FirstRunScreen
from screens.today import TodayPage
from screens.unlock import UnlockScreen
from tests.screen_world import ME, PASSPHRASE, StillClock, WorldDoor, opened, seen, settle, type_in

pytest_plugins = ["tests.screen_fixtures"]


async def test_the_right_passphrase_opens_on_today(app: LeadworkerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, UnlockScreen)
        app.screen.query_one("#passphrase", SecretField).value = PASSPHRASE
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        assert "Keira Okafor-Lane" in seen(app)
        await pilot.press("ctrl+q")
        await settle(pilot)
    assert app.return_value is not None and app.return_value.how is How.LEFT


async def test_the_unlock_screen_does_not_say_whose_journal_it_is(app: LeadworkerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert ME.split()[0] not in seen(app) and "Keira" not in seen(app)


async def test_a_wrong_passphrase_is_answered_calmly_with_the_tries_left(app: LeadworkerApp, door: WorldDoor) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await type_in(pilot, "wrong", "enter")
        await settle(pilot)
        said = " ".join(seen(app).split())
        assert "That was not it. 4 tries left, then a wait of 1 minute." in said
        assert app.screen.query_one(SecretField).value == ""
        door.wrong = 4
        await type_in(pilot, "wrong", "enter")
        await settle(pilot)
        assert "The next try is possible in 1 min" in " ".join(seen(app).split())


async def test_while_waiting_no_try_is_taken(app: LeadworkerApp, door: WorldDoor, clock: StillClock) -> None:
    door.wait = 30
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "possible in 31 seconds" in " ".join(seen(app).split())
        app.screen.query_one(SecretField).value = PASSPHRASE
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, UnlockScreen) and app.open_desk is None
        clock.wait(31)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        await app.desk.close()


async def test_trouble_with_the_vault_is_said_in_its_own_words(
    app: LeadworkerApp, door: WorldDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = [
        VaultBusy("Another leadworker has this vault open since 14:02."),
        VaultDamaged("The database is shorter than it was. Nothing was opened."),
        DiskTrouble("The disk cannot be read."),
    ]

    async def fail(_passphrase: str) -> Desk:
        raise sentences[0]

    monkeypatch.setattr(door, "open", fail)
    async with app.run_test(size=(80, 24)) as pilot:
        while sentences:
            await type_in(pilot, "abc", "enter")
            await settle(pilot)
            assert sentences.pop(0).sentence in " ".join(seen(app).split())


async def test_the_passphrase_is_hidden_until_it_is_asked_for_and_never_copied(app: LeadworkerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await type_in(pilot, "hunter")
        assert "hunter" not in seen(app)
        await pilot.press("ctrl+t")
        assert "hunter" in seen(app)
        await pilot.press("ctrl+shift+a", "ctrl+c", "ctrl+x")
        assert app.clipboard == ""
        assert app.screen.query_one(Input).value == "hunter"


async def test_before_the_vault_is_open_the_keys_of_the_journal_do_nothing(app: LeadworkerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        app.set_focus(None)
        await pilot.press("1", "2", "6", "n", "slash", "ctrl+p", "u")
        await settle(pilot)
        assert isinstance(app.screen, UnlockScreen)


async def test_the_greeting_says_why_it_was_locked(door: WorldDoor, clock: StillClock) -> None:
    app = LeadworkerApp(door, clock=clock, greeting="Locked after 5 minutes without a key. Your note is kept.")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "Your note is kept." in " ".join(seen(app).split())


async def test_a_vault_can_be_opened_without_asking_for_the_demonstration(door: WorldDoor, clock: StillClock) -> None:
    async def opening() -> Desk:
        return await door.open(PASSPHRASE)

    app = LeadworkerApp(door, clock=clock, opening=opening)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        await app.desk.close()


async def _make(app: LeadworkerApp, pilot: object) -> list[str]:
    """Go through the first run as far as the recovery words, and return them."""
    from textual.pilot import Pilot

    assert isinstance(pilot, Pilot)
    await type_in(pilot, "Alex Morgan", "enter")
    await settle(pilot)
    for field in ("#passphrase", "#again"):
        app.screen.query_one(field, SecretField).value = PASSPHRASE
        await pilot.press("enter")
        await settle(pilot)
    assert isinstance(app.screen, FirstRunScreen)
    return list(app.screen._words)


async def test_a_journal_is_made_in_five_steps(tmp_path: Path, clock: StillClock) -> None:
    door = WorldDoor(tmp_path / "new", clock)
    app = LeadworkerApp(door, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "There is no journal on this laptop yet" in " ".join(seen(app).split())
        words = await _make(app, pilot)
        assert len(words) == 16 and all(word in seen(app) for word in words)
        await pilot.press("enter")
        await settle(pilot)
        assert sum(f" {word} " in seen(app) for word in words) < 4, "the words are still on the screen"
        for number in range(3):
            field = app.screen.query_one(f"#word-{number}", LineField)
            at = int(field.placeholder.split()[1]) - 1
            field.focus()
            await type_in(pilot, words[at], "enter")
            await settle(pilot)
        assert isinstance(app.screen, TodayPage), seen(app)
        assert "No visits today." in seen(app)
        assert app.desk.me == "Alex Morgan"
        assert not await app.desk.ask(recovery.are_owed)
        await app.desk.close()


async def test_a_word_read_back_wrongly_is_asked_again(tmp_path: Path, clock: StillClock) -> None:
    app = LeadworkerApp(WorldDoor(tmp_path / "new", clock), clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        words = await _make(app, pilot)
        await pilot.press("enter")
        await settle(pilot)
        await type_in(pilot, "nonsense", "enter")
        await settle(pilot)
        assert "reads differently on your paper" in seen(app)
        await pilot.press("escape")
        await settle(pilot)
        assert all(word in seen(app) for word in words)
        await pilot.press("ctrl+q")
        await settle(pilot)


async def test_a_journal_that_was_left_before_its_words_were_read_back_says_so(tmp_path: Path, clock: StillClock) -> None:
    app = LeadworkerApp(WorldDoor(tmp_path / "new", clock), clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await _make(app, pilot)
        await pilot.press("ctrl+q")
        await settle(pilot)
    again = LeadworkerApp(WorldDoor(tmp_path / "new", clock), clock=clock)
    async with opened(again, size=(120, 32)):
        assert "Nobody has read this vault's recovery words back" in " ".join(seen(again).split())


async def test_the_first_run_can_be_left_at_any_step_without_anything_made(tmp_path: Path, clock: StillClock) -> None:
    folder = tmp_path / "new"
    app = LeadworkerApp(WorldDoor(folder, clock), clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await type_in(pilot, "Alex", "enter")
        await settle(pilot)
        await type_in(pilot, "short", "enter")
        await settle(pilot)
        assert "too short" in seen(app)
        await pilot.press("escape")
        await settle(pilot)
        assert app.screen.query_one("#name", LineField).value == "Alex"
        await pilot.press("escape")
        await settle(pilot)
    assert not folder.exists()
    assert app.return_value is not None and app.return_value.how is How.LEFT


async def test_two_different_passphrases_make_no_journal(tmp_path: Path, clock: StillClock) -> None:
    door = WorldDoor(tmp_path / "new", clock)
    app = LeadworkerApp(door, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await type_in(pilot, "Alex", "enter")
        await settle(pilot)
        app.screen.query_one("#passphrase", SecretField).value = PASSPHRASE
        await pilot.press("enter")
        await settle(pilot)
        await type_in(pilot, "different", "enter")
        await settle(pilot)
        assert "different from the first time" in seen(app)
        assert not door.vault_exists()


async def test_a_full_disk_at_the_first_run_is_said_and_nothing_is_lost(
    tmp_path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = WorldDoor(tmp_path / "new", clock)

    async def full(_name: str, _passphrase: str) -> Created:
        raise DiskTrouble("The disk is full. Nothing was made.")

    monkeypatch.setattr(door, "create", full)
    app = LeadworkerApp(door, clock=clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await _make(app, pilot)
        assert "The disk is full." in seen(app)


def test_nothing_heavy_is_imported_before_the_unlock_screen_is_painted() -> None:
    program = """
import asyncio, sys
import leadworker
from screens.environment import tidy_environment
tidy_environment()
from screens.app import LeadworkerApp
class Door:
    def vault_exists(self): return True
    def wait_before_next_try(self): return 0.0
    def tries_left(self): return 5
    def report_crash(self, report): pass
heavy = ("sqlalchemy", "sqlmodel", "pydantic", "httpx", "sqlcipher3", "cryptography", "storage.engine", "rapidfuzz", "zxcvbn")
seen = []
class Watched(LeadworkerApp):
    def load_rest(self):
        seen.extend(name for name in heavy if name in sys.modules)
        self.exit()
async def main():
    async with Watched(Door()).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
asyncio.run(main())
print(seen)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
