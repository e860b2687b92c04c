"""A laptop's side of the wire against everything that may answer at an address: a hotel's page, noise, silence, a thief."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leadworker import proof
from leadworker.crypto.identity import Identity
from leadworker.errors import HubMistrusted, InviteRefused, LeadworkerError, NotUnderstood, Offline, Refused
from sync import wire
from sync.client import ANOTHER_VERSION, OFFLINE, SOMETHING_ELSE, HubClient, Patience
from tests.laptops import LaptopClock

ME = Identity.new()
QUICK = Patience(connect_s=2.0, answer_s=0.15, whole_s=0.6, slowest=1024)

CUT_OFF = "The central store sent more than it ever should. It was cut off; everything is saved here."
NOT_READ = "The central store answered with something that cannot be read. Everything is saved here."


def new_client(url: str, *, patience: Patience | None = None, transport: httpx.AsyncBaseTransport | None = None) -> HubClient:
    return HubClient(url, ME.device, ME.sign, LaptopClock(), patience=patience, transport=transport)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve raw bytes on the loopback; give the port."""
    going: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        going.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    listening = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)


def saying(answer: bytes) -> Serve:
    """Answer every request with these bytes and hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return serve


def http(body: bytes, *, status: str = "200 OK", media: str = wire.MEDIA_TYPE, more: str = "", length: int | None = None) -> bytes:
    """Return an HTTP answer as it travels."""
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {size}\r\n{more}\r\n".encode() + body


async def asked(port: int, *, scheme: str = "http", patience: Patience = QUICK) -> LeadworkerError:
    """Ask for the news at a port and return what went wrong."""
    client = new_client(f"{scheme}://127.0.0.1:{port}", patience=patience)
    try:
        with pytest.raises(LeadworkerError) as error:
            await client.news()
        return error.value
    finally:
        await client.close()


PAGE = b"<html><body>Welcome to Harbour Hotel. Please sign in.</body></html>"
NEWS = wire.write(wire.News((), 5))

ANSWERS: dict[str, tuple[bytes, type[LeadworkerError], str]] = {
    "the sign-in page of a hotel": (http(PAGE, media="text/html"), Offline, SOMETHING_ELSE),
    "a page that leads to another": (
        http(b"", status="302 Found", media="text/html", more="location: http://127.0.0.1:1/login\r\n"),
        Offline,
        SOMETHING_ELSE,
    ),
    "news that lead elsewhere": (
        http(NEWS, status="307 Temporary Redirect", more="location: http://127.0.0.1:1/\r\n"),
        Offline,
        SOMETHING_ELSE,
    ),
    "a proxy's error page": (http(PAGE, status="502 Bad Gateway", media="text/html"), Offline, SOMETHING_ELSE),
    "no media type": (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", Offline, SOMETHING_ELSE),
    "JSON": (http(b'{"books":[]}', media="application/json"), Offline, SOMETHING_ELSE),
    "nothing": (b"", Offline, OFFLINE),
    "noise": (bytes(range(256)) * 8, Offline, OFFLINE),
    "another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", Offline, OFFLINE),
    "half an answer": (http(NEWS, length=9000), Offline, OFFLINE),
    "a length that is none": (b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nabc", Offline, OFFLINE),
    "a header without end": (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000, Offline, OFFLINE),
    "the next version": (http(NEWS, media="application/vnd.leadworker.v2+msgpack"), Refused, ANOTHER_VERSION),
    "garbage under the right name": (http(b"\xc1\xff\x00garbage"), HubMistrusted, NOT_READ),
    "an empty body under the right name": (http(b""), HubMistrusted, NOT_READ),
    "a number instead of news": (http(b"\x07"), HubMistrusted, NOT_READ),
    "news with text for numbers": (http(b"\x92\x91\x93\xc4\x01a\xa1b\xc4\x01c\x05"), HubMistrusted, NOT_READ),
    "lists in lists in lists": (http(b"\x91" * 200_000 + b"\xc0"), HubMistrusted, NOT_READ),
    "lists in lists where nothing is expected": (http(b"\x93\x90\x05" + b"\x91" * 200_000 + b"\xc0"), HubMistrusted, NOT_READ),
    "something after the end": (http(NEWS + b"\x00"), HubMistrusted, NOT_READ),
    "a refusal that cannot be read": (http(b"\xc1", status="403 Forbidden"), HubMistrusted, NOT_READ),
    "compressed without being asked": (http(gzip.compress(NEWS), more="content-encoding: gzip\r\n"), HubMistrusted, NOT_READ),
    "twenty megabytes": (http(bytes(20 * 1024 * 1024)), HubMistrusted, CUT_OFF),
    "a refusal": (
        http(wire.write(wire.Trouble("device_unknown", "The store does not know this laptop.")), status="401 Unauthorized"),
        Refused,
        "The store does not know this laptop.",
    ),
    "a refusal of an invite": (
        http(wire.write(wire.Trouble("invite_used", "This invite was used already.")), status="409 Conflict"),
        InviteRefused,
        "This invite was used already.",
    ),
    "a refusal without words": (
        http(wire.write(wire.Trouble("x", "")), status="400 Bad Request"),
        Refused,
        "The central store refused this without a reason.",
    ),
    "a refusal that a terminal would obey": (
        http(wire.write(wire.Trouble("x\x1b[2J", "Nothing\x1b]52;c;aGk=\x07 was\nsent.\u202e")), status="400 Bad Request"),
        Refused,
        "Nothing]52;c;aGk= was sent.",
    ),
    "a refusal of ten thousand words": (
        http(wire.write(wire.Trouble("x", "word " * 10_000)), status="400 Bad Request"),
        Refused,
        ("word " * 80).strip() + " ",
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_whatever_answers_is_told_in_words(what: str) -> None:
    answer, kind, sentence = ANSWERS[what]
    async with server(saying(answer)) as port:
        error = await asked(port, patience=Patience(answer_s=5, whole_s=10))
    assert type(error) is kind
    assert error.sentence.strip() == sentence.strip()
    assert "\x1b" not in error.code


async def test_an_answer_in_many_pieces_is_one_answer() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in http(NEWS):
            writer.write(bytes([byte]))
            await writer.drain()

    async with server(serve) as port:
        client = new_client(f"http://127.0.0.1:{port}")
        assert await client.news() == wire.News((), 5)
        await client.close()


async def test_nobody_at_the_address() -> None:
    async with server(saying(b"")) as port:
        pass
    assert (await asked(port)).sentence == OFFLINE


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drip_of_the_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_of_the_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(http(b"", length=100_000))
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take nothing of what is sent: the sender's buffers fill up."""
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.Event().wait()


