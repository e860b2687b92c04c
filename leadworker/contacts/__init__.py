"""Reads contact files as phones and mail programs write them: file bytes in, neutral frozen values out.

Nothing here knows the vault. What a file says that a record does not hold is named in words beside the card.
"""

from __future__ import annotations

from leadworker.contacts.card import ContactCard, ContactPoint, PointKind, Reading, Unread
from leadworker.contacts.reading import LARGEST_FILE, read_contacts

__all__ = [
    "LARGEST_FILE",
    "ContactCard",
    "ContactPoint",
    "PointKind",
    "Reading",
    "Unread",
    "read_contacts",
]
