"""Whether the sealed files that a vault holds are as they were sealed, each by its own name and without its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from leadworker.domain.attachments import HERE, clean_name
from storage.attachment_files import AttachmentFiles
from storage.engine import Connection

MOST_NAMED: Final = 5

_HERE = f"SELECT a.id, a.name, a.digest FROM drawer h JOIN attachment a ON a.id = h.key WHERE h.drawer = '{HERE}' ORDER BY a.no"


def look(connection: Connection, files: AttachmentFiles, tell: Callable[[str, int, int], None]) -> tuple[bool, str]:
    """Look through every sealed file that should be here; return whether all are whole, and a sentence.

    One that is not can be fetched again, so nothing is altered here.
    """
    rows = connection.execute(_HERE).fetchall()
    spoilt = []
    for done, (record_id, name, digest) in enumerate(rows):
        tell("files", done, len(rows))
        if not _is_whole(files, digest):
            spoilt.append(f"{clean_name(name)} (id {record_id[-8:]})")
    if not spoilt:
        every = "The attached file is as it was" if len(rows) == 1 else f"All {len(rows)} attached files are as they were"
        return True, f"{every} sealed." if rows else "No files are attached."
    named = ", ".join(spoilt[:MOST_NAMED]) + (f" and {len(spoilt) - MOST_NAMED} more" if len(spoilt) > MOST_NAMED else "")
    return False, (
        f"{len(spoilt)} of {len(rows)} attached files are missing or damaged in the vault's folder: {named}. “leadworker attachment "
        "fetch ID” gets one from the central store; a backup holds them too."
    )


def _is_whole(files: AttachmentFiles, digest: str) -> bool:
    try:
        return files.is_whole(digest)
    except ValueError:
        return False
