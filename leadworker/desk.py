"""The desk: what a screen or a command holds. It asks questions and does deeds, and hears what has changed.

Everything runs on the one storage thread, in order. A deed returns only after it is durable; then the bell rings with
the topics and ids that changed, whether the change was made here or received.
Nothing here imports the database, so that the unlock screen paints first.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

from leadworker.errors import LeadworkerError, Refused, SavedUnmarked
from leadworker.words.saying import say_count

if TYPE_CHECKING:
    from leadworker.domain.attachments import SealedFile
    from leadworker.shelf import Shelf

P = ParamSpec("P")
T = TypeVar("T")


class Bell(msgspec.Struct, frozen=True):
    """What a commit changed: topics such as ``journal_entry``, and the ids of people and records it touched."""

    topics: frozenset[str]
    ids: frozenset[str]


CARRIERS = "colleague of your team or an administrator"
"""Whose laptop can carry what is written here to a stick: it is sealed to those."""

THEIR_CARRIERS = "colleague of the writer's team or an administrator"

AT_ONCE = "What colleagues send is here at once."
"""What `PostState.notices` says while the line for notices is up."""


class PostState(msgspec.Struct, frozen=True):
    """How things stand between this laptop and the central store.

    `word` is ``alone`` (joined to no organisation), ``offline``, ``sending``, ``up to date`` or ``stuck``.
    `doing` says what a sync is doing while the word is ``sending``, with how much of how much (0 for not known yet).
    Times are UTC milliseconds, 0 for never. `late` are changes that can only be handed in to somebody, `handed_in`
    those that were, `to_take_in` late submissions that were handed in to this laptop.
    """

    word: str = "alone"
    sentence: str = "This vault is on this laptop only."
    waiting: int = 0
    doing: str = "sending"
    sending_done: int = 0
    sending_of: int = 0
    offline_since_ms: int = 0
    last_sent_ms: int = 0
    last_received_ms: int = 0
    last_received: str = ""
    last_backup_ms: int = 0
    put_aside: int = 0
    late: int = 0
    handed_in: int = 0
    to_take_in: int = 0
    apart: int = 0
    alarm: str = ""
    clock_warning: str = ""
    organisation: str = ""
    hub: str = ""
    notices: str = ""
    """How soon what colleagues send is here, in a sentence; empty while nothing was sent or received yet."""


class Carried(msgspec.Struct, frozen=True):
    """What a visit to a stick did: changes of others that were `received` from it, own ones that it `confirmed`, for whom files
    were `carried`, and how many changes were `written` for others to carry (None for no file).

    `left` are files of others that wait on it for a laptop with a network. `alarms` are sentences about what does not hold.
    """

    received: int = 0
    confirmed: int = 0
    answers: int = 0
    carried: tuple[str, ...] = ()
    written: int | None = None
    left: int = 0
    alarms: tuple[str, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """Say what was done and what is to be done now, the alarms aside."""
        return tuple(_carried(self))


def _carried(done: Carried) -> Iterator[str]:
    if done.answers:
        mine = f"{say_count(done.confirmed, 'change', 'changes')} of yours {'is' if done.confirmed == 1 else 'are'} on the central store"
        yield f"Read what was brought back: {say_count(done.received, 'change', 'changes')} from colleagues received, {mine}."
    if done.carried:
        yield f"Carried for {', '.join(done.carried)}. Take the stick back: the answer is on it."
    if done.written:
        yield (
            f"Wrote {say_count(done.written, 'change', 'changes')} to be carried. Take the stick to a laptop with a network, of a "
            f"{CARRIERS}, visit it there, and bring it back."
        )
    elif done.written == 0:
        yield f"Nothing waits here, so a file was written that asks for what is new. A laptop with a network, of a {CARRIERS}, carries it."
    elif not done.carried and not done.answers:
        yield "Nothing on it is for this laptop. It reaches the central store by itself; a sync sends and receives."
    if done.left:
        waits = say_count(done.left, "file of somebody else waits", "files of others wait")
        yield f"{waits} on it for a laptop with a network that may carry {'it' if done.left == 1 else 'them'}: of a {THEIR_CARRIERS}."


class Post(Protocol):
    """What carries changes to and from the central store. `sync.runner` implements it."""

    @property
    def state(self) -> PostState: ...

    def listen(self, callback: Callable[[PostState], None]) -> Callable[[], None]:
        """Call `callback` on the event loop whenever the state changes; return how to stop."""

    async def sync_now(self) -> PostState:
        """Send and receive now; never raises for a network that is not there."""

    async def visit_stick(self, folder: Path) -> Carried:
        """Read, carry and write what can be in a folder on a stick; raises `LeadworkerError` where nothing can."""

    async def stop(self) -> None:
        """Finish the request under way, at most a few seconds, and do no more."""


class Files(Protocol):
    """The sealed bytes of attached files. `storage.attachment_files` implements it; any thread may call it."""

    def seal(self, source: Path, book: str, person_id: str, stop: Callable[[], bool] = ...) -> SealedFile: ...

    def forget(self, digest: str) -> None: ...

    def save(self, sealed: SealedFile, target: Path) -> None: ...


class Keeper(Protocol):
    """The store behind the desk: one thread that reads and writes. `storage.clerk` implements it."""

    @property
    def files(self) -> Files: ...

    def read(self, work: Callable[[Shelf], T]) -> Future[T]: ...

    def write(self, work: Callable[[Shelf], T]) -> Future[tuple[T, Bell]]: ...

    def close(self) -> None: ...


class NoPost:
    """The post of a vault that has joined no organisation."""

    def __init__(self, state: PostState | None = None) -> None:
        self._state = state or PostState()

    @property
    def state(self) -> PostState:
        return self._state

    def listen(self, callback: Callable[[PostState], None]) -> Callable[[], None]:
        return lambda: None

    async def sync_now(self) -> PostState:
        return self._state

    async def visit_stick(self, folder: Path) -> Carried:
        raise Refused("This vault is on this laptop only, so there is nothing to carry. “leadworker join” takes an invite.")

    async def stop(self) -> None:
        return None


class Desk:
    """An open vault, as screens and commands see it."""

    def __init__(self, keeper: Keeper, me: str, post: Post | None = None) -> None:
        self._keeper = keeper
        self._listeners: list[Callable[[Bell], None]] = []
        self._warned: list[Callable[[str], None]] = []
        self.me = me
        self.post: Post = post or NoPost()
        self.notices: tuple[str, ...] = ()
        """What opening found out and mended by itself, in sentences to be shown once."""

    async def ask(self, query: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a question on the storage thread and return its answer."""
        return await asyncio.wrap_future(self._keeper.read(lambda shelf: query(shelf, *args, **kwargs)))

    async def do(self, deed: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a deed on the storage thread. When this returns, what it did is durable."""
        try:
            result, bell = await asyncio.wrap_future(self._keeper.write(lambda shelf: deed(shelf, *args, **kwargs)))
        except SavedUnmarked as error:
            result, bell = self._done_all_the_same(error)
        self.ring(bell)
        return result

    def ask_now(self, query: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a question and wait for it: for commands, which have no event loop."""
        return self._keeper.read(lambda shelf: query(shelf, *args, **kwargs)).result()

    def do_now(self, deed: Callable[Concatenate[Shelf, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a deed and wait until it is durable: for commands."""
        try:
            result, bell = self._keeper.write(lambda shelf: deed(shelf, *args, **kwargs)).result()
        except SavedUnmarked as error:
            result, bell = self._done_all_the_same(error)
        self.ring(bell)
        return result

    async def attach(self, person_id: str, source: Path, *, entry_id: str = "", name: str = "") -> str:
        """Seal a file into the vault and write it down; return its id. When this returns, both are durable.

        Raises `NotUnderstood` for what is no plain file or too large, `NotFound`, `DiskTrouble`; then nothing is kept of it.
        """
        from leadworker.domain import attachments

        stopped = threading.Event()
        try:
            sealed = await asyncio.to_thread(self._seal, person_id, source, stopped.is_set)
        except asyncio.CancelledError:
            stopped.set()
            raise
        try:
            return await self.do(attachments.add, sealed, name=name or source.name, entry_id=entry_id)
        except LeadworkerError:
            self._keeper.files.forget(sealed.digest)  # nobody knows of these bytes
            raise

    def attach_now(self, person_id: str, source: Path, *, entry_id: str = "", name: str = "") -> str:
        """Attach a file and wait until it is durable: for commands."""
        from leadworker.domain import attachments

        sealed = self._seal(person_id, source, lambda: False)
        try:
            return self.do_now(attachments.add, sealed, name=name or source.name, entry_id=entry_id)
        except LeadworkerError:
            self._keeper.files.forget(sealed.digest)
            raise

    async def save_file(self, attachment_id: str, target: Path) -> None:
        """Write a file in clear to where somebody wants it. Raises `VaultDamaged`, `NotUnderstood`, `DiskTrouble`."""
        await asyncio.to_thread(self.save_file_now, attachment_id, target)

    def save_file_now(self, attachment_id: str, target: Path) -> None:
        """Write a file in clear and wait for it: for commands."""
        from leadworker.domain import attachments

        self._keeper.files.save(self.ask_now(attachments.sealed_file, attachment_id), target)

    def _seal(self, person_id: str, source: Path, stop: Callable[[], bool]) -> SealedFile:
        """Seal first, then write down: a record never names bytes that are not kept."""
        book = self.ask_now(lambda shelf: shelf.casebook_of(person_id))
        return self._keeper.files.seal(source, book, person_id, stop)

    def on_warning(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with a sentence when a deed was done but something about the disk needs somebody."""
        self._warned.append(callback)

    def _done_all_the_same(self, error: SavedUnmarked) -> Any:
        """What is durable is never told as undone: it would be written twice."""
        for callback in self._warned:
            callback(error.sentence)
        return error.outcome

    def on_change(self, callback: Callable[[Bell], None]) -> Callable[[], None]:
        """Call `callback` after each commit that changed something; return how to stop."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def ring(self, bell: Bell) -> None:
        """Tell every listener what changed. Called on the event loop (or, in a command, on its only thread)."""
        if bell.topics:
            for callback in tuple(self._listeners):
                callback(bell)

    async def close(self) -> None:
        """Stop the post, finish what the storage thread has begun, and close the vault."""
        await self.post.stop()
        await asyncio.get_running_loop().run_in_executor(None, self._keeper.close)

    def close_now(self) -> None:
        """Close the vault from a command."""
        self._keeper.close()


class Created(msgspec.Struct, frozen=True):
    """A vault that has just been made, open, and its sixteen recovery words, which are shown once."""

    desk: Any
    recovery_words: tuple[str, ...]


class Door(Protocol):
    """What the unlock and first-run screens hold: the way into a vault that is not open yet."""

    def vault_exists(self) -> bool: ...

    def where(self) -> str:
        """Return the vault's folder, for the words on the screen."""

    async def open(self, passphrase: str) -> Desk:
        """Open the vault; raises `WrongPassphrase`, `VaultBusy`, `VaultDamaged`, `VaultTooNew`, `DiskTrouble`."""

    async def open_with_words(self, words: str) -> Desk:
        """Open the vault with its recovery words."""

    def tries_left(self) -> int:
        """Return how many tries are left before the next wait."""

    def wait_before_next_try(self) -> float:
        """Return the seconds until another try is taken, 0 for now."""

    def suggest_passphrase(self) -> str: ...

    async def judge_passphrase(self, passphrase: str) -> str:
        """Return an empty text when a passphrase is strong enough, else what is wrong with it in a sentence."""

    async def create(self, name: str, passphrase: str) -> Created:
        """Make a vault for a person of this name and open it; `recovery.read_back` is told when its words are on paper."""

    def report_crash(self, report: str) -> None:
        """Keep a crash report inside the vault, if it is open; never raises."""
