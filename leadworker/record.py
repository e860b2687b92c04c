"""How a record type is declared: once, as a SQLModel class in its topic's file, with its merge rule on each field.

From the declaration the store makes the table, the search index, the projection and the integrity check, and the
post knows what a received change may say. A new topic needs nothing else (docs/architecture.md).
"""

from __future__ import annotations

import re
import secrets
import time
from enum import StrEnum
from typing import Any, ClassVar, Final, NamedTuple

from sqlalchemy import Table, column, func, table
from sqlmodel import Field, SQLModel

LARGEST_NUMBER: Final = 2**53
"""The largest whole number that a change may carry, and its negative the smallest."""

RECORD_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
"""What `new_id` gives, and what every change must name its record by."""


class Rule(StrEnum):
    """What becomes of a value when two people wrote apart, neither having seen the other (security D.1)."""

    APPEND = "append"
    """Both stay; what was signed is frozen."""
    SET = "set"
    """Adding wins over a removal that had not seen it."""
    QUIET = "quiet"
    """The latest by what its writer had seen, then by hybrid clock; the other one stays in the history."""
    ASK = "ask"
    """Both are shown to a person; until one chooses, the safer one drives what alerts."""
    CENTRAL = "central"
    """Only with the central store, by compare-and-swap."""


class Kept(NamedTuple):
    """What the declaration of one field says beside its type."""

    rule: Rule
    find: bool
    words: str
    safer: str
    along: tuple[str, ...] = ()
    both: bool = False
    says: str = ""
    secret: bool = False


def kept(
    default: Any = "", *, rule: Rule = Rule.QUIET, find: bool = False, words: str = "", safer: str = "", index: bool = False,
    along: tuple[str, ...] = (), both: bool = False, says: str = "", secret: bool = False,
) -> Any:  # fmt: skip
    """Declare a field that changes carry: text, a whole number, or yes/no.

    `find` puts its words into the search index. `words` is what people call it. `safer` says which of several values that
    were written apart is shown meanwhile: ``"on"`` (true over false), ``"earliest"``, ``"longest"``, ``"default"`` (as it
    began). `along` names fields that are always written with this one; the quiet ones among them follow the same hand.
    `both`: two texts can stand one beneath the other. `says` is how a value reads: ``"time"`` (UTC milliseconds, its offset
    the first field of `along`), ``"day"`` (ISO), ``"born"`` (may stop early), ``"one/other"`` for yes and no, or as it is.
    What is `secret` opens something: it is neither searched nor shown, and a history leaves it out.
    """
    if secret and (find or words):
        raise TypeError("what is secret is neither searched nor shown")
    info = {"kept": Kept(rule, find, words, safer, along, both, says, secret)}
    return Field(default=default, index=index, sa_column_kwargs={"info": info})


def new_id() -> str:
    """Return 32 hexadecimal digits: 48 bits of milliseconds, so that new rows stand together, and 80 random bits."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


class Record(SQLModel):
    """What every record has. The columns here are written by the store, never by a domain verb."""

    no: int | None = Field(default=None, primary_key=True)
    id: str = Field(default_factory=new_id, unique=True)
    book: str = ""
    made_by: str = ""
    made_at: int = 0
    made_offset: int = 0
    change_no: int = 0
    gone: bool = False
    contested: str = ""
    marks: bytes = b""
    written_no: int = 0
    """The last change about it that this laptop wrote, 0 for none: where that one is tells whether anything waits."""

    frozen: ClassVar[bool] = False
    """True for records that are never amended once saved (`Rule.APPEND` throughout)."""
    titled_by: ClassVar[str] = ""
    """The field by which people know one of these from another, where the person's name alone does not say it."""


BASE_COLUMNS = frozenset(Record.model_fields)


def topics() -> dict[str, type[Record]]:
    """Return every declared record type by its topic, which is its table and its name in changes."""
    return {sub.__tablename__: sub for sub in Record.__subclasses__() if hasattr(sub, "__table__")}  # type: ignore[misc]


def table_of(kind: type[Record]) -> Table:
    """Return the SQLAlchemy table of a record type."""
    return kind.__table__  # type: ignore[attr-defined, no-any-return]


def kept_fields(kind: type[Record]) -> dict[str, Kept]:
    """Return what changes may carry for a record type: field name to its declaration, in order."""
    return {c.name: c.info["kept"] for c in table_of(kind).columns if "kept" in c.info}


def asked_fields(kind: type[Record]) -> tuple[str, ...]:
    """Return the fields of which a person chooses a value when several were written apart (`Rule.ASK`)."""
    return tuple(name for name, field in kept_fields(kind).items() if field.rule is Rule.ASK)


receipts = table("change", column("no"), column("lane_no"), column("n"), column("sent_ms"), column("received_ms"))
"""Where each change is: `n` is its number at the central store or null; times are UTC milliseconds, 0 for not yet."""


def last_written(columns: Any) -> Any:
    """Return, for a select, the change by which to tell where a record is: the last that this laptop wrote about it, else its first."""
    return func.coalesce(func.nullif(columns.written_no, 0), columns.change_no)


writers = table("writer", column("device"), column("name"), column("mine"))
"""Who wrote: the name that the directory (or this vault) gives to a device."""

colleagues = table(
    "colleague", column("device"), column("person"), column("name"), column("role"), column("admin"), column("my_team"),
    column("me"), column("active"), column("check_words"),
)  # fmt: skip
"""The laptops of the organisation's directory: whose, in which role (`statements.Role`), whether they may speak now."""

drawers = table("drawer", column("drawer"), column("key"), column("value"))
"""What is kept for this device alone (`Shelf.keep`)."""

readers = table("reader", column("book"), column("device"), column("person"), column("role"), column("since_ms"))
"""The laptops that read each casebook now, with their role there."""

access = table(
    "access", column("book"), column("seq"), column("line"), column("at_ms"), column("by_person"), column("what"),
    column("person"), column("role"),
)  # fmt: skip
"""What happened to who reads a casebook, one line a person; `what` is one of `domain.readers`."""

lanes = table("lane", column("no"), column("book_no"), column("lane"), column("mine"))
"""Who wrote where: each device has its own lane in each casebook; lane 0 holds statements."""

books = table("book", column("no"), column("id"), column("subject"), column("lead"), column("writable"))
"""Whose each casebook is, who leads it, and whether this laptop may write in it; ids of people as hexadecimal digits."""
