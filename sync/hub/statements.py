"""Takes statements about an organisation's people and a book's members, by compare-and-swap on the control lane (C.6).

Who may say what is decided by folding all statements in order, with the same rules as on every laptop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sync import wire
from sync.hub import joining, numbering, rules
from sync.hub.rules import CheckedControl, Refusal, Statement
from sync.hub.store import Device, Head, InviteRow, Known, Row, Session

DIRECTORY_SETTING: Final = "directory"
"""The setting that holds the id of the organisation's directory, from its founding on."""

_SHARED = b""
"""The device under which a control lane is kept: it belongs to all members."""


class Registry:
    """Takes control requests. It remembers the folded directory between them, never more than what can be folded again."""

    def __init__(self, hub_key: bytes, sign: numbering.Sign) -> None:
        self._hub_key = hub_key
        self._sign = sign
        self._folded: wire.Directory | None = None

    def found(self, session: Session, control: CheckedControl, now_ms: int) -> wire.Outcome:
        """Take an organisation's first statements: its founding and the first devices, all signed by the root."""
        existing = session.setting(DIRECTORY_SETTING)
        if existing is not None and existing != control.book:
            return numbering.refused(control.book, _already_founded())
        try:
            head = session.heads([control.book]).get(control.book)
            if head is not None:
                return self._retry_of_founding(session, control, head)
            return self._found(session, control, now_ms)
        except Refusal as refusal:
            return numbering.refused(control.book, refusal)

    def take(self, session: Session, asker: bytes, control: CheckedControl, now_ms: int) -> wire.Outcome:
        """Take statements of one book or of the directory, all or none. `asker` is an active device."""
        try:
            directory = self.directory(session)
            if directory.active(asker) is None:
                raise rules.not_allowed("this device is not, or no longer, in the directory")
            head = session.heads([control.book]).get(control.book) or new_head(control.book)
            known = _known(session, control, head)
            count = rules.check_head(control, head, known)
            new = control.statements[count:]
            if not new:
                return numbering.taken(control.book, control.statements[-1].change, known, (), self._sign)
            if control.book == directory.book:
                rules.check_speakers(new, asker, wire.root_id(directory.root))
                self._take_directory(session, directory, new, now_ms)
                epoch = 0
            else:
                rules.check_speakers(new, asker, None)
                epoch = _take_book(session, directory, head, new)
            rows = self._keep(session, head, new, epoch, now_ms)
            return numbering.taken(control.book, new[-1].change, known, rows, self._sign)
        except Refusal as refusal:
            return numbering.refused(control.book, refusal)

    def directory(self, session: Session) -> wire.Directory:
        """Return the organisation's directory as of this transaction. It is shared: never apply to it, but to a twin."""
        book = session.setting(DIRECTORY_SETTING)
        if book is None:
            raise _not_founded()
        head = session.heads([book])[book]
        folded = self._folded
        if folded is not None and (folded.seq, folded.head) == (head.control_seq, head.control_head):
            return folded
        fresh = None if folded is None else _continued(session, folded, book)
        if fresh is None or (fresh.seq, fresh.head) != (head.control_seq, head.control_head):
            fresh = wire.Directory(book)
            for header, body, signature in session.control(book, 0):
                fresh.apply(header, body, signature)
        self._folded = fresh
        return fresh

    def _found(self, session: Session, control: CheckedControl, now_ms: int) -> wire.Outcome:
        directory = wire.Directory(control.book)
        applied = [_apply(directory, statement) for statement in control.statements]
        founding = directory.founding
        if founding is None or founding.hub != self._hub_key:
            raise Refusal(
                "wrong_hub",
                "This founding names another central store than this one. Nothing was changed. "
                "Ask this store for its key and found the organisation again.",
            )
        if not any(isinstance(said, wire.Enrol) and said.admin for said in applied):
            raise rules.not_allowed("an organisation begins with its founding and a first administrator's device")
        root = wire.root_id(founding.root)
        rules.check_speakers(control.statements, root, root)
        project(session, directory, applied)
        session.keep_setting(DIRECTORY_SETTING, control.book)
        rows = self._keep(session, new_head(control.book), control.statements, 0, now_ms)
        return numbering.taken(control.book, control.statements[-1].change, (), rows, self._sign)

    def _retry_of_founding(self, session: Session, control: CheckedControl, head: Head) -> wire.Outcome:
        known = _known(session, control, head)
        same = all(s.header == k.header for s, k in zip(control.statements, known, strict=False))
        if control.first != 1 or len(known) != len(control.statements) or not same:
            raise _already_founded()
        return numbering.taken(control.book, control.statements[-1].change, known, (), self._sign)

    def _take_directory(self, session: Session, directory: wire.Directory, new: Sequence[Statement], now_ms: int) -> None:
        twin = directory.copy()
        applied = []
        invited: dict[bytes, tuple[InviteRow, bytes]] = {}
        for statement in new:
            said = _read(statement.body)
            if isinstance(said, wire.Enrol) and said.invite:
                if said.invite in invited:
                    raise joining.used()
                device = wire.device_id(said.signing, said.unsealing)
                invited[said.invite] = (joining.check_admission(session, said, now_ms), device)
            applied.append(_apply(twin, statement))
        if not any(enrolled.statement.admin and not enrolled.revoked for enrolled in twin.devices.values()):
            raise rules.not_allowed("a directory keeps at least one administrator's device")
        for row, device in invited.values():
            joining.admit(session, row, device)
        project(session, twin, applied)

    def _keep(self, session: Session, head: Head, new: Sequence[Statement], epoch: int, now_ms: int) -> Sequence[Row]:
        entries = [(s.header, s.change, s.body, s.signature) for s in new]
        first = head.control_seq + 1
        rows, moved = numbering.number(head, _SHARED, wire.CONTROL_LANE, first, entries, now_ms)
        moved = moved._replace(epoch=epoch, control_seq=rows[-1].seq, control_head=new[-1].change)
        if head.control_seq == 0:
            session.add_book(moved)
        else:
            session.put_head(moved)
        session.add_changes(rows)
        return rows


