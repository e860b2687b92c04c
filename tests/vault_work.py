"""What real processes do with a vault until they are killed, and how a test kills them.

Each tells over a pipe of what it has done, and only after it is durable.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from leadworker.crypto import keys
from leadworker.domain import actions, caseload, drafts, journal, people
from leadworker.domain.journal import NewEntry
from leadworker.errors import LeadworkerError
from storage import backing_up, clerk, migrations, opening, rekeying, slots
from storage.engine import Connection
from tests.vaults import OWNER, PASSPHRASE, ask, back_up, do


class Sender(Protocol):
    """The end of a pipe by which a process tells what it has done."""

    def send(self, told: tuple[object, ...]) -> None: ...


@functools.cache
def processes() -> Any:
    """Return a way to start real processes that need not import everything again, where the system has one."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.vault_work"])
    return context


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


def change_the_key(folder: Path, recovery: str, told: Sender) -> None:
    """Re-key a vault, telling of the passphrase that then opens it and of the end."""
    derive_quickly()
    vault = opening.open_with_words(folder, recovery)
    told.send(("open",))
    rekeying.begin(vault, "the passphrase of the new key", lambda words: None, memory_kib=keys.FLOOR_KIB)
    vault.close()
    told.send(("begun",))
    opening.open_with_passphrase(folder, "the passphrase of the new key").close()
    told.send(("done",))
    time.sleep(60)


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
    migrations.STEPS = (*migrations.STEPS, new_step)  # type: ignore[misc]
    migrations.VERSION = len(migrations.STEPS)  # type: ignore[misc]
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


def killed(work: Callable[..., None], *given: object, after_s: float, once: str = "", deeds: int = 0) -> list[tuple[Any, ...]]:
    """Start `work` in a process of its own, kill it, and return what it told.

    The kill comes `after_s` seconds after it told `once` and `deeds` things more.
    """
    receiver, sender = processes().Pipe(duplex=False)
    process = processes().Process(target=work, args=(*given, sender), daemon=True)
    process.start()
    sender.close()
    heard: list[tuple[Any, ...]] = []
    with contextlib.suppress(EOFError, OSError):
        while once and (not heard or heard[-1][0] != once):
            heard.append(receiver.recv())
        for _ in range(deeds):
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
    folder.chmod(0o555)
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
