"""Written apart, on the screens: said in words wherever it is shown, settled by one key, and never under somebody's hands."""

from __future__ import annotations

from typing import Any, cast

import pytest

from leadworker.desk import Desk
from leadworker.domain import alerts, caseload, conflicts, people, visits
from leadworker.domain.people import Person
from screens.alert_form import EndAlertForm
from screens.apart import AnotherForm, ApartPage, VersionsDialog
from screens.app import LeadworkerApp
from screens.history import HistoryDialog
from screens.meanwhile import MeanwhileDialog
from screens.note import NotePage
from screens.person_form import PersonForm
from screens.text_field import TextField
from screens.today import TodayPage
from storage.vault import Vault
from tests.colleague import Colleague
from tests.screen_world import StillClock, WorldDoor, opened, seen, settle, type_in

pytest_plugins = ["tests.screen_fixtures"]

NAN = "with her nan, 3 Mill Lane"
FEN = "14 Fen Court, with mum"


def words(app: LeadworkerApp) -> str:
    """Return the words on the screen with single spaces."""
    return " ".join(seen(app).split())


async def keira(app: LeadworkerApp) -> str:
    return (await app.desk.ask(caseload.resolve, "Keira")).id


class Ruth:
    """A colleague who writes while the program is open."""

    def __init__(self, app: LeadworkerApp, clock: StillClock, name: str = "Ruth Adeyemi") -> None:
        self.desk = cast(Desk, app.open_desk)
        self.clock = clock
        self.colleague = Colleague(cast(Vault, self.desk._keeper), name)

    async def writes(self, person: str, topic: str, record: str, **values: Any) -> None:
        """Let her change come in, as a sync would bring it. She has seen what had been sent when she came."""
        self.desk.ring(self.colleague.writes(person, topic, record, values, self.clock.at(18, 12, 5)))


async def two_places(app: LeadworkerApp, clock: StillClock, pilot: Any) -> tuple[str, Ruth]:
    """Let Alex and Ruth write apart where Keira lives."""
    person, ruth = await keira(app), Ruth(app, clock)
    await app.desk.do(people.describe, person, lives_at=FEN + ".")
    await ruth.writes(person, "person", person, lives_at=NAN)
    await settle(pilot)
    return person, ruth


async def lives_at(app: LeadworkerApp) -> str:
    return (await app.desk.ask(people.facts, await keira(app))).lives_at


async def test_what_was_written_apart_is_a_thing_to_do_on_today_and_one_enter_away(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 40)) as pilot:
        await two_places(app, clock, pilot)
        assert "1 written apart" in words(app)
        assert "! Keira Okafor-Lane where they live you and Ruth" in words(app)
        assert "c choose" in seen(app).splitlines()[-1], "what has to be done is named"
        app.screen.query_one("#apart").focus()
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, ApartPage)
        for said in (FEN, NAN, "yours", "Ruth Adeyemi's", "12:05", "on the central store 12:06", "here", "Nothing is lost"):
            assert said in words(app), said


@pytest.mark.parametrize(("key", "kept"), [("y", FEN + "."), ("t", NAN), ("b", f"Alex Morgan: {FEN}.\nRuth Adeyemi: {NAN}")])
async def test_one_key_settles_it(app: LeadworkerApp, clock: StillClock, key: str, kept: str) -> None:
    async with opened(app) as pilot:
        await two_places(app, clock, pilot)
        await pilot.press("c")
        await settle(pilot)
        assert "y yours t theirs b both" in " ".join(seen(app).splitlines()[-1].split())
        await pilot.press(key)
        await settle(pilot)
        assert await lives_at(app) == kept
        assert await app.desk.ask(conflicts.open_conflicts) == ()
        rest = "Both stand, with who said which." if key == "b" else "The other stays in the history."
        assert f"Settled: where they live. {rest}" in words(app) and "Nothing is left to choose. Esc goes back." in words(app)
        app.open_person(await keira(app))
        await settle(pilot)
        assert kept.replace("\n", "; ") in words(app), "whose words they are can be told apart"
        await pilot.press("escape")
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage) and "written apart" not in words(app)
        assert "v visit" in seen(app).splitlines()[-1] and "c choose" not in words(app)


