"""Every request: who may ask what, signatures that cannot be forged or replayed, and garbage that is answered in words."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from leadworker.statements import Role
from sync import wire
from sync.hub import bodies
from sync.hub.gate import read_claim
from sync.hub.hub import Asked, Limits
from sync.hub.recent import GOOD_FOR_S, RecentDevices
from tests.hub_world import FakeOrganisation, Keys, Lane, Laptop, World, blob, execute, new_database, refused, run, running, told

pytest_plugins = ["tests.hub_fixtures"]

MINUTE_MS = 60_000
POSTS = ("/v1/organisation", "/v1/join", "/v1/invites", "/v1/control", "/v1/push")


@pytest.fixture
def organisation(world: World) -> FakeOrganisation:
    return world.organisation


# Signed requests -----------------------------------------------------------------------------------------------------


def test_a_request_signed_by_another_key_or_for_something_else_is_refused(organisation: FakeOrganisation) -> None:
    laptop, colleague = organisation.colleague(), organisation.colleague()
    body = wire.write(wire.Push(()))
    for response in (
        laptop.send("GET", "/v1/news", signer=Keys()),
        laptop.send("GET", "/v1/news", signer=colleague.keys),
        laptop.send("GET", "/v1/news", signed_target="/v1/joins"),
        laptop.send("GET", "/v1/news?", signed_target="/v1/news?x=1"),
        laptop.send("POST", "/v1/push", body, signed_body=b""),
        laptop.send("POST", "/v1/push", body, signed_target="/v1/control"),
    ):
        assert (response.status_code, refused(response)) == (401, "signature_wrong")


def test_the_query_is_part_of_what_is_signed(organisation: FakeOrganisation) -> None:
    lead = organisation.colleague()
    path = f"/v1/books/{organisation.casebook(lead).book.hex()}/changes"
    assert lead.send("GET", f"{path}?after=0&limit=1").status_code == 200
    moved = lead.send("GET", f"{path}?after=1&limit=1", signed_target=f"{path}?after=0&limit=1")
    assert refused(moved) == "signature_wrong"


def test_a_recorded_request_cannot_be_played_again(organisation: FakeOrganisation) -> None:
    laptop = organisation.colleague()
    headers = laptop.headers("GET", "/v1/news", b"")
    assert laptop.http.get("/v1/news", headers=headers).status_code == 200
    again = laptop.http.get("/v1/news", headers=headers)
    assert (again.status_code, refused(again)) == (401, "replayed")


def test_a_nonce_may_be_used_by_two_laptops_but_not_twice_by_one(organisation: FakeOrganisation) -> None:
    one, other, nonce = organisation.colleague(), organisation.colleague(), secrets.token_bytes(16)
    assert one.send("GET", "/v1/news", nonce=nonce).status_code == 200
    assert other.send("GET", "/v1/news", nonce=nonce).status_code == 200
    assert refused(one.send("GET", "/v1/joins", nonce=nonce)) == "replayed"


@pytest.mark.parametrize(("minutes", "words"), [(-7, "behind"), (6, "ahead of"), (-525_600, "behind")])
def test_a_wrong_clock_is_refused_with_the_store_s_own_time(world: World, organisation: FakeOrganisation, minutes: int, words: str) -> None:
    laptop = organisation.colleague()
    response = laptop.send("GET", "/v1/news", time_ms=laptop.now_ms() + minutes * MINUTE_MS)
    assert (response.status_code, refused(response)) == (401, "clock_wrong")
    assert words in wire.read(wire.Trouble, response.content).sentence
    assert abs(int(response.headers[wire.TIME_HEADER]) - world.clock()) < MINUTE_MS


def test_a_clock_that_is_a_little_wrong_is_no_trouble(organisation: FakeOrganisation) -> None:
    laptop = organisation.colleague()
    for minutes in (-4, 4):
        assert laptop.send("GET", "/v1/news", time_ms=laptop.now_ms() + minutes * MINUTE_MS).status_code == 200


@pytest.mark.parametrize("name", [wire.DEVICE_HEADER, wire.TIME_HEADER, wire.NONCE_HEADER, wire.SIGNATURE_HEADER])
def test_a_request_without_or_with_a_malformed_signature_is_refused(organisation: FakeOrganisation, name: str) -> None:
    laptop = organisation.colleague()
    whole = laptop.headers("GET", "/v1/news", b"")
    for bent in (None, "", "zz", whole[name] + "00" * 12, whole[name].upper() + "G", "-1", "١٢٣", "9" * 400):
        headers = {key.encode(): value.encode() for key, value in whole.items() if key != name}
        if bent is not None:
            headers[name.encode()] = bent.encode()
        response = laptop.http.get("/v1/news", headers=headers)
        assert (response.status_code, refused(response)) == (401, "not_signed"), bent


def test_nobody_signs_with_a_weak_key(organisation: FakeOrganisation) -> None:
    """A device id of a small-order key is not in the directory, since such a key is never enrolled."""
    assert refused(organisation.laptop().send("GET", "/v1/news")) == "device_unknown"


# Who may ask what ----------------------------------------------------------------------------------------------------


def test_who_may_ask_what(organisation: FakeOrganisation) -> None:
    """Rows: who asks. Columns: own book, another's book, the directory, announce an invite, list joins, push to own."""
    lead, outsider = organisation.colleague(), organisation.colleague()
    coworker, reader, supervisor = (organisation.colleague() for _ in range(3))
    stranger = organisation.laptop()
    others = [
        (coworker, Role.CO_WORKER),
        (reader, Role.READ_ONLY),
        (supervisor, Role.SUPERVISOR),
        (organisation.admin, Role.MANAGER),
    ]
    own = organisation.casebook(lead, others).book
    another = organisation.casebook(outsider).book
    directory = organisation.directory.book
    u, m, ok = "device_unknown", "not_a_member", ""
    expected = {
        "stranger": (stranger, (u, u, u, u, u, u)),
        "outsider": (outsider, (m, ok, ok, ok, ok, m)),
        "read only": (reader, (ok, m, ok, ok, ok, "read_only")),
        "co-worker": (coworker, (ok, m, ok, ok, ok, ok)),
        "lead": (lead, (ok, m, ok, ok, ok, ok)),
        "supervisor": (supervisor, (ok, m, ok, ok, ok, ok)),
        "administrator": (organisation.admin, (ok, m, ok, ok, ok, ok)),
    }
    found = {}
    for name, (laptop, _) in expected.items():
        pages = [laptop.send("GET", f"/v1/books/{book.hex()}/changes?after=0") for book in (own, another, directory)]
        invite = wire.write(wire.Invite(secrets.token_bytes(16), laptop.now_ms() + MINUTE_MS))
        asked = [*pages, laptop.send("POST", "/v1/invites", invite), laptop.send("GET", "/v1/joins")]
        found[name] = (laptop, (*(_code(response) for response in asked), _push_code(laptop, own)))
    assert found == expected


