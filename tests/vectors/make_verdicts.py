"""Make the vectors of verdicts: sets of items, who is anchored, and what a relay has to tell about each bulletin.

Run ``python -m tests.vectors.make_verdicts`` in the checkout; the files in tests/vectors/verdicts are its only product.
Written from docs/spec/bulletin.md and statements.md with the encoder of tests/vectors; imports nothing of meshrelay.

A file is one JSON document: `comment`; `now`, the relay's time; `anchors`, `blocked` and `followed`, keys and ids in
hexadecimal digits; `items`, envelopes by a name; and `expect`: for a bulletin by its name `author` and `standing` in
the words of the specification, and where it matters `beyond`, and how many known voices `confirm` and `dispute` it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.vectors.statements import (
    BRANCH,
    DAY,
    DELEGATION,
    FIRST_ROOT,
    KEEPER,
    ORG,
    PREDECESSOR,
    RECOVERY,
    ROOT,
    SENT,
    SQUARE,
    STREAM,
    SUCCESSOR,
    A,
    B,
    C,
    D,
    Person,
    alone,
    alone_id,
    but,
    listed,
    person,
    together,
    together_id,
)

FOLDER = Path(__file__).parent / "verdicts"
FIELD, COLLEAGUE, THIEF, NEIGHBOUR = (person(name) for name in ("field", "colleague", "thief", "neighbour"))
E, F = person("five"), person("six")
NOW = SENT + 3600

PEOPLE = {one.public: one for one in (A, B, C, D, E, F, KEEPER, FIELD, COLLEAGUE, THIEF, NEIGHBOUR)}


@dataclass
class Scene:
    """One set of items and what is to be told of it."""

    name: str
    comment: str
    now: int = NOW
    anchors: dict[bytes, str] = field(default_factory=lambda: {ORG: "The clinic"})
    blocked: list[bytes] = field(default_factory=list)
    followed: list[bytes] = field(default_factory=list)
    items: dict[str, bytes] = field(default_factory=dict)
    expect: dict[str, dict[str, Any]] = field(default_factory=dict)

    def holds(self, **items: bytes) -> Scene:
        self.items |= items
        return self

    def tells(self, name: str, author: str, standing: str = "live", **more: Any) -> Scene:
        self.expect[name] = {"author": author, "standing": standing} | more
        return self

    def document(self) -> dict[str, Any]:
        return {
            "comment": self.comment,
            "now": self.now,
            "anchors": {key.hex(): petname for key, petname in self.anchors.items()},
            "blocked": [key.hex() for key in self.blocked],
            "followed": [key.hex() for key in self.followed],
            "items": {name: data.hex() for name, data in self.items.items()},
            "expect": self.expect,
        }


# Payloads


def bulletin(headline: str = "Water at School 12", **changes: Any) -> dict[Any, Any]:
    """Return a bulletin in the clinic's name; changes are given as k10=..., ... takes one away."""
    base: dict[Any, Any] = {
        0: "bulletin", 1: 1, 2: SENT, 3: STREAM, 4: 1, 7: ORG, 10: "Alert", 11: "Actual", 12: ["Health"],
        14: "Expected", 15: "Moderate", 16: "Likely", 19: SENT + 2 * DAY, 23: {"en": {0: "Notice", 1: headline}},
    }  # fmt: skip
    return but({int(key[1:]): value for key, value in changes.items()}, base)


def act(kind: str, *targets: bytes, **changes: Any) -> dict[Any, Any]:
    return bulletin("It is over", **({"k4": 9, "k10": kind, "k21": list(targets), "k2": SENT + 60} | changes))


def root(**changes: Any) -> dict[Any, Any]:
    return but({int(key[1:]): value for key, value in changes.items()}, FIRST_ROOT)


def following(
    roles: dict[Person, int], keys: list[Person], *, prev: dict[Any, Any] = FIRST_ROOT, **changes: Any
) -> dict[Any, Any]:
    """Return a root that follows `prev`."""
    base: dict[Any, Any] = {
        0: "root", 1: 1, 2: SENT + 60, 8: listed(roles), 10: prev[10] + 1, 11: sorted(one.public for one in keys),
        12: 2, 13: [KEEPER.public], 14: ORG, 15: together_id(prev), 16: prev[12], 17: "Clinic",
    }  # fmt: skip
    return but({int(key[1:]): value for key, value in changes.items()}, base)


def lends(
    subject: Person = FIELD, *, under: dict[Any, Any] = FIRST_ROOT, by: tuple[Person, ...] = (A, B), **changes: Any
) -> dict[Any, Any]:
    base = but({8: listed(dict.fromkeys(by, ROOT)), 10: subject.public, 13: together_id(under)}, DELEGATION)
    return but({int(key[1:]): value for key, value in changes.items()}, base)


def ends(
    subject: Person = FIELD,
    *good: bytes,
    under: dict[Any, Any] = FIRST_ROOT,
    by: tuple[Person, ...] = (A, B),
    **changes: Any,
) -> dict[Any, Any]:
    """Return the clinic's revocation of a key."""
    base: dict[Any, Any] = {
        0: "revocation", 1: 1, 2: SENT + 60, 8: listed(dict.fromkeys(by, ROOT)), 10: subject.public,
        11: sorted(good) or ..., 12: ORG, 13: together_id(under), 14: 2,
    }  # fmt: skip
    return but({int(key[1:]): value for key, value in changes.items()}, base)


