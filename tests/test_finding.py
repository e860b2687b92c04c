"""What was written is found at once, though its index follows only before a search or in an idle moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadworker.domain import journal, people
from leadworker.domain.journal import NewEntry
from storage import clerk, finding
from storage.rebuilding import refold
from storage.vault import Vault
from tests.vaults import ask, do, enter, fresh, people_here, small

WALKS = (1, 2, 3)
WORDS = ("kettle", "harbour", "ladder", "marmalade", "orchard", "pebble")


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """An open vault that is never idle: what is done in an idle moment is done where the test says."""
    monkeypatch.setattr(clerk, "IDLE_AFTER_S", 3600)
    opened = enter(fresh(tmp_path / "vault", small()))
    yield opened
    opened.close()


def write(vault: Vault, words: str) -> str:
    (person,) = ask(vault, people_here)
    return do(vault, journal.write, NewEntry(person, said=words)).entry_id


def found(vault: Vault, words: str, *, newest: bool = False) -> list[str]:
    return [entry.id for _, entry in ask(vault, journal.find, words, limit=10_000, newest=newest)]


def behind(vault: Vault) -> bool:
    return vault.submit(lambda: finding.is_behind(vault.connection, ("journal_entry",))).result()


def execute(vault: Vault, sql: str, *values: object) -> list[tuple[object, ...]]:
    return vault.submit(lambda: vault.connection.execute(sql, values).fetchall()).result()


def index_fits_rows(vault: Vault, topic: str = "journal_entry") -> None:
    """Fail unless the index has the words of every row, and of no other."""
    execute(vault, f"INSERT INTO {topic}_find ({topic}_find, rank) VALUES ('integrity-check', 1)")


def test_a_save_leaves_the_index_for_later_and_the_next_search_finds_it_all_the_same(vault: Vault) -> None:
    entry = write(vault, "the marmalade is in the cellar")
    assert behind(vault)
    assert found(vault, "marmalade cellar") == [entry]
    assert not behind(vault)
    index_fits_rows(vault)


def test_an_idle_moment_brings_the_index_up_to_date(vault: Vault) -> None:
    write(vault, "the orchard")
    vault.submit(vault._tidy).result()
    assert not behind(vault)
    index_fits_rows(vault)


def test_what_a_closing_left_is_done_in_the_first_idle_moment_of_the_next_opening(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = write(vault, "pebble")
    assert behind(vault)
    vault.close()
    monkeypatch.setattr(clerk, "IDLE_AFTER_S", 0.01)
    again = enter(vault.folder)
    deadline = time.monotonic() + 20
    while behind(again):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert found(again, "pebble") == [entry]
    again.close()


def test_idle_moments_go_on_until_the_index_is_in_few_pieces(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST_BEHIND", 1)  # a piece for each note
    for number in range(60):
        write(vault, f"orchard {number}")
    moments = 0
    while vault.submit(vault._tidy).result():
        moments += 1
        assert moments < 50
    ((pieces,),) = execute(vault, "SELECT count(DISTINCT segid) FROM journal_entry_find_idx")
    assert isinstance(pieces, int) and pieces < 8
    index_fits_rows(vault)


def test_while_somebody_types_what_was_written_last_stands_first(vault: Vault) -> None:
    entries = [write(vault, f"harbour {number}") for number in range(5)]
    assert found(vault, "harb", newest=True) == entries[::-1]


def test_many_notes_with_no_idle_moment_between_are_indexed_on_the_way(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST_BEHIND", 4)
    entries, states = [], []
    for _ in range(8):
        entries.append(write(vault, "ladder"))
        states.append(behind(vault))
    assert states.count(False) == 2, "after every fourth"
    assert sorted(found(vault, "ladder")) == sorted(entries)


def test_a_search_inside_a_deed_that_fails_leaves_nothing_in_the_index_of_what_was_undone(vault: Vault) -> None:
    (person,) = ask(vault, people_here)

    def fails(shelf: object) -> None:
        journal.write(shelf, NewEntry(person, said="pebble"))  # type: ignore[arg-type]
        assert len(journal.find(shelf, "pebble")) == 1  # type: ignore[arg-type]
        raise RuntimeError("stopped half-way")

    with pytest.raises(RuntimeError):
        do(vault, fails)
    assert found(vault, "pebble") == []
    index_fits_rows(vault)


def test_words_that_can_change_are_indexed_as_they_are_written(vault: Vault) -> None:
    (person,) = ask(vault, people_here)
    for name in ("Harbour", "Orchard"):
        do(vault, people.describe, person, name=f"Keira {name}")
        assert execute(vault, "SELECT count(*) FROM person_find WHERE person_find MATCH ?", name) == [(1,)]
    index_fits_rows(vault, "person")


def test_an_entry_is_folded_again_before_its_words_were_indexed(vault: Vault) -> None:
    entry = write(vault, "kettle")
    ((book,),) = execute(vault, "SELECT no FROM book WHERE subject != ''")
    assert isinstance(book, int)
    again = {("journal_entry", entry)}

    def fold_again() -> None:
        with vault.transaction() as transaction:
            refold(transaction.connection, vault.projector, book, again)

    vault.submit(fold_again).result()
    assert found(vault, "kettle") == [entry]
    index_fits_rows(vault)


@pytest.mark.parametrize("seed", WALKS)
def test_whatever_was_done_before_a_search_finds_exactly_what_is_there(vault: Vault, seed: int) -> None:
    chance = random.Random(seed)
    kept: dict[str, str] = {}

    def write_one() -> None:
        words = " ".join(chance.sample(WORDS, 2))
        kept[write(vault, words)] = words

    def search_one() -> None:
        word = chance.choice(WORDS)
        assert sorted(found(vault, word, newest=chance.random() < 0.5)) == sorted(e for e, words in kept.items() if word in words)

    steps: tuple[Callable[[], object], ...] = (write_one, write_one, search_one, lambda: vault.submit(vault._tidy).result())
    for _ in range(60):
        chance.choice(steps)()
    index_fits_rows(vault)
