"""Where a passphrase or recovery words come from: a file that was named, else the terminal; never the command line."""

from __future__ import annotations

import getpass
import os
import stat
import sys
from pathlib import Path

from leadworker.errors import NotUnderstood
from leadworker.places import PASSPHRASE_FILE_VARIABLE
from leadworker.plain.output import warn

LARGEST = 64 * 1024
"""Bytes of such a file; a larger one is not one."""


def passphrase_file(named: str = "") -> Path | None:
    """Return the file that an option or ``LEADWORKER_PASSPHRASE_FILE`` names, or None."""
    name = named or os.environ.get(PASSPHRASE_FILE_VARIABLE, "")
    return Path(name).expanduser() if name else None


def first_line(path: Path) -> str:
    """Return the first line of a file that holds a passphrase; raise `NotUnderstood` for none."""
    lines = whole_text(path, "The passphrase file").splitlines()
    if not lines or not lines[0].strip():
        raise NotUnderstood("The passphrase file has nothing in its first line. Nothing was opened.")
    if _is_open_to_others(path):
        warn("Other accounts of this computer can read the passphrase file. “chmod 600” on it keeps it to yourself.")
    return lines[0].strip("\r\n")


def whole_text(path: Path, what: str) -> str:
    """Return the text of a small file, `what` being its name in sentences; raise `NotUnderstood`."""
    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise NotUnderstood(f"{what} cannot be read: {error.strerror}. Nothing was opened or changed.") from error
    if len(raw) > LARGEST:
        raise NotUnderstood(f"{what} is far too long to be one. Nothing was opened or changed.")
    try:
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUnderstood(f"{what} is not a text file. Nothing was opened or changed.") from error


def ask(question: str, option: str = "") -> str:
    """Ask on the terminal for something that is not shown while it is typed; raise `NotUnderstood` without a terminal.

    `option` is the one that names a file with it; without one it is the vault's passphrase.
    """
    if not has_terminal():
        what = f"{question[:1].lower()}{question[1:]}".strip(" :")
        instead = f"with {option}" if option else f"with --passphrase-file, or in {PASSPHRASE_FILE_VARIABLE}"
        raise NotUnderstood(
            f"There is no terminal here to ask for the {what if option else 'passphrase'}. Name a file that holds it {instead}. "
            "Nothing was opened."
        )
    return getpass.getpass(question)


def has_terminal() -> bool:
    """Return whether somebody can be asked, also while a note comes in on standard input."""
    try:
        # Without this, `getpass` falls back to standard input and would take the note's first line for a passphrase.
        os.close(os.open("CONIN$" if os.name == "nt" else "/dev/tty", os.O_RDWR))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True


def _is_open_to_others(path: Path) -> bool:
    if os.name == "nt":  # rights mean something else there, and a home folder is closed to others
        return False
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)) and path.is_file()
    except OSError:
        return False
