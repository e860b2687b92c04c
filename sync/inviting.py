"""Inviting colleagues and further laptops, and countersigning those that come: no key is believed without its proof (C.4)."""

from __future__ import annotations

import hmac
import secrets

import msgspec

from leadworker import change
from leadworker.clock import Clock, Moment
from leadworker.crypto.identity import InviteSecret, organisation_key_info, seal_name, seal_to, team_code
from leadworker.crypto.words import check_words, fold_words
from leadworker.errors import NotUnderstood, PostError, Refused
from leadworker.postbox import Joined, PendingInvite, Postbox
from leadworker.statements import Enrol, Role
from leadworker.text import one_line
from sync import wire
from sync.client import HubClient
from sync.joining import admitted, name_of, pull_directory, say_in_directory


class Invitation(msgspec.Struct, frozen=True):
    """An invite to hand over in person or read out: 24 words and the store's address. `expires_ms` is UTC."""

    words: tuple[str, ...]
    hub_url: str
    name: str
    expires_ms: int


async def invite(box: Postbox, client: HubClient, clock: Clock, name: str, *, role: Role, team: str, admin: bool = False) -> Invitation:
    """Make an invite for a colleague; it holds for 72 hours, once. For administrators."""
    joined = await admitted(box)
    if not joined.admin:
        raise Refused("Only an administrator of the organisation can invite. Nothing was made.")
    called = one_line(name)
    if not called:
        raise NotUnderstood("An invite needs the colleague's name. Nothing was made.")
    return await _announce(box, client, joined, called, int(role), team, admin, secrets.token_bytes(16), own=False)


async def invite_laptop(box: Postbox, client: HubClient, clock: Clock, person: bytes = b"") -> Invitation:
    """Make an invite for another laptop of one's own; an administrator may make it for any colleague (`person`).

    `approve` lets the laptop in, once its check words were typed.
    """
    joined = await admitted(box)
    whose = person or joined.person
    if whose != joined.person and not joined.admin:
        raise Refused("Only an administrator can invite a laptop of somebody else. Nothing was made.")
    directory = await pull_directory(box, client)
    known = directory.people().get(whose)
    if known is None:
        raise NotUnderstood("The organisation does not know this person. Nothing was made.")
    return await _announce(box, client, joined, name_of(joined, known), known.role, "", known.admin, whose, own=True)


async def _announce(
    box: Postbox, client: HubClient, joined: Joined, name: str, role: int, team: str, admin: bool, person: bytes, *, own: bool
) -> Invitation:
    secret = InviteSecret.new(joined.root)
    await client.compare_clocks()
    expires = client.store_ms() + wire.INVITE_LIFE_MS
    pending = PendingInvite(secret.invite_id(), secret.secret, name, role, team, admin, person, expires, own)
    await box.set_invite(pending)  # before the store knows of it, so that a join is never met by nobody
    try:
        await client.invite(wire.Invite(pending.invite, expires))
    except PostError:
        await box.drop_invite(pending.invite)  # nobody was given its words
        raise
    return Invitation(secret.words(), client.url, name, expires)


async def countersign(box: Postbox, client: HubClient, clock: Clock) -> tuple[str, ...]:
    """Check the joins that wait, with the secrets of this laptop's own invites, and enrol them; return their names.

    Another laptop of somebody who is here already waits for `approve`.
    """
    joined = await admitted(box)
    pending = {invite.invite: invite for invite in await box.invites()}
    if not pending:
        return ()
    let_in = [mine.name for mine, request in await _proven(client, joined, pending, clock) if not mine.own
                and await _enrol(box, client, joined, request, mine)]  # fmt: skip
    if let_in:
        await pull_directory(box, client)
    await _drop_spent(box, pending, min(Moment.of(clock.now()).ms, client.store_ms()))
    return tuple(let_in)


async def approve(box: Postbox, client: HubClient, clock: Clock, words: str) -> str:
    """Let in the laptop whose check words somebody has typed, and return its owner's name (C.4)."""
    joined = await admitted(box)
    pending = {invite.invite: invite for invite in await box.invites() if invite.own}
    waiting = await _proven(client, joined, pending, clock)
    if not waiting:
        raise Refused("No laptop waits for its check words. Invite it here, join with the words on it, then type its check words here.")
    typed = " ".join(fold_words(words))
    for mine, request in waiting:
        if hmac.compare_digest(" ".join(check_words(request.signing + request.unsealing)), typed):
            if not await _enrol(box, client, joined, request, mine):
                raise Refused("Somebody else changed the organisation at the same moment. Nothing was let in; type the words again.")
            await pull_directory(box, client)
            return mine.name
    raise Refused(
        "These are not the check words of the laptop that waits. Nothing was let in. Read them again from the new laptop's screen; "
        "if they are right, somebody else came with your invite: tell your administrator, and make a new one."
    )


async def _proven(
    client: HubClient, joined: Joined, pending: dict[bytes, PendingInvite], clock: Clock
) -> list[tuple[PendingInvite, wire.JoinRequest]]:
    """Return who waits with an invite of this laptop's and has proven its keys with the secret of it."""
    now = Moment.of(clock.now()).ms
    found: list[tuple[PendingInvite, wire.JoinRequest]] = []
    for request in (await client.joins()).requests:
        mine = pending.get(request.invite)
        if mine is None or mine.expires_ms < now:
            continue
        if InviteSecret(joined.root, mine.secret).is_proof(request.signing, request.unsealing, request.proof):
            found.append((mine, request))  # without the proof it is somebody without the words; who has them can still come
    return found


async def _drop_spent(box: Postbox, pending: dict[bytes, PendingInvite], now_ms: int) -> None:
    """Forget invites that are used or have run out by both clocks, so that nobody is asked about them for ever."""
    directory = await box.directory()
    used = directory.invites_used if directory is not None else {}
    for invite, mine in pending.items():
        if invite in used or mine.expires_ms < now_ms:
            await box.drop_invite(invite)


async def _enrol(box: Postbox, client: HubClient, joined: Joined, request: wire.JoinRequest, mine: PendingInvite) -> bool:
    directory = await pull_directory(box, client)
    device = change.device_id(request.signing, request.unsealing)
    known = directory.people().get(mine.person)
    info = organisation_key_info(joined.organisation, device)
    statement = Enrol(
        request.signing, request.unsealing, mine.person,
        known.role if known else mine.role, known.admin if known else mine.admin,
        known.team if known else team_code(joined.organisation_key, mine.team), mine.invite,
        known.name if known else seal_name(joined.organisation_key, mine.person, mine.name),
        seal_to(request.unsealing, joined.organisation_key, info),
    )  # fmt: skip
    try:
        return await say_in_directory(box, client, directory, (statement,))
    except Refused:  # an invite that somebody came with first, say: the others are let in all the same
        return False
