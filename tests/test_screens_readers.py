"""Who can read a casebook, on the screen: seen at a glance, decided by one key, never in force before the central store says so."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from leadworker.desk import Bell, Desk
from leadworker.domain import actions, journal, late, readers
from leadworker.domain.readers import Decision
from leadworker.statements import Role
from screens.app import LeadworkerApp
from screens.readers import LetInForm, ReadersPage
from storage.vault import Vault
from tests.screen_world import StillPost, opened, seen, settle, type_in
from tests.shared_casebook import BEA, ME, RUTH, handed_in, shared

pytest_plugins = ["tests.screen_fixtures"]


def words(app: LeadworkerApp) -> str:
    """Return the words on the screen with single spaces."""
    return " ".join(seen(app).split())


async def in_force(app: LeadworkerApp, keira: str, decided: Decision) -> None:
    """Let a sync have carried out that Bea is taken out."""
    vault = cast(Vault, cast(Desk, app.open_desk)._keeper)
    book = await app.desk.ask(lambda shelf: shelf.casebook_of(keira))

    def fill() -> None:
        c = vault.connection
        c.execute("DELETE FROM reader WHERE book = ? AND person = ?", (book, BEA))
        c.execute("INSERT INTO access VALUES (?, 9, 0, 1763000000000, ?, 'taken out', ?, 2)", (book, ME, BEA))

    vault.submit(fill).result()
    await app.desk.do(readers.take_back, decided.id)
    app.desk.ring(Bell(frozenset({"reader", "decision"}), frozenset()))


async def on_page(app: LeadworkerApp, pilot: Any, **given: Any) -> str:
    keira = await shared(app, **given)
    app.open_person(keira)
    await settle(pilot)
    await type_in(pilot, "w")
    await settle(pilot)
    assert isinstance(app.screen, ReadersPage)
    return keira


async def test_who_reads_who_leads_and_what_is_new_stand_on_one_page(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await shared(app)
        app.open_person(keira)
        await settle(pilot)
        said = words(app)
        assert "Ruth Adeyemi let Bea Lindqvist in as co-worker. w shows who can read this." in said
        assert said.index("Craig may be home") < said.index("let Bea Lindqvist in"), "what keeps people safe comes first"
        await type_in(pilot, "w")
        await settle(pilot)
        shown = words(app)
        assert "Who can read Keira Okafor-Lane" in shown
        assert "Alex Morgan (you) leads" in shown
        assert "Ruth Adeyemi supervisor since" in shown
        assert "two of three officers together" in shown
        assert "! New: Ruth Adeyemi let Bea Lindqvist in as co-worker." in shown
        await type_in(pilot, "enter")
        await settle(pilot)
        assert "check words: acid bird cook" in words(app)
        await type_in(pilot, "escape")
        await settle(pilot)
        assert "w shows who can read this" not in words(app), "it was looked at"


async def test_who_reads_now_pushes_no_alert_off_a_low_window(app: LeadworkerApp) -> None:
    async with opened(app, (80, 16)) as pilot:
        keira = await shared(app)
        app.open_person(keira)
        await settle(pilot)
        assert "Craig may be home. Leave no messages with him." in words(app)
        assert "Who can read this has changed; w shows it." in words(app)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (120, 32)])
async def test_two_people_compare_a_casebook_by_its_number_and_six_words(app: LeadworkerApp, size: tuple[int, int]) -> None:
    async with opened(app, size) as pilot:
        vault = cast(Vault, cast(Desk, app.open_desk)._keeper)
        vault.submit(lambda: vault.connection.execute("UPDATE book SET n = 41 WHERE subject != ''").fetchall()).result()
        keira = await on_page(app, pilot)
        told = await app.desk.ask(lambda shelf: shelf.upto(keira))
        assert f"Up to change 41, to compare with a colleague: {' '.join(told.words)}." in words(app)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (120, 32)])
async def test_one_key_takes_somebody_out_and_u_takes_it_back_while_it_is_not_in_force(app: LeadworkerApp, size: tuple[int, int]) -> None:
    async with opened(app, size) as pilot:
        keira = await on_page(app, pilot)
        await type_in(pilot, "down", "x")
        await settle(pilot)
        assert await app.desk.ask(readers.decisions, keira) == (), "it is asked once more, since it may be in force in a moment"
        assert "Take Bea Lindqvist out?" in words(app)
        await type_in(pilot, "x")
        await settle(pilot)
        (decided,) = await app.desk.ask(readers.decisions, keira)
        assert decided.sentence() == "take Bea Lindqvist out"
        assert "not yet in force" in words(app)
        await type_in(pilot, "u")
        await settle(pilot)
        assert await app.desk.ask(readers.decisions, keira) == ()


async def test_l_makes_somebody_the_lead_and_x_takes_a_decision_back(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await on_page(app, pilot)
        await type_in(pilot, "down", "l", "down", "l")
        await settle(pilot)
        assert await app.desk.ask(readers.decisions, keira) == (), "asked of another row, it is asked anew"
        await type_in(pilot, "l")
        await settle(pilot)
        (decided,) = await app.desk.ask(readers.decisions, keira)
        assert decided.sentence() == "make Ruth Adeyemi the lead"
        await type_in(pilot, "down", "x")
        await settle(pilot)
        assert await app.desk.ask(readers.decisions, keira) == ()
        assert "Taken back: make Ruth Adeyemi the lead." in words(app)


async def test_a_colleague_is_let_in_by_name_and_role(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await on_page(app, pilot)
        await type_in(pilot, "a")
        await settle(pilot)
        assert isinstance(app.screen, LetInForm)
        await type_in(pilot, "sam", "tab", "ctrl+a", "ctrl+k")
        await type_in(pilot, "mayor", "ctrl+s")
        await settle(pilot)
        assert "is no role. The roles are: key worker, co-worker" in words(app)
        app.screen.query_one("#field-role").value = "read-only"  # type: ignore[attr-defined]
        await type_in(pilot, "ctrl+s")
        await settle(pilot)
        (decided,) = await app.desk.ask(readers.decisions, keira)
        assert decided.sentence() == "let Sam Iqbal in as read-only"


async def test_who_may_not_decide_is_told_whom_to_ask(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_page(app, pilot, lead=RUTH)
        assert "Only its lead, Ruth Adeyemi, or a supervisor or manager decides" in words(app)
        for key in ("a", "x", "l"):
            await type_in(pilot, key)
            await settle(pilot)
            assert isinstance(app.screen, ReadersPage)
        assert await app.desk.ask(readers.decisions) == ()


@pytest.mark.parametrize("size", [(120, 32), (80, 24), (60, 15)])
async def test_the_help_says_what_to_do_when_the_words_of_two_colleagues_differ(app: LeadworkerApp, size: tuple[int, int]) -> None:
    async with opened(app, size) as pilot:
        await on_page(app, pilot)
        await type_in(pilot, "f1")
        await settle(pilot)
        read = seen(app)
        for _ in range(14):
            await type_in(pilot, "down", "down")
            await settle(pilot)
            read += seen(app)
        for said in ("two different", "keeps something back", "administrator at once."):
            assert said in " ".join(read.replace("▌", " ").split())


async def test_a_low_window_scrolls_up_to_the_top_of_the_page(app: LeadworkerApp) -> None:
    async with opened(app, (60, 15)) as pilot:
        vault = cast(Vault, cast(Desk, app.open_desk)._keeper)
        vault.submit(lambda: vault.connection.execute("UPDATE book SET n = 41 WHERE subject != ''").fetchall()).result()
        await on_page(app, pilot, lead=RUTH, writable=0)
        assert "Who can read Keira" not in words(app) and "Alex Morgan (you) co-worker" in words(app), "the selected row is in view"
        for _ in range(5):
            await type_in(pilot, "up")
            await settle(pilot)
        assert "Who can read Keira Okafor-Lane" in words(app) and "Up to change 41" in words(app)
        await type_in(pilot, "down", "down", "down", "down", "down")
        await settle(pilot)
        assert "What happened" in words(app)


@pytest.mark.parametrize("size", [(59, 15), (60, 15), (64, 20), (75, 24), (76, 24), (80, 24), (95, 30), (96, 30)])
async def test_a_notice_loses_no_letter_at_any_width(app: LeadworkerApp, size: tuple[int, int]) -> None:
    async with opened(app, size) as pilot:
        for length in range(12, 26):
            said = ["zo"] * length + ["zis", "zover."]
            app.say(" ".join(said))
            await settle(pilot)
            assert [word for word in seen(app).split() if word in said] == said, length


async def test_the_roles_can_be_read_while_the_field_for_one_has_the_focus(app: LeadworkerApp) -> None:
    async with opened(app, (80, 24)) as pilot:
        await on_page(app, pilot)
        await type_in(pilot, "a")
        await settle(pilot)
        await type_in(pilot, "tab")
        await settle(pilot)
        assert app.focused is app.screen.query_one("#field-role")
        assert "Role: co-worker, supervisor, read-only, manager, or key worker to lead." in words(app)


async def test_the_footer_offers_a_co_worker_only_what_is_theirs_to_do(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_page(app, pilot, lead=RUTH)
        foot = seen(app).splitlines()[-1]
        assert "check words" in foot and "help" in foot
        assert not any(said in foot for said in ("let in", "take out", "make lead"))


async def test_the_footer_offers_the_lead_to_decide(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_page(app, pilot)
        assert all(said in seen(app).splitlines()[-1] for said in ("let in", "take out", "make lead"))


@pytest.mark.parametrize(("state", "comes"), [("offline", "No network now: the next sync"), ("up to date", "It comes into force at the")])
async def test_what_is_said_of_a_decision_is_true_with_and_without_a_network(app: LeadworkerApp, state: str, comes: str) -> None:
    async with opened(app) as pilot:
        keira = await on_page(app, pilot)
        post = cast(StillPost, app.desk.post)
        post.become(msgspec.structs.replace(post.state, word=state))
        await type_in(pilot, "down", "x", "x")
        await settle(pilot)
        assert comes in words(app) and "Until then u undoes it." in words(app)
        (decided,) = await app.desk.ask(readers.decisions, keira)
        await in_force(app, keira, decided)
        await settle(pilot)
        assert "In force now: Alex Morgan took Bea Lindqvist out." in words(app)
        assert comes not in words(app), "the notice that it is to come stands no longer"
        await type_in(pilot, "u")
        await settle(pilot)
        assert "It is in force already, so it cannot be taken back." in words(app)


async def test_what_cannot_be_sent_any_more_is_handed_in_by_one_key(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await on_page(app, pilot, writable=0)
        assert "i hands it in to those who decide" in words(app)
        await type_in(pilot, "i")
        await settle(pilot)
        kept = await app.desk.ask(lambda shelf: shelf.kept(late.TO_HAND_IN))
        assert list(kept) == [await app.desk.ask(lambda shelf: shelf.casebook_of(keira))]


async def test_a_note_that_goes_nowhere_is_not_said_to_go_to_the_central_store(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await on_page(app, pilot, writable=0)
        await type_in(pilot, "escape", "n", "she asked for me", "ctrl+s")
        await settle(pilot)
        assert "goes nowhere by itself: w, then i hands it in" in words(app)
        assert "It goes to the central store by itself" not in words(app)


async def test_why_one_may_not_decide_is_broken_into_lines_once(app: LeadworkerApp) -> None:
    """The line is as long as the page is wide but for the gutter of the scroll bar; broken twice, one word stood alone."""
    async with opened(app, (80, 40)) as pilot:
        await on_page(app, pilot, lead=RUTH, writable=0)
        about = app.screen.query_one("#about")
        given = str(about.render()).count("\n") + 1
        assert about.size.height == given, words(app)


async def test_what_was_handed_in_is_taken_in_by_one_key_under_its_writer_s_name(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await shared(app)
        await app.desk.do(handed_in, keira, "What Bea still wrote", 1763000000000)
        await pilot.press("6")
        await settle(pilot)
        assert "Bea Lindqvist about Keira Okafor-Lane, handed in late; open the person, w, i" in words(app)
        app.who_reads(keira)
        await settle(pilot)
        assert "Handed in late i takes the selected one in" in words(app)
        assert "from Bea Lindqvist 1 entry" in words(app)
        await type_in(pilot, "i")
        await settle(pilot)
        assert "Taken in from Bea Lindqvist: 1 change." in words(app)
        (entry,) = [e for e in await app.desk.ask(journal.timeline, keira) if e.title == "What Bea still wrote"]
        assert entry.taken_in_from == "Bea Lindqvist"
        await type_in(pilot, "escape")
        app.open_person(keira, entry.id)
        await settle(pilot)
        assert "Bea Lindqvist, taken in by you" in words(app)


async def test_on_a_low_screen_what_waits_for_somebody_is_not_cut_off(app: LeadworkerApp) -> None:
    """The rows below the edge cannot be reached, so those that need nobody give way."""
    async with opened(app, (60, 15)) as pilot:
        keira = await shared(app)
        for at in range(2):
            await app.desk.do(handed_in, keira, f"What Bea still wrote {at}", 1763000000000 + at)
        await pilot.press("6")
        await settle(pilot)
        assert "handed in late; open the person, w, i" in words(app)
        facts = app.screen.query_one("#facts")
        assert facts.size.height == str(facts.render()).count("\n") + 1, words(app)


async def test_people_whose_work_i_only_supervise_are_not_said_to_be_on_my_caseload(app: LeadworkerApp) -> None:
    async with opened(app, (80, 40)) as pilot:
        await pilot.press("2")
        await settle(pilot)
        assert "4 people on your caseload, 2 others" in words(app)
        await shared(app, RUTH, mine=Role.SUPERVISOR)
        await settle(pilot)
        assert "3 people on your caseload, you supervise 1, 2 others" in words(app)
        assert words(app).index("Supervised by you") < words(app).index("Keira") < words(app).index("Not on your caseload")
        await type_in(pilot, "/", "keira")
        await settle(pilot)
        assert "supervised by you" in words(app)


async def test_an_action_is_given_to_a_colleague_by_name(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await shared(app)
        app.open_person(keira)
        await settle(pilot)
        await type_in(pilot, "n", "visit", *["tab"] * 5, "ring school thu @Be")
        await settle(pilot)
        assert "Bea Lindqvist" in words(app), "the name is offered"
        await type_in(pilot, "enter")
        await settle(pilot)
        await type_in(pilot, "ctrl+s")
        await settle(pilot)
        made = next(one for one in await app.desk.ask(actions.of_person, keira) if one.text == "Ring school")
        assert (made.owner, made.mine) == ("Bea Lindqvist", False)
