"""What the central store takes of sealed changes, and what it refuses, over real HTTP and both databases."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from leadworker import change, proof
from leadworker.statements import Role
from sync import wire
from tests.hub_world import Casebook, Keys, Lane, Laptop, World, run, told

pytest_plugins = ["tests.hub_fixtures"]


@dataclasses.dataclass
class Case:
    """A casebook with its lead's laptop and that laptop's lane."""

    lead: Laptop
    book: Casebook
    lane: Lane

    def write(self, count: int = 1, **how: int) -> wire.Run:
        return run(self.lead.keys, self.lane.write(count, **how))


@pytest.fixture
def case(world: World) -> Case:
    lead = world.organisation.colleague()
    book = world.organisation.casebook(lead)
    return Case(lead, book, Lane(book.book, lead.device))


def code(outcomes: tuple[wire.Outcome, ...]) -> str:
    (outcome,) = outcomes
    assert (outcome.code == "") == (outcome.sentence == "")
    assert outcome.code == "" or outcome.sentence.endswith("."), outcome.sentence
    return outcome.code


def contents(laptop: Laptop, book: Casebook) -> list[wire.Numbered]:
    return [item for item in laptop.pull(book.book) if wire.unpack(item.header).lane]


def test_a_visit_goes_up_and_comes_down_as_it_was_with_a_receipt(world: World, case: Case) -> None:
    sent = case.write(3)
    (outcome,) = case.lead.push(sent)
    assert outcome.ns == (3, 4, 5)
    got = contents(case.lead, case.book)
    assert [(item.header, item.body) for item in got] == list(sent.changes)
    assert [item.signature for item in got] == [b"", b"", sent.signature]
    assert {item.received_ms for item in got} == {outcome.received_ms}
    assert (outcome.last_n, outcome.digest) == (5, case.lead.page(case.book.book).digest)
    last = change.change_id(sent.changes[-1][0])
    message = wire.receipt_message(case.book.book, last, outcome.last_n, outcome.digest, outcome.received_ms)
    assert proof.is_signed(world.hub.public_key, proof.RECEIPT, message, outcome.receipt)


def test_a_retry_gets_the_same_numbers_and_receipt_even_much_later(world: World, case: Case) -> None:
    sent = case.write(4)
    first = case.lead.push(sent)
    case.lead.push(case.write(2))
    assert case.lead.control(case.book.rotation(case.lead)).code == ""
    assert case.lead.control(case.book.rotation(case.lead)).code == ""
    world.clock.pushed_ms += 3_600_000
    assert case.lead.push(sent) == first
    (later,) = case.lead.push(case.write(1, epoch=3))
    assert later.received_ms - first[0].received_ms >= 3_600_000, "the time received is the store's, not the laptop's"
    assert len(contents(case.lead, case.book)) == 7


def test_the_first_part_of_a_kept_run_sent_alone_gets_its_own_numbers(case: Case) -> None:
    changes = case.lane.write(4)
    (whole,) = case.lead.push(run(case.lead.keys, changes))
    (part,) = case.lead.push(run(case.lead.keys, changes[:2]))
    assert part.code == "" and part.ns == whole.ns[:2] and part.last_n == whole.ns[1]


def test_a_run_that_begins_with_what_is_kept_is_taken_from_there_on(case: Case) -> None:
    changes = case.lane.write(5)
    (first,) = case.lead.push(run(case.lead.keys, changes[:3]))
    (second,) = case.lead.push(run(case.lead.keys, changes[1:]))
    assert second.ns == (*first.ns[1:], 6, 7)
    assert (second.last_n, second.digest) == (7, case.lead.page(case.book.book).digest), "the receipt is for its end"
    got = contents(case.lead, case.book)
    assert [item.header for item in got] == [header for header, _ in changes]
    assert [bool(item.signature) for item in got] == [False, False, True, False, True]


def test_a_run_sent_twice_in_one_push_is_kept_once(case: Case) -> None:
    sent = case.write(2)
    more = case.write(1)
    first, again, third = case.lead.push(sent, sent, more)
    assert first == again and third.ns == (5,)
    assert len(contents(case.lead, case.book)) == 3


def test_one_refused_run_does_not_hold_up_the_others(world: World, case: Case) -> None:
    strange = Lane(world.organisation.casebook(world.organisation.colleague()).book, case.lead.device)
    outcomes = case.lead.push(case.write(1), run(case.lead.keys, strange.write(1)), case.write(1))
    assert [outcome.code for outcome in outcomes] == ["", "not_a_member", ""]
    assert [outcome.book for outcome in outcomes] == [case.book.book, strange.book, case.book.book]


def test_another_change_at_a_kept_place_is_a_fork_and_counted_as_an_alarm(world: World, case: Case) -> None:
    restored = dataclasses.replace(case.lane)
    case.lead.push(case.write(2))
    forked = run(case.lead.keys, restored.write(2))
    assert code(case.lead.push(forked)) == code(case.lead.push(forked)) == "lane_forked"
    assert len(contents(case.lead, case.book)) == 2
    (alarm,) = [alarm for alarm in world.hub.alarms() if alarm.book == case.book.book]
    assert (alarm.code, alarm.device, alarm.times) == ("lane_forked", case.lead.device, 2)


def test_a_known_beginning_with_another_middle_is_refused_whole(case: Case) -> None:
    first = case.lane.write(1)
    restored = dataclasses.replace(case.lane)
    case.lead.push(run(case.lead.keys, first + case.lane.write(1)))
    assert code(case.lead.push(run(case.lead.keys, first + restored.write(3)))) == "lane_forked"
    assert len(contents(case.lead, case.book)) == 2


def test_a_run_after_another_predecessor_is_a_fork(case: Case) -> None:
    elsewhere = dataclasses.replace(case.lane)
    case.lead.push(case.write(1))
    elsewhere.write(1)
    assert code(case.lead.push(run(case.lead.keys, elsewhere.write(1)))) == "lane_forked"


def test_a_gap_is_refused_with_the_last_place_that_the_store_has(case: Case) -> None:
    case.lead.push(case.write(2))
    case.lane.write(3)
    (outcome,) = case.lead.push(case.write(1))
    assert (outcome.code, outcome.ns) == ("lane_gap", (2,))
    assert "number 3" in outcome.sentence
    empty = Lane(case.book.book, case.lead.device, number=2)
    empty.write(1)
    (outcome,) = case.lead.push(run(case.lead.keys, empty.write(1)))
    assert (outcome.code, outcome.ns) == ("lane_gap", (0,)), "also of a lane of which it has nothing"


def test_a_place_beyond_any_number_is_a_gap_and_no_fault(case: Case) -> None:
    case.lane.seq, case.lane.head = 2**64 - 2, bytes(range(32))
    assert code(case.lead.push(case.write(1))) == "lane_gap"


def test_a_new_lane_of_the_same_laptop_begins_at_one(case: Case) -> None:
    case.lead.push(case.write(2))
    second = Lane(case.book.book, case.lead.device, number=2)
    assert code(case.lead.push(run(case.lead.keys, second.write(2)))) == ""


def test_a_head_without_its_tail_is_not_taken(case: Case) -> None:
    """The signature of a later change says nothing for a run that stops before it."""
    changes = case.lane.write(4)
    whole = run(case.lead.keys, changes)
    assert code(case.lead.push(wire.Run(tuple(changes[:3]), whole.signature))) == "bad_signature"


def test_a_tail_without_its_head_is_not_taken(case: Case) -> None:
    changes = case.lane.write(4)
    assert code(case.lead.push(run(case.lead.keys, changes[2:]))) == "lane_gap"


def test_a_signature_moved_to_another_run_is_not_taken(world: World, case: Case) -> None:
    signed = case.write(2)
    other = Lane(world.organisation.casebook(case.lead).book, case.lead.device)
    assert code(case.lead.push(wire.Run(tuple(other.write(2)), signed.signature))) == "bad_signature"


def test_a_run_with_one_change_left_out_or_swapped_is_not_taken(case: Case) -> None:
    whole = case.write(4)
    one, two, three, four = whole.changes
    assert code(case.lead.push(wire.Run((one, three, four), whole.signature))) == "broken_chain"
    assert code(case.lead.push(wire.Run((one, three, two, four), whole.signature))) == "broken_chain"


def test_a_change_that_was_exchanged_inside_a_signed_run_is_not_taken(case: Case) -> None:
    """Another change for the same place, with the same one before it: the next one no longer follows it."""
    restored = dataclasses.replace(case.lane)
    whole = case.write(3)
    exchanged = restored.write(2)
    assert wire.unpack(exchanged[0][0]).seq == 1
    one, _, three = whole.changes
    assert code(case.lead.push(wire.Run((exchanged[0], *whole.changes[1:]), whole.signature))) == "broken_chain"
    forked = dataclasses.replace(case.lane, seq=1, head=change.change_id(one[0])).write(1)
    assert code(case.lead.push(wire.Run((one, *forked, three), whole.signature))) == "broken_chain"
    assert contents(case.lead, case.book) == []


@pytest.mark.parametrize("other", ["another laptop's", "a place left out"])
def test_a_change_that_does_not_belong_in_a_run_is_refused_also_where_its_end_is_signed(world: World, case: Case, other: str) -> None:
    """The signature vouches for the last change and the chain to it; no laptop would take the casebook in any more."""
    ((first, seal), (second, seal2)) = case.lane.write(2)
    bent: dict[str, object] = {"device": world.organisation.colleague().device} if other == "another laptop's" else {"seq": 7}
    second = msgspec.structs.replace(wire.unpack(second), **bent).pack()
    last = msgspec.structs.replace(wire.unpack(second), device=case.lead.device, prev=change.change_id(second))
    third = msgspec.structs.replace(last, seq=last.seq + 1).pack()
    refusal = "mixed_run" if other == "another laptop's" else "broken_chain"
    assert code(case.lead.push(run(case.lead.keys, [(first, seal), (second, seal2), (third, seal)]))) == refusal
    assert contents(case.lead, case.book) == []


def test_a_run_copied_into_another_book_is_not_taken(world: World, case: Case) -> None:
    """A header names its book, so a transplanted run is either the old book's or no longer what was signed."""
    other = world.organisation.casebook(case.lead)
    signed = case.write(2)
    moved, prev = [], change.FIRST
    for raw, seal in signed.changes:
        raw = msgspec.structs.replace(wire.unpack(raw), book=other.book, prev=prev).pack()
        prev = change.change_id(raw)
        moved.append((raw, seal))
    assert code(case.lead.push(wire.Run(tuple(moved), signed.signature))) == "bad_signature"
    assert code(case.lead.push(wire.Run((signed.changes[0], moved[1]), signed.signature))) == "mixed_run"


