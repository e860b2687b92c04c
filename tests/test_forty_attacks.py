"""The register of attacks: every one is met, its test is there, and the sentence that a person reads is the product's own.

Attacks that stand in no other file are tested here.
"""

from __future__ import annotations

import ast
import functools
import importlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from leadworker.crypto.envelope import BookKey
from leadworker.statements import Grant, Membership, NewRoot, Role
from sync import wire
from sync.founding import chained
from tests.attacks import ATTACKS, DETECTED, HARMLESS, Attack, attacks_markdown
from tests.evil_hub import SAFE, Case, Evil, Here, Rogue, lane_end, spoken
from tests.laptops import Laptop, add_member, remove_member
from tests.test_hostile_histories import NEW, directory_fails
from tests.test_sync_hostile import against_the_rules, rotation, with_bea

pytest_plugins = ["tests.laptop_fixtures"]


async def test_a_removal_that_brings_no_new_key_is_taken_by_nobody(case: Case) -> None:
    """A lead in league with the store takes Bea out and goes on under the key that she has."""
    bea = await with_bea(case, Role.CO_WORKER)
    said = (
        Membership(case.alex.seen(), (), (bea.box.device,), case.alex.person_of(case.alex)),
        Grant(1, {case.ruth.box.device: bytes(80)}),
    )
    seq, head = await lane_end(case.ruth, case.book)
    made = chained(said, case.book, seq, head, case.alex.box.device, case.alex.box.sign)
    removal, grant = (wire.Numbered(0, one.header, one.body, one.signature, 0) for one in made)
    words = await Rogue(case.alex, case.keira).numbered(0, bytes(200))
    lies = {
        against_the_rules("a removal is followed at once by a new key"): (removal, grant),
        f"The central store has let through a change by somebody who may not write in the casebook. {SAFE}": (removal, words),
    }
    for sentence, items in lies.items():
        evil = Evil(case.evil._organisation, case.book)
        await case.ruth.tap(evil)
        evil.page = lambda page, items=items: case.here.retold(page, [*page.changes, *items])  # type: ignore[misc]
        (alarm,) = (await case.ruth.sync_somehow()).alarms
        assert alarm == sentence
    await case.comes_right()


async def test_a_key_of_an_old_number_is_not_offered_again(case: Case) -> None:
    said = rotation(case, BookKey(case.book, 1, bytes(range(32))))
    statement = await spoken(case.alex, case.ruth, case.book, said, 0)
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, statement])
    await case.fails_with(against_the_rules("a book's keys are numbered without a gap"))


async def test_a_new_root_needs_a_second_administrator(case: Case) -> None:
    statement = await spoken(case.ruth, case.ruth, case.evil._organisation, NewRoot(NEW.signing_public, b"", b""), 0)
    rule = "a root is replaced by the root itself, or by two administrators together"
    await directory_fails(case, lambda here, page: here.retold(page, [*page.changes, statement]), rule)


async def taken_out(case: Case) -> tuple[Laptop, Evil, Here]:
    """Return Bea, who was taken out and has not heard of it, her line in evil hands, and where she stands."""
    bea = await with_bea(case, Role.CO_WORKER)
    await bea.sync()
    state = await bea.box.book_state(case.book)
    await remove_member(case.alex, case.keira, bea)
    case.alex.write(case.keira, "after she left")
    await case.alex.sync()
    evil = Evil(case.evil._organisation, case.book)
    await bea.tap(evil)
    return bea, evil, Here(state.n, state.digest)


async def test_a_removal_that_is_hidden_from_the_one_removed_gets_none_of_her_words_into_the_record(case: Case) -> None:
    bea, evil, here = await taken_out(case)
    evil.news = lambda news: case.news_of(news, here.n, here.digest)
    bea.write(case.keira, "does not know yet")
    (alarm,) = (await bea.sync_somehow()).alarms
    assert alarm.startswith("This laptop is not a member of this casebook")
    assert bea.where(case.keira)[-1] == "here", "her words stay hers"
    item = await Rogue(bea, case.keira).numbered(0, bytes(200))
    await case.ruth.sync()
    state = await case.ruth.box.book_state(case.book)
    case.here = Here(state.n, state.digest)
    case.alex.write(case.keira, "goes on")
    await case.alex.sync()
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, item])
    await case.fails_with(f"The central store has let through a change by somebody who may not write in the casebook. {SAFE}")


