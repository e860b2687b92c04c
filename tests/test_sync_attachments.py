"""Attached files between laptops: sealed, in parts, going on after every cut, and never believed before they are whole."""

from __future__ import annotations

import random
import resource
from collections import Counter
from pathlib import Path

import httpx
import pytest

from leadworker.crypto.attachments import sealed_size
from leadworker.domain import attachments
from leadworker.domain.attachments import FETCHED_BY_ITSELF, LARGEST, Attachment, AttachmentStored, AttachmentView
from leadworker.errors import LeadworkerError, Offline, VaultDamaged
from leadworker.statements import Role
from storage import attachment_post
from sync import wire
from sync.exchange import Exchange
from tests.hub_world import execute
from tests.laptops import KEIRA, Answer, Laptop, Line, Team, add_member, agree, remove_member

pytest_plugins = ["tests.laptop_fixtures"]

SEVERAL_PARTS = 3 * wire.FILE_PART - 70_000


def a_file(folder: Path, size: int = SEVERAL_PARTS, name: str = "scan.pdf") -> Path:
    path = folder / name
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def attach(laptop: Laptop, person: str, source: Path, **more: str) -> str:
    return laptop.desk.attach_now(person, source, **more)


def files(laptop: Laptop, person: str) -> tuple[AttachmentView, ...]:
    return laptop.desk.ask_now(attachments.of_person, person)


def where(laptop: Laptop, person: str) -> list[str]:
    return [view.whereabouts() for view in files(laptop, person)]


def saved(laptop: Laptop, attachment: str, folder: Path) -> bytes:
    out = folder / f"out-{laptop.name}-{len(list(folder.iterdir()))}"
    laptop.desk.save_file_now(attachment, out)
    return out.read_bytes()


def want(laptop: Laptop, attachment: str) -> None:
    laptop.desk.do_now(attachments.want, attachment)


async def shared(team: Team) -> str:
    """Alex's casebook, which Ruth reads as well."""
    keira = team.alex.add(KEIRA)
    await team.alex.sync()
    await team.ruth.sync()
    return keira


# The way there and back


