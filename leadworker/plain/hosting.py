"""Commands of whoever runs a central store for an organisation: serve, keep its database in order. They open no vault."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leadworker.errors import LeadworkerError, NotUnderstood
from leadworker.plain.command import argument, command, flag, option
from leadworker.plain.place import Place
from leadworker.words.saying import say_count

DATABASE_VARIABLE = "LEADWORKER_HUB_DATABASE"
USUAL_PORT = 8470

Database = Annotated[
    str,
    option(
        "--database",
        "DATABASE",
        f"A file, or a postgresql:// address; also in {DATABASE_VARIABLE}, where no other account sees it.",
    ),
]


class Upgraded(msgspec.Struct, frozen=True):
    """The versions of a store's database before and after it was brought up to date; `before` is empty for a new one."""

    before: str
    after: str


class StoreBackedUp(msgspec.Struct, frozen=True):
    """A copy of a store's database that was written, and its size in bytes."""

    file: str
    bytes: int


class LeftAlone(msgspec.Struct, frozen=True):
    """A casebook that nobody decides about any more, by its id, and how many laptops still read it."""

    casebook: str
    laptops: int


class CasebooksLeftAlone(msgspec.Struct, frozen=True):
    """Casebooks of which none who decides has a laptop in the organisation."""

    casebooks: tuple[LeftAlone, ...]


class CasebookCopied(msgspec.Struct, frozen=True):
    """A casebook that was written out of the database, sealed. `begun` and `damaged` count files that are not in it."""

    file: str
    bytes: int
    changes: int
    files: int
    begun: int
    damaged: int


class Allowed(msgspec.Struct, frozen=True):
    """What a store allows: requests a second for ever and at once after a pause, and bytes kept."""

    laptop_per_second: float
    laptop_at_once: int
    address_per_second: float
    address_at_once: int
    laptop_bytes: int
    casebook_bytes: int


def register(store: typer.Typer) -> None:
    """Add these commands to those about the central store."""
    command(store, "serve", data=False, vault=False)(serve)
    command(store, "upgrade", vault=False)(upgrade)
    command(store, "backup", vault=False)(backup)
    command(store, "allowance", vault=False)(allowance)
    command(store, "sealed-copy", vault=False)(sealed_copy)
    command(store, "nobody-decides", vault=False)(nobody_decides)


