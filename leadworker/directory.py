"""Who is enrolled in an organisation, folded from signed open statements (security C.3).

The same rules run on every laptop and in the central store, so that nobody has to be believed: who may speak is a
function of the statements and their order alone.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from leadworker import change, proof
from leadworker.statements import (
    Appoint,
    DirectoryStatement,
    Enrol,
    Founding,
    NewEscrow,
    NewRoot,
    NotAllowed,
    Revoke,
    Role,
    Seen,
    open_header,
    read_directory_statement,
    root_id,
    succession_message,
)


class Enrolled(msgspec.Struct, frozen=True):
    """A device as the directory knows it: what its person is now, and by which statements it came and went."""

    device: bytes
    statement: Enrol
    since: int
    revoked_at: int = 0

    @property
    def revoked(self) -> bool:
        return self.revoked_at > 0


class Directory:
    """An organisation's people and devices: its statements, checked and folded in order."""

    def __init__(self, book: bytes) -> None:
        self.book = book
        self.founding: Founding | None = None
        self.root = b""
        """The root's public key as it is now. Invites carry the fingerprint of the founding's, from which all follows."""
        self.roots: frozenset[bytes] = frozenset()
        self.escrows: list[tuple[int, bytes]] = []
        """Escrow keys, each with the place of the statement that named it, in order."""
        self.devices: dict[bytes, Enrolled] = {}
        self.invites_used: dict[bytes, bytes] = {}
        self.seq = 0
        self.head = change.FIRST
        self.heads: list[bytes] = []
        """The id of every statement in order: what others say that they had seen is compared with it."""
        self._people: dict[bytes, list[bytes]] = {}

    def apply(self, raw: bytes, body: bytes, signature: bytes) -> DirectoryStatement:
        """Check one statement against all before it and take it in; raise `NotAllowed` and stay as it was."""
        header = open_header(raw, body, self.book, self.seq, self.head)
        if header.kind != change.Kind.DIRECTORY:
            raise NotAllowed("only directory statements stand in a directory")
        statement = read_directory_statement(body)
        signer = self._signing_key(header.device, statement)
        if not proof.is_signed(signer, proof.HEAD, change.change_id(raw), signature):
            raise NotAllowed("the signature of a directory statement does not fit")
        self._take(statement, header)
        self.seq, self.head = header.seq, change.change_id(raw)
        self.heads.append(self.head)
        return statement

    def copy(self) -> Directory:
        """Return a directory of its own to try statements on, so that a page is taken whole or not at all."""
        other = Directory(self.book)
        other.founding, other.root, other.roots, other.escrows = self.founding, self.root, self.roots, list(self.escrows)
        other.seq, other.head, other.heads = self.seq, self.head, list(self.heads)
        other.devices, other.invites_used = dict(self.devices), dict(self.invites_used)
        other._people = {person: list(devices) for person, devices in self._people.items()}
        return other

    @property
    def seen(self) -> Seen:
        """What a statement that is written now says of this directory."""
        return self.seq, self.head

    @property
    def escrow(self) -> bytes:
        """The escrow key to which books are sealed now."""
        return self.escrows[-1][1] if self.escrows else b""

    def active(self, device: bytes) -> Enrol | None:
        """Return what the directory says of a device that may speak now, or None."""
        enrolled = self.devices.get(device)
        return None if enrolled is None or enrolled.revoked else enrolled.statement

    def was_active(self, device: bytes, seq: int) -> bool:
        """Return whether a device might speak when the directory's last statement was number `seq`."""
        enrolled = self.devices.get(device)
        return enrolled is not None and enrolled.since <= seq and not 0 < enrolled.revoked_at <= seq

    def escrow_at(self, seq: int) -> bytes:
        """Return the escrow key that stood when the directory's last statement was number `seq`, or nothing."""
        return next((key for since, key in reversed(self.escrows) if since <= seq), b"")

    def check_seen(self, seq: int, head: bytes) -> None:
        """Compare what the writer of a statement had seen of the directory with this one; raise `NotAllowed` (C.8).

        So a directory that was kept back from somebody, or shown to two people in two forms, comes to light.
        """
        if seq < 1:
            raise NotAllowed("its writer had seen nothing of the directory")
        if seq > self.seq:
            raise NotAllowed("its writer had seen more of the directory than was shown here")
        if self.heads[seq - 1] != head:
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
        known = ((device, self.active(device)) for device in self._people.get(person, ()))
        return [(device, statement) for device, statement in known if statement is not None]

    def people(self) -> dict[bytes, Enrol]:
        """Return everybody who was ever enrolled, by their id, with what the directory says of them last."""
        return {person: self.devices[devices[-1]].statement for person, devices in self._people.items()}

    def _signing_key(self, signer: bytes, statement: DirectoryStatement) -> bytes:
        root = statement.root if isinstance(statement, Founding) else self.root
        if not root:
            raise NotAllowed("a directory begins with its founding")
        if signer == root_id(root):
            return root
        enrolled = self.active(signer)
        if enrolled is None or isinstance(statement, Founding | NewEscrow):
            raise NotAllowed("only the root and directory administrators may speak in a directory")
        if isinstance(statement, NewRoot):
            self._check_witness(statement, enrolled)
        elif not enrolled.admin and self._is_about(statement) != enrolled.person:
            raise NotAllowed("only an administrator may speak of other people's devices")
        return enrolled.signing

    def _is_about(self, statement: DirectoryStatement) -> bytes:
        """Return whose device a statement is about where that person may say it, else nothing."""
        if isinstance(statement, Enrol):
            return statement.person
        if isinstance(statement, Revoke) and statement.device in self.devices:
            return self.devices[statement.device].statement.person
        return b""

    def _check_witness(self, statement: NewRoot, signer: Enrol) -> None:
        witness = self.active(statement.witness)
        if not signer.admin or witness is None or not witness.admin or witness.person == signer.person:
            raise NotAllowed("a root is replaced by the root itself, or by two administrators together")
        said = succession_message(self.book, self.root, statement.root)
        if not proof.is_signed(witness.signing, proof.SUCCESSION, said, statement.signature):
            raise NotAllowed("the second administrator's signature over a new root does not fit")

    def _take(self, statement: DirectoryStatement, header: change.Header) -> None:
        match statement:
            case Founding():
                self._found(statement, header)
            case Enrol():
                self._enrol(statement, header.seq)
            case Revoke():
                self._revoke(statement, header.seq)
            case Appoint():
                self._appoint(statement)
            case NewEscrow():
                self._name_escrow(statement.escrow, header.seq)
            case NewRoot():
                self._name_root(statement.root)
            case _:
                assert_never(statement)

    def _found(self, statement: Founding, header: change.Header) -> None:
        if self.founding is not None:
            raise NotAllowed("an organisation is founded once")
        if header.device != root_id(statement.root):
            raise NotAllowed("a founding is signed by its own root")
        self._name_escrow(statement.escrow, header.seq)
        self._name_root(statement.root)
        self.founding = statement

    def _name_escrow(self, escrow: bytes, seq: int) -> None:
        if not proof.is_sound_sealing_key(escrow):
            raise NotAllowed("the escrow key is not sound")
        self.escrows.append((seq, escrow))

    def _name_root(self, root: bytes) -> None:
        if not proof.is_sound_signing_key(root):
            raise NotAllowed("the root's key is not sound")
        if root in self.roots:
            raise NotAllowed("a key is the root once")
        self.root = root
        self.roots |= {root}

    def _enrol(self, statement: Enrol, seq: int) -> None:
        if not (proof.is_sound_signing_key(statement.signing) and proof.is_sound_sealing_key(statement.unsealing)):
            raise NotAllowed("a device's key is not sound")
        if statement.role not in set(Role):
            raise NotAllowed("an unknown role")
        device = change.device_id(statement.signing, statement.unsealing)
        if device in self.devices:
            raise NotAllowed("this device is in the directory already")
        others = self._people.get(statement.person)
        if others and _place(self.devices[others[-1]].statement) != _place(statement):
            raise NotAllowed("a person is the same on each of their devices")
        if statement.invite:
            if statement.invite in self.invites_used:
                raise NotAllowed("this invite was used already")
            self.invites_used[statement.invite] = device
        self.devices[device] = Enrolled(device, statement, seq)
        self._people.setdefault(statement.person, []).append(device)

    def _revoke(self, statement: Revoke, seq: int) -> None:
        enrolled = self.devices.get(statement.device)
        if enrolled is None or enrolled.revoked:
            raise NotAllowed("there is no such device to revoke")
        self.devices[statement.device] = msgspec.structs.replace(enrolled, revoked_at=seq)

    def _appoint(self, statement: Appoint) -> None:
        devices = self._people.get(statement.person)
        if not devices:
            raise NotAllowed("there is no such person to appoint")
        if statement.role not in set(Role):
            raise NotAllowed("an unknown role")
        for device in devices:
            enrolled = self.devices[device]
            now = msgspec.structs.replace(
                enrolled.statement, role=statement.role, admin=statement.admin, team=statement.team, name=statement.name
            )
            self.devices[device] = msgspec.structs.replace(enrolled, statement=now)


def _place(statement: Enrol) -> tuple[int, bool, bytes]:
    return statement.role, statement.admin, statement.team
