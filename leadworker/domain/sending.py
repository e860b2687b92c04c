"""What waits to be sent, and why something has not gone, in a sentence (DESIGN.md section 7; the words of the post)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, select

from leadworker.clock import Moment
from leadworker.domain import late
from leadworker.domain.journal import EntryView
from leadworker.domain.people import Person
from leadworker.record import kept_fields, table_of, topics
from leadworker.shelf import Shelf, Standing, Waiting, whereabouts
from leadworker.words.saying import say_time
from leadworker.words.values import say_value

NO_ORGANISATION = "This vault has joined no organisation, so everything stays on this laptop. “leadworker join” takes an invite."
NOT_BEGUN = "Nobody works with this person yet, so what is about them stays on this laptop. The first note begins it."
NOT_LET_IN = "This laptop is waiting to be let in. An administrator's laptop does it at its next sync."
MAY_NOT_WRITE = (
    "You may not write in this casebook any more, so this goes nowhere by itself. It is kept here; “leadworker hand-in” hands it in."
)
NO_KEY = "This laptop was not given the key of this casebook yet. A colleague who holds it gives it at their next sync."
NO_RECEIPT = "It was sent, and the central store has not said yet that it has it. It is asked again at the next sync."
NEXT_SYNC = "It goes with the next sync."


class WaitingRow(msgspec.Struct, frozen=True):
    """Something that waits to be sent. `what` is the kind of record in words, `title` which one, `why` it has not gone."""

    topic: str
    record_id: str
    person_id: str
    person_name: str
    what: str
    title: str
    why: str
    sent_ms: int
    wrote_ms: int
    wrote_offset: int

    def whereabouts(self) -> str:
        """Return ``here`` or ``on its way``."""
        return whereabouts(0, self.sent_ms)


class _Name(msgspec.Struct, frozen=True):
    name: str


class _Title(msgspec.Struct, frozen=True):
    title: str | int


_person = table_of(Person).c
_NAME = select(_person.name).where(_person.id == bindparam("person_id"))


@cache
def _title(topic: str) -> Select[Any]:
    """Return the select of what a record of a topic is known by, built once."""
    record = table_of(topics()[topic]).c
    return select(record[topics()[topic].titled_by]).where(record.id == bindparam("record_id"))


def why(standing: Standing, *, sent_ms: int = 0, post: str = "") -> str:
    """Return why something of a casebook is not on the central store. `post` is what stands in the way of all, in a sentence."""
    if not standing.joined:
        return NO_ORGANISATION
    if not standing.shared:
        return NOT_BEGUN
    if not standing.admitted:
        return NOT_LET_IN
    if not standing.may_write:
        return MAY_NOT_WRITE
    if standing.trouble:
        return standing.trouble
    if standing.founded and not standing.has_key:
        return NO_KEY
    if post:
        return post
    return NO_RECEIPT if sent_ms else NEXT_SYNC


def why_of(shelf: Shelf, person_id: str, *, sent_ms: int = 0, post: str = "") -> str:
    """Return why something about a person is not on the central store."""
    return _handed_in(shelf, person_id, why(shelf.standing(person_id), sent_ms=sent_ms, post=post))


def goes_nowhere(shelf: Shelf, person_id: str) -> bool:
    """Return whether what is written about a person now can only be handed in."""
    return not shelf.standing(person_id).may_write


def _handed_in(shelf: Shelf, person_id: str, reason: str) -> str:
    """Return what is said in place of a reason where what could not be sent was handed in."""
    done = late.handed_in(shelf, person_id) if reason == MAY_NOT_WRITE else None
    if done is None:
        return reason
    now = shelf.now().local()
    said = f"handed in to {', '.join(done.to)}, {say_time(Moment(done.at_ms, shelf.now().offset).local(), now)}"
    if late.may_hand_in(shelf, person_id):
        return f"{MAY_NOT_WRITE} What was written before was {said}."
    return f"You may not write in this casebook any more, so this was {said}. It stays on this laptop as well."


def reasons(shelf: Shelf, entries: Iterable[EntryView], post: str = "") -> dict[str, str]:
    """Return why each of these entries is not on the central store, by its id; those that are there are left out."""
    return {one.id: why_of(shelf, one.person_id, sent_ms=one.sent_ms, post=post) for one in entries if not one.n}


def waiting(shelf: Shelf, *, limit: int = 400, post: str = "") -> tuple[WaitingRow, ...]:
    """Return everything that waits to be sent, what was written last first, each with the reason."""
    standings: dict[str, Standing] = {}
    rows = []
    for one in shelf.waiting(limit):
        if one.person_id not in standings:
            standings[one.person_id] = shelf.standing(one.person_id)
        names = shelf.rows(_NAME, _Name, person_id=one.person_id)
        reason = _handed_in(shelf, one.person_id, why(standings[one.person_id], sent_ms=one.sent_ms, post=post))
        rows.append(
            WaitingRow(
                one.topic, one.record_id, one.person_id, names[0].name if names else "", _what(one), _titled(shelf, one), reason,
                one.sent_ms, one.wrote_ms, one.wrote_offset,
            )
        )  # fmt: skip
    return tuple(rows)


def _what(one: Waiting) -> str:
    """Return what kind of record waits, as people call it."""
    named = {"journal_entry": "entry", "person": "what is written about them", "involvement": "that we work with them",
             "contact_point": "contact", "known_as": "name", "access_note": "how to get in", "attachment": "file",
             "attachment_stored": "that a file is on the central store"}  # fmt: skip
    return named.get(one.topic, one.topic.replace("_", " "))


def _titled(shelf: Shelf, one: Waiting) -> str:
    kind = topics().get(one.topic)
    if kind is None:
        return ""
    if not kind.titled_by:
        fields = kept_fields(kind)
        return ", ".join(dict.fromkeys(fields[name].words for name in one.fields if name in fields and fields[name].words))
    found = shelf.rows(_title(one.topic), _Title, record_id=one.record_id)
    says = kept_fields(kind)[kind.titled_by].says
    return say_value(says, found[0].title, {}, shelf.now().local()) if found else ""
