"""The store's figures: right, in the form that Prometheus reads, and without a trace of anybody."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sync import wire
from sync.hub.app import routes
from sync.hub.databases import open_store
from sync.hub.figures import FiguresListener
from sync.hub.hub import Hub
from sync.hub.metrics import Metrics
from sync.hub.store import HubTrouble
from tests.hub_world import Lane, World, new_database, run, running
from tests.postgres import own_postgres
from tests.test_hub_processes import free_ports
from tests.test_words_in_docs import protocol

pytest_plugins = ["tests.hub_fixtures"]

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"\\]*",?)+)\})? (\d+(?:\.\d+)?)')


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read figures as Prometheus does, and fail at what it would not read."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    declared: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            declared[name] = kind
        elif not line.startswith("# HELP "):
            match = LINE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            assert name in declared or re.sub(r"_(bucket|sum|count)$", "", name) in declared, line
            key = (name, tuple(re.findall(r'([a-z]+)="([^"]*)"', labels or "")))
            assert key not in found, "each figure once"
            found[key] = float(value)
    assert text.endswith("\n")
    return found


def figures(world: World, wanted: str = "") -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the figures once every request is over: an answer reaches its asker a moment before it is counted."""
    for _ in range(500):
        found = read(world.hub._hub.figures())
        if found["leadworker_hub_requests_under_way", ()] == 0 and wanted in str(found):
            return found
        threading.Event().wait(0.01)
    raise AssertionError("a request never ends")


def test_figures_count_what_was_asked_taken_and_refused(world: World) -> None:
    lead = world.organisation.colleague()
    lane = Lane(world.organisation.casebook(lead).book, lead.device)
    before = figures(world)
    sent = run(lead.keys, lane.write(3))
    lead.push(sent)
    lead.push(run(lead.keys, Lane(lane.book, lead.device).write(1)))
    lead.send("GET", f"/v1/books/{'0' * 32}/changes")
    after = figures(world)

    def grew(name: str, **labels: str) -> float:
        key = (f"leadworker_hub_{name}", tuple(labels.items()))
        return after.get(key, 0) - before.get(key, 0)

    assert grew("requests_total", route="/v1/push", method="POST", status="200", code="") == 2
    assert grew("requests_total", route="/v1/books/{book}/changes", method="GET", status="403", code="not_a_member") == 1
    assert grew("changes_taken_total") == 3 and grew("refused_total", code="lane_forked") == 1
    assert grew("request_bytes_total", route="/v1/push") > sum(len(header) + len(seal) for header, seal in sent.changes)
    assert grew("request_seconds_count", route="/v1/push") == grew("request_seconds_bucket", route="/v1/push", le="+Inf") == 2
    assert grew("round_trips_total") >= grew("deeds_total") > 3 and grew("transactions_total") > 0
    assert after["leadworker_hub_requests_under_way", ()] == after["leadworker_hub_held_bytes", ()] == 0


def test_no_figure_names_a_book_a_device_a_person_or_a_word(world: World) -> None:
    organisation = world.organisation
    lead = organisation.colleague()
    book = organisation.casebook(lead).book
    lead.push(run(lead.keys, Lane(book, lead.device).write(2)))
    lead.pull(book)
    invite = secrets.token_bytes(16)
    organisation.admin.send("POST", "/v1/invites", wire.write(wire.Invite(invite, lead.now_ms() + 60_000)))
    organisation.http.get(f"/v1/join/{invite.hex()}")
    planted = "Featherstonehaugh"
    headers = {"user-agent": planted, "content-type": planted, "x-forwarded-for": planted, wire.SETUP_HEADER: planted}
    for path in (f"/v1/{planted}", f"/v1/books/{planted}/changes", f"/v1/news?{planted}", f"/{planted}"):
        for method in ("GET", "POST", planted):
            organisation.http.request(method, path, content=planted.encode(), headers=headers)
    text = world.hub._hub.figures()

    for value in (book, lead.device, lead.person, lead.keys.signing, organisation.team, organisation.directory.book, invite):
        assert value.hex()[:8] not in text.replace("\n", " "), "not even shortened"
    assert planted not in text
    labels = {(name, value) for _, pairs in read(text) for name, value in pairs}
    values = {kind: {value for name, value in labels if name == kind} for kind in ("route", "method", "status", "code", "le")}
    assert {name for name, _ in labels} == set(values), "and there is no other label"
    assert values["route"] <= {route.path for route in routes.routes} | {"other"}  # type: ignore[attr-defined]
    assert values["method"] <= {"GET", "POST", "other"} and all(re.fullmatch(r"\d{3}", status) for status in values["status"])
    assert values["code"] - {""} <= set(re.findall(r"^\| `([a-z_]+)` \| (?:whole|one)", protocol(), re.MULTILINE))


def test_somebody_who_goes_away_in_the_middle_is_counted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path)) as world:
        laptop = world.organisation.colleague()
        with pytest.raises(httpx.TransportError):
            laptop.http.post("/v1/push", content=_cut_off(), headers=laptop.headers("POST", "/v1/push", b""))
        found = figures(world, "499")
        assert found["leadworker_hub_held_bytes", ()] == 0
        gone = (("route", "/v1/push"), ("method", "POST"), ("status", "499"), ("code", ""))
        assert found["leadworker_hub_requests_total", gone] == 1


def test_durations_fall_into_buckets_that_hold_all_below() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.03, 60.0):
        metrics.begin()
        metrics.end("/v1/news", "GET", 200, "", seconds, 0, 0)
    found = read(metrics.text({}))
    held = [
        found["leadworker_hub_request_seconds_bucket", (("route", "/v1/news"), ("le", bound))]
        for bound in ("0.001", "0.05", "10.0", "+Inf")
    ]
    assert held == [2, 3, 3, 4]


def test_the_figures_have_a_listener_of_their_own_that_says_when_the_database_is_away() -> None:
    port = free_ports(1)
    with own_postgres() as cluster:
        hub = Hub(open_store(cluster.new_database()))
        with FiguresListener(hub, "127.0.0.1", port), httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
            answer = http.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert read(answer.text)
            assert [http.get(path).status_code for path in ("/health", "/", "/v1/news")] == [200, 404, 404]
            cluster.stop("immediate")
            assert http.get("/health").status_code == 503
            cluster.start()
            assert http.get("/health").status_code == 200
        hub.close()
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_a_port_for_figures_that_is_taken_is_said_in_words_and_none_is_opened_unasked(tmp_path: Path) -> None:
    hub = Hub(open_store(str(tmp_path / "hub.db")))
    port = free_ports(1)
    with FiguresListener(hub, "127.0.0.1", port), pytest.raises(HubTrouble, match=f"port {port}"):
        FiguresListener(hub, "127.0.0.1", port)
    with FiguresListener(hub, "127.0.0.1", 0):
        assert not any(thread.name == "hub-figures" for thread in threading.enumerate())
    hub.close()


def _cut_off() -> Iterator[bytes]:
    """Send the beginning of a body and hang up."""
    yield bytes(1000)
    raise httpx.WriteError("the line went dead")
