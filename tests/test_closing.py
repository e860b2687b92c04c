"""A laptop that was taken out of the organisation hands in, closes for good on a signed word alone, and destroys nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadworker.crypto.identity import Identity
from leadworker.domain import drafts, late
from leadworker.domain.drafts import Draft
from leadworker.errors import HubMistrusted, Refused, VaultClosed, VaultError
from leadworker.statements import Revoke, Role, root_id
from storage import escrowed, opening, vault_file
from sync import joining, organising, wire
from sync.founding import chained
from tests.laptops import (
    ALEX,
    BEA,
    KEIRA,
    ORGANISATION,
    PASSPHRASE,
    RUTH,
    TEAM,
    TOBIAS,
    Answer,
    Laptop,
    Line,
    Office,
    Team,
    add_member,
    words_of,
)

pytest_plugins = ["tests.laptop_fixtures"]

OFFICERS = "seven copper lanterns under the bridge"


def refusal(folder: Path, name: str = ALEX) -> VaultError | None:
    """Try what opened a vault before; return what refuses it, or None when it opens."""
    try:
        opening.open_with_words(folder, words_of(name), purpose="a test").close()
    except VaultError as error:
        return error
    return None


async def taken_out(laptop: Laptop) -> str:
    """Sync a laptop that was taken out; return what its owner reads."""
    with pytest.raises(Refused) as refused:
        await laptop.sync()
    assert refused.value.code == "device_revoked"
    return refused.value.sentence


async def test_a_laptop_that_was_taken_out_hands_in_and_closes_for_good(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    alex.write(keira, "before the laptop was reported")
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    told = await taken_out(alex)
    assert told.startswith(f"{RUTH} took this laptop out of the organisation. What it had not sent was handed in.")
    assert alex.titles(keira) == ["before the laptop was reported"], "nothing is taken from under anybody's hands"
    await ruth.sync()
    (came,) = ruth.desk.ask_now(late.waiting)
    assert came.entries == ("before the laptop was reported",)

    await alex.close()
    assert isinstance(refusal(alex.folder), VaultClosed)
    with pytest.raises(VaultClosed, match="Nothing in it is destroyed"):
        opening.open_with_passphrase(alex.folder, PASSPHRASE, purpose="a test")
    file, _ = vault_file.read(alex.folder)
    assert [slot.kind for slot in file.slots] == ["escrow"]


async def test_two_officers_open_what_was_closed_and_read_every_word_and_half_written_ones_too(empty_office: Office) -> None:
    ruth = empty_office.laptop(RUTH)
    made = await joining.set_up(ruth.box, ruth.client, empty_office.hub.setup_code, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
    alex = await empty_office.let_in(ruth, ALEX)
    keira = alex.add(KEIRA)
    alex.write(keira, "one", "two")
    alex.desk.do_now(drafts.keep, Draft("ab" * 16, keira, said="half a sentence"))
    await alex.sync()
    before, device = alex.digest(), alex.box.device
    await organising.revoke(ruth.box, ruth.client, [device])
    await taken_out(alex)
    await alex.close()

    with pytest.raises(VaultError, match="This escrow key does not open the vault"):
        escrowed.open_for_officers(alex.folder, Identity(bytes(range(32)), bytes(range(1, 33))), OFFICERS, memory_kib=64 * 1024)
    assert isinstance(refusal(alex.folder), VaultClosed)
    escrowed.open_for_officers(alex.folder, Identity(bytes(range(32)), made.escrow_private), OFFICERS, memory_kib=64 * 1024)
    again = opening.open_with_passphrase(alex.folder, OFFICERS, purpose="a test")
    opened = Laptop(ALEX, alex.folder, again, alex.url, alex.clock, Line())
    assert (opened.digest(), opened.titles(keira)) == (before, ["one", "two"])
    assert [draft.said for draft in opened.desk.ask_now(drafts.unfinished)] == ["half a sentence"]
    assert opened.box.device == device
    assert again.identity.private_bytes() == (b"", b""), "escrow opens, and never signs"
    with pytest.raises(VaultClosed):
        opened.write(keira, "in Alex's name")
    assert opened.titles(keira) == ["one", "two"]
    with pytest.raises(VaultClosed):
        await opened.sync()
    await opened.close()
    opening.open_with_passphrase(alex.folder, OFFICERS, purpose="a test").close()


class SaysRevoked(Line):
    """The line to a store that says of a laptop that it was taken out, and shows what it likes for a directory."""

    def __init__(self, shown: list[wire.Numbered], organisation: bytes) -> None:
        super().__init__()
        self.shown = shown
        self.organisation = organisation

    def told(self, request: object, answer: Answer) -> Answer:
        path = str(getattr(request, "url").path)  # noqa: B009 - any request
        if path == "/v1/news":
            return Answer(403, wire.MEDIA_TYPE, wire.write(wire.Trouble("device_revoked", "Taken out, says the store.")))
        if path == f"/v1/books/{self.organisation.hex()}/changes" and self.shown:
            page = wire.read(wire.Page, answer.body)
            last = self.shown[-1]
            digest = wire.next_digest(page.digest, wire.change_id(last.header), last.n)
            return answer._replace(body=wire.write(wire.Page((*page.changes, *self.shown), last.n, digest, False, page.now_ms)))
        return answer


@pytest.mark.parametrize("forged", [False, True])
async def test_a_store_s_word_alone_and_a_forged_statement_close_nothing(team: Team, forged: bool) -> None:
    alex = team.alex
    bea = await team.office.let_in(team.ruth, BEA)
    keira = alex.add(KEIRA)
    alex.write(keira, "still here")
    await alex.sync()
    known, directory = await alex.box.joined(), await alex.box.directory()
    assert known is not None and directory is not None
    # Bea is no administrator; in league with the store she signs what only Ruth may say.
    (said,) = chained([Revoke(alex.box.device)], directory.book, directory.seq, directory.head, bea.box.device, bea.box.sign)
    shown = [wire.Numbered(directory.seq + 1, said.header, said.body, said.signature, 1)] if forged else []
    await alex.tap(SaysRevoked(shown, known.organisation))
    with pytest.raises(HubMistrusted if forged else Refused) as told:
        await alex.sync()
    assert ("its root did not sign" in told.value.sentence) == forged
    await alex.close()
    assert refusal(alex.folder) is None, "it opens as ever"
    assert root_id(directory.root) == known.root


async def test_a_store_that_takes_its_word_back_is_sent_what_waits_and_gives_nobody_a_right_that_they_had_not(team: Team) -> None:
    alex, bea = team.alex, await team.office.let_in(team.ruth, BEA)
    keira, tobias = alex.add(KEIRA), alex.add(TOBIAS)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await add_member(alex, tobias, bea, Role.READ_ONLY)
    await bea.sync()
    known = await bea.box.joined()
    assert known is not None
    honest = bea.line
    await bea.tap(SaysRevoked([], known.organisation))
    await taken_out(bea)
    bea.write(keira, "while the store was wrong")
    assert (await bea.counts()).waiting == 0, "nothing goes to a store that says so"
    await bea.tap(honest)
    await bea.sync()
    assert bea.where(keira) == ["on the central store"]
    may_write = dict(bea.sql("SELECT subject, writable FROM book WHERE subject != ''"))
    assert may_write == {keira: 1, tobias: 0}
    await alex.sync()
    assert alex.titles(keira) == ["while the store was wrong"]


async def test_what_is_nowhere_else_keeps_the_vault_open_until_somebody_has_it(team: Team) -> None:
    alex, ruth = team.alex, team.ruth
    keira = alex.add(KEIRA)
    await alex.sync()
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    tobias = alex.add(TOBIAS)
    alex.write(tobias, "of somebody whom the central store never heard of")
    assert "on this laptop only" in await taken_out(alex)
    await alex.close()
    assert refusal(alex.folder) is None
    again = team.office.restart(alex)
    assert again.titles(tobias) == ["of somebody whom the central store never heard of"]
    assert again.titles(keira) == []


async def test_a_vault_that_lost_its_power_before_it_closed_closes_as_it_is_opened(team: Team, tmp_path: Path) -> None:
    import shutil

    alex, ruth = team.alex, team.ruth
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    await taken_out(alex)
    shutil.copytree(alex.folder, tmp_path / "cut", ignore=shutil.ignore_patterns("vault.lock"))
    assert isinstance(refusal(tmp_path / "cut"), VaultClosed)
    assert isinstance(refusal(tmp_path / "cut"), VaultClosed), "and stays closed"
    assert [slot.kind for slot in vault_file.read(tmp_path / "cut")[0].slots] == ["escrow"]


async def test_who_was_taken_out_sees_in_the_directory_who_said_so_and_nothing_after_it(team_on: Team) -> None:
    alex, ruth = team_on.alex, team_on.ruth
    known = await alex.box.joined()
    assert known is not None
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    directory = await ruth.box.directory()
    assert directory is not None
    ended = directory.seq
    await team_on.office.let_in(ruth, BEA)
    page = await alex.client.changes(known.organisation, 0)
    assert (page.n, len(page.changes), page.more) == (ended, ended, False)
    assert (await ruth.client.changes(known.organisation, 0)).n > ended
    with pytest.raises(Refused):
        await alex.client.news()
