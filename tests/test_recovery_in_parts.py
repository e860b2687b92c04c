"""Much that a restored store lacks comes back in many requests, each as large as a request may be and none without its receipt."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from leadworker.errors import Refused
from leadworker.statements import Role
from storage import returning
from sync import inviting, joining, organising, wire
from tests.evil_hub import Evil, replace
from tests.laptops import BEA, CEM, TOBIAS, Line, Team, add_member
from tests.restored_store import back_up, begin, end, gives_back, restore, rows, status
from tests.test_recovery import Day, new_day

pytest_plugins = ["tests.laptop_fixtures"]


@pytest.fixture
async def day(team: Team, tmp_path: Path) -> Day:
    return await new_day(team, tmp_path)


@pytest.mark.parametrize(("limit", "most"), [("MOST_CHANGES", 3), ("MOST_BYTES", 3000)])
async def test_what_one_request_cannot_hold_comes_back_in_several_and_a_run_is_never_cut(
    day: Day, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    """A run has one receipt, at its end: one that is longer than a request should be goes whole, or it would never go."""
    day.alex.write(day.keira, *(f"without a network {number}" for number in range(4)))
    await day.alex.sync()
    for number in range(3):
        day.alex.write(day.keira, f"visit {number}")
        await day.alex.sync()
    before = rows(day.office)
    restore(day.office, day.backup)
    begin(day.office)
    monkeypatch.setattr(returning, limit, most)
    day.alex.line.hang_up()
    said = await gives_back(day.alex)
    assert "given back 7 changes" in said
    assert day.alex.line.requests.count("POST /v1/recovery/changes") == 2, "the long run, and the three after it"
    assert rows(day.office) == before


async def test_a_store_that_stands_wherever_it_is_asked_is_not_asked_for_ever(day: Day) -> None:
    day.alex.write(day.keira, "of the day after the backup")
    await day.alex.sync()
    restore(day.office, day.backup)
    begin(day.office)
    asked: list[int] = []

    async def moved(back: wire.Returned) -> wire.Outcome:
        asked.append(back.changes[0].n)
        assert len(asked) == 1, "it said that it stands where it was taken to stand"
        return wire.Outcome(back.book, "moved", "The store is elsewhere.", ns=(asked[0] - 1,))

    day.alex.client.give_back = moved  # type: ignore[method-assign]
    assert "It refused one thing: The store is elsewhere." in await gives_back(day.alex)
    assert day.alex.where(day.keira)[-1] == "on the central store", "it was"


@pytest.mark.parametrize("more", [False, True], ids=["of one casebook fewer", "of one more"])
async def test_a_store_that_answers_of_other_casebooks_than_it_was_asked_is_told_in_words(day: Day, more: bool) -> None:
    restore(day.office, day.backup)
    begin(day.office)
    report = day.alex.client.report

    async def other(told: wire.Report) -> wire.Recovery:
        answer = await report(told)
        first, *rest = answer.books
        books = (*rest, first, msgspec.structs.replace(first, book=bytes(16))) if more else tuple(rest)
        return msgspec.structs.replace(answer, books=books)

    day.alex.client.report = other  # type: ignore[method-assign]
    with pytest.raises(Refused, match="does not fit what was asked"):
        await day.alex.sync_somehow()


async def test_the_directory_comes_back_before_what_rests_on_it(day: Day, tmp_path: Path) -> None:
    """Cem had a casebook before he joined anything: in his vault it comes before the directory, upon which he let Bea in."""
    cem, ruth = day.office.laptop(CEM), day.ruth
    tobias = cem.add(TOBIAS)
    await joining.ask_to_join(cem.box, cem.client, await day.office.invite(ruth, CEM))
    await inviting.countersign(ruth.box, ruth.client, ruth.clock)
    await cem.sync()
    first, *_ = await cem.box.holdings()
    assert first.book == cem.book(tobias)
    backup = back_up(day.office, tmp_path)
    await organising.appoint(ruth.box, ruth.client, ruth.person_of(day.bea), team="South team")
    await add_member(cem, tobias, day.bea, Role.CO_WORKER)
    await cem.sync()
    before = rows(day.office)
    restore(day.office, backup)
    assert len({book for book, _ in before.keys() - rows(day.office).keys()}) == 2, "the directory, and Tobias's casebook"
    begin(day.office)
    said = await gives_back(cem)
    assert "given back" in said
    assert "refused" not in said
    assert rows(day.office) == before


async def test_one_casebook_that_is_refused_holds_no_other_up(day: Day) -> None:
    tobias = day.alex.add(TOBIAS)
    day.alex.write(day.keira, "of Keira")
    day.alex.write(tobias, "of Tobias")
    await day.alex.sync()
    before, give_back = rows(day.office), day.alex.client.give_back
    restore(day.office, day.backup)
    begin(day.office)

    async def refused(back: wire.Returned) -> wire.Outcome:
        return wire.Outcome(back.book, "not_allowed", "Not this one.") if back.book == day.alex.book(day.keira) else await give_back(back)

    day.alex.client.give_back = refused  # type: ignore[method-assign]
    said = await gives_back(day.alex)
    assert "It refused one thing: Not this one." in said
    assert "given back" in said
    lacking = before.keys() - rows(day.office).keys()
    assert {book for book, _ in lacking} == {day.alex.book(day.keira)}
    assert [one.book for one in status(day.office).books if one.n < one.goal_n] == [day.alex.book(day.keira)], "it is waited for"


async def test_an_invite_that_was_used_since_the_backup_is_used_in_the_restored_store(day: Day, tmp_path: Path) -> None:
    words = await day.office.invite(day.ruth, CEM)
    backup = back_up(day.office, tmp_path)
    cem = day.office.laptop(CEM)
    await joining.ask_to_join(cem.box, cem.client, words)
    await inviting.countersign(day.ruth.box, day.ruth.client, day.ruth.clock)
    await cem.sync()
    restore(day.office, backup)
    begin(day.office)
    for laptop in (*day.all, cem):
        await gives_back(laptop)
    end(day.office)
    with pytest.raises(Refused) as refused:
        await joining.ask_to_join((other := day.office.laptop(BEA)).box, other.client, words)
    assert refused.value.code == "invite_used"
    await cem.sync()


async def test_what_came_without_its_receipt_waits_for_somebody_who_has_it_and_accuses_nobody(day: Day) -> None:
    """Ruth's last page was not signed: she gives back what she can prove, and Alex, who wrote the rest, gives that."""
    day.alex.write(day.keira, "with its receipt")
    await day.alex.sync()
    await day.ruth.sync()
    day.alex.write(day.keira, "and without")
    await day.alex.sync()
    before = rows(day.office)
    line = Evil()
    line.page = lambda page: replace(page, receipt=bytes(64))
    await day.ruth.tap(line)
    await day.ruth.sync()
    assert day.ruth.titles(day.keira)[-1] == "and without"
    await day.ruth.tap(Line())
    restore(day.office, day.backup)
    begin(day.office)
    said = await gives_back(day.ruth)
    assert "given back 1 change that" in said
    assert "refused" not in said
    assert "given back 1 change that" in await gives_back(day.alex)
    assert rows(day.office) == before
    assert day.office.hub.alarms() == []
