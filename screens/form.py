"""A small form over a page: labelled fields, saved with Ctrl+S. What was typed and not saved is kept in the vault."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Concatenate, ParamSpec, TypeVar

import msgspec
from textual import events, work
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget

from leadworker.domain import conflicts
from leadworker.domain.conflicts import ChangedMeanwhile
from leadworker.errors import LeadworkerError
from leadworker.shelf import Shelf
from screens.fields import LineField
from screens.meanwhile import Change, MeanwhileDialog, Pick
from screens.plain import Content, Tone, plain
from screens.text_field import TextField
from screens.words import Words
from screens.written import WrittenPage

if TYPE_CHECKING:
    from leadworker.record import Record

P = ParamSpec("P")
T = TypeVar("T")

KEEP_EVERY_SECONDS = 2.0
DRAWER = "form"


class FieldOf(msgspec.Struct, frozen=True):
    """One field of a form. `lines`: room for more than one line of text."""

    name: str
    label: str
    value: str = ""
    hint: str = ""
    lines: bool = False


class Upon(msgspec.Struct, frozen=True):
    """Upon which record a form was opened, as its writer was shown it: the record's marks.

    `fields` are those of the record whose new values somebody must see before writing over them, each with the field of
    the form that shows it; empty for one that must not have changed at all.
    """

    kind: type[Record]
    record_id: str
    marks: bytes
    fields: Mapping[str, str]


class KeptForm(msgspec.Struct, frozen=True, array_like=True):
    """What was typed into a form and not saved, field by field, and the marks of the record that it was typed upon."""

    typed: dict[str, str]
    marks: bytes = b""


class Form(WrittenPage):
    """A form. A subclass says which fields there are, and what saving means."""

    KEYS = "form"
    PLACE = "people"
    TITLE_WORDS: ClassVar[str] = ""
    DEFAULT_CSS = """
    Form #form { height: 1fr; padding: 0 2; scrollbar-size-vertical: 1; }
    Form.-tall #form { padding: 1 2 0 2; }
    Form .form-line { height: auto; margin-bottom: 1; }
    Form.-short .form-line, Form.-low .form-line { margin-bottom: 0; }
    Form .label { width: 16; height: 1; color: $text-muted; }
    Form.-tiny .form-line { layout: vertical; }
    Form .form-title { height: auto; margin-bottom: 1; }
    Form #trouble { height: auto; margin-top: 1; color: $warning; }
    Form LineField, Form TextField { width: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[str, str] = {}
        self._kept: dict[str, str] = {}
        self._asked_to_leave = False
        self._said = ""
        self._upon: Upon | None = None

    # what a subclass gives

    @abstractmethod
    def draft_key(self) -> str:
        """Return under which name an unsaved form of this kind is kept."""

    @abstractmethod
    def fields(self) -> Iterable[FieldOf]:
        """Return the fields in order."""

    @abstractmethod
    async def save(self, values: Mapping[str, str]) -> str:
        """Do what the form is for and return the sentence that says so; raise `LeadworkerError` when it cannot be."""

    def upon(self) -> Upon | None:
        """Return upon which record the form was opened; None when it writes a new one."""
        return None

    def text_of(self, name: str, value: str | int | bool) -> str:
        """Return how a value of the record that the form was opened upon stands in its field."""
        return str(value)

    def heading(self) -> Content:
        """Return the words at the top."""
        return plain(self.TITLE_WORDS, Tone.STRONG)

    def hint(self) -> Content:
        """Return a line of help under the fields."""
        return plain("")

    # what every form does

    def inside(self) -> Iterable[Widget]:
        """Lay out heading, fields and the line for trouble."""
        with VerticalScroll(id="form", can_focus=False):
            yield Words(self.heading(), classes="form-title")
            for field in self.fields():
                self._begun[field.name] = field.value
                with Horizontal(classes="form-line"):
                    yield Words(plain(field.label, Tone.MUTED), classes="label")
                    if field.lines:
                        yield TextField(field.value, plain(field.hint), id=f"field-{field.name}")
                    else:
                        yield LineField(field.value, field.hint, id=f"field-{field.name}")
            yield Words(self.hint())
            yield Words(id="trouble")

    def on_mount(self) -> None:
        """Put the caret into the first field, and begin to keep what is typed."""
        self._kept = dict(self._begun)
        self._upon = self.upon()
        self.set_focus(self.query("#form LineField, #form TextField").first())
        self.set_interval(KEEP_EVERY_SECONDS, self._keep_quietly)

    async def load(self) -> None:
        """Bring back what was typed into this form before and not saved."""
        if self.loaded:
            return
        kept = await self.desk.ask(kept_form, self.draft_key())
        for name, value in kept.typed.items():
            if name in self._begun:
                self._put(name, value)
        if kept.marks and self._upon is not None:  # they typed over what was shown then, not over what is shown now
            self._upon = msgspec.structs.replace(self._upon, marks=kept.marks)
        if kept.typed:
            self.trouble("This is what you had typed here before. Ctrl+S saves it.", Tone.MUTED)
            self._kept = self.values()

    def values(self) -> dict[str, str]:
        """Return what stands in the fields."""
        return {name: self._read(name) for name in self._begun}

    def _read(self, name: str) -> str:
        field = self.query_one(f"#field-{name}")
        if isinstance(field, TextField):
            return field.text
        return field.value if isinstance(field, LineField) else ""

    def _put(self, name: str, value: str) -> None:
        field = self.query_one(f"#field-{name}")
        if isinstance(field, TextField):
            field.load_text(value)
        elif isinstance(field, LineField):
            field.value = value

    def trouble(self, words: str, tone: Tone = Tone.SAFETY) -> None:
        """Say something under the fields."""
        self.query_one("#trouble", Words).show(plain(words, tone))

    def is_unkept(self) -> bool:
        """Say whether there are words here that are not in the vault."""
        return self.loaded and not self._done and self.values() != self._kept

    async def keep(self) -> None:
        """Keep unsaved words in the vault."""
        await self.settled()
        values = self.values()
        if values != self._kept and not self._done:
            edited = {name: value for name, value in values.items() if value != self._begun[name]}
            marks = self._upon.marks if self._upon is not None else b""
            await self.desk.do(keep_form, self.draft_key(), KeptForm(edited, marks))
            self._kept = values

    @work(group="keep")
    async def _keep_quietly(self) -> None:
        try:
            await self.keep()
        except LeadworkerError as error:
            self.trouble(error.sentence)

    def action_finish(self) -> None:
        """Save."""
        self.save_and_go(self._save)

    async def _save(self) -> None:
        try:
            self._said = await self.save(self.values())
            self._done = True  # whatever becomes of what was typed: it must not be saved twice
            await self.desk.do(keep_form, self.draft_key(), KeptForm({}))
        except ChangedMeanwhile as error:
            self.changed_meanwhile(error)
        except LeadworkerError as error:
            self.trouble(error.sentence)

    async def do_upon(self, deed: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a deed that writes in the record that this form was opened upon: nothing newer is written over unseen.

        Raises `ChangedMeanwhile` when somebody wrote in the fields that are being changed.
        """
        upon = self._upon
        if upon is None:
            return await self.desk.do(deed, *args, **kwargs)
        values = self.values()
        watched = tuple(name for name, field in upon.fields.items() if not field or values[field] != self._begun[field])
        work = partial(_with, deed, args, kwargs)
        return await self.desk.do(conflicts.write_upon, upon.kind, upon.record_id, upon.marks, watched, work)

    def changed_meanwhile(self, error: ChangedMeanwhile) -> None:
        """Show what somebody else wrote while this form was open, beside what stands in it; then save what is chosen."""
        if self._upon is None:
            return
        fields, values = self._upon.fields, self.values()
        changes = [Change(one, values[fields[one.field]], self.text_of(one.field, one.value)) for one in error.meanwhile]
        self.trouble(error.sentence)
        self.app.push_screen(MeanwhileDialog(changes, self.desk.me, lambda picks: self._picked(error, picks)))

    def _picked(self, error: ChangedMeanwhile, picks: tuple[Pick, ...]) -> None:
        """Put what was chosen into the fields, and save it: now its writer has seen what the others wrote."""
        if self._upon is None:
            return
        for pick in picks:
            field = self._upon.fields[pick.change.meanwhile.field]
            self._put(field, pick.text)
            self._begun[field] = pick.change.theirs
        self._upon = msgspec.structs.replace(self._upon, marks=error.marks)
        self.save_and_go(self._save)

    def gone(self) -> None:
        """Say what was saved; a form that was thrown away says nothing."""
        if self._said:
            self.shell.say(self._said)
            self.after(self._said)

    def after(self, said: str) -> None:
        """Go on after saving; by default to the page before."""

    def on_key(self, event: events.Key) -> None:
        """Any other key means that the form is not being left after all."""
        if event.key != "escape":
            self._asked_to_leave = False

    def action_back(self) -> None:
        """Leave; with unsaved words only at the second Esc."""
        if not self.is_open:
            return
        if self.values() != self._begun and not self._asked_to_leave:
            self._asked_to_leave = True
            self.trouble("This is not saved yet. Ctrl+S saves it, Esc again throws it away.")
        else:
            self.save_and_go(self._throw_away)

    async def _throw_away(self) -> None:
        try:
            await self.desk.do(keep_form, self.draft_key(), KeptForm({}))
            self._done = True
        except LeadworkerError as error:
            self.trouble(error.sentence)


def _with(deed: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object], shelf: Shelf) -> T:
    return deed(shelf, *args, **kwargs)


def kept_form(shelf: Shelf, key: str) -> KeptForm:
    """Return what was typed into a form and not saved."""
    value = shelf.kept(DRAWER).get(key)
    if not value:
        return KeptForm({})
    kept = msgspec.msgpack.decode(value, type=KeptForm | dict[str, str])  # a map: kept before forms knew what they were opened upon
    return kept if isinstance(kept, KeptForm) else KeptForm(kept)


def keep_form(shelf: Shelf, key: str, kept: KeptForm) -> None:
    """Keep what is typed into a form; with nothing typed, forget it."""
    if kept.typed:
        shelf.keep(DRAWER, key, msgspec.msgpack.encode(kept))
    elif key in shelf.kept(DRAWER):
        shelf.throw_away(DRAWER, key)