def test_what_is_open_to_anybody_tells_nothing_of_people_or_books(organisation: FakeOrganisation) -> None:
    health = organisation.http.get("/v1/health")
    assert (health.status_code, health.content) == (204, b"")
    answer = told(wire.Organisation, organisation.http.get("/v1/organisation"))
    assert answer.founding is not None
    assert refused(organisation.http.get("/v1/news")) == "not_signed"


def test_no_request_deletes_or_replaces(organisation: FakeOrganisation) -> None:
    """The only methods are GET and POST: a stolen laptop cannot destroy what colleagues wrote."""
    description = organisation.http.get("/v1/openapi.json").json()
    assert {method for path in description["paths"].values() for method in path} == {"get", "post"}
    assert len(description["paths"]) == 18
    lead = organisation.colleague()
    path = f"/v1/books/{organisation.casebook(lead).book.hex()}/changes"
    for method in ("PUT", "DELETE", "PATCH", "POST"):
        response = lead.send(method, path)
        assert (response.status_code, refused(response)) == (405, "no_such_request")


# Garbage -------------------------------------------------------------------------------------------------------------


def test_a_body_of_another_type_is_refused(organisation: FakeOrganisation) -> None:
    for path in POSTS:
        headers = {**organisation.admin.headers("POST", path, b"{}"), "content-type": "application/json"}
        response = organisation.http.post(path, content=b"{}", headers=headers)
        assert (response.status_code, refused(response)) == (415, "wrong_type")


