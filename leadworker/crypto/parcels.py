"""Seals what is carried on a stick between a laptop without a network and the central store (docs/sealed-format.md, section 16).

A parcel is a head and frames. The head names the laptops that may open it, each with the parcel's key sealed to it; the frames
are sealed in order with that key, the last one marked, so that one that was altered, left out, moved, or cut off opens as nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from leadworker.crypto.identity import CannotOpen, seal_to

MAGIC: Final = b"lw/parcel/v1\0"
PARCEL_BYTES: Final = 16
LARGEST_HEAD: Final = 1024 * 1024
LARGEST_FRAME: Final = 16 * 1024 * 1024
_LENGTH: Final = struct.Struct(">I")

Read = Callable[[int], bytes]
"""Gives the next bytes of a file, at most so many; none at its end."""


class NotAParcel(Exception):
    """The file is no parcel of this version, or was cut off or damaged; the words say which."""


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The open beginning of a parcel: its id, and its key sealed to each laptop that may open it."""

    parcel: bytes
    seals: tuple[tuple[bytes, bytes], ...]


class Sealing:
    """Seals one parcel for `recipients` (device: its unsealing key), frame by frame as they come.

    `begin`, then `add` for each frame, then `end`: each returns the next bytes of the file. The file is whole only with all.
    """

    def __init__(self, recipients: Mapping[bytes, bytes], parcel: bytes) -> None:
        key = secrets.token_bytes(32)
        seals = tuple((device, seal_to(public, key, _info(parcel, device))) for device, public in recipients.items())
        self._head = msgspec.msgpack.encode(Head(parcel, seals))
        self._aead, self._context = ChaCha20Poly1305(key), _context(self._head)
        self._held = b""
        self._number = -1

    def begin(self) -> bytes:
        """Return the head."""
        return MAGIC + _LENGTH.pack(len(self._head)) + self._head

    def add(self, frame: bytes) -> bytes:
        """Take a frame, not an empty one; return the one before it, sealed, since only now it is known not to be the last."""
        before = self._sealed(last=False) if self._held else b""
        self._held, self._number = frame, self._number + 1
        return before

    def end(self) -> bytes:
        """Return the last frame, sealed as the last."""
        return self._sealed(last=True)

    def _sealed(self, *, last: bool) -> bytes:
        sealed = self._aead.encrypt(_nonce(self._number, last=last), self._held, self._context)
        return _LENGTH.pack(len(sealed)) + sealed


def unseal(read: Read, device: bytes, unseal_key: Callable[[bytes, bytes], bytes]) -> Iterator[bytes]:
    """Give the frames of a parcel, each after it was checked; raise `NotAParcel`, or `CannotOpen` where it is not for `device`.

    A frame that was given is whole; that all were given is known only when nothing more comes.
    """
    head_bytes, head = read_head(read)
    sealed_key = dict(head.seals).get(device)
    if sealed_key is None:
        raise CannotOpen("sealed to other laptops")
    try:
        key = unseal_key(sealed_key, _info(head.parcel, device))
    except CannotOpen as error:
        raise NotAParcel("its beginning was altered") from error
    if len(key) != 32:
        raise NotAParcel("its beginning was altered")
    aead, context = ChaCha20Poly1305(key), _context(head_bytes)
    number, ended = 0, False
    while sealed := _part(read, LARGEST_FRAME):
        if ended:
            raise NotAParcel("something stands after its end")
        frame, ended = _opened(aead, number, sealed, context)
        yield frame
        number += 1
    if not ended:
        raise NotAParcel("it is cut off before its end")


def read_head(read: Read) -> tuple[bytes, Head]:
    """Return the head of a parcel, as it stands there and read; raise `NotAParcel`."""
    if read(len(MAGIC)) != MAGIC:
        raise NotAParcel("it is no file of this kind, or of another version")
    raw = _part(read, LARGEST_HEAD)
    try:
        head = msgspec.msgpack.decode(raw, type=Head)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotAParcel("its beginning is damaged") from error
    if len(head.parcel) != PARCEL_BYTES:
        raise NotAParcel("its beginning is damaged")
    return raw, head


def _part(read: Read, largest: int) -> bytes:
    """Return the next part, empty at the end of the file; raise `NotAParcel` when it is cut off."""
    prefix = read(_LENGTH.size)
    if not prefix:
        return b""
    length = _LENGTH.unpack(prefix)[0] if len(prefix) == _LENGTH.size else largest + 1
    if length > largest:
        raise NotAParcel("it is cut off or damaged")
    part = read(length)
    if len(part) != length or not part:
        raise NotAParcel("it is cut off before its end")
    return part


def _opened(aead: ChaCha20Poly1305, number: int, sealed: bytes, context: bytes) -> tuple[bytes, bool]:
    for last in (False, True):
        try:
            return aead.decrypt(_nonce(number, last=last), sealed, context), last
        except (InvalidTag, ValueError):
            continue
    raise NotAParcel("a part of it was altered, moved or left out")


def _info(parcel: bytes, device: bytes) -> bytes:
    return b"lw/parcel-key/v1\0" + parcel + device


def _context(head: bytes) -> bytes:
    return b"lw/parcel-part/v1\0" + hashlib.sha256(head).digest()


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
