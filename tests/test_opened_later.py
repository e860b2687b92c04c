"""What waited for its key is judged by the same rules as what opens at once: every laptop shows the same and puts the same aside."""

from __future__ import annotations

from typing import Any

import pytest

from leadworker import change
from tests.evil_hub import Rogue
from tests.laptops import agree
from tests.test_hostile_keys import Trio, trio, turns

__all__ = ["trio"]
pytest_plugins = ["tests.laptop_fixtures"]

ODD: dict[str, dict[str, Any]] = {
    "a newer schema": {"schema": change.SCHEMA + 1},
    "a digest of another length": {"seen": (1, b"short")},
    "a stamp that no clock gives": {"stamp": 2**63},
    "neither put nor drop": {"verb": "burn"},
}


@pytest.mark.parametrize("odd", ODD)
async def test_what_cannot_be_read_stays_aside_where_its_key_came_later(trio: Trio, odd: str) -> None:
    """Bea gives a key that does not open for Alex, and writes under it what no leadworker writes."""
    await turns(trio, trio.alex)
    rogue = Rogue(trio.bea, trio.keira)
    values = {"person_id": trio.keira, "title": "an odd note"}
    await rogue.write(await rogue.content("journal_entry", "ab" * 16, values, **ODD[odd]))
    trio.bea.write(trio.keira, "an honest note")
    await trio.bea.sync()
    await trio.alex.sync_somehow()
    assert (await trio.alex.counts()).put_aside == 3
    await trio.ruth.sync()
    await trio.alex.sync()
    theirs, his = await trio.ruth.box.put_aside(), await trio.alex.box.put_aside()
    assert [one.why for one in his] == [one.why for one in theirs] and len(his) == 1
    assert trio.alex.titles(trio.keira) == ["one", "under Bea's key", "an honest note"]
    await agree(trio.alex, trio.ruth)
    await trio.alex.check()
    assert (await trio.alex.counts()).troubled == ()
