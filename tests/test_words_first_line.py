"""What a worker means by the first line of a note, as they would say it themselves.

It is Tuesday 17 November 2026, 14:32, in every line that follows.
"""

from __future__ import annotations

from datetime import date, datetime, time

import pytest

from leadworker.words.first_line import FirstLine, Known, read_first_line
from leadworker.words.kinds import EntryKind

NOW = datetime(2026, 11, 17, 14, 32)
PEOPLE = (
    Known("keira", "Keira Okafor-Lane", ("Kiki",)),
    Known("sam-p", "Sam Patel"),
    Known("sam-r", "Samuel Reed", ("Sam",)),
    Known("tyler", "Tyler Moss"),
    Known("ruth", "Ruth Adeyemi"),
    Known("aine", "Áine Ní Bhroin"),
)


def read(line: str, default_person: str = "") -> FirstLine:
    return read_first_line(line, NOW, PEOPLE, default_person)


def chips(line: str) -> list[str]:
    return [chip.text for chip in read(line).chips]


def questions(line: str) -> list[str]:
    return [chip.text for chip in read(line).chips if not chip.certain]


def test_a_visit_is_read_whole_from_one_line() -> None:
    line = "visit @Keira home yesterday 4pm 50 min"
    said = read(line)
    assert (said.kind, said.person_ids, said.place) == (EntryKind.visit, ("keira",), "home")
    assert (said.day, said.at, said.minutes, said.rest) == (date(2026, 11, 16), time(16), 50, "")
    assert chips(line) == ["Visit", "yesterday 16:00", "50 min", "home", "Keira Okafor-Lane"]
    assert said.when_certain and read("visit").when_certain
    assert [line[span.start : span.end] for span in said.spans] == ["visit", "@Keira", "home", "yesterday", "4pm", "50 min"]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("rang mum", "phone"),
        ("tel 20m mum+Jay", "phone"),
        ("t/c from mum", "phone"),
        ("missed call from @Tyler", "phone"),
        ("texted @Keira", "text_message"),
        ("WhatsApp to @Keira", "text_message"),
        ("email to school re exclusion", "email"),
        ("wrote to housing", "letter"),
        ("facetime @Keira", "video"),
        ("HV @Keira", "visit"),
        ("joint visit with @Ruth", "visit"),
        ("core group at school", "meeting"),
        ("office appointment @Tyler", "office"),
        ("school @Keira 2pm", "school"),
        ("court @Tyler 10am", "court"),
        ("duty desk, nan came in", "duty"),
        ("1:1 @Tyler", "direct_work"),
        ("observation @Keira", "observation"),
        ("consult with CAMHS", "consultation"),
        ("paperwork", "admin"),
        ("note: moved to her nan's", "note"),
        ("quick call with mum about school letter", "phone"),
        ("mum rang re bus pass", "phone"),
        ("long chat about the school letter", None),
        ("a dog called Max", None),
        ("talked about court, visit next", None),
        ("@Tyler said mum rang", None),
    ],
)
def test_the_kind_is_said_in_the_workers_own_word(line: str, kind: str | None) -> None:
    assert read(line).kind == kind


def test_words_that_only_begin_like_a_kind_are_a_question() -> None:
    assert questions("school report received") == ["School?"]
    assert questions("met @Tyler this morning") == ["Meeting?"]
    assert read("school report received").rest == "school report received"


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("today", date(2026, 11, 17)),
        ("yesterday", date(2026, 11, 16)),
        ("this morning", date(2026, 11, 17)),
        ("last night", date(2026, 11, 16)),
        ("fri", date(2026, 11, 13)),
        ("tue", date(2026, 11, 17)),
        ("last tues", date(2026, 11, 10)),
        ("wednesday", date(2026, 11, 11)),
        ("last week on thursday", date(2026, 11, 12)),
        ("2 days ago", date(2026, 11, 15)),
        ("a week ago", date(2026, 11, 10)),
        ("a fortnight ago", date(2026, 11, 3)),
        ("the day before yesterday", date(2026, 11, 15)),
        ("14 nov", date(2026, 11, 14)),
        ("14th of November", date(2026, 11, 14)),
        ("Nov 14", date(2026, 11, 14)),
        ("Saturday 14 Nov", date(2026, 11, 14)),
        ("14/11", date(2026, 11, 14)),
        ("3/11/26", date(2026, 11, 3)),
        ("3.11.2026", date(2026, 11, 3)),
        ("2026-11-14", date(2026, 11, 14)),
        ("on the 14th", date(2026, 11, 14)),
        ("fri 13th", date(2026, 11, 13)),
        ("1 Jan", date(2026, 1, 1)),
        ("28 dec 2025", date(2025, 12, 28)),
    ],
)
def test_a_note_looks_back(said: str, day: date) -> None:
    assert read(f"visit @Keira {said}").day == day
    assert questions(f"visit @Keira {said}") == []


