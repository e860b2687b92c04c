"""Making a journal: a name, a passphrase typed twice, sixteen recovery words shown once and three of them asked back."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widget import Widget

from leadworker.domain import recovery
from leadworker.errors import LeadworkerError
from leadworker.text import one_line, skeleton
from screens import keys
from screens.base import WIDTHS
from screens.fields import LineField, SecretField
from screens.frame import FootLine
from screens.lines import side_by_side
from screens.plain import Content, Tone, join, plain
from screens.unlock import AFTER_THE_PICTURE
from screens.words import Words

if TYPE_CHECKING:
    from leadworker.desk import Desk
    from screens.app import LeadworkerApp

ASKED_BACK = 3


class FirstRunScreen(Screen[None]):
    """Leads through the steps. Esc goes back one; before the passphrase is set nothing has been made."""

    KEYS = "first_run"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = WIDTHS
    BINDINGS: ClassVar[list[BindingType]] = list(keys.bindings("first_run"))
    DEFAULT_CSS = """
    FirstRunScreen { align: center top; background: $background; color: $foreground; }
    FirstRunScreen #steps { width: 72; max-width: 100%; height: 1fr; padding: 2 2 0 2; }
    FirstRunScreen.-tiny #steps { padding: 0 1; }
    FirstRunScreen .step { height: auto; display: none; }
    FirstRunScreen .step.-now { display: block; }
    FirstRunScreen Words { height: auto; margin-bottom: 1; }
    FirstRunScreen LineField { margin-bottom: 1; background: $panel; }
    FirstRunScreen #trouble { color: $warning; min-height: 1; }
    """

    STEPS: ClassVar[tuple[str, ...]] = ("name", "passphrase", "again", "words", "back")

    def __init__(self) -> None:
        super().__init__()
        self._step = "name"
        self._suggested = ""
        self._passphrase = ""
        self._desk: Desk | None = None
        self._words: tuple[str, ...] = ()
        self._asked: list[int] = []
        self._busy = False

    @property
    def shell(self) -> LeadworkerApp:
        """The program, typed."""
        return cast("LeadworkerApp", self.app)

    def compose(self) -> ComposeResult:
        """Lay out every step; one is shown at a time."""
        with VerticalScroll(id="steps", can_focus=False):
            yield Words(plain("leadworker", Tone.STRONG))
            with Vertical(id="step-name", classes="step -now"):
                yield from self._name_step()
            with Vertical(id="step-passphrase", classes="step"):
                yield from self._passphrase_step()
            with Vertical(id="step-again", classes="step"):
                yield Words(plain("Type the passphrase once more, so that no slip of a finger locks you out."))
                yield SecretField("The same passphrase", id="again")
            with Vertical(id="step-words", classes="step"):
                yield Words(plain("Write these 16 words down on paper, with their numbers.", Tone.STRONG))
                yield Words(id="recovery")
                yield Words(
                    plain(
                        "They open this journal if the passphrase is ever forgotten. They are shown this once. "
                        "Keep the paper where you keep your passport, not with the laptop. "
                        "Enter when you have written them down.",
                        Tone.MUTED,
                    )
                )
            with Vertical(id="step-back", classes="step"):
                yield Words(plain("Read three of the words back from your paper."))
                for number in range(ASKED_BACK):
                    yield LineField(id=f"word-{number}", classes="asked")
                yield Words(plain("Esc shows the words again.", Tone.MUTED))
            yield Words(id="trouble")
        yield FootLine(self.KEYS)

    def _name_step(self) -> Iterable[Widget]:
        yield Words(plain("There is no journal on this laptop yet. Let us make one; it takes two minutes."))
        yield Words(
            join(
                plain("It will be kept encrypted in this folder:\n", Tone.MUTED),
                plain(self.shell.door.where()),
                plain("\nNobody can read it without your passphrase or your recovery words.", Tone.MUTED),
            )
        )
        yield Words(plain("What are you called? Your name stands beside what you write."))
        yield LineField("", "Your name", id="name")

    def _passphrase_step(self) -> Iterable[Widget]:
        yield Words(plain("Now a passphrase. You type it each time you open the journal."))
        yield Words(id="suggestion")
        yield Words(plain("Type this one, or one of your own: several words that nobody would guess from knowing you.", Tone.MUTED))
        yield SecretField("Passphrase", id="passphrase")

    def on_mount(self) -> None:
        """Begin with the name; load the rest of the program behind the first picture."""
        self.call_after_refresh(self.set_timer, AFTER_THE_PICTURE, self.shell.load_rest)
        self.action_suggest()
        self._show("name")

    def action_suggest(self) -> None:
        """Suggest another passphrase."""
        self._suggested = self.shell.door.suggest_passphrase()
        self.query_one("#suggestion", Words).show(
            join(
                plain("A good one:  ", Tone.MUTED),
                plain(self._suggested, Tone.STRONG),
                plain("\nctrl+g", Tone.KEY),
                plain(" another   ", Tone.MUTED),
                plain("ctrl+t", Tone.KEY),
                plain(" show what you type", Tone.MUTED),
            )
        )

    def action_show_typed(self) -> None:
        """Show or hide what is typed as a passphrase."""
        for field in self.query(SecretField):
            field.password = not field.password

    def _show(self, step: str) -> None:
        self._step = step
        for name in self.STEPS:
            self.query_one(f"#step-{name}").set_class(name == step, "-now")
        self._trouble("")
        fields = {"name": "#name", "passphrase": "#passphrase", "again": "#again", "back": "#word-0"}
        self.set_focus(self.query_one(fields[step], LineField) if step in fields else None)

    def _trouble(self, words: str, tone: Tone = Tone.SAFETY) -> None:
        self.query_one("#trouble", Words).show(plain(words, tone))

    def action_back(self) -> None:
        """Go back one step; from the first one, leave. Once the words are shown there is no way back behind them."""
        if self._busy:
            return
        match self._step:
            case "name":
                self.shell.run_worker(self.shell.action_leave())
            case "passphrase":
                self._show("name")
            case "again":
                self._show("passphrase")
            case "back":
                self._show_words()
            case "words":
                self._trouble("The journal is made. Write the words down, then press Enter.")

    def key_enter(self) -> None:
        """Go on from the words, which have no field."""
        if self._step == "words":
            self._ask_back()

    @on(LineField.Submitted)
    def _submitted(self, event: LineField.Submitted) -> None:
        if not self._busy:
            event.stop()
            self._next(event.input)

    @work(group="step")
    async def _next(self, field: object) -> None:
        match self._step:
            case "name":
                name = one_line(self.query_one("#name", LineField).value)
                if skeleton(name):
                    self._show("passphrase")
                else:
                    self._trouble("Please type a name. It can be changed later.")
            case "passphrase":
                await self._judge()
            case "again":
                await self._create()
            case "back":
                await self._check_words(field)

    async def _judge(self) -> None:
        typed = self.query_one("#passphrase", SecretField).value
        wrong = await self.shell.door.judge_passphrase(typed)
        if wrong:
            self._trouble(wrong)
            return
        self._passphrase = typed
        self.query_one("#again", SecretField).value = ""
        self._show("again")

    async def _create(self) -> None:
        if self.query_one("#again", SecretField).value != self._passphrase:
            self.query_one("#again", SecretField).value = ""
            self._trouble("That was different from the first time. Type it again, or Esc to choose another.")
            return
        self._busy = True
        self._trouble("Making your journal …", Tone.MUTED)
        try:
            name = one_line(self.query_one("#name", LineField).value)
            created = await self.shell.door.create(name, self._passphrase)
        except LeadworkerError as error:
            self._trouble(error.sentence)
        else:
            self._desk, self._words, self._passphrase = created.desk, created.recovery_words, ""
            self.shell.made_desk = created.desk
            for field in self.query(SecretField):
                field.value = ""
            self._show_words()
        finally:
            self._busy = False

    def _show_words(self) -> None:
        self.query_one("#recovery", Words).show(self._numbered())
        self._show("words")

    def _numbered(self) -> Content:
        columns = 4 if self.size.width >= 76 else 2
        rows = -(-len(self._words) // columns)
        lines = []
        for row in range(rows):
            cells = []
            for at in range(row, len(self._words), rows):
                number = plain(f"{at + 1:>2}  ", Tone.MUTED)
                cells.append((join(number, plain(self._words[at], Tone.STRONG)), 16))
            lines.append(side_by_side(cells))
        return plain("\n").join(lines)

    def _ask_back(self) -> None:
        places = list(range(len(self._words)))
        self._asked = sorted(secrets.SystemRandom().sample(places, min(ASKED_BACK, len(places))))
        for number, at in enumerate(self._asked):
            field = self.query_one(f"#word-{number}", LineField)
            field.value, field.placeholder = "", f"Word {at + 1}"
        self.query_one("#recovery", Words).show(plain(""))
        self._show("back")

    async def _check_words(self, field: object) -> None:
        for number, at in enumerate(self._asked):
            each = self.query_one(f"#word-{number}", LineField)
            given = each.value.strip().casefold()
            if given != self._words[at]:
                if each is not field and not given:
                    each.focus()
                elif given:
                    self._trouble(f"Word {at + 1} reads differently on your paper. Esc shows the words again.")
                    each.focus()
                return
        if self._desk is None or self._busy:
            return
        self._busy = True
        try:
            await self._desk.do(recovery.read_back)
        except LeadworkerError as error:
            self._busy = False
            self._trouble(error.sentence)
            return
        self._words = ()
        self.shell.let_in(self._desk)
