"""Every rule about who may say what in an organisation's directory, each with a signed statement that breaks this one alone (C.3, C.10)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from leadworker import change, proof
from leadworker.change import Header, Kind
from leadworker.crypto.identity import Identity
from leadworker.directory import Directory
from leadworker.statements import (
    Appoint,
    DirectoryStatement,
    Enrol,
    Founding,
    NewEscrow,
    NewRoot,
    NotAllowed,
    Revoke,
    Role,
    root_id,
    succession_message,
    write_statement,
)
from sync.founding import chained

FIRST, SECOND, WORKER = range(3)
SMALL = bytes([1]) + bytes(31)
"""A point of small order: under it a signature can be made for any message."""

NOT_SPEAKING = "only the root and directory administrators may speak in a directory"
OTHERS = "only an administrator may speak of other people's devices"
TWO = "a root is replaced by the root itself, or by two administrators together"


class Organisation:
    """A directory with two administrators and a key worker; one further laptop of each is not enrolled yet."""

    def __init__(self) -> None:
        self.root, self.next_root = Identity.new(), Identity.new()
        self.people = [secrets.token_bytes(16) for _ in range(3)]
        self.laptops, self.further = [Identity.new() for _ in range(3)], [Identity.new() for _ in range(3)]
        self.directory = Directory(secrets.token_bytes(16))
        self.say(self.root, self.founding())
        self.say(self.root, *(self.enrolment(who, self.laptops[who], invite=bytes([who]) * 16) for who in range(3)))

    def founding(self) -> Founding:
        return Founding(self.root.signing_public, self.root.unsealing_public, bytes(32), 1, 300, bytes(92))

    def enrolment(self, who: int, laptop: Identity, *, admin: bool | None = None, role: int = Role.CO_WORKER, invite: bytes = b"") -> Enrol:
        is_admin = who != WORKER if admin is None else admin
        return Enrol(
            laptop.signing_public, laptop.unsealing_public, self.people[who], role, is_admin, bytes(8), invite, bytes(92), bytes(80)
        )

    def new_root(self, witness: int, signer: Identity) -> NewRoot:
        said = succession_message(self.directory.book, self.root.signing_public, self.next_root.signing_public)
        return NewRoot(self.next_root.signing_public, self.laptops[witness].device, signer.sign(proof.SUCCESSION, said))

    def say(self, who: Identity, *said: DirectoryStatement) -> None:
        signer = root_id(who.signing_public) if who in (self.root, self.next_root) else who.device
        for one in chained(said, self.directory.book, self.directory.seq, self.directory.head, signer, who.sign):
            self.directory.apply(one.header, one.body, one.signature)


def revoked(org: Organisation, who: int) -> Identity:
    org.say(org.root, Revoke(org.laptops[who].device))
    return org.laptops[who]


Broken = tuple[Callable[[Organisation], Identity], Callable[[Organisation], DirectoryStatement], str]

RULES: dict[str, Broken] = {
    "an administrator names another escrow key": (lambda o: o.laptops[FIRST], lambda o: NewEscrow(Identity.new().unsealing_public), NOT_SPEAKING),
    "an administrator founds it anew": (lambda o: o.laptops[FIRST], lambda o: o.founding(), NOT_SPEAKING),
    "the root founds it anew": (lambda o: o.root, lambda o: o.founding(), "an organisation is founded once"),
    "a stranger speaks": (lambda o: Identity.new(), lambda o: Revoke(o.laptops[WORKER].device), NOT_SPEAKING),
    "a root that is not it yet speaks": (lambda o: o.next_root, lambda o: Revoke(o.laptops[WORKER].device), NOT_SPEAKING),
    "a lost laptop of an administrator speaks": (lambda o: revoked(o, FIRST), lambda o: Revoke(o.laptops[WORKER].device), NOT_SPEAKING),
    "a key worker takes an administrator out": (lambda o: o.laptops[WORKER], lambda o: Revoke(o.laptops[FIRST].device), OTHERS),
    "a key worker lets somebody's laptop in": (lambda o: o.laptops[WORKER], lambda o: o.enrolment(FIRST, o.further[FIRST]), OTHERS),
    "a key worker appoints themselves": (
        lambda o: o.laptops[WORKER], lambda o: Appoint(o.people[WORKER], Role.SUPERVISOR, True, bytes(8), bytes(92)), OTHERS,
    ),
    "a further laptop of one's own that is an administrator's": (
        lambda o: o.laptops[WORKER], lambda o: o.enrolment(WORKER, o.further[WORKER], admin=True), "a person is the same on each of their devices",
    ),
    "a further laptop of one's own with another role": (
        lambda o: o.laptops[WORKER], lambda o: o.enrolment(WORKER, o.further[WORKER], role=Role.SUPERVISOR),
        "a person is the same on each of their devices",
    ),
    "a new root that one administrator signs twice": (lambda o: o.laptops[FIRST], lambda o: o.new_root(FIRST, o.laptops[FIRST]), TWO),
    "a new root with a key worker as the second": (lambda o: o.laptops[FIRST], lambda o: o.new_root(WORKER, o.laptops[WORKER]), TWO),
    "a new root by a key worker": (lambda o: o.laptops[WORKER], lambda o: o.new_root(FIRST, o.laptops[FIRST]), TWO),
    "a new root that the second did not sign": (
        lambda o: o.laptops[FIRST], lambda o: o.new_root(SECOND, o.laptops[FIRST]), "the second administrator's signature over a new root does not fit",
    ),
    "the same root again": (lambda o: o.root, lambda o: NewRoot(o.root.signing_public, b"", b""), "a key is the root once"),
    "a root under which anybody can sign": (lambda o: o.root, lambda o: NewRoot(SMALL, b"", b""), "the root's key is not sound"),
    "an escrow key that anybody can open": (lambda o: o.root, lambda o: NewEscrow(SMALL), "the escrow key is not sound"),
    "an invite that was used": (
        lambda o: o.root, lambda o: o.enrolment(FIRST, o.further[FIRST], invite=bytes([WORKER]) * 16), "this invite was used already",
    ),
    "a laptop that is there already": (lambda o: o.root, lambda o: o.enrolment(FIRST, o.laptops[FIRST]), "this device is in the directory already"),
    "a role that there is not": (lambda o: o.root, lambda o: Appoint(o.people[WORKER], 99, False, bytes(8), bytes(92)), "an unknown role"),
    "nobody's laptop": (lambda o: o.root, lambda o: Revoke(bytes(16)), "there is no such device to revoke"),
    "nobody is appointed": (
        lambda o: o.root, lambda o: Appoint(bytes(16), Role.SUPERVISOR, False, bytes(8), bytes(92)), "there is no such person to appoint",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_statement_that_breaks_one_rule_is_refused_in_its_words(rule: str) -> None:
    who, broken, words = RULES[rule]
    organisation = Organisation()
    signer = who(organisation)
    before = organisation.directory.copy().__dict__
    with pytest.raises(NotAllowed) as refused:
        organisation.say(signer, broken(organisation))
    assert str(refused.value) == words
    assert organisation.directory.__dict__ == before


@pytest.mark.parametrize("kind", [Kind.MEMBERSHIP, Kind.ROTATION, Kind.GRANT])
def test_a_statement_under_the_header_of_a_casebook_s_is_refused(kind: Kind) -> None:
    """The keys of a book are counted by the headers of its control lane alone: a directory has none."""
    organisation = Organisation()
    directory, body = organisation.directory, write_statement(Revoke(organisation.laptops[WORKER].device))
    header = Header(
        kind, directory.book, root_id(organisation.root.signing_public), change.CONTROL_LANE, directory.seq + 1, directory.head,
        len(body), change.commitment(body),
    ).pack()  # fmt: skip
    with pytest.raises(NotAllowed, match="only directory statements stand in a directory"):
        directory.apply(header, body, organisation.root.sign(proof.HEAD, change.change_id(header)))
    assert not directory.devices[organisation.laptops[WORKER].device].revoked


ALLOWED: dict[str, tuple[Callable[[Organisation], Identity], Callable[[Organisation], DirectoryStatement]]] = {
    "the root names another escrow key": (lambda o: o.root, lambda o: NewEscrow(Identity.new().unsealing_public)),
    "two administrators replace the root": (lambda o: o.laptops[FIRST], lambda o: o.new_root(SECOND, o.laptops[SECOND])),
    "the root replaces itself": (lambda o: o.root, lambda o: NewRoot(o.next_root.signing_public, b"", b"")),
    "somebody lets their own further laptop in": (lambda o: o.laptops[WORKER], lambda o: o.enrolment(WORKER, o.further[WORKER])),
    "somebody takes their own laptop out": (lambda o: o.laptops[WORKER], lambda o: Revoke(o.laptops[WORKER].device)),
    "an administrator appoints": (
        lambda o: o.laptops[FIRST], lambda o: Appoint(o.people[WORKER], Role.SUPERVISOR, True, bytes(8), bytes(92)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ALLOWED)
def test_what_stands_beside_each_rule_is_allowed(what: str) -> None:
    who, said = ALLOWED[what]
    organisation = Organisation()
    organisation.say(who(organisation), said(organisation))
