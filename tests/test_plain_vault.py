"""The vault on the plain path: making, checking, backing up, restoring, what opens it, and every way in which it may not open."""

from __future__ import annotations

import os
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from leadworker.domain import recovery
from leadworker.errors import NotUnderstood
from leadworker.plain import secret
from storage import opening, tries
from tests import vaults
from tests.plain_world import PASSPHRASE, Plain, empty, plain, template

__all__ = ["empty", "plain", "template"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Answers to what is asked on the terminal."""

    def answer(*answers: str) -> None:
        left = list(answers)
        monkeypatch.setattr(secret, "ask", lambda question: left.pop(0))

    return answer


# Making one


def test_init_shows_a_passphrase_and_the_recovery_words_once(empty: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWORKER_PASSPHRASE_FILE")
    made = empty("init", "--name", "Alex Morgan", "--json").json()

    assert made["name"] == "Alex Morgan"
    assert len(made["passphrase"].split()) == 6
    assert len(made["recovery_words"]) == 16
    vault = opening.open_with_passphrase(empty.folder, made["passphrase"])
    vault.close()


def test_init_takes_the_passphrase_of_a_file_and_does_not_show_it(empty: Plain) -> None:
    answer = empty("init", "--name", "Alex Morgan")

    assert PASSPHRASE not in answer.out
    assert "16 " in answer.out
    empty.open().close()


def test_init_refuses_a_weak_passphrase(empty: Plain) -> None:
    empty.passphrase_file.write_text("password1234567\n")
    answer = empty("init", "--name", "Alex Morgan", code=1)

    assert "Nothing was changed." in answer.err
    assert not opening.exists(empty.folder)


def test_init_asks_twice_for_a_passphrase_of_ones_own(empty: Plain, typed: Callable[..., None]) -> None:
    typed(PASSPHRASE, "something else entirely now")
    assert "two different passphrases" in empty("init", "--name", "Alex", "--own-passphrase", code=1).err

    typed(PASSPHRASE, PASSPHRASE.replace(" ", "  "))
    empty("init", "--name", "Alex", "--own-passphrase")
    empty.open().close()


def test_init_never_writes_over_a_vault(plain: Plain) -> None:
    before = plain.digest()
    answer = plain("init", "--name", "Somebody", "--json", code=1)

    assert answer.trouble()["error"] == "not_understood"
    assert plain.digest() == before


# Checking


def test_check_says_line_by_line_what_it_looked_at(plain: Plain) -> None:
    answer = plain("check", "--rebuild", "--json").json()

    assert answer["whole"] is True
    assert [finding["what"] for finding in answer["findings"]] == ["pages", "chain", "anchor", "signatures", "books", "files", "rebuild"]
    assert answer["digest"] == plain.digest()
    assert "The vault is whole." in plain("check").out


def test_a_check_names_what_was_put_aside_and_by_whom(plain: Plain) -> None:
    vault = plain.open()
    sql = """INSERT INTO put_aside (book_no, n, change_no, sealed, device, why, at_ms)
             SELECT no, 7, 1, x'', 'aa', 'a record of another person''s book', 1763000000000 FROM book WHERE subject != ''"""
    vault.submit(lambda: (vault.connection.execute(sql), vault.connection.execute("INSERT INTO writer VALUES ('aa', 'Dana', 0, '')")))
    vault.close()
    (first, *_) = plain("check", "--json").json()["put_aside"]

    assert (first["written_by"], first["number"], first["received"]) == ("Dana", 7, "2025-11-13T02:13:20+00:00")
    assert first["about"] in ("Keira Okafor-Lane", "Yusuf Demir", "Sam Reyes")
    assert "nothing of yours: change 7 about Keira Okafor-Lane, by Dana: a record of another person's book." in plain("check").out


def test_re_keying_gives_a_new_passphrase_and_new_words_and_keeps_every_record(plain: Plain) -> None:
    before = plain.digest()
    old = (plain.folder / "vault.json").read_bytes()
    answer = plain("passphrase", "--re-key", "--json")
    made = answer.json()
    assert len(made["recovery_words"]) == 16 and "new key now" in answer.err
    assert "passphrase" in plain("today", code=1).err

    plain.passphrase_file.write_text(made["passphrase"] + "\n")
    assert plain("check", "--json").json()["digest"] == before
    plain.passphrase_file.write_text(PASSPHRASE + "\n")
    for name in ("vault.json", "vault.copy.json"):
        (plain.folder / name).write_bytes(old)
    assert plain("today", "--json", code=1).trouble()["error"] == "vault_damaged"


@pytest.mark.parametrize("way", ["--new-recovery-words", "--re-key"])
def test_words_that_nobody_has_are_said_at_each_opening_until_there_are_new_ones(plain: Plain, way: str) -> None:
    vault = opening.open_with_passphrase(plain.folder, PASSPHRASE)
    vault.write(lambda shelf: shelf.keep(recovery.DRAWER, recovery.OWED, b"")).result()
    vault.close()
    assert "recovery words back from paper" in plain("today").err
    answer = plain("passphrase", way, "--json")
    assert answer.err.count("back from paper") == 1, "at the opening; there are new words after it"
    if way == "--re-key":
        plain.passphrase_file.write_text(answer.json()["passphrase"] + "\n")
    assert "back from paper" not in plain("today").err


def test_whoever_opens_with_the_words_has_them(plain: Plain) -> None:
    folder, words = vaults.fresh(plain.folder.with_name("with words")), vaults.made().words
    vault = opening.open_with_words(folder, words)
    vault.write(lambda shelf: shelf.keep(recovery.DRAWER, recovery.OWED, b"")).result()
    vault.close()
    for _ in range(2):
        vault = opening.open_with_words(folder, words)
        assert not vault.notices and not vault.read(recovery.are_owed).result()
        vault.close()


def test_a_missing_safety_mark_is_said_and_mended(plain: Plain) -> None:
    (plain.folder / "vault.anchor").unlink()
    refused = plain("check", "--json", code=1)
    assert refused.trouble()["error"] == "vault_damaged"
    assert "check --mend" in refused.trouble()["sentence"]

    mended = plain("check", "--mend")
    assert "A new safety mark was made" in mended.out
    assert "The vault is whole." in mended.out
    assert "Keira" in plain("people").out


def test_mending_counts_wrong_passphrases_like_opening(plain: Plain) -> None:
    plain.passphrase_file.write_text("not the one at all\n")

    assert "4 tries left" in plain("check", "--mend", code=1).err


def test_a_flipped_bit_anywhere_is_said_and_ends_with_1(plain: Plain) -> None:
    database = plain.folder / "journal.db"
    whole = database.read_bytes()
    told = []
    for at in range(2000, len(whole), 9 * 4096):
        raw = bytearray(whole)
        raw[at] ^= 1
        database.write_bytes(raw)
        answer = plain("check", "--rebuild", "--json", code=1)
        told += [answer.json()["whole"]] if answer.out else []
        assert answer.out or answer.trouble()["error"] == "vault_damaged", at
    database.write_bytes(raw)
    answer = plain("check", code=1)

    assert told, "pages that opening does not read are found by looking through"
    assert not any(told)
    assert not answer.out or "The vault is not whole." in answer.out


# Backups


def test_a_backup_brings_the_vault_back(plain: Plain, tmp_path: Path) -> None:
    backup = tmp_path / "monday.backup"
    before = plain.digest()
    written = plain("backup", str(backup), "--json").json()
    assert written == {"file": str(backup), "bytes": backup.stat().st_size}

    again = tmp_path / "again"
    plain("restore", str(backup), "--vault", str(again))
    answer = plain("people", "--vault", str(again))
    assert "Keira Okafor-Lane" in answer.out
    assert "put back from a backup" in answer.err, "said once, on standard error"
    plain.folder = again
    assert plain.digest() == before


def test_the_vault_remembers_its_last_backup(plain: Plain, tmp_path: Path) -> None:
    plain("backup", str(tmp_path / "monday.backup"))
    vault = plain.open()
    try:
        said = int.from_bytes(vault.fact("backup") or b"", "big")
    finally:
        vault.close()

    assert abs(said / 1000 - (tmp_path / "monday.backup").stat().st_mtime) < 60


def test_a_backup_and_a_restore_never_write_over_anything(plain: Plain, tmp_path: Path) -> None:
    backup = tmp_path / "monday.backup"
    plain("backup", str(backup))

    assert "already" in plain("backup", str(backup), code=1).err
    assert "already" in plain("restore", str(backup), code=1).err
    assert "no folder" in plain("backup", str(tmp_path / "nowhere" / "file"), code=1).err


@pytest.mark.parametrize("content", [b"", b"not a backup", b"LWBACK01" + bytes(100)])
def test_what_is_no_backup_is_said_in_words(empty: Plain, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    answer = empty("restore", str(file), code=1)

    assert "Nothing was restored." in answer.err
    assert not opening.exists(empty.folder)
    assert "Nothing was restored." in empty("restore", str(tmp_path / "none"), code=1).err


# What opens it


def test_a_new_passphrase_replaces_the_old_one(plain: Plain) -> None:
    made = plain("passphrase", "--json").json()

    assert "4 tries left" in plain("people", code=1).err
    plain.passphrase_file.write_text(made["passphrase"])
    assert "Keira" in plain("people").out


def test_a_passphrase_of_ones_own_comes_from_a_file_or_the_terminal(plain: Plain, tmp_path: Path, typed: Callable[..., None]) -> None:
    mine = tmp_path / "mine"
    mine.write_text("walnut bridge comet dusty maple anchor\n")
    mine.chmod(0o600)
    answer = plain("passphrase", "--new-passphrase-file", str(mine))
    assert "walnut" not in answer.out

    plain.passphrase_file.write_text(mine.read_text())
    typed("granite meadow puzzle violet canoe drum", "granite meadow puzzle violet canoe drum")
    plain("passphrase", "--own-passphrase")
    plain.passphrase_file.write_text("granite meadow puzzle violet canoe drum")
    assert "Keira" in plain("people").out


def test_recovery_words_open_the_vault_when_the_passphrase_is_lost(plain: Plain, tmp_path: Path) -> None:
    words = plain("passphrase", "--new-recovery-words", "--json").json()["recovery_words"]
    file = tmp_path / "words"
    file.write_text("\n".join(f"{number}. {word.upper()}" for number, word in enumerate(words, start=1)))
    plain.passphrase_file.write_text("long forgotten words of mine\n")

    made = plain("passphrase", "--recovery-file", str(file), "--json").json()
    plain.passphrase_file.write_text(made["passphrase"])
    assert "Keira" in plain("people").out

    other = "abandon " * 16
    file.write_text(other)
    assert plain("passphrase", "--recovery-file", str(file), code=1).err


def test_old_recovery_words_open_nothing_any_more(plain: Plain, tmp_path: Path) -> None:
    file = tmp_path / "words"
    file.write_text(" ".join(plain("passphrase", "--new-recovery-words", "--json").json()["recovery_words"]))
    plain("passphrase", "--new-recovery-words")
    answer = plain("passphrase", "--recovery-file", str(file), code=1)

    assert "Those are not the recovery words of this vault. 4 tries left" in answer.err


# Every way in which it may not open


def test_wrong_passphrases_are_answered_calmly_and_with_growing_waits(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    plain.passphrase_file.write_text("not the one at all\n")
    clock = [1_000_000.0]
    monkeypatch.setattr(tries, "time", types.SimpleNamespace(time=lambda: clock[0]))
    said = [plain("people", code=1).err for _ in range(5)]

    assert said[0] == "That was not the passphrase. 4 tries left before a wait of 1 minute.\n"
    assert said[3] == "That was not the passphrase. 1 try left before a wait of 1 minute.\n"
    assert said[4] == "That was not the passphrase. The next try is possible in 1 minute.\n"

    plain.passphrase_file.write_text(PASSPHRASE)
    assert plain("people", code=1).err == "Too many wrong tries. Wait 61 seconds, then try again. Nothing was opened.\n"
    clock[0] += 61
    plain.passphrase_file.write_text("still not the one\n")
    assert "in 2 minutes" in plain("people", code=1).err
    clock[0] += 121
    plain.passphrase_file.write_text(PASSPHRASE)
    assert "Keira" in plain("people").out


def test_a_wrong_passphrase_is_kept_nowhere(plain: Plain) -> None:
    plain.passphrase_file.write_text("mistyped-canary-words\n")
    plain("people", code=1)

    assert not [file for file in plain.folder.iterdir() if b"canary" in file.read_bytes()]


def test_a_vault_in_use_names_who_uses_it(plain: Plain) -> None:
    vault = opening.open_with_passphrase(plain.folder, PASSPHRASE, purpose="the leadworker screens")
    try:
        answer = plain("people", "--json", code=1)
    finally:
        vault.close()

    assert answer.trouble()["error"] == "vault_busy"
    assert f"the leadworker screens, process {os.getpid()}" in answer.trouble()["sentence"]


def test_no_vault_is_said_before_anybody_types_a_passphrase(empty: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWORKER_PASSPHRASE_FILE")
    monkeypatch.setattr(secret, "ask", lambda question: pytest.fail("it asked"))
    answer = empty("today", "--json", code=1)

    assert answer.trouble()["error"] == "vault_missing"
    assert "“leadworker init” makes one" in answer.trouble()["sentence"]


@pytest.mark.parametrize("file", ["journal.db", "vault.anchor", "vault.json"])
@pytest.mark.parametrize("harm", ["cut off", "flipped"])
def test_a_damaged_vault_is_said_in_words_or_mended_from_its_copy(plain: Plain, file: str, harm: str) -> None:
    path = plain.folder / file
    raw = bytearray(path.read_bytes())
    if harm == "flipped":
        raw[100] ^= 1
    path.write_bytes(raw[: len(raw) // 2] if harm == "cut off" else raw)
    answer = plain("check", "--json", code=None)

    if answer.code == 0:  # one of two copies was spoilt, and the other replaced it
        assert "replaced it" in answer.err or "replace it" in answer.err
    else:
        assert answer.code == 1
        assert answer.trouble()["error"] == "vault_damaged"
        assert answer.trouble()["sentence"].endswith(".")
    if file == "journal.db":
        assert answer.code == 1


def test_a_folder_that_cannot_be_written_to_is_said_in_words(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    def refuse(self: FileLock) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    answer = plain("people", "--json", code=1)

    assert answer.trouble() == {"error": "disk", "sentence": answer.trouble()["sentence"]}
    assert "Nothing was opened or changed." in answer.trouble()["sentence"]


# Where a passphrase comes from


def test_without_a_terminal_the_option_that_is_needed_here_is_named(plain: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret, "has_terminal", lambda: False)
    one = tmp_path / "first"
    one.write_text("copper lantern quiet harbour seven velvet\n")
    asked = ("escrow", "open-laptop", str(tmp_path), "--key-file", str(tmp_path / "key.age"))

    lower = plain(*asked, code=1).err
    assert "passphrase of the officer with the lower number." in lower and "with --first-passphrase-file." in lower
    assert "with --second-passphrase-file." in plain(*asked, "--first-passphrase-file", str(one), code=1).err


def test_without_a_terminal_and_a_file_it_is_refused_in_words(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWORKER_PASSPHRASE_FILE")
    monkeypatch.setattr(secret, "has_terminal", lambda: False)
    answer = plain("note", "keira", "-", typed="copper lantern quiet harbour seven velvet\n", code=1)

    assert "There is no terminal here to ask for the passphrase." in answer.err
    assert "--passphrase-file" in answer.err


@pytest.mark.parametrize("content", [b"", b"\n" + PASSPHRASE.encode(), b"\xff\x00\xfe", b"x" * 70_000])
def test_a_passphrase_file_that_is_none_is_said_in_words(plain: Plain, content: bytes) -> None:
    plain.passphrase_file.write_bytes(content)

    assert plain("people", "--json", code=1).trouble()["error"] == "not_understood"


def test_only_the_first_line_of_a_passphrase_file_counts(plain: Plain) -> None:
    plain.passphrase_file.write_bytes(b"\xef\xbb\xbf" + PASSPHRASE.encode() + b"\r\nanother line\r\n")

    assert "Keira" in plain("people").out


@pytest.mark.skipif(os.name == "nt", reason="rights are something else there")
def test_a_passphrase_file_that_others_can_read_is_pointed_out(plain: Plain) -> None:
    plain.passphrase_file.chmod(0o644)

    assert "Other accounts of this computer can read the passphrase file." in plain("people").err


def test_a_passphrase_file_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(NotUnderstood, match="cannot be read"):
        secret.first_line(tmp_path / "none")


# Whether this computer has what it needs


def test_the_doctor_needs_no_passphrase_and_names_nobody(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADWORKER_PASSPHRASE_FILE")
    answer = plain("doctor")
    found = {finding["about"]: finding["state"] for finding in plain("doctor", "--json").json()["findings"]}

    assert "Keira" not in answer.out
    assert found["SQLCipher"] == found["Vault"] == found["Vault's folder"] == found["Clock"] == "fine"
    assert found["Disk encryption"] == "unknown"
    assert found["Central store"] == "unknown"


def test_the_doctor_looks_where_there_is_no_vault(empty: Plain) -> None:
    found = {finding["about"]: finding for finding in empty("doctor", "--json").json()["findings"]}

    assert found["Vault"]["state"] == "look"
    assert "leadworker init" in found["Vault"]["sentence"]


def test_the_doctor_goes_on_when_the_vault_is_in_use(plain: Plain) -> None:
    vault = plain.open()
    try:
        found = {finding["about"]: finding for finding in plain("doctor", "--json").json()["findings"]}
    finally:
        vault.close()

    assert "open already" in found["Central store"]["sentence"]
