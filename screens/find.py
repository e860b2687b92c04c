"""Find: anyone, anything that was written, any command, from one line. ``>`` means commands only, ``@`` people only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from leadworker.domain import caseload, journal
from leadworker.domain.caseload import PersonRow
from leadworker.domain.journal import EntryView
from leadworker.errors import LeadworkerError
from leadworker.shelf import Hit
from leadworker.text import begins, one_line, skeleton
from leadworker.words.people import Known
from screens import keys
from screens.base import Dialog
from screens.commands import Command, commands
from screens.entry_rows import entry_summary
from screens.fields import LineField
from screens.glyphs import CUT
from screens.lines import cut, sides
from screens.names import Names
from screens.plain import Content, Tone, join, marked, plain, single
from screens.vlist import Heading, VList
from screens.words import Words

MOST_PEOPLE = 8
MOST_NOTES = 12
MOST_COMMANDS = 6
WORDS_BEFORE = 16
NEAR_FROM = 3
"""Letters from which misspelt names are looked for, and direct hits under which it is worth while."""


class Found(msgspec.Struct, frozen=True):
    """One row: its words at the left and right, and what opening it does."""

    id: str
    left: Content
    right: Content
    opens: Callable[[], None]


_MOVES: Mapping[str, Callable[[VList[Any]], None]] = {
    "down": lambda found: found.action_step(1),
    "up": lambda found: found.action_step(-1),
    "pagedown": lambda found: found.action_page(1),
    "pageup": lambda found: found.action_page(-1),
    "enter": lambda found: found.action_open(),
}


class FindField(LineField):
    """The line to type into; the keys that move go to the list beneath."""

    async def _on_key(self, event: events.Key) -> None:
        move = _MOVES.get(event.key)
        if move is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        for found in self.screen.query("#found").results(VList):  # none any more while the panel closes
            move(found)


class FindDialog(Dialog):
    """The panel over whatever is open."""

    KEYS = "find"
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("find"))
    DEFAULT_CSS = """
    FindDialog #find-panel {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        background: $panel; margin: 2 0; padding: 1 2;
    }
    FindDialog.-short #find-panel { margin: 1 0; }
    FindDialog.-low #find-panel { margin: 0; padding: 0 2; }
    FindDialog.-tiny #find-panel { margin: 0; padding: 0 1; }
    FindDialog LineField, FindDialog LineField:focus { background: $background; margin-bottom: 1; }
    FindDialog VList { background: $panel; height: auto; max-height: 16; border-left: none; padding: 0; scrollbar-gutter: auto; }
    FindDialog.-tall VList { max-height: 24; }
    FindDialog #find-help { height: 1; margin-top: 1; background: $panel; color: $text-muted; }
    """

    def __init__(self, person_in_view: str = "") -> None:
        """`person_in_view`: whom commands such as a new note are about."""
        super().__init__()
        self._in_view = person_in_view
        self._people: tuple[Known, ...] = ()
        self._names: Names[Known] = Names()
        self._facts: dict[str, Content] = {}
        self._near: tuple[Known, ...] = ()
        self._notes: tuple[tuple[Hit, EntryView], ...] = ()
        self._now: datetime

    def compose(self) -> ComposeResult:
        """Lay out the line, the list and the help."""
        with Vertical(id="find-panel"):
            yield FindField("", "A name, a word from a note, or what to do", id="find-line")
            yield VList[Found](_draw, lambda found: found.id, height=1, keep_lit=True, id="found")
            words = [("enter", " open   "), (">", " commands only   "), ("@", " people only")]
            help_line = [part for key, word in words for part in (plain(key, Tone.STRONG), plain(word, Tone.MUTED))]
            yield Words(join(*help_line), id="find-help")

    def on_mount(self) -> None:
        """Put the caret into the line; learn who there is."""
        self._now = self.shell.now()
        self.query_one("#found", VList).can_focus = False
        self.set_focus(self.query_one("#find-line"))
        self._learn()

    @work(exclusive=True, group="learn")
    async def _learn(self) -> None:
        self._people = await self.shell.desk.ask(caseload.known_people)
        names = Names((person, (person.name, *person.known_as)) for person in self._people)
        await asyncio.to_thread(names.fold)
        self._names = names
        rows = (*await self.shell.desk.ask(caseload.mine), *await self.shell.desk.ask(caseload.others))
        self._facts = {row.id: plain(_facts_words(row)) for row in rows}
        self._show()

    # looking

    @property
    def _typed(self) -> str:
        return self.query_one("#find-line", LineField).value.strip()

    @on(LineField.Changed, "#find-line")
    def _changed(self) -> None:
        self._near = ()
        if not self._typed or self._typed[0] in ">@":
            self._notes = ()
        self._show()
        self._look()

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        """Look through the notes, and for misspelt names; a newer letter overtakes this."""
        typed = self._typed
        if not typed or typed.startswith(">"):
            return
        try:
            if not typed.startswith("@"):
                self._notes = await self.shell.desk.ask(journal.find, typed, limit=MOST_NOTES, newest=True)
        except LeadworkerError:
            self._notes = ()
        name = typed.lstrip("@")
        direct = self._named(name)
        if len(name) >= NEAR_FROM and len(direct) < NEAR_FROM:
            near = await asyncio.to_thread(caseload.near_names, self._people, name)
            self._near = tuple(person for person in near if person not in direct)
        self._show()

    def _named(self, typed: str) -> list[Known]:
        return self._names.fitting(typed, MOST_PEOPLE) if typed else []

    # showing

    def _show(self) -> None:
        rows = list(self._rows(self._typed))
        found = self.query_one("#found", VList)
        found.say_when_empty(self._nothing())
        found.show(rows)
        found.action_first()

    def _nothing(self) -> Content:
        typed = self._typed
        if not typed:
            return plain("Type a name, or a word from a note.", Tone.MUTED)
        return join(plain("Nothing matches ", Tone.MUTED), single(f"‘{typed[:40]}’"), plain(".", Tone.MUTED))

    def _rows(self, typed: str) -> Iterable[Found | Heading]:
        only_commands, only_people = typed.startswith(">"), typed.startswith("@")
        words = typed.lstrip(">@").strip()
        people = [] if only_commands else self._named(words)
        near = [] if only_commands else list(self._near)
        yield from self._section("People", [self._person(person, words) for person in people])
        yield from self._section("Near", [self._person(person, "") for person in near])
        if not only_commands and not only_people:
            yield from self._section("Notes", [self._note(hit, entry) for hit, entry in self._notes])
        if not only_people:
            about = people[0] if people else None
            offered = commands(self.shell, about.id if about else self._in_view, about.name if about else "")
            fits = [command for command in offered if _command_fits(command, words)]
            if words or only_commands:
                shown = fits if only_commands else fits[:MOST_COMMANDS]
                yield from self._section("Do", [self._command(command) for command in shown])

    def _section(self, title: str, rows: Sequence[Found]) -> Iterable[Found | Heading]:
        if rows:
            yield Heading(plain(title, Tone.HEADING))
            yield from rows

    def _person(self, person: Known, words: str) -> Found:
        name = marked(one_line(person.name), _spans(person.name, words), Tone.STRONG)
        also = single(f"  {', '.join(person.known_as)}" if person.known_as else "", Tone.MUTED)
        facts = self._facts.get(person.id, plain("")).stylize(Tone.MUTED.value)
        return Found(f"p{person.id}", join(name, also), facts, self._opener(lambda: self.shell.open_person(person.id)))

    def _note(self, hit: Hit, entry: EntryView) -> Found:
        left = entry_summary(entry, self._now, 26)
        words = join(single(f"{entry.person_name.split(' ')[0]}: ", Tone.MUTED), snippet(hit.snippet))
        deed = self._opener(lambda: self.shell.open_person(entry.person_id, entry.id))
        return Found(f"n{entry.id}", left, words, deed)

    def _command(self, command: Command) -> Found:
        return Found(f"c{command.words}", plain(command.words), plain(command.key, Tone.MUTED), self._opener(command.deed))

    def _opener(self, deed: Callable[[], object]) -> Callable[[], None]:
        def open_it() -> None:
            self.app.pop_screen()
            self.app.call_later(deed)

        return open_it

    @on(VList.Opened, "#found")
    def _opened(self, event: VList.Opened) -> None:
        event.item.opens()


def _facts_words(row: PersonRow) -> str:
    facts = (
        "; ".join(map(one_line, row.lives_at.split("\n"))), "two versions" if row.contested else "",
        "" if row.on_caseload else caseload.my_part(row),
    )  # fmt: skip
    return ", ".join(filter(None, facts))


def _draw(found: Found, width: int) -> list[Content]:
    left = join("  ", found.left)
    room = max(width - min(left.cell_length, width // 2) - 2, 0)
    return [sides(left, cut(found.right, room), width, gap=2)]


def snippet(text: str) -> Content:
    """Return the words around a find on one line, what matched marked; the store puts \\x02 and \\x03 about it.

    It begins shortly before what matched, so that this is seen also where there is little room.
    """
    parts: list[Content] = []
    first = text.find("\x02")
    if first > WORDS_BEFORE:
        start = text.find(" ", first - WORDS_BEFORE, first) + 1
        text = CUT + text[start or first :]
    for piece in text.split("\x02"):
        inside, mark, after = piece.partition("\x03")
        parts += [single(inside, Tone.HIT), single(after, Tone.MUTED)] if mark else [single(piece, Tone.MUTED)]
    return join(*parts)


def _command_fits(command: Command, words: str) -> bool:
    return begins(skeleton(command.words).split(), skeleton(words).split())


def _spans(name: str, words: str) -> list[tuple[int, int]]:
    """Return where the beginnings of the name's words are what was typed."""
    folded = name.casefold()
    if len(folded) != len(name):
        return []
    spans = []
    for part in words.casefold().split():
        at = 0 if folded.startswith(part) else folded.find(f" {part}") + 1
        if folded.startswith(part, at) and (at == 0 or folded[at - 1] == " "):
            spans.append((at, at + len(part)))
    return spans
