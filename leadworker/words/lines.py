"""One typed line while it is being read: which of its letters are understood already, and what is left over.

Every reader searches `Line.open`, in which the parts already understood are blanked out at the same length,
so that offsets always fit the line as it was typed.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from leadworker.text import LONGEST_FIELD, one_line

LONGEST_READ = 400
"""Characters of a line that are read for meaning; what follows is kept as words."""

TAKEN = "\x00"
"""Stands in `Line.open` for a letter that has been understood; no pattern takes it for a letter or a space."""

PartKind = Literal["kind", "when", "length", "place", "person", "what?"]
"""Which part of a line something is; `what?` is a question to the writer."""

_EDGES = " ,;:–—-+&/|"
_MARKS = ",.;:()–—-+&/|!?" + TAKEN
_ONLY_JOINTS = re.compile(r"(?:(?:and|with|at|on|in|to|by|for|from|the|w)\b[\s,/&+-]*)*\Z", re.IGNORECASE)
_LOOSE_AND = re.compile(r"^(?:and|then)\s+(?=\S)", re.IGNORECASE)
_DOUBLED_COMMA = re.compile(r",(?:\s*,)+")
_LOOSE_MARKS = re.compile(r"\s+(?=[,.;:!?)\]](?:\s|$))|(?<=[(\[])\s+|\(\s*\)|\[\s*\]")


def word_set(words: str, parted_by: str | None = None) -> frozenset[str]:
    """Return the words of a vocabulary that is written as one text."""
    return frozenset(words.split(parted_by))


class Chip(msgspec.Struct, frozen=True):
    """One thing that was understood, in words, for the line of chips; an uncertain one is shown amber.

    An uncertain chip always ends in a question mark, so that it can be told apart without colour.
    """

    text: str
    certain: bool
    kind: PartKind


class Span(msgspec.Struct, frozen=True):
    """Where a part stands in the line as typed: characters from `start` up to and without `end`."""

    start: int
    end: int
    kind: PartKind


def chip(text: str, certain: bool, kind: PartKind) -> Chip:
    """Make a chip; an uncertain one is given its question mark."""
    return Chip(text if certain or text.endswith("?") else f"{text}?", certain, kind)


class Line:
    """A typed line, at most `LONGEST_READ` characters of it open to the readers."""

    __slots__ = ("_changes", "_spans", "open", "tail", "typed")

    def __init__(self, line: str) -> None:
        self.typed, self.tail = _split(line)
        self.open = _fold(self.typed)
        self._spans: list[Span] = []
        self._changes: list[tuple[int, int, str]] = []

    def understand(self, start: int, end: int, kind: PartKind) -> None:
        """Note that `start` to `end` is understood as `kind`; its words stay among the left-over ones."""
        self._spans.append(Span(start, end, kind))
        self.hide(start, end)

    def take(self, start: int, end: int, kind: PartKind, keep: bool = False) -> None:
        """Note that `start` to `end` is understood; its words leave the left-over ones unless `keep`."""
        self.understand(start, end, kind)
        if not keep:
            self.say_instead(start, end, " ")

    def hide(self, start: int, end: int) -> None:
        """Close `start` to `end` to the readers that come later."""
        self.open = self.open[:start] + TAKEN * (end - start) + self.open[end:]

    def say_instead(self, start: int, end: int, words: str) -> None:
        """Have `words` stand among the left-over words where `start` to `end` stood."""
        self._changes.append((start, end, words))

    def leads(self, at: int) -> bool:
        """Say whether only understood parts and marks stand between the last plain word and `at`."""
        before = self.open[:at].rstrip(_EDGES)
        return not before or before[-1] == TAKEN

    def ends(self, at: int) -> bool:
        """Say whether an understood part, a mark or the end of the line follows at `at`."""
        after = self.open[at:].lstrip()
        return not after or after[0] in _MARKS

    def spans(self) -> tuple[Span, ...]:
        """Return the spans in the order of the line; they never overlap."""
        return tuple(sorted(self._spans, key=lambda span: span.start))

    def left_over(self) -> str:
        """Return the words that were not understood, cleaned, on one line, and whatever was too long to read."""
        pieces: list[str] = []
        at = 0
        for start, end, words in sorted(self._changes):
            if start >= at:
                pieces += (self.typed[at:start], words)
                at = end
        pieces.append(self.typed[at:])
        words = _DOUBLED_COMMA.sub(",", _LOOSE_MARKS.sub("", one_line("".join(pieces)))).strip(_EDGES)
        words = _LOOSE_AND.sub("", words)
        if _ONLY_JOINTS.match(words):
            words = ""
        return f"{words} {one_line(self.tail)}".strip() if self.tail else words


def _split(line: str) -> tuple[str, str]:
    """Return the part that is read and the part that is only kept, parted between two words if possible."""
    if len(line) <= LONGEST_READ:
        return line, ""
    space = line.rfind(" ", LONGEST_READ - 40, LONGEST_READ)
    at = space if space >= 0 else LONGEST_READ
    return line[:at], line[at:LONGEST_FIELD]


def _fold(text: str) -> str:
    """Return `text` in lower case with plain apostrophes and spaces, at exactly the same length."""
    folded = text.lower()
    if len(folded) != len(text):  # a few capitals grow when lowered; they keep their place instead
        folded = "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)
    return folded.replace("’", "'").replace("\u00a0", " ").replace("\t", " ").replace(TAKEN, " ")
