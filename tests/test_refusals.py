"""What leadworker refuses (docs/refusals.md), each as a sweep over what is declared, said and offered.

Nobody adds one of these by accident: a field, a word on a screen or an option that belongs to one fails here and names the
refusal. Whoever means it changes docs/refusals.md first, and says why.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leadworker.desk import Bell
from leadworker.domain import actions, alerts, caseload, every_topic, journal, people, today, visits
from leadworker.domain.actions import Action, NewAction
from leadworker.domain.journal import JournalEntry, NewEntry
from leadworker.domain.people import Person
from leadworker.errors import NotUnderstood
from leadworker.record import Record, kept_fields, topics
from leadworker.shelf import Shelf
from storage import opening
from storage.vault import Vault
from tests.test_house import project_file, sources

assert every_topic

SCORES = r"scores?|scoring|scored|rank(s|ed|ing|ings)?|ratings?|leagues?|leaderboards?|stars|percentiles?|benchmarks?"
TARGETS = r"targets?|quotas?|thresholds?|percent(age)?s?|completeness|streaks?|timers?|countdowns?|stopwatch(es)?|elapsed"
WATCHING = r"keystrokes?|productivity|utilisation|performance|time spent|entries per|notes per|visits per|visit lengths?|activity report"
AVERAGES = r"averages?|averaged|medians?|\bmean score"
PREDICTION = r"predict(s|ed|ion|ions|ive)?|likelihood|probabilit(y|ies)|risk (level|score|band)s?|gang|associates? of"
SPYING = r"telemetry|analytics|tracking|usage statistics|crash upload"

SWEPT = {
    "No score and no ranking": SCORES,
    "No targets, no percentages of completeness, no visit timers": TARGETS,
    "No report that watches a worker": WATCHING,
    "No averaging of a person's own scale": AVERAGES,
    "No prediction of risk, no score of gang association": PREDICTION,
    "No analytics and no telemetry": SPYING,
}
HELD_BY_BEHAVIOUR = (
    "No action owned by a team",
    "No identifier as a person's title",
    "No deletion and no silent change of what somebody wrote",
    "No automatic lock-out of family",
    "No compulsory tick list",
)


def words_of(name: str) -> str:
    """Return an identifier as its words: ``ended_because`` and ``KnownAs`` as people would say them."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ").lower()


Words = tuple[tuple[str, str], ...]
"""Words as they are swept, each with where it stands."""


@functools.cache
def declared() -> Words:
    """Return every word that a record, a view or a verb declares."""
    return tuple(_declared())


@functools.cache
def said() -> Words:
    """Return every sentence and label that the screens, the plain path and the errors can show."""
    return tuple(_said())


@functools.cache
def offered() -> Words:
    """Return the names and the help of every command and option of the plain path."""
    return tuple(_offered())


def _declared() -> Iterator[tuple[str, str]]:
    for topic, kind in topics().items():
        yield words_of(topic), topic
        yield words_of(kind.__name__), topic
        for field, kept in kept_fields(kind).items():
            yield words_of(field), f"{topic}.{field}"
            yield kept.words.lower(), f"what {topic}.{field} is called"
    for module in (actions, alerts, caseload, journal, people, today, visits):
        for view in vars(module).values():
            if isinstance(view, type) and issubclass(view, msgspec.Struct):
                for field in view.__struct_fields__:
                    yield words_of(field), f"{view.__name__}.{field}"
        for verb in vars(module):
            yield words_of(verb), f"{module.__name__}.{verb}"


def _said() -> Iterator[tuple[str, str]]:
    for name, text in sources().items():
        if name.startswith(("screens/", "leadworker/plain", "leadworker/domain/", "leadworker/errors", "leadworker/desk")):
            tree = ast.parse(text)
            silent = _docstrings(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
                    yield node.value.lower(), f"{name}:{node.lineno}"


def _offered() -> Iterator[tuple[str, str]]:
    for command in _commands():
        for path, one in _walk(command, "leadworker"):
            yield words_of(one.name or ""), path
            yield (one.help or "").lower(), f"the help of {path}"
            for option in one.params:
                yield " ".join(words_of(name).strip() for name in option.opts), f"{path} {option.name}"
                yield (getattr(option, "help", None) or "").lower(), f"the help of {path} {option.name}"


def _docstrings(tree: ast.Module) -> set[int]:
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}


