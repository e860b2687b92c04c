"""Backups: one file with everything, encrypted as the vault is, opened once before it counts; and the way back."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import struct
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from leadworker.crypto import keys
from leadworker.durable import sync_folder
from leadworker.errors import DiskTrouble, LeadworkerError, NotUnderstood, VaultDamaged
from storage import backup_files, vault_file
from storage.attachment_files import AttachmentFiles
from storage.engine import Connection, DatabaseError, check_pages, connect, explain
from storage.holder import Hold
from storage.opening import clear_away
from storage.vault import DATABASE_NAME
from storage.vault_file import VaultFile

_HEAD = struct.Struct(">8sIQ32s")
_MAGIC: Final = b"LWBACK01"
_WITH_FILES: Final = b"LWBACK02"
"""Of a backup that holds sealed files too; one without any stays readable to every leadworker."""

_BLOCK: Final = 1024 * 1024


def backup(connection: Connection, folder: Path, master: bytes, target: Path) -> int:
    """Write a backup and open it once to see that it is whole; return its size in bytes. Damaged sealed files are left out.

    Runs on the storage thread. An existing file is never written over: raises `NotUnderstood`.
    """
    if os.path.exists(target):  # also where a name is too long to be asked about
        raise NotUnderstood(f"There is a file {target.name} already, and a backup is never written over one. Choose another name.")
    slots, _ = vault_file.read(folder)
    copy = target.with_name(target.name + ".part")
    leftovers = (copy, Path(f"{copy}-wal"), Path(f"{copy}-shm"), target.with_name(target.name + ".new"))
    try:
        _remove(leftovers)
        connection.execute("VACUUM INTO ?", (str(copy),))
        check_copy(copy, master)
        _pack(slots, copy, AttachmentFiles(folder), target)
    except OSError as error:
        raise DiskTrouble(f"The backup could not be written: {error.strerror}. The vault itself is as it was.") from error
    except DatabaseError as error:
        raise _explain(error) from error
    finally:
        with contextlib.suppress(OSError):
            _remove(leftovers)
    return target.stat().st_size


def restore(source: Path, folder: Path) -> int:
    """Put a backup's vault into a folder that has none; return how many sealed files in it were damaged and left out.

    Raises `NotUnderstood` or `VaultDamaged`.

    What is restored is older than what it replaces may have been, so its safety mark is left out: the vault is then
    mended on its first opening, which starts a new lane rather than write over what others have already seen (C.8).
    """
    _refuse_a_vault(folder)
    try:
        with open(source, "rb") as file:
            slots, size, digest, files = _read_head(file)
            folder.mkdir(parents=True, exist_ok=True)
            hold = Hold(folder, "leadworker restore")
            hold.take()
            part = folder / (DATABASE_NAME + ".part")
            try:
                head = _copy_out(file, part, size)
                if head != digest or (not files and file.read(1)):
                    raise VaultDamaged("The backup file is damaged: it is not as it was written. Nothing was restored. Try another backup.")
                _refuse_a_vault(folder)  # again, now that nobody else can make one meanwhile
                damaged = backup_files.unpack(file, files, AttachmentFiles(folder))
                _put_in_place(folder, part, slots)
            finally:
                part.unlink(missing_ok=True)
                hold.release()
    except FileNotFoundError:
        raise NotUnderstood(f"There is no file {source}. Nothing was restored.") from None
    except OSError as error:
        raise DiskTrouble(f"The backup could not be read or written: {error.strerror}. Nothing was restored.") from error
    return damaged


def _refuse_a_vault(folder: Path) -> None:
    if vault_file.exists(folder) or vault_file.has_orphan(folder):
        raise NotUnderstood(
            f"There is a vault in {folder} already, and a restore never writes over one. "
            "Move that folder away first, or name another with --vault."
        )


def _put_in_place(folder: Path, part: Path, slots: VaultFile) -> None:
    """Broken off anywhere in between, the folder holds no vault yet and the restore can be done again."""
    clear_away(folder)
    vault_file.replace_durably(folder / vault_file.RESTORED, b"put back from a backup\n")
    os.replace(part, folder / DATABASE_NAME)
    sync_folder(folder)
    vault_file.write(folder, slots)
    (folder / vault_file.MAKING).unlink(missing_ok=True)


def check_copy(path: Path, master: bytes) -> None:
    """Open a copy of the database with the vault's key and read every page; raise `VaultDamaged`."""
    connection = connect(path, keys.derive(master, keys.DATABASE))
    try:
        troubles = check_pages(connection)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
    if troubles:
        raise VaultDamaged("The backup that was just written is not whole, so it was thrown away. The vault itself is as it was.")


