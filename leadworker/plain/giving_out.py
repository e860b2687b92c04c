"""The command that gives a casebook to a named outsider, in an age file, and writes in the casebook that it was given (C.12)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leadworker import proof
from leadworker.change import change_id, unpack
from leadworker.domain import caseload, journal
from leadworker.domain.journal import NewEntry
from leadworker.errors import NotUnderstood
from leadworker.plain import bundles, documents, secret
from leadworker.plain.bundles import Bundle, Recipient
from leadworker.plain.case_text import Told
from leadworker.plain.command import argument, command, flag
from leadworker.plain.escrow import For, Reason, To
from leadworker.plain.place import Open, Place
from leadworker.text import one_line
from leadworker.words.saying import say_count


class GivenOut(msgspec.Struct, frozen=True):
    """A bundle that was written, and the entry that says so. `passphrase` is empty for an age recipient."""

    file: str
    person_id: str
    recipient: str
    changes: int
    sha256: str
    entry_id: str
    passphrase: str


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
    really: Annotated[bool, flag("--yes", "Do not ask.")] = False,
) -> None:
    """Seal a whole casebook for a named outsider, and write in it that it was given.

    The file opens with any age program, and is a ZIP file inside. What is given out cannot be called back: look through it first.
    """
    recipient, made_up = bundles.recipient_of(one_line(for_whom), to)
    if not one_line(reason):
        raise NotUnderstood("Say with --reason why it is given, and on what basis. Nothing was written.")
    bundles.check_recipient(recipient)
    with place.opened() as opened:
        known = opened.ask(caseload.resolve, person)
        asked = f"Give out everything about {known.name} to {recipient.name}?"
        if not really and not (secret.has_terminal() and typer.confirm(asked, err=True)):
            raise NotUnderstood("Nothing was written. --yes gives it out without asking.")
        document = _give(opened, known.id, known.name, file, recipient, one_line(reason), made_up)
    said = [f"Everything about {known.name} is in {file}, sealed for {recipient.name}: {say_count(document.changes, 'change', 'changes')}."]
    if made_up:
        said.append(f"Its passphrase, shown this once: {made_up}. Tell it by telephone, never with the file.")
    place.tell(document, [*said, "An entry in the casebook says that it was given, to whom and why."])


def _give(opened: Open, person_id: str, name: str, file: Path, to: Recipient, reason: str, made_up: str) -> GivenOut:
    book = bytes.fromhex(opened.ask(lambda shelf: shelf.casebook_of(person_id)))
    bundle = _bundle(opened, book, name, reason)
    now = opened.ask(lambda shelf: shelf.now())
    identity = opened.vault.identity

    def sign(manifest: bytes) -> tuple[str, str]:
        return identity.signing_public.hex(), identity.sign(proof.BUNDLE, hashlib.sha256(manifest).digest()).hex()

    sealed = bundles.seal(bundle, to, documents.moment(now.ms, now.offset), sign)
    digest = hashlib.sha256(sealed).hexdigest()
    bundles.write_new(file, sealed)
    entry = opened.do(
        journal.write,
        NewEntry(
            person_id, kind="sharing", title=f"Given to {to.name}: the whole record so far",
            noticed=f"Why: {reason}\nSealed for: {to.age or 'a passphrase'}\nChanges: {len(bundle.changes)}\nSHA-256 of the file: {digest}",
        ),
    )  # fmt: skip
    return GivenOut(str(file), person_id, to.name, len(bundle.changes), digest, entry.entry_id, made_up)


def _bundle(opened: Open, book: bytes, name: str, reason: str) -> Bundle:
    from storage import contents

    connection = opened.vault.connection
    written, unread = opened.on_thread(lambda: contents.contents(connection, book))
    n, digest = opened.on_thread(lambda: contents.standing(connection, book))
    names = opened.on_thread(lambda: contents.names(connection))
    changes: list[Told] = []
    for one in written:
        device, identity = unpack(one.header).device.hex(), change_id(one.header).hex()
        changes.append(Told(one.n, names.get(device, "a colleague"), device, one.received_ms, one.content, identity))
    return Bundle(f"The casebook of {name}", reason, book.hex(), n, digest.hex(), tuple(changes), unread)
