"""``leadworker check``: whether the vault is whole, said line by line (security C.8, E.3).

The chain is recomputed from the first change to the last, every lane and signature with it; the pages' own seals are
read; and with ``--rebuild`` every projection is made again and must have the same digest.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from leadworker import change, proof
from leadworker.change import Kind
from storage import checking_files, log, rebuilding
from storage.anchor import AnchorRead
from storage.attachment_files import AttachmentFiles
from storage.engine import Connection, DatabaseError, check_pages, scalar

T = TypeVar("T")

FILES: Final = "files"
"""What a finding about attached files is called: one that is not whole does not make the record doubtful."""

Progress = Callable[[str, int, int], None]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: whether it is whole, and a sentence."""

    what: str
    whole: bool
    sentence: str


class Report(msgspec.Struct, frozen=True):
    """The result of a check. `digest` is over the live state of every record."""

    findings: tuple[Finding, ...]
    digest: str
    changes: int

    @property
    def whole(self) -> bool:
        return all(finding.whole for finding in self.findings)

    @property
    def record_is_whole(self) -> bool:
        """Whether everything that was written is whole, whatever became of attached files."""
        return all(finding.whole for finding in self.findings if finding.what != FILES)


def check(
    connection: Connection, anchor: AnchorRead, own_key: bytes, *, keys_of: Callable[[bytes], bytes | None],
    rebuild: bool = False, progress: Progress | None = None, files: AttachmentFiles | None = None,
) -> Report:  # fmt: skip
    """Look through an open vault. `keys_of` gives the signing key of a device by its id, None for an unknown one.

    `files` are the sealed files beside the database, where they are to be looked through as well.
    """
    tell = progress or (lambda what, done, of: None)
    findings = [
        _look("pages", lambda: pages(connection, tell)),
        _look("chain", lambda: chain(connection, tell)),
        _look("anchor", lambda: _anchored(connection, anchor)),
        _look("signatures", lambda: _signatures(connection, own_key, keys_of, tell)),
        _look("books", lambda: _books(connection)),
    ]
    if files is not None:
        findings.append(_look(FILES, lambda: Finding(FILES, *checking_files.look(connection, files, tell))))
    before = _read(lambda: rebuilding.digest(connection), "")
    if rebuild:
        findings.append(_look("rebuild", lambda: _rebuilt(connection, before, tell)))
    digest = _read(lambda: rebuilding.digest(connection), "")
    return Report(tuple(findings), digest, _read(lambda: int(scalar(connection, "SELECT count(*) FROM change")), 0))


def _look(what: str, step: Callable[[], Finding]) -> Finding:
    """A check goes on after a part of the database that cannot be read, and says so."""
    unread = Finding(what, False, "A part of the database that this check needs cannot be read. Restore a backup.")
    return _read(step, unread)


def _read(step: Callable[[], T], otherwise: T) -> T:
    try:
        return step()
    except (DatabaseError, ValueError, TypeError, msgspec.DecodeError):
        return otherwise


def pages(connection: Connection, tell: Progress = lambda what, done, of: None) -> Finding:
    """Read every page's own seal and the tables' structure."""
    tell("pages", 0, 1)
    troubles = check_pages(connection)
    if not troubles:
        return Finding("pages", True, "Every page of the database is as it was sealed.")
    return Finding("pages", False, f"The database has {len(troubles)} damaged places. Restore a backup; the first is: {troubles[0]}.")


def chain(connection: Connection, tell: Progress = lambda what, done, of: None) -> Finding:
    """Compute the vault's chain and every lane again, from the first change to the last."""
    (total,) = connection.execute("SELECT count(*) FROM change").fetchone()
    running, lanes, last = log.NO_CHAIN, dict[int, tuple[int, bytes]](), 0
    for no, lane, seq, header, body, kept in connection.execute("SELECT no, lane_no, seq, header, body, chain FROM change ORDER BY no"):
        if no % 1000 == 0:
            tell("chain", no, total)
        running = log.link(running, change.change_id(header))
        wrong = _wrong_change(header, body, seq, lanes.get(lane, (0, change.FIRST)))
        if no != last + 1 or not hmac.compare_digest(running, kept):
            wrong = wrong or "the chain does not hold"
        if wrong:
            return Finding("chain", False, f"Change {no} of {total} is not as it was written: {wrong}. Restore a backup.")
        lanes[lane], last = (seq, change.change_id(header)), no
    return Finding("chain", True, f"All {total} changes are there, in their order, each as it was written.")


