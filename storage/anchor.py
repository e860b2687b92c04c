"""The anchor: a small file beside the database that remembers how far the vault had come (security C.2).

SQLCipher notices a flipped bit in the database, but neither a damaged write-ahead log, which silently ends early, nor
a file put back from yesterday. The anchor, sealed with a key of the vault and as durable as every commit, does.
It holds two slots that are written in turn, so that a power cut can spoil only the one that was being written.

A mark goes to the disk *beside* its commit, not after it, because a second wait for the disk would double the time of
every save (docs/decisions/0011). So it is announced first, and confirmed in its slot once both are durable.
"""

from __future__ import annotations

import hmac
import os
import queue
import struct
import sys
import threading
from pathlib import Path
from typing import Final

import msgspec

_FIELDS = struct.Struct(">4sQQQ32s")
_MAGIC: Final = b"LWA1"
_MAC_BYTES: Final = 32
SLOT_BYTES: Final = 4096  # a slot of its own disk block each
FILE_BYTES: Final = 2 * SLOT_BYTES
_KEPT_AT: Final = 512
"""Where in its slot a mark is confirmed: in a sector of its own, so that writing it cannot spoil the mark."""


class Mark(msgspec.Struct, frozen=True):
    """How far the vault had come: changes held, the chain's head over all of them, and commits that held no change.

    The latter are drafts, settings and receipts: what is lost when a write-ahead log ends early, and in no chain.
    """

    commits: int
    changes: int
    chain: bytes


class _Slot(msgspec.Struct, frozen=True):
    turn: int
    mark: Mark
    kept: bool


class AnchorRead(msgspec.Struct, frozen=True):
    """What stood in the file: the newest sound mark, or None, and how many of the slots were spoilt.

    `before` is None when the newest mark is known to have been reached. Otherwise it was announced and never confirmed:
    the vault may as well stand at `before`, as it did ahead of the commit that was being made.
    """

    mark: Mark | None
    spoilt: int
    before: Mark | None = None


_WRITES_THROUGH: Final = sys.platform == "linux"  # elsewhere O_DSYNC is missing, or stops at the disk's own memory


