"""Who may read and write one book, folded from signed open statements (security C.5, C.6).

The same rules run on every laptop and in the central store, so that nobody has to be believed: authority is a function
of the statements and their order alone. Who is enrolled at all is in `leadworker.directory`.
"""

from __future__ import annotations

from leadworker import change, proof
from leadworker.directory import Directory
from leadworker.statements import (
    BookStatement,
    Grant,
    Member,
    Membership,
    NotAllowed,
    Role,
    Rotation,
    open_header,
    read_book_statement,
)

_KINDS = {Membership: change.Kind.MEMBERSHIP, Rotation: change.Kind.ROTATION, Grant: change.Kind.GRANT}


class BookMembers:
    """Who may read and write one book: its control lane, checked and folded in order (C.6)."""

    def __init__(self, book: bytes) -> None:
        self.book = book
        self.members: dict[bytes, Member] = {}
        self.ever: frozenset[bytes] = frozenset()
        """Every device that has ever been a member: who was taken out is not let in again by itself."""
        self.lost: dict[bytes, Member] = {}
        """Members who were taken out because their laptop was revoked: with a new one they may be let in again."""
        self.lead = b""
        self.epoch = 0
        self.owes_key = False
        """True between a removal and the new key that must follow it at once: nobody writes meanwhile."""
        self.upon = 0
        """The last statement of the directory that the writer of the last membership had seen."""
        self.keyed_upon = 0
        """The same for the last new key: by then its escrow key stood."""
        self.commitments: dict[int, bytes] = {}
        self.ladders: dict[int, bytes] = {}
        self.seq = 0
        self.head = change.FIRST

    def apply(self, raw: bytes, body: bytes, signature: bytes, directory: Directory) -> BookStatement:
        """Check one statement against all before it and take it in; raise `NotAllowed` and stay as it was."""
        header = open_header(raw, body, self.book, self.seq, self.head)
        statement = read_book_statement(body)
        if header.kind != _KINDS[type(statement)]:
            raise NotAllowed("the kind of a statement does not fit its body")
        enrolled = directory.devices.get(header.device)
        if enrolled is None:
            raise NotAllowed("the writer of a membership statement is not in the directory")
        if not proof.is_signed(enrolled.statement.signing, proof.HEAD, change.change_id(raw), signature):
            raise NotAllowed("the signature of a membership statement does not fit")
        if self.owes_key and not isinstance(statement, Rotation):
            raise NotAllowed("a removal is followed at once by a new key")
        match statement:
            case Membership():
                self._apply_membership(statement, header.device, directory)
            case Rotation():
                self._apply_rotation(statement, header.device, directory)
            case Grant():
                self._check_grant(statement, header.device)
        self.seq, self.head = header.seq, change.change_id(raw)
        return statement

    def copy(self) -> BookMembers:
        """Return members of their own to try statements on."""
        other = BookMembers(self.book)
        other.__dict__.update(self.__dict__)
        other.members, other.lost = dict(self.members), dict(self.lost)
        other.commitments, other.ladders = dict(self.commitments), dict(self.ladders)
        return other

    def may_write(self, device: bytes) -> bool:
        """Return whether a device's content counts in this book at this point of the sequence."""
        member = self.members.get(device)
        return member is not None and Role(member.role).may_write and not self.owes_key

    def may_decide(self, device: bytes) -> bool:
        """Return whether a device may say who reads this book and who leads it."""
        member = self.members.get(device)
        return member is not None and _decides(member, self.lead)

    def devices_of(self, person: bytes) -> list[bytes]:
        """Return a person's devices among the members."""
        return [member.device for member in self.members.values() if member.person == person]

    def _apply_membership(self, statement: Membership, signer: bytes, directory: Directory) -> None:
        directory.check_seen(*statement.directory)
        if statement.directory[0] < self.upon:
            raise NotAllowed("its writer had seen less of the directory than the writer of the one before it")
        members = dict(self.members)
        for device in statement.remove:
            if members.pop(device, None) is None:
                raise NotAllowed("a device that is not a member cannot be removed")
        for member in statement.add:
            _check_member(member, statement.directory[0], directory)
            members[member.device] = member
        if self.members:
            self._check_authority(statement, signer, directory)
        elif signer not in members or members[signer].person != statement.lead:
            raise NotAllowed("a book begins with a membership that its lead signs")
        if statement.remove and signer not in members:
            raise NotAllowed("who takes somebody out stays, since the new key is theirs to make")
        _check_roles(members, statement, self, directory)
        gone = {d: self.members[d] for d in statement.remove if not directory.was_active(d, statement.directory[0])}
        here = {member.person for member in members.values()}
        self.lost = {device: member for device, member in (self.lost | gone).items() if member.person not in here}
        self.members, self.lead, self.upon = members, statement.lead, statement.directory[0]
        self.owes_key = bool(statement.remove)
        self.ever |= members.keys()

    def _check_authority(self, statement: Membership, signer: bytes, directory: Directory) -> None:
        """The lead, supervisors and managers decide; anybody sees to their own laptops, and to those that were revoked."""
        member = self.members.get(signer)
        if member is None:
            raise NotAllowed("only a member may change who reads a book")
        if _decides(member, self.lead):
            return
        own = all((one.person, one.role) == (member.person, member.role) for one in statement.add)
        gone = all(
            self.members[device].person == member.person or not directory.was_active(device, statement.directory[0])
            for device in statement.remove
        )
        if statement.lead != self.lead or not own or not gone:
            raise NotAllowed("only the lead, a supervisor or a manager may change who reads a book")

    def _apply_rotation(self, statement: Rotation, signer: bytes, directory: Directory) -> None:
        if not (signer in self.members and Role(self.members[signer].role).may_write):
            raise NotAllowed("only a member who may write gives a book a new key")
        directory.check_seen(*statement.directory)
        if statement.directory[0] < max(self.upon, self.keyed_upon):
            raise NotAllowed("its writer had seen less of the directory than the writer of the one before it")
        if statement.epoch != self.epoch + 1:
            raise NotAllowed("a book's keys are numbered without a gap")
        if set(statement.seals) != set(self.members):
            raise NotAllowed("a new key goes to every member device and to nobody else")
        if not statement.escrow:
            raise NotAllowed("a new key is sealed to escrow as well")
        if (statement.epoch == 1) != (statement.ladder == b""):
            raise NotAllowed("every key but the first carries the one before it")
        self.epoch, self.owes_key, self.keyed_upon = statement.epoch, False, statement.directory[0]
        self.commitments[statement.epoch] = statement.commitment
        self.ladders[statement.epoch] = statement.ladder

    def _check_grant(self, statement: Grant, signer: bytes) -> None:
        member = self.members.get(signer)
        if member is None:
            raise NotAllowed("only a member hands out a book's key")
        if not 1 <= statement.epoch <= self.epoch:
            raise NotAllowed("only a key that the book has or had is handed out")
        if not statement.seals or not set(statement.seals) <= set(self.members):
            raise NotAllowed("a key goes to member devices only")
        own = all(self.members[device].person == member.person for device in statement.seals)
        if not Role(member.role).may_write and not own:
            raise NotAllowed("a read-only member hands keys to their own laptops only")


