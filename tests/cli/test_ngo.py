"""The story of docs/ngo.md, its commands typed as they stand there, with a thief in between.

A line `dana$ meshrelay ...` is called in Dana's folder. A line below it must be in what was printed; a word in capitals
there stands for what was printed in its place, from then on.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from meshrelay.core.admission import admit, sign
from meshrelay.core.bulletin import Bulletin, Chain, Text
from meshrelay.interop import carry
from meshrelay.keyring import Keyring
from tests.cli.conftest import PASSPHRASE, Terminal
from tests.commands import COMMANDS, options
from tests.conftest import ROOT

pytestmark = [pytest.mark.usefixtures("cheap_guesses"), pytest.mark.timeout(180)]

TEXT = (ROOT / "docs" / "ngo.md").read_text(encoding="utf-8")
STEPS = dict(re.findall(r"^### (\d+(?=\. )|[A-Z][^\n]*)[^\n]*\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL))
"""What is said at each step of the story, by its number, and in each recipe, by its title."""
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r" *([a-z]+)\$ (meshrelay .*)")
STANDS_FOR = re.compile(r"\b(?:CLINIC|WATER|UPDATE|CANCEL|PATH|ROOT)\b")


def typed(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield who types what, and what must be printed."""
    for block in BLOCK.findall(text):
        who, line, printed = "", "", list[str]()
        for one in block.splitlines():
            match = TYPED.fullmatch(one)
            if match is None:
                printed.append(one.strip())
                continue
            if line:
                yield who, line, printed
            who, line, printed = match[1], match[2], []
        yield who, line, printed


