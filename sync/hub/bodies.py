"""Reads request bodies within limits and writes answers as MessagePack; every trouble becomes words."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sync import wire
from sync.hub.allowance import address_key
from sync.hub.gate import read_claim
from sync.hub.hub import Asked, Hub
from sync.hub.metrics import CODE
from sync.hub.rules import Refusal
from sync.hub.store import StoreAway

SMALL_BODY: Final = 64 * 1024
_HELD: Final = "leadworker.held"
"""Where a request's scope has its `_Held`."""

_UNREAD: Final = frozenset({408, 413, 429})
"""Statuses after which the rest of a body may still be on its way, so that the line cannot serve another request."""

_PIECE: Final = 64 * 1024
"""Bytes of an answer that are handed on at once. What the asker does not take in stays here, where it is counted and let go of."""

_SHARES: Final = 16
"""One laptop has this part of the bytes of bodies, and of answers on their way: none keeps the store too busy for its colleagues."""

_PATIENCE_S: Final = 2.0
"""How long a refused body is still listened to, so that its sender hears the words and not only a closed line."""


@dataclass(slots=True)
class _Held:
    """The bytes that a request holds until it is answered, the device that signed it, and whether that one is in force."""

    count: int = 0
    known: bool = False
    device: bytes = b""

    def add(self, hub: Hub, count: int) -> None:
        """Count bytes, or with a negative number let go of them."""
        self.count += count
        hub.held_bytes += count
        hub.held_of[self.device] += count
        if not self.known:
            hub.held_unknown += count
        if not hub.held_of[self.device]:
            del hub.held_of[self.device]

    def is_too_much(self, hub: Hub) -> bool:
        """Return whether there is no room for it: among all, among those not in force, or beside others of the same device."""
        if hub.held_bytes > hub.limits.most_held:
            return True
        if not self.known:
            return hub.held_unknown > hub.limits.most_held_unknown
        return self.count < hub.held_of[self.device] > hub.limits.most_held // _SHARES


def hub_of(request: Request) -> Hub:
    """Return the store that a request is for."""
    hub: Hub = request.app.state.hub
    return hub


def unsigned(request: Request) -> Hub:
    """Return the store that a request without a signature is for; raise `Refusal` when its address asks too often."""
    hub = hub_of(request)
    hub.check_address(asker_key(request))
    return hub


async def open_body(request: Request, largest: int) -> bytes:
    """Return the body of a request that needs no signature."""
    unsigned(request)
    _check_type(request)
    return await _read(request, largest)


async def signed_body(request: Request, largest: int) -> Asked:
    """Return a signed request with its body.

    One that no device of the directory has signed just now is refused before its body is taken.
    """
    asked = signed(request)
    _check_type(request)
    held: _Held = request.scope[_HELD]
    try:
        checked, held.known = await hub_of(request).expects(asked)
    except Refusal:
        await _listen_on(request)
        raise
    held.device = asked.claim.device
    return replace(asked, body=await _read(request, largest), checked=checked)


def signed(request: Request) -> Asked:
    """Return a signed request that has no body."""
    return Asked(read_claim(request.headers), request.method, _target(request))


class Answer(Response):
    """A body that goes out in pieces. Who does not take in the next one in time is let go, and asks again (C.8).

    Otherwise whoever asks for page after page and reads none of them would have the store hold them all.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or the word that too much is on its way already."""
        hub: Hub = scope["app"].state.hub
        body = memoryview(self.body)
        asker = Request(scope).headers.get(wire.DEVICE_HEADER, "")  # checked: nobody else is told so much
        if len(body) > _PIECE and _is_too_much(hub, asker, len(body)):
            await trouble(scope, _busy())(scope, receive, send)
            return
        hub.answered_bytes += len(body)
        hub.answered_of[asker] += len(body)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(hub.limits.answer_seconds):  # it waits behind an answer that was not taken in
                    await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                for at in range(0, len(body) or 1, _PIECE):
                    piece = {"type": "http.response.body", "body": bytes(body[at : at + _PIECE]), "more_body": at + _PIECE < len(body)}
                    async with asyncio.timeout(hub.limits.answer_seconds):
                        await send(piece)
        finally:
            hub.answered_bytes -= len(body)
            hub.answered_of[asker] -= len(body)
            if not hub.answered_of[asker]:
                del hub.answered_of[asker]


