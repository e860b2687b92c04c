"""The demo: an invented caseload, a central store of its own and two colleagues, thrown away afterwards.

In a terminal it opens on Today. With no terminal it walks the main job aloud, one line a step.
"""

from __future__ import annotations

import sys

PASSPHRASE = "lantern orchard velvet canal mitten harbour"
"""The demo's vaults hold invented people only; this is no secret."""


def run() -> int:
    """Show the demo; return the exit code."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        from leadworker.demo.show import show

        return show()
    from leadworker.demo.walk import walk

    return walk()
