"""Commands about who can read a casebook: see it, let in, take out, hand over, give a new key (C.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Annotated, Concatenate, ParamSpec

import msgspec
import typer

from leadworker.domain import caseload, colleagues, readers
from leadworker.domain.colleagues import Colleague
from leadworker.domain.readers import Decision
from leadworker.errors import NotUnderstood, Offline, Refused
from leadworker.plain import documents, output
from leadworker.plain.command import argument, command, flag, option
from leadworker.plain.place import Open, Place
from leadworker.plain.post import run_sync
from leadworker.shelf import Shelf, UpTo
from leadworker.statements import Role

P = ParamSpec("P")

Person = Annotated[str, argument("PERSON", "Whose casebook.")]
Whom = Annotated[str, argument("COLLEAGUE", "The colleague's name, or its beginning.")]
Later = Annotated[bool, flag("--later", "Only note it; the next sync carries it out.")]


class Reader(msgspec.Struct, frozen=True):
    """Somebody who can read a casebook. `laptops` are the check words of each."""

    name: str
    role: str
    leads: bool
    me: bool
    since: str
    laptops: tuple[tuple[str, ...], ...]


class Pending(msgspec.Struct, frozen=True):
    """What was decided here and is not in force; `said` is why it did not come about, empty while it waits."""

    id: str
    person: str
    wish: str
    decided: str
    said: str


class Readers(msgspec.Struct, frozen=True):
    """Who can read a casebook, what happened to that, and what is decided and not in force.

    `nobody_decides`: none of those who decide about it has a laptop any more (docs/drills.md).
    """

    person_id: str
    person: str
    readers: tuple[Reader, ...]
    history: tuple[str, ...]
    pending: tuple[Pending, ...]
    nobody_decides: bool = False
    upto: int = 0
    """The number at the central store of the newest change here, or of the one that was asked for."""
    words: tuple[str, ...] = ()
    """Six words of everything up to it: other words at the same number are another history."""


class Decided(msgspec.Struct, frozen=True):
    """What became of decisions: those in force are done, the others stand in `pending`."""

    wishes: tuple[str, ...]
    pending: tuple[Pending, ...]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "readers")(show)
    command(app, "let-in")(let_in)
    command(app, "take-out")(take_out)
    command(app, "hand-over")(hand_over)
    command(app, "readmit")(readmit)
    command(app, "new-key")(new_key)
    command(app, "take-back")(take_back)


def show(
    place: Place,
    person: Person,
    at: Annotated[int, typer.Option("--at", metavar="NUMBER", min=0, help="The six words up to an earlier change, for a colleague.")] = 0,
) -> None:
    """Who can read this casebook, since when and on which laptops.

    The six words stand for everything that the central store has shown here. Read them out to a colleague who reads it too. Other
    words at the same number: the store shows you two different casebooks. Go on writing, and tell your administrator at once.
    """
    with place.opened() as opened:
        known = opened.ask(caseload.resolve, person)
        here = opened.ask(readers.of, known.id)
        told = opened.ask(readers.history, known.id)
        news = opened.ask(readers.news, known.id)
        waiting = opened.ask(readers.decisions, known.id)
        nobody = opened.ask(readers.nobody_decides, known.id)
        upto = opened.ask(lambda shelf: shelf.upto(known.id, at))
        offset = opened.ask(lambda shelf: shelf.now().offset)
        document = Readers(
            known.id,
            known.name,
            tuple(
                Reader(one.name, one.role_words, one.leads, one.me, documents.moment(one.since_ms, offset) if one.since_ms else "",
                       tuple(tuple(laptop.check_words.split()) for laptop in one.laptops))
                for one in here
            ),
            tuple(f"{documents.moment(one.at_ms, offset)[:16].replace('T', ' ')}  {one.sentence}" for one in told),
            tuple(_pending(one, known.name, offset) for one in waiting),
            bool(nobody), upto.n, upto.words,
        )  # fmt: skip
        place.tell(document, _shown(document))
        if news:  # told by now, here as on the screen: the brief need not say it any more
            opened.do(readers.looked, known.id, max(one.seq for one in told))


def _shown(document: Readers) -> Iterator[str]:
    if not document.readers:
        yield f"The casebook of {document.person} is on this laptop only. Nobody else can read it."
        return
    yield f"Who can read the casebook of {document.person}:"
    for one in document.readers:
        facts = ["leads" if one.leads else one.role, "you" if one.me else "", f"since {one.since[:10]}" if one.since else ""]
        yield f"  {one.name}: {', '.join(filter(None, facts))}."
        for words in one.laptops:
            yield f"    laptop with the check words {' '.join(words)}"
        if not one.laptops:
            yield "    no laptop just now: it was taken out of the organisation"
    yield readers.ESCROW
    if document.nobody_decides:
        yield readers.NOBODY_DECIDES
    if document.upto:
        yield readers.compare(UpTo(document.upto, document.words))
    yield from (f"  {line}" for line in document.history)
    for waits in document.pending:
        yield f"Not in force: {waits.wish} (decided {waits.decided[:16].replace('T', ' ')}, id {waits.id[-8:]}). {waits.said}".rstrip()


def let_in(
    place: Place,
    person: Person,
    colleague: Whom,
    role: Annotated[str, option("--role", "ROLE", f"One of: {colleagues.BESIDE_THE_LEAD}.")] = Role.CO_WORKER.words,
    later: Later = False,
) -> None:
    """Let a colleague read a casebook with its whole history, or change their role in it."""
    _decide(place, person, colleague, later, readers.let_in, colleagues.role_named(role))


def take_out(place: Place, person: Person, colleague: Whom, later: Later = False) -> None:
    """Let a colleague read a casebook no more.

    What they hold stays with them; what is written from then on is under a new key that they are not given.
    """
    _decide(place, person, colleague, later, readers.take_out)


def hand_over(
    place: Place,
    person: Person,
    colleague: Whom,
    then: Annotated[str, option("--then", "ROLE", "What the lead before becomes, or “nothing”.")] = Role.CO_WORKER.words,
    later: Later = False,
) -> None:
    """Make a colleague the lead of a casebook. There is exactly one."""
    role = None if then.strip().casefold() == "nothing" else colleagues.role_named(then)
    if role is Role.KEY_WORKER:
        raise NotUnderstood("A casebook has one key worker, who leads it. Say what the one before becomes: --then “co-worker”.")
    _decide(place, person, colleague, later, readers.hand_over, role)


def readmit(place: Place, colleague: Whom, later: Later = False) -> None:
    """Let a colleague whose laptop was lost read again, on their new one, all that they read before.

    Every casebook of which you decide. Compare the check words of the new laptop first: “leadworker devices”.
    """
    with place.opened() as opened:
        decided = opened.do(lambda shelf: readers.readmit(shelf, colleagues.resolve(shelf, colleague)))
        if not decided:
            raise Refused("There is no casebook of yours that this colleague lost with a laptop. Nothing was changed.")
        _carry_out(place, opened, decided, later)


def new_key(place: Place, person: Person, later: Later = False) -> None:
    """Give a casebook a new key, because somebody may have the one it has."""
    with place.opened() as opened:
        known = opened.ask(caseload.resolve, person)
        _carry_out(place, opened, (opened.do(readers.give_new_key, known.id),), later)


def take_back(place: Place, decision: Annotated[str, argument("ID", "The end of its id, as “leadworker readers” shows it.")]) -> None:
    """Forget a decision that is not in force."""
    with place.opened() as opened:
        found = [one for one in opened.ask(readers.decisions) if len(decision) >= 4 and one.id.endswith(decision.casefold())]
        if len(found) != 1:
            raise NotUnderstood("No decision that waits has this id. “leadworker readers PERSON” shows them. Nothing was changed.")
        opened.do(readers.take_back, found[0].id)
        document = Decided((found[0].sentence(),), ())
    place.tell(document, [f"Taken back: {found[0].sentence()}."])


Verb = Callable[Concatenate[Shelf, str, Colleague, P], Decision]


def _decide(place: Place, person: str, colleague: str, later: bool, verb: Verb[P], *args: P.args, **kwargs: P.kwargs) -> None:
    with place.opened() as opened:
        known = opened.ask(caseload.resolve, person)

        def deed(shelf: Shelf) -> Decision:
            return verb(shelf, known.id, colleagues.resolve(shelf, colleague), *args, **kwargs)

        _carry_out(place, opened, (opened.do(deed),), later)


def _carry_out(place: Place, opened: Open, decided: tuple[Decision, ...], later: bool) -> None:
    """Carry decisions out at once where there is a network, and say what is in force and what is not."""
    trouble = "" if later else _try(opened, silent=place.as_json)
    ours = {one.id for one in decided}
    offset = opened.ask(lambda shelf: shelf.now().offset)
    names = {one.id: one.name for one in opened.ask(caseload.known_people)}
    waiting = [one for one in opened.ask(readers.decisions) if one.id in ours]
    document = Decided(
        tuple(one.sentence() for one in decided), tuple(_pending(one, names.get(one.subject, ""), offset) for one in waiting)
    )
    place.tell(document, _decided(document, decided, {one.id for one in waiting}, trouble, names))
    if refused := [one.said for one in waiting if one.said]:
        raise Refused(" ".join(dict.fromkeys(refused)))


def _try(opened: Open, *, silent: bool) -> str:
    try:
        result, _ = asyncio.run(run_sync(opened, silent=silent))
    except Offline as error:
        return error.sentence
    output.warn(*result.alarms)
    return ""


def _decided(document: Decided, decided: tuple[Decision, ...], waiting: set[str], trouble: str, names: dict[str, str]) -> Iterator[str]:
    for one in decided:
        whose = f", in the casebook of {names[one.subject]}" if len(decided) > 1 and names.get(one.subject) else ""
        yield f"{'Not yet in force' if one.id in waiting else 'In force'}: {one.sentence()}{whose}."
    if document.pending and not any(one.said for one in document.pending):
        yield f"{trouble} The next sync carries it out.".strip()


def _pending(one: Decision, person: str, offset: int) -> Pending:
    return Pending(one.id, person, one.sentence(), documents.moment(one.made_ms, offset), one.said)
