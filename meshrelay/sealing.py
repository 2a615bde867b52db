"""Secrets at rest: data under a passphrase, with all that is needed to open it again but the passphrase.

How hard a guess is made depends on the memory of the computer that seals, and stands in what was sealed: another
computer opens it at the same price. The dice are thrown here, the rest is core.keys.

Not here: who is asked for a passphrase (cli), and where what was sealed lies (keyring.py, backup.py).
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from meshrelay import machine
from meshrelay.core.keys import NONCE_SIZE, SALT_SIZE, Stretching, seal, unseal
from meshrelay.errors import KeyLocked, Refusal

SHORTEST: Final = 8
"""Characters of a new passphrase; it should have far more."""

_MIB: Final = 2**20
_LEAST, _MOST = 64 * _MIB, 256 * _MIB
_WORK: Final = 3 * _MOST
"""Bytes that a guess fills, in one pass or several: half a second of a laptop, a few of a small board."""
_KDF: Final = "argon2id"
_LARGEST_FILE: Final = 4096


@dataclass(frozen=True, slots=True)
class Sealed:
    """Data that a passphrase opens."""

    cost: Stretching
    salt: bytes
    nonce: bytes
    box: bytes = field(repr=False)

    @classmethod
    def of(cls, document: Any) -> Sealed:
        """Read what :meth:`document` wrote; raises ValueError."""
        if not isinstance(document, Mapping) or document.get("kdf") != _KDF:
            raise ValueError("nothing that a passphrase opens")
        passes, memory = document.get("passes"), document.get("memory")
        if type(passes) is not int or type(memory) is not int:
            raise ValueError("no price of a guess")
        salt, nonce, box = (bytes.fromhex(str(document.get(name))) for name in ("salt", "nonce", "box"))
        if len(salt) != SALT_SIZE or len(nonce) != NONCE_SIZE:
            raise ValueError("salt or nonce of another length")
        return cls(Stretching(passes, memory), salt, nonce, box)

    def document(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return {
            "kdf": _KDF,
            "passes": self.cost.passes,
            "memory": self.cost.memory,
            "salt": self.salt.hex(),
            "nonce": self.nonce.hex(),
            "box": self.box.hex(),
        }

    def open(self, passphrase: str) -> bytes:
        """Return the data; raises KeyLocked when the passphrase is another one."""
        try:
            found = unseal(self.box, _plain(passphrase), salt=self.salt, nonce=self.nonce, cost=self.cost)
        except MemoryError as error:
            raise _no_memory(self.cost) from error
        if found is None:
            raise KeyLocked("the passphrase is wrong", hint="look at the keyboard's language and capitals; try again")
        return found


def sealed(data: bytes, passphrase: str) -> Sealed:
    """Seal data under a passphrase, at a price of a guess that fits this computer; raises KeyLocked."""
    cost = cost_for(machine.memory())
    salt, nonce = secrets.token_bytes(SALT_SIZE), secrets.token_bytes(NONCE_SIZE)
    try:
        return Sealed(cost, salt, nonce, seal(data, _plain(passphrase), salt=salt, nonce=nonce, cost=cost))
    except MemoryError as error:
        raise _no_memory(cost) from error


def cost_for(memory: int) -> Stretching:
    """Return what a guess is to cost on a computer with so many bytes of memory: an eighth of it, and time instead."""
    share = min(max(memory // 8, _LEAST), _MOST) // _MIB * _MIB
    return Stretching(-(-_WORK // share), share)


def read_passphrase(path: Path) -> str:
    """Return the passphrase that is the first line of a file; raises Refusal."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_FILE).decode("utf-8-sig")
    except OSError as error:
        raise Refusal(
            f"the passphrase file {path} cannot be read: {error.strerror or error}",
            hint="give --passphrase-file a file that you may read, with the passphrase in its first line",
        ) from error
    except UnicodeDecodeError as error:
        raise Refusal(f"the passphrase file {path} is no text", hint="write it in UTF-8") from error
    first = text.split("\n", 1)[0].removesuffix("\r")
    if not first:
        raise Refusal(f"the first line of {path} is empty", hint="write the passphrase into it")
    return first


def check_new(passphrase: str) -> str:
    """Return a passphrase that may be set; raises Refusal when it is too short."""
    if len(passphrase) < SHORTEST:
        raise Refusal(
            f"a passphrase has at least {SHORTEST} characters", hint="take several words that nobody would put together"
        )
    return passphrase


def _plain(passphrase: str) -> bytes:
    # The same letters typed on another keyboard may come as other code points.
    return unicodedata.normalize("NFKC", passphrase).encode()


def _no_memory(cost: Stretching) -> KeyLocked:
    return KeyLocked(
        f"a passphrase takes {cost.memory // _MIB} MB of memory, and there is less free", hint="close other programs"
    )
