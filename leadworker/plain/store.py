"""Commands about the central store: set an organisation up at one, ask one. `hosting` has those of whoever runs one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from leadworker.domain import colleagues
from leadworker.errors import NotUnderstood
from leadworker.plain import asking, ceremony, hosting, output, recovery, secret
from leadworker.plain.ceremony import KeyFile, Passphrases
from leadworker.plain.command import command, group, option
from leadworker.plain.place import Open, Place
from leadworker.plain.post import HubAddress, RoleNamed, Team

if TYPE_CHECKING:
    from leadworker.statements import Role
    from sync.joining import Prepared
    from sync.wire import Organisation


class SetUp(msgspec.Struct, frozen=True):
    """An organisation that was set up, and the keys that are now in people's hands. Passphrases are shown this once."""

    organisation: str
    hub: str
    root_fingerprint: str
    files: tuple[str, ...]
    root_passphrase: str
    officer_passphrases: tuple[str, ...]


class StoreState(msgspec.Struct, frozen=True):
    """What a central store says of itself to anybody. `clock_ms` is how far its clock is ahead of this one."""

    hub: str
    protocol: int
    store_key: str
    organisation: str
    clock_ms: int


def register(app: typer.Typer) -> None:
    """Add these commands."""
    store = group(app, "hub", "The central store: set up, run, ask.")
    command(store, "init")(init)
    hosting.register(store)
    command(store, "status")(status)
    recovery.register(store)


def init(
    place: Place,
    hub: HubAddress,
    organisation: Annotated[str, option("--organisation", "NAME", "The organisation's name; the central store cannot read it.")],
    team: Team,
    role: RoleNamed = "supervisor",
    setup_code_file: Annotated[str, option("--setup-code-file", "FILE", "A file with the store's set-up code; else it is asked for.")] = "",
    keys_folder: Annotated[
        Path, option("--keys-folder", "DIR", "Where the sealed key files go; best a stick that is then taken out.")
    ] = Path(),
) -> None:
    """Set an organisation up at an empty central store, with you as its first administrator.

    Writes the root's key and the escrow key as sealed files. Any two of three officers open the escrow key together.
    """
    wanted, seal = colleagues.role_named(role), ceremony.sealer()
    ceremony.prepare_folder(keys_folder, seal)
    code = _code(setup_code_file)
    chosen = ceremony.choose_passphrases()
    with place.opened() as opened, ceremony.undisturbed():
        prepared = asyncio.run(_prepare(opened, hub, organisation, wanted, team))
        output.warn("Sealing the organisation's keys takes a few seconds …")
        made = prepared.ceremony
        files = ceremony.seal_keys(seal, chosen, made.name, made.root_fingerprint, made.root_signing, made.escrow_private)
        names = tuple(str(keys_folder / file.name) for file in files)
        document = SetUp(made.name, hub, made.root_fingerprint.hex(), names, chosen.root, chosen.officers)
        with ceremony.written(keys_folder, files):  # taken away again when the organisation is not founded
            place.hand_over(document, _set_up_words(document, chosen, files))
            asyncio.run(_found(opened, hub, code, prepared))
    output.warn(f"{made.name} is set up at {hub}. You are its first administrator.")


def _code(file: str) -> str:
    if file:
        code = secret.whole_text(Path(file).expanduser(), "The file with the set-up code").strip()
    else:
        code = secret.ask("Set-up code, as the central store showed it: ", "--setup-code-file").strip()
    if not code:  # before keys are made and shown that would be for nothing
        raise NotUnderstood("There is no set-up code. The central store shows it when it first starts. Nothing was set up.")
    return code


async def _prepare(opened: Open, hub: str, organisation: str, role: Role, team: str) -> Prepared:
    from sync import joining

    async with asking.connected(opened, hub) as (box, client):
        return await joining.prepare(box, client, organisation, opened.me, role=role, team=team)


async def _found(opened: Open, hub: str, code: str, prepared: Prepared) -> None:
    from sync import joining

    async with asking.connected(opened, hub) as (box, client):
        await joining.found(box, client, code, prepared)


def _set_up_words(made: SetUp, chosen: Passphrases, files: tuple[KeyFile, ...]) -> Iterator[str]:
    yield f"The keys of {made.organisation}, to be set up at {made.hub}."
    yield f"Fingerprint of its root: {made.root_fingerprint}"
    yield "The key files, each sealed with age:"
    for file in files:
        yield f"  {file.name}"
    yield f"Passphrase of {ceremony.ROOT_FILE}: {chosen.root}"
    for number, words in enumerate(chosen.officers, start=1):
        yield f"Passphrase of officer {number}: {words}"
    yield "These passphrases are shown this once and kept nowhere. Now, with the people in the room:"
    yield "  1. Write each officer's passphrase on its own paper and give it to that officer only. The root's goes into a safe."
    yield "  2. Copy the files on to sticks, or print them; keep the root's file apart, in another place than its passphrase."
    yield "  3. An escrow file opens with two passphrases, one after the other: age -d FILE | age -d; first the lower number's."
    yield "  4. Take the files away from this computer. It does not need them."
    yield "“leadworker invite NAME --team TEAM” invites the first colleague. Make a second one an administrator with --admin."


def status(place: Place, hub: Annotated[str, option("--hub", "URL", "Its address; else the one that this vault belongs to.")] = "") -> None:
    """Ask the central store whether it answers and whether an organisation is set up at it."""
    address = hub
    if not address:
        with place.opened() as opened:
            address = asyncio.run(asking.joined_of(opened)).hub_url
    store = asyncio.run(asking.organisation(address))
    ahead = store.now_ms - int(datetime.now(UTC).timestamp() * 1000)
    document = StoreState(address, store.protocol, store.hub.hex(), store.book.hex(), ahead)
    place.tell(document, _state(document, store))


def _state(document: StoreState, store: Organisation) -> Iterator[str]:
    yield f"The central store at {document.hub} answers, in version {document.protocol} of the protocol."
    yield (
        "It serves an organisation."
        if store.founding is not None
        else "No organisation is set up at it yet: “leadworker hub init” does that."
    )
    if abs(document.clock_ms) > 60_000:
        yield f"Its clock and this one differ by {abs(document.clock_ms) // 60_000:,} min. Set the one that is wrong."
