"""Records: every declared type keeps what is written in it, a stranger's change can spoil nothing, and nothing lies in clear."""

from __future__ import annotations

import contextlib
import os
import random
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadworker import change, record
from leadworker.change import Content
from leadworker.clock import LATEST_MS, Moment
from leadworker.domain import actions, alerts, caseload, drafts, journal, people, visits
from leadworker.domain.alerts import Alert
from leadworker.domain.journal import JournalEntry, NewEntry
from leadworker.domain.people import Person
from leadworker.errors import NotFound, NotUnderstood
from leadworker.record import LARGEST_NUMBER
from leadworker.text import clean
from storage import anchor, backing_up, checking, opening, rebuilding, taking_in
from storage.shelf import VaultShelf
from storage.vault import Vault
from tests import vault_work, vaults
from tests.apart import Team, forge
from tests.vaults import ask, do, enter, fresh, look_through, made

TEXTS = ("plain", "", "Zażółć «قال لي» 我不想", "two\nlines", "  spaced  ", "😀👨‍👩‍👧", "'; DROP TABLE person; --", "x" * 9_000)
NUMBERS = (0, 1, -1, 59, 2**31, LARGEST_NUMBER, -LARGEST_NUMBER)


def values_of(kind: type[record.Record], chance: random.Random, person: str) -> dict[str, Any]:
    """Return something that may stand in every field of a record type, about the person whose casebook it is in."""
    choices: dict[Any, tuple[Any, ...]] = {str: TEXTS, int: NUMBERS, bool: (True, False)}
    fields = record.kept_fields(kind)
    values = {name: chance.choice(choices[kind.model_fields[name].annotation or str]) for name in fields}
    return values | ({"person_id": person} if "person_id" in fields else {})


@pytest.mark.parametrize("topic", sorted(record.topics()))
def test_every_type_of_record_keeps_what_is_written_and_is_made_again_from_the_log(topic: str, tmp_path: Path) -> None:
    kind, chance = record.topics()[topic], random.Random(topic)
    vault = enter(fresh(tmp_path / "vault"))
    person = do(vault, people.add, "Keira Lane")
    written: dict[str, dict[str, Any]] = {}
    for _ in range(12):
        values = values_of(kind, chance, person)
        written[do(vault, VaultShelf.add, kind, person, **values)] = values
    if not kind.frozen:
        free = [name for name, kept in record.kept_fields(kind).items() if kept.rule is not record.Rule.APPEND]
        for record_id, values in written.items():
            values |= {name: value for name, value in values_of(kind, chance, person).items() if name in free and chance.random() < 0.5}
            do(vault, VaultShelf.amend, kind, record_id, **{name: values[name] for name in free})
    for again in (False, True):
        for record_id, values in written.items():
            found = ask(vault, VaultShelf.get, kind, record_id)
            assert {name: getattr(found, name) for name in values} == values
            assert (found.gone, found.contested, found.made_by) == (0, "", vault.identity.device.hex())
        if not again:
            assert look_through(vault, rebuild=True).whole
    vault.close()


def test_what_a_record_does_not_have_cannot_be_written(tmp_path: Path) -> None:
    vault = enter(fresh(tmp_path / "vault"))
    person = do(vault, people.add, "Keira Lane")
    alert = do(vault, alerts.raise_alert, person, "Dog")
    before = vaults.everything(vault)
    wrong: list[Callable[[Any], object]] = [
        lambda s: s.add(Alert, person, colour="red"),
        lambda s: s.add(Alert, person, gone=True),
        lambda s: s.amend(Alert, alert, colour="red"),
        lambda s: s.amend(Alert, alert, person_id="0" * 32),
        lambda s: s.amend(Alert, alert, book="0" * 32),
    ]
    for deed in wrong:
        with pytest.raises(TypeError):
            do(vault, deed)
    with pytest.raises(NotFound):
        do(vault, lambda s: s.amend(Alert, "0" * 32, text="x"))
    with pytest.raises(NotFound):
        do(vault, lambda s: s.add(Alert, "0" * 32, text="x"))
    with pytest.raises(NotUnderstood, match="too long to be kept in one piece.*still here"):
        do(vault, people.describe, person, talking="many words\n" * 7_000)
    assert vaults.everything(vault) == before
    vault.close()


# What others send


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    monkeypatch.setattr(anchor, "_write_durably", lambda file, through, data, at: anchor._write_at(file, data, at))
    team = Team(2)
    yield team
    team.close()


