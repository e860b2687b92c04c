"""The front door: the one place that joins storage, sync and screens.

Nothing here imports the database or the network at module level: the unlock screen paints first, and the rest is loaded
behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from leadworker.clock import Clock, SystemClock
from leadworker.desk import Created, Desk, NoPost, PostState
from leadworker.errors import WrongPassphrase

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadworker.directory import Directory
    from storage.postbox import VaultPostbox
    from storage.vault import Vault

PURPOSE = "the leadworker screens"
GREETING_VARIABLE = "LEADWORKER_GREETING"
RELAY_VARIABLE = "LEADWORKER_RELAY"
LOCK_AGAIN = 75
"""The exit code by which a locked program asks its relay, on Windows, to start a fresh one."""

SHORTEST_PASSPHRASE = 14


class VaultDoor:
    """Implements `leadworker.desk.Door` over one folder."""

    def __init__(self, folder: Path, *, clock: Clock | None = None, memory_kib: int | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._memory_kib = memory_kib
        self._vault: Vault | None = None

    def vault_exists(self) -> bool:
        return any((self._folder / name).exists() for name in ("vault.json", "vault.copy.json"))

    def where(self) -> str:
        return str(self._folder)

    async def open(self, passphrase: str) -> Desk:
        from storage import opening

        return await self._open(lambda: opening.open_with_passphrase(self._folder, passphrase, clock=self._clock, purpose=PURPOSE))

    async def open_with_words(self, words: str) -> Desk:
        from storage import opening

        return await self._open(lambda: opening.open_with_words(self._folder, words, clock=self._clock, purpose=PURPOSE))

    def tries_left(self) -> int:
        from storage.tries import Tries

        return Tries(self._folder).left()

    def wait_before_next_try(self) -> float:
        from storage.tries import Tries

        return Tries(self._folder).wait()

    def suggest_passphrase(self) -> str:
        from leadworker.crypto.words import suggest_passphrase

        return suggest_passphrase()

    async def judge_passphrase(self, passphrase: str) -> str:
        return await asyncio.to_thread(judge_passphrase, passphrase)

    async def create(self, name: str, passphrase: str) -> Created:
        from storage import opening

        vault, words = await asyncio.to_thread(
            opening.create, self._folder, name, passphrase, clock=self._clock, memory_kib=self._memory_kib, purpose=PURPOSE,
            read_back=False,
        )  # fmt: skip
        self._vault = vault
        return Created(await desk_of(vault, self._clock), words)

    def report_crash(self, report: str) -> None:
        if self._vault is None:
            return
        with contextlib.suppress(Exception):  # the last thing before the end; it may not raise a second trouble
            keep_crash_report(self._vault, report)

    async def _open(self, opening: Callable[[], Vault]) -> Desk:
        from storage.tries import Tries

        tries = Tries(self._folder)
        try:
            self._vault = vault = await asyncio.to_thread(opening)
        except WrongPassphrase:
            tries.wrong()
            raise
        tries.right()
        return await desk_of(vault, self._clock)


async def desk_of(vault: Vault, clock: Clock) -> Desk:
    """Return the desk over an open vault, with the post going where one has joined an organisation."""
    from storage.postbox import VaultPostbox

    box = VaultPostbox(vault)
    joined = await box.joined()
    desk = Desk(vault, vault.name)
    desk.notices = tuple(vault.notices) + ((_capital(vault.clock_doubt),) if vault.clock_doubt else ())
    if joined is None:
        counts = await box.counts()
        desk.post = NoPost(PostState(last_backup_ms=counts.last_backup_ms))
        return desk
    from sync.client import HubClient
    from sync.live import Hearing
    from sync.runner import Runner

    runner = Runner(box, HubClient(joined.hub_url, box.device, box.sign, clock), clock, desk.ring, hearing=Hearing())
    desk.post = runner
    desk.on_change(runner.something_changed)
    runner.start()
    return desk


def open_now(folder: Path, passphrase: str, *, purpose: str, clock: Clock | None = None) -> tuple[Desk, Vault]:
    """Open a vault for a command: no event loop, no post."""
    from storage import opening
    from storage.tries import Tries

    tries = Tries(folder)
    wait = tries.wait()
    if wait > 0:
        raise WrongPassphrase(f"Too many wrong tries. Wait {int(wait) + 1} seconds, then try again. Nothing was opened.")
    try:
        vault = opening.open_with_passphrase(folder, passphrase, clock=clock, purpose=purpose)
    except WrongPassphrase:
        if (folder / "vault.json").exists():
            tries.wrong()
        raise
    tries.right()
    return Desk(vault, vault.name), vault


def postbox_of(vault: Vault) -> VaultPostbox:
    """Return the post's side of an open vault, for commands."""
    from storage.postbox import VaultPostbox

    return VaultPostbox(vault)


