"""An invented organisation that speaks the protocol with real keys, so that tests can press on the central store.

Seals are random bytes of the right size: the store cannot read them, so it cannot tell.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from leadworker import change, proof, statements
from leadworker.statements import Role
from sync import wire
from sync.hub.hub import Limits
from sync.hub.serve import EmbeddedHub
from tests.postgres import require_postgres

STORES = ("sqlite", "postgres")
Clock = Callable[[], int]


class Keys:
    """The two key pairs of a device, or the signing pair of a root."""

    def __init__(self) -> None:
        self.private = Ed25519PrivateKey.generate()
        self.signing = self.private.public_key().public_bytes_raw()
        self.unsealing = X25519PrivateKey.generate().public_key().public_bytes_raw()
        self.device = change.device_id(self.signing, self.unsealing)

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Sign for one purpose."""
        return self.private.sign(domain + message)


@dataclass
class ControlLane:
    """The end of a shared lane as somebody has seen it."""

    book: bytes
    seq: int = 0
    head: bytes = change.FIRST

    @property
    def seen(self) -> tuple[int, bytes]:
        """What a statement that is written now says of this lane, where it is a directory's."""
        return self.seq, self.head

    def statement(
        self, signer: Keys, said: statements.DirectoryStatement | statements.BookStatement, device: bytes = b""
    ) -> wire.OpenChange:
        """Sign the next statement and move the end on. `device` is the signer's id where it is not its keys' (the root)."""
        body = statements.write_statement(said)
        header = change.Header(
            kind_of(said), self.book, device or signer.device, change.CONTROL_LANE, self.seq + 1, self.head,
            len(body), change.commitment(body),
        ).pack()  # fmt: skip
        self.seq, self.head = self.seq + 1, change.change_id(header)
        return wire.OpenChange(header, body, signer.sign(proof.HEAD, self.head))

    def copy(self) -> ControlLane:
        """Return a second view of the same lane, as another laptop would have it."""
        return ControlLane(self.book, self.seq, self.head)


@dataclass
class Lane:
    """A device's own lane in one book."""

    book: bytes
    device: bytes
    number: int = 1
    seq: int = 0
    head: bytes = change.FIRST

    def write(self, count: int = 1, *, epoch: int = 1, size: int = 256, kind: int = change.Kind.CONTENT) -> list[Sealed]:
        """Write changes at the end of the lane."""
        written = []
        for _ in range(count):
            header = change.Header(kind, self.book, self.device, self.number, self.seq + 1, self.head, size, secrets.token_bytes(32)).pack()
            seal = epoch.to_bytes(4, "big") + secrets.token_bytes(size + wire.SEAL_OVERHEAD - 4)
            self.seq, self.head = self.seq + 1, change.change_id(header)
            written.append((header, seal))
        return written


Sealed = tuple[bytes, bytes]


def run(keys: Keys, changes: Sequence[Sealed]) -> wire.Run:
    """Sign consecutive changes of one lane by their last one."""
    return wire.Run(tuple(changes), keys.sign(proof.HEAD, change.change_id(changes[-1][0])))


