"""How far a sync has come, for whoever shows it."""

from __future__ import annotations

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """How far a sync has come: what it is doing, so many changes of so many (0 for not known yet), or so many of a `unit`.

    `doing` is ``receiving``, ``sending``, ``sending a file`` or ``fetching a file``. Of `casebooks` that were not here before,
    so many are `whole`.
    """

    doing: str
    done: int
    of: int
    whole: int = 0
    casebooks: int = 0
    unit: str = ""
