"""The store's log: whoever sends garbage does not fill the disk with it, and it names no address."""

from __future__ import annotations

import io
import json
from pathlib import Path

from sync.hub.log import FOLD_S, Log
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
