"""Finishing a note: the entry, the visit that it writes up and the draft that it was, in one step."""

from __future__ import annotations

from leadworker.domain import drafts, journal, visits
from leadworker.domain.journal import NewEntry, Saved
from leadworker.shelf import Shelf


def save_note(shelf: Shelf, new: NewEntry, draft_id: str = "", visit_id: str = "") -> Saved:
    """Keep an entry with its actions, name it at the diary visit that it writes up, and let its draft go: all or nothing."""
    saved = journal.write(shelf, new)
    if visit_id:
        visits.written_up(shelf, visit_id, saved.entry_id)
    if draft_id:
        drafts.throw_away(shelf, draft_id)
    return saved
