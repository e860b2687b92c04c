"""The sealed bytes of attached files, beside the database: ``attachments/<first two digits>/<digest>``.

Only sealed bytes are ever written here, under the name that is their SHA-256, so what lies under a name can always be checked
without a key. A file gets its name once it is whole and durable. What is on the way stands under a name of its own: one
that is being sealed is thrown away after a crash, one that is being fetched goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from leadworker.crypto import attachments as sealing
from leadworker.crypto.attachments import FileKey
from leadworker.crypto.identity import CannotOpen
from leadworker.domain.attachments import LARGEST, SealedFile
from leadworker.durable import sync_folder
from leadworker.errors import DiskTrouble, NotUnderstood, VaultDamaged
from leadworker.record import new_id

FOLDER: Final = "attachments"
SEALING: Final = ".sealing"
FETCHING: Final = ".part"
UNNAMED_DAYS: Final = 30
"""How long a file is kept that no record names: a record that was lost with an old copy of the vault may come back."""

_BLOCK: Final = 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_AS_IT_IS: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)

Stop = Callable[[], bool]
"""Says whether somebody has asked to stop."""


class AttachmentFiles:
    """The folder of one vault's sealed files. Any thread may use it; no two work on the same file."""

    def __init__(self, vault_folder: Path) -> None:
        self.folder = vault_folder / FOLDER

    def path(self, digest: str) -> Path:
        """Return where a sealed file stands. A digest that is none never becomes a path."""
        if not _DIGEST.match(digest):
            raise ValueError("not a digest")
        return self.folder / digest[:2] / digest

    def seal(self, source: Path, book: str, person_id: str, stop: Stop = lambda: False) -> SealedFile:
        """Seal a file into the folder, durably, and return what opens it.

        Raises `NotUnderstood` for what is no plain file, empty or too large, and `DiskTrouble`; nothing is left behind then.
        """
        with _opened(source) as (file, size):
            secret, record = secrets.token_bytes(sealing.KEY_BYTES), new_id()
            key = FileKey(secret, bytes.fromhex(book), bytes.fromhex(record), size)
            part = self.folder / f"{secrets.token_hex(16)}{SEALING}"
            try:
                self._make(self.folder)
                digest = _seal(key, file, part, stop)
                self._name(part, digest)
            except OSError as error:
                raise _full_or_failing(error, "The file was not attached; it is as it was, where it is.") from error
            except ValueError as error:
                raise NotUnderstood(f"{source.name} was changed while it was read. Nothing was attached. Try it again.") from error
            finally:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
        return SealedFile(record, book, person_id, size, digest, secret.hex())

    def forget(self, digest: str) -> None:
        """Throw a sealed file away, or what was fetched of it."""
        path = self.path(digest)
        for each in (path, path.with_name(path.name + FETCHING)):
            with contextlib.suppress(OSError):
                each.unlink(missing_ok=True)

    def is_here(self, digest: str) -> bool:
        """Return whether there is a sealed file of that name, whatever its bytes are."""
        return self.path(digest).is_file()

    def is_whole(self, digest: str) -> bool:
        """Return whether a sealed file is here, byte for byte as its name says."""
        return _digest_of(self.path(digest)) == digest

    def save(self, sealed: SealedFile, target: Path) -> None:
        """Write a file in clear to where somebody wants it, for its owner alone; nothing is ever written over.

        Everything is checked before a byte of it is written. Raises `VaultDamaged` when the sealed file is missing or altered,
        `NotUnderstood` where there is something already, `DiskTrouble`.
        """
        for _ in self.clear(sealed):
            pass
        try:
            self._save(sealed, target)
        except FileExistsError:
            raise NotUnderstood(f"There is a {target.name} already, and nothing is written over it. Choose another name.") from None
        except (FileNotFoundError, NotADirectoryError):
            raise NotUnderstood(f"There is no folder {target.parent}. Nothing was written.") from None
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise NotUnderstood("That name is longer than a disk can take. Choose a shorter one. Nothing was written.") from None
            raise _full_or_failing(error, "Nothing was kept of it outside the vault; the file is safe inside.") from error

    def _save(self, sealed: SealedFile, target: Path) -> None:
        opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _AS_IT_IS, 0o600)
        try:
            with open(opened, "wb") as file:
                file.writelines(self.clear(sealed))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:  # raised again: half a file would be taken for one
            target.unlink(missing_ok=True)
            raise

    def clear(self, sealed: SealedFile) -> Iterator[bytes]:
        """Give a file in clear, chunk by chunk. Nothing of it may be used before all of it has come.

        Raises `VaultDamaged` when the sealed file is missing or altered, `DiskTrouble`.
        """
        try:
            with open(self.path(sealed.digest), "rb") as file:
                yield from sealing.unseal(sealing.key_of(sealed), iter(lambda: file.read(sealing.SEALED_CHUNK), b""))
        except FileNotFoundError:
            raise VaultDamaged(missing()) from None
        except CannotOpen as error:
            sentence = unfit() if self.is_whole(sealed.digest) else altered()
            raise VaultDamaged(sentence) from error
        except OSError as error:
            raise DiskTrouble(f"The file cannot be read from the vault's folder: {error.strerror}. Nothing was changed.") from error

    # what is sent and fetched

    def read(self, digest: str, at: int, length: int) -> bytes:
        """Return a part of a sealed file; raise `VaultDamaged` when it is not here."""
        try:
            with open(self.path(digest), "rb") as file:
                file.seek(at)
                return file.read(length)
        except OSError as error:
            raise VaultDamaged(missing()) from error

    def fetched(self, digest: str, whole: int) -> int:
        """Return how many bytes of a sealed file of `whole` bytes were fetched so far; all when it is here as it must be."""
        path = self.path(digest)
        if path.exists():
            if self.is_whole(digest):
                return whole
            path.unlink(missing_ok=True)
        try:
            return min(path.with_name(path.name + FETCHING).stat().st_size, whole)
        except OSError:
            return 0

    def append(self, digest: str, at: int, part: bytes) -> None:
        """Keep a part that was fetched, after `at` bytes; raise `DiskTrouble`, with what came before it kept."""
        path = self.path(digest)
        try:
            self._make(path.parent)
            flags = os.O_RDWR | os.O_CREAT | _NO_LINK | _AS_IT_IS
            with open(os.open(path.with_name(path.name + FETCHING), flags, 0o600), "r+b") as file:
                file.truncate(at)
                file.seek(at)
                file.write(part)
                file.flush()
                os.fsync(file.fileno())  # after a power cut it goes on from here: a hole would be taken for the store's lie
        except OSError as error:
            raise _full_or_failing(error, "A file of the record could not be fetched whole; it goes on once there is room.") from error

    def finish(self, digest: str) -> bool:
        """Give a fetched file its name, if it is what its record names; else throw it away. Raise `DiskTrouble`."""
        path = self.path(digest)
        part = path.with_name(path.name + FETCHING)
        if self.is_whole(digest):
            part.unlink(missing_ok=True)
            return True
        if _digest_of(part) != digest:
            self.forget(digest)
            return False
        try:
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            self._name(part, digest)
        except OSError as error:
            raise _full_or_failing(error, "A file of the record could not be kept; it is fetched again.") from error
        return True

    # what lies here

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every sealed file here, by digest."""
        return {path.name: path.stat().st_size for path in self._files() if _DIGEST.match(path.name)}

    def sweep(self, named: frozenset[str]) -> None:
        """Throw away what no record names and what a crash has left, once it is old; never raises."""
        with contextlib.suppress(OSError):
            before = time.time() - UNNAMED_DAYS * 86_400
            for path in self._files():
                if path.name.removesuffix(FETCHING) not in named and path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.rglob("*") if not path.is_symlink() and path.is_file())

    def _name(self, part: Path, digest: str) -> None:
        path = self.path(digest)
        self._make(path.parent)
        os.replace(part, path)
        sync_folder(path.parent)

    def _make(self, folder: Path) -> None:
        """Make a folder and its name durable: a file whose folder is lost is lost."""
        for each in (self.folder, folder):
            if not each.is_dir():
                each.mkdir(mode=0o700, exist_ok=True)
                sync_folder(each.parent)


def missing() -> str:
    """Return what to say of a sealed file that is not in the vault's folder."""
    return (
        "The sealed bytes of this file are not in the vault's folder. Nothing else is touched. “leadworker attachment fetch” gets "
        "them from the central store, and a backup holds them too."
    )


