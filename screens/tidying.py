"""Clears away what a closed page leaves behind, a moment later, page by page.

A page is about six thousand things that point at one another. Left to the language, the remains of several were looked through
at once, now and then while a colleague's note came in: about 65 ms. One page's take 14 to 38 ms, when the next one stands already.
"""

from __future__ import annotations

import asyncio
import gc
from typing import Any, Final

from textual.app import App

SOON_S: Final = 0.15
"""Seconds after a page has closed: the next one is painted, and nobody has read far enough to press a key."""

SELDOM: Final = (700, 10, 50)
"""How seldom the language looks through everything by itself: a fifth as often as usual, since pages are cleared away."""


def after_closing(app: App[Any]) -> None:
    """Clear away what a page leaves, unless the program has ended by then."""
    asyncio.get_running_loop().call_later(SOON_S, _clear, app)


def _clear(app: App[Any]) -> None:
    if app.is_running:
        gc.collect()
