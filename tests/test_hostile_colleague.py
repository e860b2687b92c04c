"""A colleague of the team who writes, with real keys, what no leadworker would write: it is put aside, or shown as harmless text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from leadworker import change
from leadworker.change import Content, Kind
from leadworker.clock import MOST_DRIFT_MS
from leadworker.domain import journal, people
from leadworker.record import new_id
from leadworker.shelf import Shelf
from leadworker.text import clean
from storage import rebuilding
from tests.evil_hub import SAFE, Case, Here, Rogue
from tests.laptops import ALEX, KEIRA, TOBIAS, agree

pytest_plugins = ["tests.laptop_fixtures"]

ENTRY = "ab" * 16
SALT = bytes(16)


@pytest.fixture
async def rogue(case: Case) -> Rogue:
    """Alex, who has turned: Ruth reads what he writes."""
    await case.ruth.sync()
    return Rogue(case.alex, case.keira)


async def note(rogue: Rogue, case: Case, **more: Any) -> Content:
    values = {"person_id": case.keira, "title": "an odd note", **more.pop("values", {})}
    return await rogue.content(more.pop("topic", "journal_entry"), more.pop("record", ENTRY), values, **more)


Writing = Callable[[Rogue, Case], Awaitable[Content | bytes]]


def raw(body: bytes) -> Writing:
    async def write(rogue: Rogue, case: Case) -> bytes:
        return body

    return write


def odd(**more: Any) -> Writing:
    async def write(rogue: Rogue, case: Case) -> Content:
        return await note(rogue, case, **dict(more))

    return write


async def entry_written_again(rogue: Rogue, case: Case) -> Content:
    first = case.ruth.timeline(case.keira)[-1]
    return await note(rogue, case, record=first.id, values={"title": "what was never said"})


async def entry_taken_away(rogue: Rogue, case: Case) -> Content:
    first = case.ruth.timeline(case.keira)[-1]
    return await note(rogue, case, record=first.id, verb=change.DROP)


async def person_of_another_casebook(rogue: Rogue, case: Case) -> Content:
    tobias = case.ruth.add(TOBIAS)
    return await rogue.content("person", tobias, {"name": "Somebody else"})


UNREADABLE = "its words cannot be read"
ELSEWHERE = "it is about another person than the one whose casebook it is in"
NOBODYS = "nobody here knows yet whose casebook it is in"
NEWER = "it was written by a newer leadworker; update to see it"
NO_CLOCK = "it was written at a time that no clock shows"
NOT_A_RECORD = "neither a writing nor a taking away of a record"

ODD: dict[str, tuple[Writing, str]] = {
    "text where a number belongs": (odd(values={"minutes": "ten"}), "journal_entry.minutes holds something else than it may"),
    "a number where text belongs": (odd(values={"title": 7}), "journal_entry.title holds something else than it may"),
    "yes where a number belongs": (odd(values={"minutes": True}), "journal_entry.minutes holds something else than it may"),
    "a list where text belongs": (odd(values={"title": ["a", "b"]}), "journal_entry.title holds something else than it may"),
    "nothing where text belongs": (odd(values={"title": None}), "journal_entry.title holds something else than it may"),
    "bytes where text belongs": (odd(values={"title": b"x"}), "journal_entry.title holds something else than it may"),
    "a number beyond counting": (odd(values={"minutes": 2**60}), "journal_entry.minutes is too large a number"),
    "a kind of record that there is not": (
        odd(topic="horoscope"),
        "it is of a kind that this leadworker does not know; update to see it",
    ),
    "a table of the vault's own": (odd(topic="fact"), "it is of a kind that this leadworker does not know; update to see it"),
    "a newer schema": (odd(schema=change.SCHEMA + 1), NEWER),
    "a verb that there is not": (odd(verb="shred"), NOT_A_RECORD),
    "no id": (odd(record=""), NOT_A_RECORD),
    "an id that is markup": (odd(record="[@click=app.quit]" + "x" * 15), NOT_A_RECORD),
    "an id that a terminal would obey": (odd(record="\x1b]52;c;" + "A" * 25), NOT_A_RECORD),
    "an entry over one that is saved": (entry_written_again, "what was saved is never written over"),
    "a saved entry taken away": (entry_taken_away, "what was saved is never taken away"),
    "a record of another person's casebook": (person_of_another_casebook, "a record of another person's book"),
    "a clock of no century": (odd(wrote_at=2**62), NO_CLOCK),
    "a clock of no planet": (odd(offset=10**9), NO_CLOCK),
    "a stamp beyond counting": (odd(stamp=2**63), UNREADABLE),
    "a stamp below nothing": (odd(stamp=-1), UNREADABLE),
    "a digest cut short": (odd(seen=(1, b"short")), UNREADABLE),
    "nothing at all": (raw(b""), UNREADABLE),
    "only a salt": (raw(SALT), UNREADABLE),
    "noise": (raw(bytes(range(256)) * 4), UNREADABLE),
    "a map instead of a record": (raw(SALT + b"\x81\xa1a\x01"), UNREADABLE),
    "lists in lists in lists": (raw(SALT + b"\x91" * 60_000 + b"\xc0"), UNREADABLE),
    "values in values in values": (
        raw(SALT + b"\x99\x01\xa1a\xa1b\xa1c\x81\xa1v" + b"\x91" * 60_000 + b"\xc0"),
        UNREADABLE,
    ),
    "something after the end": (raw(SALT + b"\x90\x90"), UNREADABLE),
}


@pytest.mark.parametrize("what", ODD)
async def test_what_no_leadworker_writes_is_put_aside_with_its_author_and_the_rest_goes_on(case: Case, rogue: Rogue, what: str) -> None:
    make, why = ODD[what]
    written = await make(rogue, case)
    before = case.ruth.digest()
    await rogue.write(written)
    await case.ruth.sync()
    (aside,) = await case.ruth.box.put_aside()
    assert (aside.written_by, aside.why, aside.book) == (ALEX, why, case.book)
    assert case.ruth.digest() == before, "nothing of it is shown"
    assert (await case.ruth.counts()).put_aside == 1
    kept = b"".join(path.read_bytes() for path in case.ruth.folder.rglob("*") if path.is_file())
    assert b"never said" not in kept and b"Somebody else" not in kept, "what is put aside lies as sealed as everything else"
    case.alex.write(case.keira, "an honest note")
    await case.alex.sync()
    await case.ruth.sync()
    assert case.ruth.titles(case.keira)[-1] == "an honest note"
    await case.ruth.check()
    assert (await case.ruth.counts()).put_aside == 1, "making the pages again changes nothing about it"


async def test_a_saved_entry_is_not_replaced_from_another_casebook_not_even_when_all_pages_are_made_again(case: Case, rogue: Rogue) -> None:
    """The other casebook is the older one on Ruth's laptop, so its changes are replayed first."""
    tobias = case.alex.add(TOBIAS)
    (true,) = case.alex.write(tobias, "what Tobias said")
    for laptop in (case.alex, case.ruth):
        await laptop.sync()
    await rogue.write(
        await rogue.content("journal_entry", true, {"person_id": case.keira, "title": "what Tobias never said"}),
        await rogue.content("person", tobias, {"name": "Somebody else"}),
    )
    await case.ruth.sync()
    assert [aside.why for aside in await case.ruth.box.put_aside()] == [
        "a record of another person's book",
        "what was saved is never written over",
    ]
    await case.ruth.check()
    assert case.ruth.titles(tobias) == ["what Tobias said"]
    assert case.ruth.desk.ask_now(people.facts, tobias).name == TOBIAS
    case.ruth.write(tobias, "Ruth's answer")
    assert case.ruth.book(tobias) == case.alex.book(tobias)


