"""org, and what organisations change in key, trust and publish: made on files, with the commands people use."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from meshrelay.core.admission import admit, sign
from meshrelay.core.keys import digits, words
from meshrelay.core.statements import Attestation, Says
from meshrelay.interop import carry, proposal
from meshrelay.keyring import Keyring
from tests.cli.conftest import Terminal
from tests.organising import Org
from tests.processes import launch


@dataclass
class People:
    """Terminals by name in one folder, on which files lie as on one stick; each has a key of its own name."""

    folder: Path
    terminals: dict[str, Terminal] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Terminal:
        if name not in self.terminals:
            self.terminals[name] = Terminal(self.folder / f"folder-{name}")
            self.terminals[name].do("key", "new", name)
            self.terminals[name].do("key", "show", "--public", str(self.folder / f"{name}.key"))
        return self.terminals[name]

    def path(self, file: str) -> str:
        return str(self.folder / file)

    def key(self, name: str) -> str:
        """Return the file of somebody's public key."""
        assert self[name].data.is_dir()
        return self.path(f"{name}.key")

    def public(self, name: str) -> str:
        return str(json.loads(Path(self.key(name)).read_text())["key"])

    def propose(self, who: str, file: str, *words: str) -> Any:
        command, *rest = words
        return self[who].read("org", command, self.path(file), *rest)

    def sign(self, file: str, *names: str) -> Path:
        """Let these people sign a file, the last of whom makes it whole."""
        made = None
        for name in names:
            made = self[name].read("org", "sign", self.path(file), "--yes")["carry"]
        assert made is not None
        return Path(made)

    @property
    def root(self) -> str:
        """The carry file of the organisation."""
        return self.path("clinic.carry")

    def found(self) -> None:
        """Found an organisation of a, b and c, two of whom speak for it, and r is for recovery."""
        members = [word for name in "abc" for word in ("--key", self.key(name))]
        recovery = ("--recovery", self.key("r"))
        self.propose("a", "clinic.org", "create", "--name", "Clinic", *members, "--threshold", "2", *recovery)
        self.sign("clinic.org", *"abc")
        for name in "abr":
            self[name].do("import", self.root)

    def copied(self, folder: Path) -> People:
        """Return the same people in another folder."""
        shutil.copytree(self.folder, folder)
        return People(folder, {name: Terminal(folder / one.data.name) for name, one in self.terminals.items()})

    def signers(self, *names: str) -> list[str]:
        return [word for name in names for word in ("--signers", self.key(name))]

    def lend(self, to: str, *options: str, by: tuple[str, str] = ("a", "b")) -> Path:
        self.propose(by[0], f"{to}.org", "delegate", self.key(to), *options, *self.signers(*by))
        return self.sign(f"{to}.org", *by)

    def meet(self, *names: str) -> None:
        """Let all of them have what any of them has."""
        files = [self.path(f"from-{name}.carry") for name in names]
        for name, file in zip(names, files, strict=True):
            self[name].do("export", file)
        for name in names:
            self[name].do("import", *files)


@pytest.fixture(scope="module")
def founders(tmp_path_factory: pytest.TempPathFactory) -> People:
    """Return people who have founded an organisation, and others."""
    made = People(tmp_path_factory.mktemp("founders"))
    made.found()
    assert all(made[name].data.is_dir() for name in ("d", "e", "centre"))
    return made


@pytest.fixture(scope="module")
def lenders(founders: People, tmp_path_factory: pytest.TempPathFactory) -> People:
    """Return the same, once they have lent the name to d (for health only) and e, who know it, as a centre does."""
    made = founders.copied(tmp_path_factory.mktemp("lenders") / "people")
    lent = [made.lend("d", "--category", "Health"), made.lend("e")]
    for name in ("d", "e", "centre"):
        made[name].do("import", made.root, *map(str, lent))
        made[name].do("trust", "add", made.root, "--as", "Clinic")
    return made


@pytest.fixture
def people(founders: People, tmp_path: Path) -> People:
    return founders.copied(tmp_path / "people")


