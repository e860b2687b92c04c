"""What every page is made of: the program as pages see it (`Shell`) and the page itself (`Page`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import msgspec
from textual import work
from textual.app import App, ComposeResult
from textual.notifications import Notify
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.worker import Worker

from leadworker.clock import Clock
from leadworker.errors import LeadworkerError
from screens import keys, tidying
from screens.frame import FootLine, TopLine
from screens.plain import BLANK, Content, plain
from screens.postwords import unsent_words

if TYPE_CHECKING:
    from leadworker.desk import Bell, Desk, Door, PostState

WIDTHS: list[tuple[int, str]] = [(0, "-tiny"), (60, "-narrow"), (96, "-mid"), (132, "-wide")]
HEIGHTS: list[tuple[int, str]] = [(0, "-low"), (22, "-short"), (28, "-tall")]

WRITING = "write"
"""The group of everything that writes. It is never exclusive, never cancelled, and waited for before the vault closes."""

LEAVING = "leave"
"""The group of what leaves a page. It closes the page itself, so it is not stopped when the page goes."""

BOTTOM = 2
"""Screens on the stack when a place is shown: the library's blank one, and the place."""

Kind = Literal["information", "warning", "error"]


class How(Enum):
    """Why the program ended."""

    LEFT = "left"
    LOCKED = "locked"


class Ending(msgspec.Struct, frozen=True):
    """What `LeadworkerApp.run` returns. After LOCKED the front door replaces the process and greets with `greeting`."""

    how: How
    greeting: str = ""


class Undo(msgspec.Struct, frozen=True):
    """How to take the last change back, what to say then (nothing where the deed says it), and how that is offered."""

    deed: Callable[[], Awaitable[object]]
    said: str
    offer: str = "u undoes it."


class Shell(App[Ending]):
    """The program as its pages see it. `screens.app` fills it in."""

    door: Door
    clock: Clock
    ascii: bool = False
    open_desk: Desk | None = None
    made_desk: Desk | None = None
    """A vault that was just made, while its recovery words are being written down."""

    @property
    def desk(self) -> Desk:
        """The open vault. Pages exist only while there is one."""
        if self.open_desk is None:
            raise RuntimeError("a page was asked for while the vault is locked")
        return self.open_desk

    def now(self) -> datetime:
        """Return the time on this laptop's clock."""
        return self.clock.now()

    def clock_words(self) -> Content:
        """Return the time as the top line shows it."""
        return plain(f"{self.now():%H:%M}")

    def unsent(self, wide: bool) -> Content:
        """Return what the top line says about the post: nothing while the vault closes under a page that is still drawn."""
        return BLANK if self.open_desk is None else unsent_words(self.open_desk.post.state, self.now(), wide)

    @property
    def joined(self) -> bool:
        """Return whether this vault shares its work through a central store, so that it matters what is only here."""
        return self.open_desk is not None and self.open_desk.post.state.word != "alone"

    @abstractmethod
    def lock(self, greeting: str) -> None:
        """Lock now; the unlock screen then says `greeting`."""

    def write(self, deed: Coroutine[Any, Any, object]) -> None:
        """Run something that writes, outside any page: it is finished also when the page goes away meanwhile."""
        self.run_worker(deed, group=WRITING)

    def say(self, sentence: str, kind: Kind = "information", seconds: float = 6) -> None:
        """Show a sentence for some seconds, over whatever is on the screen."""
        self.notify(plain(sentence).plain, severity=kind, timeout=seconds, markup=False)

    def on_notify(self, event: Notify) -> None:
        """Let what was done last take the place of what was done before, unless that is to stand longer.

        The same warning never stands twice; different ones all stand, because each says something to do.
        """
        new = event.notification
        for old in list(self._notifications):
            is_done_with = new.severity == "information" and new.timeout >= old.timeout
            if old.severity == new.severity and (is_done_with or old.message == new.message):
                del self._notifications[old]

    @property
    @abstractmethod
    def page(self) -> Page | None:
        """Return the topmost page, also under a dialog."""

    @abstractmethod
    def go_to(self, place: str) -> None:
        """Go to a place: ``today``, ``people`` or ``sync``."""

    @abstractmethod
    def open_person(self, person_id: str, entry_id: str = "") -> None:
        """Open a person's page, at an entry of their journal if one is named."""

    @abstractmethod
    def write_note(self, person_id: str = "", draft_id: str = "", visit_id: str = "") -> None:
        """Open a new note, or go on with a draft."""

    @abstractmethod
    def plan_visit(self, person_id: str = "") -> None:
        """Open the form that puts a visit in the diary."""

    @abstractmethod
    def written_apart(self, person_id: str = "") -> None:
        """Open the page on which somebody chooses between what was written apart, first what is about this person."""

    @abstractmethod
    def who_reads(self, person_id: str) -> None:
        """Open the page of who can read a casebook."""

    @abstractmethod
    def add_person(self) -> None:
        """Open the form that writes down a person."""

    @abstractmethod
    def sync_now(self) -> None:
        """Send and receive now."""

    @abstractmethod
    def offer_undo(self, words: str, undo: Undo) -> None:
        """Say what was done and that ``u`` takes it back."""

    @abstractmethod
    async def shown(self) -> None:
        """Wait until the screen is not hidden: for what looks at which page is on top. Opening and closing pages waits by itself."""

    @abstractmethod
    def action_hide(self) -> None:
        """Hide the screen."""

    @abstractmethod
    def come_back(self) -> None:
        """Show what was hidden."""


def shell_of(widget: Widget) -> Shell:
    """Return the program that a widget belongs to, typed."""
    return cast(Shell, widget.app)