def content(topic: str = "person", record_id: str = "a" * 32, **changed: Any) -> Content:
    """Return a sound change about a record, with some of it changed."""
    sound: dict[str, Any] = {
        "schema": 1, "topic": topic, "record": record_id, "verb": "put", "values": {}, "stamp": 1 << 58, "seen": (0, bytes(32)),
        "wrote_at": 1_795_000_000_000, "offset": 0,
    }  # fmt: skip
    return Content(**{**sound, **changed})


def send(team: Team, *contents: Content) -> list[str]:
    """Let the second laptop send changes that its program would not write; return why the first put any aside."""
    first, other = team.laptops
    team.hub.take(b"", [forge(other, team.hub, one) for one in contents])
    first.pull()
    rows = first.on_thread(lambda: first.vault.connection.execute("SELECT why FROM put_aside ORDER BY no").fetchall())
    return [why for (why,) in rows]


NONSENSE: dict[str, Content] = {
    "text for a number": content(values={"name": "x", "age_about": "14"}),
    "a number for text": content(values={"name": 14}),
    "yes for a number": content(values={"age_about": True}),
    "one for yes": content("alert", values={"on": 1}),
    "a list": content(values={"name": ["x"]}),
    "a map": content(values={"name": {"x": {"x": "x"}}}),
    "nothing": content(values={"name": None}),
    "bytes": content(values={"name": b"x"}),
    "a fraction": content(values={"age_about": 1.5}),
    "too large a number": content(values={"age_about": LARGEST_NUMBER + 1}),
    "far too large a number": content(values={"age_about": 2**64 - 1}),
    "too small a number": content(values={"age_about": -(2**63)}),
    "another verb": content(verb="erase"),
    "no verb": content(verb=""),
    "a short id": content(record_id="a" * 31),
    "an id of words": content(record_id="not an id at all, but 32 letters"),
    "an id with an escape": content(record_id="\x1b[31m" + "a" * 27),
    "an id in capitals": content(record_id="A" * 32),
    "a stamp beyond all": content(stamp=2**64 - 1),
    "a stamp before all": content(stamp=-1),
    "a time beyond all": content(wrote_at=2**64 - 1),
    "a time before all": content(wrote_at=-(2**63)),
    "an offset of a year": content(offset=525_600),
    "an offset beyond all": content(offset=2**63),
    "half a digest": content(seen=(0, b"short")),
    "a later schema": content(schema=2),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_a_change_that_no_leadworker_writes_is_put_aside_with_its_author_and_the_rest_goes_on(what: str, two: Team) -> None:
    first = two.laptops[0]
    before = first.rows()
    why = send(two, NONSENSE[what], content("alert", "b" * 32, values={"person_id": two.person, "text": "Another dog"}))
    assert len(why) == 1 and why[0] and clean(why[0]) == why[0]
    after = first.rows()
    assert after["alert"].pop("b" * 32)["text"] == "Another dog", "the next change of the page is taken in"
    assert after == before
    aside = vaults.everything(first.vault)["put_aside"]
    assert aside[0][5] == two.laptops[1].vault.identity.device.hex()
    assert first.digest_of_a_rebuild() == first.digest()
    assert checking.check(first.vault.connection, first.vault.anchor.read(), first.vault.identity.signing_public, keys_of=two.key_of).whole


def test_a_topic_or_a_field_of_a_later_version_is_kept_whole_for_it(two: Team) -> None:
    first = two.laptops[0]
    later = content("hopes_and_fears", "c" * 32, values={"person_id": two.person, "hope": "a flat of my own", "shape": [1, {"x": 2}]})
    with_field = content("alert", "d" * 32, values={"person_id": two.person, "text": "Dog", "teeth": 42})
    aside = send(two, later, with_field)
    assert len(aside) <= 1 and all("update to see it" in why for why in aside)
    assert first.rows()["alert"]["d" * 32]["text"] == "Dog"
    kept = [change.read_content(body) for _, _, body in first.log()]
    assert later in kept and with_field in kept
    assert first.digest_of_a_rebuild() == first.digest()
    do(first.vault, lambda s: s.amend(Alert, "d" * 32, text="Two dogs"))
    assert with_field in [change.read_content(body) for _, _, body in first.log()]


def test_a_record_of_another_persons_book_cannot_be_written_over_or_led_elsewhere(two: Team) -> None:
    first = two.laptops[0]
    sam = do(first.vault, people.add, "Sam Reed", lives_at="kept apart")
    alert = do(first.vault, alerts.raise_alert, sam, "Dog")
    saved = do(first.vault, journal.write, NewEntry(sam, said="kept apart"))
    book, before = ask(first.vault, lambda s: s.casebook_of(sam)), first.rows()
    why = send(
        two,
        content("person", sam, values={"name": "Somebody", "lives_at": "elsewhere"}),
        content("person", sam, verb="drop"),
        content("alert", alert, values={"on": False}),
        content("journal_entry", saved.entry_id, values={"said": "something else"}),
    )
    assert why == ["a record of another person's book"] * 3 + ["what was saved is never written over"]
    assert first.rows() == before
    assert ask(first.vault, lambda s: s.casebook_of(sam)) == book


def test_a_new_book_cannot_take_a_person_over_who_has_one(two: Team) -> None:
    """Words about somebody go into their casebook: a book that names the same person may not become it."""
    first, other = two.laptops
    book = ask(first.vault, lambda s: s.casebook_of(two.person))
    trap = type(two.hub)()
    trap.book = bytes(15) + b"\1"
    trap.take(trap.book, [forge(other, trap, content("person", two.person, values={"name": "Keira Lane"}))])
    first.hub = trap
    first.pull()
    assert ask(first.vault, lambda s: s.casebook_of(two.person)) == book
    subjects = [row[2] for row in vaults.everything(first.vault)["book"]]
    assert subjects.count(two.person) == 1


def test_received_words_are_cleaned_for_showing_and_kept_as_they_were_signed(two: Team) -> None:
    first = two.laptops[0]
    said = "not \u202esafe\u202c \x1b]52;c;cm0gLXJm\x07 e" + "\u0301" * 50 + "\nline two"
    sent = content("journal_entry", "e" * 32, values={"person_id": two.person, "said": said, "title": said, "happened_ms": 1})
    assert not send(two, sent)
    shown = ask(first.vault, lambda s: journal.entry(s, "e" * 32))
    assert shown.said == clean(said) != said
    assert sent in [change.read_content(body) for _, _, body in first.log()]
    assert first.digest_of_a_rebuild() == first.digest()


def test_a_time_that_no_calendar_holds_breaks_no_list(two: Team) -> None:
    first = two.laptops[0]
    entries = [
        content("journal_entry", f"{at:032x}", values={"person_id": two.person, "said": "x", "happened_ms": ms, "happened_offset": offset})
        for at, (ms, offset) in enumerate(((LARGEST_NUMBER, 0), (-LARGEST_NUMBER, 0), (0, LARGEST_NUMBER), (1, -LARGEST_NUMBER)))
    ]
    visit = content("visit", "f" * 32, values={"person_id": two.person, "starts_ms": LARGEST_NUMBER, "minutes": LARGEST_NUMBER})
    assert not send(two, *entries, visit)
    for entry in ask(first.vault, journal.timeline, two.person, limit=100):
        assert 1 <= entry.happened().local().year <= 9999
        entry.happened().local().astimezone()
    for visit_row in ask(first.vault, visits.of_person, two.person):
        assert visit_row.ends().day()


def test_a_store_that_tells_absurd_times_is_kept_within_the_calendar() -> None:
    assert [taking_in.told_ms(ms) for ms in (-1, 0, 5, 2**64 - 1)] == [0, 0, 5, LATEST_MS]
    assert Moment(taking_in.told_ms(2**64 - 1)).local().year == 9999


@settings(max_examples=200)
@given(st.builds(Moment, st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70)))
def test_any_moment_can_be_shown(moment: Moment) -> None:
    shown = moment.local()
    assert shown.astimezone().isoformat()
    assert moment.day() == shown.date()
    if moment.is_on_calendar():
        assert Moment.of(shown) == moment


