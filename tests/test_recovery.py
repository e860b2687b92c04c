"""A central store restored from last night's backup gets back what it had numbered since, from everybody's laptops."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import msgspec
import pytest

from leadworker import change, proof
from leadworker.crypto.envelope import BookKey
from leadworker.errors import HubMistrusted, Offline, Refused
from leadworker.membership import Role
from leadworker.plain.app import run
from leadworker.postbox import Receipt
from sync import inviting, joining, organising, wire
from sync.hub.store import HubTrouble
from sync.recovering import MEANWHILE, NOT_KNOWN, NUMBERED_ANEW, RESTORED
from tests.evil_hub import Rogue
from tests.laptops import BEA, CEM, TOBIAS, Laptop, Team, agree, gapless, rotate
from tests.restored_store import back_up, begin, end, gives_back, lanes, restore, rows, status

pytest_plugins = ["tests.laptop_fixtures"]


class Day:
    """A day after the backup: Alex, Ruth and Bea work, and each has another end of what the store then loses."""

    def __init__(self, team: Team, bea: Laptop, backup: str) -> None:
        self.team = team
        self.office = team.office
        self.alex, self.ruth, self.bea = team.alex, team.ruth, bea
        self.backup = backup
        self.keira = ""

    @property
    def all(self) -> tuple[Laptop, Laptop, Laptop]:
        """Return the three laptops."""
        return self.alex, self.ruth, self.bea

    async def end(self) -> None:
        """End the mode and let everybody sync, twice, so that all have all."""
        end(self.office)
        for laptop in (*self.all, *self.all):
            await laptop.sync()


async def new_day(team: Team, folder: Path) -> Day:
    bea = await team.office.let_in(team.ruth, BEA, role=Role.SUPERVISOR)
    keira = team.alex.add()
    team.alex.write(keira, "before the backup")
    for laptop in (team.alex, team.ruth, bea):
        await laptop.sync()
    day = Day(team, bea, back_up(team.office, folder))
    day.keira = keira
    return day


@pytest.fixture
async def day(team_on: Team, tmp_path: Path) -> Day:
    """A morning on which everybody has everything and a backup was made in the night, once over each store."""
    return await new_day(team_on, tmp_path)


async def three_tails(day: Day) -> str:
    """Work: each laptop ends with another tail of the casebook, and there is a new casebook and a new key."""
    day.alex.write(day.keira, "alex one", "alex two")
    await day.alex.sync()
    await day.bea.sync()  # Bea goes home with these
    day.ruth.write(day.keira, "ruth one")
    await day.ruth.sync()
    await rotate(day.alex, day.keira)
    day.alex.write(day.keira, "alex three, under the new key")
    tobias = day.alex.add(TOBIAS)
    day.alex.write(tobias, "of a casebook that the backup does not know")
    await day.alex.sync()
    await day.ruth.sync()
    day.ruth.write(day.keira, "ruth two, which nobody else has")
    await day.ruth.sync()
    return tobias


async def test_three_laptops_give_back_what_each_holds_and_every_number_is_as_it_was(day: Day) -> None:
    tobias = await three_tails(day)
    before, ends = rows(day.office), lanes(day.office)
    numbers = [laptop.numbers(day.keira) for laptop in day.all]
    restore(day.office, day.backup)
    assert rows(day.office) != before
    assert begin(day.office).begun_ms > 0
    for laptop in (day.bea, day.alex, day.ruth):
        said = await gives_back(laptop)
        assert said.startswith(RESTORED)
        assert said.endswith(MEANWHILE)
    assert status(day.office).missing == []
    await day.end()
    assert rows(day.office) == before, "every change at its number, with the same seal, time and digest"
    assert lanes(day.office) == ends
    for laptop, known in zip(day.all, numbers, strict=True):
        assert laptop.numbers(day.keira)[: len(known)] == known
        assert gapless(laptop, day.keira)
        assert (await laptop.counts()).troubled == ()
    await agree(*day.all)
    assert day.bea.titles(tobias) == ["of a casebook that the backup does not know"]
    assert day.office.hub.alarms() == [], "nobody saw a fork"


async def test_whoever_runs_the_store_sees_how_far_it_has_come(day: Day, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> str:
        assert run(["hub", "recovery", *words, "--database", day.office.database]) == 0
        return capsys.readouterr().out

    await three_tails(day)
    restore(day.office, day.backup)
    assert "0 of 3 laptops have reported." in said("begin")
    await gives_back(day.bea)
    told = said("status")
    assert "1 of 3 laptops have reported." in told
    assert re.search(r"Not yet: [0-9a-f]{8}, [0-9a-f]{8}\.", told)
    assert f"\n2 changes came back.\n  Given back by: {short(day.bea)} (2).\n" in told, told
    await gives_back(day.ruth)
    await gives_back(day.alex)
    told = said("status")
    assert "stands at" not in told
    assert re.search(rf"Given back by: {short(day.ruth)} \([0-9]+\), {short(day.bea)} \(2\)", told), told
    assert told.endswith("Everything that was ever receipted is here again. “leadworker hub recovery end” goes back to work.\n")
    assert said("end").startswith("The central store is not in recovery mode")


def short(laptop: Laptop) -> str:
    return laptop.box.device.hex()[:8]


async def test_the_order_in_which_laptops_come_does_not_matter(day: Day) -> None:
    await three_tails(day)
    before = rows(day.office)
    restore(day.office, day.backup)
    begin(day.office)
    assert "has given back" in await gives_back(day.ruth), "she has the longest tail"
    for laptop in (day.alex, day.bea):
        assert "given back" not in await gives_back(laptop)
    await day.end()
    assert rows(day.office) == before


async def test_receipts_stay_valid_and_a_retry_gets_the_one_that_it_got_first(day: Day) -> None:
    day.alex.write(day.keira, "receipted", "and this")
    sent: list[wire.Run] = []
    push = day.alex.client.push

    async def noting(runs: tuple[wire.Run, ...]) -> wire.Pushed:
        sent.extend(runs)
        return await push(runs)

    day.alex.client.push = noting  # type: ignore[method-assign]
    await day.alex.sync()
    (first,) = (await push(tuple(sent))).outcomes
    restore(day.office, day.backup)
    begin(day.office)
    for laptop in day.all:
        await gives_back(laptop)
    end(day.office)
    (again,) = (await push(tuple(sent))).outcomes
    assert again == first
    assert set(day.alex.where(day.keira)) == {"on the central store"}


async def test_nothing_gets_a_new_number_while_the_mode_lasts(day: Day) -> None:
    restore(day.office, day.backup)
    begin(day.office)
    before = rows(day.office)
    day.alex.write(day.keira, "written meanwhile")
    day.alex.add(TOBIAS)
    assert (await gives_back(day.alex)).startswith(RESTORED)
    assert day.alex.where(day.keira)[-1] == "here"
    for ask in (
        day.alex.client.push(()), day.alex.client.control(()), day.alex.client.joins(), day.alex.client.join_state(bytes(16)),
        day.alex.client.changes(day.alex.book(day.keira), 0), day.alex.client.next_news(b"", 0),
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            await ask
        assert refused.value.code in ("recovering", "bad_request")
    assert rows(day.office) == before
    for laptop in (day.ruth, day.bea):
        await gives_back(laptop)
    await day.end()
    assert day.ruth.titles(day.keira)[-1] == "written meanwhile"
    assert gapless(day.ruth, day.keira)


async def test_a_colleague_who_joined_since_the_backup_is_known_again_once_the_directory_is_back(day: Day) -> None:
    cem = await day.office.let_in(day.ruth, CEM)
    person = cem.add(TOBIAS)
    cem.write(person, "on my first day")
    await cem.sync()
    before = rows(day.office)
    restore(day.office, day.backup)
    with pytest.raises(HubMistrusted) as mistrusted:
        await cem.sync_somehow()
    assert mistrusted.value.sentence == NOT_KNOWN
    begin(day.office)
    with pytest.raises(HubMistrusted):
        await cem.sync_somehow()
    await gives_back(day.ruth)  # who let Cem in
    assert [laptop for laptop in status(day.office).missing if laptop == cem.box.device] == [cem.box.device]
    assert "given back" in await gives_back(cem)
    for laptop in (day.alex, day.bea):
        await gives_back(laptop)
    end(day.office)
    await cem.sync()
    await day.ruth.sync()
    assert rows(day.office) == before
    assert day.ruth.titles(person) == ["on my first day"]


async def test_a_laptop_that_was_let_in_and_never_heard_of_it_holds_up_no_end(day: Day) -> None:
    cem = day.office.laptop(CEM)
    await joining.ask_to_join(cem.box, cem.client, await day.office.invite(day.ruth, CEM))
    await inviting.countersign(day.ruth.box, day.ruth.client, day.ruth.clock)
    restore(day.office, day.backup)
    begin(day.office)
    for _ in range(2):  # before the store knows of it again, and after
        with pytest.raises(Refused, match="brought up to date"):
            await cem.sync_somehow()
        for laptop in day.all:
            await gives_back(laptop)
    assert status(day.office).missing == [], "it has nothing to give, and said so"
    end(day.office)
    assert (await cem.sync()).admitted_me, "the invite went with the disk; the directory names it"
    await day.alex.sync()
    await day.ruth.sync()
    assert day.office.hub.alarms() == []


async def test_the_newest_laptop_may_come_last_and_the_mode_waits_for_it(day: Day) -> None:
    await three_tails(day)
    before = rows(day.office)
    restore(day.office, day.backup)
    begin(day.office)
    for laptop in (day.alex, day.bea):
        await gives_back(laptop)
    look = status(day.office)
    assert look.missing == [day.ruth.box.device]
    with pytest.raises(HubTrouble, match="1 laptop has not reported yet"):
        end(day.office)
    await gives_back(day.ruth)
    await day.end()
    assert rows(day.office) == before
    await agree(*day.all)


async def test_ended_without_the_newest_laptop_it_can_be_begun_again_while_nothing_new_was_numbered(day: Day) -> None:
    await three_tails(day)
    before = rows(day.office)
    restore(day.office, day.backup)
    begin(day.office)
    for laptop in (day.alex, day.bea):
        await gives_back(laptop)
    end(day.office, anyway=True)
    result = await day.ruth.sync_somehow()
    assert result.alarms[0].startswith("The central store has fewer changes of a casebook than this laptop has already seen from it")
    assert "ruth two, which nobody else has" in day.ruth.titles(day.keira)
    begin(day.office)
    for laptop in day.all:
        await gives_back(laptop)
    await day.end()
    assert rows(day.office) == before
    await agree(*day.all)


async def test_a_store_that_was_not_put_into_recovery_mode_is_noticed_and_healed_afterwards(day: Day) -> None:
    await three_tails(day)
    before, words = rows(day.office), day.ruth.digest()
    restore(day.office, day.backup)
    result = await day.ruth.sync_somehow()
    assert any("may have been put back to an older state" in alarm for alarm in result.alarms)
    assert day.ruth.digest() == words, "everything is still here"
    begin(day.office)
    for laptop in day.all:
        await gives_back(laptop)
    await day.end()
    assert rows(day.office) == before
    assert (await day.ruth.counts()).troubled == ()
    await agree(*day.all)


async def test_numbers_that_were_given_anew_are_never_overwritten_and_everybody_is_told(day: Day) -> None:
    """Bea had not seen today's notes, so the restored store took hers at a number that Alex's had before."""
    day.alex.write(day.keira, "alex, before the accident")
    await day.alex.sync()
    restore(day.office, day.backup)
    day.bea.write(day.keira, "bea, after it")
    await day.bea.sync()
    anew = rows(day.office)
    begin(day.office)
    said = await gives_back(day.alex)
    assert NUMBERED_ANEW in said
    assert "given back" not in said
    await gives_back(day.bea)
    await gives_back(day.ruth)
    assert rows(day.office) == anew, "nothing was replaced"
    look = status(day.office)
    assert look.others == [day.alex.book(day.keira)]
    assert (await day.alex.counts()).troubled == (NUMBERED_ANEW,)
    assert day.alex.titles(day.keira)[-1] == "alex, before the accident"
    end(day.office)
    await day.bea.sync()
    assert day.bea.titles(day.keira)[-1] == "bea, after it"


async def test_a_casebook_that_comes_back_owes_a_key_where_a_reader_was_revoked_meanwhile(day: Day) -> None:
    """The directory comes back first, when the store does not know yet that Bea reads the new casebook."""
    tobias = day.alex.add(TOBIAS)
    await day.alex.sync()
    await day.ruth.sync()
    await organising.revoke(day.ruth.box, day.ruth.client, [day.bea.box.device])
    ends = lanes(day.office)
    assert (day.alex.book(tobias),) in ends, "it owes a key"
    restore(day.office, day.backup)
    begin(day.office)
    for laptop in (day.ruth, day.alex):
        await gives_back(laptop)
    assert lanes(day.office) == ends
    end(day.office)
    await day.alex.sync()
    assert day.bea.box.device not in day.alex.members(day.alex.book(tobias))
    assert (day.alex.book(tobias),) not in lanes(day.office)


async def test_a_casebook_that_was_given_its_key_since_the_backup_owes_none_when_it_is_back(day: Day, tmp_path: Path) -> None:
    await organising.revoke(day.ruth.box, day.ruth.client, [day.bea.box.device])
    (tmp_path / "later").mkdir()
    backup = back_up(day.office, tmp_path / "later")
    assert (day.alex.book(day.keira),) in lanes(day.office), "it owes a key"
    await day.alex.sync()
    ends = lanes(day.office)
    restore(day.office, backup)
    begin(day.office)
    for laptop in (day.alex, day.ruth):
        await gives_back(laptop)
    assert lanes(day.office) == ends
    assert (day.alex.book(day.keira),) not in ends


def ruth_is_numbered_after_a_lost_answer(day: Day, *, and_is_cut_off: bool = False) -> None:
    """Let Alex's change get its number, which he never hears, while Ruth's next sync sends; then her line may be gone as well."""
    day.alex.write(day.keira, "alex, whose answer was lost")
    day.ruth.write(day.keira, "ruth, numbered after it")
    push = day.ruth.client.push

    async def after_alex(runs: tuple[wire.Run, ...]) -> wire.Pushed:
        day.ruth.client.push = push  # type: ignore[method-assign]
        day.alex.line.after = lambda number: day.alex.line.requests[-1] == "POST /v1/push"
        with pytest.raises(Offline):
            await day.alex.sync_somehow()
        pushed = await push(runs)
        day.ruth.line.before = lambda number: and_is_cut_off
        return pushed

    day.ruth.client.push = after_alex  # type: ignore[method-assign]


async def test_what_stands_between_is_fetched_at_once_so_that_a_lost_answer_leaves_no_gap_in_a_restored_store(day: Day) -> None:
    """Alex does not know his numbers, and Ruth's come after them: had she not fetched his, hers could not have come back either."""
    ruth_is_numbered_after_a_lost_answer(day)
    assert (await day.ruth.sync()).sent == 1
    assert day.ruth.titles(day.keira)[-2:] == ["alex, whose answer was lost", "ruth, numbered after it"]
    day.alex.line.after = lambda number: False
    before = rows(day.office)
    restore(day.office, day.backup)
    begin(day.office)
    for laptop in day.all:
        await gives_back(laptop)
    assert status(day.office).missing == []
    await day.end()
    assert rows(day.office) == before
    await agree(*day.all)
    assert day.alex.titles(day.keira).count("alex, whose answer was lost") == 1


