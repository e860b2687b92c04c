"""What must be true of every world once it is calm (security E.2), looked at from outside the product where that can be."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from leadworker import change
from leadworker.change import Kind
from leadworker.crypto.envelope import BookKey, sealed_epoch
from leadworker.directory import Directory
from leadworker.domain import conflicts
from leadworker.membership import BookMembers
from leadworker.statements import Member, Membership, Role, Rotation, read_book_statement
from storage import rebuilding
from sync import late
from tests.apart import model, model_conflicts
from tests.simulator.central import Central
from tests.simulator.machine import Machine
from tests.simulator.story import Story


@dataclass
class Truth:
    """One book as the store holds it. `gone` says of every device that was taken out at which number, and the key then."""

    book: bytes
    log: list[tuple[int, bytes, bytes]]
    members: BookMembers
    ids: dict[bytes, int] = field(default_factory=dict)
    gone: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def content(self) -> list[tuple[int, change.Header, bytes, bytes]]:
        """Number, header, the header as it travels, and the seal of every change that is sealed."""
        heads = ((n, change.unpack(raw), raw, seal) for n, raw, seal in self.log)
        return [one for one in heads if one[1].kind == Kind.CONTENT]


def truths(central: Central) -> list[Truth]:
    """Fold every casebook of the store, with one lead at every step."""
    directory_id = central.organisation()
    directory = Directory(directory_id)
    for _, header, body, signature in central.signed_log(directory_id):
        directory.apply(header, body, signature)
    return [_truth(central, book, directory) for book in central.books() if book != directory_id]


def _truth(central: Central, book: bytes, directory: Directory) -> Truth:
    truth = Truth(book, central.log(book), BookMembers(book))
    assert [n for n, _, _ in truth.log] == list(range(1, len(truth.log) + 1)), "the store's numbers have a gap"
    readers: dict[bytes, Member] = {}
    epoch, lead = 0, b""
    for n, header, body, signature in central.signed_log(book):
        truth.ids[change.change_id(header)] = n
        if change.unpack(header).kind == Kind.CONTENT:
            continue
        before = dict(truth.members.members)
        truth.members.apply(header, body, signature, directory)
        statement = read_book_statement(body)
        if isinstance(statement, Membership):
            for device in statement.remove:
                readers.pop(device)
                truth.gone[device] = (n, epoch)
            for member in statement.add:
                readers[member.device] = member
                truth.gone.pop(member.device, None)
            leads = {member.person for member in readers.values() if member.role == Role.KEY_WORKER}
            if leads != {statement.lead}:
                gone = [device for device, member in before.items() if member.person == statement.lead]
                revoked = not any(directory.was_active(device, statement.directory[0]) for device in gone)
                assert leads == set() and lead == statement.lead and revoked, "there is not exactly one lead"
            lead = statement.lead
        elif isinstance(statement, Rotation):
            assert statement.epoch == epoch + 1
            epoch = statement.epoch
            assert set(statement.seals) == set(readers), "a key was sealed to other than the readers"
        assert readers == truth.members.members, before
    return truth


def nothing_acknowledged_is_lost(story: Story, books: list[Truth]) -> None:
    """Everything that ever had a receipt is at the store under its number, and on every reader."""
    ids = {truth.book: truth.ids for truth in books} | {story.central.organisation(): story.central.ids(story.central.organisation())}
    for machine in (*story.machines, *story.shut):
        for change_id, (book, n) in machine.taken.items():
            assert ids[book].get(change_id) == n, f"{machine.name}: the store has lost what it acknowledged"
    for machine in story.machines:
        for truth in books:
            if machine.device in truth.members.members and machine not in story.lost:  # a revoked one is answered no more
                assert _held(machine, truth.book) == truth.ids, f"{machine.name} does not hold all of a casebook"


def _held(machine: Machine, book: bytes) -> dict[bytes, int]:
    sql = "SELECT c.header, c.n FROM change c JOIN book b ON b.no = c.book_no WHERE b.id = ? AND c.n IS NOT NULL AND c.body IS NOT NULL"
    return {change.change_id(bytes(header)): int(str(n)) for header, n in machine.laptop.sql(sql, book)}  # type: ignore[arg-type]


def everybody_shows_the_same(story: Story, books: list[Truth]) -> None:
    """Every reader of a casebook has the same digest, a rebuild gives it again, and a model of plain dictionaries agrees."""
    shown: dict[str, dict[str, str]] = {}
    for machine in story.machines:
        vault = machine.vault
        before = vault.submit(lambda vault=vault: rebuilding.book_digests(vault.connection)).result()  # type: ignore[misc]
        vault.submit(lambda vault=vault: rebuilding.remake(vault.connection)).result()  # type: ignore[misc]
        again = vault.submit(lambda vault=vault: rebuilding.book_digests(vault.connection)).result()  # type: ignore[misc]
        assert before == again, f"{machine.name}: a rebuild shows something else"
        for truth in books:
            name = truth.book.hex()
            reads = machine.device in truth.members.members and machine not in story.lost
            if reads and name in before and not _unsent(machine, truth.book):
                shown.setdefault(name, {})[machine.name] = before[name]
    for book, digests in shown.items():
        assert len(set(digests.values())) == 1, f"{book} reads differently: {digests}"


def every_conflict_is_put_before_everybody(story: Story) -> None:
    """What was written apart is shown as open on every laptop, exactly as a model of plain dictionaries says it must be."""
    for machine in story.machines:
        sql = "SELECT coalesce(n, 0), header, body FROM change WHERE body IS NOT NULL ORDER BY no"
        log = [(int(str(n)), bytes(header), bytes(body)) for n, header, body in machine.laptop.sql(sql)]  # type: ignore[arg-type]
        content = [one for one in log if change.unpack(one[1]).kind == Kind.CONTENT]
        found = {one.key: {version.change for version in one.versions} for one in machine.ask(conflicts.open_conflicts)}
        assert found == model_conflicts(content), f"{machine.name} does not show what was written apart"
        assert _rows(machine, model(content)), f"{machine.name} shows other values than the model"


def _rows(machine: Machine, wanted: dict[str, dict[str, dict[str, object]]]) -> bool:
    for topic, records in wanted.items():
        for record_id, fields in records.items():
            names = sorted(fields)
            quoted = ", ".join(f'"{name}"' for name in names)
            (row,) = machine.laptop.sql(f"SELECT {quoted} FROM {topic} WHERE id = ?", record_id)
            if dict(zip(names, row, strict=True)) != {name: fields[name] for name in names}:
                return False
    return True


def who_left_opens_nothing_later(story: Story, books: list[Truth]) -> None:
    """All keys that a laptop has ever held are tried on everything that was written after it was taken out."""
    for machine in (*story.machines, *story.shut):
        held = machine.every_key
        for truth in books:
            left = truth.gone.get(machine.device)
            if left is None:
                continue
            for n, header, raw, seal in truth.content:
                if n > left[0]:
                    assert sealed_epoch(seal) > left[1], "something was sealed with a key that a former reader was given"
                    for secret in held.get(truth.book, set()):
                        assert not _opens(BookKey(truth.book, sealed_epoch(seal), secret), header, raw, seal)


def _opens(key: BookKey, header: change.Header, raw: bytes, seal: bytes) -> bool:
    try:
        key.open(raw, seal)
    except Exception:  # noqa: BLE001 - however it fails, it did not open
        return False
    return True


def nothing_typed_is_lost(story: Story, books: list[Truth]) -> None:
    """Every note is at the store, so on every reader, or with who wrote it, or was handed in late."""
    members = {truth.book: truth.members for truth in books}
    everywhere: dict[str, set[str]] = {machine.name: machine.texts() for machine in story.machines}
    for machine in story.machines:
        for text, person in machine.typed.items():
            if text in story.forgiven:
                continue
            assert text in everywhere[machine.name], f"{text} is no longer with who wrote it"
            book = machine.laptop.book(person)
            if machine not in story.lost and book in members and members[book].may_write(machine.device):
                here = [other for other in story.machines if other not in story.lost]
                readers = [other for other in here if other.device in members[book].members]
                assert all(text in everywhere[other.name] for other in readers), f"{text} did not come to every reader"


def _unsent(machine: Machine, book: bytes) -> bool:
    sql = "SELECT 1 FROM change c JOIN book b ON b.no = c.book_no WHERE b.id = ? AND c.n IS NULL LIMIT 1"
    return bool(machine.laptop.sql(sql, book))


async def nothing_waits(story: Story) -> None:
    """Nobody who may write has anything unsent, and a sync brings nothing any more."""
    for machine in story.machines:
        joined = await machine.laptop.box.joined()
        if machine in story.lost or joined is None or not joined.admitted:
            continue
        counts = await machine.laptop.counts()
        assert counts.waiting == 0, f"{machine.name} still waits to send {counts.waiting}"
        assert counts.put_aside == 0, f"{machine.name} put aside {counts.put_aside}"
        assert counts.troubled == (), counts.troubled
        result = await machine.laptop.sync_somehow()
        alarms = [alarm for alarm in result.alarms if alarm != late._NOBODY]  # it stays with who wrote it, and says so
        assert (result.received, result.sent, alarms) == (0, 0, []), f"{machine.name} is not at rest: {result}"
