"""A vault with an invented caseload and a way to run commands on it, for tests of the plain path."""

from __future__ import annotations

import functools
import io
import json
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leadworker.clock import Moment
from leadworker.crypto import keys
from leadworker.domain import actions, alerts, journal, people, visits
from leadworker.domain.actions import NewAction
from leadworker.domain.journal import NewEntry
from leadworker.plain.app import run
from leadworker.shelf import Shelf
from storage import opening, rebuilding
from storage.vault import Vault

PASSPHRASE = "copper lantern quiet harbour seven velvet"
ME = "Alex Morgan"
DERIVE = functools.lru_cache(maxsize=64)(keys._argon2)
"""The real derivation, once for each passphrase and salt: every command of a test opens the same vault again."""

CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the one document that it printed."""
        return json.loads(self.out)

    def trouble(self) -> dict[str, str]:
        """Return the error document that stands last on standard error."""
        return json.loads(self.err.strip().splitlines()[-1])  # type: ignore[no-any-return]


class Plain:
    """Runs commands in this process on one vault, as the front door would."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.passphrase_file = folder.parent / "passphrase"
        self.passphrase_file.write_text(PASSPHRASE + "\n")
        self.passphrase_file.chmod(0o600)
        self._capsys = capsys
        self._patch = monkeypatch
        monkeypatch.setenv("LEADWORKER_VAULT", str(folder))
        monkeypatch.setenv("LEADWORKER_PASSPHRASE_FILE", str(self.passphrase_file))
        monkeypatch.setattr(keys, "_argon2", DERIVE)
        monkeypatch.setattr(keys, "calibrate", lambda: keys.FLOOR_KIB)

    def __call__(self, *arguments: str, typed: str | bytes = b"", code: int | None = 0) -> Answer:
        """Run a command with `typed` on standard input; fail unless it ends with `code` (None: any)."""
        raw = typed.encode() if isinstance(typed, str) else typed
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8"))
        self._capsys.readouterr()
        ended = run(arguments)
        said = self._capsys.readouterr()
        assert code is None or ended == code, f"{arguments} ended with {ended}: {said.out}{said.err}"
        return Answer(ended, said.out, said.err)

    def open(self) -> Vault:
        """Open the vault; the caller closes it."""
        return opening.open_with_passphrase(self.folder, PASSPHRASE)

    def digest(self) -> str:
        """Return the digest over every record."""
        vault = self.open()
        try:
            return vault.submit(lambda: rebuilding.digest(vault.connection)).result()
        finally:
            vault.close()


def caseload(shelf: Shelf) -> None:
    """Write down two people, what to know at one door, a visit ahead, an entry and what was promised."""
    now = shelf.now()
    keira = people.add(shelf, "Keira Okafor-Lane", pronouns="she/her", born="about 15", lives_at="14 Fen Court, with mum")
    people.describe(shelf, keira, talking="Short texts, no letters. Give her time to answer.")
    people.also_known_as(shelf, keira, "Kay")
    people.add_contact(shelf, keira, "mobile", "07700 900118", "hers")
    alerts.raise_alert(shelf, keira, "Dog in the hall. Ring first.")
    alerts.add_access_note(shelf, keira, "Side gate. Buzzer broken.")
    people.add(shelf, "Yusuf Demir", born="about 16")
    people.add(shelf, "Sam Reyes", on_caseload=False)
    tomorrow = Moment.of(now.local() + timedelta(days=1))
    visits.plan(shelf, keira, tomorrow, place="home")
    done = Moment.of(now.local() - timedelta(days=3))
    promised = NewAction("Ring the clinic about the wait", ME, mine=True, due_on=(now.day() - timedelta(days=2)).isoformat())
    entry = NewEntry(
        keira, "visit", done, minutes=50, place="home", seen="Keira on her own", said="I actually slept.",
        noticed="Kitchen tidy, food in.", think="Home feels safer.", next_steps="ring the clinic", actions=(promised,),
    )  # fmt: skip
    journal.write(shelf, entry)
    actions.add(shelf, keira, NewAction("Bring the bus pass form", "Sam Reyes"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed vault with the invented caseload."""
    folder = tmp_path_factory.mktemp("template") / "vault"
    vault, _words = opening.create(folder, ME, PASSPHRASE, memory_kib=keys.FLOOR_KIB)
    vault.write(caseload).result()
    vault.close()
    return folder


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Plain:
    """Commands with no vault yet."""
    return Plain(tmp_path / "vault", capsys, monkeypatch)


@pytest.fixture
def plain(template: Path, empty: Plain) -> Plain:
    """Commands on a copy of the invented caseload."""
    shutil.copytree(template, empty.folder)
    return empty


def harmless(answer: Answer) -> bool:
    """Say whether nothing that a terminal obeys was printed."""
    return not CONTROLS.search(answer.out + answer.err)
