"""Fields for one line. What is typed or pasted is cleaned before the field has it; nothing leaves by the clipboard.

A passphrase is the exception: it is what was typed, letter for letter, and is never shown, copied or cut.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.widgets import Input

from leadworker.text import clean


class LineField(Input):
    """One line of text."""

    ALLOW_SELECT = False
    TAKES_LETTERS: ClassVar[bool] = True
    """Letters are typed into it, so the keys that are letters do nothing else meanwhile."""
    DEFAULT_CSS = """
    LineField, LineField:focus, LineField.-invalid, LineField.-invalid:focus {
        border: none;
        border-left: outer $border-blurred;
        height: 1;
        padding: 0 1;
        background: $background;
        background-tint: $background 0%;
        color: $foreground;
    }
    LineField:focus { border-left: outer $primary; background: $panel; }
    """

    def __init__(
        self,
        value: str = "",
        placeholder: str = "",
        *,
        password: bool = False,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Make a field; `placeholder` is a constant of ours."""
        super().__init__(value, placeholder, password=password, select_on_focus=False, id=id, classes=classes, validate_on=())
        self.cursor_blink = False

    def validate_value(self, value: str) -> str:
        """Clean whatever comes in, by whichever way."""
        return clean(value).replace("\n", " ")

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        text = " ".join(clean(event.text).split("\n"))
        start, end = self.selection
        self.replace(text, start, end)


class SecretField(LineField):
    """A passphrase: hidden, exact, and on no clipboard."""

    def __init__(self, placeholder: str = "", *, id: str | None = None) -> None:
        super().__init__("", placeholder, password=True, id=id)

    def validate_value(self, value: str) -> str:
        """Keep every letter: a passphrase is compared, not read. Only what is not a letter at all is dropped."""
        return "".join(character for character in value if character.isprintable())

    def action_copy(self) -> None:
        """Copy nothing."""

    def action_cut(self) -> None:
        """Cut nothing."""
