"""The organisation on the plain path: setting it up, inviting, joining, sending and receiving, and the keys in people's hands."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leadworker.crypto import words
from leadworker.crypto.identity import Identity
from leadworker.plain import ceremony
from leadworker.statements import root_id
from storage.postbox import VaultPostbox
from tests.plain_world import Plain, empty, harmless, plain, template

pytest.importorskip("fastapi")

from sync.hub.serve import EmbeddedHub

__all__ = ["empty", "plain", "template"]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[EmbeddedHub]:
    """A central store on this machine."""
    with EmbeddedHub(str(tmp_path / "store.db")) as running:
        yield running


@pytest.fixture
def quick_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealing that is quick and no protection, for tests of everything but sealing."""
    monkeypatch.setattr(ceremony, "sealer", lambda: lambda plain, secret: b"sealed\n")


def set_up(plain: Plain, hub: EmbeddedHub, tmp_path: Path) -> dict[str, Any]:
    """Found an invented organisation with Alex as its administrator."""
    code = tmp_path / "code"
    code.write_text(f"{hub.setup_code}\n")
    answer = plain(
        "hub", "init", "--hub", hub.url, "--organisation", "Saltmere (invented)", "--team", "North", "--setup-code-file", str(code),
        "--keys-folder", str(tmp_path / "keys"), "--json",
    )  # fmt: skip
    return dict(answer.json())


