"""Older keys that are handed on: by whom, to whom, once; and what is said of them to whom they do not come."""

from __future__ import annotations

import itertools
import secrets

import pytest

from leadworker.crypto.envelope import BookKey, commitment_to, key_info
from leadworker.crypto.identity import seal_to
from leadworker.errors import Offline
from leadworker.membership import BookMembers
from leadworker.postbox import BookState
from leadworker.statements import Grant, Membership, Role
from sync.founding import members_of
from sync.ladders import climbed, left_behind, newest_key
from sync.receiving import NOT_SHOWN
from sync.unopened import NOT_HANDED, handed_out
from tests.evil_hub import Evil, replace
from tests.laptops import CEM, Laptop, Line, Team, agree, remove_member
from tests.test_hostile_keys import LADDERS, Trio, say, trio_of, turns

pytest_plugins = ["tests.laptop_fixtures"]


@pytest.fixture
async def trio(team: Team) -> Trio:
    """Bea gave the casebook a key that everybody can open and that leads to none before it."""
    made = await trio_of(team)
    await turns(made, **LADDERS["noise"])
    return made


async def let_in_with_the_present_key_alone(trio: Trio, role: Role = Role.CO_WORKER) -> Laptop:
    """Let Cem in by Alex's laptop, which goes off the line before it has handed on what that key does not lead to."""
    cem, alex = await trio.team.office.let_in(trio.ruth, CEM), trio.alex
    await alex.sync()
    state, directory = await alex.box.book_state(trio.book), await alex.box.directory()
    assert directory is not None
    seal = seal_to(cem.box.unsealing_public, state.keys[2], key_info(trio.book, 2, cem.box.device))
    newcomer = members_of(directory, alex.person_of(cem), role)
    await say(alex, trio.book, Membership(directory.seen, newcomer, (), state.members.lead), Grant(2, {cem.box.device: seal}))
    return cem


async def handed_by(laptop: Laptop, book: bytes) -> list[bytes]:
    """Return to which devices a laptop has handed the first key since the second was made."""
    said = handed_out(await laptop.box.statements(book))
    since = next(at for at, one in enumerate(said) if one.made and one.epoch == 2)
    return [device for one in said[since:] if (one.signer, one.epoch) == (laptop.box.device, 1) for device in one.to]


async def test_a_newcomer_to_whom_nobody_has_handed_an_older_key_is_told_once_and_nobody_is_accused(trio: Trio) -> None:
    cem = await let_in_with_the_present_key_alone(trio)
    (alarm,) = (await cem.sync_somehow()).alarms
    waits = sum(one.why == "this laptop was not given the key" for one in await cem.box.put_aside())
    assert 1 < waits < (await cem.counts()).put_aside, "what he can open is about somebody whom nobody here knows yet, and waits too"
    waiting = f"{waits} changes were written under it, kept here sealed, and opened by itself when a laptop that has the key has synced."
    assert alarm == NOT_HANDED.format(whose="a casebook", waiting=waiting)
    assert (await cem.sync_somehow()).alarms == ()
    await trio.alex.sync()
    await cem.sync()
    assert cem.titles(trio.keira) == ["one", "under Bea's key"], "the second was readable first, as nobody's"
    assert (await cem.counts()).put_aside == 0
    await agree(trio.alex, cem)


async def test_whoever_hands_a_key_on_hands_it_to_the_others_and_once(trio: Trio) -> None:
    """Alex made the first key, and others need not believe that his hands are good; he himself knows what he has done."""
    cem, alex = await let_in_with_the_present_key_alone(trio), trio.alex
    await alex.sync()
    to_ruth_and_cem = sorted([cem.box.device, trio.ruth.box.device])
    assert sorted(await handed_by(alex, trio.book)) == to_ruth_and_cem, "and not to Bea, to whom he gave it as he let her in"
    for _ in range(3):
        await alex.sync()
    assert sorted(await handed_by(alex, trio.book)) == to_ruth_and_cem
    await trio.ruth.sync()
    by_ruth = await handed_by(trio.ruth, trio.book)
    assert cem.box.device in by_ruth and trio.ruth.box.device not in by_ruth


