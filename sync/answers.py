"""Takes in what a colleague's laptop brought back from the central store in a file (docs/decisions/0025).

Nobody who carried it is believed: each page holds only with the central store's own signature for where it ends, and is
then checked like a page that came over the line. A page that is here already is passed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from leadworker.change import first_digest
from leadworker.crypto.identity import CannotOpen
from leadworker.crypto.parcels import NotAParcel
from leadworker.desk import Bell
from leadworker.directory import Directory
from leadworker.errors import HubMistrusted, Refused
from leadworker.postbox import Joined, Postbox
from leadworker.text import one_line
from sync import parcel, unopened, wire
from sync.checking import PageCheck, numbered, vouched
from sync.joining import admitted, take_directory
from sync.parcel import Answers, Brings, Tells
from sync.progress import Progress

NOT_VOUCHED: Final = (
    "A part of this file does not carry the central store's signature as it must, so it was not taken in. What is here is safe. "
    "Ask who carried it to do it again, and tell your administrator if it happens twice."
)
LATER: Final = (
    "This file goes on from a later place than where this laptop stands, so a casebook of it was not taken in. Visit the stick again "
    "and have it carried once more; nothing is lost."
)
MOST_TOLD: Final = 5
_ANOTHER: Final = "This file answers for another organisation or another central store. Nothing was taken in."


class Answer:
    """One answer as it is taken in: what it brought, and sentences about what does not hold."""

    def __init__(self, box: Postbox, ring: Callable[[Bell], None], tell: Callable[[Progress], None]) -> None:
        self._box = box
        self._ring = ring
        self._tell = tell
        self._stopped: dict[bytes, str] = {}
        self._told: dict[str, None] = {}
        self._grew = False
        self.received = 0
        self.confirmed = 0
        self.parcel = b""

    @property
    def alarms(self) -> tuple[str, ...]:
        """Return what does not hold, and what the central store is said to have refused."""
        return (*dict.fromkeys(self._stopped.values()), *self._told)

    async def read(self, file: Path) -> bool:
        """Take a whole file in, page by page, each durable before the next; return whether it is for this laptop.

        Raises `NotAParcel`: what stood before the damage is in, and can come again. Raises `Refused` for another organisation's.
        """
        mine = await self._read(file)
        if mine and self._stopped and self._grew:  # the directory that a page speaks of may have come after it
            self._stopped.clear()
            await self._read(file)
        if mine:
            told = await unopened.to_tell(self._box)
            self._told |= dict.fromkeys(one.sentence for one in told)
            await unopened.was_told(self._box, told)
        return mine

    async def _read(self, file: Path) -> bool:
        joined = await admitted(self._box)
        with await asyncio.to_thread(parcel.reading, file) as source:
            frames = parcel.opened(source.read, self._box.device, self._box.unseal)
            try:
                first = await asyncio.to_thread(next, frames, None)
            except CannotOpen:
                return False
            if not isinstance(first, Answers):
                raise NotAParcel("it does not begin as it must")
            if (first.organisation, first.hub) != (joined.organisation, joined.hub_key):
                raise Refused(_ANOTHER)
            self.parcel = first.parcel
            while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                if isinstance(frame, Tells):
                    self._hear(frame)
                elif isinstance(frame, Brings):
                    await self._bring(frame, joined)
                else:
                    raise NotAParcel("a part of it is out of place")
        return True

    def _hear(self, told: Tells) -> None:
        """Keep what the central store is said to have refused: only whoever carried the file vouches for these words."""
        if len(self._told) < MOST_TOLD:
            said = one_line(told.sentence)[:300]
            words = f"Whoever carried it says that the central store did not take something, which is still here. Its words: “{said}”"
            self._told[words] = None

    async def _bring(self, frame: Brings, joined: Joined) -> None:
        if frame.book in self._stopped:
            return
        try:
            if frame.book == joined.organisation:
                await self._directory(frame.page, joined)
            else:
                await self._book(frame, joined)
        except HubMistrusted as error:  # this book of this file; the next sync over the line asks the store itself
            self._stopped[frame.book] = error.sentence

    async def _directory(self, page: wire.Page, joined: Joined) -> None:
        directory = await self._box.directory() or Directory(joined.organisation)
        here = (await self._box.confirmed()).get(joined.organisation)
        n, digest = (here.n, here.digest) if here else (0, first_digest(joined.organisation))
        rest = _beyond(page, n)
        if rest is None:
            return
        checked = list(numbered(joined.organisation, n, digest, rest))
        if not vouched(joined.hub_key, joined.organisation, rest, checked[-1][2]):
            raise HubMistrusted(NOT_VOUCHED)
        await take_directory(self._box, joined, directory, rest, checked)
        self._grew = True

    async def _book(self, frame: Brings, joined: Joined) -> None:
        state = await self._box.book_state(frame.book)
        rest = _beyond(frame.page, state.n)
        if rest is None:
            return
        directory = await self._box.directory() or Directory(joined.organisation)
        checked = await asyncio.to_thread(lambda: PageCheck(state, directory, self._box.device, self._box.unseal).check(rest))
        receipt = vouched(joined.hub_key, frame.book, rest, checked.after.digest)
        if not receipt:
            raise HubMistrusted(NOT_VOUCHED)
        self._ring(await self._box.take(frame.book, state.n, checked.received, checked.keys, checked.after.digest, receipt))
        self.confirmed += sum(item.own for item in checked.received)
        self.received += sum(item.by_colleague for item in checked.received)
        self._tell(Progress("reading", self.received + self.confirmed, 0))


def _beyond(page: wire.Page, n: int) -> wire.Page | None:
    """Return what of a page is after number `n`, None when nothing is; raise `HubMistrusted` when it begins too late.

    The store's signature covers the time of the last change; none before it is later.
    """
    rest = [item for item in page.changes if item.n > n]
    if not rest:
        return None
    if rest[0].n != n + 1:
        raise HubMistrusted(LATER)
    last_ms = rest[-1].received_ms
    in_time = (item if item.received_ms <= last_ms else msgspec.structs.replace(item, received_ms=last_ms) for item in rest)
    return msgspec.structs.replace(page, changes=tuple(in_time))
