"""Recovery mode as the person who runs the store sees it: begin it, look at it, end it, at the store's own database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from sync.hub import recovery
from sync.hub.databases import open_store
from sync.hub.hub import system_now_ms
from sync.hub.rules import Refusal
from sync.hub.sql_session import MODE_SETTING
from sync.hub.store import BookRecovery, GivenBack, HubTrouble, Session, Store, StoreAway

Answer = TypeVar("Answer")


class Heard(NamedTuple):
    """A laptop that has reported: when last, and in how many books it holds more than the store, or another history."""

    device: bytes
    at_ms: int
    ahead: int
    others: int


class Progress(NamedTuple):
    """How a recovery stands. `begun_ms` is 0 while there is none; `books` are those that moved or have yet to move."""

    begun_ms: int
    books: list[BookRecovery]
    heard: list[Heard]
    missing: list[bytes]
    others: list[bytes]
    """Books of which a laptop proved another history: numbers were given anew before the recovery began."""
    given_back: list[GivenBack]


def begin(database: str, *, now_ms: Callable[[], int] = system_now_ms) -> Progress:
    """Put a store into recovery mode, running or not, and say how it stands. Raises `HubTrouble` in words."""
    return _at(database, lambda session: recovery.begin(session, now_ms()))


def look(database: str) -> Progress:
    """Say how a recovery stands."""
    return _at(database, lambda session: None)


def end(database: str, *, anyway: bool) -> Progress:
    """End recovery mode; raise `HubTrouble` where that could give a number twice, unless `anyway`."""
    return _at(database, lambda session: recovery.end(session, anyway=anyway))


def progress(session: Session) -> Progress:
    """Return how a recovery stands, also after its end."""
    reports = session.recovery_reports()
    heard: dict[bytes, Heard] = {}
    for report in reports:
        before = heard.get(report.device, Heard(report.device, 0, 0, 0))
        heard[report.device] = Heard(
            report.device, max(before.at_ms, report.at_ms), before.ahead + (report.state == recovery.AHEAD),
            before.others + (report.state == recovery.OTHER),
        )  # fmt: skip
    missing = [device for device in session.active_devices() if device not in heard]
    others = sorted({report.book for report in reports if report.state == recovery.OTHER})
    begun = session.setting(MODE_SETTING) or b""
    return Progress(int(begun or b"0"), session.recovery_books(), list(heard.values()), missing, others, session.given_back())


def _at(database: str, deed: Callable[[Session], None]) -> Progress:
    def both(session: Session) -> Progress | Refusal:
        try:
            deed(session)
        except Refusal as refusal:
            return refusal
        return progress(session)

    with _opened(database) as store:
        try:
            answer = store.write(both).result()
        except StoreAway as error:
            raise HubTrouble("The central store's database does not answer. Nothing was changed. Start it and try again.") from error
    if isinstance(answer, Refusal):
        raise HubTrouble(answer.sentence)
    return answer


@contextlib.contextmanager
def _opened(database: str) -> Iterator[Store]:
    store = open_store(database, make=False)
    try:
        yield store
    finally:
        store.close()
