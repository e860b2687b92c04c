"""How a journal entry reads: its two clocks, where it is, and each kind of statement apart from the others."""

from __future__ import annotations

from datetime import datetime

from leadworker.clock import Moment
from leadworker.domain.actions import ActionRow
from leadworker.domain.journal import CONTINUED, EntryView
from leadworker.words.kinds import EntryKind
from leadworker.words.saying import say_clock, say_date, say_day, say_length, say_time
from screens import glyphs
from screens.filewords import file_words
from screens.lines import cut, hang, sides
from screens.plain import Content, Tone, join, plain, run_on, single
from screens.postwords import local
from screens.rows import due_words

_KINDS = frozenset(kind.value for kind in EntryKind)

INDENT = 2


def entry_lines(entry: EntryView, width: int, now: datetime) -> list[Content]:
    """Return an entry whole: reading is the work, so nothing is shortened but the facts in its first line."""
    first = _first_line(entry, now)
    lines = [sides(first, where_words(entry, now, width - first.cell_length - 1), width)]
    if entry.title:
        lines += _indented(plain(entry.title, Tone.STRONG), width)
    if entry.seen:
        lines += _labelled("Seen", entry.seen, width)
    lines += said_lines(entry.said, width)
    if entry.noticed:
        lines += _indented(plain(entry.noticed), width)
    if entry.think:
        lines += _labelled("I think", entry.think, width)
    lines += _next_lines(entry, width, now)
    if entry.files:
        lines += _indented(plain(file_words(entry.files), Tone.MUTED), width)
    if entry.clock_doubt:
        lines += hang(plain("  ! ", Tone.SOON), plain("Written while this clock looked wrong.", Tone.MUTED), width)
    return lines


def where_words(entry: EntryView, now: datetime, room: int) -> Content:
    """Return where an entry is: here, on its way, or on the central store and since when, in words that fit into `room`."""
    match entry.whereabouts():
        case "here":
            return plain(f"{glyphs.HERE} here", Tone.MUTED)
        case "on its way":
            return plain(f"{glyphs.WAITING} on its way", Tone.SAFETY)
    when = short_time(local(entry.received_ms, now), now) if entry.received_ms else ""
    ways = (f" on the central store {when}".rstrip(), f" central store {when}".rstrip(), " central store")
    words = next((way for way in ways if len(way) < room), ways[-1])
    return join(plain(glyphs.DONE, Tone.GOOD), plain(words, Tone.MUTED))


def short_time(moment: datetime, now: datetime) -> str:
    """Return ``14:03`` for today, ``yesterday``, else the day."""
    return say_clock(moment) if moment.date() == now.date() else say_day(moment.date(), now.date())


def kind_words(kind: str, continues: str = "") -> str:
    """Return a kind of entry with a capital: ``Visit``; of a further part of a long note ``Visit, continued``."""
    said = EntryKind(kind).said if kind in _KINDS else kind[:1].upper() + kind[1:]
    return f"{said}, {CONTINUED}" if continues else said


def author_words(entry: EntryView) -> str:
    """Return ``You``, or the colleague's name; of words that came too late, whose they are and who took them in."""
    if entry.taken_in_from:
        return f"{entry.taken_in_from}, taken in by {'you' if entry.by_me else entry.written_by or 'somebody'}"
    return "You" if entry.by_me else entry.written_by or "somebody"


def said_lines(said: str, width: int) -> list[Content]:
    """Return the person's own words: a bar, quotes and italic, so that it shows also where there is no italic."""
    bar = plain(f"  {glyphs.SAID} ", Tone.SAID_BAR)
    lines: list[Content] = []
    for paragraph in said.split("\n"):
        if paragraph.strip():
            words = paragraph.strip().strip('“”"')
            for line in plain(f"{glyphs.QUOTE}{words}{glyphs.UNQUOTE}", Tone.SAID).wrap(max(width - 4, 8)):
                lines.append(join(bar, line))
    return lines


def _first_line(entry: EntryView, now: datetime) -> Content:
    happened, recorded = entry.happened().local(), entry.recorded().local()
    day = say_date(happened.date(), now.date())
    clock = f" {say_clock(happened)}" if entry.precision == "exact" else ""
    facts = [single(entry.place, Tone.MUTED)] if entry.place else []
    if entry.minutes:
        facts.append(plain(say_length(entry.minutes), Tone.MUTED))
    facts.append(single(author_words(entry), Tone.MUTED))
    if (recorded.date() - happened.date()).days > 1:
        facts.append(plain(f"written {say_day(recorded.date(), now.date())}", Tone.MUTED))
    kind = kind_words(entry.kind, entry.continues)
    return join(plain(f"{day}{clock}", Tone.STRONG), "  ", plain(kind, Tone.HEADING), "  ", run_on(facts, ", "))


def _indented(words: Content, width: int) -> list[Content]:
    return hang(plain(" " * INDENT), words, width)


def _labelled(label: str, text: str, width: int) -> list[Content]:
    return hang(join(" " * INDENT, plain(label, Tone.MUTED), "  "), plain(text), width, INDENT)


def _next_lines(entry: EntryView, width: int, now: datetime) -> list[Content]:
    if not entry.actions:
        sign = plain(f"  {glyphs.NEXT} ", Tone.NEXT)
        return [line for words in entry.next_steps.split("\n") if words.strip() for line in hang(sign, plain(words), width)]
    return [line for action in entry.actions for line in _action_lines(action, width, now)]


def _action_lines(action: ActionRow, width: int, now: datetime) -> list[Content]:
    _, due = due_words(action, now.date())
    sign = plain(f"  {glyphs.DONE} ", Tone.GOOD) if action.done_on else plain(f"  {glyphs.NEXT} ", Tone.NEXT)
    owner = plain("You" if action.mine else action.owner, Tone.MUTED)
    return hang(sign, join(plain(action.text), "  ", run_on([owner, due], ", ")), width)


def entry_summary(entry: EntryView, now: datetime, width: int) -> Content:
    """Return an entry in one line, for a list of finds."""
    return cut(join(plain(f"{kind_words(entry.kind)}, {say_date(entry.happened().day(), now.date())}")), width)


def clocks_words(entry: EntryView, now: datetime) -> Content:
    """Return both clocks of an entry in a sentence: when it happened, and when it was written down."""
    happened, recorded = entry.happened().local(), entry.recorded().local()
    when = say_time(happened, now) if entry.precision == "exact" else say_day(happened.date(), now.date())
    if entry.taken_in_from:
        wrote = say_time(Moment(entry.taken_in_ms, entry.taken_in_offset).local(), now)
        who = "you" if entry.by_me else entry.written_by or "somebody"
        said = f"Written {wrote} by {entry.taken_in_from}, who could not send it; taken in {say_time(recorded, now)} by {who}."
        return plain(f"Happened {when}. {said}", Tone.MUTED)
    return plain(f"Happened {when}. Written {say_time(recorded, now)} by {'you' if entry.by_me else author_words(entry)}.", Tone.MUTED)