def _take_book(session: Session, directory: wire.Directory, head: Head, new: Sequence[Statement]) -> int:
    """Fold a book's statements, old and new, and keep who is a member now; return the number of its present key."""
    members = wire.BookMembers(head.book)
    for header, body, signature in session.control(head.book, 0):
        members.apply(header, body, signature, directory)
    before = dict(members.members)
    left: dict[bytes, int] = {}
    for n, statement in enumerate(new, start=head.n + 1):
        try:
            said = members.apply(statement.header, statement.body, statement.signature, directory)
        except wire.NotAllowed as error:
            raise rules.not_allowed(str(error)) from error
        if isinstance(said, wire.Membership):
            left |= dict.fromkeys(said.remove, n)
            if any(directory.active(m.device) is None for m in said.add):
                raise rules.not_allowed("a device that was revoked cannot become a member")
    if not members.epoch:
        raise rules.not_allowed("a new book needs its first key in the same request as its first members")
    if members.owes_key:
        raise rules.not_allowed("a removal needs the new key in the same request")
    now = members.members
    session.set_members(
        head.book,
        [(device, n) for device, n in left.items() if device not in now],
        [(device, member.role) for device, member in now.items() if before.get(device) != member],
    )
    if all(directory.active(device) is not None for device in now):
        session.key_given(head.book)
    return members.epoch


def _read(body: bytes) -> wire.DirectoryStatement | None:
    """Read a directory statement, or return None: the directory itself refuses what cannot be read, in words."""
    try:
        return wire.read_directory_statement(body)
    except wire.NotAllowed:
        return None


def _apply(directory: wire.Directory, statement: Statement) -> wire.DirectoryStatement:
    try:
        return directory.apply(statement.header, statement.body, statement.signature)
    except wire.NotAllowed as error:
        raise rules.not_allowed(str(error)) from error


def project(session: Session, directory: wire.Directory, applied: Sequence[wire.DirectoryStatement]) -> None:
    """Keep what requests ask of devices where they can ask it quickly."""
    for said in applied:
        if isinstance(said, wire.Enrol):
            device = wire.device_id(said.signing, said.unsealing)
            session.put_device(Device(device, said.signing, said.admin, active=True))
        elif isinstance(said, wire.Revoke):
            known = session.device(said.device)
            assert known is not None, "a revoked device was enrolled before"
            session.put_device(known._replace(active=False))
            session.owe_keys(said.device)
        elif isinstance(said, wire.Appoint):
            for device, _ in directory.devices_of(said.person):
                known = session.device(device)
                assert known is not None, "an appointed person's devices were enrolled before"
                session.put_device(known._replace(admin=said.admin))


def _continued(session: Session, folded: wire.Directory, book: bytes) -> wire.Directory | None:
    """Fold what came since, or return None when what is remembered is not the beginning of what is kept.

    That happens after a transaction that was given up, and after the database was restored from a backup.
    """
    if folded.book != book:
        return None
    twin = folded.copy()
    try:
        for header, body, signature in session.control(book, folded.seq):
            twin.apply(header, body, signature)
    except wire.NotAllowed:
        return None
    return twin


def _known(session: Session, control: CheckedControl, head: Head) -> list[Known]:
    """Return what the store holds at the places of a request's statements."""
    count = rules.known_part(control, head.control_seq)
    if not count:
        return []
    return session.known(control.book, _SHARED, wire.CONTROL_LANE, control.first, control.first + count - 1)


def new_head(book: bytes) -> Head:
    """Return where a book stands before its first change."""
    return Head(book, 0, wire.first_digest(book), 0, 0, wire.FIRST)


def _already_founded() -> Refusal:
    return Refusal(
        "already_founded",
        "This central store serves an organisation already, and serves only one. Nothing was changed. "
        "Join with an invite, or set up another store.",
        409,
    )


def _not_founded() -> Refusal:
    return Refusal(
        "not_founded",
        "This central store has no organisation yet. Nothing was sent. Whoever runs the store sets it up first.",
        409,
    )
