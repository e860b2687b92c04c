"""Who is enrolled in an organisation and who may read and write a book, folded from signed open statements.

The same rules run on every laptop and in the central store, so that nobody has to be believed: authority is
a function of the statements and their order alone (security C.3, C.6). Bodies hold ids, role codes,
commitments and seals; a person's name travels sealed.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from typing import Final, TypeVar

import msgspec

from leadworker import change, proof


class Role(IntEnum):
    """What somebody may do in a book. Writing is checked by every reader, not only by the central store."""

    KEY_WORKER = 1
    CO_WORKER = 2
    SUPERVISOR = 3
    READ_ONLY = 4
    MANAGER = 5

    @property
    def may_write(self) -> bool:
        return self is not Role.READ_ONLY

    @property
    def words(self) -> str:
        return self.name.lower().replace("_", " ")


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


DirectoryStatement = Founding | Enrol | Revoke


class Member(msgspec.Struct, frozen=True, array_like=True):
    """A device's place in a book."""

    device: bytes
    person: bytes
    role: int


class Membership(msgspec.Struct, frozen=True, array_like=True, tag="membership"):
    """Devices that join and leave a book, and who leads it. `directory` is the head that its writer had seen."""

    directory: tuple[int, bytes]
    add: tuple[Member, ...]
    remove: tuple[bytes, ...]
    lead: bytes


class Rotation(msgspec.Struct, frozen=True, array_like=True, tag="rotation"):
    """A new key for a book: a commitment to it, sealed copies for every member device and for escrow (C.5).

    `ladder` is the key before it, sealed with the new one; empty at epoch 1.
    """

    epoch: int
    commitment: bytes
    seals: dict[bytes, bytes]
    escrow: bytes
    ladder: bytes


class Grant(msgspec.Struct, frozen=True, array_like=True, tag="grant"):
    """More sealed copies of a book's present key, for devices that have just been added."""

    epoch: int
    seals: dict[bytes, bytes]


BookStatement = Membership | Rotation | Grant

_encoder = msgspec.msgpack.Encoder()
_directory_decoder: msgspec.msgpack.Decoder[DirectoryStatement] = msgspec.msgpack.Decoder(DirectoryStatement)
_book_decoder: msgspec.msgpack.Decoder[BookStatement] = msgspec.msgpack.Decoder(BookStatement)

Statement = TypeVar("Statement")

ROOT_NAME: Final = b"lw/root/v1\0"


def root_id(root: bytes) -> bytes:
    """Return the 16-byte fingerprint of an organisation's root key, which an invite carries."""
    return hashlib.sha256(ROOT_NAME + root).digest()[:16]


def write_statement(statement: DirectoryStatement | BookStatement) -> bytes:
    """Return the open body of a statement."""
    return _encoder.encode(statement)


class NotAllowed(Exception):
    """A statement or a change breaks the rules of membership; the words say which."""


class Enrolled(msgspec.Struct, frozen=True):
    """A device as the directory knows it."""

    device: bytes
    statement: Enrol
    revoked: bool = False


