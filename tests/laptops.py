"""Laptops of an invented organisation: real vaults, a real central store on the loopback, and a line that a test can cut.

Vaults and the organisation are made once per session and copied for each test: a copy has the same keys and the same
words, and costs a few milliseconds.
"""

from __future__ import annotations

import functools
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import psycopg

from leadworker.crypto import keys
from leadworker.crypto.envelope import BookKey
from leadworker.desk import Bell, Desk
from leadworker.domain import journal, people
from leadworker.domain.journal import EntryView, NewEntry
from leadworker.postbox import Counts
from leadworker.shelf import Shelf
from leadworker.statements import Member, Role
from leadworker.wiring import signing_keys
from storage import checking, opening, rebuilding
from storage.postbox import VaultPostbox
from storage.vault import Vault
from sync import inviting, joining
from sync.client import HubClient, Patience
from sync.exchange import Exchange, Result
from sync.founding import Speaker, change_members, new_key
from sync.hub.serve import EmbeddedHub
from sync.progress import Progress
from tests.hub_world import HandClock, new_database
from tests.postgres import require_postgres

PASSPHRASE = "harbour lantern pebble willow copper meadow"
ORGANISATION, TEAM = "Saltmere Borough (invented)", "North team"
RUTH, ALEX, BEA, CEM = "Ruth Okonedo", "Alex Marsh-Bell", "Bea Lindqvist", "Cem Aydın"
KEIRA, TOBIAS = "Keira Okafor-Lane", "Tobias Wren"


