"""Takes the lines of a vCard file apart: unfolds them, splits names, parameters and values, undoes transfer codes.

It is written for what programs really produce (2.1, 3.0 and 4.0 mixed, soft breaks that lead nowhere, photos
without end), so it never refuses: what it cannot take apart comes out as a line with a `problem`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, KeysView

import msgspec

_HEAD = re.compile(r'(?:[^":]++|"[^"]*+")*+:')
_PART = re.compile(r'(?:[^";]++|"[^"]*+"?+)++')
_ITEM = re.compile(r'(?:[^",]++|"[^"]*+"?+)++')
_NAME = re.compile(r"(?:([A-Za-z0-9_-]+)\.)?([A-Za-z][A-Za-z0-9_-]*)")
_EDGE = re.compile(r"\s*(?:BEGIN|END)\s*:\s*VCARD\s*\Z", re.IGNORECASE)
_NEXT_PROPERTY = re.compile(r"(?:N|FN|TEL|EMAIL|ADR|ORG|TITLE|ROLE|NOTE|URL|BDAY|PHOTO|UID|REV|LABEL|X-[A-Z-]+)[:;]")
_NOT_A_CODE = re.compile(r"=(?![0-9A-Fa-f]{2})")
_BASE64_LINE = re.compile(r"[A-Za-z0-9+/]+=*[ \t]*")
_CARET = {"^n": "\n", "^N": "\n", "^'": '"', "^^": "^"}
_CARETS = re.compile(r"\^[nN'^]")

_CHARSETS = {  # only these: a name from a file must not choose any codec that Python has
    "ascii", "us-ascii", "utf-8", "utf8", "iso-8859-1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-8",
    "iso-8859-9", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254",
    "windows-1255", "windows-1256", "windows-1257", "koi8-r", "koi8-u", "shift_jis", "euc-jp", "iso-2022-jp",
    "gb2312", "gbk", "gb18030", "big5", "euc-kr",
}  # fmt: skip


class ContentLine(msgspec.Struct):
    """One property of a card. `line` counts from 1; `name` is in capitals; parameter values as written.

    `value` has its transfer code undone unless it is base64, its backslashes not. `encoded` says that it is
    base64. `problem` is a sentence where the line could not be taken apart (then `name` is empty), or where
    it could but something in it was not right.
    """

    line: int
    text: str
    group: str = ""
    name: str = ""
    params: dict[str, list[str]] = {}
    value: str = ""
    encoded: bool = False
    problem: str = ""

    def types(self) -> KeysView[str]:
        """The words of TYPE, bare ones of 2.1 among them, in small letters and in their order."""
        return dict.fromkeys(word.strip().lower() for word in self.params.get("TYPE", ()) if word.strip()).keys()

    def param(self, name: str) -> str:
        """The first value of a parameter, or empty."""
        values = self.params.get(name)
        return values[0] if values else ""


def decoded(raw: bytes, charset: str = "") -> str:
    """Return `raw` as text: UTF-8 where it is that, else the declared character set, else Windows-1252.

    A text in UTF-8 with a broken letter or two stays UTF-8, with U+FFFD in their place.
    """
    declared = charset.strip().lower()
    first = declared if declared in _CHARSETS and declared.startswith("iso-2022") else "utf-8"
    for name in (first, declared):
        if name in _CHARSETS:
            try:
                return raw.decode(name)
            except UnicodeDecodeError:
                continue
    lenient = raw.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    whole = len(lenient) - len(lenient.encode("ascii", "ignore")) - broken
    return lenient if whole > broken else raw.decode("cp1252", "replace")


def mended(text: str, charset: str = "") -> str:
    """Return `text`, that was decoded with ``surrogateescape``, with its stray bytes read after all."""
    if text.isascii() and not charset.lower().startswith("iso-2022"):
        return text
    return decoded(text.encode("utf-8", "surrogateescape"), charset)


def content_lines(text: str) -> Iterator[ContentLine]:
    """Yield the properties of a whole vCard file in order; `text` is decoded with ``surrogateescape``."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    at = 0
    while at < len(lines):
        first = at
        if not lines[at].strip():
            at += 1
            continue
        parts = [lines[at]]
        at = _unfold(lines, at + 1, parts)
        found = _taken_apart(first + 1, "".join(parts))
        if not found.problem:
            encoding = found.param("ENCODING").upper()
            if encoding == "QUOTED-PRINTABLE":
                at = _read_quoted_printable(lines, at, found)
            elif encoding in ("BASE64", "B"):
                at = _read_base64(lines, at, found)
            else:
                found.value = mended(found.value, found.param("CHARSET"))
        yield found


