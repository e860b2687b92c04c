"""A bit flipped anywhere, a file cut, swapped, put back or missing: noticed and said, with the way back (security E.3).

Each try ends in one of four ways: the vault is refused in words and left byte for byte as it was; it opens and says what it
mended; it opens and `leadworker check` says what is not whole; or everything in it is provably the same.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from leadworker.crypto import keys
from leadworker.domain import drafts, journal, people
from leadworker.domain.journal import NewEntry
from leadworker.errors import LeadworkerError, VaultBusy, VaultDamaged, VaultError, VaultMissing, VaultTooNew
from storage import backing_up, mending, opening, vault_file
from storage.engine import connect
from storage.vault import Vault
from tests import vaults
from tests.vaults import ask, do, enter, fresh, look_through, made, people_here, small

PAGE = 4096
Files = dict[str, bytes]
Rows = dict[str, list[tuple[object, ...]]]


@cache
def whole() -> tuple[Files, Rows]:
    """The files of a small vault that was closed as it should be, and every row in it."""
    return _files_and_rows(small().folder, small().folder.with_name("damage"))


@cache
def killed_with_a_log() -> tuple[Files, Rows]:
    """The files of a vault that was killed while everything was still in its write-ahead log, and every row in it."""
    folder = fresh(made().folder.with_name("killed"))
    vault = enter(folder)
    vault.submit(lambda: vault.connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()).result()
    person = do(vault, people.add, "Keira Lane")
    for number in range(8):
        do(vault, journal.write, NewEntry(person, said=f"words of {number}"))
        do(vault, drafts.keep, drafts.Draft("a draft", person, said=f"typed {number}"))
    caught = fresh(folder.with_name("caught"), vaults.Made(folder, ""))
    vault.close()
    return _files_and_rows(caught, folder.with_name("damage of a log"))


@cache
def killed_after_a_checkpoint() -> tuple[Files, Rows]:
    """The same where the log was taken over once and is being written from its beginning again, over older frames."""
    folder = fresh(made().folder.with_name("checkpointed"))
    vault = enter(folder)
    person = do(vault, people.add, "Keira Lane")
    for number in range(8):
        do(vault, journal.write, NewEntry(person, said=f"words of {number}"))
    vault.submit(lambda: vault.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()).result()
    for number in range(2):
        do(vault, journal.write, NewEntry(person, said=f"later words of {number}"))
    caught = fresh(folder.with_name("caught later"), vaults.Made(folder, ""))
    vault.close()
    return _files_and_rows(caught, folder.with_name("damage later"))


def _files_and_rows(folder: Path, copy: Path) -> tuple[Files, Rows]:
    files = vaults.files(folder)
    vault = enter(fresh(copy, vaults.Made(folder, "")))
    rows = vaults.everything(vault)
    vault.close()
    return files, rows


def flipped(data: bytes, bit: int) -> bytes:
    """Return bytes with one bit of them the other way."""
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


class Tries:
    """One folder in which a damaged vault is laid down again and again, and what became of each."""

    def __init__(self, folder: Path, base: tuple[Files, Rows]) -> None:
        self.folder = folder
        self.files, self.rows = base
        self.ended: Counter[str] = Counter()
        folder.mkdir()

    def flip(self, name: str, bit: int) -> str:
        """Flip one bit of one file."""
        return self.with_file(name, flipped(self.files[name], bit))

    def with_file(self, name: str, data: bytes | None) -> str:
        """Put other bytes in place of a file, or take it away, and open the vault."""
        for path in self.folder.iterdir():
            path.unlink()
        laid = {**self.files, name: data}
        for other, content in laid.items():
            if content is not None:
                (self.folder / other).write_bytes(content)
        how = self._open({key: value for key, value in laid.items() if value is not None})
        self.ended[how] += 1
        return how

    def _open(self, laid: Files) -> str:
        try:
            vault = enter(self.folder)
        except VaultError as refusal:
            assert not isinstance(refusal, VaultBusy)
            assert refusal.sentence.endswith(".")
            assert vaults.files(self.folder) == laid, "a vault that is refused is left as it was"
            return "refused"
        try:
            if vault.notices:
                return "mended" if vaults.everything(vault) == self.rows and look_through(vault).whole else "LOST"
            if not look_through(vault).whole:
                return "not whole"
            return "the same" if vaults.everything(vault) == self.rows else "UNNOTICED"
        finally:
            vault.close()

    def all_noticed(self) -> None:
        """Fail when a try ended with other rows than before and nothing was said."""
        assert not self.ended["UNNOTICED"], self.ended
        assert not self.ended["LOST"], self.ended


@pytest.fixture
def tries(tmp_path: Path) -> Iterator[Tries]:
    yield Tries(tmp_path / "vault", whole())


@pytest.mark.parametrize("part", range(4))
def test_a_bit_flipped_in_any_page_of_the_database_is_noticed(part: int, tries: Tries) -> None:
    size = len(tries.files["journal.db"])
    chance = random.Random(part)
    for page in range(part, size // PAGE, 4):
        for _ in range(7):
            tries.flip("journal.db", (page * PAGE + chance.randrange(PAGE)) * 8 + chance.randrange(8))
    if part == 0:
        for byte in range(100):  # the salt and what follows it
            tries.flip("journal.db", byte * 8 + chance.randrange(8))
    tries.all_noticed()
    assert tries.ended["the same"] == 0, "every page is sealed, in use or not"
    assert tries.ended.total() >= 150


@pytest.mark.parametrize("name", ["vault.json", "vault.copy.json"])
def test_a_bit_flipped_in_a_key_file_is_noticed_and_the_other_copy_replaces_it(name: str, tries: Tries) -> None:
    data, chance = tries.files[name], random.Random(name)
    for bit in chance.sample(range(len(data) * 8), 40):
        tries.flip(name, bit)
        assert (tries.folder / name).read_bytes() == data
    assert tries.ended == {"mended": 40}
    sound, _ = vault_file.read(tries.folder)
    for bit in (byte * 8 + chance.randrange(8) for byte in range(len(data))):
        (tries.folder / name).write_bytes(flipped(data, bit))
        found, notice = vault_file.read(tries.folder)
        assert found == sound and name in notice, bit


def test_a_bit_flipped_in_both_key_files_is_refused(tries: Tries) -> None:
    data, chance = tries.files["vault.json"], random.Random(0)
    tries.files = {**tries.files, "vault.copy.json": flipped(data, 1602)}
    for bit in chance.sample(range(len(data) * 8), 40):
        tries.flip("vault.json", bit)
    assert tries.ended == {"refused": 40}
    for bit in range(len(data) * 8):  # each of them
        (tries.folder / "vault.json").write_bytes(flipped(data, bit))
        with pytest.raises(VaultDamaged, match="Both copies"):
            vault_file.read(tries.folder)


@pytest.mark.parametrize("slot", [0, 1])
def test_a_bit_flipped_in_the_safety_mark_is_noticed_and_the_other_slot_replaces_it(slot: int, tries: Tries) -> None:
    data, chance = tries.files["vault.anchor"], random.Random(slot)
    begin = slot * PAGE * 8
    used = (*range(92 * 8), *range(512 * 8, 544 * 8))  # the mark, and what confirms it
    for bit in (*chance.sample(used, 30), *chance.sample(range(PAGE * 8), 10)):
        tries.flip("vault.anchor", begin + bit)
    assert tries.ended == {"mended": 40}
    vault = enter(tries.folder)
    vault.anchor.close()
    before = vault.anchor.read().mark
    for bit in (*used, *chance.sample(range(PAGE * 8), 2000)):
        (tries.folder / "vault.anchor").write_bytes(flipped(data, begin + bit))
        found = vault.anchor.read()
        assert found.spoilt == 1 and found.mark is not None and before is not None, bit
        assert found.mark.changes in (before.changes, before.changes - 1)
    vault.close()


def test_two_spoilt_safety_marks_are_refused_and_mended_on_request(tries: Tries) -> None:
    data = bytearray(tries.files["vault.anchor"])
    data[5] ^= 1
    data[PAGE + 5] ^= 1
    assert tries.with_file("vault.anchor", bytes(data)) == "refused"
    assert "check --mend" in sentence_of(tries.folder)
    vault, mended = mending.mend(tries.folder, made().words, with_words=True)
    assert (mended.changes, mended.missing) == (14, 0)
    assert look_through(vault, rebuild=True).whole
    vault.close()
    assert vaults.refusal(tries.folder) is None


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("state", [killed_with_a_log, killed_after_a_checkpoint])
def test_a_bit_flipped_in_the_log_of_a_killed_vault_is_noticed(part: int, state: object, tmp_path: Path) -> None:
    assert callable(state)
    tries = Tries(tmp_path / "vault", state())
    chance = random.Random(part)
    bits = len(tries.files["journal.db-wal"]) * 8
    for _ in range(40):
        tries.flip("journal.db-wal", chance.randrange(bits))
    if part == 0:
        for byte in range(32 + 24):  # the heads of the log and of its first frame
            tries.flip("journal.db-wal", byte * 8 + chance.randrange(8))
    tries.all_noticed()
    assert tries.ended["refused"] >= 5


@pytest.mark.parametrize("state", [killed_with_a_log, killed_after_a_checkpoint])
def test_a_log_that_was_cut_is_noticed(state: object, tmp_path: Path) -> None:
    assert callable(state)
    tries = Tries(tmp_path / "vault", state())
    chance = random.Random(1)
    log = tries.files["journal.db-wal"]
    for _ in range(60):
        cut = chance.randrange(len(log))
        tail = chance.choice((b"", bytes(len(log) - cut), chance.randbytes(len(log) - cut)))
        tries.with_file("journal.db-wal", log[:cut] + tail)
    tries.with_file("journal.db-wal", b"")
    assert tries.with_file("journal.db-wal", None) == "refused", "the database without its log is an older one"
    tries.all_noticed()
    assert tries.ended["refused"] >= 10


def test_what_a_damaged_log_still_holds_is_kept_by_mending_and_the_rest_is_said(tmp_path: Path) -> None:
    tries = Tries(tmp_path / "vault", killed_with_a_log())
    log = tries.files["journal.db-wal"]
    assert tries.flip("journal.db-wal", len(log) // 2 * 8) == "refused"
    said = sentence_of(tries.folder)
    assert "missing" in said and "check --mend" in said
    vault, mended = mending.mend(tries.folder, made().words, with_words=True)
    assert mended.missing > 0
    assert f"At least {mended.missing} saved changes are missing" in said
    assert look_through(vault, rebuild=True).whole
    (person,) = ask(vault, people_here)
    before = len(ask(vault, journal.timeline, person))
    assert 0 < before < 8
    do(vault, journal.write, NewEntry(person, said="written afterwards"))
    vault.close()
    vault = enter(tries.folder)
    assert len(ask(vault, journal.timeline, person)) == before + 1
    vault.close()


def test_a_database_that_was_cut_emptied_or_put_in_clear_is_refused(tries: Tries) -> None:
    data = tries.files["journal.db"]
    for size in (0, 1, 15, 16, 100, PAGE - 1, PAGE, PAGE + 1, 5 * PAGE, len(data) - PAGE, len(data) - 1):
        assert tries.with_file("journal.db", data[:size]) in ("refused", "not whole"), size
    clear = tries.folder.with_name("clear.db")
    connection = sqlite3.connect(clear)
    connection.execute("CREATE TABLE change (no)")
    connection.commit()
    connection.close()
    assert tries.with_file("journal.db", clear.read_bytes()) == "refused"
    assert "not encrypted" in sentence_of(tries.folder)
    assert tries.with_file("journal.db", random.Random(0).randbytes(len(data))) == "refused"
    assert tries.with_file("journal.db", None) == "refused"
    assert "leadworker restore" in sentence_of(tries.folder)


def test_files_of_another_vault_are_refused(tries: Tries) -> None:
    vault = enter(fresh(tries.folder.with_name("other"), made("Robin Hale")), owner="Robin Hale")
    do(vault, people.add, "Sam Reed")
    other = vault.folder
    vault.close()
    for name in ("journal.db", "vault.anchor"):
        assert tries.with_file(name, (other / name).read_bytes()) == "refused"
    for name in ("vault.json", "vault.copy.json"):
        (tries.folder / name).write_bytes((other / name).read_bytes())
    with pytest.raises(VaultError):
        enter(tries.folder, owner="Robin Hale")


def test_a_database_put_back_from_yesterday_is_refused_and_says_how_much_is_missing(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    yesterday = (folder / "journal.db").read_bytes()
    vault = enter(folder)
    (person,) = ask(vault, people_here)
    for number in range(5):
        do(vault, journal.write, NewEntry(person, said=f"today {number}"))
    vault.close()
    today = (folder / "journal.db").read_bytes()
    (folder / "journal.db").write_bytes(yesterday)
    before = vaults.files(folder)
    said = sentence_of(folder)
    assert "At least 5 saved changes are missing" in said and "restore the newest backup" in said
    assert vaults.files(folder) == before
    (folder / "journal.db").write_bytes(today)
    assert vaults.refusal(folder) is None, "with the right file back, all is well"


def test_a_database_put_back_together_with_its_log_is_refused_too(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    vault = enter(folder)
    (person,) = ask(vault, people_here)
    do(vault, journal.write, NewEntry(person, said="this morning"))
    morning = vaults.files(folder)
    do(vault, journal.write, NewEntry(person, said="this afternoon"))
    vault.close()
    for name in ("journal.db", "journal.db-wal"):
        (folder / name).write_bytes(morning[name])
    before = vaults.files(folder)
    assert "At least 1 saved changes are missing" in sentence_of(folder)
    assert vaults.files(folder) == before


def test_a_draft_put_back_from_before_is_noticed_too(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    yesterday = (folder / "journal.db").read_bytes()
    vault = enter(folder)
    do(vault, drafts.keep, drafts.Draft("a draft", said="typed today"))
    vault.close()
    (folder / "journal.db").write_bytes(yesterday)
    assert "The last thing that was saved is missing" in sentence_of(folder)


def test_an_older_page_put_back_under_the_journal_is_found_by_making_it_again(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    older = (folder / "journal.db").read_bytes()
    vault = enter(folder)
    (person,) = ask(vault, people_here)
    do(vault, people.describe, person, pronouns="they/them")
    vault.close()
    newer = (folder / "journal.db").read_bytes()
    found, unseen = Counter[str](), 0
    for page in range(1, len(older) // PAGE):
        at = slice(page * PAGE, (page + 1) * PAGE)
        if older[at] == newer[at]:
            continue
        (folder / "journal.db").write_bytes(newer[: at.start] + older[at] + newer[at.stop :])
        try:
            vault = enter(folder)
        except VaultDamaged:
            found["refused"] += 1
        else:
            was = ask(vault, people.facts, person).pronouns
            report = look_through(vault, rebuild=True)
            broken = [finding.what for finding in report.findings if not finding.whole]
            found[",".join(broken) or "nothing"] += 1
            unseen += not broken and was != "they/them"
            vault.close()
        (folder / "journal.db").write_bytes(newer)
    assert found["rebuild"] >= 1 and not unseen, found


def test_a_vault_of_a_later_version_is_refused_untouched(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    vault = enter(folder)
    key = keys.derive(vault.master, keys.DATABASE)
    master = vault.master
    vault.close()
    connection = connect(folder / "journal.db", key)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = vaults.files(folder)
    with pytest.raises(VaultTooNew, match="newer leadworker.*Install"):
        enter(folder)
    with pytest.raises(VaultTooNew):
        mending.mend(folder, made().words, with_words=True)
    assert vaults.files(folder) == before

    folder = fresh(tmp_path / "newer key file", small())
    file, _ = vault_file.read(folder)
    newer = vault_file.sealed(msgspec.structs.replace(file, format=2), master)
    raw = json.loads(msgspec.json.encode(newer))
    assert raw["format"] == 2
    vault_file.write(folder, newer)
    before = vaults.files(folder)
    with pytest.raises(VaultTooNew, match="newer leadworker"):
        enter(folder)
    assert vaults.files(folder) == before


def test_a_journal_whose_key_files_are_gone_is_never_made_over(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    for name in ("vault.json", "vault.copy.json"):
        (folder / name).unlink()
    before = vaults.files(folder)
    assert "without its key file" in sentence_of(folder)
    with pytest.raises(LeadworkerError, match="without its key file"):
        opening.create(folder, "Alex Morgan", vaults.PASSPHRASE, memory_kib=vaults.FLOOR)
    with pytest.raises(LeadworkerError):
        backing_up.restore(tmp_path / "none.lwb", folder)
    assert vaults.files(folder) == before
    with pytest.raises(VaultMissing):
        enter(tmp_path / "nowhere")


def test_a_backup_with_a_bit_flipped_or_cut_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    vaults.back_up(vault, tmp_path / "kept.lwb")
    vault.close()
    data = (tmp_path / "kept.lwb").read_bytes()
    chance = random.Random(0)
    head = [byte * 8 + chance.randrange(8) for byte in range(52)]
    tried = tmp_path / "tried.lwb"
    for bit in (*head, *chance.sample(range(len(data) * 8), 60)):
        tried.write_bytes(flipped(data, bit))
        assert_refused(tried, tmp_path / "restored")
    for size in (0, 10, 51, 52, 500, len(data) // 2, len(data) - 1):
        tried.write_bytes(data[:size])
        assert_refused(tried, tmp_path / "restored")
    tried.write_bytes(data + b"x")
    assert_refused(tried, tmp_path / "restored")


def assert_refused(backup: Path, folder: Path) -> None:
    with pytest.raises(LeadworkerError, match="Nothing was restored"):
        backing_up.restore(backup, folder)
    assert not folder.exists() or not vaults.files(folder)
    shutil.rmtree(folder, ignore_errors=True)


def sentence_of(folder: Path) -> str:
    refused = vaults.refusal(folder)
    assert refused is not None, "the vault opened"
    return refused.sentence


def test_a_page_of_a_check_that_cannot_be_read_is_a_finding_and_no_end(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", small())
    vault: Vault = enter(folder)
    root = vault.submit(lambda: vault.connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'person'").fetchone()[0])
    page = root.result()
    vault.close()
    data = bytearray((folder / "journal.db").read_bytes())
    data[(page - 1) * PAGE + 500] ^= 1
    (folder / "journal.db").write_bytes(data)
    vault = enter(folder)
    report = look_through(vault, rebuild=True)
    said = {finding.what: finding.whole for finding in report.findings}
    assert not said["pages"] and not said["rebuild"] and not report.whole
    assert all(finding.sentence.endswith(".") or "first is" in finding.sentence for finding in report.findings)
    vault.close()


@pytest.mark.parametrize(
    ("what", "sql"),
    [
        ("chain", "UPDATE change SET body = body || x'00' WHERE no = 7"),
        ("chain", "UPDATE change SET header = substr(header, 1, 113) || x'00' WHERE no = 7"),
        ("chain", "UPDATE change SET header = x'00' WHERE no = 7"),
        ("chain", "UPDATE change SET chain = zeroblob(32) WHERE no = 7"),
        ("chain", "UPDATE change SET seq = 99 WHERE no = 14"),
        ("chain", "DELETE FROM change WHERE no = 7"),
        ("chain", "UPDATE change SET lane_no = 2 WHERE no = 14"),
        ("anchor", "DELETE FROM change WHERE no = 14"),
        ("anchor", "UPDATE state SET commits = commits - 1"),
        ("signatures", "UPDATE change SET signature = zeroblob(64) WHERE no = 14"),
        ("signatures", "UPDATE change SET signature = x'' WHERE no = 14"),
        ("signatures", "UPDATE change SET signature = (SELECT signature FROM change WHERE no = 13) WHERE no = 14"),
        ("books", "UPDATE book SET n = 3"),
        ("books", "UPDATE change SET n = 2 WHERE no = 1"),
        ("books", "UPDATE book SET digest = zeroblob(32)"),
        ("rebuild", "UPDATE person SET pronouns = 'altered'"),
        ("rebuild", "DELETE FROM alert"),
        ("rebuild", "UPDATE journal_entry SET gone = 1"),
    ],
)
def test_what_somebody_with_the_key_altered_is_found_by_a_check(what: str, sql: str, tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault", small()))
    vault.submit(lambda: vault.connection.execute(sql)).result()
    if "books" in what and "change" in sql:
        vault.submit(lambda: vault.connection.execute("UPDATE book SET n = 2")).result()
    report = look_through(vault, rebuild=True)
    assert what in [finding.what for finding in report.findings if not finding.whole]
    vault.close()
