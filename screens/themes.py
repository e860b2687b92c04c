"""The four themes. Every figure here was chosen for contrast: at least 4.5 to 1, selected rows included.

Neutrals stay under 0.15 saturation, because terminals with 256 colours turn others into navy and pink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from textual.theme import Theme

DUSK = "dusk"
PAPER = "paper"
CONTRAST = "contrast"
WALL = "wall"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The colours of one theme by what they mean, as ``#rrggbb``."""

    background: str
    panel: str
    """Bars and dialogs."""
    select: str
    """The one row that the keys act on."""
    line: str
    text: str
    muted: str
    """Facts about facts: when, who, how long."""
    primary: str
    """Headings and focus."""
    warning: str
    """Safety, and what is soon."""
    error: str
    """Late, and in conflict."""
    good: str
    """Done, sent, new."""
    words: str
    """What a person said, in their own words."""
    dark: bool = True


TOKENS: Mapping[str, Tokens] = {
    DUSK: Tokens(
        background="#16181b", panel="#272b2f", select="#333c44", line="#454b52", text="#dde1e5", muted="#9ea6ae",
        primary="#87bdd0", warning="#e3b565", error="#f0907f", good="#95c490", words="#c3b1e8",
    ),
    PAPER: Tokens(
        background="#fbfbf9", panel="#ededeb", select="#d6eaf2", line="#c9c9c6", text="#202428", muted="#5a6168",
        primary="#17607a", warning="#7d4e00", error="#b3261e", good="#2d6a2e", words="#5b429c", dark=False,
    ),
    CONTRAST: Tokens(
        background="#000000", panel="#1c1c1c", select="#303030", line="#8a8a8a", text="#ffffff", muted="#d7d7d7",
        primary="#5fd7ff", warning="#ffd75f", error="#ff8787", good="#87ff87", words="#d7d7ff",
    ),
    WALL: Tokens(
        background="#ffffff", panel="#eeeeee", select="#d9edf5", line="#bcbcbc", text="#101418", muted="#4a5056",
        primary="#005f87", warning="#704600", error="#a01a12", good="#1f5c20", words="#4c3590", dark=False,
    ),
}  # fmt: skip


def theme(name: str) -> Theme:
    """Return the theme called `name` as the terminal library wants it."""
    tokens = TOKENS[name]
    return Theme(
        name=name,
        primary=tokens.primary,
        secondary=tokens.words,
        accent=tokens.primary,
        warning=tokens.warning,
        error=tokens.error,
        success=tokens.good,
        foreground=tokens.text,
        background=tokens.background,
        surface=tokens.panel,
        panel=tokens.panel,
        dark=tokens.dark,
        variables=_variables(tokens),
    )


def themes() -> list[Theme]:
    """Return all four, in the order in which they are offered."""
    return [theme(name) for name in TOKENS]


def theme_for(asked: str | None, environ: Mapping[str, str]) -> str:
    """Return the name of the theme to start with: the one asked for, else the one that NO_COLOR needs, else dusk."""
    if asked in TOKENS:
        return str(asked)
    return CONTRAST if "NO_COLOR" in environ else DUSK


def _variables(tokens: Tokens) -> dict[str, str]:
    return {
        "muted": tokens.muted,
        "select": tokens.select,
        "line": tokens.line,
        "good": tokens.good,
        "words": tokens.words,
        # the library's own names, so that no shade of its making appears
        "text": tokens.text,
        "text-muted": tokens.muted,
        "text-disabled": tokens.muted,
        "foreground-muted": tokens.muted,
        "border": tokens.primary,
        "border-blurred": tokens.line,
        "block-cursor-foreground": tokens.text,
        "block-cursor-background": tokens.select,
        "block-cursor-text-style": "none",
        "input-cursor-background": tokens.text,
        "input-cursor-foreground": tokens.background,
        "input-cursor-text-style": "none",
        "input-selection-background": tokens.select,
        "input-selection-foreground": tokens.text,
        "scrollbar": tokens.line,
        "scrollbar-hover": tokens.line,
        "scrollbar-active": tokens.primary,
        "scrollbar-background": tokens.background,
        "scrollbar-background-hover": tokens.background,
        "scrollbar-background-active": tokens.background,
        "scrollbar-corner-color": tokens.background,
    }
