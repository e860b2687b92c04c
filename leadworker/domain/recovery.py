"""Whether the recovery words are known to be on paper. A vault that was left before they were read back keeps saying so."""

from __future__ import annotations

from leadworker.shelf import Shelf

DRAWER = "recovery"
OWED = "words to be read back"


def are_owed(shelf: Shelf) -> bool:
    """Return whether nobody has yet read the recovery words back from paper."""
    return OWED in shelf.kept(DRAWER)


def read_back(shelf: Shelf) -> None:
    """Take note that somebody has the recovery words."""
    if are_owed(shelf):
        shelf.throw_away(DRAWER, OWED)
