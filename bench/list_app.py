"""The smallest app with the house list in it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import App, ComposeResult

from screens.plain import Content, plain
from screens.themes import themes
from screens.vlist import VList


class ListApp(App[None]):
    """Shows the house list with rows of two lines."""

    def __init__(self) -> None:
        super().__init__()
        for theme in themes():
            self.register_theme(theme)
        self.theme = "dusk"
        self.list: VList[int] = VList(_draw, str, height=2)

    def compose(self) -> ComposeResult:
        yield self.list

    def on_mount(self) -> None:
        self.list.focus()


def _draw(item: int, width: int) -> Sequence[Content]:
    return [plain(f"Person number {item}"), plain("  14 Fen Court, seen on Tuesday")]
