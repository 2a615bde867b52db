"""Be the command `meshrelay`, and die at a chosen moment as by a power cut.

``python -m tests.faults.mortal before:commit:2 --data DIR publish ...`` kills itself, by SIGKILL, right before the
second commit to the store. The functions that are called are the real ones; they are only counted. A relay (`run`)
counts from the moment at which it is ready.

What this shows is the order of things: what the system was told to write, it has. What a disk forgets that was told to
flush too late, or says "written" too early, it cannot show.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import io
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meshrelay import cli

STAGES = {
    "sign": "meshrelay.relay:sign",
    "take": "meshrelay.keyring:Signer.take",
    "fsync": "os:fsync",
    "replace": "os:replace",
    "unlink": "os:unlink",
    "put": "meshrelay.store:Store.put_many",
    "admit": "meshrelay.relay:Relay._admit_all",
    "receive": "meshrelay.relay:Relay.receive_many",
    "taken": "meshrelay.peers.side:OurSide.receive",
    "fetch": "meshrelay.peers.talk:Talk.fetch",
    "offer": "meshrelay.peers.talk:Talk.offer",
    "give": "meshrelay.peers.talk:Talk.give",
    "index": "meshrelay.index:Index.apply",
    "search": "meshrelay.store:Store.index_backlog",
    "note": "meshrelay.local:Local.note_signed",
    "unplan": "meshrelay.local:Local.unplan",
}
"""Named stages and the function that each is; beside them `begin` and `commit` of the store's transactions, and
`acknowledge`, the writing to stdout."""


class Moment:
    """The moment of death: before or after the n-th passage of a stage."""

    def __init__(self, words: str) -> None:
        self.side, self.stage, count = words.split(":")
        self.left = int(count)
        self.armed = True
        self._lock = threading.Lock()

    def passing(self, side: str, stage: str) -> None:
        if not self.armed or (side, stage) != (self.side, self.stage):
            return
        with self._lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waited(*words: Any, **named: Any) -> Any:
                self.passing("before", stage)
                result = await function(*words, **named)
                self.passing("after", stage)
                return result

            return waited

        @functools.wraps(function)
        def called(*words: Any, **named: Any) -> Any:
            self.passing("before", stage)
            result = function(*words, **named)
            self.passing("after", stage)
            if stage == "replace" and Path(words[1]).name == "run.json":
                self.armed = True
            return result

        return called


def become_mortal(moment: Moment) -> None:
    """Put the moment around its stage."""
    for stage in {moment.stage, "replace"} & STAGES.keys():
        module, _, path = STAGES[stage].partition(":")
        *outer, name = path.split(".")
        place = functools.reduce(getattr, outer, importlib.import_module(module))
        setattr(place, name, moment.around(stage, getattr(place, name)))

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            stage = {"BEGIN IMMEDIATE": "begin", "COMMIT": "commit"}.get(sql, "")
            moment.passing("before", stage)
            result = super().execute(sql, *rest)
            moment.passing("after", stage)
            return result

    class Voice(io.FileIO):
        def write(self, data: Any) -> int:
            moment.passing("before", "acknowledge")
            count = super().write(data)
            moment.passing("after", "acknowledge")
            return count

    connect = sqlite3.connect
    sqlite3.connect = functools.partial(connect, factory=Connection)  # type: ignore[assignment]
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(Voice(1, "w", closefd=False)))


if __name__ == "__main__":
    its = Moment(sys.argv[1])
    its.armed = "run" not in sys.argv
    become_mortal(its)
    cli.main(sys.argv[2:])
