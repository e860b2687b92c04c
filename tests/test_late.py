"""What somebody had written when they lost a casebook is handed in, checked, and taken in by name; nothing is lost."""

from __future__ import annotations

import msgspec
import pytest

from leadworker import change
from leadworker.crypto.late import seal_late
from leadworker.domain import alerts, journal, late, sending
from leadworker.domain.journal import NewEntry
from leadworker.errors import Offline, Refused
from leadworker.statements import Role
from storage import handing_in, mending, vault_file
from sync import late as post
from sync import organising, wire
from sync.runner import HANDED_IN, TO_HAND_IN, Runner
from tests.laptops import ALEX, BEA, KEIRA, RUTH, TOBIAS, Laptop, Team, add_member, agree, hand_over, remove_member

pytest_plugins = ["tests.laptop_fixtures"]


async def a_leaver(team: Team) -> tuple[Laptop, Laptop, str]:
    """Return Alex, who leads, Bea, who was taken out and knows of it, and Keira of whom Bea wrote meanwhile."""
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await bea.sync()
    bea.write(keira, "sent in time")
    await bea.sync()
    bea.write(keira, "On my last day", said="I will miss you.")
    await remove_member(alex, keira, bea)
    await bea.sync()
    return alex, bea, keira


async def handed_in(team: Team) -> tuple[Laptop, Laptop, str]:
    alex, bea, keira = await a_leaver(team)
    bea.desk.do_now(late.hand_in, keira)
    await bea.sync()
    return alex, bea, keira


async def test_what_was_written_before_one_knew_is_handed_in_to_who_decides_and_taken_in_by_name(team: Team) -> None:
    alex, bea, keira = await a_leaver(team)
    assert (await bea.counts()).late == 1
    state = await Runner(bea.box, bea.new_client(), bea.clock, bea.desk.ring).sync_now()
    assert (state.word, state.waiting, state.late, state.sentence) == ("up to date", 0, 1, TO_HAND_IN), "and not that all was sent"
    assert bea.desk.ask_now(late.handed_in, keira) is None
    bea.desk.do_now(late.hand_in, keira)
    await bea.sync()
    handed = bea.desk.ask_now(late.handed_in, keira)
    assert handed is not None
    assert handed.to == (ALEX, RUTH)
    assert (await bea.counts()).late == 0
    state = await Runner(bea.box, bea.new_client(), bea.clock, bea.desk.ring).sync_now()
    assert (state.sentence, state.handed_in) == (HANDED_IN, 1), "and not that everything is on the central store"
    (why,) = {row.why for row in bea.desk.ask_now(sending.waiting)} | {bea.desk.ask_now(sending.why_of, keira)}
    assert f"so this was handed in to {ALEX}, {RUTH}, " in why and "“leadworker hand-in”" not in why
    assert bea.titles(keira)[-1] == "On my last day", "it stays with who wrote it"
    assert team.office.store_holds("On my last day", "miss you") == []

    await alex.sync()
    (came,) = alex.desk.ask_now(late.waiting)
    assert (came.name, came.person, came.entries, came.others) == (BEA, KEIRA, ("On my last day",), 0)
    assert "On my last day" not in alex.titles(keira), "not in the record before somebody takes it in"
    assert alex.desk.do_now(late.take_in, came.id) == late.TakenIn(1, 0, 0)
    (entry,) = [one for one in alex.timeline(keira) if one.title == "On my last day"]
    assert (entry.said, entry.taken_in_from, entry.by_me) == ("I will miss you.", BEA, True)
    original = next(one for one in bea.timeline(keira) if one.title == "On my last day")
    assert (entry.taken_in_ms, entry.happened_ms) == (original.made_at, original.happened_ms)
    assert alex.desk.ask_now(late.waiting) == ()
    await alex.sync()
    await team.ruth.sync()
    assert "On my last day" in team.ruth.titles(keira)
    await agree(alex, team.ruth)


