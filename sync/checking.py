"""Everything that a laptop checks of what the central store sends, before it believes a byte of it (security C.8).

Pure: a page and what is known of the book go in, checked changes come out. A *sequence* that does not fit stops the
book with `HubMistrusted`; a single *change* that cannot be opened or read is put aside and the rest goes on.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping

import msgspec

from leadworker import change
from leadworker.change import CONTROL_LANE, Header
from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import CannotOpen
from leadworker.crypto.opening import opened
from leadworker.directory import Directory
from leadworker.errors import HubMistrusted
from leadworker.postbox import BookState, LaneHead, Received
from leadworker.statements import Grant, NotAllowed, Rotation
from sync import wire
from sync.ladders import climbed, is_promised
from sync.receipts import NOTHING, Promised

Unseal = Callable[[bytes, bytes], bytes]

_SAFE = "Nothing from it was taken in, everything here is safe, and your own work goes on. Tell your administrator."


class Checked(msgspec.Struct, frozen=True):
    """A page that holds. `keys` are the book's keys by epoch that it brought; `after` is what is known once it is kept."""

    received: tuple[Received, ...]
    keys: dict[int, bytes]
    after: BookState


class _Sealed(msgspec.Struct, frozen=True):
    """A content change whose place and signature hold, not opened yet: its key may come later in the same page."""

    item: wire.Numbered
    header: Header
    digest: bytes


def numbered(book: bytes, n: int, digest: bytes, page: wire.Page) -> Iterator[tuple[wire.Numbered, bytes, bytes]]:
    """Give each item of a page with its id and the running digest there; raise `HubMistrusted` when they do not add up.

    `n` and `digest` are where the book stands here. What was given before an error was raised must not be kept.
    """
    if page.n < n:
        raise HubMistrusted(
            "The central store has fewer changes of a casebook than this laptop has already seen from it: it may have been "
            f"put back to an older state. {_SAFE}"
        )
    for item in page.changes:
        n += 1
        if item.n != n:
            raise mistrusted("has left out a change or changed their order")
        identity = change.change_id(item.header)
        digest = change.next_digest(digest, identity, n)
        yield item, identity, digest
    if page.n < n or page.more != (n < page.n) or (page.more and not page.changes):
        raise mistrusted("has sent another number of changes than it says that there are")
    if page.n == n and not hmac.compare_digest(page.digest, digest):
        raise mistrusted("counts a casebook's changes differently from what it has sent")


