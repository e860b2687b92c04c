"""What fails half-way leaves nothing half done: a full disk or a lock in the middle of a sync takes nothing away for good."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leadworker.errors import DiskTrouble
from storage import readers
from sync import organising
from sync.exchange import Exchange
from tests.laptops import KEIRA, Team

pytest_plugins = ["tests.laptop_fixtures"]


def full(*given: Any, **named: Any) -> None:
    raise DiskTrouble("The disk is full.")


async def test_a_disk_that_is_full_as_a_laptop_is_known_again_leaves_no_casebook_read_only(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    keira = team.alex.add(KEIRA)
    await team.alex.sync()
    await team.alex.box.was_revoked(True)  # as the store said, and did not show
    with monkeypatch.context() as patched:
        patched.setattr(readers, "retell_revoked", full)
        with pytest.raises(DiskTrouble):
            await team.alex.sync()
    await team.alex.sync()
    assert team.alex.sql("SELECT writable FROM book WHERE subject = ?", keira) == [(1,)]


async def test_a_disk_that_is_full_as_the_directory_comes_accuses_nobody_afterwards(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read inside a transaction that was undone is forgotten with it."""
    await organising.appoint(team.ruth.box, team.ruth.client, team.ruth.person_of(team.alex), admin=True)
    with monkeypatch.context() as patched:
        patched.setattr(readers, "retell_colleagues", full)
        with pytest.raises(DiskTrouble):
            await team.alex.sync()
    await team.alex.sync()
    joined = await team.alex.box.joined()
    assert joined is not None and joined.admin


async def test_a_sync_that_is_told_to_stop_stops_also_where_the_disk_is_full(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever closes the window waits for a post that has swallowed it and goes on."""
    alex = team.alex
    monkeypatch.setattr(alex.box, "not_on_its_way", full)
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(alex.client, "news", never)
    sync = asyncio.ensure_future(Exchange(alex.box, alex.client, alex.clock, alex.bells.append, alex.told.append).run())
    await asked.wait()
    sync.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sync