def ends_itself(*good: bytes, by: Person = FIELD) -> bytes:
    return alone(but({11: sorted(good) or ...}, {0: "revocation", 1: 1, 2: SENT + 60, 10: by.public}), by)


def attests(target: bytes, says: str, by: Person, *, fault: Any = ..., **changes: Any) -> bytes:
    base = {0: "attestation", 1: 1, 2: SENT + 60, 3: STREAM, 4: 7, 10: target, 11: says, 12: fault}
    return alone(but({int(key[1:]): value for key, value in changes.items()}, base), by)


def signed(value: dict[Any, Any]) -> bytes:
    """Return what several sign together, by all that it lists."""
    return together(value, [PEOPLE[key] for key, _ in value[8]])


SAYS = bulletin()
SAID = alone(SAYS)
SAID_ID = alone_id(SAYS)
LENT = signed(lends())
BASE = {"root": signed(FIRST_ROOT), "lent": LENT, "said": SAID}
SECOND = following({A: PREDECESSOR | ROOT, B: PREDECESSOR, D: ROOT, KEEPER: RECOVERY}, [A, D])
OTHER_ROOT = but({8: listed({E: ROOT, F: ROOT}), 11: sorted([E.public, F.public]), 13: ...}, FIRST_ROOT)
OTHER_ORG = together_id(OTHER_ROOT)


def scene(name: str, comment: str, **rest: Any) -> Scene:
    """Return a scene that begins with the clinic's root, a field key that it lent its name, and what that says."""
    return Scene(name, comment, **rest).holds(**BASE)


def delegations() -> Iterator[Scene]:
    yield scene("lent", "a lent key speaks in the clinic's name").tells("said", "delegated")
    yield scene("nobody-anchored", "the same where nobody knows the clinic", anchors={}).tells("said", "unknown")
    yield scene("key-anchored", "the key itself is anchored too", anchors={ORG: "Clinic", FIELD.public: "Aigul"}).tells(
        "said", "anchored"
    )
    yield (
        Scene("never-lent", "a key claims the clinic's name")
        .holds(root=BASE["root"], said=SAID)
        .tells("said", "unknown")
    )
    yield (
        Scene("no-root", "a delegation without the root that it rests on")
        .holds(lent=LENT, said=SAID)
        .tells("said", "unknown")
    )
    yield (
        scene("names-nobody", "the lent key speaks for itself")
        .holds(plain=alone(bulletin(k7=..., k4=2)))
        .tells("plain", "unknown")
    )
    yield (
        scene("names-another", "the lent key names an organisation that never lent it anything")
        .holds(other=alone(bulletin(k7=OTHER_ORG, k4=2)))
        .tells("other", "unknown")
    )
    for name, comment, forged in (
        ("m-1", "one key of two signs a delegation and claims that one is enough", lends(by=(A,), k14=1)),
        ("strangers", "strangers sign a delegation in the clinic's name", lends(by=(E, F))),
        ("one-real", "one real key and a stranger sign", lends(by=(A, E))),
        ("threshold-3", "three sign and claim that three have to", lends(by=(A, B, C), k14=3)),
        ("unknown-root", "under a root that nobody has", lends(k13=bytes(32))),
        ("other-org", "another organisation's root, the clinic's name", lends(by=(E, F), under=OTHER_ROOT)),
    ):
        yield (
            Scene(f"delegation-{name}", comment)
            .holds(root=BASE["root"], other=signed(OTHER_ROOT), lent=signed(forged), said=SAID)
            .tells("said", "unknown")
        )
    yield (
        Scene("re-delegated", "a lent key lends the name on")
        .holds(
            root=BASE["root"],
            lent=LENT,
            on=together(lends(THIEF, by=(FIELD,), k14=1), [FIELD]),
            said=alone(SAYS, THIEF),
        )
        .tells("said", "unknown")
    )
    yield (
        Scene("re-delegated-as-if-two", "a lent key and a friend lend the name on")
        .holds(root=BASE["root"], lent=LENT, on=signed(lends(THIEF, by=(FIELD, COLLEAGUE))), said=alone(SAYS, THIEF))
        .tells("said", "unknown")
    )
    later = SENT + 31 * DAY
    yield (
        scene("lapsed", "the delegation is over", now=later)
        .holds(backdated=alone(bulletin(k4=2, k19=SENT + 80 * DAY)))
        .tells("said", "delegation ended", "expired")
        .tells("backdated", "delegation ended")
    )
    yield (
        scene("after-the-end", "signed after the delegation was over", now=later)
        .holds(late=alone(bulletin(k2=later - 60, k19=later + DAY, k4=2)))
        .tells("late", "delegation ended")
    )
    yield (
        scene("renewed", "a second delegation follows the first", now=later)
        .holds(
            again=signed(lends(k15=SENT + 30 * DAY, k16=SENT + 60 * DAY)),
            kept=alone(bulletin(k4=2, k19=SENT + 80 * DAY)),
        )
        .tells("kept", "delegated")
    )
    yield (
        Scene("not-yet-lent", "signed before the delegation begins")
        .holds(root=BASE["root"], lent=signed(lends(k15=SENT + 60)), said=SAID)
        .tells("said", "outside remit", beyond="time")
    )

    yield (
        Scene("gap", "signed between two delegations", now=SENT + 15 * DAY)
        .holds(
            root=BASE["root"],
            lent=signed(lends(k16=SENT + 60)),
            again=signed(lends(k15=SENT + 10 * DAY)),
            said=alone(bulletin(k2=SENT + 5 * DAY, k19=SENT + 50 * DAY)),
        )
        .tells("said", "outside remit", beyond="time")
    )
    new_keys = following({A: PREDECESSOR, B: PREDECESSOR, D: ROOT, E: ROOT, KEEPER: RECOVERY}, [D, E])
    yield (
        Scene("lent-under-an-older-root", "keys of version 2 lend under version 1")
        .holds(root=BASE["root"], second=signed(new_keys), lent=signed(lends(by=(D, E))), said=SAID)
        .tells("said", "unknown")
    )


