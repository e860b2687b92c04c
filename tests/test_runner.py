"""The runner: when it syncs, what it says meanwhile, and that nothing stops it but being told to. No test sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from leadworker.desk import Bell, PostState
from leadworker.domain import journal
from leadworker.errors import DiskTrouble, Refused
from sync import joining, wire
from sync.client import OFFLINE
from sync.hub.databases import change_allowance
from sync.runner import ALL_SENT, WAITING_TO_BE_LET_IN, Pace, Runner
from tests.evil_hub import SAFE, Case, Evil, altered, flipped
from tests.laptops import ALEX, BEA, ORGANISATION, Laptop, Line, Team

pytest_plugins = ["tests.laptop_fixtures"]


class Time:
    """Time that passes when a test says so. Short naps (a save is often followed by another) are over at once."""

    def __init__(self) -> None:
        self.naps: asyncio.Queue[float] = asyncio.Queue()
        self._morning = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Sleep as the runner does."""
        self.naps.put_nowait(seconds)
        if seconds > Pace().after_change_s:
            await self._morning.wait()
            self._morning.clear()

    async def next_nap(self) -> float:
        """Return for how long the runner lies down next."""
        async with asyncio.timeout(20):
            return await self.naps.get()

    def passes(self) -> None:
        """Let the present nap be over."""
        self._morning.set()


class Desk:
    """The desk's side: hears the runner's states, and rings the runner when something is saved."""

    def __init__(self, laptop: Laptop) -> None:
        self.laptop = laptop
        self.time = Time()
        self.heard: list[PostState] = []
        self.faults: list[dict[str, Any]] = []
        self.ringing: Callable[[Bell], None] = laptop.desk.ring
        self.runner = Runner(laptop.box, laptop.client, laptop.clock, self._ring, spread=lambda: 1.0, sleep=self.time.sleep)
        self.runner.listen(self.heard.append)
        laptop.desk.on_change(self.runner.something_changed)
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: self.faults.append(context))

    def _ring(self, bell: Bell) -> None:
        self.ringing(bell)

    @property
    def words(self) -> list[str]:
        """Return the states that were heard, each once."""
        told = [state.word for state in self.heard]
        return [word for at, word in enumerate(told) if not at or told[at - 1] != word]

    async def write(self, person: str, title: str) -> None:
        """Save a note as a screen does."""
        await self.laptop.desk.do(journal.write, journal.NewEntry(person, title=title))

    async def until(self, true: Callable[[PostState], bool]) -> PostState:
        """Wait until the state is so."""
        async with asyncio.timeout(20):
            while not true(self.runner.state):
                heard = asyncio.Event()
                stop = self.runner.listen(lambda state, heard=heard: heard.set())  # type: ignore[misc]
                await heard.wait()
                stop()
        return self.runner.state


@pytest.fixture
async def desk(team: Team) -> AsyncIterator[Desk]:
    made = Desk(team.alex)
    yield made
    await made.runner.stop()
    assert made.faults == []


async def test_a_vault_that_has_joined_nothing_is_alone(team: Team) -> None:
    bea = Desk(team.office.laptop(BEA))
    state = await bea.runner.sync_now()
    assert (state.word, state.sentence) == ("alone", "This vault is on this laptop only.")
    await bea.runner.stop()


async def test_somebody_who_waits_to_be_let_in_is_told_that_they_can_work(team: Team) -> None:
    laptop = team.office.laptop(BEA)
    await joining.ask_to_join(laptop.box, laptop.client, await team.office.invite(team.ruth, BEA))
    bea = Desk(laptop)
    state = await bea.runner.sync_now()
    assert (state.word, state.sentence) == ("offline", WAITING_TO_BE_LET_IN)
    await team.ruth.sync()
    state = await bea.runner.sync_now()
    assert (state.word, state.sentence, state.organisation) == ("up to date", ALL_SENT, ORGANISATION)
    await bea.runner.stop()


