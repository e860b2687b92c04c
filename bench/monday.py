"""``make monday``: 500 workers on a Monday morning at one central store with PostgreSQL, on this machine's cores.

Teams of six or seven share a casebook. Each worker pushes 40 changes, one at a time as they are saved, at moments spread over
the morning, and pulls what five or six colleagues write: 200 or more. Everything must arrive, and nothing may fail.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg

from bench.office import NOTE_BYTES, Worker
from bench.timing import Row, ms, p50, p99
from leadworker.statements import Role
from tests.hub_world import FakeOrganisation, Laptop
from tests.postgres import PrivatePostgres, find_programs

SMALL = bool(os.environ.get("LEADWORKER_BENCH_SMALL"))
WORKERS, SECONDS = (60, 12.0) if SMALL else (500, 100.0)
PUSHES, PULLS_EVERY, TEAM, PROCESSES = 40, 8, 6, 2
STORE_CONNECTIONS = 16
CROWD = 10 if SMALL else 50
FULL_S = 3.0 if SMALL else 10.0


def main() -> int:
    programs = find_programs()
    if programs is None:
        print("There is no PostgreSQL on this machine, so Monday morning cannot be measured.")
        return 1
    cluster = PrivatePostgres(programs, durable=True)
    try:
        database = cluster.new_database()
        with _store(database) as (url, setup_code, store):
            rows = asyncio.run(_morning(url, setup_code, database))
            rows += _memory(store)
    finally:
        cluster.remove()
    from bench.__main__ import keep, show

    show(rows)
    keep(rows, SECONDS)
    return 0 if all(row.holds in (True, None) for row in rows) else 1


@contextmanager
def _store(database: str) -> Iterator[tuple[str, str, int]]:
    code = f"import leadworker; from sync.hub.serve import serve; serve({database!r}, port=0, count={PROCESSES})"
    store = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert store.stdout is not None
    try:
        yield store.stdout.readline().split()[-1], store.stdout.readline().split()[-1], store.pid
    finally:
        store.terminate()
        store.wait(30)


async def _morning(url: str, setup_code: str, database: str) -> list[Row]:
    organisation = FakeOrganisation(url, lambda: time.time_ns() // 1_000_000)
    organisation.found(setup_code)
    _tell(f"Letting {WORKERS} colleagues in …")
    laptops = _let_in(organisation)
    workers, crowd = _teams(url, organisation, laptops), _at_one_book(url, organisation, laptops[:CROWD])
    before = _size(database)
    _tell(f"{WORKERS} workers push {PUSHES} changes each within {SECONDS:.0f} s …")
    started = time.perf_counter()
    troubles = [trouble for trouble in await asyncio.gather(*map(_work, workers), return_exceptions=True) if trouble]
    took = time.perf_counter() - started
    if troubles:
        _tell(f"{len(troubles)} went wrong; the first: {troubles[0]!r}")
    grown, connections = _size(database) - before, _connections(database)
    rows = _told(workers, troubles, took, grown, connections)
    many, few = workers[:64], workers[:8]
    rows.append(await _at_full_speed("syncs with nothing new, as fast as 64 laptops can", many, lambda worker: worker.pull(), 1))
    pushes = await _at_full_speed("pushes of one change, as fast as 64 laptops can", many, lambda worker: worker.push(1), 1)
    rows.append(_beside(pushes, await _plain_commits(database)))
    rows.append(await _at_full_speed("changes in pushes of 500, as fast as 8 laptops can", few, lambda worker: worker.push(500), 500))
    crowded = f"pushes of one change by {CROWD} laptops into one casebook"
    rows.append(await _at_full_speed(crowded, crowd, lambda worker: worker.push(1), 1))
    for worker in (*workers, *crowd):
        worker.hang_up()
    organisation.close()
    return rows


def _let_in(organisation: FakeOrganisation) -> list[Laptop]:
    laptops = [organisation.laptop() for _ in range(WORKERS)]
    for start in range(0, WORKERS, 100):
        enrolled = [
            organisation.directory.statement(organisation.admin.keys, organisation.enrol(laptop, Role.KEY_WORKER))
            for laptop in laptops[start : start + 100]
        ]
        outcome = organisation.admin.control(*enrolled)
        assert not outcome.code, outcome.sentence
    return laptops


def _teams(url: str, organisation: FakeOrganisation, laptops: list[Laptop]) -> list[Worker]:
    teams = [laptops[number :: WORKERS // TEAM] for number in range(WORKERS // TEAM)]
    return [Worker(url, laptop, book) for team in teams for book in [_book(organisation, team)] for laptop in team]


def _at_one_book(url: str, organisation: FakeOrganisation, laptops: list[Laptop]) -> list[Worker]:
    """Let laptops share one casebook: each push waits for the one before it, since numbers have no gap."""
    book = _book(organisation, laptops)
    return [Worker(url, laptop, book) for laptop in laptops]


def _book(organisation: FakeOrganisation, team: list[Laptop]) -> bytes:
    return organisation.casebook(team[0], [(laptop, Role.CO_WORKER) for laptop in team[1:]]).book


async def _work(worker: Worker) -> None:
    """Live through one morning: push at 40 moments of it, pull now and then and until everybody's is here."""
    chance = random.Random(worker.keys.signing)
    begun = time.perf_counter()
    for turn, moment in enumerate(sorted(chance.uniform(0, SECONDS) for _ in range(PUSHES)), start=1):
        await asyncio.sleep(max(0.0, begun + moment - time.perf_counter()))
        await worker.push(1)
        if turn % PULLS_EVERY == 0:
            await worker.pull()
    until = time.perf_counter() + 120
    while worker.received < (TEAM - 1) * PUSHES + 2:
        if time.perf_counter() > until:
            raise TimeoutError(f"only {worker.received} changes of colleagues arrived")
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        await worker.pull()


