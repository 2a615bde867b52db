"""A relay in one file, and back."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from meshrelay import backup, folder
from meshrelay import settings as settings_module
from meshrelay.cli.session import Session
from meshrelay.core.keys import SigningKey
from meshrelay.core.trust import Anchor
from meshrelay.errors import KeyLocked, Refusal
from meshrelay.keyring import Keyring
from meshrelay.local import PAUSED, Local, Planned
from meshrelay.settings import Settings
from meshrelay.store import Store
from tests.processes import made_items

NOW = 1_760_000_000
PASSPHRASE = "correct horse battery"
KNOWN = SigningKey.from_seed(b"k" * 32).public

pytestmark = pytest.mark.usefixtures("cheap_guesses")


@dataclass(frozen=True)
class Place:
    """A data folder, filled without a relay."""

    data: Path

    @property
    def settings(self) -> Settings:
        return settings_module.load(self.data)

    @property
    def keyring(self) -> Keyring:
        return Keyring(self.data / "keys")

    def ids(self) -> set[bytes]:
        with closing(Store.open(self.data / "store.db")) as store:
            keys, _ = store.keys()
            return {header.id for header in store.by_key(keys[at : at + 24] for at in range(0, len(keys), 24)).values()}

    def known(self) -> dict[bytes, str]:
        with closing(Local.open(self.data / "local.db")) as local:
            return {anchor.key: anchor.petname for anchor in local.anchors()}

    def written(self, *, keys: bool = True) -> bytes:
        out = io.BytesIO()
        with (
            closing(Store.open(self.data / "store.db")) as store,
            closing(Local.open(self.data / "local.db")) as local,
        ):
            files = self.keyring.files() if keys else {}
            backup.write(
                out,
                settings=self.settings,
                store=store,
                local=local,
                keys=files,
                passphrase=PASSPHRASE,
                now=NOW,
            )
        return out.getvalue()

    def plan(self, *dues: int) -> None:
        with closing(Local.open(self.data / "local.db")) as local:
            for due in dues:
                local.plan(Planned(due, "me", b"a draft"))

    def plans(self) -> list[int]:
        with closing(Local.open(self.data / "local.db")) as local:
            return [plan.due for plan in local.planned()]

    def restore(self, data: bytes, *, passphrase: Callable[[], str] | None = lambda: PASSPHRASE) -> backup.Restored:
        source = io.BytesIO(data)
        manifest = backup.read_manifest(source)
        with folder.held(self.data):
            return backup.restore(
                source, manifest, Settings(self.data), keyring=self.keyring, passphrase=passphrase, now=NOW
            )

    def contents(self) -> dict[str, bytes]:
        """Return every file but those that databases and locks make by being opened."""
        files = [path for path in self.data.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.data)): path.read_bytes() for path in files if "lock" not in path.name}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    one = Place(tmp_path / "data")
    settings_module.save(one.data, {"name": "School 12"})
    with closing(Store.open(one.data / "store.db")) as store:
        store.put_many(list(made_items(30, now=NOW)), received=NOW)
    with closing(Local.open(one.data / "local.db")) as local:
        local.add_anchor(Anchor(KNOWN, "Aigerim", NOW))
    one.keyring.new("me", now=NOW)
    one.keyring.new("office", now=NOW, passphrase="one of its own")
    return one


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    return Place(tmp_path / "elsewhere")


def forged(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """Return a backup with other parts, and with all its hashes made to fit: what somebody would do on purpose."""
    start = len(backup.MAGIC) + 4
    end = start + int.from_bytes(data[start - 4 : start], "big")
    manifest = json.loads(data[start:end])
    parts: dict[str, bytes] = {}
    for part in manifest["parts"]:
        parts[part["name"]] = data[end : end + part["size"]]
        end += part["size"]
    change(parts)
    manifest["parts"] = [
        {"name": name, "size": len(one), "sha256": hashlib.sha256(one).hexdigest()} for name, one in parts.items()
    ]
    said = json.dumps(manifest).encode()
    whole = backup.MAGIC + len(said).to_bytes(4, "big") + said + b"".join(parts.values())
    return whole + hashlib.sha256(whole).digest()


def test_a_relay_comes_back_as_it_was(place: Place, empty: Place) -> None:
    data = place.written()
    manifest = backup.read_manifest(io.BytesIO(data))
    assert (manifest.relay, manifest.made, manifest.has_keys) == ("School 12", NOW, True)
    found = empty.restore(data)
    assert found.bulletins == 30
    assert found.keys == place.keyring.all()
    assert empty.ids() == place.ids()
    assert empty.known() == {KNOWN: "Aigerim"}
    assert empty.settings.name == "School 12"
    assert empty.keyring.files() == place.keyring.files()
    assert [path.name for path in empty.data.iterdir() if path.name.startswith(".")] == []
    assert empty.data.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in empty.data.rglob("*.db")} == {0}


def test_a_backup_never_holds_a_mark_a_lock_or_a_bare_key(place: Place) -> None:
    with place.keyring.signing("me") as signer:
        signer.take(7)
        stream, seed = signer.stream, signer.key.seed
    for data in (place.written(), place.written(keys=False)):
        for secret in (seed, stream):
            assert secret not in data
            assert secret.hex().encode() not in data
        assert b"me.mark" not in data
    assert b"me.key" not in place.written(keys=False)
    assert not backup.read_manifest(io.BytesIO(place.written(keys=False))).has_keys


def test_keys_stay_in_the_backup_when_nobody_wants_them(place: Place, empty: Place) -> None:
    assert empty.restore(place.written(), passphrase=None).keys == ()
    assert empty.keyring.all() == ()
    assert empty.restore(place.written(keys=False)).keys == ()


def test_every_key_begins_a_new_stream(place: Place, empty: Place) -> None:
    with place.keyring.signing("me") as signer:
        signer.take(7)
        before = signer.stream
    data = place.written()
    empty.restore(data)
    place.restore(data, passphrase=None)
    for one in (place, empty):
        with one.keyring.signing("me") as signer:
            assert signer.stream != before
            assert signer.next_number() == 1


def test_a_wrong_passphrase_changes_nothing(place: Place, empty: Place) -> None:
    data = place.written()
    with pytest.raises(KeyLocked, match="the passphrase is wrong"):
        empty.restore(data, passphrase=lambda: "another one")
    assert empty.contents() == {}


def test_one_altered_byte_anywhere_is_refused(place: Place, empty: Place) -> None:
    data = place.written()
    dice = random.Random(1)
    places = [*range(400), *(dice.randrange(len(data)) for _ in range(300)), *range(len(data) - 40, len(data))]
    for at in places:
        flipped = bytearray(data)
        flipped[at] ^= 1 << dice.randrange(8)
        with pytest.raises(Refusal):
            backup.read_manifest(io.BytesIO(flipped))
    assert empty.contents() == {}


def test_a_backup_cut_short_or_added_to_is_refused(place: Place) -> None:
    data = place.written()
    dice = random.Random(1)
    lengths = [*range(200), *(dice.randrange(len(data)) for _ in range(200)), *range(len(data) - 40, len(data))]
    for length in lengths:
        with pytest.raises(Refusal):
            backup.read_manifest(io.BytesIO(data[:length]))
    with pytest.raises(Refusal, match="added to"):
        backup.read_manifest(io.BytesIO(data + b"x"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "this is not a backup"),
        (b"milk, bread", "this is not a backup"),
        (b"meshrelay backup 2\n" + bytes(100), "newer version"),
        (backup.MAGIC, "nobody can say what is in it"),
        (backup.MAGIC + b"\xff\xff\xff\xff", "nobody can say what is in it"),
        (backup.MAGIC + (2).to_bytes(4, "big") + b"{}", "nobody can say what is in it"),
    ],
)
def test_what_is_no_backup_is_said_to_be_none(data: bytes, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        backup.read_manifest(io.BytesIO(data))


@pytest.mark.parametrize("name", ["../me", "keys/me.key", "run.json", "lock", "me.mark", ""])
def test_a_part_that_is_none_is_refused(place: Place, name: str) -> None:
    with pytest.raises(Refusal, match="nobody can say what is in it"):
        backup.read_manifest(io.BytesIO(forged(place.written(), lambda parts: parts.update({name: b"x"}))))
    with pytest.raises(Refusal, match="nobody can say what is in it"):
        backup.read_manifest(
            io.BytesIO(forged(place.written(), lambda parts: parts.update(keys=parts.pop("store.db"))))
        )


def test_a_backup_altered_on_purpose_is_told_by_its_passphrase(place: Place, empty: Place) -> None:
    data = forged(place.written(), lambda parts: parts.update({"settings.toml": b'name = "Theirs"\n'}))
    with pytest.raises(Refusal, match="altered after it was made"):
        empty.restore(data)
    assert empty.contents() == {}


def test_an_item_that_never_came_through_the_gate_is_refused(place: Place, empty: Place, tmp_path: Path) -> None:
    def alter(parts: dict[str, bytes]) -> None:
        (item,) = made_items(1, now=NOW, seed=3)
        forgery = dataclasses.replace(item, data=item.data[:-1] + bytes([item.data[-1] ^ 1]))
        with closing(Store.open(tmp_path / "store.db")) as store:
            store.put_many([forgery], received=NOW)
            store.copy_to(tmp_path / "forged.db")
        parts["store.db"] = (tmp_path / "forged.db").read_bytes()

    ids = place.ids()
    with pytest.raises(Refusal, match="an item that no relay would take"):
        place.restore(forged(place.written(keys=False), alter))
    assert place.ids() == ids


@pytest.mark.parametrize("part", ["store.db", "local.db", "settings.toml", "keys"])
def test_a_part_that_is_something_else_changes_nothing(place: Place, empty: Place, part: str) -> None:
    data = forged(place.written(), lambda parts: parts.update({part: b"milk, bread\n" * 999}))
    with pytest.raises(Refusal):
        empty.restore(data, passphrase=(lambda: PASSPHRASE) if part == "keys" else None)
    assert empty.contents() == {}


def test_what_was_here_is_replaced_and_its_journals_do_not_come_back(place: Place, tmp_path: Path) -> None:
    data = place.written()
    ids = place.ids()
    with closing(Store.open(place.data / "store.db")) as store:
        store.put_many(list(made_items(20, now=NOW, seed=9)), received=NOW)
        # As a killed process leaves it: a journal beside the file.
        journal = (place.data / "store.db-wal").read_bytes()
    (place.data / "store.db-wal").write_bytes(journal)
    with closing(Local.open(place.data / "local.db")) as local:
        local.remove_anchor(KNOWN)
    settings_module.save(place.data, {"name": "Another"})
    place.keyring.new("later", now=NOW + 1)
    place.restore(data)
    assert place.ids() == ids
    assert place.known() == {KNOWN: "Aigerim"}
    assert place.settings.name == "School 12"
    assert [key.name for key in place.keyring.all()] == ["me", "office", "later"]


def test_a_damaged_key_keeps_nobody_from_a_backup_of_the_others(place: Place, empty: Place) -> None:
    (place.data / "keys" / "me.key").write_bytes(b"{")
    assert place.keyring.damaged() == ("me",)
    assert [key.name for key in empty.restore(place.written()).keys] == ["office"]


def test_what_was_planned_for_a_time_now_past_is_not_published_a_second_time(place: Place, empty: Place) -> None:
    place.plan(NOW - 86400, NOW, NOW + 1)
    assert empty.restore(place.written()).overdue == 2
    assert empty.plans() == [NOW + 1]
    assert len(place.plans()) == 3


def test_what_was_planned_for_later_waits_for_a_word(place: Place, empty: Place) -> None:
    place.plan(NOW + 1, NOW + 2)
    assert empty.restore(place.written()).paused == 2
    with closing(Local.open(empty.data / "local.db")) as local:
        assert local.planned(due=NOW + 10**9) == ()
        first, second = local.planned()
        assert first.trouble == second.trouble == PAUSED
        assert local.resume(first.n)
        assert [one.n for one in local.planned(due=NOW + 10)] == [first.n]
        assert not local.resume(99)


def test_a_restore_that_was_decided_and_cut_short_is_finished_by_whoever_comes_next(place: Place, empty: Place) -> None:
    """However far it had come; the faults have the cuts themselves."""
    empty.restore(place.written())
    for came in range(3):
        other = Place(empty.data.with_name(f"cut-{came}"))
        settings_module.save(other.data, {"name": "Clinic"})
        Store.open(other.data / "store.db").close()
        Local.open(other.data / "local.db").close()
        shutil.copytree(empty.data, other.data / ".restored", ignore=shutil.ignore_patterns("*lock", "keys", ".*"))
        for name in ("local.db", "settings.toml", "store.db")[:came]:
            (other.data / ".restored" / name).replace(other.data / name)
        session = Session(other.data)
        assert session.settings().name == "School 12"
        assert (other.ids(), other.known()) == (place.ids(), place.known())
        assert not (other.data / ".restored").exists()
