"""Files of a person's record from the command line: attached, listed, and saved in clear only where somebody says yes to it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from leadworker.change import read_content
from leadworker.domain import attachments
from leadworker.plain import case_text
from tests.plain_world import Plain, empty, harmless, plain, template

__all__ = ["empty", "plain", "template"]

LETTER = b"Dear Keira, your place is kept. " * 4000


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.pdf"
    path.write_bytes(LETTER)
    return path


def test_a_file_is_attached_listed_with_its_entry_and_saved_by_its_short_id(plain: Plain, letter: Path, tmp_path: Path) -> None:
    entry = plain("timeline", "keira", "--json").json()["entries"][0]["id"]
    made = plain("attach", "keira", str(letter), "--entry", entry[-8:], "--json").json()
    assert "sealed" in made["sentence"]
    assert "still where it was, in clear" in made["sentence"]
    listed = plain("attachments", "keira")
    assert "letter.pdf, PDF, 125 KB, here, added by you on" in listed.out
    assert "File: letter.pdf, PDF, 125 KB, here." in plain("timeline", "keira").out
    (file,) = plain("attachments", "keira", "--json").json()["files"]
    assert (file["id"], file["entry_id"], file["bytes"], file["here"], file["where"]) == (made["id"], entry, len(LETTER), True, "here")
    assert plain("timeline", "keira", "--json").json()["entries"][0]["files"] == [file]
    out = tmp_path / "out.pdf"
    assert "in clear" in plain("attachment", "save", made["id"][-8:], str(out), "--yes").out
    assert out.read_bytes() == LETTER
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    long = plain("attachment", "save", made["id"][-8:], str(tmp_path / ("a" * 300)), "--yes", code=1).err
    assert "longer than a disk can take" in long and "Check the disk" not in long
    assert "nothing is written over it" in plain("attachment", "save", made["id"][-8:], str(out), "--yes", code=1).err


def test_nothing_leaves_the_vault_without_a_yes(plain: Plain, letter: Path, tmp_path: Path) -> None:
    made = plain("attach", "keira", str(letter), "--json").json()
    answer = plain("attachment", "save", made["id"], str(tmp_path / "out.pdf"), code=1)
    assert "whoever gets at it can read it" in answer.err
    assert "--yes" in answer.err
    assert not (tmp_path / "out.pdf").exists()


def test_no_document_and_no_line_ever_holds_a_key(plain: Plain, letter: Path) -> None:
    made = plain("attach", "keira", str(letter), "--json").json()["id"]
    vault = plain.open()
    key = vault.read(lambda shelf: attachments.sealed_file(shelf, made)).result().key
    vault.close()
    for command in (
        "attachments keira",
        "timeline keira",
        "brief kay",
        "person kay",
        "history kay",
        "today",
        "search letter",
        f"search {key}",
        "check",
        "doctor",
    ):
        for more in ((), ("--json",)):
            answer = plain(*command.split(), *more, code=None)
            said = answer.out.replace(f"“{key[:60]}”", "").replace(f'"{key}"', "")
            assert key[:40] not in (said if command.startswith("search") else answer.out + answer.err), command


def test_a_hostile_name_is_printed_as_harmless_letters(plain: Plain, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[2J\u202escan\n.pdf"
    path.write_bytes(b"x")
    for arguments in (
        ("attach", "keira", str(path)),
        ("attach", "keira", str(path), "--name", "../\x1b]0;x\x07.txt"),
        ("attachments", "keira"),
    ):
        assert harmless(plain(*arguments))
        assert harmless(plain(*arguments, "--json"))
    assert harmless(plain("attach", "keira", str(path) + "\x1b[31m", code=1))


def test_what_is_asked_wrongly_is_told_in_words(plain: Plain, letter: Path, tmp_path: Path) -> None:
    assert "There is no file" in plain("attach", "keira", str(tmp_path / "none.pdf"), code=1).err
    assert "is a folder" in plain("attach", "keira", str(tmp_path), code=1).err
    assert "No entry here" in plain("attach", "keira", str(letter), "--entry", "ffffffff", code=1).err
    assert "No file here" in plain("attachment", "save", "ffffffff", str(tmp_path / "out"), "--yes", code=1).err
    assert "No files are kept" in plain("attachments", "yusuf").out
    made = plain("attach", "keira", str(letter), "--json").json()["id"]
    assert "here already, and whole" in plain("attachment", "fetch", made).out


def test_a_casebook_that_is_given_out_holds_no_key_of_a_file(plain: Plain, letter: Path) -> None:
    made = plain("attach", "keira", str(letter), "--json").json()["id"]
    vault = plain.open()
    key = vault.read(lambda shelf: attachments.sealed_file(shelf, made)).result().key
    (body,) = [
        row[0]
        for row in vault.submit(lambda: vault.connection.execute("SELECT body FROM change").fetchall()).result()
        if key.encode() in row[0]
    ]
    vault.close()
    told = case_text.Told(1, "Alex Morgan", "d" * 32, 1, read_content(body), "c" * 64)
    assert "letter.pdf" in str(case_text.as_json(told))
    assert "letter.pdf" in "".join(case_text.lines([told]))
    assert key not in str(case_text.as_json(told)) + "".join(case_text.lines([told]))
