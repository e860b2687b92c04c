"""The central store's pure rules: where a page ends, what a place in a lane means, what a clock is told."""

from __future__ import annotations

import io
import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadworker import change
from sync import wire
from sync.hub import gate, numbering, rules
from sync.hub.gate import Claim, Nonces
from sync.hub.log import Log
from sync.hub.rules import CheckedRun, Item, Refusal
from sync.hub.store import Head, Known, Lane
from tests.hub_world import HandClock

NOW = 1_767_322_800_000


@given(st.lists(st.integers(1, 6), min_size=1, max_size=20), st.integers(1, 12), st.integers(1, 40), st.integers(1, 9))
def test_a_page_is_whole_runs_within_its_limits_or_exactly_the_first_run(runs: list[int], most: int, largest: int, size: int) -> None:
    ends = [sum(runs[: count + 1]) for count in range(len(runs))]
    marks = [(n, size, n in ends) for n in range(1, ends[-1] + 1)]
    fitting = [end for end in ends if end <= most and end * size <= largest]
    assert rules.page_end(marks, most, largest) == (max(fitting) if fitting else ends[0])


def test_a_page_whose_first_run_goes_beyond_what_was_looked_at_has_no_end_yet() -> None:
    assert rules.page_end([(1, 10, False), (2, 10, False)], 2, 1000) is None


@given(st.integers(0, 6), st.integers(1, 8), st.integers(1, 5), st.integers(0, 6))
def test_the_place_of_a_run_is_judged_as_a_plain_list_would(held: int, first: int, length: int, bent: int) -> None:
    """The model: a lane is a list of changes; a run is taken when it only repeats and extends that list."""
    lane = [b"change %d" % number for number in range(1, 20)]
    sent = lane[first - 1 : first - 1 + length]
    if bent < length:
        sent[bent] = b"another"
    kept = lane[:held]
    run = CheckedRun(b"book", 1, first, _id(lane, first - 1), [Item(raw, b"", b"") for raw in sent], b"")
    known = [Known(n, kept[n - 1], n, 0, b"") for n in range(first, min(held, first + length - 1) + 1)]
    place = Lane(held, _id(lane, held))
    if first > held + 1:
        expected = "lane_gap"
    elif kept[first - 1 :][:length] != sent[: max(0, held - first + 1)]:
        expected = "lane_forked"
    else:
        expected = ""
    try:
        count = rules.check_place(run, place, known)
    except Refusal as refusal:
        assert (refusal.code, refusal.alarm) == (expected, expected == "lane_forked")
        assert refusal.held == (held if expected == "lane_gap" else None)
    else:
        assert expected == "" and count == len(known)


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=8), st.integers(0, 1000))
def test_numbers_have_no_gap_and_the_digest_runs_through_them(ids: list[bytes], start: int) -> None:
    head = Head(b"b" * 16, start, change.first_digest(b"b" * 16), 1, 1, change.FIRST)
    rows, moved = numbering.number(head, b"d", 1, 7, [(b"", made, b"", b"") for made in ids], 5)
    digest = head.digest
    for place, (row, made) in enumerate(zip(rows, ids, strict=True), start=1):
        digest = change.next_digest(digest, made, start + place)
        assert (row.n, row.seq, row.digest) == (start + place, 6 + place, digest)
    assert (moved.n, moved.digest, moved.epoch) == (start + len(ids), digest, 1)


@pytest.mark.parametrize(
    ("apart_ms", "words"),
    [
        (-7 * 60_000, "7 minutes behind"),
        (5 * 60_000 + 1000, "5 minutes 1 second ahead of"),
        (3600_000 + 61_000, "1 hour 1 minute ahead of"),
        (-365 * 86_400_000, "365 days behind"),
    ],
)
def test_a_wrong_clock_is_told_by_how_much_and_what_time_it_is(apart_ms: int, words: str) -> None:
    refusal = rules.clock_refusal(NOW + apart_ms, NOW)
    assert refusal is not None and refusal.code == "clock_wrong"
    assert f"{words} the central store's, which shows 2 January 2026, 03:00:00 UTC" in refusal.sentence


@pytest.mark.parametrize("apart_ms", [0, 5 * 60_000, -5 * 60_000])
def test_a_clock_within_five_minutes_is_right_enough(apart_ms: int) -> None:
    assert rules.clock_refusal(NOW + apart_ms, NOW) is None


def test_what_was_seen_is_remembered_in_bounded_memory_and_never_taken_twice() -> None:
    """However often a laptop asks, whichever of its requests is played again is refused."""
    nonces, claims = Nonces(), []
    for number in range(3 * gate.NONCES_PER_DEVICE):
        claim = Claim(b"laptop", NOW + number, number.to_bytes(16, "big"), b"")
        nonces.use(claim, NOW + number)
        claims.append(claim)
    assert len(nonces._seen[b"laptop"]) <= gate.NONCES_PER_DEVICE
    for claim in claims:
        with pytest.raises(Refusal, match="seen this very request"):
            nonces.use(claim, claims[-1].time_ms)
    nonces.use(Claim(b"another", NOW, bytes(16), b""), NOW)
    nonces.use(Claim(b"laptop", NOW + 10**6, secrets.token_bytes(16), b""), NOW)


def test_laptops_that_fell_silent_are_forgotten() -> None:
    nonces = Nonces()
    for number in range(20_000):
        nonces.use(Claim(b"%d" % number, NOW + number * 1000, bytes(16), b""), NOW + number * 1000)
    assert len(nonces._seen) < 10_000


def test_a_log_line_holds_numbers_codes_and_shortened_ids() -> None:
    stream, clock = io.StringIO(), HandClock()
    log = Log(stream, clock)
    log.note("push", device=bytes(range(16)), taken=3, code="lane_gap")
    try:
        raise RuntimeError("Mrs Featherstonehaugh of Nether Wallop")
    except RuntimeError as error:
        log.fault(error)
    pushed, fault = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (pushed["device"], pushed["taken"], pushed["code"]) == ("00010203", 3, "lane_gap")
    assert (fault["event"], fault["kind"]) == ("fault", "RuntimeError") and "Wallop" not in stream.getvalue()


def test_a_seal_names_its_key_in_its_first_four_bytes() -> None:
    assert wire.seal_epoch(b"\0\0\1\2" + bytes(40)) == 258


def _id(lane: list[bytes], place: int) -> bytes:
    return change.FIRST if place == 0 else lane[place - 1]
