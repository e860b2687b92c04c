"""Commands about the organisation: send and receive, invite a colleague, join, and see who is in it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from leadworker.clock import Moment
from leadworker.crypto.identity import CannotOpen, InviteSecret, open_name
from leadworker.crypto.words import check_words
from leadworker.directory import Enrolled
from leadworker.domain import colleagues
from leadworker.errors import PostError
from leadworker.plain import asking, documents, output, secret
from leadworker.plain import waiting as what_waits
from leadworker.plain.command import command, flag, option
from leadworker.plain.place import Open, Place
from leadworker.postbox import Counts, Joined
from leadworker.statements import Role
from leadworker.text import one_line
from leadworker.words.saying import say_count, say_time

if TYPE_CHECKING:
    from sync.exchange import Result
    from sync.inviting import Invitation
    from sync.progress import Progress

HubAddress = Annotated[str, option("--hub", "URL", "The central store's address: https://store.example.org.")]
Team = Annotated[str, option("--team", "TEAM", "The team; members know it by name, the central store does not.")]
RoleNamed = Annotated[str, option("--role", "ROLE", f"One of: {', '.join(role.words for role in Role)}.")]

WAITING = (
    "Your administrator's laptop lets you in at its next sync; a second laptop is let in on your first: “leadworker laptop approve” there. "
    "You can work meanwhile."
)


class Synced(msgspec.Struct, frozen=True):
    """What a sync did, in changes. `waiting` are still only here; `admitted` are colleagues who were let in.

    `to_hand_in` stand in casebooks in which this laptop may write no more: they go nowhere by themselves.
    """

    received: int
    sent: int
    waiting: int
    alarms: tuple[str, ...]
    admitted: tuple[str, ...]
    admitted_me: bool
    clock_warning: str
    to_hand_in: int = 0


class Invited(msgspec.Struct, frozen=True):
    """An invite: it holds once, until `expires`."""

    name: str
    role: str
    words: tuple[str, ...]
    hub: str
    expires: str


class Asked(msgspec.Struct, frozen=True):
    """A request to join. `state` is ``waiting`` or ``admitted``; the check words are compared aloud."""

    state: str
    hub: str
    check_words: tuple[str, ...]


class Device(msgspec.Struct, frozen=True):
    """A device of the organisation, by its owner's name."""

    id: str
    name: str
    role: str
    admin: bool
    my_team: bool
    this_laptop: bool
    revoked: bool
    check_words: tuple[str, ...]


class Devices(msgspec.Struct, frozen=True):
    """Who is in the organisation, as far as this laptop knows."""

    organisation: str
    hub: str
    devices: tuple[Device, ...]


def register(app: typer.Typer) -> None:
    """Add these commands."""
    command(app, "sync")(sync)
    command(app, "invite")(invite)
    command(app, "join")(join)
    command(app, "devices")(devices)


def sync(
    place: Place,
    quiet: Annotated[bool, flag("--quiet", "Say nothing unless something needs you.")] = False,
    why: Annotated[bool, flag("--why", "Send nothing: say what waits, and why it has not gone.")] = False,
) -> None:
    """Send what waits and receive what is new. Exit code 1 when something could not be sent or received."""
    if why:
        what_waits.tell(place)
        return
    with place.opened() as opened:
        result, left = asyncio.run(run_sync(opened, silent=quiet or place.as_json))
    document = Synced(
        result.received, result.sent, left.waiting, result.alarms, result.admitted, result.admitted_me, result.clock_warning, left.late
    )
    if place.as_json or not quiet:
        place.tell(document, _synced(result, left))
    else:
        output.warn(*_needs_you(result, left))
    if result.alarms:
        raise PostError(" ".join(result.alarms))


async def run_sync(opened: Open, *, silent: bool) -> tuple[Result, Counts]:
    """Do one whole sync; return what it did, and the figures of what is still only here."""
    from sync.exchange import Exchange

    known = await asking.joined_of(opened)
    said = {"receiving": "Received", "sending": "Sent", "sending a file": "KB of a file sent:", "fetching a file": "KB of a file fetched:"}
    async with asking.connected(opened, known.hub_url) as (box, client):
        result = await Exchange(box, client, opened.vault.clock, opened.desk.ring, progress_of(said, silent=silent)).run()
        return result, await box.counts()


def progress_of(said: Mapping[str, str], *, silent: bool) -> Callable[[Progress], None]:
    """Return what tells on standard error how far a sync has come; `said` gives the words for what it is doing."""
    progress = {doing: output.Progress(words, silent=silent) for doing, words in said.items()}

    def tell(how_far: Progress) -> None:
        if how_far.doing in progress:
            progress[how_far.doing].at(how_far.done, how_far.of)

    return tell


def _needs_you(result: Result, left: Counts) -> Iterator[str]:
    if not result.admitted_me:
        yield f"You are not let in yet. {WAITING}"
    if result.clock_warning:
        yield result.clock_warning
    if result.admitted_me:
        yield from _only_here(left)


def _only_here(left: Counts) -> Iterator[str]:
    if left.to_take_in:
        waits = say_count(left.to_take_in, "late submission waits", "late submissions wait")
        yield f"{waits} for you to take in: “leadworker late”."
    if left.waiting:
        yield f"{say_count(left.waiting, 'change is', 'changes are')} still only on this laptop."
    if left.late:
        yield (
            f"{say_count(left.late, 'change', 'changes')} in casebooks in which you may not write any more: that goes nowhere by itself. "
            "“leadworker sync --why” says what it is, “leadworker hand-in PERSON” hands it in."
        )


