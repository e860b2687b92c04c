"""The central store's tables: made once, adopted from before Alembic without loss, and never touched by a program that is too old."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from leadworker import change
from sync.hub import schema, sqlite_schema
from sync.hub.databases import open_store, upgrade
from sync.hub.store import HubTrouble
from tests.hub_world import FakeOrganisation, Keys, Lane, Laptop, blob, dump, execute, run, running, select
from tests.postgres import require_postgres

pytest_plugins = ["tests.hub_fixtures"]

VERSION_1 = Path(__file__).with_name("hub_version_1")
TABLES = ("hub_settings", "books", "changes", "lanes", "members", "devices", "invites", "alarms")


@pytest.fixture
def version_1(database: str) -> str:
    """A store as the program from before Alembic left it, with two casebooks, an invite and an alarm."""
    if database.startswith("postgresql"):
        with psycopg.connect(database) as server:
            server.execute((VERSION_1 / "postgres.sql").read_text())
    else:
        file = sqlite3.connect(database)
        file.executescript((VERSION_1 / "sqlite.sql").read_text())
        file.close()
    return database


def known_keys(name: bytes) -> Keys:
    """Return the keys with which the fixture's store was filled."""
    keys = Keys()
    keys.private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"signing " + name).digest())
    keys.signing = keys.private.public_key().public_bytes_raw()
    unsealing = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"unsealing " + name).digest())
    keys.unsealing = unsealing.public_key().public_bytes_raw()
    keys.device = change.device_id(keys.signing, keys.unsealing)
    return keys


def rows(database: str) -> dict[str, list[tuple[object, ...]]]:
    """Return what every table of version 1 holds, in the columns that it had then, without the version itself."""
    columns = {
        "hub_settings": "name, value", "books": "book, n, digest, epoch, control_seq, control_head",
        "invites": "invite, expires_ms, signing, unsealing, proof, device", "lanes": "book, device, lane, seq, head",
        "devices": "device, signing, admin, active",
    }  # fmt: skip
    asked = {table: f"SELECT {columns.get(table, '*')} FROM {table}" for table in TABLES}
    asked["hub_settings"] += " WHERE name <> 'schema_version'"
    return {table: sorted(select(database, query)) for table, query in asked.items()}


def tables(database: str) -> set[object]:
    """Return the names of a database's tables."""
    postgres = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    return {row[0] for row in select(database, postgres if database.startswith("postgresql") else "SELECT name FROM sqlite_master")}


def test_a_store_from_before_is_left_alone_until_somebody_says_that_there_is_a_backup(version_1: str) -> None:
    before = rows(version_1)
    with pytest.raises(HubTrouble, match=r"earlier leadworker .*version 1; .*Make a backup, stop .* “leadworker hub upgrade”"):
        open_store(version_1)
    assert rows(version_1) == before


def test_a_store_from_before_is_brought_up_to_date_without_losing_a_byte(version_1: str) -> None:
    before = rows(version_1)
    assert all(before.values()), "every table has something to lose"

    assert upgrade(version_1) == ("0001", schema.versions()[-1])

    assert rows(version_1) == before
    assert upgrade(version_1) == (schema.versions()[-1], schema.versions()[-1]), "twice is once"
    with running(version_1, founded=False) as world:
        there = FakeOrganisation(world.hub.url, world.clock)
        lead = Laptop(there.http, known_keys(b"lead"), world.clock)
        held = {book: len(lead.pull(book)) for book in lead.news()}
        assert sorted(held.values()) == [3, 5, 12], "the directory and two casebooks, with their digests"
        there.close()


def test_the_program_from_before_refuses_what_was_brought_up_to_date(version_1: str) -> None:
    """It reads its own setting and knows only 1; it must not write into tables that are no longer its own."""
    upgrade(version_1)
    store = open_store(version_1)
    assert store.read(lambda session: session.setting(schema.BEFORE_ALEMBIC)).result() == b"3"
    store.close()


def test_an_upgrade_that_fails_at_its_last_step_has_changed_nothing(version_1: str) -> None:
    execute(version_1, "ALTER TABLE lanes ADD COLUMN size INTEGER")  # somebody's own; step 0004 stumbles over it
    before = rows(version_1)
    with pytest.raises(HubTrouble, match="size"):
        upgrade(version_1)
    assert rows(version_1) == before
    assert "hub_version" not in tables(version_1) and "changes_00" not in tables(version_1)
    with pytest.raises(HubTrouble, match="version 1; "):
        open_store(version_1)


