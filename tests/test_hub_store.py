"""What the central store keeps: nothing acknowledged is lost, numbers have no gap, and no word of anybody is in it."""

from __future__ import annotations

import os
import random
import secrets
import socket
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from leadworker import change, statements
from leadworker.crypto import identity
from leadworker.crypto.envelope import BookKey
from leadworker.statements import Role
from sync import wire
from sync.hub import sqlite_store
from sync.hub.databases import open_store
from sync.hub.postgres_schema import connect
from sync.hub.store import HubTrouble, Session
from tests.hub_world import FakeOrganisation, Lane, World, dump, follow, refused, run, running, told
from tests.postgres import own_postgres, require_postgres

pytest_plugins = ["tests.hub_fixtures"]

WRITERS = 16


def test_sixteen_write_at_once_and_a_reader_who_pages_misses_nothing(world: World) -> None:
    organisation = world.organisation
    laptops = [organisation.colleague() for _ in range(WRITERS)]
    book = organisation.casebook(laptops[0], [(laptop, Role.CO_WORKER) for laptop in laptops[1:]]).book
    writing = threading.Event()
    writing.set()
    seen: list[int] = []

    def write(number: int) -> list[int]:
        chance, lane = random.Random(number), Lane(book, laptops[number].device)
        numbers: list[int] = []
        for _ in range(12):
            sent = run(laptops[number].keys, lane.write(chance.randint(1, 5)))
            (outcome,) = laptops[number].push(sent)
            assert outcome.code == "", outcome.sentence
            numbers += outcome.ns
        return numbers

    def read() -> None:
        after = 0
        while writing.is_set() or after < laptops[0].page(book, after).n:
            for item in laptops[0].page(book, after, limit=7).changes:
                after = item.n
                seen.append(item.n)

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(read)
        numbers = [n for part in [pool.submit(write, n) for n in range(WRITERS)] for n in part.result()]
        writing.clear()
        reader.result()
    assert sorted(numbers) == list(range(3, len(numbers) + 3)), "every change has its own number, and none is left out"
    assert seen == list(range(1, len(numbers) + 3)), "a reader who pages by number sees each change once, in order"
    follow(book, lambda after: laptops[0].page(book, after))


def test_many_books_written_at_once_through_shared_pushes_do_not_wait_on_each_other(world: World) -> None:
    """Pushes that name the same books in different orders must not block each other for ever."""
    organisation = world.organisation
    laptops = [organisation.colleague() for _ in range(6)]
    books = [organisation.casebook(laptops[0], [(m, Role.CO_WORKER) for m in laptops[1:]]).book for _ in range(4)]

    def write(number: int) -> None:
        laptop, chance = laptops[number], random.Random(number)
        lanes = [Lane(book, laptop.device) for book in books]
        for _ in range(8):
            chance.shuffle(lanes)
            outcomes = laptop.push(*(run(laptop.keys, lane.write(2)) for lane in lanes))
            assert {outcome.code for outcome in outcomes} == {""}

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert {len(laptops[0].pull(book)) for book in books} == {2 + 6 * 8 * 2}


def test_a_store_that_is_started_again_has_the_same_key_and_everything(database: str) -> None:
    with running(database) as world:
        organisation, key = world.organisation, world.hub.public_key
        lead = organisation.colleague()
        book = organisation.casebook(lead)
        lane = Lane(book.book, lead.device)
        sent = run(lead.keys, lane.write(3))
        outcomes = lead.push(sent)
        assert world.hub.setup_code
        before = lead.pull(book.book)
    with running(database, founded=False) as world:
        assert (world.hub.public_key, world.hub.setup_code) == (key, "")
        lead.http.base_url = world.hub.url
        lead.http = organisation.http = FakeOrganisation(world.hub.url, world.clock).http
        assert lead.pull(book.book) == before
        assert lead.push(sent) == outcomes
        assert lead.push(run(lead.keys, lane.write(1)))[0].ns == (6,)
        assert lead.control(book.rotation(lead)).code == ""
        organisation.http.close()


def test_the_set_up_code_is_kept_as_a_hash_only(database: str) -> None:
    with running(database, founded=False) as world:
        code = world.hub.setup_code
        assert len(code.replace("-", "")) == 20
    held = dump(database)
    assert code.encode() not in held and code.replace("-", "").encode() not in held
    with running(database, founded=False) as world:
        assert world.hub.setup_code == "", "it is shown once"
        assert told(wire.Outcome, world.organisation.found(code)).code == ""


