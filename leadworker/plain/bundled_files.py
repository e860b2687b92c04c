"""The attached files of a bundle: which of a casebook's changes name one, what it is called there, and why it may be missing.

Each is looked through whole before anything is written, so that a bundle says at its beginning what is in it. Names are other
people's words: a number in front keeps them apart, in order, and from being anything but a name on whatever system unpacks them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

import msgspec

from leadworker.change import PUT, Content
from leadworker.crypto.identity import CannotOpen
from leadworker.domain import attachments
from leadworker.domain.attachments import NAMELESS, Attachment, SealedFile, clean_name, size_words
from leadworker.errors import DiskTrouble, VaultDamaged
from leadworker.plain.case_text import Told
from leadworker.words.saying import say_count

FOLDER: Final = "files"
LONGEST: Final = 150
"""Bytes of a name in UTF-8, without the number in front of it: several systems take no more than 255."""

LEFT_OUT: Final = "left out"
MISSING: Final = "missing"
DAMAGED: Final = "damaged"
UNFIT: Final = "unfit"
WHY: Final[Mapping[str, str]] = {
    LEFT_OUT: "it was left out on purpose",
    MISSING: "its bytes were not there when this was made",
    DAMAGED: "its bytes were damaged when this was made",
    UNFIT: "it was not sealed as its record says, so it does not open",
}
"""Why a file is not in a bundle, as it stands in it."""

_NO_NAME = re.compile(r'[<>:"|?*\\/]')
_NUMBER_DIGITS = 4


class Source(Protocol):
    """Where the sealed files of a casebook are."""

    def trouble(self, file: SealedFile) -> str:
        """Return `MISSING` or `DAMAGED`, or nothing for sealed bytes that are those which the record names."""

    def clear(self, file: SealedFile) -> Iterator[bytes]:
        """Give a file in clear, chunk by chunk; raise `CannotOpen`, `VaultDamaged` or `DiskTrouble`."""


class BundledFile(msgspec.Struct, frozen=True):
    """A file that a change names. `part` is where it stands in the bundle, `sha256` of what; or `why` says why it does not."""

    change: str
    record: str
    name: str
    size: int
    part: str = ""
    sha256: str = ""
    why: str = ""
    sealed: SealedFile | None = None


class FileLeftOut(msgspec.Struct, frozen=True):
    """A file that is not in what was written, and why: a word for programs, and a sentence."""

    name: str
    bytes: int
    why: str
    sentence: str


def gather(changes: Iterable[Told], book: str, source: Source, *, leave_out: bool = False) -> tuple[BundledFile, ...]:
    """Return the files that these changes name, in their order; with `leave_out` none of them goes in."""
    return tuple(_looked_at(told, number, book, source, leave_out) for number, told in enumerate(_naming(changes), start=1))


def digests(changes: Iterable[Told], book: str) -> frozenset[str]:
    """Return the names of the sealed files that these changes speak of, whether or not they can be opened."""
    found = (attachments.named_in(told.content, book) for told in _naming(changes))
    return frozenset(file.digest for file in found if file is not None)


def clear(file: BundledFile, source: Source) -> Iterator[bytes]:
    """Give a file that goes in, in clear; raise `DiskTrouble` when it is not any more what it was when it was looked through."""
    assert file.sealed is not None, "only what was opened goes in"
    found = hashlib.sha256()
    try:
        for chunk in source.clear(file.sealed):
            found.update(chunk)
            yield chunk
    except (CannotOpen, VaultDamaged) as error:
        raise _changed() from error
    if found.hexdigest() != file.sha256:
        raise _changed()


def listed(file: BundledFile) -> str:
    """Return a file in one line of the list at the beginning of a bundle's text."""
    if file.part:
        return f"{file.part}, {size_words(file.size)}"
    return f"{file.name}, {size_words(file.size)}: not in this bundle, {WHY[file.why]}"


def placed(file: BundledFile) -> str:
    """Return where a file stands in the bundle, or why it does not, for beside the words that name it."""
    return file.part or f"no, {WHY[file.why]}"


def as_json(file: BundledFile) -> dict[str, Any]:
    """Return what the manifest says of a file."""
    return {"record": file.record, "name": file.name, "bytes": file.size, "part": file.part, "why": file.why}


def counted(files: Iterable[BundledFile]) -> str:
    """Return how many of these files are in the bundle, and how large they are together."""
    inside = [file for file in files if file.part]
    if not inside:
        return "no attached file"
    return f"{say_count(len(inside), 'attached file', 'attached files')} ({size_words(sum(file.size for file in inside))})"


def portable_name(given: str) -> str:
    """Return a file's name with nothing in it that a system takes for more than a letter, and not too long for any."""
    name = _NO_NAME.sub("_", clean_name(given)).rstrip(" .")
    stem, dot, end = name.rpartition(".")
    if not dot or len(end.encode()) > LONGEST // 4:
        stem, end = name, ""
    room = LONGEST - len((dot + end).encode()) if end else LONGEST
    short = stem.encode()[:room].decode("utf-8", "ignore")
    return (f"{short}.{end}" if end else short) or NAMELESS


def _naming(changes: Iterable[Told]) -> list[Told]:
    return [told for told in changes if told.content.topic == Attachment.__tablename__ and told.content.verb == PUT]


def _looked_at(told: Told, number: int, book: str, source: Source, leave_out: bool) -> BundledFile:
    content = told.content
    name = clean_name(_text(content, "name"))
    sealed = attachments.named_in(content, book)
    file = BundledFile(told.id, content.record, name, sealed.size if sealed else 0)
    if leave_out:
        return msgspec.structs.replace(file, why=LEFT_OUT)
    if sealed is None:
        return msgspec.structs.replace(file, why=UNFIT)
    if trouble := source.trouble(sealed):
        return msgspec.structs.replace(file, why=trouble)
    found = hashlib.sha256()
    try:
        for chunk in source.clear(sealed):
            found.update(chunk)
    except (CannotOpen, VaultDamaged):
        return msgspec.structs.replace(file, why=UNFIT)
    part = f"{FOLDER}/{number:0{_NUMBER_DIGITS}}-{portable_name(name)}"
    return msgspec.structs.replace(file, part=part, sha256=found.hexdigest(), sealed=sealed)


def _text(content: Content, field: str) -> str:
    value = content.values.get(field, "")
    return value if isinstance(value, str) else ""


def _changed() -> DiskTrouble:
    return DiskTrouble("An attached file was changed while it was written. The bundle was taken away again. Try it once more.")
