"""The ways in which people write a day, one rule each: what a match means, looking back or looking forward.

`days` walks through `RULES` and judges each reading by the words that stand round it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import msgspec

from leadworker.words.almanac import (
    MONTH,
    NUMBERS,
    WEEKDAY,
    make_day,
    month_end,
    month_number,
    number,
    shift,
    shift_months,
    shift_working_days,
    weekday_number,
)


class DayRead(msgspec.Struct, frozen=True):
    """What one rule made of its match: the day, how sure it is, and where the match really ends (0: as matched)."""

    day: date | None
    certain: bool = True
    firm: bool = True
    part: str = ""
    end: int = 0


DayRule = Callable[[re.Match[str], date, bool], DayRead | None]

OLDEST_YEAR, LAST_YEAR = 1900, 2199
_LONG_AGO = 300
"""Days: a date without its year that would lie further off than this is taken from the other side of today."""

LEAD = re.compile(r"\b(?:due\s+(?:by|on|for)|by|on|due|dated|before)\s+(?:the\s+)?\Z")
"""Words before a day that belong to it; search with the day's start as the end position."""

_COUNT = rf"(?:\d{{1,3}}|{'|'.join(sorted(NUMBERS, key=len, reverse=True))})"
_BEFORE = r"(?<![\w'/.\-])"
_AFTER = r"(?![\w/]|-\w|'s\b)"
_NOT_A_LENGTH = r"(?!\s?(?:am|pm|h|hrs?|hours?|m|mins?|minutes?|days?|weeks?|months?|o'clock)\b|[:.]\d|\d)"
_PART = r"(?:\s+(?:in\s+the\s+)?(morning|afternoon|evening|night|am|pm)\b)?"
_MAY_BE = re.compile(r"\s+(?:be|have|not|need|want|come|go|also|help|well)\b")
_DATED = rf"(?:({WEEKDAY})\.?,?\s+(?:the\s+)?)?"
_PARTS = {"am": "morning", "pm": "afternoon"}


def _part(word: str | None) -> str:
    return _PARTS.get(word, word) if word else ""


def _nearest(day: int, month: int, weekday: str | None, today: date, back: bool) -> DayRead:
    """Choose the year of a date that was said without one; a weekday beside it must fit, or it is a question."""
    this_year = make_day(today.year, month, day)
    other = make_day(today.year + (-1 if back else 1), month, day)
    chosen, certain = this_year, True
    if this_year is None:
        chosen = other  # 29 February
    elif this_year > today and back:
        chosen = other if other is not None and (today - other).days <= _LONG_AGO else this_year
    elif this_year < today and not back:
        chosen = other
        certain = chosen is not None and (chosen - today).days <= _LONG_AGO
    if chosen is None:
        return DayRead(None, certain=False)
    if weekday is not None and chosen.weekday() != weekday_number(weekday):
        certain = False
        if this_year is not None and this_year.weekday() == weekday_number(weekday):
            chosen = this_year
    return DayRead(chosen, certain)


def _in_year(year: int, month: int, day: int, weekday: str | None) -> DayRead:
    if not OLDEST_YEAR <= year <= LAST_YEAR:
        return DayRead(None, certain=False)
    found = make_day(year, month, day)
    fits = found is not None and (weekday is None or found.weekday() == weekday_number(weekday))
    return DayRead(found, certain=fits)


def _full_year(digits: str, today: date) -> int:
    """Return the year that two or four digits say; two are taken as near to today."""
    if len(digits) > 2:
        return int(digits)
    year = today.year // 100 * 100 + int(digits)
    return year - 100 if year > today.year + 20 else year


def _iso(match: re.Match[str], today: date, back: bool) -> DayRead:
    return _in_year(int(match[1]), int(match[2]), int(match[3]), None)


