"""Whatever is typed, at whatever moment: the readers never fail, never point outside the line, never change their mind."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from leadworker.words.dates import age_words, born_between, read_born, say_born
from leadworker.words.first_line import Chip, Known, Span, read_first_line
from leadworker.words.next_lines import read_next_lines
from leadworker.words.saying import initials, say_day, say_due, say_length, say_time, say_visit

PEOPLE = (Known("keira", "Keira Okafor-Lane", ("Kiki", "")), Known("sam", "Sam Patel"), Known("sam2", "Sam"), Known("x", "İ ß"))
PIECES = (
    "visit @Keira @Sam @İ @ home school at in the by > ( ) : ; , . - – / ' ’ 's yesterday today tomorrow fri sat tue next last "
    "this week month end of ago a an half quarter past to 4pm 4.30 16:00 25:70 at 4 noon 50 min 1 h 20 1½ nov 14 31 29 feb 14/11 "
    "99/99 2026-11-14 0000-00-00 working days in 999 fortnight months about re for until team: ruth: ->Sam (Sam) me: İ ŉ ǰ \x00 "
    "\u202e \x1b[31m 👨‍👩‍👧 १४ ٣pm ² ſat K"
).split(" ")
texts = st.one_of(
    st.text(st.characters(exclude_categories=())),  # unpaired surrogates and controls too
    st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
)
moments = st.datetimes()


def in_order_within(spans: tuple[Span, ...], line: str) -> bool:
    edges = [edge for span in spans for edge in (span.start, span.end)]
    return edges == sorted(edges) and all(0 <= edge <= len(line) for edge in edges) and all(s.start < s.end for s in spans)


def told_apart_without_colour(chips: tuple[Chip, ...]) -> bool:
    return all(chip.text and (chip.certain or chip.text.endswith("?")) for chip in chips)


@settings(max_examples=400)
@given(texts, moments)
def test_any_first_line_is_read(line: str, now: datetime) -> None:
    said = read_first_line(line, now, PEOPLE)
    assert in_order_within(said.spans, line)
    assert told_apart_without_colour(said.chips)
    assert read_first_line(line, now, list(PEOPLE)) == said
    assert said.minutes is None or 1 <= said.minutes <= 24 * 60
    assert not any(letter in said.rest for letter in "\n\x1b\x00\u202e")


@settings(max_examples=400)
@given(texts, moments)
def test_any_next_lines_are_read(text: str, now: datetime) -> None:
    lines = text.split("\n")
    for action in read_next_lines(text, now, PEOPLE, "sam"):
        assert in_order_within(action.spans, lines[action.line])
        assert told_apart_without_colour(action.chips)
        assert action.owner and action.owner_id in {"keira", "sam", "sam2", "x"}
        assert action.owner_certain or action.owner_is_me, "an owner who was not accepted owns nothing"
        assert not any(letter in action.text for letter in "\n\x1b\x00\u202e")


def test_at_the_edge_of_the_calendar_a_day_is_only_a_question() -> None:
    assert read_first_line("visit yesterday", datetime.min, ()).day is None
    for said in ("tomorrow", "fri", "next week", "next month", "in 999 months", "in 999 fortnights", "in 99 working days"):
        (action,) = read_next_lines(f"ring school {said}", datetime.max, (), "Priya")
        assert action.due_on is None and not all(chip.certain for chip in action.chips), said


@settings(max_examples=300)
@given(st.one_of(texts, st.from_regex(r"\A[0-9/. -]{1,12}\Z")), st.dates())
def test_any_birth_is_read_or_refused_quietly(text: str, today: date) -> None:
    for born in (read_born(text), read_born(text, today)):
        if born is not None:
            assert bool(born.born_on) != bool(born.age_about)
            assert not born.born_on or born_between(born.born_on) is not None
            age_words(born.born_on, born.age_about, today.isoformat(), today)
    age_words(text, 14, text, today)
    say_born(text)
    initials(text)


# What we say, we understand: a person can type back any date or length that a screen showed them.


@settings(max_examples=300)
@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, 3000))
def test_a_day_said_in_a_note_is_read_back(today: date, ago: int) -> None:
    day = today - timedelta(days=ago)
    if day.year >= 1900:
        said = read_first_line(f"visit {say_day(day, today)}", datetime.combine(today, time(12)), ())
        assert (said.day, said.rest) == (day, "")


@settings(max_examples=300)
@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, 3000))
def test_a_day_said_as_due_is_read_back(today: date, ahead: int) -> None:
    day = today + timedelta(days=ahead)
    (action,) = read_next_lines(f"ring school {say_due(day, today)}", datetime.combine(today, time(12)), (), "Priya")
    assert (action.due_on, action.text) == (day, "Ring school")


@given(st.times(), st.integers(1, 24 * 60))
def test_times_and_lengths_are_read_back(at: time, minutes: int) -> None:
    said = read_first_line(f"visit yesterday {at:%H:%M} {say_length(minutes)}", datetime(2026, 11, 17), ())
    assert (said.at, said.minutes, said.rest) == (at.replace(second=0, microsecond=0), minutes, "")


@given(st.dates(date(1880, 1, 1), date(2199, 12, 31)), st.sampled_from([4, 7, 10]))
def test_a_birth_is_read_back(day: date, length: int) -> None:
    born_on = day.isoformat()[:length]
    born = read_born(say_born(born_on))
    assert born is not None and born.born_on == born_on


@given(moments, moments, moments, st.booleans())
def test_any_moments_can_be_said(starts: datetime, ends: datetime, now: datetime, written_up: bool) -> None:
    assert say_visit(starts, ends, now, written_up)
    assert say_visit(starts, None, now, written_up)
    assert say_time(starts, now)
