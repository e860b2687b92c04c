"""The sealed files in a backup: which, how large, and their bytes after the database, each checked by its own name."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final

from storage.attachment_files import AttachmentFiles

_COUNT: Final = struct.Struct(">I")
_ENTRY: Final = struct.Struct(">32sQ")
_BLOCK: Final = 1024 * 1024
MOST: Final = 1_000_000
"""Files that a backup may list; more is a damaged number."""


def whole_files(files: AttachmentFiles) -> tuple[dict[str, int], int]:
    """Return the sealed files that are as their names say, with their sizes, and how many others lie there."""
    here = files.sizes()
    whole = {digest: size for digest, size in here.items() if files.is_whole(digest)}
    return whole, len(here) - len(whole)


def listed(whole: dict[str, int]) -> bytes:
    """Return the list as it stands in a backup."""
    return _COUNT.pack(len(whole)) + b"".join(_ENTRY.pack(bytes.fromhex(digest), size) for digest, size in whole.items())


def read_list(file: BinaryIO) -> tuple[bytes, dict[str, int]]:
    """Read the list; return its bytes as well, for the backup's digest. Raises `ValueError` where it is cut off."""
    head = file.read(_COUNT.size)
    count = _COUNT.unpack(head)[0] if len(head) == _COUNT.size else MOST + 1
    if count > MOST:
        raise ValueError("no list")
    raw = file.read(count * _ENTRY.size)
    if len(raw) != count * _ENTRY.size:
        raise ValueError("cut off")
    return head + raw, {digest.hex(): size for digest, size in _ENTRY.iter_unpack(raw)}


def pack(files: AttachmentFiles, whole: dict[str, int], out: BinaryIO) -> None:
    """Write the bytes of the listed files; raise `OSError` when one of them has gone meanwhile."""
    for digest, size in whole.items():
        left = size
        with open(files.path(digest), "rb") as file:
            while left:
                block = file.read(min(_BLOCK, left))
                if not block:
                    raise OSError(5, "a file in the vault's folder became shorter")
                out.write(block)
                left -= len(block)


def unpack(file: BinaryIO, whole: dict[str, int], files: AttachmentFiles) -> int:
    """Put the listed files back; return how many were damaged in the backup and left out. Raises `OSError`."""
    damaged = 0
    for digest, size in whole.items():
        path = files.path(digest)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(path.name + ".part")
        left = size
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            while left and (block := file.read(min(_BLOCK, left))):
                out.write(block)
                left -= len(block)
            out.flush()
            os.fsync(out.fileno())
        if not left and files.finish(digest):
            continue
        damaged += 1
        Path(part).unlink(missing_ok=True)
    return damaged
