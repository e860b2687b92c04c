"""Reads birthdays as phones, mail programs and people write them, and says in words what cannot be known.

A wrong date of birth in a record does harm for years, so nothing is guessed: where day and month could be
either way round, or the century is not written, the certain part is kept and the rest is said.
"""

from __future__ import annotations

import calendar
import re
from typing import Literal

import msgspec

DayOrder = Literal["day first", "day first, nothing else seen", "not known"]
"""How dates like 03/04/2011 are to be read in one file; see `day_order`."""

EARLIEST_YEAR = 1850
LATEST_YEAR = 2200
_NO_YEAR = "1604"  # Apple writes this leap year where only day and month are known

_ISO = re.compile(r"([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})(?:[T ]([0-9]{2}:?[0-9]{2})?[0-9:.+\-Z]*)?")
_YEAR_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_YEAR = re.compile(r"[0-9]{4}")
_MONTH_DAY = re.compile(r"--([0-9]{2})-?([0-9]{2})(?:T[0-9:.+\-Z]*)?")
_YEAR_FIRST = re.compile(r"([0-9]{4})[/.]([0-9]{1,2})[/.]([0-9]{1,2})")
_NUMBERS = re.compile(r"([0-9]{1,2})([/.\- ])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})")
_CLOCK_AFTER = re.compile(r"[ T,]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?: ?[AaPp][Mm])?Z?\Z")
_DAY_NAME = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[,. ]+(?=[0-9a-z])")
_DAY = r"([0-9]{1,2})(?:st|nd|rd|th)?"
_WORDED = re.compile(rf"(?:{_DAY}[\s\-/.]*(?:of )?)?([a-z]{{3,9}})\.?(?:[\s\-/,.]+([0-9]{{4}}|'?[0-9]{{2}}))?")
_WORDED_US = re.compile(rf"([a-z]{{3,9}})\.?\s+{_DAY}(?:[\s,]+([0-9]{{4}}))?")
_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTHS = {name: at for at, name in enumerate(_NAMES, 1)}
_MONTHS |= {name[:3]: at for name, at in _MONTHS.items()} | {"sept": 9}
_LONGEST_DATE = 60


class DateRead(msgspec.Struct, frozen=True):
    """A date as far as it is certain (`iso`, or empty), and in words what the file says beyond that."""

    iso: str = ""
    remark: str = ""


def read_date(text: str, order: DayOrder = "not known", what: str = "birthday") -> DateRead:
    """Read one date in any of the shapes that are met; never raises.

    `order` decides about 03/04/2011; `what` is what a remark calls the date. Neither ``0/0/00`` nor an empty
    text is a date, and neither is remarked on.
    """
    written = " ".join(text[: _LONGEST_DATE * 2].split())
    if not written.strip("0/.-: T"):
        return DateRead()
    if len(written) <= _LONGEST_DATE:
        found = _iso(written, what) or _numbers(_CLOCK_AFTER.sub("", written), order, what) or _worded(written, what)
        if found is not None:
            return found
    return DateRead(remark=_as_written(what, written))


def day_order(dates: list[str]) -> DayOrder:
    """Judge from all dates of one file whether a date like 03/04/2011 is written day first.

    One date with a thirteenth month shows that the file does not (or not always) write the day first, as
    people in Britain do; then such dates are left to a person.
    """
    day_first = month_first = False
    for text in dates:
        match = _NUMBERS.fullmatch(_CLOCK_AFTER.sub("", text.strip()))
        if match:
            day_first |= int(match[1]) > 12 >= int(match[3])
            month_first |= int(match[3]) > 12 >= int(match[1])
    if month_first:
        return "not known"
    return "day first" if day_first else "day first, nothing else seen"


def _iso(written: str, what: str) -> DateRead | None:
    if match := _ISO.fullmatch(written):
        clock = (match[5] or "").replace(":", "")
        remark = f"time with the {what}: {clock[:2]}:{clock[2:]}" if clock.strip("0") else ""
        return _certain(match[1], match[3], match[4], what, written, remark)
    if match := _YEAR_FIRST.fullmatch(_CLOCK_AFTER.sub("", written)):
        return _certain(match[1], match[2], match[3], what, written)
    if match := _MONTH_DAY.fullmatch(written):
        return _certain("", match[1], match[2], what, written)
    if match := _YEAR_MONTH.fullmatch(written):
        return _certain(match[1], match[2], "", what, written)
    if _YEAR.fullmatch(written):
        return _certain(written, "", "", what, written)
    return None


def _numbers(written: str, order: DayOrder, what: str) -> DateRead | None:
    match = _NUMBERS.fullmatch(written)
    if not match:
        return None
    first, second, year = int(match[1]), int(match[3]), match[4]
    if second > 12 >= first:  # a thirteenth month: only the American way round makes a date of it
        return _with_century(year, second, first, what, written)
    if first > 12 or first == second or order == "day first":
        return _with_century(year, first, second, what, written)
    if order == "day first, nothing else seen":
        read = _with_century(year, first, second, what, written)
        if not read.iso:
            return read
        said = "read as day first; nothing in the file shows which way round"
        if read.remark:
            return DateRead(read.iso, f"{read.remark.removesuffix(')')}; {said})")
        return DateRead(read.iso, f"{_as_written(what, written)} ({said})")
    unsure = f"{what} as written: {written} (day and month could be either way round)"
    return DateRead(_certain(year, "", "", what, written).iso if len(year) == 4 else "", unsure)


def _worded(written: str, what: str) -> DateRead | None:
    lower = _DAY_NAME.sub("", _CLOCK_AFTER.sub("", written).lower(), count=1)
    if match := _WORDED.fullmatch(lower):
        day, month, year = match[1], match[2], match[3]
    elif match := _WORDED_US.fullmatch(lower):
        month, day, year = match[1], match[2], match[3]
    else:
        return None
    if month not in _MONTHS or not (day or (year and len(year) == 4)):
        return None
    if not day:
        return _certain(year, f"{_MONTHS[month]:02}", "", what, written)
    return _with_century((year or "").lstrip("'"), int(day), _MONTHS[month], what, written)


def _with_century(year: str, day: int, month: int, what: str, written: str) -> DateRead:
    if len(year) == 2:  # '14 is a child or a great-grandmother
        said = f"{_as_written(what, written)} (which century is not said)"
        return _certain("", str(month), str(day), what, written, said)
    return _certain(year, str(month), str(day), what, written)


def _certain(year: str, month: str, day: str, what: str, written: str, remark: str = "") -> DateRead:
    """Put the parts together if such a day exists in a year in which somebody alive or remembered was born."""
    if year == _NO_YEAR:
        year = ""
    if month and not day and not year:
        return DateRead(remark=_as_written(what, written))
    plausible = not year or EARLIEST_YEAR <= int(year) < LATEST_YEAR
    if plausible and month:
        plausible = 1 <= int(month) <= 12
    if plausible and day:
        plausible = 1 <= int(day) <= calendar.monthrange(int(year or "2000"), int(month))[1]
    if not plausible:
        return DateRead(remark=f"{_as_written(what, written)} (there is no such day)")
    date = year or "-"
    date += f"-{int(month):02}" if month else ""
    date += f"-{int(day):02}" if day else ""
    return DateRead(date, remark)


def _as_written(what: str, written: str) -> str:
    return f"{what} as written: {written}"
