"""How processes of one central store tell each other over PostgreSQL that books have moved: LISTEN and NOTIFY.

Telling is a transaction of its own after the commit that it speaks of, since PostgreSQL makes transactions that notify
wait for one another. What is told while a process has no connection is lost to it; its laptops pull within a minute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import psycopg

from sync.hub.postgres_schema import connect

CHANNEL: Final = "leadworker_moved"

_LOOK_UP_S: Final = 1.0
"""How often a quiet listener looks whether it is to stop."""

_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0


def listen(url: str, heard: Callable[[str], None]) -> Callable[[], None]:
    """Hear what is told, on a thread of its own, for as long as the database is there and again when it is back."""
    stopped = threading.Event()
    thread = threading.Thread(target=_listen, args=(url, heard, stopped), name="hub-hears", daemon=True)
    thread.start()
    return stopped.set


def _listen(url: str, heard: Callable[[str], None], stopped: threading.Event) -> None:
    wait = _FIRST_WAIT_S
    while not stopped.is_set():
        try:
            with connect(url) as line:
                line.execute(f"LISTEN {CHANNEL}")
                wait = _FIRST_WAIT_S
                while not stopped.is_set():
                    for told in line.notifies(timeout=_LOOK_UP_S):
                        heard(told.payload)
        except psycopg.Error:
            stopped.wait(wait)
            wait = min(2 * wait, _LONGEST_WAIT_S)
