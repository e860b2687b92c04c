"""One stick that goes round in a world: it is plugged in here and there, pulled out early, copied, and put back as it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sync import parcel
from sync.stick import Visit
from tests.simulator.machine import Machine

if TYPE_CHECKING:
    from tests.simulator.story import Story

OF_100 = 80
"""Of 100 steps of a story, after how many somebody plugs the stick in."""


def perhaps(story: Story) -> None:
    """Plug the stick in somewhere, in most steps, and rather where it is of use."""
    draw = story.world.stick
    if draw.randrange(100) >= OF_100:
        return
    machine, stick = draw.choice(story.machines), story.world.folder / "stick"
    stick.mkdir(exist_ok=True)
    mishap, away = draw.random() < 0.06, draw.random() < (0.3 if parcel.found_in(stick, parcel.TO_STORE) else 0.7)
    if story.stick_in is not None and story.stick_in.busy:
        return
    if mishap:
        _spoil(story, stick)
    if machine.busy or machine.must_sync_first:
        return
    story.stick_in = machine
    if away:  # the house has no network while the stick is in it
        machine.wire.down_until = max(machine.wire.down_until, story.world.seconds() + 30)
    story.world.note(machine.name, f"plugs the stick in{' where there is no network' if away else ''}")
    machine.begin(lambda: _visit(machine, stick))


async def _visit(machine: Machine, stick: Path) -> None:
    laptop = machine.laptop
    done = await Visit(laptop.box, laptop.client, machine.clock, stick, laptop.desk.ring, lambda progress: None).run()
    machine.world.note(machine.name, f"has visited the stick: {done}")
    machine.note_receipts()


def _spoil(story: Story, stick: Path) -> None:
    """Cut a file off, alter it, or put back what was on the stick some time before."""
    draw, before = story.world.stick, story.world.folder / "stick before"
    what, files = draw.choice(("cut", "alter", "copy", "put back")), sorted(stick.iterdir())
    story.world.note("stick", what)
    if what == "copy":
        shutil.rmtree(before, ignore_errors=True)
        shutil.copytree(stick, before)
    elif what == "put back" and before.exists():
        shutil.copytree(before, stick, dirs_exist_ok=True)
    elif files and what in ("cut", "alter"):
        file = draw.choice(files)
        raw = file.read_bytes()
        at = draw.randrange(len(raw)) if raw else 0
        file.write_bytes(raw[:at] if what == "cut" or not raw else raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