@pytest.fixture
def colleagues(lenders: People, tmp_path: Path) -> People:
    return lenders.copied(tmp_path / "people")


def author_at(terminal: Terminal, item: str) -> str:
    return str(terminal.read("show", item)["verdict"]["author"])


def standing_at(terminal: Terminal, item: str) -> str:
    return str(terminal.read("show", item)["status"])


# A file that goes round


def test_three_people_found_an_organisation_on_a_file(people: People) -> None:
    Path(people.path("clinic.org")).unlink()
    made = people.propose(
        "a",
        "clinic.org",
        *("create", "--name", "Clinic", "--key", people.key("a"), "--key", people.key("b"), "--key", people.key("c")),
        *("--recovery", people.key("r")),
    )
    assert made["kind"] == "root"
    assert {one["name"] for one in made["signers"]} == {"a", "b", "c"}
    assert "Any 2 of these 3 keys speak for it:" in made["says"]
    assert people["b"].read("org", "sign", people.path("clinic.org"), "--yes")["carry"] is None
    result = people["c"].call("org", "sign", people.path("clinic.org"), stdin="yes\n")
    assert (result.exit_code, f'Missing still: "a", {digits(bytes.fromhex(people.public("a")))}' in result.stdout) == (
        0,
        True,
    )
    last = people["a"].do("org", "sign", people.path("clinic.org"), "--yes")
    assert "All have signed." in last
    org = people["a"].read("org", "show", made["id"])
    assert org["digits"] in last
    assert org["words"] == words(bytes.fromhex(org["organisation"]))
    with (people.folder / "clinic.carry").open("rb") as file:
        (record,) = carry.read(file)
    assert isinstance(record, carry.Record)
    assert admit(record.data).id.hex() == org["organisation"] == made["id"]


def test_whoever_imports_a_proposal_learns_what_it_is_for(people: People) -> None:
    people.propose("a", "x.org", "create", "--name", "X", "--key", people.key("a"))
    result = people["b"].call("import", people.path("x.org"))
    assert result.exit_code == 1
    assert "organisation's proposal, for `meshrelay org sign`" in result.stderr
    assert "import x.carry, which its last signature makes" in result.stderr


def test_nobody_signs_before_they_have_said_yes(people: People) -> None:
    people.propose("a", "x.org", "create", "--name", "X", "--key", people.key("a"))
    before = Path(people.path("x.org")).read_bytes()
    assert "nobody has confirmed" in people["a"].call("org", "sign", people.path("x.org")).stderr
    assert people["a"].call("org", "sign", people.path("x.org"), stdin="no\n").exit_code == 1
    assert Path(people.path("x.org")).read_bytes() == before


def test_who_is_not_asked_or_has_signed_is_told_who_is_missing(people: People) -> None:
    people.propose("a", "x.org", "create", "--name", "X", "--key", people.key("a"), "--key", people.key("b"))
    assert "no key here is asked" in people["d"].refuse("org", "sign", people.path("x.org"), "--yes")
    people["a"].do("org", "sign", people.path("x.org"), "--yes")
    assert "signed it before" in people["a"].refuse("org", "sign", people.path("x.org"), "--yes")
    assert "no key called" in people["a"].refuse("org", "sign", people.path("x.org"), "--key", "nobody")
    people["b"].do("org", "sign", people.path("x.org"), "--yes", "--key", "b")
    # Whoever has the whole file can make the carry file again.
    Path(people.path("x.carry")).unlink()
    people["d"].do("org", "sign", people.path("x.org"))
    assert Path(people.path("x.carry")).is_file()


def test_a_proposal_is_never_written_over(people: People) -> None:
    words = ("create", "--name", "X", "--key", people.key("a"))
    people.propose("a", "x.org", *words)
    assert "is there already" in people["a"].refuse("org", "create", people.path("x.org"), *words[1:])


