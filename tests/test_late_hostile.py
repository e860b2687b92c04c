"""What a rogue laptop hands in late: whoever takes it in writes it in that casebook only, and nothing that no leadworker writes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from leadworker import change
from leadworker.domain import alerts, late, people
from leadworker.domain.alerts import Alert
from leadworker.domain.late import Submission, TakenIn
from leadworker.domain.people import Person
from leadworker.record import LARGEST_NUMBER
from tests.laptops import BEA, KEIRA, TOBIAS, Laptop, Team

pytest_plugins = ["tests.laptop_fixtures"]

RECORD = "ab" * 16
WROTE_MS = 1_795_000_000_000


def said(topic: str, record: str, values: dict[str, Any], verb: str = "put", wrote_at: int = WROTE_MS, offset: int = 0) -> bytes:
    """Return the body of a change, as a laptop may sign it."""
    content = change.Content(change.SCHEMA, topic, record, verb, values, 1, (0, bytes(32)), wrote_at, offset)
    return change.write_content(content, bytes(change.SALT_BYTES))


def handed_in(laptop: Laptop, person: str, *bodies: bytes) -> str:
    """Keep a submission for a person's casebook as the post does once it was checked; return its id."""
    book = laptop.desk.ask_now(lambda shelf: shelf.casebook_of(person))
    came = Submission("cd" * 16, book, person, "ef" * 16, BEA, WROTE_MS, bodies)
    laptop.desk.do_now(lambda shelf: shelf.keep(late.DRAWER, came.id, msgspec.msgpack.encode(came)))
    return came.id


async def test_what_is_handed_in_for_one_casebook_changes_nothing_in_another(team: Team) -> None:
    """Bea, who is out of Tobias's casebook, names his record and his dog in what she hands in for Keira's."""
    alex = team.alex
    keira, tobias = alex.add(KEIRA), alex.add(TOBIAS)
    dog = alex.desk.do_now(alerts.raise_alert, tobias, "A dog in the yard")
    bodies = (
        said("person", tobias, {"name": "Nobody"}), said("alert", dog, {"on": False}), said("alert", dog, {}, verb="drop"),
        said("alert", RECORD, {"person_id": tobias, "text": "A second dog"}),
        said("journal_entry", RECORD, {"person_id": tobias, "title": "What Tobias never said"}),
    )  # fmt: skip
    assert alex.desk.do_now(late.take_in, handed_in(alex, keira, *bodies)) == TakenIn(1, 1, 3)
    assert alex.desk.ask_now(late.waiting) == (), "a newer leadworker would not read it either"
    assert alex.desk.ask_now(people.facts, tobias).name == TOBIAS
    kept = alex.desk.ask_now(lambda shelf: shelf.get(Alert, dog))
    assert (kept.on, kept.gone) == (True, False)
    assert alex.desk.ask_now(lambda shelf: shelf.get(Alert, RECORD)).person_id == keira
    assert (alex.titles(keira), alex.titles(tobias)) == (["What Tobias never said"], []), "in the casebook that it was handed in for"
    await alex.check()


@pytest.mark.parametrize(
    "body",
    [
        said("alert", "no record's id", {"text": "x"}),
        said("journal_entry", RECORD, {"title": "x"}, wrote_at=2**60),
        said("journal_entry", RECORD, {"title": "x"}, offset=2**60),
    ],
    ids=["a record of no name", "a time that no clock shows", "a zone that no clock has"],
)
async def test_what_no_leadworker_writes_is_left_out_and_the_rest_is_taken_in(team: Team, body: bytes) -> None:
    alex = team.alex
    keira = alex.add(KEIRA)
    came = handed_in(alex, keira, body, said("journal_entry", RECORD, {"title": "On my last day", "minutes": LARGEST_NUMBER + 1}))
    assert alex.desk.do_now(late.take_in, came) == TakenIn(1, 0, 1)
    assert alex.titles(keira) == ["On my last day"]
    assert alex.desk.ask_now(lambda shelf: shelf.get(Person, keira)).name == KEIRA
    await alex.check()