async def test_a_casebook_that_claims_somebody_elses_person_does_not_become_theirs(case: Case) -> None:
    """What Ruth writes about Keira must go into Keira's casebook, not into one that Alex alone has made up."""

    def made_up(shelf: Shelf) -> str:
        decoy = new_id()
        shelf.start_casebook(decoy)
        shelf.add(people.Involvement, decoy, person_id=decoy)
        return decoy

    decoy = case.alex.desk.do_now(made_up)
    await case.alex.sync()
    rogue = Rogue(case.alex, decoy)
    await rogue.write(await rogue.content("person", case.keira, {"name": KEIRA}))
    await case.ruth.sync()
    assert {one.why for one in await case.ruth.box.put_aside()} == {NOBODYS, "a record of another person's book"}
    assert case.ruth.sql("SELECT count(*) FROM book WHERE subject = ?", case.keira) == [(1,)]
    case.ruth.write(case.keira, "Ruth's answer")
    await case.ruth.sync()
    await case.alex.sync()
    assert case.alex.titles(case.keira)[-1] == "Ruth's answer"
    await case.ruth.check()


async def test_what_a_newer_leadworker_wrote_is_shown_after_the_update(case: Case, rogue: Rogue, monkeypatch: pytest.MonkeyPatch) -> None:
    await rogue.write(await note(rogue, case, schema=change.SCHEMA + 1))
    await case.ruth.sync()
    assert [aside.why for aside in await case.ruth.box.put_aside()] == [NEWER]
    monkeypatch.setattr(change, "SCHEMA", change.SCHEMA + 1)
    case.ruth.vault.submit(lambda: rebuilding.remake(case.ruth.vault.connection)).result()
    assert await case.ruth.box.put_aside() == ()
    assert "an odd note" in case.ruth.titles(case.keira)


