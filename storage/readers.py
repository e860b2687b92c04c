"""Draws who reads each casebook from the statements in the log, for screens to ask: tables that can be made again at any time.

The statements are checked by the same rules as when they came (`leadworker.membership`); nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from leadworker import change
from leadworker.change import CONTROL_LANE, Kind
from leadworker.crypto.words import check_words
from leadworker.directory import Directory
from leadworker.domain.readers import FIRST, KEY, LAPTOP, LEADS, LET_IN, LOST, ROLE, TAKEN_OUT, UNOPENED
from leadworker.membership import BookMembers
from leadworker.postbox import Joined, Lacking, Statement
from leadworker.statements import Grant, Member, Rotation
from storage.engine import Connection, scalar

RENEWED: Final = "key renewed"
"""The drawer that holds when this laptop gave a book a new key for its age (UTC ms in decimal)."""

SPOKEN_OF: Final = "spoken of"
"""The drawer that names the books of which something was said since this laptop last brought them into step."""

LACKS: Final = "lacks keys"
"""The drawer that names the books that this laptop reads and holds not every key of, with the number of the present one.

So that no sync looks through the keys of every book: there are few of these, mostly none.
"""

TOLD: Final = "told of keys"
"""The drawer that holds, by book, of which keys that do not open here a person has been told."""

EPOCH: Final = f"""SELECT count(*) FROM change e JOIN lane el ON el.no = e.lane_no
    WHERE el.book_no = b.no AND el.lane = {CONTROL_LANE} AND substr(e.header, 4, 1) = x'{int(Kind.ROTATION):02x}'"""
"""The number of the present key of a book `b`, as the rotations in the log count it: 0 for one that is not founded."""

JOINED: Final = "joined"
"""The fact under which a vault keeps what it knows of its organisation."""


def control_lane(connection: Connection, book: bytes) -> tuple[Statement, ...]:
    """Return the statements of a book's control lane, in order."""
    sql = """SELECT c.header, c.body, c.signature, coalesce(c.n, 0), c.received_ms FROM change c
             JOIN lane l ON l.no = c.lane_no JOIN book b ON b.no = l.book_no WHERE b.id = ? AND l.lane = ? ORDER BY c.seq"""
    return tuple(Statement(*row) for row in connection.execute(sql, (book, CONTROL_LANE)))


def directory_of(connection: Connection) -> Directory | None:
    """Return the organisation's directory as its statements in the log make it."""
    known = _joined(connection)
    if known is None or not known.organisation:
        return None
    directory = Directory(known.organisation)
    for statement in control_lane(connection, known.organisation):
        directory.apply(statement.header, statement.body, statement.signature)
    return directory


def retell_everything(connection: Connection) -> None:
    """Draw all of it anew, inside the caller's transaction."""
    directory = directory_of(connection)
    if directory is None:
        return
    retell_colleagues(connection, directory)
    for (book,) in connection.execute("SELECT id FROM book").fetchall():
        if bytes(book) != directory.book:
            retell_readers(connection, bytes(book), directory)


def retell_revoked(connection: Connection, *, revoked: bool) -> None:
    """Draw that this laptop was taken out of the organisation and can send nothing any more, or that it was not after all."""
    connection.execute("UPDATE book SET writable = ?", (int(not revoked),))
    if not revoked:
        retell_everything(connection)


