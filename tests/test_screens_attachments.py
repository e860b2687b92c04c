"""Files on a person's page: put in by one key, seen where they are, and written out in clear only after a second yes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, cast

import pytest

from leadworker.desk import Desk
from leadworker.domain import attachments, caseload
from leadworker.domain.attachments import Attachment, AttachmentStored
from screens.app import LeadworkerApp
from screens.files import AttachForm, SaveFileForm
from storage.vault import Vault
from tests.screen_world import opened, seen, settle, type_in

pytest_plugins = ["tests.screen_fixtures"]


def words(app: LeadworkerApp) -> str:
    """Return the words on the screen with single spaces."""
    return " ".join(seen(app).split())


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.pdf"
    path.write_bytes(random.Random(1).randbytes(345_000))
    return path


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


async def on_person(app: LeadworkerApp, pilot: Any) -> str:
    keira = (await app.desk.ask(caseload.resolve, "Keira")).id
    app.open_person(keira)
    await settle(pilot)
    return keira


async def attach_by_keys(app: LeadworkerApp, pilot: Any, path: Path) -> None:
    await type_in(pilot, "p")
    await settle(pilot)
    assert isinstance(app.screen, AttachForm)
    assert words(app).count("with the record") == 0 and "Put a file with this entry" in words(app)
    app.screen.query_one("#field-file").value = str(path)  # type: ignore[attr-defined]
    await pilot.press("ctrl+s")
    await settle(pilot)


async def go_to_the_file(app: LeadworkerApp, pilot: Any, made: str) -> None:
    app.screen.show_panel("about")  # type: ignore[attr-defined]
    panel = app.screen.query_one("#about")
    assert panel.select(made)  # type: ignore[attr-defined]
    await pilot.press("enter")
    await settle(pilot)


async def test_a_file_is_put_with_the_entry_under_the_cursor_and_stands_beneath_it(app: LeadworkerApp, letter: Path) -> None:
    async with opened(app) as pilot:
        keira = await on_person(app, pilot)
        await attach_by_keys(app, pilot, letter)
        assert "letter.pdf, 337 KB, is kept, sealed." in words(app)
        assert "1 file: letter.pdf, 337 KB, here" in words(app)
        (file,) = await app.desk.ask(attachments.of_person, keira)
        assert file.entry_id == app.screen.entries.selected.id  # type: ignore[attr-defined]
        await type_in(pilot, "enter")
        await settle(pilot)
        assert "1 file: letter.pdf, 337 KB, here" in words(app), "the entry whole says so too"


async def test_what_cannot_be_attached_is_said_under_the_field_and_the_path_stays(app: LeadworkerApp, tmp_path: Path) -> None:
    async with opened(app) as pilot:
        keira = await on_person(app, pilot)
        await attach_by_keys(app, pilot, tmp_path / "none.pdf")
        assert isinstance(app.screen, AttachForm)
        assert "There is no file" in words(app)
        assert "Nothing was attached" in words(app)
        assert app.screen.values()["file"].endswith("none.pdf")
        assert await app.desk.ask(attachments.of_person, keira) == ()


async def test_a_file_is_written_out_only_after_a_second_yes(app: LeadworkerApp, letter: Path, tmp_path: Path) -> None:
    async with opened(app) as pilot:
        keira = await on_person(app, pilot)
        await attach_by_keys(app, pilot, letter)
        (file,) = await app.desk.ask(attachments.of_person, keira)
        await go_to_the_file(app, pilot, file.id)
        assert isinstance(app.screen, SaveFileForm)
        assert "whoever gets at it can read it" in words(app)
        out = tmp_path / "out.pdf"
        app.screen.query_one("#field-where").value = str(out)  # type: ignore[attr-defined]
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "Ctrl+S once more" in words(app)
        assert not out.exists()
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert same(out, letter)
        assert "in clear" in words(app)


async def test_a_colleagues_file_says_on_whose_laptop_it_is_and_is_fetched_when_asked_for(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        keira = await on_person(app, pilot)
        vault = cast(Vault, cast(Desk, app.open_desk)._keeper)
        values = {
            "person_id": keira,
            "name": "\x1b[2Jscan\u202e.pdf",
            "kind": "application/pdf",
            "size": 9_000_000,
            "digest": "a" * 64,
            "key": "b" * 64,
        }
        made = await app.desk.do(lambda shelf: shelf.add(Attachment, keira, **values))
        await settle(pilot)

        def from_ruth() -> None:
            c = vault.connection
            c.execute("INSERT INTO writer (device, name, mine) VALUES ('r', 'Ruth Adeyemi', 0)")
            c.execute("UPDATE attachment SET made_by = 'r'")

        vault.submit(from_ruth).result()
        app.screen.reload()  # type: ignore[attr-defined]
        await settle(pilot)
        await go_to_the_file(app, pilot, made)
        assert "scan.pdf PDF, 8.6 MB, on Ruth Adeyemi's laptop" in words(app)
        assert "is still on Ruth Adeyemi's laptop" in words(app)
        await app.desk.do(lambda shelf: shelf.add(AttachmentStored, keira, person_id=keira, attachment_id=made))
        await settle(pilot)
        assert "8.6 MB, on the central store" in words(app)
        await go_to_the_file(app, pilot, made)
        assert "is fetched with the next sync" in words(app)
        assert "8.6 MB, on its way" in words(app)
        await app.desk.do(attachments.met_trouble, made, "The central store handed out something else.")
        await settle(pilot)
        assert "handed out something else" in words(app)
