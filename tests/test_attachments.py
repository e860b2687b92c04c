"""Attached files: sealed chunk by chunk, whole or not at all, and never in clear on the disk but where somebody asked for it."""

from __future__ import annotations

import contextlib
import io
import os
import random
import resource
import secrets
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leadworker.crypto import attachments as sealing
from leadworker.crypto.attachments import CHUNK, SEALED_CHUNK, TAG, FileKey, seal, sealed_size, unseal
from leadworker.crypto.identity import CannotOpen
from leadworker.desk import Desk
from leadworker.domain import attachments, histories, journal, people
from leadworker.domain.attachments import LARGEST, Attachment, AttachmentView, SealedFile, clean_name
from leadworker.domain.journal import NewEntry
from leadworker.errors import DiskTrouble, LeadworkerError, NotUnderstood, VaultDamaged
from leadworker.record import kept_fields, topics
from storage import backing_up
from storage.vault import Vault
from tests import vaults
from tests.vaults import ask, do, enter, fresh, look_through

SIZES = (1, 252, 253, 4092, CHUNK - 5, CHUNK - 4, CHUNK - 3, 2 * CHUNK - 4, 2 * CHUNK - 3, 200_000)


def a_key(size: int) -> FileKey:
    return FileKey(secrets.token_bytes(32), secrets.token_bytes(16), secrets.token_bytes(16), size)


def sealed_of(plain: bytes) -> tuple[FileKey, list[bytes]]:
    key = a_key(len(plain))
    return key, list(seal(key, io.BytesIO(plain).read))


def opens(key: FileKey, chunks: list[bytes]) -> bool:
    try:
        b"".join(unseal(key, chunks))
    except CannotOpen:
        return False
    return True


# The format


@pytest.mark.parametrize("size", SIZES)
def test_a_file_of_any_size_comes_back_as_it_was_and_tells_its_size_only_in_steps(size: int) -> None:
    plain = secrets.token_bytes(size)
    key, chunks = sealed_of(plain)
    assert b"".join(unseal(key, chunks)) == plain
    assert sum(map(len, chunks)) == sealed_size(size)
    assert all(len(chunk) == SEALED_CHUNK for chunk in chunks[:-1])
    assert TAG < len(chunks[-1]) <= SEALED_CHUNK


def test_the_store_sees_few_sizes_however_many_files_there_are() -> None:
    chance = random.Random(3)
    sizes = {sealed_size(int(chance.lognormvariate(12.5, 1.5)) % LARGEST + 1) for _ in range(20_000)}
    assert len(sizes) < 450


def test_every_bit_of_a_sealed_file_counts() -> None:
    key, (chunk,) = sealed_of(b"the letter from school")
    for bit in range(len(chunk) * 8):
        flipped = bytearray(chunk)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not opens(key, [bytes(flipped)])


def test_chunks_that_are_altered_left_out_doubled_moved_or_cut_off_open_as_nothing() -> None:
    chance = random.Random(11)
    key, chunks = sealed_of(chance.randbytes(6 * CHUNK))
    _, others = sealed_of(chance.randbytes(6 * CHUNK))
    assert opens(key, chunks)
    for _ in range(2_000):
        spoilt = list(chunks)
        at, to = chance.randrange(len(spoilt)), chance.randrange(len(spoilt))
        match chance.randrange(7):
            case 0:
                flipped = bytearray(spoilt[at])
                flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
                spoilt[at] = bytes(flipped)
            case 1:
                del spoilt[at]
            case 2:
                spoilt.insert(to, spoilt[at])
            case 3:
                if at != to:
                    spoilt[at], spoilt[to] = spoilt[to], spoilt[at]
                else:
                    spoilt.reverse()
            case 4:
                spoilt = spoilt[:at]
            case 5:
                spoilt[at] = spoilt[at][: chance.randrange(len(spoilt[at]))]
            case _:
                spoilt[at] = others[at]
        assert not opens(key, spoilt)


@pytest.mark.parametrize("what", ["secret", "book", "record", "size"])
def test_a_file_opens_only_with_its_own_key_in_its_own_book_and_record(what: str) -> None:
    key, chunks = sealed_of(b"x" * 100_000)
    other = msgspec.structs.replace(key, **{what: 99_999 if what == "size" else secrets.token_bytes(len(getattr(key, what)))})
    assert not opens(other, chunks)


def test_a_key_stands_in_no_words_about_it() -> None:
    key = a_key(3)
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)
    assert "ab" * 32 not in repr(SealedFile("0" * 32, "1" * 32, "2" * 32, 3, "cd" * 32, "ab" * 32))


