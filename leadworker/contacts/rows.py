"""Reads one row of a contact sheet into a card."""

from __future__ import annotations

import re
from typing import cast

from leadworker.contacts.card import ContactCard, PointKind
from leadworker.contacts.columns import Column, google_slot
from leadworker.contacts.dates import DayOrder, read_date
from leadworker.contacts.gathering import LEAST_PREFERRED, ContactDraft
from leadworker.text import skeleton

_SEVERAL = " ::: "  # what Google writes between several values in one cell
_BETWEEN_ADDRESSES = re.compile(r"[\s;,]+|:::")
_TITLES = {
    "mr", "mrs", "ms", "miss", "mx", "dr", "doctor", "prof", "professor", "rev", "reverend", "sir", "dame", "lady",
    "lord", "fr", "sr", "br", "pastor", "imam", "rabbi", "cllr", "councillor", "master",
}  # fmt: skip
_FORMAL = {"normal", "false", "unspecified", "smtp", "ex", "0"}
"""What Outlook fills in where nobody wrote anything."""

_GOOGLE_LABELS = {
    "home", "work", "other", "main", "mobile", "home fax", "work fax", "pager", "profile", "blog", "home page",
}  # fmt: skip
_GOOGLE_FIRST = "* "  # stands before the label that Google prefers, and before its own groups


def says_nothing(cells: list[str]) -> bool:
    """Whether a row holds nothing but what Outlook fills in where nobody wrote anything."""
    return all(cell.strip().casefold() in _FORMAL or not cell.strip(" 0/.-") for cell in cells)


class RowReader:
    """Reads the rows of one sheet. `headings` and `columns` run side by side; a heading may be of no known column."""

    def __init__(self, headings: list[str], columns: list[Column | None], order: DayOrder) -> None:
        self._headings = headings
        self._columns = columns
        self._order = order
        self._has_job_title = any(one is not None and one.what == "role" for one in columns)

    def read(self, line: int, cells: list[str]) -> ContactCard | None:
        """Return the card of one row, or None where nobody in it can be called anything. Never raises."""
        return _OneRow(self._order, self._has_job_title).read(line, cells, self._headings, self._columns)


