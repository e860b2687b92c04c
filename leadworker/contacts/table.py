"""Reads contact sheets (CSV, with commas, semicolons, tabs or bars) into contact cards, one row a person."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import msgspec

from leadworker.contacts.card import ContactCard, Unread, excerpt
from leadworker.contacts.columns import CALLED_BY, Column, column, program_of
from leadworker.contacts.dates import day_order
from leadworker.contacts.rows import RowReader, says_nothing
from leadworker.errors import NotUnderstood
from leadworker.text import one_line

LARGEST_CELL = 2_000_000
"""Characters in one cell; a quote that is never closed is given up at this length."""

_SEPARATORS = {",": "CSV", ";": "CSV with semicolons", "\t": "CSV with tabs", "|": "CSV with bars"}
_SAYS_SEPARATOR = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)
_NEVER = "\x1f"
_LINES_BEFORE_THE_HEADINGS = 20
_LOOKS_LIKE_DATA = re.compile(r"@|[0-9]{4}")
_QUOTES = "The quotation marks in this row do not pair up, so its cells cannot be told apart."
_NO_NAME = "This row has no name, organisation, e-mail address or telephone number to call anybody by."
_SHOWN_HEADINGS = 8


class _Row(msgspec.Struct):
    line: int  # counted from 0
    cells: list[str]
    sound: bool  # whether its quotation marks pair up


class _Headings(msgspec.Struct):
    line: int
    separator: str
    names: list[str]
    columns: list[Column | None]
    known: int


def read_table(text: str) -> tuple[str, str, list[ContactCard], list[Unread]]:
    """Return the program that wrote the sheet, how its cells are separated, the cards, and what was not read.

    Raises `NotUnderstood` when no row of the beginning holds the names of columns that are known.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    before = csv.field_size_limit(LARGEST_CELL)  # one limit for the whole process, so it is put back
    try:
        headings = _headings(lines)
        cards, unread = _read_rows(lines, headings)
    finally:
        csv.field_size_limit(before)
    return program_of(headings.names), _SEPARATORS.get(headings.separator, "CSV"), cards, unread


def _read_rows(lines: list[str], headings: _Headings) -> tuple[list[ContactCard], list[Unread]]:
    cards: list[ContactCard] = []
    unread: list[Unread] = []
    reader = RowReader(headings.names, headings.columns, day_order(_all_dates(lines, headings)))
    width = len(headings.names)
    doubtful = False  # after a row that fell apart, its pieces may follow
    for row in _rows(lines, headings.line + 1, headings.separator):
        if not any(cell.strip() for cell in row.cells) or row.cells == headings.names:
            continue
        fits = len(row.cells) == width
        if (not row.sound and not fits) or (doubtful and not fits and _looks_like_a_piece(row)):
            doubtful = True
            unread.append(Unread(row.line + 1, _QUOTES, excerpt(lines[row.line])))
            continue
        doubtful = not row.sound
        card = reader.read(row.line + 1, row.cells)
        if card is None and says_nothing(row.cells):
            continue
        if card is None:
            unread.append(Unread(row.line + 1, _NO_NAME, excerpt(lines[row.line])))
        else:
            cards.append(card)
    return cards, unread


def _looks_like_a_piece(row: _Row) -> bool:
    return len(row.cells) == 1 or any('"' in cell for cell in row.cells)


def _all_dates(lines: list[str], headings: _Headings) -> list[str]:
    """All dates of the sheet, because each may show which way round the others are written."""
    places = [at for at, one in enumerate(headings.columns) if one is not None and one.what in ("born", "anniversary")]
    if not places:
        return []
    rows = _rows(lines, headings.line + 1, headings.separator)
    return [row.cells[at][:60] for row in rows for at in places if at < len(row.cells)]


def _rows(lines: list[str], start: int, separator: str) -> Iterator[_Row]:
    """Yield the rows; where quotation marks do not pair up, one line is taken apart leniently and reading goes on.

    The strict reader stops at a quote that opens inside a quoted cell, so a quote that is never closed costs one
    row and not the rest of the file.
    """
    at = start
    while at < len(lines):
        base, first = at, at
        reader = csv.reader((lines[n] + "\n" for n in range(base, len(lines))), delimiter=separator, strict=True)
        try:
            for cells in reader:
                yield _Row(first, cells, True)
                first = base + reader.line_num
            return
        except csv.Error:
            yield _Row(first, _taken_apart(lines[first], separator), False)
            at = first + 1


def _taken_apart(line: str, separator: str) -> list[str]:
    """Split one line whose quotes do not pair up: a quote closes a cell only where the cell ends there."""
    closing = re.compile(rf'"[ ]*(?:{re.escape(separator)}|\Z)')
    cells: list[str] = []
    at = 0
    closable = True
    while True:
        if closable and line.startswith('"', at):
            match = closing.search(line, at + 1)
            if match:
                cells.append(line[at + 1 : match.start()].replace('""', '"'))
                if not match.group().endswith(separator):
                    return cells
                at = match.end()
                continue
            closable = False  # nothing further on closes either: one search is enough
        end = line.find(separator, at)
        cells.append(line[at : end if end >= 0 else len(line)].strip('"'))
        if end < 0:
            return cells
        at = end + 1


def _headings(lines: list[str]) -> _Headings:
    """Find the row that holds the names of the columns, and the separator with which most of them are known."""
    start, separators = 0, list(_SEPARATORS)
    match = _SAYS_SEPARATOR.fullmatch(lines[0][:20])
    if match:
        start, separators = 1, [match[1]]
    best: _Headings | None = None
    looked_at = [at for at in range(start, min(len(lines), start + 200)) if lines[at].strip()]
    for at in looked_at[:_LINES_BEFORE_THE_HEADINGS]:
        for separator in separators:
            row = next(_rows(lines, at, separator), None)
            if row is None:
                continue
            columns = [column(cell) for cell in row.cells]
            known = sum(1 for one in columns if one is not None)
            if any(one is not None and one.what in CALLED_BY for one in columns):
                last = at + sum(cell.count("\n") for cell in row.cells)
                cut_at = separator if len(columns) > 1 else _NEVER  # "Okafor, Grace" in a sheet of one column
                found = _Headings(last, cut_at, row.cells, columns, known)
                if best is None or known > best.known:
                    best = found
    if best is None:
        raise NotUnderstood(_unknown_columns(lines, looked_at, separators))
    return best


def _unknown_columns(lines: list[str], looked_at: list[int], separators: list[str]) -> str:
    needed = (
        "A contact sheet needs a row of headings with a column called Name, or First Name and Last Name; it may have "
        "Mobile, Phone, Email, Address, Date of birth, Known as, Pronouns, Organisation, Role and Notes."
    )
    if not looked_at:
        return f"This file is empty. {needed} Nothing was imported."
    at = looked_at[0]
    rows = [next(_rows(lines, at, separator), None) for separator in separators]
    cells = max((row.cells for row in rows if row is not None), key=len, default=[])
    shown = [one_line(cell[:200])[:30] for cell in cells if cell.strip()]
    if any(_LOOKS_LIKE_DATA.search(cell) for cell in cells) or not shown:  # somebody's data is not to be repeated
        return f"The first row of this file holds no names of columns that are known here. {needed} Nothing was imported."
    listed = ", ".join(f"“{cell}”" for cell in shown[:_SHOWN_HEADINGS])
    more = f" and {len(shown) - _SHOWN_HEADINGS} more" if len(shown) > _SHOWN_HEADINGS else ""
    return f"The columns of this file are not known here: {listed}{more}. {needed} Nothing was imported."
