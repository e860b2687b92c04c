"""docs/sealed-format.md is enough: a second reader that shares no code with the program opens what the program made.

The fixed vectors pin the bytes themselves, so that a change to the format cannot pass as a change to both.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st
from sqlcipher3 import dbapi2 as sqlcipher

from leadworker import change, proof, statements
from leadworker.change import Content, Header, Kind
from leadworker.crypto import identity, words
from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import Identity, InviteSecret
from leadworker.desk import Desk
from leadworker.directory import Directory
from leadworker.domain import caseload, journal, people
from leadworker.domain.journal import NewEntry
from leadworker.postbox import Joined
from leadworker.statements import Role
from storage import backing_up, opening
from storage.vault import Vault
from sync.founding import ESCROW, Speaker, control_change, found_book
from tests import second_reader as second

PASSPHRASE = "plum tidy orbit seven lake marble"
VECTORS = Path(__file__).with_name("vectors") / "sealed-format.json"


class Written:
    """A vault with words in it, closed again, and what its owner wrote down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        vault, self.recovery = opening.create(folder, "Alex Marsh", PASSPHRASE)
        keira = vault.write(lambda shelf: people.add(shelf, "Keira Lane")).result()[0]
        for entry in (NewEntry(keira, said=said) for said in ("I am not going back there", "Ask my nan", "Saturday is good")):
            vault.write(partial(journal.write, new=entry)).result()
        self.public = vault.identity.signing_public
        self.device = vault.identity.device
        self.backup = folder.with_name("backup.lwb")
        vault.submit(lambda: self._back_up(vault)).result()
        vault.close()

    def attach(self, folder: Path) -> bytes:
        """Attach a file of several chunks to the vault, back it up again, and return the file."""
        vault = opening.open_with_passphrase(self.folder, PASSPHRASE)
        keira = vault.read(caseload.known_people).result()[0].id
        content = bytes(range(256)) * 900
        (folder / "scan.pdf").write_bytes(content)
        Desk(vault, vault.name).attach_now(keira, folder / "scan.pdf")
        self.backup = folder / "with-files.lwb"
        vault.submit(lambda: self._back_up(vault)).result()
        vault.close()
        return content

    def _back_up(self, vault: Vault) -> None:
        backing_up.backup(vault.connection, vault.folder, vault.master, self.backup)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A vault as it lies on a disk."""
    return Written(tmp_path_factory.mktemp("vault") / "vault")


@pytest.fixture(scope="module")
def log(written: Written) -> Iterator[Any]:
    """The log of that vault, opened by the second reader with the passphrase alone."""
    file = second.read_vault_file(written.folder / "vault.json")
    key = second.hkdf(second.master_key(file, "passphrase", PASSPHRASE.encode()), b"", b"lw/db/v1")
    connection = sqlcipher.connect(str(written.folder / "journal.db"))
    connection.execute("PRAGMA cipher_log_level=NONE")
    connection.set_key(f"x'{key.hex()}'")
    yield connection
    connection.close()


def test_a_second_reader_opens_a_vault_with_the_passphrase_or_with_the_recovery_words(written: Written) -> None:
    file = second.read_vault_file(written.folder / "vault.json")
    listed = list(words.word_list())
    secret = words.from_words(" ".join(written.recovery), 16)

    assert second.words_of(secret, listed) == list(written.recovery)
    assert second.master_key(file, "passphrase", PASSPHRASE.encode()) == second.master_key(file, "recovery", secret)
    assert (written.folder / "vault.copy.json").read_bytes() == (written.folder / "vault.json").read_bytes()
    with pytest.raises(InvalidTag):
        second.master_key(file, "passphrase", b"plum tidy orbit seven lake")


def test_it_reads_every_change_of_the_log_and_follows_its_chains(written: Written, log: Any) -> None:
    rows = log.execute("SELECT header, body, signature, chain FROM change ORDER BY no").fetchall()
    ids = [second.change_id(header) for header, *_ in rows]
    before, said = bytes(32), []
    for place, (header, body, signature, _) in enumerate(rows, start=1):
        read = second.read_header(header)
        assert (read["kind"], read["lane"], read["seq"], read["prev"]) == (1, 1, place, before)
        assert read["device"] == written.device
        assert read["commitment"] == second.commitment(body)
        assert read["size"] == second.padded_length(len(body))
        before = second.change_id(header)
        said.append(second.read_content(body)[4].get("said"))
        assert not signature or second.is_signed(written.public, header, signature)

    assert [words for words in said if words] == ["I am not going back there", "Ask my nan", "Saturday is good"]
    assert rows[-1][2], "the end of the lane is signed"
    assert second.vault_chain(ids) == rows[-1][3]


def test_it_finds_the_anchor_where_the_log_ends(written: Written, log: Any) -> None:
    file = second.read_vault_file(written.folder / "vault.json")
    master = second.master_key(file, "passphrase", PASSPHRASE.encode())
    (chain, changes), (commits,) = (
        log.execute("SELECT chain, no FROM change ORDER BY no DESC LIMIT 1").fetchone(),
        log.execute("SELECT commits FROM state").fetchone(),
    )

    assert second.read_anchor(written.folder / "vault.anchor", master, file["vault_id"]) == (commits, changes, chain, True)


def test_it_reads_a_backup(written: Written, tmp_path: Path) -> None:
    head, database = second.read_backup(written.backup)
    key = second.hkdf(second.master_key(head, "passphrase", PASSPHRASE.encode()), b"", b"lw/db/v1")
    (tmp_path / "journal.db").write_bytes(database)
    connection = sqlcipher.connect(str(tmp_path / "journal.db"))
    connection.set_key(f"x'{key.hex()}'")

    assert connection.execute("SELECT count(*) FROM change").fetchone()[0] >= 5
    connection.close()


def test_it_opens_an_attached_file_where_it_lies_and_in_a_backup(tmp_path: Path) -> None:
    written = Written(tmp_path / "vault")
    content = written.attach(tmp_path)
    file, database = second.read_backup(written.backup)
    assert file == second.read_vault_file(written.folder / "vault.json")
    (tmp_path / "copy.db").write_bytes(database)
    key = second.hkdf(second.master_key(file, "passphrase", PASSPHRASE.encode()), b"", b"lw/db/v1")
    connection = sqlcipher.connect(str(tmp_path / "copy.db"))
    connection.execute("PRAGMA cipher_log_level=NONE")
    connection.set_key(f"x'{key.hex()}'")
    (raw, body), *_ = connection.execute("SELECT header, body FROM change ORDER BY no DESC").fetchall()
    connection.close()
    _, topic, record_id, _, record, *_ = second.read_content(body)
    book = second.read_header(raw)["book"]
    assert topic == "attachment"
    path = written.folder / "attachments" / record["digest"][:2] / record["digest"]
    sealed = path.read_bytes()
    assert second.open_file(record, book, bytes.fromhex(record_id), sealed) == content
    assert len(sealed) == second.padded_length(len(content)) + 16 * -(-second.padded_length(len(content)) // 65536)
    raw_backup = written.backup.read_bytes()
    length, size = int.from_bytes(raw_backup[8:12], "big"), int.from_bytes(raw_backup[12:20], "big")
    assert second.read_files_of_backup(raw_backup, length, size)[1] == {bytes.fromhex(record["digest"]): sealed}
    for bit in (5, 65552 * 8 + 3, len(sealed) * 8 - 1):
        spoilt = bytearray(sealed)
        spoilt[bit // 8] ^= 1 << bit % 8
        with pytest.raises((ValueError, InvalidTag)):
            second.open_file(record | {"digest": second.sha256(bytes(spoilt)).hex()}, book, bytes.fromhex(record_id), bytes(spoilt))


@given(st.binary(min_size=1, max_size=300), st.integers(1, 2**32 - 1), st.integers(1, 2**16 - 1))
def test_program_and_second_reader_seal_the_same_bytes_and_open_each_others(text: bytes, epoch: int, lane: int) -> None:
    book, secret, body = bytes(range(16)), bytes(range(32)), bytes(16) + text
    header = Header(Kind.CONTENT, book, bytes(16), lane, 1, change.FIRST, change.padded_size(len(body)), change.commitment(body)).pack()
    key = BookKey(book, epoch, secret)
    sealed = key.seal(header, body)

    assert second.seal(header, body, epoch, secret) == sealed
    assert second.open_seal(header, sealed, epoch, secret) == body == key.open(header, sealed)
    assert len(sealed) == change.unpack(header).size + 32


@given(st.integers(0, 70_000))
def test_both_pad_to_the_same_few_sizes(length: int) -> None:
    size = change.padded_size(length)

    assert size == second.padded_length(length)
    assert length + 4 <= size <= max(256, (length + 4) * 9 // 8 + 256)


def test_the_longest_body_just_fits() -> None:
    assert change.padded_size(64512) == change.LARGEST_BODY == 65536


def test_a_bit_of_the_header_or_of_the_seal_changed_anywhere_is_refused_by_both() -> None:
    book, secret, body = bytes(range(16)), bytes(range(32)), bytes(16) + b"words"
    header = Header(Kind.CONTENT, book, bytes(16), 1, 1, change.FIRST, change.padded_size(len(body)), change.commitment(body)).pack()
    sealed = BookKey(book, 1, secret).seal(header, body)
    for place in range(len(header) * 8):
        flipped = bytearray(header)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises((ValueError, InvalidTag)):
            second.open_seal(bytes(flipped), sealed, 1, secret)
        with pytest.raises((ValueError, identity.CannotOpen)):
            change.unpack(bytes(flipped))
            BookKey(book, 1, secret).open(bytes(flipped), sealed)
    for place in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises((ValueError, InvalidTag)):
            second.open_seal(header, bytes(flipped), 1, secret)
        with pytest.raises(identity.CannotOpen):
            BookKey(book, 1, secret).open(header, bytes(flipped))


def test_the_keys_of_a_book_reach_a_device_escrow_and_the_epoch_before() -> None:
    book, older, newer = secrets.token_bytes(16), secrets.token_bytes(32), secrets.token_bytes(32)
    laptop, escrow = Identity.new(), Identity.new()
    sealed = identity.seal_to(laptop.unsealing_public, newer, key_info(book, 2, laptop.device))
    kept = identity.seal_to(escrow.unsealing_public, newer, key_info(book, 2, ESCROW))
    purpose = b"lw/seal-key/v1\0" + book + second.u(2, 32)

    assert len(sealed) == 80
    assert second.hpke_open(laptop.private_bytes()[1], sealed, purpose + laptop.device) == newer
    assert second.hpke_open(escrow.private_bytes()[1], kept, purpose + b"escrow") == newer
    assert second.key_commitment(book, 2, newer) == BookKey(book, 2, newer).commitment()
    assert second.ladder_down(book, 2, newer, BookKey(book, 2, newer).ladder(BookKey(book, 1, older))) == older
    with pytest.raises(InvalidTag):
        second.hpke_open(laptop.private_bytes()[1], sealed, purpose + b"escrow")


def test_the_statements_that_found_an_organisation_and_a_casebook_read_as_the_page_says() -> None:
    root, escrow, laptop = Identity.new(), Identity.new(), Identity.new()
    organisation, person, key, hub = (secrets.token_bytes(size) for size in (16, 16, 32, 32))
    fingerprint = second.root_fingerprint(root.signing_public)
    founding = statements.Founding(
        root.signing_public, escrow.unsealing_public, hub, 1, 300, identity.seal_name(key, organisation, "Harbour Town")
    )
    first = control_change(founding, organisation, fingerprint, 1, change.FIRST, root.sign)
    info = identity.organisation_key_info(organisation, laptop.device)
    enrol = statements.Enrol(
        laptop.signing_public, laptop.unsealing_public, person, Role.KEY_WORKER, True, identity.team_code(key, "  Early  HELP "),
        b"", identity.seal_name(key, person, "Alex Marsh"), identity.seal_to(laptop.unsealing_public, key, info),
    )  # fmt: skip
    enrolled = control_change(enrol, organisation, fingerprint, 2, change.change_id(first.header), root.sign)
    directory = Directory(organisation)
    for said in (first, enrolled):
        directory.apply(said.header, said.body, said.signature)
    me = Joined("", fingerprint, organisation=organisation, person=person, team=second.team_code(key, "early help"))
    book, secret = secrets.token_bytes(16), secrets.token_bytes(32)
    members, rotation = found_book(book, secret, me, Speaker(laptop.device, laptop.sign, directory))

    read = read_statement(first, root.signing_public)
    assert read[:6] == ["founding", root.signing_public, escrow.unsealing_public, hub, 1, 300]
    assert second.open_name(key, organisation, read[6]) == "Harbour Town"
    read = read_statement(enrolled, root.signing_public)
    assert read[:8] == ["enrol", laptop.signing_public, laptop.unsealing_public, person, 1, True, me.team, b""]
    assert second.open_name(key, person, read[8]) == "Alex Marsh"
    assert second.hpke_open(laptop.private_bytes()[1], read[9], b"lw/org-key/v1\0" + organisation + laptop.device) == key
    assert second.device_id(laptop.signing_public, laptop.unsealing_public) == laptop.device
    read = read_statement(members, laptop.signing_public)
    assert read == ["membership", [2, second.change_id(enrolled.header)], [[laptop.device, person, 1]], [], person]
    read = read_statement(rotation, laptop.signing_public)
    assert read[:3] == ["rotation", 1, second.key_commitment(book, 1, secret)]
    assert list(read[3]) == [laptop.device]
    assert read[5] == b""


def read_statement(said: Any, public: bytes) -> list[Any]:
    """Read an open statement as the second reader does: header, commitment, signature, array."""
    header = second.read_header(said.header)
    assert header["lane"] == 0
    assert header["size"] == len(said.body)
    assert header["commitment"] == second.commitment(said.body)
    assert second.is_signed(public, said.header, said.signature)
    read: list[Any] = msgspec.msgpack.decode(said.body)
    return read


# Fixed vectors


def made() -> dict[str, str]:
    """Return, from fixed inputs, what the program makes of them, in hexadecimal."""
    signing, unsealing = bytes([1] * 32), bytes([2] * 32)
    laptop = Identity(signing, unsealing)
    book, secret, organisation = bytes([3] * 16), bytes([4] * 32), bytes([5] * 32)
    seen = (7, change.first_digest(book))
    content = Content(1, "journal_entry", "0" * 32, "put", {"said": "Ask my nan", "minutes": 20, "on": True}, 9 << 16, seen, 10, 60)
    body = change.write_content(content, bytes([6] * 16))
    header = Header(Kind.CONTENT, book, laptop.device, 1, 1, change.FIRST, change.padded_size(len(body)), change.commitment(body)).pack()
    identity_ = change.change_id(header)
    invite = InviteSecret(bytes([8] * 16), bytes([9] * 16))
    statement = statements.write_statement(statements.Grant(1, {laptop.device: bytes(80)}))
    return {
        "device": laptop.device.hex(),
        "root fingerprint": statements.root_id(laptop.signing_public).hex(),
        "body": body.hex(),
        "header": header.hex(),
        "id": identity_.hex(),
        "seal, epoch 1": BookKey(book, 1, secret).seal(header, body).hex(),
        "seal, epoch 2": BookKey(book, 2, secret).seal(header, body).hex(),
        "key commitment": BookKey(book, 1, secret).commitment().hex(),
        "ladder": BookKey(book, 2, secret).ladder(BookKey(book, 1, bytes([7] * 32))).hex(),
        "signature": laptop.sign(proof.HEAD, identity_).hex(),
        "digest at 0": change.first_digest(book).hex(),
        "digest at 1": change.next_digest(change.first_digest(book), identity_, 1).hex(),
        "grant": statement.hex(),
        "team": identity.team_code(organisation, "Early Help").hex(),
        "invite": invite.invite_id().hex(),
        "proof": invite.prove(laptop.signing_public, laptop.unsealing_public).hex(),
        "invite words": " ".join(invite.words()),
        "check words": " ".join(laptop.check_words()),
        "recovery words": " ".join(words.to_words(bytes([10] * 21))),
    }


def test_the_bytes_are_those_of_the_fixed_vectors() -> None:
    assert made() == json.loads(VECTORS.read_text("utf-8"))


def test_the_second_reader_reads_the_fixed_vectors() -> None:
    vectors = {name: bytes.fromhex(value) for name, value in json.loads(VECTORS.read_text("utf-8")).items() if "words" not in name}
    header, body, book = vectors["header"], vectors["body"], bytes([3] * 16)

    assert second.change_id(header) == vectors["id"]
    for epoch in (1, 2):
        assert second.open_seal(header, vectors[f"seal, epoch {epoch}"], epoch, bytes([4] * 32)) == body
    assert second.read_content(body)[:5] == [1, "journal_entry", "0" * 32, "put", {"said": "Ask my nan", "minutes": 20, "on": True}]
    assert second.running_digest(book, [vectors["id"]]) == vectors["digest at 1"]
    assert second.ladder_down(book, 2, bytes([4] * 32), vectors["ladder"]) == bytes([7] * 32)
    assert second.team_code(bytes([5] * 32), " early  HELP") == vectors["team"]
    assert second.invite_id(bytes([9] * 16)) == vectors["invite"]
