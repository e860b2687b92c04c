"""Making a vault and opening it: every check that stands between a passphrase and the first row (security C.2).

A vault is opened whole or not at all. What is wrong is said in words, with the way back.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec

from leadworker.clock import Clock, Moment, SystemClock
from leadworker.crypto import keys, words
from leadworker.crypto.identity import Identity
from leadworker.domain import recovery
from leadworker.errors import DiskTrouble, LeadworkerError, NotUnderstood
from leadworker.text import one_line
from storage import closing, log, mending, migrations, rebuilding, rekeying, schema, vault_file
from storage.anchor import Anchor, Mark
from storage.comparing import CUT_OFF, compare_with_anchor, in_words
from storage.engine import Connection, DatabaseError, connect, looking, scalar
from storage.holder import Hold
from storage.vault import ANCHOR_NAME, DATABASE_NAME, Facts, Vault
from storage.vault_file import VaultFile

Show = Callable[[str, tuple[str, ...]], None]


def exists(folder: Path) -> bool:
    """Return whether there is a vault in a folder, whole or not."""
    return vault_file.exists(folder)


WORDS_OWED = (
    "Nobody has read this vault's recovery words back from paper yet. Without them a forgotten passphrase cannot be helped. "
    "“leadworker passphrase --new-recovery-words” makes new ones."
)


def create(
    folder: Path, name: str, passphrase: str, *, clock: Clock | None = None, memory_kib: int | None = None,
    purpose: str = "leadworker", show: Show = lambda called, words: None, read_back: bool = True,
) -> tuple[Vault, tuple[str, ...]]:  # fmt: skip
    """Make a vault for a person and open it; return it with its sixteen recovery words, which are kept nowhere.

    `show` gets the name and the words before the vault counts as made: when it raises, there is none.
    Without `read_back` the vault says at each opening that nobody may have the words, until `recovery.read_back`.
    Raises `NotUnderstood` for an empty name or where there is a vault already, `DiskTrouble`.
    """
    called = one_line(name)
    if not called:
        raise NotUnderstood("A vault needs your name, as your colleagues know it. Nothing was made.")
    refuse_what_is_there(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # a folder on a stick may not know rights; the contents are encrypted
            os.chmod(folder, 0o700)
        return _create(folder, called, passphrase, clock or SystemClock(), memory_kib or keys.calibrate(), purpose, show, read_back)
    except OSError as error:
        raise DiskTrouble(f"The vault could not be made in {folder}: {error.strerror}. Nothing is lost.") from error


def _create(
    folder: Path, name: str, passphrase: str, clock: Clock, memory_kib: int, purpose: str, show: Show, read_back: bool
) -> tuple[Vault, tuple[str, ...]]:
    with contextlib.ExitStack() as undo:
        hold = Hold(folder, purpose)
        hold.take()
        undo.callback(hold.release)
        refuse_what_is_there(folder)  # again, now that nobody else can make one meanwhile
        master = secrets.token_bytes(keys.KEY_BYTES)
        recovery = words.new_recovery_secret()
        vault_id = vault_file.new_vault_id()
        slots = (
            keys.passphrase_slot(master, passphrase, vault_id, memory_kib),
            keys.recovery_slot(master, recovery, vault_id),
        )
        vault_file.replace_durably(folder / vault_file.MAKING, b"a vault is being made\n")
        clear_away(folder)
        connection = connect(folder / DATABASE_NAME, keys.derive(master, keys.DATABASE), must_exist=False)
        undo.callback(connection.close)
        _fill(connection, name, clock, read_back)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        anchor = Anchor(folder / ANCHOR_NAME, keys.derive(master, keys.ANCHOR), vault_id)
        undo.callback(anchor.close)
        anchor.rewrite(Mark(1, *log.chain_head(connection)))
        show(name, words.to_words(recovery))
        # Last, so that a vault that was not made to the end does not look like one.
        vault_file.write(folder, vault_file.sealed(VaultFile(vault_file.FORMAT, vault_id, slots), master))
        (folder / vault_file.MAKING).unlink(missing_ok=True)
        vault = Vault(folder, connection, master, vault_id, clock, hold, anchor)
        undo.pop_all()
    return vault, words.to_words(recovery)


def refuse_what_is_there(folder: Path) -> None:
    """Raise `NotUnderstood` where a folder holds a vault, or a journal whose key file is missing."""
    if exists(folder):
        raise NotUnderstood(f"There is a vault in {folder} already. Nothing was changed.")
    if vault_file.has_orphan(folder):
        raise NotUnderstood(vault_file.orphan_sentence(folder))


def clear_away(folder: Path) -> None:
    """Remove what a making or a restore that was broken off has left; a write-ahead log would spoil the next database."""
    left = (DATABASE_NAME, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm", ANCHOR_NAME, vault_file.RESTORED)
    for name in left:
        (folder / name).unlink(missing_ok=True)


def _fill(connection: Connection, name: str, clock: Clock, read_back: bool) -> None:
    migrations.migrate(connection)
    identity = Identity.new()
    now = Moment.of(clock.now()).ms
    connection.execute("BEGIN IMMEDIATE")
    schema.create_projections(connection)
    signing, unsealing = identity.private_bytes()
    facts = msgspec.msgpack.encode(Facts(name, signing, unsealing, now))
    connection.execute("INSERT INTO fact VALUES ('vault', ?)", (facts,))
    connection.execute("INSERT INTO fact VALUES ('lane', ?)", (b"\1",))
    connection.execute("INSERT INTO state VALUES (1, 1)")
    connection.execute("INSERT INTO writer (device, name, mine) VALUES (?, ?, 1)", (identity.device.hex(), name))
    if not read_back:
        connection.execute("INSERT INTO drawer VALUES (?, ?, x'')", (recovery.DRAWER, recovery.OWED))
    connection.execute("COMMIT")


def open_with_passphrase(folder: Path, passphrase: str, *, clock: Clock | None = None, purpose: str = "leadworker") -> Vault:
    """Open a vault; raises any `VaultError`, `WrongPassphrase` among them."""
    return _open(folder, lambda f: keys.open_with_passphrase(f.slots, passphrase, f.vault_id), clock, purpose, with_words=False)


def open_with_words(folder: Path, recovery: str, *, clock: Clock | None = None, purpose: str = "leadworker") -> Vault:
    """Open a vault with its sixteen recovery words."""
    secret = words.from_words(recovery, words.RECOVERY_WORDS)
    return _open(folder, lambda f: keys.open_with_recovery(f.slots, secret, f.vault_id), clock, purpose, with_words=True)


def _open(folder: Path, unlock: Callable[[VaultFile], bytes], clock: Clock | None, purpose: str, *, with_words: bool) -> Vault:
    vault_file.read(folder)  # where there is nothing to open, nothing is taken hold of
    hold = Hold(folder, purpose)
    hold.take()
    try:
        re_keys = False

        def attempt(file: VaultFile, notice: str) -> Vault:
            nonlocal re_keys
            re_keys = rekeying.is_begun(file)
            return _open_with(folder, file, notice, unlock, clock or SystemClock(), hold)

        vault = vault_file.with_either_copy(folder, attempt)  # read again, now that nobody else can change it
        if vault.submit(vault.is_closing_for_good).result():  # it was not shut in order when its laptop was taken out
            vault.close()
            raise closing.closed()
        vault.submit(vault.look_for_untidiness)
        _mind_the_words(vault, has_them=with_words or re_keys)  # those of a new key were handed over before they counted
        return vault
    except OSError as error:
        hold.release()
        raise DiskTrouble(f"The vault could not be opened: {error.strerror}. Nothing was changed.") from error
    except BaseException:  # raised again: only let go of what was taken
        hold.release()
        raise


def _open_with(folder: Path, file: VaultFile, notice: str, unlock: Callable[[VaultFile], bytes], clock: Clock, hold: Hold) -> Vault:
    """Open with one copy of the key file; the other is written over only once this one has opened everything."""
    closing.refuse_closed(file)
    master = unlock(file)
    vault_file.refuse_altered(file, master)
    if rekeying.is_begun(file):
        file = rekeying.finish(folder, file, master)
    if (folder / vault_file.RESTORED).exists():
        vault, mended = mending.mend_opened(folder, master, file.vault_id, clock, hold)
        vault.notices.append(
            f"This vault was put back from a backup with {mended.changes} changes. What was sent since then comes back with the next sync."
        )
    else:
        vault = _open_database(folder, file, master, clock, hold)
    try:
        if notice:
            vault_file.write(folder, file)
            vault.notices.append(notice)
        (folder / vault_file.MAKING).unlink(missing_ok=True)
    except OSError:
        vault.close()
        raise
    return vault


def _open_database(folder: Path, file: VaultFile, master: bytes, clock: Clock, hold: Hold) -> Vault:
    anchor = Anchor(folder / ANCHOR_NAME, keys.derive(master, keys.ANCHOR), file.vault_id)
    found = anchor.read()
    key = keys.derive(master, keys.DATABASE)
    with in_words(), looking(folder / DATABASE_NAME, key) as connection:
        migrations.refuse_unknown(connection)
        cut_off = compare_with_anchor(connection, found)
    connection = connect(folder / DATABASE_NAME, key)
    try:
        with in_words():
            migrations.migrate(connection)
            remade = _remake_projections(connection)
            vault = Vault(folder, connection, master, file.vault_id, clock, hold, anchor)
    except BaseException:  # raised again: only let go of what was taken
        connection.close()
        raise
    try:
        if found.spoilt:
            anchor.rewrite(vault.mark)
            vault.notices.append("One of the two safety marks beside the database was damaged; the other is whole and replaced it.")
        elif found.mark != vault.mark or found.before is not None:  # killed in a save: nothing that is shown may be lost again
            with contextlib.suppress(DatabaseError):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            anchor.write(vault.mark)
    except OSError:
        vault.close()
        raise
    if cut_off:
        vault.notices.append(CUT_OFF)
    if remade:
        vault.notices.append("The pages of the journal were made again from its log for this version.")
    return vault


def _mind_the_words(vault: Vault, *, has_them: bool) -> None:
    """Say that nobody may have the recovery words, or take note that somebody does."""
    with contextlib.suppress(LeadworkerError):  # a courtesy: it does not decide whether a vault opens
        if vault.read(recovery.are_owed).result():
            if has_them:
                vault.write(recovery.read_back).result()
            else:
                vault.notices.append(WORDS_OWED)


def _remake_projections(connection: Connection) -> bool:
    known = scalar(connection, "SELECT value FROM fact WHERE key = 'declared'")
    if known == schema.declared():
        return False
    rebuilding.remake(connection)
    return True
