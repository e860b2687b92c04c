"""What happens in a world: people write, sync, decide and lose things, in an order and at times that the seed draws."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from leadworker.domain import colleagues, readers
from leadworker.errors import LeadworkerError, PostError
from leadworker.statements import Role
from storage.postbox import joined
from sync import late
from tests.simulator import carrying, deeds, membership
from tests.simulator.central import Central
from tests.simulator.edge import BEFORE_COMMIT, BEFORE_MARK, COMMITTED, Died
from tests.simulator.machine import Machine
from tests.simulator.network import Weather
from tests.simulator.office import FOUNDERS, office
from tests.simulator.world import YEAR_S, World

ROUNDS_OF_A_RECOVERY = 2
"""Who joined since the backup is known again once somebody has brought the directory back, and reports in the round after."""

STAGES = (BEFORE_MARK, BEFORE_COMMIT, COMMITTED)


@dataclass
class Story:
    """One world as it goes on: its store, its laptops, and who waits to be let in."""

    world: World
    central: Central
    weather: Weather
    machines: list[Machine]
    spare: list[str]
    waiting: list[membership.Newcomer] = field(default_factory=list)
    newcomers: list[membership.Newcomer] = field(default_factory=list)
    lost: list[Machine] = field(default_factory=list)
    shut: list[Machine] = field(default_factory=list)
    forgiven: set[str] = field(default_factory=set)
    """Words that stood on one disk only, and went with it."""
    taken_in: set[str] = field(default_factory=set)
    written: int = 0
    people: int = 0
    has_stick: bool = False
    stick_in: Machine | None = None

    @property
    def ruth(self) -> Machine:
        return self.machines[0]

    def one(self) -> Machine:
        """Draw a laptop."""
        return self.world.story.choice(self.machines)

    def admitted(self) -> set[bytes]:
        """Return the laptops that the store, as it is, knows and answers, and that know themselves that they were let in."""
        known = {bytes(row[0]) for row in self.central.rows("SELECT device FROM devices WHERE active = 1")}
        here = {machine.device for machine in self.machines if (now := joined(machine.vault)) is not None and now.admitted}
        return here & known

    def at_stage(self, folder: Path, stage: str) -> None:
        """Tell the laptop whose disk this is how far its save has come."""
        for machine in self.machines:
            if machine.folder == folder:
                machine.at_stage(stage)


def begin(world: World) -> Story:
    """Copy the organisation, and let two to four of its people open their laptops."""
    made, weather = office(), Weather()
    database = world.folder / "hub.db"
    shutil.copy(made.database, database)
    central = Central(world, database)
    names = FOUNDERS[: world.story.randint(2, 4)]
    machines = [Machine(world, central, weather, name, made.members[name]) for name in names]
    story = Story(world, central, weather, machines, list(made.spare))
    world.edge.disk = story.at_stage
    return story


async def share(story: Story) -> None:
    """Before anything goes wrong, there is a casebook that everybody reads and most may write in."""
    lead = story.machines[1]
    deeds.add_person_at(story, lead)
    await lead.sync_now()
    (person,) = lead.people()
    for colleague in lead.ask(colleagues.everybody):
        if colleague.name in [machine.name for machine in story.machines[2:]]:
            lead.do(readers.let_in, person, colleague, story.world.story.choice((Role.CO_WORKER, Role.CO_WORKER, Role.MANAGER)))
    await rounds(story, 1)
    if story.world.story.random() < 0.5:
        story.one().keep_a_copy()


Step = Callable[[Story], object]


def _writes_while_it_syncs(story: Story) -> None:
    """Somebody types on while what they had typed travels."""
    machine = story.one()
    if machine.must_sync_first or machine.busy or not machine.people():
        return
    deeds.write_at(story, machine)
    machine.begin_sync()
    for _ in range(3):
        moment = story.world.story.random() * (0.05 + 6 * story.weather.slow_s)
        asyncio.get_running_loop().call_later(moment, _types_on, story, machine)


def _types_on(story: Story, machine: Machine) -> None:
    if machine.busy and not machine.must_sync_first:
        with contextlib.suppress(LeadworkerError, Died):
            deeds.write_at(story, machine)


def _network(story: Story) -> None:
    machine = story.one()
    machine.wire.down_until = story.world.seconds() + story.world.story.choice((1.0, 30.0, 900.0, 40_000.0))
    story.world.note(machine.name, f"has no network until {machine.wire.down_until:.0f}")


def _sync(story: Story) -> None:
    story.one().begin_sync()


def _everybody_syncs(story: Story) -> None:
    for machine in story.machines:
        machine.begin_sync()


def _power(story: Story) -> None:
    story.one().loses_power()


def _power_in_a_save(story: Story) -> None:
    machine = story.one()
    machine.doom = (story.world.story.choice(STAGES), story.world.story.randrange(4))
    machine.begin_sync()


def _store_dies(story: Story) -> None:
    if story.world.story.random() < 0.5:
        story.central.kill()
    else:
        story.central.doomed = story.world.story.choice((BEFORE_COMMIT, COMMITTED))


def _clock(story: Story) -> None:
    machine = story.one()
    machine.clock.wrong_by = story.world.story.choice((0.0, 90.0, -400.0, 86_400.0 * 40, -86_400.0 * 40, YEAR_S, -YEAR_S))
    story.world.note(machine.name, f"its clock is wrong by {machine.clock.wrong_by:.0f} s")


def _store_clock(story: Story) -> None:
    story.central.wrong_ms = story.world.story.choice((0, 120_000, -3_600_000, int(YEAR_S) * 1000, -int(YEAR_S) * 1000))
    story.world.note("store", f"its clock is wrong by {story.central.wrong_ms} ms")


def _copied(story: Story) -> None:
    story.one().keep_a_copy()


def _put_back(story: Story) -> None:
    copied = [machine for machine in story.machines if machine.copy is not None and not machine.busy]
    if not copied:
        return
    machine = story.world.story.choice(copied)
    before = machine.texts()
    machine.goes_back(story.world.story.choice(("noticed", "backup", "whole")))
    story.forgiven |= before - machine.texts()
    if not machine.must_sync_first:  # work goes on, before anybody knows what is missing
        deeds.write_at(story, machine)
    machine.begin_sync()


def _store_copied(story: Story) -> None:
    story.central.keep_a_copy()


def _store_put_back(story: Story) -> None:
    if story.central.has_copy and not story.central.recovering and not story.central.wrong_ms:
        story.central.goes_back()


def _store_recovers(story: Story) -> None:
    """Whoever runs the store ends its recovery once everybody has reported."""
    if story.central.recovering and story.central.is_complete(story.admitted()):
        story.central.ends_recovery()


ALWAYS: list[tuple[int, Step]] = [
    (11, deeds.write), (5, _writes_while_it_syncs), (3, deeds.add_person), (12, deeds.change_what_may_be_contested),
    (6, deeds.change_apart), (8, deeds.settle), (22, _sync), (7, _everybody_syncs),
]  # fmt: skip
SOMETIMES: list[tuple[int, Step]] = [
    (5, _network), (4, _power), (5, _power_in_a_save), (4, _store_dies), (4, _clock), (2, _store_clock),
    (4, _copied), (6, _put_back),
]  # fmt: skip
PEOPLE: list[tuple[int, Step]] = [
    (5, membership.let_in), (9, membership.take_out), (5, membership.hand_over), (2, membership.give_new_key),
    (3, membership.invite), (3, membership.lose_laptop), (3, membership.invite_again), (3, membership.readmit),
    (3, deeds.hand_in), (3, deeds.take_in),
]  # fmt: skip


RESTORED: list[tuple[int, Step]] = [(12, _store_copied), (18, _store_put_back), (10, _store_recovers), (12, _everybody_syncs)]
NOT_WITH_IT = (_put_back, membership.lose_laptop)
"""What one disk alone held is gone with it; so in one world either laptops go back or are lost, or the store is restored."""


def _drawn(story: Story) -> list[tuple[int, Step]]:
    """Each world has some kinds of trouble and not others, so that they meet in every combination."""
    draw = story.world.story
    weather = story.weather
    for name in ("lost", "unanswered", "late", "twice", "cut", "shortened"):
        if draw.random() < 0.4:
            setattr(weather, name, draw.choice((2, 5, 10)))
    weather.slow_s = draw.choice((0.0, 0.1, 3.0, 30.0))
    troubles = [one for one in SOMETIMES if draw.random() < 0.5]
    drawn = ALWAYS + troubles + (PEOPLE if draw.random() < 0.8 else [])
    if draw.random() < 0.25:
        return [one for one in drawn if one[1] not in NOT_WITH_IT] + RESTORED
    return drawn


async def go_on(story: Story, steps: int) -> None:
    """Let a world go on for some steps."""
    await share(story)
    drawn = _drawn(story)
    weights, kinds = [weight for weight, _ in drawn], [kind for _, kind in drawn]
    for _ in range(steps):
        (step,) = story.world.story.choices(kinds, weights)
        try:
            step(story)
        except LeadworkerError as error:
            story.world.note("story", f"{step.__name__} was refused: {error.sentence}")
        except Died:
            story.world.note("story", f"{step.__name__} lost its power")
        membership.go_on(story)
        if story.has_stick:
            carrying.perhaps(story)
        await asyncio.sleep(story.world.story.choice((0.0, 0.0, 0.01, 0.3, 2.0, 20.0, 60.0, 400.0)))


async def calm_down(story: Story) -> None:
    """Mend the world: the network is there, every clock is right, and what was on its way has come."""
    story.weather.clear_up()
    story.central.wrong_ms, story.central.doomed = 0, ""
    for machine in story.machines:
        machine.wire.down_until, machine.clock.wrong_by, machine.doom = 0.0, 0.0, None
    for machine in story.machines:
        if machine.task is not None:
            await asyncio.wait([machine.task])
        await machine.wire.at_rest()
        machine.note_receipts()
    await asyncio.sleep(3600)
    for _ in range(ROUNDS_OF_A_RECOVERY if story.central.recovering else 0):
        await rounds(story, 1)
    if story.central.recovering:
        assert story.central.is_complete(story.admitted()), "the restored store is not what it was"
        story.central.ends_recovery()
    await membership.bring_in(story)


async def rounds(story: Story, count: int) -> list[str]:
    """Let every laptop sync once a round; return the alarms of the last round. Who was revoked is only refused."""
    alarms: list[str] = []
    for _ in range(count):
        alarms = []
        for machine in story.machines:
            try:
                alarms += [said for said in await machine.sync_now() if said != late._NOBODY]  # it stays with who wrote it
            except PostError as error:
                story.world.note(machine.name, f"{type(error).__name__}: {error.sentence}")
                if getattr(error, "code", "") != "device_revoked":
                    alarms.append(error.sentence)
    return alarms
