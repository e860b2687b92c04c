"""A laptop's side of the wire: signed requests to one central store, and its answers as messages or sentences."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, TypeVar

import httpx
import msgspec

from leadworker.clock import Clock, Moment
from leadworker.errand import Errand
from leadworker.errors import HubMistrusted, InviteRefused, LeadworkerError, NotUnderstood, Offline, Refused
from leadworker.text import one_line
from sync import wire

Message = TypeVar("Message", bound=msgspec.Struct)
Sign = Callable[[bytes, bytes], bytes]

LARGEST_ANSWER: Final = 16 * 1024 * 1024
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

OFFLINE: Final = "No way through to the central store just now. Everything is saved here; it will be sent by itself."
SOMETHING_ELSE: Final = (
    "Something else than the central store answered, perhaps the sign-in page of a network. "
    "Everything is saved here; it will be sent by itself."
)
ANOTHER_VERSION: Final = "The central store speaks another version of leadworker. Update the older of the two; everything here is safe."
_COME_BACK: Final = (429, 503)
_ANY_VERSION: Final = "application/vnd.leadworker."


class Patience(msgspec.Struct, frozen=True):
    """How long to wait: seconds for a connection, for the next bytes of an answer, and for a whole request.

    An answer may also never come slower than `slowest` bytes a second after the first `answer_s`: a store that feeds a
    laptop byte by byte would hold its post up for hours. 1 KiB is an eighth of the slowest line that is worth a sync.
    Its head comes at once, when what is asked has gone out at no slower pace.
    """

    connect_s: float = 5.0
    answer_s: float = 30.0
    whole_s: float = 1200.0
    slowest: int = 1024

    def until_head(self, sent: int) -> float:
        """Return the seconds in which the head of an answer has come, to a request with a body of so many bytes."""
        return min(self.whole_s, self.connect_s + 2 * self.answer_s + sent / self.slowest)


class HubClient:
    """Speaks to the central store at one address. `transport` is for tests; `patience` for slow lines."""

    def __init__(
        self, url: str, device: bytes, sign: Sign, clock: Clock, *, patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.url = _address(url)
        self._device = device
        self._sign = sign
        self._clock = clock
        self._patience = patience or Patience()
        self._off_ms = 0
        self.errand = b""
        timeout = httpx.Timeout(self._patience.answer_s, connect=self._patience.connect_s)
        self._http = httpx.AsyncClient(
            base_url=self.url, timeout=timeout, follow_redirects=False, transport=transport,
            trust_env=httpx.URL(self.url).host not in LOOPBACK,  # an office's proxy is no way to this very machine
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # kept for nobody: they would name a laptop, and have no bound
        )  # fmt: skip

    def on_errand(self, errand: Errand) -> HubClient:
        """Return a client that asks as this device for another one, over the same connections."""
        other = copy.copy(self)
        other.errand = bytes(errand)
        return other

    async def close(self) -> None:
        """Let go of the connections; what is asked afterwards is answered as if there were no network."""
        await self._http.aclose()

    def store_ms(self) -> int:
        """Return the time in UTC milliseconds: this laptop's, or the store's where that is too far from it to be answered."""
        return Moment.of(self._clock.now()).ms + self._off_ms

    async def compare_clocks(self) -> None:
        """Ask the store for its time, and go by it where this laptop's is so far from it that it would not be answered."""
        off = (await self.organisation()).now_ms - Moment.of(self._clock.now()).ms
        self._off_ms = off if abs(off) > wire.CLOCK_TOLERANCE_MS // 2 else 0

    async def organisation(self) -> wire.Organisation:
        return await self._open("GET", "/v1/organisation", None, wire.Organisation)

    async def found_organisation(self, setup_code: str, changes: tuple[wire.OpenChange, ...]) -> wire.Outcome:
        headers = {wire.SETUP_HEADER: setup_code}
        return await self._open("POST", "/v1/organisation", wire.Control(changes), wire.Outcome, headers)

    async def join(self, request: wire.JoinRequest) -> wire.JoinState:
        return await self._open("POST", "/v1/join", request, wire.JoinState)

    async def join_state(self, invite: bytes) -> wire.JoinState:
        return await self._open("GET", f"/v1/join/{invite.hex()}", None, wire.JoinState)

    async def invite(self, invite: wire.Invite) -> None:
        await self._signed("POST", "/v1/invites", invite, wire.JoinState)

    async def joins(self) -> wire.Joins:
        return await self._signed("GET", "/v1/joins", None, wire.Joins)

    async def control(self, changes: tuple[wire.OpenChange, ...]) -> wire.Outcome:
        return await self._signed("POST", "/v1/control", wire.Control(changes), wire.Outcome)

    async def news(self) -> wire.News:
        return await self._signed("GET", "/v1/news", None, wire.News)

    async def changes(self, book: bytes, after: int) -> wire.Page:
        return await self._signed("GET", f"/v1/books/{book.hex()}/changes?after={after}&limit=1000", None, wire.Page)

    async def next_news(self, mark: bytes, wait_s: int) -> wire.Mark:
        """Ask to be answered once the news are others than those of a mark, or after so many seconds."""
        return await self._signed("GET", f"/v1/live/next?mark={mark.hex()}&wait={wait_s}", None, wire.Mark)

    @contextlib.asynccontextmanager
    async def live(self, silence_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the line on which the store tells of news, and give what comes on it part by part, as it comes.

        A line that says nothing for so long is taken for dead. Raises what every request raises.
        """
        headers = {**self._signature("GET", "/v1/live", b""), "accept": wire.EVENTS_TYPE, "accept-encoding": "identity"}
        timeout = httpx.Timeout(silence_s, connect=self._patience.connect_s)
        async with self._reached(), self._http.stream("GET", "/v1/live", headers=headers, timeout=timeout) as response:
            media = response.headers.get("content-type", "")
            if response.status_code != 200 or not media.startswith(wire.EVENTS_TYPE):
                _read_answer(response.status_code, media, await self._bounded(response), 0.0, wire.Trouble)
                raise Offline(SOMETHING_ELSE)
            yield response.aiter_raw()

    async def report(self, report: wire.Report) -> wire.Recovery:
        """Tell a store in recovery mode what this laptop holds."""
        return await self._signed("POST", "/v1/recovery/report", report, wire.Recovery)

    async def give_back(self, back: wire.Returned) -> wire.Outcome:
        """Give a store in recovery mode changes back that it had numbered before."""
        return await self._signed("POST", "/v1/recovery/changes", back, wire.Outcome)

    async def push(self, runs: tuple[wire.Run, ...]) -> wire.Pushed:
        return await self._signed("POST", "/v1/push", wire.Push(runs), wire.Pushed)

    async def file_state(self, book: bytes, digest: bytes) -> wire.FileState:
        return await self._signed("GET", f"/v1/books/{book.hex()}/files/{digest.hex()}", None, wire.FileState)

    async def put_file(self, book: bytes, digest: bytes, part: wire.FilePart) -> wire.FileState:
        return await self._signed("POST", f"/v1/books/{book.hex()}/files/{digest.hex()}", part, wire.FileState)

    async def file_part(self, book: bytes, digest: bytes, part: int) -> wire.FilePart:
        return await self._signed("GET", f"/v1/books/{book.hex()}/files/{digest.hex()}/parts/{part}", None, wire.FilePart)

    async def hand_in(self, late: wire.Late) -> None:
        await self._signed("POST", "/v1/late", late, wire.LateItems)

    async def late(self) -> wire.LateItems:
        return await self._signed("GET", "/v1/late", None, wire.LateItems)

    async def late_taken(self, items: tuple[bytes, ...]) -> wire.LateItems:
        return await self._signed("POST", "/v1/late/taken", wire.Taken(items), wire.LateItems)

    async def _signed(self, method: str, target: str, message: msgspec.Struct | None, answer: type[Message]) -> Message:
        """Ask as this device. A laptop whose clock is wrong asks once more by the store's: nobody is shut out by it (D.3)."""
        body = b"" if message is None else wire.write(message)
        try:
            return await self._send(method, target, body, self._signature(method, target, body), answer)
        except Refused as refusal:
            if refusal.code != "clock_wrong":
                raise
        await self.compare_clocks()
        return await self._send(method, target, body, self._signature(method, target, body), answer)

    def _signature(self, method: str, target: str, body: bytes) -> dict[str, str]:
        time_ms, nonce = max(0, self.store_ms()), secrets.token_bytes(wire.NONCE_BYTES)
        named = wire.errand_target(target, self.errand)
        digest = hashlib.sha256(body).digest()
        signature = self._sign(wire.REQUEST, wire.request_message(method, named, time_ms, nonce, digest))
        headers = wire.request_headers(self._device, time_ms, nonce, signature, digest)
        return headers | {wire.ERRAND_HEADER: self.errand.hex()} if self.errand else headers

    async def _open(
        self, method: str, target: str, message: msgspec.Struct | None, answer: type[Message],
        headers: dict[str, str] | None = None,
    ) -> Message:  # fmt: skip
        body = b"" if message is None else wire.write(message)
        return await self._send(method, target, body, headers or {}, answer)

    async def _send(self, method: str, target: str, body: bytes, headers: dict[str, str], answer: type[Message]) -> Message:
        return _read_answer(*await self._exchange(method, target, body, headers), answer)

    async def _exchange(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes, float]:
        """Send one request and return its answer's status, media type, body, and for how many seconds it asks for a pause."""
        # Asked for as it is: a compressed answer could unfold into more than memory holds.
        headers = {**headers, "content-type": wire.MEDIA_TYPE, "accept": wire.MEDIA_TYPE, "accept-encoding": "identity"}
        async with (
            self._reached(), asyncio.timeout(self._patience.whole_s),
            asyncio.timeout(self._patience.until_head(len(body))) as head,
            self._http.stream(method, target, content=body, headers=headers) as response,
        ):  # fmt: skip
            head.reschedule(None)
            raw = await self._bounded(response)
            said = response.headers
            return response.status_code, said.get("content-type", ""), raw, _seconds(said.get("retry-after", ""))

    @contextlib.asynccontextmanager
    async def _reached(self) -> AsyncIterator[None]:
        """Say in words that a request did not get through."""
        try:
            yield
        except (httpx.HTTPError, OSError) as error:
            raise Offline(OFFLINE) from error
        except RuntimeError as error:  # asked after `close`
            if not self._http.is_closed:
                raise
            raise Offline(OFFLINE) from error

    async def _bounded(self, response: httpx.Response) -> bytes:
        parts: list[bytes] = []
        size, begun = 0, self._clock.steady()
        async for part in response.aiter_raw():
            size += len(part)
            if size > LARGEST_ANSWER:
                raise HubMistrusted("The central store sent more than it ever should. It was cut off; everything is saved here.")
            waited = self._clock.steady() - begun
            if waited > self._patience.answer_s and size < waited * self._patience.slowest:
                raise Offline(OFFLINE)
            parts.append(part)
        return b"".join(parts)


def _read_answer(status: int, media: str, raw: bytes, pause_s: float, answer: type[Message]) -> Message:
    if not media.startswith(wire.MEDIA_TYPE):
        raise Refused(ANOTHER_VERSION) if media.startswith(_ANY_VERSION) else Offline(SOMETHING_ELSE)
    if 300 <= status < 400:
        raise Offline(SOMETHING_ELSE)
    try:
        if status >= 400:
            raise _refusal(wire.read(wire.Trouble, raw), pause_s if status in _COME_BACK else 0.0)
        return wire.read(answer, raw)
    except msgspec.DecodeError as error:
        raise HubMistrusted("The central store answered with something that cannot be read. Everything is saved here.") from error


def _refusal(trouble: wire.Trouble, pause_s: float) -> LeadworkerError:
    sentence = one_line(trouble.sentence)[:400] or "The central store refused this without a reason."
    kind = InviteRefused if trouble.code.startswith("invite") else Refused
    error = kind(sentence)
    error.code = one_line(trouble.code)[:40]  # a program matches on the store's own word
    error.retry_after_s = pause_s
    return error


def _seconds(said: str) -> float:
    """Read a `retry-after` in seconds; a date, or nonsense, is no pause."""
    return float(said) if said.isascii() and said.isdigit() and len(said) <= 6 else 0.0


def _address(url: str) -> str:
    """Return the address; plain HTTP only on this very machine (security C.0)."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise NotUnderstood("That is not an address of a central store. It looks like https://store.example.org.") from error
    if parsed.scheme == "http" and parsed.host in LOOPBACK:
        return str(parsed).rstrip("/")
    if parsed.scheme != "https" or not parsed.host:
        raise NotUnderstood("The address of a central store begins with https://. Nothing was sent.")
    return str(parsed).rstrip("/")
