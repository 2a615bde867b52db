"""Every command with every flag, as a table: what is typed, and how it must end, with and without a relay that runs.

**Whoever adds a command or a flag adds a row here.** `test_table.py` walks the commands that there are and fails for
each one, and each of its options, that no row of this table calls with success. A row is

- what is typed behind ``meshrelay``, in a shell's quotes. A word in braces is made afresh for this row, by the method
  of :class:`Things` of that name, in the folder that the row is about: ``{id}`` is the id of a bulletin that this
  relay has just published, ``{passphrase}`` a file with a passphrase. What is missing there is one short method;
- what its output must have somewhere in it (on stdout, or on stderr where it is refused), unless that is plain;
- the exit code, where it is not 0, and ``beside=``, the code beside a running relay, where it is another one.

Each row of ROWS is called in a folder that nothing runs on, and in one that a relay runs on; it must not rest on what
another row left there, nor take away what others need. Several flags may share a row. What cannot be a row, since it
runs for long or ends the relay, has the name of the test that does it instead, in ELSEWHERE.

WRONG has what must be refused, with the exit code: values that cannot be, and what is not there. Unknown options,
missing words and words that an option's type refuses need no row: they are tried for every command as it stands. So
is the first row of each command on folders that are damaged in many ways.
"""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, Text
from meshrelay.core.envelope import SignedItem
from meshrelay.keyring import Keyring
from meshrelay.local import Local, Report
from tests.cli.conftest import PASSPHRASE, Terminal
from tests.interop.test_cap import ALERT
from tests.processes import Process, made_items, sequence

_strangers = itertools.count()
"""Whose turn it is: nobody is the stranger of two rows, for some are blocked."""


@dataclass(frozen=True, slots=True)
class Row:
    """One call: what is typed, what it says, and the exit code; `beside` is the one beside a running relay."""

    line: str
    says: str = ""
    code: int = 0
    beside: int | None = None
    stdin: str = ""


