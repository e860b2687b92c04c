"""Keeps what somebody had written when they lost a book, until those who decide about it have fetched it (C.6).

It is sealed to them; the store sees who handed in, for which book, and how much. It is a letter box, no record: what comes
of it is written into the book by one of its members.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sync import wire
from sync.hub.rules import Refusal
from sync.hub.store import LateRow, Session

MOST_RECIPIENTS: Final = 100
MOST_AT_ONCE: Final = 20
_SAFE: Final = "Nothing was taken; what is written is safe on the laptop."


def hand_in(session: Session, sender: bytes, late: wire.Late, now_ms: int) -> bytes:
    """Keep a late submission and return its id. The same one again is the same."""
    if len(late.book) != 16 or not 1 <= len(late.seals) <= MOST_RECIPIENTS:
        raise Refusal("bad_request", f"What is handed in late is for 1 to {MOST_RECIPIENTS} laptops of one casebook. {_SAFE}")
    if any(len(device) != 16 or len(seal) != wire.SEALED_KEY_BYTES for device, seal in late.seals):
        raise Refusal("bad_request", f"A sealed key is not of its size. {_SAFE}")
    if len(late.sealed) > wire.LARGEST_LATE:
        raise Refusal("too_large", f"What is handed in late is too large for one time. {_SAFE} Smaller parts get through.", 413)
    identity = hashlib.sha256(b"lw/late-id/v1\0" + sender + late.book + late.sealed).digest()[:16]
    if session.late_of(sender) >= wire.MOST_LATE:
        raise Refusal(
            "too_much_late",
            f"{wire.MOST_LATE} late submissions of this laptop wait to be fetched already. {_SAFE} "
            "Ask a supervisor of the casebook to sync.",
            429,
        )
    known = [(device, seal) for device, seal in dict(late.seals).items() if session.device(device) is not None]
    if not known:
        raise Refusal("bad_request", f"None of those for whom this was sealed is in the directory. {_SAFE}")
    session.add_late(LateRow(identity, late.book, sender, b"", late.sealed, now_ms), known)
    return identity


def waiting(session: Session, device: bytes) -> wire.LateItems:
    """Return what waits for a device, as much as fits one answer."""
    items: list[wire.LateItem] = []
    size = 0
    for row in session.late_for(device, MOST_AT_ONCE):
        size += len(row.sealed)
        if items and size > wire.LARGEST_BATCH:
            break
        items.append(wire.LateItem(*row))
    return wire.LateItems(tuple(items))
