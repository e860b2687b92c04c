"""Putting a visit in the diary, giving it another time, and saying that it will not take place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from leadworker.clock import Moment
from leadworker.domain import caseload, visits
from leadworker.domain.visits import Visit, VisitRow
from leadworker.errors import NotUnderstood
from leadworker.words.first_line import read_first_line
from leadworker.words.saying import say_clock, say_date, say_length, say_time
from screens.form import FieldOf, Form, Upon
from screens.plain import Content, Tone, plain
from screens.postwords import local
from screens.reading import starts


class VisitForm(Form):
    """Asks for whom, when, how long and where; days and times as people say them."""

    PLACE = "today"

    def __init__(self, person_id: str = "", visit: VisitRow | None = None) -> None:
        """`visit`: the one to change; without it a new one is made."""
        super().__init__()
        self._person_id = person_id
        self._visit = visit

    def draft_key(self) -> str:
        """Return a name for each visit's own form."""
        return f"visit {self._visit.id if self._visit else self._person_id}"

    def heading(self) -> Content:
        """Say what the form is for."""
        return plain("Change a visit" if self._visit else "A visit in the diary", Tone.STRONG)

    def fields(self) -> Iterable[FieldOf]:
        """Ask for the least that a diary needs."""
        visit = self._visit
        if visit is None:
            yield FieldOf("who", "Who", "", "Name")
            yield FieldOf("when", "When", "", "tomorrow 3.30pm, or Thu 20 Nov 15:30")
            yield FieldOf("long", "How long", "", "1 hour")
            yield FieldOf("place", "Where", "", "home")
            yield FieldOf("note", "Note", "", "What to take, what to ask", lines=True)
            return
        yield FieldOf("when", "When", self._when(visit.starts_ms), "tomorrow 3.30pm, or: cancelled")

    def upon(self) -> Upon | None:
        """Return the visit as it was shown."""
        if self._visit is None:
            return None
        return Upon(Visit, self._visit.id, self._visit.marks, {"starts_ms": "when", "state": "when"})

    def text_of(self, name: str, value: str | int | bool) -> str:
        """Return how a visit's time, or that it is cancelled, stands in the field."""
        return self._when(int(value)) if name == "starts_ms" else str(value)

    def _when(self, ms: int) -> str:
        starts = local(ms, self.shell.now())
        return f"{say_date(starts.date(), self.shell.now().date())} {say_clock(starts)}"

    def hint(self) -> Content:
        """Say how a visit is taken out of the diary."""
        words = "Write “cancelled” to say that it will not take place; it stays in the record." if self._visit else ""
        return plain(words, Tone.MUTED)

    async def load(self) -> None:
        """Fill in the name of the person in view."""
        if self._visit is None and self._person_id and not self.loaded:
            person = await self.desk.ask(caseload.row, self._person_id)
            self._begun["who"] = person.name
            self._put("who", person.name)
            self._kept = self.values()
            self.set_focus(self.query_one("#field-when"))
        await super().load()

    async def save(self, values: Mapping[str, str]) -> str:
        """Put the visit in the diary, or change it."""
        now = self.shell.now()
        if self._visit is not None:
            return await self._change(self._visit, values["when"], now)
        person = await self.desk.ask(caseload.resolve, values["who"])
        begins = starts(values["when"], now)
        read = read_first_line(values["long"], now, ())
        if values["long"].strip() and not read.minutes:
            raise NotUnderstood("How long? Write it as 40 min or 1 h 30, or leave it empty for an hour. Nothing was saved.")
        minutes = read.minutes or 60
        await self.desk.do(visits.plan, person.id, Moment.of(begins), minutes=minutes, place=values["place"], note=values["note"])
        return f"{person.name}, {say_time(begins, now)}, {say_length(minutes)}: in the diary."

    async def _change(self, visit: VisitRow, words: str, now: datetime) -> str:
        if words.strip().casefold() in ("cancelled", "canceled", "cancel"):
            await self.do_upon(visits.cancel, visit.id)
            return "The visit is cancelled. It stays in the record."
        begins = starts(words, now)
        await self.do_upon(visits.move, visit.id, Moment.of(begins))
        return f"The visit is now {say_time(begins, now)}."
