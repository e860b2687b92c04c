"""Commands for files of a person's record: attach one, list them, fetch one, save one in clear where its owner wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leadworker.domain import attachments, caseload
from leadworker.domain.attachments import Attachment, AttachmentView, size_words
from leadworker.domain.journal import JournalEntry
from leadworker.errors import NotUnderstood, Refused
from leadworker.plain import attached, documents, naming, output, sentences
from leadworker.plain.attached import AttachedFile
from leadworker.plain.command import argument, command, flag, group, option
from leadworker.plain.persons import Called, CalledWords
from leadworker.plain.place import Open, Place
from leadworker.plain.post import run_sync

FileId = Annotated[str, argument("ID", "The end of its id, as “leadworker attachments” shows it.")]


class AttachedFiles(msgspec.Struct, frozen=True):
    """A person's files, newest first."""

    person_id: str
    person: str
    files: tuple[AttachedFile, ...]


class FileSaved(msgspec.Struct, frozen=True):
    """A file that was written in clear outside the vault."""

    id: str
    file: str
    sentence: str


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "attach")(attach)
    command(app, "attachments")(listed)
    one = group(app, "attachment", "One attached file: save it outside the vault, fetch it.")
    command(one, "save")(save)
    command(one, "fetch")(fetch)
    command(one, "send")(send)


def attach(
    place: Place,
    person: Called,
    file: Annotated[Path, argument("FILE", "The file; at most 25 MB. It stays where it is.")],
    entry: Annotated[str, option("--entry", "ID", "The entry that it belongs to; the end of its id.")] = "",
    name: Annotated[str, option("--name", "NAME", "What to call it, instead of the file's own name.")] = "",
) -> None:
    """Keep a file with a person's record, sealed.

    The file itself stays where it is, in clear: take it away from there if it should not lie about.
    """
    with place.opened() as opened:
        who = opened.ask(caseload.resolve, person)
        entry_id = opened.ask(naming.find_one, JournalEntry, entry, "entry") if entry else ""
        made = opened.desk.attach_now(who.id, file, entry_id=entry_id, name=name)
        view = opened.ask(attachments.attachment, made)
    kept = f"{view.name}, {size_words(view.size)}, is kept with {who.name}'s record, sealed."
    said = f"{kept} The file itself is still where it was, in clear."
    place.tell(documents.Written(made, said), [said])


def listed(place: Place, person: CalledWords) -> None:
    """List a person's files and say where each of them is."""
    with place.opened() as opened:
        who = opened.ask(caseload.resolve, " ".join(person))
        found, now = opened.ask(attachments.of_person, who.id), opened.now()
    document = AttachedFiles(who.id, who.name, tuple(attached.document(view) for view in found))
    place.tell(document, _say(who.name, found, now))


def _say(name: str, found: tuple[AttachmentView, ...], now: datetime) -> Iterator[str]:
    if not found:
        yield f"No files are kept with {name}'s record. “leadworker attach” adds one."
    for view in found:
        yield attached.line(view, now)
        if view.trouble:
            yield f"  {view.trouble}"


def save(
    place: Place,
    which: FileId,
    file: Annotated[Path, argument("FILE", "The file to write; one that exists is never written over.")],
    yes: Annotated[bool, flag("--yes", "Yes, write it in clear outside the vault.")] = False,
) -> None:
    """Write a file in clear outside the vault.

    From then on whoever gets at that file can read it, and leadworker cannot take it back.
    """
    if not yes:
        raise NotUnderstood(
            "Outside the vault the file is in clear: whoever gets at it can read it, and leadworker cannot take it back. Nothing was "
            "written. With --yes it is."
        )
    with place.opened() as opened:
        view = _find(opened, which)
        if not view.here:
            raise NotUnderstood(not_here(view))
        opened.desk.save_file_now(view.id, file.absolute())
    said = f"{view.name} is in {file} now, in clear, for your account alone. Take it away when it has done its work."
    place.tell(FileSaved(view.id, str(file.absolute()), said), [said])


def fetch(place: Place, which: FileId) -> None:
    """Fetch a file from the central store, also one that is too large to come by itself, or whose bytes here are damaged."""
    with place.opened() as opened:
        view = _find(opened, which)
        if view.here and _is_whole(opened, view):
            said = f"{view.name} is here already, and whole."
            place.tell(documents.Written(view.id, said), [said])
            return
        if not view.stored:
            raise NotUnderstood(not_here(view))
        opened.do(attachments.want, view.id)
        result, _ = asyncio.run(run_sync(opened, silent=place.as_json))
        output.warn(*result.alarms)
        view = opened.ask(attachments.attachment, view.id)
    if not view.here:
        raise Refused(view.trouble or f"{view.name} has not come yet. The next sync goes on where this one stopped.")
    said = f"{view.name} is here."
    place.tell(documents.Written(view.id, said), [said])


def send(place: Place, which: FileId) -> None:
    """Offer a file to the central store again, where it has lost it or this laptop met trouble with it."""
    with place.opened() as opened:
        view = _find(opened, which)
        opened.do(attachments.offer_again, view.id)
        result, _ = asyncio.run(run_sync(opened, silent=place.as_json))
        output.warn(*result.alarms)
        view = opened.ask(attachments.attachment, view.id)
    if not view.stored or view.trouble:
        raise Refused(view.trouble or f"{view.name} is not on the central store yet. The next sync goes on where this one stopped.")
    said = f"The central store has {view.name}."
    place.tell(documents.Written(view.id, said), [said])


def _find(opened: Open, which: str) -> AttachmentView:
    return opened.ask(attachments.attachment, opened.ask(naming.find_one, Attachment, which, "file"))


def _is_whole(opened: Open, view: AttachmentView) -> bool:
    return opened.vault.files.is_whole(opened.ask(attachments.sealed_file, view.id).digest)


def not_here(view: AttachmentView) -> str:
    """Return why a file cannot be had on this laptop, and what to do about it."""
    if view.trouble:
        return view.trouble
    if view.stored:
        gets = f"“leadworker attachment fetch {sentences.short(view.id)}” gets it."
        return f"{view.name} is on the central store and not on this laptop yet. {gets}"
    if view.by_me:
        return f"The bytes of {view.name} are nowhere but in a backup. “leadworker restore” brings one back; or attach the file again."
    return f"{view.name} is still {view.whereabouts()}: its record came first. It follows by itself when that laptop syncs."
