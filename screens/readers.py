"""Who can read a casebook: see it, let a colleague in, take one out, hand it over, hand in what came too late (C.4, C.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec
from textual import on
from textual.containers import VerticalScroll
from textual.widget import Widget

from leadworker.domain import caseload, colleagues, late, readers
from leadworker.domain.late import HandedIn, Late
from leadworker.domain.readers import Decision, Happened, Reader
from leadworker.errors import LeadworkerError
from leadworker.shelf import Shelf, UpTo
from leadworker.statements import Role
from leadworker.words.saying import say_count, say_time
from screens import glyphs
from screens.base import Page, Shell, Undo
from screens.form import FieldOf, Form
from screens.lines import hang, sides
from screens.plain import BLANK, Content, Tone, join, plain, run_on, single
from screens.postwords import local
from screens.vlist import Heading, VList
from screens.words import Words


class Line(msgspec.Struct, frozen=True):
    """A row: a reader, a decision that is not in force, something handed in, or something that happened."""

    id: str
    row: Reader | Decision | Late | Happened


class Shown(msgspec.Struct, frozen=True):
    """Everything that the page shows, asked at once."""

    name: str
    readers: tuple[Reader, ...]
    decisions: tuple[Decision, ...]
    history: tuple[Happened, ...]
    news: tuple[Happened, ...]
    why_not: str
    handed_in: HandedIn | None
    late: tuple[Late, ...]
    unsent: bool
    upto: UpTo


def ask_all(shelf: Shelf, person_id: str) -> Shown:
    """Return what the page shows about a person's casebook."""
    return Shown(
        caseload.row(shelf, person_id).name,
        readers.of(shelf, person_id),
        readers.decisions(shelf, person_id),
        tuple(reversed(readers.history(shelf, person_id))),
        readers.news(shelf, person_id),
        readers.why_not(shelf, person_id),
        late.handed_in(shelf, person_id),
        tuple(one for one in late.waiting(shelf) if one.person_id == person_id),
        late.may_hand_in(shelf, person_id),
        shelf.upto(person_id),
    )


