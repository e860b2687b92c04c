"""An open laptop hears at once that a colleague has sent something, and loses nothing and no time where it cannot hear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from leadworker.desk import AT_ONCE, Bell, PostState
from leadworker.domain import journal
from sync import live, wire
from sync.live import NOT_TOLD, TOO_MUCH, WITHIN_A_MINUTE, Hearing
from sync.runner import ALL_SENT, Pace, Runner
from tests.laptops import KEIRA, Laptop, LaptopClock, Team, agree
from tests.proxies import Between, served

pytest_plugins = ["tests.laptop_fixtures"]

PATIENCE = 20
NEVER = Pace(every_s=3600, first_wait_s=0.05, longest_wait_s=0.1)
"""Without a notice nothing would come within a test."""

QUICK = Hearing(hello_s=0.5, silence_s=0.5, wait_s=5, first_wait_s=0.02, longest_wait_s=0.1)
STEADY = msgspec.structs.replace(QUICK, hello_s=15, silence_s=40)


class Open:
    """An open laptop whose post runs by itself, straight on the network."""

    def __init__(self, laptop: Laptop, *, url: str = "", hearing: Hearing = STEADY, pace: Pace = NEVER) -> None:
        self.laptop = laptop
        self.heard: list[PostState] = []
        self._news = asyncio.Event()
        self.runner = Runner(
            laptop.box, laptop.new_client(url=url), laptop.clock, laptop.desk.ring, pace=pace, hearing=hearing, spread=lambda: 1.0
        )
        self.runner.listen(self._listened)
        laptop.desk.on_change(self.runner.something_changed)
        laptop.desk.on_change(self._rang)
        self.runner.start()

    def _listened(self, state: PostState) -> None:
        self.heard.append(state)
        self._news.set()

    def _rang(self, bell: Bell) -> None:
        self._news.set()

    async def write(self, person: str, title: str) -> None:
        """Save a note as a screen does."""
        await self.laptop.desk.do(journal.write, journal.NewEntry(person, title=title))

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until it is so; looked at whenever the post or the desk says something."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def hears(self, sentence: str) -> None:
        """Wait until the line for notices is so."""
        await self.until(lambda: self.runner.state.notices == sentence)

    async def shows(self, person: str, title: str) -> None:
        """Wait until a note has come."""
        await self.until(lambda: title in self.laptop.titles(person))


@pytest.fixture
async def opened(team_on: Team) -> AsyncIterator[Callable[..., Open]]:
    """Open laptops, shut at the end of the test."""
    made: list[Open] = []

    def one(laptop: Laptop, **more: object) -> Open:
        made.append(Open(laptop, **more))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for each in made:
        await asyncio.wait_for(each.runner.stop(), 5)


async def shared(team: Team) -> str:
    """Return a person whose casebook both have."""
    person = team.alex.add(KEIRA)
    await team.alex.sync()
    await team.ruth.sync()
    return person


async def test_a_note_is_at_once_on_a_colleagues_open_laptop(team_on: Team, opened: Callable[..., Open]) -> None:
    keira = await shared(team_on)
    alex, ruth = opened(team_on.alex), opened(team_on.ruth)
    await alex.hears(AT_ONCE)
    await ruth.hears(AT_ONCE)
    for title in ("one", "two", "three"):
        await alex.write(keira, title)
        await ruth.shows(keira, title)
    await ruth.write(keira, "and back")
    await alex.shows(keira, "and back")
    await agree(team_on.alex, team_on.ruth)


async def test_the_top_line_does_not_flash_for_a_colleagues_note(team_on: Team, opened: Callable[..., Open]) -> None:
    keira = await shared(team_on)
    alex, ruth = opened(team_on.alex), opened(team_on.ruth)
    await ruth.hears(AT_ONCE)
    await alex.hears(AT_ONCE)
    ruth.heard.clear()
    await alex.write(keira, "one")
    await ruth.shows(keira, "one")
    await ruth.until(lambda: ruth.runner.state.last_received_ms > 0)
    assert {state.word for state in ruth.heard} <= {"up to date"}
    assert {state.sentence for state in ruth.heard} <= {ALL_SENT}


async def test_a_long_history_still_shows_its_progress(team_on: Team, opened: Callable[..., Open]) -> None:
    keira = await shared(team_on)
    ruth = opened(team_on.ruth)
    await ruth.hears(AT_ONCE)
    team_on.alex.write(keira, *(f"note {number}" for number in range(120)))
    await team_on.alex.sync()
    await ruth.shows(keira, "note 119")
    await ruth.until(lambda: "sending" in {state.word for state in ruth.heard})
    await ruth.until(lambda: ruth.runner.state.word == "up to date")


async def test_a_network_that_dies_without_a_word_is_taken_for_dead_and_tried_again(team_on: Team, opened: Callable[..., Open]) -> None:
    keira = await shared(team_on)
    async with Between(team_on.office.url) as network:
        ruth = opened(team_on.ruth, url=network.url, hearing=QUICK)
        await ruth.hears(AT_ONCE)
        network.silent = True  # no end of the line is told, to neither side
        await ruth.hears(WITHIN_A_MINUTE)
        team_on.alex.write(keira, "written meanwhile")
        await team_on.alex.sync()
        network.silent = False
        network.cut()
        await ruth.hears(AT_ONCE)
        await ruth.shows(keira, "written meanwhile")


async def test_where_a_proxy_keeps_the_stream_back_a_request_that_waits_takes_its_place(team_on: Team, opened: Callable[..., Open]) -> None:
    keira = await shared(team_on)
    async with Between(team_on.office.url) as network:
        network.keeps_back = True
        ruth = opened(team_on.ruth, url=network.url, hearing=QUICK)
        await ruth.hears(AT_ONCE)
        for title in ("one", "two"):
            team_on.alex.write(keira, title)
            await team_on.alex.sync()
            await ruth.shows(keira, title)


async def test_a_store_that_stops_and_comes_back_is_listened_to_again(team_on: Team, opened: Callable[..., Open]) -> None:
    keira = await shared(team_on)
    ruth = opened(team_on.ruth, hearing=QUICK)
    await ruth.hears(AT_ONCE)
    await asyncio.wait_for(asyncio.to_thread(team_on.office.stop_store), 8)
    await ruth.hears(WITHIN_A_MINUTE)
    await asyncio.to_thread(team_on.office.start_store)
    await ruth.hears(AT_ONCE)
    team_on.alex.write(keira, "after the break")
    await team_on.alex.sync()
    await ruth.shows(keira, "after the break")


async def test_a_stream_without_heartbeats_is_a_dead_one(team_on: Team, opened: Callable[..., Open]) -> None:
    """The store says something every fifteen seconds; a line that says less is not waited for."""
    ruth = opened(team_on.ruth, hearing=msgspec.structs.replace(STEADY, silence_s=0.2))
    await ruth.hears(AT_ONCE)
    await ruth.hears(WITHIN_A_MINUTE)


async def test_leaving_and_locking_do_not_wait_for_the_line(team_on: Team, opened: Callable[..., Open]) -> None:
    async with Between(team_on.office.url) as network:
        ruth = opened(team_on.ruth, url=network.url)
        await ruth.hears(AT_ONCE)
        network.silent = True
        await asyncio.wait_for(ruth.runner.stop(), 2)
        assert ruth.runner.state.word == "up to date"


async def flood(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(wire.event(wire.NEWS, bytes(16)) * 500)
        await writer.drain()


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"data: ")
    while True:
        writer.write(b"x" * 1000)
        await writer.drain()


@pytest.mark.parametrize("lie", [flood, endless], ids=["notices without an end", "a line without an end"])
async def test_a_store_that_misuses_the_line_is_hung_up_on_in_words(
    team_on: Team, opened: Callable[..., Open], lie: Callable[[asyncio.StreamWriter], object]
) -> None:
    """Everything but the line itself goes to the true store."""
    keira = await shared(team_on)
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        try:
            if b"GET /v1/live " in head:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + wire.event(wire.HELLO, b""))
                await lie(writer)  # type: ignore[misc]
            await true_answer(team_on.office.url, head, reader, writer)
        except OSError:
            hung_up.set()
        finally:
            writer.close()

    async with served(serve) as url:
        ruth = opened(team_on.ruth, url=url)
        await ruth.hears(TOO_MUCH)
        await asyncio.wait_for(hung_up.wait(), PATIENCE)
        assert ruth.runner.state.alarm == "", "nothing of anybody's was touched"
        await ruth.write(keira, "work goes on")
        await ruth.until(lambda: ruth.laptop.where(keira) == ["on the central store"])
        assert ruth.runner.state.notices == TOO_MUCH


async def true_answer(url: str, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass one request on to the store, and its answer back."""
    host, _, port = url.removeprefix("http://").partition(":")
    there, to = await asyncio.open_connection(host, int(port))
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
    to.write(head.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + await reader.readexactly(length))
    writer.write(await there.read())
    await writer.drain()
    to.close()