def test_every_altered_byte_of_a_header_or_signature_is_refused(case: Case) -> None:
    whole = case.write(1)
    ((header, seal),) = whole.changes
    bent = [wire.Run(((_flip(header, place), seal),), whole.signature) for place in range(len(header))]
    bent += [wire.Run(whole.changes, _flip(whole.signature, place)) for place in range(64)]
    outcomes = case.lead.push(*bent)
    assert all(outcome.code for outcome in outcomes)
    assert contents(case.lead, case.book) == []


def test_a_signature_by_another_key_is_not_taken(world: World, case: Case) -> None:
    changes = case.lane.write(2)
    colleague = world.organisation.colleague()
    assert code(case.lead.push(run(colleague.keys, changes))) == "bad_signature"
    assert code(case.lead.push(run(Keys(), changes))) == "bad_signature"


def test_a_laptop_cannot_send_what_another_wrote(world: World, case: Case) -> None:
    colleague = world.organisation.colleague()
    book = world.organisation.casebook(case.lead, [(colleague, Role.CO_WORKER)])
    written = run(case.lead.keys, Lane(book.book, case.lead.device).write(1))
    assert code(colleague.push(written)) == "wrong_device"


def test_only_members_who_may_write_are_taken_in(world: World, case: Case) -> None:
    organisation = world.organisation
    outsider, reader, coworker = (organisation.colleague() for _ in range(3))
    book = organisation.casebook(case.lead, [(reader, Role.READ_ONLY), (coworker, Role.CO_WORKER)])
    codes = {
        laptop.device: code(laptop.push(run(laptop.keys, Lane(book.book, laptop.device).write(1))))
        for laptop in (outsider, reader, coworker)
    }
    assert list(codes.values()) == ["not_a_member", "read_only", ""]


