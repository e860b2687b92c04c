"""What was written apart is put before a person, in words, on every laptop, until one of them has chosen; nothing of it is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadworker import change
from leadworker.clock import Moment
from leadworker.domain import actions, alerts, conflicts, people, visits
from leadworker.domain.actions import Action
from leadworker.domain.alerts import Alert
from leadworker.domain.conflicts import ChangedMeanwhile, Choice, Conflict
from leadworker.domain.people import Person
from leadworker.domain.visits import CANCELLED, PLANNED, Visit
from leadworker.errors import NotUnderstood
from leadworker.record import new_id
from storage import anchor
from tests.apart import OWNERS, Laptop, Team, model, model_conflicts
from tests.vaults import ask, do

ALEX, ROBIN, NOOR = OWNERS[:3]


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "_write_durably", lambda file, through, data, at: anchor._write_at(file, data, at))


@pytest.fixture
def two() -> Iterator[Team]:
    team = named(Team(2))
    yield team
    team.close()


@pytest.fixture
def three() -> Iterator[Team]:
    team = named(Team(3))
    yield team
    team.close()


def named(team: Team) -> Team:
    """Let every laptop know its colleagues by name, as the directory does."""
    for laptop in team.laptops:
        for other in team.laptops:
            values = (other.vault.identity.device.hex(), other.owner, int(other is laptop))
            sql = "INSERT INTO writer (device, name, mine) VALUES (?, ?, ?) ON CONFLICT (device) DO NOTHING"
            laptop.in_transaction(lambda t, sql=sql, values=values: t.connection.execute(sql, values))
    return team


def apart(team: Team, *deeds: Callable[[Any], object]) -> None:
    """Let each laptop write without having heard of the others, then come together."""
    for laptop, deed in zip(team.laptops, deeds, strict=False):
        do(laptop.vault, deed)
    team.are_of_one_mind()


def lives(where: str) -> Callable[[Team], Callable[[Any], object]]:
    return lambda team: lambda shelf: people.describe(shelf, team.person, lives_at=where)


def only(laptop: Laptop) -> Conflict:
    (one,) = laptop.conflicts()
    return one


def version_of(shown: Conflict, name: str) -> str:
    return next(version.change for version in shown.versions if version.written_by == name)


def lives_at(team: Team) -> str:
    """Return where the person lives, as every laptop shows it."""
    (said,) = {ask(laptop.vault, people.facts, team.person).lives_at for laptop in team.laptops}
    return said


def test_both_laptops_show_both_versions_with_who_wrote_them_and_when(two: Team) -> None:
    apart(two, lives("at her aunt's")(two), lives("in a hostel")(two))
    for laptop, other in (two.laptops, two.laptops[::-1]):
        shown = only(laptop)
        assert (shown.person_name, shown.what, shown.title) == ("Keira Lane", "where they live", "")
        assert {version.words: version.written_by for version in shown.versions} == {"at her aunt's": ALEX, "in a hostel": ROBIN}
        assert [version.written_by for version in shown.mine()] == [laptop.owner]
        assert [version.written_by for version in shown.theirs()] == [other.owner]
        assert all(version.wrote_ms and version.whereabouts() == "on the central store" for version in shown.versions)
        assert shown.both
        assert shown.meanwhile == "While it is open, the one written last is shown."


@pytest.mark.parametrize("chooser", [0, 1])
@pytest.mark.parametrize("name", [ALEX, ROBIN])
def test_one_chooses_and_nobody_is_asked_any_more(two: Team, chooser: int, name: str) -> None:
    apart(two, lives("at her aunt's")(two), lives("in a hostel")(two))
    laptop = two.laptops[chooser]
    assert do(laptop.vault, conflicts.settle, only(laptop), Choice(version=version_of(only(laptop), name)))
    two.are_of_one_mind()
    assert [laptop.conflicts() for laptop in two.laptops] == [(), ()]
    assert lives_at(two) == {ALEX: "at her aunt's", ROBIN: "in a hostel"}[name]


def test_both_are_kept_one_beneath_the_other_with_who_said_which(two: Team) -> None:
    apart(two, lives("at her aunt's")(two), lives("in a hostel")(two))
    do(two.laptops[1].vault, conflicts.settle, only(two.laptops[1]), Choice(both=True))
    two.are_of_one_mind()
    assert set(lives_at(two).split("\n")) == {f"{ALEX}: at her aunt's", f"{ROBIN}: in a hostel"}


def test_a_third_value_is_written_by_hand(two: Team) -> None:
    apart(two, lives("at her aunt's")(two), lives("in a hostel")(two))
    first = two.laptops[0]
    with pytest.raises(NotUnderstood, match="nothing in it yet"):
        do(first.vault, conflicts.settle, only(first), Choice(value="  "))
    do(first.vault, conflicts.settle, only(first), Choice(value="with a friend, she says"))
    two.are_of_one_mind()
    assert lives_at(two) == "with a friend, she says"


def test_what_cannot_both_hold_is_not_offered_as_both(two: Team) -> None:
    apart(
        two,
        lambda s: visits.move(s, two.visit, Moment(1_795_009_000_000, 60)),
        lambda s: visits.move(s, two.visit, Moment(1_795_000_060_000)),
    )
    first = two.laptops[0]
    shown = only(first)
    assert (shown.what, shown.both, shown.by_hand) == ("when the visit is", False, True)
    with pytest.raises(NotUnderstood, match="Both cannot hold"):
        do(first.vault, conflicts.settle, shown, Choice(both=True))
    do(first.vault, conflicts.settle, shown, Choice(version=version_of(shown, ALEX)))
    two.are_of_one_mind()
    for laptop in two.laptops:
        visit = ask(laptop.vault, lambda s: s.get(Visit, two.visit))
        assert (visit.starts_ms, visit.starts_offset) == (1_795_009_000_000, 60), "the clock that it was said by goes along"


def test_a_choice_silences_no_version_that_it_had_not_seen(three: Team) -> None:
    """Also one that this laptop had received meanwhile, while the choice was still on the screen."""
    alex, robin, noor = three.laptops
    do(alex.vault, lives("at her aunt's")(three))
    do(robin.vault, lives("in a hostel")(three))
    do(noor.vault, lives("with a friend")(three))
    for laptop in (alex, robin):
        laptop.push()
    alex.pull()
    shown = only(alex)
    noor.push()
    alex.pull()
    assert not do(alex.vault, conflicts.settle, shown, Choice(version=version_of(shown, ROBIN)))
    assert {version.words for version in only(alex).versions} == {"in a hostel", "with a friend"}
    three.are_of_one_mind()
    for laptop in three.laptops:
        assert {version.words for version in only(laptop).versions} == {"in a hostel", "with a friend"}


def test_a_version_that_could_not_be_opened_yet_is_not_silenced_by_a_choice_made_without_it(three: Team) -> None:
    alex, robin, noor = three.laptops
    do(noor.vault, lives("with a friend")(three))
    noor.push()
    robin.pull(missing=three.key)  # Robin's laptop holds its number, and nobody there could read it
    do(alex.vault, lives("at her aunt's")(three))
    do(robin.vault, lives("in a hostel")(three))
    alex.push()
    robin.push()
    robin.pull()
    assert {version.words for version in only(robin).versions} == {"at her aunt's", "in a hostel"}
    do(robin.vault, conflicts.settle, only(robin), Choice(version=version_of(only(robin), ALEX)))
    robin.push()
    noor.pull()
    assert "with a friend" in {version.words for version in only(noor).versions}, "Robin chose between two, not between three"
    three.are_of_one_mind()


def test_two_who_choose_the_same_apart_have_settled_it_and_two_who_choose_differently_are_asked_again(two: Team) -> None:
    for wanted, open_after in (((ALEX, ALEX), 0), ((ALEX, ROBIN), 1)):
        apart(two, lives(f"at her aunt's {open_after}")(two), lives(f"in a hostel {open_after}")(two))
        for laptop, name in zip(two.laptops, wanted, strict=True):
            do(laptop.vault, conflicts.settle, only(laptop), Choice(version=version_of(only(laptop), name)))
            assert laptop.conflicts() == ()
        two.are_of_one_mind()
        assert [len(laptop.conflicts()) for laptop in two.laptops] == [open_after, open_after]
    do(two.laptops[0].vault, conflicts.settle, only(two.laptops[0]), Choice(both=True))
    two.are_of_one_mind()
    assert [laptop.conflicts() for laptop in two.laptops] == [(), ()]


def test_two_who_keep_both_apart_have_written_the_same(two: Team) -> None:
    apart(two, lives("at her aunt's")(two), lives("in a hostel")(two))
    for laptop in two.laptops:
        do(laptop.vault, conflicts.settle, only(laptop), Choice(both=True))
    two.are_of_one_mind()
    assert [laptop.conflicts() for laptop in two.laptops] == [(), ()]
    assert lives_at(two).count("\n") == 1


def test_what_a_colleague_settled_meanwhile_is_not_settled_again(two: Team) -> None:
    apart(two, lives("at her aunt's")(two), lives("in a hostel")(two))
    alex, robin = two.laptops
    shown = only(alex)
    do(robin.vault, conflicts.settle, only(robin), Choice(version=version_of(only(robin), ROBIN)))
    two.come_together()
    with pytest.raises(NotUnderstood, match="Robin Hale settled this meanwhile"):
        do(alex.vault, conflicts.settle, shown, Choice(version=version_of(shown, ALEX)))
    assert lives_at(two) == "in a hostel"


def test_the_history_shows_every_version_and_who_settled_it(two: Team) -> None:
    apart(two, lives("at her aunt's")(two), lives("in a hostel")(two))
    robin = two.laptops[1]
    do(robin.vault, conflicts.settle, only(robin), Choice(version=version_of(only(robin), ALEX)))
    two.are_of_one_mind()
    for laptop in two.laptops:
        said = [one for one in ask(laptop.vault, lambda s: s.history(Person, two.person)) if one.field == "lives_at"]
        first, *versions, settled = said
        assert (first.value, first.stands) == ("with her nan", False)
        assert {(one.value, one.written_by, one.stands) for one in versions} == {
            ("at her aunt's", ALEX, False), ("in a hostel", ROBIN, False),
        }  # fmt: skip
        assert (settled.value, settled.written_by, settled.over, settled.stands) == ("at her aunt's", ROBIN, 2, True)


def test_the_history_shows_of_two_who_settle_it_at_once_that_each_chose_from_what_they_were_shown(two: Team) -> None:
    apart(two, lives("at her aunt's")(two), lives("in a hostel")(two))
    for laptop, name in zip(two.laptops, (ALEX, ROBIN), strict=True):
        do(laptop.vault, conflicts.settle, only(laptop), Choice(version=version_of(only(laptop), name)))
    two.are_of_one_mind()
    for laptop in two.laptops:
        said = [one for one in ask(laptop.vault, lambda s: s.history(Person, two.person)) if one.field == "lives_at"]
        assert [(one.value, one.written_by, one.over) for one in said[-2:]] == [("at her aunt's", ALEX, 2), ("in a hostel", ROBIN, 2)]
    do(two.laptops[0].vault, conflicts.settle, only(two.laptops[0]), Choice(version=version_of(only(two.laptops[0]), ROBIN)))
    last = ask(two.laptops[0].vault, lambda s: s.history(Person, two.person))[-1]
    assert (last.value, last.over) == ("in a hostel", 2), "of the two choices, not of all that was ever written"


def test_of_a_quiet_field_the_one_that_lost_is_in_the_history(two: Team) -> None:
    apart(two, lambda s: people.describe(s, two.person, pronouns="she/her"), lambda s: people.describe(s, two.person, pronouns="they/them"))
    for laptop in two.laptops:
        assert laptop.conflicts() == ()
        said = {one.value: one.stands for one in ask(laptop.vault, lambda s: s.history(Person, two.person)) if one.field == "pronouns"}
        assert said == {"she/her": True, "they/them": True}


# While it is open


def test_who_corrects_what_a_fast_clock_wrote_does_not_lose_to_somebody_who_saw_neither(three: Team) -> None:
    """Alex's clock is four minutes ahead and Noor's two. What wins over Noor's words is not lost for being corrected by Robin."""
    alex, robin, noor = three.laptops
    alex.clock.at += timedelta(minutes=4)
    noor.clock.at += timedelta(minutes=2)
    do(alex.vault, lambda shelf: people.describe(shelf, three.person, pronouns="she/her"))
    alex.push()
    robin.pull()
    do(robin.vault, lambda shelf: people.describe(shelf, three.person, pronouns="they/them"))
    do(noor.vault, lambda shelf: people.describe(shelf, three.person, pronouns="xe/xem"))
    three.are_of_one_mind()
    assert {ask(laptop.vault, people.facts, three.person).pronouns for laptop in three.laptops} == {"they/them"}


