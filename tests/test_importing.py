"""Bringing contacts in: nothing is merged silently, nobody is doubled, and nothing that the file says goes unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leadworker.contacts import ContactCard, ContactPoint, Reading, read_contacts
from leadworker.crypto.keys import FLOOR_KIB
from leadworker.domain import caseload, importing, people
from leadworker.domain.importing import CardStanding, ImportPlan, ImportReport
from leadworker.domain.people import PersonFacts
from leadworker.errors import NotUnderstood
from storage import opening, rebuilding
from storage.vault import Vault
from tests.plain_world import Plain, empty, harmless, plain, template

__all__ = ["empty", "plain", "template"]

FILES = Path(__file__).parent / "contact_files"
SOURCE = "contacts.vcf 0011223344556677"


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """An open vault with nobody in it."""
    made, _ = opening.create(tmp_path / "vault", "Alex Marsh", "plum tidy orbit seven lake", memory_kib=FLOOR_KIB)
    yield made
    made.close()


def ask(vault: Vault, query: Any, *args: Any, **kwargs: Any) -> Any:
    """Ask a question."""
    return vault.read(lambda shelf: query(shelf, *args, **kwargs)).result()


def do(vault: Vault, deed: Any, *args: Any, **kwargs: Any) -> Any:
    """Do a deed."""
    return vault.write(lambda shelf: deed(shelf, *args, **kwargs)).result()[0]


def reading(*cards: ContactCard) -> Reading:
    """Return a contact file that was read into these cards."""
    return Reading("vCard 4.0", "UTF-8", cards, ())


def card(name: str, *points: tuple[str, str], **rest: Any) -> ContactCard:
    """Return a card with ways to reach somebody: ``("mobile", "07700 900118")``."""
    return ContactCard(name=name, points=tuple(ContactPoint(kind, value) for kind, value in points), **rest)  # type: ignore[arg-type]


def plan(vault: Vault, *cards: ContactCard, source: str = SOURCE) -> ImportPlan:
    """Return what an import of these cards would do."""
    return ask(vault, importing.plan_import, reading(*cards), source)  # type: ignore[no-any-return]


def bring_in(vault: Vault, *cards: ContactCard, source: str = SOURCE, **answers: Any) -> ImportReport:
    """Import cards."""
    decided = importing.decide(plan(vault, *cards, source=source), **answers)
    return do(vault, importing.carry_out, decided)  # type: ignore[no-any-return]


def standings(planned: ImportPlan) -> list[CardStanding]:
    """Return how each card stands."""
    return [one.standing for one in planned.cards]


def facts(vault: Vault, name: str) -> PersonFacts:
    """Return what is written about somebody."""
    return ask(vault, people.facts, ask(vault, caseload.resolve, name).id)  # type: ignore[no-any-return]


def names(vault: Vault) -> list[str]:
    """Return everybody's name."""
    return [known.name for known in ask(vault, caseload.known_people)]


def digest(vault: Vault) -> str:
    """Return the digest over every record."""
    return vault.submit(lambda: rebuilding.digest(vault.connection)).result()


# What is written


def test_everything_that_a_card_says_is_in_the_record(vault: Vault) -> None:
    whole = card(
        "Renée O Brien", ("mobile", "07700 900131"), ("email", "renee@example.org"), known_as=("Ren",), pronouns="she/her",
        born_on="1979-12-25", organisation="Harrow Green Primary", role="Family worker", note="Rings first.\n\nOnly mornings.",
    )  # fmt: skip
    bring_in(vault, whole)
    found = facts(vault, "Ren")

    assert (found.name, found.pronouns, found.born_on, found.on_caseload) == ("Renée O Brien", "she/her", "1979-12-25", False)
    assert [(c.kind, c.label, c.value) for c in found.contacts] == [
        ("mobile", "", "07700 900131"),
        ("email", "", "renee@example.org"),
        ("other", "organisation", "Harrow Green Primary"),
        ("other", "role", "Family worker"),
        ("other", "note from import", "Rings first.\n\nOnly mornings."),
    ]


def test_people_are_taken_on_to_the_caseload_only_when_that_is_asked_for(vault: Vault) -> None:
    bring_in(vault, card("Noah Pryce"))
    do(vault, importing.carry_out, plan(vault, card("Leah Brandt")), on_caseload=True)

    assert not facts(vault, "Noah").on_caseload
    assert facts(vault, "Leah").on_caseload


@pytest.mark.parametrize(
    ("born_on", "said"), [("--05-03", "3 May, year not known"), ("1861-02-01", "1 February 1861"), ("2199-01-01", "1 January 2199")]
)
def test_a_birthday_that_the_record_cannot_hold_is_kept_in_words(vault: Vault, born_on: str, said: str) -> None:
    bring_in(vault, card("Noah Pryce", born_on=born_on))
    found = facts(vault, "Noah")

    assert found.born_on == ""
    assert [(c.label, c.value) for c in found.contacts] == [("birthday from import", said)]


