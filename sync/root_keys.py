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
    directory = await check_root(box, client, old)
    return await _say(box, client, directory, NewRoot(new_root, b"", b""), old, lambda now: now.root == new_root)
