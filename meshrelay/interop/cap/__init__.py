"""Common Alerting Protocol 1.2 (and 1.1, which maps the same way): documents into drafts, bulletins into documents.

Not here: signing, and the verification of XML signatures. Nothing that a document points at is fetched.

    schema      the order of elements, and how much of a document is read
    tree        bytes into elements, safely         forms      single values, both ways
    shapes      fewer points                        languages  what differs between the languages of an alert
    containers  what lies in a document             alert      one alert into drafts
    reading     a document into answers             writing    a bulletin into a document
"""

from meshrelay.interop.cap.alert import ASSUMED_LIFE, Change, ImportedAlert
from meshrelay.interop.cap.containers import Elsewhere
from meshrelay.interop.cap.reading import Answer, read_alerts
from meshrelay.interop.cap.schema import MAX_DOCUMENT, MEDIA_TYPE, NAMESPACE
from meshrelay.interop.cap.tree import is_xml
from meshrelay.interop.cap.writing import is_of_one_alert, triple, write_alert

__all__ = [
    "ASSUMED_LIFE",
    "MAX_DOCUMENT",
    "MEDIA_TYPE",
    "NAMESPACE",
    "Answer",
    "Change",
    "Elsewhere",
    "ImportedAlert",
    "is_of_one_alert",
    "is_xml",
    "read_alerts",
    "triple",
    "write_alert",
]
