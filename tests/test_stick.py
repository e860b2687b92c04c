"""A house without a network: what is written there reaches the central store in a file, and what colleagues wrote comes back."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from leadworker.desk import Carried
from leadworker.domain import carrying as carried_files
from leadworker.errors import DiskTrouble, Refused
from leadworker.statements import Role
from sync import parcel
from sync.client import HubClient
from sync.parcel import ANSWER, TO_STORE
from sync.progress import Progress
from sync.stick import Visit
from tests.laptops import ALEX, BEA, KEIRA, TOBIAS, Laptop, Team, add_member, agree, remove_member, rotate
from tests.sticks import holds, kinds, round_trip, visit, written_away

pytest_plugins = ["tests.laptop_fixtures"]


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty stick."""
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


async def test_what_is_written_without_a_network_goes_and_comes_by_stick(team_on: Team, stick: Path) -> None:
    team, alex, ruth = team_on, team_on.alex, team_on.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    ruth.write(keira, "Ruth looked in", said="while Alex was away")
    await ruth.sync()
    alex.write(keira, "At the farmhouse", said="there is no signal up there")
    wrote, carried, read = await round_trip(alex, ruth, stick)
    assert wrote.written == 1
    assert (carried.carried, carried.left, carried.alarms) == ((ALEX,), 0, ())
    assert (read.received, read.confirmed, read.answers, read.alarms) == (1, 1, 1, ())
    assert sorted(alex.titles(keira)) == ["At the farmhouse", "Ruth looked in"]
    counts = await alex.counts()
    assert counts.waiting == 0, "the store's own receipt came back with it"
    assert counts.last_sent_ms >= counts.last_received_ms > 0
    await ruth.sync()
    await agree(alex, ruth)
    alex.line.dead = False
    await alex.sync()
    assert kinds(stick) == [TO_STORE], "an answer that was read is taken away; the next file asks for news"
    assert team.office.store_holds("farmhouse") == []


async def test_a_person_met_where_there_is_no_network_is_founded_by_stick(team: Team, stick: Path) -> None:
    alex, ruth = team.alex, team.ruth
    alex.line.dead = True
    keira = alex.add(KEIRA)
    alex.write(keira, "First visit")
    wrote, carried, read = await round_trip(alex, ruth, stick)
    assert (carried.alarms, read.alarms) == ((), ())
    assert (read.received, read.confirmed) == (0, wrote.written), "the statements that found it are nobody's news"
    assert (await alex.counts()).waiting == 0
    await ruth.sync()
    assert ruth.titles(keira) == ["First visit"]
    alex.line.dead = False
    alex.write(keira, "Second visit")
    await alex.sync()
    await ruth.sync()
    await agree(alex, ruth)


async def test_who_carries_needs_no_place_in_the_casebook_and_learns_nothing_of_it(team: Team, stick: Path) -> None:
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    alex.write(keira, "Kept from the others", said="the quiet word")
    alex.line.dead = True
    await visit(alex, stick)
    assert holds(stick, "Kept", "quiet word", KEIRA, ALEX) == []
    carried = await visit(bea, stick)
    assert holds(stick, "Kept", "quiet word", KEIRA, ALEX) == []
    read = await visit(alex, stick)
    assert (carried.carried, read.confirmed) == ((ALEX,), 1)
    await bea.sync()
    assert bea.sql("SELECT 1 FROM book WHERE id = ?", alex.book(keira)) == []


async def test_two_who_are_both_away_can_use_one_stick(team: Team, stick: Path) -> None:
    alex, ruth, bea = team.alex, team.ruth, await team.office.let_in(team.ruth, BEA)
    keira, tobias = alex.add(KEIRA), bea.add(TOBIAS)
    for laptop in (alex, bea, ruth):
        await laptop.sync()
    alex.write(keira, "Alex was here")
    bea.write(tobias, "Bea was here")
    alex.line.dead = bea.line.dead = True
    assert (await visit(alex, stick)).left == 0
    assert (await visit(bea, stick)).left == 1, "Alex's file is left alone"
    carried = await visit(ruth, stick)
    assert set(carried.carried) == {ALEX, BEA}
    for laptop in (bea, alex):
        read = await visit(laptop, stick)
        assert (read.answers, read.confirmed, read.alarms) == (1, 1, ())


