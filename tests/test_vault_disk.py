"""A disk that is full, failing or not to be written on: said in words, nothing lost, and it goes on when there is room again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadworker.domain import drafts, journal
from leadworker.domain.journal import NewEntry
from leadworker.errors import DiskTrouble
from storage import anchor, clerk, finding, opening, slots
from storage.engine import Connection
from storage.vault import Vault
from tests import vault_work, vaults
from tests.vaults import ask, do, enter, fresh, look_through, made, people_here, small


def test_a_full_database_is_said_and_the_next_save_after_there_is_room_succeeds(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    (person,) = ask(vault, people_here)
    pages = vault.submit(lambda: vault.connection.execute("PRAGMA page_count").fetchone()[0]).result()
    limit(vault, int(pages) + 12)
    saved = fill_up(vault, person)
    before = vaults.everything(vault)
    with pytest.raises(DiskTrouble, match="disk is full.*still here.*save again"):
        do(vault, drafts.keep, drafts.Draft("a draft", said="x" * 30_000))
    with pytest.raises(DiskTrouble, match="backup could not be written|disk is full"):
        raise_or(vault)
    assert vaults.everything(vault) == before
    limit(vault, 2**30)
    saved.append(do(vault, journal.write, NewEntry(person, said="there is room again")).entry_id)
    assert saved == [entry.id for entry in reversed(ask(vault, journal.timeline, person, limit=1000))][3:]
    assert look_through(vault, rebuild=True).whole
    vault.close()
    assert vaults.refusal(vault.folder) is None


def raise_or(vault: Vault) -> None:
    do(vault, journal.write, NewEntry(ask(vault, people_here)[0], said="y" * 30_000))


def limit(vault: Vault, pages: int) -> None:
    vault.submit(lambda: vault.connection.execute(f"PRAGMA max_page_count={pages}").fetchall()).result()


def fill_up(vault: Vault, person: str) -> list[str]:
    """Save until the disk is full; return what was acknowledged."""
    saved: list[str] = []
    with pytest.raises(DiskTrouble) as trouble:
        for number in range(500):
            saved.append(do(vault, journal.write, NewEntry(person, said=f"{number} " + "words " * 1500)).entry_id)
    assert trouble.value.code == "disk"
    return saved


def test_tidying_that_fails_does_not_stop_the_next_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clerk, "IDLE_AFTER_S", 0.001)
    tidied = threading.Event()

    def failing(connection: Connection, topics: object) -> None:
        tidied.set()
        connection.execute("SELECT * FROM what_the_disk_does_not_give")

    monkeypatch.setattr(finding, "tidy", failing)
    vault = enter(fresh(tmp_path / "vault", small()))
    (person,) = ask(vault, people_here)
    do(vault, journal.write, NewEntry(person, said="saved before it"))
    assert tidied.wait(30)
    do(vault, journal.write, NewEntry(person, said="saved after it"))
    assert look_through(vault).whole
    vault.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a mark is written and then flushed")
def test_a_safety_mark_is_written_through_to_the_disk(tmp_path: Path) -> None:
    import fcntl

    vault = enter(fresh(tmp_path / "vault", small()))
    (person,) = ask(vault, people_here)
    do(vault, journal.write, NewEntry(person, said="with its mark"))
    through = vault.anchor._writer._through
    assert fcntl.fcntl(through, fcntl.F_GETFL) & os.O_DSYNC
    assert os.fstat(through).st_ino == (vault.folder / "vault.anchor").stat().st_ino
    vault.close()


def test_a_disk_that_does_not_take_the_safety_mark_is_said_and_opens_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    (person,) = ask(vault, people_here)

    def failing(file: int, through: int, data: bytes, at: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(anchor, "_write_durably", failing)
    with pytest.raises(DiskTrouble, match="is saved, but.*safety mark.*open it again"):
        do(vault, journal.write, NewEntry(person, said="saved without its mark"))
    monkeypatch.undo()
    vault.close()
    vault = enter(vault.folder)
    assert ask(vault, journal.timeline, person)[0].said == "saved without its mark"
    assert look_through(vault).whole
    assert vault.anchor.read().mark == vault.mark, "opening marks what it shows, so that it cannot be lost again"
    vault.close()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_process_that_may_write_no_more_loses_nothing_and_goes_on_when_it_may(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    told = vault_work.killed(vault_work.run_out_of_room, folder, made().words, after_s=0, once="went on")
    vault = enter(folder)
    (person,) = ask(vault, people_here)
    kept = {entry.id for entry in ask(vault, journal.timeline, person, limit=1000)}
    assert {entry for what, entry in told if what == "saved"} <= kept
    assert [word for what, word in told if what == "trouble"] == ["disk"]
    assert told[-1][1] in kept
    assert look_through(vault, rebuild=True).whole
    vault.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of three megabytes, where we may have one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can lay a small disk down")
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine does not let us lay a small disk down")
    yield disk
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], capture_output=True)
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_said_loses_nothing_and_goes_on_after_space_is_freed(small_disk: Path) -> None:
    folder = fresh(small_disk / "vault", small())
    vault = enter(folder)
    (person,) = ask(vault, people_here)
    with contextlib.suppress(OSError), open(small_disk / "photographs", "wb") as filler:
        while True:
            filler.write(bytes(4096))
            filler.flush()
    saved = []
    with pytest.raises(DiskTrouble):
        for number in range(500):
            saved.append(do(vault, journal.write, NewEntry(person, said=f"{number} " + "words " * 1500)).entry_id)
    found = {entry.id for _, entry in ask(vault, journal.find, "words", limit=1000)}
    assert found == set(saved), "on a full disk, too, what was saved is found at once"
    with pytest.raises(DiskTrouble):
        vaults.back_up(vault, small_disk / "kept.lwb")
    assert {path.name for path in small_disk.iterdir()} == {"vault", "photographs"}
    with pytest.raises(DiskTrouble, match="What opened the vault before still does"):
        slots.change_passphrase(vault, "another one that finds no room", memory_kib=vaults.FLOOR)
    (small_disk / "photographs").unlink()
    saved.append(do(vault, journal.write, NewEntry(person, said="there is room again")).entry_id)
    assert set(saved) <= {entry.id for entry in ask(vault, journal.timeline, person, limit=1000)}
    assert look_through(vault, rebuild=True).whole
    vault.close()
    opening.open_with_passphrase(folder, vaults.PASSPHRASE).close()


def test_a_disk_that_turns_read_only_is_said_and_what_was_saved_can_be_read(small_disk: Path) -> None:
    folder = fresh(small_disk / "vault", small())
    before = vaults.files(folder)
    remount(small_disk, "ro")
    with pytest.raises(DiskTrouble, match="cannot be written to.*Nothing was opened or changed"):
        enter(folder)
    with pytest.raises(DiskTrouble, match="could not be made"):
        opening.create(small_disk / "new", "Robin Hale", "a b c", memory_kib=vaults.FLOOR)
    assert vaults.files(folder) == before
    remount(small_disk, "rw")
    vault = enter(folder)
    (person,) = ask(vault, people_here)
    assert len(ask(vault, journal.timeline, person)) == 3
    vault.close()


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


@pytest.fixture
def in_reach_of_all() -> Iterator[Path]:
    """A folder that another user may look into, which those of a test run are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        for path in Path(folder).iterdir():
            path.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="rights are not modes on Windows")
def test_a_folder_that_may_not_be_written_to_is_said_and_left_alone(tmp_path: Path, in_reach_of_all: Path) -> None:
    folder = fresh(in_reach_of_all / "vault", small())
    before = vaults.files(folder)
    other = fresh(tmp_path / "other")
    told = vault_work.killed(vault_work.open_as_nobody, other, folder, made().words, after_s=0, once="ended")
    assert told[-1][1] == "disk", told
    assert "cannot be written to" in told[-1][2]
    assert vaults.files(folder) == before