def _commands() -> list[Any]:
    import typer

    plain = importlib.import_module("leadworker.plain")
    modules = [plain, *(importlib.import_module(f"leadworker.plain.{info.name}") for info in pkgutil.iter_modules(plain.__path__))]
    if importlib.util.find_spec("leadworker.__main__") is not None:
        modules.append(importlib.import_module("leadworker.__main__"))
    apps = {id(value): value for module in modules for value in vars(module).values() if isinstance(value, typer.Typer)}
    return [typer.main.get_command(app) for app in apps.values() if app.registered_commands or app.registered_groups]


def _walk(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, one in getattr(command, "commands", {}).items():
        yield from _walk(one, f"{path} {name}")


def breaking(pattern: str, words: Words) -> list[str]:
    """Return where a refusal is broken: the place and the word."""
    wanted = re.compile(rf"\b(?:{pattern})\b")
    return [f"{where}: {found.group()}" for text, where in words if (found := wanted.search(text))]


# Sweeps


@pytest.mark.parametrize(("refusal", "pattern"), SWEPT.items(), ids=SWEPT)
def test_no_record_declares_it(refusal: str, pattern: str) -> None:
    assert breaking(pattern, declared()) == [], refusal


@pytest.mark.parametrize(("refusal", "pattern"), SWEPT.items(), ids=SWEPT)
def test_no_screen_and_no_sentence_says_it(refusal: str, pattern: str) -> None:
    assert breaking(pattern, said()) == [], refusal


@pytest.mark.parametrize(("refusal", "pattern"), SWEPT.items(), ids=SWEPT)
def test_no_command_and_no_option_offers_it(refusal: str, pattern: str) -> None:
    if not _commands():
        pytest.skip("the plain path has no commands yet")

    assert breaking(pattern, offered()) == [], refusal


def test_the_sweeps_look_at_something() -> None:
    assert len(declared()) > 100
    assert len(said()) > 300
    assert breaking(SCORES, (("a score of the relationship", "here"),)) == ["here: score"]
    assert breaking(TARGETS, (("visit timer", "here"),)) == ["here: timer"]


def test_every_refusal_stands_in_the_document_and_every_one_there_has_its_test() -> None:
    headings = re.findall(r"^## (.+)$", project_file("docs/refusals.md"), re.MULTILINE)

    assert sorted(headings) == sorted([*SWEPT, *HELD_BY_BEHAVIOUR])


# Nobody is counted


def test_no_question_counts_sums_or_averages_by_worker() -> None:
    found = []
    for name, text in sources().items():
        if name.startswith(("leadworker/domain/", "screens/", "leadworker/plain")):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Attribute) and node.attr in ("avg", "fmean", "mean", "median", "group_by"):
                    found.append(f"{name}:{node.lineno} {node.attr}")

    assert found == [], "a total over workers or over a person's own numbers"


def test_lists_of_people_and_work_stand_in_an_order_that_ranks_nobody() -> None:
    assert "ORDER BY person.sorted_as" in str(caseload._MINE), "people stand by name"
    assert "ORDER BY CASE WHEN" in str(actions._OPEN_ONES), "work stands by when it is due"


# Held by behaviour


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    """An open vault of an invented worker."""
    made, _ = opening.create(tmp_path / "vault", "Alex Marsh", "plum tidy orbit seven lake")
    yield made
    made.close()


def do(vault: Vault, deed: Any, *args: Any, **kwargs: Any) -> Any:
    """Do a deed and return its answer."""
    result, bell = vault.write(lambda shelf: deed(shelf, *args, **kwargs)).result()
    assert isinstance(bell, Bell)
    return result


@pytest.mark.parametrize("owner", ["team", "The Team", "all", "everyone", "us", "TBC", ""])
def test_an_action_is_not_owned_by_a_team_or_by_nobody(vault: Vault, owner: str) -> None:
    keira = do(vault, people.add, "Keira Lane")

    with pytest.raises(NotUnderstood, match="one named owner"):
        do(vault, actions.add, keira, NewAction("ring the school", owner))


def test_an_action_has_room_for_one_owner_only() -> None:
    owners = {name: field.annotation for name, field in Action.model_fields.items() if name.startswith("owner")}

    assert owners == {"owner": str, "owner_id": str}


