"""The part of the program that ends: it keeps what was typed, closes the vault, and leaves nothing on the screen behind it.

While somebody sits before it, words that cannot be kept keep it open: they are on this screen alone. Nobody sits before a terminal
that is gone, so there it tries for some seconds and then ends; what was typed up to two seconds before is a draft in the vault.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from textual.worker import WorkerError

from leadworker.errors import LeadworkerError
from screens import hangup
from screens.base import WRITING, Ending, How, Page
from screens.hide import HideScreen
from screens.hiding import MayHide

if TYPE_CHECKING:
    from leadworker.desk import Desk

TRIES = 5
"""How often it tries to keep what was typed once nobody is there, a second apart."""


class MayLeave(MayHide):
    """A program that can lock and leave."""

    def __init__(self) -> None:
        super().__init__()
        self._stops: list[Callable[[], None]] = []
        self._ending = False

    async def action_leave(self) -> None:
        """Lock and leave."""
        self._end(Ending(How.LEFT))

    def lock(self, greeting: str) -> None:
        """Lock now; the unlock screen then says `greeting`."""
        self._end(Ending(How.LOCKED, greeting))

    def listen_for_the_end(self, loop: asyncio.AbstractEventLoop) -> None:
        """Leave when the laptop is shut down, and when the window is closed."""
        deeds = {"SIGTERM": lambda: self._end(Ending(How.LEFT)), "SIGHUP": self._hung_up}
        for name, deed in deeds.items():
            # Windows has no such signals; in a thread other than the main one, as in tests, nobody may listen for them.
            with suppress(NotImplementedError, AttributeError, ValueError, RuntimeError):
                loop.add_signal_handler(getattr(signal, name), deed)

    def _hung_up(self) -> None:
        hangup.note()
        self.end_without_a_terminal()

    def end_without_a_terminal(self) -> None:
        """Leave if the terminal is gone, also when it went while something else was under way."""
        if hangup.is_gone():
            self._end(Ending(How.LEFT))

    def _end(self, ending: Ending) -> None:
        if not self._ending:
            self._ending = True
            self.run_worker(self._tear_down(ending), group="end")

    async def _tear_down(self, ending: Ending) -> None:
        self.type_what_was_set_aside()
        if not await self.keep_all() and not await self._tried_without_a_terminal():
            self._ending = False
            if ending.how is How.LOCKED:  # the words are only on this screen: cover them, and try again
                self.action_hide()
            return
        await self._finish_writing()
        desk, self.open_desk = self.open_desk or self.made_desk, None
        for screen in self.screen_stack:
            self.workers.cancel_node(screen)  # they only read
        for stop in self._stops:
            stop()
        self._stops = []
        self.clear_notifications()
        self._hidden = True
        self._in_view.clear()
        await self.push_screen(HideScreen())  # so that the terminal keeps no picture of the page
        self.call_after_refresh(self._away, desk, ending)

    async def _tried_without_a_terminal(self) -> bool:
        """Return whether to end although something could not be kept: nobody is there, and it was tried again and again."""
        for _ in range(TRIES):
            if not hangup.is_gone():
                return False
            await asyncio.sleep(1)
            if await self.keep_all():
                return True
        return True

    async def _finish_writing(self) -> None:
        writing = [worker for worker in self.workers if worker.group == WRITING and not worker.is_finished]
        for worker in writing:
            with suppress(WorkerError):
                await worker.wait()

    async def _away(self, desk: Desk | None, ending: Ending) -> None:
        if desk is not None:
            await desk.close()
        self.exit(ending)

    async def keep_all(self) -> bool:
        """Keep what was typed on every page; say what stood in the way if it could not be kept."""
        try:
            pages = [screen for screen in reversed(self.screen_stack) if isinstance(screen, Page)]
            for page in pages:
                await page.keep()
            while unkept := next((page for page in pages if page.is_unkept()), None):  # typed meanwhile
                await unkept.keep()
        except LeadworkerError as error:
            self.say(error.sentence, "error", 30)
            return False
        return True
