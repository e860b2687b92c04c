"""The port between the central store's rules and its database: what a session must answer, and in which values.

Two databases stand behind it, SQLite for a small team and PostgreSQL, with the same behaviour (`sql_session` holds
what they share). No method deletes or alters a change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol, TypeVar

Answer = TypeVar("Answer")


class HubTrouble(Exception):
    """The central store cannot be started or used as asked; `sentence` is for the person who runs it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class StoreAway(Exception):
    """The database does not answer or cannot write: nothing of the request was taken. Holds no words of the request."""

    def in_words(self) -> HubTrouble:
        """Return it for whoever started the store or a command about it, with what the database itself says."""
        reason = " ".join(str(self.__cause__ or "it does not answer").split()).rstrip(".")
        return HubTrouble(
            f"The central store cannot use its database just now: {reason}. Nothing was changed. Check that it runs, that it has room, "
            "and that it takes as many connections as this store needs."
        )


class Again(Exception):
    """Two hub processes met at the same row; nothing was kept, and the deed is simply run again."""


class Head(NamedTuple):
    """A book's present number and running digest, its epoch, the end of its control lane, its bytes, when it was last written in."""

    book: bytes
    n: int
    digest: bytes
    epoch: int
    control_seq: int
    control_head: bytes
    size: int = 0
    grew_ms: int = 0


class Lane(NamedTuple):
    """The last change of one lane, its place and its id, and the lane's size in bytes."""

    seq: int
    head: bytes
    size: int = 0


class Row(NamedTuple):
    """A change as it is kept. In the control lane, which all members share, `device` is empty.

    `signature` is empty inside a run and stands on its last change; `digest` is the book's running digest at `n`.
    """

    book: bytes
    n: int
    device: bytes
    lane: int
    seq: int
    header: bytes
    body: bytes
    signature: bytes
    received_ms: int
    digest: bytes

    @property
    def size(self) -> int:
        """Return how many bytes of a laptop's are kept with it."""
        return len(self.header) + len(self.body) + len(self.signature)


class Known(NamedTuple):
    """A change of a lane that is held already, for telling a retry from a fork."""

    seq: int
    header: bytes
    n: int
    received_ms: int
    digest: bytes


class Former(NamedTuple):
    """Up to which number somebody who left a book may read it, and the running digest there."""

    n: int
    digest: bytes


class Mark(NamedTuple):
    """What a page needs in order to end well: a number, its size in bytes, and whether a run ends there."""

    n: int
    size: int
    ends_run: bool


class Device(NamedTuple):
    """A device of the directory, as much of it as a request needs. `recovering` says that the store is in recovery mode."""

    device: bytes
    signing: bytes
    admin: bool
    active: bool
    recovering: bool = False


class BookRecovery(NamedTuple):
    """How far a book has come since a recovery began: where it stood then, where it stands, and how far it is known to go."""

    book: bytes
    began_n: int
    n: int
    goal_n: int


class DeviceReport(NamedTuple):
    """What a laptop has said of one book in a recovery: how far it has it, and how that fits (see `recovery`)."""

    device: bytes
    book: bytes
    n: int
    state: str
    at_ms: int


class GivenBack(NamedTuple):
    """How many changes a laptop gave back in a recovery that the store had lost."""

    device: bytes
    changes: int


class InviteRow(NamedTuple):
    """An invite and, once somebody came with it, the keys that wait; `device` is set when they were admitted.

    `made_by` is the device that announced it, empty for one that was announced before that was noted.
    """

    invite: bytes
    expires_ms: int
    signing: bytes = b""
    unsealing: bytes = b""
    proof: bytes = b""
    device: bytes = b""
    made_by: bytes = b""


class LateRow(NamedTuple):
    """A late submission as it is kept for one recipient."""

    late: bytes
    book: bytes
    sender: bytes
    seal: bytes
    sealed: bytes
    received_ms: int


class FileRow(NamedTuple):
    """A sealed file of a book as one device brings it: its size, how many parts are here, and when it was whole, 0 for not yet.

    `upload` names its parts; a device that begins again has other ones.
    """

    book: bytes
    digest: bytes
    device: bytes
    upload: bytes
    size: int
    parts: int
    received_ms: int