def test_an_identifier_is_never_a_persons_title() -> None:
    titles = {name for name, kept in kept_fields(Person).items() if kept.find}
    listed = set(caseload.PersonRow.__struct_fields__)

    assert titles == {"name"}
    assert not {name for name in listed if "identifier" in name or "number" in name or "scheme" in name}
    assert not any(kept.find for kept in kept_fields(people.Identifier).values()), "nobody is found by a number they were given"


@pytest.mark.parametrize("name", ["", "  ", "…", "\u202e\u200b"])
def test_a_person_is_called_something(vault: Vault, name: str) -> None:
    with pytest.raises(NotUnderstood, match="needs a name"):
        do(vault, people.add, name)


def test_nobody_is_called_by_a_number(vault: Vault) -> None:
    with pytest.raises(NotUnderstood, match="nobody is called by one"):
        do(vault, people.add, "943 476 5919")
    keira = do(vault, people.add, "Keira Lane")
    with pytest.raises(NotUnderstood, match="The old one was kept"):
        do(vault, people.describe, keira, name="943 476 5919")


def test_what_was_saved_is_neither_changed_nor_taken_away(vault: Vault) -> None:
    keira = do(vault, people.add, "Keira Lane")
    saved = do(vault, journal.write, NewEntry(keira, said="I am not going back there"))

    with pytest.raises(TypeError):
        do(vault, lambda shelf: shelf.amend(JournalEntry, saved.entry_id, said="nothing"))
    with pytest.raises(TypeError):
        do(vault, lambda shelf: shelf.drop(JournalEntry, saved.entry_id))
    read = vault.read(lambda shelf: journal.entry(shelf, saved.entry_id)).result()

    assert read.said == "I am not going back there"


def test_no_port_of_the_house_has_a_way_to_delete() -> None:
    from leadworker.postbox import Postbox
    from sync.hub.store import Session

    verbs = {name for port in (Shelf, Postbox, Session) for name in vars(port) if not name.startswith("_")}

    assert not {verb for verb in verbs if re.search(r"delete|erase|remove|purge|overwrite", verb)}


def test_the_central_store_never_rewrites_or_deletes_a_change() -> None:
    rewriting = re.compile(r"(UPDATE\s+changes|DELETE\s+FROM\s+changes|TRUNCATE\s|DROP\s+TABLE|ON CONFLICT.*changes)", re.IGNORECASE)
    moving = "sync/hub/migrations/versions/v0003_by_book.py"  # drops the one table after every row is in its part, and counts before
    found = {name: rewriting.findall(text) for name, text in sources().items() if name.startswith("sync/") and rewriting.search(text)}

    assert {name: words for name, words in found.items() if name != moving} == {}
    assert found.get(moving, ["DROP TABLE"]) == ["DROP TABLE"]
    assert sources()[moving].index("if not moved") < sources()[moving].index("DROP TABLE changes_in_one")


def test_nothing_but_the_words_is_asked_for(vault: Vault) -> None:
    keira = do(vault, people.add, "Keira Lane")
    asked = [field.name for field in msgspec.structs.fields(NewEntry) if field.required]

    assert asked == ["person_id"]
    for field in ("title", "jotting", "seen", "said", "noticed", "think", "next_steps"):
        assert do(vault, journal.write, NewEntry(keira, **{field: "a few words"})).entry_id  # type: ignore[arg-type]


def test_no_record_needs_more_than_whom_it_is_about() -> None:
    needed = {
        f"{topic}.{name}"
        for topic, kind in topics().items()
        for name, field in kind.model_fields.items()
        if name not in Record.model_fields and field.is_required()
    }

    assert needed == set()


def test_nothing_locks_family_out_by_itself() -> None:
    words = r"lock(ed)? out|revoke (family|parent|mother|father|carer)|auto(matic(ally)?)? (end|expire|withdraw|hide)"

    assert breaking(words, declared()) + breaking(words, said()) == []


def test_nothing_reports_to_anybody() -> None:
    dependencies = " ".join(re.findall(r'^ {4}"([\w.-]+)', project_file("pyproject.toml"), re.MULTILINE))
    elsewhere = re.compile(r"https?://(?!store\.example|127\.0\.0\.1|localhost)\w")
    addresses = [f"{where}: {text[:60]}" for text, where in said() if elsewhere.search(text)]

    assert not re.search(r"sentry|posthog|analytics|mixpanel|segment|telemetry|bugsnag|rollbar|datadog", dependencies)
    assert addresses == [], "an address that the program could speak to by itself"
