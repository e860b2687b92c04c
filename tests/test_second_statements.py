"""The second reader follows an organisation and a casebook through everything that can be said, from bytes kept in a file.

The program makes the same bytes from the same chances, so that neither can move without the other.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from leadworker import change, proof, statements
from leadworker.change import Content, Header, Kind
from leadworker.crypto import identity, late
from leadworker.crypto.envelope import BookKey
from leadworker.crypto.identity import Identity
from leadworker.directory import Directory
from leadworker.membership import BookMembers
from leadworker.postbox import Joined
from leadworker.statements import Appoint, DirectoryStatement, Enrol, Founding, Member, NewEscrow, NewRoot, Revoke, Role, root_id
from sync import wire
from sync.founding import Speaker, change_members, control_change, found_book, new_key
from tests import second_reader as second
from tests import second_statements as reader
from tests.simulator.edge import Edge, one_world

VECTORS = Path(__file__).with_name("vectors") / "statements.json"
ORGANISATION, BOOK, KEY = bytes([1] * 16), bytes([2] * 16), bytes([3] * 32)
RUTH, ALEX, BEA = (bytes([number] * 16) for number in (11, 12, 13))
ROOTS = [Identity(bytes([20 + number] * 32), bytes([30 + number] * 32)) for number in range(3)]
LAPTOPS = {person: Identity(bytes([40 + person[0]] * 32), bytes([60 + person[0]] * 32)) for person in (RUTH, ALEX, BEA)}
LOST = Identity(bytes([90] * 32), bytes([91] * 32))
ESCROWS = [Identity(bytes([92 + number] * 32), bytes([94 + number] * 32)) for number in range(2)]


class Made:
    """What the program writes, step by step."""

    def __init__(self) -> None:
        self.directory, self.members = Directory(ORGANISATION), BookMembers(BOOK)
        self.said: dict[str, list[wire.OpenChange]] = {"directory": [], "book": []}
        first = Founding(
            ROOTS[0].signing_public, ESCROWS[0].unsealing_public, bytes(32), 1, 300, identity.seal_name(KEY, ORGANISATION, "Saltmere")
        )
        self.direct(first, ROOTS[0])
        for person, role, admin in ((RUTH, Role.SUPERVISOR, True), (ALEX, Role.KEY_WORKER, False), (BEA, Role.CO_WORKER, True)):
            self.direct(self.enrol(LAPTOPS[person], person, role, admin), ROOTS[0])
        self.direct(self.enrol(LOST, ALEX, Role.KEY_WORKER, False), LAPTOPS[ALEX])
        me = Joined("", bytes(16), organisation=ORGANISATION, person=ALEX, team=bytes(8))
        self.secrets = {1: bytes([5] * 32)}
        self.take(found_book(BOOK, self.secrets[1], me, self.speaker(ALEX)))
        self.direct(Appoint(ALEX, Role.MANAGER, False, bytes([7] * 8), identity.seal_name(KEY, ALEX, "Alex")), LAPTOPS[RUTH])
        self.direct(NewEscrow(ESCROWS[1].unsealing_public), ROOTS[0])
        self.direct(NewRoot(ROOTS[1].signing_public, b"", b""), ROOTS[0])
        self.change(ALEX, {BEA: Role.CO_WORKER})
        self.take(new_key(self.members, self.key(), self.speaker(ALEX)))
        self.direct(Revoke(LOST.device), LAPTOPS[ALEX])
        said = statements.succession_message(ORGANISATION, self.directory.root, ROOTS[2].signing_public)
        self.direct(NewRoot(ROOTS[2].signing_public, LAPTOPS[BEA].device, LAPTOPS[BEA].sign(proof.SUCCESSION, said)), LAPTOPS[RUTH])
        self.change(ALEX, {}, out=BEA)
        self.late = self.handed_in()

    def enrol(self, laptop: Identity, person: bytes, role: Role, admin: bool) -> Enrol:
        key = identity.seal_to(laptop.unsealing_public, KEY, identity.organisation_key_info(ORGANISATION, laptop.device))
        name = identity.seal_name(KEY, person, f"Person {person[0]}")
        return Enrol(laptop.signing_public, laptop.unsealing_public, person, role, admin, bytes(8), b"", name, key)

    def direct(self, statement: DirectoryStatement, by: Identity) -> None:
        signer = root_id(by.signing_public) if by in ROOTS else by.device
        made = control_change(statement, ORGANISATION, signer, self.directory.seq + 1, self.directory.head, by.sign)
        self.directory.apply(made.header, made.body, made.signature)
        self.said["directory"].append(made)

    def take(self, made: tuple[wire.OpenChange, ...]) -> None:
        for one in made:
            statement = self.members.apply(one.header, one.body, one.signature, self.directory)
            self.said["book"].append(one)
            if isinstance(statement, statements.Rotation):
                seal = statement.seals[LAPTOPS[ALEX].device]
                info = b"lw/seal-key/v1\0" + BOOK + second.u(statement.epoch, 32) + LAPTOPS[ALEX].device
                self.secrets[statement.epoch] = LAPTOPS[ALEX].unseal(seal, info)

    def speaker(self, person: bytes) -> Speaker:
        return Speaker(LAPTOPS[person].device, LAPTOPS[person].sign, self.directory)

    def key(self) -> BookKey:
        return BookKey(BOOK, self.members.epoch, self.secrets[self.members.epoch])

    def change(self, by: bytes, roles: dict[bytes, Role], out: bytes = b"") -> None:
        active = {device: member for device, member in self.members.members.items() if self.directory.active(device) is not None}
        wanted = [member for member in active.values() if member.person != out]
        wanted += [Member(LAPTOPS[person].device, person, role) for person, role in roles.items()]
        self.take(change_members(self.members, wanted, self.members.lead, self.key(), self.speaker(by)))

    def handed_in(self) -> tuple[bytes, bytes]:
        bea, alex, changes, before = LAPTOPS[BEA], LAPTOPS[ALEX], [], change.FIRST
        for seq, said in enumerate(("On my last day", "Ask her nan"), start=1):
            seen = (3, change.first_digest(BOOK))
            content = Content(1, "journal_entry", "0" * 31 + str(seq), "put", {"said": said}, seq << 16, seen, 10, 60)
            body = change.write_content(content, bytes([seq] * 16))
            header = Header(
                Kind.CONTENT, BOOK, bea.device, 1, seq, before, change.padded_size(len(body)), change.commitment(body)
            ).pack()  # fmt: skip
            before = change.change_id(header)
            changes.append((header, body))
        plain = msgspec.msgpack.encode([[[changes, bea.sign(proof.HEAD, before)]]])
        ((_, seal),), sealed = late.seal_late(plain, BOOK, bea.device, {alex.device: alex.unsealing_public})
        return seal, sealed

    def vectors(self) -> dict[str, Any]:
        lanes = {name: [[one.header.hex(), one.body.hex(), one.signature.hex()] for one in said] for name, said in self.said.items()}
        return {**lanes, "late": [part.hex() for part in self.late], "keys": {str(epoch): key.hex() for epoch, key in self.secrets.items()}}


@cache
def made() -> Made:
    with one_world(Edge("vectors")):
        return Made()


@cache
def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VECTORS.read_text("utf-8"))
    return found


def lane(name: str) -> list[reader.Said]:
    return [(bytes.fromhex(header), bytes.fromhex(body), bytes.fromhex(signature)) for header, body, signature in kept()[name]]


def read() -> tuple[reader.Directory, reader.Members]:
    """Read both lanes from the file. The casebook is read after the directory: what it had seen is compared."""
    directory = reader.Directory(ORGANISATION)
    for said in lane("directory"):
        directory.take(said)
    members = reader.Members(BOOK, directory)
    for said in lane("book"):
        members.take(said)
    return directory, members


def test_the_program_makes_the_bytes_that_are_kept() -> None:
    assert made().vectors() == kept()


def test_the_second_reader_ends_where_the_program_ends() -> None:
    directory, members = read()
    program = made()
    assert (directory.seq, directory.head, directory.root) == (program.directory.seq, program.directory.head, ROOTS[2].signing_public)
    assert [key for _, key in directory.escrows] == [escrow.unsealing_public for escrow in ESCROWS]
    assert {device for device in directory.devices if directory.active(device, directory.seq)} == {one.device for one in LAPTOPS.values()}
    assert (directory.people[ALEX][0], second.open_name(KEY, ALEX, directory.people[ALEX][3])) == (Role.MANAGER, "Alex")
    assert members.members == {LAPTOPS[ALEX].device: (ALEX, 1), LAPTOPS[RUTH].device: (RUTH, 3)}, "Ruth is her team's supervisor"
    assert (members.seq, members.head, members.lead, members.epoch) == (program.members.seq, program.members.head, ALEX, 3)


def test_it_opens_every_key_as_a_member_as_escrow_and_none_that_came_after_a_member_left() -> None:
    _, members = read()
    keys = {int(epoch): bytes.fromhex(key) for epoch, key in kept()["keys"].items()}
    assert members.keys(LAPTOPS[ALEX].device, LAPTOPS[ALEX].private_bytes()[1]) == keys
    assert set(members.keys(LAPTOPS[BEA].device, LAPTOPS[BEA].private_bytes()[1])) == {1, 2}
    assert members.escrow_key(ESCROWS[1].private_bytes()[1]) == keys[3]


def test_it_reads_what_was_handed_in_late() -> None:
    seal, sealed = (bytes.fromhex(part) for part in kept()["late"])
    bea, alex = LAPTOPS[BEA], LAPTOPS[ALEX]
    bodies = reader.read_late(seal, sealed, BOOK, bea.device, bea.signing_public, alex.device, alex.private_bytes()[1])
    assert [second.read_content(body)[4]["said"] for body in bodies] == ["On my last day", "Ask her nan"]
    with pytest.raises(reader.Refused):
        reader.read_late(seal, sealed, BOOK, bea.device, alex.signing_public, alex.device, alex.private_bytes()[1])


@pytest.mark.parametrize("name", ["directory", "book"])
def test_a_lane_from_which_anything_is_taken_or_in_which_a_bit_is_turned_is_refused_where_it_happened(name: str) -> None:
    directory, _ = read()
    said = lane(name)

    def until(items: list[reader.Said]) -> int:
        one = reader.Directory(ORGANISATION) if name == "directory" else reader.Members(BOOK, directory)
        with pytest.raises((reader.Refused, ValueError)):
            for item in items:
                one.take(item)
        return one.seq

    for at in range(len(said) - 1):
        assert until([*said[:at], *said[at + 1 :]]) == at
    for at, (header, body, signature) in enumerate(said):
        for part in range(3):
            bent = [header, body, signature]
            bent[part] = bent[part][:-1] + bytes([bent[part][-1] ^ 1])
            assert until([*said[:at], (bent[0], bent[1], bent[2]), *said[at + 1 :]]) == at
