"""Judge the vectors with nothing but the core: for mutants of it, in a process of their own.

``python judging.py ITEMS VERDICTS`` ends with status 9 when a vector of either folder does not end as it says, and says
which; whatever the core raises beside InvalidItem counts as such. Imports only meshrelay.core and meshrelay.errors.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from meshrelay.core.admission import admit
from meshrelay.core.bulletin import Bulletin
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import Attestation, Root, Says
from meshrelay.core.trust import Acts, Anchor, Surroundings, TrustView, verdict
from meshrelay.errors import InvalidItem


def gate(folder: Path) -> str:
    """Return the name of a vector of items that does not end as it says, or an empty text."""
    for path in sorted(folder.glob("*.txt")):
        head, _, digits = path.read_text().partition("\n\n")
        said = dict(line.split(": ", 1) for line in head.splitlines())
        try:
            item = admit(bytes.fromhex(digits))
            got = "ok", item.id.hex(), item.author.hex()
        except InvalidItem as refusal:
            got = str(refusal.reason), None, None  # type: ignore[assignment]
        if got != (said["expect"], said.get("id"), said.get("author")):
            return path.stem
    return ""


def verdicts(folder: Path) -> str:
    """Return the name of a vector of verdicts that does not end as it says, or an empty text."""
    for path in sorted(folder.glob("*.json")):
        scene = json.loads(path.read_text())
        held = {name: admit(bytes.fromhex(digits)) for name, digits in scene["items"].items()}
        trust = view(scene, list(held.values()))
        for name, expected in scene["expect"].items():
            found = told(held[name], list(held.values()), trust, scene["now"])
            if any(found[key] != value for key, value in expected.items()):
                return f"{path.stem}/{name}"
    return ""


def view(scene: dict[str, Any], held: list[SignedItem]) -> TrustView:
    """Return what a relay that holds these items believes."""
    followed = [bytes.fromhex(root) for root in scene["followed"]]
    firsts = [item.id for item in held if isinstance(item.body, Root) and item.body.number == 1]
    return TrustView.of(
        anchors=[Anchor(bytes.fromhex(key), name, scene["now"]) for key, name in scene["anchors"].items()],
        blocked=[bytes.fromhex(key) for key in scene["blocked"]],
        statements=held,
        organisations=[Organisation.of(org, held, followed=followed) for org in firsts],
        now=scene["now"],
    )


def told(item: SignedItem, held: list[SignedItem], trust: TrustView, now: int) -> dict[str, Any]:
    """Return the verdict on one bulletin in the words of the vectors."""
    header = item.header
    bulletins = {one.id: one.body for one in held if isinstance(one.body, Bulletin)}
    shared: dict[int, list[Any]] = {}
    for one in held:
        if (one.author, one.header.stream) == (header.author, header.stream) and one.header.seq is not None:
            shared.setdefault(one.header.seq, []).append(one.header)
    same_day = [
        (one.header.sent, one.id)
        for one in held
        if one.id in bulletins
        and (one.author, one.header.org) == (header.author, header.org)
        and one.header.sent // 86400 == header.sent // 86400
    ]
    words = [one for one in held if isinstance(one.body, Attestation) and one.body.target == item.id]
    strangers = {one.author for one in words} - trust.speakers - trust.blocked
    around = Surroundings(
        said=bulletins[item.id],
        acts_said=bulletins,
        twins={number: tuple(headers) for number, headers in shared.items()},
        place_in_day=sorted(same_day).index((header.sent, item.id)) + 1,
        attestations=tuple(one for one in words if one.author in trust.speakers),
        unknown_words=len(strangers),
    )
    found = verdict(header, Acts.of(one.header for one in held), trust, Clock(now), around)
    beyond = found.membership.beyond if found.membership is not None else None
    return {
        "author": str(found.author),
        "standing": str(found.standing),
        "beyond": str(beyond) if beyond is not None else None,
        "confirm": len(found.saying(Says.CONFIRM)),
        "dispute": len(found.saying(Says.DISPUTE)),
        "unknown": found.unknown_words,
    }


def main() -> int:
    """Judge both folders."""
    for judged, folder in ((gate, sys.argv[1]), (verdicts, sys.argv[2])):
        try:
            wrong = judged(Path(folder))
        except Exception as bug:  # noqa: BLE001, whatever a mutant raises
            wrong = f"{type(bug).__name__}: {bug}"
        if wrong:
            print(wrong)
            return 9
    return 0


if __name__ == "__main__":
    sys.exit(main())