class Anchor:
    """The open anchor file of one vault."""

    def __init__(self, path: Path, key: bytes, vault_id: str) -> None:
        self._path = path
        self._key = key
        self._vault_id = vault_id.encode()
        self._file = -1
        self._turn = 0
        self._kept = True
        self._fields = b""
        self._writer: _Writer | None = None

    def read(self) -> AnchorRead:
        """Read both slots. A missing file, or one of another size, reads as two spoilt slots."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return AnchorRead(None, 2)
        if len(raw) != FILE_BYTES:
            return AnchorRead(None, 2)
        slots = [raw[at : at + SLOT_BYTES] for at in (0, SLOT_BYTES)]
        found = sorted([slot for raw_slot in slots if (slot := self._unpack(raw_slot)) is not None], key=lambda slot: slot.turn)
        if not found:
            return AnchorRead(None, 2)
        newest, older = found[-1], found[0]
        self._turn = newest.turn
        in_doubt = not newest.kept and older.turn == newest.turn - 1
        self._kept = not in_doubt
        return AnchorRead(newest.mark, 2 - len(found), older.mark if in_doubt else None)

    def create(self) -> None:
        """Make the file in its full size, so that a full disk can never stop a later mark."""
        with open(self._path, "wb") as file:
            file.write(bytes(FILE_BYTES))
            file.flush()
            os.fsync(file.fileno())

    def announce(self, mark: Mark) -> None:
        """Begin to make a mark durable, while the commit that reaches it is made durable too; raise `OSError`.

        A mark that nothing has confirmed is written over in its own slot: the other one holds the last that is known.
        """
        file = self._open()
        if self._writer is None:
            self._writer = _Writer(self._path)
        self._turn += self._kept
        self._kept = False
        self._writer.begin(file, self._pack(mark), self._place())

    @property
    def announced(self) -> bool:
        """Return whether a mark stands in the file, or is on its way there, that nothing has confirmed."""
        return not self._kept

    def settle(self) -> None:
        """Wait until the mark that was announced is durable; raise `OSError` when the disk did not take it."""
        if self._writer is not None:
            self._writer.end()

    def confirm(self) -> None:
        """Say in the newest slot that its commit was made. Not waited for: what survives a kill is enough for now."""
        if not self._kept:
            _write_at(self._open(), self._kept_mac(self._fields), self._place() + _KEPT_AT)
            self._kept = True

    def write(self, mark: Mark) -> None:
        """Make a mark durable that the vault has already reached."""
        self.announce(mark)
        self.settle()
        self.confirm()

    def sync(self) -> None:
        """Make the last confirmation durable as well: in an idle moment, and when the vault is closed."""
        if self._file >= 0:
            _to_disk(self._file)

    def rewrite(self, mark: Mark) -> None:
        """Make both slots say the same: for a new vault, and after a repair."""
        if not self._path.exists() or self._path.stat().st_size != FILE_BYTES:
            self.close()
            self.create()
        self.write(mark)
        self.write(mark)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.stop()
            self._writer = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> int:
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        return self._file

    def _place(self) -> int:
        return (self._turn % 2) * SLOT_BYTES

    def _pack(self, mark: Mark) -> bytes:
        self._fields = _FIELDS.pack(_MAGIC, self._turn, mark.commits, mark.changes, mark.chain)
        return (self._fields + self._mac(self._fields)).ljust(SLOT_BYTES, b"\0")

    def _unpack(self, slot: bytes) -> _Slot | None:
        fields, mac = slot[: _FIELDS.size], slot[_FIELDS.size : _FIELDS.size + _MAC_BYTES]
        kept, end = slot[_KEPT_AT : _KEPT_AT + _MAC_BYTES], _KEPT_AT + _MAC_BYTES
        if any(slot[_FIELDS.size + _MAC_BYTES : _KEPT_AT]) or any(slot[end:]) or not hmac.compare_digest(mac, self._mac(fields)):
            return None
        if any(kept) and not hmac.compare_digest(kept, self._kept_mac(fields)):
            return None
        magic, turn, commits, changes, chain = _FIELDS.unpack(fields)
        return _Slot(turn, Mark(commits, changes, chain), any(kept)) if magic == _MAGIC else None

    def _mac(self, fields: bytes) -> bytes:
        return hmac.digest(self._key, b"lw/anchor/v1\0" + self._vault_id + fields, "sha256")

    def _kept_mac(self, fields: bytes) -> bytes:
        return hmac.digest(self._key, b"lw/anchor/kept/v1\0" + self._vault_id + fields, "sha256")


class _Writer:
    """A thread that makes one slot durable at a time while the storage thread commits."""

    def __init__(self, path: Path) -> None:
        self._through = os.open(path, os.O_RDWR | os.O_DSYNC) if _WRITES_THROUGH else -1
        self._asked: queue.SimpleQueue[tuple[int, bytes, int] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._under_way = False
        threading.Thread(target=self._run, name="anchor", daemon=True).start()

    def begin(self, file: int, slot: bytes, at: int) -> None:
        self._under_way = True
        self._asked.put((file, slot, at))

    def end(self) -> None:
        if self._under_way:
            self._under_way = False
            trouble = self._done.get()
            if trouble is not None:
                raise trouble

    def stop(self) -> None:
        self._asked.put(None)

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            file, slot, at = asked
            try:
                _write_durably(file, self._through, slot, at)
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits, whatever it is
                self._done.put(error)
            else:
                self._done.put(None)
        if self._through >= 0:
            os.close(self._through)


def _write_durably(file: int, through: int, data: bytes, at: int) -> None:
    """Write and wait for the disk. Through the second descriptor this is one call, and no second flush beside the commit's own."""
    if through >= 0:
        os.pwrite(through, data, at)
    else:
        _write_at(file, data, at)
        _to_disk(file)


def _write_at(file: int, data: bytes, at: int) -> None:
    os.lseek(file, at, os.SEEK_SET)  # Windows has no pwrite; the two threads take turns, so nobody moves it between
    os.write(file, data)


def _to_disk(file: int) -> None:
    if sys.platform == "darwin":  # where fsync alone leaves the data in the disk's own memory
        import fcntl

        fcntl.fcntl(file, fcntl.F_FULLFSYNC)
    elif hasattr(os, "fdatasync"):
        os.fdatasync(file)
    else:
        os.fsync(file)