def test_a_date_without_its_year_is_the_last_such_day_when_it_was_lately() -> None:
    in_january = read_first_line("visit 28 dec", datetime(2027, 1, 4, 9), PEOPLE)
    assert in_january.day == date(2026, 12, 28)


@pytest.mark.parametrize("said", ["tomorrow", "20 nov", "next week on monday", "25/12", "21/11/2026"])
def test_a_day_to_come_is_kept_but_asked_about(said: str) -> None:
    assert "in the future?" in questions(f"visit @Keira {said}")
    assert read(f"visit @Keira {said}").day is not None


def test_a_time_later_today_is_asked_about_too() -> None:
    assert questions("visit @Keira today 4pm") == ["in the future?"]
    assert questions("visit @Keira today 2pm 50 min") == []


@pytest.mark.parametrize("said", ["thrusday", "31 feb", "11/14", "mon or tue", "last week", "the other day", "at the weekend"])
def test_a_day_that_cannot_be_read_is_a_question_and_its_words_stay(said: str) -> None:
    line = read(f"visit @Keira {said}")
    assert line.day is None
    assert questions(f"visit @Keira {said}") == ["what day?"]
    assert said in line.rest
    assert not line.when_certain, "it must not be kept as if it were known"


def test_a_weekday_that_does_not_fit_its_date_is_a_question() -> None:
    assert questions("visit @Keira fri 14 nov") == ["Sat 14 Nov?"]


@pytest.mark.parametrize("line", ["@Keira said 6/10", "in bed 24/7", "ate 1/2", "sorry about friday", "@Keira loved Friday's session"])
def test_scores_halves_and_days_that_are_only_talked_about_are_no_dates(line: str) -> None:
    assert read(line).day is None
    assert questions(line) == []


def test_sat_with_mum_is_not_saturday() -> None:
    assert read("visit @Keira today 2pm sat with mum").day == date(2026, 11, 17)
    assert "what day?" in questions("visit @Keira sat with mum")


def test_when_two_days_are_said_the_surer_one_is_taken_and_a_toss_up_is_a_question() -> None:
    assert read("call mum re court thursday yesterday").day == date(2026, 11, 16)
    assert questions("call mum thu or so, maybe wed") != []


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("4pm", time(16)),
        ("4.30pm", time(16, 30)),
        ("4:30 p.m.", time(16, 30)),
        ("16:00", time(16)),
        ("16.30", time(16, 30)),
        ("at 1600", time(16)),
        ("9:15", time(9, 15)),
        ("04:30", time(4, 30)),
        ("noon", time(12)),
        ("12pm", time(12)),
        ("12am", time(0)),
        ("half past four pm", time(16, 30)),
        ("quarter to 3pm", time(14, 45)),
    ],
)
def test_a_time_is_read_as_it_is_said(said: str, at: time) -> None:
    assert read(f"visit @Keira yesterday {said}").at == at
    assert questions(f"visit @Keira yesterday {said}") == []


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("half four", time(16, 30)),
        ("4.30", time(16, 30)),
        ("at 4", time(16)),
        ("half nine", time(9, 30)),
        ("ten past two", time(14, 10)),
    ],
)
def test_morning_or_afternoon_is_taken_within_working_hours_and_asked(said: str, at: time) -> None:
    line = f"visit @Keira yesterday {said}"
    assert read(line).at == at
    assert questions(line) == [f"yesterday {at:%H:%M}?"]
    assert said in read(line).rest


def test_the_part_of_the_day_settles_it() -> None:
    assert (read("hv yesterday afternoon half four").at, questions("hv yesterday afternoon half four")) == (time(16, 30), [])
    assert read("call last night at 8").at == time(20)
    assert chips("call @Tyler last night")[1] == "last night"
    assert read("visit yesterday morning").part_of_day == "morning"


def test_from_when_to_when_gives_the_length() -> None:
    said = read("core group 14/11 10:00-11:30")
    assert (said.at, said.minutes, said.rest) == (time(10), 90, "core group")
    assert (read("2-3pm meeting yesterday").at, read("2-3pm meeting").minutes) == (time(14), 60)
    assert read("meeting 11-1pm yesterday").at == time(11)


def test_a_time_without_a_day_is_today_unless_it_is_still_to_come() -> None:
    assert read("call @Tyler 2pm").day == date(2026, 11, 17)
    assert read("call @Tyler 5pm").day is None
    assert questions("call @Tyler 5pm") == ["what day?"]


def test_minutes_ago_say_both_day_and_time() -> None:
    said = read("missed call from @Tyler 20 min ago")
    assert (said.day, said.at, said.about, said.minutes) == (date(2026, 11, 17), time(14, 12), True, None)


