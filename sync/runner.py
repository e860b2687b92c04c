"""The runner: decides when to sync, and keeps one small state that screens show. The network is never waited for.

One sync at a time. After a failure it waits a little longer each time and then tries again by itself; a new change or
``sync_now`` tries at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import msgspec

from leadworker.clock import Clock
from leadworker.desk import Bell, PostState
from leadworker.errors import HubMistrusted, LeadworkerError, Offline
from leadworker.postbox import Counts, Postbox
from sync.client import HubClient
from sync.exchange import Exchange, Progress, Result

EVERY_S = 60.0
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 300.0
AFTER_CHANGE_S = 0.5

ALL_SENT = "Everything is on the central store."
WAITING_TO_BE_LET_IN = "Asked to join. Your administrator's laptop lets you in at its next sync; you can work meanwhile."


class Runner:
    """Implements `leadworker.desk.Post`. `ring` tells the desk what a sync changed."""

    def __init__(self, box: Postbox, client: HubClient, clock: Clock, ring: Callable[[Bell], None]) -> None:
        self._box = box
        self._client = client
        self._clock = clock
        self._ring = ring
        self._state = PostState("offline", "Not asked yet.", hub=client.url)
        self._listeners: list[Callable[[PostState], None]] = []
        self._syncing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0

    @property
    def state(self) -> PostState:
        return self._state

    def listen(self, callback: Callable[[PostState], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def start(self) -> None:
        """Begin to sync by itself, on the running event loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="post")

    def something_changed(self, bell: Bell) -> None:
        """Send soon what was just saved here. Bells of received changes ring as well and cost one cheap question."""
        if "receipt" not in bell.topics:
            self._wake.set()

    async def sync_now(self) -> PostState:
        async with self._syncing:
            exchange = Exchange(self._box, self._client, self._clock, self._ring, self._progress)
            try:
                result = await exchange.run()
            except Offline as error:
                self._failures += 1
                await self._show("offline", error.sentence)
            except LeadworkerError as error:
                self._failures += 1
                await self._show("stuck", error.sentence, alarm=error.sentence if isinstance(error, HubMistrusted) else "")
            else:
                self._failures = 0
                await self._done(result)
        return self._state

    async def refresh(self) -> PostState:
        """Count again what waits, without asking the network."""
        await self._show(self._state.word, self._state.sentence)
        return self._state

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._client.close()

    async def _run(self) -> None:
        await self.refresh()
        while True:
            await self.sync_now()
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._pause())
                await self.refresh()  # the figure of what waits is right at once, whatever the network does
                await asyncio.sleep(AFTER_CHANGE_S)  # a save is often followed by another

    def _pause(self) -> float:
        if not self._failures:
            return EVERY_S
        # Spread, so that a whole office does not come back in the same second.
        return float(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(self._failures, 8)) * random.uniform(0.7, 1.3))  # noqa: S311

    async def _done(self, result: Result) -> None:
        if not result.admitted_me:
            await self._show("offline", WAITING_TO_BE_LET_IN)
        elif result.alarms:
            await self._show("stuck", result.alarms[0], alarm=result.alarms[0], clock=result.clock_warning)
        else:
            await self._show("up to date", ALL_SENT, clock=result.clock_warning)

    def _progress(self, progress: Progress) -> None:
        self._publish(
            msgspec.structs.replace(
                self._state, word="sending", sentence=f"{progress.doing} {progress.done}", sending_done=progress.done,
                sending_of=progress.of,
            )  # fmt: skip
        )

    async def _show(self, word: str, sentence: str, *, alarm: str = "", clock: str = "") -> None:
        counts: Counts = await self._box.counts()
        joined = await self._box.joined()
        if word == "up to date" and counts.waiting:
            sentence = f"{counts.waiting} waiting to be sent."
        self._publish(
            PostState(
                word, sentence, counts.waiting, 0, 0, counts.last_sent_ms, counts.last_received_ms, counts.last_received,
                counts.last_backup_ms, counts.put_aside, alarm or next(iter(counts.troubled), ""), clock,
                joined.name if joined else "", self._client.url,
            )  # fmt: skip
        )

    def _publish(self, state: PostState) -> None:
        self._state = state
        for callback in tuple(self._listeners):
            callback(state)
