"""Opens the one encrypted database file, and says in words what a database error means.

SQLCipher with a raw key, the settings measured in docs/decisions/0005. There is no way to open it unencrypted.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlcipher3 import dbapi2 as sqlcipher

from leadworker.errors import DiskTrouble, LeadworkerError, VaultDamaged

Connection = sqlite3.Connection  # sqlcipher3 offers the same interface and no types of its own

DatabaseError: Final[type[Exception]] = sqlcipher.Error

_SETTINGS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "fullfsync=ON",
    "checkpoint_fullfsync=ON",
    "foreign_keys=ON",
    "temp_store=MEMORY",  # FILE would write clear text into temporary files
    "secure_delete=ON",
    "cache_size=-32000",
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "wal_autocheckpoint=4000",
)


def connect(path: Path, key: bytes, *, must_exist: bool = True) -> Connection:
    """Open the database with a raw 32-byte key; raise `VaultDamaged` or `DiskTrouble`.

    The connection may be used by one thread at a time and closed only by the thread that uses it.
    """
    if len(key) != 32:
        raise ValueError("a raw key has 32 bytes; a shorter one would silently become a passphrase")
    if must_exist:
        _refuse_what_is_not_ours(path)
    connection = sqlcipher.connect(str(path), isolation_level=None, check_same_thread=False, timeout=5.0, cached_statements=256)
    try:
        _unlock(connection, key)
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}").fetchall()
    except sqlcipher.Error as error:
        connection.close()
        raise explain(error) from error
    except BaseException:  # raised again: only closed here
        connection.close()
        raise
    return connection  # type: ignore[no-any-return]


@contextlib.contextmanager
def looking(path: Path, key: bytes) -> Iterator[Connection]:
    """Open the database only to look at it; raise `VaultDamaged` or `DiskTrouble`.

    Opened to be written, a database takes what it can read of its write-ahead log over and throws the rest away, even
    when it is closed at once. A damaged vault is refused as it stands, so that nothing is lost by trying to open it.
    The caller holds the vault's lock.
    """
    _refuse_what_is_not_ours(path)
    besides = [path.with_name(path.name + end) for end in ("-wal", "-shm")]
    had_log = besides[0].exists()
    try:
        connection = sqlcipher.connect(_read_only(path), uri=True, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            _unlock(connection, key)
            yield connection
        finally:
            connection.close()
            if not had_log:  # looking has made an empty one
                for made in besides:
                    made.unlink(missing_ok=True)
    except sqlcipher.Error as error:
        raise explain(error) from error


def rekey(path: Path, old: bytes, new: bytes) -> None:
    """Encrypt every page under another raw key, in one transaction; raise `VaultDamaged` or `DiskTrouble`.

    The caller holds the vault's lock.
    """
    connection = connect(path, old)
    try:
        connection.reset_key(f"x'{new.hex()}'")  # type: ignore[attr-defined]
    except sqlcipher.Error as error:
        raise explain(error) from error
    finally:
        connection.close()


def take_log_over(path: Path, key: bytes) -> None:
    """Take all of the write-ahead log over into the file, so that every page stands there under this key."""
    connection = connect(path, key)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlcipher.Error as error:
        raise explain(error) from error
    finally:
        connection.close()


def check_pages(connection: Connection) -> list[str]:
    """Return what is wrong with the pages of the file: each page's own seal, then the tables' structure."""
    troubles = [str(row[0]) for row in connection.execute("PRAGMA cipher_integrity_check").fetchall()]
    structure = [str(row[0]) for row in connection.execute("PRAGMA quick_check").fetchall()]
    return troubles + [line for line in structure if line != "ok"]


def explain(error: Exception) -> LeadworkerError:
    """Return the sentence for a database error. Nothing of the statement or its values is in it."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_FULL":
        return DiskTrouble("The disk is full. What you typed is still here. Free some space, then save again.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_CANTOPEN")):
        return DiskTrouble(
            "The vault's folder cannot be written to. What you typed is still here. Check the disk and its rights, then save again."
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return DiskTrouble("Another program is using the vault's file. What you typed is still here. Try again in a moment.")
    if name.startswith("SQLITE_IOERR"):
        return DiskTrouble(
            "The disk did not take the last write. What you typed is still here, and nothing saved before is touched. "
            "Leave leadworker, check the disk, and open it again."
        )
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or "malformed" in str(error):
        return VaultDamaged(
            "The vault's database file is damaged: a part of it is not as leadworker wrote it. Nothing was changed. "
            "“leadworker restore” brings back a backup; “leadworker check” says what is whole."
        )
    return VaultDamaged(f"The vault's database answered with an error that should not happen ({name or 'unknown'}).")


def _unlock(connection: Connection, key: bytes) -> None:
    connection.execute("PRAGMA cipher_log_level=NONE")  # else it writes to the screen
    connection.set_key(f"x'{key.hex()}'")  # type: ignore[attr-defined]
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if connection.execute("PRAGMA cipher_status").fetchone() != ("1",):
        raise VaultDamaged("The database did not open as an encrypted one. Nothing was read or written.")


def _read_only(path: Path) -> str:
    name = path.absolute().as_posix()
    return f"file://{'' if name.startswith('/') else '/'}{quote(name, safe='/:')}?mode=ro"


def _refuse_what_is_not_ours(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        raise VaultDamaged(
            f"The vault's database file {path.name} is not in its folder. Nothing was changed. “leadworker restore” brings back a backup."
        ) from None
    except OSError as error:
        raise DiskTrouble(f"The vault's database file cannot be read: {error.strerror}. Nothing was changed.") from error
    if start.startswith(b"SQLite format 3"):
        raise VaultDamaged("The database file is not encrypted, so it is not this vault's. Nothing was opened.")
    if len(start) < 16:
        raise VaultDamaged("The vault's database file is empty or cut off. Nothing was changed. “leadworker restore” brings back a backup.")


def scalar(connection: Connection, sql: str, *values: Any) -> Any:
    """Return the first value of the first row, or None."""
    row = connection.execute(sql, values).fetchone()
    return None if row is None else row[0]
