"""How a command speaks to the central store: one connection, closed again whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from leadworker.clock import SystemClock
from leadworker.errors import Refused
from leadworker.plain.place import Open

if TYPE_CHECKING:
    from leadworker.postbox import Joined
    from storage.postbox import VaultPostbox
    from sync.client import HubClient
    from sync.wire import Organisation

T = TypeVar("T")


@contextlib.asynccontextmanager
async def connected(opened: Open, url: str) -> AsyncIterator[tuple[VaultPostbox, HubClient]]:
    """Yield the vault's postbox and a connection that is signed with its device's key."""
    from leadworker.wiring import postbox_of
    from sync.client import HubClient

    box = postbox_of(opened.vault)
    client = HubClient(url, box.device, box.sign, opened.vault.clock)
    try:
        yield box, client
    finally:
        await client.close()


def at_store(opened: Open, deed: Callable[[VaultPostbox, HubClient], Awaitable[T]]) -> T:
    """Do something at the central store of this vault's organisation, and wait for it; raise `Refused` where there is none."""

    async def run() -> T:
        known = await joined_of(opened)
        async with connected(opened, known.hub_url) as (box, client):
            return await deed(box, client)

    return asyncio.run(run())


async def joined_of(opened: Open) -> Joined:
    """Return which organisation a vault belongs to; raise `Refused` for none."""
    from leadworker.wiring import postbox_of

    known = await postbox_of(opened.vault).joined()
    if known is None:
        raise Refused(
            "This vault is on this laptop only. “leadworker join” takes an invite to an organisation, “leadworker hub init” sets one up."
        )
    return known


async def organisation(url: str) -> Organisation:
    """Ask a central store which organisation it serves, as anybody may."""
    from sync.client import HubClient

    client = HubClient(url, b"", lambda domain, message: b"", SystemClock())
    try:
        return await client.organisation()
    finally:
        await client.close()