def retell_colleagues(connection: Connection, directory: Directory) -> None:
    """Draw the people of the directory anew; their names are those that the vault has opened (`writer`)."""
    known = _joined(connection)
    team = known.team if known else b""
    me = known.person if known else b""
    names: dict[str, str] = dict(connection.execute("SELECT device, name FROM writer").fetchall())
    connection.execute("DELETE FROM colleague")
    rows = []
    for device, enrolled in directory.devices.items():
        said = enrolled.statement
        words = " ".join(check_words(said.signing + said.unsealing))
        name = names.get(device.hex(), "") or "a colleague"
        facts = (said.role, said.admin, said.team == team, said.person == me, not enrolled.revoked)
        rows.append((device.hex(), said.person.hex(), name, *(int(fact) for fact in facts), words))
    connection.executemany("INSERT INTO colleague VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def retell_readers(connection: Connection, book: bytes, directory: Directory) -> None:
    """Draw one book's readers and what happened to them anew."""
    statements = control_lane(connection, book)
    if not statements:
        return
    for table in ("reader", "access"):
        connection.execute(f"DELETE FROM {table} WHERE book = ?", (book.hex(),))
    members, since, lines = BookMembers(book), dict[bytes, int](), list[tuple[object, ...]]()
    mine, held = str(scalar(connection, "SELECT device FROM writer WHERE mine = 1") or ""), _held(connection, book)
    for seq, statement in enumerate(statements, start=1):
        before = members.copy()
        said = members.apply(statement.header, statement.body, statement.signature, directory)
        for device in members.members.keys() - before.members.keys():
            since[device] = statement.received_ms
        by = directory.devices[change.unpack(statement.header).device].statement.person
        if isinstance(said, Rotation | Grant) and said.epoch not in held and bytes.fromhex(mine) in said.seals:
            happened = [(UNOPENED, b"", 0)]
        elif isinstance(said, Rotation) and not before.owes_key and seq > 2:
            happened = [(KEY, b"", 0)]
        else:
            happened = list(_happened(before, members))
        for line, (what, person, role) in enumerate(happened):
            lines.append((book.hex(), seq, line, statement.received_ms, by.hex(), what, person.hex(), role))
    connection.executemany("INSERT INTO access VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lines)
    connection.executemany(
        "INSERT INTO reader VALUES (?, ?, ?, ?, ?)",
        [(book.hex(), m.device.hex(), m.person.hex(), m.role, since[m.device]) for m in members.members.values()],
    )
    writable = bool(mine) and members.may_write(bytes.fromhex(mine))
    connection.execute("UPDATE book SET lead = ?, writable = ? WHERE id = ?", (members.lead.hex(), int(writable), book))
    _note_lacking(connection, members, mine)


def old_keys(connection: Connection, before_ms: int, latest_ms: int) -> tuple[bytes, ...]:
    """Return the books that this vault's owner leads and may write in whose newest key is from before a time, or from none:
    what is said to be of the time after `latest_ms` proves nothing.
    """
    known = _joined(connection)
    if known is None or not known.person:
        return ()
    sql = """SELECT b.id FROM book b WHERE b.lead = ? AND b.writable = 1 AND NOT (
                 SELECT max(c.received_ms) FROM change c JOIN lane l ON l.no = c.lane_no
                 WHERE l.book_no = b.no AND l.lane = ? AND substr(c.header, 4, 1) = ?) BETWEEN ? AND ?
             AND NOT coalesce((SELECT CAST(d.value AS INTEGER) FROM drawer d WHERE d.drawer = ? AND d.key = lower(hex(b.id))), 0)
                 BETWEEN ? AND ?
             ORDER BY b.no"""
    given = (known.person.hex(), CONTROL_LANE, bytes([Kind.ROTATION]), before_ms, latest_ms, RENEWED, before_ms, latest_ms)
    return tuple(bytes(row[0]) for row in connection.execute(sql, given))


def lacking(connection: Connection) -> tuple[Lacking, ...]:
    """Return the books that this laptop reads and of which not every key is here."""
    waiting = """SELECT substr(p.sealed, 1, 4) FROM put_aside p JOIN change c ON c.no = p.change_no JOIN book b ON b.no = p.book_no
                 WHERE b.id = ? AND c.body IS NULL AND length(p.sealed) > 4"""
    found = []
    for key, value in connection.execute("SELECT key, value FROM drawer WHERE drawer = ? ORDER BY key", (LACKS,)).fetchall():
        book, epoch = bytes.fromhex(key), int(value)
        epochs = frozenset(range(1, epoch + 1)) - _held(connection, book)
        aside = sum(int.from_bytes(prefix) in epochs for (prefix,) in connection.execute(waiting, (book,)))
        about = scalar(connection, "SELECT p.name FROM person p JOIN book b ON b.subject = p.id WHERE b.id = ?", book) or ""
        told = scalar(connection, "SELECT value FROM drawer WHERE drawer = ? AND key = ?", TOLD, key)
        found.append(Lacking(book, epochs, epoch, aside, about, frozenset(msgspec.msgpack.decode(told)) if told else frozenset()))
    return tuple(found)


def _note_lacking(connection: Connection, members: BookMembers, device: str) -> None:
    """Note a book of which a device of this vault, a member, does not hold every key, and how many keys it has; or forget it."""
    connection.execute("DELETE FROM drawer WHERE drawer = ? AND key = ?", (LACKS, members.book.hex()))
    if bytes.fromhex(device) in members.members and len(_held(connection, members.book)) < members.epoch:
        connection.execute("INSERT INTO drawer VALUES (?, ?, ?)", (LACKS, members.book.hex(), b"%d" % members.epoch))


def _held(connection: Connection, book: bytes) -> frozenset[int]:
    sql = "SELECT k.epoch FROM book_key k JOIN book b ON b.no = k.book_no WHERE b.id = ?"
    return frozenset(epoch for (epoch,) in connection.execute(sql, (book,)))


def _happened(before: BookMembers, after: BookMembers) -> Iterator[tuple[str, bytes, int]]:
    """Tell person by person what a statement about members did: the kind of thing, whom it is about, their role."""
    was, now = _people(before), _people(after)
    for person, member in now.items():
        if person not in was:
            yield (FIRST if not before.members else LET_IN), person, member.role
        elif was[person].role != member.role and person != after.lead:
            yield ROLE, person, member.role
        elif len(after.devices_of(person)) > len(before.devices_of(person)):
            yield LAPTOP, person, member.role
    for person, member in was.items():
        if len(after.devices_of(person)) < len(before.devices_of(person)):
            yield _gone(person, after), person, member.role
    if before.members and after.lead != before.lead:
        yield LEADS, after.lead, 0


def _gone(person: bytes, after: BookMembers) -> str:
    lost = after.devices_of(person) or any(member.person == person for member in after.lost.values())
    return LOST if lost else TAKEN_OUT


def _people(members: BookMembers) -> dict[bytes, Member]:
    return {member.person: member for member in members.members.values()}


def _joined(connection: Connection) -> Joined | None:
    raw = scalar(connection, "SELECT value FROM fact WHERE key = ?", JOINED)
    return None if raw is None else msgspec.msgpack.decode(raw, type=Joined)
