"""Changed meanwhile: what somebody else wrote while a form was open, beside what stands in the form, and the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from leadworker.domain.conflicts import Meanwhile
from screens import keys
from screens.base import Dialog
from screens.frame import FootLine
from screens.lines import hang
from screens.plain import Content, Tone, join, plain, single
from screens.versions import wrote_words
from screens.vlist import VList
from screens.words import Words


class Change(msgspec.Struct, frozen=True):
    """One field that changed: what it says now, what stands in the form, and how theirs would stand there."""

    meanwhile: Meanwhile
    yours: str
    theirs: str


class Pick(msgspec.Struct, frozen=True):
    """What was chosen for one field: the words that are to stand in the form."""

    change: Change
    text: str


class MeanwhileDialog(Dialog):
    """Asks, field by field, which of the two is to stand. Nothing is saved until every one is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("meanwhile"))
    KEYS: ClassVar[str] = "meanwhile"
    DEFAULT_CSS = """
    MeanwhileDialog #meanwhile-panel { width: 90%; max-width: 100; height: 1fr; background: $panel; margin: 2 0; padding: 1 2; }
    MeanwhileDialog.-short #meanwhile-panel { margin: 1 0; }
    MeanwhileDialog.-low #meanwhile-panel { margin: 0; padding: 0 1; }
    MeanwhileDialog.-tiny #meanwhile-panel, MeanwhileDialog.-narrow #meanwhile-panel { width: 100%; }
    MeanwhileDialog Words { height: auto; background: $panel; margin-bottom: 1; }
    MeanwhileDialog VList { background: $panel; border-left: outer $panel; }
    """

    def __init__(self, changes: Sequence[Change], me: str, picked: Callable[[tuple[Pick, ...]], None]) -> None:
        super().__init__()
        self._changes = list(changes)
        self._me = me
        self._tell = picked
        self._picks: list[Pick] = []

    def compose(self) -> ComposeResult:
        """Lay out what happened, the fields, and the keys."""
        with Vertical(id="meanwhile-panel"):
            yield Words(id="meanwhile-about")
            yield VList[Change](self._draw, lambda change: change.meanwhile.field, gap=1, id="meanwhile")
        yield FootLine(self.KEYS)

    def on_mount(self) -> None:
        """Put the cursor on the first field."""
        self._now = self.shell.now()
        self.set_focus(self.query_one("#meanwhile"))
        self._show()

    def on_resize(self) -> None:
        """Lay the words out for this width."""
        self._show_about()

    def _show(self) -> None:
        self._show_about()
        self.query_one("#meanwhile", VList).show(self._changes)

    def _show_about(self) -> None:
        who = ", ".join(dict.fromkeys(change.meanwhile.written_by for change in self._changes))
        width = max(self.query_one("#meanwhile-panel").content_region.width, 20)
        words = plain(f"{who} changed this meanwhile. Nothing is saved yet, and nothing typed is lost: which is to stand?")
        self.query_one("#meanwhile-about", Words).show(plain("\n").join(hang(plain("! ", Tone.LATE), words, width)))

    def _draw(self, change: Change, width: int) -> list[Content]:
        one = change.meanwhile
        when = plain(f"  {wrote_words(one.wrote_ms, one.wrote_offset, self._now)}", Tone.MUTED)
        yours, theirs = change.yours.strip() or "nothing", change.theirs.strip() or one.words
        return [
            single(f"{one.what[:1].upper()}{one.what[1:]}", Tone.STRONG),
            plain("  yours", Tone.HEADING), *hang(plain("    "), plain(yours), width),
            join("  ", single(f"{one.written_by}'s", Tone.HEADING), when), *hang(plain("    "), plain(theirs), width),
        ]  # fmt: skip

    # keys

    def action_keep_mine(self) -> None:
        """Let what stands in the form stand."""
        self._pick(lambda change: change.yours)

    def action_keep_theirs(self) -> None:
        """Let what somebody else wrote stand."""
        self._pick(lambda change: change.theirs)

    def action_keep_both(self) -> None:
        """Let both stand, one beneath the other."""
        change = self.query_one("#meanwhile", VList).selected
        if change is not None and not change.meanwhile.both:
            self.shell.say(f"Both cannot hold at once: {change.meanwhile.what}. Choose yours or theirs.")
            return
        self._pick(lambda one: f"{self._me}: {one.yours.strip()}\n{one.meanwhile.written_by}: {one.theirs.strip()}")

    def _pick(self, text: Callable[[Change], str]) -> None:
        change: Change | None = self.query_one("#meanwhile", VList).selected
        if change is None:
            return
        self._picks.append(Pick(change, text(change)))
        self._changes.remove(change)
        if self._changes:
            self._show()
            return
        self.app.pop_screen()
        self._tell(tuple(self._picks))
