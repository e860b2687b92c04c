"""How things are named in a command: a person by what they are called, anything else by the end of its id."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Select, bindparam, select

from leadworker.domain import drafts
from leadworker.domain.actions import Action
from leadworker.domain.alerts import AccessNote, Alert
from leadworker.domain.attachments import Attachment
from leadworker.domain.drafts import Draft
from leadworker.domain.journal import JournalEntry
from leadworker.domain.people import ContactPoint, Identifier, KnownAs
from leadworker.domain.visits import Visit
from leadworker.errors import Ambiguous, NotFound
from leadworker.record import Record, table_of
from leadworker.shelf import Shelf
from leadworker.text import one_line

FEWEST_DIGITS = 4

NAMED: tuple[type[Record], ...] = (Action, Alert, AccessNote, Visit, ContactPoint, Identifier, KnownAs)
_FOUND: tuple[type[Record], ...] = (*NAMED, JournalEntry, Attachment)
_IDS: Mapping[type[Record], Select[tuple[str]]] = {
    kind: select(table_of(kind).c.id).where(
        table_of(kind).c.id.like(bindparam("ending")) | table_of(kind).c.id.like(bindparam("beginning"))
    )
    for kind in _FOUND
}


class _Id(msgspec.Struct, frozen=True):
    id: str


def find(shelf: Shelf, kinds: Sequence[type[Record]], given: str, what: str) -> tuple[type[Record], str]:
    """Return the one record of these kinds whose id ends or begins so, and which kind it is.

    `what` is what people call it. Raises `NotFound` and `Ambiguous`.
    """
    digits = digits_of(given, what)
    values = {"ending": f"%{digits}", "beginning": f"{digits}%"}
    found = [(kind, row.id) for kind in kinds for row in shelf.rows(_IDS[kind], _Id, **values)]
    if not found:
        raise NotFound(f"No {what} here has the id {digits}. Lists show the last 8 digits of each. Nothing was changed.")
    if len(found) > 1:
        raise Ambiguous(f"Several have the id {digits}. Write more of its digits. Nothing was changed.")
    return found[0]


def find_one(shelf: Shelf, kind: type[Record], given: str, what: str) -> str:
    """Return the id of the one record of a kind whose id ends or begins so."""
    return find(shelf, (kind,), given, what)[1]


def find_draft(shelf: Shelf, given: str) -> Draft:
    """Return the one draft whose id ends or begins so."""
    digits = digits_of(given, "draft")
    found = [draft for draft in drafts.unfinished(shelf) if draft.id.endswith(digits) or draft.id.startswith(digits)]
    if not found:
        raise NotFound(f"No draft here has the id {digits}. “leadworker drafts” lists them. Nothing was changed.")
    if len(found) > 1:
        raise Ambiguous(f"Several drafts have the id {digits}. Write more of its digits. Nothing was changed.")
    return found[0]


def digits_of(given: str, what: str) -> str:
    """Return the digits of an id, or of its beginning or end, as somebody typed it; raise `NotFound` for anything else."""
    digits = one_line(given).lower().removeprefix("id").strip(" .")
    if not re.fullmatch(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}", digits):
        raise NotFound(f"“{one_line(given)[:40]}” is not the id of a {what}. Lists show the last 8 digits of each. Nothing was changed.")
    return digits