async def test_a_receipt_counts_only_once_what_stands_before_it_is_here_so_that_a_restored_store_never_waits_for_it(day: Day) -> None:
    """Ruth is cut off between her receipt and what stands before it, and the store is lost in that second: she had said nothing."""
    ruth_is_numbered_after_a_lost_answer(day, and_is_cut_off=True)
    with pytest.raises(Offline):
        await day.ruth.sync()
    assert day.ruth.where(day.keira)[-1] == day.alex.where(day.keira)[-1] == "here"
    day.ruth.line.before = day.alex.line.after = lambda number: False
    restore(day.office, day.backup)
    begin(day.office)
    for laptop in day.all:
        await gives_back(laptop)
    await day.end()
    await agree(*day.all)
    assert sorted(day.bea.titles(day.keira)) == ["alex, whose answer was lost", "before the backup", "ruth, numbered after it"]
    assert day.ruth.where(day.keira)[-1] == day.alex.where(day.keira)[-1] == "on the central store"


async def test_a_laptop_that_lies_about_what_was_numbered_is_refused(day: Day) -> None:
    """Alex wants a note to have been numbered before the accident that never was, and Ruth's not to have been."""
    day.ruth.write(day.keira, "ruth, numbered")
    await day.ruth.sync()
    await day.alex.sync()
    book = day.alex.book(day.keira)
    restore(day.office, day.backup)
    begin(day.office)
    true = await day.alex.box.tail(book, (await stand(day, book)).n)
    assert true is not None
    forged = await forgery(day, book)
    for back in (
        forged,
        msgspec.structs.replace(forged, receipt=true.receipt),
        msgspec.structs.replace(forged, receipt=b""),
        msgspec.structs.replace(forged, changes=(msgspec.structs.replace(forged.changes[0], n=99),), receipt=true.receipt),
    ):
        outcome = await day.alex.client.give_back(back)
        assert outcome.code in ("not_vouched", "moved")
    assert {alarm.code for alarm in day.office.hub.alarms()} == {"not_vouched"}
    for laptop in day.all:
        await gives_back(laptop)
    await day.end()
    assert [title for title in day.bea.titles(day.keira) if "ruth" in title] == ["ruth, numbered"]


