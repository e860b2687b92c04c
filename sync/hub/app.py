"""The central store's HTTP surface, version 1 (docs/sync-protocol.md): async routes over MessagePack bodies.

A request is refused as a whole with a `wire.Trouble` and an HTTP status; runs and statements that are not taken are
told one by one in a `wire.Outcome`, with status 200.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Path, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from sync import wire
from sync.hub import bodies, live_routes
from sync.hub.files import Named
from sync.hub.hub import Hub
from sync.hub.metrics import Measured
from sync.hub.reading import USUAL_PAGE
from sync.hub.rules import Refusal

_SIGNED: Final = (wire.DEVICE_HEADER, wire.TIME_HEADER, wire.NONCE_HEADER, wire.SIGNATURE_HEADER)
_LARGEST_NUMBER: Final = 2**62
LARGEST_PART: Final = wire.FILE_PART + 64
"""Bytes of a request that carries one part of a file: the part, its size and its number."""

BookId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="the book's 16 bytes in hexadecimal")]
InviteId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="the invite's 16 bytes in hexadecimal")]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="the SHA-256 of a sealed file's bytes in hexadecimal")]
PartNumber = Annotated[int, Path(ge=0, le=wire.LARGEST_FILE // wire.FILE_PART, description="which part, from 0")]
After = Annotated[int, Query(ge=0, le=_LARGEST_NUMBER, description="the last number that the asker has")]
Limit = Annotated[int, Query(ge=1, le=wire.LARGEST_PAGE, description="about how many changes a page holds")]


def build_app(hub: Hub) -> FastAPI:
    """Return the ASGI application that serves a hub."""
    app = FastAPI(
        title="leadworker central store",
        version=str(wire.PROTOCOL),
        description="Keeps sealed changes in order. It holds no key and can read nothing.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.hub = hub
    app.include_router(routes)
    app.include_router(live_routes.routes)
    app.add_middleware(bodies.Calm)
    app.add_middleware(Measured)  # around everything, so that it sees every answer
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(RequestValidationError, _malformed)
    return app


def _described(sends: str | None, answers: str, signed: bool, *, on_errand: bool = False) -> dict[str, Any]:
    """Return what the OpenAPI description says of a route beside its path."""
    binary = {"type": "string", "format": "binary"}
    extra: dict[str, Any] = {
        "responses": {
            "200": {"description": f"a {answers}", "content": {wire.MEDIA_TYPE: {"schema": binary}}},
            "default": {"description": "a Trouble", "content": {wire.MEDIA_TYPE: {"schema": binary}}},
        }
    }
    if sends is not None:
        content = {wire.MEDIA_TYPE: {"schema": {**binary, "description": f"a {sends}"}}}
        extra["requestBody"] = {"required": True, "content": content}
    if signed:
        names = (*_SIGNED, wire.BODY_HEADER) if sends else _SIGNED
        extra["parameters"] = [{"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in names]
    if on_errand:
        extra["parameters"].append({"name": wire.ERRAND_HEADER, "in": "header", "required": False, "schema": {"type": "string"}})
    return {"openapi_extra": extra, "response_class": Response, "response_model": None}


routes = APIRouter(prefix="/v1")


# The first three are asked all day long; routes are tried in this order.


@routes.get("/news", **_described(None, "News", signed=True, on_errand=True))
async def news(request: Request) -> Response:
    """Return the present head of every book that the asking device may read."""
    return bodies.answer(await bodies.hub_of(request).news(bodies.signed(request)))


@routes.get("/books/{book}/changes", **_described(None, "Page", signed=True, on_errand=True))
async def changes(request: Request, book: BookId, after: After = 0, limit: Limit = USUAL_PAGE) -> Response:
    """Return the changes of a book after a number; a page never ends inside a run."""
    asked = bodies.signed(request)
    return bodies.answer(await bodies.hub_of(request).page(asked, bytes.fromhex(book), after, limit))


@routes.post("/push", **_described("Push", "Pushed", signed=True, on_errand=True))
async def push(request: Request) -> Response:
    """Take runs of sealed changes; the answer comes after they are durable."""
    asked = await bodies.signed_body(request, wire.LARGEST_BATCH)
    return bodies.answer(await bodies.hub_of(request).push(asked))


@routes.get("/health", status_code=204, response_class=Response, response_model=None)
async def health(request: Request) -> Response:
    """Say that the store and its database answer."""
    await bodies.unsigned(request).check_up()
    return Response(status_code=204)


@routes.get("/organisation", **_described(None, "Organisation", signed=False))
async def organisation(request: Request) -> Response:
    """Say which organisation this store serves, to anybody."""
    return bodies.answer(await bodies.unsigned(request).organisation())


@routes.post("/organisation", **_described("Control", "Outcome", signed=False))
async def found(request: Request) -> Response:
    """Found the organisation, with the one-time code from the store's console."""
    body = await bodies.open_body(request, bodies.SMALL_BODY)
    code = request.headers.get(wire.SETUP_HEADER, "")
    return bodies.answer(await bodies.hub_of(request).found(code, body))