class _OneRow:
    """One row while it is being read."""

    def __init__(self, order: DayOrder, has_job_title: bool) -> None:
        self._order = order
        self._has_job_title = has_job_title
        self._parts: dict[str, str] = {}
        self._addresses: dict[str, dict[int, list[str]]] = {}
        self._google: dict[tuple[str, int], dict[str, str]] = {}

    def read(self, line: int, cells: list[str], headings: list[str], columns: list[Column | None]) -> ContactCard | None:
        draft = ContactDraft(line)
        later: list[tuple[str, Column, str]] = []
        for at, cell in enumerate(cells):
            if not cell or not (value := cell.strip()):
                continue
            if at >= len(columns):
                draft.leave_out(f"beyond the last column: {value}")
                continue
            known = columns[at]
            if known is None:
                draft.leave_out(f"{headings[at].strip() or f'column {at + 1}'}: {value}")
            elif known.what.startswith("google:"):
                self._google.setdefault((known.what[7:], known.slot), {})[known.label] = value
            elif known.what == "address":
                self._addresses.setdefault(known.label, {}).setdefault(known.slot, []).append(_on_one_line(value))
            elif known.what in _NAME_PARTS:
                self._parts[known.what] = f"{self._parts[known.what]} {value}" if known.what in self._parts else value
            else:
                later.append((headings[at], known, value))
        self._put_name(draft)
        for heading, known, value in later:
            self._put(draft, heading, known, value)
        self._put_birth_parts(draft)
        for place, slots in self._addresses.items():
            draft.add_point("address", ", ".join(part for slot in sorted(slots) for part in slots[slot]), place)
        for (family, number), fields in self._google.items():
            self._put_google(draft, family, number, fields)
        return draft.finished()

    def _put_name(self, draft: ContactDraft) -> None:
        parts = self._parts
        title = parts.get("title", "")
        prefix = parts.get("prefix", "")
        if title and (self._has_job_title or skeleton(title[:40]) in _TITLES):
            prefix = prefix or title
        elif title:
            draft.add_role(title)
        given, middle, family = parts.get("first", ""), parts.get("middle", ""), parts.get("last", "")
        if "name" in parts:
            draft.add_name(parts["name"])
        elif not (given or middle or family) and "file as" in parts:
            draft.add_name(parts["file as"])
        if given or middle or family or prefix:
            draft.add_name_parts(given, middle, family, prefix, parts.get("suffix", ""))
        draft.leave_out_unless_known("filed as", parts.get("file as", ""))
        draft.add_organisation(parts.get("company", ""), parts.get("department", ""))

    def _put(self, draft: ContactDraft, heading: str, known: Column, value: str) -> None:
        what = known.what
        if what in ("email", "phone", "mobile", "other", "web"):
            for one in _several(value) if what != "email" or value.count("@") < 2 else _BETWEEN_ADDRESSES.split(value):
                draft.add_point(cast(PointKind, what), one, known.label)
        elif what == "nickname":
            for one in _several(value):
                draft.add_known_as(one)
        elif what == "pronouns":
            draft.add_pronouns(value)
        elif what == "born":
            self._put_born(draft, value)
        elif what == "anniversary":
            draft.leave_out_date(what, read_date(value, self._order, what))
        elif what == "role":
            draft.add_role(value)
        elif what == "note":
            draft.add_note(value)
        elif what == "uid":
            draft.uid = draft.short(value, "id")
        elif what == "category":
            for one in value.replace(_SEVERAL, ";").split(";"):
                draft.leave_out(f"category: {one.strip().removeprefix(_GOOGLE_FIRST)}" if one.strip() else "")
        elif what == "photo":
            draft.leave_out(f"a photo kept at {value}")
        elif what == "related":
            draft.leave_out(f"related person: {value[:150]} ({known.label})")
        elif what == "display":
            draft.leave_out_unless_known(heading.strip(), value)
        elif value.casefold() not in _FORMAL:
            draft.leave_out(f"{heading.strip()}: {value}")

    def _put_born(self, draft: ContactDraft, value: str) -> None:
        draft.add_birthday(read_date(value, self._order))

    def _put_birth_parts(self, draft: ContactDraft) -> None:
        """Thunderbird keeps year, month and day in three columns."""
        year, month, day = (self._parts.get(f"birth {part}", "") for part in ("year", "month", "day"))
        if not (year or month or day):
            return
        written = "-".join(part.rjust(2, "0") for part in (year or "-", month, day) if part)
        self._put_born(draft, written)

    def _put_google(self, draft: ContactDraft, family: str, number: int, fields: dict[str, str]) -> None:
        label = fields.get("label", "")
        order = 1 if label.startswith("*") else LEAST_PREFERRED
        label = label.removeprefix("*").strip()
        values = _several(fields.get("value", ""))
        if family == "address":
            _put_google_address(draft, fields, label, order)
        elif family == "organization":
            draft.add_organisation(fields.get("name", ""), fields.get("department", ""))
            draft.add_role(fields.get("title", ""))
            for key in ("location", "job description", "symbol", "yomi name"):
                draft.leave_out(f"{key}: {fields[key]}" if key in fields else "")
        for value in values:
            if family == "phone":
                _put_google_phone(draft, value, label, order)
            elif family == "e mail":
                draft.add_point("email", value, _own_or_plain(label), order)
            elif family == "website":
                draft.add_point("web", value, _own_or_plain(label), order)
            elif family == "im":
                draft.add_point("other", value, fields.get("service", "") or label or "chat", order)
            elif family == "relation":
                draft.leave_out(f"related person: {value[:150]}" + (f" ({label})" if label else ""))
            elif family == "event":
                event = label.lower() or "another date"
                draft.leave_out_date(event, read_date(value, self._order, event))
            elif family == "custom field":
                draft.leave_out(f"{label or f'custom field {number}'}: {value}")


_NAME_PARTS = {
    "name", "file as", "first", "middle", "last", "prefix", "title", "suffix", "company", "department",
    "birth year", "birth month", "birth day",
}  # fmt: skip


def _put_google_phone(draft: ContactDraft, value: str, label: str, order: int) -> None:
    lower = label.lower()
    kind: PointKind = "mobile" if "mobile" in lower or lower in ("cell", "iphone") else "phone"
    if "fax" in lower or "pager" in lower:
        kind = "other"
    draft.add_point(kind, value, _own_or_plain(label), order)


def _put_google_address(draft: ContactDraft, fields: dict[str, str], label: str, order: int) -> None:
    """Google writes an address twice, in parts and as a whole; the one that says more is kept."""
    slots = sorted((slot, value) for part, value in fields.items() if (slot := google_slot(part)) is not None)
    parts = ", ".join(_on_one_line(value) for _, value in slots if _SEVERAL not in value)
    wholes = [_on_one_line(value) for value in _several(fields.get("formatted", ""))]
    said = set(skeleton(" ".join(wholes)[:2_000]).split())
    if parts and not (wholes and set(skeleton(parts[:2_000]).split()) <= said):
        draft.add_point("address", parts, _own_or_plain(label), order)
        for whole in wholes:
            draft.leave_out_unless_known("address as printed", whole)
    else:
        for whole in wholes:
            draft.add_point("address", whole, _own_or_plain(label), order)


def _own_or_plain(label: str) -> str:
    """Google's own labels in small letters, as vCards have them; a label that a person made as they wrote it."""
    lower = label.lower()
    return lower if lower in _GOOGLE_LABELS else label


def _several(value: str) -> list[str]:
    return [one.strip() for one in value.split(_SEVERAL) if one.strip()] if _SEVERAL in value else [value] if value else []


def _on_one_line(value: str) -> str:
    return ", ".join(piece for line in value.split("\n") if (piece := line.strip(" ,\t")))
