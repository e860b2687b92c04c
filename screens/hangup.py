"""A terminal that is gone: a window that was closed, a line to another machine that broke off. What is written to it is let go."""

from __future__ import annotations

import threading

from textual.drivers._writer_thread import WriterThread

_run = WriterThread.run
_gone = threading.Event()


def _run_to_the_end(self: WriterThread) -> None:
    """Stand in for `WriterThread.run`: the same, and what nobody can read any more is let go.

    The library's own ends at the first write that fails. The next thirty fill its queue, and the program then waits for ever, with
    the vault open: it cannot even lock.
    """
    try:
        _run(self)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError):
            note()
        while self._queue.get() is not None:
            pass


def install() -> None:
    """Put it in place for a new run of the program, which has a terminal. Doing it twice changes nothing."""
    _gone.clear()
    setattr(WriterThread, "run", _run_to_the_end)  # noqa: B010


def note() -> None:
    """Note that the terminal is gone, from any thread."""
    _gone.set()


def is_gone() -> bool:
    """Return whether nobody can read or answer any more."""
    return _gone.is_set()
