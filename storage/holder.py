"""One leadworker on one vault at a time: the second is refused and told who is the first."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from leadworker.errors import DiskTrouble, VaultBusy

LOCK_NAME = "vault.lock"
HOLDER_NAME = "vault.holder.json"


class Holder(msgspec.Struct, frozen=True):
    """Who has the vault open: process, purpose, and since when (local time, ``HH:MM``)."""

    process: int
    purpose: str
    since: str


class Hold:
    """The vault's lock. The system lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path, purpose: str) -> None:
        self._lock = FileLock(folder / LOCK_NAME, timeout=0, thread_local=False)  # taken by one thread, let go by another
        self._holder = folder / HOLDER_NAME
        self._purpose = purpose

    def take(self) -> None:
        """Take the lock; raise `VaultBusy` naming who has it."""
        try:
            self._lock.acquire()
        except Timeout:
            raise VaultBusy(self._sentence()) from None
        except OSError as error:
            raise DiskTrouble(f"The vault's folder cannot be written to: {error.strerror}. Nothing was opened or changed.") from error
        holder = Holder(os.getpid(), self._purpose, time.strftime("%H:%M"))
        with contextlib.suppress(OSError):  # only a courtesy to the second one; the lock itself holds
            self._holder.write_bytes(msgspec.json.encode(holder))

    def release(self) -> None:
        """Let go."""
        with contextlib.suppress(OSError):
            self._holder.unlink(missing_ok=True)
        self._lock.release()

    def _sentence(self) -> str:
        try:
            holder = msgspec.json.decode(self._holder.read_bytes(), type=Holder)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return "This vault is open in another leadworker. Close that one first; nothing was changed."
        return (
            f"This vault is open already: {holder.purpose}, process {holder.process}, since {holder.since}. "
            "Use that one, or close it first; nothing was changed."
        )
