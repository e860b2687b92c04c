"""A visit to a stick: reads what was brought back for this laptop, carries what colleagues wrote, writes what waits here.

One deed for everybody, whoever has the network: plug it in, and each does what only they can do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from leadworker.clock import Clock
from leadworker.crypto.parcels import NotAParcel
from leadworker.desk import Bell, Carried
from leadworker.errors import DiskTrouble, LeadworkerError, NotUnderstood, Offline, PostError
from leadworker.postbox import Joined, Postbox
from leadworker.text import one_line
from sync import carrying, parcel
from sync.answers import Answer
from sync.client import HubClient
from sync.joining import admitted
from sync.parcel import ANSWER, TO_STORE
from sync.progress import Progress


class Visit:
    """One visit to a folder on a stick. `ring` is told what changed here, `tell` how far it has come."""

    def __init__(
        self, box: Postbox, client: HubClient, clock: Clock, folder: Path, ring: Callable[[Bell], None],
        tell: Callable[[Progress], None],
    ) -> None:  # fmt: skip
        self._box = box
        self._client = client
        self._clock = clock
        self._folder = folder
        self._ring = ring
        self._tell = tell
        self._received = self._confirmed = self._answers = 0
        self._alarms: dict[str, None] = {}
        self._unread: set[str] = set()

    async def run(self) -> Carried:
        """Do everything that can be done here; raises `LeadworkerError` where nothing can.

        What does not hold is told and left where it is; the rest goes on. Cut off anywhere, a next visit goes on from there.
        """
        joined = await admitted(self._box)
        try:
            if not await asyncio.to_thread(self._folder.is_dir):  # a failing stick, or another account's, does not even say that
                raise NotUnderstood(
                    f"There is no folder {one_line(str(self._folder))[:200]}. Is the stick plugged in? Nothing was changed."
                )
            return await self._run(joined)
        except OSError as error:
            raise DiskTrouble(
                f"The stick does not answer as it must: {one_line(error.strerror or type(error).__name__)}. Everything is saved on this "
                "laptop. Plug it in again, and visit it once more."
            ) from error

    async def _run(self, joined: Joined) -> Carried:
        await asyncio.to_thread(parcel.tidy, self._folder)
        for file in await asyncio.to_thread(parcel.found_in, self._folder, ANSWER):
            await self._read(file)
        reached = await self._reaches_store(joined)
        carried = await self._carry() if reached else []
        written = None if reached else await carrying.write(self._box, self._clock, self._folder)
        mine = await self._mine(TO_STORE)
        if reached and not (await self._box.counts()).waiting:  # everything that they hold went over the line
            await self._tidy_mine()
        waiting = await asyncio.to_thread(parcel.found_in, self._folder, TO_STORE)
        left = sum(file.name not in mine | self._unread for file in waiting)
        return Carried(self._received, self._confirmed, self._answers, tuple(carried), written, left, tuple(self._alarms))

    async def _tidy_mine(self) -> None:
        for one in await self._box.parcels():
            await asyncio.to_thread(parcel.take_away, self._folder / parcel.name_of(bytes.fromhex(one.id), TO_STORE))
            self._ring(await self._box.parcel_gone(one.id))

    async def _mine(self, kind: str) -> set[str]:
        return {parcel.name_of(bytes.fromhex(one.id), kind) for one in await self._box.parcels()}

    async def _reaches_store(self, joined: Joined) -> bool:
        """Return whether this laptop's own central store answers."""
        try:
            return (await self._client.organisation()).hub == joined.hub_key
        except PostError:
            return False

    async def _read(self, file: Path) -> None:
        answer = Answer(self._box, self._ring, self._tell)
        try:
            mine = await answer.read(file)
        except NotAParcel as error:
            self._damaged(file, error)
            return
        except (LeadworkerError, OSError) as error:
            self._alarms[_said(error, file)] = None
            return
        finally:
            self._received += answer.received
            self._confirmed += answer.confirmed
            self._alarms |= dict.fromkeys(answer.alarms)
        if not mine and file.name in await self._mine(ANSWER):
            self._damaged(file, NotAParcel("its beginning was altered"))
        if mine:
            self._answers += 1
            self._ring(await self._box.parcel_answered(answer.parcel.hex()))
            for done in (file, self._folder / parcel.name_of(answer.parcel, TO_STORE)):
                await asyncio.to_thread(parcel.take_away, done)

    async def _carry(self) -> list[str]:
        carried = []
        for file in await asyncio.to_thread(parcel.found_in, self._folder, TO_STORE):
            try:
                done = await carrying.carry(self._box, self._client, file, self._tell)
            except NotAParcel as error:
                self._damaged(file, error)
            except Offline as error:
                self._alarms[error.sentence] = None
                break
            except (LeadworkerError, OSError) as error:
                self._alarms[_said(error, file)] = None
            else:
                if done is not None:
                    carried.append(done.name)
        return carried

    def _damaged(self, file: Path, error: NotAParcel) -> None:
        self._unread.add(file.name)
        self._alarms[
            f"{file.name} cannot be read: {error}. It was left where it is. Nothing is lost: the laptop that wrote it has everything, "
            "and can write it again."
        ] = None


def _said(error: Exception, file: Path) -> str:
    if isinstance(error, LeadworkerError):
        return f"{file.name}: {error.sentence}"
    why = one_line(getattr(error, "strerror", None) or "the stick does not answer")
    return f"{file.name} could not be read: {why}. It was left where it is; everything on this laptop is safe."
