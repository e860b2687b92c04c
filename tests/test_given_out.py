"""A casebook given to a named outsider with its files: what is in the bundle, what is not and why, and names that are only names."""

from __future__ import annotations

import random
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadworker.crypto import age_passphrase
from leadworker.domain import attachments
from leadworker.domain.attachments import Attachment
from leadworker.plain import age_files, bundled_files
from leadworker.plain.age_files import Recipient
from leadworker.shelf import Shelf
from tests.plain_world import CONTROLS, Plain, empty, harmless, plain, template
from tests.test_plain_escrow import _KEIRA, _Id, unzipped

__all__ = ["empty", "plain", "template"]

LETTER = b"Dear Keira, your place is kept. " * 4000
NOOR = pyrage.x25519.Identity.generate()


def attach(plain: Plain, content: bytes, name: str) -> str:
    source = plain.folder.parent / "source"
    source.write_bytes(content)
    return str(plain("attach", "keira", str(source), "--name", name, "--json").json()["id"])


def give(plain: Plain, *more: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Give Keira's casebook to a doctor; return what was said and what the doctor unpacks."""
    out = plain.folder.parent / f"given-{len(list(plain.folder.parent.iterdir()))}.age"
    answer = plain(
        "give-out", "keira", str(out), "--for", "Dr Noor, Saltmere surgery", "--to", str(NOOR.to_public()), "--reason", "Referral", "--yes",
        "--json", *more,
    )  # fmt: skip
    assert harmless(answer)
    parts = unzipped(out.read_bytes(), NOOR)
    return answer.json(), parts


def files_of(parts: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix("files/"): content for name, content in parts.items() if name.startswith("files/")}


def bytes_of(plain: Plain, file: str) -> Path:
    vault = plain.open()
    digest = vault.read(lambda shelf: attachments.sealed_file(shelf, file)).result().digest
    vault.close()
    return plain.folder / "attachments" / digest[:2] / digest


def test_a_bundle_holds_the_files_beside_the_text_and_the_entry_counts_them(plain: Plain) -> None:
    attach(plain, LETTER, "letter.pdf")
    attach(plain, b"x", "note.txt")
    told, parts = give(plain)
    assert (told["files"], told["left_out"]) == (2, [])
    assert files_of(parts) == {"0001-letter.pdf": LETTER, "0002-note.txt": b"x"}
    assert b"Attached files: 2 of 2 in this bundle.\n   files/0001-letter.pdf, 125 KB\n" in parts["case.txt"]
    entry = plain("timeline", "keira", "--json").json()["entries"][0]
    assert entry["title"] == "Given to Dr Noor, Saltmere surgery: the whole record so far"
    assert "Files: 2\n" in entry["noticed"]


def test_files_are_left_out_when_asked_and_the_bundle_and_the_entry_say_so(plain: Plain) -> None:
    attach(plain, LETTER, "letter.pdf")
    told, parts = give(plain, "--without-files")
    assert told["files"] == 0
    assert [(one["name"], one["why"], one["sentence"]) for one in told["left_out"]] == [
        ("letter.pdf", "left out", "letter.pdf is not in the bundle: it was left out on purpose.")
    ]
    assert files_of(parts) == {}
    assert "letter.pdf, 125 KB: not in this bundle, it was left out on purpose" in parts["case.txt"].decode()
    entry = plain("timeline", "keira", "--json").json()["entries"][0]
    assert entry["title"] == "Given to Dr Noor, Saltmere surgery: the whole record so far, without its files"
    assert "Not in it: letter.pdf, it was left out on purpose" in entry["noticed"]


def test_a_file_that_is_missing_or_damaged_here_is_told_before_and_after_with_the_way_to_get_it(plain: Plain) -> None:
    gone, bent, kept = (attach(plain, LETTER + name.encode(), name) for name in ("gone.pdf", "bent.pdf", "kept.pdf"))
    bytes_of(plain, gone).unlink()
    path = bytes_of(plain, bent)
    raw = bytearray(path.read_bytes())
    raw[70_000] ^= 1
    path.write_bytes(raw)
    told, parts = give(plain)
    assert files_of(parts) == {"0003-kept.pdf": LETTER + b"kept.pdf"}
    assert [(one["name"], one["why"]) for one in told["left_out"]] == [("gone.pdf", "missing"), ("bent.pdf", "damaged")]
    assert "nowhere but in a backup" in told["left_out"][0]["sentence"]
    assert f"“leadworker attachment fetch {bent[-8:]}”" in told["left_out"][1]["sentence"]
    text = parts["case.txt"].decode()
    assert "Attached files: 1 of 3 in this bundle." in text
    assert "bent.pdf, 126 KB: not in this bundle, its bytes were damaged when this was made" in text
    assert "in the bundle: no, its bytes were damaged when this was made" in text
    entry = plain("timeline", "keira", "--json").json()["entries"][0]
    assert entry["title"].endswith("without some of its files")
    assert kept

    out = plain.folder.parent / "asked.age"
    refused = plain("give-out", "keira", str(out), "--for", "x", "--to", str(NOOR.to_public()), "--reason", "y", code=1)
    assert "gone.pdf is not in the bundle." in refused.err, "told before anybody says yes"
    assert not out.exists()


def test_many_files_left_out_still_leave_an_entry(plain: Plain) -> None:
    def many(shelf: Shelf) -> None:
        person = shelf.rows(_KEIRA, _Id)[0].id
        for at in range(300):
            shelf.add(Attachment, person, person_id=person, name=f"{at}-{'😀' * 110}.pdf", size=9, digest="0" * 64, key="0" * 64)

    vault = plain.open()
    vault.write(many).result()
    vault.close()
    told, _ = give(plain)
    assert len(told["left_out"]) == 300
    assert "Not in it: 280 more files, which the bundle names" in plain("timeline", "keira", "--json").json()["entries"][0]["noticed"]


def test_a_file_that_changes_while_it_is_written_takes_the_bundle_back(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    made = attach(plain, LETTER, "letter.pdf")
    path, looked = bytes_of(plain, made), bundled_files.gather

    def then_damaged(*args: Any, **more: Any) -> Any:
        found = looked(*args, **more)
        path.write_bytes(path.read_bytes()[:-1])
        return found

    monkeypatch.setattr(bundled_files, "gather", then_damaged)
    out = plain.folder.parent / "never.age"
    before = plain.digest()
    answer = plain("give-out", "keira", str(out), "--for", "x", "--to", str(NOOR.to_public()), "--reason", "y", "--yes", code=1)
    assert "An attached file was changed while it was written. The bundle was taken away again." in answer.err
    assert not out.exists()
    assert plain.digest() == before, "no entry says that something was given"


def test_a_full_disk_takes_the_bundle_back_and_nothing_says_that_it_was_given(plain: Plain) -> None:
    attach(plain, random.Random(3).randbytes(6_000_000), "scan.tif")
    out = plain.folder.parent / "never.age"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    entries = plain("timeline", "keira", "--json").json()["entries"]
    for to in (["--to", str(NOOR.to_public())], []):
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, before[1]))
        try:
            answer = plain("give-out", "keira", str(out), "--for", "x", *to, "--reason", "y", "--yes", code=1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert "could not be written" in answer.err
        assert "It was taken away again." in answer.err
        assert not out.exists()
    assert plain("timeline", "keira", "--json").json()["entries"] == entries


# Names


HOSTILE = (
    "../../x", "/etc/passwd", "..\\..\\x", "C:\\Windows\\win.ini", "CON", "aux.txt", "letter.pdf", "letter.pdf", "LETTER.PDF", "x.txt:stream",
    "\u202egpj.exe", "\x1b[2J\x07", "a\nb.pdf", "...", "trailing. ", "-rf", "e\u0301.txt", "\u00e9.txt", "n" * 300 + ".pdf", "😀" * 118 + ".p",
    "what?*.pdf", "",
)  # fmt: skip


def test_hostile_names_are_only_names_and_no_file_takes_anothers_place(plain: Plain, tmp_path: Path) -> None:
    source = tmp_path / "one"
    source.write_bytes(LETTER)

    def lie(shelf: Shelf) -> None:
        """Give a colleague's records the names that this laptop would not let through."""
        person = shelf.rows(_KEIRA, _Id)[0].id
        book = shelf.casebook_of(person)
        for name in HOSTILE:
            sealed = vault.files.seal(source, book, person)
            shelf.add(
                Attachment, person, record_id=sealed.id, person_id=person, name=name, size=sealed.size, digest=sealed.digest, key=sealed.key
            )

    vault = plain.open()
    vault.write(lie).result()
    vault.close()
    told, parts = give(plain)
    assert told["files"] == len(HOSTILE)
    found = files_of(parts)
    assert len(found) == len({name.casefold() for name in found}) == len(HOSTILE)
    assert set(found.values()) == {LETTER}
    for name in found:
        assert only_a_name(name), name
    assert not CONTROLS.search("".join(parts["case.txt"].decode().split("\n")))
    (tmp_path / "unpacked").mkdir()
    for name, content in parts.items():
        (tmp_path / "unpacked" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "unpacked" / name).write_bytes(content)
    assert len(list((tmp_path / "unpacked" / "files").iterdir())) == len(HOSTILE)


def only_a_name(name: str) -> bool:
    """Say whether a part's name is one that Linux, macOS and Windows take as it stands, with nothing in it that deceives."""
    number, _, rest = name.partition("-")
    plain = not re.search(r'[<>:"|?*\\/\x00-\x1f\x7f-\x9f]', rest) and not CONTROLS.search(rest)
    return bool(re.fullmatch(r"\d{4}", number) and rest and plain and rest[-1] not in " ." and len(name.encode()) <= 255)


@given(st.text(max_size=400))
def test_whatever_a_file_is_called_its_name_in_a_bundle_is_only_a_name(called: str) -> None:
    assert only_a_name(f"0001-{bundled_files.portable_name(called)}")


# The age file


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 131_072, 200_001])
def test_what_is_sealed_with_a_passphrase_opens_with_another_program(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    parts = (content[:size][at : at + 7001] for at in range(0, size, 7001))
    sealed = b"".join(age_passphrase.seal("copper lantern", parts, 8))
    assert pyrage.passphrase.decrypt(sealed, "copper lantern") == content[:size]
    for wrong in (sealed[:-1], sealed[:-17], bytes([*sealed[:-1], sealed[-1] ^ 1])):
        with pytest.raises(pyrage.DecryptError):
            pyrage.passphrase.decrypt(wrong, "copper lantern")
    with pytest.raises(pyrage.DecryptError):
        pyrage.passphrase.decrypt(sealed, "copper lanterns")


def test_a_bundle_with_a_passphrase_costs_each_guess_what_the_age_program_takes(tmp_path: Path) -> None:
    age_files.write(tmp_path / "x.age", iter([b"a", b"", b"b"]), Recipient("Dr Noor", passphrase="six words that were made up"))
    sealed = (tmp_path / "x.age").read_bytes()
    assert sealed.split(b"\n")[1].split()[-1] == b"18"
    assert pyrage.passphrase.decrypt(sealed, "six words that were made up") == b"ab"


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), MemoryError(), ValueError("x")])
def test_whatever_stops_a_bundle_half_way_leaves_no_file_and_is_itself(trouble: BaseException, tmp_path: Path) -> None:
    def parts() -> Any:
        yield b"x" * 300_000
        raise trouble

    for to in (Recipient("x", age=str(NOOR.to_public())), Recipient("x", passphrase="y")):
        with pytest.raises(type(trouble)):
            age_files.write(tmp_path / "x.age", parts(), to)
        assert list(tmp_path.iterdir()) == []


