"""Who may ask what: every role, every request that the store declares, one's own book, another's, the directory, and none."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from leadworker import statements
from leadworker.statements import Role
from sync import wire
from sync.hub import live_routes
from sync.hub.app import routes
from tests.hub_world import Casebook, ControlLane, Keys, Lane, Laptop, World, refused, run

pytest_plugins = ["tests.hub_fixtures"]

NOBODY, STRANGER, REVOKED, OUTSIDER = "nobody", "stranger", "revoked", "outsider"
READER, CO_WORKER, LEAD, SUPERVISOR, MANAGER, ADMINISTRATOR = (
    "read-only", "co-worker", "lead", "supervisor", "manager", "administrator",
)  # fmt: skip
ROLES = (NOBODY, STRANGER, REVOKED, OUTSIDER, READER, CO_WORKER, LEAD, SUPERVISOR, MANAGER, ADMINISTRATOR)
NOT_LET_IN = {NOBODY: "not_signed", STRANGER: "device_unknown", REVOKED: "device_revoked"}
OWN, OTHER, DIRECTORY, NONE = "own", "another's", "the directory", "no book"

# `administrator` looks after the directory and is a member of no casebook here; `own` is the book in which the middle five
# have their roles, and the others none.
MEMBERS = {READER: Role.READ_ONLY, CO_WORKER: Role.CO_WORKER, LEAD: Role.KEY_WORKER, SUPERVISOR: Role.SUPERVISOR, MANAGER: Role.MANAGER}
WRITERS = {CO_WORKER, LEAD, SUPERVISOR, MANAGER}
DECIDERS = {LEAD, SUPERVISOR, MANAGER}


def open_to_all(role: str, book: str) -> str:
    return ""


def open_setup(role: str, book: str) -> str:
    return "setup_code_wrong"


def open_join(role: str, book: str) -> str:
    return "invite_unknown"


def signed(role: str, book: str) -> str:
    return NOT_LET_IN.get(role, "")


def hands_in(role: str, book: str) -> str:
    """Also who was taken out of the directory: what they had written is not lost (C.6)."""
    return "" if role == REVOKED else NOT_LET_IN.get(role, "")


def reads(role: str, book: str) -> str:
    """Who was taken out of the directory is shown there who said so (docs/decisions/0023)."""
    if (role, book) == (REVOKED, DIRECTORY):
        return ""
    may = book == DIRECTORY or (book == OWN and role in MEMBERS)
    return NOT_LET_IN.get(role, "" if may else "not_a_member")


def writes(role: str, book: str) -> str:
    if book == OWN and role in MEMBERS:
        return "" if role in WRITERS else "read_only"
    return NOT_LET_IN.get(role, "not_a_member")


def knows_files(role: str, book: str) -> str:
    """Members as they are now: who left has what they fetched, and the directory has no files."""
    return NOT_LET_IN.get(role, "" if book == OWN and role in MEMBERS else "not_a_member")


def fetches_files(role: str, book: str) -> str:
    return knows_files(role, book) or "no_such_file"


def decides(role: str, book: str) -> str:
    """Who reads: the lead, a supervisor, a manager; in the directory its administrators."""
    may = (book == OWN and role in DECIDERS) or (book == DIRECTORY and role == ADMINISTRATOR)
    return NOT_LET_IN.get(role, "" if may else "not_allowed")


def hands_out_keys(role: str, book: str) -> str:
    """To members, on whom others have decided: any member (docs/sealed-format.md, section 7.3)."""
    may = (book == OWN and role in MEMBERS) or (book == DIRECTORY and role == ADMINISTRATOR)
    return NOT_LET_IN.get(role, "" if may else "not_allowed")


def in_recovery_only(role: str, book: str) -> str:
    """Nobody at a store that was not restored (tests/test_recovery.py)."""
    return NOT_LET_IN.get(role, "not_recovering")


EXPECTED: dict[tuple[str, str], Callable[[str, str], str]] = {
    ("GET", "/v1/health"): open_to_all,
    ("GET", "/v1/organisation"): open_to_all,
    ("POST", "/v1/organisation"): open_setup,
    ("POST", "/v1/join"): open_join,
    ("GET", "/v1/join/{invite}"): open_to_all,
    ("GET", "/v1/news"): signed,
    ("GET", "/v1/books/{book}/changes"): reads,
    ("POST", "/v1/push"): writes,
    ("GET", "/v1/books/{book}/files/{digest}"): knows_files,
    ("POST", "/v1/books/{book}/files/{digest}"): writes,
    ("GET", "/v1/books/{book}/files/{digest}/parts/{part}"): fetches_files,
    ("POST", "/v1/control"): decides,
    ("GET", "/v1/joins"): signed,
    ("POST", "/v1/late"): hands_in,
    ("GET", "/v1/late"): signed,
    ("POST", "/v1/late/taken"): signed,
    ("POST", "/v1/invites"): signed,
    ("GET", "/v1/live"): signed,
    ("GET", "/v1/live/next"): signed,
    ("POST", "/v1/recovery/report"): in_recovery_only,
    ("POST", "/v1/recovery/changes"): in_recovery_only,
}
"""The code with which each role is answered; empty is a yes. A request that the store declares and that is not here fails."""

OTHER_WAYS = {("POST", "/v1/control"): {"keys": hands_out_keys}}
"""What else can be asked with the same request, under other rules."""

EVERY = [*routes.routes, *live_routes.routes.routes]
DECLARED = sorted((method, route.path) for route in EVERY for method in getattr(route, "methods", ()))  # type: ignore[attr-defined]


@dataclass
class Cast:
    """One laptop for each role, and the books at which they try."""

    world: World
    laptops: dict[str, Laptop]
    own: Casebook
    other: Casebook
    none: Casebook
    spare: list[Laptop]
    """Enrolled colleagues who are a member of nothing yet."""
    lanes: dict[tuple[str, bytes], Lane] = field(default_factory=dict)

    def book(self, which: str) -> bytes:
        return {OWN: self.own.book, OTHER: self.other.book, DIRECTORY: self.world.organisation.directory.book, NONE: self.none.book}[which]

    def body(self, path: str, role: str, which: str, way: str) -> tuple[bytes, Callable[[], None]]:
        """Return a body with which this role would get through if it may, and what to note when it did."""
        laptop, book = self.laptops[role], self.book(which)
        if path == "/v1/push":
            lane = self.lanes.setdefault((role, book), Lane(book, laptop.device))
            trial = Lane(book, laptop.device, seq=lane.seq, head=lane.head)
            sent = run(laptop.keys, trial.write(1))
            return wire.write(wire.Push((sent,))), lambda: self.lanes.update({(role, book): trial})
        if path == "/v1/control":
            control = self.control(which)
            said: statements.DirectoryStatement | statements.BookStatement
            if which == DIRECTORY:
                said = self.world.organisation.enrol(self.world.organisation.laptop(), Role.CO_WORKER)
            elif way == "keys":
                said = statements.Grant(1, {laptop.device: secrets.token_bytes(80)})
            else:
                said = statements.Membership(
                    self.world.organisation.directory.seen, (self.spare.pop().member(Role.READ_ONLY),), (), self.laptops[LEAD].person
                )
            lane = control.copy()
            return wire.write(wire.Control((lane.statement(laptop.keys, said),))), lambda: vars(control).update(vars(lane))
        message = {
            "/v1/invites": wire.Invite(secrets.token_bytes(16), laptop.now_ms() + 60_000),
            "/v1/late": wire.Late(
                bytes(16), ((self.laptops[ADMINISTRATOR].device, bytes(wire.SEALED_KEY_BYTES)),), secrets.token_bytes(64)
            ),
            "/v1/late/taken": wire.Taken((bytes(16),)),
            "/v1/recovery/report": wire.Report((), ()),
            "/v1/recovery/changes": wire.Returned(book, (), b""),
            "/v1/books/{book}/files/{digest}": wire.FilePart(wire.FILE_PART + 9, 0, bytes(wire.FILE_PART)),
            "/v1/join": wire.JoinRequest(bytes(16), Keys().signing, Keys().unsealing, bytes(32)),
            "/v1/organisation": wire.Control(()),
        }.get(path)
        return wire.write(message) if message is not None else b"", lambda: None

    def control(self, which: str) -> ControlLane:
        if which == DIRECTORY:
            return self.world.organisation.directory
        return {OWN: self.own, OTHER: self.other, NONE: self.none}[which].control


@pytest.fixture(scope="module")
def cast(world: World) -> Cast:
    organisation = world.organisation
    laptops = {role: organisation.colleague() for role in (*MEMBERS, OUTSIDER, REVOKED)}
    laptops |= {NOBODY: organisation.laptop(), STRANGER: organisation.laptop(), ADMINISTRATOR: organisation.admin}
    owner = organisation.colleague()
    own = organisation.casebook(laptops[LEAD], [(laptops[role], MEMBERS[role]) for role in MEMBERS if role != LEAD])
    other = organisation.casebook(owner)
    none, _ = organisation.new_casebook(owner)
    none.control = ControlLane(none.book)
    revoke = organisation.directory.statement(organisation.admin.keys, statements.Revoke(laptops[REVOKED].device))
    assert organisation.admin.control(revoke).code == ""
    return Cast(world, laptops, own, other, none, [organisation.colleague() for _ in range(3 * len(ROLES))])


def test_every_request_that_the_store_declares_has_its_rows() -> None:
    assert sorted(EXPECTED) == DECLARED, "give the new request its rows: who may ask it, about which book"


CASES = [(method, path, way) for method, path in DECLARED for way in ("", *OTHER_WAYS.get((method, path), ()))]


@pytest.mark.parametrize(("method", "path", "way"), CASES, ids=[f"{method} {path} {way}".strip() for method, path, way in CASES])
def test_every_role_is_answered_as_it_must_be(cast: Cast, method: str, path: str, way: str) -> None:
    rule = OTHER_WAYS[method, path][way] if way else EXPECTED[method, path]
    about_books = path in ("/v1/push", "/v1/control") or "{book}" in path
    cells = [(role, which) for role in ROLES for which in ((OWN, OTHER, DIRECTORY, NONE) if about_books else (NONE,))]
    found, expected = {}, {}
    for role, which in cells:
        expected[role, which] = rule(role, which)
        found[role, which] = _asked(cast, method, path, role, which, way)
    assert found == expected


def _asked(cast: Cast, method: str, path: str, role: str, which: str, way: str) -> str:
    laptop = cast.laptops[role]
    target = path.replace("{book}", cast.book(which).hex()).replace("{invite}", "0" * 32)
    target = target.replace("{digest}", "0" * 64).replace("{part}", "0")
    if path == "/v1/live":  # an answer without an end
        headers = {} if role == NOBODY else laptop.headers(method, target, b"")
        with laptop.http.stream(method, target, headers=headers) as stream:
            return refused(_read(stream)) if stream.status_code >= 400 else ""
    body, taken = cast.body(path, role, which, way) if method == "POST" else (b"", lambda: None)
    if role == NOBODY:
        answer = laptop.http.request(method, target, content=body, headers={"content-type": wire.MEDIA_TYPE})
    else:
        answer = laptop.send(method, target, body)
    code = _code(path, method, answer)
    if not code:
        taken()
    return code


def _read(answer: httpx.Response) -> httpx.Response:
    answer.read()
    return answer


def _code(path: str, method: str, answer: httpx.Response) -> str:
    if answer.status_code >= 400:
        return refused(answer)
    if path == "/v1/push":
        return wire.read(wire.Pushed, answer.content).outcomes[0].code
    if method == "POST" and path in ("/v1/control", "/v1/organisation", "/v1/recovery/changes"):
        return wire.read(wire.Outcome, answer.content).code
    return ""


def test_what_was_refused_has_changed_nothing(cast: Cast) -> None:
    """After every cell of the table: only what was let through is there, and the book of which nobody is a member is as it was."""
    held = cast.laptops[LEAD].pull(cast.own.book)
    wrote = {wire.unpack(item.header).device for item in held if wire.unpack(item.header).lane}
    assert wrote <= {cast.laptops[role].device for role in WRITERS}
    owner = next(iter(cast.other.members))
    assert owner not in {laptop.device for laptop in cast.laptops.values()}
    store = cast.world.hub._hub.store
    head = store.read(lambda session: session.heads([cast.other.book, cast.none.book])).result()
    assert {book: found.n for book, found in head.items()} == {cast.other.book: 2}
