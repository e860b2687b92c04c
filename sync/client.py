"""A laptop's side of the wire: signed requests to one central store, and its answers as messages or sentences."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

import httpx
import msgspec

from leadworker.clock import Clock, Moment
from leadworker.errors import HubMistrusted, InviteRefused, LeadworkerError, NotUnderstood, Offline, Refused
from sync import wire

Message = TypeVar("Message", bound=msgspec.Struct)
Sign = Callable[[bytes, bytes], bytes]

CONNECT_S = 5.0
ANSWER_S = 30.0
LARGEST_ANSWER = 16 * 1024 * 1024

OFFLINE = "No way through to the central store just now. Everything is saved here; it will be sent by itself."


class HubClient:
    """Speaks to the central store at one address. `now_ms` is the store's clock at its last answer, 0 for none yet."""

    def __init__(self, url: str, device: bytes, sign: Sign, clock: Clock) -> None:
        self.url = _address(url)
        self._device = device
        self._sign = sign
        self._clock = clock
        self.now_ms = 0
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        self._http = httpx.AsyncClient(base_url=self.url, timeout=timeout, follow_redirects=False, trust_env=True)

    async def close(self) -> None:
        await self._http.aclose()

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

    async def push(self, runs: tuple[wire.Run, ...]) -> wire.Pushed:
        return await self._signed("POST", "/v1/push", wire.Push(runs), wire.Pushed)

    async def _signed(self, method: str, target: str, message: msgspec.Struct | None, answer: type[Message]) -> Message:
        body = b"" if message is None else wire.write(message)
        time_ms, nonce = Moment.of(self._clock.now()).ms, secrets.token_bytes(16)
        signature = self._sign(wire.REQUEST, wire.request_message(method, target, time_ms, nonce, body))
        headers = {
            wire.DEVICE_HEADER: self._device.hex(),
            wire.TIME_HEADER: str(time_ms),
            wire.NONCE_HEADER: nonce.hex(),
            wire.SIGNATURE_HEADER: signature.hex(),
        }
        return await self._send(method, target, body, headers, answer)

    async def _open(
        self, method: str, target: str, message: msgspec.Struct | None, answer: type[Message],
        headers: dict[str, str] | None = None,
    ) -> Message:  # fmt: skip
        body = b"" if message is None else wire.write(message)
        return await self._send(method, target, body, headers or {}, answer)

    async def _send(
        self, method: str, target: str, body: bytes, headers: dict[str, str], answer: type[Message]
    ) -> Message:
        headers = {**headers, "content-type": wire.MEDIA_TYPE, "accept": wire.MEDIA_TYPE}
        try:
            async with self._http.stream(method, target, content=body, headers=headers) as response:
                raw = await _bounded(response)
                status, media = response.status_code, response.headers.get("content-type", "")
        except (httpx.HTTPError, OSError) as error:
            raise Offline(OFFLINE) from error
        if not media.startswith(wire.MEDIA_TYPE):
            raise Offline(
                "Something else than the central store answered, perhaps the sign-in page of a network. "
                "Everything is saved here; it will be sent by itself."
            )
        try:
            if status >= 400:
                raise _refusal(wire.read(wire.Trouble, raw))
            message = wire.read(answer, raw)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise HubMistrusted("The central store answered with something that cannot be read. Everything is saved here.") from error
        self.now_ms = int(getattr(message, "now_ms", 0)) or self.now_ms
        return message


async def _bounded(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LARGEST_ANSWER:
            raise HubMistrusted("The central store sent more than it ever should. It was cut off; everything is saved here.")
        parts.append(part)
    return b"".join(parts)


def _refusal(trouble: wire.Trouble) -> LeadworkerError:
    from leadworker.text import one_line

    sentence = one_line(trouble.sentence)[:400] or "The central store refused this without a reason."
    kind = InviteRefused if trouble.code.startswith("invite") else Refused
    error = kind(sentence)
    error.code = one_line(trouble.code)[:40]  # a program matches on the store's own word
    return error


def _address(url: str) -> str:
    """Return the address; plain HTTP only on this very machine (security C.0)."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise NotUnderstood("That is not an address of a central store. It looks like https://store.example.org.") from error
    if parsed.scheme == "http" and parsed.host in ("127.0.0.1", "localhost", "::1"):
        return str(parsed).rstrip("/")
    if parsed.scheme != "https" or not parsed.host:
        raise NotUnderstood("The address of a central store begins with https://. Nothing was sent.")
    return str(parsed).rstrip("/")
