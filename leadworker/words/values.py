"""How the value of a field reads to people, by what its declaration says of it (`leadworker.record.kept`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from leadworker.clock import Moment
from leadworker.words.dates import say_born
from leadworker.words.saying import say_date, say_time

NOTHING = "nothing"


def say_value(says: str, value: str | int | bool, beside: Mapping[str, str | int | bool], now: datetime) -> str:
    """Return a value in words. `beside` holds what was written with it: for a time, its offset in minutes.

    A yes or no reads as what is declared for it, with what was written beside it as the reason: ``ended (dog moved out)``.
    """
    if says == "time" and isinstance(value, int):
        offset = next((other for other in beside.values() if isinstance(other, int)), None)
        when = Moment(value, offset or 0).local()
        return say_time(when if offset is not None else when.astimezone(now.tzinfo), now)
    if isinstance(value, bool):
        yes, _, no = (says or "yes/no").partition("/")
        reason = "" if value else next((str(other) for other in beside.values() if other), "")
        return f"{yes if value else no} ({reason})" if reason else (yes if value else no)
    if says == "day" and isinstance(value, str) and value:
        return _day(value, now)
    if says == "born" and isinstance(value, str):
        return say_born(value) or value or NOTHING
    return str(value) if value != "" else NOTHING


def _day(value: str, now: datetime) -> str:
    try:
        return say_date(date.fromisoformat(value), now.date())
    except ValueError:  # written by another program
        return value
