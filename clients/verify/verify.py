"""Check signed items with a COSE library that is not meshrelay's, and say what they say.

Written from docs/spec/item.md and carry.md; imports nothing of meshrelay. Usage: verify.py FILE...
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from cwt import COSE, COSEKey
from cwt.exceptions import CWTError

CONTEXT = b"meshrelay/1"
MAX_ITEM = 65_536
PREFIX = bytes.fromhex("d2845826a201270458 20".replace(" ", ""))
CARRY = b"\x71meshrelay carry 1"
MARK = b"\x44\xfeMR\n"
TOGETHER = bytes.fromhex("d8628440a0")
SIGNER = bytes.fromhex("835826a2012704 5820".replace(" ", ""))
SIGNER_SIZE = len(SIGNER) + 32 + 1 + 2 + 64
ALONE_KINDS = ("bulletin", "revocation", "successor", "branch", "attestation")
TOGETHER_KINDS = ("root", "delegation", "revocation", "branch")
ROOT, PREDECESSOR, RECOVERY = 1, 2, 4

# The points of order 1, 2, 4 and 8 by their y coordinate. Nobody holds such a key, and a signature under it can be
# made by anybody: the library below takes them, so they are refused here (docs/spec/item.md, "The signature").
P = 2**255 - 19
_Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER = {0, 1, P - 1, _Y8, P - _Y8}


class BadItemError(Exception):
    """This is no item; the text says why."""


def bad(detail: str) -> NoReturn:
    """Refuse the item."""
    raise BadItemError(detail)


def read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the major type, the argument and the end of the CBOR head at `at`; only the shortest form is one."""
    if at >= len(data):
        bad("encoding: cut off")
    major, info = data[at] >> 5, data[at] & 31
    if info < 24:
        return major, info, at + 1
    if info > 27:
        bad("encoding: an indefinite length or a reserved head")
    width = 1 << (info - 24)
    argument = int.from_bytes(data[at + 1 : at + 1 + width], "big")
    if at + 1 + width > len(data) or argument < (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]:
        bad("encoding: cut off, or not in its shortest form")
    return major, argument, at + 1 + width


def read_value(data: bytes, at: int, depth: int = 0) -> tuple[Any, int]:
    """Return the value at `at` and where it ends; only the one encoding of a value is taken."""
    major, argument, end = read_head(data, at)
    if major == 7 and data[at] in (0xF4, 0xF5):
        return data[at] == 0xF5, end
    if major in (6, 7):
        bad("encoding: a tag, a float, or a simple value")
    if major in (0, 1):
        return (argument if major == 0 else -1 - argument), end
    if argument > len(data) - end:
        bad("encoding: cut off")
    if major in (2, 3):
        raw = data[end : end + argument]
        return (raw if major == 2 else read_text(raw)), end + argument
    if depth == 8:
        bad("encoding: nested deeper than 8")
    if major == 4:
        elements = []
        for _ in range(argument):
            element, end = read_value(data, end, depth + 1)
            elements.append(element)
        return elements, end
    entries: dict[Any, Any] = {}
    last = b""
    for _ in range(argument):
        key_at = end
        key, end = read_value(data, key_at, depth + 1)
        is_number = isinstance(key, int) and not isinstance(key, bool) and 0 <= key <= 255
        is_tag = isinstance(key, str) and 1 <= len(key.encode()) <= 35
        if not (is_number or is_tag) or data[key_at:end] <= last:
            bad("encoding: a map key that is none, or out of order, or there twice")
        last = data[key_at:end]
        entries[key], end = read_value(data, end, depth + 1)
    return entries, end


