"""What somebody writes in one casebook changes nothing of another that the same colleague reads: each page is asked by both."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadworker.domain import attachments, journal
from leadworker.domain.actions import NewAction
from leadworker.domain.journal import NewEntry
from leadworker.errors import Offline
from tests.evil_hub import Case, Rogue
from tests.laptops import TOBIAS

pytest_plugins = ["tests.laptop_fixtures"]

RECORD = "cd" * 16


async def test_an_action_written_in_one_casebook_does_not_stand_under_an_entry_of_another(case: Case) -> None:
    """Alex reads only Keira's casebook; he knows the id of an entry in Tobias's, which Ruth has as well."""
    ruth, tobias = case.ruth, case.ruth.add(TOBIAS)
    born = NewAction("Ring the school", "Ruth Okonedo", mine=True)
    entry = ruth.desk.do_now(journal.write, NewEntry(tobias, title="a call", next_steps="ring the school", actions=(born,))).entry_id
    await ruth.sync()
    forged = {"person_id": case.keira, "entry_id": entry, "text": "Close the case", "owner": "me"}
    rogue = Rogue(case.alex, case.keira)
    await rogue.write(await rogue.content("action", RECORD, forged))
    await ruth.sync()
    assert ruth.sql("SELECT count(*) FROM action WHERE id = ?", RECORD) == [(1,)], "it stands in Keira's"
    assert [action.text for action in ruth.desk.ask_now(journal.entry, entry).actions] == ["Ring the school"]


async def test_a_file_of_one_casebook_is_not_said_to_be_stored_by_a_word_in_another(case: Case, tmp_path: Path) -> None:
    """Believed, the word would keep Ruth's laptop from ever sending it."""
    ruth, tobias = case.ruth, case.ruth.add(TOBIAS)
    (tmp_path / "scan.pdf").write_bytes(b"%PDF invented")
    await ruth.sync()
    file = ruth.desk.attach_now(tobias, tmp_path / "scan.pdf")
    rogue = Rogue(case.alex, case.keira)
    await rogue.write(await rogue.content("attachment_stored", RECORD, {"person_id": case.keira, "attachment_id": file}))
    ruth.line.before = lambda number: "POST /v1/push" in ruth.line.requests and "/files/" in ruth.line.requests[-1]
    with pytest.raises(Offline):
        await ruth.sync_somehow()
    ruth.line.before = lambda number: False
    assert ruth.sql("SELECT count(*) FROM attachment_stored WHERE id = ?", RECORD) == [(1,)], "it stands in Keira's"
    assert not ruth.desk.ask_now(attachments.attachment, file).stored
    assert [one.id for one in await ruth.box.files.to_send()] == [file]
    await ruth.sync()
    assert ruth.desk.ask_now(attachments.attachment, file).stored