async def test_a_forged_receipt_moves_no_goal(day: Day) -> None:
    restore(day.office, day.backup)
    begin(day.office)
    (held, *_) = await day.alex.box.holdings()
    for lie in (
        wire.Holding(held.book, held.n + 5, held.digest, held.last, held.received_ms, held.receipt),
        wire.Holding(held.book, held.n, bytes(32), held.last, held.received_ms, held.receipt),
        wire.Holding(held.book, held.n, held.digest, held.last, held.received_ms, bytes(64)),
    ):
        with pytest.raises(Refused) as refused:
            await day.alex.client.report(wire.Report((lie,), ()))
        assert refused.value.code == "not_vouched"
    assert status(day.office).books == []


async def test_a_laptop_whose_report_was_refused_is_waited_for(day: Day) -> None:
    """Taken for one that has nothing to give, it would have its numbers given a second time when the recovery ends."""
    day.alex.write(day.keira, "of the day after the backup")
    await day.alex.sync()
    restore(day.office, day.backup)
    begin(day.office)
    held = {one.book: one for one in await day.alex.box.holdings()}[day.alex.book(day.keira)]
    bent = wire.Holding(held.book, held.n, held.digest, held.last, held.received_ms + 1, held.receipt)
    with pytest.raises(Refused) as refused:
        await day.alex.client.report(wire.Report((bent,), ()))
    assert refused.value.code == "not_vouched"
    for laptop in (day.ruth, day.bea):
        await gives_back(laptop)
    assert status(day.office).missing == [day.alex.box.device]
    with pytest.raises(HubTrouble, match="1 laptop has not reported yet"):
        end(day.office)
    await gives_back(day.alex)
    await day.end()