async def test_a_file_can_be_carried_twice_and_an_answer_read_twice(team: Team, stick: Path) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    alex.write(keira, "Once")
    alex.line.dead = True
    await visit(alex, stick)
    (file,) = parcel.found_in(stick, TO_STORE)
    kept = file.read_bytes()
    await visit(ruth, stick)
    file.write_bytes(kept)
    await visit(ruth, stick)
    (answer,) = parcel.found_in(stick, ANSWER)
    again = answer.read_bytes()
    assert (await visit(alex, stick)).confirmed == 1
    answer.write_bytes(again)
    twice = await visit(alex, stick)
    assert (twice.answers, twice.received, twice.confirmed, twice.alarms) == (1, 0, 0, ())
    await ruth.sync()
    assert ruth.titles(keira) == ["Once"]
    await agree(alex, ruth)


async def test_an_answer_that_comes_late_changes_nothing_that_the_line_has_brought(team: Team, stick: Path) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    alex.write(keira, "Written on Monday")
    alex.line.dead = True
    await visit(alex, stick)
    await visit(ruth, stick)
    alex.line.dead = False
    alex.write(keira, "Sent over the line on Tuesday")
    await alex.sync()
    await ruth.sync()
    late = await visit(alex, stick)
    assert (late.received, late.alarms) == (0, ())
    await agree(alex, ruth)


async def test_a_new_file_takes_the_place_of_the_one_before_and_says_how_much_it_holds(team: Team, stick: Path) -> None:
    alex = team.alex
    keira = alex.add(KEIRA)
    await alex.sync()
    alex.line.dead = True
    alex.write(keira, "One")
    assert (await visit(alex, stick)).written == 1
    alex.write(keira, "Two")
    assert (await visit(alex, stick)).written == 2
    assert kinds(stick) == [TO_STORE]
    assert [noted.changes for noted in alex.desk.ask_now(carried_files.written)] == [1, 2]
    await visit(team.ruth, stick)
    await visit(alex, stick)
    assert [noted.changes for noted in alex.desk.ask_now(carried_files.written)] == [0], "with an answer, all before it are done"


async def test_a_new_key_made_meanwhile_comes_back_and_what_waits_goes_with_the_next_file(team: Team, stick: Path) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    alex.write(keira, "Sealed with the key before")
    alex.line.dead = True
    await visit(alex, stick)
    await rotate(ruth, keira)
    await visit(ruth, stick)
    read = await visit(alex, stick)
    assert read.confirmed == 0
    assert len(read.alarms) == 1, "it is said that the store did not take it"
    assert (await alex.counts()).waiting == 1, "and it is still here"
    assert (await visit(ruth, stick)).carried == (ALEX,)
    assert (await visit(alex, stick)).confirmed == 1
    await ruth.sync()
    assert ruth.titles(keira) == ["Sealed with the key before"]


async def test_who_was_taken_out_meanwhile_learns_it_from_the_stick_and_keeps_their_words(team: Team, stick: Path) -> None:
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await bea.sync()
    bea.write(keira, "Written before Bea knew")
    bea.line.dead = True
    await visit(bea, stick)
    await remove_member(alex, keira, bea)
    alex.write(keira, "After Bea had left")
    await alex.sync()
    await visit(alex, stick)
    read = await visit(bea, stick)
    assert any("may not" in alarm or "not a member" in alarm for alarm in read.alarms)
    assert bea.titles(keira) == ["Written before Bea knew"], "nothing of later, and nothing lost"
    assert (await bea.counts()).late == 1


