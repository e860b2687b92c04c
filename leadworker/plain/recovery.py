"""Commands for a central store that was restored from a backup: bring it up to date from everybody's laptops (docs/drills.md)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from leadworker.plain.command import command, flag, group
from leadworker.plain.hosting import Database, hub_parts, named
from leadworker.plain.place import Place
from leadworker.words.saying import say_count

if TYPE_CHECKING:
    from sync.hub.recovery_desk import Progress

SHOWN = 20
"""Books and laptops that are listed; beyond them stands how many there are."""

SHORT = 8


class BookStands(msgspec.Struct, frozen=True):
    """A book that lost numbers: where it stood in the backup, where it stands, how far laptops have proved that it goes."""

    book: str
    in_backup: int
    now: int
    proved: int
    two_histories: bool


class GaveBack(msgspec.Struct, frozen=True):
    """How many changes a laptop has given back that the store had lost, its own and colleagues'."""

    laptop: str
    changes: int


class RecoveryStands(msgspec.Struct, frozen=True):
    """How a recovery stands. `since` is UTC, empty while there is none. Laptops and books are named by their ids."""

    on: bool
    since: str
    books: tuple[BookStands, ...]
    reported: tuple[str, ...]
    not_reported: tuple[str, ...]
    given_back: tuple[GaveBack, ...]


def register(store: typer.Typer) -> None:
    """Add these commands to those of the central store."""
    recovery = group(store, "recovery", "After a restore from a backup: get back what the store has lost since.")
    command(recovery, "begin", vault=False)(begin)
    command(recovery, "status", vault=False)(status)
    command(recovery, "end", vault=False)(end)


def begin(place: Place, database: Database = "") -> None:
    """Put a restored central store into recovery mode, best before it is started again.

    It then gives no new number and takes back, from the laptops, what it had numbered since the backup.
    """
    with hub_parts():
        from sync.hub import recovery_desk

        document = _document(recovery_desk.begin(named(database)))
    place.tell(document, _words(document))


def status(place: Place, database: Database = "") -> None:
    """Say how far each book has come and which laptops have reported."""
    with hub_parts():
        from sync.hub import recovery_desk

        document = _document(recovery_desk.look(named(database)))
    place.tell(document, _words(document))


def end(
    place: Place,
    database: Database = "",
    anyway: Annotated[bool, flag("--anyway", "Also while laptops have not reported; a number that only they know is given again.")] = False,
) -> None:
    """End recovery mode: the central store gives numbers again."""
    with hub_parts():
        from sync.hub import recovery_desk

        document = _document(recovery_desk.end(named(database), anyway=anyway))
    place.tell(document, _words(document))


def _document(progress: Progress) -> RecoveryStands:
    begun = datetime.fromtimestamp(progress.begun_ms / 1000, tz=UTC) if progress.begun_ms else None
    others = set(progress.others)
    books = {book.book: BookStands(book.book.hex(), book.began_n, book.n, book.goal_n, book.book in others) for book in progress.books}
    unmoved = (BookStands(book.hex(), 0, 0, 0, True) for book in others - books.keys())
    return RecoveryStands(
        begun is not None, f"{begun:%Y-%m-%dT%H:%M:%SZ}" if begun else "", (*books.values(), *unmoved),
        tuple(heard.device.hex() for heard in progress.heard), tuple(device.hex() for device in progress.missing),
        tuple(GaveBack(one.device.hex(), one.changes) for one in progress.given_back),
    )  # fmt: skip


def _words(stands: RecoveryStands) -> Iterator[str]:
    if stands.on:
        yield f"The central store has been in recovery mode since {stands.since}. It gives no new number and takes back what it had."
    else:
        yield "The central store is not in recovery mode: it gives numbers as usual."
    if not stands.on and not stands.reported:
        return
    every = say_count(len(stands.reported) + len(stands.not_reported), "laptop has", "laptops have")
    yield f"{len(stands.reported):,} of {every} reported."
    if stands.on and stands.not_reported:
        yield from _listed("Not yet", [device[:SHORT] for device in stands.not_reported])
    back = sum(book.now - book.in_backup for book in stands.books if not book.two_histories)
    yield f"{say_count(back, 'change', 'changes')} came back."
    if stands.given_back:
        most_first = sorted(stands.given_back, key=lambda one: (-one.changes, one.laptop))
        yield from _listed("Given back by", [f"{one.laptop[:SHORT]} ({one.changes:,})" for one in most_first])
    behind = [book for book in stands.books if book.now < book.proved and not book.two_histories]
    for book in behind[:SHOWN]:
        yield f"  Book {book.book[:SHORT]} stands at {book.now:,} of {book.proved:,}."
    if len(behind) > SHOWN:
        yield f"  And {len(behind) - SHOWN:,} more books that are behind."
    two = [book.book[:SHORT] for book in stands.books if book.two_histories]
    if two:
        yield from _listed("Two histories", two)
        yield "  Numbers were given anew in these after the restore. Nothing was replaced; docs/drills.md says what to do."
    if stands.on and not behind and not two and not stands.not_reported:
        yield "Everything that was ever receipted is here again. “leadworker hub recovery end” goes back to work."


def _listed(words: str, names: list[str]) -> Iterator[str]:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    yield f"  {words}: {', '.join(names[:SHOWN])}{more}."
