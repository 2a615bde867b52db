"""What an alert says for one of its languages alone, kept where a bulletin says one thing for all of them.

An alert repeats audience, parameters and resources in every info; a bulletin has them once, whatever the language.
Where the infos of one incident differ in them, or stand in another order than a bulletin keeps, parameters with
reserved names say so. They are written when an alert is read, and taken away when it is written again.

Not here: the words, which are by language in a bulletin too. Law: ``apart(together(infos))`` gives back what the infos
said, as far as it had room; reserved parameters that nobody of ours wrote do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from meshrelay.core.bulletin import LANGUAGE_ORDER, MAX_CODES, MAX_RESOURCES, Bulletin, Resource, Text, in_order
from meshrelay.interop.cap.schema import VALUE

Pair = tuple[str, str]
T = TypeVar("T")

RESERVED: Final = "urn:meshrelay:info:"
_PARAMETERS: Final = RESERVED + "parameters:"
_RESOURCES: Final = RESERVED + "resources:"
_AUDIENCE: Final = RESERVED + "audience:"


@dataclass(frozen=True, slots=True)
class Apart:
    """What stands in the info of one language beside the words."""

    audience: str = ""
    parameters: tuple[Pair, ...] = ()
    resources: tuple[Resource, ...] = ()


@dataclass(frozen=True, slots=True)
class Together:
    """What a bulletin has of it; `is_whole` tells whether all had room."""

    audience: str
    parameters: tuple[Pair, ...]
    resources: tuple[Resource, ...]
    is_whole: bool


def together(infos: Sequence[tuple[str, Apart]]) -> Together:
    """Return what infos, each with its language, say beside their words, as one bulletin has it."""
    tags = [tag for tag, _ in infos]
    audience = next((one.audience for _, one in infos if one.audience), "")
    parameters = _all([one.parameters for _, one in infos])
    resources = _all([one.resources for _, one in infos])
    notes: dict[str, str] = {}
    if tags != sorted(tags, key=lambda tag: (len(tag.encode()), tag)):
        notes[LANGUAGE_ORDER] = " ".join(tags)
    for tag, one in infos:
        if one.audience != audience:
            notes[_AUDIENCE + tag] = one.audience
        if one.parameters != parameters:
            notes[_PARAMETERS + tag] = _places(one.parameters, parameters)
        if one.resources != resources:
            notes[_RESOURCES + tag] = _places(one.resources, resources)
    kept = {name: value for name, value in notes.items() if len(value) <= VALUE}
    room = MAX_CODES - len(kept)
    if room < len(parameters):
        # Places would point at what has been left out.
        kept, room = {}, MAX_CODES
    return Together(
        audience,
        (*parameters[:room], *kept.items()),
        resources[:MAX_RESOURCES],
        kept == notes and len(parameters) <= room and len(resources) <= MAX_RESOURCES,
    )


def apart(bulletin: Bulletin) -> list[tuple[Text, Apart]]:
    """Return the texts of a bulletin in the order of its infos, each with what its info says beside it."""
    notes = {name: value for name, value in bulletin.parameters if name.startswith(RESERVED)}
    parameters = tuple([pair for pair in bulletin.parameters if not pair[0].startswith(RESERVED)])
    return [(text, _of(text.language, notes, bulletin, parameters)) for text in in_order(bulletin)]


def is_reserved(pair: Pair) -> bool:
    """Tell whether a parameter is one that only this module writes."""
    return pair[0].startswith(RESERVED)


def _of(tag: str, notes: Mapping[str, str], bulletin: Bulletin, parameters: tuple[Pair, ...]) -> Apart:
    chosen, files = notes.get(_PARAMETERS + tag), notes.get(_RESOURCES + tag)
    return Apart(
        notes.get(_AUDIENCE + tag, bulletin.audience),
        parameters if chosen is None else tuple([parameters[at] for at in _read(chosen, len(parameters))]),
        bulletin.resources
        if files is None
        else tuple([bulletin.resources[at] for at in _read(files, len(bulletin.resources))]),
    )


def _all(lists: Sequence[tuple[T, ...]]) -> tuple[T, ...]:
    """Return what stands in any of the lists: the list itself where they are all the same."""
    if lists and all(one == lists[0] for one in lists):
        return lists[0]
    return tuple(dict.fromkeys(thing for one in lists for thing in one))


def _places(some: Sequence[object], of: Iterable[object]) -> str:
    at = {one: place for place, one in enumerate(of)}
    return " ".join(str(at[one]) for one in some)


def _read(text: str, count: int) -> list[int]:
    """Return the places that a text lists, but those that are none."""
    return [int(one) for one in text.split() if one.isascii() and one.isdigit() and len(one) < 5 and int(one) < count]
