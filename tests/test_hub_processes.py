"""Several processes of one central store: nothing is missed between them, nothing is answered twice, and none is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from leadworker.statements import Role
from sync import wire
from sync.hub import live_routes, shared_nonces
from sync.hub.app import routes
from sync.hub.serve import serve
from sync.hub.store import HubTrouble
from tests.hub_program import Program, now_ms, program
from tests.hub_world import Casebook, FakeOrganisation, Lane, Laptop, follow, refused, run, running, select, told
from tests.postgres import require_postgres

pytest_plugins = ["tests.hub_fixtures"]

WRITERS = 16


@contextlib.contextmanager
def several(tmp_path: Path, count: int = 2, **options: str) -> Iterator[tuple[Program, FakeOrganisation, Path]]:
    """Run a store of several processes and found an organisation at it."""
    log = tmp_path / "log"
    with program(require_postgres().new_database(), log, count=str(count), **options) as store:
        organisation = FakeOrganisation(store.url, now_ms)
        assert told(wire.Outcome, organisation.found(store.setup_code)).code == ""
        yield store, organisation, log
        organisation.close()


def free_ports(count: int) -> int:
    """Return a port from which on so many are free."""
    while True:
        first = random.randint(20_000, 50_000)
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
            return first


def counted(port: int, name: str) -> float:
    """Return the sum of a figure over its labels."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_sixteen_write_through_two_processes_and_readers_who_page_miss_nothing(tmp_path: Path) -> None:
    ports = free_ports(2)
    with several(tmp_path, metrics_port=str(ports)) as (store, organisation, _):
        laptops = [organisation.colleague() for _ in range(WRITERS)]
        book = organisation.casebook(laptops[0], [(laptop, Role.CO_WORKER) for laptop in laptops[1:]]).book
        for laptop in laptops:  # a connection of its own, which goes to one process or the other
            laptop.http = httpx.Client(base_url=store.url, timeout=30)
        writing = threading.Event()
        writing.set()

        def write(number: int) -> list[int]:
            chance, lane = random.Random(number), Lane(book, laptops[number].device)
            numbers: list[int] = []
            for _ in range(12):
                (outcome,) = laptops[number].push(run(laptops[number].keys, lane.write(chance.randint(1, 5))))
                assert outcome.code == "", outcome.sentence
                numbers += outcome.ns
            return numbers

        def read(number: int) -> list[int]:
            # No connection is used twice, so one page comes from one process and the next from the other.
            http = httpx.Client(base_url=store.url, timeout=30, limits=httpx.Limits(max_keepalive_connections=0))
            mine = Laptop(http, laptops[number].keys, now_ms)
            after, seen = 0, list[int]()
            while writing.is_set() or after < mine.page(book, after).n:
                page = mine.page(book, after, limit=7)
                seen += [item.n for item in page.changes]
                after = seen[-1] if seen else 0
            follow(book, lambda after: mine.page(book, after))
            mine.http.close()
            return seen

        with ThreadPoolExecutor(WRITERS + 2) as pool:
            readers = [pool.submit(read, number) for number in range(2)]
            numbers = [n for part in [pool.submit(write, number) for number in range(WRITERS)] for n in part.result()]
            writing.clear()
            seen = [reader.result() for reader in readers]
        served = [counted(ports + number, "leadworker_hub_changes_taken_total") for number in range(2)]
        for laptop in laptops:
            laptop.http.close()
    assert sorted(numbers) == list(range(3, len(numbers) + 3)), "every change has its own number, and none is left out"
    assert seen == [list(range(1, len(numbers) + 3))] * 2, "who pages by number sees each change once, in order"
    assert all(served) and sum(served) >= len(numbers), "and both processes had their share"


