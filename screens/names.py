"""Finding people as their names are typed: beginnings of the words of a name or nickname, in order, however accented."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from leadworker.text import begins, skeleton

Person = TypeVar("Person")


class Names(Generic[Person]):
    """People by what they are called. Folding thousands of names takes a moment, so it is done once, when first asked."""

    def __init__(self, people: Iterable[tuple[Person, Iterable[str]]] = ()) -> None:
        """`people`: each with every name that they go by, in the order in which they are to be found."""
        self._people = list(people)
        self._folded: list[tuple[Person, tuple[list[str], ...]]] | None = None

    def __len__(self) -> int:
        return len(self._people)

    def fold(self) -> None:
        """Fold every name now; fit to be done in a thread."""
        if self._folded is None:
            self._folded = [(person, tuple(skeleton(name).split() for name in names)) for person, names in self._people]

    def fitting(self, typed: str, limit: int = 0) -> list[Person]:
        """Return those whose names begin like the words of `typed`; at most `limit` of them, 0 for all."""
        self.fold()
        wanted = skeleton(typed).split()
        found: list[Person] = []
        for person, names in self._folded or ():
            if any(begins(words, wanted) for words in names):
                found.append(person)
                if len(found) == limit:
                    break
        return found

    def called(self, typed: str) -> bool:
        """Say whether `typed` is the whole of a name."""
        self.fold()
        wanted = skeleton(typed).split()
        return any(words == wanted for _, names in self._folded or () for words in names)
