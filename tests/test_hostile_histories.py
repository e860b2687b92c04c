"""A central store that shows two people two histories, forges receipts, or bends the directory or the time: all of it is told."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence

import httpx
import pytest

from leadworker.clock import LATEST_MS
from leadworker.crypto.identity import Identity
from leadworker.domain import readers
from leadworker.errors import HubMistrusted, Offline
from leadworker.shelf import UpTo
from leadworker.statements import DirectoryStatement, Enrol, Founding, Revoke, Role
from sync import wire
from sync.exchange import Result
from tests.evil_hub import SAFE, Case, Evil, Here, altered, flipped, replace, spoken
from tests.laptops import ALEX, BEA, CEM, TOBIAS, Laptop, Line, Team, add_member, agree

pytest_plugins = ["tests.laptop_fixtures"]

YEAR_S = 400 * 86_400
TELL = "Tell your administrator."

Items = Callable[[Sequence[wire.Numbered]], Sequence[wire.Numbered]]


async def with_bea(case: Case) -> Laptop:
    """Let Bea write in the casebook too; everybody has seen everything."""
    bea = await case.team.office.let_in(case.ruth, BEA)
    await case.alex.sync()
    await add_member(case.alex, case.keira, bea, Role.CO_WORKER)
    for laptop in (bea, case.ruth, case.alex):
        await laptop.sync()
    await stand(case)
    return bea


async def stand(case: Case) -> None:
    state = await case.ruth.box.book_state(case.book)
    case.here = Here(state.n, state.digest)


def retell(case: Case, order: Callable[[list[wire.Numbered]], list[wire.Numbered]]) -> None:
    """Show Ruth the changes in another order, in page and news alike, so that all adds up."""
    told: list[wire.Page] = []

    def page(page: wire.Page) -> wire.Page:
        told.append(case.here.retold(page, order(list(page.changes))))
        return told[-1]

    case.evil.page = page
    case.evil.news = lambda news: case.news_of(news, case.here.n + 1)


async def test_two_laptops_that_are_shown_two_histories_find_out_from_one_another(case: Case) -> None:
    bea, alex, ruth = await with_bea(case), case.alex, case.ruth
    alex.write(case.keira, "Alex, at noon")
    bea.write(case.keira, "Bea, at noon")
    for laptop in (bea, alex, bea):
        await laptop.sync()
    retell(case, lambda items: items[::-1])
    await ruth.sync()  # the two notes the other way round: nothing gives it away yet
    await stand(case)
    before = ruth.digest()
    ours, hers = upto(alex, case.keira), upto(ruth, case.keira)
    assert ours.n == hers.n
    assert ours.words != hers.words, "read out in supervision, they tell it before anything else does"
    assert upto(alex, case.keira, ours.n - 2) == upto(ruth, case.keira, ours.n - 2)
    alex.write(case.keira, "Alex, who had seen both")
    await alex.sync()
    retell(case, lambda items: items)
    result = await ruth.sync_somehow()
    (alarm,) = result.alarms
    assert alarm == (
        "The central store has shown two laptops two different histories of the same casebook. It is not synced any further; "
        f"everything here is safe. {TELL[:-1]}, and compare the check words with your colleague."
    )
    assert ruth.digest() == before
    assert (await ruth.sync_somehow()).alarms == result.alarms, "it stays stopped"
    ruth.write(case.keira, "work goes on here")
    assert ruth.where(case.keira)[-1] == "here"


async def test_a_change_is_not_numbered_before_what_its_author_had_seen(case: Case) -> None:
    bea, alex = await with_bea(case), case.alex
    bea.write(case.keira, "the question")
    for laptop in (bea, alex):
        await laptop.sync()
    alex.write(case.keira, "the answer")
    await alex.sync()
    retell(case, lambda items: items[1:])
    await case.fails_with(
        "The central store numbered a change before one that its author had already seen. This casebook is not synced any further; "
        f"everything here is safe. {TELL}"
    )


async def test_a_store_that_keeps_the_newest_back_is_only_late(case: Case) -> None:
    case.evil.page = lambda page: case.here.retold(page, page.changes[:1])
    case.evil.news = lambda news: case.news_of(news, case.here.n + 1)
    await case.ruth.sync()
    assert case.ruth.titles(case.keira) == ["the first", "the second"]
    ours, hers = upto(case.alex, case.keira), upto(case.ruth, case.keira)
    assert ours.n > hers.n, "two people who compare the numbers know that something is kept back"
    assert readers.compare(hers) == f"Up to change {hers.n}, to compare with a colleague: {' '.join(hers.words)}."
    assert upto(case.alex, case.keira, hers.n) == hers
    assert upto(case.ruth, case.keira, ours.n).words == ()
    await case.comes_right()
    assert len(ours.words) == 6
    assert upto(case.ruth, case.keira, ours.n) == ours


def upto(laptop: Laptop, person: str, n: int = 0) -> UpTo:
    """Return the words of a casebook that two people compare aloud."""
    return laptop.desk.ask_now(lambda shelf: shelf.upto(person, n))


RECEIPT_FORGED = "The central store's receipt is not signed as it must be. Everything is still here; it will be sent again."
DOES_NOT_FIT = "The central store's answer does not fit what was sent. Everything is still here; it will be sent again."
RECEIPTS_DIFFER = (
    "The central store's receipts do not fit one another or what it has sent. Nothing more is taken from it; everything is still "
    f"here. {TELL}"
)


def one(pushed: wire.Pushed, **values: object) -> wire.Pushed:
    return replace(pushed, outcomes=(replace(pushed.outcomes[0], **values), *pushed.outcomes[1:]))


RECEIPTS: dict[str, tuple[Callable[[wire.Pushed], wire.Pushed], str]] = {
    "forged": (lambda p: one(p, receipt=flipped(p.outcomes[0].receipt, 3)), RECEIPT_FORGED),
    "none": (lambda p: one(p, receipt=b""), RECEIPT_FORGED),
    "of the other casebook": (lambda p: one(p, receipt=p.outcomes[1].receipt), RECEIPT_FORGED),
    "outcomes in another order": (lambda p: replace(p, outcomes=p.outcomes[::-1]), RECEIPT_FORGED),
    "for another number": (lambda p: one(p, last_n=p.outcomes[0].last_n + 1), RECEIPT_FORGED),
    "with another digest": (lambda p: one(p, digest=bytes(32)), RECEIPT_FORGED),
    "at another time": (lambda p: one(p, received_ms=p.outcomes[0].received_ms + 1), RECEIPT_FORGED),
    "for fewer changes": (lambda p: one(p, ns=p.outcomes[0].ns[1:]), RECEIPT_FORGED),
    "for more changes": (lambda p: one(p, ns=(*p.outcomes[0].ns, 99)), RECEIPT_FORGED),
    "with numbers that do not grow": (lambda p: one(p, ns=(5, 5, p.outcomes[0].last_n)), RECEIPT_FORGED),
    "with a number below nothing": (lambda p: one(p, ns=(-3, -2, -1), last_n=-1), RECEIPT_FORGED),
    "with a number beyond counting": (lambda p: one(p, ns=(1, 2, 2**64 - 1), last_n=2**64 - 1), RECEIPT_FORGED),
    "at a time beyond counting": (lambda p: one(p, received_ms=2**64 - 1), RECEIPT_FORGED),
    "with a number that another change has": (lambda p: one(p, ns=(1, 2, p.outcomes[0].last_n)), RECEIPTS_DIFFER),
    "of one outcome for two": (lambda p: replace(p, outcomes=p.outcomes[:1]), DOES_NOT_FIT),
    "of no outcome": (lambda p: replace(p, outcomes=()), DOES_NOT_FIT),
    "of one outcome too many": (lambda p: replace(p, outcomes=(*p.outcomes, p.outcomes[0])), DOES_NOT_FIT),
}


@pytest.mark.parametrize("receipt", RECEIPTS)
async def test_a_receipt_that_does_not_hold_counts_for_nothing(team: Team, receipt: str) -> None:
    lie, sentence = RECEIPTS[receipt]
    alex = team.alex
    keira, tobias = alex.add(), alex.add(TOBIAS)
    await alex.sync()
    evil = Evil()
    await alex.tap(evil)
    alex.write(keira, "one", "two", "three")
    alex.write(tobias, "four")
    before = alex.digest()
    evil.pushed = lie
    with pytest.raises(HubMistrusted) as told:
        await alex.sync()
    assert told.value.sentence == sentence
    assert (alex.where(keira), alex.where(tobias)) == (["here"] * 3, ["here"])
    assert alex.digest() == before
    await alex.tap(Line())
    await alex.sync()
    await team.ruth.sync()
    assert (alex.where(keira), alex.where(tobias)) == (["on the central store"] * 3, ["on the central store"])
    await agree(alex, team.ruth)


OTHERWISE = f"The central store shows another history than the one that it gave this laptop a receipt for. {SAFE}"
NO_LONGER = (
    f"The central store no longer has changes that it gave this laptop a receipt for: it may have been put back to an older state. {SAFE}"
)


@pytest.mark.parametrize(
    ("items", "sentence"), [(lambda items: items[::-1], OTHERWISE), (lambda items: items[:1], NO_LONGER)], ids=["retold", "withheld"]
)
async def test_a_number_that_a_receipt_gave_is_not_given_again(case: Case, items: Items, sentence: str) -> None:
    """Alex is given a receipt for a number; the store then tells that history in another order, or has none of it."""
    alex, ruth = case.alex, case.ruth
    await ruth.sync()
    ruth.write(case.keira, "Ruth, first")
    alex.write(case.keira, "Alex, second")
    await lied_to_after_a_receipt(alex, case, ruth.sync, items, sentence)
    await alex.tap(Line())
    await alex.sync()
    await ruth.sync()
    await agree(alex, ruth)


async def test_what_came_before_a_receipt_is_not_told_in_another_order(case: Case) -> None:
    """Alex's own change stands where his receipt says; what two colleagues wrote before it is told the other way round."""
    bea, alex, ruth = await with_bea(case), case.alex, case.ruth

    async def both() -> None:
        await ruth.sync()
        await bea.sync()

    for laptop in (ruth, bea, alex):
        laptop.write(case.keira, f"{laptop.name}, at noon")
    await lied_to_after_a_receipt(alex, case, both, lambda items: [items[1], items[0], items[2]], OTHERWISE)
    await alex.tap(Line())
    for laptop in (alex, ruth, bea):
        await laptop.sync()
    await agree(alex, ruth, bea)


