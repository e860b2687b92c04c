"""Two to four laptops write apart and come together: nothing is lost, all show the same, and a person is asked where it matters.

A model of plain dictionaries, written from the rules alone (security D), must agree with every laptop after every step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from leadworker import change, record
from leadworker.change import Content
from leadworker.clock import Moment
from leadworker.domain import actions, alerts, conflicts, journal, people, visits
from leadworker.domain.alerts import AccessNote, Alert
from leadworker.domain.conflicts import Choice, Conflict
from leadworker.domain.journal import JournalEntry, NewEntry
from leadworker.domain.people import KnownAs, Person
from leadworker.domain.visits import Visit
from leadworker.errors import HubMistrusted, NotUnderstood
from storage import anchor
from tests.apart import Fields, Hub, Laptop, Team, forge
from tests.vaults import ask, do


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "_write_durably", lambda file, through, data, at: anchor._write_at(file, data, at))


@pytest.fixture
def two() -> Iterator[Team]:
    team = Team(2)
    yield team
    team.close()


DEEDS: dict[str, Callable[[Team, Any, int], None]] = {
    "name": lambda team, shelf, n: people.describe(shelf, team.person, name=f"Keira {'x' * (n % 3)}{n}"),
    "pronouns": lambda team, shelf, n: people.describe(shelf, team.person, pronouns=f"they {n % 4}"),
    "lives_at": lambda team, shelf, n: people.describe(shelf, team.person, lives_at=f"place {n % 3}"),
    "alert text": lambda team, shelf, n: shelf.amend(Alert, team.alert, text="Dog" * (n % 4)),
    "alert on": lambda team, shelf, n: shelf.amend(Alert, team.alert, on=bool(n % 2), ended_because=f"because {n % 2}"),
    "visit": lambda team, shelf, n: visits.move(shelf, team.visit, Moment(1_795_000_000_000 + n % 5 * 60_000, n % 2 * 60)),
    "visit state": lambda team, shelf, n: visits.cancel(shelf, team.visit),
    "access": lambda team, shelf, n: shelf.amend(AccessNote, team.access, text=f"gate {n % 3}"),
    "drop access": lambda team, shelf, n: shelf.drop(AccessNote, team.access),
    "restore access": lambda team, shelf, n: shelf.restore(AccessNote, team.access),
    "drop name": lambda team, shelf, n: shelf.drop(KnownAs, team.known),
    "restore name": lambda team, shelf, n: shelf.restore(KnownAs, team.known),
    "done": lambda team, shelf, n: actions.finish(shelf, team.action),
    "not done": lambda team, shelf, n: actions.reopen(shelf, team.action),
    "entry": lambda team, shelf, n: void(journal.write(shelf, NewEntry(team.person, said=f"words {n}"))),
    "contact": lambda team, shelf, n: void(people.add_contact(shelf, team.person, "phone", f"0113 496 000{n % 10}")),
}


def void(_: object) -> None:
    return None


class Apart(RuleBasedStateMachine):
    """Laptops write, send, receive, lose answers, lie about the time and are put back from copies, in any order."""

    @initialize(size=st.integers(2, 4))
    def begin(self, size: int) -> None:
        self.team = Team(size)
        self.count = 0
        self.on_screen: dict[int, dict[str, bytes]] = {}
        self.inbox: dict[int, tuple[Conflict, ...]] = {}

    def laptop(self, which: int) -> Laptop:
        return self.team.laptops[which % len(self.team.laptops)]

    @rule(which=st.integers(0, 3), deeds=st.lists(st.sampled_from(sorted(DEEDS)), min_size=1, max_size=3), n=st.integers(0, 11))
    def write(self, which: int, deeds: list[str], n: int) -> None:
        laptop = self.laptop(which)

        def together(shelf: Any) -> None:
            for deed in deeds:
                DEEDS[deed](self.team, shelf, n)

        do(laptop.vault, together)
        laptop.is_as_the_model_says()

    @rule(which=st.integers(0, 3))
    def open_a_form(self, which: int) -> None:
        """What stands on somebody's screen is what was there when they opened it, whatever comes in meanwhile."""
        records = {self.team.person: Person, self.team.alert: Alert, self.team.visit: Visit, self.team.access: AccessNote}
        vault = self.laptop(which).vault
        self.on_screen[which % len(self.team.laptops)] = {
            record_id: ask(vault, lambda shelf, kind=kind, record_id=record_id: shelf.get(kind, record_id).marks)
            for record_id, kind in records.items()
        }

    @rule(which=st.integers(0, 3), deed=st.sampled_from(sorted(DEEDS)), n=st.integers(0, 11))
    def save_the_form(self, which: int, deed: str, n: int) -> None:
        laptop, shown = self.laptop(which), self.on_screen.get(which % len(self.team.laptops), {})

        def as_shown(shelf: Any) -> None:
            with contextlib.ExitStack() as stack:
                for record_id, marks in shown.items():
                    stack.enter_context(shelf.as_shown(record_id, marks))
                DEEDS[deed](self.team, shelf, n)

        do(laptop.vault, as_shown)
        laptop.is_as_the_model_says()

    @rule(which=st.integers(0, 3))
    def look_at_what_was_written_apart(self, which: int) -> None:
        self.inbox[which % len(self.team.laptops)] = self.laptop(which).conflicts()

    @rule(which=st.integers(0, 3), at=st.integers(0, 5), choice=st.sampled_from(["first", "last", "both", "by hand"]))
    def settle(self, which: int, at: int, choice: str) -> None:
        laptop, inbox = self.laptop(which), self.inbox.get(which % len(self.team.laptops), ())
        if not inbox:
            return
        shown = inbox[at % len(inbox)]
        before = {version.change for one in laptop.conflicts() if one.key == shown.key for version in one.versions}
        try:
            is_settled = do(laptop.vault, conflicts.settle, shown, choice_of(shown, choice))
        except NotUnderstood:
            assert not before, "a choice is refused only when nothing is left to choose"
            return
        laptop.is_as_the_model_says()
        unseen = before - {version.change for version in shown.versions}
        still = {version.change for one in laptop.conflicts() if one.key == shown.key for version in one.versions}
        assert is_settled == (not still)
        assert unseen <= still or is_settled, "what was not shown is not silenced, unless it says the same"

    @rule(which=st.integers(0, 3), answered=st.booleans())
    def send(self, which: int, answered: bool) -> None:
        self.laptop(which).push(answered=answered)

    @rule(which=st.integers(0, 3), most=st.integers(1, 6), key=st.sampled_from(["held", "held", "not given", "given now"]))
    def receive(self, which: int, most: int, key: str) -> None:
        missing = self.team.key if key == "not given" else None
        self.laptop(which).pull(most, missing=missing, keys={1: self.team.key.secret} if key == "given now" else None)
        self.laptop(which).is_as_the_model_says()

    @rule(which=st.integers(0, 3), days=st.sampled_from([-366, -1, 1, 366]))
    def clock_jumps(self, which: int, days: int) -> None:
        self.laptop(which).clock.at += timedelta(days=days)

    @precondition(lambda self: self.count < 2)
    @rule(which=st.integers(0, 3))
    def copy_is_kept(self, which: int) -> None:
        self.count += 1
        self.laptop(which).keep_a_copy()

    @precondition(lambda self: self.count < 4)
    @rule(which=st.integers(0, 3))
    def copy_is_put_back(self, which: int) -> None:
        self.count += 1
        self.on_screen.pop(which % len(self.team.laptops), None)  # the program was started anew
        self.inbox.pop(which % len(self.team.laptops), None)
        self.laptop(which).put_the_copy_back()
        self.laptop(which).is_as_the_model_says()

    def teardown(self) -> None:
        if hasattr(self, "team"):
            try:
                self.team.are_of_one_mind()
            finally:
                self.team.close()


