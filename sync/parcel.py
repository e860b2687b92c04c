"""The inside of a file that is carried between a laptop without a network and the central store (docs/sync-protocol.md).

One way it says what the laptop has and holds what waits there; the other way it holds what the central store answered. Both
are what would have gone over the line: sealed changes, signed statements, pages with the store's receipts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from leadworker.crypto import parcels
from leadworker.crypto.parcels import NotAParcel
from leadworker.durable import sync_folder
from leadworker.errors import DiskTrouble, Refused
from sync import wire

TO_STORE: Final = ".to-store"
ANSWER: Final = ".answer"
PREFIX: Final = "leadworker-"
LARGEST: Final = 1 << 30


class Asks(msgspec.Struct, frozen=True, array_like=True, tag="asks"):
    """Begins a file for the central store: which organisation and store, the errand, how far each book is here."""

    organisation: bytes
    hub: bytes
    errand: bytes
    stands: dict[bytes, int]
    changes: int


class Founds(msgspec.Struct, frozen=True, array_like=True, tag="founds"):
    """The statements that found one book."""

    changes: tuple[wire.OpenChange, ...]


class Sends(msgspec.Struct, frozen=True, array_like=True, tag="sends"):
    """One push."""

    runs: tuple[wire.Run, ...]


class Answers(msgspec.Struct, frozen=True, array_like=True, tag="answers"):
    """Begins the file that goes back: which organisation and store, and which parcel it answers."""

    organisation: bytes
    hub: bytes
    parcel: bytes


class Brings(msgspec.Struct, frozen=True, array_like=True, tag="brings"):
    """A page of one book, as the central store gave it."""

    book: bytes
    page: wire.Page


class Tells(msgspec.Struct, frozen=True, array_like=True, tag="tells"):
    """Why the central store did not take something, in its words."""

    code: str
    sentence: str


Frame = Asks | Founds | Sends | Answers | Brings | Tells


def name_of(parcel: bytes, kind: str) -> str:
    """Return the name of a parcel's file. It says nothing of who wrote it."""
    return f"{PREFIX}{parcel.hex()[:16]}{kind}"


def found_in(folder: Path, kind: str) -> tuple[Path, ...]:
    """Return the parcels of a kind in a folder, in the order of their names: plain files, never what a link points to."""
    return tuple(sorted(path for path in folder.glob(f"{PREFIX}*{kind}") if not path.is_symlink() and path.is_file()))


def tidy(folder: Path) -> None:
    """Take away what was begun and never came to its end: the stick was pulled out, or the power failed."""
    for path in folder.glob(f"{PREFIX}*.part"):
        with contextlib.suppress(OSError):
            path.unlink()


def take_away(file: Path) -> None:
    """Take away a file that has done its work. One that cannot be is passed over at the next visit: all of it is here."""
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)


def reading(file: Path) -> BinaryIO:
    """Open a parcel's file to be read; raise `NotAParcel` where it is larger than any that leadworker writes."""
    opened = open(file, "rb")  # noqa: SIM115 - whoever asks for it closes it
    if os.fstat(opened.fileno()).st_size > LARGEST:
        opened.close()
        raise NotAParcel("it is larger than any that leadworker writes")
    return opened


def opened(read: Callable[[int], bytes], device: bytes, unseal: Callable[[bytes, bytes], bytes]) -> Iterator[Frame]:
    """Give the frames of a parcel, each checked; raise `NotAParcel`, or `CannotOpen` where it is not for this laptop."""
    for raw in parcels.unseal(read, device, unseal):
        try:
            yield msgspec.msgpack.decode(raw, type=Frame)
        except (msgspec.DecodeError, RecursionError) as error:
            raise NotAParcel("a part of it cannot be read; it may be of a newer leadworker") from error


class Writing:
    """Writes one parcel to a folder, under its name only once it is whole and durable; raises `DiskTrouble`.

    Until then it stands beside it under another name, which nobody reads, and is taken away when writing stops early.
    """

    def __init__(self, folder: Path, parcel: bytes, kind: str, recipients: Mapping[bytes, bytes]) -> None:
        self._path = folder / name_of(parcel, kind)
        self._part = self._path.with_name(self._path.name + ".part")
        self._recipients, self._parcel = recipients, parcel
        self._whole = False
        self.room = LARGEST - 2 * parcels.LARGEST_FRAME
        """Bytes that still fit; who goes on writing after that is stopped."""

    async def __aenter__(self) -> Writing:
        await asyncio.to_thread(self._begin)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._leave)

    async def add(self, frame: Frame) -> None:
        """Write a frame; raise `Refused` where the file would become larger than anybody reads."""
        await asyncio.to_thread(self._add, frame)

    async def finish(self) -> None:
        """Make the parcel whole, durable, and visible under its name."""
        await asyncio.to_thread(self._finish)

    def _begin(self) -> None:
        self._sealing = parcels.Sealing(self._recipients, self._parcel)
        with _disk():
            self._part.unlink(missing_ok=True)
            self._file = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            self._file.write(self._sealing.begin())

    def _add(self, frame: Frame) -> None:
        raw = msgspec.msgpack.encode(frame)
        self.room -= len(raw)
        if self.room < -parcels.LARGEST_FRAME or len(raw) > parcels.LARGEST_FRAME - 64:
            raise Refused("This is more than one file holds. Nothing was written; everything is saved here.")
        with _disk():
            self._file.write(self._sealing.add(raw))

    def _finish(self) -> None:
        with _disk():
            self._file.write(self._sealing.end())
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._part, self._path)
            self._whole = True
            sync_folder(self._path.parent)

    def _leave(self) -> None:
        with contextlib.suppress(OSError):  # what stopped the writing is told, not that tidying up failed too
            self._file.close()  # on a full stick this fails as well: what was not written yet is tried once more
        if not self._whole:
            take_away(self._part)


@contextlib.contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskTrouble(
            f"The folder could not be written to: {error.strerror}. Everything is saved on this laptop. "
            "Is the stick full, locked, or pulled out? Visit it again when that is put right."
        ) from error
