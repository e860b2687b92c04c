"""Hostile text anywhere is shown as harmless text: no control byte of its own, no action run, no crash."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual._xterm_parser import XTermParser
from textual.pilot import Pilot
from textual.strip import Strip

from leadworker.domain import actions, alerts, drafts, journal, people, visits
from leadworker.domain.actions import NewAction
from leadworker.domain.drafts import Draft
from leadworker.domain.journal import NewEntry
from leadworker.record import new_id
from leadworker.shelf import Shelf
from screens import lastline
from screens.app import LeadworkerApp
from screens.fields import LineField, SecretField
from screens.find import snippet
from screens.lines import cut, flow, hang, pad, sides
from screens.note import NotePage
from screens.plain import Tone, join, marked, plain, run_on, single
from screens.text_field import TextField
from screens.today import TodayPage
from screens.words import Words
from tests import hostile
from tests.screen_world import PASSPHRASE, StillClock, WorldDoor, make_vault, opened, settle, type_in

pytest_plugins = ["tests.screen_fixtures"]

ROOM = Path(__file__).parent.parent / "screens"
HARMFUL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff\ud800-\udfff]")
OUR_SEQUENCES = re.compile(
    rb"\x1b\[(?:[\d;]*m"  # colours
    rb"|\d*;?\d*H"  # the cursor's place
    rb"|[?>=<]?[\d;]*[hlu]"  # modes: alternate screen, mouse, paste, cursor, keyboard
    rb"|\?\d+\$p)"  # which modes the terminal knows
    rb"|\x1b\]22;[a-z-]*\x07"  # the shape of the pointer, a constant of the library
)


# the doors


def sources() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(ROOM.glob("*.py"))]


ALLOWED_IMPORTS = {
    ("words.py", "textual.widgets", "Static"),
    ("fields.py", "textual.widgets", "Input"),
    ("text_field.py", "textual.widgets", "TextArea"),
    ("plain.py", "textual.content", "Content"),
}
DOORS = (
    "textual.widgets",
    "textual.content",
    "textual.markup",
    "textual.visual",
    "rich.text",
    "rich.markup",
    "rich.markdown",
    "rich.table",
)


def test_words_reach_a_widget_only_through_the_one_door() -> None:
    wrong = []
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in DOORS:
                wrong += [
                    f"{path.name}:{node.lineno} imports {alias.name} from {node.module}"
                    for alias in node.names
                    if (path.name, node.module, alias.name) not in ALLOWED_IMPORTS
                ]
            elif isinstance(node, ast.Import):
                wrong += [f"{path.name}:{node.lineno} imports {alias.name}" for alias in node.names if alias.name in DOORS]
    assert not wrong, "only screens/plain.py makes Content; other widgets that read markup are not used at all"


def test_nothing_is_set_that_the_library_would_read_as_markup() -> None:
    wrong = []
    for path, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Attribute) and target.attr in (
                        "tooltip",
                        "border_title",
                        "border_subtitle",
                        "title",
                        "sub_title",
                    ):
                        wrong.append(f"{path.name}:{node.lineno} sets {target.attr}")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name, given = node.func.attr, {keyword.arg for keyword in node.keywords}
                if name == "notify" and not (path.name in ("app.py", "base.py") and "markup" in given):
                    wrong.append(f"{path.name}:{node.lineno} notifies by itself; Shell.say does that")
                if name in ("from_markup", "from_text", "from_rich_text") or (name == "update" and path.name != "words.py"):
                    wrong.append(f"{path.name}:{node.lineno} calls {name}")
                if name == "Content":
                    wrong.append(f"{path.name}:{node.lineno} makes Content")
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Content" and path.name != "plain.py":
                wrong.append(f"{path.name}:{node.lineno} makes Content")
            if (
                isinstance(node, ast.keyword)
                and node.arg in ("tooltip", "markup")
                and not (isinstance(node.value, ast.Constant) and node.value.value is False)
            ):
                wrong.append(f"{path.name}: {node.arg}=…")
    assert not wrong


def test_a_bare_text_is_refused_by_the_widget_itself() -> None:
    with pytest.raises(TypeError):
        Words("[@click=app.boom]x[/]")  # type: ignore[arg-type]


def test_the_check_of_the_doors_finds_what_it_is_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("from textual.widgets import Label\nfrom textual.content import Content\nx = Label(f'{y}')\n")
    monkeypatch.setattr("tests.test_untrusted.ROOM", tmp_path)
    with pytest.raises(AssertionError):
        test_words_reach_a_widget_only_through_the_one_door()


# pieces


@pytest.mark.parametrize("make", [plain, single, lambda text: marked(text, [(0, 3)]), snippet, lambda text: join(text, " ", text)])
def test_content_holds_nothing_that_a_terminal_obeys(make: Any) -> None:
    texts = [*hostile.corpus(), hostile.SURROGATE, hostile.LONG_LINE]
    assert len(texts) > 300
    for text in texts:
        content = make(text)
        assert not HARMFUL.search(content.plain), repr(text[:60])
        for span in content.spans:
            assert span.style in {tone.value for tone in Tone}, f"a style of its own: {span.style}"


def test_the_words_of_harmless_markup_stay_as_they_were_typed() -> None:
    for text in ("met [/ today", "[true, false]", "[@click=app.boom]press me[/]", "50% [b]", "$primary"):
        assert plain(text).plain == text


@given(st.text(max_size=400), st.integers(1, 60))
def test_lines_are_never_wider_than_they_may_be(text: str, width: int) -> None:
    content, fact = plain(text), single(text)
    for line in (cut(fact, width), pad(fact, width), sides(fact, fact, width), *flow([fact, fact], width)):
        assert line.cell_length <= max(width, 1) or cell_len(line.plain) <= max(width, 2)
    for line in hang(plain("▲ "), content, width):
        assert not HARMFUL.search(line.plain)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=300), st.integers(12, 60))
def test_wrapping_loses_no_word(text: str, width: int) -> None:
    content = plain(text)
    lines = hang(plain("▲ "), content, width)
    whole = re.sub(r"\s", "", content.plain)
    assert re.sub(r"\s", "", "".join(line.plain for line in lines)).removeprefix("▲") == whole


@given(st.text(max_size=200))
def test_the_last_line_lets_no_control_through(text: str) -> None:
    assert not lastline._OBEYED.search(lastline.harmless(text))
    assert len(lastline.harmless(text)) == len(text)


def test_the_last_line_stands_also_where_a_widget_hands_over_raw_text() -> None:
    from rich.console import Console

    lastline.install()
    console = Console(color_system="truecolor", force_terminal=True)
    for text in hostile.escapes():
        written = Strip([Segment(text, Style(color="red", link="https://x\x1b]0;y\x07"))]).render(console)
        assert not HARMFUL.search(re.sub(r"\x1b\[[\d;]*m", "", written)), repr(text)


def test_a_link_of_ours_is_written_whole_and_a_hostile_one_not_at_all() -> None:
    from rich.console import Console

    lastline.install()
    console = Console(color_system="truecolor", force_terminal=True)
    assert "https://ours.example" in Strip([Segment("x", Style(link="https://ours.example"))]).render(console)
    assert "evil" not in Strip([Segment("x", Style(link="https://evil\x07"))]).render(console)


@given(st.lists(st.text(max_size=40), max_size=5))
def test_parts_that_run_on_stay_harmless(parts: list[str]) -> None:
    assert not HARMFUL.search(run_on(parts).plain)


# every screen


class Booby(LeadworkerApp):
    """The program with an action that hostile text would like to run."""

    booms = 0

    def action_boom(self, *_args: object) -> None:
        self.booms += 1


@contextmanager
def nobody_cleans_on_the_way_in(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let text into the vault as it comes, as if a colleague's program had been altered."""
    import leadworker.domain as domain
    from leadworker.domain import actions, alerts, journal, people, visits

    assert domain
    with patch.context() as open_door:
        for module in (actions, alerts, journal, people, visits):
            for name in ("clean", "one_line"):
                if hasattr(module, name):
                    open_door.setattr(module, name, lambda text: text)
        yield