async def test_offline_sending_up_to_date(desk: Desk, team: Team) -> None:
    keira = team.alex.add()
    team.alex.write(keira, "one", "two")
    team.alex.line.dead = True
    state = await desk.runner.sync_now()
    assert (state.word, state.sentence, state.waiting) == ("offline", OFFLINE, 4)
    team.alex.line.dead = False
    desk.heard.clear()
    state = await desk.runner.sync_now()
    assert (state.word, state.sentence, state.waiting, state.organisation) == ("up to date", ALL_SENT, 0, ORGANISATION)
    assert state.hub == team.office.url
    assert state.last_sent_ms > 0
    assert desk.words == ["sending", "up to date"]
    sending = [state for state in desk.heard if state.word == "sending"][-1]
    assert (sending.sentence, sending.sending_done, sending.sending_of) == ("Sending 4 of 4.", 4, 4)
    assert (state.sending_done, state.sending_of) == (0, 0)


async def test_received_changes_are_told_with_their_writer(team: Team) -> None:
    keira = team.alex.add()
    team.alex.write(keira, "Visit")
    await team.alex.sync()
    ruth = Desk(team.ruth)
    state = await ruth.runner.sync_now()
    assert (state.last_received, state.last_received_ms > 0) == (ALEX, True)
    received = [(state.sentence, state.doing) for state in ruth.heard if state.word == "sending"]
    assert received == [("Receiving 5 of 5.", "receiving")]
    await ruth.runner.stop()


async def test_an_alarm_is_stuck_in_the_alarms_own_words_and_goes_away_when_all_is_well(case: Case) -> None:
    case.evil.page = lambda page: wire.Page(page.changes[1:], page.n, page.digest, page.more, page.now_ms)
    ruth = Desk(case.ruth)
    state = await ruth.runner.sync_now()
    said = f"The central store has left out a change or changed their order. {SAFE}"
    assert (state.word, state.sentence, state.alarm) == ("stuck", said, said)
    await ruth.runner.refresh()
    assert ruth.runner.state.alarm == said
    case.evil.page = lambda page: page
    state = await ruth.runner.sync_now()
    assert (state.word, state.sentence, state.alarm) == ("up to date", ALL_SENT, "")
    await ruth.runner.stop()


async def test_things_put_aside_and_a_wrong_clock_are_told(case: Case) -> None:
    case.evil.page = lambda page: altered(page, 0, body=flipped(page.changes[0].body, 40))
    case.ruth.clock.wrong_by = 3 * 3600
    ruth = Desk(case.ruth)
    state = await ruth.runner.sync_now()
    assert (state.word, state.put_aside) == ("up to date", 1)
    assert state.clock_warning == (
        "This laptop's clock is about 3 hours ahead of the central store's. Set it right; nobody's words are reordered by it."
    )
    await ruth.runner.stop()


async def test_it_begins_by_itself_and_then_once_a_minute(desk: Desk, team: Team) -> None:
    desk.runner.start()
    desk.runner.start()  # once is enough
    assert await desk.time.next_nap() == 60
    assert desk.runner.state.word == "up to date"
    team.alex.line.hang_up()
    for _ in range(3):
        desk.time.passes()
        assert await desk.time.next_nap() == 60
    assert team.alex.line.hang_up() == ["GET /v1/news"] * 3


async def test_after_a_failure_it_waits_longer_each_time_and_not_for_ever(desk: Desk, team: Team) -> None:
    team.alex.line.dead = True
    desk.runner.start()
    waits = []
    for _ in range(11):
        waits.append(await desk.time.next_nap())
        desk.time.passes()
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    await desk.time.next_nap()
    team.alex.line.dead = False
    desk.time.passes()
    assert await desk.time.next_nap() == 60, "one success and all is as before"


