"""What a store makes at its first start: its own signing key, and the one-time code that founds its organisation."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

from sync.hub.rules import Refusal
from sync.hub.statements import DIRECTORY_SETTING
from sync.hub.store import Session

KEY_SETTING: Final = "signing_key"
SETUP_SETTING: Final = "setup_code_hash"
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LETTERS: Final = 20


def first_start(session: Session, new_setup_code: bool) -> tuple[bytes, str, bool]:
    """Return the store's private key, a set-up code if one was made now, and whether an organisation is there."""
    secret = session.setting(KEY_SETTING)
    if secret is None:
        secret = secrets.token_bytes(32)
        session.keep_setting(KEY_SETTING, secret)
    if session.setting(DIRECTORY_SETTING) is not None:
        return secret, "", True
    kept = session.setting(SETUP_SETTING)
    if kept is not None and not new_setup_code:
        return secret, "", False
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LETTERS))
    if kept is None:
        session.keep_setting(SETUP_SETTING, _code_hash(code))
    else:
        session.replace_setting(SETUP_SETTING, _code_hash(code))
    return secret, "-".join(code[place : place + 4] for place in range(0, _CODE_LETTERS, 4)), False


def check_code(given: str, kept: bytes | None) -> None:
    """Raise `Refusal` unless a code is the one whose hash the store keeps."""
    if kept is None or not hmac.compare_digest(_code_hash(given), kept):
        raise Refusal(
            "setup_code_wrong",
            "This is not the set-up code that the central store showed when it first started. Nothing was changed. "
            "Look at the store's console, or ask whoever runs it for a new code.",
            403,
        )


def _code_hash(code: str) -> bytes:
    """Return what is kept of a set-up code: 100 random bits need no slow hash. Dashes, case, O and I are forgiven."""
    plain = code.upper().translate(str.maketrans("OIL", "011", "- \t"))
    return hashlib.sha256(b"lw/setup/v1\0" + plain.encode()).digest()