def read_text(raw: bytes) -> str:
    """Return a text without control characters but newline, and without overrides of writing direction."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        bad("text: not UTF-8")
    for char in text:
        code = ord(char)
        if (code < 32 and code != 10) or 127 <= code < 160 or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
            bad(f"text: U+{code:04X}")
    return text


def encode_bytes(data: bytes, major: int = 2) -> bytes:
    """Return a byte string, or with major type 3 a text, as CBOR."""
    size = len(data)
    if size < 24:
        return bytes([major << 5 | size]) + data
    width, info = (1, 24) if size < 256 else (2, 25) if size < 65_536 else (4, 26)
    return bytes([major << 5 | info]) + size.to_bytes(width, "big") + data


def check(data: bytes) -> tuple[bytes, bytes, dict[int, Any]]:
    """Return the id, the author and the payload of an item; raise BadItemError if it is none."""
    if len(data) > MAX_ITEM:
        bad("size: more than 65,536 bytes")
    return check_together(data) if data.startswith(TOGETHER) else check_alone(data)


def check_alone(data: bytes) -> tuple[bytes, bytes, dict[int, Any]]:
    """Check what one key signed."""
    payload_at = len(PREFIX) + 33
    if not data.startswith(PREFIX) or data[payload_at - 1 : payload_at] != b"\xa0" or data[-66:-64] != b"\x58\x40":
        bad("envelope: not the one form")
    author = data[len(PREFIX) : len(PREFIX) + 32]
    payload = next(
        (p for p in (data[payload_at + n : -66] for n in (1, 2, 3)) if p and encode_bytes(p) == data[payload_at:-66]),
        None,
    )
    if payload is None:
        bad("envelope: the payload is not one byte string that fills the message")
    verify(data, author, payload)
    return item_id(PREFIX[4:] + author, payload), author, read_payload(payload, ALONE_KINDS)


def check_together(data: bytes) -> tuple[bytes, bytes, dict[int, Any]]:
    """Check what several keys signed together: one signature of each that it lists, and as many as it says it takes."""
    at = len(TOGETHER)
    major, size, start = read_head(data, at) if len(data) > at else (7, 0, at)
    payload = data[start : start + size]
    if major != 2 or not payload or encode_bytes(payload) != data[at : start + size]:
        bad("envelope: the payload is not one byte string")
    rest = data[start + size :]
    major, count, end = read_head(rest, 0) if rest else (7, 0, 0)
    signers = [rest[end + n * SIGNER_SIZE : end + (n + 1) * SIGNER_SIZE] for n in range(count if count <= 40 else 0)]
    if major != 4 or not signers or len(rest) != end + count * SIGNER_SIZE:
        bad("envelope: not a list of 1 to 40 signatures")
    keys = [one[len(SIGNER) : len(SIGNER) + 32] for one in signers]
    for one, key in zip(signers, keys, strict=True):
        if one[:-64] != SIGNER + key + b"\xa0\x58\x40":
            bad("envelope: a signature of another form")
    if sorted(set(keys)) != keys:
        bad("envelope: the keys that sign do not ascend")
    for one, key in zip(signers, keys, strict=True):
        # One signature at a time, so that the library cannot be content with another.
        verify(TOGETHER + encode_bytes(payload) + b"\x81" + one, key, payload)
    body = read_payload(payload, TOGETHER_KINDS)
    listed = body.get(8)
    if not isinstance(listed, list) or not all(isinstance(one, list) and len(one) == 2 for one in listed):
        bad("field: no list of signers")
    if [key for key, _ in listed] != keys:
        bad("signature: the keys that sign are not those that it lists")
    if not all(isinstance(roles, int) and 1 <= roles <= 7 for _, roles in listed):
        bad("field: a role that there is not")
    holding = {role: [key for key, roles in listed if roles & role] for role in (PREDECESSOR, ROOT, RECOVERY)}
    thresholds = ((ROOT, 12), (PREDECESSOR, 16)) if body[0] == "root" else ((ROOT, 14),)
    for role, field in thresholds:
        if isinstance(needed := body.get(field, 0), int) and len(holding[role]) < needed:
            bad("signature: fewer sign than it takes")
    return item_id(b"", payload), min(next(filter(None, holding.values()))), body


def verify(data: bytes, author: bytes, payload: bytes) -> None:
    """Let the library verify that `author` signed `payload`, after looking at the key."""
    number = int.from_bytes(author, "little")
    if number % 2**255 % P in SMALL_ORDER or number % 2**255 >= P:
        bad("signature: not a key that somebody can hold")
    try:
        key = COSEKey.new({1: 1, 2: author, 3: -8, -1: 6, -2: author})
        signed = COSE.new(verify_kid=True).decode(data, [key], external_aad=CONTEXT)
    except (CWTError, ValueError) as error:
        bad(f"signature: {error}")
    if signed != payload:
        bad("signature: covers something else")


def read_payload(payload: bytes, kinds: tuple[str, ...]) -> dict[int, Any]:
    """Return the map that a payload is, of one of these kinds."""
    body, end = read_value(payload, 0)
    if end != len(payload):
        bad("encoding: bytes after the end")
    if not isinstance(body, dict):
        bad("field: the payload is not a map")
    if body.get(0) not in {*ALONE_KINDS, *TOGETHER_KINDS}:
        bad("kind: not known")
    if body.get(1) is True or body.get(1) != 1:
        bad("version: not known")
    if body[0] not in kinds:
        bad("kind: not one that is signed like this")
    return body


def item_id(protected: bytes, payload: bytes) -> bytes:
    """Return the id of an item."""
    label = encode_bytes(b"meshrelay/1 id", 3)
    return hashlib.sha256(b"\x83" + label + encode_bytes(protected) + encode_bytes(payload)).digest()


SAYS = {
    "revocation": "revocation: a key counts no more",
    "root": "root: these keys are an organisation",
    "delegation": "delegation: an organisation lends its name to a key",
    "successor": "successor: another key comes after this one",
    "branch": "branch: which of several items counts",
    "attestation": "attestation: what somebody knows of a bulletin",
}


def said(body: dict[int, Any]) -> str:
    """Return in a few words what an item says."""
    if body[0] != "bulletin":
        return SAYS[body[0]]
    texts = body.get(23)
    lines = [
        f"[{language}] {text.get(1) or text.get(0)}"
        for language, text in (texts.items() if isinstance(texts, dict) else ())
        if isinstance(text, dict)
    ]
    return " / ".join([f"{body.get(10)}, {body.get(11)}, {body.get(15)}", *lines]).replace("\n", " ")


def items(data: bytes) -> Iterator[bytes | str]:
    """Yield the items of a carry file or a sequence, and in place of what cannot be read a word about it."""
    if data.startswith(CARRY):
        yield from carried(data)
        return
    at = 0
    while at < len(data):
        try:
            end = skip(data, at)
        except BadItemError:
            end = len(data)
        yield data[at:end]
        at = end


def skip(data: bytes, at: int) -> int:
    """Return where the CBOR value at `at` ends, tags included; nested arrays and maps are walked, not built."""
    open_values = 1
    while open_values:
        open_values -= 1
        major, argument, at = read_head(data, at)
        if major in (2, 3):
            at += argument
        open_values += {4: argument, 5: argument * 2, 6: 1}.get(major, 0)
        if at > len(data) or open_values > len(data):
            bad("encoding: cut off")
    return at


def carried(data: bytes) -> Iterator[bytes | str]:
    """Yield the envelopes of a carry file, and a word for every damaged stretch (docs/spec/carry.md)."""
    at, ended = len(CARRY), False
    while at < len(data):
        if data.startswith(b"\x82" + MARK, at):
            ended = True
            _, _, at = read_head(data, at + 6)
            continue
        try:
            major, size, start = read_head(data, at + 15)
        except BadItemError:
            major, size, start = 7, 0, at
        envelope = data[start : start + size]
        whole = data.startswith(b"\x83" + MARK + b"\x48", at) and major == 2 and len(envelope) == size
        if whole and hashlib.sha256(envelope).digest()[:8] == data[at + 7 : at + 15]:
            yield envelope
            at = start + size
            continue
        found = data.find(MARK, at + 2)
        after = len(data) if found < 0 else found - 1
        yield f"{after - at} damaged bytes at {at}"
        at = after
    if not ended:
        yield "the file ends early"


def main(names: list[str]) -> int:
    """Check the files and print a line for every item; return 0 when all are good."""
    if not names:
        sys.stderr.write("usage: verify.py FILE...\n")
        return 2
    failed = False
    for name in names:
        data = Path(name).read_bytes()
        for item in items(data) if data else [data]:
            try:
                if isinstance(item, str):
                    bad(item)
                id_, author, body = check(item)
            except BadItemError as error:
                failed = True
                sys.stdout.write(f"{name}: refused: {error}\n")
            else:
                sys.stdout.write(f"{name}: good: {id_.hex()} by {author.hex()}: {said(body)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
