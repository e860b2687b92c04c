"""Bundles for a named outsider: a ZIP file inside an age file, which programs of any kind open in ten years' time (C.12).

Inside: ``manifest.json`` (what it is, for whom, why, and the SHA-256 of each part), ``manifest.sig`` (who made it, where a
device did), ``case.txt`` for people, ``case.jsonl`` for programs, and the attached files. The manifest names the recipient, and
stands inside the encryption, so that nobody can pass the file on as if it had been made for somebody else.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from leadworker.plain import age_files
from leadworker.plain.age_files import Recipient
from leadworker.plain.bundled_files import BundledFile, Source, as_json, clear, listed, placed
from leadworker.plain.case_text import Told, lines
from leadworker.plain.case_text import as_json as change_as_json

Sign = Callable[[bytes], tuple[str, str]]
"""Signs the manifest's bytes; returns the device's public signing key and the signature, as hexadecimal digits."""


class Bundle(msgspec.Struct, frozen=True):
    """What goes into a bundle: a heading, why it is given, where the book stood, its changes in order, and the files they name.

    `source` gives those files in clear.
    """

    heading: str
    reason: str
    book: str
    n: int
    digest: str
    changes: tuple[Told, ...]
    files: tuple[BundledFile, ...]
    source: Source
    unread: int = 0


def write(file: Path, bundle: Bundle, to: Recipient, made: str, sign: Sign | None) -> str:
    """Write the age file; return its SHA-256, hexadecimal. Raises what `age_files.write` raises.

    `made` is when, ISO 8601; without `sign` the manifest says that no device vouches for it.
    """
    return age_files.write(file, _zipped(_parts(bundle, to, made, sign)), to)


def _parts(bundle: Bundle, to: Recipient, made: str, sign: Sign | None) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Give each part by its name, the attached files last."""
    told, inside = list(bundle.changes), [file for file in bundle.files if file.part]
    heading = [bundle.heading, f"For {to.name}. {bundle.reason}", "", *_contents(bundle.files)]
    text = {
        "case.txt": "\n".join([*heading, *lines(told, {file.change: placed(file) for file in bundle.files})]).encode(),
        "case.jsonl": b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in _objects(bundle)),
    }
    sums = {name: hashlib.sha256(part).hexdigest() for name, part in text.items()} | {file.part: file.sha256 for file in inside}
    manifest = {
        "format": "bundle of a casebook, version 1", "made": made, "for": to.name, "recipient": to.age or "a passphrase",
        "reason": bundle.reason,
        "book": bundle.book, "number": bundle.n, "digest": bundle.digest, "changes": [one.id for one in told],
        "could_not_be_read": bundle.unread, "files": [as_json(file) for file in bundle.files], "parts": sums,
    }  # fmt: skip
    written = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    yield "manifest.json", [written]
    yield from ((name, [part]) for name, part in text.items())
    if sign is not None:
        key, signature = sign(written)
        yield "manifest.sig", [json.dumps({"signing_key": key, "signature": signature}).encode()]
    for file in inside:
        yield file.part, clear(file, bundle.source)


def _contents(files: tuple[BundledFile, ...]) -> Iterator[str]:
    """Return the list of the files, for the beginning of the text."""
    if files:
        yield f"Attached files: {sum(bool(file.part) for file in files)} of {len(files)} in this bundle."
        yield from (f"   {listed(file)}" for file in files)
        yield ""


def _objects(bundle: Bundle) -> Iterator[dict[str, Any]]:
    """Return each change as a JSON object; one that names a file says where that is, or why not."""
    named = {file.change: file for file in bundle.files}
    for told in bundle.changes:
        file = named.get(told.id)
        yield change_as_json(told) | ({"file": file.part, "file_why": file.why} if file else {})


class _Sink(io.RawIOBase):
    """Takes what the ZIP file is made of, and gives it away again; it is never held whole."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _zipped(parts: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, chunks in parts:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # when it was made stands in the manifest
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as into:
                for chunk in chunks:
                    into.write(chunk)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()
