"""Keys one after another: a key is acted on before the next one is looked at, however fast they come.

The library hands every key of a burst to the widget that has the focus at that moment, and acts on Tab, Enter or Esc
only later; what was typed after a Tab then stands in the field before it. Here such a key waits until the letters
before it have been taken in, and the keys after it wait until it has done its work. Letters never wait for letters.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget

ROUNDS = 2
"""Ways from the field up to the program: one for the key itself, one for what it gave rise to."""

LOST_AFTER = 0.3
"""Seconds after which it is looked whether a turn went away with its widget: then it is not waited for any longer."""

LOOK_AGAIN = 0.02
LONGEST_WAIT = 3.0
"""Seconds for which keys are held back while something is being saved or left."""

HOLDS_KEYS = frozenset({"write", "leave", "go", "enter", "open", "step"})
"""Groups of work after which the screen may be another one."""

AT_ONCE = frozenset({"ctrl+l", "f12"})
"""Keys that never wait: those that hide."""


class Turn(Message, bubble=True):
    """Follows a key from the widget in use up to the program."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class KeysInTurn(App[Any]):
    """The part of the program that hands out keys."""

    def __init__(self) -> None:
        super().__init__()
        self._held_keys: deque[events.Key | events.Paste] = deque()
        self._keys_aside: list[events.Key | events.Paste] = []
        self._turn_number = 0
        self._rounds_left = 0
        self._letters_on_their_way = False
        self._waited = 0.0
        self._lost: Timer | None = None

    async def on_event(self, event: events.Event) -> None:
        """Take keys and pastes in turn; everything else goes its way."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded and not _goes_first(event):
            if self._rounds_left:
                self._held_keys.append(event)
            else:
                await self._take(event)
        else:
            await super().on_event(event)

    async def _take(self, event: events.Key | events.Paste) -> None:
        if self._is_letter(event):
            self._letters_on_their_way = True
            await super().on_event(event)
        elif self._letters_on_their_way:
            self._held_keys.appendleft(event)
            self._wait()
        else:
            await super().on_event(event)
            self._wait()

    def _is_letter(self, event: events.Key | events.Paste) -> bool:
        if isinstance(event, events.Paste):
            return True
        return event.is_printable and bool(getattr(self.focused, "TAKES_LETTERS", False))

    def _wait(self) -> None:
        self._letters_on_their_way = False
        self._rounds_left = ROUNDS
        self._waited = 0.0
        self._send()

    def _send(self) -> None:
        self._turn_number += 1
        number = self._turn_number
        holder = self.focused or self.screen
        holder.post_message(Turn(number))
        self._lost = self.set_timer(LOST_AFTER, lambda: self._look_for(number, holder, LOST_AFTER))

    def _look_for(self, number: int, holder: Widget, waited: float) -> None:
        """Take a turn for lost when the widget that had it has gone. One that is still there is only late, on a busy machine."""
        if number != self._turn_number or not self._rounds_left:
            return
        if holder.is_attached and holder.is_running and waited < LONGEST_WAIT:
            self._lost = self.set_timer(LOST_AFTER, lambda: self._look_for(number, holder, waited + LOST_AFTER))
        else:
            self._back(number)

    def on_turn(self, message: Turn) -> None:
        """Hear that everything before it has been acted on."""
        message.stop()
        self._back(message.number)

    def _back(self, number: int) -> None:
        if number != self._turn_number or not self._rounds_left:
            return
        if self._lost is not None:
            self._lost.stop()
            self._lost = None
        if self._rounds_left > 1:
            self._rounds_left -= 1
            self._send()
        else:
            self._go_on_when_settled()

    def _go_on_when_settled(self) -> None:
        if self.is_busy() and self._waited < LONGEST_WAIT:
            self._waited += LOOK_AGAIN
            self.set_timer(LOOK_AGAIN, self._go_on_when_settled)
        else:
            self.call_next(self._go_on)

    def set_keys_aside(self) -> None:
        """Keep what was typed for the page that is being hidden; it must not reach what covers it."""
        self._keys_aside += self._held_keys
        self._held_keys.clear()

    def take_keys_aside(self) -> list[events.Key | events.Paste]:
        """Return what was set aside, for one who gives it to the page in another way."""
        aside, self._keys_aside = self._keys_aside, []
        return aside

    def bring_keys_back(self) -> None:
        """Give the page what was typed for it before it was hidden."""
        self._held_keys.extendleft(reversed(self._keys_aside))
        self._keys_aside.clear()
        if not self._rounds_left:
            self.call_next(self._go_on)

    def is_busy(self) -> bool:
        """Say whether something is under way after which keys may mean something else."""
        return any(worker.group in HOLDS_KEYS and not worker.is_finished for worker in self.workers)

    async def _go_on(self) -> None:
        self._rounds_left = 0
        while self._held_keys and not self._rounds_left:
            await self._take(self._held_keys.popleft())


def _goes_first(event: events.Event) -> bool:
    return isinstance(event, events.Key) and event.key in AT_ONCE