async def lied_to_after_a_receipt(
    laptop: Laptop, case: Case, meanwhile: Callable[[], Awaitable[object]], items: Items, sentence: str
) -> None:
    """What colleagues say meanwhile stands before this laptop's receipt, and is told otherwise: then the receipt counts for nothing."""
    standing = await laptop.box.book_state(case.book)
    here, before = Here(standing.n, standing.digest), laptop.digest()
    result = await between(laptop, case, meanwhile, lambda page: here.retold(page, items(page.changes)))
    assert (result.alarms, result.sent) == ((sentence,), 0)
    assert laptop.digest() == before
    assert laptop.where(case.keira)[-1] == "here"


async def between(
    laptop: Laptop, case: Case, meanwhile: Callable[[], Awaitable[object]], page: Callable[[wire.Page], wire.Page] = lambda page: page
) -> Result:
    """Sync, and let something happen elsewhere after the news were heard and before anything is sent."""

    class Slow(Evil):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if request.url.path == "/v1/news" and len(self.requests) == 1:
                await meanwhile()
            return response

    line = Slow(case.evil._organisation, case.book)
    line.page = page
    await laptop.tap(line)
    return await laptop.sync_somehow()


async def test_a_colleague_who_is_let_in_while_a_sync_goes_on_is_no_attack(case: Case) -> None:
    """The directory is asked for first and the casebook after it; a newcomer in between must not stop the casebook."""
    office, alex, ruth = case.team.office, case.alex, case.ruth
    bea = await office.let_in(ruth, BEA, admin=True)

    async def newcomer() -> None:
        cem = await office.let_in(bea, CEM)
        await alex.sync()
        await add_member(alex, case.keira, cem, Role.CO_WORKER)

    await between(ruth, case, newcomer)
    await ruth.sync()
    await agree(alex, ruth)