def test_an_action_that_one_finishes_and_another_finds_open_again_is_open_and_says_of_nobody_that_they_did_it(two: Team) -> None:
    def done_and_not(shelf: Any) -> None:
        actions.finish(shelf, two.action)
        actions.reopen(shelf, two.action)

    apart(two, lambda s: actions.finish(s, two.action), done_and_not)
    for laptop in two.laptops:
        (row,) = ask(laptop.vault, actions.of_person, two.person)
        assert (row.done_on, row.done_by) == ("", "")


def test_an_action_that_one_finishes_and_another_words_anew_keeps_both(two: Team) -> None:
    apart(two, lambda s: actions.finish(s, two.action), lambda s: s.amend(Action, two.action, text="Text Sam and Mia"))
    for laptop in two.laptops:
        (row,) = ask(laptop.vault, actions.of_person, two.person)
        assert (row.text, bool(row.done_on), row.done_by) == ("Text Sam and Mia", True, ALEX)


def test_a_visit_that_one_cancels_and_another_moves_takes_place_until_somebody_says_which(two: Team) -> None:
    apart(two, lambda s: visits.cancel(s, two.visit), lambda s: visits.move(s, two.visit, Moment(1_795_009_000_000)))
    for laptop in two.laptops:
        (row,) = ask(laptop.vault, visits.of_person, two.person)
        assert (row.state, row.starts_ms, row.contested) == (PLANNED, 1_795_009_000_000, "state")
        assert {version.words for version in only(laptop).versions} == {"cancelled", "planned"}
    do(two.laptops[1].vault, conflicts.settle, only(two.laptops[1]), Choice(version=version_of(only(two.laptops[1]), ALEX)))
    two.are_of_one_mind()
    assert {ask(laptop.vault, visits.of_person, two.person)[0].state for laptop in two.laptops} == {CANCELLED}