async def test_a_pause_that_the_store_asks_for_is_kept_even_when_something_is_saved_and_nothing_is_lost(desk: Desk, team: Team) -> None:
    desk.runner.start()
    assert await desk.time.next_nap() == 60
    keira = team.alex.add()
    assert [await desk.time.next_nap() for _ in range(2)] == [Pace().after_change_s, 60]
    change_allowance(team.office.database, device_per_second=0.05, device_at_once=1)
    team.office.hub._hub._allowed_until = 0.0
    await team.alex.client.news()
    await desk.write(keira, "Visit")
    assert await desk.time.next_nap() == Pace().after_change_s
    pause = await desk.time.next_nap()
    assert 5 <= pause <= 22
    assert (desk.runner.state.word, desk.runner.state.waiting) == ("offline", 1)
    assert "a pause of" in desk.runner.state.sentence and "It goes on by itself." in desk.runner.state.sentence
    await desk.write(keira, "Another")
    await desk.until(lambda state: state.waiting == 2)
    assert desk.time.naps.empty(), "a save does not cut the pause short"
    change_allowance(team.office.database, device_at_once=3000)
    team.office.hub._hub._allowed_until = 0.0
    team.office.hub._hub._devices._left.clear()
    desk.time.passes()
    assert await desk.time.next_nap() in (60, Pace().after_change_s)
    assert desk.runner.state.waiting == 0
    assert team.alex.where(keira) == ["on the central store"] * 2


