"""Attached files that leave: in a sealed copy, out of escrow, and in a bundle for a named outsider. Never silently missing, never a path."""

from __future__ import annotations

import hashlib
import json
import random
import resource
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyrage
import pytest

from leadworker.crypto import attachments as sealing
from leadworker.domain import attachments
from leadworker.domain.attachments import FETCHED_BY_ITSELF, Attachment
from leadworker.errors import DiskTrouble, Offline, Refused
from leadworker.plain import age_files
from leadworker.shelf import Shelf
from tests import second_reader
from tests.plain_world import Plain, empty, plain, template

pytest.importorskip("fastapi")

from sync import sealed_layout, wire
from sync.client import HubClient
from sync.hub.serve import EmbeddedHub
from tests.hub_world import execute
from tests.test_plain_escrow import RUTH, file_of, hub, light_seals, unzipped
from tests.test_plain_post import set_up
from tests.test_plain_readers import join

__all__ = ["empty", "hub", "light_seals", "plain", "template"]

T = TypeVar("T")
_NO_PAGE = wire.Page((), 0, b"", False, 0)
LETTER = b"Dear Keira, your place is kept. " * 4000


class Case:
    """Keira's casebook at a central store, with an escrow key in two officers' hands and a court that waits."""

    def __init__(self, plain: Plain, hub: EmbeddedHub, folder: Path) -> None:
        self.plain, self.hub, self.folder = plain, hub, folder
        made = set_up(plain, hub, folder)
        self.words = [file_of(folder, f"officer-{at}", one) for at, one in enumerate(made["officer_passphrases"])]
        self.court = pyrage.x25519.Identity.generate()

    def attach(self, content: bytes, name: str, *more: str) -> str:
        source = self.folder / "source"
        source.write_bytes(content)
        return str(self.plain("attach", "keira", str(source), "--name", name, *more, "--json").json()["id"])

    def copy(self, *vault: str) -> tuple[Path, Any]:
        """Write a sealed copy from a laptop."""
        out = self.folder / f"case-{len(list(self.folder.iterdir()))}"
        return out, self.plain("sealed-copy", "keira", str(out), *vault, "--json").json()

    def opened(self, copy: Path, code: int = 0) -> Any:
        return self.plain(
            "escrow", "open", str(copy), "--for", "Family Court at Saltmere", "--reason", "Order 12/25", "--out", str(self.out),
            "--to", str(self.court.to_public()), "--key-file", str(self.folder / "keys" / "escrow-key-officers-1-and-2.age"),
            "--first-passphrase-file", self.words[0], "--second-passphrase-file", self.words[1], "--json", code=code,
        )  # fmt: skip

    @property
    def out(self) -> Path:
        return self.folder / "court.age"

    def inside(self) -> dict[str, bytes]:
        """Return what the court unpacks, each part by its name, checked by the manifest."""
        parts = unzipped(self.out.read_bytes(), self.court)
        sums = json.loads(parts["manifest.json"])["parts"]
        assert sums == {name: hashlib.sha256(part).hexdigest() for name, part in parts.items() if not name.startswith("manifest.")}
        return parts

    def ask(self, query: Callable[[Shelf], T]) -> T:
        vault = self.plain.open()
        try:
            return vault.read(query).result()
        finally:
            vault.close()

    def do(self, deed: Callable[[Shelf], object]) -> None:
        vault = self.plain.open()
        vault.write(deed).result()
        vault.close()

    def person(self) -> str:
        return str(self.plain("person", "keira", "--json").json()["id"])

    def book(self) -> str:
        person = self.person()
        return self.ask(lambda shelf: shelf.casebook_of(person))

    def bytes_of(self, file: str, vault: Path | None = None) -> Path:
        """Return where the sealed bytes of a file are on a laptop."""
        digest = self.ask(lambda shelf: attachments.sealed_file(shelf, file)).digest
        return (vault or self.plain.folder) / "attachments" / digest[:2] / digest


@pytest.fixture
def case(plain: Plain, hub: EmbeddedHub, tmp_path: Path, light_seals: None) -> Case:
    return Case(plain, hub, tmp_path)


def names(parts: Mapping[str, bytes]) -> list[str]:
    return [name for name in parts if name.startswith("files/")]


def flip(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)


# Through a laptop, through the store, and by an older laptop