# In the vault


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    opened = enter(fresh(tmp_path / "vault"))
    yield opened
    with contextlib.suppress(RuntimeError):
        opened.close()


@pytest.fixture
def keira(vault: Vault) -> str:
    return do(vault, people.add, "Keira Lane")


def a_file(folder: Path, size: int = 200_000, name: str = "scan.pdf") -> Path:
    path = folder / name
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def attach(vault: Vault, person: str, source: Path, **more: str) -> str:
    return Desk(vault, vault.name).attach_now(person, source, **more)


def save(vault: Vault, attachment: str, target: Path) -> None:
    Desk(vault, vault.name).save_file_now(attachment, target)


def the_file(vault: Vault, attachment: str) -> Path:
    return vault.files.path(ask(vault, attachments.sealed_file, attachment).digest)


def lying_about(vault: Vault) -> list[str]:
    return [str(path.relative_to(vault.files.folder)) for path in vault.files._files()]


def test_a_file_is_kept_with_an_entry_listed_and_comes_out_as_it_went_in(vault: Vault, keira: str, tmp_path: Path) -> None:
    source = a_file(tmp_path)
    entry = do(vault, journal.write, NewEntry(keira, said="Here is the letter.")).entry_id
    made = attach(vault, keira, source, entry_id=entry)
    (listed,) = ask(vault, attachments.of_person, keira)
    assert (listed.id, listed.name, listed.kind_said(), listed.size, listed.entry_id) == (made, "scan.pdf", "PDF", 200_000, entry)
    assert (listed.whereabouts(), listed.by_me) == ("here", True)
    save(vault, made, tmp_path / "out.pdf")
    assert (tmp_path / "out.pdf").read_bytes() == source.read_bytes()
    assert stat.S_IMODE((tmp_path / "out.pdf").stat().st_mode) == 0o600
    assert look_through(vault, rebuild=True).whole


def test_the_largest_file_is_taken_and_one_byte_more_is_not(vault: Vault, keira: str, tmp_path: Path) -> None:
    made = attach(vault, keira, a_file(tmp_path, LARGEST))
    save(vault, made, tmp_path / "out.pdf")
    assert (tmp_path / "out.pdf").read_bytes() == (tmp_path / "scan.pdf").read_bytes()
    with pytest.raises(NotUnderstood, match=r"25\.1 MB.*at most 25 MB.*Nothing was attached"):
        attach(vault, keira, a_file(tmp_path, LARGEST + 1, "more.pdf"))
    assert len(ask(vault, attachments.of_person, keira)) == 1