class Alarm(NamedTuple):
    """How often something happened that honest laptops never do, and when last."""

    code: str
    book: bytes
    device: bytes
    times: int
    last_ms: int


class Figures(NamedTuple):
    """How busy a database is: what waits for a connection now, and what was done since the start."""

    readers_waiting: int
    writers_waiting: int
    deeds_total: int
    transactions_total: int
    round_trips_total: int


class Session(Protocol):
    """Questions and deeds inside one transaction. Methods raise `StoreAway` when the database fails."""

    def setting(self, name: str) -> bytes | None: ...

    def keep_setting(self, name: str, value: bytes) -> None:
        """Keep a setting that was not there; raise `Again` if another process was first."""

    def replace_setting(self, name: str, value: bytes) -> None: ...

    def heads(self, books: Collection[bytes]) -> dict[bytes, Head]: ...

    def add_book(self, head: Head) -> None:
        """Add a book; raise `Again` if another process was first."""

    def put_head(self, head: Head) -> None: ...

    def roles(self, device: bytes, books: Collection[bytes]) -> dict[bytes, int]:
        """Return the role of a device in each of these books of which it is a member."""

    def lanes(self, device: bytes, books: Collection[bytes]) -> dict[tuple[bytes, int], Lane]:
        """Return a device's own lanes in these books, by book and lane number."""

    def device_size(self, device: bytes) -> int:
        """Return how many bytes a device has written into all books, those of files among them."""

    def put_lanes(self, device: bytes, lanes: Iterable[tuple[bytes, int, Lane]]) -> None: ...

    def known(self, book: bytes, device: bytes, lane: int, first: int, last: int) -> list[Known]:
        """Return the changes of a lane from place `first` to `last`, in order."""

    def add_changes(self, rows: Sequence[Row]) -> None: ...

    def control(self, book: bytes, after: int, most: int = ...) -> list[tuple[bytes, bytes, bytes]]:
        """Return header, body and signature of a book's statements after a place in its control lane."""

    def marks(self, book: bytes, after: int, upto: int, most: int) -> list[Mark]: ...

    def run_end(self, book: bytes, n: int) -> int:
        """Return the first number from `n` on at which a run ends."""

    def changes(self, book: bytes, after: int, upto: int) -> list[tuple[int, bytes, bytes, bytes, int]]:
        """Return number, header, body, signature and time received, in order."""

    def digest_at(self, book: bytes, n: int) -> bytes:
        """Return a book's running digest at a number that it has."""

    def news(self, device: bytes, directory: bytes) -> list[tuple[bytes, int, bytes, int]]:
        """Return book, number, digest and the time of the last growth of the directory, then of every book that a device reads.

        A book of which it was a member stands with the number up to which it may read.
        """

    def readers(self, books: Collection[bytes], directory: bytes) -> list[tuple[bytes, bytes]]:
        """Return book and device for every active device that may read one of these books now; all may read the directory."""

    def tell_others(self, words: Sequence[str]) -> None:
        """Tell the other processes of this store; where there are none, nobody."""

    def set_members(self, book: bytes, gone: Iterable[tuple[bytes, int]], present: Iterable[tuple[bytes, int]]) -> None:
        """Keep who left, each with the number of the statement that says so, and who is a member, each with their role."""

    def former(self, device: bytes, book: bytes) -> Former | None:
        """Return up to where a device may read a book of which it was a member, or None."""

    def undecided(self, deciding: Collection[int]) -> list[tuple[bytes, int]]:
        """Return books none of whose members in these roles has an active device, and how many active devices read each."""

    def owe_keys(self, device: bytes) -> None:
        """Note that every book of which a device is a member needs a new key before anything is written in it."""

    def owing(self, books: Collection[bytes]) -> frozenset[bytes]:
        """Return which of these books need a new key."""

    def key_given(self, book: bytes) -> None:
        """Note that a book needs no new key any more."""

    def device(self, device: bytes) -> Device | None: ...

    def put_device(self, device: Device) -> None: ...

    def invite(self, invite: bytes, lock: bool = False) -> InviteRow | None: ...

    def put_invite(self, row: InviteRow) -> None: ...

    def waiting(self, now_ms: int, most: int, made_by: bytes = b"") -> list[InviteRow]:
        """Return invites that hold, with keys that wait to be admitted; with `made_by`, that device's alone."""

    def late_count(self, recipient: bytes) -> int:
        """Return how many late submissions wait for a device."""

    def late_of(self, sender: bytes) -> int:
        """Return how many late submissions of a device are kept."""

    def add_late(self, row: LateRow, seals: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep a late submission with its key as sealed to each recipient; one that is there already stays as it is."""

    def late_for(self, recipient: bytes, most: int) -> list[LateRow]:
        """Return what waits for a device, the oldest first."""

    def late_taken(self, recipient: bytes, late: Collection[bytes]) -> None:
        """Forget what a device has; what no recipient waits for any more is kept no longer."""

    def hold_mode(self) -> None:
        """Wait until no other transaction gives numbers, and let none begin before this one has ended."""

    def forget_recovery(self) -> None:
        """Begin the memory of a recovery: every book as it stands now, and nothing reported or returned yet."""

    def note_goal(self, book: bytes, goal_n: int) -> None:
        """Note that a book is known to go at least so far."""

    def note_report(self, report: DeviceReport) -> None: ...

    def note_return(self, book: bytes, first_n: int, last_n: int, device: bytes, at_ms: int) -> None: ...

    def recovery_books(self) -> list[BookRecovery]:
        """Return the books whose numbers have moved, or have yet to move, since the recovery began."""

    def recovery_reports(self) -> list[DeviceReport]: ...

    def given_back(self) -> list[GivenBack]: ...

    def active_devices(self) -> list[bytes]: ...

    def file(self, book: bytes, digest: bytes) -> FileRow | None:
        """Return a file that is whole, whoever brought it."""

    def file_of(self, book: bytes, digest: bytes, device: bytes) -> FileRow | None:
        """Return a file as far as one device has brought it."""

    def files_size(self, book: bytes) -> int:
        """Return how many bytes the files of a book have, with the room that is kept for those begun."""

    def files_begun(self, device: bytes) -> list[FileRow]:
        """Return the files that a device has begun and that are not whole, those begun first first."""

    def files_in(self, book: bytes) -> list[FileRow]:
        """Return the files of a book, whole or not, whoever brings them, in the order in which they were begun."""

    def put_file(self, row: FileRow) -> None: ...

    def add_file_part(self, upload: bytes, part: int, content: bytes) -> None: ...

    def file_part(self, upload: bytes, part: int) -> bytes:
        """Return a part that is here."""

    def drop_file(self, row: FileRow) -> None:
        """Let go of a file that is not whole, with its parts."""

    def count_alarm(self, code: str, book: bytes, device: bytes, now_ms: int) -> None: ...

    def alarms(self) -> list[Alarm]: ...


class Store(Protocol):
    """A database with its threads. Futures fail with `StoreAway` or with what the deed itself raised."""

    def read(self, question: Callable[[Session], Answer]) -> Future[Answer]:
        """Answer a question from what is committed."""

    def write(self, deed: Callable[[Session], Answer], books: Collection[bytes] = (), weight: int = 1) -> Future[Answer]:
        """Run a deed in a transaction that holds these books' rows; the future is answered after the commit.

        Several deeds may share a transaction. `weight` is about how many changes this one writes. A deed may be run
        more than once before it is kept, so it must have no effect beside the session.
        """

    def listen(self, heard: Callable[[str], None]) -> Callable[[], None]:
        """Begin to hear what other processes of this store tell, on a thread of its own; return how to stop."""

    def first_use(self, device: bytes, nonce: bytes, time_ms: int) -> Future[bool]:
        """Note a request where every hub process over this database sees it; say whether none has noted it before."""

    def figures(self) -> Figures:
        """Say how busy the database is."""

    def close(self) -> None:
        """Finish what is queued, then let go of the database."""
