"""Escrow and bundles on the plain path: two of three officers open one case, an outsider is given a sealed file, a root is lost."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyrage
import pytest
from sqlalchemy import select

from leadworker.crypto import age_passphrase
from leadworker.crypto.identity import Identity
from leadworker.domain import journal
from leadworker.domain.people import Person
from leadworker.errors import Offline, PostError, Refused
from leadworker.plain import ceremony
from leadworker.postbox import TakenOut
from leadworker.record import table_of
from leadworker.wiring import postbox_of
from storage import opening
from tests.plain_world import Plain, empty, plain, template

pytest.importorskip("fastapi")

from sync import wire
from sync.client import HubClient
from sync.hub.serve import EmbeddedHub
from tests.test_plain_post import quick_seals, set_up
from tests.test_plain_readers import join

__all__ = ["empty", "plain", "quick_seals", "template"]

RUTH = "Ruth Adeyemi"
AGE_PASSPHRASE = pyrage.passphrase
"""What opens a bundle with a passphrase, which `light_seals` leaves as it is."""
_KEIRA = select(table_of(Person).c.id).where(table_of(Person).c.name.like("Keira%"))


class _Id(msgspec.Struct):
    id: str


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[EmbeddedHub]:
    """A central store on this machine."""
    with EmbeddedHub(str(tmp_path / "store.db")) as running:
        yield running


@pytest.fixture
def light_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real age files, sealed to a key in place of a passphrase: opening one that people type takes seconds on purpose."""
    keys: dict[str, Any] = {}

    class Light:
        def encrypt(self, plain: bytes, secret: str, armored: bool = False) -> bytes:
            key = keys.setdefault(secret, pyrage.x25519.Identity.generate())
            return bytes(pyrage.encrypt(plain, [key.to_public()], armored=armored))

        def decrypt(self, sealed: bytes, secret: str) -> bytes:
            return bytes(pyrage.decrypt(sealed, [keys.get(secret) or pyrage.x25519.Identity.generate()]))

    monkeypatch.setattr(pyrage, "passphrase", Light())
    monkeypatch.setattr(age_passphrase, "WORK", 10)


def unzipped(sealed: bytes, key: Any) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(pyrage.decrypt(sealed, [key])))
    return {name: archive.read(name) for name in archive.namelist()}


def file_of(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text + "\n")
    return str(folder / name)


def test_two_of_three_officers_open_one_case_for_a_named_recipient(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, light_seals: None
) -> None:
    made = set_up(plain, hub, tmp_path)
    plain("sync")
    plain("sealed-copy", "keira", str(tmp_path / "case"))
    assert b"I actually slept" not in (tmp_path / "case").read_bytes()
    (tmp_path / "devices.json").write_text(plain("devices", "--json").out)
    court = pyrage.x25519.Identity.generate()
    first, second, third = made["officer_passphrases"]
    keys = tmp_path / "keys"
    common = [
        "escrow", "open", str(tmp_path / "case"), "--for", "Family Court at Saltmere", "--reason", "Order 12/25",
        "--to", str(court.to_public()), "--devices", str(tmp_path / "devices.json"),
    ]  # fmt: skip
    for names, words in (("1-and-2", (first, second)), ("2-and-3", (second, third)), ("1-and-3", (first, third))):
        given = [file_of(tmp_path, f"p{at}", one) for at, one in enumerate(words)]
        out = tmp_path / f"out-{names}.age"
        officers = ["--key-file", str(keys / f"escrow-key-officers-{names}.age")]
        answer = plain(*common, *officers, "--out", str(out), "--first-passphrase-file", given[0], "--second-passphrase-file", given[1])
        assert "Write down who was there, why, and when." in answer.out
        parts = unzipped(out.read_bytes(), court)
        manifest = json.loads(parts["manifest.json"])
        assert (manifest["for"], manifest["reason"]) == ("Family Court at Saltmere", "Order 12/25")
        assert manifest["parts"] == {name: hashlib.sha256(parts[name]).hexdigest() for name in ("case.txt", "case.jsonl")}
        assert "said: I actually slept." in parts["case.txt"].decode()
        entries = [json.loads(line) for line in parts["case.jsonl"].decode().splitlines()]
        assert {one["written_by"] for one in entries} == {"Alex Morgan"}
        assert any(one["values"].get("said") == "I actually slept." for one in entries)

    wrong = [file_of(tmp_path, "w1", third), file_of(tmp_path, "w2", first)]
    refused = plain(
        *common, "--key-file", str(keys / "escrow-key-officers-1-and-2.age"), "--out", str(tmp_path / "never.age"),
        "--first-passphrase-file", wrong[0], "--second-passphrase-file", wrong[1], code=1,
    )  # fmt: skip
    assert "does not open with the first officer's passphrase" in refused.err
    assert not (tmp_path / "never.age").exists()


