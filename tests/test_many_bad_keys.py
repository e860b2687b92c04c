"""Bad keys again and again: the work that they make ends, and nobody's words wait for it."""

from __future__ import annotations

import secrets

import pytest

from leadworker.crypto.envelope import BookKey
from leadworker.crypto.identity import CannotOpen
from leadworker.statements import Role, Rotation
from storage import readers
from sync import founding, wire
from sync.founding import chained
from sync.readers import GRANTS_AT_ONCE
from sync.unopened import SHUT
from tests.laptops import ALEX, BEA, CEM, RUTH, Team, add_member, agree, hand_over, remove_member, rotate
from tests.test_hostile_keys import WHOSE, Trio, keys_held, trio_of, turns

pytest_plugins = ["tests.laptop_fixtures"]


@pytest.fixture
async def trio(team: Team) -> Trio:
    return await trio_of(team)


async def keys_that_lead_nowhere(trio: Trio, count: int) -> None:
    """Bea signs one key after another, good for everybody, each with a ladder to a key that nobody was promised."""
    members, directory = (await trio.bea.box.book_state(trio.book)).members, await trio.bea.box.directory()
    assert directory is not None
    said = list[Rotation]()
    for epoch in range(members.epoch + 1, members.epoch + 1 + count):
        new, nowhere = (BookKey(trio.book, epoch - at, secrets.token_bytes(32)) for at in (0, 1))
        said.append(founding._rotation(new, nowhere, members.members, directory))
    signed = chained(said, trio.book, members.seq, members.head, trio.bea.box.device, trio.bea.box.sign)
    for at in range(0, count, wire.MOST_STATEMENTS):
        assert not (await trio.bea.client.control(signed[at : at + wire.MOST_STATEMENTS])).code


async def test_more_keys_that_lead_nowhere_than_one_request_hands_on_hold_nobody_up(trio: Trio) -> None:
    """Whoever is let in later reads everything, also what was written under the first of them."""
    count = wire.MOST_STATEMENTS + GRANTS_AT_ONCE + 1
    trio.ruth.write(trio.keira, "ruth goes on")
    await keys_that_lead_nowhere(trio, count)
    for laptop in (trio.ruth, trio.alex):
        await laptop.sync()
        assert (await laptop.counts()).waiting == 0
    await remove_member(trio.ruth, trio.keira, trio.bea)
    cem = await trio.team.office.let_in(trio.ruth, CEM)
    await add_member(trio.alex, trio.keira, cem, Role.CO_WORKER)
    for laptop in (trio.ruth, cem):
        await laptop.sync()
    assert cem.titles(trio.keira) == ["one", "ruth goes on"]
    assert len(await keys_held(cem, trio.book)) == count + 2
    said = len(await cem.box.statements(trio.book))
    for laptop in (trio.ruth, cem, trio.alex) * 2:
        await laptop.sync()
    assert len(await cem.box.statements(trio.book)) == said, "and then it is over"
    await agree(trio.alex, trio.ruth, cem)


async def test_two_laptops_that_open_nothing_do_not_answer_each_other_with_keys_for_ever(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(sealed: bytes, info: bytes) -> bytes:
        raise CannotOpen("broken")

    for laptop in (trio.alex, trio.ruth):
        monkeypatch.setattr(laptop.box, "unseal", broken)
    await rotate(trio.bea, trio.keira)
    for _ in range(4):
        for laptop in (trio.alex, trio.ruth):
            (alarm,) = (await laptop.sync_somehow()).alarms
            assert alarm in [SHUT.format(whose=WHOSE, names=name) for name in (ALEX, RUTH)]
    assert (await trio.alex.box.book_state(trio.book)).members.epoch == 4, "each gave one key, which did not help"
    monkeypatch.undo()
    await trio.bea.sync()
    trio.bea.write(trio.keira, "a good key")
    await rotate(trio.bea, trio.keira)
    for laptop in (trio.alex, trio.ruth, trio.bea, trio.alex):
        await laptop.sync_somehow()
    assert [*await keys_held(trio.alex, trio.book)] == [*range(1, 6)]
    await agree(trio.alex, trio.ruth, trio.bea)


async def test_which_keys_are_lacked_is_known_again_when_all_pages_are_made_again_and_forgotten_when_they_came(trio: Trio) -> None:
    await turns(trio, trio.alex)
    await trio.alex.sync_somehow()
    (lacking,) = await trio.alex.box.lacking()
    assert (lacking.book, lacking.epochs, lacking.present, lacking.waiting) == (trio.book, {2}, 3, 1)
    vault = trio.alex.vault
    vault.submit(lambda: readers.retell_everything(vault.connection)).result()
    assert await trio.alex.box.lacking() == (lacking,)
    await trio.ruth.sync()
    await trio.alex.sync()
    assert await trio.alex.box.lacking() == () == await trio.ruth.box.lacking()


async def test_who_was_taken_out_is_told_of_no_key_any_more(trio: Trio) -> None:
    await turns(trio, trio.alex)
    await trio.ruth.sync()
    await hand_over(trio.ruth, trio.keira, trio.alex, trio.ruth)
    await remove_member(trio.ruth, trio.keira, trio.alex)
    await trio.alex.sync_somehow()
    assert await trio.alex.box.lacking() == ()
    assert not [said for said in (await trio.alex.sync_somehow()).alarms if BEA in said]
