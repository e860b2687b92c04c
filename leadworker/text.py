"""Makes other people's text harmless before anything keeps it or shows it (security C.9).

A terminal obeys what it is sent: an escape sequence in a note can write the clipboard, change the
title or wipe the screen, and direction controls can make "not safe" read as something else.
So every text is cleaned on the way in (typed, pasted, imported, received) and again on the way to a
widget. Cleaning never refuses: it drops or replaces, and what remains is what a person would have read.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_LINE = 10_000
"""Characters in one line of a field; the rest of the line goes on in the next one, nothing is lost."""

LONGEST_FIELD = 32_000
"""Characters in one field; the caller is told by `overlong` and keeps the whole text elsewhere."""

MOST_MARKS = 4
"""Combining marks on one letter; enough for every script in use, too few to smear over other lines."""

_DROPPED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn"})
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and family emoji need these between two letters
_PLAIN = re.compile(r"[ -~\u00a0-\u00ac\u00ae-\u024f\u2013\u2014\u2018-\u201f\u2026\n]*\Z")
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r"\r\n?|[\u0085\u2028\u2029\x0b\x0c]")


def clean(text: str) -> str:
    """Return `text` with nothing left in it that a terminal would obey or that would deceive a reader.

    Line breaks become ``\\n``, a tab becomes a space, composed form is NFC. Dropped: every control character
    (ESC and C1 among them), direction controls, invisible characters, variation selectors, private and
    unassigned code points, unpaired surrogates, and marks beyond `MOST_MARKS` on one letter.
    Zero-width joiners stay only between two visible characters.
    """
    if _PLAIN.match(text):  # most text by far: one regular expression instead of a walk
        return text if not _has_long_line(text) else _fold_long_lines(text)
    text = _without_piles(_BREAKS.sub("\n", text).replace("\t", " "))
    text = unicodedata.normalize("NFC", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    kept: list[str] = []
    marks = 0
    for character in text:
        if character == "\n":
            marks = 0
            kept.append(character)
            continue
        if character in _JOINERS:
            kept.append(character)  # judged below, when its neighbours are known
            continue
        category = unicodedata.category(character)
        if category in _DROPPED_CATEGORIES or category == "Cf" or _is_invisible(character):
            continue
        if category in ("Mn", "Me"):
            marks += 1
            if marks > MOST_MARKS:
                continue
        else:
            marks = 0
        kept.append(character)
    cleaned = _keep_joiners_between_letters("".join(kept))
    return cleaned if not _has_long_line(cleaned) else _fold_long_lines(cleaned)


def one_line(text: str) -> str:
    """Return `text` cleaned, on one line, with runs of white space made one space: for names and titles."""
    return _SPACES.sub(" ", clean(text).replace("\n", " ")).strip()


def skeleton(name: str) -> str:
    """Return `name` as it is compared with other names: folded case, no accents, no punctuation."""
    folded = unicodedata.normalize("NFKD", one_line(name).casefold())
    letters = (c if c.isalnum() else " " for c in folded if not unicodedata.combining(c))
    return " ".join("".join(letters).split())


def _without_piles(text: str) -> str:
    """Composing sorts a pile of marks in quadratic time, so a pile is cut down before it; no script comes near sixteen."""
    kept: list[str] = []
    height = 0
    for character in text:
        height = height + 1 if unicodedata.combining(character) else 0
        if height <= 16:
            kept.append(character)
    return "".join(kept)


def _is_invisible(character: str) -> bool:
    point = ord(character)
    return (
        0xFE00 <= point <= 0xFE0F  # variation selectors: terminals disagree on the width that follows
        or 0xE0100 <= point <= 0xE01EF
        or point in (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0x2800)
    )


def _keep_joiners_between_letters(text: str) -> str:
    if "\u200c" not in text and "\u200d" not in text:
        return text
    kept: list[str] = []
    last = len(text) - 1
    for at, character in enumerate(text):
        if character in _JOINERS:
            before = text[at - 1] if at else " "
            after = text[at + 1] if at < last else " "
            if before in _JOINERS or after in _JOINERS or before.isspace() or after.isspace():
                continue
            if before.isascii() or after.isascii():
                continue  # no Latin word needs one; two names that look alike might hide behind it
        kept.append(character)
    return "".join(kept)


def _has_long_line(text: str) -> bool:
    return len(text) > LONGEST_LINE and any(len(line) > LONGEST_LINE for line in text.split("\n"))


def _fold_long_lines(text: str) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        lines.extend(line[at : at + LONGEST_LINE] for at in range(0, max(len(line), 1), LONGEST_LINE))
    return "\n".join(lines)