def test_a_case_that_nobody_reads_any_more_is_opened_from_the_store_s_own_database(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, light_seals: None
) -> None:
    made = set_up(plain, hub, tmp_path)
    plain("sync")
    vault = plain.open()
    book = vault.read(lambda shelf: shelf.casebook_of(shelf.rows(_KEIRA, _Id)[0].id)).result()
    vault.close()
    hub.stop()
    database = str(tmp_path / "store.db")
    copied = plain("hub", "sealed-copy", book, str(tmp_path / "case"), "--database", database, "--json").json()
    assert "no such casebook" in plain("hub", "sealed-copy", "00" * 16, str(tmp_path / "none"), "--database", database, code=1).err
    words = [file_of(tmp_path, f"p{at}", one) for at, one in enumerate(made["officer_passphrases"])]
    out = tmp_path / "out.age"
    answer = plain(
        "escrow", "open", str(tmp_path / "case"), "--for", "The manager", "--reason", "Nobody is left", "--out", str(out),
        "--key-file", str(tmp_path / "keys" / "escrow-key-officers-1-and-2.age"),
        "--first-passphrase-file", words[0], "--second-passphrase-file", words[1], "--json",
    ).json()  # fmt: skip
    assert answer["changes"] == copied["changes"] > 0, "an officer sees that nothing is missing"
    inside = zipfile.ZipFile(io.BytesIO(AGE_PASSPHRASE.decrypt(out.read_bytes(), answer["passphrase"])))
    assert b"I actually slept." in inside.read("case.txt")
    assert "manifest.sig" not in inside.namelist(), "no device vouches for what escrow opened"


def test_two_officers_open_a_laptop_that_was_closed_for_good_and_read_it(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, light_seals: None
) -> None:
    made = set_up(plain, hub, tmp_path)
    plain("sync")
    vault = plain.open()
    box = postbox_of(vault)
    directory = asyncio.run(box.directory())
    assert directory is not None
    asyncio.run(box.taken_out(TakenOut("Sam Iqbal", 1, directory.escrow)))
    vault.close()
    refused = plain("people", code=1).err
    assert "closed for good" in refused and "Nothing in it is destroyed" in refused
    words = [file_of(tmp_path, f"p{at}", one) for at, one in enumerate(made["officer_passphrases"])]
    given = ("--first-passphrase-file", words[0], "--second-passphrase-file", words[1])
    keys = str(tmp_path / "keys" / "escrow-key-officers-1-and-2.age")
    answer = plain("escrow", "open-laptop", str(plain.folder), "--key-file", keys, *given, "--json").json()
    opened = opening.open_with_passphrase(plain.folder, answer["passphrase"], purpose="a test")
    entries = opened.read(lambda shelf: journal.timeline(shelf, shelf.rows(_KEIRA, _Id)[0].id)).result()
    assert any("I actually slept." in entry.said for entry in entries)
    opened.close()