def test_a_body_that_is_no_message_is_refused_in_words(world: World, organisation: FakeOrganisation) -> None:
    chance = random.Random(20)
    garbage = [
        b"", b"\x00", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\x91\xdd\xff\xff\xff\xff", b"\x92\x90" + b"\x91" * 60_000,
        b"\x91" * 60_000, b"<html>", b'{"runs": []}', b"\x91\x91\x92\x91\x92\xc4\x00\xc4\x00\xc4\x00",
        *(chance.randbytes(chance.randrange(1, 300)) for _ in range(60)),
    ]  # fmt: skip
    for path in POSTS:
        for body in garbage:
            headers = organisation.admin.headers("POST", path, body)
            headers[wire.SETUP_HEADER] = world.hub.setup_code
            response = organisation.http.post(path, content=body, headers=headers)
            assert response.status_code < 500, (path, body[:20])
            if response.status_code != 200:
                assert refused(response) in ("bad_body", "bad_request")
    assert '"fault"' not in world.log.getvalue()


def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(organisation: FakeOrganisation) -> None:
    for path in POSTS:
        body = bytes(wire.LARGEST_BATCH + 1)
        headers = organisation.admin.headers("POST", path, body)
        response = organisation.http.post(path, content=body, headers=headers)
        assert (response.status_code, refused(response)) == (413, "too_large")

        def in_pieces(body: bytes = body) -> Iterator[bytes]:
            yield from (body[start : start + 65536] for start in range(0, len(body), 65536))

        headers = organisation.admin.headers("POST", path, body)
        response = organisation.http.post(path, content=in_pieces(), headers=headers)
        assert (response.status_code, refused(response)) == (413, "too_large")


def test_a_batch_of_the_largest_size_is_taken(organisation: FakeOrganisation) -> None:
    lead = organisation.colleague()
    book = organisation.casebook(lead)
    lane = Lane(book.book, lead.device)
    count = wire.LARGEST_BATCH // (wire.LARGEST_BODY + 300)
    (outcome,) = lead.push(run(lead.keys, lane.write(count, size=wire.LARGEST_BODY)))
    assert not outcome.code
    assert len(lead.pull(book.book)) == count + 2


@pytest.mark.parametrize(
    "target",
    [
        "/v1/books/zz/changes", "/v1/books/" + "0" * 31 + "/changes", "/v1/books/" + "0" * 32 + "/changes?after=-1",
        "/v1/books/" + "0" * 32 + "/changes?after=x", "/v1/books/" + "0" * 32 + "/changes?limit=0",
        "/v1/books/" + "0" * 32 + "/changes?limit=2001", "/v1/books/" + "0" * 32 + "/changes?after=1e9",
        "/v1/books/" + "0" * 32 + f"/changes?after={2**63}", "/v1/books/%00/changes", "/v1/join/xyz", "/v1/join/%ff",
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_is_refused(organisation: FakeOrganisation, target: str) -> None:
    response = organisation.admin.send("GET", target)
    assert (response.status_code, refused(response)) in [(400, "bad_request"), (404, "no_such_request")]


@pytest.mark.parametrize("target", ["/", "/v1", "/v2/news", "/v1/news/", "/v1/../v1/nothing", "/docs", "/favicon.ico"])
def test_an_unknown_address_is_answered_in_words(organisation: FakeOrganisation, target: str) -> None:
    response = organisation.http.get(target, follow_redirects=True)
    assert response.status_code in (401, 404)
    refused(response)


def test_a_body_that_never_ends_coming_is_not_waited_for(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path), limits=Limits(body_seconds=0.2)) as world:
        answer = _half_a_request(world, b"content-length: 1000\r\n", b"only a part")
        assert answer.startswith(b"HTTP/1.1 408") and b"too_slow" in answer
        answer = _half_a_request(world, b"transfer-encoding: chunked\r\n", b"4\r\npart\r\n")
        assert answer.startswith(b"HTTP/1.1 408") and b"too_slow" in answer
        assert world.organisation.admin.news(), "others are served meanwhile and afterwards"


def test_a_head_that_never_ends_coming_is_not_waited_for(tmp_path: Path) -> None:
    """Neither the first of a line, nor a later one: whoever opens line after line and says nothing would take them all."""
    with running(new_database("sqlite", tmp_path), limits=Limits(body_seconds=0.3)) as world:
        health = b"GET /v1/health HTTP/1.1\r\nhost: hub\r\n"
        for said, answers in ((b"", 0), (health, 0), (health + b"\r\n" + health, 1)):
            with _line(world) as line:
                line.sendall(said)
                assert _until_cut(line).count(b"204 No Content") == answers
        with _line(world) as line:
            line.sendall(health + b"\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 204")
            time.sleep(0.6)
            line.sendall(health + b"\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 204"), "a pause between requests is no trouble"


def test_a_line_that_came_as_the_store_stopped_ends_with_its_answer(tmp_path: Path) -> None:
    """A laptop that pushes without a pause would be served on it until the grace is over, and then be cut off after a commit."""
    with running(new_database("sqlite", tmp_path)) as world, _line(world) as line:
        health = b"GET /v1/health HTTP/1.1\r\nhost: hub\r\n\r\n"
        line.sendall(health[:9])
        world.organisation.hub()  # came after it, so the line is there by now
        world.hub._hub.stopping = True
        line.sendall(health[9:])
        assert _until_cut(line).startswith(b"HTTP/1.1 204")
        with _line(world) as later:
            assert _until_cut(later) == b""


def test_an_answer_that_nobody_takes_in_is_let_go(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path), limits=Limits(answer_seconds=0.3, most_answered=5_000_000)) as world:
        admin, hub = world.organisation.admin, world.hub._hub
        book = world.organisation.casebook(admin).book
        lane = Lane(book, admin.device)
        for _ in range(2):
            assert not admin.push(run(admin.keys, lane.write(50, size=65536)))[0].code
        target = f"/v1/books/{book.hex()}/changes?after=2&limit=50"
        head = "".join(f"{name}: {value}\r\n" for name, value in admin.headers("GET", target, b"").items())
        with _line(world, buffer=4096) as line:
            line.sendall(f"GET {target} HTTP/1.1\r\nhost: hub\r\n{head}\r\n".encode())
            _wait_until(lambda: hub.answered_bytes > 3_000_000)
            assert refused(admin.send("GET", target)) == "busy"
            _wait_until(lambda: hub.answered_bytes == 0)
        assert len(admin.page(book, 2, 50).changes) == 50, "who takes it in gets the whole of it"
        assert '"fault"' not in world.log.getvalue()


