"""What people write in a world: notes, what may be contested, what settles it, and what came too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadworker.clock import Moment
from leadworker.domain import alerts, conflicts, journal, late, people, visits
from leadworker.domain.conflicts import Choice
from leadworker.domain.journal import NewEntry
from tests.simulator.edge import Died
from tests.simulator.machine import Machine

if TYPE_CHECKING:
    from tests.simulator.story import Story

MOST_PEOPLE = 3
KIND = ("Dog in the hall", "Ring first", "Two at a time", "Not after dark")


def add_person(story: Story) -> None:
    """Somebody new comes onto somebody's caseload."""
    machine = _who_writes(story)
    if machine is not None and story.people < MOST_PEOPLE:
        add_person_at(story, machine)


def add_person_at(story: Story, machine: Machine) -> None:
    """Somebody new comes onto one's caseload, with an alert and a visit."""
    story.people += 1
    person = machine.do(people.add, f"Person {story.people} of an invented town", lives_at="with her nan")
    machine.do(alerts.raise_alert, person, KIND[0])
    machine.do(visits.plan, person, Moment.of(machine.clock.now()))
    story.world.note(machine.name, f"adds a person {person}")


def write(story: Story) -> None:
    """Somebody writes a note, or several in one save."""
    machine = _who_writes(story)
    if machine is not None:
        write_at(story, machine)


def write_at(story: Story, machine: Machine) -> None:
    """Write at one laptop, about anybody who is there."""
    here = machine.people()
    if not here:
        return
    person, titles = story.world.story.choice(here), []
    for _ in range(story.world.story.choice((1, 1, 1, 3))):
        story.written += 1
        titles.append(f"note {story.written} by {machine.name}")
    try:
        machine.do(lambda shelf: [journal.write(shelf, NewEntry(person, title=title, said="Words.")) for title in titles])
    except Died:  # whoever typed was not told that it is saved; it is there whole or not at all
        kept = machine.texts()
        assert len({title in kept for title in titles}) == 1, "a save came apart"
        titles = [title for title in titles if title in kept]
    story.world.note(machine.name, f"writes {titles}")
    machine.typed.update(dict.fromkeys(titles, person))


def change_what_may_be_contested(story: Story) -> None:
    """Somebody changes where a person lives, an alert or a visit, whoever else is doing so."""
    machine = _who_writes(story)
    here = machine.people() if machine else []
    if machine is None or not here:
        return
    draw, person = story.world.story, story.world.story.choice(here)
    alert = machine.laptop.sql("SELECT id FROM alert WHERE person_id = ? ORDER BY id", person)
    visit = machine.laptop.sql("SELECT id FROM visit WHERE person_id = ? ORDER BY id", person)
    what = draw.choice(("lives", "lives", "ends", "moves", "cancels", "raises", "describes"))
    story.world.note(machine.name, f"{what} of {person}")
    if what == "ends" and alert:
        machine.do(alerts.end_alert, str(alert[0][0]), draw.choice(KIND))
    elif what == "moves" and visit:
        machine.do(visits.move, str(visit[0][0]), Moment(1_795_000_000_000 + draw.randrange(9) * 3_600_000))
    elif what == "cancels" and visit:
        machine.do(visits.cancel, str(visit[0][0]))
    elif what == "raises":
        machine.do(alerts.raise_alert, person, draw.choice(KIND))
    elif what == "describes":
        machine.do(people.describe, person, pronouns=draw.choice(("she/her", "they/them")))
    else:
        machine.do(people.describe, person, lives_at=f"at number {draw.randrange(90)}")


def change_apart(story: Story) -> None:
    """Two people say where a person lives, each before they have heard of the other."""
    draw, here = story.world.story, [machine for machine in story.machines if not machine.must_sync_first and machine.people()]
    if len(here) < 2:
        return
    person = draw.choice(here[0].people())
    for machine in draw.sample(here, 2):
        if person in machine.people():
            story.world.note(machine.name, f"lives of {person}, apart")
            machine.do(people.describe, person, lives_at=f"at number {draw.randrange(90)}")


def settle(story: Story) -> None:
    """Somebody chooses between what was written apart, as they were shown it."""
    able = [machine for machine in story.machines if not machine.must_sync_first and machine.ask(conflicts.count)]
    if not able:
        return
    machine = story.world.story.choice(able)
    shown = machine.ask(conflicts.open_conflicts)
    one = story.world.story.choice(shown)
    chosen = story.world.story.choice(one.versions)
    both = one.both and story.world.story.random() < 0.3
    story.world.note(machine.name, f"settles {one.key}")
    machine.do(conflicts.settle, one, Choice(both=True) if both else Choice(version=chosen.change))


def hand_in(story: Story) -> int:
    """Whoever has lost a casebook hands in what they had written there; return of how many it was decided."""
    decided = 0
    for machine in story.machines:
        for person in machine.people() if machine.vault.fact("joined") is not None else []:
            if machine.ask(late.may_hand_in, person):
                story.world.note(machine.name, f"hands in what they had of {person}")
                machine.do(late.hand_in, person)
                decided += 1
    return decided


def take_in(story: Story) -> None:
    """Whoever was handed something takes it in, unless another has; who may not write leaves it to others."""
    for machine in story.machines:
        for came in machine.ask(late.waiting):
            if came.id not in story.taken_in and came.person_id in machine.people() and machine.ask(_may_write, came.person_id):
                story.world.note(machine.name, f"takes in what {came.name} had of {came.person_id}")
                machine.do(late.take_in, came.id)
                story.taken_in.add(came.id)


def _may_write(shelf: object, person: str) -> bool:
    return bool(shelf.rows(late._WRITABLE, late._Writable, person_id=person)[0].writable)  # type: ignore[attr-defined]


def _who_writes(story: Story) -> Machine | None:
    machine = story.one()
    return None if machine.must_sync_first else machine
