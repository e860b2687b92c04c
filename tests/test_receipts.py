"""Receipts: of everything that somebody wrote it is said where it is, and why it has not gone."""

from __future__ import annotations

import msgspec
import pytest

from leadworker.clock import Moment
from leadworker.desk import PostState
from leadworker.domain import actions, alerts, sending, visits
from leadworker.domain.actions import NewAction
from leadworker.domain.people import add as add_person
from leadworker.shelf import Standing
from screens.app import LeadworkerApp
from screens.entry import EntryDialog
from tests.laptops import Laptop, Team
from tests.screen_world import StillClock, StillPost, opened, seen, settle

pytest_plugins = ["tests.laptop_fixtures", "tests.screen_fixtures"]

WELL = Standing(joined=True, admitted=True, shared=True, founded=True, has_key=True, trouble="")


def words(app: LeadworkerApp) -> str:
    return " ".join(seen(app).split())


@pytest.mark.parametrize(
    ("standing", "post", "sent_ms", "said"),
    [
        (msgspec.structs.replace(WELL, joined=False), "No network.", 0, "joined no organisation"),
        (msgspec.structs.replace(WELL, shared=False), "No network.", 0, "Nobody works with this person yet"),
        (msgspec.structs.replace(WELL, admitted=False), "", 0, "waiting to be let in"),
        (msgspec.structs.replace(WELL, trouble="The store refused it. Tell your administrator."), "", 0, "The store refused it."),
        (msgspec.structs.replace(WELL, may_write=False), "", 0, "You may not write in this casebook any more"),
        (msgspec.structs.replace(WELL, has_key=False), "", 0, "was not given the key"),
        (WELL, "No network since 14:02.", 0, "No network since 14:02."),
        (WELL, "", 1, "has not said yet that it has it"),
        (WELL, "", 0, "It goes with the next sync."),
    ],
)  # fmt: skip
def test_why_something_has_not_gone_is_a_sentence_about_what_stands_in_the_way(
    standing: Standing, post: str, sent_ms: int, said: str
) -> None:
    assert said in sending.why(standing, post=post, sent_ms=sent_ms)


def where_all_is(laptop: Laptop, person: str) -> list[str]:
    """Return where each action, visit, alert and access note about a person is."""
    rows = [
        *laptop.desk.ask_now(actions.of_person, person), *laptop.desk.ask_now(visits.of_person, person),
        *laptop.desk.ask_now(alerts.at_the_door, person),
    ]  # fmt: skip
    return [row.whereabouts() for row in rows]


async def test_an_action_a_visit_and_an_alert_have_their_receipt_and_a_change_to_them_waits_again(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    person = alex.add()
    action = alex.desk.do_now(actions.add, person, NewAction("Ring the school", "Alex", mine=True))
    alex.desk.do_now(visits.plan, person, Moment.of(alex.clock.now()))
    alex.desk.do_now(alerts.raise_alert, person, "Dog")
    alex.desk.do_now(alerts.add_access_note, person, "Side gate")
    assert where_all_is(alex, person) == ["here"] * 4
    assert {row.topic for row in alex.desk.ask_now(sending.waiting)} == {"person", "involvement", "action", "visit", "alert", "access_note"}
    await alex.sync()
    assert where_all_is(alex, person) == ["on the central store"] * 4
    assert alex.desk.ask_now(sending.waiting) == ()
    alex.desk.do_now(actions.finish, action)
    assert sorted(where_all_is(alex, person)) == ["here", *["on the central store"] * 3]
    (row,) = alex.desk.ask_now(sending.waiting)
    assert (row.what, row.title, row.why) == ("action", "Ring the school", sending.NEXT_SYNC)
    await alex.sync()
    await ruth.sync()
    assert where_all_is(ruth, person) == ["on the central store"] * 4


async def test_a_casebook_that_the_store_refused_says_its_sentence_and_the_others_go(team: Team) -> None:
    alex = team.alex
    refused, fine = alex.add(), alex.add("Tobias Wren")
    await alex.sync()
    await alex.box.trouble(alex.book(refused), "The central store says that you may not write here. Ask your supervisor.")
    for person in (refused, fine):
        alex.write(person, "A note")
    reasons = {row.person_id: row.why for row in alex.desk.ask_now(sending.waiting)}
    assert reasons == {refused: "The central store says that you may not write here. Ask your supervisor.", fine: sending.NEXT_SYNC}


async def test_a_person_who_is_only_written_down_waits_for_nobody(team: Team) -> None:
    alex = team.alex
    alone = alex.desk.do_now(add_person, "Sam Reyes", on_caseload=False)
    assert alex.desk.ask_now(sending.waiting) == ()
    assert alex.desk.ask_now(sending.why_of, alone) == sending.NOT_BEGUN


async def test_one_key_on_sync_says_why_the_selected_thing_has_not_gone(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 40)) as pilot:
        await pilot.press("6")
        await settle(pilot)
        assert "Other changes" in words(app) and "Action Bus pass form to school Keira Okafor-Lane ○ here" in words(app)
        await pilot.press("r")
        await settle(pilot)
        assert "This vault has joined no organisation" in words(app), "as its facts say, whatever the still post of this test shows"


async def test_since_when_there_is_no_network_is_said(app: LeadworkerApp, clock: StillClock) -> None:
    from screens.postwords import held_up

    state = PostState(word="offline", sentence="No way through.", offline_since_ms=clock.at(18, 14, 2).ms)
    assert held_up(state, clock.now()) == "No network since 14:02. It is sent by itself once there is one."
    assert held_up(PostState(word="up to date"), clock.now()) == ""
    assert held_up(PostState(word="stuck", sentence="The store is full."), clock.now()) == "The store is full."


async def test_an_entry_says_why_it_is_only_here_and_rows_say_what_waits(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 40)) as pilot:
        assert "Bus pass form to school Keira Okafor-Lane ○ here 1 day late" in words(app)
        await pilot.press("2", "enter")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, EntryDialog)
        assert "It is here, on this laptop only. This vault has joined no organisation" in words(app)


async def test_in_a_vault_that_shares_with_nobody_no_row_says_that_it_is_only_here(app: LeadworkerApp, clock: StillClock) -> None:
    async with opened(app, (80, 40)) as pilot:
        post = app.desk.post
        assert isinstance(post, StillPost)
        post.become(PostState())
        await pilot.press("2")
        await settle(pilot)
        await pilot.press("1")
        await settle(pilot)
        assert "Bus pass form to school Keira Okafor-Lane 1 day late" in words(app)
