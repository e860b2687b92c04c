"""Every key of the program in one table: the bindings, the footer, the help and the manual are made from it.

A letter means one thing on every screen. Screen verbs are single letters, at most six in a footer,
at most 78 cells wide; keys that also work while somebody types in a field carry Ctrl or are function keys.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding

from screens.glyphs import RETURN


@dataclass(frozen=True, slots=True)
class Key:
    """One key, or several that do the same."""

    id: str
    """Stable name: ``place.deed``."""
    keys: str
    """As the terminal library writes them, the first one is shown: ``slash,ctrl+p``."""
    action: str
    """The method ``action_…`` of the screen or the app; empty when a widget has the key by itself."""
    words: str
    """What the footer says; empty: not in the footer."""
    help: str
    """What the help says, a short sentence without a full stop."""
    everywhere: bool = False
    """Reaches the program also while a field, a list or a dialog has the focus."""
    spare: bool = False
    """Left out of the footer first where the window is narrow."""
    instead_of: str = ""
    """The id of the key whose place in the footer it takes, while the page says that it is needed."""

    @property
    def first(self) -> str:
        """The key that is shown."""
        return self.keys.split(",")[0]

    @property
    def typed(self) -> bool:
        """Whether the first key would be typed into a field instead."""
        return is_typed(self.first)


_NAMES = {"slash": "/", "question_mark": "?", "enter": RETURN, "escape": "esc", "space": "space", "at": "@"}


def key_words(key: str, ascii_only: bool = False) -> str:
    """Return a key as people read it: ``/``, ``^s``, ``esc``, ``f1``."""
    if key == "enter" and ascii_only:
        return "enter"
    if key in _NAMES:
        return _NAMES[key]
    return f"^{key[5:]}" if key.startswith("ctrl+") else key


def spelt_out(keys: str) -> str:
    """Return all keys of an entry for the help: ``/ or Ctrl+P``."""
    return " or ".join(_spelt(key) for key in keys.split(","))


def _spelt(key: str) -> str:
    names = {"slash": "/", "question_mark": "?", "up": "arrows", "at": "@"}
    if key in names:
        return names[key]
    if len(key) == 1:
        return key
    return "+".join(part.upper() if len(part) == 1 else part.capitalize() for part in key.split("+"))


EVERYWHERE = (
    Key("everywhere.today", "1", "go('today')", "", "Today"),
    Key("everywhere.people", "2", "go('people')", "", "People"),
    Key("everywhere.sync", "6", "go('sync')", "", "Sync: what is only here, what was sent"),
    Key("everywhere.find", "slash,ctrl+p", "find", "find", "find anyone, anything you wrote, any command"),
    Key("everywhere.note", "n", "new_note", "new note", "new note, about whoever is on the screen"),
    Key("everywhere.move", "up", "", "", "move; they run on from list to list"),
    Key("everywhere.open", "enter", "", "", "open"),
    Key("everywhere.panel", "tab,shift+tab", "", "", "next, previous panel or field"),
    Key("everywhere.back", "escape", "back", "", "back one step. Nothing typed is ever lost"),
    Key("everywhere.undo", "u", "undo", "", "undo what was just done, or choose again"),
    Key("everywhere.hide", "ctrl+l,f12", "hide", "", "hide the screen now; Enter comes back", everywhere=True),
    Key("everywhere.help", "f1,question_mark", "help", "help", "these keys", everywhere=True),
    Key("everywhere.leave", "ctrl+q", "leave", "", "lock and leave", everywhere=True),
)

OPEN = Key("list.open", "enter", "", "open", "open")
FIND = Key("list.find", "slash", "", "find", "find")
NOTE = Key("list.note", "n", "", "new note", "new note")

PLACES: dict[str, tuple[Key, ...]] = {
    "today": (
        OPEN,
        FIND,
        NOTE,
        Key("today.done", "space", "tick", "done", "tick the action off"),
        Key("today.visit", "v", "add_visit", "visit", "put a visit in the diary"),
        Key("today.apart", "c", "written_apart", "choose", "choose between what was written apart", instead_of="today.visit"),
    ),
    "people": (
        OPEN,
        FIND,
        NOTE,
        Key("people.add", "a", "add", "add", "add a person"),
        Key("people.filter", "f", "filter", "filter", "narrow the list by name"),
    ),
    "person": (
        OPEN,
        Key("person.panel", "tab", "next_panel", "next panel", "next panel"),
        Key("person.before", "shift+tab", "previous_panel", "", "the panel before"),
        NOTE,
        Key("person.edit", "e", "edit", "edit", "change name, age, contact, alerts"),
        Key("person.visit", "v", "add_visit", "visit", "put a visit in the diary"),
        Key("person.done", "space", "tick", "", "tick the action off"),
        Key("person.apart", "c", "written_apart", "", "choose between what was written apart about them"),
        Key("person.history", "h", "history", "", "every version of the selected row, or of what is written about them"),
        Key("person.readers", "w", "readers", "", "who can read this, and who leads it"),
        Key("person.attach", "p", "attach", "", "put a file with the selected entry, or with the record; Enter on a file writes it out"),
        Key("person.away", "x", "take_away", "", "end an alert; take a name, a number or a note away"),
    ),
    "note": (
        Key("note.field", "tab", "", "next field", "next field", spare=True),
        Key("note.keep", "escape", "back", "keep as draft", "keep as a draft and go back"),
        Key("note.finish", "ctrl+s", "finish", "finish", "finish: sign the note", everywhere=True),
        Key("note.mention", "at", "", "", "choose a person by name"),
    ),
    "form": (
        Key("form.field", "tab", "", "next field", "next field", spare=True),
        Key("form.back", "escape", "back", "back", "back, nothing is changed"),
        Key("form.save", "ctrl+s", "finish", "save", "save", everywhere=True),
    ),
    "sync": (
        OPEN,
        Key("sync.now", "s", "sync_now", "sync now", "send and fetch now"),
        Key("sync.apart", "c", "written_apart", "choose", "choose between what was written apart"),
        Key("sync.stick", "m", "visit_stick", "stick", "by USB stick: carry what waits, and read what it brings"),
        Key("sync.why", "r", "why", "reason", "the reason why the selected one has not gone"),
    ),
    "apart": (
        Key("apart.mine", "y", "keep_mine", "yours", "keep yours; the other stays in the history"),
        Key("apart.theirs", "t", "keep_theirs", "theirs", "keep theirs; yours stays in the history"),
        Key("apart.both", "b", "keep_both", "both", "keep both texts, with who said which"),
        Key("apart.edit", "e", "edit", "another", "write another one instead of these"),
        Key("apart.history", "h", "history", "history", "every version there ever was"),
        Key("apart.open", "enter", "", "", "show every version whole, and keep one of them"),
    ),
    "readers": (
        Key("readers.open", "enter", "", "check words", "the check words of their laptops"),
        Key("readers.add", "a", "add", "let in", "let a colleague in, or change their role"),
        Key("readers.away", "x", "take_away", "take out", "take somebody out, or a decision back"),
        Key("readers.lead", "l", "lead", "make lead", "make somebody the lead"),
        Key("readers.hand_in", "i", "hand_in", "", "hand in what cannot be sent, or take in what was handed in"),
        Key("readers.new_key", "k", "new_key", "", "give the casebook a new key, when somebody may have the one it has"),
    ),
    "find": (
        Key("find.open", "enter", "", "open", "open"),
        Key("find.back", "escape", "back", "back", "back"),
    ),
    "meanwhile": (
        Key("meanwhile.mine", "y", "keep_mine", "yours", "keep yours; theirs stays in the history"),
        Key("meanwhile.theirs", "t", "keep_theirs", "theirs", "keep theirs; yours is let go"),
        Key("meanwhile.both", "b", "keep_both", "both", "keep both texts, with who said which"),
        Key("meanwhile.back", "escape", "back", "back", "back to the form; nothing is saved yet"),
    ),
    "unlock": (
        Key("unlock.show", "ctrl+t", "show_typed", "", "show what you type", everywhere=True),
        Key("unlock.words", "ctrl+r", "use_words", "", "open with the recovery words", everywhere=True),
    ),
    "first_run": (
        Key("first_run.next", "enter", "", "next", "next step"),
        Key("first_run.back", "escape", "back", "back", "back one step"),
        Key("first_run.show", "ctrl+t", "show_typed", "", "show what you type", everywhere=True),
        Key("first_run.other", "ctrl+g", "suggest", "", "suggest another passphrase", everywhere=True),
    ),
    "hide": (Key("hide.back", "enter", "come_back", "", "come back"),),
}
"""The keys of each kind of screen, in the order of its footer."""

MORE = {
    "readers": (
        "“Up to change 12”: a colleague who reads this casebook looks at the same page, and you read the six words out to one another, "
        "by telephone or face to face. At the same number they must be the same. If the numbers differ, sync on both laptops, or ask for "
        "the words of an earlier one: leadworker readers PERSON --at NUMBER. If the words differ at one number, the central store shows "
        "you two different casebooks; if one number stays behind at every sync, it keeps something back. Either way go on writing, "
        "nothing is lost, and tell your administrator at once."
    ),
}
"""What the help says of a screen beside its keys."""

TITLES = {
    "today": "Today",
    "people": "People",
    "person": "A person",
    "note": "New note",
    "form": "A form",
    "sync": "Sync",
    "apart": "Written apart",
    "meanwhile": "Changed meanwhile",
    "readers": "Who can read a casebook",
    "find": "Find",
    "unlock": "Opening the journal",
    "first_run": "Making a journal",
    "hide": "Hidden",
}


def bindings(place: str) -> list[Binding]:
    """Return the bindings of a kind of screen: those of the table that name an action."""
    return [binding for key in PLACES[place] if key.action for binding in _bindings(key)]


def app_bindings() -> list[Binding]:
    """Return the bindings that hold on every screen."""
    return [binding for key in EVERYWHERE if key.action for binding in _bindings(key)]


def _bindings(key: Key) -> list[Binding]:
    """Return one binding for each key; one that is a letter or a mark never takes it away from a field."""
    return [
        Binding(each, key.action, key.words, show=False, priority=key.everywhere and not is_typed(each)) for each in key.keys.split(",")
    ]


def is_typed(key: str) -> bool:
    """Say whether pressing this key in a field types something."""
    return len(key) == 1 or key in ("slash", "question_mark", "space", "at")


def footer(place: str, typing: bool, needed: frozenset[str] = frozenset(), idle: frozenset[str] = frozenset()) -> list[Key]:
    """Return what the footer of a screen shows: without the keys that the field in use would swallow.

    `needed` are the ids of keys that stand there only now and then; each takes the place of another. `idle` are those that
    would only answer why they do nothing just now.
    """
    left_out = {key.instead_of for key in PLACES[place] if key.id in needed}
    left_out |= {key.id for key in PLACES[place] if key.instead_of and key.id not in needed} | idle
    shown = [key for key in PLACES[place] if key.words and key.id not in left_out and not (typing and key.typed)]
    return [*shown, next(key for key in EVERYWHERE if key.id == "everywhere.help")]


def keys_markdown() -> str:
    """Return the manual's page of keys."""
    parts = ["# Keys\n", _table("Everywhere", EVERYWHERE)]
    parts += [_table(TITLES[place], keys) + (f"\n{MORE[place]}\n" if place in MORE else "") for place, keys in PLACES.items()]
    return "\n".join(parts)


def _table(title: str, keys: tuple[Key, ...]) -> str:
    rows = [f"| {spelt_out(key.keys)} | {key.help} |" for key in keys]
    return "\n".join([f"## {title}\n", "| Key | What it does |", "| --- | --- |", *rows, ""])