def enrol(identity: Identity, **given: object) -> Enrol:
    said = Enrol(
        identity.signing_public, identity.unsealing_public, secrets.token_bytes(16), Role.SUPERVISOR, True, bytes(8), b"",
        secrets.token_bytes(92), secrets.token_bytes(80),
    )  # fmt: skip
    return replace(said, **given)


def founding(identity: Identity) -> Founding:
    return Founding(identity.signing_public, identity.unsealing_public, bytes(32), 1, 300, bytes(92))


def used_invite(case: Case) -> bytes:
    return case.alex.vault.submit(lambda: next(iter(case.alex.box._load_directory().invites_used))).result()  # type: ignore[union-attr]


NEW = Identity.new()
DIRECTORY: dict[str, tuple[str, Callable[[Case], DirectoryStatement], str]] = {
    "a device that a key worker lets in": (ALEX, lambda case: enrol(NEW), "only an administrator may speak of other people's devices"),
    "a device that a key worker takes out": (
        ALEX,
        lambda case: Revoke(case.ruth.box.device),
        "only an administrator may speak of other people's devices",
    ),
    "a device that nobody who is known lets in": (
        BEA,
        lambda case: enrol(NEW),
        "only the root and directory administrators may speak in a directory",
    ),
    "a second founding": ("", lambda case: founding(NEW), "only the root and directory administrators may speak in a directory"),
    "a key under which anybody can sign": ("", lambda case: enrol(NEW, signing=bytes([1]) + bytes(31)), "a device's key is not sound"),
    "a key that anybody can open": ("", lambda case: enrol(NEW, unsealing=bytes(32)), "a device's key is not sound"),
    "a role that there is not": ("", lambda case: enrol(NEW, role=77), "an unknown role"),
    "an invite that was used": ("", lambda case: enrol(NEW, invite=used_invite(case)), "this invite was used already"),
    "a device that is there": (
        "",
        lambda case: enrol(NEW, signing=case.alex.box.signing_public, unsealing=case.alex.box.unsealing_public),
        "this device is in the directory already",
    ),
    "somebody taken out who is not in": ("", lambda case: Revoke(bytes(16)), "there is no such device to revoke"),
}


