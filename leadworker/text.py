"""Makes other people's text harmless before anything keeps it or shows it (security C.9).

A terminal obeys what it is sent: an escape sequence in a note can write the clipboard, change the
title or wipe the screen, and direction controls can make "not safe" read as something else.
So every text is cleaned on the way in (typed, pasted, imported, received) and again on the way to a
widget. Cleaning never refuses: it drops or replaces, and what remains is what a person would have read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LONGEST_LINE = 10_000
"""Characters in one line of a field; the rest of the line goes on in the next one, nothing is lost."""

LONGEST_WORD = 1_000
"""Characters within which a line that is too long is parted between two words; what has no space for so long is parted anywhere."""

LONGEST_FIELD = 32_000
"""Characters of one field that a reader of lines looks at."""

MOST_MARKS = 4
"""Combining marks on one letter; enough for every script in use, too few to smear over other lines."""

_TALLEST_PILE = 16
"""Composing sorts a pile of marks in quadratic time, so piles are cut down before it; no script comes near sixteen."""

_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co"})
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and family emoji need these between two letters
_PLAIN = re.compile(r"[ -~\u00a0-\u00ac\u00ae-\u024f\u2013\u2014\u2018-\u201f\u2026\n]*\Z")
_SPACES = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r"\r\n?|[\u0085\u2028\u2029\x0b\x0c]")

_INVISIBLE = re.compile(
    "["
    "\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180f"  # variation selectors: terminals disagree on the width that follows
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800"  # letters and marks that show as nothing
    "\u2065\ufff0-\ufff8\U000e0000-\U000e0fff"  # kept free for characters that show as nothing
    "\U00013430-\U0001345f"  # hieroglyphs' format controls, of which older Pythons do not know what they are
    "]"
)


def clean(text: str) -> str:
    """Return `text` with nothing left in it that a terminal would obey or that would deceive a reader.

    Line breaks become ``\\n``, a tab becomes a space, composed form is NFC. Dropped: every control character
    (ESC and C1 among them), direction controls, invisible characters, variation selectors, private code points
    and non-characters, and marks beyond `MOST_MARKS` on one letter; unpaired surrogates become U+FFFD.
    Zero-width joiners stay only between two visible characters. Characters of a Unicode newer than this Python's
    stay, so that laptops with different Pythons keep the same words. Cleaning twice changes nothing more.
    """
    if len(text) <= LONGEST_LINE and text.isascii() and text.isprintable():  # most text by far
        return text
    if _PLAIN.match(text):  # nearly all of the rest: one regular expression instead of a walk
        return text if not _has_long_line(text) else _fold_long_lines(text)
    text = _BREAKS.sub("\n", text).replace("\t", " ")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = unicodedata.normalize("NFC", _without_piles(_visible(text), _TALLEST_PILE))
    text = _without_piles(text, MOST_MARKS)
    if _has_long_line(text):
        text = _fold_long_lines(text)
    # What stood between a letter and its mark may be gone now, so the text is composed once more.
    return unicodedata.normalize("NFC", _keep_joiners_between_letters(text))


def one_line(text: str) -> str:
    """Return `text` cleaned, on one line, with runs of white space made one space: for names and titles."""
    return _SPACES.sub(" ", clean(text).replace("\n", " ")).strip()


def skeleton(name: str) -> str:
    """Return `name` as it is compared with other names: folded case, no accents, no punctuation."""
    plain = unicodedata.normalize("NFKD", one_line(name))  # first, so that capitals written in other forms fold as well
    folded = unicodedata.normalize("NFKD", plain.casefold())
    letters = (c if c.isalnum() else " " for c in folded if not unicodedata.combining(c))
    return " ".join("".join(letters).split())


def begins(words: Iterable[str], wanted: Iterable[str]) -> bool:
    """Return whether each wanted word begins a word of a name, in order, all of them of `skeleton`: ``kei lane``, ``keira okafor lane``."""
    rest = iter(words)
    return all(any(word.startswith(part) for word in rest) for part in wanted)


def _visible(text: str) -> str:
    """Drop what shows as nothing or is no character, whatever it would do; joiners are judged later."""
    return "".join(
        character
        for character in _INVISIBLE.sub("", text)
        if character in _JOINERS
        or character == "\n"
        or (unicodedata.category(character) not in _DROPPED_CATEGORIES and not _is_no_character(character))
    )


def _without_piles(text: str, tallest: int) -> str:
    """Cut what is piled on one letter down to `tallest` marks; a joiner in between does not begin a new pile."""
    kept: list[str] = []
    height = 0
    for character in text:
        if character not in _JOINERS:
            height = height + 1 if _is_mark(character) else 0
        if height <= tallest:
            kept.append(character)
    return "".join(kept)


def _is_mark(character: str) -> bool:
    return character > "\u02ff" and (unicodedata.combining(character) > 0 or unicodedata.category(character) in ("Mn", "Me"))


def _is_no_character(character: str) -> bool:
    point = ord(character)
    return point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF


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
        rest = line
        while len(rest) > LONGEST_LINE:
            space = rest.rfind(" ", LONGEST_LINE - LONGEST_WORD, LONGEST_LINE)
            end = LONGEST_LINE if space < 0 else space + 1
            lines.append(rest[:end])
            rest = rest[end:]
        lines.append(rest)
    return "\n".join(lines)