def _told(workers: list[Worker], troubles: list[BaseException], took: float, grown: int, connections: int) -> list[Row]:
    pushes = [seconds for worker in workers for seconds in worker.pushes]
    pulls = [seconds for worker in workers for seconds in worker.pulls]
    complete = not troubles and len(pushes) == WORKERS * PUSHES
    sums = f"{len(pushes):,} pushed, {sum(worker.received for worker in workers):,} pulled"
    rate = len(pushes) / took
    return [
        Row(f"Monday morning, {WORKERS} workers, {PROCESSES} processes", sums, "", None, "complete, no error", complete),
        Row(f"  a push of one change at {rate:,.0f} a second, p50", ms(p50(pushes)), "", None, "", None),
        Row("  the same, p99", ms(p99(pushes)), "", None, "", None, {"longest_ms": max(pushes) * 1000}),
        Row("  news and whatever is new, p50", ms(p50(pulls)), "", None, "", None),
        Row("  the same, p99", ms(p99(pulls)), "", None, "", None),
        Row("  database, a change", f"{grown / len(pushes):,.0f} bytes", "", None, f"of {NOTE_BYTES} padded", None),
        Row("  database connections", f"{connections}", "", None, "", None),
    ]


async def _at_full_speed(what: str, workers: list[Worker], deed: Callable[[Worker], Awaitable[None]], size: int) -> Row:
    """Let some laptops ask without a pause for some seconds; tell how much that makes a second."""
    until = time.perf_counter() + FULL_S
    done: list[float] = []

    async def ask(worker: Worker) -> None:
        while time.perf_counter() < until:
            started = time.perf_counter()
            await deed(worker)
            done.append(time.perf_counter() - started)

    _tell(f"{what.capitalize()} …")
    await asyncio.gather(*map(ask, workers))
    return Row(what, f"{len(done) * size / FULL_S:,.0f} a second", "", None, f"p50 {ms(p50(done))}, p99 {ms(p99(done))}", None)


async def _plain_commits(database: str) -> float:
    """Return how many plain rows of a note's size the same database commits a second, one at a time on each connection.

    It tells a slow disk from a slow store: what a push takes beyond it is signatures, HTTP and numbering.
    """
    _tell("Plain rows of the same size, without a store before them …")
    with psycopg.connect(database) as server:
        server.execute("CREATE TABLE plain_note (no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)")
    until = time.perf_counter() + FULL_S

    async def insert() -> int:
        done = 0
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as server:
            while time.perf_counter() < until:
                await server.execute("INSERT INTO plain_note (body) VALUES (%s)", (os.urandom(NOTE_BYTES),))
                done += 1
        return done

    return sum(await asyncio.gather(*[insert() for _ in range(STORE_CONNECTIONS)])) / FULL_S


def _beside(ours: Row, plain: float) -> Row:
    """Return a row with its plain twin beside it; the ratio is of times, as everywhere."""
    rate = float(ours.ours.split()[0].replace(",", ""))
    return msgspec.structs.replace(ours, twin=f"{plain:,.0f} a second", ratio=plain / rate)


def _size(database: str) -> int:
    """Return the bytes of the database's tables and indexes on the disk."""
    with psycopg.connect(database) as server:
        found = server.execute("SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname NOT LIKE 'pg%'")
        return int(found.fetchall()[0][0])


def _connections(database: str) -> int:
    with psycopg.connect(database) as server:
        found = server.execute("SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()")
        return int(found.fetchall()[0][0])


def _memory(store: int) -> list[Row]:
    """Return what the store's processes hold in memory, where the system says so."""
    told = Path(f"/proc/{store}/task/{store}/children")
    if not told.exists():
        return []
    held = [re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{child}/status").read_text()) for child in told.read_text().split()]
    sizes = [int(found[1]) // 1024 for found in held if found]
    return [Row("memory of a process that serves, at the end", f"{max(sizes)} MiB", "", None, "", None)]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
