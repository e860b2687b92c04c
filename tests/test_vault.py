"""A vault as its owner meets it: made, opened, held by one, on a doubtful clock, on a full disk, put back from a backup."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from leadworker.clock import Moment
from leadworker.domain import alerts, drafts, journal, people
from leadworker.domain.alerts import Alert
from leadworker.domain.journal import NewEntry
from leadworker.errors import (
    DiskTrouble,
    LeadworkerError,
    NotUnderstood,
    VaultBusy,
    VaultDamaged,
    VaultError,
    WrongPassphrase,
)
from leadworker.shelf import Shelf
from storage import anchor, backing_up, comparing, mending, opening, rekeying, slots, vault_file
from storage.anchor import AnchorRead
from storage.engine import Connection
from storage.vault import ANCHOR_NAME, Vault
from tests import vault_work, vaults
from tests.vaults import HandClock, ask, do, enter, fresh, look_through, made, people_here, small

# Opening


def test_a_vault_opens_with_its_passphrase_however_it_is_spaced_and_with_its_words(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    for typed in (vaults.PASSPHRASE, f"  {vaults.PASSPHRASE.replace(' ', chr(9))} \n"):
        opening.open_with_passphrase(folder, typed).close()
    vault = opening.open_with_words(folder, f"1. {made().words.upper().replace(' ', ', ')}")
    assert vault.name == "Alex Morgan"
    vault.close()


def test_an_accent_in_a_passphrase_may_be_typed_in_one_part_or_in_two(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault"))
    slots.change_passphrase(vault, "le café est fermé lundi", memory_kib=vaults.FLOOR)
    vault.close()
    pasted = unicodedata.normalize("NFD", "le café est fermé lundi")
    assert pasted != "le café est fermé lundi"
    opening.open_with_passphrase(vault.folder, pasted).close()


def test_a_wrong_passphrase_opens_nothing_changes_nothing_and_lets_go(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    before = vaults.files(folder)
    for wrong in ("plum tidy orbit seven lake", "", "\ud800", "plum tidy orbit seven lake marble marble"):
        with pytest.raises(WrongPassphrase, match="not the passphrase"):
            opening.open_with_passphrase(folder, wrong)
    with pytest.raises(WrongPassphrase, match="not the recovery words of this vault"):
        opening.open_with_words(folder, made("Robin Hale").words)
    assert vaults.files(folder) == before
    assert vaults.refusal(folder) is None


def test_new_recovery_words_end_the_old_ones_and_leave_the_passphrase(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault"))
    words: list[str] = []
    slots.new_recovery_words(vault, words.extend)
    vault.close()
    with pytest.raises(WrongPassphrase):
        enter(vault.folder)
    opening.open_with_words(vault.folder, " ".join(words)).close()
    opening.open_with_passphrase(vault.folder, vaults.PASSPHRASE).close()


def test_a_second_leadworker_is_refused_and_told_who_is_the_first(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    receiver, sender = vault_work.processes().Pipe(duplex=False)
    first = vault_work.processes().Process(target=vault_work.just_open, args=(folder, made().words, sender), daemon=True)
    first.start()
    while receiver.recv() != ("open",):
        pass
    try:
        with pytest.raises(VaultBusy, match=f"open already: leadworker, process {first.pid}, since [0-9:]+. Use that one"):
            enter(folder)
        (folder / "vault.holder.json").write_bytes(b'{"process": "\xff')
        with pytest.raises(VaultBusy, match="open in another leadworker"):
            enter(folder)
        with pytest.raises(VaultBusy):
            mending.mend(folder, made().words, with_words=True)
    finally:
        first.kill()
        first.join()
    vault = enter(folder)
    assert look_through(vault).whole
    vault.close()


def test_a_vault_is_not_made_over_another_nor_without_a_name(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    before = vaults.files(folder)
    with pytest.raises(NotUnderstood, match="already"):
        opening.create(folder, "Alex Morgan", vaults.PASSPHRASE, memory_kib=vaults.FLOOR)
    with pytest.raises(NotUnderstood, match="needs your name"):
        opening.create(tmp_path / "other", " \u200b\n", vaults.PASSPHRASE)
    assert vaults.files(folder) == before
    assert not (tmp_path / "other").exists()


def test_a_new_vault_lies_whole_in_its_main_file_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    folder = made().folder
    assert set(vaults.files(folder)) == {"journal.db", "vault.anchor", "vault.copy.json", "vault.json"}
    if os.name != "nt":
        vault, _ = opening.create(tmp_path / "vault", "Robin Hale", "a b c", memory_kib=vaults.FLOOR)
        assert (tmp_path / "vault").stat().st_mode & 0o077 == 0
        assert (tmp_path / "vault" / "journal.db").stat().st_size > 100_000
        vault.close()


# Deeds


def test_a_deed_that_fails_leaves_nothing_of_itself(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    before = vaults.everything(vault)
    stamp = vault.hybrid.last

    def half(shelf: Shelf) -> None:
        person = people.add(shelf, "Somebody Else")
        journal.write(shelf, NewEntry(person, said="half"))
        raise LeadworkerError("and then it fails.")

    with pytest.raises(LeadworkerError):
        do(vault, half)
    assert vaults.everything(vault) == before
    assert vault.hybrid.last == stamp
    assert look_through(vault, rebuild=True).whole
    vault.close()


def test_a_question_cannot_write(tmp_path: Path) -> None:
    """What is asked runs outside any transaction, so a verb that writes there would be kept without being chained."""
    vault = enter(fresh(tmp_path / "vault", small()))
    before = vaults.everything(vault)
    with pytest.raises(TypeError, match="done as a deed"):
        ask(vault, people.add, "Somebody Else")
    with pytest.raises(TypeError, match="done as a deed"):
        ask(vault, drafts.keep, drafts.Draft("x", said="x"))
    assert vaults.everything(vault) == before
    vault.close()


def test_nothing_can_be_asked_of_a_closed_vault(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault"))
    vault.close()
    vault.close()
    with pytest.raises(RuntimeError, match="closed"):
        ask(vault, people.facts, "0" * 32)
    assert vault.master == b""


# Clocks


@pytest.mark.parametrize(("days", "word"), [(-366, "behind"), (366, "may be ahead")])
def test_a_clock_that_is_wrong_by_a_year_is_said_and_moves_nobodys_words(days: int, word: str, tmp_path: Path) -> None:
    clock = HandClock()
    folder = fresh(tmp_path / "vault")
    vault = enter(folder, clock=clock)
    person = do(vault, people.add, "Keira Lane")
    entries = [do(vault, journal.write, NewEntry(person, said=f"right {n}")).entry_id for n in range(3)]
    vault.close()
    last, day = vault.hybrid.last, f"{clock.at:%d %b %Y}"

    clock.at += timedelta(days=days)
    vault = enter(folder, clock=clock)
    assert word in vault.clock_doubt and day in vault.clock_doubt
    wrong = do(vault, journal.write, NewEntry(person, said="wrong", happened=Moment.of(clock.at)))
    kept = {entry.id: entry for entry in ask(vault, journal.timeline, person)}
    assert kept[wrong.entry_id].clock_doubt == vault.clock_doubt
    assert not any(kept[entry].clock_doubt for entry in entries)
    assert vault.hybrid.last > last, "what is written later stays later, whatever the clock says"
    ids = "SELECT id FROM journal_entry ORDER BY change_no"
    order = vault.submit(lambda: [row[0] for row in vault.connection.execute(ids).fetchall()]).result()
    assert order == [*entries, wrong.entry_id]
    vault.close()

    clock.at -= timedelta(days=days)
    vault = enter(folder, clock=clock)
    assert vault.clock_doubt, "set right again it looks wrong the other way, for one opening"
    do(vault, journal.write, NewEntry(person, said="right again"))
    vault.close()
    vault = enter(folder, clock=clock)
    assert not vault.clock_doubt
    assert look_through(vault, rebuild=True).whole
    vault.close()


def test_a_clock_that_is_right_is_not_doubted(tmp_path: Path) -> None:
    clock = HandClock()
    folder = fresh(tmp_path / "vault")
    vault = enter(folder, clock=clock)
    do(vault, people.add, "Keira Lane")
    vault.close()
    for passed in (timedelta(seconds=-30), timedelta(hours=9), timedelta(days=60)):
        clock.at += passed
        vault = enter(folder, clock=clock)
        assert not vault.clock_doubt
        vault.close()


# Backups


def test_a_backup_comes_back_whole_says_so_and_goes_on_in_a_lane_of_its_own(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    (person,) = ask(vault, people_here)
    size = vaults.back_up(vault, tmp_path / "kept.lwb")
    before, digest = vault.mark.changes, vaults.digest(vault)
    do(vault, journal.write, NewEntry(person, said="after the backup"))
    vault.close()
    assert (tmp_path / "kept.lwb").stat().st_size == size
    assert [path.name for path in tmp_path.iterdir()] == ["vault", "kept.lwb"] or len(list(tmp_path.iterdir())) == 2

    lanes = set()
    for number in range(3):
        folder = tmp_path / f"restored {number}"
        backing_up.restore(tmp_path / "kept.lwb", folder)
        vault = enter(folder)
        assert len(vault.notices) == 1
        assert f"put back from a backup with {before} changes" in vault.notices[0]
        assert vaults.digest(vault) == digest
        assert vault.lane != 1
        lanes.add(vault.lane)
        do(vault, journal.write, NewEntry(person, said="in the new lane"))
        vault.close()
        vault = enter(folder)
        assert not vault.notices
        assert look_through(vault, rebuild=True).whole
        assert vaults.everything(vault)["lane"][0][3] == 1
        assert vaults.everything(vault)["lane"][1][3] == vault.lane
        vault.close()
    assert len(lanes) == 3, "the same backup put back again never goes on in the same lane"


def test_a_backup_is_never_written_over_a_file_and_a_restore_never_over_a_vault(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    (tmp_path / "mine.lwb").write_text("mine")
    with pytest.raises(NotUnderstood, match="never written over"):
        vaults.back_up(vault, tmp_path / "mine.lwb")
    assert (tmp_path / "mine.lwb").read_text() == "mine"
    with pytest.raises(DiskTrouble, match="backup could not be written.*The vault itself is as it was"):
        vaults.back_up(vault, tmp_path / "no such folder" / "kept.lwb")
    with pytest.raises(DiskTrouble, match="backup could not be written"):
        vaults.back_up(vault, tmp_path / ("x" * 300))
    vaults.back_up(vault, tmp_path / "kept.lwb")
    vault.close()
    before = vaults.files(vault.folder)
    with pytest.raises(NotUnderstood, match="already"):
        backing_up.restore(tmp_path / "kept.lwb", vault.folder)
    with pytest.raises(NotUnderstood, match="not a backup"):
        backing_up.restore(tmp_path / "mine.lwb", tmp_path / "new")
    with pytest.raises(NotUnderstood, match="no file"):
        backing_up.restore(tmp_path / "none.lwb", tmp_path / "new")
    assert vaults.files(vault.folder) == before
    assert not (tmp_path / "new").exists()


def test_a_restore_is_not_spoilt_by_the_log_of_the_vault_that_stood_there(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    vaults.back_up(vault, tmp_path / "kept.lwb")
    digest = vaults.digest(vault)
    (person,) = ask(vault, people_here)
    do(vault, journal.write, NewEntry(person, said="in the log"))
    left = fresh(tmp_path / "left", vaults.Made(vault.folder, ""))
    vault.close()
    for name in ("journal.db", "vault.json", "vault.copy.json"):  # as somebody tidies who does not know of the rest
        (left / name).unlink()
    assert (left / "journal.db-wal").stat().st_size > 0
    backing_up.restore(tmp_path / "kept.lwb", left)
    vault = enter(left)
    assert vaults.digest(vault) == digest
    assert look_through(vault, rebuild=True).whole
    vault.close()


def test_after_mending_what_is_changed_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    """A mended vault writes in a new lane; it has seen all that stands in the old one, and every reader can tell."""
    folder = fresh(tmp_path / "vault", small())
    (folder / "vault.anchor").unlink()
    with pytest.raises(VaultDamaged, match="missing or damaged.*Nothing was opened.*check --mend"):
        enter(folder)
    vault, mended = mending.mend(folder, vaults.PASSPHRASE)
    assert mended.missing == 0
    (person,) = ask(vault, people_here)
    do(vault, people.describe, person, lives_at="at her aunt's")
    alert, note = (line.id for line in ask(vault, alerts.at_the_door, person))
    do(vault, alerts.end_alert, alert, "the dog has gone")
    do(vault, alerts.drop_access_note, note)
    for again in range(2):
        assert ask(vault, people.facts, person).lives_at == "at her aunt's"
        assert not ask(vault, people.facts, person).contested
        assert not ask(vault, alerts.at_the_door, person)
        assert not ask(vault, lambda shelf: shelf.get(Alert, alert)).contested
        assert look_through(vault, rebuild=True).whole
        if not again:
            vault.close()
            vault = enter(folder)
    do(vault, people.describe, person, lives_at="")
    assert look_through(vault, rebuild=True).whole
    vault.close()


def test_mending_refuses_a_vault_that_is_not_whole_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    data = bytearray((folder / "journal.db").read_bytes())
    data[30 * 4096 + 7] ^= 1
    (folder / "journal.db").write_bytes(data)
    (folder / "vault.anchor").unlink()
    before = vaults.files(folder)
    with pytest.raises(VaultDamaged, match="damaged"):
        mending.mend(folder, made().words, with_words=True)
    with pytest.raises(WrongPassphrase):
        mending.mend(folder, "wrong")
    assert vaults.files(folder) == before


def test_mending_refuses_a_key_file_that_was_altered(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    file, _ = vault_file.read(folder)
    bare = msgspec.structs.replace(file, slots=(*file.slots, file.slots[0]), checksum="")
    sums = hashlib.sha256(msgspec.json.encode(bare)).hexdigest()
    vault_file.write(folder, msgspec.structs.replace(bare, checksum=sums))
    for way_in in (lambda: enter(folder), lambda: mending.mend(folder, made().words, with_words=True)):
        with pytest.raises(VaultDamaged, match="altered by somebody without its key"):
            way_in()


def test_a_save_that_was_cut_off_before_its_commit_is_said_once_and_nothing_before_it_is_missing(tmp_path: Path) -> None:
    folder = cut_off(tmp_path / "vault")
    vault = enter(folder)
    assert vault.notices == [comparing.CUT_OFF]
    (person,) = ask(vault, people_here)
    assert [entry.said for entry in ask(vault, journal.timeline, person)] == ["acknowledged"]
    assert look_through(vault).whole
    vault.close()
    vault = enter(folder)
    assert not vault.notices
    vault.close()


def test_a_mark_that_was_confirmed_is_no_save_that_was_cut_off(tmp_path: Path) -> None:
    folder = cut_off(tmp_path / "vault", confirmed=True)
    assert "missing" in str(vaults.refusal(folder))


def test_a_vault_further_back_than_the_save_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    older = fresh(tmp_path / "older")
    cut_off(folder)
    for path in folder.glob("journal.db*"):
        path.unlink()
    (folder / "journal.db").write_bytes((older / "journal.db").read_bytes())
    assert "missing" in str(vaults.refusal(folder))


def cut_off(folder: Path, *, confirmed: bool = False) -> Path:
    """Leave a vault as a kill does that comes after a mark was announced and before its commit was made."""
    vault = enter(fresh(folder))
    person = do(vault, people.add, "Keira Lane")
    do(vault, journal.write, NewEntry(person, said="acknowledged"))
    ahead = msgspec.structs.replace(vault.mark, changes=vault.mark.changes + 1, chain=bytes(32))
    if confirmed:
        vault.submit(lambda: vault.anchor.write(ahead)).result()
    else:
        vault.submit(lambda: (vault.anchor.announce(ahead), vault.anchor.settle())).result()
    vault.close()
    return folder


class RefusingToCommit:
    """A connection whose disk is full at the last moment."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> object:
        return getattr(self.connection, name)

    def execute(self, sql: str, *given: object) -> object:
        if sql == "COMMIT":
            raise sqlcipher.OperationalError("database or disk is full")
        return self.connection.execute(sql, *given)  # type: ignore[arg-type]


