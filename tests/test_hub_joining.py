"""Invites: made by an administrator, used once, by the first device that comes, within 72 hours."""

from __future__ import annotations

import secrets
from dataclasses import replace

import httpx
import pytest

from leadworker.statements import Role
from sync import wire
from tests.hub_world import FakeOrganisation, Keys, Laptop, World, refused, running, told

pytest_plugins = ["tests.hub_fixtures"]

SMALL_ORDER = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")


@pytest.fixture
def organisation(world: World) -> FakeOrganisation:
    return world.organisation


def announce(laptop: Laptop, invite: bytes, life_ms: int = wire.INVITE_LIFE_MS) -> httpx.Response:
    return laptop.send("POST", "/v1/invites", wire.write(wire.Invite(invite, laptop.now_ms() + life_ms)))


def invited(organisation: FakeOrganisation) -> bytes:
    invite = secrets.token_bytes(16)
    assert told(wire.JoinState, announce(organisation.admin, invite)).state == "open"
    return invite


def state(organisation: FakeOrganisation, invite: bytes) -> str:
    return told(wire.JoinState, organisation.http.get(f"/v1/join/{invite.hex()}")).state


def admit(organisation: FakeOrganisation, laptop: Laptop, invite: bytes, keys: Keys | None = None) -> str:
    lane = organisation.directory.copy()
    said = organisation.enrol(laptop, Role.KEY_WORKER, invite=invite, keys=keys)
    outcome = organisation.admin.control(lane.statement(organisation.admin.keys, said))
    if not outcome.code:
        organisation.directory = lane
    return outcome.code


def waiting(organisation: FakeOrganisation) -> list[bytes]:
    return [request.invite for request in told(wire.Joins, organisation.admin.send("GET", "/v1/joins")).requests]


def test_a_colleague_comes_with_an_invite_waits_and_is_admitted(organisation: FakeOrganisation) -> None:
    invite, laptop, proof = invited(organisation), organisation.laptop(), secrets.token_bytes(32)
    assert refused(laptop.send("GET", "/v1/news")) == "device_unknown"
    assert told(wire.JoinState, organisation.join(laptop, invite, given=proof)).state == "waiting"
    assert state(organisation, invite) == "waiting"
    (request,) = [request for request in told(wire.Joins, organisation.admin.send("GET", "/v1/joins")).requests if request.invite == invite]
    assert (request.signing, request.unsealing, request.proof) == (laptop.keys.signing, laptop.keys.unsealing, proof)
    assert admit(organisation, laptop, invite) == ""
    assert state(organisation, invite) == "admitted"
    assert invite not in waiting(organisation)
    assert list(laptop.news()) == [organisation.directory.book]
    assert told(wire.JoinState, organisation.join(laptop, invite, given=proof)).state == "admitted"


def test_an_invite_serves_one_device_the_first_that_comes(organisation: FakeOrganisation) -> None:
    invite, first, second = invited(organisation), organisation.laptop(), organisation.laptop()
    assert told(wire.JoinState, organisation.join(first, invite)).state == "waiting"
    for _ in range(2):
        response = organisation.join(second, invite)
        assert (response.status_code, refused(response)) == (409, "invite_used")
    assert refused(organisation.join(first, invite, given=secrets.token_bytes(32))) == "invite_used"
    assert told(wire.JoinState, organisation.join(first, invite)).state == "waiting", "the same request again is a retry"
    assert admit(organisation, second, invite) == "invite_unknown", "nobody is admitted with keys that did not come"
    assert admit(organisation, first, invite) == ""
    assert refused(organisation.join(second, invite)) == "invite_used"
    assert admit(organisation, second, invite) == "invite_used"


def test_an_invite_admits_once_even_within_one_request(organisation: FakeOrganisation) -> None:
    invite, laptop = invited(organisation), organisation.laptop()
    organisation.join(laptop, invite)
    lane = organisation.directory.copy()
    said = organisation.enrol(laptop, Role.KEY_WORKER, invite=invite)
    twice = [lane.statement(organisation.admin.keys, said) for _ in range(2)]
    assert organisation.admin.control(*twice).code == "invite_used"
    assert state(organisation, invite) == "waiting"


def test_an_unknown_invite_is_refused(organisation: FakeOrganisation) -> None:
    response = organisation.join(organisation.laptop(), secrets.token_bytes(16))
    assert (response.status_code, refused(response)) == (404, "invite_unknown")
    assert refused(organisation.join(organisation.laptop(), b"")) == "invite_unknown"
    assert state(organisation, secrets.token_bytes(16)) == "unknown"
    assert admit(organisation, organisation.laptop(), secrets.token_bytes(16)) == "invite_unknown"
    assert admit(organisation, organisation.laptop(), invited(organisation)) == "invite_unknown", "nobody came with it"


def test_an_invite_of_another_organisation_is_unknown_here(world: World) -> None:
    elsewhere = FakeOrganisation(world.hub.url, world.clock)
    assert announce(elsewhere.admin, secrets.token_bytes(16)).status_code == 401
    elsewhere.close()