def test_of_two_who_decide_at_two_processes_one_is_told(tmp_path: Path) -> None:
    with several(tmp_path) as (store, organisation, _):
        lead = organisation.colleague()
        supervisors = [organisation.colleague(Role.SUPERVISOR) for _ in range(6)]
        book = organisation.casebook(lead, [(one, Role.SUPERVISOR) for one in supervisors])
        for one in supervisors:
            one.http = httpx.Client(base_url=store.url, timeout=30)
        views = [book.control.copy() for _ in supervisors]
        decided = [
            Casebook(view, book.directory, dict(book.members), book.lead).grant(one, one.device)
            for view, one in zip(views, supervisors, strict=True)
        ]
        with ThreadPoolExecutor(6) as pool:
            codes = list(pool.map(lambda pair: pair[0].control(pair[1]).code, zip(supervisors, decided, strict=True)))
        assert sorted(codes) == ["", *["head_moved"] * 5]
        assert len(lead.pull(book.book)) == 3
        for one in supervisors:
            one.http.close()


def signed_routes() -> list[tuple[str, str]]:
    """Return method and path of every request that is signed, as the store declares them."""
    every = [*routes.routes, *live_routes.routes.routes]
    declared = [(method, route) for route in every if getattr(route, "path", "") != "/v1/live" for method in getattr(route, "methods", ())]
    return [(method, route.path) for method, route in declared if (route.openapi_extra or {}).get("parameters")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("method", "path"), signed_routes(), ids=[path for _, path in signed_routes()])
def test_a_request_that_one_process_has_seen_is_refused_by_the_other(method: str, path: str) -> None:
    database = require_postgres().new_database()
    with running(database) as one, running(database, founded=False) as other:
        admin = one.organisation.admin
        book = one.organisation.casebook(admin)
        lane = Lane(book.book, admin.device)
        bodies = {
            "/v1/push": lambda: wire.Push((run(admin.keys, lane.write(1)),)),
            "/v1/control": lambda: wire.Control((book.grant(admin, admin.device),)),
            "/v1/late": lambda: wire.Late(book.book, ((admin.device, bytes(wire.SEALED_KEY_BYTES)),), bytes(64)),
            "/v1/late/taken": lambda: wire.Taken(()),
            "/v1/recovery/report": lambda: wire.Report((), ()),
            "/v1/recovery/changes": lambda: wire.Returned(book.book, (), b""),
            "/v1/books/{book}/files/{digest}": lambda: wire.FilePart(wire.FILE_PART + 9, 0, bytes(wire.FILE_PART)),
            "/v1/invites": lambda: wire.Invite(bytes(range(16)), admin.now_ms() + 60_000),
        }
        target = path.replace("{book}", book.book.hex()).replace("{digest}", "0" * 64).replace("{part}", "0")
        body = wire.write(bodies[path]()) if method == "POST" else b""
        for first, second in ((one, other), (other, one)):
            headers = admin.headers(method, target, body)
            answers = [httpx.request(method, world.hub.url + target, content=body, headers=headers) for world in (first, second, second)]
            # Neither store is in recovery mode, nor has it this file; both are told in words.
            usual = {"/v1/recovery/report": 409, "/v1/books/{book}/files/{digest}/parts/{part}": 404}.get(path, 200)
            assert answers[0].status_code == usual, refused(answers[0])
            # What one process has refused may be asked of another: nothing came of it.
            again = [(404, "no_such_file") if usual == 404 else (401, "replayed"), (401, "replayed")]
            assert [(answer.status_code, refused(answer)) for answer in answers[1:]] == again


def test_of_a_request_that_comes_to_both_processes_at_once_one_is_answered() -> None:
    database = require_postgres().new_database()
    with running(database) as one, running(database, founded=False) as other:
        admin = one.organisation.admin
        for _ in range(10):
            headers = admin.headers("GET", "/v1/news", b"")
            with ThreadPoolExecutor(8) as pool:
                asked = [pool.submit(httpx.get, f"{world.hub.url}/v1/news", headers=headers) for world in (one, other) * 4]
                statuses = sorted(answer.result().status_code for answer in asked)
            assert statuses == [200] + [401] * 7


def test_requests_of_the_last_minutes_are_forgotten_when_they_can_no_longer_be_played_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_nonces, "_SWEEP_EVERY_S", 0.0)
    database = require_postgres().new_database()
    with running(database) as world:
        laptop = world.organisation.colleague()
        laptop.news()
        world.clock.pushed_ms += 16 * 60_000
        laptop.news()
        assert len(select(database, "SELECT nonce FROM nonces")) == 1


