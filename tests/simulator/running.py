"""Runs one seed's world from its beginning to the verdict. ``python -m tests.simulator.soak`` runs many."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from tests.simulator import deeds, loop, membership, story, verdict
from tests.simulator.edge import one_world
from tests.simulator.office import memory, office
from tests.simulator.story import Story
from tests.simulator.world import World

STEPS = 18
"""What happens in a world of the gate: 200 of them are a minute and a half of one core."""
FEW = (0, 0, 1, 3)
"""How many changes travel together in a world: as many as the product sends, or few, so that there are pages and batches."""
ROUNDS = 3
"""Sync rounds after which a calm world is at rest."""


class Failed(AssertionError):
    """A world did not come right; the words say how to see it again."""


def run(seed: int, steps: int = STEPS, *, stick: bool | None = None, few: int | None = None) -> str:
    """Run a seed; return the hash of its trace. Raises `Failed` with the end of the trace.

    In every other world a stick goes round as well, or in those where `stick` says so; in every other, few changes travel
    together, or `few` in each, 0 for as many as the product sends.
    """
    office()
    folder = Path(tempfile.mkdtemp(prefix=f"lw-world-{seed}-", dir=memory()))
    world = World(seed, folder)
    world.edge.few = random.Random(f"{seed}/few").choice(FEW) if few is None else few
    try:
        with one_world(world.edge):
            loop.run(_run(world, steps, seed % 2 == 1 if stick is None else stick))
    except BaseException as error:
        last = "\n".join(world.trace[-40:])
        raise Failed(
            f"seed {seed}: {type(error).__name__}: {error}\n{last}\nAgain: make soak SEEDS={seed}:{seed + 1} STEPS={steps}"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return world.hash()


async def _run(world: World, steps: int, stick: bool) -> None:
    told = story.begin(world)
    told.has_stick = stick
    try:
        await story.go_on(told, steps)
        await story.calm_down(told)
        alarms = await story.rounds(told, ROUNDS)
        assert alarms == [], alarms
        membership.take_back_what_did_not_come_about(told)
        await verdict.nothing_waits(told)
        _judge(told)
        if not deeds.hand_in(told):
            return
        await story.rounds(told, 2)
        deeds.take_in(told)
        await story.rounds(told, ROUNDS)
        await verdict.nothing_waits(told)
        _judge(told)
    finally:
        for machine in told.machines:
            machine.stops()
        told.central.close()


def _judge(told: Story) -> None:
    for machine in told.machines:
        machine.note_receipts()
    books = verdict.truths(told.central)
    verdict.nothing_acknowledged_is_lost(told, books)
    verdict.everybody_shows_the_same(told, books)
    verdict.every_conflict_is_put_before_everybody(told)
    verdict.who_left_opens_nothing_later(told, books)
    verdict.nothing_typed_is_lost(told, books)
