"""Commands about the keys in people's hands: another escrow key, another root, and a root that was lost (C.3, C.10)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer

from leadworker.crypto.identity import Identity
from leadworker.errors import NotFound, NotUnderstood
from leadworker.plain import age_files, asking, ceremony, key_files, output, secret
from leadworker.plain.command import command, group, option
from leadworker.plain.place import Open, Place

T = TypeVar("T")

KeysFolder = Annotated[Path, option("--keys-folder", "DIR", "Where the sealed key files go; best a stick that is then taken out.")]
RootFile = Annotated[Path, typer.Option("--root-file", metavar="FILE", help="The root's key file, as a set-up left it.")]
RootPassphrase = Annotated[
    Path | None, typer.Option("--root-passphrase-file", metavar="FILE", help="The root's passphrase; else it is asked for.")
]


class KeysMade(msgspec.Struct, frozen=True):
    """Key files that were written, and their passphrases, shown this once: the root's, or each officer's."""

    files: tuple[str, ...]
    passphrases: tuple[str, ...]
    fingerprint: str
    """The root's: the new one where it is its key, else that of the organisation's founding."""
    escrow_fingerprint: str = ""


class RootAsked(msgspec.Struct, frozen=True):
    """A request for a new root that a second administrator has to witness, and the new root's key file."""

    request: str
    keys: KeysMade


class RootStands(msgspec.Struct, frozen=True):
    """The fingerprint of the root as it is now."""

    fingerprint: str


class KeysInForce(msgspec.Struct, frozen=True):
    """The fingerprints of the root and the escrow key that hold, as far as this laptop has synced."""

    root: str
    escrow: str


class RootWitnessed(msgspec.Struct, frozen=True):
    """Where the second administrator's signature was written."""

    file: str


def register(app: typer.Typer) -> None:
    """Add these commands."""
    keys = group(app, "keys", "The keys in people's hands: escrow and the root.")
    command(keys, "in-force")(in_force)
    command(keys, "new-escrow")(new_escrow)
    command(keys, "new-root")(new_root)
    command(keys, "ask-root")(ask_root)
    command(keys, "witness-root")(witness_root)
    command(keys, "confirm-root")(confirm_root)


def in_force(place: Place) -> None:
    """Say which root and which escrow key hold, by their fingerprints, as far as this laptop has synced."""
    from leadworker.statements import escrow_id, root_id
    from leadworker.wiring import postbox_of

    with place.opened() as opened:
        asyncio.run(asking.joined_of(opened))
        directory = asyncio.run(postbox_of(opened.vault).directory())
    if directory is None:
        raise NotFound("This vault waits to be let in, and knows no keys of the organisation yet. “leadworker sync” asks.")
    stands = KeysInForce(root_id(directory.root).hex(), escrow_id(directory.escrow).hex())
    place.tell(stands, [f"Fingerprint of the root in force: {stands.root}", f"Fingerprint of the escrow key in force: {stands.escrow}"])


def new_escrow(place: Place, root_file: RootFile, keys_folder: KeysFolder = Path(), root_passphrase: RootPassphrase = None) -> None:
    """Make another escrow key for the three officers, signed by the root.

    Casebooks get a new key for it as their leads sync. The old officers' files still open what was written before.
    """
    from leadworker.statements import escrow_id
    from sync import root_keys

    seal = ceremony.sealer()
    ceremony.prepare_folder(keys_folder, seal, ceremony.escrow_names())
    root = key_files.open_root(root_file, key_files.root_passphrase(root_passphrase))
    escrow, chosen = Identity.new(), ceremony.choose_passphrases()
    with place.opened() as opened, ceremony.undisturbed():
        asking.at_store(opened, lambda box, client: root_keys.check_root(box, client, root))
        joined = asyncio.run(asking.joined_of(opened))
        output.warn("Sealing the keys takes a few seconds …")
        files = ceremony.seal_escrow(seal, chosen.officers, joined.name, joined.root, escrow.private_bytes()[1])
        names = tuple(str(keys_folder / file.name) for file in files)
        made = KeysMade(names, chosen.officers, joined.root.hex(), escrow_id(escrow.unsealing_public).hex())
        with ceremony.written(keys_folder, files):
            place.hand_over(made, _escrow_words(made))
            asking.at_store(opened, lambda box, client: root_keys.renew_escrow(box, client, root, escrow.unsealing_public))
    output.warn("The escrow key is in force. Casebooks follow as their leads sync.")


def _escrow_words(made: KeysMade) -> list[str]:
    said = ["The new escrow key files, each sealed with age:", *(f"  {file}" for file in made.files)]
    said += [f"Passphrase of officer {number}: {words}" for number, words in enumerate(made.passphrases, start=1)]
    said.append(f"Fingerprint of the new escrow key: {made.escrow_fingerprint}")
    return [*said, "These passphrases are shown this once. Keep the old officers' files: they open what was written before."]


