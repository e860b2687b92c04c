"""What can be done from Find, in words, with the key that does it too."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from screens import settings
from screens.base import Shell
from screens.themes import TOKENS

_THEME_WORDS = {
    "dusk": "Colours: dusk, for a room",
    "paper": "Colours: paper, for daylight",
    "contrast": "Colours: strong contrast",
    "wall": "Colours: wall, for a projector",
}


class Command(msgspec.Struct, frozen=True):
    """One command: its words, its key elsewhere, and what it does."""

    words: str
    key: str
    deed: Callable[[], object]


def commands(shell: Shell, person_id: str, name: str) -> list[Command]:
    """Return every command; those about somebody are about `person_id`, called `name`."""
    first = name.split(" ")[0] if name else ""
    about = f" about {first}" if first else ""
    visit = f" to {first}" if first else ""
    return [
        Command(f"New note{about}", "n", lambda: shell.write_note(person_id)),
        Command(f"Put a visit{visit} in the diary", "v", lambda: shell.plan_visit(person_id)),
        *([Command(f"Who can read {first}'s casebook", "w", lambda: shell.who_reads(person_id))] if person_id else []),
        Command("Add a person", "a", shell.add_person),
        Command("Go to Today", "1", lambda: shell.go_to("today")),
        Command("Go to People", "2", lambda: shell.go_to("people")),
        Command("Go to Sync", "6", lambda: shell.go_to("sync")),
        Command("Sync now", "s", shell.sync_now),
        Command("Choose between what was written apart", "c", lambda: shell.written_apart(person_id)),
        Command("Hide the screen", "Ctrl+L", shell.action_hide),
        Command("Keys", "F1", lambda: shell.simulate_key("f1")),
        *(Command(_THEME_WORDS[theme], "", _wear(shell, theme)) for theme in TOKENS),
        Command("Lock, and stay", "", lambda: shell.lock("Locked. Your note is kept.")),
        Command("Lock and leave", "Ctrl+Q", lambda: shell.simulate_key("ctrl+q")),
    ]


def _wear(shell: Shell, theme: str) -> Callable[[], object]:
    async def put_on() -> None:
        shell.theme = theme
        await shell.desk.do(settings.remember, "theme", theme)

    return lambda: shell.write(put_on())
