"""Files that go with somebody's record: what is said of them, and where each of them is. Their bytes are kept sealed, elsewhere.

A file's record travels like every other; its bytes follow by themselves, when there is time. So a colleague may know of a
file that they cannot open yet, and is told on whose laptop it still is.
"""

from __future__ import annotations

import re
from typing import ClassVar, Final

import msgspec
from sqlalchemy import BindParameter, and_, bindparam, column, func, select, table

from leadworker.change import Content
from leadworker.clock import Moment
from leadworker.errors import NotFound, NotUnderstood
from leadworker.record import Record, Rule, drawers, kept, receipts, table_of, writers
from leadworker.shelf import Shelf
from leadworker.text import one_line

HERE: Final = "file here"
"""A drawer: the files whose sealed bytes are on this laptop, by the id of their record."""

WANTED: Final = "file wanted"
"""A drawer: the files that somebody asked to be fetched, however large."""

AGAIN: Final = "file again"
"""A drawer: the files that are offered to the central store once more, because it may have lost them."""

TROUBLE: Final = "file trouble"
"""A drawer: why a file could not be fetched or opened, in a sentence."""

LARGEST: Final = 25 * 1024 * 1024
"""Bytes of the largest file."""

FETCHED_BY_ITSELF: Final = 5 * 1024 * 1024
"""Bytes of the largest file that a laptop fetches without being asked to."""

LONGEST_NAME: Final = 120
NAMELESS: Final = "file"
OTHER: Final = "application/octet-stream"

KINDS: Final = {
    "pdf": ("application/pdf", "PDF"), "txt": ("text/plain", "text"), "md": ("text/markdown", "text"),
    "csv": ("text/csv", "table"), "rtf": ("application/rtf", "text"), "jpg": ("image/jpeg", "picture"),
    "jpeg": ("image/jpeg", "picture"), "png": ("image/png", "picture"), "gif": ("image/gif", "picture"),
    "webp": ("image/webp", "picture"), "heic": ("image/heic", "picture"), "tif": ("image/tiff", "picture"),
    "tiff": ("image/tiff", "picture"), "bmp": ("image/bmp", "picture"), "mp3": ("audio/mpeg", "sound"),
    "m4a": ("audio/mp4", "sound"), "ogg": ("audio/ogg", "sound"), "wav": ("audio/wav", "sound"), "mp4": ("video/mp4", "film"),
    "mov": ("video/quicktime", "film"), "odt": ("application/vnd.oasis.opendocument.text", "document"),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet", "table"), "doc": ("application/msword", "document"),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "document"),
    "xls": ("application/vnd.ms-excel", "table"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "table"),
    "eml": ("message/rfc822", "mail"), "vcf": ("text/vcard", "contact"), "ics": ("text/calendar", "diary"),
}  # fmt: skip
"""Media types that are told, by the end of a file's name, and what people call them. No other is believed."""

_SAID_OF = dict(KINDS.values())
_ID = re.compile(r"[0-9a-f]{32}\Z")
_LONG = re.compile(r"[0-9a-f]{64}\Z")


class Attachment(Record, table=True):
    """A file of a person's record. `entry_id` is the entry that it belongs to, or empty; `size` its true size in bytes.

    `digest` is the SHA-256 of its sealed bytes, by which they are kept and asked for; `key` opens them. Both hexadecimal.
    """

    __tablename__: ClassVar[str] = "attachment"
    frozen: ClassVar[bool] = True
    titled_by: ClassVar[str] = "name"

    person_id: str = kept(rule=Rule.APPEND, index=True)
    entry_id: str = kept(rule=Rule.APPEND)
    name: str = kept(NAMELESS, rule=Rule.APPEND, words="file")
    kind: str = kept(OTHER, rule=Rule.APPEND)
    size: int = kept(0, rule=Rule.APPEND)
    digest: str = kept(rule=Rule.APPEND)
    key: str = kept(rule=Rule.APPEND, secret=True)


class AttachmentStored(Record, table=True):
    """Says that the central store has given its receipt for a file's bytes, so that whoever reads of the file can fetch it."""

    __tablename__: ClassVar[str] = "attachment_stored"
    frozen: ClassVar[bool] = True

    person_id: str = kept(rule=Rule.APPEND)
    attachment_id: str = kept(rule=Rule.APPEND, index=True)