def test_a_sealed_copy_that_was_altered_or_is_another_organisation_s_is_not_opened(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, light_seals: None
) -> None:
    made = set_up(plain, hub, tmp_path)
    plain("sync")
    plain("sealed-copy", "keira", str(tmp_path / "case"))
    words = [file_of(tmp_path, f"p{at}", one) for at, one in enumerate(made["officer_passphrases"])]
    seal = ceremony.sealer()
    (strange,) = ceremony.seal_escrow(seal, ("a", "b", "c"), "Elsewhere", bytes(16), Identity.new().private_bytes()[1])[:1]
    (tmp_path / "strange.age").write_text(strange.text)
    raw = (tmp_path / "case").read_bytes()
    cases = {
        "a statement flipped": (_flipped(raw, b"membership"), "keys/escrow-key-officers-1-and-2.age", words, "do not hold"),
        "cut": (raw[:-50], "keys/escrow-key-officers-1-and-2.age", words, "cut off or damaged"),
        "no such file": (b"something else", "keys/escrow-key-officers-1-and-2.age", words, "no sealed casebook"),
        "another organisation": (raw, "strange.age", [file_of(tmp_path, "a", "a"), file_of(tmp_path, "b", "b")], "another organisation"),
    }
    for name, (bent, key_file, given, said) in cases.items():
        (tmp_path / name).write_bytes(bent)
        answer = plain(
            "escrow", "open", str(tmp_path / name), "--for", "Nobody", "--reason", "x", "--out", str(tmp_path / f"{name}.age"),
            "--key-file", str(tmp_path / key_file), "--first-passphrase-file", given[0], "--second-passphrase-file", given[1], code=1,
        )  # fmt: skip
        assert said in answer.err, name
        assert not (tmp_path / f"{name}.age").exists(), name


def test_words_that_were_altered_on_the_way_are_counted_and_not_shown(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, light_seals: None
) -> None:
    made = set_up(plain, hub, tmp_path)
    plain("sync")
    plain("sealed-copy", "keira", str(tmp_path / "case"))
    raw = (tmp_path / "case").read_bytes()
    (tmp_path / "case").write_bytes(raw[:-240] + bytes([raw[-240] ^ 1]) + raw[-239:])
    words = [file_of(tmp_path, f"p{at}", one) for at, one in enumerate(made["officer_passphrases"])]
    answer = plain(
        "escrow", "open", str(tmp_path / "case"), "--for", "x", "--reason", "y", "--out", str(tmp_path / "o.age"),
        "--key-file", str(tmp_path / "keys" / "escrow-key-officers-1-and-2.age"),
        "--first-passphrase-file", words[0], "--second-passphrase-file", words[1], "--json",
    ).json()  # fmt: skip
    assert answer["could_not_be_read"] == 1


def _flipped(raw: bytes, word: bytes) -> bytes:
    """Alter one bit of the first statement that holds this word."""
    at = raw.index(word) + len(word) + 8
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def test_a_casebook_is_given_to_a_named_outsider_and_says_so_itself(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None
) -> None:
    key = pyrage.x25519.Identity.generate()
    out = tmp_path / "given.age"
    assert (
        "no age recipient"
        in plain("give-out", "keira", str(out), "--for", "Dr Noor", "--to", "age1nonsense", "--reason", "x", "--yes", code=1).err
    )
    assert "Say with --reason" in plain("give-out", "keira", str(out), "--for", "Dr Noor", "--reason", " ", "--yes", code=1).err
    assert "Nothing was written" in plain("give-out", "keira", str(out), "--for", "Dr Noor", "--reason", "x", code=1).err
    answer = plain(
        "give-out", "keira", str(out), "--for", "Dr Noor, Saltmere surgery", "--to", str(key.to_public()),
        "--reason", "Referral, with her consent", "--yes", "--json",
    ).json()  # fmt: skip
    parts = unzipped(out.read_bytes(), key)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == answer["sha256"]
    signed = json.loads(parts["manifest.sig"])
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed["signing_key"])).verify(
        bytes.fromhex(signed["signature"]), b"lw/bundle/v1\0" + hashlib.sha256(parts["manifest.json"]).digest()
    )
    assert "I actually slept." in parts["case.txt"].decode()
    entry = plain("timeline", "keira", "--json").json()["entries"][0]
    assert entry["title"] == "Given to Dr Noor, Saltmere surgery: the whole record so far"
    assert answer["sha256"] in entry["noticed"]
    assert (
        "already" in plain("give-out", "keira", str(out), "--for", "x", "--to", str(key.to_public()), "--reason", "x", "--yes", code=1).err
    )


