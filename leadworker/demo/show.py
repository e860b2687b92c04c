"""The demo in a terminal: the screens open on Today; behind them a central store and two colleagues are at work.

The screens run in a process of their own, so that a lock can replace it as it always does.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import datetime

from leadworker.demo.clock import StoryClock
from leadworker.demo.stage import ALEX, PRIYA, RUTH, Laptop, Stage
from leadworker.demo.town import tell
from leadworker.errors import LeadworkerError

COLLEAGUE_EVERY_S = 20.0


def show() -> int:
    """Prepare the stage, run the screens on it, and throw it away."""
    try:
        with Stage() as stage:
            return _show(stage)
    except LeadworkerError as error:
        print(f"The demo stopped: {error.sentence}", file=sys.stderr)
        return 1


def _show(stage: Stage) -> int:
    print("Preparing an invented town, a central store and two colleagues …", flush=True)
    story = StoryClock()
    alex, ruth, priya = stage.laptop(ALEX, story), stage.laptop(RUTH), stage.laptop(PRIYA)
    try:
        tell(alex.desk, story, datetime.now().astimezone())
        stage.set_up(ruth, alex, priya)
        asyncio.run(alex.sync())
    finally:
        alex.close()
        priya.close()
    done = threading.Event()
    office = threading.Thread(target=_receive_now_and_then, args=(ruth, done), daemon=True)
    office.start()
    try:
        command = [sys.executable, "-P", "-m", "leadworker.demo.screens", "--vault", str(alex.folder)]
        return subprocess.run(command, check=False).returncode
    finally:
        done.set()
        office.join()
        ruth.close()
        print("The demo is over; everything in it was thrown away again.")


def _receive_now_and_then(ruth: Laptop, done: threading.Event) -> None:
    """Ruth's laptop receives as it would in the office."""
    while not done.wait(COLLEAGUE_EVERY_S):
        try:
            asyncio.run(ruth.sync())
        except LeadworkerError:
            continue  # the next round tries again, as the runner does
