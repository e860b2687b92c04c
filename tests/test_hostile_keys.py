"""A colleague who may write signs a new key that does not open for one of the others: nobody is shut out, and they are named."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import CannotOpen, Identity, seal_to
from leadworker.domain import colleagues, readers, sending
from leadworker.errors import Offline
from leadworker.statements import BookStatement, Grant, Membership, Role, Rotation, read_book_statement
from sync import founding, joining, sealed_book
from sync.founding import chained, members_of
from sync.ladders import climbed
from sync.readers import NO_KEY
from sync.unopened import PASSED, SHUT
from tests import second_statements
from tests.laptops import (
    ALEX,
    BEA,
    CEM,
    KEIRA,
    ORGANISATION,
    RUTH,
    TEAM,
    Laptop,
    Office,
    Team,
    add_member,
    agree,
    remove_member,
    rotate,
)
from tests.restored_store import back_up, begin, end, gives_back, restore, rows
from tests.sticks import round_trip
from tests.test_first_sync import a_second_laptop

pytest_plugins = ["tests.laptop_fixtures"]

WHOSE = f"{KEIRA}'s casebook"
NEEDED_NO_MORE = "Nothing that was written under it waits here."


class Trio:
    """Keira's casebook: Alex leads it, Ruth supervises, and Bea, a co-worker, has turned."""

    def __init__(self, team: Team, bea: Laptop, keira: str) -> None:
        self.team, self.alex, self.ruth, self.bea, self.keira = team, team.alex, team.ruth, bea, keira
        self.book = team.alex.book(keira)


async def trio_of(team: Team) -> Trio:
    bea = await team.office.let_in(team.ruth, BEA)
    keira = team.alex.add(KEIRA)
    team.alex.write(keira, "one")
    await team.alex.sync()
    await add_member(team.alex, keira, bea, Role.CO_WORKER)
    for laptop in (bea, team.ruth):
        await laptop.sync()
    return Trio(team, bea, keira)


@pytest.fixture
async def trio(team: Team) -> Trio:
    """Three who have everything, and then Bea turns."""
    return await trio_of(team)


async def say(laptop: Laptop, book: bytes, *said: BookStatement) -> None:
    """Sign statements as this laptop and have the central store take them."""
    members = (await laptop.box.book_state(book)).members
    outcome = await laptop.client.control(chained(said, book, members.seq, members.head, laptop.box.device, laptop.box.sign))
    assert not outcome.code, "the central store cannot look inside"


async def new_key_of(laptop: Laptop, book: bytes, *, leads_to: bytes = b"", **other: Any) -> Rotation:
    """Return a rotation of this laptop's that is right in everything but what is given; its ladder carries `leads_to`."""
    state, directory = await laptop.box.book_state(book), await laptop.box.directory()
    assert directory is not None
    key = BookKey(book, state.members.epoch, leads_to or state.keys[state.members.epoch])
    said = founding._rotation(BookKey(book, key.epoch + 1, secrets.token_bytes(32)), key, state.members.members, directory)
    return replace(said, **other)


def another_key(book: bytes, epoch: int, victim: Laptop) -> bytes:
    return seal_to(victim.box.unsealing_public, bytes(range(32)), key_info(book, epoch, victim.box.device))


BAD: dict[str, Callable[[bytes, int, Laptop], bytes]] = {
    "noise": lambda book, epoch, victim: secrets.token_bytes(80),
    "another key than the rest": another_key,
    "nothing": lambda book, epoch, victim: b"",
    "zeros": lambda book, epoch, victim: bytes(80),
}


async def turns(trio: Trio, *victims: Laptop, bad: str = "noise", words: bool = True, **other: Any) -> None:
    """Bea signs a new key that does not open for some, and writes under it."""
    said = await new_key_of(trio.bea, trio.book, **other)
    seals = {victim.box.device: BAD[bad](trio.book, said.epoch, victim) for victim in victims}
    await say(trio.bea, trio.book, replace(said, seals=said.seals | seals))
    await trio.bea.sync()
    if words:
        trio.bea.write(trio.keira, "under Bea's key")
        await trio.bea.sync()