def test_what_an_altered_file_says_in_words_is_not_what_is_shown(people: People) -> None:
    people.propose("a", "x.org", "create", "--name", "Honest", "--key", people.key("a"))
    path = Path(people.path("x.org"))
    entry = json.loads(path.read_text())
    path.write_text(json.dumps({**entry, "says": ["Nothing at all."], "missing": []}))
    shown = people["a"].do("org", "show", str(path))
    assert "Nothing at all" not in shown
    assert 'calls itself "Honest"' in shown
    path.write_text(json.dumps({**entry, "payload": entry["payload"][:-4] + "AAAA"}))
    assert "payload" in people["a"].refuse("org", "sign", str(path), "--yes")


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["--key", "{a}", "--key", "{a}"], "given twice", 2),
        (["--key", "{a}", "--recovery", "{a}"], "among the keys and for recovery too", 1),
        (["--key", "{a}", "--threshold", "2"], "it takes the signatures of 2", 2),
        (["--key", "{a}", "--key", "{b}", "--signers", "{a}"], "it takes the signatures of 2", 2),
        (["--key", "{a}", "--signers", "{a}", "--signers", "{b}"], "signers", 1),
        (["--key", "nobody"], "nobody here is", 1),
        (["--key", "00" * 32], "is not a key", 2),
    ],
)
def test_an_organisation_that_cannot_be_is_refused(people: People, words: list[str], says: str, code: int) -> None:
    given = [word.format(a=people.key("a"), b=people.key("b")) for word in words]
    assert says in people["a"].refuse("org", "create", people.path("x.org"), "--name", "X", *given, code=code)
    assert not Path(people.path("x.org")).exists()


# Lending and taking back


def test_a_lent_key_is_known_where_the_organisation_is_and_within_its_remit(people: People) -> None:
    centre, d = people["centre"], people["d"]
    lent = people.lend(
        "d", "--category", "Health", "--circle", "43.2,76.9,20", "--severity", "Severe", "--title", "desk"
    )
    for one in (centre, d):
        one.do("import", people.root, str(lent))
        one.do("trust", "add", people.root, "--as", "Clinic")
    within = d.do("publish", "--headline", "x", "--category", "Health", "--area", "Mill", "--circle", "43.2,76.9,1")
    graver = d.call("publish", "--headline", "x", "--severity", "Extreme", "--area", "Mill", "--circle", "43.2,76.9,1")
    assert "Careful: this is outside of what Clinic lent the key" in graver.stderr
    alone = d.do("publish", "--headline", "x", "--org", "none")
    people.meet("d", "centre")
    verdicts = [author_at(centre, one) for one in (within, graver.stdout.strip(), alone)]
    assert verdicts == ["delegated", "outside remit", "unknown"]
    (shown,) = centre.read("org", "show")["lent"]
    assert (shown["key"], shown["title"], shown["scope"]["severity"]) == (people.public("d"), "desk", "Severe")
    assert "within 20 km around 43.2, 76.9" in centre.do("org", "show", "Clinic")


def test_an_organisation_s_key_in_a_relay_s_folder_is_warned_about(people: People) -> None:
    a = people["a"]
    a.do("trust", "add", people.root, "--as", "Clinic")
    people.propose("a", "x.org", "create", "--name", "X", "--key", people.key("a"))
    relay = launch(a.data, "run", "--private", *(f"--{one}=127.0.0.1:0" for one in ("reader", "peers", "desk")))
    try:
        assert "The key a speaks for an organisation" in (a.data / "log").read_text(encoding="utf-8")
        assert "A relay runs on this folder" in a.call("org", "sign", people.path("x.org"), "--yes").stderr
    finally:
        relay.process.terminate()
        relay.process.wait(20)


def test_which_of_several_keys_sign_has_to_be_said(people: People) -> None:
    call = ("org", "delegate", people.path("d.org"), people.key("d"))
    assert "it takes 2 of its keys" in people["a"].refuse(*call, code=2)
    assert "is no key of the organisation" in people["a"].refuse(*call, *people.signers("a", "d"))
    assert "it takes 2 of its keys" in people["a"].refuse(*call, *people.signers("a"), code=2)


