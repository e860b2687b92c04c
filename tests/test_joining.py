"""Setting up an organisation, inviting and joining: who is believed, who is refused in words, and what never reaches the store."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from leadworker import statements
from leadworker.crypto.identity import Identity, InviteSecret
from leadworker.crypto.words import to_words, word_list
from leadworker.errors import HubMistrusted, InviteRefused, NotUnderstood, Offline, Refused
from leadworker.statements import Founding, Role, root_id
from sync import inviting, joining, wire
from sync.client import ANOTHER_VERSION
from sync.founding import control_change
from tests.evil_hub import Evil, Rogue, altered, flipped, replace
from tests.laptops import (
    ALEX,
    BEA,
    CEM,
    KEIRA,
    ORGANISATION,
    RUTH,
    TEAM,
    Drawer,
    Laptop,
    Line,
    Office,
    Team,
    add_member,
    agree,
    set_up,
)

pytest_plugins = ["tests.laptop_fixtures"]

HOUR_MS = 3_600_000


async def found(office: Office, ruth: Laptop) -> joining.Ceremony:
    return await joining.set_up(ruth.box, ruth.client, office.hub.setup_code, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)


async def test_an_organisation_is_set_up_a_colleague_invited_and_let_in(empty_office: Office) -> None:
    ruth, alex = empty_office.laptop(RUTH), empty_office.laptop(ALEX)
    ceremony = await found(empty_office, ruth)
    invitation = await inviting.invite(ruth.box, ruth.client, ruth.clock, ALEX, role=Role.KEY_WORKER, team=TEAM)
    assert len(invitation.words) == 24
    assert (invitation.name, invitation.hub_url) == (ALEX, empty_office.url)
    assert (await joining.ask_to_join(alex.box, alex.client, " ".join(invitation.words))).state == "waiting"
    assert not (await alex.sync()).admitted_me, "the administrator's laptop has not seen it yet"
    keira = alex.add()
    alex.write(keira, "written while waiting")
    assert (await ruth.sync()).admitted == (ALEX,)
    assert (await alex.sync()).admitted_me
    joined = await alex.box.joined()
    assert joined is not None
    assert (joined.name, joined.role, joined.admin) == (ORGANISATION, Role.KEY_WORKER, False)
    assert joined.root == ceremony.root_fingerprint
    assert joined.invite_secret == b"", "the secret has done its work"
    await ruth.sync()
    assert ruth.titles(keira) == ["written while waiting"]
    await agree(alex, ruth)


async def test_the_roots_and_the_escrows_private_keys_are_kept_nowhere(empty_office: Office) -> None:
    ruth = empty_office.laptop(RUTH)
    ceremony = await found(empty_office, ruth)
    await ruth.sync()
    rows = [value for table in _tables(ruth) for row in ruth.sql(f"SELECT * FROM {table}") for value in row]
    kept = b"\0".join(value for value in rows if isinstance(value, bytes))
    assert ruth.vault.identity.private_bytes()[0] in kept, "the search finds what is there"
    for secret in (ceremony.root_signing, ceremony.escrow_private):
        assert len(secret) == 32
        assert secret not in kept
        assert secret.hex() not in "\0".join(str(value) for value in rows)
        assert empty_office.store_holds_bytes(secret) is False
        for file in ruth.folder.iterdir():
            assert secret not in file.read_bytes()


def _tables(laptop: Laptop) -> list[str]:
    return [str(row[0]) for row in laptop.sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%find%'")]


async def test_the_keys_of_the_ceremony_are_the_ones_that_were_signed(empty_office: Office) -> None:
    ruth = empty_office.laptop(RUTH)
    ceremony = await found(empty_office, ruth)
    root = Identity(ceremony.root_signing, secrets.token_bytes(32))
    assert root_id(root.signing_public) == ceremony.root_fingerprint
    directory = await ruth.box.directory()
    assert directory is not None
    assert directory.founding is not None
    assert directory.founding.escrow == Identity(secrets.token_bytes(32), ceremony.escrow_private).unsealing_public


async def test_names_teams_and_the_organisation_never_reach_the_store(empty_office: Office) -> None:
    ruth, alex = await set_up(empty_office)
    keira = alex.add(KEIRA, lives_at="14 Quay Street")
    alex.write(keira, "Visit", said="I slept at the blue house")
    for laptop in (alex, ruth):
        await laptop.sync()
    words = (RUTH, ALEX, "Okonedo", "Marsh-Bell", ORGANISATION, "Saltmere", TEAM, "North", KEIRA, "Okafor", "Quay Street", "blue house")
    assert empty_office.store_holds(*words) == []
    assert empty_office.store_holds_bytes(alex.box.device), "the search finds what is there"
    assert [row[0] for row in alex.sql("SELECT name FROM writer ORDER BY name")] == [ALEX, RUTH], "the laptops do know"


async def test_a_founding_whose_answer_is_lost_is_sent_again_as_the_same(empty_office: Office) -> None:
    """The root's key is in nobody's hands yet: a store that was founded by an unknown root would be lost."""
    ruth = empty_office.laptop(RUTH)
    ruth.line.after = lambda number: number in (2, 3)
    ceremony = await found(empty_office, ruth)
    assert ruth.line.hang_up().count("POST /v1/organisation") == 3
    ruth.line.after = lambda number: False
    await ruth.sync()
    joined = await ruth.box.joined()
    assert joined is not None
    assert joined.root == ceremony.root_fingerprint


async def test_a_founding_that_never_gets_an_answer_says_what_to_do(empty_office: Office) -> None:
    ruth = empty_office.laptop(RUTH)
    ruth.line.after = lambda number: number > 1
    with pytest.raises(Offline) as told:
        await found(empty_office, ruth)
    assert told.value.sentence.startswith("The central store's answer did not arrive, so it is not known whether it took the organisation.")
    assert await ruth.box.joined() is None


async def test_a_store_is_set_up_once_and_only_with_its_code(empty_office: Office) -> None:
    ruth, bea = empty_office.laptop(RUTH), empty_office.laptop(BEA)
    with pytest.raises(Refused) as told:
        await joining.set_up(ruth.box, ruth.client, "0000-0000-0000-0000-0000", ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
    assert told.value.sentence.startswith("This is not the set-up code that the central store showed when it first started.")
    assert await ruth.box.joined() is None
    await found(empty_office, ruth)
    with pytest.raises(Refused) as told:
        await found(empty_office, bea)
    assert told.value.sentence == "This central store serves an organisation already. Ask its administrator for an invite."
    with pytest.raises(InviteRefused) as refused:
        await found(empty_office, ruth)
    assert refused.value.sentence.startswith("This vault belongs to an organisation already.")


async def test_the_words_of_an_invite_with_a_slip_are_refused_before_anything_is_sent(team: Team) -> None:
    bea = team.office.laptop(BEA)
    words = (await team.office.invite(team.ruth, BEA)).split()
    other = next(word for word in word_list() if word not in words)
    for spoilt, said in (
        (["lighthose", *words[1:]], "“lighthose” is not one of the words that leadworker uses."),
        (words[:-1], "There should be 24 words, and these are 23."),
        ([*words, words[0]], "There should be 24 words, and these are 25."),
        ([words[1], words[0], *words[2:]], "All the words are known, but together they do not fit:"),
        ([], "There should be 24 words, and these are 0."),
    ):
        with pytest.raises(NotUnderstood) as told:
            await joining.ask_to_join(bea.box, bea.client, " ".join(spoilt))
        assert told.value.sentence.startswith(said)
    assert other not in words
    assert bea.line.hang_up() == []
    assert await bea.box.joined() is None


async def test_the_words_may_be_shortened_numbered_and_in_capitals(team: Team) -> None:
    bea = team.office.laptop(BEA)
    words = (await team.office.invite(team.ruth, BEA)).split()
    typed = ", ".join(f"{at}. {word[:4].upper()}" for at, word in enumerate(words, start=1))
    assert (await joining.ask_to_join(bea.box, bea.client, typed)).state == "waiting"


USED = (
    "This invite was used already, by another device. Nothing was changed. If that was not you, tell the person who gave it to you. "
    "Ask for a new invite."
)


async def test_two_people_come_with_the_same_invite_and_the_second_is_refused_in_words(team_on: Team) -> None:
    bea, cem = team_on.office.laptop(BEA), team_on.office.laptop(CEM)
    words = await team_on.office.invite(team_on.ruth, BEA)
    await joining.ask_to_join(bea.box, bea.client, words)
    with pytest.raises(InviteRefused) as told:
        await joining.ask_to_join(cem.box, cem.client, words)
    assert told.value.sentence == USED
    assert await cem.box.joined() is None
    await team_on.ruth.sync()
    assert (await bea.sync()).admitted_me
    with pytest.raises(InviteRefused) as told:
        await joining.ask_to_join(cem.box, cem.client, words)
    assert told.value.sentence == USED


async def test_asking_twice_with_ones_own_invite_is_asking_once(team: Team) -> None:
    bea = team.office.laptop(BEA)
    words = await team.office.invite(team.ruth, BEA)
    for _ in range(2):
        assert (await joining.ask_to_join(bea.box, bea.client, words)).state == "waiting"
    await team.ruth.sync()
    assert (await bea.sync()).admitted_me


async def test_an_invite_that_has_run_out_by_the_stores_clock(team_on: Team) -> None:
    bea = team_on.office.laptop(BEA)
    words = await team_on.office.invite(team_on.ruth, BEA)
    team_on.office.clock.pushed_ms = 73 * HOUR_MS
    with pytest.raises(InviteRefused) as told:
        await joining.ask_to_join(bea.box, bea.client, words)
    assert told.value.sentence == "This invite has expired. Nothing was changed. Ask for a new one."


async def test_an_invite_that_runs_out_while_the_administrators_laptop_is_shut(team_on: Team) -> None:
    bea = team_on.office.laptop(BEA)
    await joining.ask_to_join(bea.box, bea.client, await team_on.office.invite(team_on.ruth, BEA))
    team_on.office.clock.pushed_ms = 73 * HOUR_MS
    bea.clock.wrong_by = team_on.ruth.clock.wrong_by = 73 * 3600
    assert (await team_on.ruth.sync()).admitted == ()
    with pytest.raises(Refused) as told:
        await bea.sync()
    assert told.value.sentence == "The invite has expired before it was countersigned. Ask for a fresh one; everything here is safe."
    team_on.ruth.line.hang_up()
    await team_on.ruth.sync()
    assert team_on.ruth.line.hang_up() == ["GET /v1/news"], "a spent invite is asked about no more"
    fresh = await team_on.office.invite(team_on.ruth, BEA)
    assert (await joining.ask_to_join(bea.box, bea.client, fresh)).state == "waiting"


async def test_an_invite_that_has_run_out_by_the_administrators_clock_is_not_countersigned(team: Team) -> None:
    """A store that turns its own clock back cannot make an old invite good."""
    bea = team.office.laptop(BEA)
    await joining.ask_to_join(bea.box, bea.client, await team.office.invite(team.ruth, BEA))
    team.ruth.clock.wrong_by = 73 * 3600
    assert (await team.ruth.sync()).admitted == ()
    assert not (await bea.sync()).admitted_me
    team.ruth.clock.wrong_by = 0
    assert (await team.ruth.sync()).admitted == (BEA,), "a clock that is set right makes it good again"


async def test_an_invite_made_by_a_laptop_whose_clock_is_wrong_holds(team: Team) -> None:
    team.ruth.clock.wrong_by = -400 * 86_400
    bea = team.office.laptop(BEA)
    await joining.ask_to_join(bea.box, bea.client, await team.office.invite(team.ruth, BEA))
    assert (await team.ruth.sync()).admitted == (BEA,)


async def test_an_invite_of_another_organisation_is_told_apart_before_anything_is_sent(
    team: Team, templates: Drawer, tmp_path: Path
) -> None:
    elsewhere = Office(templates, str(tmp_path / "elsewhere.db"), tmp_path / "elsewhere")
    cem = elsewhere.laptop(CEM)
    await joining.set_up(cem.box, cem.client, elsewhere.hub.setup_code, "Elsewhere", CEM, role=Role.SUPERVISOR, team="South")
    words = await elsewhere.invite(cem, BEA)
    bea = team.office.laptop(BEA)
    with pytest.raises(InviteRefused) as told:
        await joining.ask_to_join(bea.box, bea.client, words)
    assert told.value.sentence == (
        "This invite is for another organisation than the one that this central store serves. Nothing was sent. Check the address "
        "with whoever invited you."
    )
    assert bea.line.hang_up() == ["GET /v1/organisation"]
    await elsewhere.close()


async def test_an_invite_that_the_store_does_not_know(team: Team) -> None:
    joined = await team.ruth.box.joined()
    assert joined is not None
    words = " ".join(to_words(joined.root + secrets.token_bytes(16)))
    bea = team.office.laptop(BEA)
    with pytest.raises(InviteRefused) as told:
        await joining.ask_to_join(bea.box, bea.client, words)
    assert told.value.sentence == "The central store does not know this invite. Nothing was changed. Ask for a new invite."


async def test_a_store_that_serves_nobody_yet(empty_office: Office) -> None:
    bea = empty_office.laptop(BEA)
    with pytest.raises(InviteRefused) as told:
        await joining.ask_to_join(bea.box, bea.client, " ".join(InviteSecret.new(bytes(16)).words()))
    assert told.value.sentence == "This central store serves no organisation yet. Check the address with whoever invited you."


async def test_somebody_who_belongs_to_an_organisation_is_not_joined_to_another(team: Team) -> None:
    words = " ".join(InviteSecret.new(secrets.token_bytes(16)).words())
    for laptop in (team.alex, team.ruth):
        before = await laptop.box.joined()
        with pytest.raises(InviteRefused) as told:
            await joining.ask_to_join(laptop.box, laptop.client, words)
        assert told.value.sentence == (
            "This vault belongs to an organisation already. Make a new vault to join another one; nothing was changed."
        )
        assert await laptop.box.joined() == before


async def test_somebody_whom_nobody_let_in_may_ask_elsewhere(team: Team, templates: Drawer, tmp_path: Path) -> None:
    elsewhere = Office(templates, str(tmp_path / "elsewhere.db"), tmp_path / "elsewhere")
    cem = elsewhere.laptop(CEM)
    await joining.set_up(cem.box, cem.client, elsewhere.hub.setup_code, "Elsewhere", CEM, role=Role.SUPERVISOR, team="South")
    bea = elsewhere.laptop(BEA)
    here = bea.new_client(url=team.office.url)
    await joining.ask_to_join(bea.box, here, await team.office.invite(team.ruth, BEA))
    await here.close()
    keira = bea.add()
    bea.write(keira, "written while waiting")
    await joining.ask_to_join(bea.box, bea.client, await elsewhere.invite(cem, BEA, team="South"))
    await cem.sync()
    assert (await bea.sync()).admitted_me
    await cem.sync()
    assert cem.titles(keira) == ["written while waiting"]
    await elsewhere.close()


async def test_a_founder_whose_directory_did_not_arrive_gets_it_with_the_next_sync(empty_office: Office) -> None:
    ruth = empty_office.laptop(RUTH)
    prepared = await joining.prepare(ruth.box, ruth.client, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
    assert ruth.line.requests == ["GET /v1/organisation"], "the keys can be put into people's hands before anybody knows of it"
    ruth.line.before = lambda number: ruth.line.requests[number - 1].endswith("/changes")
    await joining.found(ruth.box, ruth.client, empty_office.hub.setup_code, prepared)
    ruth.line.before = lambda number: False
    assert (await ruth.sync()).admitted_me
    joined = await ruth.box.joined()
    assert joined is not None
    assert (joined.name, joined.admin) == (ORGANISATION, True)
    with pytest.raises(InviteRefused):
        await joining.ask_to_join(ruth.box, ruth.client, " ".join(InviteSecret.new(bytes(16)).words()))


async def test_only_an_administrator_invites(team: Team) -> None:
    with pytest.raises(Refused) as told:
        await team.office.invite(team.alex, BEA)
    assert told.value.sentence == "Only an administrator of the organisation can invite. Nothing was made."
    with pytest.raises(Refused) as told:
        await team.office.invite(team.office.laptop(BEA), CEM)
    assert told.value.sentence == "This vault has joined no organisation yet, or still waits to be let in."
    with pytest.raises(NotUnderstood):
        await team.office.invite(team.ruth, " \n ")


async def test_an_invite_that_could_not_be_announced_is_not_kept(team: Team) -> None:
    team.ruth.line.after = lambda number: team.ruth.line.requests[number - 1] == "POST /v1/invites"
    with pytest.raises(Offline):
        await team.office.invite(team.ruth, BEA)
    assert await team.ruth.box.invites() == ()


async def test_a_request_without_the_words_is_not_countersigned(team: Team) -> None:
    """The store, or whoever saw the invite's id, brings keys of their own with a proof that they cannot make."""
    words = await team.office.invite(team.ruth, BEA)
    secret = InviteSecret.from_words(words)
    thief = Identity.new()
    bea = team.office.laptop(BEA)
    forged = wire.JoinRequest(secret.invite_id(), thief.signing_public, thief.unsealing_public, bytes(32))
    await bea.client.join(forged)
    assert (await team.ruth.sync()).admitted == ()
    directory = await team.ruth.box.directory()
    assert directory is not None
    assert thief.device not in directory.devices


