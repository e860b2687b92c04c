"""A change: the unit that is kept, chained, signed, sealed and synced (docs/sealed-format.md).

A change is a fixed binary header and a body. The header commits to the body, names its place in its
lane and holds the id of the change before it, so that one signature over an id vouches for that change
and for every earlier one of its lane. Nothing here needs a key: the central store reads headers with it.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum
from typing import Any, Final

import msgspec

FORMAT: Final = 1
SUITE: Final = 1
"""Suite 1: Ed25519, X25519 HPKE with HKDF-SHA256 and ChaCha20-Poly1305, SHA-256. One suite at a time (C.1)."""

CONTROL_LANE: Final = 0
"""The lane that all members of a book share, appended to by compare-and-swap at the central store (C.6)."""

FIRST: Final = bytes(32)
"""What the first change of a lane names as the change before it."""

LARGEST_BODY: Final = 64 * 1024
"""Bytes of one padded body that the central store takes (C.8)."""

SEAL_OVERHEAD: Final = 4 + 12 + 16
"""Bytes that sealing adds to a padded body: epoch, nonce, tag."""

_LAYOUT = struct.Struct(">cBBB16s16sHQ32sI32s")
HEADER_BYTES: Final = _LAYOUT.size
_MAGIC: Final = b"L"
_DIGEST = struct.Struct(">32s32sQ")


class Kind(IntEnum):
    """What a change is. Kinds from `MEMBERSHIP` on have an open body: only ids, codes, commitments and seals."""

    CONTENT = 1
    ACCESS = 2
    CHECKPOINT = 3
    MEMBERSHIP = 4
    GRANT = 5
    ROTATION = 6
    ERASURE = 7
    DIRECTORY = 8

    @property
    def is_open(self) -> bool:
        """True when the body travels unsealed, because a newcomer must read it before holding a key."""
        return self >= Kind.MEMBERSHIP


class Header(msgspec.Struct, frozen=True, gc=False):
    """Where a change stands and what it commits to. `size` is the length of the body as it travels, in bytes."""

    kind: int
    book: bytes
    device: bytes
    lane: int
    seq: int
    prev: bytes
    size: int
    commitment: bytes

    def pack(self) -> bytes:
        """Return the `HEADER_BYTES` bytes whose SHA-256 is the change's id."""
        return _LAYOUT.pack(
            _MAGIC, FORMAT, SUITE, self.kind, self.book, self.device, self.lane, self.seq, self.prev,
            self.size, self.commitment,
        )  # fmt: skip


class BadHeader(ValueError):
    """The bytes are no header of this format; the words say which rule they break."""


def unpack(raw: bytes) -> Header:
    """Read one header; raise `BadHeader` for anything but exactly this format, version and suite."""
    if len(raw) != HEADER_BYTES:
        raise BadHeader(f"a header has {HEADER_BYTES} bytes, this has {len(raw)}")
    magic, version, suite, kind, book, device, lane, seq, prev, size, commitment = _LAYOUT.unpack(raw)
    if magic != _MAGIC or version != FORMAT:
        raise BadHeader("not a change of this format")
    if suite != SUITE:
        raise BadHeader(f"suite {suite} is not the one suite of this version")
    if not 1 <= kind <= Kind.DIRECTORY:
        raise BadHeader(f"unknown kind {kind}")
    if seq < 1:
        raise BadHeader("a lane counts from 1")
    if (seq == 1) != (prev == FIRST):
        raise BadHeader("only the first change of a lane has none before it")
    if (lane == CONTROL_LANE) != (kind >= Kind.MEMBERSHIP):
        raise BadHeader("open kinds, and no others, stand in the control lane")
    return Header(kind, book, device, lane, seq, prev, size, commitment)


def change_id(raw_header: bytes) -> bytes:
    """Return the 32-byte id of the change with this header."""
    return hashlib.sha256(raw_header).digest()


def commitment(body: bytes) -> bytes:
    """Return what a header says of its body: SHA-256 over the body with its salt, under its own name."""
    return hashlib.sha256(b"lw/commit/v1\0" + body).digest()


def first_digest(book: bytes) -> bytes:
    """Return a book's running digest before its first change."""
    return hashlib.sha256(b"lw/book/v1\0" + book).digest()


def next_digest(digest: bytes, change: bytes, n: int) -> bytes:
    """Return the running digest after the change with id `change` was given number `n` (C.8)."""
    return hashlib.sha256(_DIGEST.pack(digest, change, n)).digest()


def device_id(signing: bytes, unsealing: bytes) -> bytes:
    """Return the 16-byte id that *is* the two public keys of a device (C.3): nobody can choose one."""
    return hashlib.sha256(b"lw/dev/v1\0" + bytes([SUITE]) + signing + unsealing).digest()[:16]


class Content(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The body of a `Kind.CONTENT` change, before it is sealed.

    `values` holds text, whole numbers and yes/no, by field name. `seen` is the highest number of the book that
    the author had applied and the running digest there: who wrote after whom, without clocks (D.2).
    `wrote_at` and `offset` are the author's wall clock as claimed, never trusted for order (D.3).
    `over` names the changes whose values this one takes the place of, where that is not simply all that was seen: a person's
    choice between versions, or a form that was opened before something arrived (docs/decisions/0019).
    """

    schema: int
    topic: str
    record: str
    verb: str
    values: dict[str, Any]
    stamp: int
    seen: tuple[int, bytes]
    wrote_at: int
    offset: int
    over: tuple[bytes, ...] = ()


SCHEMA: Final = 1
SALT_BYTES: Final = 16
LARGEST_STAMP: Final = 2**63 - 1
UNREADABLE: Final = "its words cannot be read"
PUT: Final = "put"
DROP: Final = "drop"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Content)


def write_content(content: Content, salt: bytes) -> bytes:
    """Return the body bytes: a random salt, so that a commitment cannot be guessed, then MessagePack."""
    return salt + _encoder.encode(content)


def read_content(body: bytes) -> Content:
    """Read a body; raises `msgspec.DecodeError` or `msgspec.ValidationError` for anything else."""
    try:
        return _decoder.decode(memoryview(body)[SALT_BYTES:])
    except RecursionError:  # lists in lists in lists: no record says anything so
        raise msgspec.DecodeError("nested too deeply") from None
    except UnicodeDecodeError:
        raise msgspec.DecodeError("text that is not UTF-8") from None


def unreadable(content: Content) -> str:
    """Return why a content that was read means nothing to this version, empty when it does."""
    if content.schema > SCHEMA:
        return "it was written by a newer leadworker; update to see it"
    if len(content.seen[1]) != 32 or not 0 <= content.stamp <= LARGEST_STAMP:
        return UNREADABLE
    return ""


def padded_size(length: int) -> int:
    """Return the size that a body of `length` bytes travels in: 256-byte steps to 4 KiB, then Padmé (C.7).

    Four bytes say the true length, so the result is never less than ``length + 4``.
    """
    needed = length + 4
    if needed <= 4096:
        return -(-needed // 256) * 256
    exponent = needed.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-needed // step) * step