async def test_after_a_choice_u_shows_the_same_versions_to_choose_again(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        await two_places(app, clock, pilot)
        await pilot.press("c")
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
        assert "The other stays in the history. u chooses" in words(app), "the notice may run on to another line"
        await pilot.press("u")
        await settle(pilot)
        assert NAN in words(app) and FEN in words(app) and "Esc leaves it as you chose." in words(app)
        for key in ("down", "enter"):
            await pilot.press(key)
            await settle(pilot)
        chosen = await lives_at(app)
        await pilot.press("u")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert {chosen, await lives_at(app)} == {NAN, FEN + "."}
        assert await app.desk.ask(conflicts.open_conflicts) == (), "one person chose; nobody is asked"


async def test_of_what_a_colleague_wrote_after_a_choice_nothing_is_taken_back_unread(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        person, ruth = await two_places(app, clock, pilot)
        await pilot.press("c")
        await settle(pilot)
        await pilot.press("y")
        await settle(pilot)
        ruth.colleague.looks()
        ruth.colleague.writes(person, "person", person, {"lives_at": "in a hostel"}, clock.at(18, 14))
        await pilot.press("u")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "Ruth Adeyemi wrote another version meanwhile. Nothing was changed" in words(app)
        assert await lives_at(app) == "in a hostel"


async def test_of_two_addresses_that_were_both_kept_find_tells_whose_is_which(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await app.desk.do(people.describe, await keira(app), lives_at="Alex: Fen Court\nRuth: Mill Lane")
        await pilot.press("slash")
        await type_in(pilot, "keira")
        await settle(pilot)
        assert "Alex: Fen Court; Ruth: Mill Lane" in words(app)


async def test_another_value_is_typed_and_what_was_typed_survives_leaving_the_form(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        await two_places(app, clock, pilot)
        await pilot.press("c")
        await settle(pilot)
        await pilot.press("e")
        await settle(pilot)
        assert isinstance(app.screen, AnotherForm) and NAN in words(app)
        field = app.screen.query_one("#field-value", TextField)
        field.load_text("moving between the two, she says")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert await lives_at(app) == "moving between the two, she says"
        assert isinstance(app.screen, ApartPage)


async def test_of_three_versions_every_one_is_shown_whole_and_enter_keeps_the_selected_one(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        priya = Ruth(app, clock, "Priya Nair")
        person, _ = await two_places(app, clock, pilot)
        await priya.writes(person, "person", person, lives_at="in a hostel")
        await pilot.press("c")
        await settle(pilot)
        assert "in a hostel" in words(app) and NAN in words(app) and FEN in words(app)
        await pilot.press("t")
        await settle(pilot)
        assert "There is more than one of theirs." in words(app)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, VersionsDialog)
        chosen = app.screen.query_one("#versions").selected  # type: ignore[attr-defined]
        await pilot.press("enter")
        await settle(pilot)
        assert await lives_at(app) == chosen.value


async def test_a_time_cannot_be_two_times_and_another_one_is_read_as_people_say_it(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        person, ruth = await keira(app), Ruth(app, clock)
        visit = next(row for row in await app.desk.ask(visits.of_person, person) if row.starts_ms == clock.at(21, 10).ms)
        await app.desk.do(visits.move, visit.id, clock.at(21, 11))
        await ruth.writes(person, "visit", visit.id, starts_ms=clock.at(20, 9).ms, starts_offset=0, state="planned")
        await pilot.press("c")
        await settle(pilot)
        assert "Thu 20 Nov 09:00" in words(app) and "Fri 21 Nov 11:00" in words(app) and "the earlier one is shown" in words(app)
        await pilot.press("b")
        await settle(pilot)
        assert "Both cannot hold at once" in words(app)
        await pilot.press("e")
        await settle(pilot)
        await type_in(pilot, "fri 21 nov 2pm", "ctrl+s")
        await settle(pilot)
        moved = next(row for row in await app.desk.ask(visits.of_person, person) if row.id == visit.id)
        assert (moved.starts_ms, moved.contested) == (clock.at(21, 14).ms, "")


async def test_it_is_said_in_words_wherever_the_value_is_shown(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 40)) as pilot:
        person, ruth = await two_places(app, clock, pilot)
        (dog, *_) = await app.desk.ask(alerts.at_the_door, person)
        await app.desk.do(alerts.end_alert, dog.id, "the dog moved out")
        await ruth.writes(person, "alert", dog.id, text="Dog in the hall. It bites.", on=True)
        visit = (await app.desk.ask(visits.on_day, clock.now().date()))[0]
        await app.desk.do(visits.cancel, visit.id)
        await ruth.writes(person, "visit", visit.id, state="planned", starts_ms=clock.at(18, 16).ms, starts_offset=0)
        await settle(pilot)
        today = words(app)
        assert "ended by one, not by another" in today and "Cancelled by one, not by another; c shows both." in today
        await pilot.press("2", "enter")
        await settle(pilot)
        assert "(two versions, c shows both)" in words(app)
        await pilot.press("tab", "tab")
        await settle(pilot)
        assert "cancelled by one, not by another" in words(app)


async def test_the_history_is_one_key_away_and_names_who_settled_it(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 40)) as pilot:
        await two_places(app, clock, pilot)
        await pilot.press("c")
        await settle(pilot)
        await pilot.press("h")
        await settle(pilot)
        assert isinstance(app.screen, HistoryDialog)
        assert "two versions stand" in words(app)
        await pilot.press("escape")
        await settle(pilot)
        await pilot.press("t")
        await settle(pilot)
        await pilot.press("2", "enter")
        await settle(pilot)
        await pilot.press("h")
        await settle(pilot)
        shown = words(app)
        assert f"{NAN} now you, 14:32, chosen from 2 versions, here" in shown
        assert FEN + "." in shown


async def test_the_command_is_found_by_name(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "slash", ">choose", "enter")
        await settle(pilot)
        assert isinstance(app.screen, ApartPage) and "Nobody wrote anything apart." in words(app)
        assert seen(app).splitlines()[-1].split() == ["f1", "help"], "no key is offered that does nothing"


# Under somebody's hands


async def test_a_note_that_is_being_written_is_not_touched_by_what_comes_in(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        person, ruth = await keira(app), Ruth(app, clock)
        await pilot.press("n")
        await settle(pilot)
        await type_in(pilot, "visit home today", "tab", "Keira and Mum")
        page, focused = app.screen, app.screen.focused
        before = {field.id: field.text for field in page.query(TextField)}
        await ruth.writes(person, "person", person, name="Keira Okafor", lives_at=NAN)
        await ruth.writes(person, "journal_entry", "", person_id=person, said="I slept.", happened_ms=1)
        await settle(pilot)
        assert app.screen is page and isinstance(page, NotePage) and page.focused is focused
        assert {field.id: field.text for field in page.query(TextField)} == before
        await type_in(pilot, " at the door")
        assert "Keira and Mum at the door" in words(app)


async def change_where_she_lives(app: LeadworkerApp, pilot: Any, text: str) -> None:
    """Open the form about Keira and type where she lives."""
    await pilot.press("2", "enter")
    await settle(pilot)
    await pilot.press("e")
    await settle(pilot)
    assert isinstance(app.screen, PersonForm)
    app.screen.query_one("#field-lives_at", TextField).load_text(text)
    await settle(pilot)


async def test_a_form_is_not_touched_by_what_comes_in_and_says_so_before_it_saves(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 30)) as pilot:
        person, ruth = await keira(app), Ruth(app, clock)
        await change_where_she_lives(app, pilot, "in a hostel")
        form = app.screen
        await ruth.writes(person, "person", person, lives_at=NAN)
        await settle(pilot)
        assert app.screen is form and form.query_one("#field-lives_at", TextField).text == "in a hostel"
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, MeanwhileDialog)
        for said in ("Ruth Adeyemi changed this meanwhile.", "Nothing is saved yet", "yours", "in a hostel", NAN, "12:05"):
            assert said in words(app), said
        assert await lives_at(app) == NAN


@pytest.mark.parametrize(("key", "kept"), [("y", "in a hostel"), ("t", NAN), ("b", f"Alex Morgan: in a hostel\nRuth Adeyemi: {NAN}")])
async def test_what_somebody_chooses_in_the_form_is_saved_and_settles_it(
    app: LeadworkerApp, clock: StillClock, key: str, kept: str
) -> None:
    async with opened(app, (80, 30)) as pilot:
        person, ruth = await keira(app), Ruth(app, clock)
        await change_where_she_lives(app, pilot, "in a hostel")
        app.screen.query_one("#field-pronouns").value = "they/them"  # type: ignore[attr-defined]
        await ruth.writes(person, "person", person, lives_at=NAN)
        await pilot.press("ctrl+s")
        await settle(pilot)
        await pilot.press(key)
        await settle(pilot)
        facts = await app.desk.ask(people.facts, person)
        assert (facts.lives_at, facts.pronouns, facts.contested) == (kept, "they/them", "")
        assert not isinstance(app.screen, PersonForm | MeanwhileDialog), "the form has gone, saved"


async def test_back_from_the_question_is_the_form_as_it_was_with_nothing_saved(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 30)) as pilot:
        person, ruth = await keira(app), Ruth(app, clock)
        await change_where_she_lives(app, pilot, "in a hostel")
        await ruth.writes(person, "person", person, lives_at=NAN)
        await pilot.press("ctrl+s")
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, PersonForm)
        assert app.screen.query_one("#field-lives_at", TextField).text == "in a hostel"
        assert "in a hostel" not in [said.value for said in await app.desk.ask(lambda s: s.history(Person, person))]


