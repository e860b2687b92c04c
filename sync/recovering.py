"""Gives a central store that was restored from a backup what it had numbered since: own changes and colleagues' alike (C.8).

What goes back stood at these numbers before, and the store's own receipts prove it; so nobody is renumbered, and nobody
can slip anything in. Where the store has given numbers anew meanwhile, the casebook stays as it is here, and a person is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac

from leadworker.crypto.envelope import BookKey
from leadworker.errors import Refused
from leadworker.postbox import Held, Joined, Postbox, Tail
from leadworker.text import one_line
from sync import wire
from sync.client import HubClient

RECOVERING = "recovering"
"""The store's code while it is in recovery mode."""

RESTORED = "The central store was restored from a backup and is being brought up to date by everybody's laptops."
MEANWHILE = "Everything is saved here; what is new is sent by itself when the store is ready."

NUMBERED_ANEW = (
    "The central store was put back to an older state and then gave numbers of this casebook anew, so two histories of it exist. "
    "Nothing was taken in and nothing of yours was replaced; everything is still here. Tell whoever runs the store: the drill "
    "“the central store was restored” says what to do."
)
NOT_KNOWN = (
    "The central store no longer knows this laptop, which it had let in before: it may have been put back to an older state. "
    "Everything is saved here. If the store is being brought up to date by others, this comes right by itself; else tell your "
    "administrator."
)


async def give_back(box: Postbox, client: HubClient, joined: Joined) -> str:
    """Report to a store in recovery mode and return what it lacks; say in words how it went. Raises what requests raise."""
    held = sorted(await box.holdings(), key=lambda one: one.book != joined.organisation)  # the directory says who may have signed
    stands = await _reported(client, held, ())
    given, others, refused = 0, [], ""
    for holding in held:
        stand = stands[holding.book]
        if not stand.same or not await _follows(box, stand):
            others.append(holding.book)
            await box.trouble(holding.book, NUMBERED_ANEW)
            continue
        try:
            given += await _give(box, client, holding, stand.n)
        except Refused as refusal:
            if refusal.code == RECOVERING:  # the mode ended and began again meanwhile
                raise
            refused = refusal.sentence
    await _reported(client, held, tuple(others))
    return " ".join(_said(given, len(others), refused))


async def report_nothing(client: HubClient) -> None:
    """Report to a store in recovery mode as a laptop that was never told that it was let in, so that nobody waits for it.

    It may be in the directory by now, its approval lost with the store's disk. It holds nothing that the store could lack,
    and believes nothing of what it hears.
    """
    with contextlib.suppress(Refused):  # not let in yet, or not known again yet: the next sync asks anew
        await client.report(wire.Report((), ()))


async def _reported(client: HubClient, held: list[Held], others: tuple[bytes, ...]) -> dict[bytes, wire.Stand]:
    holdings = tuple(wire.Holding(h.book, h.n, h.digest, h.last, h.received_ms, h.receipt) for h in held)
    answer = await client.report(wire.Report(holdings, others))
    stands = {stand.book: stand for stand in answer.books}
    if set(stands) != {holding.book for holding in held}:
        raise Refused("The central store's answer does not fit what was asked. Nothing was changed; everything is still here.")
    return stands


async def _follows(box: Postbox, stand: wire.Stand) -> bool:
    """Return whether the store's history is, up to where it goes, the one that was shown here."""
    here = await box.digest_at(stand.book, stand.n)
    return not here or hmac.compare_digest(here, stand.digest)


async def _give(box: Postbox, client: HubClient, holding: Held, n: int) -> int:
    """Return what the store lacks of one book after number `n`; how many changes went. Others may do the same meanwhile."""
    given = 0
    while n < holding.n and (tail := await box.tail(holding.book, n)) is not None:
        back = await asyncio.to_thread(_sealed, holding.book, tail)
        outcome = await client.give_back(back)
        if outcome.code == "moved" and outcome.ns and outcome.ns[0] > n:
            n = outcome.ns[0]
            continue
        if outcome.code:
            raise _refused(outcome)
        given += len(back.changes)
        n = back.changes[-1].n
    return given


def _sealed(book: bytes, tail: Tail) -> wire.Returned:
    """Seal opened changes again; it gives the same bytes as the first time."""
    keys = {epoch: BookKey(book, epoch, secret) for epoch, secret in tail.keys.items()}
    changes = tuple(
        wire.Numbered(
            kept.n, kept.header, kept.sealed or (keys[kept.epoch].seal(kept.header, kept.body) if kept.epoch else kept.body),
            kept.signature, kept.received_ms,
        )
        for kept in tail.changes
    )  # fmt: skip
    return wire.Returned(book, changes, tail.receipt)


def _refused(outcome: wire.Outcome) -> Refused:
    refusal = Refused(one_line(outcome.sentence)[:400])
    refusal.code = one_line(outcome.code)[:40]
    return refusal


def _said(given: int, others: int, refused: str) -> list[str]:
    words = [RESTORED]
    if given:
        words.append(f"This laptop has given back {given:,} {'change' if given == 1 else 'changes'} that the store had lost.")
    if others:
        words.append(NUMBERED_ANEW)
    if refused:
        words.append(f"It refused one thing: {refused}")
    return [*words, MEANWHILE]


def known_no_more(refusal: Refused, joined: Joined) -> bool:
    """Return whether a store that had let this laptop in says that it does not know it."""
    return refusal.code == "device_unknown" and joined.admitted
