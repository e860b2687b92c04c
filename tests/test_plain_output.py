"""What the plain path prints: harmless whatever people wrote, steady field names, and calm words when it has to stop."""

from __future__ import annotations

import importlib
import io
import json
import sys
from pathlib import Path

import msgspec
import pytest

from leadworker.domain import caseload, drafts
from leadworker.domain.drafts import Draft
from leadworker.plain import documents, output
from leadworker.record import new_id
from tests.plain_world import Plain, empty, harmless, plain, template

__all__ = ["empty", "plain", "template"]

HOSTILE = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m[@click=app.quit]x[/]\u202enot safe\u2066\u200b\x00\x08\x7f[/nope]"

FIELDS = {
    "Action": "id person_id person entry_id text owner mine due_on done_on done_by where n received",
    "Actions": "actions",
    "Allowed": "laptop_per_second laptop_at_once address_per_second address_at_once laptop_bytes casebook_bytes",
    "Asked": "state hub check_words",
    "AttachedFile": "id person_id entry_id name kind bytes added written_by by_me here where trouble",
    "AttachedFiles": "person_id person files",
    "BackedUp": "file bytes",
    "Brief": "person age door next_visit open_actions last_entries access_news",
    "CardNamed": "number line name person_id",
    "Aside": "written_by about number received why",
    "Checked": "whole changes digest mended missing findings put_aside",
    "Conflicts": "conflicts",
    "Contact": "id kind value label",
    "Device": "id name role admin my_team this_laptop revoked check_words",
    "Devices": "organisation hub devices",
    "Door": "id kind text contested where n received",
    "DraftNote": "id person_id person first_line seen said noticed think next visit_id started kept",
    "Drafts": "drafts",
    "Entry": (
        "id person_id person kind happened precision minutes place title seen said noticed think next continues clock_doubt "
        "recorded written_by by_me where n received actions why taken_in_from taken_in_written files"
    ),
    "FileSaved": "id file sentence",
    "Find": "words entry",
    "Finding": "about state sentence",
    "Found": "people entries",
    "Health": "findings",
    "Histories": "id topic title person said",
    "Identifier": "id scheme value",
    "ImportDone": "file format dry_run added joined known questions left_out unread",
    "Invited": "name role words hub expires",
    "LeftOut": "number name remarks",
    "Looked": "what whole sentence",
    "LooksLike": "person_id name card why",
    "Name": "id name",
    "News": "entry_id person_id person kind written_by happened received",
    "Opens": "passphrase recovery_words",
    "People": "people",
    "Person": "id name pronouns born_on age_about age_said_on lives_at talking on_caseload my_role known_as contacts identifiers contested",
    "PersonInList": "id name known_as born_on age_about age_said_on lives_at on_caseload my_role last_entry contested",
    "Question": "number line name looks_like",
    "Restored": "folder file",
    "Said": "id what words written_by by_me written where n received stands apart settled",
    "SavedNote": "id parts action_ids person_id person kind happened precision minutes place questions",
    "SetUp": "organisation hub root_fingerprint files root_passphrase officer_passphrases",
    "Settled": "id field words open sentence",
    "StoreBackedUp": "file bytes",
    "StoreState": "hub protocol store_key organisation clock_ms",
    "Synced": "received sent waiting alarms admitted admitted_me clock_warning to_hand_in",
    "Timeline": "person_id person entries",
    "Today": "day visits not_written_up drafts todo news apart",
    "UnreadLine": "line reason excerpt",
    "Upgraded": "before after",
    "VaultMade": "folder name passphrase recovery_words",
    "Visit": "id person_id person starts minutes place note state entry_id door contested where n received",
    "Visits": "visits",
    "VersionOf": "id value words written_by by_me written where n received",
    "WaitingChange": "id topic person_id person what title written where why",
    "WaitingChanges": "waiting",
    "Written": "id sentence",
    "Appointed": "name role admin",
    "Approved": "name",
    "Decided": "wishes pending",
    "Pending": "id person wish decided said",
    "Reader": "name role leads me since laptops",
    "Readers": "person_id person readers history pending nobody_decides upto words",
    "LeftAlone": "casebook laptops",
    "CasebooksLeftAlone": "casebooks",
    "LaptopOpened": "folder passphrase",
    "Revoked": "name laptops",
    "LateItem": "id written_by person_id person received entries others",
    "LateItems": "items",
    "HandedInNow": "person to",
    "TakenInNow": "written_by entries others unread",
    "WrittenApart": "id topic field what title person_id person meanwhile can_be_both versions",
    "SealedCopy": "file changes bytes files left_out not_received",
    "CasebookCopied": "file bytes changes files begun damaged",
    "EscrowOpened": "file recipient changes could_not_be_read readers passphrase files left_out unnamed_files whole",
    "GivenOut": "file person_id recipient changes sha256 entry_id passphrase files left_out",
    "FileLeftOut": "name bytes why sentence",
    "KeysMade": "files passphrases fingerprint escrow_fingerprint",
    "KeysInForce": "root escrow",
    "RootAsked": "request keys",
    "RootStands": "fingerprint",
    "BookStands": "book in_backup now proved two_histories",
    "StickVisited": "folder received confirmed carried_for written left alarms",
    "RecoveryStands": "on since books reported not_reported given_back",
    "GaveBack": "laptop changes",
    "RootWitnessed": "file",
}
"""Scripts rely on these names: one may be added, none may go or change its meaning."""

