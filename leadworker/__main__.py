"""The command ``leadworker``: without a command of its own it opens the screens, as fast as it can; else the plain path runs it.

Nothing on the way to the screens imports the command line's parser, the database or the network.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

THEMES = ("dusk", "paper", "contrast", "wall")
NO_TERMINAL = (
    "There is no terminal here to show the screens in. “leadworker --help” lists the commands, which need none; "
    "“leadworker demo” tells its story without one."
)


@dataclass(frozen=True, slots=True)
class Screens:
    """How the screens are asked for. None leaves it to the settings."""

    vault: str = ""
    theme: str | None = None
    ascii_only: bool | None = None


def screens_asked(arguments: Sequence[str]) -> Screens | None:
    """Return how the screens are asked for, or None when the arguments ask for anything else, or are wrong."""
    if "_LEADWORKER_COMPLETE" in os.environ:  # the shell asks which commands there are
        return None
    vault, theme, ascii_only = "", None, None
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name == "--ascii" and not equals:
            ascii_only = True
            continue
        if name not in ("--vault", "--theme") or (not equals and not rest):
            return None
        value = value if equals else rest.pop(0)
        if name == "--vault":
            vault = value
        else:
            theme = value
    return Screens(vault, theme, ascii_only)


def open_screens(asked: Screens) -> int:
    """Open the screens; return the exit code."""
    if asked.theme is not None and asked.theme not in THEMES:
        _say(f"There is no such theme. The themes are: {', '.join(THEMES)}.")
        return 2
    if not _has_terminal():
        _say(NO_TERMINAL)
        return 1
    from leadworker import wiring
    from leadworker.errors import NotUnderstood
    from leadworker.places import vault_folder

    try:
        folder = vault_folder(asked.vault)
    except NotUnderstood as error:
        _say(error.sentence)
        return 1
    return wiring.run_screens(folder, theme=asked.theme, ascii_only=asked.ascii_only)


def _say(words: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"{words}\n")


def _has_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.__stdin__, sys.__stderr__))


def _fill_missing_streams() -> None:
    """Keep the first three descriptors taken: else the database could get one of them, and be written to as if it were a screen."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    _fill_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a letter that this terminal does not have is no reason to stop
    from screens.crash import CrashNotice
    from screens.environment import tidy_environment

    tidy_environment()
    CrashNotice().install()
    asked = screens_asked(sys.argv[1:])
    if asked is not None:
        return open_screens(asked)
    from leadworker import wiring

    wiring.harden_process()
    from leadworker.plain.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
