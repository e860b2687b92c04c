"""Two laptops, two real terminals, one central store: something is written apart, seen by both, and settled by keys alone."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.laptops import ALEX, PASSPHRASE, RUTH, Team
from tests.terminal import Terminal
from tests.tour import at_home, unlock

pytest_plugins = ["tests.laptop_fixtures"]

AUNT, NAN = "with her aunt, 9 Quay Street", "with her nan, 3 Mill Lane"


def lives_now(terminal: Terminal, where: str) -> None:
    """Open Keira's page, write where she lives now, and save."""
    terminal.press("2")
    terminal.until("Keira Okafor-Lane", "filter")
    terminal.press("enter")
    terminal.until("Keira Okafor-Lane", "Journal", "14 Fen Court")
    terminal.press("e")
    terminal.until("what is written about them", "Lives")
    terminal.press("tab", "tab", "tab")  # over name, pronouns and date of birth
    terminal.press("ctrl+e", *["backspace"] * len("14 Fen Court"))
    terminal.type(where)
    terminal.until(where)
    terminal.press("ctrl+s")
    terminal.until("Saved on this laptop.", where, gone="what is written about them")


def sync(terminal: Terminal, *words: str) -> str:
    """Go to Sync and send and receive until it says so."""
    terminal.press("6")
    terminal.until("This laptop", "Central store")
    terminal.press("s")
    return terminal.until(*words)


async def test_a_conflict_is_made_seen_and_settled_by_keys_alone(team: Team, tmp_path: Path) -> None:
    alex, ruth = team.alex, team.ruth
    alex.add(lives_at="14 Fen Court")
    await alex.sync()
    await ruth.sync()  # she supervises the team, so she reads it from the first day
    for laptop in (alex, ruth):
        joined = await laptop.box.joined()
        assert joined is not None
        await laptop.box.set_joined(msgspec.structs.replace(joined, hub_url=team.office.url))  # this copy of the store listens here
        await laptop.close()
    team.office.stop_store()

    terminals = []
    for laptop in (alex, ruth):
        environment = at_home(tmp_path / f"account of {laptop.name}")
        terminals.append(Terminal(["-m", "leadworker", "--vault", str(laptop.folder)], environment=environment))
    with terminals[0] as of_alex, terminals[1] as of_ruth:
        for terminal, where in ((of_alex, AUNT), (of_ruth, NAN)):
            unlock(terminal, PASSPHRASE)
            lives_now(terminal, where)
            terminal.until("1 to send")
        team.office.start_store()
        sync(of_alex, "To send           nothing")
        sync(of_ruth, "To send           nothing", "1 apart", "1 thing waits for a choice")
        sync(of_alex, "1 apart", "1 thing waits for a choice")

        of_alex.press("1")
        of_alex.until("1 written apart", "where they live", f"you and {RUTH.split()[0]}")
        of_ruth.press("c")
        shown = of_ruth.until("Written apart", "yours", f"{ALEX}'s", AUNT, NAN, "Nothing is")
        assert "where they live" in shown
        of_ruth.press("t")
        of_ruth.until("Settled: where they live.", "Nothing is left to choose.", gone="1 apart")
        sync(of_ruth, "To send           nothing")
        sync(of_alex, "all sent")
        of_alex.until(gone="1 apart")
        of_alex.press("2")
        of_alex.until("Keira Okafor-Lane")
        of_alex.press("enter")
        of_alex.until(AUNT, "Journal", gone="two versions")
        of_alex.press("h")
        history = of_alex.until("Where they live", "chosen from 2 versions")
        assert RUTH in history
        for terminal in (of_alex, of_ruth):
            terminal.press("ctrl+q")
            assert terminal.ended() == 0

    again = [laptop.reopen() for laptop in (alex, ruth)]
    assert {laptop.digest() for laptop in again} == {again[0].digest()}, "both laptops hold the same words"
    for laptop in again:
        await laptop.check()
        await laptop.close()