async def test_what_a_laptop_has_proved_is_waited_for_until_it_is_here(day: Day) -> None:
    """Alex's laptop shows its receipt and is shut before it gives the change: everybody has reported, and something is missing."""
    day.alex.write(day.keira, "of the day after the backup")
    await day.alex.sync()
    before, book = rows(day.office), day.alex.book(day.keira)
    restore(day.office, day.backup)
    begin(day.office)
    for laptop in (day.ruth, day.bea):
        await gives_back(laptop)
    here = await stand(day, book)
    look = status(day.office)
    assert look.missing == []
    assert [(one.book, one.n, one.goal_n) for one in look.books] == [(book, here.n, here.n + 1)]
    with pytest.raises(HubTrouble, match=r"1 book is not as far as a laptop has proved\. Nothing was changed\. Wait for one"):
        end(day.office)
    await gives_back(day.alex)
    await day.end()
    assert rows(day.office) == before


async def test_true_changes_with_a_false_signature_or_seal_size_are_refused(day: Day) -> None:
    day.alex.write(day.keira, "one")
    await day.alex.sync()
    book = day.alex.book(day.keira)
    restore(day.office, day.backup)
    begin(day.office)
    tail = await day.alex.box.tail(book, (await stand(day, book)).n)
    assert tail is not None
    (kept,) = tail.changes
    for body, signature, code in (
        (bytes(kept.header[81] + 32), kept.signature, "wrong_size"),
        (b"\0\0\0\1" + bytes(int.from_bytes(kept.header[78:82], "big") + 28), bytes(64), "bad_signature"),
        (b"\0\0\0\1" + bytes(int.from_bytes(kept.header[78:82], "big") + 28), b"", "bad_signature"),
        (b"\0\0\0\7" + bytes(int.from_bytes(kept.header[78:82], "big") + 28), kept.signature, "not_allowed"),
    ):
        item = wire.Numbered(kept.n, kept.header, body, signature, kept.received_ms)
        outcome = await day.alex.client.give_back(wire.Returned(book, (item,), tail.receipt))
        assert outcome.code == code, outcome.sentence