def test_a_long_note_is_kept_whole(vault: Vault) -> None:
    note = "".join(f"zeile {number} – ünd mehr\n" for number in range(4000)).strip()
    bring_in(vault, card("Noah Pryce", note=note))
    parts = [c for c in facts(vault, "Noah").contacts if c.label.startswith("note from import")]

    assert len(parts) > 5
    assert "".join("".join(part.value.split()) for part in parts) == "".join(note.split())


# Twice


def test_a_second_import_of_the_same_file_writes_nothing(vault: Vault) -> None:
    cards = (card("Noah Pryce", ("mobile", "07700 900111")), card("Leah Brandt", uid="leah-1"))
    first = bring_in(vault, *cards)
    before = digest(vault)
    second = bring_in(vault, *cards)

    assert [done.name for done in first.imported] == ["Noah Pryce", "Leah Brandt"]
    assert (second.imported, second.known, second.questions) == ((), 2, ())
    assert digest(vault) == before


def test_the_same_cards_in_another_file_are_known_too(vault: Vault) -> None:
    bring_in(vault, card("Noah Pryce", ("mobile", "07700 900111")))

    assert standings(plan(vault, card("Noah Pryce", ("mobile", "07700900111")), source="other.vcf")) == [CardStanding.HERE]


def test_a_plan_carried_out_twice_doubles_nobody(vault: Vault) -> None:
    planned = plan(vault, card("Noah Pryce"), card("Leah Brandt"))
    do(vault, importing.carry_out, planned)
    again = do(vault, importing.carry_out, planned)

    assert again.known == 2
    assert names(vault) == ["Leah Brandt", "Noah Pryce"]


def test_an_import_that_was_cut_off_goes_on_where_it_was(vault: Vault) -> None:
    cards = [card(f"Person {number:03}", ("phone", f"0113 496 0{number % 7:03}")) for number in range(450)]
    parts = list(importing.batches(plan(vault, *cards)))
    do(vault, importing.carry_out, parts[0])
    assert [len(part.cards) for part in parts] == [200, 200, 50]

    rest = plan(vault, *cards)
    assert standings(rest)[:200] == [CardStanding.HERE] * 200
    assert set(standings(rest)[200:]) == {CardStanding.NEW}, "what they share with people of the same file asks nothing, as before"
    for part in importing.batches(rest):
        do(vault, importing.carry_out, part)
    assert len(names(vault)) == 450


def test_a_part_that_fails_leaves_nothing_of_itself(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    real = people.add

    def fail_at_the_third(shelf: Any, name: str, **kwargs: Any) -> str:
        written.append(name)
        if len(written) == 3:
            raise NotUnderstood("The power was cut.")
        return real(shelf, name, **kwargs)

    monkeypatch.setattr(people, "add", fail_at_the_third)
    with pytest.raises(NotUnderstood):
        do(vault, importing.carry_out, plan(vault, card("A One"), card("B Two"), card("C Three")))

    assert names(vault) == []


# Who looks like somebody


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (card("KEIRA okafor LANE"), "is called the same"),
        (card("Kay"), "is called the same"),
        (card("K. Lane", known_as=("Keira Okafor-Lane",)), "is called Keira Okafor-Lane, as this card says too"),
        (card("Mum of K", ("phone", "+44 7700 900118")), "has the same number, +44 7700 900118"),
        (card("K", ("email", "KEIRA@example.org")), "has the same e-mail address, KEIRA@example.org"),
    ],
)
def test_a_card_that_looks_like_somebody_is_a_question(vault: Vault, new: ContactCard, why: str) -> None:
    keira = do(vault, people.add, "Keira Okafor-Lane")
    do(vault, people.also_known_as, keira, "Kay")
    do(vault, people.add_contact, keira, "mobile", "07700 900118")
    do(vault, people.add_contact, keira, "email", "keira@example.org")
    before = digest(vault)
    report = bring_in(vault, new)

    (question,) = report.questions
    assert [(alike.why, alike.name) for alike in question.alike] == [(why, "Keira Okafor-Lane")]
    assert digest(vault) == before, "nothing was merged and nobody was added"


@pytest.mark.parametrize("new", [card("Kim Lane"), card("K", ("phone", "118")), card("K", ("web", "07700 900118"))])
def test_who_only_resembles_somebody_is_somebody_else(vault: Vault, new: ContactCard) -> None:
    keira = do(vault, people.add, "Keira Lane")
    do(vault, people.add_contact, keira, "mobile", "07700 900118")

    assert standings(plan(vault, new)) == [CardStanding.NEW]