def signing_keys(directory: Directory | None) -> Callable[[bytes], bytes | None]:
    """Return how to find the signing key of whoever signed something: a device of the directory, or its root."""
    from leadworker.statements import root_id

    def key_of(signer: bytes) -> bytes | None:
        if directory is None or directory.founding is None:
            return None
        if signer == root_id(directory.founding.root):
            return directory.founding.root
        enrolled = directory.devices.get(signer)
        return None if enrolled is None else enrolled.statement.signing

    return key_of


def judge_passphrase(passphrase: str) -> str:
    """Return an empty text for a passphrase that is strong enough, else what is wrong with it in a sentence (C.2)."""
    plain = " ".join(passphrase.split())
    if len(plain) < SHORTEST_PASSPHRASE:
        return f"That is too short: at least {SHORTEST_PASSPHRASE} characters. The generated one is safer and easier."
    from zxcvbn import zxcvbn

    if zxcvbn(plain[:72])["guesses_log10"] < 12:
        return "That would be guessed too soon. Take words that do not belong together, or the generated one."
    return ""


def keep_crash_report(vault: Vault, report: str) -> None:
    """Keep a crash report inside the vault, where nobody without its key can read it."""
    stamp = f"{vault.clock.now():%Y%m%d%H%M%S%f}"
    vault.write(lambda shelf: shelf.keep("crash", stamp, report.encode())).result(timeout=2)


def run_screens(
    folder: Path, *, theme: str | None = None, ascii_only: bool | None = None, passphrase: str = "", after_lock: str = ""
) -> int:
    """Open the terminal program; return the exit code. A lock replaces this process by a fresh one (security 0.4).

    With `passphrase` (the demo's) it opens at once the first time; `after_lock` is what the unlock screen then says.
    """
    from screens.environment import tidy_environment

    tidy_environment()
    if sys.platform == "win32" and RELAY_VARIABLE not in os.environ:
        return _relay(after_lock)
    from screens.app import LeadworkerApp
    from screens.base import How

    harden_process()
    door = VaultDoor(folder)
    greeting = os.environ.pop(GREETING_VARIABLE, "")
    opening = (lambda: door.open(passphrase)) if passphrase and not greeting else None
    app = LeadworkerApp(door, greeting=greeting, theme=theme, ascii_only=ascii_only, opening=opening)
    ending = app.run()
    if ending is not None and ending.how is How.LOCKED:
        return replace_process(after_lock or ending.greeting or "Locked.")
    return app.return_code or 0


def replace_process(greeting: str) -> int:
    """Start this program again in place of itself, so that no key and no word stays in memory (C.2)."""
    os.environ[GREETING_VARIABLE] = greeting
    if sys.platform != "win32":
        sys.stdout.flush()
        os.execv(sys.executable, _same_again())
    return LOCK_AGAIN


def _same_again() -> list[str]:
    """Return the command that started this program; its arguments never hold a secret."""
    module = getattr(sys.modules["__main__"].__spec__, "name", None) or "leadworker"
    return [sys.executable, "-P", "-m", module.removesuffix(".__main__"), *sys.argv[1:]]


def _relay(after_lock: str) -> int:
    """On Windows a process cannot be replaced: a small parent that never holds a secret starts a fresh child at each lock."""
    environment = dict(os.environ, **{RELAY_VARIABLE: "1"})
    greeting = ""
    while True:
        environment[GREETING_VARIABLE] = greeting
        code = subprocess.run(_same_again(), env=environment, check=False).returncode
        if code != LOCK_AGAIN:
            return code
        greeting = after_lock or "Locked. Your note is kept."


def harden_process() -> None:
    """Keep other programs of this account out of this one's memory, and memory out of core files, where that can be asked."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        pr_set_dumpable = 4
        ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:] + "."
