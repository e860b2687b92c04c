"""The central store of a world: the real hub over its real SQLite file, called without a socket, and killed now and then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

from leadworker import change
from sync.hub import recovery_desk
from sync.hub.app import build_app
from sync.hub.hub import Hub
from sync.hub.sqlite_store import SqliteStore
from sync.hub.statements import DIRECTORY_SETTING
from tests.laptops import Answer
from tests.simulator.edge import StoreDied
from tests.simulator.world import World

_app: Any = None


class Central:
    """One process of the store at a time, over one file."""

    def __init__(self, world: World, database: Path) -> None:
        self.world = world
        self.database = database
        self.wrong_ms = 0
        self.doomed = ""
        """The stage of the next transaction at which the process is killed."""
        self.has_copy = self.recovering = False
        self.life = 0
        world.edge.hub = self._at_stage
        self._start()

    def _start(self) -> None:
        global _app  # noqa: PLW0603 - its routes cost more than a whole world's sync, and hold nothing of a hub
        self.hub = Hub(SqliteStore(self.database), now_ms=self.now_ms)
        _app = _app or build_app(self.hub)
        _app.state.hub = self.hub

    def now_ms(self) -> int:
        return self.world.now_ms() + self.wrong_ms

    def kill(self) -> None:
        """End the process as a power cut would, and start the next one over what is on the disk."""
        self.world.note("store", "killed")
        self.life += 1
        self.doomed = ""
        self.hub.close()
        self._start()

    def keep_a_copy(self) -> None:
        """Back the store up as it is."""
        self.world.note("store", "is backed up")
        for file in self._files():
            shutil.copy(file, file.with_name(f"backup-{file.name}"))
        self.has_copy = True

    def goes_back(self) -> None:
        """Restore the store from its backup, in recovery mode, as docs/drills.md says."""
        self.world.note("store", "is restored from its backup, in recovery mode")
        self.life += 1
        self.doomed = ""
        self.hub.close()
        for file in self._files():
            file.unlink()
        for copy in self.database.parent.glob(f"backup-{self.database.name}*"):
            shutil.copy(copy, copy.with_name(copy.name.removeprefix("backup-")))
        recovery_desk.begin(str(self.database), now_ms=self.now_ms)
        self.recovering = True
        self._start()

    def is_complete(self, laptops: set[bytes]) -> bool:
        """Return whether these laptops have all reported and nothing that one of them proved is missing."""
        stands = self._at_desk(recovery_desk.look)
        return laptops <= {heard.device for heard in stands.heard} and all(book.n >= book.goal_n for book in stands.books)

    def ends_recovery(self) -> None:
        """Give numbers again. Laptops that were never opened in this world are not waited for."""
        self.world.note("store", "ends its recovery")
        stands = self._at_desk(partial(recovery_desk.end, anyway=True))
        assert stands.others == [], "a laptop holds another history"
        self.recovering = stands.begun_ms > 0

    def _at_desk(self, deed: Callable[[str], recovery_desk.Progress]) -> recovery_desk.Progress:
        """Do what whoever runs the store does; where the power fails over it, they look how it stands when it is back."""
        try:
            return deed(str(self.database))
        except StoreDied:
            self.kill()
            return recovery_desk.look(str(self.database))

    def _files(self) -> list[Path]:
        return [file for end in ("", "-wal") if (file := self.database.with_name(self.database.name + end)).exists()]

    def close(self) -> None:
        self.hub.close()

    async def answer(self, request: httpx.Request, body: bytes) -> Answer | None:
        """Serve one request; None when the store died over it."""
        life, said = self.life, _Said()
        try:
            await _app(_scope(request), _Body(body), said)
        except StoreDied:
            if life == self.life:
                self.kill()
            return None
        return said.answer() if life == self.life else None

    def _at_stage(self, stage: str) -> None:
        if self.doomed == stage:
            self.doomed = ""
            raise StoreDied

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Look into the store's tables."""
        return self.hub.store.read(lambda session: session._all(statement, values)).result()  # type: ignore[attr-defined, no-any-return]

    def organisation(self) -> bytes:
        """Return the directory's id."""
        return bytes(self.rows("SELECT value FROM hub_settings WHERE name = ?", DIRECTORY_SETTING)[0][0])

    def signed_log(self, book: bytes) -> list[tuple[int, bytes, bytes, bytes]]:
        """Return number, header, body and signature of everything that a book holds."""
        found = self.hub.store.read(lambda session: session.changes(book, 0, 2**40)).result()
        return [(row[0], bytes(row[1]), bytes(row[2]), bytes(row[3])) for row in found]

    def log(self, book: bytes) -> list[tuple[int, bytes, bytes]]:
        """Return number, header and sealed or open body of everything that a book holds."""
        return [row[:3] for row in self.signed_log(book)]

    def books(self) -> list[bytes]:
        """Return the ids of every book, the directory among them."""
        return sorted(bytes(row[0]) for row in self.rows("SELECT book FROM books"))

    def ids(self, book: bytes) -> dict[bytes, int]:
        """Return the number of every change of a book."""
        return {change.change_id(header): n for n, header, _ in self.log(book)}


class _Body:
    def __init__(self, body: bytes) -> None:
        self._parts: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def __call__(self) -> dict[str, Any]:
        return self._parts.pop() if self._parts else {"type": "http.disconnect"}


class _Said:
    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, dict[str, str](), b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")

    def answer(self) -> Answer:
        return Answer(self.status, self.headers.get("content-type", ""), self.body, self.headers.get("retry-after", ""))


def _scope(request: httpx.Request) -> dict[str, Any]:
    path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "", "app": _app,
        "method": request.method, "path": unquote(path.decode()), "raw_path": path, "query_string": query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": ("store.saltmere.example", 443), "client": ("192.0.2.1", 4711),
    }  # fmt: skip
