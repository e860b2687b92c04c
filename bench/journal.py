"""Saving, searching and reading the journal, each beside the same rows in plain SQLite."""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Callable
from typing import Any

from bench.load import Writer
from bench.timing import Row, ms, of_pairs, p50, p99, paired, timed
from bench.twin import PlainSave
from leadworker.clock import Moment, SystemClock
from leadworker.domain import journal
from leadworker.domain.journal import EntryView, JournalEntry
from leadworker.plain import persons
from leadworker.record import new_id
from leadworker.shelf import Hit
from storage import finding
from storage.anchor import Mark
from storage.engine import Connection
from storage.projection import Projector
from storage.shelf import VaultShelf, _prepare, _truths, _with_truth
from storage.vault import Vault

SAVES = 600  # of 300, the p99 is the third slowest: one hiccup of the disk decides
SAVES_TO_AN_IDLE_MOMENT = 10
READS = 200


class _NoAnchor:
    """Stands where the anchor stands and marks nothing."""

    announced = False

    def announce(self, mark: Mark) -> None: ...
    def settle(self) -> None: ...
    def confirm(self) -> None: ...
    def sync(self) -> None: ...


class _Saves:
    """The same entry saved by the product and by its twin, and the idle moment of each."""

    def __init__(self, vault: Vault, plain: Connection, person: str) -> None:
        columns = [row[1] for row in plain.execute("PRAGMA table_info(journal_entry)")]
        newest = plain.execute("SELECT * FROM journal_entry ORDER BY no DESC LIMIT 1").fetchone()
        self._vault, self._plain, self._person = vault, plain, person
        self._twin = PlainSave(plain, dict(zip(columns, newest, strict=True)))
        self._writer = Writer(11)
        self._now = Moment.of(SystemClock().now())
        self._new = self._plain_new = self._entry()
        self.idle: list[tuple[float, float]] = []

    def measure(self, times: int) -> tuple[list[float], list[float]]:
        """Save both ways so many times; return the seconds of each, without those of the first, which warm up."""
        self.idle.clear()
        mine, other = self._vault.submit(lambda: paired(self._ours, self._theirs, times, self._between)).result()
        return mine[20:], other[20:]

    def _entry(self) -> journal.NewEntry:
        return self._writer.entry(self._person, self._now)

    def _ours(self) -> None:
        self._vault._write(lambda shelf: journal.write(shelf, self._new))

    def _theirs(self) -> None:
        words = {name: getattr(self._plain_new, name) for name in ("title", "seen", "said", "noticed", "think")}
        self._twin.save(new_id(), secrets.token_bytes(900), words)

    def _between(self, turn: int) -> None:
        self._new, self._plain_new = self._entry(), self._entry()
        if turn % SAVES_TO_AN_IDLE_MOMENT == SAVES_TO_AN_IDLE_MOMENT - 1:
            self.idle.append((timed(self._vault._tidy), timed(self._plain_tidy)))

    def _plain_tidy(self) -> None:
        """Do what the product does in an idle moment; the index of the twin has its words already."""
        finding.tidy(self._plain, ("journal_entry",))
        self._plain.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def saving(vault: Vault, plain: Connection, person: str) -> list[Row]:
    """A durable save of one entry: change, projection and anchor, its words found by the next search."""
    saves = _Saves(vault, plain, person)
    anchor: Any = vault.anchor
    vault.anchor = _NoAnchor()  # type: ignore[assignment]
    bare, other = saves.measure(SAVES // 2)
    ratio = of_pairs(bare, other)
    without = Row("the same, without the anchor", ms(p50(bare)), ms(p50(other)), ratio, "≤ 1.6", ratio <= 1.6)
    vault.anchor = anchor
    anchor.write(vault.mark)

    mine, other = saves.measure(SAVES)
    ratio, tail = of_pairs(mine, other), p99(mine) / p50(mine)
    my_idle, other_idle = (statistics.fmean(seconds) / SAVES_TO_AN_IDLE_MOMENT for seconds in zip(*saves.idle, strict=True))
    in_all, other_in_all = p50(mine) + my_idle, p50(other) + other_idle
    return [
        Row("durable save of one entry, with anchor", ms(p50(mine)), ms(p50(other)), ratio, "≤ 2.0", ratio <= 2.0),
        Row("the same, p99 over its own p50", ms(p99(mine)), ms(p50(mine)), tail, "< 4", tail < 4),
        without,
        Row("the same, and its tenth of an idle moment", ms(in_all), ms(other_in_all), in_all / other_in_all, "", None),
    ]


def searching(vault: Vault, plain: Connection) -> list[Row]:
    """Full text: best first with Enter, newest first while typing."""
    words = ["kitchen", "boxing club", "letter meeting", "nan", "worried again", "homework teacher"]
    rows = []
    for label, newest, queries, bar in (
        ("search, top 50, best first", False, words, 1.1),
        ("search while typing, newest first", True, ["kit", "boxi", "lett", "worri", "homew"], 1.1),
    ):
        mine: list[float] = []
        other: list[float] = []
        for query in queries:
            ours = _search(vault.connection, query, newest)
            theirs = _search(plain, query, newest)
            ours(), theirs()  # warm
            a, b = vault.submit(lambda o=ours, t=theirs: paired(o, t, READS // 5)).result()  # type: ignore[misc]
            mine, other = mine + a, other + b
        ratio = of_pairs(mine, other)
        rows.append(Row(label, ms(p50(mine)), ms(p50(other)), ratio, f"≤ {bar}", ratio <= bar))
        if newest:
            rows.append(Row("the same, p50", ms(p50(mine)), "", None, "< 5 ms", p50(mine) < 0.005))
        else:
            rows.append(Row("the same, p99", ms(p99(mine)), "", None, "< 100 ms", p99(mine) < 0.1))
    return rows


def timelines(vault: Vault, plain: Connection, person: str, small: Vault, small_person: str) -> list[Row]:
    """The newest fifty of a timeline, through to the values that a screen gets."""
    ours = _timeline(vault.connection, person)
    theirs = _timeline(plain, person)
    ours(), theirs()
    mine, other = vault.submit(lambda: paired(ours, theirs, READS)).result()
    ratio = of_pairs(mine, other)
    few = _timeline(small.connection, small_person)
    few()
    many_seconds, few_seconds = vault.submit(lambda: paired(ours, few, READS)).result()
    growth = of_pairs(many_seconds, few_seconds)
    return [
        Row("newest 50 of a timeline", ms(p50(mine)), ms(p50(other)), ratio, "≤ 1.2", ratio <= 1.2),
        Row("the same, full load over 1,000 entries", ms(p50(many_seconds)), ms(p50(few_seconds)), growth, "≤ 1.2", growth <= 1.2),
    ]


def briefs(vault: Vault, plain: Connection, person: str, small: Vault, small_person: str) -> list[Row]:
    """What to know before knocking, through to the values that a screen gets."""
    ours, theirs, few = (
        _brief(connection, vault, who)
        for connection, who in ((vault.connection, person), (plain, person), (small.connection, small_person))
    )
    ours(), theirs(), few()
    mine, other = vault.submit(lambda: paired(ours, theirs, READS)).result()
    many_seconds, few_seconds = vault.submit(lambda: paired(ours, few, READS)).result()
    ratio, growth = of_pairs(mine, other), of_pairs(many_seconds, few_seconds)
    return [
        Row("open a brief", ms(p50(mine)), ms(p50(other)), ratio, "≤ 1.2", ratio <= 1.2),
        Row("the same, full load over 1,000 entries", ms(p50(many_seconds)), ms(p50(few_seconds)), growth, "≤ 1.2", growth <= 1.2),
    ]


def _brief(connection: Connection, vault: Vault, person: str) -> Callable[[], Any]:
    def nothing_is_written() -> Any:
        raise TypeError("a brief only reads")

    shelf = VaultShelf(connection, Projector(connection), vault.clock, vault.name, "", "", nothing_is_written)
    return lambda: persons._gather(shelf, person)


def _search(connection: Connection, words: str, newest: bool) -> Callable[[], tuple[Hit, ...]]:
    return lambda: finding.search(connection, (JournalEntry,), words, limit=50, newest=newest)


def _timeline(connection: Connection, person: str) -> Callable[[], Any]:
    sql, given = _prepare(journal._TIMELINE)
    truths = _truths(EntryView)
    values = given | {"person_id": person, "limit": 50, "skip": 0, "before": journal.END_OF_TIME}
    return lambda: tuple([EntryView(*_with_truth(row, truths)) for row in connection.execute(sql, values)])
