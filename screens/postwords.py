"""How the state of the post reads in the top line: what only this laptop holds, in a few words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from leadworker.desk import PostState
from leadworker.words.saying import say_clock, say_count, say_time
from screens import glyphs
from screens.plain import BLANK, Content, Tone, join, plain


class Sent(Protocol):
    """What knows how far it has come."""

    @property
    def n(self) -> int: ...

    @property
    def sent_ms(self) -> int: ...


LONG_WITHOUT_SENDING_DAYS = 2
"""After so many days the top line says how long nothing was sent, in the colour of warnings."""


def unsent_words(state: PostState, now: datetime, wide: bool) -> Content:
    """Return the words for the top line, in full when `wide`; what else waits for a person is said after what waits to be sent."""
    words = _sending_words(state, now, wide)
    if state.to_take_in:
        words = join(words, plain(f", {state.to_take_in} to take in", Tone.SAFETY))
    return join(words, plain(f", {state.apart} apart", Tone.LATE)) if state.apart else words


def _sending_words(state: PostState, now: datetime, wide: bool) -> Content:
    if state.alarm:
        return plain("! look at Sync", Tone.LATE)
    if state.clock_warning:
        return plain("! this clock looks wrong", Tone.SOON)
    days = _days_since(state.last_sent_ms, now)
    if state.waiting and days > LONG_WITHOUT_SENDING_DAYS and state.word != "sending":
        return plain(f"{glyphs.OFFLINE} not sent for {days} days", Tone.SOON)
    match state.word:
        case "up to date" if state.late and not state.waiting:
            return plain(f"! {state.late:,} to hand in", Tone.SAFETY)
        case "sending":
            of = f" of {state.sending_of}" if state.sending_of else ""
            return plain(f"{glyphs.WAITING} {state.doing} {state.sending_done}{of}")
        case "up to date" if not state.waiting:
            when = say_clock(local(state.last_sent_ms, now)) if days == 0 and state.last_sent_ms else ""
            return join(plain(glyphs.ONLINE, Tone.GOOD), plain(f" all sent {when}".rstrip()))
        case "stuck":
            return plain(f"! {say_to_send(state.waiting)}, look at Sync" if wide else "! look at Sync", Tone.SOON)
        case "alone":
            return join(plain(glyphs.HERE, Tone.MUTED), plain(" on this laptop only" if wide else " this laptop only", Tone.MUTED))
    words = say_to_send(state.waiting) if state.waiting else "offline"
    if wide and state.waiting and state.word == "offline":
        words = f"offline, {words}"
    return join(plain(glyphs.OFFLINE, Tone.SAFETY), plain(f" {words}"))


def say_to_send(waiting: int) -> str:
    """Return ``4 to send``."""
    return f"{waiting:,} to send"


def local(ms: int, now: datetime) -> datetime:
    """Return UTC milliseconds as a moment in the time zone of `now`."""
    return datetime.fromtimestamp(ms / 1000, tz=UTC).astimezone(now.tzinfo)


def say_when(ms: int, now: datetime) -> str:
    """Return ``14:03``, ``yesterday 17:02``, ``Fri 14 Nov 09:12``, or ``never`` for 0."""
    return say_time(local(ms, now), now) if ms else "never"


def held_up(state: PostState, now: datetime) -> str:
    """Return what stands in the way of everything that waits, in a sentence; empty when nothing does."""
    if state.word == "offline" and state.offline_since_ms:
        return f"No network since {say_when(state.offline_since_ms, now)}. It is sent by itself once there is one."
    return state.sentence if state.word == "stuck" else ""


def waiting_words(row: Sent, joined: bool) -> Content:
    """Return where a thing is while the central store lacks something of it; once nothing is lacking, nothing is said."""
    if row.n or not joined:
        return BLANK
    if row.sent_ms:
        return plain(f"{glyphs.WAITING} on its way", Tone.SAFETY)
    return plain(f"{glyphs.HERE} here", Tone.MUTED)


def say_days(days: int) -> str:
    """Return ``3 days``."""
    return say_count(days, "day", "days")


def _days_since(ms: int, now: datetime) -> int:
    return (now - local(ms, now)).days if ms else 0
