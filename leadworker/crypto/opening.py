"""Opens a received change and tells whether it can be read: the same for one that opens at once and one that waits for its key."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from leadworker import change
from leadworker.change import Content, Header, Kind
from leadworker.crypto.envelope import BookKey, sealed_epoch
from leadworker.crypto.identity import CannotOpen


class Opened(msgspec.Struct, frozen=True, gc=False):
    """What a sealed change holds. `body` is None where it does not open, and `content` where `why` says that it cannot be read,
    or where it is of a kind without words.
    """

    body: bytes | None
    content: Content | None
    why: str


def opened(raw: bytes, header: Header, sealed: bytes, key_of: Callable[[int], BookKey]) -> Opened:
    """Open a change whose header is `raw`, with the key of its epoch. `key_of` raises `CannotOpen` for a key that is not here."""
    body: bytes | None = None
    try:
        if header.size > change.LARGEST_BODY or len(sealed) != header.size + change.SEAL_OVERHEAD:
            raise CannotOpen("not of the size that was signed, or larger than any change may be")
        body = key_of(sealed_epoch(sealed)).open(raw, sealed)
        content = change.read_content(body) if header.kind == Kind.CONTENT else None
        why = "" if content is None else change.unreadable(content)
    except CannotOpen as error:
        return Opened(None, None, str(error))
    except msgspec.DecodeError:
        return Opened(body, None, change.UNREADABLE)
    return Opened(body, None if why else content, why)
