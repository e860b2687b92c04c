"""A line that goes dead, a laptop that loses its power, a vault that is put back: nothing is lost and nothing comes twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from leadworker.errors import Offline
from storage import backing_up
from sync import sending
from tests.laptops import ALEX, KEIRA, TOBIAS, Laptop, Team, agree, gapless, open_laptop, words_of

pytest_plugins = ["tests.laptop_fixtures"]

BEFORE, AFTER = "before the store has it", "on the way back"


async def cut_at_every_request(laptop: Laptop, where: str, work: Callable[[int], Awaitable[None]]) -> int:
    """Do `work` and sync again and again, each time cut at the next request, until a sync gets through uncut; say how often."""
    for number in range(1, 30):
        await work(number)
        laptop.line.hang_up()
        setattr(laptop.line, "before" if where == BEFORE else "after", lambda asked, cut=number: asked == cut)
        try:
            await laptop.sync()
        except Offline:
            continue
        finally:
            laptop.line.before = laptop.line.after = lambda asked: False
        return number - 1
    raise AssertionError("no end of requests")


@pytest.mark.parametrize("where", [BEFORE, AFTER])
async def test_sending_that_is_cut_at_any_request_goes_on_where_it_was(team_on: Team, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new casebook and several requests of notes, cut at each request in turn; every second time it is tried again at once."""
    monkeypatch.setattr(sending, "BATCH", 260)
    alex, ruth = team_on.alex, team_on.ruth
    written: dict[str, list[str]] = {}

    async def work(number: int) -> None:
        if number % 2 == 0:
            await alex.sync()
        person = alex.add(f"{KEIRA} {number}")
        written[person] = [f"{number} note {at}" for at in range(770)]
        alex.write(person, *written[person])

    cuts = await cut_at_every_request(alex, where, work)
    assert cuts >= 7, "news, founding, its page, and four times notes"
    await alex.sync()
    await ruth.sync()
    for person, titles in written.items():
        assert set(alex.where(person)) == {"on the central store"}
        assert ruth.titles(person) == titles, "each note once, in its order"
        assert gapless(ruth, person)
    assert (await alex.counts()).waiting == 0
    await agree(alex, ruth)


@pytest.mark.parametrize("where", [BEFORE, AFTER])
async def test_receiving_that_is_cut_at_any_request_goes_on_where_it_was(team: Team, where: str) -> None:
    alex, ruth = team.alex, team.ruth
    people = [alex.add(KEIRA), alex.add(TOBIAS)]

    async def work(number: int) -> None:
        for person in people:
            alex.write(person, *(f"{number} note {at}" for at in range(1100 if number == 1 else 3)))
        await alex.sync()

    assert await cut_at_every_request(ruth, where, work) >= 3
    await ruth.sync()
    for person in people:
        assert ruth.titles(person) == alex.titles(person)
        assert gapless(ruth, person)
    await agree(alex, ruth)


async def test_a_note_whose_receipt_was_lost_is_here_again_until_the_next_sync_finds_it_there(team_on: Team) -> None:
    alex = team_on.alex
    keira = alex.add()
    await alex.sync()
    alex.write(keira, "Visit")
    alex.line.hang_up()
    alex.line.after = lambda number: alex.line.requests[number - 1] == "POST /v1/push"
    with pytest.raises(Offline):
        await alex.sync()
    assert alex.where(keira) == ["here"]
    alex.line.after = lambda number: False
    result = await alex.sync()
    assert result.sent == 0, "it was there already"
    assert alex.where(keira) == ["on the central store"]
    assert gapless(alex, keira)


async def test_two_laptops_that_write_send_and_receive_at_once_end_with_the_same_words(team_on: Team) -> None:
    alex, ruth = team_on.alex, team_on.ruth
    keira = alex.add()
    await alex.sync()
    await ruth.sync()

    async def busy(laptop: Laptop, name: str) -> None:
        for turn in range(12):
            laptop.write(keira, *(f"{name} {turn} {at}" for at in range(20)))
            await laptop.sync()

    await asyncio.gather(busy(alex, "alex"), busy(ruth, "ruth"))
    for laptop in (alex, ruth, alex):
        await laptop.sync()
    for name in ("alex", "ruth"):
        told = [title for title in ruth.titles(keira) if title.startswith(name)]
        assert sorted(told) == sorted(f"{name} {turn} {at}" for turn in range(12) for at in range(20))
    assert set(alex.where(keira)) == set(ruth.where(keira)) == {"on the central store"}
    assert gapless(alex, keira)
    assert gapless(ruth, keira)
    await agree(alex, ruth)