def test_an_invite_expires_before_or_after_somebody_came_with_it(database: str) -> None:
    with running(database) as world:
        organisation = world.organisation
        unused, used, finished = (invited(organisation) for _ in range(3))
        late, waits, done = (organisation.laptop() for _ in range(3))
        organisation.join(waits, used)
        organisation.join(done, finished)
        assert admit(organisation, done, finished) == ""
        world.clock.pushed_ms += wire.INVITE_LIFE_MS + 1

        response = organisation.join(late, unused)
        assert (response.status_code, refused(response)) == (410, "invite_expired")
        assert refused(organisation.join(waits, used)) == "invite_expired"
        assert admit(organisation, waits, used) == "invite_expired"
        assert waiting(organisation) == []
        assert [state(organisation, invite) for invite in (unused, used, finished)] == ["expired", "expired", "admitted"]
        assert told(wire.JoinState, organisation.join(done, finished)).state == "admitted"


def test_unsound_keys_and_malformed_proofs_do_not_wait(organisation: FakeOrganisation) -> None:
    invite, laptop = invited(organisation), organisation.laptop()
    headers = {"content-type": wire.MEDIA_TYPE}
    sound = Keys()
    for signing, unsealing, proof, code in (
        (SMALL_ORDER, sound.unsealing, bytes(32), "key_unsound"),
        (sound.signing, bytes(32), bytes(32), "key_unsound"),
        (sound.signing, b"", bytes(32), "key_unsound"),
        (sound.signing, sound.unsealing, b"", "bad_request"),
    ):
        body = wire.write(wire.JoinRequest(invite, signing, unsealing, proof))
        assert refused(organisation.http.post("/v1/join", content=body, headers=headers)) == code
    assert state(organisation, invite) == "open"
    assert told(wire.JoinState, organisation.join(laptop, invite)).state == "waiting"


def test_everybody_sees_who_waits_with_their_own_invite_and_an_administrator_sees_all(organisation: FakeOrganisation) -> None:
    admin, colleague, other = organisation.admin, organisation.colleague(), organisation.colleague(Role.SUPERVISOR)
    invites = {laptop.device: secrets.token_bytes(16) for laptop in (admin, colleague, other)}
    for laptop in (admin, colleague, other):
        assert told(wire.JoinState, announce(laptop, invites[laptop.device])).state == "open"
        organisation.join(organisation.laptop(), invites[laptop.device])
    for laptop in (colleague, other):
        (waiting,) = told(wire.Joins, laptop.send("GET", "/v1/joins")).requests
        assert waiting.invite == invites[laptop.device]
    waiting_for_admin = {request.invite for request in told(wire.Joins, admin.send("GET", "/v1/joins")).requests}
    assert set(invites.values()) <= waiting_for_admin
    body = wire.write(wire.Invite(invites[admin.device], admin.now_ms() + 60_000))
    assert refused(other.send("POST", "/v1/invites", body)) == "invite_taken", "nobody takes over another's invite"


def test_a_worker_lets_in_a_laptop_of_their_own_and_of_nobody_else(organisation: FakeOrganisation) -> None:
    worker, stranger = organisation.colleague(), organisation.laptop()
    second = replace(organisation.laptop(), person=worker.person)
    for laptop in (stranger, second):
        announce(worker, invite := secrets.token_bytes(16))
        organisation.join(laptop, invite)
        lane = organisation.directory.copy()
        said = organisation.enrol(laptop, Role.KEY_WORKER, invite=invite)
        outcome = worker.control(lane.statement(worker.keys, said))
        assert outcome.code == ("not_allowed" if laptop is stranger else "")
    organisation.directory = lane
    assert second.news()
    grown = organisation.enrol(replace(organisation.laptop(), person=worker.person), Role.MANAGER)
    assert worker.control(organisation.directory.copy().statement(worker.keys, grown)).code == "not_allowed", "nobody promotes themselves"


def test_an_invite_holds_72_hours_at_most_and_is_announced_once(organisation: FakeOrganisation) -> None:
    admin = organisation.admin
    for life_ms in (0, -1000, wire.INVITE_LIFE_MS + wire.CLOCK_TOLERANCE_MS + 60_000):
        assert refused(announce(admin, secrets.token_bytes(16), life_ms)) == "bad_request"
    assert refused(announce(admin, b"short")) == "bad_request"
    body = wire.write(wire.Invite(secrets.token_bytes(16), admin.now_ms() + 60_000))
    for _ in range(2):
        assert told(wire.JoinState, admin.send("POST", "/v1/invites", body)).state == "open"
    other = wire.write(wire.Invite(wire.read(wire.Invite, body).invite, admin.now_ms() + 90_000))
    assert refused(admin.send("POST", "/v1/invites", other)) == "invite_taken"
    far = wire.write(wire.Invite(secrets.token_bytes(16), 2**64 - 1))
    assert refused(admin.send("POST", "/v1/invites", far)) == "bad_request"
