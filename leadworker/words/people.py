"""Finds the people whom a line names with `@`, among those the writer knows; nobody is guessed.

A name that fits nobody stays unknown and a name that fits two stays open: a note in the wrong person's
record does more harm than a question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from leadworker.text import one_line, skeleton
from leadworker.words.lines import Chip, chip


class Known(msgspec.Struct, frozen=True):
    """Somebody a line may name: their id, their name as shown, and what else they are known as.

    `colleague`: somebody of the organisation, who owns actions and is no record of their own.
    """

    id: str
    name: str
    known_as: tuple[str, ...] = ()
    colleague: bool = False


class Mention(msgspec.Struct, frozen=True):
    """A name with `@` in a line, from the `@` to the end of the name; `ids` are all whom it fits."""

    start: int
    end: int
    name: str
    ids: tuple[str, ...]


_MOST_NAME_PARTS = 5
_LETTERS = r"[^\s\x00@#,;:!?()\[\]{}\"“”<>|/\\+&=*_]"
_AT = re.compile(r"(?<![\w.@])@(?=[^\W\d_])")
_NAME = re.compile(rf"(?=[^\W\d_]){_LETTERS}+(?:[ ](?=[^\W\d_]){_LETTERS}+){{0,3}}")
_TRAILING = ".'-–—…"


class People:
    """The known people by every run of words of their names and of what they are known as."""

    __slots__ = ("_by_words", "_colleagues", "_names")

    def __init__(self, people: Sequence[Known]) -> None:
        self._names: dict[str, str] = {}
        self._colleagues = frozenset(person.id for person in people if person.colleague)
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

    def is_colleague(self, person_id: str) -> bool:
        """Return whether that is somebody of the organisation."""
        return person_id in self._colleagues

    def name(self, person_id: str) -> str:
        """Return the name of that person as it is shown, or nothing for an id that is not known."""
        return self._names.get(person_id, "")


_last: list[tuple[tuple[Known, ...], People]] = []  # of the key before this one: whom a first line and whom an action may name


def people_among(known: Sequence[Known]) -> People:
    """Return the index of `known`; while the same people are given again, as at each key, it is built once."""
    given = known if isinstance(known, tuple) else tuple(known)
    for kept, people in _last:
        if kept is given or kept == given:
            return people
    _last[:] = [(given, People(given)), *_last[:1]]
    return _last[0][1]


def find_mentions(typed: str, text: str, people: People) -> list[Mention]:
    """Return every `@Name` in a line, `text` being `typed` in lower case at the same length."""
    found: list[Mention] = []
    for match in _AT.finditer(text) if "@" in text else ():
        mention = name_at(typed, text, match.end(), people)
        if mention:
            found.append(msgspec.structs.replace(mention, start=match.start()))
    return found


def name_at(typed: str, text: str, at: int, people: People) -> Mention | None:
    """Return the name that begins at `at`, or None where no word begins.

    The longest run of words that names anyone is taken (`Sam Patel home` is Sam Patel), else one word that names
    nobody. A possessive ending belongs to the mention but not to the name.
    """
    match = _NAME.match(text, at)
    if not match:
        return None
    words = match[0].split(" ")
    for count in range(len(words), 0, -1):
        said = " ".join(words[:count])
        length, ids = _fit(said, people)
        if ids or count == 1:
            break
    name = one_line(typed[at : at + length])
    end = at + (len(said) if said[length:] == "'s" else length)
    return Mention(at, end, name, ids) if name else None


def _fit(said: str, people: People) -> tuple[int, tuple[str, ...]]:
    """Return how many letters of `said` are the name, and whom it fits."""
    plain = said.rstrip(_TRAILING)
    ids = people.called(plain)
    if not ids and plain.endswith("'s"):
        plain = plain[:-2]
        ids = people.called(plain)
    return len(plain), ids


def unknown_names(mentions: Sequence[Mention]) -> tuple[str, ...]:
    """Return the names with `@` that fit nobody, each once."""
    return tuple(dict.fromkeys(mention.name for mention in mentions if not mention.ids))


def ambiguous_names(mentions: Sequence[Mention]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the names with `@` that fit several people, each once with their ids."""
    return tuple(dict.fromkeys((mention.name, mention.ids) for mention in mentions if len(mention.ids) > 1))


def person_chips(ids: Sequence[str], mentions: Sequence[Mention], known: People) -> list[Chip]:
    """Return a chip for each person, and a question for each name that fits nobody or several."""
    chips = [chip(known.name(person_id), True, "person") for person_id in ids if known.name(person_id)]
    chips += [chip(f"which {name}?", False, "what?") for name, _ in ambiguous_names(mentions)]
    chips += [chip(f"who is {name}?", False, "what?") for name in unknown_names(mentions)]
    return chips
