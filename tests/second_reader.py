"""A second reader of the sealed format, written from docs/sealed-format.md alone: it imports nothing of the program.

Where it and the program disagree, one of the two, or the page, is wrong.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id


def u(value: int, bits: int) -> bytes:
    """Return an unsigned big-endian integer (section 1)."""
    return value.to_bytes(bits // 8, "big")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf_extract(salt: bytes, secret: bytes) -> bytes:
    return mac(salt or bytes(32), secret)


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    out, block = b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = mac(key, block + info + bytes([number]))
        out += block
    return out[:length]


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return hkdf_expand(hkdf_extract(salt, secret), info, 32)


# Sections 2 to 5: a change


def read_header(raw: bytes) -> dict[str, Any]:
    """Return the fields of a header; raise `ValueError` for what a reader refuses (section 2)."""
    if len(raw) != 114 or raw[:3] != b"L\x01\x01":
        raise ValueError("not a header of format 1, suite 1")
    header = {
        "kind": raw[3],
        "book": raw[4:20],
        "device": raw[20:36],
        "lane": int.from_bytes(raw[36:38], "big"),
        "seq": int.from_bytes(raw[38:46], "big"),
        "prev": raw[46:78],
        "size": int.from_bytes(raw[78:82], "big"),
        "commitment": raw[82:114],
    }
    if not 1 <= raw[3] <= 8 or header["seq"] == 0:
        raise ValueError("unknown kind, or no place")
    if (header["seq"] == 1) != (header["prev"] == bytes(32)):
        raise ValueError("a first change names none before it, and no other does")
    if (raw[3] >= 4) != (header["lane"] == 0):
        raise ValueError("a kind in a lane that is not its own")
    return header


def change_id(raw: bytes) -> bytes:
    return sha256(raw)


def commitment(body: bytes) -> bytes:
    return sha256(b"lw/commit/v1\0" + body)


def padded_length(length: int) -> int:
    """Return the length that a body travels in (section 4)."""
    m = length + 4
    if m <= 4096:
        return (m + 255) // 256 * 256
    e = m.bit_length() - 1
    s = e.bit_length()
    unit = 1 << (e - s)
    return (m + unit - 1) // unit * unit


def content_key(book: bytes, epoch: int, secret: bytes) -> bytes:
    return hkdf(secret, book, b"lw/content/v1" + u(epoch, 32))


def nonce_key(book: bytes, epoch: int, secret: bytes) -> bytes:
    return hkdf(secret, book, b"lw/nonce/v1" + u(epoch, 32))


def key_commitment(book: bytes, epoch: int, secret: bytes) -> bytes:
    return sha256(b"lw/kc/v1\0" + book + u(epoch, 32) + secret)[:16]


def seal(raw: bytes, body: bytes, epoch: int, secret: bytes) -> bytes:
    """Seal a body (section 4)."""
    book = read_header(raw)["book"]
    padded = (u(len(body), 32) + body).ljust(padded_length(len(body)), b"\0")
    nonce = mac(nonce_key(book, epoch, secret), raw)[:12]
    aead = ChaCha20Poly1305(content_key(book, epoch, secret))
    return u(epoch, 32) + nonce + aead.encrypt(nonce, padded, b"lw/seal/v1\0" + raw + u(epoch, 32))


def open_seal(raw: bytes, sealed: bytes, epoch: int, secret: bytes) -> bytes:
    """Open a seal; raise for what a reader refuses."""
    header = read_header(raw)
    if sealed[:4] != u(epoch, 32) or len(sealed) != header["size"] + 32:
        raise ValueError("another epoch or another size")
    aead = ChaCha20Poly1305(content_key(header["book"], epoch, secret))
    padded = aead.decrypt(sealed[4:16], sealed[16:], b"lw/seal/v1\0" + raw + u(epoch, 32))
    length = int.from_bytes(padded[:4], "big")
    body = padded[4 : 4 + length]
    if len(body) != length or padded_length(length) != len(padded) or commitment(body) != header["commitment"]:
        raise ValueError("not the body that was signed")
    return body


def read_content(body: bytes) -> list[Any]:
    """Return the array of a content body (section 5)."""
    content = msgspec.msgpack.decode(body[16:])
    if not isinstance(content, list) or len(content) < 9:
        raise ValueError("not a content body")
    return content


# Section 6: keys of a book


def ladder_down(book: bytes, epoch: int, secret: bytes, ladder: bytes) -> bytes:
    """Return the secret of the epoch before."""
    aead = ChaCha20Poly1305(content_key(book, epoch, secret))
    return aead.decrypt(ladder[:12], ladder[12:], b"lw/ladder/v1\0" + book + u(epoch, 32))


def hpke_open(private: bytes, sealed: bytes, info: bytes) -> bytes:
    """Open RFC 9180 base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, empty aad."""
    key = X25519PrivateKey.from_private_bytes(private)
    public = key.public_key().public_bytes_raw()
    enc, ciphertext = sealed[:32], sealed[32:]
    shared = key.exchange(X25519PublicKey.from_public_bytes(enc))
    kem = b"KEM" + u(0x0020, 16)
    eae = mac(bytes(32), b"HPKE-v1" + kem + b"eae_prk" + shared)
    secret = hkdf_expand(eae, u(32, 16) + b"HPKE-v1" + kem + b"shared_secret" + enc + public, 32)
    suite = b"HPKE" + u(0x0020, 16) + u(0x0001, 16) + u(0x0003, 16)
    no_psk = mac(bytes(32), b"HPKE-v1" + suite + b"psk_id_hash")
    about = mac(bytes(32), b"HPKE-v1" + suite + b"info_hash" + info)
    context = b"\0" + no_psk + about
    prk = mac(secret, b"HPKE-v1" + suite + b"secret")
    aead_key = hkdf_expand(prk, u(32, 16) + b"HPKE-v1" + suite + b"key" + context, 32)
    nonce = hkdf_expand(prk, u(12, 16) + b"HPKE-v1" + suite + b"base_nonce" + context, 12)
    return ChaCha20Poly1305(aead_key).decrypt(nonce, ciphertext, b"")


# Sections 7 to 11: statements, signatures, numbers, words, invites


def device_id(signing: bytes, unsealing: bytes) -> bytes:
    return sha256(b"lw/dev/v1\0" + b"\x01" + signing + unsealing)[:16]


def root_fingerprint(root: bytes) -> bytes:
    return sha256(b"lw/root/v1\0" + root)[:16]


def is_signed(public: bytes, raw: bytes, signature: bytes) -> bool:
    """Say whether a signature vouches for a change (section 8)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, b"lw/head/v1\0" + change_id(raw))
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it does not vouch
        return False
    return True


