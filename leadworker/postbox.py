"""The postbox: what the post asks of the vault. It hands out sealed-ready changes and takes checked ones in.

Every method runs as one step on the storage thread and returns frozen values; `storage.postbox` implements it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from leadworker.change import Content
from leadworker.desk import Bell
from leadworker.directory import Directory
from leadworker.domain.carrying import WrittenParcel
from leadworker.domain.late import Submission
from leadworker.domain.readers import Decision
from leadworker.membership import BookMembers


class Joined(msgspec.Struct, frozen=True):
    """What this vault knows of the organisation that it has joined, or is about to. Kept inside the vault.

    `root` is the fingerprint that the invite gave; `admitted` is False until the directory names this device.
    """

    hub_url: str
    root: bytes
    organisation: bytes = b""
    hub_key: bytes = b""
    name: str = ""
    person: bytes = b""
    role: int = 0
    team: bytes = b""
    admin: bool = False
    organisation_key: bytes = b""
    invite: bytes = b""
    invite_secret: bytes = b""
    admitted: bool = False
    shared_up_to: int = 0
    """The number of the directory's last statement that this laptop's casebooks have been shared by."""
    revoked: bool = False
    """Whether the central store said at the last sync that this laptop was taken out of the organisation."""


class TakenOut(msgspec.Struct, frozen=True):
    """What the directory's signed statements say of this laptop's end: who spoke, when it was received, the escrow key then."""

    by: str
    at_ms: int
    escrow: bytes


class PendingInvite(msgspec.Struct, frozen=True):
    """An invite that this laptop has made and will countersign.

    With `own`, it is for another laptop of somebody who is in the directory already (`person`): what they are is taken from
    there, and it is countersigned only once somebody has typed its check words (C.4).
    """

    invite: bytes
    secret: bytes
    name: str
    role: int
    team: str
    admin: bool
    person: bytes
    expires_ms: int
    own: bool = False


class Statement(msgspec.Struct, frozen=True):
    """A statement of a control lane as it is kept."""

    header: bytes
    body: bytes
    signature: bytes
    n: int = 0
    received_ms: int = 0


class LaneHead(msgspec.Struct, frozen=True):
    """How far a lane is known here. `mine` lanes were written on this laptop."""

    seq: int
    head: bytes
    mine: bool


class Confirmed(msgspec.Struct, frozen=True):
    """How far a book is confirmed here, with the running digest there, and why it could not be synced, if so."""

    n: int
    digest: bytes
    trouble: str


class BookState(msgspec.Struct, frozen=True):
    """Where one book stands on this laptop, as `sync.checking` needs it.

    `own` holds the ids of this laptop's own changes that have no number here yet, by ``(lane, seq)``.
    """

    book: bytes
    n: int
    digest: bytes
    lanes: dict[tuple[bytes, int], LaneHead]
    own: dict[tuple[int, int], bytes]
    members: BookMembers
    keys: dict[int, bytes]


class Received(msgspec.Struct, frozen=True, gc=False):
    """A change that was checked. `content` is None for a statement, a change of one's own, or one put aside for `why`."""

    n: int
    header: bytes
    body: bytes | None
    signature: bytes
    digest: bytes
    received_ms: int
    content: Content | None = None
    sealed: bytes = b""
    why: str = ""
    own: bool = False

    @property
    def by_colleague(self) -> bool:
        """Whether it is something that somebody wrote, also if it cannot be read yet: the statements around it are nobody's news."""
        return self.content is not None or bool(self.why)


class UnsentRun(msgspec.Struct, frozen=True):
    """Changes of one of this laptop's lanes that the central store lacks, whole saves only, and their head's signature."""

    book: bytes
    lane: int
    changes: tuple[tuple[bytes, bytes], ...]
    signature: bytes
    key: bytes
    epoch: int


class HandingIn(msgspec.Struct, frozen=True):
    """What is to be handed in of one book: whole saves that were never sent, up to a number of this vault."""

    book: bytes
    runs: tuple[UnsentRun, ...]
    upto: int


class ToFound(msgspec.Struct, frozen=True):
    """A book of this laptop that is to be shared and that the central store does not know yet."""

    book: bytes
    key: bytes


class Receipt(msgspec.Struct, frozen=True):
    """What the central store answered for a run that it took: the numbers it gave, in the run's order, and its signature."""

    book: bytes
    lane: int
    first_seq: int
    ns: tuple[int, ...]
    last_n: int
    digest: bytes
    received_ms: int
    receipt: bytes = b""


class Held(msgspec.Struct, frozen=True):
    """How far this laptop has a book, by the central store's own receipt for the change at that number."""

    book: bytes
    n: int
    digest: bytes
    last: bytes
    received_ms: int
    receipt: bytes


class Kept(msgspec.Struct, frozen=True):
    """A numbered change as it is kept here. `sealed` is there where it could not be opened; else the body is to be sealed
    again with the key of its epoch, unless it is a statement (epoch 0).
    """

    n: int
    header: bytes
    body: bytes
    sealed: bytes
    signature: bytes
    received_ms: int
    epoch: int