async def test_a_lane_comes_back_without_a_gap_and_whole_runs_of_it_whatever_receipt_is_with_it(day: Day) -> None:
    """The receipt is the store's own, for numbers that it can never have given: a writer's changes have followed one another."""
    book = day.alex.book(day.keira)
    restore(day.office, day.backup)
    begin(day.office)
    here = await stand(day, book)

    def back(*places: tuple[int, int, bytes], signed: tuple[int, ...] = (2,)) -> wire.Returned:
        """Return two changes of Alex's, each at a lane and a place in it, after a change; `signed` says which end a run."""
        items: list[wire.Numbered] = []
        digest, last = here.digest, b""
        for at, (lane, seq, prev) in enumerate(places, start=1):
            header = change.Header(change.Kind.CONTENT, book, day.alex.box.device, lane, seq, prev or last, 256, bytes(32)).pack()
            last = change.change_id(header)
            digest = change.next_digest(digest, last, here.n + at)
            signature = day.alex.box.sign(proof.HEAD, last) if at in signed else b""
            items.append(wire.Numbered(here.n + at, header, b"\0\0\0\1" + bytes(256 + wire.SEAL_OVERHEAD - 4), signature, 5))
        message = wire.receipt_message(book, last, here.n + len(items), digest, 5)
        return wire.Returned(book, tuple(items), day.office.hub._hub._key.sign(wire.RECEIPT + message))

    other = bytes([1] * 32)
    for broken in (
        back((77, 2, other), (77, 3, b"")),
        back((77, 1, change.FIRST), (77, 3, b"")),
        back((77, 1, change.FIRST), (77, 2, other)),
        back((77, 1, change.FIRST), (78, 1, change.FIRST)),
    ):
        outcome = await day.alex.client.give_back(broken)
        assert outcome.code == "broken_chain", outcome.sentence
    outcome = await day.alex.client.give_back(back((77, 1, change.FIRST), (77, 2, b""), signed=(1,)))
    assert outcome.code == "bad_signature", "a run without its end"
    outcome = await day.alex.client.give_back(back((77, 1, change.FIRST), (77, 2, b"")))
    assert (outcome.code, outcome.last_n) == ("", here.n + 2), "nothing else is wrong with them"