def test_no_planted_word_is_in_the_database_or_the_log(database: str) -> None:
    words = [f"{name} {secrets.token_hex(6)}" for name in ("Featherstonehaugh", "Nether Wallop", "bruise", "Tansy")]
    with running(database) as world:
        organisation = world.organisation
        lead = organisation.laptop()
        organisation_key = secrets.token_bytes(32)
        said = statements.Enrol(
            lead.keys.signing, lead.keys.unsealing, lead.person, Role.KEY_WORKER, False,
            identity.team_code(organisation_key, words[1]), b"",
            identity.seal_name(organisation_key, lead.person, words[0]), secrets.token_bytes(80),
        )  # fmt: skip
        assert organisation.admin.control(organisation.directory.statement(organisation.admin.keys, said)).code == ""
        book = organisation.casebook(lead).book
        key, sealed, prev = BookKey(book, 1, secrets.token_bytes(32)), [], change.FIRST
        for seq, word in enumerate(words, start=1):
            content = change.Content(1, "journal", "r", change.PUT, {"words": word}, 1, (2, b""), 1, 0)
            body = change.write_content(content, secrets.token_bytes(16))
            size = change.padded_size(len(body))
            header = change.Header(1, book, lead.device, 1, seq, prev, size, change.commitment(body)).pack()
            prev = change.change_id(header)
            sealed.append((header, key.seal(header, body)))
        assert lead.push(run(lead.keys, sealed))[0].code == ""
        for word in words:  # and in every place where a careless laptop or a scanner could put one
            text = word.replace(" ", "-")
            headers = {"user-agent": text, wire.SETUP_HEADER: text, "content-type": wire.MEDIA_TYPE}
            organisation.http.get(f"/v1/{text}?name={text}", headers=headers)
            organisation.http.post("/v1/organisation", content=word.encode(), headers=headers)
            organisation.http.post("/v1/join", content=word.encode(), headers=headers)
            lead.send("POST", "/v1/push", word.encode())
            lead.send("GET", f"/v1/books/{book.hex()}/changes?after={text}")
        log = world.log.getvalue()
    held = dump(database)
    assert key.open(*sealed[0]) and sealed[0][1] in held, "what is searched is really what was sent"
    for planted in (part for word in words for part in word.split()):
        for shape in (planted, planted.upper(), planted.encode().hex()):
            assert shape.encode() not in held and shape not in log
    assert book.hex() not in log and lead.device.hex() not in log, "ids are shortened in the log"
    assert lead.device.hex()[:8] in log


def test_a_postgresql_that_is_not_there_is_said_in_words_without_its_password() -> None:
    with pytest.raises(HubTrouble, match="Check that the server runs") as caught:
        open_store("postgresql://hub:open-sesame@127.0.0.1:1/journal")
    assert "open-sesame" not in caught.value.sentence and "127.0.0.1" in caught.value.sentence


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://hub:open%zzsesame@127.0.0.1/journal",  # not percent-encoded, though it looks so
        "postgresql://hub:open@sesame@127.0.0.1/journal",
        "postgresql://hub:open/sesame@127.0.0.1/journal",
        "postgresql://hub:open[sesame@127.0.0.1/journal",
        "postgresql://hub:op@en@[sesame/journal",
        "postgresql://hub:open#sesame@127.0.0.1/journal?open=sesame",
        "postgresql+psycopg://hub:sesame@127.0.0.1/journal",
        "mysql://hub:sesame@127.0.0.1/journal",
    ],
)
def test_an_address_that_is_written_wrong_is_said_in_words_and_never_shown(address: str) -> None:
    """It goes to the log of a service, and a password that was not encoded is a usual slip."""
    with pytest.raises(HubTrouble, match="Nothing was changed") as caught:
        open_store(address)
    assert "sesame" not in caught.value.sentence


def test_the_sqlite_file_is_for_its_owner_alone_and_durable(tmp_path: Path) -> None:
    with running(str(tmp_path / "hub.db")):
        database = sqlite_store._open(tmp_path / "hub.db")
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        database.close()
    assert (tmp_path / "hub.db").stat().st_mode & 0o077 == 0


def test_a_deed_that_fails_harms_nobody_who_shares_its_transaction(database: str) -> None:
    store = open_store(database)
    gate = threading.Event()

    def keep(name: str) -> Future[None]:
        return store.write(lambda session: session.keep_setting(name, b"1"))

    def fail(session: Session) -> None:
        session.keep_setting("half done", b"1")
        raise LookupError

    held = [store.write(lambda _: gate.wait(10)) for _ in range(4)]  # one for each thread that writes
    first, bad, second = keep("one"), store.write(fail), keep("two")
    gate.set()
    for waiting in held:
        waiting.result(10)
    first.result(10)
    second.result(10)
    with pytest.raises(LookupError):
        bad.result(10)
    kept = store.read(lambda session: [session.setting(name) for name in ("one", "half done", "two")]).result(10)
    assert kept == [b"1", None, b"1"]
    store.close()


def test_a_full_disk_is_said_in_words_and_goes_on_when_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = {"pages": 60}
    plain = sqlite_store._open

    def small(path: Path) -> sqlite3.Connection:
        database = plain(path)
        database.execute(f"PRAGMA max_page_count = {room['pages']}")
        return database

    monkeypatch.setattr(sqlite_store, "_open", small)
    with running(str(tmp_path / "hub.db")) as world:
        lead = world.organisation.colleague()
        book = world.organisation.casebook(lead).book
        lane = Lane(book, lead.device)
        kept = lead.push(run(lead.keys, lane.write(3)))
        body = wire.write(wire.Push((run(lead.keys, lane.write(20, size=16384)),)))
        response = lead.send("POST", "/v1/push", body)
        assert (response.status_code, refused(response)) == (503, "store_away")
        assert kept[0].last_n == lead.page(book).n == 5
        room["pages"] = 4000
        assert told(wire.Pushed, lead.send("POST", "/v1/push", body)).outcomes[0].code == ""
        assert len(lead.pull(book)) == 25


