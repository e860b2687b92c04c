"""What a laptop and the central store say to each other, in version 1 (docs/sync-protocol.md).

Bodies are MessagePack. Both sides import this file and nothing else of each other; what the central store needs of
the formats (headers, signatures, membership) it takes from here as well, so that its one door is visible.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Final, TypeVar

import msgspec

from leadworker.change import (
    CONTROL_LANE,
    FIRST,
    HEADER_BYTES,
    LARGEST_BODY,
    SEAL_OVERHEAD,
    BadHeader,
    Header,
    Kind,
    change_id,
    device_id,
    first_digest,
    next_digest,
    padded_size,
    unpack,
)
from leadworker.directory import Directory
from leadworker.errand import BYTES as ERRAND_BYTES
from leadworker.errand import Errand
from leadworker.errand import read as read_errand
from leadworker.errand import target as errand_target
from leadworker.membership import BookMembers
from leadworker.proof import (
    FILE_RECEIPT,
    HEAD,
    RECEIPT,
    REQUEST,
    is_signed,
    is_sound_sealing_key,
    is_sound_signing_key,
)
from leadworker.statements import (
    Appoint,
    DirectoryStatement,
    Enrol,
    Founding,
    Membership,
    NotAllowed,
    Revoke,
    Role,
    read_directory_statement,
    root_id,
)

__all__ = [
    "CONTROL_LANE", "ERRAND_BYTES", "FILE_RECEIPT", "FIRST", "HEAD", "HEADER_BYTES", "LARGEST_BODY", "RECEIPT",
    "REQUEST", "SEAL_OVERHEAD", "Appoint", "BadHeader", "BookMembers",
    "Directory", "DirectoryStatement", "Enrol", "Errand", "Founding", "Header", "Kind", "Membership", "NotAllowed", "Revoke",
    "Role", "change_id", "device_id", "errand_target", "first_digest", "is_signed", "is_sound_sealing_key", "is_sound_signing_key",
    "next_digest", "read_directory_statement", "read_errand", "root_id", "unpack",
]  # fmt: skip

PROTOCOL: Final = 1
MEDIA_TYPE: Final = "application/vnd.leadworker.v1+msgpack"
EVENTS_TYPE: Final = "text/event-stream"

HELLO: Final = "hello"
NEWS: Final = "news"
HEARTBEAT: Final = b":\n\n"
"""What a live line says when there is nothing to tell: a comment, which means no more than that the line stands."""

LARGEST_BATCH: Final = 4 * 1024 * 1024
"""Bytes of one request's body as it travels, and about the bytes of one page."""

MOST_IN_BATCH: Final = 2000
"""Changes in one push, over all its runs."""

LARGEST_RETURN: Final = 8 * 1024 * 1024
"""Bytes of a request that returns changes to a restored store: a page, with what stands beside each change."""
LARGEST_LATE: Final = 3 * 1024 * 1024
"""Bytes of one late submission as it travels."""

MOST_LATE: Final = 20
"""Late submissions of one device that the store keeps at once."""

FILE_PART: Final = 8 * (64 * 1024 + 16)
"""Bytes of each part of a sealed file but the last: eight sealed chunks."""

LARGEST_FILE: Final = padded_size(25 * 1024 * 1024) + padded_size(25 * 1024 * 1024) // (64 * 1024) * 16
"""Bytes of a sealed file: 25 MB, padded, with a tag for each chunk."""

MOST_STATEMENTS: Final = 200
"""Statements in one control request."""

LARGEST_PAGE: Final = 2000

SEALED_BOOK: Final = b"lw/sealed-book/v1\0"
"""With these bytes a file begins that holds one book, still sealed; a `SealedBook` follows."""

CLOCK_TOLERANCE_MS: Final = 5 * 60 * 1000
INVITE_LIFE_MS: Final = 72 * 3600 * 1000

DEVICE_HEADER: Final = "lw-device"
TIME_HEADER: Final = "lw-time"
NONCE_HEADER: Final = "lw-nonce"
SIGNATURE_HEADER: Final = "lw-signature"
ERRAND_HEADER: Final = "lw-errand"
BODY_HEADER: Final = "content-digest"
"""RFC 9530, with SHA-256. A signature is over it, so that whose request it is, is known before a byte of its body is taken."""
SETUP_HEADER: Final = "lw-setup"
NO_BODY: Final = hashlib.sha256(b"").digest()
NONCE_BYTES: Final = 16
INVITE_ID_BYTES: Final = 16
SEALED_KEY_BYTES: Final = 80
JOIN_PROOF_BYTES: Final = 32


class OpenChange(msgspec.Struct, frozen=True, array_like=True):
    """A signed statement with an open body: membership, keys, directory."""

    header: bytes
    body: bytes
    signature: bytes


