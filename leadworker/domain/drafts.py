"""Drafts: what has been typed and not yet finished. Kept on this laptop, inside the vault, every two seconds."""

from __future__ import annotations

import msgspec

from leadworker.record import new_id
from leadworker.shelf import Shelf

DRAWER = "draft"


class Draft(msgspec.Struct, frozen=True):
    """An unfinished note, exactly as typed. `started_ms` and `kept_ms` are UTC milliseconds."""

    id: str
    person_id: str = ""
    person_name: str = ""
    first_line: str = ""
    seen: str = ""
    said: str = ""
    noticed: str = ""
    think: str = ""
    next_steps: str = ""
    visit_id: str = ""
    started_ms: int = 0
    started_offset: int = 0
    kept_ms: int = 0
    kept_offset: int = 0

    def is_empty(self) -> bool:
        """True when there is not one word in it."""
        return not any(part.strip() for part in (self.first_line, self.seen, self.said, self.noticed, self.think, self.next_steps))


def begin(shelf: Shelf, person_id: str = "", person_name: str = "", visit_id: str = "") -> Draft:
    """Return an empty draft; it is kept once there are words in it."""
    now = shelf.now()
    return Draft(new_id(), person_id, person_name, visit_id=visit_id, started_ms=now.ms, started_offset=now.offset)


def keep(shelf: Shelf, draft: Draft) -> Draft:
    """Put a draft into the vault as it is now, durably; return it with the time at which it was kept."""
    now = shelf.now()
    kept = msgspec.structs.replace(draft, kept_ms=now.ms, kept_offset=now.offset)
    shelf.keep(DRAWER, draft.id, msgspec.msgpack.encode(kept))
    return kept


def unfinished(shelf: Shelf) -> tuple[Draft, ...]:
    """Return every draft, oldest first."""
    return tuple(msgspec.msgpack.decode(value, type=Draft) for value in shelf.kept(DRAWER).values())


def throw_away(shelf: Shelf, draft_id: str) -> None:
    """Forget a draft: it was finished, or its writer threw it away."""
    shelf.throw_away(DRAWER, draft_id)
