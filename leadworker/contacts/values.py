"""Undoes the backslashes of vCard values and takes values of several parts apart."""

from __future__ import annotations

import re

from leadworker.contacts.lines import ContentLine

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_OR_SEPARATOR = re.compile(r"\\.|[;,]", re.DOTALL)
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_", re.DOTALL)


def group_label(line: ContentLine) -> str:
    """The label that Apple and Google give to a group, without the signs around Apple's own words."""
    label = unescaped(line.value).strip()
    match = _APPLE_LABEL.fullmatch(label)
    return (match[1] if match else label).replace("_", " ")


def unescaped(value: str, version: str = "") -> str:
    """Undo backslashes. In 2.1 a backslash before an n is no new line: people have paths in their notes."""
    if "\\" not in value:
        return value
    breaks = "" if version == "2.1" else "nN"
    return _ESCAPED.sub(lambda m: "\n" if m[1] in breaks else m[1] if m[1] in "\\,;:\"'" else m[0], value)


def components(value: str, version: str, least: int) -> list[str]:
    """Take a value apart at its semicolons; at least `least` parts, each on one line, commas as written."""
    parts = [", ".join(piece for one in unescaped(part, version).splitlines() if (piece := one.strip(" ,"))) for part in _split(value, ";")]
    return parts + [""] * (least - len(parts))


def _split(value: str, separator: str) -> list[str]:
    if "\\" not in value:
        return value.split(separator)
    parts: list[str] = []
    start = 0
    for match in _ESCAPED_OR_SEPARATOR.finditer(value):
        if match.group() == separator:
            parts.append(value[start : match.start()])
            start = match.end()
    return [*parts, value[start:]]


def listed(value: str, version: str) -> list[str]:
    """Take a value apart at its commas; 2.1 knows no lists."""
    parts = [value] if version == "2.1" else _split(value, ",")
    return [unescaped(part, version) for part in parts]
