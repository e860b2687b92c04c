"""What this laptop remembers about how the program looks. Kept in the vault, never synced."""

from __future__ import annotations

from leadworker.shelf import Shelf

DRAWER = "settings"


def remembered(shelf: Shelf, name: str) -> str:
    """Return a setting, empty when it was never set."""
    return shelf.kept(DRAWER).get(name, b"").decode(errors="replace")


def remember(shelf: Shelf, name: str, value: str) -> None:
    """Keep a setting."""
    shelf.keep(DRAWER, name, value.encode())
