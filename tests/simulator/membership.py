"""Who comes, who goes, who leads: what people of a world decide about readers, and laptops that are lost and replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadworker.domain import colleagues, readers
from leadworker.domain.colleagues import Colleague
from leadworker.statements import Role
from sync import inviting, joining, organising
from tests.laptops import TEAM
from tests.simulator.machine import Machine
from tests.simulator.office import office

if TYPE_CHECKING:
    from tests.simulator.story import Story


@dataclass
class Newcomer:
    """A laptop that is to join. `person` is whose it is when they are in the organisation already."""

    name: str
    person: bytes = b""
    words: str = ""
    machine: Machine | None = None
    asked: bool = False


def let_in(story: Story) -> None:
    """Somebody who decides lets a colleague in, or gives them another role."""
    machine, person, colleague = _decision(story)
    if machine and colleague:
        role = story.world.story.choice((Role.CO_WORKER, Role.CO_WORKER, Role.READ_ONLY, Role.MANAGER))
        story.world.note(machine.name, f"lets {colleague.name} into {person} as {role.words}")
        machine.do(readers.let_in, person, colleague, role)


def take_out(story: Story) -> None:
    """Somebody who decides takes a colleague out."""
    machine, person, colleague = _decision(story, reads=True)
    if machine and colleague:
        story.world.note(machine.name, f"takes {colleague.name} out of {person}")
        machine.do(readers.take_out, person, colleague)


def hand_over(story: Story) -> None:
    """Somebody who decides makes a colleague the lead."""
    machine, person, colleague = _decision(story)
    if machine and colleague:
        then = story.world.story.choice((Role.CO_WORKER, Role.READ_ONLY, None))
        story.world.note(machine.name, f"makes {colleague.name} the lead of {person}")
        machine.do(readers.hand_over, person, colleague, then)


def give_new_key(story: Story) -> None:
    """Somebody gives a casebook a new key."""
    machine, person, _ = _decision(story)
    if machine and person:
        machine.do(readers.give_new_key, person)


def readmit(story: Story) -> None:
    """Whoever decides lets people whose laptop was lost read again on their new one."""
    for machine in story.machines:
        for colleague in machine.ask(colleagues.everybody):
            if colleague.here and not colleague.me:
                for decided in machine.do(readers.readmit, colleague):
                    story.world.note(machine.name, f"readmits {colleague.name}: {decided.sentence()}")


def lose_laptop(story: Story) -> None:
    """Somebody's laptop is reported lost; Ruth takes it out of the organisation. Its owner finds it again, and may not know."""
    machine, ruth = story.one(), story.ruth
    if machine is ruth or machine in story.lost or ruth.busy or len(story.lost) >= 1:
        return
    story.world.note(machine.name, "is reported lost")
    story.lost.append(machine)
    ruth.begin(lambda: _revoke(story))


async def _revoke(story: Story) -> None:
    """Take out what was reported; it may have to be tried again, and once is as good as twice."""
    ruth = story.ruth.laptop
    await organising.revoke(ruth.box, ruth.client, [machine.device for machine in story.lost])


def invite(story: Story) -> None:
    """Ruth asks a new colleague in."""
    if story.spare and not any(not one.person for one in story.waiting) and len(story.machines) < 6:
        _expect(story, Newcomer(story.spare.pop(0)))


def invite_again(story: Story) -> None:
    """Whoever lost a laptop is given another."""
    replaced = {one.person for one in story.waiting}
    for machine in story.lost:
        whose = _person_of(story.ruth, machine)
        if story.spare and whose and whose not in replaced and not machine.replaced:
            machine.replaced = True
            _expect(story, Newcomer(story.spare.pop(0), whose))


def _expect(story: Story, newcomer: Newcomer) -> None:
    story.waiting.append(newcomer)
    story.newcomers.append(newcomer)