async def test_both_sides_put_the_same_aside(case: Case, rogue: Rogue) -> None:
    for make, _ in ODD.values():
        if make not in (person_of_another_casebook, entry_written_again, entry_taken_away):
            await rogue.write(await make(rogue, case))
    for laptop in (case.alex, case.ruth):
        await laptop.sync()
    assert (await case.alex.counts()).put_aside == (await case.ruth.counts()).put_aside == len(ODD) - 3
    await agree(case.alex, case.ruth)


async def test_fields_that_are_not_known_here_are_kept_and_not_shown(case: Case, rogue: Rogue) -> None:
    await rogue.write(await note(rogue, case, values={"weather": "rain", "id": "x", "book": "y", "gone": True, "made_by": "Ruth"}))
    await case.ruth.sync()
    shown = case.ruth.desk.ask_now(journal.entry, ENTRY)
    assert (shown.title, shown.written_by) == ("an odd note", ALEX)
    assert (await case.ruth.counts()).put_aside == 0
    await case.ruth.check()


HOSTILE = {
    "clipboard": "\x1b]52;c;aGVsbG8=\x07visit",
    "title of the window": "\x1b]0;pwned\x1b\\visit",
    "wipe the screen": "\x1b[2J\x1b[Hvisit",
    "one-byte controls": "\x9b2Jvisit\x9d0;x\x9c",
    "right to left": "\u202eton si\u202c safe",
    "zero width": "vi\u200bsit\ufeff",
    "piles of marks": "vi" + "\u0301" * 5000 + "sit",
    "markup": "[@click=app.quit]visit[/] [/x]",
    "a very long line": "long " * 6000,
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_text_is_shown_as_harmless_text(case: Case, rogue: Rogue, what: str) -> None:
    text = HOSTILE[what]
    await rogue.write(await note(rogue, case, values={"title": text, "said": text}))
    await case.ruth.sync()
    shown = case.ruth.desk.ask_now(journal.entry, ENTRY)
    for field in (shown.title, shown.said):
        assert field == clean(text)
        assert not any((ord(letter) < 32 and letter != "\n") or 0x7F <= ord(letter) <= 0x9F for letter in field)
    assert (await case.ruth.counts()).put_aside == 0
    await case.ruth.check()


async def test_a_clock_far_in_the_future_drags_nobody_along(case: Case, rogue: Rogue) -> None:
    future = (int(case.ruth.clock.now().timestamp() * 1000) + 50 * 365 * 86_400_000) << 16
    await rogue.write(await note(rogue, case, stamp=future))
    await case.ruth.sync()
    limit = int(case.ruth.clock.now().timestamp() * 1000) + MOST_DRIFT_MS
    assert case.ruth.vault.hybrid.last >> 16 <= limit
    case.ruth.write(case.keira, "Ruth's next note")
    assert case.ruth.vault.hybrid.last >> 16 <= limit + 1000
    assert abs(case.ruth.timeline(case.keira)[0].made_at - int(case.ruth.clock.now().timestamp() * 1000)) < 60_000


async def test_a_poisoned_clock_does_not_win_over_somebody_who_had_seen_it(case: Case, rogue: Rogue) -> None:
    future = (1 << 62) - 1
    await rogue.write(await rogue.content("person", case.keira, {"name": "Wrong Name"}, stamp=future))
    await case.ruth.sync()
    case.ruth.desk.do_now(people.describe, case.keira, name=KEIRA)
    for laptop in (case.ruth, case.alex):
        await laptop.sync()
    assert case.alex.desk.ask_now(people.facts, case.keira).name == KEIRA
    await agree(case.alex, case.ruth)


async def test_a_colleague_cannot_speak_for_another_even_with_the_store_on_their_side(case: Case, rogue: Rogue) -> None:
    """A change that names Ruth as its writer, signed by Alex, handed to Ruth by a store that lets it through."""
    state = await case.ruth.box.book_state(case.book)
    here = Here(state.n, state.digest)
    body = change.write_content(await note(rogue, case, values={"title": "Ruth never wrote this"}), SALT)
    genuine = await rogue.numbered(0, body)
    forged = genuine.header[:20] + case.ruth.box.device + genuine.header[36:]
    case.alex.write(case.keira, "another")
    await case.alex.sync()
    case.evil.page = lambda page: here.retold(page, [*page.changes, type(genuine)(0, forged, genuine.body, genuine.signature, 0)])
    await case.fails_with(f"The central store has sent changes whose signature is not their writer's. {SAFE}")


async def test_a_change_larger_than_any_may_be_is_put_aside_even_with_the_store_on_their_side(case: Case, rogue: Rogue) -> None:
    state = await case.ruth.box.book_state(case.book)
    here = Here(state.n, state.digest)
    body = change.write_content(await note(rogue, case, values={"said": "x" * 1_000_000}), SALT)
    item = await rogue.numbered(0, body)
    case.alex.write(case.keira, "another")
    await case.alex.sync()
    case.evil.page = lambda page: here.retold(page, [*page.changes, item])
    await case.ruth.sync()
    (aside,) = await case.ruth.box.put_aside()
    assert (aside.written_by, aside.why) == (ALEX, "not of the size that was signed, or larger than any change may be")


async def test_kinds_that_are_kept_for_later_are_taken_and_shown_nowhere(case: Case, rogue: Rogue) -> None:
    state, before = await case.ruth.box.book_state(case.book), case.ruth.digest()
    here = Here(state.n, state.digest)
    items = [await rogue.numbered(0, SALT + b"\x90", kind=kind) for kind in (Kind.ACCESS, Kind.CHECKPOINT)]
    case.alex.write(case.keira, "another")
    await case.alex.sync()
    case.evil.page = lambda page: here.retold(page, [*items])
    case.evil.news = lambda news: case.news_of(news, here.n + 1)
    await case.ruth.sync()
    assert case.ruth.digest() == before
    assert (await case.ruth.counts()).put_aside == 0
    await case.ruth.check()


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ((10**9, bytes(32)), "The central store numbered a change before one that its author had already seen."),
        ((2, bytes(32)), "The central store has shown two laptops two different histories of the same casebook."),
    ],
)
async def test_a_colleague_who_claims_another_history_stops_the_casebook_and_harms_nothing(
    case: Case, rogue: Rogue, seen: tuple[int, bytes], sentence: str
) -> None:
    """Nobody can tell whether the store or the colleague lies; people have to compare. What is here stays, and so does work."""
    before = case.ruth.digest()
    await rogue.write(await note(rogue, case, seen=seen))
    (alarm,) = (await case.ruth.sync_somehow()).alarms
    assert alarm.startswith(sentence)
    assert case.ruth.digest() == before
    case.ruth.write(case.keira, "work goes on")
    assert case.ruth.titles(case.keira)[-1] == "work goes on"
    await case.ruth.check()