async def test_a_store_that_swaps_the_keys_of_a_newcomer_gets_nobody_in(team: Team) -> None:
    bea, thief = team.office.laptop(BEA), Identity.new()
    await joining.ask_to_join(bea.box, bea.client, await team.office.invite(team.ruth, BEA))
    evil = Evil()
    await team.ruth.tap(evil)

    def swapped(joins: wire.Joins) -> wire.Joins:
        (request,) = joins.requests
        return wire.Joins((replace(request, signing=thief.signing_public, unsealing=thief.unsealing_public),))

    evil.joins = swapped
    assert (await team.ruth.sync()).admitted == ()
    directory = await team.ruth.box.directory()
    assert directory is not None
    assert thief.device not in directory.devices
    await team.ruth.tap(Line())
    assert (await team.ruth.sync()).admitted == (BEA,), "the holder of the words can still come"


async def test_a_store_that_says_admitted_when_nobody_was(team: Team) -> None:
    bea = team.office.laptop(BEA)
    await joining.ask_to_join(bea.box, bea.client, await team.office.invite(team.ruth, BEA))
    evil = Evil()
    await bea.tap(evil)
    evil.join_state = lambda state: replace(state, state="admitted")
    with pytest.raises(Refused):
        await bea.sync()  # the store itself does not answer a laptop that it does not know
    joined = await bea.box.joined()
    assert joined is not None
    assert not joined.admitted


