"""Opens the sealed key files that a set-up left in people's hands: the root's, and the escrow key's by two officers (C.10)."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from leadworker.crypto.identity import Identity
from leadworker.errors import NotUnderstood
from leadworker.plain import secret

_KEY = re.compile(r"^Key: ([0-9a-f]{64})$", re.MULTILINE)
_FINGERPRINT = re.compile(r"^Root fingerprint: ([0-9a-f]{32})$", re.MULTILINE)
_UNUSED = bytes(range(32))


def root_passphrase(file: Path | None) -> str:
    """Return the root's passphrase from a file that was named, else ask for it."""
    return secret.first_line(file) if file is not None else secret.ask("Root's passphrase: ", "--root-passphrase-file")


def officers_passphrases(first: Path | None, second: Path | None) -> tuple[str, str]:
    """Return the passphrases of two officers, the lower number's first, from files that were named, else ask for them."""
    asked = (
        (first, "Passphrase of the officer with the lower number: ", "--first-passphrase-file"),
        (second, "Passphrase of the other officer: ", "--second-passphrase-file"),
    )
    one, other = (secret.first_line(file) if file is not None else secret.ask(words, option) for file, words, option in asked)
    return one, other


def open_root(file: Path, words: str) -> Identity:
    """Return the root's signing key from its file; raise `NotUnderstood`."""
    text = _opened(_read(file), words, "the root's passphrase").decode("utf-8", "replace")
    return Identity(_key(text, "root signing key"), _UNUSED)


def open_escrow(file: Path, first: str, second: str) -> tuple[Identity, bytes]:
    """Return the escrow key and the root's fingerprint from an officers' file, with both passphrases; raise `NotUnderstood`.

    The passphrase of the officer with the lower number comes first.
    """
    inner = _opened(_read(file), first, "the first officer's passphrase")
    text = _opened(inner, second, "the second officer's passphrase").decode("utf-8", "replace")
    fingerprint = _FINGERPRINT.search(text)
    if fingerprint is None:
        raise _not_a_key_file()
    return Identity(_UNUSED, _key(text, "escrow private key")), bytes.fromhex(fingerprint[1])


def _read(file: Path) -> bytes:
    return secret.whole_text(file, "The key file").encode()


def _opened(sealed: bytes, words: str, whose: str) -> bytes:
    try:
        return bytes(importlib.import_module("pyrage").passphrase.decrypt(sealed, " ".join(words.split())))
    except ImportError as error:
        raise NotUnderstood("The part that opens key files, pyrage, is not installed. Install leadworker again.") from error
    except Exception as error:
        raise NotUnderstood(f"This does not open with {whose}, or the file is damaged. Nothing was opened. Try it again.") from error


def _key(text: str, what: str) -> bytes:
    found = _KEY.search(text)
    if found is None or what not in text:
        raise _not_a_key_file()
    return bytes.fromhex(found[1])


def _not_a_key_file() -> NotUnderstood:
    return NotUnderstood("This file opens, but is not the key file that is needed here. Nothing was done. Take the right file.")
