"""The command for a house without a network: by USB stick to the central store and back (docs/decisions/0025)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leadworker import drives
from leadworker.desk import Carried
from leadworker.errors import NotUnderstood, PostError
from leadworker.plain import asking
from leadworker.plain.command import command
from leadworker.plain.place import Open, Place
from leadworker.plain.post import progress_of

Folder = Annotated[Path | None, typer.Argument(metavar="FOLDER", help="The stick's folder; left out, the one that is plugged in.")]


class StickVisited(msgspec.Struct, frozen=True):
    """What a visit to a stick did. `written` is null where no file was written; `left` are files of others that wait on it."""

    folder: str
    received: int
    confirmed: int
    carried_for: tuple[str, ...]
    written: int | None
    left: int
    alarms: tuple[str, ...]


def register(app: typer.Typer) -> None:
    """Add this command."""
    command(app, "stick")(stick)


def stick(place: Place, folder: Folder = None) -> None:
    """Send and receive by USB stick, for a house without a network.

    Without a network it writes what waits here, sealed for colleagues' laptops. On a laptop with a network it carries what
    colleagues wrote, and leaves the answer on the stick. Back here it reads the answer. Exit code 1 when something does not hold.
    """
    where = (folder or _plugged_in()).expanduser().absolute()
    with place.opened() as opened:
        done = _visit(opened, where, silent=place.as_json)
    document = StickVisited(str(where), done.received, done.confirmed, done.carried, done.written, done.left, done.alarms)
    place.tell(document, done.sentences())
    if done.alarms:
        raise PostError(" ".join(done.alarms))


def _plugged_in() -> Path:
    found = drives.plugged_in()
    if len(found) == 1:
        return found[0]
    names = ", ".join(str(path) for path in found)
    said = f"More than one is plugged in: {names}." if found else "No stick was found."
    raise NotUnderstood(f"{said} Name its folder: leadworker stick FOLDER. Nothing was changed.")


def _visit(opened: Open, folder: Path, *, silent: bool) -> Carried:
    from sync.stick import Visit

    tell = progress_of({"reading": "Read", "carrying": "Carried", "fetching to carry": "Fetched"}, silent=silent)
    return asking.at_store(opened, lambda box, client: Visit(box, client, opened.vault.clock, folder, opened.desk.ring, tell).run())