def go_on(story: Story) -> None:
    """Let every newcomer take the next step towards joining, as far as the network lets them."""
    for newcomer in list(story.waiting):
        if newcomer.machine is None:
            if not story.ruth.busy:
                story.ruth.begin(lambda newcomer=newcomer: _invite(story, newcomer))  # type: ignore[misc]
        elif not newcomer.machine.busy:
            if not newcomer.asked:
                newcomer.machine.begin(lambda newcomer=newcomer: _ask(newcomer))  # type: ignore[misc]
            elif newcomer.person and not story.ruth.busy:
                story.ruth.begin(lambda newcomer=newcomer: _approve(story, newcomer))  # type: ignore[misc]
            if newcomer.asked:
                story.waiting.remove(newcomer) if not newcomer.person else None


async def bring_in(story: Story) -> None:
    """In a calm world, let everybody who was to come finish joining; an invite that ran out meanwhile is made anew."""
    await _revoke(story)
    await story.ruth.sync_now()
    for newcomer in story.newcomers:
        if newcomer.machine is not None and await _is_in(story, newcomer.machine):
            continue
        await _invite(story, newcomer)
        await _ask(newcomer)
        if newcomer.person:
            await _approve(story, newcomer)
    story.waiting.clear()


def take_back_what_did_not_come_about(story: Story) -> None:
    """Whoever reads why a decision did not come about takes it back."""
    for machine in story.machines:
        for decision in machine.ask(readers.decisions):
            if decision.said:
                story.world.note(machine.name, f"takes back: {decision.sentence()}. {decision.said}")
                machine.do(readers.take_back, decision.id)


async def _is_in(story: Story, machine: Machine) -> bool:
    directory = await story.ruth.laptop.box.directory()
    return directory is not None and machine.device in directory.devices


async def _invite(story: Story, newcomer: Newcomer) -> None:
    ruth = story.ruth.laptop
    if newcomer.person:
        made = await inviting.invite_laptop(ruth.box, ruth.client, ruth.clock, newcomer.person)
    else:
        made = await inviting.invite(ruth.box, ruth.client, ruth.clock, newcomer.name, role=Role.KEY_WORKER, team=TEAM)
    newcomer.words = " ".join(made.words)
    if newcomer.machine is None:
        newcomer.machine = Machine(story.world, story.central, story.weather, newcomer.name, office().spare[newcomer.name])
        story.machines.append(newcomer.machine)
    story.world.note(newcomer.name, "is invited")


async def _ask(newcomer: Newcomer) -> None:
    assert newcomer.machine is not None
    await joining.ask_to_join(newcomer.machine.laptop.box, newcomer.machine.laptop.client, newcomer.words)
    newcomer.asked = True


async def _approve(story: Story, newcomer: Newcomer) -> None:
    assert newcomer.machine is not None
    ruth, words = story.ruth.laptop, newcomer.machine.vault.identity.check_words()
    await inviting.approve(ruth.box, ruth.client, ruth.clock, " ".join(words))
    if newcomer in story.waiting:
        story.waiting.remove(newcomer)


def _decision(story: Story, *, reads: bool = False) -> tuple[Machine | None, str, Colleague | None]:
    """Draw somebody who decides, a casebook, and a colleague: with `reads`, one who reads it."""
    able = [machine for machine in story.machines if not machine.must_sync_first and machine.decides()]
    if not able:
        return None, "", None
    machine = story.world.story.choice(able)
    person = story.world.story.choice(machine.decides())
    here = {one.person for one in machine.ask(readers.of, person) if not one.leads}
    others = [one for one in machine.ask(colleagues.everybody) if one.here and not one.me and (one.person in here or not reads)]
    return machine, person, story.world.story.choice(others) if others else None


def _person_of(ruth: Machine, machine: Machine) -> bytes:
    found = ruth.laptop.sql("SELECT person FROM colleague WHERE device = ?", machine.device.hex())
    return bytes.fromhex(str(found[0][0])) if found else b""