def remits() -> Iterator[Scene]:
    area = [
        {
            0: {"en": "Quarter"},
            1: [[43_100_000, 76_050_000, 43_200_000, 76_050_000, 43_200_000, 76_100_000, 43_100_000, 76_050_000]],
        }
    ]
    far = [
        {
            0: {"en": "Far"},
            1: [[53_100_000, 76_050_000, 53_200_000, 76_050_000, 53_200_000, 76_100_000, 53_100_000, 76_050_000]],
        }
    ]
    corner = [43_100_000, 76_700_000, 43_200_000, 76_700_000, 43_200_000, 76_800_000, 43_100_000, 76_700_000]
    beside = [{0: {"en": "Beside"}, 1: [corner]}]
    triangle = {0: [SQUARE]}
    half = [
        {
            0: {"en": "Half"},
            1: [[43_500_000, 76_100_000, 44_500_000, 76_100_000, 44_500_000, 76_200_000, 43_500_000, 76_100_000]],
        }
    ]
    words = [{0: {"en": "School 12"}}]
    coded = [{0: {"en": "Almaty"}, 3: [["KATO", "750000000"]]}]
    square = [
        43_000_000,
        76_000_000,
        44_000_000,
        76_000_000,
        44_000_000,
        77_000_000,
        43_000_000,
        77_000_000,
        43_000_000,
        76_000_000,
    ]
    place = {0: [square], 2: [["KATO", "75"]]}
    for name, comment, bounds, changes, beyond in (
        ("severity", "graver than the key may say", {5: "Minor"}, {}, "severity"),
        ("severity-within", "as grave as the key may say", {5: "Moderate"}, {}, ""),
        ("severity-unknown", "no severity is not too grave", {5: "Minor"}, {"k15": "Unknown"}, ""),
        ("category", "another category", {3: ["Fire"]}, {}, "category"),
        ("category-half", "one of two categories", {3: ["Health"]}, {"k12": ["Health", "Fire"]}, "category"),
        ("category-within", "both categories", {3: ["Fire", "Health"]}, {"k12": ["Health", "Fire"]}, ""),
        ("kind", "attestations alone", {4: ["attestation"]}, {}, "kind"),
        ("place-within", "a quarter within the square", place, {"k22": area}, ""),
        ("place-far", "a place elsewhere", place, {"k22": far}, "place"),
        ("place-half", "half of it lies outside", place, {"k22": half}, "place"),
        (
            "place-beside",
            "within the box around a triangle, and not within the triangle",
            triangle,
            {"k22": beside},
            "place",
        ),
        ("place-two", "one of two places lies outside", place, {"k22": area + far}, "place"),
        ("place-words", "words alone lie nowhere", place, {"k22": words}, "place"),
        ("place-none", "no place at all", place, {}, "place"),
        ("place-code", "a code that begins as lent", place, {"k22": coded}, ""),
        ("place-code-other", "another code", {2: [["KATO", "71"]]}, {"k22": coded}, "place"),
        ("place-circle", "within five kilometres", {1: [[43_150_000, 76_075_000, 20_000]]}, {"k22": area}, ""),
        ("place-circle-small", "a corner sticks out", {1: [[43_150_000, 76_075_000, 1_000]]}, {"k22": area}, "place"),
    ):
        found = Scene(f"remit-{name}", comment).holds(
            root=BASE["root"], lent=signed(lends(k17=bounds)), said=alone(bulletin(**changes))
        )
        yield found.tells("said", "outside remit", beyond=beyond) if beyond else found.tells("said", "delegated")
    daily = Scene("remit-daily", "two a day: the third by time and then id is outside, the next day's is within")
    daily.holds(root=BASE["root"], lent=signed(lends(k17={6: 2})))
    start = SENT - SENT % DAY + DAY
    daily.now = start + DAY + 60
    for place_in_day, offset in enumerate((10, 20, 30)):
        name = f"said{place_in_day}"
        daily.holds(**{name: alone(bulletin(k2=start + offset, k19=start + 3 * DAY, k4=place_in_day + 1))})
        daily.tells(name, "delegated") if place_in_day < 2 else daily.tells(name, "outside remit", beyond="daily")
    daily.holds(next=alone(bulletin(k2=start + DAY, k19=start + 3 * DAY, k4=9))).tells("next", "delegated")
    yield daily
    yield (
        Scene("remit-second-delegation", "a second delegation covers what the first does not")
        .holds(
            root=BASE["root"], lent=signed(lends(k17={3: ["Fire"]})), more=signed(lends(k17={3: ["Health"]})), said=SAID
        )
        .tells("said", "delegated")
    )
    yield from comparisons()