def odd_source(what: str, folder: Path) -> Path:
    path = folder / "odd"
    match what:
        case "link":
            path.symlink_to(a_file(folder))
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as plug:
                plug.bind(str(path))
        case "device":
            return Path("/dev/zero")
        case "empty":
            path.touch()
        case "locked":
            return Path(os.devnull) / "inside"
        case "long":
            return folder / ("x" * 300)
    return path


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("link", "is a link"), ("folder", "is a folder"), ("pipe", "is a device"), ("socket", "is a device"), ("device", "is a device"),
        ("empty", "is empty"), ("none", "There is no file"), ("locked", "There is no file"),
        ("long", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_plain_file_is_refused_in_words(what: str, words: str, vault: Vault, keira: str, tmp_path: Path) -> None:
    with pytest.raises(NotUnderstood, match=f"{words}.*Nothing was attached"):
        attach(vault, keira, odd_source(what, tmp_path))
    assert lying_about(vault) == []


@pytest.mark.parametrize("grows", [True, False], ids=["grows", "shrinks"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    grows: bool, vault: Vault, keira: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, real = a_file(tmp_path), sealing.seal

    def meanwhile(key: FileKey, read: Any) -> Iterator[bytes]:
        for number, chunk in enumerate(real(key, read)):
            if number == 0:
                source.write_bytes(source.read_bytes() + b"more") if grows else os.truncate(source, 100_000)
            yield chunk

    monkeypatch.setattr(sealing, "seal", meanwhile)
    with pytest.raises(NotUnderstood, match="changed while it was read.*Nothing was attached"):
        attach(vault, keira, source)
    assert lying_about(vault) == []


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let the system refuse to make any file larger than `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_while_adding_leaves_nothing_and_the_next_try_goes_on(vault: Vault, keira: str, tmp_path: Path) -> None:
    source = a_file(tmp_path)
    with room_for(100_000), pytest.raises(DiskTrouble, match="disk is full.*not attached.*Free some space"):
        attach(vault, keira, source)
    assert ask(vault, attachments.of_person, keira) == ()
    assert lying_about(vault) == []
    made = attach(vault, keira, source)
    with room_for(100_000), pytest.raises(DiskTrouble, match="disk is full.*Nothing was kept of it outside"):
        save(vault, made, tmp_path / "out.pdf")
    assert not (tmp_path / "out.pdf").exists()
    save(vault, made, tmp_path / "out.pdf")


def test_a_record_that_cannot_be_kept_leaves_no_bytes_behind(vault: Vault, keira: str, tmp_path: Path) -> None:
    with pytest.raises(NotUnderstood, match="not in this vault"):
        attach(vault, keira, a_file(tmp_path), entry_id="f" * 32)
    other = do(vault, people.add, "Tobias Wren")
    entry = do(vault, journal.write, NewEntry(other, said="about Tobias")).entry_id
    with pytest.raises(NotUnderstood, match="about somebody else"):
        attach(vault, keira, a_file(tmp_path), entry_id=entry)
    assert lying_about(vault) == []


@pytest.mark.parametrize("how", ["flipped", "cut", "grown", "gone", "swapped"])
def test_a_sealed_file_that_was_altered_is_refused_in_words_with_the_way_back(how: str, vault: Vault, keira: str, tmp_path: Path) -> None:
    made, other = attach(vault, keira, a_file(tmp_path)), attach(vault, keira, a_file(tmp_path, 200_001, "other.pdf"))
    path = the_file(vault, made)
    raw = path.read_bytes()
    match how:
        case "flipped":
            path.write_bytes(raw[:70_000] + bytes([raw[70_000] ^ 4]) + raw[70_001:])
        case "cut":
            path.write_bytes(raw[:-SEALED_CHUNK])
        case "grown":
            path.write_bytes(raw + raw[:SEALED_CHUNK])
        case "gone":
            path.unlink()
        case "swapped":
            path.write_bytes(the_file(vault, other).read_bytes())
    with pytest.raises(VaultDamaged, match="attachment fetch.*a backup holds them too"):
        save(vault, made, tmp_path / "out.pdf")
    assert not (tmp_path / "out.pdf").exists()
    save(vault, other, tmp_path / "other-out.pdf")


def test_nothing_is_ever_written_over_and_no_folder_is_made(vault: Vault, keira: str, tmp_path: Path) -> None:
    made = attach(vault, keira, a_file(tmp_path))
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for target, words in ((tmp_path / "there", "already"), (tmp_path / "link", "already"), (tmp_path / "no" / "where", "no folder")):
        with pytest.raises(NotUnderstood, match=words):
            save(vault, made, target)
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


HOSTILE_NAMES = (
    "../../etc/passwd", "C:\\case\\evil.exe", "/", "..", "...", "", " ", "a\nb.pdf", "\x1b]0;title\x07.pdf", "scan\u202efdp.exe",
    "x" * 5000 + ".pdf", "\u200b", "CON", "a\x00b", "\ud800", "é́́́́́́́́.pdf",
)  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_becomes_harmless_words_and_never_a_path(name: str, vault: Vault, keira: str, tmp_path: Path) -> None:
    shown = clean_name(name)
    assert shown
    assert len(shown) <= attachments.LONGEST_NAME
    assert not set(shown) & set("/\\\n\x1b\x00\u202e\u200b")
    assert not shown.startswith(".")
    assert clean_name(shown) == shown
    made = attach(vault, keira, a_file(tmp_path), name=name)
    assert ask(vault, attachments.attachment, made).name in (shown, "scan.pdf")
    assert all(set(Path(path).name) <= set("0123456789abcdef") for path in lying_about(vault))


def test_a_long_name_keeps_its_end() -> None:
    assert clean_name("letter " * 100 + ".pdf").endswith("….pdf")
    assert attachments.media_type(clean_name("letter " * 100 + ".PDF")) == "application/pdf"
    assert attachments.media_type("run.exe") == attachments.OTHER


@pytest.mark.parametrize("field", ["digest", "key", "size"])
def test_what_a_colleagues_laptop_made_up_about_a_file_is_never_a_path_and_never_opened(
    field: str, vault: Vault, keira: str, tmp_path: Path
) -> None:
    values: dict[str, Any] = {"person_id": keira, "name": "x\n../y", "size": 5, "digest": "a" * 64, "key": "b" * 64}
    values[field] = {"digest": "../../../../" + "a" * 52, "key": "no key", "size": 2**40}[field]
    made = do(vault, lambda shelf: shelf.add(Attachment, keira, **values))
    (listed,) = ask(vault, attachments.of_person, keira)
    assert isinstance(listed, AttachmentView)
    assert listed.name == "y"
    with pytest.raises(NotUnderstood, match="makes no sense"):
        save(vault, made, tmp_path / "out")
    with pytest.raises(ValueError, match="not a digest"):
        vault.files.path("../../x")


def test_a_key_is_neither_searched_nor_shown_in_any_history(vault: Vault, keira: str, tmp_path: Path) -> None:
    made = attach(vault, keira, a_file(tmp_path))
    key = ask(vault, attachments.sealed_file, made).key
    secret = [(t, n) for t, kind in topics().items() for n, field in kept_fields(kind).items() if field.secret]
    assert secret == [("attachment", "key")]
    said = ask(vault, lambda shelf: shelf.history(Attachment, made))
    assert {one.field for one in said} >= {"name", "digest"}
    shown = ask(vault, histories.history, "attachment", made)
    assert [(line.what, line.words) for line in shown.lines] == [("file", "scan.pdf")]
    for words in (repr(said), repr(shown), repr(ask(vault, attachments.of_person, keira))):
        assert key not in words
    assert ask(vault, lambda shelf: shelf.search(tuple(topics().values()), key)) == ()


def test_only_sealed_bytes_lie_in_the_vaults_folder(vault: Vault, keira: str, tmp_path: Path) -> None:
    source = tmp_path / "letter.txt"
    source.write_text("Zanthorne " * 9_000)
    attach(vault, keira, source)
    vault.close()
    for path in sorted(p for p in vault.folder.rglob("*") if p.is_file()):
        raw = path.read_bytes()
        assert b"Zanthorne" not in raw
        assert b"letter.txt" not in raw
        if path.parent.parent == vault.files.folder:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_crash_left_goes_when_it_is_old_and_what_a_record_names_never_does(vault: Vault, keira: str, tmp_path: Path) -> None:
    made = attach(vault, keira, a_file(tmp_path))
    named = the_file(vault, made)
    left = [vault.files.folder / "abc.sealing", named.with_name("e" * 64), named.with_name("e" * 64 + ".part")]
    for path in left:
        path.write_bytes(b"sealed")
    vault.close()
    again = enter(vault.folder)
    again.submit(lambda: None).result()
    assert all(path.exists() for path in left), "a record that was lost with an old copy may come back"
    again.close()
    for path in (*left, named):
        os.utime(path, (0, 0))
    again = enter(vault.folder)
    again.submit(lambda: None).result()
    assert [path.exists() for path in (*left, named)] == [False, False, False, True]
    again.close()


def test_stopping_while_a_file_is_sealed_keeps_nothing(vault: Vault, keira: str, tmp_path: Path) -> None:
    book = ask(vault, lambda shelf: shelf.casebook_of(keira))
    with pytest.raises(LeadworkerError, match="Stopped. Nothing was attached"):
        vault.files.seal(a_file(tmp_path), book, keira, lambda: True)
    assert lying_about(vault) == []


def test_changing_the_key_of_the_vault_leaves_its_files_as_they_are(vault: Vault, keira: str, tmp_path: Path) -> None:
    made = attach(vault, keira, a_file(tmp_path))
    path = the_file(vault, made)
    before = path.read_bytes()
    from storage import opening, rekeying

    rekeying.begin(vault, "other passphrase entirely seven", lambda words: None)
    vault.close()
    again = opening.open_with_passphrase(vault.folder, "other passphrase entirely seven")
    save(again, made, tmp_path / "out.pdf")
    assert path.read_bytes() == before
    again.close()


# Backup, check, kill


def test_a_backup_holds_the_files_too_and_puts_them_back(vault: Vault, keira: str, tmp_path: Path) -> None:
    made = [attach(vault, keira, a_file(tmp_path, size, f"{size}.pdf")) for size in (1, 70_000, 900_000)]
    vaults.back_up(vault, tmp_path / "kept.lwb")
    vault.close()
    assert backing_up.restore(tmp_path / "kept.lwb", tmp_path / "back") == 0
    back = enter(tmp_path / "back")
    for size, one in zip((1, 70_000, 900_000), made, strict=True):
        save(back, one, tmp_path / f"out-{size}")
        assert (tmp_path / f"out-{size}").read_bytes() == (tmp_path / f"{size}.pdf").read_bytes()
    assert look_through(back, rebuild=True).whole
    back.close()


def test_a_damaged_file_in_a_backup_is_left_out_and_the_record_and_the_others_come_back(vault: Vault, keira: str, tmp_path: Path) -> None:
    made = [attach(vault, keira, a_file(tmp_path, size, f"{size}.pdf")) for size in (70_000, 900_000)]
    raw = the_file(vault, made[1]).read_bytes()
    vaults.back_up(vault, tmp_path / "kept.lwb")
    vault.close()
    backup = bytearray((tmp_path / "kept.lwb").read_bytes())
    backup[backup.index(raw[:100]) + 5000] ^= 1
    (tmp_path / "kept.lwb").write_bytes(backup)
    assert backing_up.restore(tmp_path / "kept.lwb", tmp_path / "back") == 1
    (tmp_path / "cut.lwb").write_bytes(backup[:-1_000])
    assert backing_up.restore(tmp_path / "cut.lwb", tmp_path / "cut") >= 1
    back = enter(tmp_path / "back")
    save(back, made[0], tmp_path / "out")
    with pytest.raises(VaultDamaged, match="not in the vault's folder.*attachment fetch"):
        save(back, made[1], tmp_path / "out-2")
    report = look_through(back)
    assert report.record_is_whole
    assert not report.whole
    assert any("900000.pdf" in finding.sentence and "attachment fetch" in finding.sentence for finding in report.findings)
    back.close()


def test_a_bit_flipped_in_the_head_or_the_list_of_a_backup_is_refused(vault: Vault, keira: str, tmp_path: Path) -> None:
    attach(vault, keira, a_file(tmp_path))
    vaults.back_up(vault, tmp_path / "kept.lwb")
    vault.close()
    data = (tmp_path / "kept.lwb").read_bytes()
    length = int.from_bytes(data[8:12], "big")
    for at in (*range(52), *range(52 + length, 52 + length + 44)):
        spoilt = bytearray(data)
        spoilt[at] ^= 1 << at % 8
        (tmp_path / "tried.lwb").write_bytes(spoilt)
        with pytest.raises(LeadworkerError, match="Nothing was restored"):
            backing_up.restore(tmp_path / "tried.lwb", tmp_path / "restored")
        assert not (tmp_path / "restored").exists() or not vaults.files(tmp_path / "restored")


def test_a_check_names_the_files_that_are_not_whole_and_alters_nothing(vault: Vault, keira: str, tmp_path: Path) -> None:
    made = attach(vault, keira, a_file(tmp_path))
    assert look_through(vault).whole
    path = the_file(vault, made)
    path.write_bytes(path.read_bytes()[:-5])
    report = look_through(vault)
    assert [f.sentence for f in report.findings if not f.whole] == [
        (
            f"1 of 1 attached files are missing or damaged in the vault's folder: scan.pdf (id {made[-8:]}). “leadworker attachment "
            "fetch ID” gets one from the central store; a backup holds them too."
        )
    ]
    assert path.exists()


ADDING = """
import sys
from pathlib import Path
from leadworker.desk import Desk
from storage import opening
vault = opening.open_with_words(Path(sys.argv[1]), sys.argv[2])
desk = Desk(vault, vault.name)
print("open", flush=True)
for number in range(10_000):
    print(desk.attach_now(sys.argv[3], Path(sys.argv[4]), name=f"{number}.pdf"), flush=True)
"""


def test_killed_at_any_moment_of_adding_what_was_told_as_kept_is_whole_and_nothing_else_is_listed(
    vault: Vault, keira: str, tmp_path: Path
) -> None:
    vault.close()
    source, chance, told = a_file(tmp_path, 3_000_000), random.Random(5), list[str]()
    for _ in range(8):
        command = [sys.executable, "-P", "-c", ADDING, str(vault.folder), vaults.made().words, keira, str(source)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(chance.randrange(4)):
                told.append(process.stdout.readline().strip())
            time.sleep(chance.random() * 0.12)
            process.kill()
            told += [line.strip() for line in process.stdout.read().splitlines(keepends=True) if len(line) == 33]
    again = enter(vault.folder)
    listed = {view.id for view in ask(again, attachments.of_person, keira)}
    assert set(told) <= listed
    assert look_through(again, rebuild=True).whole
    for each in sorted(listed):
        save(again, each, tmp_path / each)
        assert (tmp_path / each).read_bytes() == source.read_bytes()
        (tmp_path / each).unlink()
    again.close()
