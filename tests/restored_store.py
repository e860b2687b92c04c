"""A central store that is backed up, goes on, and is restored: what a night's backup and a morning's restore do to it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import psycopg

from leadworker.errors import Offline
from sync.hub import recovery_desk
from tests.laptops import Laptop, Office


def is_postgres(office: Office) -> bool:
    """Return whether a store's database is PostgreSQL's."""
    return office.database.startswith("postgresql://")


def back_up(office: Office, folder: Path) -> str:
    """Copy the store's database as it is, between two of its moments; return the copy's name."""
    office.stop_store()
    try:
        if is_postgres(office):
            return _copied(office.database, f"backup_{time.time_ns()}")
        shutil.copy(office.database, folder / "backup.db")
        return str(folder / "backup.db")
    finally:
        office.start_store()


def restore(office: Office, backup: str) -> None:
    """Put a copy in the place of the store's database and start the store again, as it is after an accident."""
    office.stop_store()
    if is_postgres(office):
        server, _, name = office.database.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as maintenance:
            maintenance.execute(f'DROP DATABASE "{name}"')
        _copied(backup, name)
    else:
        for path in Path(office.database).parent.glob(Path(office.database).name + "*"):
            path.unlink()
        shutil.copy(backup, office.database)
    office.start_store()


def _copied(database: str, name: str) -> str:
    server, _, source = database.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as maintenance:
        maintenance.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    return f"{server}/{name}"


def rows(office: Office) -> dict[tuple[bytes, int], tuple[Any, ...]]:
    """Return every change as the store has it: what it is, its seal, when it came and the digest there."""
    sql = "SELECT book, n, device, lane, seq, header, body, received_ms, digest FROM changes"
    return {(bytes(book), n): tuple(map(_plain, rest)) for book, n, *rest in _all(office, sql)}


def lanes(office: Office) -> list[tuple[Any, ...]]:
    """Return the ends of all lanes, all heads, members and devices as the store has them."""
    kept = []
    for sql in (
        "SELECT book, device, lane, seq, head FROM lanes",
        "SELECT book, n, digest, epoch, control_seq, control_head, grew_ms FROM books",
        "SELECT device, book, n FROM former_members", "SELECT book FROM keys_owed",
        "SELECT device, book, role FROM members", "SELECT device, signing, admin, active FROM devices",
    ):  # fmt: skip
        kept += sorted(tuple(map(_plain, row)) for row in _all(office, sql))
    return kept


def _all(office: Office, sql: str) -> list[Any]:
    if is_postgres(office):
        with psycopg.connect(office.database) as server:
            return server.execute(sql).fetchall()
    with sqlite3.connect(office.database) as file:
        return file.execute(sql).fetchall()


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


async def gives_back(laptop: Laptop) -> str:
    """Let a laptop sync with a store in recovery mode; return what is said."""
    try:
        await laptop.sync_somehow()
    except Offline as error:
        return error.sentence
    raise AssertionError("the store gave numbers in recovery mode")


def begin(office: Office) -> recovery_desk.Progress:
    """Put the running store into recovery mode, as whoever runs it does."""
    return recovery_desk.begin(office.database)


def status(office: Office) -> recovery_desk.Progress:
    """Look at the recovery."""
    return recovery_desk.look(office.database)


def end(office: Office, *, anyway: bool = False) -> recovery_desk.Progress:
    """End recovery mode."""
    return recovery_desk.end(office.database, anyway=anyway)
