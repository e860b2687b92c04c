"""Planted words go through every feature; then every byte that was written anywhere is searched for them (E.4).

Searched: every file of the account that the programs ran in, the shared places for temporary files, both vaults, a
backup, the central store's database and everything it logged, and what a terminal keeps after the program has gone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import PATIENCE_S, Terminal
from tests.tour import at_home, command, unlock, write_note

WORDS = (
    "Quillaberry", "Zanthorne", "Plindlewick", "Ossivander", "Marrowglint", "Tuftacombe", "Yarrowfex", "Gristlenook",
    "Wimblethatch", "Ferrocallow", "Uxbarrow", "Dovenquist", "Krellamont", "Sablewhisk", "Nimboquay", "Jorvaldine",
    "Haxterley", "Bromwhistle", "Eldervance", "Cobbledane", "Fennimarsh", "Skelderbrook",
)  # fmt: skip
(
    WORKER, SUPERVISOR, ORGANISATION, TEAM, PERSON, ALIAS, HOME, TALKING, CONTACT, NUMBER,
    ALERT, ACCESS, DIARY, SEEN, SAID, NOTICED, THINK, STEP, HALF, IMPORTED, FILE_NAME, FILE_TEXT,
) = WORDS  # fmt: skip
PASSPHRASE = "copper lantern meadow tunnel basket violin"
ALTERNATE = re.compile(rb"\x1b\[\?1049h.*?\x1b\[\?1049l", re.DOTALL)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[str, str, Path]]:
    """A central store in a process of its own: its address, its set-up code, and the folder with all that it writes."""
    folder = tmp_path / "store"
    folder.mkdir()
    environment = at_home(folder / "account")
    with open(folder / "log", "wb") as log, open(folder / "console", "wb") as console:
        arguments = ["hub", "serve", "--database", str(folder / "store.db"), "--port", "0"]
        process = subprocess.Popen([sys.executable, "-P", "-m", "leadworker", *arguments], stdout=console, stderr=log, env=environment)
    try:
        said = _wait_for(folder / "console", r"listens on (\S+)\nSet-up code[^:]*: (\S+)")
        yield said[0], said[1], folder
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_no_planted_word_is_in_clear_in_any_file_or_left_on_the_terminal(tmp_path: Path, hub: tuple[str, str, Path]) -> None:
    url, code, store = hub
    given = tmp_path / "given"  # what people hand to the program; not written by it
    given.mkdir()
    account, shared = tmp_path / "account", _shared_files()
    ruth, alex = (_laptop(account, given, name) for name in ("ruth", "alex"))
    command("init", "--name", f"Ruth {SUPERVISOR}", environment=ruth)
    command("init", "--name", f"Alex {WORKER}", environment=alex)
    invite = _set_up(given, url, code, ruth)
    command("join", "--hub", url, environment=alex, text=invite)
    command("sync", environment=ruth)
    _write_everything(given, alex)
    left = _use_the_screens(account, alex)
    command("sync", environment=alex)
    command("sync", environment=ruth)
    assert SAID in command("timeline", PERSON, environment=ruth), "the words did arrive, sealed"
    assert f"{FILE_NAME}.pdf, PDF, 454 KB, here" in command("attachments", PERSON, environment=ruth), "the file did, too"
    keys = _save_and_cut(given, account, ruth)
    command("backup", str(account / "backup.lwb"), environment=alex)
    command("check", "--rebuild", environment=alex)
    secrets = _re_key(given, alex)
    restored = alex | {"LEADWORKER_VAULT": str(account / "alex" / "restored"), "LEADWORKER_PASSPHRASE_FILE": str(given / "alex.old")}
    command("restore", str(account / "backup.lwb"), environment=restored)
    for vault in (alex, restored):
        assert SAID in command("timeline", PERSON, environment=vault), "both open, one with the new passphrase, one with the old"

    searched = [path for root in (account, store) for path in root.rglob("*") if path.is_file()]
    searched += [path for path in _shared_files() - shared if path.is_file()]
    assert len(searched) > 8
    for path in searched:
        content = path.read_bytes()
        found = _found(content, *secrets) + [key[:8] for key in keys if bytes.fromhex(key) in content or key.encode() in content]
        assert not found, f"{path.name} holds {found}"
    assert not _found(left)


def _laptop(account: Path, given: Path, name: str) -> dict[str, str]:
    secret = given / f"{name}.passphrase"
    secret.write_text(PASSPHRASE + "\n", "utf-8")
    environment = at_home(account / name)
    return environment | {"LEADWORKER_VAULT": str(account / name / "vault"), "LEADWORKER_PASSPHRASE_FILE": str(secret)}


def _set_up(given: Path, url: str, code: str, ruth: dict[str, str]) -> str:
    (given / "code").write_text(code, "utf-8")
    (given / "stick").mkdir()
    command(
        "hub", "init", "--hub", url, "--organisation", f"{ORGANISATION} Borough", "--team", f"{TEAM} team",
        "--setup-code-file", str(given / "code"), "--keys-folder", str(given / "stick"), environment=ruth,
    )  # fmt: skip
    made = json.loads(command("invite", f"Alex {WORKER}", "--team", f"{TEAM} team", "--json", environment=ruth))
    return " ".join(made["words"])


def _write_everything(given: Path, alex: dict[str, str]) -> None:
    command("people", "add", f"{PERSON} Lane", environment=alex)
    command(
        "person", PERSON, "--known-as", ALIAS, "--lives-at", f"{HOME} Court", "--talking", f"{TALKING}: short texts",
        "--contact", "other", f"{CONTACT} 07700 900118", environment=alex,
    )  # fmt: skip
    command("person", PERSON, "--identifier", NUMBER, "943 476 5919", environment=alex)
    command("alert", PERSON, f"{ALERT} in the hall", environment=alex)
    command("access", PERSON, f"{ACCESS} gate", environment=alex)
    command("visit", PERSON, "tomorrow 2pm", "--note", f"{DIARY} to bring", environment=alex)
    contacts = given / "contacts.vcf"
    contacts.write_text(f"BEGIN:VCARD\nVERSION:3.0\nFN:{IMPORTED} Demir\nN:Demir;{IMPORTED};;;\nNOTE:{IMPORTED}\nEND:VCARD\n", "utf-8")
    command("import", str(contacts), "--dry-run", environment=alex)
    command("import", str(contacts), environment=alex)
    scan = given / f"{FILE_NAME}.pdf"
    scan.write_bytes(f"{FILE_TEXT} and her letter, ".encode() * 16_000)
    command("attach", PERSON, str(scan), environment=alex)
    command("note", PERSON, "-", environment=alex, text=f"call yesterday\nSaid: {SAID}\nNoticed: {NOTICED}\n")


def _save_and_cut(given: Path, account: Path, ruth: dict[str, str]) -> list[str]:
    """Write a file out where its owner says, end a fetch and an adding by force in the middle; return the keys of the files."""
    (listed,) = json.loads(command("attachments", PERSON, "--json", environment=ruth))["files"]
    command("attachment", "save", listed["id"], str(given / "out.pdf"), "--yes", environment=ruth)
    assert FILE_TEXT.encode() in (given / "out.pdf").read_bytes()
    large = given / "large.pdf"
    large.write_bytes(f"{FILE_TEXT} once more, ".encode() * 700_000)
    arguments = [sys.executable, "-P", "-m", "leadworker", "attach", PERSON, str(large)]
    with subprocess.Popen(arguments, env=ruth, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as adding:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and adding.poll() is None and not list(account.rglob("*.sealing")):
            time.sleep(0.001)
        adding.kill()
    code = (
        "import sys; from pathlib import Path; from leadworker import wiring\n"
        "desk, vault = wiring.open_now(Path(sys.argv[1]), sys.argv[2], purpose='a test')\n"
        "print(*[row[0] for row in vault.submit(lambda: vault.connection.execute('SELECT key FROM attachment').fetchall()).result()])\n"
        "vault.close()"
    )
    said = subprocess.run(
        [sys.executable, "-P", "-c", code, ruth["LEADWORKER_VAULT"], PASSPHRASE], env=ruth, capture_output=True, text=True, check=True
    )
    keys = said.stdout.split()
    assert keys
    return keys


def _use_the_screens(account: Path, alex: dict[str, str]) -> bytes:
    """Write, search, hide, keep half a note and leave; return what the terminal keeps of it."""
    environment = {name: value for name, value in alex.items() if name != "LEADWORKER_PASSPHRASE_FILE"}
    with Terminal(["-m", "leadworker"], environment=environment, folder=account) as terminal:
        unlock(terminal, PASSPHRASE)
        terminal.press("/")
        terminal.until("people only")
        terminal.type(PERSON.lower())
        terminal.until(f"{PERSON} Lane")
        terminal.press("enter")
        terminal.until("Journal", HOME)
        write_note(terminal, "visit today", seen=SEEN, said=SAID, noticed=NOTICED, think=THINK, next=f"ask about {STEP}")
        terminal.press("n")
        terminal.until("New note")
        terminal.type(f"call {HALF}")
        terminal.until("draft kept")
        terminal.press("ctrl+l")
        terminal.until(gone=PERSON)
        terminal.press("enter")
        terminal.until("New note")
        terminal.press("ctrl+q")
        assert terminal.ended() == 0
        seen = bytes(terminal.written)
        assert SAID.encode() in seen, "the words were on the screen"
    return ALTERNATE.sub(b"", seen)


def _re_key(given: Path, alex: dict[str, str]) -> tuple[str, str]:
    """Encrypt everything with a new key; return what opens the vault now."""
    made = json.loads(command("passphrase", "--re-key", "--json", environment=alex))
    secret = given / "alex.passphrase"
    secret.rename(given / "alex.old")
    secret.write_text(made["passphrase"] + "\n", "utf-8")
    return made["passphrase"], " ".join(made["recovery_words"])


def _found(content: bytes, *more: str) -> list[str]:
    forms = ((word, form) for word in (*WORDS, PASSPHRASE, *more) for form in (word, word.lower(), word.upper()))
    return [word for word, form in forms if form.encode() in content or form.encode("utf-16-le") in content]


def _shared_files() -> set[Path]:
    """Every file of this account's user in the places that programs share."""
    found: set[Path] = set()
    mine = os.getuid()
    for folder in {Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/dev/shm")}:
        for path in folder.glob("*") if folder.is_dir() else ():
            if path.is_file() and path.stat().st_uid == mine:
                found.add(path)
    return found


def _wait_for(path: Path, pattern: str) -> tuple[str, ...]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = re.search(pattern, path.read_text("utf-8"))
        if found:
            return found.groups()
        time.sleep(0.05)
    raise AssertionError(f"the central store never said where it listens: {path.read_text('utf-8')}")