def test_a_laptop_that_takes_nothing_in_does_not_keep_the_store_too_busy_for_its_colleagues(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path), limits=Limits(answer_seconds=5, most_answered=20_000_000)) as world:
        greedy, hub = world.organisation.colleague(), world.hub._hub
        admin = world.organisation.admin
        book = world.organisation.casebook(admin, [(greedy, Role.CO_WORKER)]).book
        lane = Lane(book, admin.device)
        assert not admin.push(run(admin.keys, lane.write(50, size=65536)))[0].code
        target = f"/v1/books/{book.hex()}/changes?after=2&limit=50"
        with contextlib.ExitStack() as lines:
            for _ in range(12):
                head = "".join(f"{name}: {value}\r\n" for name, value in greedy.headers("GET", target, b"").items())
                line = lines.enter_context(_line(world, buffer=4096))
                line.sendall(f"GET {target} HTTP/1.1\r\nhost: hub\r\n{head}\r\n".encode())
            _wait_until(lambda: hub.answered_bytes > 3_000_000)
            assert refused(greedy.send("GET", target)) == "busy"
            assert len(admin.page(book, 2, 50).changes) == 50
        _wait_until(lambda: hub.answered_bytes == 0 and not hub.answered_of)


def test_a_store_that_holds_too_much_says_that_it_is_busy(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path), limits=Limits(most_held=100_000)) as world:
        admin = world.organisation.admin
        response = admin.send("POST", "/v1/push", bytes(200_000))
        assert (response.status_code, refused(response)) == (429, "busy")
        assert told(wire.Pushed, admin.send("POST", "/v1/push", wire.write(wire.Push(())))).outcomes == ()