def test_whoever_signs_without_knowing_the_organisation_sees_its_roots_from_the_file(people: People) -> None:
    people.propose("a", "d.org", "delegate", people.key("d"), *people.signers("a", "c"))
    fresh = Terminal(people.folder / "fresh")
    assert '"Clinic"' in fresh.do("org", "show", people.path("d.org"))
    one = proposal.read(Path(people.path("d.org")).read_bytes())
    assert [item.id for item in one.beside] == [one.org]


def test_a_revoked_key_is_lent_nothing(people: People) -> None:
    people["d"].do("key", "revoke", "d", "--yes")
    people["a"].do("import", str(people["d"].data / "keys" / "d.revocation"))
    call = ("org", "delegate", people.path("d.org"), people.key("d"), *people.signers("a", "b"))
    assert "was revoked" in people["a"].refuse(*call)
    people["a"].do("import", str(people.lend("e")))
    people.propose("a", "end.org", "revoke", people.key("e"), *people.signers("a", "b"))
    people["a"].do("import", str(people.sign("end.org", "a", "b")))
    assert "was revoked" in people["a"].refuse("org", "delegate", people.path("f.org"), people.key("e"))


def test_a_key_that_will_lapse_is_warned_about(people: People) -> None:
    made = people.lend("d", "--days", "9")
    people["a"].do("import", str(made))
    assert "lapses within" in people["a"].call("org", "show").stderr
    people["d"].do("import", people.root, str(made))
    people["d"].do("trust", "add", people.root, "--as", "Clinic")
    assert "What Clinic lent the key ends within 9 days" in people["d"].call("publish", "--headline", "x").stderr
    people["a"].do("import", str(people.lend("e", "--days", "30")))
    assert people["a"].call("org", "show").stderr.count("lapses within") == 1


@pytest.mark.parametrize("by", ["roots", "recovery"])
def test_a_stolen_key_ends_with_all_but_what_is_good(people: People, by: str) -> None:
    centre = people["centre"]
    for name in ("d", "centre", "a"):
        people[name].do("import", people.root)
        people[name].do("trust", "add", people.root, "--as", "Clinic")
    people["d"].do("import", str(people.lend("d")))
    kept, lost = (people["d"].do("publish", "--headline", one) for one in ("mine", "thief's"))
    people.meet("d", "centre", "a", "r")
    signers = ("a", "b") if by == "roots" else ("r",)
    made = people.propose("a", "end.org", "revoke", people.key("d"), "--good", kept, *people.signers(*signers))
    assert any(kept[:10] in line and "mine" in line for line in made["says"])
    centre.do("import", str(people.sign("end.org", *signers)))
    assert [author_at(centre, one) for one in (kept, lost)] == ["delegated", "revoked"]
    later = people["d"].do("publish", "--headline", "forged")
    people.meet("d", "centre")
    assert author_at(centre, later) == "revoked"
    assert "has ended your key" in people["d"].refuse("publish", "--headline", "x", "--org", "Clinic")


def test_who_leaves_in_peace_keeps_what_they_published(people: People) -> None:
    for name in ("d", "a"):
        people[name].do("import", people.root)
        people[name].do("trust", "add", people.root, "--as", "Clinic")
    people["d"].do("import", str(people.lend("d")))
    items = [people["d"].do("publish", "--headline", one) for one in "xy"]
    alone = people["d"].do("publish", "--headline", "z", "--org", "none")
    people.meet("d", "a")
    org = bytes.fromhex(people["a"].read("org", "show")["organisation"])
    with Keyring(people["d"].data / "keys").signing("d") as signer:
        word = Attestation(int(time.time()), signer.stream, 9, bytes.fromhex(alone), Says.CONFIRM, org=org)
        Path(people.path("word")).write_bytes(sign(word, signer.key).data)
    people["a"].do("import", people.path("word"))
    made = people.propose("a", "end.org", "revoke", people.key("d"), "--keep-published", *people.signers("a", "b"))
    assert "but for 3:" in " ".join(made["says"])
    assert any(f"confirm: {alone[:10]}" in line for line in made["says"])
    assert not any(line.strip().startswith(alone[:10]) for line in made["says"])
    people["a"].do("import", str(people.sign("end.org", "a", "b")))
    assert {author_at(people["a"], one) for one in items} == {"delegated"}