async def hints_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while True:
            writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)


FOR_EVER = Patience(connect_s=0.5, answer_s=0.15, whole_s=600, slowest=1024)


@pytest.mark.parametrize("serve", [silent, drip_of_the_body, drip_of_the_head, hints_without_end], ids=["silence", "body", "head", "hints"])
async def test_a_store_that_hangs_or_feeds_byte_by_byte_holds_nobody_up(serve: Serve) -> None:
    async with server(serve) as port:
        error = await asyncio.wait_for(asked(port, patience=FOR_EVER), 10)
    assert (type(error), error.sentence) == (Offline, OFFLINE)


async def test_a_store_that_takes_nothing_in_holds_nobody_up() -> None:
    async with server(deaf) as port:
        client = new_client(f"http://127.0.0.1:{port}", patience=QUICK)
        run = wire.Run(((bytes(114), bytes(16 * 1024 * 1024)),), bytes(64))
        with pytest.raises(Offline):
            await asyncio.wait_for(client.push((run,)), 10)
        await client.close()


async def test_a_redirect_is_not_followed_to_another_host() -> None:
    visited: list[bytes] = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visited.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http(NEWS))

    async with server(trap) as elsewhere:
        answer = http(b"", status="301 Moved Permanently", media="text/html", more=f"location: http://127.0.0.1:{elsewhere}/v1/news\r\n")
        async with server(saying(answer)) as port:
            assert isinstance(await asked(port), Offline)
    assert visited == []


