"""Written apart: what two people wrote differently without having seen one another, side by side, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from leadworker.clock import Moment
from leadworker.domain import conflicts
from leadworker.domain.conflicts import Choice, Conflict, Version
from leadworker.errors import LeadworkerError
from leadworker.shelf import Shelf
from leadworker.words.saying import say_count
from screens.base import Dialog, Page, Shell, Undo
from screens.form import FieldOf, Form
from screens.history import HistoryDialog
from screens.keys import PLACES
from screens.lines import hang
from screens.plain import Content, Tone, join, plain, single
from screens.reading import starts
from screens.versions import about_lines, conflict_lines, version_lines
from screens.vlist import VList
from screens.words import Words

SAFE = "Nothing is lost: every version stays in the history."


class ApartPage(Page):
    """Everything that was written apart, each with its versions; one key settles it."""

    PLACE = "sync"
    KEYS = "apart"
    TOPICS = frozenset({"person", "alert", "visit", "receipt"})
    DEFAULT_CSS = """
    ApartPage #facts { height: auto; padding: 0 2; margin-bottom: 1; }
    ApartPage.-tall #facts { margin: 1 0; }
    ApartPage #apart { height: 1fr; }
    """

    def __init__(self, person_id: str = "") -> None:
        """`person_id`: about whom to begin."""
        super().__init__()
        self._person_id = person_id
        self._had_some = False

    def inside(self) -> Iterable[Widget]:
        """Lay out a line of words, and the list."""
        yield Words(id="facts")
        yield VList[Conflict](self._draw, lambda one: one.key, gap=1, id="apart")

    @property
    def _list(self) -> VList[Conflict]:
        return self.query_one("#apart", VList)

    def on_mount(self) -> None:
        """Begin in the list."""
        self._now = self.shell.now()
        self.set_focus(self._list, scroll_visible=False)

    async def load(self) -> None:
        """Ask what is open."""
        found = await self.desk.ask(conflicts.open_conflicts)
        self._now = self.shell.now()
        first = next((one.key for one in found if one.person_id == self._person_id), None) if self._person_id else None
        self._person_id = ""
        self.query_one("#facts", Words).show(_facts_words(len(found)))
        self._had_some = self._had_some or bool(found)
        self.offer_keys(idle=() if found else (key.id for key in PLACES["apart"]))
        self._list.show(found, select=first)
        said = "Nothing is left to choose." if self._had_some else "Nobody wrote anything apart."
        self._list.say_when_empty(plain(f"{said} Esc goes back.", Tone.MUTED))

    def _draw(self, shown: Conflict, width: int) -> list[Content]:
        return conflict_lines(shown, width, self._now)

    # keys

    def person_in_view(self) -> str:
        """Return the person of the selected row."""
        shown = self._list.selected
        return "" if shown is None else shown.person_id

    def action_keep_mine(self) -> None:
        """Keep what was written here."""
        self._keep(lambda shown: shown.mine(), "There is none of yours among these. Enter shows every version.")

    def action_keep_theirs(self) -> None:
        """Keep what somebody else wrote."""
        self._keep(lambda shown: shown.theirs(), "There is more than one of theirs. Enter shows every version.")

    def _keep(self, which: Callable[[Conflict], tuple[Version, ...]], otherwise: str) -> None:
        shown = self._list.selected
        if shown is None:
            return
        versions = which(shown)
        if len({version.words for version in versions}) == 1:
            self.shell.write(settle(self.shell, shown, Choice(version=versions[0].change)))
        else:
            self.shell.say(otherwise)

    def action_keep_both(self) -> None:
        """Keep both, one beneath the other."""
        shown = self._list.selected
        if shown is not None and shown.both:
            self.shell.write(settle(self.shell, shown, Choice(both=True)))
        elif shown is not None:
            self.shell.say(f"Both cannot hold at once: {shown.what}. Choose one, or e writes another.")

    def action_edit(self) -> None:
        """Write another value instead of these."""
        shown = self._list.selected
        if shown is not None and shown.by_hand:
            self.app.push_screen(AnotherForm(shown))
        elif shown is not None:
            self.shell.say("It is one or the other. Choose one of them.")

    def action_history(self) -> None:
        """Show every version there ever was."""
        shown = self._list.selected
        if shown is not None:
            self.app.push_screen(HistoryDialog(shown.topic, shown.record_id, shown.person_name))

    @on(VList.Opened, "#apart")
    def _opened(self, event: VList.Opened) -> None:
        self.app.push_screen(VersionsDialog(event.item))


def _facts_words(count: int) -> Content:
    if not count:
        return plain("Written apart", Tone.HEADING)
    said = say_count(count, "thing was", "things were")
    return join(plain("Written apart  ", Tone.HEADING), plain(f"{said} written differently by two people. {SAFE}", Tone.MUTED))


async def settle(shell: Shell, shown: Conflict, choice: Choice) -> None:
    """Settle a conflict and say so; what cannot be settled so is said, too."""
    try:
        is_settled, after = await shell.desk.do(_settled, shown, choice)
    except LeadworkerError as error:
        shell.say(error.sentence, "warning", 12)
        return
    if is_settled:
        rest = "Both stand, with who said which." if choice.both else "The other stays in the history."
        _offer_another_choice(shell, f"Settled: {shown.what}. {rest}", after)
    else:
        shell.say("Saved. Somebody wrote another version meanwhile: choose again.", "warning", 12)


def _settled(shelf: Shelf, shown: Conflict, choice: Choice) -> tuple[bool, Conflict]:
    return conflicts.settle(shelf, shown, choice), conflicts.as_it_is_now(shelf, shown)


def _chosen_again(shelf: Shelf, settled: Conflict, choice: Choice) -> Conflict:
    conflicts.choose_again(shelf, settled, choice)
    return conflicts.as_it_is_now(shelf, settled)


async def _choose_again(shell: Shell, settled: Conflict, choice: Choice) -> None:
    try:
        after = await shell.desk.do(_chosen_again, settled, choice)
    except LeadworkerError as error:
        shell.say(error.sentence, "warning", 12)
        return
    _offer_another_choice(shell, f"Chosen again: {settled.what}. Every version stays in the history.", after)


def _offer_another_choice(shell: Shell, words: str, settled: Conflict) -> None:
    """Say what was done. A choice is written and cannot be unwritten: `u` shows the same versions once more, to choose again."""

    async def show_again() -> None:
        shell.push_screen(VersionsDialog(settled, again=True))

    shell.offer_undo(words, Undo(show_again, "", "u chooses again."))


class VersionsDialog(Dialog):
    """Every version of one thing, whole; Enter keeps the selected one. `again`: one was chosen already."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "back", show=False)]
    DEFAULT_CSS = """
    VersionsDialog #versions-panel {
        width: 90%; max-width: 100; height: 1fr; background: $panel; margin: 2 0; padding: 1 2;
    }
    VersionsDialog.-short #versions-panel { margin: 1 0; }
    VersionsDialog.-low #versions-panel { margin: 0; padding: 0 1; }
    VersionsDialog.-tiny #versions-panel, VersionsDialog.-narrow #versions-panel { width: 100%; }
    VersionsDialog Words { height: auto; background: $panel; margin-bottom: 1; }
    VersionsDialog VList { background: $panel; border-left: outer $panel; }
    """

    def __init__(self, shown: Conflict, *, again: bool = False) -> None:
        super().__init__()
        self._shown = shown
        self._again = again

    def compose(self) -> ComposeResult:
        """Lay out what it is about, and the versions."""
        with Vertical(id="versions-panel"):
            yield Words(id="versions-about")
            yield VList[Version](self._draw, lambda version: version.change, gap=1, id="versions")

    def on_mount(self) -> None:
        """Put the cursor on the first version."""
        self._now = self.shell.now()
        versions: VList[Version] = self.query_one("#versions", VList)
        versions.show(self._shown.versions)
        self.set_focus(versions)

    def on_resize(self) -> None:
        """Lay the words out for this width."""
        width = max(self.query_one("#versions-panel").content_region.width, 20)
        esc = "leaves it as you chose" if self._again else "decides nothing"
        how = hang(plain("  "), plain(f"Enter keeps the selected one. Esc {esc}.", Tone.MUTED), width)
        lines = [*about_lines(self._shown, width), *how]
        self.query_one("#versions-about", Words).show(plain("\n").join(lines))

    def _draw(self, version: Version, width: int) -> list[Content]:
        return version_lines(version, width, self._now)

    @on(VList.Opened, "#versions")
    def _opened(self, event: VList.Opened) -> None:
        shell, shown, chosen = self.shell, self._shown, event.item
        self.app.pop_screen()
        shell.write((_choose_again if self._again else settle)(shell, shown, Choice(version=chosen.change)))


