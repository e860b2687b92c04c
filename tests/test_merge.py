"""Two to four laptops write apart and come together: nothing is lost, all show the same, and a person is asked where it matters.

A model of plain dictionaries, written from the rules alone (security D), must agree with every laptop after every step.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from leadworker import change, record
from leadworker.change import Content
from leadworker.domain import actions, alerts, journal, people, visits
from leadworker.domain.actions import NewAction
from leadworker.domain.alerts import AccessNote, Alert
from leadworker.domain.journal import NewEntry
from leadworker.domain.people import KnownAs
from leadworker.postbox import Receipt, Received
from leadworker.record import Rule
from storage import anchor, mending, postbox, rebuilding, taking_in
from storage.vault import Vault
from tests import vaults
from tests.vaults import HandClock, do, enter, fresh, made

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
        """Whoever writes has seen what stands before in their lane, what was numbered by then, and what they name."""
        in_lane = (self.device, self.lane) == (other.device, other.lane) and other.seq < self.seq
        return in_lane or 0 < other.n <= self.seen or other.id in self.named


Fields = dict[str, Any]


def model(log: list[tuple[int, bytes, bytes]]) -> dict[str, dict[str, Fields]]:
    """Return what every record shows, by topic and id, from the changes alone: numbered ones in order, then the others."""
    said: dict[tuple[str, str], list[tuple[Write, Content]]] = {}
    for n, header, body in sorted(log, key=lambda item: (item[0] == 0, item[0])):
        head, content = change.unpack(header), change.read_content(body)
        write = Write(n, head.device, head.lane, head.seq, change.change_id(header), content.seen[0], content.over, content.stamp, 0)
        said.setdefault((content.topic, content.record), []).append((write, content))
    shown: dict[str, dict[str, Fields]] = {topic: {} for topic in record.topics()}
    for (topic, record_id), writes in said.items():
        shown[topic][record_id] = shown_record(record.topics()[topic], writes)
    return shown


def shown_record(kind: type[record.Record], writes: list[tuple[Write, Content]]) -> Fields:
    fields: Fields = {name: kind.model_fields[name].default for name in record.kept_fields(kind)}
    first, begun = writes[0]
    if kind.frozen:
        return {**fields, **begun.values, "gone": False, "contested": "", "made_by": first.device.hex()}
    contested = []
    for name, kept in {**record.kept_fields(kind), "gone": record.Kept(Rule.SET, False, "", "")}.items():
        of_field = [
            write._replace(value=content.verb == change.DROP if name == "gone" else content.values[name])
            for write, content in writes
            if name == "gone" or name in content.values
        ]
        live = [write for write in of_field if not any(other.had_seen(write) for other in of_field)]
        if live:
            fields[name] = shown_value(kept, live)
        if kept.rule is Rule.ASK and len({repr(write.value) for write in live}) > 1:
            contested.append(name)
    return {**fields, "contested": ",".join(sorted(contested)), "made_by": first.device.hex()}


def shown_value(kept: record.Kept, live: list[Write]) -> Any:
    latest_first = sorted(live, key=lambda write: (write.stamp, write.device), reverse=True)
    values = [write.value for write in latest_first]
    if len(live) > 1 and kept.rule is Rule.SET and isinstance(values[0], bool):
        return all(values)
    if len(live) > 1 and kept.rule is Rule.ASK:
        match kept.safer:
            case "on":
                return any(values)
            case "earliest":
                return min(values)
            case "longest":
                return max(values, key=len)
    return values[0]


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
                Receipt(self.hub.book, lane, seq, (n := numbers[header],), n, self.hub.digest(n), 0)
                for header, _, _, lane, seq, _ in rows
            ]
            self.in_transaction(lambda t: postbox._acknowledge(self.vault, t.connection, tuple(receipts)))

    def pull(self, most: int = 1000) -> None:
        """Receive the next changes in the order that the central store gave them."""
        since = self.on_thread(lambda: rebuilding_n(self.vault, self.hub.book))
        received = []
        for n, (header, body, signature, digest) in enumerate(self.hub.log[since : since + most], start=since + 1):
            own = change.unpack(header).device == self.vault.identity.device and self.holds(header)
            received.append(
                Received(n, header, None if own else body, signature, digest, 0, None if own else change.read_content(body), own=own)
            )
        if received:
            self.in_transaction(
                lambda t: taking_in.take(self.vault, t, self.hub.book, since, tuple(received), {}, received[-1].digest)
            )

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
            found = self.on_thread(lambda q=quoted, t=topic: self.vault.connection.execute(f"SELECT {q} FROM {t}").fetchall())
            shown[topic] = {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in found}
        return shown

    def log(self) -> list[tuple[int, bytes, bytes]]:
        """Return every change that this laptop holds."""
        sql = "SELECT coalesce(n, 0), header, body FROM change WHERE body IS NOT NULL ORDER BY no"
        found: list[tuple[int, bytes, bytes]] = self.on_thread(lambda: self.vault.connection.execute(sql).fetchall())
        return found

    def is_as_the_model_says(self) -> None:
        assert self.rows() == model(self.log())

    def digest(self) -> str:
        return vaults.digest(self.vault)

    def digest_of_a_rebuild(self) -> str:
        self.on_thread(lambda: rebuilding.remake(self.vault.connection))
        return self.digest()


def rebuilding_n(vault: Vault, book: bytes) -> int:
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
        self.visit = do(first.vault, visits.plan, self.person, visits.Moment(1_795_000_000_000))
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
            laptop.pull()

    def are_of_one_mind(self) -> None:
        """Fail unless all hold the same, as the model says it, and as a rebuild makes it."""
        self.come_together()
        digests = {laptop.digest() for laptop in self.laptops}
        assert len(digests) == 1, "the laptops show different records"
        for laptop in self.laptops:
            laptop.is_as_the_model_says()
        assert {laptop.digest_of_a_rebuild() for laptop in self.laptops} == digests, "a rebuild shows something else"
        for laptop in self.laptops:
            report = vaults.checking.check(
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


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anchor, "_to_disk", lambda file: None)


@pytest.fixture
def two() -> Iterator[Team]:
    team = Team(2)
    yield team
    team.close()


DEEDS: dict[str, Callable[[Team, Any, int], None]] = {
    "name": lambda team, shelf, n: people.describe(shelf, team.person, name=f"Keira {'x' * (n % 3)}{n}"),
    "pronouns": lambda team, shelf, n: people.describe(shelf, team.person, pronouns=f"they {n % 4}"),
    "lives_at": lambda team, shelf, n: people.describe(shelf, team.person, lives_at=f"place {n % 3}"),
    "alert text": lambda team, shelf, n: shelf.amend(Alert, team.alert, text="Dog" * (n % 4)),
    "alert on": lambda team, shelf, n: shelf.amend(Alert, team.alert, on=bool(n % 2), ended_because=f"because {n % 2}"),
    "visit": lambda team, shelf, n: visits.move(shelf, team.visit, visits.Moment(1_795_000_000_000 + n % 5 * 60_000, n % 2 * 60)),
    "visit state": lambda team, shelf, n: visits.cancel(shelf, team.visit),
    "access": lambda team, shelf, n: shelf.amend(AccessNote, team.access, text=f"gate {n % 3}"),
    "drop access": lambda team, shelf, n: shelf.drop(AccessNote, team.access),
    "restore access": lambda team, shelf, n: shelf.restore(AccessNote, team.access),
    "drop name": lambda team, shelf, n: shelf.drop(KnownAs, team.known),
    "restore name": lambda team, shelf, n: shelf.restore(KnownAs, team.known),
    "done": lambda team, shelf, n: actions.finish(shelf, team.action),
    "not done": lambda team, shelf, n: actions.reopen(shelf, team.action),
    "entry": lambda team, shelf, n: void(journal.write(shelf, NewEntry(team.person, said=f"words {n}"))),
    "contact": lambda team, shelf, n: void(people.add_contact(shelf, team.person, "phone", f"0113 496 000{n % 10}")),
}


def void(_: object) -> None:
    return None


class Apart(RuleBasedStateMachine):
    """Laptops write, send, receive, lose answers, lie about the time and are put back from copies, in any order."""

    laptops = Bundle("laptops")

    @initialize(size=st.integers(2, 4))
    def begin(self, size: int) -> None:
        self.team = Team(size)
        self.count = 0

    def laptop(self, which: int) -> Laptop:
        return self.team.laptops[which % len(self.team.laptops)]

    @rule(which=st.integers(0, 3), deeds=st.lists(st.sampled_from(sorted(DEEDS)), min_size=1, max_size=3), n=st.integers(0, 11))
    def write(self, which: int, deeds: list[str], n: int) -> None:
        laptop = self.laptop(which)

        def together(shelf: Any) -> None:
            for deed in deeds:
                DEEDS[deed](self.team, shelf, n)

        do(laptop.vault, together)
        laptop.is_as_the_model_says()

    @rule(which=st.integers(0, 3), answered=st.booleans())
    def send(self, which: int, answered: bool) -> None:
        self.laptop(which).push(answered=answered)

    @rule(which=st.integers(0, 3), most=st.integers(1, 6))
    def receive(self, which: int, most: int) -> None:
        self.laptop(which).pull(most)
        self.laptop(which).is_as_the_model_says()

    @rule(which=st.integers(0, 3), days=st.sampled_from([-366, -1, 1, 366]))
    def clock_jumps(self, which: int, days: int) -> None:
        self.laptop(which).clock.at += timedelta(days=days)

    @precondition(lambda self: self.count < 2)
    @rule(which=st.integers(0, 3))
    def copy_is_kept(self, which: int) -> None:
        self.count += 1
        self.laptop(which).keep_a_copy()

    @precondition(lambda self: self.count < 4)
    @rule(which=st.integers(0, 3))
    def copy_is_put_back(self, which: int) -> None:
        self.count += 1
        self.laptop(which).put_the_copy_back()
        self.laptop(which).is_as_the_model_says()

    def teardown(self) -> None:
        if hasattr(self, "team"):
            try:
                self.team.are_of_one_mind()
            finally:
                self.team.close()


TestApart = Apart.TestCase
TestApart.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


# Histories that say what the rules mean, and those that once went wrong


def apart(team: Team, *deeds: tuple[int, Callable[[Any], object]]) -> None:
    """Let laptops write without having heard of one another, then come together."""
    for which, deed in deeds:
        do(team.laptops[which].vault, deed)
    team.are_of_one_mind()


def shown(team: Team, kind: type[record.Record], record_id: str) -> Fields:
    """Return what all laptops show of a record."""
    found = [laptop.rows()[str(record.table_of(kind).name)][record_id] for laptop in team.laptops]
    assert all(fields == found[0] for fields in found)
    return found[0]


def test_adding_wins_over_a_removal_that_had_not_seen_it_and_not_over_one_that_had(two: Team) -> None:
    apart(two, (0, lambda s: alerts.drop_access_note(s, two.access)), (1, lambda s: s.amend(AccessNote, two.access, text="Back door")))
    assert shown(two, AccessNote, two.access)["gone"] == 0
    assert shown(two, AccessNote, two.access)["text"] == "Back door"
    apart(two, (0, lambda s: alerts.drop_access_note(s, two.access)))
    assert shown(two, AccessNote, two.access)["gone"] == 1
    apart(two, (0, lambda s: s.restore(AccessNote, two.access)), (1, lambda s: s.restore(AccessNote, two.access)))
    apart(two, (0, lambda s: s.drop(AccessNote, two.access)), (1, lambda s: s.drop(AccessNote, two.access)))
    assert shown(two, AccessNote, two.access)["gone"] == 1, "both took it away"


def test_a_quiet_field_goes_to_whoever_had_seen_the_other_and_only_then_by_the_clock(two: Team) -> None:
    ahead, behind = two.laptops
    ahead.clock.at += timedelta(days=366)
    apart(two, (0, lambda s: people.describe(s, two.person, pronouns="she/her")))
    apart(two, (1, lambda s: people.describe(s, two.person, pronouns="they/them")))
    assert shown(two, Person, two.person)["pronouns"] == "they/them", "a wrong clock never beats somebody who had seen it"
    apart(
        two,
        (0, lambda s: people.describe(s, two.person, pronouns="he/him")),
        (1, lambda s: people.describe(s, two.person, pronouns="xe/xem")),
    )
    assert shown(two, Person, two.person)["pronouns"] == "he/him", "apart, the later clock wins; the other stays in the history"
    assert shown(two, Person, two.person)["contested"] == ""


def test_what_could_harm_stays_on_until_a_person_chooses_and_choosing_what_is_shown_is_a_choice(two: Team) -> None:
    apart(two, (0, lambda s: alerts.end_alert(s, two.alert, "the dog has gone")))
    apart(
        two,
        (0, lambda s: s.amend(Alert, two.alert, on=True, text="A new dog, it bites")),
        (1, lambda s: s.amend(Alert, two.alert, text="No dog")),
    )
    assert shown(two, Alert, two.alert)["text"] == "A new dog, it bites", "the longest of two warnings"
    assert shown(two, Alert, two.alert)["contested"] == "text"
    apart(two, (0, lambda s: s.amend(Alert, two.alert, on=False)), (1, lambda s: void(s.amend(Alert, two.alert, text="Two dogs"))))
    apart(two, (1, lambda s: s.amend(Alert, two.alert, on=True)), (0, lambda s: s.amend(Alert, two.alert, ended_because="gone")))
    apart(two, (0, lambda s: s.amend(Alert, two.alert, on=False)), (1, lambda s: s.amend(Alert, two.alert, text="Three dogs")))
    apart(two, (0, lambda s: s.amend(Alert, two.alert, on=True)), (1, lambda s: s.amend(Alert, two.alert, on=True)))
    assert shown(two, Alert, two.alert)["contested"] == "", "two who say the same are of one mind"
    for laptop in two.laptops:
        laptop.pull()
    do(two.laptops[0].vault, lambda s: s.amend(Alert, two.alert, on=False))
    do(two.laptops[1].vault, lambda s: s.amend(Alert, two.alert, on=False, text="Four dogs"))
    two.are_of_one_mind()
    assert (shown(two, Alert, two.alert)["on"], shown(two, Alert, two.alert)["contested"]) == (0, "")


def test_an_alert_that_one_ends_while_another_puts_it_on_again_stays_on_and_is_settled_by_either_choice(two: Team) -> None:
    for choice in (True, False):
        do(two.laptops[0].vault, lambda s: s.amend(Alert, two.alert, on=False))
        two.are_of_one_mind()
        do(two.laptops[0].vault, lambda s: s.amend(Alert, two.alert, on=True))
        do(two.laptops[1].vault, lambda s: s.amend(Alert, two.alert, text="Dog, says the neighbour"))
        do(two.laptops[0].vault, lambda s: s.amend(Alert, two.alert, on=False))
        two.laptops[0].push()
        two.laptops[1].pull()
        do(two.laptops[1].vault, lambda s: s.amend(Alert, two.alert, on=True))
        do(two.laptops[0].vault, lambda s: s.amend(Alert, two.alert, on=True))
        do(two.laptops[0].vault, lambda s: s.amend(Alert, two.alert, on=False))
        two.are_of_one_mind()
        assert shown(two, Alert, two.alert)["on"] == 1, "in doubt it is on"
        assert "on" in shown(two, Alert, two.alert)["contested"]
        assert [line.id for line in ask(two.laptops[0].vault, alerts.at_the_door, two.person) if line.kind == "alert"] == [two.alert]
        do(two.laptops[1].vault, lambda s, on=choice: s.amend(Alert, two.alert, on=on))
        two.are_of_one_mind()
        assert shown(two, Alert, two.alert)["on"] == choice
        assert "on" not in shown(two, Alert, two.alert)["contested"]


def test_of_two_times_for_a_visit_the_earlier_one_is_shown_and_both_are_kept(two: Team) -> None:
    early, late = 1_795_000_060_000, 1_795_009_000_000
    apart(
        two,
        (0, lambda s: visits.move(s, two.visit, visits.Moment(late))),
        (1, lambda s: visits.move(s, two.visit, visits.Moment(early))),
    )
    assert shown(two, Visit, two.visit)["starts_ms"] == early
    assert shown(two, Visit, two.visit)["contested"] == "starts_ms"
    for laptop in two.laptops:
        said = [change.read_content(body).values for _, _, body in laptop.log()]
        assert {values["starts_ms"] for values in said if "starts_ms" in values} >= {early, late}


def test_two_who_end_the_same_alert_apart_are_of_one_mind(two: Team) -> None:
    """Found by `Apart`: a "no" read back from a table as 0 was taken for another opinion than "no"."""
    apart(
        two,
        (0, lambda s: alerts.end_alert(s, two.alert, "because")),
        (1, lambda s: alerts.end_alert(s, two.alert, "because")),
    )
    assert shown(two, Alert, two.alert)["contested"] == ""


def test_what_was_signed_is_frozen_whoever_writes_over_it(two: Team) -> None:
    writer, other = two.laptops
    before = shown(two, JournalEntry, two.entry)
    with pytest.raises(TypeError):
        do(other.vault, lambda s: s.amend(JournalEntry, two.entry, said="something else"))
    with pytest.raises(TypeError):
        do(other.vault, lambda s: s.drop(JournalEntry, two.entry))
    for verb, values in ((change.PUT, {"said": "something else"}), (change.DROP, {})):
        forged = Content(1, "journal_entry", two.entry, verb, values, 1 << 60, (0, bytes(32)), 1, 0)
        two.hub.take(b"", [forge(other, two.hub, forged)])
    writer.pull()
    assert writer.rows()["journal_entry"][two.entry] == before
    put_aside = writer.on_thread(lambda: writer.vault.connection.execute("SELECT why FROM put_aside ORDER BY no").fetchall())
    assert put_aside == [("what was saved is never written over",), ("what was saved is never taken away",)]
    assert writer.digest_of_a_rebuild() == writer.digest()


def forge(laptop: Laptop, hub: Hub, content: Content) -> tuple[bytes, bytes, bytes]:
    """Return a change that this laptop's own program would not write, in a lane of its own."""
    body = change.write_content(content, bytes(16))
    forge.lane += 1  # type: ignore[attr-defined]
    header = change.Header(
        change.Kind.CONTENT, hub.book, laptop.vault.identity.device, forge.lane, 1, change.FIRST,  # type: ignore[attr-defined]
        change.padded_size(len(body)), change.commitment(body),
    ).pack()  # fmt: skip
    return header, body, laptop.vault.identity.sign(b"lw/head/v1\0", change.change_id(header))


