"""Write the vectors of reconciliation anew: ``python -m tests.vectors.make_reconcile``.

Run it when the protocol's version changes, and never because a test fails: other implementations hold to these files.
Their form is in docs/spec/reconcile.md, "Vectors".
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from meshrelay.core.reconcile import Keys, Reconciliation, answer
from tests.reconciling import NOW, SALT, forged, key, made_keys
from tests.vectors.malformed_reconcile import INVALID_REPLIES, INVALID_REQUESTS, KEY

FOLDER = Path(__file__).parent / "reconcile"
LONGEST = 1_000
FEW = [key(3, NOW - n, bytes([n]) * 16) for n in range(3)]
AHEAD = [key(3, NOW + 10_000 + n, bytes([n]) * 16) for n in range(40)]
HIDDEN = key(3, NOW - 1_000_000, b"the warning here")
NEWER = made_keys(60, seed=2, item_class=3, days=5)
FORGED = forged(HIDDEN, made_up=150)


def listed(*keys: bytes) -> str:
    return b"".join(sorted(keys)).hex()


EXCHANGES: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "both-empty": ("two empty relays", "", "", {}),
    "empty-asks": ("an empty relay asks one that holds three items", "", listed(*FEW), {}),
    "empty-is-asked": ("a relay that holds three items asks an empty one", listed(*FEW), "", {}),
    "one-each": ("each holds one that the other lacks", listed(*FEW[:2]), listed(FEW[0], FEW[2]), {}),
    "equal": ("the same thousand on both sides", "rule 1000", "rule 1000", {}),
    "newest": ("the other side has five that are newer", "rule 1000 less 0 1 2 3 4", "rule 1000", {}),
    "scattered": ("each side lacks what the other has", "rule 1000 less 7 350 600", "rule 1000 less 8 9 999", {}),
    "flood": ("more than one reply can name", "", "rule 1500", {}),
    "dated-ahead": ("items dated past now are asked for last", listed(*FEW), listed(*FEW, *AHEAD), {}),
    "budget": ("2,000 bytes: at most 64 names a reply", listed(*FEW), "rule 1000", {"budget": "2000"}),
    "limited": (
        "corrections and the rest, of a span of time",
        listed(*FEW),
        "rule 1000",
        {"classes": "1 3", "since": str(NOW - 500), "until": str(NOW)},
    ),
    "forged-ids": (
        "made-up ids: count and XOR are the same on both sides, and the hidden item is found",
        listed(*NEWER, *FORGED[0]),
        listed(*NEWER, *FORGED[1]),
        {},
    ),
}


def keys_of(text: str) -> Keys:
    """Read a set of keys: their hexadecimal digits, or `rule N`, or `rule N less A B ...`."""
    if not text.startswith("rule "):
        return Keys(bytes.fromhex(text))
    count, _, less = text.removeprefix("rule ").partition(" less ")
    numbers = set(range(int(count))) - set(map(int, less.split()))
    return Keys.of(key(n % 4, NOW - 37 * n, sha256(n.to_bytes(4, "big")).digest()[:16]) for n in numbers)


def initiator(head: dict[str, str]) -> Reconciliation:
    """Make the initiator that the head of a file describes."""
    return Reconciliation(
        keys_of(head["view"]),
        salt=bytes.fromhex(head["salt"]),
        now=int(head["now"]),
        classes=[int(one) for one in head.get("classes", "0 1 2 3").split()],
        since=int(head.get("since", "0")),
        until=int(head.get("until", str(2**56))),
        budget=int(head["budget"]) if "budget" in head else None,
    )


def read(path: Path) -> tuple[dict[str, str], list[bytes]]:
    """Return the head of a file, and its messages."""
    top, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    fields = (line.partition(":") for line in top.splitlines())
    head = {name: value.strip() for name, _, value in fields}
    return head, [bytes.fromhex(line) for line in body.split("\n")[:-1]]


def main() -> None:
    """Write every file, and nothing else into the folder."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.txt"):
        old.unlink()
    for name, head, messages in (*_exchanges(), *_invalid()):
        top = [f"{field}: {value}".rstrip() for field, value in head.items()]
        text = "\n".join([*top, "", *(message.hex() for message in messages), ""])
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")


def _exchanges() -> Iterator[tuple[str, dict[str, str], list[bytes]]]:
    for name, (comment, view, held, limits) in EXCHANGES.items():
        head = {"expect": "", "comment": comment, "now": str(NOW), "salt": SALT.hex(), "view": view, "held": held}
        head |= limits
        work, theirs = initiator(head), keys_of(held)
        messages: list[bytes] = []
        while (message := work.message()) is not None:
            reply = answer(theirs, message)
            work.receive(reply)
            messages += [message, reply]
        head["expect"] = "settled" if work.settled else "ended"
        # Long answers are in `held` already.
        head["have"] = listed(*work.have) if len(work.have) < LONGEST else str(len(work.have))
        head["need"] = listed(*work.need) if len(work.need) < LONGEST else str(len(work.need))
        yield name, head, messages


def _invalid() -> Iterator[tuple[str, dict[str, str], list[bytes]]]:
    for flaw, message in INVALID_REQUESTS.items():
        if len(message) <= LONGEST:
            head = {"expect": "invalid request", "comment": flaw}
            yield f"invalid-request-{flaw.replace(' ', '-')}", head, [message]
    for flaw, message in INVALID_REPLIES.items():
        if len(message) <= LONGEST:
            head = {"expect": "invalid reply", "comment": flaw, "now": str(NOW), "salt": SALT.hex(), "view": KEY.hex()}
            yield f"invalid-reply-{flaw.replace(' ', '-')}", head, [message]


if __name__ == "__main__":
    main()
