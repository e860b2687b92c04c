"""What was written to a stick for a colleague to carry to the central store, until an answer comes back (decision 0025)."""

from __future__ import annotations

from typing import Final

import msgspec

from leadworker.shelf import Shelf

DRAWER: Final = "parcel"


class WrittenParcel(msgspec.Struct, frozen=True):
    """A file that was written: its id as hexadecimal digits, when, until when it may be carried (both UTC ms), and how
    many changes of this laptop it holds.
    """

    id: str
    made_ms: int
    until_ms: int
    changes: int


def written(shelf: Shelf) -> tuple[WrittenParcel, ...]:
    """Return the files that no answer has come for, the newest last."""
    kept = (msgspec.msgpack.decode(raw, type=WrittenParcel) for raw in shelf.kept(DRAWER).values())
    return tuple(sorted(kept, key=lambda one: one.made_ms))


def keep(shelf: Shelf, parcel: WrittenParcel) -> tuple[str, ...]:
    """Note a file that was written; return the ids of those before it, which it replaces on the stick.

    An answer to one of those may still come. They are forgotten with it, or once nobody may carry them any more.
    """
    older = tuple(one.id for one in written(shelf))
    for one in written(shelf):
        if one.until_ms < parcel.made_ms:
            shelf.throw_away(DRAWER, one.id)
    shelf.keep(DRAWER, parcel.id, msgspec.msgpack.encode(parcel))
    return older


def answered(shelf: Shelf, parcel_id: str) -> None:
    """Note that the answer to a file has come, and with it all that those before it could bring. Of an unknown file: nothing."""
    known = written(shelf)
    if parcel_id in {one.id for one in known}:
        for one in known:
            shelf.throw_away(DRAWER, one.id)
            if one.id == parcel_id:
                return


def gone(shelf: Shelf, parcel_id: str) -> None:
    """Note that a file was not written after all."""
    shelf.throw_away(DRAWER, parcel_id)