async def same_members(*laptops: Laptop, book: bytes) -> None:
    """Each laptop has folded the same members and promises."""
    found = [(await laptop.box.book_state(book)).members for laptop in laptops]
    assert len({(m.seq, m.head, m.epoch, m.lead, tuple(sorted(m.members)), tuple(m.commitments.values())) for m in found}) == 1


async def as_the_second_reader_reads_it(laptop: Laptop, book: bytes) -> dict[int, bytes]:
    """Return the keys of a casebook as a reader finds them that was written from docs/sealed-format.md alone."""
    known = await laptop.box.joined()
    assert known is not None
    directory = second_statements.Directory(known.organisation)
    for one in await laptop.box.statements(known.organisation):
        directory.take((one.header, one.body, one.signature))
    members = second_statements.Members(book, directory)
    for one in await laptop.box.statements(book):
        members.take((one.header, one.body, one.signature))
    return members.keys(laptop.box.device, laptop.vault.identity.private_bytes()[1])


def told(laptop: Laptop, person: str) -> list[str]:
    """Return what *who can read* says has happened."""
    return [one.sentence for one in laptop.desk.ask_now(readers.history, person)]


async def keys_held(laptop: Laptop, book: bytes) -> list[int]:
    return sorted((await laptop.box.book_state(book)).keys)


@pytest.mark.parametrize("bad", BAD)
async def test_who_is_given_a_key_that_does_not_open_goes_on_writing_and_reads_everything_again(trio: Trio, bad: str) -> None:
    alex, ruth, bea = trio.alex, trio.ruth, trio.bea
    await turns(trio, alex, bad=bad)
    alex.write(trio.keira, "alex goes on")
    (alarm,) = (await alex.sync_somehow()).alarms
    waiting = "1 change was written under it, kept here sealed, and opened by itself when a laptop that has the key has synced."
    assert alarm == PASSED.format(whose=WHOSE, names=BEA, waiting=waiting)
    counts = await alex.counts()
    assert (counts.waiting, counts.put_aside, counts.troubled) == (0, 1, ()), "its own words went out under a key of its own"
    assert alex.titles(trio.keira) == ["one", "alex goes on"]
    await ruth.sync()
    assert ruth.titles(trio.keira) == ["one", "under Bea's key", "alex goes on"]
    await alex.sync()
    assert (await alex.counts()).put_aside == 0 and (await alex.counts()).troubled == ()
    await bea.sync()
    await agree(alex, ruth, bea)
    await same_members(alex, ruth, bea, book=trio.book)
    assert await keys_held(alex, trio.book) == [1, 2, 3]
    assert await as_the_second_reader_reads_it(alex, trio.book) == (await alex.box.book_state(trio.book)).keys
    said = len(await alex.box.statements(trio.book))
    for laptop in (ruth, bea, alex) * 2:
        await laptop.sync()
    assert len(await alex.box.statements(trio.book)) == said, "and nobody goes on making keys"


@pytest.mark.parametrize("words", [True, False])
async def test_the_rogue_taken_out_with_a_good_key_is_cure_enough(trio: Trio, words: bool) -> None:
    await turns(trio, trio.alex, words=words)
    trio.alex.write(trio.keira, "alex goes on")
    await trio.ruth.sync()
    await remove_member(trio.ruth, trio.keira, trio.bea)
    await trio.alex.sync()
    await trio.ruth.sync()
    assert trio.alex.titles(trio.keira)[-1] == "alex goes on"
    assert (await trio.alex.counts()).put_aside == 0
    await agree(trio.alex, trio.ruth)


