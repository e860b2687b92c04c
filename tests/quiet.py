"""Waits until a program under test has nothing left to do, by looking at what it has to do.

The library watches the processor instead: 20 milliseconds in which the process used hardly any of it count as idle. That
costs a test most of its time, and on a busy machine it is wrong: who waits for a turn on the processor uses none of it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, cast

import textual.app
import textual.pilot
from textual._context import active_app

from leadworker.desk import Desk

WORKERS_S = 0.05
"""Seconds for which work that goes on behind the screen is waited for here; `settle` waits for its end."""

KEYS_S = 0.5
"""Seconds for which keys are waited for that are held back until something is done."""

MOST_TURNS = 2000
"""Turns after which a program that always wants another one is looked at as it is."""

ROUNDS = 2
"""What the first round gave rise to is done in the second."""


async def until_quiet(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Wait until nothing waits for a turn of the event loop, for the storage thread or for the next picture."""
    app = cast(Any, active_app.get(None))
    for _ in range(ROUNDS):
        await _turns()
        if app is None or not app.is_running:
            return
        await _workers(app)
        await _storage(app)
        await _keys(app)
        with suppress(textual.app.ScreenStackError):
            app.screen._on_timer_update()
    await _turns()


async def _turns() -> None:
    """Give turns until nobody else wants one."""
    ready = cast(Any, asyncio.get_running_loop())._ready
    calm = 0
    for _ in range(MOST_TURNS):
        await asyncio.sleep(0)
        calm = calm + 1 if not ready else 0
        if calm == 2:
            return


async def _workers(app: Any) -> None:
    waiting = {"shown", "go", "leave"} if getattr(app, "_hidden", False) else set()
    begun = [worker._task for worker in app.workers if worker.group not in waiting and worker._task is not None and not worker.is_finished]
    if begun:
        await asyncio.wait(begun, timeout=WORKERS_S)
        await _turns()


async def _storage(app: Any) -> None:
    """Let the storage thread do what it was given, and the event loop hear of it."""
    desk = getattr(app, "open_desk", None)
    if isinstance(desk, Desk):
        with suppress(Exception):  # a vault that is shut, or a keeper that a test has put in place of one
            await asyncio.wait_for(asyncio.wrap_future(cast(Any, desk)._keeper.read(lambda shelf: None)), WORKERS_S)
        await _turns()


async def _keys(app: Any) -> None:
    """Let keys be taken that wait for a timer."""
    end = asyncio.get_running_loop().time() + KEYS_S
    while getattr(app, "_rounds_left", 0) and not app._hidden and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.002)
        await _turns()


def watch_the_work() -> None:
    """Let the library's pilot wait like this as well."""
    for module in (textual.app, textual.pilot):
        module.wait_for_idle = until_quiet  # type: ignore[attr-defined]
