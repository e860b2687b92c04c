"""A real terminal for tests: the program runs in a pseudo-terminal, and what a person would see is read back with pyte.

Nothing waits for a fixed time: `until` waits for words to stand on the screen, and says what stood there when they did not.
"""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

PATIENCE_S = 40.0

KEYS = {
    "enter": "\r", "tab": "\t", "esc": "\x1b", "space": " ", "up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
    "f1": "\x1bOP", "f12": "\x1b[24~", "backspace": "\x7f",
    **{f"ctrl+{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"},
}  # fmt: skip


class Terminal:
    """The program in a terminal of its own. `written` is every byte that it sent."""

    def __init__(
        self, arguments: Sequence[str], *, columns: int = 80, lines: int = 24, environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:  # fmt: skip
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.written = bytearray()
        self._primary, secondary = pty.openpty()
        ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        given = dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8", PYTHONUTF8="1")
        for name in ("LINES", "COLUMNS", "NO_COLOR", "LEADWORKER_VAULT", "LEADWORKER_PASSPHRASE_FILE"):
            given.pop(name, None)
        given.update(environment or {})
        self.process = subprocess.Popen(
            [sys.executable, "-P", *arguments], stdin=secondary, stdout=secondary, stderr=secondary, env=given, cwd=folder,
            start_new_session=True, preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),  # its own controlling terminal
        )  # fmt: skip
        os.close(secondary)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        if self._primary >= 0:
            self.hang_up()

    def hang_up(self) -> None:
        """Take the terminal away, as a window does that is closed: nobody reads or answers from now on."""
        os.close(self._primary)
        self._primary = -1

    def press(self, *keys: str) -> None:
        """Press keys by name, or a single character."""
        for key in keys:
            os.write(self._primary, KEYS.get(key, key).encode())
            self._read(0.02)

    def type(self, text: str) -> None:
        """Type text as a person does, in small pieces."""
        for at in range(0, len(text), 8):
            os.write(self._primary, text[at : at + 8].encode())
            self._read(0.01)

    def until(self, *words: str, gone: str = "") -> str:
        """Wait until all `words` stand on the screen (and `gone` does not); return the screen's text."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self._shows(words, gone):
                while self._read(0.06):  # a picture may come in several pieces: wait for the last
                    pass
                if self._shows(words, gone):
                    return self.text()
            if not self._read(0.1) and self.process.poll() is not None:
                break
        raise AssertionError(f"never on the screen: {words} (or never gone: {gone!r}); the screen was:\n{self.text()}")

    def _shows(self, words: Sequence[str], gone: str) -> bool:
        text = self.text()
        return all(word in text for word in words) and (not gone or gone not in text)

    def ended(self) -> int:
        """Wait until the program has ended; return its exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._read(0.05)
            code = self.process.poll()
            if code is not None:
                while self._read(0.05):
                    pass
                return code
        raise AssertionError(f"the program did not end; the screen was:\n{self.text()}")

    def text(self) -> str:
        """Return what stands on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._primary], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._primary, 65536)
        except OSError:  # the program has let go of the terminal
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)
