"""The last filter before bytes leave for the terminal (security C.9 item 3).

Everything that is shown was already cleaned twice. This is the third wall: whatever a widget hands over,
also one that renders its own value, no control character and no direction control in it reaches the terminal.
"""

from __future__ import annotations

import re

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_OBEYED = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction controls
    "\u2028\u2029\ufeff"
    "\ud800-\udfff"  # half a pair: cannot be written at all
    "\U000e0000-\U000e007f]"  # tags
)

_render = Strip.render
_render_style = Strip.render_style.__func__  # type: ignore[attr-defined]


def harmless(text: str) -> str:
    """Return `text` with every character that a terminal would obey replaced by a visible mark."""
    return _OBEYED.sub(REPLACEMENT, text)


def _render_filtered(self: Strip, console: Console) -> str:
    """Stand in for `Strip.render`: the same, with the words of each segment made harmless first."""
    if self._render_cache is None and any(control is None and _OBEYED.search(text) for text, _, control in self._segments):
        self._segments = [
            segment if segment.control is not None else Segment(harmless(segment.text), segment.style) for segment in self._segments
        ]
    return _render(self, console)


def _render_style_filtered(cls: type[Strip], style: Style, text: str, color_system: ColorSystem) -> str:
    """Stand in for `Strip.render_style`, which writes a style's link into an escape sequence as it is."""
    if style.link is not None and _OBEYED.search(style.link):
        style = style.update_link(None)
    rendered: str = _render_style(cls, style, text, color_system)
    return rendered


def install() -> None:
    """Put the filter in place. Doing it twice changes nothing."""
    setattr(Strip, "render", _render_filtered)  # noqa: B010
    setattr(Strip, "render_style", classmethod(_render_style_filtered))  # noqa: B010