def drawn(spots: list[int], corners: int) -> list[int]:
    """Return a closed polygon through these spots with so many corners: the first is there more than once."""
    return spots[:2] * (corners - len(spots) // 2) + spots + spots[:2]


def comparisons() -> Iterator[Scene]:
    """How much is compared at most: areas of many corners, a few millionths of a degree wide, so that they fit."""
    block, corner_piece = [0, 0, 20, 0, 20, 20, 0, 20], [0, 0, 20, 0, 20, 2, 2, 2, 2, 20, 0, 20]
    spot = [15, 15, 15, 16, 16, 16]

    def said(corners: int) -> bytes:
        return alone(bulletin(k22=[{0: {"en": "Many corners"}, 1: [drawn(spot, corners)]}]))

    def lent(spots: list[int], corners: int, **changes: Any) -> bytes:
        return signed(lends(k17={0: [drawn(spots, corners)]}, **changes))

    for name, comment, data, lends_for, beyond in [
        ("most", "520 corners and 63 edges: 32,761 comparisons", said(520), lent(block, 63), None),
        ("too-much", "521 corners and 63 edges: 32,824 comparisons", said(521), lent(block, 63), "place"),
        ("most-corners", "8,192 corners and 3 edges", said(8192), lent([0, 0, 20, 0, 20, 99], 3), None),
        ("too-many-corners", "8,193 corners and 3 edges", said(8193), lent([0, 0, 20, 0, 20, 99], 3), "place"),
        (
            "circle-most",
            "a circle counts as four edges: 8,192 corners",
            said(8192),
            signed(lends(k17={1: [[0, 0, 99]]})),
            None,
        ),
        (
            "circles-too-much",
            "two circles count as eight edges: 4,097 corners",
            said(4097),
            signed(lends(k17={1: [[0, 0, 99]] * 2})),
            "place",
        ),
    ]:
        found = Scene(f"remit-place-{name}", comment).holds(root=BASE["root"], lent=lends_for, said=data)
        yield found.tells("said", "outside remit", beyond=beyond) if beyond else found.tells("said", "delegated")
    yield (
        Scene(
            "remit-place-smallest-first", "what is outside of the larger is within the smaller, which is compared first"
        )
        .holds(root=BASE["root"], lent=lent(block, 60), more=lent(corner_piece, 62), said=said(500))
        .tells("said", "delegated")
    )
    yield (
        Scene(
            "remit-place-no-further", "comparing with the smaller leaves too little for the larger, where it is within"
        )
        .holds(root=BASE["root"], lent=lent(corner_piece, 60), more=lent(block, 62), said=said(500))
        .tells("said", "outside remit", beyond="place")
    )
    yield (
        Scene("remit-place-alike", "delegations for the same places are compared once")
        .holds(
            root=BASE["root"],
            lent=lent(corner_piece, 60),
            again=lent(corner_piece, 60, k18="Again"),
            more=lent(block, 62),
            said=said(250),
        )
        .tells("said", "delegated")
    )
    yield (
        Scene("remit-place-elsewhere", "a polygon in whose box the shape does not lie takes one comparison")
        .holds(
            root=BASE["root"],
            lent=signed(lends(k17={0: [drawn([99, 99, 99, 120, 120, 99], 63)] * 7 + [drawn(block, 62)]})),
            said=said(520),
        )
        .tells("said", "delegated")
    )


def roots() -> Iterator[Scene]:
    yield (
        scene("rotated", "the delegation's signers are not all in the new root any more")
        .holds(second=signed(SECOND))
        .tells("said", "unknown")
    )
    kept = following({A: PREDECESSOR | ROOT, B: PREDECESSOR | ROOT, KEEPER: RECOVERY}, [A, B, D])
    yield (
        scene("rotated-signers-stay", "enough of its signers stay")
        .holds(second=signed(kept))
        .tells("said", "delegated")
    )
    yield (
        Scene("rollback", "keys that were retired lend the name under the old root")
        .holds(root=BASE["root"], second=signed(SECOND), lent=signed(lends(by=(B, C))), said=SAID)
        .tells("said", "unknown")
    )
    third = following({A: PREDECESSOR, D: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], prev=SECOND)
    under_third = signed(lends(by=(E, F), under=third))
    yield (
        Scene("third", "two rotations")
        .holds(root=BASE["root"], second=signed(SECOND), third=signed(third), lent=under_third, said=SAID)
        .tells("said", "delegated")
    )
    yield (
        Scene("skipped-root", "version 2 is missing")
        .holds(root=BASE["root"], third=signed(third), lent=under_third, said=SAID)
        .tells("said", "unknown")
    )
    for name, comment, forged in (
        (
            "unsigned",
            "nobody of version 1 signed it",
            following({E: ROOT | PREDECESSOR, F: ROOT | PREDECESSOR}, [E, F]),
        ),
        ("m-1", "one of version 1 signed it", following({A: PREDECESSOR, E: ROOT | PREDECESSOR, F: ROOT}, [E, F])),
        (
            "threshold",
            "it claims that one of version 1 was enough",
            following({A: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], k16=1),
        ),
        (
            "fast-forward",
            "the largest number follows version 1",
            following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], k10=2**53 - 1),
        ),
        (
            "same-number",
            "a second version 1, as if it followed",
            following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], k10=3),
        ),
        (
            "threshold-claimed",
            "two of version 1 signed it, and it claims that one was enough",
            following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], k16=1),
        ),
        (
            "other-prev",
            "it follows something else",
            following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], k15=bytes(32)),
        ),
        (
            "other-org",
            "it is another organisation's",
            following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], k14=OTHER_ORG),
        ),
        (
            "recovery",
            "it names other recovery keys, and no recovery key signed it",
            following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], k13=[E.public]),
        ),
        (
            "recovery-of-its-own",
            "its own new recovery key signed that",
            following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT | RECOVERY, F: ROOT}, [E, F], k13=[E.public]),
        ),
        (
            "no-recovery",
            "it leaves the recovery keys out",
            following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT, F: ROOT}, [E, F], k13=...),
        ),
    ):
        yield Scene(f"root-{name}", comment).holds(
            root=BASE["root"], forged=signed(forged), lent=LENT, said=SAID,
            theirs=signed(lends(THIEF, by=(E, F), under=forged)), forgery=alone(SAYS, THIEF),
        ).tells("said", "delegated").tells("forgery", "unknown")  # fmt: skip
    takes = following({A: PREDECESSOR, B: PREDECESSOR, E: ROOT, F: ROOT, KEEPER: RECOVERY}, [E, F], k13=[E.public])
    yield (
        Scene("recovery-replaced", "a recovery key agreed to other recovery keys")
        .holds(root=BASE["root"], second=signed(takes), lent=signed(lends(by=(E, F), under=takes)), said=SAID)
        .tells("said", "delegated")
    )
    rival = following({B: PREDECESSOR, C: PREDECESSOR, E: ROOT, F: ROOT}, [E, F])
    lent_by_rival = signed(lends(THIEF, by=(E, F), under=rival))
    honest = following({A: PREDECESSOR | ROOT, B: PREDECESSOR | ROOT}, [A, B])
    rivals = {"second": signed(honest), "rival": signed(rival), "theirs": lent_by_rival, "forgery": alone(SAYS, THIEF)}
    yield (
        scene("rivals", "retired keys sign a rival successor, and nothing decides")
        .holds(**rivals)
        .tells("said", "disputed organisation")
        .tells("forgery", "disputed organisation")
    )
    yield (
        scene("rivals-followed", "the operator follows one by hand", followed=[together_id(honest)])
        .holds(**rivals)
        .tells("said", "delegated")
        .tells("forgery", "unknown")
    )
    signed_by_recovery = signed(kept)
    yield (
        scene("rivals-recovery-signed", "the recovery key signed one of them")
        .holds(**rivals | {"second": signed_by_recovery})
        .tells("said", "delegated")
        .tells("forgery", "unknown")
    )
    chosen = but(
        {8: listed({KEEPER: RECOVERY}), 10: together_id(honest), 11: [together_id(rival)], 12: ORG, 13: ORG}, BRANCH
    )
    yield (
        scene("rivals-chosen", "the recovery key says later which counts")
        .holds(**rivals, branch=signed(chosen))
        .tells("said", "delegated")
        .tells("forgery", "unknown")
    )
    by_root = but(
        {8: listed({B: ROOT, C: ROOT}), 10: together_id(rival), 11: [together_id(honest)], 12: ORG, 13: ORG, 14: 2},
        BRANCH,
    )
    yield (
        scene("rivals-chosen-by-retired-keys", "the keys that made the rival say that it counts")
        .holds(**rivals, branch=signed(by_root))
        .tells("said", "disputed organisation")
        .tells("forgery", "disputed organisation")
    )
    by_thief = but({8: listed({THIEF: RECOVERY})}, chosen)
    yield (
        scene("rivals-chosen-by-a-stranger", "a stranger signs as recovery key")
        .holds(**rivals, branch=signed(but({10: together_id(rival), 11: [together_id(honest)]}, by_thief)))
        .tells("said", "disputed organisation")
    )
    late_rival = following({B: PREDECESSOR, C: PREDECESSOR, E: ROOT, F: ROOT}, [E, F])
    yield (
        Scene("rival-of-an-old-version", "two rotations later retired keys sign a rival of version 2")
        .holds(
            root=BASE["root"],
            second=signed(SECOND),
            third=signed(third),
            lent=under_third,
            rival=signed(late_rival),
            said=SAID,
        )
        .tells("said", "delegated")
    )


