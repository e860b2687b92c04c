"""One journal entry on its own: its words, both clocks, who wrote it, and where it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from leadworker.domain import sending
from leadworker.domain.journal import EntryView
from leadworker.words.saying import say_time
from screens.base import Dialog
from screens.entry_rows import clocks_words, entry_lines
from screens.lines import hang, rule
from screens.plain import BLANK, Content, Tone, plain, single
from screens.postwords import held_up, local
from screens.words import Words


class EntryDialog(Dialog):
    """Shows an entry whole, with the facts of the record beneath."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "back", show=False)]
    DEFAULT_CSS = """
    EntryDialog #entry-panel {
        width: 90%; max-width: 100; height: auto; max-height: 100%;
        background: $panel; margin: 2 0; padding: 1 2; scrollbar-size-vertical: 1;
    }
    EntryDialog.-short #entry-panel { margin: 1 0; }
    EntryDialog.-low #entry-panel { margin: 0; }
    EntryDialog.-tiny #entry-panel, EntryDialog.-narrow #entry-panel { width: 100%; }
    EntryDialog Words { height: auto; background: $panel; }
    """

    def __init__(self, entry: EntryView) -> None:
        super().__init__()
        self._entry = entry
        self._why = ""

    def compose(self) -> ComposeResult:
        """Lay out the panel."""
        with VerticalScroll(id="entry-panel"):
            yield Words(id="entry-words")

    def on_mount(self) -> None:
        """Take the keyboard, so that arrows scroll."""
        self.query_one("#entry-panel").focus()
        if not self._entry.n:
            self._ask_why()

    @work(exclusive=True, group="load")
    async def _ask_why(self) -> None:
        shell, entry = self.shell, self._entry
        held = held_up(shell.desk.post.state, shell.now())
        self._why = await shell.desk.ask(sending.why_of, entry.person_id, sent_ms=entry.sent_ms, post=held)
        self.on_resize()

    def on_resize(self) -> None:
        """Lay the words out for this width."""
        panel = self.query_one("#entry-panel")
        width = max(panel.scrollable_content_region.width, 20)
        self.query_one("#entry-words", Words).show(plain("\n").join(self._lines(width)))

    def _lines(self, width: int) -> Iterable[Content]:
        now = self.shell.now()
        yield single(self._entry.person_name, Tone.STRONG)
        yield BLANK
        yield from entry_lines(self._entry, width, now)
        yield BLANK
        yield rule(width)
        yield from clocks_words(self._entry, now).wrap(width)
        yield from hang(BLANK, self._way(), width)

    def _way(self) -> Content:
        entry, now = self._entry, self.shell.now()
        match entry.whereabouts():
            case "here":
                return plain(f"It is here, on this laptop only. {self._why}", Tone.MUTED)
            case "on its way":
                return plain(f"It is on its way to the central store. {self._why}", Tone.MUTED)
        when = say_time(local(entry.received_ms, now), now) if entry.received_ms else ""
        words = f"The central store took it, sealed, as number {entry.n} of this casebook, {when}"
        return plain(f"{words.rstrip(', ')}. It cannot read it.", Tone.MUTED)
