"""What laptops report to a restored store, and what the store believes of it: two histories are told apart, whichever is longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadworker.errors import Refused
from leadworker.statements import Role
from sync import wire
from sync.hub.recovery import MOST_REPORTED
from sync.recovering import NUMBERED_ANEW
from tests.laptops import Team, add_member, remove_member
from tests.restored_store import _all, begin, end, gives_back, lanes, restore, rows, status
from tests.test_recovery import Day, new_day

pytest_plugins = ["tests.laptop_fixtures"]


@pytest.fixture
async def day(team: Team, tmp_path: Path) -> Day:
    return await new_day(team, tmp_path)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
async def test_numbers_that_were_given_anew_are_found_out_by_whoever_has_more_of_them(day: Day, before: int, after: int) -> None:
    """Where the store went further anew only it can tell, and where the laptop had come further only the laptop."""
    day.alex.write(day.keira, *(f"alex, before the accident {number}" for number in range(before)))
    await day.alex.sync()
    restore(day.office, day.backup)
    day.bea.write(day.keira, *(f"bea, after it {number}" for number in range(after)))
    await day.bea.sync()
    anew = rows(day.office)
    begin(day.office)
    assert NUMBERED_ANEW in await gives_back(day.alex)
    for laptop in (day.bea, day.ruth):
        assert NUMBERED_ANEW not in await gives_back(laptop)
    assert status(day.office).others == [day.alex.book(day.keira)]
    assert (await day.alex.counts()).troubled == (NUMBERED_ANEW,)
    assert rows(day.office) == anew, "nothing was replaced"
    end(day.office, anyway=True)


async def test_a_report_with_a_forged_receipt_is_counted_as_an_alarm(day: Day) -> None:
    restore(day.office, day.backup)
    begin(day.office)
    (held, *_) = await day.alex.box.holdings()
    lie = wire.Holding(held.book, held.n + 5, held.digest, held.last, held.received_ms, held.receipt)
    with pytest.raises(Refused):
        await day.alex.client.report(wire.Report((lie,), ()))
    assert [(alarm.code, alarm.device) for alarm in day.office.hub.alarms()] == [("not_vouched", day.alex.box.device)]


async def test_a_report_without_end_is_refused_and_its_laptop_waited_for(day: Day) -> None:
    restore(day.office, day.backup)
    begin(day.office)
    books = tuple(number.to_bytes(16, "big") for number in range(MOST_REPORTED + 1))
    with pytest.raises(Refused) as refused:
        await day.alex.client.report(wire.Report((), books))
    assert refused.value.code == "too_many"
    assert day.alex.box.device in status(day.office).missing
    await day.alex.client.report(wire.Report((), books[1:]))
    assert day.alex.box.device not in status(day.office).missing


async def test_nothing_comes_back_and_nothing_is_reported_while_the_store_gives_numbers_as_usual(day: Day) -> None:
    day.alex.write(day.keira, "of the day after the backup")
    await day.alex.sync()
    restore(day.office, day.backup)
    book = day.alex.book(day.keira)
    n = next(n for n in range(99, 0, -1) if (book, n) in rows(day.office))
    tail = await day.alex.box.tail(book, n)
    assert tail is not None
    before = rows(day.office)
    changes = tuple(wire.Numbered(one.n, one.header, bytes(one.body), one.signature, one.received_ms) for one in tail.changes)
    assert (await day.alex.client.give_back(wire.Returned(book, changes, tail.receipt))).code == "not_recovering"
    with pytest.raises(Refused) as refused:
        await day.alex.client.report(wire.Report((), ()))
    assert refused.value.code == "not_recovering"
    assert rows(day.office) == before


async def test_a_return_of_nothing_is_answered_with_where_the_store_stands(day: Day) -> None:
    restore(day.office, day.backup)
    begin(day.office)
    book = day.alex.book(day.keira)
    outcome = await day.alex.client.give_back(wire.Returned(book, (), bytes(64)))
    assert (outcome.code, outcome.ns) == ("moved", (max(n for one, n in rows(day.office) if one == book),))


async def test_who_was_taken_out_and_is_back_is_a_member_again_in_the_restored_store_and_sizes_are_what_they_were(day: Day) -> None:
    """Both happened since the backup: the store must not take her for one who left."""
    await remove_member(day.alex, day.keira, day.bea)
    await add_member(day.alex, day.keira, day.bea, Role.SUPERVISOR)
    day.alex.write(day.keira, "she is back")
    await day.alex.sync()
    sizes = ("SELECT book, size FROM books ORDER BY book", "SELECT book, device, lane, size FROM lanes ORDER BY book, device, lane")
    before = [lanes(day.office), *(_all(day.office, sql) for sql in sizes)]
    restore(day.office, day.backup)
    begin(day.office)
    for laptop in day.all:
        await gives_back(laptop)
    end(day.office)
    assert [lanes(day.office), *(_all(day.office, sql) for sql in sizes)] == before