async def test_the_largest_file_goes_from_one_laptop_to_another_and_nothing_of_it_is_in_clear_at_the_store(
    team_on: Team, tmp_path: Path
) -> None:
    alex, ruth, keira = team_on.alex, team_on.ruth, await shared(team_on)
    source = tmp_path / "Plindlewick.pdf"
    source.write_bytes((b"Zanthorne and her letter " * (LARGEST // 25 + 1))[:LARGEST])
    made = attach(alex, keira, source)
    assert where(alex, keira) == ["here"]
    await alex.sync()
    assert where(alex, keira) == ["on the central store"]
    await ruth.sync()
    assert where(ruth, keira) == ["on the central store"], "too large to come by itself"
    want(ruth, made)
    assert where(ruth, keira) == ["on its way"]
    await ruth.sync()
    assert where(ruth, keira) == ["here"]
    assert saved(ruth, made, tmp_path) == source.read_bytes()
    key = alex.desk.ask_now(attachments.sealed_file, made).key
    assert team_on.office.store_holds("Zanthorne", "Plindlewick") == []
    assert not team_on.office.store_holds_bytes(bytes.fromhex(key))
    await agree(alex, ruth)


async def test_a_small_file_comes_by_itself_and_nothing_new_stays_one_request(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    small = attach(team.alex, keira, a_file(tmp_path, FETCHED_BY_ITSELF))
    attach(team.alex, keira, a_file(tmp_path, FETCHED_BY_ITSELF + 1, "large.pdf"))
    await team.alex.sync()
    await team.ruth.sync()
    assert where(team.ruth, keira) == ["on the central store", "here"]
    assert saved(team.ruth, small, tmp_path) == (tmp_path / "scan.pdf").read_bytes()
    for laptop in (team.alex, team.ruth):
        await laptop.sync()
        laptop.line.hang_up()
        await laptop.sync()
        assert laptop.line.hang_up() == ["GET /v1/news"]
        assert await laptop.box.files.to_fetch() == await laptop.box.files.to_send() == ()


async def test_a_full_disk_is_left_room_and_only_what_is_wanted_comes(team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keira = await shared(team)
    made = attach(team.alex, keira, a_file(tmp_path))
    await team.alex.sync()
    monkeypatch.setattr(attachment_post, "LEAST_FREE", 2**62)
    await team.ruth.sync()
    assert where(team.ruth, keira) == ["on the central store"]
    want(team.ruth, made)
    await team.ruth.sync()
    assert where(team.ruth, keira) == ["here"]


async def test_the_note_goes_first_and_the_colleague_is_told_on_whose_laptop_the_file_still_is(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    (entry,) = team.alex.write(keira, "a letter came")
    attach(team.alex, keira, a_file(tmp_path), entry_id=entry)
    team.alex.line.before = lambda number: "/files/" in team.alex.line.requests[number - 1]
    with pytest.raises(Offline):
        await team.alex.sync()
    assert where(team.alex, keira) == ["on its way"]
    await team.ruth.sync()
    (shown,) = team.ruth.timeline(keira)
    assert [(file.name, file.whereabouts()) for file in shown.files] == [("scan.pdf", "on Alex Marsh-Bell's laptop")]
    team.alex.line.before = lambda number: False
    await team.alex.sync()
    await team.ruth.sync()
    assert [file.whereabouts() for file in team.ruth.timeline(keira)[0].files] == ["here"]


async def test_a_file_attached_before_the_laptop_joined_anything_goes_along_with_the_rest(team: Team, tmp_path: Path) -> None:
    keira = team.alex.add(KEIRA)
    made = attach(team.alex, keira, a_file(tmp_path))
    await team.alex.sync()
    await team.ruth.sync()
    assert saved(team.ruth, made, tmp_path) == (tmp_path / "scan.pdf").read_bytes()


# Cut off, killed, full


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_upload_and_a_download_that_are_cut_at_every_request_go_on_where_they_were(when: str, team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    made = attach(team.alex, keira, a_file(tmp_path))
    for laptop in (team.alex, team.ruth):
        cuts = await through_every_cut(laptop, when)
        assert cuts >= 3
    asked = [request for request in team.ruth.line.hang_up() if "/parts/" in request]
    assert len(asked) <= 2 * 3, "no part that had arrived is asked for again"
    assert where(team.ruth, keira) == ["here"]
    assert saved(team.ruth, made, tmp_path) == (tmp_path / "scan.pdf").read_bytes()
    await agree(team.alex, team.ruth)


async def through_every_cut(laptop: Laptop, when: str) -> int:
    """Sync until it gets through, with every request about files cut once, each further on than the one before."""
    cut: set[tuple[str, int]] = set()
    passed: Counter[str] = Counter()

    def once(number: int) -> bool:
        request = laptop.line.requests[number - 1]
        if "/files/" not in request:
            return False
        if (request, passed[request]) not in cut:
            cut.add((request, passed[request]))
            return True
        passed[request] += "POST" in request
        return False

    setattr(laptop.line, when, once)
    for _ in range(40):
        try:
            await laptop.sync_somehow()
        except Offline:
            continue
        break
    setattr(laptop.line, when, lambda number: False)
    return len(cut)


async def test_a_laptop_that_loses_its_power_in_the_middle_goes_on_after_it_is_opened_again(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    made = attach(team.alex, keira, a_file(tmp_path))
    for name in ("alex", "ruth"):
        laptop = getattr(team, name)
        parts = [0]

        def third(number: int, laptop: Laptop = laptop, parts: list[int] = parts) -> bool:
            asked = laptop.line.requests[number - 1]
            parts[0] += (asked.startswith("POST") and "/files/" in asked) or "/parts/" in asked
            return parts[0] >= 3

        laptop.line.before = third
        with pytest.raises(Offline):
            await laptop.sync()
        await laptop.close()
        again = team.office.restart(laptop)
        setattr(team, name, again)
        await again.sync()
        sent = [asked for asked in again.line.requests if (asked.startswith("POST") and "/files/" in asked) or "/parts/" in asked]
        assert len(sent) == 1, "two of three parts were there"
    assert saved(team.ruth, made, tmp_path) == (tmp_path / "scan.pdf").read_bytes()


async def test_a_full_disk_while_fetching_is_said_and_it_goes_on_when_there_is_room(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    made = attach(team.alex, keira, a_file(tmp_path, FETCHED_BY_ITSELF - 5000))
    await team.alex.sync()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * 1024 * 1024, before[1]))
    try:
        result = await team.ruth.sync_somehow()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(result.alarms) == 1
    assert "disk is full" in result.alarms[0]
    assert where(team.ruth, keira) == ["on the central store"]
    team.ruth.line.hang_up()
    await team.ruth.sync()
    assert len(team.ruth.line.hang_up()) < 8, "what had arrived is not fetched again"
    assert saved(team.ruth, made, tmp_path) == (tmp_path / "scan.pdf").read_bytes()


async def test_files_give_way_to_what_is_more_urgent_and_every_sync_gets_them_further(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    attach(team.alex, keira, a_file(tmp_path))
    rounds = 0
    left = True
    while left:
        team.alex.write(keira, f"note {rounds}")
        exchange = Exchange(
            team.alex.box, team.alex.client, team.alex.clock, team.alex.bells.append, team.alex.told.append, enough=lambda: True
        )
        left = (await exchange.run()).files_left
        assert team.alex.where(keira)[-1] == "on the central store"
        rounds += 1
    assert rounds == 3
    assert where(team.alex, keira) == ["on the central store"]
    assert {told.doing for told in team.alex.told} >= {"sending", "sending a file"}


# A central store that lies


class Liar(Line):
    """A line on which parts of files are told otherwise."""

    def __init__(self, lie: str) -> None:
        super().__init__()
        self.lie = lie

    def told(self, request: httpx.Request, answer: Answer) -> Answer:
        if "/parts/" not in request.url.path or answer.status != 200:
            return answer
        part = wire.read(wire.FilePart, answer.body)
        content, size, number = part.content, part.size, part.part
        match self.lie:
            case "a flipped bit":
                content = content[:500] + bytes([content[500] ^ 1]) + content[501:]
            case "other bytes":
                content = bytes(len(content))
            case "too many bytes":
                content += bytes(1000)
            case "too few":
                content = content[:-1]
            case "none":
                content = b""
            case "another part":
                number = 0
            case "another size":
                size += 1
            case "endless":
                content = bytes(17 * 1024 * 1024)
            case "nonsense":
                return answer._replace(body=b"\xc1")
        return answer._replace(body=wire.write(wire.FilePart(size, number, content)))


SOMETHING_ELSE = "The central store handed out something else than the file that a colleague's laptop sealed."
LIES = dict.fromkeys(
    ("a flipped bit", "other bytes", "too many bytes", "too few", "none", "another part", "another size"), SOMETHING_ELSE
) | {
    "endless": "The central store sent more than it ever should.",
    "nonsense": "The central store answered with something that cannot be read.",
}


OF_ANOTHER_SIZE = ("too many bytes", "too few", "none", "another size", "endless")


@pytest.mark.parametrize("lie", LIES)
async def test_whatever_a_hostile_store_serves_is_thrown_away_in_words_and_the_true_file_comes_later(
    lie: str, team: Team, tmp_path: Path
) -> None:
    keira = await shared(team)
    made = attach(team.alex, keira, a_file(tmp_path))
    await team.alex.sync()
    honest = team.ruth.line
    await team.ruth.tap(Liar(lie))
    result = await team.ruth.sync_somehow()
    (alarm,) = result.alarms
    assert LIES[lie] in alarm
    if lie in OF_ANOTHER_SIZE:
        assert len([asked for asked in team.ruth.line.requests if "/parts/" in asked]) == 1, "seen at once, and not only at the end"
    assert where(team.ruth, keira) == ["cannot be opened"]
    with pytest.raises(VaultDamaged):
        saved(team.ruth, made, tmp_path)
    await team.ruth.sync(), "it is not asked for again by itself, and nothing else is held up"
    await team.ruth.tap(honest)
    want(team.ruth, made)
    await team.ruth.sync()
    assert saved(team.ruth, made, tmp_path) == (tmp_path / "scan.pdf").read_bytes()


class Taker(Line):
    """A line on which the store's word about what it has taken is changed."""

    def __init__(self, lie: str) -> None:
        super().__init__()
        self.lie = lie

    def told(self, request: httpx.Request, answer: Answer) -> Answer:
        if "/files/" not in request.url.path or answer.status != 200:
            return answer
        state = wire.read(wire.FileState, answer.body)
        match self.lie:
            case "never goes on":
                state = wire.FileState(state.size, 0, 0, b"")
            case "has it all":
                state = wire.FileState(sealed_size(SEVERAL_PARTS), 3, 1, bytes(64))
            case "has too much":
                state = wire.FileState(state.size, 2**40, 0, b"")
            case "another size":
                state = wire.FileState(5, 1, state.received_ms, state.receipt)
            case "below nothing":
                state = wire.FileState(state.size, -1, 0, b"")
        return answer._replace(body=wire.write(state))


@pytest.mark.parametrize("lie", ["never goes on", "has it all", "has too much", "another size", "below nothing"])
async def test_without_a_sound_receipt_no_file_counts_as_sent(lie: str, team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    attach(team.alex, keira, a_file(tmp_path))
    await team.alex.tap(Taker(lie))
    result = await team.alex.sync_somehow()
    assert any("The central store did not take an attached file as it must" in alarm for alarm in result.alarms)
    assert where(team.alex, keira) == ["on its way"]
    await team.alex.tap(Line())
    await team.alex.sync()
    assert where(team.alex, keira) == ["on the central store"]


# Colleagues


async def test_a_former_member_keeps_what_they_fetched_and_gets_nothing_more(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    bea = await team.office.let_in(team.ruth, "Bea Lindqvist")
    await add_member(team.alex, keira, bea, Role.CO_WORKER)
    first = attach(team.alex, keira, a_file(tmp_path))
    second = attach(team.alex, keira, a_file(tmp_path, FETCHED_BY_ITSELF + 9, "large.pdf"))
    await team.alex.sync()
    await bea.sync()
    await remove_member(team.alex, keira, bea)
    want(bea, second)
    result = await bea.sync_somehow()
    assert any("not a member" in alarm for alarm in result.alarms)
    assert saved(bea, first, tmp_path)
    assert where(bea, keira) == ["cannot be opened", "here"]


async def test_a_file_that_a_colleague_says_is_there_and_is_not_is_told_once_and_holds_nothing_up(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)

    def lie(shelf: object) -> None:
        made = shelf.add(Attachment, keira, person_id=keira, name="x", size=900, digest="a" * 64, key="b" * 64)  # type: ignore[attr-defined]
        shelf.add(AttachmentStored, keira, person_id=keira, attachment_id=made)  # type: ignore[attr-defined]
        shelf.add(AttachmentStored, keira, person_id=keira, attachment_id="no such id")  # type: ignore[attr-defined]
        odd = shelf.add(Attachment, keira, person_id=keira, name="y", size=-5, digest="../../../x", key="")  # type: ignore[attr-defined]
        shelf.add(AttachmentStored, keira, person_id=keira, attachment_id=odd)  # type: ignore[attr-defined]

    team.alex.desk.do_now(lie)
    await team.alex.sync_somehow()
    (alarm,) = (await team.ruth.sync_somehow()).alarms
    assert "does not have a file" in alarm
    assert [view.size for view in files(team.ruth, keira)] == [0, 900]
    for view in files(team.ruth, keira):
        with pytest.raises(LeadworkerError, match="makes no sense|not in the vault's folder"):
            saved(team.ruth, view.id, team.office.folder)
    team.ruth.line.hang_up()
    await team.ruth.sync()
    assert team.ruth.line.hang_up() == ["GET /v1/news"]


async def test_bytes_that_were_altered_on_the_laptop_are_not_sent_as_the_file(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    made = attach(team.alex, keira, a_file(tmp_path))
    path = team.alex.vault.files.path(team.alex.desk.ask_now(attachments.sealed_file, made).digest)
    raw = bytearray(path.read_bytes())
    raw[9] ^= 1
    path.write_bytes(raw)
    result = await team.alex.sync_somehow()
    assert "not as it was sealed any more" in result.alarms[0]
    await team.alex.sync()
    await team.ruth.sync()
    assert where(team.ruth, keira) == ["on Alex Marsh-Bell's laptop"]


async def test_damaged_bytes_are_fetched_again_when_somebody_asks(team: Team, tmp_path: Path) -> None:
    keira = await shared(team)
    made = attach(team.alex, keira, a_file(tmp_path))
    await team.alex.sync()
    path = team.alex.vault.files.path(team.alex.desk.ask_now(attachments.sealed_file, made).digest)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LeadworkerError, match="attachment fetch"):
        saved(team.alex, made, tmp_path)
    want(team.alex, made)
    await team.alex.sync()
    assert saved(team.alex, made, tmp_path) == (tmp_path / "scan.pdf").read_bytes()


async def test_a_store_that_lost_a_file_with_an_old_backup_is_given_it_again(team_on: Team, tmp_path: Path) -> None:
    alex, ruth, keira = team_on.alex, team_on.ruth, await shared(team_on)
    made = attach(alex, keira, a_file(tmp_path, FETCHED_BY_ITSELF + 9))
    await alex.sync()
    await ruth.sync()
    for table in ("file_parts", "files"):
        execute(team_on.office.database, f"DELETE FROM {table}")
    want(ruth, made)
    (alarm,) = (await ruth.sync_somehow()).alarms
    assert "The central store does not have a file of which a colleague's laptop was told that it has it." in alarm
    await alex.box.files.offer_again()
    await alex.sync()
    assert where(alex, keira) == ["on the central store"]
    want(ruth, made)
    await ruth.sync()
    assert saved(ruth, made, tmp_path) == (tmp_path / "scan.pdf").read_bytes()
    alex.line.hang_up()
    await alex.sync()
    assert alex.line.hang_up() == ["GET /v1/news"]
