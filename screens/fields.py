"""Fields to type into. What is typed or pasted is cleaned before the field has it; nothing leaves by the clipboard.

A passphrase is the exception: it is what was typed, letter for letter, and is never shown, copied or cut.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.widgets import Input, TextArea
from textual.widgets.text_area import Edit, EditResult

from leadworker.text import clean
from screens.plain import BLANK, Content


class LineField(Input):
    """One line of text."""

    ALLOW_SELECT = False
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


class TextField(TextArea):
    """Text of any length, as tall as its words. Arrows leave it at its first and last line."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    TextField, TextField:focus {
        border: none;
        border-left: outer $border-blurred;
        height: auto;
        max-height: 100%;
        min-height: 1;
        padding: 0 1;
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
    }
    TextField:focus { border-left: outer $primary; background: $panel; }
    TextField .text-area--placeholder { color: $text-muted; }
    TextField .text-area--cursor, TextField:light .text-area--cursor, TextField:dark .text-area--cursor {
        color: $input-cursor-foreground;
        background: $input-cursor-background;
    }
    TextField .text-area--cursor-line { background: transparent; }
    """

    RUNS_ON: ClassVar[bool] = True
    """Whether arrows go on into the field before or after."""

    def __init__(
        self, text: str = "", placeholder: Content = BLANK, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(
            clean(text),
            tab_behavior="focus",
            soft_wrap=True,
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder=placeholder,
            id=id,
            classes=classes,
        )
        self.cursor_blink = False
        self.match_cursor_bracket = False

    def edit(self, edit: Edit) -> EditResult:
        """Clean what is about to be put in; every key, paste and undo comes through here."""
        edit.text = clean(edit.text)
        return super().edit(edit)

    def load_text(self, text: str) -> None:
        """Take a whole text, cleaned."""
        super().load_text(clean(text))

    def action_cursor_up(self, select: bool = False) -> None:
        """Go up, or on to the field before from the first line."""
        if self.RUNS_ON and not select and self.cursor_at_first_line:
            self.screen.focus_previous()
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Go down, or on to the next field from the last line."""
        if self.RUNS_ON and not select and self.cursor_at_last_line:
            self.screen.focus_next()
        else:
            super().action_cursor_down(select)