forge.lane = 60_000  # type: ignore[attr-defined]


def test_a_copy_put_back_after_something_was_sent_neither_forks_nor_hides_it(two: Team) -> None:
    first, other = two.laptops
    first.keep_a_copy()
    do(first.vault, lambda s: people.describe(s, two.person, lives_at="at her aunt's"))
    first.push(answered=False)
    first.put_the_copy_back()
    do(first.vault, lambda s: people.describe(s, two.person, lives_at="in a hostel"))
    two.are_of_one_mind()
    assert shown(two, Person, two.person)["contested"] == "lives_at", "it was written without having the other one"
    assert len(first.on_thread(lambda: first.vault.connection.execute("SELECT 1 FROM lane WHERE mine = 1").fetchall())) == 2


def test_what_was_unsent_in_a_copy_that_is_put_back_is_sent_and_can_be_changed(two: Team) -> None:
    first, _ = two.laptops
    do(first.vault, lambda s: people.describe(s, two.person, lives_at="at her aunt's"))
    first.keep_a_copy()
    first.put_the_copy_back()
    do(first.vault, lambda s: people.describe(s, two.person, lives_at="in a hostel"))
    do(first.vault, lambda s: alerts.drop_access_note(s, two.access))
    two.are_of_one_mind()
    assert shown(two, Person, two.person)["lives_at"] == "in a hostel"
    assert shown(two, Person, two.person)["contested"] == "", "it was written over what stood there"
    assert shown(two, AccessNote, two.access)["gone"] == 1


