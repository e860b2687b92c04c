"""Setting up an organisation, inviting colleagues and joining: how every key comes to be believed (C.3, C.4).

No laptop takes a public key from the central store's word. The root's fingerprint comes with the invite, by hand or
voice; everything else is signed down from that root.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence

import msgspec

from leadworker import change
from leadworker.crypto.identity import (
    CannotOpen,
    Identity,
    InviteSecret,
    open_name,
    organisation_key_info,
    seal_name,
    seal_to,
    team_code,
)
from leadworker.directory import Directory
from leadworker.errors import HubMistrusted, InviteRefused, NotUnderstood, Offline, PostError, Refused
from leadworker.postbox import Joined, Postbox, Statement
from leadworker.statements import Appoint, DirectoryStatement, Enrol, Founding, Role, root_id
from leadworker.text import one_line
from sync import wire
from sync.checking import numbered, vouched
from sync.client import ANOTHER_VERSION, HubClient
from sync.founding import chained, control_change

IDLE_LOCK_S = 300
FOUNDING_TRIES = 4
"""How often a founding is sent when its answer does not arrive: the root's key lives in this call alone."""

_NOT_SIGNED = "The central store's organisation is not signed as it must be. Nothing was sent. Tell your administrator."


class Ceremony(msgspec.Struct, frozen=True):
    """What a set-up leaves in people's hands and nowhere else: the root's and the escrow's private keys."""

    root_signing: bytes
    escrow_private: bytes
    root_fingerprint: bytes
    name: str


class Prepared(msgspec.Struct, frozen=True):
    """An organisation that is ready to be founded. Its keys can be put into people's hands before anybody knows of it."""

    ceremony: Ceremony
    changes: tuple[wire.OpenChange, ...]
    joined: Joined


async def set_up(box: Postbox, client: HubClient, setup_code: str, organisation: str, my_name: str, *, role: Role, team: str) -> Ceremony:
    """Found an organisation at an empty central store, with this laptop's owner as its first administrator."""
    prepared = await prepare(box, client, organisation, my_name, role=role, team=team)
    await found(box, client, setup_code, prepared)
    return prepared.ceremony


async def prepare(box: Postbox, client: HubClient, organisation: str, my_name: str, *, role: Role, team: str) -> Prepared:
    """Make the keys and the first statements of an organisation; nothing is sent."""
    await _refuse_second_organisation(box)
    store = await client.organisation()
    _check_protocol(store)
    if store.founding is not None:
        raise Refused("This central store serves an organisation already. Ask its administrator for an invite.")
    root, escrow = Identity.new(), Identity.new()
    book, person, key = secrets.token_bytes(16), secrets.token_bytes(16), secrets.token_bytes(32)
    name = one_line(organisation)
    if not name:
        raise NotUnderstood("An organisation needs a name. Nothing was set up.")
    fingerprint = root_id(root.signing_public)
    founding = Founding(root.signing_public, escrow.unsealing_public, store.hub, wire.PROTOCOL, IDLE_LOCK_S, seal_name(key, book, name))
    first = control_change(founding, book, fingerprint, 1, change.FIRST, root.sign)
    enrol = Enrol(
        box.signing_public, box.unsealing_public, person, role, True, team_code(key, team), b"",
        seal_name(key, person, my_name), seal_to(box.unsealing_public, key, organisation_key_info(book, box.device)),
    )  # fmt: skip
    second = control_change(enrol, book, fingerprint, 2, change.change_id(first.header), root.sign)
    ceremony = Ceremony(root.private_bytes()[0], escrow.private_bytes()[1], fingerprint, name)
    return Prepared(ceremony, (first, second), Joined(client.url, fingerprint, organisation=book, hub_key=store.hub))


