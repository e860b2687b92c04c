"""The icons, one cell each, and what stands for them where a terminal knows only ASCII.

Screens always draw with the Unicode icons. Where the terminal cannot show them, one filter translates
every cell on its way out, cell for cell, so that nothing in a layout moves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

LATE = "!"
DUE = "•"
OPEN = "○"
DONE = "✓"
SAFETY = "▲"
ACCESS = "→"
NEXT = "→"
WAITING = "↑"
HERE = "○"
OFFLINE = "○"
ONLINE = "●"
DRAFT = "✎"
SAID = "▎"
QUOTE = "“"
UNQUOTE = "”"
CUT = "…"
RETURN = "⏎"
BAR = "▌"

ASCII_FOR: dict[str, str] = {
    DUE: "*", OPEN: "o", DONE: "x", SAFETY: "!", NEXT: ">", WAITING: "^", ONLINE: "*", DRAFT: "+",
    SAID: "|", QUOTE: '"', UNQUOTE: '"', CUT: "~", RETURN: "<", BAR: "|",
    "‘": "'", "’": "'", "–": "-", "—": "-", "‹": "<", "›": ">",
    "█": "#", "▊": "|", "▐": "|", "┃": "|", "│": "|", "━": "=", "─": "-", "┄": ".", "╸": "=", "╺": "=",
    "▔": " ", "▁": " ", "▂": " ", "▃": " ", "▄": " ", "▅": " ", "▆": " ", "▇": " ", "░": "#",
    "\N{REPLACEMENT CHARACTER}": "?", "\u00a0": " ",
}  # fmt: skip
"""What stands for each icon, and for the block elements of borders, scrollbars and progress bars."""

_TABLE = {ord(icon): plain for icon, plain in ASCII_FOR.items()}


def wants_ascii(asked: bool | None, environ: Mapping[str, str], encoding: str | None) -> bool:
    """Say whether to draw in ASCII: when asked for, else when the terminal cannot show more.

    `asked` is the setting (None: decide here), `encoding` that of the stream that the terminal reads.
    """
    if asked is not None:
        return asked
    return environ.get("TERM", "") in ("linux", "dumb") or not writes_unicode(encoding)


def writes_unicode(encoding: str | None) -> bool:
    """Say whether a stream of this encoding can write every character."""
    return (encoding or "").lower().replace("_", "-").startswith(("utf-8", "utf8", "utf-16", "cp65001"))


@lru_cache(maxsize=8192)
def to_ascii(text: str, encoding: str | None = None) -> str:
    """Return `text` with icons in ASCII. Letters that `encoding` cannot write lose their accents or become `?`.

    The result takes exactly as many cells as `text` did.
    """
    text = text.translate(_TABLE)
    if text.isascii() or writes_unicode(encoding):
        return text
    return "".join(_letter(character, encoding or "ascii") for character in text)


def _letter(character: str, encoding: str) -> str:
    try:
        character.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        cells = cell_len(character)
        base = unicodedata.normalize("NFKD", character)[:1]
        return base if cells == 1 and base.isascii() else "?" * cells
    return character


class AsciiFilter(LineFilter):
    """Translates every line of the screen to ASCII icons; `encoding` as in `to_ascii`."""

    def __init__(self, encoding: str | None) -> None:
        super().__init__()
        self._encoding = encoding

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with their text translated, styles untouched."""
        return [Segment(to_ascii(text, self._encoding), style, control) for text, style, control in segments]