def altered() -> str:
    """Return what to say of a sealed file that is not as it was sealed."""
    return (
        "The sealed bytes of this file were altered or damaged in the vault's folder, so it was not opened. Nothing else is "
        "touched. “leadworker attachment fetch” gets them from the central store again, and a backup holds them too."
    )


def unfit() -> str:
    """Return what to say of a file that its writer sealed otherwise than they wrote down."""
    return (
        "This file was not sealed as its record says, so it was not opened. Its bytes are just as its writer's laptop sent them: ask "
        "them to attach it again."
    )


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a plain file to be attached; raise `NotUnderstood` for everything else. A device is never waited for."""
    if os.path.islink(source):
        raise NotUnderstood(f"{source.name} is a link, not a file. Nothing was attached. Name the file itself.")
    try:
        opened = open(source, "rb", opener=_warily)  # noqa: SIM115 - closed by the block below
    except OSError as error:
        raise _unread(source, error) from error
    with opened as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise NotUnderstood(f"{source.name} is a device, not a file. Nothing was attached. Name one file.")
        if not found.st_size:
            raise NotUnderstood(f"{source.name} is empty. Nothing was attached.")
        if found.st_size > LARGEST:
            raise NotUnderstood(
                f"{source.name} has {math.ceil(found.st_size * 10 / 1024 / 1024) / 10:,.1f} MB; a file may have at most "
                f"{LARGEST // 1024 // 1024} MB. Nothing was attached. A scan in grey or at 150 dots an inch is much smaller."
            )
        yield file, found.st_size


def _warily(path: str, flags: int) -> int:
    return os.open(path, flags | _NO_LINK | _AT_ONCE | _AS_IT_IS)


def _unread(source: Path, error: OSError) -> NotUnderstood:
    if error.errno == errno.ENOENT or error.errno == errno.ENOTDIR:
        return NotUnderstood(f"There is no file {source}. Nothing was attached.")
    if error.errno in (errno.ENXIO, errno.ENODEV):
        return NotUnderstood(f"{source.name} is a device, not a file. Nothing was attached. Name one file.")
    if os.path.isdir(source):
        return NotUnderstood(f"{source.name} is a folder. Nothing was attached. Name one file.")
    return NotUnderstood(f"{source.name} cannot be read: {error.strerror}. Nothing was attached.")


def _seal(key: FileKey, file: BinaryIO, part: Path, stop: Stop) -> str:
    """Write the sealed chunks of a file durably; return their digest."""
    digest = hashlib.sha256()
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _AS_IT_IS, 0o600), "wb") as out:
        for chunk in sealing.seal(key, file.read):
            if stop():
                raise NotUnderstood("Stopped. Nothing was attached; the file is as it was.")
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _full_or_failing(error: OSError, safe: str) -> DiskTrouble:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskTrouble(f"The disk is full. {safe} Free some space, then try again.")
    return DiskTrouble(f"The disk did not take it: {error.strerror or 'it is failing'}. {safe} Check the disk, then try again.")