def _is_too_much(hub: Hub, asker: str, size: int) -> bool:
    """Return whether an answer is one too many: for the store, or for a laptop that has yet to take in an earlier one."""
    own, most = hub.answered_of[asker], hub.limits.most_answered
    return hub.answered_bytes + size > most or (own > 0 and own + size > most // _SHARES)


def answer(message: msgspec.Struct | bytes, status: int = 200) -> Response:
    """Return a message, or one that is written already, as a response."""
    body = message if isinstance(message, bytes) else wire.write(message)
    return Answer(body, status, media_type=wire.MEDIA_TYPE, headers={"cache-control": "no-store"})


def trouble(scope: Scope, refusal: Refusal) -> Response:
    """Return a refusal as a response, with the store's time so that a wrong clock can be told."""
    hub: Hub = scope["app"].state.hub
    scope[CODE] = refusal.code
    response = answer(wire.Trouble(refusal.code, refusal.sentence), refusal.status)
    response.headers[wire.TIME_HEADER] = str(hub.now_ms())
    if refusal.retry_after_s:
        response.headers["retry-after"] = str(refusal.retry_after_s)
    if refusal.status in _UNREAD:
        response.headers["connection"] = "close"
    return response


class Calm:
    """Turns what a route could not foresee into words: a database that is away, or a fault of this program."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hub: Hub = scope["app"].state.hub
        started = False
        held = scope[_HELD] = _Held()

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the last place where a fault can still become words
            hub.log.fault(error)
            if not started:
                await trouble(scope, _unforeseen(error))(scope, receive, send)
        finally:
            held.add(hub, -held.count)


def _unforeseen(error: Exception) -> Refusal:
    if isinstance(error, StoreAway):
        return Refusal(
            "store_away",
            "The central store cannot reach its own database just now. Nothing was taken, and what is written is safe "
            "on the laptop. It will be sent again by itself; whoever runs the store should look at it.",
            503,
        )
    return Refusal(
        "fault",
        "The central store stumbled over this request. Nothing was taken, and what is written is safe on the laptop. "
        "Whoever runs the store finds the place in its log.",
        500,
    )


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != wire.MEDIA_TYPE:
        raise Refusal(
            "wrong_type",
            f"The central store reads {wire.MEDIA_TYPE} only. Nothing was taken. Check the address and the version.",
            415,
        )


async def _read(request: Request, largest: int) -> bytes:
    try:
        async with asyncio.timeout(hub_of(request).limits.body_seconds):
            return await _read_all(request, largest)
    except TimeoutError:
        raise Refusal(
            "too_slow",
            "The request took too long to arrive, so the central store did not wait for the rest. Nothing of it was "
            "taken, and what is written is safe. Try again when the line is better; smaller parts help.",
            408,
        ) from None


async def _read_all(request: Request, largest: int) -> bytes:
    hub = hub_of(request)
    held: _Held = request.scope[_HELD]
    said = request.headers.get("content-length", "0")
    refusal = None if said.isdigit() and len(said) <= 12 and int(said) <= largest else _too_large(largest)
    parts: list[bytes] = []
    size = 0
    more = True
    while more and refusal is None:
        part, more = await _next_part(request)
        parts.append(part)
        size += len(part)
        held.add(hub, len(part))
        if size > largest:
            refusal = _too_large(largest)
        elif held.is_too_much(hub):
            refusal = _busy()
    if refusal is not None:
        parts.clear()
        held.add(hub, -held.count)
        if more:
            await _listen_on(request)
        raise refusal
    return b"".join(parts)


async def _next_part(request: Request) -> tuple[bytes, bool]:
    """Return the next part of a body, and whether there is more of it."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


async def _listen_on(request: Request) -> None:
    """Let go by what still comes of a refused body, for a short while."""
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(_PATIENCE_S):
            while (await _next_part(request))[1]:
                pass


def asker_key(request: Request) -> bytes:
    """Return what counts as the address that asks. Only what the proxy itself has written is believed, and it writes at the end."""
    if hub_of(request).limits.behind_proxy:
        said = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
        if said:
            return address_key(said)
    return address_key(request.client.host if request.client else "")


def _target(request: Request) -> str:
    """Return path and query exactly as they were sent, since that is what was signed."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return (raw + b"?" + query if query else raw).decode("latin-1")


def _too_large(largest: int) -> Refusal:
    return Refusal(
        "too_large",
        f"The central store takes at most {largest // 1024} KiB in one request. Nothing of it was taken; send it in smaller parts.",
        413,
    )


def _busy() -> Refusal:
    return Refusal(
        "busy",
        "The central store has too much in hand just now. Nothing was taken, and what is written is safe. Try again in a minute.",
        429,
        retry_after_s=60,
    )