@dataclass
class Laptop:
    """A device that talks to the central store over HTTP."""

    http: httpx.Client
    keys: Keys
    now_ms: Clock
    person: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def device(self) -> bytes:
        return self.keys.device

    def member(self, role: Role) -> statements.Member:
        """Return this device's place in a book."""
        return statements.Member(self.device, self.person, role)

    def send(
        self, method: str, target: str, body: bytes = b"", *, signer: Keys | None = None, nonce: bytes | None = None,
        time_ms: int | None = None, signed_target: str | None = None, signed_body: bytes | None = None,
    ) -> httpx.Response:  # fmt: skip
        """Send a signed request; the keywords let a test bend one thing at a time."""
        headers = self.headers(
            method, signed_target or target, body if signed_body is None else signed_body, signer=signer, nonce=nonce,
            time_ms=time_ms,
        )  # fmt: skip
        return self.http.request(method, target, content=body, headers=headers)

    def headers(
        self, method: str, target: str, body: bytes, *, signer: Keys | None = None, nonce: bytes | None = None,
        time_ms: int | None = None,
    ) -> dict[str, str]:  # fmt: skip
        """Return the headers that make a request this device's own."""
        nonce = nonce or secrets.token_bytes(wire.NONCE_BYTES)
        time_ms = self.now_ms() if time_ms is None else time_ms
        digest = hashlib.sha256(body).digest()
        signature = (signer or self.keys).sign(proof.REQUEST, wire.request_message(method, target, time_ms, nonce, digest))
        return {"content-type": wire.MEDIA_TYPE, **wire.request_headers(self.device, time_ms, nonce, signature, digest)}

    def control(self, *changes: wire.OpenChange) -> wire.Outcome:
        """Send statements as one request and return what became of them."""
        return told(wire.Outcome, self.send("POST", "/v1/control", wire.write(wire.Control(changes))))

    def push(self, *runs: wire.Run) -> tuple[wire.Outcome, ...]:
        """Push runs and return their outcomes."""
        return told(wire.Pushed, self.send("POST", "/v1/push", wire.write(wire.Push(runs)))).outcomes

    def news(self) -> dict[bytes, wire.BookNews]:
        """Return the heads of what this device may read, by book, in the order told."""
        return {news.book: news for news in told(wire.News, self.send("GET", "/v1/news")).books}

    def page(self, book: bytes, after: int = 0, limit: int = 500) -> wire.Page:
        """Fetch one page of a book."""
        return told(wire.Page, self.send("GET", f"/v1/books/{book.hex()}/changes?after={after}&limit={limit}"))

    def pull(self, book: bytes, limit: int = 500) -> list[wire.Numbered]:
        """Fetch a whole book and check numbers and running digest on the way."""
        return list(follow(book, lambda after: self.page(book, after, limit)))


def follow(book: bytes, fetch: Callable[[int], wire.Page]) -> list[wire.Numbered]:
    """Page through a book as a laptop does: no gap, and the same digest in the end as the store's."""
    changes: list[wire.Numbered] = []
    digest = change.first_digest(book)
    while True:
        page = fetch(len(changes))
        for item in page.changes:
            assert item.n == len(changes) + 1, "the numbers of a book have no gap"
            digest = change.next_digest(digest, change.change_id(item.header), item.n)
            changes.append(item)
        assert not page.changes or page.changes[-1].signature, "a page never ends inside a run"
        if not page.more:
            assert (page.n, page.digest) == (len(changes), digest)
            return changes


@dataclass
class Casebook:
    """A book with its control lane as its members have seen it."""

    control: ControlLane
    directory: ControlLane
    members: dict[bytes, statements.Member]
    lead: bytes
    epoch: int = 1

    @property
    def book(self) -> bytes:
        return self.control.book

    def membership(self, signer: Laptop, add: Sequence[statements.Member] = (), remove: Sequence[bytes] = ()) -> wire.OpenChange:
        """Sign a change of members."""
        said = statements.Membership(self.directory.seen, tuple(add), tuple(remove), self.lead)
        statement = self.control.statement(signer.keys, said)
        self.members |= {member.device: member for member in add}
        for device in remove:
            self.members.pop(device, None)
        return statement

    def grant(self, signer: Laptop, *devices: bytes) -> wire.OpenChange:
        """Sign that the present key was handed to devices."""
        return self.control.statement(signer.keys, statements.Grant(self.epoch, {d: _sealed_key() for d in devices}))

    def rotation(self, signer: Laptop) -> wire.OpenChange:
        """Sign a new key for all members."""
        self.epoch += 1
        return self.control.statement(signer.keys, key_for(self.epoch, self.members, self.directory.seen))