async def test_who_left_is_shown_more_than_up_to_their_leaving_and_can_read_none_of_it(case: Case) -> None:
    bea, evil, here = await taken_out(case)
    whole = await case.alex.client.changes(case.book, here.n)
    evil.news = lambda news: case.news_of(news, whole.n, whole.digest)
    evil.page = lambda page: whole
    await bea.sync_somehow()
    assert "after she left" not in bea.titles(case.keira)
    asides = [aside.why for aside in await bea.box.put_aside()]
    assert asides == ["this laptop was not given the key"]


async def test_who_left_is_shown_less_than_up_to_their_leaving_and_is_only_late(case: Case) -> None:
    bea, evil, here = await taken_out(case)
    evil.news = lambda news: case.news_of(news, here.n, here.digest)
    await bea.sync()
    assert bea.box.device in bea.members(case.book), "she does not know yet"
    evil.news = lambda news: news
    await bea.sync()
    assert bea.box.device not in bea.members(case.book)
    await add_member(case.alex, case.keira, bea, Role.CO_WORKER)
    await bea.sync()
    assert bea.titles(case.keira) == case.alex.titles(case.keira)


# The register -------------------------------------------------------------------------------------------------------

ROOT = Path(__file__).parent.parent
ROOMS = ("leadworker", "storage", "sync")


def said_in(path: Path) -> list[str]:
    """Return every text of a Python file; what is filled in reads as {}."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values))
    return found


def named_in(path: Path) -> list[str]:
    """Return the sentences that a test takes from the product by their names."""
    found = []
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ROOMS:
            module = importlib.import_module(node.module)
            found += [getattr(module, one.name) for one in node.names if isinstance(getattr(module, one.name, None), str)]
    return found


def folder_of(module: str) -> Path:
    """Return where a room's files are: in a wheel not beside the tests."""
    return Path(str(importlib.import_module(module).__file__)).parent


@functools.cache
def said_by_the_product() -> tuple[str, ...]:
    return tuple(text for room in ROOMS for path in sorted(folder_of(room).rglob("*.py")) for text in said_in(path))


def is_told(says: str, texts: Iterable[str]) -> bool:
    """Return whether a phrase stands in one of the texts, or ends as one of them does, which then begins with whose it is."""
    return any(says in text or (len(text) > 20 and text.rstrip(".") in says) for text in texts)


def test_there_are_forty_and_more_named_attacks_and_each_is_its_own() -> None:
    assert len(ATTACKS) >= 40
    assert len({one.name for one in ATTACKS}) == len(ATTACKS)
    assert {one.met for one in ATTACKS} == {DETECTED, HARMLESS}
    assert [one.name for one in ATTACKS if one.met == DETECTED and not one.says] == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_has_its_test_and_its_words_are_the_product_s_own(attack: Attack) -> None:
    place, _, rest = attack.test.partition("::")
    name, _, case = rest.removesuffix("]").partition("[")
    tree = ast.parse((ROOT / place).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    here = said_in(ROOT / place)
    assert case in ("", *here), "the test has this case"
    if attack.says:
        assert is_told(attack.says, said_by_the_product()), "the program says so"
    if attack.code:  # the central store's own sentence stands beside the word that the test asserts
        assert attack.code in here
        assert any(attack.code == code and attack.says in words for code, words in refusals())
    elif attack.says:
        assert is_told(attack.says, [*here, *named_in(ROOT / place)]), "the test asserts what is read"


@functools.cache
def refusals() -> tuple[tuple[str, str], ...]:
    """Return code and sentence of every refusal of the central store."""
    found = []
    for path in sorted(folder_of("sync.hub").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) >= 2 and isinstance(node.args[0], ast.Constant):
                text = node.args[1]
                parts = text.values if isinstance(text, ast.JoinedStr) else [text]
                found.append((str(node.args[0].value), "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts)))
    return tuple(found)


def test_the_page_of_attacks_is_the_register() -> None:
    written = (ROOT / "docs" / "attacks.md").read_text("utf-8")
    assert written == attacks_markdown(), "write it anew: python -m tests.attacks"