def test_a_commit_that_fails_takes_its_mark_back(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault"))
    person = do(vault, people.add, "Keira Lane")
    before, connection = vault.mark, vault.connection
    vault.connection = RefusingToCommit(connection)  # type: ignore[assignment]
    with pytest.raises(LeadworkerError):
        do(vault, journal.write, NewEntry(person, said="there is no room"))
    assert vault.anchor.read() == AnchorRead(before, 0)
    vault.connection = connection
    do(vault, journal.write, NewEntry(person, said="there is room again"))
    assert [entry.said for entry in ask(vault, journal.timeline, person)] == ["there is room again"]
    assert look_through(vault, rebuild=True).whole
    vault.close()
    assert vaults.refusal(vault.folder) is None


# Re-keying


def re_keyed(folder: Path) -> tuple[str, str]:
    """Begin to re-key a fresh small vault; return its new passphrase and its new recovery words."""
    vault = enter(fresh(folder, small()))
    shown: list[tuple[str, ...]] = []
    rekeying.begin(vault, "heron window copper sleeve marble", shown.append, memory_kib=vaults.FLOOR)
    vault.close()
    return "heron window copper sleeve marble", " ".join(shown[0])


def test_after_re_keying_no_copy_of_the_old_key_file_opens_what_is_here(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    vault = enter(fresh(tmp_path / "before", small()))
    before = vaults.digest(vault)
    vault.close()
    copied = (tmp_path / "before" / "vault.json").read_bytes()
    passphrase, recovery = re_keyed(folder)
    pages = (folder / "journal.db").read_bytes()

    vault = opening.open_with_passphrase(folder, passphrase)
    assert vaults.digest(vault) == before and look_through(vault, rebuild=True).whole and not vault.notices
    assert not rekeying.is_begun(vault_file.read(folder)[0])
    do(vault, people.add, "Written under the new key")
    vault.close()
    opening.open_with_words(folder, recovery).close()
    after = (folder / "journal.db").read_bytes()
    assert not {after[at : at + 4096] for at in range(0, len(after), 4096)} & {pages[at : at + 4096] for at in range(0, len(pages), 4096)}

    with pytest.raises(WrongPassphrase):
        opening.open_with_passphrase(folder, vaults.PASSPHRASE)
    with pytest.raises(WrongPassphrase):
        enter(folder)
    for name in ("vault.json", "vault.copy.json"):
        (folder / name).write_bytes(copied)
    assert vaults.refusal(folder) is not None, "the old key file, and what opened it, open nothing"


def test_a_vault_that_was_damaged_while_it_is_re_keyed_is_refused_and_can_be_mended(tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    passphrase, recovery = re_keyed(folder)
    (folder / "vault.anchor").unlink()
    with pytest.raises(VaultDamaged, match="check --mend"):
        opening.open_with_passphrase(folder, passphrase)
    vault, _ = mending.mend(folder, recovery, with_words=True)
    assert look_through(vault, rebuild=True).whole
    vault.close()
    opening.open_with_passphrase(folder, passphrase).close()


def test_a_disk_that_does_not_take_the_new_key_changes_nothing_and_the_next_opening_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "vault"
    passphrase, _ = re_keyed(folder)
    with monkeypatch.context() as patch:
        patch.setattr(rekeying, "rekey", lambda path, old, new: None)  # what SQLCipher does on a full disk: nothing, silently
        with pytest.raises(DiskTrouble, match="Everything is as it was"):
            opening.open_with_passphrase(folder, passphrase)
    vault = opening.open_with_passphrase(folder, passphrase)
    assert not vault.notices and look_through(vault, rebuild=True).whole
    vault.close()


def test_a_vault_with_a_damaged_page_is_not_re_keyed(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    vault.submit(lambda: vault.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()).result()
    path = vault.folder / "journal.db"
    data = bytearray(path.read_bytes())
    data[20 * 4096 + 100] ^= 1
    path.write_bytes(data)
    shown: list[tuple[str, ...]] = []
    with pytest.raises(VaultDamaged, match="The key was not changed"):
        rekeying.begin(vault, "heron window copper sleeve marble", shown.append, memory_kib=vaults.FLOOR)
    assert not shown
    vault.close()


def re_keyed_beside_an_old_copy(folder: Path, put_back: str) -> tuple[str, str]:
    """Re-key a vault and put one key file of before back; return what opens it now."""
    passphrase, recovery = re_keyed(folder)
    opening.open_with_passphrase(folder, passphrase).close()
    (folder / put_back).write_bytes((small().folder / "vault.json").read_bytes())
    return passphrase, recovery


@pytest.mark.parametrize("put_back", ["vault.json", "vault.copy.json"])
def test_an_old_copy_of_the_key_file_beside_the_new_one_destroys_nothing(put_back: str, tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    passphrase, recovery = re_keyed_beside_an_old_copy(folder, put_back)
    before = vaults.files(folder)
    with pytest.raises(VaultError):
        enter(folder)
    assert vaults.files(folder) == before, "what does not open the vault replaces nothing"
    vault = opening.open_with_words(folder, recovery)
    assert vault.notices == [vault_file.DIFFERENT]
    vault.close()
    vault = opening.open_with_passphrase(folder, passphrase)
    assert not vault.notices
    vault.close()


@pytest.mark.parametrize("put_back", ["vault.json", "vault.copy.json"])
def test_mending_too_opens_with_either_copy_of_the_key_file(put_back: str, tmp_path: Path) -> None:
    folder = tmp_path / "vault"
    passphrase, _ = re_keyed_beside_an_old_copy(folder, put_back)
    (folder / ANCHOR_NAME).unlink()
    before = vaults.files(folder)
    with pytest.raises(VaultError):
        mending.mend(folder, "a passphrase that opened nothing ever")
    assert vaults.files(folder) == before
    vault, mended = mending.mend(folder, passphrase)
    assert mended.missing == 0 and vault.notices == [vault_file.DIFFERENT]
    vault.close()
    vault = opening.open_with_passphrase(folder, passphrase)
    assert not vault.notices and look_through(vault).whole
    vault.close()


def test_of_two_copies_the_one_that_was_opened_says_what_is_wrong(tmp_path: Path) -> None:
    """As when a change of the passphrase was broken off between the two copies, and the safety mark is missing as well."""
    folder = fresh(tmp_path / "vault", small())
    before = (folder / "vault.json").read_bytes()
    vault = enter(folder)
    slots.change_passphrase(vault, "heron window copper sleeve marble", memory_kib=vaults.FLOOR)
    vault.close()
    (folder / "vault.json").write_bytes(before)
    (folder / ANCHOR_NAME).unlink()
    with pytest.raises(VaultDamaged, match="check --mend"):
        opening.open_with_passphrase(folder, "heron window copper sleeve marble")


def test_mending_on_a_full_disk_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fresh(tmp_path / "vault", small())
    (folder / "vault.copy.json").unlink()

    def full(folder: Path, file: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vault_file, "write", full)
    with pytest.raises(DiskTrouble, match="could not be mended: No space left"):
        mending.mend(folder, small().words, with_words=True)
    monkeypatch.undo()
    enter(folder).close()


def test_a_note_about_the_recovery_words_that_cannot_be_read_keeps_no_vault_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(shelf: object) -> bool:
        raise sqlcipher.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(opening.recovery, "are_owed", unreadable)
    vault = enter(fresh(tmp_path / "vault", small()))
    assert not vault.notices
    vault.close()


# A safety mark that does not go


def without_its_mark(vault: Vault, person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save an entry whose mark the disk does not take."""

    def failing(file: int, through: int, data: bytes, at: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(anchor, "_write_durably", failing)
        with pytest.raises(DiskTrouble, match="is saved"):
            do(vault, journal.write, NewEntry(person, said="without its mark"))


def test_a_kill_in_the_save_after_one_whose_mark_did_not_go_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = enter(fresh(tmp_path / "vault"))
    person = do(vault, people.add, "Keira Lane")
    without_its_mark(vault, person, monkeypatch)
    ahead = msgspec.structs.replace(vault.mark, changes=vault.mark.changes + 1, chain=bytes(32))
    vault.submit(lambda: (vault._announce(ahead), vault.anchor.settle())).result()
    vault.close()  # the commit of the second save never comes

    vault = enter(vault.folder)
    assert vault.notices == [comparing.CUT_OFF]
    assert [entry.said for entry in ask(vault, journal.timeline, person)] == ["without its mark"]
    assert look_through(vault).whole
    vault.close()


def test_a_safety_mark_that_cannot_be_opened_is_said_and_undoes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = enter(fresh(tmp_path / "vault"))
    person = do(vault, people.add, "Keira Lane")

    def held_by_another() -> int:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(vault.anchor, "_open", held_by_another)
        with pytest.raises(DiskTrouble, match="is saved"):
            do(vault, journal.write, NewEntry(person, said="once"))
    do(vault, journal.write, NewEntry(person, said="twice"))
    assert {entry.said for entry in ask(vault, journal.timeline, person)} == {"once", "twice"}
    vault.close()
    assert vaults.refusal(vault.folder) is None


def test_a_commit_and_a_withdrawal_that_both_fail_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = enter(fresh(tmp_path / "vault"))
    person, connection = do(vault, people.add, "Keira Lane"), vault.connection

    def failing(mark: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(vault, "connection", RefusingToCommit(connection))
        patch.setattr(vault.anchor, "write", failing)
        with pytest.raises(LeadworkerError):
            do(vault, journal.write, NewEntry(person, said="there is no room"))
    ahead = msgspec.structs.replace(vault.mark, changes=vault.mark.changes + 1, chain=bytes(32))
    vault.submit(lambda: (vault._announce(ahead), vault.anchor.settle())).result()
    vault.close()
    assert vaults.refusal(vault.folder) is None
