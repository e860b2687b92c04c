"""A house without a network: what is written there reaches the central store in a file, and what colleagues wrote comes back."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from leadworker import errand as errands
from leadworker.desk import Carried
from leadworker.domain import carrying as carried_files
from leadworker.errors import DiskTrouble, Refused
from leadworker.statements import Role
from sync import organising, parcel, wire
from sync.answers import LATER, NOT_VOUCHED
from sync.hub.log import Log
from sync.parcel import ANSWER, TO_STORE, Asks, Brings
from sync.stick import Visit
from tests.laptops import ALEX, BEA, KEIRA, TOBIAS, Laptop, Team, add_member, agree, remove_member, rotate

pytest_plugins = ["tests.laptop_fixtures"]


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty stick."""
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


async def visit(laptop: Laptop, stick: Path) -> Carried:
    """Plug the stick in."""
    return await Visit(laptop.box, laptop.client, laptop.clock, stick, laptop.desk.ring, lambda progress: None).run()


async def round_trip(away: Laptop, carrier: Laptop, stick: Path) -> tuple[Carried, Carried, Carried]:
    """Carry what is written on a laptop without a network to the store, and the answer back."""
    away.line.dead = True
    wrote = await visit(away, stick)
    carried = await visit(carrier, stick)
    return wrote, carried, await visit(away, stick)


def kinds(folder: Path) -> list[str]:
    """Return of which kinds the files in a folder are."""
    return sorted(path.suffix for path in folder.iterdir())


def holds(folder: Path, *needles: str) -> list[str]:
    """Return which words stand anywhere in the files of a folder."""
    raw = b"".join(path.read_bytes() for path in folder.iterdir())
    return [needle for needle in needles if needle.encode() in raw or needle.encode("utf-16-le") in raw]


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
    _, carried, read = await round_trip(alex, bea, stick)
    assert (carried.carried, read.confirmed) == ((ALEX,), 1)
    await bea.sync()
    assert bea.sql("SELECT 1 FROM book WHERE id = ?", alex.book(keira)) == []
    assert holds(stick, "Kept", "quiet word", KEIRA, ALEX) == []


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


async def visit_cut(laptop: Laptop, stick: Path, side: str, at: int) -> Carried:
    """Plug the stick in where the line goes dead after so many requests."""
    begun = len(laptop.line.requests) + 1  # the first asks whether the store is there
    setattr(laptop.line, side, lambda number: number == begun + 1 + at)
    try:
        return await visit(laptop, stick)
    finally:
        setattr(laptop.line, side, lambda number: False)


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


# files that do not hold


async def carried_to(team: Team, stick: Path) -> tuple[Laptop, Laptop, str, Path]:
    """Return Alex, Ruth, Keira's id, and the answer that waits for Alex on the stick with one entry of Ruth's."""
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    ruth.write(keira, "From Ruth")
    await ruth.sync()
    alex.write(keira, "From Alex")
    alex.line.dead = True
    await visit(alex, stick)
    await visit(ruth, stick)
    (answer,) = parcel.found_in(stick, ANSWER)
    return alex, ruth, keira, answer


@pytest.mark.parametrize("where", [0, 5, 14, 40, -1, -20, -300])
async def test_a_stick_that_was_pulled_out_or_went_bad_loses_nothing(team: Team, stick: Path, where: int) -> None:
    alex, ruth, keira, answer = await carried_to(team, stick)
    whole = answer.read_bytes()
    for damaged in (whole[: where or 1], whole[:where] + bytes([whole[where] ^ 1]) + whole[where:][1:], whole + b"more"):
        answer.write_bytes(damaged)
        read = await visit(alex, stick)
        (alarm,) = read.alarms
        assert "cannot be read" in alarm
        assert "Nothing is lost" in alarm
        assert answer.exists(), "it is left where it is"
    answer.write_bytes(whole)
    assert (await visit(alex, stick)).alarms == ()
    assert sorted(alex.titles(keira)) == ["From Alex", "From Ruth"]
    assert (await alex.counts()).waiting == 0
    await ruth.sync()
    await agree(alex, ruth)


def without_receipt(page: wire.Page) -> wire.Page:
    return msgspec.structs.replace(page, receipt=b"")