async def test_a_key_is_handed_on_also_after_a_sync_that_was_cut_off_and_one_that_left_the_casebook_out(trio: Trio) -> None:
    """Nothing new is said of the casebook when it is whole again: what was said before is still to be followed."""
    cem, alex = await let_in_with_the_present_key_alone(trio), trio.alex
    alex.line.before = lambda number: alex.line.requests[-1] == "POST /v1/control"
    with pytest.raises(Offline):
        await alex.sync()
    evil = Evil()
    evil.news = lambda news: replace(news, books=tuple(one for one in news.books if one.book != trio.book))
    await alex.tap(evil)
    assert (await alex.sync_somehow()).alarms == (NOT_SHOWN,)
    assert cem.box.device not in await handed_by(alex, trio.book)
    await alex.tap(Line())
    await alex.sync()
    await cem.sync()
    assert cem.titles(trio.keira) == ["one", "under Bea's key"]


async def test_who_left_a_key_behind_is_not_believed_to_have_handed_it_on(trio: Trio) -> None:
    """Bea is the first to hand the key on that her own does not lead to, and what she hands on does not open."""
    cem = await let_in_with_the_present_key_alone(trio)
    await trio.bea.sync()
    await say(trio.bea, trio.book, Grant(1, {cem.box.device: bytes(80)}))
    await trio.alex.sync()
    await cem.sync()
    assert cem.titles(trio.keira) == ["one", "under Bea's key"]


async def test_who_may_only_read_hands_nothing_on_and_is_refused_nothing_for_it(trio: Trio) -> None:
    cem = await let_in_with_the_present_key_alone(trio, Role.READ_ONLY)
    await trio.alex.sync()
    for _ in range(2):
        await cem.sync()
    assert cem.titles(trio.keira) == ["one", "under Bea's key"]
    assert await handed_by(cem, trio.book) == []
    assert (await cem.counts()).troubled == ()


async def test_who_was_let_in_again_without_a_key_waits_for_it_and_gives_the_casebook_no_other(trio: Trio) -> None:
    """Nobody signed a key for Cem that does not open: there is nothing to answer, and the others go on."""
    cem, alex = await let_in_with_the_present_key_alone(trio), trio.alex
    await cem.sync_somehow()
    await remove_member(alex, trio.keira, cem)
    state, directory = await alex.box.book_state(trio.book), await alex.box.directory()
    assert directory is not None
    back = members_of(directory, alex.person_of(cem), Role.CO_WORKER)
    await say(alex, trio.book, Membership(directory.seen, back, (), state.members.lead))
    await cem.sync_somehow()
    here = await cem.box.book_state(trio.book)
    assert (here.members.epoch, 3 in here.keys, 2 in here.keys) == (3, False, True)


async def test_a_bad_key_under_which_nothing_waits_is_told_to_who_answered_it_and_to_nobody_else(team: Team) -> None:
    trio = await trio_of(team)
    await turns(trio, trio.alex, trio.ruth, words=False)
    (alarm,) = (await trio.ruth.sync_somehow()).alarms
    assert "did not open" in alarm
    assert (await trio.alex.sync_somehow()).alarms == ()
    assert [lacking.epochs for lacking in await trio.alex.box.lacking()] == [{2}]


def test_of_keys_that_no_newer_one_leads_to_only_the_newest_of_each_ladder_is_handed_on() -> None:
    """The fourth key leads nowhere and the third leads to the second and the first: whoever has the third has all of them."""
    book, members = secrets.token_bytes(16), BookMembers(secrets.token_bytes(16))
    keys = {epoch: BookKey(book, epoch, secrets.token_bytes(32)) for epoch in range(1, 5)}
    members.epoch = 4
    members.commitments = {epoch: key.commitment() for epoch, key in keys.items()}
    members.ladders = {1: b"", 2: keys[2].ladder(keys[1]), 3: keys[3].ladder(keys[2]), 4: bytes(60)}
    state = BookState(book, 0, b"", {}, {}, members, {epoch: key.secret for epoch, key in keys.items()})
    assert [key.epoch for key in left_behind(state)] == [3]
    newest = newest_key(state)
    assert newest is not None and newest.epoch == 4


def test_a_ladder_that_leads_to_its_own_key_has_no_second_step() -> None:
    """It would else be climbed for ever, by every laptop that reads the casebook."""
    book, secret = secrets.token_bytes(16), secrets.token_bytes(32)
    key, members = BookKey(book, 2, secret), BookMembers(book)
    members.commitments = {1: bytes(16), 2: commitment_to(book, 2, secret)}
    members.ladders = {1: b"", 2: key.ladder(BookKey(book, 1, secret))}
    assert list(itertools.islice(climbed(key, members), 3)) == []
