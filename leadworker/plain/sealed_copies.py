"""The command that writes one casebook, with its files, as it is at the central store, sealed: for the officers of escrow (C.10)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import msgspec
import typer

from leadworker.change import PUT
from leadworker.domain import attachments, caseload
from leadworker.domain.attachments import Attachment, SealedFile
from leadworker.errors import LeadworkerError, Offline, Refused, VaultDamaged
from leadworker.plain import age_files, asking, output
from leadworker.plain.bundled_files import DAMAGED, MISSING, UNFIT, FileLeftOut
from leadworker.plain.command import argument, command
from leadworker.plain.place import Open, Place
from leadworker.text import one_line
from leadworker.words.saying import say_count

if TYPE_CHECKING:
    from storage.attachment_files import AttachmentFiles
    from sync.client import HubClient
    from sync.sealed_layout import Writer

NOT_SENT: Final = "not sent"
"""Why a file is not in a copy whose changes do not speak of it either."""

_BLOCK: Final = 512 * 1024


class SealedCopy(msgspec.Struct, frozen=True):
    """A casebook that was written as it is at the central store, sealed.

    `changes` counts what was written, without the statements about who may read it, as escrow counts it when it opens the copy.
    `files` counts the attached files in it, `left_out` are those that are not; `not_received` counts changes that this laptop
    has not taken in yet, so that it cannot tell whether they speak of more files.
    """

    file: str
    changes: int
    bytes: int
    files: int
    left_out: tuple[FileLeftOut, ...]
    not_received: int


class _Named(msgspec.Struct, frozen=True):
    """A file that a change of the casebook names: the number of that change, 0 for none yet, and what opens it, if anything."""

    n: int
    name: str
    sealed: SealedFile | None


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, "sealed-copy")(sealed_copy)


def sealed_copy(
    place: Place,
    person: Annotated[str, argument("PERSON", "Whose casebook.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes; best a stick.")],
) -> None:
    """Write a casebook as it is at the central store, sealed, for the officers of escrow.

    With its attached files: those on this laptop, and the others as the store has them. Nobody can read more of it than the
    central store can. Needs the network once.
    """
    with place.opened() as opened:
        known = opened.ask(caseload.resolve, person)
        book = bytes.fromhex(opened.ask(lambda shelf: shelf.casebook_of(known.id)))
        with age_files.new_file(file) as into:
            document = asyncio.run(_copy(opened, book, file, into))
    output.warn(*(one.sentence for one in document.left_out))
    place.tell(document, _said(known.name, document))


def _said(name: str, document: SealedCopy) -> Iterator[str]:
    holds = f"{say_count(document.changes, 'change', 'changes')}, {say_count(document.files, 'attached file', 'attached files')}"
    yield f"{name}'s casebook is in {document.file}, sealed: {holds}."
    if document.left_out:
        yield f"Not in it: {say_count(len(document.left_out), 'attached file', 'attached files')}."
    if document.not_received:
        yield (
            f"{say_count(document.not_received, 'change', 'changes')} in it came after this laptop's last sync. If they speak of attached "
            "files, those are not in it: sync, and write it again."
        )


async def _copy(opened: Open, book: bytes, file: Path, into: BinaryIO) -> SealedCopy:
    from sync import sealed_book
    from sync.sealed_layout import Writer, written_in

    known = await asking.joined_of(opened)
    async with asking.connected(opened, known.hub_url) as (_, client):
        sealed = await sealed_book.fetch(client, known.hub_key, known.organisation, book)
        writer = Writer(into, sealed)
        here, named = _named(opened, book)
        gathering = _Gathering(opened.vault.files, client, writer, book)
        left_out = [one for each in named if (one := await gathering.put(each, sealed.changes.n))]
    writer.close()
    return SealedCopy(str(file), written_in(sealed), into.tell(), gathering.count, tuple(left_out), max(0, sealed.changes.n - here))


def _named(opened: Open, book: bytes) -> tuple[int, list[_Named]]:
    """Return how far this laptop has the book, and the files that its changes name."""
    from storage import contents

    connection = opened.vault.connection
    here, _ = opened.on_thread(lambda: contents.standing(connection, book))
    written, _ = opened.on_thread(lambda: contents.contents(connection, book))
    found = []
    for one in written:
        content = one.content
        if content.topic == Attachment.__tablename__ and content.verb == PUT:
            name = attachments.clean_name(str(content.values.get("name", "")))
            found.append(_Named(one.n, name, attachments.named_in(content, book.hex())))
    return here, found


class _Gathering:
    """Puts the sealed files of one casebook into a copy, from this laptop or else from the store. `count` says how many."""

    def __init__(self, files: AttachmentFiles, client: HubClient, writer: Writer, book: bytes) -> None:
        self._files = files
        self._client = client
        self._writer = writer
        self._book = book
        self._put: set[str] = set()
        self._cut = False
        self.count = 0

    async def put(self, named: _Named, last_n: int) -> FileLeftOut | None:
        """Put one file in, or say why it is not. A copy whose last change has number `last_n` names no file of a later one."""
        if not 0 < named.n <= last_n:
            return _left_out(named, NOT_SENT, "what was written of it is not on the central store yet. Sync, and write the copy again")
        if named.sealed is None:
            return _left_out(named, UNFIT, "what was written about it makes no sense, so nobody can open it")
        if named.sealed.digest in self._put or self._from_here(named.sealed):
            why = None
        else:
            why = await self._from_store(named)
        if why is None:
            self.count += named.sealed.digest not in self._put
            self._put.add(named.sealed.digest)
        return why

    def _from_here(self, sealed: SealedFile) -> bool:
        try:
            return self._writer.put(bytes.fromhex(sealed.digest), _size(sealed), self._blocks(sealed))
        except VaultDamaged:  # not on this laptop
            return False

    def _blocks(self, sealed: SealedFile) -> Iterator[bytes]:
        for at in range(0, _size(sealed), _BLOCK):
            yield self._files.read(sealed.digest, at, min(_BLOCK, _size(sealed) - at))

    async def _from_store(self, named: _Named) -> FileLeftOut | None:
        from sync import sealed_book

        assert named.sealed is not None
        digest = bytes.fromhex(named.sealed.digest)
        if self._cut:
            return _left_out(named, MISSING, "it is not on this laptop, and the central store is out of reach. Write the copy again")
        try:
            if await sealed_book.fetch_file(self._client, self._writer, self._book, digest, _size(named.sealed)):
                return None
            return _left_out(named, DAMAGED, "the central store handed out something else. Tell your administrator")
        except Offline:
            self._cut = True
            return _left_out(named, MISSING, "the way to the central store was cut off before it had come. Write the copy again")
        except LeadworkerError as error:
            if isinstance(error, Refused) and error.code == "no_such_file":
                neither = "it is not whole on this laptop, and the central store does not have it. Its writer's laptop may"
                return _left_out(named, MISSING, neither)
            return _left_out(named, MISSING, one_line(error.sentence).rstrip("."))


def _size(sealed: SealedFile) -> int:
    from leadworker.crypto.attachments import sealed_size

    return sealed_size(sealed.size)


def _left_out(named: _Named, why: str, sentence: str) -> FileLeftOut:
    size = named.sealed.size if named.sealed else 0
    return FileLeftOut(named.name, size, why, f"{named.name} is not in the copy: {sentence}.")