class Tail(msgspec.Struct, frozen=True):
    """Numbered changes without a gap, up to one for which the central store signed a receipt, and the keys that seal them."""

    changes: tuple[Kept, ...]
    receipt: bytes
    keys: dict[int, bytes]


class Lacking(msgspec.Struct, frozen=True):
    """A book that this laptop reads, the epochs of which it holds no key, the present one, and how many changes wait for them.

    `about` is the name of the person whose casebook it is, empty while nobody here knows it; `told` are the epochs of which
    a person has been told.
    """

    book: bytes
    epochs: frozenset[int]
    present: int
    waiting: int
    about: str = ""
    told: frozenset[int] = frozenset()


class PutAside(msgspec.Struct, frozen=True):
    """A change that was received and could not be opened or applied: who wrote it, why, and when it came (UTC ms).

    `about` is the name of the person whose casebook it is in, empty while nobody here knows it.
    """

    book: bytes
    about: str
    n: int
    written_by: str
    why: str
    received_ms: int


class Counts(msgspec.Struct, frozen=True):
    """What the top line and the Sync screen say in figures. Times are UTC milliseconds, 0 for never.

    `late` are changes in casebooks in which this laptop may write no more: they can only be handed in to somebody, and
    `handed_in` are those that were.
    `to_take_in` are late submissions that were handed in here.
    """

    waiting: int = 0
    late: int = 0
    handed_in: int = 0
    to_take_in: int = 0
    put_aside: int = 0
    apart: int = 0
    troubled: tuple[str, ...] = ()
    last_sent_ms: int = 0
    last_received_ms: int = 0
    last_received: str = ""
    last_backup_ms: int = 0


class CarriedFile(msgspec.Struct, frozen=True):
    """A sealed file as the post carries it: its record's id, its book, the SHA-256 and the number of its sealed bytes."""

    id: str
    book: bytes
    person_id: str
    digest: bytes
    size: int


class FileBox(Protocol):
    """The sealed files of a vault as the post sees them; `storage.attachment_post` implements it."""

    async def to_send(self) -> tuple[CarriedFile, ...]:
        """Return the files that are here, whose records the central store has, and whose bytes it lacks as far as is known."""

    async def to_fetch(self) -> tuple[CarriedFile, ...]:
        """Return the files that the central store has and this laptop should have: the wanted ones, and those not too large."""

    async def read(self, file: CarriedFile, at: int, length: int) -> bytes:
        """Return a part of a file's sealed bytes; raise `VaultDamaged`."""

    async def offer_again(self) -> None:
        """Offer everything that is here to the store again: it was restored from a backup and may have lost it."""

    async def stored(self, file: CarriedFile) -> Bell:
        """Write down that the central store has given its receipt for a file, so that colleagues can fetch it; once is enough."""

    async def fetched(self, file: CarriedFile) -> int:
        """Return how many bytes of a file are here already."""

    async def keep(self, file: CarriedFile, at: int, part: bytes) -> None:
        """Keep a part after `at` bytes; raise `DiskTrouble`."""

    async def finish(self, file: CarriedFile) -> Bell | None:
        """Take a file in that is whole; None, and nothing kept of it, when it is not what its record names."""

    async def trouble(self, file: CarriedFile, sentence: str) -> Bell:
        """Note why a file was not sent or fetched, and leave it alone until somebody asks for it."""


