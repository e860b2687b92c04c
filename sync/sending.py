"""Sends what waits: sealed now, batch after batch, and counted as sent once the receipt holds and all before it is here (C.8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from leadworker import change
from leadworker.desk import Bell
from leadworker.directory import Directory
from leadworker.errors import HubMistrusted
from leadworker.postbox import Postbox, Receipt, UnsentRun
from leadworker.text import one_line
from sync import wire
from sync.carrying import BATCH, sealed_runs
from sync.client import HubClient
from sync.joining import pull_directory
from sync.left_out import LeftOut
from sync.pages import one_ahead
from sync.progress import Progress
from sync.readers import Readers
from sync.receipts import promised_by, receipt_of
from sync.receiving import Receiving

_KEY_CHANGED = frozenset({"wrong_epoch", "key_owed"})
"""Refusals after which a casebook is fetched and what waits is sealed again, in the same sync."""

Runs = tuple[UnsentRun, ...]
Sealed = tuple[wire.Run, ...]

_ON_ITS_WAY = Bell(frozenset({"journal_entry", "receipt"}), frozenset())


class Sending:
    """The sending half of one sync. `sent` counts this laptop's changes for which a receipt counts."""

    def __init__(
        self, box: Postbox, client: HubClient, hub_key: bytes, left_out: LeftOut, receiving: Receiving,
        ring: Callable[[Bell], None], tell: Callable[[Progress], None],
    ) -> None:  # fmt: skip
        self._box = box
        self._client = client
        self._hub_key = hub_key
        self._left_out = left_out
        self._receiving = receiving
        self._ring = ring
        self._tell = tell
        self._behind: set[bytes] = set()
        self._renewed: set[bytes] = set()
        self.sent = 0

    async def send(self, readers: Readers) -> None:
        """Send what waits, batch after batch, each sealed with the newest key that this laptop knows."""
        waiting = (await self._box.counts()).waiting
        if not waiting:
            return
        while await self._send_what_waits(waiting, readers):
            await self._renew(readers)
        self._ring(await self._box.not_on_its_way())  # what is left was refused, or its receipt does not count yet

    async def _send_what_waits(self, waiting: int, readers: Readers) -> bool:
        """Send batch after batch until all is sent, or one is refused in part; return whether one was."""
        refused = False
        async with one_ahead(self._receipts()) as answers:
            async for receipts, refused in answers:  # noqa: B007 - the last one counts
                ahead = await self._acknowledge(receipts)
                for book in dict.fromkeys(receipt.book for receipt in ahead if receipt.book not in self._left_out):
                    async with self._left_out.if_wrong(book):
                        await self._close_the_gap(book, [receipt for receipt in ahead if receipt.book == book], readers.directory)
                self._tell(Progress("sending", self.sent, max(waiting, self.sent)))
        return refused

    async def _receipts(self) -> AsyncGenerator[tuple[tuple[Receipt, ...], bool]]:
        """Push one batch after the other, and give the receipts for each, which are kept while the next one travels.

        The next is pushed when these receipts hold and nothing was refused: it would only be refused for what is missing
        before it.
        """
        async with one_ahead(self._batches()) as batches:
            async for runs, sealed in batches:
                receipts = await self._settle(runs, sealed, await self._client.push(sealed))
                refused = len(receipts) < len(runs)
                yield receipts, refused
                if refused:
                    return

    async def _batches(self) -> AsyncGenerator[tuple[Runs, Sealed]]:
        """Read and seal what waits, batch by batch: the next one while this one travels."""
        begun: dict[tuple[bytes, int], int] = {}
        while runs := await self._box.unsent(BATCH, frozenset(self._left_out.books), begun):
            self._ring(_ON_ITS_WAY)
            begun |= {(run.book, run.lane): change.unpack(run.changes[-1][0]).seq for run in runs}
            yield runs, await asyncio.to_thread(sealed_runs, runs)

    async def _acknowledge(self, receipts: Sequence[Receipt]) -> tuple[Receipt, ...]:
        """Keep receipts; return those before whose numbers something is not here yet."""
        bell, ahead = await self._box.acknowledge(tuple(receipts))
        self._ring(bell)
        self.sent += sum(len(receipt.ns) for receipt in receipts) - sum(len(receipt.ns) for receipt in ahead)
        return ahead

    async def _close_the_gap(self, book: bytes, ahead: Sequence[Receipt], directory: Directory) -> None:
        """Fetch what colleagues said before this laptop's new numbers, and only then count what it sent as sent.

        Nobody else may hold it yet: a colleague whose answer was lost does not know its numbers. A store that is restored in
        that moment could not have it back, and with it nothing of what came after (docs/decisions/0018). Where another pull
        was quicker, the next sync finds the rest.
        """
        await self._receiving.book(book, directory, promised=promised_by(ahead))
        await self._acknowledge(ahead)

    async def _renew(self, readers: Readers) -> None:
        """Fetch casebooks whose key was changed while this laptop sent, so that what waits is sealed with the new one."""
        behind, self._behind = self._behind, set()
        for book in behind:
            self._renewed.add(book)
            async with self._left_out.if_wrong(book):
                readers.directory = await pull_directory(self._box, self._client)
                await self._receiving.again(book, readers.directory)
                await readers.keep_up(book)

    async def _settle(self, runs: Runs, sealed: Sealed, pushed: wire.Pushed) -> tuple[Receipt, ...]:
        """Check the answer to a batch; return the receipts for what was taken, and note which books were refused."""
        if len(pushed.outcomes) != len(runs):
            raise HubMistrusted("The central store's answer does not fit what was sent. Everything is still here; it will be sent again.")
        receipts = []
        for run, sent, outcome in zip(runs, sealed, pushed.outcomes, strict=True):
            if outcome.code in _KEY_CHANGED and run.book not in self._renewed:
                self._behind.add(run.book)
                continue
            if outcome.code:
                await self._left_out.leave(run.book, one_line(outcome.sentence)[:400])
                continue
            receipts.append(receipt_of(self._hub_key, run, sent, outcome))
        return tuple(receipts)