def _decides(member: Member, lead: bytes) -> bool:
    return member.person == lead or member.role in (Role.SUPERVISOR, Role.MANAGER)


def _check_member(member: Member, seq: int, directory: Directory) -> None:
    enrolled = directory.devices.get(member.device)
    if enrolled is None or enrolled.statement.person != member.person:
        raise NotAllowed("a member's device is not that person's in the directory")
    if not directory.was_active(member.device, seq):
        raise NotAllowed("a device that was revoked cannot become a member")
    if member.role not in set(Role):
        raise NotAllowed("an unknown role")


def _check_roles(members: dict[bytes, Member], statement: Membership, before: BookMembers, directory: Directory) -> None:
    """Exactly one person leads, as the key worker, and each person has one role on all of their laptops."""
    roles: dict[bytes, int] = {}
    for member in members.values():
        if roles.setdefault(member.person, member.role) != member.role:
            raise NotAllowed("a person has one role in a book, on each of their laptops")
    if any((role == Role.KEY_WORKER) != (person == statement.lead) for person, role in roles.items()):
        raise NotAllowed("a book has exactly one key worker, who leads it")
    if statement.lead in roles:
        return
    # Every laptop of the lead that read the book may be lost at once: they lead all the same, until somebody decides otherwise.
    # A new one of theirs, which the directory may have by now, reads it only when somebody lets it in.
    read_it = before.devices_of(statement.lead)
    lost = statement.lead == before.lead and not any(directory.was_active(device, statement.directory[0]) for device in read_it)
    if not lost:
        raise NotAllowed("a book has exactly one lead, and the lead is a member")
