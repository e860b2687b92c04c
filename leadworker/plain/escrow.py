"""The command about escrow: a sealed copy of one casebook, opened by two officers on a machine without a network (C.10)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import typer

from leadworker.change import change_id, unpack
from leadworker.crypto import attachments as sealing
from leadworker.domain.attachments import SealedFile
from leadworker.errors import DiskTrouble, NotUnderstood
from leadworker.plain import age_files, bundled_files, bundles, key_files, output, secret
from leadworker.plain.bundled_files import WHY, BundledFile, FileLeftOut, Source
from leadworker.plain.bundles import Bundle
from leadworker.plain.case_text import Told
from leadworker.plain.command import command, group, option
from leadworker.plain.place import Place
from leadworker.words.saying import say_count

if TYPE_CHECKING:
    from sync.sealed_book import Opened
    from sync.sealed_layout import Reader as SealedFiles
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


class EscrowOpened(msgspec.Struct, frozen=True):
    """A casebook that was opened with the escrow key, and for whom. `passphrase` is empty for an age recipient.

    `files` counts the attached files in it, `left_out` are those that are not, `unnamed_files` how many are in the copy
    and in no change that could be read. `whole` is False for a copy that ends too early.
    """

    file: str
    recipient: str
    changes: int
    could_not_be_read: int
    readers: int
    passphrase: str
    files: int
    left_out: tuple[FileLeftOut, ...]
    unnamed_files: int
    whole: bool


class LaptopOpened(msgspec.Struct, frozen=True):
    """A vault that was closed for good and opens now with a passphrase, which is shown this once."""

    folder: str
    passphrase: str


def register(app: typer.Typer) -> None:
    """Add these commands."""
    escrow = group(app, "escrow", "Open one casebook with the escrow key: two officers, no network.")
    command(escrow, "open", vault=False)(open_one)
    command(escrow, "open-laptop", vault=False)(open_laptop)


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
    recipient, made_up = age_files.recipient_of(for_whom, to)
    age_files.check_recipient(recipient)
    with _opened(casebook) as source:
        from sync import sealed_book

        sealed, copy = sealed_book.begin(source)
        words = key_files.officers_passphrases(first, second)
        output.warn("Opening takes a few seconds …")
        escrow, fingerprint = key_files.open_escrow(key_file, *words)
        found = sealed_book.open_with_escrow(sealed, escrow, fingerprint)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        bundle = _bundle(sealed, found, reason, _names(devices), _InCopy(copy))
        bundles.write(out, bundle, recipient, now, None)
    people = {member.person for member in found.members.members.values()}
    left_out = tuple(FileLeftOut(file.name, file.size, file.why, _why(file)) for file in bundle.files if file.why)
    unnamed = len({digest.hex() for digest in copy.files} - bundled_files.digests(bundle.changes, bundle.book))
    document = EscrowOpened(
        str(out), for_whom, len(bundle.changes), bundle.unread, len(people), made_up, len(bundle.files) - len(left_out), left_out,
        unnamed, copy.whole,
    )  # fmt: skip
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

    words = key_files.officers_passphrases(first, second)
    output.warn("Opening takes a few seconds …")
    escrow, _ = key_files.open_escrow(key_file, *words)
    document = LaptopOpened(str(folder), suggest_passphrase())
    escrowed.open_for_officers(folder, escrow, document.passphrase)
    place.tell(document, [
        f"The vault in {folder} opens now with this passphrase, shown this once: {document.passphrase}",
        f"Read it with “leadworker --vault {folder} people” and “timeline NAME”. Nothing can be written in it or sent from it.",
        "Write down who was there, why, and when. Then take the officers' files and this copy away.",
    ])  # fmt: skip


def _why(file: BundledFile) -> str:
    said = {
        bundled_files.MISSING: "its sealed bytes are not in the copy. The central store or a colleague's laptop may have them",
        bundled_files.DAMAGED: "its sealed bytes are damaged in the copy. Have the copy written again",
    }
    return f"{file.name} is not in the bundle: {said.get(file.why, WHY[file.why])}."


def _said(document: EscrowOpened, sealed: SealedBook, now: str) -> list[str]:
    holds = f"{say_count(document.changes, 'change', 'changes')}, {say_count(document.files, 'attached file', 'attached files')}"
    said = [
        f"Opened with the escrow key, {now}: casebook {sealed.book.hex()}, {holds}.",
        f"Sealed for {document.recipient} in {document.file}.",
    ]
    if document.could_not_be_read:
        said.append(f"{say_count(document.could_not_be_read, 'change', 'changes')} in it could not be read, and are counted in it.")
    said += [one.sentence for one in document.left_out]
    if document.unnamed_files:
        files = say_count(document.unnamed_files, "sealed file", "sealed files")
        said.append(f"{files} in the copy could not be opened: no change that could be read speaks of it, and only there is a key.")
    if not document.whole:
        said.append("The copy of the casebook is cut off after its changes. All that was written is here; attached files may be missing.")
    if document.passphrase:
        said.append(f"Its passphrase, shown this once: {document.passphrase}")
    said.append("Write down who was there, why, and when. Then take the officers' files and this computer's copy of the casebook away.")
    return said


def _bundle(sealed: SealedBook, found: Opened, reason: str, names: dict[str, str], source: Source) -> Bundle:
    changes = []
    for item in found.received:
        if item.content is not None:
            device = unpack(item.header).device.hex()
            writer = names.get(device, f"device {device[:8]}")
            changes.append(Told(item.n, writer, device, item.received_ms, item.content, change_id(item.header).hex()))
    heading = f"Casebook {sealed.book.hex()}, opened with the escrow key by two officers"
    unread = sum(bool(item.why) for item in found.received)
    files = bundled_files.gather(changes, sealed.book.hex(), source)
    digest = sealed.changes.digest.hex()
    return Bundle(heading, reason, sealed.book.hex(), sealed.changes.n, digest, tuple(changes), files, source, unread)


class _InCopy:
    """The sealed files of a copy. What the medium cannot read counts as damaged: the rest is opened."""

    def __init__(self, copy: SealedFiles) -> None:
        self._copy = copy

    def trouble(self, file: SealedFile) -> str:
        digest = bytes.fromhex(file.digest)
        if digest not in self._copy.files:
            return bundled_files.MISSING
        try:
            return "" if self._copy.is_sound(digest) else bundled_files.DAMAGED
        except OSError:
            return bundled_files.DAMAGED

    def clear(self, file: SealedFile) -> Iterator[bytes]:
        chunks = self._copy.chunks(bytes.fromhex(file.digest), sealing.SEALED_CHUNK)
        return sealing.unseal(sealing.key_of(file), chunks)


def _names(devices: Path | None) -> dict[str, str]:
    if devices is None:
        return {}
    try:
        listed = json.loads(secret.whole_text(devices, "The list of devices"))["devices"]
        return {str(one["id"]): str(one["name"]) for one in listed}
    except (ValueError, KeyError, TypeError) as error:
        raise NotUnderstood("The list of devices is not what “leadworker devices --json” prints. Nothing was opened.") from error


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        source = open(file, "rb")  # noqa: SIM115 - closed by the block below
    except OSError as error:
        raise DiskTrouble(f"The file {file} cannot be read: {error.strerror}. Nothing was opened.") from error
    with source:
        if not source.seekable():
            raise NotUnderstood(f"{file} is no plain file. Nothing was opened. Copy the casebook to a disk or a stick first.")
        try:
            yield source
        except OSError as error:
            raise DiskTrouble(f"The file {file} cannot be read: {error.strerror}. Nothing was opened.") from error
