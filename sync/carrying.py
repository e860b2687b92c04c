"""Writes what waits here to a file that a colleague's laptop carries to the central store, and carries colleagues' files there.

Whoever carries needs no key of the casebooks: they send what is signed and sealed, on the errand that stands in the file, and
bring back what the store answers, sealed to the laptop that wrote it (docs/decisions/0025).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import msgspec

from leadworker import errand as errands
from leadworker.clock import Clock, Moment
from leadworker.crypto import parcels
from leadworker.crypto.envelope import BookKey
from leadworker.crypto.parcels import NotAParcel
from leadworker.directory import Directory
from leadworker.domain.carrying import WrittenParcel
from leadworker.errors import DiskTrouble, HubMistrusted, Refused
from leadworker.postbox import Joined, Postbox, UnsentRun
from leadworker.statements import Enrol
from leadworker.text import one_line
from sync import parcel, wire
from sync.client import HubClient
from sync.founding import Speaker, found_book
from sync.joining import admitted, pull_directory
from sync.parcel import ANSWER, TO_STORE, Asks, Brings, Founds, Sends, Tells, Writing
from sync.pauses import in_its_time
from sync.progress import Progress

BATCH: Final = 1000
MOST_RECIPIENTS: Final = 400
"""Laptops to which one file is sealed: the team's and the administrators' are far fewer."""
MOST_TOLD: Final = 20
"""Refusals that one answer tells of; each kind of refusal has one sentence."""

_ANOTHER: Final = "This file is for another organisation or another central store. It was left as it is; nothing was sent."
_NOT_KNOWN: Final = (
    "The laptop that wrote this file is not in the organisation, or was taken out of it. The file was left as it is; nothing was sent."
)
_PAUSED: Final = "; waiting a moment, as the central store asks"

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class CarriedFile(msgspec.Struct, frozen=True):
    """A file that was carried: whose it was, how many changes the store took, and how many it sent back."""

    name: str
    sent: int
    fetched: int


async def write(box: Postbox, clock: Clock, folder: Path) -> int:
    """Write all that waits here to a new file in a folder, in place of this laptop's older ones; return how many changes.

    It is written also when nothing waits: its answer brings what is new. Raises `Refused` and `DiskTrouble`.
    """
    joined = await admitted(box)
    directory = await box.directory()
    recipients = {} if directory is None else _carriers(directory, joined, box.device)
    if directory is None or not recipients:
        raise Refused("No colleague's laptop is known here that could carry a file. Nothing was written; everything is saved here.")
    identity, counts = secrets.token_bytes(parcels.PARCEL_BYTES), await box.counts()
    now_ms = max(Moment.of(clock.now()).ms, counts.last_sent_ms, counts.last_received_ms)  # a clock that stands in the past
    given = errands.give(box.device, now_ms, joined.hub_key, box.sign)
    stands = {book: here.n for book, here in (await box.confirmed()).items() if here.n}
    written, founding = 0, await box.to_found()
    async with Writing(folder, identity, TO_STORE, recipients) as file:
        await file.add(Asks(joined.organisation, joined.hub_key, bytes(given), stands, counts.waiting))
        for item in founding:
            await file.add(Founds(found_book(item.book, item.key, joined, Speaker(box.device, box.sign, directory))))
        runs, place = await box.to_carry(BATCH, (0, 0))
        while runs and file.room > 0:  # what has no room goes with the next one
            await file.add(Sends(await asyncio.to_thread(sealed_runs, runs)))
            written += sum(len(run.changes) for run in runs)
            runs, place = await box.to_carry(BATCH, place)
        older = await box.wrote_parcel(WrittenParcel(identity.hex(), now_ms, now_ms + errands.LIFE_MS, written))
        try:
            await file.finish()
        except DiskTrouble:
            await box.parcel_gone(identity.hex())
            raise
    for one in older:
        await asyncio.to_thread(parcel.take_away, folder / parcel.name_of(bytes.fromhex(one), TO_STORE))
    return written


def sealed_runs(runs: tuple[UnsentRun, ...]) -> tuple[wire.Run, ...]:
    """Return runs as they travel, each sealed with the newest key of its book that is known here."""
    sealed = []
    for run in runs:
        key = BookKey(run.book, run.epoch, run.key)
        sealed.append(wire.Run(tuple((header, key.seal(header, body)) for header, body in run.changes), run.signature))
    return tuple(sealed)


def _carriers(directory: Directory, joined: Joined, me: bytes) -> dict[bytes, bytes]:
    """Return the laptops that may carry, with their keys: the team's, my own others, and the administrators'."""

    def near(said: Enrol) -> bool:
        return said.team == joined.team or said.person == joined.person or said.admin

    found = (
        (device, enrolled.statement.unsealing) for device, enrolled in directory.devices.items()
        if not enrolled.revoked and device != me and near(enrolled.statement)
    )  # fmt: skip
    return dict(itertools.islice(found, MOST_RECIPIENTS))


async def carry(box: Postbox, client: HubClient, file: Path, tell: Callable[[Progress], None]) -> CarriedFile | None:
    """Send what is in a colleague's file and write the store's answer beside it, in its place; None where it is not for this laptop.

    Cut off anywhere, the file is still there and can be carried again: the store counts everything once. Raises `NotAParcel`,
    `Refused`, `DiskTrouble`, and what requests raise.
    """
    joined = await admitted(box)
    with await asyncio.to_thread(parcel.reading, file) as source:
        _, head = await asyncio.to_thread(parcels.read_head, source.read)
        if box.device not in dict(head.seals):
            return None
        source.seek(0)
        frames = parcel.opened(source.read, box.device, box.unseal)
        asks = await asyncio.to_thread(next, frames, None)
        if not isinstance(asks, Asks):
            raise NotAParcel("it does not begin as it must")
        if (asks.organisation, asks.hub) != (joined.organisation, joined.hub_key):
            raise Refused(_ANOTHER)
        given = _read_errand(asks.errand)
        giver = await _giver(box, client, given.device)
        trip = _Trip(client.on_errand(given), tell)
        while (frame := await asyncio.to_thread(next, frames, None)) is not None:
            await trip.send(frame, asks.changes)
    async with Writing(file.parent, head.parcel, ANSWER, {given.device: giver.unsealing}) as answer:
        await answer.add(parcel.Answers(joined.organisation, joined.hub_key, head.parcel))
        for told in trip.told.values():
            await answer.add(told)
        await trip.fetch(asks, answer)
        await answer.finish()
    await asyncio.to_thread(parcel.take_away, file)
    return CarriedFile(await box.name_of(given.device), trip.sent, trip.fetched)


def _read_errand(raw: bytes) -> errands.Errand:
    try:
        return errands.read(raw)
    except ValueError as error:
        raise NotAParcel("it does not begin as it must") from error


async def _giver(box: Postbox, client: HubClient, device: bytes) -> Enrol:
    """Return what the directory says of the laptop that wrote a file, asking the store where it is not known here yet."""
    directory = await box.directory()
    found = None if directory is None else directory.active(device)
    found = found or (await pull_directory(box, client)).active(device)
    if found is None:
        raise Refused(_NOT_KNOWN)
    return found


class _Trip:
    """One file's way to the central store: what was sent, what the store would not take, and what it gave back."""

    def __init__(self, client: HubClient, tell: Callable[[Progress], None]) -> None:
        self._client = client
        self._tell = tell
        self._progress = Progress("carrying", 0, 0)
        self.told: dict[tuple[str, str], Tells] = {}
        self.sent = 0
        self.fetched = 0

    async def send(self, frame: parcel.Frame, of: int) -> None:
        """Send what one frame holds. What the store refuses is written down for who wrote it; the rest goes on."""
        if isinstance(frame, Founds):
            outcome = await self._patient(self._client.control)(frame.changes)
            if outcome.code != "head_moved":  # the laptop itself has founded it meanwhile
                self._note(outcome)
        elif isinstance(frame, Sends):
            for outcome in (await self._patient(self._client.push)(frame.runs)).outcomes:
                self._note(outcome)
                self.sent += 0 if outcome.code else len(outcome.ns)
            self._say(Progress("carrying", self.sent, max(of, self.sent)))
        else:
            raise NotAParcel("a part of it is out of place")

    def _patient(self, ask: Callable[Asked, Awaitable[Answer]]) -> Callable[Asked, Awaitable[Answer]]:
        """Return a request in the store's time: what it said to this file so far is only here, and would be lost with a refusal."""
        return in_its_time(ask, lambda: self._tell(msgspec.structs.replace(self._progress, unit=_PAUSED)))

    def _say(self, progress: Progress) -> None:
        self._progress = progress
        self._tell(progress)

    def _note(self, outcome: wire.Outcome) -> None:
        if outcome.code and len(self.told) < MOST_TOLD:
            said = Tells(one_line(outcome.code)[:40], one_line(outcome.sentence)[:400])
            self.told[said.code, said.sentence] = said

    async def fetch(self, asks: Asks, answer: Writing) -> None:
        """Write every book's changes after those that the laptop has: the directory first, then those that grew last.

        What has no room in one file comes with the next. The directory comes once more at the end where it grew meanwhile: a page
        of a casebook can speak of somebody who was let in while others were fetched.
        """
        news = await self._patient(self._client.news)()
        books = sorted(news.books, key=lambda one: (one.book != asks.organisation, -one.grew_ms))
        total = sum(max(0, book.n - asks.stands.get(book.book, 0)) for book in books)
        upto = 0
        for book in books:
            after = await self._fetch_book(book.book, asks.stands.get(book.book, 0), book.n, total, answer)
            upto = after if book.book == asks.organisation else upto
        now = {book.book: book.n for book in (await self._patient(self._client.news)()).books}
        await self._fetch_book(asks.organisation, upto, now.get(asks.organisation, 0), total, answer)

    async def _fetch_book(self, book: bytes, after: int, n: int, total: int, answer: Writing) -> int:
        """Write the pages of one book up to its present end; return how far that is. Raises `HubMistrusted` for pages without one."""
        while after < n and answer.room > 0:
            page = await self._patient(self._client.changes)(book, after)
            if not page.changes or not after < page.changes[-1].n <= page.n:
                raise HubMistrusted("The central store hands out pages that lead nowhere, so nothing was carried. Tell your administrator.")
            await answer.add(Brings(book, page))
            after, n = page.changes[-1].n, min(n, page.n)
            self.fetched += len(page.changes)
            self._say(Progress("fetching to carry", self.fetched, max(total, self.fetched)))
        return after
