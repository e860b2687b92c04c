"""The history of one record: every version of every field, who wrote it and when, and which of them stand."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from leadworker.domain import histories
from leadworker.domain.histories import History, HistoryLine
from leadworker.errors import LeadworkerError
from screens.base import Dialog
from screens.lines import hang
from screens.plain import BLANK, Content, Tone, plain, run_on, single
from screens.versions import place_words, wrote_words
from screens.words import Words


class HistoryDialog(Dialog):
    """Shows everything that was ever written about a record, field by field, the latest first."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "back", show=False)]
    DEFAULT_CSS = """
    HistoryDialog #history-panel {
        width: 90%; max-width: 100; height: auto; max-height: 100%;
        background: $panel; margin: 2 0; padding: 1 2; scrollbar-size-vertical: 1;
    }
    HistoryDialog.-short #history-panel { margin: 1 0; }
    HistoryDialog.-low #history-panel { margin: 0; }
    HistoryDialog.-tiny #history-panel, HistoryDialog.-narrow #history-panel { width: 100%; }
    HistoryDialog Words { height: auto; background: $panel; }
    """

    def __init__(self, topic: str, record_id: str, person_name: str) -> None:
        super().__init__()
        self._topic, self._record_id, self._person_name = topic, record_id, person_name
        self._history: History | None = None

    def compose(self) -> ComposeResult:
        """Lay out the panel."""
        with VerticalScroll(id="history-panel"):
            yield Words(id="history-words")

    def on_mount(self) -> None:
        """Take the keyboard, so that arrows scroll, and ask."""
        self.query_one("#history-panel").focus()
        self._ask()

    @work(exclusive=True, group="load")
    async def _ask(self) -> None:
        try:
            self._history = await self.shell.desk.ask(histories.history, self._topic, self._record_id)
        except LeadworkerError as error:
            self.shell.say(error.sentence, "warning")
        self.on_resize()

    def on_resize(self) -> None:
        """Lay the words out for this width."""
        if self._history is not None:
            width = max(self.query_one("#history-panel").scrollable_content_region.width, 20)
            self.query_one("#history-words", Words).show(plain("\n").join(self._lines(self._history, width)))

    def _lines(self, history: History, width: int) -> Iterable[Content]:
        yield from hang(BLANK, run_on([single(self._person_name, Tone.STRONG), single(history.title, Tone.MUTED)]), width)
        for what, lines in groupby(history.lines, key=lambda line: line.what):
            yield BLANK
            yield plain(f"{what[:1].upper()}{what[1:]}", Tone.HEADING)
            for line in lines:
                yield from self._line(line, width)

    def _line(self, line: HistoryLine, width: int) -> Iterable[Content]:
        now = self.shell.now()
        state = "two versions stand" if line.apart else "now" if line.stands else ""
        who = "you" if line.by_me else line.written_by
        chosen = f", chosen from {line.settled} versions" if line.settled else ""
        place = place_words(line.n, line.sent_ms, line.received_ms, now)
        facts = f"{who}, {wrote_words(line.wrote_ms, line.wrote_offset, now)}{chosen}, {place}"
        sign = plain("! " if line.apart else "  ", Tone.LATE)
        words = plain(line.words, Tone.PLAIN if line.stands else Tone.MUTED)
        yield from hang(sign, run_on([words, plain(state, Tone.LATE if line.apart else Tone.GOOD)]), width)
        yield from hang(plain("    "), single(facts, Tone.MUTED), width)
