"""Casebooks follow the directory by themselves, each of them, and never against what a person has decided."""

from __future__ import annotations

from leadworker.statements import Role
from sync import organising, wire
from sync.inviting import approve, invite_laptop
from sync.joining import ask_to_join
from tests.evil_hub import Evil, replace
from tests.laptops import BEA, CEM, TOBIAS, Team, add_member, remove_member

pytest_plugins = ["tests.laptop_fixtures"]


async def test_who_was_taken_out_is_not_let_in_again_by_itself(team: Team) -> None:
    """Both supervise the team. Alex took Ruth out of this casebook, so the next change of the directory lets in Bea alone."""
    alex, ruth = team.alex, team.ruth
    keira = alex.add()
    await alex.sync()
    assert ruth.box.device in alex.members(alex.book(keira))
    await remove_member(alex, keira, ruth)
    bea = await team.office.let_in(ruth, BEA, role=Role.SUPERVISOR)
    await alex.sync()
    assert set(alex.members(alex.book(keira))) == {alex.box.device, bea.box.device}


async def test_a_casebook_that_was_stopped_while_the_others_followed_the_directory_follows_it_afterwards(team: Team) -> None:
    alex = team.alex
    stopped, other = alex.add(), alex.add(TOBIAS)
    await alex.sync()
    bea = await team.office.let_in(team.ruth, BEA, role=Role.SUPERVISOR)
    evil, hidden = Evil(), alex.book(stopped)

    def without(news: wire.News) -> wire.News:
        return replace(news, books=tuple(book for book in news.books if book.book != hidden))

    evil.news = without
    await alex.tap(evil)
    assert (await alex.sync_somehow()).alarms
    assert bea.box.device in alex.members(alex.book(other))
    assert bea.box.device not in alex.members(hidden)
    evil.news = lambda news: news
    await alex.sync()
    assert bea.box.device in alex.members(hidden), "nothing new was said of it, nor in the directory"


async def test_what_waits_in_a_casebook_that_was_stopped_is_not_sent_while_the_others_are(team: Team) -> None:
    """The store shows another history of it, so that nothing more is said into it before somebody has looked."""
    alex = team.alex
    stopped, other = alex.add(), alex.add(TOBIAS)
    await alex.sync()
    evil, book = Evil(), alex.book(stopped)
    evil.news = lambda news: replace(news, books=tuple(replace(one, digest=bytes(32)) if one.book == book else one for one in news.books))
    await alex.tap(evil)
    for person in (stopped, other):
        alex.write(person, "written meanwhile")
    (alarm,) = (await alex.sync_somehow()).alarms
    assert "counts a casebook's changes differently" in alarm
    assert (alex.where(stopped), alex.where(other)) == (["here"], ["on the central store"])
    evil.news = lambda news: news
    await alex.sync()
    assert alex.where(stopped) == ["on the central store"]


async def test_who_may_only_read_takes_no_lost_laptop_out_since_the_key_after_it_is_not_theirs_to_make(team: Team) -> None:
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    cem = await team.office.let_in(team.ruth, CEM)
    keira = alex.add()
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await add_member(alex, keira, cem, Role.READ_ONLY)
    await cem.sync()
    await organising.revoke(team.ruth.box, team.ruth.client, [bea.box.device])
    await cem.sync()
    assert bea.box.device in cem.members(alex.book(keira)), "somebody who writes sees to it"
    await alex.sync()
    await cem.sync()
    assert bea.box.device not in cem.members(alex.book(keira))


async def test_who_does_not_lead_lets_no_supervisor_in_and_is_not_refused_for_trying(team: Team) -> None:
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add()
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await bea.sync()
    cem = await team.office.let_in(team.ruth, CEM, role=Role.SUPERVISOR)
    await bea.sync()
    assert cem.box.device not in bea.members(alex.book(keira))
    await alex.sync()
    assert cem.box.device in alex.members(alex.book(keira))


async def test_a_second_laptop_of_somebody_who_does_not_lead_reads_what_the_first_one_reads(team: Team) -> None:
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add()
    alex.write(keira, "one")
    await alex.sync()
    await add_member(alex, keira, bea, Role.READ_ONLY)
    await bea.sync()
    made = await invite_laptop(bea.box, bea.client, bea.clock)
    second = team.office.laptop(CEM)
    await ask_to_join(second.box, second.client, " ".join(made.words))
    await approve(bea.box, bea.client, bea.clock, " ".join(second.vault.identity.check_words()))
    await bea.sync()
    await second.sync()
    assert second.titles(keira) == ["one"]
    members = (await second.box.book_state(alex.book(keira))).members.members
    assert [members[one.box.device].role for one in (bea, second)] == [Role.READ_ONLY] * 2