def running_digest(book: bytes, ids: list[bytes]) -> bytes:
    """Return the digest after the changes with these ids (section 9)."""
    digest = sha256(b"lw/book/v1\0" + book)
    for n, identity in enumerate(ids, start=1):
        digest = sha256(digest + identity + u(n, 64))
    return digest


def open_name(organisation_key: bytes, person: bytes, sealed: bytes) -> str:
    padded = ChaCha20Poly1305(organisation_key).decrypt(sealed[:12], sealed[12:], b"lw/name/v1\0" + person)
    return padded.rstrip(b"\0").decode()


def team_code(organisation_key: bytes, team: str) -> bytes:
    return mac(organisation_key, b"lw/team/v1\0" + " ".join(team.casefold().split()).encode())[:8]


def words_of(secret: bytes, listed: list[str]) -> list[str]:
    """Return a secret and its checksum as words (section 10)."""
    number = int.from_bytes(secret + sha256(b"lw/words/v1\0" + secret)[:1], "big")
    count = (len(secret) + 1) * 8 // 11
    return [listed[number >> 11 * (count - 1 - at) & 2047] for at in range(count)]


def check_words(x: bytes, listed: list[str]) -> list[str]:
    number = int.from_bytes(sha256(b"lw/check-words/v1\0" + x)[:11], "big")
    return [listed[number >> 11 * (7 - at) & 2047] for at in range(8)]


def invite_id(secret: bytes) -> bytes:
    return sha256(b"lw/invite-id/v1\0" + hkdf(secret, b"", b"lw/invite/v1"))[:16]


def join_proof(secret: bytes, signing: bytes, unsealing: bytes, root: bytes) -> bytes:
    return mac(hkdf(secret, b"", b"lw/invite/v1"), b"lw/join/v1\0" + signing + unsealing + root)


# Section 12: the files of a vault


def read_vault_file(path: Path) -> dict[str, Any]:
    """Return what vault.json says; raise `ValueError` for one that is damaged."""
    raw = path.read_bytes()
    file: dict[str, Any] = json.loads(raw)
    if list(file) != ["format", "vault_id", "slots", "seal", "checksum"] or compact(file) + b"\n" != raw:
        raise ValueError("not written as vault.json is")
    if sha256(compact({**file, "checksum": ""})).hex() != file["checksum"]:
        raise ValueError("damaged")
    return file


def master_key(file: dict[str, Any], kind: str, secret: bytes) -> bytes:
    """Open the slot of a kind; `secret` is the passphrase in UTF-8, or the 21 bytes of the recovery words."""
    slot = next(slot for slot in file["slots"] if slot["kind"] == kind)
    salt = bytes.fromhex(slot["salt"])
    if kind == "passphrase":
        if slot["memory_kib"] < 65536 or slot["iterations"] < 3 or slot["lanes"] < 1:
            raise ValueError("weaker than allowed")
        argon = Argon2id(
            salt=salt, length=32, iterations=slot["iterations"], lanes=slot["lanes"], memory_cost=slot["memory_kib"],
            ad=b"lw/vault/v1",
        )  # fmt: skip
        key = argon.derive(unicodedata.normalize("NFC", " ".join(secret.decode().split())).encode())
    else:
        key = hkdf(secret, salt, b"lw/recovery/v1")
    named = [slot["kind"], slot["salt"], slot["memory_kib"], slot["iterations"], slot["lanes"], file["vault_id"]]
    aead = ChaCha20Poly1305(key)
    master = aead.decrypt(bytes.fromhex(slot["nonce"]), bytes.fromhex(slot["wrapped"]), b"lw/slot/v1\0" + compact(named))
    bare = compact({**file, "seal": "", "checksum": ""})
    if mac(hkdf(master, b"", b"lw/vault-file/v1"), bare).hex() != file["seal"]:
        raise ValueError("altered")
    return master


