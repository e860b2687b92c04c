"""Which database a command about the central store means, and the words where the store's parts are not installed."""

from __future__ import annotations

import os
from typing import Annotated

from leadworker.errors import LeadworkerError
from leadworker.plain.command import option

DATABASE_VARIABLE = "LEADWORKER_HUB_DATABASE"

Database = Annotated[
    str,
    option(
        "--database",
        "DATABASE",
        f"A file, or a postgresql:// address; also in {DATABASE_VARIABLE}, where no other account sees it.",
    ),
]


def named_database(given: str) -> str:
    """Return the database that was named, here or in the environment, or the usual one."""
    return given or os.environ.get(DATABASE_VARIABLE, "") or _usual_database()


def hub_parts_missing() -> LeadworkerError:
    """Return the error of a machine that has only a laptop's parts."""
    return LeadworkerError(
        "The central store's parts are not installed here. Install leadworker with its “hub” extra: leadworker[hub]. "
        "A laptop does not need them."
    )


def _usual_database() -> str:
    from platformdirs import user_data_path

    path = user_data_path("leadworker-hub", appauthor=False, ensure_exists=True)
    return str(path / "store.db")
