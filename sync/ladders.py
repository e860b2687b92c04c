"""Keys that lead down to older ones, and those that no newer one leads to (docs/sealed-format.md, section 6)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from leadworker.crypto.envelope import BookKey, commitment_to
from leadworker.crypto.identity import CannotOpen
from leadworker.membership import BookMembers
from leadworker.postbox import BookState


def climbed(key: BookKey, members: BookMembers) -> Iterator[BookKey]:
    """Give the older keys that a key leads down to, newest first, each checked against what was promised to everybody.

    A ladder that does not hold, or carries what nobody promised, ends the way down. One may lead past an epoch: who signed
    its rotation had not been given that one.
    """
    while key.epoch > 1:
        try:
            secret = key.climb_down(members.ladders.get(key.epoch, b""))
        except CannotOpen:
            return
        epoch = next((one for one in range(key.epoch - 1, 0, -1) if _is_promised(key.book, one, secret, members)), 0)
        if not epoch:
            return
        key = BookKey(key.book, epoch, secret)
        yield key


def is_promised(key: BookKey, members: BookMembers) -> bool:
    """Return whether a key is the one that the signed rotation of its epoch promised to everybody."""
    return _is_promised(key.book, key.epoch, key.secret, members)


def _is_promised(book: bytes, epoch: int, secret: bytes, members: BookMembers) -> bool:
    return hmac.compare_digest(commitment_to(book, epoch, secret), members.commitments.get(epoch, b""))


def present_key(state: BookState) -> BookKey | None:
    """Return a book's present key, None where this laptop was not given it."""
    epoch = state.members.epoch
    return BookKey(state.book, epoch, state.keys[epoch]) if epoch in state.keys else None


def newest_key(state: BookState) -> BookKey | None:
    """Return the newest key of a book that this laptop holds."""
    epoch = max(state.keys, default=0)
    return BookKey(state.book, epoch, state.keys[epoch]) if epoch else None


def left_behind(state: BookState) -> tuple[BookKey, ...]:
    """Return the keys held here that the present one does not lead to, newest first, but none that another of them leads to."""
    key, found = present_key(state), list[BookKey]()
    if key is None:
        return ()
    reached = {key.epoch, *(older.epoch for older in climbed(key, state.members))}
    for epoch in sorted(state.keys, reverse=True):
        if epoch not in reached:
            found.append(BookKey(state.book, epoch, state.keys[epoch]))
            reached |= {epoch, *(older.epoch for older in climbed(found[-1], state.members))}
    return tuple(found)
