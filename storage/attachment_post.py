"""The vault's side of sending and fetching sealed files: implements `leadworker.postbox.FileBox`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeVar

from leadworker.crypto.attachments import sealed_size
from leadworker.desk import Bell
from leadworker.domain import attachments
from leadworker.domain.attachments import AGAIN, FETCHED_BY_ITSELF, HERE, TROUBLE, WANTED, SealedFile
from leadworker.postbox import CarriedFile
from storage.engine import Connection

if TYPE_CHECKING:
    from storage.vault import Transaction, Vault

T = TypeVar("T")

LEAST_FREE: Final = 1024**3
"""Bytes that stay free on the disk: with less, only what somebody asked for is fetched."""

_FIELDS = "a.id, a.book, a.person_id, a.size, a.digest, a.key"
_TO_SEND = f"""SELECT {_FIELDS} FROM drawer h JOIN attachment a ON a.id = h.key JOIN change c ON c.no = a.change_no
    WHERE h.drawer = '{HERE}' AND c.n IS NOT NULL
    AND (NOT EXISTS (SELECT 1 FROM attachment_stored s WHERE s.attachment_id = a.id AND s.book = a.book)
        OR EXISTS (SELECT 1 FROM drawer o WHERE o.drawer = '{AGAIN}' AND o.key = a.id))
    AND NOT EXISTS (SELECT 1 FROM drawer t WHERE t.drawer = '{TROUBLE}' AND t.key = a.id) ORDER BY a.size, a.no"""
"""What is here, whose record the central store has, and for which nobody has its receipt, or that is to be offered again."""

_TO_FETCH = f"""SELECT {_FIELDS} FROM attachment a LEFT JOIN drawer w ON w.drawer = '{WANTED}' AND w.key = a.id
    WHERE EXISTS (SELECT 1 FROM attachment_stored s WHERE s.attachment_id = a.id AND s.book = a.book) AND (w.key IS NOT NULL OR a.size <= ?)
    AND NOT EXISTS (SELECT 1 FROM drawer h WHERE h.drawer IN ('{HERE}', '{TROUBLE}') AND h.key = a.id)
    ORDER BY w.key IS NULL, a.no DESC"""
"""What is on the central store and not here: what somebody asked for, then the newest."""


class FilePost:
    """What the post may do with a vault's sealed files."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._files = vault.files

    async def to_send(self) -> tuple[CarriedFile, ...]:
        def read(connection: Connection) -> tuple[CarriedFile, ...]:
            found = connection.execute(_TO_SEND).fetchall()
            writable = {bytes(row[0]).hex() for row in connection.execute("SELECT id FROM book WHERE writable = 1")} if found else set()
            return _carried(SealedFile(*row) for row in found if row[1] in writable)

        return await self._read(read)

    async def to_fetch(self) -> tuple[CarriedFile, ...]:
        largest = FETCHED_BY_ITSELF if shutil.disk_usage(self._vault.folder).free > LEAST_FREE else 0
        return await self._read(lambda c: _carried(SealedFile(*row) for row in c.execute(_TO_FETCH, (largest,)).fetchall()))

    async def read(self, file: CarriedFile, at: int, length: int) -> bytes:
        return await asyncio.to_thread(self._files.read, file.digest.hex(), at, length)

    async def offer_again(self) -> None:
        def offer(transaction: Transaction) -> None:
            for attachment_id in transaction.shelf.kept(HERE):
                attachments.offer_again(transaction.shelf, attachment_id)

        await self._write(offer)

    async def stored(self, file: CarriedFile) -> Bell:
        def tell(transaction: Transaction) -> None:
            attachments.store_has(transaction.shelf, file.id)

        return await self._write(tell)

    async def fetched(self, file: CarriedFile) -> int:
        return await asyncio.to_thread(self._files.fetched, file.digest.hex(), file.size)

    async def keep(self, file: CarriedFile, at: int, part: bytes) -> None:
        await asyncio.to_thread(self._files.append, file.digest.hex(), at, part)

    async def finish(self, file: CarriedFile) -> Bell | None:
        if not await asyncio.to_thread(self._files.finish, file.digest.hex()):
            return None
        return await self._write(lambda transaction: attachments.came(transaction.shelf, file.id))

    async def trouble(self, file: CarriedFile, sentence: str) -> Bell:
        return await self._write(lambda transaction: attachments.met_trouble(transaction.shelf, file.id, sentence))

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self._vault.submit(lambda: work(self._vault.connection)))

    async def _write(self, work: Callable[[Transaction], None]) -> Bell:
        def run() -> Bell:
            with self._vault.transaction() as transaction:
                transaction.dirty = True
                work(transaction)
                shelf = transaction.shelf
                return Bell(frozenset(shelf.touched_topics), frozenset(shelf.touched_ids))

        return await asyncio.wrap_future(self._vault.submit(run))


def _carried(files: Iterable[SealedFile]) -> tuple[CarriedFile, ...]:
    """Leave out what a colleague's laptop made up: nobody asks for it, and it is said where somebody wants to open it."""
    return tuple(
        CarriedFile(one.id, bytes.fromhex(one.book), one.person_id, bytes.fromhex(one.digest), sealed_size(one.size))
        for one in files
        if one.is_sound()
    )