def _remove(paths: tuple[Path, ...]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _explain(error: Exception) -> LeadworkerError:
    explained = explain(error)
    if isinstance(explained, DiskTrouble):
        return DiskTrouble(
            "The backup could not be written: the disk is full, or nothing may be written there. The vault itself is as it was. "
            "Free some space or choose another place."
        )
    return explained


def _pack(slots: VaultFile, copy: Path, files: AttachmentFiles, target: Path) -> None:
    head = msgspec.json.encode(slots)
    whole, _ = backup_files.whole_files(files)
    before = head + (backup_files.listed(whole) if whole else b"")
    part = target.with_name(target.name + ".new")
    with open(copy, "rb") as source, open(part, "wb") as file:
        os.chmod(part, 0o600)
        digest = hashlib.sha256(before)
        while block := source.read(_BLOCK):
            digest.update(block)
        source.seek(0)
        magic = _WITH_FILES if whole else _MAGIC
        file.write(_HEAD.pack(magic, len(head), copy.stat().st_size, digest.digest()) + before)
        shutil.copyfileobj(source, file, _BLOCK)
        backup_files.pack(files, whole, file)
        file.flush()
        os.fsync(file.fileno())
    copy.unlink()  # before the backup has its name, so that a finished one leaves nothing beside it
    os.replace(part, target)
    sync_folder(target.parent)


def _read_head(file: BinaryIO) -> tuple[VaultFile, int, tuple[bytes, bytes], dict[str, int]]:
    raw = file.read(_HEAD.size)
    if len(raw) != _HEAD.size or not raw.startswith(_MAGIC[:6]):
        raise NotUnderstood("That file is not a backup that leadworker made. Nothing was restored.")
    magic, length, size, digest = _HEAD.unpack(raw)
    if magic not in (_MAGIC, _WITH_FILES):
        raise NotUnderstood("That backup was made by a newer leadworker. Nothing was restored. Install that version or a later one.")
    head = file.read(min(length, _BLOCK))
    try:
        slots = msgspec.json.decode(head, type=VaultFile)
        listed, files = backup_files.read_list(file) if magic == _WITH_FILES else (b"", {})
    except (ValueError, UnicodeDecodeError):
        raise VaultDamaged("The backup file is damaged: its beginning cannot be read. Nothing was restored. Try another backup.") from None
    return slots, size, (head + listed, digest), files


def _copy_out(file: BinaryIO, part: Path, size: int) -> tuple[bytes, bytes]:
    """Copy the database out; return what `_read_head` returned if, and only if, everything fits its digest."""
    file.seek(0)
    magic, length, _, _ = _HEAD.unpack(file.read(_HEAD.size))
    head = file.read(length) + (backup_files.read_list(file)[0] if magic == _WITH_FILES else b"")
    digest = hashlib.sha256(head)
    left = size
    with open(part, "wb") as out:
        os.chmod(part, 0o600)
        while left and (block := file.read(min(_BLOCK, left))):
            digest.update(block)
            out.write(block)
            left -= len(block)
        out.flush()
        os.fsync(out.fileno())
    return head, digest.digest() if not left else b""