KILLED = """
import asyncio, os, signal, sys
import leadworker
from pathlib import Path
from tests.laptops import Line, open_laptop
folder, url, when, path = sys.argv[1:]
laptop = open_laptop(Path(folder), "", url, words=sys.stdin.read())
def die(number):
    if laptop.line.requests[number - 1].split("?")[0].endswith(path):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return False
setattr(laptop.line, when, die)
asyncio.run(laptop.sync())
"""


@pytest.mark.parametrize(
    ("when", "path"), [("before", "/control"), ("after", "/control"), ("before", "/push"), ("after", "/push"), ("after", "/changes")]
)
async def test_a_laptop_that_loses_its_power_while_it_sends_goes_on_when_it_is_opened_again(team: Team, when: str, path: str) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add()
    alex.write(keira, *(f"note {number}" for number in range(30)))
    await alex.close()
    died = await asyncio.to_thread(_run_until_killed, alex, when, path)
    assert died.returncode != 0, "it was killed on its way"
    assert not died.stderr, died.stderr
    alex = team.office.restart(alex)
    assert len(alex.titles(keira)) == 30
    await alex.sync()
    await ruth.sync()
    assert set(alex.where(keira)) == {"on the central store"}
    assert ruth.titles(keira) == [f"note {number}" for number in range(30)]
    assert gapless(ruth, keira)
    await agree(alex, ruth)


def _run_until_killed(laptop: Laptop, when: str, path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED, str(laptop.folder), laptop.url, when, path]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    return subprocess.run(command, input=words_of(laptop.name), capture_output=True, text=True, timeout=60, env=here)


def back_up(laptop: Laptop, target: Path) -> None:
    vault = laptop.vault
    vault.submit(lambda: backing_up.backup(vault.connection, vault.folder, vault.master, target)).result()


async def test_a_restored_backup_gets_back_all_that_was_sent_since_and_goes_on_in_a_new_lane(team_on: Team, tmp_path: Path) -> None:
    alex, ruth, office = team_on.alex, team_on.ruth, team_on.office
    keira = alex.add()
    alex.write(keira, "sent before the backup")
    await alex.sync()
    alex.write(keira, "in the backup, sent after it")
    back_up(alex, tmp_path / "backup.lwb")
    alex.write(keira, "sent after the backup")
    tobias = alex.add(TOBIAS)
    alex.write(tobias, "of a casebook that the backup does not know")
    await alex.sync()
    await ruth.sync()
    sent, lane = alex.titles(keira), alex.vault.lane
    await alex.close()

    folder = tmp_path / "new laptop"
    backing_up.restore(tmp_path / "backup.lwb", folder)
    restored = open_laptop(folder, ALEX, office.url)
    office.laptops.append(restored)
    assert restored.titles(keira) == ["sent before the backup", "in the backup, sent after it"]
    restored.write(keira, "written before the first sync")
    await restored.sync()
    assert restored.vault.lane != lane
    assert restored.titles(keira) == [*sent, "written before the first sync"]
    assert restored.titles(tobias) == ["of a casebook that the backup does not know"]
    restored.write(tobias, "written after it")
    await restored.sync()
    await ruth.sync()
    assert ruth.titles(tobias) == ["of a casebook that the backup does not know", "written after it"]
    assert gapless(ruth, keira)
    assert office.hub.alarms() == [], "the store saw no fork"
    await agree(restored, ruth)


async def test_a_restored_laptop_sends_nothing_again_of_what_it_gets_back(team: Team, tmp_path: Path) -> None:
    alex, office = team.alex, team.office
    keira = alex.add()
    await alex.sync()
    back_up(alex, tmp_path / "backup.lwb")
    alex.write(keira, "sent after the backup")
    await alex.sync()
    await alex.close()
    folder = tmp_path / "new laptop"
    backing_up.restore(tmp_path / "backup.lwb", folder)
    restored = open_laptop(folder, ALEX, office.url)
    office.laptops.append(restored)
    result = await restored.sync()
    assert restored.where(keira) == ["on the central store"]
    assert (result.sent, (await restored.counts()).waiting) == (0, 0)
    assert "POST /v1/push" not in restored.line.hang_up()


