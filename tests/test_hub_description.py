"""The store's own OpenAPI description against the store: whatever is made from it, and whatever is not, is answered in words."""

from __future__ import annotations

import hashlib
import os
import secrets
import types
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from sync import wire
from sync.hub import live_routes
from sync.hub.app import build_app, routes
from sync.hub.databases import change_allowance
from tests.hub_world import STORES, World

pytest_plugins = ["tests.hub_fixtures"]

EXAMPLES = 15
"""Cases of each route, way and database in the gate. `make cases` takes more: LEADWORKER_CASES says how many in all."""

WAYS = ("signed", "unsigned", "against the description")
SENT = {
    "/v1/organisation": wire.Control, "/v1/join": wire.JoinRequest, "/v1/invites": wire.Invite, "/v1/control": wire.Control,
    "/v1/push": wire.Push, "/v1/late": wire.Late, "/v1/late/taken": wire.Taken, "/v1/recovery/report": wire.Report,
    "/v1/recovery/changes": wire.Returned, "/v1/books/{book}/files/{digest}": wire.FilePart,
}  # fmt: skip
schemathesis.openapi.media_type(wire.MEDIA_TYPE, st.binary(max_size=300))


def shaped(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of a type of the wire, as MessagePack carries them: of the right shape, and hardly ever meaningful."""
    if kind is bytes:
        return st.sampled_from([0, 1, 4, 16, 32, 64, 80, wire.HEADER_BYTES, 300]).flatmap(
            lambda size: st.binary(min_size=size, max_size=size)
        )
    if kind is int:
        return st.one_of(st.integers(0, 2**40), st.integers(-(2**63), 2**64 - 1))
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        if parts[-1] is Ellipsis:
            return st.lists(shaped(parts[0]), max_size=4)
        return st.tuples(*map(shaped, parts)).map(list)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.tuples(*map(shaped, get_type_hints(kind).values())).map(list)
    raise AssertionError(f"the wire has a type that this test does not know: {kind}")


def bodies(path: str) -> st.SearchStrategy[bytes]:
    """Return bodies for a route: its message with senseless values, other MessagePack, and noise."""
    anything = st.recursive(
        st.none() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=9), st.lists, max_leaves=9
    )
    kind = SENT.get(path)
    sensible = shaped(kind).map(msgspec.msgpack.encode) if kind else st.just(b"")
    return st.one_of(sensible, anything.map(msgspec.msgpack.encode), st.binary(max_size=300))


def operations() -> Iterator[Any]:
    """Return every request of the description that the store gives of itself."""
    schema = schemathesis.openapi.from_dict(build_app(types.SimpleNamespace()).openapi())  # type: ignore[arg-type]
    for found in schema.get_all_operations():
        yield found.ok()


OPERATIONS = {operation.label: operation for operation in operations()}


def asked() -> list[tuple[str, str]]:
    """Return every request with every way in which it can be asked."""
    found = []
    for label, operation in OPERATIONS.items():
        nothing_to_go_against = not (operation.path_parameters or operation.query or operation.headers)
        without = {"signed"} if label == "GET /v1/live" else set()  # signed, it is answered for ever (tests/test_hub_live.py)
        without |= {"against the description"} if nothing_to_go_against else set()
        found += [(label, how) for how in WAYS if how not in without]
    return found


ASKED = asked()


def examples() -> int:
    """Return how many cases each test tries."""
    wanted = int(os.environ.get("LEADWORKER_CASES", "0"))
    return max(EXAMPLES, -(-wanted // (len(ASKED) * len(STORES))))


@pytest.fixture
def patient(world: World) -> World:
    """A store that turns nobody away for asking often: a long run would otherwise hear little else."""
    change_allowance(world.database, device_per_second=1e6, device_at_once=10**6, address_per_second=1e6, address_at_once=10**6)
    world.hub._hub._allowed_until = 0.0
    assert world.organisation.admin.news()
    return world


def test_the_description_names_every_request_and_no_other() -> None:
    every = [*routes.routes, *live_routes.routes.routes]
    served = {f"{method} {route.path}" for route in every for method in getattr(route, "methods", ())}  # type: ignore[attr-defined]
    assert set(OPERATIONS) == served


@pytest.mark.parametrize(("label", "how"), ASKED)
def test_whatever_is_made_from_the_description_is_answered_in_words(patient: World, label: str, how: str) -> None:
    world, operation = patient, OPERATIONS[label]
    against = how == "against the description"
    mode = GenerationMode.NEGATIVE if against else GenerationMode.POSITIVE
    admin = world.organisation.admin
    faults = world.log.getvalue().count('"event":"fault"')
    with requests.Session() as session:

        @settings(max_examples=examples(), suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode), body=bodies(operation.path))
        def ask(case: Any, body: bytes) -> None:
            asked = case.as_transport_kwargs(base_url=world.hub.url)
            given = {name: asked.get(name) for name in ("method", "url", "headers", "params")}
            made = session.prepare_request(requests.Request(**given, data=body if operation.method == "post" else b""))
            if how == "signed":
                time_ms, nonce = admin.now_ms(), secrets.token_bytes(wire.NONCE_BYTES)
                digest = hashlib.sha256(made.body or b"").digest()  # type: ignore[arg-type]
                signature = admin.keys.sign(wire.REQUEST, wire.request_message(str(made.method), made.path_url, time_ms, nonce, digest))
                made.headers.update(wire.request_headers(admin.device, time_ms, nonce, signature, digest))
            if not against:
                made.headers["content-type"] = wire.MEDIA_TYPE
            _check(session.send(made, timeout=30))

        ask()
    assert world.log.getvalue().count('"event":"fault"') == faults
    assert admin.news(), "and others are served afterwards"


def _check(answer: requests.Response) -> None:
    assert answer.status_code < 500 and answer.status_code != 429, answer.content
    if answer.status_code == 204:
        return
    if answer.content.startswith(b"Invalid HTTP request"):  # not even HTTP; it never came as far as the store
        assert answer.status_code == 400
        return
    assert answer.headers["content-type"] == wire.MEDIA_TYPE, answer.content
    if answer.status_code >= 400:
        assert wire.read(wire.Trouble, answer.content).sentence.endswith(".")
