"""Founding an organisation, enrolling devices, and deciding who reads a book: by compare-and-swap, all or none."""

from __future__ import annotations

import msgspec
import pytest

from leadworker import change, proof, statements
from leadworker.statements import Role
from sync import wire
from tests.hub_world import (
    Casebook,
    ControlLane,
    FakeOrganisation,
    Keys,
    Lane,
    World,
    key_for,
    refused,
    run,
    running,
    told,
)

pytest_plugins = ["tests.hub_fixtures"]

SMALL_ORDER = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
SECOND_SPELLING = (2**255 - 18).to_bytes(32, "little")


def code(outcome: wire.Outcome) -> str:
    assert outcome.code == "" or outcome.sentence.endswith("."), outcome.sentence
    return outcome.code


def founded(organisation: FakeOrganisation, setup_code: str, changes: tuple[wire.OpenChange, ...]) -> wire.Outcome:
    return told(wire.Outcome, organisation.found(setup_code, changes))


# Founding ------------------------------------------------------------------------------------------------------------


def test_an_organisation_is_founded_once_with_the_code_from_the_console(database: str) -> None:
    with running(database, founded=False) as world:
        organisation, setup = world.organisation, world.hub.setup_code
        before = organisation.hub()
        assert (before.book, before.founding, before.hub) == (b"", None, world.hub.public_key)
        changes = organisation.founding(world.hub.public_key)

        assert refused(organisation.found("AAAA-BBBB-CCCC-DDDD-EEEE", changes)) == "setup_code_wrong"
        assert refused(organisation.found("", changes)) == "setup_code_wrong"
        outcome = founded(organisation, setup.lower().replace("-", " "), changes)
        assert (outcome.code, outcome.ns, outcome.book) == ("", (1, 2), organisation.directory.book)
        assert founded(organisation, setup, changes) == outcome, "a retry after a lost answer is answered the same"

        after = organisation.hub()
        assert (after.book, after.founding) == (organisation.directory.book, changes[0])
        second = FakeOrganisation(world.hub.url, world.clock)
        assert founded(second, setup, second.founding(world.hub.public_key)).code == "already_founded"
        longer = (*changes, organisation.directory.statement(organisation.root, _enrol(organisation), organisation.root_id))
        assert founded(organisation, setup, longer).code == "already_founded"
        assert len(organisation.admin.pull(organisation.directory.book)) == 2
        second.close()


def test_a_founding_for_another_store_or_by_another_root_is_refused(database: str) -> None:
    with running(database, founded=False) as world:
        setup = world.hub.setup_code

        def attempt(**bent: bytes) -> wire.Outcome:
            organisation = FakeOrganisation(world.hub.url, world.clock)
            outcome = founded(organisation, setup, organisation.founding(**{"hub_key": world.hub.public_key, **bent}))
            organisation.close()
            return outcome

        assert attempt(hub_key=Keys().signing).code == "wrong_hub"
        assert attempt(root=Keys().signing).code == "not_allowed"
        assert attempt(root=SMALL_ORDER).code == "not_allowed"
        assert attempt(escrow=bytes(32)).code == "not_allowed"
        assert world.organisation.hub().book == b""


def test_a_founding_needs_a_first_administrator_signed_by_the_root(database: str) -> None:
    with running(database, founded=False) as world:
        organisation, setup = world.organisation, world.hub.setup_code
        founding, first = organisation.founding(world.hub.public_key)
        assert founded(organisation, setup, (founding,)).code == "not_allowed"
        assert founded(organisation, setup, (first,)).code == "not_allowed"

        lane = ControlLane(organisation.directory.book, 1, change.change_id(founding.header))
        plain = lane.copy().statement(organisation.root, organisation.enrol(organisation.admin, Role.MANAGER), organisation.root_id)
        assert founded(organisation, setup, (founding, plain)).code == "not_allowed"
        forged = lane.copy().statement(organisation.admin.keys, _enrol(organisation, admin=True))
        assert founded(organisation, setup, (founding, forged)).code == "not_allowed"
        assert organisation.hub().book == b""
        assert founded(organisation, setup, (founding, first)).code == ""


def test_before_the_founding_nobody_is_known(database: str) -> None:
    with running(database, founded=False) as world:
        laptop = world.organisation.laptop()
        for method, target in (("GET", "/v1/news"), ("POST", "/v1/control"), ("POST", "/v1/push"), ("GET", "/v1/joins")):
            assert refused(laptop.send(method, target, b"\x91\x90" if method == "POST" else b"")) == "device_unknown"


# The directory -------------------------------------------------------------------------------------------------------


