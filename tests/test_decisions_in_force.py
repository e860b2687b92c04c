"""A decision about who reads a casebook is let go of only when the casebook shows that it is in force (security C.6)."""

from __future__ import annotations

import pytest

from leadworker.directory import Directory
from leadworker.domain import colleagues, readers
from leadworker.domain.readers import OVERDUE_MS
from leadworker.statements import Role
from sync import organising, wire
from sync.readers import AGAIN, NOT_SHOWN, TRIES
from tests.laptops import BEA, CEM, Laptop, Team, add_member, remove_member, rotate
from tests.test_hostile_keys import Trio, trio_of, turns

pytest_plugins = ["tests.laptop_fixtures"]

Control = tuple[wire.OpenChange, ...]


@pytest.fixture
async def trio(team: Team) -> Trio:
    return await trio_of(team)


def take_bea_out(trio: Trio) -> None:
    trio.alex.desk.do_now(lambda shelf: readers.take_out(shelf, trio.keira, colleagues.resolve(shelf, BEA)))


def reads(trio: Trio, laptop: Laptop) -> bool:
    return laptop.box.device in trio.alex.members(trio.book)


async def test_taking_somebody_out_who_gives_a_bad_key_in_that_very_moment_comes_about_at_the_next_sync(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_bea_out(trio)
    send, turned = trio.alex.client.control, list[bool]()

    async def control(changes: Control) -> wire.Outcome:
        if not turned:
            turned.append(True)
            await turns(trio, trio.alex, words=False)
        return await send(changes)

    monkeypatch.setattr(trio.alex.client, "control", control)
    assert (await trio.alex.sync_somehow()).alarms == (AGAIN,)
    (waiting,) = await trio.alex.box.decisions()
    assert reads(trio, trio.bea) and not waiting.said, "it is not called done, and not given up"
    await trio.alex.sync_somehow()
    assert await trio.alex.box.decisions() == ()
    assert not reads(trio, trio.bea)


async def test_a_store_that_says_that_it_took_a_removal_and_does_not_show_it_is_told_of_and_the_decision_stays(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_bea_out(trio)

    async def control(changes: Control) -> wire.Outcome:
        return wire.Outcome(trio.book, "", "", (1,), 1, bytes(32), 0, bytes(64))

    with monkeypatch.context() as lies:
        lies.setattr(trio.alex.client, "control", control)
        assert (await trio.alex.sync_somehow()).alarms == (NOT_SHOWN,)
        trio.alex.clock.wrong_by = OVERDUE_MS / 1000 + 60
        late = [said for said in (await trio.alex.counts()).troubled if BEA in said]
        assert len(late) == 1, "after a quarter of an hour it is an alarm"
        trio.alex.clock.wrong_by = 0
    await trio.alex.sync()
    assert await trio.alex.box.decisions() == () and not reads(trio, trio.bea)


async def test_a_decision_that_others_were_always_before_is_tried_again_as_it_says(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    take_bea_out(trio)
    send, tried = trio.alex.client.control, list[int]()

    async def control(changes: Control) -> wire.Outcome:
        tried.append(1)
        return wire.Outcome(trio.book, "head_moved", "", (), 0, bytes(32), 0, b"") if len(tried) <= TRIES else await send(changes)

    monkeypatch.setattr(trio.alex.client, "control", control)
    assert (await trio.alex.sync_somehow()).alarms == (AGAIN,)
    assert not (await trio.alex.box.decisions())[0].said
    await trio.alex.sync()
    assert await trio.alex.box.decisions() == () and not reads(trio, trio.bea)


@pytest.mark.parametrize("decide", ["take out", "new key"])
async def test_a_key_made_upon_a_directory_that_grew_during_the_sync_gives_no_decision_up(
    trio: Trio, monkeypatch: pytest.MonkeyPatch, decide: str
) -> None:
    """Cem is let in and Bea's laptop, which has heard of it, gives a new key, between Alex's directory and his casebooks."""
    alex, grown = trio.alex, list[bool]()
    if decide == "take out":
        take_bea_out(trio)
    else:
        alex.desk.do_now(readers.give_new_key, trio.keira)
    directory = alex.box.directory

    async def as_it_was() -> Directory | None:
        known = await directory()
        if not grown:
            grown.append(True)
            await trio.team.office.let_in(trio.ruth, CEM)
            await rotate(trio.bea, trio.keira)
        return known

    monkeypatch.setattr(alex.box, "directory", as_it_was)
    trio.ruth.write(trio.keira, "something new, so that the casebook is fetched")
    await trio.ruth.sync()
    assert (await alex.sync_somehow()).alarms == ()
    assert await alex.box.decisions() == ()
    assert reads(trio, trio.bea) == (decide == "new key")


async def test_who_was_taken_out_before_their_decision_arrived_is_told_so_and_it_is_not_tried_for_ever(trio: Trio) -> None:
    ruth = trio.ruth
    ruth.desk.do_now(lambda shelf: readers.take_out(shelf, trio.keira, colleagues.resolve(shelf, BEA)))
    await remove_member(trio.alex, trio.keira, ruth)
    await ruth.sync_somehow()
    (decision,) = await ruth.box.decisions()
    assert decision.said == "You do not read this casebook any more, so you cannot decide who does."
    assert reads(trio, trio.bea)


async def test_who_may_only_read_by_now_is_told_that_they_gave_no_new_key(trio: Trio) -> None:
    bea = trio.bea
    bea.desk.do_now(lambda shelf: readers.give_new_key(shelf, trio.keira))
    await add_member(trio.alex, trio.keira, bea, Role.READ_ONLY)
    await bea.sync_somehow()
    (decision,) = await bea.box.decisions()
    assert decision.said == "You may not write in this casebook any more, so it was given no new key."
    assert (await trio.alex.box.book_state(trio.book)).members.epoch == 1


async def test_a_role_that_was_decided_does_not_let_somebody_in_again_who_was_taken_out_meanwhile(trio: Trio) -> None:
    alex, ruth = trio.alex, trio.ruth
    alex.desk.do_now(lambda shelf: readers.let_in(shelf, trio.keira, colleagues.resolve(shelf, BEA), Role.READ_ONLY))
    ruth.desk.do_now(lambda shelf: readers.take_out(shelf, trio.keira, colleagues.resolve(shelf, BEA)))
    await ruth.sync()
    await alex.sync()
    (decided,) = alex.desk.ask_now(readers.decisions)
    assert decided.said == f"Somebody else has decided about {BEA} meanwhile. Look again, and decide again."
    assert not reads(trio, trio.bea)


async def test_who_lost_their_only_laptop_meanwhile_is_not_made_the_lead(trio: Trio) -> None:
    alex, ruth = trio.alex, trio.ruth
    alex.desk.do_now(lambda shelf: readers.hand_over(shelf, trio.keira, colleagues.resolve(shelf, BEA)))
    await organising.revoke(ruth.box, ruth.client, [trio.bea.box.device])
    await alex.sync()
    (decided,) = alex.desk.ask_now(readers.decisions)
    assert decided.said == f"{BEA} has no laptop in the organisation any more, so the lead was not changed."
    (lead,) = [one for one in alex.desk.ask_now(readers.of, trio.keira) if one.leads]
    assert lead.me


async def test_what_was_told_as_not_brought_about_is_not_brought_about_later_by_itself(trio: Trio) -> None:
    """Bea may write again by then; whether the casebook is still to have a new key, she says herself."""
    bea = trio.bea
    bea.desk.do_now(lambda shelf: readers.give_new_key(shelf, trio.keira))
    await add_member(trio.alex, trio.keira, bea, Role.READ_ONLY)
    await bea.sync_somehow()
    told = await bea.box.decisions()
    await add_member(trio.alex, trio.keira, bea, Role.CO_WORKER)
    await bea.sync()
    assert await bea.box.decisions() == told
    assert (await bea.box.book_state(trio.book)).members.epoch == 1
