"""The keys in people's hands: escrow renewed and casebooks that follow it, the root replaced by itself or by two administrators."""

from __future__ import annotations

import msgspec
import pytest

from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import Identity
from leadworker.errors import Offline, Refused, Unsettled
from leadworker.statements import Role, Rotation, read_book_statement, root_id
from sync import joining, organising, root_keys, wire
from sync.founding import ESCROW
from tests.laptops import ALEX, BEA, CEM, KEIRA, ORGANISATION, RUTH, TEAM, Laptop, Office, add_member, agree

pytest_plugins = ["tests.laptop_fixtures"]


async def founded(office: Office) -> tuple[Laptop, Laptop, Identity]:
    """Found the organisation here and now, and keep the root that a ceremony puts into people's hands."""
    ruth = office.laptop(RUTH)
    made = await joining.set_up(ruth.box, ruth.client, office.hub.setup_code, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
    alex = await office.let_in(ruth, ALEX, admin=True)
    return ruth, alex, Identity(made.root_signing, bytes(32))


async def last_rotation(laptop: Laptop, person: str) -> Rotation:
    statements = await laptop.box.statements(laptop.book(person))
    return [said for said in (read_book_statement(one.body) for one in statements) if isinstance(said, Rotation)][-1]


async def test_another_escrow_key_is_named_by_the_root_and_every_casebook_follows(empty_office: Office) -> None:
    ruth, alex, root = await founded(empty_office)
    keira = alex.add(KEIRA)
    alex.write(keira, "before")
    await alex.sync()
    escrow = Identity.new()
    with pytest.raises(Refused, match="not the root key"):
        await root_keys.renew_escrow(ruth.box, ruth.client, Identity.new(), escrow.unsealing_public)
    await root_keys.renew_escrow(ruth.box, ruth.client, root, escrow.unsealing_public)
    await alex.sync()
    said = await last_rotation(alex, keira)
    assert said.epoch == 2
    secret = escrow.unseal(said.escrow, key_info(alex.book(keira), 2, ESCROW))
    assert BookKey(alex.book(keira), 2, secret).commitment() == said.commitment
    await ruth.sync()
    await alex.sync()
    assert (await last_rotation(alex, keira)).epoch == 2, "once is enough"
    await agree(ruth, alex)


async def test_a_casebook_whose_lead_has_no_laptop_follows_by_a_supervisor_s_and_once(empty_office: Office) -> None:
    ruth, alex, root = await founded(empty_office)
    bea = await empty_office.let_in(ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    await add_member(alex, keira, bea, Role.CO_WORKER)
    await ruth.sync()
    await bea.sync()
    await organising.revoke(ruth.box, ruth.client, [alex.box.device])
    await ruth.sync()
    await bea.sync()
    before = (await last_rotation(ruth, keira)).epoch
    escrow = Identity.new()
    await root_keys.renew_escrow(ruth.box, ruth.client, root, escrow.unsealing_public)
    await bea.sync()
    assert (await last_rotation(bea, keira)).epoch == before, "who decides gives it"
    for laptop in (ruth, bea, ruth):
        await laptop.sync()
    said = await last_rotation(bea, keira)
    assert said.epoch == before + 1
    secret = escrow.unseal(said.escrow, key_info(ruth.book(keira), said.epoch, ESCROW))
    assert BookKey(ruth.book(keira), said.epoch, secret).commitment() == said.commitment
    await agree(ruth, bea)


@pytest.mark.parametrize("lost", [1, 3, 4])
@pytest.mark.parametrize("key", ["escrow", "root"])
async def test_a_new_key_whose_answer_is_lost_is_in_force_and_never_taken_for_refused(empty_office: Office, key: str, lost: int) -> None:
    """Its files would be taken away: everything would be sealed to a key, or hang on a root, that nobody has."""
    ruth, alex, root = await founded(empty_office)
    await ruth.sync()
    new, renew = Identity.new(), root_keys.renew_escrow if key == "escrow" else root_keys.renew_root
    public = new.unsealing_public if key == "escrow" else new.signing_public
    began = len(ruth.line.requests) + 1 + 1  # the directory is asked for first, then the statement is sent
    ruth.line.after = lambda number: began <= number < began + lost
    if lost < root_keys.TRIES:
        await renew(ruth.box, ruth.client, root, public)
    else:
        with pytest.raises(Unsettled, match="Keep the old key files and the new ones"):
            await renew(ruth.box, ruth.client, root, public)
    ruth.line.after = lambda number: False
    directory = await joining.pull_directory(alex.box, alex.client)
    assert public in (directory.root, directory.escrow)


async def test_a_new_key_that_somebody_else_was_before_is_refused_and_a_store_that_is_busy_is_no_maybe(empty_office: Office) -> None:
    ruth, alex, root = await founded(empty_office)
    await ruth.sync()
    ours, theirs, tried = Identity.new(), Identity.new(), [0]
    control = ruth.client.control

    async def beaten(changes: tuple[wire.OpenChange, ...]) -> wire.Outcome:
        tried[0] += 1
        if tried[0] == 1:
            await root_keys.renew_root(alex.box, alex.client, root, theirs.signing_public)
            raise Offline("cut")
        return await control(changes)

    ruth.client.control = beaten  # type: ignore[method-assign]
    with pytest.raises(Refused, match="Others change the organisation"):
        await root_keys.renew_root(ruth.box, ruth.client, root, ours.signing_public)

    async def busy(changes: tuple[wire.OpenChange, ...]) -> wire.Outcome:
        raise Refused("A moment.")

    ruth.client.control = busy  # type: ignore[method-assign]
    with pytest.raises(Refused, match="A moment"):
        await root_keys.renew_root(ruth.box, ruth.client, theirs, ours.signing_public)


async def test_the_old_root_names_a_new_one_and_speaks_no_more(empty_office: Office) -> None:
    ruth, _, root = await founded(empty_office)
    new = Identity.new()
    directory = await root_keys.renew_root(ruth.box, ruth.client, root, new.signing_public)
    assert directory.root == new.signing_public
    with pytest.raises(Refused, match="not the root key of the organisation as it is now"):
        await root_keys.renew_escrow(ruth.box, ruth.client, root, Identity.new().unsealing_public)
    await root_keys.renew_escrow(ruth.box, ruth.client, new, Identity.new().unsealing_public)


async def test_a_lost_root_is_replaced_by_two_administrators_and_newcomers_still_find_their_way(empty_office: Office) -> None:
    ruth, alex, root = await founded(empty_office)
    keira = alex.add(KEIRA)
    alex.write(keira, "whatever becomes of the root")
    await alex.sync()
    await ruth.sync()
    before = ruth.digest()
    new = Identity.new()
    request = await root_keys.ask_for_root(ruth.box, ruth.client, new.signing_public)
    with pytest.raises(Refused, match="two administrators together"):
        await root_keys.confirm_root(ruth.box, ruth.client, await root_keys.witness(ruth.box, ruth.client, request))
    witnessed = await root_keys.witness(alex.box, alex.client, request)
    bent = msgspec.structs.replace(witnessed, signature="00" * 64)
    with pytest.raises(Refused, match="signature over a new root does not fit"):
        await root_keys.confirm_root(ruth.box, ruth.client, bent)
    directory = await root_keys.confirm_root(ruth.box, ruth.client, witnessed)
    assert directory.root == new.signing_public
    with pytest.raises(Refused, match="another organisation, or about a root that was replaced"):
        await root_keys.confirm_root(ruth.box, ruth.client, witnessed)

    bea = await empty_office.let_in(ruth, BEA, role=Role.SUPERVISOR)
    known = await bea.box.joined()
    assert known is not None
    assert known.root == root_id(root.signing_public), "an invite goes on naming the root of the founding"
    await alex.sync()
    for laptop in (bea, ruth):
        await laptop.sync()
    assert bea.titles(keira) == ["whatever becomes of the root"]
    assert ruth.digest() == before, "no word of any casebook has changed"
    await agree(ruth, alex, bea)
    await root_keys.renew_escrow(ruth.box, ruth.client, new, Identity.new().unsealing_public)


async def test_who_is_no_administrator_neither_asks_nor_witnesses(empty_office: Office) -> None:
    ruth, _, _ = await founded(empty_office)
    cem = await empty_office.let_in(ruth, CEM)
    request = await root_keys.ask_for_root(ruth.box, ruth.client, Identity.new().signing_public)
    for asked in (root_keys.ask_for_root(cem.box, cem.client, bytes(32)), root_keys.witness(cem.box, cem.client, request)):
        with pytest.raises(Refused, match="Only an administrator"):
            await asked
    await organising.appoint(ruth.box, ruth.client, ruth.person_of(cem), admin=True)
    await cem.sync()
    assert (await root_keys.witness(cem.box, cem.client, request)).witness == cem.box.device.hex()


async def test_a_casebook_follows_another_escrow_key_also_when_somebody_else_speaks_of_it_at_that_moment(empty_office: Office) -> None:
    ruth, alex, root = await founded(empty_office)
    bea = await empty_office.let_in(ruth, BEA)
    keira = alex.add(KEIRA)
    await alex.sync()
    await ruth.sync()
    escrow = Identity.new()
    await root_keys.renew_escrow(ruth.box, ruth.client, root, escrow.unsealing_public)
    await ruth.sync()
    control = alex.client.control

    async def second(changes: tuple[wire.OpenChange, ...]) -> wire.Outcome:
        alex.client.control = control  # type: ignore[method-assign]
        await add_member(ruth, keira, bea, Role.CO_WORKER)
        return await control(changes)

    alex.client.control = second  # type: ignore[assignment,method-assign]
    await alex.sync()
    said = await last_rotation(alex, keira)
    secret = escrow.unseal(said.escrow, key_info(alex.book(keira), said.epoch, ESCROW))
    assert BookKey(alex.book(keira), said.epoch, secret).commitment() == said.commitment
