"""Commands about what is written: a note, unfinished ones, a person's timeline, and finding anything again."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Annotated

import msgspec
import typer

from leadworker.clock import Moment
from leadworker.domain import caseload, colleagues, drafts, journal, sending
from leadworker.domain.caseload import PersonRow
from leadworker.domain.drafts import Draft
from leadworker.domain.journal import EntryView, NewEntry, Saved
from leadworker.domain.notes import save_note
from leadworker.domain.visits import Visit
from leadworker.errors import LeadworkerError, NotUnderstood
from leadworker.plain import documents, naming, output, sentences, when, written
from leadworker.plain.command import argument, command, group, option
from leadworker.plain.diary import read_minutes
from leadworker.plain.place import Open, Place
from leadworker.shelf import Hit
from leadworker.text import one_line, skeleton
from leadworker.words.kinds import EntryKind
from leadworker.words.people import Known
from leadworker.words.saying import say_clock, say_day, say_due, say_length
from screens import reading

LARGEST_TEXT = 16 * 1024 * 1024
"""Bytes of a note on standard input."""

STANDARD_INPUT = "-"

Lines = list[str] | None

_ASKED = (
    ("seen", "Seen"),
    ("said", "Said, in their own words"),
    ("noticed", "Noticed"),
    ("think", "I think"),
    ("next_steps", "Next, one action a line"),
)


class Options(msgspec.Struct, frozen=True):
    """What options say about a note; they count more than its first line."""

    kind: str = ""
    when: str = ""
    minutes: str = ""
    place: str = ""
    visit: str = ""
    parts: Mapping[str, str] = {}


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "note")(note)
    unfinished = group(app, "drafts", "Unfinished notes.")
    command(unfinished)(list_drafts)
    command(unfinished, "show")(show_draft)
    command(unfinished, "finish")(finish_draft)
    command(unfinished, "throw-away")(throw_away)
    command(app, "timeline")(timeline)
    command(app, "search")(search)


def note(
    place: Place,
    person: Annotated[str, argument("PERSON", "Whom it is about.")],
    text: Annotated[str, argument("TEXT", "The note; “-” reads it from standard input.")] = "",
    kind: Annotated[str, option("--kind", "KIND", "Visit, phone call, text message, email, meeting, note …")] = "",
    when_: Annotated[str, option("--when", "WHEN", "When it was: yesterday 4pm, 14 Nov, 2025-11-14T16:00.")] = "",
    minutes: Annotated[str, option("--minutes", "LENGTH", "How long it took: 50, or 1 h 20.")] = "",
    where: Annotated[str, option("--place", "WHERE", "Where it was.")] = "",
    seen: Annotated[Lines, option("--seen", "TEXT", "Who was seen; each of these may be given several times.")] = None,
    said: Annotated[Lines, option("--said", "TEXT", "Their own words.")] = None,
    noticed: Annotated[Lines, option("--noticed", "TEXT", "What you saw and heard.")] = None,
    think: Annotated[Lines, option("--think", "TEXT", "What it may mean.")] = None,
    next_: Annotated[Lines, option("--next", "ACTION", "What is to be done: text Sam thu.")] = None,
    visit: Annotated[str, option("--visit", "ID", "The visit in the diary that this writes up.")] = "",
) -> None:
    """Write a note, as one line or with its parts.

    “leadworker note keira "visit home yesterday 4pm 50 min"” is understood as it stands. In a longer text lines may
    begin with Seen:, Said:, Noticed:, I think: or Next:, and what stands under no label was noticed. A label holds
    until the next one. Without any text, and with a terminal, you are asked line by line.
    """
    given = {"seen": seen, "said": said, "noticed": noticed, "think": think, "next_steps": next_}
    options = Options(kind, when_, minutes, where, visit, {name: "\n".join(lines) for name, lines in given.items() if lines})
    asks = not text and not options.parts and _is_terminal()
    with place.opened() as opened:
        if text == STANDARD_INPUT or (not text and not options.parts and not asks):
            text = read_standard_input()  # only now: what a closed vault cannot keep is left with whoever sends it
        now = opened.now()
        everybody = opened.ask(caseload.known_people)
        draft = _draft(opened, text, options, now, everybody)
        try:
            whom = opened.ask(caseload.resolve, person)
            draft = msgspec.structs.replace(draft, person_id=whom.id, person_name=whom.name)
            if asks:
                draft = _ask_line_by_line(opened, draft)
            entry, questions, visit_id = _read(opened, draft, options, whom)
            saved = opened.do(save_note, entry, draft.id, visit_id)
        except LeadworkerError as error:
            _keep_as_draft(opened, draft, error)
            raise
    place.tell(_saved(saved, entry, whom, questions), _say_saved(saved, entry, whom, questions, now))


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def read_standard_input() -> str:
    """Return what comes on standard input, however its letters are coded; raise `NotUnderstood` when it is far too much."""
    if sys.stdin is None:
        return ""
    raw = sys.stdin.buffer.read(LARGEST_TEXT + 1)
    if len(raw) > LARGEST_TEXT:
        raise NotUnderstood(f"This note is longer than {LARGEST_TEXT // 1_048_576} MB. Nothing was saved; cut it into several.")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _draft(opened: Open, text: str, options: Options, now: datetime, everybody: tuple[Known, ...]) -> Draft:
    """Return everything that was written as a draft, so that it can be kept when it cannot be saved."""
    apart = written.take_apart(text, now, everybody)
    parts = {name: written.joined(getattr(apart, name), options.parts.get(name, "")) for name in written.PARTS}
    return msgspec.structs.replace(opened.ask(drafts.begin), first_line=apart.first_line, **parts)


def _ask_line_by_line(opened: Open, draft: Draft) -> Draft:
    """Ask for the parts of a note one after the other; each is in the vault before the next is asked for."""
    output.warn(f"A note about {draft.person_name}. An empty line goes on to the next question.")
    for name, question in (("first_line", "What was it? For example: visit home yesterday 4pm 50 min"), *_ASKED):
        output.warn(f"{question}:")
        lines: list[str] = []
        while line := _typed_line(draft):
            lines.append(line)
            draft = msgspec.structs.replace(draft, **{name: " ".join(lines) if name == "first_line" else "\n".join(lines)})
            opened.do(drafts.keep, draft)
            if name == "first_line":
                break
    return draft


def _typed_line(draft: Draft) -> str:
    try:
        return input()
    except EOFError:
        return ""
    except KeyboardInterrupt:
        if draft.first_line:
            output.warn(f"Stopped. What you typed is a draft: “leadworker drafts finish {sentences.short(draft.id)}” signs it.")
        raise


def _read(opened: Open, draft: Draft, options: Options, whom: Known) -> tuple[NewEntry, tuple[str, ...], str]:
    """Return the entry that a draft becomes, the questions that its lines leave open, and the visit that it writes up."""
    now = opened.now()
    about = msgspec.structs.replace(draft, person_id=whom.id)
    people = opened.ask(caseload.known_people)
    read = reading.read(about, now, people, (), opened.me, opened.ask(colleagues.owners, people))
    entry = msgspec.structs.replace(reading.entry_of(about, read, now, opened.me), person_id=whom.id)
    if options.kind:
        entry = msgspec.structs.replace(entry, kind=read_kind(options.kind))
    if options.when:
        happened, precision = when.happened(options.when, now)
        entry = msgspec.structs.replace(entry, happened=Moment.of(happened), precision=precision)
    if options.minutes:
        entry = msgspec.structs.replace(entry, minutes=read_minutes(options.minutes, now))
    if options.place:
        entry = msgspec.structs.replace(entry, place=options.place)
    chips = [chip for chip in read.first.chips if not (options.when and chip.kind == "when")]
    chips += [chip for action in read.actions for chip in action.chips]
    visit_id = opened.ask(naming.find_one, Visit, options.visit, "visit") if options.visit else draft.visit_id
    return entry, tuple(dict.fromkeys(chip.text for chip in chips if not chip.certain)), visit_id


def read_kind(words: str) -> str:
    """Return the kind of entry that somebody names: ``phone``, ``Phone call`` or ``text-message``."""
    wanted = skeleton(words)
    for kind in EntryKind:
        if wanted in (skeleton(kind.value), skeleton(kind.said)):
            return kind.value
    kinds = ", ".join(kind.said.lower() for kind in EntryKind)
    raise NotUnderstood(f"“{one_line(words)[:40]}” is no kind of entry. The kinds are: {kinds}. Nothing was saved.")


def _keep_as_draft(opened: Open, draft: Draft, error: LeadworkerError) -> None:
    """Keep the words that could not be saved, and say in the error where they are."""
    if draft.is_empty():
        return
    with contextlib.suppress(LeadworkerError):  # on a full disk the first sentence is the one that helps
        kept = opened.do(drafts.keep, draft)
        error.sentence += f" What you wrote is kept as a draft, id {sentences.short(kept.id)}: “leadworker drafts” shows it."


def _saved(saved: Saved, entry: NewEntry, whom: Known, questions: tuple[str, ...]) -> documents.SavedNote:
    happened = entry.happened or Moment(0)
    return documents.SavedNote(
        saved.entry_id, saved.parts, saved.action_ids, whom.id, whom.name, entry.kind, documents.moment(happened.ms, happened.offset),
        entry.precision, entry.minutes, entry.place, questions,
    )  # fmt: skip


def _say_saved(saved: Saved, entry: NewEntry, whom: Known, questions: tuple[str, ...], now: datetime) -> Iterator[str]:
    happened = (entry.happened or Moment.of(now)).local()
    clock = "" if entry.precision == "day" else f" {say_clock(happened)}"
    length = say_length(entry.minutes) if entry.minutes else ""
    facts = (sentences.kind_words(entry.kind), whom.name, f"{say_day(happened.date(), now.date())}{clock}", length, entry.place)
    yield f"Saved on this laptop: {sentences.sentence(*facts)} Id {sentences.short(saved.entry_id)}."
    if len(saved.parts) > 1:
        yield f"It is long, so it goes on in {len(saved.parts) - 1} more."
    for action, record_id in zip(entry.actions, saved.action_ids, strict=True):
        due = f"due {say_due(date.fromisoformat(action.due_on), now.date())}" if action.due_on else ""
        owner = "you" if action.mine else action.owner
        yield f"Action: {sentences.sentence(action.text, owner, due)} Id {sentences.short(record_id)}."
    if questions:
        yield f"Not understood: {', '.join(questions)} It is kept as you typed it."


def list_drafts(place: Place) -> None:
    """List unfinished notes, oldest first."""
    with place.opened() as opened:
        kept, now = opened.ask(drafts.unfinished), opened.now()
    lines = [sentences.draft(one, now) for one in kept] or ["There are no drafts."]
    place.tell(documents.Drafts(tuple(documents.draft(one) for one in kept)), lines)


DraftId = Annotated[str, argument("DRAFT", "The draft's id, or the end of it.")]


def show_draft(place: Place, draft: DraftId) -> None:
    """Show an unfinished note, whole."""
    with place.opened() as opened:
        kept, now = opened.ask(naming.find_draft, draft), opened.now()
    place.tell(documents.draft(kept), _show(kept, now))


def _show(kept: Draft, now: datetime) -> Iterator[str]:
    yield sentences.sentence("A draft", kept.person_name, f"kept {sentences.since(kept.kept_ms, now)}")
    parts = (("What", kept.first_line), ("Seen", kept.seen), ("Said", kept.said), ("Noticed", kept.noticed))
    for label, words in (*parts, ("I think", kept.think), ("Next", kept.next_steps)):
        if words.strip():
            yield from sentences.labelled(label, words)


def finish_draft(
    place: Place,
    draft: DraftId,
    person: Annotated[str, option("--person", "PERSON", "Whom it is about, if the draft does not say.")] = "",
) -> None:
    """Save an unfinished note as it is."""
    with place.opened() as opened:
        kept, now = opened.ask(naming.find_draft, draft), opened.now()
        read = reading.read(kept, now, opened.ask(caseload.known_people), _ids(opened), opened.me)
        if not person and not read.about:
            raise NotUnderstood("Whom is this draft about? Say it with --person. It is still a draft.")
        whom = opened.ask(caseload.resolve, person or read.about)
        entry, questions, visit_id = _read(opened, kept, Options(), whom)
        saved = opened.do(save_note, entry, kept.id, visit_id)
    place.tell(_saved(saved, entry, whom, questions), _say_saved(saved, entry, whom, questions, now))


def _ids(opened: Open) -> frozenset[str]:
    return opened.ask(caseload.worked_with)


def throw_away(place: Place, draft: DraftId) -> None:
    """Throw an unfinished note away. It cannot be brought back."""
    with place.opened() as opened:
        kept = opened.ask(naming.find_draft, draft)
        opened.do(drafts.throw_away, kept.id)
    said = "The draft is thrown away."
    place.tell(documents.Written(kept.id, said), [said])


def timeline(
    place: Place,
    called: Annotated[list[str], argument("PERSON", "What the person is called, or the beginning of it.")],
    limit: Annotated[int, typer.Option("--limit", metavar="NUMBER", help="How many entries at most.", min=1, max=1_000_000)] = 50,
    before: Annotated[str, option("--before", "DAY", "Only what happened up to this day.")] = "",
) -> None:
    """Read a person's entries, newest first, each whole."""
    with place.opened() as opened:
        now = opened.now()
        whom = opened.ask(caseload.resolve, " ".join(called))
        last = Moment.of(when.until(before, now)).ms if before else journal.END_OF_TIME
        entries = opened.ask(journal.timeline, whom.id, limit=limit, before=last)
        why = opened.ask(sending.reasons, entries)
    lines = (line for view in entries for line in sentences.entry(view, now))
    document = documents.Timeline(whom.id, whom.name, tuple(documents.entry(view, why.get(view.id, "")) for view in entries))
    place.tell(document, lines if entries else [f"Nothing is written about {whom.name}{' up to then' if before else ''} yet."])