def storable(texts: list[str]) -> list[str]:
    """Return what a database can hold: all but half pairs and NUL."""
    return [text.replace("\x00", "\x01") for text in texts]


ALL = "\n".join(text[:200] for text in storable(hostile.corpus()))
WORST = "a\x1b]52;c;cHduZWQ=\x07\x9b2J[@click=app.boom]\u202epress me[/][/nope] [/ \x1b]0;pwned\x07"


def hostile_caseload(shelf: Shelf, clock: StillClock) -> None:
    """Write hostile text into every field that a screen shows."""
    who = people.add(shelf, f"Kay {WORST}")
    people.describe(shelf, who, pronouns=WORST, lives_at=WORST, talking=WORST)
    people.also_known_as(shelf, who, f"KK {WORST}")
    people.add_contact(shelf, who, "other", WORST, WORST)
    people.add_identifier(shelf, who, WORST, WORST)
    alerts.raise_alert(shelf, who, WORST)
    alerts.add_access_note(shelf, who, WORST)
    visits.plan(shelf, who, clock.at(18, 15, 30), place=WORST, note=WORST)
    visits.plan(shelf, who, clock.at(14, 15, 30), place=WORST, note=WORST)
    actions.add(shelf, who, NewAction(WORST, WORST, mine=True, due_on="2025-11-18"))
    entry = NewEntry(
        who, WORST, clock.at(14, 14), minutes=5, place=WORST, title=WORST, jotting=WORST, seen=WORST, said=WORST,
        noticed=ALL, think=WORST, next_steps=WORST, actions=(NewAction(WORST, WORST, mine=True, due_on="2025-11-17"),),
    )  # fmt: skip
    journal.write(shelf, entry)
    drafts.keep(shelf, Draft(new_id(), who, WORST, WORST, WORST, WORST, WORST, WORST, WORST))


