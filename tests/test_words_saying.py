"""How days, visits, lengths and ages are said: the way people say them, and never more exactly than is known."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from leadworker.words.dates import Born, age_words, read_born, say_born
from leadworker.words.saying import (
    initials,
    say_count,
    say_day,
    say_due,
    say_length,
    say_time,
    say_visit,
)

TODAY = date(2025, 11, 18)  # a Tuesday
NOW = datetime(2025, 11, 18, 14, 32, 40)


def test_near_days_have_names_and_others_their_date() -> None:
    assert [say_day(TODAY + timedelta(days=n), TODAY) for n in (-1, 0, 1, 2)] == ["yesterday", "today", "tomorrow", "Thu 20 Nov"]
    assert say_day(date(2024, 11, 20), TODAY) == "Wed 20 Nov 2024"


def test_late_is_said_as_late_never_as_a_bare_date() -> None:
    said = [say_due(TODAY + timedelta(days=n), TODAY) for n in (-3, -1, 0, 1, 2)]
    assert said == ["3 days late", "1 day late", "today", "tomorrow", "Thu 20 Nov"]
    assert say_due(date(2021, 1, 1), TODAY) == "1,782 days late"


def test_a_visit_says_how_soon_and_what_is_left_to_do() -> None:
    def at(hour: int, minute: int, day: int = 18) -> datetime:
        return datetime(2025, 11, day, hour, minute)

    assert say_visit(at(15, 30), at(16, 20), NOW, written_up=False) == "in 58 min"
    assert say_visit(at(17, 0), at(18, 0), NOW, written_up=False) == "in 2 h 28"
    assert say_visit(at(14, 0), at(15, 0), NOW, written_up=False) == "now"
    assert say_visit(at(14, 32), at(15, 0), NOW, written_up=False) == "now"
    assert say_visit(at(13, 0), at(14, 0), NOW, written_up=False) == "ended, not written up"
    assert say_visit(at(13, 0), at(14, 0), NOW, written_up=True) == "written up"
    assert say_visit(at(9, 0, day=20), at(10, 0, day=20), NOW, written_up=False) == "Thu 20 Nov 09:00"
    assert say_visit(at(13, 0), None, NOW, written_up=False) == "ended, not written up"
    assert say_visit(at(14, 0), None, NOW.astimezone(), written_up=False) == "now"


def test_a_time_is_said_as_the_writers_clock_showed_it() -> None:
    assert say_time(datetime(2025, 11, 18, 14, 3), NOW) == "14:03"
    assert say_time(datetime(2025, 11, 17, 17, 2), NOW) == "yesterday 17:02"
    assert say_time(datetime(2025, 11, 14, 9, 12), NOW) == "Fri 14 Nov 09:12"
    abroad = datetime(2025, 11, 18, 9, 0, tzinfo=timezone(timedelta(hours=5)))
    assert say_time(abroad, NOW.astimezone()) == "09:00"


def test_lengths_counts_and_initials() -> None:
    assert [say_length(n) for n in (50, 60, 148, 0)] == ["50 min", "1 h", "2 h 28", "0 min"]
    assert [say_count(n, "comment", "comments") for n in (0, 1, 2)] == ["0 comments", "1 comment", "2 comments"]
    assert [initials(name) for name in ("Keira Okafor-Lane", "sam", "Áine Ní Bhroin", "", "(Mr) ‘O’")] == [
        "KOL", "S", "ÁNB", "", "MO",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "born_on"),
    [
        ("3 May 2011", "2011-05-03"),
        ("3rd of May 2011", "2011-05-03"),
        ("May 3, 2011", "2011-05-03"),
        ("3/5/2011", "2011-05-03"),
        ("3.5.2011", "2011-05-03"),
        ("dob 3-5-2011", "2011-05-03"),
        ("2011-05-03", "2011-05-03"),
        ("May 2011", "2011-05"),
        ("5/2011", "2011-05"),
        ("2011", "2011"),
        ("born 2011", "2011"),
    ],
)
def test_a_birth_is_kept_as_far_as_it_is_known(typed: str, born_on: str) -> None:
    assert read_born(typed) == Born(born_on)


@pytest.mark.parametrize(
    ("typed", "age"),
    [
        ("about 14", 14),
        ("14ish", 14),
        ("14", 14),
        ("14?", 14),
        ("14 or 15", 14),
        ("aged 14", 14),
        ("14 yrs old", 14),
        ("nearly 16", 15),
    ],
)
def test_an_age_is_kept_as_an_age(typed: str, age: int) -> None:
    assert read_born(typed) == Born("", age)


@pytest.mark.parametrize("typed", ["", "unknown", "31/2/2011", "12/31/2011", "2011-13", "200", "0", "teenager", "3 May", "x" * 1000])
def test_what_is_no_birth_is_not_made_into_one(typed: str) -> None:
    assert read_born(typed, TODAY) is None


def test_two_digits_need_today_to_know_the_century() -> None:
    assert read_born("3/5/11") is None
    assert read_born("3/5/11", TODAY) == Born("2011-05-03")
    assert read_born("3/5/58", TODAY) == Born("1958-05-03")
    assert read_born("3 May 2111", TODAY) is None


def test_a_babys_months_give_the_year_where_they_can() -> None:
    assert read_born("7 months", TODAY) == Born("2025")
    assert read_born("10 months", TODAY) is None, "it may be either of two years"


@pytest.mark.parametrize(
    ("born_on", "age_about", "said_on", "words"),
    [
        ("2010-05-03", None, "", "15"),
        ("2010-11-19", None, "", "14"),
        ("2010-11-18", None, "", "15"),
        ("2010-11", None, "", "14 or 15"),
        ("2010", None, "", "14 or 15"),
        ("2025-04-10", None, "", "7 months"),
        ("2024-12-25", None, "", "10 months"),
        ("2025-04", None, "", "6 or 7 months"),
        ("2025-11-09", None, "", "9 days"),
        ("2025-10-20", None, "", "4 weeks"),
        ("2025", None, "", "under 1"),
        ("2024", None, "", "under 2"),
        ("", 14, "", "about 14"),
        ("", 14, "2025-03-10", "about 14"),
        ("", 14, "2024-03-10", "about 15 (said 14 in March 2024)"),
        ("", 14, "2021-03-10", "about 18 (said 14 in March 2021)"),
        ("", 14, "no date", "about 14"),
        ("", None, "", ""),
        ("", 0, "", ""),
        ("not a date", None, "", ""),
        ("3000000000", None, "", ""),
        ("2026-01-01", None, "", ""),
        ("2010-05-03", 12, "2024-01-01", "15"),
    ],
)
def test_an_age_is_never_more_exact_than_what_is_known(born_on: str, age_about: int | None, said_on: str, words: str) -> None:
    assert age_words(born_on, age_about, said_on, TODAY) == words


def test_born_on_29_february_is_a_year_older_on_1_march() -> None:
    assert age_words("2012-02-29", None, "", date(2025, 2, 28)) == "12"
    assert age_words("2012-02-29", None, "", date(2025, 3, 1)) == "13"


def test_a_birth_is_said_back_as_it_can_be_typed() -> None:
    assert [say_born(born) for born in ("2011-05-03", "2011-05", "2011", "", "rubbish")] == [
        "3 May 2011",
        "May 2011",
        "2011",
        "",
        "",
    ]
    assert say_born("", 14) == "about 14"