class Postbox(Protocol):
    """The vault as the post sees it."""

    device: bytes
    signing_public: bytes
    unsealing_public: bytes

    @property
    def files(self) -> FileBox: ...

    def sign(self, domain: bytes, message: bytes) -> bytes:
        """Sign with this device's key. May be called from any thread."""

    def unseal(self, sealed: bytes, info: bytes) -> bytes:
        """Open something sealed to this device; raises `crypto.identity.CannotOpen`. May be called from any thread."""

    async def joined(self) -> Joined | None: ...

    async def set_joined(self, joined: Joined) -> None: ...

    async def directory(self) -> Directory | None:
        """Return the organisation's directory as far as it is known here."""

    async def statements(self, book: bytes) -> tuple[Statement, ...]:
        """Return a book's control lane."""

    async def take_directory(self, statements: tuple[Statement, ...], names: dict[bytes, str], receipt: bytes = b"") -> Bell:
        """Keep checked directory statements, the names of the devices that they enrol, and the receipt for the last of them."""

    async def confirmed(self) -> dict[bytes, Confirmed]:
        """Return how far each book is confirmed here, by its id."""

    async def book_state(self, book: bytes) -> BookState: ...

    async def take(
        self, book: bytes, since: int, received: tuple[Received, ...], keys: dict[int, bytes], digest: bytes, receipt: bytes = b"",
        before: bytes = b"",
    ) -> Bell:  # fmt: skip
        """Keep a checked page of one book that follows number `since`, and fold it in; with new keys, open what waited for them.
        `receipt` is the central store's for its last change; `before` the running digest that the page was checked to follow.
        Where the book has moved on meanwhile, by a stick or another pull, nothing is kept: the next sync fetches the rest.

        Raises `HubMistrusted` and keeps nothing when a change says that its author had been shown another history.
        """

    async def trouble(self, book: bytes, sentence: str) -> None:
        """Note in words why a book cannot be synced, or that it can again (an empty sentence)."""

    async def to_found(self) -> tuple[ToFound, ...]:
        """Return the books that are to be founded at the central store, each with its first key, which is kept before."""

    async def unsent(self, most: int, stopped: frozenset[bytes], after: Mapping[tuple[bytes, int], int]) -> tuple[UnsentRun, ...]:
        """Return up to about `most` changes that wait, oldest first in each book, and mark them as on their way.

        Books that are `stopped` in this sync are left out; the next sync tries them again. `after` says, by book and lane, up
        to which change they are on their way already.
        """

    async def to_carry(self, most: int, place: tuple[int, int]) -> tuple[tuple[UnsentRun, ...], tuple[int, int]]:
        """Return up to about `most` changes that wait after a place, for a file, and the place after them; nothing is marked.

        (0, 0) is the beginning. Also those of books that the store does not know yet; no runs are the end.
        """

    async def wrote_parcel(self, parcel: WrittenParcel) -> tuple[str, ...]:
        """Note a file that was written for carrying; return the ids of those before it, which it replaces."""

    async def parcels(self) -> tuple[WrittenParcel, ...]:
        """Return the files that were written here and no answer has come for."""

    async def parcel_gone(self, parcel_id: str) -> Bell:
        """Note that a file was not written after all."""

    async def parcel_answered(self, parcel_id: str) -> Bell:
        """Note that the answer to a file has come and was taken in."""

    async def not_on_its_way(self) -> Bell:
        """Note that what was on its way did not arrive, so that it is *here* again."""

    async def acknowledge(self, receipts: tuple[Receipt, ...]) -> tuple[Bell, tuple[Receipt, ...]]:
        """Keep the central store's receipts, except those before whose numbers something is not here yet: they are given back.

        So whatever is said to be on the central store, this laptop alone could give back to one that was restored (C.8).
        Raises `HubMistrusted` and keeps none when they do not fit what is known here.
        """

    async def holdings(self) -> tuple[Held, ...]:
        """Return how far each book is held here, by the last receipt for it."""

    async def digest_at(self, book: bytes, n: int) -> bytes:
        """Return a book's running digest at a number, as it was shown to this laptop; empty where that is not known."""

    async def tail(self, book: bytes, after: int) -> Tail | None:
        """Return what a restored store lacks after a number, as far as one request carries and a receipt vouches for it."""

    async def lacking(self) -> tuple[Lacking, ...]:
        """Return the books of which this laptop, a member, does not hold every key."""

    async def told_of_keys(self, book: bytes, epochs: frozenset[int]) -> None:
        """Note that a person has been told that these keys of a book do not open here."""

    async def put_aside(self) -> tuple[PutAside, ...]:
        """Return what could not be opened or applied, newest first."""

    async def invites(self) -> tuple[PendingInvite, ...]: ...

    async def set_invite(self, invite: PendingInvite) -> None: ...

    async def drop_invite(self, invite: bytes) -> None: ...

    async def spoken_of(self) -> frozenset[bytes]:
        """Return the books of which something was said in the control lane since they were last brought `in_step`."""

    async def in_step(self, books: frozenset[bytes]) -> None: ...

    async def old_keys(self, before_ms: int, latest_ms: int) -> tuple[bytes, ...]:
        """Return the books that this laptop's owner leads whose key is from before a time (UTC ms), by the store's word and,
        for those to which this laptop gave one, by what it noted then. A time after `latest_ms` counts for none.
        """

    async def renewed_key(self, book: bytes, now_ms: int) -> None:
        """Note that this laptop has given a book a new key for its age."""

    async def decisions(self) -> tuple[Decision, ...]:
        """Return what was decided here about who reads casebooks and is not in force, the oldest first."""

    async def decided(self, decision: Decision, said: str) -> Bell:
        """Note that a decision is in force (nothing `said`), or why it did not come about."""

    async def to_hand_in(self) -> tuple[HandingIn, ...]:
        """Return what somebody decided to hand in late, as much of each book as one submission holds (C.6)."""

    async def handed_in(self, item: HandingIn, to: frozenset[bytes]) -> Bell:
        """Note that the central store keeps a late submission for these devices."""

    async def keep_late(self, submission: Submission) -> Bell:
        """Keep what was handed in to this laptop, checked, until somebody takes it in; the same again is the same."""

    async def name_of(self, device: bytes) -> str:
        """Return whose a device is, as far as it is known here."""

    async def taken_out(self, proof: TakenOut) -> int:
        """Keep the proof that this laptop was taken out of the organisation, and hand in what it has not sent.

        Return how many changes are still nowhere else. When there are none, the vault closes for good as it is shut.
        """

    async def was_revoked(self, revoked: bool) -> None:
        """Note that the organisation has taken this laptop out, or that it is in it."""

    async def counts(self) -> Counts: ...

    async def clock_is(self, doubt: str) -> None:
        """Say what is doubtful about this laptop's clock, or that nothing is (an empty text); new entries carry it."""
