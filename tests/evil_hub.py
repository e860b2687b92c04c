"""A central store that lies, and a colleague who does: tools for tests that attack a laptop through what it is sent."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
import msgspec

from leadworker import change
from leadworker.change import Content, Header, Kind
from leadworker.crypto.envelope import BookKey
from leadworker.proof import HEAD
from leadworker.statements import BookStatement, DirectoryStatement
from sync import wire
from sync.founding import control_change
from tests.laptops import Answer, Laptop, Line, Team, agree

SAFE = "Nothing from it was taken in, everything here is safe, and your own work goes on. Tell your administrator."

Bend = Callable[[wire.Page], wire.Page]


class Evil(Line):
    """A line at whose other end somebody alters the answers. A lie gets the true message and returns what the laptop hears.

    `page` lies about casebooks, `directory` about the directory; `book` keeps the lie to one casebook.
    """

    def __init__(self, organisation: bytes = b"", book: bytes = b"") -> None:
        super().__init__()
        self._organisation = organisation
        self._book = book
        self.organisation: Callable[[wire.Organisation], wire.Organisation] = lambda told: told
        self.news: Callable[[wire.News], wire.News] = lambda told: told
        self.page: Bend = lambda told: told
        self.directory: Bend = lambda told: told
        self.pushed: Callable[[wire.Pushed], wire.Pushed] = lambda told: told
        self.joins: Callable[[wire.Joins], wire.Joins] = lambda told: told
        self.join_state: Callable[[wire.JoinState], wire.JoinState] = lambda told: told
        self.whole: Callable[[str, Answer], Answer] = lambda path, answer: answer

    def told(self, request: httpx.Request, answer: Answer) -> Answer:
        path = request.url.path
        answer = self.whole(path, answer)
        if answer.status != 200 or answer.media != wire.MEDIA_TYPE:
            return answer
        return answer._replace(body=self._bent(path, answer.body))

    def _bent(self, path: str, body: bytes) -> bytes:
        if path == "/v1/organisation":
            return wire.write(self.organisation(wire.read(wire.Organisation, body)))
        if path == "/v1/news":
            return wire.write(self.news(wire.read(wire.News, body)))
        if path.endswith("/changes"):
            return self._bent_page(bytes.fromhex(path.split("/")[-2]), body)
        if path == "/v1/push":
            return wire.write(self.pushed(wire.read(wire.Pushed, body)))
        if path == "/v1/joins":
            return wire.write(self.joins(wire.read(wire.Joins, body)))
        if path.startswith("/v1/join/"):
            return wire.write(self.join_state(wire.read(wire.JoinState, body)))
        return body

    def _bent_page(self, book: bytes, body: bytes) -> bytes:
        if book == self._organisation:
            return wire.write(self.directory(wire.read(wire.Page, body)))
        if self._book in (b"", book):
            return wire.write(self.page(wire.read(wire.Page, body)))
        return body


class Here:
    """Where a casebook stands on a laptop, so that a lie can be made to add up."""

    def __init__(self, n: int, digest: bytes) -> None:
        self.n = n
        self.digest = digest

    def retold(self, page: wire.Page, items: Sequence[wire.Numbered]) -> wire.Page:
        """Return a page with these changes, numbered without a gap and with a running digest that fits them."""
        n, digest, numbered = self.n, self.digest, []
        for item in items:
            n += 1
            digest = change.next_digest(digest, change.change_id(item.header), n)
            numbered.append(replace(item, n=n))
        return replace(page, changes=tuple(numbered), n=n, digest=digest, more=False)

    def counted(self, page: wire.Page, items: Sequence[wire.Numbered]) -> wire.Page:
        """Return a page with these changes, numbered without a gap, and the true head where their number is the same."""
        return replace(page, changes=tuple(replace(item, n=self.n + at) for at, item in enumerate(items, start=1)))


def replace(message: wire.Message, **values: object) -> wire.Message:
    """Return a message with some fields changed."""
    return msgspec.structs.replace(message, **values)


def flipped(raw: bytes, at: int) -> bytes:
    """Return bytes with one bit of the byte at a place turned over."""
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] if at >= 0 else flipped(raw, len(raw) + at)


def altered(page: wire.Page, at: int, **values: object) -> wire.Page:
    """Return a page with some fields of one change replaced."""
    items = list(page.changes)
    items[at] = replace(items[at], **values)
    return replace(page, changes=tuple(items))


async def lane_end(laptop: Laptop, book: bytes) -> tuple[int, bytes]:
    """Return the place and the head of a control lane as a laptop knows it."""
    joined = await laptop.box.joined()
    assert joined is not None
    if book == joined.organisation:
        directory = await laptop.box.directory()
        assert directory is not None
        return directory.seq, directory.head
    members = (await laptop.box.book_state(book)).members
    return members.seq, members.head


async def spoken(speaker: Laptop, knows: Laptop, book: bytes, said: BookStatement | DirectoryStatement, n: int) -> wire.Numbered:
    """Return a statement that a laptop signs behind everybody's back, in the place after what `knows` has seen of the lane."""
    seq, head = await lane_end(knows, book)
    made = control_change(said, book, speaker.box.device, seq + 1, head, speaker.box.sign)
    return wire.Numbered(n, made.header, made.body, made.signature, 0)


