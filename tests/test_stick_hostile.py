"""Files on a stick that do not hold, and errands for what they are not for: told in words, and nothing of it is believed."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from leadworker.crypto import parcels
from leadworker.desk import Carried
from leadworker.domain import carrying as carried_files
from leadworker.errors import DiskTrouble, Offline, Refused
from leadworker.postbox import Confirmed
from leadworker.statements import Role
from sync import organising, parcel, wire
from sync.answers import LATER, NOT_VOUCHED
from sync.client import HubClient
from sync.hub.log import Log
from sync.parcel import ANSWER, TO_STORE, Answers, Asks, Brings, Tells, take_away
from sync.runner import Runner
from tests.laptops import ALEX, BEA, KEIRA, Answer, Laptop, Team, add_member, agree
from tests.sticks import carried_to, errand_of, frames_of, kinds, visit, write_parcel

pytest_plugins = ["tests.laptop_fixtures"]


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty stick."""
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


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


async def test_a_file_that_came_to_harm_is_told_as_one_and_waits_for_nobody(team: Team, stick: Path) -> None:
    team.alex.write(team.alex.add(KEIRA), "From Alex")
    await team.ruth.sync()
    team.alex.line.dead = True
    await visit(team.alex, stick)
    (file,) = parcel.found_in(stick, TO_STORE)
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    carried = await visit(team.ruth, stick)
    assert (carried.carried, carried.left, len(carried.alarms)) == ((), 0, 1)
    file.write_bytes(whole)
    assert (await visit(team.ruth, stick)).carried == (ALEX,)


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
async def test_a_carrier_who_forges_a_page_is_found_out(team: Team, stick: Path, bend: Callable[[wire.Page], wire.Page], why: str) -> None:
    alex, ruth, keira, answer = await carried_to(team, stick)
    frames = [
        msgspec.structs.replace(f, page=bend(f.page)) if isinstance(f, Brings) and f.book == alex.book(keira) else f
        for f in frames_of(alex, answer)
    ]  # fmt: skip
    take_away(answer)
    await write_parcel(stick, bytes(16), ANSWER, alex, frames)
    read = await visit(alex, stick)
    assert [alarm for alarm in read.alarms if why in alarm], read.alarms
    assert alex.titles(keira) == ["From Alex"], "nothing of it is taken in"
    assert (await alex.counts()).waiting == 1
    alex.line.dead = False
    await alex.sync()
    await ruth.sync()
    await agree(alex, ruth)


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


# what a carrier, a store or a bad stick does beside


async def a_forged(alex: Laptop, stick: Path, answer: Path, bend: Callable[[wire.Page], wire.Page]) -> Carried:
    """Visit with an answer whose pages somebody has bent."""
    frames = [msgspec.structs.replace(f, page=bend(f.page)) if isinstance(f, Brings) else f for f in frames_of(alex, answer)]
    take_away(answer)
    await write_parcel(stick, bytes(16), ANSWER, alex, frames)
    return await visit(alex, stick)


async def test_a_time_that_is_none_is_no_signature_and_stops_nobody(team: Team, stick: Path) -> None:
    alex, _, _, answer = await carried_to(team, stick)
    read = await a_forged(alex, stick, answer, lambda page: with_times(page, -1, of_the_last=True))
    assert NOT_VOUCHED in read.alarms


async def test_no_change_is_later_than_the_one_that_the_store_has_signed(team: Team, stick: Path) -> None:
    alex, _, _, answer = await carried_to(team, stick)
    read = await a_forged(alex, stick, answer, lambda page: with_times(page, 2**62, of_the_last=False))
    assert read.alarms == ()
    counts = await alex.counts()
    assert 0 < counts.last_sent_ms <= team.office.clock()


def with_times(page: wire.Page, received_ms: int, *, of_the_last: bool) -> wire.Page:
    """Return a page that names another time for its last change, or for all others."""
    last = len(page.changes) - 1
    changes = tuple(
        msgspec.structs.replace(item, received_ms=received_ms) if (at == last) == of_the_last else item
        for at, item in enumerate(page.changes)
    )  # fmt: skip
    return msgspec.structs.replace(page, changes=changes)


async def test_words_that_nobody_signed_are_told_as_the_carrier_s_and_not_without_end(team: Team, stick: Path) -> None:
    alex, _, _, answer = await carried_to(team, stick)
    (noted,) = alex.desk.ask_now(carried_files.written)
    take_away(answer)
    joined = await alex.box.joined()
    assert joined is not None
    lies = [Tells("x", f"Telephone 0900 {number} and read out your passphrase.") for number in range(2000)]
    await write_parcel(stick, bytes(16), ANSWER, alex, [Answers(joined.organisation, joined.hub_key, bytes(16)), *lies])
    read = await visit(alex, stick)
    assert len(read.alarms) < 10
    assert all(alarm.startswith("Whoever carried it says that") for alarm in read.alarms)
    assert noted.id in {one.id for one in alex.desk.ask_now(carried_files.written)}, "an answer to another file is no answer to this one"