async def test_a_request_that_the_store_has_lost_is_made_again(team: Team) -> None:
    bea = team.office.laptop(BEA)
    words = await team.office.invite(team.ruth, BEA)
    evil = Evil()
    await bea.tap(evil)
    await joining.ask_to_join(bea.box, bea.client, words)
    evil.join_state = lambda state: replace(state, state="open")
    evil.hang_up()
    assert not (await bea.sync()).admitted_me
    assert evil.hang_up()[-1] == "POST /v1/join"
    evil.join_state = lambda state: state
    await team.ruth.sync()
    assert (await bea.sync()).admitted_me


async def test_the_administrators_laptop_may_be_shut_for_days_meanwhile_one_works(team: Team) -> None:
    bea = team.office.laptop(BEA)
    await joining.ask_to_join(bea.box, bea.client, await team.office.invite(team.ruth, BEA))
    keira = bea.add()
    for day in range(3):
        bea.write(keira, f"day {day}")
        assert not (await bea.sync()).admitted_me
    assert bea.where(keira) == ["here"] * 3
    await team.ruth.sync()
    await bea.sync()
    assert bea.where(keira) == ["on the central store"] * 3
    await team.ruth.sync()
    assert team.ruth.titles(keira) == ["day 0", "day 1", "day 2"]


