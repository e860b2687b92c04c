"""Commands about escrow: a sealed copy of one casebook, opened by two officers on a machine without a network (C.10)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from leadworker.change import change_id, unpack
from leadworker.domain import caseload
from leadworker.errors import DiskTrouble, NotUnderstood
from leadworker.plain import asking, bundles, key_files, output, secret
from leadworker.plain.bundles import Bundle
from leadworker.plain.case_text import Told
from leadworker.plain.command import argument, command, group, option
from leadworker.plain.place import Open, Place
from leadworker.words.saying import say_count

if TYPE_CHECKING:
    from sync.sealed_book import Opened
    from sync.wire import SealedBook

For = Annotated[str, option("--for", "NAME", "For whom it is: a person's or an office's name.")]
To = Annotated[str, option("--to", "RECIPIENT", "Their age recipient, which begins with age1; else a passphrase is made.")]
Reason = Annotated[str, option("--reason", "TEXT", "Why it is given, and on what basis. It stands in the file.")]


FirstPassphrase = Annotated[
    Path | None, typer.Option("--first-passphrase-file", metavar="FILE", help="The lower number's; else it is asked for.")
]
SecondPassphrase = Annotated[
    Path | None, typer.Option("--second-passphrase-file", metavar="FILE", help="The other's; else it is asked for.")
]


class SealedCopy(msgspec.Struct, frozen=True):
    """A casebook that was written as it is at the central store, sealed."""

    file: str
    changes: int
    bytes: int


class EscrowOpened(msgspec.Struct, frozen=True):
    """A casebook that was opened with the escrow key, and for whom. `passphrase` is empty for an age recipient."""

    file: str
    recipient: str
    changes: int
    could_not_be_read: int
    readers: int
    passphrase: str


class LaptopOpened(msgspec.Struct, frozen=True):
    """A vault that was closed for good and opens now with a passphrase, which is shown this once."""

    folder: str
    passphrase: str


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "sealed-copy")(sealed_copy)
    escrow = group(app, "escrow", "Open one casebook with the escrow key: two officers, no network.")
    command(escrow, "open", vault=False)(open_one)
    command(escrow, "open-laptop", vault=False)(open_laptop)


def sealed_copy(
    place: Place,
    person: Annotated[str, argument("PERSON", "Whose casebook.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where it goes; best a stick.")],
) -> None:
    """Write a casebook as it is at the central store, sealed, for the officers of escrow.

    Nobody can read more of it than the central store can. Needs the network once.
    """
    with place.opened() as opened:
        known = opened.ask(caseload.resolve, person)
        book = bytes.fromhex(opened.ask(lambda shelf: shelf.casebook_of(known.id)))
        sealed = asyncio.run(_fetch(opened, book))
    document = _written(file, sealed)
    place.tell(document, [f"{known.name}'s casebook is in {file}, sealed: {say_count(document.changes, 'change', 'changes')}."])


async def _fetch(opened: Open, book: bytes) -> SealedBook:
    from sync import sealed_book

    known = await asking.joined_of(opened)
    async with asking.connected(opened, known.hub_url) as (_, client):
        return await sealed_book.fetch(client, known.hub_key, known.organisation, book)


def _written(file: Path, sealed: SealedBook) -> SealedCopy:
    from sync import sealed_book

    raw = sealed_book.write(sealed)
    bundles.write_new(file, raw)
    return SealedCopy(str(file), len(sealed.changes.changes), len(raw))


def open_one(
    place: Place,
    casebook: Annotated[Path, typer.Argument(metavar="CASEBOOK", help="The sealed copy of one casebook.")],
    key_file: Annotated[Path, typer.Option("--key-file", metavar="FILE", help="The escrow file of the two officers who are here.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The age file that is written.")],
    for_whom: For,
    reason: Reason,
    to: To = "",
    devices: Annotated[
        Path | None, typer.Option("--devices", metavar="FILE", help="What “leadworker devices --json” printed, for the writers' names.")
    ] = None,
    first: FirstPassphrase = None,
    second: SecondPassphrase = None,
) -> None:
    """Open one casebook with two officers, and seal it again for a named recipient.

    For a computer without a network. The escrow key is in its memory while this runs, and nowhere else. Write down who was
    there, why, and when; the organisation keeps that paper.
    """
    recipient, made_up = bundles.recipient_of(for_whom, to)
    bundles.check_recipient(recipient)
    from sync import sealed_book

    sealed = sealed_book.read(_bytes(casebook))
    words = (
        key_files.passphrase("Passphrase of the officer with the lower number: ", first),
        key_files.passphrase("Passphrase of the other officer: ", second),
    )
    output.warn("Opening takes a few seconds …")
    escrow, fingerprint = key_files.open_escrow(key_file, *words)
    found = sealed_book.open_with_escrow(sealed, escrow, fingerprint)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    bundle = _bundle(sealed, found, reason, _names(devices))
    bundles.write_new(out, bundles.seal(bundle, recipient, now, None))
    people = {member.person for member in found.members.members.values()}
    document = EscrowOpened(str(out), for_whom, len(bundle.changes), bundle.unread, len(people), made_up)
    place.tell(document, _said(document, sealed, now))


def open_laptop(
    place: Place,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A copy of the folder of a vault that was closed for good.")],
    key_file: Annotated[Path, typer.Option("--key-file", metavar="FILE", help="The escrow file of the two officers who are here.")],
    first: FirstPassphrase = None,
    second: SecondPassphrase = None,
) -> None:
    """Open a vault that was closed for good, because its laptop was taken out of the organisation, with two officers.

    It can be read then with the passphrase that is shown this once; nothing can be written in it or sent from it. For a computer
    without a network. Write down who was there, why, and when.
    """
    from leadworker.crypto.words import suggest_passphrase
    from storage import escrowed

    words = (
        key_files.passphrase("Passphrase of the officer with the lower number: ", first),
        key_files.passphrase("Passphrase of the other officer: ", second),
    )
    output.warn("Opening takes a few seconds …")
    escrow, _ = key_files.open_escrow(key_file, *words)
    document = LaptopOpened(str(folder), suggest_passphrase())
    escrowed.open_for_officers(folder, escrow, document.passphrase)
    place.tell(document, [
        f"The vault in {folder} opens now with this passphrase, shown this once: {document.passphrase}",
        f"Read it with “leadworker --vault {folder} people” and “timeline NAME”. Nothing can be written in it or sent from it.",
        "Write down who was there, why, and when. Then take the officers' files and this copy away.",
    ])  # fmt: skip


def _said(document: EscrowOpened, sealed: SealedBook, now: str) -> list[str]:
    said = [
        f"Opened with the escrow key, {now}: casebook {sealed.book.hex()}, {say_count(document.changes, 'change', 'changes')}.",
        f"Sealed for {document.recipient} in {document.file}.",
    ]
    if document.could_not_be_read:
        said.append(f"{say_count(document.could_not_be_read, 'change', 'changes')} in it could not be read, and are counted in it.")
    if document.passphrase:
        said.append(f"Its passphrase, shown this once: {document.passphrase}")
    said.append("Write down who was there, why, and when. Then take the officers' files and this computer's copy of the casebook away.")
    return said


def _bundle(sealed: SealedBook, found: Opened, reason: str, names: dict[str, str]) -> Bundle:
    changes = []
    for item in found.received:
        if item.content is not None:
            device = unpack(item.header).device.hex()
            writer = names.get(device, f"device {device[:8]}")
            changes.append(Told(item.n, writer, device, item.received_ms, item.content, change_id(item.header).hex()))
    heading = f"Casebook {sealed.book.hex()}, opened with the escrow key by two officers"
    unread = sum(bool(item.why) for item in found.received)
    return Bundle(heading, reason, sealed.book.hex(), sealed.changes.n, sealed.changes.digest.hex(), tuple(changes), unread)


def _names(devices: Path | None) -> dict[str, str]:
    if devices is None:
        return {}
    try:
        listed = json.loads(secret.whole_text(devices, "The list of devices"))["devices"]
        return {str(one["id"]): str(one["name"]) for one in listed}
    except (ValueError, KeyError, TypeError) as error:
        raise NotUnderstood("The list of devices is not what “leadworker devices --json” prints. Nothing was opened.") from error


def _bytes(file: Path) -> bytes:
    from sync.sealed_book import LARGEST

    try:
        with open(file, "rb") as source:
            raw = source.read(LARGEST + 1)
    except OSError as error:
        raise DiskTrouble(f"The file {file} cannot be read: {error.strerror}. Nothing was opened.") from error
    if len(raw) > LARGEST:
        raise NotUnderstood("This file is far too large to be one casebook. Nothing was opened.")
    return raw
