"""One sync: receive what is new, found what is to be shared, send what waits (security C.7, C.8).

Pulling comes first, so that what is sent is sealed with the newest key that this laptop knows. Every step can be cut off
and repeated: what was taken is taken, and what was sent twice is counted once.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Callable

import msgspec

from leadworker.clock import Clock, Moment
from leadworker.desk import Bell
from leadworker.directory import Directory
from leadworker.errors import HubMistrusted, LeadworkerError, Offline, Refused
from leadworker.postbox import Confirmed, Joined, Postbox
from leadworker.text import one_line
from sync import late, leaving, recovering, unopened, wire
from sync.attachments import Transfers
from sync.client import HubClient
from sync.founding import Speaker, found_book
from sync.inviting import countersign
from sync.joining import ask_again, pull_directory
from sync.left_out import LeftOut
from sync.progress import Progress
from sync.readers import Readers
from sync.receiving import Receiving
from sync.sending import Sending

WARN_CLOCK_MS = 60_000
DOUBT_CLOCK_MS = 10 * 60_000
DAY_MS = 24 * 3600 * 1000
KEY_LIFE_MS = 365 * DAY_MS
"""For how long a casebook keeps one key, when nothing else changes it (C.5)."""

_LATE = Bell(frozenset({"late", "receipt"}), frozenset())


class Result(msgspec.Struct, frozen=True):
    """What a sync did. `received` are changes that others wrote, without the statements that founded or shared a casebook.

    `alarms` are sentences about books that could not be synced; `admitted` are colleagues let in.
    """

    received: int = 0
    sent: int = 0
    alarms: tuple[str, ...] = ()
    admitted: tuple[str, ...] = ()
    clock_warning: str = ""
    admitted_me: bool = True
    files_left: bool = False
    """Whether sealed files still go on from where this sync stopped in favour of something more urgent."""


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
        self._left_out = LeftOut(box)

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
        admitted = await countersign(self._box, self._client, self._clock)
        if admitted:
            directory = await self._box.directory() or directory
        receiving = Receiving(self._box, self._client, joined.hub_key, self._left_out, self._ring, self._tell)
        sending = Sending(self._box, self._client, joined.hub_key, self._left_out, receiving, self._ring, self._tell)
        await receiving.whatever_is_new(news, joined, directory)
        await self._found(joined, directory, receiving)
        readers = Readers(self._box, self._client, joined, directory, receiving.again)
        renewed = await self._mend(readers)
        await self._keep_readers(readers, news, joined, directory)
        await sending.send(readers)
        told = await self._tell_unopened(renewed)
        await self._late(news, readers.directory)
        left = await self._files(joined, sending, readers)
        await unopened.was_told(self._box, told)
        return Result(receiving.received, sending.sent, tuple(self._left_out.alarms), admitted, warning, files_left=left)

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
        handed_in, troubles = await late.hand_in(self._box, self._client, directory)
        self._left_out.alarms += troubles
        if news.late:
            _, troubles = await late.receive(self._box, self._client, directory, self._left_out.books)
            self._left_out.alarms += troubles
        if handed_in or news.late:
            self._ring(_LATE)

    async def _files(self, joined: Joined, sending: Sending, readers: Readers) -> bool:
        """Carry sealed files, last of all: a note never waits for a scan. Return whether some are left for the next sync."""
        carried = Transfers(self._box.files, self._client, joined.hub_key, self._ring, self._tell, self._enough)
        if await carried.send(frozenset(self._left_out.books)):
            await sending.send(readers)  # what was written down about it, so that colleagues can fetch it
        await carried.fetch(frozenset(self._left_out.books))
        self._left_out.alarms += carried.alarms
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

    async def _keep_readers(self, readers: Readers, news: wire.News, joined: Joined, directory: Directory) -> None:
        """Carry out what was decided about readers, and bring casebooks into step with the directory (C.6).

        Every casebook after the directory has changed; else those of which something new was said, in whatever way it came.
        """
        await self._decide(readers)
        all_of_them = joined.shared_up_to != directory.seq
        spoken_of = await self._box.spoken_of()
        for book in news.books:
            concerned = all_of_them or book.book in spoken_of
            if concerned and book.book != joined.organisation and book.book not in self._left_out:
                async with self._left_out.if_wrong(book.book):
                    await readers.keep_up(book.book)
        await self._box.in_step(spoken_of - self._left_out.books)
        here_ms = Moment.of(self._clock.now()).ms
        now_ms = min(here_ms, news.now_ms)
        for old in await self._box.old_keys(now_ms - KEY_LIFE_MS, max(here_ms, news.now_ms) + DAY_MS):
            if old not in self._left_out:
                async with self._left_out.if_wrong(old):
                    await readers.renew_key(old, now_ms)
        if all_of_them and not self._left_out.books:
            now = await self._box.joined() or joined
            await self._box.set_joined(msgspec.structs.replace(now, shared_up_to=directory.seq))

    async def _mend(self, readers: Readers) -> set[bytes]:
        """Give casebooks another key whose present one does not open here; return which ones."""
        renewed = set()
        for lacking in await self._box.lacking():
            if lacking.book not in self._left_out and lacking.present in lacking.epochs:
                async with self._left_out.if_wrong(lacking.book):
                    if await readers.mend(lacking.book):
                        renewed.add(lacking.book)
        return renewed

    async def _tell_unopened(self, renewed: set[bytes]) -> list[unopened.Told]:
        said = [told for told in await unopened.to_tell(self._box, renewed) if told.book not in self._left_out]
        for told in said:
            self._left_out.alarms.append(told.sentence)
            if told.shut:
                await self._box.trouble(told.book, told.sentence)
        return said

    async def _decide(self, readers: Readers) -> None:
        for decision in await self._box.decisions():
            if not decision.said and bytes.fromhex(decision.book) not in self._left_out:
                async with self._left_out.if_wrong(bytes.fromhex(decision.book)):
                    self._ring(await self._box.decided(decision, await readers.carry_out(decision)))

    async def _found(self, joined: Joined, directory: Directory, receiving: Receiving) -> None:
        for item in await self._box.to_found():
            async with self._left_out.if_wrong(item.book):
                statements = found_book(item.book, item.key, joined, Speaker(self._box.device, self._box.sign, directory))
                outcome = await self._client.control(statements)
                if outcome.code and outcome.code != "head_moved":
                    await self._left_out.leave(item.book, one_line(outcome.sentence)[:400])
                    continue
                await receiving.book(item.book, directory)


def _span(ms: int) -> str:
    minutes = ms // 60_000
    units = ((525_600, "year", "years"), (1440, "day", "days"), (60, "hour", "hours"), (1, "minute", "minutes"))
    size, one, many = next(unit for unit in units if minutes >= unit[0])
    count = minutes // size
    return f"about {count} {one if count == 1 else many}"