def test_keys_under_which_anybody_can_sign_are_never_enrolled(world: World) -> None:
    organisation = world.organisation
    for signing, unsealing in (
        (SMALL_ORDER, Keys().unsealing),
        (SECOND_SPELLING, Keys().unsealing),
        (Keys().signing, bytes(32)),
        (Keys().signing, b"\x01" + bytes(31)),
        (b"short", Keys().unsealing),
    ):
        said = msgspec.structs.replace(_enrol(organisation), signing=signing, unsealing=unsealing)
        outcome = organisation.admin.control(organisation.directory.copy().statement(organisation.admin.keys, said))
        assert (outcome.code, "not sound" in outcome.sentence) == ("not_allowed", True)


def test_only_administrators_and_the_root_speak_in_the_directory(world: World) -> None:
    organisation = world.organisation
    plain, second = organisation.colleague(Role.SUPERVISOR), organisation.colleague(admin=True)
    said = _enrol(organisation)
    assert code(plain.control(organisation.directory.copy().statement(plain.keys, said))) == "not_allowed"
    by_second = organisation.directory.copy().statement(second.keys, said)
    assert code(organisation.admin.control(by_second)) == "wrong_device"
    assert code(second.control(organisation.directory.statement(second.keys, said))) == ""
    by_root = organisation.directory.statement(organisation.root, _enrol(organisation), organisation.root_id)
    assert code(second.control(by_root)) == "", "the offline root speaks through an administrator's laptop"
    posing = organisation.directory.copy().statement(plain.keys, _enrol(organisation), organisation.root_id)
    assert code(plain.control(posing)) == "not_allowed"


def test_a_revoked_device_is_refused_at_once_and_its_record_stays(world: World) -> None:
    organisation = world.organisation
    leaver = organisation.colleague()
    book = organisation.casebook(leaver, [(organisation.admin, Role.SUPERVISOR)])
    lane = Lane(book.book, leaver.device)
    leaver.push(run(leaver.keys, lane.write(2)))
    revoke = statements.Revoke(leaver.device)
    assert code(organisation.admin.control(organisation.directory.statement(organisation.admin.keys, revoke))) == ""

    body = wire.write(wire.Push((run(leaver.keys, lane.write(1)),)))
    for response in (leaver.send("POST", "/v1/push", body), leaver.send("GET", "/v1/news")):
        assert (response.status_code, refused(response)) == (403, "device_revoked")
    assert len(organisation.admin.pull(book.book)) == 4
    again = organisation.directory.copy().statement(organisation.admin.keys, revoke)
    assert code(organisation.admin.control(again)) == "not_allowed"


def test_the_last_administrator_is_not_taken_out(database: str) -> None:
    with running(database) as world:
        organisation = world.organisation
        revoke = organisation.directory.statement(organisation.admin.keys, statements.Revoke(organisation.admin.device))
        assert code(organisation.admin.control(revoke)) == "not_allowed"
        assert organisation.admin.news()


def test_several_enrolments_are_taken_together_or_not_at_all(world: World) -> None:
    organisation = world.organisation
    laptops = [organisation.laptop() for _ in range(3)]
    lane = organisation.directory.copy()
    good = [lane.statement(organisation.admin.keys, organisation.enrol(laptop, Role.CO_WORKER)) for laptop in laptops[:2]]
    bad = lane.statement(organisation.admin.keys, organisation.enrol(laptops[2], Role.CO_WORKER, keys=laptops[0].keys))
    assert code(organisation.admin.control(*good, bad)) == "not_allowed"
    assert {refused(laptop.send("GET", "/v1/news")) for laptop in laptops} == {"device_unknown"}
    assert code(organisation.admin.control(*good)) == ""
    organisation.directory = ControlLane(lane.book, lane.seq - 1, change.change_id(good[-1].header))
    assert laptops[0].news() and laptops[1].news()


def test_a_device_is_enrolled_once(world: World) -> None:
    organisation = world.organisation
    laptop = organisation.colleague()
    again = organisation.directory.copy().statement(organisation.admin.keys, organisation.enrol(laptop, Role.MANAGER))
    assert code(organisation.admin.control(again)) == "not_allowed"


# Books ---------------------------------------------------------------------------------------------------------------


def test_a_book_begins_with_its_members_and_its_first_key_together(world: World) -> None:
    organisation = world.organisation
    lead = organisation.colleague()
    book, (members, key) = organisation.new_casebook(lead)
    assert code(lead.control(members)) == "not_allowed"
    assert code(lead.control(key)) == "head_moved"
    assert refused(lead.send("GET", f"/v1/books/{book.book.hex()}/changes")) == "not_a_member"
    outcome = lead.control(members, key)
    assert (outcome.code, outcome.ns) == ("", (1, 2))
    message = wire.receipt_message(book.book, change.change_id(key.header), outcome.last_n, outcome.digest, outcome.received_ms)
    assert proof.is_signed(world.hub.public_key, proof.RECEIPT, message, outcome.receipt)
    assert lead.control(members, key) == outcome, "a retry after a lost answer is answered the same"
    assert [(item.header, item.body, item.signature) for item in lead.pull(book.book)] == [
        (members.header, members.body, members.signature),
        (key.header, key.body, key.signature),
    ]