NO_DOCUMENTS = frozenset("Bundle BundledFile Given KeyFile Options Passphrases Recipient Text Told".split())
"""What a command hands on inside itself, and never prints as a document."""


def test_the_documents_keep_their_field_names() -> None:
    declared = {}
    names = sorted(path.stem for path in Path(output.__file__).parent.glob("*.py") if path.stem != "__init__")
    for module in (importlib.import_module(f"leadworker.plain.{name}") for name in names):
        for name, kind in vars(module).items():
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__ and name[0] != "_":
                declared[name] = " ".join(kind.__struct_fields__)

    assert {name: said for name, said in declared.items() if name not in NO_DOCUMENTS} == FIELDS
    assert declared.keys() >= NO_DOCUMENTS


def test_every_document_is_one_line_of_json(plain: Plain) -> None:
    for command in (
        "today",
        "people",
        "visits",
        "actions",
        "drafts",
        "doctor",
        "timeline kay",
        "brief kay",
        "conflicts",
        "history kay",
        "person kay",
        "search slept",
    ):
        answer = plain(*command.split(), "--json")
        assert answer.out.count("\n") == 1, command
        assert isinstance(answer.json(), dict)


def test_hostile_text_is_printed_as_harmless_letters(plain: Plain) -> None:
    plain(
        "people",
        "add",
        f"Devon {HOSTILE}",
        "--talking",
        HOSTILE,
        "--known-as",
        f"Dev{HOSTILE}",
        "--identifier",
        f"S{HOSTILE}",
        f"1{HOSTILE}",
    )
    plain("alert", "devon", f"Careful {HOSTILE}")
    plain("note", "devon", "-", typed=f"visit home {HOSTILE}\nSaid: {HOSTILE}\nNext: ring {HOSTILE}")
    plain("visit", "devon", "tomorrow", "15:30", "--place", HOSTILE, "--note", HOSTILE)
    for command in ("brief devon", "person devon", "timeline devon", "visits", "actions", "search careful", "people", "today"):
        answer = plain(*command.split())
        assert harmless(answer), command
        assert harmless(plain(*command.split(), "--json")), command
    assert "not safe" in plain("timeline", "devon").out, "what a person would read is still there"


def test_the_last_line_cleans_what_was_never_cleaned(plain: Plain) -> None:
    """Drafts are kept exactly as typed; they are made harmless where they are shown, and lose nothing in JSON."""
    vault = plain.open()
    vault.write(lambda shelf: drafts.keep(shelf, Draft(new_id(), noticed=HOSTILE, person_name=HOSTILE))).result()
    vault.close()
    (draft,) = plain("drafts", "--json").json()["drafts"]

    assert draft["noticed"] == HOSTILE
    for answer in (plain("drafts"), plain("drafts", "--json"), plain("drafts", "show", draft["id"]), plain("today")):
        assert harmless(answer)


@pytest.mark.parametrize(
    "arguments", [("brief", HOSTILE), (HOSTILE,), ("brief", "keira", f"--{HOSTILE}"), ("done", HOSTILE), ("import", f"/{HOSTILE}.vcf")]
)
def test_hostile_arguments_come_back_harmless(plain: Plain, arguments: tuple[str, ...]) -> None:
    arguments = tuple(argument.replace("\x00", "") for argument in arguments)
    for given in (arguments, (*arguments, "--json")):
        answer = plain(*given, code=None)
        assert answer.code in (1, 2)
        assert harmless(answer)
        assert answer.out == ""