async def test_what_was_typed_before_a_lock_is_still_typed_upon_the_old_words(
    app: LeadworkerApp, clock: StillClock, door: WorldDoor
) -> None:
    """The form comes back after a lock with what was typed, and only that: what others wrote in other fields is not undone."""
    async with opened(app, (80, 30)) as pilot:
        person, ruth = await keira(app), Ruth(app, clock)
        await change_where_she_lives(app, pilot, "in a hostel")
        await cast(PersonForm, app.screen).keep()
        app.pop_screen()
        await settle(pilot)
        await ruth.writes(person, "person", person, lives_at=NAN, talking="Ring, do not text.")
        await settle(pilot)
        await pilot.press("e")
        await settle(pilot)
        form = app.screen
        assert isinstance(form, PersonForm)
        assert form.query_one("#field-lives_at", TextField).text == "in a hostel"
        assert form.query_one("#field-talking", TextField).text == "Ring, do not text."
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, MeanwhileDialog) and NAN in words(app)
        await pilot.press("y")
        await settle(pilot)
        facts = await app.desk.ask(people.facts, person)
        assert (facts.lives_at, facts.talking) == ("in a hostel", "Ring, do not text.")


async def test_an_alert_that_has_other_words_by_now_is_not_ended_unread(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 30)) as pilot:
        person, ruth = await keira(app), Ruth(app, clock)
        dog = (await app.desk.ask(alerts.at_the_door, person))[0]
        app.push_screen(EndAlertForm(dog))
        await settle(pilot)
        await type_in(pilot, "no dog seen")
        await ruth.writes(person, "alert", dog.id, text="Dog in the hall. It bit Sam.")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, EndAlertForm)
        assert "Ruth Adeyemi changed this alert meanwhile (alert: Dog in the hall. It bit Sam.)." in words(app)
        assert "It bit Sam." in [line.text[-11:] for line in await app.desk.ask(alerts.at_the_door, person)]
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert all(line.id != dog.id for line in await app.desk.ask(alerts.at_the_door, person))


async def test_a_choice_that_somebody_else_made_meanwhile_is_said_and_nothing_is_changed(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        person, ruth = await two_places(app, clock, pilot)
        await pilot.press("c")
        await settle(pilot)
        ruth.colleague.looks()
        ruth.colleague.writes(person, "person", person, {"lives_at": NAN}, clock.at(18, 14))  # the page has not heard of it yet
        await pilot.press("y")
        await settle(pilot)
        assert "Ruth Adeyemi settled this meanwhile." in words(app)
        assert await lives_at(app) == NAN
