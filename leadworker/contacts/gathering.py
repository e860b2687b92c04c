"""Gathers what a file says of one person, field by field, until it can be given as a frozen card."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from leadworker.contacts.card import ContactCard, ContactPoint, PointKind
from leadworker.contacts.dates import DateRead
from leadworker.text import MOST_MARKS, clean, one_line, skeleton

LONGEST_VALUE = 1_000
"""Characters in a name, a number, an address or any other field of one line."""

LONGEST_NOTE = 1_000_000
"""Characters in a note; more than any person wrote, so that a broken file cannot fill the vault."""

LONGEST_REMARK = 200
"""Characters in one remark about what was left out."""

MOST_REMARKS = 200
"""Remarks about one person; what goes beyond is counted."""

LEAST_PREFERRED = 101
"""The order of a number that the file does not prefer; vCard counts from 1 (most wanted) to 100."""

_PILE = re.compile(r"[^\w\s!-~]{32,}")  # where combining marks may be piled up by the thousand
_SPREADSHEET_NUMBER = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)


class ContactDraft:
    """The card of one person while it is being read; `finished` gives the frozen value.

    Every text that is handed in may be hostile: it is cleaned and bounded here and nowhere else.
    """

    def __init__(self, line: int) -> None:
        self.line = line
        self.uid = ""
        self.born_on = ""
        self._names: dict[str, str] = {}
        self._known_as: dict[str, str] = {}
        self._pronouns: dict[str, str] = {}
        self._organisations: dict[str, str] = {}
        self._organisation_names: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._points: dict[tuple[str, str], tuple[int, ContactPoint]] = {}
        self._left_out: dict[str, None] = {}
        self._beyond = 0
        self._perhaps: list[tuple[str, str]] = []

    def short(self, text: str, what: str) -> str:
        """Return `text` cleaned, on one line and at most `LONGEST_VALUE` long; a longer one is remarked on."""
        if len(text) <= LONGEST_VALUE:
            return one_line(_without_piles(text))
        kept = one_line(_without_piles(text[:LONGEST_VALUE]))
        self.leave_out(f"the {what} goes on for {len(text) - LONGEST_VALUE:,} more characters")
        return kept

    def add_name(self, text: str) -> None:
        """Add a whole name; the first is the name of the card, further ones become names they are known by."""
        _add(self._names, self.short(text, "name"))

    def add_known_as(self, text: str) -> None:
        """Add a nickname or another name."""
        _add(self._known_as, self.short(text, "other name"))

    def add_name_parts(self, given: str, middle: str, family: str, prefix: str = "", suffix: str = "") -> None:
        """Add a name that the file keeps in parts, unless the whole name says the same already.

        A title (Mr, Dr) is no part of the name by which somebody is found again; it is remarked on.
        """
        whole = " ".join(part for part in (given, middle, family, suffix) if part.strip())
        self.leave_out_unless_known("title before the name", prefix)
        if not self._names:
            self.add_name(whole)
            return
        first = next(iter(self._names.values()))
        if len(whole) <= LONGEST_VALUE and set(whole.split()) <= set(first.split()):
            return  # the usual case, and quicker than comparing without accents and capitals
        if not set(skeleton(whole[:LONGEST_VALUE]).split()) <= set(skeleton(first).split()):
            self.add_known_as(whole)

    def add_birthday(self, read: DateRead) -> None:
        """Add a date of birth as far as it is certain; another one, and what is uncertain, is remarked on."""
        if not self.born_on:
            self.born_on = read.iso
        elif read.iso and read.iso != self.born_on:
            self.leave_out(f"another birthday: {read.iso}")
        self.leave_out(read.remark)

    def leave_out_date(self, what: str, read: DateRead) -> None:
        """Remark on a date that is no birthday: an anniversary, a date of death."""
        self.leave_out(f"{what} {read.iso}" if read.iso else "")
        self.leave_out(read.remark)

    def add_pronouns(self, text: str) -> None:
        """Add pronouns; the first are kept, others are remarked on."""
        _add(self._pronouns, self.short(text, "pronouns"))

    def add_organisation(self, text: str, unit: str = "") -> None:
        """Add an organisation and the part of it; several are kept one after the other."""
        name = self.short(text, "organisation")
        _add(self._organisation_names, name)
        _add(self._organisations, ", ".join(part for part in (name, self.short(unit, "organisation")) if part))

    def add_role(self, text: str) -> None:
        """Add a job title or role; several are kept one after the other."""
        _add(self._roles, self.short(text, "role"))

    def add_note(self, text: str) -> None:
        """Add a note of any number of lines."""
        if len(text) > LONGEST_NOTE:
            self.leave_out(f"the note goes on for {len(text) - LONGEST_NOTE:,} more characters")
        note = clean(_without_piles(text[:LONGEST_NOTE]))
        _add(self._notes, "\n".join(line.rstrip() for line in note.split("\n")).strip())

    def add_point(self, kind: PointKind, text: str, label: str = "", order: int = LEAST_PREFERRED) -> None:
        """Add a way to reach the person; the same one twice becomes one that carries both labels.

        `order` is the file's preference, 1 first. An e-mail address without an @ is kept as ``other``;
        a number that a spreadsheet has rounded (4.47E+11) is no number any more and is remarked on.
        """
        value = self.short(text, kind)
        label = self.short(label, "label")
        if not value:
            return
        if kind == "email" and not _is_an_address(value):
            kind, label = "other", _joined(("e-mail as written", label))
        if kind in ("phone", "mobile") and _SPREADSHEET_NUMBER.fullmatch(value):
            self.leave_out(f"number as written: {value} (a spreadsheet has rounded it)")
            return
        if label.casefold() == kind:
            label = ""
        point = ContactPoint(kind, value, label)
        before = self._points.get(point.same_as)
        if before is None:
            self._points[point.same_as] = (order, point)
            return
        earlier_order, earlier = before
        known = {word.strip().casefold() for word in earlier.label.split(",")}
        both = _joined((earlier.label, "" if label.casefold() in known else label))
        merged = ContactPoint(kind, earlier.value, both[:LONGEST_VALUE])
        self._points[point.same_as] = (min(order, earlier_order), merged)

    def leave_out(self, words: str) -> None:
        """Remark on something that the file says and the card does not hold."""
        shown = one_line(_without_piles(words[: LONGEST_REMARK * 2]))
        if len(shown) > LONGEST_REMARK:
            shown = shown[: LONGEST_REMARK - 1].rstrip() + "…"
        if not shown or shown in self._left_out:
            return
        if len(self._left_out) < MOST_REMARKS:
            self._left_out[shown] = None
        else:
            self._beyond += 1

    def leave_out_unless_known(self, what: str, value: str) -> None:
        """Remark on `value` at the end, unless all its words are in the name, the addresses or the numbers by then.

        Programs write names and addresses several times over ("file as", "display name", printed labels).
        """
        if value.strip():
            self._perhaps.append((what, _without_piles(value[:LONGEST_VALUE])))

    @property
    def has_address(self) -> bool:
        """Whether a postal address was read."""
        return any(point.kind == "address" for _, point in self._points.values())

    def finished(self) -> ContactCard | None:
        """Return the card, or None where nothing in it can serve as a name.

        Without a name the card is called by nickname, organisation or e-mail address, in this order. Nobody is called by
        a number: where there is nothing else, it says that the name is not known.
        """
        points = self._ordered_points()
        names = [*self._names.values(), *self._known_as.values(), *self._organisation_names.values()]
        names += [point.value for kind in ("email", "mobile", "phone") for point in points if point.kind == kind]
        if not names:
            return None
        name = names[0]
        others = {**self._names, **self._known_as}
        others.pop(name.casefold(), None)
        pronouns = [*self._pronouns.values(), ""]
        for other in pronouns[1:-1]:
            self.leave_out(f"other pronouns: {other}")
        self._settle_what_is_known(points)
        return ContactCard(
            name=name if any(letter.isalpha() for letter in name) else f"Name not known, {name}",
            known_as=tuple(others.values()),
            pronouns=pronouns[0],
            born_on=self.born_on,
            points=points,
            organisation=self.short("; ".join(self._organisations.values()), "organisation"),
            role=self.short("; ".join(self._roles.values()), "role"),
            note="\n\n".join(self._notes.values()),
            uid=self.uid,
            line=self.line,
            left_out=self._remarks(),  # last: what is said above may add to it
        )

    def _ordered_points(self) -> tuple[ContactPoint, ...]:
        """The points as the file orders them, the preferred ones of each sort first."""
        first_seen: dict[str, int] = {}
        for at, (_, point) in enumerate(self._points.values()):
            first_seen.setdefault(_sort_of(point.kind), at)
        ordered = sorted(self._points.values(), key=lambda held: (first_seen[_sort_of(held[1].kind)], held[0]))
        return tuple(point for _, point in ordered)

    def _settle_what_is_known(self, points: Iterable[ContactPoint]) -> None:
        if not self._perhaps:
            return
        names = (*self._names.values(), *self._known_as.values(), *self._organisations.values())
        known = set(skeleton(" ".join(names)).split())
        known |= {word[0] for word in known}  # so that the initials of a name are known
        for point in points:
            known.update(skeleton(point.value).split())
        for what, value in self._perhaps:
            if not set(skeleton(value).split()) <= known:
                self.leave_out(f"{what}: {value}")

    def _remarks(self) -> tuple[str, ...]:
        if self._beyond:
            return (*self._left_out, f"and {self._beyond:,} more things that the card does not hold")
        return tuple(self._left_out)


def _add(kept: dict[str, str], text: str) -> None:
    if text:
        kept.setdefault(text.casefold(), text)


def _is_an_address(value: str) -> bool:
    before, _, after = value.partition("@")
    return bool(before and after) and before[-1] not in " <>" and after[0] not in " <>@"


def _without_piles(text: str) -> str:
    """Take combining marks that nobody can read out of long runs of them.

    Putting such runs into composed form takes time that grows with the square of their length.
    """
    return text if text.isascii() else _PILE.sub(_flattened, text)


def _flattened(pile: re.Match[str]) -> str:
    kept: list[str] = []
    marks = 0
    for character in pile.group():
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _joined(labels: tuple[str, str]) -> str:
    return ", ".join(label for label in labels if label)


def _sort_of(kind: PointKind) -> str:
    return "telephone" if kind in ("phone", "mobile") else kind
