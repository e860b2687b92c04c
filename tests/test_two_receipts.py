"""A receipt that does not fit what is here already counts for nothing, and a person is told."""

from __future__ import annotations

import msgspec
import pytest

from leadworker.errors import HubMistrusted
from leadworker.postbox import Receipt
from tests.laptops import Team

pytest_plugins = ["tests.laptop_fixtures"]


@pytest.mark.parametrize("says", ["another history", "another number", "a number that another change has"])
async def test_a_second_receipt_for_a_note_that_says_otherwise_is_not_believed(team: Team, says: str) -> None:
    alex = team.alex
    keira = alex.add()
    alex.write(keira, "on the way to school")
    await alex.sync()
    book = alex.book(keira)
    sql = "SELECT l.lane, c.seq, c.n, c.digest, c.receipt FROM change c JOIN lane l ON l.no = c.lane_no JOIN book b ON b.no = c.book_no"
    ((lane, seq, n, digest, receipt),) = alex.sql(f"{sql} WHERE b.id = ? AND l.mine = 1 ORDER BY c.n DESC LIMIT 1", book)
    assert isinstance(lane, int) and isinstance(seq, int) and isinstance(n, int) and isinstance(digest, bytes)
    same = Receipt(book, lane, seq, (n,), n, digest, 1)
    other = {
        "another history": msgspec.structs.replace(same, digest=bytes(32)),
        "another number": msgspec.structs.replace(same, ns=(n + 1,), last_n=n + 1),
        "a number that another change has": msgspec.structs.replace(same, ns=(n - 1,), last_n=n - 1),
    }[says]
    await alex.box.acknowledge((same,))
    with pytest.raises(HubMistrusted, match="receipts do not fit one another"):
        await alex.box.acknowledge((other,))
    kept = alex.sql(f"{sql} WHERE b.id = ? AND l.mine = 1 ORDER BY c.n DESC LIMIT 1", book)
    assert kept == [(lane, seq, n, digest, receipt)]
