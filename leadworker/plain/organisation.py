"""Commands about the organisation's people and laptops: a second laptop, a lost one, a move, a leaver (C.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from leadworker.domain import colleagues
from leadworker.domain.colleagues import Colleague
from leadworker.errors import NotUnderstood, Refused
from leadworker.plain import asking, documents, output
from leadworker.plain.command import argument, command, flag, group, option
from leadworker.plain.place import Open, Place
from leadworker.plain.post import Invited, invited_words, run_sync

if TYPE_CHECKING:
    pass

Whom = Annotated[str, argument("COLLEAGUE", "The colleague's name, or its beginning.")]


class Approved(msgspec.Struct, frozen=True):
    """A laptop that was let in, by its owner's name."""

    name: str


class Revoked(msgspec.Struct, frozen=True):
    """Laptops that were taken out of the organisation, by their check words."""

    name: str
    laptops: tuple[tuple[str, ...], ...]


class Appointed(msgspec.Struct, frozen=True):
    """What a colleague is now."""

    name: str
    role: str
    admin: bool


def register(app: typer.Typer) -> None:
    """Add these commands."""
    laptop = group(app, "laptop", "Another laptop: invite it here, approve it by its check words.")
    command(laptop, "invite")(invite)
    command(laptop, "approve")(approve)
    command(app, "revoke")(revoke)
    command(app, "appoint")(appoint)


def invite(
    place: Place,
    of: Annotated[str, option("--for", "COLLEAGUE", "For a colleague who has lost theirs; for administrators.")] = "",
) -> None:
    """Make an invite for another laptop of yours.

    Run “leadworker join” on it with the 24 words, then “leadworker laptop approve” here.
    """
    from sync import inviting

    with place.opened() as opened:
        whose = opened.ask(colleagues.resolve, of, gone=True).person if of else ""
        clock = opened.vault.clock
        made = asking.at_store(opened, lambda box, client: inviting.invite_laptop(box, client, clock, bytes.fromhex(whose)))
        now, offset = opened.now(), opened.ask(lambda shelf: shelf.now().offset)
    document = Invited(made.name, "another laptop", made.words, made.hub_url, documents.moment(made.expires_ms, offset))
    place.tell(document, [*invited_words(made, now), "Then “leadworker laptop approve” here, with the check words that it shows."])


def approve(
    place: Place,
    words: Annotated[list[str], argument("WORDS...", "The eight check words that the new laptop shows.")],
) -> None:
    """Let in the laptop whose check words you type. Read them from its own screen."""
    from sync import inviting

    with place.opened() as opened:
        clock = opened.vault.clock
        name = asking.at_store(opened, lambda box, client: inviting.approve(box, client, clock, " ".join(words)))
        _sync(opened, silent=place.as_json)
    place.tell(Approved(name), [f"Another laptop of {name} is let in. It reads what is there at its next sync."])


def revoke(
    place: Place,
    colleague: Whom,
    laptop: Annotated[str, option("--laptop", "WORD", "Only the laptop whose check words begin so; else all of theirs.")] = "",
    really: Annotated[bool, flag("--yes", "Do not ask.")] = False,
) -> None:
    """Take a colleague's laptops out of the organisation: lost, stolen, or a leaver's.

    The central store answers them no more. Casebooks that they read are given a new key by whoever syncs first. What is on
    the laptop stays readable with its passphrase.
    """
    from sync import organising
    from sync.joining import pull_directory

    with place.opened() as opened:
        asking.at_store(opened, pull_directory)  # a laptop that joined since the last sync here would stay in otherwise
        known = opened.ask(colleagues.resolve, colleague, gone=True)
        gone = [one for one in known.laptops if one.active and one.check_words.startswith(laptop.strip().casefold())]
        if not gone:
            raise NotUnderstood(f"{known.name} has no such laptop in the organisation. “leadworker devices” shows them.")
        if known.me and len(gone) == sum(one.active for one in known.laptops):
            raise Refused("This would take out the last laptop of your own. Have an administrator do it. Nothing was changed.")
        if not really:
            _confirm(known, len(gone))
        devices = [bytes.fromhex(one.device) for one in gone]
        asking.at_store(opened, lambda box, client: organising.revoke(box, client, devices))
        _sync(opened, silent=place.as_json)
    words = tuple(tuple(one.check_words.split()) for one in gone)
    place.tell(Revoked(known.name, words), _revoked(known, words))


def _confirm(known: Colleague, count: int) -> None:
    which = "the laptop" if count == 1 else f"all {count} laptops"
    if not typer.confirm(f"Take {which} of {known.name} out of the organisation? They have to be invited anew to come back.", err=True):
        raise NotUnderstood("Nothing was changed.")


def _revoked(known: Colleague, laptops: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    for words in laptops:
        yield f"Taken out: the laptop of {known.name} with the check words {' '.join(words)}."
    yield "The casebooks that you write in have a new key already; others get theirs when one of their writers syncs."
    yield f"If {known.name} stays: “leadworker laptop invite --for”, then “leadworker readmit”. If they leave, hand over what they lead."


def appoint(
    place: Place,
    colleague: Whom,
    role: Annotated[str, option("--role", "ROLE", "What they are from now on.")] = "",
    team: Annotated[str, option("--team", "TEAM", "The team that they are in from now on.")] = "",
    admin: Annotated[bool, flag("--admin", "They may invite and take out others.")] = False,
    not_admin: Annotated[bool, flag("--not-admin", "They may not any more.")] = False,
    name: Annotated[str, option("--name", "NAME", "What they are called from now on.")] = "",
) -> None:
    """Say what a colleague is from now on: role, team, administrator or not, name. For administrators.

    Who reads which casebook does not change by it: “leadworker let-in”, “take-out” and “hand-over” do that.
    """
    from sync import organising

    wanted = colleagues.role_named(role) if role else None
    if admin and not_admin:
        raise NotUnderstood("--admin and --not-admin cannot both be. Nothing was changed.")
    with place.opened() as opened:
        known = opened.ask(colleagues.resolve, colleague)
        asking.at_store(
            opened,
            lambda box, client: organising.appoint(
                box,
                client,
                bytes.fromhex(known.person),
                role=wanted,
                team=team or None,
                admin=True if admin else False if not_admin else None,
                name=name or None,
            ),
        )
        now = next(one for one in opened.ask(colleagues.everybody) if one.person == known.person)
    place.tell(
        Appointed(now.name, now.role_words, now.admin),
        [f"{now.name} is {now.role_words} now{', and an administrator' if now.admin else ''}."],
    )


def _sync(opened: Open, *, silent: bool) -> None:
    result, _ = asyncio.run(run_sync(opened, silent=silent))
    output.warn(*result.alarms)
