"""What is written to a terminal that is gone: a window that was closed, a line to another machine that broke off."""

from __future__ import annotations

from textual.drivers._writer_thread import WriterThread

_run = WriterThread.run


def _run_to_the_end(self: WriterThread) -> None:
    """Stand in for `WriterThread.run`: the same, and what nobody can read any more is let go.

    The library's own ends at the first write that fails. The next thirty fill its queue, and the program then waits for ever, with
    the vault open: it cannot even lock.
    """
    try:
        _run(self)
    except (OSError, ValueError):
        while self._queue.get() is not None:
            pass


def install() -> None:
    """Put it in place. Doing it twice changes nothing."""
    setattr(WriterThread, "run", _run_to_the_end)  # noqa: B010
