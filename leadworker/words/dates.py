"""When somebody was born, as far as it is known, and how old that makes them: never more exact than what was said."""

from __future__ import annotations

import re
from datetime import date

import msgspec

from leadworker.words.almanac import MONTH, make_day, month_end, month_number, shift, shift_months
from leadworker.words.saying import MONTHS, say_count

OLDEST = 130
"""Years: an age above it is a slip of the keys."""


class Born(msgspec.Struct, frozen=True):
    """A birth as it was told: a whole or partial ISO date (`2011-05-03`, `2011-05`, `2011`), or only an age.

    `born_on` is empty when only an age is known; `age_about` is then that age in years (1 or more), as of the day
    it was said.
    """

    born_on: str = ""
    age_about: int | None = None


_MOST_LETTERS = 60
_LEAD = re.compile(r"^(?:d\.?\s?o\.?\s?b\.?|date of birth|born(?: on| in)?|birthday)?\s*[:\-]?\s*", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?\Z")
_NUMERIC = re.compile(r"(\d{1,2})([/.\- ])(\d{1,2})\2(\d{4}|\d{2})\Z")
_MONTH_YEAR_NUMERIC = re.compile(r"(\d{1,2})[/.](\d{4})\Z")
_DAY_MONTH = re.compile(rf"(\d{{1,2}})(?:st|nd|rd|th)?\s*(?:of\s+)?[-/ ]?({MONTH})\.?,?[-/ ]*(\d{{4}}|'?\d{{2}})\Z")
_MONTH_DAY = re.compile(rf"({MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\Z")
_MONTH_YEAR = re.compile(rf"({MONTH})\.?,?\s*(\d{{4}})\Z")
_ABOUT_YEAR = re.compile(r"(?:about|around|approx\.?|circa|c\.?|~)\s*(\d{4})\Z")
_AGE = re.compile(
    r"(?:(?:age|aged|about|around|approx\.?|approximately|roughly|maybe|probably|circa|c\.|~)\s*)*"
    r"(\d{1,3})\s*(?:ish|[-/]|or|to)?\s*(?:(\d{1,3})\s*)?"
    r"(?:\?|ish|years?(?:\s+old)?|yrs?(?:\s+old)?|y\.?o\.?|y/o|\s)*\Z"
)
_NEARLY = re.compile(r"(?:nearly|almost|just under|not quite)\s+(\d{1,3})\Z")
_BABY = re.compile(r"(?:(?:age|aged|about|around|~)\s*)*(\d{1,2})\s*(m(?:on)?ths?|weeks?|wks?|days?)(?:\s+old)?\Z")


def read_born(text: str, today: date | None = None) -> Born | None:
    """Read a date of birth or an age as a person types it, day before month; None when it says neither.

    `3 May 2011`, `3/5/2011`, `May 2011`, `2011`, `about 14`, `14ish`. With `today` two-digit years are read too
    (`3/5/11`, the latest such year that is not to come), a baby's `7 months` gives the year, and a birth that is
    still to come is not accepted.
    """
    if len(text) > _MOST_LETTERS:
        return None
    words = _LEAD.sub("", " ".join(text.split()), count=1).lower().rstrip(" .")
    born = _read_date(words, today) or _read_age(words, today)
    if born is None or today is None or not born.born_on:
        return born
    bounds = born_between(born.born_on)
    return born if bounds is not None and bounds[0] <= today else None


def _read_date(words: str, today: date | None) -> Born | None:
    if match := _ISO.match(words):
        return _born(match[1], match[2], match[3], today)
    if match := _NUMERIC.match(words):
        return _born(match[4], match[3], match[1], today)
    if match := _MONTH_YEAR_NUMERIC.match(words):
        return _born(match[2], match[1], None, today)
    if match := _DAY_MONTH.match(words):
        return _born(match[3].lstrip("'"), str(month_number(match[2])), match[1], today)
    if match := _MONTH_DAY.match(words):
        return _born(match[3], str(month_number(match[1])), match[2], today)
    if match := _MONTH_YEAR.match(words):
        return _born(match[2], str(month_number(match[1])), None, today)
    return None


def _born(year_digits: str, month: str | None, day: str | None, today: date | None) -> Born | None:
    """Return the birth these digits say, or None when there is no such day."""
    year = int(year_digits)
    if len(year_digits) == 2:
        if today is None:
            return None
        year += today.year // 100 * 100
        whole = make_day(year, int(month or 1), int(day or 1))
        if whole is None or whole > today:
            year -= 100
    if not 1880 <= year <= 2199:
        return None
    if month is None:
        return Born(f"{year:04}")
    if day is None:
        return Born(f"{year:04}-{int(month):02}") if 1 <= int(month) <= 12 else None
    whole = make_day(year, int(month), int(day))
    return Born(whole.isoformat()) if whole else None


def _read_age(words: str, today: date | None) -> Born | None:
    if match := _BABY.match(words):
        return _baby(int(match[1]), match[2], today) if today is not None else None
    if (match := _ABOUT_YEAR.match(words)) and today is not None:
        age = today.year - int(match[1])
        return Born("", age) if 1 <= age <= OLDEST else None
    if match := _NEARLY.match(words):
        return Born("", int(match[1]) - 1) if 2 <= int(match[1]) <= OLDEST else None
    if match := _AGE.match(words):
        age = int(match[1])
        upper = int(match[2]) if match[2] else age
        return Born("", age) if 1 <= age <= upper <= OLDEST and upper - age <= 5 else None
    return None


def _baby(count: int, unit: str, today: date) -> Born | None:
    """Return the year in which a baby of that age was born; None when it may have been either of two years."""
    if unit[0] == "m":
        last, before = shift_months(today, -count), shift_months(today, -count - 1)
    else:
        step = 7 if unit[0] == "w" else 1
        last, before = shift(today, -count * step), shift(today, -(count + 1) * step)
    first = shift(before, 1) if before else None
    if first is None or last is None or first.year != last.year:
        return None
    return Born(f"{last.year:04}")


def born_between(born_on: str) -> tuple[date, date] | None:
    """Return the first and the last day that a whole or partial date of birth allows, None if it is none."""
    parts = born_on.split("-")
    if len(born_on) > len("2011-05-03") or len(parts) > 3 or not all(part.isdecimal() and part.isascii() for part in parts):
        return None
    year, month, day = (int(part) for part in [*parts, "0", "0"][:3])
    if len(parts) == 3:
        whole = make_day(year, month, day)
        return (whole, whole) if whole else None
    first = make_day(year, month or 1, 1) if len(parts) == 1 or month else None
    if first is None:
        return None
    return first, month_end(year, month or 12)


def age_words(born_on: str, age_about: int | None, age_said_on: str, today: date) -> str:
    """Return how old somebody is today, as honestly as what is known allows; nothing when nothing is known.

    `15` · `14 or 15` for a partial date · `7 months` under two years · `about 14` · `about 15 (said 14 in March
    2025)` when a year or more has gone by since the age was said. No age is None or 0; `age_said_on` is an ISO
    date or empty.
    """
    bounds = born_between(born_on) if born_on else None
    if bounds is not None:
        first, last = bounds
        if first > today:
            return ""
        return _between_words(first, min(last, today), today)
    if not age_about or not 1 <= age_about <= OLDEST:
        return ""
    said = born_between(age_said_on) if age_said_on else None
    if said is None or said[1] > today or (passed := _years(said[1], today)) < 1:
        return f"about {age_about}"
    month = f"{MONTHS[said[1].month - 1]} {said[1].year}"
    return f"about {age_about + passed} (said {age_about} in {month})"


def say_born(born_on: str, age_about: int | None = None) -> str:
    """Return a birth in words that `read_born` reads back: `3 May 2011`, `May 2011`, `2011`, `about 14` or nothing."""
    bounds = born_between(born_on) if born_on else None
    if bounds is None:
        return f"about {age_about}" if age_about else ""
    parts = born_on.split("-")
    words = [str(bounds[0].day)] if len(parts) == 3 else []
    words += [MONTHS[bounds[0].month - 1]] if len(parts) > 1 else []
    return " ".join([*words, f"{bounds[0].year:04}"])


def _between_words(first: date, last: date, today: date) -> str:
    oldest, youngest = _years(first, today), _years(last, today)
    if oldest >= 2:
        return str(oldest) if oldest == youngest else f"{youngest} or {oldest}"
    if (last - first).days > 31:
        return f"under {oldest + 1}"
    if first == last and (today - first).days < 56:
        return _newborn((today - first).days)
    least, most = _months(last, today), _months(first, today)
    if least < 1:
        return f"under {say_count(most + 1, 'month', 'months')}"
    return say_count(most, "month", "months") if least == most else f"{least} or {most} months"


def _newborn(days: int) -> str:
    if days < 14:
        return say_count(days, "day", "days") if days else "born today"
    return say_count(days // 7, "week", "weeks")


def _years(born: date, today: date) -> int:
    """Return the whole years between; whoever was born on 29 February is a year older on 1 March."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _months(born: date, today: date) -> int:
    return (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
