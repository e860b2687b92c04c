"""The plain path for people, the day and what was promised: every task of the screens in words, and as data."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from leadworker.domain import caseload
from leadworker.domain.actions import Action
from leadworker.shelf import Shelf
from tests.plain_world import Plain, empty, plain, template

__all__ = ["empty", "plain", "template"]


def test_today_says_what_needs_me(plain: Plain) -> None:
    answer = plain("today")

    assert "No visits today." in answer.out
    assert "Ring the clinic about the wait, Keira Okafor-Lane, you, 2 days late." in answer.out
    assert "bus pass" not in answer.out, "that is somebody else's to do"
    assert answer.err == ""


def test_today_shows_a_visit_with_what_to_know_at_the_door(plain: Plain) -> None:
    now = datetime.now().astimezone()
    soon = now + timedelta(minutes=1) if (now + timedelta(minutes=1)).date() == now.date() else now
    plain("visit", "Keira", soon.isoformat(timespec="minutes"), "--place", "home", "--note", "Take the form.", "--minutes", "45")
    answer = plain("today", "--json").json()

    (visit,) = answer["visits"]
    assert (visit["person"], visit["place"], visit["minutes"], visit["note"]) == ("Keira Okafor-Lane", "home", 45, "Take the form.")
    assert [line["kind"] for line in visit["door"]] == ["alert", "access"]
    assert datetime.fromisoformat(visit["starts"]) == soon.replace(second=0, microsecond=0)


def test_the_brief_has_alerts_and_access_notes_in_full(plain: Plain) -> None:
    answer = plain("brief", "keira")

    for words in (
        "Keira Okafor-Lane, about 15, also Kay, she/her.",
        "Talking: Short texts, no letters. Give her time to answer.",
        "Alert: Dog in the hall. Ring first.",
        "Access: Side gate. Buzzer broken.",
        "Mobile: 07700 900118 (hers)",
        "Next visit:",
        "Bring the bus pass form, Sam Reyes, no day named.",
        "Said: I actually slept.",
    ):
        assert words in answer.out


def test_a_person_is_found_by_another_name_or_by_the_beginning(plain: Plain) -> None:
    assert plain("brief", "kay", "--json").json()["person"]["name"] == "Keira Okafor-Lane"
    assert plain("brief", "Keira", "Lane", "--json").json()["person"]["name"] == "Keira Okafor-Lane"


def test_a_name_that_fits_nobody_says_who_comes_near(plain: Plain) -> None:
    answer = plain("brief", "kiera", code=1)

    assert answer.err == "Nobody here is called “kiera”. Near: Keira Okafor-Lane.\n"
    assert answer.out == ""


def test_a_name_that_fits_several_names_them(plain: Plain) -> None:
    plain("people", "add", "Sam Okafor")
    answer = plain("brief", "sam", "--json", code=1)

    assert answer.trouble()["error"] == "ambiguous"
    assert "Sam Okafor, Sam Reyes" in answer.trouble()["sentence"]


def test_everything_that_a_form_can_change_a_command_can_change(plain: Plain) -> None:
    plain(
        "person", "yusuf", "--name", "Yusuf Ali Demir", "--born", "3 May 2010", "--pronouns", "he/him", "--lives-at", "Harbour House",
        "--talking", "Turkish at home.", "--known-as", "Yus", "--known-as", "YD", "--contact", "email", "yusuf@example.org",
        "--label", "school", "--identifier", "NHS", "943 476 5919",
    )  # fmt: skip
    person = plain("person", "yus", "--json").json()

    assert person["name"] == "Yusuf Ali Demir"
    assert (person["born_on"], person["age_about"], person["pronouns"]) == ("2010-05-03", 0, "he/him")
    assert (person["lives_at"], person["talking"]) == ("Harbour House", "Turkish at home.")
    assert [name["name"] for name in person["known_as"]] == ["Yus", "YD"]
    assert [(c["kind"], c["value"], c["label"]) for c in person["contacts"]] == [("email", "yusuf@example.org", "school")]
    assert [(i["scheme"], i["value"]) for i in person["identifiers"]] == [("NHS", "943 476 5919")]


def test_an_empty_value_takes_a_fact_away(plain: Plain) -> None:
    plain("person", "keira", "--lives-at", "", "--born", "")
    person = plain("person", "keira", "--json").json()

    assert (person["lives_at"], person["born_on"], person["age_about"]) == ("", "", 0)
    assert person["talking"], "what was not named stays"


def test_what_was_taken_away_can_be_brought_back(plain: Plain) -> None:
    contact = plain("person", "keira", "--json").json()["contacts"][0]["id"]

    assert plain("person", "keira", "--take-away", contact[-8:], "--json").json()["contacts"] == []
    assert len(plain("person", "keira", "--bring-back", contact[-8:], "--json").json()["contacts"]) == 1


def test_nothing_is_taken_from_somebody_else(plain: Plain) -> None:
    contact = plain("person", "keira", "--json").json()["contacts"][0]["id"]

    assert "somebody else" in plain("person", "yusuf", "--take-away", contact, code=1).err
    assert len(plain("person", "keira", "--json").json()["contacts"]) == 1


def test_a_second_person_of_the_same_name_is_asked_about_first(plain: Plain) -> None:
    refused = plain("people", "add", "keira OKAFOR lane", code=1)

    assert "already Keira Okafor-Lane" in refused.err
    assert len(plain("people", "--all", "--json").json()["people"]) == 3
    assert plain("people", "add", "keira OKAFOR lane", "--anyway").out == "keira OKAFOR lane is written down.\n"
    ids = [one["id"] for one in plain("people", "--json").json()["people"] if "okafor" in one["name"].casefold()]
    asked = plain("timeline", "keira okafor lane", code=1).err
    assert all(f"(id {one[-8:]})" in asked for one in ids), "the name alone leads to neither of the two"
    for called in (ids[1], ids[1][-8:], ids[1][-8:].upper()):
        assert plain("timeline", called, "--json").json()["person_id"] == ids[1]
    assert len(plain("people", "--all", "--json").json()["people"]) == 4


def test_people_are_the_caseload_and_the_others_only_when_asked_for(plain: Plain) -> None:
    assert "Sam Reyes" not in plain("people").out
    assert "1 more person is written down" in plain("people").out
    assert "Sam Reyes" in plain("people", "--all").out

    plain("person", "sam", "--begin-work")
    assert "Sam Reyes" in plain("people").out


def test_an_empty_vault_says_how_to_begin(empty: Plain) -> None:
    empty("init", "--name", "Ruth Adeyemi")

    assert "“leadworker people add NAME” writes down the first person." in empty("people").out
    assert "Nothing is due." in empty("today").out


def test_an_alert_is_raised_and_ended_with_its_reason(plain: Plain) -> None:
    raised = plain("alert", "yusuf", "Two workers at every visit.", "--json").json()
    assert "Two workers at every visit." in plain("brief", "yusuf").out

    refused = plain("alert", "--end", raised["id"][-8:], code=1)
    assert "It is still on." in refused.err
    plain("alert", "--end", raised["id"][-8:], "--because", "Risk assessment of today, says Ruth.")
    assert "Two workers" not in plain("brief", "yusuf").out


def test_a_visit_is_moved_and_cancelled_and_stays_in_the_record(plain: Plain) -> None:
    (visit,) = plain("visits", "--json").json()["visits"]
    day = (datetime.now() + timedelta(days=2)).strftime("%Y-%m-%dT15:30")
    plain("visits", "move", visit["id"][-8:], day)
    (moved,) = plain("visits", "--json").json()["visits"]
    assert moved["starts"].startswith(day)

    plain("visits", "cancel", visit["id"][-8:])
    assert plain("visits").out == "There are no visits in the diary.\n"
    (kept,) = plain("visits", "--person", "keira", "--json").json()["visits"]
    assert kept["state"] == "cancelled"


@pytest.mark.parametrize("words", ["tomorrow", "3.30pm on the 31st of February", "soon"])
def test_a_visit_without_a_day_or_a_time_is_asked_for_in_words(plain: Plain, words: str) -> None:
    before = plain.digest()
    answer = plain("visit", "keira", *words.split(), code=1)

    assert "Nothing was saved." in answer.err
    assert plain.digest() == before


def test_actions_are_ticked_and_opened_again_by_the_end_of_their_id(plain: Plain) -> None:
    (action,) = plain("actions", "--json").json()["actions"]
    short = action["id"][-8:]

    assert plain("done", short).out.startswith("Done: Ring the clinic about the wait.")
    assert plain("actions").out == "Nothing is open.\n"
    done = plain("actions", "--person", "keira", "--done", "--json").json()["actions"]
    assert [(one["text"], bool(one["done_on"]), one["done_by"]) for one in done if one["done_on"]] == [
        ("Ring the clinic about the wait", True, "Alex Morgan")
    ]
    plain("reopen", short)
    assert "Ring the clinic" in plain("actions").out


def test_a_list_shows_the_ids_that_commands_take(plain: Plain) -> None:
    (action,) = plain("actions", "--json").json()["actions"]

    assert f"Id {action['id'][-8:]}." in plain("actions").out


@pytest.mark.parametrize("given", ["ffffffff", "zz", "", "0"])
def test_an_id_that_is_none_is_said_in_words(plain: Plain, given: str) -> None:
    answer = plain("done", given, "--json", code=1)

    assert answer.trouble()["error"] == "not_found"
    assert "Nothing was changed." in answer.trouble()["sentence"]


def test_an_id_that_fits_two_asks_for_more_digits(plain: Plain) -> None:
    def two(shelf: Shelf) -> None:
        keira = caseload.resolve(shelf, "Keira").id
        for first in "ab":
            shelf.add(
                Action, keira, record_id=first * 24 + "12345678", person_id=keira, text=f"Ring {first}", owner="Alex Morgan", mine=True
            )

    vault = plain.open()
    vault.write(two).result()
    vault.close()

    assert "Write more of its digits." in plain("done", "12345678", code=1).err
    assert plain("done", "b12345678").out.startswith("Done: Ring b.")


def test_the_vault_may_be_named_before_or_after_the_command(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWORKER_VAULT")
    monkeypatch.delenv("LEADWORKER_PASSPHRASE_FILE")
    given = ["--vault", str(plain.folder), "--passphrase-file", str(plain.passphrase_file)]

    before = plain(*given, "people", "--json")
    after = plain("people", "--json", *given)
    inside = plain("people", *given, "add", "Noah Pryce")
    assert before.json() == after.json()
    assert inside.out == "Noah Pryce is written down.\n"
