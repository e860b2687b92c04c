"""Sync: what only this laptop has, what was sent and received and when, and what stands in the way, in words."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on, work
from textual.widget import Widget

from leadworker.desk import AT_ONCE, PostState
from leadworker.domain import carrying, journal, late, sending
from leadworker.domain.carrying import WrittenParcel
from leadworker.domain.journal import EntryView
from leadworker.domain.late import Late
from leadworker.domain.sending import WaitingRow
from leadworker.words.saying import say_count, say_date
from screens import glyphs, stick
from screens.base import Page
from screens.entry_rows import author_words, kind_words, where_words
from screens.lines import hang, pad, sides
from screens.plain import BLANK, Content, Tone, join, plain, run_on, single
from screens.postwords import held_up, say_when
from screens.vlist import Heading, VList
from screens.words import Words

LABEL_WIDTH = 18
BAR_WIDTH = 32
SHARE = 70
"""Percent of the page that the facts may take, above the list."""
GOOD_TO_KNOW = ("Backup", "Notices", "Last received", "Last sent", "Central store")
"""Facts that need nobody; they give way first where the page is low."""
MOST_SHOWN = 400
"""Entries in the list of those that are only here; beyond it stands that there are more."""


def _key(item: EntryView | WaitingRow) -> str:
    return item.id if isinstance(item, EntryView) else f"{item.topic} {item.record_id}"


class SyncPage(Page):
    """How things stand with the central store."""

    PLACE = "sync"
    KEYS = "sync"
    TOPICS = frozenset({"journal_entry", "person", "visit", "action", "alert", "receipt", "post", "parcel", "late"})
    DEFAULT_CSS = """
    SyncPage #facts { height: auto; max-height: 70%; padding: 0 2; margin-bottom: 1; }
    SyncPage.-tall #facts { margin: 1 0; }
    SyncPage #here { height: 1fr; }
    SyncPage #progress { height: auto; padding: 0 2; }
    """

    def inside(self) -> Iterable[Widget]:
        """Lay out the facts, the list of what is only here, and the progress."""
        yield Words(id="facts")
        yield VList[EntryView | WaitingRow](self._draw, _key, height=1, id="here")
        yield Words(id="progress")

    def on_mount(self) -> None:
        """Begin in the list."""
        self._written: WrittenParcel | None = None
        self._left_out: tuple[str, ...] = ()
        self._late: tuple[Late, ...] = ()
        self._now = self.shell.now()
        self.set_focus(self.query_one("#here"), scroll_visible=False)

    async def load(self) -> None:
        """Ask for what the store has not receipted yet."""
        self._now = self.shell.now()
        self._written = next(iter(reversed(await self.desk.ask(carrying.written))), None)
        self._late = await self.desk.ask(late.waiting)
        state = self.desk.post.state
        self._show_state(state)
        alone = state.word == "alone"
        waiting = () if alone else await self.desk.ask(journal.unsent, limit=MOST_SHOWN + 1)
        others = () if alone else await self.desk.ask(sending.waiting, limit=MOST_SHOWN)
        here = self.query_one("#here", VList)
        here.entitle(BLANK if alone else plain("Not on the central store yet", Tone.HEADING))
        more = [Heading(plain(f"and more: these are the newest {MOST_SHOWN}", Tone.MUTED))] if len(waiting) > MOST_SHOWN else []
        beside = [row for row in others if row.topic != "journal_entry"]
        rest = [Heading(plain("Other changes", Tone.MUTED)), *beside] if beside else []
        here.show([*waiting[:MOST_SHOWN], *more, *rest])

    def post_changed(self, state: PostState) -> None:
        """Show the new state at once."""
        if self.loaded:
            self._now = self.shell.now()
            self._show_state(state)

    def on_resize(self) -> None:
        """Lay the words out for this width."""
        if self.loaded:
            self._show_state(self.desk.post.state)

    def _show_state(self, state: PostState) -> None:
        width = max(self.size.width - 4, 20)
        self.query_one("#facts", Words).show(plain("\n").join(self._fitting(state, width)))
        self.query_one("#progress", Words).show(plain("\n").join(self._progress(state)))
        nothing = "No journal entry; other changes wait." if state.waiting else "Nothing: everything that you wrote is there too."
        self.query_one("#here", VList).say_when_empty(BLANK if state.word == "alone" else plain(nothing, Tone.MUTED))

    def _fitting(self, state: PostState, width: int) -> list[Content]:
        """Return the facts; on a low screen without those that are good to know, so that none that needs somebody is cut off."""
        facts = self.query_one("#facts")
        edges = sum(line.size.height for line in self.query("TopLine, FootLine")) + facts.styles.margin.height
        room = (self.size.height - edges) * SHARE // 100
        for many in range(len(GOOD_TO_KNOW) + 1):
            self._left_out = GOOD_TO_KNOW[:many]
            lines = list(self._facts(state, width))
            if room <= 0 or len(lines) <= room:
                break
        return lines

    def _facts(self, state: PostState, width: int) -> Iterable[Content]:
        yield from hang(plain("This laptop  ", Tone.HEADING), plain(state.sentence, Tone.MUTED), width, 0)
        for words, tone in ((state.alarm, Tone.LATE), (state.clock_warning, Tone.SOON)):
            if words:
                yield from hang(plain("! ", tone), plain(words, tone), width)
        if state.word == "alone":
            yield BLANK
            words = "A team shares its work through a central store that cannot read it. “leadworker join” takes an invite."
            yield from hang(BLANK, plain(words, Tone.MUTED), width)
        else:
            yield from self._post_facts(state, width)
        backup = say_when(state.last_backup_ms, self._now)
        hint = "" if state.last_backup_ms else "; “leadworker backup FILE” writes one"
        yield from self._fact(glyphs.DONE if state.last_backup_ms else glyphs.OPEN, "Backup", plain(f"{backup}{hint}", Tone.MUTED), width)

    def _post_facts(self, state: PostState, width: int) -> Iterable[Content]:
        waiting = say_count(state.waiting, "change", "changes") if state.waiting else "nothing"
        sign = glyphs.WAITING if state.waiting else glyphs.DONE
        yield from self._fact(sign, "To send", plain(waiting, Tone.STRONG if state.waiting else Tone.MUTED), width)
        sent = glyphs.DONE if state.last_sent_ms else glyphs.OPEN
        yield from self._fact(sent, "Last sent", plain(say_when(state.last_sent_ms, self._now), Tone.MUTED), width)
        received = run_on([say_when(state.last_received_ms, self._now), single(state.last_received)], ", ")
        got = glyphs.DONE if state.last_received_ms else glyphs.OPEN
        yield from self._fact(got, "Last received", received.stylize(Tone.MUTED.value), width)
        if state.apart:
            words = f"{say_count(state.apart, 'thing waits', 'things wait')} for a choice. c shows both versions of each."
            yield from self._fact("!", "Written apart", plain(words, Tone.SAFETY), width)
        if self._written and state.word != "up to date":
            holds = say_count(self._written.changes, "change", "changes") if self._written.changes else "a question for what is new"
            words = f"{holds}, written {say_when(self._written.made_ms, self._now)}"
            yield from self._fact(glyphs.OPEN, "On a stick", plain(f"{words}; no answer came back yet", Tone.MUTED), width)
        if state.late:
            said = f"{say_count(state.late, 'change', 'changes')} in casebooks that are not yours any more; open the person, w, i"
            yield from self._fact("!", "To hand in", plain(said, Tone.SAFETY), width)
        if self._late:
            came = run_on((single(f"{one.name} about {one.person or 'somebody'}", Tone.SAFETY) for one in self._late), "; ")
            how = plain(", handed in late; open the person, w, i", Tone.SAFETY)
            yield from self._fact("!", "To take in", join(came, how), width)
        if state.put_aside:
            count = say_count(state.put_aside, "thing", "things")
            words = f"{count} that could not be opened or trusted; nothing of yours. “leadworker check” says which."
            yield from self._fact("!", "Put aside", plain(words, Tone.SAFETY), width)
        if state.organisation:
            place = run_on([single(state.organisation), single(state.hub, Tone.MUTED)])
            yield from self._fact(glyphs.ONLINE if state.word != "offline" else glyphs.OFFLINE, "Central store", place, width)
        if state.notices and (state.word != "offline" or state.notices == AT_ONCE):
            told = glyphs.DONE if state.notices == AT_ONCE else glyphs.OPEN
            yield from self._fact(told, "Notices", plain(state.notices, Tone.MUTED), width)

    def _fact(self, sign: str, label: str, words: Content, width: int) -> list[Content]:
        if label in self._left_out:
            return []
        tone = {glyphs.DONE: Tone.GOOD, glyphs.WAITING: Tone.SAFETY, "!": Tone.SAFETY}.get(sign, Tone.MUTED)
        return hang(join(plain(sign, tone), " ", pad(plain(label), LABEL_WIDTH)), words, width)

    def _progress(self, state: PostState) -> Iterable[Content]:
        if state.word != "sending" or not state.sending_of:
            return
        share = min(state.sending_done / state.sending_of, 1.0)
        done = int(share * BAR_WIDTH)
        yield join(plain(f"{state.sentence}  "), plain("You can keep working.", Tone.MUTED))
        yield join(plain("━" * done, Tone.NEXT), plain("┄" * (BAR_WIDTH - done), Tone.LINE), plain(f"  {share:.0%}"))

    def _draw(self, item: EntryView | WaitingRow, width: int) -> list[Content]:
        return self._draw_entry(item, width) if isinstance(item, EntryView) else self._draw_waiting(item, width)

    def _draw_waiting(self, row: WaitingRow, width: int) -> list[Content]:
        what = f"{row.what[:1].upper()}{row.what[1:]}"
        left = join(plain(what, Tone.STRONG), "  ", run_on([single(row.title), single(row.person_name, Tone.MUTED)]))
        words = (glyphs.WAITING, Tone.SAFETY) if row.sent_ms else (glyphs.HERE, Tone.MUTED)
        return [sides(left, plain(f"{words[0]} {row.whereabouts()}", words[1]), width)]

    def _draw_entry(self, entry: EntryView, width: int) -> list[Content]:
        day = say_date(entry.happened().day(), self._now.date())
        left = join(
            plain(kind_words(entry.kind, entry.continues), Tone.STRONG), f", {day}  ", single(entry.person_name, Tone.MUTED), "  ",
            single("" if entry.by_me else author_words(entry), Tone.MUTED),
        )  # fmt: skip
        return [sides(left, where_words(entry, self._now, width - left.cell_length - 1), width)]

    # keys

    def person_in_view(self) -> str:
        """Return the person of the selected row."""
        item: EntryView | WaitingRow | None = self.query_one("#here", VList).selected
        return "" if item is None else item.person_id

    @on(VList.Opened, "#here")
    def _opened(self, event: VList.Opened) -> None:
        entry_id = event.item.id if isinstance(event.item, EntryView) else ""
        self.shell.open_person(event.item.person_id, entry_id)

    def action_why(self) -> None:
        """Say why the selected one has not gone."""
        item = self.query_one("#here", VList).selected
        if item is None:
            self.shell.say("Nothing waits here. Everything that you wrote is on the central store.")
        else:
            self._say_why(item.person_id, item.sent_ms)

    @work(exclusive=True, group="why")
    async def _say_why(self, person_id: str, sent_ms: int) -> None:
        state = self.desk.post.state
        self.shell.say(await self.desk.ask(sending.why_of, person_id, sent_ms=sent_ms, post=held_up(state, self._now)), seconds=12)

    def action_visit_stick(self) -> None:
        """Ask for the stick's folder."""
        self.shell.write(stick.ask_where(self.shell))

    def action_sync_now(self) -> None:
        """Send and receive now."""
        self.sync()

    @work(exclusive=True, group="sync")
    async def sync(self) -> None:
        """Send and receive, and say how it went."""
        state = await self.desk.post.sync_now()
        self.shell.say(state.alarm or state.sentence, "error" if state.alarm else "information")
        self.reload()
