"""The only door from words to a widget: `plain` makes text harmless and gives it a tone (security C.9 item 2).

A bare `str` that reaches a widget is read as markup: a note holding ``[@click=…]`` would press our own buttons,
and a stray bracket would end the program. So no other file of this room builds `Content`, and a test holds that.

How to build a line from parts::

    join(plain(person.name, Tone.STRONG), "  ", plain(person.age_words, Tone.MUTED))

`join` takes pieces that went through `plain`, and short literals of our own, which it sends through `plain` too.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from textual.content import Content

from leadworker.text import clean

__all__ = ["BLANK", "Content", "Tone", "join", "marked", "plain", "run_on", "single"]


class Tone(StrEnum):
    """How words look, by what they are. The colours are those of the theme (`screens.themes`)."""

    PLAIN = ""
    STRONG = "bold"
    """The person, the title of a row."""
    HEADING = "bold $primary"
    """Headings of panels, and nothing else."""
    KEY = "bold $primary"
    MUTED = "$muted"
    """Facts about facts: when, who, how long."""
    SAFETY = "$warning"
    SOON = "bold $warning"
    LATE = "bold $error"
    WRONG = "$error"
    GOOD = "$good"
    NEXT = "$primary"
    SAID = "italic $words"
    """The person's own words; the bar and the quotes carry it where there is no italic."""
    SAID_BAR = "$words"
    HIT = "underline $primary"
    """What matched a search."""
    LINE = "$line"


BLANK = Content("")


def plain(text: str, tone: Tone = Tone.PLAIN) -> Content:
    """Return `text` as content that can do nothing but be read. Line breaks stay."""
    return Content.styled(clean(text), tone.value)


def single(text: str, tone: Tone = Tone.PLAIN) -> Content:
    """Return `text` on one line: breaks become spaces. For names, titles and rows of a list."""
    return Content.styled(clean(text).replace("\n", " "), tone.value)


def join(*parts: Content | str) -> Content:
    """Return the parts one after another."""
    return Content.assemble(*(part if isinstance(part, Content) else plain(part) for part in parts))


def run_on(parts: Iterable[Content | str], between: str = "  ") -> Content:
    """Return the parts that are not empty, with `between` between them."""
    kept = [part if isinstance(part, Content) else plain(part) for part in parts if part]
    return plain(between, Tone.MUTED).join(kept) if kept else BLANK


def marked(text: str, spans: Iterable[tuple[int, int]], tone: Tone = Tone.PLAIN, mark: Tone = Tone.HIT) -> Content:
    """Return `text` on one line with the characters of `spans` (start, end) marked, as found by a search.

    Cleaning may drop characters; spans are then only shown when the text was already clean.
    """
    content = single(text, tone)
    if content.plain != text:
        return content
    for start, end in spans:
        content = content.stylize(mark.value, start, end)
    return content
