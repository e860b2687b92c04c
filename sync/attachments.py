"""Carries sealed files, part by part: sends those that are only here, fetches those that should be here (docs/sync-protocol.md).

Whatever stops it, the next time goes on after the last part that arrived. A file that does not come as its record names it is
thrown away and left alone, in words; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from leadworker.desk import Bell
from leadworker.errors import DiskTrouble, HubMistrusted, LeadworkerError, Refused, VaultDamaged
from leadworker.postbox import CarriedFile, FileBox
from leadworker.text import one_line
from sync import wire
from sync.client import HubClient
from sync.progress import Progress

OTHER_BYTES: Final = (
    "The central store handed out something else than the file that a colleague's laptop sealed. It was thrown away; everything "
    "else is safe. “leadworker attachment fetch” tries again. Tell your administrator."
)
NOT_THERE: Final = (
    "The central store does not have a file of which a colleague's laptop was told that it has it. It may still be on that "
    "laptop, where “leadworker attachment send” sends it again; “leadworker attachment fetch” asks again. Tell your administrator."
)
NO_RECEIPT: Final = (
    "The central store did not take an attached file as it must: its answer does not fit what was sent, or is not signed. The file "
    "is safe on this laptop; it will be sent again. Tell your administrator."
)
NOT_AS_SEALED: Final = (
    "A file that was attached on this laptop is not as it was sealed any more: it is missing from the vault's folder, or damaged. It "
    "was not sent. “leadworker check” names it; a backup holds it, or attach it again."
)
_FOR_EVERYTHING: Final = frozenset({"device_revoked", "device_unknown", "clock_wrong", "too_often", "busy", "store_away", "recovering"})
"""Refusals that are about this laptop or the store, not about one file."""


class Transfers:
    """The sealed files of one sync. `enough` says whether something else should come first by now.

    `alarms` are sentences about files that could not be carried; `left` says that some go on another time.
    """

    def __init__(
        self, files: FileBox, client: HubClient, hub_key: bytes, ring: Callable[[Bell], None], tell: Callable[[Progress], None],
        enough: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._files = files
        self._client = client
        self._hub_key = hub_key
        self._ring = ring
        self._tell = tell
        self._enough = enough
        self._moved = False
        self.alarms: list[str] = []
        self.left = False

    async def send(self, stopped: frozenset[bytes]) -> int:
        """Send what is only here; return for how many files the store gave its receipt. Books that are `stopped` wait."""
        taken = 0
        for file in await self._files.to_send():
            if file.book in stopped:
                continue
            try:
                taken += await self._send(file)
            except VaultDamaged:
                await self._give_up(file, NOT_AS_SEALED)
            except Refused as error:
                if error.code == "wrong_digest":
                    await self._give_up(file, NOT_AS_SEALED)
                elif error.code in _FOR_EVERYTHING:
                    raise
                else:
                    self._alarm(error)
            except HubMistrusted as error:
                self._alarm(error)
            if self.left:
                break
        return taken

    async def fetch(self, stopped: frozenset[bytes]) -> None:
        """Fetch what should be here."""
        for file in () if self.left else await self._files.to_fetch():
            if file.book in stopped:
                continue
            try:
                await self._fetch(file)
            except DiskTrouble as error:
                self._alarm(error)
                break
            except Refused as error:
                if error.code in _FOR_EVERYTHING:
                    raise
                await self._give_up(file, NOT_THERE if error.code == "no_such_file" else one_line(error.sentence)[:400])
            except HubMistrusted as error:
                await self._give_up(file, error.sentence)
            if self.left:
                break

    async def _send(self, file: CarriedFile) -> bool:
        state = await self._client.file_state(file.book, file.digest)
        for _ in range(2 * wire.parts_of(file.size)):  # a store that never goes on does not hold the post up for ever
            if state.received_ms or self._is_enough():
                break
            if not 0 <= state.parts < wire.parts_of(file.size) or state.size not in (0, file.size):
                raise HubMistrusted(NO_RECEIPT)
            size = wire.part_size(file.size, state.parts)
            content = await self._files.read(file, state.parts * wire.FILE_PART, size)
            if len(content) != size:
                raise VaultDamaged(NOT_AS_SEALED)
            self._progress("sending a file", file, state.parts * wire.FILE_PART)
            state = await self._client.put_file(file.book, file.digest, wire.FilePart(file.size, state.parts, content))
            self._moved = True
        if self.left:
            return False
        self._check_receipt(file, state)
        self._ring(await self._files.stored(file))
        return True

    def _check_receipt(self, file: CarriedFile, state: wire.FileState) -> None:
        if not 0 < state.received_ms < 2**63 or state.size != file.size:
            raise HubMistrusted(NO_RECEIPT)
        message = wire.file_receipt_message(file.book, file.digest, file.size, state.received_ms)
        if not wire.is_signed(self._hub_key, wire.FILE_RECEIPT, message, state.receipt):
            raise HubMistrusted(NO_RECEIPT)

    async def _fetch(self, file: CarriedFile) -> None:
        at = await self._files.fetched(file)
        at -= at % wire.FILE_PART if at < file.size else 0
        while at < file.size:
            if self._is_enough():
                return
            number = at // wire.FILE_PART
            part = await self._client.file_part(file.book, file.digest, number)
            if (part.size, part.part) != (file.size, number) or len(part.content) != wire.part_size(file.size, number):
                raise HubMistrusted(OTHER_BYTES)
            await self._files.keep(file, at, part.content)
            self._moved = True
            at += len(part.content)
            self._progress("fetching a file", file, at)
        came = await self._files.finish(file)
        if came is None:
            raise HubMistrusted(OTHER_BYTES)
        self._ring(came)

    async def _give_up(self, file: CarriedFile, sentence: str) -> None:
        self.alarms.append(sentence)
        self._ring(await self._files.trouble(file, sentence))

    def _alarm(self, error: LeadworkerError) -> None:
        self.alarms.append(one_line(error.sentence)[:400])

    def _is_enough(self) -> bool:
        """Stop for something more urgent, but only after something was carried: every sync gets a file further."""
        self.left = self._moved and self._enough()
        return self.left

    def _progress(self, doing: str, file: CarriedFile, done: int) -> None:
        self._tell(Progress(doing, done // 1024, file.size // 1024, unit=" KB"))