def _unfold(lines: list[str], at: int, parts: list[str]) -> int:
    """Gather the lines that go on from the last one, because they begin with a blank; return the next one."""
    while at < len(lines) and lines[at][:1] in (" ", "\t") and not _EDGE.match(lines[at]):
        if parts[-1].endswith("=") and "QUOTED-PRINTABLE" in parts[0][:200].upper():
            break  # a soft break of another kind: the blank belongs to the text
        parts.append(lines[at][1:])
        at += 1
    return at


def _taken_apart(line: int, whole: str) -> ContentLine:
    head = _HEAD.match(whole)  # a colon in a quoted parameter is not the end of the head
    end = head.end() - 1 if head else whole.find(":")
    if end < 0:
        return ContentLine(line, whole, problem="This line has no colon, so it says nothing that can be read.")
    pieces = _PART.findall(whole[:end])
    match = _NAME.fullmatch(pieces[0].strip()) if pieces else None
    if match is None:
        return ContentLine(line, whole, problem="This line does not begin with the name of a field.")
    params = _params(pieces[1:]) if len(pieces) > 1 else {}
    return ContentLine(line, whole, match[1] or "", match[2].upper(), params, whole[end + 1 :])


def _params(pieces: list[str]) -> dict[str, list[str]]:
    params: dict[str, list[str]] = {}
    for piece in pieces:
        name, equals, values = mended(piece).partition("=")
        if not equals:  # 2.1 writes the value alone
            bare = name.strip().upper()
            name = "ENCODING" if bare in ("QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT") else "TYPE"
            values = piece
        kept = params.setdefault(name.strip().upper(), [])
        for item in _ITEM.findall(values):
            unquoted = item.strip().strip('"')
            kept.extend(unquoted.split(",") if name.strip().upper() == "TYPE" else (_uncareted(unquoted),))
    return params


def _uncareted(value: str) -> str:
    return _CARETS.sub(lambda match: _CARET[match.group()], value) if "^" in value else value


def _read_quoted_printable(lines: list[str], at: int, found: ContentLine) -> int:
    parts = [found.value.rstrip(" \t")]
    while parts[-1].endswith("=") and at < len(lines):
        after_a_break = parts[-1][-4:-1].upper() == "=0A"
        if _EDGE.match(lines[at]) or (_NEXT_PROPERTY.match(lines[at]) and not after_a_break):
            found.problem = "The text of this line breaks off in the middle; what was there has been read."
            break
        parts[-1] = parts[-1][:-1]
        parts.append(lines[at].rstrip(" \t"))
        at += 1
    raw = "".join(parts).removesuffix("=").encode("utf-8", "surrogateescape")
    if _NOT_A_CODE.search("".join(parts).removesuffix("=")):
        found.problem = "Some letters of this line are not written as they should be; the rest has been read."
    found.value = decoded(binascii.a2b_qp(raw), found.param("CHARSET"))
    return at


def _read_base64(lines: list[str], at: int, found: ContentLine) -> int:
    """Gather the data of a photo or a key; some programs do not indent its lines."""
    found.encoded = True
    parts = [found.value]
    while at < len(lines) and _BASE64_LINE.fullmatch(lines[at]) and not parts[-1].endswith("="):
        parts.append(lines[at])
        at += 1
    found.value = "".join(parts)
    return at
