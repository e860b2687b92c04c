"""Saving, searching and reading the journal, each beside the same rows in plain SQLite."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from bench.load import Writer
from bench.timing import Row, ms, of_pairs, p50, p99, paired, timed
from bench.twin import PlainSave
from leadworker.clock import Moment, SystemClock
from leadworker.desk import Desk
from leadworker.domain import journal
from leadworker.domain.journal import EntryView, JournalEntry
from leadworker.record import new_id
from leadworker.shelf import Hit
from storage import finding
from storage.engine import Connection
from storage.shelf import _prepare, _truths, _with_truth
from storage.vault import Vault

SAVES = 300
SAVES_TO_AN_IDLE_MOMENT = 10
READS = 200


def saving(vault: Vault, desk: Desk, plain: Connection, person: str) -> list[Row]:
    """A durable save of one entry: change, projection, search index and anchor."""
    writer = Writer(11)
    columns = [row[1] for row in plain.execute("PRAGMA table_info(journal_entry)")]
    model = dict(zip(columns, plain.execute("SELECT * FROM journal_entry ORDER BY no DESC LIMIT 1").fetchone(), strict=True))
    twin = PlainSave(plain, model)
    now = Moment.of(SystemClock().now())

    new, plain_new = writer.entry(person, now), writer.entry(person, now)

    def ours() -> None:
        vault._write(lambda shelf: journal.write(shelf, new))

    def theirs() -> None:
        words = {name: getattr(plain_new, name) for name in ("title", "seen", "said", "noticed", "think")}
        twin.save(new_id(), secrets.token_bytes(900), words)

    def rest(turn: int) -> None:
        nonlocal new, plain_new
        new, plain_new = writer.entry(person, now), writer.entry(person, now)
        if turn % SAVES_TO_AN_IDLE_MOMENT == SAVES_TO_AN_IDLE_MOMENT - 1:
            idle.append((timed(vault._tidy), timed(plain_tidy)))

    def plain_tidy() -> None:
        """Do what the product does in an idle moment; the index of the twin has its words already."""
        finding.tidy(plain, ("journal_entry",))
        plain.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    idle: list[tuple[float, float]] = []
    mine, other = vault.submit(lambda: paired(ours, theirs, SAVES, rest)).result()
    mine, other = mine[20:], other[20:]
    ratio, tail = of_pairs(mine, other), p99(mine) / p50(mine)
    my_idle, other_idle = (p50(seconds) / SAVES_TO_AN_IDLE_MOMENT for seconds in zip(*idle, strict=True))
    in_all = p50(mine) + my_idle, p50(other) + other_idle
    whole = in_all[0] / in_all[1]
    return [
        Row("durable save of one entry, with anchor", ms(p50(mine)), ms(p50(other)), ratio, "≤ 2.0", ratio <= 2.0),
        Row("the same, p99 over its own p50", ms(p99(mine)), ms(p50(mine)), tail, "< 4", tail < 4),
        Row("the same, and its tenth of an idle moment", ms(in_all[0]), ms(in_all[1]), whole, "", None),
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


def _search(connection: Connection, words: str, newest: bool) -> Callable[[], tuple[Hit, ...]]:
    return lambda: finding.search(connection, (JournalEntry,), words, limit=50, newest=newest)


def _timeline(connection: Connection, person: str) -> Callable[[], Any]:
    sql, given = _prepare(journal._TIMELINE)
    truths = _truths(EntryView)
    values = given | {"person_id": person, "limit": 50, "skip": 0, "before": journal.END_OF_TIME}
    return lambda: tuple([EntryView(*_with_truth(row, truths)) for row in connection.execute(sql, values)])
