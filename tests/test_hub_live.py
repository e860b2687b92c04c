"""The central store tells who listens, at once, that a book has news: to its readers at that moment, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leadworker.statements import Revoke, Role
from sync import wire
from sync.hub import live, live_routes
from sync.hub.live import Listener
from sync.hub.live_routes import Stream
from sync.hub.log import Log
from sync.hub.serve import EmbeddedHub
from tests.hub_world import FakeOrganisation, HandClock, Lane, Laptop, World, refused, run, told
from tests.postgres import require_postgres

pytest_plugins = ["tests.hub_fixtures"]

PATIENCE = 20


class Hears:
    """What a laptop hears on its line, event by event; None is its end."""

    def __init__(self, laptop: Laptop, url: str) -> None:
        self.heard: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._listen, args=(laptop, url), daemon=True)
        self._thread.start()
        assert self.next() == (wire.HELLO, b"")

    def next(self) -> tuple[str, bytes] | None:
        """Return the next event."""
        return self.heard.get(timeout=PATIENCE)

    def until(self, event: tuple[str, bytes]) -> list[tuple[str, bytes] | None]:
        """Wait for an event and return those before it: what had moved just before the line was up may still be told."""
        before: list[tuple[str, bytes] | None] = []
        while (heard := self.next()) != event:
            assert heard is not None
            before.append(heard)
        return before

    def _listen(self, laptop: Laptop, url: str) -> None:
        headers = laptop.headers("GET", "/v1/live", b"")
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.Client(base_url=url, timeout=PATIENCE) as http,
            http.stream("GET", "/v1/live", headers=headers) as response,
        ):
            assert response.headers["content-type"].startswith(wire.EVENTS_TYPE)
            assert response.headers["cache-control"] == "no-store, no-transform"
            name = ""
            for line in response.iter_lines():
                field, _, value = line.partition(": ")
                name = value if field == "event" else name
                if field == "data":
                    self.heard.put((name, bytes.fromhex(value)))
        self.heard.put(None)


@pytest.fixture
def pair(world: World) -> Iterator[tuple[Laptop, Laptop]]:
    """Two colleagues."""
    yield world.organisation.colleague(), world.organisation.colleague()


def test_a_reader_hears_of_a_book_and_of_nothing_else(world: World, pair: tuple[Laptop, Laptop]) -> None:
    alex, ruth = pair
    shared = world.organisation.casebook(alex, [(ruth, Role.CO_WORKER)])
    private = world.organisation.casebook(alex)
    ears, own = Hears(ruth, world.hub.url), Hears(alex, world.hub.url)
    alex.push(run(alex.keys, Lane(private.book, alex.device).write()))
    alex.push(run(alex.keys, Lane(shared.book, alex.device).write()))
    assert (wire.NEWS, private.book) not in ears.until((wire.NEWS, shared.book)), "it came first and was not told"
    ruth.push(run(ruth.keys, Lane(shared.book, ruth.device).write()))
    heard = own.until((wire.NEWS, shared.book))
    assert (wire.NEWS, private.book) not in heard, "of its own pushes a laptop knows"


def test_new_members_and_the_directory_are_news_too(world: World, pair: tuple[Laptop, Laptop]) -> None:
    alex, ruth = pair
    book = world.organisation.casebook(alex)
    ears = Hears(ruth, world.hub.url)
    assert not alex.control(book.membership(alex, [ruth.member(Role.CO_WORKER)]), book.grant(alex, ruth.device)).code
    ears.until((wire.NEWS, book.book))
    world.organisation.colleague()
    ears.until((wire.NEWS, world.organisation.directory.book))


def test_who_was_taken_out_of_a_casebook_hears_nothing_more_of_it(world: World, pair: tuple[Laptop, Laptop]) -> None:
    alex, ruth = pair
    book = world.organisation.casebook(alex, [(ruth, Role.CO_WORKER)])
    other = world.organisation.casebook(alex, [(ruth, Role.CO_WORKER)])
    ears = Hears(ruth, world.hub.url)
    assert not alex.control(book.membership(alex, remove=[ruth.device]), book.rotation(alex)).code
    alex.push(run(alex.keys, Lane(book.book, alex.device).write(epoch=2)))
    alex.push(run(alex.keys, Lane(other.book, alex.device).write()))
    heard = ears.until((wire.NEWS, other.book))
    assert heard.count((wire.NEWS, book.book)) <= 1, "its founding, at most"


def test_who_was_taken_out_of_the_directory_is_hung_up_on(world: World, pair: tuple[Laptop, Laptop]) -> None:
    alex, ruth = pair
    book = world.organisation.casebook(alex, [(ruth, Role.CO_WORKER)])
    ears = Hears(ruth, world.hub.url)
    organisation = world.organisation
    revoked = organisation.directory.statement(organisation.admin.keys, Revoke(ruth.device))
    assert not organisation.admin.control(revoked).code
    while ears.next() is not None:
        pass
    alex.push(run(alex.keys, Lane(book.book, alex.device).write()))
    assert refused(ruth.send("GET", "/v1/live")) == "device_revoked"
    assert refused(ruth.send("GET", "/v1/live/next")) == "device_revoked"


def test_only_a_signed_request_listens_and_only_once(world: World, pair: tuple[Laptop, Laptop]) -> None:
    alex, _ = pair
    http = world.organisation.http
    for path in ("/v1/live", "/v1/live/next"):
        assert refused(http.get(path)) == "not_signed"
    headers = alex.headers("GET", "/v1/live/next", b"")
    assert http.get("/v1/live/next", headers=headers).status_code == 200
    assert refused(http.get("/v1/live/next", headers=headers)) == "replayed"
    for bad in ("mark=zz", "wait=-1", "wait=61"):
        assert refused(alex.send("GET", f"/v1/live/next?{bad}")) == "bad_request"


def test_a_request_that_waits_is_answered_when_there_is_something_to_tell(world: World, pair: tuple[Laptop, Laptop]) -> None:
    alex, ruth = pair
    book = world.organisation.casebook(alex, [(ruth, Role.CO_WORKER)])
    known = told(wire.Mark, ruth.send("GET", "/v1/live/next")).mark
    unchanged = told(wire.Mark, ruth.send("GET", f"/v1/live/next?mark={known.hex()}&wait=0"))
    assert unchanged.mark == known
    answers: queue.Queue[httpx.Response] = queue.Queue()
    target = f"/v1/live/next?mark={known.hex()}&wait=60"
    waiting = threading.Thread(target=lambda: answers.put(ruth.send("GET", target)), daemon=True)
    waiting.start()
    while not world.hub._hub.live.listening:
        pass
    alex.push(run(alex.keys, Lane(book.book, alex.device).write()))
    assert told(wire.Mark, answers.get(timeout=PATIENCE)).mark != known
    missed = told(wire.Mark, ruth.send("GET", target))
    assert missed.mark != known, "what came before the question is told at once"


def test_a_further_line_of_a_device_takes_the_place_of_its_oldest(world: World, pair: tuple[Laptop, Laptop]) -> None:
    alex, _ = pair
    first, *others = [Hears(alex, world.hub.url) for _ in range(live.MOST_PER_DEVICE + 1)]
    assert first.next() is None
    assert all(ears.heard.empty() for ears in others)


def test_the_store_stops_at_once_while_somebody_listens(database: str) -> None:
    clock = HandClock()
    hub = EmbeddedHub(database, now_ms=clock)
    organisation = FakeOrganisation(hub.url, clock)
    assert not told(wire.Outcome, organisation.found(hub.setup_code)).code
    ears = Hears(organisation.admin, hub.url)
    stopping = threading.Thread(target=hub.stop)
    stopping.start()
    stopping.join(5)
    assert not stopping.is_alive(), "it does not wait for listeners"
    assert ears.next() is None
    organisation.close()


def test_processes_of_one_store_tell_each_other_over_postgresql() -> None:
    database, clock = require_postgres().new_database(), HandClock()
    with EmbeddedHub(database, now_ms=clock) as one, EmbeddedHub(database, now_ms=clock) as other:
        organisation = FakeOrganisation(one.url, clock)
        assert not told(wire.Outcome, organisation.found(one.setup_code)).code
        alex, ruth, cem = (organisation.colleague() for _ in range(3))
        book = organisation.casebook(alex, [(ruth, Role.CO_WORKER), (cem, Role.CO_WORKER)])
        at_other, at_one = Hears(ruth, other.url), Hears(cem, one.url)
        lane = Lane(book.book, alex.device)
        while at_other.heard.empty():  # its channel is opened by the first line, on a thread
            alex.push(run(alex.keys, lane.write()))
        at_other.until((wire.NEWS, book.book))
        at_one.until((wire.NEWS, book.book))
        other._hub.live.heard("nothing of ours")
        other._hub.live.heard("deadbeef zz")
        organisation.close()


async def test_what_waits_for_one_line_is_bounded() -> None:
    line = Listener(bytes(16))
    for number in range(live.MOST_PENDING):
        line.tell(number.to_bytes(16, "big"))
    assert len(await line.wait(0)) == live.MOST_PENDING
    for number in range(10 * live.MOST_PENDING):
        line.tell(number.to_bytes(16, "big"))
    assert await line.wait(0) == (b"",), "beyond its bound it is told that everything may have news"
    line.end()
    assert await line.wait(60) == ()


async def test_a_line_that_takes_nothing_in_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_routes, "SLOW_S", 0.05)
    monkeypatch.setattr(live_routes, "HEARTBEAT_S", 0.01)

    async def read(question: object) -> object:
        raise AssertionError("nothing has moved")

    lines = live.Live(read, lambda session: b"", lambda heard: lambda: None, Log(None, lambda: 0))
    line = lines.join(bytes(16))
    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)
        if len(sent) > 4:
            await asyncio.Event().wait()  # the other side reads no more

    async def receive() -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    await asyncio.wait_for(Stream(lines, line)({"type": "http"}, receive, send), PATIENCE)  # type: ignore[arg-type]
    assert lines.listening == 0
    bodies = [message["body"] for message in sent[1:]]
    assert bodies == [wire.event(wire.HELLO, b""), *[wire.HEARTBEAT] * 3]
