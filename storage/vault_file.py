"""``vault.json``: the key slots of a vault, the only file of it that is not encrypted.

It is written twice, so that a spoilt copy can be told and replaced. Its checksum tells "damaged" from "wrong
passphrase" before anything is opened; a seal under the master key then tells whether somebody altered it on purpose.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from leadworker.crypto import keys
from leadworker.durable import sync_folder
from leadworker.errors import VaultDamaged, VaultError, VaultMissing, VaultTooNew, WrongPassphrase

T = TypeVar("T")

FORMAT: Final = 1
NAME: Final = "vault.json"
COPY_NAME: Final = "vault.copy.json"
DATABASE_NAME: Final = "journal.db"
MAKING: Final = "vault.making"
"""A file that stands in the folder while a vault is being made, so that one that was not made to the end can be told."""
RESTORED: Final = "vault.restored"
"""A file that a restore leaves, so that the first opening mends without being asked."""


DIFFERENT: Final = "The two copies of the key file were different. The one that opened the vault has replaced the other."
"""Said of a change of the key file that was broken off between the two, or of an older one that was put back."""


class VaultFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``vault.json`` holds. `seal` and `checksum` are hexadecimal."""

    format: int
    vault_id: str
    slots: tuple[keys.Slot, ...]
    seal: str = ""
    checksum: str = ""


class _OnlyFormat(msgspec.Struct):
    format: int = 0


def exists(folder: Path) -> bool:
    """Return whether a folder holds the key file of a vault, whole or not."""
    return (folder / NAME).exists() or (folder / COPY_NAME).exists()


def has_orphan(folder: Path) -> bool:
    """Return whether a folder holds a journal whose key file is gone: nothing may ever be made over it."""
    return (folder / DATABASE_NAME).exists() and not exists(folder) and not is_broken_off(folder)


def is_broken_off(folder: Path) -> bool:
    """Return whether a folder holds what a making or a restore has left that did not come to its end."""
    return not exists(folder) and any((folder / name).exists() for name in (MAKING, RESTORED))


def orphan_sentence(folder: Path) -> str:
    """Return what to say of such a folder."""
    return (
        f"In {folder} there is a journal without its key file, vault.json, so it cannot be opened. It was not touched. Put "
        "vault.json or vault.copy.json back; a backup holds it too, and “leadworker restore” brings one back into another folder."
    )


def new_vault_id() -> str:
    """Return a fresh vault's id, 32 hexadecimal digits."""
    return secrets.token_hex(16)


def sealed(file: VaultFile, master: bytes) -> VaultFile:
    """Return the file with its seal and checksum set."""
    bare = msgspec.structs.replace(file, seal="", checksum="")
    key = keys.derive(master, keys.VAULT_FILE)
    with_seal = msgspec.structs.replace(bare, seal=hmac.digest(key, _bytes(bare), "sha256").hex())
    return msgspec.structs.replace(with_seal, checksum=hashlib.sha256(_bytes(with_seal)).hexdigest())


def is_sealed_with(file: VaultFile, master: bytes) -> bool:
    """Return whether the file is as somebody with the master key left it."""
    return hmac.compare_digest(sealed(file, master).seal, file.seal)


def refuse_altered(file: VaultFile, master: bytes) -> None:
    """Raise `VaultDamaged` unless the file is as somebody with the master key left it."""
    if not is_sealed_with(file, master):
        raise VaultDamaged(
            "The vault's key file was altered by somebody without its key. Nothing was opened. Put back vault.json from a backup."
        )


def write(folder: Path, file: VaultFile) -> None:
    """Write both copies durably; at every moment at least one of them is whole."""
    for name in (COPY_NAME, NAME):
        replace_durably(folder / name, _bytes(file) + b"\n")


def read(folder: Path) -> tuple[VaultFile, str]:
    """Return the key slots and a notice, empty or saying that one copy was spoilt and has been replaced.

    Raises `VaultMissing`, `VaultTooNew`, and `VaultDamaged` when neither copy is whole.
    """
    main, copy = _read_one(folder / NAME), _read_one(folder / COPY_NAME)
    if main is None and copy is None:
        if not exists(folder):
            if has_orphan(folder):
                raise VaultDamaged(orphan_sentence(folder))
            if (folder / RESTORED).exists():
                raise VaultMissing(f"A restore into {folder} was broken off. The backup is as it was: restore it again.")
            raise VaultMissing(f"There is no vault in {folder}. “leadworker init” makes one.")
        raise VaultDamaged(
            "Both copies of the vault's key file, vault.json and vault.copy.json, are damaged. The journal itself was not "
            "touched. Put back either file from a backup; without it nothing can be opened."
        )
    if main is not None and copy is not None:
        return main, "" if main == copy else DIFFERENT
    whole = main or copy
    assert whole is not None
    name = NAME if main is None else COPY_NAME
    return whole, f"The key file {name} was damaged or missing; the other copy is whole and was used to replace it."


def with_either_copy(folder: Path, attempt: Callable[[VaultFile, str], T]) -> T:
    """Return what `attempt` makes of the key file and what there is to say of it: "" or a notice.

    Where the first copy does not lead to an open vault, a copy that says something else is tried. Should that not help
    either, what is raised is what was wrong with the first, unless only the second was opened by what was given.
    """
    file, notice = read(folder)
    try:
        return attempt(file, notice)
    except VaultError as first:
        other = other_copy(folder, file)
        if other is None:
            raise
        try:
            return attempt(other, DIFFERENT)
        except VaultError as second:
            told_more = isinstance(first, WrongPassphrase) and not isinstance(second, WrongPassphrase)
            raise (second if told_more else first) from None


def other_copy(folder: Path, file: VaultFile) -> VaultFile | None:
    """Return the copy that is whole and says something else than `file`, if there is one."""
    both = (_read_one(folder / NAME), _read_one(folder / COPY_NAME))
    return next((copy for copy in both if copy is not None and copy != file), None)


def replace_durably(path: Path, data: bytes) -> None:
    """Put `data` in place of a file so that after a power cut either the old or the new one is there, whole."""
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "wb") as file:
        os.chmod(fresh, 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    sync_folder(path.parent)


def _read_one(path: Path) -> VaultFile | None:
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    try:
        format_ = msgspec.json.decode(raw, type=_OnlyFormat).format
        if format_ > FORMAT:
            _refuse_newer(raw)
        file = msgspec.json.decode(raw, type=VaultFile)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    bare = msgspec.structs.replace(file, checksum="")
    sound = hashlib.sha256(_bytes(bare)).hexdigest() == file.checksum and raw == _bytes(file) + b"\n"
    return file if sound else None


def _refuse_newer(raw: bytes) -> None:
    """A newer format is believed only when its checksum, which never changes its place, fits."""
    head, found, tail = raw.rpartition(b'"checksum":"')
    said = tail[:64].decode("ascii", "replace")
    if found and hashlib.sha256(head + b'"checksum":""}').hexdigest() == said:
        raise VaultTooNew(
            "This vault was last used by a newer leadworker. Nothing was opened or changed. Install that version or a later one."
        )


def _bytes(file: VaultFile) -> bytes:
    return msgspec.json.encode(file)
