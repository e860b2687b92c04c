"""The real program in a pseudo-terminal: every byte it writes, and the screen as a terminal would show it."""

from __future__ import annotations

import os
import re
import selectors
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import pyte

ROOT = Path(__file__).parent.parent
ANSWER_TO_SYNC_QUERY = b"\x1b[?2026;2$y"


class Terminal:
    """A terminal of 80 by 24 with a program in it."""

    def __init__(self, program: str, *, columns: int = 80, rows: int = 24, environ: dict[str, str] | None = None) -> None:
        import fcntl
        import pty
        import termios

        self.bytes = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/"), "TERM": "xterm-256color", "COLORTERM": "truecolor",
               "LANG": "C.UTF-8", "TZ": "Europe/London", "PYTHONUTF8": "1"}  # fmt: skip
        env.update(environ or {})
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=child, stdout=child, stderr=child, cwd=ROOT, env=env, start_new_session=True
        )
        os.close(child)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._fd, selectors.EVENT_READ)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._fd)

    def read(self, seconds: float = 0.05) -> bool:
        """Take in what was written within `seconds`; say whether there was anything."""
        if not self._selector.select(seconds):
            return False
        try:
            piece = os.read(self._fd, 65536)
        except OSError:
            return False
        self.bytes += piece
        # pyte does not know private CSI with '>' or '$' and would print their letters
        self._stream.feed(re.sub(rb"\x1b\[[>?<=][\d;]*(?:\$[a-z]|u)", b"", piece))
        return bool(piece)

    def wait_for(self, words: str, seconds: float = 30.0) -> str:
        """Wait until `words` are on the screen, and return the screen."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.read()
            if words in self.shown():
                return self.shown()
            if self.process.poll() is not None and not self.read():
                break
        raise AssertionError(f"{words!r} did not appear:\n{self.shown()}")

    def settle(self, quiet: float = 0.4) -> None:
        """Wait until nothing was written for `quiet` seconds."""
        while self.read(quiet):
            pass

    def press(self, *keys: bytes | str) -> None:
        """Type."""
        for key in keys:
            os.write(self._fd, key.encode() if isinstance(key, str) else key)

    def shown(self) -> str:
        """Return the screen in one line of words."""
        return " ".join(" ".join(self.screen.display).split())

    def end(self, seconds: float = 20.0) -> int:
        """Wait until the program has ended and return its exit code."""
        until = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < until:
            self.read()
        self.settle(0.1)
        return self.process.wait(timeout=1)


CTRL_L, CTRL_Q, CTRL_S, CTRL_P, ESC, ENTER, TAB, F1 = b"\x0c", b"\x11", b"\x13", b"\x10", b"\x1b", b"\r", b"\t", b"\x1bOP"
