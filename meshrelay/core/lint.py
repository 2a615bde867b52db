"""What a good alert has, as codes: advice to whoever writes one, before it is signed.

After the profile that Google asks of public alerts. words/ makes the sentences; the form is core.bulletin's matter.

Law: nothing here refuses anything. A bulletin with every flaw is valid, and in an emergency better than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from meshrelay.core.bulletin import Bulletin, Certainty, MsgType, Severity, Text, Urgency

LONGEST_HEADLINE = 140


class Flaw(StrEnum):
    """What a bulletin lacks or does badly, the gravest first."""

    LEAVES_LIVE = "leaves-live"
    """An Update or Cancel does not name a bulletin of the same incident that still holds."""
    OTHER_CATEGORY = "other-category"
    """Another bulletin of the same incident is about something else: programs will show them apart."""
    NO_HEADLINE = "no-headline"
    LONG_HEADLINE = "long-headline"
    NO_INSTRUCTION = "no-instruction"
    NO_AREA = "no-area"
    NOT_LOCATED = "not-located"
    NO_EXPIRY = "no-expiry"
    NO_SEVERITY = "no-severity"
    NO_URGENCY = "no-urgency"
    NO_CERTAINTY = "no-certainty"
    LACKS_LANGUAGE = "lacks-language"


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw; `languages` are the BCP 47 tags it is about, `items` the bulletins."""

    flaw: Flaw
    languages: tuple[str, ...] = ()
    items: tuple[bytes, ...] = ()


def lint(
    draft: Bulletin, *, incident: Iterable[tuple[bytes, Bulletin]] = (), languages: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Return what could be better about a draft, the gravest first.

    `incident` are the ids and bulletins of the same author that hold now and belong to the same incident; `languages`
    those that the people of the place read. An `expires` that nobody chose is one that was assumed.
    """
    others = [(item, one) for item, one in incident if item not in draft.references]
    found = [
        Finding(Flaw.LEAVES_LIVE, items=tuple(item for item, _ in others if draft.msg_type is not MsgType.ALERT)),
        Finding(
            Flaw.OTHER_CATEGORY,
            items=tuple(item for item, one in others if set(one.categories) != set(draft.categories)),
        ),
    ]
    found = [one for one in found if one.items]
    if draft.msg_type is MsgType.CANCEL:
        return tuple(found)  # it repeats the words of what it takes back
    texts = draft.texts
    for flaw, wrong in (
        (Flaw.NO_HEADLINE, [text for text in texts if not text.headline]),
        (Flaw.LONG_HEADLINE, [text for text in texts if len(text.headline) > LONGEST_HEADLINE]),
        (Flaw.NO_INSTRUCTION, [text for text in texts if not text.instruction]),
    ):
        if wrong:
            found.append(Finding(flaw, _tags(wrong)))
    located = any(area.polygons or area.circles or area.geocodes for area in draft.areas)
    for flaw, is_there in (
        (Flaw.NO_AREA, not draft.areas),
        (Flaw.NOT_LOCATED, bool(draft.areas) and not located),
        (Flaw.NO_EXPIRY, draft.expires_assumed),
        (Flaw.NO_SEVERITY, draft.severity is Severity.UNKNOWN),
        (Flaw.NO_URGENCY, draft.urgency is Urgency.UNKNOWN),
        (Flaw.NO_CERTAINTY, draft.certainty is Certainty.UNKNOWN),
    ):
        if is_there:
            found.append(Finding(flaw))
    written = {_primary(text.language) for text in texts}
    if lacking := tuple(tag for tag in languages if _primary(tag) not in written):
        found.append(Finding(Flaw.LACKS_LANGUAGE, lacking))
    return tuple(found)


def _tags(texts: Iterable[Text]) -> tuple[str, ...]:
    return tuple(text.language for text in texts)


def _primary(tag: str) -> str:
    return tag.partition("-")[0].lower()