def test_a_visit_that_one_cancels_and_another_writes_up_is_asked_about_and_counts_as_written_up_until_then(two: Team) -> None:
    written = new_id()
    apart(two, lambda s: visits.cancel(s, two.visit), lambda s: visits.written_up(s, two.visit, written))
    for laptop in two.laptops:
        (row,) = ask(laptop.vault, visits.of_person, two.person)
        assert (row.state, row.entry_id, row.contested) == (PLANNED, written, "state")
        assert {version.words for version in only(laptop).versions} == {"cancelled", "planned"}
    do(two.laptops[0].vault, conflicts.settle, only(two.laptops[0]), Choice(version=version_of(only(two.laptops[0]), ROBIN)))
    two.are_of_one_mind()
    assert {ask(laptop.vault, visits.of_person, two.person)[0].state for laptop in two.laptops} == {PLANNED}


def test_an_alert_that_one_ends_and_another_keeps_is_at_the_door_and_says_that_it_is_open(two: Team) -> None:
    def ended_and_back(shelf: Any) -> None:
        alerts.end_alert(shelf, two.alert, "a mistake")
        shelf.amend(Alert, two.alert, on=True, ended_because="")

    apart(two, lambda s: alerts.end_alert(s, two.alert, "the dog moved out"), ended_and_back)
    for laptop in two.laptops:
        (line,) = [one for one in ask(laptop.vault, alerts.at_the_door, two.person) if one.kind == "alert"]
        assert line.contested == "on"
        assert {version.words for version in only(laptop).versions} == {"on", "ended (the dog moved out)"}
        assert only(laptop).title == "Dog"


