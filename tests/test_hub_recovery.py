"""In recovery mode no number is given, also not by a request that was on its way when the mode began."""

from __future__ import annotations

import asyncio
import threading

import pytest

from leadworker.plain.app import run
from sync.hub import recovery, recovery_desk
from sync.hub.databases import open_store
from sync.hub.rules import Refusal
from sync.hub.store import HubTrouble, Session
from tests.hub_world import World, running

pytest_plugins = ["tests.hub_fixtures"]


def test_the_mode_waits_for_transactions_that_give_numbers_and_none_comes_after_it(database: str) -> None:
    with running(database) as world:
        store, inside, go_on = world.hub._hub.store, threading.Event(), threading.Event()

        def numbering(session: Session) -> None:
            recovery.refuse_numbers(session)
            inside.set()
            assert go_on.wait(20)

        under_way = store.write(numbering)
        assert inside.wait(20)
        begun: list[recovery_desk.Progress] = []
        beginning = threading.Thread(target=lambda: begun.append(recovery_desk.begin(database)))
        beginning.start()
        beginning.join(0.3)
        assert beginning.is_alive(), "somebody is giving numbers"
        go_on.set()
        under_way.result(20)
        beginning.join(20)
        assert begun[0].begun_ms > 0
        with pytest.raises(Refusal) as refused:
            asyncio.run(world.hub._hub._write(lambda session: None))
        assert refused.value.code == "recovering", "a request that was let in before the mode began"


def test_a_backup_from_before_the_organisation_was_set_up_cannot_be_brought_up_to_date(database: str) -> None:
    with running(database, founded=False), pytest.raises(HubTrouble, match="from before the organisation was set up"):
        recovery_desk.begin(database)


def test_what_is_told_to_anybody_goes_on_and_nothing_else_is_answered(world: World) -> None:
    recovery_desk.begin(world.database)
    try:
        http = world.organisation.http
        assert http.get("/v1/health").status_code == 204
        assert http.get("/v1/organisation").status_code == 200
        assert http.get(f"/v1/join/{bytes(16).hex()}").status_code == 503
        assert http.post("/v1/join", content=b"", headers={"content-type": "application/json"}).status_code == 415
    finally:
        recovery_desk.end(world.database, anyway=True)
    assert open_store(world.database).close() is None


def test_whoever_runs_the_store_begins_looks_and_ends_with_commands(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> str:
        assert run(["hub", "recovery", *words, "--database", world.database]) == 0
        return capsys.readouterr().out

    assert said("status") == "The central store is not in recovery mode: it gives numbers as usual.\n"
    begun = said("begin").splitlines()
    assert begun[0].startswith("The central store has been in recovery mode since 20")
    assert begun[1] == "0 of 1 laptop has reported."
    assert begun[2] == f"  Not yet: {world.organisation.admin.device.hex()[:8]}."
    assert run(["hub", "recovery", "end", "--database", world.database]) == 1
    refused = capsys.readouterr().err
    assert refused.startswith("1 laptop has not reported yet. Nothing was changed."), "only what is missing is named"
    assert '"on":true' in said("status", "--json")
    assert said("end", "--anyway") == "The central store is not in recovery mode: it gives numbers as usual.\n"