async def test_an_enrolment_whose_answer_is_lost_is_found_at_the_next_sync(team_on: Team) -> None:
    ruth, bea = team_on.ruth, team_on.office.laptop(BEA)
    await joining.ask_to_join(bea.box, bea.client, await team_on.office.invite(ruth, BEA))
    ruth.line.hang_up()
    ruth.line.after = lambda number: ruth.line.requests[number - 1] == "POST /v1/control"
    with pytest.raises(Offline):
        await ruth.sync()
    ruth.line.after = lambda number: False
    await ruth.sync()
    assert (await bea.sync()).admitted_me
    assert await ruth.box.invites() == ()
    ruth.line.hang_up()
    await ruth.sync()
    assert ruth.line.hang_up() == ["GET /v1/news"]


async def test_a_second_laptop_is_let_in_by_typing_its_check_words_on_the_first(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add()
    alex.write(keira, "written before there was a second laptop")
    await alex.sync()
    made = await inviting.invite_laptop(alex.box, alex.client, alex.clock)
    second = team.office.laptop(CEM)
    with pytest.raises(Refused, match="No laptop waits"):
        await inviting.approve(alex.box, alex.client, alex.clock, "abandon")
    await joining.ask_to_join(second.box, second.client, " ".join(made.words))
    await alex.sync()
    assert not (await second.sync_somehow()).admitted_me, "not before somebody has typed what it shows"
    with pytest.raises(Refused, match="not the check words of the laptop that waits"):
        await inviting.approve(alex.box, alex.client, alex.clock, " ".join(alex.vault.identity.check_words()))
    shown = second.vault.identity.check_words()
    said = await inviting.approve(alex.box, alex.client, alex.clock, "; ".join(f"{n} {word.upper()}" for n, word in enumerate(shown, 1)))
    assert said == ALEX
    await alex.sync()
    await second.sync()
    assert second.titles(keira) == ["written before there was a second laptop"], "its owner's first laptop handed it the history"
    second.write(keira, "written on the second")
    await second.sync()
    for laptop in (ruth, alex):
        await laptop.sync()
        assert laptop.titles(keira)[-1] == "written on the second"
    await agree(alex, ruth, second)


async def test_an_administrator_invites_a_new_laptop_for_a_colleague_and_a_colleague_only_for_themselves(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    with pytest.raises(Refused, match="Only an administrator can invite a laptop of somebody else"):
        await inviting.invite_laptop(alex.box, alex.client, alex.clock, alex.person_of(ruth))
    made = await inviting.invite_laptop(ruth.box, ruth.client, ruth.clock, ruth.person_of(alex))
    assert made.name == ALEX
    second = team.office.laptop(CEM)
    await joining.ask_to_join(second.box, second.client, " ".join(made.words))
    assert await inviting.approve(ruth.box, ruth.client, ruth.clock, " ".join(second.vault.identity.check_words())) == ALEX
    await second.sync()
    now = await second.box.joined()
    assert now is not None
    assert (now.person, now.admin, now.role) == (ruth.person_of(alex), False, Role.KEY_WORKER)


NOT_SIGNED = "The central store's organisation is not signed as it must be. Nothing was sent. Tell your administrator."


async def test_a_store_that_swaps_the_escrow_key_or_the_root_is_found_out_before_anything_is_sent(team: Team) -> None:
    words = await team.office.invite(team.ruth, BEA)
    bea, mallory = team.office.laptop(BEA), Identity.new()

    def escrow_swapped(told: wire.Organisation) -> wire.Organisation:
        assert told.founding is not None
        said = statements.read_directory_statement(told.founding.body)
        assert isinstance(said, Founding)
        body = statements.write_statement(replace(said, escrow=mallory.unsealing_public))
        return replace(told, founding=replace(told.founding, body=body))

    def another_root(told: wire.Organisation) -> wire.Organisation:
        said = Founding(mallory.signing_public, mallory.unsealing_public, told.hub, 1, 300, bytes(92))
        signed = control_change(said, told.book, root_id(mallory.signing_public), 1, bytes(32), mallory.sign)
        return replace(told, founding=signed)

    def unsigned(told: wire.Organisation) -> wire.Organisation:
        assert told.founding is not None
        return replace(told, founding=replace(told.founding, signature=flipped(told.founding.signature, 9)))

    def no_founding(told: wire.Organisation) -> wire.Organisation:
        return replace(told, founding=None)

    def newer(told: wire.Organisation) -> wire.Organisation:
        return replace(told, protocol=2)

    for lie, kind, sentence in (
        (escrow_swapped, HubMistrusted, NOT_SIGNED),
        (unsigned, HubMistrusted, NOT_SIGNED),
        (another_root, InviteRefused, "This invite is for another organisation than the one that this central store serves."),
        (no_founding, InviteRefused, "This central store serves no organisation yet."),
        (newer, Refused, ANOTHER_VERSION),
    ):
        evil = Evil()
        await bea.tap(evil)
        evil.organisation = lie
        with pytest.raises(kind) as told:
            await joining.ask_to_join(bea.box, bea.client, words)
        assert told.value.sentence.startswith(sentence)
        assert evil.hang_up() == ["GET /v1/organisation"], "nothing of the new device was sent"
        assert await bea.box.joined() is None


async def test_a_newcomer_believes_no_directory_whose_escrow_key_was_swapped(team: Team) -> None:
    bea, mallory = team.office.laptop(BEA), Identity.new()
    await joining.ask_to_join(bea.box, bea.client, await team.office.invite(team.ruth, BEA))
    await team.ruth.sync()
    joined = await bea.box.joined()
    assert joined is not None
    evil = Evil(joined.organisation)
    await bea.tap(evil)

    def swapped(page: wire.Page) -> wire.Page:
        said = statements.read_directory_statement(page.changes[0].body)
        assert isinstance(said, Founding)
        return altered(page, 0, body=statements.write_statement(replace(said, escrow=mallory.unsealing_public)))

    evil.directory = swapped
    with pytest.raises(HubMistrusted) as told:
        await bea.sync()
    assert told.value.sentence == (
        "The central store sent a directory that its root did not sign: a statement whose body is not the one that was signed. "
        "Nothing was taken in; everything here is safe. Tell your administrator."
    )
    await bea.tap(Line())
    assert (await bea.sync()).admitted_me


async def test_a_newcomer_believes_no_directory_but_that_of_the_root_in_the_words(team: Team) -> None:
    bea, mallory = team.office.laptop(BEA), Identity.new()
    await joining.ask_to_join(bea.box, bea.client, await team.office.invite(team.ruth, BEA))
    await team.ruth.sync()
    joined = await bea.box.joined()
    assert joined is not None
    said = Founding(mallory.signing_public, mallory.unsealing_public, bytes(32), 1, 300, bytes(92))
    signed = control_change(said, joined.organisation, root_id(mallory.signing_public), 1, bytes(32), mallory.sign)
    evil = Evil(joined.organisation)
    await bea.tap(evil)

    def another(page: wire.Page) -> wire.Page:
        item = wire.Numbered(1, signed.header, signed.body, signed.signature, 0)
        digest = wire.next_digest(wire.first_digest(joined.organisation), wire.change_id(signed.header), 1)
        return wire.Page((item,), 1, digest, False, page.now_ms)

    evil.directory = another
    with pytest.raises(HubMistrusted) as told:
        await bea.sync()
    assert told.value.sentence == (
        "The central store now shows another organisation than the one you joined. Nothing was taken in; everything here is safe. "
        "Tell your administrator."
    )
    assert not (await bea.box.joined() or joined).admitted
    await bea.tap(Line())
    assert (await bea.sync()).admitted_me


async def test_a_colleague_of_another_team_cannot_fetch_a_casebook(team_on: Team) -> None:
    alex, bea = team_on.alex, await team_on.office.let_in(team_on.ruth, BEA)
    keira = alex.add()
    alex.write(keira, "Visit")
    await alex.sync()
    assert (await bea.sync()).received == 0
    with pytest.raises(Refused) as told:
        await bea.client.changes(alex.book(keira), 0)
    assert told.value.sentence == (
        "This laptop is not a member of this casebook, so the central store did not hand it out. Ask the lead or a supervisor to be added."
    )
    with pytest.raises(Refused) as unknown:
        await bea.client.changes(secrets.token_bytes(16), 0)
    assert unknown.value.sentence == told.value.sentence, "nobody learns which casebooks there are"


async def test_a_supervisor_of_another_team_is_not_among_the_readers(team: Team) -> None:
    words = await team.office.invite(team.ruth, BEA, role=Role.SUPERVISOR, team="South team")
    bea = team.office.laptop(BEA)
    await joining.ask_to_join(bea.box, bea.client, words)
    await team.ruth.sync()
    await bea.sync()
    keira = team.alex.add()
    await team.alex.sync()
    assert (await bea.sync()).received == 0
    assert bea.box.device not in team.alex.members(team.alex.book(keira))


async def test_who_may_only_read_cannot_write_in_the_casebook(team_on: Team) -> None:
    alex, bea = team_on.alex, await team_on.office.let_in(team_on.ruth, BEA)
    keira = alex.add()
    alex.write(keira, "Visit")
    await alex.sync()
    await add_member(alex, keira, bea, Role.READ_ONLY)
    await bea.sync()
    assert bea.titles(keira) == ["Visit"]
    bea.write(keira, "I may not")
    await bea.sync()
    assert (await bea.counts()).late == 1, "it can only be handed in"
    assert bea.where(keira) == ["on the central store", "here"], "their words are not lost"
    with pytest.raises(AssertionError, match="may read this casebook but not write in it"):
        rogue = Rogue(bea, keira)
        await rogue.write(await rogue.content("journal_entry", "cd" * 16, {"person_id": keira, "title": "by hand"}))
    await alex.sync()
    assert alex.titles(keira) == ["Visit"]