class FakeOrganisation:
    """Root, directory and laptops of an invented organisation at one central store."""

    def __init__(self, url: str, now_ms: Clock) -> None:
        self.url = url
        self.now_ms = now_ms
        self.http = httpx.Client(base_url=url, timeout=30)
        self.root = Keys()
        self.root_id = statements.root_id(self.root.signing)
        self.directory = ControlLane(secrets.token_bytes(16))
        self.team = secrets.token_bytes(8)
        self.admin = self.laptop()

    def close(self) -> None:
        """Let go of the connections."""
        self.http.close()

    def laptop(self) -> Laptop:
        """Make a laptop that nobody has enrolled."""
        return Laptop(self.http, Keys(), self.now_ms)

    def founding(self, hub_key: bytes, **bent: bytes) -> tuple[wire.OpenChange, ...]:
        """Sign the founding and the first administrator's enrolment with the root."""
        fields = {"root": self.root.signing, "escrow": Keys().unsealing, "hub": hub_key, "name": secrets.token_bytes(92)}
        said = statements.Founding(protocol=1, idle_lock_s=300, **{**fields, **bent})
        return (
            self.directory.statement(self.root, said, self.root_id),
            self.directory.statement(self.root, self.enrol(self.admin, Role.SUPERVISOR, admin=True), self.root_id),
        )

    def found(self, setup_code: str, changes: Sequence[wire.OpenChange] | None = None) -> httpx.Response:
        """Found the organisation at its store."""
        if changes is None:
            changes = self.founding(self.hub().hub)
        headers = {"content-type": wire.MEDIA_TYPE, wire.SETUP_HEADER: setup_code}
        return self.http.post("/v1/organisation", content=wire.write(wire.Control(tuple(changes))), headers=headers)

    def hub(self) -> wire.Organisation:
        """Ask the store which organisation it serves."""
        return told(wire.Organisation, self.http.get("/v1/organisation"))

    def enrol(self, laptop: Laptop, role: Role, *, admin: bool = False, invite: bytes = b"", keys: Keys | None = None) -> statements.Enrol:
        """Return the statement that enrols a laptop."""
        made = keys or laptop.keys
        return statements.Enrol(
            made.signing, made.unsealing, laptop.person, role, admin, self.team, invite, secrets.token_bytes(92),
            secrets.token_bytes(80),
        )  # fmt: skip

    def colleague(self, role: Role = Role.KEY_WORKER, *, admin: bool = False) -> Laptop:
        """Enrol a new colleague's laptop, signed by the first administrator."""
        laptop = self.laptop()
        outcome = self.admin.control(self.directory.statement(self.admin.keys, self.enrol(laptop, role, admin=admin)))
        assert not outcome.code, outcome.sentence
        return laptop

    def new_casebook(self, lead: Laptop, others: Sequence[tuple[Laptop, Role]] = ()) -> tuple[Casebook, tuple[wire.OpenChange, ...]]:
        """Return a casebook and the two statements that found it, not sent yet."""
        members = {lead.device: lead.member(Role.KEY_WORKER)}
        members |= {laptop.device: laptop.member(role) for laptop, role in others}
        book = Casebook(ControlLane(secrets.token_bytes(16)), self.directory, members, lead.person)
        first = statements.Membership(self.directory.seen, tuple(members.values()), (), lead.person)
        return book, (
            book.control.statement(lead.keys, first),
            book.control.statement(lead.keys, key_for(1, members, self.directory.seen)),
        )

    def casebook(self, lead: Laptop, others: Sequence[tuple[Laptop, Role]] = ()) -> Casebook:
        """Found a casebook at the store."""
        book, said = self.new_casebook(lead, others)
        outcome = lead.control(*said)
        assert not outcome.code, outcome.sentence
        return book

    def join(self, laptop: Laptop, invite: bytes, *, keys: Keys | None = None, given: bytes = bytes(32)) -> httpx.Response:
        """Come with an invite, as a device that nobody knows yet."""
        made = keys or laptop.keys
        request = wire.JoinRequest(invite, made.signing, made.unsealing, given)
        headers = {"content-type": wire.MEDIA_TYPE}
        return self.http.post("/v1/join", content=wire.write(request), headers=headers)


