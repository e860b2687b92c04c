"""Laptops that write apart and come together through a central store of a few lines, and the model that they must agree with.

The model is plain dictionaries, written from the rules of merging alone (security D).
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from leadworker import change, proof, record
from leadworker.change import Content
from leadworker.clock import Moment
from leadworker.crypto.envelope import BookKey
from leadworker.domain import alerts, conflicts, journal, people, visits
from leadworker.domain.actions import NewAction
from leadworker.domain.journal import NewEntry
from leadworker.postbox import Receipt, Received
from leadworker.record import Rule
from storage import checking, mending, postbox, rebuilding, taking_in
from storage.vault import Vault
from tests import vaults
from tests.vaults import HandClock, ask, do, enter, fresh, made

OWNERS = ("Alex Morgan", "Robin Hale", "Noor Aziz", "Sam Reed")

# The reference model


class Write(NamedTuple):
    """One value of one field, as its change says it. `n` is the number that the central store gave, 0 for not yet."""

    n: int
    device: bytes
    lane: int
    seq: int
    id: bytes
    seen: int
    named: tuple[bytes, ...]
    stamp: int
    value: Any

    def had_seen(self, other: Write) -> bool:
        """Whoever writes has seen what stands before in their lane; of the rest what they name, else what was numbered by then."""
        in_lane = (self.device, self.lane) == (other.device, other.lane) and other.seq < self.seq
        return in_lane or (other.id in self.named if self.named else 0 < other.n <= self.seen)


Fields = dict[str, Any]


Said = dict[tuple[str, str], list[tuple[Write, Content]]]


def said_of(log: list[tuple[int, bytes, bytes]]) -> Said:
    """Return every write by topic and record: numbered ones in order, then the others."""
    said: Said = {}
    for n, header, body in sorted(log, key=lambda item: (item[0] == 0, item[0])):
        head, content = change.unpack(header), change.read_content(body)
        write = Write(n, head.device, head.lane, head.seq, change.change_id(header), content.seen[0], content.over, content.stamp, 0)
        said.setdefault((content.topic, content.record), []).append((write, content))
    return said


def model(log: list[tuple[int, bytes, bytes]]) -> dict[str, dict[str, Fields]]:
    """Return what every record shows, by topic and id, from the changes alone."""
    shown: dict[str, dict[str, Fields]] = {topic: {} for topic in record.topics()}
    for (topic, record_id), writes in said_of(log).items():
        shown[topic][record_id] = shown_record(record.topics()[topic], writes)
    return shown


def model_conflicts(log: list[tuple[int, bytes, bytes]]) -> dict[str, set[str]]:
    """Return what must be put before a person on every laptop: each contested field with the changes that stand in it."""
    found = {}
    for (topic, record_id), writes in said_of(log).items():
        kind = record.topics()[topic]
        if not kind.frozen and not shown_record(kind, writes)["gone"]:
            for name, live in alive_of(kind, writes).items():
                if declared_of(kind)[name].rule is Rule.ASK and len({repr(write.value) for write in live}) > 1:
                    found[f"{record_id}.{name}"] = {write.id.hex() for write in live}
    return found


def declared_of(kind: type[record.Record]) -> dict[str, record.Kept]:
    return {**record.kept_fields(kind), "gone": record.Kept(Rule.SET, False, "", "")}


def alive_of(kind: type[record.Record], writes: list[tuple[Write, Content]]) -> dict[str, list[Write]]:
    """Return the values of each field that nobody who had seen them wrote over."""
    alive = {}
    for name in declared_of(kind):
        of_field = [
            write._replace(value=content.verb == change.DROP if name == "gone" else content.values[name])
            for write, content in writes
            if name == "gone" or name in content.values
        ]
        alive[name] = [write for write in of_field if not any(other.had_seen(write) for other in of_field)]
    return alive


def shown_record(kind: type[record.Record], writes: list[tuple[Write, Content]]) -> Fields:
    fields: Fields = {name: kind.model_fields[name].default for name in record.kept_fields(kind)}
    first, begun = writes[0]
    if kind.frozen:
        return {**fields, **begun.values, "gone": False, "contested": "", "made_by": first.device.hex()}
    contested = []
    winners: dict[str, Write] = {}
    declared, alive = declared_of(kind), alive_of(kind, writes)
    for name, live in ((name, live) for name, live in alive.items() if live):
        winners[name] = shown_write(declared[name], fields.get(name), live)
        if declared[name].rule is Rule.ASK and len({repr(write.value) for write in live}) > 1:
            contested.append(name)
    fields.update((name, winner.value) for name, winner in winners.items())
    for name, winner in winners.items():
        for beside in declared[name].along:
            if declared[beside].rule is Rule.QUIET:
                fields.update((beside, write.value) for write in alive[beside] if write.id == winner.id)
    return {**fields, "contested": ",".join(sorted(contested)), "made_by": first.device.hex()}


def shown_write(kept: record.Kept, default: Any, live: list[Write]) -> Write:
    latest_first = sorted(live, key=lambda write: (write.stamp, write.device), reverse=True)
    if kept.rule is Rule.SET and isinstance(live[0].value, bool):
        return min(latest_first, key=lambda write: bool(write.value))
    match kept.safer:
        case "on":
            return max(latest_first, key=lambda write: bool(write.value))
        case "default":
            return max(latest_first, key=lambda write: bool(write.value == default))
        case "earliest":
            return min(latest_first, key=lambda write: int(write.value))
        case "longest":
            return max(latest_first, key=lambda write: len(write.value))
    return latest_first[0]


# The laptops and the central store between them


class Hub:
    """A central store that numbers changes of one book and keeps its running digest, and nothing else."""

    def __init__(self) -> None:
        self.book = b""
        self.log: list[tuple[bytes, bytes, bytes, bytes]] = []

    def take(self, book: bytes, changes: list[tuple[bytes, bytes, bytes]]) -> None:
        """Number changes that are new here."""
        self.book = self.book or book
        held = {header for header, _, _, _ in self.log}
        for header, body, signature in changes:
            if header not in held:
                digest = change.next_digest(self.digest(len(self.log)), change.change_id(header), len(self.log) + 1)
                self.log.append((header, body, signature, digest))

    def digest(self, n: int) -> bytes:
        """Return the running digest at a number."""
        return self.log[n - 1][3] if n else change.first_digest(self.book)


class Laptop:
    """One real vault, and the post by hand."""

    def __init__(self, home: Path, owner: str, hub: Hub) -> None:
        self.home, self.owner, self.hub = home, owner, hub
        self.clock = HandClock()
        self.folder = fresh(home / owner, made(owner))
        self.vault = self._open()

    def _open(self) -> Vault:
        vault = enter(self.folder, owner=self.owner, clock=self.clock)
        return self._unhurried(vault)

    @staticmethod
    def _unhurried(vault: Vault) -> Vault:
        vault.submit(lambda: vault.connection.execute("PRAGMA synchronous=OFF").fetchall()).result()
        return vault

    def push(self, *, answered: bool = True) -> None:
        """Send what is unsent, lane by lane; the answer may be lost on its way back."""
        sql = """SELECT c.header, c.body, c.signature, l.lane, c.seq, b.id FROM change c JOIN lane l ON l.no = c.lane_no
                 JOIN book b ON b.no = c.book_no WHERE l.mine = 1 AND c.n IS NULL ORDER BY l.no, c.seq"""
        rows = self.on_thread(lambda: self.vault.connection.execute(sql).fetchall())
        if not rows:
            return
        self.hub.take(rows[0][5], [row[:3] for row in rows])
        if answered:
            numbers = {header: n for n, (header, *_) in enumerate(self.hub.log, start=1)}
            receipts = [
                Receipt(self.hub.book, lane, seq, (n := numbers[header],), n, self.hub.digest(n), 0) for header, _, _, lane, seq, _ in rows
            ]
            self.in_transaction(lambda t: postbox._acknowledge(self.vault, t.connection, tuple(receipts)))

    def pull(self, most: int = 1000, *, keys: dict[int, bytes] | None = None, missing: BookKey | None = None) -> None:
        """Receive the next changes in the order that the central store gave them.

        `missing` is the key that they are sealed with and that this laptop was not given; `keys` are those that come with them.
        """
        since = self.on_thread(lambda: confirmed(self.vault, self.hub.book))
        received = []
        for n, (header, body, signature, digest) in enumerate(self.hub.log[since : since + most], start=since + 1):
            if change.unpack(header).device == self.vault.identity.device and self.holds(header):
                received.append(Received(n, header, None, signature, digest, 0, own=True))
            elif missing:
                why = "this laptop was not given the key"
                received.append(Received(n, header, None, signature, digest, 0, sealed=missing.seal(header, body), why=why))
            else:
                received.append(Received(n, header, body, signature, digest, 0, change.read_content(body)))
        if received or keys:
            digest = self.hub.digest(since + len(received))
            self.in_transaction(lambda t: taking_in.take(self.vault, t, self.hub.book, since, tuple(received), keys or {}, digest, b""))

    def holds(self, header: bytes) -> bool:
        sql = "SELECT count(*) FROM change WHERE header = ?"
        return bool(self.on_thread(lambda: self.vault.connection.execute(sql, (header,)).fetchone()[0]))

    def keep_a_copy(self) -> None:
        """Copy the vault as a backup would."""
        self.vault.close()
        shutil.rmtree(self.home / f"{self.owner} copy", ignore_errors=True)
        shutil.copytree(self.folder, self.home / f"{self.owner} copy")
        self.vault = self._open()

    def put_the_copy_back(self) -> None:
        """Go back to the copy, as after a lost laptop: what was not sent since then is gone, and a new lane is begun."""
        copy = self.home / f"{self.owner} copy"
        if copy.exists():
            self.vault.close()
            shutil.rmtree(self.folder)
            shutil.copytree(copy, self.folder)
            vault, _ = mending.mend(self.folder, made(self.owner).words, with_words=True, clock=self.clock)
            self.vault = self._unhurried(vault)

    def on_thread(self, work: Callable[[], Any]) -> Any:
        return self.vault.submit(work).result()

    def in_transaction(self, work: Callable[[Any], Any]) -> None:
        def run() -> None:
            with self.vault.transaction() as transaction:
                transaction.dirty = True
                work(transaction)

        self.on_thread(run)

    def rows(self) -> dict[str, dict[str, Fields]]:
        """Return what every record shows, by topic and id."""
        shown: dict[str, dict[str, Fields]] = {}
        for topic, kind in record.topics().items():
            names = ["id", "gone", "contested", "made_by", *record.kept_fields(kind)]
            quoted = ", ".join(f'"{name}"' for name in names)
            found = self.on_thread(partial(self._fetch, f"SELECT {quoted} FROM {topic}"))
            shown[topic] = {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in found}
        return shown

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.vault.connection.execute(sql).fetchall()
        return found

    def log(self) -> list[tuple[int, bytes, bytes]]:
        """Return every change that this laptop holds."""
        sql = "SELECT coalesce(n, 0), header, body FROM change WHERE body IS NOT NULL ORDER BY no"
        found: list[tuple[int, bytes, bytes]] = self.on_thread(lambda: self.vault.connection.execute(sql).fetchall())
        return found

    def is_as_the_model_says(self) -> None:
        assert self.rows() == model(self.log())
        assert {one.key: {version.change for version in one.versions} for one in self.conflicts()} == model_conflicts(self.log())
        assert ask(self.vault, conflicts.count) == len(self.conflicts())

    def conflicts(self) -> tuple[conflicts.Conflict, ...]:
        """Return what this laptop puts before its person."""
        return ask(self.vault, conflicts.open_conflicts)

    def digest(self) -> str:
        return vaults.digest(self.vault)

    def digest_of_a_rebuild(self) -> str:
        self.on_thread(lambda: rebuilding.remake(self.vault.connection))
        return self.digest()


def confirmed(vault: Vault, book: bytes) -> int:
    """Return up to which number a laptop has a book without a gap."""
    row = vault.connection.execute("SELECT n FROM book WHERE id = ?", (book,)).fetchone()
    return 0 if row is None else int(row[0])


class Team:
    """Laptops that share one person's casebook."""

    def __init__(self, size: int) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="lw-merge-"))
        self.hub = Hub()
        self.laptops = [Laptop(self.home, owner, self.hub) for owner in OWNERS[:size]]
        first = self.laptops[0]
        self.person = do(first.vault, people.add, "Keira Lane", lives_at="with her nan")
        self.alert = do(first.vault, alerts.raise_alert, self.person, "Dog")
        self.access = do(first.vault, alerts.add_access_note, self.person, "Side gate")
        self.visit = do(first.vault, visits.plan, self.person, Moment(1_795_000_000_000))
        self.known = do(first.vault, people.also_known_as, self.person, "Kiki")
        entry = NewEntry(self.person, said="I slept.", actions=(NewAction("Text Sam", "Alex Morgan", mine=True),))
        saved = do(first.vault, journal.write, entry)
        self.entry, (self.action,) = saved.entry_id, saved.action_ids
        self.come_together()

    def come_together(self) -> None:
        """Let everybody send and receive until all is at rest."""
        for laptop in self.laptops:
            laptop.push()
        for laptop in self.laptops:
            laptop.pull(keys={1: self.key.secret})

    @property
    def key(self) -> BookKey:
        """The key that the book is sealed with."""
        return BookKey(self.hub.book, 1, bytes(32))

    def are_of_one_mind(self) -> None:
        """Fail unless all hold the same, as the model says it, and as a rebuild makes it."""
        self.come_together()
        digests = {laptop.digest() for laptop in self.laptops}
        assert len(digests) == 1, "the laptops show different records"
        for laptop in self.laptops:
            laptop.is_as_the_model_says()
        assert {laptop.digest_of_a_rebuild() for laptop in self.laptops} == digests, "a rebuild shows something else"
        for laptop in self.laptops:
            report = checking.check(
                laptop.vault.connection, laptop.vault.anchor.read(), laptop.vault.identity.signing_public, keys_of=self.key_of
            )
            assert report.whole, [finding.sentence for finding in report.findings if not finding.whole]

    def key_of(self, device: bytes) -> bytes | None:
        keys = {laptop.vault.identity.device: laptop.vault.identity.signing_public for laptop in self.laptops}
        return keys.get(device)

    def close(self) -> None:
        for laptop in self.laptops:
            laptop.vault.close()
        shutil.rmtree(self.home)


lanes_of_their_own = itertools.count(60_000)


def forge(laptop: Laptop, hub: Hub, content: Content) -> tuple[bytes, bytes, bytes]:
    """Return a change that this laptop's own program would not write, in a lane of its own."""
    body = change.write_content(content, bytes(16))
    header = change.Header(
        change.Kind.CONTENT, hub.book, laptop.vault.identity.device, next(lanes_of_their_own), 1, change.FIRST,
        change.padded_size(len(body)), change.commitment(body),
    ).pack()  # fmt: skip
    return header, body, laptop.vault.identity.sign(proof.HEAD, change.change_id(header))
