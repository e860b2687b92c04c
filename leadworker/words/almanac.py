"""Days of the calendar worked out without surprise: no such day, or one outside the calendar, is None."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "a couple of": 2,
    "couple of": 2,
}
"""Small numbers as people write them in words."""

WEEKDAY = r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:s|nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
"""A pattern for the name of a weekday in lower case, short or long."""

MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
"""A pattern for the name of a month in lower case, short or long."""

_WEEKDAYS = {"mo": 0, "tu": 1, "we": 2, "th": 3, "fr": 4, "sa": 5, "su": 6}
_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}


def weekday_number(word: str) -> int:
    """Return 0 for Monday to 6 for Sunday, for a word that `WEEKDAY` matched."""
    return _WEEKDAYS[word[:2]]


def month_number(word: str) -> int:
    """Return 1 to 12 for a word that `MONTH` matched."""
    return _MONTHS[word[:3]]


def number(word: str) -> int:
    """Return the number that digits or one of `NUMBERS` say."""
    return NUMBERS[word] if word in NUMBERS else int(word)


def make_day(year: int, month: int, day: int) -> date | None:
    """Return that day, or None when there is no such day."""
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        return None


def shift(day: date, days: int) -> date | None:
    """Return the day so many days later, or None outside the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def shift_months(day: date, months: int) -> date | None:
    """Return the same day so many months later, the month's last where it is shorter; None outside the calendar."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return None
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def month_end(year: int, month: int) -> date:
    """Return the last day of that month."""
    return date(year, month, monthrange(year, month)[1])


def shift_working_days(day: date, days: int) -> date | None:
    """Return the day so many Mondays to Fridays later; bank holidays are counted as working days."""
    later: date | None = day - timedelta(days=max(0, day.weekday() - 4)) if day > date.min else day
    weeks, rest = divmod(days, 5)
    later = shift(later, weeks * 7) if later is not None else None
    while later is not None and rest:
        later = shift(later, 3 if later.weekday() == 4 else 1)
        rest -= 1
    return later
