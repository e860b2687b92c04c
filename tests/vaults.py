"""Vaults for tests: one is made for each name, at the lowest protection that is allowed, and copied for every test.

They are opened with their recovery words, which is the real way in and needs no slow derivation.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import itertools
import multiprocessing
import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar

from leadworker.clock import Clock
from leadworker.crypto import keys
from leadworker.domain import actions, alerts, caseload, drafts, journal, people, visits
from leadworker.domain.journal import NewEntry
from leadworker.errors import LeadworkerError
from leadworker.shelf import Shelf
from storage import backing_up, checking, clerk, migrations, opening, rebuilding, schema, slots
from storage.checking import Report
from storage.engine import Connection
from storage.vault import Vault

P = ParamSpec("P")
T = TypeVar("T")

OWNER = "Alex Morgan"
PASSPHRASE = "plum tidy orbit seven lake marble"
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
    vault, words = opening.create(home / "vault", owner, PASSPHRASE, memory_kib=keys.FLOOR_KIB)
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
    do(vault, visits.plan, keira, journal.Moment(1_795_000_000_000))
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


def do(vault: Vault, deed: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do a deed and wait until it is durable."""
    return vault.write(lambda shelf: deed(shelf, *args, **kwargs)).result()[0]


def ask(vault: Vault, query: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Ask a question."""
    return vault.read(lambda shelf: query(shelf, *args, **kwargs)).result()


def look_through(vault: Vault, *, rebuild: bool = False) -> Report:
    """Check a vault as ``leadworker check`` does."""
    return vault.submit(
        lambda: checking.check(
            vault.connection, vault.anchor.read(), vault.identity.signing_public, keys_of=lambda device: None, rebuild=rebuild
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


class Sender(Protocol):
    """The end of a pipe by which a process tells what it has done."""

    def send(self, told: tuple[object, ...]) -> None: ...


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


@functools.cache
def processes() -> Any:
    """Return a way to start real processes that need not import everything again, where the system has one."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.vaults"])
    return context


# What real processes do until they are killed


class Habits(NamedTuple):
    """How a worker's process works: pages of log before a checkpoint, and seconds before it tidies in an idle moment."""

    checkpoint_after: int = 1000
    idle_after_s: float = 0.4


def keep_working(folder: Path, recovery: str, seed: int, first: int, habits: Habits, told: Sender) -> None:
    """Open a vault and write into it until the end, telling of each deed once it is durable.

    What is told: ``("open",)``, ``("entry", id, words)``, ``("draft", number)`` and ``("pronouns", number)``.
    """
    chance = random.Random(seed)
    clerk.IDLE_AFTER_S = habits.idle_after_s
    vault = opening.open_with_words(folder, recovery)
    vault.submit(lambda: vault.connection.execute(f"PRAGMA wal_autocheckpoint={habits.checkpoint_after}").fetchall()).result()
    who = ask(vault, caseload.known_people)
    person = who[0].id if who else do(vault, people.add, "Keira Lane")
    told.send(("open",))
    for number in itertools.count(first):
        match chance.choices(("entry", "draft", "pronouns", "pause"), (6, 3, 3, 1))[0]:
            case "entry":
                words = f"entry {number}" + "\nwords and words" * chance.choice((1, 20, 200, 2000))
                action = actions.NewAction(f"do {number}", OWNER, mine=True)
                saved = do(vault, journal.write, NewEntry(person, said=words, actions=(action,) * chance.randrange(3)))
                told.send(("entry", saved.entry_id, words))
            case "draft":
                do(vault, drafts.keep, drafts.Draft("the one draft", person, said=str(number)))
                told.send(("draft", number))
            case "pronouns":
                do(vault, people.describe, person, pronouns=str(number))
                told.send(("pronouns", number))
            case _:
                time.sleep(habits.idle_after_s if habits.idle_after_s < 0.01 else 0)


def make_a_vault(folder: Path, told: Sender) -> None:
    """Make a vault, with a derivation that costs nothing, and tell of it once it is made."""
    derive_quickly()
    told.send(("begun",))
    vault, words = opening.create(folder, OWNER, PASSPHRASE, memory_kib=keys.FLOOR_KIB)
    told.send(("made", " ".join(words)))
    do(vault, people.add, "Keira Lane")
    told.send(("kept",))
    time.sleep(60)


def change_passphrases(folder: Path, recovery: str, told: Sender) -> None:
    """Change the passphrase for ever, telling of each one that counts."""
    derive_quickly()
    vault = opening.open_with_words(folder, recovery)
    told.send(("open",))
    for number in itertools.count():
        slots.change_passphrase(vault, f"passphrase {number}", memory_kib=keys.FLOOR_KIB)
        told.send(("passphrase", number))


