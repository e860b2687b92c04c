"""Finds the people whom a line names with `@`, among those the writer knows; nobody is guessed.

A name that fits nobody stays unknown and a name that fits two stays open: a note in the wrong person's
record does more harm than a question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from leadworker.text import one_line, skeleton


class Known(msgspec.Struct, frozen=True):
    """Somebody a line may name: their id, their name as shown, and what else they are known as."""

    id: str
    name: str
    known_as: tuple[str, ...] = ()


class Mention(msgspec.Struct, frozen=True):
    """A name with `@` in a line, from the `@` to the end of the name; `ids` are all whom it fits."""

    start: int
    end: int
    name: str
    ids: tuple[str, ...]


_MOST_NAME_PARTS = 5
_LETTERS = r"[^\s\x00@#,;:!?()\[\]{}\"“”<>|/\\+&=*_]"
_MENTION = re.compile(rf"(?<![\w.@])@((?=[^\W\d_]){_LETTERS}+(?:[ ](?=[^\W\d_]){_LETTERS}+){{0,3}})")
_TRAILING = ".'-–—…"


class People:
    """The known people by every run of words of their names and of what they are known as."""

    __slots__ = ("_by_words", "_names")

    def __init__(self, people: Sequence[Known]) -> None:
        self._names: dict[str, str] = {}
        self._by_words: dict[str, dict[str, None]] = {}
        for person in people:
            self._names.setdefault(person.id, one_line(person.name))
            for name in (person.name, *person.known_as):
                parts = skeleton(name).split()[:_MOST_NAME_PARTS]
                for first in range(len(parts)):
                    for end in range(first + 1, len(parts) + 1):
                        self._by_words.setdefault(" ".join(parts[first:end]), {})[person.id] = None
                if len(parts) > 2:
                    self._by_words.setdefault(f"{parts[0]} {parts[-1]}", {})[person.id] = None

    def called(self, words: str) -> tuple[str, ...]:
        """Return the ids of everyone whom these words name: a whole name, a part of it, a known-as."""
        return tuple(self._by_words.get(skeleton(words), ()))

    def name(self, person_id: str) -> str:
        """Return the name of that person as it is shown, or nothing for an id that is not known."""
        return self._names.get(person_id, "")


_last: tuple[tuple[Known, ...], People] = ((), People(()))


def people_among(known: Sequence[Known]) -> People:
    """Return the index of `known`; while the same people are given again, as at each key, it is built once."""
    global _last
    given = known if isinstance(known, tuple) else tuple(known)
    kept, people = _last
    if kept is not given and kept != given:
        people = People(given)
        _last = (given, people)
    return people


def find_mentions(typed: str, text: str, people: People) -> list[Mention]:
    """Return every `@Name` in a line, `text` being `typed` in lower case at the same length.

    The longest run of words that names anyone is taken (`@Sam Patel home` is Sam Patel), else one word.
    """
    found: list[Mention] = []
    for match in _MENTION.finditer(text) if "@" in text else ():
        words = match[1].split(" ")
        for count in range(len(words), 0, -1):
            said = " ".join(words[:count])
            end, ids = _fit(said, people)
            if ids or count == 1:
                start = match.start(1)
                name = one_line(typed[start : start + end])
                taken_end = start + (len(said) if said[end:] in ("'s", "s'") else end)
                if name:
                    found.append(Mention(match.start(), taken_end, name, ids))
                break
    return found


def _fit(said: str, people: People) -> tuple[int, tuple[str, ...]]:
    """Return how many letters of `said` are the name, and whom it fits."""
    plain = said.rstrip(_TRAILING)
    ids = people.called(plain)
    if not ids and plain.endswith("'s"):
        plain = plain[:-2]
        ids = people.called(plain)
    return len(plain), ids
