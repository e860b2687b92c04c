"""A new note: one line that is read as it is typed, then what was seen, said, noticed, thought, and what comes next.

Every word is in the vault two seconds after it was typed, and at once when the note is left. It becomes an entry with
Ctrl+S, and it says so only when that is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from textual import events, on, work
from textual.containers import Horizontal, VerticalScroll
from textual.geometry import Region
from textual.widget import Widget

from leadworker.clock import Moment
from leadworker.domain import caseload, colleagues, drafts, sending
from leadworker.domain.drafts import Draft
from leadworker.domain.notes import save_note
from leadworker.errors import LeadworkerError
from leadworker.record import new_id
from leadworker.words.first_line import Chip
from leadworker.words.people import Known, people_among
from leadworker.words.saying import say_clock, say_due
from screens import glyphs
from screens.fields import LineField
from screens.lines import hang, sides
from screens.mention import Mentions
from screens.names import Names
from screens.plain import BLANK, Content, Tone, join, plain, run_on, single
from screens.reading import Reading, entry_of, read
from screens.text_field import TextField
from screens.words import Words
from screens.written import WrittenPage

KEEP_EVERY_SECONDS = 2.0
SAVED = "Saved on this laptop."
GOES = {"alone": "", "offline": " It will be sent when you are online."}
"""What becomes of what was saved, by the word for how the post stands."""
GOES_NOW = " It goes to the central store by itself."
GOES_NOWHERE = " You may not write in this casebook any more, so it goes nowhere by itself: w, then i hands it in."

FIELDS = (
    ("seen", "Seen", "Who did you see? Alone?"),
    ("said", "Said", "Their own words"),
    ("noticed", "Noticed", "What you saw and heard"),
    ("think", "I think", "What it may mean"),
    ("next_steps", "Next", "One action a line: text Sam thu"),
)


class FirstLineField(LineField):
    """The first line; gives its keys to the list of people first, when that is open."""

    async def _on_key(self, event: events.Key) -> None:
        if mentions_of(self).takes(event.key):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)


class PartField(TextField):
    """One of the five parts; gives its keys to the list of people first, when that is open."""

    async def _on_key(self, event: events.Key) -> None:
        if mentions_of(self).takes(event.key):
            event.stop()
            event.prevent_default()
            return
        await super()._on_key(event)


def mentions_of(field: Widget) -> Mentions:
    """Return the list of people of the page that a field stands on."""
    return field.screen.query_one(Mentions)


class NotePage(WrittenPage):
    """Writes a note."""

    KEYS = "note"
    TOPICS = frozenset({"person", "known_as"})
    DEFAULT_CSS = """
    NotePage { layers: base above; }
    NotePage #state { height: 1; padding: 0 2; }
    NotePage.-tall #state { margin: 1 0 0 0; }
    NotePage #note { height: 1fr; padding: 0 2; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    NotePage .part { height: auto; }
    NotePage.-short .part, NotePage.-tall .part { margin-top: 1; }
    NotePage.-short .first, NotePage.-tall .first { margin-top: 0; }
    NotePage .label { width: 10; height: 1; color: $text-muted; }
    NotePage .read { height: auto; margin-left: 12; }
    NotePage #what, NotePage PartField { width: 1fr; }
    NotePage #said, NotePage #said:focus { color: $secondary; text-style: italic; }
    NotePage.-tiny .part { layout: vertical; }
    NotePage.-tiny .read { margin-left: 2; }
    """

    def __init__(self, person_id: str = "", draft_id: str = "", visit_id: str = "") -> None:
        """About `person_id` unless the first line says otherwise; `draft_id` goes on with a draft; `visit_id` is written up."""
        super().__init__()
        self._person_id = person_id
        self._draft_id = draft_id
        self._visit_id = visit_id
        self.draft: Draft | None = None
        self._kept: Draft | None = None
        self._people: tuple[Known, ...] = ()
        self._owners: tuple[Known, ...] = ()
        self._names: Names[Known] = Names()
        self._owner_names: Names[Known] = Names()
        self._caseload: frozenset[str] = frozenset()
        self._saved = ("", "")
        self._goes = ""
        self._state = BLANK

    def inside(self) -> Iterable[Widget]:
        """Lay out the fields with their labels."""
        yield Words(id="state")
        with VerticalScroll(id="note", can_focus=False):
            with Horizontal(classes="part first"):
                yield Words(plain("What"), classes="label")
                yield FirstLineField("", "visit @name home today 2pm 50 min", id="what")
            yield Words(id="chips", classes="read")
            for name, label, hint in FIELDS:
                with Horizontal(classes="part"):
                    yield Words(plain(label), classes="label")
                    yield PartField("", plain(hint), id=name)
            yield Words(id="actions", classes="read")
        yield Mentions()

    def on_mount(self) -> None:
        """Put the caret into the first line, and begin to keep what is typed."""
        self.set_focus(self.query_one("#what"), scroll_visible=False)
        self.set_interval(KEEP_EVERY_SECONDS, self.keep_quietly)

    async def load(self) -> None:
        """Learn who there is; the first time, begin or go on with the draft. Fields in use are never overwritten."""
        known = await self.desk.ask(caseload.known_people)
        self._people = tuple(Known(person.id, person.name, person.known_as) for person in known)
        self._owners = await self.desk.ask(colleagues.owners, self._people)
        names = Names((person, (person.name, *person.known_as)) for person in self._people)
        owners = Names((person, (person.name, *person.known_as)) for person in self._owners if person.id != self.desk.me)
        await asyncio.to_thread(owners.fold)
        await asyncio.to_thread(names.fold)  # thousands of names take a moment, which the keyboard does not wait for
        await asyncio.to_thread(people_among, self._people)
        await asyncio.to_thread(people_among, self._owners)
        self._names, self._owner_names = names, owners
        self._caseload = await self.desk.ask(caseload.worked_with)
        if self.draft is None:
            kept = await self.desk.ask(drafts.unfinished)
            self._fill(next((draft for draft in kept if draft.id == self._draft_id), self._new_draft()))
        self._read()

    def _new_draft(self) -> Draft:
        now = Moment.of(self.shell.now())
        return Draft(new_id(), self._person_id, visit_id=self._visit_id, started_ms=now.ms, started_offset=now.offset)

    def _fill(self, draft: Draft) -> None:
        typed = self.typed(draft)  # whoever types quickly was there before the draft: those letters come after it
        what = self.query_one("#what", LineField)
        what.value = draft.first_line + typed.first_line
        what.cursor_position = len(what.value)
        for name, _, _ in FIELDS:
            self.query_one(f"#{name}", TextField).load_text(getattr(draft, name) + getattr(typed, name))
        self.draft = self._kept = draft
        if draft.kept_ms:
            self._say_kept(draft)
        else:
            self._say(plain("nothing is saved until you type", Tone.MUTED))

    def typed(self, draft: Draft) -> Draft:
        """Return `draft` with what stands in the fields now."""
        parts = {name: self.query_one(f"#{name}", TextField).text for name, _, _ in FIELDS}
        return msgspec.structs.replace(draft, first_line=self.query_one("#what", LineField).value, **parts)

    # reading

    @on(LineField.Changed)
    @on(TextField.Changed)
    def _changed(self) -> None:
        self._read()
        self._offer()

    def _reading(self) -> Reading | None:
        if self.draft is None or self.shell.open_desk is None:
            return None
        typed = self.typed(self.draft)
        return read(typed, self.shell.now(), self._people, self._caseload, self.desk.me, self._owners)

    def _read(self) -> None:
        reading = self._reading()
        if reading is None:
            return
        width = max(self.size.width - 18, 20)
        chips = run_on([_chip(chip) for chip in reading.first.chips])
        if not reading.about:
            chips = run_on([chips, plain("who? write @ and a name", Tone.SAFETY)])
        self.query_one("#chips", Words).show(chips)
        lines: list[Content] = []
        for action in reading.actions:
            owner = plain("you" if action.owner_is_me else action.owner, Tone.MUTED)
            today = self.shell.now().date()
            due = plain(f"due {say_due(action.due_on, today)}", Tone.MUTED) if action.due_on else BLANK
            asks = [_chip(chip) for chip in action.chips if not chip.certain]
            words = join(plain(action.text), "  ", run_on([run_on([owner, due], ", "), *asks]))
            lines += hang(plain(f"{glyphs.NEXT} ", Tone.NEXT), words, width)
        self.query_one("#actions", Words).show(plain("\n").join(lines))
        self._head(reading)

    def _head(self, reading: Reading) -> None:
        name = next((person.name for person in self._people if person.id == reading.about), "")
        title = join(plain("New note", Tone.STRONG), "  ", single(name, Tone.MUTED) if name else BLANK)
        self._title = title
        self._show_state()

    _title = BLANK

    def _say(self, words: Content) -> None:
        self._state = words
        self._show_state()

    def _show_state(self) -> None:
        title = self._title or plain("New note", Tone.STRONG)
        width = max(self.size.width - 4, 20)
        self.query_one("#state", Words).show(sides(title, self._state, width, gap=2))

    def on_resize(self) -> None:
        """Lay the words out for this width."""
        self._read()
        self._show_state()

    # naming people

    def _offer(self) -> None:
        field = self.focused
        if isinstance(field, FirstLineField):
            before, caret = field.value[: field.cursor_position], field.cursor_screen_offset
        elif isinstance(field, PartField):
            row, column = field.cursor_location
            before, caret = field.document.get_line(row)[:column], field.cursor_screen_offset
        else:
            return
        names = self._owner_names if field.id == "next_steps" else self._names
        self.query_one(Mentions).offer(before, names, caret)

    @on(Mentions.Chosen)
    def _mentioned(self, event: Mentions.Chosen) -> None:
        field, name = self.focused, f"@{event.person.name} "
        if isinstance(field, FirstLineField):
            end = field.cursor_position
            field.replace(name, end - event.typed, end)
        elif isinstance(field, PartField):
            row, column = field.cursor_location
            field.replace(name, (row, column - event.typed), (row, column))

    def on_descendant_blur(self) -> None:
        """Close the list of people when another field is used."""
        self.query_one(Mentions).close()

    @on(LineField.Submitted, "#what")
    def _first_line_done(self) -> None:
        self.set_focus(self.query_one("#seen"))

    @on(TextField.SelectionChanged)
    def _follow_caret(self, event: TextField.SelectionChanged) -> None:
        body, field = self.query_one("#note", VerticalScroll), event.text_area
        if field.has_focus:
            x, y = field.cursor_screen_offset - body.content_region.offset + body.scroll_offset
            body.scroll_to_region(Region(x, y, 1, 1), animate=False, force=True, x_axis=False)

    # keeping

    async def keep(self) -> None:
        """Put the draft into the vault as it is now; an empty one is thrown away."""
        await self.settled()
        if self.draft is None and self.is_unkept():
            self.draft = self._new_draft()  # typed before the draft that was asked for came: the words get one of their own
        if self.draft is None or not self.is_unkept():
            return
        typed = self.typed(self.draft)
        if typed.is_empty():
            await self.desk.do(drafts.throw_away, typed.id)
            self._kept = self.draft = typed
            self._say(plain("nothing to keep", Tone.MUTED))
            return
        kept = await self.desk.do(drafts.keep, self._named(typed))
        self._kept = kept
        self.draft = kept
        self._say_kept(kept)

    def is_unkept(self) -> bool:
        """Say whether there are words here that are not in the vault."""
        if self._done or self.shell.open_desk is None:
            return False
        return _words(self.typed(self._kept or Draft(""))) != _words(self._kept or Draft(""))

    def _named(self, draft: Draft) -> Draft:
        reading = self._reading()
        if reading is None or not reading.about:
            return draft
        name = next((person.name for person in self._people if person.id == reading.about), draft.person_name)
        return msgspec.structs.replace(draft, person_name=name)

    def _say_kept(self, draft: Draft) -> None:
        at = say_clock(Moment(draft.kept_ms, draft.kept_offset).local())
        self._say(join(plain(glyphs.DONE, Tone.GOOD), plain(f" draft kept on this laptop {at}", Tone.MUTED)))

    @work(group="keep")
    async def keep_quietly(self) -> None:
        """Keep the draft; say beside the title when that did not go."""
        try:
            await self.keep()
        except LeadworkerError as error:
            self._say(plain("! not kept", Tone.LATE))
            self.shell.say(error.sentence, "error", 20)

    def action_finish(self) -> None:
        """Finish the note."""
        reading = self._reading()
        if self.draft is not None and reading is not None:
            typed = self.typed(self.draft)
            self.save_and_go(lambda: self._sign(typed, reading))

    async def _sign(self, typed: Draft, reading: Reading) -> None:
        """Keep the entry. Until the vault says that it is durable, nothing here goes away."""
        try:
            entry = entry_of(typed, reading, self.shell.now(), self.desk.me)
            nowhere = await self.desk.ask(sending.goes_nowhere, entry.person_id)
            saved = await self.desk.do(save_note, entry, typed.id, typed.visit_id)
            self._saved = (entry.person_id, saved.entry_id)
            self._goes = GOES_NOWHERE if nowhere else GOES.get(self.desk.post.state.word, GOES_NOW)
            self._done = True
        except LeadworkerError as error:
            self.shell.say(error.sentence, "warning", 12)

    def gone(self) -> None:
        """Say that it is saved, and show the entry on the page before."""
        self.shell.say(SAVED + self._goes)
        if self.shell.page is not None:
            self.shell.page.show_saved(*self._saved)

    def action_back(self) -> None:
        """Go back; not while the note is being saved."""
        if self.is_open:
            super().action_back()


def _words(draft: Draft) -> tuple[str, ...]:
    return (draft.first_line, *(getattr(draft, name) for name, _, _ in FIELDS))


def _chip(chip: Chip) -> Content:
    if not chip.certain:
        return plain(chip.text, Tone.SOON)
    return plain(chip.text, Tone.HEADING if chip.kind == "kind" else Tone.PLAIN)