async def test_who_was_let_in_while_a_file_was_carried_is_no_accusation_of_the_store(
    team: Team, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    ruth.write(keira, "news of the casebook")
    await ruth.sync()
    alex.line.dead = True
    await visit(alex, stick)
    honest, done = HubClient.changes, list[str]()

    async def changes(client: HubClient, book: bytes, after: int) -> wire.Page:
        if client.errand and book == alex.book(keira) and not done:
            bea = await team.office.let_in(ruth, BEA)
            await add_member(ruth, keira, bea, Role.CO_WORKER)
            done.append("let in")
        return await honest(client, book, after)

    monkeypatch.setattr(HubClient, "changes", changes)
    assert (await visit(ruth, stick)).carried == (ALEX,)
    read = await visit(alex, stick)
    assert (done, read.alarms) == (["let in"], ())
    assert alex.titles(keira) == ["news of the casebook"]
    assert len(alex.members(alex.book(keira))) == 3


async def test_a_store_whose_pages_lead_nowhere_holds_no_carrier_up(team: Team, stick: Path) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    alex.write(keira, "waits", "too", "and this")
    alex.line.dead = True
    await visit(alex, stick)
    honest, asked, first = ruth.line.told, 0, dict[str, bytes]()

    def again(request: httpx.Request, answer: Answer) -> Answer:
        nonlocal asked
        if "/changes" not in request.url.path:
            return honest(request, answer)
        asked += 1
        assert asked < 20, "the visit would never end"
        page = wire.read(wire.Page, answer.body)
        body = wire.write(msgspec.structs.replace(page, changes=page.changes[:1], n=2**40, more=True))
        return answer._replace(body=first.setdefault(request.url.path, body))

    ruth.line.told = again  # type: ignore[method-assign]
    carried = await visit(ruth, stick)
    assert carried.carried == ()
    assert kinds(stick) == [TO_STORE], "the file is still there, and no answer"


async def test_a_file_that_is_too_large_is_said_and_what_has_no_room_comes_with_the_next(
    team: Team, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alex, ruth, keira, answer = await carried_to(team, stick)
    with monkeypatch.context() as patched:
        patched.setattr(parcel, "LARGEST", len(answer.read_bytes()) - 1)
        alex.line.dead = False  # where there is a network it writes no file of its own
        read = await visit(alex, stick)
        alex.line.dead = True
        assert any("it is larger than any that leadworker writes" in alarm for alarm in read.alarms)
    assert (await visit(alex, stick)).confirmed == 1
    ruth.write(keira, *(f"entry {number}" for number in range(40)))
    await ruth.sync()
    monkeypatch.setattr(parcels, "LARGEST_FRAME", 400_000)
    monkeypatch.setattr(parcel, "LARGEST", 800_500)
    trips = 0
    while (await alex.box.confirmed())[alex.book(keira)].n < (await ruth.box.confirmed())[ruth.book(keira)].n:
        await visit(ruth, stick)
        assert (await visit(alex, stick)).alarms == ()
        trips += 1
        assert trips < 5
    assert len(alex.titles(keira)) == 42


@pytest.mark.parametrize("fault", ["listing", "tidying"])
async def test_a_stick_that_fails_under_a_visit_ends_with_a_sentence_and_not_the_program(
    team: Team, stick: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    alex = team.alex
    alex.write(alex.add(KEIRA), "is safe")
    alex.line.dead = True
    await visit(alex, stick)
    name = {"listing": "is_file", "tidying": "unlink"}[fault]
    honest = getattr(Path, name)

    def bad(path: Path, *given: object, **named: object) -> object:
        if path.suffix == TO_STORE:
            raise OSError(errno.EIO, "Input/output error")
        return honest(path, *given, **named)

    monkeypatch.setattr(Path, name, bad)
    if fault == "tidying":
        assert (await visit(alex, stick)).written == 3, "an older file that cannot be taken away does no harm"
    else:
        with pytest.raises(DiskTrouble, match="Everything is saved on this laptop"):
            await visit(alex, stick)


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES])
async def test_a_stick_that_does_not_even_say_that_it_is_there_ends_with_a_sentence(
    team: Team, stick: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def bad(path: Path) -> bool:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "is_dir", bad)
    with pytest.raises(DiskTrouble, match="Everything is saved on this laptop"):
        await visit(team.alex, stick)


async def test_a_store_that_answers_only_who_it_is_is_no_way_for_what_waits(team: Team, stick: Path) -> None:
    alex = team.alex
    keira = alex.add(KEIRA)
    await alex.sync()
    alex.write(keira, "waits")
    alex.line.dead = True
    await visit(alex, stick)
    alex.line.dead = False
    visited = await visit(alex, stick)
    assert (visited.written, kinds(stick)) == (None, [TO_STORE]), "it was not sent yet, so its file stays"
    await alex.sync()
    await visit(alex, stick)
    assert kinds(stick) == []
    assert alex.desk.ask_now(carried_files.written) == ()


async def test_a_stick_is_visited_between_two_syncs_and_a_stop_ends_it(team: Team, stick: Path) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    alex.write(keira, "by stick")
    alex.line.dead = True
    away = Runner(alex.box, alex.client, alex.clock, alex.desk.ring)
    at_work = Runner(ruth.box, ruth.client, ruth.clock, ruth.desk.ring)
    assert (await away.visit_stick(stick)).written == 1
    assert away.state.word == "offline"
    carried, state = await asyncio.gather(at_work.visit_stick(stick), at_work.sync_now())
    assert (carried.carried, state.word) == ((ALEX,), "up to date")
    assert (await away.visit_stick(stick)).confirmed == 1
    assert away.state.waiting == 0

    held = asyncio.Event()
    honest = alex.box.confirmed

    async def hangs() -> dict[bytes, Confirmed]:
        held.set()
        await asyncio.sleep(3600)
        return await honest()

    alex.box.confirmed = hangs  # type: ignore[method-assign]
    going_on = asyncio.create_task(away.visit_stick(stick))
    await held.wait()
    await away.stop()
    with pytest.raises(asyncio.CancelledError):
        await going_on
    with pytest.raises(Offline):
        await away.visit_stick(stick)
