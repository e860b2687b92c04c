"""leadworker: one key worker holds the whole person.

Importing this package makes the three rooms beside it (``screens``, ``storage``, ``sync``) importable
when it was installed from a wheel, where they travel under ``leadworker/_rooms`` so that no generic
name lands in a user's site-packages (docs/decisions/0001).
"""

import sys
from pathlib import Path

__version__ = "0.1.0"

_rooms = Path(__file__).with_name("_rooms")
if _rooms.is_dir() and str(_rooms) not in sys.path:
    sys.path.insert(0, str(_rooms))
