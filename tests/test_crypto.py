"""Keys, seals, signatures and words: what may be believed, and that the library still does what the RFCs say.

That the bytes are those of docs/sealed-format.md is shown in test_sealed_format.py, with a reader that shares no code.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given, settings
from hypothesis import strategies as st

from leadworker import change, proof
from leadworker.change import Content, Header, Kind
from leadworker.crypto import identity, keys, words
from leadworker.crypto.envelope import BookKey, key_info, sealed_epoch
from leadworker.crypto.identity import CannotOpen, Identity, InviteSecret
from leadworker.crypto.keys import Slot, calibrate
from leadworker.errors import NotUnderstood, VaultDamaged, WrongPassphrase

VAULT = "00112233445566778899aabbccddeeff"
MASTER = bytes(range(32))
VECTORS = Path(__file__).with_name("vectors") / "vault-keys.json"
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493


# Published vectors: they guard against a change in the library


def test_ed25519_is_that_of_rfc_8032() -> None:
    for secret, public, message, signature in (
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ):
        signer = Identity(bytes.fromhex(secret), bytes(32))
        assert signer.signing_public.hex() == public
        assert signer.sign(b"", bytes.fromhex(message)).hex() == signature
        assert proof.is_signed(bytes.fromhex(public), b"", bytes.fromhex(message), bytes.fromhex(signature))


def test_chacha20_poly1305_is_that_of_rfc_8439() -> None:
    plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    sealed = ChaCha20Poly1305(bytes(range(0x80, 0xA0))).encrypt(
        bytes.fromhex("070000004041424344454647"), plaintext, bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    )
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"


def test_argon2id_is_that_of_rfc_9106() -> None:
    derived = Argon2id(salt=b"\2" * 16, length=32, iterations=3, lanes=4, memory_cost=32, ad=b"\4" * 12, secret=b"\3" * 8).derive(
        b"\1" * 32
    )
    assert derived.hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"


def test_what_is_sealed_to_a_device_is_opened_as_rfc_9180_says() -> None:
    """A.2.1: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305; key and nonce as the RFC derives them."""
    sender = bytes.fromhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a")
    receiver = bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
    info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
    key = ChaCha20Poly1305(bytes.fromhex("ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91"))
    nonce = bytes.fromhex("5c4d98150661b848853b547f")
    words_of_rfc = b"Beauty is truth, truth beauty"
    published = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    assert key.encrypt(nonce, words_of_rfc, b"Count-0").hex() == published
    device = Identity(bytes(32), receiver)
    assert device.unsealing_public.hex() == "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
    assert device.unseal(sender + key.encrypt(nonce, words_of_rfc, b""), info) == words_of_rfc
    with pytest.raises(CannotOpen):
        device.unseal(sender + bytes.fromhex(published), info)  # sealed with another purpose beside it


# Slots: from a passphrase or words to the master key


@pytest.fixture(scope="module")
def slots() -> tuple[Slot, Slot]:
    return keys.passphrase_slot(MASTER, "plum tidy orbit", VAULT, keys.FLOOR_KIB), keys.recovery_slot(MASTER, bytes(21), VAULT)


def test_a_slot_opens_with_its_own_secret_in_its_own_vault_and_no_other(slots: tuple[Slot, Slot]) -> None:
    assert keys.open_with_passphrase(slots, "plum  tidy orbit\n", VAULT) == MASTER
    assert keys.open_with_recovery(slots, bytes(21), VAULT) == MASTER
    for slot in slots:
        assert MASTER.hex() not in repr(slot)
    with pytest.raises(WrongPassphrase):
        keys.open_with_passphrase(slots, "plum tidy orbi", VAULT)
    with pytest.raises(WrongPassphrase):
        keys.open_with_passphrase(slots, "plum tidy orbit", VAULT[::-1])
    with pytest.raises(WrongPassphrase):
        keys.open_with_recovery(slots, bytes(20) + b"\1", VAULT)
    with pytest.raises(WrongPassphrase):
        keys.open_with_recovery(slots[:1], bytes(21), VAULT)
    with pytest.raises(WrongPassphrase):
        keys.open_with_passphrase(slots[1:], "plum tidy orbit", VAULT)


@pytest.mark.parametrize(
    ("altered", "words_of_refusal"),
    [
        ({"memory_kib": keys.FLOOR_KIB - 1}, "weaker protection"),
        ({"memory_kib": 8}, "weaker protection"),
        ({"memory_kib": 0}, "weaker protection"),
        ({"iterations": 2}, "weaker protection"),
        ({"lanes": 0}, "weaker protection"),
        ({"lanes": -1}, "weaker protection"),
        ({"memory_kib": keys.CEILING_KIB + 1}, "more memory"),
        ({"iterations": 65}, "more memory"),
        ({"lanes": 65}, "more memory"),
        ({"salt": ""}, "never writes"),
        ({"salt": "zz" * 16}, "never writes"),
        ({"salt": "00" * 15}, "never writes"),
        ({"salt": "AB" * 16}, "never writes"),
        ({"nonce": "00" * 11}, "never writes"),
        ({"wrapped": "00" * 47}, "never writes"),
        ({"wrapped": "é"}, "never writes"),
    ],
)
def test_parameters_that_leadworker_never_writes_are_refused_not_honoured(
    altered: dict[str, object], words_of_refusal: str, slots: tuple[Slot, Slot]
) -> None:
    slot = msgspec.structs.replace(slots[0], **altered)
    with pytest.raises(VaultDamaged, match=f"{words_of_refusal}.*altered. Nothing was opened. Put back"):
        keys.open_with_passphrase((slot,), "plum tidy orbit", VAULT)


def test_a_slot_whose_parameters_were_changed_within_bounds_does_not_open(slots: tuple[Slot, Slot]) -> None:
    """The parameters are bound to the wrapping, so that nobody can move it to others unseen."""
    for altered in (
        {"memory_kib": keys.FLOOR_KIB + 1024}, {"iterations": 4}, {"lanes": 5}, {"salt": "00" * 16}, {"nonce": "00" * 12},
        {"wrapped": "00" * 48},
    ):  # fmt: skip
        with pytest.raises(WrongPassphrase):
            keys.open_with_passphrase((msgspec.structs.replace(slots[0], **altered),), "plum tidy orbit", VAULT)
    as_recovery = msgspec.structs.replace(slots[0], kind="recovery")
    with pytest.raises(WrongPassphrase):
        keys.open_with_recovery((as_recovery,), bytes(21), VAULT)


def test_no_slot_is_made_weaker_than_the_floor_or_dearer_than_the_ceiling() -> None:
    for memory in (keys.FLOOR_KIB - 1, keys.CEILING_KIB + 1, 0):
        with pytest.raises(ValueError, match="floor"):
            keys.passphrase_slot(MASTER, "plum tidy orbit", VAULT, memory)


@pytest.mark.parametrize(("seconds", "memory"), [(0.1, keys.PREFERRED_KIB), (1.5, keys.FLOOR_KIB), (100.0, keys.FLOOR_KIB)])
def test_the_cost_of_a_derivation_follows_the_computer_down_to_the_floor(
    seconds: float, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(number * seconds for number in range(100))
    monkeypatch.setattr(keys, "_argon2", lambda *given: bytes(32))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert calibrate() == memory  # the real one: tests elsewhere take the floor


def test_every_purpose_has_a_key_of_its_own() -> None:
    purposes = (keys.DATABASE, keys.ANCHOR, keys.VAULT_FILE, keys.BEFORE)
    derived = {keys.derive(MASTER, purpose) for purpose in purposes}
    assert len(derived) == len(purposes)
    assert MASTER not in derived
    assert {len(key) for key in derived} == {32}


def made() -> dict[str, str]:
    """Return, from fixed inputs, what the program makes of a passphrase and of words, to be pinned."""
    passphrase = keys._argon2(keys._normal("plum tidy orbit seven lake marble"), bytes([1] * 16), keys.FLOOR_KIB, 3, 4)
    slot = Slot("passphrase", bytes([1] * 16).hex(), bytes([2] * 12).hex(), "", keys.FLOOR_KIB, 3, 4)
    wrapped = ChaCha20Poly1305(passphrase).encrypt(bytes([2] * 12), MASTER, keys._slot_context(slot, VAULT))
    return {
        "passphrase key": passphrase.hex(),
        "passphrase key, é in one part": keys._argon2(keys._normal("café fermé"), bytes([1] * 16), keys.FLOOR_KIB, 3, 4).hex(),
        "slot": msgspec.json.encode(msgspec.structs.replace(slot, wrapped=wrapped.hex())).decode(),
        "recovery key": keys._recovery_key(bytes(range(21)), bytes([1] * 16)).hex(),
        "recovery words": " ".join(words.to_words(bytes(range(21)))),
        "database key": keys.derive(MASTER, keys.DATABASE).hex(),
        "anchor key": keys.derive(MASTER, keys.ANCHOR).hex(),
        "key file key": keys.derive(MASTER, keys.VAULT_FILE).hex(),
    }


def test_keys_are_those_of_the_fixed_vectors_and_a_slot_of_then_still_opens() -> None:
    vectors = json.loads(VECTORS.read_text("utf-8"))
    assert made() == vectors
    slot = msgspec.json.decode(vectors["slot"], type=Slot)
    assert keys.open_with_passphrase((slot,), "plum tidy orbit seven lake marble", VAULT) == MASTER


# Words


@given(st.binary(min_size=21, max_size=21), st.data())
def test_words_carry_a_secret_however_they_are_copied_down(secret: bytes, data: st.DataObject) -> None:
    written = words.to_words(secret)
    assert len(written) == words.RECOVERY_WORDS
    shapes = data.draw(st.lists(st.sampled_from([str.upper, str.title, lambda word: word[:4]]), min_size=16, max_size=16))
    between = data.draw(st.sampled_from([" ", "\n", ", ", "\t- ", " 12. "]))
    copied = between.join(shape(word) for shape, word in zip(shapes, written, strict=True))
    assert words.from_words(f"1. {copied}.", 16) == secret


def test_every_slip_of_the_pen_is_answered_with_what_to_look_for() -> None:
    written = list(words.to_words(bytes(range(21))))
    with pytest.raises(NotUnderstood, match="“sevven” is not one of the words.*Check its spelling; nothing was changed"):
        words.from_words(" ".join(["sevven", *written[1:]]), 16)
    with pytest.raises(NotUnderstood, match="There should be 16 words, and these are 15"):
        words.from_words(" ".join(written[1:]), 16)
    with pytest.raises(NotUnderstood, match="these are 0"):
        words.from_words("", 16)
    swapped = [written[1], written[0], *written[2:]]
    with pytest.raises(NotUnderstood, match="two have changed places"):
        words.from_words(" ".join(swapped), 16)
    with pytest.raises(NotUnderstood, match="“aaaaaaaaaaaaaaaaaaaa” is not"):
        words.from_words("a" * 1_000_000, 16)


def test_a_wrong_word_is_found_nearly_always_and_never_opens_anything_else() -> None:
    chance, unseen = random.Random(0), 0
    for _ in range(2000):
        secret = chance.randbytes(21)
        written = list(words.to_words(secret))
        written[chance.randrange(16)] = chance.choice(words.word_list())
        try:
            unseen += words.from_words(" ".join(written), 16) != secret
        except NotUnderstood:
            continue
    assert unseen < 30, "one in 256 slips fits its checksum by chance; the slot then does not open"


def test_the_list_can_be_shortened_and_heard_without_mistake() -> None:
    listed = words.word_list()
    assert len(listed) == len(set(listed)) == 2048
    assert len({word[:4] for word in listed}) == 2048
    assert all(word.isascii() and word.islower() and 3 <= len(word) <= 8 for word in listed)


def test_suggested_passphrases_are_six_words_that_do_not_repeat_themselves() -> None:
    suggested = {words.suggest_passphrase() for _ in range(200)}
    assert len(suggested) == 200
    assert all(len(passphrase.split()) == 6 and set(passphrase.split()) <= set(words.word_list()) for passphrase in suggested)


# Seals


def header_of(body: bytes, *, book: bytes = bytes(16), seq: int = 1, prev: bytes = change.FIRST) -> bytes:
    size, promise = change.padded_size(len(body)), change.commitment(body)
    return Header(Kind.CONTENT, book, bytes(16), 1, seq, prev, size, promise).pack()


def sealed_by_hand(key: BookKey, header: bytes, padded: bytes) -> bytes:
    """Seal what the program would never seal, as somebody who holds the key could."""
    prefix, nonce = key.epoch.to_bytes(4, "big"), bytes(12)
    return prefix + nonce + key._aead.encrypt(nonce, padded, b"lw/seal/v1\0" + header + prefix)


def test_a_seal_cannot_be_moved_to_another_book_epoch_or_place() -> None:
    body = bytes(16) + b"words"
    header = header_of(body)
    key = BookKey(bytes(16), 3, bytes(32))
    sealed = key.seal(header, body)
    assert key.open(header, sealed) == body
    assert key.seal(header, body) == sealed, "sealing again gives the same bytes"
    for other_key in (BookKey(bytes(15) + b"\1", 3, bytes(32)), BookKey(bytes(16), 4, bytes(32)), BookKey(bytes(16), 3, b"\1" * 32)):
        with pytest.raises(CannotOpen):
            other_key.open(header, sealed)
        with pytest.raises(CannotOpen):
            other_key.open(header, other_key._prefix + sealed[4:])
    for other in (header_of(body, book=b"\1" * 16), header_of(body, seq=2, prev=b"\1" * 32), header_of(bytes(16) + b"other")):
        with pytest.raises(CannotOpen):
            key.open(other, sealed)


def test_one_key_never_seals_two_places_with_one_nonce() -> None:
    key, nonces = BookKey(bytes(16), 1, bytes(32)), set()
    for number in range(1, 2000):
        body = number.to_bytes(16, "big")
        header = header_of(body, seq=number, prev=change.FIRST if number == 1 else b"\1" * 32)
        nonces.add(key.seal(header, body)[4:16])
    assert len(nonces) == 1999


def test_a_key_holder_who_seals_nonsense_is_refused_in_words_and_breaks_nothing() -> None:
    key, body = BookKey(bytes(16), 1, bytes(32)), bytes(16) + b"words"
    header = header_of(body)
    length = len(body).to_bytes(4, "big")
    for padded in (
        b"", b"\0", length[:3], length, length + body, (2**32 - 1).to_bytes(4, "big") + body, length + body + bytes(4096),
        (length + body).ljust(512, b"\0"), (length + b"x" * len(body)).ljust(256, b"\0"), bytes(256),
    ):  # fmt: skip
        with pytest.raises(CannotOpen):
            key.open(header, sealed_by_hand(key, header, padded))
    assert key.open(header, sealed_by_hand(key, header, (length + body).ljust(256, b"\0"))) == body


@given(st.binary(max_size=40))
def test_what_is_too_short_or_no_seal_at_all_is_refused(junk: bytes) -> None:
    key, header = BookKey(bytes(16), 1, bytes(32)), header_of(bytes(16))
    with pytest.raises(CannotOpen):
        key.open(header, junk)
    with pytest.raises(CannotOpen):
        key.open(header, b"\0\0\0\1" + junk)
    with pytest.raises(CannotOpen):
        key.climb_down(junk)
    if len(junk) < 4:
        with pytest.raises(CannotOpen):
            sealed_epoch(junk)


@settings(max_examples=150)
@given(st.integers(0, 60_000), st.randoms(use_true_random=False))
def test_a_bit_flipped_in_a_seal_of_any_length_is_refused(length: int, chance: random.Random) -> None:
    key, body = BookKey(bytes(16), 1, bytes(32)), chance.randbytes(16 + length)
    header = header_of(body)
    sealed = key.seal(header, body)
    assert key.open(header, sealed) == body
    for _ in range(20):
        at = chance.randrange(len(sealed) * 8)
        flipped = sealed[: at // 8] + bytes([sealed[at // 8] ^ 1 << at % 8]) + sealed[at // 8 + 1 :]
        with pytest.raises(CannotOpen):
            key.open(header, flipped)


def test_the_newest_key_leads_down_to_the_first_and_nowhere_else() -> None:
    chain = [BookKey(b"\1" * 16, epoch, bytes([epoch]) * 32) for epoch in range(1, 6)]
    ladders = {newer.epoch: newer.ladder(older) for older, newer in itertools.pairwise(chain)}
    key = chain[-1]
    while key.epoch > 1:
        key = BookKey(key.book, key.epoch - 1, key.climb_down(ladders[key.epoch]))
    assert (key.secret, key.commitment()) == (chain[0].secret, chain[0].commitment())
    with pytest.raises(CannotOpen):
        chain[4].climb_down(ladders[4])
    with pytest.raises(CannotOpen):
        BookKey(b"\2" * 16, 5, chain[4].secret).climb_down(ladders[5])


def test_commitments_tell_keys_books_and_epochs_apart() -> None:
    seen = {
        BookKey(book, epoch, secret).commitment()
        for book in (bytes(16), b"\1" * 16)
        for epoch in (1, 2)
        for secret in (bytes(32), b"\1" * 32)
    }
    assert len(seen) == 8


def test_lengths_tell_little_of_what_was_written() -> None:
    """100,000 notes whose lengths spread as real ones do leave in at most 64 sizes and cost little more."""
    chance = random.Random(2026)
    lengths = [min(64_000, int(chance.lognormvariate(6.2, 1.1)) + 120) for _ in range(100_000)]
    sizes = [change.padded_size(length) for length in lengths]
    assert len(set(sizes)) <= 64
    assert sum(sizes) / sum(lengths) < 1.3
    assert all(size % 256 == 0 or size > 4096 for size in sizes)
    ordered = [change.padded_size(length) for length in range(0, 64_512, 7)]
    assert ordered == sorted(ordered)


# Signatures and public keys

SMALL_ORDER = sorted(proof._SMALL_ORDER)


def test_keys_under_which_anything_could_be_signed_are_never_accepted() -> None:
    identity_point, forged = bytes([1]) + bytes(31), bytes([1]) + bytes(63)
    Ed25519PublicKey.from_public_bytes(identity_point).verify(forged, b"any message")  # the library takes it
    assert not proof.is_signed(identity_point, proof.HEAD, b"any message", forged)
    assert len(SMALL_ORDER) == 8
    for key in SMALL_ORDER:
        for sign in (0, 0x80):
            assert not proof.is_sound_signing_key(key[:31] + bytes([key[31] ^ sign]))


def test_second_spellings_of_a_key_and_points_off_the_curve_are_never_accepted() -> None:
    for y in range(P, 2**255):
        for sign in (0, 1 << 255):
            assert not proof.is_sound_signing_key((y | sign).to_bytes(32, "little"))
    off = sum(not proof.is_sound_signing_key(y.to_bytes(32, "little")) for y in range(2, 402))
    assert 150 < off < 250, "about half of all numbers are no point"
    for length in (0, 31, 33, 64):
        assert not proof.is_sound_signing_key(bytes(length))
    for _ in range(200):
        assert proof.is_sound_signing_key(Ed25519PrivateKey.generate().public_key().public_bytes_raw())


def test_sealing_keys_of_small_order_or_in_a_second_spelling_are_never_accepted() -> None:
    for number in (0, 1, P - 1, *range(P, P + 19), 2**255, 2**255 + 9, *sorted(proof._SMALL_ORDER_U)):
        raw = number.to_bytes(32, "little")
        assert not proof.is_sound_sealing_key(raw)
        with pytest.raises(ValueError, match="sound"):
            identity.seal_to(raw, b"key", b"purpose")
    for number in proof._SMALL_ORDER_U:  # the library agrees that nothing secret comes of them
        with pytest.raises(ValueError):
            X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(number.to_bytes(32, "little")))
    for length in (0, 31, 33):
        assert not proof.is_sound_sealing_key(bytes(length))
    for _ in range(200):
        assert proof.is_sound_sealing_key(X25519PrivateKey.generate().public_key().public_bytes_raw())


def test_a_signature_for_one_purpose_serves_no_other() -> None:
    signer, message = Identity.new(), bytes(32)
    domains = (proof.HEAD, proof.REQUEST, proof.RECEIPT)
    for made_for in domains:
        signature = signer.sign(made_for, message)
        assert [domain for domain in domains if proof.is_signed(signer.signing_public, domain, message, signature)] == [made_for]
    assert all(domain.endswith(b"\0") and domain.count(b"\0") == 1 for domain in domains)


def test_a_signature_that_was_altered_shortened_or_respelt_does_not_count() -> None:
    signer, message = Identity.new(), b"words"
    signature = signer.sign(proof.HEAD, message)
    respelt = signature[:32] + ((int.from_bytes(signature[32:], "little") + L) % 2**256).to_bytes(32, "little")
    for wrong in (b"", signature[:63], signature + b"\0", bytes(64), respelt):
        assert not proof.is_signed(signer.signing_public, proof.HEAD, message, wrong)
    for at in range(512):
        flipped = signature[: at // 8] + bytes([signature[at // 8] ^ 1 << at % 8]) + signature[at // 8 + 1 :]
        assert not proof.is_signed(signer.signing_public, proof.HEAD, message, flipped)
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(signer.signing_public).verify(respelt, proof.HEAD + message)
    assert not proof.is_signed(b"short", proof.HEAD, message, signature)


# Devices and invites


def test_a_device_is_named_by_its_keys_and_opens_only_what_is_for_it() -> None:
    mine, other = Identity.new(), Identity.new()
    assert mine.device == change.device_id(mine.signing_public, mine.unsealing_public) != other.device
    assert Identity(*mine.private_bytes()).device == mine.device
    assert len(mine.check_words()) == 8
    assert mine.check_words() != other.check_words()
    sealed = identity.seal_to(mine.unsealing_public, b"a key", key_info(bytes(16), 1, mine.device))
    assert mine.unseal(sealed, key_info(bytes(16), 1, mine.device)) == b"a key"
    for wrong in (key_info(bytes(16), 2, mine.device), key_info(b"\1" * 16, 1, mine.device), key_info(bytes(16), 1, other.device), b""):
        with pytest.raises(CannotOpen):
            mine.unseal(sealed, wrong)
    with pytest.raises(CannotOpen):
        other.unseal(sealed, key_info(bytes(16), 1, mine.device))
    for junk in (b"", sealed[:31], sealed[:-1], bytes(len(sealed)), sealed + b"\0"):
        with pytest.raises(CannotOpen):
            mine.unseal(junk, key_info(bytes(16), 1, mine.device))
    for at in range(len(sealed) * 8):
        flipped = sealed[: at // 8] + bytes([sealed[at // 8] ^ 1 << at % 8]) + sealed[at // 8 + 1 :]
        with pytest.raises(CannotOpen):
            mine.unseal(flipped, key_info(bytes(16), 1, mine.device))


def test_names_in_the_directory_are_for_those_who_hold_its_key() -> None:
    key, person = bytes(32), b"\1" * 16
    for name in ("Alex Morgan", "Zoë O’Neill-Żak", "", "n" * 200):
        assert identity.open_name(key, person, identity.seal_name(key, person, name)) == name
    sealed = identity.seal_name(key, person, "Alex Morgan")
    assert len(sealed) == len(identity.seal_name(key, person, "Jo")), "short names are of one length"
    for other_key, other_person, given_ in (
        (b"\1" * 32, person, sealed),
        (key, bytes(16), sealed),
        (key, person, sealed[:20]),
        (key, person, b""),
    ):
        with pytest.raises(CannotOpen):
            identity.open_name(other_key, other_person, given_)
    assert identity.team_code(key, " Early  Help ") == identity.team_code(key, "early help") != identity.team_code(b"\1" * 32, "early help")


def test_an_invite_proves_itself_and_tells_the_store_nothing() -> None:
    invite = InviteSecret.new(b"\1" * 16)
    assert InviteSecret.from_words(" ".join(invite.words())) == invite
    assert len(invite.words()) == 24
    given_ = invite.prove(b"s" * 32, b"u" * 32)
    assert invite.is_proof(b"s" * 32, b"u" * 32, given_)
    assert not invite.is_proof(b"u" * 32, b"s" * 32, given_)
    assert not invite.is_proof(b"s" * 32, b"u" * 32, b"")
    assert not InviteSecret.new(b"\1" * 16).is_proof(b"s" * 32, b"u" * 32, given_)
    assert not InviteSecret(b"\2" * 16, invite.secret).is_proof(b"s" * 32, b"u" * 32, given_), "for another organisation"
    assert invite.secret not in invite.invite_id() and len(invite.invite_id()) == 16


# Headers and bodies that somebody else made


@settings(max_examples=300)
@given(st.binary(min_size=0, max_size=130))
def test_no_bytes_make_the_reader_of_headers_do_anything_but_refuse(raw: bytes) -> None:
    for tried in (raw, b"L\1\1" + raw, (b"L\1\1\1" + raw).ljust(change.HEADER_BYTES, b"\0")[: change.HEADER_BYTES]):
        try:
            header = change.unpack(tried)
        except change.BadHeader:
            continue
        assert header.pack() == tried


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_of_bodies_do_anything_but_refuse(raw: bytes) -> None:
    sound = change.write_content(Content(1, "person", "0" * 32, "put", {"name": "Kéira"}, 1, (0, bytes(32)), 1, 0), bytes(16))
    at = len(raw) % len(sound)
    for tried in (raw, bytes(16) + raw, sound[:at] + raw + sound[at + len(raw) :], sound[:at]):
        try:
            change.read_content(tried)
        except msgspec.DecodeError:
            continue


def test_a_body_that_is_nested_without_end_or_no_text_is_refused() -> None:
    start = bytes(16) + b"\x9a\x01\xa6person\xa1r\xa3put\x81\xa4name"
    for bomb in (
        b"\x91" * 60_000,
        b"\x81\xa1x" * 20_000,
        b"\xa2\xff\xfe",
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
    ):
        with pytest.raises(msgspec.DecodeError):
            change.read_content(start + bomb)


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(made(), indent=1, ensure_ascii=False) + "\n", "utf-8")
