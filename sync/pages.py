"""The pages of one book on their way here: the next one travels and is checked while this one is kept (docs/decisions/0024).

The order stays what it is. A page is given only after all before it were, an error comes up where it stands in that order,
and nothing counts as received before it is durable: what was fetched or checked ahead is only in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TypeVar

from leadworker.directory import Directory
from leadworker.errors import HubMistrusted
from leadworker.postbox import BookState, Postbox
from sync import wire
from sync.checking import Checked, PageCheck, mistrusted, vouched
from sync.client import HubClient
from sync.joining import pull_directory
from sync.receipts import NOTHING, Promised

Item = TypeVar("Item")


async def checked_pages(
    box: Postbox, client: HubClient, state: BookState, directory: Directory, hub_key: bytes, announced: int,
    promised: Mapping[int, Promised] = NOTHING,
) -> AsyncGenerator[tuple[Checked, bytes]]:  # fmt: skip
    """Give the pages of a book that follow `state`, checked, each with the store's receipt for its last change.

    `announced` is how far the store says that the book has come, and `promised` what it has just given this laptop receipts
    for. Raises `HubMistrusted`, and what a request raises.
    """
    async with one_ahead(_pages(client, state, announced)) as pages:
        async for page in pages:
            checked, directory = await _checked(box, client, state, directory, page, promised)
            state = checked.after
            yield checked, vouched(hub_key, state.book, page, state.digest)


@contextlib.asynccontextmanager
async def one_ahead(source: AsyncGenerator[Item]) -> AsyncIterator[AsyncIterator[Item]]:
    """Give what a generator gives, in its order, while it is at work on the one after; on leaving, it is stopped."""
    coming = asyncio.ensure_future(anext(source, None))

    async def given() -> AsyncIterator[Item]:
        nonlocal coming
        while (item := await coming) is not None:
            coming = asyncio.ensure_future(anext(source, None))
            yield item

    try:
        yield given()
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await source.aclose()


async def _pages(client: HubClient, state: BookState, announced: int) -> AsyncGenerator[wire.Page]:
    page = await client.changes(state.book, state.n)
    if page.n < announced:
        raise mistrusted("announced more changes of a casebook than it hands out")
    yield page
    while page.more and page.changes:
        page = await client.changes(state.book, page.changes[-1].n)
        yield page


async def _checked(
    box: Postbox, client: HubClient, state: BookState, directory: Directory, page: wire.Page, promised: Mapping[int, Promised]
) -> tuple[Checked, Directory]:
    """Check a page. It may speak of a colleague who was let in after this sync began, so a newer directory is tried once."""
    try:
        return await asyncio.to_thread(_check, state, directory, box, page, promised), directory
    except HubMistrusted:
        newer = await pull_directory(box, client)
        if newer.seq == directory.seq:
            raise
        return await asyncio.to_thread(_check, state, newer, box, page, promised), newer


def _check(state: BookState, directory: Directory, box: Postbox, page: wire.Page, promised: Mapping[int, Promised]) -> Checked:
    return PageCheck(state, directory, box.device, box.unseal, promised).check(page)
