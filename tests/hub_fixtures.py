"""Fixtures of the central store's tests: everything runs over both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_world import STORES, World, new_database, running


@pytest.fixture(params=STORES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once of each kind."""
    return new_database(request.param, tmp_path)


@pytest.fixture(scope="module", params=STORES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A founded organisation at a running store, once of each kind, shared by the tests of a module."""
    with running(new_database(request.param, tmp_path_factory.mktemp("hub"))) as made:
        yield made
