"""A colleague's laptop in a world: its real vault, its disk that can be copied and put back, and what its owner has typed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from leadworker import change
from leadworker.domain import readers
from leadworker.errors import PostError, VaultDamaged
from storage import mending, opening, vault_file
from storage.anchor import FILE_BYTES
from storage.vault import ANCHOR_NAME, Vault
from tests.laptops import Laptop, Template
from tests.simulator.central import Central
from tests.simulator.edge import Died
from tests.simulator.network import Weather, Wire
from tests.simulator.world import World, WorldClock

T = TypeVar("T")

NOT_COPIED = shutil.ignore_patterns("*-shm", "vault.lock", "vault.holder.json")
URL = "http://127.0.0.1:8470"


class Machine:
    """One laptop. `typed` are the words that its owner wrote and was told were saved, with the person they are about."""

    def __init__(self, world: World, central: Central, weather: Weather, name: str, template: Template) -> None:
        self.world, self.central, self.name, self.words = world, central, name, template.words
        self.clock = WorldClock(world)
        self.wire = Wire(world, central, weather, name)
        self._folders = itertools.count()
        self.task: asyncio.Task[None] | None = None
        self.typed: dict[str, str] = {}
        self.taken: dict[bytes, tuple[bytes, int]] = {}
        """The book and the number of every change for which this laptop has ever held a receipt."""
        self.every_key: dict[bytes, set[bytes]] = {}
        """Every key that its vault has ever held, by book."""
        self.copy: Path | None = None
        self.doom: tuple[str, int] | None = None
        """The stage of a save at which the power fails, and how many saves come before it."""
        self.must_sync_first = False
        self.replaced = False
        self._in_deed = False
        self.folder = self._next_folder()
        shutil.copytree(template.folder, self.folder, ignore=NOT_COPIED)
        self._open(opening.open_with_words(self.folder, self.words, clock=self.clock, purpose="a world"))

    def _next_folder(self) -> Path:
        return self.world.folder / f"{self.name.split()[0].lower()}-{next(self._folders)}"

    def _open(self, vault: Vault) -> None:
        self.laptop = Laptop(self.name, self.folder, vault, URL, self.clock, self.wire)  # type: ignore[arg-type]
        self.device = self.laptop.box.device

    @property
    def vault(self) -> Vault:
        return self.laptop.vault

    # What its owner does

    def do(self, deed: Callable[..., T], *given: object, **named: object) -> T:
        """Do a deed; raises `Died` when the power fails in its save, after the laptop is up again."""
        self._in_deed = True
        try:
            return self.laptop.desk.do_now(deed, *given, **named)
        except Died:
            self.come_up_again()
            raise
        finally:
            self._in_deed = False

    def ask(self, question: Callable[..., T], *given: object, **named: object) -> T:
        return self.laptop.desk.ask_now(question, *given, **named)

    def begin_sync(self) -> None:
        """Send and receive in the background, unless that is under way."""
        if self.task is None or self.task.done():
            self.begin(self._sync)

    def begin(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do something with the central store in the background; what does not get through is tried again some other time."""
        if self.busy:
            return

        async def guarded() -> None:
            try:
                await work()
            except PostError as error:
                self.world.note(self.name, f"{type(error).__name__}: {error.sentence}")
            except Died:
                pass
            except RuntimeError as error:
                if str(error) != "the vault is closed":
                    raise

        self.task = asyncio.get_running_loop().create_task(guarded())

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()

    async def _sync(self) -> None:
        result = await self.laptop.sync_somehow()
        self.must_sync_first = False
        self.world.note(self.name, f"synced: {result.received} received, {result.sent} sent, {result.alarms}")

    async def sync_now(self) -> tuple[str, ...]:
        """Send and receive once with nothing in the way; return the alarms."""
        result = await self.laptop.sync_somehow()
        self.world.note(self.name, f"synced: {result.received} received, {result.sent} sent, {result.alarms}")
        self.note_receipts()
        return result.alarms

    # What happens to it

    def loses_power(self) -> None:
        """Lose the power now, wherever a sync stands, and come up again."""
        self.world.note(self.name, "loses its power")
        self.fallen = self._image()
        self.come_up_again()

    def at_stage(self, stage: str) -> None:
        """Lose the power in the middle of a save, if that is what is to happen."""
        if self.doom is None or self.doom[0] != stage:
            return
        if self.doom[1]:
            self.doom = (stage, self.doom[1] - 1)
            return
        self.doom = None
        self.world.note(self.name, f"loses its power {stage}")
        self.note_receipts()
        self.fallen = self._image()
        if not self._in_deed:
            asyncio.get_running_loop().call_soon(self.come_up_again)
        raise Died

    def come_up_again(self) -> None:
        """Open what the disk held when the power failed."""
        self.note_receipts()
        self._drop()
        self.folder = self.fallen
        self._open(opening.open_with_words(self.folder, self.words, clock=self.clock, purpose="a world"))

    def keep_a_copy(self) -> None:
        """Let somebody copy the disk."""
        self.world.note(self.name, "is copied")
        self.copy = self._image()

    def goes_back(self, how: str) -> None:
        """Put the copy of the disk back: `noticed` and mended, from a `backup`, or the `whole` folder, which nobody notices."""
        assert self.copy is not None
        self.world.note(self.name, f"goes back: {how}")
        self.note_receipts()
        self.doom = None
        anchor = (self.folder / ANCHOR_NAME).read_bytes()
        self.fallen = self._next_folder()
        shutil.copytree(self.copy, self.fallen)
        self._drop()
        self.folder = self.fallen
        if how == "backup":
            (self.folder / vault_file.RESTORED).write_bytes(b"put back from a backup\n")
        elif how == "noticed":
            assert len(anchor) == FILE_BYTES
            (self.folder / ANCHOR_NAME).write_bytes(anchor)
            with contextlib.suppress(VaultDamaged):
                self._open(opening.open_with_words(self.folder, self.words, clock=self.clock, purpose="a world"))
                return  # nothing was lost between the two
            vault, mended = mending.mend(self.folder, self.words, with_words=True, clock=self.clock)
            self.world.note(self.name, f"is mended: {mended.changes} changes, {mended.missing} missing")
            self._open(vault)
            return
        self.must_sync_first = how == "whole"
        self._open(opening.open_with_words(self.folder, self.words, clock=self.clock, purpose="a world"))

    def stops(self) -> None:
        """Shut it."""
        self._drop()

    def _drop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.task = None
        self.vault.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _image(self) -> Path:
        image = self._next_folder()
        shutil.copytree(self.folder, image, ignore=NOT_COPIED)
        return image

    # What it knows

    def note_receipts(self) -> None:
        """Keep what the store has ever given this laptop a receipt for; a change has one number for ever."""
        sql = """SELECT b.id, c.header, c.n FROM change c JOIN lane l ON l.no = c.lane_no JOIN book b ON b.no = c.book_no
                 WHERE l.mine = 1 AND c.n IS NOT NULL"""
        for book, header, n in self.laptop.sql(sql):
            known = self.taken.setdefault(change.change_id(bytes(header)), (bytes(book), int(str(n))))
            assert known == (book, n), "a change was given a second number"
        for book, secret in self.laptop.sql("SELECT b.id, k.secret FROM book_key k JOIN book b ON b.no = k.book_no"):
            self.every_key.setdefault(bytes(book), set()).add(bytes(secret))  # type: ignore[arg-type]

    def decides(self) -> list[str]:
        """Return the people of whose casebooks its owner decides who reads them."""
        return [person for person in self.people() if not self.ask(readers.why_not, person)]

    def people(self) -> list[str]:
        """Return the ids of everybody in the vault, in order."""
        return [str(row[0]) for row in self.laptop.sql("SELECT subject FROM book WHERE subject != '' ORDER BY subject")]

    def texts(self) -> set[str]:
        """Return the first lines of every entry in the vault."""
        return {str(row[0]) for row in self.laptop.sql("SELECT title FROM journal_entry")}
