"""By USB stick on the plain path: one command, plugged in wherever one is, takes what waits to the central store and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leadworker import drives
from tests.plain_world import Plain, empty, plain, template
from tests.test_plain_post import quick_seals, set_up

pytest.importorskip("fastapi")

from sync.hub.serve import EmbeddedHub

__all__ = ["empty", "plain", "quick_seals", "template"]


class Store:
    """A central store that a test can take away and bring back: without it, nobody has a network."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.hub = EmbeddedHub(str(database))
        self.port = int(self.hub.url.rsplit(":", 1)[1])

    def away(self) -> None:
        self.hub.stop()

    def back(self) -> None:
        self.hub = EmbeddedHub(str(self.database), port=self.port)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A central store on this machine."""
    made = Store(tmp_path / "store.db")
    yield made
    made.hub.stop()


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty stick."""
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def a_colleague(plain: Plain, store: Store, tmp_path: Path) -> list[str]:
    """Let Ruth in, and return what names her vault in a command."""
    set_up(plain, store.hub, tmp_path)
    words = " ".join(plain("invite", "Ruth Adeyemi", "--team", "North", "--json").json()["words"])
    ruth = ["--vault", str(tmp_path / "ruth")]
    plain("init", "--name", "Ruth Adeyemi", *ruth)
    plain("join", "--hub", store.hub.url, *ruth, typed=words)
    plain("sync")
    plain("sync", *ruth)
    return ruth


def test_one_command_writes_carries_and_reads(plain: Plain, store: Store, tmp_path: Path, stick: Path, quick_seals: None) -> None:
    ruth = a_colleague(plain, store, tmp_path)
    plain("note", "keira", "--said", "there is no signal at the farm")
    store.away()
    wrote = plain("stick", str(stick))
    assert "Take the stick to a laptop with a network, of a colleague of your team or an administrator" in wrote.out
    waits = plain("stick", str(stick), *ruth, "--json").json()
    assert (waits["left"], waits["carried_for"]) == (1, []), "Ruth has no network either; Alex's file is left as it is"

    store.back()
    carried = plain("stick", str(stick), *ruth, "--json").json()
    assert (carried["carried_for"], carried["written"], carried["left"], carried["alarms"]) == (["Alex Morgan"], None, 0, [])

    store.away()
    read: dict[str, Any] = plain("stick", str(stick), "--json").json()
    assert read["confirmed"] >= 1
    entry = plain("timeline", "keira", "--json").json()["entries"][0]
    assert (entry["said"], entry["where"]) == ("there is no signal at the farm", "on the central store")


def test_what_does_not_hold_is_said_and_ends_with_a_failure(
    plain: Plain, store: Store, tmp_path: Path, stick: Path, quick_seals: None
) -> None:
    a_colleague(plain, store, tmp_path)
    (stick / "leadworker-0123456789abcdef.answer").write_bytes(b"half a fi")
    assert "Nothing is lost" in plain("stick", str(stick), code=1).err
    assert "There is no folder" in plain("stick", str(stick / "not there"), code=1).err


def test_a_vault_of_no_organisation_has_nothing_to_carry(plain: Plain, stick: Path) -> None:
    assert "This vault is on this laptop only" in plain("stick", str(stick), code=1).err


def test_the_one_stick_that_is_plugged_in_need_not_be_named(
    plain: Plain, store: Store, tmp_path: Path, stick: Path, quick_seals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_colleague(plain, store, tmp_path)
    store.away()
    found = [stick, tmp_path]
    monkeypatch.setattr(drives, "plugged_in", lambda: tuple(found))
    assert "More than one is plugged in" in plain("stick", code=1).err
    found.pop()
    assert plain("stick", "--json").json()["folder"] == str(stick)
    found.clear()
    assert "No stick was found" in plain("stick", code=1).err


@pytest.mark.skipif(not Path("/proc").is_mount(), reason="needs a folder that is surely a mounted one")
def test_only_what_the_system_has_put_in_place_counts_as_plugged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a link").symlink_to("/proc")
    monkeypatch.setattr(drives, "_holders", lambda: (tmp_path, tmp_path / "not there"))
    assert drives.plugged_in() == ()
    monkeypatch.setattr(drives, "_holders", lambda: (tmp_path, Path("/")))
    assert Path("/proc") in drives.plugged_in()