def test_laptops_that_were_shown_two_histories_say_so(two: Team) -> None:
    first, other = two.laptops
    do(other.vault, lambda s: people.describe(s, two.person, pronouns="they/them"))
    elsewhere = Hub()
    elsewhere.book, elsewhere.log = two.hub.book, list(two.hub.log)
    do(first.vault, lambda s: people.describe(s, two.person, pronouns="she/her"))
    first.hub = elsewhere
    first.push()
    first.pull()
    other.push()
    do(first.vault, lambda s: people.describe(s, two.person, pronouns="xe/xem"))
    first.hub = two.hub
    first.push(answered=False)
    before = other.digest()
    with pytest.raises(HubMistrusted, match="two different histories"):
        other.pull()
    assert other.digest() == before


def test_every_order_of_receiving_and_of_lost_answers_ends_the_same() -> None:
    """The same two histories, received by a third laptop a change at a time or all at once."""
    digests = set()
    for most in (1, 2, 1000):
        team = Team(3)
        try:
            for number, which in enumerate((0, 1, 0, 1)):
                do(team.laptops[which].vault, DEEDS["entry"].__get__(team) if False else (lambda s, n=number: DEEDS["lives_at"](team, s, n)))
            for laptop in (team.laptops[1], team.laptops[0]):
                laptop.push(answered=False)
            while team.laptops[2].on_thread(lambda: rebuilding_n(team.laptops[2].vault, team.hub.book)) < len(team.hub.log):
                team.laptops[2].pull(most)
            team.are_of_one_mind()
            digests.add(team.laptops[2].rows()["person"][team.person]["lives_at"])
        finally:
            team.close()
    assert len(digests) == 1
