"""Invites and the devices that come with them. The store sees ids, keys and proofs, never an invite's secret (C.4)."""

from __future__ import annotations

from typing import Final

from sync import wire
from sync.hub.rules import Refusal
from sync.hub.store import Device, InviteRow, Session

MOST_WAITING: Final = 1000
"""Join requests that an administrator's laptop is given at once."""


def invite(session: Session, wanted: wire.Invite, maker: bytes, now_ms: int) -> wire.JoinState:
    """Keep an invite that a laptop made. Making the same one again changes nothing.

    Anybody may make one, since what it admits is decided when its enrolment is signed: by an administrator anybody, by
    others a laptop of their own.
    """
    if len(wanted.invite) != wire.INVITE_ID_BYTES:
        raise Refusal("bad_request", f"The id of an invite has {wire.INVITE_ID_BYTES} bytes. Nothing was changed.")
    longest = now_ms + wire.INVITE_LIFE_MS + wire.CLOCK_TOLERANCE_MS
    if not now_ms < wanted.expires_ms <= longest:
        raise Refusal("bad_request", "An invite holds for at most 72 hours from now. Nothing was changed; make a new one.")
    known = session.invite(wanted.invite, lock=True)
    if known is not None and (known.expires_ms, known.made_by) != (wanted.expires_ms, maker):
        raise Refusal("invite_taken", "There is such an invite already. Nothing was changed; make a new one.", 409)
    if known is None:
        session.put_invite(InviteRow(wanted.invite, wanted.expires_ms, made_by=maker))
    return state(session, wanted.invite, now_ms)


def join(session: Session, request: wire.JoinRequest, now_ms: int) -> wire.JoinState:
    """Keep the keys of the first device that comes with an invite, for an administrator's laptop to check."""
    if not (wire.is_sound_signing_key(request.signing) and wire.is_sound_sealing_key(request.unsealing)):
        raise Refusal("key_unsound", "The keys of this device are not sound. Nothing was changed; make new ones.")
    if len(request.proof) != wire.JOIN_PROOF_BYTES:
        raise Refusal("bad_request", f"A proof has {wire.JOIN_PROOF_BYTES} bytes. Nothing was changed.")
    row = session.invite(request.invite, lock=True)
    if row is None:
        raise _unknown("The central store does not know this invite.")
    came = (request.signing, request.unsealing, request.proof)
    if row.signing and (row.signing, row.unsealing, row.proof) != came:
        raise used()
    if not row.device and row.expires_ms <= now_ms:
        raise _expired()
    if not row.signing:
        session.put_invite(row._replace(signing=came[0], unsealing=came[1], proof=came[2]))
    return state(session, request.invite, now_ms)


def state(session: Session, wanted: bytes, now_ms: int) -> wire.JoinState:
    """Say where a join stands, to whoever knows the invite's id."""
    row = session.invite(wanted)
    if row is None:
        found = "unknown"
    elif row.device:
        found = "admitted"
    elif row.expires_ms <= now_ms:
        found = "expired"
    else:
        found = "waiting" if row.signing else "open"
    return wire.JoinState(found, now_ms)


def waiting(session: Session, asker: Device, now_ms: int) -> wire.Joins:
    """Return the requests that wait, the first to expire first: an administrator's laptop sees all, others their own."""
    rows = session.waiting(now_ms, MOST_WAITING, b"" if asker.admin else asker.device)
    return wire.Joins(tuple(wire.JoinRequest(row.invite, row.signing, row.unsealing, row.proof) for row in rows))


def check_admission(session: Session, said: wire.Enrol, now_ms: int) -> InviteRow:
    """Check the invite that a statement admits somebody with: known, unused, unexpired, and for exactly these keys."""
    row = session.invite(said.invite, lock=True)
    if row is None:
        raise _unknown("The central store does not know this invite.")
    if row.device:
        raise used()
    if row.expires_ms <= now_ms:
        raise _expired()
    if (row.signing, row.unsealing) != (said.signing, said.unsealing):
        raise _unknown("No device waits at the central store with this invite and these keys.")
    return row


def admit(session: Session, row: InviteRow, device: bytes) -> None:
    """Mark an invite as used by a device."""
    session.put_invite(row._replace(device=device))


def _unknown(what: str) -> Refusal:
    return Refusal("invite_unknown", f"{what} Nothing was changed. Ask for a new invite.", 404)


def used() -> Refusal:
    """Return the refusal of an invite that another device came with first."""
    return Refusal(
        "invite_used",
        "This invite was used already, by another device. Nothing was changed. "
        "If that was not you, tell the person who gave it to you. Ask for a new invite.",
        409,
    )


def _expired() -> Refusal:
    return Refusal("invite_expired", "This invite has expired. Nothing was changed. Ask for a new one.", 410)