def choice_of(shown: Conflict, wanted: str) -> Choice:
    """Return a choice that this conflict allows."""
    if wanted == "both" and shown.both:
        return Choice(both=True)
    if wanted == "by hand" and shown.both:
        return Choice(value="as Keira says it herself")
    versions = sorted(shown.versions, key=lambda version: version.words)
    return Choice(version=versions[0 if wanted == "first" else -1].change)


TestApart = Apart.TestCase
TestApart.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


# Histories that say what the rules mean, and those that once went wrong


def apart(team: Team, *deeds: tuple[int, Callable[[Any], object]]) -> None:
    """Let laptops write without having heard of one another, then come together."""
    for which, deed in deeds:
        do(team.laptops[which].vault, deed)
    team.are_of_one_mind()


def shown(team: Team, kind: type[record.Record], record_id: str) -> Fields:
    """Return what all laptops show of a record."""
    found = [laptop.rows()[str(record.table_of(kind).name)][record_id] for laptop in team.laptops]
    assert all(fields == found[0] for fields in found)
    return found[0]


def test_adding_wins_over_a_removal_that_had_not_seen_it_and_not_over_one_that_had(two: Team) -> None:
    apart(two, (0, lambda s: alerts.drop_access_note(s, two.access)), (1, lambda s: s.amend(AccessNote, two.access, text="Back door")))
    assert shown(two, AccessNote, two.access)["gone"] == 0
    assert shown(two, AccessNote, two.access)["text"] == "Back door"
    apart(two, (0, lambda s: alerts.drop_access_note(s, two.access)))
    assert shown(two, AccessNote, two.access)["gone"] == 1
    apart(two, (0, lambda s: s.restore(AccessNote, two.access)), (1, lambda s: s.restore(AccessNote, two.access)))
    apart(two, (0, lambda s: s.drop(AccessNote, two.access)), (1, lambda s: s.drop(AccessNote, two.access)))
    assert shown(two, AccessNote, two.access)["gone"] == 1, "both took it away"


