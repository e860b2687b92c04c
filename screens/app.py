"""The program: opens the vault, goes from page to page, hides, locks, and leaves nothing on the screen behind it."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events
from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen

from leadworker.clock import Clock, SystemClock
from leadworker.errors import LeadworkerError
from screens import crash, glyphs, hangup, keys, lastline, pasting, tidying
from screens.base import BOTTOM, Ending, Page, Undo
from screens.frame import TopLine
from screens.hide import HideScreen
from screens.leaving import MayLeave
from screens.themes import theme_for, themes

if TYPE_CHECKING:
    from leadworker.desk import Bell, Desk, Door, PostState

IDLE_MINUTES = 5
"""Without a key for so long, the program locks."""

ASLEEP_SECONDS = 60
"""When the wall clock gained so much on the steady one, the laptop was asleep: lock."""

TICK_SECONDS = 2.0

_ALWAYS = frozenset(
    {
        "hide", "leave", "help", "show_typed", "use_words", "suggest", "back", "come_back", "focus_next", "focus_previous",
    }
)  # fmt: skip
_NEVER = frozenset({"screenshot", "command_palette", "suspend_process", "toggle_dark", "change_theme"})
"""Actions of the library's own that have no place on a private journal: one writes the screen to the disk."""

_WHILE_HIDDEN = frozenset({"hide", "leave", "come_back"})


