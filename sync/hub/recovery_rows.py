"""What a restored central store remembers of its recovery, in SQL that both databases understand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from sync.hub.store import BookRecovery, DeviceReport, GivenBack


class RecoveryRows(ABC):
    """The part of a session that only a recovery asks for."""

    @abstractmethod
    def _all(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return every row that a select finds."""

    @abstractmethod
    def _run(self, statement: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""

    def hold_mode(self) -> None:
        return None  # where one transaction at a time writes anyway

    def forget_recovery(self) -> None:
        for table in ("recovery_books", "recovery_reports", "recovery_returns"):
            self._run(f"DELETE FROM {table}")
        self._run("INSERT INTO recovery_books (book, began_n, goal_n) SELECT book, n, n FROM books")

    def note_goal(self, book: bytes, goal_n: int) -> None:
        self._run(
            "INSERT INTO recovery_books (book, began_n, goal_n) VALUES (?, 0, ?) ON CONFLICT (book) DO UPDATE SET "
            "goal_n = CASE WHEN excluded.goal_n > recovery_books.goal_n THEN excluded.goal_n ELSE recovery_books.goal_n END",
            (book, goal_n),
        )

    def note_report(self, report: DeviceReport) -> None:
        self._run(
            "INSERT INTO recovery_reports (device, book, n, state, at_ms) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (device, book) DO UPDATE SET n = excluded.n, state = excluded.state, at_ms = excluded.at_ms",
            report,
        )

    def note_return(self, book: bytes, first_n: int, last_n: int, device: bytes, at_ms: int) -> None:
        self._run(
            "INSERT INTO recovery_returns (book, first_n, last_n, device, at_ms) VALUES (?, ?, ?, ?, ?)",
            (book, first_n, last_n, device, at_ms),
        )

    def recovery_books(self) -> list[BookRecovery]:
        found = self._all(
            "SELECT r.book, r.began_n, coalesce(b.n, 0), r.goal_n FROM recovery_books r LEFT JOIN books b ON b.book = r.book "
            "WHERE coalesce(b.n, 0) <> r.began_n OR r.goal_n > coalesce(b.n, 0) ORDER BY r.book"
        )
        return [BookRecovery(*row) for row in found]

    def recovery_reports(self) -> list[DeviceReport]:
        return [DeviceReport(*row) for row in self._all("SELECT device, book, n, state, at_ms FROM recovery_reports ORDER BY device, book")]

    def given_back(self) -> list[GivenBack]:
        counted = "SELECT device, sum(last_n - first_n + 1) FROM recovery_returns GROUP BY device ORDER BY device"
        return [GivenBack(device, int(count)) for device, count in self._all(counted)]

    def active_devices(self) -> list[bytes]:
        return [row[0] for row in self._all("SELECT device FROM devices WHERE active = 1 ORDER BY device")]
