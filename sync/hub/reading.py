"""Answers what a device may read: its news, and pages of a book that never end inside a run."""

from __future__ import annotations

from sync import wire
from sync.hub import numbering, rules
from sync.hub.rules import Refusal
from sync.hub.statements import DIRECTORY_SETTING
from sync.hub.store import Head, Session

USUAL_PAGE = 500
"""Changes of a page when the asker names no number."""


def organisation(session: Session, hub_key: bytes, now_ms: int) -> wire.Organisation:
    """Say which organisation this store serves; the book is empty before it was founded."""
    book = session.setting(DIRECTORY_SETTING)
    if book is None:
        return wire.Organisation(wire.PROTOCOL, hub_key, b"", None, now_ms)
    header, body, signature = session.control(book, 0, 1)[0]
    return wire.Organisation(wire.PROTOCOL, hub_key, book, wire.OpenChange(header, body, signature), now_ms)


def news(session: Session, device: bytes, directory: bytes, now_ms: int) -> wire.News:
    """Return the present head of every book that an enrolled device may read, the directory first."""
    return wire.News(tuple(wire.BookNews(*row) for row in session.news(device, directory)), now_ms, session.late_count(device))


def page(
    session: Session, device: bytes, book: bytes, after: int, most: int, directory: bytes, now_ms: int, sign: numbering.Sign
) -> wire.Page:
    """Return the changes of a book after a number, at most about `most`, to an enrolled device that may read it.

    Every enrolled device may read the directory. The head is read first and bounds the rest, so a page is whole even while others write.
    """
    return _page(session, _readable(session, device, book, directory), after, most, now_ms, sign)


def page_until(session: Session, book: bytes, after: int, most: int, end: int, now_ms: int, sign: numbering.Sign) -> wire.Page:
    """Return the changes of a book after a number as it stood at number `end`."""
    head = session.heads([book])[book]._replace(n=end, digest=session.digest_at(book, end))
    return _page(session, head, after, most, now_ms, sign)


def _page(session: Session, head: Head, after: int, most: int, now_ms: int, sign: numbering.Sign) -> wire.Page:
    book = head.book
    if after >= head.n:
        return wire.Page((), head.n, head.digest, False, now_ms)
    end = rules.page_end(session.marks(book, after, head.n, most), most, wire.LARGEST_BATCH)
    if end is None:
        end = session.run_end(book, after + 1)
    changes = tuple(wire.Numbered(*row) for row in session.changes(book, after, end))
    last = changes[-1]
    digest = head.digest if end == head.n else session.digest_at(book, end)
    said = wire.receipt_message(book, wire.change_id(last.header), end, digest, last.received_ms)
    return wire.Page(changes, head.n, head.digest, end < head.n, now_ms, sign(wire.RECEIPT + said))


def _readable(session: Session, device: bytes, book: bytes, directory: bytes) -> Head:
    """Return a book's head as a device may see it: who left sees it as it stood when they did, with their leaving the last."""
    head = session.heads([book]).get(book)
    if head is not None and (book == directory or book in session.roles(device, [book])):
        return head
    former = None if head is None else session.former(device, book)
    if head is None or former is None:
        # The same words for a book that does not exist: nobody learns which ids are in use.
        raise Refusal(
            "not_a_member",
            "This laptop is not a member of this casebook, so the central store did not hand it out. "
            "Ask the lead or a supervisor to be added.",
            403,
        )
    return head._replace(n=former.n, digest=former.digest)
