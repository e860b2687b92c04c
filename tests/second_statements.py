"""The second reader's statements: who is in an organisation, who reads a casebook, which keys it has, what came too late.

Written from sections 7 and 13 of docs/sealed-format.md alone; like tests/second_reader.py it imports nothing of the program.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests import second_reader as second

Said = tuple[bytes, bytes, bytes]
"""Header, body and signature of a statement."""

MEMBERSHIP, GRANT, ROTATION, DIRECTORY = 4, 5, 6, 8


class Refused(Exception):
    """A statement that a reader does not take."""


class Lane:
    """A control lane: the place and the id of its last statement (7.1)."""

    def __init__(self, book: bytes) -> None:
        self.book, self.seq, self.head = book, 0, bytes(32)

    def read(self, said: Said, kinds: dict[str, int]) -> tuple[dict[str, Any], list[Any]]:
        """Check points 1 to 3; return header and array."""
        raw, body, _ = said
        header = second.read_header(raw)
        if (header["book"], header["lane"], header["seq"], header["prev"]) != (self.book, 0, self.seq + 1, self.head):
            raise Refused("does not follow")
        if header["size"] != len(body) or header["commitment"] != second.commitment(body):
            raise Refused("not the body that was signed")
        read: list[Any] = msgspec.msgpack.decode(body)
        if kinds.get(read[0]) != header["kind"]:
            raise Refused("not a statement of this lane")
        return header, read

    def go_on(self, raw: bytes) -> None:
        self.seq, self.head = self.seq + 1, second.change_id(raw)


class Directory(Lane):
    """Who is enrolled (7.2). `devices` gives what was said of each; `escrows` and `heads` what stood at which seq."""

    KINDS = dict.fromkeys(("founding", "enrol", "revoke", "appoint", "escrow", "root"), DIRECTORY)

    def __init__(self, book: bytes) -> None:
        super().__init__(book)
        self.root = b""
        self.roots: set[bytes] = set()
        self.devices: dict[bytes, dict[str, Any]] = {}
        self.people: dict[bytes, tuple[Any, ...]] = {}
        self.escrows: list[tuple[int, bytes]] = []
        self.heads: list[bytes] = []

    def take(self, said: Said) -> None:
        """Take the next statement; raise `Refused`."""
        header, read = self.read(said, self.KINDS)
        root = read[1] if read[0] == "founding" else self.root
        by_root = header["device"] == second.root_fingerprint(root)
        signer = self.devices.get(header["device"])
        if (read[0] == "founding") != (self.seq == 0):
            raise Refused("a founding comes first and once")
        if not by_root and (signer is None or signer["gone"] or not self._may_say(signer, read)):
            raise Refused("may not say it")
        if not second.is_signed(root if by_root else signer["signing"], said[0], said[2]):  # type: ignore[index]
            raise Refused("not signed")
        getattr(self, f"_{read[0]}")(*read[1:])
        self.go_on(said[0])
        self.heads.append(self.head)

    def _may_say(self, signer: dict[str, Any], read: list[Any]) -> bool:
        admin = bool(self.people[signer["person"]][1])
        if read[0] == "root":
            return admin and self._is_witnessed(signer["person"], *read[1:])
        whose = read[3] if read[0] == "enrol" else self.devices.get(read[1], {}).get("person") if read[0] == "revoke" else b""
        return read[0] in ("enrol", "revoke", "appoint") and (admin or whose == signer["person"])

    def _is_witnessed(self, first: bytes, root: bytes, witness: bytes, signature: bytes) -> bool:
        other = self.devices.get(witness)
        if other is None or other["gone"] or other["person"] == first or not self.people[other["person"]][1]:
            return False
        said = b"lw/new-root/v1\0" + self.book + second.root_fingerprint(self.root) + root
        try:
            Ed25519PublicKey.from_public_bytes(other["signing"]).verify(signature, said)
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it does not vouch
            return False
        return True

    def _founding(self, root: bytes, escrow: bytes, *_: Any) -> None:
        self.root, self.roots = root, {root}
        self._escrow(escrow)

    def _enrol(
        self, signing: bytes, unsealing: bytes, person: bytes, role: int, admin: bool, team: bytes, invite: bytes, name: bytes, key: bytes
    ) -> None:
        device = second.device_id(signing, unsealing)
        if device in self.devices or invite in ([one["invite"] for one in self.devices.values()] if invite else []):
            raise Refused("enrolled once, an invite used once")
        self.people.setdefault(person, (role, admin, team, name))
        self.devices[device] = {
            "signing": signing, "unsealing": unsealing, "person": person, "invite": invite, "key": key, "since": self.seq + 1, "gone": 0,
        }  # fmt: skip

    def _revoke(self, device: bytes) -> None:
        if self.devices.get(device, {"gone": 1})["gone"]:
            raise Refused("no such device")
        self.devices[device]["gone"] = self.seq + 1

    def _appoint(self, person: bytes, *now: Any) -> None:
        if person not in self.people:
            raise Refused("no such person")
        self.people[person] = now

    def _escrow(self, escrow: bytes) -> None:
        self.escrows.append((self.seq + 1, escrow))

    def _root(self, root: bytes, *_: bytes) -> None:
        if root in self.roots:
            raise Refused("a key is the root once")
        self.root, self.roots = root, self.roots | {root}

    def active(self, device: bytes, seq: int) -> bool:
        """Return whether a device was enrolled and not revoked when statement `seq` was the last."""
        known = self.devices.get(device)
        return known is not None and known["since"] <= seq and not 0 < known["gone"] <= seq

    def check_seen(self, seen: list[Any]) -> None:
        seq, head = seen
        if not 1 <= seq <= self.seq or self.heads[seq - 1] != head:
            raise Refused("saw another directory, or more of it")


class Members(Lane):
    """Who reads a casebook (7.3), by device: person and role."""

    KINDS = {"membership": MEMBERSHIP, "rotation": ROTATION, "grant": GRANT}

    def __init__(self, book: bytes, directory: Directory) -> None:
        super().__init__(book)
        self.directory = directory
        self.members: dict[bytes, tuple[bytes, int]] = {}
        self.lead, self.epoch, self.owes, self.upon = b"", 0, False, [0, 0]
        self.rotations: dict[int, list[Any]] = {}
        self.seals: list[tuple[int, bytes, bytes]] = []

    def take(self, said: Said) -> None:
        """Take the next statement; raise `Refused`."""
        header, read = self.read(said, self.KINDS)
        signer = header["device"]
        if not second.is_signed(self.directory.devices.get(signer, {}).get("signing", bytes(32)), said[0], said[2]):
            raise Refused("not signed")
        if self.owes and read[0] != "rotation":
            raise Refused("a removal is followed at once by a rotation")
        getattr(self, f"_{read[0]}")(signer, *read[1:])
        self.go_on(said[0])

    def _membership(self, signer: bytes, seen: list[Any], add: list[Any], remove: list[bytes], lead: bytes) -> None:
        self.directory.check_seen(seen)
        now = {device: place for device, place in self.members.items() if device not in remove}
        for device, person, role in add:
            if not self.directory.active(device, seen[0]) or self.directory.devices[device]["person"] != person or not 1 <= role <= 5:
                raise Refused("not that person's device")
            now[device] = (person, role)
        if seen[0] < self.upon[0] or not set(remove) <= set(self.members) or (remove and signer not in now):
            raise Refused("saw less, takes out who is not in, or does not stay")
        if not (self._decides(signer) if self.members else now.get(signer, (b"", 0))[0] == lead):
            self._refuse_more_than_housekeeping(signer, seen[0], add, remove, lead)
        roles = dict(now.values())
        theirs = [device for device, (person, _) in self.members.items() if person == lead]
        lost = lead == self.lead and not any(self.directory.active(device, seen[0]) for device in theirs)
        leads = {person for person, role in roles.items() if role == 1}
        if any(roles[person] != role for person, role in now.values()) or not (leads == {lead} or (not leads and lost and now)):
            raise Refused("exactly one leads, and each has one role")
        self.members, self.lead, self.owes, self.upon[0] = now, lead, bool(remove), seen[0]

    def _refuse_more_than_housekeeping(self, signer: bytes, seq: int, add: list[Any], remove: list[bytes], lead: bytes) -> None:
        mine = self.members.get(signer)
        own = mine is not None and all((person, role) == mine for _, person, role in add)
        gone = all(self.members[d][0] == mine[0] or not self.directory.active(d, seq) for d in remove) if mine else False
        if not own or not gone or lead != self.lead:
            raise Refused("may not decide")

    def _decides(self, device: bytes) -> bool:
        person, role = self.members.get(device, (b"", 0))
        return bool(person) and (person == self.lead or role in (3, 5))

    def _rotation(
        self, signer: bytes, epoch: int, commitment: bytes, seals: dict[bytes, bytes], escrow: bytes, ladder: bytes, seen: list[Any]
    ) -> None:
        self.directory.check_seen(seen)
        if self.members.get(signer, (b"", 4))[1] == 4 or epoch != self.epoch + 1 or set(seals) != set(self.members):
            raise Refused("not by a writer, not the next, or not to every member")
        if seen[0] < max(self.upon) or not escrow or (ladder == b"") != (epoch == 1):
            raise Refused("saw less, or without escrow or ladder")
        self.rotations[epoch] = [commitment, escrow, ladder, seen[0]]
        self.seals += [(epoch, device, seal) for device, seal in seals.items()]
        self.epoch, self.owes, self.upon[1] = epoch, False, seen[0]

    def _grant(self, signer: bytes, epoch: int, seals: dict[bytes, bytes]) -> None:
        person, role = self.members.get(signer, (b"", 0))
        own = all(self.members.get(device, (b"",))[0] == person for device in seals)
        if not role or not 1 <= epoch <= self.epoch or not seals or not set(seals) <= set(self.members) or (role == 4 and not own):
            raise Refused("not by a member, not a key that there is, or not to members")
        self.seals += [(epoch, device, seal) for device, seal in seals.items()]

    def keys(self, device: bytes, private: bytes) -> dict[int, bytes]:
        """Return every key of the casebook that a device is given or climbs down to; what does not open or fit is none (section 6)."""
        found: dict[int, bytes] = {}
        for epoch, to, seal in self.seals:
            if to == device:
                info = b"lw/seal-key/v1\0" + self.book + second.u(epoch, 32) + device
                with suppress(InvalidTag, ValueError):
                    self._climb(found, epoch, second.hpke_open(private, seal, info))
        return found

    def _climb(self, found: dict[int, bytes], epoch: int, secret: bytes) -> None:
        while second.key_commitment(self.book, epoch, secret) == self.rotations[epoch][0]:
            found[epoch] = secret
            try:
                secret = second.ladder_down(self.book, epoch, secret, self.rotations[epoch][2])
            except (InvalidTag, ValueError):
                return
            epoch = next((e for e in range(epoch - 1, 0, -1) if second.key_commitment(self.book, e, secret) == self.rotations[e][0]), 0)
            if not epoch:
                return

    def escrow_key(self, private: bytes) -> bytes:
        """Return the newest key as escrow opens it."""
        info = b"lw/seal-key/v1\0" + self.book + second.u(self.epoch, 32) + b"escrow"
        return second.hpke_open(private, self.rotations[self.epoch][1], info)


def read_late(sealed_key: bytes, sealed: bytes, book: bytes, sender: bytes, signing: bytes, me: bytes, private: bytes) -> list[bytes]:
    """Return the bodies of a late submission; raise for one that a reader refuses (section 13)."""
    key = second.hpke_open(private, sealed_key, b"lw/late-key/v1\0" + book + sender + me)
    (runs,) = msgspec.msgpack.decode(ChaCha20Poly1305(key).decrypt(sealed[:12], sealed[12:], b"lw/late/v1\0" + book + sender))
    bodies = []
    for changes, signature in runs:
        before: dict[str, Any] | None = None
        for raw, body in changes:
            header = second.read_header(raw)
            place = (header["book"], header["device"]) == (book, sender) and header["lane"] > 0
            follows = before is None or (header["lane"], header["seq"], header["prev"]) == (before["lane"], before["seq"] + 1, before["id"])
            if not place or not follows or header["commitment"] != second.commitment(body):
                raise Refused("not one lane of its sender's, or altered")
            before = {**header, "id": second.change_id(raw)}
            bodies.append(body)
        if not changes or not second.is_signed(signing, changes[-1][0], signature):
            raise Refused("not signed by its sender")
    return bodies
