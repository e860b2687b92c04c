"""The way in: a passphrase, or the sixteen recovery words. It says nothing about whose journal this is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import Screen

from leadworker.errors import LeadworkerError, WrongPassphrase
from leadworker.words.saying import say_count
from screens import keys
from screens.fields import LineField, SecretField
from screens.plain import BLANK, Content, Tone, join, plain
from screens.words import Words

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from leadworker.desk import Desk
    from screens.app import LeadworkerApp


AFTER_THE_PICTURE = 0.05
"""Seconds after the first refresh at which the rest is loaded, so that it cannot hold up the painting."""

Opening = Callable[[], "Awaitable[Desk]"]
"""Opens a vault without asking anybody, for the demonstration."""


class UnlockScreen(Screen[None]):
    """Asks for the passphrase until it is the right one."""

    KEYS = "unlock"
    AUTO_FOCUS = "#passphrase"
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("unlock"))
    DEFAULT_CSS = """
    UnlockScreen { align: center middle; background: $background; color: $foreground; }
    UnlockScreen #way-in { width: 60; max-width: 100%; height: auto; padding: 0 1; }
    UnlockScreen .quiet { color: $text-muted; }
    UnlockScreen #greeting { margin-bottom: 1; height: auto; min-height: 1; }
    UnlockScreen #passphrase { margin-bottom: 1; background: $panel; }
    """

    def __init__(self, greeting: str = "", opening: Opening | None = None) -> None:
        """`greeting` says why it was locked, if it was. `opening` opens by itself: nobody is asked."""
        super().__init__()
        self._opening = opening
        self._greeting = greeting
        self._by_words = False
        self._busy = False
        self._until = 0.0

    @property
    def shell(self) -> LeadworkerApp:
        """The program, typed."""
        return cast("LeadworkerApp", self.app)

    def compose(self) -> ComposeResult:
        """Lay out the name of the program, the field and what to press."""
        with Vertical(id="way-in"):
            yield Words(plain("leadworker", Tone.STRONG))
            yield Words(plain(self._greeting, Tone.MUTED), id="greeting", classes="quiet")
            yield SecretField("Passphrase", id="passphrase")
            yield Words(self._help(), id="help", classes="quiet")

    def on_mount(self) -> None:
        """Count a wait down, if one is running; load the rest of the program behind the first picture."""
        self.call_after_refresh(self.set_timer, AFTER_THE_PICTURE, self.shell.load_rest)
        self._until = self.shell.clock.steady() + self.shell.door.wait_before_next_try()
        self._say_wait()
        if self._opening is not None:
            self._busy = True
            self._say(plain("Opening …", Tone.MUTED))
            self.call_after_refresh(self._open_by_itself, self._opening)
        self.set_interval(1.0, self._say_wait)

    def _help(self) -> Content:
        if self._by_words:
            ways = "Type the 16 recovery words with spaces between them. Enter to open."
            return join(plain(f"{ways}  ", Tone.MUTED), plain("ctrl+r", Tone.STRONG), plain(" back", Tone.MUTED))
        return join(
            plain("Enter to open.  ", Tone.MUTED),
            plain("ctrl+t", Tone.STRONG),
            plain(" to show what you type\n", Tone.MUTED),
            plain("ctrl+r", Tone.STRONG),
            plain(" to open with the recovery words", Tone.MUTED),
        )

    def action_show_typed(self) -> None:
        """Show or hide what is typed."""
        field = self.query_one("#passphrase", SecretField)
        field.password = not field.password

    def action_use_words(self) -> None:
        """Ask for the recovery words instead of the passphrase, or the other way round."""
        self._by_words = not self._by_words
        field = self.query_one("#passphrase", SecretField)
        field.value = ""
        field.placeholder = "Recovery words" if self._by_words else "Passphrase"
        self.query_one("#help", Words).show(self._help())
        self._say(BLANK)

    @on(LineField.Submitted)
    def _submitted(self) -> None:
        field = self.query_one("#passphrase", SecretField)
        if field.value and not self._busy and self._wait_left() <= 0:
            self._busy = True
            self._say(plain("Opening …", Tone.MUTED))
            self._open(field.value)

    @work(group="open")
    async def _open_by_itself(self, opening: Opening) -> None:
        try:
            desk = await opening()
        except LeadworkerError as error:
            self._say(plain(error.sentence, Tone.SAFETY))
        else:
            self.shell.let_in(desk)
        finally:
            self._busy = False

    @work(group="open")
    async def _open(self, typed: str) -> None:
        field, door = self.query_one("#passphrase", SecretField), self.shell.door
        try:
            desk = await (door.open_with_words(typed) if self._by_words else door.open(typed))
        except WrongPassphrase:
            field.value = ""
            self._until = self.shell.clock.steady() + door.wait_before_next_try()
            if self._wait_left() <= 0:
                left = say_count(door.tries_left(), "try", "tries")
                self._say(plain(f"That was not it. {left} left, then a wait of 1 minute.", Tone.SAFETY))
            else:
                self._say_wait()
        except LeadworkerError as error:
            self._say(plain(error.sentence, Tone.SAFETY))
        else:
            field.value = ""
            self.shell.let_in(desk)
        finally:
            self._busy = False

    def _wait_left(self) -> float:
        return self._until - self.shell.clock.steady()

    def _say_wait(self) -> None:
        left = self._wait_left()
        if left > 0:
            minutes, seconds = divmod(int(left) + 1, 60)
            wait = f"{minutes} min {seconds:02} s" if minutes else say_count(seconds, "second", "seconds")
            self._say(plain(f"That was not it. The next try is possible in {wait}.", Tone.SAFETY))
            self._until_shown = True
        elif self._until_shown:
            self._until_shown = False
            self._say(plain("You can try again now.", Tone.MUTED))

    _until_shown = False

    def _say(self, words: Content) -> None:
        self.query_one("#greeting", Words).show(words)
