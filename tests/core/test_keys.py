from __future__ import annotations

import hashlib
import re
from itertools import pairwise

import pytest

from meshrelay.core.keys import SigningKey, codes, digits, is_public_key, verify, words
from meshrelay.core.wordlist import WORDS
from tests.conftest import ROOT

# RFC 8032 section 7.1: seed, public key, message, signature.
RFC_8032 = [
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
]
ORDER = 2**252 + 27742317777372353535851937790883648493
# Points of small order: with one of these as the key, anybody's signature would fit (0, the identity, and their kin).
SMALL_ORDER = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_signatures_are_those_of_the_rfc(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey.from_seed(bytes.fromhex(seed))
    assert key.public.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(key.public, bytes.fromhex(message), bytes.fromhex(signature))


def test_a_signature_fits_one_message_and_one_key() -> None:
    key, other = SigningKey.from_seed(b"1" * 32), SigningKey.from_seed(b"2" * 32)
    signature = key.sign(b"water rises")
    assert verify(key.public, b"water rises", signature)
    assert not verify(key.public, b"water falls", signature)
    assert not verify(other.public, b"water rises", signature)


def test_a_signature_has_no_second_form() -> None:
    key = SigningKey.from_seed(b"1" * 32)
    signature = key.sign(b"water rises")
    larger = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(key.public, b"water rises", signature[:32] + larger.to_bytes(32, "little"))


@pytest.mark.parametrize("public", SMALL_ORDER)
def test_a_key_of_small_order_verifies_nothing_and_is_no_key(public: str) -> None:
    point = bytes.fromhex(public)
    identity = bytes([1]) + bytes(31)
    assert not verify(point, b"anything", identity + bytes(32))
    assert not is_public_key(point)


@pytest.mark.parametrize("length", [0, 31, 33, 63, 64])
def test_keys_and_signatures_of_another_length_are_refused(length: int) -> None:
    key = SigningKey.from_seed(b"1" * 32)
    assert not verify(bytes(length), b"m", key.sign(b"m"))
    assert not is_public_key(bytes(length))
    if length != 64:
        assert not verify(key.public, b"m", bytes(length))


def test_a_real_key_is_one() -> None:
    assert is_public_key(SigningKey.from_seed(b"1" * 32).public)


def test_a_key_never_shows_its_seed() -> None:
    key = SigningKey.from_seed(b"secret seed that nobody may see!")
    assert "secret" not in repr(key)
    assert key.seed.hex() not in repr(key)


def test_keys_are_equal_when_their_seeds_are() -> None:
    assert SigningKey.from_seed(b"1" * 32) == SigningKey.from_seed(b"1" * 32)
    assert SigningKey.from_seed(b"1" * 32) != SigningKey.from_seed(b"2" * 32)
    assert len({SigningKey.from_seed(b"1" * 32), SigningKey.from_seed(b"1" * 32)}) == 1


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="a seed has 32 bytes"):
        SigningKey.from_seed(bytes(length))


def test_a_fingerprint_is_nine_groups_of_three_digits() -> None:
    public = bytes.fromhex(RFC_8032[0][1])
    assert re.fullmatch(r"\d{3}( \d{3}){8}", digits(public))
    assert digits(public) != digits(bytes.fromhex(RFC_8032[1][1]))


def test_a_fingerprint_is_eight_words_of_the_list_as_well() -> None:
    public = bytes.fromhex(RFC_8032[0][1])
    number = int.from_bytes(hashlib.sha256(b"meshrelay/1 fingerprint" + public).digest()[:11], "big")
    assert sum(WORDS.index(word) << 11 * place for place, word in enumerate(reversed(words(public).split()))) == number
    assert len(words(public).split()) == 8
    assert codes(public) == (digits(public), words(public))


def test_both_forms_are_those_of_the_specification() -> None:
    text = (ROOT / "docs" / "spec" / "item.md").read_text(encoding="utf-8")
    public = bytes.fromhex(RFC_8032[0][1])
    assert [f"K       {public.hex()}", f"digits  {digits(public)}", f"words   {words(public)}"] == [
        line for line in text.splitlines() if line.startswith(("K   ", "digits  ", "words   "))
    ]


def test_the_words_are_those_of_the_specification_and_none_begins_another() -> None:
    assert "\n".join(WORDS) + "\n" == (ROOT / "docs" / "spec" / "words.txt").read_text(encoding="utf-8")
    assert len(WORDS) == 2048
    assert list(WORDS) == sorted(set(WORDS))
    assert all(re.fullmatch("[a-z]{3,8}", word) for word in WORDS)
    assert [one for one, after in pairwise(WORDS) if after.startswith(one)] == []
