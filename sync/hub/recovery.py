"""Recovery mode: a store that was restored from a backup takes back what it had numbered since, at the numbers it gave (C.8).

Nothing is taken on a laptop's word. A receipt is this store's own signature over a number and the running digest there,
and the digest stands for every change before it. Changes that lead from what the store has to a receipt of its own are
therefore exactly what it had; anything else is refused. While the mode lasts the store gives no new number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from sync import wire
from sync.hub import joining, numbering, rules
from sync.hub.rules import Refusal
from sync.hub.sql_session import MODE_SETTING
from sync.hub.statements import DIRECTORY_SETTING, Registry, new_head, project
from sync.hub.store import DeviceReport, Head, HubTrouble, Lane, Row, Session

Answer = TypeVar("Answer")

MOST_REPORTED: Final = 20_000
"""Books in one report."""

WHOLE, AHEAD, OTHER = "whole", "ahead", "other"
"""How a laptop's book fits the store's: the same history, the same and further, another history."""


def begin(session: Session, now_ms: int) -> None:
    """Go into recovery mode. When this is committed, nobody gives a number any more, in whichever process."""
    session.hold_mode()
    if is_on(session):
        return
    if session.setting(DIRECTORY_SETTING) is None:
        raise Refusal(
            "not_founded",
            "This backup is from before the organisation was set up, so no laptop could prove who it is. Nothing was changed. "
            "Restore a later backup.",
        )
    session.forget_recovery()
    _set_mode(session, b"%d" % now_ms)


def end(session: Session, *, anyway: bool) -> None:
    """Go back to giving numbers; raise `HubTrouble`, unless `anyway`, while something is known to be missing."""
    session.hold_mode()
    if not is_on(session):
        raise Refusal("not_recovering", "This central store is not in recovery mode. Nothing was changed.")
    if not anyway:
        refuse_unfinished(session)
    _set_mode(session, b"")


def refuse_unfinished(session: Session) -> None:
    """Raise `HubTrouble` while the end of the mode could give a number a second time."""
    behind = [book for book in session.recovery_books() if book.n < book.goal_n]
    heard = {report.device for report in session.recovery_reports()}
    missing = [device for device in session.active_devices() if device not in heard]
    if behind or missing:
        books = f"{_count(len(behind), 'book is', 'books are')} not as far as a laptop has proved" if behind else ""
        laptops = f"{_count(len(missing), 'laptop has', 'laptops have')} not reported yet" if missing else ""
        wait = "Wait for them; a laptop that is lost is taken out of the directory afterwards."
        wait = wait if missing else "Wait for one that holds the rest."
        known = "such a laptop" if missing else "a laptop"
        raise HubTrouble(
            f"{', and '.join(filter(None, (books, laptops)))}. Nothing was changed. {wait} Ended all the same (--anyway), a number that "
            f"only {known} knows would be given a second time.",
        )


def is_on(session: Session) -> bool:
    """Return whether the store is in recovery mode."""
    return bool(session.setting(MODE_SETTING))


def refuse_numbers(session: Session) -> None:
    """Raise `Refusal` in recovery mode; asked inside each transaction that would write."""
    if is_on(session):
        raise recovering()


def report(session: Session, device: bytes, told: wire.Report, now_ms: int, hub_key: bytes) -> list[wire.Stand]:
    """Note what a laptop holds and say where the store stands with it. Only what the store's own receipt proves counts.

    All of it is checked before any is noted: who was refused has not reported, and is waited for.
    """
    if len(told.holdings) + len(told.others) > MOST_REPORTED:
        raise Refusal("too_many", f"A report holds at most {MOST_REPORTED:,} books. Nothing was noted.", 413)
    _refuse_usual(session)
    for holding in told.holdings:
        said = wire.receipt_message(holding.book, holding.last, holding.n, holding.digest, holding.received_ms)
        if not wire.is_signed(hub_key, wire.RECEIPT, said, holding.receipt):
            session.count_alarm("not_vouched", holding.book, device, now_ms)
            raise _not_vouched()
    directory = session.setting(DIRECTORY_SETTING) or b""
    if all(one.book != directory for one in told.holdings):  # who has nothing to give has reported all the same
        session.note_report(DeviceReport(device, directory, 0, WHOLE, now_ms))
    others = set(told.others)
    heads = session.heads({one.book for one in told.holdings})
    stands = []
    for holding in told.holdings:
        head = heads.get(holding.book) or new_head(holding.book)
        same = head.n < holding.n or session.digest_at(holding.book, holding.n) == holding.digest
        state = OTHER if holding.book in others or not same else AHEAD if head.n < holding.n else WHOLE
        session.note_goal(holding.book, holding.n)
        session.note_report(DeviceReport(device, holding.book, holding.n, state, now_ms))
        stands.append(wire.Stand(holding.book, head.n, head.digest, same))
    return stands


def take_back(session: Session, registry: Registry, device: bytes, back: wire.Returned, now_ms: int, hub_key: bytes) -> wire.Outcome:
    """Take changes back at their numbers, all or none; a refusal is told in the outcome, with the store's last number."""
    try:
        _refuse_usual(session)
        head = session.heads([back.book]).get(back.book) or new_head(back.book)
        rows, moved = _chained(head, back, hub_key)
        if back.book == session.setting(DIRECTORY_SETTING):
            _take_directory(session, registry, rows)
        else:
            moved = _Taking(session, registry.directory(session), back.book).take(rows, moved)
        last = rows[-1]
        control = [row for row in rows if row.lane == wire.CONTROL_LANE]
        if control:
            moved = moved._replace(control_seq=control[-1].seq, control_head=wire.change_id(control[-1].header))
        if head.n:
            session.put_head(moved)
        else:
            session.add_book(moved)
        session.add_changes(rows)
        session.note_return(back.book, rows[0].n, last.n, device, now_ms)
        return wire.Outcome(back.book, last_n=last.n, digest=last.digest)
    except Refusal as refusal:
        if refusal.alarm:
            session.count_alarm(refusal.code, back.book, device, now_ms)
        return numbering.refused(back.book, refusal)


