"""The field for text of any length. What is typed or pasted is cleaned before the field has it."""

from __future__ import annotations

from typing import ClassVar

from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult

from leadworker.text import clean
from screens.plain import BLANK, Content


class TextField(TextArea):
    """Text of any length, as tall as its words. Arrows leave it at its first and last line."""

    ALLOW_SELECT = False
    TAKES_LETTERS: ClassVar[bool] = True
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

    def __init__(self, text: str = "", placeholder: Content = BLANK, *, id: str | None = None, classes: str | None = None) -> None:
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
        self.cursor_location = self.document.end  # who adds to what stands there goes on after it, as in a field of one line

    def edit(self, edit: Edit) -> EditResult:
        """Clean what is about to be put in; every key, paste and undo comes through here."""
        edit.text = clean(edit.text)
        return super().edit(edit)

    def load_text(self, text: str) -> None:
        """Take a whole text, cleaned, with the caret at its end."""
        super().load_text(clean(text))
        self.cursor_location = self.document.end

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