class ReadersPage(Page):
    """Who can read one person's casebook."""

    PLACE = "people"
    KEYS = "readers"
    TOPICS = frozenset({"reader", "colleague", "decision", "late", "hand in", "handed in", "receipt", "post"})
    DEFAULT_CSS = """
    ReadersPage #all { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    ReadersPage #about { height: auto; padding: 0 2; margin-bottom: 1; }
    ReadersPage.-tall #about { margin: 1 0; }
    """

    def __init__(self, person_id: str) -> None:
        super().__init__()
        self._person_id = person_id
        self._shown: Shown | None = None
        self._upto = 0
        self._asked = ("", "")

    def inside(self) -> Iterable[Widget]:
        """Lay out what it is about, and the list."""
        with VerticalScroll(id="all", can_focus=False):
            yield Words(id="about")
            yield VList[Line](self._draw, lambda line: line.id, grows=True, id="readers")

    @property
    def _list(self) -> VList[Line]:
        return self.query_one("#readers", VList)

    def on_mount(self) -> None:
        """Begin in the list."""
        self._now = self.shell.now()
        self.set_focus(self._list, scroll_visible=False)

    async def load(self) -> None:
        """Ask for everything, show it, and take note that it was looked at."""
        self._now = self.shell.now()
        before, shown = self._shown, await self.desk.ask(ask_all, self._person_id)
        self._shown = shown
        self._show_about()
        self._offer(shown)
        if before is not None:
            self._say_in_force(before, shown)
        self._list.show(list(_rows(shown)))
        self._list.say_when_empty(plain("Nobody else. It is sent when there is an organisation and a network.", Tone.MUTED))
        newest = max((one.seq for one in shown.history), default=0)
        if shown.news and newest != self._upto:
            self._upto = newest
            await self.desk.do(readers.looked, self._person_id, newest)

    def _offer(self, shown: Shown) -> None:
        """Offer in the footer what is theirs to do; the other keys still answer with the reason."""
        not_theirs = {"readers.add", "readers.away", "readers.lead"} if shown.why_not else set()
        self.offer_keys(idle=not_theirs - ({"readers.away"} if shown.decisions else set()))

    def _say_in_force(self, before: Shown, shown: Shown) -> None:
        """Say which decision made here has come into force, over the notice that it is to come."""
        known = max((one.seq for one in before.history), default=0)
        mine = next((one for one in shown.history if one.mine and one.seq > known), None)
        if mine is not None:
            self.shell.say(f"In force now: {mine.sentence}")

    def on_resize(self) -> None:
        """Lay the words out for this width."""
        self._show_about()

    def _show_about(self) -> None:
        if self._shown is not None:
            width = max(self.size.width - 5, 20)  # the padding, and the gutter that is kept for the scroll bar
            self.query_one("#about", Words).show(plain("\n").join(self._about(self._shown, width)))

    def _about(self, shown: Shown, width: int) -> Iterable[Content]:
        yield from hang(plain("Who can read  ", Tone.HEADING), single(shown.name, Tone.STRONG), width, 0)
        if shown.readers:
            yield from hang(BLANK, plain(readers.ESCROW, Tone.MUTED), width)
        if shown.upto.words:
            yield from hang(BLANK, plain(readers.compare(shown.upto), Tone.MUTED), width)
        for one in shown.news:
            yield from hang(plain("! New: ", Tone.LATE), plain(f"{one.sentence} {self._when(one.at_ms)}"), width)
        if shown.why_not:
            yield from hang(BLANK, plain(shown.why_not, Tone.MUTED), width)
        if shown.handed_in is not None:
            said = f"What could not be sent was handed in to {', '.join(shown.handed_in.to)}, {self._when(shown.handed_in.at_ms)}."
            yield from hang(BLANK, plain(said, Tone.MUTED), width)
        if shown.unsent:
            said = "What you wrote since cannot be sent any more. i hands it in to those who decide; it stays here as well."
            yield from hang(plain("! ", Tone.SAFETY), plain(said), width)

    def _when(self, at_ms: int) -> str:
        return say_time(local(at_ms, self._now), self._now) if at_ms else ""

    def _draw(self, line: Line, width: int) -> list[Content]:
        match line.row:
            case Reader() as one:
                return [sides(*self._reader(one), width)]
            case Decision() as one:
                said = one.said or "not yet in force"
                return hang(plain(f"{glyphs.WAITING} ", Tone.SAFETY), join(plain(one.sentence()), "  ", plain(said, Tone.MUTED)), width)
            case Late() as one:
                what = run_on([say_count(len(one.entries), "entry", "entries"), *(f"“{title}”" for title in one.entries[:3] if title)])
                return hang(plain(f"{glyphs.WAITING} ", Tone.SAFETY), join(single(f"from {one.name}  "), what), width)
            case Happened() as one:
                return hang(plain(f"{self._when(one.at_ms)}  ", Tone.MUTED), plain(one.sentence), width)

    def _reader(self, one: Reader) -> tuple[Content, Content]:
        name = join(single(one.name, Tone.STRONG), plain(" (you)" if one.me else "", Tone.MUTED))
        part = plain("leads" if one.leads else one.role_words, Tone.GOOD if one.leads else Tone.PLAIN)
        if one.lost:
            return join(name, "  ", part), plain("no laptop just now", Tone.LATE)
        since = f"since {local(one.since_ms, self._now):%-d %b %Y}" if one.since_ms else ""
        count = say_count(len(one.laptops), "laptop", "laptops")
        return join(name, "  ", part), run_on([plain(since, Tone.MUTED), plain(count, Tone.MUTED)], ", ")

    # keys

    def person_in_view(self) -> str:
        """Return this person."""
        return self._person_id

    @on(VList.Opened, "#readers")
    def _opened(self, event: VList.Opened) -> None:
        line = event.item
        if isinstance(line, Line) and isinstance(line.row, Reader):
            words = "; ".join(laptop.check_words for laptop in line.row.laptops) or "no laptop just now"
            self.shell.say(f"{line.row.name}, check words: {words}.", "information", 30)

    def action_add(self) -> None:
        """Let a colleague in, or change their role."""
        if self._may_decide():
            self.app.push_screen(LetInForm(self._person_id))

    def action_take_away(self) -> None:
        """Take the selected colleague out, or the selected decision back."""
        row = self._row()
        if isinstance(row, Decision):
            self.shell.write(self._take_back(row))
        elif isinstance(row, Reader):
            if self._sure("x", row, f"Take {row.name} out? What is written from then on is not for them. x again does it."):
                self._decide(row, lambda shelf, who: readers.take_out(shelf, self._person_id, who))
        else:
            self.shell.say("Choose who is to be taken out, or a decision to take back.")

    def action_lead(self) -> None:
        """Make the selected colleague the lead."""
        row = self._row()
        if isinstance(row, Reader):
            if self._sure("l", row, f"Make {row.name} the lead? Who leads now goes on as co-worker. l again does it."):
                self._decide(row, lambda shelf, who: readers.hand_over(shelf, self._person_id, who))
        else:
            self.shell.say("Choose who is to lead. Who does not read it yet: a, with the role key worker.")

    def action_new_key(self) -> None:
        """Give the casebook a new key."""
        self.shell.write(self._note(lambda shelf: readers.give_new_key(shelf, self._person_id)))

    def action_hand_in(self) -> None:
        """Hand in what cannot be sent, or take in what was handed in."""
        row = self._row()
        waiting = self._shown.late if self._shown else ()
        if isinstance(row, Late) or waiting:
            self.shell.write(self._take_in(row if isinstance(row, Late) else waiting[0]))
        elif self._shown is not None and self._shown.unsent:
            self.shell.write(self._hand_in())
        else:
            self.shell.say("Everything that you wrote here can be sent; there is nothing to hand in.")

    def _row(self) -> Reader | Decision | Late | Happened | None:
        line = self._list.selected
        return None if line is None else line.row

    def _sure(self, key: str, row: Reader, asked: str) -> bool:
        """Ask once before what cannot be undone once it is in force; the same key on the same row is the answer."""
        if not self._may_decide():
            return False
        again, self._asked = self._asked == (key, row.person), (key, row.person)
        if not again:
            self.shell.say(asked, "warning", 12)
        else:
            self._asked = ("", "")
        return again

    def _may_decide(self) -> bool:
        why = self._shown.why_not if self._shown else ""
        if why:
            self.shell.say(why, "warning", 12)
        return not why

    def _decide(self, reader: Reader, verb: Callable[[Shelf, colleagues.Colleague], Decision]) -> None:
        self.shell.write(self._note(lambda shelf: verb(shelf, colleagues.resolve(shelf, reader.person, gone=True))))

    async def _note(self, deed: Callable[[Shelf], Decision]) -> None:
        try:
            note(self.shell, await self.desk.do(deed))
        except LeadworkerError as error:
            self.shell.say(error.sentence, "warning", 12)

    async def _take_back(self, decision: Decision) -> None:
        try:
            await self.desk.do(readers.take_back, decision.id)
            self.shell.say(f"Taken back: {decision.sentence()}.")
        except LeadworkerError as error:
            self.shell.say(error.sentence, "warning", 12)

    async def _take_in(self, one: Late) -> None:
        try:
            made = await self.desk.do(late.take_in, one.id)
        except LeadworkerError as error:
            self.shell.say(error.sentence, "warning", 12)
            return
        self.shell.say(f"Taken in from {one.name}: {say_count(made.entries + made.others, 'change', 'changes')}.{made.rest()}")

    async def _hand_in(self) -> None:
        try:
            await self.desk.do(late.hand_in, self._person_id)
        except LeadworkerError as error:
            self.shell.say(error.sentence, "warning", 12)
            return
        self.shell.say("It is handed in by the next sync, sealed to those who decide about this casebook.")


