"""People: the caseload and everybody else who is written down, in one list that narrows as you type."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

from textual import events, on
from textual.widget import Widget

from leadworker.clock import Moment
from leadworker.domain import caseload
from leadworker.domain.caseload import PersonRow
from leadworker.words.dates import age_words
from leadworker.words.saying import say_count, say_day
from screens.base import Page
from screens.fields import LineField
from screens.lines import cut, sides
from screens.names import Names
from screens.plain import Content, Tone, join, plain, run_on, single
from screens.vlist import Heading, VList
from screens.words import Words

TWO_FACTS_FROM = 60
"""Width from which a row also says where somebody lives and how many actions are open."""


class PeoplePage(Page):
    """Everybody, by name."""

    PLACE = "people"
    KEYS = "people"
    TOPICS = frozenset({"person", "known_as", "involvement", "journal_entry", "action", "reader"})
    DEFAULT_CSS = """
    PeoplePage #top { height: auto; padding: 0 2; margin-bottom: 1; }
    PeoplePage.-tall #top { margin: 1 0; }
    PeoplePage #filter { width: 100%; margin-bottom: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._mine: tuple[PersonRow, ...] = ()
        self._others: tuple[PersonRow, ...] = ()
        self._names: Names[PersonRow] = Names()
        self._now: datetime

    def inside(self) -> Iterable[Widget]:
        """Lay out the count, the filter and the list."""
        yield Words(id="top")
        yield LineField("", "Filter by name", id="filter")
        yield VList[PersonRow](self._draw_person, lambda person: person.id, height=1, id="people")

    @property
    def people(self) -> VList[PersonRow]:
        """The list."""
        return self.query_one("#people", VList)

    def on_mount(self) -> None:
        """Begin in the list, where letters are keys."""
        self.set_focus(self.people, scroll_visible=False)

    async def load(self) -> None:
        """Ask for everybody."""
        mine, others = await self.desk.ask(caseload.mine), await self.desk.ask(caseload.others)
        names = Names((person, (person.name, *filter(None, person.known_as.split("\n")))) for person in (*mine, *others))
        await asyncio.to_thread(names.fold)
        self._mine, self._others, self._names, self._now = mine, others, names, self.shell.now()
        self._show()

    def _show(self) -> None:
        wanted = self.query_one("#filter", LineField).value.strip()
        fits = self._names.fitting(wanted) if wanted else [*self._mine, *self._others]
        rows: list[PersonRow | Heading] = [person for person in fits if person.on_caseload]
        supervised = [person for person in fits if caseload.is_supervised(person)]
        readable = [person for person in fits if caseload.is_only_read(person)]
        rest = [person for person in fits if not person.on_caseload and not person.my_role]
        for title, group in (("Supervised by you", supervised), ("You can read", readable), ("Not on your caseload", rest)):
            if group and (rows or group is not rest):
                rows.append(Heading(plain(title, Tone.HEADING)))
            rows += group
        self.people.say_when_empty(self._nobody(bool(wanted)))
        self.people.show(rows)
        self.query_one("#top", Words).show(join(plain("People", Tone.STRONG), "   ", run_on(self._counted(), ", ")))

    def _counted(self) -> list[Content]:
        supervised, readable = sum(map(caseload.is_supervised, self._others)), sum(map(caseload.is_only_read, self._others))
        rest = len(self._others) - supervised - readable
        counts = [
            f"{say_count(len(self._mine), 'person', 'people')} on your caseload",
            f"you supervise {supervised}" if supervised else "",
            f"you can read {readable} more" if readable else "",
            say_count(rest, "other", "others") if rest else "",
        ]
        return [plain(count, Tone.MUTED) for count in counts]

    def _nobody(self, filtered: bool) -> Content:
        if filtered:
            words = "Nobody of that name. / finds misspelt names too, a adds a new person."
        else:
            words = "Nobody here yet. a adds the first person; “leadworker import” brings in your contacts."
        return plain(words, Tone.MUTED)

    def _draw_person(self, person: PersonRow, width: int) -> list[Content]:
        age = age_words(person.born_on, person.age_about, person.age_said_on, self._now.date())
        also = ", ".join(name for name in person.known_as.split("\n") if name)
        facts = [single(person.name, Tone.STRONG), plain(age), single(f"also {also}" if also else "", Tone.MUTED)]
        right: list[Content] = []
        if width >= TWO_FACTS_FROM:
            facts.append(single(person.lives_at.replace("\n", "; "), Tone.MUTED))
            facts.append(plain("two versions" if person.contested else "", Tone.LATE))
            if person.open_actions:
                right.append(plain(f"{person.open_actions} to do", Tone.MUTED))
        if person.last_ms:
            day = Moment(person.last_ms, person.last_offset).day()
            right.append(plain(say_day(day, self._now.date()), Tone.MUTED))
        return [sides(cut(run_on(facts), width), run_on(right, "   "), width, gap=2)]

    # keys

    def person_in_view(self) -> str:
        """Return the person of the selected row."""
        return self.people.selected_key or ""

    @on(VList.Opened, "#people")
    def _opened(self, event: VList.Opened) -> None:
        self.shell.open_person(event.item.id)

    @on(LineField.Changed, "#filter")
    def _narrowed(self) -> None:
        if self.loaded:
            self._show()

    @on(LineField.Submitted, "#filter")
    def _chosen(self) -> None:
        if self.people.selected is not None:
            self.shell.open_person(self.people.selected.id)

    def action_filter(self) -> None:
        """Go to the field that narrows the list."""
        self.query_one("#filter").focus()

    def on_key(self, event: events.Key) -> None:
        """Let the arrow down lead from the field into the list."""
        if event.key == "down" and self.query_one("#filter").has_focus:
            event.stop()
            self.people.focus()

    def action_back(self) -> None:
        """Empty the filter and go back to the list."""
        field = self.query_one("#filter", LineField)
        field.value = ""
        self.people.focus()

    def action_add(self) -> None:
        """Write down a new person, called as the filter says when it found nobody."""
        from screens.person_form import AddPersonForm

        typed = self.query_one("#filter", LineField).value
        self.app.push_screen(AddPersonForm(typed if self.people.selected is None else ""))