def search(
    place: Place,
    words: Annotated[list[str], argument("WORDS...", "What is looked for: entries in which all of these words occur.")],
    limit: Annotated[int, typer.Option("--limit", metavar="NUMBER", help="How many notes at most.", min=1, max=100_000)] = 50,
) -> None:
    """Find people by name and entries by their words."""
    asked = " ".join(words)
    with place.opened() as opened:
        now = opened.now()
        hits = opened.ask(journal.find, asked, limit=limit)
        why = opened.ask(sending.reasons, [view for _, view in hits])
        people = tuple(opened.ask(caseload.row, person.id) for person in _called(opened.ask(caseload.known_people), asked))
    found = tuple(documents.Find(_plain(hit.snippet), documents.entry(view, why.get(view.id, ""))) for hit, view in hits)
    document = documents.Found(tuple(documents.person_in_list(row) for row in people), found)
    place.tell(document, _found(people, hits, asked, now))


def _called(everybody: tuple[Known, ...], asked: str) -> list[Known]:
    wanted = skeleton(asked).split()
    if not wanted:
        return []
    return [p for p in everybody if any(_fits(skeleton(name).split(), wanted) for name in (p.name, *p.known_as))][:20]


def _fits(name: list[str], wanted: list[str]) -> bool:
    words = iter(name)
    return all(any(word.startswith(part) for word in words) for part in wanted)


def _plain(snippet: str) -> str:
    return one_line(snippet.replace("\x02", "").replace("\x03", ""))


def _found(people: tuple[PersonRow, ...], hits: tuple[tuple[Hit, EntryView], ...], asked: str, now: datetime) -> Iterator[str]:
    for row in people:
        yield f"Person: {sentences.in_list(row, now)}"
    for hit, view in hits:
        day = say_day(view.happened().day(), now.date())
        yield f"{sentences.sentence(view.person_name, sentences.kind_words(view.kind, view.continues), day)} Id {sentences.short(view.id)}."
        yield f"  {_plain(hit.snippet)}"
    if not people and not hits:
        yield f"Nothing matches “{one_line(asked)[:60]}”."