class Organisation(msgspec.Struct, frozen=True, array_like=True):
    """What anybody may ask before joining: which organisation this store serves. `book` is empty before set-up."""

    protocol: int
    hub: bytes
    book: bytes
    founding: OpenChange | None
    now_ms: int


class Control(msgspec.Struct, frozen=True, array_like=True):
    """Statements for one book or one directory, taken together or not at all (compare-and-swap on its head)."""

    changes: tuple[OpenChange, ...]


class Run(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Consecutive content changes of one lane, and the signature over the id of the last one.

    Each item is ``(header, seal)``; a seal is ``epoch(4) ‖ nonce(12) ‖ ciphertext and tag``.
    """

    changes: tuple[tuple[bytes, bytes], ...]
    signature: bytes


class Push(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a laptop sends: runs of one or more books. Each run is taken whole or refused whole."""

    runs: tuple[Run, ...]


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What became of one run or one control request.

    Taken: `code` is empty, `last_n` and `digest` are the book's number and running digest at its last change, `ns` the
    numbers given, in order; `receipt` is the store's signature (see `receipt_message`). Refused: `code` and a `sentence`;
    with ``lane_gap``, `ns` holds one number: the last place of that lane that the store has.
    """

    book: bytes
    code: str = ""
    sentence: str = ""
    ns: tuple[int, ...] = ()
    last_n: int = 0
    digest: bytes = b""
    received_ms: int = 0
    receipt: bytes = b""


class Pushed(msgspec.Struct, frozen=True, array_like=True):
    """The outcomes of a push, in the order of its runs."""

    outcomes: tuple[Outcome, ...]
    now_ms: int


class Numbered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One change as the store gives it back. `body` is a seal, or the open body of a statement.

    `signature` is empty inside a run and stands on its last change.
    """

    n: int
    header: bytes
    body: bytes
    signature: bytes
    received_ms: int


class Page(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Changes of one book after a number. A page never ends inside a run. `n` and `digest` are the book's present head.

    `receipt` is the store's signature (see `receipt_message`) for the page's last change; empty where there is none.
    """

    changes: tuple[Numbered, ...]
    n: int
    digest: bytes
    more: bool
    now_ms: int
    receipt: bytes = b""


class SealedBook(msgspec.Struct, frozen=True, array_like=True):
    """The directory and one book, each from its first change to the last that the store had when it was asked."""

    hub: bytes
    organisation: bytes
    directory: Page
    book: bytes
    changes: Page


class BookNews(msgspec.Struct, frozen=True, array_like=True):
    """The present head of one book that the asking device may read, and when somebody last wrote in it (UTC ms)."""

    book: bytes
    n: int
    digest: bytes
    grew_ms: int = 0


class News(msgspec.Struct, frozen=True, array_like=True):
    """Every book that the asking device may read, the directory first. `late`: how much was handed in late for it."""

    books: tuple[BookNews, ...]
    now_ms: int
    late: int = 0


class Late(msgspec.Struct, frozen=True, array_like=True):
    """What somebody had written when they lost a book, sealed to those who decide about it (C.6).

    `seals` holds the key, sealed to each of their devices; `sealed` is ``nonce ‖ AEAD``.
    """

    book: bytes
    seals: tuple[tuple[bytes, bytes], ...]
    sealed: bytes


class LateItem(msgspec.Struct, frozen=True, array_like=True):
    """A late submission as one recipient is given it. `sender` is who asked the store to keep it."""

    late: bytes
    book: bytes
    sender: bytes
    seal: bytes
    sealed: bytes
    received_ms: int


class LateItems(msgspec.Struct, frozen=True, array_like=True):
    """The late submissions that wait for the asking device, the oldest first; not more than fit one answer."""

    items: tuple[LateItem, ...]


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """Late submissions that the asking device has in its vault and need not be given again."""

    items: tuple[bytes, ...]


class FilePart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part of a sealed file of `size` bytes, counted from 0: all are of `FILE_PART` bytes but the last."""

    size: int
    part: int
    content: bytes


class FileState(msgspec.Struct, frozen=True, array_like=True):
    """How far a sealed file has come: its size and how many parts the store has, in order; all 0 for one that it does not know.

    Once it is whole, `received_ms` is when, and `receipt` the store's signature (see `file_receipt_message`).
    """

    size: int
    parts: int
    received_ms: int
    receipt: bytes


class Invite(msgspec.Struct, frozen=True, array_like=True):
    """An invite as the store knows it: an id that tells nothing of its secret, and until when it holds."""

    invite: bytes
    expires_ms: int


class JoinRequest(msgspec.Struct, frozen=True, array_like=True):
    """A new device's keys, proven with the invite's secret, which the store never sees (C.4)."""

    invite: bytes
    signing: bytes
    unsealing: bytes
    proof: bytes


class Joins(msgspec.Struct, frozen=True, array_like=True):
    """Requests that wait for an administrator's laptop to check and countersign them."""

    requests: tuple[JoinRequest, ...]


class JoinState(msgspec.Struct, frozen=True, array_like=True):
    """Where a join stands: ``open``, ``waiting``, ``admitted``, ``expired`` or ``unknown``."""

    state: str
    now_ms: int


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """16 bytes that change when any of the asking device's books has moved."""

    mark: bytes
    now_ms: int


class Holding(msgspec.Struct, frozen=True, array_like=True):
    """How far a laptop has a book, with the store's own receipt for the change at that number, whose id is `last`."""

    book: bytes
    n: int
    digest: bytes
    last: bytes
    received_ms: int
    receipt: bytes


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What a laptop tells a restored store: what it holds, and in which books the store now shows it another history."""

    holdings: tuple[Holding, ...]
    others: tuple[bytes, ...]


class Stand(msgspec.Struct, frozen=True, array_like=True):
    """Where a restored store stands with a book that was reported. `same` is False where its history is another one."""

    book: bytes
    n: int
    digest: bytes
    same: bool


class Recovery(msgspec.Struct, frozen=True, array_like=True):
    """Where a restored store stands with each of the books of a report, in its order."""

    books: tuple[Stand, ...]
    now_ms: int


class Returned(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Changes that a restored store had numbered before and lacks now, at their numbers; the receipt is for the last one."""

    book: bytes
    changes: tuple[Numbered, ...]
    receipt: bytes


class Trouble(msgspec.Struct, frozen=True, array_like=True):
    """Why a whole request was refused: a code for a program, a sentence for a person."""

    code: str
    sentence: str


Message = TypeVar("Message", bound=msgspec.Struct)
_encoder = msgspec.msgpack.Encoder()


def write(message: msgspec.Struct) -> bytes:
    """Return a message as it travels."""
    return _encoder.encode(message)


def read(kind: type[Message], body: bytes) -> Message:
    """Read a message; raises `msgspec.DecodeError` or `msgspec.ValidationError` for anything else."""
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except RecursionError:  # lists in lists in lists, where nothing is expected
        raise msgspec.DecodeError("nested too deeply") from None


def request_message(method: str, target: str, time_ms: int, nonce: bytes, digest: bytes) -> bytes:
    """Return what a device signs, under `REQUEST`, to make a request its own: `target` is path and query, `digest` of the body."""
    return b"\0".join((method.encode(), target.encode(), b"%d" % time_ms, nonce.hex().encode(), digest))


def request_headers(device: bytes, time_ms: int, nonce: bytes, signature: bytes, digest: bytes = NO_BODY) -> dict[str, str]:
    """Return the HTTP headers of a signed request: bytes in lower-case hexadecimal, milliseconds in decimal; and of a body its digest."""
    signed = {DEVICE_HEADER: device.hex(), TIME_HEADER: str(time_ms), NONCE_HEADER: nonce.hex(), SIGNATURE_HEADER: signature.hex()}
    return signed if digest == NO_BODY else signed | {BODY_HEADER: f"sha-256=:{base64.b64encode(digest).decode()}:"}


def event(name: str, book: bytes) -> bytes:
    """Return a server-sent event: the line stands (`HELLO`), or a book has news (`NEWS`; an empty id means any book)."""
    return f"event: {name}\ndata: {book.hex()}\n\n".encode()


def seal_epoch(seal: bytes) -> int:
    """Return the number of the key that a seal names in its first four bytes."""
    return int.from_bytes(seal[:4], "big")


_RECEIPT = struct.Struct(">16s32sQ32sQ")


def receipt_message(book: bytes, last: bytes, n: int, digest: bytes, received_ms: int) -> bytes:
    """Return what the store signs, under `RECEIPT`, when it has taken a run whose last change has id `last`."""
    return _RECEIPT.pack(book, last, n, digest, received_ms)


def parts_of(size: int) -> int:
    """Return in how many parts a sealed file travels."""
    return -(-size // FILE_PART)


def part_size(size: int, part: int) -> int:
    """Return how many bytes a part of a sealed file has."""
    return min(FILE_PART, size - part * FILE_PART)


_FILE_RECEIPT = struct.Struct(">16s32sQQ")


def file_receipt_message(book: bytes, digest: bytes, size: int, received_ms: int) -> bytes:
    """Return what the store signs, under `FILE_RECEIPT`, when it has the whole of a sealed file."""
    return _FILE_RECEIPT.pack(book, digest, size, received_ms)