def test_key_files_stay_where_nobody_knows_whether_their_key_is_in_force(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, light_seals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, true = set_up(plain, hub, tmp_path), HubClient.control
    wrong: list[PostError | None] = [Offline("no answer")]
    rest = [
        "--root-file",
        str(tmp_path / "keys" / "root-key.age"),
        "--root-passphrase-file",
        file_of(tmp_path, "rp", made["root_passphrase"]),
    ]

    async def unheard(self: HubClient, changes: tuple[wire.OpenChange, ...]) -> wire.Outcome:
        outcome = await true(self, changes) if not isinstance(wrong[0], Refused) else None
        if wrong[0] is not None:
            raise wrong[0]
        assert outcome is not None
        return outcome

    monkeypatch.setattr(HubClient, "control", unheard)
    answer = plain("keys", "new-escrow", *rest, "--keys-folder", str(tmp_path / "e1"), code=1)
    assert "“leadworker keys in-force” says which holds" in answer.err
    assert len(list((tmp_path / "e1").iterdir())) == 3
    wrong[0] = None
    plain("sync")
    assert f"Fingerprint of the new escrow key: {plain('keys', 'in-force', '--json').json()['escrow']}" in answer.out
    wrong[0] = Refused("no")
    plain("keys", "new-escrow", *rest, "--keys-folder", str(tmp_path / "e2"), code=1)
    assert list((tmp_path / "e2").iterdir()) == [], "a no is a no"


def test_a_lost_root_is_replaced_by_two_administrators_with_commands_alone(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, light_seals: None
) -> None:
    made = set_up(plain, hub, tmp_path)
    words = plain("invite", RUTH, "--team", "north", "--role", "supervisor", "--admin", "--json").json()["words"]
    ruth = join(plain, hub, RUTH, tmp_path / "ruth", words)
    plain("sync")
    plain("sync", *ruth)
    before = plain("check", "--json").json()["digest"]
    asked = plain("keys", "ask-root", str(tmp_path / "request.json"), "--keys-folder", str(tmp_path / "new"), "--json").json()
    plain("keys", "witness-root", str(tmp_path / "request.json"), str(tmp_path / "witness.json"), *ruth)
    answer = plain("keys", "confirm-root", str(tmp_path / "witness.json"), "--json").json()
    assert answer["fingerprint"] == asked["keys"]["fingerprint"]
    assert plain("check", "--json").json()["digest"] == before
    assert "replaced already" in plain("keys", "confirm-root", str(tmp_path / "witness.json"), code=1).err

    root = [
        "--root-file",
        str(tmp_path / "new" / "root-key.age"),
        "--root-passphrase-file",
        file_of(tmp_path, "rp", asked["keys"]["passphrases"][0]),
    ]
    old = ["--root-file", str(tmp_path / "keys" / "root-key.age"), "--root-passphrase-file", file_of(tmp_path, "op", "wrong words")]
    assert (
        "does not open with the root's passphrase" in plain("keys", "new-escrow", *old, "--keys-folder", str(tmp_path / "e1"), code=1).err
    )
    file_of(tmp_path, "op", made["root_passphrase"])
    for replaced in ("new-escrow", "new-root"):
        refused = plain("keys", replaced, *old, "--keys-folder", str(tmp_path / "e1"), code=1)
        assert "not the root key of the organisation as it is now" in refused.err
        assert refused.out == "", "nobody is given the passphrases of keys that come to nothing"
    escrow = plain("keys", "new-escrow", *root, "--keys-folder", str(tmp_path / "e2"), "--json").json()
    assert len(escrow["files"]) == len(escrow["passphrases"]) == 3
    plain("sync")
    in_force = plain("keys", "in-force", "--json").json()
    assert (in_force["root"], in_force["escrow"]) == (answer["fingerprint"], escrow["escrow_fingerprint"])
    assert in_force["escrow"] in plain("keys", "in-force").out
    plain("sealed-copy", "keira", str(tmp_path / "case"))
    given = [file_of(tmp_path, f"n{at}", one) for at, one in enumerate(escrow["passphrases"])]
    plain(
        "escrow", "open", str(tmp_path / "case"), "--for", "x", "--reason", "y", "--out", str(tmp_path / "o.age"),
        "--key-file", escrow["files"][0], "--first-passphrase-file", given[0], "--second-passphrase-file", given[1],
    )  # fmt: skip