def serve(
    place: Place,
    database: Database = "",
    host: Annotated[str, option("--host", "ADDRESS", "Where to listen; without TLS on this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="The port.", min=0, max=65535)] = USUAL_PORT,
    tls_cert: Annotated[Path | None, option("--tls-cert", "FILE", "The certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, option("--tls-key", "FILE", "Its key, PEM.")] = None,
    behind_proxy: Annotated[bool, flag("--behind-proxy", "A proxy in front of it speaks TLS.")] = False,
    new_setup_code: Annotated[bool, flag("--new-setup-code", "Show a fresh set-up code, where nothing is set up yet.")] = False,
    processes: Annotated[int, typer.Option("--processes", metavar="N", help="How many processes serve, on PostgreSQL.", min=1)] = 1,
    metrics_port: Annotated[
        int, typer.Option("--metrics-port", metavar="PORT", help="Figures for Prometheus; one port up for each process.", min=0, max=65535)
    ] = 0,
    metrics_host: Annotated[str, option("--metrics-host", "ADDRESS", "Where the figures are shown.")] = "127.0.0.1",
) -> None:
    """Run a central store until it is stopped. The first time it shows the set-up code for “leadworker hub init”."""
    with hub_parts():
        from sync.hub.serve import serve as run

        run(
            named(database),
            host,
            port,
            certificate=tls_cert,
            key=tls_key,
            behind_proxy=behind_proxy,
            new_setup_code=new_setup_code,
            count=processes,
            metrics_host=metrics_host,
            metrics_port=metrics_port,
        )


def upgrade(place: Place, database: Database = "") -> None:
    """Bring the central store's database up to this version. Make a backup and stop every process of the store before."""
    with hub_parts():
        from sync.hub import databases

        before, after = databases.upgrade(named(database))
    place.tell(Upgraded(before, after), _upgraded(before, after))


def backup(
    place: Place, file: Annotated[Path, argument("FILE", "Where the copy goes; there must be no such file yet.")], database: Database = ""
) -> None:
    """Copy the central store's SQLite file while it serves. It holds the store's own key: keep it as safe as the store."""
    with hub_parts():
        from sync.hub.backup import back_up

        size = back_up(named(database), file)
    place.tell(
        StoreBackedUp(str(file), size),
        (f"The central store was copied to {file} ({size:,} bytes). The copy was read through and is whole.",),
    )


def sealed_copy(
    place: Place,
    casebook: Annotated[str, argument("CASEBOOK", "The casebook's id, 32 hexadecimal digits.")],
    file: Annotated[Path, argument("FILE", "Where it goes; there must be no such file yet.")],
    database: Database = "",
) -> None:
    """Write one casebook out of the database with its files, sealed as it all is, for the officers of escrow.

    For when nobody is left who reads it. “leadworker escrow open” opens it, with two officers.
    """
    if not re.fullmatch(r"[0-9a-f]{32}", casebook):
        raise NotUnderstood("The id of a casebook is 32 hexadecimal digits. Nothing was written.")
    with hub_parts():
        from sync.hub.sealed_copy import write_copy

        copied = write_copy(named(database), bytes.fromhex(casebook), file)
    document = CasebookCopied(str(file), *copied)
    place.tell(document, _copied(document))


def _copied(said: CasebookCopied) -> Iterator[str]:
    holds = f"{say_count(said.changes, 'change', 'changes')} and {say_count(said.files, 'attached file', 'attached files')}"
    yield f"The casebook was written to {said.file}, sealed ({said.bytes:,} bytes): {holds}."
    if said.begun:
        yield (
            f"{say_count(said.begun, 'file is', 'files are')} not in it: a laptop has not sent the whole yet. Write it again once "
            "that laptop has synced."
        )
    if said.damaged:
        yield (
            f"{say_count(said.damaged, 'file is', 'files are')} not in it: the database does not hold what was sent. Everything else "
            "is in the copy. A backup of the database may hold the rest, and so may a laptop that fetched it."
        )


def nobody_decides(place: Place, database: Database = "") -> None:
    """List the casebooks of which nobody who decides has a laptop any more. Escrow is the way on: docs/drills.md."""
    with hub_parts():
        from sync.hub.deciders import left_alone

        found = left_alone(named(database))
    document = CasebooksLeftAlone(tuple(LeftAlone(one.book.hex(), one.readers) for one in found))
    place.tell(document, _left_alone(document))


def _left_alone(document: CasebooksLeftAlone) -> Iterator[str]:
    if not document.casebooks:
        yield "Every casebook has somebody who decides about it, with a laptop in the organisation."
        return
    yield "Nobody who decides about these casebooks has a laptop any more, so nobody can be let into them."
    yield "The drill “nobody is left to decide” says what to do."
    for one in document.casebooks:
        reads = f"{say_count(one.laptops, 'laptop', 'laptops')} still {'reads' if one.laptops == 1 else 'read'} it"
        yield f"  {one.casebook}: {reads if one.laptops else 'no laptop reads it any more'}."


def _upgraded(before: str, after: str) -> Iterator[str]:
    if before == after:
        yield f"The central store's database is up to date already, at version {int(after)}. Nothing was changed."
    elif not before:
        yield f"The database was empty. It has the central store's tables now, at version {int(after)}."
    else:
        yield f"The central store's database was brought from version {int(before)} to version {int(after)}. Nothing of it was lost."
        yield "An older leadworker does not read it any more. Start the store again: “leadworker hub serve”."


def allowance(
    place: Place,
    database: Database = "",
    laptop_per_second: Annotated[float | None, option("--laptop-per-second", "N", "Requests a second of one laptop.")] = None,
    laptop_at_once: Annotated[int | None, option("--laptop-at-once", "N", "Requests of one laptop after a pause.")] = None,
    address_per_second: Annotated[float | None, option("--address-per-second", "N", "Unsigned requests a second of one address.")] = None,
    address_at_once: Annotated[int | None, option("--address-at-once", "N", "Unsigned requests of one address after a pause.")] = None,
    laptop_bytes: Annotated[str, option("--laptop-bytes", "SIZE", "What is kept of one laptop, such as 10GiB.")] = "",
    casebook_bytes: Annotated[str, option("--casebook-bytes", "SIZE", "What is kept of one casebook, such as 10GiB.")] = "",
) -> None:
    """Show how much one laptop, one address and one casebook may use, or change it. A store that runs follows within seconds."""
    wanted = {
        "device_per_second": laptop_per_second,
        "device_at_once": laptop_at_once,
        "address_per_second": address_per_second,
        "address_at_once": address_at_once,
        "device_bytes": _bytes(laptop_bytes) if laptop_bytes else None,
        "book_bytes": _bytes(casebook_bytes) if casebook_bytes else None,
    }
    with hub_parts():
        from sync.hub import databases

        now = databases.change_allowance(named(database), **{name: value for name, value in wanted.items() if value is not None})
    document = Allowed(
        now.device_per_second, now.device_at_once, now.address_per_second, now.address_at_once, now.device_bytes, now.book_bytes
    )
    place.tell(document, _allowed(document))


def _allowed(now: Allowed) -> Iterator[str]:
    yield f"One laptop: {now.laptop_at_once:,} requests at once, then {now.laptop_per_second:g} a second, for each process of the store."
    yield f"One address, without a signature: {now.address_at_once:,} at once, then {now.address_per_second:g} a second."
    yield f"Kept of one laptop: {now.laptop_bytes / 1024**3:,.4g} GiB. Kept of one casebook: {now.casebook_bytes / 1024**3:,.4g} GiB."


def _bytes(text: str) -> int:
    """Read a size such as ``10GiB``, ``500 MB`` or ``1048576``, in bytes."""
    match = re.fullmatch(r"\s*(\d{1,15})\s*(?:([KMGT])i?)?B?\s*", text, re.IGNORECASE)
    if match is None:
        raise NotUnderstood("A size is a number with a unit, such as 10GiB or 500MB. Nothing was changed.")
    times = " KMGT".index(match[2].upper()) if match[2] else 0
    return int(match[1]) << 10 * times


@contextlib.contextmanager
def hub_parts() -> Iterator[None]:
    """Use the central store's parts, which a laptop does not need, and say its troubles as a command does."""
    try:
        import sync.hub.serve  # noqa: F401 - whether it can be imported is the question
        from sync.hub.store import HubTrouble, StoreAway
    except ImportError as error:
        raise LeadworkerError(
            "The central store's parts are not installed here. Install leadworker with its “hub” extra: leadworker[hub]. "
            "A laptop does not need them."
        ) from error
    try:
        yield
    except HubTrouble as trouble:
        raise LeadworkerError(trouble.sentence) from trouble
    except StoreAway as away:
        raise LeadworkerError(away.in_words().sentence) from away


def named(database: str) -> str:
    """Return the database that was named, in the option or where no other account sees it, or the usual file."""
    return database or os.environ.get(DATABASE_VARIABLE, "") or _usual_database()


def _usual_database() -> str:
    from platformdirs import user_data_path

    path = user_data_path("leadworker-hub", appauthor=False, ensure_exists=True)
    return str(path / "store.db")
