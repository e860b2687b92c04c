"""The runner: decides when to sync, and keeps one small state that screens show. The network is never waited for.

One sync at a time. After a failure it waits a little longer each time and then tries again by itself; a new change, a
notice of the central store or ``sync_now`` tries at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec

from leadworker.clock import Clock
from leadworker.desk import Bell, Carried, PostState
from leadworker.errors import HubMistrusted, LeadworkerError, Offline, Refused
from leadworker.postbox import Postbox
from sync.client import OFFLINE, HubClient
from sync.exchange import Exchange, Result
from sync.live import Ear, Hearing
from sync.progress import Progress
from sync.stick import Visit

ALL_SENT = "Everything is on the central store."
TO_HAND_IN = "What you wrote where you may not write any more is on this laptop only, and can be handed in."
HANDED_IN = "Everything is on the central store, but for what was handed in: that stays on this laptop as well."
WAITING_TO_BE_LET_IN = (
    "Asked to join. Your administrator's laptop lets you in at its next sync; a second laptop is let in on your first. "
    "You can work meanwhile."
)


class Pace(msgspec.Struct, frozen=True):
    """When to sync, in seconds: how often, how long to wait after a first failure and at most, and after a save.

    After `files_s` a sync that carries files looks for news first and then goes on with them.
    """

    every_s: float = 60.0
    first_wait_s: float = 2.0
    longest_wait_s: float = 300.0
    after_change_s: float = 0.005
    files_s: float = 20.0


QUIET_CHANGES = 50
"""A sync of so few changes that begins by itself shows its end and not its progress: a word that flashes tells nobody."""


class Runner:
    """Implements `leadworker.desk.Post`. `ring` tells the desk what a sync changed.

    `spread` gives the factor by which a wait is stretched or shortened, so that a whole office does not come back in the
    same second; `sleep` is how time passes. Tests give their own. With `hearing` it also listens for notices.
    """

    def __init__(
        self, box: Postbox, client: HubClient, clock: Clock, ring: Callable[[Bell], None], *, pace: Pace | None = None,
        hearing: Hearing | None = None,
        spread: Callable[[], float] | None = None, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._box = box
        self._client = client
        self._clock = clock
        self._ring = ring
        self._pace = pace or Pace()
        self._spread = spread or (lambda: random.uniform(0.7, 1.3))  # noqa: S311 - no secret hangs on it
        self._sleep = sleep
        self._state = PostState("offline", "Not asked yet.", hub=client.url)
        self._listeners: list[Callable[[PostState], None]] = []
        self._syncing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._noticed = False
        self._hearing = hearing
        self._quiet = False
        self._ringing = False
        self._counting = False
        self._started = False
        self._stopped = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failures = 0
        self._asked_to_wait_s = 0.0
        self._last_alarm = ""
        self._offline_since_ms = 0
        self._files_left = False

    @property
    def state(self) -> PostState:
        return self._state

    def listen(self, callback: Callable[[PostState], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback) if callback in self._listeners else None

    def start(self) -> None:
        """Begin to sync by itself, on the running event loop."""
        if not self._started and not self._stopped:
            self._started = True
            self._begin(self._run(), "post")

    def something_changed(self, bell: Bell) -> None:
        """Count at once and send soon what was just saved here; bells that a sync rings itself change nothing."""
        if self._ringing or self._stopped or not bell.topics:
            return
        self._wake.set()
        if not self._counting:
            self._counting = True
            self._begin(self._count_again(), "post counts")

    async def sync_now(self) -> PostState:
        if not self._stopped:
            await asyncio.wait([self._begin(self._sync(), "post syncs")])
        return self._state

    async def visit_stick(self, folder: Path) -> Carried:
        """Read, carry and write what can be in a folder on a stick, between two syncs; `stop` ends it like a sync."""
        if self._stopped:
            raise Offline(OFFLINE)
        task = asyncio.get_running_loop().create_task(self._visit_stick(folder), name="post visits a stick")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await task

    async def _visit_stick(self, folder: Path) -> Carried:
        async with self._syncing:
            self._quiet, before = False, self._state
            try:
                return await Visit(self._box, self._client, self._clock, folder, self._ring_bell, self._progress).run()
            except LeadworkerError:
                raise
            except Exception as error:
                self._report(error)
                raise Refused(
                    f"The visit to the stick met something unexpected ({type(error).__name__}). Everything is saved here; visit it again."
                ) from error
            finally:
                state = await self._with_figures()
                sentence = _sentence(before.word, before.sentence, state)
                self._publish(msgspec.structs.replace(state, word=before.word, sentence=sentence, sending_done=0, sending_of=0))

    async def refresh(self) -> PostState:
        """Count again what waits, without asking the network."""
        await self._count_again()
        return self._state

    async def stop(self) -> None:
        self._stopped = True
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._client.close()

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self) -> None:
        await self._count_again()
        while True:
            self._wake.clear()  # before the sync: what is saved during it is sent by the next one
            self._noticed = False
            await self._sync(quiet=True)
            if self._asked_to_wait_s:  # not even a save cuts this short: the central store has asked for it
                await self._sleep(min(self._asked_to_wait_s, self._pace.longest_wait_s))
                continue
            if self._files_left:  # they gave way to something more urgent, which goes with the next one
                continue
            if await self._woken_within(self._pause()) and not self._noticed:
                await self._sleep(self._pace.after_change_s)  # a save is often followed by another

    async def _woken_within(self, seconds: float) -> bool:
        """Wait for a change, at most so long; return whether there was one."""
        waits = {asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(self._sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return self._wake.is_set()

    def _pause(self) -> float:
        if not self._failures:
            return self._pace.every_s
        longest = self._pace.first_wait_s * 2 ** min(self._failures - 1, 16)
        return float(min(self._pace.longest_wait_s, longest) * self._spread())

    def _listen(self) -> None:
        """Begin to listen, once a first sync has got through."""
        if self._hearing is not None and self._started and not self._stopped:
            ear = Ear(self._client, self._clock, self._notice, self._line_is, self._hearing, spread=self._spread, sleep=self._sleep)
            self._hearing = None
            self._begin(ear.run(), "post listens")

    def _notice(self) -> None:
        self._noticed = True
        self._wake.set()

    def _line_is(self, sentence: str) -> None:
        self._publish(msgspec.structs.replace(self._state, notices=sentence))

    async def _sync(self, quiet: bool = False) -> None:
        async with self._syncing:
            self._quiet = quiet
            self._asked_to_wait_s, self._files_left = 0.0, False
            begun = self._clock.steady()

            def enough() -> bool:
                return self._wake.is_set() or self._clock.steady() - begun > self._pace.files_s

            try:
                exchange = Exchange(self._box, self._client, self._clock, self._ring_bell, self._progress, enough=enough)
                result = await exchange.run()
            except Offline as error:
                self._failures += 1
                self._offline_since_ms = self._offline_since_ms or int(self._clock.now().timestamp() * 1000)
                await self._show("offline", error.sentence)
            except Refused as error:
                self._failures += 1
                self._asked_to_wait_s = error.retry_after_s * max(1.0, self._spread())
                await self._show("offline" if error.retry_after_s else "stuck", error.sentence)
            except LeadworkerError as error:
                self._failures += 1
                self._offline_since_ms = 0
                await self._show("stuck", error.sentence, alarm=error.sentence if isinstance(error, HubMistrusted) else "")
            except Exception as error:  # noqa: BLE001 - the post may never die of a fault of its own
                self._failures += 1
                self._report(error)
                await self._show(
                    "stuck",
                    f"The post met something unexpected ({type(error).__name__}). Everything is saved here; it tries again by itself.",
                )
            else:
                self._failures = 0
                self._offline_since_ms = 0
                self._files_left = result.files_left
                await self._done(result)

    async def _done(self, result: Result) -> None:
        if not result.admitted_me:
            if await self._box.joined() is None:
                self._publish(PostState(hub=self._client.url))
            else:
                await self._show("offline", WAITING_TO_BE_LET_IN)
        elif result.alarms:
            await self._show("stuck", result.alarms[0], alarm=result.alarms[0], clock=result.clock_warning)
        else:
            await self._show("up to date", ALL_SENT, clock=result.clock_warning)
        if result.admitted_me:
            self._listen()

    def _ring_bell(self, bell: Bell) -> None:
        """Tell the desk what a sync changed. A screen that fails at it does not stop the post."""
        self._ringing = True
        try:
            self._ring(bell)
        except Exception as error:  # noqa: BLE001 - a fault of a screen is the screen's
            self._report(error)
        finally:
            self._ringing = False

    def _progress(self, progress: Progress) -> None:
        if self._quiet and max(progress.of, progress.done) <= QUIET_CHANGES:
            return
        self._publish(
            msgspec.structs.replace(
                self._state,
                word="sending",
                sentence=_how_far(progress),
                doing=progress.doing,
                sending_done=progress.done,
                sending_of=progress.of,
            )
        )

    async def _count_again(self) -> None:
        """Show the present figures with the words that stand."""
        self._counting = False  # what is saved from here on asks for another count
        state = await self._with_figures()
        self._publish(msgspec.structs.replace(state, sentence=_sentence(state.word, state.sentence, state)))

    async def _show(self, word: str, sentence: str, *, alarm: str = "", clock: str = "") -> None:
        """Show how a sync ended."""
        self._last_alarm = alarm
        state = await self._with_figures()
        if word == "up to date" and state.alarm:  # a book that was left out before and has not come right
            word, sentence = "stuck", state.alarm
        self._publish(
            msgspec.structs.replace(
                state, word=word, sentence=_sentence(word, sentence, state), clock_warning=clock, sending_done=0, sending_of=0
            )
        )

    async def _with_figures(self) -> PostState:
        """Return the state with figures as they are now, or as they were where the vault cannot be read just now."""
        try:
            counts, joined = await self._box.counts(), await self._box.joined()
        except Exception as error:  # noqa: BLE001 - the figures are a courtesy; opening and saving say what is wrong
            self._report(error)
            return self._state
        return msgspec.structs.replace(
            self._state, waiting=counts.waiting, last_sent_ms=counts.last_sent_ms, last_received_ms=counts.last_received_ms,
            last_received=counts.last_received, late=counts.late, handed_in=counts.handed_in,
            to_take_in=counts.to_take_in, last_backup_ms=counts.last_backup_ms, put_aside=counts.put_aside, apart=counts.apart,
            offline_since_ms=self._offline_since_ms,
            alarm=self._last_alarm or next(iter(counts.troubled), ""), organisation=joined.name if joined else "",
        )  # fmt: skip

    def _publish(self, state: PostState) -> None:
        if state == self._state:
            return
        self._state = state
        for callback in tuple(self._listeners):
            try:
                callback(state)
            except Exception as error:  # noqa: BLE001 - a fault of a screen is the screen's
                self._report(error)

    def _report(self, error: Exception) -> None:
        """Hand a fault to whoever keeps crash reports; never to a log, which might hold somebody's words."""
        asyncio.get_running_loop().call_exception_handler({"message": "a fault in the post", "exception": error})


def _how_far(progress: Progress) -> str:
    of = f" of {max(progress.of, progress.done):,}" if progress.of else ""
    whole = f" {progress.whole:,} of {progress.casebooks:,} casebooks are here and can be worked with." if progress.casebooks > 1 else ""
    return f"{progress.doing.capitalize()} {progress.done:,}{of}{progress.unit}.{whole}"


def _sentence(word: str, sentence: str, figures: PostState) -> str:
    if word != "up to date":
        return sentence
    if figures.waiting:
        return f"{figures.waiting} waiting to be sent."
    if figures.late:
        return TO_HAND_IN
    return HANDED_IN if figures.handed_in else ALL_SENT