class PageCheck:
    """Checks one page of one book against what this laptop knows."""

    def __init__(
        self, state: BookState, directory: Directory, device: bytes, unseal: Unseal, promised: Mapping[int, Promised] = NOTHING
    ) -> None:
        self._state = state
        self._promised = promised
        self._directory = directory
        self._device = device
        self._unseal = unseal
        self._lanes: dict[tuple[bytes, int], LaneHead] = dict(state.lanes)
        self._members = state.members.copy()
        self._secrets = dict(state.keys)
        self._own = dict(state.own)
        self._opened: dict[int, BookKey] = {}
        self._new_keys: dict[int, bytes] = {}
        self._run: list[_Sealed] = []
        self._done: list[Received | _Sealed] = []

    def check(self, page: wire.Page) -> Checked:
        """Return the page's changes, checked; raise `HubMistrusted` for a sequence that does not fit."""
        self._refuse_fewer_than_receipted(page)
        n, digest = self._state.n, self._state.digest
        for item, identity, digest in numbered(self._state.book, self._state.n, self._state.digest, page):
            self._take(item, identity, digest)
            n = item.n
        if self._run:
            raise mistrusted("has sent changes without the signature that vouches for them")
        received = tuple(one if isinstance(one, Received) else self._opened_change(one) for one in self._done)
        return Checked(received, self._new_keys, self._after(n, digest))

    def _after(self, n: int, digest: bytes) -> BookState:
        """Return what the vault will say of the book when it has kept this page, for the check of the next one."""
        return BookState(self._state.book, n, digest, self._lanes, self._own, self._members, self._secrets)

    def _refuse_fewer_than_receipted(self, page: wire.Page) -> None:
        if page.n < max(self._promised, default=0):
            raise HubMistrusted(
                "The central store no longer has changes that it gave this laptop a receipt for: it may have been put back to an "
                f"older state. {_SAFE}"
            )

    def _take(self, item: wire.Numbered, identity: bytes, digest: bytes) -> None:
        try:
            header = change.unpack(item.header)
        except change.BadHeader as error:
            raise mistrusted("has sent a change that this version cannot read") from error
        if header.book != self._state.book:
            raise mistrusted("has mixed two casebooks")
        self._compare_with_receipt(item, header, digest)
        if header.lane == CONTROL_LANE:
            self._statement(item, digest)
        else:
            self._content(item, header, identity, digest)

    def _compare_with_receipt(self, item: wire.Numbered, header: Header, digest: bytes) -> None:
        """A receipt was signed: the change that it was given for stands at that number, with that digest, or nowhere."""
        promised = self._promised.get(item.n)
        if promised is None:
            return
        place = (header.lane, header.seq) if header.device == self._device else None
        if place != (promised.lane, promised.seq) or (promised.digest and not hmac.compare_digest(promised.digest, digest)):
            raise mistrusted("shows another history than the one that it gave this laptop a receipt for")

    def _statement(self, item: wire.Numbered, digest: bytes) -> None:
        self._refuse_inside_a_run()
        try:
            statement = self._members.apply(item.header, item.body, item.signature, self._directory)
        except NotAllowed as error:
            raise mistrusted(f"has let through a change of members that is against the rules: {error}") from error
        if isinstance(statement, Rotation | Grant):
            self._unlock(statement.epoch, statement.seals.get(self._device))
        self._done.append(Received(item.n, item.header, item.body, item.signature, digest, item.received_ms))

    def _content(self, item: wire.Numbered, header: Header, identity: bytes, digest: bytes) -> None:
        lane = (header.device, header.lane)
        mine = header.device == self._device
        known = self._lanes.get(lane, LaneHead(0, change.FIRST, mine))
        if mine and header.seq <= known.seq:
            self._own_change(item, header, identity, digest)
            return
        if (header.seq, header.prev) != (known.seq + 1, known.head):
            raise mistrusted("has left out or moved a change of one writer")
        if not self._members.may_write(header.device):
            raise mistrusted("has let through a change by somebody who may not write in the casebook")
        if self._run and (self._run[-1].header.device, self._run[-1].header.lane) != lane:
            raise mistrusted("has sent changes without the signature that vouches for them")
        self._lanes[lane] = LaneHead(header.seq, identity, mine)
        self._run.append(_Sealed(item, header, digest))
        if item.signature:
            self._end_run(item, header, identity)

    def _own_change(self, item: wire.Numbered, header: Header, identity: bytes, digest: bytes) -> None:
        self._refuse_inside_a_run()
        kept = self._own.pop((header.lane, header.seq), None)  # once: it has one number
        if kept is None or not hmac.compare_digest(kept, identity):
            raise HubMistrusted(
                "The central store gives back something else than this laptop wrote. If this vault is an older copy of itself that "
                f"was put back by hand and written in since, that is why: tell your administrator so. {_SAFE}"
            )
        self._done.append(Received(item.n, item.header, None, b"", digest, item.received_ms, own=True))

    def _refuse_inside_a_run(self) -> None:
        if self._run:
            raise mistrusted("has broken a colleague's changes apart")

    def _end_run(self, item: wire.Numbered, header: Header, identity: bytes) -> None:
        enrolled = self._directory.devices.get(header.device)
        if enrolled is None:
            raise mistrusted("has let through a change by a device that the directory does not name")
        if not wire.is_signed(enrolled.statement.signing, wire.HEAD, identity, item.signature):
            raise mistrusted("has sent changes whose signature is not their writer's")
        self._done += self._run
        self._run = []

    def _opened_change(self, sealed: _Sealed) -> Received:
        item = sealed.item
        found = opened(item.header, sealed.header, item.body, self._key)
        return Received(
            item.n, item.header, found.body, item.signature, sealed.digest, item.received_ms, found.content,
            item.body if found.why else b"", found.why,
        )  # fmt: skip

    def _key(self, epoch: int) -> BookKey:
        if epoch not in self._opened:
            secret = self._secrets.get(epoch)
            if secret is None:
                raise CannotOpen("this laptop was not given the key")
            self._opened[epoch] = BookKey(self._state.book, epoch, secret)
        return self._opened[epoch]

    def _unlock(self, epoch: int, sealed: bytes | None) -> None:
        """Open this laptop's copy of a key, check it against what was promised to everybody, and climb down to older ones.

        One that does not open or does not fit counts as none: only this laptop can tell, and everybody else goes on with it.
        So what follows is taken in, and what is written under that key waits (`sync.unopened`).
        """
        if epoch in self._secrets:
            if not is_promised(self._key(epoch), self._members):
                raise mistrusted("has sent another key for a casebook than the one that this laptop made for it")
            return
        if sealed is None:
            return
        try:
            key = BookKey(self._state.book, epoch, self._unseal(sealed, key_info(self._state.book, epoch, self._device)))
        except CannotOpen:
            return
        if not is_promised(key, self._members):
            return
        self._keep(key)
        for older in climbed(key, self._members):
            if older.epoch in self._secrets:
                return
            self._keep(older)

    def _keep(self, key: BookKey) -> None:
        self._opened[key.epoch] = key
        self._secrets[key.epoch] = self._new_keys[key.epoch] = key.secret


def vouched(hub_key: bytes, book: bytes, page: wire.Page, digest: bytes) -> bytes:
    """Return a page's receipt for its last change if the store has signed it, else nothing. `digest` is the one after the page.

    A page is believed for what it shows and not for its receipt, which serves a store that has to be restored (C.8).
    """
    if not page.changes:
        return b""
    last = page.changes[-1]
    if not 0 <= last.received_ms < 2**63:
        return b""
    said = wire.receipt_message(book, change.change_id(last.header), last.n, digest, last.received_ms)
    return page.receipt if wire.is_signed(hub_key, wire.RECEIPT, said, page.receipt) else b""


def mistrusted(what: str) -> HubMistrusted:
    """Return the alarm about a casebook whose sequence does not fit."""
    return HubMistrusted(f"The central store {what}. {_SAFE}")
