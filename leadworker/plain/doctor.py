"""The command that says whether leadworker has what it needs on this computer. It names nobody and opens no record."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leadworker import __version__, wiring
from leadworker.errors import LeadworkerError
from leadworker.plain import asking
from leadworker.plain.command import command, option
from leadworker.plain.place import Place
from leadworker.words.saying import say_count

FINE, LOOK, UNKNOWN = "fine", "look", "unknown"
LEAST_FREE = 1024**3
EARLIEST_YEAR = 2025
PARTS = ("textual", "sqlmodel", "sqlcipher3", "cryptography", "msgspec", "httpx", "typer")


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at. `state` is ``fine``, ``look`` (somebody should) or ``unknown``."""

    about: str
    state: str
    sentence: str


class Health(msgspec.Struct, frozen=True):
    """Everything that was looked at."""

    findings: tuple[Finding, ...]


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, "doctor")(doctor)


def doctor(
    place: Place,
    hub: Annotated[str, option("--hub", "URL", "Also ask the central store at this address.")] = "",
) -> None:
    """Say whether leadworker has what it needs here.

    Versions, folder, disk, clock, terminal, central store. It needs no passphrase. With a passphrase file
    it also opens the vault, to ask the central store that it belongs to.
    """
    findings = (
        *_program(),
        *_vault(place),
        *_disk(place.folder),
        _clock(datetime.now().astimezone()),
        *_terminal(os.environ),
        *_hub(place, hub),
    )
    place.tell(Health(findings), (_say(finding) for finding in findings))


def _say(finding: Finding) -> str:
    mark = {LOOK: "Look at this: ", UNKNOWN: "Not known: "}.get(finding.state, "")
    return f"{finding.about}: {mark}{finding.sentence}"


def _program() -> Iterator[Finding]:
    yield Finding("leadworker", FINE, f"{__version__}.")
    yield Finding("Python", FINE, f"{platform.python_version()}, {platform.python_implementation()}, {sys.maxsize.bit_length() + 1} bit.")
    yield Finding("System", FINE, f"{platform.system()} {platform.release()}, {platform.machine()}.")
    yield _cipher()
    missing = [name for name in PARTS if _version(name) == ""]
    if missing:
        yield Finding("Parts", LOOK, f"These are not installed: {', '.join(missing)}. Install leadworker again.")
    else:
        yield Finding("Parts", FINE, f"{', '.join(f'{name} {_version(name)}' for name in PARTS)}.")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _cipher() -> Finding:
    from storage.engine import connect, scalar

    try:
        connection = connect(Path(":memory:"), os.urandom(32), must_exist=False)
        spoken = str(scalar(connection, "PRAGMA cipher_version"))
        connection.close()
    except LeadworkerError as error:
        return Finding("SQLCipher", LOOK, f"It does not work here: {error.sentence}")
    return Finding("SQLCipher", FINE, f"{spoken}.")


def _vault(place: Place) -> Iterator[Finding]:
    from storage import opening

    folder = place.folder
    if not opening.exists(folder):
        yield Finding("Vault", LOOK, f"There is none in {folder}. “leadworker init” makes one.")
        return
    yield Finding("Vault", FINE, f"There is one in {folder}.")
    yield _files(folder)
    if _is_writable(folder):
        yield Finding("Vault's folder", FINE, "It can be written to.")
    else:
        yield Finding("Vault's folder", LOOK, "It cannot be written to, so nothing can be saved. Check the disk and its rights.")


def _files(folder: Path) -> Finding:
    from storage.attachment_files import AttachmentFiles

    try:
        sizes = AttachmentFiles(folder).sizes()
    except OSError as error:
        return Finding("Attached files", LOOK, f"Their folder cannot be read: {error.strerror}. “leadworker check” says more.")
    counted = f"{say_count(len(sizes), 'sealed file', 'sealed files')}, {-(-sum(sizes.values()) // 1024**2):,} MB."
    return Finding("Attached files", FINE, counted if sizes else "None are here.")


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _disk(folder: Path) -> Iterator[Finding]:
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path.cwd())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        yield Finding("Disk space", UNKNOWN, f"The disk does not say: {error.strerror}.")
    else:
        room = f"{free // 1024**2:,} MB are free where the vault is."
        yield Finding("Disk space", FINE if free >= LEAST_FREE else LOOK, room)
    yield Finding(
        "Disk encryption",
        UNKNOWN,
        "leadworker cannot tell whether the whole disk is encrypted. The vault is, by itself; what other programs keep is not.",
    )


def _clock(now: datetime) -> Finding:
    said = f"{now:%d %b %Y %H:%M}, {now.tzname() or 'no time zone'}"
    if now.year < EARLIEST_YEAR or now.year > EARLIEST_YEAR + 50:
        return Finding("Clock", LOOK, f"{said}: that cannot be right. Set it before you write.")
    return Finding("Clock", FINE, f"{said}. Only the central store can tell whether it is right.")


def _terminal(environ: Mapping[str, str]) -> Iterator[Finding]:
    if sys.stdin is None or not sys.stdin.isatty() or sys.__stderr__ is None or not sys.__stderr__.isatty():
        yield Finding("Terminal", FINE, "There is none here; commands need none, the screens do.")
    else:
        size = shutil.get_terminal_size()
        small = size.columns < 60 or size.lines < 16
        room = f"{size.columns} columns, {size.lines} lines{'; the screens want at least 60 by 16' if small else ''}."
        yield Finding("Terminal", LOOK if small else FINE, room)
    yield Finding("Colours", FINE, _colours(environ))
    encoding = str(getattr(sys.stdout, "encoding", "") or "unknown")
    if encoding.lower().startswith("utf"):
        yield Finding("Letters", FINE, f"{encoding}.")
    else:
        yield Finding("Letters", LOOK, f"{encoding}: letters that it does not have are shown as question marks; screens draw in ASCII.")


def _colours(environ: Mapping[str, str]) -> str:
    if "NO_COLOR" in environ:
        return "NO_COLOR is set: the screens use the theme for contrast."
    if environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "16 million."
    if "256" in environ.get("TERM", ""):
        return "256."
    return "as few as the terminal says." if environ.get("TERM") else "the terminal says nothing about them."


def _hub(place: Place, named: str) -> Iterator[Finding]:
    address = named
    if not address and place.passphrase_file is not None:
        try:
            with place.opened() as opened:
                joined = asyncio.run(wiring.postbox_of(opened.vault).joined())
            address = joined.hub_url if joined is not None else ""
        except LeadworkerError as error:
            yield Finding("Central store", UNKNOWN, error.sentence)
            return
        if not address:
            yield Finding("Central store", FINE, "This vault is on this laptop only; it belongs to no central store.")
            return
    if not address:
        yield Finding("Central store", UNKNOWN, "Its address is inside the vault. “leadworker hub status” asks it, or --hub URL.")
        return
    try:
        store = asyncio.run(asking.organisation(address))
    except LeadworkerError as error:
        yield Finding("Central store", LOOK, error.sentence)
        return
    yield Finding("Central store", FINE, "It answers.")
    off = abs(datetime.now(UTC).timestamp() * 1000 - store.now_ms) / 60_000
    if off > 1:
        yield Finding("Clock against the central store", LOOK, f"They differ by {off:,.0f} min. Set the one that is wrong.")
