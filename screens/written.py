"""A page into which somebody writes: it is left only once what was written is durable, and then by itself."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable

from screens.base import Page


class WrittenPage(Page):
    """A note or a form. While it is being saved nothing else is done with it, and it is never saved twice."""

    def __init__(self) -> None:
        super().__init__()
        self._settled = asyncio.Event()
        self._settled.set()
        self._done = False

    @property
    def is_open(self) -> bool:
        """Return whether it is still being written: not saved, and not being saved."""
        return self._settled.is_set() and not self._done

    async def settled(self) -> None:
        """Wait while it is being saved: until then it is not known whether there is anything left to keep."""
        await self._settled.wait()

    def save_and_go(self, save: Callable[[], Awaitable[None]]) -> None:
        """Run `save`, which sets `_done` once all is durable and says what stood in the way otherwise; then go."""
        if self.is_open:
            self._settled.clear()
            self.shell.write(self._save_and_go(save))

    async def _save_and_go(self, save: Callable[[], Awaitable[None]]) -> None:
        try:
            await save()
        finally:
            self._settled.set()
        self.go_when_done()

    def on_screen_resume(self) -> None:
        """What was saved while the screen was hidden goes when it is shown again."""
        self.go_when_done()

    def go_when_done(self) -> None:
        """Go, if everything is durable and nothing lies over this page."""
        if self._done and self.is_on_top:
            self.app.pop_screen()
            self.gone()

    @abstractmethod
    def gone(self) -> None:
        """Say how it went, now that the page before is on top."""
