"""The part of the program that hides the screen with one key and shows it again, whatever is under way meanwhile.

What is under way goes on under the hidden screen. But nothing comes over it and nothing takes it away but the person:
a page that would be opened or closed meanwhile is opened or closed when the screen is shown again.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from textual import events
from textual.await_complete import AwaitComplete
from textual.screen import Screen

from screens.base import LEAVING, Kind, Shell
from screens.hide import HideScreen
from screens.turns import KeysInTurn


class MayHide(KeysInTurn, Shell):
    """A program that can be hidden."""

    def __init__(self) -> None:
        super().__init__()
        self._hidden = False
        self._asked_back = False
        self._held: list[tuple[str, Kind, float]] = []
        self._in_view = asyncio.Event()
        self._in_view.set()

    async def shown(self) -> None:
        """Wait until the screen is not hidden."""
        await self._in_view.wait()

    async def on_event(self, event: events.Event) -> None:
        """Note whether Enter was pressed after the screen was hidden: one that was still on its way uncovers nothing."""
        if isinstance(event, events.Key) and not event.is_forwarded and self._hidden:
            self._asked_back = event.key == "enter"
        await super().on_event(event)

    def say(self, sentence: str, kind: Kind = "information", seconds: float = 6) -> None:
        """Show a sentence for some seconds; while the screen is hidden it waits."""
        if not self._hidden:
            super().say(sentence, kind, seconds)
        elif (sentence, kind, seconds) not in self._held:
            self._held.append((sentence, kind, seconds))

    def action_hide(self) -> None:
        """Hide the screen at once. Doing it again shows nothing."""
        if not self._hidden:
            self._hidden = True
            self._asked_back = False
            self._in_view.clear()
            self.set_keys_aside()
            self.clear_notifications()
            self.push_screen(HideScreen())

    def come_back(self) -> None:
        """Show again what was hidden."""
        if self._hidden and self._asked_back and isinstance(self.screen, HideScreen):
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

    # what the library opens and closes pages with

    def push_screen(self, screen: Any, *args: Any, **kwargs: Any) -> Any:
        """Open a page; while the screen is hidden, when it is shown again."""
        if self._hidden and not isinstance(screen, HideScreen):
            return self._when_shown(lambda: self.push_screen(screen, *args, **kwargs))
        return super().push_screen(screen, *args, **kwargs)

    def pop_screen(self) -> AwaitComplete:
        """Close the topmost page; while the screen is hidden, when it is shown again."""
        if self._hidden:
            return self._when_shown(self.pop_screen)
        self._stop_asking()
        return super().pop_screen()

    def switch_screen(self, screen: Screen[Any] | str) -> AwaitComplete:
        """Put a page in place of the topmost; while the screen is hidden, when it is shown again."""
        if self._hidden:
            return self._when_shown(lambda: self.switch_screen(screen))
        self._stop_asking()
        return super().switch_screen(screen)

    def _stop_asking(self) -> None:
        """Stop what the page that goes has under way, before its widgets go: an answer would find nothing to show itself on."""
        for worker in self.workers:
            if worker.node is self.screen and worker.group != LEAVING:
                worker.cancel()

    def _when_shown(self, deed: Callable[[], object]) -> AwaitComplete:
        async def later() -> None:
            await self.shown()
            deed()

        self.run_worker(later(), group="shown")
        return AwaitComplete()

    def type_what_was_set_aside(self) -> None:
        """Give the hidden page the words that were typed for it, before it is kept and the program locks."""
        from screens.fields import LineField
        from screens.text_field import TextField

        page = self.page
        for event in self.take_keys_aside() if page is not None else ():
            field = page.focused if page is not None else None
            words = event.text if isinstance(event, events.Paste) else event.character if event.is_printable else None
            if words and isinstance(field, TextField):
                field.insert(words)
            elif words and isinstance(field, LineField):
                field.insert_text_at_cursor(words)
            elif page is not None and isinstance(event, events.Key) and event.key == "tab":
                page.focus_next()
            else:
                break

    @abstractmethod
    def touch(self) -> None:
        """Note that somebody is there."""
