"""What travels ahead of what is kept (docs/decisions/0024): the order holds, and nothing counts before it is durable."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import pytest

from leadworker.desk import Bell
from leadworker.errors import HubMistrusted
from sync import sending, wire
from sync.checking import PageCheck
from sync.inviting import approve, invite_laptop
from sync.joining import ask_to_join
from sync.pages import one_ahead
from tests.evil_hub import Evil, Here, altered, flipped, replace
from tests.laptops import CEM, Laptop, Team, agree, gapless, words_of

pytest_plugins = ["tests.laptop_fixtures"]

PAGE = 1000


async def test_one_step_ahead_the_order_and_the_place_of_an_error_stay_what_they_were() -> None:
    begun: list[int] = []

    async def source() -> AsyncGenerator[int]:
        for number in range(1, 5):
            begun.append(number)
            await asyncio.sleep(0)
            if number == 4:
                raise HubMistrusted("the fourth")
            yield number

    given: list[int] = []
    with pytest.raises(HubMistrusted, match="the fourth"):
        async with one_ahead(source()) as items:
            async for item in items:
                for _ in range(3):
                    await asyncio.sleep(0)
                assert begun[-1] == item + 1, "the next one is under way, and no further one"
                given.append(item)
    assert given == [1, 2, 3]


async def test_who_leaves_early_stops_what_was_under_way() -> None:
    stopped = asyncio.Event()

    async def source() -> AsyncGenerator[int]:
        try:
            yield 1
            await asyncio.sleep(3600)
            yield 2
        finally:
            stopped.set()

    with suppress(ValueError):
        async with one_ahead(source()) as items:
            async for _ in items:
                raise ValueError
    assert stopped.is_set()


async def casebook_of_three_pages(team: Team) -> tuple[str, list[str]]:
    """Let Alex write more notes about somebody than two pages hold, and send them; Ruth has none of them."""
    keira = team.alex.add()
    titles = [f"note {number}" for number in range(2 * PAGE + 300)]
    team.alex.write(keira, *titles)
    await team.alex.sync()
    return keira, titles


async def test_a_page_that_breaks_takes_nothing_from_the_pages_before_it_and_lets_none_after_it_in(team: Team) -> None:
    keira, titles = await casebook_of_three_pages(team)
    ruth = team.ruth
    evil = Evil(book=team.alex.book(keira))
    evil.page = lambda page: altered(page, -1, signature=flipped(page.changes[-1].signature, 5)) if page.changes[0].n > 1 else page
    await ruth.tap(evil)
    result = await ruth.sync_somehow()
    assert result.alarms[0].startswith("The central store has sent changes whose signature is not their writer's.")
    here = ruth.titles(keira)
    assert titles[: len(here)] == here, "what came first, and no hole"
    assert 0 < len(here) < len(titles)
    evil.page = lambda page: page
    await ruth.sync()
    assert ruth.titles(keira) == titles
    await agree(team.alex, ruth)


KILLED = """
import asyncio, os, signal, sys
import leadworker
from pathlib import Path
from tests.laptops import open_laptop
folder, url, page = sys.argv[1:]
laptop = open_laptop(Path(folder), "", url, words=sys.stdin.read())
pages = []
def die(number):
    if laptop.line.requests[number - 1].endswith("/changes"):
        pages.append(number)
        if len(pages) == int(page):
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return False
laptop.line.after = die
asyncio.run(laptop.sync())
"""


@pytest.mark.parametrize("page", [2, 3, 4])
async def test_a_laptop_that_is_killed_between_fetching_ahead_and_keeping_loses_nothing(team: Team, page: int) -> None:
    """The directory is one page, the casebook three: the power goes as one of them arrives, while the one before is kept."""
    keira, titles = await casebook_of_three_pages(team)
    second = await a_second_laptop(team)
    await second.close()
    command = [sys.executable, "-c", KILLED, str(second.folder), second.url, str(page)]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    died = await asyncio.to_thread(
        subprocess.run, command, input=words_of(second.name), capture_output=True, text=True, timeout=60, env=here
    )
    assert died.returncode != 0, "it was killed on its way"
    assert not died.stderr, died.stderr
    second = team.office.restart(second)
    kept = [str(row[0]) for row in second.sql("SELECT title FROM journal_entry ORDER BY no")]
    assert kept == titles[: len(kept)], "whole pages, from the first on"
    await second.sync()
    assert second.titles(keira) == titles
    assert gapless(second, keira)
    await agree(team.alex, second)


async def a_second_laptop(team: Team) -> Laptop:
    """Return a fresh laptop of Alex's that is let in and has received nothing yet."""
    alex = team.alex
    made = await invite_laptop(alex.box, alex.client, alex.clock)
    second = team.office.laptop(CEM)
    await ask_to_join(second.box, second.client, " ".join(made.words))
    await approve(alex.box, alex.client, alex.clock, " ".join(second.vault.identity.check_words()))
    await alex.sync()
    return second


