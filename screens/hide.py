"""The hidden screen: blank, with the time. Another key than the one that hides comes back."""

from __future__ import annotations

from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen

from screens import keys
from screens.base import Shell
from screens.plain import Content, join, plain
from screens.words import Words


class HideScreen(ModalScreen[None]):
    """Shows only the time. Modal, so that no other key reaches what is beneath."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("hide"))
    DEFAULT_CSS = """
    HideScreen { background: $background; color: $text-muted; align: right top; }
    HideScreen #hidden-clock { width: auto; height: 1; color: $text-muted; }
    """

    def compose(self) -> ComposeResult:
        """Lay out the time where the top line has it, so that nothing jumps."""
        yield Words(self._clock(), id="hidden-clock")

    def tick(self) -> None:
        """Show the time anew."""
        for clock in self.query(Words):  # none yet, before it was drawn for the first time
            clock.show(self._clock())

    def _clock(self) -> Content:
        return join(cast(Shell, self.app).clock_words(), plain(" "))

    def action_come_back(self) -> None:
        """Show again what was there."""
        cast(Shell, self.app).come_back()
