"""Days and times in options: as people say them (``yesterday 4pm``, ``Thu 3.30pm``) or as ISO 8601, for scripts."""

from __future__ import annotations

from datetime import date, datetime, time

from leadworker.errors import NotUnderstood
from leadworker.text import one_line
from leadworker.words.first_line import read_first_line
from screens.reading import starts as start_said
from screens.reading import when as when_said

END_OF_DAY = time(23, 59, 59)


def happened(words: str, now: datetime) -> tuple[datetime, str]:
    """Return when something happened and how exactly that is known: ``exact``, ``about`` or ``day``. Looks back."""
    iso = _iso(words)
    if iso is not None:
        return iso, "exact" if len(words.strip()) > len("2025-11-14") else "day"
    read = read_first_line(words, now, ())
    if read.day is None and (read.at is None or not read.when_certain):
        raise NotUnderstood(f"“{one_line(words)[:40]}” is no day that leadworker can read. Write it as yesterday 4pm, or 14 Nov 16:00.")
    return when_said(read, now)


def starts(words: str, now: datetime) -> datetime:
    """Return when a visit starts. Looks forward; day and time are both needed, a time alone means the next such time today."""
    iso = _iso(words)
    if iso is not None and len(words.strip()) > len("2025-11-14"):
        return iso
    return start_said(words, now)


def until(words: str, now: datetime) -> datetime:
    """Return the last moment of a day that is past, or the moment itself: up to when a list goes."""
    iso = _iso(words)
    if iso is not None:
        return iso if len(words.strip()) > len("2025-11-14") else datetime.combine(iso.date(), END_OF_DAY).astimezone()
    day = read_first_line(words, now, ()).day
    if day is None:
        raise NotUnderstood(f"“{one_line(words)[:40]}” is no day that leadworker can read. Write it as 14 Nov, or 2025-11-14.")
    return datetime.combine(day, END_OF_DAY).astimezone()


def _iso(words: str) -> datetime | None:
    """Return an ISO 8601 day (as its noon) or moment, on this computer's clock where it names no other."""
    text = words.strip()
    try:
        if len(text) == len("2025-11-14"):
            return datetime.combine(date.fromisoformat(text), time(12)).astimezone()
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return None