def _slashed(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    weekday, day, month, year = match[1], int(match[2]), int(match[3]), match[4]
    if not 1 <= day <= 31 or not 1 <= month <= 31 or ((day, month) == (24, 7) and not year):
        return None  # 50/50, 0/10 and 24/7 are no dates
    if year:
        return _in_year(_full_year(year, today), month, day, weekday)
    alone = weekday is None and not LEAD.search(match.string, max(0, match.start() - 24), match.start())
    if alone and ((month == 10 and day <= 10) or (day, month) in ((1, 2), (1, 3), (2, 3), (1, 4), (3, 4))):
        return None  # 6/10 is a score and 1/2 a half
    return _nearest(day, month, weekday, today, back)


def _dotted(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    day, month = int(match[2]), int(match[3])
    if not 1 <= day <= 31 or not 1 <= month <= 31:
        return None
    return _in_year(_full_year(match[4], today), month, day, match[1])


def _day_month(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    day, month, year = int(match[2]), month_number(match[3]), match[4]
    if not 1 <= day <= 31 or (match[3] == "may" and _MAY_BE.match(match.string, match.end(3))):
        return None
    if year and (len(year) == 4 and OLDEST_YEAR <= int(year) <= LAST_YEAR):
        return _in_year(int(year), month, day, match[1])
    if year and len(year) == 2 and abs(_full_year(year, today) - today.year) <= 1:
        return _in_year(_full_year(year, today), month, day, match[1])
    read = _nearest(day, month, match[1], today, back)
    return msgspec.structs.replace(read, end=match.end(3))


def _month_day(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    month, day, year = month_number(match[2]), int(match[3]), match[4]
    if not 1 <= day <= 31:
        return None
    if year and OLDEST_YEAR <= int(year) <= LAST_YEAR:
        return _in_year(int(year), month, day, match[1])
    return msgspec.structs.replace(_nearest(day, month, match[1], today, back), end=match.end(3))


def _ordinal(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    """Read `on the 14th` and `fri 14th`: the nearest such day of a month on the right side of today."""
    day = int(match[2])
    led = match[1] or LEAD.search(match.string, max(0, match.start() - 24), match.start())
    followed = re.match(r"\s+[^\W\d]", match.string[match.end() :])  # the 2nd visit
    if not 1 <= day <= 31 or not led or (followed and not match[1]):
        return None
    for months in (0, -1, -2) if back else (0, 1, 2):
        year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
        found = make_day(year, month + 1, day)
        if found is not None and (found <= today if back else found >= today):
            fits = match[1] is None or found.weekday() == weekday_number(match[1])
            return DayRead(found, certain=fits)
    return DayRead(None, certain=False)


def _ago(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    return _stretch(match[1], match[2], today, -1) if back else None


def _ahead(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    """Read `in 2 weeks` and `2 weeks' time`; without either it is only a length of time."""
    if not match[1] and not match[4]:
        return None
    return _stretch(match[2], match[3], today, 1)


def _stretch(count: str | None, unit: str, today: date, way: int) -> DayRead:
    many = way * number(count or "a")
    if unit.startswith("working"):
        found = shift_working_days(today, many) if many > 0 else None
        return DayRead(found, certain=False)  # bank holidays are not counted
    if unit.startswith("month"):
        found = shift_months(today, many)
    else:
        found = shift(today, many * (14 if unit.startswith("fort") else 7 if unit.startswith("week") else 1))
    return DayRead(found, certain=found is not None)


_CLOSING = frozenset({"end of the day", "end of day", "eod", "close of play", "cop"})
_SAID = {
    "today": 0,
    "tonight": 0,
    "yesterday": -1,
    "yday": -1,
    "yest": -1,
    "yesteday": -1,
    "yesterdy": -1,
    "tomorrow": 1,
    "tommorow": 1,
    "tomorow": 1,
    "tommorrow": 1,
    "tmrw": 1,
    "tmw": 1,
    "day before yesterday": -2,
    "day after tomorrow": 2,
    "last night": -1,
    "last evening": -1,
    "this morning": 0,
    "this afternoon": 0,
    "this evening": 0,
    "end of the day": 0,
    "end of day": 0,
    "eod": 0,
    "close of play": 0,
    "cop": 0,
}


def _said(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    words = " ".join(match[1].split())
    if words in _CLOSING if back else _SAID[words] < 0:
        return None  # an action about yesterday is not due yesterday
    part = _part(match[2]) or ("night" if words == "last night" else "evening" if words == "tonight" else "")
    if not part and words.split()[-1] in ("morning", "afternoon", "evening"):
        part = words.split()[-1]
    found = shift(today, _SAID[words])
    if found is not None and match[3]:
        found = shift(found, 7)  # tomorrow week
    return DayRead(found, certain=found is not None, part=part)


def _weekday(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    """Read the name of a weekday with the words round it: `last fri`, `fri next week`, `friday week`."""
    word = match[1].split()[0] if match[1] else " ".join((match[4] or "").split())
    days = _days_to_weekday(weekday_number(match[2]), word, today.weekday(), back)
    if days is None:
        return None
    found = shift(today, days)
    soonest = (weekday_number(match[2]) - today.weekday()) % 7
    sure = True
    if word == "next":  # next Thursday, said on a Tuesday: this week's or next week's?
        sure = days == (soonest or 7)
    elif not word and not back:
        sure = soonest != 0  # Tuesday, said on a Tuesday: today or in a week?
    return DayRead(found, certain=sure and found is not None, firm=bool(word), part=_part(match[3]))


def _days_to_weekday(which: int, word: str, weekday: int, back: bool) -> int | None:
    """Return how many days from a `weekday` on the one that is meant lies; None when it is not the when of the line."""
    gone, coming = (weekday - which) % 7, (which - weekday) % 7
    match word:
        case "last week":
            return which - weekday - 7
        case "next week" | "next":
            return which - weekday + 7
        case "this" if back:
            return which - weekday
        case "this":
            return coming
        case "coming":
            return coming or 7
        case "last":
            return -(gone or 7) if back else None  # an action is not due last Friday
        case "week":
            return None if back else (coming or 7) + 7
    return -gone if back else coming or 7


def _week_weekday(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    """Read `last week on thursday`, `next week fri` and `a week on friday`."""
    which = weekday_number(match[2])
    words = match[1].split()[0]
    if words == "a":
        if back:
            return None
        days = ((which - today.weekday()) % 7 or 7) + 7
    else:
        days = which - today.weekday() + (-7 if words == "last" else 7 if words == "next" else 0)
    found = shift(today, days)
    return DayRead(found, certain=found is not None)


def _week_ahead(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    """Read `next week`, `this week`, `next month` and `this month` in an action: by the end of it, to be confirmed."""
    if back:
        return DayRead(None, certain=False)
    if match[2] == "month":
        first = shift_months(today.replace(day=1), 1 if match[1] == "next" else 0)
        return DayRead(month_end(first.year, first.month) if first else None, certain=False)
    days = 4 - today.weekday() + (7 if match[1] == "next" else 0)
    return DayRead(shift(today, max(days, 0)), certain=False)


def _end_of(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    if back:
        return None
    said = match[1] or match[0]
    if "week" in said or "eow" in said:
        days = 4 - today.weekday() + (7 if "next" in said else 0)
        return DayRead(shift(today, days if days >= 0 else days + 7))
    if "month" in said or "eom" in said:
        first = shift_months(today.replace(day=1), 1 if "next" in said else 0)
        return DayRead(month_end(first.year, first.month) if first else None)
    month = month_number(said)
    year = today.year + (1 if month < today.month else 0)
    return DayRead(month_end(year, month) if year <= LAST_YEAR else None)


def _vague(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    return DayRead(None, certain=False)


def _misspelt(match: re.Match[str], today: date, back: bool) -> DayRead | None:
    return None if match[0] in _REAL_WORDS else DayRead(None, certain=False)


_REAL_WORDS = {
    "midday",
    "someday",
    "mayday",
    "weekday",
    "workday",
    "sportsday",
    "schoolday",
    "monday",
    "tuesday",
}
_REAL_WORDS |= {"wednesday", "thursday", "friday", "saturday", "sunday"}
_SAID_WORDS = "|".join(word.replace(" ", r"\s+") for word in sorted(_SAID, key=len, reverse=True))
_UNIT = r"(working\s+days?|days?|weeks?|months?|fortnights?)"

RULES: tuple[tuple[re.Pattern[str], DayRule], ...] = (
    (re.compile(rf"{_BEFORE}(\d{{4}})-(\d{{1,2}})-(\d{{1,2}}){_AFTER}"), _iso),
    (re.compile(rf"{_BEFORE}{_DATED}(\d{{1,2}})[.\-](\d{{1,2}})[.\-](\d{{4}}|\d{{2}}){_AFTER}"), _dotted),
    (re.compile(rf"{_BEFORE}{_DATED}(\d{{1,2}})/(\d{{1,2}})(?:/(\d{{4}}|\d{{2}}))?{_AFTER}"), _slashed),
    (
        re.compile(
            rf"{_BEFORE}{_DATED}(\d{{1,2}})(?:st|nd|rd|th)?\s*(?:of\s+)?({MONTH})\b\.?"
            rf"(?:,?\s+(?:'(?=\d\d\b))?(\d{{4}}|\d{{2}}){_NOT_A_LENGTH})?{_AFTER}"
        ),
        _day_month,
    ),
    (
        re.compile(
            rf"{_BEFORE}{_DATED}({MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?\b{_NOT_A_LENGTH}"
            rf"(?:,?\s+(\d{{4}}))?{_AFTER}"
        ),
        _month_day,
    ),
    (
        re.compile(rf"{_BEFORE}(?:({WEEKDAY})\s+(?:the\s+)?|the\s+)?(\d{{1,2}})(?:st|nd|rd|th){_AFTER}"),
        _ordinal,
    ),
    (re.compile(rf"{_BEFORE}(?:({_COUNT})\s+)(days?|weeks?|months?|fortnights?)\s+ago{_AFTER}"), _ago),
    (re.compile(rf"{_BEFORE}(a\s+week)\s+(?:on\s+)?({WEEKDAY}){_AFTER}"), _week_weekday),
    (re.compile(rf"{_BEFORE}(?:(in|within)\s+)?({_COUNT})\s+{_UNIT}('?\s+time)?{_AFTER}"), _ahead),
    (re.compile(rf"{_BEFORE}(?:the\s+)?({_SAID_WORDS}){_PART}(\s+week\b)?{_AFTER}"), _said),
    (re.compile(rf"{_BEFORE}((?:last|next|this)\s+week)\s+(?:on\s+)?({WEEKDAY}){_AFTER}"), _week_weekday),
    (re.compile(rf"{_BEFORE}{WEEKDAY}\s*(?:\bor\b|/|-|–)\s*{WEEKDAY}{_AFTER}"), _vague),
    (
        re.compile(
            rf"{_BEFORE}(last\s+|next\s+|this\s+(?:coming\s+)?|coming\s+)?({WEEKDAY})\b\.?{_PART}"
            rf"(?:\s+(?:of\s+)?((?:last\s+|next\s+)?week)\b)?{_AFTER}"
        ),
        _weekday,
    ),
    (
        re.compile(rf"{_BEFORE}(?:the\s+)?(?:end\s+of\s+((?:the\s+|this\s+|next\s+)?(?:month|week)|{MONTH})|eom|eow){_AFTER}"),
        _end_of,
    ),
    (re.compile(rf"{_BEFORE}(this|next)\s+(week|month){_AFTER}"), _week_ahead),
    (
        re.compile(
            rf"{_BEFORE}(?:last\s+(?:week|month|year)|(?:at|over|this|last|next)\s+(?:the\s+)?week-?end"
            r"|the\s+other\s+(?:day|week|night)|(?:in\s+)?a\s+few\s+(?:days|weeks)(?:\s+ago)?|some\s?time\s+last\s+week"
            rf"|asap|a\.s\.a\.p|end\s+of\s+term|next\s+term){_AFTER}"
        ),
        _vague,
    ),
    (re.compile(rf"{_BEFORE}[mtwfs][a-z]{{2,10}}day{_AFTER}"), _misspelt),
)