def test_files_come_out_of_escrow_as_they_went_in_whether_a_laptop_or_the_store_wrote_the_copy(case: Case, tmp_path: Path) -> None:
    plain = case.plain
    large = random.Random(7).randbytes(FETCHED_BY_ITSELF + 70_001)
    case.attach(LETTER, "letter.pdf")
    case.attach(large, "scan.tif")
    plain("sync")
    words = plain("invite", RUTH, "--team", "north", "--role", "supervisor", "--json").json()["words"]
    ruth = join(plain, case.hub, RUTH, tmp_path / "ruth", words)
    plain("sync")
    plain("sync", *ruth)
    assert [one["here"] for one in plain("attachments", "keira", *ruth, "--json").json()["files"]] == [False, True], (
        "too large to come by itself"
    )

    copies = [case.copy(), case.copy(*ruth)]
    at_store = tmp_path / "at-store"
    case.hub.stop()
    answer = plain("hub", "sealed-copy", case.book(), str(at_store), "--database", str(tmp_path / "store.db"), "--json").json()
    assert (answer["files"], answer["begun"], answer["damaged"]) == (2, 0, 0)
    for path, told in [*copies, (at_store, {"files": 2, "left_out": [], "not_received": 0})]:
        assert (told["files"], told["left_out"], told["not_received"]) == (2, [], 0)
        assert LETTER[:40] not in path.read_bytes()
        said = case.opened(path).json()
        assert (said["files"], said["left_out"], said["whole"]) == (2, [], True)
        parts = case.inside()
        assert [parts[name] for name in names(parts)] == [LETTER, large]
        assert names(parts) == ["files/0001-letter.pdf", "files/0002-scan.tif"]
        text = parts["case.txt"].decode()
        assert "Attached files: 2 of 2 in this bundle." in text
        assert "in the bundle: files/0001-letter.pdf\n" in text
        told_by = [json.loads(line) for line in parts["case.jsonl"].decode().splitlines()]
        assert [one["file"] for one in told_by if one["topic"] == "attachment"] == names(parts)
        case.out.unlink()


def test_the_second_reader_finds_the_files_of_a_copy_by_the_page_alone(case: Case) -> None:
    made = case.attach(LETTER, "letter.pdf")
    case.plain("sync")
    book, found = second_reader.read_sealed_copy(case.copy()[0].read_bytes())
    sealed = case.ask(lambda shelf: attachments.sealed_file(shelf, made))
    assert list(found) == [bytes.fromhex(sealed.digest)]
    record = {"key": sealed.key, "digest": sealed.digest, "size": sealed.size}
    assert second_reader.open_file(record, book, bytes.fromhex(made), found[bytes.fromhex(sealed.digest)]) == LETTER


def test_a_copy_of_the_first_version_still_opens_and_says_that_its_files_are_not_there(case: Case) -> None:
    case.attach(LETTER, "letter.pdf")
    case.plain("sync")
    path, _ = case.copy()
    with open(path, "rb") as source:
        older = wire.SEALED_BOOK + sealed_layout.Reader(source).book()
    assert not path.read_bytes().startswith(wire.SEALED_BOOK), "an older reader says that it does not know the file"
    path.write_bytes(older)
    told = case.opened(path).json()
    assert (told["files"], told["whole"]) == (0, True)
    assert [(one["name"], one["bytes"], one["why"]) for one in told["left_out"]] == [("letter.pdf", len(LETTER), "missing")]
    parts = case.inside()
    assert "letter.pdf, 125 KB: not in this bundle, its bytes were not there when this was made" in parts["case.txt"].decode()
    assert "said: I actually slept." in parts["case.txt"].decode()
    path.write_bytes(b"lw/sealed-book/v9\0" + older)
    case.out.unlink()
    assert "no sealed casebook of leadworker, or of a newer one" in case.opened(path, code=1).err


# What is missing, damaged or made up is said