@pytest.fixture
def hostile_door(tmp_path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch) -> WorldDoor:
    with nobody_cleans_on_the_way_in(monkeypatch):
        make_vault(tmp_path / "vault", hostile_caseload)
    return WorldDoor(tmp_path / "vault", clock)


def look(app: LeadworkerApp, where: str) -> str:
    """Assert that nothing on the screen is obeyed by a terminal or pressed by a click, and return its words."""
    words = ""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            assert not HARMFUL.search(segment.text), f"{where}: {segment.text!r}"
            meta = segment.style.meta if segment.style else {}
            assert not any(key.startswith("@") and "boom" in str(value) for key, value in meta.items()), f"{where}: {meta}"
            assert not (segment.style and segment.style.link), where
            words += segment.text
        written = strip.render(app.console)
        assert not HARMFUL.search(re.sub(r"\x1b\[[\d;]*m", "", written)), f"{where}: {written!r}"
    return words


async def click_everywhere(app: LeadworkerApp, pilot: Pilot[Any]) -> None:
    """Click on every fifth cell of the middle of the screen."""
    from textual.geometry import Offset

    for y in range(3, 22, 4):
        for x in range(5, 78, 12):
            style = app.screen.get_style_at(*Offset(x, y))
            assert "boom" not in str(style.meta)


TOUR: list[tuple[tuple[str, ...], str]] = [
    ((), "today"),
    (("2",), "people"),
    (("enter",), "person"),
    (("enter",), "entry"),
    (("escape", "tab"), "actions"),
    (("tab",), "contact"),
    (("e",), "person form"),
    (("escape", "v"), "visit form"),
    (("escape", "n", "@"), "note with names"),
    (("escape", "escape", "slash", "k"), "find"),
    (("backspace", "p", "r", "e", "s"), "find in notes"),
    (("escape", "6"), "sync"),
    (("1",), "today again"),
]


@pytest.mark.parametrize("size", [(80, 24), (160, 60)], ids=["80x24", "160x60"])
async def test_hostile_text_is_harmless_on_every_screen(hostile_door: WorldDoor, clock: StillClock, size: tuple[int, int]) -> None:
    app = Booby(hostile_door, clock=clock)
    async with opened(app, size) as pilot:
        for pressed, where in TOUR:
            await pilot.press(*pressed)
            await settle(pilot)
            words = look(app, where)
            await click_everywhere(app, pilot)
            if where in ("today", "people", "person"):
                assert "press me" in words, f"{where} does not show the words at all"
        await pilot.press("2", "enter")
        await settle(pilot)
        for _ in range(60):
            await pilot.press("down")
            look(app, "the whole journal")
    assert app.booms == 0


