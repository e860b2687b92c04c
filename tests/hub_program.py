"""A central store as a process of its own, as whoever runs it for an organisation starts it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from sync import wire


@dataclass
class Program:
    """A store that runs as a process of its own."""

    process: subprocess.Popen[str]
    url: str
    setup_code: str
    """Empty when the store says that the code was shown before."""


@contextlib.contextmanager
def program(database: str, log: Path, **options: str) -> Iterator[Program]:
    """Run ``serve`` in a subprocess until the end of the block, or until it is killed."""
    said = ", ".join(f"{name}={value}" for name, value in options.items())
    code = f"import leadworker; from sync.hub.serve import serve; serve({database!r}, port=0, {said})"
    with log.open("a") as errors:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    impatient = threading.Timer(60, process.kill)  # so that a store that hangs fails the test and does not stop it
    impatient.start()
    try:
        first = process.stdout.readline()
        assert first.startswith("The central store listens on "), log.read_text()
        url = first.split()[-1]
        with httpx.Client(base_url=url, verify=False) as http:  # noqa: S501 - a certificate that the test made
            founded = wire.read(wire.Organisation, http.get("/v1/organisation").content).book
        second = "" if founded else process.stdout.readline()
        yield Program(process, url, second.split()[-1] if second.startswith("Set-up code") else "")
    finally:
        impatient.cancel()
        if process.poll() is None:
            process.terminate()
            process.wait(20)
        process.stdout.close()


def now_ms() -> int:
    """Return milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000