REFUSED_ADDRESSES = {
    "http://store.example.org": "The address of a central store begins with https://. Nothing was sent.",
    "http://192.168.1.20:8470": "The address of a central store begins with https://. Nothing was sent.",
    "http://127.0.0.1.example.org": "The address of a central store begins with https://. Nothing was sent.",
    "http://localhost.example.org": "The address of a central store begins with https://. Nothing was sent.",
    "http://127.0.0.1@store.example.org": "The address of a central store begins with https://. Nothing was sent.",
    "ftp://store.example.org": "The address of a central store begins with https://. Nothing was sent.",
    "file:///etc/passwd": "The address of a central store begins with https://. Nothing was sent.",
    "store.example.org": "The address of a central store begins with https://. Nothing was sent.",
    "https://": "The address of a central store begins with https://. Nothing was sent.",
    "": "The address of a central store begins with https://. Nothing was sent.",
    "https://store.example.org:many": "That is not an address of a central store. It looks like https://store.example.org.",
    "https://\x00": "That is not an address of a central store. It looks like https://store.example.org.",
}


@pytest.mark.parametrize("address", REFUSED_ADDRESSES)
def test_an_address_that_would_send_in_the_clear_is_refused(address: str) -> None:
    with pytest.raises(NotUnderstood) as told:
        new_client(address)
    assert told.value.sentence == REFUSED_ADDRESSES[address]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" https://store.example.org/ ", "https://store.example.org"),
        ("https://store.example.org:8470", "https://store.example.org:8470"),
        ("HTTPS://Store.Example.org", "https://store.example.org"),
        ("http://127.0.0.1:8470/", "http://127.0.0.1:8470"),
        ("http://[::1]:8470", "http://[::1]:8470"),
    ],
)
async def test_an_address_is_kept_as_it_is_meant(typed: str, kept: str) -> None:
    client = new_client(typed)
    assert client.url == kept
    await client.close()


async def test_tls_that_is_stripped_away_is_no_way_through() -> None:
    """Whoever sits in between answers in the clear where TLS was asked for."""
    async with server(saying(http(NEWS))) as port:
        error = await asked(port, scheme="https")
    assert (type(error), error.sentence) == (Offline, OFFLINE)


def certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate that nobody vouches for."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "both.pem").write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context


async def test_a_store_whose_certificate_nobody_vouches_for_gets_no_request(tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http(NEWS))

    async with server(serve, certificate(tmp_path)) as port:
        error = await asked(port, scheme="https", patience=Patience(answer_s=5))
    assert (type(error), error.sentence, heard) == (Offline, OFFLINE, [])


async def test_a_proxy_of_the_office_is_not_asked_about_this_very_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with server(saying(http(NEWS))) as port:
        client = new_client(f"http://127.0.0.1:{port}")
        assert await client.news() == wire.News((), 5)
        await client.close()


async def test_after_it_was_closed_there_is_no_network() -> None:
    client = new_client("http://127.0.0.1:9")
    await client.close()
    with pytest.raises(Offline) as told:
        await client.news()
    assert told.value.sentence == OFFLINE


