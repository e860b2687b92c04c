"""A USB stick between houses without a network and the central store: which folder, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from leadworker import drives
from leadworker.desk import Carried
from leadworker.errors import LeadworkerError
from screens import settings
from screens.base import Shell
from screens.files import path_of
from screens.form import FieldOf, Form
from screens.plain import Content, Tone, plain

SETTING = "stick"
_SECONDS = 20
MOST_SHOWN = 4
_ALARM_SECONDS = 60


async def ask_where(shell: Shell) -> None:
    """Open the form, with the stick that is plugged in or the folder of the last time."""
    found = await asyncio.to_thread(drives.plugged_in)  # a drive that hangs must not hold the screen up
    last = await shell.desk.ask(settings.remembered, SETTING)
    shell.push_screen(StickForm(str(found[0]) if len(found) == 1 else last))


class StickForm(Form):
    """Asks for the stick's folder."""

    PLACE = "sync"
    TITLE_WORDS = "By USB stick"

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    def draft_key(self) -> str:
        """Return its name."""
        return "stick"

    def fields(self) -> Iterable[FieldOf]:
        """Ask for the folder."""
        yield FieldOf("folder", "Which folder", self._folder, "/media/me/STICK")

    def hint(self) -> Content:
        """Say what is done there."""
        return plain(
            "Without a network it writes what waits here, sealed for colleagues' laptops. On a laptop with a network it carries what "
            "colleagues wrote to the central store. Back here it reads what was brought.",
            Tone.MUTED,
        )

    async def save(self, values: Mapping[str, str]) -> str:
        """Begin, and leave the form: one can go on working."""
        folder = path_of(values["folder"], "Which folder? Write its whole path, or plug the stick in and come back. Nothing was written.")
        await self.desk.do(settings.remember, SETTING, str(folder))
        self.shell.run_worker(_visit(self.shell, folder), group="stick")  # the post's own work: a lock does not wait for it
        return "Reading the stick. You can keep working."


async def _visit(shell: Shell, folder: Path) -> None:
    try:
        done: Carried = await shell.desk.post.visit_stick(folder)
    except LeadworkerError as error:
        shell.say(error.sentence, "warning", _ALARM_SECONDS)
        return
    shell.say(" ".join(done.sentences()), seconds=_SECONDS)
    for alarm in done.alarms[:MOST_SHOWN]:
        shell.say(alarm, "warning", _ALARM_SECONDS)
    if len(done.alarms) > MOST_SHOWN:
        shell.say(f"And {len(done.alarms) - MOST_SHOWN} more of that kind; “leadworker stick” says them all.", "warning", _ALARM_SECONDS)
    page = shell.page
    if page is not None:
        page.reload()
