"""The vectors of docs/spec/item.md against the gate, and the law that the gate raises nothing but InvalidItem."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.admission import admit, assemble, proposal, sign, sign_together
from meshrelay.core.encoding import MAX_ITEM, decode, encode
from meshrelay.core.envelope import SignedItem, open_envelope, seal, seal_together, to_be_signed
from meshrelay.core.keys import SigningKey
from meshrelay.errors import InvalidItem, Reason
from tests.vectors import make, statements

FOLDER = Path(make.__file__).parent / "items"
NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))
GOOD = [name for name in NAMES if name.startswith("ok-")]
KEY = SigningKey.from_seed(make.SEED)


def load(name: str) -> tuple[dict[str, str], bytes]:
    head, _, digits = (FOLDER / f"{name}.txt").read_text().partition("\n\n")
    return dict(line.split(": ", 1) for line in head.splitlines()), bytes.fromhex(digits)


def admits(data: bytes) -> bool:
    """Tell whether the gate lets `data` in; whatever it raises but InvalidItem fails the test."""
    try:
        item = admit(data)
    except InvalidItem:
        return False
    assert item.data == data
    return True


def signed(payload: bytes) -> bytes:
    return seal(KEY.public, payload, KEY.sign(to_be_signed(KEY.public, payload)))


def signed_together(payload: bytes, keys: tuple[bytes, ...]) -> bytes:
    return seal_together(payload, sign_together(payload, [PEOPLE[key] for key in keys]).items())


PEOPLE = {
    one.public: SigningKey.from_seed(one.secret[:32])
    for one in (*(statements.A, statements.B, statements.C, statements.D), statements.KEEPER, statements.FIELD)
}


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_ends_as_it_says(name: str) -> None:
    head, data = load(name)
    if head["expect"] == "ok":
        item = admit(data)
        assert item.id.hex() == head["id"]
        assert item.author.hex() == head["author"]
        assert item.data == data
    else:
        with pytest.raises(InvalidItem) as refusal:
            admit(data)
        assert refusal.value.reason == head["expect"]


def test_there_are_vectors_for_every_reason() -> None:
    reasons = {load(name)[0]["expect"] for name in NAMES}
    assert reasons >= {"ok", *Reason} - {Reason.KEY}
    assert len(NAMES) > 400


def test_the_files_are_what_the_script_makes() -> None:
    made = {vector.name: make.written(vector) for vector in make.vectors()}
    assert sorted(made) == NAMES
    for name, text in made.items():
        assert (FOLDER / f"{name}.txt").read_text() == text, name


def test_this_relay_signs_the_very_bytes_of_the_good_vectors() -> None:
    for name in GOOD:
        item = admit(load(name)[1])
        if item.author == KEY.public:
            assert sign(item.body, KEY).data == item.data
        elif open_envelope(item.data).many:
            payload = proposal(item.body)
            assert assemble(payload, sign_together(payload, PEOPLE.values()).items() & signers(item)).data == item.data
        elif item.author in PEOPLE:
            assert sign(item.body, PEOPLE[item.author]).data == item.data


def signers(item: SignedItem) -> set[tuple[bytes, bytes]]:
    return set(open_envelope(item.data).signatures)


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_are_refused(data: bytes) -> None:
    assert not admits(data)


@given(st.binary(max_size=200))
def test_a_payload_of_any_kind_is_refused_however_well_it_is_signed(payload: bytes) -> None:
    assert not admits(signed(payload))


VALUES = st.recursive(
    st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=40)
    | st.text(max_size=20)
    | st.booleans()
    | st.floats()
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.integers(-2, 300) | st.text(max_size=8) | st.binary(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from(sorted(make.FULL)) | st.integers(0, 40), VALUES, max_size=8), st.booleans())
def test_values_of_any_kind_in_any_field_are_refused_or_admitted(changes: dict[int, object], canonical: bool) -> None:
    admits(signed(cbor2.dumps(make.FULL | changes, canonical=canonical)))
    admits(signed(cbor2.dumps(make.REVOCATION | changes, canonical=canonical)))
    admits(signed(cbor2.dumps(statements.DISPUTE | changes, canonical=canonical)))
    for base in (statements.NEXT_ROOT, statements.DELEGATION | {17: statements.SCOPE}, statements.ORG_BRANCH):
        keys = tuple(key for key, _ in base[8])
        admits(signed_together(cbor2.dumps(base | changes, canonical=canonical), keys))


@settings(max_examples=300)
@given(st.sampled_from(GOOD), st.data())
def test_a_good_item_altered_anywhere_is_refused(name: str, draw: st.DataObject) -> None:
    data = load(name)[1]
    at = draw.draw(st.integers(0, len(data) - 1))
    lost = draw.draw(st.integers(0, 3))
    put = draw.draw(st.binary(max_size=3))
    altered = data[:at] + put + data[at + lost :]
    if altered != data:
        assert not admits(altered)


@settings(max_examples=300)
@given(st.sampled_from(GOOD), st.data())
def test_a_good_payload_altered_and_signed_again_is_refused_or_another_item(name: str, draw: st.DataObject) -> None:
    parts = open_envelope(load(name)[1])
    payload = parts.payload
    at = draw.draw(st.integers(0, len(payload) - 1))
    lost = draw.draw(st.integers(0, 3))
    put = draw.draw(st.binary(max_size=3))
    altered = payload[:at] + put + payload[at + lost :]
    data = signed_together(altered, parts.keys) if parts.many else signed(altered)
    if altered != payload and admits(data):
        assert admit(data).id != admit(load(name)[1]).id


@given(st.binary(max_size=300))
def test_what_decodes_is_encoded_again_to_the_same_bytes(data: bytes) -> None:
    try:
        value = decode(data)
    except InvalidItem:
        return
    assert encode(value) == data


def test_the_keyless_forgeries_would_pass_elsewhere() -> None:
    """The vectors are worth something: a library that does not look at the key takes them."""
    taken = 0
    for vector in make.vectors():
        if vector.name.startswith("signature-key-of-order"):
            parts = open_envelope(vector.data)
            ((author, signature),) = parts.signatures
            message = to_be_signed(author, parts.payload)
            with contextlib.suppress(InvalidSignature, ValueError):
                Ed25519PublicKey.from_public_bytes(author).verify(signature, message)
                taken += 1
    assert taken >= 7, "14 of 14 with the library pinned today"


def test_every_single_flipped_bit_is_refused() -> None:
    data = load("ok-revocation")[1]
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not admits(bytes(flipped))


def test_every_shorter_item_is_refused() -> None:
    data = load("ok-bulletin")[1]
    for end in range(len(data)):
        assert not admits(data[:end])


def test_the_largest_item_is_as_large_as_said() -> None:
    assert len(load("ok-largest")[1]) == MAX_ITEM


def test_a_header_says_what_the_item_says() -> None:
    header = admit(load("ok-bulletin-full")[1]).header
    assert header.size == len(load("ok-bulletin-full")[1])
    assert dataclasses.asdict(header)["org"] == make.FULL[7]
    assert len(header.targets) == 2
    assert header.alias is not None
    assert header.key == b"\x01" + make.SENT.to_bytes(7, "big") + header.id[:16]