def write_backups(folder: Path, recovery: str, target: Path, told: Sender) -> None:
    """Write backups for ever, telling of each one that is there."""
    vault = opening.open_with_words(folder, recovery)
    told.send(("open",))
    for number in itertools.count():
        back_up(vault, target / f"{number}.lwb")
        told.send(("backup", number))


def put_back(source: Path, folder: Path, recovery: str, told: Sender) -> None:
    """Put a backup back, open it, and tell of both."""
    told.send(("begun",))
    backing_up.restore(source, folder)
    told.send(("restored",))
    opening.open_with_words(folder, recovery)
    told.send(("open",))
    time.sleep(60)


def just_open(folder: Path, recovery: str, told: Sender) -> None:
    """Open a vault, doing whatever opening has to do first, and tell of it."""
    told.send(("begun",))
    opening.open_with_words(folder, recovery)
    told.send(("open",))
    time.sleep(60)


STEP_ROWS = 3000
steps_taken: list[int] = []


def new_step(connection: Connection) -> None:
    """What a later version might do to an older vault: a table, and rows in it."""
    connection.execute("CREATE TABLE added_later (no INTEGER PRIMARY KEY, what TEXT)")
    for number in range(STEP_ROWS):
        connection.execute("INSERT INTO added_later (what) VALUES (?)", (f"row {number}",))
    steps_taken.append(1)


def just_open_with_a_new_step(folder: Path, recovery: str, told: Sender) -> None:
    """Open a vault with a version that has one step more."""
    migrations.STEPS = (schema.create_log, new_step)  # type: ignore[misc]
    migrations.VERSION = 2  # type: ignore[misc]
    just_open(folder, recovery, told)


def derive_quickly() -> None:
    """Let a passphrase be derived without its cost, in a process that is about to be killed many times."""

    def quick(secret: bytes, salt: bytes, *parameters: int) -> bytes:
        return hashlib.sha256(salt + secret + repr(parameters).encode()).digest()

    keys._argon2 = quick  # type: ignore[assignment]


def spread_over(kills: int, work: Callable[..., None], *given: object, done: str) -> list[float]:
    """Return moments in seconds for that many kills, spread evenly over what `work` needs here from ``begun`` to `done`."""
    receiver, sender = processes().Pipe(duplex=False)
    process = processes().Process(target=work, args=(*given, sender), daemon=True)
    process.start()
    sender.close()
    while receiver.recv()[0] != "begun":
        pass
    begun = time.perf_counter()
    while receiver.recv()[0] != done:
        pass
    needed = time.perf_counter() - begun
    process.kill()
    process.join()
    return [needed * 1.1 * number / kills for number in range(kills)]


def killed(work: Callable[..., None], *given: object, after_s: float, once: str = "") -> list[tuple[Any, ...]]:
    """Start `work` in a process of its own, kill it `after_s` seconds after it told `once`, and return what it told."""
    receiver, sender = processes().Pipe(duplex=False)
    process = processes().Process(target=work, args=(*given, sender), daemon=True)
    process.start()
    sender.close()
    heard: list[tuple[Any, ...]] = []
    with contextlib.suppress(EOFError, OSError):
        while once and (not heard or heard[-1][0] != once):
            heard.append(receiver.recv())
    time.sleep(after_s)
    process.kill()
    process.join()
    with contextlib.suppress(EOFError, OSError):
        while True:
            heard.append(receiver.recv())
    receiver.close()
    process.close()
    return heard


def run_out_of_room(folder: Path, recovery: str, told: Sender) -> None:
    """Save until this process may make no file longer, then until it may again, telling of each."""
    import resource

    vault = opening.open_with_words(folder, recovery)
    person = ask(vault, caseload.known_people)[0].id
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "journal.db").stat().st_size + 100_000, most))
    try:
        while True:
            told.send(("saved", do(vault, journal.write, NewEntry(person, said="words " * 1500)).entry_id))
    except LeadworkerError as trouble:
        told.send(("trouble", trouble.code))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    told.send(("went on", do(vault, journal.write, NewEntry(person, said="there is room again")).entry_id))
    time.sleep(60)


def open_as_nobody(mine: Path, folder: Path, recovery: str, told: Sender) -> None:
    """Open a vault without the right to write in its folder, and tell how it ended."""
    opening.open_with_words(mine, recovery).close()  # so that nothing has to be imported from where nobody may look
    parents = [folder, *folder.parents]
    for parent in parents[:-1]:
        if parent.stat().st_uid == os.geteuid() and str(parent).startswith(tempfile.gettempdir()):
            parent.chmod(0o555 if parent == folder else 0o755)
    for path in folder.iterdir():
        path.chmod(0o444)
    if os.geteuid() == 0:
        os.setegid(65534)
        os.seteuid(65534)
    try:
        opening.open_with_words(folder, recovery)
        told.send(("ended", "opened", ""))
    except LeadworkerError as error:
        told.send(("ended", error.code, error.sentence))
    time.sleep(60)