IN_LITTLE_MEMORY = """
import random, resource, sys
from pathlib import Path
from leadworker.change import Content
from leadworker.domain.attachments import LARGEST
from leadworker.plain import bundled_files, bundles, sealed_copies
from leadworker.plain.age_files import Recipient
from leadworker.plain.case_text import Told
from leadworker.plain.giving_out import _OnThisLaptop
from storage.attachment_files import AttachmentFiles
from sync import sealed_layout, wire

folder, recipient = Path(sys.argv[1]), sys.argv[2]
with open(folder / "scan", "wb") as scan:
    page = random.Random(1).randbytes(65536)  # nothing that a ZIP file makes smaller
    for _ in range(LARGEST // 65536):
        scan.write(page)
files = AttachmentFiles(folder)
book = "ab" * 16
sealed = files.seal(folder / "scan", book, "cd" * 16)
values = {"person_id": sealed.person_id, "name": "scan.tif", "size": sealed.size, "digest": sealed.digest, "key": sealed.key}
told = [Told(n, "Alex", "ef" * 16, 0, Content(1, "attachment", sealed.id, "put", values, 0, (0, b""), 0, 0), f"{n:064x}") for n in range(3)]
to = Recipient("x", age=recipient)
begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
source = _OnThisLaptop(files)
found = bundled_files.gather(told, book, source)
bundles.write(folder / "out.age", bundles.Bundle("x", "y", book, 8, "", tuple(told), found, source), to, "", None)
page = wire.Page((), 0, b"", False, 0)
digest = bytes.fromhex(sealed.digest)
size = sealed_copies._size(sealed)
with open(folder / "copy", "w+b") as out:
    writer = sealed_layout.Writer(out, wire.SealedBook(b"", b"", page, bytes(16), page))
    for _ in range(3):
        assert writer.put(digest, size, (files.read(sealed.digest, at, min(1 << 19, size - at)) for at in range(0, size, 1 << 19)))
    writer.close()
    assert sealed_layout.Reader(out).is_sound(digest)
assert all(one.part for one in found)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - begun) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted in other units elsewhere")
def test_three_files_of_25_mb_pass_in_less_memory_than_one_of_them(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY, str(tmp_path), str(NOOR.to_public())], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "copy").stat().st_size > 3 * 25 * 1024 * 1024
    assert int(run.stdout) < 12, "megabytes"
