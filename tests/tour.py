"""The steps of a tour through the real program in a real terminal, told once for the tests that take it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.terminal import Terminal

START = """
import sys, types
from leadworker.crypto import keys
keys.calibrate = lambda: keys.FLOOR_KIB
import pyrage
to_nobody = lambda: [pyrage.x25519.Identity.generate().to_public()]
light = lambda plain, words, armored=False: pyrage.encrypt(plain, to_nobody(), armored=armored)
pyrage.passphrase = types.SimpleNamespace(encrypt=light)
from leadworker.__main__ import main
sys.exit(main())
"""
"""Starts the program with vaults at the least protection that the format allows, and sealed key files that cost no second each.

Both are real and of the same form; what they cost on purpose is tested where they are (test_crypto, test_plain_post).
"""

PASSPHRASE_LINE = re.compile(r"A good one:\s+(.+)")
WORD = re.compile(r"\b(\d{1,2})\s+([a-z]{3,8})\b")
ASKED = re.compile(r"▌ Word (\d+)")


def first_run(terminal: Terminal, name: str) -> tuple[str, dict[int, str]]:
    """Make a vault as a person does; return the passphrase that was offered and the recovery words by number."""
    terminal.until("What are you called?")
    terminal.type(name)
    terminal.press("enter")
    found = PASSPHRASE_LINE.search(terminal.until("A good one:"))
    assert found
    passphrase = found.group(1).strip()
    terminal.type(passphrase)
    terminal.press("enter")
    terminal.until("once more")
    terminal.type(passphrase)
    terminal.press("enter")
    words = {int(number): word for number, word in WORD.findall(terminal.until("Write these 16 words down", "Enter when you have"))}
    assert len(words) == 16
    terminal.press("enter")
    asked = [int(number) for number in ASKED.findall(terminal.until("back from your paper"))]
    assert len(asked) == 3
    for at, number in enumerate(asked):
        terminal.type(words[number])
        terminal.press("enter" if at == len(asked) - 1 else "tab")
    terminal.until("Today", "People", "find")
    return passphrase, words


def unlock(terminal: Terminal, passphrase: str) -> None:
    """Type the passphrase at the unlock screen."""
    terminal.until("Passphrase")
    terminal.type(passphrase)
    terminal.press("enter")
    terminal.until("1 Today", "find")


def write_note(terminal: Terminal, first_line: str, **fields: str) -> None:
    """Write a note about whoever is on the screen, field by field, and save it."""
    terminal.press("n")
    terminal.until("New note")
    terminal.type(first_line)
    for name in ("seen", "said", "noticed", "think", "next"):
        terminal.press("tab")
        if fields.get(name):
            terminal.type(fields[name])
            terminal.until(fields[name].split()[-1])
    terminal.press("ctrl+s")
    terminal.until("Saved on this laptop", gone="New note")


def command(*arguments: str, environment: Mapping[str, str], text: str = "") -> str:
    """Run a command of the plain path in a process of its own; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", START, *arguments], input=text, capture_output=True, encoding="utf-8",
        env=dict(environment), check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def at_home(folder: Path) -> dict[str, str]:
    """Return an environment in which everything that a program may write lands in one folder."""
    import os

    inside = {"HOME": "home", "TMPDIR": "tmp", "XDG_RUNTIME_DIR": "run", "XDG_DATA_HOME": "data", "XDG_CACHE_HOME": "cache",
              "XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state"}  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LEADWORKER", "TEXTUAL", "XDG", "PYTEST"))}
    for name, part in inside.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        environment[name] = str(folder / part)
    environment.update(TEMP=environment["TMPDIR"], TMP=environment["TMPDIR"], LANG="C.UTF-8", PYTHONUTF8="1")
    return environment