async def test_an_error_that_holds_hostile_text_is_harmless_in_a_notice(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        for text in [WORST, *hostile.markup()[:40]]:
            app.say(text[:200])
        await settle(pilot)
        look(app, "notices")


async def test_hostile_text_that_is_typed_or_pasted_is_cleaned_before_the_field_has_it(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("n")
        await settle(pilot)
        for name in ("what", "seen", "said", "noticed", "think", "next_steps"):
            field = app.screen.query_one(f"#{name}")
            field.focus()
            await pilot.pause()
            app.post_message(events.Paste(WORST + "\n" + ALL))
            app.post_message(events.Key("x", "\u202e"))
            await settle(pilot)
            value = field.text if isinstance(field, TextField) else field.value if isinstance(field, LineField) else ""
            assert "press me" in value and not HARMFUL.search(value), name
            look(app, name)


async def test_a_field_cleans_what_it_is_given_by_whichever_way(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await pilot.press("n")
        await settle(pilot)
        what, seen = app.screen.query_one("#what", LineField), app.screen.query_one("#seen", TextField)
        what.value = f"one\ntwo {WORST}"
        what.insert(WORST, 0)
        seen.load_text(WORST)
        seen.insert(WORST)
        assert "\n" not in what.value and not HARMFUL.search(what.value) and not HARMFUL.search(seen.text)


async def test_a_line_of_a_megabyte_can_be_pasted_read_kept_and_finished(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await type_in(pilot, "n", "@Keira")
        await settle(pilot)
        page = app.screen
        assert isinstance(page, NotePage)
        field = page.query_one("#noticed", TextField)
        field.focus()
        await pilot.pause()
        app.post_message(events.Paste(hostile.LONG_LINE))
        await settle(pilot)
        assert len(field.text) > 500_000 and not HARMFUL.search(field.text)
        assert max(len(line) for line in field.text.split("\n")) <= 10_000
        look(app, "a megabyte")
        await page.keep()
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert isinstance(app.screen, TodayPage)
        entries = await app.desk.ask(journal.recent, limit=500)
        kept = "".join(
            re.sub(r"\s", "", entry.noticed)
            for entry in sorted(entries, key=lambda entry: entry.recorded())
            if "press" not in entry.noticed
        )
        assert kept.count("app.boom") >= 24_000


async def test_nothing_leaves_by_the_clipboard_or_by_a_picture_of_the_screen(app: LeadworkerApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(app) as pilot:
        written: list[str] = []
        monkeypatch.setattr(app._driver, "write", written.append)
        await type_in(pilot, "n", "secret", "ctrl+shift+a", "ctrl+c")
        await settle(pilot)
        assert app.clipboard == "secret", "copying inside the program should still work"
        assert not any("52;c" in piece for piece in written)
        assert list(app.get_system_commands(app.screen)) == []
        for action in ("screenshot", "command_palette", "suspend_process", "toggle_dark"):
            assert not app.check_action(action, ())


async def test_a_passphrase_keeps_its_letters_but_no_control(app: LeadworkerApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        field = app.screen.query_one(SecretField)
        app.post_message(events.Paste("cop\x1bper [lantern] é  two\x07"))
        await settle(pilot)
        assert field.value == "copper [lantern] é  two"


@pytest.mark.parametrize("piece", [1, 3, 7, 1000])
def test_keys_in_what_is_pasted_are_pressed_by_nobody(app: LeadworkerApp, piece: int) -> None:
    keys = "\x1b[31mred\x1b]0;title\x07 \x1b[115;5u \x1bOP \x1b[20 \x1b[D\x1b"
    typed = f"\x1b[A\x1b[200~one {keys}\rtwo\x1b[201~\x1b[B"
    parser = XTermParser()
    told = [event for at in range(0, len(typed), piece) for event in parser.feed(typed[at : at + piece])]
    told += list(parser.feed("\x1b[200~three\x1b[201~x"))
    assert [event.key for event in told if isinstance(event, events.Key)] == ["up", "down", "x"]
    assert [event.text for event in told if isinstance(event, events.Paste)] == [f"one {keys}\rtwo".replace("\x1b", ""), "three"]


# the real terminal


@pytest.mark.skipif("sys.platform == 'win32'", reason="needs a pseudo-terminal")
def test_in_a_real_terminal_no_byte_of_hostile_text_is_obeyed(hostile_door: WorldDoor) -> None:
    from tests.terminal import Terminal

    with Terminal(["-m", "leadworker", "--vault", str(hostile_door.folder)], environment={"TZ": "Europe/London"}) as terminal:
        terminal.until("Passphrase")
        terminal.type(PASSPHRASE)
        terminal.press("enter")
        terminal.until("To do")
        terminal.press("2")
        terminal.until("on your caseload")
        terminal.press("enter")
        terminal.until("Journal", "press me")
        terminal.press("enter")
        terminal.until("Seen", gone="Contact")
        terminal.press("esc")  # a terminal cannot tell Esc and a letter at once from Alt and that letter
        terminal.until("Contact")
        terminal.press("tab", "tab", "tab", "n")
        terminal.until("New note")
        terminal.type("@k")
        terminal.until("KK")
        terminal.press("esc")
        terminal.until("New note", gone="KK")
        terminal.press("esc")
        terminal.until("Journal")
        terminal.press("/")
        terminal.until("people only")
        terminal.type("press")
        terminal.until("Notes")
        terminal.press("esc")
        terminal.until("Journal", gone="people only")
        terminal.press("6")
        terminal.until("This laptop")
        terminal.press("1")
        first = terminal.until("To do").splitlines()[0]
        assert first.startswith(" 1 Today  2 People  6 Sync"), "the frame is not where it was"
        terminal.press("ctrl+l")
        assert re.fullmatch(r"\d\d:\d\d", terminal.until(gone="help").strip())
        terminal.press("enter")
        terminal.until("To do")
        terminal.press("ctrl+q")
        assert terminal.ended() == 0
    written = bytes(terminal.written)
    assert b"press me" in written, "the words were not shown at all"
    left = OUR_SEQUENCES.sub(b"", written).decode("utf-8").replace("\r", "").replace("\t", "")
    odd = re.findall(r"[^\r\n]{0,20}" + HARMFUL.pattern + r".{0,30}", left)
    assert not odd, f"sequences that are not the program's own: {odd[:5]}"
    assert not any(start in written for start in (b"\x1b]52", b"\x1b]0;", b"\x1b]2;"))
