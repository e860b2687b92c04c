"""Takes out of the environment what would make the terminal library or Python write people's words somewhere.

Runs before `textual` is imported for the first time, because the library reads its variables at import (C.9 item 5).
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import MutableMapping

DROPPED_PREFIX = "TEXTUAL"
"""Screenshots to disk, logs, developer tools, pressed keys, another driver: none of them on a real journal."""

DROPPED = frozenset(
    {
        "PYTHONINSPECT",  # a prompt over the open vault when the program ends
        "PYTHONFAULTHANDLER",
        "PYTHONDEVMODE",
        "PYTHONBREAKPOINT",
        "PYTHONASYNCIODEBUG",  # logs the arguments of slow calls
        "PYTHONTRACEMALLOC",
    }
)


def tidy_environment(environ: MutableMapping[str, str] | None = None) -> tuple[str, ...]:
    """Remove the dangerous variables from `environ` (this process's own by default) and return their names.

    Also switches off Python's fault handler, which would print a stack on the terminal.
    """
    place = os.environ if environ is None else environ
    names = tuple(name for name in list(place) if name.startswith(DROPPED_PREFIX) or name in DROPPED)
    for name in names:
        del place[name]
    faulthandler.disable()
    return names
