"""What a command is given besides its own options: which vault, the passphrase for it, and how to answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import msgspec
import typer

from leadworker import wiring
from leadworker.errors import LeadworkerError, WrongPassphrase
from leadworker.plain import output, secret
from leadworker.words.saying import say_count
from screens import crash

if TYPE_CHECKING:
    from leadworker.desk import Desk
    from leadworker.shelf import Shelf
    from storage.vault import Vault

P = ParamSpec("P")
T = TypeVar("T")


class Stopped(Exception):
    """Something went wrong that nobody foresaw. The report is in the vault, under `reference`."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class Place:
    """Which vault a command works on, and how it answers."""

    def __init__(self, folder: Path, passphrase_file: Path | None, *, as_json: bool, purpose: str) -> None:
        self.folder = folder
        self.passphrase_file = passphrase_file
        self.as_json = as_json
        self.purpose = purpose

    def passphrase(self, question: str = "Passphrase: ") -> str:
        """Return the passphrase from the file that was named, else ask for it."""
        if self.passphrase_file is not None:
            return secret.first_line(self.passphrase_file)
        return secret.ask(question)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Open]:
        """Open the vault for a block; raises what `wiring.open_now` raises."""
        self.refuse_without_vault()
        passphrase = self.passphrase()
        with self.kept_open(lambda: wiring.open_now(self.folder, passphrase, purpose=self.purpose)) as opened:
            yield opened

    @contextlib.contextmanager
    def opened_with_words(self, words: str) -> Iterator[Open]:
        """Open the vault with its recovery words for a block."""
        from storage import opening

        self.refuse_without_vault()
        with self.opened_by(lambda: opening.open_with_words(self.folder, words, purpose=self.purpose)) as opened:
            yield opened

    @contextlib.contextmanager
    def opened_by(self, unlock: Callable[[], Vault]) -> Iterator[Open]:
        """Open the vault in another way than usual for a block. A wrong try counts like one with the passphrase."""
        from leadworker.desk import Desk
        from storage.tries import Tries

        tries = Tries(self.folder)

        def counted() -> tuple[Desk, Vault]:
            wait = tries.wait()
            if wait > 0:
                raise WrongPassphrase(f"Too many wrong tries. Wait {int(wait) + 1} seconds, then try again. Nothing was opened.")
            try:
                vault = unlock()
            except WrongPassphrase:
                tries.wrong()
                raise
            tries.right()
            return Desk(vault, vault.name), vault

        with self.kept_open(counted) as opened:
            yield opened

    @contextlib.contextmanager
    def kept_open(self, unlock: Callable[[], tuple[Desk, Vault]]) -> Iterator[Open]:
        """Hold what `unlock` opens for a block, print what opening found out, and close it whatever happens."""
        try:
            desk, vault = unlock()
        except WrongPassphrase as error:
            raise WrongPassphrase(f"{error.sentence}{_tries_left(self.folder, error)}") from None
        try:
            desk.on_warning(output.warn)
            output.warn(*vault.notices, *([_sentence(vault.clock_doubt)] if vault.clock_doubt else []))
            yield Open(desk, vault)
        except (LeadworkerError, typer.Abort):  # Ctrl+C at a question, or nobody there to answer it, is no fault
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, its report goes into the vault and nowhere else
            reference = crash.reference()
            with contextlib.suppress(Exception):  # the notice must still appear
                wiring.keep_crash_report(vault, crash.report_of(error, reference))
            raise Stopped(reference) from None
        finally:
            desk.close_now()

    def tell(self, document: msgspec.Struct, lines: Iterable[str]) -> None:
        """Print what was found out, as this command was asked to."""
        output.tell(document, lines, as_json=self.as_json)

    def hand_over(self, document: msgspec.Struct, lines: Iterable[str]) -> None:
        """Print what is shown once, before the change that makes it needed; raises when nobody can have seen it."""
        output.hand_over(document, lines, as_json=self.as_json)

    def refuse_without_vault(self) -> None:
        """Say that there is no vault before anybody types a passphrase for it."""
        from storage import opening, vault_file

        if not opening.exists(self.folder):
            vault_file.read(self.folder)  # raises the sentence


class Open:
    """An open vault, as commands use it."""

    def __init__(self, desk: Desk, vault: Vault) -> None:
        self.desk = desk
        self.vault = vault

    @property
    def me(self) -> str:
        """The name of the person whose vault this is."""
        return self.desk.me

    def now(self) -> datetime:
        """Return the time on this laptop's clock."""
        return self.vault.clock.now()

    def ask(self, query: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask a question and wait for the answer."""
        return self.desk.ask_now(query, *args, **kwargs)

    def do(self, deed: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do a deed and wait until it is durable."""
        return self.desk.do_now(deed, *args, **kwargs)

    def on_thread(self, work: Callable[[], T]) -> T:
        """Run something on the storage thread and wait for it; a database's own error becomes its sentence."""
        from storage.engine import DatabaseError, explain

        future: Future[T] = self.vault.submit(work)
        try:
            return future.result()
        except DatabaseError as error:
            raise explain(error) from error


def _tries_left(folder: Path, error: WrongPassphrase) -> str:
    from storage.tries import Tries

    if error.sentence.startswith("Too many"):
        return ""
    tries = Tries(folder)
    wait = tries.wait()
    if wait > 0:
        minutes = -(-int(wait) // 60)
        return f" The next try is possible in {say_count(max(minutes, 1), 'minute', 'minutes')}."
    return f" {say_count(tries.left(), 'try', 'tries')} left before a wait of 1 minute."


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


__all__ = ["Open", "Place", "Stopped"]
