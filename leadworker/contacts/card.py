"""What a contact file is read into: cards, the ways to reach somebody, and the lines that could not be read."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

import msgspec

from leadworker.text import one_line

PointKind = Literal["phone", "mobile", "email", "address", "web", "other"]

LONGEST_EXCERPT = 60
"""Characters of a line that is shown beside the reason why it could not be read."""

_NOT_IN_A_NUMBER = re.compile(r"[\s().\-/]+")


class ContactPoint(msgspec.Struct, frozen=True):
    """One way to reach somebody, on one line and cleaned.

    `value` is as the file writes it (`tel:` and `mailto:` taken off). `label` is the file's own word
    for it ("home", "work fax", "grandma's"), or empty.
    A `value` of the kind ``other`` is a fax, a pager, a chat name or an e-mail address that is none.
    """

    kind: PointKind
    value: str
    label: str = ""

    @property
    def same_as(self) -> tuple[str, str]:
        """The kind and the value as they are compared: no blanks or brackets in a number, no capitals."""
        value = self.value.casefold()
        if self.kind in ("phone", "mobile"):
            value = _NOT_IN_A_NUMBER.sub("", value)
        return self.kind, value


class ContactCard(msgspec.Struct, frozen=True, kw_only=True):
    """One person (or organisation) as a contact file gives them; every text is cleaned.

    `name` is never empty. `born_on` is empty or an ISO date as far as it is known: ``2011``, ``2011-05``,
    ``2011-05-03`` or ``--05-03`` where only day and month are known. `note` alone may have several lines.
    `uid` is the file's own id, or empty. `line` is the first line of the card in the file, counted from 1.
    `left_out` says in words what the file holds about this person that the fields above do not.
    """

    name: str
    known_as: tuple[str, ...] = ()
    pronouns: str = ""
    born_on: str = ""
    points: tuple[ContactPoint, ...] = ()
    organisation: str = ""
    role: str = ""
    note: str = ""
    uid: str = ""
    line: int = 0
    left_out: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Return a SHA-256 in hex over the content, the same whenever the same content is read again.

        The file's own id, the place in the file and what was left out do not count, nor does the order of
        names and numbers, nor blanks inside a number: programs change these between one export and the next.
        """
        points = sorted((*point.same_as, point.label.casefold()) for point in self.points)
        content = (
            "leadworker contact 1",
            self.name,
            sorted(self.known_as),
            self.pronouns,
            self.born_on,
            points,
            self.organisation,
            self.role,
            " ".join(self.note.split()),
        )
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


class Unread(msgspec.Struct, frozen=True):
    """A line, a row or a card that could not be read, or not wholly; `reason` is a sentence.

    `excerpt` is what stood there, cleaned, at most `LONGEST_EXCERPT` characters. It may hold case text.
    """

    line: int
    reason: str
    excerpt: str = ""


class Reading(msgspec.Struct, frozen=True):
    """A whole contact file as it was read: what kind it is, in words, its cards, and what could not be read."""

    format: str
    encoding: str
    cards: tuple[ContactCard, ...]
    unread: tuple[Unread, ...]


def excerpt(text: str) -> str:
    """Return the beginning of `text`, cleaned, on one line, at most `LONGEST_EXCERPT` characters."""
    shown = one_line(text[:400])
    if len(shown) > LONGEST_EXCERPT or (shown and len(text) > 400):
        return shown[: LONGEST_EXCERPT - 1].rstrip() + "…"
    return shown
