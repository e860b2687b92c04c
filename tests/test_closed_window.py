"""A terminal that goes away: a window that is closed, a line to another machine that breaks off."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from leadworker.domain import drafts
from tests.terminal import PATIENCE_S, Terminal
from tests.tour import at_home, unlock
from tests.vaults import PASSPHRASE, ask, enter, fresh

TYPED = "visit home, Keira was alone and asked about her aunt"


def test_a_window_that_is_closed_ends_the_program_with_the_note_kept_and_the_vault_shut(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault")
    environment = at_home(tmp_path / "account")
    with Terminal(["-m", "leadworker", "--vault", str(folder)], environment=environment) as terminal:
        unlock(terminal, PASSPHRASE)
        terminal.press("n")
        terminal.until("New note")
        terminal.type(TYPED)
        terminal.until("her aunt")
        terminal.hang_up()
        assert ends(terminal), "it sat on behind a terminal that was gone, with the vault open"
    assert TYPED in unfinished(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="only there can the room of a process that runs be taken away")
def test_where_nothing_can_be_kept_any_more_it_stays_for_whoever_sits_there_and_ends_when_the_window_is_closed(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault")
    environment = at_home(tmp_path / "account")
    with Terminal(["-m", "leadworker", "--vault", str(folder)], environment=environment) as terminal:
        unlock(terminal, PASSPHRASE)
        terminal.press("n")
        terminal.until("New note")
        terminal.type(TYPED)
        terminal.until("her aunt", "draft kept")
        fill_the_disk_for(terminal)
        terminal.type(", who is to ring")
        terminal.press("ctrl+q")
        terminal.until("who is to ring", "The disk")
        assert terminal.process.poll() is None, "it left with words that were on its screen alone"
        terminal.hang_up()
        assert ends(terminal), "it sat on behind a terminal that was gone, with the vault open"
    assert TYPED in unfinished(folder)


def test_a_demo_whose_window_is_closed_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = at_home(tmp_path / "account")
    with Terminal(["-m", "leadworker", "demo"], environment=environment) as terminal:
        terminal.until("Today", "People", "find")
        assert list(Path(environment["TMPDIR"]).glob("leadworker-demo-*")), "there is something to throw away"
        terminal.hang_up()
        assert ends(terminal)
    assert not list(Path(environment["TMPDIR"]).glob("leadworker-demo-*"))


def ends(terminal: Terminal) -> bool:
    """Wait for the program to end; return whether it did."""
    deadline = time.monotonic() + PATIENCE_S
    while terminal.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return terminal.process.poll() is not None


def fill_the_disk_for(terminal: Terminal) -> None:
    """Let the program write nothing to the disk any more."""
    import resource

    if sys.platform == "linux":
        resource.prlimit(terminal.process.pid, resource.RLIMIT_FSIZE, (0, 0))


def unfinished(folder: Path) -> str:
    """Return every draft that is in a vault."""
    vault = enter(folder)
    try:
        return "".join(str(draft) for draft in ask(vault, drafts.unfinished))
    finally:
        vault.close()