ROWS = (
    # run starts a relay where none runs (as a process: it stays), and is told of the one that does.
    Row(
        "run --reader 127.0.0.1:0 --peers 127.0.0.1:0 --desk 127.0.0.1:0 --name Library --peer {peer} --no-discovery "
        "--sweep --interface 127.0.0.1 --config {config} --passphrase-file {passphrase}",
        "this computer only",
        beside=1,
    ),
    Row("run --reader 127.0.0.1:0 --peers 127.0.0.1:0 --desk 127.0.0.1:0 --private", "this computer only", beside=1),
    Row("setup --yes --name Library --place Almaty --languages en --time-zone UTC+5 --key --open --stays"),
    Row("setup --yes --no-key --private --carried"),
    # publish
    Row("publish --headline Water", r"^[0-9a-f]{64}$"),
    Row("publish {form} --check", "Nothing could be better"),
    Row("publish {cap} --expires 6h"),
    Row("publish - --json", '"headline": "Bread"', stdin='{"headline": "Bread", "expires": "6h"}'),
    Row(
        "publish --headline Water --description Clean --instruction 'Bring bottles' --lang en --event Flood "
        "--category Met --response Avoid --urgency Immediate --severity Severe --certainty Observed --sender-name Ann "
        "--contact 'the blue house' --web https://example.org --area Mill --polygon '43,76 43,77 44,77' "
        "--circle 43,76,2 --geocode A=1 --effective 1h --onset 2h --expires 6h --note why --drill "
        "--translation ru={words} --key {key} --json",
        r'"cap_status": "Exercise"',
    ),
    Row("publish --headline Later --no-drill --publish-at 2h --hide-source", "Planned for"),
    Row("publish --headline x --key {sealed} --passphrase-file {passphrase}"),
    Row("publish --update {id} --headline More --json", '"msg_type": "Update"'),
    Row("publish --cancel {id} --note wrong --json", '"msg_type": "Cancel"'),
    Row("withdraw {id}", r"^[0-9a-f]{64}$"),
    Row("withdraw {id} --key me"),
    Row("publish --headline x --org none"),
    Row("withdraw {sealed_id} --note wrong --passphrase-file {passphrase} --json", '"note": "wrong"'),
    Row("confirm {strange_id}", r"^[0-9a-f]{64}$"),
    Row("confirm {strange_id} --note seen --org none --key {key} --json", '"says": "confirm"'),
    Row("confirm {id} --passphrase-file {passphrase}", r"^[0-9a-f]{64}$"),
    Row("dispute {strange_id} --reason moved", r"^[0-9a-f]{64}$"),
    Row(
        "dispute {strange_id} --reason FALSE --note 'the tap runs' --org none --key {sealed} "
        "--passphrase-file {passphrase} --json",
        '"fault": "false"',
    ),
    Row("cannot-check {strange_id}", r"^[0-9a-f]{64}$"),
    Row(
        "cannot-check {strange_id} --note 'nobody there' --org none --key {sealed} --passphrase-file {passphrase} "
        "--json",
        '"says": "cannot check"',
    ),
    Row("planned"),
    Row("planned --json", '"planned": '),
    Row("planned remove {plan}", "Struck: "),
    Row("planned resume {plan}", "Goes out at its time: "),
    Row("draft save water {form}", "Saved: water"),
    Row("draft list"),
    Row("draft list --json", '"drafts": '),
    Row("draft show {draft}", "headline"),
    Row("draft remove {draft}", "Removed: "),
    Row("draft publish {draft} --check", "Nothing could be better"),
    Row("draft publish {draft} --drill --key {sealed} --passphrase-file {passphrase} --json", '"Exercise"'),
    Row("draft publish {draft} --no-drill --publish-at 3h --hide-source --org none", "Planned for"),
    # inbox
    Row("inbox list"),
    Row("inbox list --all --json", '"reports": '),
    Row("inbox show {report}", "Smoke"),
    Row("inbox show {report} --json", '"what": "Smoke"'),
    Row("inbox dismiss {report}", "Dismissed: "),
    Row("inbox publish {report}", r"^[0-9a-f]{64}$"),
    Row(
        "inbox publish {report} --checked --headline Smoke --description Thick --instruction 'Stay in' --lang en "
        "--area Mill --polygon '43,76 43,77 44,77' --circle 43,76,2 --event Fire --category Fire --response Shelter "
        "--urgency Immediate --severity Severe --certainty Likely --expires 6h --drill --key {sealed} "
        "--passphrase-file {passphrase} --json",
        '"kind": "report"',
    ),
    Row("inbox publish {report} --no-drill --publish-at 3h --hide-source --org none", "Planned for"),
    Row(
        "inbox publish {report} --instruction 'Stay in' --circle 43,76,2 --urgency Immediate --severity Severe "
        "--certainty Likely --expires 6h --check",
        "does not say in one word",
    ),
    # Reading
    Row("list"),
    Row("list --all --known --lang en --area Mill --since 2h --limit 3 --json", '"bulletins": '),
    Row("list --cursor {cursor} --limit 1 --json", '"next": '),
    Row("show {id}", "Water"),
    Row("show {id} --lang ru --json", '"headline": "Water"'),
    Row("show {id} --cap", "<alert "),
    Row("show {id} --geojson", '"Feature"'),
    Row("show {id} --atom", "<entry "),
    Row("show {id} --raw"),
    Row("show {word}", "could not check it"),
    Row("show {word} --json", '"kind": "attestation"'),
    Row("show {word} --raw"),
    Row("list --geojson", '"FeatureCollection"'),
    Row("list --atom", "<feed "),
    Row("search water"),
    Row("search water --lang ru --limit 2 --json", '"bulletins": '),
    Row("hide {id}"),
    Row("hide {strange_id} --drop --reason false"),
    Row("unhide {hidden_id}"),
    Row("drill"),
    Row("drill --json", '"drill": '),
    Row("drill off"),
    # Files
    Row("import {carry}", "new"),
    Row("import {cap} --checked --key {sealed} --passphrase-file {passphrase} --json", '"new": 1'),
    Row("poster {new}.html --address 192.168.1.23:8080"),
    Row(
        "poster {new}.html --address 192.168.1.23 --lang kk --wifi Mill --wifi-password-file {passphrase} --json",
        '"wifi": "Mill"',
    ),
    Row("export {new}.carry"),
    Row("export {new}.carry --since 2h --max-bytes 700k --urgent --json", '"left_out": '),
    # Other relays
    Row("sync {peer}", "received"),
    Row("sync {peer} --json", '"exchanges": '),
    Row("peers"),
    Row("peers --json", '"peers": '),
    Row("peers add {nobody}"),
    Row("peers remove {given}"),
    Row("status", "bulletins?"),
    Row("status --json", '"running": '),
    # Keys and senders
    Row("key new {name}"),
    Row("key new {name} --protect --passphrase-file {passphrase} --sheet {new}.html --json", '"digits": '),
    Row("key list", "me"),
    Row("key list --json", '"keys": '),
    Row("key show", "In words"),
    Row("key show {key} --json", '"digits": '),
    Row("key show {key} --public {new} --qr", "█"),
    Row("key successor {key} me --yes", "to come after it"),
    Row("key successor {sealed} me --yes --passphrase-file {passphrase} --json", '"successor": '),
    Row("key branch {forked} --yes", "counts"),
    Row("key branch {sealed_forked} --yes --passphrase-file {passphrase} --json", '"rivals": '),
    Row("key default me"),
    Row("key export {key} {new} --passphrase-file {passphrase}", "under a passphrase"),
    Row("key import {exported} --passphrase-file {passphrase}"),
    Row("key import {exported} --as {name} --passphrase-file {passphrase} --json", '"digits": '),
    Row("key passphrase {key} --passphrase-file {passphrase}", "is under a passphrase"),
    Row("key passphrase {sealed} --new-passphrase-file {passphrase} --passphrase-file {passphrase}"),
    Row("key passphrase {sealed} --remove --passphrase-file {passphrase}", "no passphrase any more"),
    Row("key sheet {new}.txt"),
    Row("key sheet {new}.html {sealed} --passphrase-file {passphrase}"),
    Row("key revoke {key} --yes --json", '"id": '),
    Row("key revoke {sealed} --yes --passphrase-file {passphrase}", "is revoked here"),
    Row("trust add {digits} --as {name}"),
    Row("trust add {digits} --as {name} --json", '"waiting": '),
    Row("trust list"),
    Row("trust list --json", '"known": '),
    Row("trust remove {anchor}"),
    Row("trust block {stranger}"),
    Row("trust unblock {blocked}"),
    Row("trust follow {rival}", "counts here from now on"),
    Row("trust follow {rival} --json", '"root": '),
    # Organisations
    Row("org create {new} --name Clinic --key {key}", "take it to each of them"),
    Row(
        "org create {new} --name Clinic --key {key} --key me --threshold 2 --recovery {sealed} --signers {key} "
        "--signers me --json",
        '"missing": ',
    ),
    Row("org sign {proposal} --yes", "All have signed"),
    Row("org sign {sealed_proposal} --key {sealed} --yes --passphrase-file {passphrase} --json", '"carry": "'),
    Row("org delegate {new} {stranger} --org {org}", "lends its name"),
    Row("org delegate {new} {stranger} --org {org} --area {outline}", "within the corners 43 76, 43 77, 44 77"),
    Row(
        "org delegate {new} {stranger} --org {org} --title desk --days 9 --starts 1h --polygon '43,76 43,77 44,77' "
        "--circle 43,76,2 --geocode A=1 --category Met --severity Severe --daily 5 --kind bulletin --signers {key} "
        "--json",
        '"kind": "delegation"',
    ),
    Row("org revoke {new} {stranger} --org {org}", "for ever"),
    Row("org revoke {new} me --org {org} --good {id} --keep-published --signers {key} --json", "but for 1"),
    Row("org rotate {new} --org {org} --key me --signers me --signers {key}", "Version 2"),
    Row(
        "org rotate {new} --org {backed} --name Clinics --key {key} --threshold 1 --recovery me --signers {key} "
        "--signers {sealed} --json",
        '"Version 2',
    ),
    Row("org rotate {new} --org {backed} --key {key} --without-recovery", "Version 2"),
    Row("org branch {new} {org_forked} --org {org}", "this one counts"),
    Row("org branch {new} {org_forked} --org {org} --signers {key} --json", '"kind": "branch"'),
    Row("org show {org}", "any 1 of these 1 keys"),
    Row("org show {proposal}", "MISSING"),
    Row("org show {org} --qr", "█"),
    Row("org show {org} --json", '"disputed": false'),
    # The whole folder
    Row("backup {new}"),
    Row("backup {new} --with-keys --passphrase-file {passphrase} --json", '"keys": '),
    Row("restore {bare_backup} --data {empty}", "Restored: "),
    Row("restore {backup} --data {empty} --passphrase-file {passphrase} --json", '"bulletins": '),
    Row("restore {backup} --replace --without-keys", "Restored: |already runs here", beside=1),
    Row("wipe --yes-name 'Nobody here'", "is not the name", code=1),
    # The computer; systemctl is a stand-in here (test_service.py)
    Row("service print", "ExecStart="),
    Row("service print --system --as nobody", "User=nobody"),
    Row("service remove", "no service is installed", code=1),
    # Settings
    Row("config list", "place"),
    Row("config list --json", '"place": '),
    Row("config get place"),
    Row("config get place --json", '"place": '),
    Row("config set place Mill"),
    # What all commands take
    Row("status --verbose"),
    Row("status -vv"),
    Row("status --quiet"),
    Row("status --data {empty}", "not running"),
)