@pytest.mark.parametrize("attack", DIRECTORY)
async def test_a_directory_that_says_what_it_may_not(case: Case, attack: str) -> None:
    """Signed by a key worker, by a stranger, or ("") by an administrator in league with the store."""
    who, make, rule = DIRECTORY[attack]
    speaker = {ALEX: case.alex, "": case.ruth}.get(who) or case.team.office.laptop(BEA)
    statement = await spoken(speaker, case.ruth, case.evil._organisation, make(case), 0)
    await directory_fails(case, lambda here, page: here.retold(page, [*page.changes, statement]), rule)


async def test_a_directory_statement_that_nobody_signed(case: Case) -> None:
    statement = await spoken(case.ruth, case.ruth, case.evil._organisation, enrol(NEW), 0)
    unsigned = replace(statement, signature=bytes(64))
    await directory_fails(
        case, lambda here, page: here.retold(page, [*page.changes, unsigned]), "the signature of a directory statement does not fit"
    )


async def directory_fails(case: Case, lie: Callable[[Here, wire.Page], wire.Page], rule: str) -> None:
    standing = (await case.ruth.box.confirmed())[case.evil._organisation]
    here = Here(standing.n, standing.digest)
    case.evil.directory = lambda page: lie(here, page)
    case.evil.news = lambda news: replace(
        news, books=tuple(replace(b, n=b.n + 1) if b.book == case.evil._organisation else b for b in news.books)
    )
    before, devices = case.ruth.digest(), (await case.ruth.box.directory()).devices  # type: ignore[union-attr]
    with pytest.raises(HubMistrusted) as told:
        await case.ruth.sync()
    assert told.value.sentence == (
        f"The central store sent a directory that its root did not sign: {rule}. Nothing was taken in; everything here is safe. {TELL}"
    )
    assert case.ruth.digest() == before
    assert (await case.ruth.box.directory()).devices == devices  # type: ignore[union-attr]
    await case.comes_right()


