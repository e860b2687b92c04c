"""The diary: visits that are planned, and whether they were written up."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, ClassVar

import msgspec
from sqlalchemy import bindparam, func, select

from leadworker.clock import Moment
from leadworker.domain.alerts import DoorLine, at_the_door
from leadworker.domain.people import Person
from leadworker.errors import NotUnderstood
from leadworker.record import Record, Rule, kept, last_written, receipts, table_of
from leadworker.shelf import Shelf, whereabouts
from leadworker.text import clean, one_line

PLANNED, CANCELLED = "planned", "cancelled"


class Visit(Record, table=True):
    """A visit in the diary. `entry_id` is the journal entry that wrote it up, empty until then."""

    __tablename__: ClassVar[str] = "visit"
    titled_by: ClassVar[str] = "starts_ms"

    person_id: str = kept(rule=Rule.APPEND, index=True)
    starts_ms: int = kept(
        0, rule=Rule.ASK, index=True, words="when the visit is", safer="earliest", along=("starts_offset", "state"), says="time"
    )
    starts_offset: int = kept(0)
    minutes: int = kept(60, words="minutes")
    place: str = kept(words="where")
    note: str = kept(words="visit note", both=True)
    state: str = kept(PLANNED, rule=Rule.ASK, words="whether the visit takes place", safer="default")
    entry_id: str = kept(along=("state",))


class VisitRow(msgspec.Struct, frozen=True):
    """A visit with what to know at the door. Times are UTC milliseconds."""

    id: str
    person_id: str
    person_name: str
    starts_ms: int
    starts_offset: int
    minutes: int
    place: str
    note: str
    state: str
    entry_id: str
    contested: str
    marks: bytes = b""
    n: int = 0
    sent_ms: int = 0
    received_ms: int = 0
    door: tuple[DoorLine, ...] = ()

    def whereabouts(self) -> str:
        """Return where the last change of it is: ``here``, ``on its way`` or ``on the central store``."""
        return whereabouts(self.n, self.sent_ms)

    def starts(self) -> Moment:
        return Moment(self.starts_ms, self.starts_offset)

    def ends(self) -> Moment:
        return Moment(self.starts_ms + self.minutes * 60_000, self.starts_offset)


_visit = table_of(Visit).c
_person = table_of(Person).c
_VIEW = (
    select(
        _visit.id, _visit.person_id, func.coalesce(_person.name, ""), _visit.starts_ms, _visit.starts_offset,
        _visit.minutes, _visit.place, _visit.note, _visit.state, _visit.entry_id, _visit.contested,
        _visit.marks, func.coalesce(receipts.c.n, 0), func.coalesce(receipts.c.sent_ms, 0),
        func.coalesce(receipts.c.received_ms, 0),
    )
    .select_from(table_of(Visit))
    .outerjoin(table_of(Person), _person.id == _visit.person_id)
    .outerjoin(receipts, receipts.c.no == last_written(_visit))
    .where(_visit.gone == 0)
)  # fmt: skip
_BETWEEN = _VIEW.where(_visit.starts_ms >= bindparam("start"), _visit.starts_ms < bindparam("end"), _visit.state == PLANNED).order_by(
    _visit.starts_ms
)
_OF_PERSON = _VIEW.where(_visit.person_id == bindparam("person_id")).order_by(_visit.starts_ms.desc())
_NOT_WRITTEN_UP = _VIEW.where(
    _visit.starts_ms < bindparam("before"), _visit.starts_ms >= bindparam("after"), _visit.state == PLANNED, _visit.entry_id == ""
).order_by(_visit.starts_ms)


def plan(shelf: Shelf, person_id: str, starts: Moment, *, minutes: int = 60, place: str = "", note: str = "") -> str:
    """Put a visit into the diary; return its id."""
    if not 0 < minutes <= 24 * 60:
        raise NotUnderstood("A visit lasts between a minute and a day. Nothing was saved.")
    return shelf.add(
        Visit, person_id, person_id=person_id, starts_ms=starts.ms, starts_offset=starts.offset, minutes=minutes, place=one_line(place),
        note=clean(note).strip(),
    )  # fmt: skip


def move(shelf: Shelf, visit_id: str, starts: Moment) -> None:
    """Give a visit another time: whoever moves it means it to take place, also when somebody cancelled it meanwhile."""
    shelf.amend(Visit, visit_id, starts_ms=starts.ms, starts_offset=starts.offset, state=PLANNED)


def cancel(shelf: Shelf, visit_id: str) -> None:
    """Say that a visit will not take place; it stays in the record."""
    shelf.amend(Visit, visit_id, state=CANCELLED)


def written_up(shelf: Shelf, visit_id: str, entry_id: str) -> None:
    """Name the entry that says how a visit went: whoever writes it up says that it took place, also when somebody cancelled it."""
    shelf.amend(Visit, visit_id, entry_id=entry_id, state=PLANNED)


def on_day(shelf: Shelf, day: date) -> tuple[VisitRow, ...]:
    """Return the visits of one day on this laptop's clock, each with what to know at the door."""
    start = datetime(day.year, day.month, day.day).astimezone()
    end = (datetime(day.year, day.month, day.day) + timedelta(days=1)).astimezone()
    return _at_the_door(shelf, shelf.rows(_BETWEEN, VisitRow, start=Moment.of(start).ms, end=Moment.of(end).ms))


def not_written_up(shelf: Shelf, *, days: int = 14) -> tuple[VisitRow, ...]:
    """Return visits of earlier days that nobody has written up, the oldest first, from the last `days` days."""
    today = shelf.now().day()
    start = datetime(today.year, today.month, today.day).astimezone()
    before = Moment.of(start).ms
    return shelf.rows(_NOT_WRITTEN_UP, VisitRow, before=before, after=before - days * 86_400_000)


def of_person(shelf: Shelf, person_id: str) -> tuple[VisitRow, ...]:
    """Return a person's visits, the latest first."""
    return shelf.rows(_OF_PERSON, VisitRow, person_id=person_id)


def _at_the_door(shelf: Shelf, visits: tuple[Any, ...]) -> tuple[VisitRow, ...]:
    return tuple(msgspec.structs.replace(v, door=at_the_door(shelf, v.person_id)) for v in visits)