async def found(box: Postbox, client: HubClient, setup_code: str, prepared: Prepared) -> None:
    """Found a prepared organisation. Once the store has taken it nothing here fails: the next sync fetches the rest."""
    outcome = await _found(client, setup_code, prepared.changes)
    if outcome.code:
        raise Refused(one_line(outcome.sentence))
    await box.set_joined(prepared.joined)
    with contextlib.suppress(PostError):
        await pull_directory(box, client)


async def _found(client: HubClient, setup_code: str, changes: tuple[wire.OpenChange, ...]) -> wire.Outcome:
    """Send the founding until an answer comes: the store takes the same one again as the same."""
    for _ in range(FOUNDING_TRIES - 1):
        try:
            return await client.found_organisation(setup_code, changes)
        except Offline:
            continue
    try:
        return await client.found_organisation(setup_code, changes)
    except Offline as error:
        raise Offline(
            "The central store's answer did not arrive, so it is not known whether it took the organisation. Try again. If it then "
            "says that it serves an organisation already, have it started anew with an empty database: nothing was kept in it yet."
        ) from error


async def ask_to_join(box: Postbox, client: HubClient, words: str) -> wire.JoinState:
    """Ask to join with the 24 words of an invite. The administrator's laptop countersigns at its next sync."""
    secret = InviteSecret.from_words(words)
    await _refuse_second_organisation(box)
    store = await client.organisation()
    _check_protocol(store)
    if store.founding is None:
        raise InviteRefused("This central store serves no organisation yet. Check the address with whoever invited you.")
    _check_founding(store, secret.root)
    state = await client.join(_request(box, secret))
    await box.set_joined(
        Joined(client.url, secret.root, organisation=store.book, hub_key=store.hub, invite=secret.invite_id(),
               invite_secret=secret.secret)
    )  # fmt: skip
    return state


async def ask_again(box: Postbox, client: HubClient, joined: Joined) -> wire.JoinState:
    """Ask once more with an invite that this vault keeps: the store lost the first request, or was put back to before it."""
    return await client.join(_request(box, InviteSecret(joined.root, joined.invite_secret)))


def _request(box: Postbox, secret: InviteSecret) -> wire.JoinRequest:
    proof = secret.prove(box.signing_public, box.unsealing_public)
    return wire.JoinRequest(secret.invite_id(), box.signing_public, box.unsealing_public, proof)


async def pull_directory(box: Postbox, client: HubClient) -> Directory:
    """Bring the directory up to date, every statement checked down from the pinned root."""
    joined = await box.joined()
    if joined is None or not joined.organisation:
        raise Refused("This vault has joined no organisation yet.")
    directory = await box.directory() or Directory(joined.organisation)
    more = True
    while more:
        here = (await box.confirmed()).get(joined.organisation)
        n, digest = (here.n, here.digest) if here else (0, change.first_digest(joined.organisation))
        page = await client.changes(joined.organisation, n)
        if page.n < n:
            raise HubMistrusted(
                "The central store has fewer statements in its directory than this laptop has already seen: it may have been put "
                "back to an older state. Nothing was taken in; everything here is safe. Tell your administrator."
            )
        await take_directory(box, joined, directory, page, list(numbered(joined.organisation, n, digest, page)))
        joined = await box.joined() or joined
        more = page.more
    return directory


async def take_directory(
    box: Postbox, joined: Joined, directory: Directory, page: wire.Page, checked: Sequence[tuple[wire.Numbered, bytes, bytes]]
) -> None:
    """Take a page of the directory in, `checked` by `numbered`, and fold it into `directory`, which is of no use after an error."""
    statements: list[Statement] = []
    renamed: set[bytes] = set()
    for item, _, _ in checked:
        try:
            statement = directory.apply(item.header, item.body, item.signature)
        except wire.NotAllowed as error:
            raise HubMistrusted(
                f"The central store sent a directory that its root did not sign: {error}. Nothing was taken in; "
                "everything here is safe. Tell your administrator."
            ) from error
        if isinstance(statement, Founding):
            _check_root(statement, joined.root)
        elif isinstance(statement, Enrol | Appoint):
            renamed.add(statement.person)
        statements.append(Statement(item.header, item.body, item.signature, item.n, item.received_ms))
    joined = _learn(box, joined, directory)
    names = {device: name_of(joined, one.statement) for device, one in directory.devices.items() if one.statement.person in renamed}
    if statements:
        await box.set_joined(joined)
        hub_key = directory.founding.hub if directory.founding is not None else b""
        await box.take_directory(tuple(statements), names, vouched(hub_key, joined.organisation, page, checked[-1][2]))