def _wrong_change(header: bytes, body: bytes | None, seq: int, before: tuple[int, bytes]) -> str:
    try:
        head = change.unpack(header)
    except change.BadHeader as error:
        return str(error)
    if (head.seq, head.prev) != (before[0] + 1, before[1]) or head.seq != seq:
        return "it does not follow the one before it in its lane"
    if body is not None and change.commitment(body) != head.commitment:
        return "its words are not those that were signed"
    return ""


def _anchored(connection: Connection, anchor: AnchorRead) -> Finding:
    if anchor.mark is None:
        return Finding("anchor", False, "The safety mark beside the database is missing or damaged.")
    if anchor.spoilt:
        return Finding("anchor", False, "One of the two safety marks beside the database is damaged; opening the vault mends it.")
    if log.behind(connection, anchor.mark) or not log.leads_through(connection, anchor.mark):
        return Finding("anchor", False, "The safety mark does not fit the database.")
    return Finding("anchor", True, "The safety mark beside the database fits it.")


def _signatures(connection: Connection, own_key: bytes, keys_of: Callable[[bytes], bytes | None], tell: Progress) -> Finding:
    signed = connection.execute("SELECT no, header, signature FROM change WHERE signature != x'' ORDER BY no").fetchall()
    strangers = 0
    own = change_owner(connection)
    for done, (no, header, signature) in enumerate(signed):
        if done % 500 == 0:
            tell("signatures", done, len(signed))
        device = change.unpack(header).device
        key = own_key if device == own else keys_of(device)
        if key is None:
            strangers += 1
        elif not proof.is_signed(key, proof.HEAD, change.change_id(header), signature):
            return Finding("signatures", False, f"The signature on change {no} is not its writer's. Restore a backup.")
    unsigned = int(scalar(connection, """SELECT count(*) FROM lane l JOIN change c ON c.lane_no = l.no
        AND c.seq = (SELECT max(seq) FROM change WHERE lane_no = l.no) WHERE c.signature = x''"""))  # fmt: skip
    if unsigned:
        return Finding("signatures", False, f"{unsigned} lanes end without a signature.")
    if strangers:
        return Finding("signatures", False, f"{strangers} signatures are of devices that the directory does not name.")
    return Finding("signatures", True, f"Every lane is signed by its writer ({len(signed)} signatures).")


def change_owner(connection: Connection) -> bytes:
    """Return the id of the device whose vault this is."""
    return bytes.fromhex(scalar(connection, "SELECT device FROM writer WHERE mine = 1 ORDER BY rowid LIMIT 1") or "")


def _books(connection: Connection) -> Finding:
    for no, book, n, digest in connection.execute("SELECT no, id, n, digest FROM book").fetchall():
        running = change.first_digest(bytes(book))
        numbered = connection.execute("SELECT n, header FROM change WHERE book_no = ? AND n IS NOT NULL ORDER BY n", (no,)).fetchall()
        received = [item for item in numbered if item[0] <= n]
        for expected, (number, header) in enumerate(received, start=1):
            if number != expected:
                return Finding("books", False, "A casebook has a gap in the numbers that the central store gave.")
            running = change.next_digest(running, change.change_id(header), number)
        if len(received) != n or running != bytes(digest):
            return Finding("books", False, "A casebook does not add up to what the central store confirmed.")
    return Finding("books", True, "Every casebook adds up to what the central store confirmed.")


def _rebuilt(connection: Connection, before: str, tell: Progress) -> Finding:
    rebuilding.remake(connection, lambda done, of: tell("rebuild", done, of))
    after = rebuilding.digest(connection)
    if after == before:
        return Finding("rebuild", True, "Made again from the log, every page of the journal is the same.")
    return Finding(
        "rebuild", False, "Made again from the log, some pages of the journal are different from before; the log is right and is shown now."
    )


__all__ = ["Finding", "Kind", "Report", "check"]
