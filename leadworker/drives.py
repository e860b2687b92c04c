"""Where the sticks are that are plugged in, as far as the system says: folders that somebody would otherwise have to type."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path


def plugged_in() -> tuple[Path, ...]:
    """Return the folders of drives that the system has put in place for this user, by name; none where it does not tell."""
    found: set[Path] = set()
    for holder in _holders():
        try:
            found.update(path for path in holder.iterdir() if path.is_mount() and not path.is_symlink())
        except OSError:
            continue  # not there on this system, or nobody's business
    return tuple(sorted(found))


def _holders() -> tuple[Path, ...]:
    if sys.platform == "darwin":
        return (Path("/Volumes"),)
    if sys.platform == "win32":
        return ()  # letters tell nothing of what a drive is
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        return (Path("/media"),)
    return (Path("/media") / user, Path("/run/media") / user, Path("/media"))