OLDER_DIRECTORY = (
    "The central store has fewer statements in its directory than this laptop has already seen: it may have been put back to an "
    f"older state. Nothing was taken in; everything here is safe. {TELL}"
)
OTHER_DIRECTORY = (
    "The central store counts its directory differently from what it has shown this laptop before. Nothing was taken in; "
    f"everything here is safe. {TELL}"
)

STALE: dict[str, tuple[Callable[[wire.BookNews], wire.BookNews], Callable[[wire.Page], wire.Page], str]] = {
    "an older one": (
        lambda news: replace(news, n=1),
        lambda page: wire.Page((), 1, bytes(32), False, page.now_ms),
        OLDER_DIRECTORY,
    ),
    "another one of the same length": (
        lambda news: replace(news, digest=bytes(32)),
        lambda page: page,
        OTHER_DIRECTORY,
    ),
    "one with a gap": (
        lambda news: replace(news, n=news.n + 2),
        lambda page: replace(page, n=page.n + 2),
        f"The central store has sent another number of changes than it says that there are. {SAFE}",
    ),
}


@pytest.mark.parametrize("attack", STALE)
async def test_a_directory_that_is_not_the_one_of_before(case: Case, attack: str) -> None:
    news, page, sentence = STALE[attack]
    organisation = case.evil._organisation
    case.evil.news = lambda told: replace(told, books=tuple(news(b) if b.book == organisation else b for b in told.books))
    case.evil.directory = page
    before = case.ruth.digest()
    with pytest.raises(HubMistrusted) as told:
        await case.ruth.sync()
    assert told.value.sentence == sentence
    assert case.ruth.digest() == before
    await case.comes_right()


async def test_numbers_of_a_directory_that_jump_leave_no_trace_that_would_stop_the_truth(case: Case) -> None:
    """A lie that is noticed may cost one sync, never the laptop."""
    bea = await case.team.office.let_in(case.ruth, BEA)
    evil = Evil(case.evil._organisation)
    await case.alex.tap(evil)
    evil.directory = lambda page: altered(page, 0, n=page.changes[0].n + 5)
    with pytest.raises(HubMistrusted):
        await case.alex.sync()
    await case.alex.tap(Line())
    await case.alex.sync()
    directory = await case.alex.box.directory()
    assert directory is not None
    assert bea.box.device in directory.devices


async def test_news_of_casebooks_that_are_not_mine_or_twice_hold_nothing_up(case: Case) -> None:
    def swollen(news: wire.News) -> wire.News:
        return replace(news, books=(wire.BookNews(secrets.token_bytes(16), 3, bytes(32)), *news.books, *news.books))

    case.evil.news = swollen
    result = await case.ruth.sync_somehow()
    assert result.alarms == (
        "This laptop is not a member of this casebook, so the central store did not hand it out. Ask the lead or a supervisor to be added.",
    )
    assert case.ruth.titles(case.keira) == case.alex.titles(case.keira)
    await case.comes_right()


