"""Today: what needs me, on one page. It gathers; it counts nothing about anyone."""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, func, select

from leadworker.domain import actions, drafts, visits
from leadworker.domain.actions import ActionRow
from leadworker.domain.conflicts import Conflict, open_conflicts
from leadworker.domain.drafts import Draft
from leadworker.domain.journal import JournalEntry
from leadworker.domain.people import Person
from leadworker.domain.visits import VisitRow
from leadworker.record import receipts, table_of, writers
from leadworker.shelf import Shelf

A_WEEK_MS = 7 * 86_400_000


class NewsRow(msgspec.Struct, frozen=True):
    """An entry that a colleague wrote and this laptop received. `received_ms` is when the central store took it."""

    entry_id: str
    person_id: str
    person_name: str
    kind: str
    written_by: str
    happened_ms: int
    happened_offset: int
    received_ms: int
    continues: str = ""


class Today(msgspec.Struct, frozen=True):
    """Everything on the Today screen, in its order."""

    visits: tuple[VisitRow, ...]
    not_written_up: tuple[VisitRow, ...]
    drafts: tuple[Draft, ...]
    todo: tuple[ActionRow, ...]
    news: tuple[NewsRow, ...]
    apart: tuple[Conflict, ...] = ()


_entry = table_of(JournalEntry).c
_person = table_of(Person).c
_newest = table_of(JournalEntry).alias().c
_NEWS = (
    select(
        _entry.id, _entry.person_id, func.coalesce(_person.name, ""), _entry.kind, func.coalesce(writers.c.name, ""),
        _entry.happened_ms, _entry.happened_offset, receipts.c.received_ms, _entry.continues,
    )
    .select_from(table_of(JournalEntry))
    .join(writers, writers.c.device == _entry.made_by)
    .join(receipts, receipts.c.no == _entry.change_no)
    .outerjoin(table_of(Person), _person.id == _entry.person_id)
    .where(
        writers.c.mine == 0,
        receipts.c.received_ms > bindparam("since"),
        _entry.no > select(func.coalesce(func.max(_newest.no), 0) - 2000).scalar_subquery(),  # not the whole history
    )
    .order_by(_entry.no.desc())
    .limit(bindparam("limit"))
)  # fmt: skip


def today(shelf: Shelf) -> Today:
    """Return what needs me today: visits first, what is unfinished, due, new from others this week, and what was written apart."""
    now = shelf.now()
    return Today(
        visits.on_day(shelf, now.day()),
        visits.not_written_up(shelf),
        drafts.unfinished(shelf),
        actions.todo(shelf),
        shelf.rows(_NEWS, NewsRow, since=now.ms - A_WEEK_MS, limit=20),
        open_conflicts(shelf),
    )