ELSEWHERE = {
    # What asks a network needs one of its own.
    "doctor --json": "../mesh/test_doctor.py::test_on_a_network_that_works_all_is_well",
    "doctor --sweep": "../mesh/test_doctor.py::test_a_sweep_is_offered_and_finds_what_cannot_call_out",
    "demo": "test_relays.py::test_the_demonstration_shows_the_second_relay_s_page",
    "demo --keep --lan": "test_relays.py::test_a_demonstration_that_is_kept_ends_when_told_and_leaves_nothing",
    "wipe --yes-name": "test_upkeep.py::test_after_a_wipe_nothing_is_left",
    "service install": "test_service.py::test_a_service_is_installed_started_and_removed",
    "service remove": "test_service.py::test_a_service_is_installed_started_and_removed",
    "service install --system --as": "test_service.py::test_only_root_installs_for_the_computer",
    "service remove --system": "test_service.py::test_only_root_installs_for_the_computer",
}

WRONG = (
    Row("run --reader nonsense:port", "is not a port", code=2, beside=1),
    Row("run --peer ftp://here", "not the address of a relay", code=2, beside=1),
    Row("run --interface nonsense", "is not an address", code=2),
    Row("run --config {absent}", "absent", code=1),
    Row("demo --lan", "--keep", code=2),
    Row("setup --yes --languages '!'", "is not a language", code=2),
    Row("setup --yes --time-zone Mars/Base", "is not a time zone", code=2),
    Row("setup --name x", "nobody is there to answer", code=1),
    Row("publish", "--headline", code=2),
    Row("publish {absent}", "absent", code=1),
    Row("publish {folder}", "directory", code=1),
    Row("publish {rubbish}", "", code=2),
    Row("publish --headline ''", "--headline", code=2),
    Row("publish --headline x --polygon 1,2", "three corners", code=2),
    Row("publish --headline x --circle 1,2", "is not LAT,LON,KM", code=2),
    Row("publish --headline x --circle 200,2,1", "not on this planet", code=2),
    Row("publish --headline x --geocode A", "is not NAME=VALUE", code=2),
    Row("publish --headline x --expires 200d", "", code=1),
    Row("publish --headline x --expires 2001-01-01T00:00Z", "lies in the past", code=1),
    Row("publish --headline x --publish-at 2001-01-01T00:00Z", "has passed", code=1),
    Row("publish --headline x --translation ru", "LANG=FILE", code=2),
    Row("publish --headline x --translation ru={absent}", "absent", code=1),
    Row("publish --headline x --update {nothing}", "no item here", code=1),
    Row("publish --headline x --cancel {id} --update {id}", "exclude each other", code=2),
    Row("publish --headline x --key nobody", "no key called", code=1),
    Row("publish --headline x --key {sealed}", "passphrase", code=1),
    Row("publish --headline x --key {sealed} --passphrase-file {absent}", "absent", code=1),
    Row("publish --headline x --key {sealed} --passphrase-file {rubbish}", "passphrase is wrong", code=1),
    Row("withdraw {nothing}", "no item here", code=1),
    Row("withdraw {strange_id}", "a key that is not here", code=1),
    Row("confirm {nothing}", "no item here", code=1),
    Row("confirm {word}", "not here", code=1),
    Row("confirm {strange_id} --org nobody", "nobody here is", code=1),
    Row("confirm {strange_id} --key nobody", "no key called", code=1),
    Row("dispute {strange_id}", "--reason", code=2),
    Row("dispute {nothing} --reason false", "no item here", code=1),
    Row("cannot-check {nothing}", "no item here", code=1),
    Row("show {word} --cap", "is no bulletin", code=1),
    Row("show {word} --geojson", "is no bulletin", code=1),
    Row("planned remove 999", "nothing planned", code=1),
    Row("planned resume 999", "nothing planned", code=1),
    Row("draft save x {absent}", "absent", code=1),
    Row("draft save x {rubbish}", "", code=2),
    Row("draft save '' {form}", "a name has", code=2),
    Row("draft show nothing", "no draft", code=1),
    Row("draft remove nothing", "no draft", code=1),
    Row("draft publish nothing", "no draft", code=1),
    Row("inbox show 999", "no report", code=1),
    Row("inbox publish 999", "no report", code=1),
    Row("inbox dismiss 999", "no report", code=1),
    Row("list --cursor nonsense", "", code=1),
    Row("list --json --atom", "give one of", code=2),
    Row("show {nothing}", "no item here", code=1),
    Row("show ''", "no item here", code=1),
    Row("hide {nothing}", "no item here", code=1),
    Row("hide {id} --drop", "of your own", code=1),
    Row("unhide {nothing}", "", code=1),
    Row("import {absent}", "absent", code=1),
    Row("import {rubbish}", "nothing was taken in", code=1),
    Row("import {carry} {rubbish}", "1 refused", code=3),
    Row("import {cap} --key nobody", "no key called", code=1),
    Row("poster {new}.html", "", code=1),
    Row("poster {folder}/absent/x.html --address 10.0.0.1", "", code=1),
    Row("export {folder}/absent/x.carry", "", code=1),
    Row("sync 127.0.0.1:1", "127.0.0.1:1", code=4),
    Row("sync {peer} 127.0.0.1:1", "127.0.0.1:1", code=3),
    Row("sync ftp://here", "", code=2),
    Row("peers add ftp://here", "", code=2),
    Row("peers remove 10.9.9.9", "not in the address book", code=1),
    Row("key new me", "", code=1),
    Row("key new ../me", "cannot name a key", code=2),
    Row("key show nobody", "no key called", code=1),
    Row("key default nobody", "no key called", code=1),
    Row("key export nobody {new}", "no key called", code=1),
    Row("key export {key} {new}", "needs a passphrase", code=1),
    Row("key import {absent}", "absent", code=1),
    Row("key import {rubbish}", "", code=1),
    Row("key passphrase nobody --remove", "no key called", code=1),
    Row("key passphrase {key} --remove", "has no passphrase", code=1),
    Row("key passphrase {key} --remove --new-passphrase-file x", "exclude each other", code=2),
    Row("key sheet {folder}/absent/x.html", "", code=1),
    Row("key sheet {new}.html nobody", "no key called", code=1),
    Row("key revoke nobody --yes", "no key called", code=1),
    Row("key revoke {key}", "confirmed", code=1),
    Row("trust add 123 --as {name}", "is neither", code=2),
    Row("trust remove nobody", "", code=1),
    Row("trust block nobody", "", code=1),
    Row("trust unblock nobody", "", code=1),
    Row("trust follow {id}", "is not one of several rival roots", code=1),
    Row("key successor me me --yes", "does not come after itself", code=1),
    Row("key successor {key} me", "confirmed", code=1),
    Row("key branch {id} --yes", "shares its number with nothing", code=1),
    Row("publish --headline x --org nobody", "nobody here is", code=1),
    Row("publish --headline x --org {org}", "has not lent its name", code=1),
    Row("org create {new} --name x --key nobody", "nobody here is", code=1),
    Row("org create {rubbish} --name x --key me", "is there already", code=1),
    Row("org sign {rubbish}", "is no JSON", code=1),
    Row("org sign {absent}", "absent", code=1),
    Row("org sign {proposal}", "confirmed", code=1),
    Row("org delegate {new} {stranger} --org {org} --area {rubbish}", "GeoJSON", code=1),
    Row("org delegate {new} me --org nobody", "nobody here is", code=1),
    Row("org rotate {new} --org {backed} --key {key} --signers {key}", "no recovery key is to sign", code=1),
    Row("org rotate {new} --org {org} --key {key} --recovery me", "do the recovery keys change", code=1),
    Row("org delegate {new} me --org {org} --circle 1,2", "is not LAT,LON,KM", code=2),
    Row("org revoke {new} nobody --org {org}", "nobody here is", code=1),
    Row("org rotate {new} --org {org} --key me --signers me", "of the keys so far", code=2),
    Row("org branch {new} {id} --org {org}", "shares its number with nothing", code=1),
    Row("org show nobody", "nobody here is", code=1),
    Row("backup /proc/nothing/x", "cannot write", code=1),
    Row("backup {new} --with-keys", "needs a passphrase", code=1),
    Row("restore {absent} --data {empty}", "absent", code=1),
    Row("restore {rubbish} --data {empty}", "is not a backup", code=1),
    Row("restore {backup}", "a relay is in", code=1),
    Row("wipe", "confirmed", code=1),
    Row("wipe --yes-name x --data {empty}", "no relay is in", code=1),
    Row("service print --as nobody", "", code=2),
    Row("config get colour", "", code=1),
    Row("config set colour red", "", code=1),
    Row("config set reader '*:99999'", "", code=2),
    Row("config set languages '!'", "", code=2),
    Row("nonsense", "No such command", code=2),
)


