"""Finds the length that a line says, in minutes: `50 min`, `1 h 20`, `90m`, `an hour and a half`."""

from __future__ import annotations

import re

import msgspec

from leadworker.words.almanac import NUMBERS, number

LONGEST_MINUTES = 24 * 60
"""A contact that would be longer than a day is a slip of the keys."""


class LengthFound(msgspec.Struct, frozen=True):
    """A length as a line says it; `minutes` is None when it is longer than a day."""

    start: int
    end: int
    minutes: int | None


_TENS = {
    "fifteen": 15,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "forty five": 45,
    "forty-five": 45,
    "fifty": 50,
}
_TENS |= {"sixty": 60, "ninety": 90}
_SMALL = {word: count for word, count in NUMBERS.items() if word not in ("a", "an")} | _TENS
_COUNT = rf"(?:\d{{1,4}}|{'|'.join(sorted(_SMALL, key=len, reverse=True))})"
_HOUR_WORD = r"(?:hours?|hrs?|h)"
_MINUTE_WORD = r"(?:minutes?|mins?|m)"
_LENGTH = re.compile(
    r"(?<![\w£$€.:/\-])(?:"
    rf"(?P<halves>half\s+(?:an\s+)?hour|quarter\s+of\s+an\s+hour|three\s+quarters\s+of\s+an\s+hour)"
    rf"|(?:an?\s+)?(?P<one>hour\s+and\s+(?:a\s+half|a\s+quarter))"
    rf"|(?P<whole>{_COUNT})\s+and\s+a\s+half\s+hours?"
    rf"|(?P<decimal>\d{{1,2}}(?:[.,]\d{{1,2}}|½|¼|¾))\s?{_HOUR_WORD}"
    rf"|(?P<hours>{_COUNT}|an?)\s?{_HOUR_WORD}(?:\s?(?:and\s+)?(?P<rest>\d{{1,2}}|{'|'.join(_TENS)})(?:\s?{_MINUTE_WORD})?)?"
    rf"|(?P<minutes>{_COUNT})[\s-]?{_MINUTE_WORD}"
    r")(?![\w/]|-\w|'s\b)"
)
_LENGTH_LEAD = re.compile(r"\b(?:for\s+|lasted\s+|took\s+)?(?:(?:about|around|approx\.?|roughly|c\.)\s+)?\Z|~\s?\Z")
_NOT_THIS_LONG = re.compile(r"\s+(?:late|early|away|walk|walks|drive|before|after|ago|later|delay|old|notice|from|wait|slot|into|until)\b")
_FRACTIONS = {"½": ".5", "¼": ".25", "¾": ".75"}


def find_length(text: str) -> LengthFound | None:
    """Return the length that `text` says first, in minutes; `20 min late` and `an hour away` are none."""
    for match in _LENGTH.finditer(text):
        if _NOT_THIS_LONG.match(text, match.end()) or re.search(r"\b(?:every|in|within)\s+\Z", text[: match.start()]):
            continue
        minutes = _minutes(match)
        if minutes == 0:
            continue
        lead = _LENGTH_LEAD.search(text, max(0, match.start() - 24), match.start())
        start = lead.start() if lead else match.start()
        return LengthFound(start, match.end(), minutes if minutes <= LONGEST_MINUTES else None)
    return None


def _minutes(match: re.Match[str]) -> int:
    said = match.groupdict()
    if said["halves"]:
        return 45 if said["halves"][0] == "t" else 15 if said["halves"][0] == "q" else 30
    if said["one"]:
        return 90 if "half" in said["one"] else 75
    if said["whole"]:
        return _small(said["whole"]) * 60 + 30
    if said["decimal"]:
        figure = "".join(_FRACTIONS.get(letter, letter) for letter in said["decimal"].replace(",", "."))
        return round(float(figure) * 60)
    if said["hours"]:
        return _small(said["hours"]) * 60 + (_small(said["rest"]) if said["rest"] else 0)
    return _small(said["minutes"])


def _small(word: str) -> int:
    return _SMALL[word] if word in _SMALL else number(word)
