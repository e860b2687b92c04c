"""Everything that a laptop checks of what the central store sends, before it believes a byte of it (security C.8).

Pure: a page and what is known of the book go in, checked changes come out. A *sequence* that does not fit stops the
book with `HubMistrusted`; a single *change* that cannot be opened or read is put aside and the rest goes on.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import msgspec

from leadworker import change
from leadworker.change import CONTROL_LANE, Content, Kind
from leadworker.crypto.envelope import BookKey, key_info, sealed_epoch
from leadworker.crypto.identity import CannotOpen
from leadworker.errors import HubMistrusted
from leadworker.membership import BookMembers, Directory, Grant, NotAllowed, Rotation
from leadworker.postbox import BookState, LaneHead, Received
from sync import wire

Unseal = Callable[[bytes, bytes], bytes]

_SAFE = "Nothing from it was taken in, everything here is safe, and your own work goes on. Tell your administrator."


class Checked(msgspec.Struct, frozen=True):
    """A page that holds. `keys` are the book's keys by epoch that this page brought, `digest` the running one after it."""

    received: tuple[Received, ...]
    keys: dict[int, bytes]
    digest: bytes
    members: BookMembers


class PageCheck:
    """Checks one page of one book against what this laptop knows."""

    def __init__(self, state: BookState, directory: Directory, device: bytes, unseal: Unseal) -> None:
        self._state = state
        self._directory = directory
        self._device = device
        self._unseal = unseal
        self._lanes: dict[tuple[bytes, int], LaneHead] = dict(state.lanes)
        self._members = state.members.copy()
        self._secrets = dict(state.keys)
        self._opened: dict[int, BookKey] = {}
        self._digest = state.digest
        self._new_keys: dict[int, bytes] = {}
        self._run: list[Received] = []
        self._done: list[Received] = []

    def check(self, page: wire.Page) -> Checked:
        """Return the page's changes, checked; raise `HubMistrusted` for a sequence that does not fit."""
        n = self._state.n
        if page.n < n:
            raise HubMistrusted(
                "The central store has fewer changes of a casebook than this laptop has already seen from it: it may have been "
                f"put back to an older state. {_SAFE}"
            )
        for item in page.changes:
            n += 1
            if item.n != n:
                raise _mistrusted("has left out a change or changed their order")
            self._take(item)
        if self._run:
            raise _mistrusted("has sent changes without the signature that vouches for them")
        if page.n == n and not hmac.compare_digest(page.digest, self._digest):
            raise _mistrusted("counts a casebook's changes differently from what it has sent")
        return Checked(tuple(self._done), self._new_keys, self._digest, self._members)

    def _take(self, item: wire.Numbered) -> None:
        try:
            header = change.unpack(item.header)
        except change.BadHeader as error:
            raise _mistrusted("has sent a change that this version cannot read") from error
        if header.book != self._state.book:
            raise _mistrusted("has mixed two casebooks")
        identity = change.change_id(item.header)
        self._digest = change.next_digest(self._digest, identity, item.n)
        if header.lane == CONTROL_LANE:
            self._statement(item, header)
        else:
            self._content(item, header, identity)

    def _statement(self, item: wire.Numbered, header: change.Header) -> None:
        if self._run:
            raise _mistrusted("has broken a colleague's changes apart")
        try:
            statement = self._members.apply(item.header, item.body, item.signature, self._directory)
        except NotAllowed as error:
            raise HubMistrusted(f"The central store has let through a change of members that is against the rules: {error}. {_SAFE}") from error
        if isinstance(statement, Rotation):
            self._unlock(statement.epoch, statement.seals.get(self._device), statement.ladder)
        elif isinstance(statement, Grant):
            self._unlock(statement.epoch, statement.seals.get(self._device), b"")
        self._done.append(
            Received(item.n, item.header, item.body, item.signature, self._digest, item.received_ms)
        )

    def _content(self, item: wire.Numbered, header: change.Header, identity: bytes) -> None:
        lane = (header.device, header.lane)
        mine = header.device == self._device
        known = self._lanes.get(lane, LaneHead(0, change.FIRST, mine))
        if mine and header.seq <= known.seq:
            self._own(item, header, identity)
            return
        if (header.seq, header.prev) != (known.seq + 1, known.head):
            raise _mistrusted("has left out or moved a change of one writer")
        if not self._members.may_write(header.device):
            raise _mistrusted("has let through a change by somebody who may not write in the casebook")
        if self._run and _lane_of(self._run[-1].header) != lane:
            raise _mistrusted("has sent changes without the signature that vouches for them")
        self._lanes[lane] = LaneHead(header.seq, identity, mine)
        self._run.append(self._opened_change(item, header))
        if item.signature:
            self._end_run(item, header, identity)

    def _own(self, item: wire.Numbered, header: change.Header, identity: bytes) -> None:
        kept = self._state.own.get((header.lane, header.seq))
        if kept is None or not hmac.compare_digest(kept, identity):
            raise _mistrusted("gives back something else than this laptop wrote")
        self._done.append(
            Received(item.n, item.header, None, b"", self._digest, item.received_ms, own=True)
        )

    def _end_run(self, item: wire.Numbered, header: change.Header, identity: bytes) -> None:
        enrolled = self._directory.devices.get(header.device)
        if enrolled is None:
            raise _mistrusted("has let through a change by a device that the directory does not name")
        if not wire.is_signed(enrolled.statement.signing, wire.HEAD, identity, item.signature):
            raise _mistrusted("has sent changes whose signature is not their writer's")
        self._done += self._run
        self._run = []

    def _opened_change(self, item: wire.Numbered, header: change.Header) -> Received:
        body, content, why = None, None, ""
        try:
            body = self._key(sealed_epoch(item.body)).open(item.header, item.body)
            if header.kind == Kind.CONTENT:
                content = change.read_content(body)
                why = _unreadable(content)
        except CannotOpen as error:
            why = str(error)
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError, IndexError):
            why = "its words cannot be read"
        return Received(
            item.n, item.header, body, item.signature, self._digest, item.received_ms,
            None if why else content, item.body if why else b"", why,
        )  # fmt: skip

    def _key(self, epoch: int) -> BookKey:
        if epoch not in self._opened:
            secret = self._secrets.get(epoch)
            if secret is None:
                raise CannotOpen("this laptop was not given the key")
            self._opened[epoch] = BookKey(self._state.book, epoch, secret)
        return self._opened[epoch]

    def _unlock(self, epoch: int, sealed: bytes | None, ladder: bytes) -> None:
        """Open this laptop's copy of a key, check it against what was promised to everybody, and climb down to older ones."""
        if sealed is None or epoch in self._secrets:
            return
        try:
            secret = self._unseal(sealed, key_info(self._state.book, epoch, self._device))
        except CannotOpen as error:
            raise _mistrusted("has sent a key that is not for this laptop") from error
        key = BookKey(self._state.book, epoch, secret)
        if not hmac.compare_digest(key.commitment(), self._members.commitments.get(epoch, b"")):
            raise _mistrusted("has sent a key other than the one that was promised to everybody")
        while True:
            self._opened[key.epoch] = key
            self._secrets[key.epoch] = self._new_keys[key.epoch] = key.secret
            if not ladder or key.epoch - 1 in self._secrets:
                return
            try:
                key = key.climb_down(ladder)
            except CannotOpen as error:
                raise _mistrusted("has sent a key that does not lead to the one before it") from error
            ladder = b""


def _unreadable(content: Content) -> str:
    if content.schema > change.SCHEMA:
        return "it was written by a newer leadworker; update to see it"
    if len(content.seen) != 2 or len(content.seen[1]) != 32 or not 0 <= content.stamp < 2**63:
        return "its words cannot be read"
    return ""


def _lane_of(raw: bytes) -> tuple[bytes, int]:
    header = change.unpack(raw)
    return header.device, header.lane


def _mistrusted(what: str) -> HubMistrusted:
    return HubMistrusted(f"The central store {what}. {_SAFE}")

