"""What the central store checks of changes without holding a key (C.8): pure functions, no database and no clock.

Each check returns what it read, or raises `Refusal` with a stable code and whole sentences for a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from sync import wire
from sync.hub.store import Head, Known, Lane

SIGNATURE_BYTES: Final = 64

_SAFE = "Nothing of it was taken, and what is on the laptop is as it was."


class Refusal(Exception):
    """Something that the central store does not do. `status` is the HTTP status where a whole request is refused.

    `alarm` marks what honest laptops never do; `held` is the last place that the store has of a lane; after
    `retry_after_s` seconds it may be asked again.
    """

    def __init__(
        self, code: str, sentence: str, status: int = 400, *, alarm: bool = False, held: int | None = None, retry_after_s: int = 0
    ) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.status = status
        self.alarm = alarm
        self.held = held
        self.retry_after_s = retry_after_s


class Item(NamedTuple):
    """One content change of a run: its header as it travels, its id, and its seal."""

    header: bytes
    change: bytes
    seal: bytes


class CheckedRun(NamedTuple):
    """A run that holds together by itself; where it stands is not checked yet."""

    book: bytes
    lane: int
    first: int
    prev: bytes
    items: list[Item]
    signature: bytes


class Statement(NamedTuple):
    """One open statement of a control request."""

    header: bytes
    change: bytes
    device: bytes
    body: bytes
    signature: bytes


class CheckedControl(NamedTuple):
    """A control request that holds together by itself; whether it is allowed is not checked yet."""

    book: bytes
    first: int
    prev: bytes
    statements: list[Statement]


def read_message(kind: type[wire.Message], body: bytes) -> wire.Message:
    """Read the body of a request; raise `Refusal` for anything but a message of that kind."""
    try:
        return wire.read(kind, body)
    except msgspec.DecodeError as error:
        raise Refusal(
            "bad_body",
            "The central store cannot read this request. Nothing of it was taken, and what is on the laptop is as it "
            "was. Update leadworker, or check that nothing between the laptop and the store alters what is sent.",
        ) from error


def check_run(run: wire.Run, device: bytes, signing: bytes) -> CheckedRun:
    """Check everything of a run that needs no other change: one lane, one chain, sizes, and the signature over its end.

    `device` asks, and `signing` is its key in the directory.
    """
    if not run.changes:
        raise Refusal("empty_run", f"A run without a change was sent. {_SAFE} Please update leadworker.")
    first = read_header(run.changes[0][0])
    if first.lane == wire.CONTROL_LANE:
        raise Refusal("wrong_kind", f"A statement about members or keys was sent among sealed changes. {_SAFE}")
    items: list[Item] = []
    seq, prev = first.seq, first.prev
    for raw, seal in run.changes:
        header = read_header(raw)
        if header.book != first.book or header.device != first.device or header.lane != first.lane:
            raise Refusal("mixed_run", f"A run holds changes of more than one lane. {_SAFE} Please update leadworker.")
        if header.seq != seq or header.prev != prev:
            raise Refusal("broken_chain", f"The changes of a run do not follow one another. {_SAFE}")
        if header.size > wire.LARGEST_BODY:
            raise Refusal("too_large", f"A change is larger than {wire.LARGEST_BODY // 1024} KiB. {_SAFE}")
        if len(seal) != header.size + wire.SEAL_OVERHEAD:
            raise Refusal("wrong_size", f"A sealed change is not of the size that was signed. {_SAFE}")
        prev = wire.change_id(raw)
        seq += 1
        items.append(Item(raw, prev, seal))
    if first.device != device:
        raise Refusal("wrong_device", f"A laptop can send only what was written on it. {_SAFE}")
    if len(run.signature) != SIGNATURE_BYTES or not wire.is_signed(signing, wire.HEAD, prev, run.signature):
        raise Refusal("bad_signature", f"The signature over a run does not fit its last change. {_SAFE}")
    return CheckedRun(first.book, first.lane, first.seq, first.prev, items, run.signature)


def known_part(run: CheckedRun | CheckedControl, held: int) -> int:
    """Return how many of the first changes of a run stand at places that the store holds already."""
    length = len(run.items) if isinstance(run, CheckedRun) else len(run.statements)
    return min(length, max(0, held - run.first + 1))


def check_place(run: CheckedRun, lane: Lane, known: Sequence[Known]) -> int:
    """Return how many changes of the run the store holds already: 0 is all new, all of them is a retry.

    `lane` is the lane's end as the store has it; `known` are the changes that it holds at the run's places.
    """
    if run.first > lane.seq + 1:
        raise Refusal(
            "lane_gap",
            f"Changes are missing before this run: the central store has this lane up to number {lane.seq}, and the "
            f"run begins at {run.first}. Nothing of it was taken; send it again from number {lane.seq + 1}.",
            held=lane.seq,
        )
    count = known_part(run, lane.seq)
    same = len(known) == count and all(item.header == row.header for item, row in zip(run.items, known, strict=False))
    follows = count > 0 or run.prev == lane.head
    if not (same and follows):
        raise Refusal(
            "lane_forked",
            "The central store already holds another change at this place of the lane. A vault that was restored from "
            "an old copy does this. Nothing was replaced; pull first, and go on in a new lane.",
            alarm=True,
        )
    return count


def check_writer(role: int | None, epoch: int, owes_key: bool, new: Sequence[Item]) -> None:
    """Check that the writer may add these changes to the book as it stands: a writing member, the present key.

    `role` is the device's in the book, None for no member; `epoch` is the number of the book's present key; `owes_key` says
    that a member's device was revoked, so that a new key comes first.
    """
    if role is None:
        raise Refusal(
            "not_a_member",
            "This laptop is not a member of this casebook, so the central store did not take the changes. "
            "They are safe on the laptop. Ask the lead or a supervisor to be added.",
            403,
        )
    if not wire.Role(role).may_write:
        raise Refusal(
            "read_only",
            "This laptop may read this casebook but not write in it, so the central store did not take the changes. "
            "They are safe on the laptop. Ask the lead or a supervisor.",
            403,
        )
    if owes_key:
        raise Refusal(
            "key_owed",
            "A laptop that read this casebook was taken out of the organisation, so the casebook needs a new key before anything "
            "is written in it. Nothing was taken; it is safe on the laptop. Fetch the news, give it a new key and send again.",
        )
    if any(wire.seal_epoch(seal) != epoch for seal in {item.seal[:4] for item in new}):
        raise Refusal(
            "wrong_epoch",
            f"The changes are sealed with a key that is not in use: the casebook is at key number {epoch}. "
            "Nothing of them was taken. Fetch the news, seal them again and send them again.",
        )


def check_control(control: wire.Control) -> CheckedControl:
    """Check everything of a control request that needs no earlier statement: one book, one chain, sizes."""
    if not 1 <= len(control.changes) <= wire.MOST_STATEMENTS:
        raise Refusal("bad_request", f"A control request holds 1 to {wire.MOST_STATEMENTS} statements. Nothing was changed.")
    first = read_header(control.changes[0].header)
    statements: list[Statement] = []
    seq, prev = first.seq, first.prev
    for change in control.changes:
        header = read_header(change.header)
        if header.lane != wire.CONTROL_LANE:
            raise Refusal("wrong_kind", "A sealed change was sent among open statements. Nothing was changed.")
        if header.book != first.book:
            raise Refusal("mixed_run", "Statements about more than one book were sent as one. Nothing was changed.")
        if header.seq != seq or header.prev != prev:
            raise Refusal("broken_chain", "The statements do not follow one another. Nothing was changed.")
        if header.size > wire.LARGEST_BODY or len(change.body) != header.size:
            raise Refusal("wrong_size", "A statement is not of the size that was signed. Nothing was changed.")
        prev = wire.change_id(change.header)
        seq += 1
        statements.append(Statement(change.header, prev, header.device, change.body, change.signature))
    return CheckedControl(first.book, first.seq, first.prev, statements)


def check_head(control: CheckedControl, head: Head, known: Sequence[Known]) -> int:
    """Compare and swap: return how many statements the store holds already, or refuse because somebody was first."""
    count = known_part(control, head.control_seq)
    same = len(known) == count and all(s.header == k.header for s, k in zip(control.statements, known, strict=False))
    follows = count > 0 or (control.first == head.control_seq + 1 and control.prev == head.control_head)
    if not (same and follows):
        raise Refusal(
            "head_moved",
            "Somebody else changed this first, so the central store did not take it. Nothing was changed. "
            "Fetch the news, look at what is there now, and do it again if it is still right.",
            409,
        )
    return count


def check_speakers(statements: Sequence[Statement], asker: bytes, root: bytes | None) -> None:
    """Check that the asking device speaks for itself. In the directory the offline `root` may speak through it."""
    for statement in statements:
        if statement.device not in (asker, root):
            raise Refusal("wrong_device", "A laptop can send only what was signed on it. Nothing was changed.", 403)


def revoked() -> Refusal:
    """Return the refusal of a device that the directory has taken out."""
    return Refusal(
        "device_revoked",
        "This laptop was taken out of the organisation's directory, so the central store no longer answers it. "
        "What is written on it is still there. Speak to whoever looks after the directory.",
        403,
    )


def not_allowed(reason: str) -> Refusal:
    """Return the refusal of a statement that breaks a rule of membership, in the rule's own words."""
    return Refusal("not_allowed", f"The central store did not take this: {reason}. Nothing was changed.", 403)


