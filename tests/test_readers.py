"""Who reads a casebook: letting in, taking out, handing over, lost laptops, and what a leaver can no longer open."""

from __future__ import annotations

import pytest

from leadworker.crypto.envelope import BookKey, sealed_epoch
from leadworker.crypto.identity import CannotOpen
from leadworker.crypto.words import word_list
from leadworker.domain import colleagues, readers
from leadworker.errors import Offline, Refused
from leadworker.shelf import Shelf, UpTo
from leadworker.statements import Role
from sync import organising
from sync.inviting import approve, invite_laptop
from sync.joining import ask_to_join
from tests import second_reader
from tests.laptops import ALEX, BEA, CEM, KEIRA, RUTH, Laptop, Team, agree

pytest_plugins = ["tests.laptop_fixtures"]


def who(laptop: Laptop, person: str) -> dict[str, str]:
    """Return who reads a casebook and as what, as this laptop's screens say it."""
    found = laptop.desk.ask_now(readers.of, person)
    return {one.name: "lead" if one.leads else one.role_words for one in found}


def decide(laptop: Laptop, person: str, name: str, verb: str, *given: object) -> readers.Decision:
    def deed(shelf: Shelf) -> readers.Decision:
        decision: readers.Decision = getattr(readers, verb)(shelf, person, colleagues.resolve(shelf, name), *given)
        return decision

    return laptop.desk.do_now(deed)


def told(laptop: Laptop, person: str) -> list[str]:
    return [one.sentence for one in laptop.desk.ask_now(readers.history, person)]


def waiting(laptop: Laptop) -> list[readers.Decision]:
    return list(laptop.desk.ask_now(readers.decisions))


async def newest_seal(team: Team, laptop: Laptop, person: str) -> tuple[bytes, bytes]:
    """Return header and seal of the last change of a casebook, as the central store has it."""
    page = await laptop.client.changes(laptop.book(person), 0)
    return page.changes[-1].header, page.changes[-1].body


async def a_casebook(team: Team) -> tuple[Laptop, Laptop, str]:
    """Return Alex, Bea who has joined and reads nothing yet, and Keira of whom something is written."""
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    alex.write(keira, "before anybody else came")
    await alex.sync()
    return alex, bea, keira


async def test_a_colleague_who_is_let_in_reads_the_whole_history_and_everybody_sees_it(team: Team) -> None:
    alex, bea, keira = await a_casebook(team)
    assert who(alex, keira) == {ALEX: "lead", RUTH: "supervisor"}
    decided = decide(alex, keira, "bea", "let_in", Role.CO_WORKER)
    assert [one.sentence() for one in waiting(alex)] == [f"let {BEA} in as co-worker"]
    assert (decided.said, who(alex, keira)) == ("", {ALEX: "lead", RUTH: "supervisor"}), "not yet in force"

    for laptop in (alex, bea, team.ruth):
        await laptop.sync()
        assert who(laptop, keira) == {ALEX: "lead", RUTH: "supervisor", BEA: "co-worker"}
        assert told(laptop, keira)[-1] == f"{ALEX} let {BEA} in as co-worker."
    assert waiting(alex) == []
    assert bea.titles(keira) == ["before anybody else came"]
    bea.write(keira, "Bea's first visit")
    for laptop in (bea, alex, team.ruth):
        await laptop.sync()
    await agree(alex, bea, team.ruth)


async def test_who_was_taken_out_opens_nothing_that_is_written_afterwards_and_keeps_what_they_had(team: Team) -> None:
    alex, bea, keira = await a_casebook(team)
    decide(alex, keira, "bea", "let_in", Role.CO_WORKER)
    for laptop in (alex, bea):
        await laptop.sync()
    bea.write(keira, "sent in time")
    await bea.sync()
    await team.ruth.sync()
    decide(team.ruth, keira, "bea", "take_out")
    await team.ruth.sync()
    await alex.sync()
    alex.write(keira, "not for Bea")
    await alex.sync()

    header, seal = await newest_seal(team, alex, keira)
    state = await bea.box.book_state(bea.book(keira))
    for epoch, secret in state.keys.items():
        with pytest.raises(CannotOpen):  # also if the store hands it to her
            BookKey(state.book, epoch, secret).open(header, seal)
    assert sealed_epoch(seal) == 2

    result = await bea.sync()
    assert result.alarms == ()
    assert told(bea, keira)[-1] == f"{RUTH} took {BEA} out."
    assert bea.titles(keira) == ["before anybody else came", "sent in time"]
    assert "not for Bea" not in bea.titles(keira)
    bea.write(keira, "written without knowing where it could go")
    await bea.sync()
    counts = await bea.counts()
    assert (counts.waiting, counts.late) == (0, 1)
    assert bea.where(keira)[-1] == "here"
    await team.ruth.sync()
    await agree(alex, team.ruth)


