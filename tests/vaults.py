"""Vaults for tests: one is made for each name, at the lowest protection that is allowed, and copied for every test.

They are opened with their recovery words, which is the real way in and needs no slow derivation.
"""

from __future__ import annotations

import atexit
import functools
import secrets
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from leadworker.clock import Clock, Moment
from leadworker.crypto import keys
from leadworker.domain import actions, alerts, caseload, drafts, journal, people, visits
from leadworker.domain.journal import NewEntry
from leadworker.errors import LeadworkerError
from leadworker.shelf import Shelf
from storage import backing_up, checking, opening, rebuilding
from storage.checking import Report
from storage.vault import Vault

P = ParamSpec("P")
T = TypeVar("T")

OWNER = "Alex Morgan"
PASSPHRASE = "plum tidy orbit seven lake marble"
FLOOR = keys.FLOOR_KIB
"""KiB of memory for a derivation: the least that is allowed."""
ALWAYS_OTHER = ("vault.lock", "vault.holder.json", "journal.db-shm")
"""Files that hold nothing of the record: the lock, who has it, and SQLite's index into its own log."""


class Made(NamedTuple):
    """A vault as it was made, closed, and the words that open it. Copy it; never open it."""

    folder: Path
    words: str


def made(owner: str = OWNER) -> Made:
    """Return this session's vault of one owner, with nobody in it yet."""
    return _made(owner)


@functools.cache
def _made(owner: str) -> Made:
    home = Path(tempfile.mkdtemp(prefix="lw-vaults-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    vault, words = opening.create(home / "vault", owner, PASSPHRASE, memory_kib=FLOOR)
    vault.close()
    return Made(home / "vault", " ".join(words))


@functools.cache
def small() -> Made:
    """Return a vault with a few of everything, closed."""
    empty = made()
    folder = empty.folder.with_name("small")
    shutil.copytree(empty.folder, folder)
    vault = enter(folder)
    fill(vault)
    vault.close()
    return Made(folder, empty.words)


def fill(vault: Vault) -> str:
    """Write a few of everything about one person; return the person's id."""
    keira = do(vault, people.add, "Keira Lane", born="about 15", lives_at="with her nan")
    do(vault, people.also_known_as, keira, "Kiki")
    do(vault, people.add_contact, keira, "mobile", "07700 900118", "hers")
    do(vault, alerts.raise_alert, keira, "Dog in the hall. Ring first.")
    do(vault, alerts.add_access_note, keira, "Side gate")
    action = actions.NewAction("Text Sam", OWNER, mine=True, due_on="2026-11-26")
    for words in ("I slept.", "Ask my nan.", "Saturday is good."):
        do(vault, journal.write, NewEntry(keira, kind="visit", said=words, noticed="Kitchen tidy", actions=(action,)))
    do(vault, visits.plan, keira, Moment(1_795_000_000_000))
    do(vault, drafts.keep, drafts.Draft(secrets.token_hex(16), keira, said="not finished"))
    do(vault, people.describe, keira, pronouns="she/her")
    return keira


def fresh(folder: Path, of: Made | None = None) -> Path:
    """Copy a vault to a folder that does not exist yet, and return it."""
    shutil.copytree((of or made()).folder, folder)
    return folder


def enter(folder: Path, *, owner: str = OWNER, clock: Clock | None = None) -> Vault:
    """Open a copy of a vault."""
    return opening.open_with_words(folder, made(owner).words, clock=clock)


def do(vault: Vault, deed: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do a deed and wait until it is durable."""
    return vault.write(lambda shelf: deed(shelf, *args, **kwargs)).result()[0]


def ask(vault: Vault, query: Callable[Concatenate[Any, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Ask a question."""
    return vault.read(lambda shelf: query(shelf, *args, **kwargs)).result()


def people_here(shelf: Shelf) -> tuple[str, ...]:
    """Return the ids of everybody in a vault."""
    return tuple(person.id for person in caseload.known_people(shelf))


def look_through(vault: Vault, *, rebuild: bool = False) -> Report:
    """Check a vault as ``leadworker check`` does."""
    return vault.submit(
        lambda: checking.check(
            vault.connection,
            vault.anchor.read(),
            vault.identity.signing_public,
            keys_of=lambda device: None,
            rebuild=rebuild,
            files=vault.files,
        )
    ).result()


def digest(vault: Vault) -> str:
    """Return the digest over every record of a vault."""
    return vault.submit(lambda: rebuilding.digest(vault.connection)).result()


def back_up(vault: Vault, target: Path) -> int:
    """Write a backup as ``leadworker backup`` does."""
    return vault.submit(lambda: backing_up.backup(vault.connection, vault.folder, vault.master, target)).result()


def everything(vault: Vault) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table but the search indexes' own, to tell whether two vaults are the same."""

    def read() -> dict[str, list[tuple[object, ...]]]:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%\\_find%' ESCAPE '\\'"
        names = [name for (name,) in vault.connection.execute(tables).fetchall()]
        return {name: sorted(vault.connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr) for name in names}

    return vault.submit(read).result()


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a vault that hold something, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name not in ALWAYS_OTHER}


def refusal(folder: Path) -> LeadworkerError | None:
    """Try to open a vault: return the sentence that refuses it, or None when it opens."""
    try:
        enter(folder).close()
    except LeadworkerError as error:
        return error
    return None


@dataclass
class HandClock:
    """A clock that stands where a test puts it, at first a day after the vaults were made."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(days=1))

    def now(self) -> datetime:
        """Return the moment that was set, and let a second pass."""
        self.at += timedelta(seconds=1)
        return self.at

    def steady(self) -> float:
        """Return seconds that go with the hand."""
        return self.at.timestamp()
