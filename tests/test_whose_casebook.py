"""Whose casebook it is, is said by the person with its lowest number: the same on every laptop, in whatever order keys and changes came."""

from __future__ import annotations

import secrets

import pytest

from leadworker.domain import people
from leadworker.record import new_id
from leadworker.shelf import Shelf
from leadworker.statements import Role
from storage import rebuilding
from sync.readers import Readers
from tests.evil_hub import Case, Rogue
from tests.laptops import BEA, Laptop, Team, add_member, agree
from tests.test_hostile_colleague import ELSEWHERE, NOBODYS
from tests.test_hostile_keys import new_key_of, say

pytest_plugins = ["tests.laptop_fixtures"]

FIRST, SECOND = "a1" * 16, "a2" * 16


def of_nobody(shelf: Shelf) -> str:
    """Begin a casebook that says nothing of whose it is."""
    decoy = new_id()
    shelf.start_casebook(decoy)
    shelf.add(people.Involvement, decoy, person_id=decoy)
    return decoy


async def founded(founder: Laptop) -> Rogue:
    """Return a founder who writes in a casebook of nobody what no leadworker would."""
    decoy = founder.desk.do_now(of_nobody)
    await founder.sync()
    return Rogue(founder, decoy)


async def person(rogue: Rogue, record: str, name: str) -> None:
    await rogue.write(await rogue.content("person", record, {"name": name}))


async def note(rogue: Rogue, about: str, title: str) -> None:
    await rogue.write(await rogue.content("journal_entry", new_id(), {"person_id": about, "title": title}))


def whose(laptop: Laptop, book: bytes) -> object:
    return laptop.sql("SELECT subject FROM book WHERE id = ?", book)[0][0]


def shown(laptop: Laptop, book: bytes) -> list[object]:
    return [row[0] for row in laptop.sql("SELECT title FROM journal_entry WHERE book = ? ORDER BY title", book.hex())]


def digest_of(laptop: Laptop, book: bytes) -> str:
    found = laptop.vault.submit(lambda: rebuilding.book_digests(laptop.vault.connection)).result()
    return found[book.hex()]


async def reasons(laptop: Laptop) -> set[str]:
    return {one.why for one in await laptop.box.put_aside()}


async def test_a_casebook_of_nobody_puts_nothing_on_anybodys_page(case: Case) -> None:
    await case.ruth.sync()
    before = case.ruth.titles(case.keira)
    await note(await founded(case.alex), case.keira, "Keira was not at home")
    await case.ruth.sync()
    assert case.ruth.titles(case.keira) == before
    assert await reasons(case.ruth) == {NOBODYS}
    await case.ruth.check()


@pytest.mark.parametrize("synced_between", [False, True], ids=["in one page", "in two syncs"])
async def test_what_was_written_before_its_person_is_shown_once_they_are_named(case: Case, synced_between: bool) -> None:
    rogue = await founded(case.alex)
    await note(rogue, FIRST, "before the person")
    await note(rogue, case.keira, "about Keira")
    if synced_between:
        await case.ruth.sync()
        assert shown(case.ruth, rogue.book) == []
    await person(rogue, FIRST, "Somebody")
    await note(rogue, FIRST, "after the person")
    await case.ruth.sync()
    assert whose(case.ruth, rogue.book) == FIRST
    assert shown(case.ruth, rogue.book) == ["after the person", "before the person"]
    assert await reasons(case.ruth) == {ELSEWHERE}, "the note about Keira, and that somebody is involved with nobody"
    await case.ruth.check()


async def test_who_claims_an_entry_of_another_casebook_before_naming_their_own_person_takes_it_from_nobody(case: Case) -> None:
    (entry,) = case.ruth.write(case.keira, "what Ruth saw")
    await case.ruth.sync()
    titles = case.ruth.titles(case.keira)
    rogue = await founded(case.alex)
    await rogue.write(await rogue.content("journal_entry", entry, {"person_id": FIRST, "title": "mine"}))
    await person(rogue, FIRST, "Somebody")
    await case.ruth.sync()
    assert case.ruth.titles(case.keira) == titles
    assert "what was saved is never written over" in await reasons(case.ruth)
    await case.ruth.check()


async def test_a_second_person_in_a_casebook_does_not_make_it_theirs(case: Case) -> None:
    rogue = await founded(case.alex)
    await person(rogue, FIRST, "Somebody")
    await note(rogue, FIRST, "about the first")
    await case.ruth.sync()
    await person(rogue, SECOND, "Somebody else")
    await note(rogue, SECOND, "about the second")
    await case.ruth.sync()
    assert whose(case.ruth, rogue.book) == FIRST
    assert shown(case.ruth, rogue.book) == ["about the first"]
    await case.ruth.check()


async def test_a_casebook_is_the_first_persons_also_where_that_ones_key_came_later(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bea is let in under a second key that does not lead to the first: what she can read names somebody else, until Ruth helps."""
    alex, ruth = team.alex, team.ruth
    bea = await team.office.let_in(ruth, BEA)
    await alex.sync()
    first = alex.add("Somebody")
    alex.write(first, "about the first")
    await alex.sync()
    rogue = Rogue(alex, first)

    async def nothing(readers: Readers, book: bytes) -> None: ...

    with monkeypatch.context() as patched:
        patched.setattr(Readers, "_hand_on", nothing)  # nobody honest has seen it yet
        await say(alex, rogue.book, await new_key_of(alex, rogue.book, leads_to=secrets.token_bytes(32)))
        await alex.sync()
        await add_member(alex, first, bea, Role.CO_WORKER)
    await person(rogue, SECOND, "Somebody else")
    await note(rogue, SECOND, "about the second")
    await bea.sync_somehow()
    assert (whose(bea, rogue.book), shown(bea, rogue.book)) == (SECOND, ["about the second"])
    await ruth.sync()
    assert (whose(ruth, rogue.book), shown(ruth, rogue.book)) == (first, ["about the first"])
    await bea.sync_somehow()
    assert (whose(bea, rogue.book), shown(bea, rogue.book)) == (first, ["about the first"])
    assert digest_of(bea, rogue.book) == digest_of(ruth, rogue.book)
    assert await reasons(bea) == await reasons(ruth)
    await bea.check()
    await ruth.check()


async def test_a_page_that_was_not_taken_names_nobody(case: Case) -> None:
    """What was named in vain is forgotten: what comes after it is compared with whose casebook it is in truth."""
    projector = case.ruth.vault.projector
    await case.ruth.sync()
    tried = f"00{FIRST[2:]}"

    def stopped() -> None:
        with case.ruth.vault.transaction() as transaction:
            transaction.connection.execute("UPDATE book SET subject = ? WHERE id = ?", (tried, case.book))
            with pytest.raises(Exception, match="another person"):
                projector._refuse_elsewhere({"person_id": case.keira}, case.book.hex())
            raise RuntimeError("stopped half-way")

    with pytest.raises(RuntimeError):
        case.ruth.vault.submit(stopped).result()
    case.alex.write(case.keira, "goes on")
    await case.alex.sync()
    await case.ruth.sync()
    assert case.ruth.titles(case.keira)[-1] == "goes on"
    await agree(case.alex, case.ruth)