class Directory:
    """An organisation's people and devices: its statements, checked and folded in order."""

    def __init__(self, book: bytes) -> None:
        self.book = book
        self.founding: Founding | None = None
        self.devices: dict[bytes, Enrolled] = {}
        self.invites_used: dict[bytes, bytes] = {}
        self.seq = 0
        self.head = change.FIRST
        self.heads: tuple[bytes, ...] = ()
        """The id of every statement in order: what others say that they had seen is compared with it."""

    def apply(self, raw: bytes, body: bytes, signature: bytes) -> DirectoryStatement:
        """Check one statement against all before it and take it in; raise `NotAllowed` and stay as it was."""
        header = _open_header(raw, body, self.book, self.seq, self.head)
        if header.kind != change.Kind.DIRECTORY:
            raise NotAllowed("only directory statements stand in a directory")
        statement = _decode(_directory_decoder, body)
        signer = self._signing_key(header.device, statement)
        if not proof.is_signed(signer, proof.HEAD, change.change_id(raw), signature):
            raise NotAllowed("the signature of a directory statement does not fit")
        match statement:
            case Founding():
                self._found(statement, header)
            case Enrol():
                self._enrol(statement)
            case Revoke():
                self._revoke(statement)
        self.seq, self.head = header.seq, change.change_id(raw)
        self.heads = (*self.heads, self.head)
        return statement

    def copy(self) -> Directory:
        """Return a directory of its own to try statements on, so that a page is taken whole or not at all."""
        other = Directory(self.book)
        other.founding, other.seq, other.head, other.heads = self.founding, self.seq, self.head, self.heads
        other.devices, other.invites_used = dict(self.devices), dict(self.invites_used)
        return other

    def active(self, device: bytes) -> Enrol | None:
        """Return what the directory says of a device that may speak now, or None."""
        enrolled = self.devices.get(device)
        return None if enrolled is None or enrolled.revoked else enrolled.statement

    def check_seen(self, seq: int, head: bytes) -> None:
        """Compare what the writer of a statement had seen of the directory with this one; raise `NotAllowed` (C.8).

        So a directory that was kept back from somebody, or shown to two people in two forms, comes to light.
        """
        if seq > self.seq:
            raise NotAllowed("its writer had seen more of the directory than was shown here")
        if seq > 0 and self.heads[seq - 1] != head:
            raise NotAllowed("its writer was shown another directory")

    def supervisors(self, team: bytes) -> list[tuple[bytes, Enrol]]:
        """Return the devices of a team's supervisors, in the order in which they were enrolled."""
        return [
            (device, enrolled.statement)
            for device, enrolled in self.devices.items()
            if not enrolled.revoked and enrolled.statement.team == team and enrolled.statement.role == Role.SUPERVISOR
        ]

    def devices_of(self, person: bytes) -> list[tuple[bytes, Enrol]]:
        """Return the devices through which a person speaks now."""
        return [(d, e.statement) for d, e in self.devices.items() if e.statement.person == person and not e.revoked]

    def _signing_key(self, signer: bytes, statement: DirectoryStatement) -> bytes:
        root = statement.root if isinstance(statement, Founding) else self.founding and self.founding.root
        if not root:
            raise NotAllowed("a directory begins with its founding")
        if signer == root_id(root):
            return root
        enrolled = self.active(signer)
        if enrolled is None or not enrolled.admin or isinstance(statement, Founding):
            raise NotAllowed("only the root and directory administrators may speak in a directory")
        return enrolled.signing

    def _found(self, statement: Founding, header: change.Header) -> None:
        if self.founding is not None:
            raise NotAllowed("an organisation is founded once")
        if header.device != root_id(statement.root):
            raise NotAllowed("a founding is signed by its own root")
        if not proof.is_sound_sealing_key(statement.escrow):
            raise NotAllowed("the escrow key of the founding is not sound")
        self.founding = statement

    def _enrol(self, statement: Enrol) -> None:
        if not (proof.is_sound_signing_key(statement.signing) and proof.is_sound_sealing_key(statement.unsealing)):
            raise NotAllowed("a device's key is not sound")
        if statement.role not in set(Role):
            raise NotAllowed("an unknown role")
        device = change.device_id(statement.signing, statement.unsealing)
        if device in self.devices:
            raise NotAllowed("this device is in the directory already")
        if statement.invite:
            if statement.invite in self.invites_used:
                raise NotAllowed("this invite was used already")
            self.invites_used[statement.invite] = device
        self.devices[device] = Enrolled(device, statement)

    def _revoke(self, statement: Revoke) -> None:
        enrolled = self.devices.get(statement.device)
        if enrolled is None or enrolled.revoked:
            raise NotAllowed("there is no such device to revoke")
        self.devices[statement.device] = Enrolled(statement.device, enrolled.statement, revoked=True)


