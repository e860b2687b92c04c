"""The long run: ``make soak SEEDS=from:to``. Says every hundred seeds that it goes on, and of a seed that fails how to see it again."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulator.running import Failed, run

LONG = 40


def main() -> int:
    """Run seeds; return 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.soak", description=__doc__)
    parser.add_argument("seeds", help="from:to, the last one not included")
    parser.add_argument("--steps", type=int, default=LONG, help="how much happens in each world")
    parser.add_argument("--once", action="store_true", help="run each seed once; else twice, and compare the traces")
    given = parser.parse_args()
    first, last = (int(part) for part in given.seeds.split(":"))
    failed, begun = [], time.monotonic()
    for done, seed in enumerate(range(first, last), start=1):
        try:
            trace = run(seed, given.steps)
            if not given.once and run(seed, given.steps) != trace:
                raise Failed(f"seed {seed}: the same seed made another trace")
        except Failed as error:
            failed.append(seed)
            print(error, flush=True)
        if done % 100 == 0:
            print(f"{done} seeds, {time.monotonic() - begun:.0f} s, {len(failed)} failed {failed}", flush=True)
    print(f"Seeds {given.seeds}: {len(failed)} failed {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
