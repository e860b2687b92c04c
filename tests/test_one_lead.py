"""Exactly one person leads a casebook at any moment, whoever decides what at once, from whatever they last saw (C.6)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from leadworker import change
from leadworker.crypto.envelope import BookKey, key_info
from leadworker.crypto.identity import Identity
from leadworker.directory import Directory
from leadworker.membership import BookMembers
from leadworker.postbox import Joined
from leadworker.statements import Enrol, Founding, Member, Membership, NotAllowed, Revoke, Role, Rotation, root_id
from sync import wire
from sync.founding import Speaker, chained, change_members, found_book

PEOPLE = 4
ROLES = [Role.CO_WORKER, Role.SUPERVISOR, Role.READ_ONLY, Role.MANAGER]
persons = st.integers(0, PEOPLE - 1)


def enrol(identity: Identity, person: bytes) -> Enrol:
    return Enrol(identity.signing_public, identity.unsealing_public, person, Role.CO_WORKER, False, bytes(8), b"", bytes(92), bytes(80))


class Reassigning(RuleBasedStateMachine):
    """One casebook at a store that takes the first who speaks of its present end; everybody else is told to look again."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Identity.new()
        self.people = [secrets.token_bytes(16) for _ in range(PEOPLE)]
        self.laptops = [[Identity.new(), Identity.new()] for _ in range(PEOPLE)]
        self.book = secrets.token_bytes(16)

    @initialize(role=st.sampled_from(ROLES))
    def found(self, role: Role) -> None:
        self.directory = Directory(secrets.token_bytes(16))
        founding = Founding(self.root.signing_public, self.root.unsealing_public, bytes(32), 1, 300, bytes(92))
        enrolments = [enrol(laptop, self.people[at]) for at, laptops in enumerate(self.laptops) for laptop in laptops]
        self._direct(founding, *enrolments)
        first = self.laptops[0][0]
        me = Joined("", bytes(16), organisation=self.directory.book, person=self.people[0], team=b"elsewhere")
        self.taken: list[wire.OpenChange] = []
        self.store = BookMembers(self.book)
        self._take(found_book(self.book, secrets.token_bytes(32), me, self._speaker(first)))
        self.views = [self.store.copy() for _ in self.people]
        self._decide(0, [(1, role), (2, Role.CO_WORKER)], 0)

    @rule(who=persons, fresh=st.booleans(), lead=persons, then=st.sampled_from([0, *ROLES]))
    def hand_over(self, who: int, fresh: bool, lead: int, then: int) -> None:
        self._look(who, fresh)
        before = self.views[who].lead
        rest = {
            self.people.index(m.person): m.role for m in self.views[who].members.values() if m.person not in (before, self.people[lead])
        }
        if then:
            rest[self.people.index(before)] = then
        self._decide(who, list(rest.items()), lead)

    @rule(who=persons, fresh=st.booleans(), whom=persons, role=st.sampled_from([0, *ROLES]))
    def let_in_or_take_out(self, who: int, fresh: bool, whom: int, role: int) -> None:
        self._look(who, fresh)
        roles = {self.people.index(m.person): m.role for m in self.views[who].members.values()}
        roles.pop(whom, None)
        self._decide(who, [*roles.items(), *([(whom, role)] if role else [])], self.people.index(self.views[who].lead))

    @rule(whose=persons, which=st.integers(0, 1))
    def lose_a_laptop(self, whose: int, which: int) -> None:
        device = self.laptops[whose][which].device
        if self.directory.active(device) is not None:
            self._direct(Revoke(device))

    @rule(
        who=persons,
        fresh=st.booleans(),
        claims=st.lists(st.tuples(persons, st.sampled_from(list(Role))), max_size=3),
        lead=persons,
        gone=st.sets(persons),
    )
    def say_anything(self, who: int, fresh: bool, claims: list[tuple[int, Role]], lead: int, gone: set[int]) -> None:
        """A laptop that keeps to no rule: the statements are signed, and the rules are all that stands in their way."""
        self._look(who, fresh)
        view = self.views[who]
        add = tuple(Member(laptop.device, self.people[p], role) for p, role in claims for laptop in self.laptops[p])
        remove = tuple(d for p in gone for d in view.devices_of(self.people[p]))
        said: list[Membership | Rotation] = [Membership(self.directory.seen, add, remove, self.people[lead])]
        if remove:
            left = {d for d in view.members if d not in remove} | {m.device for m in add}
            said.append(Rotation(view.epoch + 1, bytes(16), dict.fromkeys(left, bytes(80)), bytes(80), bytes(60), self.directory.seen))
        signer = self.laptops[who][0]
        self._take(chained(said, self.book, view.seq, view.head, signer.device, signer.sign))

    @invariant()
    def one_person_leads_and_every_reader_agrees_who(self) -> None:
        leads = []
        reader = BookMembers(self.book)
        for said in self.taken:
            before = reader.copy()
            reader.apply(said.header, said.body, said.signature, self.directory)
            key_workers = {m.person for m in reader.members.values() if m.role == Role.KEY_WORKER}
            assert reader.lead in self.people
            assert key_workers <= {reader.lead}, "nobody but the lead is the key worker"
            has_laptop = any(m.person == reader.lead for m in reader.members.values())
            read_it = before.devices_of(reader.lead)
            lost = reader.lead == before.lead and not any(self.directory.was_active(device, reader.upon) for device in read_it)
            assert has_laptop or lost, "only lost laptops leave a lead without one"
            leads.append(reader.lead)
        assert reader.lead == self.store.lead
        assert not reader.owes_key
        assert len(leads) == len(self.taken)

    def _look(self, who: int, fresh: bool) -> None:
        """Look at the casebook anew, or decide upon what was seen some time ago."""
        if fresh:
            self.views[who] = self.store.copy()

    def _decide(self, who: int, roles: Iterable[tuple[int, int]], lead: int) -> None:
        view, signer = self.views[who], self.laptops[who][0]
        wanted = [Member(laptop.device, self.people[p], role) for p, role in roles if p != lead for laptop in self._present(p)]
        wanted += [Member(laptop.device, self.people[lead], Role.KEY_WORKER) for laptop in self._present(lead)]
        key = BookKey(self.book, view.epoch, bytes(32))
        self._take(change_members(view, wanted, self.people[lead], key, self._speaker(signer)))

    def _present(self, person: int) -> list[Identity]:
        return [laptop for laptop in self.laptops[person] if self.directory.active(laptop.device) is not None]

    def _take(self, statements: Iterable[wire.OpenChange]) -> None:
        """Take statements as the store does: all or none, only after its present end."""
        trial, taken = self.store.copy(), []
        try:
            for said in statements:
                before = trial.copy()
                trial.apply(said.header, said.body, said.signature, self.directory)
                if before.members and before.lead != trial.lead:
                    assert before.may_decide(change.unpack(said.header).device), "a lead is named by who may decide"
                taken.append(said)
        except NotAllowed:
            return
        if not trial.owes_key:
            self.store = trial
            self.taken += taken

    def _direct(self, *said: Founding | Enrol | Revoke) -> None:
        directory, fingerprint = self.directory, root_id(self.root.signing_public)
        for one in chained(said, directory.book, directory.seq, directory.head, fingerprint, self.root.sign):
            directory.apply(one.header, one.body, one.signature)

    def _speaker(self, identity: Identity) -> Speaker:
        return Speaker(identity.device, identity.sign, self.directory)


TestReassigning = Reassigning.TestCase
TestReassigning.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def test_a_key_is_never_sealed_to_who_is_not_a_reader() -> None:
    """The other side of one lead: what the keys are sealed to follows the members, device by device."""
    machine = Reassigning()
    machine.found(Role.SUPERVISOR)
    machine.let_in_or_take_out(0, True, 2, 0)
    trial = BookMembers(machine.book)
    for said in machine.taken:
        last = trial.apply(said.header, said.body, said.signature, machine.directory)
    assert isinstance(last, Rotation)
    assert set(last.seals) == {laptop.device for person in (0, 1) for laptop in machine.laptops[person]}
    stay, left = machine.laptops[1][0], machine.laptops[2][0]
    secret = stay.unseal(last.seals[stay.device], key_info(machine.book, last.epoch, stay.device))
    assert BookKey(machine.book, last.epoch, secret).commitment() == last.commitment
    assert left.device not in last.seals