def _rows(shown: Shown) -> Iterable[Line | Heading]:
    for one in shown.readers:
        yield Line(one.person, one)
    if shown.late:
        yield Heading(join(plain("Handed in late", Tone.HEADING), plain("  i takes the selected one in", Tone.MUTED)))
        yield from (Line(waits.id, waits) for waits in shown.late)
    if shown.decisions:
        yield Heading(plain("Decided here", Tone.HEADING))
        yield from (Line(decided.id, decided) for decided in shown.decisions)
    if shown.history:
        yield Heading(plain("What happened", Tone.HEADING))
        yield from (Line(f"{at} {told.seq}", told) for at, told in enumerate(shown.history))


def note(shell: Shell, decision: Decision) -> None:
    """Say that a decision was noted, and that ``u`` takes it back while it is not in force."""
    desk = shell.desk
    undo = Undo(lambda: desk.do(readers.take_back, decision.id), "Taken back. Nothing was changed.", "Until then u undoes it.")
    shell.offer_undo(_noted(shell, decision), undo)


def _noted(shell: Shell, decision: Decision) -> str:
    """Say what was decided and when it comes into force. With a network that may be in the next moment."""
    is_offline = shell.desk.post.state.word == "offline"
    comes = "No network now: the next sync carries it out." if is_offline else "It comes into force at the central store."
    return f"Decided: {decision.sentence()}. {comes}"


class LetInForm(Form):
    """Asks which colleague is let in, and as what."""

    def __init__(self, person_id: str) -> None:
        super().__init__()
        self._person_id = person_id
        self._decision: Decision | None = None

    def draft_key(self) -> str:
        """Return a name for each casebook's own form."""
        return f"let in {self._person_id}"

    def heading(self) -> Content:
        """Say what it does."""
        return join(plain("Let a colleague in", Tone.STRONG), plain("  with the whole history of this casebook", Tone.MUTED))

    def fields(self) -> Iterable[FieldOf]:
        """Ask for the two."""
        yield FieldOf("colleague", "Colleague", "", "the name, or its beginning")
        yield FieldOf("role", "Role", Role.CO_WORKER.words)

    def hint(self) -> Content:
        """Name the roles, which the field cannot while one stands in it, and say what is safe."""
        roles = f"Role: {colleagues.BESIDE_THE_LEAD}, or {Role.KEY_WORKER.words} to lead."
        safe = "They read everything in it, also what was written before. It comes into force at the central store."
        return plain(f"{roles}\n{safe}", Tone.MUTED)

    async def save(self, values: Mapping[str, str]) -> str:
        """Note the decision."""
        role = colleagues.role_named(values["role"])

        def deed(shelf: Shelf) -> Decision:
            return readers.let_in(shelf, self._person_id, colleagues.resolve(shelf, values["colleague"]), role)

        self._decision = await self.desk.do(deed)
        return _noted(self.shell, self._decision)

    def after(self, said: str) -> None:
        """Offer to take it back."""
        if self._decision is not None:
            note(self.shell, self._decision)
