"""Hypothesis strategies that all tests share: values that have an encoding, and whole bulletins."""

from __future__ import annotations

from typing import Any, TypeVar

from hypothesis import strategies as st

from meshrelay.core.bulletin import (
    MAX_LIFE,
    Area,
    Bulletin,
    CapReference,
    Category,
    Certainty,
    Chain,
    Circle,
    MsgType,
    Origin,
    OriginKind,
    Point,
    Resource,
    Response,
    Severity,
    Status,
    Text,
    Urgency,
    XmlSignature,
)
from meshrelay.core.encoding import MAX_DEPTH, Value, is_clean_text
from meshrelay.core.fields import MAX_TIME
from meshrelay.core.statements import Revocation

T = TypeVar("T")

NOON = 1_760_000_000
LANGUAGES = ("en", "ru", "kk", "fa", "ar", "my", "fr", "es", "EN-gb", "zh-Hant-TW")

ids = st.binary(min_size=32, max_size=32)


_UNCLEAN = "".join(char for char in map(chr, range(0x2070)) if not is_clean_text(char))
_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters=_UNCLEAN)


def clean_texts(*, least: int = 1, most: int = 12) -> st.SearchStrategy[str]:
    """Text that may be signed: any script, newlines, no controls and no overrides of direction."""
    return st.text(_CHARACTERS, min_size=least, max_size=most)


def tuples_of(
    element: st.SearchStrategy[T], *, most: int = 2, unique: bool = False
) -> st.SearchStrategy[tuple[T, ...]]:
    """Short tuples."""
    return st.lists(element, max_size=most, unique=unique).map(tuple)


def values() -> st.SearchStrategy[Value]:
    """Values that have an encoding."""
    keys = st.integers(0, 255) | clean_texts(most=8)
    leaves: st.SearchStrategy[Value] = (
        st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=40) | clean_texts(least=0)
    )

    def branches(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5)

    nested: st.SearchStrategy[Any] = st.recursive(leaves, branches, max_leaves=20)
    return nested.filter(lambda value: depth_of(value) <= MAX_DEPTH)


def depth_of(value: Value) -> int:
    """Return how deep lists and maps nest."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list | tuple):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def by_language(element: st.SearchStrategy[T]) -> st.SearchStrategy[list[tuple[str, T]]]:
    """Pairs of language and element in the order of the signed map: shorter tags first."""
    tags = st.lists(st.sampled_from(LANGUAGES), min_size=1, max_size=2, unique=True)
    pairs = tags.flatmap(lambda chosen: st.tuples(*[st.tuples(st.just(tag), element) for tag in chosen]))
    return pairs.map(lambda chosen: sorted(chosen, key=lambda pair: (len(pair[0]), pair[0])))


pairs = st.tuples(clean_texts(), clean_texts(least=0))
points = st.builds(Point, st.integers(-90_000_000, 90_000_000), st.integers(-180_000_000, 180_000_000))
polygons = st.lists(points, min_size=3, max_size=6).map(lambda corners: (*corners, corners[0]))
optional_text = st.just("") | clean_texts()


@st.composite
def texts(draw: st.DrawFn) -> tuple[Text, ...]:
    """What a bulletin says, in one to three languages."""
    said = draw(by_language(st.lists(optional_text, min_size=6, max_size=6)))
    return tuple(Text(language, "Flood", *others) for language, others in said)


areas = st.builds(
    Area,
    names=by_language(clean_texts()).map(tuple),
    polygons=tuples_of(polygons, most=2),
    circles=tuples_of(st.builds(Circle, points, st.integers(0, 20_040_000)), most=2),
    geocodes=tuples_of(pairs),
    altitude=optional_text.map(lambda text: text[:32]),
    ceiling=optional_text.map(lambda text: text[:32]),
)
resources = st.builds(
    Resource,
    description=clean_texts(),
    mime_type=optional_text,
    uri=optional_text,
    size=st.none() | st.integers(0, 2**53 - 1),
    digest=optional_text,
)
cap_references = st.builds(CapReference, clean_texts(), clean_texts(), clean_texts())


@st.composite
def origins(draw: st.DrawFn) -> Origin:
    """Where words come from; an identity goes with the kind cap alone."""
    kind = draw(st.sampled_from(OriginKind))
    return Origin(
        kind=kind,
        checked=draw(st.booleans()),
        identity=draw(cap_references) if kind is OriginKind.CAP else None,
        references=draw(tuples_of(cap_references)),
        effective=draw(optional_text),
        onset=draw(optional_text),
        expires=draw(optional_text),
        digest=draw(st.none() | ids),
        signature=draw(st.none() | st.sampled_from(XmlSignature)),
    )


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Places in a stream."""
    seq = draw(st.integers(1, 2**53 - 1))
    live = draw(st.sets(st.integers(1, seq - 1), max_size=8)) if seq > 1 else ()
    prev = draw(st.none() | ids) if seq > 1 else None
    return Chain(draw(st.binary(min_size=8, max_size=8)), seq, prev, tuple(sorted(live)))


@st.composite
def bulletins(draw: st.DrawFn) -> Bulletin:
    """Whole bulletins as the gate returns them: every field, present or absent, within its bounds."""
    sent = draw(st.integers(1, MAX_TIME - MAX_LIFE))
    msg_type = draw(st.sampled_from(MsgType))
    origin = draw(st.just(Origin()) | origins())
    references = draw(tuples_of(ids, unique=True))
    if msg_type is not MsgType.ALERT and not references and not origin.references:
        references = (draw(ids),)
    said = draw(texts()) if msg_type is not MsgType.CANCEL or draw(st.booleans()) else ()
    times = st.none() | st.integers(1, MAX_TIME)
    return Bulletin(
        sent=sent,
        expires=sent + draw(st.integers(1, MAX_LIFE)),
        chain=draw(chains()),
        texts=said,
        msg_type=msg_type,
        status=draw(st.sampled_from(Status)),
        categories=tuple(draw(st.lists(st.sampled_from(Category), min_size=1, max_size=4, unique=True))),
        responses=draw(tuples_of(st.sampled_from(Response), unique=True)),
        urgency=draw(st.sampled_from(Urgency)),
        severity=draw(st.sampled_from(Severity)),
        certainty=draw(st.sampled_from(Certainty)),
        effective=draw(times),
        onset=draw(times),
        expires_assumed=draw(st.booleans()),
        org=draw(st.none() | ids),
        references=references,
        areas=draw(tuples_of(areas, most=2)),
        codes=draw(tuples_of(clean_texts())),
        event_codes=draw(tuples_of(pairs)),
        parameters=draw(tuples_of(pairs)),
        resources=draw(tuples_of(resources, most=2)),
        note=draw(optional_text),
        audience=draw(optional_text),
        source=draw(optional_text),
        incidents=draw(optional_text),
        origin=origin,
    )


def revocations(subject: bytes) -> st.SearchStrategy[Revocation]:
    """Ends of the key `subject`."""
    good = st.sets(ids, max_size=4).map(lambda chosen: tuple(sorted(chosen)))
    return st.builds(Revocation, sent=st.integers(1, MAX_TIME), subject=st.just(subject), good=good)
