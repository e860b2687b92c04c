"""Fixtures of the tests of screens: a vault with the invented caseload, and the program on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from screens.app import LeadworkerApp
from tests.screen_world import StillClock, WorldDoor, copy_vault, make_vault


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed vault with the invented caseload, made once."""
    folder = tmp_path_factory.mktemp("world") / "vault"
    make_vault(folder)
    return folder


@pytest.fixture
def clock() -> StillClock:
    """A clock that stands still at 14:32 on a Tuesday in November."""
    return StillClock()


@pytest.fixture
def door(template: Path, tmp_path: Path, clock: StillClock) -> WorldDoor:
    """The door to a copy of that vault."""
    return WorldDoor(copy_vault(template, tmp_path / "vault"), clock)


@pytest.fixture
def app(door: WorldDoor, clock: StillClock) -> LeadworkerApp:
    """The program behind that door."""
    return LeadworkerApp(door, clock=clock, theme="dusk", ascii_only=False)
