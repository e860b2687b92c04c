"""The invented town of the demo: it holds what it promises, reads as a good worker writes, and is fresh on any day."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from leadworker.clock import Moment
from leadworker.crypto import keys
from leadworker.demo.clock import StoryClock
from leadworker.demo.town import Entry, Someone, Step, Story, Told, load, tell
from leadworker.desk import Desk
from leadworker.domain import actions, alerts, caseload, journal, people, today, visits
from leadworker.domain.actions import NOBODY_IN_PARTICULAR, ActionRow
from leadworker.errors import NotUnderstood
from leadworker.text import clean, skeleton
from leadworker.words.dates import born_between
from leadworker.words.first_line import read_first_line
from storage import opening

TOWN = load()
NOW = datetime(2026, 11, 18, 14, 32).astimezone()
"""A Wednesday afternoon."""

OTHER_TIMES = [
    datetime(2026, 11, 16, 8, 5),  # a Monday, before the first visit
    datetime(2026, 11, 20, 17, 23),  # a Friday, at the end of it
    datetime(2026, 11, 22, 4, 45),  # a Sunday night
    datetime(2027, 1, 1, 0, 0, 30),  # the first minute of a year
    datetime(2028, 2, 29, 12, 1),  # a leap day
    datetime(2028, 2, 8, 9, 30),  # a birthday falls on a leap day
    datetime(2027, 3, 29, 13, 0),  # the day after the clocks went forward
    datetime(2027, 8, 7, 23, 59, 59),  # the last second of a Saturday
]


@contextmanager
def told_into(folder: Path, now: datetime) -> Iterator[tuple[Desk, Told, StoryClock]]:
    """Tell the town into a new vault, and let its clock stand at `now`."""
    clock = StoryClock()
    vault, _ = opening.create(folder, "Alex Morgan", "six words that open a vault", clock=clock, memory_kib=keys.FLOOR_KIB)
    try:
        told = tell(Desk(vault, vault.name), clock, now)
        clock.set(now)
        yield Desk(vault, vault.name), told, clock
    finally:
        vault.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Told, StoryClock]]:
    with told_into(tmp_path_factory.mktemp("town") / "vault", NOW) as told:
        yield told


@pytest.fixture(scope="module")
def desk(world: tuple[Desk, Told, StoryClock]) -> Desk:
    return world[0]


def everybody() -> tuple[Someone, ...]:
    return TOWN.person + TOWN.around


def all_entries() -> list[tuple[Someone, Entry]]:
    return [(someone, entry) for someone in TOWN.person for entry in someone.entries]


def all_steps() -> list[tuple[Entry, Step]]:
    return [(entry, step) for _, entry in all_entries() for step in entry.next]


def all_texts() -> Iterator[str]:
    """Every piece of prose of the town, as it is written."""
    story = Story(TOWN, NOW)
    for someone in everybody():
        yield from (someone.name, someone.lives_at, someone.talking, someone.reason, *someone.access)
        yield from (warned.text for warned in someone.alerts)
        yield from (text for point in someone.contacts for text in (point.value, point.label))
        yield from (story.days.words(visit.note, visit.day) for visit in someone.visits)
        for at in range(len(someone.entries)):
            new = story.new_entry(someone, at, "Alex Morgan")
            yield from (new.title, new.place, new.seen, new.said, new.noticed, new.think, new.next_steps, new.jotting)


def actions_of_everyone(desk: Desk) -> list[ActionRow]:
    return [row for person in desk.ask_now(caseload.mine) for row in desk.ask_now(actions.of_person, person.id)]


# what is there


def test_the_caseload_is_fourteen_people_of_every_age_with_others_around_them(desk: Desk) -> None:
    mine, others = desk.ask_now(caseload.mine), desk.ask_now(caseload.others)
    assert len(mine) == 14
    assert 22 <= len(others) <= 30
    ages = sorted(someone.age for someone in TOWN.person if someone.age is not None)
    assert len(ages) == 14
    assert (ages[0], ages[-1]) == (9, 78)
    assert sum(age < 18 for age in ages) >= 7
    families = Counter(someone.name.split()[-1] for someone in TOWN.person)
    assert sum(1 for count in families.values() if count > 1) >= 3  # several from the same families


def test_three_months_are_told_seven_to_fourteen_entries_a_person(desk: Desk, world: tuple[Desk, Told, StoryClock]) -> None:
    counts = [desk.ask_now(journal.count, person.id) for person in desk.ask_now(caseload.mine)]
    assert all(7 <= count <= 14 for count in counts)
    assert 120 <= sum(counts) <= 140
    assert sum(counts) == world[1].entries
    assert world[1].people == 14
    assert max(entry.ago for _, entry in all_entries()) >= 60
    assert min(entry.ago for _, entry in all_entries()) == 1


def test_the_work_is_of_every_kind() -> None:
    kinds = Counter(entry.kind.value for _, entry in all_entries())
    assert set(kinds) >= {
        "visit",
        "phone",
        "text_message",
        "meeting",
        "school",
        "court",
        "letter",
        "email",
        "office",
        "direct_work",
    }
    assert kinds.most_common(1)[0][0] == "visit"


def test_eight_alerts_and_twelve_ways_to_the_door_are_written_down(desk: Desk) -> None:
    lines = [line for person in desk.ask_now(caseload.mine) for line in desk.ask_now(alerts.at_the_door, person.id)]
    assert Counter(line.kind for line in lines) == {"alert": 8, "access": 12}


def test_identifiers_of_other_agencies_are_there_and_are_nobodys_title(desk: Desk) -> None:
    with_numbers = [p for p in desk.ask_now(caseload.mine) if desk.ask_now(people.facts, p.id).identifiers]
    assert 3 <= len(with_numbers) <= 4
    assert not any(any(letter.isdigit() for letter in someone.name) for someone in everybody())


def test_the_names_come_from_many_tongues_and_one_is_in_another_script() -> None:
    known_as = [name for someone in TOWN.person for name in someone.known_as]
    assert sum(not any(letter in string.ascii_letters for letter in name) for name in known_as) == 1
    written = " ".join(someone.name for someone in TOWN.person)
    assert all(letter in written for letter in "âńăș")
    assert all(someone.pronouns for someone in everybody())
    assert "they/them" in {someone.pronouns for someone in TOWN.person}
    assert all(someone.talking for someone in TOWN.person)


# today


def test_today_shows_three_visits_one_just_past_and_two_to_come(desk: Desk) -> None:
    shown = desk.ask_now(today.today)
    waits = [(visit.starts().local() - NOW).total_seconds() / 60 for visit in shown.visits]
    assert len(waits) == 3
    assert -60 <= waits[0] < 0
    assert 0 < waits[1] < waits[2] < 240
    assert any(visit.door for visit in shown.visits)


def test_one_visit_of_last_week_is_not_written_up_and_one_draft_was_begun_today(desk: Desk) -> None:
    shown = desk.ask_now(today.today)
    assert [visit.starts().day() for visit in shown.not_written_up] == [NOW.date() - timedelta(days=7)]
    assert [Moment(draft.started_ms, draft.started_offset).day() for draft in shown.drafts] == [NOW.date()]
    assert shown.drafts[0].first_line.startswith("call @Siân")


def test_five_visits_are_planned_in_the_coming_two_weeks(desk: Desk) -> None:
    planned = [visit for person in desk.ask_now(caseload.mine) for visit in desk.ask_now(visits.of_person, person.id)]
    coming = [visit.starts().local() for visit in planned if visit.starts().day() > NOW.date()]
    assert len(coming) == 5
    assert all(day.date() <= NOW.date() + timedelta(days=14) for day in coming)
    assert all(day.weekday() < 5 and time(9) <= day.time() <= time(17) for day in coming)


@pytest.mark.parametrize("now", OTHER_TIMES, ids=str)
def test_todays_visits_are_three_of_today_at_any_hour(now: datetime) -> None:
    story = Story(TOWN, now)
    todays = sorted(story.starts(visit) for someone in TOWN.person for visit in someone.visits if visit.day == 0)
    assert [begins.date() for begins in todays] == [now.date()] * 3
    assert todays[0] < todays[1] < todays[2]
    assert all(time(7, 30) <= begins.time() <= time(21) for begins in todays)
    assert all(begins.minute % 5 == 0 for begins in todays)
    if time(9) <= now.time() <= time(17, 30):
        assert todays[0] < now.astimezone() < todays[1]


# actions


def test_twenty_five_actions_are_open_some_late_some_due_today_and_others_done(desk: Desk) -> None:
    rows = actions_of_everyone(desk)
    left = [row for row in rows if not row.done_on]
    due = Counter((date.fromisoformat(row.due_on) - NOW.date()).days for row in left)
    assert len(left) == 25
    assert sum(count for days, count in due.items() if days < 0) == 5
    assert due[0] == 4
    assert len(rows) - len(left) >= 50
    assert len(desk.ask_now(today.today).todo) == sum(row.mine for row in left)


def test_every_action_has_one_named_owner_who_is_written_down_and_is_no_team(desk: Desk) -> None:
    names = {someone.name for someone in everybody()} | {"Alex Morgan"}
    rows = actions_of_everyone(desk)
    assert {row.owner for row in rows} <= names
    assert not any(skeleton(row.owner) in NOBODY_IN_PARTICULAR for row in rows)
    assert all(row.mine == (row.owner == "Alex Morgan") for row in rows)
    assert len({row.owner for row in rows}) >= 12


def test_actions_were_done_after_they_were_promised_and_before_today() -> None:
    for entry, step in all_steps():
        assert step.due >= 0
        if step.done is not None:
            assert entry.late <= step.done < entry.ago
    assert any(step.done is not None and step.done > step.due for _, step in all_steps())  # some were done late, and say so


def test_no_family_member_is_given_much_to_do() -> None:
    relatives = {someone.key for someone in TOWN.around if any(point.label == "family" for point in someone.contacts)}
    assert sum(step.by in relatives for _, step in all_steps()) <= 4  # W17: the burden stays with those who are paid for it


# people


def test_everybody_is_found_by_their_whole_name_and_by_what_they_are_called(desk: Desk) -> None:
    for someone in everybody():
        for called in (someone.name, *someone.known_as):
            assert desk.ask_now(caseload.resolve, called).name == someone.name
    for someone in TOWN.person:
        assert desk.ask_now(caseload.resolve, someone.name.split()[0].lower()).name == someone.name


def test_nobody_shares_a_first_name() -> None:
    firsts = Counter(skeleton(someone.name).split()[0] for someone in everybody())
    assert firsts.most_common(1)[0][1] == 1
    assert len({someone.key for someone in everybody()}) == len(everybody())


@pytest.mark.parametrize("now", [NOW, *OTHER_TIMES], ids=str)
def test_nobody_grows_older_than_the_story_says(now: datetime) -> None:
    story, day = Story(TOWN, now), now.date()
    for someone in everybody():
        if someone.age is None:
            assert someone.about.startswith("about ") or not someone.about
            continue
        bounds = born_between(story.born(someone))
        assert bounds is not None
        born = bounds[0]
        assert day.year - born.year - ((day.month, day.day) < (born.month, born.day)) == someone.age


def test_no_number_address_or_mail_can_be_a_real_one() -> None:
    for someone in everybody():
        for point in someone.contacts:
            match point.kind:
                case "mobile":
                    assert re.fullmatch(r"07700 900\d{3}", point.value)
                case "phone":
                    assert re.fullmatch(r"01632 960\d{3}", point.value)
                case "email":
                    assert re.fullmatch(r"[a-z.]+@example\.org", point.value)
                case "address":
                    assert point.value.endswith(", Wrenmouth")
                case other:
                    assert other == "other"
    digits = re.compile(r"(?<!\d)\d{5,}")
    assert not [text for text in all_texts() if digits.search(re.sub(r"\b(07700 900\d{3}|01632 960\d{3})\b", "", text))]


def test_where_somebody_in_hiding_lives_stands_nowhere() -> None:
    maggie = next(someone for someone in TOWN.person if someone.key == "maggie")
    assert "Not written down" in maggie.lives_at
    assert not any(point.kind == "address" for point in maggie.contacts)


def test_nobody_is_met_where_they_may_not_go() -> None:
    liam = next(someone for someone in TOWN.person if someone.key == "liam")
    assert "Lanyard Street" in liam.alerts[0].text
    met = [entry.place for entry in liam.entries] + [visit.place for visit in liam.visits]
    assert not [place for place in met if "Lanyard" in place]


# how it is written


def test_every_entry_has_words_and_a_title_of_one_line() -> None:
    for _, entry in all_entries():
        assert any((entry.said.strip(), entry.noticed.strip()))
        assert 0 < len(entry.title) <= 60
        assert "\n" not in entry.title


def test_their_own_words_are_heard_in_most_entries_and_stand_apart() -> None:
    spoken = [entry for _, entry in all_entries() if entry.said]
    assert len(spoken) >= len(all_entries()) * 3 // 4
    assert not [entry.said for entry in spoken if entry.said.strip().startswith(("“", '"'))]  # the screen puts the marks


def test_what_is_thought_is_kept_apart_from_what_was_seen() -> None:
    opinion = re.compile(r"\b(I think|I believe that she|I suspect|probably|clearly|obviously)\b", re.IGNORECASE)
    assert not [entry.noticed for _, entry in all_entries() if opinion.search(entry.noticed)]


LABELS = """
    non-engaging disengaged failed hard-to-reach challenging offender perpetrator victim dysfunctional chaotic vulnerable
    manipulative attention-seeking non-compliant complied compliant DNA NFA CAMHS EHCP NEET LAC CIN MARAC signposted
    service-user client caseload safeguarding multi-agency outcomes interventions stakeholders resilience holistic trajectory
    attachment presenting presents displayed behaviours contact engagement engaged appropriate inappropriate
