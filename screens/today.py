"""Today: the visits with what to know at the door, what is unfinished, what is due, and what others wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.containers import Container, VerticalScroll
from textual.widget import Widget

from leadworker.clock import Moment
from leadworker.domain import journal, today
from leadworker.domain.actions import ActionRow
from leadworker.domain.conflicts import Conflict
from leadworker.domain.drafts import Draft
from leadworker.domain.journal import EntryView
from leadworker.domain.today import NewsRow
from leadworker.domain.visits import VisitRow
from leadworker.words.saying import MONTHS, WEEKDAYS, say_clock, say_count, say_date, say_day, say_time, say_visit
from screens import glyphs
from screens.base import Page
from screens.entry_rows import kind_words, short_time, where_words
from screens.lines import hang, sides
from screens.plain import BLANK, Content, Tone, join, plain, run_on, single
from screens.postwords import local, waiting_words
from screens.rows import apart_words, door_sign, door_words, due_words, tick
from screens.vlist import VList
from screens.words import Words

OFTEN_EMPTY = ("apart", "unfinished", "written", "news")
LOOKED_THROUGH = 200
"""Newest entries that are looked through for those written today."""

ONE_LINE_FROM = 60
"""Width from which an action and its person stand on one line."""


class TodayPage(Page):
    """What needs me, on one page."""

    PLACE = "today"
    KEYS = "today"
    TOPICS = frozenset({"visit", "action", "alert", "access_note", "person", "journal_entry", "draft", "post"})
    DEFAULT_CSS = """
    TodayPage #day { height: auto; padding: 0 2; margin-bottom: 1; }
    TodayPage.-tall #day { margin: 1 0; }
    TodayPage #columns { width: 100%; height: 1fr; layout: vertical; overflow-y: auto; scrollbar-gutter: stable; }
    TodayPage #columns { scrollbar-size-vertical: 1; }
    TodayPage .column { height: auto; overflow-y: hidden; width: 100%; scrollbar-size-vertical: 1; }
    TodayPage VList { margin-bottom: 1; }
    TodayPage.-mid #columns, TodayPage.-wide #columns { layout: horizontal; overflow-y: hidden; scrollbar-gutter: auto; }
    TodayPage.-mid .column, TodayPage.-wide .column { height: 1fr; overflow-y: auto; scrollbar-gutter: stable; }
    TodayPage.-mid #left, TodayPage.-wide #left { width: 5fr; }
    TodayPage.-mid #right, TodayPage.-wide #right { width: 4fr; margin-left: 2; }
    """
    ALWAYS_FRESH: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._gathered: today.Today | None = None
        self._written: tuple[EntryView, ...] = ()
        self._saved = ""

    def inside(self) -> Iterable[Widget]:
        """Lay out four lists in two columns, which stack where it is narrow."""
        yield Words(id="day")
        with Container(id="columns"):
            with VerticalScroll(id="left", classes="column", can_focus=False):
                yield VList[VisitRow](
                    self._draw_visit, _visit_key, gap=1, title=plain("Visits", Tone.HEADING),
                    empty=plain("No visits today.", Tone.MUTED), grows=True, id="visits",
                )  # fmt: skip
                yield VList[Conflict](
                    self._draw_apart, lambda item: item.key, height=1, title=plain("Written apart", Tone.HEADING),
                    grows=True, id="apart",
                )  # fmt: skip
                yield VList[Draft | VisitRow](
                    self._draw_unfinished, lambda item: item.id, title=plain("Not finished", Tone.HEADING),
                    grows=True, id="unfinished",
                )  # fmt: skip
                yield VList[EntryView](
                    self._draw_written, lambda item: item.id, height=1, title=plain("Written today", Tone.HEADING),
                    grows=True, id="written",
                )  # fmt: skip
            with VerticalScroll(id="right", classes="column", can_focus=False):
                yield VList[ActionRow](
                    self._draw_todo, lambda item: item.id, title=plain("To do", Tone.HEADING),
                    empty=plain("Nothing is due. n writes a note, / finds someone.", Tone.MUTED), grows=True, id="todo",
                )  # fmt: skip
                yield VList[NewsRow](
                    self._draw_news, lambda item: item.entry_id, height=1, title=plain("New from others", Tone.HEADING),
                    grows=True, id="news",
                )  # fmt: skip

    def on_mount(self) -> None:
        """Show nothing of the lists that are often empty until there is something in them."""
        for name in OFTEN_EMPTY:
            self.query_one(f"#{name}").display = False
        self._today, self._now = self.shell.now().date(), self.shell.now()

    async def load(self) -> None:
        """Gather the day."""
        gathered = await self.desk.ask(today.today)
        recent = await self.desk.ask(journal.recent, limit=LOOKED_THROUGH)
        day = self.shell.now().date()
        self._gathered = gathered
        self._written = tuple(entry for entry in recent if entry.by_me and entry.recorded().day() == day)
        self._show(gathered)

    def minute_passed(self) -> None:
        """Say anew how long it is until each visit; at midnight it is another day."""
        if self._gathered is None or not self.query("#visits"):  # not loaded yet, or on its way out: its panels go before it does
            return
        if self.shell.now().date() != self._today:
            self.reload()
        else:
            self._show(self._gathered)

    def _show(self, gathered: today.Today) -> None:
        self._now = self.shell.now()
        self._today = self._now.date()
        self.query_one("#day", Words).show(self._day_words(gathered))
        unfinished: list[Draft | VisitRow] = [*gathered.drafts, *gathered.not_written_up]
        shown: Sequence[tuple[str, Sequence[object]]] = (
            ("visits", gathered.visits), ("apart", gathered.apart), ("unfinished", unfinished), ("written", self._written),
            ("todo", gathered.todo), ("news", gathered.news),
        )  # fmt: skip
        self.offer_keys(needed=["today.apart"] if gathered.apart else [])
        for name, items in shown:
            panel: VList[object] = self.query_one(f"#{name}", VList)
            panel.show(items, select=self._saved if name == "written" else None)
            if name in OFTEN_EMPTY:
                panel.display = bool(items)
        if self._saved and self.query_one("#written", VList).selected_key == self._saved:
            self._saved = ""
            self.set_focus(self.query_one("#written"), scroll_visible=False)
        if self.focused is None:
            first = next((name for name, items in shown if items), "todo")
            self.set_focus(self.query_one(f"#{first}"), scroll_visible=False)

    def _day_words(self, gathered: today.Today) -> Content:
        late = sum(1 for action in gathered.todo if action.due_on and action.due_on < self._today.isoformat())
        due = sum(1 for action in gathered.todo if action.due_on == self._today.isoformat())
        facts = [plain(say_count(len(gathered.visits), "visit", "visits"), Tone.MUTED)] if gathered.visits else []
        if due:
            facts.append(plain(f"{due} due today", Tone.MUTED))
        if late:
            facts.append(plain(f"{late} late", Tone.LATE))
        if gathered.apart:
            facts.append(plain(f"{len(gathered.apart)} written apart", Tone.LATE))
        day = f"{WEEKDAYS[self._today.weekday()]} {self._today.day} {MONTHS[self._today.month - 1]}"
        return join(plain(day, Tone.STRONG), "   ", run_on(facts, ", "))

    # rows

    def _draw_visit(self, visit: VisitRow, width: int) -> list[Content]:
        starts = visit.starts().local()
        state = say_visit(starts, visit.ends().local(), self._now, bool(visit.entry_id))
        soon = state == "now" or (state.endswith("min") and state.startswith("in "))
        left = join(
            plain(say_clock(starts), Tone.STRONG),
            "  ",
            single(visit.person_name or "someone", Tone.STRONG),
            "  ",
            single(visit.place, Tone.MUTED),
        )
        how_soon = plain(state, Tone.SAFETY if soon else Tone.MUTED)
        right = run_on([waiting_words(visit, self.shell.joined), how_soon])
        if left.cell_length + right.cell_length + 2 > width:  # where to go is needed more
            right = how_soon
        lines = [sides(left, right, width)]
        indent = "       "
        if visit.contested:
            said = apart_words(visit.contested)
            lines += hang(plain(f"{indent}! "), plain(f"{said[:1].upper()}{said[1:]}; c shows both.", Tone.LATE), width)
        for line in visit.door:
            lines += hang(join(indent, door_sign(line)), door_words(line), width)
        if visit.note:
            lines += hang(plain(indent), plain(visit.note, Tone.MUTED), width)
        return lines

    def _draw_apart(self, item: Conflict, width: int) -> list[Content]:
        left = join(
            plain("! ", Tone.LATE), single(item.person_name, Tone.STRONG), "  ", run_on([plain(item.what), single(item.title, Tone.MUTED)])
        )
        ordered = sorted(item.versions, key=lambda version: not version.by_me)
        names = ["you" if version.by_me else version.written_by.split(" ")[0] for version in ordered]
        return [sides(left, single(" and ".join(dict.fromkeys(names)), Tone.MUTED), width)]

    def _draw_unfinished(self, item: Draft | VisitRow, width: int) -> list[Content]:
        if isinstance(item, VisitRow):
            when = say_time(item.starts().local(), self._now)
            left = join(plain(f"{glyphs.OPEN} "), plain("Visit", Tone.STRONG), "  ", single(item.person_name, Tone.MUTED))
            return [sides(left, plain(f"{when}, not written up", Tone.MUTED), width)]
        started = Moment(item.started_ms, item.started_offset).local()
        words = item.first_line or item.seen or item.said or item.noticed or item.think or item.next_steps
        left = join(
            plain(f"{glyphs.DRAFT} ", Tone.NEXT),
            single(words.strip()[:120], Tone.STRONG),
            "  ",
            single(item.person_name, Tone.MUTED),
        )
        return [sides(left, plain(f"started {say_time(started, self._now)}", Tone.MUTED), width)]

    def _draw_todo(self, action: ActionRow, width: int) -> list[Content]:
        sign, due = due_words(action, self._today)
        due = run_on([waiting_words(action, self.shell.joined), due])
        if width >= ONE_LINE_FROM:
            person = single(action.person_name, Tone.MUTED)
            return [sides(join(sign, " ", single(action.text), "  ", person), due, width)]
        lines = [sides(join(sign, " ", single(action.text)), due, width)]
        if action.person_name:
            lines.append(sides(join("  ", single(action.person_name, Tone.MUTED)), BLANK, width))
        return lines

    def _draw_news(self, news: NewsRow, width: int) -> list[Content]:
        day = say_date(Moment(news.happened_ms, news.happened_offset).day(), self._today)
        left = join(
            single(news.written_by or "Somebody", Tone.STRONG),
            plain(f"  {kind_words(news.kind, news.continues)}, {day}  "),
            single(news.person_name, Tone.MUTED),
        )
        return [sides(left, plain(short_time(local(news.received_ms, self._now), self._now), Tone.MUTED), width)]

    def _draw_written(self, entry: EntryView, width: int) -> list[Content]:
        at = entry.happened().local()
        when = say_time(at, self._now) if entry.precision == "exact" else say_day(at.date(), self._today)
        left = join(
            single(kind_words(entry.kind, entry.continues), Tone.STRONG),
            plain(f"  {when}  "),
            single(entry.person_name, Tone.MUTED),
        )
        return [sides(left, where_words(entry, self._now, width - left.cell_length - 1), width)]

    # keys

    def show_saved(self, person_id: str, entry_id: str) -> None:
        """Put the cursor on the entry that was just written."""
        self._saved = entry_id
        self.reload()

    def person_in_view(self) -> str:
        """Return the person of the selected row."""
        item = self._selected()
        return "" if item is None else str(getattr(item, "person_id", ""))

    def visit_in_view(self) -> str:
        """Return the visit of the selected row, which a new note would write up."""
        item = self._selected()
        return item.id if isinstance(item, VisitRow) and not item.entry_id else ""

    def _selected(self) -> object:
        focused = self.focused
        return focused.selected if isinstance(focused, VList) else None

    @on(VList.Opened)
    def _opened(self, event: VList.Opened) -> None:
        item = event.item
        if isinstance(item, Draft):
            self.shell.write_note(item.person_id, item.id, item.visit_id)
        elif isinstance(item, NewsRow):
            self.shell.open_person(item.person_id, item.entry_id)
        elif isinstance(item, EntryView):
            self.shell.open_person(item.person_id, item.id)
        elif isinstance(item, Conflict):
            self.shell.written_apart(item.person_id)
        elif isinstance(item, VisitRow) and event.list.id == "unfinished":
            self.shell.write_note(item.person_id, "", item.id)
        elif isinstance(item, ActionRow):
            self.shell.open_person(item.person_id, item.entry_id)
        elif isinstance(item, VisitRow):
            self.shell.open_person(item.person_id)

    def action_tick(self) -> None:
        """Tick the selected action off."""
        item = self._selected()
        if isinstance(item, ActionRow):
            self.shell.write(tick(self.shell, item))

    def action_add_visit(self) -> None:
        """Put a visit in the diary."""
        from screens.visit_form import VisitForm

        self.app.push_screen(VisitForm(self.person_in_view()))


def _visit_key(visit: VisitRow) -> str:
    return visit.id