def test_a_process_that_is_killed_is_started_again_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    with several(tmp_path) as (store, organisation, log):
        lead = organisation.colleague()
        book = organisation.casebook(lead).book
        lane = Lane(book, lead.device)
        acknowledged = list(lead.push(run(lead.keys, lane.write(3)))[0].ns)
        for child in children(store):
            os.kill(child, signal.SIGKILL)
        until = time.monotonic() + 30
        while log.read_text().count('"event":"process_ended"') < 2 or len(children(store)) < 2:
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        mine = Laptop(httpx.Client(base_url=store.url, timeout=30, transport=httpx.HTTPTransport(retries=8)), lead.keys, now_ms)
        assert [item.n for item in mine.pull(book)] == [1, 2, *acknowledged]
        assert mine.push(run(lead.keys, lane.write(1)))[0].code == ""
        mine.http.close()


@pytest.mark.parametrize("count", [1, 2])
def test_told_to_stop_it_answers_what_is_under_way_takes_nothing_new_and_ends_well(tmp_path: Path, count: int) -> None:
    log = tmp_path / "log"
    database = require_postgres().new_database()
    with program(database, log, count=str(count)) as store:
        organisation = FakeOrganisation(store.url, now_ms)
        assert told(wire.Outcome, organisation.found(store.setup_code)).code == ""
        lead = organisation.colleague()
        book = organisation.casebook(lead).book
        body = wire.write(wire.Push((run(lead.keys, Lane(book, lead.device).write(5)),)))
        address = urlsplit(store.url)
        with socket.create_connection((str(address.hostname), address.port or 0), timeout=30) as line:
            head = "".join(f"{name}: {value}\r\n" for name, value in lead.headers("POST", "/v1/push", body).items())
            line.sendall(f"POST /v1/push HTTP/1.1\r\nhost: hub\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body[:100])
            organisation.http.get("/v1/health")  # the part has been read by now
            began = time.monotonic()
            store.process.terminate()
            _until_nobody_listens(str(address.hostname), address.port or 0)
            assert store.process.poll() is None, "it waits for what is under way"
            line.sendall(body[100:])
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        assert store.process.wait(20) == 0 and time.monotonic() - began < 10
        assert answer.startswith(b"HTTP/1.1 200")
        outcome = wire.read(wire.Pushed, answer.partition(b"\r\n\r\n")[2]).outcomes[0]
        assert outcome.code == "" and len(outcome.ns) == 5
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events[-1] == "stopped"
    with program(database, log, count=str(count)) as store:
        lead.http = httpx.Client(base_url=store.url, timeout=30)
        assert [item.n for item in lead.pull(book)] == [1, 2, *outcome.ns], "what was answered was committed before"
        lead.http.close()
        organisation.close()


def test_when_the_first_process_is_killed_the_others_end_by_themselves(tmp_path: Path) -> None:
    with program(require_postgres().new_database(), tmp_path / "log", count="2") as store:
        mine = children(store)
        assert len(mine) == 2
        store.process.kill()
        store.process.wait(20)
        until = time.monotonic() + 20
        while any(alive(child) for child in mine):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_several_processes_are_refused_in_words_where_they_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(HubTrouble, match="Several processes need PostgreSQL"):
        serve(str(tmp_path / "hub.db"), port=0, count=2)
    with pytest.raises(HubTrouble, match="1 to 64 processes"):
        serve("postgresql://nobody@127.0.0.1:1/x", port=0, count=65)
    assert not (tmp_path / "hub.db").exists()


def children(store: Program) -> list[int]:
    """Return the processes that serve, without the one that only helps to start them."""
    task = Path(f"/proc/{store.process.pid}/task/{store.process.pid}/children")
    if not task.exists():
        pytest.skip("THIS SYSTEM DOES NOT SAY which processes belong together")
    named = [(int(child), Path(f"/proc/{child}/cmdline").read_bytes()) for child in task.read_text().split()]
    return [child for child, command in named if b"spawn_main" in command]


def alive(process: int) -> bool:
    """Return whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until_nobody_listens(host: str, port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            return
        time.sleep(0.02)
    raise AssertionError("it still takes connections")