def new_root(place: Place, root_file: RootFile, keys_folder: KeysFolder = Path(), root_passphrase: RootPassphrase = None) -> None:
    """Replace the root's key, signed by the old one: when its file or its passphrase may be in somebody else's hands."""
    from sync import root_keys

    seal = ceremony.sealer()
    ceremony.prepare_folder(keys_folder, seal, (ceremony.ROOT_FILE,))
    old = key_files.open_root(root_file, key_files.root_passphrase(root_passphrase))
    with place.opened() as opened, ceremony.undisturbed():
        asking.at_store(opened, lambda box, client: root_keys.check_root(box, client, old))
        made, new, files = _new_root(opened, keys_folder, seal)
        with ceremony.written(keys_folder, files):
            place.hand_over(made, _root_words(made))
            asking.at_store(opened, lambda box, client: root_keys.renew_root(box, client, old, new.signing_public))
    output.warn("The new root is in force, and the old one speaks no more.")


def ask_root(
    place: Place,
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="The file for the second administrator.")],
    keys_folder: KeysFolder = Path(),
) -> None:
    """Begin to replace a root that was lost: make a new one, and a request for a second administrator to witness."""
    from sync import root_keys

    seal = ceremony.sealer()
    ceremony.prepare_folder(keys_folder, seal, (ceremony.ROOT_FILE,))
    with place.opened() as opened, ceremony.undisturbed():
        made, new, files = _new_root(opened, keys_folder, seal)
        asked = asking.at_store(opened, lambda box, client: root_keys.ask_for_root(box, client, new.signing_public))
        with ceremony.written(keys_folder, files):
            age_files.write_new(request, msgspec.json.encode(asked) + b"\n")
            place.hand_over(RootAsked(str(request), made), [*_root_words(made), f"Take {request} to another administrator:", _WITNESS])


_WITNESS = "  “leadworker keys witness-root REQUEST FILE” on their laptop, then “leadworker keys confirm-root FILE” here."


def witness_root(
    place: Place,
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="What the first administrator wrote.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where your signature goes, for the first administrator.")],
) -> None:
    """Witness another administrator's request for a new root. Do it only when you know that the old one is lost."""
    from sync import root_keys

    with place.opened() as opened:
        asked = _read(request, root_keys.RootRequest)
        witnessed = asking.at_store(opened, lambda box, client: root_keys.witness(box, client, asked))
        age_files.write_new(file, msgspec.json.encode(witnessed) + b"\n")
    place.tell(RootWitnessed(str(file)), [f"Your signature is in {file}. Take it back to the administrator who asked."])


def confirm_root(place: Place, file: Annotated[Path, typer.Argument(metavar="FILE", help="What the second administrator wrote.")]) -> None:
    """Replace a lost root, with a second administrator's signature."""
    from leadworker.statements import root_id
    from sync import root_keys

    with place.opened() as opened:
        witnessed = _read(file, root_keys.Witnessed)
        asking.at_store(opened, lambda box, client: root_keys.confirm_root(box, client, witnessed))
    fingerprint = root_id(bytes.fromhex(witnessed.request.new_root)).hex()
    place.tell(RootStands(fingerprint), [f"The new root is in force. Its fingerprint: {fingerprint}. Nothing of any casebook has changed."])


def _new_root(opened: Open, folder: Path, seal: ceremony.Seal) -> tuple[KeysMade, Identity, tuple[ceremony.KeyFile, ...]]:
    from leadworker.crypto.words import suggest_passphrase
    from leadworker.statements import root_id

    joined = asyncio.run(asking.joined_of(opened))
    new, words = Identity.new(), suggest_passphrase()
    output.warn("Sealing the key takes a few seconds …")
    fingerprint = root_id(new.signing_public)
    files = (ceremony.seal_root(seal, words, joined.name, fingerprint, new.private_bytes()[0]),)
    return KeysMade(tuple(str(folder / file.name) for file in files), (words,), fingerprint.hex()), new, files


def _root_words(made: KeysMade) -> list[str]:
    return [
        f"The new root's key file: {made.files[0]}", f"Its passphrase, shown this once: {made.passphrases[0]}",
        f"Its fingerprint: {made.fingerprint}", "Keep file and passphrase in two places. Invites go on as before.",
    ]  # fmt: skip


def _read(file: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(secret.whole_text(file, "The file"), type=kind)
    except msgspec.DecodeError as error:
        raise NotUnderstood("The file is damaged, or no file of this kind. Nothing was changed. Have it written again.") from error