def test_a_colleague_is_invited_joins_and_receives(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    set_up(plain, hub, tmp_path)
    invite = plain("invite", "Ruth Adeyemi", "--team", "north", "--role", "supervisor", "--json").json()
    assert (invite["name"], invite["role"], len(invite["words"])) == ("Ruth Adeyemi", "supervisor", 24)

    ruth = ["--vault", str(tmp_path / "ruth")]
    plain("init", "--name", "Ruth Adeyemi", *ruth)
    asked = plain("join", "--hub", hub.url, *ruth, "--json", typed=" ".join(invite["words"])).json()
    assert asked["state"] == "waiting"
    assert "not let in yet" in plain("sync", *ruth).out

    sent = plain("sync", "--json").json()
    assert sent["admitted"] == ["Ruth Adeyemi"]
    assert sent["sent"] > 0
    assert sent["waiting"] == 0
    assert "Everything is on the central store." in plain("sync", *ruth).out
    entry = plain("timeline", "keira", *ruth, "--json").json()["entries"][0]
    assert (entry["said"], entry["written_by"], entry["by_me"]) == ("I actually slept.", "Alex Morgan", False)
    assert plain("today", *ruth, "--json").json()["news"][0]["written_by"] == "Alex Morgan"
    assert plain("timeline", "keira", "--json").json()["entries"][0]["where"] == "on the central store"

    devices = plain("devices", *ruth, "--json").json()
    ours, hers = devices["devices"]
    assert (ours["name"], ours["role"], ours["admin"], ours["my_team"]) == ("Alex Morgan", "supervisor", True, True)
    assert (hers["name"], hers["this_laptop"], hers["check_words"]) == ("Ruth Adeyemi", True, asked["check_words"])
    assert "Ruth Adeyemi, supervisor, this laptop. Check words: " in plain("devices", *ruth).out


def test_the_words_of_an_invite_may_stand_in_a_file(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    set_up(plain, hub, tmp_path)
    invite = plain("invite", "Ruth Adeyemi", "--team", "North")
    file = tmp_path / "words"
    file.write_text("\n".join(re.findall(r"^  (.*)$", invite.out, re.MULTILINE)))
    ruth = ["--vault", str(tmp_path / "ruth")]
    plain("init", "--name", "Ruth Adeyemi", *ruth)

    said = plain("join", "--hub", hub.url, "--words-file", str(file), *ruth).out
    assert "Asked to join." in said
    assert "a second laptop is let in on your first: “leadworker laptop approve” there" in said


def test_an_invite_that_was_used_is_refused_with_the_reason(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    set_up(plain, hub, tmp_path)
    invite = " ".join(plain("invite", "Ruth Adeyemi", "--team", "North", "--json").json()["words"])
    for name in ("ruth", "mallory"):
        plain("init", "--name", name, "--vault", str(tmp_path / name))
    plain("join", "--hub", hub.url, "--vault", str(tmp_path / "ruth"), typed=invite)
    refused = plain("join", "--hub", hub.url, "--vault", str(tmp_path / "mallory"), "--json", typed=invite, code=1)

    assert refused.trouble()["error"] == "invite_used"
    assert "used already" in refused.trouble()["sentence"]


@pytest.mark.parametrize("typed", ["", "abandon ability", "not words at all " * 8])
def test_words_that_are_no_invite_are_said_in_words_before_a_passphrase_is_asked_for(plain: Plain, hub: EmbeddedHub, typed: str) -> None:
    plain.passphrase_file.write_text("not the passphrase of this vault\n")
    assert plain("join", "--hub", hub.url, "--json", typed=typed, code=1).trouble()["error"] == "not_understood"


def test_a_root_that_is_not_asked_for_changes_nothing_and_says_so(plain: Plain, hub: EmbeddedHub, tmp_path: Path) -> None:
    set_up_in = tmp_path / "keys"
    set_up_in.mkdir()
    (set_up_in / ceremony.ROOT_FILE).write_text("another organisation's")
    answer = plain("keys", "ask-root", str(tmp_path / "request"), "--keys-folder", str(set_up_in), code=1)
    assert "Nothing was changed." in answer.err and "set up" not in answer.err


def test_no_network_loses_nothing(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    set_up(plain, hub, tmp_path)
    hub.stop()
    before = plain.digest()
    answer = plain("sync", "--json", code=1)

    assert answer.trouble()["error"] == "offline"
    assert "Everything is saved here" in answer.trouble()["sentence"]
    assert plain.digest() == before
    assert "No way through" in plain("hub", "status", code=1).err
    assert "Look at this: No way through" in plain("doctor").out


@pytest.mark.parametrize("command", [("sync",), ("devices",), ("invite", "Ruth", "--team", "North"), ("hub", "status")])
def test_a_vault_that_is_alone_says_how_to_join(plain: Plain, command: tuple[str, ...]) -> None:
    assert "This vault is on this laptop only." in plain(*command, code=1).err


def test_what_this_laptop_said_itself_is_not_counted_as_received(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    set_up(plain, hub, tmp_path)
    invite = plain("invite", "Ruth Adeyemi", "--team", "north", "--role", "supervisor", "--json").json()
    ruth = ["--vault", str(tmp_path / "ruth")]
    plain("init", "--name", "Ruth Adeyemi", *ruth)
    plain("join", "--hub", hub.url, *ruth, typed=" ".join(invite["words"]))
    assert plain("sync").out.startswith("Received 0 changes, sent ")
    assert plain("sync").out.startswith("Received 0 changes, sent 0 changes."), "its own statements come back to it"
    received = plain("sync", *ruth, "--json").json()["received"]
    assert received > 0
    plain("note", "yusuf", "Call", "--said", "Nan rang")
    plain("sync")
    assert plain("sync", *ruth, "--json").json()["received"] == 1, "one entry, and the statements around it are not counted"


def test_sync_can_be_quiet(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    set_up(plain, hub, tmp_path)
    answer = plain("sync", "--quiet")

    assert (answer.out, answer.err) == ("", "")


def test_a_quiet_sync_still_says_that_one_is_not_let_in(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    set_up(plain, hub, tmp_path)
    words = " ".join(plain("invite", "Ruth", "--team", "North", "--json").json()["words"])
    ruth = ("--vault", str(tmp_path / "ruth"))
    plain(*ruth, "init", "--name", "Ruth")
    plain(*ruth, "join", "--hub", hub.url, typed=words)

    assert "You are not let in yet." in plain(*ruth, "sync", "--quiet").err


def test_an_address_or_a_role_that_is_none_is_said_in_words(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    assert "begins with https://" in plain("hub", "status", "--hub", "http://store.example.org", code=1).err
    set_up(plain, hub, tmp_path)
    answer = plain("invite", "Ruth", "--team", "North", "--role", "boss", code=1)
    assert "The roles are: key worker, co-worker, supervisor, read-only, manager." in answer.err


def test_the_status_of_a_store_is_told_to_anybody(empty: Plain, hub: EmbeddedHub) -> None:
    answer = empty("hub", "status", "--hub", hub.url, "--json").json()

    assert (answer["hub"], answer["protocol"], answer["organisation"]) == (hub.url, 1, "")
    assert answer["store_key"] == hub.public_key.hex()
    assert "“leadworker hub init” does that" in empty("hub", "status", "--hub", hub.url).out


# The keys


def toy_seal(plain: bytes, secret: str) -> bytes:
    """Seal like age, but at once: what it holds is opened by `toy_open` with the same words only."""
    return f"{secret}\n{base64.b64encode(plain).decode()}\n".encode()


def toy_open(sealed: bytes, secret: str) -> bytes:
    """Open such a seal; fail with other words."""
    words_, _, content = sealed.decode().strip().partition("\n")
    assert words_ == secret
    return base64.b64decode(content)


def test_any_two_officers_open_the_escrow_key_and_none_alone(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceremony, "sealer", lambda: toy_seal)
    made = set_up(plain, hub, tmp_path)
    folder = tmp_path / "keys"
    root = toy_open((folder / ceremony.ROOT_FILE).read_bytes(), made["root_passphrase"]).decode()
    private = b""

    for number, (first, second) in enumerate(itertools.combinations(made["officer_passphrases"], 2), start=1):
        inner = toy_open((folder / ceremony.file_names()[number]).read_bytes(), first)
        assert inner.startswith(second.encode()), "one officer alone finds only another seal"
        private = bytes.fromhex(toy_open(inner, second).decode().rsplit("Key: ", 1)[1])
        assert Identity(bytes(32), private).unsealing_public == escrow_of(plain)
    signing = bytes.fromhex(root.rsplit("Key: ", 1)[1])
    assert root_id(Identity(signing, bytes(32)).signing_public).hex() == made["root_fingerprint"]
    assert f"Root fingerprint: {made['root_fingerprint']}" in root
    assert sorted(path.name for path in folder.iterdir()) == sorted(ceremony.file_names())
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(key in everything or key.hex().encode() in everything for key in (signing, private)), "in clear it lies nowhere"


def test_the_seal_is_ages_and_any_age_program_opens_it() -> None:
    pyrage = pytest.importorskip("pyrage")
    sealed = ceremony.sealer()(b"a key", "six words that open this one")

    assert sealed.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----")
    assert pyrage.passphrase.decrypt(sealed, "six words that open this one") == b"a key"


def test_without_the_part_that_seals_nothing_is_set_up(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    rest = ["--organisation", "S", "--team", "N", "--setup-code-file", "none", "--keys-folder", str(tmp_path / "keys")]

    assert "pyrage, is not installed" in plain("hub", "init", "--hub", hub.url, *rest, code=1).err
    assert not (tmp_path / "keys").exists()


def escrow_of(plain: Plain) -> bytes:
    """Return the escrow key that the organisation's founding names."""
    vault = plain.open()
    try:
        directory = asyncio.run(VaultPostbox(vault).directory())
        assert directory is not None
        assert directory.founding is not None
        return directory.founding.escrow
    finally:
        vault.close()


def test_the_passphrases_are_shown_once_with_what_to_do(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    code = tmp_path / "code"
    code.write_text(hub.setup_code)
    answer = plain(
        "hub", "init", "--hub", hub.url, "--organisation", "Saltmere \x1b[31m(invented)", "--team", "North",
        "--setup-code-file", str(code), "--keys-folder", str(tmp_path / "keys"),
    )  # fmt: skip

    assert harmless(answer)
    for officer in (1, 2, 3):
        assert re.search(rf"Passphrase of officer {officer}: (\w+ ){{5}}\w+$", answer.out, re.MULTILINE)
    assert "Take the files away from this computer." in answer.out


def test_nothing_is_founded_where_the_keys_cannot_be_kept(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / ceremony.ROOT_FILE).write_text("another organisation's")
    file = tmp_path / "file"
    file.write_text("")
    rest = ["--organisation", "S", "--team", "N", "--setup-code-file", str(file)]

    for folder in (tmp_path / "keys", file / "below"):
        answer = plain("hub", "init", "--hub", hub.url, *rest, "--keys-folder", str(folder), code=1)
        assert "Nothing was changed." in answer.err
    assert plain("hub", "status", "--hub", hub.url, "--json").json()["organisation"] == ""
    assert (tmp_path / "keys" / ceremony.ROOT_FILE).read_text() == "another organisation's"


def test_a_disk_that_fills_meanwhile_founds_nothing_and_leaves_no_key_behind(
    plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ceremony._write

    def full(path: Path, text: str) -> None:
        if path.name.startswith("escrow"):
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(ceremony, "_write", full)
    code = tmp_path / "code"
    code.write_text(hub.setup_code)
    answer = plain(
        "hub", "init", "--hub", hub.url, "--organisation", "S", "--team", "N", "--setup-code-file", str(code),
        "--keys-folder", str(tmp_path / "keys"), code=1,
    )  # fmt: skip

    assert "Nothing was changed." in answer.err
    assert not list((tmp_path / "keys").iterdir())
    monkeypatch.setattr(ceremony, "_write", write)
    set_up(plain, hub, tmp_path)


def test_a_wrong_set_up_code_founds_nothing(plain: Plain, hub: EmbeddedHub, tmp_path: Path, quick_seals: None) -> None:
    code = tmp_path / "code"
    code.write_text("0000-0000-0000-0000-0000")
    rest = ["--organisation", "S", "--team", "N", "--setup-code-file", str(code), "--keys-folder", str(tmp_path / "keys")]
    answer = plain("hub", "init", "--hub", hub.url, *rest, "--json", code=1)

    assert answer.trouble()["error"] == "setup_code_wrong"
    assert "Passphrases that were shown with them open nothing." in answer.err
    assert list((tmp_path / "keys").iterdir()) == []
    code.write_text("\n")
    answer = plain("hub", "init", "--hub", hub.url, *rest, code=1)
    assert "There is no set-up code." in answer.err
    assert answer.out == "", "no keys are shown that would be for nothing"


def test_generated_passphrases_are_all_different() -> None:
    chosen = ceremony.choose_passphrases()
    every = {chosen.root, *chosen.officers}

    assert len(every) == 4
    assert all(set(passphrase.split()) <= set(words.word_list()) for passphrase in every)


# Running one


def test_a_store_that_cannot_be_run_as_asked_says_why(empty: Plain, tmp_path: Path) -> None:
    answer = empty("hub", "serve", "--database", str(tmp_path / "store.db"), "--host", "0.0.0.0", code=1)

    assert "Without TLS the central store listens on this machine only" in answer.err
    assert empty("hub", "serve", "--port", "99999999", code=2).out == ""
