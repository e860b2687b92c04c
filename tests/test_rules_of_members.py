"""Every rule about who may say what of a casebook's readers, each with a signed statement that breaks this one alone (C.5, C.6)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from leadworker import change
from leadworker.change import Header, Kind
from leadworker.crypto.identity import Identity
from leadworker.directory import Directory
from leadworker.membership import BookMembers
from leadworker.postbox import Joined
from leadworker.proof import HEAD
from leadworker.statements import (
    Appoint,
    BookStatement,
    DirectoryStatement,
    Enrol,
    Founding,
    Grant,
    Member,
    Membership,
    NotAllowed,
    Revoke,
    Role,
    Rotation,
    root_id,
    write_statement,
)
from sync.founding import Speaker, chained, found_book

LEAD, CO_WORKER, READER, SUPERVISOR, OUTSIDER = range(5)
DECIDES = "only the lead, a supervisor or a manager may change who reads a book"
SEEN_LESS = "its writer had seen less of the directory than the writer of the one before it"
BEGINS = "a book begins with a membership that its lead signs"


class Casebook:
    """A casebook with a lead, who has two laptops, a co-worker, somebody who may only read, and a supervisor."""

    def __init__(self) -> None:
        self.root, self.book = Identity.new(), secrets.token_bytes(16)
        self.people = [secrets.token_bytes(16) for _ in range(5)]
        self.laptops = [[Identity.new(), Identity.new()] for _ in range(5)]
        self.directory = Directory(secrets.token_bytes(16))
        self.direct(Founding(self.root.signing_public, self.root.unsealing_public, bytes(32), 1, 300, bytes(92)))
        self.direct(*(self.enrolment(who, laptop) for who, laptops in enumerate(self.laptops) for laptop in laptops))
        self.members = BookMembers(self.book)
        me = Joined("", bytes(16), organisation=self.directory.book, person=self.people[LEAD], team=b"elsewhere")
        first = self.laptops[LEAD][0]
        for said in found_book(self.book, bytes(32), me, Speaker(first.device, first.sign, self.directory)):
            self.members.apply(said.header, said.body, said.signature, self.directory)
        roles = ((CO_WORKER, Role.CO_WORKER), (READER, Role.READ_ONLY), (SUPERVISOR, Role.SUPERVISOR))
        self.say(LEAD, self.membership(add=[self.member(who, role) for who, role in roles]))

    def enrolment(self, who: int, laptop: Identity) -> Enrol:
        return Enrol(
            laptop.signing_public, laptop.unsealing_public, self.people[who], Role.CO_WORKER, False, bytes(8), b"", bytes(92), bytes(80)
        )

    def direct(self, *said: DirectoryStatement) -> None:
        directory, fingerprint = self.directory, root_id(self.root.signing_public)
        for one in chained(said, directory.book, directory.seq, directory.head, fingerprint, self.root.sign):
            directory.apply(one.header, one.body, one.signature)

    def device(self, who: int, which: int = 0) -> bytes:
        return self.laptops[who][which].device

    def member(self, who: int, role: Role, which: int = 0) -> Member:
        return Member(self.device(who, which), self.people[who], role)

    def membership(self, add: list[Member] | None = None, remove: list[bytes] | None = None, lead: int = LEAD, seen: int = 0) -> Membership:
        """Return a statement by somebody who had seen the directory up to `seen`, 0 for all of it."""
        at = seen or self.directory.seq
        return Membership((at, self.directory.heads[at - 1]), tuple(add or ()), tuple(remove or ()), self.people[lead])

    def rotation(self, epoch: int = 2, to: list[bytes] | None = None, seen: int = 0) -> Rotation:
        at = seen or self.directory.seq
        seals = dict.fromkeys(self.members.members if to is None else to, bytes(80))
        return Rotation(epoch, bytes(16), seals, bytes(80), bytes(60), (at, self.directory.heads[at - 1]))

    def say(self, who: int, *said: BookStatement, which: int = 0) -> None:
        signer = self.laptops[who][which]
        for one in chained(said, self.book, self.members.seq, self.members.head, signer.device, signer.sign):
            self.members.apply(one.header, one.body, one.signature, self.directory)


def later(book: Casebook) -> int:
    """Let the directory go on; return how far it had come before, which is what somebody says who has not heard of it."""
    before = book.directory.seq
    book.direct(Appoint(book.people[OUTSIDER], Role.CO_WORKER, False, bytes(8), bytes(92)))
    return before


def after_a_newer_membership(book: Casebook, said: Callable[[int], BookStatement]) -> BookStatement:
    before = later(book)
    book.say(LEAD, book.membership(add=[book.member(OUTSIDER, Role.CO_WORKER)]))
    return said(before)


def after_a_newer_key(book: Casebook) -> BookStatement:
    before = later(book)
    book.say(LEAD, book.rotation())
    return book.rotation(3, seen=before)


def after_losing(book: Casebook, who: int, said: Callable[[], BookStatement]) -> BookStatement:
    book.direct(Revoke(book.device(who)))
    return said()


Broken = tuple[int, Callable[[Casebook], BookStatement], str]

RULES: dict[str, Broken] = {
    "a co-worker lets somebody in": (CO_WORKER, lambda b: b.membership([b.member(OUTSIDER, Role.CO_WORKER)]), DECIDES),
    "a co-worker takes a colleague out": (CO_WORKER, lambda b: b.membership(remove=[b.device(READER)]), DECIDES),
    "a co-worker takes the lead out of the lead": (CO_WORKER, lambda b: b.membership(lead=CO_WORKER), DECIDES),
    "a co-worker gives themselves another role": (CO_WORKER, lambda b: b.membership([b.member(CO_WORKER, Role.MANAGER)]), DECIDES),
    "a reader lets their laptop write": (READER, lambda b: b.membership([b.member(READER, Role.CO_WORKER, 1)]), DECIDES),
    "an outsider decides": (OUTSIDER, lambda b: b.membership([b.member(OUTSIDER, Role.CO_WORKER)]), "only a member may change who reads a book"),
    "a second key worker": (
        SUPERVISOR, lambda b: b.membership([b.member(OUTSIDER, Role.KEY_WORKER)]), "a book has exactly one key worker, who leads it",
    ),
    "a lead who is no key worker": (SUPERVISOR, lambda b: b.membership(lead=CO_WORKER), "a book has exactly one key worker, who leads it"),
    "a lead who reads nothing": (
        SUPERVISOR, lambda b: b.membership(remove=[b.device(LEAD), b.device(LEAD, 1)]), "a book has exactly one lead, and the lead is a member",
    ),
    "a lead who stays a co-worker": (
        SUPERVISOR, lambda b: b.membership([b.member(LEAD, Role.CO_WORKER, one) for one in (0, 1)], lead=CO_WORKER),
        "a book has exactly one key worker, who leads it",
    ),
    "a lead who never read it": (
        SUPERVISOR, lambda b: b.membership([b.member(LEAD, Role.CO_WORKER, one) for one in (0, 1)], lead=OUTSIDER),
        "a book has exactly one lead, and the lead is a member",
    ),
    "two roles for one person": (
        LEAD, lambda b: b.membership([b.member(READER, Role.CO_WORKER, 1)]), "a person has one role in a book, on each of their laptops",
    ),
    "one who takes themselves out": (
        CO_WORKER, lambda b: b.membership(remove=[b.device(CO_WORKER)]), "who takes somebody out stays, since the new key is theirs to make",
    ),
    "a device that is no member is taken out": (
        LEAD, lambda b: b.membership(remove=[b.device(OUTSIDER)]), "a device that is not a member cannot be removed",
    ),
    "a device in another's name": (
        LEAD, lambda b: b.membership([Member(b.device(OUTSIDER), b.people[CO_WORKER], Role.CO_WORKER)]),
        "a member's device is not that person's in the directory",
    ),
    "a device that was reported lost": (
        LEAD, lambda b: after_losing(b, OUTSIDER, lambda: b.membership([b.member(OUTSIDER, Role.CO_WORKER)])),
        "a device that was revoked cannot become a member",
    ),
    "a role that there is not": (LEAD, lambda b: b.membership([Member(b.device(OUTSIDER), b.people[OUTSIDER], 99)]), "an unknown role"),
    "members upon an older directory": (
        SUPERVISOR, lambda b: after_a_newer_membership(b, lambda seen: b.membership(remove=[b.device(READER)], seen=seen)), SEEN_LESS,
    ),
    "a key upon an older directory than the members": (
        SUPERVISOR, lambda b: after_a_newer_membership(b, lambda seen: b.rotation(seen=seen)), SEEN_LESS,
    ),
    "a key upon an older directory than the key before": (SUPERVISOR, after_a_newer_key, SEEN_LESS),
    "members after another directory": (
        LEAD, lambda b: Membership((b.directory.seq, bytes(32)), (), (), b.people[LEAD]), "its writer was shown another directory",
    ),
    "members after a directory that nobody was shown": (
        LEAD, lambda b: Membership((b.directory.seq + 1, bytes(32)), (), (), b.people[LEAD]),
        "its writer had seen more of the directory than was shown here",
    ),
    "a reader makes a new key": (READER, lambda b: b.rotation(), "only a member who may write gives a book a new key"),
    "an outsider makes a new key": (OUTSIDER, lambda b: b.rotation(), "only a member who may write gives a book a new key"),
    "a key whose number is left out": (LEAD, lambda b: b.rotation(3), "a book's keys are numbered without a gap"),
    "a key for an outsider as well": (
        LEAD, lambda b: b.rotation(to=[*b.members.members, b.device(OUTSIDER)]), "a new key goes to every member device and to nobody else",
    ),
    "a key that forgets somebody": (
        LEAD, lambda b: b.rotation(to=[b.device(LEAD)]), "a new key goes to every member device and to nobody else",
    ),
    "a key that escrow is not given": (LEAD, lambda b: replace(b.rotation(), escrow=b""), "a new key is sealed to escrow as well"),
    "a key that leads to none before it": (
        LEAD, lambda b: replace(b.rotation(), ladder=b""), "every key but the first carries the one before it",
    ),
    "an outsider hands the key out": (OUTSIDER, lambda b: Grant(1, {b.device(LEAD): bytes(80)}), "only a member hands out a book's key"),
    "the key for an outsider": (LEAD, lambda b: Grant(1, {b.device(OUTSIDER): bytes(80)}), "a key goes to member devices only"),
    "a key that the book never had": (LEAD, lambda b: Grant(2, {b.device(READER): bytes(80)}), "only a key that the book has or had is handed out"),
    "a key before the first": (LEAD, lambda b: Grant(0, {b.device(READER): bytes(80)}), "only a key that the book has or had is handed out"),
    "a key that is handed to nobody": (LEAD, lambda b: Grant(1, {}), "a key goes to member devices only"),
    "a reader hands the key to a colleague": (
        READER, lambda b: Grant(1, {b.device(LEAD): bytes(80)}), "a read-only member hands keys to their own laptops only",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_statement_that_breaks_one_rule_is_refused_in_its_words_and_changes_nothing(rule: str) -> None:
    casebook = Casebook()
    who, broken, words = RULES[rule]
    statement = broken(casebook)
    before = dict(casebook.members.__dict__)
    with pytest.raises(NotAllowed) as refused:
        casebook.say(who, statement)
    assert str(refused.value) == words
    assert casebook.members.__dict__ == before


def test_a_statement_under_another_kind_s_header_is_refused() -> None:
    """The store and every list of what was said go by the header alone: a removal must not pass for a grant."""
    casebook = Casebook()
    signer, members = casebook.laptops[LEAD][0], casebook.members
    body = write_statement(casebook.membership([casebook.member(OUTSIDER, Role.CO_WORKER)]))
    header = Header(
        Kind.GRANT, casebook.book, signer.device, change.CONTROL_LANE, members.seq + 1, members.head, len(body), change.commitment(body)
    ).pack()
    with pytest.raises(NotAllowed, match="the kind of a statement does not fit its body"):
        members.apply(header, body, signer.sign(HEAD, change.change_id(header)), casebook.directory)


ALLOWED: dict[str, tuple[int, Callable[[Casebook], BookStatement]]] = {
    "the lead lets somebody in": (LEAD, lambda b: b.membership([b.member(OUTSIDER, Role.CO_WORKER)])),
    "a supervisor makes another the lead": (
        SUPERVISOR,
        lambda b: b.membership([b.member(CO_WORKER, Role.KEY_WORKER), *(b.member(LEAD, Role.CO_WORKER, one) for one in (0, 1))], lead=CO_WORKER),
    ),
    "a reader lets their own second laptop in": (READER, lambda b: b.membership([b.member(READER, Role.READ_ONLY, 1)])),
    "a reader hands the key to their own laptop": (READER, lambda b: Grant(1, {b.device(READER): bytes(80)})),
    "a co-worker takes a lost laptop out": (
        CO_WORKER, lambda b: after_losing(b, READER, lambda: b.membership(remove=[b.device(READER)])),
    ),
    "a co-worker makes a new key": (CO_WORKER, lambda b: b.rotation()),
}  # fmt: skip


@pytest.mark.parametrize("what", ALLOWED)
def test_what_stands_beside_each_rule_is_allowed(what: str) -> None:
    casebook = Casebook()
    who, said = ALLOWED[what]
    casebook.say(who, said(casebook))


def test_after_a_removal_nothing_is_said_or_written_before_the_new_key() -> None:
    casebook = Casebook()
    casebook.say(LEAD, casebook.membership(remove=[casebook.device(READER)]))
    assert not casebook.members.may_write(casebook.device(LEAD))
    for said in (casebook.membership(), Grant(1, {casebook.device(CO_WORKER): bytes(80)})):
        with pytest.raises(NotAllowed, match="a removal is followed at once by a new key"):
            casebook.say(LEAD, said)
    casebook.say(CO_WORKER, casebook.rotation())
    assert casebook.members.may_write(casebook.device(LEAD))


@pytest.mark.parametrize("signer", [LEAD, OUTSIDER])
def test_a_book_is_begun_by_who_leads_it(signer: int) -> None:
    casebook = Casebook()
    casebook.members = BookMembers(casebook.book)
    named = casebook.membership([casebook.member(CO_WORKER, Role.KEY_WORKER), casebook.member(LEAD, Role.CO_WORKER)], lead=CO_WORKER)
    with pytest.raises(NotAllowed, match=BEGINS):
        casebook.say(signer, named)
    assert casebook.members.head == change.FIRST
