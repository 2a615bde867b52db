"""A CAP document into answers: one for every alert that it holds, for every entry of a feed, and for what is neither.

Not here: the form of documents (containers.py) and of alerts (alert.py).

Law: for any bytes :func:`read_alerts` returns what can be imported and says what cannot, naming the element, and raises
nothing but InvalidDocument, that only when there is nothing else to answer.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from meshrelay.errors import InvalidDocument
from meshrelay.interop.cap.alert import ImportedAlert, Points, read_alert
from meshrelay.interop.cap.containers import Elsewhere, Part, parts

Answer: TypeAlias = "ImportedAlert | Elsewhere | InvalidDocument"


def read_alerts(data: bytes, *, now: int, checked: bool = False) -> list[Answer]:
    """Return what each alert of a document says, where it lies, or why it cannot be imported, in the document's order.

    `now` is the time of signing; `checked` says that the operator has looked into it themselves.
    Raises InvalidDocument when the document as a whole is none.
    """
    answers: list[Answer] = []
    digest, points = hashlib.sha256(data).digest(), Points()

    def answer(part: Part) -> Answer:
        if isinstance(part, Elsewhere | InvalidDocument):
            return part
        try:
            return read_alert(part.alert, now=now, checked=checked, digest=digest, points=points, drill=part.drill)
        except InvalidDocument as refusal:
            return InvalidDocument(refusal.element, refusal.detail, part.place)
        finally:
            part.alert.clear()  # several hundred alerts need not all be held twice

    try:
        answers.extend(map(answer, parts(data)))
    except InvalidDocument as refusal:
        if not answers:
            raise
        answers.append(InvalidDocument(refusal.element, refusal.detail, "the rest of the file"))
    return answers
