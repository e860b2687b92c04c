"""One sync: receive what is new, found what is to be shared, send what waits (security C.7, C.8).

Pulling comes first, so that what is sent is sealed with the newest key that this laptop knows. Every step can be cut off
and repeated: what was taken is taken, and what was sent twice is counted once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

import msgspec

from leadworker import change
from leadworker.clock import Clock, Moment
from leadworker.desk import Bell
from leadworker.directory import Directory
from leadworker.errors import HubMistrusted, LeadworkerError, Offline, Refused
from leadworker.postbox import Confirmed, Joined, Postbox, Receipt, UnsentRun
from leadworker.text import one_line
from sync import late, leaving, recovering, unopened, wire
from sync.attachments import Transfers
from sync.carrying import sealed_runs
from sync.checking import mistrusted
from sync.client import HubClient
from sync.founding import Speaker, found_book
from sync.inviting import countersign
from sync.joining import ask_again, pull_directory
from sync.pages import checked_pages, one_ahead
from sync.progress import Progress
from sync.readers import NotTaken, Readers
from sync.receipts import NOTHING, Promised, promised_by, receipt_of

BATCH = 1000
WARN_CLOCK_MS = 60_000
DOUBT_CLOCK_MS = 10 * 60_000
DAY_MS = 24 * 3600 * 1000
KEY_LIFE_MS = 365 * DAY_MS
"""For how long a casebook keeps one key, when nothing else changes it (C.5)."""
_KEY_CHANGED = frozenset({"wrong_epoch", "key_owed"})
"""Refusals after which a casebook is fetched and what waits is sealed again, in the same sync."""

Runs = tuple[UnsentRun, ...]
Sealed = tuple[wire.Run, ...]

_LATE = Bell(frozenset({"late", "receipt"}), frozenset())
_ON_ITS_WAY = Bell(frozenset({"journal_entry", "receipt"}), frozenset())


class Result(msgspec.Struct, frozen=True):
    """What a sync did. `received` are changes that others wrote, without the statements that founded or shared a casebook.

    `alarms` are sentences about books that could not be synced; `admitted` are colleagues let in."""

    received: int = 0
    sent: int = 0
    alarms: tuple[str, ...] = ()
    admitted: tuple[str, ...] = ()
    clock_warning: str = ""
    admitted_me: bool = True
    files_left: bool = False
    """Whether sealed files still go on from where this sync stopped in favour of something more urgent."""


NOT_SHOWN = (
    "The central store no longer shows this laptop a casebook that it has shown before. Either you were taken out of it, or the "
    "store was put back to an older state or hides it. Everything of it is still here. Ask its lead or your administrator."
)


class Exchange:
    """One sync between a vault and its central store. `ring` is told what changed, `tell` how far it has come.

    `enough` is asked while sealed files are carried, whether something else should come first by now.
    """

    def __init__(
        self, box: Postbox, client: HubClient, clock: Clock, ring: Callable[[Bell], None], tell: Callable[[Progress], None],
        *, enough: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._box = box
        self._client = client
        self._clock = clock
        self._ring = ring
        self._tell = tell
        self._enough = enough
        self._alarms: list[str] = []
        self._stopped: set[bytes] = set()
        self._hub_key = b""
        self._behind: set[bytes] = set()
        self._renewed: set[bytes] = set()
        self._numbered = 0
        self._received = 0
        self._sent = 0
        self._whole = 0
        self._casebooks = 0

    async def run(self) -> Result:
        """Do one whole sync; raises `PostError` when nothing can be done at all."""
        try:
            return await self._run()
        except BaseException:  # also when it was told to stop: what did not arrive is *here* again
            with contextlib.suppress(LeadworkerError):  # what stopped it is told, and obeyed; the next sync sends it all the same
                self._ring(await self._box.not_on_its_way())
            raise

    async def _run(self) -> Result:
        joined = await self._box.joined()
        if joined is None:
            return Result(admitted_me=False)
        if not joined.admitted and not await self._let_in_by_now(joined):
            return Result(admitted_me=False)
        news = await self._news(joined)
        warning = await self._compare_clocks(news.now_ms)
        joined, directory = await self._directory(joined, news)
        self._hub_key = joined.hub_key
        admitted = await countersign(self._box, self._client, self._clock)
        if admitted:
            directory = await self._box.directory() or directory
        await self._receive(news, joined, directory)
        await self._found(joined, directory)
        readers = Readers(self._box, self._client, joined, directory, self._receive_again)
        renewed = await self._mend(readers)
        await self._keep_readers(readers, news, joined, directory)
        await self._send(readers)
        await self._tell_unopened(renewed)
        await self._late(news, readers.directory)
        left = await self._files(joined, readers)
        return Result(self._received, self._sent, tuple(self._alarms), admitted, warning, files_left=left)

    async def _news(self, joined: Joined) -> wire.News:
        """Ask for the news. Who was taken out of the organisation may still hand in what they had written; a store in recovery
        mode is given back what it lacks, and there is no more to do for now.
        """
        try:
            news = await self._client.news()
        except Refused as error:
            if recovering.known_no_more(error, joined):
                raise HubMistrusted(recovering.NOT_KNOWN) from error
            if error.code == recovering.RECOVERING:
                said = await recovering.give_back(self._box, self._client, joined)
                await self._box.files.offer_again()
                raise Offline(said) from error
            if error.code == leaving.REVOKED:
                told = await leaving.leave(self._box, self._client, joined, error)
                self._ring(_LATE)
                raise told from error
            raise
        if joined.revoked:
            await self._box.was_revoked(False)
        return news

    async def _late(self, news: wire.News, directory: Directory) -> None:
        self._alarms += await late.hand_in(self._box, self._client, directory)
        if news.late:
            _, troubles = await late.receive(self._box, self._client, directory, self._stopped)
            self._alarms += troubles
            self._ring(_LATE)

    async def _files(self, joined: Joined, readers: Readers) -> bool:
        """Carry sealed files, last of all: a note never waits for a scan. Return whether some are left for the next sync."""
        carried = Transfers(self._box.files, self._client, joined.hub_key, self._ring, self._tell, self._enough)
        if await carried.send(frozenset(self._stopped)):
            await self._send(readers)  # what was written down about it, so that colleagues can fetch it
        await carried.fetch(frozenset(self._stopped))
        self._alarms += carried.alarms
        return carried.left

    async def _let_in_by_now(self, joined: Joined) -> bool:
        try:
            return await self._am_i_admitted(joined)
        except Refused as error:
            if error.code == recovering.RECOVERING:
                await recovering.report_nothing(self._client)
            raise

    async def _am_i_admitted(self, joined: Joined) -> bool:
        if not joined.invite:  # founded by this laptop; only the answer did not arrive
            await pull_directory(self._box, self._client)
            now = await self._box.joined()
            return now is not None and now.admitted
        state = await self._client.join_state(joined.invite)
        if state.state == "open":
            await ask_again(self._box, self._client, joined)
        if state.state == "admitted":
            return await self._does_the_directory_say_so(joined)
        if state.state in ("expired", "unknown"):
            with contextlib.suppress(Refused):  # a restored store may have forgotten an invite and know whom it let in
                if await self._does_the_directory_say_so(joined):
                    return True
            raise Refused("The invite has expired before it was countersigned. Ask for a fresh one; everything here is safe.")
        return False

    async def _does_the_directory_say_so(self, joined: Joined) -> bool:
        directory = await pull_directory(self._box, self._client)
        if directory.invites_used.get(joined.invite, self._box.device) != self._box.device:
            raise Refused("This invite was used by another device. Ask for a fresh one, and say so; everything here is safe.")
        now = await self._box.joined()
        return now is not None and now.admitted

    async def _directory(self, joined: Joined, news: wire.News) -> tuple[Joined, Directory]:
        here = (await self._box.confirmed()).get(joined.organisation, Confirmed(0, b"", ""))
        listed = {book.book: book for book in news.books}.get(joined.organisation)
        if listed is None or listed.n != here.n:
            await pull_directory(self._box, self._client)
        elif not hmac.compare_digest(listed.digest, here.digest):
            raise HubMistrusted(
                "The central store counts its directory differently from what it has shown this laptop before. Nothing was taken in; "
                "everything here is safe. Tell your administrator."
            )
        directory = await self._box.directory()
        if directory is None:
            directory = await pull_directory(self._box, self._client)
        return await self._box.joined() or joined, directory

    async def _compare_clocks(self, store_ms: int) -> str:
        """Warn from a minute on; from ten minutes on new entries say that the clock was wrong (D.3). Never refuse."""
        off = Moment.of(self._clock.now()).ms - store_ms
        if abs(off) <= WARN_CLOCK_MS:
            await self._box.clock_is("")
            return ""
        said = f"{_span(abs(off))} {'ahead of' if off > 0 else 'behind'} the central store's"
        await self._box.clock_is(f"this laptop's clock was {said}" if abs(off) > DOUBT_CLOCK_MS else "")
        return f"This laptop's clock is {said}. Set it right; nobody's words are reordered by it."

    async def _receive(self, news: wire.News, joined: Joined, directory: Directory) -> None:
        """Fetch what is new, the casebooks that grew last first: on a fresh laptop each can be worked with once it is here (D.4)."""
        confirmed = await self._box.confirmed()
        total = sum(max(0, b.n - confirmed[b.book].n if b.book in confirmed else b.n) for b in news.books)
        books = sorted((b for b in news.books if b.book != joined.organisation), key=lambda b: b.grew_ms, reverse=True)
        self._casebooks = sum(b.book not in confirmed or confirmed[b.book].n == 0 for b in books)
        for book in books:
            here = confirmed.get(book.book, Confirmed(0, b"", ""))
            async with self._one_book(book.book):
                if book.n != here.n:
                    await self._receive_book(book, directory, total)
                    self._whole += here.n == 0
                elif not hmac.compare_digest(book.digest, here.digest):
                    raise mistrusted("counts a casebook's changes differently from what it has shown this laptop before")
                elif here.trouble:
                    await self._box.trouble(book.book, "")  # it is whole again; whatever else is wrong comes up again below
        listed = {book.book for book in news.books}
        for book_id, here in confirmed.items():
            if here.n and book_id not in listed and book_id != joined.organisation:
                await self._stop_book(book_id, NOT_SHOWN)

    @contextlib.asynccontextmanager
    async def _one_book(self, book: bytes) -> AsyncIterator[None]:
        """Leave a book out of this sync, in words, when something about it alone is wrong; the others go on."""
        try:
            yield
        except (HubMistrusted, Refused) as error:
            if isinstance(error, Refused) and error.code != "not_a_member":
                raise
            await self._stop_book(book, error.sentence)
        except NotTaken as error:
            await self._stop_book(book, str(error))

    async def _receive_book(
        self, news: wire.BookNews, directory: Directory, total: int, promised: Mapping[int, Promised] = NOTHING
    ) -> None:
        """Keep the pages of a book one after the other; each is durable here before anything is told of it."""
        book = news.book
        state = await self._box.book_state(book)
        coming = checked_pages(self._box, self._client, state, directory, self._hub_key, news.n, promised)
        async with one_ahead(coming) as pages:
            async for checked, receipt in pages:
                after = checked.after
                bell = await self._box.take(
                    book, state.n, checked.received, checked.keys, after.digest, receipt, state.digest
                )
                self._ring(bell)
                state = after
                self._numbered += sum(not item.own for item in checked.received)
                self._received += sum(item.by_colleague for item in checked.received)
                self._tell(Progress("receiving", self._numbered, total, whole=self._whole, casebooks=self._casebooks))

    async def _keep_readers(self, readers: Readers, news: wire.News, joined: Joined, directory: Directory) -> None:
        """Carry out what was decided about readers, and bring casebooks into step with the directory (C.6).

        Every casebook after the directory has changed; else those of which something new was said, in whatever way it came.
        """
        await self._decide(readers)
        all_of_them = joined.shared_up_to != directory.seq
        spoken_of = await self._box.spoken_of()
        for book in news.books:
            concerned = all_of_them or book.book in spoken_of
            if concerned and book.book != joined.organisation and book.book not in self._stopped:
                async with self._one_book(book.book):
                    await readers.keep_up(book.book)
        await self._box.in_step(spoken_of - self._stopped)
        here_ms = Moment.of(self._clock.now()).ms
        now_ms = min(here_ms, news.now_ms)
        for old in await self._box.old_keys(now_ms - KEY_LIFE_MS, max(here_ms, news.now_ms) + DAY_MS):
            if old not in self._stopped:
                async with self._one_book(old):
                    await readers.renew_key(old, now_ms)
        if all_of_them and not self._stopped:
            now = await self._box.joined() or joined
            await self._box.set_joined(msgspec.structs.replace(now, shared_up_to=directory.seq))

    async def _mend(self, readers: Readers) -> set[bytes]:
        """Give casebooks another key whose present one does not open here; return which ones."""
        renewed = set()
        for lacking in await self._box.lacking():
            if lacking.book not in self._stopped and lacking.present in lacking.epochs:
                async with self._one_book(lacking.book):
                    if await readers.mend(lacking.book):
                        renewed.add(lacking.book)
        return renewed

    async def _tell_unopened(self, renewed: set[bytes]) -> None:
        for told in await unopened.to_tell(self._box, renewed):
            if told.book not in self._stopped:
                self._alarms.append(told.sentence)
                if told.shut:
                    await self._box.trouble(told.book, told.sentence)

    async def _decide(self, readers: Readers) -> None:
        for decision in await self._box.decisions():
            if not decision.said and bytes.fromhex(decision.book) not in self._stopped:
                async with self._one_book(bytes.fromhex(decision.book)):
                    self._ring(await self._box.decided(decision, await readers.carry_out(decision)))

    async def _receive_again(self, book: bytes, directory: Directory) -> None:
        """Fetch what this laptop has just said of a book, and what others said before it."""
        here = (await self._box.confirmed()).get(book, Confirmed(0, b"", ""))
        await self._receive_book(wire.BookNews(book, here.n, here.digest), directory, 0)

    async def _found(self, joined: Joined, directory: Directory) -> None:
        for item in await self._box.to_found():
            async with self._one_book(item.book):
                statements = found_book(item.book, item.key, joined, Speaker(self._box.device, self._box.sign, directory))
                outcome = await self._client.control(statements)
                if outcome.code and outcome.code != "head_moved":
                    await self._stop_book(item.book, one_line(outcome.sentence)[:400])
                    continue
                await self._receive_book(wire.BookNews(item.book, 0, b""), directory, 0)

    async def _send(self, readers: Readers) -> None:
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
                for book in dict.fromkeys(receipt.book for receipt in ahead):
                    async with self._one_book(book):
                        await self._close_the_gap(book, [receipt for receipt in ahead if receipt.book == book], readers.directory)
                self._tell(Progress("sending", self._sent, max(waiting, self._sent)))
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
        while runs := await self._box.unsent(BATCH, frozenset(self._stopped), begun):
            self._ring(_ON_ITS_WAY)
            begun |= {(run.book, run.lane): change.unpack(run.changes[-1][0]).seq for run in runs}
            yield runs, await asyncio.to_thread(sealed_runs, runs)

    async def _acknowledge(self, receipts: Sequence[Receipt]) -> tuple[Receipt, ...]:
        """Keep receipts; return those before whose numbers something is not here yet."""
        bell, ahead = await self._box.acknowledge(tuple(receipts))
        self._ring(bell)
        self._sent += sum(len(receipt.ns) for receipt in receipts) - sum(len(receipt.ns) for receipt in ahead)
        return ahead

    async def _close_the_gap(self, book: bytes, ahead: Sequence[Receipt], directory: Directory) -> None:
        """Fetch what colleagues said before this laptop's new numbers, and only then count what it sent as sent.

        Nobody else may hold it yet: a colleague whose answer was lost does not know its numbers. A store that is restored in
        that moment could not have it back, and with it nothing of what came after (docs/decisions/0018). Where another pull
        was quicker, the next sync finds the rest.
        """
        await self._receive_book(wire.BookNews(book, 0, b""), directory, 0, promised_by(ahead))
        await self._acknowledge(ahead)

    async def _renew(self, readers: Readers) -> None:
        """Fetch casebooks whose key was changed while this laptop sent, so that what waits is sealed with the new one."""
        behind, self._behind = self._behind, set()
        for book in behind:
            self._renewed.add(book)
            async with self._one_book(book):
                readers.directory = await pull_directory(self._box, self._client)
                await self._receive_again(book, readers.directory)
                await readers.keep_up(book)

    async def _stop_book(self, book: bytes, sentence: str) -> None:
        """Leave one book out of this sync and say why; the others go on."""
        self._stopped.add(book)
        self._alarms.append(sentence)
        await self._box.trouble(book, sentence)

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
                await self._stop_book(run.book, one_line(outcome.sentence)[:400])
                continue
            receipts.append(receipt_of(self._hub_key, run, sent, outcome))
        return tuple(receipts)


def _span(ms: int) -> str:
    minutes = ms // 60_000
    units = ((525_600, "year", "years"), (1440, "day", "days"), (60, "hour", "hours"), (1, "minute", "minutes"))
    size, one, many = next(unit for unit in units if minutes >= unit[0])
    count = minutes // size
    return f"about {count} {one if count == 1 else many}"


