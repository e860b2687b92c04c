"""Fits pieces of content into lines of a given width: two-sided lines, hanging indents, cuts with a sign.

All widths are in cells. Every function returns content that is at most `width` cells wide.
"""

from __future__ import annotations

from screens.glyphs import CUT
from screens.plain import BLANK, Content, Tone, join, plain


def cut(content: Content, width: int) -> Content:
    """Return `content` in one line of at most `width` cells, with a sign where something was cut off."""
    if width <= 0:
        return BLANK
    if content.cell_length <= width:
        return content
    if width == 1:
        return plain(CUT, Tone.MUTED)
    return join(content.truncate(width - 1), plain(CUT, Tone.MUTED))


def pad(content: Content, width: int) -> Content:
    """Return `content` cut or filled up with spaces to exactly `width` cells."""
    content = cut(content, width)
    return content.pad_right(width - content.cell_length)


def sides(left: Content, right: Content, width: int, gap: int = 1) -> Content:
    """Return one line: `left` from the left edge, shrinking where it must; `right` at the right edge, whole.

    When even `right` alone is too wide, the left is given the line: what a row is about comes first.
    """
    if not right:
        return cut(left, width)
    room = width - right.cell_length - gap
    if room < min(8, left.cell_length):
        return cut(left, width)
    return join(pad(left, room), " " * gap, right)


def hang(first: Content, text: Content, width: int, indent: int | None = None) -> list[Content]:
    """Return `text` wrapped behind `first`, later lines indented by `indent` (the width of `first` by default).

    Never cuts: alerts and what people wrote are shown whole, however narrow the window.
    """
    inner = first.cell_length if indent is None else indent
    if width - max(inner, first.cell_length) < 8:  # too narrow to indent: read it straight down
        return join(first, text).wrap(max(width, 1))
    if inner == first.cell_length:
        lines = text.wrap(width - inner)
        return [join(first if at == 0 else " " * inner, line) for at, line in enumerate(lines)]
    head = text.wrap(width - first.cell_length)
    lines = [join(first, head[0])]
    if len(head) > 1:
        used = len(head[0].plain)
        remaining = text[used:]
        while remaining.plain[:1] == " ":
            remaining = remaining[1:]
        if remaining.plain[:1] == "\n":
            remaining = remaining[1:]
        lines += [join(" " * inner, line) for line in remaining.wrap(width - inner)]
    return lines


def side_by_side(columns: list[tuple[Content, int]]) -> Content:
    """Return one line from `(content, width)` columns, each cut or filled to its width."""
    return join(*(pad(content, width) for content, width in columns))


def flow(pieces: list[Content], width: int, gap: str = "   ") -> list[Content]:
    """Return the pieces in as few lines as they need, several on a line where they fit whole.

    A piece that is wider than the line gets lines of its own and wraps: nothing is cut.
    """
    lines: list[Content] = []
    line = BLANK
    for piece in pieces:
        if line and line.cell_length + len(gap) + piece.cell_length <= width:
            line = join(line, gap, piece)
            continue
        if line:
            lines.append(line)
        if piece.cell_length > width:
            lines.extend(hang(piece[:2], piece[2:], width))
            line = BLANK
        else:
            line = piece
    if line:
        lines.append(line)
    return lines


def rule(width: int) -> Content:
    """Return a quiet line across."""
    return plain("─" * max(width, 0), Tone.LINE)