class BookMembers:
    """Who may read and write one book: its control lane, checked and folded in order (C.6)."""

    def __init__(self, book: bytes) -> None:
        self.book = book
        self.members: dict[bytes, Member] = {}
        self.ever: frozenset[bytes] = frozenset()
        """Every device that has ever been a member: who was taken out is not let in again by itself."""
        self.lead = b""
        self.epoch = 0
        self.commitments: dict[int, bytes] = {}
        self.ladders: dict[int, bytes] = {}
        self.seq = 0
        self.head = change.FIRST

    def apply(self, raw: bytes, body: bytes, signature: bytes, directory: Directory) -> BookStatement:
        """Check one statement against all before it and take it in; raise `NotAllowed` and stay as it was."""
        header = _open_header(raw, body, self.book, self.seq, self.head)
        statement = _decode(_book_decoder, body)
        kinds = {Membership: change.Kind.MEMBERSHIP, Rotation: change.Kind.ROTATION, Grant: change.Kind.GRANT}
        if header.kind != kinds[type(statement)]:
            raise NotAllowed("the kind of a statement does not fit its body")
        enrolled = directory.devices.get(header.device)
        if enrolled is None:
            raise NotAllowed("the writer of a membership statement is not in the directory")
        if not proof.is_signed(enrolled.statement.signing, proof.HEAD, change.change_id(raw), signature):
            raise NotAllowed("the signature of a membership statement does not fit")
        self._check_authority(header.device, statement)
        match statement:
            case Membership():
                self._apply_membership(statement, directory)
            case Rotation():
                self._apply_rotation(statement)
            case Grant():
                self._check_seals(statement.epoch, statement.seals)
        self.seq, self.head = header.seq, change.change_id(raw)
        return statement

    def copy(self) -> BookMembers:
        """Return members of their own to try statements on."""
        other = BookMembers(self.book)
        other.members, other.lead, other.epoch = dict(self.members), self.lead, self.epoch
        other.ever = self.ever
        other.commitments, other.ladders = dict(self.commitments), dict(self.ladders)
        other.seq, other.head = self.seq, self.head
        return other

    def may_write(self, device: bytes) -> bool:
        """Return whether a device's content counts in this book at this point of the sequence."""
        member = self.members.get(device)
        return member is not None and Role(member.role).may_write

    def _check_authority(self, device: bytes, statement: BookStatement) -> None:
        if not self.members:
            founder = isinstance(statement, Membership) and any(
                m.device == device and m.person == statement.lead for m in statement.add
            )
            if not founder:
                raise NotAllowed("a book begins with a membership that its lead signs")
            return
        member = self.members.get(device)
        if member is None:
            raise NotAllowed("only a member may change who reads a book")
        decides = member.person == self.lead or member.role in (Role.SUPERVISOR, Role.MANAGER)
        if isinstance(statement, Membership) and not decides:
            raise NotAllowed("only the lead, a supervisor or a manager may change who reads a book")
        if not Role(member.role).may_write:
            raise NotAllowed("a read-only member cannot hand out keys")

    def _apply_membership(self, statement: Membership, directory: Directory) -> None:
        directory.check_seen(*statement.directory)
        members = dict(self.members)
        for device in statement.remove:
            if members.pop(device, None) is None:
                raise NotAllowed("a device that is not a member cannot be removed")
        for member in statement.add:
            enrolled = directory.devices.get(member.device)
            if enrolled is None or enrolled.statement.person != member.person:
                raise NotAllowed("a member's device is not that person's in the directory")
            if member.role not in set(Role):
                raise NotAllowed("an unknown role")
            members[member.device] = member
        if not any(m.person == statement.lead for m in members.values()):
            raise NotAllowed("a book has exactly one lead, and the lead is a member")
        self.members, self.lead = members, statement.lead
        self.ever |= members.keys()

    def _apply_rotation(self, statement: Rotation) -> None:
        if statement.epoch != self.epoch + 1:
            raise NotAllowed("a book's keys are numbered without a gap")
        if set(statement.seals) != set(self.members):
            raise NotAllowed("a new key goes to every member device and to nobody else")
        if not statement.escrow:
            raise NotAllowed("a new key is sealed to escrow as well")
        if (statement.epoch == 1) != (statement.ladder == b""):
            raise NotAllowed("every key but the first carries the one before it")
        self.epoch = statement.epoch
        self.commitments[statement.epoch] = statement.commitment
        self.ladders[statement.epoch] = statement.ladder

    def _check_seals(self, epoch: int, seals: dict[bytes, bytes]) -> None:
        if epoch != self.epoch:
            raise NotAllowed("only the present key is handed out")
        if not seals or not set(seals) <= set(self.members):
            raise NotAllowed("a key goes to member devices only")


def _open_header(raw: bytes, body: bytes, book: bytes, seq: int, head: bytes) -> change.Header:
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
