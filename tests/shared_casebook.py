"""A casebook on an invented laptop that colleagues read as well: who they are, who leads, and what happened to that."""

from __future__ import annotations

from typing import cast

import msgspec

from leadworker import change
from leadworker.desk import Bell, Desk
from leadworker.domain import caseload, late
from leadworker.domain.late import Submission
from leadworker.shelf import Shelf
from leadworker.statements import Role
from screens.app import LeadworkerApp
from storage.vault import Vault

ME, RUTH, BEA, SAM = (f"{number:032x}" for number in range(1, 5))
COLLEAGUES = {
    ME: ("Alex Morgan", Role.KEY_WORKER), RUTH: ("Ruth Adeyemi", Role.SUPERVISOR),
    BEA: ("Bea Lindqvist", Role.CO_WORKER), SAM: ("Sam Iqbal", Role.KEY_WORKER),
}  # fmt: skip
WORDS = "acid bird cook dove echo film gold hero"


async def shared(app: LeadworkerApp, lead: str = ME, writable: int = 1, mine: Role = Role.CO_WORKER, n: int = 0) -> str:
    """Let Keira's casebook be read by Ruth and, as a co-worker, Bea; Ruth let Bea in. Return Keira's id.

    `n` is how far the central store has it.
    """
    keira = (await app.desk.ask(caseload.resolve, "Keira")).id
    vault = cast(Vault, cast(Desk, app.open_desk)._keeper)

    def fill() -> None:
        c = vault.connection
        book = c.execute("SELECT id FROM book WHERE subject = ?", (keira,)).fetchone()[0]
        c.execute("UPDATE book SET lead = ?, writable = ?, n = max(n, ?) WHERE id = ?", (lead, writable, n, book))
        for device, (name, role) in COLLEAGUES.items():
            c.execute("INSERT INTO colleague VALUES (?, ?, ?, ?, 0, 1, ?, 1, ?)", (device, device, name, role, int(device == ME), WORDS))
        for device in (ME, RUTH, BEA):
            role = Role.KEY_WORKER if device == lead else COLLEAGUES[device][1] if device != ME else mine
            c.execute("INSERT INTO reader VALUES (?, ?, ?, ?, 1763000000000)", (book.hex(), device, device, role))
        happened = [(ME, "first", ME, 1), (RUTH, "let in", BEA, 2)] + [(RUTH, "leads", lead, 0)] * (lead != ME)
        for seq, (by, what, person, role) in enumerate(happened, start=1):
            c.execute("INSERT INTO access VALUES (?, ?, 0, 1763000000000, ?, ?, ?, ?)", (book.hex(), seq, by, what, person, role))

    vault.submit(fill).result()
    app.desk.ring(Bell(frozenset({"reader"}), frozenset()))
    return keira


def handed_in(shelf: Shelf, keira: str, title: str, at_ms: int) -> None:
    """Let Bea have handed in an entry that she could not send any more."""
    values = {"person_id": keira, "title": title, "happened_ms": at_ms}
    content = change.Content(1, "journal_entry", "ab" * 16, "put", values, 5, (0, bytes(32)), at_ms, 0)
    body = change.write_content(content, bytes(16))
    one = Submission("cd" * 16, shelf.casebook_of(keira), keira, BEA, "Bea Lindqvist", at_ms, (body,))
    shelf.keep(late.DRAWER, one.id, msgspec.msgpack.encode(one))
