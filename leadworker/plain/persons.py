"""Commands about people: who there is, what is written about them, what to know at their door."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from leadworker.domain import actions, alerts, caseload, journal, readers, sending, visits
from leadworker.domain import people as deeds
from leadworker.domain.actions import ActionRow
from leadworker.domain.alerts import AccessNote, Alert, DoorLine
from leadworker.domain.caseload import PersonRow
from leadworker.domain.journal import EntryView
from leadworker.domain.people import CONTACT_KINDS, ContactPoint, Identifier, KnownAs, PersonFacts
from leadworker.domain.readers import Happened
from leadworker.domain.visits import PLANNED, VisitRow
from leadworker.errors import Ambiguous, NotUnderstood
from leadworker.plain import documents, naming, sentences
from leadworker.plain.command import argument, command, flag, group, option
from leadworker.plain.place import Place
from leadworker.shelf import Shelf
from leadworker.text import one_line, skeleton
from leadworker.words.dates import age_words
from leadworker.words.saying import say_count

Called = Annotated[str, argument("PERSON", "What the person is called, or the beginning of it.")]
CalledWords = Annotated[list[str], argument("PERSON", "What the person is called, or the beginning of it.")]
Pronouns = Annotated[str | None, option("--pronouns", "WORDS", "Pronouns: she/her.")]
Born = Annotated[str | None, option("--born", "DATE", "When they were born, as far as it is known: 3 May 2011, 2011, about 14.")]
LivesAt = Annotated[str | None, option("--lives-at", "WHERE", "Where they live, and with whom.")]
Talking = Annotated[str | None, option("--talking", "TEXT", "How to talk with them.")]
KnownAsNames = Annotated[list[str] | None, option("--known-as", "NAME", "Another name they go by; may be given several times.")]
PointGiven = Annotated[
    tuple[str, str] | None, option("--contact", "KIND VALUE", f"A way to reach them; KIND is one of {', '.join(CONTACT_KINDS)}.")
]
Label = Annotated[str, option("--label", "WORDS", "Whose or when, for --contact: mum's, after school.")]
NumberGiven = Annotated[
    tuple[str, str] | None, option("--identifier", "SCHEME VALUE", "Another agency's number for them: NHS 943 476 5919.")
]

TAKEN_AWAY = (ContactPoint, KnownAs, Identifier, AccessNote)
LAST_CONTACTS = 3


def register(app: typer.Typer) -> None:
    """Add these commands."""
    listed = group(app, "people", "People.")
    command(listed)(people)
    command(listed, "add")(add)
    command(app, "person")(person)
    command(app, "brief")(brief)
    command(app, "alert")(alert)
    command(app, "access")(access)


def people(
    place: Place,
    everybody: Annotated[bool, flag("--all", "Also those whom you supervise, and everybody else.")] = False,
) -> None:
    """List the people on your caseload, by name."""
    with place.opened() as opened:
        mine, others, now = opened.ask(caseload.mine), opened.ask(caseload.others, limit=1_000_000), opened.now()
    shown = (*mine, *others) if everybody else mine
    place.tell(documents.People(tuple(documents.person_in_list(row) for row in shown)), _people(mine, others, everybody, now))


def _people(mine: tuple[PersonRow, ...], others: tuple[PersonRow, ...], everybody: bool, now: datetime) -> Iterator[str]:
    supervised = [row for row in others if caseload.is_supervised(row)]
    readable = [row for row in others if caseload.is_only_read(row)]
    rest = [row for row in others if not row.my_role]
    if not mine and others:
        yield "Nobody is on your caseload."
    elif not mine:
        yield "Nobody is on your caseload yet. “leadworker people add NAME” writes down the first person."
    for row in mine:
        yield sentences.in_list(row, now)
    for title, rows in (("Supervised by you:", supervised), ("You can read:", readable), ("Not on your caseload:", rest)):
        if rows and everybody:
            yield title
            for row in rows:
                yield sentences.in_list(row, now)
    if everybody:
        return
    if supervised:
        yield f"You supervise the work with {say_count(len(supervised), 'more person', 'more people')}; --all lists them too."
    if readable:
        yield f"You can read about {say_count(len(readable), 'more person', 'more people')}; --all lists them too."
    if rest:
        yield f"{say_count(len(rest), 'more person is', 'more people are')} written down; --all lists them too."


def add(
    place: Place,
    name: Annotated[str, argument("NAME", "What the person is called.")],
    born: Born = None,
    pronouns: Pronouns = None,
    lives_at: LivesAt = None,
    talking: Talking = None,
    known_as: KnownAsNames = None,
    contact: PointGiven = None,
    label: Label = "",
    identifier: NumberGiven = None,
    off_caseload: Annotated[bool, flag("--off-caseload", "Write them down without working with them.")] = False,
    anyway: Annotated[bool, flag("--anyway", "Also when somebody here is called the same.")] = False,
) -> None:
    """Write down a new person and begin their casebook. Warns when somebody is called the same."""
    changes = _Changes(None, born, pronouns, lives_at, talking, tuple(known_as or ()), contact, label, identifier)
    with place.opened() as opened:
        like = "" if anyway else opened.ask(_same_name, name)
        if like:
            raise Ambiguous(f"There is already {like} here. With --anyway another person of this name is written down. Nothing was saved.")
        made = opened.do(_add, name, changes, on_caseload=not off_caseload)
    said = f"{one_line(name)} is written down."
    place.tell(documents.Written(made, said), [said])


class _Changes(msgspec.Struct, frozen=True):
    """What a command says about a person. None is nothing said; an empty text takes the fact away."""

    name: str | None
    born: str | None
    pronouns: str | None
    lives_at: str | None
    talking: str | None
    known_as: tuple[str, ...]
    contact: tuple[str, str] | None
    label: str
    identifier: tuple[str, str] | None

    def facts(self) -> dict[str, str]:
        """Return the facts that were said, as the domain names them."""
        said = {
            "name": self.name,
            "born": self.born,
            "pronouns": self.pronouns,
            "lives_at": self.lives_at,
            "talking": self.talking,
        }
        return {name: value for name, value in said.items() if value is not None}


def _same_name(shelf: Shelf, name: str) -> str:
    wanted = skeleton(name)
    for known in caseload.known_people(shelf):
        if wanted in {skeleton(called) for called in (known.name, *known.known_as)}:
            return known.name
    return ""


def _add(shelf: Shelf, name: str, changes: _Changes, *, on_caseload: bool) -> str:
    made = deeds.add(shelf, name, on_caseload=on_caseload, reason="", **changes.facts())
    _add_to(shelf, made, changes)
    return made


def _change(shelf: Shelf, person_id: str, changes: _Changes, *, begin_work: bool) -> PersonFacts:
    if changes.facts():
        deeds.describe(shelf, person_id, **changes.facts())
    _add_to(shelf, person_id, changes)
    if begin_work:
        deeds.begin_work_with(shelf, person_id)
    return deeds.facts(shelf, person_id)


def _add_to(shelf: Shelf, person_id: str, changes: _Changes) -> None:
    for name in changes.known_as:
        deeds.also_known_as(shelf, person_id, name)
    if changes.contact is not None:
        kind, value = changes.contact
        deeds.add_contact(shelf, person_id, kind.lower(), value, changes.label)
    if changes.identifier is not None:
        deeds.add_identifier(shelf, person_id, *changes.identifier)


def person(
    place: Place,
    called: CalledWords,
    name: Annotated[str | None, option("--name", "NAME", "Change what they are called.")] = None,
    born: Born = None,
    pronouns: Pronouns = None,
    lives_at: LivesAt = None,
    talking: Talking = None,
    known_as: KnownAsNames = None,
    contact: PointGiven = None,
    label: Label = "",
    identifier: NumberGiven = None,
    begin_work: Annotated[bool, flag("--begin-work", "Take them on to your caseload.")] = False,
    take_away: Annotated[
        str, option("--take-away", "ID", "Take a contact, a name, a number or an access note away; its history stays.")
    ] = "",
    bring_back: Annotated[str, option("--bring-back", "ID", "Bring back what was taken away.")] = "",
) -> None:
    """Say what is written about a person, or change it. An empty value takes a fact away."""
    changes = _Changes(name, born, pronouns, lives_at, talking, tuple(known_as or ()), contact, label, identifier)
    changed = bool(changes.facts() or changes.known_as or contact or identifier or begin_work)
    with place.opened() as opened:
        now = opened.now()
        whom = opened.ask(caseload.resolve, " ".join(called))
        for given, back in ((take_away, False), (bring_back, True)):
            if given:
                opened.do(_take_away, whom.id, given, back=back)
        facts = opened.do(_change, whom.id, changes, begin_work=begin_work) if changed else opened.ask(deeds.facts, whom.id)
    saved = ["Saved on this laptop."] if changed or take_away or bring_back else []
    place.tell(documents.person(facts), [*saved, *sentences.about(facts, now)])


def _take_away(shelf: Shelf, person_id: str, given: str, *, back: bool) -> None:
    kind, found = naming.find(shelf, TAKEN_AWAY, given, "contact, name, number or access note")
    if getattr(shelf.get(kind, found), "person_id", "") != person_id:
        raise NotUnderstood("That is written about somebody else. Nothing was changed.")
    if back:
        shelf.restore(kind, found)
    else:
        shelf.drop(kind, found)


class _Brief(msgspec.Struct, frozen=True):
    facts: PersonFacts
    door: tuple[DoorLine, ...]
    next_visit: VisitRow | None
    open: tuple[ActionRow, ...]
    last: tuple[EntryView, ...]
    access: tuple[Happened, ...]


def brief(place: Place, called: CalledWords) -> None:
    """What to know before you knock.

    Who they are, how to talk, alerts and access in full, what is open, the last contacts.
    """
    with place.opened() as opened:
        now = opened.now()
        whom = opened.ask(caseload.resolve, " ".join(called))
        found = opened.ask(_gather, whom.id)
        why = opened.ask(sending.reasons, found.last)
    facts = found.facts
    age = age_words(facts.born_on, facts.age_about, facts.age_said_on, now.date())
    document = documents.Brief(
        documents.person(facts),
        age,
        tuple(documents.door(line) for line in found.door),
        None if found.next_visit is None else documents.visit(found.next_visit),
        tuple(documents.action(row) for row in found.open),
        tuple(documents.entry(view, why.get(view.id, "")) for view in found.last),
        tuple(one.sentence for one in found.access),
    )
    place.tell(document, _brief(found, now))


def _gather(shelf: Shelf, person_id: str) -> _Brief:
    now = shelf.now()
    ahead = [v for v in visits.of_person(shelf, person_id) if v.state == PLANNED and not v.entry_id and v.ends().ms >= now.ms]
    return _Brief(
        deeds.facts(shelf, person_id),
        alerts.at_the_door(shelf, person_id),
        min(ahead, key=lambda row: row.starts_ms, default=None),
        tuple(row for row in actions.of_person(shelf, person_id) if not row.done_on),
        journal.timeline(shelf, person_id, limit=LAST_CONTACTS),
        readers.news(shelf, person_id),
    )


def _brief(found: _Brief, now: datetime) -> Iterator[str]:
    yield from sentences.header(found.facts, now)
    if found.door:
        yield from sentences.doors(found.door)
    else:
        yield "  No alerts and no access notes are written down."
    yield from (f"  ! {one.sentence} “leadworker readers” shows who can read this." for one in found.access[-2:])
    yield from sentences.reach(found.facts)
    if found.next_visit is not None:
        yield "Next visit:"
        yield from sentences.visit(found.next_visit, now)
    yield "Open:" if found.open else "Nothing is open."
    for row in found.open:
        yield sentences.action(row, now, named=False)
    yield "Last contacts:" if found.last else "Nothing is written yet."
    for view in found.last:
        yield from sentences.entry(view, now)


def alert(
    place: Place,
    called: Annotated[str, argument("PERSON", "Whom it is about.")] = "",
    text: Annotated[str, argument("TEXT", "What to know for everybody's safety.")] = "",
    end: Annotated[str, option("--end", "ID", "End an alert instead; it stays in the record with the reason.")] = "",
    because: Annotated[str, option("--because", "WHY", "With --end: why it no longer holds, and who says so.")] = "",
) -> None:
    """Write down an alert about a person, or end one."""
    if bool(end) == bool(called):
        raise NotUnderstood("Name a person and the words of the alert, or --end with the id of one. Nothing was changed.")
    with place.opened() as opened:
        if end:
            found = opened.ask(naming.find_one, Alert, end, "alert")
            opened.do(alerts.end_alert, found, because)
            said = "The alert has ended. It stays in the record."
        else:
            whom = opened.ask(caseload.resolve, called)
            found = opened.do(alerts.raise_alert, whom.id, text)
            said = f"The alert about {whom.name} is on. Id {sentences.short(found)}."
    place.tell(documents.Written(found, said), [said])


def access(
    place: Place,
    called: Called,
    text: Annotated[str, argument("TEXT", "How to get in, how to knock, when to ring.")],
) -> None:
    """Write down how to get in. “leadworker person PERSON --take-away ID” takes it away again."""
    with place.opened() as opened:
        whom = opened.ask(caseload.resolve, called)
        made = opened.do(alerts.add_access_note, whom.id, text)
    said = f"Written down for {whom.name}. Id {sentences.short(made)}."
    place.tell(documents.Written(made, said), [said])
