"""The central store's log: one JSON object a line, with numbers, codes and shortened ids, and no content ever."""

from __future__ import annotations

import errno
import json
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

SHORT = 4
"""Bytes of an id that a line shows: enough to follow one book or device through the log."""

FOLD_S: Final = 60.0
"""Seconds for which the same word about the same asker is counted and not written again."""

_MOST_ASKERS: Final = 1000
"""Beyond so many within a minute they are counted together: whoever has many addresses writes no more lines by them."""

_Value = int | str | bytes


@dataclass(slots=True)
class _Folded:
    event: str
    values: dict[str, _Value]
    until: float
    times: int = 0


class Log:
    """Writes events to a stream, or nowhere when there is none. Values are numbers, codes, or ids as bytes."""

    def __init__(self, stream: TextIO | None, now_ms: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._now_ms = now_ms
        self._clock = clock
        self._lock = threading.Lock()
        self._folding = threading.Lock()
        self._folded: dict[tuple[bytes, str], _Folded] = {}

    def note(self, event: str, **values: _Value) -> None:
        """Write one line. A log that cannot be written never stops the store."""
        if self._stream is None:
            return
        at = datetime.fromtimestamp(self._now_ms() / 1000, tz=UTC).isoformat(timespec="milliseconds")
        shown = {name: value[:SHORT].hex() if isinstance(value, bytes) else value for name, value in values.items()}
        line = json.dumps({"at": at, "event": event, **shown}, separators=(",", ":"))
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                return

    def turned_away(self, asker: bytes, code: str, status: int) -> None:
        """Write that a request was refused: the first of an asker and a code at once, those of the next minute as one line.

        Otherwise whoever sends garbage fills the disk. `asker` tells askers apart and is not written.
        """
        self._once(asker, code, "turned_away", code=code, status=status)

    def fault(self, error: BaseException) -> None:
        """Write what kind of fault it was and where; never its words, which could quote a request.

        The same one is counted and not written again for a minute: a database that is away is a fault of every request.
        """
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
        cause = type(error.__cause__).__name__ if error.__cause__ is not None else ""
        values = {"kind": type(error).__name__, "cause": cause, "code": _code(error.__cause__ or error), "place": place}
        self._once(b"", repr(values), "fault", **values)

    def close(self) -> None:
        """Write what was only counted so far."""
        with self._folding:
            self._unfold(float("inf"))

    def _once(self, asker: bytes, what: str, event: str, **values: _Value) -> None:
        """Write a line, unless the same was written of the same asker within the last minute: then it is counted."""
        with self._folding:
            now = self._clock()
            self._unfold(now)
            if (asker, what) not in self._folded and len(self._folded) >= _MOST_ASKERS:
                asker = b""
            if (asker, what) in self._folded:
                self._folded[asker, what].times += 1
                return
            self._folded[asker, what] = _Folded(event, values, now + FOLD_S)
            self.note(event, **values)

    def _unfold(self, now: float) -> None:
        """Write one line for what was counted of each asker and thing whose minute is over; they stand in that order."""
        while self._folded:
            first = next(iter(self._folded))
            if self._folded[first].until > now:
                return
            folded = self._folded.pop(first)
            if folded.times:
                self.note(folded.event, **folded.values, times=folded.times)


def _code(error: BaseException) -> str:
    """Return the system's or the database's own word for what is wrong, such as ``SQLITE_FULL``, ``53100`` or ``EMFILE``."""
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "")
    return str(getattr(error, "sqlite_errorname", "") or getattr(error, "sqlstate", "") or "")
