"""The anchor: a small file beside the database that remembers how far the vault had come (security C.2).

SQLCipher notices a flipped bit in the database, but neither a damaged write-ahead log, which silently ends early, nor
a file put back from yesterday. The anchor, sealed with a key of the vault and made durable after every commit, does.
It holds two slots that are written in turn, so that a power cut can spoil only the one that was being written.
"""

from __future__ import annotations

import hmac
import os
import struct
from pathlib import Path
from typing import Final

import msgspec

_FIELDS = struct.Struct(">4sQQQ32s")
_MAGIC: Final = b"LWA1"
_MAC_BYTES: Final = 32
SLOT_BYTES: Final = 4096  # a slot of its own disk block each
FILE_BYTES: Final = 2 * SLOT_BYTES


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


class AnchorRead(msgspec.Struct, frozen=True):
    """What stood in the file: the newest sound mark, or None, and whether a slot was spoilt."""

    mark: Mark | None
    spoilt: int


class Anchor:
    """The open anchor file of one vault."""

    def __init__(self, path: Path, key: bytes, vault_id: str) -> None:
        self._path = path
        self._key = key
        self._vault_id = vault_id.encode()
        self._file = -1
        self._turn = 0

    def read(self) -> AnchorRead:
        """Read both slots. A missing file, or one of another size, reads as two spoilt slots."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return AnchorRead(None, 2)
        if len(raw) != FILE_BYTES:
            return AnchorRead(None, 2)
        slots = [raw[at : at + SLOT_BYTES] for at in (0, SLOT_BYTES)]
        found = [slot for raw_slot in slots if (slot := self._unpack(raw_slot)) is not None]
        if not found:
            return AnchorRead(None, 2)
        newest = max(found, key=lambda slot: slot.turn)
        self._turn = newest.turn
        return AnchorRead(newest.mark, 2 - len(found))

    def create(self) -> None:
        """Make the file in its full size, so that a full disk can never stop a later mark."""
        with open(self._path, "wb") as file:
            file.write(bytes(FILE_BYTES))
            file.flush()
            os.fsync(file.fileno())

    def write(self, mark: Mark) -> None:
        """Make a mark durable."""
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | getattr(os, "O_BINARY", 0))
        self._turn += 1
        os.lseek(self._file, (self._turn % 2) * SLOT_BYTES, os.SEEK_SET)
        os.write(self._file, self._pack(mark))
        _to_disk(self._file)

    def rewrite(self, mark: Mark) -> None:
        """Make both slots say the same: for a new vault, and after a repair."""
        if not self._path.exists() or self._path.stat().st_size != FILE_BYTES:
            self.close()
            self.create()
        self.write(mark)
        self.write(mark)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _pack(self, mark: Mark) -> bytes:
        fields = _FIELDS.pack(_MAGIC, self._turn, mark.commits, mark.changes, mark.chain)
        return (fields + self._mac(fields)).ljust(SLOT_BYTES, b"\0")

    def _unpack(self, slot: bytes) -> _Slot | None:
        fields, mac = slot[: _FIELDS.size], slot[_FIELDS.size : _FIELDS.size + _MAC_BYTES]
        if any(slot[_FIELDS.size + _MAC_BYTES :]) or not hmac.compare_digest(mac, self._mac(fields)):
            return None
        magic, turn, commits, changes, chain = _FIELDS.unpack(fields)
        return _Slot(turn, Mark(commits, changes, chain)) if magic == _MAGIC else None

    def _mac(self, fields: bytes) -> bytes:
        return hmac.digest(self._key, b"lw/anchor/v1\0" + self._vault_id + fields, "sha256")


def _to_disk(file: int) -> None:
    if hasattr(os, "fdatasync"):
        os.fdatasync(file)
    else:
        os.fsync(file)