def in_another_order(page: wire.Page) -> wire.Page:
    first, second = page.changes[-2:]
    swapped = (msgspec.structs.replace(second, n=first.n), msgspec.structs.replace(first, n=second.n))
    return msgspec.structs.replace(page, changes=(*page.changes[:-2], *swapped))


def cut_short(page: wire.Page) -> wire.Page:
    return msgspec.structs.replace(page, changes=page.changes[:-1], n=page.changes[-1].n, more=True)


def of_a_later_place(page: wire.Page) -> wire.Page:
    return msgspec.structs.replace(page, changes=page.changes[1:])


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        pytest.param(without_receipt, NOT_VOUCHED, id="leaves the store's signature out"),
        pytest.param(in_another_order, "counts a casebook's changes differently", id="numbers two changes the other way round"),
        pytest.param(cut_short, NOT_VOUCHED, id="leaves the newest change out"),
        pytest.param(of_a_later_place, LATER, id="leaves the first change out"),
    ],
)
async def test_a_carrier_who_forges_a_page_is_found_out(
    team: Team, stick: Path, bend: Callable[[wire.Page], wire.Page], why: str
) -> None:
    alex, ruth, keira, answer = await carried_to(team, stick)
    frames = [
        msgspec.structs.replace(f, page=bend(f.page)) if isinstance(f, Brings) and f.book == alex.book(keira) else f
        for f in frames_of(alex, answer)
    ]  # fmt: skip
    answer.unlink()
    await write_parcel(stick, bytes(16), ANSWER, alex, frames)
    read = await visit(alex, stick)
    assert [alarm for alarm in read.alarms if why in alarm], read.alarms
    assert alex.titles(keira) == ["From Alex"], "nothing of it is taken in"
    assert (await alex.counts()).waiting == 1
    alex.line.dead = False
    await alex.sync()
    await ruth.sync()
    await agree(alex, ruth)


def frames_of(laptop: Laptop, file: Path) -> list[parcel.Frame]:
    """Return the frames of a parcel as this laptop opens it."""
    with file.open("rb") as source:
        return list(parcel.opened(source.read, laptop.box.device, laptop.box.unseal))


async def write_parcel(stick: Path, identity: bytes, kind: str, to: Laptop, frames: list[parcel.Frame]) -> None:
    """Write a parcel that somebody made up."""
    async with parcel.Writing(stick, identity, kind, {to.box.device: to.box.unsealing_public}) as file:
        for frame in frames:
            await file.add(frame)
        await file.finish()


async def test_a_file_that_nobody_here_may_open_is_left_alone(team: Team, stick: Path) -> None:
    alex, ruth, _, answer = await carried_to(team, stick)
    (stick / "leadworker-0000000000000000.answer").write_bytes(b"")
    (stick / "leadworker-link.answer").symlink_to(answer)
    (stick / "holiday.jpg").write_bytes(b"a picture")
    read = await visit(ruth, stick)
    assert read.answers == 0
    assert answer.exists()
    assert sorted(alarm.split()[0] for alarm in read.alarms) == ["leadworker-0000000000000000.answer"]
    assert (await visit(alex, stick)).confirmed == 1


# the errand


async def errand_of(laptop: Laptop, **other: object) -> errands.Errand:
    """Return an errand that a laptop gives, with something else in it where a test says."""
    joined = await laptop.box.joined()
    assert joined is not None
    made_ms = laptop.client.store_ms() + int(str(other.pop("off_ms", 0)))
    given = errands.give(laptop.box.device, made_ms, bytes(other.pop("hub", joined.hub_key)), laptop.box.sign)  # type: ignore[arg-type, call-overload]
    return msgspec.structs.replace(given, **other)  # type: ignore[arg-type]


DAY_MS = 24 * 3600 * 1000


