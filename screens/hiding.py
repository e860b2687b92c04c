"""The part of the program that hides the screen with one key and shows it again, whatever is under way meanwhile."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

from screens.base import Kind, Shell
from screens.hide import HideScreen
from screens.turns import KeysInTurn


class MayHide(KeysInTurn, Shell):
    """A program that can be hidden.

    What is under way goes on under the hidden screen, but nothing comes over it and nothing takes it away but the person:
    whatever opens or closes pages after it had to wait for something asks `shown` first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._hidden = False
        self._held: list[tuple[str, Kind, float]] = []
        self._in_view = asyncio.Event()
        self._in_view.set()

    async def shown(self) -> None:
        """Wait until the screen is not hidden."""
        await self._in_view.wait()

    def say(self, sentence: str, kind: Kind = "information", seconds: float = 6) -> None:
        """Show a sentence for some seconds; while the screen is hidden it waits."""
        if self._hidden:
            self._held.append((sentence, kind, seconds))
        else:
            super().say(sentence, kind, seconds)

    def action_hide(self) -> None:
        """Hide the screen at once. Doing it again shows nothing."""
        if not self._hidden:
            self._hidden = True
            self._in_view.clear()
            self.set_keys_aside()
            self.clear_notifications()
            self.push_screen(HideScreen())

    def come_back(self) -> None:
        """Show again what was hidden."""
        if self._hidden and isinstance(self.screen, HideScreen):
            self._hidden = False
            self.touch()
            self.pop_screen()
            self._in_view.set()
            self.bring_keys_back()
            held, self._held = self._held, []
            for sentence, kind, seconds in held:
                self.say(sentence, kind, seconds)

    def is_busy(self) -> bool:
        """Say whether keys have to wait; what waits for the screen to be shown holds up no key that shows it."""
        return not self._hidden and super().is_busy()

    @abstractmethod
    def touch(self) -> None:
        """Note that somebody is there."""