async def test_of_two_changes_that_name_one_number_each_history_is_compared(case: Case, rogue: Rogue) -> None:
    """What somebody writes offline has all seen the same and is compared once: the same number alone is not the same history."""
    before, state = case.ruth.digest(), await case.alex.box.book_state(case.book)
    honest = await note(rogue, case, seen=(state.n, state.digest))
    await rogue.write(honest, await note(rogue, case, record=new_id(), seen=(state.n, bytes(32))))
    (alarm,) = (await case.ruth.sync_somehow()).alarms
    assert alarm.startswith("The central store has shown two laptops two different histories of the same casebook.")
    assert case.ruth.digest() == before


@pytest.mark.parametrize("topic", ["journal_entry", "alert", "involvement"])
async def test_who_writes_in_one_casebook_puts_nothing_on_the_pages_of_another(case: Case, rogue: Rogue, topic: str) -> None:
    """Alex never read Tobias's casebook. Ruth's laptop keeps Keira's and his, and her lists ask for the person."""
    tobias = case.ruth.add(TOBIAS)
    await case.ruth.sync()
    await rogue.write(await rogue.content(topic, ENTRY, {"person_id": tobias}))
    await case.ruth.sync()
    assert case.ruth.sql(f"SELECT count(*) FROM {topic} WHERE id = ?", ENTRY) == [(0,)]
    assert [aside.why for aside in await case.ruth.box.put_aside()] == [ELSEWHERE]
    await case.ruth.check()
