"""How much one laptop, one address and one casebook may ask of the central store, and that nobody loses anything by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leadworker.statements import Role
from sync import wire
from sync.hub import allowance
from sync.hub.allowance import Allowance, Buckets, address_key
from sync.hub.databases import change_allowance, open_store
from sync.hub.hub import Limits
from sync.hub.store import HubTrouble
from tests.hub_world import Casebook, Lane, Laptop, World, new_database, refused, run, running

pytest_plugins = ["tests.hub_fixtures"]


def allow(world: World, **figures: float) -> None:
    """Change figures as whoever runs the store does, and let the seconds pass after which it reads them again."""
    change_allowance(world.database, **figures)
    world.hub._hub._allowed_until = 0.0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """A store of a test's own, whose figures it may change."""
    with running(new_database("sqlite", tmp_path)) as world:
        yield world


class Steady:
    """A steady clock in a test's hands."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# How often ------------------------------------------------------------------------------------------------------------


def test_a_bucket_gives_what_it_holds_at_once_and_then_as_fast_as_it_refills() -> None:
    clock = Steady()
    buckets = Buckets(clock)
    assert [buckets.take(b"a", 2.0, 3) for _ in range(3)] == [0, 0, 0]
    assert buckets.take(b"a", 2.0, 3) == buckets.take(b"a", 2.0, 3) == 0.5, "asking in vain costs nothing"
    assert buckets.take(b"b", 2.0, 3) == 0, "another one's is its own"
    clock.now += 0.5
    assert buckets.take(b"a", 2.0, 3) == 0
    assert buckets.take(b"a", 2.0, 3) == 0.5
    clock.now += 1e6
    assert [buckets.take(b"a", 2.0, 3) > 0 for _ in range(4)] == [False, False, False, True], "a long rest fills it, no more"


def test_buckets_of_many_strangers_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "_MOST_KEPT", 100)
    buckets = Buckets()
    for number in range(1000):
        buckets.take(b"%d" % number, 1.0, 5)
    assert len(buckets._left) == 100 and b"999" in buckets._left


def test_five_hundred_laptops_at_nine_on_monday_pass_and_so_does_a_first_sync() -> None:
    usual, clock = Allowance(), Steady()
    laptops, office = Buckets(clock), Buckets(clock)
    for number in range(500):
        for _ in range(2 * 200 + 2 * 40 + 10):  # 200 casebooks founded or pulled, 40 pushes, the rest of a first sync
            assert not laptops.take(b"%d" % number, usual.device_per_second, usual.device_at_once)
        for _ in range(2):  # which organisation, and the store's time
            assert not office.take(address_key("192.0.2.1"), usual.address_per_second, usual.address_at_once)
    assert wire.MOST_IN_BATCH * usual.device_at_once > 10_000


def test_a_laptop_that_asks_without_end_is_asked_for_a_pause_and_its_colleagues_are_not(small: World) -> None:
    loud, quiet = small.organisation.colleague(), small.organisation.colleague()
    allow(small, device_per_second=0.05, device_at_once=6)
    answers = [loud.send("GET", "/v1/news") for _ in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
    assert refused(answers[-1]) == "too_often"
    assert 5 <= int(answers[-1].headers["retry-after"]) <= 22
    assert f"a pause of {answers[-1].headers['retry-after']} seconds" in wire.read(wire.Trouble, answers[-1].content).sentence
    assert quiet.news()
    noted = [line for line in small.log.getvalue().splitlines() if "too_often" in line]
    assert len(noted) == 1 and loud.device.hex()[:8] in noted[0], "the log says whose laptop it is, once a minute and no more"


def test_nobody_uses_up_a_colleagues_share_by_pretending_to_be_their_laptop(small: World) -> None:
    victim, thief = small.organisation.colleague(), small.organisation.colleague()
    allow(small, device_per_second=0.05, device_at_once=6)
    for _ in range(20):
        assert refused(victim.send("GET", "/v1/news", signer=thief.keys)) == "signature_wrong"
    assert victim.news()


def test_what_is_asked_without_a_signature_is_counted_by_its_address(small: World) -> None:
    laptop = small.organisation.colleague()
    allow(small, address_per_second=0.05, address_at_once=4)
    laptop.news()
    paths = ("/v1/organisation", "/v1/health", f"/v1/join/{'0' * 32}")
    answers = [laptop.http.get(paths[number % 3]) for number in range(8)]
    assert {answer.status_code for answer in answers[:4]} <= {200, 204}
    assert [(answer.status_code, refused(answer)) for answer in answers[-2:]] == [(429, "too_often")] * 2
    for path in ("/v1/organisation", "/v1/join"):
        posted = laptop.http.post(path, content=b"", headers={"content-type": wire.MEDIA_TYPE})
        assert (posted.status_code, refused(posted)) == (429, "too_often"), "a set-up code is not guessed for long"
    assert laptop.news(), "and laptops that sign are not held up by it"


def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_saw(tmp_path: Path) -> None:
    def statuses(world: World, said: list[str]) -> list[int]:
        return [world.organisation.http.get("/v1/organisation", headers={"x-forwarded-for": one}).status_code for one in said]

    for behind, expected in ((True, [200, 429, 429, 200]), (False, [200, 429, 429, 429])):
        database = new_database("sqlite", tmp_path / str(behind))
        (tmp_path / str(behind)).mkdir()
        with running(database, limits=Limits(behind_proxy=behind)) as world:
            laptop = world.organisation.colleague()
            allow(world, address_per_second=0.01, address_at_once=1)
            laptop.news()
            said = ["198.51.100.1", "198.51.100.1", "203.0.113.9, 198.51.100.1", "198.51.100.1, 203.0.113.9"]
            found = statuses(world, said)
            assert found[1:] == expected[1:], "only what the proxy wrote last is believed, and only where there is one"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False), ("192.0.2.1", "::ffff:192.0.2.1", True), ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False), ("fe80::1%eth0", "fe80::1", True), ("a name", "another", False), ("", "", True),
    ],
)  # fmt: skip
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) == same


# How much -------------------------------------------------------------------------------------------------------------


def test_a_laptop_whose_room_is_used_up_is_told_so_and_its_colleagues_are_not(world: World) -> None:
    full, other, book, lane = _two(world)
    sent = run(full.keys, lane.write(4, size=4096))
    first = full.push(sent)
    allow(world, device_bytes=20_000)
    try:
        (outcome,) = full.push(run(full.keys, lane.write(2, size=4096)))
        assert (outcome.code, "19.53 KiB" in outcome.sentence) == ("device_full", True)
        assert "safe on the laptop" in outcome.sentence and "whoever runs the central store" in outcome.sentence
        assert full.push(sent) == first, "what was taken stays taken, and a retry is still recognised"
        assert full.control(book.rotation(full)).code == "", "who reads is decided whatever is full"
        (theirs,) = other.push(run(other.keys, Lane(book.book, other.device).write(1, epoch=2)))
        assert theirs.code == ""
    finally:
        allow(world, device_bytes=Allowance().device_bytes)
    lane.seq, lane.head = 4, wire.change_id(sent.changes[-1][0])
    assert full.push(run(full.keys, lane.write(1, epoch=2)))[0].code == "", "more room, and it goes on"


def test_a_casebook_whose_room_is_used_up_is_told_so_and_others_go_on(world: World) -> None:
    lead, other, book, lane = _two(world)
    second = world.organisation.casebook(lead)
    allow(world, book_bytes=30_000)
    try:
        assert lead.push(run(lead.keys, lane.write(6, size=4096)))[0].code == ""
        runs = run(lead.keys, lane.write(1, size=4096)), run(lead.keys, Lane(second.book, lead.device).write(1))
        full, taken = lead.push(*runs)
        assert (full.code, full.book, taken.code) == ("book_full", book.book, "")
        assert "This casebook holds as much" in full.sentence
        (theirs,) = other.push(run(other.keys, Lane(book.book, other.device).write(1, size=4096)))
        assert theirs.code == "book_full"
    finally:
        allow(world, book_bytes=Allowance().book_bytes)


def test_runs_of_one_push_share_the_room_that_is_left(world: World) -> None:
    lead, _, _book, lane = _two(world)
    second = world.organisation.casebook(lead)
    allow(world, device_bytes=9_500)
    try:
        runs = run(lead.keys, lane.write(2, size=4096)), run(lead.keys, Lane(second.book, lead.device).write(2, size=4096))
        assert [outcome.code for outcome in lead.push(*runs)] == ["", "device_full"]
    finally:
        allow(world, device_bytes=Allowance().device_bytes)


# The figures ----------------------------------------------------------------------------------------------------------


def test_figures_are_kept_with_the_store_and_made_no_sense_of_are_the_usual_ones(database: str) -> None:
    open_store(database).close()
    assert change_allowance(database) == Allowance()
    assert change_allowance(database, device_bytes=7).device_bytes == 7
    assert change_allowance(database, address_at_once=9) == Allowance(device_bytes=7, address_at_once=9)
    assert change_allowance(database) == Allowance(device_bytes=7, address_at_once=9)
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(HubTrouble, match="above zero"):
            change_allowance(database, device_per_second=bad)
    for kept in (None, b"", b"[]", b'{"device_bytes": -4}', b'{"device_bytes": "much"}'):
        assert allowance.read(kept) == Allowance()
    assert allowance.read(b'{"device_bytes": 4, "from a newer version": 1}') == Allowance(device_bytes=4)


def _two(world: World) -> tuple[Laptop, Laptop, Casebook, Lane]:
    lead, other = world.organisation.colleague(), world.organisation.colleague()
    book = world.organisation.casebook(lead, [(other, Role.CO_WORKER)])
    return lead, other, book, Lane(book.book, lead.device)


def test_a_store_that_is_busy_says_when_to_come_back(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path), limits=Limits(most_held=1000)) as world:
        answer: httpx.Response = world.organisation.admin.send("POST", "/v1/push", bytes(2000))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