# What stands on a screen


def test_what_is_written_upon_an_old_screen_takes_no_newer_words_place(two: Team) -> None:
    alex, robin = two.laptops
    marks = ask(alex.vault, people.facts, two.person).marks
    do(robin.vault, lives("in a hostel")(two))
    two.come_together()

    def upon_the_screen(shelf: Any) -> None:
        with shelf.as_shown(two.person, marks):
            people.describe(shelf, two.person, lives_at="at her aunt's", pronouns="she/her")

    do(alex.vault, upon_the_screen)
    two.are_of_one_mind()
    for laptop in two.laptops:
        assert {version.words for version in only(laptop).versions} == {"at her aunt's", "in a hostel"}
        assert ask(laptop.vault, people.facts, two.person).pronouns == "she/her"


def test_who_writes_upon_an_old_screen_is_told_first_what_has_changed_and_by_whom(two: Team) -> None:
    alex, robin = two.laptops
    marks = ask(alex.vault, people.facts, two.person).marks

    def careful(shelf: Any) -> None:
        conflicts.since(shelf, Person, two.person, marks, ("lives_at",))

    do(robin.vault, lambda s: people.describe(s, two.person, pronouns="they/them"))
    two.come_together()
    do(alex.vault, careful)  # something else changed
    do(robin.vault, lives("in a hostel")(two))
    two.come_together()
    with pytest.raises(ChangedMeanwhile, match="Robin Hale changed this meanwhile") as told:
        do(alex.vault, careful)
    (meanwhile,) = told.value.meanwhile
    assert (meanwhile.field, meanwhile.words, meanwhile.written_by, meanwhile.both) == ("lives_at", "in a hostel", ROBIN, True)
    assert told.value.marks == ask(alex.vault, people.facts, two.person).marks


