"""The central store's log: one JSON object a line, with numbers, codes and shortened ids, and no content ever."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

SHORT = 4
"""Bytes of an id that a line shows: enough to follow one book or device through the log."""


class Log:
    """Writes events to a stream, or nowhere when there is none. Values are numbers, codes, or ids as bytes."""

    def __init__(self, stream: TextIO | None, now_ms: Callable[[], int]) -> None:
        self._stream = stream
        self._now_ms = now_ms
        self._lock = threading.Lock()

    def note(self, event: str, **values: int | str | bytes) -> None:
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

    def fault(self, error: BaseException) -> None:
        """Write what kind of fault it was and where; never its words, which could quote a request."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"
        cause = type(error.__cause__).__name__ if error.__cause__ is not None else ""
        self.note("fault", kind=type(error).__name__, cause=cause, place=place)
