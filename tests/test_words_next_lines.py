"""What was promised, by whom and by when, from the *next* lines of a note.

It is Tuesday 17 November 2026, 14:32, and Priya is writing.
"""

from __future__ import annotations

from datetime import date, datetime

import pytest

from leadworker.words.next_lines import Known, NextAction, read_next_lines

NOW = datetime(2026, 11, 17, 14, 32)
PEOPLE = (
    Known("priya", "Priya Nair"),
    Known("ruth", "Ruth Adeyemi"),
    Known("sam-p", "Sam Patel"),
    Known("sam-r", "Samuel Reed", ("Sam",)),
    Known("tyler", "Tyler Moss"),
)


def read(line: str) -> NextAction:
    (action,) = read_next_lines(line, NOW, PEOPLE, "priya")
    return action


def questions(line: str) -> list[str]:
    return [chip.text for chip in read(line).chips if not chip.certain]


def test_the_two_lines_of_the_sketch() -> None:
    first, second = read_next_lines("text @Tyler thu\n\nask ruth about december rota fri", NOW, PEOPLE, "priya")
    assert (first.text, first.owner, first.owner_is_me, first.due_on) == ("Text Tyler", "Priya Nair", True, date(2026, 11, 19))
    assert (second.text, second.owner_is_me, second.due_on) == ("Ask ruth about december rota", True, date(2026, 11, 20))
    assert ", ".join(chip.text for chip in first.chips) == "you, due Thu 19 Nov"
    assert (first.line, second.line) == (0, 2)


def test_whom_the_text_goes_to_does_not_own_it() -> None:
    action = read("text @Sam Patel thu")
    assert (action.owner_id, action.person_ids) == ("priya", ("sam-p",))


@pytest.mark.parametrize(
    "line",
    [
        "ruth: find out about the rota",
        "Ruth Adeyemi: find out about the rota",
        "@Ruth: find out about the rota",
        "find out about the rota by @Ruth",
        "find out about the rota (Ruth)",
        "find out about the rota (@Ruth)",
        "find out about the rota >Ruth",
        "find out about the rota -> ruth",
        "- find out about the rota >Ruth",
    ],
)
def test_an_owner_is_named_in_so_many_ways(line: str) -> None:
    action = read(line)
    assert (action.text, action.owner, action.owner_id) == ("Find out about the rota", "Ruth Adeyemi", "ruth")
    assert (action.owner_is_me, action.owner_certain) == (False, True)


def test_me_is_the_writer() -> None:
    for line in ("me: ring school", "priya: ring school", "ring school (me)", "ring school >Priya"):
        assert (read(line).text, read(line).owner_is_me, read(line).owner_certain) == ("Ring school", True, True), line


@pytest.mark.parametrize(
    "line",
    [
        "team: find a placement",
        "all: find a placement",
        "find a placement (team)",
        "find a placement >everyone",
        "we will find a placement",
        "everyone to find a placement",
        "ruth and tyler: find a placement",
    ],
)
def test_nothing_is_owned_by_the_team(line: str) -> None:
    action = read(line)
    assert (action.owner, action.owner_is_me, action.owner_certain) == ("Priya Nair", True, False)
    assert questions(line) == ["who?"]
    assert action.text.lower() == line.lower(), "the words stay until a person is named"


def test_an_owner_who_is_not_known_or_could_be_two_is_asked_for() -> None:
    assert (questions("@Zed: ring school"), read("@Zed: ring school").owner) == (["who is Zed?"], "Priya Nair")
    assert questions("school: ring about the bus") == ["who is school?"]
    assert (questions("sam: ring school"), read("sam: ring school").owner_id) == (["which Sam?"], "priya")


def test_ruth_to_ring_may_be_ruths_and_is_asked() -> None:
    action = read("Ruth to ring CAMHS tomorrow")
    assert (action.owner_is_me, action.owner_certain, action.text) == (True, False, "Ruth to ring CAMHS")
    assert questions("Ruth to ring CAMHS") == ["or Ruth Adeyemi?"]
    assert questions("get the form signed by @Ruth") == ["or Ruth Adeyemi?"]


def test_a_heading_is_not_an_owner() -> None:
    assert (read("urgent: ring CAMHS").owner_certain, read("urgent: ring CAMHS").text) == (True, "Urgent: ring CAMHS")
    assert read("meet at 4:30 about the rota").owner_certain


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("today", date(2026, 11, 17)),
        ("tomorrow", date(2026, 11, 18)),
        ("thu", date(2026, 11, 19)),
        ("by friday", date(2026, 11, 20)),
        ("this fri", date(2026, 11, 20)),
        ("next mon", date(2026, 11, 23)),
        ("fri next week", date(2026, 11, 27)),
        ("friday week", date(2026, 11, 27)),
        ("tomorrow week", date(2026, 11, 25)),
        ("in 2 weeks", date(2026, 12, 1)),
        ("in a fortnight", date(2026, 12, 1)),
        ("in ten days", date(2026, 11, 27)),
        ("in 3 months", date(2027, 2, 17)),
        ("in two weeks' time", date(2026, 12, 1)),
        ("20 nov", date(2026, 11, 20)),
        ("20/11", date(2026, 11, 20)),
        ("by the 24th", date(2026, 11, 24)),
        ("5 jan", date(2027, 1, 5)),
        ("end of month", date(2026, 11, 30)),
        ("by the end of the week", date(2026, 11, 20)),
        ("end of january", date(2027, 1, 31)),
        ("2026-12-01", date(2026, 12, 1)),
    ],
)
def test_an_action_looks_forward(said: str, day: date) -> None:
    assert (read(f"ring school {said}").due_on, read(f"ring school {said}").text) == (day, "Ring school")


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("tue", date(2026, 11, 24)),  # today's own name: today, or in a week?
        ("next thu", date(2026, 11, 26)),  # this week's or next week's?
        ("next week", date(2026, 11, 27)),
        ("for friday", date(2026, 11, 20)),
        ("before fri", date(2026, 11, 19)),
        ("in 5 working days", date(2026, 11, 24)),
        ("10 nov", date(2027, 11, 10)),
    ],
)
def test_a_day_that_could_be_another_is_asked_and_its_words_stay(said: str, day: date) -> None:
    line = f"ring school {said}"
    assert read(line).due_on == day
    assert len(questions(line)) == 1
    assert read(line).text == f"Ring school {said}"