def test_a_card_that_has_changed_since_is_a_question(vault: Vault) -> None:
    bring_in(vault, card("Leah Brandt", uid="leah-1"))
    changed = plan(vault, card("Leah Marsh", ("phone", "0113 496 0111"), uid="leah-1"), source="newer.vcf")

    assert [alike.why for alike in changed.cards[0].alike] == ["came from this card, which has changed since"]


def test_two_cards_of_one_name_in_a_file_are_a_question(vault: Vault) -> None:
    planned = plan(vault, card("Sam Reyes"), card("sam reyes", ("phone", "0113 496 0111")), card("Sam Reyes"))

    assert standings(planned) == [CardStanding.NEW, CardStanding.ALIKE, CardStanding.TWICE]
    assert (planned.cards[1].alike[0].card, planned.cards[1].alike[0].why) == (1, "is called the same in this file")


def test_people_of_one_file_may_share_a_number(vault: Vault) -> None:
    family = (card("Ann Pryce", ("phone", "0113 496 0111")), card("Ben Pryce", ("phone", "0113 496 0111")))

    assert standings(plan(vault, *family)) == [CardStanding.NEW, CardStanding.NEW]
    assert len(bring_in(vault, *family).imported) == 2


# Answers


def test_the_same_person_gains_what_is_new_and_loses_nothing(vault: Vault) -> None:
    keira = do(vault, people.add, "Keira Okafor-Lane", pronouns="she/her", born="about 14")
    do(vault, people.add_contact, keira, "mobile", "07700 900118", "hers")
    new = card(
        "Keira Okafor", ("phone", "+44 7700 900118"), ("email", "k@example.org"), pronouns="they/them", born_on="2011-05-03",
        organisation="Harrow Green", known_as=("KK",),
    )  # fmt: skip
    known = ask(vault, caseload.resolve, "Keira")
    report = bring_in(vault, new, same={1: known})
    found = facts(vault, "Keira Okafor-Lane")

    assert [(done.person_id, done.added) for done in report.imported] == [(keira, False)]
    assert (found.name, found.pronouns, found.age_about, found.born_on) == ("Keira Okafor-Lane", "she/her", 14, "")
    assert [name.name for name in found.known_as] == ["Keira Okafor", "KK"]
    assert [(c.kind, c.value, c.label) for c in found.contacts] == [
        ("mobile", "07700 900118", "hers"),
        ("email", "k@example.org", ""),
        ("other", "they/them", "pronouns from import"),
        ("other", "Harrow Green", "organisation"),
        ("other", "3 May 2011", "birthday from import"),
    ]
    assert standings(plan(vault, new)) == [CardStanding.HERE], "answered once"


def test_the_same_person_gains_facts_that_were_not_known(vault: Vault) -> None:
    do(vault, people.add, "Noah Pryce")
    bring_in(vault, card("Noah Pryce", pronouns="he/him", born_on="2012"), same={1: ask(vault, caseload.resolve, "Noah")})

    assert (facts(vault, "Noah").pronouns, facts(vault, "Noah").born_on) == ("he/him", "2012")


def test_what_looks_like_somebody_can_be_added_anyway(vault: Vault) -> None:
    do(vault, people.add, "Sam Reyes")
    report = bring_in(vault, card("Sam Reyes", ("phone", "0113 496 0111")), add_anyway=True)

    assert len(report.imported) == 1
    assert names(vault) == ["Sam Reyes", "Sam Reyes"]


def test_an_answer_about_no_card_is_said_in_words(vault: Vault) -> None:
    do(vault, people.add, "Sam Reyes")
    with pytest.raises(NotUnderstood, match="There is no card 7 in this file; it has 1"):
        bring_in(vault, card("Noah Pryce"), same={7: ask(vault, caseload.resolve, "Sam")})

    assert names(vault) == ["Sam Reyes"]


# Bad input


def test_a_card_without_a_letter_in_its_name_is_reported_and_stops_nobody(vault: Vault) -> None:
    planned = plan(vault, card("\N{SLIGHTLY SMILING FACE}", line=9), card("Noah Pryce", line=20))
    do(vault, importing.carry_out, planned)

    assert [(one.line, one.reason) for one in planned.unread] == [(9, "There are no letters or figures in this card's name.")]
    assert names(vault) == ["Noah Pryce"]


