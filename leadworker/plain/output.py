"""The last line before the terminal: whatever a command prints goes out here, with nothing in it that a terminal obeys.

A closed pipe is no trouble: what was to be done has been done, and the rest of the words go nowhere.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO

import msgspec

from leadworker.errors import NotUnderstood
from leadworker.text import clean

QUIET_S = 1.0
"""Work that takes longer than so many seconds says how far it has come."""

_PLAINER = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "..."})


def say(*lines: str) -> None:
    """Print lines on standard output."""
    for line in lines:
        _write(sys.stdout, _cleaned(line))


def warn(*lines: str) -> None:
    """Print lines on standard error: notices, and how far something has come."""
    for line in lines:
        _write(sys.stderr, _cleaned(line))


def tell(document: msgspec.Struct, lines: Iterable[str], *, as_json: bool) -> None:
    """Print what a command found out: as sentences, or as one JSON document."""
    if as_json:
        _write(sys.stdout, _harmless(document, _speaks_unicode(sys.stdout)))
    else:
        say(*lines)


def hand_over(document: msgspec.Struct, lines: Iterable[str], *, as_json: bool) -> None:
    """Print what is shown once and kept nowhere; raise `NotUnderstood` when nobody can have seen it.

    Called before the change that makes it needed: a passphrase that went nowhere would lock somebody out.
    """
    stream = sys.stdout
    text = _harmless(document, _speaks_unicode(stream)) if as_json else "\n".join(clean(line) for line in lines)
    try:
        if stream is None:
            raise OSError
        _put(stream, text)
        stream.flush()
    except (OSError, ValueError) as error:
        _stop_writing(stream)
        raise NotUnderstood("What is shown only once could not be printed here. Nothing was changed.") from error


def tell_trouble(code: str, sentence: str, *, as_json: bool) -> None:
    """Print on standard error what went wrong: a sentence, or ``{"error": code, "sentence": …}``."""
    if as_json:
        _write(sys.stderr, _harmless({"error": code, "sentence": clean(sentence)}, _speaks_unicode(sys.stderr)))
    else:
        warn(sentence)


def finish() -> None:
    """Send what is still on its way, so that a pipe that was closed is noticed here and not by the interpreter."""
    for stream in (sys.stdout, sys.stderr):
        with _through(stream):
            if stream is not None:
                stream.flush()


class Progress:
    """Says on standard error how far something has come, at most once a second and not in the first one."""

    def __init__(self, words: str, *, silent: bool = False) -> None:
        """`words` go before the figures: ``Imported``."""
        self._words = words
        self._silent = silent
        self._said = time.monotonic()

    def at(self, done: int, of: int) -> None:
        """Note that so many of so many are done."""
        now = time.monotonic()
        if not self._silent and now - self._said > QUIET_S:
            self._said = now
            warn(f"{self._words} {done:,} of {of:,} …" if of else f"{self._words} {done:,} …")


def _cleaned(line: str) -> str:
    """Return a line with nothing in it that a terminal obeys; one that is far too long goes on beneath, moved in as it is."""
    if "\n" in line:
        return clean(line)
    indent = line[: len(line) - len(line.lstrip(" "))]
    return clean(line).replace("\n", f"\n{indent}")


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:  # a program that was started without any
        return
    with _through(stream):
        _put(stream, text)


def _put(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    if not _speaks_unicode(stream):
        text = text.translate(_PLAINER).encode(encoding, "replace").decode(encoding)
    stream.write(text.encode("utf-8", "replace").decode("utf-8") + "\n")


@contextlib.contextmanager
def _through(stream: TextIO | None) -> Iterator[None]:
    try:
        yield
    except (BrokenPipeError, ValueError):
        _stop_writing(stream)
    except OSError:  # full, or failing: what was to be done has been done, and is not told as undone
        _stop_writing(stream)
        if stream is sys.stdout:
            warn("It was done, but the answer could not be written out.")


def _stop_writing(stream: TextIO | None) -> None:
    """Point a stream whose other end is gone at nothing, so that closing it at the end finds no fault either."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno() if stream is not None else -1)
        os.close(nowhere)


def _speaks_unicode(stream: TextIO | None) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return str(encoding).lower().replace("_", "-").startswith("utf")


def _harmless(document: object, unicode: bool) -> str:
    """Return a document as JSON in which whatever a terminal might obey is written as its number; nothing is lost by it."""
    text = msgspec.json.encode(_without_surrogates(msgspec.to_builtins(document))).decode()
    return "".join(c if " " <= c <= "~" or (unicode and c.isprintable()) else _escaped(c) for c in text)


def _without_surrogates(value: object) -> object:
    """A file's name may hold bytes that are no text; JSON cannot, and what was done must still be told."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {str(name): _without_surrogates(inside) for name, inside in value.items()}
        case list() | tuple():
            return [_without_surrogates(inside) for inside in value]
        case _:
            return value


def _escaped(character: str) -> str:
    raw = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{raw[at]:02x}{raw[at + 1]:02x}" for at in range(0, len(raw), 2))