async def test_a_key_that_only_its_maker_has_is_told_once_and_stands_under_who_can_read(trio: Trio) -> None:
    """What was written under it may wait for ever; nobody is told so at each sync, and nothing of one's own waits with it."""
    await turns(trio, trio.alex)
    (alarm,) = (await trio.alex.sync_somehow()).alarms
    assert BEA in alarm and KEIRA in alarm
    for _ in range(2):
        assert (await trio.alex.sync_somehow()).alarms == ()
    signed = f"{BEA} signed a key of it that does not open on this laptop."
    assert [one.sentence for one in trio.alex.desk.ask_now(readers.news, trio.keira)] == [signed]
    trio.alex.write(trio.keira, "not sent yet")
    standing = trio.alex.desk.ask_now(lambda shelf: shelf.standing(trio.keira))
    assert sending.why(standing) == sending.NEXT_SYNC
    await trio.ruth.sync()
    await trio.alex.sync()
    assert (await trio.alex.counts()).put_aside == 0
    assert trio.alex.desk.ask_now(readers.news, trio.keira) == (), "the key came by way of Ruth, and the line is gone"


async def test_a_key_that_nothing_was_written_under_is_told_once_and_troubles_nobody_afterwards(trio: Trio) -> None:
    await turns(trio, trio.alex, words=False)
    (alarm,) = (await trio.alex.sync_somehow()).alarms
    assert alarm == PASSED.format(whose=WHOSE, names=BEA, waiting=NEEDED_NO_MORE)
    await trio.alex.sync()
    assert (await trio.alex.counts()).troubled == ()


async def test_what_is_told_once_is_told_by_a_sync_that_comes_to_its_end(trio: Trio, tmp_path: Path) -> None:
    """A line that goes dead while the sealed files go, last of all, leaves it for the next sync."""
    await turns(trio, trio.alex)
    alex, line = trio.alex, trio.alex.line
    (tmp_path / "scan.pdf").write_bytes(b"%PDF invented")
    alex.desk.attach_now(trio.keira, tmp_path / "scan.pdf")
    line.before = lambda number: "/files/" in line.requests[-1]
    with pytest.raises(Offline):
        await alex.sync_somehow()
    line.before = lambda number: False
    alarms = (await alex.sync_somehow()).alarms
    assert len([alarm for alarm in alarms if BEA in alarm]) == 1
    assert BEA not in "".join((await alex.sync_somehow()).alarms)


async def test_who_may_only_read_is_told_whom_to_name_and_a_good_key_gives_all_of_it_back(trio: Trio) -> None:
    cem = await trio.team.office.let_in(trio.ruth, CEM)
    await add_member(trio.alex, trio.keira, cem, Role.READ_ONLY)
    for laptop in (cem, trio.bea, trio.ruth):
        await laptop.sync()
    await turns(trio, cem)
    for _ in range(2):  # also while nothing is new
        (alarm,) = (await cem.sync_somehow()).alarms
        assert alarm == SHUT.format(whose=WHOSE, names=BEA)
        assert (await cem.counts()).troubled == (alarm,)
    await trio.alex.sync()
    trio.alex.write(trio.keira, "meanwhile")
    await trio.alex.sync()
    await rotate(trio.ruth, trio.keira)
    await cem.sync()
    assert cem.titles(trio.keira) == ["one", "under Bea's key", "meanwhile"]
    assert (await cem.counts()).troubled == ()
    await agree(cem, trio.ruth)


async def test_a_key_of_the_same_number_from_an_honest_colleague_gives_all_of_it_back_too(trio: Trio) -> None:
    cem = await trio.team.office.let_in(trio.ruth, CEM)
    await add_member(trio.alex, trio.keira, cem, Role.READ_ONLY)
    for laptop in (cem, trio.bea, trio.ruth):
        await laptop.sync()
    await turns(trio, cem)
    await cem.sync_somehow()
    await trio.ruth.sync()
    state = await trio.ruth.box.book_state(trio.book)
    seal = seal_to(cem.box.unsealing_public, state.keys[2], key_info(trio.book, 2, cem.box.device))
    await say(trio.ruth, trio.book, Grant(2, {cem.box.device: seal}))
    await cem.sync()
    assert cem.titles(trio.keira) == ["one", "under Bea's key"]


