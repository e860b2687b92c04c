"""Casebooks that one sync leaves out because something about them alone is wrong: the others go on, and a person is told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from leadworker.errors import HubMistrusted, Refused
from leadworker.postbox import Postbox
from sync.readers import NotTaken


class LeftOut:
    """What one sync leaves out. `books` are their ids, `alarms` the sentences for a person, in the order in which they came."""

    def __init__(self, box: Postbox) -> None:
        self._box = box
        self.books: set[bytes] = set()
        self.alarms: list[str] = []

    def __contains__(self, book: bytes) -> bool:
        return book in self.books

    async def leave(self, book: bytes, sentence: str) -> None:
        """Leave a book out of this sync and note why; the next one tries it again."""
        self.books.add(book)
        self.alarms.append(sentence)
        await self._box.trouble(book, sentence)

    @contextlib.asynccontextmanager
    async def if_wrong(self, book: bytes) -> AsyncIterator[None]:
        """Leave a book out, in words, when something about it alone is wrong."""
        try:
            yield
        except (HubMistrusted, Refused) as error:
            if isinstance(error, Refused) and error.code != "not_a_member":
                raise
            await self.leave(book, error.sentence)
        except NotTaken as error:
            await self.leave(book, str(error))