class Things:
    """What the words in braces stand for; each is made when a row asks for it, on the row's own folder."""

    def __init__(self, terminal: Terminal, folder: Path, neighbour: Process) -> None:
        self._terminal = terminal
        self._folder = folder
        self._neighbour = neighbour
        self._made: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._made:
            make: Callable[[], str] = getattr(self, name)
            self._made[name] = make()
        return self._made[name]

    def _file(self, name: str, data: str | bytes) -> str:
        path = self._folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(path)

    # Files

    def folder(self) -> str:
        """A folder with nothing of this relay in it."""
        return str(self._folder)

    def new(self) -> str:
        """Where no file is yet."""
        return str(self._folder / secrets.token_hex(4))

    def absent(self) -> str:
        """Where no file is."""
        return str(self._folder / "absent")

    def empty(self) -> str:
        """A data folder that is not there yet."""
        return str(self._folder / "empty")

    def rubbish(self) -> str:
        """A file that is nothing of ours."""
        return self._file("rubbish", "milk, bread\n")

    def config(self) -> str:
        """A file of settings."""
        return self._file("config.toml", 'place = "Almaty"\n')

    def form(self) -> str:
        """A form that nothing is to be said against."""
        form = {
            "headline": "Water",
            "instruction": "Bring bottles",
            "area": "School 12",
            "circle": "43.2,76.8,1",
            "severity": "Minor",
            "urgency": "Expected",
            "certainty": "Observed",
            "expires": "6h",
            "description": "The pump stands still.",
            "response": "Prepare",
            "sender_name": "Waterworks",
            "contact": "+7 700 000 00 00",
            "web": "https://example.org/water",
        }
        return self._file("form.json", json.dumps(form))

    def outline(self) -> str:
        """A place as GeoJSON."""
        return self._file("outline", '{"type": "Polygon", "coordinates": [[[76, 43], [77, 43], [77, 44], [76, 43]]]}')

    def words(self) -> str:
        """The words of a translation."""
        return self._file("words.json", '{"headline": "Вода"}')

    def cap(self) -> str:
        """A CAP alert that nobody has seen before."""
        return self._file("alert.cap", ALERT.replace("</identifier>", f"{secrets.token_hex(4)}</identifier>"))

    def passphrase(self) -> str:
        """A file with a passphrase."""
        return self._file("passphrase", PASSPHRASE + "\n")

    def carry(self) -> str:
        """A file with two items of a stranger."""
        return self._file("items", sequence(self._strange(2)))

    def bare_backup(self) -> str:
        """A backup of this relay without its keys."""
        path = str(self._folder / "bare")
        self._terminal.do("backup", path)
        return path

    def backup(self) -> str:
        """A backup of this relay with its keys."""
        path = str(self._folder / "backup")
        self._terminal.do("backup", path, "--with-keys", "--passphrase-file", self["passphrase"])
        return path

    def exported(self) -> str:
        """The file of a key of another relay."""
        other, path = Terminal(self._folder / "elsewhere"), str(self._folder / "exported")
        name = secrets.token_hex(4)
        other.do("key", "new", name)
        other.do("key", "export", name, path, "--passphrase-file", self["passphrase"])
        return path

    # Bulletins

    def id(self) -> str:
        """A bulletin of this relay."""
        return self._terminal.do("publish", "--headline", "Water", "--lang", "en")

    def sealed_id(self) -> str:
        """A bulletin of a key under a passphrase."""
        words = ("publish", "--headline", "Water", "--key", self["sealed"], "--passphrase-file", self["passphrase"])
        return self._terminal.do(*words)

    def strange_id(self) -> str:
        """A bulletin of somebody unknown here."""
        found = self._terminal.read("import", self["carry"])
        return str(found["ids"][0])

    def word(self) -> str:
        """What somebody here says of a bulletin."""
        return self._terminal.do("cannot-check", self["strange_id"])

    def hidden_id(self) -> str:
        """A bulletin that is hidden."""
        self._terminal.do("hide", self["id"])
        return self["id"]

    def nothing(self) -> str:
        """The beginning of no id."""
        return "00" * 32

    def cursor(self) -> str:
        """Where a list goes on."""
        for _ in range(2):
            self._terminal.do("publish", "--headline", "Water")
        return str(self._terminal.read("list", "--limit", "1")["next"])

    def plan(self) -> str:
        """The number of something planned."""
        found = self._terminal.read("publish", "--headline", "Later", "--publish-at", "5h")
        return str(found["planned"])

    def draft(self) -> str:
        """A draft."""
        name = secrets.token_hex(4)
        self._terminal.do("draft", "save", name, self["form"])
        return name

    def report(self) -> str:
        """The number of a report that a visitor wrote."""
        local = Local.open(self._terminal.data / "local.db")
        assert local.add_report(Report(int(time.time()), "en", "Smoke", "Mill"))
        number = local.reports()[-1].n
        local.close()
        return str(number)

    def _strange(self, count: int) -> list[SignedItem]:
        return list(made_items(count, now=int(time.time()), keys=1, seed=next(_strangers)))

    # Keys and senders

    def name(self) -> str:
        """A name that nobody has."""
        return "n" + secrets.token_hex(4)

    def key(self) -> str:
        """A key of this relay."""
        name = "k" + secrets.token_hex(4)
        self._terminal.do("key", "new", name)
        return name

    def sealed(self) -> str:
        """A key of this relay under a passphrase."""
        name = "s" + secrets.token_hex(4)
        self._terminal.do("key", "new", name, "--protect", "--passphrase-file", self["passphrase"])
        return name

    def digits(self) -> str:
        """The digits of a key that has not come yet."""
        return "".join(f"{secrets.randbelow(1000):03}" for _ in range(9))

    def anchor(self) -> str:
        """The name of a sender known here."""
        name = "a" + secrets.token_hex(4)
        self._terminal.do("trust", "add", self["stranger"], "--as", name)
        return name

    def stranger(self) -> str:
        """A key that is unknown here."""
        return self._strange(1)[0].author.hex()

    def blocked(self) -> str:
        """A sender who is blocked."""
        self._terminal.do("trust", "block", self["stranger"])
        return self["stranger"]

    # Organisations

    def proposal(self) -> str:
        """A proposal that a key of this relay is asked to sign."""
        return self._proposal(self["key"])

    def sealed_proposal(self) -> str:
        """A proposal that a key under a passphrase is asked to sign."""
        return self._proposal(self["sealed"])

    def _proposal(self, key: str, *words: str) -> str:
        path = str(self._folder / f"{secrets.token_hex(4)}.org")
        self._terminal.do("org", "create", path, "--name", "Clinic", "--key", key, *words)
        return path

    def org(self) -> str:
        """An organisation of one key of this relay."""
        self._terminal.do("org", "sign", self["proposal"], "--yes")
        return str(self._terminal.read("org", "show", self["proposal"])["organisation"])

    def backed(self) -> str:
        """An organisation of one key of this relay, with another one for recovery."""
        path = self._proposal(self["key"], "--recovery", self["sealed"])
        self._terminal.do("org", "sign", path, "--yes")
        return str(self._terminal.read("org", "show", path)["organisation"])

    def rival(self) -> str:
        """One of two roots that exclude each other."""
        rivals = []
        for name in ("me", self["sealed"]):
            path = str(self._folder / f"{secrets.token_hex(4)}.org")
            words = ("--signers", self["key"], "--org", self["org"])
            made = self._terminal.read("org", "rotate", path, "--key", self["key"], "--key", name, *words)
            rivals.append((made["id"], path))
        for _, path in rivals:
            self._terminal.do("org", "sign", path, "--yes")
        return str(rivals[0][0])

    def forked(self) -> str:
        """A bulletin that shares its number with another one."""
        return self._forked(self["key"])

    def sealed_forked(self) -> str:
        """The same, of a key under a passphrase."""
        return self._forked(self["sealed"])

    def org_forked(self) -> str:
        """The same, in the name of an organisation that lends it to itself."""
        path = str(self._folder / f"{secrets.token_hex(4)}.org")
        self._terminal.do("org", "delegate", path, self["key"], "--org", self["org"])
        self._terminal.do("org", "sign", path, "--yes")
        return self._forked(self["key"], bytes.fromhex(self["org"]))

    def _forked(self, key: str, org: bytes | None = None) -> str:
        """Sign two bulletins with one number, as a key does that was copied."""
        ring = Keyring(self._terminal.data / "keys", passphrase=lambda _: PASSPHRASE)
        now, stream = int(time.time()), secrets.token_bytes(8)
        with ring.signing(key) as signer:
            items = [
                sign(
                    Bulletin(now, now + 86_400, Chain(stream, 1), texts=(Text("en", "Notice", headline),), org=org),
                    signer.key,
                )
                for headline in ("Left", "Right")
            ]
        self._terminal.do("import", self._file("twins", sequence(items)))
        return items[0].id.hex()

    # Other relays

    def peer(self) -> str:
        """The address of a relay that runs."""
        return self._neighbour.peer_uri

    def nobody(self) -> str:
        """An address at which no relay is."""
        return "meshrelay://127.0.0.1:9"

    def given(self) -> str:
        """An address in the address book."""
        uri = f"meshrelay://127.0.0.1:{secrets.randbelow(1000) + 1}"
        self._terminal.do("peers", "add", uri)
        return uri
