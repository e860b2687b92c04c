"""Commands of whoever runs a central store for an organisation: serve, bring its database up to date. They open no vault."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leadworker.errors import LeadworkerError
from leadworker.plain.command import command, flag, option
from leadworker.plain.place import Place

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


def register(store: typer.Typer) -> None:
    """Add these commands to those about the central store."""
    command(store, "serve", data=False, vault=False)(serve)
    command(store, "upgrade", vault=False)(upgrade)


def serve(
    place: Place,
    database: Database = "",
    host: Annotated[str, option("--host", "ADDRESS", "Where to listen; without TLS on this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="The port.", min=0, max=65535)] = USUAL_PORT,
    tls_cert: Annotated[Path | None, option("--tls-cert", "FILE", "The certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, option("--tls-key", "FILE", "Its key, PEM.")] = None,
    behind_proxy: Annotated[bool, flag("--behind-proxy", "A proxy in front of it speaks TLS.")] = False,
    new_setup_code: Annotated[bool, flag("--new-setup-code", "Show a fresh set-up code, where nothing is set up yet.")] = False,
) -> None:
    """Run a central store until it is stopped. The first time it shows the set-up code for “leadworker hub init”."""
    with _hub_parts():
        from sync.hub.serve import serve as run

        run(
            _named(database),
            host,
            port,
            certificate=tls_cert,
            key=tls_key,
            behind_proxy=behind_proxy,
            new_setup_code=new_setup_code,
        )


def upgrade(place: Place, database: Database = "") -> None:
    """Bring the central store's database up to this version. Make a backup and stop every process of the store before."""
    with _hub_parts():
        from sync.hub import databases

        before, after = databases.upgrade(_named(database))
    place.tell(Upgraded(before, after), _upgraded(before, after))


def _upgraded(before: str, after: str) -> Iterator[str]:
    if before == after:
        yield f"The central store's database is up to date already, at version {int(after)}. Nothing was changed."
    elif not before:
        yield f"The database was empty. It has the central store's tables now, at version {int(after)}."
    else:
        yield f"The central store's database was brought from version {int(before)} to version {int(after)}. Nothing of it was lost."
        yield "An older leadworker does not read it any more. Start the store again: “leadworker hub serve”."


@contextlib.contextmanager
def _hub_parts() -> Iterator[None]:
    """Use the central store's parts, which a laptop does not need, and say its troubles as a command does."""
    try:
        import sync.hub.serve  # noqa: F401 - whether it can be imported is the question
        from sync.hub.store import HubTrouble
    except ImportError as error:
        raise LeadworkerError(
            "The central store's parts are not installed here. Install leadworker with its “hub” extra: leadworker[hub]. "
            "A laptop does not need them."
        ) from error
    try:
        yield
    except HubTrouble as trouble:
        raise LeadworkerError(trouble.sentence) from trouble


def _named(database: str) -> str:
    """Return the database that was named, in the option or where no other account sees it, or the usual file."""
    return database or os.environ.get(DATABASE_VARIABLE, "") or _usual_database()


def _usual_database() -> str:
    from platformdirs import user_data_path

    path = user_data_path("leadworker-hub", appauthor=False, ensure_exists=True)
    return str(path / "store.db")
