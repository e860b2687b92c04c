"""Receipts that the central store has signed itself, or whose signature holds, and that nonetheless say what cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leadworker import change
from leadworker.errors import HubMistrusted, Offline
from sync import wire
from tests.evil_hub import Evil, Here, replace
from tests.laptops import TOBIAS, Line, Team, agree
from tests.test_hostile_histories import RECEIPT_FORGED, RECEIPTS_DIFFER

pytest_plugins = ["tests.laptop_fixtures"]

LIES: dict[str, Callable[[wire.Outcome, wire.Outcome], dict[str, object]]] = {
    "for another end than its last number": lambda one, _: {"last_n": one.last_n + 1},
    "with a number beyond counting": lambda one, _: {"ns": (*one.ns[:-1], 2**63), "last_n": 2**63},
    "at a time beyond counting": lambda one, _: {"received_ms": 2**63},
    "with more behind its digest": lambda one, _: {"digest": one.digest + b"\0"},
    "in the name of another casebook": lambda one, other: {"book": other.book},
    "of another history": lambda one, _: {"digest": bytes(32)},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_receipt_that_the_store_signed_and_that_cannot_be_counts_for_nothing(team: Team, lie: str) -> None:
    alex, store = team.alex, team.office.hub._hub._key
    keira, tobias = alex.add(), alex.add(TOBIAS)
    await alex.sync()
    alex.write(keira, "one", "two", "three")
    alex.write(tobias, "four")
    push = alex.client.push

    async def lying(runs: tuple[wire.Run, ...]) -> wire.Pushed:
        pushed = await push(runs)
        first, second = pushed.outcomes
        said = replace(first, **LIES[lie](first, second))
        last = change.change_id(runs[0].changes[-1][0])
        message = wire.receipt_message(first.book, last, said.last_n, said.digest, said.received_ms)
        return replace(pushed, outcomes=(replace(said, receipt=store.sign(wire.RECEIPT + message)), second))

    alex.client.push = lying  # type: ignore[method-assign]
    with pytest.raises(HubMistrusted) as told:
        await alex.sync()
    assert told.value.sentence == (RECEIPTS_DIFFER if lie == "of another history" else RECEIPT_FORGED)
    assert alex.where(keira) == ["here"] * 3
    alex.client.push = push  # type: ignore[method-assign]
    await alex.sync()
    await team.ruth.sync()
    assert alex.where(keira) == ["on the central store"] * 3
    await agree(alex, team.ruth)


async def test_a_change_that_is_given_two_numbers_is_told_and_counts_for_neither(team: Team) -> None:
    """Its receipt was lost on the way, and the next page shows it twice."""
    alex = team.alex
    keira = alex.add()
    await alex.sync()
    alex.write(keira, "its answer never arrived")
    alex.line.hang_up()
    alex.line.after = lambda number: alex.line.requests[number - 1] == "POST /v1/push"
    with pytest.raises(Offline):
        await alex.sync()
    state = await alex.box.book_state(alex.book(keira))
    line = Evil(book=state.book)
    line.page = lambda page: Here(state.n, state.digest).retold(page, (*page.changes, page.changes[-1]))
    await alex.tap(line)
    (alarm,) = (await alex.sync_somehow()).alarms
    assert alarm.startswith("The central store gives back something else than this laptop wrote.")
    assert (await alex.box.book_state(state.book)).own == state.own, "neither number is believed"
    await alex.tap(Line())
    await alex.sync()
    await team.ruth.sync()
    await agree(alex, team.ruth)
