"""How days, times, lengths, visits and counts are said to people: British, 24-hour clock, no locale.

The caller passes today or now; nothing here reads a clock.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from leadworker.text import one_line

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
"""The months in order; January is at 0."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""The days of the week in the order of `date.weekday`."""

_NEARBY = {-1: "yesterday", 0: "today", 1: "tomorrow"}
_ASSUMED_VISIT = timedelta(hours=1)  # a diary visit without an end is taken as over an hour after it began
_SOON = timedelta(hours=6)  # a visit after midnight that is nearer than this is still said as a wait


def say_date(day: date, today: date) -> str:
    """Return `Thu 20 Nov`, with the year when it is not this one: `Thu 20 Nov 2025`."""
    said = f"{WEEKDAYS[day.weekday()][:3]} {day.day} {MONTHS[day.month - 1][:3]}"
    return said if day.year == today.year else f"{said} {day.year}"


def say_day(day: date, today: date) -> str:
    """Return `yesterday`, `today` or `tomorrow`, and any other day as `Thu 20 Nov`."""
    return _NEARBY.get((day - today).days) or say_date(day, today)


def say_due(day: date, today: date) -> str:
    """Return when something is due; what is late is always said as late, never as a bare date."""
    late = (today - day).days
    return f"{say_count(late, 'day', 'days')} late" if late > 0 else say_day(day, today)


def say_time(moment: datetime, now: datetime) -> str:
    """Return `14:03`, `yesterday 17:02` or `Fri 14 Nov 09:12`, as the clock on the writer's wall showed it.

    `moment` is never moved into the reader's time zone: a record reads as its writer's clock did.
    """
    clock = say_clock(moment)
    day = moment.date()
    return clock if day == now.date() else f"{say_day(day, now.date())} {clock}"


def say_clock(moment: datetime) -> str:
    """Return the time of day as `09:12`."""
    return f"{moment.hour:02}:{moment.minute:02}"


def say_length(minutes: int) -> str:
    """Return `50 min`, `1 h` or `2 h 28`."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest}" if rest else f"{hours} h"


def say_visit(starts: datetime, ends: datetime | None, now: datetime, written_up: bool) -> str:
    """Return where a visit in the diary stands, seen from `now`.

    `in 58 min`, `in 2 h 28`, `now`, `ended, not written up` or `written up`; a visit on another day is said
    with its day and time. Without `ends` an hour is assumed. When some moments have a time zone and others
    have none, the clocks are compared as they stand.
    """
    if written_up:
        return "written up"
    starts, ends, now = _alike(starts, ends, now)
    if now >= starts:
        over = now >= ends if ends is not None and ends > starts else now - starts >= _ASSUMED_VISIT
        return "ended, not written up" if over else "now"
    wait = starts - now
    if starts.date() != now.date() and wait >= _SOON:
        return say_time(starts, now)
    return f"in {say_length(int(wait.total_seconds()) // 60)}"


def say_count(n: int, one: str, many: str) -> str:
    """Return the number with the right form of the word: `1 comment`, `2 comments`, `1,204 notes`."""
    return f"{n:,} {one if n == 1 else many}"


def initials(name: str) -> str:
    """Return the first letter of each part of a name, hyphened parts too: `KOL` for Keira Okafor-Lane."""
    parts = one_line(name).replace("-", " ").replace("‑", " ").split()
    letters = (next((c for c in part if c.isalnum()), "") for part in parts)
    return "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in letters)


def _alike(starts: datetime, ends: datetime | None, now: datetime) -> tuple[datetime, datetime | None, datetime]:
    """Return the moments cut to the minute, as the clock in the top line shows it, and fit to be compared."""
    moments = [moment for moment in (starts, ends, now) if moment is not None]
    zones = len({moment.tzinfo is None for moment in moments})
    if zones > 1:
        moments = [moment.replace(tzinfo=None) for moment in moments]
    cut = [moment.replace(second=0, microsecond=0) for moment in moments]
    return cut[0], (cut[1] if ends is not None else None), cut[-1]
