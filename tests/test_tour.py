"""One key worker's first day with the real program, in a real terminal of 80 by 24."""

from __future__ import annotations

import json
from pathlib import Path

from tests.terminal import Terminal
from tests.tour import at_home, command, first_run, unlock, write_note

CONTACTS = """BEGIN:VCARD\r
VERSION:3.0\r
FN:Keira Okafor-Lane\r
N:Okafor-Lane;Keira;;;\r
NICKNAME:Kay\r
TEL;TYPE=CELL:07700 900118\r
END:VCARD\r
BEGIN:VCARD\r
VERSION:3.0\r
FN:Yusuf Demir\r
N:Demir;Yusuf;;;\r
END:VCARD\r
"""


def test_a_key_worker_makes_a_journal_writes_a_visit_hides_locks_finds_it_again_and_reads_it_without_the_screen(
    tmp_path: Path,
) -> None:
    environment = at_home(tmp_path / "account")
    vault = tmp_path / "vault"
    program = ["-m", "leadworker", "--vault", str(vault)]
    with Terminal(program, environment=environment) as terminal:
        passphrase, _ = first_run(terminal, "Alex Morgan")
        terminal.until("No visits today")
        terminal.press("ctrl+q")
        assert terminal.ended() == 0

    contacts, secret = tmp_path / "contacts.vcf", tmp_path / "secret"
    contacts.write_text(CONTACTS, "utf-8")
    secret.write_text(passphrase + "\n", "utf-8")
    environment["LEADWORKER_PASSPHRASE_FILE"] = str(secret)
    environment["LEADWORKER_VAULT"] = str(vault)
    assert "Added 2 people" in command("import", str(contacts), environment=environment)

    del environment["LEADWORKER_PASSPHRASE_FILE"]
    with Terminal(program, environment=environment) as terminal:
        unlock(terminal, passphrase)
        terminal.press("2")
        terminal.until("Keira Okafor-Lane", "Yusuf Demir")
        terminal.press("/")
        terminal.until("people only")
        terminal.type("keira")
        terminal.until("Keira Okafor-Lane", "Kay")
        terminal.press("enter")
        terminal.until("Keira Okafor-Lane", "Journal")
        write_note(
            terminal, "visit home yesterday 4pm 50 min", seen="Keira alone, then with Mum",
            said="I slept. It is quiet when he is on nights.", noticed="Drawings on the wall again", think="Home feels safer",
            next="text Sam thu",
        )  # fmt: skip
        terminal.until("Drawings on the wall again", "Text Sam")
        _hide_and_come_back(terminal)
        _lock(terminal)
        unlock(terminal, passphrase)
        terminal.press("/")
        terminal.until("people only")
        terminal.type("drawings")
        terminal.until("Notes", "Keira")
        terminal.press("enter")
        terminal.until("quiet when he is on nights")
        terminal.press("ctrl+q")
        assert terminal.ended() == 0

    environment["LEADWORKER_PASSPHRASE_FILE"] = str(secret)
    read = json.loads(command("timeline", "keira", "--json", environment=environment))
    assert "I slept. It is quiet when he is on nights." in json.dumps(read, ensure_ascii=False)
    assert "Text Sam" in command("actions", environment=environment)
    assert "whole" in command("check", "--rebuild", environment=environment).lower()


def _lock(terminal: Terminal) -> None:
    terminal.press("/")
    terminal.until("people only")
    terminal.type(">lock, and stay")
    terminal.until("Lock, and stay")
    terminal.press("enter")
    assert "Keira" not in terminal.until("Locked. Your note is kept.", "Passphrase")


def _hide_and_come_back(terminal: Terminal) -> None:
    terminal.press("ctrl+l")
    hidden = terminal.until(gone="Keira")
    assert "Drawings" not in hidden
    terminal.press("enter")
    terminal.until("Keira Okafor-Lane")
