"""From nothing to the unlock screen, from the key to a usable Today, and the memory of a day."""

from __future__ import annotations

import os
import pty
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.load import PASSPHRASE
from bench.timing import Row, ms, timed
from leadworker.crypto import keys
from leadworker.domain import caseload, journal, today
from storage import opening

_EMPTY = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class Empty(App):\n    def compose(self):\n        yield Static('empty-app-is-here')\nEmpty().run()\n"
)
STARTS = 9
PATIENCE_S = 30


def cold_start(vault: Path) -> list[Row]:
    """The first paint of the unlock screen beside an empty Textual app, each in a terminal of its own."""
    ours = [sys.executable, "-P", "-m", "leadworker", "--vault", str(vault)]
    theirs = [sys.executable, "-P", "-c", _EMPTY]
    _paint(ours, b"assphrase"), _paint(theirs, b"empty-app")
    mine, other = [], []
    for _ in range(STARTS):
        mine.append(_paint(ours, b"assphrase"))
        other.append(_paint(theirs, b"empty-app"))
    a, b = statistics.median(mine), statistics.median(other)
    return [Row("cold start to the unlock screen's first paint", ms(a), ms(b), a / b, "≤ 1.5", a / b <= 1.5)]


def unlocking(vault: Path) -> list[Row]:
    """What opening costs beyond the key derivation, through to the values of Today."""
    from leadworker.desk import Desk
    from storage import vault_file

    file, _ = vault_file.read(vault)
    derivation = statistics.median(timed(lambda: keys.open_with_passphrase(file.slots, PASSPHRASE, file.vault_id)) for _ in range(3))
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        opened = opening.open_with_passphrase(vault, PASSPHRASE, purpose="bench")
        Desk(opened, opened.name).ask_now(today.today)
        seconds.append(time.perf_counter() - started - derivation)
        opened.close()
    beyond = statistics.median(seconds)
    return [Row("unlocked to usable, beyond the key derivation", ms(beyond), ms(derivation), None, "< 400 ms", beyond < 0.4)]


def memory(vault: Path) -> list[Row]:
    """The memory of a process that opens the vault and does a day's reading."""
    code = "import sys; from bench.starting import day; day(sys.argv[1])"
    out = subprocess.run([sys.executable, "-P", "-c", code, str(vault)], capture_output=True, text=True, check=True, cwd=_here())
    megabytes = float(out.stdout.split()[-1])
    return [Row("memory at reference load, a day's reading", f"{megabytes:.0f} MB", "", None, "< 250 MB", megabytes < 250)]


def day(folder: str) -> None:
    """Open, look at Today, the caseload, twenty timelines and twenty searches; print the megabytes at their highest."""
    import screens.app  # noqa: F401 - its memory counts
    from leadworker.desk import Desk

    opened = opening.open_with_passphrase(Path(folder), PASSPHRASE, purpose="bench")
    desk = Desk(opened, opened.name)
    desk.ask_now(today.today)
    everybody = desk.ask_now(caseload.mine)
    desk.ask_now(caseload.known_people)
    for person in everybody[:20]:
        desk.ask_now(journal.timeline, person.id)
        desk.ask_now(journal.find, person.name.split()[0])
    opened.close()
    print(_most_megabytes())


def _most_megabytes() -> float:
    """Return this process's own peak. `ru_maxrss` would be its parent's, where that was larger when it began."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def _paint(command: list[str], wanted: bytes) -> float:
    primary, secondary = pty.openpty()
    started = time.perf_counter()
    environment = dict(os.environ, TERM="xterm-256color", COLUMNS="100", LINES="30")
    process = subprocess.Popen(  # Textual draws on standard error
        command, stdin=secondary, stdout=secondary, stderr=secondary, env=environment, cwd=_here()
    )
    os.close(secondary)
    seen = b""
    try:
        while wanted not in seen:
            if time.perf_counter() - started > PATIENCE_S:
                raise TimeoutError(f"{wanted!r} was never painted")
            if select.select([primary], [], [], 0.05)[0]:
                seen += os.read(primary, 65536)
        return time.perf_counter() - started
    finally:
        process.kill()
        process.wait()
        os.close(primary)


def _here() -> Path:
    return Path(__file__).resolve().parent.parent