async def test_a_casebook_that_the_store_keeps_out_of_its_news_is_founded_all_the_same(team: Team) -> None:
    """The founding arrived, its answer did not, and the store then says nothing of it."""
    alex, evil = team.alex, Evil()
    await alex.tap(evil)
    known = {book.book for book in (await alex.client.news()).books}
    keira = alex.add()
    evil.hang_up()
    evil.after = lambda number: evil.requests[number - 1] == "POST /v1/control"
    with pytest.raises(Offline):
        await alex.sync()
    evil.after = lambda number: False
    evil.news = lambda news: replace(news, books=tuple(book for book in news.books if book.book in known))
    alex.write(keira, "Visit")
    await alex.sync()
    assert alex.where(keira) == ["on the central store"]
    await team.ruth.sync()
    await agree(alex, team.ruth)


@pytest.mark.parametrize("time_ms", [-1, -(2**63), 2**63 - 1, 2**64 - 1, 10**15])
async def test_a_time_that_no_clock_shows_is_only_shown_as_one_that_can_be(case: Case, time_ms: int) -> None:
    case.evil.page = lambda page: altered(page, 0, received_ms=time_ms)
    await case.ruth.sync()
    assert all(0 <= entry.received_ms <= LATEST_MS for entry in case.ruth.timeline(case.keira))
    assert case.ruth.titles(case.keira) == case.alex.titles(case.keira)
    await case.ruth.check()


@pytest.mark.parametrize("wrong_by", [YEAR_S, -YEAR_S])
async def test_a_laptop_whose_clock_is_a_year_off_syncs_is_warned_and_reorders_nothing(team: Team, wrong_by: int) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add()
    alex.write(keira, "by the right clock")
    await alex.sync()
    alex.clock.wrong_by = wrong_by
    result = await alex.sync()
    said = f"This laptop's clock is about {'1 year ahead of' if wrong_by > 0 else '1 year behind'} the central store's. "
    assert result.clock_warning == said + "Set it right; nobody's words are reordered by it."
    alex.write(keira, "by the wrong clock")
    await alex.sync()
    await ruth.sync()
    doubts = {entry.title: entry.clock_doubt for entry in ruth.timeline(keira)}
    assert doubts["by the right clock"] == ""
    assert doubts["by the wrong clock"].startswith("this laptop's clock was about 1 year ")
    assert ruth.numbers(keira) == [1, 2, 3, 4, 5, 6], "the store's order is the order in which they came"
    alex.clock.wrong_by = 0
    assert (await alex.sync()).clock_warning == ""
    alex.write(keira, "by the right clock again")
    for laptop in (alex, ruth):
        await laptop.sync()
    assert {entry.title: entry.clock_doubt for entry in ruth.timeline(keira)}["by the right clock again"] == ""
    await agree(alex, ruth)


async def test_a_store_whose_clock_is_a_year_off_is_served_and_warned_about(team: Team) -> None:
    team.office.clock.pushed_ms = YEAR_S * 1000
    keira = team.alex.add()
    result = await team.alex.sync()
    assert result.clock_warning.startswith("This laptop's clock is about 1 year behind the central store's.")
    team.alex.write(keira, "Visit")
    await team.alex.sync()
    assert team.alex.where(keira) == ["on the central store"]


async def test_a_clock_two_minutes_off_is_warned_about_and_marks_no_entry(team: Team) -> None:
    team.alex.clock.wrong_by = 150
    keira = team.alex.add()
    result = await team.alex.sync()
    assert result.clock_warning.startswith("This laptop's clock is about 2 minutes ahead of the central store's.")
    team.alex.write(keira, "Visit")
    assert team.alex.timeline(keira)[0].clock_doubt == ""