class AnotherForm(Form):
    """Asks for another value than those that were written apart."""

    PLACE = "sync"

    def __init__(self, shown: Conflict) -> None:
        super().__init__()
        self._shown = shown

    def draft_key(self) -> str:
        """Return a name for each conflict's own form."""
        return f"apart {self._shown.key}"

    def heading(self) -> Content:
        """Show what it is about, with every version."""
        width, now = max(self.app.size.width - 6, 20), self.shell.now()
        lines = [*about_lines(self._shown, width)]
        for version in self._shown.versions:
            lines += version_lines(version, width, now)
        return plain("\n").join(lines)

    def fields(self) -> Iterable[FieldOf]:
        """Ask for the one value."""
        if self._shown.says == "time":
            yield FieldOf("value", "Instead", "", "tomorrow 3.30pm, or Thu 20 Nov 15:30")
        else:
            yield FieldOf("value", "Instead", conflicts.joined(self._shown.versions), "What is so", lines=True)

    def hint(self) -> Content:
        """Say what becomes of the versions."""
        return single(f"Ctrl+S settles it with these words. {SAFE}", Tone.MUTED)

    async def save(self, values: Mapping[str, str]) -> str:
        """Settle it."""
        if self._shown.says == "time":
            choice = conflicts.at_time(self._shown, Moment.of(starts(values["value"], self.shell.now())))
        else:
            choice = Choice(value=values["value"])
        if await self.desk.do(conflicts.settle, self._shown, choice):
            return f"Settled: {self._shown.what}. The others stay in the history."
        return "Saved. Somebody wrote another version meanwhile: choose again."
