"""What the screens make of typed words before they become records, without a terminal."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest

from leadworker.domain.drafts import Draft
from leadworker.errors import NotUnderstood
from leadworker.words.first_line import FirstLine
from leadworker.words.people import Known
from screens.find import snippet
from screens.names import Names
from screens.person_form import read_contact
from screens.reading import about, entry_of, read, starts, when
from tests.screen_world import ME

NOW = datetime(2025, 11, 18, 14, 32).astimezone()
PEOPLE = (Known("k", "Keira Okafor-Lane", ("Kay",)), Known("y", "Yusuf Demir"), Known("s", "Sam Reyes"))
CASELOAD = {"k", "y"}


@pytest.mark.parametrize(
    ("named", "in_view", "filed"),
    [
        ((), "", ""),
        ((), "k", "k"),
        (("y",), "k", "y"),  # somebody we work with was named: the note is about them
        (("s",), "k", "k"),  # a call with Sam, on Keira's page, is about Keira
        (("s",), "", "s"),
        (("s", "y"), "", "y"),
    ],
)
def test_a_note_is_filed_under_whom_it_is_about(named: tuple[str, ...], in_view: str, filed: str) -> None:
    assert about(FirstLine(person_ids=named), in_view, CASELOAD) == filed


@pytest.mark.parametrize(
    ("first", "happened", "precision"),
    [
        (FirstLine(), NOW, "exact"),
        (FirstLine(day=date(2025, 11, 17), at=time(16)), datetime(2025, 11, 17, 16).astimezone(), "exact"),
        (FirstLine(at=time(9, 5)), datetime(2025, 11, 18, 9, 5).astimezone(), "exact"),
        (FirstLine(at=time(9, 5), about=True), datetime(2025, 11, 18, 9, 5).astimezone(), "about"),
        (FirstLine(at=time(9, 5), when_certain=False), datetime(2025, 11, 18, 9, 5).astimezone(), "about"),
        (FirstLine(day=date(2025, 11, 14)), datetime(2025, 11, 14, 12).astimezone(), "day"),
        (FirstLine(day=date(2025, 11, 14), part_of_day="evening"), datetime(2025, 11, 14, 18).astimezone(), "day"),
    ],
)
def test_when_it_happened_is_never_more_exact_than_what_was_said(first: FirstLine, happened: datetime, precision: str) -> None:
    assert when(first, NOW) == (happened, precision)


def test_the_first_line_is_kept_as_it_was_typed_and_actions_have_one_owner() -> None:
    draft = Draft(
        "d",
        "k",
        first_line="hv @kay yest 4pm, talked about court",
        said="I'm scared.",
        next_steps="text @Sam Reyes thu\nRuth: the rota",
    )
    entry = entry_of(draft, read(draft, NOW, PEOPLE, CASELOAD, ME), NOW, ME)
    assert entry.jotting == draft.first_line and entry.person_id == "k" and entry.said == "I'm scared."
    assert entry.happened is not None and entry.happened.local() == datetime(2025, 11, 17, 16).astimezone()
    first = entry.actions[0]
    assert (first.owner, first.mine, first.due_on) == (ME, True, "2025-11-20")
    assert all(action.owner for action in entry.actions)


def test_a_note_about_nobody_is_not_filed_under_anybody() -> None:
    draft = Draft("d", "", first_line="something")
    with pytest.raises(NotUnderstood, match="Who is this about"):
        entry_of(draft, read(draft, NOW, PEOPLE, CASELOAD, ME), NOW, ME)


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [
        ("07700 900118 mum's", ("mobile", "07700 900118", "mum's")),
        ("+44 7700 900 118", ("mobile", "+44 7700 900 118", "")),
        ("01223 496 000, school office", ("phone", "01223 496 000", "school office")),
        ("kay@example.org after school", ("email", "kay@example.org", "after school")),
        ("www.boxing.example", ("web", "www.boxing.example", "")),
        ("14 Fen Court, CB1 2XX", ("address", "14 Fen Court, CB1 2XX", "")),
    ],
)
def test_a_contact_is_read_as_what_it_is(typed: str, read_as: tuple[str, str, str]) -> None:
    assert read_contact(typed) == read_as


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        ("tomorrow 3.30pm", datetime(2025, 11, 19, 15, 30)),
        ("Thu 20 Nov 15:30", datetime(2025, 11, 20, 15, 30)),
        ("fri 9am", datetime(2025, 11, 21, 9)),
        ("16:00", datetime(2025, 11, 18, 16)),
    ],
)
def test_a_visit_begins_when_people_say_it_does(typed: str, begins: datetime) -> None:
    assert starts(typed, NOW) == begins.astimezone()


@pytest.mark.parametrize(
    ("typed", "asks"),
    [
        ("tomorrow", "At what time?"),
        ("9am", "On which day?"),
        ("soon", "At what time?"),
        ("31 Feb 4pm", "On which day?"),  # and not today: nothing is guessed for a day that cannot be read
    ],
)
def test_a_visit_without_a_day_or_a_time_is_asked_about(typed: str, asks: str) -> None:
    with pytest.raises(NotUnderstood, match=asks.replace("?", r"\?")):
        starts(typed, NOW)


def test_the_words_around_a_find_begin_shortly_before_it() -> None:
    long = "It's calmer when Craig's on nights. I actually \x02slept\x03 the whole night."
    assert snippet(long).plain.startswith("…") and "slept the whole night." in snippet(long).plain
    assert len(snippet(long).plain.split("slept")[0]) < 20


def test_people_are_found_by_the_beginnings_of_their_names_and_nicknames() -> None:
    names = Names((person, (person.name, *person.known_as)) for person in (*PEOPLE, Known("z", "Zoë Ó Briain")))
    found = {
        typed: [person.id for person in names.fitting(typed)]
        for typed in ("kei", "okafor", "kei lane", "lane kei", "kay", "zoe", "o br", "x")
    }
    assert found == {
        "kei": ["k"],
        "okafor": ["k"],
        "kei lane": ["k"],
        "lane kei": [],
        "kay": ["k"],
        "zoe": ["z"],
        "o br": ["z"],
        "x": [],
    }
    assert names.called("keira okafor-lane") and names.called("KAY") and not names.called("keira")
    assert len(names.fitting("", 2)) == 2 and len(names) == 4
