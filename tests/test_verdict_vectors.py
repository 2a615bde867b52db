"""The vectors of verdicts against a whole relay: whatever the order in which the items come, it tells the same."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from meshrelay.core.admission import admit
from meshrelay.core.clock import Clock
from meshrelay.core.statements import Says
from meshrelay.core.trust import Anchor, Verdict
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.relay import Relay
from meshrelay.store import Store
from tests.vectors import make_verdicts

NAMES = sorted(path.stem for path in make_verdicts.FOLDER.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    found = json.loads((make_verdicts.FOLDER / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def open_relay(folder: Path, scene: dict[str, Any]) -> Relay:
    local = Local.open(folder / "local.db")
    for key, petname in scene["anchors"].items():
        local.add_anchor(Anchor(bytes.fromhex(key), petname, scene["now"]))
    for key in scene["blocked"]:
        local.block(bytes.fromhex(key), now=scene["now"])
    for root in scene["followed"]:
        local.follow(bytes.fromhex(root), instead_of=(), now=scene["now"])
    return Relay(Store.open(folder / "store.db"), local, Keyring(folder / "keys"), keeper=True)


def told(found: Verdict) -> dict[str, Any]:
    """Return a verdict in the words of the vectors."""
    beyond = found.membership.beyond if found.membership is not None else None
    return {
        "author": str(found.author),
        "standing": str(found.standing),
        "beyond": str(beyond) if beyond is not None else None,
        "confirm": len(found.saying(Says.CONFIRM)),
        "dispute": len(found.saying(Says.DISPUTE)),
        "unknown": found.unknown_words,
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_relay_tells_what_the_vector_says_in_any_order(name: str, tmp_path: Path) -> None:
    scene = load(name)
    dice = random.Random(name)
    datas = [bytes.fromhex(digits) for digits in scene["items"].values()]
    blocked = set(scene["blocked"])
    for turn in range(2):
        relay = open_relay(tmp_path / str(turn), scene)
        dice.shuffle(datas)
        if blocked:
            # What a blocked key says is not taken: it was here before.
            relay.store.put_many([admit(data) for data in datas], received=scene["now"])
            relay.refresh()
        else:
            for data in datas:
                relay.receive(data, now=scene["now"])
        for one, expected in scene["expect"].items():
            item = admit(bytes.fromhex(scene["items"][one]))
            found = told(relay.bulletin(item.id, Clock(scene["now"])).verdict)
            assert {key: found[key] for key in expected} == expected, f"{one}: {scene['comment']}"
        relay.close()


def test_the_files_are_what_the_script_makes() -> None:
    scenes = list(make_verdicts.scenes())
    assert sorted(one.name for one in scenes) == NAMES, "and no two have one name"
    for one in scenes:
        assert load(one.name) == one.document(), one.name