class Steps(LaptopClock):
    """A clock that goes only while somebody sleeps."""

    gone = 0.0

    def steady(self) -> float:
        return self.gone

    async def sleep(self, seconds: float) -> None:
        """Sleep so long in no time."""
        self.gone += seconds


async def test_notices_that_come_too_thick_are_answered_by_a_few_syncs_a_second(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost by it: a sync fetches all that there is."""
    clock = Steps()
    monkeypatch.setattr(live.asyncio, "sleep", clock.sleep)
    heard: list[float] = []
    ear = live.Ear(
        team.ruth.client, clock, lambda: heard.append(clock.gone), lambda said: None, STEADY, spread=lambda: 1.0, sleep=clock.sleep
    )
    for _ in range(live.BURST + 5):
        await ear._tell()
    assert [round(at, 6) for at in heard] == [0.0] * live.BURST + [0.2, 0.4, 0.6, 0.8, 1.0]


async def test_an_older_store_that_does_not_tell_is_asked_once_a_minute(team_on: Team, opened: Callable[..., Open]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await true_answer(team_on.office.url, head.replace(b" /v1/live", b" /v1/lives"), reader, writer)
        writer.close()

    async with served(serve) as url:
        ruth = opened(team_on.ruth, url=url)
        await ruth.hears(NOT_TOLD)
        assert ruth.runner.state.word == "up to date"