def _chained(head: Head, back: wire.Returned, hub_key: bytes) -> tuple[list[Row], Head]:
    """Return the rows of what came back, once it leads from the store's head to a receipt of the store's own."""
    if not back.changes or back.changes[0].n != head.n + 1:
        raise Refusal("moved", "The central store is at another number by now. Nothing of this was taken; go on from there.", held=head.n)
    rows: list[Row] = []
    n, digest = head.n, head.digest
    for item in back.changes:
        n += 1
        if item.n != n:
            raise Refusal("broken_chain", "Changes that come back must follow one another without a gap. Nothing of them was taken.")
        header = rules.read_header(item.header)
        if header.book != head.book:
            raise Refusal("mixed_run", "Changes of more than one book came back as one. Nothing of them was taken.")
        digest = wire.next_digest(digest, wire.change_id(item.header), n)
        device = b"" if header.lane == wire.CONTROL_LANE else header.device
        rows.append(Row(head.book, n, device, header.lane, header.seq, item.header, item.body, item.signature, item.received_ms, digest))
    said = wire.receipt_message(head.book, wire.change_id(rows[-1].header), n, digest, rows[-1].received_ms)
    if not wire.is_signed(hub_key, wire.RECEIPT, said, back.receipt):
        raise _not_vouched()
    grew_ms = max((row.received_ms for row in rows if row.lane != wire.CONTROL_LANE), default=head.grew_ms)
    return rows, head._replace(n=n, digest=digest, size=head.size + sum(row.size for row in rows), grew_ms=grew_ms)


def _take_directory(session: Session, registry: Registry, rows: Sequence[Row]) -> None:
    """Fold statements of the directory. They were allowed once, so an invite is not asked for again, only marked as used."""
    twin = registry.directory(session).copy()
    applied = [_folded(twin.apply, row) for row in rows]
    for said in applied:
        if isinstance(said, wire.Enrol) and said.invite:
            invited = session.invite(said.invite, lock=True)
            if invited is not None and not invited.device:
                came = invited._replace(signing=said.signing, unsealing=said.unsealing)
                joining.admit(session, came, wire.device_id(said.signing, said.unsealing))
    project(session, twin, applied)