# Nothing in clear

CANARIES = (
    "Zebedee Quillfeather", "Kwikstep", "07700 900942", "mastiff in the porch", "behind the marmalade tins", "slept on the trampoline",
    "unfinished thunderstorm", "collect the harmonica", "with her great-aunt Ottoline", "platypus search words", "Robin Featherstonehaugh",
)  # fmt: skip


def plant(vault: Vault) -> None:
    """Write every canary through the verb that is for it, and search for one."""
    name, known, phone, alert, access, said, draft, action, home, words, _ = CANARIES
    person = do(vault, people.add, name, lives_at=home)
    do(vault, people.also_known_as, person, known)
    do(vault, people.add_contact, person, "mobile", phone)
    do(vault, people.add_identifier, person, "NHS", "943 476 5919")
    do(vault, alerts.raise_alert, person, alert)
    do(vault, alerts.add_access_note, person, access)
    do(vault, visits.plan, person, Moment(1_795_000_000_000), place=home)
    for _ in range(30):
        doing = actions.NewAction(action, CANARIES[-1], mine=True)
        do(vault, journal.write, NewEntry(person, said=said * 200, noticed=words, actions=(doing,)))
    do(vault, drafts.keep, drafts.Draft("a draft", person, name, first_line=draft))
    ask(vault, journal.find, words)
    ask(vault, caseload.resolve, name)