@routes.post("/join", **_described("JoinRequest", "JoinState", signed=False))
async def join(request: Request) -> Response:
    """Leave a new device's keys, proven with an invite's secret, for an administrator to check."""
    body = await bodies.open_body(request, bodies.SMALL_BODY)
    return bodies.answer(await bodies.hub_of(request).join(body))


@routes.get("/join/{invite}", **_described(None, "JoinState", signed=False))
async def join_state(request: Request, invite: InviteId) -> Response:
    """Say where a join stands."""
    return bodies.answer(await bodies.unsigned(request).join_state(bytes.fromhex(invite)))


@routes.post("/invites", **_described("Invite", "JoinState", signed=True))
async def invite(request: Request) -> Response:
    """Announce an invite."""
    asked = await bodies.signed_body(request, bodies.SMALL_BODY)
    return bodies.answer(await bodies.hub_of(request).invite(asked))


@routes.get("/joins", **_described(None, "Joins", signed=True))
async def joins(request: Request) -> Response:
    """List the devices that wait to be admitted: all for a directory administrator, others' own invites for them."""
    return bodies.answer(await bodies.hub_of(request).joins(bodies.signed(request)))


@routes.post("/control", **_described("Control", "Outcome", signed=True, on_errand=True))
async def control(request: Request) -> Response:
    """Take statements about the directory, or about a book's members and keys, all or none."""
    asked = await bodies.signed_body(request, wire.LARGEST_BATCH)
    return bodies.answer(await bodies.hub_of(request).control(asked))


@routes.post("/recovery/report", **_described("Report", "Recovery", signed=True))
async def recovery_report(request: Request) -> Response:
    """Tell a restored store what this laptop holds; in recovery mode only."""
    asked = await bodies.signed_body(request, wire.LARGEST_RETURN)
    return bodies.answer(await bodies.hub_of(request).report(asked))


@routes.post("/recovery/changes", **_described("Returned", "Outcome", signed=True))
async def recovery_changes(request: Request) -> Response:
    """Give a restored store changes back that it had numbered before; in recovery mode only."""
    asked = await bodies.signed_body(request, wire.LARGEST_RETURN)
    return bodies.answer(await bodies.hub_of(request).take_back(asked))


@routes.post("/late", **_described("Late", "LateItems", signed=True))
async def hand_in(request: Request) -> Response:
    """Leave what was written in a book that one has lost, sealed to those who decide about it."""
    asked = await bodies.signed_body(request, wire.LARGEST_BATCH)
    return bodies.answer(await bodies.hub_of(request).hand_in(asked))


@routes.get("/late", **_described(None, "LateItems", signed=True))
async def late(request: Request) -> Response:
    """Return what was handed in late for the asking device."""
    return bodies.answer(await bodies.hub_of(request).late(bodies.signed(request)))


@routes.post("/late/taken", **_described("Taken", "LateItems", signed=True))
async def late_taken(request: Request) -> Response:
    """Say what of it the asking device has in its vault."""
    asked = await bodies.signed_body(request, bodies.SMALL_BODY)
    return bodies.answer(await bodies.hub_of(request).late_taken(asked))


@routes.get("/books/{book}/files/{digest}", **_described(None, "FileState", signed=True))
async def file_state(request: Request, book: BookId, digest: Digest) -> Response:
    """Say how far a sealed file has come: whole, or as much of it as the asking device has sent."""
    return bodies.answer(await bodies.hub_of(request).file_state(bodies.signed(request), _named(book, digest)))


@routes.post("/books/{book}/files/{digest}", **_described("FilePart", "FileState", signed=True))
async def put_file(request: Request, book: BookId, digest: Digest) -> Response:
    """Take the next part of a sealed file; the answer comes after it is durable."""
    asked = await bodies.signed_body(request, LARGEST_PART)
    return bodies.answer(await bodies.hub_of(request).put_file(asked, _named(book, digest)))


@routes.get("/books/{book}/files/{digest}/parts/{part}", **_described(None, "FilePart", signed=True))
async def file_part(request: Request, book: BookId, digest: Digest, part: PartNumber) -> Response:
    """Return a part of a sealed file that is whole."""
    return bodies.answer(await bodies.hub_of(request).file_part(bodies.signed(request), _named(book, digest), part))


def _named(book: str, digest: str) -> Named:
    return Named(bytes.fromhex(book), bytes.fromhex(digest))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    hub = bodies.hub_of(request)
    if error.code != "too_often":  # that would fill the log; the figures count it, and `Hub` notes whose laptop it is
        hub.log.turned_away(bodies.asker_key(request), error.code, error.status)
    return bodies.trouble(request.scope, error)


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = Refusal(
        "no_such_request",
        "The central store does not know this kind of request. Nothing was taken. Check the address and the version.",
        error.status_code,
    )
    return bodies.trouble(request.scope, refusal)


async def _malformed(request: Request, error: Exception) -> Response:
    refusal = Refusal("bad_request", "The central store cannot read this address. Nothing was taken.")
    return bodies.trouble(request.scope, refusal)
