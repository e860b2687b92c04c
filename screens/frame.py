"""The frame of every page: the top line with the places, what is not sent yet and the time; the strip of panels; the footer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.message import Message
from textual.widget import Widget

from screens import keys
from screens.lines import cut
from screens.plain import Content, Tone, join, plain

if TYPE_CHECKING:
    from screens.base import Shell

PLACES: tuple[tuple[str, str, str], ...] = (("1", "today", "Today"), ("2", "people", "People"), ("6", "sync", "Sync"))
"""Key, name and word of every place. The digits are those of the whole design, so that none is relearnt later."""


class Bar(Widget):
    """One line made of pieces that can be clicked."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "Bar { height: 1; width: 100%; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._spots: list[tuple[int, int, Callable[[], None]]] = []

    @property
    def shell(self) -> Shell:
        """The program, typed."""
        from screens.base import shell_of

        return shell_of(self)

    def laid(self, pieces: Sequence[tuple[Content, Callable[[], None] | None]], at: int = 0) -> Content:
        """Return the pieces one after another from cell `at` on, and remember what a click on each does."""
        for content, deed in pieces:
            width = content.cell_length
            if deed is not None:
                self._spots.append((at, at + width, deed))
            at += width
        return join(*(content for content, _ in pieces))

    def on_click(self, event: events.Click) -> None:
        """Do what the piece under the pointer does."""
        for start, end, deed in self._spots:
            if start <= event.x < end:
                event.stop()
                deed()
                return


class TopLine(Bar):
    """Places at the left; at the right what only this laptop holds, and the time (a click on it hides)."""

    DEFAULT_CSS = """
    TopLine { dock: top; background: $panel; color: $foreground; }
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def render(self) -> Content:
        """Draw the line for the width there is."""
        width = self.size.width
        self._spots = []
        state, clock = self.shell.unsent(width >= 96), self.shell.clock_words()
        tail = plain(" ")
        places: list[tuple[Content, Callable[[], None] | None]] = []
        if width >= 132:
            places.append((plain(" leadworker   ", Tone.STRONG), None))
        for key, name, word in PLACES:
            here = name == self._place
            if width < 60 and not here:
                continue
            number = plain(f" {key} ", Tone.KEY if here else Tone.MUTED)
            label = plain(f"{word} ", Tone.STRONG if here else Tone.MUTED)
            piece = join(number, label)
            piece = piece.stylize("on $background") if here else piece
            places.append((piece, self._goer(name)))
        left = self.laid(places)
        room = width - left.cell_length - clock.cell_length - 3
        state = cut(state, room)
        gap = max(width - left.cell_length - state.cell_length - clock.cell_length - 3, 0)
        right = self.laid(
            [(state, self._goer("sync")), (plain("  "), None), (clock, self.shell.action_hide), (tail, None)],
            left.cell_length + gap,
        )
        return join(left, " " * gap, right)

    def _goer(self, place: str) -> Callable[[], None]:
        return lambda: self.shell.go_to(place)


class FootLine(Bar):
    """The keys that work here, each a click too. A key that does not fit is left out whole, never cut."""

    DEFAULT_CSS = """
    FootLine { dock: bottom; background: $background; color: $text-muted; }
    """

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def on_mount(self) -> None:
        """Look again whenever the focus moves: a field swallows letters."""
        self.watch(self.screen, "focused", self._again, init=False)

    def _again(self) -> None:
        self.refresh()

    def typing(self) -> bool:
        """Whether letters go into a field just now."""
        return bool(getattr(self.screen.focused, "TAKES_LETTERS", False))

    def render(self) -> Content:
        """Draw as many keys as fit, help last and always."""
        self._spots = []
        page, none = self.screen, frozenset[str]()
        shown = keys.footer(self._place, self.typing(), getattr(page, "keys_needed", none), getattr(page, "keys_idle", none))
        pieces = [(key, self._piece(key)) for key in shown]
        while len(pieces) > 1 and self._width(pieces) > self.size.width:
            del pieces[next((at for at, (key, _) in enumerate(pieces) if key.spare), -2)]
        laid: list[tuple[Content, Callable[[], None] | None]] = [(plain(" "), None)]
        for key, piece in pieces:
            laid += [(piece, self._presser(key)), (plain("  "), None)]
        return self.laid(laid[:-1])

    def _width(self, pieces: Sequence[tuple[keys.Key, Content]]) -> int:
        return 1 + sum(piece.cell_length for _, piece in pieces) + 2 * (len(pieces) - 1)

    def _piece(self, key: keys.Key) -> Content:
        return join(plain(keys.key_words(key.first, self.shell.ascii), Tone.KEY), plain(f" {key.words}", Tone.MUTED))

    def _presser(self, key: keys.Key) -> Callable[[], None]:
        return lambda: self.app.simulate_key(key.first)


class PanelStrip(Bar):
    """The names of a page's panels, the one in use lit. Wide windows show all panels and need no strip."""

    DEFAULT_CSS = """
    PanelStrip { background: $background; padding: 0 2; color: $text-muted; }
    """

    class Chosen(Message):
        """Somebody clicked the name of a panel."""

        def __init__(self, panel: str) -> None:
            super().__init__()
            self.panel = panel

    PADDING: ClassVar[int] = 2

    def __init__(self, panels: Sequence[tuple[str, str]]) -> None:
        """`panels`: name and word of each, in order."""
        super().__init__()
        self._panels = panels
        self._current = panels[0][0]

    def light(self, panel: str) -> None:
        """Light the name of this panel."""
        self._current = panel
        self.refresh()

    def render(self) -> Content:
        """Draw the names."""
        self._spots = []
        pieces: list[tuple[Content, Callable[[], None] | None]] = []
        for name, word in self._panels:
            here = name == self._current
            piece = plain(f" {word} ", Tone.HEADING if here else Tone.MUTED)
            pieces += [(piece.stylize("on $select") if here else piece, self._chooser(name)), (plain("  "), None)]
        return self.laid(pieces, self.PADDING)

    def _chooser(self, name: str) -> Callable[[], None]:
        def choose() -> None:
            self.post_message(self.Chosen(name))

        return choose
