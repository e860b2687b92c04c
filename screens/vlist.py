"""The house list: draws only the rows that are on the screen, so that 100,000 of them cost no more than 100.

Rows may differ in height and wrap. Each has a key: when the list is shown anew, the cursor stays on the same
thing, at the same height of the screen. Headings are rows that the cursor passes over. Arrows run on from the
last row of one list to the first of the next. A click selects, a second click opens.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from screens.columns import column_of, scroll_a_third
from screens.heights import Heights
from screens.lines import sides
from screens.list_message import ListMessage
from screens.plain import BLANK, Content

Item = TypeVar("Item")
Drawn_contra = TypeVar("Drawn_contra", contravariant=True)

NEAR_END = 40
"""Rows before the last one at which a list asks for more (`VList.NearEnd`)."""

_KEPT_ROWS = 600  # drawn rows kept; a screen shows at most about a hundred


@dataclass(frozen=True, slots=True)
class Heading:
    """A row that only says what follows: `words` at the left, `fact` at the right."""

    words: Content
    fact: Content = BLANK


class Draw(Protocol[Drawn_contra]):
    """Draws one row: lines of at most `width` cells. Called again whenever the width changes."""

    def __call__(self, item: Drawn_contra, width: int, /) -> Sequence[Content]: ...


class VList(ScrollView, Generic[Item], can_focus=True, inherit_bindings=False):
    """A list of things. `draw` and `key` say how one looks and what makes it the same one later."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "step(-1)", show=False),
        Binding("down", "step(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter", "open", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"vlist--selected"}
    ALLOW_SELECT = False

    DEFAULT_CSS = """
    VList {
        width: 100%;
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        background: $background;
        color: $foreground;
        border-left: outer $background;
        padding: 0 0 0 1;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
    }
    VList:focus { border-left: outer $primary; }
    VList > .vlist--selected { background: $block-cursor-background; color: $foreground; }
    VList.-grows { height: auto; overflow-y: hidden; scrollbar-gutter: auto; }
    """

    class Moved(ListMessage):
        """The cursor came to another item, or to none (`item` is None)."""

    class Opened(ListMessage):
        """Somebody pressed Enter on `item`, or clicked it when it was selected."""

    class NearEnd(ListMessage):
        """The cursor is near the last row: a good moment to bring more."""

    def __init__(
        self,
        draw: Draw[Item],
        key: Callable[[Item], str],
        *,
        height: int | None = None,
        gap: int = 0,
        title: Content = BLANK,
        empty: Content = BLANK,
        grows: bool = False,
        keep_lit: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Make an empty list.

        `height`: lines of every row when they are all alike (nothing needs measuring then).
        `gap`: blank lines after each row that are never highlighted. `title`: a heading above the rows.
        `empty`: what to say when there is nothing. `grows`: as tall as its rows, for lists inside a
        scrolling column. `keep_lit`: the selected row stays lit while another widget has the focus.
        """
        super().__init__(id=id, classes=classes)
        self._draw = draw
        self._key = key
        self._row_lines = height
        self._gap = gap
        self._title, self._fact = title, BLANK
        self._empty = empty
        self._grows = grows
        self._keep_lit = keep_lit
        self._items: Sequence[Item | Heading] = ()
        self._has_headings = False
        self._cursor: int | None = None
        self._wanted: str | None = None
        self._just_focused = False
        self._heights: tuple[int, Heights] | None = None
        self._lines: OrderedDict[tuple[int, int], list[Content]] = OrderedDict()
        self._strips: OrderedDict[tuple[int, int, bool], list[Strip]] = OrderedDict()
        self.set_class(grows, "-grows")

    # what is in it

    def show(self, items: Sequence[Item | Heading], select: str | None = None) -> None:
        """Show these items. The cursor stays on the item with the same key, or goes to the one keyed `select`.

        A wanted key that is not there yet is remembered for the next time.
        """
        old, wanted = self._cursor, select or self._wanted or self.selected_key
        above = None if old is None or self._inner <= 0 else self._top_of(old) - self.scroll_offset.y
        self._items = items
        self._has_headings = any(isinstance(item, Heading) for item in items)
        self._forget()
        self._cursor = self._find(wanted, old)
        self._wanted = None if self.selected_key == wanted else select or self._wanted
        self._relayout()
        if self._cursor is not None and above is not None and not self._grows:
            self.scroll_to(y=max(0, self._top_of(self._cursor) - above), animate=False, force=True)
        self.post_message(self.Moved(self, self.selected))
        self.refresh(layout=True)
        if select is not None and self.selected_key == select:
            self.call_after_refresh(self._bring_into_view, at_top=True)  # not under a notice at the bottom

    def say_when_empty(self, words: Content) -> None:
        """Change what is said when there is nothing."""
        self._empty = words
        self._relayout()
        self.refresh(layout=True)

    def entitle(self, title: Content, fact: Content = BLANK) -> None:
        """Change the heading above the rows."""
        self._title, self._fact = title, fact
        self._relayout()
        self.refresh(layout=True)

    @property
    def items(self) -> Sequence[Item | Heading]:
        """What was given to `show`."""
        return self._items

    @property
    def selected(self) -> Item | None:
        """The item that the keys act on."""
        item = None if self._cursor is None else self._items[self._cursor]
        return None if isinstance(item, Heading) else item

    @property
    def selected_key(self) -> str | None:
        """The key of the selected item."""
        item = self.selected
        return None if item is None else self._key(item)

    def select(self, key: str) -> bool:
        """Put the cursor on the item with this key, if it is there; say whether it was."""
        at = self._position(key)
        if at is not None:
            self._go(at)
        return at is not None

    def _position(self, key: str) -> int | None:
        for at, item in enumerate(self._items):
            if not isinstance(item, Heading) and self._key(item) == key:
                return at
        return None

    def _find(self, wanted: str | None, old: int | None) -> int | None:
        if wanted is not None and (at := self._position(wanted)) is not None:
            return at
        near = min(old or 0, len(self._items) - 1)
        at = self._next(near - 1, 1)
        return at if at is not None else self._next(near + 1, -1)

    # where everything is

    def _forget(self) -> None:
        self._heights = None
        self._lines.clear()
        self._strips.clear()

    def _measured(self, width: int) -> Heights:
        if self._heights is not None and self._heights[0] == width:
            return self._heights[1]
        uniform = None if self._has_headings or self._row_lines is None else self._row_lines + self._gap
        count = len(self._items)
        heights = Heights(count, uniform, (self._row_height(at, width) for at in range(count)))
        self._heights = (width, heights)
        return heights

    def _row_height(self, at: int, width: int) -> int:
        if isinstance(self._items[at], Heading):
            return 1 if at == 0 else 2
        drawn = self._row_lines if self._row_lines is not None else len(self._row(at, width))
        return drawn + self._gap

    @property
    def _head(self) -> int:
        return 1 if self._title else 0

    @property
    def _inner(self) -> int:
        return self.scrollable_content_region.width

    def _top_of(self, at: int) -> int:
        return self._head + self._measured(self._inner).start(at)

    def _total(self, width: int) -> int:
        if not self._items:
            return self._head + (len(self._empty.wrap(width)) if self._empty else 0)
        return self._head + self._measured(width).total - self._gap

    def _relayout(self) -> None:
        width = self._inner
        if width > 0:
            self.virtual_size = Size(width, self._total(width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines everything needs at this width."""
        return max(1, self._total(width)) if width > 0 else 1

    def on_resize(self) -> None:
        """Measure anew; the selected row stays in view."""
        self._relayout()
        if self.has_focus:
            self.call_after_refresh(self._bring_into_view)

    def notify_style_update(self) -> None:
        """Draw anew in the colours of another theme."""
        self._strips.clear()
        super().notify_style_update()

    # drawing

    def _row(self, at: int, width: int) -> list[Content]:
        kept = self._lines.get((at, width))
        if kept is None:
            item = self._items[at]
            if isinstance(item, Heading):
                kept = [sides(item.words, item.fact, width)]
                kept = kept if at == 0 else [BLANK, *kept]
            else:
                kept = list(self._draw(item, width))
            self._lines[at, width] = kept
            if len(self._lines) > _KEPT_ROWS:
                self._lines.popitem(last=False)
        return kept

    def _drawn(self, at: int, width: int, lit: bool) -> list[Strip]:
        kept = self._strips.get((at, width, lit))
        if kept is None:
            kept = [self._strip(line, width, lit) for line in self._row(at, width)]
            self._strips[at, width, lit] = kept
            if len(self._strips) > _KEPT_ROWS:
                self._strips.popitem(last=False)
        return kept

    def _strip(self, line: Content, width: int, lit: bool = False) -> Strip:
        style = self.get_visual_style("vlist--selected") if lit else self.visual_style
        strip = Strip(line.render_segments(style), line.cell_length)
        return strip.adjust_cell_length(width, style.rich_style)

    def render_line(self, y: int) -> Strip:
        """Draw line `y` of what is visible."""
        width = self._inner
        line = y + self.scroll_offset.y
        if self._title and line == 0:
            return self._strip(sides(self._title, self._fact, width), width)
        line -= self._head
        if not self._items:
            words = self._empty.wrap(width) if self._empty else []
            return self._strip(words[line] if line < len(words) else BLANK, width)
        heights = self._measured(width)
        if line < heights.total:
            at = heights.row_at(line)
            strips = self._drawn(at, width, at == self._cursor and (self.has_focus or self._keep_lit))
            if line - heights.start(at) < len(strips):
                return strips[line - heights.start(at)]
        return Strip([Segment(" " * width, self.visual_style.rich_style)], width)

    # moving

    def _next(self, at: int, step: int) -> int | None:
        at += step
        while 0 <= at < len(self._items):
            if not isinstance(self._items[at], Heading):
                return at
            at += step
        return None

    def _go(self, at: int) -> None:
        if at != self._cursor:
            self._cursor = at
            self.post_message(self.Moved(self, self.selected))
            self.refresh()
        self._bring_into_view()
        if at >= len(self._items) - NEAR_END:
            self.post_message(self.NearEnd(self))

    def _bring_into_view(self, at_top: bool = False) -> None:
        if self._cursor is None or self._inner <= 0:
            return
        top, height = self._top_of(self._cursor), self._measured(self._inner).height(self._cursor) - self._gap
        first = 0 if self._next(self._cursor, -1) is None else top  # the headings above the first row as well
        scroller = column_of(self) if self._grows else self
        window = scroller.scrollable_content_region.height
        corner = self.content_region.offset - scroller.scrollable_content_region.offset + scroller.scroll_offset
        offset = Offset(0, 0) if scroller is self else corner
        if first == 0 and self._grows and scroller.query(VList).first() is self and offset.y + top + height <= window:
            first = -offset.y  # the words above the list, too
        if height + top - first > window:
            first, height = top, 1
        region = Region(offset.x, offset.y + first, max(self._inner, 1), top - first + height)
        scroller.scroll_to_region(region, animate=False, force=True, immediate=True, x_axis=False, top=at_top)
        self.call_after_refresh(self._put_hardware_cursor)

    def _put_hardware_cursor(self) -> None:
        """Move the terminal's own cursor to the selected row: screen readers and magnifiers follow it."""
        if self._cursor is not None and self.has_focus:
            x, y = self.content_region.offset
            self.app.cursor_position = Offset(x, max(y + self._top_of(self._cursor) - self.scroll_offset.y, y))

    def _scrolls_within(self, step: int) -> bool:
        """Scroll inside a row that is taller than the window, if there is more of it that way."""
        if self._cursor is None or self._grows:
            return False
        window = self.scrollable_content_region.height
        top = self._top_of(self._cursor) - self.scroll_offset.y
        bottom = top + self._measured(self._inner).height(self._cursor) - self._gap
        hidden = bottom > window if step > 0 else top < 0
        if hidden:
            scroll_a_third(self, step)
        return hidden

    def action_step(self, step: int) -> None:
        """Go one row down (1) or up (-1), on into the next list at the end of this one."""
        if self._scrolls_within(step):
            return
        at = None if self._cursor is None else self._next(self._cursor, step)
        if at is not None:
            self._go(at)
            return
        lists = [widget for widget in self.screen.focus_chain if isinstance(widget, VList)]
        if self not in lists:  # the list under a field that keeps the focus
            return
        others = lists[lists.index(self) + 1 :] if step > 0 else lists[: lists.index(self)][::-1]
        if any(other.enter_from(step) for other in others):
            return
        self._bring_into_view()
        if self._grows and (step < 0 or self._cursor is None):  # to the words above the first row
            scroll_a_third(column_of(self), step)

    def enter_from(self, step: int) -> bool:
        """Take the cursor over from the list before (step 1) or after (step -1); say whether there was a row."""
        at = self._next(-1, 1) if step > 0 else self._next(len(self._items), -1)
        if at is None:
            return False
        self.focus(scroll_visible=False)
        self._go(at)
        return True

    def action_page(self, step: int) -> None:
        """Go one window down (1) or up (-1)."""
        if self._cursor is None:
            return
        window = (self.parent if self._grows and isinstance(self.parent, Widget) else self).size.height
        heights = self._measured(self._inner)
        line = heights.start(self._cursor) + step * max(1, window)
        at = heights.row_at(min(max(line, 0), heights.total - 1))
        found = self._next(at - step, step)
        if found is None or (found == self._cursor and self._next(found, step) is not None):
            found = self._next(self._cursor, step)
        if found is not None:
            self._go(found)

    def action_first(self) -> None:
        """Go to the first row."""
        if (at := self._next(-1, 1)) is not None:
            self._go(at)

    def action_last(self) -> None:
        """Go to the last row."""
        if (at := self._next(len(self._items), -1)) is not None:
            self._go(at)

    def action_open(self) -> None:
        """Say that the selected item is to be opened."""
        if self.selected is not None:
            self.post_message(self.Opened(self, self.selected))

    def on_focus(self) -> None:
        """Light the selected row."""
        self._just_focused = True
        self.refresh()
        self.call_after_refresh(self._bring_into_view)  # it may have been given its place only now

    def on_blur(self) -> None:
        """Put the light out: only the focused list has a highlighted row."""
        self.refresh()

    def on_key(self) -> None:
        """Note that the list is in use by keys, so that the next click on the selected row opens it."""
        self._just_focused = False

    def on_click(self, event: events.Click) -> None:
        """Select the row under the pointer; open it if it was selected. The click that brings the focus only selects."""
        offset = event.get_content_offset(self)
        arriving, self._just_focused = self._just_focused, False
        heights = self._measured(self._inner)
        line = -1 if offset is None else offset.y + self.scroll_offset.y - self._head
        if not 0 <= line < heights.total or isinstance(self._items[heights.row_at(line)], Heading):
            return
        event.stop()
        at = heights.row_at(line)
        if at == self._cursor and not arriving:
            self.action_open()
        else:
            self._go(at)
