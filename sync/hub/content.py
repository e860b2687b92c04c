"""Takes the runs of a push into their books, each whole or not at all, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sync import wire
from sync.hub import allowance, numbering, rules
from sync.hub.allowance import Allowance
from sync.hub.rules import CheckedRun, Refusal
from sync.hub.store import Known, Lane, Row, Session


class SentRun(NamedTuple):
    """A run of a push after the checks that need no database: what it holds, or why it is refused."""

    book: bytes
    run: CheckedRun | Refusal

    @property
    def size(self) -> int:
        """Return how many changes there are to take."""
        return 0 if isinstance(self.run, Refusal) else len(self.run.items)


def check_push(push: wire.Push, device: bytes, signing: bytes) -> list[SentRun]:
    """Check each run of a push by itself; raise `Refusal` only when the push as a whole is too large."""
    if sum(len(run.changes) for run in push.runs) > wire.MOST_IN_BATCH:
        raise Refusal(
            "too_many",
            f"More than {wire.MOST_IN_BATCH} changes were sent at once. Nothing was taken; send them in smaller parts.",
            413,
        )
    return [_check(run, device, signing) for run in push.runs]


def books_of(sent: Sequence[SentRun]) -> list[bytes]:
    """Return the books that a push needs to hold while it is taken, in order."""
    return sorted({item.book for item in sent if isinstance(item.run, CheckedRun)})


def take(
    session: Session, device: bytes, sent: Sequence[SentRun], now_ms: int, sign: numbering.Sign, allowed: Allowance
) -> list[wire.Outcome]:
    """Take what is in order and say of each run what became of it; raise `Refusal` for a device revoked meanwhile."""
    asker = session.device(device)
    if asker is None or not asker.active:
        raise rules.revoked()
    taking = _Taking(session, device, books_of(sent), now_ms, sign, allowed)
    outcomes = []
    for item in sent:
        try:
            if isinstance(item.run, Refusal):
                raise item.run
            outcomes.append(taking.take(item.run))
        except Refusal as refusal:
            if refusal.alarm:
                session.count_alarm(refusal.code, item.book, device, now_ms)
            outcomes.append(numbering.refused(item.book, refusal))
    taking.keep()
    return outcomes


def _check(run: wire.Run, device: bytes, signing: bytes) -> SentRun:
    try:
        checked = rules.check_run(run, device, signing)
    except Refusal as refusal:
        raw = run.changes[0][0] if run.changes else b""
        return SentRun(raw[4:20] if len(raw) == wire.HEADER_BYTES else b"", refusal)
    return SentRun(checked.book, checked)


class _Taking:
    """One push under way: the books' heads and the device's lanes as they will be, and the rows to add."""

    def __init__(
        self, session: Session, device: bytes, books: Sequence[bytes], now_ms: int, sign: numbering.Sign, allowed: Allowance
    ) -> None:
        self._session = session
        self._device = device
        self._now_ms = now_ms
        self._sign = sign
        self._allowed = allowed
        self._size = session.device_size(device)
        self._heads = session.heads(books)
        self._roles = session.roles(device, books)
        self._owing = session.owing(books)
        self._lanes = session.lanes(device, books)
        self._rows: list[Row] = []
        self._moved_books: set[bytes] = set()
        self._moved_lanes: set[tuple[bytes, int]] = set()

    def take(self, run: CheckedRun) -> wire.Outcome:
        """Number a run's new changes, or raise `Refusal`. A run that is held already is a retry, whoever is member now."""
        lane = self._lanes.get((run.book, run.lane), Lane(0, wire.FIRST))
        count = rules.known_part(run, lane.seq)
        known = self._session_known(run, count)
        rules.check_place(run, lane, known)
        last = run.items[-1].change
        new = run.items[count:]
        if not new:
            return numbering.taken(run.book, last, known, (), self._sign)
        head = self._heads.get(run.book)
        rules.check_writer(self._roles.get(run.book), head.epoch if head else 0, run.book in self._owing, new)
        assert head is not None, "a member's book has a head"
        size = sum(len(item.header) + len(item.seal) for item in new) + len(run.signature)
        allowance.check_room(self._allowed, self._size, head.size, size)
        entries = [(header, change, seal, b"") for header, change, seal in new]
        entries[-1] = (*entries[-1][:3], run.signature)
        rows, self._heads[run.book] = numbering.number(head, self._device, run.lane, run.first + count, entries, self._now_ms)
        self._lanes[(run.book, run.lane)] = Lane(rows[-1].seq, last, lane.size + size)
        self._size += size
        self._moved_books.add(run.book)
        self._moved_lanes.add((run.book, run.lane))
        self._rows += rows
        return numbering.taken(run.book, last, known, rows, self._sign)

    def keep(self) -> None:
        """Write what was taken."""
        self._keep_rows()
        for book in self._moved_books:
            self._session.put_head(self._heads[book])
        lanes = [(book, lane, self._lanes[(book, lane)]) for book, lane in self._moved_lanes]
        self._session.put_lanes(self._device, lanes)

    def _session_known(self, run: CheckedRun, count: int) -> list[Known]:
        if not count:
            return []
        self._keep_rows()  # a push may hold a run twice
        return self._session.known(run.book, self._device, run.lane, run.first, run.first + count - 1)

    def _keep_rows(self) -> None:
        if self._rows:
            self._session.add_changes(self._rows)
            self._rows = []
