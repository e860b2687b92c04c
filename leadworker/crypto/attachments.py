"""Seals a file that goes with somebody's record, chunk by chunk, and opens it again (docs/sealed-format.md, section 15).

Each file has a key of its own, so a chunk's nonce need only tell its place: a counter, and whether it is the last one (age's
STREAM layout). A chunk that was altered, left out, doubled, moved, or cut off at the end opens as nothing. The file is padded
before it is sealed, so that its size is told in steps. Neither way ever holds more than one chunk.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from leadworker.change import padded_size
from leadworker.crypto.identity import CannotOpen

if TYPE_CHECKING:
    from leadworker.domain.attachments import SealedFile

CHUNK: Final = 64 * 1024
"""Bytes of one chunk before it is sealed."""

TAG: Final = 16
SEALED_CHUNK: Final = CHUNK + TAG
KEY_BYTES: Final = 32
_LENGTH = struct.Struct(">I")
_CONTEXT: Final = b"lw/attachment/v1\0"

Read = Callable[[int], bytes]
"""Gives the next bytes of a file, at most so many; none at its end."""


class FileKey(msgspec.Struct, frozen=True):
    """What opens one sealed file: its own key, the book and the record that it belongs to (16 bytes each), its true size."""

    secret: bytes
    book: bytes
    record: bytes
    size: int

    def __repr__(self) -> str:
        return "FileKey(…)"  # a key stands in no traceback


def key_of(file: SealedFile) -> FileKey:
    """Return what opens the file of a sound record."""
    return FileKey(bytes.fromhex(file.key), bytes.fromhex(file.book), bytes.fromhex(file.id), file.size)


def sealed_size(size: int) -> int:
    """Return how many bytes a file of `size` bytes has once it is sealed: everybody who knows the record can tell."""
    padded = padded_size(size)
    return padded + -(-padded // CHUNK) * TAG


def seal(key: FileKey, read: Read) -> Iterator[bytes]:
    """Give the sealed chunks of a file that `read` gives; raise `ValueError` when it has another size than the key says."""
    aead, context = ChaCha20Poly1305(key.secret), _CONTEXT + key.book + key.record
    plain, padded = _padded(key.size, read), padded_size(key.size)
    last = -(-padded // CHUNK) - 1
    for number in range(last + 1):
        chunk = plain(min(CHUNK, padded - number * CHUNK))
        yield aead.encrypt(_nonce(number, number == last), chunk, context)
    if read(1):
        raise ValueError("the file has grown")


def unseal(key: FileKey, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the bytes of a file from its sealed chunks, each after it was checked; raise `CannotOpen`.

    What was given before an error must not be used: whether the file is whole is known only at its end.
    """
    aead, context = ChaCha20Poly1305(key.secret), _CONTEXT + key.book + key.record
    padded = padded_size(key.size)
    last, number, left = -(-padded // CHUNK) - 1, 0, key.size
    for chunk in chunks:
        if number > last:
            raise CannotOpen("more chunks than the file has")
        try:
            plain = aead.decrypt(_nonce(number, number == last), chunk, context)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("a chunk was altered, moved or left out, or the file was sealed with another key") from error
        if len(plain) != min(CHUNK, padded - number * CHUNK):
            raise CannotOpen("a chunk of another size")
        if number == 0:
            if _LENGTH.unpack_from(plain)[0] != key.size:
                raise CannotOpen("a file of another size than its record says")
            plain = plain[_LENGTH.size :]
        if plain[left:].strip(b"\0"):
            raise CannotOpen("a file that does not fit its padding")
        yield plain[:left]
        left -= min(left, len(plain))
        number += 1
    if number != last + 1:
        raise CannotOpen("cut off before its last chunk")


def _padded(size: int, read: Read) -> Read:
    """Return how to read the length, the file, and zero bytes after it."""
    begun, left = False, size

    def plain(wanted: int) -> bytes:
        nonlocal begun, left
        parts = [] if begun else [_LENGTH.pack(size)]
        begun = True
        room = min(left, wanted - sum(map(len, parts)))
        while room:
            part = read(room)
            if not part:
                raise ValueError("the file has become shorter")
            parts.append(part)
            left, room = left - len(part), room - len(part)
        return b"".join(parts).ljust(wanted, b"\0")

    return plain


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