def test_a_quiet_field_goes_to_whoever_had_seen_the_other_and_only_then_by_the_clock(two: Team) -> None:
    two.laptops[0].clock.at += timedelta(days=366)
    apart(two, (0, lambda s: people.describe(s, two.person, pronouns="she/her")))
    apart(two, (1, lambda s: people.describe(s, two.person, pronouns="they/them")))
    assert shown(two, Person, two.person)["pronouns"] == "they/them", "a wrong clock never beats somebody who had seen it"
    apart(
        two,
        (0, lambda s: people.describe(s, two.person, pronouns="he/him")),
        (1, lambda s: people.describe(s, two.person, pronouns="xe/xem")),
    )
    assert shown(two, Person, two.person)["pronouns"] == "he/him", "apart, the later clock wins; the other stays in the log"
    assert shown(two, Person, two.person)["contested"] == ""


def test_of_two_warnings_the_longer_one_is_shown_until_a_person_chooses(two: Team) -> None:
    apart(
        two,
        (0, lambda s: s.amend(Alert, two.alert, text="A new dog, it bites")),
        (1, lambda s: s.amend(Alert, two.alert, text="No dog")),
    )
    assert shown(two, Alert, two.alert)["text"] == "A new dog, it bites"
    assert shown(two, Alert, two.alert)["contested"] == "text"
    do(two.laptops[0].vault, lambda s: s.amend(Alert, two.alert, text="No dog"))
    two.are_of_one_mind()
    assert (shown(two, Alert, two.alert)["text"], shown(two, Alert, two.alert)["contested"]) == ("No dog", "")