class LeadworkerApp(MayLeave, inherit_bindings=False):
    """The terminal program on one vault, behind `door`."""

    TITLE = "leadworker"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    AUTO_FOCUS = ""
    ESCAPE_TO_MINIMIZE = False
    TOOLTIP_DELAY = 3600.0
    BINDINGS: ClassVar[list[BindingType]] = list(keys.app_bindings())
    CSS = """
    ToastRack { margin-bottom: 1; padding-right: 2; scrollbar-size-vertical: 0; }
    Toast { background: $panel; border-left: outer $primary; padding: 0 1; width: auto; max-width: 76; }
    .-tiny Toast, .-narrow Toast { max-width: 100%; }
    .-tiny Toast { width: 1fr; }
    Toast.-warning { border-left: outer $warning; }
    Toast.-error { border-left: outer $error; }
    """

    def __init__(
        self,
        door: Door,
        *,
        clock: Clock | None = None,
        greeting: str = "",
        theme: str | None = None,
        ascii_only: bool | None = None,
        opening: Callable[[], Awaitable[Desk]] | None = None,
    ) -> None:
        """`greeting` is said on the unlock screen after a lock. `theme` and `ascii_only` are settings; None: decide.

        `opening` opens a vault right after the first picture without asking anybody, for the demonstration.
        """
        lastline.install()
        pasting.install()
        hangup.install()
        super().__init__()
        self.door = door
        self.clock = clock or SystemClock()
        self.greeting = greeting
        self._opening = opening
        self._crashes = crash.CrashNotice(door.report_crash)
        encoding = getattr(sys.__stderr__, "encoding", None)
        self.ascii = glyphs.wants_ascii(ascii_only, os.environ, encoding)
        if self.ascii:
            self._filters.append(glyphs.AsciiFilter(encoding))
        for each in themes():
            self.register_theme(each)
        self.theme_asked = theme
        self.theme = theme_for(theme, os.environ)
        self.animation_level = "none"
        self._touched = self.clock.steady()
        self._ticked: tuple[float, datetime] = (self._touched, self.clock.now())
        self._minute = ""
        self._undo: Undo | None = None
        self._rest: asyncio.Task[Any] | None = None
        self._faulty = False

    # starting

    def run(self, *args: Any, **kwargs: Any) -> Ending | None:
        """Run in the terminal until somebody leaves or it locks; return why it ended."""
        self._crashes.install()
        sys.setswitchinterval(0.0005)  # keys stay quick while a thread imports or syncs
        return super().run(*args, **kwargs)

    def _way_in(self) -> Screen[None]:
        """Make the screen to begin with: unlock, or make a vault."""
        if self._opening is not None or self.door.vault_exists():
            from screens.unlock import UnlockScreen

            return UnlockScreen(self.greeting, self._opening)
        from screens.first_run import FirstRunScreen

        return FirstRunScreen()

    def on_mount(self) -> None:
        """Show the way in, start the clock, and load the rest of the program behind the first picture."""
        self.push_screen(self._way_in())
        loop = asyncio.get_running_loop()
        if not self.is_headless:
            self._crashes.watch(loop)
        self.listen_for_the_end(loop)
        self.set_interval(TICK_SECONDS, self.tick)

    def load_rest(self) -> None:
        """Begin to load the pages in a thread. The way in asks for it once it has been painted."""
        if self._rest is None:
            self._rest = asyncio.get_running_loop().create_task(asyncio.to_thread(_import_pages))

    def let_in(self, desk: Desk) -> None:
        """Go on to Today. Not awaited by the screen that asks for it, because that screen goes away meanwhile."""
        self.run_worker(self.enter(desk), group="enter")

    async def enter(self, desk: Desk) -> None:
        """Take over an open vault and show Today."""
        self.load_rest()
        await cast("asyncio.Task[Any]", self._rest)
        from screens import places, settings

        if not gc.get_freeze_count():  # what was imported stays: looking through it for rubbish held a key up for 150 ms
            gc.freeze()
            gc.set_threshold(*tidying.SELDOM)
        self.open_desk, self.made_desk = desk, None
        self._stops = [desk.on_change(self._rung), desk.post.listen(self._post_changed)]
        desk.on_warning(lambda words: self.say(words, "error", 30))
        if self.theme_asked is None and "NO_COLOR" not in os.environ:
            self.theme = theme_for(await desk.ask(settings.remembered, "theme"), os.environ)
        self.touch()
        await self.switch_screen(places.page("today"))
        self.greeting = ""
        for notice in desk.notices:
            self.say(notice, "warning", 30)

    # going about

    @property
    def page(self) -> Page | None:
        """The topmost page, also under a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Page)), None)

    def go_to(self, place: str) -> None:
        """Go to a place, keeping what was typed on the way."""
        self.run_worker(self._go_to(place), group="go")

    async def _go_to(self, place: str) -> None:
        from screens import places

        if not await self.keep_all():
            return
        await self.shown()
        while len(self.screen_stack) > BOTTOM:
            await self.pop_screen()
            await self.shown()
        if not isinstance(self.screen, places.kind(place)):
            await self.switch_screen(places.page(place))

    def action_go(self, place: str) -> None:
        """Go to a place."""
        self.go_to(place)

    def open_person(self, person_id: str, entry_id: str = "") -> None:
        """Open a person's page over this one, at an entry if one is named."""
        from screens import places

        self.push_screen(places.PersonPage(person_id, entry_id))

    def write_note(self, person_id: str = "", draft_id: str = "", visit_id: str = "") -> None:
        """Open a note over this page."""
        from screens import places

        self.push_screen(places.NotePage(person_id, draft_id, visit_id))

    def plan_visit(self, person_id: str = "") -> None:
        """Open the form that puts a visit in the diary."""
        from screens import places

        self.push_screen(places.VisitForm(person_id))

    def written_apart(self, person_id: str = "") -> None:
        """Open what was written apart over this page."""
        from screens import places

        if not isinstance(self.screen, places.ApartPage):
            self.push_screen(places.ApartPage(person_id))

    def who_reads(self, person_id: str) -> None:
        """Open who can read a casebook over this page."""
        from screens import places

        self.push_screen(places.ReadersPage(person_id))

    def add_person(self) -> None:
        """Open the form that writes down a person."""
        from screens import places

        self.push_screen(places.AddPersonForm())

    def sync_now(self) -> None:
        """Send and receive now."""
        self.run_worker(self._sync_now(), group="sync")

    async def _sync_now(self) -> None:
        state = await self.desk.post.sync_now()
        self.say(state.alarm or state.sentence, "error" if state.alarm else "information")

    def action_new_note(self) -> None:
        """Write a note about whoever is on the screen."""
        page = self.page
        self.write_note(page.person_in_view() if page else "", "", page.visit_in_view() if page else "")

    def action_find(self) -> None:
        """Find anyone or anything."""
        from screens import places

        if not isinstance(self.screen, places.FindDialog):
            self.push_screen(places.FindDialog(self.page.person_in_view() if self.page else ""))

    def action_help(self) -> None:
        """Show the keys of this screen."""
        from screens.help import HelpDialog

        if not isinstance(self.screen, HelpDialog):
            self.push_screen(HelpDialog(getattr(self.screen, "KEYS", "") or getattr(self.page, "KEYS", "")))

    async def action_back(self) -> None:
        """Go back one page; a place stays."""
        if isinstance(self.screen, Page):
            self.screen.action_back()

    def offer_undo(self, words: str, undo: Undo) -> None:
        """Say what was done, and that ``u`` takes it back."""
        self._undo = undo
        self.say(f"{words}  {undo.offer}")

    def action_undo(self) -> None:
        """Take the last change back."""
        undo, self._undo = self._undo, None
        if undo is None:
            self.say("There is nothing to undo. A notice names u where it undoes something.")
        else:
            self.write(self._take_back(undo))

    async def _take_back(self, undo: Undo) -> None:
        try:
            await undo.deed()
        except LeadworkerError as error:
            self.say(error.sentence, "warning")
        else:
            if undo.said:
                self.say(undo.said)

    # hearing

    def _rung(self, bell: Bell) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, Page):
                screen.rung(bell)

    def _post_changed(self, state: PostState) -> None:
        self._refresh_top_line()
        if self.page is not None:
            self.page.post_changed(state)

    def _refresh_top_line(self) -> None:
        for line in self.screen.query(TopLine):
            line.refresh()

    def copy_to_clipboard(self, text: str) -> None:
        """Keep a copy inside the program only: the system's clipboard has a history, and may be synced (C.9 item 6)."""
        self._clipboard = text

    # time

    def touch(self) -> None:
        """Note that somebody is there."""
        self._touched = self.clock.steady()

    async def on_event(self, event: events.Event) -> None:
        """Note keys and the mouse: while they come, the program does not lock."""
        if isinstance(event, events.InputEvent | events.Paste) and not self._hidden:
            self.touch()
        await super().on_event(event)

    def tick(self) -> None:
        """Look at the clock: show the new minute, lock when nobody was there, lock when the laptop slept."""
        self.end_without_a_terminal()
        steady, now = self.clock.steady(), self.clock.now()
        (last_steady, last_now), self._ticked = self._ticked, (steady, now)
        if self.made_desk is not None and steady - self._touched >= IDLE_MINUTES * 60:
            self.action_hide()  # recovery words are on the screen, and there is nothing to lock yet
        if self.open_desk is not None and not self._ending:
            slept = now - last_now - timedelta(seconds=steady - last_steady)
            if steady - self._touched >= IDLE_MINUTES * 60:
                self.lock(f"Locked after {IDLE_MINUTES} minutes without a key. Your note is kept.")
            elif slept > timedelta(seconds=ASLEEP_SECONDS):
                self.lock("Locked while the laptop was asleep. Your note is kept.")
        minute = f"{now:%H:%M}"
        if minute != self._minute:
            self._minute = minute
            if isinstance(self.screen, HideScreen):
                self.screen.tick()
            elif self.page is not None:
                self._refresh_top_line()
                self.page.minute_passed()

    # what keys may do

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Before the vault is open, and while the screen is hidden, only a few keys do anything."""
        if action in _NEVER:
            return False
        if self._hidden:
            return action in _WHILE_HIDDEN
        return self.open_desk is not None or action in _ALWAYS

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Offer none of the library's own commands: one of them writes a picture of the screen to the disk."""
        return ()

    def is_busy(self) -> bool:
        """Say whether keys are to wait: something is being saved or left, or a page has not got its first words yet."""
        return super().is_busy() or (isinstance(self.screen, Page) and not self.screen.loaded)

    # when something breaks

    def panic(self, *renderables: object) -> None:
        """Stop with the calm notice, also for errors that could draw themselves."""
        self._fatal_error()

    def _fatal_error(self) -> None:
        """Stop: keep what was typed, note the report inside the vault, print one line. A second fault changes none of it."""
        if self._faulty:
            return
        self._faulty = True
        code = crash.reference()
        error = self._exception or sys.exc_info()[1]
        if error is not None:
            self._crashes.note(error, code)
        self._exit_renderables.clear()
        self._exit_renderables.append(crash.notice(code))
        self._ending = True
        asyncio.get_running_loop().create_task(self._stop_after_keeping())

    async def _stop_after_keeping(self) -> None:
        try:
            with suppress(Exception):  # it stops for a fault already; a second one may not keep the vault open
                await asyncio.wait_for(self.keep_all(), timeout=3)
            desk, self.open_desk = self.open_desk or self.made_desk, None
            if desk is not None:
                with suppress(Exception):  # nor keep the notice from appearing
                    await asyncio.wait_for(desk.close(), timeout=3)
        finally:
            self._close_messages_no_wait()


def _import_pages() -> Iterable[str]:
    """Import what the unlock screen does not need: the pages, and with them the records."""
    from screens import places

    return places.NAMES
