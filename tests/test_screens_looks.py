"""How the screens look: contrast, sizes, footers, and terminals that know only ASCII or no colour."""

from __future__ import annotations

import colorsys
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widget import Widget

from screens import glyphs, keys
from screens.app import LeadworkerApp
from screens.environment import tidy_environment
from screens.frame import FootLine
from screens.glyphs import to_ascii, wants_ascii
from screens.themes import CONTRAST, DUSK, TOKENS, Tokens, theme_for
from tests.screen_world import StillClock, WorldDoor, opened, seen, settle

pytest_plugins = ["tests.screen_fixtures"]

SIZES = [(200, 50), (120, 32), (80, 24), (60, 20)]
EMERGENCIES = [(40, 24), (10, 3)]


# colours


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("name", TOKENS)
def test_every_word_can_be_read_in_every_theme_on_selected_rows_too(name: str) -> None:
    tokens = TOKENS[name]
    for tone in ("text", "muted", "primary", "warning", "error", "good", "words"):
        colour = getattr(tokens, tone)
        for ground in (tokens.background, tokens.select, tokens.panel):
            assert contrast(colour, ground) >= 4.5, f"{name}: {tone} on {ground}"


def test_strong_contrast_is_strong() -> None:
    tokens: Tokens = TOKENS[CONTRAST]
    for tone in ("text", "muted", "primary", "warning", "error", "good", "words"):
        assert contrast(getattr(tokens, tone), tokens.background) >= 7


@pytest.mark.parametrize("name", TOKENS)
def test_neutrals_are_grey_enough_for_terminals_with_256_colours(name: str) -> None:
    tokens = TOKENS[name]
    for neutral in (tokens.background, tokens.panel, tokens.line):
        red, green, blue = (int(neutral[at : at + 2], 16) / 255 for at in (1, 3, 5))
        _, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
        assert saturation < 0.15 or lightness > 0.97, f"{name}: {neutral}"


def test_no_color_begins_with_strong_contrast_and_a_setting_wins() -> None:
    assert theme_for(None, {}) == DUSK
    assert theme_for(None, {"NO_COLOR": "1"}) == CONTRAST
    assert theme_for("paper", {"NO_COLOR": "1"}) == "paper"
    assert theme_for("no such theme", {}) == DUSK


# sizes


Visit = Callable[[LeadworkerApp, Pilot[Any]], Awaitable[None]]


async def press(pilot: Pilot[Any], *pressed: str) -> None:
    await pilot.press(*pressed)
    await settle(pilot)


async def every_screen(app: LeadworkerApp, pilot: Pilot[Any]) -> AsyncIterator[str]:
    """Go to every screen in turn and yield its name there."""
    tour: list[tuple[tuple[str, ...], str]] = [
        ((), "TodayPage"),
        (("f1",), "HelpDialog"),
        (("escape", "2"), "PeoplePage"),
        (("enter",), "PersonPage"),
        (("tab",), "PersonPage"),
        (("tab",), "PersonPage"),
        (("tab", "enter"), "EntryDialog"),
        (("escape", "e"), "PersonForm"),
        (("escape", "v"), "VisitForm"),
        (("escape", "n", "@"), "NotePage"),
        (("escape", "escape", "slash", "e"), "FindDialog"),
        (("escape", "6"), "SyncPage"),
        (("2", "a"), "AddPersonForm"),
        (("ctrl+l",), "HideScreen"),
    ]
    for pressed, name in tour:
        await press(pilot, *pressed)
        assert type(app.screen).__name__ == name, f"{pressed} led to {app.screen}"
        yield name
    await press(pilot, "enter")


@asynccontextmanager
async def at_size(app: LeadworkerApp, size: tuple[int, int]) -> AsyncIterator[Pilot[Any]]:
    async with opened(app, size) as pilot:
        yield pilot


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_no_widget_is_wider_than_the_screen(app: LeadworkerApp, size: tuple[int, int]) -> None:
    async with at_size(app, size) as pilot:
        async for name in every_screen(app, pilot):
            for widget in app.screen.walk_children(Widget):
                if widget.display and widget.region.width:
                    assert widget.region.right <= size[0], f"{name}: {widget} ends at {widget.region.right}"
            for line in seen(app).splitlines():
                assert cell_len(line) <= size[0], f"{name}: {line!r}"