@pytest.mark.parametrize("said", ["asap", "thrusday", "31 feb", "at the weekend", "mon or tue"])
def test_a_day_that_cannot_be_read_is_asked(said: str) -> None:
    assert (read(f"ring school {said}").due_on, questions(f"ring school {said}")) == (None, ["what day?"])


def test_what_an_action_is_about_is_not_when_it_is_due() -> None:
    assert read("prepare for friday's session").due_on is None
    assert read("tell ruth about yesterday").due_on is None
    assert read("ask about thursday sessions mon").due_on == date(2026, 11, 23)
    assert read("cover until fri").due_on is None
    assert questions("check friday bus") == ["due Fri 20 Nov?"]


def test_a_day_that_is_past_is_asked_about() -> None:
    assert questions("send report 13/11/2026") == ["in the past?"]


def test_the_words_stay_whole_where_a_due_day_cannot_hold_them() -> None:
    assert read("ring mum monday morning").text == "Ring mum monday morning"
    assert read("ring school 10am fri").text == "Ring school 10am"
    assert read("visit @tyler's nan in 2 weeks").text == "Visit Tyler's nan"
    assert read("fri").text == "Fri"


def test_bullets_and_boxes_are_not_words() -> None:
    for bullet in ("- ", "* ", "• ", "1. ", "[ ] ", "- [ ] "):
        assert read(f"{bullet}ring school fri").text == "Ring school"


def test_a_writer_who_is_not_among_the_people_still_has_a_name() -> None:
    (action,) = read_next_lines("ring school", NOW, (), "Priya Nair")
    assert (action.owner, action.owner_id, action.owner_is_me) == ("Priya Nair", "", True)


def test_a_mention_that_fits_nobody_or_two_is_asked_about() -> None:
    assert questions("text @Zed fri") == ["who is Zed?"]
    assert questions("text @Sam fri") == ["which Sam?"]


def test_blank_lines_are_no_actions_and_endless_ones_are_cut() -> None:
    assert read_next_lines(" \n\n\t\n", NOW, PEOPLE, "priya") == ()
    assert len(read_next_lines("ring school\n" * 100_000, NOW, PEOPLE, "priya")) == 200
    (long,) = read_next_lines("ring " + "x" * 1_000_000, NOW, PEOPLE, "priya")
    assert 31_000 < len(long.text) < 33_000


# Colleagues


STAFF = (*PEOPLE, Known("Priya Nair", "Priya Nair", colleague=True), Known("t", "Tom Baker", colleague=True))


def of_staff(line: str) -> NextAction:
    (action,) = read_next_lines(line, NOW, tuple(one for one in STAFF if one.id != "priya"), "Priya Nair")
    return action


@pytest.mark.parametrize(
    "line",
    [
        "ring school thu @Tom",
        "ring school @Tom thu",
        "ring school by @Tom thu",
        "Tom to ring school thu",
        "tom: ring school thu",
        "ring school thu (Tom)",
        "ring school thu >Tom",
    ],
)
def test_a_colleague_owns_what_is_given_to_them(line: str) -> None:
    action = of_staff(line)
    assert (action.text, action.owner, action.owner_is_me, action.owner_certain) == ("Ring school", "Tom Baker", False, True)
    assert action.owner_id == "", "a colleague is no record of their own"
    assert [chip.text for chip in action.chips] == ["Tom Baker", "due Thu 19 Nov"]


@pytest.mark.parametrize(
    "line",
    [
        "text @Tom thu",
        "speak with @Tom",
        "ring mum and @Tom",
        "ring @Tom about school",
        "go to mum and by @Tom's house",
        "ring school @Priya",
        "Priya to ring",
    ],
)
def test_a_colleague_who_is_talked_to_does_not_own_it(line: str) -> None:
    action = of_staff(line)
    assert (action.owner_is_me, action.owner_certain, action.owner_id) == (True, True, "")


def test_of_somebody_written_down_it_is_still_asked() -> None:
    assert "or Tyler Moss?" in [chip.text for chip in of_staff("Tyler to ring school").chips]
    assert "which Tom?" in [
        chip.text for chip in read_next_lines("ring (tom)", NOW, (*STAFF, Known("x", "Tom Reed")), "Priya Nair")[0].chips
    ]