def revocations() -> Iterator[Scene]:
    good = alone(bulletin(k4=2))
    good_id = alone_id(bulletin(k4=2))
    backfilled = alone(bulletin("Forged", k2=SENT + 5, k4=3, k19=SENT + DAY))
    base = {"good": good, "backfilled": backfilled}
    yield scene("ended", "the clinic ends the key").holds(ended=signed(ends())).tells("said", "revoked")
    yield (
        scene("ended-but", "one id stays good, and what a thief dates back does not")
        .holds(**base, ended=signed(ends(FIELD, good_id)))
        .tells("good", "delegated")
        .tells("said", "revoked")
        .tells("backfilled", "revoked")
    )
    yield (
        scene("ended-by-recovery", "a recovery key ends the key")
        .holds(ended=signed(ends(by=(), k8=listed({KEEPER: RECOVERY}), k14=...)))
        .tells("said", "revoked")
    )
    yield (
        scene("ended-twice-alike", "two revocations that say the same")
        .holds(**base, one=signed(ends(FIELD, good_id)), two=signed(ends(FIELD, good_id, k2=SENT + 90)))
        .tells("good", "delegated")
        .tells("said", "revoked")
    )
    yield (
        scene("ended-twice", "two that differ leave nothing good")
        .holds(**base, one=signed(ends(FIELD, good_id)), two=signed(ends(FIELD, good_id, SAID_ID, k2=SENT + 90)))
        .tells("good", "revoked")
        .tells("said", "revoked")
    )
    yield (
        scene("ended-by-both-sorts", "what stays good is good in both")
        .holds(
            **base,
            one=signed(ends(FIELD, good_id)),
            two=signed(ends(FIELD, good_id, SAID_ID, by=(), k8=listed({KEEPER: RECOVERY}), k14=...)),
        )
        .tells("good", "delegated")
        .tells("said", "revoked")
    )
    yield scene("ends-itself", "the key ends itself").holds(ended=ends_itself()).tells("said", "revoked")
    yield (
        scene("ends-itself-elsewhere", "and what it said in nobody's name", anchors={FIELD.public: "Aigul"})
        .holds(ended=ends_itself(), plain=alone(bulletin(k7=..., k4=2)))
        .tells("said", "revoked")
        .tells("plain", "revoked")
    )
    yield (
        scene("thief-ends-it", "a thief ends the key and calls the forgery good: no more is gained than lost")
        .holds(**base, ended=ends_itself(alone_id(bulletin("Forged", k2=SENT + 5, k4=3, k19=SENT + DAY))))
        .tells("said", "revoked")
        .tells("good", "revoked")
        .tells("backfilled", "delegated")
    )
    yield (
        scene("thief-ends-it-and-paper", "and then the one on paper comes")
        .holds(
            **base,
            thief=ends_itself(alone_id(bulletin("Forged", k2=SENT + 5, k4=3, k19=SENT + DAY))),
            paper=ends_itself(),
        )
        .tells("said", "revoked")
        .tells("good", "revoked")
        .tells("backfilled", "revoked")
    )
    for name, comment, forged in (
        ("m-1", "one of two keys ends it", ends(by=(A,), k14=1)),
        ("threshold-claimed", "two of two end it, and claim that one is enough", ends(k14=1)),
        ("strangers", "strangers end it", ends(by=(E, F))),
        ("stranger-recovers", "a stranger signs as recovery key", ends(by=(), k8=listed({THIEF: RECOVERY}), k14=...)),
        ("other-org", "another organisation ends it in its own name", ends(by=(E, F), under=OTHER_ROOT, k12=OTHER_ORG)),
        ("unknown-root", "under a root that nobody has", ends(k13=bytes(32))),
    ):
        yield (
            scene(f"not-ended-{name}", comment)
            .holds(other=signed(OTHER_ROOT), ended=signed(forged))
            .tells("said", "delegated")
        )
    yield scene(
        "ended-for-the-clinic-alone", "what names nobody is not the clinic's business",
        anchors={ORG: "Clinic", FIELD.public: "Aigul"},
    ).holds(ended=signed(ends()), plain=alone(bulletin(k7=..., k4=2))).tells("said", "revoked").tells(
        "plain", "anchored"
    )  # fmt: skip
    again = lends(by=(A, D), under=SECOND, k15=SENT + 600)
    yield scene("ended-by-retired-keys", "retired keys end what was lent before, and not what was lent since").holds(
        second=signed(SECOND), ended=signed(ends(by=(B, C))), again=signed(again),
        later=alone(bulletin(k2=SENT + 900, k4=5)),
    ).tells("said", "revoked").tells("later", "delegated")  # fmt: skip
    yield (
        scene("ended-stays-ended-after-a-rotation", "the signers of the delegation stay, those of the revocation go")
        .holds(
            second=signed(following({A: PREDECESSOR | ROOT, B: PREDECESSOR | ROOT, KEEPER: RECOVERY}, [A, B, D])),
            ended=signed(ends(by=(B, C))),
        )
        .tells("said", "revoked")
    )
    yield scene("blocked", "the operator blocked the key", blocked=[FIELD.public]).tells("said", "blocked")
    yield scene("clinic-blocked", "the operator blocked the clinic", blocked=[ORG]).tells("said", "blocked")
    yield (
        scene("successor", "a key names another: no trust moves by itself", anchors={FIELD.public: "Aigul"})
        .holds(after=alone(but({10: THIEF.public}, SUCCESSOR)), new=alone(SAYS, THIEF))
        .tells("said", "anchored")
        .tells("new", "unknown")
    )


