"""The keys in people's hands: another escrow key, another root, and a root that was lost (C.3, C.10). Online only."""

from __future__ import annotations

import msgspec

from leadworker import proof
from leadworker.crypto.identity import Identity
from leadworker.directory import Directory
from leadworker.errors import NotUnderstood, Refused
from leadworker.postbox import Joined, Postbox
from leadworker.statements import DirectoryStatement, NewEscrow, NewRoot, root_id, succession_message
from sync.client import HubClient
from sync.joining import admitted, pull_directory, say_in_directory
from sync.organising import OTHERS_FIRST

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
    return await _say(box, client, directory, NewEscrow(escrow), root)


async def renew_root(box: Postbox, client: HubClient, old: Identity, new_root: bytes) -> Directory:
    """Replace the root, signed by the old one."""
    directory = await check_root(box, client, old)
    return await _say(box, client, directory, NewRoot(new_root, b"", b""), old)


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
    return await _say(box, client, directory, said, None)


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
    box: Postbox, client: HubClient, directory: Directory, statement: DirectoryStatement, root: Identity | None
) -> Directory:
    if not await say_in_directory(box, client, directory, (statement,), root):
        raise Refused(OTHERS_FIRST)
    return await pull_directory(box, client)