@pytest.mark.parametrize("file", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_every_file_that_phones_and_programs_write_comes_in_and_comes_in_once(vault: Vault, file: Path) -> None:
    read = read_contacts(file.read_bytes(), file.name)
    source = importing.source_of(file.name, file.read_bytes())
    report = do(vault, importing.carry_out, importing.decide(ask(vault, importing.plan_import, read, source), add_anyway=True))
    before = digest(vault)
    again = do(vault, importing.carry_out, importing.decide(ask(vault, importing.plan_import, read, source), add_anyway=True))

    assert len(report.imported) + report.known == len(read.cards)
    assert again.imported == ()
    assert digest(vault) == before


# The command


CARDS = """BEGIN:VCARD
VERSION:3.0
FN:Keira Okafor-Lane
TEL;TYPE=CELL:07700 900999
END:VCARD
BEGIN:VCARD
VERSION:3.0
FN:Noah Pryce
ORG:Harrow Green Primary
PHOTO;ENCODING=b;TYPE=JPEG:AAAA
BDAY:2012-01-12
END:VCARD
this line says nothing
"""


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    """A contact file with somebody new, somebody who looks like Keira, and a line that nobody can read."""
    file = tmp_path / "contacts.vcf"
    file.write_text(CARDS)
    return file


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(plain: Plain, contacts: Path) -> None:
    before = plain.digest()
    answer = plain("import", str(contacts), "--dry-run")
    document = plain("import", str(contacts), "--dry-run", "--json").json()

    assert plain.digest() == before
    assert "This is a dry run: nothing is written." in answer.out
    assert "Would add 1 person:\n  Card 2, line 6: Noah Pryce, Harrow Green Primary." in answer.out
    assert "Keira Okafor-Lane here is called the same." in answer.out
    assert "--same-person 1=NAME" in answer.out
    assert "a photo" in answer.out
    assert "Line 13: This line has no colon, so it says nothing that can be read. “this line says nothing”" in answer.out
    assert document["dry_run"] is True
    assert [(one["number"], one["person_id"]) for one in document["added"]] == [(2, "")]
    assert [(one["number"], one["looks_like"][0]["name"]) for one in document["questions"]] == [(1, "Keira Okafor-Lane")]


def test_an_import_is_run_twice_and_its_question_answered(plain: Plain, contacts: Path) -> None:
    first = plain("import", str(contacts), "--json").json()
    second = plain("import", str(contacts), "--json").json()
    assert [one["name"] for one in first["added"]] == ["Noah Pryce"]
    assert (second["added"], second["known"], len(second["questions"])) == ([], 1, 1)

    answered = plain("import", str(contacts), "--same-person", "1=kay")
    assert "Added what card 1, Keira Okafor-Lane, says to Keira Okafor-Lane." in answered.out
    assert "07700 900999" in plain("brief", "keira").out
    third = plain("import", str(contacts), "--json").json()
    assert (third["added"], third["joined"], third["known"], third["questions"]) == ([], [], 2, [])
    assert len(plain("people", "--all", "--json").json()["people"]) == 4


def test_a_whole_import_may_go_on_to_the_caseload(plain: Plain, contacts: Path) -> None:
    plain("import", str(contacts), "--caseload", "--add-anyway")

    assert plain("people").out.count("Keira Okafor-Lane") == 2
    assert "Noah Pryce, 1" in plain("people").out


@pytest.mark.parametrize("answer", ["kay", "1:kay", "one=kay", "=kay", "7=kay", "1=nobody at all"])
def test_an_answer_that_cannot_be_read_imports_nothing(plain: Plain, contacts: Path, answer: str) -> None:
    before = plain.digest()

    assert plain("import", str(contacts), "--same-person", answer, code=1).err
    assert plain.digest() == before


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a workbook", b"<html>", b"\x00\x01\x02" * 40])
def test_what_is_no_contact_file_is_said_before_the_vault_is_opened(plain: Plain, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "contacts.vcf"
    file.write_bytes(content)
    plain.passphrase_file.write_text("not even the passphrase\n")

    assert plain("import", str(file), "--json", code=1).trouble()["error"] == "not_understood"
    for path in (tmp_path / "none.vcf", tmp_path):
        assert "Nothing was imported." in plain("import", str(path), code=1).err


def test_hostile_cards_are_told_of_harmlessly(plain: Plain, tmp_path: Path) -> None:
    file = tmp_path / "hostile\x1b[2J\u202e.vcf"
    hostile = "\x1b]0;owned\x07Devon \u202ePrice [@click=app.quit]x[/]"
    file.write_text(f"BEGIN:VCARD\nVERSION:3.0\nFN:{hostile}\nNOTE:{hostile}\nX-{hostile}:{hostile}\nEND:VCARD\n{hostile}\n")

    for arguments in (("--dry-run",), (), ("--json",), ()):
        answer = plain("import", str(file), *arguments)
        assert harmless(answer)
        assert "Devon" in answer.out or "here already" in answer.out


def test_a_long_import_says_how_far_it_is(plain: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadworker.plain.output.QUIET_S", -1.0)
    file = tmp_path / "many.csv"
    file.write_text("Name,Phone\n" + "".join(f"Person {number},0113 496 {number:04}\n" for number in range(450)))
    answer = plain("import", str(file))

    assert "Added 450 people." in answer.out
    assert answer.err == "Imported 200 of 450 …\nImported 400 of 450 …\nImported 450 of 450 …\n"
