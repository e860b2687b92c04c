"""Writes age files: to somebody's recipient, or with a passphrase; new ones only, for their owner alone, a chunk at a time."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from leadworker.durable import sync_folder
from leadworker.errors import DiskTrouble, LeadworkerError, NotUnderstood
from leadworker.text import one_line

_BINARY = getattr(os, "O_BINARY", 0)


class Recipient(msgspec.Struct, frozen=True):
    """For whom a bundle is sealed: to an age recipient (``age1…``), or with a passphrase. `name` is what people call them."""

    name: str
    age: str = ""
    passphrase: str = ""


def recipient_of(name: str, to: str) -> tuple[Recipient, str]:
    """Return for whom, and the passphrase that was made up where no recipient was named."""
    if to:
        return Recipient(name, age=to), ""
    from leadworker.crypto.words import suggest_passphrase

    words = suggest_passphrase()
    return Recipient(name, passphrase=words), words


def check_recipient(to: Recipient) -> None:
    """Raise `NotUnderstood` before anything is gathered when nothing can be sealed for this recipient."""
    if not one_line(to.name):
        raise NotUnderstood("A bundle is for somebody: say who with --for. Nothing was written.")
    if to.age:
        _recipient(to.age)


def write(file: Path, plain: Iterable[bytes], to: Recipient) -> str:
    """Seal what `plain` gives into a file that is not there yet; return its SHA-256, hexadecimal.

    Raises `NotUnderstood`, `DiskTrouble`, and whatever `plain` raises; nothing is left behind then.
    """
    with new_file(file) as into:
        out = _Out(into)
        if to.passphrase:
            from leadworker.crypto import age_passphrase

            for sealed in age_passphrase.seal(to.passphrase, plain, age_passphrase.WORK):
                out.write(sealed)
        else:
            _seal_to(to.age, _In(plain), out)
        return out.sum.hexdigest()


@contextlib.contextmanager
def new_file(file: Path) -> Iterator[BinaryIO]:
    """Open a file that is not there yet, for its owner alone, and make it durable after the block.

    Raises `NotUnderstood` and `DiskTrouble`. Whatever goes wrong in the block, nothing is left behind.
    """
    try:
        opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    except FileExistsError as error:
        raise NotUnderstood(f"There is a file {file} already. Name another one; nothing was written.") from error
    except OSError as error:
        raise DiskTrouble(f"The file {file} could not be written: {error.strerror}. Nothing was written.") from error
    try:
        with os.fdopen(opened, "w+b") as into:
            yield into
            into.flush()
            os.fsync(into.fileno())
        with contextlib.suppress(OSError):  # some sticks and shares know no such call; the file itself is there
            sync_folder(file.parent)
    except BaseException as error:  # raised again: half a file would be taken for one
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise DiskTrouble(f"The file {file} could not be written: {error.strerror}. It was taken away again.") from error
        raise


def write_new(file: Path, content: bytes) -> None:
    """Write a file that is not there yet, for its owner alone; raise `DiskTrouble` and leave nothing behind."""
    with new_file(file) as into:
        into.write(content)


class _In:
    """A stream as pyrage reads one. pyrage hides what goes wrong in it, so that is kept."""

    def __init__(self, plain: Iterable[bytes]) -> None:
        self._plain = iter(plain)
        self._waiting = memoryview(b"")
        self.trouble: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            while not self._waiting:
                part = next(self._plain, None)
                if part is None:
                    return b""
                self._waiting = memoryview(part)
        except BaseException as error:
            self.trouble = error
            raise
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return bytes(taken)


class _Out:
    """A file as pyrage writes one, summed up on the way; what goes wrong is kept as in `_In`."""

    def __init__(self, into: BinaryIO) -> None:
        self._into = into
        self.sum = hashlib.sha256()
        self.trouble: BaseException | None = None

    def write(self, sealed: bytes) -> int:
        try:
            self._into.write(sealed)
            self.sum.update(sealed)
        except BaseException as error:
            self.trouble = error
            raise
        return len(sealed)

    def flush(self) -> None:
        """Leave it to the file, which is made durable as a whole."""


def _seal_to(recipient: str, source: _In, out: _Out) -> None:
    age, key = _age(), _recipient(recipient)
    try:
        age.encrypt_io(source, out, [key])
    except age.EncryptError:
        trouble = source.trouble or out.trouble
        if trouble is None:
            raise
        raise trouble from None


def _recipient(written: str) -> Any:
    try:
        return _age().x25519.Recipient.from_str(written.strip())
    except LeadworkerError:
        raise
    except Exception as error:
        raise NotUnderstood(
            "This is no age recipient: it begins with age1 and has 62 letters. Ask for it again; nothing was written."
        ) from error


def _age() -> Any:
    try:
        return importlib.import_module("pyrage")
    except ImportError as error:
        raise LeadworkerError(
            "The part that seals files, pyrage, is not installed. Install leadworker again. Nothing was written."
        ) from error