def acts() -> Iterator[Scene]:
    lent = signed(lends(COLLEAGUE))
    cancel = act("Cancel", SAID_ID)
    for anchors, author in (({ORG: "Clinic"}, "delegated"), ({}, "unknown")):
        where = "anchored" if anchors else "not-anchored"
        yield (
            scene(f"colleague-cancels-{where}", "a colleague cancels", anchors=anchors)
            .holds(lent2=lent, cancel=alone(cancel, COLLEAGUE))
            .tells("said", author, "cancelled")
        )
    yield (
        scene("colleague-updates", "a colleague updates")
        .holds(lent2=lent, update=alone(act("Update", SAID_ID), COLLEAGUE))
        .tells("said", "delegated", "superseded")
        .tells("update", "delegated")
    )
    yield (
        scene("colleague-lapsed-later", "the colleague's delegation is over by now", now=SENT + DAY)
        .holds(lent2=signed(lends(COLLEAGUE, k16=SENT + 600)), cancel=alone(cancel, COLLEAGUE))
        .tells("said", "delegated", "cancelled")
    )
    yield (
        scene("colleague-revoked", "the colleague was ended: the cancel falls")
        .holds(lent2=lent, cancel=alone(cancel, COLLEAGUE), ended=signed(ends(COLLEAGUE)))
        .tells("said", "delegated")
    )
    yield (
        scene("colleague-revoked-but", "but for this cancel")
        .holds(lent2=lent, cancel=alone(cancel, COLLEAGUE), ended=signed(ends(COLLEAGUE, alone_id(cancel, COLLEAGUE))))
        .tells("said", "delegated", "cancelled")
    )
    yield (
        scene("colleague-outside-remit", "the colleague may not speak about health")
        .holds(lent2=signed(lends(COLLEAGUE, k17={3: ["Fire"]})), cancel=alone(cancel, COLLEAGUE))
        .tells("said", "delegated")
    )
    grown = following({A: PREDECESSOR | ROOT, B: PREDECESSOR | ROOT, KEEPER: RECOVERY}, [A, B, D])
    yield (
        scene("colleague-ended-and-lent-less", "what a colleague was lent was ended, and lent again for less")
        .holds(
            second=signed(grown),
            lent2=lent,
            ended=signed(ends(COLLEAGUE)),
            less=signed(lends(COLLEAGUE, under=grown, k17={3: ["Fire"]})),
            cancel=alone(cancel, COLLEAGUE),
        )
        .tells("said", "delegated")
    )
    yield (
        scene("colleague-before-it-was-lent", "the cancel is older than the delegation")
        .holds(lent2=signed(lends(COLLEAGUE, k15=SENT + 120)), cancel=alone(cancel, COLLEAGUE))
        .tells("said", "delegated")
    )
    yield (
        scene("colleague-in-its-own-name", "the cancel names no organisation")
        .holds(lent2=lent, cancel=alone(act("Cancel", SAID_ID, k7=...), COLLEAGUE))
        .tells("said", "delegated")
    )
    yield (
        scene("stranger-cancels", "a stranger claims the clinic's name")
        .holds(cancel=alone(cancel, THIEF))
        .tells("said", "delegated")
    )
    yield (
        scene(
            "stranger-cancels-by-link",
            "a stranger's cancel, cancelled in turn by the author's: only the author's act counts",
        )
        .holds(cancel=alone(cancel, THIEF), on=alone(act("Cancel", alone_id(cancel, THIEF))))
        .tells("said", "delegated")
    )
    theirs = lends(FIELD, by=(E, F), under=OTHER_ROOT, k12=OTHER_ORG)
    own = lends(THIEF, by=(E, F), under=OTHER_ROOT, k12=OTHER_ORG)
    for name, org in (("its-own-name", OTHER_ORG), ("the-victim-s-name", ORG)):
        yield scene(f"captured-in-{name}", "another organisation lends the victim its name and cancels for it").holds(
            other=signed(OTHER_ROOT), theirs=signed(theirs), own=signed(own),
            cancel=alone(act("Cancel", SAID_ID, k7=org), THIEF),
        ).tells("said", "delegated")  # fmt: skip
    yield scene("captured-plain", "the victim speaks for itself", anchors={FIELD.public: "Aigul"}).holds(
        other=signed(OTHER_ROOT), theirs=signed(theirs), own=signed(own), plain=alone(bulletin(k7=..., k4=2)),
        cancel=alone(act("Cancel", alone_id(bulletin(k7=..., k4=2)), k7=OTHER_ORG), THIEF),
    ).tells("plain", "anchored")  # fmt: skip
    yield (
        scene("cancel-expires-first", "a Cancel of one second still cancels", now=SENT + DAY)
        .holds(cancel=alone(act("Cancel", SAID_ID, k19=SENT + 61)))
        .tells("said", "delegated", "cancelled")
    )
    yield scene("cancel-of-an-update", "the author cancels a colleague's update: both are over").holds(
        lent2=lent, update=alone(act("Update", SAID_ID), COLLEAGUE),
        cancel=alone(act("Cancel", alone_id(act("Update", SAID_ID), COLLEAGUE), k2=SENT + 90)),
    ).tells("said", "delegated", "cancelled").tells("update", "delegated", "cancelled")  # fmt: skip
    grave = bulletin(k15="Extreme", k4=2)
    yield scene("beyond-by-an-update", "a colleague for lesser matters updates a grave one").holds(
        lent2=signed(lends(COLLEAGUE, k17={5: "Minor"})), grave=alone(grave),
        update=alone(act("Update", alone_id(grave), k15="Minor"), COLLEAGUE),
    ).tells("grave", "delegated")  # fmt: skip
    yield (
        scene("revoked-author-s-cancel", "the author ended itself: its cancel falls, and so does what it said")
        .holds(cancel=alone(cancel), ended=ends_itself())
        .tells("said", "revoked")
    )


