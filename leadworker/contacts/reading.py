"""Finds out what kind of contact file some bytes are and how its letters are coded, and has it read."""

from __future__ import annotations

import re

from leadworker.contacts.card import Reading, Unread
from leadworker.contacts.lines import decoded
from leadworker.contacts.table import read_table
from leadworker.contacts.vcard import read_vcards
from leadworker.errors import NotUnderstood

LARGEST_FILE = 50_000_000
"""Bytes; a vCard file with the photos of several thousand people is smaller."""

MOST_UNREAD = 1_000
"""Lines that are reported one by one; what goes beyond is counted."""

_ADVICE = "Export the contacts as vCard (.vcf) or as CSV and import that file. Nothing was imported."
_NOT_TEXT = {
    b"PK\x03\x04": "a workbook or a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0": "an older Excel or Outlook file",
    b"!BDN": "an Outlook data file",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x1f\x8b": "a compressed file",
    b"7z\xbc\xaf": "a compressed file",
    b"Rar!": "a compressed file",
    b"SQLite format 3": "a database",
}
_MARKS = {
    b"\xff\xfe\x00\x00": ("utf-32", "UTF-32"),
    b"\x00\x00\xfe\xff": ("utf-32", "UTF-32"),
    b"\xff\xfe": ("utf-16", "UTF-16"),
    b"\xfe\xff": ("utf-16", "UTF-16"),
}
_CARD = re.compile(r"^[ \t]*(?:[\w-]{1,30}\.)?BEGIN[ \t]*:[ \t]*VCARD[ \t]*$", re.IGNORECASE | re.MULTILINE)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_MARKUP = re.compile(r"<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_LINES = re.compile(r"\r\n?|\n")


def read_contacts(data: bytes, name: str = "") -> Reading:
    """Read a contact file: vCard 2.1, 3.0 or 4.0, or a CSV as Outlook, Google or a person writes it.

    `name` is the file's name; it only helps to judge. Raises `NotUnderstood`, with what to do, when the
    file is no contact file at all or larger than `LARGEST_FILE`; anything that is wrong inside a contact
    file is in `Reading.unread` instead, and everybody else in it is read.
    """
    if len(data) > LARGEST_FILE:
        raise NotUnderstood(
            f"This file has {len(data) / 1_000_000:.0f} MB; contact files of up to {LARGEST_FILE // 1_000_000} MB "
            "can be read. Nothing was imported. Export fewer contacts at a time, or export them without photos."
        )
    _refuse_other_files(data)
    text, encoding = _as_text(data)
    begins = text.lstrip()[:2_000]
    if not begins:
        raise NotUnderstood(f"This file is empty. {_ADVICE}")
    _refuse_other_texts(begins)
    if _CARD.match(begins.partition("\n")[0].rstrip("\r")) or (_named_vcard(name) and _CARD.search(_even_lines(text))):
        return _read_cards(text, encoding)
    try:
        return _read_sheet(text, encoding)
    except NotUnderstood:
        if _CARD.search(_even_lines(text)):  # cards with something else before them
            return _read_cards(text, encoding)
        if _named_vcard(name):
            raise NotUnderstood(
                f"This file is named like a vCard file but no card begins in it (no line says BEGIN:VCARD). {_ADVICE}"
            ) from None
        if len(_CONTROLS.findall(text[:20_000])) > len(text[:20_000]) // 50:
            raise NotUnderstood(f"This file is not a text file, so it holds no contacts to read. {_ADVICE}") from None
        raise


def _refuse_other_files(data: bytes) -> None:
    for start, what in _NOT_TEXT.items():
        if data.startswith(start):
            if b"xl/workbook" in data or b"xl/_rels" in data:
                what = "an Excel workbook"
            raise NotUnderstood(f"This is {what}, not a contact file. {_ADVICE}")


def _refuse_other_texts(begins: str) -> None:
    if _MARKUP.match(begins):
        raise NotUnderstood(f"This is a web page or an XML file, not a contact file. {_ADVICE}")
    if begins[:15].upper() == "BEGIN:VCALENDAR":
        raise NotUnderstood(f"This is a calendar, not a contact file. {_ADVICE}")


def _named_vcard(name: str) -> bool:
    return name.lower().endswith((".vcf", ".vcard"))


def _even_lines(text: str) -> str:
    return _LINES.sub("\n", text) if "\r" in text else text


def _as_text(data: bytes) -> tuple[str, str]:
    """Return the text and the name of its coding; bytes that are not UTF-8 stay as they are, escaped."""
    for mark, (codec, spoken) in _MARKS.items():
        if data.startswith(mark):
            return data.decode(codec, "replace").removeprefix("\ufeff").replace("\0", ""), spoken
    sample = data[:2_000]
    for zero_at, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = sample[zero_at::2].count(0)
        if len(sample) >= 8 and zeros > len(sample) * 0.35 and sample[1 - zero_at :: 2].count(0) < zeros // 10:
            return data.decode(codec, "replace").replace("\0", ""), "UTF-16"
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"")
    try:
        return data.decode("utf-8"), "UTF-8"
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape"), ""


def _read_cards(text: str, encoding: str) -> Reading:
    versions, cards, unread = read_vcards(text)
    spoken = f"vCard {' and '.join(sorted(versions))}" if versions else "vCard"
    return Reading(spoken, encoding or _spoken_coding(text), tuple(cards), _bounded(unread))


def _read_sheet(text: str, encoding: str) -> Reading:
    if not encoding:
        encoding = _spoken_coding(text)
        text = "\n".join(_line_as_text(line) for line in text.split("\n"))
    what, separated, cards, unread = read_table(text)
    return Reading(f"{what} ({separated}, {encoding})", encoding, tuple(cards), _bounded(unread))


def _line_as_text(line: str) -> str:
    return line if line.isascii() else decoded(line.encode("utf-8", "surrogateescape"))


def _spoken_coding(text: str) -> str:
    """Name the coding of a text of which some bytes are not UTF-8."""
    stray = len(text) - len(text.encode("utf-8", "ignore").decode("utf-8"))
    others = len(text) - len(text.encode("ascii", "ignore")) - stray
    return "UTF-8 and Windows-1252" if others > stray else "Windows-1252"


def _bounded(unread: list[Unread]) -> tuple[Unread, ...]:
    if len(unread) <= MOST_UNREAD:
        return tuple(unread)
    beyond = len(unread) - MOST_UNREAD
    return (
        *unread[:MOST_UNREAD],
        Unread(unread[MOST_UNREAD].line, f"And {beyond:,} more lines could not be read."),
    )