def _learn(box: Postbox, joined: Joined, directory: Directory) -> Joined:
    """Find out from the directory what this device is: whose, in which role, and the key of its names."""
    me = directory.active(box.device)
    if me is None or directory.founding is None:
        return joined
    try:
        key = box.unseal(me.key, organisation_key_info(joined.organisation, box.device))
        name = open_name(key, joined.organisation, directory.founding.name)
    except CannotOpen as error:
        raise HubMistrusted("The directory's names cannot be opened on this laptop. Ask your administrator for a fresh invite.") from error
    return msgspec.structs.replace(
        joined, name=name, person=me.person, role=me.role, team=me.team, admin=me.admin, organisation_key=key, admitted=True,
        hub_key=directory.founding.hub, invite_secret=b"",
    )  # fmt: skip


def name_of(joined: Joined, enrolled: Enrol) -> str:
    """Return the name that the directory gives to somebody."""
    try:
        return one_line(open_name(joined.organisation_key, enrolled.person, enrolled.name)) or "a colleague"
    except (CannotOpen, ValueError):
        return "a colleague"


async def say_in_directory(
    box: Postbox, client: HubClient, directory: Directory, said: Sequence[DirectoryStatement], root: Identity | None = None
) -> bool:
    """Say something in the directory as it is, as this device or as the `root` through it; return whether it stands.

    It does not where somebody else spoke first. Raises `Refused` in the central store's words.
    """
    signer, sign = (root_id(directory.root), root.sign) if root is not None else (box.device, box.sign)
    outcome = await client.control(chained(said, directory.book, directory.seq, directory.head, signer, sign))
    if outcome.code not in ("", "head_moved"):
        raise Refused(one_line(outcome.sentence)[:400])
    return not outcome.code


async def admitted(box: Postbox) -> Joined:
    """Return what this laptop knows of its organisation; raise `Refused` where it is not let in."""
    joined = await box.joined()
    if joined is None or not joined.admitted:
        raise Refused("This vault has joined no organisation yet, or still waits to be let in.")
    return joined


async def _refuse_second_organisation(box: Postbox) -> None:
    joined = await box.joined()
    directory = await box.directory()
    named = directory is not None and directory.active(box.device) is not None
    if joined is not None and (joined.admitted or named):  # one that only asked and was never let in may ask elsewhere
        raise InviteRefused("This vault belongs to an organisation already. Make a new vault to join another one; nothing was changed.")


def _check_protocol(store: wire.Organisation) -> None:
    if store.protocol != wire.PROTOCOL:
        raise Refused(ANOTHER_VERSION)


def _check_founding(store: wire.Organisation, root: bytes) -> None:
    assert store.founding is not None
    directory = Directory(store.book)
    try:
        statement = directory.apply(store.founding.header, store.founding.body, store.founding.signature)
    except wire.NotAllowed as error:
        raise HubMistrusted(_NOT_SIGNED) from error
    if not isinstance(statement, Founding):
        raise HubMistrusted(_NOT_SIGNED)
    if root_id(statement.root) != root:
        raise InviteRefused(
            "This invite is for another organisation than the one that this central store serves. Nothing was sent. "
            "Check the address with whoever invited you."
        )


def _check_root(statement: Founding, root: bytes) -> None:
    if root_id(statement.root) != root:
        raise HubMistrusted(
            "The central store now shows another organisation than the one you joined. Nothing was taken in; everything here is "
            "safe. Tell your administrator."
        )
