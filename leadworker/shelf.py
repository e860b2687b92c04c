"""The shelf: what domain verbs hold. It stands for every book that this worker may open, inside one transaction.

A verb is a plain function whose first argument is a shelf. The desk runs it on the one storage thread; leaving it
without an error makes everything it did durable, an error undoes everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from leadworker.clock import Moment

if TYPE_CHECKING:
    from sqlalchemy import Select

    from leadworker.record import Record

View = TypeVar("View", bound=msgspec.Struct)
Kind = TypeVar("Kind", bound="Record")


class Hit(msgspec.Struct, frozen=True):
    """One find in the full text: which record, and the words around what matched, with ``\\x02`` and ``\\x03`` about it."""

    topic: str
    record_id: str
    snippet: str


class Said(msgspec.Struct, frozen=True):
    """One value of one field of a record, as one change says it. Times are UTC milliseconds, 0 for not yet.

    `change` is its id, 64 hexadecimal digits. `beside` is what the same change says of the fields that go along with this
    one. `stands`: nobody who had seen it wrote another. `over`: how many differing values it took the place of.
    """

    change: str
    field: str
    value: str | int | bool
    beside: dict[str, str | int | bool]
    written_by: str
    by_me: bool
    wrote_ms: int
    wrote_offset: int
    stamp: int
    device: str
    n: int
    sent_ms: int
    received_ms: int
    stands: bool
    over: int

    def whereabouts(self) -> str:
        """Return ``here``, ``on its way`` or ``on the central store``."""
        return whereabouts(self.n, self.sent_ms)


class Standing(msgspec.Struct, frozen=True):
    """How one casebook stands with the central store, as far as this laptop knows.

    `joined`: this vault belongs to an organisation; `admitted`: it has been let in; `shared`: somebody works with the person;
    `founded`: the store knows the casebook; `has_key`: this laptop holds its key; `trouble`: why it was refused, in words;
    `may_write`: as far as is known here, this laptop's owner may still write in it.
    """

    joined: bool
    admitted: bool
    shared: bool
    founded: bool
    has_key: bool
    trouble: str
    may_write: bool = True


class UpTo(msgspec.Struct, frozen=True):
    """A change of a casebook by its number at the central store, and six words of everything up to it (C.8).

    Whoever has other words at the same number was shown another history. Without words this laptop was not told of that number.
    """

    n: int
    words: tuple[str, ...] = ()


class Waiting(msgspec.Struct, frozen=True):
    """A record about which the central store lacks something that was written here. Times are UTC milliseconds."""

    topic: str
    record_id: str
    person_id: str
    fields: tuple[str, ...]
    sent_ms: int
    wrote_ms: int
    wrote_offset: int


def whereabouts(n: int, sent_ms: int) -> str:
    """Return where a change is, in words, from its number at the central store and when it was sent."""
    if n:
        return "on the central store"
    return "on its way" if sent_ms else "here"


class Shelf(Protocol):
    """The port between the domain and whatever stores it. `storage.shelf` implements it; tests may fake it."""

    me: str
    """The name of the person whose vault this is."""
    device: str
    """This device's id, 32 hexadecimal digits."""
    clock_doubt: str
    """Empty, or in words why this laptop's clock cannot be right just now (D.3)."""

    def now(self) -> Moment:
        """Return the time on this laptop's clock."""

    def start_casebook(self, person_id: str) -> str:
        """Begin the book of one person and return its id. Everything about a person goes into their casebook (REC-01)."""

    def casebook_of(self, person_id: str) -> str:
        """Return the id of a person's casebook; raise `NotFound`."""

    def add(self, kind: type[Record], about: str, /, *, record_id: str = "", **values: str | int | bool) -> str:
        """Write a new record into the casebook of the person `about`; return its id. Raises `TypeError` for an unknown field."""

    def require(self, kind: type[Record], record_id: str) -> None:
        """Raise `NotFound` unless there is such a record."""

    def amend(self, kind: type[Kind], record_id: str, /, **values: str | int | bool) -> None:
        """Write new values for some fields of a record; fields that already hold them are left alone.

        Raises `NotFound`, and `TypeError` for a frozen record or an unknown field.
        """

    def drop(self, kind: type[Kind], record_id: str) -> None:
        """Take a record out of a set (`Rule.SET`); its history stays."""

    def restore(self, kind: type[Kind], record_id: str) -> None:
        """Put a dropped record back."""

    def as_shown(self, record_id: str, marks: bytes) -> AbstractContextManager[None]:
        """While this holds, what is written about a record takes the place of what `marks` says and of nothing newer.

        `marks` is the record's column of that name, as it was when somebody was shown the record: they had not seen what
        this laptop received since (D.2).
        """

    def changed_since(self, kind: type[Record], record_id: str, marks: bytes) -> tuple[str, ...]:
        """Return the fields of a record that say something else than when it had these `marks`. Raises `NotFound`."""

    def history(self, kind: type[Record], record_id: str) -> tuple[Said, ...]:
        """Return everything that was ever written about a record, field by field, the oldest first. Raises `NotFound`."""

    def get(self, kind: type[Kind], record_id: str) -> Kind:
        """Return one record; raise `NotFound`."""

    def rows(self, query: Select[Any], into: type[View], **values: Any) -> tuple[View, ...]:
        """Run a select that was built once, at import, and return its rows as frozen views, in the view's field order."""

    def number(self, query: Select[Any], **values: Any) -> int:
        """Run a select of one whole number and return it, 0 for none."""

    def search(self, kinds: Sequence[type[Record]], words: str, *, limit: int = 50, newest: bool = False) -> tuple[Hit, ...]:
        """Return where `words` occur (all of them, the last as a prefix): best first, or newest first while typing."""

    def unsent(self, kind: type[Record], limit: int) -> tuple[str, ...]:
        """Return the ids of records written here that the central store does not have yet, those written last first."""

    def standing(self, person_id: str) -> Standing:
        """Return how a person's casebook stands with the central store; raise `NotFound`."""

    def upto(self, person_id: str, n: int = 0) -> UpTo:
        """Return the words of a person's casebook up to a number, or as far as it has come here; raise `NotFound`."""

    def waiting(self, limit: int) -> tuple[Waiting, ...]:
        """Return about which records something waits to be sent, those written last first."""

    def keep(self, drawer: str, key: str, value: bytes) -> None:
        """Put something for this device alone into the vault (drafts, settings); it is never synced."""

    def kept(self, drawer: str) -> dict[str, bytes]:
        """Return what a drawer holds, oldest first."""

    def throw_away(self, drawer: str, key: str) -> None:
        """Empty one place of a drawer."""
