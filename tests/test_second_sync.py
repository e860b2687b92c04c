"""What is signed between laptop and store is what docs/sync-protocol.md says, byte for byte: a second reader holds both sides to it.

Store and laptop make these messages with the same function, so neither would notice if it left the time out.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from functools import cache
from pathlib import Path
from unittest import mock

import httpx
import pytest

from leadworker import errand
from leadworker.crypto.identity import Identity
from sync import wire
from sync.client import HubClient
from tests import second_reader as second
from tests import second_sync as reader
from tests.hub_world import Lane, Laptop, World, run, told
from tests.laptops import LaptopClock

pytest_plugins = ["tests.hub_fixtures"]

VECTORS = Path(__file__).with_name("vectors") / "sync.json"
LAPTOP, STORE = (Identity(bytes([number] * 32), bytes([number + 1] * 32)) for number in (1, 11))
HUB, BOOK, LAST, DIGEST = STORE.signing_public, bytes([3] * 16), bytes([4] * 32), bytes([5] * 32)
NONCE, BODY, TARGET, TIME_MS = bytes([6] * 16), b"what is sent", "/v1/books/0303/changes?after=7&limit=5", 1_767_225_600_123
N, SIZE = 2**40 + 7, 26_745_216


def sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


@cache
def made() -> dict[str, str]:
    """Return, from fixed inputs, what the program signs, in hexadecimal."""
    with mock.patch.object(secrets, "token_bytes", lambda count: NONCE[:count]):
        leave = errand.give(LAPTOP.device, TIME_MS, HUB, LAPTOP.sign)
    on_errand = errand.target(TARGET, bytes(leave))
    return {
        "request": LAPTOP.sign(wire.REQUEST, wire.request_message("GET", TARGET, TIME_MS, NONCE, sha256(BODY))).hex(),
        "request without a body": LAPTOP.sign(wire.REQUEST, wire.request_message("GET", TARGET, TIME_MS, NONCE, sha256(b""))).hex(),
        "request on an errand": LAPTOP.sign(wire.REQUEST, wire.request_message("GET", on_errand, TIME_MS, NONCE, sha256(BODY))).hex(),
        "errand": bytes(leave).hex(),
        "receipt": STORE.sign(wire.RECEIPT, wire.receipt_message(BOOK, LAST, N, DIGEST, TIME_MS)).hex(),
        "file receipt": STORE.sign(wire.FILE_RECEIPT, wire.file_receipt_message(BOOK, DIGEST, SIZE, TIME_MS)).hex(),
    }


@cache
def kept() -> dict[str, bytes]:
    return {name: bytes.fromhex(value) for name, value in json.loads(VECTORS.read_text("utf-8")).items()}


def test_the_program_signs_the_bytes_that_are_kept() -> None:
    assert {name: bytes.fromhex(value) for name, value in made().items()} == kept()


def test_the_second_reader_finds_every_signature_over_what_the_page_says() -> None:
    me, vectors = LAPTOP.signing_public, kept()
    assert reader.is_signed(me, reader.request("GET", TARGET, TIME_MS, NONCE, BODY), vectors["request"])
    assert reader.is_signed(me, reader.request("GET", TARGET, TIME_MS, NONCE, b""), vectors["request without a body"])
    on_errand = reader.request("GET", TARGET, TIME_MS, NONCE, BODY, vectors["errand"])
    assert reader.is_signed(me, on_errand, vectors["request on an errand"])
    device, time_ms, nonce, signature = reader.read_errand(vectors["errand"])
    assert (device, time_ms, nonce) == (LAPTOP.device, TIME_MS, NONCE)
    assert reader.is_signed(me, reader.errand(HUB, device, time_ms, nonce), signature)
    assert reader.is_signed(HUB, reader.receipt(BOOK, LAST, N, DIGEST, TIME_MS), vectors["receipt"])
    assert reader.is_signed(HUB, reader.file_receipt(BOOK, DIGEST, SIZE, TIME_MS), vectors["file receipt"])


def lead(world: World) -> tuple[Laptop, bytes, Lane]:
    laptop = world.organisation.colleague()
    book = world.organisation.casebook(laptop).book
    return laptop, book, Lane(book, laptop.device)


def test_a_receipt_that_a_store_gives_is_over_book_change_number_digest_and_time(world: World) -> None:
    laptop, book, lane = lead(world)
    sent = run(laptop.keys, lane.write(3))
    (outcome,) = laptop.push(sent)
    page = laptop.page(book)
    ids = [second.change_id(item.header) for item in page.changes]
    digest = second.running_digest(book, ids)
    said = reader.receipt(book, ids[-1], len(ids), digest, outcome.received_ms)
    assert reader.is_signed(world.hub.public_key, said, outcome.receipt)
    assert page.receipt == outcome.receipt, "a page ends with the same"


def test_a_receipt_for_a_file_is_over_book_digest_size_and_time(world: World) -> None:
    laptop, book, _ = lead(world)
    content = secrets.token_bytes(65_552 + 300)
    digest = hashlib.sha256(content).digest()
    sent = wire.write(wire.FilePart(len(content), 0, content))
    whole = told(wire.FileState, laptop.send("POST", f"/v1/books/{book.hex()}/files/{digest.hex()}", sent))
    said = reader.file_receipt(book, digest, len(content), whole.received_ms)
    assert reader.is_signed(world.hub.public_key, said, whole.receipt)


def asked(world: World, laptop: Laptop, said: bytes, time_ms: int, nonce: bytes, more: dict[str, str]) -> httpx.Response:
    headers = {
        "lw-device": laptop.device.hex(), "lw-time": str(time_ms), "lw-nonce": nonce.hex(),
        "lw-signature": laptop.keys.private.sign(said).hex(), **more,
    }  # fmt: skip
    return world.organisation.http.get("/v1/news", headers=headers)


@pytest.mark.parametrize("on_errand", [False, True])
def test_a_store_answers_a_request_that_only_the_page_taught_how_to_sign(world: World, on_errand: bool) -> None:
    """With anything else in the signature than what the page names, it is refused."""
    laptop, _, _ = lead(world)
    leave, more = b"", {}
    if on_errand:
        home, time_ms, nonce = world.organisation.colleague(), world.clock(), secrets.token_bytes(16)
        signature = home.keys.private.sign(reader.errand(world.hub.public_key, home.device, time_ms, nonce))
        leave = home.device + second.u(time_ms, 64) + nonce + signature
        more = {"lw-errand": leave.hex()}

    def status(**other: object) -> int:
        time_ms, nonce = world.clock(), secrets.token_bytes(16)
        parts = {"method": "GET", "target": "/v1/news", "time_ms": time_ms, "nonce": nonce, "body": b"", "errand": leave, **other}
        return asked(world, laptop, reader.request(**parts), time_ms, nonce, more).status_code  # type: ignore[arg-type]

    assert status() == 200
    assert status(method="POST") == 401
    assert status(target="/v1/live") == 401
    assert status(time_ms=world.clock() - 1) == 401
    assert status(nonce=bytes(16)) == 401
    assert status(body=b"x") == 401
    assert status(errand=bytes(104) if not on_errand else b"") == 401


async def test_a_laptop_signs_its_requests_as_the_page_says() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, headers={"content-type": wire.MEDIA_TYPE}, stream=httpx.ByteStream(wire.write(wire.Pushed((), 5))))

    client = HubClient("https://store.example.org", LAPTOP.device, LAPTOP.sign, LaptopClock(), transport=httpx.MockTransport(answer))
    await client.push(())
    await client.close()
    (request,) = seen
    told_ms, nonce = int(request.headers["lw-time"]), bytes.fromhex(request.headers["lw-nonce"])
    said = reader.request("POST", "/v1/push", told_ms, nonce, request.content)
    assert request.headers["content-digest"] == reader.body_digest(request.content)
    assert reader.is_signed(LAPTOP.signing_public, said, bytes.fromhex(request.headers["lw-signature"]))


def test_a_mark_is_over_number_and_digest_of_each_book_in_the_news(world: World) -> None:
    laptop, _, _ = lead(world)
    news = [(one.book, one.n, one.digest) for one in laptop.news().values()]
    assert told(wire.Mark, laptop.send("GET", "/v1/live/next?mark=&wait=0")).mark == reader.mark(news)
