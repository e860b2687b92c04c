"""Actions: what was promised, by whom, until when. Each has exactly one named owner, never a team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from sqlalchemy import and_, bindparam, case, func, select

from leadworker.errors import NotUnderstood
from leadworker.record import Record, Rule, kept, table_of
from leadworker.shelf import Shelf, whereabouts
from leadworker.text import one_line, skeleton

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, ScalarSelect

NOBODY_IN_PARTICULAR = frozenset({"team", "the team", "all", "everyone", "everybody", "us", "we", "tbc", "anyone"})


class Action(Record, table=True):
    """An owned, dated task. `owner` is the name of one person; `done_on` is empty while it is open."""

    __tablename__: ClassVar[str] = "action"
    titled_by: ClassVar[str] = "text"

    person_id: str = kept(rule=Rule.APPEND, index=True)
    entry_id: str = kept(rule=Rule.APPEND, index=True)
    text: str = kept(find=True, words="what is to be done", both=True)
    owner: str = kept(words="owner")
    owner_id: str = kept(words="owner's record")
    mine: bool = kept(False, words="owned by its writer")
    due_on: str = kept(index=True, words="due", says="day")
    done_on: str = kept(words="done", safer="default", along=("done_by",), says="day")
    done_by: str = kept(words="done by")


class NewAction(msgspec.Struct, frozen=True):
    """An action to be written down. `mine` says that its writer owns it."""

    text: str
    owner: str
    owner_id: str = ""
    mine: bool = False
    due_on: str = ""


class ActionRow(msgspec.Struct, frozen=True):
    """An action in a list. `due_on` and `done_on` are ISO dates or empty."""

    id: str
    person_id: str
    person_name: str
    entry_id: str
    text: str
    owner: str
    mine: bool
    due_on: str
    done_on: str
    done_by: str
    written_by_me: bool
    n: int = 0
    sent_ms: int = 0
    received_ms: int = 0

    def whereabouts(self) -> str:
        """Return where the last change of it is: ``here``, ``on its way`` or ``on the central store``."""
        return whereabouts(self.n, self.sent_ms)


def _build() -> tuple[Any, Any, Any]:
    from leadworker.domain.people import Person
    from leadworker.record import last_written, receipts, writers

    a, p = table_of(Action).c, table_of(Person).c
    by_me = func.coalesce(writers.c.mine, 0)
    is_mine = and_(a.mine == 1, by_me == 1)
    view = (
        select(a.id, a.person_id, func.coalesce(p.name, ""), a.entry_id, a.text, a.owner, is_mine,
               a.due_on, a.done_on, a.done_by, by_me,
               func.coalesce(receipts.c.n, 0), func.coalesce(receipts.c.sent_ms, 0), func.coalesce(receipts.c.received_ms, 0))
        .select_from(table_of(Action))
        .outerjoin(table_of(Person), p.id == a.person_id)
        .outerjoin(writers, writers.c.device == a.made_by)
        .outerjoin(receipts, receipts.c.no == last_written(a))
        .where(a.gone == 0)
    )  # fmt: skip
    undated_last = case((a.due_on == "", "9999"), else_=a.due_on)
    todo = view.where(a.done_on == "", is_mine).order_by(undated_last, a.no).limit(bindparam("limit"))
    of_person = view.where(a.person_id == bindparam("person_id")).order_by(a.done_on != "", undated_last, a.no)
    of_entry = view.where(a.entry_id == bindparam("entry_id"), a.person_id == bindparam("person_id")).order_by(a.no)
    return todo, of_person, of_entry


_OPEN_ONES, _OF_PERSON, _OF_ENTRY = _build()


def open_actions_of(person_id: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Return a scalar select for a list of people: how many open actions there are about each."""
    a = table_of(Action).alias().c
    return select(func.count()).where(a.person_id == person_id, a.done_on == "", a.gone == 0).scalar_subquery()


def add(shelf: Shelf, person_id: str, new: NewAction, *, entry_id: str = "") -> str:
    """Write down an action about a person; return its id. Raises `NotUnderstood` without words or a named owner."""
    text, owner = one_line(new.text), one_line(new.owner)
    if not text:
        raise NotUnderstood("An action needs words: what is to be done? Nothing was saved.")
    if not owner or skeleton(owner) in NOBODY_IN_PARTICULAR:
        raise NotUnderstood(
            f"“{text[:40]}” needs one named owner. “{owner or 'nobody'}” cannot be asked about it later. Nothing was saved."
        )
    return shelf.add(
        Action, person_id, person_id=person_id, entry_id=entry_id, text=text, owner=owner, owner_id=new.owner_id,
        mine=new.mine, due_on=new.due_on,
    )  # fmt: skip


def finish(shelf: Shelf, action_id: str) -> None:
    """Tick an action: done, today, by me."""
    shelf.amend(Action, action_id, done_on=shelf.now().day().isoformat(), done_by=shelf.me)


def reopen(shelf: Shelf, action_id: str) -> None:
    """Take the tick away again."""
    shelf.amend(Action, action_id, done_on="", done_by="")


def todo(shelf: Shelf, *, limit: int = 500) -> tuple[ActionRow, ...]:
    """Return my open actions, the longest due first, undated ones last."""
    return shelf.rows(_OPEN_ONES, ActionRow, limit=limit)


def of_person(shelf: Shelf, person_id: str) -> tuple[ActionRow, ...]:
    """Return every action about a person, open ones first."""
    return shelf.rows(_OF_PERSON, ActionRow, person_id=person_id)


def actions_of_entry(shelf: Shelf, entry_id: str, person_id: str) -> tuple[ActionRow, ...]:
    """Return the actions that were born from an entry's *next* lines, in the casebook of the person that it is about."""
    return shelf.rows(_OF_ENTRY, ActionRow, entry_id=entry_id, person_id=person_id)