def in_clear(data: bytes) -> set[str]:
    """Return which canaries stand in some bytes, as UTF-8 or UTF-16."""
    forms = ("utf-8", "utf-16-le", "utf-16-be")
    return {word for word in CANARIES if any(word.encode(form) in data for form in forms)}


def files_below(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())


def open_files() -> Iterator[bytes]:
    """Return what stands in every file that this process has open, those without a name any more among them."""
    if sys.platform != "linux":
        return
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(int(entry)).st_mode):
                yield Path(f"/proc/self/fd/{entry}").read_bytes()


def test_nothing_that_was_written_lies_in_clear_while_open_closed_backed_up_or_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fresh(tmp_path / "vault", made(CANARIES[-1]))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    vault = enter(folder, owner=CANARIES[-1])
    assert in_clear("Zebedee Quillfeather".encode("utf-16")) == {"Zebedee Quillfeather"}, "a canary that is there is found"

    def nothing() -> None:
        for path in files_below(tmp_path):
            assert not in_clear(path.read_bytes()), path.name
        for data in open_files():
            assert not in_clear(data)

    def small_memory() -> None:
        vault.connection.execute("PRAGMA cache_size=10").fetchall()
        vault.connection.execute("PRAGMA cache_spill=1").fetchall()
        vault.connection.execute("PRAGMA temp.cache_size=1").fetchall()

    vault.submit(small_memory).result()
    plant(vault)
    nothing()
    vaults.back_up(vault, tmp_path / "kept.lwb")
    nothing()
    vault.submit(lambda: rebuilding.remake(vault.connection)).result()
    sort = "SELECT a.said || b.noticed AS w FROM journal_entry a, journal_entry b ORDER BY w, a.id DESC"
    vault.submit(lambda: vault.connection.execute(f"CREATE TEMP TABLE sorted AS {sort}")).result()
    nothing()
    vault.close()
    nothing()
    backing_up.restore(tmp_path / "kept.lwb", tmp_path / "restored")
    enter(tmp_path / "restored", owner=CANARIES[-1]).close()
    nothing()
    assert not list(temporary.iterdir())


def test_nothing_lies_in_clear_after_a_crash_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMPDIR", "TEMP", "TMP", "SQLITE_TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for kill in range(10):
        folder = fresh(tmp_path / f"vault {kill}")
        vault_work.killed(plant_for_ever, folder, made().words, after_s=0.004 * kill, once="open")
        for path in files_below(tmp_path):
            assert not in_clear(path.read_bytes()), path.name


def plant_for_ever(folder: Path, recovery: str, told: vault_work.Sender) -> None:
    """Plant canaries until killed."""
    os.environ["SQLITE_TMPDIR"] = str(folder.parent)
    vault = opening.open_with_words(folder, recovery)
    told.send(("open",))
    while True:
        plant(vault)
        vaults.back_up(vault, folder.parent / f"{random.random()}.lwb")


def test_types_of_record_declare_a_rule_for_every_field_and_a_safer_value_where_a_person_is_asked() -> None:
    for kind in record.topics().values():
        for name, kept in record.kept_fields(kind).items():
            assert isinstance(kept.rule, record.Rule)
            assert kept.safer in ("", "on", "earliest", "longest", "default")
            assert kept.safer in ("", "default") or kept.rule is record.Rule.ASK, f"{kind.__name__}.{name}"
            assert kept.words or kept.rule is not record.Rule.ASK, "who is asked must be told what about"
            assert set(kept.along) <= set(record.kept_fields(kind)), f"{kind.__name__}.{name}"
            assert not kept.both or kind.model_fields[name].annotation is str, "only texts can stand one beneath the other"
            if kind.frozen:
                assert kept.rule is record.Rule.APPEND
    assert {kind for kind in record.topics().values() if kind.frozen} >= {JournalEntry}
    assert record.kept_fields(Person)["lives_at"].rule is record.Rule.ASK
    assert {
        f"{topic}.{name}": field.safer
        for topic, kind in record.topics().items() for name, field in record.kept_fields(kind).items()
        if field.rule is record.Rule.ASK
    } == {
        "person.lives_at": "", "alert.text": "longest", "alert.on": "on", "visit.starts_ms": "earliest", "visit.state": "default",
    }  # fmt: skip
