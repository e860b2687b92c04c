"""A laptop that writes a visit and is then killed: run by the demo in a process of its own.

``python -m leadworker.demo.writer FOLDER PERSON`` says ``kept`` when half a note is durable, ``saved`` when the visit is,
and then waits to be killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec

from leadworker.demo import PASSPHRASE
from leadworker.desk import Desk
from leadworker.domain import actions, caseload, drafts, journal
from storage import opening

SAID = "Nobody else has asked me that. I would like Nan to be there when they come."
NOTICED = "The kettle was on before I knocked. Two new photographs on the fridge, both from the boxing club."
THINK = "Naming who should be in the room is a first. Keep the meeting small."
HALF_WRITTEN = "Rang the school afterwards, and Mrs Fenwick said that"


def main(folder: str, person: str) -> None:
    """Keep half a note, write one visit, and wait."""
    vault = opening.open_with_passphrase(Path(folder), PASSPHRASE, purpose="the demo's writer")
    desk = Desk(vault, vault.name)
    known = desk.ask_now(caseload.resolve, person)
    begun = desk.ask_now(drafts.begin, known.id, known.name)
    draft = desk.do_now(drafts.keep, msgspec.structs.replace(begun, first_line=HALF_WRITTEN))
    print("kept", draft.id, flush=True)
    ask = actions.NewAction("Ask Nan whether Thursday suits", vault.name, mine=True)
    entry = journal.NewEntry(
        known.id, kind="visit", title="Visit at home", minutes=45, place="home", said=SAID, noticed=NOTICED, think=THINK,
        next_steps="ask Nan whether Thursday suits", actions=(ask,),
    )  # fmt: skip
    saved = desk.do_now(journal.write, entry)
    print("saved", saved.entry_id, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
