"""What is seen when the program has to stop: one calm line and a reference, never a stack or a local variable (C.9 item 4).

The report itself is handed to the vault, which keeps it encrypted; with no vault open it is dropped.
"""

from __future__ import annotations

import asyncio
import faulthandler
import secrets
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

Report = Callable[[str], None]

_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # none that is mistaken for another when read out on the phone


def reference() -> str:
    """Return four letters by which a person can name this crash."""
    return "".join(secrets.choice(_LETTERS) for _ in range(4))


def notice(code: str) -> str:
    """Return the only line that a crash prints."""
    return f"Leadworker has to stop. What you typed is kept. Reference {code}."


def report_of(error: BaseException, code: str) -> str:
    """Return what is kept inside the vault: where it went wrong, without the values of any variable."""
    frames = "".join(traceback.format_exception(error, limit=-40, chain=True))
    return f"{code}\n{frames}"


def print_notice(code: str) -> None:
    """Write the line to standard error, whatever state the terminal is in."""
    sys.stderr.write(f"{notice(code)}\n")
    sys.stderr.flush()


class CrashNotice:
    """Takes the place of every hook that would print a stack; hands reports to whoever can keep them."""

    def __init__(self, keep: Report | None = None) -> None:
        self.keep: Report | None = keep

    def install(self) -> None:
        """Take over the interpreter's hooks for the main thread, other threads and things that cannot be raised."""
        faulthandler.disable()
        sys.excepthook = self._uncaught
        threading.excepthook = self._uncaught_in_thread
        sys.unraisablehook = self._unraisable

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take over the event loop's handler, which would log the arguments of what failed."""
        loop.set_exception_handler(self._uncaught_in_loop)
        loop.set_debug(False)

    def note(self, error: BaseException, code: str) -> None:
        """Hand a report over to be kept; a failure to keep it is not made worse by another error."""
        if self.keep is not None:
            with suppress(Exception):  # the notice must still appear
                self.keep(report_of(error, code))

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        code = reference()
        self.note(error, code)
        print_notice(code)

    def _uncaught_in_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            self.note(args.exc_value, reference())

    def _unraisable(self, args: Any) -> None:
        if args.exc_value is not None:
            self.note(args.exc_value, reference())

    def _uncaught_in_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.note(error, reference())