async def test_where_only_the_rogue_holds_the_key_the_others_take_her_out_and_lose_nothing_of_theirs(trio: Trio) -> None:
    alex, ruth = trio.alex, trio.ruth
    await turns(trio, alex, ruth)
    ruth.write(trio.keira, "ruth goes on")
    alex.write(trio.keira, "alex goes on")
    alex.desk.do_now(lambda shelf: readers.take_out(shelf, trio.keira, colleagues.resolve(shelf, BEA)))
    await alex.sync_somehow()
    await ruth.sync_somehow()
    await alex.sync_somehow()
    assert trio.bea.box.device not in alex.members(trio.book), "the decision came about in the same sync"
    assert await alex.box.decisions() == ()
    for laptop in (alex, ruth):
        assert sorted(laptop.titles(trio.keira)) == ["alex goes on", "one", "ruth goes on"]
        assert (await laptop.counts()).waiting == 0
        assert [aside.written_by for aside in await laptop.box.put_aside()] == [BEA], "kept sealed, for escrow and for whoever asks"
        assert (await laptop.sync_somehow()).alarms == (), "it was told once, and nobody could end it"
        assert f"{BEA} signed a key of it that does not open on this laptop." in told(laptop, trio.keira)
    await agree(alex, ruth)
    await same_members(alex, ruth, book=trio.book)


async def test_who_is_let_in_later_is_handed_what_no_newer_key_leads_to(trio: Trio) -> None:
    await turns(trio, trio.alex)
    await trio.alex.sync_somehow()
    cem = await trio.team.office.let_in(trio.ruth, CEM)
    await trio.alex.sync_somehow()
    await add_member(trio.ruth, trio.keira, cem, Role.CO_WORKER)
    await cem.sync()
    await trio.alex.sync()
    assert cem.titles(trio.keira) == ["one", "under Bea's key"]
    await agree(cem, trio.ruth, trio.alex)


async def test_whoever_holds_the_key_hands_it_on_also_after_a_sync_that_was_cut_off(trio: Trio) -> None:
    await turns(trio, trio.alex)
    await trio.alex.sync_somehow()
    for at in range(1, 20):
        trio.ruth.line.hang_up()
        trio.ruth.line.before = lambda number, at=at: number >= at  # type: ignore[misc]
        try:
            await trio.ruth.sync()
            break
        except Offline:
            continue
    await trio.alex.sync()
    assert trio.alex.titles(trio.keira) == ["one", "under Bea's key"]
    await agree(trio.alex, trio.ruth)


