"""Tells laptops that listen, as soon as it is committed, that a book has news: which book, and nothing else (C.8).

A notice is a courtesy and never a promise. Whoever misses one, because their line was cut, they were too slow or this
process ended, asks for the news within a minute as ever. So everything here is bounded, and what does not fit is let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from sync.hub.log import Log
from sync.hub.rules import Refusal
from sync.hub.store import Session, StoreAway

MOST_PENDING: Final = 64
"""Books that wait to be told on one line; beyond it the line is told that everything may have news."""

MOST_PER_DEVICE: Final = 4
"""Lines of one device at once. A further one takes the place of the oldest, which may have died without a word."""

MOST_LISTENERS: Final = 20_000
MOST_MOVES: Final = 10_000
"""Books that have moved and wait for the database to say who reads them."""

_MOVES_IN_WORDS: Final = 100
"""Moves in what one process tells the others at once; PostgreSQL carries just under 8,000 bytes."""

Move = tuple[bytes, bytes]
"""A book that has moved, and the device that moved it, which knows already; empty where everybody is to be told."""


class Reads(Protocol):
    """How a question is put to the database."""

    def __call__(self, question: Callable[[Session], Any], /) -> Awaitable[Any]: ...


class Listener:
    """One open line of a device, with the books that it has to be told of."""

    def __init__(self, device: bytes) -> None:
        self.device = device
        self.ended = False
        self._books: dict[bytes, None] = {}
        self._rings = asyncio.Event()

    def tell(self, book: bytes) -> None:
        """Note that a book has news. An empty id stands for every book."""
        if not book or len(self._books) >= MOST_PENDING:
            self._books = {b"": None}
        elif b"" not in self._books:
            self._books[book] = None
        self._rings.set()

    def end(self) -> None:
        """Hang up."""
        self.ended = True
        self._rings.set()

    async def wait(self, seconds: float) -> tuple[bytes, ...]:
        """Return the books that have news as soon as there are some, or nothing after so many seconds or at the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rings.wait()
        self._rings.clear()
        books, self._books = tuple(self._books), {}
        return () if self.ended else books


class Live:
    """The lines that are open in this process. Its methods belong to the event loop, but for `heard` and `close`.

    `listen` begins to hear what other processes of the store tell and returns how to stop; it is asked at the first line.
    """

    def __init__(
        self, read: Reads, directory: Callable[[Session], bytes], listen: Callable[[Callable[[str], None]], Callable[[], None]], log: Log
    ) -> None:  # fmt: skip
        self._read = read
        self._directory = directory
        self._listen = listen
        self._log = log
        self._lines: dict[bytes, list[Listener]] = {}
        self._count = 0
        self._me = secrets.token_hex(4)
        self._moves: dict[Move, bool] = {}
        self._telling: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_listening: Callable[[], None] | None = None
        self._closed = False

    @property
    def listening(self) -> int:
        """Return how many lines are open."""
        return self._count

    def join(self, device: bytes) -> Listener:
        """Open a line for a device; raise `Refusal` where there are too many already."""
        if self._count >= MOST_LISTENERS or self._closed:
            raise Refusal(
                "busy",
                "As many laptops listen at the central store as it can tell at once. Nothing is lost by it: this laptop asks once a "
                "minute instead.",
                429,
            )
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._stop_listening = self._listen(self.heard)
        line = Listener(device)
        mine = self._lines.setdefault(device, [])
        if len(mine) >= MOST_PER_DEVICE:
            mine[0].end()
            self.leave(mine[0])
            self._lines[device] = mine
        mine.append(line)
        self._count += 1
        return line

    def leave(self, line: Listener) -> None:
        """Forget a line. Leaving twice is harmless."""
        mine = self._lines.get(line.device, [])
        if line in mine:
            mine.remove(line)
            self._count -= 1
        if not mine:
            self._lines.pop(line.device, None)

    def moved(self, books: Iterable[bytes], by: bytes) -> None:
        """Take note, after the commit, that a device has moved these books."""
        self._take({(book, by): True for book in books})

    def heard(self, words: str) -> None:
        """Take note of what another process tells. May be called from any thread."""
        sender, *moves = words.split()
        loop = self._loop
        if sender == self._me or loop is None:
            return
        try:
            read = {(raw[:16], raw[16:]): False for raw in map(bytes.fromhex, moves)}
        except ValueError:
            return  # nothing of ours says that
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens here any more
            loop.call_soon_threadsafe(self._take, read)

    def close(self) -> None:
        """Hang up everywhere, so that the store can stop at once. May be called from any thread, also twice."""
        self._closed = True
        if self._stop_listening is not None:
            self._stop_listening()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._hang_up)

    def _hang_up(self) -> None:
        for lines in list(self._lines.values()):
            for line in list(lines):
                line.end()

    def _take(self, moves: dict[Move, bool]) -> None:
        room = MOST_MOVES - len(self._moves)
        self._moves.update(list(moves.items())[:room])
        if self._moves and self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell(), name="live")
            self._telling.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling = None
        if not task.cancelled() and task.exception() is not None:
            self._log.fault(task.exception())  # type: ignore[arg-type] # there is one
        if self._moves and not task.cancelled():
            self._take({})

    async def _tell(self) -> None:
        """Tell what has moved, together with what moves meanwhile, to other processes and to whoever reads it now."""
        while self._moves:
            moves, self._moves = self._moves, {}
            words = _in_words(self._me, [move for move, ours in moves.items() if ours])
            books = {book for book, _ in moves} if self._count else set()
            try:
                readers, directory = await self._read(partial(self._who, books, words))
            except StoreAway:
                continue  # they ask by themselves within a minute
            if directory in books:
                self._dismiss({device for book, device in readers if book == directory})
            movers: dict[bytes, set[bytes]] = {}
            for book, by in moves:
                movers.setdefault(book, set()).add(by)
            for book, device in readers:
                if movers[book] != {device}:
                    for line in self._lines.get(device, ()):
                        line.tell(book)

    def _who(self, books: set[bytes], words: Sequence[str], session: Session) -> tuple[list[tuple[bytes, bytes]], bytes]:
        if words:
            session.tell_others(words)
        directory = self._directory(session)
        return session.readers(sorted(books), directory), directory

    def _dismiss(self, enrolled: set[bytes]) -> None:
        """Hang up on devices that were taken out of the directory."""
        for device in set(self._lines) - enrolled:
            for line in list(self._lines[device]):
                line.end()


def _in_words(me: str, moves: Sequence[Move]) -> list[str]:
    said = [(book + by).hex() for book, by in moves]
    return [" ".join([me, *said[at : at + _MOVES_IN_WORDS]]) for at in range(0, len(said), _MOVES_IN_WORDS)]