def test_nobody_founds_a_book_in_another_lead_s_name(world: World) -> None:
    organisation = world.organisation
    lead, other = organisation.colleague(), organisation.colleague()
    _, said = organisation.new_casebook(lead)
    assert code(other.control(*said)) == "wrong_device"
    book, _ = organisation.new_casebook(lead)
    lane = ControlLane(book.book)
    first = statements.Membership(organisation.directory.seen, (lead.member(Role.KEY_WORKER),), (), lead.person)
    forged = lane.statement(other.keys, first), lane.statement(other.keys, key_for(1, book.members, organisation.directory.seen))
    assert code(other.control(*forged)) == "not_allowed"


def test_when_two_change_the_members_at_once_the_second_is_told(world: World) -> None:
    organisation = world.organisation
    lead, supervisor, new = organisation.colleague(), organisation.colleague(Role.SUPERVISOR), organisation.colleague()
    book = organisation.casebook(lead, [(supervisor, Role.SUPERVISOR)])
    theirs = Casebook(book.control.copy(), organisation.directory, dict(book.members), book.lead)
    added = book.membership(lead, [new.member(Role.CO_WORKER)]), book.grant(lead, new.device)
    removed = theirs.membership(supervisor, remove=[lead.device])
    assert code(lead.control(*added)) == ""
    assert code(supervisor.control(removed)) == "head_moved"
    assert code(lead.control(*added)) == "", "the first one's retry is still good"
    skipped = book.control.copy()
    skipped.seq += 3
    assert code(lead.control(skipped.statement(lead.keys, statements.Grant(1, {lead.device: bytes(80)})))) == "head_moved"
    assert new.pull(book.book)


def test_statements_of_one_request_are_taken_together_or_not_at_all(world: World) -> None:
    organisation = world.organisation
    lead, new = organisation.colleague(), organisation.colleague()
    book = organisation.casebook(lead)
    view = Casebook(book.control.copy(), organisation.directory, dict(book.members), book.lead)
    adding = view.membership(lead, [new.member(Role.CO_WORKER)])
    not_for_all = view.control.statement(lead.keys, key_for(2, {lead.device: lead.member(Role.KEY_WORKER)}, organisation.directory.seen))
    assert code(lead.control(adding, not_for_all)) == "not_allowed"
    assert refused(new.send("GET", f"/v1/books/{book.book.hex()}/changes")) == "not_a_member"
    assert book.book not in new.news()
    assert len(lead.pull(book.book)) == 2
    assert code(lead.control(adding)) == ""
    assert book.book in new.news()


@pytest.mark.parametrize("role", [Role.CO_WORKER, Role.READ_ONLY])
def test_only_the_lead_a_supervisor_or_a_manager_decides_who_reads(world: World, role: Role) -> None:
    organisation = world.organisation
    lead, member, outsider, new = (organisation.colleague() for _ in range(4))
    book = organisation.casebook(lead, [(member, role)])
    for laptop in (member, outsider):
        view = Casebook(book.control.copy(), organisation.directory, dict(book.members), book.lead)
        assert code(laptop.control(view.membership(laptop, [new.member(Role.CO_WORKER)]))) == "not_allowed"


def test_a_new_key_is_for_every_member_and_for_escrow_and_for_nobody_else(world: World) -> None:
    organisation = world.organisation
    lead, member, outsider = (organisation.colleague() for _ in range(3))
    book = organisation.casebook(lead, [(member, Role.CO_WORKER)])
    good = key_for(2, book.members, organisation.directory.seen)
    for bent in (
        msgspec.structs.replace(good, seals={lead.device: bytes(80)}),
        msgspec.structs.replace(good, seals={**good.seals, outsider.device: bytes(80)}),
        msgspec.structs.replace(good, escrow=b""),
        msgspec.structs.replace(good, epoch=3),
        msgspec.structs.replace(good, ladder=b""),
    ):
        assert code(lead.control(book.control.copy().statement(lead.keys, bent))) == "not_allowed"
    assert code(lead.control(book.control.statement(lead.keys, good))) == ""


def test_a_revoked_device_does_not_become_a_member(world: World) -> None:
    organisation = world.organisation
    lead, leaver = organisation.colleague(), organisation.colleague()
    book = organisation.casebook(lead)
    revoke = organisation.directory.statement(organisation.admin.keys, statements.Revoke(leaver.device))
    assert code(organisation.admin.control(revoke)) == ""
    assert code(lead.control(book.membership(lead, [leaver.member(Role.CO_WORKER)]))) == "not_allowed"


