"""Checks what the central store answers to a push: its signed word for each run that it took (C.8)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from leadworker import change
from leadworker.change import Header
from leadworker.errors import HubMistrusted
from leadworker.postbox import Receipt, UnsentRun
from sync import wire


class Promised(msgspec.Struct, frozen=True):
    """What a receipt says: which change of this laptop has a number. `digest` is the running one there, or empty inside a run."""

    lane: int
    seq: int
    digest: bytes


NOTHING: Mapping[int, Promised] = MappingProxyType({})


def promised_by(receipts: Iterable[Receipt]) -> dict[int, Promised]:
    """Return what receipts of one book say of each number."""
    said = {}
    for receipt in receipts:
        for seq, n in enumerate(receipt.ns, start=receipt.first_seq):
            said[n] = Promised(receipt.lane, seq, receipt.digest if n == receipt.last_n else b"")
    return said


def receipt_of(hub_key: bytes, run: UnsentRun, sent: wire.Run, outcome: wire.Outcome) -> Receipt:
    """Check the store's receipt against the key that the root has signed; without it nothing counts as sent."""
    last = change.change_id(sent.changes[-1][0])
    if not _is_whole(run, outcome) or not wire.is_signed(
        hub_key, wire.RECEIPT,
        wire.receipt_message(run.book, last, outcome.last_n, outcome.digest, outcome.received_ms), outcome.receipt,
    ):  # fmt: skip
        raise HubMistrusted("The central store's receipt is not signed as it must be. Everything is still here; it will be sent again.")
    first: Header = change.unpack(run.changes[0][0])
    return Receipt(
        run.book, run.lane, first.seq, outcome.ns, outcome.last_n, outcome.digest, outcome.received_ms, outcome.receipt,
    )  # fmt: skip


def _is_whole(run: UnsentRun, outcome: wire.Outcome) -> bool:
    """Return whether a receipt speaks of exactly this run, with numbers that grow and end where it says."""
    ns = outcome.ns
    grows = all(before < after for before, after in itertools.pairwise((0, *ns)))
    named = outcome.book == run.book and len(outcome.digest) == 32 and 0 <= outcome.received_ms < 2**63
    return named and grows and len(ns) == len(run.changes) and ns[-1] == outcome.last_n < 2**63
