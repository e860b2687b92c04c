"""Listens at the central store, so that what a colleague sends is here at once and not within a minute (C.8).

A line that is up says when something has moved; the laptop then syncs as it always does. Nothing is believed for it, so
a store that lies on this line gains nothing, and everything that comes on it is bounded. Where a network keeps the
stream back, a request that waits takes its place; where neither gets through, the usual pace goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import msgspec

from leadworker.clock import Clock
from leadworker.desk import AT_ONCE
from leadworker.errors import HubMistrusted, PostError, Refused
from sync import wire
from sync.client import HubClient

LONGEST_LINE: Final = 1024
MOST_A_MINUTE: Final = 256 * 1024
"""Bytes that a line may bring in a minute: some 4,000 notices, far more than a team makes."""

BURST: Final = 20
"""Notices that are acted on at once; beyond them so many a second, each standing for all that came meanwhile."""

A_SECOND: Final = 5.0

WITHIN_A_MINUTE: Final = "What colleagues send is here within a minute: the line on which the central store tells of it is cut."
NOT_TOLD: Final = "What colleagues send is here within a minute: this central store does not tell of it by itself."
TOO_MUCH: Final = (
    "The central store sent more on the line for notices than it ever should. This laptop has hung up for a while and asks once a "
    "minute instead; everything is saved here. Tell your administrator."
)


class Hearing(msgspec.Struct, frozen=True):
    """How to listen, in seconds: how long a line may take to say that it stands, how long it may say nothing then (the
    store says something every 15), how long one waiting request waits, when to try again after a first failure and at
    most, and how long to leave a store alone that misuses the line. After `rounds` waiting requests a stream is tried again.
    """

    hello_s: float = 10.0
    silence_s: float = 40.0
    wait_s: int = 25
    first_wait_s: float = 3.0
    longest_wait_s: float = 60.0
    left_alone_s: float = 600.0
    rounds: int = 144


class Ear:
    """Listens until it is told to stop. `heard` is called on the event loop whenever there may be something new, `line_is`
    with a sentence whenever that has changed. `spread` and `sleep` are as the runner's.
    """

    def __init__(
        self, client: HubClient, clock: Clock, heard: Callable[[], None], line_is: Callable[[str], None], hearing: Hearing, *,
        spread: Callable[[], float], sleep: Callable[[float], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._client = client
        self._clock = clock
        self._heard = heard
        self._line_is = line_is
        self._hearing = hearing
        self._spread = spread
        self._sleep = sleep
        self._failures = 0
        self._tokens = float(BURST)
        self._counted_at = clock.steady()

    async def run(self) -> None:
        """Keep a line up, by whichever way gets through."""
        while True:
            wait = 0.0
            try:
                if not await self._by_stream():
                    await self._by_waiting()
            except HubMistrusted as error:
                self._line_is(error.sentence)
                wait = self._hearing.left_alone_s
            except Refused as refusal:
                self._line_is(NOT_TOLD if refusal.code == "no_such_request" else WITHIN_A_MINUTE)
                wait = self._hearing.left_alone_s if refusal.code == "no_such_request" else 0.0
            except PostError:
                self._line_is(WITHIN_A_MINUTE)
            self._failures += 1
            longer = self._hearing.first_wait_s * 2 ** min(self._failures - 1, 16)
            await self._sleep(max(wait, min(self._hearing.longest_wait_s, longer)) * self._spread())

    async def _by_stream(self) -> bool:
        """Follow the stream until it ends; return False where it is kept back on the way."""
        stands = False
        try:
            async with asyncio.timeout(self._hearing.hello_s) as patience:
                async with self._client.live(self._hearing.silence_s) as parts:
                    said = _Events(self._clock)
                    async for part in parts:
                        names = list(said.read(part))
                        if not stands and names:
                            stands = True
                            patience.reschedule(None)
                            self._up()
                        if names:
                            await self._tell()
        except TimeoutError:
            return False
        self._line_is(WITHIN_A_MINUTE)
        return True

    async def _by_waiting(self) -> None:
        """Ask with requests that the store answers when there is something to tell."""
        mark = b""
        for _ in range(self._hearing.rounds):
            answer = await self._client.next_news(mark, self._hearing.wait_s)
            self._up()
            if answer.mark != mark:
                await self._tell()
            mark = answer.mark

    def _up(self) -> None:
        self._failures = 0
        self._line_is(AT_ONCE)

    async def _tell(self) -> None:
        """Say that there may be something new, but never much more often than a few times a second for long."""
        now = self._clock.steady()
        self._tokens = min(float(BURST), self._tokens + A_SECOND * (now - self._counted_at))
        self._counted_at = now
        if self._tokens < 1:
            await asyncio.sleep((1 - self._tokens) / A_SECOND)
        self._tokens -= 1
        self._heard()


class _Events:
    """Reads what comes on a stream as lines, in bounded memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rest = b""
        self._bytes = 0
        self._since = clock.steady()

    def read(self, part: bytes) -> Iterator[str]:
        """Give the names of the events that a part completes; raise `HubMistrusted` for more than a store ever sends."""
        now = self._clock.steady()
        if now - self._since >= 60:
            self._bytes, self._since = 0, now
        self._bytes += len(part)
        *lines, self._rest = (self._rest + part).split(b"\n")
        if self._bytes > MOST_A_MINUTE or len(self._rest) > LONGEST_LINE:
            raise HubMistrusted(TOO_MUCH)
        for line in lines:
            field, _, value = line.strip().partition(b":")
            with contextlib.suppress(UnicodeDecodeError):
                if field == b"event" and value.strip().decode() in (wire.HELLO, wire.NEWS):
                    yield value.strip().decode()