def test_a_book_that_nobody_founded_takes_nothing(case: Case) -> None:
    assert code(case.lead.push(run(case.lead.keys, Lane(bytes(16), case.lead.device).write(1)))) == "not_a_member"


def test_a_member_who_was_removed_writes_no_more_but_learns_what_was_kept(world: World, case: Case) -> None:
    coworker = world.organisation.colleague()
    book = world.organisation.casebook(case.lead, [(coworker, Role.CO_WORKER)])
    lane = Lane(book.book, coworker.device)
    kept = run(coworker.keys, lane.write(1))
    before = coworker.push(kept)
    outcome = case.lead.control(book.membership(case.lead, remove=[coworker.device]), book.rotation(case.lead))
    assert outcome.code == ""
    assert coworker.push(kept) == before
    assert code(coworker.push(run(coworker.keys, lane.write(1, epoch=2)))) == "not_a_member"


def test_only_the_present_key_is_taken(case: Case) -> None:
    assert code(case.lead.push(case.write(1, epoch=0))) == "wrong_epoch"
    case.lane = Lane(case.book.book, case.lead.device, number=2)
    assert code(case.lead.push(case.write(1, epoch=2))) == "wrong_epoch"
    for _ in range(2):
        assert case.lead.control(case.book.rotation(case.lead)).code == ""
    for number, (epoch, expected) in enumerate([(1, "wrong_epoch"), (2, "wrong_epoch"), (3, ""), (4, "wrong_epoch")], start=3):
        lane = Lane(case.book.book, case.lead.device, number)
        assert code(case.lead.push(run(case.lead.keys, lane.write(2, epoch=epoch)))) == expected


