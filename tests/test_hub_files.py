"""Sealed files at the central store: part by part, whole or not at all, for the members of their casebook and nobody else."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leadworker import proof, statements
from leadworker.statements import Role
from sync import wire
from sync.hub import allowance, files, sealed_copy
from sync.hub.databases import change_allowance
from sync.hub.store import HubTrouble
from tests import second_reader
from tests.hub_world import (
    STORES,
    Casebook,
    Laptop,
    World,
    blob,
    dump,
    execute,
    key_for,
    new_database,
    refused,
    running,
    select,
    told,
)

pytest_plugins = ["tests.hub_fixtures"]

SIZE = 3 * wire.FILE_PART - 1000


@pytest.fixture(params=STORES)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A store of a test's own, once of each kind."""
    with running(new_database(request.param, tmp_path)) as made:
        yield made


def some(size: int = SIZE, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def parts(content: bytes) -> list[bytes]:
    return [content[at : at + wire.FILE_PART] for at in range(0, len(content), wire.FILE_PART)]


def target(book: Casebook, content: bytes) -> str:
    return f"/v1/books/{book.book.hex()}/files/{hashlib.sha256(content).hexdigest()}"


def put(laptop: Laptop, book: Casebook, content: bytes, number: int, *, part: bytes | None = None, size: int = 0) -> httpx.Response:
    sent = wire.FilePart(size or len(content), number, parts(content)[number] if part is None else part)
    return laptop.send("POST", target(book, content), wire.write(sent))


def put_all(laptop: Laptop, book: Casebook, content: bytes) -> wire.FileState:
    for number in range(len(parts(content))):
        state = told(wire.FileState, put(laptop, book, content, number))
    return state


def state(laptop: Laptop, book: Casebook, content: bytes) -> wire.FileState:
    return told(wire.FileState, laptop.send("GET", target(book, content)))


def get(laptop: Laptop, book: Casebook, content: bytes, number: int) -> httpx.Response:
    return laptop.send("GET", f"{target(book, content)}/parts/{number}")


def test_a_file_goes_in_part_by_part_and_comes_out_whole_with_a_receipt(world: World) -> None:
    lead, reader = world.organisation.colleague(), world.organisation.colleague()
    book = world.organisation.casebook(lead, [(reader, Role.READ_ONLY)])
    content = some()
    assert state(lead, book, content) == wire.FileState(0, 0, 0, b"")
    for number in range(3):
        assert refused(get(reader, book, content, 0)) == "no_such_file", "not before it is whole"
        assert told(wire.FileState, put(lead, book, content, number)).parts == number + 1
    whole = state(reader, book, content)
    assert (whole.size, whole.parts) == (SIZE, 3)
    message = wire.file_receipt_message(book.book, hashlib.sha256(content).digest(), SIZE, whole.received_ms)
    assert proof.is_signed(world.organisation.hub().hub, wire.FILE_RECEIPT, message, whole.receipt)
    assert b"".join(told(wire.FilePart, get(reader, book, content, n)).content for n in range(3)) == content
    assert refused(get(reader, book, content, 3)) == "no_such_file"


def test_whoever_was_cut_off_asks_how_far_it_came_and_goes_on_there(world: World) -> None:
    lead = world.organisation.colleague()
    book, content = world.organisation.casebook(lead), some(seed=2)
    put(lead, book, content, 0)
    assert state(lead, book, content).parts == 1
    assert told(wire.FileState, put(lead, book, content, 0)).parts == 1, "the same again is counted once"
    assert told(wire.FileState, put(lead, book, content, 2)).parts == 1, "a later one waits for its turn"
    put(lead, book, content, 1)
    first = told(wire.FileState, put(lead, book, content, 2))
    assert first.received_ms
    assert told(wire.FileState, put(lead, book, content, 2)) == first, "a lost answer is given again"


def test_a_part_of_another_size_is_refused(world: World) -> None:
    lead = world.organisation.colleague()
    book, content = world.organisation.casebook(lead), some(seed=3)
    assert refused(put(lead, book, content, 0, part=b"short")) == "wrong_size"
    assert refused(put(lead, book, content, 2, part=parts(content)[0])) == "wrong_size"
    assert refused(put(lead, book, content, 0, size=wire.LARGEST_FILE + 1)) == "too_large"
    sent = wire.FilePart(SIZE, 9, b"")
    assert refused(lead.send("POST", target(book, content), wire.write(sent))) == "wrong_size"
    assert refused(put(lead, book, content, 0, part=bytes(wire.FILE_PART + 100))) == "too_large"
    assert state(lead, book, content) == wire.FileState(0, 0, 0, b"")


@pytest.mark.parametrize("size", [100, SIZE])
def test_what_is_not_the_file_that_was_named_is_thrown_away_and_the_right_one_goes_in_after_it(world: World, size: int) -> None:
    lead = world.organisation.colleague()
    book, content = world.organisation.casebook(lead), some(size, seed=size)
    last = len(parts(content)) - 1
    for number in range(last):
        put(lead, book, content, number)
    assert refused(put(lead, book, content, last, part=bytes(len(parts(content)[last])))) == "wrong_digest"
    assert state(lead, book, content).parts == 0
    assert put_all(lead, book, content).received_ms


def test_nobody_spoils_what_a_colleague_is_sending(world: World) -> None:
    lead, other = world.organisation.colleague(), world.organisation.colleague()
    book, content = world.organisation.casebook(lead, [(other, Role.CO_WORKER)]), some(seed=5)
    put(lead, book, content, 0)
    put(other, book, content, 0, part=bytes(wire.FILE_PART))
    put(other, book, content, 1, part=bytes(wire.FILE_PART))
    put(lead, book, content, 1)
    assert put(lead, book, content, 2).status_code == 200
    assert state(other, book, content).received_ms, "what one brought whole is there for all"
    assert told(wire.FilePart, get(other, book, content, 0)).content == parts(content)[0]


def test_a_file_belongs_to_its_casebook_alone_and_who_was_taken_out_is_told_nothing_of_it(world: World) -> None:
    organisation = world.organisation
    lead, leaver, outsider = (organisation.colleague() for _ in range(3))
    book, elsewhere = organisation.casebook(lead, [(leaver, Role.CO_WORKER)]), organisation.casebook(outsider)
    content = some(seed=6)
    put_all(lead, book, content)
    assert refused(get(outsider, book, content, 0)) == "not_a_member"
    assert refused(get(outsider, elsewhere, content, 0)) == "no_such_file", "its digest is no way to it"
    assert get(leaver, book, content, 0).status_code == 200
    del book.members[leaver.device]
    said = statements.Membership(organisation.directory.seen, (), (leaver.device,), lead.person)
    given = key_for(2, book.members, organisation.directory.seen)
    outcome = lead.control(book.control.statement(lead.keys, said), book.control.statement(lead.keys, given))
    assert not outcome.code, outcome.sentence
    for answer in (get(leaver, book, content, 0), leaver.send("GET", target(book, content)), put(leaver, book, content, 0)):
        assert refused(answer) == "not_a_member"


def test_files_count_for_what_is_kept_of_a_laptop_and_of_a_casebook(office: World) -> None:
    lead = office.organisation.colleague()
    book, other = office.organisation.casebook(lead), office.organisation.casebook(lead)
    put_all(lead, book, some(seed=7))
    for figures, code in (({"book_bytes": 2 * SIZE - 1}, "book_full"), ({"device_bytes": 2 * SIZE - 1}, "device_full")):
        allowed = allowance.Allowance(**figures)
        change_allowance(office.database, device_bytes=allowed.device_bytes, book_bytes=allowed.book_bytes)
        office.hub._hub._allowed_until = 0.0
        answer = put(lead, book, some(seed=8), 0)
        assert refused(answer) == code
        assert answer.status_code == 413
    assert refused(put(lead, other, some(seed=8), 0)) == "device_full", "a laptop's files count in all its casebooks"
    change_allowance(office.database, device_bytes=4 * SIZE, book_bytes=4 * SIZE)
    office.hub._hub._allowed_until = 0.0
    assert put_all(lead, book, some(seed=8)).received_ms


def test_what_was_begun_and_never_finished_does_not_pile_up(office: World) -> None:
    lead = office.organisation.colleague()
    book = office.organisation.casebook(lead)
    for seed in range(files.MOST_BEGUN + 5):
        put(lead, book, some(wire.FILE_PART + 1, seed=100 + seed), 0)
    assert select(office.database, "SELECT count(*) FROM files") == [(files.MOST_BEGUN,)]
    assert select(office.database, "SELECT count(*) FROM file_parts") == [(files.MOST_BEGUN,)]
    assert state(lead, book, some(wire.FILE_PART + 1, seed=100)).parts == 0, "the one begun first"


def test_files_are_there_after_the_store_was_started_again_and_nothing_of_them_is_logged(office: World) -> None:
    lead = office.organisation.colleague()
    book, content = office.organisation.casebook(lead), some(seed=9)
    put_all(lead, book, content)
    assert hashlib.sha256(content).hexdigest() not in office.log.getvalue()
    assert parts(content)[1][:64] in dump(office.database)


def test_a_sealed_copy_from_the_database_holds_each_whole_file_once_and_counts_the_others(office: World, tmp_path: Path) -> None:
    lead, other = office.organisation.colleague(), office.organisation.colleague()
    book, elsewhere = office.organisation.casebook(lead, [(other, Role.CO_WORKER)]), office.organisation.casebook(lead)
    whole, small, bent, begun = some(seed=11), some(wire.FILE_PART - 3, seed=12), some(seed=13), some(seed=14)
    put(other, book, whole, 0)  # and left it there; the lead brings the whole
    for content in (whole, small, bent):
        put_all(lead, book, content)
    put(lead, book, begun, 0)
    put_all(lead, elsewhere, some(seed=15))
    digest = blob(office.database, hashlib.sha256(bent).digest())
    execute(office.database, f"DELETE FROM file_parts WHERE part = 1 AND upload IN (SELECT upload FROM files WHERE digest = {digest})")
    copied = sealed_copy.write_copy(office.database, book.book, tmp_path / "copy")
    assert (copied.files, copied.begun, copied.damaged) == (2, 1, 1)
    assert copied.bytes == (tmp_path / "copy").stat().st_size
    found, copied_files = second_reader.read_sealed_copy((tmp_path / "copy").read_bytes())
    assert (found, list(copied_files.values())) == (book.book, [whole, small])
    with pytest.raises(HubTrouble, match="could not be written"):
        sealed_copy.write_copy(office.database, book.book, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size == copied.bytes, "nothing is written over"