def read_anchor(path: Path, master: bytes, vault_id: str) -> tuple[int, int, bytes, bool]:
    """Return commits, changes and chain of the newest sound slot of an anchor, and whether it is confirmed."""
    raw = path.read_bytes()
    key = hkdf(master, b"", b"lw/anchor/v1")
    marks = []
    for at in (0, 1):
        slot = raw[at * 4096 : (at + 1) * 4096]
        turn, commits, changes = (int.from_bytes(slot[start : start + 8], "big") for start in (4, 12, 20))
        sound = mac(key, b"lw/anchor/v1\0" + vault_id.encode() + slot[:60]) == slot[60:92]
        kept = mac(key, b"lw/anchor/kept/v1\0" + vault_id.encode() + slot[:60]) == slot[512:544]
        empty = not any(slot[92:512]) and not any(slot[544:]) and (kept or not any(slot[512:544]))
        if len(raw) == 8192 and slot[:4] == b"LWA1" and sound and empty and turn % 2 == at:
            marks.append((turn, (commits, changes, slot[28:60], kept)))
    return max(marks)[1]


def vault_chain(ids: list[bytes]) -> bytes:
    chain = sha256(b"lw/chain/v1")
    for identity in ids:
        chain = sha256(chain + identity)
    return chain


def read_backup(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the key file and the database inside a backup."""
    raw = path.read_bytes()
    length, size = int.from_bytes(raw[8:12], "big"), int.from_bytes(raw[12:20], "big")
    head, database = raw[52 : 52 + length], raw[52 + length :]
    if raw[:8] == b"LWBACK02":
        return json.loads(head), read_files_of_backup(raw, length, size)[0]
    if raw[:8] != b"LWBACK01" or len(database) != size or sha256(head + database) != raw[20:52]:
        raise ValueError("not a whole backup")
    return json.loads(head), database


def read_files_of_backup(raw: bytes, length: int, size: int) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the database and the sealed files, by their digests, inside a backup that has some."""
    head, at = raw[52 : 52 + length], 52 + length
    count = int.from_bytes(raw[at : at + 4], "big")
    listed, at = raw[at : at + 4 + 40 * count], at + 4 + 40 * count
    database, at = raw[at : at + size], at + size
    if len(database) != size or sha256(head + listed + database) != raw[20:52]:
        raise ValueError("not a whole backup")
    found = {}
    for place in range(count):
        entry = listed[4 + 40 * place : 44 + 40 * place]
        sealed = raw[at : at + int.from_bytes(entry[32:], "big")]
        at += len(sealed)
        if sha256(sealed) == entry[:32]:
            found[entry[:32]] = sealed
    return database, found


# Section 14: files that leave a vault or a store


def read_sealed_copy(raw: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the book's id and the sealed files, by their digests, of a sealed copy of one casebook."""
    if raw.startswith(b"lw/sealed-book/v1\0"):
        return msgspec.msgpack.decode(raw[18:])[3], {}
    if not raw.startswith(b"lw/sealed-book/v2\0"):
        raise ValueError("not a sealed copy")
    at = 26 + int.from_bytes(raw[18:26], "big")
    book, files = msgspec.msgpack.decode(raw[26:at])[3], {}
    while any(head := raw[at : at + 40]):
        end = at + 40 + int.from_bytes(head[32:], "big")
        sealed, at = raw[at + 40 : end], end
        if sha256(sealed) == head[:32]:
            files[head[:32]] = sealed
    if len(head) != 40 or at + 40 != len(raw):
        raise ValueError("cut off")
    return book, files


# Section 15: attached files


def open_file(record: dict[str, Any], book: bytes, record_id: bytes, sealed: bytes) -> bytes:
    """Return the file inside its sealed bytes; raise `ValueError` or `InvalidTag` for what a reader refuses."""
    key, digest, size = record["key"], record["digest"], record["size"]
    hexadecimal = all(len(text) == 64 and set(text) <= set("0123456789abcdef") for text in (key, digest))
    if not hexadecimal or not 1 <= size <= 26214400 or sha256(sealed).hex() != digest:
        raise ValueError("not the file of this record")
    cipher, plain = ChaCha20Poly1305(bytes.fromhex(key)), b""
    chunks = [sealed[at : at + 65552] for at in range(0, len(sealed), 65552)]
    for number, chunk in enumerate(chunks):
        nonce = number.to_bytes(11, "big") + bytes([number == len(chunks) - 1])
        plain += cipher.decrypt(nonce, chunk, b"lw/attachment/v1\0" + book + record_id)
    if int.from_bytes(plain[:4], "big") != size or len(plain) != padded_length(size) or any(plain[4 + size :]):
        raise ValueError("a length or a padding that does not fit")
    return plain[4 : 4 + size]


def compact(value: Any) -> bytes:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