class LaptopClock:
    """A laptop's clock: the right time until a test sets it `wrong_by` seconds."""

    def __init__(self) -> None:
        self.wrong_by = 0.0

    def now(self) -> datetime:
        """Return what it shows."""
        return datetime.now().astimezone() + timedelta(seconds=self.wrong_by)

    def steady(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()


class Cut(httpx.ReadError):
    """The line went dead."""


class Answer(NamedTuple):
    """An answer on its way to a laptop: HTTP status, media type, body, and the pause that it asks for."""

    status: int
    media: str
    body: bytes
    pause: str = ""

    def response(self) -> httpx.Response:
        """Return it as the network would bring it."""
        return httpx.Response(
            self.status, headers={"content-type": self.media, "retry-after": self.pause}, stream=httpx.ByteStream(self.body)
        )


class Line(httpx.AsyncBaseTransport):
    """The line from one laptop to the central store: notes every request, and goes dead where a test says.

    With `dead` nothing gets through. `before` and `after` are asked with the number of a request, from 1, whether it is
    cut before it reaches the store, or after the store has done it and before its answer is heard.
    """

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.dead = False
        self.before: Callable[[int], bool] = lambda number: False
        self.after: Callable[[int], bool] = lambda number: False
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        number = len(self.requests)
        if self.dead or self.before(number):
            raise Cut("cut before the store")
        response = await self._inner.handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        if self.after(number):
            raise Cut("cut on the way back")
        said = response.headers
        answer = Answer(response.status_code, said.get("content-type", ""), body, said.get("retry-after", ""))
        return self.told(request, answer).response()

    def told(self, request: httpx.Request, answer: Answer) -> Answer:
        """Return what the laptop hears; a lying line says something else."""
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()

    def hang_up(self) -> list[str]:
        """Return the requests so far and begin to count anew."""
        asked, self.requests = self.requests, []
        return asked


@dataclass
class Laptop:
    """One colleague's laptop: a vault that is open, its desk, and its line to the central store."""

    name: str
    folder: Path
    vault: Vault
    url: str
    clock: LaptopClock
    line: Line
    bells: list[Bell] = field(default_factory=list)
    told: list[Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.box = VaultPostbox(self.vault)
        self.desk = Desk(self.vault, self.vault.name)
        self.client = self.new_client(self.line)

    def new_client(self, line: Line | None = None, *, url: str = "", patience: Patience | None = None) -> HubClient:
        """Return a client of this laptop's; without a `line` it goes straight to the network."""
        return HubClient(url or self.url, self.box.device, self.box.sign, self.clock, transport=line, patience=patience)

    async def tap(self, line: Line) -> None:
        """Put another line in place of this laptop's."""
        await self.client.close()
        self.line = line
        self.client = self.new_client(line)

    async def sync(self) -> Result:
        """Send and receive once, with nothing wrong."""
        result = await self.sync_somehow()
        assert result.alarms == ()
        return result

    async def sync_somehow(self) -> Result:
        """Send and receive once, as far as it goes."""
        return await Exchange(self.box, self.client, self.clock, self.bells.append, self.told.append).run()

    def add(self, name: str = KEIRA, *, lives_at: str = "") -> str:
        """Write down a person of the caseload."""
        return self.desk.do_now(people.add, name, lives_at=lives_at)

    def write(self, person: str, *titles: str, said: str = "", noticed: str = "") -> list[str]:
        """Write notes about a person in one go; return their ids."""

        def deed(shelf: Shelf) -> list[str]:
            new = [NewEntry(person, title=title, said=said, noticed=noticed) for title in titles]
            return [journal.write(shelf, one).entry_id for one in new]

        return self.desk.do_now(deed)

    def timeline(self, person: str, limit: int = 50) -> tuple[EntryView, ...]:
        """Read the notes about a person, newest first."""
        return self.desk.ask_now(journal.timeline, person, limit=limit)

    def titles(self, person: str) -> list[str]:
        """Return the first lines of the notes about a person, the oldest first."""
        return [entry.title for entry in reversed(self.timeline(person, limit=10_000))]

    def where(self, person: str) -> list[str]:
        """Return how far each note about a person has come, the oldest first."""
        return [entry.whereabouts() for entry in reversed(self.timeline(person, limit=10_000))]

    def book(self, person: str) -> bytes:
        """Return the id of a person's casebook."""
        return bytes.fromhex(self.desk.ask_now(lambda shelf: shelf.casebook_of(person)))

    def numbers(self, person: str) -> list[int]:
        """Return the numbers that the central store gave to a casebook's changes, in order, as they are known here."""
        sql = "SELECT c.n FROM change c JOIN book b ON b.no = c.book_no WHERE b.id = ? AND c.n IS NOT NULL ORDER BY c.n"
        return [int(str(row[0])) for row in self.sql(sql, self.book(person))]

    def members(self, book: bytes) -> list[bytes]:
        """Return the devices that read a casebook, as this laptop knows it."""
        return list(self.vault.submit(lambda: self.box._load_members(book)).result().members)

    def person_of(self, other: Laptop) -> bytes:
        """Return whose a laptop is, as the directory says here."""
        directory = self.vault.submit(self.box._load_directory).result()
        assert directory is not None
        return directory.devices[other.box.device].statement.person

    def seen(self) -> tuple[int, bytes]:
        """Return what a statement of this laptop's says of the directory."""
        directory = self.vault.submit(self.box._load_directory).result()
        assert directory is not None
        return directory.seen

    async def counts(self) -> Counts:
        """Return the figures that screens show."""
        return await self.box.counts()

    def digest(self) -> str:
        """Return the digest over every record."""
        return self.vault.submit(lambda: rebuilding.digest(self.vault.connection)).result()

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Look into the vault's tables."""
        return self.vault.submit(lambda: self.vault.connection.execute(statement, values).fetchall()).result()

    async def check(self) -> str:
        """Look through the whole vault, make every page again, and return the digest; fail in the check's own words."""
        key_of, vault = signing_keys(await self.box.directory()), self.vault
        report = vault.submit(
            lambda: checking.check(vault.connection, vault.anchor.read(), vault.identity.signing_public, keys_of=key_of, rebuild=True)
        ).result()
        assert report.whole, [finding.sentence for finding in report.findings if not finding.whole]
        return report.digest

    async def close(self) -> None:
        """Shut the laptop."""
        await self.client.close()
        self.vault.close()

    def reopen(self) -> Laptop:
        """Open this laptop's vault again, after `close`."""
        return open_laptop(self.folder, self.name, self.url)


@dataclass(frozen=True)
class Template:
    """A vault, shut, that tests copy. `words` open it without the slow derivation."""

    folder: Path
    words: str


class Drawer:
    """What a session has made once: vaults by name, and the organisation by kind of store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vaults: dict[str, Template] = {}
        self.organisations: dict[str, Founded] = {}

    def vault(self, name: str) -> Template:
        """Return a colleague's vault that has joined nothing yet."""
        if name not in self.vaults:
            folder = self.folder / f"vault-{len(self.vaults)}"
            vault, words = opening.create(folder, name, PASSPHRASE, memory_kib=keys.FLOOR_KIB, purpose="a test")
            vault.close()
            self.vaults[name] = Template(folder, " ".join(words))
        return self.vaults[name]


@dataclass(frozen=True)
class Founded:
    """An organisation, shut: its store's database, and the vaults of its first members."""

    database: str
    vaults: dict[str, Path]


@functools.cache
def drawer(folder: Path) -> Drawer:
    """Return this session's drawer."""
    return Drawer(folder)


_words: dict[str, str] = {}


async def agree(*laptops: Laptop) -> None:
    """Every laptop is whole, makes the same pages from its log, and holds the same words as the others."""
    digests = {await laptop.check() for laptop in laptops}
    assert len(digests) == 1, "the laptops hold different words"


def gapless(laptop: Laptop, person: str) -> bool:
    """Return whether the numbers of a casebook's changes are 1, 2, 3 … as they are known on a laptop."""
    numbers = laptop.numbers(person)
    return numbers == list(range(1, len(numbers) + 1))


def words_of(name: str) -> str:
    """Return the recovery words of a colleague's vault, and of every copy of it."""
    return _words[name]


def open_laptop(folder: Path, name: str, url: str, *, words: str = "") -> Laptop:
    """Open the vault in a folder, a copy of the named colleague's."""
    clock = LaptopClock()
    vault = opening.open_with_words(folder, words or words_of(name), clock=clock, purpose="a test")
    return Laptop(name, folder, vault, url, clock, Line())


class Office:
    """A running central store and the laptops of a test."""

    def __init__(self, drawer: Drawer, database: str, folder: Path) -> None:
        self.database = database
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.clock = HandClock()
        self._drawer = drawer
        self.laptops: list[Laptop] = []
        self.hub = EmbeddedHub(database, now_ms=self.clock)
        self.url = self.hub.url

    def start_store(self) -> None:
        """Start the store again, where it was."""
        self.hub = EmbeddedHub(self.database, port=int(self.url.rsplit(":", 1)[1]), now_ms=self.clock)

    def stop_store(self) -> None:
        """Stop the store; from a laptop's side there is no network."""
        self.hub.stop()

    def laptop(self, name: str, source: Path | None = None) -> Laptop:
        """Open a fresh copy of a colleague's vault: one that has joined nothing, or the one in `source`."""
        template = self._drawer.vault(name)
        _words[name] = template.words
        folder = self.folder / f"laptop-{len(self.laptops)}"
        shutil.copytree(source or template.folder, folder)
        made = open_laptop(folder, name, self.url)
        self.laptops.append(made)
        return made

    async def invite(self, boss: Laptop, name: str, *, role: Role = Role.KEY_WORKER, team: str = TEAM, admin: bool = False) -> str:
        """Return the words of an invite."""
        made = await inviting.invite(boss.box, boss.client, boss.clock, name, role=role, team=team, admin=admin)
        return " ".join(made.words)

    async def let_in(self, boss: Laptop, name: str, *, role: Role = Role.KEY_WORKER, team: str = TEAM, admin: bool = False) -> Laptop:
        """Let a further colleague join, from the invite to their first sync."""
        newcomer = self.laptop(name)
        words = await self.invite(boss, name, role=role, team=team, admin=admin)
        await joining.ask_to_join(newcomer.box, newcomer.client, words)
        await inviting.countersign(boss.box, boss.client, boss.clock)
        await newcomer.sync()
        return newcomer

    def store_holds(self, *needles: str) -> list[str]:
        """Return which of these words stand anywhere in the store's database, in any spelling that a leak might have."""
        found = self._bytes()
        spellings = {n: {form.encode(code) for form in (n, n.casefold(), n.upper()) for code in ("utf-8", "utf-16-le")} for n in needles}
        return [n for n, forms in spellings.items() if any(form in found for form in forms)]

    def store_holds_bytes(self, needle: bytes) -> bool:
        """Return whether these bytes stand anywhere in the store's database, as they are or in hexadecimal."""
        found = self._bytes()
        return any(form in found for form in (needle, needle.hex().encode(), needle.hex().upper().encode()))

    def _bytes(self) -> bytes:
        if not self.database.startswith("postgresql://"):
            return b"".join(path.read_bytes() for path in sorted(Path(self.database).parent.glob(Path(self.database).name + "*")))
        with psycopg.connect(self.database) as server:
            tables = server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            parts: list[bytes] = []
            for (table,) in tables:
                with server.cursor().copy(f'COPY (SELECT * FROM "{table}") TO STDOUT (FORMAT BINARY)') as rows:
                    parts += [bytes(part) for part in rows]
            return b"".join(parts)

    def restart(self, laptop: Laptop) -> Laptop:
        """Open a laptop's vault again after it was shut or lost its power."""
        again = laptop.reopen()
        self.laptops[self.laptops.index(laptop)] = again
        return again

    async def close(self) -> None:
        """Shut every laptop and then the store."""
        for laptop in self.laptops:
            await laptop.close()
        self.hub.stop()


async def change_readers(laptop: Laptop, person: str, change: Callable[[dict[bytes, Member]], None], *, lead: bytes | None = None) -> None:
    """Decide as this laptop who reads a casebook: `change` alters its members, by device."""
    await laptop.sync()
    state, directory = await laptop.box.book_state(laptop.book(person)), await laptop.box.directory()
    assert directory is not None
    wanted = dict(state.members.members)
    change(wanted)
    key = BookKey(state.book, state.members.epoch, state.keys[state.members.epoch])
    speaker = Speaker(laptop.box.device, laptop.box.sign, directory)
    said = change_members(state.members, wanted.values(), state.members.lead if lead is None else lead, key, speaker)
    outcome = await laptop.client.control(said)
    assert not outcome.code, outcome.sentence
    await laptop.sync()


async def add_member(laptop: Laptop, person: str, newcomer: Laptop, role: Role) -> None:
    """Let a colleague into a casebook and hand them its present key."""
    await laptop.sync()
    whose = laptop.person_of(newcomer)
    device = newcomer.box.device
    await change_readers(laptop, person, lambda members: members.update({device: Member(device, whose, role)}))


async def remove_member(laptop: Laptop, person: str, leaver: Laptop) -> None:
    """Take a colleague out of a casebook; a new key follows."""
    await change_readers(laptop, person, lambda members: members.pop(leaver.box.device) and None)


async def hand_over(laptop: Laptop, person: str, old: Laptop, new: Laptop, *, then: Role = Role.CO_WORKER) -> None:
    """Make another member the lead; the one before goes on in another role."""
    await laptop.sync()
    roles = {old.box.device: (laptop.person_of(old), then), new.box.device: (laptop.person_of(new), Role.KEY_WORKER)}
    await change_readers(
        laptop, person, lambda members: members.update({d: Member(d, p, r) for d, (p, r) in roles.items()}), lead=laptop.person_of(new)
    )


async def rotate(laptop: Laptop, person: str) -> None:
    """Give a casebook a new key, sealed to every member and to escrow, with the ladder down to the old one."""
    await laptop.sync()
    state, directory = await laptop.box.book_state(laptop.book(person)), await laptop.box.directory()
    assert directory is not None
    key = BookKey(state.book, state.members.epoch, state.keys[state.members.epoch])
    outcome = await laptop.client.control(new_key(state.members, key, Speaker(laptop.box.device, laptop.box.sign, directory)))
    assert not outcome.code, outcome.sentence
    await laptop.sync()


async def set_up(office: Office) -> tuple[Laptop, Laptop]:
    """Found the organisation with Ruth as supervisor and administrator, and let Alex in as a key worker."""
    ruth = office.laptop(RUTH)
    await joining.set_up(ruth.box, ruth.client, office.hub.setup_code, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
    alex = await office.let_in(ruth, ALEX)
    return ruth, alex


async def _founded(drawer: Drawer, store: str) -> Founded:
    folder = drawer.folder / f"organisation-{store}"
    folder.mkdir(exist_ok=True)
    office = Office(drawer, new_database(store, folder), folder)
    laptops = await set_up(office)
    await office.close()
    return Founded(office.database, {laptop.name: laptop.folder for laptop in laptops})


@dataclass
class Team:
    """An organisation that works: Ruth supervises, Alex is the key worker."""

    office: Office
    ruth: Laptop
    alex: Laptop


async def new_team(drawer: Drawer, store: str, folder: Path) -> Team:
    """Return a copy of the organisation, over one of the `STORES`."""
    if store not in drawer.organisations:
        drawer.organisations[store] = await _founded(drawer, store)
    founded = drawer.organisations[store]
    office = Office(drawer, _copy_of(store, founded.database, folder), folder)
    ruth, alex = (office.laptop(name, founded.vaults[name]) for name in (RUTH, ALEX))
    return Team(office, ruth, alex)


def _copy_of(store: str, database: str, folder: Path) -> str:
    if store == "sqlite":
        copy = folder / "hub.db"
        shutil.copy(database, copy)
        return str(copy)
    cluster = require_postgres()
    name = f"copy_{time.time_ns()}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{database.rsplit("/", 1)[1]}"')
    return cluster.url(name)
