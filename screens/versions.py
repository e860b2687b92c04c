"""How versions of one thing read that people wrote apart: whose, when, where, beside one another where there is room."""

from __future__ import annotations

from datetime import datetime

from leadworker.clock import Moment
from leadworker.domain.conflicts import Conflict, Version
from leadworker.words.saying import say_time
from screens.lines import hang, side_by_side
from screens.plain import BLANK, Content, Tone, join, plain, run_on, single
from screens.postwords import local

SIDE_BY_SIDE_FROM = 58
"""Width from which two versions stand beside one another."""

TALLEST_BESIDE = 4
"""Lines of a version up to which it stands beside the other; longer ones read better across the whole width."""

INDENT = "  "


def conflict_lines(shown: Conflict, width: int, now: datetime) -> list[Content]:
    """Return an open conflict whole: whom it is about, what, each version, and what counts meanwhile."""
    lines = [*about_lines(shown, width)]
    beside = _beside(shown, width, now)
    for version in () if beside else shown.versions:
        lines += version_lines(version, width, now)
    lines += beside
    return [*lines, *hang(plain(INDENT), plain(shown.meanwhile, Tone.MUTED), width)]


def about_lines(shown: Conflict, width: int) -> list[Content]:
    """Return whom and what a conflict is about."""
    title = single(shown.title, Tone.MUTED)
    words = run_on([single(shown.person_name or "Somebody", Tone.STRONG), title, plain(shown.what, Tone.LATE)])
    return hang(plain("! ", Tone.LATE), words, width)


def version_lines(version: Version, width: int, now: datetime) -> list[Content]:
    """Return one version across the whole width, never shortened: who, when and where it is, then its words."""
    head = join(INDENT, plain(owner_words(version), Tone.HEADING), "  ", _facts(version, now))
    return [*head.wrap(width), *hang(plain(INDENT * 2), plain(version.words), width)]


def owner_words(version: Version) -> str:
    """Return ``yours`` or ``Ruth's``."""
    return "yours" if version.by_me else f"{version.written_by}'s"


def _facts(version: Version, now: datetime) -> Content:
    when = wrote_words(version.wrote_ms, version.wrote_offset, now)
    return plain(f"{when}, {place_words(version.n, version.sent_ms, version.received_ms, now)}", Tone.MUTED)


def wrote_words(ms: int, offset: int, now: datetime) -> str:
    """Return when something was written, by its writer's clock."""
    return say_time(Moment(ms, offset).local(), now)


def place_words(n: int, sent_ms: int, received_ms: int, now: datetime) -> str:
    """Return where a change is: ``here``, ``on its way``, ``on the central store 14:03``."""
    if not n:
        return "on its way" if sent_ms else "here"
    return f"on the central store {say_time(local(received_ms, now), now)}" if received_ms else "on the central store"


def _beside(shown: Conflict, width: int, now: datetime) -> list[Content]:
    """Return two versions side by side, yours on the left; nothing where they do not fit so."""
    if len(shown.versions) != 2 or width < SIDE_BY_SIDE_FROM:
        return []
    room = (width - 3 * len(INDENT)) // 2
    ordered = sorted(shown.versions, key=lambda version: not version.by_me)
    columns = [_column(version, room, now) for version in ordered]
    if any(len(column) > TALLEST_BESIDE + 3 for column in columns):
        return []
    rows = []
    for at in range(max(len(column) for column in columns)):
        left, right = (column[at] if at < len(column) else BLANK for column in columns)
        rows.append(side_by_side([(plain(INDENT), len(INDENT)), (left, room), (plain(INDENT), len(INDENT)), (right, room)]))
    return rows


def _column(version: Version, room: int, now: datetime) -> list[Content]:
    when = plain(wrote_words(version.wrote_ms, version.wrote_offset, now), Tone.MUTED)
    where = plain(place_words(version.n, version.sent_ms, version.received_ms, now), Tone.MUTED)
    return [single(owner_words(version), Tone.HEADING), *plain(version.words).wrap(room), when, where]
