"""Ending an alert: it stays in the record, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from leadworker.domain import alerts
from leadworker.domain.alerts import Alert, DoorLine
from leadworker.domain.conflicts import ChangedMeanwhile
from screens.form import FieldOf, Form, Upon
from screens.lines import hang
from screens.plain import Content, Tone, join, plain
from screens.rows import door_sign, door_words
from screens.words import Words


class EndAlertForm(Form):
    """Asks why an alert no longer holds."""

    def __init__(self, line: DoorLine) -> None:
        super().__init__()
        self._line = line

    def draft_key(self) -> str:
        """Return a name for each alert's own form."""
        return f"alert {self._line.id}"

    def upon(self) -> Upon:
        """Return the alert as it was shown; none of it may have changed."""
        return Upon(Alert, self._line.id, self._line.marks, {"text": "", "on": ""})

    def changed_meanwhile(self, error: ChangedMeanwhile) -> None:
        """Show what the alert says now; the next Ctrl+S is about that."""
        for one in error.meanwhile:
            if one.field == "text":
                self._line = msgspec.structs.replace(self._line, text=str(one.value))
        if self._upon is not None:
            self._upon = msgspec.structs.replace(self._upon, marks=error.marks)
        self.query_one(".form-title", Words).show(self.heading())
        said = "; ".join(f"{one.what}: {one.words}" for one in error.meanwhile)
        who = ", ".join(dict.fromkeys(one.written_by for one in error.meanwhile))
        self.trouble(f"{who} changed this alert meanwhile ({said}). Ctrl+S ends it as it is now, Esc leaves it.")

    def heading(self) -> Content:
        """Show the alert whole."""
        words = hang(door_sign(self._line), door_words(self._line), max(self.app.size.width - 6, 20))
        return plain("\n").join([join(plain("End this alert", Tone.STRONG), "\n"), *words])

    def fields(self) -> Iterable[FieldOf]:
        """Ask for the reason."""
        yield FieldOf("because", "Why", "", "Why it no longer holds, and who says so")

    def hint(self) -> Content:
        """Say what happens to it."""
        return plain("It stays in the record with your reason. Esc leaves it as it is.", Tone.MUTED)

    async def save(self, values: Mapping[str, str]) -> str:
        """End it."""
        await self.do_upon(alerts.end_alert, self._line.id, values["because"])
        return "The alert has ended. It stays in the record."