def key_for(epoch: int, members: dict[bytes, statements.Member], seen: statements.Seen) -> statements.Rotation:
    """Return a new key's statement with seals of the right size that nobody can open."""
    ladder = b"" if epoch == 1 else secrets.token_bytes(60)
    seals = {device: _sealed_key() for device in members}
    return statements.Rotation(epoch, secrets.token_bytes(16), seals, _sealed_key(), ladder, seen)


def kind_of(said: statements.DirectoryStatement | statements.BookStatement) -> int:
    """Return the kind that fits a statement."""
    match said:
        case statements.Membership():
            return change.Kind.MEMBERSHIP
        case statements.Rotation():
            return change.Kind.ROTATION
        case statements.Grant():
            return change.Kind.GRANT
        case _:
            return change.Kind.DIRECTORY


def told(kind: type[wire.Message], response: httpx.Response) -> wire.Message:
    """Read a good answer; fail with the store's own words otherwise."""
    assert response.status_code == 200, refused(response)
    return wire.read(kind, response.content)


def refused(response: httpx.Response) -> str:
    """Return the code of a refusal, after checking that it came with a whole sentence."""
    assert response.headers["content-type"] == wire.MEDIA_TYPE, response.text
    trouble = wire.read(wire.Trouble, response.content)
    assert trouble.sentence.endswith("."), trouble.sentence
    return trouble.code


def _sealed_key() -> bytes:
    return secrets.token_bytes(80)


class HandClock:
    """A clock that goes with the real one until a test pushes it on."""

    def __init__(self) -> None:
        self.pushed_ms = 0

    def __call__(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000 + self.pushed_ms


@dataclass
class World:
    """A central store that runs, and the organisation that it serves."""

    database: str
    clock: HandClock
    hub: EmbeddedHub
    organisation: FakeOrganisation
    log: io.StringIO


@contextlib.contextmanager
def running(database: str, *, founded: bool = True, limits: Limits | None = None) -> Iterator[World]:
    """Run a store on a database, and found an invented organisation at it."""
    clock, log = HandClock(), io.StringIO()
    with EmbeddedHub(database, now_ms=clock, log=log, limits=limits) as hub:
        organisation = FakeOrganisation(hub.url, clock)
        try:
            if founded:
                outcome = told(wire.Outcome, organisation.found(hub.setup_code))
                assert not outcome.code, outcome.sentence
            yield World(database, clock, hub, organisation, log)
        finally:
            organisation.close()


def new_database(store: str, folder: Path) -> str:
    """Return the name of an empty database of one of the `STORES`."""
    return str(folder / "hub.db") if store == "sqlite" else require_postgres().new_database()


def dump(database: str) -> bytes:
    """Return every byte that a store keeps: the files of SQLite, or all rows of all tables."""
    if not database.startswith("postgresql"):
        return b"".join(path.read_bytes() for path in sorted(Path(database).parent.glob("hub.db*")))
    parts = []
    with psycopg.connect(database) as server:
        tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        for (table,) in tables:
            for row in server.execute(f'SELECT * FROM "{table}" ORDER BY 1').fetchall():
                parts += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    return b"\n".join(parts)


def execute(database: str, statement: str) -> None:
    """Run a statement behind the store's back."""
    if database.startswith("postgresql"):
        with psycopg.connect(database) as server:
            server.execute(statement)
    else:
        file = sqlite3.connect(database)
        file.execute(statement)
        file.commit()
        file.close()


def blob(database: str, value: bytes) -> str:
    """Return bytes as a database's SQL writes them."""
    return f"'\\x{value.hex()}'::bytea" if database.startswith("postgresql") else f"x'{value.hex()}'"


def select(database: str, query: str) -> list[tuple[object, ...]]:
    """Return what a question finds, asked behind the store's back."""
    if database.startswith("postgresql"):
        with psycopg.connect(database) as server:
            return server.execute(query).fetchall()
    file = sqlite3.connect(database)
    try:
        return file.execute(query).fetchall()
    finally:
        file.close()