def test_json_of_letters_that_the_terminal_lacks_is_still_whole(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    plain("people", "add", "Zoë Łukasz 𝒳")
    narrow = io.TextIOWrapper(raw := io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", narrow)
    output.tell(documents.Written("1", "Zoë Łukasz 𝒳"), [], as_json=True)
    output.say("“Zoë” — Łukasz")
    narrow.flush()
    first, second = raw.getvalue().splitlines()

    assert first.isascii()
    assert json.loads(first)["sentence"] == "Zoë Łukasz 𝒳"
    assert second.decode("cp1252") == '"Zoë" - ?ukasz'


def test_an_error_is_a_sentence_or_a_document_on_standard_error(plain: Plain) -> None:
    spoken, document = plain("brief", "nobody", code=1), plain("brief", "nobody", "--json", code=1)

    assert (spoken.out, document.out) == ("", "")
    assert document.trouble() == {"error": "not_found", "sentence": spoken.err.strip()}


@pytest.mark.parametrize(
    "arguments", [("frobnicate",), ("note",), ("brief",), ("timeline", "keira", "--limit", "many"), ("people", "--vault"), ("--frob",), ()]
)
def test_wrong_usage_ends_with_2(plain: Plain, arguments: tuple[str, ...]) -> None:
    assert plain(*arguments, code=2).out == ""


def test_what_nobody_foresaw_is_one_calm_line(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(shelf: object, *arguments: object) -> None:
        secret = "canary words of somebody"
        raise ZeroDivisionError(secret)

    monkeypatch.setattr(caseload, "resolve", fail)
    answer = plain("brief", "keira", code=1)
    vault = plain.open()
    reports = vault.read(lambda shelf: shelf.kept("crash")).result()
    vault.close()
    document = plain("brief", "keira", "--json", code=1)

    assert answer.out == ""
    assert answer.err.startswith("Leadworker has to stop. What was saved before is safe. Reference ")
    assert answer.err.count("\n") == 1
    assert "canary" not in answer.err + document.err
    assert document.trouble()["error"] == "stopped"
    assert answer.err.split()[-1].rstrip(".") in "".join(value.decode() for value in reports.values()), "the report is in the vault"


def test_the_same_with_no_vault_open(empty: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadworker.plain.doctor._program", lambda: 1 / 0)
    answer = empty("doctor", code=1)

    assert answer.err.startswith("Leadworker has to stop.")
    assert answer.err.count("\n") == 1


def test_ctrl_c_ends_quietly_with_130(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(shelf: object, *arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(caseload, "resolve", interrupt)
    answer = plain("brief", "keira", code=130)

    assert (answer.out, answer.err) == ("", "")
    assert "Keira" in plain("people").out, "the vault was let go"


def test_ctrl_d_at_a_question_is_said_in_words(plain: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(question: str) -> str:
        raise EOFError

    monkeypatch.delenv("LEADWORKER_PASSPHRASE_FILE")
    monkeypatch.setattr("leadworker.plain.secret.ask", end)

    assert "There was no answer. Nothing was done." in plain("people", code=1).err


def test_progress_is_quiet_in_the_first_second_and_speaks_after(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: clock[0])
    progress = output.Progress("Imported")
    progress.at(10, 3000)
    clock[0] = 1.5
    progress.at(200, 3000)
    progress.at(210, 3000)

    assert capsys.readouterr().err == "Imported 200 of 3,000 …\n"


def test_a_program_without_any_output_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    output.say("Nobody hears this.")
    monkeypatch.setattr(sys, "stdout", open(tmp_path / "out", "w"))  # noqa: SIM115 - closed at once
    sys.stdout.close()
    output.say("Nor this.")
    output.finish()


def test_a_line_that_is_far_too_long_goes_on_between_words_and_moved_in_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"gran{number}" for number in range(3_000)]
    output.say(f"    Noticed: {' '.join(words)}")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(line.startswith("    ") and not line.startswith("     ") for line in lines)
    assert " ".join(lines).split()[1:] == words