@pytest.mark.parametrize("choice", [True, False])
def test_an_alert_that_one_ends_and_another_puts_on_stays_on_and_is_settled_by_either_choice(choice: bool, two: Team) -> None:
    first, other = (laptop.vault for laptop in two.laptops)
    apart(two, (0, lambda s: s.amend(Alert, two.alert, on=False)))
    do(first, lambda s: s.amend(Alert, two.alert, on=True))
    do(first, lambda s: s.amend(Alert, two.alert, on=False))  # on again for a moment, and then not
    do(other, lambda s: s.amend(Alert, two.alert, on=True))
    two.are_of_one_mind()
    assert shown(two, Alert, two.alert)["on"] == 1, "in doubt it is on"
    assert shown(two, Alert, two.alert)["contested"] == "on"
    assert two.alert in [line.id for line in ask(first, alerts.at_the_door, two.person)]
    do(other, lambda s: s.amend(Alert, two.alert, on=choice))  # choosing what is shown already is a choice, too
    two.are_of_one_mind()
    assert shown(two, Alert, two.alert)["on"] == choice
    assert shown(two, Alert, two.alert)["contested"] == ""


def test_of_two_times_for_a_visit_the_earlier_one_is_shown_and_both_are_kept(two: Team) -> None:
    early, late = 1_795_000_060_000, 1_795_009_000_000
    apart(
        two,
        (0, lambda s: visits.move(s, two.visit, Moment(late))),
        (1, lambda s: visits.move(s, two.visit, Moment(early))),
    )
    assert shown(two, Visit, two.visit)["starts_ms"] == early
    assert shown(two, Visit, two.visit)["contested"] == "starts_ms"
    for laptop in two.laptops:
        said = [change.read_content(body).values for _, _, body in laptop.log()]
        assert {values["starts_ms"] for values in said if "starts_ms" in values} >= {early, late}


def test_two_who_end_the_same_alert_apart_are_of_one_mind(two: Team) -> None:
    """Found by `Apart`: a "no" read back from a table as 0 was taken for another opinion than "no"."""
    apart(
        two,
        (0, lambda s: alerts.end_alert(s, two.alert, "because")),
        (1, lambda s: alerts.end_alert(s, two.alert, "because")),
    )
    assert shown(two, Alert, two.alert)["contested"] == ""


def test_what_was_signed_is_frozen_whoever_writes_over_it(two: Team) -> None:
    writer, other = two.laptops
    before = shown(two, JournalEntry, two.entry)
    with pytest.raises(TypeError):
        do(other.vault, lambda s: s.amend(JournalEntry, two.entry, said="something else"))
    with pytest.raises(TypeError):
        do(other.vault, lambda s: s.drop(JournalEntry, two.entry))
    for verb, values in ((change.PUT, {"said": "something else"}), (change.DROP, {})):
        forged = Content(1, "journal_entry", two.entry, verb, values, 1 << 60, (0, bytes(32)), 1, 0)
        two.hub.take(b"", [forge(other, two.hub, forged)])
    writer.pull()
    assert writer.rows()["journal_entry"][two.entry] == before
    put_aside = writer.on_thread(lambda: writer.vault.connection.execute("SELECT why FROM put_aside ORDER BY no").fetchall())
    assert put_aside == [("what was saved is never written over",), ("what was saved is never taken away",)]
    assert writer.digest_of_a_rebuild() == writer.digest()


def test_a_copy_put_back_after_something_was_sent_neither_forks_nor_hides_it(two: Team) -> None:
    first, _ = two.laptops
    first.keep_a_copy()
    do(first.vault, lambda s: people.describe(s, two.person, lives_at="at her aunt's"))
    first.push(answered=False)
    first.put_the_copy_back()
    do(first.vault, lambda s: people.describe(s, two.person, lives_at="in a hostel"))
    two.are_of_one_mind()
    assert shown(two, Person, two.person)["contested"] == "lives_at", "it was written without having the other one"
    assert len(first.on_thread(lambda: first.vault.connection.execute("SELECT 1 FROM lane WHERE mine = 1").fetchall())) == 2