@pytest.mark.parametrize("side", ["before", "after"])
async def test_carrying_can_be_cut_at_every_request_and_is_counted_once(team: Team, stick: Path, side: str) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    alex.write(keira, *(f"Entry {number}" for number in range(5)))
    alex.add(TOBIAS)
    alex.line.dead = True
    await visit(alex, stick)
    cuts = 0
    while not (carried := await visit_cut(ruth, stick, side, cuts)).carried:
        assert parcel.found_in(stick, ANSWER) == (), "an answer is there whole, or not at all"
        assert kinds(stick) == [TO_STORE]
        cuts += 1
    assert cuts >= 3
    assert carried.alarms == ()
    read = await visit(alex, stick)
    assert (read.confirmed, read.alarms) == (7, ()), "and with the entries, the new casebook"
    await ruth.sync()
    assert sorted(ruth.titles(keira)) == [f"Entry {number}" for number in range(5)]
    await agree(alex, ruth)


@pytest.mark.parametrize("asked", ["push", "news", "changes"])
async def test_a_store_that_asks_for_a_pause_is_given_it_and_the_answer_is_not_lost(
    team: Team, stick: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    alex, ruth, _ = await written_away(team, stick)
    true, pauses = getattr(HubClient, asked), [0.001, 60.1]

    async def busy(self: HubClient, *args: object) -> object:
        if pauses and self.errand:
            refusal = Refused("A moment.")
            refusal.retry_after_s = pauses.pop(0)
            raise refusal
        return await true(self, *args)

    monkeypatch.setattr(HubClient, asked, busy)
    told: list[Progress] = []
    refused = await Visit(ruth.box, ruth.client, ruth.clock, stick, ruth.desk.ring, told.append).run()
    assert (refused.carried, len(refused.alarms), pauses) == ((), 1, []), "a pause of more than a minute is for another visit"
    assert [one.unit for one in told if one.unit] == ["; waiting a moment, as the central store asks"]
    assert kinds(stick) == [TO_STORE]
    pauses.append(0.001)
    carried = await visit(ruth, stick)
    assert (len(carried.carried), carried.alarms, pauses) == (1, (), [])
    read = await visit(alex, stick)
    assert (read.received, read.confirmed) == (1, 1)


async def test_a_full_stick_is_said_and_leaves_nothing_half_written(team: Team, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alex = team.alex
    keira = alex.add(KEIRA)
    alex.write(keira, "Still here")
    alex.line.dead = True
    whole = os.fsync

    def full(descriptor: int) -> None:
        if os.path.realpath(f"/proc/self/fd/{descriptor}").startswith(str(stick)):
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskTrouble, match="Everything is saved on this laptop"):
        await visit(alex, stick)
    assert kinds(stick) == []
    monkeypatch.undo()
    assert (await visit(alex, stick)).written == 3


async def test_a_stick_with_no_room_for_a_single_byte_is_left_as_it_was(team: Team, stick: Path) -> None:
    alex = team.alex
    alex.write(alex.add(KEIRA), "Still here")
    alex.line.dead = True
    identity, seals = bytes(16), {alex.box.device: b"\x09" + bytes(31)}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # what is written fails, and so does writing it again when it is closed
    try:
        with pytest.raises(DiskTrouble, match="Everything is saved on this laptop"):
            async with parcel.Writing(stick, identity, TO_STORE, seals) as file:
                await file.add(parcel.Founds(()))
                await file.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert kinds(stick) == []


async def visit_cut(laptop: Laptop, stick: Path, side: str, at: int) -> Carried:
    """Plug the stick in where the line goes dead after so many requests."""
    begun = len(laptop.line.requests) + 1  # the first asks whether the store is there
    setattr(laptop.line, side, lambda number: number == begun + 1 + at)
    try:
        return await visit(laptop, stick)
    finally:
        setattr(laptop.line, side, lambda number: False)