async def test_a_page_is_not_put_behind_another_history_than_the_one_that_it_was_checked_against(team: Team) -> None:
    keira = team.alex.add()
    team.alex.write(keira, "one", "two")
    await team.alex.sync()
    ruth, book = team.ruth, team.alex.book(keira)
    state, directory = await ruth.box.book_state(book), await ruth.box.directory()
    assert directory is not None
    checked = PageCheck(state, directory, ruth.box.device, ruth.box.unseal).check(await ruth.client.changes(book, 0))
    page = (book, state.n, checked.received, checked.keys, checked.after.digest, b"")
    assert await ruth.box.take(*page, bytes(32)) == Bell(frozenset(), frozenset())
    assert (await ruth.box.book_state(book)).n == 0
    assert (await ruth.box.take(*page, state.digest)).topics >= {"journal_entry", "reader"}
    assert await ruth.box.take(*page) == Bell(frozenset(), frozenset()), "nor a second time, where another pull was quicker"
    assert ruth.titles(keira) == ["one", "two"]
    assert gapless(ruth, keira)
    await agree(team.alex, ruth)


async def a_lying_line(team: Team, monkeypatch: pytest.MonkeyPatch) -> tuple[Evil, str]:
    """Let Alex have three batches of notes to send over a line in evil hands."""
    monkeypatch.setattr(sending, "BATCH", 260)
    alex = team.alex
    keira = alex.add()
    await alex.sync()
    evil = Evil()
    await alex.tap(evil)
    alex.write(keira, *(f"note {number}" for number in range(700)))
    return evil, keira


async def test_the_batch_that_is_read_while_another_travels_is_the_next_one(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    evil, keira = await a_lying_line(team, monkeypatch)
    sizes: list[int] = []

    def noted(pushed: wire.Pushed) -> wire.Pushed:
        sizes.append(sum(len(one.ns) for one in pushed.outcomes))
        return pushed

    evil.pushed = noted
    await team.alex.sync()
    assert sum(sizes) == len(team.alex.titles(keira)), f"each note travels once: {sizes}"
    assert set(team.alex.where(keira)) == {"on the central store"}


async def test_what_follows_a_refused_batch_is_not_sent(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    evil, keira = await a_lying_line(team, monkeypatch)
    alex = team.alex
    evil.pushed = lambda pushed: replace(pushed, outcomes=(wire.Outcome(alex.book(keira), "full", "There is no room."),))
    assert (await alex.sync_somehow()).alarms == ("There is no room.",)
    assert evil.hang_up().count("POST /v1/push") == 1
    assert set(alex.where(keira)) == {"here"}, "also what was sealed already to go next"
    evil.pushed = lambda pushed: pushed
    await alex.sync()
    await team.ruth.sync()
    assert set(alex.where(keira)) == {"on the central store"}
    assert team.ruth.titles(keira) == alex.titles(keira), "each note once, in its order"
    await agree(alex, team.ruth)


async def test_no_batch_is_sent_after_a_receipt_that_is_not_signed(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    evil, keira = await a_lying_line(team, monkeypatch)
    evil.pushed = lambda pushed: replace(pushed, outcomes=tuple(replace(one, receipt=bytes(64)) for one in pushed.outcomes))
    with pytest.raises(HubMistrusted, match="receipt is not signed"):
        await team.alex.sync_somehow()
    assert evil.hang_up().count("POST /v1/push") == 1
    assert set(team.alex.where(keira)) == {"here"}


async def test_a_change_of_ones_own_is_not_given_back_under_two_numbers(team: Team) -> None:
    alex = team.alex
    keira = alex.add()
    await alex.sync()
    alex.write(keira, "one")
    evil = Evil(book=alex.book(keira))
    evil.after = lambda number: evil.requests[number - 1] == "POST /v1/push"
    await alex.tap(evil)
    with suppress(Exception):
        await alex.sync_somehow()
    standing = (await alex.box.confirmed())[alex.book(keira)]
    here = Here(standing.n, standing.digest)
    evil.after = lambda number: False
    evil.page = lambda page: here.retold(page, [*page.changes, page.changes[-1]])
    (alarm,) = (await alex.sync_somehow()).alarms
    assert alarm.startswith("The central store gives back something else than this laptop wrote.")
    evil.page = lambda page: page
    await alex.sync()
    assert gapless(alex, keira)
    assert alex.where(keira) == ["on the central store"]