async def test_a_backup_restored_with_nothing_written_since_ends_with_the_same_digest(team: Team, tmp_path: Path) -> None:
    alex, office = team.alex, team.office
    keira = alex.add()
    back_up(alex, tmp_path / "backup.lwb")
    alex.write(keira, "one", "two", "three")
    await alex.sync()
    was = alex.digest()
    await alex.close()
    backing_up.restore(tmp_path / "backup.lwb", tmp_path / "new laptop")
    restored = open_laptop(tmp_path / "new laptop", ALEX, office.url)
    office.laptops.append(restored)
    await restored.sync()
    assert await restored.check() == was


async def test_the_old_laptop_and_the_restored_one_may_both_go_on(team: Team, tmp_path: Path) -> None:
    alex, ruth, office = team.alex, team.ruth, team.office
    keira = alex.add()
    await alex.sync()
    back_up(alex, tmp_path / "backup.lwb")
    backing_up.restore(tmp_path / "backup.lwb", tmp_path / "second")
    second = open_laptop(tmp_path / "second", ALEX, office.url)
    office.laptops.append(second)
    alex.write(keira, "on the old laptop")
    second.write(keira, "on the restored one")
    for laptop in (alex, second, alex, ruth):
        await laptop.sync()
    assert sorted(ruth.titles(keira)) == ["on the old laptop", "on the restored one"]
    assert office.hub.alarms() == []
    await agree(alex, second, ruth)


async def test_a_folder_put_back_by_hand_gets_everything_back_when_it_syncs_before_it_is_written_in(team: Team, tmp_path: Path) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add()
    await alex.sync()
    await alex.close()
    shutil.copytree(alex.folder, tmp_path / "older")
    alex = team.office.restart(alex)
    alex.write(keira, "sent since")
    await alex.sync()
    was = alex.digest()
    await alex.close()
    shutil.rmtree(alex.folder)
    shutil.copytree(tmp_path / "older", alex.folder)
    alex = team.office.restart(alex)
    await alex.sync()
    assert alex.digest() == was
    alex.write(keira, "and on")
    await alex.sync()
    await ruth.sync()
    assert ruth.titles(keira) == ["sent since", "and on"]
    await agree(alex, ruth)


async def test_a_folder_put_back_by_hand_and_written_in_is_told_apart_and_loses_no_word(team: Team, tmp_path: Path) -> None:
    """Two different changes then stand at one place of one lane. The casebook stops, in words that say why."""
    alex = team.alex
    keira = alex.add()
    await alex.sync()
    await alex.close()
    shutil.copytree(alex.folder, tmp_path / "older")
    alex = team.office.restart(alex)
    alex.write(keira, "sent since")
    await alex.sync()
    await alex.close()
    shutil.rmtree(alex.folder)
    shutil.copytree(tmp_path / "older", alex.folder)
    alex = team.office.restart(alex)
    alex.write(keira, "written in the older copy")
    result = await alex.sync_somehow()
    assert result.alarms[0].startswith(
        "The central store gives back something else than this laptop wrote. If this vault is an older copy of itself that was put "
        "back by hand and written in since, that is why: tell your administrator so."
    )
    assert (alex.titles(keira), alex.where(keira)) == (["written in the older copy"], ["here"])
    await alex.check()


def keep(database: str, folder: Path) -> None:
    """Copy the store's database with what stands in its write-ahead log."""
    folder.mkdir()
    for path in Path(database).parent.glob(Path(database).name + "*"):
        shutil.copy(path, folder)


def swap(database: str, folder: Path) -> None:
    """Put a copy of the store's database in its place."""
    for path in Path(database).parent.glob(Path(database).name + "*"):
        path.unlink()
    for path in folder.iterdir():
        shutil.copy(path, Path(database).parent)


async def test_a_store_put_back_to_an_older_state_is_noticed_and_forgiven_when_it_is_put_right(team: Team, tmp_path: Path) -> None:
    alex, office = team.alex, team.office
    keira = alex.add()
    alex.write(keira, "one")
    await alex.sync()
    office.stop_store()
    keep(office.database, tmp_path / "older")
    office.start_store()
    alex.write(keira, "two")
    await alex.sync()
    was = alex.digest()
    office.stop_store()
    keep(office.database, tmp_path / "newer")
    swap(office.database, tmp_path / "older")
    office.start_store()
    result = await alex.sync_somehow()
    assert result.alarms[0].startswith("The central store has fewer changes of a casebook than this laptop has already seen from it")
    assert alex.digest() == was
    assert (await alex.counts()).troubled == result.alarms
    office.stop_store()
    swap(office.database, tmp_path / "newer")
    office.start_store()
    await alex.sync()
    assert (await alex.counts()).troubled == ()
    await alex.check()
