"""Colleagues and laptops that are gone: who is named, what is said of it, and that coming back ends it."""

from __future__ import annotations

import pytest

from leadworker.domain import colleagues, readers
from leadworker.errors import NotFound
from leadworker.statements import Role
from sync import organising
from sync.inviting import approve, invite_laptop
from sync.joining import ask_to_join
from tests.laptops import ALEX, BEA, CEM, KEIRA, Laptop, Team, add_member, remove_member

pytest_plugins = ["tests.laptop_fixtures"]


async def bea_without_her_laptop(team: Team) -> tuple[Laptop, str]:
    """Return Bea's laptop, which was reported lost, and Keira whose casebook she read with it."""
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await organising.revoke(team.ruth.box, team.ruth.client, [bea.box.device])
    await alex.sync()
    return bea, keira


async def a_new_laptop_of(team: Team, lost: Laptop) -> Laptop:
    ruth = team.ruth
    made = await invite_laptop(ruth.box, ruth.client, ruth.clock, ruth.person_of(lost))
    new = team.office.laptop(CEM)
    await ask_to_join(new.box, new.client, " ".join(made.words))
    await approve(ruth.box, ruth.client, ruth.clock, " ".join(new.vault.identity.check_words()))
    await team.alex.sync()
    return new


def told(laptop: Laptop, person: str) -> list[str]:
    return [one.sentence for one in laptop.desk.ask_now(readers.history, person)]


async def test_who_has_no_laptop_any_more_is_named_only_where_those_who_left_are_asked_for(team: Team) -> None:
    alex = team.alex
    lost, _ = await bea_without_her_laptop(team)
    with pytest.raises(NotFound, match="No colleague is called"):
        alex.desk.ask_now(colleagues.resolve, "bea")
    gone = alex.desk.ask_now(lambda shelf: colleagues.resolve(shelf, "bea", gone=True))
    assert (gone.here, [laptop.active for laptop in gone.laptops]) == (False, [False])
    await a_new_laptop_of(team, lost)
    back = alex.desk.ask_now(colleagues.resolve, "bea")
    assert back.here and sorted(laptop.active for laptop in back.laptops) == [False, True]


async def test_who_came_back_on_a_new_laptop_and_is_taken_out_later_has_not_lost_it_again(team: Team) -> None:
    """What is told later, and who is let in again by name, must not rest on a loss that was made good."""
    alex = team.alex
    lost, keira = await bea_without_her_laptop(team)
    assert "laptop was taken out of the organisation" in told(alex, keira)[-1]
    new = await a_new_laptop_of(team, lost)
    (again,) = alex.desk.do_now(lambda shelf: readers.readmit(shelf, colleagues.resolve(shelf, "bea")))
    assert (again.kind, again.role) == (readers.LET_IN, Role.CO_WORKER)
    await alex.sync()
    assert new.box.device in alex.members(alex.book(keira))
    await remove_member(alex, keira, new)
    assert told(alex, keira)[-1] == f"{ALEX} took {BEA} out."
    assert alex.desk.do_now(lambda shelf: readers.readmit(shelf, colleagues.resolve(shelf, "bea"))) == ()
