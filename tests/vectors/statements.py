"""The vectors of statements: what one key says about keys and bulletins, and what several say together.

Part of tests/vectors/make.py, which writes them to files. Written from docs/spec/item.md and statements.md; imports
nothing of meshrelay, so that both sides cannot share one mistake.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nacl import bindings

from tests.vectors.cbor import Raw, enc, head, long_head

SENT = 1_700_000_000
DAY = 86_400
AAD = b"meshrelay/1"
ROOT, PREDECESSOR, RECOVERY = 1, 2, 4
ID = hashlib.sha256(b"a bulletin").digest()
OTHER_ID = hashlib.sha256(b"another bulletin").digest()
STREAM = bytes(range(8))


@dataclass(frozen=True)
class Person:
    """A key of the vectors, made from its name."""

    public: bytes
    secret: bytes

    def signs(self, message: bytes) -> bytes:
        signed: bytes = bindings.crypto_sign(message, self.secret)
        return signed[:64]


def person(name: str) -> Person:
    return Person(*bindings.crypto_sign_seed_keypair(hashlib.sha256(f"meshrelay vectors, {name}".encode()).digest()))


# By their keys ascending, so that lists of the first few are in order.
A, B, C, D = sorted((person(name) for name in ("one", "two", "three", "four")), key=lambda one: one.public)
KEEPER = person("keeper of the recovery key")
FIELD, STRANGER = person("field"), person("stranger")


def protected(key: bytes) -> bytes:
    return enc({1: -8, 4: key})


# One signature


def alone(value: Any, by: Person = FIELD) -> bytes:
    payload = enc(value)
    signature = by.signs(enc(["Signature1", protected(by.public), AAD, payload]))
    return b"\xd2" + enc([protected(by.public), Raw(b"\xa0"), payload, signature])


def alone_id(value: Any, by: Person = FIELD) -> bytes:
    return hashlib.sha256(enc(["meshrelay/1 id", protected(by.public), enc(value)])).digest()


# Several signatures


def listed(roles: dict[Person, int]) -> list[list[Any]]:
    return sorted([one.public, role] for one, role in roles.items())


def structure(payload: bytes, key: bytes, *, aad: bytes = AAD, context: str = "Signature", body: bytes = b"") -> bytes:
    return enc([context, body, protected(key), aad, payload])


def signatures(payload: bytes, by: Sequence[Person]) -> list[Any]:
    return [
        [protected(one.public), Raw(b"\xa0"), one.signs(structure(payload, one.public))]
        for one in sorted(by, key=lambda one: one.public)
    ]


def message(payload: bytes, signed: Any, *, body: bytes = b"", unprotected: bytes = b"\xa0") -> bytes:
    return b"\xd8\x62" + enc([body, Raw(unprotected), payload, signed])


def together(value: Any, by: Sequence[Person] | None = None) -> bytes:
    """Return the item, signed by those that it lists, or by these."""
    payload = enc(value)
    people = {one.public: one for one in (A, B, C, D, KEEPER, FIELD, STRANGER)}
    signers = [people[key] for key in names(value[8])] if by is None else by
    return message(payload, signatures(payload, signers))


def names(signers: list[Any]) -> list[bytes]:
    """Return the keys that a list of signers names, whatever its form."""
    return [entry[0] if isinstance(entry, list) else entry for entry in signers]


def together_id(value: Any) -> bytes:
    return hashlib.sha256(enc(["meshrelay/1 id", b"", enc(value)])).digest()


def but(changes: dict[Any, Any], base: dict[Any, Any]) -> dict[Any, Any]:
    """Return `base` with some entries replaced; ... takes an entry away."""
    return {key: value for key, value in (base | changes).items() if value is not ...}


def signed_by(roles: dict[Person, int], base: dict[Any, Any], **_: object) -> dict[Any, Any]:
    return but({8: listed(roles)}, base)


TWO = {A: ROOT, B: ROOT}
FIRST_ROOT: dict[Any, Any] = {
    0: "root", 1: 1, 2: SENT, 8: listed(TWO), 10: 1, 11: [A.public, B.public, C.public], 12: 2, 13: [KEEPER.public],
    17: "Clinic",
}  # fmt: skip
ORG = together_id(FIRST_ROOT)
NEXT_ROOT: dict[Any, Any] = {
    0: "root", 1: 1, 2: SENT + DAY, 8: listed({A: ROOT | PREDECESSOR, B: PREDECESSOR, D: ROOT, KEEPER: RECOVERY}),
    10: 2, 11: sorted([A.public, D.public]), 12: 2, 13: [KEEPER.public], 14: ORG, 15: ORG, 16: 2, 17: "Clinic",
}  # fmt: skip
DELEGATION: dict[Any, Any] = {
    0: "delegation", 1: 1, 2: SENT, 8: listed(TWO), 10: FIELD.public, 12: ORG, 13: ORG, 14: 2, 15: SENT,
    16: SENT + 30 * DAY,
}  # fmt: skip
SQUARE = [43_000_000, 76_000_000, 44_000_000, 76_000_000, 44_000_000, 77_000_000, 43_000_000, 76_000_000]
SCOPE: dict[Any, Any] = {
    0: [SQUARE], 1: [[43_000_000, 76_000_000, 5_000]], 2: [["KATO", "75"]], 3: ["Health", "Safety"],
    4: ["attestation", "bulletin"], 5: "Severe", 6: 20,
}  # fmt: skip
ORG_REVOCATION: dict[Any, Any] = {
    0: "revocation", 1: 1, 2: SENT, 8: listed(TWO), 10: FIELD.public, 12: ORG, 13: ORG, 14: 2,
}  # fmt: skip
RECOVERY_REVOCATION = but({8: listed({KEEPER: RECOVERY}), 14: ...}, ORG_REVOCATION)
SUCCESSOR: dict[Any, Any] = {0: "successor", 1: 1, 2: SENT, 10: STRANGER.public}
BRANCH: dict[Any, Any] = {0: "branch", 1: 1, 2: SENT, 10: ID, 11: [OTHER_ID]}
ORG_BRANCH = but({8: listed(TWO), 12: ORG, 13: ORG, 14: 2}, BRANCH)
ATTESTATION: dict[Any, Any] = {0: "attestation", 1: 1, 2: SENT, 3: STREAM, 4: 1, 10: ID, 11: "confirm"}
DISPUTE = but({4: 2, 5: OTHER_ID, 7: ORG, 11: "dispute", 12: "outdated", 13: "The water is gone."}, ATTESTATION)


def keys(count: int) -> list[bytes]:
    return [bytes([number]) * 32 for number in range(count)]


def scope(changes: dict[Any, Any]) -> dict[Any, Any]:
    return but({17: but(changes, SCOPE)}, DELEGATION)


def good() -> Iterator[tuple[str, str, bytes, bytes, bytes]]:
    """Yield name, comment, envelope, id and author."""
    many = [
        ("root", "version 1 of an organisation, 2 of 3, with a recovery key", FIRST_ROOT, A),
        ("root-all-sign", "all keys sign, and the recovery key",
         signed_by({A: 1, B: 1, C: 1, KEEPER: 4}, FIRST_ROOT), A),
        ("root-one-of-one", "one key, no recovery key, no name",
         but({8: listed({C: ROOT}), 11: [C.public], 12: 1, 13: ..., 17: ...}, FIRST_ROOT), C),
        ("root-two-roles", "one key is a root key and a recovery key",
         but({8: listed({A: ROOT | RECOVERY, B: ROOT}), 13: [A.public]}, FIRST_ROOT), A),
        ("root-next", "version 2, signed by two of version 1, its own and the recovery key", NEXT_ROOT, A),
        ("root-next-largest-number", "the largest number of a version", but({10: 2**53 - 1}, NEXT_ROOT), A),
        ("root-next-without-recovery-signature", "a version that no recovery key signed",
         signed_by({A: 3, B: 2, D: 1}, NEXT_ROOT), A),
        ("delegation", "a key is lent a name for 30 days, to speak about anything", DELEGATION, A),
        ("delegation-scope", "every bound that a scope has", but({17: SCOPE, 18: "Field desk, Almaty"}, DELEGATION), A),
        ("delegation-180-days", "the longest time", but({16: SENT + 180 * DAY}, DELEGATION), A),
        ("delegation-three-sign", "more sign than have to", signed_by({A: 1, B: 1, C: 1}, DELEGATION), A),
        ("revocation-org", "an organisation ends a key", ORG_REVOCATION, A),
        ("revocation-org-good", "one id stays good", but({11: [ID]}, ORG_REVOCATION), A),
        ("revocation-recovery", "a recovery key ends a key", RECOVERY_REVOCATION, KEEPER),
        ("revocation-root-and-recovery", "root keys and a recovery key end a key",
         signed_by({A: 1, B: 1, KEEPER: 4}, ORG_REVOCATION), A),
        ("branch-org", "an organisation says which item counts", ORG_BRANCH, A),
        ("branch-recovery", "a recovery key says which root counts",
         but({8: listed({KEEPER: RECOVERY}), 14: ...}, ORG_BRANCH), KEEPER),
    ]  # fmt: skip
    for name, comment, value, author in many:
        yield name, comment, together(value), together_id(value), author.public
    one = [
        ("successor", "a key names the one that comes after it", SUCCESSOR),
        ("branch", "a key says which of its items counts", BRANCH),
        ("branch-16-rivals", "against 16 others", but({11: keys(16)}, BRANCH)),
        ("attestation-confirm", "somebody saw it themselves", ATTESTATION),
        ("attestation-dispute", "somebody disputes it, in an organisation's name", DISPUTE),
        ("attestation-cannot-check", "somebody cannot check", but({11: "cannot check"}, ATTESTATION)),
    ]
    for name, comment, value in one:
        yield name, comment, alone(value), alone_id(value), FIELD.public


def refused_together() -> Iterator[tuple[str, str, str, dict[Any, Any]]]:
    """Yield payloads of several signers that are well signed by all they list, and wrong."""
    # Signers
    for kind, base in (
        ("root", FIRST_ROOT), ("delegation", DELEGATION), ("revocation", ORG_REVOCATION), ("branch", ORG_BRANCH),
    ):  # fmt: skip
        yield f"{kind}-one-signer-too-few", "signature", "m - 1 sign", signed_by({A: ROOT}, base)
        yield f"{kind}-role-0", "field", "a signer without a role", signed_by({A: ROOT, B: ROOT, C: 0}, base)
        yield f"{kind}-role-8", "field", "a role that there is not", signed_by({A: ROOT, B: ROOT | 8}, base)
        yield f"{kind}-threshold-0", "field", "nobody has to sign", but({12 if kind == "root" else 14: 0}, base)
        yield f"{kind}-unknown-key", "field", "a key that the kind does not have", but({30: 1}, base)
        yield f"{kind}-no-time", "field", "no time", but({2: ...}, base)
        yield f"{kind}-time-0", "time", "a time before the first", but({2: 0}, base)
        yield f"{kind}-a-stream", "field", "statements about keys are in no stream", but({3: STREAM}, base)
        yield f"{kind}-signer-is-a-key", "field", "a signer without roles", but({8: [A.public, B.public]}, base)
    yield (
        "root-recovery-key-for-root",
        "field",
        "who signs as root is none",
        signed_by({A: ROOT, B: ROOT, KEEPER: ROOT}, FIRST_ROOT),
    )
    yield "root-stranger-signs", "field", "a stranger signs as root", signed_by({A: 1, B: 1, STRANGER: 1}, FIRST_ROOT)
    yield (
        "root-stranger-recovers",
        "field",
        "a stranger signs as recovery key",
        signed_by({A: ROOT, B: ROOT, STRANGER: RECOVERY}, FIRST_ROOT),
    )
    yield (
        "root-predecessor-of-the-first",
        "field",
        "version 1 has none before it",
        signed_by({A: ROOT | PREDECESSOR, B: ROOT}, FIRST_ROOT),
    )
    for kind, base in (("delegation", DELEGATION), ("revocation", ORG_REVOCATION), ("branch", ORG_BRANCH)):
        yield (
            f"{kind}-predecessor",
            "field",
            "a role that signs no such thing",
            signed_by({A: ROOT, B: ROOT | PREDECESSOR}, base),
        )
    yield "delegation-recovery", "field", "recovery keys lend nothing", signed_by({A: 1, B: 1, KEEPER: 4}, DELEGATION)
    for kind, base in (("revocation", ORG_REVOCATION), ("branch", ORG_BRANCH)):
        yield f"{kind}-no-threshold", "field", "root keys sign, and nothing says how many have to", but({14: ...}, base)
        yield (
            f"{kind}-recovery-with-threshold",
            "signature",
            "a threshold that nobody met",
            but({8: listed({KEEPER: RECOVERY}), 14: 1}, base),
        )
    # Roots
    yield "root-number-0", "field", "versions count from 1", but({10: 0}, FIRST_ROOT)
    yield "root-number-too-large", "field", "a number that JSON cannot hold", but({10: 2**53}, NEXT_ROOT)
    yield (
        "root-threshold-too-high",
        "field",
        "more than there are keys",
        but({8: listed({A: 1, B: 1, C: 1}), 12: 4}, FIRST_ROOT),
    )
    yield "root-no-keys", "field", "no keys", but({11: ...}, FIRST_ROOT)
    yield "root-keys-empty", "field", "an empty list", but({11: []}, FIRST_ROOT)
    yield "root-keys-descending", "field", "keys descend", but({11: [C.public, B.public, A.public]}, FIRST_ROOT)
    yield "root-keys-twice", "field", "a key twice", but({11: [A.public, A.public, B.public]}, FIRST_ROOT)
    yield (
        "root-17-keys",
        "field",
        "more than 16 keys",
        but({11: sorted([*keys(14), A.public, B.public, C.public])}, FIRST_ROOT),
    )
    yield "root-key-short", "field", "a key of 31 bytes", but({11: [A.public, B.public, C.public[:31]]}, FIRST_ROOT)
    yield "root-9-recovery-keys", "field", "more than 8 recovery keys", but({13: keys(9)}, FIRST_ROOT)
    yield "root-recovery-empty", "field", "an empty list", but({13: []}, FIRST_ROOT)
    yield "root-recovery-descending", "field", "recovery keys descend", but({13: keys(2)[::-1]}, FIRST_ROOT)
    yield "root-first-with-org", "field", "version 1 names an organisation", but({14: ORG}, FIRST_ROOT)
    yield "root-first-with-prev", "field", "version 1 names one before", but({15: ORG}, FIRST_ROOT)
    yield "root-first-prev-threshold", "field", "version 1 says who signed the one before", but({16: 2}, FIRST_ROOT)
    for key, name in ((14, "org"), (15, "prev"), (16, "prev-threshold")):
        yield f"root-next-without-{name}", "field", f"no {name}", but({key: ...}, NEXT_ROOT)
    yield (
        "root-next-unsigned-by-the-one-before",
        "signature",
        "m - 1 of the version before",
        signed_by({A: ROOT | PREDECESSOR, D: ROOT}, NEXT_ROOT),
    )
    yield "root-next-unsigned-by-itself", "signature", "m - 1 of its own", signed_by({A: 3, B: 2}, NEXT_ROOT)
    yield (
        "root-next-old-key-as-new",
        "field",
        "a key of the version before signs as one of this",
        signed_by({A: 3, B: 3, D: 1}, NEXT_ROOT),
    )
    yield "root-name-empty", "field", "an empty name", but({17: ""}, FIRST_ROOT)
    yield "root-name-201", "field", "a name of 201 characters", but({17: "n" * 201}, FIRST_ROOT)
    yield "root-name-control", "text", "a control character", but({17: "a\tb"}, FIRST_ROOT)
    # Delegations
    for key, name in (*((10, "subject"), (12, "org"), (13, "root")), (14, "threshold"), (15, "start"), (16, "end")):
        yield f"delegation-without-{name}", "field", f"no {name}", but({key: ...}, DELEGATION)
    yield "delegation-ends-as-it-begins", "time", "no time between", but({16: SENT}, DELEGATION)
    yield "delegation-181-days", "time", "a second more than 180 days", but({16: SENT + 180 * DAY + 1}, DELEGATION)
    yield "delegation-subject-short", "field", "31 bytes", but({10: FIELD.public[:31]}, DELEGATION)
    yield "delegation-title-empty", "field", "an empty title", but({18: ""}, DELEGATION)
    yield "scope-empty", "field", "a scope that bounds nothing", but({17: {}}, DELEGATION)
    yield "scope-not-a-map", "field", "a scope that is a list", but({17: [1]}, DELEGATION)
    yield "scope-unknown-key", "field", "an unknown bound", scope({7: 1})
    yield "scope-polygon-open", "place", "a polygon that is not closed", scope({0: [SQUARE[:-2]]})
    yield (
        "scope-polygon-not-closed",
        "place",
        "five points, of which the last is not the first",
        scope({0: [[0, 0, 0, 1, 1, 1, 1, 0, 2, 0]]}),
    )
    yield "scope-polygon-65", "place", "65 points", scope({0: [[0, 0] * 65]})
    yield "scope-polygon-of-3", "place", "three points", scope({0: [[0, 0] * 3]})
    yield "scope-polygon-off", "place", "beyond the pole", scope({0: [[90_000_001, 0, 0, 0, 0, 0, 90_000_001, 0]]})
    yield "scope-9-polygons", "field", "nine polygons", scope({0: [SQUARE] * 9})
    yield "scope-circle-of-nothing", "place", "a radius of 0", scope({1: [[0, 0, 0]]})
    yield "scope-circle-too-wide", "place", "wider than the earth", scope({1: [[0, 0, 20_040_001]]})
    yield "scope-circle-of-two", "place", "no radius", scope({1: [[0, 0]]})
    yield "scope-65-geocodes", "field", "65 geocodes", scope({2: [["KATO", "7"]] * 65})
    yield "scope-geocode-empty", "field", "a code that begins every code", scope({2: [["KATO", ""]]})
    yield "scope-categories-descending", "field", "categories descend", scope({3: ["Safety", "Health"]})
    yield "scope-category-twice", "field", "a category twice", scope({3: ["Health", "Health"]})
    yield "scope-category-unknown", "field", "no category of CAP's", scope({3: ["Weather"]})
    yield "scope-kind-root", "field", "a name is not lent on", scope({4: ["delegation"]})
    yield "scope-kinds-descending", "field", "kinds descend", scope({4: ["bulletin", "attestation"]})
    yield "scope-severity-unknown", "field", "no severity of CAP's", scope({5: "Grave"})
    yield "scope-daily-0", "field", "nothing a day", scope({6: 0})
    yield "scope-daily-too-large", "field", "100,001 a day", scope({6: 100_001})
    # Revocations and branches of organisations
    for kind, base in (("revocation", ORG_REVOCATION), ("branch", ORG_BRANCH)):
        for key, name in ((10, "subject"), (12, "org"), (13, "root")):
            yield f"org-{kind}-without-{name}", "field", f"no {name}", but({key: ...}, base)
    yield "org-revocation-good-descending", "field", "ids descend", but({11: keys(2)[::-1]}, ORG_REVOCATION)
    yield (
        "revocation-good-257",
        "field",
        "257 ids",
        but({11: [number.to_bytes(32, "big") for number in range(257)]}, ORG_REVOCATION),
    )
    yield "branch-17-rivals", "field", "17 rivals", but({11: keys(17)}, ORG_BRANCH)
    yield "branch-rival-of-itself", "field", "chosen and rival at once", but({11: [ID]}, ORG_BRANCH)
    # Kinds
    for kind in ("successor", "attestation", "bulletin"):
        yield f"kind-{kind}", "kind", "one key says that, not several", but({0: kind}, ORG_REVOCATION)
    yield "kind-list", "kind", "a kind that is kept for later", but({0: "list"}, ORG_REVOCATION)


def refused_alone() -> Iterator[tuple[str, str, str, Any]]:
    """Yield payloads of one signer that are well signed, and wrong."""
    for kind, base in (("root", FIRST_ROOT), ("delegation", DELEGATION)):
        yield f"kind-{kind}-alone", "kind", "only several keys together say that", base
    for kind, base in (("revocation", ORG_REVOCATION), ("branch", ORG_BRANCH)):
        yield f"{kind}-of-an-organisation-alone", "field", "an organisation's statement, signed by one key", base
    yield "successor-itself", "field", "a key does not come after itself", but({10: FIELD.public}, SUCCESSOR)
    yield "successor-none", "field", "no key", but({10: ...}, SUCCESSOR)
    yield "successor-short", "field", "31 bytes", but({10: FIELD.public[:31]}, SUCCESSOR)
    yield "successor-signers", "field", "signers of what one key says", but({8: listed({A: 1})}, SUCCESSOR)
    yield "branch-no-rivals", "field", "nothing that it goes before", but({11: ...}, BRANCH)
    yield "branch-rivals-descending", "field", "ids descend", but({11: keys(2)[::-1]}, BRANCH)
    yield "branch-chosen-rival", "field", "chosen and rival at once", but({11: [ID]}, BRANCH)
    yield "attestation-no-target", "field", "about nothing", but({10: ...}, ATTESTATION)
    yield "attestation-target-short", "field", "half an id", but({10: ID[:16]}, ATTESTATION)
    yield "attestation-says-nothing", "field", "no word", but({11: ...}, ATTESTATION)
    yield "attestation-says-maybe", "field", "a word that there is not", but({11: "maybe"}, ATTESTATION)
    yield "attestation-says-case", "field", "words are lower case", but({11: "Confirm"}, ATTESTATION)
    yield "attestation-dispute-without-fault", "field", "a dispute says what is wrong", but({12: ...}, DISPUTE)
    yield "attestation-confirm-with-fault", "field", "a confirmation finds no fault", but({12: "false"}, ATTESTATION)
    yield "attestation-fault-unknown", "field", "a fault that there is not", but({12: "boring"}, DISPUTE)
    yield "attestation-no-stream", "field", "in no stream", but({3: ...}, ATTESTATION)
    yield "attestation-stream-short", "field", "a stream of 7 bytes", but({3: STREAM[:7]}, ATTESTATION)
    yield "attestation-no-seq", "field", "no number", but({4: ...}, ATTESTATION)
    yield "attestation-seq-0", "field", "number 0", but({4: 0}, ATTESTATION)
    yield "attestation-first-with-prev", "field", "one before the first", but({5: OTHER_ID}, ATTESTATION)
    yield "attestation-live", "field", "only bulletins say what still holds", but({6: [1]}, DISPUTE)
    yield "attestation-note-empty", "field", "an empty note", but({13: ""}, ATTESTATION)
    yield "attestation-note-2001", "field", "2,001 characters", but({13: "n" * 2001}, ATTESTATION)
    yield "attestation-note-override", "text", "an override of direction", but({13: "\u202e"}, ATTESTATION)
    yield "attestation-unknown-key", "field", "a key that the kind does not have", but({14: 1}, ATTESTATION)


def forged() -> Iterator[tuple[str, str, str, bytes]]:
    """Yield messages of several signers whose envelope or signatures are wrong."""
    payload, whole = enc(DELEGATION), together(DELEGATION)
    both = signatures(payload, (A, B))
    yield "stripped", "signature", "one of the listed signatures is taken away", message(payload, both[:1])
    three, another = signatures(payload, (A, B, C)), signatures(payload, (A, C))
    yield "one-more", "signature", "somebody signs whom it does not list", message(payload, three)
    yield "another", "signature", "another key in the place of a listed one", message(payload, another)
    yield "twice", "envelope", "one key signs twice", message(payload, [both[0], both[0]])
    yield "descending", "envelope", "keys descend", message(payload, both[::-1])
    yield "none", "envelope", "no signature", message(payload, [])
    crowd = signatures(payload, [person(f"crowd {number}") for number in range(41)])
    yield "41-signatures", "envelope", "more than 40 signatures", message(payload, crowd)
    yield "nobody-s", "signature", "zeros for a signature", message(payload, [both[0], [*both[1][:2], bytes(64)]])
    yield (
        "swapped",
        "signature",
        "signatures swapped",
        message(payload, [[*both[0][:2], both[1][2]], [*both[1][:2], both[0][2]]]),
    )
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    yield "flipped", "signature", "a bit of a signature is flipped", bytes(flipped)
    other = enc(but({10: STRANGER.public}, DELEGATION))
    yield "other-payload", "signature", "the signatures of another delegation", message(other, both)
    for name, wrong in (
        ("no-context", {"aad": b""}),
        ("other-context", {"aad": b"meshrelay/2"}),
        ("as-sign1", {"context": "Signature1"}),
        ("as-countersignature", {"context": "CounterSignature"}),
        ("other-body", {"body": b"\xa0"}),
    ):
        signed = [
            [protected(one.public), Raw(b"\xa0"), one.signs(structure(payload, one.public, **wrong))] for one in (A, B)
        ]
        yield name, "signature", f"a Sig_structure of another sort: {name}", message(payload, signed)
    bare = [[protected(one.public), Raw(b"\xa0"), one.signs(payload)] for one in (A, B)]
    yield "bare", "signature", "the payload alone is signed", message(payload, bare)
    # The one form
    yield "body-header", "envelope", "a protected header of the body", message(payload, both, body=b"\xa0")
    yield (
        "body-unprotected",
        "envelope",
        "junk in the unprotected header",
        message(payload, both, unprotected=enc({9: b"junk"})),
    )
    junk = [[both[0][0], Raw(enc({9: b"junk"})), both[0][2]], both[1]]
    yield "signer-unprotected", "envelope", "junk in a signature's unprotected header", message(payload, junk)
    extra = [[enc({1: -8, 4: A.public, 5: 1}), Raw(b"\xa0"), both[0][2]], both[1]]
    yield "signer-header", "envelope", "more in a signature's protected header", message(payload, extra)
    yield (
        "signer-of-two",
        "envelope",
        "a signature without its unprotected header",
        message(payload, [[both[0][0], both[0][2]], both[1]]),
    )
    yield (
        "short-signature",
        "envelope",
        "a signature of 63 bytes",
        message(payload, [[*both[0][:2], both[0][2][:63]], both[1]]),
    )
    es256 = [[enc({1: -7, 4: A.public}), *both[0][1:]], both[1]]
    yield (
        "signer-other-algorithm",
        "envelope",
        "another algorithm is named, and the signature is right",
        message(payload, es256),
    )
    array = [[both[0][0], Raw(b"\x80"), both[0][2]], both[1]]
    yield "signer-unprotected-array", "envelope", "an array for an unprotected header", message(payload, array)
    yield "tag-18", "envelope", "the tag of one signature", b"\xd2" + whole[2:]
    yield "tag-long", "envelope", "a longer form of the tag", b"\xd9\x00\x62" + whole[2:]
    yield "untagged", "envelope", "no tag", whole[2:]
    yield "trailing", "envelope", "a byte after the end", whole + b"\x00"
    yield "cut", "envelope", "a byte is missing", whole[:-1]
    pair = b"".join(map(enc, both))
    yield "list-long", "envelope", "a longer form of the list", message(payload, Raw(long_head(4, 2, 1) + pair))
    yield "list-indefinite", "envelope", "a list of no stated length", message(payload, Raw(b"\x9f" + pair + b"\xff"))
    yield (
        "payload-long",
        "envelope",
        "a longer form of the payload's length",
        b"\xd8\x62\x84\x40\xa0" + long_head(2, len(payload), 2) + payload + enc(both),
    )
    yield "payload-empty", "envelope", "an empty payload", message(b"", signatures(b"", (A, B)))
    yield "payload-nil", "envelope", "a detached payload", b"\xd8\x62\x84\x40\xa0\xf6" + enc(both)
    yield "list-says-more", "envelope", "a list that says more than it has", message(payload, Raw(head(4, 3) + pair))
    small = little_order()
    signed = [[protected(small), Raw(b"\xa0"), bytes([1]) + bytes(63)]]
    lone = enc(but({8: [[small, ROOT]], 14: 1}, DELEGATION))
    yield "key-of-small-order", "signature", "a key that nobody holds", message(lone, signed)


def little_order() -> bytes:
    """Return the neutral point, a key of order 1."""
    return bytes([1]) + bytes(31)