""".split()


def test_nobody_is_labelled_and_no_jargon_is_used() -> None:
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, LABELS))})\b", re.IGNORECASE)
    assert not [text for text in all_texts() if pattern.search(text)]


def test_the_writing_is_clean_british_and_unfolded() -> None:
    american = re.compile(r"\b(color|favorite|mom|neighbor|center|gray|apartment|canceled|(real|organ|apolog)iz\w*)\b", re.IGNORECASE)
    for text in all_texts():
        assert text == clean(text).strip()
        assert "  " not in text
        assert "{" not in text
        assert not american.search(text)


def test_most_entries_are_short_and_a_few_are_long() -> None:
    lengths = [len(re.findall(r"[.!?](?=[\s”\"]|$)", f"{entry.said}\n{entry.noticed}\n{entry.think}")) for _, entry in all_entries()]
    assert sum(length <= 7 for length in lengths) >= len(lengths) * 0.8
    assert 1 <= sum(length >= 9 for length in lengths) <= 15


def test_days_in_words_are_near_enough_to_be_called_by_name() -> None:
    written = [text for _, entry in all_entries() for text in (entry.title, entry.seen, entry.said, entry.noticed, entry.think)]
    written += [step.do for _, step in all_steps()]
    written += [visit.note for someone in TOWN.person for visit in someone.visits]
    numbers = [int(found) for found in re.findall(r"\{([+-]?\d+)\}", " ".join(written))]
    assert len(numbers) >= 10
    assert all(-4 <= number <= 4 for number in numbers)


def test_the_first_line_kept_with_an_entry_reads_as_the_entry_does(desk: Desk) -> None:
    known = desk.ask_now(caseload.known_people)
    story = Story(TOWN, NOW)
    for someone, entry in all_entries():
        new = story.new_entry(someone, someone.entries.index(entry), "Alex Morgan")
        assert new.happened is not None
        read = read_first_line(new.jotting, new.happened.local().replace(hour=20), known)
        assert read.kind is entry.kind
        assert (read.at, read.minutes or 0) == (new.happened.local().time(), entry.minutes)
        assert read.person_ids[0] == desk.ask_now(caseload.resolve, someone.name).id


# time


@pytest.mark.parametrize("now", [NOW, *OTHER_TIMES], ids=str)
def test_nothing_lies_in_the_future_but_the_diary(now: datetime) -> None:
    story = Story(TOWN, now)
    last = story.happenings()[-1].when
    assert last <= now.astimezone()
    assert last.date() == now.date()  # the draft was begun today, also just after midnight
    for someone in TOWN.person:
        for at, entry in enumerate(someone.entries):
            happened = story.new_entry(someone, at, "me").happened
            assert happened is not None
            assert happened < Moment.of(story.recorded(entry)) < Moment.of(now.astimezone())


@pytest.mark.parametrize("now", [NOW, *OTHER_TIMES], ids=str)
def test_the_work_is_done_on_working_days_in_working_hours_and_in_one_place_at_a_time(now: datetime) -> None:
    story = Story(TOWN, now)
    busy: list[tuple[datetime, datetime, str]] = []
    for someone in TOWN.person:
        for at, entry in enumerate(someone.entries):
            moment = story.new_entry(someone, at, "me").happened
            assert moment is not None
            begins = moment.local()
            ends = begins + timedelta(minutes=entry.minutes)
            assert begins.weekday() < 5
            assert time(8, 45) <= begins.time() < ends.time() <= time(18, 15) or not entry.minutes
            busy.append((begins, ends, entry.title))
    busy.sort()
    clashes = [(a[2], b[2]) for a, b in pairwise(busy) if b[0] < a[1]]
    assert [{"Bringing it home", "The tricycle comes home"}] == [set(clash) for clash in clashes]  # one visit, in two people's records


def test_entries_are_written_down_soon_and_a_late_one_says_so(desk: Desk) -> None:
    late = {entry.title: entry for _, entry in all_entries() if entry.late}
    assert 1 <= len(late) <= 3
    for person in desk.ask_now(caseload.mine):
        for entry in desk.ask_now(journal.timeline, person.id, limit=50):
            minutes = (entry.recorded().ms - entry.happened().ms) / 60_000
            if entry.title in late:
                assert (entry.recorded().day() - entry.happened().day()).days >= late[entry.title].late
                assert "late" in entry.noticed
            else:
                assert 10 <= minutes <= 200
            assert not entry.clock_doubt


def test_the_days_between_entries_are_spread_over_the_whole_time() -> None:
    days = Counter(entry.ago for _, entry in all_entries())
    assert max(days.values()) <= 6
    agos = sorted(days)
    assert max(b - a for a, b in pairwise(agos)) <= 3


# telling


def test_telling_it_twice_into_two_vaults_gives_the_same(tmp_path: Path, world: tuple[Desk, Told, StoryClock]) -> None:
    with told_into(tmp_path / "second", NOW) as (other, told, _):
        assert told == world[1]
        assert len(other.ask_now(caseload.mine)) == len(world[0].ask_now(caseload.mine))
        assert [(row.text, row.owner, row.due_on, row.done_on) for row in actions_of_everyone(other)] == [
            (row.text, row.owner, row.due_on, row.done_on) for row in actions_of_everyone(world[0])
        ]


def test_telling_says_how_far_it_has_come_and_the_clock_goes_on_after_it(tmp_path: Path) -> None:
    clock, heard = StoryClock(), list[tuple[int, int]]()
    vault, _ = opening.create(tmp_path / "vault", "Alex Morgan", "six words that open a vault", clock=clock, memory_kib=keys.FLOOR_KIB)
    before = datetime.now().astimezone()
    tell(Desk(vault, vault.name), clock, datetime(2027, 8, 7, 23, 59), lambda done, of: heard.append((done, of)))
    assert clock.now() >= before
    vault.close()
    assert [done for done, _ in heard] == list(range(1, heard[-1][1] + 1))
    assert {of for _, of in heard} == {heard[-1][0]}


def test_the_clock_goes_on_also_when_telling_fails(tmp_path: Path) -> None:
    clock = StoryClock()

    class Refusing:
        def do_now(self, *_: object) -> None:
            clock.set(datetime(1999, 1, 1))
            raise NotUnderstood("no")

    with pytest.raises(NotUnderstood):
        tell(Refusing(), clock, NOW)  # type: ignore[arg-type]
    assert clock.now().year >= 2026


def test_a_story_clock_stands_where_it_is_set_and_its_waits_are_real() -> None:
    clock = StoryClock()
    clock.set(datetime(2026, 8, 20, 9, 0))
    assert clock.now() == clock.now() == datetime(2026, 8, 20, 9, 0).astimezone()
    assert clock.now().tzinfo is not None
    assert clock.steady() <= clock.steady()
    clock.go_on()
    assert abs(clock.now() - datetime.now().astimezone()) < timedelta(minutes=5)


def test_the_words_to_look_for_are_every_long_word_and_every_name(desk: Desk, world: tuple[Desk, Told, StoryClock]) -> None:
    words = set(world[1].words)
    for someone in everybody():
        assert {name for name in (someone.name, *someone.known_as) if len(name.encode()) >= 6} <= words
    said = [entry for person in desk.ask_now(caseload.mine) for entry in desk.ask_now(journal.timeline, person.id, limit=50)]
    for entry in said:
        for text in (entry.title, entry.place, entry.seen, entry.said, entry.noticed, entry.think, entry.next_steps):
            assert set(re.findall(r"[^\W\d_]{6,}", text)) <= words
    assert {"小美", "Bosun", "radishes"} & words == {"小美"}  # five letters are too few; a word is looked for as it was written
    assert "Radishes" in words
    assert all(len(word.encode()) >= 6 for word in words)
