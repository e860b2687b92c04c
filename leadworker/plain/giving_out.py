"""The command that gives a casebook to a named outsider, in an age file, and writes in the casebook that it was given (C.12)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from leadworker import proof
from leadworker.change import change_id, unpack
from leadworker.domain import attachments, caseload, journal
from leadworker.domain.attachments import SealedFile
from leadworker.domain.journal import NewEntry
from leadworker.errors import NotFound, NotUnderstood
from leadworker.plain import age_files, bundled_files, bundles, documents, output, secret, sentences
from leadworker.plain.age_files import Recipient
from leadworker.plain.attachments import not_here
from leadworker.plain.bundled_files import WHY, BundledFile, FileLeftOut
from leadworker.plain.bundles import Bundle
from leadworker.plain.case_text import Told
from leadworker.plain.command import argument, command, flag
from leadworker.plain.escrow import For, Reason, To
from leadworker.plain.place import Open, Place
from leadworker.text import one_line
from leadworker.words.saying import say_count

if TYPE_CHECKING:
    from storage.attachment_files import AttachmentFiles

MOST_TOLD: Final = 20
"""Files that the entry names one by one as not given: an entry has its limits."""


class GivenOut(msgspec.Struct, frozen=True):
    """A bundle that was written, and the entry that says so. `passphrase` is empty for an age recipient.

    `files` counts the attached files in it; `left_out` are those that are not.
    """

    file: str
    person_id: str
    recipient: str
    changes: int
    sha256: str
    entry_id: str
    passphrase: str
    files: int
    left_out: tuple[FileLeftOut, ...]


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, "give-out")(give_out)


def give_out(
    place: Place,
    person: Annotated[str, argument("PERSON", "Whose casebook.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The age file that is written.")],
    for_whom: For,
    reason: Reason,
    to: To = "",
    without_files: Annotated[bool, flag("--without-files", "Leave the attached files out; what is written of them stays.")] = False,
    really: Annotated[bool, flag("--yes", "Do not ask.")] = False,
) -> None:
    """Seal a whole casebook with its files for a named outsider, and write in it that it was given.

    The file opens with any age program, and is a ZIP file inside. What is given out cannot be called back: look through it first.
    """
    recipient, made_up = age_files.recipient_of(one_line(for_whom), to)
    if not one_line(reason):
        raise NotUnderstood("Say with --reason why it is given, and on what basis. Nothing was written.")
    age_files.check_recipient(recipient)
    with place.opened() as opened:
        known = opened.ask(caseload.resolve, person)
        bundle = _bundle(opened, known.id, known.name, one_line(reason), without_files)
        left_out = tuple(_left_out(opened, file) for file in bundle.files if file.why)
        output.warn(*(one.sentence for one in left_out))
        holds = f"{say_count(len(bundle.changes), 'change', 'changes')}, {bundled_files.counted(bundle.files)}"
        if not really and not (secret.has_terminal() and typer.confirm(_asked(known.name, recipient, holds, left_out), err=True)):
            raise NotUnderstood("Nothing was written. --yes gives it out without asking.")
        document = _give(opened, known.id, bundle, file, recipient, made_up, left_out)
    said = [f"Everything about {known.name} is in {file}, sealed for {recipient.name}: {holds}."]
    if left_out:
        said[0] = f"What is written about {known.name} is in {file}, sealed for {recipient.name}: {holds}."
        said.append(f"Not in it: {say_count(len(left_out), 'attached file', 'attached files')}. The bundle says so too.")
    if made_up:
        said.append(f"Its passphrase, shown this once: {made_up}. Tell it by telephone, never with the file.")
    place.tell(document, [*said, "An entry in the casebook says that it was given, to whom and why."])


def _asked(name: str, to: Recipient, holds: str, left_out: tuple[FileLeftOut, ...]) -> str:
    without = f" {say_count(len(left_out), 'file stays', 'files stay')} out." if left_out else ""
    return f"Give out everything about {name} ({holds}) to {to.name}?{without}"


def _give(
    opened: Open, person_id: str, bundle: Bundle, file: Path, to: Recipient, made_up: str, left_out: tuple[FileLeftOut, ...]
) -> GivenOut:
    now = opened.ask(lambda shelf: shelf.now())
    identity = opened.vault.identity

    def sign(manifest: bytes) -> tuple[str, str]:
        return identity.signing_public.hex(), identity.sign(proof.BUNDLE, hashlib.sha256(manifest).digest()).hex()

    digest = bundles.write(file, bundle, to, documents.moment(now.ms, now.offset), sign)
    title, noticed = _entry(bundle, to, digest, left_out)
    entry = opened.do(journal.write, NewEntry(person_id, kind="sharing", title=title, noticed=noticed))
    inside = len(bundle.files) - len(left_out)
    return GivenOut(str(file), person_id, to.name, len(bundle.changes), digest, entry.entry_id, made_up, inside, left_out)


def _bundle(opened: Open, person_id: str, name: str, reason: str, without_files: bool) -> Bundle:
    from storage import contents

    connection = opened.vault.connection
    book = bytes.fromhex(opened.ask(lambda shelf: shelf.casebook_of(person_id)))
    written, unread = opened.on_thread(lambda: contents.contents(connection, book))
    n, digest = opened.on_thread(lambda: contents.standing(connection, book))
    names = opened.on_thread(lambda: contents.names(connection))
    changes: list[Told] = []
    for one in written:
        device, identity = unpack(one.header).device.hex(), change_id(one.header).hex()
        changes.append(Told(one.n, names.get(device, "a colleague"), device, one.received_ms, one.content, identity))
    source = _OnThisLaptop(opened.vault.files)
    files = bundled_files.gather(changes, book.hex(), source, leave_out=without_files)
    return Bundle(f"The casebook of {name}", reason, book.hex(), n, digest.hex(), tuple(changes), files, source, unread)


class _OnThisLaptop:
    """The sealed files of this vault."""

    def __init__(self, files: AttachmentFiles) -> None:
        self._files = files

    def trouble(self, file: SealedFile) -> str:
        if not self._files.is_here(file.digest):
            return bundled_files.MISSING
        return "" if self._files.is_whole(file.digest) else bundled_files.DAMAGED

    def clear(self, file: SealedFile) -> Iterator[bytes]:
        return self._files.clear(file)


def _left_out(opened: Open, file: BundledFile) -> FileLeftOut:
    """Say why a file stays out, and of one that might go in what to do about it."""
    why = f"{WHY[file.why]}."
    if file.why == bundled_files.DAMAGED:
        gets = f"“leadworker attachment fetch {sentences.short(file.record)}”"
        why = f"its bytes on this laptop are damaged. {gets} gets them again where the central store has them; so does a backup."
    elif file.why == bundled_files.MISSING:
        with contextlib.suppress(NotFound):
            return _told(file, f". {not_here(opened.ask(attachments.attachment, file.record))}")
    return _told(file, f": {why}")


def _told(file: BundledFile, why: str) -> FileLeftOut:
    return FileLeftOut(file.name, file.size, file.why, f"{file.name} is not in the bundle{why}")


def _entry(bundle: Bundle, to: Recipient, digest: str, left_out: tuple[FileLeftOut, ...]) -> tuple[str, str]:
    """Return the title and the text of the entry that says what was given to whom."""
    without = "" if not left_out else ", without its files" if len(left_out) == len(bundle.files) else ", without some of its files"
    told = [f"Not in it: {one.name}, {WHY[one.why]}" for one in left_out[:MOST_TOLD]]
    if more := len(left_out) - len(told):
        told.append(f"Not in it: {say_count(more, 'more file', 'more files')}, which the bundle names")
    lines = [
        f"Why: {bundle.reason}", f"Sealed for: {to.age or 'a passphrase'}", f"Changes: {len(bundle.changes)}",
        f"Files: {len(bundle.files) - len(left_out)}", *told, f"SHA-256 of the file: {digest}",
    ]  # fmt: skip
    return f"Given to {to.name}: the whole record so far{without}", "\n".join(lines)
