"""The house list: what it costs, what it keeps, and how keys and mouse move in it."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll

from screens.lines import hang
from screens.plain import Content, plain
from screens.themes import theme
from screens.vlist import Heading, VList
from tests.screen_world import seen


class ListApp(App[None]):
    """Two lists, one under the other in a scrolling column, or one that fills the screen."""

    CSS = "#column { height: 1fr; overflow-y: auto; }"

    def __init__(self, *lists: VList[Any]) -> None:
        super().__init__()
        self.lists = lists
        self.opened: list[Any] = []
        self.near_end = 0
        self.register_theme(theme("dusk"))
        self.theme = "dusk"
        self.animation_level = "none"

    def compose(self) -> ComposeResult:
        if len(self.lists) == 1:
            yield self.lists[0]
        else:
            with VerticalScroll(id="column", can_focus=False):
                yield from self.lists

    def on_vlist_opened(self, event: VList.Opened) -> None:
        self.opened.append(event.item)

    def on_vlist_near_end(self) -> None:
        self.near_end += 1


def two_lines(item: str, width: int) -> list[Content]:
    return [plain(item), plain(f"  about {item}")]


def wrapping(item: str, width: int) -> list[Content]:
    return hang(plain(""), plain(item), width)


def names(count: int) -> list[str]:
    return [f"row {number}" for number in range(count)]


async def test_a_hundred_thousand_rows_are_drawn_only_where_they_are_seen() -> None:
    drawn: list[str] = []

    def counting(item: str, width: int) -> list[Content]:
        drawn.append(item)
        return two_lines(item, width)

    app = ListApp(VList(counting, str, height=2, id="list"))
    async with app.run_test(size=(60, 20)) as pilot:
        app.lists[0].show(names(100_000))
        app.lists[0].focus()
        await pilot.pause()
        assert "row 0" in seen(app)
        await pilot.press("end", "pageup", "up")
        await pilot.pause()
        assert "row 99988" in seen(app)
    assert len(drawn) < 60, "rows that nobody sees were drawn"


async def test_the_cursor_stays_on_the_same_person_when_the_list_is_shown_anew() -> None:
    app = ListApp(VList(two_lines, str, height=2))
    async with app.run_test(size=(60, 20)) as pilot:
        people = app.lists[0]
        people.show(names(100))
        people.focus()
        await pilot.press("down", "down", "down")
        before = seen(app).splitlines().index(next(line for line in seen(app).splitlines() if "row 3" in line))
        people.show(["somebody new", *names(100)])
        await pilot.pause()
        assert people.selected == "row 3"
        after = seen(app).splitlines().index(next(line for line in seen(app).splitlines() if "row 3" in line))
        assert after == before, "the row jumped on the screen"


async def test_when_the_selected_row_is_gone_the_cursor_goes_to_the_one_that_took_its_place() -> None:
    app = ListApp(VList(two_lines, str, height=2))
    async with app.run_test(size=(60, 20)) as pilot:
        app.lists[0].show(names(5))
        app.lists[0].focus()
        await pilot.press("down", "down")
        app.lists[0].show([name for name in names(5) if name != "row 2"])
        assert app.lists[0].selected == "row 3"
        app.lists[0].show(["row 0"])
        assert app.lists[0].selected == "row 0"
        app.lists[0].show([])
        assert app.lists[0].selected is None


async def test_the_cursor_passes_over_headings() -> None:
    app = ListApp(VList(two_lines, str, height=2))
    async with app.run_test(size=(60, 20)) as pilot:
        app.lists[0].show([Heading(plain("Family")), "Pat", Heading(plain("Friends")), "Mia"])
        app.lists[0].focus()
        await pilot.pause()
        assert app.lists[0].selected == "Pat"
        await pilot.press("down")
        assert app.lists[0].selected == "Mia"
        assert "Family" in seen(app)
        await pilot.press("up", "up")
        assert app.lists[0].selected == "Pat"


async def test_arrows_run_on_from_list_to_list_and_back_over_an_empty_one() -> None:
    first, empty, last = (VList(two_lines, str, height=2, grows=True) for _ in range(3))
    app = ListApp(first, empty, last)
    async with app.run_test(size=(60, 20)) as pilot:
        first.show(["a", "b"])
        last.show(["c", "d"])
        first.focus()
        await pilot.press("down", "down")
        assert last.has_focus and last.selected == "c"
        await pilot.press("up")
        assert first.has_focus and first.selected == "b"


async def test_rows_that_wrap_are_whole_and_a_row_taller_than_the_window_scrolls_within() -> None:
    long = " ".join(f"word{number}" for number in range(200))
    app = ListApp(VList(wrapping, lambda item: item[:6], gap=1))
    async with app.run_test(size=(40, 12)) as pilot:
        app.lists[0].show([long, "next"])
        app.lists[0].focus()
        await pilot.pause()
        read = seen(app)
        for _ in range(40):
            if app.lists[0].selected == "next":
                break
            await pilot.press("down")
            read += seen(app)
        assert app.lists[0].selected == "next"
        assert all(f"word{number}" in read for number in range(200)), "some of the row could not be read"


async def test_a_click_selects_and_a_second_click_opens() -> None:
    first, second = VList(two_lines, str, height=2, grows=True), VList(two_lines, str, height=2, grows=True)
    app = ListApp(first, second)
    async with app.run_test(size=(60, 20)) as pilot:
        first.show(["a", "b", "c"])
        second.show(["d"])
        first.focus()
        await pilot.click(first, offset=(5, 3))
        assert first.selected == "b" and app.opened == []
        await pilot.click(first, offset=(5, 3))
        assert app.opened == ["b"]
        await pilot.click(second, offset=(5, 0))
        assert second.has_focus and app.opened == ["b"], "the click that brings the focus opened something"


async def test_the_wheel_scrolls_and_the_hardware_cursor_follows_the_selected_row() -> None:
    app = ListApp(VList(two_lines, str, height=2))
    async with app.run_test(size=(60, 20)) as pilot:
        app.lists[0].show(names(50))
        app.lists[0].focus()
        await pilot.press("down", "down")
        await pilot.pause()
        assert app.cursor_position == app.lists[0].content_region.offset + (0, 4)
        await pilot._post_mouse_events([events.MouseScrollDown], app.lists[0])
        await pilot.pause()
        assert app.lists[0].scroll_offset.y > 0


async def test_only_the_focused_list_has_a_lit_row() -> None:
    first, second = VList(two_lines, str, height=2, grows=True), VList(two_lines, str, height=2, grows=True)
    app = ListApp(first, second)
    async with app.run_test(size=(60, 20)) as pilot:
        first.show(["a"])
        second.show(["b"])
        first.focus()
        await pilot.pause()
        lit = [str(strip._segments[0].style.bgcolor) for strip in (first.render_line(0), second.render_line(0)) if strip._segments[0].style]
        assert lit[0] != lit[1]


async def test_a_list_asks_for_more_before_its_end() -> None:
    app = ListApp(VList(two_lines, str, height=2))
    async with app.run_test(size=(60, 20)) as pilot:
        app.lists[0].show(names(200))
        app.lists[0].focus()
        await pilot.press("down")
        assert app.near_end == 0
        await pilot.press("end")
        assert app.near_end > 0


async def test_the_words_of_an_empty_list_say_what_will_be_here() -> None:
    app = ListApp(VList(two_lines, str, empty=plain("Nobody here yet. a adds the first person."), title=plain("People")))
    async with app.run_test(size=(30, 10)) as pilot:
        app.lists[0].show([])
        await pilot.pause()
        assert "Nobody here yet. a adds the" in seen(app) and "first person." in seen(app)