class AskingScreen(Screen[None]):
    """A screen that asks the vault. Once it has been closed it asks for nothing any more: no widget would show the answer."""

    def run_worker(self, *args: Any, **kwargs: Any) -> Worker[Any]:
        """Begin something in the background; on a screen that was closed it is given up before it begins."""
        worker = super().run_worker(*args, **kwargs)
        if self not in self.app.screen_stack:
            worker.cancel()
        return worker

    def on_unmount(self) -> None:
        """Clear away what this screen leaves."""
        tidying.after_closing(self.app)


class Page(AskingScreen):
    """A page with the frame around it. It names the topics it shows, and loads itself anew when one of them changed."""

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    TOPICS: ClassVar[frozenset[str]] = frozenset()
    PLACE: ClassVar[str] = "today"
    """Which place is lit in the top line."""
    KEYS: ClassVar[str] = "today"
    """Which keys of `screens.keys` hold here."""

    ALWAYS_FRESH: ClassVar[bool] = False
    """Whether the page loads anew each time it comes to the top, for things that no bell rings for."""

    DEFAULT_CSS = """
    Page { background: $background; color: $foreground; }
    """

    keys_needed: frozenset[str] = frozenset()
    """The keys that the footer names only now and then, and that are needed now (`screens.keys.footer`)."""
    keys_idle: frozenset[str] = frozenset()
    """The keys that the footer does not offer now, since they would only answer why they do nothing."""

    def offer_keys(self, *, needed: Iterable[str] = (), idle: Iterable[str] = ()) -> None:
        """Say which keys the footer offers now and which it does not."""
        self.keys_needed, self.keys_idle = frozenset(needed), frozenset(idle)
        self.query_one(FootLine).refresh()

    def __init_subclass__(cls, **kwargs: bool) -> None:
        """Give each page the bindings of its row in the table of keys."""
        if "BINDINGS" not in cls.__dict__:
            cls.BINDINGS = list(keys.bindings(cls.KEYS))
        super().__init_subclass__(**kwargs)

    def __init__(self) -> None:
        super().__init__()
        self._stale = True
        self.loaded = False

    @property
    def shell(self) -> Shell:
        """The program, typed."""
        return cast(Shell, self.app)

    @property
    def desk(self) -> Desk:
        """The open vault."""
        return self.shell.desk

    def compose(self) -> ComposeResult:
        """Lay out the frame, and what the page has inside."""
        yield TopLine(self.PLACE)
        yield from self.inside()
        yield FootLine(self.KEYS)

    @abstractmethod
    def inside(self) -> Iterable[Widget]:
        """Make the page's own widgets."""

    async def load(self) -> None:
        """Ask the desk for what the page shows, and show it."""

    async def keep(self) -> None:
        """Put what was typed here into the vault, before the page is left, hidden or locked."""

    def post_changed(self, state: PostState) -> None:
        """Hear that the state of the post has changed."""

    def minute_passed(self) -> None:
        """Hear that the clock shows another minute: what is said about time may read differently."""

    def is_unkept(self) -> bool:
        """Say whether there are words here that are not in the vault."""
        return False

    def show_saved(self, person_id: str, entry_id: str) -> None:
        """Show the entry that a note over this page has just become, so that it is seen to be kept."""

    def person_in_view(self) -> str:
        """Return the id of the person that this page, or its selected row, is about; empty when there is none."""
        return ""

    def visit_in_view(self) -> str:
        """Return the id of the visit that the selected row is about and that a note would write up."""
        return ""

    @property
    def is_on_top(self) -> bool:
        """Return whether nothing lies over this page. The library's `is_current` says so of the page under a dialog, too."""
        return self.app.screen is self

    def on_mount(self) -> None:
        """Load for the first time."""
        self.reload()

    def on_screen_resume(self) -> None:
        """Load again when something changed while another page was on top."""
        for line in self.query(TopLine):
            line.refresh()
        if self.loaded and (self._stale or self.ALWAYS_FRESH):
            self.reload()

    def rung(self, bell: Bell) -> None:
        """Hear what a commit changed: load anew now if this page is looked at, else when it is next."""
        if not (bell.topics & self.TOPICS):
            return
        if self.is_current:
            self.reload()
        else:
            self._stale = True

    @work(exclusive=True, group="load")
    async def reload(self) -> None:
        """Load in the background; a newer load overtakes an older one. Once the vault is closing nothing is loaded."""
        if self.shell.open_desk is None:
            return
        self._stale = False
        try:
            await self.load()
        except LeadworkerError as error:
            self.shell.say(error.sentence, "warning")
        self.loaded = True

    def action_written_apart(self) -> None:
        """Choose between what was written apart."""
        self.shell.written_apart(self.person_in_view())

    def action_back(self) -> None:
        """Go back one step."""
        self.leave()

    @work(group=LEAVING)
    async def leave(self) -> None:
        """Keep what was typed, also while it was being kept; then go back to the page before. A place stays where it is."""
        try:
            await self.keep()
            while self.is_unkept():
                await self.keep()
        except LeadworkerError as error:
            self.shell.say(error.sentence, "error", 20)
            return
        await self.shell.shown()
        if self.is_on_top and len(self.app.screen_stack) > BOTTOM:
            self.app.pop_screen()


class Dialog(AskingScreen, ModalScreen[None]):
    """Something over a page: it dims what is beneath and closes with Esc."""

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    DEFAULT_CSS = """
    Dialog { align: center top; background: $background 70%; }
    """

    @property
    def shell(self) -> Shell:
        """The program, typed."""
        return cast(Shell, self.app)

    def action_back(self) -> None:
        """Close."""
        self.app.pop_screen()
