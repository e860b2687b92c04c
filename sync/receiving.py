"""Receives casebooks page by page, the newest first; each page is durable here before anything is told of it (C.8, D.4)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping

from leadworker.desk import Bell
from leadworker.directory import Directory
from leadworker.postbox import Confirmed, Joined, Postbox
from sync import wire
from sync.checking import mistrusted
from sync.client import HubClient
from sync.left_out import LeftOut
from sync.pages import checked_pages, one_ahead
from sync.progress import Progress
from sync.receipts import NOTHING, Promised

NOT_SHOWN = (
    "The central store no longer shows this laptop a casebook that it has shown before. Either you were taken out of it, or the "
    "store was put back to an older state or hides it. Everything of it is still here. Ask its lead or your administrator."
)


class Receiving:
    """The receiving half of one sync. `received` counts what others wrote, without the statements around it."""

    def __init__(
        self, box: Postbox, client: HubClient, hub_key: bytes, left_out: LeftOut, ring: Callable[[Bell], None],
        tell: Callable[[Progress], None],
    ) -> None:  # fmt: skip
        self._box = box
        self._client = client
        self._hub_key = hub_key
        self._left_out = left_out
        self._ring = ring
        self._tell = tell
        self._whole = 0
        self._casebooks = 0
        self.received = 0
        self._numbered = 0

    async def whatever_is_new(self, news: wire.News, joined: Joined, directory: Directory) -> None:
        """Fetch what is new, the casebooks that grew last first: on a fresh laptop each can be worked with once it is here (D.4)."""
        confirmed = await self._box.confirmed()
        total = sum(max(0, b.n - confirmed[b.book].n if b.book in confirmed else b.n) for b in news.books)
        books = sorted((b for b in news.books if b.book != joined.organisation), key=lambda b: b.grew_ms, reverse=True)
        self._casebooks = sum(b.book not in confirmed or confirmed[b.book].n == 0 for b in books)
        for book in books:
            here = confirmed.get(book.book, Confirmed(0, b"", ""))
            async with self._left_out.if_wrong(book.book):
                if book.n != here.n:
                    await self.book(book.book, directory, announced=book.n, total=total)
                    self._whole += here.n == 0
                elif not hmac.compare_digest(book.digest, here.digest):
                    raise mistrusted("counts a casebook's changes differently from what it has shown this laptop before")
                elif here.trouble:
                    await self._box.trouble(book.book, "")  # it is whole again; whatever else is wrong comes up again later
        listed = {book.book for book in news.books}
        for book_id, here in confirmed.items():
            if here.n and book_id not in listed and book_id != joined.organisation:
                await self._left_out.leave(book_id, NOT_SHOWN)

    async def book(
        self, book: bytes, directory: Directory, *, announced: int = 0, total: int = 0, promised: Mapping[int, Promised] = NOTHING
    ) -> None:
        """Keep the pages of a book that are not here yet. `announced` is how far the store says that it goes, `promised` what
        it has just given this laptop receipts for, `total` how many changes this sync receives, as far as is known.
        """
        state = await self._box.book_state(book)
        coming = checked_pages(self._box, self._client, state, directory, self._hub_key, announced, promised)
        async with one_ahead(coming) as pages:
            async for checked, receipt in pages:
                after = checked.after
                bell = await self._box.take(book, state.n, checked.received, checked.keys, after.digest, receipt, state.digest)
                self._ring(bell)
                state = after
                self.received += sum(item.by_colleague for item in checked.received)
                self._numbered += sum(not item.own for item in checked.received)
                self._tell(Progress("receiving", self._numbered, total, whole=self._whole, casebooks=self._casebooks))

    async def again(self, book: bytes, directory: Directory) -> None:
        """Fetch what this laptop has just said of a book, and what others said before it."""
        here = (await self._box.confirmed()).get(book, Confirmed(0, b"", ""))
        await self.book(book, directory, announced=here.n)
