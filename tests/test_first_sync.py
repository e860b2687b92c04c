"""A fresh laptop and a big caseload: the liveliest casebooks first, each usable once it is here, killable at any point (D.4)."""

from __future__ import annotations

import contextlib

import pytest

from leadworker.desk import Bell
from leadworker.domain import caseload
from leadworker.errors import Offline
from sync.exchange import Exchange
from sync.inviting import approve, invite_laptop
from sync.joining import ask_to_join
from tests.laptops import CEM, Laptop, Team, agree

pytest_plugins = ["tests.laptop_fixtures"]


async def a_second_laptop(team: Team) -> Laptop:
    """Return a fresh laptop of Alex's that is let in, and has not received a casebook yet."""
    alex = team.alex
    made = await invite_laptop(alex.box, alex.client, alex.clock)
    second = team.office.laptop(CEM)
    await ask_to_join(second.box, second.client, " ".join(made.words))
    await approve(alex.box, alex.client, alex.clock, " ".join(second.vault.identity.check_words()))
    await alex.sync()
    return second


async def caseload_of(team: Team, names: list[str]) -> dict[str, str]:
    """Write something about each of these people, the last of them last."""
    people = {name: team.alex.add(name) for name in names}
    await team.alex.sync()
    for name, person in people.items():
        team.office.clock.pushed_ms += 1000
        team.alex.write(person, *(f"{name} {number}" for number in range(3)))
        await team.alex.sync()
    return people


def names(laptop: Laptop) -> set[str]:
    return {one.name for one in laptop.desk.ask_now(caseload.mine)}


async def test_the_casebook_that_grew_last_comes_first_and_can_be_worked_with_while_the_others_come(team: Team) -> None:
    people = await caseload_of(team, ["Ada Lowe", "Bo Finch", "Cy Marsh"])
    second = await a_second_laptop(team)
    seen: list[set[str]] = []

    def rung(bell: Bell) -> None:
        seen.append(names(second))
        if names(second) == {"Cy Marsh"}:
            second.write(people["Cy Marsh"], "written while the rest was on its way")

    await Exchange(second.box, second.client, second.clock, rung, second.told.append).run()
    first = [here for here in seen if here]
    assert first[0] == {"Cy Marsh"}, "where the last visit was"
    assert first[-1] == {"Ada Lowe", "Bo Finch", "Cy Marsh"}
    told = [one for one in second.told if one.doing == "receiving"]
    assert [(one.whole, one.casebooks) for one in told][-1] == (2, 3), "while the third one came"
    await second.sync()
    await team.alex.sync()
    assert "written while the rest was on its way" in team.alex.titles(people["Cy Marsh"])
    await agree(team.alex, second)


@pytest.mark.parametrize("cut", range(4, 12))
async def test_a_first_sync_that_is_cut_off_goes_on_where_it_was(team: Team, cut: int) -> None:
    await caseload_of(team, ["Ada Lowe", "Bo Finch", "Cy Marsh"])
    second = await a_second_laptop(team)
    second.line.hang_up()
    second.line.after = lambda number: number == cut
    with contextlib.suppress(Offline):
        await second.sync()
    here = names(second)
    second.line.after = lambda number: False
    await second.sync()
    assert here <= names(second) == {"Ada Lowe", "Bo Finch", "Cy Marsh"}
    await agree(team.alex, second)
