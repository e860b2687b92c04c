"""Where things are: the vault's folder, by option, environment or the platform's user data folder."""

from __future__ import annotations

import os
from pathlib import Path

VAULT_VARIABLE = "LEADWORKER_VAULT"
PASSPHRASE_FILE_VARIABLE = "LEADWORKER_PASSPHRASE_FILE"


def vault_folder(named: str = "") -> Path:
    """Return the folder of the vault that was named, else the one of this account."""
    if named or os.environ.get(VAULT_VARIABLE):
        return Path(named or os.environ[VAULT_VARIABLE]).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path("leadworker", appauthor=False) / "vault"