# The next version


def test_a_rotation_asks_for_a_recovery_key_and_says_what_lapses(people: People) -> None:
    people["a"].do("import", str(people.lend("d", by=("b", "c"))), str(people.lend("e", by=("a", "b"))))
    keys = [word for name in "abd" for word in ("--key", people.key(name))]
    result = people["a"].call("org", "rotate", people.path("2.org"), *keys)
    assert result.exit_code == 0, result.output
    assert "(as recovery key)" in result.stdout
    lapses = [line for line in result.stderr.splitlines() if line.startswith("Lapses with it")]
    assert len(lapses) == 1
    assert digits(bytes.fromhex(people.public("d"))) in lapses[0]
    assert "lend every key its name anew" in result.stderr
    people["a"].do("import", str(people.sign("2.org", "a", "b", "d", "r")))
    shown = people["a"].read("org", "show")
    assert [one["version"] for one in shown["roots"]] == [1, 2]
    assert [one["key"] for one in shown["lent"]] == [people.public("e")]
    assert [one["key"] for one in shown["without_effect"]] == [people.public("d")]


def test_a_rotation_that_would_not_follow_is_refused(people: People) -> None:
    keys = [word for name in "abd" for word in ("--key", people.key(name))]
    call = ("org", "rotate", people.path("2.org"))
    signers = people.signers("a", "b", "d")
    assert "no recovery key is to sign" in people["a"].refuse(*call, *keys, *signers)
    assert "it takes 2 of the keys so far" in people["a"].refuse(*call, *keys, *people.signers("a", "d", "r"), code=2)
    other = ("--recovery", people.key("f"), "--without-recovery")
    assert "do the recovery keys change" in people["a"].refuse(*call, *keys, *other)
    people["a"].do(*call, *keys, *signers, "--without-recovery")


def test_rival_roots_are_disputed_until_somebody_settles_it(people: People) -> None:
    centre = people["centre"]
    rivals = {}
    for name in "de":
        keys = [word for one in ("a", "b", name) for word in ("--key", people.key(one))]
        made = people.propose("a", f"{name}.org", "rotate", *keys, "--without-recovery", *people.signers("a", "b"))
        rivals[name] = made["id"]
    files = [str(people.sign(f"{name}.org", "a", "b")) for name in "de"]
    for name in ("centre", "r"):
        people[name].do("import", people.root, *files)
        people[name].do("trust", "add", people.root, "--as", "Clinic")
    shown = centre.read("org", "show")
    assert shown["disputed"]
    assert set(shown["rivals"]) == set(rivals.values())
    assert "DISPUTED" in centre.do("org", "show")
    assert "nothing in its name counts" in centre.do("trust", "list")
    assert "is disputed" in people["r"].refuse("org", "delegate", people.path("x.org"), people.key("f"))
    # For this relay alone, by hand
    assert "not one of several rival roots" in centre.refuse("trust", "follow", shown["organisation"])
    for name in "de":
        centre.do("trust", "follow", rivals[name])
        found = centre.read("org", "show")
        assert (found["disputed"], found["roots"][-1]["id"]) == (False, rivals[name])
    # For all, by the recovery key
    people.propose("r", "choice.org", "branch", rivals["d"], *people.signers("r"))
    centre.do("import", str(people.sign("choice.org", "r")))
    found = centre.read("org", "show")
    assert (found["disputed"], found["roots"][-1]["id"]) == (False, rivals["d"])


# Colleagues


