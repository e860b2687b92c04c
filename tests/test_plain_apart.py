"""What was written apart, without the screen: listed, settled and looked up afterwards by commands alone."""

from __future__ import annotations

import pytest

from leadworker.clock import Moment
from leadworker.domain import caseload, people, visits
from storage.vault import Vault
from tests.colleague import Colleague
from tests.plain_world import ME, Plain, empty, harmless, plain, template

__all__ = ["empty", "plain", "template"]

FEN, NAN = "14 Fen Court, with mum and Craig", "with her nan, 3 Mill Lane"
RUTH = "Ruth Adeyemi"


@pytest.fixture
def apart(plain: Plain) -> Plain:
    """A vault in which Alex and Ruth wrote apart where Keira lives, and when her visit is."""
    vault = plain.open()
    try:
        write_apart(vault, NAN)
    finally:
        vault.close()
    return plain


def write_apart(vault: Vault, theirs: str) -> None:
    ruth = Colleague(vault, RUTH)
    keira = vault.read(lambda shelf: caseload.resolve(shelf, "keira").id).result()
    visit = vault.read(lambda shelf: visits.of_person(shelf, keira)[0]).result()
    later = Moment(visit.starts_ms + 3_600_000, visit.starts_offset)
    vault.write(lambda shelf: people.describe(shelf, keira, lives_at=FEN)).result()
    vault.write(lambda shelf: visits.move(shelf, visit.id, later)).result()
    now = Moment.of(vault.clock.now())
    ruth.writes(keira, "person", keira, {"lives_at": theirs}, now)
    ruth.writes(keira, "visit", visit.id, {"starts_ms": visit.starts_ms + 60_000, "starts_offset": 0, "state": "planned"}, now)


def test_conflicts_are_listed_with_every_version_who_wrote_it_and_where_it_is(apart: Plain) -> None:
    answer, document = apart("conflicts"), apart("conflicts", "--json").json()["conflicts"]

    assert answer.out.startswith("2 things were written apart. Nothing is lost")
    for said in ("Keira Okafor-Lane, where they live. Id ", "You wrote,", f"{RUTH} wrote,", FEN, NAN, "here only", "on the central store"):
        assert said in answer.out, said
    lives, visit = document
    assert (lives["field"], lives["person"], lives["can_be_both"], visit["field"], visit["can_be_both"]) == (
        "lives_at", "Keira Okafor-Lane", True, "starts_ms", False,
    )  # fmt: skip
    assert {version["words"]: (version["written_by"], version["where"]) for version in lives["versions"]} == {
        FEN: (ME, "here"), NAN: (RUTH, "on the central store"),
    }  # fmt: skip
    assert apart("conflicts", "--person", "yusuf").out == "Nobody wrote anything apart.\n"


def test_what_is_contested_says_so_wherever_it_is_read(apart: Plain) -> None:
    assert "Written apart: 2." in apart("today").out
    assert "Two people wrote where they live differently" in apart("brief", "keira").out
    assert "two versions of where they live" in apart("people").out
    assert "Written apart by two people: the time" in apart("visits").out
    assert apart("person", "keira", "--json").json()["contested"] == ["lives_at"]
    assert [visit["contested"] for visit in apart("visits", "--json").json()["visits"]] == [["starts_ms"]]


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (("--yours",), FEN), (("--theirs",), NAN), (("--both",), f"{ME}: {FEN}\n{RUTH}: {NAN}"),
        (("--instead", "between the two, she says"), "between the two, she says"),
    ],
)  # fmt: skip
def test_one_command_settles_it(apart: Plain, choice: tuple[str, ...], kept: str) -> None:
    (lives, _) = apart("conflicts", "--json").json()["conflicts"]
    said = apart("settle", lives["id"][-8:], *choice).out

    assert said.startswith("Settled: Keira Okafor-Lane, where they live, is now: ")
    assert sorted(apart("person", "keira", "--json").json()["lives_at"].split("\n")) == sorted(kept.split("\n"))
    if choice == ("--both",):
        said = apart("people").out
        assert f"{ME}: {FEN}; {RUTH}: {NAN}" in said or f"{RUTH}: {NAN}; {ME}: {FEN}" in said, "whose is which"
    assert [one["field"] for one in apart("conflicts", "--json").json()["conflicts"]] == ["starts_ms"]
    history = apart("history", "keira", "--json").json()["said"]
    (chosen, *_) = [line for line in history if line["what"] == "where they live"]
    assert (chosen["written_by"], chosen["settled"], chosen["stands"]) == (ME, 2, True)
    assert {FEN, NAN} <= {line["words"] for line in history}
    assert "chosen from 2 versions, as it is now" in apart("history", "keira").out


def test_a_time_is_settled_by_another_time_and_cannot_be_two(apart: Plain) -> None:
    (_, visit) = apart("conflicts", "--json").json()["conflicts"]

    assert "Both cannot hold at once" in apart("settle", visit["id"], "--both", code=1).err
    assert "is now: " in apart("settle", visit["id"], "--instead", "2031-05-02T15:30").out
    assert "2031-05-02T15:30" in apart("visits", "--json").json()["visits"][0]["starts"]
    assert "chosen from 2 versions" in apart("history", "keira", "--of", visit["id"]).out


def test_what_is_no_choice_changes_nothing_and_says_why(apart: Plain) -> None:
    before = apart.digest()
    (lives, _) = apart("conflicts", "--json").json()["conflicts"]

    assert "Say one of --yours" in apart("settle", lives["id"], code=1).err
    assert "Say one of --yours" in apart("settle", lives["id"], "--yours", "--theirs", code=1).err
    assert "Nothing that is written apart has that id." in apart("settle", "0123456789", "--yours", code=1).err
    assert "--keep names one by its id" in apart("settle", lives["id"], "--keep", "0123456789", code=1).err
    assert apart.digest() == before


def test_hostile_versions_are_printed_as_harmless_letters(plain: Plain) -> None:
    vault = plain.open()
    try:
        write_apart(vault, "\x1b]52;c;ZXZpbA==\x07\x1b[2J[@click=app.quit]x[/]\u202enot safe")
    finally:
        vault.close()
    for command in ("conflicts", "today", "history keira", "brief keira"):
        assert harmless(plain(*command.split())), command
        assert harmless(plain(*command.split(), "--json")), command