class SealedFile(msgspec.Struct, frozen=True):
    """What opens a sealed file and where it belongs, for whoever keeps its bytes. `book` and `id` are hexadecimal."""

    id: str
    book: str
    person_id: str
    size: int
    digest: str
    key: str

    def __repr__(self) -> str:
        return f"SealedFile({self.id})"  # a key stands in no traceback

    def is_sound(self) -> bool:
        """Return whether it says what a file's record can say: a colleague's laptop may have written anything."""
        ids = _ID.match(self.id) and _ID.match(self.book)
        return bool(ids and _LONG.match(self.digest) and _LONG.match(self.key) and 0 < self.size <= LARGEST)


class AttachmentView(msgspec.Struct, frozen=True):
    """A file as it is listed. `here`: its bytes are on this laptop; `stored`: on the central store; `trouble`: what is wrong."""

    id: str
    person_id: str
    entry_id: str
    name: str
    kind: str
    size: int
    made_at: int
    made_offset: int
    written_by: str
    by_me: bool
    n: int
    sent_ms: int
    here: bool
    stored: bool
    wanted: bool
    trouble: str

    def added(self) -> Moment:
        """Return when it was added, by the writer's clock."""
        return Moment(self.made_at, self.made_offset)

    def kind_said(self) -> str:
        """Return what people call its kind: ``PDF``, ``picture``, or ``file``."""
        return _SAID_OF.get(self.kind, NAMELESS)

    def whereabouts(self) -> str:
        """Return where its bytes are: ``here``, ``on its way``, ``on the central store``, or ``on Alex's laptop``."""
        if self.trouble:
            return "cannot be opened"
        if self.by_me and self.here:
            return "on the central store" if self.stored else "on its way" if self.n or self.sent_ms else "here"
        if self.here:
            return "here"
        if self.stored:
            return "on its way" if self.wanted else "on the central store"
        return f"on {_whose(self.written_by or 'somebody')} laptop"


_file = table_of(Attachment).c
_stored = table_of(AttachmentStored).c
_entry = table("journal_entry", column("id"), column("person_id")).c  # `journal` shows files, so it is not imported here
_who: BindParameter[str] = bindparam("person_id")
_here, _wanted, _trouble = (drawers.alias() for _ in range(3))
_VIEW = (
    select(
        _file.id, _file.person_id, _file.entry_id, _file.name, _file.kind, _file.size, _file.made_at, _file.made_offset,
        func.coalesce(writers.c.name, ""), func.coalesce(writers.c.mine, 0), func.coalesce(receipts.c.n, 0),
        func.coalesce(receipts.c.sent_ms, 0), _here.c.key.is_not(None),
        select(_stored.no).where(_stored.attachment_id == _file.id, _stored.book == _file.book).exists(), _wanted.c.key.is_not(None),
        func.coalesce(_trouble.c.value, ""),
    )
    .select_from(table_of(Attachment))
    .outerjoin(receipts, receipts.c.no == _file.change_no)
    .outerjoin(writers, writers.c.device == _file.made_by)
    .outerjoin(_here, and_(_here.c.drawer == HERE, _here.c.key == _file.id))
    .outerjoin(_wanted, and_(_wanted.c.drawer == WANTED, _wanted.c.key == _file.id))
    .outerjoin(_trouble, and_(_trouble.c.drawer == TROUBLE, _trouble.c.key == _file.id))
)  # fmt: skip
_OF_PERSON = _VIEW.where(_file.person_id == _who).order_by(_file.no.desc())
_ONE = _VIEW.where(_file.id == bindparam("attachment_id"))
_ENTRY = select(func.count()).where(_entry.id == bindparam("entry_id"), _entry.person_id == bindparam("person_id"))
_SEALED = select(_file.id, _file.book, _file.person_id, _file.size, _file.digest, _file.key).where(_file.id == bindparam("attachment_id"))


def add(shelf: Shelf, sealed: SealedFile, *, name: str, entry_id: str = "") -> str:
    """Write down a file whose sealed bytes are kept on this laptop; return its id. Raises `NotFound`, `NotUnderstood`."""
    if not sealed.is_sound():
        raise NotUnderstood("That file could not be sealed as it must be. Nothing was attached; the file is as it was.")
    if entry_id and not shelf.number(_ENTRY, entry_id=entry_id, person_id=sealed.person_id):
        raise NotUnderstood("That entry is about somebody else, or not in this vault. Nothing was attached; the file is as it was.")
    called = clean_name(name)
    shelf.add(
        Attachment, sealed.person_id, record_id=sealed.id, person_id=sealed.person_id, entry_id=entry_id, name=called,
        kind=media_type(called), size=sealed.size, digest=sealed.digest, key=sealed.key,
    )  # fmt: skip
    shelf.keep(HERE, sealed.id, b"")
    return sealed.id


