"""A second responder, written from docs/spec/reconcile.md alone: sorted lists, and no limit but the number of names.

It imports nothing of meshrelay, opens higher classes only in their turn, and is as slow as it is short.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

NOTHING, SAME, FINGERPRINT, LIST, NAMED = range(5)
Said = tuple[bytes, bytes, int, bytes]  # lower bound, upper bound, tag, what follows


def respond(held: set[bytes], request: bytes) -> bytes:
    """Answer a well-formed request that asks for less than a reply can hold."""
    salt, limited = request[1:17], any(request[17:21])
    asked = [said for said in reversed(unpack(request[21:])) if said[2] != NOTHING]
    names, kept_back = (64, 4) if limited else (1_000, 62)
    answers: list[Said] = []
    unsettled: set[int] = set()

    listed = sorted({class_of(low) for low, _, tag, _ in asked if tag == LIST})
    for item_class in listed:
        may_name = names - kept_back * sum(other > item_class for other in listed)
        for low, high, tag, fields in asked:
            if tag != LIST or class_of(low) != item_class:
                continue
            keys = between(held, low, high)
            sent = [fields[at : at + 8] for at in range(1, len(fields), 8)]
            bits = 0
            named: list[bytes] = []
            while keys:
                prefix = sha256(salt + keys[-1]).digest()[:8]
                if prefix in sent:
                    bits |= 1 << sent.index(prefix)
                elif len(named) < may_name:
                    named.insert(0, keys[-1])
                else:
                    break
                edge = keys.pop()
            names -= len(named)
            may_name -= len(named)
            if keys:
                unsettled.add(item_class)
                bound = shortest(keys[-1], edge) if bits or named else high
                answers.append((low, bound, NOTHING, b""))
                low = bound
            if low != high:
                all_listed = not keys and not named and bits == (1 << len(sent)) - 1
                answers.append((low, high, SAME, b"") if all_listed else (low, high, NAMED, names_of(bits, named)))

    for item_class in range(4):
        in_turn = not any(lower < item_class for lower in unsettled)
        for low, high, tag, fingerprint in asked:
            if tag != FINGERPRINT or class_of(low) != item_class:
                continue
            keys = between(held, low, high)
            if hash_of(salt, keys) == fingerprint:
                answers.append((low, high, SAME, b""))
            elif in_turn and len(keys) <= 16 and len(keys) <= names:
                names -= len(keys)
                answers.append((low, high, NAMED, names_of(0, keys)))
            elif in_turn and len(keys) > 16:
                unsettled.add(item_class)
                cuts = [len(keys) * n // 16 for n in range(17)]
                bounds = [low, *(shortest(keys[cut - 1], keys[cut]) for cut in cuts[1:-1]), high]
                for (lower, upper), (first, last) in zip(pairwise(bounds), pairwise(cuts), strict=True):
                    answers.append((lower, upper, FINGERPRINT, hash_of(salt, keys[first:last])))
            else:
                unsettled.add(item_class)
                answers.append((low, high, NOTHING, b""))
    return b"\x01" + pack(sorted(answers))


def class_of(low: bytes) -> int:
    return low[0] if low else 0


def between(held: set[bytes], low: bytes, high: bytes) -> list[bytes]:
    return sorted(key for key in held if low <= key < high)


def hash_of(salt: bytes, keys: list[bytes]) -> bytes:
    return sha256(salt + b"".join(keys)).digest()[:16]


def shortest(below: bytes, above: bytes) -> bytes:
    """Return the shortest bound between two keys."""
    return next(above[:length] for length in range(1, 25) if above[:length] > below)


def names_of(bits: int, keys: list[bytes]) -> bytes:
    width = (bits.bit_length() + 7) // 8
    return bytes([width]) + len(keys).to_bytes(2, "big") + bits.to_bytes(width, "little") + b"".join(keys)


def unpack(data: bytes) -> list[Said]:
    said: list[Said] = []
    low = b""
    while data:
        tag, shared, length = data[0] >> 5, data[0] & 31, data[1]
        high, data = low[:shared] + data[2 : 2 + length], data[2 + length :]
        size = {NOTHING: 0, FINGERPRINT: 16}.get(tag)
        if size is None:
            size = 1 + 8 * data[0]
        said.append((low, high, tag, data[:size]))
        low, data = high, data[size:]
    return said


def pack(said: list[Said]) -> bytes:
    """Pack answers; what was not asked is covered by the word before it, or by the one after, or by nothing."""
    merged: list[Said] = []
    for low, high, tag, fields in said:
        end = merged[-1][1] if merged else b""
        if tag in (NOTHING, SAME):
            if merged and merged[-1][2] == tag:
                merged[-1] = (merged[-1][0], high, tag, b"")
            else:
                merged.append((end, high, tag, b""))
            continue
        if low != end:
            if merged and merged[-1][2] in (NOTHING, SAME):
                merged[-1] = (merged[-1][0], low, merged[-1][2], b"")
            else:
                merged.append((end, low, NOTHING, b""))
        merged.append((low, high, tag, fields))
    out = b""
    for low, high, tag, fields in merged:
        shared = next(n for n in range(25) if n == len(low) or low[n] != high[n])
        out += bytes([tag << 5 | shared, len(high) - shared]) + high[shared:] + fields
    return out
