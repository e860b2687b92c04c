"""Bundles for a named outsider: a ZIP file inside an age file, which programs of any kind open in ten years' time (C.12).

Inside: ``manifest.json`` (what it is, for whom, why, and the SHA-256 of each part), ``manifest.sig`` (who made it, where a
device did), ``case.txt`` for people and ``case.jsonl`` for programs. The manifest names the recipient, and stands inside the
encryption, so that nobody can pass the file on as if it had been made for somebody else.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from leadworker.errors import DiskTrouble, LeadworkerError, NotUnderstood
from leadworker.plain.case_text import Told, as_json, lines
from leadworker.text import one_line

Sign = Callable[[bytes], tuple[str, str]]
"""Signs the manifest's bytes; returns the device's public signing key and the signature, as hexadecimal digits."""


class Recipient(msgspec.Struct, frozen=True):
    """For whom a bundle is sealed: to an age recipient (``age1…``), or with a passphrase. `name` is what people call them."""

    name: str
    age: str = ""
    passphrase: str = ""


class Bundle(msgspec.Struct, frozen=True):
    """What goes into a bundle: a heading, why it is given, where the book stood, and its changes in order."""

    heading: str
    reason: str
    book: str
    n: int
    digest: str
    changes: tuple[Told, ...]
    unread: int = 0


def seal(bundle: Bundle, to: Recipient, made: str, sign: Sign | None) -> bytes:
    """Return the age file. `made` is when, ISO 8601; without `sign` the manifest says that no device vouches for it."""
    told = list(bundle.changes)
    parts = {
        "case.txt": "\n".join([bundle.heading, f"For {to.name}. {bundle.reason}", "", *lines(told)]).encode(),
        "case.jsonl": b"".join(json.dumps(as_json(one), ensure_ascii=False).encode() + b"\n" for one in told),
    }
    manifest = {
        "format": "bundle of a casebook, version 1", "made": made, "for": to.name, "recipient": to.age or "a passphrase",
        "reason": bundle.reason,
        "book": bundle.book, "number": bundle.n, "digest": bundle.digest, "changes": [one.id for one in told],
        "could_not_be_read": bundle.unread, "parts": {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()},
    }  # fmt: skip
    written = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    files = {"manifest.json": written, **parts}
    if sign is not None:
        key, signature = sign(written)
        files["manifest.sig"] = json.dumps({"signing_key": key, "signature": signature}).encode()
    return _sealed(_zipped(files), to)


def recipient_of(name: str, to: str) -> tuple[Recipient, str]:
    """Return for whom, and the passphrase that was made up where no recipient was named."""
    if to:
        return Recipient(name, age=to), ""
    from leadworker.crypto.words import suggest_passphrase

    words = suggest_passphrase()
    return Recipient(name, passphrase=words), words


def check_recipient(to: Recipient) -> None:
    """Raise `NotUnderstood` before anything is gathered when nothing can be sealed for this recipient."""
    if not one_line(to.name):
        raise NotUnderstood("A bundle is for somebody: say who with --for. Nothing was written.")
    _sealed(b"trial", to)


def _zipped(files: dict[str, bytes]) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # when it was made stands in the manifest
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return into.getvalue()


def _sealed(plain: bytes, to: Recipient) -> bytes:
    age = _age()
    if to.passphrase:
        return bytes(age.passphrase.encrypt(plain, to.passphrase))
    try:
        recipient = age.x25519.Recipient.from_str(to.age.strip())
    except Exception as error:
        raise NotUnderstood(
            "This is no age recipient: it begins with age1 and has 62 letters. Ask for it again; nothing was written."
        ) from error
    return bytes(age.encrypt(plain, [recipient]))


def write_new(file: Path, content: bytes) -> None:
    """Write a file that is not there yet, for its owner alone; raise `DiskTrouble` and leave nothing behind."""
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise NotUnderstood(f"There is a file {file} already. Name another one; nothing was written.") from error
    except OSError as error:
        raise DiskTrouble(f"The file {file} could not be written: {error.strerror}. Nothing was written.") from error
    try:
        with os.fdopen(opened, "wb") as into:
            into.write(content)
            into.flush()
            os.fsync(into.fileno())
    except OSError as error:
        file.unlink(missing_ok=True)
        raise DiskTrouble(f"The file {file} could not be written: {error.strerror}. It was taken away again.") from error


def _age() -> Any:
    try:
        return importlib.import_module("pyrage")
    except ImportError as error:
        raise LeadworkerError(
            "The part that seals files, pyrage, is not installed. Install leadworker again. Nothing was written."
        ) from error