def named_in(content: Content, book: str) -> SealedFile | None:
    """Return what opens the file that a change of a book puts into the record; none where it says what no record can say."""
    said = content.values
    size = said.get("size")
    texts = [said.get(name) for name in ("person_id", "digest", "key")]
    if type(size) is not int or not all(isinstance(text, str) for text in texts):
        return None
    person_id, digest, key = map(str, texts)
    sealed = SealedFile(content.record, book, person_id, size, digest, key)
    return sealed if sealed.is_sound() else None


def of_person(shelf: Shelf, person_id: str) -> tuple[AttachmentView, ...]:
    """Return a person's files, the newest first."""
    return tuple(_told(view) for view in shelf.rows(_OF_PERSON, AttachmentView, person_id=person_id))


def attachment(shelf: Shelf, attachment_id: str) -> AttachmentView:
    """Return one file; raise `NotFound`."""
    found = shelf.rows(_ONE, AttachmentView, attachment_id=attachment_id)
    if not found:
        raise NotFound("That file is not in this vault.")
    return _told(found[0])


def sealed_file(shelf: Shelf, attachment_id: str) -> SealedFile:
    """Return what opens a file; raise `NotFound`, and `NotUnderstood` where its record says what no record can say."""
    found = shelf.rows(_SEALED, SealedFile, attachment_id=attachment_id)
    if not found:
        raise NotFound("That file is not in this vault.")
    if not found[0].is_sound():
        raise NotUnderstood("What was written about this file makes no sense, so it cannot be opened. Ask its writer to attach it again.")
    return found[0]


def want(shelf: Shelf, attachment_id: str) -> None:
    """Ask for a file to be fetched with the next sync, also when an earlier try met trouble or its bytes here are damaged."""
    attachment(shelf, attachment_id)
    shelf.throw_away(TROUBLE, attachment_id)
    shelf.throw_away(HERE, attachment_id)
    shelf.keep(WANTED, attachment_id, b"")


def offer_again(shelf: Shelf, attachment_id: str) -> None:
    """Offer a file that is here to the central store with the next sync, whatever was said of it before."""
    if not attachment(shelf, attachment_id).here:
        raise NotFound("The bytes of this file are not on this laptop, so it cannot be sent from here.")
    shelf.throw_away(TROUBLE, attachment_id)
    shelf.keep(AGAIN, attachment_id, b"")


def store_has(shelf: Shelf, attachment_id: str) -> None:
    """Note that the central store has given its receipt for a file; say so to colleagues if nobody has."""
    shelf.throw_away(AGAIN, attachment_id)
    view = attachment(shelf, attachment_id)
    if not view.stored:
        shelf.add(AttachmentStored, view.person_id, person_id=view.person_id, attachment_id=attachment_id)


def came(shelf: Shelf, attachment_id: str) -> None:
    """Note that a file's sealed bytes are here now."""
    shelf.throw_away(WANTED, attachment_id)
    shelf.throw_away(TROUBLE, attachment_id)
    shelf.keep(HERE, attachment_id, b"")


def met_trouble(shelf: Shelf, attachment_id: str, sentence: str) -> None:
    """Note why a file could not be sent or fetched; it is not tried again until somebody wants it."""
    shelf.throw_away(WANTED, attachment_id)
    shelf.keep(TROUBLE, attachment_id, sentence.encode())


def clean_name(given: str) -> str:
    """Return a file's name as it is kept and shown: one line, no folders, nothing that hides what it is."""
    name = one_line(given.replace("\\", "/").rstrip("/").rpartition("/")[2]).strip(" .")
    if len(name) > LONGEST_NAME:
        stem, dot, end = name.rpartition(".")
        name = f"{stem[: LONGEST_NAME - len(end) - 2]}….{end}" if dot and len(end) <= 8 else f"{name[: LONGEST_NAME - 1]}…"
    return name or NAMELESS


def media_type(name: str) -> str:
    """Return the media type that the end of a name stands for, by the list of those that are told."""
    return KINDS.get(name.rpartition(".")[2].lower(), (OTHER, ""))[0]


def size_words(size: int) -> str:
    """Return a size in bytes as people say it: ``340 KB``, ``2.4 MB``."""
    if size < 1024 * 1024:
        return f"{max(1, -(-size // 1024))} KB"
    return f"{size / 1024 / 1024:.1f} MB".replace(".0 ", " ")


def _told(view: AttachmentView) -> AttachmentView:
    """Every laptop shows a colleague's names cleaned, whatever theirs has written."""
    trouble = view.trouble.decode() if isinstance(view.trouble, bytes) else view.trouble
    return msgspec.structs.replace(view, name=clean_name(view.name), size=max(0, view.size), trouble=trouble)


def _whose(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"