class _Taking:
    """Changes of a casebook that come back: who was a member, and how far lanes had come, at each number."""

    def __init__(self, session: Session, directory: wire.Directory, book: bytes) -> None:
        self._session = session
        self._directory = directory
        self._book = book
        self._members = wire.BookMembers(book)
        self._lanes: dict[bytes, dict[tuple[bytes, int], Lane]] = {}
        self._run: tuple[bytes, int] | None = None

    def take(self, rows: Sequence[Row], head: Head) -> Head:
        """Check what a receipt does not vouch for, signatures and sizes, and keep members and lanes; return the head."""
        for header, body, signature in self._session.control(self._book, 0):
            self._members.apply(header, body, signature, self._directory)
        before = dict(self._members.members)
        left: dict[bytes, int] = {}
        for row in rows:
            if row.lane == wire.CONTROL_LANE:
                if self._run is not None:
                    raise _unsigned()
                said = _folded(partial(self._members.apply, directory=self._directory), row)
                if isinstance(said, wire.Membership):
                    left |= dict.fromkeys(said.remove, row.n)
            else:
                self._content(row)
        if self._run is not None:
            raise _unsigned()
        now = self._members.members
        self._session.set_members(
            self._book,
            [(device, n) for device, n in left.items() if device not in now],
            [(device, member.role) for device, member in now.items() if before.get(device) != member],
        )
        self._owe_key([device for device in now if self._directory.active(device) is None])
        for device, lanes in self._lanes.items():
            self._session.put_lanes(device, [(book, number, lane) for (book, number), lane in lanes.items()])
        return head._replace(epoch=self._members.epoch)

    def _owe_key(self, gone: Sequence[bytes]) -> None:
        """Note whether the book needs a new key, because a member was taken out of the directory meanwhile."""
        if not gone:
            self._session.key_given(self._book)
        for device in gone:
            self._session.owe_keys(device)

    def _content(self, row: Row) -> None:
        header = rules.read_header(row.header)
        if row.device not in self._lanes:
            self._lanes[row.device] = self._session.lanes(row.device, [self._book])
        lanes = self._lanes[row.device]
        lane = lanes.get((self._book, row.lane), Lane(0, wire.FIRST))
        if (header.seq, header.prev) != (lane.seq + 1, lane.head) or self._run not in (None, (row.device, row.lane)):
            raise Refusal("broken_chain", "A writer's changes do not follow one another. Nothing of them was taken.")
        if len(row.body) != header.size + wire.SEAL_OVERHEAD:
            raise Refusal("wrong_size", "A sealed change is not of the size that was signed. Nothing of them was taken.")
        if not self._members.may_write(row.device) or wire.seal_epoch(row.body) != self._members.epoch:
            raise Refusal("not_allowed", "A change came back that could not have been taken at its number. Nothing of them was taken.")
        change = wire.change_id(row.header)
        lanes[(self._book, row.lane)] = Lane(header.seq, change, lane.size + row.size)
        self._run = (row.device, row.lane)
        if row.signature:
            enrolled = self._directory.devices.get(row.device)
            if enrolled is None or not wire.is_signed(enrolled.statement.signing, wire.HEAD, change, row.signature):
                raise _unsigned()
            self._run = None


def recovering() -> Refusal:
    """Return the refusal of everything else while a store is in recovery mode."""
    return Refusal(
        "recovering",
        "The central store was restored from a backup and is being brought up to date by everybody's laptops. Nothing was taken, and "
        "what is written is safe on the laptop. It is sent by itself when the store is ready.",
        503,
    )


def _folded(apply: Callable[[bytes, bytes, bytes], Answer], row: Row) -> Answer:
    try:
        return apply(row.header, row.body, row.signature)
    except wire.NotAllowed as error:
        raise rules.not_allowed(str(error)) from error


def _refuse_usual(session: Session) -> None:
    if not is_on(session):
        raise Refusal("not_recovering", "This central store is not in recovery mode. Nothing was changed.", 409)


def _set_mode(session: Session, value: bytes) -> None:
    if session.setting(MODE_SETTING) is None:
        session.keep_setting(MODE_SETTING, value)
    else:
        session.replace_setting(MODE_SETTING, value)


def _not_vouched() -> Refusal:
    return Refusal(
        "not_vouched",
        "This does not lead to a receipt that this central store has signed, so it was never numbered here as it is told. Nothing of it "
        "was taken.",
        alarm=True,
    )


def _unsigned() -> Refusal:
    return Refusal(
        "bad_signature",
        "The signature that vouches for changes that came back is missing or does not fit. Nothing of them was taken.",
        alarm=True,
    )


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
