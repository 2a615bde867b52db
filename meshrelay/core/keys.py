"""Signing keys and the names people compare: the only module that talks to the signature library.

Every choice is made here once. Ed25519 through libsodium verifies, and nothing else does: other libraries
accept signatures that nobody made when the public key is a point of small order. A public key that a
person imports is checked to be a real point too.

Not here: files and locks (keyring.py), how hard a passphrase is made to guess (sealing.py), and what a key is
trusted for (trust.py).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from nacl import bindings, exceptions

from meshrelay.core.wordlist import WORDS

PUBLIC_KEY_SIZE = 32
SEED_SIZE = 32
SIGNATURE_SIZE = 64

DIGIT_GROUPS = 9
"""A fingerprint is nine groups of three digits: 89.7 bits, said aloud in any language."""
WORD_COUNT = 8
"""In English it is eight words as well: 88 bits of the same hash."""
WORD_BITS = 11

SALT_SIZE = 16
NONCE_SIZE = 24


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """A secret key; never printed, compared in constant time."""

    seed: bytes = field(repr=False)
    public: bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Make the key that 32 random bytes stand for."""
        if len(seed) != SEED_SIZE:
            raise ValueError(f"a seed has {SEED_SIZE} bytes, not {len(seed)}")
        public, _ = bindings.crypto_sign_seed_keypair(seed)
        return cls(seed, public)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message` (RFC 8032, deterministic)."""
        return bindings.crypto_sign(message, self.seed + self.public)[:SIGNATURE_SIZE]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SigningKey) and hmac.compare_digest(self.seed, other.seed)

    def __hash__(self) -> int:
        return hash(self.public)


@dataclass(frozen=True, slots=True)
class Stretching:
    """What one guess at a passphrase costs: `passes` of argon2id over `memory` bytes."""

    passes: int
    memory: int

    def __post_init__(self) -> None:
        # A file from elsewhere states these numbers, and must not be able to keep this computer busy for hours.
        if not (self.passes >= 1 and 8192 <= self.memory <= 2**30 and self.passes * self.memory <= 2**34):
            raise ValueError("a passphrase cannot be stretched like that")


def seal(data: bytes, passphrase: bytes, *, salt: bytes, nonce: bytes, cost: Stretching) -> bytes:
    """Return `data` under a passphrase: argon2id (RFC 9106), then XSalsa20-Poly1305.

    `salt` has 16 and `nonce` 24 fresh random bytes. Raises MemoryError when there is less free than `cost` asks for.
    """
    return bindings.crypto_secretbox(data, nonce, _stretched(passphrase, salt, cost))


def unseal(box: bytes, passphrase: bytes, *, salt: bytes, nonce: bytes, cost: Stretching) -> bytes | None:
    """Return what was sealed, or None when the passphrase is another or the box was altered; raises as :func:`seal`."""
    key = _stretched(passphrase, salt, cost)
    try:
        return bindings.crypto_secretbox_open(box, nonce, key)
    except exceptions.CryptoError:
        return None


def _stretched(passphrase: bytes, salt: bytes, cost: Stretching) -> bytes:
    argon2id = bindings.crypto_pwhash_ALG_ARGON2ID13
    size = bindings.crypto_secretbox_KEYBYTES
    try:
        return bindings.crypto_pwhash_alg(size, passphrase, salt, cost.passes, cost.memory, argon2id)
    except exceptions.RuntimeError as error:
        raise MemoryError(f"stretching a passphrase takes {cost.memory} bytes") from error


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `public` signed `message`; refuses keys of small order and signatures in a second form."""
    if len(public) != PUBLIC_KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except exceptions.BadSignatureError:
        return False
    return True


def is_public_key(public: bytes) -> bool:
    """Tell whether `public` is a canonical point of the prime-order group: asked when a person brings a key."""
    return len(public) == PUBLIC_KEY_SIZE and bool(bindings.crypto_core_ed25519_is_valid_point(public))


def digits(public: bytes) -> str:
    """Return the fingerprint people compare: 27 digits in nine groups of three (docs/spec/item.md)."""
    text = f"{_fingerprint(public) % 10**27:027}"
    return " ".join(text[at : at + 3] for at in range(0, 27, 3))


def words(public: bytes) -> str:
    """Return the same fingerprint as eight English words (docs/spec/item.md)."""
    number = _fingerprint(public) >> 256 - WORD_COUNT * WORD_BITS
    places = range((WORD_COUNT - 1) * WORD_BITS, -1, -WORD_BITS)
    return " ".join(WORDS[number >> place & len(WORDS) - 1] for place in places)


def codes(public: bytes) -> tuple[str, str]:
    """Return both forms of the fingerprint: whoever compared one of them has compared the key."""
    return digits(public), words(public)


def _fingerprint(public: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"meshrelay/1 fingerprint" + public).digest(), "big")