def page_end(marks: Sequence[tuple[int, int, bool]], most: int, largest: int) -> int | None:
    """Return the number at which a page ends: the last end of a run within `most` changes and `largest` bytes.

    `marks` are number, bytes and whether a run ends there, in order. When not even the first run fits, the page is
    that one run; None says that its end lies beyond the marks.
    """
    end: int | None = None
    total = 0
    for count, (n, size, ends_run) in enumerate(marks, start=1):
        total += size
        if (count > most or total > largest) and end is not None:
            break
        if ends_run:
            end = n
    return end


def clock_refusal(theirs_ms: int, now_ms: int) -> Refusal | None:
    """Return the refusal of a request whose clock is too far from the store's, or None when it is near enough."""
    apart = theirs_ms - now_ms
    if abs(apart) <= wire.CLOCK_TOLERANCE_MS:
        return None
    return Refusal(
        "clock_wrong",
        f"This laptop's clock is {_span(abs(apart))} {'ahead of' if apart > 0 else 'behind'} the central store's, "
        f"which shows {_utc(now_ms)}. Nothing was sent, and what is written is safe. Set the clock and try again.",
        401,
    )


def read_header(raw: bytes) -> wire.Header:
    """Read a header; raise `Refusal` for one that cannot be read."""
    try:
        return wire.unpack(raw)
    except wire.BadHeader as error:
        raise Refusal("bad_header", f"A change cannot be read: {error}. {_SAFE} Please update leadworker.") from error


def _span(ms: int) -> str:
    return " ".join(_parts(ms // 1000))


def _parts(seconds: int) -> Iterator[str]:
    """Say a length of time in its two largest units."""
    said = 0
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, length)
        if count and said < 2:
            said += 1
            yield f"{count} {unit}" + ("" if count == 1 else "s")


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, tz=UTC).strftime("%d %B %Y, %H:%M:%S UTC").lstrip("0")
