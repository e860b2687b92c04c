"""The small list of people that opens under the caret when somebody types ``@``."""

from __future__ import annotations

import re

from textual import events
from textual.geometry import Offset
from textual.message import Message
from textual.widget import Widget

from leadworker.words.people import Known
from screens.lines import sides
from screens.names import Names
from screens.plain import Content, Tone, plain, single

MOST = 6
WIDTH = 44
_BEGUN = re.compile(r"(?:^|(?<=[\s(,;]))@([^\s@][^@\n]{0,30}|)\Z")


class Mentions(Widget):
    """Offers people whose names begin like what was typed after the ``@``. The field keeps the caret."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Mentions { layer: above; display: none; width: 44; height: auto; background: $panel; color: $foreground; }
    Mentions.-open { display: block; }
    """

    class Chosen(Message):
        """Somebody chose `person`; `typed` letters before the caret, the ``@`` included, are to be replaced."""

        def __init__(self, person: Known, typed: int) -> None:
            super().__init__()
            self.person = person
            self.typed = typed

    def __init__(self) -> None:
        super().__init__()
        self._offered: list[Known] = []
        self._at = 0
        self._typed = 0

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return bool(self._offered)

    def offer(self, before: str, people: Names[Known], caret: Offset) -> None:
        """Look at the text `before` the caret, and open or close. `caret` is its place on the screen."""
        begun = _BEGUN.search(before)
        found = people.fitting(begun[1], MOST) if begun else []
        self._offered = [] if begun and found and people.called(begun[1]) else found
        self._typed = len(begun[0]) if begun else 0
        self._at = 0
        self.set_class(self.is_open, "-open")
        if self.is_open:
            below = caret.y + 1 + len(self._offered) <= self.screen.size.height - 1
            y = caret.y + 1 if below else caret.y - len(self._offered)
            self.styles.offset = (max(min(caret.x - self._typed, self.screen.size.width - WIDTH), 0), y)
            self.refresh(layout=True)

    def close(self) -> None:
        """Close it."""
        self._offered = []
        self.remove_class("-open")

    def takes(self, key: str) -> bool:
        """Use a key if it is open: arrows move, Enter and Tab choose, Esc closes. Say whether it was used."""
        if not self.is_open:
            return False
        match key:
            case "down":
                self._at = (self._at + 1) % len(self._offered)
            case "up":
                self._at = (self._at - 1) % len(self._offered)
            case "enter" | "tab":
                self._choose(self._at)
            case "escape":
                self.close()
            case _:
                return False
        self.refresh()
        return True

    def _choose(self, at: int) -> None:
        self.post_message(self.Chosen(self._offered[at], self._typed))
        self.close()

    def on_click(self, event: events.Click) -> None:
        """Choose the person under the pointer."""
        event.stop()
        if 0 <= event.y < len(self._offered):
            self._choose(event.y)

    def render(self) -> Content:
        """Draw the names, the chosen one lit."""
        lines = []
        for at, person in enumerate(self._offered):
            also = single(", ".join(person.known_as)[:24], Tone.MUTED)
            line = sides(single(f" {person.name}", Tone.STRONG), also, WIDTH - 1).pad_right(1)
            line = line.pad_right(WIDTH - line.cell_length)
            lines.append(line.stylize("on $select") if at == self._at else line)
        return plain("\n").join(lines)