def forks() -> Iterator[Scene]:
    anchors = {FIELD.public: "Aigul"}
    first, twin, other, later = (
        bulletin(f"Number {name}", k4=number, k7=..., k2=SENT + number)
        for name, number in (("one", 1), ("two", 2), ("two again", 2), ("three", 3))
    )
    held = {
        name: alone(value) for name, value in (("first", first), ("twin", twin), ("other", other), ("later", later))
    }
    yield (
        Scene("fork", "two items share a number", anchors=anchors)
        .holds(**held)
        .tells("first", "anchored")
        .tells("twin", "forked")
        .tells("other", "forked")
        .tells("later", "forked")
    )
    branch = but({10: alone_id(twin), 11: [alone_id(other)]}, BRANCH)
    yield (
        Scene("fork-decided", "the key says which counts", anchors=anchors)
        .holds(**held, branch=alone(branch))
        .tells("twin", "anchored")
        .tells("other", "forked")
        .tells("later", "anchored")
    )
    back = but({10: alone_id(other), 11: [alone_id(twin)]}, BRANCH)
    yield (
        Scene("fork-contradicted", "the key says both", anchors=anchors)
        .holds(**held, branch=alone(branch), back=alone(back))
        .tells("twin", "forked")
        .tells("other", "forked")
        .tells("later", "forked")
    )
    yield (
        Scene("fork-decided-by-another", "another key says which counts", anchors=anchors)
        .holds(**held, branch=alone(branch, THIEF))
        .tells("twin", "forked")
        .tells("later", "forked")
    )
    in_name = {
        name: alone(but({7: ORG}, value)) for name, value in (("twin", twin), ("other", other), ("later", later))
    }
    ids = [alone_id(but({7: ORG}, value)) for value in (twin, other)]
    by_org = but({8: listed({A: ROOT, B: ROOT}), 10: ids[0], 11: [ids[1]], 12: ORG, 13: ORG, 14: 2}, BRANCH)
    by_thief = but({10: ids[1], 11: [ids[0]]}, BRANCH)
    yield (
        Scene("fork-decided-by-the-clinic", "the clinic's word goes before that of a key in a thief's hands")
        .holds(root=BASE["root"], lent=LENT, **in_name, branch=signed(by_org), back=alone(by_thief))
        .tells("twin", "delegated")
        .tells("other", "forked")
        .tells("later", "delegated")
    )
    streams = alone(but({3: b"another!"}, other))
    yield (
        Scene("no-fork", "the same number in another stream", anchors=anchors)
        .holds(twin=held["twin"], other=streams)
        .tells("twin", "anchored")
        .tells("other", "anchored")
    )
    attested = attests(SAID_ID, "confirm", FIELD, k4=2)
    yield (
        Scene("fork-with-an-attestation", "a bulletin and an attestation share a number", anchors=anchors)
        .holds(twin=held["twin"], word=attested)
        .tells("twin", "forked")
    )