def _ids(laptop: Laptop) -> set[str]:
    return {str(row[0]) for row in laptop.sql("SELECT id FROM person")}


async def test_two_people_read_six_words_out_and_know_that_they_were_shown_the_same(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    assert alex.desk.ask_now(lambda shelf: shelf.upto(keira)) == UpTo(0), "nothing was shown yet"
    alex.write(keira, "one", "two")
    await alex.sync()
    await ruth.sync()
    said = ruth.desk.ask_now(lambda shelf: shelf.upto(keira))
    assert said == alex.desk.ask_now(lambda shelf: shelf.upto(keira))
    state = await alex.box.book_state(alex.book(keira))
    x = alex.book(keira) + state.n.to_bytes(8, "big") + state.digest
    assert (said.n, list(said.words)) == (state.n, second_reader.check_words(x, list(word_list()))[:6]), "as the sealed format says"
    alex.write(keira, "three")
    await alex.sync()
    newer = alex.desk.ask_now(lambda shelf: shelf.upto(keira))
    assert (newer.n, newer.words != said.words) == (said.n + 1, True)
    assert alex.desk.ask_now(lambda shelf: shelf.upto(keira, said.n)) == said


async def test_who_comes_back_goes_on_from_where_they_left(team: Team) -> None:
    alex, bea, keira = await a_casebook(team)
    for verb, *given in (("let_in", Role.CO_WORKER), ("take_out",), ("let_in", Role.READ_ONLY)):
        decide(alex, keira, "bea", verb, *given)
        await alex.sync()
        alex.write(keira, f"after {verb}")
        await alex.sync()
        await bea.sync()
    assert bea.titles(keira) == ["before anybody else came", "after let_in", "after take_out", "after let_in"]
    assert who(bea, keira)[BEA] == "read-only"
    await agree(alex, bea)


async def test_handing_over_changes_the_one_lead_and_the_one_before_goes_on_as_was_decided(team: Team) -> None:
    alex, bea, keira = await a_casebook(team)
    await team.ruth.sync()
    decide(team.ruth, keira, "bea", "hand_over")
    await team.ruth.sync()
    for laptop in (alex, bea):
        await laptop.sync()
        assert who(laptop, keira) == {BEA: "lead", ALEX: "co-worker", RUTH: "supervisor"}
    with pytest.raises(Refused, match=f"Only its lead, {BEA}, or a supervisor or manager decides"):
        decide(alex, keira, "bea", "take_out")
    with pytest.raises(Refused, match="leads this casebook. Make somebody else the lead first"):
        decide(bea, keira, "bea", "take_out")
    with pytest.raises(Refused, match="Nobody takes themselves out"):
        decide(bea, keira, "alex", "hand_over", None)
    decide(team.ruth, keira, "alex", "hand_over", None)
    await team.ruth.sync()
    await alex.sync()
    assert who(alex, keira) == {ALEX: "lead", RUTH: "supervisor"}
    assert told(alex, keira)[-2:] == [f"{RUTH} took {BEA} out.", f"{RUTH} made {ALEX} the lead."]


async def test_of_two_who_name_a_lead_at_once_the_second_is_told_and_looks_again(team: Team) -> None:
    alex, bea, keira = await a_casebook(team)
    cem = await team.office.let_in(team.ruth, CEM)
    for laptop in (team.ruth, alex):
        await laptop.sync()
    decide(team.ruth, keira, "bea", "hand_over")
    decide(alex, keira, "cem", "hand_over")
    await alex.sync()
    await team.ruth.sync()
    for laptop in (team.ruth, cem, alex):
        await laptop.sync()
        assert who(laptop, keira) == {CEM: "lead", ALEX: "co-worker", RUTH: "supervisor"}
    (late,) = waiting(team.ruth)
    assert late.said == "Somebody else has changed who leads this casebook meanwhile. Look again, and decide again."
    team.ruth.desk.do_now(readers.take_back, late.id)
    assert waiting(team.ruth) == []
    await bea.sync()
    assert keira not in _ids(bea)


async def test_a_revoked_laptop_costs_a_new_key_before_the_next_word_whoever_is_first(team: Team) -> None:
    alex, bea, keira = await a_casebook(team)
    decide(alex, keira, "bea", "let_in", Role.CO_WORKER)
    for laptop in (alex, bea, team.ruth):
        await laptop.sync()
    await organising.revoke(team.ruth.box, team.ruth.client, [bea.box.device])
    alex.write(keira, "after Bea's laptop was stolen")
    await alex.sync()
    _, seal = await newest_seal(team, alex, keira)
    assert sealed_epoch(seal) == 2, "given by Alex's laptop: Ruth's had not synced yet"
    assert who(alex, keira) == {ALEX: "lead", RUTH: "supervisor"}
    assert told(alex, keira)[-1] == f"{BEA}'s laptop was taken out of the organisation; {ALEX}'s laptop gave the casebook a new key."
    with pytest.raises(Refused) as refused:
        await bea.sync()
    assert refused.value.code == "device_revoked"
    await team.ruth.sync()
    await agree(alex, team.ruth)


async def test_a_laptop_revoked_while_another_sends_does_not_get_what_is_sent(team: Team) -> None:
    alex, bea, keira = await a_casebook(team)
    decide(alex, keira, "bea", "let_in", Role.CO_WORKER)
    for laptop in (alex, bea, team.ruth):
        await laptop.sync()
    alex.write(keira, "on its way when the laptop was reported")
    ours = alex.client.push

    async def meanwhile(*given: object) -> object:
        alex.client.push = ours  # type: ignore[method-assign]
        await organising.revoke(team.ruth.box, team.ruth.client, [bea.box.device])
        return await ours(*given)  # type: ignore[arg-type]

    alex.client.push = meanwhile  # type: ignore[method-assign,assignment]
    await alex.sync()
    _, seal = await newest_seal(team, alex, keira)
    assert sealed_epoch(seal) == 2
    assert alex.where(keira)[-1] == "on the central store", "sealed again and sent in the same sync"
    await team.ruth.sync()
    await agree(alex, team.ruth)


async def test_a_lead_who_lost_every_laptop_leads_all_the_same_and_reads_again_on_a_new_one(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    alex.write(keira, "before the bag was stolen")
    await alex.sync()
    await ruth.sync()
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    await ruth.sync()
    assert who(ruth, keira) == {ALEX: "lead", RUTH: "supervisor"}
    lead = next(one for one in ruth.desk.ask_now(readers.of, keira) if one.leads)
    assert (lead.lost, lead.laptops) == (True, ())

    made = await invite_laptop(ruth.box, ruth.client, ruth.clock, ruth.person_of(alex))
    new = team.office.laptop(CEM)
    await ask_to_join(new.box, new.client, " ".join(made.words))
    await approve(ruth.box, ruth.client, ruth.clock, " ".join(new.vault.identity.check_words()))
    await ruth.sync()
    (decided,) = ruth.desk.do_now(lambda shelf: readers.readmit(shelf, colleagues.resolve(shelf, ALEX)))
    assert decided.role == Role.KEY_WORKER
    await ruth.sync()
    await new.sync()
    assert new.titles(keira) == ["before the bag was stolen"]
    assert who(new, keira) == {ALEX: "lead", RUTH: "supervisor"}
    new.write(keira, "on the new laptop")
    await new.sync()
    await ruth.sync()
    await agree(ruth, new)


async def test_a_lead_who_has_a_new_laptop_before_anybody_synced_blocks_no_casebook(team: Team) -> None:
    """The lost laptop is taken out, the new one reads only when somebody lets it in, and the others write all the while."""
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    alex.write(keira, "before the bag was stolen")
    await alex.sync()
    await ruth.sync()
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    made = await invite_laptop(ruth.box, ruth.client, ruth.clock, ruth.person_of(alex))
    new = team.office.laptop(CEM)
    await ask_to_join(new.box, new.client, " ".join(made.words))
    await approve(ruth.box, ruth.client, ruth.clock, " ".join(new.vault.identity.check_words()))
    ruth.write(keira, "while they have no laptop")
    await ruth.sync()
    assert ruth.where(keira)[-1] == "on the central store"
    await new.sync()
    assert who(ruth, keira) == {ALEX: "lead", RUTH: "supervisor"}
    assert next(one for one in ruth.desk.ask_now(readers.of, keira) if one.leads).lost
    assert new.box.device not in ruth.members(ruth.book(keira))
    bea = await team.office.let_in(ruth, BEA)
    decide(ruth, keira, "bea", "let_in", Role.CO_WORKER)
    await ruth.sync()
    assert bea.box.device in ruth.members(ruth.book(keira)), "others are let in meanwhile"
    ruth.desk.do_now(lambda shelf: readers.readmit(shelf, colleagues.resolve(shelf, ALEX)))
    await ruth.sync()
    await new.sync()
    await bea.sync()
    assert new.titles(keira) == ["before the bag was stolen", "while they have no laptop"]
    assert who(new, keira) == {ALEX: "lead", RUTH: "supervisor", BEA: "co-worker"}
    await agree(ruth, new, bea)


async def test_taking_somebody_out_that_does_not_come_about_is_an_alarm_after_a_quarter_of_an_hour(team: Team) -> None:
    alex, _, keira = await a_casebook(team)
    decide(alex, keira, "bea", "let_in", Role.CO_WORKER)
    await alex.sync()
    alex.line.dead = True
    decide(alex, keira, "bea", "take_out")
    assert (await alex.counts()).troubled == ()
    alex.clock.wrong_by = 15 * 60
    (alarm,) = (await alex.counts()).troubled
    assert alarm.startswith(f"Taking {BEA} out of a casebook is not yet in force")
    alex.clock.wrong_by = 0
    alex.line.dead = False
    await alex.sync()
    assert (await alex.counts()).troubled == ()


async def test_taking_somebody_out_that_was_answered_with_a_reason_says_the_reason_and_not_to_wait(team: Team) -> None:
    alex, _, keira = await a_casebook(team)
    decide(alex, keira, "bea", "let_in", Role.CO_WORKER)
    await alex.sync()
    await team.ruth.sync()
    decide(alex, keira, "bea", "hand_over")
    decide(team.ruth, keira, "bea", "take_out")
    await alex.sync()
    await team.ruth.sync()
    alarm = (
        f"Taking {BEA} out of a casebook did not come about. {BEA} leads the casebook now, so they were not taken out. Look again, and "
        "decide again. What is written there may still reach them. See who can read it; then decide anew, or take your decision back."
    )
    assert (await team.ruth.counts()).troubled == (alarm,)
    (decided,) = team.ruth.desk.ask_now(readers.decisions)
    team.ruth.desk.do_now(readers.take_back, decided.id)
    assert (await team.ruth.counts()).troubled == ()


async def test_a_casebook_on_one_laptop_only_has_nobody_to_decide_about(team: Team) -> None:
    alex = team.alex
    await alex.sync()
    keira = alex.add(KEIRA)
    with pytest.raises(Refused, match="on this laptop only"):
        decide(alex, keira, "ruth", "let_in", Role.CO_WORKER)
    assert alex.desk.ask_now(readers.of, keira) == ()


async def test_what_others_did_to_who_reads_is_news_until_it_was_looked_at(team: Team) -> None:
    alex, _, keira = await a_casebook(team)
    await team.ruth.sync()
    decide(team.ruth, keira, "bea", "let_in", Role.READ_ONLY)
    await team.ruth.sync()
    await alex.sync()
    (said,) = alex.desk.ask_now(readers.news, keira)
    assert said.sentence == f"{RUTH} let {BEA} in as read-only."
    alex.desk.do_now(readers.looked, keira, said.seq)
    assert alex.desk.ask_now(readers.news, keira) == ()


async def test_a_colleague_moves_to_another_team_and_role_on_every_laptop_of_theirs(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    with pytest.raises(Refused, match="Only an administrator"):
        await organising.appoint(alex.box, alex.client, alex.person_of(alex), role=Role.SUPERVISOR)
    await organising.appoint(ruth.box, ruth.client, ruth.person_of(alex), role=Role.SUPERVISOR, team="South team", name="Alex Marsh")
    await alex.sync()
    now = await alex.box.joined()
    assert now is not None
    assert now.role == Role.SUPERVISOR
    (me,) = [one for one in ruth.desk.ask_now(colleagues.everybody) if one.name == "Alex Marsh"]
    assert (me.role_words, me.my_team) == ("supervisor", False)


async def test_an_older_vault_learns_who_reads_its_casebooks_when_it_is_opened(team: Team) -> None:
    alex, bea, keira = await a_casebook(team)
    decide(alex, keira, "bea", "let_in", Role.CO_WORKER)
    await alex.sync()
    here = who(alex, keira)
    alex.sql("DROP TABLE reader")
    alex.sql("DROP TABLE access")
    alex.sql("DROP TABLE colleague")
    alex.sql("ALTER TABLE book DROP COLUMN lead")
    alex.sql("ALTER TABLE book DROP COLUMN writable")
    alex.sql("ALTER TABLE change DROP COLUMN receipt")
    alex.sql("PRAGMA user_version = 1")
    await alex.close()
    again = alex.reopen()
    assert who(again, keira) == here
    await again.close()
    await bea.close()


YEAR_S = 366 * 24 * 3600


async def test_a_casebook_that_kept_one_key_for_a_year_is_given_another_by_its_lead(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    alex.write(keira, "last year")
    await alex.sync()

    async def epoch(laptop: Laptop) -> int:
        return (await laptop.box.book_state(laptop.book(keira))).members.epoch

    alex.clock.wrong_by = YEAR_S
    await alex.sync()
    assert await epoch(alex) == 1, "one clock alone, the laptop's, proves no year"
    alex.clock.wrong_by = 0
    team.office.clock.pushed_ms = YEAR_S * 1000
    await alex.sync()
    assert await epoch(alex) == 1, "nor does the store's"
    ruth.clock.wrong_by = alex.clock.wrong_by = YEAR_S
    await ruth.sync()
    assert await epoch(ruth) == 1, "who leads it gives it, so that a team does not give five"
    await alex.sync()
    assert await epoch(alex) == 2
    await alex.sync()
    assert await epoch(alex) == 2, "once a year"
    alex.write(keira, "this year")
    await alex.sync()
    await ruth.sync()
    assert sorted(ruth.titles(keira)) == ["last year", "this year"]
    await agree(alex, ruth)


async def test_a_store_that_says_that_every_key_is_old_is_followed_once_a_year(team: Team) -> None:
    alex = team.alex
    keira = alex.add(KEIRA)
    await alex.sync()
    book = alex.book(keira)
    for _ in range(3):
        alex.vault.submit(lambda: alex.vault.connection.execute("UPDATE change SET received_ms = 1")).result()
        await alex.sync()
    assert (await alex.box.book_state(book)).members.epoch == 2


async def test_a_new_key_whose_request_was_lost_is_asked_for_again(team: Team) -> None:
    alex = team.alex
    keira = alex.add(KEIRA)
    await alex.sync()
    book = alex.book(keira)
    alex.clock.wrong_by = YEAR_S
    team.office.clock.pushed_ms = YEAR_S * 1000
    alex.line.before = lambda number: alex.line.requests[-1].endswith("/v1/control")
    with pytest.raises(Offline):
        await alex.sync_somehow()
    alex.line.before = lambda number: False
    assert (await alex.box.book_state(book)).members.epoch == 1
    await alex.sync()
    assert (await alex.box.book_state(book)).members.epoch == 2


async def test_one_wrong_clock_at_a_renewal_does_not_put_the_next_one_off(team: Team) -> None:
    alex = team.alex
    keira = alex.add(KEIRA)
    await alex.sync()
    book = alex.book(keira)
    for years, wrong in ((1, 40), (2, 2)):
        alex.clock.wrong_by = wrong * YEAR_S
        team.office.clock.pushed_ms = years * YEAR_S * 1000 + years * 1000
        await alex.sync()
    assert (await alex.box.book_state(book)).members.epoch == 3