@pytest.mark.parametrize("line", ["visit yesterday curfew 7pm", "mum out until 5pm", "£4.30 bus fare", "at 14 Fen Court", "3 of us"])
def test_figures_that_are_no_times_are_left_alone(line: str) -> None:
    assert read(line).at is None


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("50 min", 50),
        ("50mins", 50),
        ("90m", 90),
        ("1h", 60),
        ("1 h 20", 80),
        ("1hr 20 mins", 80),
        ("1.5 hours", 90),
        ("1½h", 90),
        ("an hour", 60),
        ("half an hour", 30),
        ("an hour and a half", 90),
        ("two hours", 120),
        ("forty five minutes", 45),
        ("for about an hour", 60),
    ],
)
def test_a_length_is_read_as_it_is_said(said: str, minutes: int) -> None:
    assert (read(f"visit @Keira {said}").minutes, read(f"visit @Keira {said}").rest) == (minutes, "")


def test_late_by_twenty_minutes_is_not_a_visit_of_twenty_minutes() -> None:
    assert read("@Tyler office 20 min late").minutes is None
    assert questions("visit 2000 min") == ["how long?"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("visit @Keira home", "home"),
        ("hv @Keira", "home"),
        ("visit @Keira at home with mum", "home"),
        ("meeting school fri", "school"),
        ("1-1 with @Tyler in school", "school"),
        ("direct work in the car, 40 min", "car"),
        ("visit @Keira at 14 Fen Court with mum", "14 Fen Court"),
        ("met @Keira at McDonald's yesterday", "McDonald's"),
        ("visit to @Keira’s home", "home"),
        ("@Keira not at home", ""),
        ("rang school", ""),
        ("visit @Keira school refusing", ""),
        ("visit @Keira home conditions poor", ""),
        ("looked at drawings with @Keira", ""),
        ("@Keira at risk", ""),
    ],
)
def test_the_place_is_where_it_happened(line: str, place: str) -> None:
    assert read(line).place == place


def test_home_before_other_words_is_likely_but_asked() -> None:
    assert questions("visit @Keira home mum upset") == ["home?"]
    assert read("visit @Keira home mum upset").rest == "home mum upset"


def test_a_name_that_fits_nobody_stays_a_question() -> None:
    said = read("visit @Zed home", default_person="keira")
    assert (said.unknown_names, said.person_ids) == (("Zed",), ("keira",))
    assert "who is Zed?" in questions("visit @Zed home")
    assert said.rest == "Zed"


def test_the_beginning_of_a_name_is_nobody_yet() -> None:
    assert read("visit @Kei").person_ids == ()


def test_a_name_that_fits_two_is_never_decided_for_the_worker() -> None:
    said = read("call @Sam 2pm")
    assert said.person_ids == ()
    assert said.ambiguous == (("Sam", ("sam-p", "sam-r")),)
    assert questions("call @Sam 2pm") == ["which Sam?"]
    assert read("call @Sam Patel 2pm").person_ids == ("sam-p",)


def test_people_are_found_by_any_name_they_go_by() -> None:
    for name in ("keira", "KEIRA", "Kiki", "Okafor-Lane", "Keira Okafor-Lane", "keira lane"):
        assert read(f"visit @{name} home").person_ids == ("keira",), name
    assert read("visit @aine").person_ids == ("aine",)
    assert read("visit @Keira and @Tyler, @Keira").person_ids == ("keira", "tyler")


def test_an_address_with_an_at_sign_names_nobody() -> None:
    assert read("email keira@example.org").unknown_names == ()


def test_whoever_is_on_screen_is_meant_when_nobody_is_named() -> None:
    said = read("visit home today 2pm", default_person="tyler")
    assert said.person_ids == ("tyler",)
    assert said.chips[-1].text == "Tyler Moss"
    assert read("visit @Keira", default_person="tyler").person_ids == ("keira",)


def test_what_was_not_understood_reads_as_a_title() -> None:
    assert read("@Keira rang this morning about bus pass").rest == "about bus pass"
    assert read("talked to @Tyler about court 3 days ago").rest == "talked to Tyler about court"
    assert read("visit home, kitchen talk, mum in, 3pm, calmer").rest == "kitchen talk, mum in, calmer"
    assert read("visit with @Ruth to @Keira home (seen alone)").rest == "(seen alone)"
    assert read("email to school re exclusion").rest == "to school re exclusion"


def test_an_empty_line_says_nothing_and_asks_nothing() -> None:
    assert read("") == FirstLine() == read("   ")


def test_hostile_letters_are_left_out_of_what_is_given_back() -> None:
    said = read("visit @Z\x1b[31med at the\u202e \x9bpark\x07 [/nope] \x1b]52;c;aGk=\x07")
    given = said.rest + said.place + "".join(said.unknown_names) + "".join(chip.text for chip in said.chips)
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 or letter == "\u202e" for letter in given)


def test_a_very_long_line_is_read_at_its_beginning_and_kept_within_a_field() -> None:
    said = read("visit @Keira home " + "word " * 250_000 + "yesterday")
    assert (said.kind, said.place, said.day) == (EntryKind.visit, "home", None)
    assert 31_000 < len(said.rest) < 33_000
    assert all(span.end <= 400 for span in said.spans)
