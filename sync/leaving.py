"""What a laptop does that was taken out of the organisation: it sees the signed statement, hands in, and closes for good (C.6).

The central store's word alone closes nothing: it could say so of every laptop. The directory must say it, signed.
"""

from __future__ import annotations

from leadworker import change
from leadworker.errors import Refused
from leadworker.postbox import Joined, Postbox, TakenOut
from sync import late
from sync.client import HubClient
from sync.joining import pull_directory

REVOKED = "device_revoked"
"""The store's code for a device that was taken out of the directory."""

_CLOSES = (
    "Nothing in it is destroyed: two officers of escrow can open it. To work again, ask your administrator for an invite and make a new "
    "vault in another folder."
)


async def leave(box: Postbox, client: HubClient, joined: Joined, refusal: Refused) -> Refused:
    """Hand in what was not sent; return what a person is told. Where the directory does not say it, that is the store's own word."""
    await box.was_revoked(True)
    proof = await _proof(box, client, joined)
    if proof is not None:
        await box.taken_out(proof)
    directory = await box.directory()
    if directory is not None:
        await late.hand_in(box, client, directory)
    if proof is None:
        return refusal
    left = await box.taken_out(proof)
    said = Refused(_words(proof, left))
    said.code = REVOKED
    return said


async def _proof(box: Postbox, client: HubClient, joined: Joined) -> TakenOut | None:
    """Return who took this laptop out, by the statements of the directory, every one of them checked; None where they do not say it."""
    try:
        directory = await pull_directory(box, client)
    except Refused:  # a store that does not show it: it is believed for nothing
        return None
    enrolled = directory.devices.get(box.device)
    if enrolled is None or not enrolled.revoked:
        return None
    statement = (await box.statements(joined.organisation))[enrolled.revoked_at - 1]
    speaker = change.unpack(statement.header).device
    name = await box.name_of(speaker) if speaker in directory.devices else "The organisation's root"
    return TakenOut(name, statement.received_ms, directory.escrow)


def _words(proof: TakenOut, left: int) -> str:
    if not left:
        return (
            f"{proof.by} took this laptop out of the organisation. What it had not sent was handed in. As soon as leadworker is left or "
            f"locks, this vault closes for good. {_CLOSES}"
        )
    return (
        f"{proof.by} took this laptop out of the organisation. What you wrote and did not send is on this laptop only, and nobody who "
        "decides about it could be handed it yet. So this vault stays open; show it to your administrator. Once it was handed in, the "
        "vault closes for good. Nothing in it is destroyed."
    )