@pytest.mark.parametrize("who", ["a stranger", "somebody in a colleague's name", "a wrong clock", "a revoked laptop", "somebody who joins"])
def test_whoever_is_not_known_cannot_fill_the_memory_of_the_store(tmp_path: Path, who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow senders of large bodies; colleagues go on meanwhile, and each of them is answered in words in the end."""
    monkeypatch.setattr(bodies, "_PATIENCE_S", 0.3)
    limits = Limits(body_seconds=3, most_held=1_000_000, most_held_unknown=100_000)
    with running(new_database("sqlite", tmp_path), limits=limits) as world:
        admin, hub = world.organisation.admin, world.hub._hub
        lane = Lane(world.organisation.casebook(admin).book, admin.device)
        path, size, count = ("/v1/join", 64_000, 20) if who == "somebody who joins" else ("/v1/push", 400_000, 4)
        refusals = {"a stranger": "device_unknown", "somebody in a colleague's name": "signature_wrong", "a wrong clock": "clock_wrong"}
        expected = refusals.get(who, "busy")
        with contextlib.ExitStack() as lines:
            senders = [lines.enter_context(_line(world)) for _ in range(count)]
            for line in senders:
                head = _head_of(world, who, path)
                line.sendall(f"POST {path} HTTP/1.1\r\nhost: hub\r\ncontent-length: {size}\r\n{head}\r\n".encode())
                line.sendall(bytes(size - 10))
            assert not admin.push(run(admin.keys, lane.write(40, size=16384)))[0].code, "as if nobody else were there"
            _wait_until(lambda: hub.held_bytes == hub.held_unknown)
            assert hub.held_bytes <= (limits.most_held_unknown if expected == "busy" else 0)
            answers = [_refused_on(line) for line in senders]
        assert answers.count(expected) >= count - 2, answers
        _wait_until(lambda: hub.held_bytes == hub.held_unknown == 0)


def _head_of(world: World, who: str, path: str) -> str:
    """Return the headers of somebody whom the store should not let fill its memory."""
    if who == "somebody who joins":
        return f"content-type: {wire.MEDIA_TYPE}\r\n"
    asker = world.organisation.laptop() if who == "a stranger" else world.organisation.admin
    if who == "a revoked laptop":
        asker = world.organisation.colleague()
        execute(world.database, f"UPDATE devices SET active = 0 WHERE device = {blob(world.database, asker.device)}")
    time_ms = asker.now_ms() - (10 * MINUTE_MS if who == "a wrong clock" else 0)
    signer = world.organisation.laptop().keys if who == "somebody in a colleague's name" else asker.keys
    return "".join(f"{name}: {value}\r\n" for name, value in asker.headers("POST", path, b"", time_ms=time_ms, signer=signer).items())


def test_one_laptop_with_many_bodies_under_way_leaves_room_for_its_colleagues(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path), limits=Limits(body_seconds=3, most_held=1_600_000)) as world:
        admin, hub, size = world.organisation.admin, world.hub._hub, 400_000
        greedy, body = world.organisation.colleague(), bytes(400_000)
        lane = Lane(world.organisation.casebook(admin).book, admin.device)
        with contextlib.ExitStack() as lines:
            senders = [lines.enter_context(_line(world)) for _ in range(5)]
            for line in senders:
                head = "".join(f"{name}: {value}\r\n" for name, value in greedy.headers("POST", "/v1/push", body).items())
                line.sendall(f"POST /v1/push HTTP/1.1\r\nhost: hub\r\ncontent-length: {size}\r\n{head}\r\n".encode())
                line.sendall(body[: size - 10])
            _wait_until(lambda: 0 < hub.held_bytes < 2 * size)
            assert not admin.push(run(admin.keys, lane.write(40, size=16384)))[0].code, "as if nobody else were there"
            assert [_refused_on(line) for line in senders].count("busy") >= 3
        _wait_until(lambda: hub.held_bytes == 0 and not hub.held_of)


def test_a_body_that_is_not_the_one_that_was_signed_is_refused(organisation: FakeOrganisation) -> None:
    laptop, body = organisation.colleague(), wire.write(wire.Push(()))
    headers = laptop.headers("POST", "/v1/push", body)
    for other in (b"", body + b"\x00", wire.write(wire.Push((wire.Run((), bytes(64)),)))):
        assert refused(laptop.http.post("/v1/push", content=other, headers=headers)) == "signature_wrong"
    assert laptop.http.post("/v1/push", content=body, headers=headers).status_code == 200, "nothing of it was used up"


@pytest.mark.parametrize("digest", ["", "sha-256=::", "sha-512=:" + "A" * 43 + "=:", "sha-256=:" + "A" * 44 + ":", "ff" * 32])
def test_a_digest_that_is_none_is_refused_before_the_body_is_taken(organisation: FakeOrganisation, digest: str) -> None:
    laptop, body = organisation.colleague(), wire.write(wire.Push(()))
    headers = {**laptop.headers("POST", "/v1/push", body), wire.BODY_HEADER: digest}
    assert refused(laptop.http.post("/v1/push", content=body, headers=headers)) == "not_signed"


def test_a_laptop_that_is_used_is_not_looked_up_for_the_sake_of_its_bodies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(new_database("sqlite", tmp_path)) as world:
        hub, laptop = world.hub._hub, world.organisation.colleague()
        asked = Asked(read_claim(laptop.headers("POST", "/v1/push", b"")), "POST", "/v1/push")
        read, questions = hub._read, []
        monkeypatch.setattr(hub, "_read", lambda question: questions.append(question) or read(question))

        def looked_up() -> int:
            questions.clear()
            assert asyncio.run(hub.expects(asked)) == (laptop.keys.signing, True)
            return len(questions)

        assert [looked_up(), looked_up(), looked_up()] == [1, 0, 0]
        hub._recent._kept.clear()
        laptop.news()
        assert looked_up() == 0
        until, signing = hub._recent._kept[laptop.device]
        hub._recent._kept[laptop.device] = until - GOOD_FOR_S, signing
        assert looked_up() == 1


def test_the_laptops_that_were_looked_up_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.hub.recent._MOST_KEPT", 10)
    recent = RecentDevices()
    for number in range(100):
        recent.note(b"%d" % number, b"key %d" % number)
    assert len(recent._kept) == 10 and (recent.signing_of(b"99"), recent.signing_of(b"1")) == (b"key 99", b"")


def test_a_body_that_was_refused_unread_is_not_let_come_for_ever(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path), limits=Limits(body_seconds=0.5)) as world, _line(world) as line:
        line.sendall(b"POST /v1/push HTTP/1.1\r\nhost: hub\r\ncontent-length: 4000000\r\n\r\n")
        assert _refused_on(line) == "not_signed"
        with pytest.raises(OSError):
            for _ in range(200):
                line.sendall(b"more")
                time.sleep(0.05)


def test_what_is_not_even_http_does_not_disturb_anybody(world: World, organisation: FakeOrganisation) -> None:
    for junk in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\x00" * 4096, b"A" * 200_000):
        _send_raw(world, junk)
    assert organisation.admin.news()
    assert '"fault"' not in world.log.getvalue()


def _line(world: World, buffer: int = 0) -> socket.socket:
    """Return a line to the store, with a window of so many bytes."""
    line = socket.socket()
    if buffer:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    line.settimeout(20)
    line.connect(("127.0.0.1", int(world.hub.url.rpartition(":")[2])))
    return line


def _refused_on(line: socket.socket) -> str:
    answer = http.client.HTTPResponse(line)
    answer.begin()
    return wire.read(wire.Trouble, answer.read()).code


def _until_cut(line: socket.socket) -> bytes:
    said = b""
    while part := line.recv(4096):
        said += part
    return said


def _wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def _half_a_request(world: World, headers: bytes, part: bytes) -> bytes:
    start = b"POST /v1/join HTTP/1.1\r\nhost: hub\r\ncontent-type: " + wire.MEDIA_TYPE.encode() + b"\r\n"
    return _send_raw(world, start + headers + b"\r\n" + part)


def _send_raw(world: World, raw: bytes) -> bytes:
    address = urlsplit(world.hub.url)
    with socket.create_connection((str(address.hostname), address.port or 0), timeout=5) as line:
        answer = b""
        try:
            line.sendall(raw)
            if not raw.startswith(b"POST"):
                line.shutdown(socket.SHUT_WR)
            while part := line.recv(65536):
                answer += part
        except OSError:  # the store let go of the line, which is its right
            pass
        return answer


def _code(response: httpx.Response) -> str:
    return "" if response.status_code == 200 else refused(response)


def _push_code(laptop: Laptop, book: bytes) -> str:
    body = wire.write(wire.Push((run(laptop.keys, Lane(book, laptop.device).write(1)),)))
    response = laptop.send("POST", "/v1/push", body)
    return told(wire.Pushed, response).outcomes[0].code if response.status_code == 200 else refused(response)
