"""Where things are: the vault's folder, by option, environment or the platform's user data folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from leadworker.errors import NotUnderstood

VAULT_VARIABLE = "LEADWORKER_VAULT"
PASSPHRASE_FILE_VARIABLE = "LEADWORKER_PASSPHRASE_FILE"


def vault_folder(named: str = "") -> Path:
    """Return the folder of the vault that was named, else the one of this account.

    Raises `NotUnderstood` for a name that no folder can have.
    """
    if named or os.environ.get(VAULT_VARIABLE):
        folder = Path(named or os.environ[VAULT_VARIABLE]).expanduser().absolute()
        _refuse_too_long(folder)
        return folder
    from platformdirs import user_data_path

    return user_data_path("leadworker", appauthor=False) / "vault"


def _refuse_too_long(folder: Path) -> None:
    """Raise before anything is looked for there: every question about such a name is an error of its own."""
    try:
        os.lstat(folder)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise NotUnderstood(
                "The vault's folder has a name that is longer than a disk can take. Name a shorter one with --vault. Nothing was changed."
            ) from None
