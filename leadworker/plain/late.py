"""Commands for what somebody wrote before they knew that they had lost a casebook: hand it in, see it, take it in (C.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer

from leadworker.domain import caseload, late
from leadworker.domain.late import Late
from leadworker.errors import NotUnderstood, PostError
from leadworker.plain import documents, output
from leadworker.plain.command import argument, command, flag, group
from leadworker.plain.place import Open, Place
from leadworker.plain.post import run_sync
from leadworker.words.saying import say_count


class LateItem(msgspec.Struct, frozen=True):
    """What was handed in by somebody: the first lines of its entries, and how many other changes."""

    id: str
    written_by: str
    person_id: str
    person: str
    received: str
    entries: tuple[str, ...]
    others: int


class LateItems(msgspec.Struct, frozen=True):
    """What was handed in to this laptop and nobody here has taken in."""

    items: tuple[LateItem, ...]


class HandedInNow(msgspec.Struct, frozen=True):
    """To whom what could not be sent was handed in; empty while it waits for a network."""

    person: str
    to: tuple[str, ...]


class TakenInNow(msgspec.Struct, frozen=True):
    """What was written into the casebook, as yours, with the name of who wrote it first."""

    written_by: str
    entries: int
    others: int
    unread: int


def register(app: typer.Typer) -> None:
    """Add these commands."""
    late_group = group(app, "late", "What was handed in late: see it, take it in.")
    command(late_group)(show)
    command(late_group, "take-in")(take_in)
    command(app, "hand-in")(hand_in)


def show(place: Place) -> None:
    """What colleagues handed in to you because they could not send it."""
    with place.opened() as opened:
        offset = opened.ask(lambda shelf: shelf.now().offset)
        document = LateItems(tuple(_item(one, offset) for one in opened.ask(late.waiting)))
    place.tell(document, _say(document))


def _say(document: LateItems) -> Iterator[str]:
    if not document.items:
        yield "Nothing was handed in."
    for one in document.items:
        titles = "".join(f", “{title}”" for title in one.entries if title)
        others = f" and {say_count(one.others, 'other change', 'other changes')}" if one.others else ""
        yield (
            f"{one.written_by} about {one.person or 'somebody'}: {say_count(len(one.entries), 'entry', 'entries')}{titles}{others}. "
            f"Id {one.id[-8:]}."
        )


def take_in(place: Place, which: Annotated[str, argument("ID", "The end of its id, as “leadworker late” shows it.")]) -> None:
    """Write what was handed in into the casebook. It is yours then, and says whose words it was."""
    with place.opened() as opened:
        found = [one for one in opened.ask(late.waiting) if len(which) >= 4 and one.id.endswith(which.casefold())]
        if len(found) != 1:
            raise NotUnderstood("Nothing that was handed in has this id. “leadworker late” shows it. Nothing was changed.")
        made = opened.do(late.take_in, found[0].id)
    document = TakenInNow(found[0].name, made.entries, made.others, made.unread)
    counted = f"{say_count(made.entries, 'entry', 'entries')} and {say_count(made.others, 'other change', 'other changes')}"
    place.tell(document, [f"Taken in from {found[0].name}: {counted}.{made.rest()}"])


def hand_in(
    place: Place,
    person: Annotated[str, argument("PERSON", "Whose casebook.")],
    again: Annotated[bool, flag("--again", "Also what was handed in before: they could not take it in.")] = False,
) -> None:
    """Hand in what you wrote about somebody and cannot send any more.

    It goes, sealed, to those who decide about the casebook. It stays on this laptop as well.
    """
    with place.opened() as opened:
        known = opened.ask(caseload.resolve, person)
        opened.do(late.hand_in, known.id, again=again)
        trouble = _sync(opened, silent=place.as_json)
        done = None if opened.ask(late.may_hand_in, known.id) else opened.ask(late.handed_in, known.id)
    document = HandedInNow(known.name, done.to if done else ())
    said = f"Handed in to {', '.join(done.to)}." if done else "It is handed in by the next sync that gets through."
    place.tell(document, [said, *([trouble] if trouble and not done else [])])


def _sync(opened: Open, *, silent: bool) -> str:
    try:
        result, _ = asyncio.run(run_sync(opened, silent=silent))
    except PostError as error:  # a revoked laptop may hand in, and nothing else
        return error.sentence
    output.warn(*result.alarms)
    return ""


def _item(one: Late, offset: int) -> LateItem:
    received = documents.moment(one.received_ms, offset)
    return LateItem(one.id, one.name, one.person_id, one.person, received, one.entries, one.others)