# In whatever order


@settings(max_examples=25)
@given(st.data())
def test_settling_commutes_can_be_repeated_and_never_opens_what_was_settled(data: st.DataObject) -> None:
    """Whatever order the central store numbers apart-written choices in, and in whatever portions they come, all show the same."""
    team = named(Team(3))
    try:
        fields = [lives("a"), lambda t: lambda s: s.amend(Alert, t.alert, text="A new dog"), lambda t: lambda s: visits.cancel(s, t.visit)]
        for at, laptop in enumerate(team.laptops):
            do(laptop.vault, lives(f"place {at % 2}")(team))
            do(laptop.vault, lambda s, at=at: s.amend(Alert, team.alert, text="Dog" * at))
            do(laptop.vault, data.draw(st.sampled_from(fields))(team))
        team.come_together()
        settled_before: dict[str, set[str]] = {}
        for laptop in team.laptops:
            for shown in laptop.conflicts():
                wanted = data.draw(st.sampled_from([*range(len(shown.versions)), "both", "leave"]))
                if wanted == "both" and shown.both:
                    do(laptop.vault, conflicts.settle, shown, Choice(both=True))
                elif isinstance(wanted, int):
                    do(laptop.vault, conflicts.settle, shown, Choice(version=shown.versions[wanted].change))
                else:
                    continue
                settled_before.setdefault(shown.key, set()).update(version.change for version in shown.versions)
        known = [item for item in team.laptops[0].log() if item[0]]
        fresh = [[item for item in laptop.log() if not item[0]] for laptop in team.laptops]
        said = set()
        for order in itertools.permutations(fresh):
            renumbered = [(len(known) + at, *item[1:]) for at, item in enumerate((one for lane in order for one in lane), start=1)]
            said.add(
                repr(
                    (
                        sorted(model(known + renumbered).items()),
                        sorted((k, sorted(v)) for k, v in model_conflicts(known + renumbered).items()),
                    )
                )
            )
        assert len(said) == 1, "the order in which the central store took them decides nothing"
        for laptop in data.draw(st.permutations(team.laptops)):
            laptop.push()
        for laptop in team.laptops:
            for _ in range(3):
                laptop.pull(data.draw(st.integers(1, 4)))
                laptop.push()  # again: nothing is new
        team.are_of_one_mind()
        for laptop in team.laptops:
            for shown in laptop.conflicts():
                standing = {version.change for version in shown.versions}
                assert not standing & settled_before.get(shown.key, set()), "what somebody chose between comes back by itself"
    finally:
        team.close()


def test_a_forged_choice_cannot_name_what_was_never_written(two: Team) -> None:
    """A name that fits nothing takes nothing's place: the colleague's value stands beside the others, and a person is asked."""
    from tests.apart import forge

    forged = change.Content(1, "person", two.person, change.PUT, {"lives_at": "forged"}, 1 << 50, (0, bytes(32)), 1, 0, (bytes(32),))
    two.hub.take(b"", [forge(two.laptops[1], two.hub, forged)])
    two.come_together()
    assert {version.words for version in only(two.laptops[0]).versions} == {"with her nan", "forged"}


def test_what_was_taken_away_is_asked_about_no_more(two: Team) -> None:
    (first, _), dog = two.laptops, new_id()
    do(first.vault, lambda shelf: shelf.add(Alert, two.person, record_id=dog, person_id=two.person, text="A dog"))
    two.are_of_one_mind()
    apart(two, lambda s: s.amend(Alert, dog, text="A big dog"), lambda s: s.amend(Alert, dog, text="A dog, but friendly"))
    assert only(first).record_id == dog
    do(first.vault, lambda shelf: shelf.drop(Alert, dog))
    two.are_of_one_mind()
    for laptop in two.laptops:
        assert laptop.conflicts() == ()
        assert ask(laptop.vault, conflicts.count) == 0
