"""The store's log: whoever sends garbage does not fill the disk with it, and it names no address."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import socket
import sqlite3
import sys
import time
from pathlib import Path

import httpx
import pytest

from sync.hub.log import FOLD_S, Log
from sync.hub.store import StoreAway
from tests.hub_program import program
from tests.hub_world import Keys, new_database, refused, running


class Steady:
    """A steady clock in a test's hands."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines(stream: io.StringIO) -> list[tuple[str, int]]:
    """Return code and count of every line about a refused request."""
    read = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [(line["code"], line.get("times", 1)) for line in read if line["event"] == "turned_away"]


def test_garbage_without_end_is_a_line_or_two_in_the_log(tmp_path: Path) -> None:
    with running(new_database("sqlite", tmp_path)) as world:
        laptop, thief = world.organisation.colleague(), Keys()
        for _ in range(40):
            assert refused(laptop.send("GET", "/v1/news", signer=thief)) == "signature_wrong"
            assert refused(world.organisation.http.get("/v1/news")) == "not_signed"
            assert refused(world.organisation.found("AAAA-BBBB-CCCC-DDDD-EEEE", [])) == "setup_code_wrong"
        each = ["signature_wrong", "not_signed", "setup_code_wrong"]
        assert lines(world.log) == [(code, 1) for code in each]
    assert lines(world.log) == [(code, 1) for code in each] + [(code, 39) for code in each], "a stop leaves none uncounted"
    assert "127.0.0.1" not in world.log.getvalue()


def test_what_was_counted_of_an_asker_is_written_after_a_minute_and_others_are_counted_apart() -> None:
    stream, clock = io.StringIO(), Steady()
    log = Log(stream, lambda: 0, clock)
    for _ in range(5):
        log.turned_away(b"one", "busy", 429)
    log.turned_away(b"another", "busy", 429)
    assert lines(stream) == [("busy", 1), ("busy", 1)]
    clock.now += FOLD_S
    log.turned_away(b"one", "busy", 429)
    assert lines(stream) == [("busy", 1), ("busy", 1), ("busy", 4), ("busy", 1)]
    log.close()
    assert len(lines(stream)) == 4


def test_many_addresses_write_no_more_lines_than_the_log_bears() -> None:
    stream, clock = io.StringIO(), Steady()
    log = Log(stream, lambda: 0, clock)
    for number in range(20_000):
        log.turned_away(b"%d" % number, "not_signed", 401)
    assert len(lines(stream)) <= 1001 and len(log._folded) <= 1001
    clock.now += FOLD_S
    log.turned_away(b"last", "not_signed", 401)
    assert sum(times for _, times in lines(stream)) == 20_001


def test_a_fault_that_goes_on_is_a_line_a_minute_with_the_databases_own_word(tmp_path: Path) -> None:
    """A database that is away or full is a fault of every request, also of those of strangers."""
    full = sqlite3.connect(tmp_path / "hub.db")
    full.execute("CREATE TABLE words (said TEXT)")
    full.execute("PRAGMA max_page_count = 2")
    stream, clock = io.StringIO(), Steady()
    log = Log(stream, lambda: 0, clock)
    for _ in range(50):
        try:
            try:
                full.execute("INSERT INTO words VALUES (?)", ["Ada" * 9000])
            except sqlite3.Error as error:
                raise StoreAway from error
        except StoreAway as away:
            log.fault(away)
    log.fault(OSError(errno.EMFILE, "words"))
    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["kind"], line["code"]) for line in written] == [("StoreAway", "SQLITE_FULL"), ("OSError", "EMFILE")]
    clock.now += FOLD_S
    log.close()
    assert json.loads(stream.getvalue().splitlines()[-1])["times"] == 49 and "Ada" not in stream.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts no descriptors")
def test_more_lines_than_the_system_allows_are_a_line_in_the_log_and_those_that_are_up_go_on(tmp_path: Path) -> None:
    """Python by itself would write a text for each try to take one, some megabytes a second, with addresses in it."""
    import resource

    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    log = tmp_path / "log"
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
    with contextlib.ExitStack() as lines:
        try:
            hub = lines.enter_context(program(str(tmp_path / "hub.db"), log))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (few, most))
        http = lines.enter_context(httpx.Client(base_url=hub.url))
        assert http.get("/v1/health").status_code == 204
        port = int(hub.url.rsplit(":", 1)[1])
        for _ in range(100):
            lines.enter_context(socket.create_connection(("127.0.0.1", port)))
        until = time.monotonic() + 20
        while "EMFILE" not in log.read_text() and time.monotonic() < until:
            assert http.get("/v1/health").status_code == 204
    codes = [json.loads(line).get("code") for line in log.read_text().splitlines()]
    assert 1 <= codes.count("EMFILE") <= 2 and len(codes) < 10
