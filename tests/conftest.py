"""What every test has: the rooms importable, examples that are the same on every run, and a key derivation at its floor."""

from __future__ import annotations

import leadworker  # first: it makes `screens`, `storage` and `sync` importable from an installed wheel

# isort: split
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from leadworker.crypto import keys

assert leadworker.__version__

# The gate tries the same examples on every machine, so that a red run is red again. `HYPOTHESIS_PROFILE=search` looks for
# new ones and says how to repeat what it finds. No deadline: a busy machine is no fault of the code.
_SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("gate", derandomize=True, database=None, deadline=None, print_blob=False, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile("search", max_examples=2000, deadline=None, print_blob=True, suppress_health_check=_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


@pytest.fixture(scope="session", autouse=True)
def argon2_at_its_floor() -> Iterator[None]:
    """Make vaults with the least memory that the format allows: as safe a format, a fifth of the time.

    A test of the calibration itself takes the function by name: ``from leadworker.crypto.keys import calibrate``.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "calibrate", lambda: keys.FLOOR_KIB)
        yield
