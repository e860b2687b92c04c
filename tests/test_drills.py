"""The drills of docs/drills.md, walked: whatever was lost, each casebook ends with the digest that it had."""

from __future__ import annotations

import pytest

from leadworker.domain import colleagues, readers
from leadworker.errors import Refused, WrongPassphrase
from leadworker.plain.app import run
from leadworker.statements import Role
from storage import contents, opening, rebuilding
from sync import joining, organising, sealed_book
from sync.hub.deciders import left_alone
from sync.inviting import approve, invite_laptop
from tests.laptops import (
    ALEX,
    BEA,
    CEM,
    KEIRA,
    ORGANISATION,
    RUTH,
    TEAM,
    TOBIAS,
    Laptop,
    Office,
    Team,
    add_member,
    agree,
    words_of,
)

pytest_plugins = ["tests.laptop_fixtures"]


def digest_of(laptop: Laptop, person: str) -> str:
    """Return the digest of one casebook."""
    return laptop.vault.submit(lambda: rebuilding.book_digests(laptop.vault.connection)).result()[laptop.book(person).hex()]


async def new_laptop_for(office: Office, boss: Laptop, lost: Laptop, spare: str) -> Laptop:
    """Take a laptop out, and let its owner in again on a new one, as steps 1 to 6 say."""
    await organising.revoke(boss.box, boss.client, [lost.box.device])
    whose = boss.person_of(lost)
    made = await invite_laptop(boss.box, boss.client, boss.clock, whose)
    new = office.laptop(spare)
    await joining.ask_to_join(new.box, new.client, " ".join(made.words))
    await approve(boss.box, boss.client, boss.clock, " ".join(new.vault.identity.check_words()))
    await boss.sync()
    boss.desk.do_now(lambda shelf: readers.readmit(shelf, colleagues.resolve(shelf, whose.hex())))
    await boss.sync()
    await new.sync()
    return new


async def a_caseload(team: Team) -> tuple[str, str]:
    """Let Alex lead two casebooks that Ruth supervises, all sent and received."""
    keira, tobias = team.alex.add(KEIRA), team.alex.add(TOBIAS)
    team.alex.write(keira, "one", "two")
    team.alex.write(tobias, "three")
    await team.alex.sync()
    await team.ruth.sync()
    return keira, tobias


async def test_a_laptop_is_lost(team: Team) -> None:
    keira, tobias = await a_caseload(team)
    before = [digest_of(team.ruth, person) for person in (keira, tobias)]
    team.alex.write(keira, "never sent, and lost with it")
    new = await new_laptop_for(team.office, team.ruth, team.alex, CEM)
    assert [digest_of(new, person) for person in (keira, tobias)] == before
    assert [one.name for one in new.desk.ask_now(readers.of, keira) if one.leads] == [ALEX]
    new.write(keira, "and the work goes on")
    await new.sync()
    await team.ruth.sync()
    await agree(new, team.ruth)


async def test_a_passphrase_is_forgotten(team: Team) -> None:
    keira, _ = await a_caseload(team)
    before = digest_of(team.alex, keira)
    await team.alex.close()
    with pytest.raises(WrongPassphrase):
        opening.open_with_passphrase(team.alex.folder, "not it, not any more at all", purpose="a test")
    again = opening.open_with_words(team.alex.folder, words_of(ALEX), purpose="a test")
    book = again.read(lambda shelf: shelf.casebook_of(keira)).result()
    assert again.submit(lambda: rebuilding.book_digests(again.connection)).result()[book] == before
    again.close()
    new = await new_laptop_for(team.office, team.ruth, team.alex, CEM)
    assert digest_of(new, keira) == before, "and without the words, what was sent comes back"


async def test_somebody_leaves(team: Team) -> None:
    keira, tobias = await a_caseload(team)
    bea = await team.office.let_in(team.ruth, BEA)
    await team.ruth.sync()
    for person in (keira, tobias):
        team.ruth.desk.do_now(lambda shelf, who=person: readers.hand_over(shelf, who, colleagues.resolve(shelf, BEA), None))
    await team.ruth.sync()
    await organising.revoke(team.ruth.box, team.ruth.client, [team.alex.box.device])
    for laptop in (bea, team.ruth):
        await laptop.sync()
    assert {one.name for one in bea.desk.ask_now(readers.of, keira)} == {BEA, RUTH}
    assert [digest_of(bea, person) for person in (keira, tobias)] == [digest_of(team.alex, person) for person in (keira, tobias)]


