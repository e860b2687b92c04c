"""What to know at the door: alerts about safety and contact, and how to get in."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from sqlalchemy import BindParameter, bindparam, func, select

from leadworker.errors import NotUnderstood
from leadworker.record import Record, Rule, kept, last_written, receipts, table_of
from leadworker.shelf import Shelf, whereabouts
from leadworker.text import clean


class Alert(Record, table=True):
    """Something that could harm somebody at a visit or by a message. Ended, never deleted; in doubt it is on."""

    __tablename__: ClassVar[str] = "alert"
    titled_by: ClassVar[str] = "text"

    person_id: str = kept(rule=Rule.APPEND, index=True)
    text: str = kept(rule=Rule.ASK, find=True, words="alert", safer="longest", both=True)
    on: bool = kept(True, rule=Rule.ASK, words="whether the alert still holds", safer="on", along=("ended_because",), says="on/ended")
    ended_because: str = kept(words="why it was ended")


class AccessNote(Record, table=True):
    """How to get in, how to knock, when to ring."""

    __tablename__: ClassVar[str] = "access_note"
    titled_by: ClassVar[str] = "text"

    person_id: str = kept(rule=Rule.SET, index=True)
    text: str = kept(find=True, words="how to get in", both=True)


class DoorLine(msgspec.Struct, frozen=True):
    """One alert or access note. `kind` is ``alert`` or ``access``."""

    id: str
    kind: str
    text: str
    contested: str = ""
    marks: bytes = b""
    n: int = 0
    sent_ms: int = 0
    received_ms: int = 0

    def whereabouts(self) -> str:
        """Return where the last change of it is: ``here``, ``on its way`` or ``on the central store``."""
        return whereabouts(self.n, self.sent_ms)


_alert = table_of(Alert).c
_access = table_of(AccessNote).c
_who: BindParameter[str] = bindparam("person_id")
_RECEIPT = (func.coalesce(receipts.c.n, 0), func.coalesce(receipts.c.sent_ms, 0), func.coalesce(receipts.c.received_ms, 0))
_ALERTS = (
    select(_alert.id, bindparam("kind", "alert"), _alert.text, _alert.contested, _alert.marks, *_RECEIPT)
    .outerjoin(receipts, receipts.c.no == last_written(_alert))
    .where(_alert.person_id == _who, _alert.on == 1, _alert.gone == 0)
    .order_by(_alert.no)
)
_ACCESS = (
    select(_access.id, bindparam("kind", "access"), _access.text, _access.contested, _access.marks, *_RECEIPT)
    .outerjoin(receipts, receipts.c.no == last_written(_access))
    .where(_access.person_id == _who, _access.gone == 0)
    .order_by(_access.no)
)


def raise_alert(shelf: Shelf, person_id: str, text: str) -> str:
    """Write down an alert; return its id."""
    return shelf.add(Alert, person_id, person_id=person_id, text=_words(text))


def end_alert(shelf: Shelf, alert_id: str, because: str) -> None:
    """Say that an alert no longer holds, and why; it stays in the record."""
    reason = clean(because).strip()
    if not reason:
        raise NotUnderstood("Say in a few words why this alert no longer holds. It is still on.")
    shelf.amend(Alert, alert_id, on=False, ended_because=reason)


def add_access_note(shelf: Shelf, person_id: str, text: str) -> str:
    """Write down how to get in; return its id."""
    return shelf.add(AccessNote, person_id, person_id=person_id, text=_words(text))


def drop_access_note(shelf: Shelf, note_id: str) -> None:
    """Take an access note away; its history stays."""
    shelf.drop(AccessNote, note_id)


def at_the_door(shelf: Shelf, person_id: str) -> tuple[DoorLine, ...]:
    """Return every alert that is on, then how to get in."""
    alerts = shelf.rows(_ALERTS, DoorLine, person_id=person_id)
    return alerts + shelf.rows(_ACCESS, DoorLine, person_id=person_id)


def _words(text: str) -> str:
    words = clean(text).strip()
    if not words:
        raise NotUnderstood("There are no words in it yet. Nothing was saved.")
    return words
