"""The keys that a set-up leaves in people's hands: sealed files that any age program opens, and nothing anywhere else.

The root's key is sealed with one passphrase. The escrow key is sealed three times, for each pair of three officers, with
the passphrase of one inside the passphrase of the other: any two of them open it together, none alone (C.10).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import msgspec

from leadworker.crypto.words import suggest_passphrase
from leadworker.durable import sync_folder
from leadworker.errors import DiskTrouble, LeadworkerError, NotUnderstood, Unsettled
from leadworker.plain import output
from leadworker.text import one_line

OFFICERS = 3
ROOT_FILE = "root-key.age"

Seal = Callable[[bytes, str], bytes]


class Passphrases(msgspec.Struct, frozen=True):
    """One for the root's file, one for each officer. Shown once."""

    root: str
    officers: tuple[str, ...]


class KeyFile(msgspec.Struct, frozen=True):
    """A sealed file by its name, and its content as text."""

    name: str
    text: str


def sealer() -> Seal:
    """Return what seals bytes with a passphrase as armoured age text; raise `LeadworkerError` where it is not installed."""
    try:
        passphrase = importlib.import_module("pyrage").passphrase
    except ImportError as error:
        raise LeadworkerError(
            "The part that seals key files, pyrage, is not installed. Install leadworker again, with everything that it "
            "needs. Nothing was changed."
        ) from error

    def seal(plain: bytes, secret: str) -> bytes:
        return bytes(passphrase.encrypt(plain, secret, armored=True))

    return seal


def choose_passphrases() -> Passphrases:
    """Return fresh passphrases for the root and for each officer."""
    return Passphrases(suggest_passphrase(), tuple(suggest_passphrase() for _ in range(OFFICERS)))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let no Ctrl+C and no closed window in between an organisation's founding and the writing of its keys."""
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        names = []  # only the main thread is interrupted
    before = {name: signal.signal(getattr(signal, name), signal.SIG_IGN) for name in names}
    try:
        yield
    finally:
        for name, then in before.items():
            signal.signal(getattr(signal, name), then)


def prepare_folder(folder: Path, seal: Seal, names: tuple[str, ...] = ()) -> None:
    """Make sure before anything is done that keys can be sealed and written; raise `NotUnderstood` or `DiskTrouble`.

    `names` are the files that will be; all of a set-up's, if none are named.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = [name for name in names or file_names() if (folder / name).exists()]
        if taken:
            raise NotUnderstood(f"There is a file {taken[0]} in {folder} already. Name another folder. Nothing was changed.")
        _write(folder / "trial.age", seal(b"trial", suggest_passphrase()).decode())
        (folder / "trial.age").unlink()
    except OSError as error:
        raise DiskTrouble(f"The folder {folder} cannot be written to: {error.strerror}. Nothing was changed.") from error


def file_names() -> tuple[str, ...]:
    """Return the names of all files that a set-up leaves."""
    return (ROOT_FILE, *escrow_names())


def escrow_names() -> tuple[str, ...]:
    """Return the names of the escrow key's files, one for each pair of officers."""
    pairs = combinations(range(1, OFFICERS + 1), 2)
    return tuple(f"escrow-key-officers-{first}-and-{second}.age" for first, second in pairs)


def seal_keys(seal: Seal, chosen: Passphrases, organisation: str, fingerprint: bytes, root: bytes, escrow: bytes) -> tuple[KeyFile, ...]:
    """Return the sealed files. `root` and `escrow` are the private keys, 32 bytes each."""
    first = seal_root(seal, chosen.root, organisation, fingerprint, root)
    return (first, *seal_escrow(seal, chosen.officers, organisation, fingerprint, escrow))


def seal_root(seal: Seal, passphrase: str, organisation: str, fingerprint: bytes, root: bytes) -> KeyFile:
    """Return the root's sealed file. `fingerprint` is its own."""
    text = f"leadworker root signing key (Ed25519)\n{_whose(organisation, fingerprint)}Key: {root.hex()}\n"
    return KeyFile(ROOT_FILE, seal(text.encode(), passphrase).decode())


def seal_escrow(seal: Seal, officers: tuple[str, ...], organisation: str, fingerprint: bytes, escrow: bytes) -> tuple[KeyFile, ...]:
    """Return the escrow key's sealed files. `fingerprint` is that of the root of the organisation's founding."""
    plain = f"leadworker escrow private key (X25519)\n{_whose(organisation, fingerprint)}Key: {escrow.hex()}\n".encode()
    pairs = zip(escrow_names(), combinations(officers, 2), strict=True)
    return tuple(KeyFile(name, seal(seal(plain, second), first).decode()) for name, (first, second) in pairs)


def _whose(organisation: str, fingerprint: bytes) -> str:
    return f"{one_line(organisation)}\nRoot fingerprint: {fingerprint.hex()}\n"


@contextlib.contextmanager
def written(folder: Path, files: tuple[KeyFile, ...]) -> Iterator[None]:
    """Write the files for a block; when it fails they are taken away again. Raises `DiskTrouble`.

    They stay where it is not known whether their key is in force: it would be a key that nobody has.
    """
    are_written = False
    try:
        for file in files:
            _write(folder / file.name, file.text)
        sync_folder(folder)
        are_written = True
        yield
    except Unsettled:
        raise
    except BaseException as error:  # raised again: key files of a set-up that did not happen are taken away
        for file in files:
            with contextlib.suppress(OSError):
                (folder / file.name).unlink(missing_ok=True)
        if are_written:
            output.warn("The key files were taken away again. Passphrases that were shown with them open nothing.")
        if isinstance(error, OSError):
            raise DiskTrouble(f"The key files could not be written: {error.strerror}. Nothing was changed.") from error
        raise


def _write(path: Path, text: str) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "w", encoding="ascii", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
