"""What a Cancel says: the draft of one, and what is its own among what it only repeats of what it withdraws.

Not here: what a Cancel ends (trust.py). Law: pure functions of bulletins. Source: docs/spec/bulletin.md, "Update and
Cancel".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from meshrelay.core.bulletin import MAX_LIFE, UNSIGNED, Bulletin, Certainty, MsgType, Origin, Severity, Text, Urgency
from meshrelay.core.envelope import SignedItem

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Own:
    """What a bulletin says itself: for a Cancel, without what it only repeats of what it withdraws.

    `words` tells whether its headlines are its own, and not those of what no longer holds.
    """

    bulletin: Bulletin
    words: bool = True


def withdrawal(target: SignedItem, *, now: int, note: str = "") -> Bulletin:
    """Return the draft of a Cancel of one's own bulletin: the same words, so that people know which one it was."""
    if not isinstance(target.body, Bulletin):
        raise ValueError("only a bulletin can be withdrawn")
    expires = min(max(target.body.expires, now + 86400), now + MAX_LIFE)
    return dataclasses.replace(
        target.body,
        sent=now,
        expires=expires,
        expires_assumed=False,
        chain=UNSIGNED,
        msg_type=MsgType.CANCEL,
        references=(target.id,),
        effective=None,
        onset=None,
        resources=(),
        note=note,
        origin=Origin(),
    )


def own(bulletin: Bulletin, targets: Sequence[Bulletin]) -> Own:
    """Return what a bulletin says itself; `targets` are those that it names, as far as they are held.

    A Cancel repeats what it withdraws, so that people know which one it was. None of that is to be read as if it held:
    how severe it was, when to act and what to do are left out where they are the same there, or where nothing that it
    names is held, so that nobody can tell. Texts with headlines of their own stand for the others.
    """
    if bulletin.msg_type is not MsgType.CANCEL:
        return Own(bulletin)
    before = [text for target in targets for text in target.texts]
    titles = {title for text in before for title in (text.headline, text.event)}
    descriptions, instructions = {text.description for text in before}, {text.instruction for text in before}

    def cleared(text: Text) -> Text:
        return dataclasses.replace(
            text,
            description="" if not targets or text.description in descriptions else text.description,
            instruction="" if not targets or text.instruction in instructions else text.instruction,
        )

    texts = [text for text in bulletin.texts if targets and (text.headline or text.event) not in titles]
    responses = {response for target in targets for response in target.responses}
    said = dataclasses.replace(
        bulletin,
        texts=tuple(map(cleared, texts or bulletin.texts)),
        severity=Severity.UNKNOWN,
        responses=tuple(one for one in bulletin.responses if targets and one not in responses),
        urgency=_changed(bulletin.urgency, [target.urgency for target in targets], Urgency.UNKNOWN),
        certainty=_changed(bulletin.certainty, [target.certainty for target in targets], Certainty.UNKNOWN),
    )
    return Own(said, words=bool(texts))


def _changed(value: V, before: Sequence[V], otherwise: V) -> V:
    return value if before and value not in before else otherwise
