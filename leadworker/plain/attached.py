"""How a file of a person's record reads: as a document and as a line. Its key stands in neither."""

from __future__ import annotations

from datetime import datetime

import msgspec

from leadworker.domain.attachments import AttachmentView, size_words
from leadworker.words.saying import say_date

SHORT_ID = 8


class AttachedFile(msgspec.Struct, frozen=True):
    """A file of a person's record. `where` tells where its bytes are, `trouble` why it cannot be opened, or nothing."""

    id: str
    person_id: str
    entry_id: str
    name: str
    kind: str
    bytes: int
    added: str
    written_by: str
    by_me: bool
    here: bool
    where: str
    trouble: str


def document(view: AttachmentView) -> AttachedFile:
    """Return a file as a document."""
    added = view.added().local().isoformat(timespec="seconds")
    return AttachedFile(
        view.id, view.person_id, view.entry_id, view.name, view.kind_said(), view.size, added, view.written_by, view.by_me,
        view.here, view.whereabouts(), view.trouble,
    )  # fmt: skip


def line(view: AttachmentView, now: datetime) -> str:
    """Return a file in one line, with who added it when."""
    who = "you" if view.by_me else view.written_by or "a colleague"
    return f"{view.name}, {facts(view)}, added by {who} on {say_date(view.added().day(), now.date())}. Id {view.id[-SHORT_ID:]}."


def facts(view: AttachmentView) -> str:
    """Return what sort of file it is, how large, and where."""
    return f"{view.kind_said()}, {size_words(view.size)}, {view.whereabouts()}"
