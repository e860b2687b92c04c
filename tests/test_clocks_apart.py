"""Laptops whose clocks are a few minutes apart: what was written after something was read stays later than it (D.3)."""

from __future__ import annotations

from leadworker.domain import people
from leadworker.statements import Role
from tests.laptops import BEA, KEIRA, Laptop, Team, add_member, agree

pytest_plugins = ["tests.laptop_fixtures"]

MINUTE_S = 60.0


def pronouns(laptop: Laptop, person: str) -> str:
    return laptop.desk.ask_now(people.facts, person).pronouns


async def test_what_was_written_after_reading_a_colleague_whose_clock_is_ahead_stands_above_it_everywhere(team: Team) -> None:
    """Alex's clock is ahead. Ruth reads what he wrote and puts it right; Bea wrote in between, having read neither."""
    alex, ruth, bea = team.alex, team.ruth, await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    for laptop in (bea, ruth, alex):
        await laptop.sync()
    alex.clock.wrong_by, bea.clock.wrong_by = 4 * MINUTE_S, 2 * MINUTE_S
    alex.desk.do_now(people.describe, keira, pronouns="they")
    await alex.sync()
    await ruth.sync()
    ruth.desk.do_now(people.describe, keira, pronouns="she and they")
    bea.desk.do_now(people.describe, keira, pronouns="she")
    await ruth.sync()
    for laptop in (bea, alex, ruth):
        await laptop.sync()
    assert {pronouns(laptop, keira) for laptop in (alex, ruth, bea)} == {"she and they"}
    await agree(alex, ruth, bea)
