"""Finds the time of day that a line says: `4pm`, `16:00`, `half four`, `at noon`, `2-3pm`, `20 min ago`.

A time that may be morning or afternoon is taken within working hours and marked as uncertain.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

import msgspec

from leadworker.words.almanac import NUMBERS, number


class TimeFound(msgspec.Struct, frozen=True):
    """A time of day as a line says it; `minutes` is the length when the line said until when (0: it did not).

    `at` is None for a time that cannot be, such as 25:70. `day` is set for `20 min ago`, which says both.
    """

    start: int
    end: int
    at: time | None
    certain: bool = True
    about: bool = False
    minutes: int = 0
    day: date | None = None


_HOURS = {word: count for word, count in NUMBERS.items() if " " not in word and word not in ("a", "an")}
_HOUR = rf"(?:\d{{1,2}}|{'|'.join(sorted(_HOURS, key=len, reverse=True))})"
_AM_PM = r"(am|pm|a\.m\.?|p\.m\.?)(?=ish\b|\W|$)"
_LEAD = re.compile(r"(?:(?<!\w)(?:at|from|about|around|approx\.?|roughly|circa|c\.)\s+|[@~]\s*)+\Z")
_ABOUT = re.compile(r"about|around|approx|roughly|circa|c\.|~|ish")
_NOT_THEN = re.compile(r"\b(?:until|till|til|by|since|before|after|for|curfew|every|open|opens|closes|re)\s+(?:at\s+)?\Z")
_START = r"(?<![\w£$€.:/\-])"
_STOP = r"(?![\w:/%]|\.\d|-\w)"
_WHEN_FOLLOWS = r"(?=\s*(?:$|[\x00,.;:)\-–]|(?:with|about|re|for|and|on|in|to|at|today|yesterday|this|last|tomorrow|w)\b))"

_RANGE = re.compile(
    rf"{_START}(\d{{1,2}})(?:[:.](\d{{2}}))?\s?(?:{_AM_PM})?\s*(?:-|–|—|\bto\b|till\b|until\b)\s*"
    rf"(\d{{1,2}})(?:[:.](\d{{2}}))?\s?(?:{_AM_PM})?{_STOP}"
)
_MARKED = re.compile(rf"{_START}(\d{{1,2}})(?:[:.](\d{{2}}))?\s?(?:ish\s?)?{_AM_PM}(?:ish)?")
_PAST_TO = re.compile(
    rf"{_START}(half(?:\s+past)?|quarter\s+(?:past|to)|(?:five|ten|twenty(?:[\s-]five)?)\s+(?:past|to)|(?:5|10|20|25)\s+(?:past|to(?=\s+[a-z])))"
    rf"\s+({_HOUR})(?:\s?{_AM_PM})?{_STOP}"
)
_CLOCK = re.compile(rf"{_START}(\d{{1,2}})([:.])(\d{{2}})(?:\s?hrs\b)?{_STOP}(?!\s*(?:h|hrs?|hours?|miles?|%)\b)")
_MILITARY = re.compile(rf"{_START}(?:(?:at|from)\s+(\d{{2}})(\d{{2}})(?:\s?hrs?)?|(\d{{2}})(\d{{2}})\s?hrs?){_STOP}")
_WORD = re.compile(rf"{_START}(?:12\s+)?(noon|midday|midnight){_STOP}")
_OCLOCK = re.compile(rf"{_START}({_HOUR})\s?o'?clock(?:\s?{_AM_PM})?{_STOP}")
_BARE = re.compile(rf"(?<!\w)(?:at|@)\s*(?:about\s+|around\s+)?({_HOUR})(ish)?(?!\w){_WHEN_FOLLOWS}")
_AGO = re.compile(
    rf"{_START}(half\s+an|{'|'.join(sorted(_HOURS, key=len, reverse=True))}|an?|\d{{1,3}})\s*"
    r"(hours?|hrs?|h|minutes?|mins?|m)\s+ago\b"
)

_MINUTES = {
    "half": 30,
    "quarter": 15,
    "five": 5,
    "ten": 10,
    "twenty": 20,
    "twenty five": 25,
    "twenty-five": 25,
}


def _half_of_day(hour: int, am_pm: str | None, part: str) -> int | None:
    """Return the hour of the day when am, pm or a part of the day settles it, else None."""
    if am_pm:
        if hour > 12:
            return hour
        return hour % 12 + (12 if am_pm[0] == "p" else 0)
    if hour > 12 or hour == 0:
        return hour
    if part == "morning" and hour < 12:
        return hour
    if part == "afternoon" and hour not in (10, 11):
        return hour % 12 + 12
    if part == "evening" and 4 <= hour < 12:
        return hour + 12
    if part == "night":
        return hour + 12 if 6 <= hour < 12 else hour % 12
    return None


def _time(hour: int, minute: int) -> time | None:
    return time(hour, minute) if hour <= 23 and minute <= 59 else None


def _settle(hour: int, minute: int, am_pm: str | None, part: str, digital: bool) -> tuple[time | None, bool]:
    """Return the time of day and whether it is certain; `digital` says that it was written as on a 24-hour clock."""
    settled = _half_of_day(hour, am_pm, part)
    if settled is not None:
        return _time(settled, minute), True
    if 1 <= hour <= 6:
        return _time(hour + 12, minute), False
    return _time(hour, minute), digital


def find_time(text: str, now: datetime, part: str) -> TimeFound | None:
    """Return the time of day that `text` says first, or None.

    `text` is in lower case with the parts understood already blanked; `part` is a part of the day that stood
    beside the day and settles morning or afternoon. A time that is only talked about (`until 5pm`) is passed over.
    """
    found: list[TimeFound] = []
    for read in (_read_ago, _read_past_to, _read_range, _read_marked, _read_clock, _read_bare):
        found += read(text, now, part)
        for one in found:
            text = text[: one.start] + "\x00" * (one.end - one.start) + text[one.end :]
    said = [one for one in found if not _NOT_THEN.search(text, max(0, one.start - 24), one.start)]
    if not said:
        return None
    first = min(said, key=lambda one: (one.at is None, one.start))
    lead = _LEAD.search(text, max(0, first.start - 24), first.start)
    if lead is None:
        return first
    about = first.about or bool(_ABOUT.search(lead[0]))
    return msgspec.structs.replace(first, start=lead.start(), about=about)


def _read_ago(text: str, now: datetime, part: str) -> list[TimeFound]:
    found = []
    for match in _AGO.finditer(text) if " ago" in text else ():
        count = 0.5 if match[1].startswith("half") else number(match[1])
        try:
            then = now - timedelta(hours=count) if match[2][0] == "h" else now - timedelta(minutes=count)
        except OverflowError:
            continue
        at = time(then.hour, then.minute)
        found.append(TimeFound(*match.span(), at, about=True, day=then.date()))
    return found


def _read_range(text: str, now: datetime, part: str) -> list[TimeFound]:
    """Read `2-3pm`, `14:00-14:50` and `2.15pm to 4`; two bare numbers are no times."""
    found = []
    for match in _RANGE.finditer(text):
        begin, begin_min, begin_half, end, end_min, end_half = match.groups()
        if not (begin_half or end_half or (begin_min and end_min)):
            continue
        closes, sure = _settle(int(end), int(end_min or 0), end_half, part, digital=len(end) == 2)
        opens, _ = _settle(int(begin), int(begin_min or 0), begin_half or end_half, part, digital=True)
        if opens and closes and not begin_half and end_half and opens > closes:  # 11-1pm
            opens = _time(int(begin) % 12, int(begin_min or 0))
        if begin_half and not end_half and opens and closes and closes < opens and int(end) < 12:  # 2pm-3
            closes, sure = _time(int(end) + 12, int(end_min or 0)), True
        if opens is None or closes is None:
            found.append(TimeFound(*match.span(), None, certain=False))
            continue
        minutes = (closes.hour - opens.hour) * 60 + closes.minute - opens.minute
        ten_to_four = " to " in match[0] and begin in ("5", "10", "20", "25") and not (begin_half or begin_min)
        sure = bool(begin_half or end_half or sure) and minutes > 0 and not ten_to_four
        found.append(TimeFound(*match.span(), opens, sure, minutes=max(minutes, 0)))
    return found


def _read_marked(text: str, now: datetime, part: str) -> list[TimeFound]:
    found = []
    for match in _MARKED.finditer(text):
        at, certain = _settle(int(match[1]), int(match[2] or 0), match[3], part, digital=True)
        found.append(TimeFound(*match.span(), at, certain and at is not None, about=bool(_ABOUT.search(match[0]))))
    return found


def _read_past_to(text: str, now: datetime, part: str) -> list[TimeFound]:
    found = []
    for match in _PAST_TO.finditer(text):
        words = match[1].split()
        count = words[0] if words[-1] in ("past", "to", "half") else match[1]
        if "twenty" in words[0] and len(words) > 2:
            count = "twenty five"
        minute = _MINUTES[count] if count in _MINUTES else int(count)
        hour = number(match[2])
        if words[-1] == "to":
            hour, minute = hour - 1 if hour > 1 else hour + 11, 60 - minute
        at, certain = _settle(hour, minute, match[3], part, digital=False)
        found.append(TimeFound(*match.span(), at, certain and at is not None))
    return found


def _read_clock(text: str, now: datetime, part: str) -> list[TimeFound]:
    found = []
    for match in _CLOCK.finditer(text):
        hour, mark, minute = match[1], match[2], int(match[3])
        if mark == "." and minute % 5:
            continue  # 3.14 is no time
        if len(hour) == 2 and hour[0] == "0":
            at, certain = _time(int(hour), minute), True
        else:
            at, certain = _settle(int(hour), minute, None, part, digital=True)
        found.append(TimeFound(*match.span(), at, certain and at is not None))
    for match in _MILITARY.finditer(text):
        at = _time(int(match[1] or match[3]), int(match[2] or match[4]))
        if at is not None:
            found.append(TimeFound(*match.span(), at))
    return found


def _read_bare(text: str, now: datetime, part: str) -> list[TimeFound]:
    found = []
    for match in _WORD.finditer(text):
        found.append(TimeFound(*match.span(), time(0 if match[1] == "midnight" else 12)))
    for match in _OCLOCK.finditer(text):
        at, certain = _settle(number(match[1]), 0, match[2], part, digital=False)
        found.append(TimeFound(*match.span(), at, certain and at is not None))
    for match in _BARE.finditer(text):
        at, certain = _settle(number(match[1]), 0, None, part, digital=False)
        if at is not None:
            found.append(TimeFound(*match.span(), at, certain, about=bool(_ABOUT.search(match[0]))))
    return found
