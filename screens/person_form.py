"""The forms about a person: adding one, and changing or adding to what is written about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from leadworker.domain import alerts, caseload, people
from leadworker.domain.people import Person, PersonFacts
from leadworker.errors import NotUnderstood
from leadworker.shelf import Shelf
from leadworker.text import one_line, skeleton
from leadworker.words.dates import say_born
from screens.form import FieldOf, Form, Upon
from screens.plain import Content, Tone, join, plain

_EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+\Z")
_PHONE = re.compile(r"[+(]?(?:\d[\s()./-]*){5,}")
_WEB = re.compile(r"(https?://|www\.)\S+\Z", re.IGNORECASE)


class AddPersonForm(Form):
    """Writes down a new person. Warns once when somebody is called almost the same."""

    TITLE_WORDS = "A new person"

    def __init__(self, name: str = "") -> None:
        """`name`: what was looked for and not found."""
        super().__init__()
        self._called = name
        self._warned_of = ""
        self._added = ""

    def draft_key(self) -> str:
        """Return the same name for every new person: there is one such form at a time."""
        return "new person"

    def fields(self) -> Iterable[FieldOf]:
        """Ask only for the name; everything else may stay empty."""
        yield FieldOf("name", "Name", self._called, "What they are called")
        yield FieldOf("also", "Also known as", "", "Kay, KK")
        yield FieldOf("pronouns", "Pronouns", "", "she/her")
        yield FieldOf("born", "Born", "", "3 May 2011, or about 14")
        yield FieldOf("lives_at", "Lives", "", "14 Fen Court, with mum", lines=True)
        yield FieldOf("talking", "Talking", "", "How to talk with them", lines=True)
        yield FieldOf("reach", "Reach", "", "Phone, email or address, one a line", lines=True)
        yield FieldOf("alert", "Alert", "", "What to know for everybody's safety, one a line", lines=True)
        yield FieldOf("access", "At the door", "", "How to get in, one a line", lines=True)

    async def save(self, values: Mapping[str, str]) -> str:
        """Add the person, unless somebody has almost the same name and this was not said yet."""
        name = one_line(values["name"])
        if name and self._warned_of != name:
            like = await self.desk.ask(same_name, name)
            if like:
                self._warned_of = name
                raise NotUnderstood(f"There is already {like} here. Ctrl+S again adds another person of this name.")
        self._added = await self.desk.do(add_whole, dict(values))
        return f"{name} is written down."

    def after(self, said: str) -> None:
        """Open the new person's page."""
        self.shell.open_person(self._added)


class PersonForm(Form):
    """Changes the facts about a person, and adds names, contacts, alerts and access notes."""

    def __init__(self, facts: PersonFacts) -> None:
        super().__init__()
        self._facts = facts

    def draft_key(self) -> str:
        """Return a name for each person's own form."""
        return f"person {self._facts.id}"

    def heading(self) -> Content:
        """Say who it is about."""
        return join(plain(self._facts.name, Tone.STRONG), plain("  what is written about them", Tone.MUTED))

    def upon(self) -> Upon:
        """Return the facts as they were shown."""
        shown = {"name": "name", "pronouns": "pronouns", "born_on": "born", "lives_at": "lives_at", "talking": "talking"}
        return Upon(Person, self._facts.id, self._facts.marks, shown)

    def text_of(self, name: str, value: str | int | bool) -> str:
        """Return how a fact stands in its field."""
        return say_born(str(value)) if name == "born_on" else str(value)

    def hint(self) -> Content:
        """Say when a field is one of two versions."""
        words = "Two people wrote different things about where they live, and one is shown here. Saving another settles it."
        return plain(words if "lives_at" in self._facts.contested else "", Tone.LATE)

    def fields(self) -> Iterable[FieldOf]:
        """Show the facts as they are, then empty fields for what is to be added."""
        facts = self._facts
        born = say_born(facts.born_on) or (f"about {facts.age_about}" if facts.age_about else "")
        yield FieldOf("name", "Name", facts.name, "What they are called")
        yield FieldOf("pronouns", "Pronouns", facts.pronouns, "she/her")
        yield FieldOf("born", "Born", born, "3 May 2011, or about 14")
        yield FieldOf("lives_at", "Lives", facts.lives_at, "14 Fen Court, with mum", lines=True)
        yield FieldOf("talking", "Talking", facts.talking, "How to talk with them", lines=True)
        yield FieldOf("also", "Add a name", "", "Another name they go by")
        yield FieldOf("reach", "Add contact", "", "Phone, email or address, one a line", lines=True)
        yield FieldOf("alert", "Add alert", "", "What to know for everybody's safety, one a line", lines=True)
        yield FieldOf("access", "Add access", "", "How to get in, one a line", lines=True)

    async def save(self, values: Mapping[str, str]) -> str:
        """Write what was changed and added, all or nothing."""
        changed = {name: value for name, value in values.items() if value != self._begun[name]}
        await self.do_upon(change_whole, self._facts.id, changed)
        return "Saved on this laptop." if changed else "Nothing was changed."


def same_name(shelf: Shelf, name: str) -> str:
    """Return the name of somebody who is called so already, however it is spelt or accented."""
    wanted = skeleton(name)
    for person in caseload.known_people(shelf):
        if wanted in {skeleton(called) for called in (person.name, *person.known_as)}:
            return person.name
    return ""


def add_whole(shelf: Shelf, values: dict[str, str]) -> str:
    """Write down a person and everything that was typed about them; return the id."""
    told = {name: values.get(name, "") for name in ("pronouns", "born", "lives_at", "talking")}
    person_id = people.add(shelf, values.get("name", ""))
    if any(value.strip() for value in told.values()):
        people.describe(shelf, person_id, **{name: value for name, value in told.items() if value.strip()})
    _add_to(shelf, person_id, values)
    return person_id


def change_whole(shelf: Shelf, person_id: str, changed: dict[str, str]) -> None:
    """Change facts and add what was typed into the other fields."""
    facts = {name: changed[name] for name in ("name", "pronouns", "born", "lives_at", "talking") if name in changed}
    if facts:
        people.describe(shelf, person_id, **facts)
    _add_to(shelf, person_id, changed)


def _add_to(shelf: Shelf, person_id: str, values: Mapping[str, str]) -> None:
    for name in values.get("also", "").split(","):
        if one_line(name):
            people.also_known_as(shelf, person_id, name)
    for line in _lines(values, "reach"):
        kind, value, label = read_contact(line)
        people.add_contact(shelf, person_id, kind, value, label)
    for line in _lines(values, "alert"):
        alerts.raise_alert(shelf, person_id, line)
    for line in _lines(values, "access"):
        alerts.add_access_note(shelf, person_id, line)


def _lines(values: Mapping[str, str], name: str) -> list[str]:
    return [line.strip() for line in values.get(name, "").split("\n") if line.strip()]


def read_contact(line: str) -> tuple[str, str, str]:
    """Return kind, value and label of a typed contact: ``07700 900118 mum's`` is a mobile number labelled *mum's*."""
    words = one_line(line)
    first, _, rest = words.partition(" ")
    if _EMAIL.match(first):
        return "email", first, rest
    if _WEB.match(first):
        return "web", first, rest
    number = _PHONE.match(words)
    if number:
        digits = re.sub(r"\D", "", number.group())
        kind = "mobile" if re.match(r"(?:0|44|0044)?7\d{9}\Z", digits) else "phone"
        return kind, number.group().strip(), words[number.end() :].strip(" ,")
    return "address", words, ""
