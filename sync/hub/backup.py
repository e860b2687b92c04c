"""Copies a store's database into one file while the store serves: SQLite by its own online backup, PostgreSQL by its own programs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from sync.hub import sqlite_schema
from sync.hub.databases import is_postgres
from sync.hub.store import HubTrouble


def back_up(database: str, file: Path) -> int:
    """Write a copy of a store into a file that is not there yet, for its owner alone; return its size in bytes.

    The copy is the store as it was at one moment: whatever was acknowledged before is in it, and nothing by halves. Raises
    `HubTrouble` in words, and leaves no part of a copy behind.
    """
    if is_postgres(database):
        raise HubTrouble(
            "PostgreSQL makes the backup of its own databases while the store serves, for example with "
            f"“pg_dump --format=custom --no-unlogged-table-data --file={file} DATABASE”. Nothing was written."
        )
    source = Path(database)
    if not source.is_file():
        raise HubTrouble(f"There is no central store's database at {source}. Nothing was written. Name it with --database.")
    if file.exists():
        raise HubTrouble(f"There is a file {file} already. It was left as it was. Name another one for the backup.")
    part = file.with_name(file.name + ".part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise _not_written(file, error) from error
    try:
        _copy(source, part)
        os.replace(part, file)
        _settle(file.parent)
    except (OSError, sqlite3.Error) as error:
        raise _not_written(file, error) from error
    finally:
        for left in (part, part.with_name(part.name + "-journal")):
            left.unlink(missing_ok=True)
    return file.stat().st_size


def _copy(source: Path, part: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=rw", uri=True, timeout=30)) as database:
        sqlite_schema.version(database)  # another program's is refused in words
        with contextlib.closing(sqlite3.connect(part)) as copy:
            database.backup(copy)  # in one step, so it is one moment of the store; writers go on beside it
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise sqlite3.DatabaseError(f"the copy is not whole ({found})")
    with part.open("rb+") as written:
        os.fsync(written.fileno())


def _settle(folder: Path) -> None:
    """Make the new name durable, where the system has a way to."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _not_written(file: Path, error: Exception) -> HubTrouble:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return HubTrouble(
        f"The backup {file} could not be written: {reason}. The store is as it was. Check the path and how much room there is."
    )
