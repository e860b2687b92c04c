"""Ending an alert: it stays in the record, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leadworker.domain import alerts
from leadworker.domain.alerts import DoorLine
from screens.form import FieldOf, Form
from screens.lines import hang
from screens.plain import Content, Tone, join, plain
from screens.rows import door_sign, door_words


class EndAlertForm(Form):
    """Asks why an alert no longer holds."""

    def __init__(self, line: DoorLine) -> None:
        super().__init__()
        self._line = line

    def draft_key(self) -> str:
        """Return a name for each alert's own form."""
        return f"alert {self._line.id}"

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
        await self.desk.do(alerts.end_alert, self._line.id, values["because"])
        return "The alert has ended. It stays in the record."
