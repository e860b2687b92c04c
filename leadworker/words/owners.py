"""Reads who a *next* line says will do it: `ruth: …`, `… by @Ruth`, `(Ruth)`, `>Ruth`; else it is the writer.

Everything promised has one named owner. `team`, `all` and names that fit nobody are not accepted: the writer
keeps the action and is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import msgspec

from leadworker.text import one_line
from leadworker.words.days import find_days
from leadworker.words.lines import TAKEN, Line, word_set
from leadworker.words.people import Mention, People, find_mentions, name_at


class OwnerFound(msgspec.Struct, frozen=True):
    """Where a line names its owner and whom.

    With a `question` nobody was accepted: the writer keeps the action and is asked it. Without one the owner is
    `person_id`, or the writer when that is empty.
    """

    start: int
    end: int
    person_id: str = ""
    question: str = ""


WHO = "who?"

_ME = frozenset({"me", "i", "myself", "mine", "my action", "i will", "i'll"})
_NOBODY = word_set(
    "team|the team|all|everyone|everybody|we|us|all of us|both|all agencies|agencies|professionals|the network|network"
    "|someone|somebody|anyone|anybody|core group|the core group|staff|workers|tbc|tba",
    "|",
)
_HEADINGS = word_set(
    "urgent nb n.b note todo action actions next important re fyi plan asap priority reminder remember also then first"
    " ring call text ask tell email send check book chase visit write see do get find arrange update complete read say"
    " speak talk discuss bring take make prepare http https question goal aim agenda today tomorrow"
)
_NOBODY_LEADS = re.compile(
    r"^[\s\x00]*((?:the\s+)?team|all(?:\s+agencies|\s+of\s+us)?|everyone|everybody|we|us|professionals|someone|somebody)"
    r"\s+(?:to|will|should|must|need\s+to|needs\s+to|can)\s"
)
_COLON = re.compile(r"^[\s\x00]*(@?[^\x00:@>()]{1,60}?)\s*:(?=\s|$)\s*")
_ARROW = re.compile(r"(?:->|=>|→|>)\s*@?(?=[^\W\d_])")
_BRACKETS = re.compile(r"\(\s*@?([^()\x00]{1,60}?)[\s,]*\)")
_BY = re.compile(r"(?<!\w)by\s+@(?=[^\W\d_])")
_DONE = re.compile(r"(?:\w(?:ed|en)|made|done|sent|held|led|run|paid|kept|found|set|put|told|brought|taught)\s+\Z")
_WILL = re.compile(r"\s+(?:to|will|is\s+to)\s+(?=[^\W\d_])")
_TALKED_TO = _HEADINGS | word_set("with to from for about at and or of by via w meet thank inform see on &")
_WORDS = re.compile(r"[^\W\d_]")
_ANY_DAY = date(2026, 1, 5)
_SEVERAL = re.compile(r"\s*(?:,|&|/|\+|\band\b)\s*")


def find_owner(line: Line, people: People) -> OwnerFound | None:
    """Return the owner that `line` names, or a question about it, or None when it names none."""
    readers = (_by_colon, _by_arrow, _by_brackets, _by_by, _by_nobody, _by_will, _by_end)
    return next((found for read in readers for found in read(line, people)), None)


def _judge(words: str, people: People, start: int, end: int) -> OwnerFound | None:
    """Return what a group of words that stands where an owner stands means; None when it is no owner at all."""
    plain = " ".join(words.split()).strip(" .?@")
    if plain in _ME:
        return OwnerFound(start, end)
    if plain in _NOBODY:
        return OwnerFound(start, end, question=WHO)
    ids = people.called(plain)
    if len(ids) == 1:
        return OwnerFound(start, end, ids[0])
    if ids:
        return OwnerFound(start, end, question=f"which {plain.title()}?")
    parts = [part for part in _SEVERAL.split(plain) if part]
    if len(parts) > 1 and all(part in _ME or part in _NOBODY or people.called(part.lstrip("@")) for part in parts):
        return OwnerFound(start, end, question=WHO)  # one named owner, not two
    return None


def _of_name(mention: Mention, start: int) -> OwnerFound:
    if len(mention.ids) == 1:
        return OwnerFound(start, mention.end, mention.ids[0])
    question = f"which {mention.name}?" if mention.ids else f"who is {mention.name}?"
    return OwnerFound(start, mention.end, question=question)


def _or_this_one(mention: Mention, start: int, people: People) -> OwnerFound:
    """Ask whether the one person who is named there is the owner; the words may well mean something else."""
    name = people.name(mention.ids[0]) if len(mention.ids) == 1 else mention.name
    return OwnerFound(start, mention.end, question=f"or {name}?")


def _by_colon(line: Line, people: People) -> Iterator[OwnerFound]:
    match = _COLON.match(line.open)
    if not match:
        return
    judged = _judge(match[1], people, match.start(1), match.end())
    words = match[1].split()
    if judged:
        yield judged
    elif len(words) <= 2 and words and words[0].lstrip("@").isalpha() and words[0] not in _HEADINGS:
        name = one_line(line.typed[match.start(1) : match.end(1)]).lstrip("@")
        yield OwnerFound(match.start(1), match.end(1), question=f"who is {name}?")


def _by_arrow(line: Line, people: People) -> Iterator[OwnerFound]:
    for match in _ARROW.finditer(line.open):
        mention = name_at(line.typed, line.open, match.end(), people)
        if mention is None:
            continue
        first = line.open[match.end() : mention.end]
        if first in _ME or first in _NOBODY:
            judged = _judge(first, people, match.start(), mention.end)
            if judged:
                yield judged
        else:
            yield _of_name(mention, match.start())


def _by_brackets(line: Line, people: People) -> Iterator[OwnerFound]:
    for match in _BRACKETS.finditer(line.open):
        judged = _judge(match[1].replace("@", ""), people, *match.span())
        if judged:
            yield judged
        elif "@" in match[0] and (mention := name_at(line.typed, line.open, match.start(1), people)):
            yield _of_name(mention, match.start(1))


def _by_by(line: Line, people: People) -> Iterator[OwnerFound]:
    for match in _BY.finditer(line.open):
        mention = name_at(line.typed, line.open, match.end(), people)
        if mention is None or line.open.endswith("'s", match.end(), mention.end):
            continue  # drop by @Ruth's house
        if _DONE.search(line.open, max(0, match.start() - 24), match.start()):
            yield _or_this_one(mention, match.start(), people)  # signed by @Ruth: a signature or a task?
        else:
            yield _of_name(mention, match.start())


def _by_nobody(line: Line, people: People) -> Iterator[OwnerFound]:
    match = _NOBODY_LEADS.match(line.open)
    if match:
        yield OwnerFound(*match.span(1), question=WHO)


def _by_will(line: Line, people: People) -> Iterator[OwnerFound]:
    start = len(line.open) - len(line.open.lstrip(" \x00"))
    at = start + (line.open[start : start + 1] == "@")
    mention = name_at(line.typed, line.open, at, people)
    if mention and len(mention.ids) == 1 and _WILL.match(line.open, mention.end):
        if people.is_colleague(mention.ids[0]):
            ends = _WILL.match(line.open, mention.end)
            yield OwnerFound(start, ends.end() if ends else mention.end, mention.ids[0])
        else:
            yield _or_this_one(mention, start, people)  # Ruth to ring, but also Keira to court


def _by_end(line: Line, people: People) -> Iterator[OwnerFound]:
    """A colleague after all that is to be done is who does it: ring school @Tom. In ring @Tom, or with @Tom, it is somebody to talk to."""
    for mention in find_mentions(line.typed, line.open, people):
        before = line.open[: mention.start].replace(TAKEN, " ").split()
        is_theirs = len(mention.ids) == 1 and people.is_colleague(mention.ids[0]) and not line.open.endswith("'s", 0, mention.end)
        if is_theirs and len(before) > 1 and before[-1] not in _TALKED_TO and not _WORDS.search(_without_days(line.open), mention.end):
            yield _of_name(mention, mention.start)


def _without_days(text: str) -> str:
    """Return `text` with spaces where a day is named; which day that is does not matter here."""
    for day in find_days(text, _ANY_DAY, back=False):
        text = f"{text[: day.start]}{' ' * (day.end - day.start)}{text[day.end :]}"
    return text