def _synced(result: Result, left: Counts) -> Iterator[str]:
    if not result.admitted_me:
        yield f"You are not let in yet. {WAITING}"
        return
    yield f"Received {say_count(result.received, 'change', 'changes')}, sent {say_count(result.sent, 'change', 'changes')}."
    for name in result.admitted:
        yield f"{name} was let in."
    if result.clock_warning:
        yield result.clock_warning
    yield from _only_here(left)
    if not (left.waiting or left.late or result.alarms):
        handed_in = say_count(left.handed_in, "change that was", "changes that were")
        yield f"Everything is on the central store{f', but for {handed_in} handed in' if left.handed_in else ''}."


def invite(
    place: Place,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The colleague's name.")],
    team: Team,
    role: RoleNamed = "key worker",
    admin: Annotated[bool, flag("--admin", "They may invite others too.")] = False,
) -> None:
    """Make an invite for a colleague.

    24 words that hold for 72 hours, once. Hand them over in person or by telephone.
    """
    wanted = colleagues.role_named(role)
    with place.opened() as opened:
        made, now = _invite(opened, name, wanted, team, admin), opened.now()
    document = Invited(made.name, wanted.words, made.words, made.hub_url, documents.moment(made.expires_ms, Moment.of(now).offset))
    place.tell(document, [*invited_words(made, now), _HAND_OVER])


def _invite(opened: Open, name: str, role: Role, team: str, admin: bool) -> Invitation:
    from sync import inviting

    return asking.at_store(
        opened, lambda box, client: inviting.invite(box, client, opened.vault.clock, name, role=role, team=team, admin=admin)
    )


_HAND_OVER = "Hand the words over in person or by telephone, never by e-mail. Then run “leadworker sync” to let them in."


def invited_words(made: Invitation, now: datetime) -> Iterator[str]:
    """Say an invite: its words, and where they go."""
    until = say_time(datetime.fromtimestamp(made.expires_ms / 1000, tz=UTC).astimezone(now.tzinfo), now)
    yield f"An invite for {made.name}, to be used once, until {until}. The words:"
    for at in range(0, len(made.words), 6):
        yield "  " + "  ".join(made.words[at : at + 6])
    yield f"They go with this command on {made.name}'s laptop: leadworker join --hub {made.hub_url}"


def join(
    place: Place,
    hub: HubAddress,
    words_file: Annotated[
        str, option("--words-file", "FILE", "A file with the 24 words; else they are asked for or read from standard input.")
    ] = "",
) -> None:
    """Ask to join an organisation with an invite.

    Needs the network once. The 24 words never go in the command itself.
    """
    words = _invite_words(words_file)
    InviteSecret.from_words(words)  # before a passphrase is asked for: who mistyped them hears it at once
    with place.opened() as opened:
        state = asyncio.run(_join(opened, hub, words))
        mine = opened.vault.identity.check_words()
    place.tell(Asked(state, hub, mine), _asked(state, mine))


def _invite_words(file: str) -> str:
    if file:
        return secret.whole_text(Path(file).expanduser(), "The file with the words")
    if sys.stdin is not None and sys.stdin.isatty():
        output.warn("The 24 words of the invite, on one line:")
        return input()
    return "" if sys.stdin is None else sys.stdin.read(secret.LARGEST)


async def _join(opened: Open, hub: str, words: str) -> str:
    from sync import joining

    async with asking.connected(opened, hub) as (box, client):
        return (await joining.ask_to_join(box, client, words)).state


def _asked(state: str, mine: tuple[str, ...]) -> Iterator[str]:
    yield (
        "This laptop is let in already. “leadworker sync” receives what is there." if state == "admitted" else f"Asked to join. {WAITING}"
    )
    yield f"This laptop's check words, by which a person knows that it is this one: {' '.join(mine)}"


def devices(place: Place) -> None:
    """Who is in the organisation, laptop by laptop.

    Each with its owner, role and check words, as far as this laptop knows.
    """
    with place.opened() as opened:
        document = asyncio.run(_devices(opened))
    place.tell(document, _say_devices(document))


async def _devices(opened: Open) -> Devices:
    from leadworker.wiring import postbox_of

    known = await asking.joined_of(opened)
    directory = await postbox_of(opened.vault).directory()
    found = [] if directory is None else list(directory.devices.values())
    return Devices(known.name, known.hub_url, tuple(_device(one, known, opened.vault.identity.device) for one in found))


def _device(enrolled: Enrolled, known: Joined, mine: bytes) -> Device:
    said = enrolled.statement
    try:
        name = one_line(open_name(known.organisation_key, said.person, said.name))
    except (CannotOpen, ValueError):
        name = ""
    return Device(
        enrolled.device.hex(), name or "a colleague", Role(said.role).words, said.admin, said.team == known.team,
        enrolled.device == mine, enrolled.revoked, check_words(said.signing + said.unsealing),
    )  # fmt: skip


def _say_devices(document: Devices) -> Iterator[str]:
    if not document.devices:
        yield "This laptop does not know the organisation's members yet. “leadworker sync” asks for them."
        return
    yield f"{document.organisation}, at {document.hub}."
    for one in document.devices:
        facts = [one.name, one.role]
        facts += ["administrator"] if one.admin else []
        facts += [
            "" if one.my_team else "another team",
            "this laptop" if one.this_laptop else "",
            "revoked" if one.revoked else "",
        ]
        yield f"{', '.join(fact for fact in facts if fact)}. Check words: {' '.join(one.check_words)}."
    if len({one.name for one in document.devices if one.admin and not one.revoked}) == 1:
        yield (
            "There is one administrator only. If their laptop is lost, nobody is let in or taken out, and a lost root is lost for good: "
            "“leadworker appoint NAME --admin” makes a second one."
        )