async def test_what_did_not_reach_the_store_is_not_taken_for_handed_in(team: Team) -> None:
    alex, bea, keira = await a_leaver(team)
    bea.desk.do_now(late.hand_in, keira)
    bea.line.before = lambda number: bea.line.requests[number - 1] == "POST /v1/late"
    with pytest.raises(Offline):
        await bea.sync()
    assert bea.desk.ask_now(late.handed_in, keira) is None
    assert (await bea.counts()).late == 1
    bea.line.before = lambda number: False
    await bea.sync()
    await alex.sync()
    (came,) = alex.desk.ask_now(late.waiting)
    assert came.entries == ("On my last day",)


async def test_the_store_keeps_it_until_every_recipient_has_it_and_no_longer(team: Team) -> None:
    alex, _, _ = await handed_in(team)
    for laptop in (alex, team.ruth):
        assert (await laptop.client.news()).late == 1
        await laptop.sync()
        assert (await laptop.client.news()).late == 0
        assert len(laptop.desk.ask_now(late.waiting)) == 1


async def test_a_revoked_laptop_hands_in_what_it_had_and_gets_nothing(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    alex.write(keira, "before the laptop was reported")
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    with pytest.raises(Refused) as refused:
        await alex.sync()
    assert refused.value.code == "device_revoked"
    counts = await alex.counts()
    assert (counts.waiting, counts.late) == (0, 0), "it is handed in without being asked for"
    handed = alex.desk.ask_now(late.handed_in, keira)
    assert handed is not None and handed.to == (RUTH,)
    await ruth.sync()
    (came,) = ruth.desk.ask_now(late.waiting)
    assert (came.name, came.entries) == (ALEX, ("before the laptop was reported",))
    ruth.desk.do_now(late.take_in, came.id)
    assert ruth.titles(keira) == ["before the laptop was reported"]


async def test_other_changes_come_along_and_what_is_handed_in_twice_is_there_once(team: Team) -> None:
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await bea.sync()
    bea.desk.do_now(lambda shelf: alerts.raise_alert(shelf, keira, "A dog in the yard"))
    bea.desk.do_now(journal.write, NewEntry(keira, title="The dog"))
    await remove_member(alex, keira, bea)
    await bea.sync()
    answered = bea.client.hand_in

    async def lost(item: wire.Late) -> None:
        bea.client.hand_in = answered  # type: ignore[method-assign]
        await answered(item)
        await answered(item)

    bea.client.hand_in = lost  # type: ignore[method-assign]
    bea.desk.do_now(late.hand_in, keira)
    await bea.sync()
    await alex.sync()
    (came,) = alex.desk.ask_now(late.waiting)
    taken = alex.desk.do_now(late.take_in, came.id)
    assert (taken.entries, taken.unread) == (1, 0)
    assert taken.others >= 1
    assert any(line.text == "A dog in the yard" for line in alex.desk.ask_now(alerts.at_the_door, keira))


async def test_what_a_restored_laptop_wrote_in_two_lanes_is_handed_in_to_the_last_word(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of the first lane than one submission holds: the second lane waits its turn, and takes nothing of the first away."""
    alex, bea, keira = await a_leaver(team)
    for number in range(3):
        bea.write(keira, f"first lane {number}")
    bea.vault.submit(lambda: mending.with_new_lane(bea.vault.connection)).result()
    await bea.close()
    bea = team.office.restart(bea)
    bea.write(keira, "second lane")
    lanes = "SELECT l.lane FROM lane l JOIN book b ON b.no = l.book_no WHERE l.mine = 1 AND l.lane > 0 AND b.id = ?"
    assert len(bea.sql(lanes, bea.book(keira))) == 2
    monkeypatch.setattr(handing_in, "MOST", 2)
    bea.desk.do_now(late.hand_in, keira)
    for _ in range(4):
        await bea.sync()
    assert (await bea.counts()).late == 0
    await alex.sync()
    handed = [title for one in alex.desk.ask_now(late.waiting) for title in one.entries]
    assert handed == ["On my last day", "first lane 0", "first lane 1", "first lane 2", "second lane"]


async def test_who_may_only_read_now_shows_what_was_taken_in_of_theirs_as_a_rebuild_makes_it(team: Team) -> None:
    """The same alert was begun twice: by Bea, who could not send it any more, and by Alex, who took it in."""
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await bea.sync()
    bea.desk.do_now(alerts.raise_alert, keira, "A dog in the yard")
    await add_member(alex, keira, bea, Role.READ_ONLY)
    await bea.sync()
    bea.desk.do_now(late.hand_in, keira)
    await bea.sync()
    await alex.sync()
    (came,) = alex.desk.ask_now(late.waiting)
    alex.desk.do_now(late.take_in, came.id)
    await alex.sync()
    await bea.sync()
    assert bea.sql("SELECT made_by FROM alert") == alex.sql("SELECT made_by FROM alert") == [(alex.box.device.hex(),)]
    shown = bea.digest()
    assert await bea.check() == shown


async def test_what_one_of_them_took_in_is_not_taken_in_again_by_another(team: Team) -> None:
    alex, _, keira = await handed_in(team)
    await alex.sync()
    await team.ruth.sync()
    (came,) = alex.desk.ask_now(late.waiting)
    assert alex.desk.do_now(late.take_in, came.id).entries == 1
    await alex.sync()
    await team.ruth.sync()
    (still,) = team.ruth.desk.ask_now(late.waiting)
    made = team.ruth.desk.do_now(late.take_in, still.id)
    assert made == late.TakenIn(0, 0, 0, there=1)
    assert made.rest() == " 1 entry stands in the record already; nothing was written twice."
    assert team.ruth.titles(keira).count("On my last day") == 1
    assert team.ruth.desk.ask_now(late.waiting) == (), "and it is off the list"


async def test_what_its_writer_sent_since_is_not_taken_in_beside_it(team: Team) -> None:
    alex, bea, keira = await handed_in(team)
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await bea.sync()
    await alex.sync()
    (came,) = alex.desk.ask_now(late.waiting)
    assert alex.desk.do_now(late.take_in, came.id).there == 1
    assert alex.titles(keira).count("On my last day") == 1


async def test_who_is_let_in_again_sends_it_themselves(team: Team) -> None:
    alex, bea, keira = await handed_in(team)
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await bea.sync()
    assert bea.where(keira)[-1] == "on the central store"
    assert (await bea.counts()).late == 0
    for laptop in (alex, team.ruth):
        await laptop.sync()
        assert laptop.titles(keira)[-1] == "On my last day"
    await agree(alex, bea, team.ruth)


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        ("a word", "it cannot be opened"),
        ("another sender", "it cannot be opened"),
        ("a stranger", "the directory does not name the laptop"),
        ("another casebook", "the laptop never read this casebook"),
    ],
)
async def test_a_store_that_forges_a_late_submission_is_found_out(team: Team, bend: str, why: str) -> None:
    alex, _, _ = await handed_in(team)
    tobias = alex.add(TOBIAS)
    honest = alex.client.late

    async def forged() -> wire.LateItems:
        (item,) = (await honest()).items
        alex.client.late = honest  # type: ignore[method-assign]
        match bend:
            case "a word":
                return wire.LateItems((msgspec.structs.replace(item, sealed=item.sealed[:-1] + bytes([item.sealed[-1] ^ 1])),))
            case "another sender":
                return wire.LateItems((msgspec.structs.replace(item, sender=team.ruth.box.device),))
            case "a stranger":
                return wire.LateItems((msgspec.structs.replace(item, sender=bytes(16)),))
            case _:
                return wire.LateItems((msgspec.structs.replace(item, book=alex.book(tobias)),))

    alex.client.late = forged  # type: ignore[method-assign]
    result = await alex.sync_somehow()
    (alarm,) = result.alarms
    assert f": {why}." in alarm
    assert "everything here is safe" in alarm
    assert ("is not what its writer signed" in alarm) == (bend in ("a word", "another sender"))
    assert alex.desk.ask_now(late.waiting) == ()


async def test_a_store_that_hands_the_same_thing_out_for_ever_is_not_listened_to_for_ever(team: Team) -> None:
    alex, _, _ = await handed_in(team)
    page, asked = await alex.client.late(), 0

    async def again(_: tuple[bytes, ...] = ()) -> wire.LateItems:
        nonlocal asked
        asked += 1
        assert asked < 5, "the sync would never end"
        return page

    alex.client.late = again  # type: ignore[assignment,method-assign]
    alex.client.late_taken = again  # type: ignore[method-assign]
    await alex.sync()
    (came,) = alex.desk.ask_now(late.waiting)
    assert came.entries == ("On my last day",), "what it hands out is there once"


async def test_what_this_version_cannot_read_waits_and_what_it_can_read_is_taken_in_once(team: Team) -> None:
    """A colleague's newer leadworker wrote one of two things; an older one takes in the other, and throws nothing away."""
    alex, _, keira = await handed_in(team)
    await alex.sync()
    (kept,) = alex.desk.ask_now(lambda shelf: shelf.kept(late.DRAWER)).items()
    submission = msgspec.msgpack.decode(kept[1], type=late.Submission)
    newer = change.read_content(submission.bodies[0])
    newer = msgspec.structs.replace(newer, schema=change.SCHEMA + 1)
    both = msgspec.structs.replace(submission, bodies=(*submission.bodies, change.write_content(newer, bytes(16))))
    alex.desk.do_now(lambda shelf: shelf.keep(late.DRAWER, kept[0], msgspec.msgpack.encode(both)))
    assert alex.desk.do_now(late.take_in, kept[0]) == late.TakenIn(1, 0, 1)
    (waits,) = alex.desk.ask_now(late.waiting)
    assert (waits.entries, waits.others) == ((), 1)
    assert alex.desk.do_now(late.take_in, kept[0]) == late.TakenIn(0, 0, 1)
    assert alex.titles(keira).count("On my last day") == 1


async def test_what_came_before_one_s_own_news_waits_at_the_store_until_they_are_here(team: Team) -> None:
    """Ruth's laptop cannot receive the casebook just now: what was handed in for it is neither taken in nor lost."""
    alex, bea, keira = await a_leaver(team)
    ruth = team.ruth
    await ruth.sync()
    bea.desk.do_now(late.hand_in, keira)
    await bea.sync()
    alex.write(keira, "so that there is news", "and more")
    await alex.sync()
    honest = ruth.client.changes

    async def stuck(book: bytes, after: int) -> wire.Page:
        page = await honest(book, after)
        return page if book != ruth.book(keira) else msgspec.structs.replace(page, changes=page.changes[1:])

    ruth.client.changes = stuck  # type: ignore[method-assign]
    await ruth.sync_somehow()
    assert ruth.desk.ask_now(late.waiting) == ()
    ruth.client.changes = honest  # type: ignore[method-assign]
    await ruth.sync()
    (came,) = ruth.desk.ask_now(late.waiting)
    assert came.entries == ("On my last day",)


async def test_more_than_one_submission_holds_is_handed_in_whole_also_after_the_vault_was_put_back(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Bea wrote stands in two lanes, and more in the first than goes at once: none of it is taken for handed in."""
    monkeypatch.setattr(handing_in, "MOST", 2)
    alex, bea, keira = await a_leaver(team)
    for title in ("two", "three"):
        bea.write(keira, title)
    (bea.folder / vault_file.RESTORED).write_bytes(b"put back from a backup")
    await bea.close()
    bea = team.office.restart(bea)
    bea.write(keira, "four, in the new lane")
    bea.desk.do_now(late.hand_in, keira)
    await bea.sync()
    assert (await bea.counts()).late > 0, "a part of it waits"
    for _ in range(3):
        await bea.sync()
    assert (await bea.counts()).late == 0
    await alex.sync()
    came = alex.desk.ask_now(late.waiting)
    assert sorted(title for one in came for title in one.entries) == ["On my last day", "four, in the new lane", "three", "two"]


async def test_what_could_not_be_taken_in_is_handed_in_again_and_is_there_once(team: Team) -> None:
    alex, bea, keira = await handed_in(team)
    await alex.sync()
    (first,) = alex.desk.ask_now(late.waiting)
    bea.desk.do_now(late.hand_in, keira, again=True)
    await bea.sync()
    await alex.sync()
    assert alex.desk.ask_now(late.waiting) == (msgspec.structs.replace(first, received_ms=alex.desk.ask_now(late.waiting)[0].received_ms),)


async def test_a_screen_hears_that_something_was_handed_in(team: Team) -> None:
    """The page said “i hands it in” for as long as it was looked at, because nothing rang."""
    _, bea, keira = await a_leaver(team)
    bea.desk.do_now(late.hand_in, keira)
    bea.bells.clear()
    await bea.sync()
    assert "late" in {topic for bell in bea.bells for topic in bell.topics}


async def test_there_is_nothing_to_hand_in_where_everything_goes_by_itself(team: Team) -> None:
    alex, bea, keira = await a_leaver(team)
    alex.write(keira, "not sent yet")
    with pytest.raises(Refused, match="goes to the central store by itself"):
        alex.desk.do_now(late.hand_in, keira)
    bea.desk.do_now(late.hand_in, keira)
    await bea.sync()
    with pytest.raises(Refused, match="was handed in already"):
        bea.desk.do_now(late.hand_in, keira)
    assert bea.desk.ask_now(lambda shelf: shelf.kept(late.TO_HAND_IN)) == {}


async def test_a_laptop_that_was_reported_offers_to_hand_in_and_says_why_nothing_goes(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    alex.write(keira, "before the laptop was reported")
    assert (await alex.counts()).late == 0 and not alex.desk.ask_now(late.may_hand_in, keira), "it only waits"
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    await alex.box.was_revoked(True)  # as the store says, and does not show
    assert alex.desk.ask_now(late.may_hand_in, keira)
    assert "“leadworker hand-in” hands it in" in alex.desk.ask_now(sending.why_of, keira)
    await alex.box.was_revoked(False)
    assert not alex.desk.ask_now(late.may_hand_in, keira), "a store that was wrong, or lied, has taken nothing away for good"


Signed = tuple[tuple[tuple[bytes, bytes], ...], bytes]
"""A run of a late submission: headers with their bodies, and the signature over the last."""


def sealed_by(sender: Laptop, to: Laptop, book: bytes, *runs: Signed) -> wire.LateItem:
    """Return runs as the store would hand them out, whether or not they hold."""
    plain = msgspec.msgpack.encode(post._Handed(runs))
    seals, sealed = seal_late(plain, book, sender.box.device, {to.box.device: to.box.unsealing_public})
    return wire.LateItem(bytes(16), book, sender.box.device, seals[0][1], sealed, 0)


async def test_a_member_in_league_with_the_store_cannot_hand_in_in_another_s_name(team: Team) -> None:
    """Ruth seals a submission to Alex with changes that Bea never wrote: only Bea's signature would make them hers."""
    alex, bea, keira = await handed_in(team)
    ruth = team.ruth
    await ruth.sync()
    state, directory = await ruth.box.book_state(ruth.book(keira)), await ruth.box.directory()
    assert directory is not None
    body = bytes(16) + b"\x90"
    header = change.Header(
        change.Kind.CONTENT, state.book, bea.box.device, 9, 1, change.FIRST, change.padded_size(len(body)), change.commitment(body)
    ).pack()
    signature = ruth.box.sign(wire.HEAD, change.change_id(header))

    here = await alex.box.book_state(state.book)
    for run, why in (
        ((((header, body),), signature), "the signature is not its writer's"),
        ((((header, body + b"x"),), signature), "words were altered"),
        (((), signature), "a part of it is empty"),
        ((((header[:-1], body),), signature), "cannot be read"),
    ):
        with pytest.raises(post.NotWhole, match=why):
            post._checked(sealed_by(bea, alex, state.book, run), here, directory, alex.box, BEA)


async def test_what_a_colleague_signed_is_taken_for_this_casebook_this_laptop_and_one_lane_without_a_gap(team: Team) -> None:
    """Bea's own signature vouches for all of it: words of another casebook, or with a hole in them, are not taken in for that."""
    alex, bea, keira = await handed_in(team)
    here, directory = await alex.box.book_state(alex.book(keira)), await alex.box.directory()
    assert directory is not None
    me, kind = bea.box.device, change.Kind.CONTENT
    body = bytes(16) + b"\x90"

    def signed(*bent: dict[str, object]) -> wire.LateItem:
        """Return a run of new changes in Bea's ninth lane, each bent in one field or none."""
        changes, before = [], change.FIRST
        for seq, values in enumerate(bent, start=1):
            whole = {"kind": kind, "book": here.book, "device": me, "lane": 9, "seq": seq, "prev": before, **values}
            header = change.Header(**whole, size=change.padded_size(len(body)), commitment=change.commitment(body)).pack()  # type: ignore[arg-type]
            before = change.change_id(header)
            changes.append((header, body))
        return sealed_by(bea, alex, here.book, (tuple(changes), bea.box.sign(wire.HEAD, before)))

    assert post._checked(signed({}, {}), here, directory, alex.box, BEA).bodies == (body, body), "nothing is wrong with it"
    for run in (({}, {"seq": 1, "prev": change.FIRST}), ({}, {}, {"seq": 2})):
        with pytest.raises(post.NotWhole, match="two changes of it stand at one place"):
            post._checked(signed(*run), here, directory, alex.box, BEA)
    statement: dict[str, object] = {"kind": change.Kind.GRANT, "lane": change.CONTROL_LANE}
    for elsewhere in ({"book": bytes(16)}, {"device": alex.box.device}, {"lane": 10}, statement):
        for run in ((elsewhere, {}), ({}, elsewhere), (statement, statement)):
            with pytest.raises(post.NotWhole, match="it is of another casebook or laptop"):
                post._checked(signed(*run), here, directory, alex.box, BEA)
    for gap in ({"seq": 4}, {"prev": bytes([1] * 32)}):
        with pytest.raises(post.NotYetWhole, match="a part of it is missing"):
            post._checked(signed({}, gap), here, directory, alex.box, BEA)
    lane, known = next((lane, known) for (device, lane), known in here.lanes.items() if device == me)
    forked = signed({"lane": lane, "seq": known.seq + 1, "prev": bytes([1] * 32)})
    with pytest.raises(post.NotYetWhole, match="a part of it is missing"):
        post._checked(forked, here, directory, alex.box, BEA)


async def test_a_colleague_who_may_only_read_hands_in_what_they_wrote_before(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await hand_over(ruth, keira, alex, ruth, then=Role.READ_ONLY)
    alex.write(keira, "before I knew that I may only read")
    await alex.sync()
    assert (await alex.counts()).late == 1
    alex.desk.do_now(late.hand_in, keira)
    await alex.sync()
    await ruth.sync()
    (came,) = ruth.desk.ask_now(late.waiting)
    assert came.entries == ("before I knew that I may only read",)


async def test_twenty_wait_at_most_and_the_words_stay_on_the_laptop(team: Team) -> None:
    _, bea, keira = await a_leaver(team)
    item = (await bea.box.book_state(bea.book(keira))).book
    for number in range(wire.MOST_LATE):
        await bea.client.hand_in(wire.Late(item, ((team.alex.box.device, bytes(80)),), bytes([number]) * 64))
    with pytest.raises(Refused) as refused:
        await bea.client.hand_in(wire.Late(item, ((team.alex.box.device, bytes(80)),), bytes(64)))
    assert "what is written is safe on the laptop" in refused.value.sentence