@pytest.mark.parametrize("made", ["by version 1", "now"])
def test_every_book_and_every_lane_knows_its_size_to_the_byte(version_1: str, made: str, tmp_path: Path) -> None:
    database = version_1
    if made == "now":
        database = require_postgres().new_database() if version_1.startswith("postgresql") else str(tmp_path / "now.db")
        with running(database) as world:
            lead = world.organisation.colleague()
            for count in (1, 12):
                lane = Lane(world.organisation.casebook(lead).book, lead.device)
                sent = run(lead.keys, lane.write(count))
                lead.push(sent, run(lead.keys, lane.write(2, size=1024)))
                lead.push(sent)  # a retry weighs nothing
    else:
        upgrade(database)
    size = "sum(length(header) + length(body) + length(signature))"
    for table, key in (("books", "book"), ("lanes", "book, device, lane")):
        counted = select(database, f"SELECT {key}, {size} FROM changes WHERE book IN (SELECT book FROM {table}) AND "
                                   f"('{table}' = 'books' OR lane > 0) GROUP BY {key}")  # fmt: skip
        assert sorted(select(database, f"SELECT {key}, size FROM {table}")) == sorted(counted) != []


def test_a_database_of_a_newer_leadworker_is_refused_and_left_alone(database: str) -> None:
    with running(database, founded=False):
        pass
    execute(database, "UPDATE hub_version SET version_num = '0099'")
    before = dump(database)
    for attempt in (open_store, upgrade):
        with pytest.raises(HubTrouble, match=r"newer leadworker made .*version 99; this one knows \d+.*left as it was"):
            attempt(database)
    assert dump(database) == before


@pytest.mark.parametrize("kept", ["99", "?"])
def test_a_store_from_before_of_another_version_than_1_is_refused(version_1: str, kept: str) -> None:
    execute(version_1, f"UPDATE hub_settings SET value = {blob(version_1, kept.encode())} WHERE name = 'schema_version'")
    with pytest.raises(HubTrouble, match="newer leadworker" if kept == "99" else "does not say its version"):
        upgrade(version_1)


@pytest.mark.parametrize("statement", ["UPDATE hub_version SET version_num = '?'", "DELETE FROM hub_version"])
def test_a_database_that_does_not_say_its_version_is_refused(database: str, statement: str) -> None:
    with running(database, founded=False):
        pass
    execute(database, statement)
    with pytest.raises(HubTrouble, match="does not say its version"):
        open_store(database)


def test_another_program_s_database_is_refused_and_left_alone(database: str) -> None:
    execute(database, "CREATE TABLE books (title TEXT)")
    with pytest.raises(HubTrouble, match="another program's"):
        open_store(database)
    execute(database, "INSERT INTO books VALUES ('still there')")


def test_another_program_that_uses_alembic_too_does_not_disturb_and_is_not_disturbed() -> None:
    database = require_postgres().new_database()
    execute(database, "CREATE TABLE alembic_version (version_num TEXT)")
    execute(database, "INSERT INTO alembic_version VALUES ('theirs')")
    open_store(database).close()
    open_store(database).close()
    with psycopg.connect(database) as server:
        assert server.execute("SELECT version_num FROM alembic_version").fetchall() == [("theirs",)]


def test_a_file_that_is_no_database_or_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database at all, but long enough to look at" * 40)
    for path in (tmp_path / "notes.txt", tmp_path / "no such folder" / "hub.db", tmp_path):
        with pytest.raises(HubTrouble, match=r"cannot (open|be used)"):
            open_store(str(path))
    assert (tmp_path / "notes.txt").read_text().startswith("not a database")


def test_processes_that_start_at_once_on_one_empty_database_do_not_collide(database: str) -> None:
    code = "import leadworker, sys; from sync.hub.databases import open_store; sys.stdin.read(); open_store(sys.argv[1]).close()"
    starting = [subprocess.Popen([sys.executable, "-c", code, database], stdin=subprocess.PIPE) for _ in range(4)]
    for process in starting:  # each waits at the door until all are there
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(60) for process in starting] == [0, 0, 0, 0]
    assert upgrade(database)[0] == schema.versions()[-1]


def test_threads_that_start_at_once_on_databases_of_their_own_do_not_collide(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for made in pool.map(sqlite_schema.prepare, [tmp_path / f"{number}.db" for number in range(8)]):
            assert made == (schema.EMPTY, schema.versions()[-1])


def test_the_steps_are_one_line_and_each_is_named_by_its_number() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    steps = [step.revision for step in script.walk_revisions()][::-1]
    assert tuple(steps) == schema.versions()
    assert script.get_current_head() == schema.versions()[-1]


def test_postgresql_keeps_changes_in_parts_and_never_tries_to_compress_a_seal() -> None:
    database = require_postgres().new_database()
    with running(database) as world:
        lead = world.organisation.colleague()
        books = [world.organisation.casebook(lead).book for _ in range(24)]
        for book in books:
            assert lead.push(run(lead.keys, Lane(book, lead.device).write(1)))[0].code == ""
        with psycopg.connect(database) as server:
            parts = server.execute("SELECT tableoid::regclass::text, count(*) FROM changes GROUP BY 1").fetchall()
            asked = "SELECT DISTINCT attstorage FROM pg_attribute WHERE attname = 'body' AND attrelid::regclass::text LIKE 'changes%'"
            storage = server.execute(asked).fetchall()
    assert len(parts) > 8 and sum(count for _, count in parts) == 24 * 3 + 3
    assert storage == [("e",)]