def test_one_change_under_an_old_key_holds_back_its_run(case: Case) -> None:
    changes = [*case.lane.write(1), *case.lane.write(1, epoch=9), *case.lane.write(1)]
    assert code(case.lead.push(run(case.lead.keys, changes))) == "wrong_epoch"
    assert contents(case.lead, case.book) == []


def test_sizes_are_what_was_signed_and_within_the_limit(case: Case) -> None:
    ((header, seal),) = case.lane.write(1)
    for wrong in (seal[:-1], seal + b"\0", b""):
        assert code(case.lead.push(run(case.lead.keys, [(header, wrong)]))) == "wrong_size"
    case.lane = Lane(case.book.book, case.lead.device, number=2)
    assert code(case.lead.push(case.write(1, size=wire.LARGEST_BODY + 1))) == "too_large"
    case.lane = Lane(case.book.book, case.lead.device, number=3)
    assert code(case.lead.push(case.write(1, size=wire.LARGEST_BODY))) == ""


def test_runs_that_are_empty_or_malformed_or_of_two_lanes_are_refused_in_words(case: Case) -> None:
    ((header, seal),) = case.lane.write(1)
    other = Lane(case.book.book, case.lead.device, number=7).write(1)
    assert code(case.lead.push(wire.Run((), b""))) == "empty_run"
    assert code(case.lead.push(wire.Run(((header[:-1], seal),), bytes(64)))) == "bad_header"
    assert code(case.lead.push(wire.Run(((b"X" + header[1:], seal),), bytes(64)))) == "bad_header"
    assert code(case.lead.push(wire.Run(((header, seal), *other), bytes(64)))) == "mixed_run"
    assert code(case.lead.push(wire.Run(((header, seal),), b"short"))) == "bad_signature"


def test_statements_are_not_taken_as_content(case: Case) -> None:
    statement = case.book.grant(case.lead, case.lead.device)
    assert code(case.lead.push(wire.Run(((statement.header, statement.body),), statement.signature))) == "wrong_kind"


def test_more_changes_than_one_push_holds_are_refused_as_a_whole(case: Case) -> None:
    changes = case.lane.write(wire.MOST_IN_BATCH + 1, size=256)
    body = wire.write(wire.Push((run(case.lead.keys, changes),)))
    answer = case.lead.send("POST", "/v1/push", body)
    assert answer.status_code == 413
    assert wire.read(wire.Trouble, answer.content).code == "too_many"


def test_a_full_push_is_one_request(case: Case) -> None:
    (outcome,) = case.lead.push(case.write(wire.MOST_IN_BATCH))
    assert len(outcome.ns) == wire.MOST_IN_BATCH and outcome.last_n == wire.MOST_IN_BATCH + 2
    assert len(contents(case.lead, case.book)) == wire.MOST_IN_BATCH


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 2000])
def test_a_page_never_ends_inside_a_run(case: Case, limit: int) -> None:
    for length in (1, 5, 2, 3):
        case.lead.push(case.write(length))
    assert len(case.lead.pull(case.book.book, limit)) == 2 + 11
    for page in (case.lead.page(case.book.book, after, limit) for after in range(13)):
        assert page.changes and page.changes[-1].signature
        assert len(page.changes) <= max(limit, 5)


def test_a_page_stays_near_the_size_of_a_batch(case: Case) -> None:
    for _ in range(3):
        case.lead.push(case.write(40, size=wire.LARGEST_BODY))
    first = case.lead.page(case.book.book, 0, 2000)
    assert first.more and len(first.changes) == 42
    assert len(case.lead.pull(case.book.book, 2000)) == 122


def test_asking_beyond_the_end_gives_an_empty_page_with_the_present_head(case: Case) -> None:
    page = case.lead.page(case.book.book, after=1000)
    assert page.changes == () and page.n == 2 and not page.more


def test_news_names_every_book_that_a_laptop_may_read_the_directory_first(world: World, case: Case) -> None:
    second = world.organisation.casebook(case.lead)
    case.lead.push(case.write(2))
    news = case.lead.news()
    assert next(iter(news)) == world.organisation.directory.book
    assert set(news) == {world.organisation.directory.book, case.book.book, second.book}
    page = case.lead.page(case.book.book)
    assert (news[case.book.book].n, news[case.book.book].digest) == (page.n, page.digest) == (4, page.digest)


def test_an_empty_push_is_answered_with_nothing(case: Case) -> None:
    assert told(wire.Pushed, case.lead.send("POST", "/v1/push", wire.write(wire.Push(())))).outcomes == ()


def _flip(raw: bytes, place: int) -> bytes:
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
