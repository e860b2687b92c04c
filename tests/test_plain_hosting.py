"""The commands of whoever runs a central store: they say what they did, and touch nothing that they cannot read."""

from __future__ import annotations

import secrets
import sqlite3
from pathlib import Path

import psycopg
import pytest

from sync.hub.schema import versions
from tests.hub_world import STORES, execute, new_database
from tests.plain_world import Plain, empty, template
from tests.postgres import require_postgres

__all__ = ["empty", "template"]

VERSION_1 = Path(__file__).with_name("hub_version_1") / "sqlite.sql"
NOW = int(versions()[-1])


def test_a_store_is_brought_up_to_date_by_a_command_and_says_between_which_versions(empty: Plain, tmp_path: Path) -> None:
    database = str(tmp_path / "hub.db")
    made = sqlite3.connect(database)
    made.executescript(VERSION_1.read_text())
    made.close()
    assert "earlier leadworker" in empty("hub", "serve", "--database", database, code=1).err

    answer = empty("hub", "upgrade", "--database", database)

    assert f"from version 1 to version {NOW}" in answer.out and "Nothing of it was lost." in answer.out
    assert "up to date already" in empty("hub", "upgrade", "--database", database).out
    assert empty("hub", "upgrade", "--database", database, "--json").json() == {"before": versions()[-1], "after": versions()[-1]}


def test_another_program_s_file_is_refused_in_words(empty: Plain, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "theirs.db")
    other.execute("CREATE TABLE books (title TEXT)")
    other.close()
    refused = empty("hub", "upgrade", "--database", str(tmp_path / "theirs.db"), code=1)
    assert "another program's" in refused.err and "left as it was" in refused.err


def test_what_a_laptop_may_use_is_shown_and_changed(empty: Plain, tmp_path: Path) -> None:
    here = ("hub", "allowance", "--database", str(tmp_path / "hub.db"))
    empty("hub", "upgrade", *here[2:])
    assert "3,000 requests at once" in empty(*here).out and "Kept of one laptop: 10 GiB." in empty(*here).out
    changed = empty(*here, "--laptop-bytes", "500 MB", "--address-per-second", "2.5", "--json").json()
    assert (changed["laptop_bytes"], changed["address_per_second"], changed["laptop_at_once"]) == (500 * 1024**2, 2.5, 3000)
    assert empty(*here, "--json").json() == changed
    for size, bytes_ in (("7", 7), ("1k", 1024), ("3GiB", 3 * 1024**3), ("2 TB", 2 * 1024**4)):
        assert empty(*here, "--casebook-bytes", size, "--json").json()["casebook_bytes"] == bytes_
    for wrong in ("much", "-3GB", "3 GB more", "0"):
        assert empty(*here, "--laptop-bytes", wrong, "--json", code=1).trouble()["sentence"].endswith("Nothing was changed.")
    assert "above zero" in empty(*here, "--laptop-at-once", "0", code=1).err


@pytest.mark.parametrize("kind", STORES)
def test_a_command_about_a_store_that_is_not_there_says_so_and_makes_none(empty: Plain, tmp_path: Path, kind: str) -> None:
    """Whoever forgot to name the database would be told of an empty one that their backup is worth nothing, or that all is well."""
    database = new_database(kind, tmp_path)
    asked = (
        ("allowance", "--laptop-bytes", "20GiB"), ("recovery", "begin"), ("recovery", "status"), ("recovery", "end"),
        ("nobody-decides",), ("sealed-copy", "0" * 32, str(tmp_path / "copy")),
    )  # fmt: skip
    for words in asked:
        refused = empty("hub", *words, "--database", database, code=1).err
        assert refused.startswith("There is no central store in ") and "Nothing was made or changed." in refused, words
    assert list(tmp_path.glob("*.db")) == []
    if kind == "postgres":
        with psycopg.connect(database) as server:
            assert server.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchall() == [(0,)]


def test_a_store_is_copied_by_a_command_which_never_writes_over_a_file(empty: Plain, tmp_path: Path) -> None:
    database, copy = str(tmp_path / "hub.db"), tmp_path / "backup.db"
    empty("hub", "upgrade", "--database", database)
    made = empty("hub", "backup", str(copy), "--database", database, "--json").json()
    assert made == {"file": str(copy), "bytes": copy.stat().st_size}
    assert "There is a file" in empty("hub", "backup", str(copy), "--database", database, code=1).err
    assert "There is no central store's database" in empty("hub", "backup", str(copy) + "2", "--database", database + "x", code=1).err
    assert "pg_dump" in empty("hub", "backup", str(copy) + "2", "--database", "postgresql://hub@127.0.0.1:1/x", code=1).err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("backup")) == ["backup.db"]


@pytest.mark.parametrize(
    ("setting", "words", "reason"),
    [
        ("CONNECTION LIMIT 1", ("serve", "--port", "0"), "too many connections for role"),
        ("SET default_transaction_read_only = on", ("allowance", "--laptop-at-once", "7"), "read-only transaction"),
    ],
    ids=["too few connections", "a standby"],
)
def test_a_database_that_cannot_do_what_it_must_is_said_in_its_own_words(
    empty: Plain, setting: str, words: tuple[str, ...], reason: str
) -> None:
    database, name = require_postgres().new_database(), f"hub_{secrets.token_hex(4)}"
    empty("hub", "upgrade", "--database", database)
    execute(database, f"CREATE ROLE {name} LOGIN")
    execute(database, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}")
    execute(database, f"ALTER ROLE {name} {setting}")
    refused = empty("hub", *words, "--database", database.replace("hub@", f"{name}@", 1), code=1).err
    assert refused.startswith("The central store cannot use its database just now: ") and reason in refused
