"""Takes a note that was written as one text apart: its first line, and what stands under Seen, Said, Noticed, I think, Next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from leadworker.words.first_line import FirstLine, read_first_line
from leadworker.words.lines import LONGEST_READ
from leadworker.words.people import Known

PARTS = ("seen", "said", "noticed", "think", "next_steps")
"""The parts of a note, by their names in a draft and in an entry."""

SHORT_LINE = 80
"""Characters up to which a line with a word that may name a kind is taken as a first line."""

_LABELS = {"seen": "seen", "said": "said", "noticed": "noticed", "i think": "think", "think": "think", "next": "next_steps"}
_LABEL = re.compile(r"\s*(seen|said|noticed|i think|think|next)\s*:\s?(.*)", re.IGNORECASE | re.DOTALL)
_BREAKS = re.compile(r"\r\n?|\n")


class Text(msgspec.Struct, frozen=True):
    """A note taken apart, every word of it in one of the parts."""

    first_line: str = ""
    seen: str = ""
    said: str = ""
    noticed: str = ""
    think: str = ""
    next_steps: str = ""


def take_apart(text: str, now: datetime, people: Sequence[Known]) -> Text:
    """Return the parts of a note.

    The first line that is not blank is read as a first line when it says what kind of contact it was, or says nothing
    but when, where and who. A label holds until the next label; what stands under none was noticed.
    """
    lines = _BREAKS.split(text)
    while lines and not lines[0].strip():
        lines.pop(0)
    first = lines.pop(0) if lines and _is_first_line(lines[0], now, people) else ""
    parts: dict[str, list[str]] = {name: [] for name in PARTS}
    part = "noticed"
    for line in lines:
        match = _LABEL.match(line)
        if match:
            part, line = _LABELS[match[1].lower()], match[2]
        parts[part].append(line)
    return Text(first.strip(), **{name: "\n".join(found).strip("\n") for name, found in parts.items()})


def _is_first_line(line: str, now: datetime, people: Sequence[Known]) -> bool:
    if len(line) > LONGEST_READ or _LABEL.match(line):
        return False
    read = read_first_line(line, now, people)
    if read.kind is None:
        return _says_when_or_where(read) and not read.rest
    sure = any(chip.kind == "kind" and chip.certain for chip in read.chips)
    return sure or len(line) <= SHORT_LINE  # "met him again today and …" may well be a sentence of the note itself


def _says_when_or_where(read: FirstLine) -> bool:
    return bool(read.day or read.at or read.minutes or read.place or read.person_ids)


def joined(*texts: str) -> str:
    """Return the texts that hold words, each on lines of its own."""
    return "\n".join(text for text in texts if text.strip())