async def test_a_laptop_restored_from_an_old_copy_meanwhile_harms_nothing(day: Day, tmp_path: Path) -> None:
    await day.alex.close()
    shutil.copytree(day.alex.folder, tmp_path / "alex of the morning")
    day.alex = day.team.alex = day.office.restart(day.alex)
    await three_tails(day)
    before = rows(day.office)
    await day.alex.close()
    shutil.rmtree(day.alex.folder)
    shutil.copytree(tmp_path / "alex of the morning", day.alex.folder)
    day.alex = day.team.alex = day.office.restart(day.alex)
    restore(day.office, day.backup)
    begin(day.office)
    assert "given back" not in await gives_back(day.alex), "it is as old as the backup"
    for laptop in (day.bea, day.ruth):
        await gives_back(laptop)
    await day.end()
    assert rows(day.office) == before
    day.alex.write(day.keira, "and on")
    await day.alex.sync()
    await day.ruth.sync()
    assert day.ruth.titles(day.keira)[-1] == "and on"
    assert day.office.hub.alarms() == []


async def test_a_change_whose_receipt_was_lost_on_the_way_comes_back_with_its_time(day: Day) -> None:
    """Alex knows its number from a later page only."""
    day.alex.write(day.keira, "its answer never arrived")
    day.alex.line.hang_up()
    day.alex.line.after = lambda number: day.alex.line.requests[number - 1] == "POST /v1/push"
    with pytest.raises(Offline):
        await day.alex.sync()
    day.alex.line.after = lambda number: False
    await day.alex.sync()
    await came_back(day, day.alex)