def test_what_was_unsent_in_a_copy_that_is_put_back_is_sent_and_can_be_changed(two: Team) -> None:
    first, _ = two.laptops
    do(first.vault, lambda s: people.describe(s, two.person, lives_at="at her aunt's"))
    first.keep_a_copy()
    first.put_the_copy_back()
    do(first.vault, lambda s: people.describe(s, two.person, lives_at="in a hostel"))
    do(first.vault, lambda s: alerts.drop_access_note(s, two.access))
    two.are_of_one_mind()
    assert shown(two, Person, two.person)["lives_at"] == "in a hostel"
    assert shown(two, Person, two.person)["contested"] == "", "it was written over what stood there"
    assert shown(two, AccessNote, two.access)["gone"] == 1


def test_laptops_that_were_shown_two_histories_say_so(two: Team) -> None:
    first, other = two.laptops
    do(other.vault, lambda s: people.describe(s, two.person, pronouns="they/them"))
    elsewhere = Hub()
    elsewhere.book, elsewhere.log = two.hub.book, list(two.hub.log)
    do(first.vault, lambda s: people.describe(s, two.person, pronouns="she/her"))
    first.hub = elsewhere
    first.push()
    first.pull()
    other.push()
    do(first.vault, lambda s: people.describe(s, two.person, pronouns="xe/xem"))
    first.hub = two.hub
    first.push(answered=False)
    before = other.digest()
    with pytest.raises(HubMistrusted, match="two different histories"):
        other.pull()
    assert other.digest() == before


def test_what_could_not_be_opened_at_first_takes_its_own_place_when_its_key_comes(two: Team) -> None:
    """A laptop that is given a key late has folded later changes without the earlier ones, and must show the same in the end."""
    first, other = two.laptops
    alert = do(first.vault, alerts.raise_alert, two.person, "Dog, it bites")
    do(first.vault, people.describe, two.person, name="Keira L", lives_at="in a hostel")
    entry = do(first.vault, journal.write, NewEntry(two.person, said="sealed with an older key")).entry_id
    first.push()
    other.pull(missing=two.key)
    do(first.vault, lambda s: s.amend(Alert, alert, text="No dog", on=False))
    do(first.vault, people.describe, two.person, name="Keira M")
    do(other.vault, people.describe, two.person, pronouns="they/them", lives_at="with her nan again")
    first.push()
    other.pull()
    assert entry not in other.rows()["journal_entry"]
    do(first.vault, people.describe, two.person, talking="Short texts")
    first.push()
    other.pull(keys={1: two.key.secret})
    assert ask(other.vault, journal.entry, entry).said == "sealed with an older key"
    assert ask(other.vault, journal.find, "sealed older")[0][1].id == entry
    other.is_as_the_model_says()
    two.are_of_one_mind()
    assert shown(two, Alert, alert)["text"] == "No dog"
    assert shown(two, Person, two.person)["name"] == "Keira M"
    assert not other.on_thread(lambda: other.vault.connection.execute("SELECT 1 FROM put_aside").fetchall())


def test_however_a_third_laptop_receives_two_histories_it_shows_the_same() -> None:
    shown_at: set[str] = set()
    for most in (1, 2, 1000):
        team = Team(3)
        try:
            for number, which in enumerate((0, 1, 0, 1)):
                do(team.laptops[which].vault, people.describe, team.person, name=f"Keira {number}", lives_at=f"place {number}")
            for laptop in (team.laptops[1], team.laptops[0]):
                laptop.push(answered=False)
            third = team.laptops[2]
            for _ in team.hub.log:
                third.pull(most)
                third.is_as_the_model_says()
            team.are_of_one_mind()
            shown_at.add(repr([third.rows()["person"][team.person][name] for name in ("name", "lives_at", "contested")]))
        finally:
            team.close()
    assert len(shown_at) == 1
