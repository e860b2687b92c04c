"""The demo: an invented caseload, a central store of its own and two colleagues, thrown away afterwards.

In a terminal it opens on Today. With no terminal it walks the main job aloud, one line a step.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

PASSPHRASE = "lantern orchard velvet canal mitten harbour"
"""The demo's vaults hold invented people only; this is no secret."""


def run() -> int:
    """Show the demo; return the exit code."""
    _end_in_order()
    if sys.stdin.isatty() and sys.stdout.isatty():
        from leadworker.demo.show import show

        return show()
    from leadworker.demo.walk import walk

    return walk()


def _end_in_order() -> None:
    """Let a window that is closed, and a laptop that is shut down, end the demo as leaving it does: its folder is thrown away.

    Left alone, these signals end a program where it stands.
    """
    for name in _ENDS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _leave)


_ENDS = ("SIGTERM", "SIGHUP")


def _leave(number: int, frame: FrameType | None) -> None:
    for name in _ENDS:  # a second one while it tidies up, as when a window closes, leaves nothing half done
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise SystemExit(128 + number)
