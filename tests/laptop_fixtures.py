"""Fixtures of the post's tests: an organisation that works, over each store, and a store that serves nobody yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.evil_hub import Case, new_case
from tests.hub_world import STORES, new_database
from tests.laptops import Drawer, Office, Team, drawer, new_team


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Drawer:
    """What this session's tests copy."""
    return drawer(tmp_path_factory.mktemp("laptops"))


@pytest.fixture
async def team(templates: Drawer, tmp_path: Path) -> AsyncIterator[Team]:
    """An organisation over the small store."""
    made = await new_team(templates, "sqlite", tmp_path)
    yield made
    await made.office.close()


@pytest.fixture(params=STORES)
async def team_on(request: pytest.FixtureRequest, templates: Drawer, tmp_path: Path) -> AsyncIterator[Team]:
    """An organisation, once over each store."""
    made = await new_team(templates, request.param, tmp_path)
    yield made
    await made.office.close()


@pytest.fixture(params=STORES)
async def empty_office(request: pytest.FixtureRequest, templates: Drawer, tmp_path: Path) -> AsyncIterator[Office]:
    """A central store that serves nobody yet, once of each kind."""
    office = Office(templates, new_database(request.param, tmp_path), tmp_path)
    yield office
    await office.close()


@pytest.fixture
async def case(team: Team) -> Case:
    """A casebook that Ruth is behind with, her line in evil hands."""
    return await new_case(team)
