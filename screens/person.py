"""A person: who they are and what to know at the door always on top, the journal in the middle, actions and contact beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from textual import on
from textual.containers import Container
from textual.widget import Widget

from leadworker.domain import actions, alerts, attachments, journal, people, readers, visits
from leadworker.domain.actions import ActionRow
from leadworker.domain.alerts import AccessNote, DoorLine
from leadworker.domain.attachments import AttachmentView
from leadworker.domain.journal import EntryView
from leadworker.domain.people import CONTACT_KINDS, ContactPoint, Identifier, KnownAs, PersonFacts
from leadworker.domain.readers import Happened
from leadworker.domain.visits import PLANNED, VisitRow
from leadworker.errors import LeadworkerError
from leadworker.record import Record
from leadworker.shelf import Shelf
from leadworker.words.dates import age_words
from leadworker.words.saying import say_count, say_time
from screens import glyphs
from screens.base import Page, Undo
from screens.entry_rows import entry_lines
from screens.filewords import fact_words
from screens.frame import PanelStrip
from screens.lines import cut, flow, hang, sides
from screens.plain import BLANK, Content, Tone, join, plain, run_on, single
from screens.postwords import waiting_words
from screens.rows import apart_words, door_sign, door_words, due_words, tick
from screens.vlist import Heading, VList
from screens.words import Words

PANELS = (("journal", "Journal"), ("actions", "Actions"), ("about", "Contact"))
ENTRIES_AT_A_TIME = 200
LEFT_FOR_PANELS = 11
"""Lines that the frame and the panels keep, however much there is to know at the door."""

ALERTS_BESIDE_FROM = 96
"""Width from which alerts and access notes share lines; narrower, each has its own."""


TAKEN_AWAY: Mapping[str, type[Record]] = {
    "access": AccessNote, "known_as": KnownAs, "identifier": Identifier, **dict.fromkeys(CONTACT_KINDS, ContactPoint),
}  # fmt: skip
"""What can be taken away again from the contact panel, by the kind of its row."""


HISTORY_OF: Mapping[str, str] = {
    "access": "access_note", "alert": "alert", "visit": "visit", "file": "attachment", "known_as": "known_as", "identifier": "identifier",
    **dict.fromkeys(CONTACT_KINDS, "contact_point"),
}  # fmt: skip
"""Of which record a row of the contact panel shows the history, by its kind."""


class Line(msgspec.Struct, frozen=True):
    """A row of the contact panel: what it is, its words, and the record behind it."""

    id: str
    kind: str
    words: str
    fact: str = ""
    behind: object = None


class PersonPage(Page):
    """One person, whole."""

    PLACE = "people"
    KEYS = "person"
    TOPICS = frozenset(
        {
            "person", "known_as", "contact_point", "identifier", "involvement", "alert", "access_note",
            "journal_entry", "action", "visit", "post", "reader", "access seen",
            "attachment", "attachment_stored", attachments.HERE, attachments.WANTED, attachments.TROUBLE,
        }
    )  # fmt: skip
    DEFAULT_CSS = """
    PersonPage #header { height: auto; padding: 0 2; margin-bottom: 1; }
    PersonPage.-tall #header { margin: 1 0; }
    PersonPage #panels { height: 1fr; }
    PersonPage .panel { display: none; }
    PersonPage .panel.-current { display: block; }
    PersonPage.-mid #panels { layout: grid; grid-size: 2 2; grid-columns: 5fr 3fr; grid-gutter: 1 2; }
    PersonPage.-mid .panel, PersonPage.-wide .panel { display: block; height: 100%; }
    PersonPage.-mid #journal { row-span: 2; }
    PersonPage.-wide #panels { layout: grid; grid-size: 3 1; grid-columns: 5fr 3fr 3fr; grid-gutter: 0 2; }
    PersonPage.-mid PanelStrip, PersonPage.-wide PanelStrip { display: none; }
    """

    def __init__(self, person_id: str, entry_id: str = "") -> None:
        """`entry_id`: the entry to begin at."""
        super().__init__()
        self._person_id = person_id
        self._entry_id = entry_id
        self._panel = "journal"
        self._shown = ENTRIES_AT_A_TIME
        self._count = 0
        self.facts: PersonFacts | None = None
        self._door: tuple[DoorLine, ...] = ()
        self._access: tuple[Happened, ...] = ()
        self._now: datetime

    def inside(self) -> Iterable[Widget]:
        """Lay out the header and three panels."""
        yield Words(id="header")
        yield PanelStrip(PANELS)
        with Container(id="panels"):
            yield VList[EntryView](self._draw_entry, lambda entry: entry.id, gap=1, id="journal", classes="panel -current")
            yield VList[ActionRow](self._draw_action, lambda action: action.id, id="actions", classes="panel")
            yield VList[Line](self._draw_line, lambda line: line.id, id="about", classes="panel")

    @property
    def entries(self) -> VList[EntryView]:
        """The journal."""
        return self.query_one("#journal", VList)

    def on_mount(self) -> None:
        """Begin in the journal."""
        self.set_focus(self.entries, scroll_visible=False)

    async def load(self) -> None:
        """Ask for everything about the person, and show it; the cursor stays where it was."""
        ask, who = self.desk.ask, self._person_id
        facts = await ask(people.facts, who)
        door = await ask(alerts.at_the_door, who)
        count = await ask(journal.count, who)
        if self._entry_id and self._shown == ENTRIES_AT_A_TIME:
            self._shown = max(self._shown, count if count < 5000 else ENTRIES_AT_A_TIME)
        entries = await ask(journal.timeline, who, limit=self._shown)
        todo = await ask(actions.of_person, who)
        diary = await ask(visits.of_person, who)
        files = await ask(attachments.of_person, who)
        access = await ask(readers.news, who)
        self._access = access
        self.facts, self._door, self._count, self._now = facts, door, count, self.shell.now()  # whole, or not at all
        self._show_header()
        self._show_entries(entries)
        panel: VList[ActionRow] = self.query_one("#actions", VList)
        panel.show(self._grouped(todo))
        panel.say_when_empty(plain("Nothing was promised yet. The next lines of a note become actions.", Tone.MUTED))
        about: VList[Line] = self.query_one("#about", VList)
        about.show(list(self._lines(facts, diary, files)))
        self._entitle()

    def _show_entries(self, entries: tuple[EntryView, ...]) -> None:
        self.entries.show(entries, select=self._entry_id or None)
        self._entry_id = ""
        called = self.facts.name.split()[0] if self.facts and self.facts.name else "them"
        self.entries.say_when_empty(plain(f"Nothing written about {called} yet. n starts.", Tone.MUTED))

    def _show_header(self) -> None:
        if self.facts is not None:
            width = max(self.size.width - 4, 20)
            lines = list(self._header(self.facts, width))
            room = max(self.size.height - LEFT_FOR_PANELS, 4)
            if len(lines) > room:  # only then: alerts are shown whole wherever they can be
                more = plain(f"{glyphs.SAFETY} More to know at the door: tab to Contact.", Tone.LATE)
                lines = [*lines[: room - 1], cut(more, width)]
            news = list(self._news(width))
            if len(lines) + len(news) > room and news:
                news = [cut(plain("! Who can read this has changed; w shows it.", Tone.LATE), width)]
            lines += news
            self.query_one("#header", Words).show(plain("\n").join(lines))

    def _header(self, facts: PersonFacts, width: int) -> Iterable[Content]:
        age = age_words(facts.born_on, facts.age_about, facts.age_said_on, self._now.date())
        also = f"also {', '.join(name.name for name in facts.known_as)}" if facts.known_as else ""
        left = run_on([single(facts.name, Tone.STRONG), plain(age), single(also, Tone.MUTED), single(facts.pronouns, Tone.MUTED)])
        lives = single(facts.lives_at.replace("\n", "; "), Tone.MUTED)  # both may be kept, each with who said it
        if "lives_at" in facts.contested:
            lives = join(lives, plain(" (two versions, c shows both)", Tone.LATE))
        if left.cell_length + lives.cell_length + 2 <= width:
            yield sides(left, lives, width)
        else:
            yield from left.wrap(width)
            yield from lives.wrap(width) if lives else ()
        if facts.talking:
            yield from hang(plain("Talking: ", Tone.MUTED), plain(facts.talking), width)
        pieces = [join(door_sign(line), door_words(line)) for line in self._door]
        if width >= ALERTS_BESIDE_FROM - 4 and not any("\n" in piece.plain for piece in pieces):
            yield from flow(pieces, width)
        else:
            for line in self._door:
                yield from hang(door_sign(line), door_words(line), width)

    def _news(self, width: int) -> Iterable[Content]:
        """Yield what changed about who reads this: after the alerts, which it must not push off a low window."""
        for one in self._access[-2:]:
            yield from hang(plain("! ", Tone.LATE), plain(f"{one.sentence} w shows who can read this."), width)

    def on_resize(self) -> None:
        """Lay the header out for this width."""
        self._show_header()
        self._entitle()

    def _entitle(self) -> None:
        """Give the panels headings where there is no strip that names them."""
        wide = self.size.width >= 96
        count = say_count(self._count, "entry", "entries")
        heading = join(plain("Journal", Tone.HEADING), plain(f"  {count}", Tone.MUTED))
        self.entries.entitle(heading if wide else BLANK)
        for name, words in PANELS[1:]:
            panel: VList[object] = self.query_one(f"#{name}", VList)
            panel.entitle(plain(words, Tone.HEADING) if wide else BLANK)

    # rows

    def _draw_entry(self, entry: EntryView, width: int) -> list[Content]:
        return entry_lines(entry, width, self._now)

    def _grouped(self, todo: tuple[ActionRow, ...]) -> list[ActionRow | Heading]:
        done = [action for action in todo if action.done_on]
        rows: list[ActionRow | Heading] = [action for action in todo if not action.done_on]
        return [*rows, Heading(plain("Done", Tone.MUTED)), *done] if done else rows

    def _draw_action(self, action: ActionRow, width: int) -> list[Content]:
        sign, due = due_words(action, self._now.date())
        lines = hang(join(sign, " "), single(action.text, Tone.MUTED if action.done_on else Tone.PLAIN), width)
        owner = single("You" if action.mine else action.owner, Tone.MUTED)
        when = plain(f"done by {action.done_by}" if action.done_by else "done", Tone.MUTED) if action.done_on else due
        facts = run_on([run_on([owner, when], ", "), waiting_words(action, self.shell.joined)])
        return [*lines, *hang(plain("  "), facts, width)]

    def _lines(self, facts: PersonFacts, diary: tuple[VisitRow, ...], files: tuple[AttachmentView, ...]) -> Iterable[Line | Heading]:
        ahead = [visit for visit in reversed(diary) if visit.state == PLANNED and not visit.entry_id]
        if facts.contacts:
            yield Heading(plain("Reach them", Tone.MUTED))
            for point in facts.contacts:
                yield Line(point.id, point.kind, point.value, point.label or point.kind, point)
        if ahead:
            yield Heading(plain("Diary", Tone.MUTED))
            for visit in ahead:
                when = say_time(visit.starts().local(), self._now)
                late = "not written up" if visit.ends().local() < self._now else ""
                fact = ", ".join(filter(None, (late, apart_words(visit.contested) if visit.contested else "")))
                yield Line(visit.id, "visit", f"{when}  {visit.place}".rstrip(), fact, visit)
        if files:
            yield Heading(plain("Files", Tone.MUTED))
            for file in files:
                yield Line(file.id, "file", file.name, file.trouble or fact_words(file), file)
        if facts.identifiers:
            yield Heading(plain("Numbers of other agencies", Tone.MUTED))
            for number in facts.identifiers:
                yield Line(number.id, "identifier", f"{number.scheme}  {number.value}", behind=number)
        if facts.known_as:
            yield Heading(plain("Also known as", Tone.MUTED))
            for name in facts.known_as:
                yield Line(name.id, "known_as", name.name, behind=name)
        if self._door:
            yield Heading(plain("At the door", Tone.MUTED))
            for line in self._door:
                yield Line(line.id, line.kind, line.text, behind=line)

    def _draw_line(self, line: Line, width: int) -> list[Content]:
        if isinstance(line.behind, DoorLine):
            waits = waiting_words(line.behind, self.shell.joined)
            return hang(door_sign(line.behind), run_on([door_words(line.behind), waits]), width)
        sign = plain(f"{glyphs.OPEN} ") if line.kind == "visit" else plain("")
        apart = isinstance(line.behind, VisitRow) and line.behind.contested
        waits = waiting_words(line.behind, self.shell.joined) if isinstance(line.behind, VisitRow) else BLANK
        fact = plain(line.fact, Tone.LATE if apart else Tone.MUTED)
        return hang(sign, run_on([plain(line.words), fact, waits]), width)

    # keys

    def show_saved(self, person_id: str, entry_id: str) -> None:
        """Put the cursor on the entry that was just written about this person."""
        if person_id == self._person_id:
            self._entry_id = entry_id
            self.show_panel("journal")
            self.reload()

    def person_in_view(self) -> str:
        """Return this person."""
        return self._person_id

    def action_next_panel(self) -> None:
        """Go to the next panel."""
        self._turn(1)

    def action_previous_panel(self) -> None:
        """Go to the panel before."""
        self._turn(-1)

    def _turn(self, step: int) -> None:
        names = [name for name, _ in PANELS]
        self.show_panel(names[(names.index(self._panel) + step) % len(names)])

    @on(PanelStrip.Chosen)
    def _chosen(self, event: PanelStrip.Chosen) -> None:
        self.show_panel(event.panel)

    def show_panel(self, name: str) -> None:
        """Show a panel and put the cursor in it."""
        self._light(name)
        self.set_focus(self.query_one(f"#{name}"), scroll_visible=False)

    def _light(self, name: str) -> None:
        self._panel = name
        for each, _ in PANELS:
            self.query_one(f"#{each}").set_class(each == name, "-current")
        self.query_one(PanelStrip).light(name)

    def on_descendant_focus(self) -> None:
        """Keep the strip with the panel in use, however it came to be in use."""
        if self.focused is not None and self.focused.id in {name for name, _ in PANELS}:
            self._light(str(self.focused.id))

    @on(VList.NearEnd, "#journal")
    def _more(self) -> None:
        if self._shown < self._count:
            self._shown += ENTRIES_AT_A_TIME
            self.reload()

    @on(VList.Opened)
    def _opened(self, event: VList.Opened) -> None:
        item = event.item
        if isinstance(item, EntryView):
            from screens.entry import EntryDialog

            self.app.push_screen(EntryDialog(item))
        elif isinstance(item, ActionRow):
            if item.entry_id and self.entries.select(item.entry_id):
                self.show_panel("journal")
        elif isinstance(item, Line):
            self._open_line(item)

    def _open_line(self, line: Line) -> None:
        if isinstance(line.behind, VisitRow):
            from screens.visit_form import VisitForm

            self.app.push_screen(VisitForm(self._person_id, line.behind))
        elif isinstance(line.behind, AttachmentView):
            from screens.files import open_file

            open_file(self.shell, line.behind)
        else:
            self.action_edit()

    def action_take_away(self) -> None:
        """End the selected alert with its reason, or take the selected note or contact away."""
        panel: VList[Line] = self.query_one("#about", VList)
        line = panel.selected if panel.has_focus else None
        if line is None:
            self.shell.say("Go to Contact and choose what is to be taken away.")
        elif line.kind == "alert" and isinstance(line.behind, DoorLine):
            from screens.alert_form import EndAlertForm

            self.app.push_screen(EndAlertForm(line.behind))
        else:
            self.shell.write(self.take_away(line))

    async def take_away(self, line: Line) -> None:
        """Take a note or a contact away; ``u`` brings it back."""
        kind = TAKEN_AWAY.get(line.kind)
        if kind is None:
            visit = "A visit is cancelled where it is changed: ⏎ opens it."
            self.shell.say("A file stays with the record." if line.kind == "file" else visit)
            return
        desk, shell = self.desk, self.shell
        try:
            await desk.do(taken_away, kind, line.id)
        except LeadworkerError as error:
            shell.say(error.sentence, "warning", 12)
            return
        shell.offer_undo("Taken away; its history stays.", Undo(lambda: desk.do(brought_back, kind, line.id), "It is back."))

    def action_readers(self) -> None:
        """Show who can read this casebook."""
        self.shell.who_reads(self._person_id)

    def action_edit(self) -> None:
        """Change what is written about the person."""
        from screens.person_form import PersonForm

        if self.facts is not None:
            self.app.push_screen(PersonForm(self.facts))

    def action_history(self) -> None:
        """Show every version of the selected row, or of what is written about the person."""
        from screens.history import HistoryDialog

        topic, record_id = self._record_in_view()
        self.app.push_screen(HistoryDialog(topic, record_id, self.facts.name if self.facts else ""))

    def _record_in_view(self) -> tuple[str, str]:
        panel = self.focused
        row = panel.selected if isinstance(panel, VList) and panel.id in ("actions", "about") else None
        if isinstance(row, ActionRow):
            return "action", row.id
        if isinstance(row, Line):
            return HISTORY_OF[row.kind], row.id
        return "person", self._person_id

    def action_attach(self) -> None:
        """Put a file with the selected entry, or with the record where none is selected."""
        from screens.files import AttachForm

        if self.facts is not None:
            entry = self.entries.selected if self.entries.has_focus else None
            self.app.push_screen(AttachForm(self._person_id, self.facts.name, entry))

    def action_add_visit(self) -> None:
        """Put a visit in the diary."""
        from screens.visit_form import VisitForm

        self.app.push_screen(VisitForm(self._person_id))

    def action_tick(self) -> None:
        """Tick the selected action off, or take the tick away."""
        panel: VList[ActionRow] = self.query_one("#actions", VList)
        if panel.has_focus and panel.selected is not None:
            self.shell.write(tick(self.shell, panel.selected))


def taken_away(shelf: Shelf, kind: type[Record], record_id: str) -> None:
    """Take a record out of its set; its history stays."""
    shelf.drop(kind, record_id)


def brought_back(shelf: Shelf, kind: type[Record], record_id: str) -> None:
    """Put a record back that was taken away."""
    shelf.restore(kind, record_id)
