"""A key worker's day on the screens: each test is one thing that they must be able to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from leadworker import drives
from leadworker.desk import Carried, PostState
from leadworker.domain import actions, alerts, carrying, caseload, drafts, journal, people, visits
from screens.app import LeadworkerApp
from screens.fields import LineField
from screens.find import FindDialog
from screens.form import Form
from screens.frame import PanelStrip
from screens.note import NotePage
from screens.people import PeoplePage
from screens.person import PersonPage
from screens.stick import StickForm
from screens.sync import SyncPage
from screens.text_field import TextField
from screens.today import TodayPage
from screens.visit_form import VisitForm
from screens.vlist import VList
from sync.live import WITHIN_A_MINUTE
from tests.screen_world import StillClock, StillPost, offline, opened, seen, settle, type_in

pytest_plugins = ["tests.screen_fixtures"]


def words(app: LeadworkerApp) -> str:
    """Return what is on the screen, on one line."""
    return " ".join(seen(app).split())


def shown(app: LeadworkerApp, name: str) -> Any:
    """Return a list of the screen."""
    return app.screen.query_one(f"#{name}", VList)


async def keira(app: LeadworkerApp) -> str:
    return (await app.desk.ask(caseload.resolve, "Keira")).id


async def on_keiras_page(app: LeadworkerApp, pilot: Pilot[Any]) -> PersonPage:
    await pilot.press("2")
    await settle(pilot)
    await pilot.press("enter")
    await settle(pilot)
    assert isinstance(app.screen, PersonPage)
    return app.screen


# Today


async def test_today_shows_the_visits_with_what_to_know_at_the_door_in_full(app: LeadworkerApp) -> None:
    async with opened(app):
        for line in (
            "Tuesday 18 November", "2 visits, 2 due today, 2 late", "15:30 Keira Okafor-Lane", "in 58 min",
            "Dog in the hall. Ring first.", "Craig may be home. Leave no messages with him.", "in 2 h 28",
            "Side gate. Buzzer broken, text when outside.", "3 days late",
        ):  # fmt: skip
            assert line in words(app), line


async def test_the_waiting_time_of_a_visit_is_said_anew_each_minute(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        clock.wait(60 * 4)
        app.tick()
        await settle(pilot)
        assert "in 54 min" in words(app) and "14:36" in words(app)


async def test_space_ticks_an_action_off_and_u_takes_it_back(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        shown(app, "todo").focus()
        before = len(await app.desk.ask(actions.todo))
        await pilot.press("space")
        await settle(pilot)
        assert len(await app.desk.ask(actions.todo)) == before - 1
        assert "u undoes it" in words(app)
        await pilot.press("u")
        await settle(pilot)
        assert len(await app.desk.ask(actions.todo)) == before
        await pilot.press("u")
        await settle(pilot)
        assert "There is nothing to undo." in words(app)


async def test_enter_on_a_visit_opens_the_whole_person(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, PersonPage) and "Give her time to answer." in words(app)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)


async def test_a_draft_is_gone_on_with_from_today(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        shown(app, "unfinished").focus()
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, NotePage)
        assert "Call with Tyler" in words(app) and "He rang by himself." in words(app)


@pytest.mark.parametrize(
    ("word", "goes"),
    [("alone", ""), ("offline", "It will be sent when you are online."), ("up to date", "It goes to the central store by itself.")],
)
async def test_what_was_saved_is_said_to_go_where_it_goes(app: LeadworkerApp, word: str, goes: str) -> None:
    async with opened(app, (100, 30)) as pilot:
        post = app.desk.post
        assert isinstance(post, StillPost)
        post.become(msgspec.structs.replace(post.state, word=word))
        await type_in(pilot, "n", "call @Keira", "enter", "She slept.", "ctrl+s")
        await settle(pilot)
        assert f"Saved on this laptop. {goes}".strip() in words(app)
        assert ("online" in words(app), "by itself" in words(app)) == (word == "offline", word == "up to date")


async def test_a_visit_of_last_week_that_nobody_wrote_up_is_written_up(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        shown(app, "unfinished").focus()
        await pilot.press("down")
        assert "Leah Brandt" in words(app) and "not written up" in words(app)
        await pilot.press("enter")
        await settle(pilot)
        await type_in(pilot, "visit fri 10am", "enter", "Nobody in", "ctrl+s")
        await settle(pilot)
        assert "Saved on this laptop. It will be sent when you are online." in words(app)
        assert not await app.desk.ask(visits.not_written_up)
        leah = await app.desk.ask(caseload.resolve, "Leah")
        assert [entry.seen for entry in await app.desk.ask(journal.timeline, leah.id)] == ["Nobody in"]


# The note


async def test_a_visit_is_written_in_one_go(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("n")
        await settle(pilot)
        await type_in(pilot, "visit @kei", "enter", "home today 2pm 50 min")
        await settle(pilot)
        assert "Visit today 14:00 50 min home Keira Okafor-Lane" in words(app)
        for part in ("Keira alone first", "I slept.", "Drawings up.", "Trust is moving.", "text @Sam Reyes thu"):
            await pilot.press("tab", *part)
        await settle(pilot)
        assert "Text Sam Reyes you, due Thu 20 Nov" in words(app)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        entry = (await app.desk.ask(journal.timeline, await keira(app)))[0]
        assert (entry.kind, entry.minutes, entry.place, entry.precision) == ("visit", 50, "home", "exact")
        assert (entry.seen, entry.said, entry.noticed, entry.think) == (
            "Keira alone first", "I slept.", "Drawings up.", "Trust is moving.",
        )  # fmt: skip
        assert f"{entry.happened().local():%H:%M}" == "14:00" and entry.whereabouts() == "here"
        assert [(a.text, a.due_on, a.mine) for a in entry.actions] == [("Text Sam Reyes", "2025-11-20", True)]
        assert all(draft.first_line == "Call with Tyler" for draft in await app.desk.ask(drafts.unfinished))


async def test_the_list_of_people_opens_at_an_at_sign_and_leaves_other_keys_alone(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "call @")
        await settle(pilot)
        assert "Yusuf Demir" in words(app) and "Leah Brandt" in words(app)
        await pilot.press("down", "escape")
        await settle(pilot)
        assert isinstance(app.screen, NotePage) and "Leah Brandt" not in words(app)
        await pilot.press("y", "tab")
        await settle(pilot)
        assert app.screen.query_one("#what", LineField).value == "call @Yusuf Demir "


async def test_what_could_not_be_read_is_asked_and_nothing_is_refused(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("n")
        await settle(pilot)
        await type_in(pilot, "visit @Nobody 31/02")
        await settle(pilot)
        assert "who is Nobody?" in words(app)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "Saved on this laptop" in words(app), "a question stood in the way of saving"


async def test_a_note_about_nobody_asks_who_and_is_kept(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        app.write_note()
        await settle(pilot)
        await type_in(pilot, "something happened")
        await settle(pilot)
        assert "who? write @ and a name" in words(app)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "Who is this about?" in words(app) and isinstance(app.screen, NotePage)
        await pilot.press("escape")
        await settle(pilot)
        assert "something happened" in words(app), "the draft is not on Today"


async def test_escape_keeps_the_note_as_a_draft(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "half a thought", "escape")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage) and "half a thought" in words(app)


async def test_an_emptied_draft_is_gone(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        shown(app, "unfinished").focus()
        await pilot.press("enter")
        await settle(pilot)
        app.screen.query_one("#what", LineField).value = ""
        app.screen.query_one("#noticed", TextField).load_text("")
        await pilot.press("escape")
        await settle(pilot)
        assert not await app.desk.ask(drafts.unfinished)


async def test_an_empty_note_is_not_saved(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "There are no words in this note yet." in words(app) and isinstance(app.screen, NotePage)


async def test_pressing_save_twice_saves_once(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "@Keira only once")
        await settle(pilot)
        page = app.screen
        assert isinstance(page, NotePage)
        page.action_finish()
        page.action_finish()
        await settle(pilot)
        found = [entry for entry in await app.desk.ask(journal.timeline, await keira(app)) if "only once" in entry.title]
        assert len(found) == 1


# People


async def test_people_narrow_as_you_type_and_enter_opens(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("2")
        await settle(pilot)
        assert isinstance(app.screen, PeoplePage)
        assert "4 people on your caseload, 2 others" in words(app)
        await type_in(pilot, "f", "dem y")
        await settle(pilot)
        assert [row.name for row in shown(app, "people").items] == []
        app.screen.query_one("#filter", LineField).value = "yu dem"
        await settle(pilot)
        assert [row.name for row in shown(app, "people").items] == ["Yusuf Demir"]
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, PersonPage) and "Yusuf Demir about 16" in words(app)


async def test_a_nickname_finds_a_person_too(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("2")
        await settle(pilot)
        await pilot.press("f", "k", "k")
        await settle(pilot)
        assert [row.name for row in shown(app, "people").items] == ["Keira Okafor-Lane"]


async def test_a_person_is_added_with_everything_that_is_known(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("2")
        await settle(pilot)
        await pilot.press("a")
        await settle(pilot)
        fill(app, name="Tia Walsh", also="TT", born="about 13", alert="Never alone with the uncle.", access="Ring twice.",
             reach="07700 900777 hers\ntia@example.org", talking="Slowly.")  # fmt: skip
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, PersonPage)
        for line in ("Tia Walsh about 13 also TT", "Talking: Slowly.", "Never alone with the uncle.", "Ring twice."):
            assert line in words(app), line
        tia = await app.desk.ask(caseload.resolve, "Tia")
        facts = await app.desk.ask(people.facts, tia.id)
        assert [(c.kind, c.value, c.label) for c in facts.contacts] == [
            ("mobile", "07700 900777", "hers"), ("email", "tia@example.org", ""),
        ]  # fmt: skip
        assert facts.on_caseload


async def test_a_wrong_name_is_taken_away_and_brought_back(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await app.desk.ask(caseload.resolve, "Keira")
        wrong = await app.desk.do(people.also_known_as, keira.id, "Kira Wrong")
        app.open_person(keira.id)
        await settle(pilot)
        page = app.screen
        assert isinstance(page, PersonPage)
        page.show_panel("about")
        await settle(pilot)
        panel = page.query_one("#about", VList)
        assert panel.select(wrong)
        await pilot.press("x")
        await settle(pilot)
        assert "Kira Wrong" not in words(app) and "Taken away" in words(app)
        await pilot.press("u")
        await settle(pilot)
        assert "Kira Wrong" in words(app)


def fill(app: LeadworkerApp, **values: str) -> None:
    """Put values into the fields of a form."""
    for name, value in values.items():
        field = app.screen.query_one(f"#field-{name}")
        if isinstance(field, TextField):
            field.load_text(value)
        else:
            assert isinstance(field, LineField)
            field.value = value


async def test_a_second_person_of_almost_the_same_name_is_asked_about_once(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        app.add_person()
        await settle(pilot)
        fill(app, name="keira ókafor lane")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "There is already Keira Okafor-Lane here." in words(app)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, PersonPage)


async def test_a_date_of_birth_that_cannot_be_read_loses_nothing(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        app.add_person()
        await settle(pilot)
        fill(app, name="Tia Walsh", born="when the river froze", alert="A dog.")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "no date of birth or age that leadworker can read" in words(app)
        assert isinstance(app.screen, Form) and app.screen.values()["alert"] == "A dog."
        assert not [row for row in await app.desk.ask(caseload.mine) if row.name == "Tia Walsh"], "half a person was saved"


async def test_who_adds_to_what_stands_in_a_field_goes_on_after_it(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_keiras_page(app, pilot)
        await type_in(pilot, "e", "tab", "tab", "tab", " and aunt")
        await settle(pilot)
        assert app.screen.query_one("#field-lives_at", TextField).text.endswith("with mum and aunt")


async def test_a_form_left_by_a_lock_is_there_again(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        app.add_person()
        await settle(pilot)
        fill(app, name="Tia Walsh", alert="A dog.")
        app.go_to("today")
        await settle(pilot)
        app.add_person()
        await settle(pilot)
        assert "This is what you had typed here before." in words(app)
        assert isinstance(app.screen, Form) and app.screen.values()["name"] == "Tia Walsh"
        await pilot.press("escape")
        await settle(pilot)
        assert "Esc again throws it away" in words(app)
        await pilot.press("escape")
        await settle(pilot)
        app.add_person()
        await settle(pilot)
        assert isinstance(app.screen, Form) and app.screen.values()["name"] == ""


# A person


async def test_a_persons_page_keeps_the_header_on_top_in_every_panel(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_keiras_page(app, pilot)
        for panel in ("Journal", "Actions", "Contact"):
            assert "Keira Okafor-Lane 15 also Kay, KK she/her" in words(app), panel
            assert "Craig may be home. Leave no messages with him." in words(app), panel
            await pilot.press("tab")
            await settle(pilot)


async def test_today_names_no_hour_for_what_was_written_without_one(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await settle(pilot)
        await type_in(pilot, "n", "@Yusuf call today about the bus", "ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        assert "Phone call today Yusuf Demir" in words(app) and "12:00" not in words(app)


async def test_however_many_alerts_there_are_the_journal_can_be_read_and_none_is_left_out_silently(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        who = await keira(app)
        for number in range(30):
            await app.desk.do(alerts.raise_alert, who, f"Alert number {number} of many.")
        page = await on_keiras_page(app, pilot)
        assert "More to know at the door: tab to Contact." in words(app)
        assert page.entries.size.height >= 6
        await pilot.press("tab", "tab", "end")
        await settle(pilot)
        about = [line.words for line in shown(app, "about").items if getattr(line, "kind", "") == "alert"]
        assert len(about) == 32


async def test_tab_goes_through_the_panels_and_a_click_on_a_name_does_too(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        page = await on_keiras_page(app, pilot)
        assert "“It's calmer when Craig's on nights. I actually slept.”" in words(app)
        await pilot.press("tab")
        await settle(pilot)
        assert "Ruth Adeyemi, Mon 24 Nov" in words(app) and "I actually slept" not in words(app)
        await pilot.press("tab")
        await settle(pilot)
        assert "07700 900118 hers" in words(app) and "School KOL-2217" in words(app)
        await pilot.click(page.query_one(PanelStrip), offset=(5, 0))
        await settle(pilot)
        assert "I actually slept" in words(app)
        await pilot.press("shift+tab")
        await settle(pilot)
        assert "07700 900118" in words(app)


async def test_an_entry_says_where_it_is_and_its_two_clocks(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_keiras_page(app, pilot)
        assert "Fri 14 Nov 14:00 Visit home, 50 min, You ○ here" in words(app)
        await pilot.press("enter")
        await settle(pilot)
        assert "Happened Fri 14 Nov 14:00. Written Fri 14 Nov 16:00 by you." in words(app)
        assert "It is here, on this laptop only." in words(app)


async def test_an_action_is_ticked_off_on_the_persons_page(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_keiras_page(app, pilot)
        await pilot.press("tab", "space")
        await settle(pilot)
        assert "Done: Ring CAMHS about the wait." in words(app) and "done by Alex Morgan" in words(app)
        await pilot.press("enter")
        await settle(pilot)


async def test_an_alert_ends_with_its_reason_and_a_note_comes_back_with_u(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_keiras_page(app, pilot)
        who = await keira(app)
        await pilot.press("tab", "tab")
        await settle(pilot)
        door = await app.desk.ask(alerts.at_the_door, who)
        shown(app, "about").select(door[0].id)
        await pilot.press("x")
        await settle(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "Say in a few words why" in words(app)
        await type_in(pilot, "The dog has died", "ctrl+s")
        await settle(pilot)
        assert "Dog in the hall" not in words(app)
        shown(app, "about").select(door[2].id)
        await pilot.press("x")
        await settle(pilot)
        assert "Side gate" not in words(app)
        await pilot.press("u")
        await settle(pilot)
        assert "Side gate" in words(app)


async def test_facts_are_changed_and_added(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_keiras_page(app, pilot)
        await pilot.press("e")
        await settle(pilot)
        fill(app, lives_at="2 Mill Lane, with nan", alert="Two locks.\nLoose carpet.", reach="07700 900333 nan's")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, PersonPage)
        for line in ("2 Mill Lane, with nan", "Two locks.", "Loose carpet."):
            assert line in words(app), line


async def test_a_visit_is_put_in_the_diary_moved_and_cancelled(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_keiras_page(app, pilot)
        await pilot.press("v")
        await settle(pilot)
        assert isinstance(app.screen, VisitForm) and app.screen.values()["who"] == "Keira Okafor-Lane"
        fill(app, when="tomorrow", place="home")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "At what time?" in words(app)
        fill(app, when="tomorrow 3.30pm", long="45 min")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "tomorrow 15:30, 45 min: in the diary." in words(app)
        planned = [f"{visit.starts().local():%d %H:%M}" for visit in await app.desk.ask(visits.of_person, await keira(app))]
        assert "19 15:30" in planned
        await pilot.press("tab", "tab")
        await settle(pilot)
        about = shown(app, "about")
        visit = next(line for line in about.items if getattr(line, "kind", "") == "visit" and "tomorrow" in line.words)
        about.select(visit.id)
        await pilot.press("enter")
        await settle(pilot)
        fill(app, when="fri 9am")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "The visit is now Fri 21 Nov 09:00." in words(app)
        about.select(visit.id)
        await pilot.press("enter")
        await settle(pilot)
        fill(app, when="cancelled")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert visit.id not in [getattr(line, "id", "") for line in about.items]


# Find


async def test_find_finds_people_notes_and_what_to_do(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "slash", "slept")
        await settle(pilot)
        assert "Visit, Fri 14 Nov" in words(app) and "I actually slept" in words(app)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, PersonPage)
        assert shown(app, "journal").selected.said.endswith("I actually slept.")


async def test_find_forgives_a_misspelt_name(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "slash", "kiera")
        await settle(pilot)
        assert "Near" in words(app) and "Keira Okafor-Lane" in words(app)


async def test_find_works_while_typing_a_note_and_runs_commands(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "half", "ctrl+p", ">paper")
        await settle(pilot)
        assert isinstance(app.screen, FindDialog) and "Colours: paper" in words(app)
        await pilot.press("enter")
        await settle(pilot)
        assert app.theme == "paper" and isinstance(app.screen, NotePage)


async def test_find_at_offers_people_only(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "slash", "@sa")
        await settle(pilot)
        assert "Sam Reyes" in words(app) and "Notes" not in words(app) and " Do " not in words(app)


async def test_find_says_when_there_is_nothing(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "slash", "zzxqq")
        await settle(pilot)
        assert "Nothing matches ‘zzxqq’." in words(app)


# Sync and the frame


async def test_sync_says_what_is_only_here_and_syncs_when_told(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("6")
        await settle(pilot)
        assert isinstance(app.screen, SyncPage)
        for line in (
            "Offline since yesterday 17:02.",
            "4 changes",
            "11 changes from Ruth, Jordan, Priya",
            "Not on the central store yet",
        ):
            assert line in words(app), line
        post = app.desk.post
        assert isinstance(post, StillPost)
        await pilot.press("s")
        await settle(pilot)
        assert post.synced == 1


async def test_a_stick_is_visited_by_one_key_and_the_folder_is_remembered(
    app: LeadworkerApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drives, "plugged_in", lambda: ())
    async with opened(app) as pilot:
        await pilot.press("6")
        await settle(pilot)
        post = app.desk.post
        assert isinstance(post, StillPost)
        await pilot.press("m")
        await settle(pilot)
        assert isinstance(app.screen, StickForm)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "plug the stick in" in words(app)
        app.screen.query_one("#field-folder", LineField).value = str(tmp_path)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert post.visited == [tmp_path]
        assert "Wrote 2 changes to be carried." in words(app)
        await pilot.press("m")
        await settle(pilot)
        assert app.screen.query_one("#field-folder", LineField).value == str(tmp_path)


async def test_what_two_visits_to_a_stick_say_does_not_cover_the_page(
    app: LeadworkerApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drives, "plugged_in", lambda: (tmp_path,))
    async with opened(app) as pilot:
        post = app.desk.post
        assert isinstance(post, StillPost)

        async def visit(folder: Path) -> Carried:
            return Carried(written=2, alarms=("A stick was altered on its way. Nothing of it was read.",))

        monkeypatch.setattr(post, "visit_stick", visit)
        for _ in range(2):
            await pilot.press("6")
            await settle(pilot)
            await pilot.press("m")
            await settle(pilot)
            await pilot.press("ctrl+s")
            await settle(pilot)
        shown = [notice.message for notice in app._notifications]
        assert len(shown) == len(set(shown)) and len(shown) <= 3, shown
        assert "A stick was altered on its way" in words(app) and "Wrote 2 changes" in words(app)
        app.say("One thing was done.")
        app.say("Another thing was done.")
        await settle(pilot)
        assert "Another thing was done." in words(app) and "One thing was done." not in words(app)
        assert "Wrote 2 changes" in words(app), "it was to stand for longer"


async def test_sync_says_that_something_is_on_a_stick_and_no_answer_came(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        parcel = carrying.WrittenParcel("00" * 16, clock.at(18, 14, 2).ms, clock.at(30, 14).ms, 3)
        await app.desk.do(carrying.keep, parcel)
        await pilot.press("6")
        await settle(pilot)
        assert "On a stick 3 changes, written 14:02; no answer came back yet" in words(app)


async def test_what_sync_says_of_an_empty_list_follows_the_post(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app) as pilot:
        await pilot.press("6")
        await settle(pilot)
        here = app.screen.query_one("#here", VList)
        here.show([])
        post = app.desk.post
        assert isinstance(post, StillPost)
        for state, said in (
            (offline(clock), "No journal entry; other changes wait."),
            (PostState(word="up to date", last_sent_ms=clock.at(18, 14, 2).ms), "Nothing: everything that you wrote is there too."),
            (offline(clock), "No journal entry; other changes wait."),
        ):
            post.become(state)
            await settle(pilot)
            assert said in words(app)


async def test_without_a_way_through_nothing_is_promised_within_a_minute(app: LeadworkerApp, clock: StillClock) -> None:
    told = PostState(word="up to date", last_sent_ms=clock.at(18, 14, 2).ms, notices=WITHIN_A_MINUTE)
    async with opened(app) as pilot:
        await pilot.press("6")
        post = app.desk.post
        assert isinstance(post, StillPost)
        post.become(told)
        await settle(pilot)
        assert "is here within a minute" in words(app)
        post.become(msgspec.structs.replace(told, word="offline"))
        await settle(pilot)
        assert "within a minute" not in words(app)


async def test_the_top_line_follows_the_post(app: LeadworkerApp, clock: StillClock) -> None:
    state = offline(clock)
    states = {
        "4 to send": state,
        "sending 2 of 4": PostState(word="sending", sending_done=2, sending_of=4),
        "receiving 24": PostState(word="sending", doing="receiving", sending_done=24),
        "all sent 14:02": PostState(word="up to date", last_sent_ms=clock.at(18, 14, 2).ms),
        "! 1 to hand in": PostState(word="up to date", late=1, last_sent_ms=clock.at(18, 14, 2).ms),
        "all sent 14:02, 1 to take in, 2 apart": PostState(word="up to date", to_take_in=1, apart=2, last_sent_ms=clock.at(18, 14, 2).ms),
        "not sent for 5 days": PostState(word="offline", waiting=2, last_sent_ms=clock.at(13, 9).ms),
        "look at Sync": PostState(word="stuck", alarm="The central store sent something that does not fit."),
        "this laptop only": PostState(),
    }
    async with opened(app) as pilot:
        post = app.desk.post
        assert isinstance(post, StillPost)
        for said, each in states.items():
            post.become(each)
            await settle(pilot)
            assert said in seen(app).splitlines()[0], said


async def test_sending_shows_how_far_it_is_and_that_work_can_go_on(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("6")
        await settle(pilot)
        post = app.desk.post
        assert isinstance(post, StillPost)
        post.become(PostState(word="sending", sentence="Sending 612 of 1,204.", sending_done=612, sending_of=1204))
        await settle(pilot)
        assert "Sending 612 of 1,204. You can keep working." in words(app) and "51%" in words(app)
        (bar,) = [line for line in seen(app).splitlines() if "51%" in line]
        assert "━┄" in bar, "how far it is can be told without colours"


async def test_help_lists_the_keys_of_the_screen_it_was_asked_on(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("2")
        await settle(pilot)
        await pilot.press("f1")
        await settle(pilot)
        assert "narrow the list by name" in words(app) and "hide the screen now" in words(app)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, PeoplePage)


async def test_a_question_mark_can_be_typed_into_a_note(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("n", "question_mark", "slash", "1", "u", "n")
        await settle(pilot)
        assert app.screen.query_one("#what", LineField).value == "?/1un"


async def test_the_colours_that_were_chosen_are_worn_the_next_time(app: LeadworkerApp) -> None:
    from screens import settings

    async with opened(app) as pilot:
        await type_in(pilot, "slash", ">contrast", "enter")
        await settle(pilot)
        assert app.theme == "contrast"
        assert await app.desk.ask(settings.remembered, "theme") == "contrast"


async def test_after_saving_the_new_entry_is_seen_on_the_persons_page_and_on_today(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_keiras_page(app, pilot)
        await type_in(pilot, "tab", "n", "call wed 9am", "tab", "Mum rang", "ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, PersonPage)
        assert shown(app, "journal").selected.seen == "Mum rang" and "Seen Mum rang" in words(app)
        await pilot.press("1")
        await settle(pilot)
        await type_in(pilot, "n", "@Yusuf call", "tab", "He will come", "ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        assert shown(app, "written").selected.seen == "He will come" and "Written today" in words(app)
        assert "Yusuf Demir ○ here" in words(app)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, PersonPage) and "He will come" in words(app)


async def test_the_parts_of_a_long_note_can_be_told_from_one_another_on_today(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        about = await keira(app)
        long = " ".join(f"gran{number}" for number in range(9_000))
        await app.desk.do(journal.write, journal.NewEntry(about, kind="visit", minutes=31, noticed=long))
        await pilot.press("1")
        await settle(pilot)
        lines = [line for line in seen(app).splitlines() if "Visit" in line and "here" in line]
        assert len(lines) > 1
        assert len([line for line in lines if "Visit, continued" in line]) == len(lines) - 1