def test_a_file_that_nobody_can_give_is_named_in_every_output_and_the_rest_goes_on(case: Case, tmp_path: Path) -> None:
    gone, kept = case.attach(LETTER, "gone.pdf"), case.attach(LETTER + b"!", "kept.pdf")
    case.plain("sync")
    case.bytes_of(gone).unlink()
    database = str(tmp_path / "store.db")
    digest = case.bytes_of(gone).name
    execute(database, f"DELETE FROM files WHERE digest = x'{digest}'")
    path, told = case.copy()
    assert (told["files"], [(one["name"], one["why"]) for one in told["left_out"]]) == (1, [("gone.pdf", "missing")])
    assert "the central store does not have it" in told["left_out"][0]["sentence"]
    told = case.opened(path).json()
    assert [one["name"] for one in told["left_out"]] == ["gone.pdf"]
    parts = case.inside()
    assert parts["files/0002-kept.pdf"] == LETTER + b"!"
    (named, _) = json.loads(parts["manifest.json"])["files"]
    assert named == {"record": gone, "name": "gone.pdf", "bytes": len(LETTER), "part": "", "why": "missing"}

    execute(database, "UPDATE files SET received_ms = 0")
    answer = case.plain("hub", "sealed-copy", case.book(), str(tmp_path / "a"), "--database", database)
    assert "1 file is not in it: a laptop has not sent the whole yet." in answer.out
    execute(database, f"UPDATE files SET received_ms = 5 WHERE digest = x'{case.bytes_of(kept).name}'")
    execute(database, "DELETE FROM file_parts")
    answer = case.plain("hub", "sealed-copy", case.book(), str(tmp_path / "b"), "--database", database)
    assert "1 file is not in it: the database does not hold what was sent." in answer.out
    with open(tmp_path / "b", "rb") as source:
        reader = sealed_layout.Reader(source)
    assert (reader.files, reader.whole) == ({}, True)


def test_what_the_store_hands_out_instead_of_a_file_is_not_in_the_copy(case: Case, tmp_path: Path) -> None:
    made, other = case.attach(LETTER, "letter.pdf"), case.attach(LETTER * 9, "other.pdf")
    case.plain("sync")
    execute(str(tmp_path / "store.db"), "UPDATE file_parts SET bytes = zeroblob(length(bytes))")
    flip(case.bytes_of(made), 70_000)
    path, told = case.copy()
    assert [(one["name"], one["why"]) for one in told["left_out"]] == [("letter.pdf", "damaged")]
    assert "the central store handed out something else" in told["left_out"][0]["sentence"]
    case.opened(path)
    assert names(case.inside()) == ["files/0002-other.pdf"]
    assert case.inside()["files/0002-other.pdf"] == LETTER * 9
    assert other


