"""The organisation's people and who reads a casebook, on the plain path: every deed of a leaver's week as a command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leadworker.plain.place import Place
from tests.plain_world import Plain, empty, plain, template

pytest.importorskip("fastapi")

from sync.hub.serve import EmbeddedHub
from tests.test_plain_post import quick_seals, set_up

__all__ = ["empty", "plain", "quick_seals", "template"]

RUTH, SAM = "Ruth Adeyemi", "Sam Iqbal"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[EmbeddedHub]:
    """A central store on this machine."""
    with EmbeddedHub(str(tmp_path / "store.db")) as running:
        yield running


def join(plain: Plain, hub: EmbeddedHub, name: str, folder: Path, words: list[str]) -> list[str]:
    """Make a vault for a colleague and ask to join; return how its commands name it."""
    vault = ["--vault", str(folder)]
    plain("init", "--name", name, *vault)
    plain("join", "--hub", hub.url, *vault, typed=" ".join(words))
    return vault


@pytest.fixture
def team(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> dict[str, list[str]]:
    """Alex, who is the administrator and leads every casebook, with Ruth and Sam as colleagues."""
    set_up(plain, hub, tmp_path)
    vaults = {}
    for name, role in ((RUTH, "co-worker"), (SAM, "key worker")):
        words = plain("invite", name, "--team", "north", "--role", role, "--json").json()["words"]
        vaults[name] = join(plain, hub, name, tmp_path / name.split()[0], words)
        plain("sync")
        plain("sync", *vaults[name])
    return vaults


def names(plain: Plain, *vault: str) -> dict[str, str]:
    shown = plain("readers", "keira", *vault, "--json").json()
    return {one["name"]: "lead" if one["leads"] else one["role"] for one in shown["readers"]}


def test_a_colleague_is_let_in_leads_and_is_taken_out_by_command(plain: Plain, team: dict[str, list[str]]) -> None:
    ruth, sam = team[RUTH], team[SAM]
    assert names(plain) == {"Alex Morgan": "lead"}
    assert "In force: let Ruth Adeyemi in as co-worker." in plain("let-in", "keira", "ruth").out
    plain("sync", *ruth)
    assert plain("timeline", "keira", *ruth, "--json").json()["entries"][0]["said"] == "I actually slept."
    assert plain("let-in", "keira", "ruth", code=1).err.startswith("Ruth Adeyemi reads this casebook as co-worker already.")
    assert "Only its lead, Alex Morgan" in plain("let-in", "keira", "sam", *ruth, code=1).err

    decided = plain("hand-over", "keira", "sam", "--json").json()
    assert decided == {"wishes": ["make Sam Iqbal the lead"], "pending": []}
    plain("sync", *sam)
    assert names(plain, *sam) == {SAM: "lead", "Alex Morgan": "co-worker", RUTH: "co-worker"}
    shown = plain("readers", "keira", *sam).out
    assert "Sam Iqbal: leads, you, since " in shown
    assert "laptop with the check words" in shown
    assert "Alex Morgan made Sam Iqbal the lead." in shown
    said = plain("readers", "keira", *sam, "--json").json()
    assert len(said["words"]) == 6
    assert f"Up to change {said['upto']}, to compare with a colleague: {' '.join(said['words'])}." in shown
    assert plain("readers", "keira", "--at", str(said["upto"] + 9)).out.count("has told this laptop nothing") == 1
    plain("sync")
    assert plain("readers", "keira", "--at", str(said["upto"]), "--json").json()["words"] == said["words"], "as another laptop has it"
    plain("take-out", "keira", "ruth", *sam)
    assert names(plain, *sam) == {SAM: "lead", "Alex Morgan": "co-worker"}
    assert "leads this casebook. Make somebody else the lead first" in plain("take-out", "keira", "sam", *sam, code=1).err
    assert "In force: give the casebook a new key." in plain("new-key", "keira").out
    plain("sync", *ruth)
    assert "You do not read this casebook" in plain("let-in", "keira", "ruth", *ruth, code=1).err
    taken_out = "! Sam Iqbal took Ruth Adeyemi out. “leadworker readers” shows who can read this."
    assert taken_out in plain("brief", "keira", *ruth).out
    assert plain("brief", "keira", *ruth, "--json").json()["access_news"][-1] == "Sam Iqbal took Ruth Adeyemi out."
    with pytest.MonkeyPatch.context() as patch:
        asked, passphrase = [], Place.passphrase
        patch.setattr(Place, "passphrase", lambda place: asked.append(place) or passphrase(place))
        assert "Sam Iqbal took Ruth Adeyemi out." in plain("readers", "keira", *ruth).out
    assert len(asked) == 1, "looking is noted in the same opening"
    assert taken_out not in plain("brief", "keira", *ruth).out, "it was looked at"


def test_without_a_network_a_decision_waits_and_can_be_taken_back(plain: Plain, team: dict[str, list[str]], hub: EmbeddedHub) -> None:
    hub.stop()
    answer = plain("let-in", "keira", "sam", "--role", "read-only")
    assert "Not yet in force: let Sam Iqbal in as read-only." in answer.out
    assert "The next sync carries it out." in answer.out
    (waits,) = plain("readers", "keira", "--json").json()["pending"]
    assert (waits["wish"], waits["said"]) == ("let Sam Iqbal in as read-only", "")
    assert f"id {waits['id'][-8:]}" in plain("readers", "keira").out
    assert "Taken back: let Sam Iqbal in as read-only." in plain("take-back", waits["id"][-8:]).out
    assert plain("readers", "keira", "--json").json()["pending"] == []
    assert "No decision that waits has this id" in plain("take-back", "00000000", code=1).err


def test_a_lost_laptop_is_revoked_and_its_owner_reads_again_on_a_new_one(
    plain: Plain, team: dict[str, list[str]], hub: EmbeddedHub, tmp_path: Path
) -> None:
    plain("let-in", "keira", "ruth")
    plain("sync", *team[RUTH])
    assert "Nothing was changed" in plain("revoke", "ruth", typed="n\n", code=1).err
    plain("revoke", "ruth", "--yes")
    assert names(plain) == {"Alex Morgan": "lead"}
    assert "took this laptop out" in plain("sync", *team[RUTH], code=1).err

    invited = plain("laptop", "invite", "--for", "ruth", "--json").json()
    assert invited["name"] == RUTH
    vault = ["--vault", str(tmp_path / "new")]
    plain("init", "--name", RUTH, *vault)
    shown = plain("join", "--hub", hub.url, *vault, "--json", typed=" ".join(invited["words"])).json()["check_words"]
    assert "not the check words" in plain("laptop", "approve", *reversed(shown), code=1).err
    assert "Another laptop of Ruth Adeyemi is let in." in plain("laptop", "approve", *shown).out
    assert "In force: let Ruth Adeyemi in as co-worker." in plain("readmit", "ruth").out
    plain("sync", *vault)
    assert plain("timeline", "keira", *vault, "--json").json()["entries"][0]["said"] == "I actually slept."
    assert plain("readmit", "ruth", code=1).err.startswith("There is no casebook of yours")


def test_a_second_laptop_of_one_s_own_needs_no_administrator(
    plain: Plain, team: dict[str, list[str]], hub: EmbeddedHub, tmp_path: Path
) -> None:
    sam = team[SAM]
    plain("hand-over", "keira", "sam")
    plain("sync", *sam)
    words = plain("laptop", "invite", *sam, "--json").json()["words"]
    second = ["--vault", str(tmp_path / "second")]
    plain("init", "--name", SAM, *second)
    shown = plain("join", "--hub", hub.url, *second, "--json", typed=" ".join(words)).json()["check_words"]
    plain("laptop", "approve", *shown, *sam)
    plain("sync", *second)
    entries: list[Any] = plain("timeline", "keira", *second, "--json").json()["entries"]
    assert entries[0]["said"] == "I actually slept."
    assert "Only an administrator" in plain("laptop", "invite", "--for", "ruth", *sam, code=1).err
    assert "all 2 laptops" in plain("revoke", "sam", typed="n\n", code=1).err, "also when nothing was synced here since it joined"
    assert plain("revoke", "sam", code=1).err.endswith("There was no answer. Nothing was done.\n"), "and that is no fault of the program"
    assert "last laptop of your own" in plain("revoke", "alex", "--yes", code=1).err
    lost = " ".join(shown[:1])
    plain("revoke", "sam", "--laptop", lost, "--yes", *sam)
    assert plain("sync", *second, code=1).code == 1


def test_of_two_colleagues_of_one_name_a_check_word_says_whose_laptop_is_lost(
    plain: Plain, team: dict[str, list[str]], hub: EmbeddedHub, tmp_path: Path
) -> None:
    words = plain("invite", RUTH, "--team", "north", "--json").json()["words"]
    join(plain, hub, RUTH, tmp_path / "another", words)
    plain("sync")
    listed = [one for one in plain("devices", "--json").json()["devices"] if one["name"] == RUTH]
    asked = plain("revoke", "ruth", "--yes", code=1).err
    assert all(f"{RUTH} ({one['role']}, {one['check_words'][0]})" in asked for one in listed)
    lost = next(one for one in listed if one["role"] == "key worker")
    assert "No colleague is called" in plain("revoke", "ruth nonsense", "--yes", code=1).err
    plain("revoke", f"Ruth {lost['check_words'][0].upper()} {lost['check_words'][1]}", "--yes")
    assert [one["revoked"] for one in plain("devices", "--json").json()["devices"] if one["name"] == RUTH] == [False, True]
    assert "could be several" in plain("revoke", "ruth", "--yes", code=1).err, "who has left is asked about as well"
    plain("revoke", f"{RUTH} {listed[0]['check_words'][0]}", "--yes")


def test_what_can_only_be_handed_in_is_never_called_sent(plain: Plain, team: dict[str, list[str]]) -> None:
    sam = team[SAM]
    plain("let-in", "keira", "sam")
    plain("sync", *sam)
    plain("take-out", "keira", "sam")
    plain("note", "keira", "She rang me on my last day.", *sam)
    said = plain("sync", *sam).out
    assert "1 change in casebooks in which you may not write any more" in said
    assert "Everything is on the central store." not in said
    assert "“leadworker hand-in PERSON”" in plain("sync", "--quiet", *sam).err
    left = plain("sync", "--json", *sam).json()
    assert (left["waiting"], left["to_hand_in"]) == (0, 1)
    plain("hand-in", "keira", *sam)
    assert "Everything is on the central store, but for 1 change that was handed in." in plain("sync", *sam).out
    waits = "1 late submission waits for you to take in: “leadworker late”."
    assert waits in plain("sync").out and waits in plain("sync", "--quiet").err
    assert "Sam Iqbal about Keira" in plain("late").out
    assert "1 entry, “She rang me on my last day.”. Id" in plain("late").out


def test_nothing_is_said_to_be_handed_in_that_waits_for_a_network(plain: Plain, hub: EmbeddedHub, team: dict[str, list[str]]) -> None:
    """Something of the same casebook was handed in before; that is not what is asked about."""
    sam = team[SAM]
    plain("let-in", "keira", "sam")
    plain("sync", *sam)
    plain("take-out", "keira", "sam")
    plain("sync", *sam)
    plain("note", "keira", "The first", *sam)
    assert "Handed in to Alex Morgan." in plain("hand-in", "keira", *sam).out
    plain("note", "keira", "The second", *sam)
    hub.stop()
    said = plain("hand-in", "keira", *sam).out
    assert "It is handed in by the next sync that gets through." in said and "Handed in to" not in said


def test_an_administrator_says_what_a_colleague_is(plain: Plain, team: dict[str, list[str]]) -> None:
    answer = plain("appoint", "sam", "--role", "supervisor", "--team", "South", "--name", "Sam Iqbal-Wren", "--admin")
    assert answer.out == "Sam Iqbal-Wren is supervisor now, and an administrator.\n"
    plain("sync", *team[RUTH])
    found = {one["name"]: one for one in plain("devices", *team[RUTH], "--json").json()["devices"]}
    assert (found["Sam Iqbal-Wren"]["role"], found["Sam Iqbal-Wren"]["my_team"], found["Sam Iqbal-Wren"]["admin"]) == (
        "supervisor",
        False,
        True,
    )
    assert "Only an administrator" in plain("appoint", "sam", "--role", "manager", *team[RUTH], code=1).err
    assert "cannot both be" in plain("appoint", "sam", "--admin", "--not-admin", code=1).err


def test_a_supervisor_is_told_whom_she_supervises_and_not_that_they_are_on_her_caseload(plain: Plain, team: dict[str, list[str]]) -> None:
    ruth = team[RUTH]
    plain("let-in", "keira", "ruth", "--role", "supervisor")
    plain("sync", *ruth)
    said = plain("people", *ruth).out
    assert "Nobody is on your caseload.\n" in said and "You supervise the work with 1 more person; --all lists them too." in said
    assert "Supervised by you:\nKeira" in plain("people", "--all", *ruth).out
    assert "  Supervised by you." in plain("person", "keira", *ruth).out
    (listed,) = plain("people", "--all", *ruth, "--json").json()["people"]
    assert (listed["on_caseload"], listed["my_role"]) == (False, "supervisor")
    assert "  On your caseload." in plain("person", "keira").out, "it is her worker's"
    plain("let-in", "keira", "ruth", "--role", "co-worker")
    plain("sync", *ruth)
    assert "  On your caseload." in plain("person", "keira", *ruth).out
    plain("let-in", "keira", "ruth", "--role", "read-only")
    plain("sync", *ruth)
    assert "You can read about 1 more person; --all lists them too." in plain("people", *ruth).out