async def test_all_laptops_but_one_are_lost(team: Team) -> None:
    keira, tobias = await a_caseload(team)
    bea = await team.office.let_in(team.ruth, BEA)
    await team.alex.sync()
    await add_member(team.alex, keira, bea, Role.CO_WORKER)
    for laptop in (bea, team.ruth):
        await laptop.sync()
    before = [digest_of(team.ruth, person) for person in (keira, tobias)]
    alex = await new_laptop_for(team.office, team.ruth, team.alex, CEM)
    new_bea = await new_laptop_for(team.office, team.ruth, bea, "Dana Pryce")
    assert [digest_of(alex, person) for person in (keira, tobias)] == before
    assert digest_of(new_bea, keira) == before[0]
    assert "three" not in [entry.title for entry in new_bea.timeline(tobias)], "she did not read that one before either"


async def test_nobody_is_left_to_decide(team_on: Team, capsys: pytest.CaptureFixture[str]) -> None:
    team, alex = team_on, team_on.alex
    bea, cem = [await team.office.let_in(team.ruth, name, team="South team") for name in (BEA, CEM)]
    keira = bea.add(KEIRA)
    bea.write(keira, "one", "two")
    await bea.sync()
    await add_member(bea, keira, cem, Role.CO_WORKER)
    await cem.sync()
    before = digest_of(cem, keira)
    assert left_alone(team.office.database) == [], "no supervisor is of the South team, but Bea leads"
    assert cem.desk.ask_now(readers.nobody_decides, keira) == ""

    await organising.revoke(team.ruth.box, team.ruth.client, [bea.box.device])
    for laptop in (team.ruth, alex, cem):
        await laptop.sync()
    assert left_alone(team.office.database) == [(cem.book(keira), 1)]
    assert "nobody can be let in" in cem.desk.ask_now(readers.why_not, keira)
    with pytest.raises(Refused, match="Nobody who decides about this casebook has a laptop any more"):
        cem.desk.do_now(lambda shelf: readers.let_in(shelf, keira, colleagues.resolve(shelf, RUTH), Role.SUPERVISOR))
    cem.write(keira, "and goes on writing")
    await cem.sync()
    assert digest_of(cem, keira) != before
    with pytest.raises(AssertionError, match="only the lead, a supervisor or a manager"):
        await add_member(cem, keira, team.ruth, Role.SUPERVISOR)  # forced past the screens, the central store refuses it

    assert run(["hub", "nobody-decides", "--database", team.office.database]) == 0
    said = capsys.readouterr().out
    assert cem.book(keira).hex() in said and "1 laptop still reads it" in said
    await organising.revoke(team.ruth.box, team.ruth.client, [cem.box.device])
    assert left_alone(team.office.database) == [(cem.book(keira), 0)]


async def test_escrow_opens_exactly_what_the_members_hold(empty_office: Office) -> None:
    from leadworker.crypto.identity import Identity

    ruth = empty_office.laptop(RUTH)
    made = await joining.set_up(ruth.box, ruth.client, empty_office.hub.setup_code, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
    alex = await empty_office.let_in(ruth, ALEX)
    keira = alex.add(KEIRA)
    alex.write(keira, "before", "and more")
    await alex.sync()
    known = await alex.box.joined()
    assert known is not None
    sealed = sealed_book.read(sealed_book.write(await sealed_book.fetch(alex.client, known.hub_key, known.organisation, alex.book(keira))))
    escrow = Identity(bytes(range(32)), made.escrow_private)
    opened = sealed_book.open_with_escrow(sealed, escrow, made.root_fingerprint)
    book = alex.book(keira)
    held, unread = alex.vault.submit(lambda: contents.contents(alex.vault.connection, book)).result()
    assert unread == 0
    assert [(one.n, one.content) for one in opened.received if one.content is not None] == [(one.n, one.content) for one in held]