# Several hub processes, and a database that goes away ----------------------------------------------------------------


@pytest.fixture
def two() -> Iterator[tuple[World, World]]:
    """Two stores' processes over one PostgreSQL database (here two in one process; they share nothing else)."""
    database = require_postgres().new_database()
    with running(database) as one, running(database, founded=False) as other:
        yield one, other


def test_two_hub_processes_over_one_database_are_one_store(two: tuple[World, World]) -> None:
    one, other = two
    organisation = one.organisation
    assert one.hub.public_key == other.hub.public_key
    lead, new = organisation.colleague(), organisation.colleague()
    book = organisation.casebook(lead)
    there = FakeOrganisation(other.hub.url, other.clock)
    lane = Lane(book.book, lead.device)
    for number in range(6):
        lead.http = (organisation.http, there.http)[number % 2]
        assert lead.push(run(lead.keys, lane.write(2)))[0].code == ""
    lead.http = there.http
    assert lead.control(book.membership(lead, [new.member(Role.CO_WORKER)]), book.grant(lead, new.device)).code == ""
    assert len(new.pull(book.book)) == 2 + 12 + 2
    revoke = organisation.directory.statement(organisation.admin.keys, statements.Revoke(new.device))
    assert organisation.admin.control(revoke).code == ""
    new.http = there.http
    assert refused(new.send("GET", "/v1/news")) == "device_revoked", "revoked at one process, refused at once by the other"
    organisation.admin.http = there.http
    assert organisation.colleague()
    there.close()


def test_of_two_foundings_at_two_processes_one_is_taken() -> None:
    database = require_postgres().new_database()
    with running(database, founded=False) as one, running(database, founded=False) as other:
        code = one.hub.setup_code or other.hub.setup_code
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda world: told(wire.Outcome, world.organisation.found(code)), (one, other)))
        assert sorted(outcome.code for outcome in outcomes) == ["", "already_founded"]
        assert one.organisation.hub().book == other.organisation.hub().book != b""


def test_of_two_changes_of_members_at_two_processes_one_is_told(two: tuple[World, World]) -> None:
    one, other = two
    organisation, there = one.organisation, FakeOrganisation(other.hub.url, other.clock)
    lead = organisation.colleague()
    second = organisation.colleague(Role.SUPERVISOR)
    second.http = there.http
    book = organisation.casebook(lead, [(second, Role.SUPERVISOR)])
    for _ in range(5):
        grants = [
            book.control.copy().statement(laptop.keys, statements.Grant(1, {laptop.device: secrets.token_bytes(80)}))
            for laptop in (lead, second)
        ]
        with ThreadPoolExecutor(2) as pool:
            sent = pool.map(lambda pair: pair[0].control(pair[1]), zip((lead, second), grants, strict=True))
            codes = [outcome.code for outcome in sent]
        assert sorted(codes) == ["", "head_moved"]
        book.control.seq += 1
        book.control.head = change.change_id(grants[codes.index("")].header)
    assert len(lead.pull(book.book)) == 7
    there.close()


def test_when_postgresql_is_pulled_the_store_says_so_and_goes_on_afterwards() -> None:
    with own_postgres() as cluster, running(cluster.new_database()) as world:
        lead = world.organisation.colleague()
        book = world.organisation.casebook(lead).book
        lane = Lane(book, lead.device)
        kept = lead.push(run(lead.keys, lane.write(50)))
        cluster.stop("immediate")
        body = wire.write(wire.Push((run(lead.keys, lane.write(2)),)))
        for response in (lead.send("POST", "/v1/push", body), world.organisation.http.get("/v1/health")):
            assert (response.status_code, refused(response)) == (503, "store_away")
        cluster.start()
        assert world.organisation.http.get("/v1/health").status_code == 204
        assert told(wire.Pushed, lead.send("POST", "/v1/push", body)).outcomes[0].ns == (53, 54)
        assert kept[0].ns == tuple(range(3, 53)) and len(lead.pull(book)) == 54


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such setting")
def test_a_database_machine_that_went_without_a_word_is_taken_for_gone_within_a_minute() -> None:
    """By itself the system waits for two hours for an answer of a machine that lost its power, and every request with it."""
    address = require_postgres().new_database()
    with connect(address) as database, socket.socket(fileno=os.dup(database.fileno())) as line:
        idle, every, times, unread = (
            line.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        )
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) and idle + every * times <= 60 and unread <= 60_000
    with connect(f"{address}?keepalives_idle=7") as database, socket.socket(fileno=os.dup(database.fileno())) as line:
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7, "the address has the last word"
