"""How an action, an alert and an access note look wherever they stand in a list, and ticking an action off."""

from __future__ import annotations

from datetime import date

from leadworker.domain import actions
from leadworker.domain.actions import ActionRow
from leadworker.domain.alerts import DoorLine
from leadworker.errors import LeadworkerError
from leadworker.words.saying import say_due
from screens import glyphs
from screens.base import Shell, Undo
from screens.plain import BLANK, Content, Tone, join, plain


async def tick(shell: Shell, action: ActionRow) -> None:
    """Change whether an action is done, and offer to undo it."""
    desk = shell.desk
    deed, back = (actions.reopen, actions.finish) if action.done_on else (actions.finish, actions.reopen)
    try:
        await desk.do(deed, action.id)
    except LeadworkerError as error:
        shell.say(error.sentence, "warning", 12)
        return
    words = f"“{action.text}” is open again." if action.done_on else f"Done: {action.text}."
    shell.offer_undo(words, Undo(lambda: desk.do(back, action.id), "Undone."))


def due_words(action: ActionRow, day: date) -> tuple[Content, Content]:
    """Return the sign of an action and when it is due: late things are always said as late."""
    if action.done_on:
        return plain(glyphs.DONE, Tone.GOOD), plain("done", Tone.MUTED)
    if not action.due_on:
        return plain(glyphs.OPEN), BLANK
    due = date.fromisoformat(action.due_on)
    if due < day:
        return plain(glyphs.LATE, Tone.LATE), plain(say_due(due, day), Tone.LATE)
    if due == day:
        return plain(glyphs.DUE, Tone.SOON), plain("today", Tone.SOON)
    return plain(glyphs.OPEN), plain(say_due(due, day), Tone.MUTED)


def door_sign(line: DoorLine) -> Content:
    """Return the sign before an alert or an access note."""
    return plain(f"{glyphs.SAFETY} ", Tone.SAFETY) if line.kind == "alert" else plain(f"{glyphs.ACCESS} ", Tone.NEXT)


def door_words(line: DoorLine) -> Content:
    """Return the words of an alert or an access note, whole."""
    words = plain(line.text, Tone.SAFETY if line.kind == "alert" else Tone.PLAIN)
    return join(words, plain(f" ({apart_words(line.contested)})", Tone.LATE)) if line.contested else words


def apart_words(contested: str) -> str:
    """Return in words what of an alert or a visit was written apart, from the names of its contested fields."""
    said = {"on": "ended by one, not by another", "starts_ms": "two times written", "state": "cancelled by one, not by another"}
    return ", ".join(said.get(name, "two versions") for name in contested.split(","))
