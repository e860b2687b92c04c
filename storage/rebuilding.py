"""Makes every projection again from the log, and takes the digest by which two states can be compared."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection

import msgspec

from leadworker import change
from leadworker.change import Content, Header, Kind
from leadworker.record import kept_fields, topics
from storage import finding, schema
from storage.engine import Connection, DatabaseError
from storage.projection import Projector, Unfit, quoted

Progress = Callable[[int, int], None]


def remake(connection: Connection, progress: Progress | None = None) -> None:
    """Throw the projections away and fold the whole log again, as one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        schema.drop_projections(connection)
        schema.create_projections(connection)
        replay(connection, progress)
        connection.execute("COMMIT")
    except BaseException:  # raised again: only undone here, also when told to stop
        with contextlib.suppress(DatabaseError):  # a failed commit may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


def replay(connection: Connection, progress: Progress | None = None) -> None:
    """Fold every content change into empty projections: numbered ones in their order, unsent ones after them (D.2).

    What was put aside is tried last of all, so that it never takes the place of what was there first: a record's id that
    somebody claims again in another casebook stays with the record that had it. What fits now, because this is a newer
    leadworker, is put aside no longer.
    """
    (total,) = connection.execute("SELECT count(*) FROM change").fetchone()
    projector = Projector(connection, index=False)
    sql = """SELECT c.no, c.header, c.body, b.id, p.no FROM change c JOIN book b ON b.no = c.book_no
             LEFT JOIN put_aside p ON p.change_no = c.no WHERE c.body IS NOT NULL
             ORDER BY p.no IS NOT NULL, c.n IS NULL, CASE WHEN c.n IS NULL THEN 0 ELSE c.book_no END, c.n, c.no"""
    for done, (no, header, body, book, aside) in enumerate(connection.execute(sql).fetchall()):
        head = change.unpack(header)
        touched = fold(connection, projector, no, head, body, bytes(book).hex()) if head.kind == Kind.CONTENT else ()
        if aside is not None and touched:
            connection.execute("DELETE FROM put_aside WHERE no = ?", (aside,))
        if progress and done % 500 == 0:
            progress(done, total)
    finding.rebuild(connection, tuple(t for t, kind in topics().items() if schema.find_fields(kind)))


def refold(
    connection: Connection, projector: Projector, book_no: int, records: Collection[tuple[str, str]] | None = None
) -> dict[int, str]:
    """Fold some records of a book, given by topic and id, again from their first change; without any given, all of them.
    Return, by their numbers in this vault, why changes of them do not fit, or nothing for those that do.

    For changes that could be opened only later than others that came after them: those were folded without them.
    """
    sql = """SELECT c.no, c.header, c.body FROM change c
             WHERE c.book_no = ? AND c.body IS NOT NULL ORDER BY c.n IS NULL, c.n, c.no"""
    changes: list[tuple[int, Header, Content]] = []
    for no, header, body in connection.execute(sql, (book_no,)).fetchall():
        head = change.unpack(header)
        content = _read(body) if head.kind == Kind.CONTENT else None
        if content is None or not projector.knows(content.topic):
            continue
        if records is None or (content.topic, content.record) in records:
            changes.append((no, head, content))
    for book, topic, record in sorted({(head.book.hex(), content.topic, content.record) for _, head, content in changes}):
        projector.forget(book, topic, record)
    fits: dict[int, str] = {}
    for no, head, content in changes:
        try:
            projector.apply(content, head.book.hex(), head.device.hex(), no, seen_by(connection, head, content))
            fits[no] = ""
        except Unfit as error:
            fits[no] = str(error)
    return fits


def _read(body: bytes) -> Content | None:
    try:
        return change.read_content(body)
    except msgspec.DecodeError:
        return None


def fold(connection: Connection, projector: Projector, no: int, head: change.Header, body: bytes, book: str) -> tuple[str, ...]:
    """Fold one change whose writer may not have seen everything; return the ids it touched, () when it does not fit."""
    try:
        content = change.read_content(body)
        return projector.apply(content, book, head.device.hex(), no, seen_by(connection, head, content))
    except (Unfit, msgspec.DecodeError, msgspec.ValidationError):
        return ()


def seen_by(connection: Connection, head: change.Header, content: Content) -> Callable[[int], bool]:
    """Return the test whether the writer of a change had seen another (D.2).

    They had when it stands earlier in the same lane. Of the others they had seen those that they name; or, when they name
    none, those that were numbered by then.
    """
    seen_n, named = content.seen[0], frozenset(content.over)

    def sees(change_no: int) -> bool:
        row = connection.execute(
            "SELECT c.n, c.seq, l.device, l.lane, c.header FROM change c JOIN lane l ON l.no = c.lane_no WHERE c.no = ?",
            (change_no,),
        ).fetchone()
        if row is None:
            return False
        n, seq, device, lane, header = row
        if lane == head.lane and seq < head.seq and bytes(device) == head.device:
            return True
        if named:
            return change.change_id(header) in named
        return n is not None and n <= seen_n

    return sees


def digest(connection: Connection) -> str:
    """Return SHA-256 over the live state of every record of the vault."""
    total = hashlib.sha256()
    for book, one in sorted(book_digests(connection).items()):
        total.update(f"{book}:{one}\n".encode())
    return total.hexdigest()


def book_digests(connection: Connection) -> dict[str, str]:
    """Return, by book, SHA-256 over its live state: the same on every device that holds the same changes (D.2)."""
    books: dict[str, hashlib._Hash] = {}
    encoder = msgspec.msgpack.Encoder()
    for topic, kind in sorted(topics().items()):
        columns = ["book", "id", "made_by", "made_at", "made_offset", "gone", "contested", *kept_fields(kind)]
        for row in connection.execute(f"SELECT {quoted(columns)} FROM {topic} ORDER BY id"):
            running = books.setdefault(row[0], hashlib.sha256())
            running.update(topic.encode() + b"\0" + encoder.encode(row))
    return {book: running.hexdigest() for book, running in books.items()}
