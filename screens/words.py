"""A piece of text on a page. It takes only content that came through `screens.plain`, never a bare `str`."""

from __future__ import annotations

from textual.widgets import Static

from screens.plain import BLANK, Content


class Words(Static):
    """Shows words. What it is given has been made harmless: the type says so, and it looks itself as well."""

    ALLOW_SELECT = False

    def __init__(self, words: Content = BLANK, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(_checked(words), markup=False, id=id, classes=classes)

    def show(self, words: Content) -> None:
        """Show other words."""
        self.update(_checked(words))


def _checked(words: Content) -> Content:
    if not isinstance(words, Content):
        raise TypeError("words reach a widget only through screens.plain")
    return words