def test_a_statement_with_an_altered_body_or_signature_is_refused(world: World) -> None:
    lead = world.organisation.colleague()
    book = world.organisation.casebook(lead)
    good = book.control.copy().statement(lead.keys, statements.Grant(1, {lead.device: bytes(80)}))
    for bent in (
        wire.OpenChange(good.header, good.body[:-1] + b"\x01", good.signature),
        wire.OpenChange(good.header, good.body + b"\x00", good.signature),
        wire.OpenChange(good.header, good.body, bytes(64)),
        wire.OpenChange(good.header, good.body, b""),
    ):
        assert code(lead.control(bent)) in ("not_allowed", "wrong_size")
    assert code(lead.control(good)) == ""


def test_requests_that_hold_nothing_two_books_or_content_are_refused_in_words(world: World) -> None:
    organisation = world.organisation
    lead = organisation.colleague()
    one, other = organisation.casebook(lead), organisation.casebook(lead)
    grants = [book.grant(lead, lead.device) for book in (one, other)]
    assert code(lead.control()) == "bad_request"
    assert code(lead.control(*grants)) == "mixed_run"
    ((header, seal),) = Lane(one.book, lead.device).write(1)
    assert code(lead.control(wire.OpenChange(header, seal, bytes(64)))) == "wrong_kind"
    assert code(lead.control(wire.OpenChange(b"", b"", b""))) == "bad_header"
    twice = one.control.copy()
    gap = twice.statement(lead.keys, statements.Grant(1, {lead.device: bytes(80)})), grants[0]
    assert code(lead.control(*gap)) == "broken_chain"
    apart = [ControlLane(one.book, one.control.seq + at, bytes([1 + at] * 32)) for at in range(2)]
    forked = [lane.statement(lead.keys, statements.Grant(1, {lead.device: bytes(80)})) for lane in apart]
    assert code(lead.control(*forked)) == "broken_chain"


def test_a_request_holds_no_more_statements_and_none_larger_than_every_laptop_takes(world: World) -> None:
    organisation = world.organisation
    lead = organisation.colleague()
    book = organisation.casebook(lead)
    grants = [book.grant(lead, lead.device) for _ in range(wire.MOST_STATEMENTS + 1)]
    assert code(lead.control(*grants)) == "bad_request"
    assert code(lead.control(*grants[:-1])) == ""
    assert code(lead.control(msgspec.structs.replace(grants[-1], body=grants[-1].body + b"\0"))) == "wrong_size"
    assert code(lead.control(grants[-1])) == ""
    many = [statements.Member(bytes(16), bytes(16), Role.CO_WORKER)] * (wire.LARGEST_BODY // 32)
    large = book.membership(lead, many)
    assert len(large.body) > wire.LARGEST_BODY
    assert code(lead.control(large)) == "wrong_size"


def test_a_statement_after_another_predecessor_is_told_that_somebody_was_first(world: World) -> None:
    """The place alone does not make it follow: its writer looks at what is there now, and decides again."""
    lead = world.organisation.colleague()
    book = world.organisation.casebook(lead)
    forked = ControlLane(book.book, book.control.seq, bytes([1] * 32))
    said = statements.Grant(1, {lead.device: bytes(80)})
    assert code(lead.control(forked.statement(lead.keys, said))) == "head_moved"
    assert code(lead.control(book.control.statement(lead.keys, said))) == ""


def test_a_body_nested_without_end_is_refused_and_no_fault(world: World) -> None:
    lead = world.organisation.colleague()
    lane = ControlLane(bytes(range(16)))
    whole = statements.write_statement(statements.Grant(1, {lead.device: bytes(80)}))
    body = bytes([whole[0] + 1]) + whole[1:] + b"\x91" * 60_000 + b"\xc0"  # one field more, nested deep
    header = change.Header(change.Kind.GRANT, lane.book, lead.device, 0, 1, change.FIRST, len(body), change.commitment(body)).pack()
    signature = lead.keys.sign(proof.HEAD, change.change_id(header))
    assert code(lead.control(wire.OpenChange(header, body, signature))) == "not_allowed"


def test_membership_takes_effect_at_its_place_in_the_sequence(world: World) -> None:
    organisation = world.organisation
    lead, new = organisation.colleague(), organisation.colleague()
    book = organisation.casebook(lead)
    lane = Lane(book.book, new.device)
    early = run(new.keys, lane.write(1))
    assert [outcome.code for outcome in new.push(early)] == ["not_a_member"]
    added = lead.control(book.membership(lead, [new.member(Role.CO_WORKER)]), book.grant(lead, new.device))
    (outcome,) = new.push(early)
    assert outcome.code == "" and outcome.ns == (added.last_n + 1,)


def _enrol(organisation: FakeOrganisation, *, admin: bool = False) -> statements.Enrol:
    return organisation.enrol(organisation.laptop(), Role.KEY_WORKER, admin=admin)