@pytest.mark.parametrize("size", EMERGENCIES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_very_small_windows_are_survived(app: LeadworkerApp, size: tuple[int, int]) -> None:
    async with at_size(app, size) as pilot:
        async for _name in every_screen(app, pilot):
            assert app.is_running


async def test_a_storm_of_sizes_is_survived(app: LeadworkerApp) -> None:
    async with opened(app, (200, 50)) as pilot:
        await press(pilot, "enter")
        for size in [(150, 40), (100, 30), (70, 20), (40, 10), (10, 3), (132, 30), (96, 24), (60, 16), (200, 50)]:
            await pilot.resize_terminal(*size)
            await settle(pilot)
        assert "Keira Okafor-Lane" in seen(app)


async def test_alerts_are_whole_however_narrow_the_window(app: LeadworkerApp) -> None:
    async with opened(app, (40, 30)) as pilot:
        visit = " ".join(line.strip("▌ ") for line in seen(app).splitlines())
        assert "Craig may be home. Leave no messages" in " ".join(visit.split())
        await press(pilot, "enter")
        assert "Leave no messages with him." in " ".join(seen(app).split())


# footers and keys


@pytest.mark.parametrize("place", keys.PLACES)
@pytest.mark.parametrize("typing", [False, True])
def test_no_footer_is_longer_than_78_cells_or_has_more_than_six_keys(place: str, typing: bool) -> None:
    now_and_then = frozenset(key.id for key in keys.PLACES[place] if key.instead_of)
    for shown in (keys.footer(place, typing), keys.footer(place, typing, now_and_then)):
        line = "  ".join(f"{keys.key_words(key.first, ascii_only=True)} {key.words}" for key in shown)
        assert len(shown) <= 6 and cell_len(f" {line}") <= 78, line


def test_a_letter_means_one_thing_on_every_screen() -> None:
    meanings: dict[str, set[str]] = {}
    for place in keys.PLACES.values():
        for key in (*place, *keys.EVERYWHERE):
            if key.action and keys.is_typed(key.first):
                meanings.setdefault(key.first, set()).add(key.action)
    assert {letter: actions for letter, actions in meanings.items() if len(actions) > 1} == {}


def test_no_key_is_bound_that_terminals_confuse_with_another() -> None:
    confused = {"ctrl+h", "ctrl+i", "ctrl+j", "ctrl+m", "ctrl+z", "ctrl+backslash"}
    bound = {each for place in keys.PLACES.values() for key in (*place, *keys.EVERYWHERE) for each in key.keys.split(",")}
    assert not bound & confused


def test_every_function_key_has_a_twin() -> None:
    for key in keys.EVERYWHERE:
        each = key.keys.split(",")
        if any(name.startswith("f") and name[1:].isdigit() for name in each):
            assert len(each) > 1, key.id


async def test_the_footer_leaves_out_the_keys_that_a_field_would_swallow(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        await press(pilot, "2")
        assert "a add" in seen(app).splitlines()[-1]
        await press(pilot, "f")
        assert "a add" not in seen(app).splitlines()[-1] and "f1 help" in seen(app).splitlines()[-1]


async def test_words_of_the_footer_and_the_top_line_can_be_clicked(app: LeadworkerApp) -> None:
    async with opened(app) as pilot:
        last = seen(app).splitlines()[-1]
        await pilot.click(app.screen.query_one(FootLine), offset=(last.index("find"), 0))
        await settle(pilot)
        assert "commands only" in seen(app)


def test_the_manual_of_keys_names_every_key() -> None:
    manual = keys.keys_markdown()
    for place in keys.PLACES.values():
        for key in place:
            assert key.help in manual
    assert "| / or Ctrl+P | find anyone" in manual


# other terminals


@pytest.mark.parametrize(
    ("asked", "term", "encoding", "wanted"),
    [
        (None, "xterm-256color", "utf-8", False),
        (None, "xterm", "UTF-8", False),
        (None, "linux", "utf-8", True),
        (None, "dumb", "utf-8", True),
        (None, "xterm", "iso8859-1", True),
        (None, "xterm", None, True),
        (True, "xterm", "utf-8", True),
        (False, "linux", "ascii", False),
    ],
)
def test_ascii_is_chosen_where_the_terminal_shows_no_more(asked: bool | None, term: str, encoding: str | None, wanted: bool) -> None:
    assert wants_ascii(asked, {"TERM": term}, encoding) is wanted


def test_every_icon_has_a_letter_of_the_same_width() -> None:
    icons = {value for name, value in vars(glyphs).items() if name.isupper() and isinstance(value, str)}
    for icon in icons:
        assert cell_len(icon) == 1, icon
        assert to_ascii(icon).isascii() and cell_len(to_ascii(icon)) == 1, icon


def test_letters_that_cannot_be_written_lose_their_accents_or_become_a_mark_of_the_same_width() -> None:
    assert to_ascii("Zoë Łukasz 東京 “hi”", "ascii") == 'Zoe ?ukasz ???? "hi"'
    assert to_ascii("Zoë", "iso8859-1") == "Zoë"
    assert to_ascii("Zoë ▲", "utf-8") == "Zoë !"


async def test_nothing_but_ascii_is_drawn_in_ascii(door: WorldDoor, clock: StillClock) -> None:
    app = LeadworkerApp(door, clock=clock, ascii_only=True)
    async with opened(app) as pilot:
        async for name in every_screen(app, pilot):
            for letter in seen(app):
                assert letter.isascii(), f"{name}: {letter!r}"


async def test_sense_is_never_by_colour_alone(app: LeadworkerApp) -> None:
    async with opened(app):
        for words in ("! Ring CAMHS", "• Write up call", "○ Text Sam", "✎ Call with Tyler", "▲ Dog in the hall", "→ Side gate"):
            assert words in " ".join(seen(app).split()), words


def test_the_environment_is_tidied_before_the_library_reads_it() -> None:
    environ = {
        "TEXTUAL_SCREENSHOT": "1", "TEXTUAL_LOG": "/tmp/x", "TEXTUAL": "debug", "PYTHONINSPECT": "1",
        "PYTHONFAULTHANDLER": "1", "PYTHONDEVMODE": "1", "HOME": "/home/x", "NO_COLOR": "1",
    }  # fmt: skip
    tidy_environment(environ)
    assert environ == {"HOME": "/home/x", "NO_COLOR": "1"}
    assert os.environ