def test_a_line_that_is_cut_while_files_are_fetched_leaves_a_sound_copy_that_names_them(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [case.attach(LETTER * 9 + bytes([at]), name) for at, name in enumerate(("a.pdf", "b.pdf", "c.pdf"))]
    case.plain("sync")
    for file in made[:2]:
        case.bytes_of(file).unlink()
    asked: list[int] = []

    async def cut(self: HubClient, book: bytes, digest: bytes, part: int) -> wire.FilePart:
        asked.append(part)
        if part:
            raise Offline("cut")
        return wire.FilePart(sealing.sealed_size(len(LETTER) * 9 + 1), 0, bytes(wire.FILE_PART))

    monkeypatch.setattr(HubClient, "file_part", cut)
    path, told = case.copy()
    assert asked == [0, 1], "once is enough to know that there is no network"
    assert [(one["name"], one["why"]) for one in told["left_out"]] == [("a.pdf", "missing"), ("b.pdf", "missing")]
    case.opened(path)
    assert names(case.inside()) == ["files/0003-c.pdf"]


def test_a_store_that_asks_for_a_pause_is_given_it(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    made = case.attach(LETTER, "letter.pdf")
    case.plain("sync")
    case.bytes_of(made).unlink()
    true, asked = HubClient.file_part, [0]

    async def busy(self: HubClient, book: bytes, digest: bytes, part: int) -> wire.FilePart:
        asked[0] += 1
        if asked[0] == 1:
            refusal = Refused("A moment.")
            refusal.retry_after_s = 0.001
            raise refusal
        return await true(self, book, digest, part)

    monkeypatch.setattr(HubClient, "file_part", busy)
    assert case.copy()[1]["files"] == 1
    assert asked == [2]


def test_a_full_disk_takes_the_copy_back_whoever_writes_it(case: Case, tmp_path: Path) -> None:
    case.attach(random.Random(4).randbytes(6_000_000), "scan.tif")
    case.plain("sync")
    case.hub.stop()
    book, before = case.book(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, before[1]))
    try:
        answer = case.plain("hub", "sealed-copy", book, str(tmp_path / "never"), "--database", str(tmp_path / "store.db"), code=1)
        with pytest.raises(DiskTrouble, match="It was taken away again"), age_files.new_file(tmp_path / "nor this") as into:
            writer = sealed_layout.Writer(into, wire.SealedBook(b"", b"", _NO_PAGE, b"", _NO_PAGE))
            writer.put(bytes(32), 6_000_000, iter([bytes(1_000_000)] * 6))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "could not be written" in answer.err
    assert not (tmp_path / "never").exists()
    assert not (tmp_path / "nor this").exists()


def test_what_the_store_has_not_or_this_laptop_has_not_taken_in_is_told(case: Case, tmp_path: Path) -> None:
    plain = case.plain
    words = plain("invite", RUTH, "--team", "north", "--role", "supervisor", "--json").json()["words"]
    ruth = join(plain, case.hub, RUTH, tmp_path / "ruth", words)
    plain("sync")
    plain("sync", *ruth)
    case.attach(LETTER, "letter.pdf")
    _, told = case.copy()
    assert [(one["name"], one["why"]) for one in told["left_out"]] == [("letter.pdf", "not sent")]
    plain("sync")
    path, told = case.copy(*ruth)
    assert (told["files"], told["not_received"]) == (0, 2)
    assert [one["why"] for one in case.opened(path).json()["left_out"]] == ["missing"], "the copy's own changes name it"


def test_a_file_altered_or_cut_off_in_the_copy_is_named_and_the_others_open(case: Case) -> None:
    for name in ("a.pdf", "b.pdf"):
        case.attach(LETTER + name.encode(), name)
    case.plain("sync")
    path, _ = case.copy()
    raw = path.read_bytes()
    with open(path, "rb") as source:
        first, second = sealed_layout.Reader(source).files.values()
    for at in (first.at, first.at + 65_552 + 3, first.at + first.size - 1):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        told = case.opened(path).json()
        assert [(one["name"], one["why"]) for one in told["left_out"]] == [("a.pdf", "damaged")]
        assert names(case.inside()) == ["files/0002-b.pdf"]
        case.out.unlink()
    for end, missing in ((second.at + 9, ["b.pdf"]), (first.at, ["a.pdf", "b.pdf"]), (len(raw) - 1, [])):
        path.write_bytes(raw[:end])
        answer = case.opened(path)
        assert [one["name"] for one in answer.json()["left_out"]] == missing
        assert answer.json()["whole"] is False
        case.out.unlink()
    path.write_bytes(raw[: first.at - 50])
    assert "cut off or damaged" in case.opened(path, code=1).err
    for size in (0, wire.LARGEST_FILE + 1, 2**63):
        path.write_bytes(raw[: first.at - 8] + struct.pack(">Q", size) + raw[first.at :])
        assert case.opened(path).json()["whole"] is False
        case.out.unlink()


def test_a_file_whose_change_could_not_be_read_is_counted(case: Case) -> None:
    case.attach(LETTER, "letter.pdf")
    case.plain("sync")
    path, _ = case.copy()
    raw = path.read_bytes()
    with open(path, "rb") as source:
        book = msgspec.msgpack.decode(sealed_layout.Reader(source).book(), type=wire.SealedBook)
    for change in book.changes.changes[-2:]:  # the file's record, and that the store has it
        at = raw.index(change.body) + 40
        raw = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
    path.write_bytes(raw)
    told = case.opened(path).json()
    assert told["could_not_be_read"] == 2
    assert (told["files"], told["left_out"], told["unnamed_files"]) == (0, [], 1)


def test_what_a_colleague_made_up_about_a_file_is_never_opened_and_always_named(case: Case) -> None:
    made, person = case.attach(LETTER, "letter.pdf"), case.person()
    true = case.ask(lambda shelf: attachments.sealed_file(shelf, made))

    def lie(shelf: Shelf) -> None:
        shelf.add(Attachment, person, person_id=person, name="moved.pdf", size=true.size, digest=true.digest, key=true.key)
        shelf.add(Attachment, person, person_id=person, name="odd.pdf", size=-5, digest="../../../x", key="")

    case.do(lie)
    case.plain("sync")
    path, told = case.copy()
    assert [(one["name"], one["why"]) for one in told["left_out"]] == [("odd.pdf", "unfit")]
    told = case.opened(path).json()
    assert [(one["name"], one["why"]) for one in told["left_out"]] == [("moved.pdf", "unfit"), ("odd.pdf", "unfit")]
    assert names(case.inside()) == ["files/0001-letter.pdf"]
    given = case.folder / "given.age"
    told = case.plain(
        "give-out", "keira", str(given), "--for", "x", "--to", str(case.court.to_public()), "--reason", "y", "--yes", "--json"
    ).json()
    assert [one["name"] for one in told["left_out"]] == ["moved.pdf", "odd.pdf"]