async def test_a_change_comes_back_with_the_seal_that_it_had_also_where_it_was_sealed_twice(day: Day) -> None:
    """The answer was lost, the key was changed, and the same change was sealed and sent again under the new one."""
    day.alex.write(day.keira, "sealed twice")
    day.alex.line.hang_up()
    day.alex.line.after = lambda number: day.alex.line.requests[number - 1] == "POST /v1/push"
    with pytest.raises(Offline):
        await day.alex.sync()
    day.alex.line.after = lambda number: False
    await rotate(day.ruth, day.keira)
    (run,) = await day.alex.box.unsent(10, frozenset())
    state = await day.ruth.box.book_state(day.alex.book(day.keira))
    again = BookKey(run.book, 2, state.keys[2])
    (outcome,) = (await day.alex.client.push((wire.Run(tuple((h, again.seal(h, b)) for h, b in run.changes), run.signature),))).outcomes
    assert not outcome.code, "it is recognised"
    first = change.unpack(run.changes[0][0])
    await day.alex.box.acknowledge(
        (Receipt(run.book, run.lane, first.seq, outcome.ns, outcome.last_n, outcome.digest, outcome.received_ms, outcome.receipt),)
    )
    for laptop in day.all:
        await laptop.sync()
    await came_back(day, day.alex)


async def test_a_change_that_was_put_aside_comes_back_as_it_was(day: Day) -> None:
    rogue = Rogue(day.alex, day.keira)
    await rogue.write(b"no words at all")
    for laptop in day.all:
        await laptop.sync()
    assert (await day.ruth.counts()).put_aside == 1
    await came_back(day, day.ruth)


async def came_back(day: Day, laptop: Laptop) -> None:
    """Restore the store and let one laptop give everything back; then it is as it was."""
    before = rows(day.office)
    restore(day.office, day.backup)
    begin(day.office)
    assert "given back" in await gives_back(laptop)
    assert rows(day.office) == before


async def test_the_mode_is_begun_and_ended_in_words(team_on: Team) -> None:
    office = team_on.office
    with pytest.raises(HubTrouble, match="is not in recovery mode"):
        end(office)
    with pytest.raises(Refused) as refused:
        await team_on.alex.client.report(wire.Report((), ()))
    assert refused.value.code == "not_recovering"
    first = begin(office)
    assert begin(office).begun_ms == first.begun_ms, "begun twice is begun once"
    assert sorted(first.missing) == sorted(laptop.box.device for laptop in (team_on.ruth, team_on.alex))
    assert end(office, anyway=True).begun_ms == 0


async def stand(day: Day, book: bytes) -> wire.Stand:
    """Return where the store stands with a casebook."""
    holdings = tuple(wire.Holding(h.book, h.n, h.digest, h.last, h.received_ms, h.receipt) for h in await day.alex.box.holdings())
    answer = await day.alex.client.report(wire.Report(holdings, ()))
    return next(one for one in answer.books if one.book == book)


async def forgery(day: Day, book: bytes) -> wire.Returned:
    """Return a change that Alex signs now, at the next number that the restored store would give, with a made-up receipt."""
    here = await stand(day, book)
    body = b"\0" * 32
    header = change.Header(
        change.Kind.CONTENT, book, day.alex.box.device, 77, 1, change.FIRST, change.padded_size(len(body)), change.commitment(body)
    ).pack()
    identity = change.change_id(header)
    seal = (1).to_bytes(4, "big") + bytes(change.padded_size(len(body)) + wire.SEAL_OVERHEAD - 4)
    item = wire.Numbered(here.n + 1, header, seal, day.alex.box.sign(proof.HEAD, identity), 5)
    digest = change.next_digest(here.digest, identity, here.n + 1)
    receipt = day.alex.box.sign(wire.RECEIPT, wire.receipt_message(book, identity, here.n + 1, digest, 5))
    return wire.Returned(book, (item,), receipt)
