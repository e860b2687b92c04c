"""The organisation that worlds begin with: founded once in a process, over the simulator's own edge, and copied for each."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from leadworker.crypto import keys
from leadworker.statements import Role
from storage import opening
from sync import inviting, joining
from tests.laptops import ALEX, BEA, CEM, ORGANISATION, PASSPHRASE, RUTH, TEAM, Template
from tests.simulator import loop
from tests.simulator.central import Central
from tests.simulator.edge import one_world
from tests.simulator.machine import Machine
from tests.simulator.network import Weather
from tests.simulator.world import World

FOUNDERS = (RUTH, ALEX, BEA, CEM)
SPARE = ("Dagny Holm", "Eamon Clarke", "Fenna de Wit")


class Office(NamedTuple):
    """A folder with the store's database, the vaults of its members, and vaults that have joined nothing."""

    database: Path
    members: dict[str, Template]
    spare: dict[str, Template]


def memory() -> str | None:
    """Return a folder that is memory, where this system has one: a world's disk needs no platter."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@functools.cache
def office() -> Office:
    """Return this process's organisation: Ruth supervises, the others are key workers."""
    home = Path(tempfile.mkdtemp(prefix="lw-world-office-", dir=memory()))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    world = World("the office", home)
    with one_world(world.edge):
        return loop.run(_found(world, home))


async def _found(world: World, home: Path) -> Office:
    central, weather = Central(world, home / "hub.db"), Weather()
    setup_code = central.hub.setup_code
    blank = {name: _vault(home / f"blank-{at}", name) for at, name in enumerate((*FOUNDERS, *SPARE))}
    machines = [Machine(world, central, weather, name, blank[name]) for name in FOUNDERS]
    ruth = machines[0].laptop
    await joining.set_up(ruth.box, ruth.client, setup_code, ORGANISATION, RUTH, role=Role.SUPERVISOR, team=TEAM)
    for machine in machines[1:]:
        made = await inviting.invite(ruth.box, ruth.client, ruth.clock, machine.name, role=Role.KEY_WORKER, team=TEAM)
        await joining.ask_to_join(machine.laptop.box, machine.laptop.client, " ".join(made.words))
        await inviting.countersign(ruth.box, ruth.client, ruth.clock)
        await machine.laptop.sync()
    for machine in machines:
        await machine.laptop.sync()
        machine.vault.close()
    central.close()
    members = {machine.name: Template(machine.folder, machine.words) for machine in machines}
    return Office(home / "hub.db", members, {name: blank[name] for name in SPARE})


def _vault(folder: Path, name: str) -> Template:
    vault, words = opening.create(folder, name, PASSPHRASE, memory_kib=keys.FLOOR_KIB, purpose="a world")
    vault.close()
    return Template(folder, " ".join(words))