async def test_a_store_cannot_ask_for_a_pause_longer_than_the_longest(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()

    async def asks() -> None:
        error = Refused("A pause, please.")
        error.retry_after_s = 999_999.0
        raise error

    monkeypatch.setattr(team.alex.client, "news", asks)
    runner = Runner(team.alex.box, team.alex.client, team.alex.clock, lambda bell: None, sleep=time.sleep)
    runner.start()
    assert await time.next_nap() == Pace().longest_wait_s
    await runner.stop()


async def test_the_waits_of_an_office_are_spread(team: Team) -> None:
    spreads = iter([0.7, 1.3])
    time = Time()
    team.alex.line.dead = True
    runner = Runner(team.alex.box, team.alex.client, team.alex.clock, lambda bell: None, spread=lambda: next(spreads), sleep=time.sleep)
    runner.start()
    assert await time.next_nap() == pytest.approx(1.4)
    time.passes()
    assert await time.next_nap() == pytest.approx(5.2)
    await runner.stop()
    usual = Runner(team.alex.box, team.alex.client, team.alex.clock, lambda bell: None)
    assert all(0.7 <= usual._spread() <= 1.3 for _ in range(100))


async def test_what_is_saved_is_counted_at_once_and_sent_soon(desk: Desk, team: Team) -> None:
    desk.runner.start()
    assert await desk.time.next_nap() == 60
    keira = team.alex.add()  # through the desk: the runner hears the bell
    await desk.until(lambda state: state.waiting > 0)
    assert await desk.time.next_nap() == Pace().after_change_s
    assert await desk.time.next_nap() == 60
    assert desk.runner.state.waiting == 0
    await desk.write(keira, "Visit")
    assert await desk.time.next_nap() == Pace().after_change_s
    assert await desk.time.next_nap() == 60
    assert team.alex.where(keira) == ["on the central store"]


async def test_the_count_is_right_at_once_while_offline(desk: Desk, team: Team) -> None:
    team.alex.line.dead = True
    desk.runner.start()
    await desk.time.next_nap()
    for waiting in (2, 4, 6):
        team.alex.add()
        state = await desk.until(lambda state, wanted=waiting: state.waiting == wanted)  # type: ignore[misc]
        assert state.word == "offline"


class Hanging(Line):
    """A line that says nothing at a place until a test lets it go on."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.hanging = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == self.path:
            self.hanging += 1
            self.reached.set()
            await self.go_on.wait()
        return await super().handle_async_request(request)


async def hanging(laptop: Laptop, path: str) -> Hanging:
    line = Hanging(path)
    await laptop.tap(line)
    return line


async def test_the_count_is_right_at_once_while_a_request_hangs(team: Team) -> None:
    line = await hanging(team.alex, "/v1/news")
    desk = Desk(team.alex)
    desk.runner.start()
    await asyncio.wait_for(line.reached.wait(), 20)
    team.alex.add()
    await desk.until(lambda state: state.waiting == 2)
    line.go_on.set()
    await desk.until(lambda state: state.word == "up to date" and not state.waiting)
    await desk.runner.stop()


async def test_what_is_saved_while_a_sync_goes_on_goes_with_it(team: Team) -> None:
    keira = team.alex.add()
    line = await hanging(team.alex, "/v1/push")
    desk = Desk(team.alex)
    desk.runner.start()
    await asyncio.wait_for(line.reached.wait(), 20)
    await desk.write(keira, "written while the rest was being sent")
    line.go_on.set()
    await desk.until(lambda state: state.word == "up to date" and not state.waiting)
    assert team.alex.where(keira) == ["on the central store"]
    await desk.runner.stop()


async def test_what_is_saved_at_the_very_end_of_a_sync_does_not_wait_a_minute(desk: Desk, team: Team) -> None:
    people: list[str] = []

    def saves(state: PostState) -> None:
        if state.word == "up to date" and not people:
            people.append(team.alex.add())

    desk.runner.listen(saves)
    desk.runner.start()
    assert await desk.time.next_nap() in (60, Pace().after_change_s)
    await desk.until(lambda state: state.last_sent_ms > 0)
    assert (await team.alex.counts()).waiting == 0


async def test_what_a_sync_itself_changed_does_not_start_another(desk: Desk, team: Team) -> None:
    keira = team.alex.add()
    await team.alex.sync()
    team.ruth.line.dead = False
    await team.ruth.sync()
    team.ruth.write(keira, "a supervisor's note")
    await team.ruth.sync()
    desk.runner.start()
    assert await desk.time.next_nap() == 60
    assert team.alex.titles(keira) == ["a supervisor's note"]
    assert desk.time.naps.empty()


async def test_sync_now_while_syncing_waits_its_turn_and_one_sync_runs_at_a_time(team: Team) -> None:
    line = await hanging(team.alex, "/v1/news")
    desk = Desk(team.alex)
    first = asyncio.ensure_future(desk.runner.sync_now())
    await asyncio.wait_for(line.reached.wait(), 20)
    second = asyncio.ensure_future(desk.runner.sync_now())
    for _ in range(20):  # as many turns of the storage thread as a sync needs before it asks
        await team.alex.box.joined()
    assert line.hanging == 1, "the second has not asked while the first hangs"
    line.go_on.set()
    states = await asyncio.wait_for(asyncio.gather(first, second), 20)
    assert [state.word for state in states] == ["up to date", "up to date"]
    await desk.runner.stop()


async def test_a_screen_that_goes_away_does_not_cut_its_sync_short(team: Team) -> None:
    team.alex.add()
    line = await hanging(team.alex, "/v1/push")
    desk = Desk(team.alex)
    asked = asyncio.ensure_future(desk.runner.sync_now())
    await asyncio.wait_for(line.reached.wait(), 20)
    asked.cancel()
    line.go_on.set()
    await desk.until(lambda state: state.word == "up to date")
    assert (await team.alex.counts()).waiting == 0
    await desk.runner.stop()


@pytest.mark.parametrize("path", ["/v1/news", "/v1/push"])
async def test_stopping_during_a_request_takes_no_time_and_leaves_nothing_on_its_way(team: Team, path: str) -> None:
    keira = team.alex.add()
    team.alex.write(keira, "Visit")
    await hanging(team.alex, path)
    desk = Desk(team.alex)
    desk.runner.start()
    by_hand = asyncio.ensure_future(desk.runner.sync_now())
    assert isinstance(team.alex.line, Hanging)
    await asyncio.wait_for(team.alex.line.reached.wait(), 20)
    await asyncio.wait_for(desk.runner.stop(), 2)
    await asyncio.wait_for(by_hand, 2)
    assert team.alex.where(keira) == ["here"]
    state = await desk.runner.sync_now()
    assert state == desk.runner.state, "asked after the end, it says how things stood"
    desk.runner.something_changed(Bell(frozenset({"journal_entry"}), frozenset()))
    await desk.runner.stop()
    assert desk.faults == []
    await team.alex.tap(Line())
    await team.alex.sync()
    assert team.alex.where(keira) == ["on the central store"]


async def test_a_listener_that_fails_stops_neither_the_post_nor_the_other_listeners(team: Team) -> None:
    desk = Desk(team.alex)
    others: list[PostState] = []

    def fails(state: PostState) -> None:
        raise ValueError("a screen's own fault")

    stop = desk.runner.listen(fails)
    desk.runner.listen(others.append)
    team.alex.add()
    state = await desk.runner.sync_now()
    assert state.word == "up to date"
    assert others[-1] == state
    assert {type(fault["exception"]) for fault in desk.faults} == {ValueError}, "the crash reports get it"
    stop()
    stop()  # once more is harmless
    desk.faults.clear()
    team.alex.add()
    await desk.runner.sync_now()
    assert desk.faults == []
    await desk.runner.stop()


async def test_a_screen_that_fails_at_a_bell_does_not_stop_what_is_being_received(team: Team) -> None:
    keira = team.alex.add()
    team.alex.write(keira, "Visit")
    await team.alex.sync()
    ruth = Desk(team.ruth)

    def fails(bell: Bell) -> None:
        raise RuntimeError("a screen's own fault")

    ruth.ringing = fails
    state = await ruth.runner.sync_now()
    assert (state.word, team.ruth.titles(keira)) == ("up to date", ["Visit"])
    assert ruth.faults
    await ruth.runner.stop()


async def test_a_fault_of_the_post_itself_is_told_and_it_goes_on(desk: Desk, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> wire.News:
        raise ZeroDivisionError("with a word of somebody's record")

    with monkeypatch.context() as patch:
        patch.setattr(team.alex.client, "news", broken)
        desk.runner.start()
        assert await desk.time.next_nap() == 2
        state = desk.runner.state
        assert (state.word, state.sentence) == (
            "stuck",
            "The post met something unexpected (ZeroDivisionError). Everything is saved here; it tries again by itself.",
        )
    assert [type(fault["exception"]) for fault in desk.faults] == [ZeroDivisionError]
    desk.faults.clear()
    desk.time.passes()
    assert await desk.time.next_nap() == 60
    assert desk.runner.state.word == "up to date"


async def test_a_disk_that_is_full_while_receiving_is_told_in_its_own_words(
    desk: Desk, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*given: object) -> Bell:
        raise DiskTrouble("The disk is full. What you typed is still here. Free some space, then save again.")

    team.alex.add()
    monkeypatch.setattr(team.alex.box, "take", full)
    state = await desk.runner.sync_now()
    assert (state.word, state.sentence) == ("stuck", "The disk is full. What you typed is still here. Free some space, then save again.")


async def test_an_evil_answer_is_not_sent_to_the_screen_as_it_came(team: Team) -> None:
    evil = Evil()
    await team.alex.tap(evil)
    trouble = wire.write(wire.Trouble("x", "\x1b]52;c;aGk=\x07Stop work."))
    evil.whole = lambda path, answer: answer._replace(status=403, body=trouble)
    desk = Desk(team.alex)
    state = await desk.runner.sync_now()
    assert (state.word, state.sentence) == ("stuck", "]52;c;aGk=Stop work.")
    await desk.runner.stop()
