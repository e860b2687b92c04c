"""The column that a list grows in: it scrolls for the list, up to the words that stand above the first one."""

from __future__ import annotations

from textual.widget import Widget


def column_of(grown: Widget) -> Widget:
    """Return what scrolls a list that is as tall as its rows."""
    column: Widget = grown
    while isinstance(column.parent, Widget) and (column is grown or column.styles.overflow_y == "hidden"):
        column = column.parent
    return column


def scroll_a_third(scroller: Widget, step: int) -> None:
    """Scroll a third of the window up (-1) or down (1)."""
    scroller.scroll_relative(y=step * max(1, scroller.scrollable_content_region.height // 3), animate=False, force=True)
