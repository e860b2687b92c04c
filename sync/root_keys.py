"""The keys in people's hands: another escrow key, another root, and a root that was lost (C.3, C.10). Online only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

import msgspec

from leadworker import proof
from leadworker.crypto.identity import Identity
from leadworker.directory import Directory
from leadworker.errors import LeadworkerError, NotUnderstood, PostError, Refused, Unsettled
from leadworker.postbox import Joined, Postbox
from leadworker.statements import DirectoryStatement, NewEscrow, NewRoot, root_id, succession_message
from sync.client import HubClient
from sync.joining import admitted, pull_directory, say_in_directory
from sync.organising import OTHERS_FIRST

TRIES: Final = 4

_NOT_KNOWN: Final = (
    "The central store's answer did not arrive, so it is not known whether the new key is in force. Keep the old key files and the new "
    "ones, with their passphrases. When there is a network, “leadworker sync” and then “leadworker keys in-force” says which holds."
)
_NOT_OURS = "This is about another organisation, or about a root that was replaced already. Nothing was changed."


class RootRequest(msgspec.Struct, frozen=True):
    """What one administrator asks another to witness: a new root key for the organisation. Hexadecimal digits."""

    organisation: str
    old_fingerprint: str
    new_root: str


class Witnessed(msgspec.Struct, frozen=True):
    """A request with the second administrator's signature over it."""

    request: RootRequest
    witness: str
    signature: str


async def check_root(box: Postbox, client: HubClient, root: Identity) -> Directory:
    """Make sure that a key is the root's as it is now; raise `Refused`. So nobody is given passphrases of keys that come to nothing."""
    _, directory = await _administrator(box, client)
    if root.signing_public != directory.root:
        raise Refused("This is not the root key of the organisation as it is now. Nothing was changed.")
    return directory


async def renew_escrow(box: Postbox, client: HubClient, root: Identity, escrow: bytes) -> Directory:
    """Name another escrow key, signed by the root. Casebooks follow when their leads' laptops next sync."""
    directory = await check_root(box, client, root)
    return await _say(box, client, directory, NewEscrow(escrow), root, lambda now: escrow in (key for _, key in now.escrows))


async def renew_root(box: Postbox, client: HubClient, old: Identity, new_root: bytes) -> Directory:
    """Replace the root, signed by the old one."""
    directory = await check_root(box, client, old)
    return await _say(box, client, directory, NewRoot(new_root, b"", b""), old, lambda now: now.root == new_root)


async def ask_for_root(box: Postbox, client: HubClient, new_root: bytes) -> RootRequest:
    """Return what a second administrator has to witness, where the old root is lost."""
    joined, directory = await _administrator(box, client)
    return RootRequest(joined.organisation.hex(), root_id(directory.root).hex(), new_root.hex())


async def witness(box: Postbox, client: HubClient, request: RootRequest) -> Witnessed:
    """Sign another administrator's request for a new root, after looking that it is about this organisation."""
    joined, directory = await _administrator(box, client)
    new_root = _matching(request, joined, directory)
    signature = box.sign(proof.SUCCESSION, succession_message(directory.book, directory.root, new_root))
    return Witnessed(request, box.device.hex(), signature.hex())


async def confirm_root(box: Postbox, client: HubClient, witnessed: Witnessed) -> Directory:
    """Replace a lost root, with a second administrator's signature."""
    joined, directory = await _administrator(box, client)
    new_root = _matching(witnessed.request, joined, directory)
    said = NewRoot(new_root, _bytes(witnessed.witness, 16), _bytes(witnessed.signature, 64))
    return await _say(box, client, directory, said, None, lambda now: now.root == new_root)


async def _administrator(box: Postbox, client: HubClient) -> tuple[Joined, Directory]:
    joined = await admitted(box)
    if not joined.admin:
        raise Refused("Only an administrator of the organisation does this. Nothing was changed.")
    return joined, await pull_directory(box, client)


def _matching(request: RootRequest, joined: Joined, directory: Directory) -> bytes:
    same = (request.organisation, request.old_fingerprint) == (joined.organisation.hex(), root_id(directory.root).hex())
    if not same:
        raise Refused(_NOT_OURS)
    return _bytes(request.new_root, 32)


def _bytes(text: str, length: int) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != length:
        raise NotUnderstood("The file is damaged, or no file of this kind. Nothing was changed. Have it written again.")
    return raw


async def _say(
    box: Postbox, client: HubClient, directory: Directory, statement: DirectoryStatement, root: Identity | None,
    stands: Callable[[Directory], bool],
) -> Directory:  # fmt: skip
    """Say something until an answer comes, and return the directory in which it `stands`.

    Raises `Refused` where it does not stand, and `Unsettled` where that is not known: a lost answer may have been a yes.
    """
    unsure = False
    for _ in range(TRIES):
        try:
            taken = await say_in_directory(box, client, directory, (statement,), root)
        except PostError as error:
            if isinstance(error, Refused) and not unsure:
                raise
            unsure = True
            continue
        now = directory
        with contextlib.suppress(LeadworkerError):  # the next sync fetches it
            now = await pull_directory(box, client)
        if taken or stands(now):
            return now
        if not unsure or now.seq > directory.seq:
            raise Refused(OTHERS_FIRST)
    raise Unsettled(_NOT_KNOWN)
