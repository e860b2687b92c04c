"""How often a wrong passphrase was given, so that guessing at the keyboard gets slower. It holds a count and a time only."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import msgspec

NAME = "vault.tries"
FREE_TRIES = 5
FIRST_WAIT_S = 60
LONGEST_WAIT_S = 3600


class _Tries(msgspec.Struct, frozen=True):
    count: int = 0
    last: float = 0.0


class Tries:
    """The wrong tries on one vault. A thief with the disk can delete the file; Argon2id is what stops a thief."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def left(self) -> int:
        """Return how many tries are free before the next wait, at least 1."""
        return max(1, FREE_TRIES - self._read().count)

    def wait(self) -> float:
        """Return the seconds until another try is taken, 0 for now. A clock set back does not make it longer."""
        tries = self._read()
        if tries.count < FREE_TRIES:
            return 0.0
        wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (tries.count - FREE_TRIES))
        passed = time.time() - tries.last
        return 0.0 if passed < 0 else max(0.0, wait - passed)

    def wrong(self) -> None:
        """Count one wrong try."""
        tries = _Tries(self._read().count + 1, time.time())
        with contextlib.suppress(OSError):  # on a read-only disk there is nothing to guess for
            self._path.write_bytes(msgspec.json.encode(tries))

    def right(self) -> None:
        """Forget the wrong ones."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _read(self) -> _Tries:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Tries)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return _Tries()