class Noted(httpx.AsyncBaseTransport):
    """Keeps every request and answers from a list, the last answer for ever."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.requests: list[httpx.Request] = []
        self.answers = list(answers)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx.Response(status, headers={"content-type": wire.MEDIA_TYPE}, stream=httpx.ByteStream(body))


def is_signed(request: httpx.Request) -> bool:
    """Check the signature of a request as the store does."""
    told = request.headers
    time_ms, nonce, digest = int(told[wire.TIME_HEADER]), bytes.fromhex(told[wire.NONCE_HEADER]), hashlib.sha256(request.content).digest()
    message = wire.request_message(request.method, request.url.raw_path.decode(), time_ms, nonce, digest)
    return proof.is_signed(ME.signing_public, proof.REQUEST, message, bytes.fromhex(told[wire.SIGNATURE_HEADER]))


async def test_every_request_is_signed_whole_and_never_twice_the_same() -> None:
    seen = Noted((200, wire.write(wire.Pushed((), 5))))
    client = new_client("https://store.example.org", transport=seen)
    for _ in range(3):
        await client.push(())
    assert all(is_signed(request) for request in seen.requests)
    assert {request.headers[wire.DEVICE_HEADER] for request in seen.requests} == {ME.device.hex()}
    assert len({request.headers[wire.NONCE_HEADER] for request in seen.requests}) == 3
    altered = seen.requests[0]
    altered._content = altered.content + b"\x00"
    assert not is_signed(altered)


async def test_what_is_asked_before_joining_names_nobody() -> None:
    seen = Noted((200, wire.write(wire.JoinState("open", 5))))
    client = new_client("https://store.example.org", transport=seen)
    await client.join_state(bytes(16))
    (request,) = seen.requests
    assert ME.device.hex() not in str(request.headers) + str(request.url)
    assert wire.SIGNATURE_HEADER not in request.headers


CLOCK_WRONG = (401, wire.write(wire.Trouble("clock_wrong", "This laptop's clock is 9 years behind.")))


async def test_a_store_that_hands_out_cookies_does_not_fill_the_memory_and_gets_none_back() -> None:
    """They would name a laptop where it names nobody, and after a few answers be longer than a head may be."""
    heads: list[bytes] = []

    async def hands_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                body = wire.write(wire.Organisation(1, bytes(32), bytes(16), None, 0))
                cookie = b"set-cookie: a%d=b; path=/\r\n" % len(heads)
                writer.write(http(body).replace(b"\r\n\r\n", b"\r\n" + cookie + b"\r\n", 1))

    async with server(hands_out) as port:
        client = new_client(f"http://127.0.0.1:{port}")
        for _ in range(3):
            await client.organisation()
        assert not list(client._http.cookies.jar)
        await client.close()
    assert len(heads) == 3 and b"cookie" not in b"".join(heads).lower()


async def test_a_laptop_whose_clock_the_store_refuses_asks_once_more_by_the_stores() -> None:
    store_ms = 2_000_000_000_000
    told = wire.write(wire.Organisation(1, bytes(32), b"", None, store_ms))
    seen = Noted(CLOCK_WRONG, (200, told), (200, NEWS))
    client = new_client("https://store.example.org", transport=seen)
    await client.news()
    await client.news()
    paths = [request.url.path for request in seen.requests]
    assert paths == ["/v1/news", "/v1/organisation", "/v1/news", "/v1/news"], "and keeps to it afterwards"
    assert abs(int(seen.requests[2].headers[wire.TIME_HEADER]) - store_ms) < 60_000
    assert is_signed(seen.requests[2])
    assert abs(client.store_ms() - store_ms) < 60_000


async def test_a_store_that_refuses_every_clock_is_asked_twice_and_no_more() -> None:
    told = wire.write(wire.Organisation(1, bytes(32), b"", None, 2_000_000_000_000))
    seen = Noted(CLOCK_WRONG, (200, told), CLOCK_WRONG)
    client = new_client("https://store.example.org", transport=seen)
    with pytest.raises(Refused) as error:
        await client.news()
    assert error.value.sentence == "This laptop's clock is 9 years behind."
    assert len(seen.requests) == 3


@pytest.mark.parametrize(
    ("status", "said", "pause_s"),
    [
        (429, "30", 30.0), (503, "5", 5.0), (403, "30", 0.0), (429, "", 0.0), (429, "-3", 0.0), (429, "soon", 0.0), (429, "\u0663", 0.0),
        (429, "9" * 40, 0.0), (429, "Sun, 22 Nov 2026 09:00:00 GMT", 0.0),
    ],
)  # fmt: skip
async def test_a_pause_is_read_from_the_answer_and_nonsense_is_none(status: int, said: str, pause_s: float) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        headers = [(b"content-type", wire.MEDIA_TYPE.encode()), (b"retry-after", said.encode())]
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(wire.write(wire.Trouble("too_often", "A pause."))))

    with pytest.raises(Refused) as error:
        await new_client("https://store.example.org", transport=httpx.MockTransport(answer)).news()
    assert error.value.retry_after_s == pause_s
