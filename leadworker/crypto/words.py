"""Secrets as words that people can write down, read aloud and type: 11 bits a word from a list of 2048.

The list is BIP-39's English one (see NOTICE): no two words share their first four letters, so a word may be
shortened to them and a slip of the pen is found.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache
from importlib.resources import files
from typing import Final

from leadworker.errors import NotUnderstood

BITS: Final = 11
PASSPHRASE_WORDS: Final = 6
"""Six words are 66 bits: with Argon2id beyond any attacker who has to guess (C.2)."""

RECOVERY_WORDS: Final = 16
"""Sixteen words are 176 bits, of which the last 8 are a checksum: strong enough to need no slow derivation."""


@lru_cache(maxsize=1)
def word_list() -> tuple[str, ...]:
    """Return the 2048 words in their order."""
    return tuple(files("leadworker.crypto").joinpath("words.txt").read_text("ascii").split())


@lru_cache(maxsize=1)
def _index() -> dict[str, int]:
    return {word[:4]: at for at, word in enumerate(word_list())}


def suggest_passphrase() -> str:
    """Return a fresh passphrase of `PASSPHRASE_WORDS` random words with spaces between them."""
    return " ".join(secrets.choice(word_list()) for _ in range(PASSPHRASE_WORDS))


def new_recovery_secret() -> bytes:
    """Return 21 random bytes: what sixteen recovery words carry beside their checksum."""
    return secrets.token_bytes(RECOVERY_WORDS * BITS // 8 - 1)


def to_words(secret: bytes) -> tuple[str, ...]:
    """Return `secret` and a checksum byte as words. The length in bits with the checksum must divide by 11."""
    raw = secret + _checksum(secret)
    bits = len(raw) * 8
    if bits % BITS:
        raise ValueError(f"{bits} bits do not make whole words")
    number = int.from_bytes(raw, "big")
    return tuple(word_list()[number >> shift & 2047] for shift in range(bits - BITS, -1, -BITS))


def from_words(text: str, count: int) -> bytes:
    """Return the secret that `count` words carry; case, punctuation and numbering between them do not matter.

    Raises `NotUnderstood` naming the word that is not in the list, a wrong count, or a checksum that does not fit.
    """
    words = fold_words(text)
    if len(words) != count:
        raise NotUnderstood(f"There should be {count} words, and these are {len(words)}. Nothing was changed.")
    number = 0
    for word in words:
        number = number << BITS | _index()[word[:4]]
    raw = number.to_bytes(count * BITS // 8, "big")
    if _checksum(raw[:-1]) != raw[-1:]:
        raise NotUnderstood("All the words are known, but together they do not fit: one of them is wrong or two have changed places.")
    return raw[:-1]


def fold_words(text: str) -> tuple[str, ...]:
    """Return the words that somebody typed, each in full; case, punctuation and numbering between them do not matter.

    Raises `NotUnderstood` naming the first that is not in the list.
    """
    words = "".join(c if c.isalpha() else " " for c in text.casefold()).split()
    unknown = [word for word in words if word[:4] not in _index() or not _is_spelt(word)]
    if unknown:
        raise NotUnderstood(f"“{unknown[0][:20]}” is not one of the words that leadworker uses. Check its spelling; nothing was changed.")
    return tuple(word_list()[_index()[word[:4]]] for word in words)


def _is_spelt(word: str) -> bool:
    full = word_list()[_index()[word[:4]]]
    return full == word or (len(word) == 4 and full.startswith(word))


def _checksum(secret: bytes) -> bytes:
    return hashlib.sha256(b"lw/words/v1\0" + secret).digest()[:1]


def check_words(digest: bytes, count: int = 8) -> tuple[str, ...]:
    """Return the first `count` words of a hash, for two people to compare aloud (C.4, C.8): 11 bits each."""
    number = int.from_bytes(hashlib.sha256(b"lw/check-words/v1\0" + digest).digest(), "big")
    return tuple(word_list()[number >> (256 - BITS * (at + 1)) & 2047] for at in range(count))
