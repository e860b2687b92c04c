"""The main job: written with no network, sealed, kept by the central store with a receipt, opened on the supervisor's laptop."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from leadworker import proof
from leadworker.domain import journal, people, today
from leadworker.errors import Offline, Refused
from leadworker.statements import Revoke, Role
from sync.client import OFFLINE
from sync.founding import control_change
from tests.laptops import (
    ALEX,
    BEA,
    KEIRA,
    TOBIAS,
    Line,
    Team,
    add_member,
    agree,
    gapless,
    hand_over,
    rotate,
)

pytest_plugins = ["tests.laptop_fixtures"]


class Watching(Line):
    """A line that looks at the laptop each time something is being sent."""

    def __init__(self, look: Callable[[], list[str]]) -> None:
        super().__init__()
        self.look = look
        self.seen: list[list[str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/push":
            self.seen.append(self.look())
        return await super().handle_async_request(request)


async def test_a_note_written_with_no_network_reaches_the_supervisor(team_on: Team) -> None:
    alex, ruth = team_on.alex, team_on.ruth
    line = Watching(lambda: alex.where(keira))
    await alex.tap(line)
    line.dead = True
    keira = alex.add(lives_at="14 Quay Street")
    alex.write(keira, "Visit at home", said="I slept at the blue house")
    assert alex.where(keira) == ["here"]
    with pytest.raises(Offline) as offline:
        await alex.sync()
    assert offline.value.sentence == OFFLINE
    assert alex.where(keira) == ["here"], "what did not leave is here"

    line.dead = False
    await alex.sync()
    assert line.seen == [["on its way"]]
    assert alex.where(keira) == ["on the central store"]
    assert alex.timeline(keira)[0].received_ms > 0
    counts = await alex.counts()
    assert counts.waiting == 0
    assert counts.last_sent_ms > 0

    await ruth.sync()
    (news,) = ruth.desk.ask_now(today.today).news
    assert (news.person_name, news.written_by) == (KEIRA, ALEX)
    (entry,) = ruth.timeline(keira)
    assert (entry.said, entry.written_by, entry.whereabouts()) == ("I slept at the blue house", ALEX, "on the central store")
    assert ruth.desk.ask_now(people.facts, keira).lives_at == "14 Quay Street"
    assert (await ruth.counts()).last_received == ALEX
    await agree(alex, ruth)
    assert team_on.office.store_holds(KEIRA, "Keira", "Quay Street", "blue house", "Visit at home") == []


async def test_screens_are_told_when_a_note_is_on_its_way_and_when_it_has_arrived(team: Team) -> None:
    keira = team.alex.add()
    team.alex.write(keira, "Visit")
    await team.alex.sync()
    told = [bell.topics for bell in team.alex.bells if "journal_entry" in bell.topics]
    assert len(told) == 2
    await team.ruth.sync()
    assert any("journal_entry" in bell.topics and keira in bell.ids for bell in team.ruth.bells)


async def test_a_sync_with_nothing_new_is_one_request_whatever_the_history_and_writes_nothing(team: Team) -> None:
    for laptop in (team.alex, team.ruth):
        await laptop.sync()
    keira = team.alex.add()
    for count in (1, 1500):
        team.alex.write(keira, *(f"note {number}" for number in range(count)))
        for laptop in (team.alex, team.ruth):
            await laptop.sync()
            laptop.line.hang_up()
            mark = laptop.vault.mark
            await laptop.sync()
            assert laptop.line.hang_up() == ["GET /v1/news"]
            assert laptop.vault.mark == mark, "nothing was committed"


async def test_three_thousand_notes_saved_at_once_travel_in_several_requests(team_on: Team) -> None:
    alex, ruth = team_on.alex, team_on.ruth
    keira = alex.add()
    titles = [f"note {number}" for number in range(3000)]
    alex.write(keira, *titles)
    result = await alex.sync()
    assert result.sent == 3002, "the person, the open work with her, and the notes"
    assert alex.line.hang_up().count("POST /v1/push") >= 3
    assert alex.told[-1].done == alex.told[-1].of == 3002
    await ruth.sync()
    assert sum("/changes" in asked for asked in ruth.line.hang_up()) >= 3
    assert ruth.titles(keira) == titles
    assert gapless(ruth, keira)
    await agree(alex, ruth)


async def test_long_notes_are_sent_in_requests_that_the_store_takes(team: Team) -> None:
    keira = team.alex.add()
    page = "words at the kitchen table " * 1300
    for day in range(3):
        team.alex.write(keira, *(f"day {day} page {number}" for number in range(40)), noticed=page)
    await team.alex.sync()
    assert team.alex.line.hang_up().count("POST /v1/push") >= 2
    await team.ruth.sync()
    assert len(team.ruth.timeline(keira, limit=1000)) == 120
    await agree(team.alex, team.ruth)


async def test_five_thousand_notes_of_a_long_time_away_are_sent_in_the_end(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    alex.line.dead = True
    keira, tobias = alex.add(KEIRA), alex.add(TOBIAS)
    for week in range(50):
        alex.write(keira, *(f"week {week} note {number}" for number in range(50)))
        alex.write(tobias, *(f"week {week} note {number}" for number in range(50)))
        if week % 10 == 0:
            with pytest.raises(Offline):
                await alex.sync()
    assert (await alex.counts()).waiting == 5004
    alex.line.dead = False
    result = await alex.sync()
    assert result.sent == 5004
    assert (await alex.counts()).waiting == 0
    await ruth.sync()
    assert ruth.titles(keira) == alex.titles(keira)
    assert len(ruth.titles(tobias)) == 2500
    await agree(alex, ruth)


async def test_somebody_we_do_not_work_with_is_not_shared(team: Team) -> None:
    aunt = team.alex.desk.do_now(people.add, "Ines Okafor", on_caseload=False)
    await team.alex.sync()
    assert (await team.alex.counts()).waiting == 0
    team.alex.write(aunt, "Rang to say that Keira is with her")  # a note begins the work, and with it the sharing
    assert (await team.alex.counts()).waiting == 3
    await team.alex.sync()
    await team.ruth.sync()
    assert team.ruth.titles(aunt) == ["Rang to say that Keira is with her"]


async def test_a_supervisor_answers_and_the_key_worker_reads_it(team_on: Team) -> None:
    alex, ruth = team_on.alex, team_on.ruth
    keira = alex.add()
    alex.write(keira, "Visit")
    for laptop in (alex, ruth):
        await laptop.sync()
    ruth.write(keira, "Well held. Who rings school?")
    ruth.desk.do_now(people.describe, keira, lives_at="with her aunt")
    for laptop in (ruth, alex):
        await laptop.sync()
    assert alex.titles(keira) == ["Visit", "Well held. Who rings school?"]
    assert alex.desk.ask_now(people.facts, keira).lives_at == "with her aunt"
    await agree(alex, ruth)


async def test_a_colleague_who_comes_later_reads_everything_from_the_first_word(team_on: Team) -> None:
    """Their key stands after a long history, on a later page than the changes that it opens."""
    alex, ruth = team_on.alex, team_on.ruth
    keira = alex.add()
    alex.write(keira, *(f"note {number}" for number in range(1200)))
    await alex.sync()
    await ruth.sync()
    bea = await team_on.office.let_in(ruth, BEA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    alex.write(keira, "Bea came along")
    await alex.sync()
    await bea.sync()
    assert (await bea.counts()).put_aside == 0
    assert bea.titles(keira) == alex.titles(keira)
    bea.write(keira, "Good to meet you all")
    await bea.sync()
    await alex.sync()
    assert alex.titles(keira)[-1] == "Good to meet you all"
    await agree(alex, bea)


async def test_after_two_new_keys_the_newest_one_opens_all_that_was_written_before(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add()
    for epoch in (1, 2, 3):
        alex.write(keira, f"sealed with key {epoch}")
        await alex.sync()
        if epoch < 3:
            await rotate(alex, keira)
    bea = await team.office.let_in(ruth, BEA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    for laptop in (bea, ruth):
        await laptop.sync()
        assert laptop.titles(keira) == [f"sealed with key {epoch}" for epoch in (1, 2, 3)]
    assert (await bea.counts()).put_aside == 0
    await agree(alex, ruth, bea)


async def test_two_casebooks_are_two_matters_one_that_is_refused_does_not_hold_up_the_other(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira, tobias = alex.add(KEIRA), alex.add(TOBIAS)
    await alex.sync()
    await hand_over(ruth, keira, alex, ruth, then=Role.READ_ONLY)
    alex.write(keira, "refused")
    alex.write(tobias, "taken")
    await alex.sync()
    assert (alex.where(keira), alex.where(tobias)) == (["here"], ["on the central store"])
    counts = await alex.counts()
    assert (counts.waiting, counts.late) == (0, 1)

    alex.write(tobias, *(f"note {number}" for number in range(500)))
    await alex.sync_somehow()
    waits = alex.desk.ask_now(journal.unsent)
    assert [entry.title for entry in waits] == ["refused"], "it is found however much was written after it"
    alex.write(tobias, "newer")
    assert [entry.title for entry in alex.desk.ask_now(journal.unsent)] == ["newer", "refused"]
    assert [entry.title for entry in alex.desk.ask_now(journal.unsent, limit=1)] == ["newer"]

    await hand_over(ruth, keira, ruth, alex)
    await alex.sync()  # what was refused is tried again, and the trouble goes away by itself
    assert alex.where(keira) == ["on the central store"]
    assert (await alex.counts()).troubled == ()


async def test_a_laptop_that_was_taken_out_of_the_directory_is_told_so_and_keeps_its_words(team_on: Team) -> None:
    alex, ruth = team_on.alex, team_on.ruth
    keira = alex.add()
    directory, joined = await ruth.box.directory(), await ruth.box.joined()
    assert directory is not None
    assert joined is not None
    said = control_change(Revoke(alex.box.device), joined.organisation, ruth.box.device, directory.seq + 1, directory.head, ruth.box.sign)
    assert (await ruth.client.control((said,))).code == ""
    alex.write(keira, "On my last day")
    with pytest.raises(Refused) as refused:
        await alex.sync()
    assert refused.value.sentence.startswith(
        f"{ruth.name} took this laptop out of the organisation. What you wrote and did not send is on this laptop only"
    )
    assert (alex.titles(keira), alex.where(keira)) == (["On my last day"], ["here"])


async def test_a_request_is_signed_for_its_purpose_alone(team: Team) -> None:
    """A signature over a request can never pass for one over a change, nor the other way round."""
    signed = team.alex.box.sign(proof.REQUEST, bytes(32))
    key = team.alex.box.signing_public
    assert proof.is_signed(key, proof.REQUEST, bytes(32), signed)
    assert not proof.is_signed(key, proof.HEAD, bytes(32), signed)