async def test_whoever_hears_of_it_by_stick_hands_the_key_on_at_the_next_line(trio: Trio, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    await turns(trio, trio.alex)
    await trio.alex.sync_somehow()
    _, _, read = await round_trip(trio.ruth, trio.alex, stick)
    assert read.alarms == ()
    trio.ruth.line.dead = False
    await trio.ruth.sync()
    await trio.alex.sync()
    assert trio.alex.titles(trio.keira) == ["one", "under Bea's key"]


LADDERS = {"noise": {"ladder": bytes(range(60))}, "a key that nobody was promised": {"leads_to": bytes(range(32))}}


@pytest.mark.parametrize("bad", LADDERS)
async def test_a_ladder_that_leads_nowhere_cuts_no_newcomer_off_from_the_history(trio: Trio, bad: str) -> None:
    await turns(trio, **LADDERS[bad])
    await trio.ruth.sync()
    cem = await trio.team.office.let_in(trio.ruth, CEM)
    await add_member(trio.alex, trio.keira, cem, Role.CO_WORKER)
    await cem.sync_somehow()
    await trio.ruth.sync()
    await cem.sync()
    assert cem.titles(trio.keira) == ["one", "under Bea's key"]
    await agree(cem, trio.ruth, trio.alex)


async def test_a_second_bad_key_is_answered_like_the_first_and_all_of_it_comes_back(trio: Trio) -> None:
    for _ in range(2):
        await turns(trio, trio.alex)
        await trio.alex.sync_somehow()
        await trio.bea.sync()
    await trio.ruth.sync()
    await trio.alex.sync()
    assert trio.alex.titles(trio.keira) == ["one", "under Bea's key", "under Bea's key"]
    await trio.bea.sync()
    await agree(trio.alex, trio.ruth, trio.bea)


async def test_a_false_help_of_the_rogue_does_not_stop_the_honest_one(trio: Trio) -> None:
    """Bea is the first to hand the key on, and what she hands on does not open either."""
    await turns(trio, trio.alex)
    await trio.alex.sync_somehow()
    state = await trio.bea.box.book_state(trio.book)
    await trio.bea.client.changes(trio.book, state.n)
    members = (await trio.alex.box.book_state(trio.book)).members
    said = Grant(2, {trio.alex.box.device: bytes(80), trio.ruth.box.device: bytes(80)})
    outcome = await trio.bea.client.control(chained((said,), trio.book, members.seq, members.head, trio.bea.box.device, trio.bea.box.sign))
    assert not outcome.code
    await trio.ruth.sync()
    await trio.alex.sync()
    assert trio.alex.titles(trio.keira) == ["one", "under Bea's key"]
    await agree(trio.alex, trio.ruth)


async def test_a_newcomer_whose_first_key_does_not_open_is_told_who_signed_it_and_a_new_key_lets_them_in(trio: Trio) -> None:
    """Alex is the rogue here: whoever decides lets in, and seals the first key to the newcomer."""
    cem = await trio.team.office.let_in(trio.ruth, CEM)
    await trio.alex.sync()
    state, directory = await trio.alex.box.book_state(trio.book), await trio.alex.box.directory()
    assert directory is not None
    newcomer = members_of(directory, trio.alex.person_of(cem), Role.CO_WORKER)
    await say(trio.alex, trio.book, Membership(directory.seen, newcomer, (), state.members.lead), Grant(1, {cem.box.device: bytes(80)}))
    (alarm,) = (await cem.sync_somehow()).alarms
    assert alarm == SHUT.format(whose="a casebook", names=ALEX), "whose it is cannot be read yet"
    await rotate(trio.ruth, trio.keira)
    await cem.sync()
    assert cem.titles(trio.keira) == ["one"]
    cem.write(trio.keira, "let in after all")
    await cem.sync()
    await trio.ruth.sync()
    await agree(cem, trio.ruth)


async def test_two_laptops_of_one_person_that_are_both_shut_out_help_themselves_once(trio: Trio) -> None:
    second = await a_second_laptop(trio.team)
    await second.sync()
    for laptop in (trio.bea, trio.ruth):
        await laptop.sync()
    await turns(trio, trio.alex, second)
    await trio.alex.sync_somehow()
    await second.sync_somehow()
    await trio.ruth.sync()
    for laptop in (second, trio.alex):
        await laptop.sync()
    assert await keys_held(second, trio.book) == await keys_held(trio.alex, trio.book) == [1, 2, 3]
    await agree(second, trio.alex, trio.ruth)


async def test_a_laptop_that_cannot_open_what_it_seals_to_itself_makes_one_key_and_no_more(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(sealed: bytes, info: bytes) -> bytes:
        raise CannotOpen("broken")

    monkeypatch.setattr(trio.alex.box, "unseal", broken)
    await rotate(trio.ruth, trio.keira)
    trio.alex.write(trio.keira, "it waits")
    for _ in range(3):
        (alarm,) = (await trio.alex.sync_somehow()).alarms
        assert alarm == SHUT.format(whose=WHOSE, names=ALEX)
    assert (await trio.alex.box.book_state(trio.book)).members.epoch == 3
    assert (await trio.alex.counts()).waiting == 1
    trio.alex.desk.do_now(lambda shelf: readers.take_out(shelf, trio.keira, colleagues.resolve(shelf, BEA)))
    await trio.alex.sync_somehow()
    (decided,) = await trio.alex.box.decisions()
    assert decided.said == NO_KEY, "what did not come about is not called done"
    monkeypatch.undo()
    await trio.ruth.sync()
    await rotate(trio.ruth, trio.keira)
    await trio.alex.sync()
    await trio.ruth.sync()
    assert trio.ruth.titles(trio.keira)[-1] == "it waits"
    await agree(trio.alex, trio.ruth)


async def test_what_comes_by_stick_with_a_bad_key_is_taken_in_and_told(trio: Trio, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    await turns(trio, trio.alex)
    await trio.ruth.sync()
    trio.alex.write(trio.keira, "written at the farmhouse")
    _, carried, read = await round_trip(trio.alex, trio.ruth, stick)
    assert SHUT.format(whose=WHOSE, names=BEA) in read.alarms and carried.alarms == ()
    assert (await trio.alex.counts()).waiting == 1
    wrote, carried, _ = await round_trip(trio.alex, trio.ruth, stick)
    assert (wrote.written, carried.alarms) == (0, ()), "what would only be refused is not carried"
    trio.alex.line.dead = False
    await trio.alex.sync_somehow()
    await trio.ruth.sync()
    await trio.alex.sync()
    assert (await trio.alex.counts()).waiting == 0
    assert trio.alex.titles(trio.keira) == ["one", "under Bea's key", "written at the farmhouse"]
    await agree(trio.alex, trio.ruth)


async def test_a_restored_store_is_given_back_a_bad_key_and_what_was_written_under_it(team_on: Team, tmp_path: Path) -> None:
    trio = await trio_of(team_on)
    backup = back_up(team_on.office, tmp_path)
    await turns(trio, trio.alex)
    await trio.alex.sync_somehow()
    before = rows(team_on.office)
    restore(team_on.office, backup)
    begin(team_on.office)
    assert "given back" in await gives_back(trio.alex), "sealed as they are, by the one who cannot open them"
    assert rows(team_on.office) == before
    for laptop in (trio.ruth, trio.bea):
        assert await gives_back(laptop)
    end(team_on.office)
    for laptop in (trio.ruth, trio.bea, trio.alex):
        await laptop.sync_somehow()
    await agree(trio.alex, trio.ruth)


@pytest.mark.parametrize("bad", [{"escrow": bytes(80)}, {"ladder": bytes(60)}])
async def test_escrow_opens_what_it_can_where_one_key_was_not_sealed_to_it(empty_office: Office, bad: dict[str, bytes]) -> None:
    """Nobody but the officers can tell. The next honest key leads down to it, or the seal of the one before is still there."""
    ruth = empty_office.laptop(RUTH)
    made = await joining.set_up(ruth.box, ruth.client, empty_office.hub.setup_code, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
    alex = await empty_office.let_in(ruth, ALEX)
    keira = alex.add(KEIRA)
    alex.write(keira, "one")
    await alex.sync()
    await say(alex, alex.book(keira), await new_key_of(alex, alex.book(keira), **bad))
    await alex.sync()
    alex.write(keira, "two")
    await alex.sync()
    await rotate(ruth, keira)
    known = await alex.box.joined()
    assert known is not None
    sealed = sealed_book.read(sealed_book.write(await sealed_book.fetch(alex.client, known.hub_key, known.organisation, alex.book(keira))))
    opened = sealed_book.open_with_escrow(sealed, Identity(bytes(range(32)), made.escrow_private), made.root_fingerprint)
    titles = [one.content.values.get("title") for one in opened.received if one.content and one.content.topic == "journal_entry"]
    assert titles == ["one", "two"]
    assert not [one.why for one in opened.received if one.why]


async def test_a_new_key_of_the_one_who_lacks_the_last_leads_past_it_to_the_one_before(trio: Trio) -> None:
    await turns(trio, trio.alex)
    await trio.alex.sync_somehow()
    state = await trio.alex.box.book_state(trio.book)
    assert [key.epoch for key in climbed(BookKey(trio.book, 3, state.keys[3]), state.members)] == [1]
    made = [read_book_statement(one.body) for one in await trio.alex.box.statements(trio.book)]
    assert [one.epoch for one in made if isinstance(one, Rotation)] == [1, 2, 3]