def test_a_colleague_updates_and_withdraws_within_their_remit(colleagues: People) -> None:
    d, e, centre = colleagues["d"], colleagues["e"], colleagues["centre"]
    item = d.do("publish", "--headline", "Boil water", "--category", "Health")
    roads = e.do("publish", "--headline", "Roads", "--category", "Transport")
    colleagues.meet("d", "e", "centre")
    more = e.do("publish", "--update", item, "--headline", "Boil all water")
    assert "about something else than the key may speak about" in d.refuse("withdraw", roads)
    assert "has not lent its name to your key" in centre.refuse("withdraw", roads)
    colleagues.meet("d", "e", "centre")
    assert standing_at(centre, item) == "superseded"
    assert author_at(centre, more) == "delegated"
    d.do("withdraw", item, "--note", "the water is clean", "--key", "d")
    colleagues.meet("d", "e", "centre")
    assert standing_at(centre, item) == "cancelled"
    assert standing_at(centre, roads) == "live"


def test_what_names_no_organisation_is_ended_by_its_key_alone(colleagues: People) -> None:
    d, e = colleagues["d"], colleagues["e"]
    alone = d.do("publish", "--headline", "x", "--org", "none")
    colleagues.meet("d", "e")
    assert "only that key can end it" in e.refuse("withdraw", alone)
    own = e.do("publish", "--headline", "y", "--org", "none")
    assert "--org is for new bulletins" in e.refuse("publish", "--update", own, "--org", "Clinic", code=2)


def test_a_key_that_may_speak_for_several_has_to_say_for_which(colleagues: People) -> None:
    colleagues.propose("a", "second.org", "create", "--name", "Second", "--key", colleagues.key("a"))
    second = str(colleagues.sign("second.org", "a"))
    words = ("delegate", colleagues.key("e"), "--org", "Second")
    colleagues.propose("a", "lent.org", *words)
    e = colleagues["e"]
    e.do("import", second, str(colleagues.sign("lent.org", "a")))
    # Anybody can lend their name to any key, so what nobody here knows changes nothing.
    (found,) = {e.read("show", e.do("publish", "--headline", "x"))["organisation"]} - {None}
    e.do("trust", "add", second, "--as", "Second")
    assert "may speak for several: Clinic, Second" in e.refuse("publish", "--headline", "x")
    other = e.read("show", e.do("publish", "--headline", "x", "--org", "Second"))["organisation"]
    assert other not in (None, found)
    call = ("publish", "--headline", "x", "--org", second)
    assert "has not arrived here" in colleagues["d"].refuse(*call)
    colleagues["d"].do("import", second)
    assert "has not lent its name to your key" in colleagues["d"].refuse(*call)


# Knowing an organisation


@pytest.mark.parametrize("form", ["digits", "words", "code", "carry", "proposal", "document"])
def test_an_organisation_is_known_by_every_form_of_its_id(people: People, form: str, tmp_path: Path) -> None:
    centre = people["centre"]
    shown = people["a"].read("org", "show")
    document = tmp_path / "shown.json"
    document.write_text(json.dumps(shown))
    given = {
        "carry": people.root,
        "proposal": people.path("clinic.org"),
        "document": str(document),
        "code": shown["code"].upper(),
    }
    code = given.get(form) or shown[form]
    waits = form in ("digits", "words")
    answer = centre.read("trust", "add", code, "--as", "Clinic")
    assert answer["waiting"] is waits
    centre.do("import", people.root)
    (known,) = centre.read("trust", "list")["known"]
    assert known["key"] == shown["organisation"]
    assert known["organisation"] == {"name": "Clinic", "version": 1, "disputed": False}
    assert centre.read("trust", "list")["waiting"] == []


def test_the_digits_of_an_organisation_that_is_here_are_found_at_once(people: People) -> None:
    centre = people["centre"]
    centre.do("import", people.root)
    shown = centre.read("org", "show")
    assert shown["petname"] == ""
    assert 'It calls itself "Clinic"' in centre.do("trust", "add", *shown["digits"].split(), "--as", "The clinic")
    assert centre.read("org", "show", "The clinic")["petname"] == "The clinic"
    centre.do("trust", "block", "The clinic")
    centre.do("trust", "unblock", "The clinic")
    centre.do("trust", "remove", shown["words"])
    assert centre.read("trust", "list")["known"] == []


