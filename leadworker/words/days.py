"""Finds the days that are said in a line: `fri`, `14 nov`, `2 days ago`, `in a fortnight`, `end of month`.

A note looks back and an action looks forward: the same word means another day in each.
"""

from __future__ import annotations

import re
from datetime import date

import msgspec

from leadworker.words.almanac import shift
from leadworker.words.day_rules import LEAD, RULES, DayRead
from leadworker.words.lines import TAKEN


class DayFound(msgspec.Struct, frozen=True):
    """A day as a line says it.

    `day` is None for words such as `asap` or `31 feb`, which say a day that cannot be told. `firm` is True for
    a date or a word such as yesterday, False for the bare name of a weekday. `part` is morning, afternoon,
    evening, night or nothing. `keep` asks that the words stay in what is left of the line.
    """

    start: int
    end: int
    day: date | None
    certain: bool
    firm: bool
    part: str = ""
    keep: bool = False


_BEFORE_DAY = re.compile(r"\bbefore\s+(?:the\s+)?\Z")
_FOR = re.compile(r"\bfor\s+(?:the\s+)?\Z")
_NOT_WHEN = re.compile(
    r"\b(?:about|re|regarding|of|from|since|until|till|til|after|every|each|that|between|most|per|or|the|named|called)"
    r"\s+(?:the\s+)?\Z"
)
_SAT_DOWN = re.compile(r"\s+(?:with|in|on|down|by|beside|outside|together|through|quietly|next|alone|and|there|up)\b")
_NOUN_AFTER = re.compile(
    r"\s+(?!(?:about|at|to|re|and|with|if|before|after|by|in|on|or|so|for|from|when|once|because|as|please|pls)\b)[^\W\d]"
)


def find_days(text: str, today: date, back: bool) -> list[DayFound]:
    """Return every day that `text` says (lower case, parts understood already blanked), in the line's order.

    `back` is True for a note and False for an action. A day that is only talked about (`about thursday`,
    `friday's session`, `since monday`) is left out: it says nothing about when.
    """
    found: list[DayFound] = []
    for pattern, rule in RULES:
        at = 0
        while match := pattern.search(text, at):
            at = match.end()
            read = rule(match, today, back)
            end = (read.end if read is not None else 0) or match.end()
            day = _placed(text, match.start(), end, read, back) if read is not None else None
            text = text[: match.start()] + TAKEN * (end - match.start()) + text[end:]
            if day is not None:
                found.append(day)
    found.sort(key=lambda day: day.start)
    return found


def _placed(text: str, start: int, end: int, read: DayRead, back: bool) -> DayFound | None:
    """Judge a day by the words on both sides of it: None when it is not said as the when of this line."""
    reach = max(0, start - 24)
    day, certain, keep = read.day, read.certain, False
    lead = LEAD.search(text, reach, start)
    if not lead and _NOT_WHEN.search(text, reach, start):
        return None
    if text[start:end] == "sat" and _SAT_DOWN.match(text, end):
        day, certain = None, False  # sat with Mum, or Saturday with Mum?
    if _FOR.search(text, reach, start):
        if back:
            return None
        certain = False
    elif lead:
        if day is not None and _BEFORE_DAY.search(text, reach, start):
            day, certain = shift(day, -1), False
        start = lead.start()
    elif not back and not read.firm and _NOUN_AFTER.match(text, end):
        certain = False  # check friday bus
    if not back and read.part:
        keep = True  # the words say more than a due date can hold
    return DayFound(start, end, day, certain, read.firm, read.part, keep or not certain)
