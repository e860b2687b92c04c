"""What is pasted is text, whatever stands in it (security C.9 item 3).

A terminal says where a paste begins and ends. Between the two, Textual 8.2.8 still reads escape sequences: of a text with
one in it, copied out of another terminal or laid on the clipboard by somebody, the next 32 characters were typed first, in
another place, and those that are keys were obeyed.
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from textual._xterm_parser import XTermParser
from textual.message import Message

ESCAPE = "\x1b"
BEGINS = "\x1b[200~"
ENDS = "\x1b[201~"

_feed = XTermParser.feed


class Pastes:
    """Takes the escapes out of what is pasted, in whatever pieces it comes; everything else goes through at once."""

    def __init__(self) -> None:
        self._inside = False
        self._before = ""
        self._held = ""

    def without_escapes(self, data: str) -> str:
        """Return what the next piece of input is to be read as; empty when its end is not known yet."""
        data, self._held = self._held + data, ""
        said: list[str] = []
        while data:
            piece, data = self._pasted(data) if self._inside else self._typed(data)
            said.append(piece)
        return "".join(said)

    def _typed(self, data: str) -> tuple[str, str]:
        whole = self._before + data
        at = whole.find(BEGINS)
        if at < 0:
            self._before = whole[1 - len(BEGINS) :]
            return data, ""
        cut = at + len(BEGINS) - len(self._before)
        self._inside, self._before = True, ""
        return data[:cut], data[cut:]

    def _pasted(self, data: str) -> tuple[str, str]:
        words, end, rest = data.partition(ENDS)
        if end:
            self._inside = False
        else:
            part = next((n for n in range(len(ENDS) - 1, 0, -1) if words.endswith(ENDS[:n])), 0)
            words, self._held = words[: len(words) - part], words[len(words) - part :]
        return words.replace(ESCAPE, "") + end, rest


_pastes: WeakKeyDictionary[XTermParser, Pastes] = WeakKeyDictionary()


def _feed_without_escapes(self: XTermParser, data: str) -> Iterable[Message]:
    """Stand in for `XTermParser.feed`; an empty piece means the end of the input, and is only given on as that."""
    if not data:
        return _feed(self, data)
    read = _pastes.setdefault(self, Pastes()).without_escapes(data)
    return _feed(self, read) if read else ()


def install() -> None:
    """Put it in place. Doing it twice changes nothing."""
    setattr(XTermParser, "feed", _feed_without_escapes)  # noqa: B010