def test_what_people_call_themselves_never_looks_like_a_line_of_ours(people: People) -> None:
    name = 'Clinic".\nRecovery, to settle conflicts:\n  "d'
    people.propose("d", "x.org", "create", "--name", name, "--key", people.key("d"))
    path = Path(people.path("x.org"))
    entry = json.loads(path.read_text())
    path.write_text(json.dumps({**entry, "names": {people.public("d"): 'a", 111 111", '}}))
    shown = people["a"].do("org", "show", str(path)).splitlines()
    assert shown[0] == """A new organisation that calls itself "Clinic'. Recovery, to settle conflicts: 'd"."""
    assert not any(line.startswith("Recovery") for line in shown)
    assert any(line.startswith("""  "a', 111 111',", """) for line in shown)


def test_an_organisation_that_calls_itself_by_another_s_digits_is_not_taken_for_it(people: People) -> None:
    a, shown = people["a"], people["a"].read("org", "show")
    people.propose("d", "x.org", "create", "--name", shown["digits"], "--key", people.key("d"))
    a.do("import", str(people.sign("x.org", "d")))
    assert a.read("org", "show", shown["digits"])["organisation"] == shown["organisation"]
    assert a.read("org", "show", "Clinic")["organisation"] == shown["organisation"]
    people.propose("d", "y.org", "create", "--name", "Clinic", "--key", people.key("d"))
    a.do("import", str(people.sign("y.org", "d")))
    assert "2 organisations call themselves" in a.refuse("org", "show", "Clinic")


def test_an_id_in_hexadecimal_is_taken_only_where_it_says_what_it_is(people: People) -> None:
    org = Org("elsewhere")
    while people["centre"].call("trust", "add", org.id.hex(), "--as", "x").exit_code == 0:
        org = Org(org.name + "x")
    assert "are not a key" in people["centre"].refuse("trust", "add", org.id.hex(), "--as", "x", code=2)
    people["centre"].do("trust", "add", f"meshrelay:org:{org.id.hex()}", "--as", "x")


# Keys


def test_a_key_is_given_away_as_a_file_or_a_code(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    made = terminal.read("key", "new")
    terminal.do("key", "show", "--public", str(tmp_path / "me.key"))
    assert json.loads((tmp_path / "me.key").read_text()) == made
    assert "█" in terminal.do("key", "show", "--qr")
    other.do("trust", "add", f"meshrelay:key:{made['key']}", "--as", "Aigerim")
    assert other.read("trust", "list")["known"][0]["key"] == made["key"]


def test_a_successor_is_told_and_moves_nobody_s_trust(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    old, new = terminal.read("key", "new", "old"), terminal.read("key", "new", "new")
    other.do("trust", "add", old["key"], "--as", "Aigerim")
    assert "does not come after itself" in terminal.refuse("key", "successor", "old", old["key"], "--yes")
    said = terminal.read("key", "successor", "old", "new", "--yes")
    assert said["successor"] == new["key"]
    terminal.do("export", str(tmp_path / "x.carry"))
    other.do("import", str(tmp_path / "x.carry"))
    assert f"names another key to come after it: {new['digits']}" in other.do("trust", "list")
    (known,) = other.read("trust", "list")["known"]
    assert known["successors"] == [new["key"]]


def test_a_forked_key_says_which_of_two_bulletins_counts(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    terminal.do("key", "new")
    # A copy of the whole folder goes on by itself, as from a backup that was not made by `backup`.
    shutil.copytree(terminal.data, other.data)
    left, right = terminal.do("publish", "--headline", "left"), other.do("publish", "--headline", "right")
    assert "shares its number with nothing" in terminal.refuse("key", "branch", left, "--yes")
    other.do("export", str(tmp_path / "x.carry"))
    terminal.do("import", str(tmp_path / "x.carry"))
    assert [author_at(terminal, one) for one in (left, right)] == ["forked", "forked"]
    said = terminal.read("key", "branch", left, "--yes")
    assert (said["chosen"], said["rivals"]) == (left, [right])
    assert [author_at(terminal, one) for one in (left, right)] == ["own", "forked"]
