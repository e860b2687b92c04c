"""Things that were broken once, each as the person met it. They stay for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from leadworker.clock import SystemClock
from leadworker.demo.stage import Laptop
from leadworker.domain import caseload, drafts, journal, people
from leadworker.errors import DiskTrouble, NotUnderstood, Offline
from leadworker.statements import Role
from storage import anchor, backing_up, opening, slots
from sync import inviting, joining
from sync.hub.serve import EmbeddedHub

PASSPHRASE = "copper lantern meadow tunnel basket violin"
CLOCK = SystemClock()


async def _let_in(admin: Laptop, colleague: Laptop, role: Role) -> None:
    client = admin.client()
    invite = await inviting.invite(admin.box, client, CLOCK, colleague.name, role=role, team="North")
    await client.close()
    client = colleague.client()
    await joining.ask_to_join(colleague.box, client, " ".join(invite.words))
    await client.close()
    await admin.sync()
    await colleague.sync()


async def _set_up(admin: Laptop, code: str) -> joining.Ceremony:
    client = admin.client()
    try:
        return await joining.set_up(admin.box, client, code, "Saltmere", admin.name, role=Role.MANAGER, team="Office")
    finally:
        await client.close()


def test_a_supervisor_who_joins_after_a_casebook_was_founded_reads_it_from_its_beginning(tmp_path: Path) -> None:
    async def story(hub: EmbeddedHub) -> None:
        admin, alex, ruth = (Laptop(tmp_path / name, name, hub.url, CLOCK) for name in ("Dana", "Alex", "Ruth"))
        await _set_up(admin, hub.setup_code)
        await _let_in(admin, alex, Role.KEY_WORKER)
        keira = alex.desk.do_now(people.add, "Keira Okafor-Lane")
        alex.desk.do_now(journal.write, journal.NewEntry(keira, said="written before Ruth came"))
        await alex.sync()

        await _let_in(admin, ruth, Role.SUPERVISOR)
        await alex.sync()
        await ruth.sync()

        assert [entry.said for entry in ruth.desk.ask_now(journal.timeline, keira)] == ["written before Ruth came"]
        for laptop in (admin, alex, ruth):
            laptop.close()

    with EmbeddedHub(str(tmp_path / "store.db")) as hub:
        asyncio.run(story(hub))


def test_a_network_cut_right_after_the_founding_loses_no_key_and_mends_at_the_next_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: object) -> None:
        raise Offline("No way through.")

    with EmbeddedHub(str(tmp_path / "store.db")) as hub:
        ruth = Laptop(tmp_path / "ruth", "Ruth", hub.url, CLOCK)
        with monkeypatch.context() as patch:
            patch.setattr(joining, "pull_directory", cut)
            ceremony = asyncio.run(_set_up(ruth, hub.setup_code))
        assert len(ceremony.root_signing) == len(ceremony.escrow_private) == 32

        asyncio.run(ruth.sync())

        joined = asyncio.run(ruth.box.joined())
        assert joined is not None
        assert joined.admitted
        assert joined.admin
        ruth.close()


def test_two_who_make_a_vault_in_one_folder_at_once_do_not_destroy_each_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "vault"
    first = opening.create

    def meanwhile() -> int:
        monkeypatch.undo()
        vault, _ = first(folder, "Ann", PASSPHRASE, memory_kib=65536)
        vault.close()
        return 65536

    monkeypatch.setattr(opening.keys, "calibrate", meanwhile)
    with pytest.raises(NotUnderstood, match="already"):
        opening.create(folder, "Bob", "another passphrase of six words here")

    assert opening.open_with_passphrase(folder, PASSPHRASE).name == "Ann"


def test_a_restore_does_not_write_over_a_vault_that_was_made_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault, _ = opening.create(tmp_path / "old", "Ann", PASSPHRASE, memory_kib=65536)
    copy = tmp_path / "copy.lwb"
    vault.submit(lambda: backing_up.backup(vault.connection, vault.folder, vault.master, copy)).result()
    vault.close()
    target = tmp_path / "new"
    copied_out = backing_up._copy_out

    def slowly(*given: object) -> object:
        (target / "vault.json").write_bytes((tmp_path / "old" / "vault.json").read_bytes())
        return copied_out(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(backing_up, "_copy_out", slowly)
    with pytest.raises(NotUnderstood, match="never writes over one"):
        backing_up.restore(copy, target)
    assert not (target / "journal.db").exists()


def test_words_that_nobody_could_see_change_nothing(tmp_path: Path) -> None:
    def nowhere(*_: object) -> None:
        raise NotUnderstood("What is shown only once could not be printed here. Nothing was changed.")

    with pytest.raises(NotUnderstood):
        opening.create(tmp_path / "vault", "Ann", PASSPHRASE, memory_kib=65536, show=nowhere)
    assert not opening.exists(tmp_path / "vault")

    vault, words = opening.create(tmp_path / "vault", "Ann", PASSPHRASE, memory_kib=65536)
    with pytest.raises(NotUnderstood):
        slots.new_recovery_words(vault, nowhere)
    vault.close()
    opening.open_with_words(tmp_path / "vault", " ".join(words)).close()


def test_a_note_whose_safety_mark_failed_is_told_as_saved_and_is_not_written_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    laptop = Laptop(tmp_path / "vault", "Alex", "http://127.0.0.1:1", CLOCK)
    keira = laptop.desk.do_now(people.add, "Keira")
    warned: list[str] = []
    laptop.desk.on_warning(warned.append)

    def failing(file: int, through: int, data: bytes, at: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(anchor, "_write_durably", failing)
        saved = laptop.desk.do_now(journal.write, journal.NewEntry(keira, said="once"))

    assert [entry.id for entry in laptop.desk.ask_now(journal.timeline, keira)] == [saved.entry_id]
    assert "is saved" in warned[0]
    with pytest.raises(DiskTrouble):  # below the desk it is trouble all the same
        _fails(laptop, failing, monkeypatch, keira)
    laptop.close()


def _fails(laptop: Laptop, failing: Callable[[int, int, bytes, int], None], monkeypatch: pytest.MonkeyPatch, person: str) -> None:
    monkeypatch.setattr(anchor, "_write_durably", failing)
    laptop.vault.write(lambda shelf: drafts.keep(shelf, drafts.begin(shelf, person))).result()


def test_somebody_who_asked_one_organisation_and_was_never_let_in_can_join_another(tmp_path: Path) -> None:
    with EmbeddedHub(str(tmp_path / "a.db")) as here, EmbeddedHub(str(tmp_path / "b.db")) as there:
        one, two = Laptop(tmp_path / "one", "Dana", here.url, CLOCK), Laptop(tmp_path / "two", "Ruth", there.url, CLOCK)
        asyncio.run(_set_up(one, here.setup_code))
        asyncio.run(_set_up(two, there.setup_code))

        async def ask(admin: Laptop, folder: str) -> Laptop:
            client = admin.client()
            invite = await inviting.invite(admin.box, client, CLOCK, "Alex", role=Role.KEY_WORKER, team="North")
            alex = Laptop(tmp_path / folder, "Alex", client.url, CLOCK)
            theirs = alex.client()
            await joining.ask_to_join(alex.box, theirs, " ".join(invite.words))
            await theirs.close()
            await client.close()
            return alex

        asyncio.run(ask(one, "alex")).close()
        alex = asyncio.run(ask(two, "alex"))
        asyncio.run(two.sync())
        asyncio.run(alex.sync())

        joined = asyncio.run(alex.box.joined())
        assert joined is not None
        assert joined.admitted
        assert alex.desk.ask_now(caseload.count) == 0
        for laptop in (one, two, alex):
            laptop.close()
