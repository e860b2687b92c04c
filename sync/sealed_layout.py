"""How a sealed copy of one casebook lies in a file: the book, then its attached files (docs/sealed-format.md, section 14).

A laptop and the central store write it alike. Nothing here opens anything, and neither way holds more of a file than a part.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple

from sync import wire

WITH_FILES: Final = b"lw/sealed-book/v2\0"
"""With these bytes a copy begins. Version 1, `wire.SEALED_BOOK`, ended with the book; its readers say that they do not know this."""

LARGEST_BOOK: Final = 1 << 30
"""Bytes of a book that a reader takes into memory."""

MOST_FILES: Final = 1 << 20
"""Sealed files that a reader looks for in one copy."""

_LENGTH: Final = struct.Struct(">Q")
_HEAD: Final = struct.Struct(">32sQ")
_END: Final = bytes(_HEAD.size)
_BLOCK: Final = 256 * 1024


class NotACopy(Exception):
    """These bytes are no sealed copy."""


class CutOff(Exception):
    """A sealed copy ends before its book does, or says that the book is larger than any."""


def written_in(sealed: wire.SealedBook) -> int:
    """Return how many changes people wrote in a book, without the statements about who may read it: as escrow counts them."""
    return sum(wire.unpack(one.header).lane != wire.CONTROL_LANE for one in sealed.changes.changes)


class Writer:
    """Writes a copy into an open file from where it stands: the book at once, then one sealed file after the other."""

    def __init__(self, out: BinaryIO, sealed: wire.SealedBook) -> None:
        self._out = out
        self._at = 0
        self._digest = b""
        self._left = 0
        self._sum = hashlib.sha256()
        raw = wire.write(sealed)
        out.write(WITH_FILES + _LENGTH.pack(len(raw)))
        out.write(raw)

    def put(self, digest: bytes, size: int, parts: Iterable[bytes]) -> bool:
        """Write a sealed file; say whether its bytes are those that `digest` names. If not, nothing of it is kept."""
        self.begin(digest, size)
        try:
            for part in parts:
                self.add(part)
        finally:
            fits = self.end()
        return fits

    def begin(self, digest: bytes, size: int) -> None:
        """Begin a sealed file of `size` bytes whose SHA-256 is `digest`."""
        self._at, self._digest, self._left, self._sum = self._out.tell(), digest, size, hashlib.sha256()
        self._out.write(_HEAD.pack(digest, size))

    def add(self, part: bytes) -> None:
        """Write the next bytes of the file that was begun."""
        self._left -= len(part)
        self._sum.update(part)
        if self._left >= 0:  # more than was announced does not fit, and is not kept either
            self._out.write(part)

    def end(self) -> bool:
        """Say whether the file that was begun is whole and the one that was named; else take it out again."""
        fits = not self._left and self._sum.digest() == self._digest
        if not fits:
            self._out.seek(self._at)
            self._out.truncate()
        return fits

    def close(self) -> None:
        """Write that nothing more comes, so that a copy that was cut off is known for one."""
        self._out.write(_END)


class Place(NamedTuple):
    """Where a sealed file begins in a copy, and how many bytes it has."""

    at: int
    size: int


class Reader:
    """Reads a copy of either version from an open file that can be read from any place.

    `files` say where each sealed file is, by its digest; `whole` is False where the copy ends before its end mark. Nothing is
    checked yet. Raises `NotACopy` or `CutOff`.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        source.seek(0, os.SEEK_END)
        self._end = source.tell()
        source.seek(0)
        version = source.read(len(WITH_FILES))
        if version not in (WITH_FILES, wire.SEALED_BOOK):
            raise NotACopy
        self.files: dict[bytes, Place] = {}
        self.whole = True
        self._book = self._measured() if version == WITH_FILES else Place(source.tell(), self._end - source.tell())
        if self._book.size > min(LARGEST_BOOK, self._end - self._book.at):
            raise CutOff
        if version == WITH_FILES:
            self._look(self._book.at + self._book.size)

    def book(self) -> bytes:
        """Return the `wire.SealedBook`, as it was written."""
        self._source.seek(self._book.at)
        return self._source.read(self._book.size)

    def chunks(self, digest: bytes, size: int) -> Iterator[bytes]:
        """Give a sealed file that is here, in chunks of `size` bytes but for the last."""
        place = self.files[digest]
        for at in range(0, place.size, size):
            self._source.seek(place.at + at)  # each time: another file may be read in between
            yield self._source.read(min(size, place.size - at))

    def is_sound(self, digest: bytes) -> bool:
        """Return whether a sealed file that is here has the bytes that its digest names."""
        found = hashlib.sha256()
        for chunk in self.chunks(digest, _BLOCK):
            found.update(chunk)
        return found.digest() == digest

    def _measured(self) -> Place:
        raw = self._source.read(_LENGTH.size)
        if len(raw) < _LENGTH.size:
            raise CutOff
        return Place(self._source.tell(), _LENGTH.unpack(raw)[0])

    def _look(self, at: int) -> None:
        while len(self.files) < MOST_FILES:
            self._source.seek(at)
            raw = self._source.read(_HEAD.size)
            if raw == _END:
                return
            if len(raw) < _HEAD.size:
                break
            digest, size = _HEAD.unpack(raw)
            at += _HEAD.size
            if not 0 < size <= min(wire.LARGEST_FILE, self._end - at):
                break
            self.files.setdefault(digest, Place(at, size))
            at += size
        self.whole = False