@pytest.mark.parametrize(
    ("other", "code"),
    [
        pytest.param({}, "", id="as it is"),
        pytest.param({"off_ms": -13 * DAY_MS}, "", id="of nearly two weeks ago"),
        pytest.param({"off_ms": DAY_MS // 2}, "", id="by a clock half a day ahead"),
        pytest.param({"off_ms": -15 * DAY_MS}, "errand_old", id="of more than two weeks ago"),
        pytest.param({"off_ms": 2 * DAY_MS}, "errand_old", id="by a clock two days ahead"),
        pytest.param({"hub": bytes(32)}, "errand_wrong", id="for another store"),
        pytest.param({"device": bytes(16)}, "errand_wrong", id="for a laptop that nobody knows"),
        pytest.param({"device": b"ruth"}, "errand_wrong", id="for another laptop than signed it"),
        pytest.param({"nonce": bytes(16)}, "errand_wrong", id="altered"),
        pytest.param({"signature": bytes(64)}, "errand_wrong", id="unsigned"),
    ],
)
async def test_an_errand_holds_for_two_weeks_for_one_store_and_only_as_it_was_signed(
    team: Team, other: dict[str, object], code: str
) -> None:
    alex, ruth = team.alex, team.ruth
    other = {name: ruth.box.device if value == b"ruth" else value for name, value in other.items()}
    client = ruth.client.on_errand(await errand_of(alex, **other))
    if not code:
        assert (await client.news()).books
        return
    with pytest.raises(Refused) as refused:
        await client.news()
    assert refused.value.code == code
    assert "what is in the file and on both laptops is as it was" in refused.value.sentence


async def test_on_an_errand_one_sends_and_fetches_and_does_nothing_else(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    client = ruth.client.on_errand(await errand_of(alex))
    for asking in (client.late(), client.late_taken(()), client.hand_in(wire.Late(bytes(16), (), b"")), client.next_news(bytes(16), 1)):
        with pytest.raises(Refused) as refused:
            await asking
        assert refused.value.code == "errand_not_for_this"


async def test_nobody_goes_for_a_laptop_that_was_reported_lost_and_a_lost_laptop_goes_for_nobody(team: Team) -> None:
    alex, ruth, bea = team.alex, team.ruth, await team.office.let_in(team.ruth, BEA)
    given = await errand_of(alex)
    other = await errand_of(bea)
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    with pytest.raises(Refused) as refused:
        await ruth.client.on_errand(given).news()
    assert refused.value.code == "errand_revoked"
    with pytest.raises(Refused) as refused:
        await alex.client.on_errand(other).news()
    assert refused.value.code == "device_revoked"


async def test_an_errand_is_part_of_what_the_carrier_signs(team: Team) -> None:
    """Who stands in the line cannot make a request one that is on an errand, or take the errand away."""
    alex, ruth = team.alex, team.ruth
    honest = ruth.client.on_errand(await errand_of(alex))
    headers = honest._signature("GET", "/v1/news", b"")
    without = {name: value for name, value in headers.items() if name != wire.ERRAND_HEADER}
    with pytest.raises(Refused) as refused:
        await honest._send("GET", "/v1/news", b"", without, wire.News)
    assert refused.value.code == "signature_wrong"
    plain = ruth.client._signature("GET", "/v1/news", b"")
    with pytest.raises(Refused) as refused:
        await honest._send("GET", "/v1/news", b"", plain | {wire.ERRAND_HEADER: bytes(await errand_of(alex)).hex()}, wire.News)
    assert refused.value.code == "signature_wrong"


async def test_whoever_runs_the_store_can_tell_who_asked_for_whom(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    heard = io.StringIO()
    team.office.hub._hub.log = Log(heard, team.office.clock)
    await ruth.client.on_errand(await errand_of(alex)).news()
    (line,) = [json.loads(line) for line in heard.getvalue().splitlines() if '"errand"' in line]
    assert (line["device"], line["by"]) == (alex.box.device[:4].hex(), ruth.box.device[:4].hex())


async def test_a_file_of_another_organisation_is_sent_nowhere(team: Team, stick: Path) -> None:
    alex, ruth = team.alex, team.ruth
    joined = await alex.box.joined()
    assert joined is not None
    asks = Asks(bytes(16), joined.hub_key, bytes(await errand_of(alex)), {}, 0)
    await write_parcel(stick, bytes(16), TO_STORE, ruth, [asks])
    carried = await visit(ruth, stick)
    assert carried.carried == ()
    assert any("another organisation" in alarm for alarm in carried.alarms)
    assert carried.left == 1