class Rogue:
    """A colleague who writes with their own keys what no leadworker would write, in a lane of its own."""

    def __init__(self, laptop: Laptop, person: str, lane: int = 60_000) -> None:
        self.laptop = laptop
        self.book = laptop.book(person)
        self.lane = lane
        self.seq = 0
        self.head = change.FIRST

    async def content(self, topic: str, record: str, values: dict[str, object], **more: object) -> Content:
        """Return what a change says, as a leadworker would write it but for what is given."""
        state = await self.laptop.box.book_state(self.book)
        now = int(self.laptop.clock.now().timestamp() * 1000)
        said = Content(change.SCHEMA, topic, record, change.PUT, values, now << 16, (state.n, state.digest), now, 0)
        return msgspec.structs.replace(said, **more)

    async def sealed(self, body: bytes, *, kind: int = Kind.CONTENT, size: int | None = None) -> tuple[bytes, bytes]:
        """Return header and seal of the next change of this lane, with any body."""
        keys = (await self.laptop.box.book_state(self.book)).keys
        padded = change.padded_size(len(body)) if size is None else size
        self.seq += 1
        device = self.laptop.box.device
        header = Header(kind, self.book, device, self.lane, self.seq, self.head, padded, change.commitment(body)).pack()
        self.head = change.change_id(header)
        return header, BookKey(self.book, max(keys), keys[max(keys)]).seal(header, body)

    async def write(self, *said: Content | bytes) -> None:
        """Write changes, one run, and send them to the store, which cannot see what is wrong with them."""
        bodies = [change.write_content(one, secrets.token_bytes(16)) if isinstance(one, Content) else one for one in said]
        run = wire.Run(tuple([await self.sealed(body) for body in bodies]), self.laptop.box.sign(HEAD, self.head))
        (outcome,) = (await self.laptop.client.push((run,))).outcomes
        assert not outcome.code, outcome.sentence

    async def numbered(self, n: int, body: bytes, **more: int) -> wire.Numbered:
        """Return one signed change as a store that is in league with the colleague would hand it out."""
        header, seal = await self.sealed(body, **more)
        return wire.Numbered(n, header, seal, self.laptop.box.sign(HEAD, self.head), 0)


@dataclass
class Case:
    """A casebook that Alex writes in and Ruth follows, with five changes in three saves that she has not seen yet.

    Ruth's line is in evil hands; `here` is where the casebook stands on her laptop.
    """

    team: Team
    keira: str
    book: bytes
    evil: Evil
    here: Here

    @property
    def ruth(self) -> Laptop:
        """Return the laptop that is lied to."""
        return self.team.ruth

    @property
    def alex(self) -> Laptop:
        """Return the laptop that wrote."""
        return self.team.alex

    async def fails_with(self, sentence: str) -> None:
        """Let Ruth sync: this is said, nothing is changed, and over an honest line everything comes."""
        before = self.ruth.digest()
        result = await self.ruth.sync_somehow()
        (alarm,) = result.alarms
        assert alarm == sentence
        assert self.ruth.digest() == before, "nothing of it was taken in"
        assert (await self.ruth.counts()).troubled == (sentence,)
        await self.comes_right()

    def news_of(self, news: wire.News, n: int, digest: bytes = bytes(32)) -> wire.News:
        """Return news that tell something else of the casebook."""
        return replace(news, books=tuple(replace(b, n=n, digest=digest) if b.book == self.book else b for b in news.books))

    async def comes_right(self) -> None:
        """Over an honest line, everything comes and the trouble is over."""
        await self.ruth.tap(Line())
        await self.ruth.sync()
        assert self.ruth.titles(self.keira) == self.alex.titles(self.keira)
        assert (await self.ruth.counts()).troubled == ()
        await agree(self.alex, self.ruth)


async def new_case(team: Team) -> Case:
    """Return a casebook that waits for a lie."""
    keira = team.alex.add()
    team.alex.write(keira, "the first")
    await team.alex.sync()
    await team.ruth.sync()
    for titles in (("the second",), ("the third",), ("one save, one", "one save, two", "one save, three")):
        team.alex.write(keira, *titles)
        await team.alex.sync()
    book, joined = team.alex.book(keira), await team.ruth.box.joined()
    assert joined is not None
    evil = Evil(joined.organisation, book)
    await team.ruth.tap(evil)
    state = await team.ruth.box.book_state(book)
    return Case(team, keira, book, evil, Here(state.n, state.digest))
