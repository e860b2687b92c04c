"""A central store that lies to a laptop: each attack is told in words, changes nothing, and leaves the way open for the truth."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import seal_to
from leadworker.statements import BookStatement, Grant, Member, Membership, Role, Rotation
from sync import wire
from sync.receiving import NOT_SHOWN
from tests.evil_hub import SAFE, Case, Here, Rogue, altered, flipped, replace, spoken
from tests.laptops import ALEX, BEA, TOBIAS, Laptop, Line, add_member, agree, rotate

pytest_plugins = ["tests.laptop_fixtures"]


def against_the_rules(rule: str) -> str:
    return f"The central store has let through a change of members that is against the rules: {rule}. {SAFE}"


Lie = Callable[[Here, wire.Page], wire.Page]


def without(page: wire.Page, *gone: int) -> list[wire.Numbered]:
    return [item for at, item in enumerate(page.changes) if at not in gone]


def swapped(page: wire.Page, one: int, other: int) -> list[wire.Numbered]:
    items = list(page.changes)
    items[one], items[other] = items[other], items[one]
    return items


def header_flipped(at: int) -> Lie:
    return lambda here, page: here.retold(page, altered(page, 0, header=flipped(page.changes[0].header, at)).changes)


ORDER = "The central store has left out a change or changed their order."
MOVED = "The central store has left out or moved a change of one writer."
COUNT = "The central store has sent another number of changes than it says that there are."
DIGEST = "The central store counts a casebook's changes differently from what it has sent."
UNSIGNED = "The central store has sent changes without the signature that vouches for them."
FORGED = "The central store has sent changes whose signature is not their writer's."
UNREADABLE = "The central store has sent a change that this version cannot read."
MIXED = "The central store has mixed two casebooks."
ANNOUNCED = "The central store announced more changes of a casebook than it hands out."

PAGE_LIES: dict[str, tuple[Lie, str]] = {
    "drops one change": (lambda here, page: replace(page, changes=tuple(without(page, 1))), ORDER),
    "drops one change and counts anew": (lambda here, page: here.retold(page, without(page, 1)), MOVED),
    "drops a change inside a save": (lambda here, page: here.retold(page, without(page, 3)), MOVED),
    "drops the tail and keeps the number": (lambda here, page: replace(page, changes=page.changes[:2]), COUNT),
    "names a lower number than it sends": (lambda here, page: replace(page, n=page.n - 1), ANNOUNCED),
    "names a higher number than there is": (lambda here, page: replace(page, n=page.n + 1), COUNT),
    "says that there is more and hands out nothing": (lambda here, page: replace(page, changes=(), more=True), COUNT),
    "says that there is more when there is none": (lambda here, page: replace(page, more=True), COUNT),
    "drops the tail that it announced": (
        lambda here, page: here.retold(page, page.changes[:2]),
        ANNOUNCED,
    ),
    "changes the order": (lambda here, page: replace(page, changes=tuple(swapped(page, 0, 1))), ORDER),
    "changes the order and counts anew": (lambda here, page: here.retold(page, swapped(page, 0, 1)), MOVED),
    "repeats a change": (lambda here, page: here.retold(page, [*page.changes, page.changes[-1]]), MOVED),
    "begins again from the first": (lambda here, page: replace(page, changes=(replace(page.changes[0], n=1),)), ORDER),
    "names another running digest": (lambda here, page: replace(page, digest=bytes(32)), DIGEST),
    "has fewer changes than were seen": (
        lambda here, page: wire.Page((), here.n - 1, bytes(32), False, page.now_ms),
        ANNOUNCED,
    ),
    "sends a save's end without its beginning": (lambda here, page: here.retold(page, without(page, 2, 3)), MOVED),
    "sends a save's beginning without its end": (
        lambda here, page: replace(here.retold(page, page.changes[:3]), n=page.n, more=True),
        UNSIGNED,
    ),
    "takes a signature away": (lambda here, page: altered(page, 4, signature=b""), UNSIGNED),
    "alters a signature": (lambda here, page: altered(page, 0, signature=flipped(page.changes[0].signature, 5)), FORGED),
    "moves a save's signature to another save": (lambda here, page: altered(page, 0, signature=page.changes[4].signature), FORGED),
    "moves a signature into a save": (lambda here, page: altered(page, 2, signature=page.changes[4].signature), FORGED),
    "alters the header's magic": (header_flipped(0), UNREADABLE),
    "names another format": (header_flipped(1), UNREADABLE),
    "names a weaker suite": (header_flipped(2), UNREADABLE),
    "names another kind": (header_flipped(3), UNREADABLE),
    "names another casebook": (header_flipped(4), MIXED),
    "names another writer": (header_flipped(20), MOVED),
    "names another lane": (header_flipped(36), MOVED),
    "names the members' lane": (header_flipped(37), UNREADABLE),
    "names another place": (header_flipped(45), MOVED),
    "names another one before it": (header_flipped(46), MOVED),
    "names another size": (header_flipped(81), FORGED),
    "commits to other words": (header_flipped(82), FORGED),
    "cuts a header short": (lambda here, page: altered(page, 0, header=page.changes[0].header[:-1]), UNREADABLE),
}


@pytest.mark.parametrize("attack", PAGE_LIES)
async def test_a_page_that_lies_is_told_in_words_and_changes_nothing(case: Case, attack: str) -> None:
    lie, sentence = PAGE_LIES[attack]
    case.evil.page = lambda page: lie(case.here, page)
    if sentence != ANNOUNCED:  # a store that lies well lies in its news as well
        case.evil.news = lambda news: case.news_of(news, case.here.n + 1)
    await case.fails_with(f"{sentence} {SAFE}")


async def test_one_signature_vouches_for_every_change_before_it(case: Case) -> None:
    """A signature that is taken away in the middle takes nothing from the proof: the next one covers it (no attack)."""
    case.evil.page = lambda page: altered(page, 1, signature=b"")
    await case.ruth.sync()
    await case.comes_right()


async def test_a_save_is_not_broken_apart_by_something_in_its_middle(case: Case) -> None:
    between = await spoken(case.alex, case.ruth, case.book, Grant(1, {case.ruth.box.device: bytes(80)}), 0)
    case.evil.page = lambda page: case.here.retold(page, [*page.changes[:4], between, *page.changes[4:]])
    await case.fails_with(f"The central store has broken a colleague's changes apart. {SAFE}")


async def test_a_store_with_fewer_changes_than_were_seen(case: Case) -> None:
    case.evil.news = lambda news: case.news_of(news, 1)
    case.evil.page = lambda page: wire.Page((), 1, bytes(32), False, page.now_ms)
    await case.fails_with(
        "The central store has fewer changes of a casebook than this laptop has already seen from it: it may have been put back to "
        f"an older state. {SAFE}"
    )


async def test_a_casebook_that_is_left_out_whole(case: Case) -> None:
    case.evil.news = lambda news: replace(news, books=tuple(book for book in news.books if book.book != case.book))
    await case.fails_with(NOT_SHOWN)


async def test_another_history_behind_the_same_number(case: Case) -> None:
    case.evil.news = lambda news: case.news_of(news, case.here.n)
    await case.fails_with(f"The central store counts a casebook's changes differently from what it has shown this laptop before. {SAFE}")


async def test_a_change_of_another_casebook_is_not_slipped_in(case: Case) -> None:
    tobias = case.alex.add(TOBIAS)
    case.alex.write(tobias, "about Tobias")
    await case.alex.sync()
    other = await case.alex.client.changes(case.alex.book(tobias), 0)
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, other.changes[-1]])
    case.evil.news = lambda news: replace(news, books=tuple(b for b in news.books if b.book != case.alex.book(tobias)))
    await case.fails_with(f"{MIXED} {SAFE}")


BODY_LIES: dict[str, tuple[Callable[[bytes, bytes], bytes], str]] = {
    "alters the nonce": (lambda body, other: flipped(body, 5), "altered, or sealed with another key"),
    "alters the words": (lambda body, other: flipped(body, 40), "altered, or sealed with another key"),
    "alters the tag": (lambda body, other: flipped(body, -1), "altered, or sealed with another key"),
    "moves the seal of another change here": (lambda body, other: other, "altered, or sealed with another key"),
    "names a key that nobody has": (lambda body, other: bytes([0, 0, 0, 9]) + body[4:], "this laptop was not given the key"),
    "cuts the seal short": (lambda body, other: body[:-1], "not of the size that was signed, or larger than any change may be"),
    "sends no seal at all": (lambda body, other: b"", "not of the size that was signed, or larger than any change may be"),
}


@pytest.mark.parametrize("attack", BODY_LIES)
async def test_a_seal_that_does_not_open_is_put_aside_with_its_author_and_the_rest_goes_on(case: Case, attack: str) -> None:
    lie, why = BODY_LIES[attack]
    case.evil.page = lambda page: altered(page, 1, body=lie(page.changes[1].body, page.changes[0].body))
    await case.ruth.sync()
    (aside,) = await case.ruth.box.put_aside()
    assert (aside.written_by, aside.why, aside.book) == (ALEX, why, case.book)
    assert (await case.ruth.counts()).put_aside == 1
    assert case.ruth.titles(case.keira) == [title for title in case.alex.titles(case.keira) if title != "the third"]
    await case.ruth.check()


async def test_a_seal_is_not_moved_to_another_key(case: Case) -> None:
    await rotate(case.alex, case.keira)
    case.alex.write(case.keira, "sealed with the second key")
    await case.alex.sync()
    case.evil.page = lambda page: altered(page, -1, body=bytes([0, 0, 0, 1]) + page.changes[-1].body[4:])
    await case.ruth.sync()
    assert [aside.why for aside in await case.ruth.box.put_aside()] == ["altered, or sealed with another key"]
    assert "sealed with the second key" not in case.ruth.titles(case.keira)


async def test_the_key_inside_a_rotation_is_not_swapped(case: Case) -> None:
    await rotate(case.alex, case.keira)

    def swapped_key(page: wire.Page) -> wire.Page:
        at = next(at for at, item in enumerate(page.changes) if wire.unpack(item.header).kind == wire.Kind.ROTATION)
        return altered(page, at, body=flipped(page.changes[at].body, 120))

    case.evil.page = swapped_key
    await case.fails_with(against_the_rules("a statement whose body is not the one that was signed"))


Making = Callable[[Case, BookKey], Rotation]


def rotation(case: Case, key: BookKey, **given: object) -> Rotation:
    """Return a rotation to a key that is right in everything but what is given; the seal is for Ruth alone to try."""
    members = case.alex.members(case.book)
    seal = seal_to(case.ruth.box.unsealing_public, key.secret, key_info(case.book, key.epoch, case.ruth.box.device))
    said = Rotation(key.epoch, key.commitment(), dict.fromkeys(members, seal), bytes(80), bytes(60), case.alex.seen())
    return replace(said, **given)


ROTATIONS: dict[str, tuple[Making, str]] = {
    "forgets a member": (
        lambda case, key: rotation(case, key, seals={case.alex.box.device: bytes(80)}),
        against_the_rules("a new key goes to every member device and to nobody else"),
    ),
    "forgets escrow": (
        lambda case, key: rotation(case, key, escrow=b""),
        against_the_rules("a new key is sealed to escrow as well"),
    ),
    "skips a number": (
        lambda case, key: rotation(case, key, epoch=3),
        against_the_rules("a book's keys are numbered without a gap"),
    ),
    "leaves the ladder out": (
        lambda case, key: rotation(case, key, ladder=b""),
        against_the_rules("every key but the first carries the one before it"),
    ),
}


@pytest.mark.parametrize("attack", ROTATIONS)
async def test_a_new_key_that_is_not_what_it_must_be(case: Case, attack: str) -> None:
    """A member in league with the store: the signature is real, the key is not."""
    make, sentence = ROTATIONS[attack]
    said = make(case, BookKey(case.book, 2, bytes(range(32))))
    statement = await spoken(case.alex, case.ruth, case.book, said, 0)
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, statement])
    await case.fails_with(sentence)


async def add_of(case: Case, bea: Laptop, person: bytes = b"") -> Membership:
    """Return what lets Bea into the casebook."""
    directory, members = await bea.box.directory(), (await case.alex.box.book_state(case.book)).members
    assert directory is not None
    member = Member(bea.box.device, person or directory.devices[bea.box.device].statement.person, Role.SUPERVISOR)
    return Membership(directory.seen, (member,), (), members.lead)


async def add_as_somebody_else(case: Case, bea: Laptop) -> Membership:
    return await add_of(case, bea, person=bytes(16))


async def add_after_another_directory(case: Case, bea: Laptop) -> Membership:
    return replace(await add_of(case, bea), directory=(2, bytes(32)))


async def add_after_a_later_directory(case: Case, bea: Laptop) -> Membership:
    return replace(await add_of(case, bea), directory=(99, bytes(32)))


async def hand_bea_the_key(case: Case, bea: Laptop) -> Grant:
    return Grant(1, {bea.box.device: bytes(80)})


async def hand_out_a_key_that_there_is_not(case: Case, bea: Laptop) -> Grant:
    return Grant(2, {case.ruth.box.device: bytes(80)})


async def hand_alex_the_key(case: Case, bea: Laptop) -> Grant:
    return Grant(1, {case.alex.box.device: bytes(80)})


What = Callable[[Case, Laptop], Awaitable[BookStatement]]

SPEECHES: dict[str, tuple[str, What, str]] = {
    "by a colleague who is no member": (BEA, add_of, "only a member may change who reads a book"),
    "a device under another's name": (ALEX, add_as_somebody_else, "a member's device is not that person's in the directory"),
    "the key for somebody who is no member": (ALEX, hand_bea_the_key, "a key goes to member devices only"),
    "a key that the casebook never had": (
        ALEX,
        hand_out_a_key_that_there_is_not,
        "only a key that the book has or had is handed out",
    ),
    "after another directory": (ALEX, add_after_another_directory, "its writer was shown another directory"),
    "after a directory that is kept back here": (
        ALEX,
        add_after_a_later_directory,
        "its writer had seen more of the directory than was shown here",
    ),
}


@pytest.mark.parametrize("attack", SPEECHES)
async def test_a_statement_about_members_that_breaks_a_rule(case: Case, attack: str) -> None:
    who, what, rule = SPEECHES[attack]
    bea = await case.team.office.let_in(case.ruth, BEA)
    speaker = bea if who == BEA else case.alex
    statement = await spoken(speaker, case.ruth, case.book, await what(case, bea), 0)
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, statement])
    await case.fails_with(against_the_rules(rule))


@pytest.mark.parametrize("signature", [b"", bytes(64)])
async def test_a_silent_extra_member_that_nobody_signed(case: Case, signature: bytes) -> None:
    bea = await case.team.office.let_in(case.ruth, BEA)
    statement = await spoken(case.alex, case.ruth, case.book, await add_of(case, bea), 0)
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, replace(statement, signature=signature)])
    await case.fails_with(against_the_rules("the signature of a membership statement does not fit"))


async def test_a_silent_extra_member_that_a_stranger_signed(case: Case) -> None:
    stranger = case.team.office.laptop(BEA)
    said = Grant(1, {stranger.box.device: bytes(80)})
    statement = await spoken(stranger, case.ruth, case.book, said, 0)
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, statement])
    await case.fails_with(against_the_rules("the writer of a membership statement is not in the directory"))


@pytest.mark.parametrize(
    ("role", "what", "rule"),
    [
        (Role.READ_ONLY, add_of, "only the lead, a supervisor or a manager may change who reads a book"),
        (Role.READ_ONLY, hand_alex_the_key, "a read-only member hands keys to their own laptops only"),
        (Role.CO_WORKER, add_of, "only the lead, a supervisor or a manager may change who reads a book"),
    ],
)
async def test_a_member_says_what_they_may_not(case: Case, role: Role, what: What, rule: str) -> None:
    bea = await with_bea(case, role)
    statement = await spoken(bea, case.ruth, case.book, await what(case, bea), 0)
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, statement])
    await case.fails_with(against_the_rules(rule))


async def with_bea(case: Case, role: Role) -> Laptop:
    """Let Bea into the casebook, Ruth knowing of it, and leave one change that Ruth has not seen."""
    bea = await case.team.office.let_in(case.ruth, BEA)
    await case.alex.sync()
    await add_member(case.alex, case.keira, bea, role)
    for laptop in (bea, case.ruth):
        await laptop.sync()
    state = await case.ruth.box.book_state(case.book)
    case.here = Here(state.n, state.digest)
    case.alex.write(case.keira, "and another")
    await case.alex.sync()
    return bea


async def test_words_of_somebody_who_may_only_read_are_not_taken_from_a_store_that_lets_them_through(case: Case) -> None:
    bea = await with_bea(case, Role.READ_ONLY)
    item = await Rogue(bea, case.keira).numbered(0, bytes(200))
    case.evil.page = lambda page: case.here.retold(page, [*page.changes, item])
    await case.fails_with(f"The central store has let through a change by somebody who may not write in the casebook. {SAFE}")


@pytest.mark.parametrize("code", ["wrong_epoch", "key_owed"])
async def test_a_store_that_refuses_the_newest_key_over_and_over_is_asked_twice_and_the_words_wait_here(case: Case, code: str) -> None:
    """A key may have been changed meanwhile, so what waits is sealed again; once, or the laptop would be at it all night."""
    ruth, asked = case.ruth, 0
    await ruth.sync()

    async def refuse(runs: tuple[wire.Run, ...]) -> wire.Pushed:
        nonlocal asked
        asked += 1
        assert asked < 5
        return wire.Pushed(tuple(wire.Outcome(case.book, code, "Another key is in use.") for _ in runs), 0)

    ruth.write(case.keira, "sealed with the newest key there is")
    ruth.client.push = refuse  # type: ignore[method-assign]
    assert (await ruth.sync_somehow()).alarms == ("Another key is in use.",)
    assert (asked, ruth.where(case.keira)[-1]) == (2, "here")
    await ruth.tap(Line())
    await ruth.sync()
    assert ruth.where(case.keira)[-1] == "on the central store"
    await case.alex.sync()
    await agree(case.alex, ruth)
