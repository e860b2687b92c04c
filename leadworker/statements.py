"""The open statements of a control lane: who is enrolled, who reads a book, which key it has (security C.3 to C.6).

Bodies hold ids, role codes, commitments and seals; a person's name travels sealed. What they may say, and who may say
it, is in `leadworker.directory` and `leadworker.membership`.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Final, TypeVar

import msgspec

from leadworker import change


class Role(IntEnum):
    """What somebody may do in a book. Writing is checked by every reader, not only by the central store."""

    KEY_WORKER = 1
    """Leads: one person in each casebook, on each of their laptops."""
    CO_WORKER = 2
    SUPERVISOR = 3
    READ_ONLY = 4
    MANAGER = 5

    @property
    def may_write(self) -> bool:
        return self is not Role.READ_ONLY

    @property
    def words(self) -> str:
        return _ROLE_WORDS[self]


_ROLE_WORDS: Final = {
    Role.KEY_WORKER: "key worker", Role.CO_WORKER: "co-worker", Role.SUPERVISOR: "supervisor", Role.READ_ONLY: "read-only",
    Role.MANAGER: "manager",
}  # fmt: skip

Seen = tuple[int, bytes]
"""The place and the id of the last statement of the directory that somebody had seen."""


class Founding(msgspec.Struct, frozen=True, array_like=True, tag="founding"):
    """The first statement of an organisation, signed by its offline root (C.3). `name` is sealed."""

    root: bytes
    escrow: bytes
    hub: bytes
    protocol: int
    idle_lock_s: int
    name: bytes


class Enrol(msgspec.Struct, frozen=True, array_like=True, tag="enrol"):
    """One device of one person. `name` is sealed with the organisation key; `key` is that key, sealed to the device."""

    signing: bytes
    unsealing: bytes
    person: bytes
    role: int
    admin: bool
    team: bytes
    invite: bytes
    name: bytes
    key: bytes


class Revoke(msgspec.Struct, frozen=True, array_like=True, tag="revoke"):
    """This device may no longer speak; what it wrote before stays valid."""

    device: bytes


class Appoint(msgspec.Struct, frozen=True, array_like=True, tag="appoint"):
    """What a person is in the organisation from now on, on each of their devices. `name` is sealed."""

    person: bytes
    role: int
    admin: bool
    team: bytes
    name: bytes


class NewEscrow(msgspec.Struct, frozen=True, array_like=True, tag="escrow"):
    """Another escrow key, to which books are sealed from now on; by the root alone (C.10)."""

    escrow: bytes


class NewRoot(msgspec.Struct, frozen=True, array_like=True, tag="root"):
    """Another root key. The old root says so; or, where it is lost, an administrator and a second one as `witness`.

    `signature` is the witness's over `succession_message`; both are empty when the old root signs.
    """

    root: bytes
    witness: bytes
    signature: bytes


DirectoryStatement = Founding | Enrol | Revoke | Appoint | NewEscrow | NewRoot


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A device's place in a book."""

    device: bytes
    person: bytes
    role: int


class Membership(msgspec.Struct, frozen=True, array_like=True, tag="membership"):
    """Devices that join and leave a book, and who leads it. `directory` is the head that its writer had seen."""

    directory: Seen
    add: tuple[Member, ...]
    remove: tuple[bytes, ...]
    lead: bytes


class Rotation(msgspec.Struct, frozen=True, array_like=True, tag="rotation"):
    """A new key for a book: a commitment to it, sealed copies for every member device and for escrow (C.5).

    `ladder` is the newest key before it that its writer held, sealed with the new one; empty at epoch 1. `directory` is the
    head that its writer had seen, and with it says which escrow key the copy is for.
    """

    epoch: int
    commitment: bytes
    seals: dict[bytes, bytes]
    escrow: bytes
    ladder: bytes
    directory: Seen


class Grant(msgspec.Struct, frozen=True, array_like=True, tag="grant"):
    """More sealed copies of a key of a book: the present one for devices that have just been added, an older one for members
    whom no newer one leads to it.
    """

    epoch: int
    seals: dict[bytes, bytes]


BookStatement = Membership | Rotation | Grant

_encoder = msgspec.msgpack.Encoder()
_directory_decoder: msgspec.msgpack.Decoder[DirectoryStatement] = msgspec.msgpack.Decoder(DirectoryStatement)
_book_decoder: msgspec.msgpack.Decoder[BookStatement] = msgspec.msgpack.Decoder(BookStatement)

Statement = TypeVar("Statement")

ROOT_NAME: Final = b"lw/root/v1\0"


class NotAllowed(Exception):
    """A statement or a change breaks the rules of membership; the words say which."""


def root_id(root: bytes) -> bytes:
    """Return the 16-byte fingerprint of an organisation's root key, which an invite carries."""
    return hashlib.sha256(ROOT_NAME + root).digest()[:16]


def escrow_id(escrow: bytes) -> bytes:
    """Return the 16-byte fingerprint of an escrow key, for people to compare."""
    return hashlib.sha256(b"lw/escrow/v1\0" + escrow).digest()[:16]


def succession_message(directory: bytes, old: bytes, new: bytes) -> bytes:
    """Return what a second administrator signs, under `proof.SUCCESSION`, when a root is replaced without the old one."""
    return directory + root_id(old) + new


def write_statement(statement: DirectoryStatement | BookStatement) -> bytes:
    """Return the open body of a statement."""
    return _encoder.encode(statement)


def read_directory_statement(body: bytes) -> DirectoryStatement:
    """Read a statement of a directory; raise `NotAllowed` for anything else."""
    return _decode(_directory_decoder, body)


def read_book_statement(body: bytes) -> BookStatement:
    """Read a statement of a book; raise `NotAllowed` for anything else."""
    return _decode(_book_decoder, body)


def open_header(raw: bytes, body: bytes, book: bytes, seq: int, head: bytes) -> change.Header:
    """Return the header of a statement that follows place `seq` with id `head`; raise `NotAllowed`."""
    try:
        header = change.unpack(raw)
    except change.BadHeader as error:
        raise NotAllowed(str(error)) from error
    if header.book != book:
        raise NotAllowed("a statement of another book")
    if header.seq != seq + 1 or header.prev != head:
        raise NotAllowed("a statement that does not follow the last one")
    if header.size != len(body) or header.commitment != change.commitment(body):
        raise NotAllowed("a statement whose body is not the one that was signed")
    return header


def _decode(decoder: msgspec.msgpack.Decoder[Statement], body: bytes) -> Statement:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotAllowed("a statement that cannot be read") from error
