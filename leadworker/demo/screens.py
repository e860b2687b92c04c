"""The screens of the demo: opened on Today the first time; after a lock they ask for the passphrase as always.

``python -m leadworker.demo.screens --vault FOLDER``
"""

from __future__ import annotations

import sys
from pathlib import Path

from leadworker import wiring
from leadworker.demo import PASSPHRASE


def main(folder: str) -> int:
    """Run the screens on the demo's vault; return the exit code."""
    return wiring.run_screens(Path(folder), passphrase=PASSPHRASE, after_lock=f"The demo's passphrase is: {PASSPHRASE}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
