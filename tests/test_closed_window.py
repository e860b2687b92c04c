"""A terminal that goes away: a window that is closed, a line to another machine that breaks off."""

from __future__ import annotations

import time
from pathlib import Path

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
        deadline = time.monotonic() + PATIENCE_S
        while terminal.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert terminal.process.poll() is not None, "it sat on behind a terminal that was gone, with the vault open"
    vault = enter(folder)
    try:
        assert TYPED in "".join(str(draft) for draft in ask(vault, drafts.unfinished))
    finally:
        vault.close()