def words() -> Iterator[Scene]:
    known = {ORG: "Clinic", NEIGHBOUR.public: "Neighbour", THIEF.public: "Somebody", COLLEAGUE.public: "Colleague"}
    yield scene("confirmed", "two known keys confirm, one disputes, a stranger is not counted", anchors=known).holds(
        one=attests(SAID_ID, "confirm", NEIGHBOUR), two=attests(SAID_ID, "confirm", THIEF),
        three=attests(SAID_ID, "dispute", COLLEAGUE, fault="moved"), four=attests(SAID_ID, "confirm", E),
    ).tells("said", "delegated", confirm=2, dispute=1, unknown=1)  # fmt: skip
    yield (
        scene("own-word", "nobody counts on what they said themselves", anchors={ORG: "Clinic", FIELD.public: "A"})
        .holds(word=attests(SAID_ID, "confirm", FIELD))
        .tells("said", "anchored", confirm=0, unknown=0)
    )
    lent2, lent3 = signed(lends(COLLEAGUE)), signed(lends(NEIGHBOUR))
    yield (
        scene("colleague-s-word", "a colleague does not count on it either")
        .holds(lent2=lent2, word=attests(SAID_ID, "confirm", COLLEAGUE, k7=ORG))
        .tells("said", "delegated", confirm=0, unknown=0)
    )
    other = alone(bulletin(k7=...), THIEF)
    other_id = alone_id(bulletin(k7=...), THIEF)
    yield scene("one-voice", "an organisation is one voice, its newest word counts").holds(
        lent2=lent2, lent3=lent3, other=other, one=attests(other_id, "confirm", COLLEAGUE, k7=ORG),
        two=attests(other_id, "dispute", NEIGHBOUR, fault="false", k7=ORG, k2=SENT + 90),
    ).tells("other", "unknown", confirm=0, dispute=1)  # fmt: skip
    yield scene("not-lent-for-words", "lent for bulletins alone").holds(
        lent2=signed(lends(COLLEAGUE, k17={4: ["bulletin"]})), other=other,
        word=attests(other_id, "confirm", COLLEAGUE, k7=ORG),
    ).tells("other", "unknown", confirm=0, unknown=1)  # fmt: skip
    yield (
        scene("changed-mind", "of one author the newest counts", anchors=known)
        .holds(
            one=attests(SAID_ID, "dispute", NEIGHBOUR, fault="false"),
            two=attests(SAID_ID, "confirm", NEIGHBOUR, k2=SENT + 90, k4=8),
        )
        .tells("said", "delegated", confirm=1, dispute=0)
    )
    yield (
        scene("attester-ended", "the word of a key that ended itself", anchors=known)
        .holds(word=attests(SAID_ID, "confirm", NEIGHBOUR), ended=ends_itself(by=NEIGHBOUR))
        .tells("said", "delegated", confirm=0)
    )
    yield (
        scene("attester-blocked", "the word of a blocked key", anchors=known, blocked=[NEIGHBOUR.public])
        .holds(word=attests(SAID_ID, "confirm", NEIGHBOUR))
        .tells("said", "delegated", confirm=0)
    )
    yield (
        scene("word-from-the-future", "a word dated an hour ahead waits", anchors=known)
        .holds(word=attests(SAID_ID, "confirm", NEIGHBOUR, k2=NOW + 3600))
        .tells("said", "delegated", confirm=0)
    )


def scenes() -> Iterator[Scene]:
    """Yield every scene."""
    for group in (delegations, remits, roots, revocations, acts, forks, words):
        yield from group()


def main() -> None:
    """Write all files, and remove those that are no longer made."""
    FOLDER.mkdir(exist_ok=True)
    made = {f"{one.name}.json": json.dumps(one.document(), indent=1) + "\n" for one in scenes()}
    for path in FOLDER.iterdir():
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
