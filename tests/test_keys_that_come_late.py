"""What was put aside for want of a key is read, once the key comes, by the rules under which a colleague with the key read it at once."""

from __future__ import annotations

import secrets
from typing import cast

import pytest

from leadworker import change
from leadworker.change import Kind
from leadworker.crypto.envelope import BookKey
from leadworker.crypto.opening import Opened, opened
from leadworker.proof import HEAD
from sync import wire
from sync.readers import Readers
from tests.evil_hub import Case, Rogue
from tests.laptops import Laptop, Team, agree
from tests.test_hostile_colleague import (
    NEWER,
    ODD,
    UNREADABLE,
    entry_taken_away,
    entry_written_again,
    note,
    person_of_another_casebook,
)
from tests.test_hostile_keys import Trio, trio_of, turns

pytest_plugins = ["tests.laptop_fixtures"]

NOT_ALONE = (entry_written_again, entry_taken_away, person_of_another_casebook)
"""They need a casebook that Ruth has something in already."""


@pytest.fixture
async def trio(team: Team) -> Trio:
    """Bea has given Alex a key that does not open for him, and Ruth a good one."""
    made = await trio_of(team)
    await turns(made, made.alex, words=False)
    await made.bea.sync()
    return made


async def aside(laptop: Laptop) -> list[tuple[int, str]]:
    return [(one.n, one.why) for one in await laptop.box.put_aside()]


async def test_what_no_leadworker_writes_stays_aside_when_its_key_comes_says_why_and_stops_nobody(trio: Trio) -> None:
    alex, ruth = trio.alex, trio.ruth
    rogue, case = Rogue(trio.bea, trio.keira), cast(Case, trio)
    for make, _ in ODD.values():
        if make not in NOT_ALONE:
            await rogue.write(await make(rogue, case))
    await alex.sync_somehow()
    assert {why for _, why in await aside(alex)} == {"this laptop was not given the key"}
    await ruth.sync()
    alex.write(trio.keira, "alex goes on")
    await alex.sync()
    assert sorted(await aside(alex)) == sorted(await aside(ruth))
    assert {UNREADABLE, NEWER} <= {why for _, why in await aside(alex)}
    assert (await alex.counts()).troubled == ()
    await ruth.sync()
    await agree(alex, ruth)
    alex = trio.team.office.restart(await closed(alex))
    await alex.check()


async def closed(laptop: Laptop) -> Laptop:
    await laptop.close()
    return laptop


async def test_kinds_that_are_kept_for_later_are_not_read_as_words_when_their_key_comes(trio: Trio) -> None:
    rogue = Rogue(trio.bea, trio.keira)
    said = await note(rogue, cast(Case, trio))
    sealed = await rogue.sealed(change.write_content(said, secrets.token_bytes(16)), kind=Kind.ACCESS)
    (outcome,) = (await trio.bea.client.push((wire.Run((sealed,), trio.bea.box.sign(HEAD, rogue.head)),))).outcomes
    assert not outcome.code
    await trio.alex.sync_somehow()
    await trio.ruth.sync()
    await trio.alex.sync()
    assert await aside(trio.alex) == await aside(trio.ruth) == []
    assert trio.alex.titles(trio.keira) == trio.ruth.titles(trio.keira) == ["one"]
    await agree(trio.alex, trio.ruth)


async def test_an_entry_that_is_claimed_twice_is_everywhere_the_first_one_also_where_its_key_came_later(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bea claims one entry's id twice: under a key that does not open for Alex, and under the next one, his own."""
    alex, ruth, bea = trio.alex, trio.ruth, trio.bea
    rogue, entry = Rogue(bea, trio.keira), "ab" * 16
    await rogue.write(await rogue.content("journal_entry", entry, {"person_id": trio.keira, "title": "the first"}))
    await alex.sync_somehow()

    async def nothing(readers: Readers, book: bytes) -> None: ...

    with monkeypatch.context() as patched:
        patched.setattr(Readers, "_hand_on", nothing)  # she keeps the key to herself
        await bea.sync()
    await rogue.write(await rogue.content("journal_entry", entry, {"person_id": trio.keira, "title": "the second"}))
    await alex.sync_somehow()
    assert alex.titles(trio.keira) == ["the second", "one"]
    await ruth.sync()
    await alex.sync()
    assert alex.titles(trio.keira) == ruth.titles(trio.keira) == ["the first", "one"]
    assert await aside(alex) == await aside(ruth) != []
    await agree(alex, ruth)
    shown = alex.digest()
    assert await alex.check() == shown


def test_a_seal_of_another_size_than_was_signed_is_not_opened_whenever_its_key_comes() -> None:
    book, body = secrets.token_bytes(16), bytes(16) + b"words"
    key = BookKey(book, 1, secrets.token_bytes(32))
    signed = {
        size: change.Header(Kind.CONTENT, book, bytes(16), 1, 1, change.FIRST, size, change.commitment(body)).pack() for size in (256, 512)
    }

    def found(size: int) -> Opened:
        return opened(signed[size], change.unpack(signed[size]), key.seal(signed[256], body), lambda epoch: key)

    assert found(256).body == body
    assert (found(512).body, found(512).why) == (None, "not of the size that was signed, or larger than any change may be")
