"""The keys of this screen, in words, over whatever is open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from screens import keys
from screens.base import Dialog
from screens.lines import hang, pad
from screens.plain import BLANK, Content, Tone, plain
from screens.words import Words

KEY_WIDTH = 20


class HelpDialog(Dialog):
    """Lists every key that works here, then those that work everywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,enter,q", "back", show=False),
    ]
    DEFAULT_CSS = """
    HelpDialog #help-panel {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        background: $panel; margin: 2 0; padding: 1 2; scrollbar-size-vertical: 1;
    }
    HelpDialog.-short #help-panel { margin: 1 0; }
    HelpDialog.-low #help-panel { margin: 0; }
    HelpDialog Words { height: auto; background: $panel; }
    """

    def __init__(self, place: str) -> None:
        """`place`: whose keys to list first."""
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with VerticalScroll(id="help-panel"):
            yield Words(id="help-words")

    def on_mount(self) -> None:
        """Take the keyboard, so that arrows scroll."""
        self.query_one("#help-panel").focus()

    def on_resize(self) -> None:
        """Lay the words out for this width."""
        width = min(76, self.size.width) - 6
        self.query_one("#help-words", Words).show(plain("\n").join(self._lines(max(width, 20))))

    def _lines(self, width: int) -> Iterable[Content]:
        here = [key for key in keys.PLACES.get(self._place, ()) if (key.action or key.words) and not key.id.startswith("list.")]
        if here:
            yield plain(keys.TITLES[self._place], Tone.HEADING)
            yield from self._rows(here, width)
            yield BLANK
        if self._place in keys.MORE:
            yield from hang(BLANK, plain(keys.MORE[self._place], Tone.MUTED), width)
            yield BLANK
        yield plain("Everywhere", Tone.HEADING)
        yield from self._rows(keys.EVERYWHERE, width)

    def _rows(self, rows: Iterable[keys.Key], width: int) -> Iterable[Content]:
        column = min(KEY_WIDTH, width // 3)
        for key in rows:
            words = plain(keys.spelt_out(key.keys), Tone.STRONG)
            yield from hang(pad(words, column), plain(key.help, Tone.MUTED), width)