@dataclass
class Story:
    """The people by name, each with a folder of their own, and what the words in capitals stand for."""

    folder: Path
    said: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Terminal:
        return Terminal(self.folder / f"folder-{name}")

    def play(self, *steps: str) -> None:
        for step in steps:
            for who, line, printed in typed(STEPS[step]):
                _, *words = (STANDS_FOR.sub(lambda word: self.said[word[0]], one) for one in shlex.split(line))
                result = self[who].call(*words, stdin="yes\n")
                assert result.exit_code == 0, f"{who}$ {line}\n{result.output}"
                for one in printed:
                    self._look_for(one, result.stdout)

    def _look_for(self, line: str, output: str) -> None:
        parts = STANDS_FOR.split(line)
        names = STANDS_FOR.findall(line)
        pattern = re.escape(parts[0])
        for name, part in zip(names, parts[1:], strict=True):
            pattern += re.escape(self.said[name]) if name in self.said else f"(?P<{name}>.+)"
            pattern += re.escape(part)
        match = re.search(f"^{pattern}$", output, re.MULTILINE)
        assert match, f"{line!r} is not in what was printed:\n{output}"
        self.said.update(match.groupdict())
        self.said.pop("PATH", None)

    def hand(self, giver: str, *takers: str) -> None:
        """Carry all that one has to others."""
        self[giver].do("export", "handed.carry")
        for taker in takers:
            self[taker].do("import", "handed.carry")

    def verdicts(self, name: str) -> dict[str, tuple[str, str]]:
        """Return how each bulletin stands at somebody's relay, and what it makes of who is behind it."""
        found = self[name].read("list", "--all", "--limit", "100")["bulletins"]
        return {one["id"]: (one["status"], one["verdict"]["author"]) for one in found}


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n", encoding="utf-8")
    monkeypatch.setenv("MESHRELAY_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    (tmp_path / "stick").mkdir()
    monkeypatch.chdir(tmp_path / "stick")
    return Story(tmp_path)


def forged(thief: Terminal, like: Bulletin, headline: str, *, ago: int, chain: Chain) -> str:
    """Sign as Dana what no command would, and return its id: dated `ago` seconds back, with a number of choice."""
    sent = like.sent - ago
    texts = (Text("en", "Notice", headline),)
    body = replace(like, sent=sent, expires=sent + 80_000, chain=chain, texts=texts)
    with Keyring(thief.data / "keys", passphrase=lambda _: PASSPHRASE).signing("dana") as signer:
        item = sign(body, signer.key)
    Path("forged").write_bytes(item.data)
    thief.do("import", "forged")
    return item.id.hex()


def test_the_story_ends_alike_at_the_centre_and_at_a_relay_that_was_away(story: Story) -> None:
    story.play("1", "2", "3", "4", "5")
    said = story.said
    assert story.verdicts("centre") == {
        said["WATER"]: ("cancelled", "delegated"),
        said["UPDATE"]: ("cancelled", "delegated"),
        said["CANCEL"]: ("live", "delegated"),
    }

    # Whoever has the laptop speaks as Dana, and is believed within her bounds until the key is ended.
    clinic = story["erlan"].do(
        *("publish", "--headline", "The clinic is open", "--category", "Health", "--severity", "Minor"),
        *("--area", "The mill", "--circle", "43.24,76.93,1"),
    )
    story.hand("erlan", "centre", "dana")
    shutil.copytree(story["dana"].data, story["thief"].data)
    thief = story["thief"]
    water = admit(thief.call("show", said["WATER"], "--raw").stdout_bytes)
    assert isinstance(water.body, Bulletin)
    backdated = forged(thief, water.body, "All is well", ago=1800, chain=Chain(b"backfill", 1))
    within = ("--category", "Health", "--area", "The mill", "--circle", "43.24,76.93,1")
    lie = thief.do("publish", "--headline", "Drink it", *within)
    graver = thief.do("publish", "--headline", "Run", "--severity", "Extreme", *within)
    silencing = thief.do("withdraw", clinic)
    story.hand("thief", "centre", "erlan")
    before = story.verdicts("centre")
    assert before[lie] == ("live", "delegated")
    assert before[graver] == ("live", "outside remit")
    assert before[clinic][0] == "cancelled"

    story.play("6")
    after = story.verdicts("centre")
    stolen = [backdated, lie, graver, silencing]
    assert {after[one][1] for one in stolen} == {"revoked"}
    assert after[clinic] == ("live", "delegated")
    # What comes later from the thief is no better.
    stolen.append(thief.do("publish", "--headline", "Again", *within))
    # One number for two bulletins marks both, but not where one of them is taken back.
    stolen.append(forged(thief, water.body, "The water is clean", ago=0, chain=water.body.chain))
    story.hand("thief", "centre")
    assert {story.verdicts("centre")[one][1] for one in stolen} == {"revoked"}
    assert story.verdicts("centre")[said["WATER"]] == ("cancelled", "delegated")

    story.play("7", "8")
    centre = story.verdicts("centre")
    assert centre == story.verdicts("away")
    assert centre[said["WATER"]] == ("cancelled", "delegated")
    assert centre[said["UPDATE"]] == ("cancelled", "delegated")
    assert centre[clinic] == ("live", "delegated")
    assert {centre[one][1] for one in stolen} == {"revoked"}
    assert [one["version"] for one in story["away"].read("org", "show")["roots"]] == [1, 2]
    assert story["away"].read("trust", "list")["waiting"] == []

    # Whatever the order
    with Path("everything.carry").open("rb") as file:
        datas = [part.data for part in carry.read(file) if isinstance(part, carry.Record)]
    backwards = io.BytesIO()
    carry.write(backwards, reversed(datas))
    Path("backwards.carry").write_bytes(backwards.getvalue())
    story["late"].do("trust", "add", said["CLINIC"], "--as", "Clinic of Almaty")
    story["late"].do("import", "backwards.carry")
    assert story.verdicts("late") == centre

    # The recipes begin where the story ends.
    story.play("A passphrase is forgotten", "A laptop is stolen", "New hardware", "A key will lapse")
    moved = story["newlaptop"].do("publish", "--headline", "From the new laptop")
    story.hand("newlaptop", "centre")
    assert story.verdicts("centre")[moved] == ("live", "delegated")


@pytest.mark.parametrize("line", sorted({line for _, line, _ in typed(TEXT)}))
def test_every_command_of_the_recipes_is_one(line: str) -> None:
    words = shlex.split(line)
    path = max((one for one in COMMANDS if words[: one.count(" ") + 1] == one.split()), key=len, default="")
    assert path, line
    assert {word for word in words if word.startswith("--")} - set(options(COMMANDS[path])) == set()
