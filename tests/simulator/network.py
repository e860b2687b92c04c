"""The line between a laptop and the central store: loses, delays, repeats, cuts and reorders by the seed's weather."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

import httpx

from tests.laptops import Answer
from tests.simulator.central import Central
from tests.simulator.world import World


@dataclass
class Weather:
    """How often, of 100 requests, each thing happens; and the longest delay each way in seconds."""

    lost: int = 0
    unanswered: int = 0
    late: int = 0
    twice: int = 0
    cut: int = 0
    shortened: int = 0
    slow_s: float = 0.05

    def clear_up(self) -> None:
        """Nothing goes wrong from here on."""
        self.lost = self.unanswered = self.late = self.twice = self.cut = self.shortened = 0
        self.slow_s = 0.05

    def kinds(self) -> list[tuple[str, int]]:
        return [(name, getattr(self, name)) for name in ("lost", "unanswered", "late", "twice", "cut", "shortened")]


class _Torn(httpx.AsyncByteStream):
    """An answer whose line goes dead half-way."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        yield self._body
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


class Wire(httpx.AsyncBaseTransport):
    """One laptop's line. `down_until` is when its network comes back, in the world's seconds."""

    def __init__(self, world: World, central: Central, weather: Weather, whose: str) -> None:
        self.world, self.central, self.weather, self.whose = world, central, weather, whose
        self.down_until = 0.0
        self.hung_up = False
        self._tasks: set[asyncio.Task[object]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        what = f"{request.method} {request.url.raw_path.decode()} {_short(body)}"
        kind = self._kind()
        self.world.note(self.whose, f"{what} {kind}")
        await self._wait()
        if kind == "down" or kind == "lost":
            raise httpx.ConnectError("no way through")
        if kind == "late":  # it arrives long after the laptop has given up
            self._later(request, body, self.world.weather.choice((1.0, 40.0, 200.0, 500.0)))
            raise httpx.ReadTimeout("no answer")
        if kind == "twice":
            self._later(request, body, self.world.weather.choice((0.0, 0.02, 5.0, 400.0)))
        answer = await self.central.answer(request, body)
        await self._wait()
        if answer is None or kind == "unanswered" or self.hung_up:
            self.world.note(self.whose, f"{what} is not answered")
            raise httpx.ReadError("the line went dead")
        self.world.note(self.whose, f"{what} -> {answer.status} {_short(answer.body)}")
        return self._told(answer, kind)

    def _kind(self) -> str:
        if self.hung_up or self.world.seconds() < self.down_until:
            return "down"
        drawn = self.world.weather.randrange(100)
        for name, of_100 in self.weather.kinds():
            if drawn < of_100:
                return name
            drawn -= of_100
        return "through"

    def _told(self, answer: Answer, kind: str) -> httpx.Response:
        if kind not in ("cut", "shortened"):
            return answer.response()
        part = answer.body[: self.world.weather.randrange(len(answer.body) + 1)]
        if kind == "shortened" and part != answer.body:  # something on the way made a whole answer of half of one
            return answer._replace(body=part).response()
        headers = {"content-type": answer.media, "content-length": str(len(answer.body) + 1)}
        return httpx.Response(answer.status, headers=headers, stream=_Torn(part))

    async def _wait(self) -> None:
        await asyncio.sleep(self.world.weather.random() * self.weather.slow_s)

    def _later(self, request: httpx.Request, body: bytes, seconds: float) -> None:
        async def arrive() -> None:
            await asyncio.sleep(seconds)
            answer = await self.central.answer(request, body)
            self.world.note(self.whose, f"{request.method} {request.url.path} comes after {seconds} s: {answer and answer.status}")

        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(arrive())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def at_rest(self) -> None:
        """Wait until nothing of this line is under way."""
        if self._tasks:
            await asyncio.gather(*self._tasks)


def _short(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:12]
