"""Killed at any moment, a vault has every word that was acknowledged, and opens (security E.1).

Real processes work on a real vault through the real way in; each deed is told of only after it has returned; then SIGKILL.
"""

from __future__ import annotations

import random
import shutil
from functools import partial
from pathlib import Path

import pytest

from leadworker.crypto import keys
from leadworker.domain import drafts, journal, people
from leadworker.errors import LeadworkerError, NotUnderstood, VaultMissing
from storage import backing_up, comparing, migrations, opening
from storage.engine import Connection
from storage.vault import Vault
from tests import vault_work, vaults
from tests.vault_work import Habits, killed
from tests.vaults import ask, do, enter, fresh, look_through, made, people_here

BATCHES, KILLS = 6, 50
HABITS = (
    Habits(),
    Habits(checkpoint_after=4),
    Habits(idle_after_s=0.0005),
    Habits(checkpoint_after=2, idle_after_s=0.0005),
)


class Acknowledged:
    """What a vault has said is safe, over all its lives."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.draft = -1
        self.pronouns = -1
        self.lives = 0

    def hear(self, told: list[tuple[object, ...]]) -> None:
        """Take note of what a process told before it was killed."""
        self.lives += 1
        for deed in told:
            match deed:
                case ("entry", str(entry_id), str(words)):
                    self.entries[entry_id] = words
                case ("draft", int(number)):
                    self.draft = number
                case ("pronouns", int(number)):
                    self.pronouns = number

    def are_in(self, vault: Vault) -> None:
        """Fail unless everything is there, and of what was not acknowledged at most the one deed of each life."""
        (person,) = ask(vault, people_here)
        kept = {entry.id: entry.said for entry in ask(vault, journal.timeline, person, limit=100_000)}
        assert self.entries.items() <= kept.items(), "an acknowledged entry is missing or different"
        assert len(kept) - len(self.entries) <= self.lives
        hits = {entry.id for _, entry in ask(vault, journal.find, "entry ", limit=100_000)}
        assert hits == kept.keys(), "what is there can be found, whenever its process was killed"
        found = [int(draft.said) for draft in ask(vault, drafts.unfinished)]
        assert (found or [-1])[0] >= self.draft, "an acknowledged draft is older than it was"
        assert int(ask(vault, people.facts, person).pronouns or -1) >= self.pronouns


@pytest.mark.parametrize("batch", range(BATCHES))
def test_300_kills_lose_nothing_that_was_acknowledged(batch: int, tmp_path: Path) -> None:
    chance = random.Random(batch)
    heard = 0
    for kill in range(KILLS):
        if kill % 10 == 0:
            folder, acknowledged = fresh(tmp_path / f"vault {kill}"), Acknowledged()
        opened = chance.random() < 0.85  # some are killed while they open
        told = killed(
            vault_work.keep_working, folder, made().words, batch * 1000 + kill, kill * 1000, chance.choice(HABITS),
            after_s=chance.uniform(0, 0.025), once="open" if opened else "", deeds=chance.randrange(12) if opened else 0,
        )  # fmt: skip
        acknowledged.hear(told)
        heard += len(told)
        vault = enter(folder)
        try:
            report = look_through(vault, rebuild=kill % 20 == 19)
            assert report.whole, [finding.sentence for finding in report.findings if not finding.whole]
            assert set(vault.notices) <= {comparing.CUT_OFF}, "a crash leaves nothing that has to be mended"
            if acknowledged.entries or acknowledged.draft >= 0:
                acknowledged.are_in(vault)
        finally:
            vault.close()
    assert heard > 4 * KILLS, "the processes were killed at work, not before it"


def test_a_kill_while_the_pages_are_made_again_leaves_them_as_before_or_after(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", vaults.small())
    vault = enter(folder)
    before = vaults.digest(vault)
    vault.close()
    declare_otherwise(folder)
    for moment in vault_work.spread_over(15, vault_work.just_open, folder, made().words, done="open"):
        declare_otherwise(folder)
        killed(vault_work.just_open, folder, made().words, after_s=moment, once="begun")
        vault = enter(folder)
        assert look_through(vault).whole
        assert vaults.digest(vault) == before
        vault.close()


def declare_otherwise(folder: Path) -> None:
    """Leave a vault as a version with other declarations would: the next opening makes every page again."""
    vault = enter(folder)

    def work() -> None:
        with vault.transaction() as transaction:
            transaction.dirty = True
            vault.set_fact("declared", b"by another version")

    vault.submit(work).result()
    vault.close()


def test_a_kill_in_a_migration_leaves_each_step_whole_or_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fresh(tmp_path / "first", vaults.small())
    moments = vault_work.spread_over(16, vault_work.just_open_with_a_new_step, first, made().words, done="open")
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, vault_work.new_step))
    monkeypatch.setattr(migrations, "VERSION", len(migrations.STEPS))
    for kill, moment in enumerate(moments):
        folder = fresh(tmp_path / f"vault {kill}", vaults.small())
        killed(vault_work.just_open_with_a_new_step, folder, made().words, after_s=moment, once="begun")
        vault = enter(folder)
        assert vault.submit(partial(rows_of_the_new_step, vault.connection)).result() == (vault_work.STEP_ROWS, migrations.VERSION)
        assert look_through(vault, rebuild=True).whole
        vault.close()


def rows_of_the_new_step(connection: Connection) -> tuple[int, int]:
    (rows,) = connection.execute("SELECT count(*) FROM added_later").fetchone()
    return int(rows), migrations.version(connection)


def test_a_kill_while_a_vault_is_made_leaves_a_vault_or_room_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_argon2", keys._argon2)  # put back afterwards
    vault_work.derive_quickly()
    for kill, moment in enumerate(vault_work.spread_over(30, vault_work.make_a_vault, tmp_path / "first", done="kept")):
        folder = tmp_path / f"vault {kill}"
        told = killed(vault_work.make_a_vault, folder, after_s=moment, once="begun")
        try:
            vault = opening.open_with_passphrase(folder, vaults.PASSPHRASE)
        except VaultMissing:
            assert told == [("begun",)]
            vault, _ = opening.create(folder, "Alex Morgan", vaults.PASSPHRASE, memory_kib=vaults.FLOOR)
        else:
            assert len(ask(vault, people_here)) >= told.count(("kept",))
        assert look_through(vault).whole
        assert set(vaults.files(folder)) <= {"journal.db", "journal.db-wal", "vault.anchor", "vault.json", "vault.copy.json"}
        vault.close()


def test_a_kill_while_the_passphrase_is_changed_leaves_the_one_before_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_argon2", keys._argon2)
    vault_work.derive_quickly()
    folder = fresh(tmp_path / "vault")
    for kill in range(25):
        told = killed(vault_work.change_passphrases, folder, made().words, after_s=0.0007 * kill, once="open")
        last = max((number for _, number in told[1:]), default=-1)
        opened = [n for n in range(max(last, 0), last + 2) if opens(folder, f"passphrase {n}")]
        assert opened or last < 0, "neither the passphrase that was acknowledged nor the next one opens the vault"
        vault = enter(folder)
        assert look_through(vault).whole
        vault.close()


def test_a_kill_while_a_vault_is_re_keyed_leaves_it_whole_under_one_key_or_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "_argon2", keys._argon2)
    vault_work.derive_quickly()
    vault = enter(fresh(tmp_path / "before", vaults.small()))
    before = vaults.digest(vault)
    vault.close()
    first = fresh(tmp_path / "first", vaults.small())
    moments = vault_work.spread_over(20, vault_work.change_the_key, first, made().words, done="done")
    for kill, moment in enumerate(moments):
        folder = fresh(tmp_path / f"vault {kill}", vaults.small())
        told = killed(vault_work.change_the_key, folder, made().words, after_s=moment, once="begun" if kill else "open")
        try:
            vault = opening.open_with_passphrase(folder, "the passphrase of the new key")
        except LeadworkerError:
            assert ("begun",) not in told
            vault = enter(folder)
        assert vaults.digest(vault) == before
        assert look_through(vault).whole
        vault.close()


def opens(folder: Path, passphrase: str) -> bool:
    try:
        opening.open_with_passphrase(folder, passphrase).close()
    except LeadworkerError:
        return False
    return True


def test_a_kill_in_a_backup_leaves_the_vault_and_every_finished_backup_whole(tmp_path: Path) -> None:
    folder = fresh(tmp_path / "vault", vaults.small())
    vault = enter(folder)
    before = vaults.digest(vault)
    vault.close()
    for kill in range(12):
        target = tmp_path / f"backups {kill}"
        target.mkdir()
        told = killed(vault_work.write_backups, folder, made().words, target, after_s=0.004 * kill, once="open")
        finished = {f"{number}.lwb" for _, number in told[1:]}
        found = {path.name for path in target.glob("*.lwb")}
        assert finished <= found, "a backup that was acknowledged is not there"
        for name in found:
            backing_up.restore(target / name, tmp_path / f"restored {kill} {name}")
        vault = enter(folder)
        assert look_through(vault).whole
        vaults.back_up(vault, target / f"{len(found)}.lwb")
        assert vaults.digest(vault) == before
        vault.close()
        assert all(path.suffix == ".lwb" for path in target.iterdir()), "the next backup clears away what the last one left"


def test_a_kill_in_a_restore_leaves_the_backup_whole_and_the_restore_to_be_done_again(tmp_path: Path) -> None:
    source = tmp_path / "kept.lwb"
    vault = enter(fresh(tmp_path / "vault", vaults.small()))
    vaults.back_up(vault, source)
    before = vaults.digest(vault)
    vault.close()
    moments = vault_work.spread_over(30, vault_work.put_back, source, tmp_path / "first", made().words, done="open")
    for kill, moment in enumerate(moments):
        folder = tmp_path / f"restored {kill}"
        told = killed(vault_work.put_back, source, folder, made().words, after_s=moment, once="begun")
        try:
            vault = enter(folder)
        except VaultMissing:
            assert ("restored",) not in told
            backing_up.restore(source, folder)
            vault = enter(folder)
        else:
            with pytest.raises(NotUnderstood):
                backing_up.restore(source, folder)
        assert vaults.digest(vault) == before
        assert look_through(vault).whole
        do(vault, people.add, "Somebody new")
        vault.close()
        shutil.rmtree(folder)
